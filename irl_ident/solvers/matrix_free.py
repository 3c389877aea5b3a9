"""The likelihood of soft-optimal choices, its gradient, and products with its Hessian, without a Jacobian.

With ``J = d log pi / d theta`` of :mod:`irl_ident.identified.soft_likelihood`, which has S * A * d entries,

    J v    = (Phi v - B (I - C_pi)^-1 (pi . Phi v)) / b,
    J^T u  = Phi^T (u - pi y) / b,        (I - C_pi)^T y = B^T u,
    d2L v  = - J^T (w pi J v),            w the adjoint of the gradient,

so that a product costs two solves with a matrix that is factorised once.  Newton's method with conjugate gradients
inside a trust region (Steihaug 1983) needs nothing else.  Started from 0, it stays orthogonal to all directions that
change no policy, for gradient and products are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import optimize, sparse
from scipy.sparse import linalg as sparse_linalg

from irl_ident import planning
from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning import PolicySystem, SoftPlan
from irl_ident.rewards import RewardFamily

FLAT = 1e-6
MOVING = 0.1
"""Where a Newton step gains less than FLAT nats, or FLAT a visit of a state that has less than one, and lowers the
log-probability of an action that was never chosen in that state by MOVING, there is no maximum."""

RESOLVED = 1e-14
"""Rounding hides gains below this share of a nat for each choice; where it is more than FLAT, it takes its place."""

Weighted = Sequence[tuple[Environment, Array]]
"""Environments and how much each choice counts, (S, A)."""


@dataclass(frozen=True, eq=False)
class Place:
    """One environment at one theta.

    Attributes
    ----------
    env : Environment
    features : sparse array (S * A, d)
    plan : SoftPlan
    system : PolicySystem
        Of the plan's policy.
    adjoint : array (S,)
        ``w``.
    """

    env: Environment
    features: sparse.csr_array
    plan: SoftPlan
    system: PolicySystem
    adjoint: Array


@dataclass(eq=False)
class SoftLikelihood:
    """Minus the penalised log-likelihood, to be minimised.

    Attributes
    ----------
    data : sequence of (Environment, weights (S, A))
    family : RewardFamily
    temperature : float
    precision : array (d,)
        Of the Gaussian prior; 0 for none.
    evaluations, products : int
        How often the value and products with the Hessian were asked for.
    """

    data: Weighted
    family: RewardFamily
    temperature: float
    precision: Array
    evaluations: int = 0
    products: int = 0
    _theta: Array = field(default_factory=lambda: np.array(np.nan), init=False)
    _value: float = field(default=np.nan, init=False)
    _gradient: Array = field(default_factory=lambda: np.zeros(0), init=False)
    _places: list[Place] = field(default_factory=list, init=False)
    _features: list[sparse.csr_array] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._features = [self.family.matrix(env) for env, _ in self.data]

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient."""
        self._move(theta)
        value = -self._value + float(self.precision @ theta**2) / 2
        return value, self.precision * theta - self._gradient

    @cached_property
    def choices(self) -> float:
        """How many choices were counted."""
        return sum(float(weights.sum()) for _, weights in self.data)

    @cached_property
    def slope(self) -> float:
        """The largest feature over the temperature: what gradients, for each choice, are measured by."""
        largest = max(float(abs(features).max()) if features.nnz else 0.0 for features in self._features)
        return largest / self.temperature if largest > 0 else 1.0

    def log_likelihood(self, theta: Array) -> float:
        """In nats, without the prior."""
        self._move(theta)
        return self._value

    def places(self, theta: Array) -> Sequence[Place]:
        """The environments at ``theta``."""
        self._move(theta)
        return self._places

    def changes(self, theta: Array, v: Array) -> list[Array]:
        """Change of the log-policy along ``v`` in each environment, ``J v`` as (S, A)."""
        self._move(theta)
        found = []
        for place in self._places:
            pi = place.plan.policy
            dr = (place.features @ v).reshape(pi.shape)
            dv = place.system.solve((pi * dr).sum(axis=1))
            found.append((dr - (place.env.shaping @ dv).reshape(pi.shape)) / self.temperature)
        return found

    def hessian_product(self, theta: Array, v: Array) -> Array:
        """The Hessian of what is minimised times ``v``."""
        self.products += 1
        total = self.precision * v
        changes = self.changes(theta, v)
        for place, change in zip(self._places, changes, strict=True):
            pi = place.plan.policy
            u = place.adjoint[:, None] * pi * change
            y = place.system.solve_transposed(place.env.shaping.T @ u.ravel())
            total += place.features.T @ (u - pi * y[:, None]).ravel() / self.temperature
        return total

    def _move(self, theta: Array) -> None:
        if np.array_equal(theta, self._theta):
            return
        self.evaluations += 1
        before = [place.plan.values for place in self._places]
        self._places, self._value = [], 0.0
        self._gradient = np.zeros(self.family.dim)
        for number, ((env, weights), features) in enumerate(zip(self.data, self._features, strict=True)):
            reward = (features @ theta).reshape(weights.shape)
            start = before[number] if before else None
            plan = planning.soft(env, reward, self.temperature, start=start)
            system = planning.policy_system(env, plan.policy)
            adjoint = system.solve_transposed(env.shaping.T @ weights.ravel())
            self._value += float((weights * plan.log_policy).sum())
            by_reward = (weights - plan.policy * adjoint[:, None]) / self.temperature
            self._gradient += features.T @ by_reward.ravel()
            self._places.append(Place(env, features, plan, system, adjoint))
        self._theta = theta.copy()


def is_endless(objective: SoftLikelihood, theta: Array, step: Array, gain: float) -> bool:
    """Whether a Newton step that is to bring ``gain`` nats goes on for ever: the likelihood has no maximum."""
    least = max(FLAT, RESOLVED * objective.choices)
    if objective.precision.any() or gain >= least or not any(_never(weights).any() for _, weights in objective.data):
        return False
    for change, (_, weights) in zip(objective.changes(theta, step), objective.data, strict=True):
        flat = gain < least * np.minimum(weights.sum(axis=1), 1)
        if (change[_never(weights) & flat[:, None]] < -MOVING).any():
            return True
    return False


def may_be_endless(objective: SoftLikelihood, theta: Array) -> bool:
    """Whether any action that was never chosen is so improbable that a step as :func:`is_endless` seeks may exist.

    A step gains half of ``sum_s w sum_a pi change^2``; a change of MOVING gains FLAT a visit unless pi is that small.
    """
    return not objective.precision.any() and any(
        bool((place.plan.policy[_never(weights)] < 2 * FLAT / MOVING**2).any())
        for place, (_, weights) in zip(objective.places(theta), objective.data, strict=True)
    )


def _never(weights: Array) -> Mask:
    """Actions (S, A) that were not chosen in states where others were."""
    return np.asarray((weights == 0) & weights.any(axis=1, keepdims=True))


def newton(
    objective: SoftLikelihood, start: Array, tolerance: float, iterations: int
) -> tuple[Array, int, float, bool]:
    """Minimise by trust-region Newton steps, and by plain ones where rounding hides what is left to gain.

    Returns
    -------
    theta : array (d,)
    iterations : int
    residual : float
        Euclidean norm of the gradient.
    endless : bool
        There is no minimum.
    """
    solver: Any = optimize.minimize
    found = solver(
        objective,
        start,
        jac=True,
        hessp=objective.hessian_product,
        method="trust-ncg",
        options={"gtol": tolerance, "maxiter": iterations, "initial_trust_radius": 1.0, "max_trust_radius": 1e6},
    )
    theta, steps = np.asarray(found.x, dtype=float), int(found.nit)
    residual = float(np.linalg.norm(objective(theta)[1]))
    while residual > tolerance or may_be_endless(objective, theta):
        step = newton_step(objective, theta, 1e-12 * objective.choices * objective.slope**2)
        gain = -float(objective(theta)[1] @ step) / 2
        if is_endless(objective, theta, step, gain):
            return theta, steps, residual, True
        if steps >= iterations or (residual <= tolerance and gain < FLAT):
            break
        size = float(np.linalg.norm(objective(theta + step)[1]))
        if not size < residual / 2:
            break
        theta, residual, steps = theta + step, size, steps + 1
    return theta, steps, residual, False


def newton_step(objective: SoftLikelihood, theta: Array, damping: float, iterations: int = 500) -> Array:
    """The damped Newton step at ``theta``, by conjugate gradients."""
    gradient = objective(theta)[1]

    def product(v: Array) -> Array:
        return objective.hessian_product(theta, np.ravel(v)) + damping * np.ravel(v)

    operator: Any = sparse_linalg.LinearOperator((theta.size, theta.size), matvec=product, dtype=float)
    solve: Any = sparse_linalg.cg
    step, _ = solve(operator, -gradient, rtol=1e-4, maxiter=iterations)
    return np.asarray(step, dtype=float)
