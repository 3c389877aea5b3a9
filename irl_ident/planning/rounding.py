"""How far rounding may move a backup.

A row of k entries is summed with relative error at most ``(k + 2) u``, u the unit roundoff (Higham 2002, section 3.1).
"""

from __future__ import annotations

import numpy as np

from irl_ident.environment import Array, Environment


def rounding(env: Environment, reward: Array, values: Array) -> float:
    """How far rounding may have moved ``T V - V`` for a reward (S, A) and values (S,)."""
    return float(roundings(env, reward[None], values[None])[0])


def roundings(env: Environment, rewards: Array, values: Array) -> Array:
    """The same for each of M rewards (M, S, A) and values (M, S), (M,)."""
    entries = int(np.diff(env.continuation.indptr).max())
    size = np.abs(rewards).max(axis=(1, 2)) + 2 * np.abs(values).max(axis=1)
    return np.asarray((entries + 4) * np.finfo(float).eps * size)
