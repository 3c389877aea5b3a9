"""Information used, against its definition on joint distributions, and closed forms; features; optimisation power."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_environment

import irl_ident as ii
from irl_ident import planning
from irl_ident.goal_directedness import information as room
from irl_ident.goal_directedness.power import optimisation_power, optimisation_powers

FACTORS = {"row": np.array([0, 0, 0, 1, 1, 1]), "column": np.array([0, 1, 2, 0, 1, 2])}


def entropy(table):
    """Of a joint distribution, any shape, in bits."""
    kept = table[table > 0]
    return float(-(kept * np.log2(kept)).sum())


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_bits_are_those_of_the_joint_distribution(seed):
    """I(A; F | G) = H(A, G) + H(F, G) - H(A, F, G) - H(G), on the array (row, column, action)."""
    rng = np.random.default_rng(seed)
    env = random_environment(seed, 6, 3)
    policy = rng.dirichlet(np.full(3, 0.3), 6)
    joint = (planning.occupancy(env, policy) * (1 - env.discount)).reshape(2, 3, 3)
    rows, columns = room.factor_use([env], [policy], FACTORS)
    by_column, by_row = joint.sum(axis=0), joint.sum(axis=1)
    place = joint.sum(axis=2)
    expected = entropy(by_column) + entropy(place) - entropy(joint) - entropy(place.sum(axis=0))
    np.testing.assert_allclose(rows.bits, expected, atol=1e-10)
    expected = entropy(by_row) + entropy(place) - entropy(joint) - entropy(place.sum(axis=1))
    np.testing.assert_allclose(columns.bits, expected, atol=1e-10)


def test_masking_one_factor_averages_over_it():
    rng = np.random.default_rng(0)
    env = random_environment(0, 6, 3)
    policy, reward = rng.dirichlet(np.ones(3), 6), rng.normal(size=(6, 3))
    visits = planning.occupancy(env, policy).sum(axis=1)
    masked = policy.copy()
    for column in range(3):
        both = [column, column + 3]
        masked[both] = (visits[both, None] * policy[both]).sum(axis=0) / visits[both].sum()
    (rows, _) = room.factor_use([env], [policy], FACTORS, [reward])
    lost = env.initial @ (planning.evaluate(env, reward, policy) - planning.evaluate(env, reward, masked))
    np.testing.assert_allclose(rows.value_lost, lost, atol=1e-12)


def test_nothing_closer_sees_the_rest_alone():
    rng = np.random.default_rng(1)
    env = random_environment(1, 6, 3)
    policy = rng.dirichlet(np.ones(3), 6)
    weights = room.context_weights([env], [policy])
    rest = FACTORS["column"]
    bits = room.conditional_information(policy, weights, rest, np.arange(6))
    for _ in range(20):
        other = rng.dirichlet(np.full(3, 5.0), 3)[rest]
        divergence = float(weights @ (policy * np.log2(policy / other)).sum(axis=1))
        assert divergence > bits


def test_a_table_knows_nothing_of_the_environment_and_a_planner_all_it_needs():
    """Food left or right of where the animal is, as the environment has it: one bit, and all that there is to win."""
    worlds = []
    for food in (0, 1):
        table = np.zeros((3, 2, 3))
        table[0, :, :] = np.eye(3)[[1, 2] if food == 0 else [2, 1]]
        table[1:, :, :] = np.eye(3)[1:, None, :]
        worlds.append(ii.Environment(table, 0.5, [1, 0, 0]))
    family = ii.rewards.StateRewards(3)
    rewards = [family.reward(env, [0.0, 1.0, 0.0]) for env in worlds]
    planner = [ii.agents.Optimal(family, [0.0, 1.0, 0.0]).policy(env) for env in worlds]
    table = [planner[0], planner[0]]
    states = {"state": np.arange(3)}
    where = {use.name: use for use in room.factor_use(worlds, planner, states, rewards)}
    assert where["environment"].bits == 1
    assert where["state"].bits == 0
    np.testing.assert_allclose(where["environment"].value_lost, 0.5)
    known = {use.name: use for use in room.factor_use(worlds, table, states, rewards)}
    assert known["environment"].bits == 0
    assert known["environment"].value_lost == 0


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_one_table_everywhere_has_no_bits_of_the_environment(seed):
    rng = np.random.default_rng(seed)
    envs = [random_environment(int(rng.integers(2**31)), 6, 3) for _ in range(3)]
    table = rng.dirichlet(np.ones(3), 6)
    used = {use.name: use for use in room.factor_use(envs, [table] * 3, FACTORS)}
    assert used["environment"].bits < 1e-12
    assert np.isnan(used["environment"].value_lost)
    assert used["row"].bits > 0


def test_labels_may_differ_between_environments_and_factors_may_say_too_little():
    envs = [random_environment(seed, 4, 2) for seed in (0, 1)]
    policies = [np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 0, 1]]]
    goal = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    used = {use.name: use for use in room.factor_use(envs, policies, {"goal": goal})}
    shares = [planning.occupancy(env, policy).sum(axis=0) * 0.1 for env, policy in zip(envs, policies, strict=True)]
    np.testing.assert_allclose(used["goal"].bits, np.mean([entropy(share) for share in shares]))
    assert used["environment"].bits == 0


def test_absorbing_states_do_not_count():
    env = ii.Environment(np.eye(3)[[[1, 2], [1, 1], [2, 2]]], 0.9, [1, 0, 0])
    policy = np.array([[0.5, 0.5], [1, 0], [0, 1]])
    np.testing.assert_array_equal(room.context_weights([env], [policy]), [1, 0, 0])
    (use,) = room.factor_use([env], [policy], {"state": np.arange(3)})
    assert use.bits == 0


def test_features_that_no_plan_looks_at_cost_nothing():
    """Two foods and a poison, apart: the better food matters by its lead, the worse and the poison not at all."""
    table = np.zeros((4, 3, 4))
    table[0] = np.eye(4)[1:]
    table[1:] = np.eye(4)[1:, None, :]
    env = ii.Environment(table, 0.5, [1, 0, 0, 0])
    family = ii.rewards.LinearRewards(np.repeat(np.eye(4)[:, None, :], 3, axis=1), names=["floor", "a", "b", "poison"])
    used = {use.name: use.value_lost for use in room.feature_use(family, [0, 1, 0.4, -1], [env])}
    np.testing.assert_allclose([used[name] for name in family.parameters], [0, 0.6, 0, 0], atol=1e-12)
    moved = {use.name: use.value_lost for use in room.feature_use(family, [2, 3, 2.4, 1], [env], baseline=2.0)}
    np.testing.assert_allclose([moved[name] for name in family.parameters], [0, 0.6, 0, 0], atol=1e-12)


def test_power_by_enumeration_is_that_of_counting():
    env = random_environment(2, 4, 3)
    reward = np.random.default_rng(2).normal(size=(4, 3))
    policies = [np.eye(3)[list(each)] for each in itertools.product(range(3), repeat=4)]
    returns = np.array([env.initial @ planning.evaluate(env, reward, policy) for policy in policies])
    for place in (0, 10, int(returns.argmax()), int(returns.argmin())):
        found = optimisation_power(env, reward, policies[place])
        share = (returns >= returns[place] - 1e-9).mean()
        np.testing.assert_allclose(found.bits, -np.log2(share), atol=1e-12)
    assert optimisation_power(env, reward, policies[int(returns.argmax())]).bits == pytest.approx(np.log2(81))
    assert optimisation_power(env, reward, policies[int(returns.argmin())]).bits == 0


def test_power_of_the_best_counts_optimal_actions_state_by_state():
    """Every state is a start, so that only optimal policies do as well; some states have ties."""
    successors = np.array([[1, 2, 0], [3, 3, 1], [3, 2, 3], [3, 3, 3]])
    env = ii.Environment(np.eye(4)[successors], 0.9)
    reward = np.zeros((4, 3))
    reward[3] = 1
    best = planning.optimal_actions(planning.optimal(env, reward).q)
    np.testing.assert_array_equal(best.sum(axis=1), [2, 2, 2, 3])
    expected = np.log2(3 / best.sum(axis=1)).sum()
    policy = planning.uniform_over(best)
    np.testing.assert_allclose(optimisation_power(env, reward, policy).bits, expected)
    sampled = optimisation_power(env, reward, policy, enumerated=0, level=0.999)
    assert sampled.share.method == "splitting"
    assert sampled.interval[0] < expected < sampled.interval[1]


def test_power_beyond_enumeration():
    """3^12 policies, of which one is the best."""
    env = random_environment(3, 12, 3, discount=0.8)
    reward = np.random.default_rng(3).normal(size=(12, 3))
    policy = np.eye(3)[planning.optimal(env, reward).q.argmax(axis=1)]
    found = optimisation_power(env, reward, policy, level=0.999)
    assert found.share.method == "splitting"
    assert found.interval[0] < 12 * np.log2(3) < found.interval[1]
    assert found.interval[1] - found.interval[0] < 5
    assert found.returned == pytest.approx(found.optimum)


def test_powers_of_many_policies_are_those_of_each():
    env = random_environment(4, 6, 3)
    rng = np.random.default_rng(4)
    reward = rng.normal(size=(6, 3))
    policies = [rng.dirichlet(np.full(3, scale), 6) for scale in (0.05, 1, 100)]
    policies.append(np.eye(3)[planning.optimal(env, reward).q.argmax(axis=1)])
    exact = optimisation_powers(env, reward, policies)
    assert [each.bits for each in exact] == [optimisation_power(env, reward, each).bits for each in policies]
    sampled = optimisation_powers(env, reward, policies, enumerated=0, level=0.999)
    for one, other in zip(exact, sampled, strict=True):
        assert one.share.method == "exact"
        assert other.share.method == "splitting"
        assert other.interval[0] <= one.bits <= other.interval[1]


def test_estimates_of_power_are_not_biased():
    """Levels are returns of policies: walks must not leave those policies for good."""
    env = random_environment(5, 5, 3)
    reward = np.random.default_rng(5).normal(size=(5, 3))
    best = np.eye(3)[planning.optimal(env, reward).q.argmax(axis=1)]
    shares = [
        optimisation_power(env, reward, best, enumerated=0, draws=40, repeats=4, seed=seed).share.value * 3**5
        for seed in range(30)
    ]
    assert abs(np.mean(shares) - 1) < 3 * np.std(shares) / np.sqrt(30)


@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=15)
def test_power_does_not_change_with_scale_and_constant(seed, scale, constant):
    env = random_environment(seed, 3, 2)
    rng = np.random.default_rng(seed)
    reward, policy = rng.normal(size=(3, 2)), rng.dirichlet(np.ones(2), 3)
    one = optimisation_power(env, reward, policy)
    assert optimisation_power(env, scale * reward + constant, policy).bits == one.bits
    better = planning.optimal(env, reward).policy
    assert optimisation_power(env, reward, better).bits >= one.bits


def test_states_out_of_reach_and_objectives_of_nothing_count_for_nothing():
    table = np.zeros((3, 2, 3))
    table[0] = np.eye(3)[[0, 1]]
    table[1:] = np.eye(3)[1:, None, :]
    env = ii.Environment(table, 0.5, [1, 0, 0])
    reward = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 5.0]])
    assert optimisation_power(env, reward, [[0.0, 1.0], [1, 0], [1, 0]]).bits == 1
    assert optimisation_power(env, np.zeros((3, 2)), [[0.0, 1.0], [1, 0], [1, 0]]).bits == 0
    other = random_environment(0, 4, 2)
    assert optimisation_power(other, np.full((4, 2), 0.7), np.eye(2)[[0, 1, 1, 0]]).bits == 0


def test_what_is_wrong_is_said():
    env = random_environment(0, 2, 2)
    policy = np.full((2, 2), 0.5)
    with pytest.raises(ValueError, match=r"factors\['row'\]: should be whole numbers of shape \(2,\) or \(1, 2\)"):
        room.factor_use([env], [policy], {"row": [0, 1, 2]})
    with pytest.raises(ValueError, match="factors: is empty"):
        room.factor_use([env], [policy], {})
    with pytest.raises(ValueError, match="'environment' is added"):
        room.factor_use([env, env], [policy, policy], {"environment": [0, 1]})
    with pytest.raises(ValueError, match="environments: is empty"):
        room.feature_use(ii.rewards.StateRewards(2), [0, 1], [])
