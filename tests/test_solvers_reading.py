"""Evidence as solvers read it, and what all estimates share."""

import numpy as np
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import planning
from irl_ident.evidence import Counts, Policy, Trajectories
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards
from irl_ident.solvers import Convergence, Estimate, NoReward, Solver, log_likelihood, reading


@pytest.fixture
def corridor():
    """Two steps to an absorbing end, which pays for ever; staying is allowed in the first two states."""
    table = np.zeros((3, 2, 3))
    table[[0, 1], 0, [0, 1]] = table[[0, 1], 1, [1, 2]] = 1
    table[2, :, 2] = 1
    return ii.Environment(table, 0.5, [1.0, 0.0, 0.0])


def test_weights_of_a_policy_are_its_visits_from_all_observed_states():
    env = random_environment(0, 4, 2)
    policy = np.random.default_rng(1).dirichlet(np.ones(2), 4)
    expected = planning.occupancy(env, policy, np.full(4, 0.25))
    np.testing.assert_allclose(reading.weights(env, policy), expected, rtol=1e-12)
    np.testing.assert_allclose(reading.weights(env, policy).sum(), 10.0, rtol=1e-12)


def test_states_without_observation_have_no_weight():
    env = random_environment(0, 4, 2)
    policy = np.where(np.arange(4)[:, None] < 2, 0.5, 0.0) * np.ones(2)
    weights = reading.weights(env, Policy(policy))
    assert (weights[:2] > 0).all()
    assert (weights[2:] == 0).all()


def test_weights_of_choices_are_their_numbers(corridor):
    seen = Trajectories([[0, 0, 1, 2]], [[0, 1, 1]])
    np.testing.assert_array_equal(reading.weights(corridor, seen), [[1, 1], [0, 1], [0, 0]])


def test_sums_of_features_go_on_where_an_episode_ended(corridor):
    seen = Trajectories([[0, 1, 2]], [[1, 1]])
    found = reading.feature_expectations(corridor, seen, StateRewards(3))
    np.testing.assert_allclose(found.mean, [1, 0.5, 0.25 / 0.5])
    assert found.truncation == 0


def test_an_episode_that_was_cut_off_says_how_far_off_its_sums_can_be(corridor):
    seen = Trajectories([[0, 0, 0]], [[0, 0]])
    found = reading.feature_expectations(corridor, seen, StateRewards(3))
    np.testing.assert_allclose(found.mean, [1.5, 0, 0])
    assert found.truncation == pytest.approx(0.25 / 0.5)


def test_sampled_sums_are_the_exact_ones_within_their_error():
    env = random_environment(2, 5, 3)
    family = LinearRewards(np.random.default_rng(3).uniform(-1, 1, (5, 3, 4)))
    agent = ii.agents.SoftOptimal(family, np.ones(4))
    exact = reading.feature_expectations(env, agent.policy(env), family)
    np.testing.assert_allclose(
        exact.mean, family.matrix(env).T @ planning.occupancy(env, agent.policy(env)).ravel(), rtol=1e-12
    )
    sampled = reading.feature_expectations(env, agent.demonstrate(env, episodes=4000, horizon=150, seed=4), family)
    assert (np.abs(sampled.mean - exact.mean) <= 5 * sampled.deviation + sampled.truncation).all()
    assert sampled.deviation.max() < 0.1


def test_with_discount_1_the_end_counts_once(corridor):
    walk = ii.Environment([np.array([[0, 1, 0], [0, 0, 1], [0, 0, 1]])], 1.0, [1.0, 0.0, 0.0])
    found = reading.feature_expectations(walk, Trajectories([[0, 1, 2]], [[0, 0]]), StateRewards(3))
    np.testing.assert_allclose(found.mean, [1, 1, 1])
    with pytest.raises(ValueError, match="episode 0 is cut off"):
        reading.feature_expectations(walk, Trajectories([[0, 1]], [[0]]), StateRewards(3))


def test_counts_have_no_order(corridor):
    with pytest.raises(ValueError, match="no order in time"):
        reading.feature_expectations(corridor, Counts(np.ones((3, 2), dtype=int)), StateRewards(3))


def test_a_policy_should_be_known_wherever_it_goes(corridor):
    partial = Policy([[0, 1], [0, 0], [0, 0]])
    with pytest.raises(ValueError, match="comes to state 's1', where it was not observed"):
        reading.feature_expectations(corridor, partial, StateRewards(3))
    home = Policy([[1, 0], [0, 0], [0, 0]])
    np.testing.assert_allclose(reading.feature_expectations(corridor, home, StateRewards(3)).mean, [2, 0, 0])


@pytest.mark.parametrize(
    ("evidence", "family", "words"),
    [
        ("none", StateRewards(3), "evidence: is empty"),
        ("other", StateRewards(4), r"family: does not go with evidence\[0\]: StateRewards: is for 4 states"),
        ("other", StateActionRewards(3, 3), "for 3 actions"),
        ("blank", StateRewards(3), "no choice of an action"),
        ("impossible", StateRewards(3), r"evidence\[0\]: states: episode 0, step 0"),
    ],
)
def test_faults_are_named(corridor, evidence, family, words):
    given = {
        "none": [],
        "other": [(corridor, Counts(np.ones((3, 2), dtype=int)))],
        "blank": [(corridor, Counts(np.zeros((3, 2), dtype=int)))],
        "impossible": [(corridor, Trajectories([[0, 2]], [[1]]))],
    }[evidence]
    with pytest.raises(ValueError, match=words):
        reading.checked(given, family)


def test_log_likelihood_is_that_of_the_choices(corridor):
    family = StateRewards(3)
    agent = ii.agents.SoftOptimal(family, [0.0, 0.0, 1.0])
    policy = agent.policy(corridor)
    seen = Trajectories([[0, 0, 1, 2]], [[0, 1, 1]])
    expected = np.log(policy[0, 0]) + np.log(policy[0, 1]) + np.log(policy[1, 1])
    assert log_likelihood(agent, [(corridor, seen)]) == pytest.approx(expected)
    assert log_likelihood(ii.agents.Optimal(family, [0, 0, 1]), [(corridor, seen)]) == -np.inf


class Still(ii.agents.Agent):
    def policy(self, env):
        return np.eye(env.n_actions)[np.zeros(env.n_states, dtype=int)]


class Guess(Solver):
    def fit(self, evidence, family):
        done = Convergence("converged", 0, "nothing", 0.0)
        agent = Still() if family is None else ii.agents.Optimal(family, np.arange(family.dim))
        return Estimate(self, agent, "nothing", 0.0, done, "none")


def test_an_estimate_is_the_agent_that_would_pursue_it(corridor):
    estimate = Guess().fit([], StateRewards(3))
    np.testing.assert_array_equal(estimate.reward(corridor), [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(estimate.policy(corridor)[:2], [[0, 1], [0, 1]])
    assert "converged after 0 iterations" in str(estimate)


def test_an_estimate_without_a_reward_says_so(corridor):
    estimate = Guess().fit([], None)
    np.testing.assert_array_equal(estimate.policy(corridor)[:, 0], 1)
    for ask in (lambda: estimate.theta, lambda: estimate.reward(corridor), lambda: estimate.family):
        with pytest.raises(NoReward, match="Guess recovers no reward"):
            ask()


def test_a_family_is_needed(corridor):
    with pytest.raises(ValueError, match=r"^family: was a NoneType"):
        reading.checked([(corridor, np.array([[0.0, 1.0]] * corridor.n_states))], None)
