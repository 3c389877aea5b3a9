"""Many rewards in one environment at once.

All rewards are backed up together, ``Q = R + C V`` with a column for each, centred as MacQueen (1966) does.  Each
reward leaves as soon as its error is proved small (:mod:`irl_ident.planning.bounds`); those that value iteration
leaves over are planned by policy iteration, with stacked dense solves where S is small.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.planning.bounds import Lengths, lengths, rounding
from irl_ident.planning.checks import finite, positive
from irl_ident.planning.optimal import optimal
from irl_ident.planning.structure import is_crowded

SWEEPS = 40
"""Backups of all rewards together before policy iteration takes over."""
STACKED_STATES = 300
"""Up to so many states policies are evaluated by stacked dense solves."""
STACK_ENTRIES = 2_000_000
"""Matrix entries that one stacked solve holds at most."""


def optimal_batch(env: Environment, rewards: npt.ArrayLike, tolerance: float = 1e-9) -> Array:
    """Plan many rewards optimally.

    Parameters
    ----------
    env : Environment
    rewards : array (N, S, A)
        Finite; N may be 0.
    tolerance : float
        As for :func:`irl_ident.planning.optimal`, in units of the range of each reward.

    Returns
    -------
    array (N, S, A)
        Optimal values of actions, one slice for each reward; each equals that of
        :func:`irl_ident.planning.optimal` to within the sum of the two errors.
    """
    shape = np.shape(rewards)
    many = finite("rewards", rewards, (shape[0] if shape else 0, env.n_states, env.n_actions), "(N, S, A)")
    share, length = positive("tolerance", tolerance), lengths(env)
    found = np.empty_like(many)
    if not len(many):
        return found
    goal = share * np.ptp(many, axis=(1, 2)) / length.longest / 2
    values, open_ = _swept(env, many, goal, length, found)
    if env.n_states <= STACKED_STATES:
        room = max(1, STACK_ENTRIES // env.n_states**2)
        for first in range(0, len(open_), room):
            part = open_[first : first + room]
            found[part] = _stacked(env, many[part], values[:, first : first + room].T, goal[part])
    else:
        for each in open_:
            found[each] = optimal(env, many[each], tolerance=share).q
    return found


def _swept(
    env: Environment, rewards: Array, goal: Array, length: Lengths, found: Array
) -> tuple[Array, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Fill ``found`` where value iteration reaches the goal; return values (S, M) and indices (M,) of the rest."""
    n_states, n_actions = env.n_states, env.n_actions
    rows = env.continuation.toarray() if is_crowded(env) else env.continuation
    reward: Array = np.ascontiguousarray(rewards.transpose(1, 2, 0)).reshape(n_states * n_actions, -1)
    open_ = np.arange(len(rewards))
    values = _starts(env, rewards, length)
    for _ in range(SWEEPS):
        q = rows @ values
        q += reward
        top = q.reshape(n_states, n_actions, -1).max(axis=1)
        gap = top - values
        low, high = gap.min(axis=0), gap.max(axis=0)
        done = np.maximum(high, -low) <= goal[open_]
        if done.any():
            found[open_[done]] = q[:, done].T.reshape(-1, n_states, n_actions)
            open_, reward, top, low, high = open_[~done], reward[:, ~done], top[:, ~done], low[~done], high[~done]
            if not len(open_):
                return top, open_
        values = top + (low + high) / 2 * (length.longest - 1) if env.discount < 1 else top
    return values, open_


def _starts(env: Environment, rewards: Array, length: Lengths) -> Array:
    if env.discount < 1:
        worst = rewards.max(axis=2).min(axis=1) * length.longest
        return np.broadcast_to(worst, (env.n_states, len(rewards))).copy()
    lowest: Array = -length.weights[:, None] * np.abs(rewards).max(axis=(1, 2))
    return lowest


def _stacked(env: Environment, rewards: Array, values: Array, goal: Array) -> Array:
    """Policy iteration for M rewards (M, S, A) from ``values`` (M, S), evaluating all policies in one stacked solve."""
    n_states, n_actions = env.n_states, env.n_actions
    rows = env.continuation.toarray().reshape(n_states, n_actions, n_states)
    each = np.arange(n_states)
    identity = np.eye(n_states)
    found = np.empty_like(rewards)
    live = np.arange(len(rewards))
    chosen = None
    while len(live):
        r = rewards[live]
        q = r + np.einsum("kn,mn->mk", rows.reshape(-1, n_states), values, optimize=True).reshape(r.shape)
        best = q.argmax(axis=2)
        top = np.take_along_axis(q, best[..., None], axis=2)[..., 0]
        noise = np.array([2 * rounding(env, r[i], values[i]) for i in range(len(live))])
        size = np.abs(top - values).max(axis=1)
        if chosen is None:
            chosen, stuck = best, np.zeros(len(live), dtype=bool)
        else:
            kept = np.take_along_axis(q, chosen[..., None], axis=2)[..., 0]
            switch = top - kept > noise[:, None]
            chosen, stuck = np.where(switch, best, chosen), ~switch.any(axis=1)
        done = (size <= np.maximum(goal[live], noise)) | stuck
        found[live[done]] = q[done]
        live, chosen = live[~done], chosen[~done]
        if len(live):
            chains = rows[each, chosen]
            paid = np.take_along_axis(rewards[live], chosen[..., None], axis=2)
            values = np.linalg.solve(identity - chains, paid)[..., 0]
    return found
