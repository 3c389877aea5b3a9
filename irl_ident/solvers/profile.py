"""What is not known of the agent besides its objective: temperature and discount, profiled.

The profile likelihood of a nuisance parameter x is ``L(x) = max over theta of L(theta, x)``: at each value the
objective is fitted anew, to the same choices with the same weights.  Values with ``2 (max L - L(x))`` below the
quantile of a chi-squared distribution with one degree of freedom make a confidence interval (Wilks 1938).

*Temperature.*  Soft-optimal and Boltzmann choices depend on ``theta / temperature`` alone, so the profile is flat: what
behaviour identifies is the reward in units of the temperature.  A prior, or a known reward among the unknown, breaks
this tie; nothing else does.

*Discount.*  With rewards on states and actions, one environment has a reward for every soft policy at every discount
(Cao, Cohen & Szpruch 2021), so the profile is flat there as well.  A smaller family or a second environment may tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from irl_ident import builders
from irl_ident.environment import Array, Mask
from irl_ident.evidence import Counts, Evidence, Trajectories, counts
from irl_ident.identified import identify
from irl_ident.identified.base import Rationality
from irl_ident.identified.shaping_rank import orthonormal
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.likelihood import LikelihoodEstimate, LikelihoodSolver, MaxEnt, weighted

DEFAULT = MaxEnt()

FLAT = 1e-6
"""Log-likelihoods that differ by less, in nats, are the same, as are rewards by less of the largest."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Greatest log-likelihood at each value of one further parameter.

    Attributes
    ----------
    parameter : str
    values : array (m,)
    log_likelihood : array (m,)
        In nats, without the prior.
    estimates : tuple of LikelihoodEstimate
        The fits.
    samples : float
        Number of choices behind the likelihood; infinite where the evidence is policies, whose weights are their
        discounted occupancies in the environments as they were given.
    constant : array (d, m)
        Orthonormal basis of the directions that change no behaviour at any of the values: what the family cannot tell
        apart.
    """

    parameter: str
    values: Array
    log_likelihood: Array
    estimates: tuple[LikelihoodEstimate, ...]
    samples: float
    constant: Array

    @property
    def best(self) -> LikelihoodEstimate:
        """The fit of greatest likelihood."""
        return self.estimates[int(np.argmax(self.log_likelihood))]

    def plausible(self, level: float = 0.95) -> Mask:
        """Values inside the confidence set of the likelihood ratio, (m,) of bool.

        Where evidence is policies there is no sampling error: only values whose likelihood is the greatest, to within
        :data:`FLAT` nats, are left.
        """
        drop = self.log_likelihood.max() - self.log_likelihood
        allowed = stats.chi2.ppf(level, 1) / 2 if np.isfinite(self.samples) else FLAT
        return np.asarray(drop <= allowed)

    @property
    def flat(self) -> bool:
        """Whether the evidence does not tell the values apart."""
        return bool(np.ptp(self.log_likelihood) <= FLAT)

    def directions(self) -> Array:
        """The estimates (m, d) without their part in ``constant``, in units of their greatest absolute value.

        They are the same just where the objectives are, up to a positive affine map.
        """
        thetas = np.array([estimate.theta for estimate in self.estimates])
        centred = thetas - thetas @ self.constant @ self.constant.T
        largest = np.abs(centred).max(axis=1, keepdims=True)
        scaled: Array = np.divide(centred, largest, out=np.zeros_like(centred), where=largest > 0)
        return scaled

    def left_open(self, level: float = 0.95) -> Array:
        """Range of each parameter over the plausible values, after :meth:`directions`, (d,)."""
        kept: Array = np.ptp(self.directions()[self.plausible(level)], axis=0)
        return kept

    def __str__(self) -> str:
        kept = self.values[self.plausible()]
        level = " (95 %)" if np.isfinite(self.samples) else ""
        told = (
            f"the evidence does not tell the {self.parameter}: the likelihood is the same at all {self.values.size}"
            if self.flat
            else f"{self.parameter} {kept.min():g} to {kept.max():g}{level}, best {self._at_best:g}"
        )
        moved = self.left_open()
        names = self.best.family.parameters
        far = int(np.argmax(moved))
        open_ = (
            "the objective is the same at all of them, up to a positive affine map"
            if moved[far] <= FLAT
            else f"over these the objective moves, most of all {names[far]}: by {moved[far]:.2g} of the largest"
        )
        return f"{told}\n{open_}"

    @property
    def _at_best(self) -> float:
        return float(self.values[int(np.argmax(self.log_likelihood))])


def profile_discount(
    evidence: Evidence, family: RewardFamily, discounts: npt.ArrayLike, solver: LikelihoodSolver = DEFAULT
) -> Profile:
    """Profile over a discount that all environments share.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        The discounts of the environments are replaced.
    family : RewardFamily
    discounts : array (m,)
        As for :class:`irl_ident.Environment`.
    solver : MaxEnt or BoltzmannML, optional
    """
    grid = _checked_grid("discounts", discounts)
    data = weighted(evidence, family)
    at = _checked_solver(solver).fit_weights
    fits = [at([(builders.discounted(env, float(g)), w) for env, w in data], family) for g in grid]
    return _profiled("discount", grid, evidence, family, fits, grid)


def profile_temperature(
    evidence: Evidence, family: RewardFamily, temperatures: npt.ArrayLike, solver: LikelihoodSolver = DEFAULT
) -> Profile:
    """Profile over the temperature.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
    family : RewardFamily
    temperatures : array (m,)
        Above 0.
    solver : MaxEnt or BoltzmannML, optional
    """
    grid = _checked_grid("temperatures", temperatures)
    data = weighted(evidence, family)
    settings: Any = _checked_solver(solver)
    fits = [replace(settings, temperature=float(b)).fit_weights(data, family) for b in grid]
    return _profiled("temperature", grid, evidence, family, fits, [env.discount for env, _ in data])


@dataclass(frozen=True)
class AtDiscount:
    """What exact evidence leaves at one discount: whether any reward explains it, and how many dimensions are open."""

    discount: float
    consistent: bool
    dimension: int
    verdict: str


def consistent_discounts(
    evidence: Evidence, family: RewardFamily, discounts: npt.ArrayLike, rationality: Rationality = "optimal"
) -> tuple[AtDiscount, ...]:
    """At which discounts some reward explains the evidence exactly, and what it leaves open there.

    Parameters
    ----------
    evidence, family, rationality
        As for :func:`irl_ident.identify`.
    discounts : array (m,)

    Returns
    -------
    tuple of AtDiscount
    """
    found = []
    pairs = reading.checked(evidence, family)
    for g in _checked_grid("discounts", discounts):
        report = identify([(builders.discounted(env, g), seen) for env, seen in pairs], family, rationality).report()
        consistent = report.verdict != "contradiction"
        found.append(AtDiscount(float(g), consistent, report.dimension, report.verdict))
    return tuple(found)


def _profiled(
    parameter: str,
    grid: Array,
    evidence: Evidence,
    family: RewardFamily,
    fits: Sequence[LikelihoodEstimate],
    discounts: Iterable[float],
) -> Profile:
    """The profile of ``fits``, which assumed one or other of ``discounts``."""
    sampled = all(isinstance(seen, (Trajectories, Counts)) for _, seen in evidence)
    samples = sum(float(counts(env, seen).counts.sum()) for env, seen in evidence) if sampled else np.inf
    likelihoods = np.array([fit.log_likelihood for fit in fits])
    known = [np.zeros((family.dim, 0)), *family.representational(discounts).values()]
    return Profile(parameter, grid, likelihoods, tuple(fits), samples, orthonormal(np.hstack(known)))


def _checked_solver(solver: object) -> LikelihoodSolver:
    if not isinstance(solver, LikelihoodSolver):
        raise ValueError(f"solver: {type(solver).__name__} maximises no likelihood, as MaxEnt and BoltzmannML do")
    return solver


def _checked_grid(argument: str, given: npt.ArrayLike) -> Array:
    grid = np.asarray(given, dtype=float)
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise ValueError(f"{argument}: should be a non-empty list of finite numbers, was {given!r}")
    return grid
