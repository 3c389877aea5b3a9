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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

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


def iterates(newton: Newton, direction: Array) -> Iterator[Iterate]:
    """Interior points ever closer to the maximum of ``direction . theta``; ends where rounding allows no further step.

    Parameters
    ----------
    newton : Newton
    direction : array (d,)
        With 0 the points come near the centre of the set instead.
    """
    form, equal = newton.form, newton.form.equal
    inner, dim = form.at_least.shape[0], form.theta.shape[0]
    size = float(np.abs(direction).max()) or 1.0
    cost = form.theta.T @ (direction / size)
    offset = np.concatenate([np.zeros(inner), np.ones(2 * dim)])

    def apply(u: Array) -> Array:
        product = newton.rows @ u
        return np.concatenate([product, -product[inner:]])

    def adjoint(y: Array) -> Array:
        return np.asarray(newton.transposed @ np.concatenate([y[:inner], y[inner : inner + dim] - y[inner + dim :]]))

    u, z = np.zeros(form.unknowns), np.zeros(equal.shape[0])
    s, y = np.ones(offset.size), np.full(offset.size, 0.1)
    shift = SHIFT
    for step in count():
        primal, dual, tie = apply(u) + offset - s, cost + adjoint(y) + newton.equal_transposed @ z, equal @ u
        value, bound = float(cost @ u), float(y[inner:].sum())
        if step:
            yield _iterate(form, u, y, z, size, value, abs(bound - value))
        weights = y / s
        folded = np.concatenate([weights[:inner], weights[inner : inner + dim] + weights[inner + dim :]])
        shift = max(SHIFT, shift / 2)
        while (solve := newton.factor(folded, shift)) is None:
            shift *= 10
            if shift > LARGEST_SHIFT:
                return
        mu = float(s @ y) / s.size

        def direct(target: Array, share: float) -> tuple[Array, Array, Array, Array]:
            """The step towards ``s y = target + s y``, removing ``share`` of the residuals; refined in all unknowns.

            ``dy`` is a sum of corrections: computed from ``A du`` alone it would carry rounding times ``y / s``.
            """
            wanted = target / y - share * primal  # noqa: B023
            du, dy, dz = np.zeros(u.size), np.zeros(y.size), np.zeros(z.size)  # noqa: B023
            left, best, size = (-share * dual, wanted, -share * tie), (du, dy, dz), np.inf  # noqa: B023
            goal = max(EXACT, REFINED * float(np.abs(dual).max()))  # noqa: B023
            for _ in range(ROUNDS):
                right = adjoint(weights * left[1]) - left[0] + PENALTY * (newton.equal_transposed @ left[2])  # noqa: B023
                change = solve(right)
                du = du + change
                dy = dy + weights * (left[1] - apply(change))  # noqa: B023
                dz = dz + PENALTY * (left[2] - equal @ change)
                left = (
                    -share * dual - adjoint(dy) - newton.equal_transposed @ dz,  # noqa: B023
                    wanted - dy / weights - apply(du),  # noqa: B023
                    -share * tie - equal @ du,  # noqa: B023
                )
                unbalanced = sum(float(np.abs(part).max(initial=0)) for part in (left[0], left[2]))
                missing = unbalanced + float(np.abs(left[1] * np.minimum(weights, 1)).max())  # noqa: B023
                if not missing < size:
                    break
                best, size = (du, dy, dz), missing
                if unbalanced <= goal and float(np.abs(left[1] * y).max()) <= REFINED * mu:  # noqa: B023
                    break
            return best[0], best[2], apply(best[0]) + share * primal, best[1]  # noqa: B023

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


def _reach(point: Array, step: Array) -> float:
    """The longest step, at most 1, that keeps every entry at least 0."""
    down = step < 0
    return float(min(1.0, (point[down] / -step[down]).min(initial=np.inf)))


def _iterate(form: Eliminated, u: Array, y: Array, z: Array, size: float, value: float, gap: float) -> Iterate:
    multipliers = np.zeros(form.lifted_rows)
    multipliers[form.origin] = size * form.scale * y[: form.origin.size]
    multipliers[form.equal_origin] = size * form.equal_scale * z
    return Iterate(form.theta @ u, tuple(u[columns] for columns in form.hidden), multipliers, size * value, size * gap)
