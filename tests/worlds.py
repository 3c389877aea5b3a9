"""Small worlds, agents and slow obvious twins that several tests share."""

from __future__ import annotations

import cdd
import numpy as np

import irl_ident as ii
from irl_ident.environment import Array


def random_environment(seed: int, n_states: int, n_actions: int, discount: float = 0.9) -> ii.Environment:
    """Dirichlet transitions."""
    rows = np.random.default_rng(seed).dirichlet(np.ones(n_states), size=(n_states, n_actions))
    return ii.Environment(rows, discount)


def brute_q(env: ii.Environment, reward: Array) -> Array:
    """Q* by enumerating every deterministic policy with dense inverses."""
    table, discount = env.dense(), env.discount
    s_count, a_count = reward.shape
    best = np.full(s_count, -np.inf)
    states = np.arange(s_count)
    for code in range(a_count**s_count):
        choice = code // a_count**states % a_count
        values = np.linalg.solve(np.eye(s_count) - discount * table[states, choice], reward[states, choice])
        best = np.maximum(best, values)
    return reward + discount * table @ best


def brute_policy(env: ii.Environment, reward: Array, tolerance: float = 1e-9) -> Array:
    """All optimal actions, evenly."""
    q = brute_q(env, reward)
    best = q >= q.max(axis=1, keepdims=True) - tolerance
    return best / best.sum(axis=1, keepdims=True)


def ng_russell_rows(env: ii.Environment, features: Array, policy: Array) -> tuple[Array, Array]:
    """Equations and inequalities on theta, with an explicit inverse (Ng & Russell 2000, theorem 3)."""
    table, discount = env.dense(), env.discount
    s_count, a_count = policy.shape
    states = np.arange(s_count)
    chosen = policy.argmax(axis=1)
    values = np.linalg.inv(np.eye(s_count) - discount * table[states, chosen]) @ features[states, chosen]
    equal, at_least = [], []
    for s in states:
        for a in range(a_count):
            row = values[s] - features[s, a] - discount * table[s, a] @ values
            if a != chosen[s]:
                (equal if policy[s, a] > 0 else at_least).append(row)
    d = features.shape[2]
    return np.array(equal).reshape(-1, d), np.array(at_least).reshape(-1, d)


def vertices(equal: Array, at_least: Array) -> Array:
    """Vertices of ``{equal x = 0, at_least x >= 0, |x|_inf <= 1}``."""
    d = at_least.shape[1]
    box = np.hstack([np.ones((2 * d, 1)), np.vstack([np.eye(d), -np.eye(d)])])
    rows = np.vstack([np.hstack([np.zeros((len(m), 1)), m]) for m in (at_least, equal, -equal)] + [box])
    polyhedron = cdd.polyhedron_from_matrix(cdd.matrix_from_array(rows.tolist(), rep_type=cdd.RepType.INEQUALITY))
    generators = np.array(cdd.copy_generators(polyhedron).array)
    assert (generators[:, 0] == 1).all()
    return generators[:, 1:]


def dense_features(env: ii.Environment, family: ii.rewards.RewardFamily) -> Array:
    """Features as (S, A, d)."""
    return family.matrix(env).toarray().reshape(env.n_states, env.n_actions, -1)
