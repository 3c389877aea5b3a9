"""Maximum causal entropy inverse RL, as maximum likelihood (Ziebart, Bagnell & Dey 2010; Ziebart 2010).

The estimate minimises ``- sum_e sum_sa n_e(s, a) log pi_e(a | s; theta)`` plus minus the log-density of the prior,

    Gaussian(deviation):  sum theta^2 / (2 deviation^2)         Laplace(scale):  sum |theta| / scale.

Where the weights n are the discounted occupancy of a policy, the gradient is 0 just when the estimate's feature
expectations are those of the policy: maximum causal entropy's dual.  For trajectories it is the likelihood of the
choices given the states in which they were made.

All searches are second order, and differ in how they find a step.  With few parameters the Hessian is formed; where
transitions and features are sparse, one sparse factorisation of a larger system takes its place
(:mod:`irl_ident.solvers.saddle`); otherwise conjugate gradients ask for products with it only
(:mod:`irl_ident.solvers.matrix_free`).  Laplace priors are handled by splitting theta into its positive and negative
part (L-BFGS-B) and then, with the zeros that it found, by Newton's method on the others.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg, optimize

from irl_ident.agents import SoftOptimal
from irl_ident.environment import Array
from irl_ident.evidence import Evidence
from irl_ident.identified.soft_likelihood import (
    Observed,
    derivatives,
    fisher_information,
    least_norm,
)
from irl_ident.planning.checks import positive
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import damped, reading, saddle
from irl_ident.solvers.base import Convergence, Estimate, Solver, Status
from irl_ident.solvers.matrix_free import SoftLikelihood, Weighted, newton
from irl_ident.solvers.priors import Gaussian, Laplace

DENSE_ENTRIES = 50_000
"""Up to so many entries of the Jacobians the Hessian is formed at every step, whatever the structure."""

DENSE_WORK = 1e8
"""Up to so many multiplications the Hessian is formed where nothing is sparse."""

EXACT = 1e-4
"""Where steps are exact, and each squares what is left of a gradient, one so much smaller costs little more."""

POLISHING = 50
"""Newton steps on the parameters that a Laplace prior leaves."""


@dataclass(frozen=True, eq=False)
class LikelihoodEstimate(Estimate):
    """An estimate of greatest likelihood.

    Attributes
    ----------
    log_likelihood : float
        In nats, without the prior.
    """

    log_likelihood: float


class LikelihoodSolver(Solver):
    """A solver that maximises the likelihood of choices."""

    @abstractmethod
    def fit(self, evidence: Evidence, family: RewardFamily) -> LikelihoodEstimate:
        """Maximise the likelihood; see :meth:`.Solver.fit`."""

    @abstractmethod
    def fit_weights(self, data: Weighted, family: RewardFamily) -> LikelihoodEstimate:
        """Maximise the likelihood of choices that have been counted.

        Parameters
        ----------
        data : sequence of (Environment, array (S, A))
            How much each choice counts, as :func:`.weighted` reads it from evidence.
        family : RewardFamily
        """


def weighted(evidence: Evidence, family: RewardFamily) -> Weighted:
    """How much each choice counts in each environment, for evidence that goes with the family."""
    return [(env, reading.weights(env, seen)) for env, seen in reading.checked(evidence, family)]


@dataclass(frozen=True, eq=False)
class MaxEntEstimate(LikelihoodEstimate):
    """The estimate of :class:`MaxEnt`, with what its evidence told.

    Attributes
    ----------
    data : sequence of (Environment, array (S, A))
        How much each choice counted.
    """

    data: Weighted

    @cached_property
    def information(self) -> Array:
        """The Fisher information (d, d) of the evidence at ``theta``; its null space is what choices do not tell.

        Holds a matrix of S * A * d entries for each environment while it is computed.
        """
        seen: list[Observed] = list(self.data)
        return fisher_information(seen, self.family, self.theta, self.solver.temperature)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class MaxEnt(LikelihoodSolver):
    """Maximum causal entropy.

    Parameters
    ----------
    temperature : float
        Price of a nat of entropy in units of reward, above 0; theta / temperature is all that choices tell.
    prior : Gaussian or Laplace, optional
        None for plain maximum likelihood.
    iterations : int
        Newton steps, at most.
    tolerance : float
        A gradient of this Euclidean norm is 0, for each choice that was counted and in units of the largest feature
        over the temperature; above 0.  Searches that form or factorise their systems go on to rounding, where it costs
        no more than a step or two.
    """

    temperature: float = 1.0
    prior: Gaussian | Laplace | None = None
    iterations: int = 500
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        positive("temperature", self.temperature)
        positive("tolerance", self.tolerance)
        if not isinstance(self.prior, Gaussian | Laplace | None):
            raise ValueError(f"prior: was {self.prior!r}, should be None, Gaussian(...) or Laplace(...)")
        if self.iterations < 1:
            raise ValueError(f"iterations: was {self.iterations!r}, should be at least 1")

    def fit(self, evidence: Evidence, family: RewardFamily) -> MaxEntEstimate:
        """Maximise the likelihood; see :meth:`.Solver.fit`.

        Returns
        -------
        MaxEntEstimate
            Gauge: without a prior the member of least Euclidean norm, orthogonal to all directions that change no
            policy in these environments (constants, shaping); with one, the mode of the posterior.  Status
            ``"separated"``: the likelihood rises for ever, as for agents that always choose the same; ``theta`` is
            where the rise became too slow to matter, and a prior would bring it to an end.
        """
        return self.fit_weights(weighted(evidence, family), family)

    def fit_weights(self, data: Weighted, family: RewardFamily) -> MaxEntEstimate:  # noqa: D102
        if self.prior is not None:
            self.prior.check(family.dim)
        if isinstance(self.prior, Laplace):
            scale = np.broadcast_to(np.asarray(self.prior.scale, dtype=float), (family.dim,))
            objective = SoftLikelihood(data, family, self.temperature, np.zeros(family.dim))
            theta, ended = _sparse(objective, scale, self.iterations)
            penalty = float((np.abs(theta) / scale).sum())
        else:
            deviations = np.inf if self.prior is None else self.prior.deviations
            precision = np.broadcast_to(1 / np.square(deviations), (family.dim,))
            objective = SoftLikelihood(data, family, self.temperature, precision)
            theta, ended = _smooth(objective, self.iterations, self.tolerance)
            penalty = float(precision @ theta**2) / 2
        reached = objective.log_likelihood(theta)
        return MaxEntEstimate(
            solver=self,
            agent=SoftOptimal(family, theta, self.temperature),
            minimised="negative log-likelihood, nats" + ("" if self.prior is None else ", less log-prior"),
            value=penalty - reached,
            convergence=ended,
            gauge=gauge(self.prior, ended.status),
            log_likelihood=reached,
            data=data,
        )


def is_small(data: Weighted, family: RewardFamily) -> bool:
    """Whether forming the Hessian (d, d) is the fastest way to a Newton step."""
    entries = sum(weights.size for _, weights in data) * family.dim
    return entries <= DENSE_ENTRIES or (entries * family.dim <= DENSE_WORK and not saddle.is_sparse(data, family))


def gauge(prior: Gaussian | Laplace | None, status: Status) -> str:
    """Which member of the class of equivalent rewards an estimate of greatest likelihood is."""
    if prior is not None:
        return f"mode of the posterior: what choices do not tell, the prior {prior!r} sets to 0 as far as it can"
    least = "least norm: orthogonal to constants and shapings that change no policy in these environments"
    return least if status != "separated" else f"{least}; the likelihood has no maximum, so the scale is arbitrary"


def _smooth(objective: SoftLikelihood, iterations: int, tolerance: float) -> tuple[Array, Convergence]:
    """Greatest likelihood, or greatest posterior density under a Gaussian prior."""
    data, family, start = objective.data, objective.family, np.zeros(objective.family.dim)
    zero = tolerance * objective.choices * objective.slope
    gauge: Callable[[Weighted, RewardFamily, Array], Array] | None = None
    if is_small(data, family):
        theta, steps, residual, endless = damped.newton(objective, start, EXACT * zero, iterations, damped.dense_step)
        gauge = least_norm
    elif saddle.is_sparse(data, family):
        theta, steps, residual, endless = damped.newton(objective, start, EXACT * zero, iterations, saddle.step)
        gauge = saddle.least_norm
    else:
        theta, steps, residual, endless = newton(objective, start, zero, iterations)
    if gauge is not None and not objective.precision.any():
        theta = gauge(data, family, theta)
    status: Status = "separated" if endless else "converged" if residual <= zero else "iterations"
    return theta, Convergence(status, steps, "norm of the gradient", residual)


def _sparse(objective: SoftLikelihood, scale: Array, iterations: int) -> tuple[Array, Convergence]:
    """Greatest posterior density under a Laplace prior; the residual is the largest violation of its conditions."""
    data, family = objective.data, objective.family
    d, rate, unit = family.dim, 1 / scale, 1 / objective.slope

    def split(x: Array) -> tuple[float, Array]:
        value, gradient = objective(unit * (x[:d] - x[d:]))
        return value + unit * float(rate @ (x[:d] + x[d:])), unit * np.concatenate([gradient + rate, rate - gradient])

    solver: Any = optimize.minimize
    found = solver(
        split,
        np.zeros(2 * d),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * d),
        options={"maxiter": 20 * iterations, "maxfun": 40 * iterations, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30},
    )
    theta = np.asarray(unit * (found.x[:d] - found.x[d:]), dtype=float)
    if is_small(data, family):
        theta = _polished(data, family, objective.temperature, rate, theta)
    gradient = objective(theta)[1]
    away = np.where(theta != 0, np.abs(gradient + np.sign(theta) * rate), np.maximum(np.abs(gradient) - rate, 0))
    residual = float(away.max())
    allowed = 1e-6 * max(objective.choices * objective.slope, float(rate.max()))
    status: Status = "converged" if residual <= allowed else "iterations"
    return theta, Convergence(status, int(found.nit), "violation of the conditions for an optimum", residual)


def _polished(data: Weighted, family: RewardFamily, temperature: float, rate: Array, theta: Array) -> Array:
    """Newton's method on the parameters that are not 0, as long as no sign changes and the violation shrinks."""
    observed: list[Observed] = list(data)
    signs = np.sign(theta)
    kept = np.flatnonzero(signs)
    least = np.inf
    for _ in range(POLISHING):
        local = derivatives(observed, family, theta, temperature)
        residual = (local.gradient - signs * rate)[kept]
        size = float(np.abs(residual).max(initial=0))
        if size >= least or size == 0:
            break
        least = size
        step, *_ = linalg.lstsq(-local.hessian[np.ix_(kept, kept)], residual)
        trial = theta.copy()
        trial[kept] += step
        if (np.sign(trial) != signs).any():
            break
        theta = trial
    return theta
