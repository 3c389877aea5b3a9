"""BiCGSTAB for many right-hand sides at once (van der Vorst 1992, algorithm of section 3, without preconditioner).

Each of m systems ``x - C x = b`` has its own scalars; they share the product with ``C``.  The residual that is
returned is recomputed from the solution, never the one that the recursion carries.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from irl_ident.environment import Array, Mask

RESTARTS = 12
"""How often a recursion whose residual has drifted, or that has broken down, is begun again from where it came to."""


def bicgstab(
    apply: Callable[[Array], Array], right: Array, start: Array, target: Array, steps: int
) -> tuple[Array, Array, int]:
    """Solve ``x - apply(x) = right`` for each row.

    Parameters
    ----------
    apply : callable
        Maps (m, S) to (m, S), row by row: the product with ``C``.
    right, start : array (m, S)
        Right-hand sides and where to start.
    target : array (m,)
        Largest absolute residual at which a row is solved.
    steps : int
        At most so many steps, two products each.

    Returns
    -------
    array (m, S), array (m,), int
        Solutions, their largest absolute residuals (above ``target`` where it was not reached), steps taken.
    """
    best = start.copy()
    residual = right - best + apply(best)
    size = np.abs(residual).max(axis=1)
    taken = 0
    for _ in range(RESTARTS):
        if (size <= target).all() or taken >= steps:
            break
        x, used = _run(apply, best, residual, target, steps - taken)
        taken += used
        fresh = right - x + apply(x)
        reached = np.abs(fresh).max(axis=1)
        better = reached < size
        if not better.any():
            break
        best[better], residual[better], size[better] = x[better], fresh[better], reached[better]
    return best, size, taken


def _run(
    apply: Callable[[Array], Array], start: Array, residual: Array, target: Array, steps: int
) -> tuple[Array, int]:
    """One recursion, until every row's carried residual is at its target or has broken down."""
    x, s = start.copy(), residual.copy()
    shadow, direction = residual, residual.copy()
    rho = _dot(shadow, s)
    live = np.abs(s).max(axis=1) > target
    for step in range(1, steps + 1):  # noqa: B007
        v = direction - apply(direction)
        alpha = _ratio(rho, _dot(shadow, v), live)
        s -= alpha * v
        t = s - apply(s)
        omega = _ratio(_dot(t, s), _dot(t, t), live)
        x += alpha * direction
        x += omega * s
        s -= omega * t
        fresh = _dot(shadow, s)
        live = live & (np.abs(s).max(axis=1) > target) & (alpha[:, 0] != 0) & (omega[:, 0] != 0) & np.isfinite(fresh)
        if not live.any():
            break
        beta = _ratio(fresh, rho, live) * _ratio(alpha[:, 0], omega[:, 0], live)
        rho = fresh
        direction -= omega * v
        direction *= beta
        direction += s
    return x, step


def _dot(left: Array, right: Array) -> Array:
    product: Array = np.einsum("ms,ms->m", left, right)
    return product


def _ratio(above: Array, below: Array, live: Mask) -> Array:
    """``above / below`` in rows that are live and can be divided, else 0; (m, 1)."""
    usable = live & (below != 0)
    return np.divide(above, below, out=np.zeros_like(above), where=usable)[:, None]
