"""Damped Newton steps for soft-optimal choices (Levenberg 1944; Marquardt 1963), with the Hessian formed or factorised.

Steps solve ``(H + D) v = g`` with damping in D.  H is exact where all adjoints w are positive, as near the maximum;
elsewhere it is the Fisher information, with the visits n(s) in their place: Fisher scoring.  A multiple of
the identity keeps steps orthogonal to directions along which gradient and H vanish.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import linalg

from irl_ident.environment import Array
from irl_ident.solvers.matrix_free import FLAT, SoftLikelihood, is_endless, may_be_endless

Step = Callable[[SoftLikelihood, Array, float], Array]
"""From what is minimised, a place and a damping to the damped Newton step (d,)."""

ROUNDING = 1e-11
"""Gains below this share of what is minimised drown in rounding: from there the gradient is the judge."""

ACCEPTED = 1e-4
"""Share of the predicted gain that a step must bring."""


def dense_step(objective: SoftLikelihood, theta: Array, damping: float) -> Array:
    """The damped step (d,) with the Hessian (d, d) formed from the Jacobians (S * A, d)."""
    hessian = np.diag(objective.precision + damping)
    for place, (_, weights) in zip(objective.places(theta), objective.data, strict=True):
        policy, features = place.plan.policy, place.features.toarray()
        averaged = np.einsum("sa,sad->sd", policy, features.reshape(*policy.shape, -1))
        jacobian = (features - place.env.shaping @ place.system.solve(averaged)) / objective.temperature
        w = place.adjoint if (place.adjoint >= 0).all() else weights.sum(axis=1)
        root = np.sqrt(w[:, None] * policy).ravel()[:, None] * jacobian
        hessian += root.T @ root
    return np.asarray(linalg.cho_solve(linalg.cho_factor(hessian), -objective(theta)[1]), dtype=float)


def newton(
    objective: SoftLikelihood, start: Array, tolerance: float, iterations: int, step: Step
) -> tuple[Array, int, float, bool]:
    """Minimise by Levenberg and Marquardt's damped steps, or until rounding hides what is left to gain.

    Parameters
    ----------
    objective : SoftLikelihood
    start : array (d,)
    tolerance : float
        For the Euclidean norm of the gradient.
    iterations : int
        Steps that are tried, at most.
    step : callable

    Returns
    -------
    theta : array (d,)
    iterations : int
        Steps that were tried.
    residual : float
        Euclidean norm of the gradient.
    endless : bool
        The search was given up because there is no minimum; see :func:`irl_ident.solvers.matrix_free.is_endless`.
    """
    unit = objective.choices * objective.slope**2
    theta, damping = start, 1e-3 * unit
    value, gradient = objective(theta)
    for tried in range(1, iterations + 1):
        size = float(np.linalg.norm(gradient))
        if size <= tolerance and not may_be_endless(objective, theta):
            return theta, tried - 1, size, False
        change, damping = _regular(objective, theta, damping, step)
        gain = (damping * float(change @ change) - float(gradient @ change)) / 2
        if is_endless(objective, theta, change, gain):
            return theta, tried, size, True
        if size <= tolerance and gain < FLAT:
            return theta, tried, size, False
        trial, slope = objective(theta + change)
        blurred = gain < ROUNDING * (1 + abs(value))
        if blurred and np.linalg.norm(slope) >= size / 2:
            return theta, tried, size, False
        ratio = (value - trial) / gain if gain > 0 else -np.inf
        if blurred or ratio > ACCEPTED:
            theta, value, gradient = theta + change, trial, slope
        damping = damping / 10 if blurred or ratio > 0.75 else damping if ratio > 0.25 else damping * 10
        damping = max(damping, 1e-14 * unit)
    return theta, iterations, float(np.linalg.norm(gradient)), False


def _regular(objective: SoftLikelihood, theta: Array, damping: float, step: Step) -> tuple[Array, float]:
    """A step, with the damping raised until the system is positive definite beyond rounding."""
    while True:
        try:
            return step(objective, theta, damping), damping
        except linalg.LinAlgError:
            damping *= 10
