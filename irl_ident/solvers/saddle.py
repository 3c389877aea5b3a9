"""Newton steps for soft-optimal choices by one sparse factorisation, where transitions and features are sparse.

The Hessian of :mod:`irl_ident.solvers.matrix_free` is dense, but the values that make it so can be kept as unknowns.
Its quadratic form is that of ``J v = (Phi v - B u) / b`` with ``(I - C_pi) u = pi . Phi v``, so that the damped
step v in

    (sum_e J_e^T W_e J_e + D) v = g,        W = diag(w pi),    D = precision of the prior + damping,

solves the saddle point system of d + 2 k S unknowns, for k environments,

    [ sum_e Phi^T W Phi / b^2 + D    - Phi^T W B / b^2    - Phi^T pi ] [v]   [g]
    [ - B^T W Phi / b^2                B^T W B / b^2      (I - C_pi)^T ] [u] = [0]
    [ - pi^T Phi                       I - C_pi            0         ] [y]   [0]

(with y the multipliers of the constraint), which is as sparse as the environments.  Far from the maximum some w can be
negative; there the visits n(s), of which w is an estimate, take their place: Fisher scoring.

The diagonal of y is 0 until a v that it is tied to has been eliminated.  The order of minimum degree takes that v first
when y is numbered first; numbered last, y forced exchanges that filled the factors of a grid of 1,600 states fifty
times over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from irl_ident.environment import Array
from irl_ident.planning.structure import method_for
from irl_ident.rewards import RewardFamily
from irl_ident.solvers.matrix_free import SoftLikelihood, Weighted

CROWDED = 8
"""Features with more entries than so many a state-action pair are not sparse."""

PIVOT = 1e-6
"""A diagonal pivot is exchanged, which costs sparsity, where it is less than this share of its column's largest."""

REST = 1e-8
POWERS = 3
"""Damping and powers that tell directions along which there is no information from those along which there is."""


def is_sparse(data: Weighted, family: RewardFamily) -> bool:
    """Whether the saddle point system of this likelihood has sparse factors."""
    return all(
        method_for(env) == "sparse LU" and family.matrix(env).nnz <= CROWDED * weights.size for env, weights in data
    )


def step(objective: SoftLikelihood, theta: Array, damping: float) -> Array:
    """The damped Newton step (d,) at ``theta``.

    Raises
    ------
    ArithmeticError
        When the system is singular to working precision.
    """
    return factorised(objective, theta, damping)(-objective(theta)[1])


def factorised(objective: SoftLikelihood, theta: Array, damping: float) -> Callable[[Array], Array]:
    """Solve ``(H + damping I) v = g`` for any g (d,), H the curvature of what is minimised at ``theta``.

    Raises
    ------
    ArithmeticError
        When the system is singular to working precision.
    """
    dim, states = theta.size, sum(len(weights) for _, weights in objective.data)
    unit = sum(float(weights.sum()) / len(weights) for _, weights in objective.data) / objective.temperature**2
    corner: Any = sparse.diags_array((objective.precision + damping) / unit, format="csr")
    across, middle, averages, chains = [], [], [], []
    for place, (_, weights) in zip(objective.places(theta), objective.data, strict=True):
        policy, features, shaping = place.plan.policy, place.features, place.env.shaping
        w = place.adjoint if (place.adjoint >= 0).all() else weights.sum(axis=1)
        scale = unit * objective.temperature**2
        weight: Any = sparse.diags_array((w[:, None] * policy / scale).ravel(), format="csr")
        corner = corner + features.T @ weight @ features
        across.append(-(features.T @ weight @ shaping))
        middle.append(shaping.T @ weight @ shaping)
        averages.append(-(averaging(policy) @ features))
        chains.append(sparse.eye_array(len(policy), format="csr") - place.system.chain)
    side: Any = sparse.hstack(across, format="csr")
    average: Any = sparse.vstack(averages, format="csr")
    chain: Any = sparse.block_diag(chains, format="csr")
    rows: Any = [[None, average, chain], [average.T, corner, side], [chain.T, side.T, sparse.block_diag(middle)]]
    system: Any = sparse.block_array(rows, format="csc")
    try:
        factors = sparse_linalg.splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT)
    except RuntimeError as error:
        raise ArithmeticError("the system of a Newton step is singular") from error

    def solve(given: Array) -> Array:
        right = np.zeros(system.shape[0])
        right[states : states + dim] = given / unit
        solution = factors.solve(right)
        solution += factors.solve(right - system @ solution)
        return np.asarray(solution[states : states + dim], dtype=float)

    return solve


def least_norm(data: Weighted, family: RewardFamily, theta: Array) -> Array:
    """``theta`` (d,) without a small part along directions that change no policy in these environments.

    That part is all that ``(damping (H + damping I)^-1)^n`` leaves of it, with H the information of even behaviour in
    all states, whose null space is made of those directions whatever the rewards are.
    """
    even = [(env, np.ones(weights.shape)) for env, weights in data]
    objective = SoftLikelihood(even, family, 1.0, np.zeros(family.dim))
    solve = factorised(objective, np.zeros(family.dim), REST)
    rest = theta
    for _ in range(POWERS):
        rest = REST * solve(rest)
    return np.asarray(theta - rest, dtype=float)


def averaging(policy: Array) -> sparse.csr_array:
    """The average over the actions of a policy (S, A), as a sparse (S, S * A)."""
    pointer = np.arange(0, policy.size + 1, policy.shape[1])
    return sparse.csr_array((policy.ravel(), np.arange(policy.size), pointer), shape=(len(policy), policy.size))
