"""Maximum likelihood for agents that choose in proportion to ``exp(Q*(s, a) / b)`` (Ramachandran & Amir 2007).

``Q*`` is convex and piecewise linear in theta, so the likelihood is continuous, smooth but where optimal actions tie,
and not concave.  It is approached from the smooth side: let ``Q_tau`` be the values of an agent that expects to act at
temperature ``tau``,

    Q_tau = r + C V_tau,       V_tau the soft values at temperature tau,       Q_0 = Q*,

and ``L_tau`` the log-likelihood of choices in proportion to ``exp(Q_tau / b)``.  At ``tau = b`` that is maximum causal
entropy, for which second-order methods find the maximum; from there ``tau`` falls to 0 and each maximum starts the
search for the next (an annealing path; L-BFGS-B).  The best of all points on the path, under ``L_0``, is returned.  The
gradient is exact: with mu the behaviour that the agent expects of itself,

    dQ_tau = Phi + C dV,     (I - C_mu) dV = mu . Phi,

and at ``tau = 0``, where optimal actions tie, mu takes them evenly: a subgradient of V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from irl_ident import planning
from irl_ident.agents import Boltzmann
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Evidence
from irl_ident.identified.soft_likelihood import least_norm
from irl_ident.planning.checks import positive
from irl_ident.rewards import RewardFamily
from irl_ident.solvers.base import Convergence, Status
from irl_ident.solvers.likelihood import LikelihoodEstimate, LikelihoodSolver, MaxEnt, gauge, weighted
from irl_ident.solvers.matrix_free import Weighted
from irl_ident.solvers.priors import Gaussian

PATH = (0.5, 0.2, 0.1, 0.05, 0.02, 0.0)
"""Expected temperatures after b itself, as shares of b."""

GAIN = 1e-6
"""One more search that gains no more than this, in nats, says that the last one had converged."""


@dataclass(frozen=True, eq=False)
class BoltzmannEstimate(LikelihoodEstimate):
    """The estimate of :class:`BoltzmannML`.

    Attributes
    ----------
    path : array (p,)
        Negative log-likelihood, less log-prior, of each point of the annealing path, under ``L_0``.
    """

    path: Array


@dataclass(frozen=True)
class BoltzmannML(LikelihoodSolver):
    """Greatest likelihood under a softmax of Q*.

    Parameters
    ----------
    temperature : float
        In units of reward, above 0; theta / temperature is all that choices tell.
    prior : Gaussian, optional
        None for plain maximum likelihood.
    iterations : int
        Of L-BFGS-B at each temperature, at most.
    """

    temperature: float = 1.0
    prior: Gaussian | None = None
    iterations: int = 300

    def __post_init__(self) -> None:
        positive("temperature", self.temperature)
        if not isinstance(self.prior, Gaussian | None):
            raise ValueError(f"prior: was {self.prior!r}, should be None or Gaussian(...)")
        if self.iterations < 1:
            raise ValueError(f"iterations: was {self.iterations!r}, should be at least 1")

    def fit(self, evidence: Evidence, family: RewardFamily) -> BoltzmannEstimate:
        """Follow the annealing path; see :meth:`.Solver.fit`.

        Returns
        -------
        BoltzmannEstimate
            A local maximum, which need not be the largest.  Gauge as for :class:`MaxEnt`: constants and shapings change
            no choice of a Boltzmann agent either.
        """
        return self.fit_weights(weighted(evidence, family), family)

    def fit_weights(self, data: Weighted, family: RewardFamily) -> BoltzmannEstimate:  # noqa: D102
        first = MaxEnt(self.temperature, self.prior, self.iterations).fit_weights(data, family)
        deviations = np.inf if self.prior is None else self.prior.deviations
        precision = np.broadcast_to(1 / np.square(deviations), (family.dim,))
        points, steps, gain = annealed(data, family, self.temperature, precision, first.theta, self.iterations)
        losses = np.array([negative(theta, data, family, self.temperature, 0.0, precision)[0] for theta in points])
        theta = points[int(np.argmin(losses))]
        if self.prior is None:
            theta = least_norm(data, family, theta)
        value = float(losses.min())
        status: Status = first.convergence.status
        if status != "separated":
            status = "converged" if gain <= GAIN else "iterations"
        return BoltzmannEstimate(
            solver=self,
            agent=Boltzmann(family, theta, self.temperature),
            minimised="negative log-likelihood, nats" + ("" if self.prior is None else ", less log-prior"),
            value=value,
            convergence=Convergence(status, steps, "gain of one more search, nats", gain),
            gauge=gauge(self.prior, status),
            log_likelihood=float(precision @ theta**2) / 2 - value,
            path=losses,
        )


def annealed(
    data: Weighted, family: RewardFamily, temperature: float, precision: Array, start: Array, iterations: int
) -> tuple[list[Array], int, float]:
    """Maxima for planners ever surer of themselves, each started from the one before.

    Returns
    -------
    points : list of array (d,)
        ``start``, then one for each expected temperature of :data:`PATH`.
    iterations : int
        In all.
    gain : float
        What one more search at the last temperature gained, in nats.
    """
    points, steps = [start], 0
    for share in PATH:
        found, _, used = _search(data, family, temperature, share * temperature, precision, points[-1], iterations)
        points.append(found)
        steps += used
    before = negative(points[-1], data, family, temperature, 0.0, precision)[0]
    last, value, used = _search(data, family, temperature, 0.0, precision, points[-1], iterations)
    points.append(last)
    return points, steps + used, before - value


def _search(
    data: Weighted,
    family: RewardFamily,
    temperature: float,
    expected: float,
    precision: Array,
    start: Array,
    iterations: int,
) -> tuple[Array, float, int]:
    solver: Any = optimize.minimize
    found = solver(
        negative,
        start,
        args=(data, family, temperature, expected, precision),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 1e-14, "gtol": 1e-10},
    )
    return np.asarray(found.x, dtype=float), float(found.fun), int(found.nit)


def negative(
    theta: Array, data: Weighted, family: RewardFamily, temperature: float, expected: float, precision: Array
) -> tuple[float, Array]:
    """Minus ``L_tau`` less the log-prior, and its gradient in theta.

    Parameters
    ----------
    theta : array (d,)
    data : sequence of (Environment, weights (S, A))
    family : RewardFamily
    temperature : float
        ``b``.
    expected : float
        ``tau``, at least 0.
    precision : array (d,)
        Of the Gaussian prior.
    """
    value, gradient = float(precision @ theta**2) / 2, precision * theta
    for env, weights in data:
        features = family.matrix(env)
        q, mixture = anticipated(env, (features @ theta).reshape(weights.shape), expected)
        log_policy = special.log_softmax(q / temperature, axis=1)
        residual = (weights - weights.sum(axis=1, keepdims=True) * np.exp(log_policy)) / temperature
        flow = planning.policy_system(env, mixture).solve_transposed(env.continuation.T @ residual.ravel())
        value -= float((weights * log_policy).sum())
        gradient = gradient - features.T @ (residual + mixture * flow[:, None]).ravel()
    return value, gradient


def anticipated(env: Environment, reward: Array, expected: float) -> tuple[Array, Array]:
    """``Q_tau`` of an agent that expects to act at temperature ``expected``, and how it expects to, (S, A) each."""
    if expected > 0:
        plan = planning.soft(env, reward, expected)
        return plan.q, plan.policy
    q = planning.optimal(env, reward).q
    return q, planning.greedy_policy(q)
