"""Values and occupancies of a policy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import linalg

from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import finite, policy_on, reward_on


def averaged(env: Environment, policy: Array) -> sparse.csr_array:
    """The matrix (S, S * A) that averages over actions by ``policy``."""
    n = env.n_states
    pointer = np.arange(0, policy.size + 1, env.n_actions)
    return sparse.csr_array((policy.ravel(), np.arange(policy.size), pointer), shape=(n, policy.size))


def factor(env: Environment, policy: Array) -> linalg.SuperLU:
    """LU of I - C_pi."""
    chain = averaged(env, policy) @ env.continuation
    return linalg.splu(sparse.csc_array(sparse.eye_array(env.n_states) - chain))


def evaluate(env: Environment, reward: npt.ArrayLike, policy: npt.ArrayLike) -> Array:
    """Values (S,) of ``policy``."""
    r, pi = reward_on(env, reward), policy_on(env, policy)
    values: Array = factor(env, pi).solve((pi * r).sum(axis=1))
    return values


def occupancy(env: Environment, policy: npt.ArrayLike, initial: npt.ArrayLike | None = None) -> Array:
    """Expected discounted visits (S, A)."""
    pi = policy_on(env, policy)
    start = env.initial if initial is None else finite("initial", initial, (env.n_states,), "(S,)")
    visits: Array = factor(env, pi).solve(np.array(start), trans="T")
    return visits[:, None] * pi


def bounded_horizon(env: Environment, reward: npt.ArrayLike, horizon: int) -> Array:
    """Q (S, A) with ``horizon`` steps to go."""
    r = reward_on(env, reward)
    if horizon != int(horizon) or horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, should be a whole number of at least 1")
    q = r.copy()
    for _ in range(int(horizon) - 1):
        q = r + env.backup(q.max(axis=1))
    return q
