r"""Linear programs over ``{theta : |theta|_inf = 1, means_k . theta + widths_k . |theta| >= -slack_k}``.

A row says that *some* difference of feature expectations within its bounds is in the demonstrator's favour: the largest
``D . theta`` over the box ``|D - means_k| <= widths_k`` is ``means_k . theta + widths_k . |theta|``.  This function is
convex in theta and bounded from below, so the set is a union of polytopes, one for each pattern of signs.  With
``theta = p - n``, ``|theta| = p + n`` and binary signs z it is a mixed-integer program, which is exact:

    0 <= p <= z,    0 <= n <= 1 - z,    (means + widths) . p + (widths - means) . n >= -slack,
    p_j + n_j >= b_j,    sum_j b_j = 1        (some parameter is as large as 1).

``|theta_i| <= 1`` turns each row into ``means_k . theta >= -slack_k - sum_i widths_ki``: a polytope that holds the set,
and is its convex relaxation row by row, for 1 is the least concave function above ``|theta_i|`` on [-1, 1].  The
relaxation holds a neighbourhood of 0 when ``widths`` are positive, so it decides no sign; the exact set can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from irl_ident.environment import Array
from irl_ident.highs import SolverFailed

TIE = 1e-6
"""Share of the largest margin that may be given up for a smaller theta."""

INFEASIBLE = 2
"""Status of both solvers when there is no point."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The half-spaces.

    Attributes
    ----------
    means, widths : array (K, d)
    slack : array (K,)
    """

    means: Array
    widths: Array
    slack: Array

    @property
    def dim(self) -> int:
        """Number of parameters, d."""
        return int(self.means.shape[1])

    def margins(self, theta: Array) -> Array:
        """``means . theta + widths . |theta| + slack``, (..., K): at least 0 for members."""
        return np.asarray(theta @ self.means.T + np.abs(theta) @ self.widths.T + self.slack)

    def without(self, row: int) -> Rows:
        """The others."""
        return Rows(*(np.delete(part, row, axis=0) for part in (self.means, self.widths, self.slack)))

    @cached_property
    def scale(self) -> Array:
        """Largest ``|means| + widths`` of each row, (K,); 1 for rows of 0."""
        largest = (np.abs(self.means) + self.widths).max(axis=1, initial=0)
        return np.asarray(np.where(largest > 0, largest, 1.0))

    @cached_property
    def relaxed(self) -> tuple[Array, Array]:
        """``(rows, bounds)`` of the polytope ``rows @ theta <= bounds`` that holds the set."""
        box = np.eye(self.dim)
        rows = np.vstack([-self.means / self.scale[:, None], box, -box])
        bounds = np.concatenate([(self.slack + self.widths.sum(axis=1)) / self.scale, np.ones(2 * self.dim)])
        return rows, bounds


def farthest(rows: Rows, direction: Array) -> Array | None:
    """A member with the largest ``direction . theta``, (d,), or None when there are no members."""
    dim = rows.dim
    least = np.column_stack([rows.means + rows.widths, rows.widths - rows.means, np.zeros((len(rows.slack), 2 * dim))])
    cost = np.concatenate([-direction, direction, np.zeros(2 * dim)])
    found = _mixed(cost, least / rows.scale[:, None], -rows.slack / rows.scale, dim)
    return None if found is None else found[:dim] - found[dim : 2 * dim]


def most_lenient(rows: Rows) -> tuple[Array, float]:
    """The theta of ``|theta|_inf = 1`` whose least scaled margin is largest, and that margin, < 0 without members."""
    dim = rows.dim
    count = len(rows.slack)
    parts = [rows.means + rows.widths, rows.widths - rows.means, np.zeros((count, 2 * dim))]
    least = np.column_stack([np.column_stack(parts) / rows.scale[:, None], -np.ones(count)])
    cost = np.append(np.zeros(4 * dim), -1.0)
    found = _mixed(cost, least, -rows.slack / rows.scale, dim)
    if found is None:
        raise SolverFailed("no theta has largest entry 1")
    return found[:dim] - found[dim : 2 * dim], float(found[-1])


def safest(rows: Rows) -> tuple[Array, float]:
    """The theta of ``|theta|_inf <= 1`` whose least *pessimistic* margin is largest, and that margin.

    ``means_k . theta - widths_k . |theta| >= t scale_k`` is convex: under its solutions with t > 0 the demonstrator is
    certainly better than every alternative.  Of several thetas with the largest t, one with the least ``|theta|_1`` (up
    to ``TIE`` of t).  The margin is 0, at theta = 0, where no theta has a positive one.
    """
    dim, none = rows.dim, np.zeros(len(rows.slack))
    at_least = np.column_stack([rows.means - rows.widths, -rows.means - rows.widths]) / rows.scale[:, None]
    below = np.column_stack([-at_least, np.ones(len(rows.slack))])
    box = [(0.0, 1.0)] * (2 * dim)
    margin = float(_linear(np.append(np.zeros(2 * dim), -1.0), below, none, [*box, (0.0, 3.0)])[-1])
    least = (1 - TIE) * margin
    found = _linear(np.append(np.ones(2 * dim), 0.0), below, none, [*box, (least, 3.0)])
    return np.clip(found[:dim] - found[dim:-1], -1, 1), margin


def inside(rows: Rows) -> tuple[Array, float]:
    """Centre of the largest ball in the relaxed polytope, and its radius."""
    half_spaces, bounds = rows.relaxed
    norms = np.linalg.norm(half_spaces, axis=1)
    free: list[tuple[float | None, float | None]] = [(None, None)] * (rows.dim + 1)
    found = _linear(np.append(np.zeros(rows.dim), -1.0), np.column_stack([half_spaces, norms]), bounds, free)
    return found[:-1], float(found[-1])


def _linear(cost: Array, below: Array, limits: Array, box: Sequence[tuple[float | None, float | None]]) -> Array:
    """Minimise ``cost @ x`` over ``below @ x <= limits`` in the box."""
    solver: Any = linprog
    answer = solver(cost, A_ub=below, b_ub=limits, bounds=box, method="highs")
    if answer.status != 0:
        raise SolverFailed(f"linear program not solved (status {answer.status}): {answer.message}")
    return np.asarray(answer.x)


def _mixed(cost: Array, least: Array, bounds: Array, dim: int) -> Array | None:
    """Minimise over p, n, z, b (and a free variable, where there is one more cost); None when infeasible.

    The integers are then fixed and the rest solved again, so that their rounding is not in the answer.
    """
    free = cost.size - 4 * dim
    eye, none, more = np.eye(dim), np.zeros((dim, dim)), np.zeros((dim, free))
    signs = np.vstack(
        [
            np.hstack([eye, none, -eye, none, more]),
            np.hstack([none, eye, eye, none, more]),
            np.hstack([-eye, -eye, none, eye, more]),
        ]
    )
    limits = np.concatenate([np.zeros(dim), np.ones(dim), np.zeros(dim)])
    one = np.concatenate([np.zeros(3 * dim), np.ones(dim), np.zeros(free)])
    lower = np.concatenate([np.zeros(4 * dim), np.full(free, -np.inf)])
    upper = np.concatenate([np.ones(4 * dim), np.full(free, np.inf)])
    integral = np.concatenate([np.zeros(2 * dim), np.ones(2 * dim), np.zeros(free)])
    constraints = [
        LinearConstraint(signs, -np.inf, limits),
        LinearConstraint(one[None, :], 1, 1),
        LinearConstraint(least, bounds, np.inf),
    ]
    solver: Any = milp
    chosen = solver(
        cost,
        integrality=integral,
        bounds=Bounds(lower, upper),
        constraints=constraints,
        options={"mip_rel_gap": 0.0},
    )
    if chosen.status == INFEASIBLE:
        return None
    if chosen.x is None or chosen.status != 0:
        raise SolverFailed(f"mixed-integer program not solved (status {chosen.status}): {chosen.message}")
    fixed = integral > 0
    lower[fixed] = upper[fixed] = np.round(chosen.x[fixed])
    polished = solver(cost, bounds=Bounds(lower, upper), constraints=constraints)
    return np.asarray(chosen.x if polished.x is None else polished.x)
