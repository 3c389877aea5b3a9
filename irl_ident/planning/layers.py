"""Environments without cycles, planned exactly in one backward pass (Puterman 1994, section 4.5).

Where every transition out of a state that is not absorbing leads to a state of higher index, or to an absorbing one,
values follow from the last state to the first.  States are taken in blocks: with ``m(s)`` the least index that follows
``s``, the block that begins at ``i`` ends before ``min m(s) over s >= i``, since no state of it is followed by
another.  In an environment unrolled in time these are the times, give or take some states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment

FEW_BLOCKS = 50
"""Up to so many blocks are passed whatever their size."""
BLOCK_STATES = 4
"""More blocks are passed only when they have so many states on average: smaller ones cost more than they save."""

_layers: WeakKeyDictionary[Environment, Layers | None] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Layers:
    """The blocks of an environment without cycles.

    Parameters
    ----------
    blocks : tuple of (slice, sparse (states * A, S))
        States and their rows of ``env.continuation``, last block first.
    absorbing : int array
    stay : float
        How much an absorbing state collects of what it pays: ``1 / (1 - g)``, or 1 at discount 1.
    """

    blocks: tuple[tuple[slice, sparse.csr_array], ...]
    absorbing: npt.NDArray[np.intp]
    stay: float


def layers(env: Environment) -> Layers | None:
    """The blocks of ``env``, or None where transitions lead back or blocks would be too small to be worth it."""
    if env not in _layers:
        _layers[env] = _found(env)
    return _layers[env]


def backward(found: Layers, reward: Array, best: Callable[[Array], Array]) -> Array:
    """Values by one pass from the last block to the first.

    Parameters
    ----------
    found : Layers
    reward : array (S, A, ...)
        Trailing axes stack rewards.
    best : callable
        From values of actions (n, A, ...) to values of states (n, ...).

    Returns
    -------
    array (S, ...)
        The solution of ``V = best(r + C V)``.
    """
    values = np.zeros((reward.shape[0], *reward.shape[2:]))
    values[found.absorbing] = found.stay * best(reward[found.absorbing])
    for states, rows in found.blocks:
        paid = reward[states]
        values[states] = best(paid + (rows @ values).reshape(paid.shape))
    return values


def _found(env: Environment) -> Layers | None:
    rows, n_states, n_actions = env.continuation, env.n_states, env.n_actions
    absorbing = np.flatnonzero(env.absorbing)
    starts = rows.indptr[::n_actions]
    going = np.diff(starts) > 0
    least = np.full(n_states, n_states)
    if going.any():
        next_states = np.where(env.absorbing[rows.indices], n_states, rows.indices)
        least[going] = np.minimum.reduceat(next_states, starts[:-1][going])
    if (least <= np.arange(n_states)).any():
        return None
    ends = np.minimum.accumulate(least[::-1])[::-1]
    bounds = [0]
    most = max(FEW_BLOCKS, n_states // BLOCK_STATES)
    while bounds[-1] < n_states and len(bounds) <= most + 1:
        bounds.append(int(ends[bounds[-1]]))
    if len(bounds) > most + 1 or not _stays(env):
        return None
    blocks = tuple(
        (slice(first, last), sparse.csr_array(rows[first * n_actions : last * n_actions]))
        for first, last in zip(bounds[-2::-1], bounds[:0:-1], strict=True)
    )
    return Layers(blocks, absorbing, 1.0 if env.discount == 1 else 1 / (1 - env.discount))


def _stays(env: Environment) -> bool:
    """Whether absorbing states are kept with probability exactly 1, not merely up to rounding of the input."""
    rows = env.transitions
    kept = np.repeat(np.repeat(env.absorbing, env.n_actions), np.diff(rows.indptr))
    return bool((rows.data[kept] == 1).all())
