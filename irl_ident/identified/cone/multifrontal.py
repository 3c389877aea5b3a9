"""Sparse Cholesky factorisation by dense fronts (Duff & Reid 1983), at the speed of LAPACK.

Each front gathers its entries of the matrix and what its children leave behind, factorises its own columns and passes
on ``F22 - L21 L21^T``.  The tree and all places are worked out once; matrices of one pattern then cost only numbers.
Blocks are small: let linear algebra run in one thread (``OMP_NUM_THREADS=1``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas, lapack

from irl_ident.environment import Array
from irl_ident.identified.cone.dissection import Dissection
from irl_ident.identified.cone.lifted import Indices

Places = Indices | list[tuple[int, int, int]]

RUN = 6
"""Average length from which on consecutive places are worth copying as slices."""


@dataclass(frozen=True, eq=False)
class Factor:
    """``L`` by fronts: ``diagonal`` (m, m) lower and ``below`` (b, m)."""

    dissection: Dissection
    diagonal: tuple[Array, ...]
    below: tuple[Array, ...]

    def solve(self, right: Array) -> Array:
        """Solve ``L L^T x = right``, (n,)."""
        x = right[self.dissection.order]
        blocks = list(zip(self.dissection.fronts, self.diagonal, self.below, strict=True))
        for front, diagonal, below in blocks:
            part = blas.dtrsv(diagonal, x[front.start : front.stop], lower=1)
            x[front.start : front.stop] = part
            if front.boundary.size:
                x[front.boundary] -= below @ part
        for front, diagonal, below in reversed(blocks):
            part = x[front.start : front.stop]
            if front.boundary.size:
                part = part - x[front.boundary] @ below
            x[front.start : front.stop] = blas.dtrsv(diagonal, part, lower=1, trans=1)
        solution = np.empty_like(x)
        solution[self.dissection.order] = x
        return solution


@dataclass(frozen=True, eq=False)
class Symbolic:
    """Where the entries of matrices of one pattern go.

    Parameters
    ----------
    dissection : Dissection
    rows, columns : int (p,)
        Places of the entries of one triangle, each once, in the old order.
    """

    dissection: Dissection
    rows: Indices
    columns: Indices

    @cached_property
    def _scatter(self) -> tuple[Indices, Indices, tuple[tuple[Indices, Indices], ...]]:
        """Entries sorted by front, where each front's begin, and for each front flat places in both of its blocks.

        Entries of the diagonal block come before those below it.
        """
        place = np.argsort(self.dissection.order)
        one, other = place[self.rows], place[self.columns]
        row, column = np.maximum(one, other), np.minimum(one, other)
        stops = np.array([front.stop for front in self.dissection.fronts])
        owner = np.searchsorted(stops, column, side="right")
        outside = row >= stops[owner]
        sort = np.lexsort((outside, owner))
        firsts = np.searchsorted(owner[sort], np.arange(stops.size + 1))
        row, column, outside = row[sort], column[sort], outside[sort]
        places = []
        for front, start, stop in zip(self.dissection.fronts, firsts[:-1], firsts[1:], strict=True):
            m, b = front.stop - front.start, front.boundary.size
            split = start + int(np.searchsorted(outside[start:stop], True))
            inner = (row[start:split] - front.start) + m * (column[start:split] - front.start)
            lower = np.searchsorted(front.boundary, row[split:stop]) + b * (column[split:stop] - front.start)
            places.append((inner, lower))
        return sort, firsts, tuple(places)

    @cached_property
    def _passed(self) -> tuple[tuple[int, Places, Places], ...]:
        """For each front: how many boundary rows are its parent's columns, their places there, and the rest's."""
        fronts = self.dissection.fronts
        passed: list[tuple[int, Places, Places]] = [(0, [], [])] * len(fronts)
        for front in fronts:
            for child in front.children:
                boundary = fronts[child].boundary
                inside = int(np.searchsorted(boundary, front.stop))
                rest = np.searchsorted(front.boundary, boundary[inside:])
                passed[child] = inside, _runs(boundary[:inside] - front.start), _runs(rest)
        return tuple(passed)

    def factor(self, values: Array) -> Factor | None:
        """The Cholesky factor of the matrix with these entries (p,), or None where a pivot is not positive."""
        sort, firsts, places = self._scatter
        given = values[sort]
        diagonals: list[Array] = []
        belows: list[Array] = []
        left: dict[int, Array] = {}
        for number, front in enumerate(self.dissection.fronts):
            m, b = front.stop - front.start, front.boundary.size
            inner, lower = places[number]
            first, split = firsts[number], firsts[number] + inner.size
            top, below, rest = np.zeros(m * m), np.zeros(b * m), np.zeros((b, b), order="F")
            top[inner] = given[first:split]
            below[lower] = given[split : firsts[number + 1]]
            diagonal, under = top.reshape((m, m), order="F"), below.reshape((b, m), order="F")
            for child in front.children:
                update = left.pop(child)
                inside, columns, rows = self._passed[child]
                _add(diagonal, columns, columns, update[:inside, :inside])
                if len(rows):
                    _add(under, rows, columns, update[inside:, :inside])
                    _add(rest, rows, rows, update[inside:, inside:])
            diagonal, failure = lapack.dpotrf(diagonal, lower=1, clean=0, overwrite_a=1)
            if failure:
                return None
            if b:
                under = blas.dtrsm(1.0, diagonal, under, side=1, lower=1, trans_a=1, overwrite_b=1)
                left[number] = blas.dsyrk(-1.0, under, beta=1.0, c=rest, lower=1, overwrite_c=1)
            diagonals.append(diagonal)
            belows.append(under)
        return Factor(self.dissection, tuple(diagonals), tuple(belows))


def _runs(places: Indices) -> Places:
    """Increasing places as runs ``(first, end, shift)`` of consecutive ones, where those are few."""
    ends = np.flatnonzero(np.diff(places) != 1) + 1
    firsts, stops = np.concatenate([[0], ends]), np.append(ends, places.size)
    if not places.size or RUN * firsts.size > places.size:
        return places
    return [(int(i), int(j), int(places[i] - i)) for i, j in zip(firsts, stops, strict=True)]


def _add(target: Array, rows: Places, columns: Places, update: Array) -> None:
    """Add ``update`` at these places of ``target``; where both are runs, its lower triangle suffices for a square."""
    if isinstance(rows, np.ndarray) or isinstance(columns, np.ndarray):
        target.T[np.ix_(_listed(columns), _listed(rows))] += update.T
        return
    for first, stop, shift in columns:
        for i, j, down in rows:
            if rows is not columns or j > first:
                target[i + down : j + down, first + shift : stop + shift] += update[i:j, first:stop]


def _listed(places: Places) -> Indices:
    if isinstance(places, np.ndarray):
        return places
    return np.concatenate([np.arange(i, j) + shift for i, j, shift in places])
