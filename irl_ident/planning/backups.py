"""Optimal backups of many rewards at once, ``T V = max_a (R_a + C_a V)`` with a column for each reward.

Two ways give the same bits.  Both add up ``c_0 v_0 + c_1 v_1 + ...`` in the order of the stored row, then the reward,
and take the maximum over actions:

- by products of SciPy and a maximum over slabs, with the values of actions in memory in between;
- by a loop that Numba compiles, where they stay in one row of a block of rewards: about half the time.

The second one is there with the extra ``compiled``.  Importing Numba and compiling takes a second or two in every
process, so the loop is used once products have cost the process as much more: the rule of renting skis until they would
have been bought, which never costs more than twice what the better choice would have (Karlin, Manasse, Rudolph &
Sleator 1988).  Nothing is written to disk.  Where the loop differs from SciPy in a single bit (on a processor for which
SciPy's build fuses multiplications with additions, say), it is not used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.planning.iteration import narrow
from irl_ident.planning.structure import is_crowded

DUE = 2 * 10**9
"""Values of actions by products after which compiling would have paid: each costs about a nanosecond more."""

_computed = 0


@dataclass(frozen=True)
class Backup:
    """One way to back up N rewards.

    Parameters
    ----------
    axes : tuple of int
        The order in which it takes the axes of rewards (N, S, A).
    into : callable
        Of rewards in that order as rows (S * A, N), values (S, N) and the array (S, N) to be filled.
    change : callable
        Of values before and after (S, N); the least and the greatest change of each column (N,).
    """

    axes: tuple[int, int, int]
    into: Callable[[Array, Array, Array], None]
    change: Callable[[Array, Array], tuple[Array, Array]]

    def rows(self, rewards: Array) -> Array:
        """Rewards (N, S, A) as ``into`` takes them."""
        # the sum turns a reward of -0.0 into 0.0, as adding it to a product would
        return np.add(rewards.transpose(self.axes), 0.0, order="C").reshape(-1, len(rewards))


def backup_for(env: Environment) -> Backup:
    """The way to back up in ``env`` now."""
    loop = by_loop(env) if _computed >= DUE and not is_crowded(env) else None
    return loop or by_products(env)


def by_products(env: Environment) -> Backup:
    """Products with the rows of each action together, dense where that is faster, and a maximum over slabs."""
    n_states, n_actions = env.n_states, env.n_actions
    order = np.arange(n_states * n_actions).reshape(n_states, -1).T.ravel()
    ordered = narrow(env.continuation)[order]
    crowded = is_crowded(env)
    rows = ordered.toarray() if crowded else ordered

    def into(reward: Array, values: Array, top: Array) -> None:
        global _computed
        q = rows @ values
        q += reward
        np.maximum.reduce(q.reshape(n_actions, n_states, -1), axis=0, out=top)
        _computed += 0 if crowded else q.size

    def change(before: Array, after: Array) -> tuple[Array, Array]:
        gap = after - before
        return gap.min(axis=0), gap.max(axis=0)

    return Backup((2, 1, 0), into, change)


def by_loop(env: Environment) -> Backup | None:
    """The compiled loop; None where it is not to be had."""
    loops, rows = compiled(), narrow(env.continuation)
    if loops is None or rows.indices.dtype != np.int32:
        return None

    def into(reward: Array, values: Array, top: Array) -> None:
        loops.back_up(rows.indptr, rows.indices, rows.data, reward, values, top, np.empty(values.shape[1]))

    def change(before: Array, after: Array) -> tuple[Array, Array]:
        low, high = np.empty((2, before.shape[1]))
        loops.measure(before, after, low, high)
        return low, high

    return Backup((1, 2, 0), into, change)


class Loops(NamedTuple):
    """:func:`back_up` and :func:`measure`, compiled."""

    back_up: Callable[..., None]
    measure: Callable[[Array, Array, Array, Array], None]


@cache
def compiled() -> Loops | None:
    """The loops, compiled; None without Numba, or where they do not give the bits of SciPy."""
    try:
        import numba
        from numba import types

        rows = [types.Array(entry, 1, "C", readonly=True) for entry in (types.int32, types.int32, types.float64)]
        line, table = (types.Array(types.float64, axes, "C") for axes in (1, 2))
        loops = Loops(
            numba.njit(types.void(*rows, table, table, table, line), boundscheck=False)(back_up),
            numba.njit(types.void(table, table, line, line), boundscheck=False)(measure),
        )
    except Exception:  # an optional package that does not work here costs speed alone
        return None
    interpreted = loops.back_up is back_up  # as NUMBA_DISABLE_JIT makes it
    return loops if not interpreted and _agree(loops) else None


def back_up(pointer: Any, indices: Any, data: Any, reward: Array, values: Array, top: Array, partial: Array) -> None:
    """Fill ``top`` (S, N) with ``max_a (reward + C_a values)``.

    Entries are indexed one by one, and by unsigned integers: a view of each row would be counted as a reference, which
    costs as much as the row.  Rows with up to three successors are added up in registers.

    Parameters
    ----------
    pointer, indices, data : array
        ``C`` (S * A, S) by rows, states first, with 32-bit indices.
    reward : array (S * A, N)
    values, top : array (S, N)
    partial : array (N,)
        Overwritten.
    """
    n_states, n_columns = values.shape
    n_actions = reward.shape[0] // n_states
    for state in range(n_states):
        for action in range(n_actions):
            row = state * n_actions + action
            first, last = pointer[row], pointer[row + 1]
            if last == first:
                partial[:] = 0.0
            elif last == first + 1:
                i, c = np.uint32(indices[first]), data[first]
                for n in range(n_columns):
                    partial[n] = c * values[i, n]
            elif last == first + 2:
                i, c = np.uint32(indices[first]), data[first]
                j, d = np.uint32(indices[first + 1]), data[first + 1]
                for n in range(n_columns):
                    partial[n] = c * values[i, n] + d * values[j, n]
            else:
                i, c = np.uint32(indices[first]), data[first]
                j, d = np.uint32(indices[first + 1]), data[first + 1]
                k, e = np.uint32(indices[first + 2]), data[first + 2]
                for n in range(n_columns):
                    partial[n] = c * values[i, n] + d * values[j, n] + e * values[k, n]
                for entry in range(first + 3, last):
                    i, c = np.uint32(indices[entry]), data[entry]
                    for n in range(n_columns):
                        partial[n] += c * values[i, n]
            if action == 0:
                for n in range(n_columns):
                    top[state, n] = partial[n] + reward[row, n]
            else:
                for n in range(n_columns):
                    q = partial[n] + reward[row, n]
                    top[state, n] = q if q > top[state, n] else top[state, n]


def measure(before: Array, after: Array, low: Array, high: Array) -> None:
    """Fill ``low`` and ``high`` (N,) with the least and the greatest ``after - before`` (S, N) of each column."""
    n_states, n_columns = before.shape
    low[:], high[:] = np.inf, -np.inf
    for state in range(n_states):
        for n in range(n_columns):
            gap = after[state, n] - before[state, n]
            low[n] = gap if gap < low[n] else low[n]
            high[n] = gap if gap > high[n] else high[n]


def _agree(loops: Loops) -> bool:
    """Whether backing up gives the bits of SciPy's product for rows with none to seven entries."""
    draws = np.random.default_rng(0)
    n_states, n_columns = 40, 37
    pointer = np.cumsum([0, *np.resize(np.arange(8), n_states)], dtype=np.int32)
    indices, data = draws.integers(0, n_states, pointer[-1], dtype=np.int32), draws.random(pointer[-1])
    reward, values = draws.standard_normal((2, n_states, n_columns))
    found = np.empty_like(values)
    loops.back_up(pointer, indices, data, reward, values, found, np.empty(n_columns))
    rows = sparse.csr_array((data, indices, pointer), shape=(n_states, n_states))
    return bool(np.array_equal(found, rows @ values + reward))
