"""Many rewards in one environment at once.

Rewards are backed up together, ``Q = R + C V`` with a column for each, and centred as MacQueen (1966) does.  They go in
blocks that stay in the processor's cache from sweep to sweep (:mod:`irl_ident.planning.backups`).  Each reward leaves
as soon as its error is proved small (:mod:`irl_ident.planning.bounds`); those that value iteration leaves over are
planned by policy iteration, all policies evaluated together: by stacked dense solves where S is small or transitions
are dense, else by BiCGSTAB on the block-diagonal matrix of all their chains.  Without cycles one backward pass plans
all rewards.  What rounding leaves uncertain by more than was asked for, as with discounts near 1 or rewards far from 0,
is refined in extended precision (:mod:`irl_ident.planning.refining`), all such rewards together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning.backups import Backup, backup_for
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import bounded, finite, positive
from irl_ident.planning.krylov import bicgstab
from irl_ident.planning.layers import backward, layers
from irl_ident.planning.optimal import optimal
from irl_ident.planning.refining import Actions, refined
from irl_ident.planning.rounding import roundings
from irl_ident.planning.structure import is_crowded
from irl_ident.planning.systems import policy_system
from irl_ident.planning.ties import ROUNDING

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
GAINED = 1e-6
"""What one round of refinement by BiCGSTAB is to leave of a residual."""
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
        Optimal values of actions, one slice for each reward: right to ``tolerance`` times the range of the reward or
        to 1e-12 of the largest value, whichever is more.  Where rounding allows neither (single plans then have an
        ``error_bound`` above both), as right as extended precision makes them: about ``2 n^2 k`` units in its last
        place of the largest reward, with n the longest expected discounted number of steps and k the most successors
        of an action.

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
        _refine(env, many, share, found)
        return found
    goal = share * np.ptp(many, axis=(1, 2)) / length.longest / 2
    room = max(LEAST_COLUMNS, BLOCK_ENTRIES // (env.n_states * env.n_actions))
    for block in (slice(first, first + room) for first in range(0, len(many), room)):
        _planned(env, many[block], goal[block], share, found[block])
        _refine(env, many[block], share, found[block])
    return found


def _planned(env: Environment, rewards: Array, goal: Array, share: float, found: Array) -> None:
    """Fill ``found`` for a block of rewards."""
    values, open_ = _swept(env, backup_for(env), rewards, goal, found)
    evaluated, room = _evaluation(env)
    for first in range(0, len(open_), room):
        part = open_[first : first + room]
        q, solved = _improved(env, rewards[part], values[:, first : first + room].T, goal[part], evaluated)
        found[part] = q
        for each in part[~solved]:
            found[each] = optimal(env, rewards[each], tolerance=share).q


def _refine(env: Environment, rewards: Array, share: float, found: Array) -> None:
    """Refine those of ``found`` that rounding may have moved by more than what was asked for."""
    longest, flat = lengths(env).longest, found.reshape(len(found), -1)
    allowed = np.maximum(share * np.ptp(rewards, axis=(1, 2)) / 2, ROUNDING * np.abs(flat).max(axis=1))
    poor = np.flatnonzero(longest * roundings(env, rewards, flat) > allowed)
    evaluated, room = _evaluation(env)

    def solve(chosen: Actions, right: Array) -> Array:
        target = GAINED * np.abs(right).max(axis=1)
        x, solved = evaluated(env, chosen, right, np.zeros_like(right), target)
        for each in np.flatnonzero(~solved):
            x[each] = policy_system(env, np.eye(env.n_actions)[chosen[each]]).solve(right[each])
        return x

    for part in (poor[first : first + room] for first in range(0, len(poor), room)):
        found[part] = refined(env, rewards[part], found[part].max(axis=2), longest, solve).q


def _evaluation(env: Environment) -> tuple[Evaluation, int]:
    """How policies are evaluated, and how many at once."""
    dense = env.n_states <= STACKED_STATES or is_crowded(env)
    entries = env.n_states**2 if dense else max(1, env.continuation.nnz // env.n_actions)
    return _stacked if dense else _iterated, max(1, STACK_ENTRIES // entries)


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
