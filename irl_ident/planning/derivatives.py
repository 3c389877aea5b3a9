"""Derivatives of soft plans with respect to the reward, by the implicit function theorem.

Differentiating ``V = b log sum_a exp((r + C V) / b)`` gives, with ``P`` the average over actions by pi and
``B V = V - C V`` the shaping map of the environment,

    (I - C_pi) dV = P dr,        d log pi = (dr - B dV) / b.

The adjoint of that is one transposed solve: for a cotangent c on log pi,

    (I - C_pi)^T y = B^T c,        gradient = (c - P^T y) / b.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import finite
from irl_ident.planning.soft import SoftPlan
from irl_ident.planning.systems import policy_system


def soft_jacobian(env: Environment, plan: SoftPlan, directions: npt.ArrayLike | sparse.csr_array) -> Array:
    """Change of the soft log-policy along directions of the reward.

    Parameters
    ----------
    env : Environment
    plan : SoftPlan
        Of ``env``.
    directions : array or sparse array (S * A, m)
        Rewards, row ``s * A + a``; a family's matrix for the derivative in theta.

    Returns
    -------
    array (S * A, m)
        ``d log pi(a|s)`` for each direction; one factorisation serves all.
    """
    dense = directions.toarray() if isinstance(directions, sparse.csr_array) else np.asarray(directions, dtype=float)
    if dense.ndim != 2:
        raise ValueError(f"directions: should have shape (S * A, m), was {dense.shape}")
    dr = finite("directions", dense, (plan.q.size, dense.shape[1]), "(S * A, m)")
    averaged = np.einsum("sa,sam->sm", plan.policy, dr.reshape(*plan.q.shape, dr.shape[1]))
    change: Array = (dr - env.shaping @ policy_system(env, plan.policy).solve(averaged)) / plan.temperature
    return change


def soft_gradient(env: Environment, plan: SoftPlan, cotangent: npt.ArrayLike) -> Array:
    """Gradient of ``sum cotangent * log_policy`` with respect to the reward.

    Parameters
    ----------
    env : Environment
    plan : SoftPlan
        Of ``env``.
    cotangent : array (S, A)
        For the log-likelihood of demonstrations: how often each action was seen in each state.

    Returns
    -------
    array (S, A)
        One transposed solve, whatever the number of rewards.
    """
    c = finite("cotangent", cotangent, plan.q.shape, "(S, A)")
    y = policy_system(env, plan.policy).solve_transposed(env.shaping.T @ c.ravel())
    gradient: Array = (c - plan.policy * y[:, None]) / plan.temperature
    return gradient
