"""What is not known of the agent besides its objective: temperature and discount, profiled.

The profile likelihood of a nuisance parameter x is ``L(x) = max over theta of L(theta, x)``: the objective is fitted
anew at each value.  Values with ``2 (max L - L(x))`` below the quantile of a chi-squared distribution with one degree
of freedom make a confidence interval (Wilks 1938).

*Temperature.*  Soft-optimal and Boltzmann choices depend on ``theta / temperature`` alone, so the profile is flat: what
behaviour identifies is the reward in units of the temperature.  A prior, or a known reward among the unknown, breaks
this tie; nothing else does.

*Discount.*  With rewards on states and actions, one environment has a reward for every soft policy at every discount
(Cao, Cohen & Szpruch 2021), so the profile is flat there as well.  A smaller family or a second environment may tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from irl_ident import builders
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Evidence, Policy
from irl_ident.identified import identify
from irl_ident.identified.base import Rationality
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Estimate, Solver
from irl_ident.solvers.likelihood import MaxEnt

DEFAULT = MaxEnt()

FLAT = 1e-6
"""Nats: a profile whose range is below this, for each unit of weight, is flat."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Greatest log-likelihood at each value of one further parameter.

    Attributes
    ----------
    parameter : str
    values : array (m,)
    log_likelihood : array (m,)
        In nats, without the prior.
    estimates : tuple of Estimate
        The fits.
    samples : float
        Number of choices behind the likelihood; infinite where the evidence is policies, whose weights are their
        discounted occupancies.
    """

    parameter: str
    values: Array
    log_likelihood: Array
    estimates: tuple[Estimate, ...]
    samples: float

    @property
    def best(self) -> Estimate:
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
        """The estimates (m, d) less their mean, in units of their greatest absolute value: what scale cannot change."""
        thetas = np.array([estimate.theta for estimate in self.estimates])
        centred = thetas - thetas.mean(axis=1, keepdims=True)
        largest = np.abs(centred).max(axis=1, keepdims=True)
        scaled: Array = np.divide(centred, largest, out=np.zeros_like(centred), where=largest > 0)
        return scaled

    def left_open(self, level: float = 0.95) -> Array:
        """Range of each parameter over the plausible values, after :meth:`directions`, (d,)."""
        kept: Array = np.ptp(self.directions()[self.plausible(level)], axis=0)
        return kept

    def __str__(self) -> str:
        kept = self.values[self.plausible()]
        told = (
            f"the evidence does not tell the {self.parameter}: the likelihood is the same at all {self.values.size}"
            if self.flat
            else f"{self.parameter} {kept.min():g} to {kept.max():g} (95 %), best {self._at_best:g}"
        )
        moved = self.left_open()
        names = self.best.family.parameters
        far = int(np.argmax(moved))
        open_ = (
            "the objective is the same at all of them, up to a positive affine map"
            if moved[far] <= FLAT
            else f"over these the objective moves, most of all {names[far]}: by {moved[far]:.2g} of the largest reward"
        )
        return f"{told}\n{open_}"

    @property
    def _at_best(self) -> float:
        return float(self.values[int(np.argmax(self.log_likelihood))])


def profile_discount(
    evidence: Evidence, family: RewardFamily, discounts: npt.ArrayLike, solver: Solver = DEFAULT
) -> Profile:
    """Profile over a discount that all environments share.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        The discounts of the environments are replaced.
    family : RewardFamily
    discounts : array (m,)
        As for :class:`irl_ident.Environment`.
    solver : Solver, optional
        One that maximises a likelihood.
    """
    grid = _checked_grid("discounts", discounts)
    pairs = reading.checked(evidence, family)

    def at(g: float) -> tuple[Evidence, Estimate]:
        changed = [(builders.discounted(env, g), seen) for env, seen in pairs]
        return changed, solver.fit(changed, family)

    return _profiled("discount", grid, pairs, at)


def profile_temperature(
    evidence: Evidence, family: RewardFamily, temperatures: npt.ArrayLike, solver: Any = DEFAULT
) -> Profile:
    """Profile over the temperature.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
    family : RewardFamily
    temperatures : array (m,)
        Above 0.
    solver : Solver, optional
        One that maximises a likelihood and has a field ``temperature``.
    """
    if not hasattr(solver, "temperature"):
        raise ValueError(f"solver: {type(solver).__name__} has no temperature")
    grid = _checked_grid("temperatures", temperatures)
    pairs = reading.checked(evidence, family)
    return _profiled("temperature", grid, pairs, lambda b: (pairs, replace(solver, temperature=b).fit(pairs, family)))


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
    for g in _checked_grid("discounts", discounts):
        report = identify([(builders.discounted(env, g), seen) for env, seen in evidence], family, rationality).report()
        consistent = report.verdict != "contradiction"
        found.append(AtDiscount(float(g), consistent, report.dimension, report.verdict))
    return tuple(found)


def _profiled(
    parameter: str, grid: Array, pairs: Evidence, at: Callable[[float], tuple[Evidence, Estimate]]
) -> Profile:
    fits = [at(float(value)) for value in grid]
    exact = any(isinstance(seen, Policy) for _, seen in pairs)
    weights = [(env, reading.weights(env, seen)) for env, seen in pairs]
    samples = np.inf if exact else float(sum(w.sum() for _, w in weights))
    likelihood = np.array([_log_likelihood(weights, changed, fit) for changed, fit in fits])
    return Profile(parameter, grid, likelihood, tuple(fit for _, fit in fits), samples)


def _log_likelihood(weights: Sequence[tuple[Environment, Array]], changed: Evidence, fit: Estimate) -> float:
    """In nats; the weights are those of the evidence as it was given, whatever the value that is tried."""
    total = 0.0
    for (_, weight), (env, _) in zip(weights, changed, strict=True):
        seen = weight > 0
        with np.errstate(divide="ignore"):
            total += float((weight[seen] * np.log(fit.policy(env)[seen])).sum())
    return total


def _checked_grid(argument: str, given: npt.ArrayLike) -> Array:
    grid = np.asarray(given, dtype=float)
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise ValueError(f"{argument}: should be a non-empty list of finite numbers, was {given!r}")
    return grid
