"""Which objectives on a line explain choices exactly.

``{x : every observed choice is optimal for r_0 + x r_1}``, the intersection of where each choice is
(:meth:`irl_ident.planning.line.Switches.where`).  It is exact where not all states were seen, too, and then need not be
convex: what is optimal in a state depends on plans for states that were not.  :func:`irl_ident.identify` encloses it in
a convex set.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array
from irl_ident.planning.line import LinePlan


def explaining(plan: LinePlan, states: npt.ArrayLike, actions: npt.ArrayLike) -> Array:
    """The objectives on a line under which all choices are optimal.

    Parameters
    ----------
    plan : LinePlan
    states, actions : int array (n,)
        Where choices were made, and which.

    Returns
    -------
    array (k, 2)
        Closed intervals in order; none where no objective explains all.  Single points have length 0.
    """
    where, which = np.asarray(states, dtype=np.int64), np.asarray(actions, dtype=np.int64)
    if where.ndim != 1 or where.shape != which.shape:
        raise ValueError(f"states, actions: should be two lists of the same length, were {where.shape}, {which.shape}")
    left = plan.values.start[0, 0], plan.values.upper
    kept = np.array([left])
    for state, action in np.unique(np.column_stack([where, which]), axis=0).tolist():
        kept = meeting(kept, plan.switches[state].where(action))
        if not len(kept):
            break
    return kept


def meeting(one: npt.ArrayLike, other: npt.ArrayLike) -> Array:
    """The intersection of two unions of closed intervals, (k, 2) each, in order."""
    a, b = (np.asarray(each, dtype=float).reshape(-1, 2) for each in (one, other))
    low = np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 1], b[None, :, 1])
    met = low <= high
    return np.column_stack([low[met], high[met]])
