"""Bayesian inverse RL: the posterior over rewards (Ramachandran & Amir 2007; Choi & Kim 2011).

    p(theta | n) in proportion to p(theta) prod_e prod_sa pi_e(a | s; theta)^n_e(s, a)

for counts n_e of choices in environments e that share theta, and one of three agents: soft-optimal (maximum causal
entropy), Boltzmann in the optimal values ("optimal-noisy" in the paper of Ramachandran & Amir), or optimal but for a
share epsilon of random choices.  States are given, only choices are modelled, so the dynamics drop out.

Likelihoods and gradients are those of :mod:`irl_ident.solvers.choices`, priors of :mod:`irl_ident.solvers.priors`,
samplers of :mod:`irl_ident.solvers.sampling`: Hamiltonian Monte Carlo where the likelihood has a gradient, whitened at
first by the Fisher information at a mode; where the likelihood is piecewise constant, the exact paths of
:mod:`irl_ident.solvers.refraction` under Gaussian priors and elliptical slice sampling under others.

Directions W of theta that shape in every environment, ``Phi_e W = B_e X_e`` wherever the observed states lead, change
no choice.  There the posterior is what the prior says; under a Gaussian prior it is the prior, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import linalg

from irl_ident import agents
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Evidence
from irl_ident.identified.shaping_rank import affine_set, orthonormal
from irl_ident.planning.checks import positive
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Estimate, Solver
from irl_ident.solvers.choices import BoltzmannChoices, Choices, NoisyChoices, SoftChoices
from irl_ident.solvers.density import Density, Length, cells, paths
from irl_ident.solvers.priors import Gaussian, Laplace, Prior, Uniform
from irl_ident.transitions import visited

__all__ = ["BayesianIRL", "Gaussian", "Laplace", "Posterior", "Prior", "Uniform"]

Rationality = Literal["soft", "boltzmann", "noisy"]

MIXED = 1.01
"""Largest R-hat of a posterior that counts as converged (Vehtari et al. 2021)."""
EFFECTIVE = 100
"""Least effective sample size for each chain of a posterior that counts as converged (Vehtari et al. 2021)."""


@dataclass(frozen=True, eq=False)
class Posterior(Estimate):
    """Draws from the posterior; ``theta`` is its mean.

    Attributes
    ----------
    draws : array (chains, n, d)
        After warm-up.
    log_posterior : array (chains, n)
        Log-likelihood plus log-density of the prior, nats: the posterior up to a constant.
    effective : array (d,)
        Effective sample sizes of each parameter: ArviZ's bulk ESS (Vehtari et al. 2021).  0 where no chain moved.
    r_hat : array (d,)
        ArviZ's rank-normalised split R-hat.  ``inf`` where no chain moved.
    acceptance : array (chains,)
        Mean acceptance of paths; of slice sampling, draws over likelihoods computed.
    divergences : int
        Paths on which the energy ran away: above 0 the draws miss some region.
    invariant : array (d, m)
        Orthonormal basis of the directions along which no choice in this evidence changes whatever theta is: there the
        prior alone speaks.
    """

    draws: Array = field(repr=False)
    log_posterior: Array = field(repr=False)
    effective: Array
    r_hat: Array
    acceptance: Array
    divergences: int
    invariant: Array = field(repr=False)

    @property
    def pooled(self) -> Array:
        """All draws, (chains * n, d)."""
        return self.draws.reshape(-1, self.draws.shape[2])

    @cached_property
    def covariance(self) -> Array:
        """Posterior covariance, (d, d)."""
        return np.atleast_2d(np.cov(self.pooled, rowvar=False))

    @property
    def deviation(self) -> Array:
        """Posterior standard deviations, (d,)."""
        return np.sqrt(np.diag(self.covariance))

    def quantiles(self, levels: npt.ArrayLike = (0.05, 0.5, 0.95)) -> Array:
        """Quantiles of each parameter, (levels, d)."""
        return np.asarray(np.quantile(self.pooled, np.asarray(levels, dtype=float), axis=0))

    def prior_share(self) -> tuple[Array, Array]:
        """Which share of the prior's variance is left, in each direction.

        Returns
        -------
        shares : array (d,)
            Eigenvalues, falling, of the posterior covariance of ``theta / deviation``, with the prior's deviations.
            About 1: the evidence says nothing along this direction, what is known of it is the prior; about 0: the
            evidence has decided.  Noise of sampling spreads them by about ``2 sqrt(d / effective)``.
        directions : array (d, d)
            Orthonormal columns, in units of the prior's deviations.
        """
        scale = np.broadcast_to(self._settings.prior.deviations, self.theta.shape)
        shares, directions = linalg.eigh(self.covariance / np.outer(scale, scale))
        return shares[::-1], directions[:, ::-1]

    @property
    def _settings(self) -> BayesianIRL:
        assert isinstance(self.solver, BayesianIRL)
        return self.solver


@dataclass(frozen=True, eq=False)
class BayesianIRL(Solver):
    """The posterior over rewards.

    Parameters
    ----------
    rationality : {"soft", "boltzmann", "noisy"}
        What the choices are taken for: :class:`irl_ident.agents.SoftOptimal`, :class:`~irl_ident.agents.Boltzmann` or
        :class:`~irl_ident.agents.Noisy`.
    temperature : float
        Of soft and Boltzmann agents, above 0.
    epsilon : float
        Share of random choices of noisy agents, in (0, 1].
    prior : Prior
        :class:`Gaussian`, :class:`Uniform` or :class:`Laplace`.
    samples : int
        Draws that each chain keeps, at least 4.
    chains : int
        At least 2, for R-hat compares them.  They are planned together: more of them cost less than longer ones.
    warmup : int
        Draws of each chain that are discarded and set the step size, at least 0.
    seed : int
        Same seed, same draws.

    Notes
    -----
    The estimate counts as ``"converged"`` when R-hat is at most 1.01 and the bulk effective sample size at least 100
    for each chain, in every parameter; as ``"iterations"`` otherwise.  A policy counts as the discounted occupancy
    that it makes from all states where it was observed (:func:`irl_ident.solvers.reading.weights`): ``1 / (1 - g)``
    choices in all.  Ctrl-C leaves nothing behind.
    """

    rationality: Rationality = "soft"
    temperature: float = 1.0
    epsilon: float = 0.1
    prior: Prior = field(default_factory=Gaussian)
    samples: int = 1000
    chains: int = 4
    warmup: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rationality not in get_args(Rationality):
            raise ValueError(f"rationality: was {self.rationality!r}, should be one of {get_args(Rationality)}")
        positive("temperature", self.temperature)
        if not 0 < self.epsilon <= 1:
            raise ValueError(f"epsilon: was {self.epsilon!r}, should be above 0 and at most 1")
        if not isinstance(self.prior, Prior):
            raise ValueError(f"prior: was {self.prior!r}, should be Gaussian(...), Uniform(...) or Laplace(...)")
        for argument, least in (("samples", 4), ("chains", 2), ("warmup", 0), ("seed", 0)):
            value = getattr(self, argument)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least {least}")

    def fit(self, evidence: Evidence, family: RewardFamily) -> Posterior:
        """Sample the posterior.

        Parameters
        ----------
        evidence : sequence of (Environment, observation)
            Policies, trajectories or counts.
        family : RewardFamily

        Returns
        -------
        Posterior

        Raises
        ------
        ImportError
            Without ArviZ, which the extra ``bayesian`` installs.
        """
        statistics = _arviz()
        pairs = reading.checked(evidence, family)
        self.prior.check(family.dim)
        seen = [(env, reading.weights(env, observation)) for env, observation in pairs]
        choices = [self._choices(env, counts) for env, counts in seen]
        rng = np.random.default_rng(self.seed)
        density = Density(choices, [family.matrix(env) for env, _ in seen], self.prior)
        sample = cells if self.rationality == "noisy" else paths
        chains = sample(density, Length(self.chains, self.warmup, self.samples), rng)
        draws = self.prior.parameters(chains.points)
        invariant = invariant_directions(seen, family)
        theta, gauge = self._centre(draws, invariant, family)
        effective, r_hat = _diagnosed(statistics, draws)
        mixed = bool(r_hat.max() <= MIXED and effective.min() >= EFFECTIVE * self.chains)
        return Posterior(
            solver=self,
            agent=self._agent(family, theta),
            minimised="posterior expected squared error of theta",
            value=float(draws.reshape(-1, family.dim).var(axis=0, ddof=1).sum()),
            convergence=Convergence(
                status="converged" if mixed else "iterations",
                iterations=self.warmup + self.samples,
                measure=f"least effective sample size {effective.min():.0f} of {self.chains * self.samples} draws, "
                "largest R-hat less 1",
                residual=float(r_hat.max() - 1),
            ),
            gauge=gauge,
            draws=draws,
            log_posterior=chains.values,
            effective=effective,
            r_hat=r_hat,
            acceptance=chains.acceptance,
            divergences=chains.divergences,
            invariant=invariant,
        )

    def _choices(self, env: Environment, counts: Array) -> Choices:
        if self.rationality == "soft":
            return SoftChoices(env, counts, self.temperature)
        if self.rationality == "boltzmann":
            return BoltzmannChoices(env, counts, self.temperature)
        return NoisyChoices(env, counts, self.epsilon)

    def _agent(self, family: RewardFamily, theta: Array) -> agents.Agent:
        if self.rationality == "soft":
            return agents.SoftOptimal(family, theta, self.temperature)
        if self.rationality == "boltzmann":
            return agents.Boltzmann(family, theta, self.temperature)
        return agents.Noisy(family, theta, self.epsilon)

    def _centre(self, draws: Array, invariant: Array, family: RewardFamily) -> tuple[Array, str]:
        mean = draws.reshape(-1, family.dim).mean(axis=0)
        free = invariant.shape[1]
        told = f"mean of the posterior under {self.prior!r}"
        if not free:
            return mean, f"{told}; the evidence bears on every direction"
        told += f"; {free} of {family.dim} directions change no choice here, and the prior alone speaks of them"
        if not isinstance(self.prior, Gaussian):
            return mean, told
        scale = np.broadcast_to(self.prior.deviations, mean.shape)
        basis = orthonormal(invariant / scale[:, None])
        return mean - scale * (
            basis @ (basis.T @ (mean / scale))
        ), f"{told}: theta has no part in them, measured in its deviations"


def invariant_directions(seen: list[tuple[Environment, Array]], family: RewardFamily) -> Array:
    """Orthonormal (d, m): directions that change no choice in the observed states, whatever theta is.

    Parameters
    ----------
    seen : list of (Environment, counts (S, A))
    family : RewardFamily
    """
    systems = []
    for env, counts in seen:
        if counts.any():
            rows = np.repeat(visited(env.continuation, counts.sum(axis=1) > 0), env.n_actions)
            systems.append((env.shaping, family.matrix(env), np.zeros(rows.size), rows))
    return affine_set(systems, family.dim).null_basis


def _diagnosed(statistics: Any, draws: Array) -> tuple[Array, Array]:
    """Bulk effective sample sizes and R-hat (d,); 0 and infinity where no chain moved."""
    by_parameter = np.moveaxis(draws, 2, 0)
    moved = np.ptp(by_parameter, axis=2).min(axis=1) > 0
    effective, r_hat = np.zeros(len(moved)), np.full(len(moved), np.inf)
    if moved.any():
        effective[moved] = statistics.ess(by_parameter[moved], chain_axis=1, draw_axis=2)
        r_hat[moved] = statistics.rhat(by_parameter[moved], chain_axis=1, draw_axis=2)
    return effective, r_hat


def _arviz() -> Any:
    try:
        from arviz_stats.base.array import BaseArray
    except ImportError as error:
        raise ImportError("BayesianIRL needs ArviZ: pip install 'irl-ident[bayesian]'") from error
    return BaseArray()
