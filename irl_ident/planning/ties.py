"""All optimal actions, within an explicit tolerance, and the policy that takes them evenly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Mask

ROUNDING = 1e-12
"""Share of the largest value that solving for values can be off by rounding."""


def optimal_actions(q: npt.ArrayLike, tolerance: float = 1e-8) -> Mask:
    """Mark the actions whose value is within ``tolerance`` of the best, in units of the range of ``q``.

    Parameters
    ----------
    q : array (..., S, A)
        Values of state-action pairs; leading axes stack rewards.
    tolerance : float
        At least 0.  Action ``a`` is optimal in ``s`` when
        ``q[s, a] >= max_a q[s, a] - tolerance * (max q - min q)``, with the range taken over all pairs of that
        reward, so that positive affine maps of ``q`` mark the same actions.  Differences below ``ROUNDING * max |q|``
        never count: where the reward is constant, they are all there is.

    Returns
    -------
    array (..., S, A) of bool
        At least one action in every state.

    Examples
    --------
    >>> optimal_actions([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    array([[ True,  True, False],
           [False, False,  True]])
    """
    values = np.asarray(q, dtype=float)
    if values.ndim < 2 or 0 in values.shape[-2:]:
        raise ValueError(f"q: should have shape (..., S, A), was {values.shape}")
    if not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(f"q{list(place)} is {float(values[place])!r}: should be finite")
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance: was {tolerance!r}, should be finite and at least 0")
    spread = values.max(axis=(-2, -1), keepdims=True) - values.min(axis=(-2, -1), keepdims=True)
    rounding = ROUNDING * np.abs(values).max(axis=(-2, -1), keepdims=True)
    marked: Mask = values >= values.max(axis=-1, keepdims=True) - tolerance * spread - rounding
    return marked


def uniform_over(mask: npt.ArrayLike) -> Array:
    """Spread each state's probability evenly over its marked actions.

    Parameters
    ----------
    mask : array (..., S, A) of bool
        At least one action marked in every state.

    Returns
    -------
    array (..., S, A)
        A policy.

    Examples
    --------
    >>> uniform_over([[True, True], [False, True]])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    marked = np.asarray(mask)
    if marked.dtype != np.bool_ or marked.ndim < 2:
        raise ValueError(f"mask: should be boolean of shape (..., S, A), was {marked.dtype} of shape {marked.shape}")
    count = marked.sum(axis=-1, keepdims=True)
    if not count.all():
        place = [int(i) for i in np.argwhere(count[..., 0] == 0)[0]]
        raise ValueError(f"mask{place}: no action is marked, at least one should be")
    policy: Array = marked / count
    return policy


def greedy_policy(q: npt.ArrayLike, tolerance: float = 1e-8) -> Array:
    """The policy that takes all optimal actions of each state, each as often.

    Parameters
    ----------
    q : array (..., S, A)
        Values of state-action pairs; leading axes stack rewards.
    tolerance : float
        As for :func:`optimal_actions`.

    Returns
    -------
    array (..., S, A)

    Examples
    --------
    >>> greedy_policy([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 1. ]])
    """
    return uniform_over(optimal_actions(q, tolerance))
