"""A primal-dual interior point for the eliminated cone, on a band Cholesky factorisation.

Mehrotra's (1992) predictor and corrector with Gondzio's (1996) centrality corrections, for

    max c . u   over   A u + b - s = 0,  s >= 0,   E u = 0,        A = [G; T; -T],   b = [0; 1; 1],

with multipliers ``y >= 0`` of the rows A and ``z`` of E.  A Newton step solves

    (A^T W A + rho) du - E^T dz = r,      E du + delta dz = q,      W = diag(y / s),

through the positive definite ``A^T W A + rho + E^T E / delta`` (primal-dual regularisation: Friedlander & Orban 2012),
and iterative refinement removes both regularisations from the step.  For local dynamics the matrix is a band, which
LAPACK's ``pbtrf`` factorises at the speed of dense algebra: n unknowns of bandwidth w cost n w^2 operations.  Its
blocks are small: let linear algebra run in one thread (``OMP_NUM_THREADS=1``), more are slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from irl_ident.environment import Array
from irl_ident.identified.elimination import Eliminated
from irl_ident.identified.lifted import Indices

PENALTY = 1e6
"""1 / delta."""

REGULARISATION = 1e-12
"""rho; a hundred times more after a failure to factorise, up to ``LARGEST_REGULARISATION``, and less again later."""

LARGEST_REGULARISATION = 1e-3
CORRECTIONS = 3
STEP_SHARE = 0.995
"""How much of the way to the boundary a step goes."""

REFINED = 1e-12
ROUNDS = 2
"""Relative residual of a Newton step at which refinement stops, and the most solves that one takes."""


@dataclass(frozen=True, eq=False)
class Iterate:
    """Where the method is.

    Attributes
    ----------
    theta : array (d,)
    hidden : tuple of array
        Values of states without observation.
    multipliers : array (rows,)
        Of all lifted rows; 0 where a row was used to eliminate a reward, for the balance of the cone to decide.
    value, gap : float
        ``c . theta``, and how far the dual objective is from it.
    """

    theta: Array
    hidden: tuple[Array, ...]
    multipliers: Array
    value: float
    gap: float


@dataclass(frozen=True, eq=False)
class Band:
    """Scatter maps from row weights to the lower band of ``rows^T diag(weights) rows``, for A and E."""

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

    @cached_property
    def _products(self) -> tuple[Indices, sparse.csr_array]:
        return _products(self.rows, self.form.bandwidth)

    @cached_property
    def _penalty(self) -> Array:
        band = np.zeros((self.form.bandwidth + 1) * self.form.unknowns)
        places, products = _products(self.form.equal, self.form.bandwidth)
        band[places] = PENALTY * (products @ np.ones(products.shape[1]))
        return band

    def factor(self, weights: Array, regularisation: float) -> Callable[[Array], Array] | None:
        """A solver for the Newton matrix, or None where rounding makes it indefinite."""
        places, products = self._products
        band = self._penalty.copy()
        band[places] += products @ weights
        band[:: self.form.bandwidth + 1] += regularisation
        lower = band.reshape((self.form.bandwidth + 1, self.form.unknowns), order="F")
        factor, failure = lapack.dpbtrf(lower, lower=1, overwrite_ab=1)
        if failure:
            return None
        return lambda right: np.asarray(lapack.dpbtrs(factor, right, lower=1)[0])


def iterates(band: Band, direction: Array) -> Iterator[Iterate]:
    """Interior points ever closer to the maximum of ``direction . theta``; ends where rounding allows no further step.

    Parameters
    ----------
    band : Band
    direction : array (d,)
        Not 0.
    """
    form, equal = band.form, band.form.equal
    inner, dim = form.at_least.shape[0], form.theta.shape[0]
    size = float(np.abs(direction).max())
    cost = form.theta.T @ (direction / size)
    offset = np.concatenate([np.zeros(inner), np.ones(2 * dim)])

    def apply(u: Array) -> Array:
        product = band.rows @ u
        return np.concatenate([product, -product[inner:]])

    def adjoint(y: Array) -> Array:
        return np.asarray(band.transposed @ np.concatenate([y[:inner], y[inner : inner + dim] - y[inner + dim :]]))

    u, z = np.zeros(form.unknowns), np.zeros(equal.shape[0])
    s, y = np.ones(offset.size), np.full(offset.size, 0.1)
    regularisation = REGULARISATION
    for step in count():
        primal, dual, tie = apply(u) + offset - s, cost + adjoint(y) + band.equal_transposed @ z, equal @ u
        value, bound = float(cost @ u), float(y[inner:].sum())
        if step:
            yield _iterate(form, u, y, z, size, value, abs(bound - value))
        weights = y / s
        folded = np.concatenate([weights[:inner], weights[inner : inner + dim] + weights[inner + dim :]])
        regularisation = max(REGULARISATION, regularisation / 1e4)
        while (solve := band.factor(folded, regularisation)) is None:
            regularisation *= 100
            if regularisation > LARGEST_REGULARISATION:
                return
        newton = _Newton(band, folded, solve)
        mu = float(s @ y) / s.size

        def direct(target: Array, share: float) -> tuple[Array, Array, Array, Array]:
            """The step towards ``s y = target + s y``, removing ``share`` of the residuals."""
            du, dz = newton(share * dual + adjoint(target / s - share * weights * primal), -share * tie)  # noqa: B023
            ds = apply(du) + share * primal  # noqa: B023
            return du, dz, ds, target / s - weights * ds  # noqa: B023

        found = direct(-s * y, 1.0)
        reach = _reach(s, found[2]), _reach(y, found[3])
        affine = float((s + reach[0] * found[2]) @ (y + reach[1] * found[3])) / s.size
        centre = (affine / mu) ** 3 * mu
        found = direct(centre - s * y - found[2] * found[3], 1.0)
        reach = _reach(s, found[2]), _reach(y, found[3])
        for _ in range(CORRECTIONS):
            ahead = [min(1.0, 1.08 * r + 0.1) for r in reach]
            products = (s + ahead[0] * found[2]) * (y + ahead[1] * found[3])
            wanted = np.maximum(np.clip(products, 0.1 * centre, 10 * centre) - products, -10 * centre)
            better = [a + b for a, b in zip(found, direct(wanted, 0.0), strict=True)]
            farther = _reach(s, better[2]), _reach(y, better[3])
            if max(farther[0] - reach[0], farther[1] - reach[1]) < 0.01:
                break
            found, reach = (better[0], better[1], better[2], better[3]), farther
        ahead = [r if r == 1 else STEP_SHARE * r for r in reach]
        u, s = u + ahead[0] * found[0], s + ahead[0] * found[2]
        z, y = z + ahead[1] * found[1], y + ahead[1] * found[3]
        if max(ahead) < 1e-8 or not (np.isfinite(u).all() and np.isfinite(y).all()):
            return


@dataclass(frozen=True, eq=False)
class _Newton:
    """Solves ``A^T W A du - E^T dz = right``, ``E du = tie`` by refinement of the regularised system."""

    band: Band
    folded: Array
    solve: Callable[[Array], Array]

    def __call__(self, right: Array, tie: Array) -> tuple[Array, Array]:
        band, equal = self.band, self.band.form.equal
        du, dz = np.zeros(right.size), np.zeros(tie.size)
        missing, untied = right, tie
        goal = REFINED * (float(np.abs(right).max()) + float(np.abs(tie).max(initial=0)))
        for _ in range(ROUNDS):
            change = self.solve(missing + PENALTY * (band.equal_transposed @ untied))
            du = du + change
            dz = dz + PENALTY * (untied - equal @ change)
            missing = right + band.equal_transposed @ dz - band.transposed @ (self.folded * (band.rows @ du))
            untied = tie - equal @ du
            if np.abs(missing).max() <= goal and np.abs(untied).max(initial=0) <= goal:
                break
        return du, dz


def _reach(point: Array, step: Array) -> float:
    """The longest step, at most 1, that keeps every entry at least 0."""
    down = step < 0
    return float(min(1.0, (point[down] / -step[down]).min(initial=np.inf)))


def _iterate(form: Eliminated, u: Array, y: Array, z: Array, size: float, value: float, gap: float) -> Iterate:
    multipliers = np.zeros(form.lifted_rows)
    multipliers[form.origin] = size * form.scale * y[: form.origin.size]
    multipliers[form.equal_origin] = size * form.equal_scale * z
    return Iterate(form.theta @ u, tuple(u[columns] for columns in form.hidden), multipliers, size * value, size * gap)


def _products(rows: sparse.csr_array, bandwidth: int) -> tuple[Indices, sparse.csr_array]:
    """Places in the flattened lower band and the map from row weights to the sums that belong there."""
    lengths = np.diff(rows.indptr)
    places: list[Indices] = [np.zeros(0, np.int64)]
    sources: list[Indices] = [np.zeros(0, np.int64)]
    values: list[Array] = [np.zeros(0)]
    for length in np.unique(lengths[lengths > 0]):
        chosen = np.flatnonzero(lengths == length)
        entries = rows.indptr[chosen][:, None] + np.arange(length)
        columns, data = rows.indices[entries].astype(np.int64), rows.data[entries]
        below = columns[:, :, None] >= columns[:, None, :]
        flat = columns[:, :, None] + bandwidth * columns[:, None, :]
        places.append(flat[below])
        values.append((data[:, :, None] * data[:, None, :])[below])
        sources.append(np.broadcast_to(chosen[:, None, None], below.shape)[below])
    unique, index = np.unique(np.concatenate(places), return_inverse=True)
    summands = (np.concatenate(values), (index.ravel(), np.concatenate(sources)))
    return unique, sparse.csr_array(summands, shape=(unique.size, rows.shape[0]))
