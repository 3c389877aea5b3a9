"""Maximum likelihood for maximum causal entropy agents, with the exact Hessian and the Fisher information.

Counts n_e(s, a) of actions in environments e have the log-likelihood (given the states that were visited)

    L(theta) = sum_e sum_sa n_e(s, a) log pi_e(a | s),      log pi = (Q - V) / b,   Q = Phi theta + g P V,
    V(s) = b log sum_a exp(Q(s, a) / b)

for temperature b (Ziebart, Bagnell & Dey 2010).  Write P_pi for the transitions under pi, B for the shaping matrix
that maps V to V(s) - g P V, and differentiate the fixed point once and twice:

    d log pi = (Phi - B dV) / b,                   dV = (I - g P_pi)^-1 (pi . Phi)
    dL       = sum_sa (n(s, a) - w(s) pi(a | s)) Phi(s, a) / b,    w = (I - g P_pi)^-T B^T n
    d2L      = - sum_s w(s) sum_a pi(a | s) (d log pi)(d log pi)^T

so that the exact Hessian needs no more than the Jacobian d log pi (S*A, d) and the adjoint w of the gradient.  The
expected value of w is n(s), the number of visits, which turns -d2L into the **Fisher information**

    F = sum_e sum_s n_e(s) sum_a pi_e(a | s) (d log pi_e)(d log pi_e)^T.

The covariance of an unbiased estimator is at least F^-1 on the identified directions (Cramér-Rao); the null space of
F is what no amount of such data tells.  L need not be concave, for w may be negative where counts are far from what
the dynamics produce, so Newton's method is damped (Levenberg 1944, Marquardt 1963).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Counts
from irl_ident.identified.shaping_rank import AffineSet, Rank, decide_rank, orthonormal
from irl_ident.rewards import RewardFamily

Status = Literal["converged", "separated", "iterations"]

Observed = tuple[Environment, npt.ArrayLike | Counts]
"""An environment and how often each action was taken in each state, (S, A)."""

_FLAT = 1e-6
"""A predicted gain, in nats, that matters to nobody: what still moves there moves for ever."""

_MOVING = 0.1
"""A step that changes some log-probability by more than this moves."""

_ROUNDING = 1e-11
"""Gains below this share of the log-likelihood drown in rounding: from there the gradient is the judge."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A maximum likelihood estimate.

    Attributes
    ----------
    theta : array (d,)
        Without a penalty in the gauge of least norm: orthogonal to all directions that leave the policies of all these
        environments as they are (constants, where discounts are below 1; shaping).
    log_likelihood : float
        In nats, over all counts, without the penalty.
    gradient_norm : float
        Euclidean norm of the gradient of the penalised log-likelihood.
    iterations : int
        Newton steps that were tried.
    converged : bool
        ``status == "converged"``.
    information : array (d, d)
        The Fisher information F at ``theta``, of the data alone.
    null_basis : array (d, m)
        Orthonormal basis of the null space of F.
    status : {"converged", "separated", "iterations"}
        ``"separated"``: there is no maximum.  The likelihood rises for ever along some direction because actions that
        were never seen in a visited state can be made ever less likely, as with a deterministic agent (Albert &
        Anderson 1984 for the logistic case); ``theta`` is where the rise became too slow to matter (under 1e-6 nats a
        step).  More data or a ``penalty`` resolves it.  ``"iterations"``: the limit was reached first.
    """

    theta: Array
    log_likelihood: float
    gradient_norm: float
    iterations: int
    converged: bool
    information: Array
    null_basis: Array
    status: Status


def log_likelihood(
    env: Environment, counts: npt.ArrayLike | Counts, theta: npt.ArrayLike, fam: RewardFamily, temperature: float = 1.0
) -> float:
    """Log-likelihood in nats of action ``counts`` (S, A) under the maximum causal entropy agent of ``theta``."""
    given = _checked_counts("counts", counts, env)
    plan = planning.soft(env, fam.reward(env, theta), temperature)
    return float((given * plan.log_policy).sum())


@dataclass(frozen=True, eq=False)
class Derivatives:
    """The log-likelihood with its derivatives in theta.

    Attributes
    ----------
    log_likelihood : float
        In nats.
    gradient : array (d,)
    hessian : array (d, d)
        Exact, not its expectation.
    jacobians : tuple of array (S*A, d)
        ``d log pi`` in each environment.
    """

    log_likelihood: float
    gradient: Array
    hessian: Array
    jacobians: tuple[Array, ...]


def derivatives(
    data: Sequence[Observed], fam: RewardFamily, theta: npt.ArrayLike, temperature: float = 1.0
) -> Derivatives:
    """Log-likelihood of counts (S, A) from several environments, its gradient and its exact Hessian."""
    likelihood = 0.0
    gradient, hessian = np.zeros(fam.dim), np.zeros((fam.dim, fam.dim))
    jacobians = []
    for i, (env, given) in enumerate(data):
        counts = _checked_counts(f"data[{i}]", given, env)
        plan = planning.soft(env, fam.reward(env, theta), temperature)
        by_reward = planning.soft_gradient(env, plan, counts)
        adjoint = counts.sum(axis=1) - temperature * by_reward.sum(axis=1)
        jacobian = _jacobian(env, fam, plan)
        likelihood += float((counts * plan.log_policy).sum())
        gradient += fam.matrix(env).T @ by_reward.ravel()
        hessian -= _curvature(jacobian, adjoint[:, None] * plan.policy)
        jacobians.append(jacobian)
    return Derivatives(likelihood, gradient, hessian, tuple(jacobians))


def fisher_information(
    data: Sequence[Observed], fam: RewardFamily, theta: npt.ArrayLike, temperature: float = 1.0
) -> Array:
    """The Fisher information (d, d) of ``theta`` in visits to states.

    Parameters
    ----------
    data : sequence of (Environment, counts)
        Counts (S, A), of which only the visits ``n(s) = sum_a n(s, a)`` matter.
    """
    total = np.zeros((fam.dim, fam.dim))
    for i, (env, given) in enumerate(data):
        visits = _checked_counts(f"data[{i}]", given, env).sum(axis=1)
        plan = planning.soft(env, fam.reward(env, theta), temperature)
        total += _curvature(_jacobian(env, fam, plan), visits[:, None] * plan.policy)
    return total


def maximum_likelihood(
    data: Sequence[Observed],
    fam: RewardFamily,
    *,
    temperature: float = 1.0,
    penalty: npt.ArrayLike = 0.0,
    start: npt.ArrayLike | None = None,
    max_iterations: int = 200,
) -> Fit:
    """Fit the reward of a maximum causal entropy agent to counts from several environments.

    Parameters
    ----------
    data : sequence of (Environment, counts (S, A))
        How often each action was taken in each state; not negative, at least one positive in all.
    fam : RewardFamily
    temperature : float
        Positive; the unit in which rewards are measured.
    penalty : float or array (d,)
        ``sum penalty * theta^2 / 2`` is subtracted: a Gaussian prior of precision ``penalty``.
    start : array (d,), optional
        0 when not given.
    max_iterations : int

    Returns
    -------
    Fit
        Look at ``status`` before ``theta``.
    """
    precision = _checked_options(data, fam, temperature, penalty, max_iterations)
    observed = [(env, _checked_counts(f"data[{i}]", counts, env)) for i, (env, counts) in enumerate(data)]
    if not any(counts.any() for _, counts in observed):
        raise ValueError("data: all counts are 0, there is nothing to fit")
    point = _point(observed, fam, np.zeros(fam.dim) if start is None else fam.checked(start), temperature, precision)
    damping = 1e-3
    status: Status = "iterations"
    iterations = 0
    while iterations < max_iterations:
        iterations += 1
        step, damping = _damped_step(point.curvature, point.gradient, damping)
        gain = float(point.gradient @ step - step @ point.curvature @ step / 2)
        if not precision.any() and gain < _FLAT and _moved(observed, point, step) > _MOVING:
            status = "separated"
            break
        if gain < _ROUNDING * (1 + abs(point.value)):
            step, damping = _damped_step(point.curvature, point.gradient, min(damping, 1e-10))
            trial = _point(observed, fam, point.theta + step, temperature, precision)
            if linalg.norm(trial.gradient) >= linalg.norm(point.gradient) / 2:
                status = "converged"
                break
            point = trial
            continue
        trial = _point(observed, fam, point.theta + step, temperature, precision)
        ratio = (trial.value - point.value) / gain
        if ratio > 1e-4:
            point = trial
        damping = _next_damping(damping, ratio)
    theta = point.theta if precision.any() else least_norm(observed, fam, point.theta)
    information = fisher_information(observed, fam, theta, temperature)
    return Fit(
        theta=theta,
        log_likelihood=point.local.log_likelihood,
        gradient_norm=float(linalg.norm(point.gradient)),
        iterations=iterations,
        converged=status == "converged",
        information=information,
        null_basis=_told(observed, fam, theta, temperature).null_basis,
        status=status,
    )


def affine_around_fit(data: Sequence[Observed], fam: RewardFamily, temperature: float = 1.0) -> AffineSet:
    """The maximum likelihood estimate and the directions along which, to first order, this data says nothing.

    Parameters
    ----------
    data, fam, temperature
        As for :func:`maximum_likelihood`, which is used without a penalty.

    Returns
    -------
    AffineSet
        ``particular`` is the estimate, ``null_basis`` the null space of the Fisher information there.
        ``singular_values`` belong to a square root of the information with columns of unit length, over the largest.
        ``decided`` is also False when there is no estimate (a likelihood without a maximum); ``residual`` is 0, a
        likelihood contradicts nothing.
    """
    fit = maximum_likelihood(data, fam, temperature=temperature)
    directions = _told(data, fam, fit.theta, temperature)
    return AffineSet(
        particular=fit.theta,
        null_basis=directions.null_basis,
        singular_values=directions.rank.singular_values,
        tolerance=directions.rank.tolerance,
        gap=directions.rank.gap,
        decided=directions.rank.decided and fit.converged,
        rank=directions.rank.rank,
        residual=0.0,
    )


@dataclass(frozen=True, eq=False)
class _Told:
    rank: Rank
    null_basis: Array


def _told(data: Sequence[Observed], fam: RewardFamily, theta: Array, temperature: float) -> _Told:
    """The rank and null space of F, read off ``sqrt(n pi) d log pi``, whose Gram matrix F is."""
    roots = []
    for i, (env, given) in enumerate(data):
        visits = _checked_counts(f"data[{i}]", given, env).sum(axis=1)
        plan = planning.soft(env, fam.reward(env, theta), temperature)
        roots.append(np.sqrt(visits[:, None] * plan.policy).ravel()[:, None] * _jacobian(env, fam, plan))
    root = np.vstack(roots)
    lengths = np.sqrt((root**2).sum(axis=0))
    told = lengths > np.finfo(float).eps * lengths.max()
    scale = np.where(told, 1 / np.where(told, lengths, 1.0), 1.0)
    (triangle,) = linalg.qr(root * np.where(told, scale, 0.0), mode="r")
    _, values, right = linalg.svd(triangle[: fam.dim], full_matrices=True)
    padded = np.concatenate([values, np.zeros(fam.dim - values.size)])
    rank = decide_rank(padded / max(float(padded[0]), np.finfo(float).tiny))
    return _Told(rank, orthonormal(scale[:, None] * right[rank.rank :].T))


@dataclass(frozen=True, eq=False)
class _Point:
    theta: Array
    value: float
    local: Derivatives
    gradient: Array
    curvature: Array


def _point(data: Sequence[Observed], fam: RewardFamily, theta: Array, temperature: float, precision: Array) -> _Point:
    """The penalised log-likelihood, its gradient and its negative Hessian."""
    local = derivatives(data, fam, theta, temperature)
    return _Point(
        theta,
        local.log_likelihood - float(precision @ theta**2) / 2,
        local,
        local.gradient - precision * theta,
        np.diag(precision) - local.hessian,
    )


def _moved(data: Sequence[tuple[Environment, Array]], point: _Point, step: Array) -> float:
    """Largest change that ``step`` makes to first order in the log-probability of an action in a visited state."""
    changes = [
        np.abs((jacobian @ step).reshape(counts.shape)[counts.sum(axis=1) > 0]).max(initial=0.0)
        for (_, counts), jacobian in zip(data, point.local.jacobians, strict=True)
    ]
    return float(max(changes))


def _jacobian(env: Environment, fam: RewardFamily, plan: planning.SoftPlan) -> Array:
    return planning.soft_jacobian(env, plan, fam.matrix(env).toarray())


def _curvature(jacobian: Array, weights: Array) -> Array:
    """``J^T diag(weights) J``."""
    return np.asarray(jacobian.T @ (weights.ravel()[:, None] * jacobian), dtype=float)


def _damped_step(curvature: Array, gradient: Array, damping: float) -> tuple[Array, float]:
    """Solve ``(H + damping * scale * I) step = gradient`` with the damping raised until the matrix is positive
    definite.

    A multiple of the identity keeps steps orthogonal, up to rounding, to directions along which gradient and H vanish.
    """
    scale = float(np.abs(np.diag(curvature)).max()) or 1.0
    while True:
        try:
            factor = linalg.cho_factor(curvature + damping * scale * np.eye(gradient.size))
        except linalg.LinAlgError:
            damping *= 10
            continue
        return np.asarray(linalg.cho_solve(factor, gradient)), damping


def least_norm(data: Sequence[tuple[Environment, Array]], fam: RewardFamily, theta: Array) -> Array:
    """``theta`` (d,) without its part along the directions that shape in every environment of the data.

    These leave the policies of soft-optimal agents as they are, and those of Boltzmann agents too; they are what not
    even evenly chosen actions in all states tell.
    """
    even = [(env, np.ones(counts.shape)) for env, counts in data]
    invariant = _told(even, fam, np.zeros(fam.dim), 1.0).null_basis
    return np.asarray(theta - invariant @ (invariant.T @ theta), dtype=float)


def _next_damping(damping: float, ratio: float) -> float:
    if ratio > 0.75:
        return max(damping / 10, 1e-14)
    return damping if ratio > 0.25 else damping * 10


def _checked_counts(argument: str, counts: npt.ArrayLike | Counts, env: Environment) -> Array:
    given = np.asarray(counts.counts if isinstance(counts, Counts) else counts, dtype=float)
    if given.shape != (env.n_states, env.n_actions):
        raise ValueError(f"{argument}: counts should have shape {(env.n_states, env.n_actions)}, were {given.shape}")
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError(f"{argument}: counts should be finite and not negative")
    return given


def _checked_options(
    data: Sequence[Observed], fam: RewardFamily, temperature: float, penalty: npt.ArrayLike, max_iterations: int
) -> Array:
    """The precision of the prior, (d,), when all settings are in order."""
    if not data:
        raise ValueError("data: should hold at least one pair of environment and counts")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: was {temperature!r}, should be positive and finite")
    precision = np.asarray(penalty, dtype=float)
    if precision.shape not in ((), (fam.dim,)) or not (np.isfinite(precision) & (precision >= 0)).all():
        raise ValueError(
            f"penalty: was {penalty!r}, should be at least 0 and finite, one number or one for each parameter"
        )
    if max_iterations < 1:
        raise ValueError(f"max_iterations: was {max_iterations!r}, should be at least 1")
    return np.broadcast_to(precision, (fam.dim,))
