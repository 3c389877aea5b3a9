"""Open directions by name.

Given the linear span of the directions in which the evidence lets a reward move, say of each *why* it is open, in the
order: what no experiment can resolve (constant, redistribution, shaping of transitions), what was never visited, what a
symmetry of the environments hides, what shapes every one of them by one potential (Ng, Harada & Russell 1999), the
scale (optimal agents only), and what is left, which another environment could resolve.  Each direction is named once,
under the first reason that applies, and the bases together span the open directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from irl_ident.environment import Array
from irl_ident.identified.observed import System
from irl_ident.identified.report import Ambiguity, Kind
from irl_ident.rewards import RewardFamily
from irl_ident.transitions import visited

INSIDE = 1e-8
"""A unit vector within this distance of a subspace lies in it."""

SYMMETRY_STATES = 300
"""Interchangeable states are looked for up to this number of states."""

SHAPING_UNKNOWNS = 3_000
"""Common potentials are looked for up to this number of parameters and states together."""


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Directions that would be open for one reason, as columns, with what each is called."""

    kind: Kind
    columns: Array
    words: tuple[str, ...]
    representational: bool


def name_directions(
    open_basis: Array, family: RewardFamily, systems: Sequence[System], scale: Array | None
) -> tuple[Ambiguity, ...]:
    """Name the open directions.

    Parameters
    ----------
    open_basis : array (d, m)
        Orthonormal.
    family : RewardFamily
    systems : sequence of System
        What was seen.
    scale : array (d,), optional
        A member whose multiples are members too.

    Returns
    -------
    tuple of Ambiguity
        Kinds without directions are left out.
    """
    named = np.zeros((family.dim, 0))
    found = []
    for candidates in _reasons(family, systems, scale):
        basis, words = _new_directions(candidates, open_basis, named)
        if basis.shape[1]:
            found.append(Ambiguity(candidates.kind, basis, words, candidates.representational))
            named = linalg.orth(np.column_stack([named, basis]), rcond=INSIDE)
    rest = _complement(open_basis, named)
    if rest.shape[1]:
        basis, pivots = _one_parameter_each(rest)
        names = family.named_in(system.env for system in systems)
        found.append(Ambiguity("experimental", basis, tuple(names[p] for p in pivots), False))
    return tuple(found)


def _reasons(family: RewardFamily, systems: Sequence[System], scale: Array | None) -> list[_Candidates]:
    discounts = [system.env.discount for system in systems] or [0.0]
    representational = family.representational(discounts)
    reasons = []
    if "constant" in representational:
        reasons.append(_Candidates("constant", representational["constant"], ("the same added to every reward",), True))
    if "redistribution" in representational:
        columns = representational["redistribution"]
        words = tuple(f"features that cancel, no. {i}" for i in range(columns.shape[1]))
        reasons.append(_Candidates("redistribution", columns, words, True))
    if "shaping" in representational:
        columns = representational["shaping"]
        words = ("shaping of transitions by a potential",) * columns.shape[1]
        reasons.append(_Candidates("shaping", columns, words, True))
    if systems:
        reasons += [_unvisited(family, systems), _symmetries(systems), _shapings(systems)]
    if scale is not None:
        reasons.append(_Candidates("scale", scale[:, None], ("all rewards times a positive number",), True))
    return reasons


def _unvisited(family: RewardFamily, systems: Sequence[System]) -> _Candidates:
    """Parameters that are read only in states that were not observed, and not as the end of what was."""
    read = np.zeros(family.dim, dtype=bool)
    for system in systems:
        reached = visited(system.env.transitions, system.observed, system.shown)
        rows = np.repeat(system.observed | (reached & system.known), system.env.n_actions)
        read[system.features[rows].indices] = True
    columns = np.flatnonzero(~read)
    names = family.named_in(system.env for system in systems) if columns.size else ()
    words = tuple(f"{names[j]}: {_where(systems, int(j))}" for j in columns)
    return _Candidates("unvisited", np.eye(family.dim)[:, columns], words, False)


def _where(systems: Sequence[System], parameter: int) -> str:
    """Why nothing is known of a parameter, by the states that would read it."""
    states = {
        system.env.states[row // system.env.n_actions]
        for system in systems
        for row in sparse.csc_array(system.features[:, [parameter]]).indices
    }
    if not states:
        return "never collected in these environments"
    return f"{states.pop()} never reached" if len(states) == 1 else f"{len(states)} states never reached"


def _symmetries(systems: Sequence[System]) -> _Candidates:
    """Differences of states that can be interchanged in every environment and all that was seen there."""
    n_states = systems[0].env.n_states
    dim = systems[0].features.shape[1]
    pairs = _interchangeable(systems) if n_states <= SYMMETRY_STATES else []
    columns, words = [], []
    for s, t in pairs:
        difference = np.zeros(n_states)
        difference[[s, t]] = 1, -1
        theta, residual = _explained(
            systems, [np.repeat(difference, system.env.n_actions)[:, None] for system in systems]
        )
        if residual[0] < INSIDE:
            columns.append(theta[:, 0])
            names = systems[0].env.states
            words.append(f"{names[s]} and {names[t]} are interchangeable")
    return _Candidates("symmetry", np.array(columns).reshape(-1, dim).T, tuple(words), False)


def _interchangeable(systems: Sequence[System]) -> list[tuple[int, int]]:
    """Pairs of states whose exchange changes nothing."""
    n_states = systems[0].env.n_states
    tables = [(system.env.dense(), system.shown, system.strict, system.observed) for system in systems]
    flows = np.concatenate([table.sum(axis=(0, 1))[None] for table, *_ in tables])
    alike = np.isclose(flows[:, :, None], flows[:, None, :], atol=1e-9).all(axis=0)
    found = []
    for s, t in zip(*np.nonzero(np.triu(alike, 1)), strict=True):
        order = np.arange(n_states)
        order[[s, t]] = t, s
        if all(
            np.array_equal(shown[s], shown[t])
            and np.array_equal(strict[s], strict[t])
            and observed[s] == observed[t]
            and np.allclose(table[s][:, order], table[t], rtol=0, atol=1e-12)
            and np.allclose(table[:, :, s][other], table[:, :, t][other], rtol=0, atol=1e-12)
            for table, shown, strict, observed in tables
            for other in [np.setdiff1d(order, [s, t])]
        ):
            found.append((int(s), int(t)))
    return found


def _shapings(systems: Sequence[System]) -> _Candidates:
    """Rewards that are the shaping of one potential in every environment; another environment may resolve them."""
    n_states = systems[0].env.n_states
    dim = systems[0].features.shape[1]
    if dim + n_states > SHAPING_UNKNOWNS:
        return _Candidates("shaping", np.zeros((dim, 0)), (), False)
    theta, residual = _explained(systems, [system.env.shaping.toarray() for system in systems])
    local = np.flatnonzero(residual < INSIDE)
    features = np.vstack([system.features.toarray() for system in systems])
    unit = np.abs(features).max(initial=0) or 1.0
    potentials = np.vstack([system.env.shaping.toarray() for system in systems])
    general = linalg.null_space(np.hstack([features / unit, -potentials]), rcond=INSIDE)[:dim]
    names = systems[0].env.states
    words = (
        tuple(f"shaping at {names[s]}" for s in local)
        + ("shaping by a potential on several states",) * general.shape[1]
    )
    return _Candidates("shaping", np.column_stack([theta[:, local], general]), words, False)


def _explained(systems: Sequence[System], rewards: Sequence[Array]) -> tuple[Array, Array]:
    """Parameters that give these rewards in every environment, and how far they are from giving them."""
    features = np.vstack([system.features.toarray() for system in systems])
    wanted = np.vstack(rewards)
    theta = linalg.lstsq(features, wanted, cond=INSIDE)[0]
    size = np.maximum(np.linalg.norm(wanted, axis=0), np.finfo(float).tiny)
    return theta, np.linalg.norm(features @ theta - wanted, axis=0) / size


def _new_directions(candidates: _Candidates, open_basis: Array, named: Array) -> tuple[Array, tuple[str, ...]]:
    """The candidates that are open and independent of what is named already.

    Columns that are open by themselves keep their words; combinations of columns are used only for what those leave.
    """
    inside: list[Array] = []
    words: list[str] = []
    span = named
    shared = _intersection(candidates.columns, open_basis)
    wanted = _complement(shared, named).shape[1]
    norms = np.linalg.norm(candidates.columns, axis=0)
    for column, norm, word in zip(candidates.columns.T, norms, candidates.words, strict=True):
        if len(inside) == wanted:
            break
        unit = column / norm if norm > 0 else column
        is_open = np.linalg.norm(unit - open_basis @ (open_basis.T @ unit)) < INSIDE
        fresh = unit - span @ (span.T @ unit)
        if norm > 0 and is_open and np.linalg.norm(fresh) > INSIDE:
            inside.append(column)
            words.append(word)
            span = np.column_stack([span, fresh / np.linalg.norm(fresh)])
    if len(inside) < wanted:
        rest = _complement(shared, span)
        inside += list(rest.T)
        words += [f"a combination of {candidates.words[0]} and others"] * rest.shape[1]
    return np.array(inside).reshape(-1, open_basis.shape[0]).T, tuple(words)


def _intersection(columns: Array, basis: Array) -> Array:
    """Orthonormal basis of the directions in both spans: principal angles of 0 (Björck & Golub 1973)."""
    spanned = linalg.orth(columns, rcond=INSIDE) if columns.size else np.zeros((basis.shape[0], 0))
    if not spanned.shape[1] or not basis.shape[1]:
        return np.zeros((basis.shape[0], 0))
    outside = spanned - basis @ (basis.T @ spanned)
    _, sines, right = np.linalg.svd(outside, full_matrices=True)
    padded = np.concatenate([sines, np.zeros(spanned.shape[1] - sines.size)])
    return np.asarray(spanned @ right[padded < INSIDE].T)


def _complement(basis: Array, named: Array) -> Array:
    """Orthonormal basis of what ``basis`` spans beyond ``named`` (orthonormal columns)."""
    if not basis.shape[1]:
        return basis
    left, sines, _ = np.linalg.svd(basis - named @ (named.T @ basis), full_matrices=False)
    return np.asarray(left[:, sines > INSIDE])


def _one_parameter_each(basis: Array) -> tuple[Array, list[int]]:
    """The same span, each column with a parameter of its own that the other columns leave alone."""
    _, _, order = linalg.qr(basis.T, pivoting=True, mode="economic")
    pivots = np.sort(order[: basis.shape[1]])
    return linalg.solve(basis[pivots].T, basis.T).T, [int(p) for p in pivots]
