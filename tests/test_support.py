"""Support functions of the cone of optimal agents: brute force, a second solver, and certificates under attack."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog
from worlds import brute_policy, dense_features, ng_russell_rows, random_environment, vertices

import irl_ident as ii
import irl_ident.identified.cone.program as program_module
import irl_ident.identified.cone.support as support_module
from irl_ident import planning
from irl_ident.identified.cone.elimination import eliminated
from irl_ident.identified.cone.interior import iterates
from irl_ident.identified.cone.lifted import Cone
from irl_ident.identified.cone.newton import Band
from irl_ident.identified.cone.program import lifted, reduced
from irl_ident.identified.cone.support import _by_interior_point, _chosen_engine, certify, repaired, support, supports
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards


def make_cone(environments, family, shown, observed=None) -> Cone:
    observed = observed or [np.ones(env.n_states, bool) for env in environments]
    return Cone(
        [env.shaping for env in environments],
        [family.matrix(env) for env in environments],
        shown,
        observed,
        [env.discount for env in environments],
        family.dim,
    )


def small(seed, n_states, n_actions, k, family=None, *, ties=False, discount=0.9):
    rng = np.random.default_rng(seed)
    family = family or StateRewards(n_states)
    theta = rng.integers(0, 3, family.dim) / 2.0 if ties else rng.standard_normal(family.dim)
    environments = [random_environment(100 * seed + i, n_states, n_actions, discount) for i in range(k)]
    policies = [brute_policy(env, family.reward(env, theta)) for env in environments]
    return environments, family, policies


def slippery_grid(side, seed, discount=0.95, slip=None):
    """Four moves on a grid with a tenth of the passages between cells closed."""
    rng = np.random.default_rng(seed)
    slip = rng.uniform(0.05, 0.3) if slip is None else slip
    cells = np.arange(side * side).reshape(side, side)
    right, down = rng.random((side, side - 1)) > 0.1, rng.random((side - 1, side)) > 0.1
    ends = np.repeat(cells.ravel()[:, None], 4, axis=1).reshape(side, side, 4)
    ends[1:, :, 0][down] = cells[:-1][down]
    ends[:, :-1, 1][right] = cells[:, 1:][right]
    ends[:-1, :, 2][down] = cells[1:][down]
    ends[:, 1:, 3][right] = cells[:, :-1][right]
    base = [np.eye(side * side)[ends[..., a].ravel()] for a in range(4)]
    moves = [sparse.csr_array((1 - slip) * base[a] + slip / 2 * (base[a - 1] + base[(a + 1) % 4])) for a in range(4)]
    return ii.Environment(moves, discount)


def grid_cone(side, k=3, *, seed=0, ties=False, observed=None):
    environments = [slippery_grid(side, 10 * seed + i, slip=0.0 if ties else None) for i in range(k)]
    family, rng = StateRewards(side * side), np.random.default_rng(seed)
    theta = (rng.random(side * side) < 0.05).astype(float) if ties else rng.standard_normal(side * side)
    shown = []
    for env in environments:
        q = planning.optimal(env, family.reward(env, theta), tolerance=1e-10).q
        shown.append(q >= q.max(axis=1, keepdims=True) - 1e-7)
    return make_cone(environments, family, shown, observed)


def directions_of(dim, count, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((count, dim))
    drawn[0] = np.eye(dim)[0] - np.eye(dim)[1]
    return drawn


def generic(cone, direction):
    """The lifted program, by scipy's simplex."""
    shown = np.concatenate([block.shown.ravel() for block in cone.blocks])
    box = [(-1, 1)] * cone.dim + [(None, None)] * (cone.rows.shape[1] - cone.dim)
    answer = linprog(
        np.concatenate([-direction, np.zeros(len(box) - cone.dim)]),
        A_ub=-cone.rows[~shown],
        b_ub=np.zeros((~shown).sum()),
        A_eq=cone.rows[shown] if shown.any() else None,
        b_eq=np.zeros(shown.sum()) if shown.any() else None,
        bounds=box,
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert answer.status == 0
    return -answer.fun


FAMILIES = [None, StateActionRewards(4, 2), LinearRewards(np.random.default_rng(0).standard_normal((4, 2, 3)))]


@pytest.mark.parametrize(
    ("n_states", "n_actions", "k", "family", "ties"),
    [
        (2, 2, 1, None, False),
        (4, 2, 2, None, True),
        (5, 3, 2, None, False),
        (6, 2, 3, None, False),
        (6, 3, 3, None, True),
    ]
    + [(4, 2, 2, family, ties) for family in FAMILIES[1:] for ties in (False, True)],
)
@pytest.mark.parametrize("seed", range(3))
def test_every_method_finds_the_highest_vertex(seed, n_states, n_actions, k, family, ties):
    environments, family, policies = small(seed, n_states, n_actions, k, family, ties=ties)
    pairs = zip(environments, policies, strict=True)
    equal, at_least = zip(*[ng_russell_rows(e, dense_features(e, family), p) for e, p in pairs], strict=True)
    corners = vertices(np.vstack(equal), np.vstack(at_least))
    cone = make_cone(environments, family, [policy > 0 for policy in policies])
    programs, band = (reduced(cone), lifted(cone)), Band(eliminated(cone))
    for direction in directions_of(family.dim, 4, seed):
        truth = (corners @ direction).max()
        found = support(cone, direction)
        np.testing.assert_allclose([found.value, found.lower, found.upper], truth, atol=1e-8)
        assert found.violation <= 1e-9
        assert found.status == "optimal"
        for program in programs:
            answer = program.solve(direction, warm=False)
            np.testing.assert_allclose(direction @ answer.theta, truth, atol=1e-8)
        inner = _by_interior_point(cone, band, direction)
        assert inner.upper >= truth - 1e-9
        np.testing.assert_allclose(inner.value, truth, atol=1e-5)


@pytest.mark.parametrize("ties", [False, True])
def test_the_interior_point_agrees_with_simplex_on_the_lifted_program(ties):
    cone = grid_cone(9, ties=ties)
    assert (sum(block.tied.size for block in cone.blocks) > 50) == ties
    band = Band(eliminated(cone))
    for direction in directions_of(cone.dim, 3):
        truth, found = generic(cone, direction), _by_interior_point(cone, band, direction)
        np.testing.assert_allclose(found.value, truth, rtol=1e-6, atol=1e-7)
        assert found.upper >= truth - 1e-8
        assert found.gap <= 1e-6 * max(truth, 1)
        assert found.violation <= 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_states_without_observation_are_at_least_optimal(seed):
    rng = np.random.default_rng(seed)
    observed = [rng.random(64) < 0.7 for _ in range(2)]
    cone = grid_cone(8, 2, seed=seed, observed=observed)
    band = Band(eliminated(cone))
    for direction in directions_of(cone.dim, 2, seed):
        truth, found = generic(cone, direction), support(cone, direction)
        np.testing.assert_allclose(found.value, truth, atol=1e-8)
        assert found.upper >= truth - 1e-8
        np.testing.assert_allclose(found.upper, truth, rtol=1e-7)
        np.testing.assert_allclose(reduced(cone).solve(direction, warm=False).theta @ direction, truth, atol=1e-8)
        inner = _by_interior_point(cone, band, direction)
        np.testing.assert_allclose([inner.value, inner.upper], truth, rtol=1e-5, atol=1e-6)


@given(seed=st.integers(0, 10_000), noise=st.sampled_from([0.0, 1e-6, 0.1, 10.0]), hide=st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_multipliers_make_the_upper_bound_wrong(seed, noise, hide):
    environments, family, policies = small(seed, 5, 3, 2)
    rng = np.random.default_rng(seed)
    observed = [rng.random(5) < 0.6 if hide else np.ones(5, bool) for _ in environments]
    cone = make_cone(environments, family, [policy > 0 for policy in policies], observed)
    direction = rng.standard_normal(5)
    answer = lifted(cone).solve(direction, warm=False)
    truth = support(make_cone(environments, family, [policy > 0 for policy in policies]), direction)
    multipliers = answer.multipliers + noise * rng.standard_normal(answer.multipliers.size)
    theta = answer.theta + noise * rng.standard_normal(5)
    found = certify(cone, direction, theta, answer.hidden, multipliers)
    assert found.upper >= truth.lower - 1e-9
    assert np.abs(found.theta).max() <= 1
    if noise == 0:
        assert found.upper >= found.lower - 1e-9
        np.testing.assert_allclose(found.upper, found.lower, atol=1e-7)
    else:
        assert found.violation > 0 or found.lower <= found.upper + 1e-9


@pytest.mark.parametrize("hide", [False, True])
def test_the_proof_can_be_checked_without_the_solver(hide):
    observed = [np.arange(49) % 3 > 0] * 3 if hide else None
    cone = grid_cone(7, observed=observed)
    direction = directions_of(cone.dim, 1)[0]
    found = support(cone, direction)
    excess = direction.copy()
    for block, y, values in zip(cone.blocks, found.multipliers, found.values, strict=True):
        assert y[~block.shown].min() >= 0
        np.testing.assert_allclose(block.shaping.T @ y.ravel(), 0, atol=1e-11)
        excess -= block.features.T @ y.ravel()
        slack = (block.shaping @ values - block.features @ found.theta).reshape(y.shape)
        np.testing.assert_allclose(slack[block.shown], 0, atol=1e-9)
        assert slack.min() >= -1e-9
        np.testing.assert_allclose(slack * y, 0, atol=1e-7)
    np.testing.assert_allclose(np.abs(excess).sum(), found.upper, atol=1e-8)


def test_repair_keeps_a_flow_in_states_without_observation():
    cone = grid_cone(6, 1, observed=[np.arange(36) % 4 > 0])
    (block,) = cone.blocks
    optimal = lifted(cone).solve(directions_of(36, 1)[0], warm=False).multipliers
    assert np.abs(optimal[np.repeat(~block.known, 4)]).max() > 0.01
    unknown = np.repeat(~block.known, 4) & (optimal > 1e-6)
    proof = repaired(
        block, np.where(unknown, optimal * np.random.default_rng(0).uniform(0.5, 2, optimal.size), optimal)
    )
    assert proof[block.others].min() >= 0
    np.testing.assert_allclose(block.shaping.T @ proof, 0, atol=1e-9)


def test_batches_give_the_values_of_single_calls():
    for cone in (grid_cone(5), grid_cone(12)):
        directions = directions_of(cone.dim, 4)
        batch = [found.value for found in supports(cone, directions)]
        single = [support(cone, direction).value for direction in directions]
        np.testing.assert_allclose(batch, single, rtol=1e-6)


def test_an_answer_does_not_depend_on_what_was_asked_before():
    cone, again = grid_cone(6), grid_cone(6)
    first, second = directions_of(cone.dim, 2)
    support(cone, second)
    np.testing.assert_array_equal(support(cone, first).theta, support(again, first).theta)


def test_a_cone_survives_pickling():
    for cone in (grid_cone(5), Cone([], [], [], [], [], 2)):
        direction = np.random.default_rng(0).standard_normal(cone.dim)
        before = support(cone, direction)
        np.testing.assert_array_equal(support(pickle.loads(pickle.dumps(cone)), direction).theta, before.theta)


def test_dynamics_that_are_not_local_go_to_the_generic_solver(monkeypatch):
    cone, direction = grid_cone(8), directions_of(64, 1)[0]
    monkeypatch.setattr(support_module, "SIMPLEX_ENTRIES", 0)
    monkeypatch.setattr(support_module, "FEW_UNKNOWNS", 0)
    monkeypatch.setattr(support_module, "BAND_OPERATIONS", 0)
    monkeypatch.setattr(support_module, "FRONT_OPERATIONS", 0)
    monkeypatch.setattr(support_module, "REDUCED_ENTRIES", 0)
    monkeypatch.setattr(program_module, "SIMPLEX_UNKNOWNS", 0)
    found = support(cone, direction)
    np.testing.assert_allclose([found.value, found.upper], generic(cone, direction), rtol=1e-6)
    assert found.solver == "Optimal"


def test_size_chooses_the_method():
    assert type(_chosen_engine(grid_cone(5))).__name__ == "Program"
    assert isinstance(_chosen_engine(grid_cone(20)), Band)


def test_eliminating_rewards_leaves_local_rows():
    cone = grid_cone(12)
    form = eliminated(cone)
    assert form.unknowns == 3 * 144
    assert form.bandwidth <= 2 * 3 * 12 + 8
    assert np.diff(form.at_least.indptr).max() <= 5
    values = np.random.default_rng(0).standard_normal(form.unknowns)
    theta = form.theta @ values
    assert theta.shape == (144,)
    last = list(zip(range(30), iterates(Band(form), directions_of(144, 1)[0]), strict=False))[-1][1]
    block = cone.blocks[0]
    slack = block.shaping @ block.evaluate(last.theta, np.zeros(0)) - block.features @ last.theta
    np.testing.assert_allclose(slack[block.chosen], 0, atol=1e-12)


def test_without_evidence_the_box_is_all():
    cone = Cone([], [], [], [], [], 3)
    np.testing.assert_allclose(support(cone, [1.0, -2.0, 0.5]).value, 3.5)
    np.testing.assert_allclose(support(cone, np.zeros(3)).upper, 0, atol=1e-12)


def test_zero_direction_and_constants():
    for cone in (grid_cone(4), grid_cone(20)):
        assert support(cone, np.zeros(cone.dim)).upper <= 1e-12
        np.testing.assert_allclose(support(cone, np.ones(cone.dim)).value, cone.dim, rtol=1e-6)


def test_episodes_that_end_without_discount():
    table = np.zeros((3, 2, 3))
    table[0, 0, 1] = table[0, 1, 2] = table[1, 0, 2] = table[1, 1, 0] = 1
    table[1, 1] = [0.5, 0, 0.5]
    table[2, :, 2] = 1
    env, family = ii.Environment(table, 1.0), StateRewards(3)
    cone = make_cone([env], family, [np.array([[1, 0], [1, 0], [1, 1]], bool)])
    assert cone.blocks[0].value_bound >= 3 - 1e-9
    for direction in directions_of(3, 3):
        found = support(cone, direction)
        np.testing.assert_allclose([found.value, found.upper], generic(cone, direction), atol=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "dim: was 0"),
        ({"dim": 5}, r"features\[0\]: should have shape \(8, 5\)"),
        ({"discounts": [1.5]}, r"discounts\[0\]: was 1.5"),
        ({"discounts": []}, "same length"),
        ({"shown": [np.zeros((4, 2), bool)]}, r"shown\[0\]: state 0 is observed"),
        ({"shown": [np.ones(4, bool)]}, r"shown\[0\]: should have shape \(S, A\)"),
        ({"observed": [np.ones(3, bool)]}, r"observed\[0\]: should have shape \(4,\)"),
        ({"shaping": [np.full((8, 4), np.nan)]}, r"shaping\[0\]: holds an entry that is not finite"),
    ],
)
def test_bad_cones_are_refused(change, message):
    env = random_environment(0, 4, 2)
    good = {
        "shaping": [env.shaping],
        "features": [StateRewards(4).matrix(env)],
        "shown": [np.ones((4, 2), bool)],
        "observed": [np.ones(4, bool)],
        "discounts": [0.9],
        "dim": 4,
    }
    with pytest.raises(ValueError, match=message):
        Cone(**(good | change))


@pytest.mark.parametrize(("direction", "message"), [([1.0], "shape"), ([1.0, np.nan, 0, 0], r"direction\[1\] is nan")])
def test_bad_directions_are_refused(direction, message):
    env = random_environment(0, 4, 2)
    with pytest.raises(ValueError, match=message):
        support(make_cone([env], StateRewards(4), [np.ones((4, 2), bool)]), direction)
