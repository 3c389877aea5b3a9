"""Soft planning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import finite, positive, reward_on
from irl_ident.planning.evaluation import factor


@dataclass(frozen=True, eq=False)
class SoftPlan:
    """The plan of maximum causal entropy."""

    values: Array
    q: Array
    log_policy: Array
    policy: Array
    temperature: float
    error_bound: float


def soft(env: Environment, reward: npt.ArrayLike, temperature: float = 1.0) -> SoftPlan:
    """Soft-optimal values and policy."""
    r, b = reward_on(env, reward), positive("temperature", temperature)
    values = np.zeros(env.n_states)
    best = np.inf
    for _ in range(500):
        q = r + env.backup(values)
        log_policy = special.log_softmax(q / b, axis=1)
        backed = b * special.logsumexp(q / b, axis=1)
        residual = float(np.abs(backed - values).max())
        if residual <= 1e-14 * (np.abs(r).max() + b) or (residual >= best and residual < 1e-10 * (1 + np.abs(values).max())):
            break
        best = min(best, residual)
        pi = np.exp(log_policy)
        values = factor(env, pi).solve((pi * (r - b * log_policy)).sum(axis=1))
    span = 1 / (1 - env.discount) if env.discount < 1 else float(env.n_states)
    return SoftPlan(backed, q, log_policy, np.exp(log_policy), b, residual * span)


def soft_jacobian(env: Environment, plan: SoftPlan, directions: npt.ArrayLike) -> Array:
    """Derivative of log_policy along ``directions`` (S * A, m)."""
    d = np.asarray(directions.toarray() if hasattr(directions, "toarray") else directions, dtype=float)
    averaged = (plan.policy[..., None] * d.reshape(env.n_states, env.n_actions, -1)).sum(axis=1)
    values = factor(env, plan.policy).solve(averaged)
    change: Array = (d - env.shaping @ values) / plan.temperature
    return change


def soft_gradient(env: Environment, plan: SoftPlan, cotangent: npt.ArrayLike) -> Array:
    """Gradient (S, A) with respect to the reward of sum(cotangent * log_policy)."""
    c = finite("cotangent", cotangent, (env.n_states, env.n_actions), "(S, A)")
    adjoint = factor(env, plan.policy).solve(env.shaping.T @ c.ravel(), trans="T")
    gradient: Array = (c - plan.policy * adjoint[:, None]) / plan.temperature
    return gradient
