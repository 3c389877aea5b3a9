"""Nested dissection of a symmetric sparse pattern into a tree of dense fronts (George 1973).

A graph that falls into parts without its *separator* is eliminated part by part, the separator last; each part
is cut in the same way until it is small.  For dynamics on a plane, S states, the factor has ``S log S`` entries and
costs ``S^1.5`` operations, where a band has ``S^1.5`` and ``S^2``.

A part is cut in two half-way between two vertices that are far from each other (George & Liu 1978 take a level of a
breadth-first search; half-way is straighter on a grid), and the separator is the smallest that covers the edges cut, by
König's theorem from a maximum matching.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_bipartite_matching

from irl_ident.environment import Mask
from irl_ident.identified.cone.lifted import Indices

LEAF = 96
"""A part with at most so many columns is one front."""

SWEEPS = 2
"""Searches from one far vertex to the next before a part is cut."""


@dataclass(frozen=True, eq=False)
class Front:
    """A dense block of the factor: columns ``start`` to ``stop`` and the later rows ``boundary`` below them.

    Attributes
    ----------
    start, stop : int
        In the new order.
    boundary : int (b,)
        Increasing; all at least ``stop``.
    children : tuple of int
        Fronts whose first boundary row is one of these columns.
    """

    start: int
    stop: int
    boundary: Indices
    children: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Dissection:
    """An order of the columns, and fronts such that children come before their parent.

    Attributes
    ----------
    order : int (n,)
        Old place of each column in the new order.
    fronts : tuple of Front
    """

    order: Indices
    fronts: tuple[Front, ...]

    @property
    def entries(self) -> int:
        """Entries of the factor, dense fronts counted whole."""
        return sum((f.stop - f.start) * (f.stop - f.start + f.boundary.size) for f in self.fronts)

    @property
    def operations(self) -> float:
        """Multiplications of one factorisation."""
        sizes = np.array([(f.stop - f.start, f.boundary.size) for f in self.fronts], dtype=float).reshape(-1, 2)
        m, b = sizes.T
        return float((m**3 / 3 + m**2 * b + m * b**2).sum())


def dissected(pattern: sparse.csr_array, group: Indices) -> Dissection:
    """Cut a symmetric pattern into fronts.

    Parameters
    ----------
    pattern : sparse (n, n)
        Symmetric; its values do not count.
    group : int (n,)
        Columns with the same number, from 0, are never separated: those of one state.
    """
    graph, weight = _quotient(pattern, group)
    parts = _parts(graph, weight)
    members = np.argsort(group, kind="stable")
    firsts = np.concatenate([[0], np.cumsum(weight)])
    columns = [
        np.concatenate([members[firsts[g] : firsts[g + 1]] for g in part]) if part.size else np.zeros(0, np.int64)
        for part in parts
    ]
    order = np.concatenate([np.zeros(0, np.int64), *columns]).astype(np.int64)
    stops = np.cumsum([part.size for part in columns])
    return Dissection(order, _fronts(pattern, order, stops[np.diff(stops, prepend=0) > 0]))


def _quotient(pattern: sparse.csr_array, group: Indices) -> tuple[sparse.csr_array, Indices]:
    """The graph of groups without loops, and how many columns each holds."""
    size = int(group.max(initial=-1)) + 1
    entries = pattern.tocoo()
    rows, columns = group[entries.row], group[entries.col]
    apart = rows != columns
    ones = np.ones(int(apart.sum()), dtype=np.int8)
    graph = sparse.csr_array((ones, (rows[apart], columns[apart])), shape=(size, size), dtype=np.float64)
    return graph, np.bincount(group, minlength=size)


def _parts(graph: sparse.csr_array, weight: Indices) -> list[Indices]:
    """Parts and separators in elimination order."""
    found: list[Indices] = []
    waiting = [(np.arange(graph.shape[0]), True)]
    while waiting:
        nodes, whole = waiting.pop()
        if not whole or weight[nodes].sum() <= LEAF or nodes.size < 4:
            found.append(nodes)
            continue
        inner = sparse.csr_array(graph[nodes][:, nodes])
        left, right, between = _cut(inner, weight[nodes])
        if not left.any() or not right.any():
            found.append(nodes)
            continue
        waiting += [(nodes[between], False), (nodes[right], True), (nodes[left], True)]
    return found


def _cut(graph: sparse.csr_array, weight: Indices) -> tuple[Mask, Mask, Mask]:
    """Two parts that no edge joins, and the separator."""
    count, label = connected_components(graph, directed=False)
    if count > 1:
        sizes = np.bincount(label, weights=weight)
        largest = int(sizes.argmax())
        if sizes[largest] < 0.75 * sizes.sum():
            fuller = np.zeros(count, bool)
            filled = 0.0
            for piece in np.argsort(-sizes, kind="stable"):
                if filled + sizes[piece] <= sizes.sum() / 2 or piece == largest:
                    fuller[piece], filled = True, filled + sizes[piece]
            left = fuller[label]
            return left, ~left, np.zeros(left.size, bool)
        inside = np.flatnonzero(label == largest)
        near, _, between = _cut(sparse.csr_array(graph[inside][:, inside]), weight[inside])
        left, middle = np.zeros(label.size, bool), np.zeros(label.size, bool)
        left[inside[near]], middle[inside[between]] = True, True
        return left, ~left & ~middle, middle
    steps = _distances(graph, int(np.diff(graph.indptr).argmin()))
    for _ in range(SWEEPS):
        before, steps = steps, _distances(graph, int(steps.argmax()))
    score = (steps - before).astype(float)
    order = np.argsort(score, kind="stable")
    half = int(np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2))
    left = np.zeros(score.size, bool)
    left[order[: half + 1]] = True
    return _covered(graph, left)


def _distances(graph: sparse.csr_array, start: int) -> Indices:
    """Edges from ``start`` to every vertex of a connected graph."""
    order, before = breadth_first_order(graph, start, directed=True)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    parent = place[before[order[1:]]]
    levels, first = np.zeros(order.size, dtype=np.int64), 1
    bounds = [0]
    while first < order.size:
        bounds.append(first)
        first = 1 + int(np.searchsorted(parent, first))
    levels[bounds[1:]] = 1
    distance = np.empty(order.size, dtype=np.int64)
    distance[order] = np.cumsum(levels)
    return distance


def _covered(graph: sparse.csr_array, left: Mask) -> tuple[Mask, Mask, Mask]:
    """Take the smallest vertex cover of the edges between ``left`` and the rest out of both."""
    entries = graph.tocoo()
    across = left[entries.row] & ~left[entries.col]
    ours, our_place = np.unique(entries.row[across], return_inverse=True)
    theirs, their_place = np.unique(entries.col[across], return_inverse=True)
    ones = np.ones(our_place.size)
    edges = sparse.csr_array((ones, (our_place, their_place)), shape=(ours.size, theirs.size))
    partner = maximum_bipartite_matching(sparse.csr_matrix(edges), perm_type="column")
    matched = np.flatnonzero(partner >= 0)
    back: Any = sparse.csr_array((np.ones(matched.size), (partner[matched], matched)), shape=(theirs.size, ours.size))
    free = np.flatnonzero(partner < 0)
    root = sparse.csr_array((np.ones(free.size), (np.zeros(free.size, int), free)), shape=(1, ours.size))
    alternating: Any = sparse.block_array(
        [
            [None, root, sparse.csr_array((1, theirs.size))],
            [sparse.csr_array((ours.size, 1)), None, edges],
            [None, back, None],
        ],
        format="csr",
    )
    reached = np.zeros(1 + ours.size + theirs.size, bool)
    reached[breadth_first_order(alternating, 0, return_predecessors=False)] = True
    between = np.zeros(left.size, bool)
    between[ours[~reached[1 : 1 + ours.size]]] = True
    between[theirs[reached[1 + ours.size :]]] = True
    return left & ~between, ~left & ~between, between


def _fronts(pattern: sparse.csr_array, order: Indices, stops: Indices) -> tuple[Front, ...]:
    """Fronts of consecutive columns that end at ``stops``, with what elimination fills in."""
    place = np.argsort(order)
    ordered = sparse.csr_array(pattern[order])
    later = place[ordered.indices]
    front_of = np.repeat(np.arange(stops.size), np.diff(stops, prepend=0))
    found: list[Front] = []
    pending: list[list[int]] = [[] for _ in stops]
    for number, (start, stop) in enumerate(zip(np.concatenate([[0], stops[:-1]]), stops, strict=True)):
        own = later[ordered.indptr[start] : ordered.indptr[stop]]
        boundary = np.unique(np.concatenate([own, *(found[child].boundary for child in pending[number])]))
        boundary = boundary[boundary >= stop].astype(np.int64)
        found.append(Front(int(start), int(stop), boundary, tuple(pending[number])))
        if boundary.size:
            pending[front_of[boundary[0]]].append(number)
    return tuple(found)
