"""Many rewards in one environment at once.

Rewards are backed up together, ``Q = R + C V`` with a column for each, and centred as MacQueen (1966) does.  They go in
blocks that stay in the processor's cache from sweep to sweep (:mod:`irl_ident.planning.backups`).  Each reward leaves
as soon as its error is proved small (:mod:`irl_ident.planning.bounds`); those that value iteration leaves over are
planned by policy iteration, all policies evaluated together: by stacked dense solves where S is small or transitions
are dense, else by BiCGSTAB on the block-diagonal matrix of all their chains.  Without cycles one backward pass plans
all rewards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning.backups import Backup, backup_for
from irl_ident.planning.bounds import lengths, roundings
from irl_ident.planning.checks import bounded, finite, positive
from irl_ident.planning.krylov import bicgstab
from irl_ident.planning.layers import backward, layers
from irl_ident.planning.optimal import optimal
from irl_ident.planning.structure import is_crowded

Actions = npt.NDArray[np.intp]
Evaluation = Callable[[Environment, Actions, Array, Array, Array], tuple[Array, Mask]]

SWEEPS = 120
"""Backups of all rewards together before policy iteration takes over."""
CENTRED = 8
"""Values are centred and looked at in the first two of so many backups."""
BLOCK_ENTRIES = 100_000
"""Values of actions that a block of rewards holds about, so that it stays in the cache while it is swept."""
LEAST_COLUMNS = 64
"""Rewards in a block at least, so that products run along rows."""
STACKED_STATES = 40
"""Up to so many states policies are evaluated by stacked dense solves."""
KRYLOV_STEPS = 500
"""BiCGSTAB steps in one evaluation, before a reward is planned on its own."""
STACK_ENTRIES = 200_000
"""Matrix entries that one evaluation holds at most."""


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

    Raises
    ------
    ValueError
        As for :func:`irl_ident.planning.optimal`.
    """
    shape = np.shape(rewards)
    many = finite("rewards", rewards, (shape[0] if shape else 0, env.n_states, env.n_actions), "(N, S, A)")
    share, length = positive("tolerance", tolerance), lengths(env)
    found = np.empty_like(many)
    if not len(many):
        return found
    bounded(many, length.longest, "rewards")
    acyclic = layers(env)
    if acyclic is not None:
        columns = np.ascontiguousarray(many.transpose(1, 2, 0))
        values = backward(acyclic, columns, lambda q: q.max(axis=1))
        found[:] = (columns + (env.continuation @ values).reshape(columns.shape)).transpose(2, 0, 1)
        return found
    goal = share * np.ptp(many, axis=(1, 2)) / length.longest / 2
    room = max(LEAST_COLUMNS, BLOCK_ENTRIES // (env.n_states * env.n_actions))
    for block in (slice(first, first + room) for first in range(0, len(many), room)):
        _planned(env, many[block], goal[block], share, found[block])
    return found


def _planned(env: Environment, rewards: Array, goal: Array, share: float, found: Array) -> None:
    """Fill ``found`` for a block of rewards."""
    values, open_ = _swept(env, backup_for(env), rewards, goal, found)
    dense = env.n_states <= STACKED_STATES or is_crowded(env)
    entries = env.n_states**2 if dense else max(1, env.continuation.nnz // env.n_actions)
    room = max(1, STACK_ENTRIES // entries)
    evaluated = _stacked if dense else _iterated
    for first in range(0, len(open_), room):
        part = open_[first : first + room]
        q, solved = _improved(env, rewards[part], values[:, first : first + room].T, goal[part], evaluated)
        found[part] = q
        for each in part[~solved]:
            found[each] = optimal(env, rewards[each], tolerance=share).q


def _swept(env: Environment, backup: Backup, rewards: Array, goal: Array, found: Array) -> tuple[Array, Actions]:
    """Fill ``found`` where value iteration reaches the goal; return values (S, M) and indices (M,) of the rest."""
    length, open_ = lengths(env), np.arange(len(rewards))
    reward, values = backup.rows(rewards), np.zeros((env.n_states, len(rewards)))
    top = np.empty_like(values)
    if env.discount < 1:
        backup.into(reward, values, top)
        values += top.min(axis=0) * length.longest
    else:
        values -= length.weights[:, None] * np.abs(reward).max(axis=0)
    for sweep in range(1, SWEEPS + 1):
        backup.into(reward, values, top)
        values, top = top, values
        if sweep % CENTRED > 1:
            continue
        low, high = backup.change(top, values)
        done = np.maximum(high, -low) <= goal[open_]
        if done.any():
            found[open_[done]] = _backed_up(env, rewards[open_[done]], values[:, done].T)
            open_, low, high = open_[~done], low[~done], high[~done]
            values = np.ascontiguousarray(values[:, ~done])
            if not len(open_):
                break
            reward, top = np.ascontiguousarray(reward[:, ~done]), np.empty_like(values)
        if env.discount < 1:
            values += (low + high) / 2 * (length.longest - 1)
    return values, open_


def _improved(env: Environment, rewards: Array, start: Array, goal: Array, evaluated: Evaluation) -> tuple[Array, Mask]:
    """Policy iteration for M rewards (M, S, A) from values (M, S); q (M, S, A), and which of them are solved (M,)."""
    found, solved = np.empty_like(rewards), np.ones(len(rewards), dtype=bool)
    live, values = np.arange(len(rewards)), start
    chosen = np.full(rewards.shape[:2], -1)
    while len(live):
        r = rewards[live]
        q = _backed_up(env, r, values)
        best = q.argmax(axis=2)
        top = _picked(q, best)
        noise = 2 * roundings(env, r, values)
        size = np.abs(top - values).max(axis=1)
        switch = (chosen < 0) | (top - _picked(q, np.maximum(chosen, 0)) > noise[:, None])
        done = (size <= np.maximum(goal[live], noise)) | ~switch.any(axis=1)
        found[live[done]] = q[done]
        chosen = np.where(switch, best, chosen)[~done]
        live, r = live[~done], r[~done]
        if not len(live):
            break
        target = np.maximum(0.3 * goal[live], noise[~done] / 2)
        values, reached = evaluated(env, chosen, _picked(r, chosen), top[~done], target)
        solved[live[~reached]] = False
        live, chosen, values = live[reached], chosen[reached], values[reached]
    return found, solved


def _stacked(env: Environment, chosen: Actions, paid: Array, start: Array, target: Array) -> tuple[Array, Mask]:
    """Values (M, S) of M deterministic policies (M, S) by dense solves."""
    rows = env.continuation.toarray().reshape(env.n_states, env.n_actions, env.n_states)
    chains = rows[np.arange(env.n_states), chosen]
    values: Array = np.linalg.solve(np.eye(env.n_states) - chains, paid[..., None])[..., 0]
    return values, np.ones(len(chosen), dtype=bool)


def _iterated(env: Environment, chosen: Actions, paid: Array, start: Array, target: Array) -> tuple[Array, Mask]:
    """The same by BiCGSTAB from ``start`` (M, S), and which of them came to a residual of ``target`` (M,)."""
    n_states, count = env.n_states, len(chosen)
    picked = env.continuation[(np.arange(n_states) * env.n_actions + chosen).ravel()]
    block = np.repeat(np.arange(count) * n_states, np.diff(picked.indptr[::n_states]))
    chain = sparse.csr_array((picked.data, picked.indices + block, picked.indptr), shape=(count * n_states,) * 2)
    values, size, _ = bicgstab(lambda x: (chain @ x.ravel()).reshape(x.shape), paid, start, target, KRYLOV_STEPS)
    return values, size <= target


def _backed_up(env: Environment, rewards: Array, values: Array) -> Array:
    """``Q = R + C V`` for M rewards (M, S, A) and values (M, S)."""
    q: Array = rewards + (env.continuation @ values.T).T.reshape(rewards.shape)
    return q


def _picked(pairs: Array, chosen: Actions) -> Array:
    """The entry of ``pairs`` (M, S, A) at the chosen action, (M, S)."""
    entries: Array = np.take_along_axis(pairs, chosen[..., None], axis=2)[..., 0]
    return entries
