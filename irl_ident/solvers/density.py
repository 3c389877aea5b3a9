"""Posteriors of Bayesian inverse RL as samplers see them, and how chains start on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse, special

from irl_ident.environment import Array, Environment
from irl_ident.solvers.choices import Choices, NoisyChoices, SmoothChoices, SoftChoices
from irl_ident.solvers.priors import Gaussian, Prior
from irl_ident.solvers.refraction import Cells, refracted
from irl_ident.solvers.sampling import Chains, Starts, elliptical, hamiltonian, modes

TRIES = 16
"""Draws of the prior from which modes are sought, at least."""


@dataclass(frozen=True)
class Length:
    """How many chains, and how many draws of each are discarded and kept."""

    chains: int
    warmup: int
    samples: int


@dataclass(frozen=True, eq=False)
class Density:
    """The posterior in the standard normal coordinates u of its prior.

    Parameters
    ----------
    choices : list of Choices
        One for each environment.
    features : list of sparse array (S * A, d)
        Of the family in each of them.
    prior : Prior
    """

    choices: list[Choices]
    features: list[sparse.csr_array]
    prior: Prior

    @property
    def dim(self) -> int:
        """Number of parameters, d."""
        return int(self.features[0].shape[1])

    def start(self, count: int) -> Starts:
        """Warm starts for ``count`` points that know nothing."""
        return tuple(choice.start(count) for choice in self.choices)

    def likelihood(self, u: Array, plans: Starts) -> tuple[Array, Starts]:
        """Log-likelihood (N,) at u (N, d)."""
        theta = self.prior.parameters(u)
        parts = [
            choice.values(_rewards(choice.env, phi, theta), plan)
            for choice, phi, plan in zip(self.choices, self.features, plans, strict=True)
        ]
        return np.sum([value for value, _ in parts], axis=0), tuple(later for _, later in parts)

    def smooth(self, u: Array, plans: Starts) -> tuple[Array, Array, Starts]:
        """Log-density of u up to a constant (N,), and its gradient (N, d)."""
        theta = self.prior.parameters(u)
        value, slope, later = -(u**2).sum(axis=1) / 2, np.zeros_like(u), []
        for choice, phi, plan in zip(self.choices, self.features, plans, strict=True):
            assert isinstance(choice, SmoothChoices)
            part, by_reward, after = choice.gradients(_rewards(choice.env, phi, theta), plan)
            value = value + part
            slope += (phi.T @ by_reward.reshape(len(u), -1).T).T
            later.append(after)
        return value, slope * self.prior.slopes(u) - u, tuple(later)

    def anchored(self, u: Array) -> Density:
        """The same density, whose soft plans start from those at u (d,)."""
        theta = self.prior.parameters(u[None])
        near = [
            choice.anchored(_rewards(choice.env, phi, theta)[0]) if isinstance(choice, SoftChoices) else choice
            for choice, phi in zip(self.choices, self.features, strict=True)
        ]
        return replace(self, choices=near)

    def curvature(self, u: Array) -> Array:
        """Fisher information at u (N, d) plus that of the prior, (N, d, d)."""
        slopes, theta = self.prior.slopes(u), self.prior.parameters(u)
        total = np.zeros((*u.shape, u.shape[1]))
        for choice, phi in zip(self.choices, self.features, strict=True):
            assert isinstance(choice, SmoothChoices)
            total += choice.information(_rewards(choice.env, phi, theta), phi.toarray())
        return total * slopes[:, :, None] * slopes[:, None, :] + np.eye(u.shape[1])


def paths(density: Density, length: Length, rng: np.random.Generator) -> Chains:
    """Hamiltonian chains for agents whose likelihood has a gradient.

    They start from the mixture of normal approximations around the modes that are found from draws of the prior.

    The share of a mode is its Laplace approximation of the evidence: modes of no mass attract no chain, while chains
    that start around several modes of some mass and do not mix show in R-hat.
    """
    tries = max(length.chains, TRIES)
    draws = rng.standard_normal((tries, density.dim))
    points, values, metrics = modes(density.smooth, density.curvature, draws, density.start(tries))
    evidence = values - np.linalg.slogdet(metrics)[1] / 2
    best = int(np.argmax(evidence))
    picked = rng.choice(tries, length.chains, p=special.softmax(evidence))
    lower = linalg.cholesky(metrics[best], lower=True)
    root = linalg.solve_triangular(lower, np.eye(density.dim), lower=True).T
    starts = points[picked] + rng.standard_normal((length.chains, density.dim)) @ root.T
    density = density.anchored(points[best])
    chains = hamiltonian(
        density.smooth,
        starts,
        density.start(length.chains),
        points[best],
        root,
        warmup=length.warmup,
        samples=length.samples,
        rng=rng,
    )
    normal = -(chains.points**2).sum(axis=2) / 2
    return _with_prior(chains, chains.values - normal, density.prior)


def cells(density: Density, length: Length, rng: np.random.Generator) -> Chains:
    """Chains for noisy agents: exact paths under a Gaussian prior, elliptical slices under others."""
    draws = rng.standard_normal((length.chains, density.dim))
    if isinstance(density.prior, Gaussian):
        noisy = [choice for choice in density.choices if isinstance(choice, NoisyChoices)]
        known = Cells(noisy, density.features, density.prior.deviations)
        chains = refracted(known, draws, warmup=length.warmup, samples=length.samples, rng=rng)
    else:
        plans = density.start(length.chains)
        chains = elliptical(density.likelihood, draws, plans, warmup=length.warmup, samples=length.samples, rng=rng)
    return _with_prior(chains, chains.values, density.prior)


def _with_prior(chains: Chains, likelihood: Array, prior: Prior) -> Chains:
    values = likelihood + prior.log_density(chains.points)
    return Chains(chains.points, values, chains.acceptance, chains.divergences, chains.step)


def _rewards(env: Environment, features: sparse.csr_array, theta: Array) -> Array:
    rewards: Array = (features @ theta.T).T.reshape(len(theta), env.n_states, env.n_actions)
    return rewards
