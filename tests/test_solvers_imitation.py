"""The imitation library's algorithms as solvers, run for real and small."""

import pickle
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

import irl_ident as ii
from irl_ident.agents.table import TableAgent
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Counts, Policy, Trajectories, empirical_policy
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards
from irl_ident.solvers import NoReward
from irl_ident.solvers.imitation_library import (
    AIRL,
    GAIL,
    MCEIRL,
    BehavioralCloning,
    DensityReward,
    rollouts,
)

torch = pytest.importorskip("torch")
pytest.importorskip("imitation")

SHOWN = np.array([0.5, 0.3, 0.2])
"""What the demonstrator does where it chooses."""


@pytest.fixture
def fork() -> Environment:
    """From the first state each action leads to an absorbing state of its own."""
    moves = np.zeros((4, 3, 4))
    moves[0, [0, 1, 2], [1, 2, 3]] = 1
    moves[[1, 2, 3], :, [1, 2, 3]] = 1
    return Environment(moves, 0.9, np.eye(4)[0])


@pytest.fixture
def at_fork() -> Policy:
    return Policy(np.vstack([SHOWN, np.zeros((3, 3))]))


def wanderings(seed: int, n_states: int = 6, n_actions: int = 3) -> Environment:
    """Each action leads to one of two states, mostly the first."""
    rng = np.random.default_rng(seed)
    moves = np.zeros((n_states, n_actions, n_states))
    for s in range(n_states):
        for a in range(n_actions):
            near, far = rng.choice(n_states, 2, replace=False)
            moves[s, a, near], moves[s, a, far] = 0.8, 0.2
    return Environment(moves, 0.9)


def soft_over(env: Environment, reward: Array, horizon: int, discount: float = 1.0) -> Array:
    """The soft-optimal policies of ``horizon`` steps, (H, S, A)."""
    values, found = np.zeros(env.n_states), []
    for _ in range(horizon):
        q = reward[:, None] + discount * env.dense() @ values
        values = np.log(np.exp(q).sum(axis=1))
        found.append(np.exp(q - values[:, None]))
    return np.array(found[::-1])


def sampled(env: Environment, policies: Array, episodes: int, seed: int) -> Trajectories:
    """Episodes under policies that depend on time."""
    rng, moves = np.random.default_rng(seed), env.dense()
    states = np.zeros((episodes, len(policies) + 1), dtype=int)
    actions = np.zeros((episodes, len(policies)), dtype=int)
    states[:, 0] = rng.choice(env.n_states, episodes, p=env.initial)
    for t, policy in enumerate(policies):
        for i, s in enumerate(states[:, t]):
            actions[i, t] = rng.choice(env.n_actions, p=policy[s])
            states[i, t + 1] = rng.choice(env.n_states, p=moves[s, actions[i, t]])
    return Trajectories(states, actions)


class TestMCEIRL:
    @pytest.mark.parametrize("horizon", [2, 4])
    def test_closed_form(self, fork: Environment, at_fork: Policy, horizon: int) -> None:
        """H steps pay an absorbing state H - 1 times and visit it H times, whichever one it is."""
        solver = MCEIRL(horizon=horizon, occupancy_tolerance=1e-6, gradient_tolerance=1e-9)
        found = solver.fit([(fork, at_fork)], StateRewards(4))
        chosen = softmax((horizon - 1) * found.theta[1:])
        np.testing.assert_allclose(found.policies[0][0, 0], chosen, atol=1e-12)
        np.testing.assert_allclose(found.occupancy_error, horizon * np.abs(chosen - SHOWN).max(), atol=1e-12)
        assert found.convergence.status == "converged"
        assert found.convergence.residual == found.occupancy_error < 1e-4

    def test_its_discount_is_biased_and_the_gauge_says_so(self, fork: Environment, at_fork: Policy) -> None:
        """At discount 1/2 the agent of 3 steps weighs an absorbing state by 1/2 + 1/4; the library by 1 + 1."""
        half = MCEIRL(horizon=3, discount=0.5, occupancy_tolerance=1e-6, gradient_tolerance=1e-9)
        found = half.fit([(fork, at_fork)], StateRewards(4))
        gap = np.abs(softmax(2 * found.theta[1:]) - SHOWN).max()
        np.testing.assert_allclose(found.occupancy_error, (1 / 2 + 1 / 4 + 1 / 8) * gap, atol=1e-12)
        assert found.occupancy_error < 1e-4
        np.testing.assert_allclose(found.policies[0], soft_over(fork, found.theta, 3, 0.5))
        assert np.abs(found.policies[0][0, 0] - SHOWN).max() > 0.08
        assert "discount 1, so this is biased" in found.gauge
        assert "biased" not in MCEIRL(horizon=3).fit([(fork, at_fork)], StateRewards(4)).gauge

    def test_two_environments_share_theta(self) -> None:
        """From 2 x 300 episodes it acts as the demonstrator does at every step, in either environment."""
        theta = np.random.default_rng(5).normal(size=6)
        worlds = [wanderings(1), wanderings(2)]
        shown = [soft_over(env, theta, 6) for env in worlds]
        evidence = [(env, sampled(env, pi, 300, i)) for i, (env, pi) in enumerate(zip(worlds, shown, strict=True))]
        found = MCEIRL().fit(evidence, StateRewards(6))
        assert found.convergence.status == "converged"
        for env, mine, true in zip(worlds, found.policies, shown, strict=True):
            np.testing.assert_allclose(mine, soft_over(env, found.theta, 6), atol=1e-12)
            assert np.abs(mine - true).max() < 0.1 < np.abs(1 / 3 - true).max()
        assert np.corrcoef(found.theta, theta)[0, 1] > 0.97
        plan = ii.agents.SoftOptimal(StateRewards(6), found.theta)
        np.testing.assert_array_equal(found.policy(worlds[0]), plan.policy(worlds[0]))

    def test_a_place_seen_more_often_counts_for_more(self, fork: Environment) -> None:
        """One environment in two pieces of evidence is one environment: 75 and 25 episodes pool."""
        first = Trajectories([[0, 1]] * 50 + [[0, 2]] * 25, [[0]] * 50 + [[1]] * 25)
        second = Trajectories([[0, 3]] * 25, [[2]] * 25)
        solver = MCEIRL(horizon=2, occupancy_tolerance=1e-6, gradient_tolerance=1e-9)
        found = solver.fit([(fork, first), (fork, second)], StateRewards(4))
        assert len(found.policies) == 1
        np.testing.assert_allclose(found.policies[0][0, 0], [0.5, 0.25, 0.25], atol=1e-5)

    def test_its_learner_is_the_library_s(self, fork: Environment, at_fork: Policy) -> None:
        found = MCEIRL(horizon=2).fit([(fork, at_fork)], StateRewards(4))
        np.testing.assert_array_equal(found.learner.pi, found.policies[0])

    def test_a_small_family_stops_at_its_gradient(self) -> None:
        """One feature cannot match all visits: what vanishes is the gradient."""
        env = wanderings(3)
        shown = sampled(env, soft_over(env, np.arange(6.0) / 3, 5), 40, 0)
        mark = LinearRewards(np.repeat(np.eye(6)[:, None, [5]], 3, axis=1))
        found = MCEIRL(iterations=3000).fit([(env, shown)], mark)
        assert found.convergence.status == "converged"
        assert found.convergence.measure == "norm of the gradient"
        assert found.occupancy_error > 0.05
        assert found.value < 1e-3

    def test_says_when_it_ran_out_of_iterations(self, fork: Environment, at_fork: Policy) -> None:
        found = MCEIRL(horizon=2, iterations=2).fit([(fork, at_fork)], StateRewards(4))
        assert (found.convergence.status, found.convergence.iterations) == ("iterations", 2)
        assert found.convergence.residual == found.occupancy_error > 0.05

    def test_refuses(self, fork: Environment, at_fork: Policy) -> None:
        states = StateRewards(4)
        with pytest.raises(ValueError, match=r"family: its features depend on the action, as in state 's0'"):
            MCEIRL(horizon=2).fit([(fork, at_fork)], StateActionRewards(4, 3))
        with pytest.raises(ValueError, match="counts have no order in time"):
            MCEIRL(horizon=2).fit([(fork, Counts(np.ones((4, 3), dtype=int)))], states)
        with pytest.raises(ValueError, match="horizon: should be given"):
            MCEIRL().fit([(fork, at_fork)], states)
        with pytest.raises(ValueError, match=r"no choice of an action was observed"):
            MCEIRL().fit([(fork, Trajectories([[0]], [[]]))], states)
        walk = wanderings(0)
        short = sampled(walk, np.full((2, 6, 3), 1 / 3), 1, 0)
        with pytest.raises(ValueError, match=r"episode 0 is cut off after 2 steps .* should have the horizon's 3"):
            MCEIRL(horizon=3).fit([(walk, short)], StateRewards(6))
        with pytest.raises(ValueError, match=r"the policy comes to state 's\d', where it was not observed"):
            MCEIRL(horizon=3).fit([(walk, Policy(np.eye(6)[:, :1] * np.ones(3) / 3))], StateRewards(6))
        two = wanderings(0, n_actions=2)
        with pytest.raises(ValueError, match=r"3 actions, that of evidence\[0\] 2; MCEIRL needs one action space"):
            MCEIRL(horizon=2).fit([(two, np.full((6, 2), 0.5)), (walk, np.full((6, 3), 1 / 3))], StateRewards(6))

    def test_longer_episodes_are_cut(self) -> None:
        walk = wanderings(0)
        seen = sampled(walk, np.full((5, 6, 3), 1 / 3), 20, 0)
        cut = Trajectories(seen.states[:, :4], seen.actions[:, :3])
        long, short = (MCEIRL(horizon=3, iterations=100).fit([(walk, t)], StateRewards(6)) for t in (seen, cut))
        np.testing.assert_array_equal(long.theta, short.theta)


class TestBehavioralCloning:
    @pytest.fixture
    def worlds(self) -> list[tuple[Environment, Trajectories]]:
        """Two environments in which the demonstrator does different things in the same states."""
        found = []
        for seed in (1, 2):
            env = wanderings(seed)
            policy = np.random.default_rng(seed).dirichlet(np.ones(3), size=6)
            found.append((env, ii.agents.rollout(env, policy, episodes=60, horizon=10, seed=seed)))
        return found

    def test_its_table_comes_to_the_frequencies(self, worlds: list[tuple[Environment, Trajectories]]) -> None:
        solver = BehavioralCloning(epochs=40, learning_rate=3e-3, batch_size=100)
        found = solver.fit(worlds, StateRewards(6))
        for env, seen in worlds:
            np.testing.assert_allclose(found.policy(env), empirical_policy(env, seen), atol=0.06)
        assert 0 < found.convergence.residual < 5e-3
        total = ii.solvers.log_likelihood(found, worlds)
        steps = sum(int(seen.lengths.sum()) for _, seen in worlds)
        np.testing.assert_allclose(found.value, -total / steps)
        with pytest.raises(NoReward, match="BehavioralCloning recovers no reward"):
            _ = found.theta
        elsewhere = (found.policy(worlds[0][0]) + found.policy(worlds[1][0])) / 2
        np.testing.assert_allclose(found.policy(wanderings(9)), elsewhere)

    def test_counts_are_choices_too(self, worlds: list[tuple[Environment, Trajectories]]) -> None:
        env, seen = worlds[0]
        given = ii.evidence.counts(env, seen)
        found = BehavioralCloning(epochs=40, learning_rate=3e-3, batch_size=100).fit([(env, given)], StateRewards(6))
        np.testing.assert_allclose(found.policy(env), empirical_policy(env, seen), atol=0.06)

    def test_policies_are_followed(self, fork: Environment, at_fork: Policy) -> None:
        solver = BehavioralCloning(horizon=3, episodes=600, epochs=30, learning_rate=3e-3)
        found = solver.fit([(fork, at_fork)], StateRewards(4))
        np.testing.assert_allclose(found.policy(fork)[0], SHOWN, atol=0.08)
        np.testing.assert_array_equal(found.policy(fork)[1:], 1 / 3)

    def test_a_world_without_choices_is_refused(self) -> None:
        ended = Environment(np.ones((1, 2, 1)), 0.9)
        with pytest.raises(ValueError, match="evidence: no choice of an action was observed"):
            BehavioralCloning(horizon=3).fit([(ended, np.full((1, 2), 0.5))], StateRewards(1))

    def test_the_same_seed_the_same_table_and_nothing_else_is_touched(
        self, worlds: list[tuple[Environment, Trajectories]]
    ) -> None:
        threads, state = torch.get_num_threads(), torch.get_rng_state()
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        first, again, other = (
            BehavioralCloning(epochs=1, seed=seed).fit(worlds, StateRewards(6)).policy(worlds[0][0])
            for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 1e-4
        assert torch.get_num_threads() == threads
        assert torch.equal(torch.get_rng_state(), state)
        assert random.getstate() == python
        assert str(np.random.get_state()) == str(numpy)  # noqa: NPY002


def ring(jump: int, discount: float = 0.9) -> Environment:
    """Five states in a ring: one step on, or ``jump`` steps."""
    moves, here = np.zeros((5, 2, 5)), np.arange(5)
    moves[here, 0, (here + 1) % 5] = moves[here, 1, (here + jump) % 5] = 1
    return Environment(moves, discount)


OBJECTIVE = np.array([0.0, 1.0, -1.0, 2.0, -0.5])
"""On the states of the rings."""

Rings = list[tuple[Environment, Trajectories]]


@pytest.fixture(scope="module")
def rings() -> Rings:
    agent = ii.agents.SoftOptimal(StateRewards(5), OBJECTIVE)
    worlds = [ring(2), ring(4)]
    return [(env, agent.demonstrate(env, episodes=200, horizon=10, seed=i)) for i, env in enumerate(worlds)]


def farthest(agent: Any, rings: Rings) -> float:
    """Largest difference from the probabilities of the demonstrator."""
    true = ii.agents.SoftOptimal(StateRewards(5), OBJECTIVE)
    return max(float(np.abs(agent.policy(env) - true.policy(env)).max()) for env, _ in rings)


class TestAIRL:
    def test_one_reward_for_two_environments(self, rings: Rings) -> None:
        """It comes to the objective, up to a constant, and plans as the demonstrator does in a third environment."""
        found = AIRL(steps=8192).fit(rings, StateRewards(5))
        assert np.corrcoef(found.theta, OBJECTIVE)[0, 1] > 0.95
        centred = OBJECTIVE - OBJECTIVE.mean()
        assert np.abs(found.theta - found.theta.mean() - centred).max() < 0.7 < np.abs(centred).max()
        assert farthest(found.learned, rings) < 0.2
        assert farthest(found, [*rings, (ring(3), rings[0][1])]) < 0.2
        assert farthest(TableAgent([ring(2)], [np.full((5, 2), 0.5)]), rings) > 0.35
        assert found.convergence.status == "iterations"
        assert found.convergence.iterations == len(found.losses) == 32
        np.testing.assert_allclose(found.convergence.residual, abs(found.value - np.log(2)))

    def test_the_same_seed_the_same_theta_and_nothing_else_is_touched(self, rings: Rings) -> None:
        state = torch.get_rng_state()
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        first, again, other = (AIRL(steps=512, seed=s).fit(rings, StateRewards(5)).theta for s in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 1e-6
        assert torch.equal(torch.get_rng_state(), state)
        assert random.getstate() == python
        assert str(np.random.get_state()) == str(numpy)  # noqa: NPY002

    def test_any_linear_family(self, rings: Rings) -> None:
        """Rewards on pairs of state and action, and the first states of the evidence rather than of the environment."""
        env = rings[0][0]
        seen = Trajectories([[0, 1, 2]] * 40 + [[0, 2, 3]] * 20, [[0, 0]] * 40 + [[1, 0]] * 20)
        found = AIRL(steps=3072).fit([(env, seen)], StateActionRewards(5, 2))
        assert found.theta.shape == (10,)
        assert np.isfinite(found.theta).all()
        np.testing.assert_array_equal(found.theta[6:], 0)
        assert found.learned.policy(env)[0, 0] > 0.55

    def test_episodes_go_on_in_absorbing_states(self, fork: Environment, at_fork: Policy) -> None:
        """The absorbing states, where nobody chooses, get the order of the demonstrator's preferences."""
        found = AIRL(steps=6144, horizon=4, episodes=300).fit([(fork, at_fork)], StateRewards(4))
        assert found.theta[1] > found.theta[2] > found.theta[3]
        np.testing.assert_array_equal(found.learned.policy(fork)[1:], 1 / 3)

    def test_refuses(self, rings: Rings) -> None:
        states, (env, seen) = StateRewards(5), rings[0]
        with pytest.raises(ValueError, match=r"discounts 0\.8, 0\.9; AIRL trains with one"):
            AIRL(steps=512).fit([(env, seen), (ring(2, 0.8), seen)], states)
        with pytest.raises(ValueError, match="counts have no order in time"):
            AIRL(steps=512, horizon=3).fit([(env, Counts(np.ones((5, 2), dtype=int)))], states)
        with pytest.raises(ValueError, match=r"steps: was 100, should be at least 256"):
            AIRL(steps=100).fit([(env, seen)], states)
        with pytest.raises(ValueError, match="no choice of an action was observed"):
            AIRL().fit([(env, Trajectories([[0]], [[]]))], states)


def test_environments_weigh_alike_however_often_they_were_seen(rings: Rings) -> None:
    from irl_ident.solvers.imitation_library import demonstrations as demos

    (env, seen), (other, _) = rings
    few = Trajectories(seen.states[:3], seen.actions[:3])
    rare = Trajectories([[0, 4, 0]], [[1, 0]])
    read = demos.demonstrations([(env, few), (other, rare)], solver="AIRL", episodes=1, horizon=2, seed=0)
    np.testing.assert_array_equal(read[1].env.initial, np.eye(5)[0])
    joined = demos.balanced([each.trajectories() for each in read])
    np.testing.assert_array_equal(joined.obs[6:], [5, 9, 5, 9, 5, 9])
    np.testing.assert_array_equal(joined.acts[6:], [1, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(joined.obs[:6].reshape(3, 2), seen.states[:3, :2])


class TestGAIL:
    def test_imitates_in_both_environments_and_has_no_reward(self, rings: Rings) -> None:
        found = GAIL(steps=4096).fit(rings, StateActionRewards(5, 2))
        assert np.isfinite(found.weights).all()
        assert found.weights.shape == (10,)
        assert farthest(found, rings) < 0.35
        assert found.agent is found.learned
        assert "no reward" in found.gauge
        with pytest.raises(NoReward, match="GAIL recovers no reward"):
            _ = found.theta


class TestDensity:
    def test_is_the_log_of_a_kernel_density(self, rings: Rings) -> None:
        """Against the density written out: Gaussian kernels around the one-hot pairs, standardised."""
        found = DensityReward(bandwidth=0.7).fit(rings[:1], StateActionRewards(5, 2))
        states, actions, _ = rings[0][1].steps()
        every = np.array([np.concatenate([np.eye(5)[s], np.eye(2)[a]]) for s in range(5) for a in range(2)])
        shown = every[states * 2 + actions]
        scaled, points = (x / shown.std(axis=0) for x in (every, shown))
        squares = ((scaled[:, None] - points) ** 2).sum(axis=2) / 0.7**2
        expected = np.log(np.exp(-squares / 2).mean(axis=1)) - 7 / 2 * np.log(2 * np.pi * 0.7**2)
        np.testing.assert_allclose(found.log_density[0].ravel(), expected, rtol=1e-5)
        np.testing.assert_allclose(found.theta, expected, rtol=1e-5)
        assert found.value < 1e-5

    def test_projects_onto_a_smaller_family(self, rings: Rings) -> None:
        found = DensityReward().fit(rings, StateRewards(5))
        tables = np.stack(found.log_density)
        np.testing.assert_allclose(found.theta, tables.mean(axis=(0, 2)), rtol=1e-6)
        spread = tables - found.theta[None, :, None]
        np.testing.assert_allclose(found.value, np.sqrt(np.mean(spread**2)))

    def test_refuses_counts(self, rings: Rings) -> None:
        with pytest.raises(ValueError, match="counts have no order in time"):
            DensityReward(horizon=3).fit([(rings[0][0], Counts(np.ones((5, 2), dtype=int)))], StateRewards(5))


SEALS = "seals/CartPole-v0"
"""CartPole without a hint in when it ends: 500 steps, paid while the pole is up."""


def cart_pole() -> Any:
    """CartPole-v1, ending when the pole falls, with the observation space of the other."""
    import gymnasium
    import seals

    class Recast(gymnasium.Wrapper[Any, Any, Any, Any]):
        observation_space = gymnasium.make(SEALS).observation_space

    assert seals.__name__ in SEALS
    return Recast(gymnasium.make("CartPole-v1"))


def away_from_upright(observation: Array, action: int) -> Array:
    return np.append(np.abs(observation), 1.0)


def paid(net: Any, trajectories: list[Any]) -> float:
    """Mean reward of the steps."""
    from imitation.data.rollout import flatten_trajectories

    steps = flatten_trajectories(trajectories)
    return float((getattr(net, "predict", net))(steps.obs, steps.acts, steps.next_obs, steps.dones).mean())


class TestWorlds:
    @pytest.fixture(scope="class")
    @staticmethod
    def expert() -> Any:
        import stable_baselines3

        from irl_ident.solvers.imitation_library.library import reproducible
        from irl_ident.solvers.imitation_library.worlds import ppo, vector

        fast = {"n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "n_epochs": 20, "learning_rate": 1e-3}
        with reproducible(0):
            made = ppo(vector(cart_pole), discount=0.98, seed=0, layers=(32, 32), settings=fast).learn(16_384)
        assert isinstance(made, stable_baselines3.PPO)
        return made

    @pytest.fixture(scope="class")
    @staticmethod
    def shown(expert: Any) -> list[Any]:
        found = rollouts(expert, SEALS, episodes=3, seed=0)
        assert [len(each) for each in found] == [500] * 3
        assert min(each.rews.sum() for each in found) > 450
        return found

    @pytest.fixture(scope="class")
    @staticmethod
    def aimless() -> list[Any]:
        """Three episodes of a policy before any training."""
        from irl_ident.solvers.imitation_library.library import reproducible
        from irl_ident.solvers.imitation_library.worlds import ppo, vector

        with reproducible(1):
            made = ppo(vector(SEALS, 1), discount=0.98, seed=1, layers=(8,), settings={})
        found = rollouts(made, SEALS, episodes=3, seed=1)
        assert max(each.rews.sum() for each in found) < 200
        return found

    def test_rollouts_are_the_same_for_the_same_seed(self, expert: Any, shown: list[Any]) -> None:
        again = rollouts(expert, SEALS, episodes=3, seed=0)
        for one, other in zip(shown, again, strict=True):
            np.testing.assert_array_equal(one.obs, other.obs)
            np.testing.assert_array_equal(one.acts, other.acts)

    def test_cloning_balances(self, expert: Any, shown: list[Any]) -> None:
        found = BehavioralCloning(epochs=8).fit_world(SEALS, shown)
        assert found.returns(SEALS, episodes=3, seed=5).mean() > 400
        likeliest, _ = expert.predict(shown[0].obs, deterministic=True)
        assert (found.policy(shown[0].obs) == likeliest).mean() > 0.9
        with pytest.raises(NoReward, match="BehavioralCloning recovers no reward"):
            _ = found.theta

    def test_airl_pays_the_expert_more(self, shown: list[Any], aimless: list[Any]) -> None:
        """With a reward that is linear in features, and with the library's network."""
        found = AIRL(steps=3072, updates=4).fit_world(SEALS, shown, features=away_from_upright)
        assert found.theta.shape == (5,)
        assert found.theta[2] < 0
        assert paid(found.reward_net, shown) > paid(found.reward_net, aimless) + 0.5
        free = AIRL(steps=2048, learning_rate=2e-3).fit_world(SEALS, shown)
        assert paid(free.reward_net, shown) > paid(free.reward_net, aimless)
        with pytest.raises(NoReward, match="no reward that is linear in given features"):
            _ = free.theta

    def test_gail_learns_to_balance(self, expert: Any) -> None:
        """Where episodes end when the pole falls, which the library refuses unless told."""
        seen = rollouts(expert, cart_pole, episodes=4, seed=2)
        with pytest.raises(ValueError, match="variable horizon"):
            GAIL(steps=1024).fit_world(cart_pole, seen)
        found = GAIL(steps=8192, updates=4).fit_world(cart_pole, seen, variable_horizon=True)
        assert found.returns(cart_pole, episodes=5, seed=3).mean() > 300
        with pytest.raises(NoReward, match="GAIL recovers no reward"):
            _ = found.theta

    def test_density_pays_the_expert_more(self, shown: list[Any], aimless: list[Any]) -> None:
        found = DensityReward(steps=512).fit_world(SEALS, shown[:1])
        assert paid(found.reward_net, shown[1:2]) > paid(found.reward_net, aimless[:1]) + 1
        assert 0 <= found.convergence.residual < 1
        assert found.policy(shown[0].obs[:7]).shape == (7,)

    def test_refuses(self, shown: list[Any]) -> None:
        with pytest.raises(ValueError, match="trajectories: is empty"):
            AIRL(steps=512).fit_world(SEALS, [])
        with pytest.raises(ValueError, match=r"trajectories\[0\]: should be an imitation.* was int"):
            BehavioralCloning().fit_world(SEALS, [3])
        with pytest.raises(ValueError, match=r"features: should give finite arrays \(d,\), gave array\(nan\)"):
            AIRL(steps=512).fit_world(SEALS, shown, features=lambda observation, action: np.nan)
        with pytest.raises(ValueError, match="episodes: was 0"):
            rollouts(None, SEALS, episodes=0, seed=0)


def drawn(**changed: Any) -> Any:
    """A trajectory of 40 steps in CartPole, some of it replaced."""
    from imitation.data.types import Trajectory

    rng = np.random.default_rng(0)
    parts = {"obs": rng.normal(size=(41, 4)).astype(np.float32), "acts": rng.integers(2, size=40), **changed}
    return Trajectory(**parts, infos=None, terminal=True)


class TestDemonstrationsOfAnotherWorld:
    """Trajectories that are none of the world are named before anything is trained."""

    @pytest.mark.parametrize(
        "make", [lambda: BehavioralCloning(epochs=1), lambda: GAIL(steps=512), lambda: DensityReward(steps=512)]
    )
    @pytest.mark.parametrize(
        ("trajectories", "message"),
        [
            (
                lambda: [drawn(), drawn(obs=np.zeros((41, 3)))],
                r"trajectories\[1\].obs: each has shape \(3,\), .* \(4,\)",
            ),
            (lambda: [drawn(obs=np.full((41, 4), np.nan))], r"trajectories\[0\].obs: should be finite, holds nan"),
            (lambda: [drawn(acts=np.arange(40))], r"trajectories\[0\].acts: 2 is not in the world's Discrete\(2\)"),
            (lambda: [drawn(acts=np.zeros((40, 1)))], r"trajectories\[0\].acts: each has shape \(1,\), .* \(\)"),
            (lambda: drawn(), "trajectories: should be a list of them, was Trajectory"),
        ],
    )
    def test_is_named(self, make: Any, trajectories: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            make().fit_world("CartPole-v1", trajectories())

    def test_worlds_discounts_and_features_are_named(self) -> None:
        with pytest.raises(ValueError, match="world: was None, should be a Gymnasium id"):
            BehavioralCloning().fit_world(None, [drawn()])  # type: ignore[arg-type]
        for solver in (GAIL(steps=512), DensityReward(steps=512)):
            with pytest.raises(ValueError, match="discount: was nan, should be in"):
                solver.fit_world("CartPole-v1", [drawn()], discount=np.nan)
        first = drawn().obs[0, 0]
        for later in ([np.nan], [1.0, 2.0]):

            def features(seen: Array, action: int, later: list[float] = later) -> list[float]:
                return [1.0] if seen[0] == first else later

            with pytest.raises(ValueError, match=r"features: should give finite arrays \(1,\)"):
                AIRL(steps=512).fit_world("CartPole-v1", [drawn()], features=features, variable_horizon=True)


SMALL: tuple[Any, ...] = (
    lambda: MCEIRL(iterations=20),
    lambda: BehavioralCloning(epochs=1),
    lambda: AIRL(steps=256),
    lambda: GAIL(steps=256),
    lambda: DensityReward(),
)


@pytest.mark.parametrize("make", SMALL)
class TestDegenerate:
    """Whatever the evidence, numbers come out finite."""

    def fit(self, make: Any, env: Environment, seen: Any, family: Any) -> Any:
        found = make().fit([(env, seen)], family)
        np.testing.assert_allclose(found.policy(env).sum(axis=1), 1)
        assert np.isfinite([found.value, found.convergence.residual]).all()
        assert str(found).startswith(type(make()).__name__)
        again = pickle.loads(pickle.dumps(found))
        np.testing.assert_array_equal(again.policy(env), found.policy(env))
        return found

    def theta(self, found: Any) -> Array:
        """Zeros where there is no reward."""
        try:
            given: Array = found.theta
        except NoReward:
            return np.zeros(1)
        assert np.isfinite(given).all()
        return given

    def test_one_action_alone(self, make: Any) -> None:
        env = Environment(np.roll(np.eye(3), 1, axis=1)[:, None], 0.9)
        found = self.fit(make, env, Trajectories([[0, 1, 2, 0]], [[0, 0, 0]]), StateRewards(3))
        self.theta(found)
        np.testing.assert_array_equal(found.policy(env), 1)

    def test_features_that_are_0(self, make: Any, rings: Rings) -> None:
        found = self.fit(make, *rings[0], LinearRewards(np.zeros((5, 2, 2))))
        np.testing.assert_array_equal(self.theta(found), 0)

    def test_collinear_features_and_states_never_seen(self, make: Any) -> None:
        mark = np.repeat(np.eye(5)[:, None, [0, 0, 3]], 2, axis=1)
        seen = Trajectories([[0, 1, 2]], [[0, 0]])
        theta = self.theta(self.fit(make, ring(2), seen, LinearRewards(mark)))
        np.testing.assert_allclose(theta[0], theta[min(1, theta.size - 1)], atol=1e-12)

    def test_no_discounting_and_none_but_discounting(self, make: Any, fork: Environment) -> None:
        for discount in (0.0, 1.0):
            env = Environment(fork.transitions, discount, fork.initial)
            self.theta(self.fit(make, env, Trajectories([[0, 1], [0, 2], [3]], [[0], [1], []]), StateRewards(4)))

    def test_what_the_dynamics_forbid(self, make: Any, rings: Rings) -> None:
        with pytest.raises(ValueError, match=r"episode 0, step 0: .* never leads"):
            make().fit([(rings[0][0], Trajectories([[0, 3]], [[0]]))], StateRewards(5))


class TestTableAgent:
    def test_refuses(self) -> None:
        env, even = wanderings(0), np.full((6, 3), 1 / 3)
        with pytest.raises(ValueError, match="1 were given for 2 environments"):
            TableAgent([env, env], [even])
        with pytest.raises(ValueError, match=r"tables\[0\]\[2\] is 0 throughout"):
            TableAgent([env], [np.where(np.arange(6)[:, None] == 2, 0.0, even)])
        with pytest.raises(ValueError, match="env: has 6 states and 2 actions"):
            TableAgent([env], [even]).policy(wanderings(0, n_actions=2))


def test_nothing_heavy_is_loaded_before_a_fit() -> None:
    code = "import sys, irl_ident.solvers.imitation_library as m; m.MCEIRL(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"torch", "imitation", "stable_baselines3", "seals", "gymnasium", "sklearn"} == set()


def test_without_the_extra(fork: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imitation", None)
    solvers = [kind(horizon=2) for kind in (MCEIRL, BehavioralCloning, AIRL, GAIL, DensityReward)]
    for solver in solvers:
        name = type(solver).__name__
        with pytest.raises(ImportError, match=rf'{name} needs the extra "imitation": pip install "irl-ident'):
            solver.fit([(fork, np.full((4, 3), 1 / 3))], StateRewards(4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MCEIRL(horizon=0), "horizon: was 0"),
        (lambda: MCEIRL(discount=0.0), "discount: was 0.0"),
        (lambda: MCEIRL(learning_rate=float("nan")), "learning_rate: was nan"),
        (lambda: BehavioralCloning(epochs=0), "epochs: was 0"),
        (lambda: BehavioralCloning(seed=-1), "seed: was -1"),
        (lambda: AIRL(steps=0), "steps: was 0"),
        (lambda: GAIL(layers=(32, 0)), "layers: was 0"),
        (lambda: DensityReward(bandwidth=0.0), "bandwidth: was 0.0"),
    ],
)
def test_settings_are_checked(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
