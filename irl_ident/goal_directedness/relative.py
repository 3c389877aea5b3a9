"""Soft plans whose price is information relative to uniform choices, over allowed actions only.

    Q = r + C V,      V(s) = log sum over allowed a of exp(Q(s, a)) / A,      pi(a|s) = exp(Q(s, a) - V(s)) / A.

``V(s)`` is the largest expected return less the information that the choices carry, ``sum_t log(A pi(a_t|s_t))``.
With a discount below 1 and all actions allowed the policy is that of :func:`irl_ident.planning.soft`: the two differ
by the constant ``log A`` a step.  With discount 1 they differ, for more entropy can be had in longer episodes; here a
reward of 0 always makes the uniform policy the plan, as in the decision problems of fixed length of MacDermott et al.
(2024), in which episodes that are over go on with choices that change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning import PolicySystem
from irl_ident.planning.bounds import lengths
from irl_ident.planning.rounding import rounding
from irl_ident.planning.soft import NEWTON_STEPS
from irl_ident.planning.structure import method_for
from irl_ident.planning.systems import chain_of


@dataclass(frozen=True, eq=False)
class RelativePlan:
    """A soft plan relative to uniform choices.

    Parameters
    ----------
    values : array (S,)
    policy : array (S, A)
        0 for actions that are not allowed.
    log_ratio : array (S, A)
        ``log(A pi(a|s))``, minus infinity for actions that are not allowed.
    error_bound : float
        Proved: ``values`` is no further from the exact solution than this, rounding included.
    """

    values: Array
    policy: Array
    log_ratio: Array
    error_bound: float


def relative_plan(env: Environment, reward: Array, allowed: Mask, start: Array | None = None) -> RelativePlan:
    """Plan by Newton's method, as :func:`irl_ident.planning.soft` does.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
        In nats.
    allowed : array (S, A) of bool
        At least one action in every state.
    start : array (S,), optional
        Values to start from; 0 when not given.  They change how long it takes, not what is found.
    """
    method, longest = method_for(env), lengths(env).longest
    values = np.zeros(env.n_states) if start is None else start
    summing = 8 * np.finfo(float).eps * (env.n_actions + np.log(2 * env.n_actions))
    least, stalled = np.inf, 0
    for _ in range(NEWTON_STEPS):
        backed, log_ratio, policy = _softened(reward + env.backup(values), allowed)
        residual = float(np.abs(backed - values).max())
        noise = rounding(env, reward, values) + summing
        stalled = stalled + 1 if residual >= least else 0
        least = min(least, residual)
        if residual <= noise or (stalled >= 2 and residual <= 1e3 * noise):
            return RelativePlan(backed, policy, log_ratio, longest * (residual + noise))
        paid = (policy * (reward - np.where(policy > 0, log_ratio, 0))).sum(axis=1)
        values = PolicySystem(chain_of(env, policy), method).solve(paid)
    raise ArithmeticError(f"soft planning: residual {residual:.1e} after {NEWTON_STEPS} Newton steps")


def _softened(q: Array, allowed: Mask) -> tuple[Array, Array, Array]:
    """Values (S,), ``log(A pi)`` (S, A) and the policy (S, A)."""
    n_actions = q.shape[1]
    kept = np.where(allowed, q, -np.inf)
    top = kept.max(axis=1)
    weights = np.exp(kept - top[:, None])
    total = weights.sum(axis=1)
    values = top + np.log(total / n_actions)
    return values, kept - values[:, None], weights / total[:, None]
