"""Reward compatibility, against enumerated policies and published values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from worlds import brute_policy, brute_q, dense_features, random_environment, vertices

import irl_ident as ii
from irl_ident.conformance import check
from irl_ident.evidence import Counts, Policy
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards
from irl_ident.solvers.compatibility import Compatible, CompatibleSet, compatibility

FAMILY = StateRewards(3)


def seen(seed: int, n_states: int = 3, k: int = 2, *, optimal: bool = False):
    """Random policies, or optimal ones."""
    rng = np.random.default_rng(seed)
    environments = [random_environment(1_000 * seed + i, n_states, 2) for i in range(k)]
    if optimal:
        theta = rng.standard_normal(n_states)
        return [(env, brute_policy(env, StateRewards(n_states).reward(env, theta))) for env in environments]
    return [(env, rng.dirichlet(np.ones(2), size=n_states)) for env in environments]


def expected(env, family, policy):
    """Feature expectations with a dense inverse."""
    chain = np.einsum("sa,sat->st", policy, env.dense())
    visits = np.linalg.solve((np.eye(env.n_states) - env.discount * chain).T, env.initial)
    return np.einsum("s,sa,sad->d", visits, policy, dense_features(env, family))


def excesses(env, family, policy):
    """``m_pi' - m_pi`` for every deterministic policy pi', (A^S, d)."""
    choices = itertools.product(range(env.n_actions), repeat=env.n_states)
    return np.array([expected(env, family, np.eye(env.n_actions)[list(c)]) for c in choices]) - expected(
        env, family, policy
    )


@pytest.mark.parametrize(("theta", "loss"), [((1, 0.99, -1), 0.0), ((0.99, 1, -1), 0.01), ((-1, -1, 1), 2.0)])
def test_published_values(theta, loss):
    """Lazzati, Mutti & Metelli (2024): one state, one step, the first action shown."""
    evidence = [(ii.Environment(np.ones((1, 3, 1)), 0.0), np.array([[1.0, 0, 0]]))]
    np.testing.assert_allclose(compatibility(theta, evidence, StateActionRewards(1, 3)), [loss], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_loss_is_the_best_of_all_policies(seed):
    evidence = seen(seed)
    theta = np.random.default_rng(seed).standard_normal(3)
    brute = [max(0.0, (excesses(env, FAMILY, policy) @ theta).max()) for env, policy in evidence]
    np.testing.assert_allclose(compatibility(theta, evidence, FAMILY), brute, atol=1e-9)


def test_loss_is_0_for_the_truth_and_for_constants_and_scales_with_the_reward():
    rng = np.random.default_rng(3)
    theta = rng.standard_normal(3)
    env = random_environment(9, 3, 2)
    optimal = [(env, brute_policy(env, FAMILY.reward(env, theta)))]
    np.testing.assert_allclose(compatibility(theta, optimal, FAMILY), 0, atol=1e-9)
    evidence = seen(3)
    np.testing.assert_allclose(compatibility(np.ones(3), evidence, FAMILY), 0, atol=1e-9)
    np.testing.assert_allclose(
        compatibility(3 * theta + 1, evidence, FAMILY), 3 * compatibility(theta, evidence, FAMILY), rtol=1e-8
    )


def test_episodes_that_end():
    """A corridor of two steps under discount 1: the demonstrator turns back once in two episodes."""
    table = np.zeros((3, 2, 3))
    table[0, :, 1] = table[2, :, 2] = 1
    table[1, 0, 2] = 1
    table[1, 1] = [0.5, 0, 0.5]
    env, family = ii.Environment(table, 1.0, initial=[1, 0, 0]), StateRewards(3)
    demos = ii.evidence.Trajectories([[0, 1, 2, 2, 2], [0, 1, 0, 1, 2]], [[0, 0, 0, 0], [0, 1, 0, 0]], lengths=[2, 4])
    np.testing.assert_allclose(compatibility([-1, -1, 0], [(env, demos)], family), [3 - 2], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("allowed", [0.0, 0.1, 1.0])
def test_support_of_the_relaxed_set_over_enumerated_policies(seed, allowed):
    evidence = seen(seed, optimal=seed % 2 == 0)
    rows = np.vstack([excesses(env, FAMILY, policy) for env, policy in evidence])
    relaxed = CompatibleSet(FAMILY, evidence, allowed)
    for direction in np.random.default_rng(seed).standard_normal((4, 3)):
        value, theta = relaxed.support(direction)
        brute = linprog(-direction, A_ub=rows, b_ub=np.full(len(rows), allowed), bounds=[(-1, 1)] * 3)
        np.testing.assert_allclose(value, -brute.fun, atol=1e-7)
        np.testing.assert_allclose(direction @ theta, value, atol=1e-12)
        assert relaxed.contains(theta, 1e-7)


def test_without_loss_the_relaxed_set_is_the_identified_cone():
    evidence = seen(4, 4, 2, optimal=True)
    family = StateRewards(4)
    ident, relaxed = ii.identify(evidence, family), CompatibleSet(family, evidence, 0.0)
    for direction in np.random.default_rng(4).standard_normal((6, 4)):
        np.testing.assert_allclose(relaxed.support(direction)[0], ident.support(direction)[0], atol=1e-7)


def test_relaxed_sets_are_nested_and_contain_by_planning():
    evidence = seen(5)
    losses = compatibility([1.0, -1, 0], evidence, FAMILY)
    assert CompatibleSet(FAMILY, evidence, losses).contains([1.0, -1, 0])
    assert not CompatibleSet(FAMILY, evidence, 0.99 * losses).contains([1.0, -1, 0])
    direction = np.array([1.0, -1, 0])
    values = [CompatibleSet(FAMILY, evidence, xi).support(direction)[0] for xi in (0, 0.2, 0.5, 50)]
    assert values == sorted(values)
    np.testing.assert_allclose(values[-1], 2, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_least_loss_per_gain_over_all_vertices(seed):
    """On the gauge box cut into the cones where one policy an environment is best, the ratio is least at a vertex."""
    evidence = seen(seed, k=1)
    ((env, policy),) = evidence
    estimate = Compatible().fit(evidence, FAMILY)
    excess = excesses(env, FAMILY, policy)
    gain = expected(env, FAMILY, policy) - expected(env, FAMILY, np.full((3, 2), 0.5))
    least = np.inf
    for best in range(len(excess)):
        rows = np.vstack([excess[best] - excess, gain])
        rows /= np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12)
        corners = vertices(np.zeros((0, 3)), rows[np.abs(rows).max(axis=1) > 1e-9])
        gains = corners @ gain
        kept = gains > 1e-9
        if kept.any():
            least = min(least, float((corners[kept] @ excess[best] / gains[kept]).min()))
    np.testing.assert_allclose(estimate.value, least, rtol=1e-6)
    np.testing.assert_allclose(estimate.losses, compatibility(estimate.theta, evidence, FAMILY))
    np.testing.assert_allclose(estimate.gain, gain @ estimate.theta, atol=1e-12)
    np.testing.assert_allclose(np.abs(estimate.theta).max(), 1, atol=1e-9)
    assert abs(estimate.convergence.residual) < 1e-6


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1e6])
def test_units_of_reward_change_nothing(unit):
    env, features = random_environment(1, 4, 3), np.random.default_rng(0).uniform(-1, 1, (4, 3, 3))
    policy = ii.agents.Noisy(LinearRewards(features), [1.0, -0.5, 0.2], 0.3).policy(env)
    one, other = (Compatible().fit([(env, policy)], LinearRewards(f)) for f in (features, unit * features))
    np.testing.assert_allclose(other.value, one.value, atol=1e-7)
    np.testing.assert_allclose(other.gain, unit * one.gain, rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_optimal_demonstrators_are_explained(seed):
    evidence = seen(seed, 4, 1 + seed % 3, optimal=True)
    estimate = Compatible().fit(evidence, StateRewards(4))
    np.testing.assert_allclose(estimate.value, 0, atol=1e-9)
    for env, policy in evidence:
        q = brute_q(env, estimate.reward(env))
        lost = (q.max(axis=1, keepdims=True) - q) / np.ptp(q)
        assert lost[policy > 0].max() <= 1e-9
        assert np.ptp(q) > 1e-3
    assert estimate.gain > 0


@pytest.mark.parametrize("seed", range(3))
def test_gain_is_the_sum_of_margins_that_chance_visits(seed):
    ((env, policy),) = seen(seed, 4, 1, optimal=True)
    family = StateRewards(4)
    estimate = Compatible().fit([(env, policy)], family)
    chain = env.dense().mean(axis=1)
    visits = np.linalg.solve((np.eye(4) - env.discount * chain).T, env.initial)
    reward = estimate.reward(env)
    values = np.linalg.solve(
        np.eye(4) - env.discount * np.einsum("sa,sat->st", policy, env.dense()), (policy * reward).sum(axis=1)
    )
    margins = values - (reward + env.discount * env.dense() @ values).mean(axis=1)
    np.testing.assert_allclose(estimate.gain, visits @ margins, atol=1e-9)


def test_many_states_with_a_noisy_and_an_optimal_demonstrator():
    family, truth = StateRewards(60), np.random.default_rng(0).standard_normal(60)
    env = ii.builders.random_environment(60, 4, 0.95, seed=0, successors=5)
    optimal = Compatible().fit([(env, ii.agents.Optimal(family, truth).policy(env))], family)
    noisy = Compatible().fit([(env, ii.agents.Noisy(family, truth, 0.3).policy(env))], family)
    np.testing.assert_allclose(optimal.value, 0, atol=1e-9)
    policy = ii.agents.Noisy(family, truth, 0.3).policy(env)
    lost = compatibility(truth, [(env, policy)], family)[0]
    reward = family.reward(env, truth)
    chance = ii.planning.evaluate(env, reward, np.full((60, 4), 0.25))
    gained = env.initial @ (ii.planning.evaluate(env, reward, policy) - chance)
    assert 0.01 < noisy.value <= lost / gained


def test_contradicting_demonstrators_share_the_loss():
    env, family = ii.Environment(np.ones((1, 3, 1)), 0.0), StateActionRewards(1, 3)
    evidence = [(env, np.array([[1.0, 0, 0]])), (env, np.array([[0.0, 1, 0]]))]
    estimate = Compatible().fit(evidence, family)
    assert estimate.theta[0] == pytest.approx(estimate.theta[1], abs=1e-7)
    assert estimate.theta[0] > estimate.theta[2] + 1
    assert ii.identify(evidence, family).conflict is not None
    np.testing.assert_allclose(estimate.value, 0, atol=1e-7)
    worst_of_two = [*evidence, (env, np.array([[0.0, 0, 1]]))]
    with_all = Compatible().fit(worst_of_two, family)
    assert with_all.convergence.status == "trivial"


def test_more_of_the_demonstrator_lost_the_noisier_it_is():
    """Share left of what optimal behaviour would gain over chance: that of the noise, where the truth is best."""
    env, family = ii.Environment(np.ones((1, 2, 1)), 0.0), StateActionRewards(1, 2)
    for noise in (0.0, 0.2, 0.6):
        estimate = Compatible().fit([(env, np.array([[1 - noise / 2, noise / 2]]))], family)
        np.testing.assert_allclose(estimate.value / (1 + estimate.value), noise, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 300), data=st.data())
def test_relabelling_changes_nothing(seed, data):
    evidence = seen(seed)
    order, actions = (np.array(data.draw(st.permutations(range(n)))) for n in (3, 2))
    moved = [
        (
            ii.Environment(env.dense()[order][:, actions][:, :, order], env.discount, env.initial[order]),
            policy[order][:, actions],
        )
        for env, policy in evidence
    ]
    theta = np.random.default_rng(seed).standard_normal(3)
    np.testing.assert_allclose(
        compatibility(theta[order], moved, FAMILY), compatibility(theta, evidence, FAMILY), atol=1e-9
    )
    one, other = (Compatible().fit(e, FAMILY) for e in (evidence, moved))
    np.testing.assert_allclose(one.value, other.value, rtol=1e-6, atol=1e-8)


def test_trajectories_come_near_the_policy_that_made_them():
    env = random_environment(0, 3, 2)
    agent = ii.agents.Noisy(FAMILY, [1.0, 0, -1], 0.3)
    demos = agent.demonstrate(env, episodes=2_000, horizon=120, seed=0)
    exact = compatibility([1.0, 0, -1], [(env, agent.policy(env))], FAMILY)
    np.testing.assert_allclose(compatibility([1.0, 0, -1], [(env, demos)], FAMILY), exact, atol=0.1)
    assert exact[0] > 0.2
    estimate = Compatible().fit([(env, demos)], FAMILY)
    assert np.isfinite(estimate.theta).all()
    assert estimate.value > -1


def test_degenerate_input():
    env = random_environment(0, 3, 2)
    single = random_environment(0, 3, 1)
    policy = np.eye(2)[[0, 1, 0]]
    for evidence, family in (
        ([(single, np.ones((3, 1)))], StateRewards(3)),
        ([(env, policy)], LinearRewards(np.zeros((3, 2, 2)))),
        ([(env, np.full((3, 2), 0.5))], StateRewards(3)),
    ):
        estimate = Compatible().fit(evidence, family)
        assert estimate.convergence.status == "trivial"
        np.testing.assert_array_equal(estimate.theta, 0)
        np.testing.assert_array_equal(estimate.losses, 0)
    with pytest.raises(ValueError, match=r"evidence\[0\]: observation: counts have no order"):
        Compatible().fit([(env, Counts(policy))], FAMILY)
    with pytest.raises(ValueError, match=r"evidence\[0\].*not observed"):
        compatibility([1, 0, 0], [(env, Policy([[1, 0], [0, 0], [0, 0]]))], FAMILY)
    with pytest.raises(ValueError, match="theta: should have shape"):
        compatibility([1, 0], [(env, policy)], FAMILY)
    with pytest.raises(ValueError, match="allowed: was -1"):
        CompatibleSet(FAMILY, [(env, policy)], -1)
    with pytest.raises(ValueError, match=r"allowed: should be a number or have shape \(1,\)"):
        CompatibleSet(FAMILY, [(env, policy)], [1, 2])
    with pytest.raises(ValueError, match="direction"):
        CompatibleSet(FAMILY, [(env, policy)], 0.1).support([np.nan, 0, 0])


def test_conformance():
    verdict = check(Compatible(), "optimal")
    assert verdict.passed, str(verdict)
