"""The matrices of the interior point's Newton steps, and their factorisations.

    M = A^T W A + E^T E / delta,        W = diag(weights),

with its diagonal enlarged to ``(1 + shift) M_ii + FLOOR``: entries of M may differ by many orders of magnitude, and
whether rounding makes it indefinite depends on its diagonal's share alone (Demmel 1989; Higham 2002, theorem 10.7).

M sums over rows of ``A = [G; T]`` and ``E``; where each product of two entries of a row goes is worked out once.
``Band`` keeps the order in which the unknowns come, ``Fronts`` dissects them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from irl_ident.environment import Array
from irl_ident.identified.cone.dissection import Dissection, dissected
from irl_ident.identified.cone.elimination import Eliminated
from irl_ident.identified.cone.lifted import Indices
from irl_ident.identified.cone.multifrontal import Symbolic

PENALTY = 1e6
"""1 / delta."""

FLOOR = 1e-12
"""Keeps unknowns that no row knows of positive."""


@dataclass(frozen=True, eq=False)
class Newton(ABC):
    """The Newton matrices of one eliminated program."""

    form: Eliminated

    @cached_property
    def rows(self) -> sparse.csr_array:
        """``[G; T]``: the two sides of the box share their products."""
        return sparse.csr_array(sparse.vstack([self.form.at_least, self.form.theta], format="csr"))

    @cached_property
    def transposed(self) -> sparse.csr_array:
        """``[G; T]^T``."""
        return sparse.csr_array(self.rows.T)

    @cached_property
    def equal_transposed(self) -> sparse.csr_array:
        """``E^T``."""
        return sparse.csr_array(self.form.equal.T)

    @abstractmethod
    def factor(self, weights: Array, shift: float) -> Callable[[Array], Array] | None:
        """A solver for the enlarged matrix, or None where rounding makes it indefinite."""

    @cached_property
    def _entries(self) -> tuple[Indices, Indices, sparse.csr_array, Array]:
        """Rows and columns of the lower triangle, the map from weights to its entries, and what the penalty adds."""
        n = self.form.unknowns
        every = sparse.csr_array(sparse.vstack([self.rows, self.form.equal], format="csr"))
        flat, products = _products(every)
        weighted = self.rows.shape[0]
        penalty = np.asarray(PENALTY * products[:, weighted:].sum(axis=1), dtype=float).ravel()
        by_weights: sparse.csr_array = sparse.csr_array(products[:, :weighted])
        return flat // n, flat % n, by_weights, penalty

    def _values(self, weights: Array) -> Array:
        _, _, products, penalty = self._entries
        return np.asarray(products @ weights + penalty)


@dataclass(frozen=True, eq=False)
class Band(Newton):
    """Factorised as a band by LAPACK's ``pbtrf``: n unknowns of bandwidth w cost n w^2 operations."""

    def factor(self, weights: Array, shift: float) -> Callable[[Array], Array] | None:
        """A solver for the enlarged matrix, or None where rounding makes it indefinite."""
        row, column, _, _ = self._entries
        width = self.form.bandwidth
        band = np.zeros((width + 1) * self.form.unknowns)
        band[row + width * column] = self._values(weights)
        band[:: width + 1] = (1 + shift) * band[:: width + 1] + FLOOR
        lower = band.reshape((width + 1, self.form.unknowns), order="F")
        factor, failure = lapack.dpbtrf(lower, lower=1, overwrite_ab=1)
        if failure:
            return None
        return lambda right: np.asarray(lapack.dpbtrs(factor, right, lower=1)[0])


@dataclass(frozen=True, eq=False)
class Fronts(Newton):
    """Factorised by nested dissection."""

    @cached_property
    def dissection(self) -> Dissection:
        """The order of elimination."""
        row, column, _, _ = self._entries
        shape = (self.form.unknowns, self.form.unknowns)
        lower = sparse.csr_array((np.ones(row.size), (row, column)), shape=shape)
        return dissected(sparse.csr_array(lower + lower.T), self.form.group)

    @cached_property
    def _symbolic(self) -> Symbolic:
        row, column, _, _ = self._entries
        return Symbolic(self.dissection, row, column)

    def factor(self, weights: Array, shift: float) -> Callable[[Array], Array] | None:
        """A solver for the enlarged matrix, or None where rounding makes it indefinite."""
        values = self._values(weights)
        row, column, _, _ = self._entries
        values[row == column] = (1 + shift) * values[row == column] + FLOOR
        factor = self._symbolic.factor(values)
        return None if factor is None else factor.solve


def _products(rows: sparse.csr_array) -> tuple[Indices, sparse.csr_array]:
    """Places ``row * n + column`` of one triangle, diagonal included, and the map from row weights to their sums."""
    n = rows.shape[1]
    lengths = np.diff(rows.indptr)
    places: list[Indices] = [np.arange(n, dtype=np.int64) * (n + 1)]
    sources: list[Indices] = [np.zeros(n, np.int64)]
    values: list[Array] = [np.zeros(n)]
    for length in np.unique(lengths[lengths > 0]):
        chosen = np.flatnonzero(lengths == length)
        entries = rows.indptr[chosen][:, None] + np.arange(length)
        columns, data = rows.indices[entries].astype(np.int64), rows.data[entries]
        below = columns[:, :, None] >= columns[:, None, :]
        places.append((n * columns[:, :, None] + columns[:, None, :])[below])
        values.append((data[:, :, None] * data[:, None, :])[below])
        sources.append(np.broadcast_to(chosen[:, None, None], below.shape)[below])
    unique, index = np.unique(np.concatenate(places), return_inverse=True)
    summands = (np.concatenate(values), (index.ravel(), np.concatenate(sources)))
    return unique, sparse.csr_array(summands, shape=(unique.size, max(rows.shape[0], 1)))
