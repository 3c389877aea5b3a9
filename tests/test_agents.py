"""Agents with known objectives: policies against closed forms, demonstrations against their own law."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from irl_ident import Environment, agents, evidence, rewards
from irl_ident.agents.rollouts import Rows, rollout
from irl_ident.conformance import delays


def random_environment(seed: int, n_states: int = 4, n_actions: int = 3, discount: float = 0.8) -> Environment:
    random = np.random.default_rng(seed)
    return Environment(
        random.dirichlet(np.ones(n_states), size=(n_states, n_actions)), discount, random.dirichlet(np.ones(n_states))
    )


def all_agents(fam: rewards.RewardFamily, theta: Any) -> list[agents.KnownAgent]:
    return [
        agents.Optimal(fam, theta),
        agents.SoftOptimal(fam, theta, temperature=0.5),
        agents.Boltzmann(fam, theta, temperature=0.5),
        agents.Noisy(fam, theta, epsilon=0.3),
        agents.ShortSighted(fam, theta, horizon=2),
        agents.Hyperbolic(fam, theta, k=0.5, horizon=3),
    ]


@pytest.fixture
def bandit() -> tuple[Environment, rewards.StateActionRewards, np.ndarray]:
    """One state, four actions: every policy has a closed form."""
    return Environment(np.ones((1, 4, 1)), 0.75), rewards.StateActionRewards(1, 4), np.array([1.0, 3.0, 2.0, 3.0])


class TestBandit:
    """With one state Q(a) = r(a) + constant, whatever the discount."""

    def test_optimal(self, bandit: Any) -> None:
        env, fam, theta = bandit
        np.testing.assert_allclose(agents.Optimal(fam, theta).policy(env), [[0, 0.5, 0, 0.5]])

    def test_short_sighted(self, bandit: Any) -> None:
        env, fam, theta = bandit
        for horizon in (1, 2, 9):
            np.testing.assert_allclose(agents.ShortSighted(fam, theta, horizon).policy(env), [[0, 0.5, 0, 0.5]])

    @pytest.mark.parametrize("temperature", [0.1, 1.0, 7.0])
    def test_soft_and_boltzmann(self, bandit: Any, temperature: float) -> None:
        env, fam, theta = bandit
        weights = np.exp(theta / temperature)
        expected = (weights / weights.sum())[None, :]
        for kind in (agents.SoftOptimal, agents.Boltzmann):
            np.testing.assert_allclose(kind(fam, theta, temperature).policy(env), expected, atol=1e-9)

    @pytest.mark.parametrize("epsilon", [0.0, 0.2, 1.0])
    def test_noisy(self, bandit: Any, epsilon: float) -> None:
        env, fam, theta = bandit
        quarter = epsilon / 4
        expected = [[quarter, (1 - epsilon) / 2 + quarter, quarter, (1 - epsilon) / 2 + quarter]]
        np.testing.assert_allclose(agents.Noisy(fam, theta, epsilon).policy(env), expected)


class TestFork:
    """Now 1, then nothing; or nothing now, and 2 one step later: what is best depends on how far one sees."""

    @pytest.fixture
    def fork(self) -> tuple[Environment, rewards.StateActionRewards, np.ndarray]:
        moves = np.zeros((3, 2, 3))
        moves[0, 0, 2] = moves[0, 1, 1] = moves[1, :, 2] = moves[2, :, 2] = 1
        return Environment(moves, 0.9), rewards.StateActionRewards(3, 2), np.array([1.0, 0.0, 2.0, 2.0, 0.0, 0.0])

    def test_sight_decides(self, fork: Any) -> None:
        env, fam, theta = fork
        np.testing.assert_allclose(agents.ShortSighted(fam, theta, 1).policy(env)[0], [1, 0])
        np.testing.assert_allclose(agents.ShortSighted(fam, theta, 2).policy(env)[0], [0, 1])
        np.testing.assert_allclose(agents.Optimal(fam, theta).policy(env)[0], [0, 1])

    def test_boltzmann_and_soft_differ_by_the_entropy_to_come(self, fork: Any) -> None:
        """Q* = (1, .9 * 2) at the fork; soft values add b log 2 for every choice still to be made."""
        env, fam, theta = fork
        b = 0.5
        gap = 0.9 * 2 - 1
        end = b * np.log(2) / (1 - 0.9)
        soft_gap = 0.9 * (2 + b * np.log(2) + 0.9 * end) - (1 + 0.9 * end)
        np.testing.assert_allclose(
            agents.Boltzmann(fam, theta, b).policy(env)[0, 1], 1 / (1 + np.exp(-gap / b)), atol=1e-8
        )
        np.testing.assert_allclose(
            agents.SoftOptimal(fam, theta, b).policy(env)[0, 1], 1 / (1 + np.exp(-soft_gap / b)), atol=1e-8
        )

    def test_undiscounted(self, fork: Any) -> None:
        env, fam, theta = fork
        undiscounted = Environment(env.transitions, 1.0)
        np.testing.assert_allclose(agents.Optimal(fam, theta).policy(undiscounted)[0], [0, 1])
        np.testing.assert_allclose(agents.ShortSighted(fam, theta, 1).policy(undiscounted)[0], [1, 0])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_limits_of_sight_noise_and_temperature(seed: int) -> None:
    env = random_environment(seed)
    fam = rewards.StateActionRewards(4, 3)
    theta = np.random.default_rng(seed + 1).standard_normal(12)
    optimal = agents.Optimal(fam, theta).policy(env)
    greedy = np.eye(3)[theta.reshape(4, 3).argmax(axis=1)]
    np.testing.assert_allclose(agents.ShortSighted(fam, theta, 1).policy(env), greedy)
    np.testing.assert_allclose(agents.ShortSighted(fam, theta, 200).policy(env), optimal)
    np.testing.assert_allclose(agents.Noisy(fam, theta, 0.0).policy(env), optimal)
    np.testing.assert_allclose(agents.Noisy(fam, theta, 1.0).policy(env), 1 / 3)
    for kind in (agents.SoftOptimal, agents.Boltzmann):
        np.testing.assert_allclose(kind(fam, theta, 1e4).policy(env), 1 / 3, atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_optimal_policy_by_enumeration(seed: int) -> None:
    """Among all 3^4 deterministic policies none is better in any state."""
    env = random_environment(seed)
    fam = rewards.StateRewards(4)
    agent = agents.Optimal(fam, np.random.default_rng(seed + 1).standard_normal(4))
    reward, moves = agent.mesa_objective(env), env.dense()

    def values(policy: np.ndarray) -> np.ndarray:
        kernel = np.einsum("sa,sap->sp", policy, moves)
        return np.linalg.solve(np.eye(4) - env.discount * kernel, (policy * reward).sum(axis=1))

    own = values(agent.policy(env))
    for choice in np.ndindex(3, 3, 3, 3):
        assert (values(np.eye(3)[list(choice)]) <= own + 1e-9).all()


def test_agents_plan_in_every_environment_they_are_put() -> None:
    fam, theta = rewards.StateRewards(4), np.array([1.0, 0, 0, 0])
    for agent in all_agents(fam, theta):
        policies = [agent.policy(random_environment(seed)) for seed in (1, 2)]
        assert np.abs(policies[0] - policies[1]).max() > 0.05
        for policy in policies:
            np.testing.assert_allclose(policy.sum(axis=1), 1)
        np.testing.assert_array_equal(agent.mesa_objective(random_environment(1)), np.repeat(theta[:, None], 3, axis=1))


class TestDemonstrations:
    def test_same_seed_same_trajectories(self) -> None:
        env = random_environment(0)
        for agent in all_agents(rewards.StateRewards(4), np.arange(4.0)):
            one, same, other = (agent.demonstrate(env, episodes=20, horizon=10, seed=seed) for seed in (3, 3, 4))
            np.testing.assert_array_equal(one.states, same.states)
            np.testing.assert_array_equal(one.actions, same.actions)
            assert (one.states != other.states).any()

    def test_seed_sequences_are_seeds(self) -> None:
        env = random_environment(0)
        agent = agents.Optimal(rewards.StateRewards(4), np.arange(4.0))
        first, second = np.random.SeedSequence(5).spawn(2)
        again, _ = np.random.SeedSequence(5).spawn(2)
        seen = [agent.demonstrate(env, episodes=9, horizon=9, seed=seed).states for seed in (first, again, second)]
        np.testing.assert_array_equal(seen[0], seen[1])
        assert (seen[0] != seen[2]).any()

    @pytest.mark.parametrize("place", range(5))
    def test_frequencies_are_the_policy(self, place: int) -> None:
        env = random_environment(5)
        agent = all_agents(rewards.StateActionRewards(4, 3), np.random.default_rng(6).standard_normal(12))[place]
        policy = agent.policy(env)
        seen = evidence.counts(env, agent.demonstrate(env, episodes=400, horizon=50, seed=1)).counts
        visits = seen.sum(axis=1, keepdims=True)
        assert visits.min() > 100
        error = 4 * np.sqrt(policy * (1 - policy) / visits)
        assert (np.abs(seen / visits - policy) <= error + 1e-12).all()

    def test_visits_are_the_occupancy(self) -> None:
        """Discounted visits per episode against mu (I - g P)^-1, by four standard errors over episodes."""
        env = random_environment(7, discount=0.6)
        agent = agents.SoftOptimal(rewards.StateRewards(4), np.array([0.0, 1.0, 2.0, -1.0]))
        policy = agent.policy(env)
        kernel = np.einsum("sa,sap->sp", policy, env.dense())
        expected = np.linalg.solve(np.eye(4) - env.discount * kernel.T, env.initial)[:, None] * policy
        horizon = 60
        seen = agent.demonstrate(env, episodes=4000, horizon=horizon, seed=2)
        weights = env.discount ** np.arange(horizon)
        each = np.zeros((4000, 4, 3))
        episodes = np.arange(4000)
        for step in range(horizon):
            each[episodes, seen.states[:, step], seen.actions[:, step]] += weights[step]
        error = each.std(axis=0, ddof=1) / np.sqrt(4000)
        assert (np.abs(each.mean(axis=0) - expected) <= 4 * error + env.discount**horizon).all()

    def test_moves_follow_the_transitions(self) -> None:
        """Chi-squared of next states in every pair, each at 1e-6."""
        env = random_environment(8)
        seen = rollout(env, np.full((4, 3), 1 / 3), episodes=2000, horizon=20, seed=9)
        states, actions, arrivals = seen.steps()
        for state, action in np.ndindex(4, 3):
            found = np.bincount(arrivals[(states == state) & (actions == action)], minlength=4)
            assert stats.chisquare(found, found.sum() * env.dense()[state, action]).pvalue > 1e-6
        starts = np.bincount(seen.states[:, 0], minlength=4)
        assert stats.chisquare(starts, 2000 * env.initial).pvalue > 1e-6

    def test_episodes_end_where_the_world_does(self) -> None:
        moves = np.zeros((3, 1, 3))
        moves[0, 0, 1] = moves[1, 0, 2] = moves[2, 0, 2] = 1
        env = Environment(moves, 0.9)
        seen = rollout(env, np.ones((3, 1)), episodes=300, horizon=9, seed=0)
        np.testing.assert_array_equal(seen.lengths, 2 - seen.states[:, 0])
        assert set(seen.lengths) == {0, 1, 2}
        cut = rollout(env, np.ones((3, 1)), episodes=300, horizon=1, seed=0)
        np.testing.assert_array_equal(cut.lengths, np.minimum(seen.lengths, 1))
        seen.check(env)

    def test_they_are_evidence(self) -> None:
        env = random_environment(1)
        agent = agents.Noisy(rewards.StateRewards(4), np.arange(4.0), 0.5)
        ((_, seen),) = evidence.checked([(env, agent.demonstrate(env, episodes=5, horizon=5, seed=0))])
        assert int(evidence.counts(env, seen).counts.sum()) == 25


@given(seed=st.integers(0, 2**32 - 1))
def test_draws_stay_on_the_support(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.random((6, 9)) * (random.random((6, 9)) < 0.3) * 10.0 ** random.integers(-12, 1, size=(6, 9))
    matrix[np.arange(6), random.integers(9, size=6)] += 1e-3
    rows = random.integers(6, size=200)
    drawn = Rows.of(sparse.csr_array(matrix)).draw(rows, random)
    assert (matrix[rows, drawn] > 0).all()


@pytest.mark.parametrize("k", [0.1, 0.5, 2.0])
def test_hyperbolic_agents_weigh_a_reward_in_t_steps_by_one_over_one_plus_kt(k: float) -> None:
    horizon = 30
    env, family = delays(0.5)
    weights = 1 / (1 + k * np.arange(horizon))
    now = weights[1:].sum()
    for worth in (1.1, 1.5, 3.0):
        waits = np.array([worth * weights[delay + 1 :].sum() > now for delay in range(1, 9)])
        policy = agents.Hyperbolic(family, np.array([1.0, worth]), k, horizon).policy(env)
        np.testing.assert_array_equal(policy[:8, 1] == 1, waits)


def test_hyperbolic_agents_that_look_one_step_ahead_are_greedy() -> None:
    env = random_environment(1)
    fam = rewards.StateActionRewards(4, 3)
    theta = np.random.default_rng(2).standard_normal(12)
    expected = agents.ShortSighted(fam, theta, 1).policy(env)
    np.testing.assert_array_equal(agents.Hyperbolic(fam, theta, 3.0, 1).policy(env), expected)


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "setting", "fault"),
        [
            (agents.SoftOptimal, {"temperature": 0.0}, "temperature: was 0.0, should be finite and above 0"),
            (agents.SoftOptimal, {"temperature": np.inf}, "temperature: was inf"),
            (agents.Boltzmann, {"temperature": -1.0}, "temperature: was -1.0"),
            (agents.Boltzmann, {"temperature": np.nan}, "temperature: was nan"),
            (agents.Noisy, {"epsilon": 1.1}, r"epsilon: was 1.1, should be in \[0, 1\]"),
            (agents.Noisy, {"epsilon": np.nan}, "epsilon: was nan"),
            (agents.ShortSighted, {"horizon": 0}, "horizon: was 0, should be a whole number of at least 1"),
            (agents.ShortSighted, {"horizon": 1.5}, "horizon: was 1.5"),
            (agents.Hyperbolic, {"k": -1.0, "horizon": 3}, "k: was -1.0"),
            (agents.Hyperbolic, {"k": 1.0, "horizon": 0}, "horizon: was 0"),
            (agents.Optimal, {"theta": [1.0, 2.0]}, r"theta: should have shape \(4,\), was \(2,\)"),
            (agents.Optimal, {"theta": [1.0, np.nan, 0, 0]}, r"theta\[1\] is nan"),
        ],
    )
    def test_of_agents(self, kind: Any, setting: dict[str, Any], fault: str) -> None:
        with pytest.raises(ValueError, match=fault):
            kind(rewards.StateRewards(4), **{"theta": np.zeros(4), **setting})

    @pytest.mark.parametrize(
        ("setting", "fault"),
        [
            ({"episodes": 0}, "episodes: was 0, should be a whole number of at least 1"),
            ({"horizon": 2.5}, "horizon: was 2.5"),
            ({"policy": np.eye(3)}, r"probabilities: should have shape \(4, 3\) in this environment"),
            ({"policy": np.zeros((4, 3))}, r"policy\[0\] is 0 throughout"),
        ],
    )
    def test_of_rollouts(self, setting: dict[str, Any], fault: str) -> None:
        sound: dict[str, Any] = {"policy": np.full((4, 3), 1 / 3), "episodes": 2, "horizon": 2, "seed": 0}
        with pytest.raises(ValueError, match=fault):
            rollout(random_environment(0), **{**sound, **setting})

    def test_theta_is_the_agents_own(self) -> None:
        theta = np.zeros(4)
        agent = agents.Optimal(rewards.StateRewards(4), theta)
        theta[0] = 1
        np.testing.assert_array_equal(agent.theta, np.zeros(4))
