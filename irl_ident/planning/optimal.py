"""Optimal planning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import linalg

from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import finite, reward_on


@dataclass(frozen=True, eq=False)
class OptimalPlan:
    """Optimal values of one reward in one environment."""

    values: Array
    q: Array
    error_bound: float
    iterations: int


def optimal(env: Environment, reward: npt.ArrayLike, *, tolerance: float = 1e-9) -> OptimalPlan:
    """Optimal values (first version: policy iteration by sparse LU)."""
    r = reward_on(env, reward)
    eye = sparse.eye_array(env.n_states, format="csr")
    base = np.arange(env.n_states) * env.n_actions
    states = np.arange(env.n_states)
    actions = r.argmax(axis=1)
    for iteration in range(1, 10000):
        system = sparse.csc_array(eye - env.continuation[base + actions])
        values = linalg.splu(system).solve(r[states, actions])
        q = r + env.backup(values)
        best = q.argmax(axis=1)
        noise = 1e-13 * (np.abs(r).max() + np.abs(values).max())
        switch = q[states, best] > q[states, actions] + noise
        if not switch.any():
            break
        actions = np.where(switch, best, actions)
    residual = float(np.abs(q.max(axis=1) - values).max())
    span = 1 / (1 - env.discount) if env.discount < 1 else float(env.n_states)
    return OptimalPlan(q.max(axis=1), q, residual * span, iteration)


def optimal_batch(env: Environment, rewards: npt.ArrayLike, tolerance: float = 1e-9) -> Array:
    """Optimal q of many rewards (N, S, A)."""
    many = finite("rewards", rewards, (np.shape(rewards)[0], env.n_states, env.n_actions), "(N, S, A)")
    return np.array([optimal(env, r).q for r in many]).reshape(many.shape)
