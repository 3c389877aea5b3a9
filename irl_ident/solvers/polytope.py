"""The normalised identified set as a polytope ``{z : faces z <= bounds}``, and two of its centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.optimize import linprog

from irl_ident.environment import Array
from irl_ident.highs import SolverFailed
from irl_ident.identified import OptimalSet
from irl_ident.identified.cone import hull as hulls
from irl_ident.rewards import RANK_TOLERANCE

NEWTON_TOLERANCE = 1e-9
"""Newton decrement at which the analytic centre is taken as found."""


@dataclass(frozen=True, eq=False)
class Polytope:
    """``{z : faces z <= bounds}`` with unknowns ``x = span z``.

    Attributes
    ----------
    faces : array (l, h)
    bounds : array (l,)
    inside : array (h,)
        A point with ``faces @ inside < bounds``.
    span : array (n, h)
        Orthonormal columns.
    reach : float
        No point is farther from 0.
    dim : int
        The first ``dim`` of the unknowns are ``theta``.
    """

    faces: Array
    bounds: Array
    inside: Array
    span: Array
    reach: float
    dim: int

    def theta(self, z: Array) -> Array:
        """The parameters (d,) at ``z`` (h,)."""
        return self.span[: self.dim] @ z


def polytope(ident: OptimalSet) -> Polytope | None:
    """The normalised identified set in coordinates of its span; None when no inequality can be strict in it."""
    hull, constraints = ident.hull, ident.constraints
    rows = constraints.at_least[~hull.implicit]
    if rows.shape[0] == 0 or hull.span.shape[1] == 0:
        return None
    largest = ident._box()
    walls = np.vstack([hull.span, -hull.span]) / np.concatenate([largest, largest])[:, None]
    walls = walls[np.linalg.norm(walls, axis=1) > RANK_TOLERANCE]
    faces = np.vstack([-(rows @ hull.span), walls])
    bounds = np.concatenate([np.zeros(rows.shape[0]), np.ones(len(walls))])
    inside = hull.span.T @ (0.5 * hulls.center(constraints, hull.implicit, largest))
    return Polytope(faces, bounds, inside, hull.span, float(np.linalg.norm(largest)), constraints.dim)


def inscribed_ball(faces: Array, bounds: Array, reach: float) -> tuple[Array, float, float, int]:
    """Centre of a largest Euclidean ball in ``{z : faces z <= bounds}``.

    Parameters
    ----------
    faces : array (l, h)
        No row of zeros; the polytope is bounded and holds an open set.
    bounds : array (l,)
    reach : float
        No point of the polytope is farther from 0.

    Returns
    -------
    center : array (h,)
    radius : float
        Of the largest ball around ``center``, computed from it.
    bound : float
        Proved upper bound on any radius: for unit faces and multipliers ``y >= 0``, ``y . slack >= sum(y) radius`` at
        every centre, and what slacks at the centre found say of those at another is ``faces^T y`` times their distance.
    iterations : int

    Raises
    ------
    irl_ident.identified.SolverFailed
    """
    lengths = np.linalg.norm(faces, axis=1)
    unit, level = faces / lengths[:, None], bounds / lengths
    h = faces.shape[1]
    answer = linprog(
        np.append(np.zeros(h), -1.0),
        A_ub=np.hstack([unit, np.ones((len(unit), 1))]),
        b_ub=level,
        bounds=[(None, None)] * h + [(0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if answer.x is None:
        raise SolverFailed(f"linear program not solved (status {answer.status}): {answer.message}")
    z = np.asarray(answer.x[:h])
    radius = float((level - unit @ z).min())
    y = np.maximum(-answer.ineqlin.marginals, 0)
    bound = float(y @ (level - unit @ z) + np.linalg.norm(unit.T @ y) * 2 * reach) / float(y.sum())
    return z, radius, max(radius, bound), int(answer.nit)


def analytic_center(faces: Array, bounds: Array, inside: Array, iterations: int) -> tuple[Array, float, float, int]:
    """Maximise ``sum log(bounds - faces z)`` by damped Newton steps.

    Parameters
    ----------
    faces : array (l, h)
        Of a bounded polytope.
    bounds : array (l,)
    inside : array (h,)
        Where all slacks are positive.
    iterations : int

    Returns
    -------
    center : array (h,)
    barrier : float
    decrement : float
        ``sqrt(gradient . Hessian^-1 gradient)`` there.
    steps : int
    """
    z = inside.copy()
    for step in range(iterations + 1):
        slack = bounds - faces @ z
        scaled = faces / slack[:, None]
        # least squares on ``scaled`` rather than its normal equations: Hessian = scaled^T scaled, gradient = scaled^T 1
        orthogonal, triangle = linalg.qr(scaled, mode="economic")
        projected = orthogonal.sum(axis=0)
        decrement = float(np.linalg.norm(projected))
        if decrement <= NEWTON_TOLERANCE or step == iterations:
            break
        direction = -linalg.solve_triangular(triangle, projected)
        z = z + direction * (1.0 if decrement < 0.25 else 1 / (1 + decrement))
    return z, float(-np.log(slack).sum()), decrement, step
