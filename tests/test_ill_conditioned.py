"""Inputs at the edge of double precision: right to the stated tolerance by rational arithmetic, or not decided."""

from fractions import Fraction

import numpy as np
import pytest
import random_certificates
from edge_certificates import edge
from exact_polytopes import Polytope, cut_all
from hypothesis import given, settings
from hypothesis import strategies as st
from ill_conditioned import Exact, environment, reward

from irl_ident import Environment, identify, planning
from irl_ident.certificates import restricted
from irl_ident.identified.cone.sampling import hit_and_run
from irl_ident.planning.ties import ROUNDING
from irl_ident.rewards import LinearRewards, StateRewards

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_optimal_plans_are_within_their_bounds_and_mark_the_ties(seed):
    random = np.random.default_rng(seed)
    env = environment(random, int(random.integers(2, 5)))
    paid = reward(random, (env.n_states, env.n_actions))
    plan, exact = planning.optimal(env, paid), Exact(env).optimal(paid)
    flat = [x for row in exact for x in row]
    bound, size = Fraction(plan.error_bound), max(map(abs, flat))
    assert max(abs(Fraction(x) - y) for x, y in zip(plan.q.ravel().tolist(), flat, strict=True)) <= bound
    assert bound <= max(Fraction(1, 10**9) * Fraction(float(np.ptp(paid))), Fraction(1, 10**10) * size)
    counted = Fraction(1, 10**8) * (max(flat) - min(flat)) + Fraction(ROUNDING) * size
    for row, marked in zip(exact, planning.optimal_actions(plan.q), strict=True):
        for value, tie in zip(row, marked, strict=True):
            if max(row) - value <= counted / 2:
                assert tie
            if max(row) - value > 2 * counted:
                assert not tie


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_occupancies_are_right_to_a_share_that_discounting_leaves(seed):
    random = np.random.default_rng(seed)
    env = environment(random, int(random.integers(2, 5)))
    policy = random.dirichlet(np.ones(env.n_actions), size=env.n_states)
    found, exact = planning.occupancy(env, policy), Exact(env)
    chances = [[Fraction(x) / sum(map(Fraction, row)) for x in row] for row in policy.tolist()]
    total = sum(Fraction(x) for x in found.ravel().tolist())
    assert abs(total * (1 - Fraction(env.discount)) - 1) <= 4e-16 / (1 - env.discount) * 4
    visits = [sum(map(Fraction, row)) for row in found.tolist()]
    start = [Fraction(x) for x in env.initial.tolist()]
    for j in range(env.n_states):
        into = sum(
            visits[s] * chances[s][a] * exact.row(s, a)[j] for s in range(env.n_states) for a in range(env.n_actions)
        )
        assert abs(visits[j] - start[j] - into) <= 1e-14 * float(sum(visits))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_upper_bounds_of_the_identified_set_hold_and_what_was_shown_is_no_contradiction(seed):
    random = np.random.default_rng(seed)
    env = environment(random, int(random.integers(2, 4)))
    exact = Exact(env)
    if random.random() < 0.5:
        family = StateRewards(env.n_states)
        features = np.repeat(np.eye(env.n_states)[:, None], env.n_actions, axis=1)
    else:
        scales = 10.0 ** random.choice([-6, -3, 0, 0, 3, 6, 100, -100]) * 10.0 ** random.choice([0, 0, 6], size=2)
        features = random.choice([0, 1, 1, 2, -1, 1e-3], size=(env.n_states, env.n_actions, 2)) * scales
        family = LinearRewards(features)
    theta = random.choice([0, 0, 0.5, 1, -1], size=family.dim)
    values = exact.optimal(features @ theta)
    best = [[x == max(row) for x in row] for row in values]
    ident = identify([(env, np.array(best) / np.sum(best, axis=1, keepdims=True))], family)
    assert ident.conflict is None
    policy = tuple(row.index(True) for row in best)
    cell = Polytope.box(family.dim)
    for s, rows in enumerate(exact.advantages(policy, features)):
        for a, row in enumerate(rows):
            if a != policy[s]:
                cell = cut_all(cell, [([-x for x in row], Fraction(0)), *([(row, Fraction(0))] if best[s][a] else [])])
    direction = random.choice([0, 1, -1, 0.5], size=family.dim)
    highest = max(sum(Fraction(float(x)) * y for x, y in zip(direction, point, strict=True)) for point in cell.points)
    assert Fraction(ident.certified_support(direction).upper) >= highest - Fraction(1, 10**12)


@pytest.mark.parametrize("seed", [500_001, 500_002, 500_005, 500_006])
def test_certificates_hold_and_pass_their_checker(seed, monkeypatch):
    """Where rounding of values exceeds the tolerance of ties, there is an error and no certificate."""
    monkeypatch.setattr(random_certificates, "environment", edge)
    assert not random_certificates.compared(random_certificates.problem(seed), regions=8).faults


def test_chances_that_rounding_hides_are_not_decided():
    """A state that is left with a probability of 1e-300, for the target alone."""
    rows = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 1e-300]], [[0.0, 1.0, 1e-300]] * 2, [[0.0, 0.0, 1.0]] * 2])
    env = Environment(rows, 0.9, [1.0, 0.0, 0.0])
    may, target = np.ones((3, 2), dtype=bool), np.arange(3) == 2
    assert restricted.upper_chances(env, may, target) is None
    np.testing.assert_array_equal(restricted.lower_chances(env, may, target)[0], [0.0, 0.0, 1.0])


def test_thin_sets_are_sampled():
    """An edge from (0, 0) to (1, 1) that is 2e-10 thick."""
    rows = np.array([[1e10, -1e10], [-1e10, 1e10], [1.0, 0.0], [-1.0, 0.0]])
    draws = hit_and_run(rows, np.ones(4), np.full(2, 0.1), 500, 0)
    assert (rows @ draws.T <= 1 + 1e-5).all()
    np.testing.assert_allclose([draws[:, 0].mean(), draws[:, 0].std()], [0, 1 / np.sqrt(3)], atol=0.12)
    assert np.ptp(draws[:, 0] - draws[:, 1]) > 1e-10


def test_rows_that_sum_to_almost_1_are_the_distributions_they_are_proportional_to():
    rows = np.array([[[1 + 9e-9, 0.0]], [[0.0, 1 - 9e-9]]])
    plan = planning.optimal(Environment(rows, 0.999999), [[1.0], [1.0]])
    np.testing.assert_allclose(plan.values, 1e6, rtol=1e-9)
    policy = [[1 + 9e-9], [1 - 9e-9]]
    found = planning.evaluate(Environment(rows, 0.999999), [[1.0], [1.0]], policy)
    np.testing.assert_allclose(found, 1e6, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-100, 1e-6, 1.0, 1e6, 1e100])
def test_sets_do_not_depend_on_the_unit_of_reward(unit):
    rows = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    features = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 2.0]]])
    ident = identify([(Environment(rows, 0.9), np.array([[0.0, 1.0], [1.0, 0.0]]))], LinearRewards(unit * features))
    found = ident.certified_support([1.0, -1.0])
    assert found.status == "optimal"
    np.testing.assert_allclose([found.value, found.upper], 0.5, rtol=1e-6)
    assert ident.report().verdict == "identified up to a positive affine map"


def test_features_of_very_different_size_are_no_contradiction():
    features = np.array([[[2e-3, 0.0], [0.0, 1e9]], [[1e-3, 0.0], [0.0, 0.0]]])
    rows = np.repeat(np.eye(2)[:, None], 2, axis=1)
    ident = identify([(Environment(rows, 0.5), np.array([[1.0, 0.0], [1.0, 0.0]]))], LinearRewards(features))
    assert ident.conflict is None
    assert ident.contains([1.0, -1e-9])


def test_what_probabilities_below_the_rounding_of_1_tell_is_not_decided():
    rows = np.array([[[1.0, 0.0], [1.0, 1e-300]], [[1.0, 0.0], [1.0, 0.0]]])
    ident = identify([(Environment(rows, 0.9), np.array([[1.0, 0.0], [0.5, 0.5]]))], StateRewards(2))
    assert ident.conflict is None
    assert ident.report().verdict == "undecided"
