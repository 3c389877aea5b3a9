"""The cone with rewards eliminated: unknowns are values, constraints as local as the dynamics.

A chosen row whose features are one entry, ``phi theta_j = B V_e``, gives ``theta_j``.  For rewards on states one
environment gives all of them, ``theta = (I - g P_pi) V_1`` (a bijection), and the others are tied to it by
``(I - g P_pi_e) V_e = (I - g P_pi_1) V_1``.  Subtracting the chosen row of the same state from every other row leaves,
with ``u = (remaining theta, V_1, ..., V_k)``,

    max c . theta    over    theta = T u,  |T u|_inf <= 1,      E u = 0,      G u >= 0.

Rows of G are differences of two actions, ``(P_pi - P_a)(s) . V_e``; columns are ordered (reverse Cuthill-McKee, or as
given where that is better) so that ``G^T W G`` is a narrow band for dynamics that are local, as on a grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee

from irl_ident.environment import Array
from irl_ident.identified.cone.lifted import Cone, Indices

ROUNDING = 1e-14
"""Entries up to this (coefficients are of order 1) are what is left of entries that cancel."""


@dataclass(frozen=True, eq=False)
class Eliminated:
    """The program of the module's formula, columns in band order, rows of E and G scaled to largest entry 1.

    Attributes
    ----------
    theta : sparse (d, n)
        T.
    equal : sparse (m, n)
        E.
    at_least : sparse (l, n)
        G.
    origin, equal_origin : int (l,), int (m,)
        Place of each row of G and of E among the lifted rows of the cone.
    scale, equal_scale : array (l,), array (m,)
        What the lifted row was multiplied by.
    hidden : tuple of int (h_e,)
        Columns of the values of states without observation.
    lifted_rows : int
        Number of rows of the cone.
    group : int (n,)
        Columns that belong together, numbered from 0: the values of one state in all environments, or one reward.
    """

    theta: sparse.csr_array
    equal: sparse.csr_array
    at_least: sparse.csr_array
    origin: Indices
    scale: Array
    equal_origin: Indices
    equal_scale: Array
    hidden: tuple[Indices, ...]
    lifted_rows: int
    group: Indices

    @property
    def unknowns(self) -> int:
        """Number of unknowns, n."""
        return int(self.theta.shape[1])

    @cached_property
    def bandwidth(self) -> int:
        """Largest distance of two columns that share a row."""
        spans = [_spans(rows) for rows in (self.theta, self.equal, self.at_least)]
        return int(max(span.max(initial=0) for span in spans))


def eliminated(cone: Cone) -> Eliminated:
    """Eliminate what chosen rows determine, and order the rest."""
    lifted, marks = cone.rows, _marks(cone)
    pivots, columns, phi = _pivots(cone)
    kept = np.setdiff1d(np.arange(lifted.shape[1]), columns)
    position = np.full(lifted.shape[1], -1)
    position[kept] = np.arange(kept.size)
    solved = sparse.csr_array(sparse.diags_array(1 / phi) @ lifted[pivots][:, kept])
    explicit = np.setdiff1d(np.arange(cone.dim), columns)
    back = sparse.csr_array(
        (np.ones(explicit.size), (explicit, position[explicit])), shape=(cone.dim, kept.size)
    ) + sparse.csr_array(
        sparse.csr_array((np.ones(columns.size), (columns, np.arange(columns.size))), shape=(cone.dim, columns.size))
        @ solved
    )
    used = np.zeros(lifted.shape[0], bool)
    used[pivots] = True
    differences = sparse.csr_array(lifted - marks.base @ lifted)
    substituted = _clean(differences[:, kept] + _rewards(differences, cone.dim, explicit) @ back)
    plain = _clean(lifted[:, kept] + _rewards(lifted, cone.dim, explicit) @ back)
    tied, tied_origin, tied_scale = _scaled(substituted, marks.tied)
    chosen, chosen_origin, chosen_scale = _scaled(plain, marks.chosen[~used[marks.chosen]])
    at_least, origin, scale = _scaled(substituted, marks.others)
    equal = sparse.csr_array(sparse.vstack([chosen, tied], format="csr"))
    state = _states(kept, cone)
    order = _order(sparse.csr_array(sparse.vstack([abs(at_least), abs(equal), abs(back)], format="csr")), state)
    place = np.argsort(order)
    return Eliminated(
        sparse.csr_array(back[:, order]),
        sparse.csr_array(equal[:, order]),
        sparse.csr_array(at_least[:, order]),
        origin,
        scale,
        np.concatenate([chosen_origin, tied_origin]),
        np.concatenate([chosen_scale, tied_scale]),
        tuple(place[position[start + block.hidden]] for start, block in zip(cone.starts, cone.blocks, strict=False)),
        lifted.shape[0],
        _groups(state)[order],
    )


@dataclass(frozen=True, eq=False)
class _Marks:
    """Lifted rows by kind; ``base`` (rows, rows) maps every other row of a known state to its chosen row."""

    chosen: Indices
    tied: Indices
    others: Indices
    base: sparse.csr_array


def _marks(cone: Cone) -> _Marks:
    starts = np.cumsum([0, *(block.shown.size for block in cone.blocks)])
    empty = [np.zeros(0, np.int64)]
    kinds = [
        np.concatenate(empty + [start + rows for start, rows in zip(starts, parts, strict=False)])
        for parts in (
            [block.chosen for block in cone.blocks],
            [block.tied for block in cone.blocks],
            [block.others for block in cone.blocks],
        )
    ]
    chosen, tied, others = kinds
    base = np.full(starts[-1], -1)
    for start, block in zip(starts, cone.blocks, strict=False):
        own = np.full(block.known.size, -1)
        own[block.known] = start + block.chosen
        base[start : start + block.shown.size] = np.repeat(own, block.n_actions)
    base[chosen] = -1
    rows = np.flatnonzero(base >= 0)
    shape = (base.size, base.size)
    return _Marks(chosen, tied, others, sparse.csr_array((np.ones(rows.size), (rows, base[rows])), shape=shape))


def _pivots(cone: Cone) -> tuple[Indices, Indices, Array]:
    """Chosen rows with one reward each, those rewards, each taken once, and their features."""
    rows, columns, phi = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    taken, start = np.zeros(cone.dim, bool), 0
    for block in cone.blocks:
        features = sparse.csr_array(block.features[block.chosen])
        features.eliminate_zeros()
        single = np.flatnonzero(np.diff(features.indptr) == 1)
        rewards, first = np.unique(features.indices[features.indptr[single]], return_index=True)
        free = single[first[~taken[rewards]]]
        rows.append(start + block.chosen[free])
        columns.append(rewards[~taken[rewards]].astype(np.int64))
        phi.append(features.data[features.indptr[free]])
        taken[rewards] = True
        start += block.shown.size
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(phi)


def _rewards(rows: sparse.csr_array, dim: int, explicit: Indices) -> sparse.csr_array:
    """The reward part of ``rows``, without the rewards that stay unknowns."""
    gone = np.ones(dim)
    gone[explicit] = 0
    return sparse.csr_array(rows[:, :dim] @ sparse.diags_array(gone))


def _clean(rows: sparse.csr_array) -> sparse.csr_array:
    cleaned = sparse.csr_array(rows)
    cleaned.data[np.abs(cleaned.data) <= ROUNDING] = 0
    cleaned.eliminate_zeros()
    cleaned.sort_indices()
    return cleaned


def _scaled(rows: sparse.csr_array, places: Indices) -> tuple[sparse.csr_array, Indices, Array]:
    part = sparse.csr_array(rows[places])
    largest = abs(part).max(axis=1).toarray().ravel() if part.nnz else np.zeros(places.size)
    kept = np.flatnonzero(largest > 0)
    scale = 1 / largest[kept]
    return sparse.csr_array(sparse.diags_array(scale) @ part[kept]), places[kept], scale


def _states(kept: Indices, cone: Cone) -> Indices:
    """The state whose value each unknown is, -1 for rewards."""
    state = np.full(kept.size, -1)
    for start, block in zip(cone.starts, cone.blocks, strict=False):
        inside = (kept >= start) & (kept < start + block.known.size)
        state[inside] = kept[inside] - start
    return state


def _groups(state: Indices) -> Indices:
    alone = state < 0
    numbers = state.copy()
    numbers[alone] = state.max(initial=-1) + 1 + np.arange(alone.sum())
    return np.unique(numbers, return_inverse=True)[1].ravel().astype(np.int64)


def _order(rows: sparse.csr_array, state: Indices) -> Indices:
    """The better of reverse Cuthill-McKee and state by state, by bandwidth."""
    pattern = sparse.csr_array(rows.T @ rows)
    candidates = [
        np.argsort(state, kind="stable"),
        reverse_cuthill_mckee(sparse.csr_matrix(pattern), symmetric_mode=True),
    ]
    return min((np.asarray(order, dtype=np.int64) for order in candidates), key=lambda order: _width(pattern, order))


def _width(pattern: sparse.csr_array, order: Indices) -> int:
    place, entries = np.argsort(order), pattern.tocoo()
    return int(np.abs(place[entries.row] - place[entries.col]).max(initial=0))


def _spans(rows: sparse.csr_array) -> Indices:
    filled = np.flatnonzero(np.diff(rows.indptr))
    if not filled.size:
        return np.zeros(0, np.int64)
    starts = rows.indptr[filled]
    return np.maximum.reduceat(rows.indices, starts) - np.minimum.reduceat(rows.indices, starts)
