"""Extreme and random points of a set ``{z : f(z) >= floor}`` in a few dimensions, from function values and gradients.

Extreme points are looked for by sequential quadratic programming from several starts, and pulled back along the line to
a point inside until they are inside themselves: lower bounds on the support function whatever f is.  Where f is concave
every gradient cuts off a half-space without members, ``f(y) + g(y) . (z - y) >= floor``, and the maximum over the
polyhedron of all cuts is an upper bound (Kelley 1960); it is refined at the boundary point towards its maximiser.

Random points lie on rays from the inside in directions that are drawn evenly, at the share ``U^(1/h)`` of the way to
the boundary, U uniform in [0, 1]: uniform on a ball, and nearly so on a set that is nearly one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from irl_ident.environment import Array

Values = Callable[[Array], Array]
"""f at points (N, h), (N,)."""

Slope = Callable[[Array], tuple[float, Array]]
"""f and its gradient at a point (h,)."""

FAR = 1e4
"""A set that reaches so far along an axis, in units of its own size around the inside, counts as unbounded."""

CUTS = 150
CLOSE = 1e-3
"""Most cuts for one upper bound, and how near, relative to the width, it should come to the lower one."""

HALVINGS = 30
LONGEST = 8.0
"""Rays are followed no further than this, in units of the set's size."""


@dataclass(frozen=True, eq=False)
class Region:
    """The set ``{z : f(z) >= floor}``, of size about 1 in every direction from ``inside``.

    Parameters
    ----------
    values : callable
    slope : callable
    floor : float
    inside : array (h,)
        ``f(inside) > floor``.
    concave : bool
        Whether f is known to be.
    """

    values: Values
    slope: Slope
    floor: float
    inside: Array
    concave: bool

    def extreme(self, direction: Array, starts: Sequence[Array]) -> tuple[float, float, Array]:
        """The largest ``direction . z``: a member's, an upper bound, and that member (h,).

        The upper bound is infinite where f is not known to be concave, or cuts do not bound it.
        """
        cuts: list[tuple[Array, float]] = []
        best = self.inside
        for start in starts:
            found = self._climbed(direction, start, cuts)
            best = found if direction @ found > direction @ best else best
        if not self.concave:
            return float(direction @ best), np.inf, best
        return self._certified(direction, best, cuts)

    def boundary(self, outside: Array) -> Array:
        """The last member, nearly, on the way from the inside to a point that may be outside."""
        inner, outer = 0.0, 1.0
        if self.values(outside[None])[0] >= self.floor:
            return outside
        shares = np.linspace(0, 1, 12)
        for _ in range(HALVINGS // 3):
            tried = inner + (outer - inner) * shares
            kept = self.values(self.inside + tried[:, None] * (outside - self.inside)) >= self.floor
            last = int(np.argmin(kept[1:])) if not kept[1:].all() else len(shares) - 2
            inner, outer = tried[last], tried[last + 1]
            if outer - inner < 1e-9:
                break
        return np.asarray(self.inside + inner * (outside - self.inside))

    def random(self, n: int, seed: int) -> Array:
        """``n`` members (n, h), see the module."""
        rng = np.random.default_rng(seed)
        h = self.inside.size
        rays = rng.standard_normal((n, h))
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        near, far = np.zeros(n), np.full(n, LONGEST)
        for _ in range(HALVINGS // 3):
            middle = np.where(far < LONGEST, (near + far) / 2, np.maximum(2 * near, 0.5))
            middle = np.minimum(middle, LONGEST)
            kept = self.values(self.inside + middle[:, None] * rays) >= self.floor
            near, far = np.where(kept, middle, near), np.where(kept, far, middle)
        lengths = near * rng.random(n) ** (1 / h)
        for _ in range(HALVINGS):
            out = np.flatnonzero(self.values(self.inside + lengths[:, None] * rays) < self.floor)
            if not out.size:
                break
            lengths[out] /= 2
        return np.asarray(self.inside + lengths[:, None] * rays)

    def _climbed(self, direction: Array, start: Array, cuts: list[tuple[Array, float]]) -> Array:
        remembered: dict[bytes, tuple[float, Array]] = {}

        def at(z: Array) -> tuple[float, Array]:
            key = z.tobytes()
            if key not in remembered:
                remembered[key] = self.slope(z)
            return remembered[key]

        found: Any = optimize.minimize(  # type: ignore[call-overload]
            lambda z: -float(direction @ z),
            start,
            jac=lambda z: -direction,
            bounds=[(-FAR, FAR)] * start.size,
            constraints={"type": "ineq", "fun": lambda z: at(z)[0] - self.floor, "jac": lambda z: at(z)[1]},
            method="SLSQP",
            options={"maxiter": 60, "ftol": 1e-9},
        )
        if self.concave:
            points = (np.frombuffer(key) for key in remembered)
            cuts += [self._cut(z, *kept) for z, kept in zip(points, remembered.values(), strict=True)]
        return self.boundary(np.asarray(found.x)) if np.isfinite(found.x).all() else self.inside

    def _cut(self, z: Array, value: float, gradient: Array) -> tuple[Array, float]:
        """``row . z <= bound`` for all members."""
        return -gradient, value - self.floor - float(gradient @ z)

    def _certified(self, direction: Array, best: Array, cuts: list[tuple[Array, float]]) -> tuple[float, float, Array]:
        upper = np.inf
        for _ in range(CUTS):
            rows, bounds = np.array([row for row, _ in cuts]), np.array([bound for _, bound in cuts])
            lengths = np.maximum(np.linalg.norm(rows, axis=1), np.finfo(float).tiny)
            program: Any = optimize.linprog(
                -direction, rows / lengths[:, None], bounds / lengths, bounds=[(-FAR, FAR)] * direction.size
            )
            if program.status != 0:
                break
            far = np.asarray(program.x)
            if np.abs(far).max() < FAR * (1 - 1e-9):
                upper = min(upper, float(-program.fun))
            found = self.boundary(far)
            best = found if direction @ found > direction @ best else best
            lower = float(direction @ best)
            if upper - lower <= CLOSE * max(lower - float(direction @ self.inside), 1e-12):
                break
            cuts.append(self._cut(found, *self.slope(found)))
        return float(direction @ best), max(upper, float(direction @ best)), best
