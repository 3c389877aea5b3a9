"""Training for real: Q-learning and Stable-Baselines3 in Gymnasium environments."""

import random as python_random
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest

from irl_ident import Environment, agents, evidence, planning, rewards
from irl_ident.agents.visits import VisitCounter


@pytest.fixture(scope="module")
def frozen_lake() -> tuple[gymnasium.Env[Any, Any], Environment]:
    world = gymnasium.make("FrozenLake-v1", is_slippery=False)
    return world, Environment.from_gymnasium(world, discount=0.95)


@pytest.fixture(scope="module")
def chain() -> Environment:
    """Five states in a row, walked left or right from the first; the last is absorbing."""
    moves = np.zeros((5, 2, 5))
    for state in range(4):
        moves[state, 0, max(state - 1, 0)] = moves[state, 1, state + 1] = 1
    moves[4, :, 4] = 1
    return Environment(moves, 0.9, np.eye(5)[0])


def chain_reward() -> np.ndarray:
    """1 for reaching the end, -0.05 for every other step."""
    reward = np.full((5, 2), -0.05)
    reward[3, 1] = 1
    reward[4] = 0
    return reward


def chain_world(chain: Environment) -> gymnasium.Env[Any, Any]:
    return chain.to_gymnasium(chain_reward(), max_episode_steps=20)


class TestQLearning:
    def test_learns_frozen_lake(self, frozen_lake: Any) -> None:
        """Its greedy policy earns the optimal return, and on the way there its Q is the optimal one."""
        world, env = frozen_lake
        agent = agents.q_learning(env, world, steps=30_000, seed=0)
        reward = rewards.base_objective(world)
        best = planning.optimal(env, reward)
        own = planning.evaluate(env, reward, agent.policy(env))
        np.testing.assert_allclose(env.initial @ own, env.initial @ best.values, rtol=1e-12)
        np.testing.assert_allclose(env.initial @ best.values, 0.95**5, rtol=1e-12)
        start = int(np.argmax(env.initial))
        np.testing.assert_allclose(agent.q[start].max(), best.q[start].max(), rtol=1e-3)
        seen = agent.demonstrate(env, episodes=5, horizon=100, seed=0)
        np.testing.assert_array_equal(seen.lengths, 6)
        assert agent.training.returns[-200:].mean() > agent.training.returns[:200].mean() + 0.3

    def test_converges_to_the_optimal_values(self, chain: Environment) -> None:
        agent = agents.q_learning(chain, chain_world(chain), steps=20_000, seed=1, exploration=0.5)
        np.testing.assert_allclose(agent.q, planning.optimal(chain, chain_reward()).q, atol=1e-2)

    def test_by_id(self) -> None:
        env = Environment.from_gymnasium("Taxi-v3", discount=0.95)
        agent = agents.q_learning(env, "Taxi-v3", steps=300, seed=0)
        assert agent.policy(env).shape == (env.n_states, 6)
        np.testing.assert_allclose(agent.probabilities.sum(axis=1), 1)
        assert int(agent.training.visits.sum()) == 300

    def test_same_seed_same_agent(self, frozen_lake: Any) -> None:
        _, env = frozen_lake
        one, same, other = (
            agents.q_learning(env, gymnasium.make("FrozenLake-v1"), steps=3000, seed=seed) for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one.q, same.q)
        np.testing.assert_array_equal(one.training.returns, same.training.returns)
        assert (one.q != other.q).any()

    @pytest.mark.parametrize(
        ("setting", "fault"),
        [
            ({"steps": 0}, "steps: was 0"),
            ({"exploration": 1.5}, r"exploration: was 1.5, should be in \[0, 1\]"),
            ({"omega": 0.5}, r"omega: was 0.5, should be in \(1/2, 1\]"),
            (
                {"world": "FrozenLake8x8-v1"},
                r"world: its observation space is Discrete\(64\), should be Discrete\(16\)",
            ),
            ({"world": "CartPole-v1"}, "world: its observation space is Box"),
        ],
    )
    def test_faults_are_named(self, frozen_lake: Any, setting: dict[str, Any], fault: str) -> None:
        world, env = frozen_lake
        with pytest.raises(ValueError, match=fault):
            agents.q_learning(env, **{"world": world, "steps": 10, "seed": 0, **setting})


class TestStableBaselines:
    @pytest.fixture(autouse=True)
    def needs_the_extra(self) -> None:
        pytest.importorskip("stable_baselines3")

    @pytest.mark.parametrize(("algorithm", "steps"), [("PPO", 1024), ("DQN", 1500)])
    def test_improves_and_repeats(self, chain: Environment, algorithm: Any, steps: int) -> None:
        reward = chain_reward()
        one, same = (
            agents.stable_baselines(chain, chain_world(chain), algorithm, steps=steps, seed=2) for _ in range(2)
        )
        np.testing.assert_array_equal(one.probabilities, same.probabilities)
        np.testing.assert_array_equal(one.training.returns, same.training.returns)
        assert int(one.training.visits.sum()) == steps
        assert one.training.visits[4] == 0
        random = planning.evaluate(chain, reward, np.full((5, 2), 0.5))
        best = planning.optimal(chain, reward).values
        own = planning.evaluate(chain, reward, one.policy(chain))
        assert ((own - random)[:4] > 0.5 * (best - random)[:4]).all()
        np.testing.assert_allclose(planning.evaluate(chain, reward, one.greedy().policy(chain)), best, atol=1e-9)
        np.testing.assert_allclose(one.probabilities[4], 0.5)

    def test_ppo_is_read_off_its_network(self, chain: Environment) -> None:
        """Probabilities that the network never rounds: all positive, rows sum to 1."""
        agent = agents.stable_baselines(chain, chain_world(chain), "PPO", steps=64, seed=0, settings={"n_steps": 64})
        assert (agent.probabilities > 0).all()
        np.testing.assert_allclose(agent.probabilities.sum(axis=1), 1, rtol=1e-12)
        assert agent.q is None

    def test_leaves_the_global_generators_alone(self, chain: Environment) -> None:
        import torch

        np.random.seed(1)  # noqa: NPY002
        python_random.seed(1)
        torch.manual_seed(1)
        expected = np.random.random(), python_random.random(), float(torch.rand(1))  # noqa: NPY002
        np.random.seed(1)  # noqa: NPY002
        python_random.seed(1)
        torch.manual_seed(1)
        agents.stable_baselines(chain, chain_world(chain), "DQN", steps=10, seed=0)
        assert (np.random.random(), python_random.random(), float(torch.rand(1))) == expected  # noqa: NPY002

    def test_faults_are_named(self, chain: Environment) -> None:
        with pytest.raises(ValueError, match='algorithm: was \'A2C\', should be "PPO" or "DQN"'):
            agents.stable_baselines(chain, chain_world(chain), "A2C", steps=10, seed=0)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="steps: was -1"):
            agents.stable_baselines(chain, chain_world(chain), "PPO", steps=-1, seed=0)


def test_without_the_extra_its_name_is_said(chain: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ImportError, match=r'pip install "irl-ident\[imitation\]"'):
        agents.stable_baselines(chain, chain_world(chain), "PPO", steps=10, seed=0)
    monkeypatch.setitem(sys.modules, "imitation.data.types", None)
    with pytest.raises(ImportError, match=r'pip install "irl-ident\[imitation\]"'):
        evidence.to_imitation(chain, evidence.Trajectories([[0, 1]], [[1]]))


class TestTrainedAgent:
    @pytest.fixture
    def agent(self, chain: Environment) -> agents.TrainedAgent:
        table = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
        visits = np.array([7, 3, 2, 0, 0])
        training = agents.Training("by hand", 0, np.zeros(1), np.array([12]), visits)
        return agents.TrainedAgent(chain, table, training)

    def test_carries_its_table(self, agent: agents.TrainedAgent) -> None:
        elsewhere = Environment(np.full((5, 2, 5), 0.2), 0.5)
        np.testing.assert_array_equal(agent.policy(elsewhere), agent.probabilities)
        with pytest.raises(ValueError, match="env: has 4 states and 2 actions; this agent was trained with 5 and 2"):
            agent.policy(Environment(np.full((4, 2, 4), 0.25), 0.5))

    def test_is_evidence_where_it_was_trained(self, agent: agents.TrainedAgent, chain: Environment) -> None:
        seen = evidence.shown(chain, agent.observation(chain))
        np.testing.assert_array_equal(seen.observed, [True, True, True, False, False])
        assert not seen.complete
        np.testing.assert_array_equal(agent.observation(chain).probabilities[:3], agent.probabilities[:3])
        ((_, demonstrated),) = evidence.checked([(chain, agent.demonstrate(chain, episodes=3, horizon=9, seed=0))])
        assert int(evidence.counts(chain, demonstrated).counts.sum()) > 0

    def test_greedy(self, agent: agents.TrainedAgent) -> None:
        np.testing.assert_array_equal(agent.greedy().probabilities, [[0, 1], [0.5, 0.5], [1, 0], [0, 1], [0.5, 0.5]])
        np.testing.assert_array_equal(agent.probabilities[0], [0.2, 0.8])


def test_visits_count_choices(chain: Environment) -> None:
    world = VisitCounter(chain_world(chain))
    world.reset(seed=0)
    for action in (1, 0, 0, 1, 1):
        world.step(action)
    np.testing.assert_array_equal(world.visits, [3, 2, 0, 0, 0])
