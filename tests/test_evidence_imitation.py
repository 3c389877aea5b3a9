"""Trajectories against the real imitation library."""

from typing import Any

import numpy as np
import pytest

from irl_ident import Environment, agents, rewards
from irl_ident.evidence import Trajectories, counts, from_imitation, to_imitation

types = pytest.importorskip("imitation.data.types")


@pytest.fixture(scope="module")
def env() -> Environment:
    moves = np.random.default_rng(0).dirichlet(np.ones(4), size=(4, 3))
    moves[3] = np.eye(4)[3]
    return Environment(moves, 0.9, np.array([0.4, 0.3, 0.3, 0.0]))


@pytest.fixture(scope="module")
def seen(env: Environment) -> Trajectories:
    agent = agents.SoftOptimal(rewards.StateRewards(4), np.array([0.0, 1.0, 2.0, 0.0]), temperature=0.3)
    return agent.demonstrate(env, episodes=60, horizon=12, seed=0)


def test_round_trip(env: Environment, seen: Trajectories) -> None:
    there = to_imitation(env, seen)
    back = from_imitation(env, there)
    for name in ("states", "actions", "lengths"):
        np.testing.assert_array_equal(getattr(back, name), getattr(seen, name))
    assert [t.terminal for t in there] == [bool(states[-1] == 3) for states, _ in seen]
    assert {t.terminal for t in there} == {True, False}


def test_rewards_are_those_of_the_steps(env: Environment, seen: Trajectories) -> None:
    reward = np.arange(12.0).reshape(4, 3)
    for trajectory, (states, actions) in zip(to_imitation(env, seen, reward), seen, strict=True):
        assert isinstance(trajectory, types.TrajectoryWithRew)
        np.testing.assert_array_equal(trajectory.rews, reward[states[:-1], actions])


def test_flattened_transitions_have_our_counts(env: Environment, seen: Trajectories) -> None:
    from imitation.data import rollout

    flat = rollout.flatten_trajectories(to_imitation(env, seen))
    found = np.zeros((4, 3), dtype=int)
    np.add.at(found, (flat.obs, flat.acts), 1)
    np.testing.assert_array_equal(found, counts(env, seen).counts)
    np.testing.assert_array_equal(flat.dones.sum(), sum(bool(states[-1] == 3) for states, _ in seen))


def test_behavioural_cloning_learns_from_ours(env: Environment, seen: Trajectories) -> None:
    """Fitted on our trajectories, its most probable actions are the most frequent ones."""
    import torch
    from imitation.algorithms import bc

    world: Any = env.to_gymnasium(np.zeros((4, 3)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trainer = bc.BC(
            observation_space=world.observation_space,
            action_space=world.action_space,
            rng=np.random.default_rng(0),
            demonstrations=to_imitation(env, seen),
            optimizer_kwargs={"lr": 1e-2},
            device="cpu",
        )
        trainer.train(n_epochs=8, progress_bar=False)
        chosen, _ = trainer.policy.predict(np.arange(3), deterministic=True)
    np.testing.assert_array_equal(chosen, counts(env, seen).counts[:3].argmax(axis=1))


def test_their_rollouts_are_our_evidence(env: Environment) -> None:
    """Their rollouts call every finished episode terminal, cut off or not; ours only where the last state is."""
    from imitation.data import rollout
    from stable_baselines3.common.vec_env import DummyVecEnv

    reward = np.array([[0.0] * 3, [1.0] * 3, [2.0] * 3, [0.0] * 3])
    worlds = DummyVecEnv([lambda: env.to_gymnasium(reward, max_episode_steps=12)])
    worlds.seed(0)
    theirs = rollout.rollout(
        None, worlds, rollout.make_sample_until(min_episodes=20), rng=np.random.default_rng(0), unwrap=False
    )
    seen = from_imitation(env, theirs)
    assert int(counts(env, seen).counts.sum()) == sum(len(t.acts) for t in theirs)
    for ours, trajectory in zip(to_imitation(env, seen, reward), theirs, strict=True):
        np.testing.assert_array_equal(ours.obs, trajectory.obs)
        np.testing.assert_array_equal(ours.acts, trajectory.acts)
        np.testing.assert_allclose(ours.rews, trajectory.rews)
        assert ours.terminal == bool(trajectory.obs[-1] == 3)
        assert trajectory.terminal


def test_faults_are_named(env: Environment, seen: Trajectories) -> None:
    with pytest.raises(ValueError, match=r"reward: should have shape \(4, 3\), was \(4,\)"):
        to_imitation(env, seen, np.zeros(4))
    with pytest.raises(
        ValueError, match="states: episode 0 should be a sequence of whole numbers, was an array of float"
    ):
        from_imitation(env, [types.Trajectory(np.zeros((2, 4)), np.zeros(1, dtype=int), None, False)])
    with pytest.raises(ValueError, match=r"episode 0, step 0: .* never leads"):
        from_imitation(env, [types.Trajectory(np.array([3, 0]), np.zeros(1, dtype=int), None, False)])


def test_episodes_without_steps_are_left_out(env: Environment) -> None:
    assert len(to_imitation(env, Trajectories([[3], [3, 3]], [[], [0]]))) == 1
