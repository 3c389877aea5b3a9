"""Centres of the identified set, against vertices, general convex solvers and closed forms."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from worlds import brute_policy, brute_q, dense_features, ng_russell_rows, random_environment, vertices

import irl_ident as ii
from irl_ident.evidence import Counts, Policy
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards, TransitionRewards
from irl_ident.solvers import NgRussell, centers
from irl_ident.solvers.base import Unexplained
from irl_ident.solvers.centers import AnalyticCenter, Centroid, ChebyshevCenter, MeanMember

ANY_FAMILY = [ChebyshevCenter(), AnalyticCenter(), MeanMember(50)]
EVERY = [*ANY_FAMILY, Centroid()]


def seen(seed: int, n_states: int, n_actions: int, k: int, family=None):
    rng = np.random.default_rng(seed)
    family = family or StateRewards(n_states)
    theta = rng.standard_normal(family.dim)
    environments = [random_environment(1_000 * seed + i, n_states, n_actions) for i in range(k)]
    return family, [(env, brute_policy(env, family.reward(env, theta))) for env in environments]


def rows_of(family, evidence):
    """All inequalities by explicit inverses; no ties."""
    blocks = [ng_russell_rows(env, dense_features(env, family), policy) for env, policy in evidence]
    assert not any(len(equal) for equal, _ in blocks)
    return np.vstack([at_least for _, at_least in blocks])


def center_of_mass(points):
    """Exact mean of a polytope with an interior, by cutting it into simplices."""
    corners = points[Delaunay(points, qhull_options="QJ Pp").simplices]
    volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    return volumes @ corners.mean(axis=1) / volumes.sum()


@pytest.mark.parametrize(("n_states", "n_actions", "k"), [(2, 2, 1), (3, 2, 2), (4, 3, 1), (5, 2, 2), (6, 3, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_chebyshev_radius_is_that_of_a_general_solver(seed, n_states, n_actions, k):
    family, evidence = seen(seed, n_states, n_actions, k)
    estimate = ChebyshevCenter().fit(evidence, family)
    rows = rows_of(family, evidence)
    x, radius = cp.Variable(family.dim), cp.Variable()
    lengths = np.linalg.norm(rows, axis=1)
    problem = cp.Problem(
        cp.Maximize(radius), [rows @ x >= lengths * radius, x + radius <= 1, x - radius >= -1, radius >= 0]
    )
    problem.solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(estimate.radius, problem.value, atol=1e-7)
    slack = np.concatenate([rows @ estimate.theta / lengths, 1 - np.abs(estimate.theta)])
    np.testing.assert_allclose(slack.min(), estimate.radius, atol=1e-9)
    assert estimate.radius <= estimate.radius_bound <= estimate.radius + 1e-7
    assert estimate.value == -estimate.radius


def test_every_reward_in_the_ball_explains_and_the_ball_touches():
    family, evidence = seen(1, 4, 2, 1)
    estimate = ChebyshevCenter().fit(evidence, family)
    ident = ii.identify(evidence, family)
    rng = np.random.default_rng(0)
    for direction in rng.standard_normal((30, family.dim)):
        assert ident.contains(estimate.theta + 0.999 * estimate.radius * direction / np.linalg.norm(direction))
    rows = rows_of(family, evidence)
    nearest = rows[np.argmin(rows @ estimate.theta / np.linalg.norm(rows, axis=1))]
    beyond = estimate.theta - 1.001 * estimate.radius * nearest / np.linalg.norm(nearest)
    inside = np.abs(beyond).max() <= 1
    assert not inside or not ident.contains(beyond)


@pytest.mark.parametrize(("n_states", "n_actions", "k"), [(2, 2, 1), (3, 2, 2), (4, 3, 1), (5, 2, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_analytic_center_is_that_of_a_general_solver(seed, n_states, n_actions, k):
    family, evidence = seen(seed, n_states, n_actions, k)
    estimate = AnalyticCenter().fit(evidence, family)
    rows = rows_of(family, evidence)
    rows /= np.abs(rows).max(axis=1, keepdims=True)
    x = cp.Variable(family.dim)
    problem = cp.Problem(cp.Maximize(cp.sum(cp.log(rows @ x)) + cp.sum(cp.log(1 - x)) + cp.sum(cp.log(1 + x))))
    problem.solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(estimate.theta, x.value, atol=2e-4)
    np.testing.assert_allclose(estimate.value, -problem.value, atol=1e-6)
    gradient = rows.T @ (1 / (rows @ estimate.theta)) - 1 / (1 - estimate.theta) + 1 / (1 + estimate.theta)
    np.testing.assert_allclose(gradient * (rows @ estimate.theta).min(), 0, atol=1e-9)
    assert estimate.convergence.status == "converged"
    assert estimate.convergence.residual <= 1e-9


def test_analytic_center_says_when_it_was_stopped():
    family, evidence = seen(0, 4, 2, 1)
    estimate = AnalyticCenter(iterations=1).fit(evidence, family)
    assert estimate.convergence.status == "iterations"
    assert estimate.convergence.residual > 1e-9
    assert ii.identify(evidence, family).contains(estimate.theta)


@pytest.mark.parametrize("seed", range(4))
def test_mean_member_is_the_center_of_mass(seed):
    family, evidence = seen(seed, 3 + seed % 2, 2, 1)
    estimate = MeanMember(4_000, seed).fit(evidence, family)
    exact = center_of_mass(vertices(np.zeros((0, family.dim)), rows_of(family, evidence)))
    assert np.abs(estimate.theta - exact).max() <= 5 * estimate.deviation.max()
    assert 0 < estimate.deviation.max() < 0.03


def test_standard_error_of_the_mean_is_calibrated():
    family, evidence = seen(2, 3, 2, 1)
    exact = center_of_mass(vertices(np.zeros((0, family.dim)), rows_of(family, evidence)))
    fits = [MeanMember(100, seed).fit(evidence, family) for seed in range(10)]
    scores = np.array([(fit.theta - exact) / fit.deviation for fit in fits])
    spread = np.sqrt((scores**2).mean())  # t with 9 degrees of freedom: 1.13
    assert 0.7 < spread < 1.7


def test_mean_member_repeats_itself():
    family, evidence = seen(0, 3, 2, 2)
    np.testing.assert_array_equal(*(MeanMember(50, 3).fit(evidence, family).theta for _ in range(2)))
    assert not np.array_equal(*(MeanMember(50, seed).fit(evidence, family).theta for seed in (3, 4)))


@pytest.mark.parametrize("solver", ANY_FAMILY, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("seed", range(2))
def test_centers_are_members(solver, seed):
    features = LinearRewards(np.random.default_rng(seed).standard_normal((4, 2, 3)))
    for family, k in ((StateRewards(4), 2), (StateActionRewards(4, 2), 2), (features, 2), (TransitionRewards(3, 2), 1)):
        family, evidence = seen(seed, 3 if isinstance(family, TransitionRewards) else 4, 2, k, family)
        estimate = solver.fit(evidence, family)
        for env, policy in evidence:
            np.testing.assert_array_equal(brute_policy(env, estimate.reward(env)) > 0, policy > 0)
        assert np.abs(estimate.theta).max() <= 1 + 1e-9


@pytest.mark.parametrize("solver", ANY_FAMILY, ids=lambda s: type(s).__name__)
def test_ties_are_kept(solver):
    env = random_environment(5, 4, 2)
    family = StateRewards(4)
    theta = np.array([1.0, 0, 0, 0])
    table = env.dense()
    table[2, 1] = table[2, 0]
    table[3] = 0.25
    env = ii.Environment(table, 0.9)
    tied = brute_policy(env, family.reward(env, theta))
    assert ((tied > 0).sum(axis=1) == 2).sum() == 2
    estimate = solver.fit([(env, tied)], family)
    np.testing.assert_array_equal(brute_policy(env, estimate.reward(env)) > 0, tied > 0)


@pytest.mark.parametrize("solver", [ChebyshevCenter(), AnalyticCenter()], ids=lambda s: type(s).__name__)
def test_equations_between_rewards_are_kept(solver):
    """Two actions that only equal rewards of two states make equally good."""
    table = np.zeros((3, 2, 3))
    table[0, 0, 1] = table[0, 1, 2] = table[1, :, 1] = table[2, :, 2] = 1
    env, family = ii.Environment(table, 0.8), StateRewards(3)
    with_ties = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    split = table.copy()
    split[0, 1] = [1, 0, 0]
    other = ii.Environment(split, 0.8)
    evidence = [(env, with_ties), (other, np.array([[1.0, 0], [0.5, 0.5], [0.5, 0.5]]))]
    estimate = solver.fit(evidence, family)
    assert estimate.theta[1] == pytest.approx(estimate.theta[2], abs=1e-9)
    assert estimate.theta[1] > estimate.theta[0] + 0.1
    if isinstance(solver, ChebyshevCenter):
        # in the span (a, b, b): a + 1 = rho, sqrt(2) (1 - b) = rho, b - a = sqrt(3 / 2) rho
        np.testing.assert_allclose(estimate.radius, 2 / (1 + np.sqrt(1 / 2) + np.sqrt(3 / 2)), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 500), data=st.data())
def test_relabelled_states_and_actions_move_the_center_along(seed, data):
    family, evidence = seen(seed, 4, 3, 2)
    order = np.array(data.draw(st.permutations(range(4))))
    actions = np.array(data.draw(st.permutations(range(3))))
    moved = []
    for env, policy in evidence:
        table = env.dense()[order][:, actions][:, :, order]
        moved.append((ii.Environment(table, env.discount), policy[order][:, actions]))
    one, other = (AnalyticCenter().fit(e, family) for e in (evidence, moved))
    np.testing.assert_allclose(other.theta, one.theta[order], atol=1e-6)
    np.testing.assert_allclose(other.value, one.value, rtol=1e-8)
    balls = [ChebyshevCenter().fit(e, family).radius for e in (evidence, moved)]
    np.testing.assert_allclose(*balls, atol=1e-8)


@pytest.mark.parametrize("solver", ANY_FAMILY, ids=lambda s: type(s).__name__)
def test_trajectories_show_some_optimal_actions(solver):
    env, family = random_environment(3, 4, 2), StateRewards(4)
    agent = ii.agents.Optimal(family, [0.0, 1, 2, 0.5])
    demos = agent.demonstrate(env, episodes=3, horizon=10, seed=0)
    estimate = solver.fit([(env, demos)], family)
    best = brute_policy(env, estimate.reward(env)) > 0
    states, actions, _ = demos.steps()
    assert best[states, actions].all()


@pytest.mark.parametrize("solver", EVERY, ids=lambda s: type(s).__name__)
def test_unobserved_states_that_are_not_entered(solver):
    """Two states stay and leave each other; a third, never seen, can be entered from the first."""
    table = np.zeros((3, 3, 3))
    table[0, 0, 0] = table[0, 1, 1] = table[0, 2, 2] = table[1, :2, 0] = table[1, 2, 1] = 1
    table[2] = 1 / 3
    env, family = ii.Environment(table, 0.9), StateActionRewards(3, 3)
    evidence = [(env, Policy([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))]
    estimate = solver.fit(evidence, family)
    best = brute_policy(env, estimate.reward(env)) > 0
    np.testing.assert_array_equal(best[:2], [[False, True, False], [False, False, True]])


def half_seen(seed: int):
    """An optimal agent seen in half of the states, from which it comes to the others."""
    rng = np.random.default_rng(seed)
    n_states, n_actions = int(rng.integers(3, 6)), int(rng.integers(2, 4))
    family = StateRewards(n_states) if seed % 3 else StateActionRewards(n_states, n_actions)
    unseen = rng.permutation(n_states)[n_states // 2 :]
    theta, evidence = rng.uniform(-1, 1, family.dim), []
    for place in range(1 + seed % 2):
        env = random_environment(1_000 * seed + place, n_states, n_actions)
        policy = brute_policy(env, family.reward(env, theta))
        policy[unseen] = 0
        evidence.append((env, Policy(policy)))
    return family, evidence


@pytest.mark.parametrize("solver", [*ANY_FAMILY, NgRussell()], ids=lambda s: type(s).__name__)
def test_unobserved_states_that_are_entered_are_planned_for(solver):
    """The cone is an outer bound there, and its centre explains only some of these."""
    assumed = 0
    for seed in range(12):
        family, evidence = half_seen(seed)
        estimate = solver.fit(evidence, family)
        assert estimate.convergence.status == "converged"
        assert np.abs(estimate.theta).max() > 1e-3
        for env, policy in evidence:
            best = brute_policy(env, estimate.reward(env), 1e-8) > 0
            shown = policy.probabilities > 0
            assert best[shown].all()
            if solver in ANY_FAMILY:
                np.testing.assert_array_equal(best[policy.observed], shown[policy.observed])
        assumed += centers.ASSUMED in estimate.gauge
    assert 0 < assumed < 12


def test_a_center_that_does_not_explain_says_so(monkeypatch):
    monkeypatch.setattr(centers, "_parts", lambda ident, theta: iter(()))
    lost = []
    for family, evidence in map(half_seen, range(12)):
        estimate = ChebyshevCenter().fit(evidence, family)
        explains = ii.identify(evidence, family).contains(estimate.theta)
        assert (centers.UNFOUND in estimate.gauge) == (not explains)
        assert estimate.convergence.status == ("converged" if explains else "iterations")
        lost.append(0 if explains else estimate.convergence.residual)
    assert max(lost) > 0.1


@pytest.mark.parametrize("n_actions", [2, 3, 5])
def test_centroid_is_the_mean_of_the_published_distribution(n_actions):
    """Rewards ``B V - Adv`` drawn as Lazzati & Metelli (2025) draw them, in a closed set with unobserved states."""
    rng = np.random.default_rng(n_actions)
    table = rng.dirichlet(np.ones(4), size=(4, n_actions))
    table[:2, 0, 2:] = 0
    table /= table.sum(axis=2, keepdims=True)
    env, family = ii.Environment(table, 0.8), StateActionRewards(4, n_actions)
    policy = np.zeros((4, n_actions))
    policy[:2, 0] = 1
    estimate = Centroid().fit([(env, Policy(policy))], family)
    n = 200_000
    values = rng.uniform(-1, 1, (n, 4))
    advantages = rng.uniform(0, 2, (n, 4, n_actions))
    best = rng.integers(n_actions, size=(n, 4))
    best[:, :2] = 0
    np.put_along_axis(advantages, best[:, :, None], 0.0, axis=2)
    draws = (values @ env.shaping.toarray().T).reshape(n, 4, n_actions) - advantages
    error = draws.std(axis=0) / np.sqrt(n)
    assert (np.abs(draws.mean(axis=0) - estimate.reward(env)) <= 5 * error).all()
    up_to_affine = estimate.reward(env) + 1
    np.testing.assert_allclose(up_to_affine[:2], policy[:2], atol=1e-12)
    np.testing.assert_allclose(up_to_affine[2:], 1 / n_actions, atol=1e-12)


def test_centroid_does_not_depend_on_transitions_and_is_a_member():
    family = StateActionRewards(4, 3)
    policy = np.eye(3)[[0, 2, 1, 1]]
    fits = []
    for seed in range(3):
        env = random_environment(seed, 4, 3)
        fits.append(Centroid().fit([(env, policy)], family))
        np.testing.assert_array_equal(brute_policy(env, fits[-1].reward(env)), policy)
        assert fits[-1].value <= 1e-9
    np.testing.assert_allclose(fits[0].theta, fits[1].theta, atol=1e-12)
    np.testing.assert_allclose(fits[0].theta, fits[2].theta, atol=1e-12)


def test_centroid_in_transition_rewards_is_the_same_reward():
    env = random_environment(0, 3, 2)
    policy = np.eye(2)[[0, 1, 1]]
    one, other = (Centroid().fit([(env, policy)], f) for f in (StateActionRewards(3, 2), TransitionRewards(3, 2)))
    np.testing.assert_allclose(one.reward(env), other.reward(env), atol=1e-10)


def test_centroid_counts_absorbing_ends_as_seen():
    table = np.zeros((3, 2, 3))
    table[0, 0, 1] = table[0, 1, 0] = table[1, 0, 2] = table[1, 1, 0] = table[2, :, 2] = 1
    for discount in (0.9, 0.5):
        env = ii.Environment(table, discount)
        evidence = [(env, Counts([[3, 0], [3, 0], [0, 0]]))]
        estimate = Centroid().fit(evidence, StateActionRewards(3, 2))
        q = brute_q(env, estimate.reward(env))
        assert (q[:2, 0] > q[:2, 1]).all()
        np.testing.assert_allclose(estimate.reward(env)[2], 0, atol=1e-12)


def test_centroid_refuses_what_it_is_not_defined_for():
    family, evidence = seen(0, 3, 2, 2, StateActionRewards(3, 2))
    with pytest.raises(ValueError, match="2 different environments"):
        Centroid().fit(evidence, family)
    with pytest.raises(ValueError, match=r"every one of the 6 rewards"):
        Centroid().fit(evidence[:1], StateRewards(3))
    collinear = np.repeat(np.random.default_rng(0).standard_normal((3, 2, 4)), 2, axis=2)
    with pytest.raises(ValueError, match=r"every one of the 6 rewards"):
        Centroid().fit(evidence[:1], LinearRewards(collinear))
    partial = Policy(np.vstack([evidence[0][1][:1], np.zeros((2, 2))]))
    with pytest.raises(ValueError, match="enter state"):
        Centroid().fit([(evidence[0][0], partial)], family)


@pytest.mark.parametrize("solver", EVERY, ids=lambda s: type(s).__name__)
def test_contradictions_carry_their_words(solver):
    env = random_environment(0, 3, 2)
    evidence = [(env, np.eye(2)[[0, 0, 0]]), (env, np.eye(2)[[1, 0, 0]])]
    with pytest.raises(Unexplained, match="no reward of the family explains this evidence") as refusal:
        solver.fit(evidence, StateActionRewards(3, 2))
    assert ii.identify(evidence, StateActionRewards(3, 2)).conflict.explanation in str(refusal.value)


@pytest.mark.parametrize("solver", ANY_FAMILY, ids=lambda s: type(s).__name__)
def test_where_only_trivial_rewards_are_left_it_says_so(solver):
    single = random_environment(0, 3, 1)
    two = random_environment(1, 3, 2)
    all_tied = np.full((3, 2), 0.5)
    for evidence, family in (
        ([(single, np.ones((3, 1)))], StateRewards(3)),
        ([(two, all_tied)], StateRewards(3)),
    ):
        estimate = solver.fit(evidence, family)
        assert estimate.convergence.status == "trivial"
        np.testing.assert_array_equal(estimate.theta, 0)
        assert np.isfinite(estimate.value)


@pytest.mark.parametrize("solver", EVERY, ids=lambda s: type(s).__name__)
def test_features_of_zero_explain_no_preference(solver):
    env, zero = random_environment(1, 3, 2), LinearRewards(np.zeros((3, 2, 2)))
    with pytest.raises(Unexplained, match="contradict each other"):
        solver.fit([(env, np.eye(2)[[0, 1, 0]])], zero)


@pytest.mark.parametrize("solver", ANY_FAMILY, ids=lambda s: type(s).__name__)
def test_collinear_and_constant_features(solver):
    env = random_environment(2, 4, 2)
    base = np.random.default_rng(2).standard_normal((4, 2, 1))
    family = LinearRewards(np.concatenate([base, 2 * base, np.ones((4, 2, 1))], axis=2))
    policy = brute_policy(env, base[:, :, 0])
    estimate = solver.fit([(env, policy)], family)
    np.testing.assert_array_equal(brute_policy(env, estimate.reward(env)) > 0, policy > 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AnalyticCenter(iterations=0), "iterations: was 0"),
        (lambda: MeanMember(n=3), "n: was 3"),
        (lambda: MeanMember(seed=-1), "seed: was -1"),
    ],
)
def test_settings_are_checked(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("solver", EVERY, ids=lambda s: type(s).__name__)
def test_conformance(solver):
    from irl_ident.conformance import check

    verdict = check(solver, "optimal")
    assert verdict.passed, str(verdict)
