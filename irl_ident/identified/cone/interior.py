"""A primal-dual interior point for the eliminated cone, on sparse Cholesky factorisations.

Mehrotra's (1992) predictor and corrector with Gondzio's (1996) centrality corrections, for

    max c . u   over   A u + b - s = 0,  s >= 0,   E u = 0,        A = [G; T; -T],   b = [0; 1; 1],

with multipliers ``y >= 0`` of the rows A and ``z`` of E.  A Newton step solves

    A^T W A du - E^T dz = r,      E du + delta dz = q,      W = diag(y / s),

through the positive definite ``A^T W A + E^T E / delta`` (dual regularisation: Friedlander & Orban 2012; see
``irl_ident.identified.cone.newton``) with its diagonal enlarged by a share of the size of rounding, and iterative
refinement removes both changes from the step, as far as the point that the step leads to gains from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from irl_ident.environment import Array
from irl_ident.identified.cone.elimination import Eliminated
from irl_ident.identified.cone.newton import PENALTY, Newton

SHIFT = 1e-15
"""Share by which diagonals are enlarged; ten times more after a failure to factorise, and half again in later steps."""

LARGEST_SHIFT = 1e-3
CORRECTIONS = 1
"""Centrality corrections a step; each saves some steps of few and costs solves, which are half of the work."""

STEP_SHARE = 0.995
"""How much of the way to the boundary a step goes."""

REFINED = 0.01
EXACT = 1e-11
ROUNDS = 3
"""Refinement of a Newton step stops where its residuals are such a share of what the step is to remove (or ``EXACT``,
for the cost's largest entry 1), and after so many solves."""


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
class _Point:
    """Unknowns and slacks, multipliers of equations and of rows; or a step of them."""

    u: Array
    s: Array
    z: Array
    y: Array

    @cached_property
    def weights(self) -> Array:
        """``y / s``."""
        return self.y / self.s

    @cached_property
    def mu(self) -> float:
        """The mean of ``s y``."""
        return float(self.s @ self.y) / self.s.size

    def __add__(self, other: _Point) -> _Point:
        return _Point(self.u + other.u, self.s + other.s, self.z + other.z, self.y + other.y)

    def reach(self, step: _Point) -> tuple[float, float]:
        """The longest shares, at most 1, of a step that keep slacks and multipliers at least 0."""
        return _reach(self.s, step.s), _reach(self.y, step.y)

    def moved(self, step: _Point, ahead: tuple[float, float]) -> _Point:
        """With shares of a step, of the unknowns and of the multipliers."""
        return _Point(
            self.u + ahead[0] * step.u,
            self.s + ahead[0] * step.s,
            self.z + ahead[1] * step.z,
            self.y + ahead[1] * step.y,
        )


@dataclass(frozen=True, eq=False)
class _Residuals:
    """What a point leaves of the three groups of linear equations: rows, multipliers and ties."""

    rows: Array
    balance: Array
    ties: Array


@dataclass(frozen=True, eq=False)
class _Program:
    """The program of the module's description, for one cost."""

    newton: Newton
    cost: Array

    @cached_property
    def offset(self) -> Array:
        """``b``."""
        inner, dim = self.newton.form.at_least.shape[0], self.newton.form.theta.shape[0]
        return np.concatenate([np.zeros(inner), np.ones(2 * dim)])

    def apply(self, u: Array) -> Array:
        """``A u``."""
        product = self.newton.rows @ u
        return np.concatenate([product, -product[self.newton.form.at_least.shape[0] :]])

    def folded(self, y: Array, sign: float) -> Array:
        """Entries of rows, those of the two sides of the box together: the other side's times ``sign``."""
        inner, dim = self.newton.form.at_least.shape[0], self.newton.form.theta.shape[0]
        return np.concatenate([y[:inner], y[inner : inner + dim] + sign * y[inner + dim :]])

    def adjoint(self, y: Array) -> Array:
        """``A^T y``."""
        return np.asarray(self.newton.transposed @ self.folded(y, -1))

    def residuals(self, point: _Point) -> _Residuals:
        """Of a point."""
        return _Residuals(
            self.apply(point.u) + self.offset - point.s,
            self.cost + self.adjoint(point.y) + self.newton.equal_transposed @ point.z,
            self.newton.form.equal @ point.u,
        )

    def bounds(self, point: _Point) -> tuple[float, float]:
        """Objectives of the program and of its dual."""
        return float(self.cost @ point.u), float(point.y[self.newton.form.at_least.shape[0] :].sum())


@dataclass(frozen=True, eq=False)
class _Steps:
    """Newton steps from one point, through one factorisation."""

    program: _Program
    point: _Point
    residuals: _Residuals
    solve: Callable[[Array], Array]

    def towards(self, target: Array, share: float) -> _Point:
        """The step towards ``s y = target + s y``, removing ``share`` of the residuals; refined in all unknowns.

        ``dy`` is a sum of corrections: computed from ``A du`` alone it would carry rounding times ``y / s``.
        """
        program, newton = self.program, self.program.newton
        equal, equal_transposed = newton.form.equal, newton.equal_transposed
        point, rows, balance, ties = self.point, self.residuals.rows, self.residuals.balance, self.residuals.ties
        weights = point.weights
        wanted = target / point.y - share * rows
        du, dy, dz = np.zeros(point.u.size), np.zeros(point.y.size), np.zeros(point.z.size)
        left, best, size = (-share * balance, wanted, -share * ties), (du, dy, dz), np.inf
        goal = max(EXACT, REFINED * float(np.abs(balance).max()))
        for _ in range(ROUNDS):
            change = self.solve(program.adjoint(weights * left[1]) - left[0] + PENALTY * (equal_transposed @ left[2]))
            du = du + change
            dy = dy + weights * (left[1] - program.apply(change))
            dz = dz + PENALTY * (left[2] - equal @ change)
            left = (
                -share * balance - program.adjoint(dy) - equal_transposed @ dz,
                wanted - dy / weights - program.apply(du),
                -share * ties - equal @ du,
            )
            unbalanced = sum(float(np.abs(part).max(initial=0)) for part in (left[0], left[2]))
            missing = unbalanced + float(np.abs(left[1] * np.minimum(weights, 1)).max())
            if not missing < size:
                break
            best, size = (du, dy, dz), missing
            if unbalanced <= goal and float(np.abs(left[1] * point.y).max()) <= REFINED * point.mu:
                break
        du, dy, dz = best
        return _Point(du, program.apply(du) + share * rows, dz, dy)

    def best(self) -> tuple[_Point, tuple[float, float]]:
        """Predictor, corrector and centrality corrections; and how far the step reaches."""
        point = self.point
        found = self.towards(-point.s * point.y, 1.0)
        reach = point.reach(found)
        affine = float((point.s + reach[0] * found.s) @ (point.y + reach[1] * found.y)) / point.s.size
        centre = (affine / point.mu) ** 3 * point.mu
        found = self.towards(centre - point.s * point.y - found.s * found.y, 1.0)
        reach = point.reach(found)
        for _ in range(CORRECTIONS):
            ahead = [min(1.0, 1.08 * r + 0.1) for r in reach]
            products = (point.s + ahead[0] * found.s) * (point.y + ahead[1] * found.y)
            wanted = np.maximum(np.clip(products, 0.1 * centre, 10 * centre) - products, -10 * centre)
            better = found + self.towards(wanted, 0.0)
            farther = point.reach(better)
            if max(farther[0] - reach[0], farther[1] - reach[1]) < 0.01:
                break
            found, reach = better, farther
        return found, reach


def iterates(newton: Newton, direction: Array) -> Iterator[Iterate]:
    """Interior points ever closer to the maximum of ``direction . theta``; ends where rounding allows no further step.

    Parameters
    ----------
    newton : Newton
    direction : array (d,)
        With 0 the points come near the centre of the set instead.
    """
    form = newton.form
    size = float(np.abs(direction).max()) or 1.0
    program = _Program(newton, form.theta.T @ (direction / size))
    rows = program.offset.size
    point = _Point(np.zeros(form.unknowns), np.ones(rows), np.zeros(form.equal.shape[0]), np.full(rows, 0.1))
    shift = SHIFT
    while True:
        weights = program.folded(point.weights, 1)
        shift = max(SHIFT, shift / 2)
        while (solve := newton.factor(weights, shift)) is None:
            shift *= 10
            if shift > LARGEST_SHIFT:
                return
        found, reach = _Steps(program, point, program.residuals(point), solve).best()
        primal, dual = (r if r == 1 else STEP_SHARE * r for r in reach)
        point = point.moved(found, (primal, dual))
        if max(primal, dual) < 1e-8 or not (np.isfinite(point.u).all() and np.isfinite(point.y).all()):
            return
        value, bound = program.bounds(point)
        yield _iterate(form, point, size, value, abs(bound - value))


def _reach(point: Array, step: Array) -> float:
    """The longest step, at most 1, that keeps every entry at least 0."""
    down = step < 0
    return float(min(1.0, (point[down] / -step[down]).min(initial=np.inf)))


def _iterate(form: Eliminated, point: _Point, size: float, value: float, gap: float) -> Iterate:
    multipliers = np.zeros(form.lifted_rows)
    multipliers[form.origin] = size * form.scale * point.y[: form.origin.size]
    multipliers[form.equal_origin] = size * form.equal_scale * point.z
    return Iterate(
        form.theta @ point.u, tuple(point.u[columns] for columns in form.hidden), multipliers, size * value, size * gap
    )
