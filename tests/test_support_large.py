"""Support functions of large sets: nested dissection, dense fronts, row generation, each against a plain twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from test_support import generic, grid_cone, make_cone, slippery_grid, small

import irl_ident as ii
from irl_ident import planning
from irl_ident.identified.cone import support as support_module
from irl_ident.identified.cone.candidates import candidates
from irl_ident.identified.cone.dissection import dissected
from irl_ident.identified.cone.elimination import eliminated
from irl_ident.identified.cone.generating import Generated
from irl_ident.identified.cone.multifrontal import Symbolic
from irl_ident.identified.cone.newton import Band, Fronts
from irl_ident.identified.cone.program import reduced
from irl_ident.identified.cone.support import (
    _by_interior_point,
    _chosen_engine,
    certify,
    engine_of,
    support,
    supports,
)
from irl_ident.rewards import LinearRewards, StateRewards


def random_spd(seed, n, density):
    """A random sparse symmetric positive definite matrix, in one or several parts."""
    rng = np.random.default_rng(seed)
    half = sparse.random_array((n, n), density=density, rng=rng, format="csr")
    return sparse.csr_array(half @ half.T + sparse.diags_array(rng.uniform(0.5, 2, n)))


def grid_laplacian(side):
    path = sparse.diags_array([-np.ones(side - 1), np.full(side, 2.1), -np.ones(side - 1)], offsets=[-1, 0, 1])
    eye = sparse.eye_array(side)
    return sparse.csr_array(sparse.kron(path, eye) + sparse.kron(eye, path))


def symbolic_of(matrix, group=None):
    lower = sparse.tril(matrix).tocoo()
    group = np.arange(matrix.shape[0]) if group is None else group
    dissection = dissected(matrix, group)
    return Symbolic(dissection, lower.row.astype(np.int64), lower.col.astype(np.int64)), lower.data


@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([1, 2, 7, 60, 300]),
    density=st.sampled_from([0.0, 0.004, 0.05, 0.3]),
    size=st.sampled_from([1, 3]),
)
@settings(max_examples=30, deadline=None)
def test_fronts_solve_any_positive_definite_system(seed, n, density, size):
    matrix = random_spd(seed, n, density)
    symbolic, values = symbolic_of(matrix, np.arange(n) // size)
    factor = symbolic.factor(values)
    right = np.random.default_rng(seed).standard_normal(n)
    np.testing.assert_allclose(factor.solve(right), np.linalg.solve(matrix.toarray(), right), rtol=1e-9, atol=1e-9)
    assert (
        symbolic.factor(values - np.where(sparse.tril(matrix).tocoo().row == sparse.tril(matrix).tocoo().col, 1e3, 0))
        is None
    )


@pytest.mark.parametrize("side", [11, 40])
def test_no_edge_joins_what_a_separator_parts(side):
    matrix = grid_laplacian(side)
    found = dissected(matrix, np.arange(side * side))
    np.testing.assert_array_equal(np.sort(found.order), np.arange(side * side))
    dense = np.linalg.cholesky(matrix.toarray()[np.ix_(found.order, found.order)])
    inside = np.zeros(dense.shape, bool)
    for front in found.fronts:
        columns = np.arange(front.start, front.stop)
        inside[np.ix_(np.concatenate([columns, front.boundary]), columns)] = True
    assert np.abs(dense[~inside]).max() == 0
    assert sum(front.stop - front.start for front in found.fronts) == side * side


def test_operations_grow_like_those_of_a_planar_graph():
    small_one, large_one = (dissected(grid_laplacian(side), np.arange(side * side)) for side in (25, 100))
    assert large_one.operations < 2 * 4**3 * small_one.operations  # a band: 4**4 times as many
    assert large_one.operations < 0.5 * 100**4


@pytest.mark.parametrize("ties", [False, True])
def test_fronts_and_band_take_the_same_way(ties):
    cone = grid_cone(12, ties=ties)
    form, rng = eliminated(cone), np.random.default_rng(0)
    band, fronts = Band(form), Fronts(form)
    weights = 10 ** rng.uniform(-3, 3, band.rows.shape[0])
    right = rng.standard_normal(form.unknowns)
    expected = (band.transposed @ sparse.diags_array(weights) @ band.rows + 1e6 * form.equal.T @ form.equal).toarray()
    expected[np.diag_indices(form.unknowns)] *= 1 + 1e-6
    for newton in (band, fronts):
        solution = newton.factor(weights, 1e-6)(right)
        np.testing.assert_allclose(expected @ solution, right, atol=1e-5)
    direction = rng.standard_normal(cone.dim)
    truth, found = generic(cone, direction), _by_interior_point(cone, fronts, direction)
    np.testing.assert_allclose(found.value, truth, rtol=1e-6)
    assert found.upper >= truth - 1e-8
    assert found.status == "optimal"


def test_wide_bands_are_dissected(monkeypatch):
    cone = grid_cone(20)
    monkeypatch.setattr(support_module, "BAND_OPERATIONS", 0)
    assert isinstance(_chosen_engine(cone), Fronts)


def few(side, d, seed, *, ties=False):
    """d bumps on a grid as features, in three environments."""
    rng = np.random.default_rng(seed)
    environments = [slippery_grid(side, 10 * seed + i, slip=0.0 if ties else None) for i in range(3)]
    cells = np.stack(np.divmod(np.arange(side * side), side), axis=1)
    centres = rng.random((d, 2)) * side
    bumps = np.exp(-((cells[:, None] - centres) ** 2).sum(axis=2) / (side / 3) ** 2)
    family, theta = LinearRewards(np.repeat(bumps[:, None, :], 4, axis=1)), rng.standard_normal(d)
    shown = []
    for env in environments:
        q = planning.optimal(env, family.reward(env, theta), tolerance=1e-10).q
        shown.append(q >= q.max(axis=1, keepdims=True) - 1e-7)
    return make_cone(environments, family, shown)


@pytest.mark.parametrize(("seed", "ties"), [(0, False), (1, False), (2, True)])
def test_generated_rows_are_enough(seed, ties):
    cone = few(9, 5, seed, ties=ties)
    program, everything = Generated(cone), reduced(cone)
    for place, direction in enumerate(np.random.default_rng(seed).standard_normal((4, 5))):
        answer = program.solve(direction, warm=place > 0)
        found = certify(cone, direction, answer.theta, answer.hidden, answer.multipliers, answer.status)
        truth = direction @ everything.solve(direction, warm=False).theta
        np.testing.assert_allclose([found.value, found.upper], truth, atol=1e-7)
        assert found.violation <= 1e-9
        assert found.status == "optimal"
    assert program._kept["origin"].size < cone.rows.shape[0] / 2


@given(seed=st.integers(0, 10_000), ties=st.booleans())
@settings(max_examples=15, deadline=None)
def test_generated_rows_on_random_environments(seed, ties):
    features = np.random.default_rng(seed).standard_normal((4, 3, 3))
    environments, family, policies = small(seed, 4, 3, 2, LinearRewards(features), ties=ties)
    cone = make_cone(environments, family, [policy > 0 for policy in policies])
    direction = np.random.default_rng(seed).standard_normal(3)
    answer = Generated(cone).solve(direction, warm=False)
    np.testing.assert_allclose(direction @ answer.theta, generic(cone, direction), atol=1e-7)


def test_few_parameters_go_to_row_generation(monkeypatch):
    monkeypatch.setattr(support_module, "SIMPLEX_ENTRIES", 0)
    cone, again = few(8, 4, 0), few(8, 4, 0)
    directions = np.random.default_rng(0).standard_normal((3, 4))
    batch = list(supports(cone, directions))
    assert all(found.solver.startswith("row generation") for found in batch)
    for direction, found in zip(directions, batch, strict=True):
        np.testing.assert_allclose(found.upper, generic(cone, direction), atol=1e-7)
    np.testing.assert_array_equal(support(again, directions[2]).theta, support(cone, directions[2]).theta)


@pytest.mark.parametrize("large", ["Band", "Generated"])
def test_a_member_found_by_planning_spares_the_hull(monkeypatch, large):
    monkeypatch.setattr(support_module, "SIMPLEX_ENTRIES", 0)
    monkeypatch.setattr(support_module, "FEW_UNKNOWNS", 64 if large == "Generated" else 0)
    rng, environments = np.random.default_rng(0), [slippery_grid(5, seed) for seed in range(2)]
    family = LinearRewards(rng.standard_normal((25, 4, 4))) if large == "Generated" else StateRewards(25)
    agent = ii.agents.Optimal(family, rng.standard_normal(family.dim))
    evidence = [(env, agent.policy(env)) for env in environments]
    ident = ii.identify(evidence, family)
    direction = rng.standard_normal(family.dim)
    assert type(engine_of(ident.cone)).__name__ == large
    value, _ = ident.support(direction)
    assert "hull" not in vars(ident)
    np.testing.assert_allclose(value, generic(ident.cone, direction), rtol=1e-6)
    assert any(ident.contains(theta) for theta in candidates(ident.cone))


def test_a_contradiction_has_no_candidate(monkeypatch):
    monkeypatch.setattr(support_module, "SIMPLEX_ENTRIES", 0)
    monkeypatch.setattr(support_module, "FEW_UNKNOWNS", 0)
    env, family = slippery_grid(4, 0), StateRewards(16)
    one, other = (ii.agents.Optimal(family, np.random.default_rng(seed).standard_normal(16)) for seed in range(2))
    ident = ii.identify([(env, one.policy(env)), (env, other.policy(env))], family)
    assert ident.conflict is not None
    assert "hull" in vars(ident)


def test_evidence_that_grows_keeps_what_was_solved_in_each_environment():
    features = np.random.default_rng(0).normal(size=(36, 4, 3))
    family = LinearRewards(features)
    agent = ii.agents.Optimal(family, [0.3, -1.0, 0.6])
    worlds = [slippery_grid(6, seed) for seed in range(3)]
    policies = [agent.policy(env) for env in worlds]
    before = ii.identify(list(zip(worlds[:2], policies[:2], strict=True)), family)
    direction = np.array([1.0, 2.0, -1.0])
    before.support(direction)
    after = ii.identify([*before.evidence, (worlds[2], policies[2])], family)
    anew = ii.identify(list(zip(worlds, policies, strict=True)), family)
    assert all(new is old for new, old in zip(after.cone.blocks[:2], before.cone.blocks, strict=True))
    assert not any(new is old for new, old in zip(anew.cone.blocks, after.cone.blocks, strict=True))
    for grown, whole in zip(after.support(direction), anew.support(direction), strict=True):
        np.testing.assert_array_equal(grown, whole)
