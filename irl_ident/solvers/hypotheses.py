"""Which of finitely many hypotheses do choices support, if the agent is soft and sometimes does not attend?

A hypothesis h says what each action is worth, ``q_h`` (S, A): an objective, a prior or a discount, planned.  The agent
that holds it chooses by

    pi_h(a|s) = (1 - lapse) exp(q_h(s, a) / temperature) / sum_b exp(q_h(s, b) / temperature) + lapse / A

(lapses as in psychometric functions: Wichmann & Hill 2001).  Temperature and lapse are nobody's question and are
profiled:

    L(h) = max over temperature and lapse of sum_sa n(s, a) log pi_h(a|s).

For hypotheses on a grid of values of one parameter, those with ``2 (max L - L(h))`` below a quantile of the
chi-squared distribution are a confidence interval (Wilks 1938); it is right only if one of the hypotheses is.  Whether
one is can be tested where the same agent is watched in several environments (:func:`agreement`): each environment alone
should support the same value.  With ``L_e`` the profile in environment e, where temperature and lapse are its own,

    2 (sum_e max_h L_e(h) - max_h sum_e L_e(h))

is asymptotically chi-squared with one degree of freedom for each parameter and environment but one, if they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from irl_ident.environment import Array
from irl_ident.planning.checks import finite

TEMPERATURES = (1e-3, 3.0)
"""The least and the greatest temperature, in units of the largest difference between actions of a state."""

COARSE, FINE = 12, 14
"""Temperatures that are tried first; golden sections around the best of them."""

LAPSE_STEPS = 40
"""Steps of Newton's method, or bisection where it leaves its bracket, at most."""

TYPICAL_LAPSE = 0.02
"""Where the search for lapses starts."""

TINY = float(np.finfo(float).tiny)

LEAST_CHANGE = 1e-7
"""Lapses that change by less have been found."""


@dataclass(frozen=True, eq=False)
class HypothesisProfile:
    """What choices say of M hypotheses.

    Attributes
    ----------
    log_likelihood : array (M,)
        In nats.
    temperature, lapse : array (M,)
        Where it is reached; the temperature in units of q, the lapse in [0, 1].
    choices : float
        Number of choices.
    """

    log_likelihood: Array
    temperature: Array
    lapse: Array
    choices: float

    @property
    def best(self) -> int:
        """The hypothesis of greatest likelihood, the first of several."""
        return int(np.argmax(self.log_likelihood))

    @property
    def drop(self) -> Array:
        """Twice the log-likelihood ratio of the best to each, (M,)."""
        return np.asarray(2 * (self.log_likelihood.max() - self.log_likelihood))

    def interval(self, values: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
        """The likelihood-ratio interval of a parameter whose value increases with the hypotheses.

        Parameters
        ----------
        values : array (M,)
            Increasing.
        level : float
            In (0, 1).

        Returns
        -------
        lower, upper : float
            The smallest interval that holds all values inside the confidence set, with crossings interpolated; an end
            of ``values`` where the set goes on there.
        """
        grid = finite("values", values, self.log_likelihood.shape, "(M,)")
        if (np.diff(grid) <= 0).any():
            raise ValueError("values: should increase")
        if not 0 < level < 1:
            raise ValueError(f"level: was {level!r}, should be between 0 and 1")
        allowed, drop = float(stats.chi2.ppf(level, 1)), self.drop
        first, last = np.flatnonzero(drop <= allowed)[[0, -1]].tolist()

        def crossing(inside: int, outside: int) -> float:
            share = (allowed - drop[inside]) / (drop[outside] - drop[inside])
            return float(grid[inside] + share * (grid[outside] - grid[inside]))

        lower = float(grid[0]) if first == 0 else crossing(first, first - 1)
        return lower, float(grid[-1]) if last == len(grid) - 1 else crossing(last, last + 1)


@dataclass(frozen=True)
class Agreement:
    """Whether several environments support the same hypothesis.

    Attributes
    ----------
    statistic : float
        Twice the log-likelihood ratio of a hypothesis for each environment to one for all.
    degrees : int
        Degrees of freedom.
    p_value : float
        How often environments that agree are at least as far apart, by the chi-squared approximation.
    common : int
        The hypothesis that all environments together support best.
    """

    statistic: float
    degrees: int
    p_value: float
    common: int


def profile_hypotheses(q: npt.ArrayLike, counts: npt.ArrayLike) -> HypothesisProfile:
    """Greatest likelihood of each hypothesis over temperature and lapse.

    Parameters
    ----------
    q : array (M, S, A)
        What each action is worth under each hypothesis; states without choices may be left out.
    counts : array (S, A)
        How often each action was chosen; need not be whole.

    Returns
    -------
    HypothesisProfile
        The likelihood is concave in the lapse, whose best value is found to 1e-7; of temperatures, 12 from 1/1000 to
        3 times the largest difference between the actions of a state are tried, and golden sections narrow the best of
        them down to 0.2 % of itself.  A hypothesis that holds all actions for the same explains choices by chance.
    """
    shape = np.shape(q)
    given = finite("q", q, shape if len(shape) == 3 else (-1, -1, -1), "(M, S, A)")
    numbers = finite("counts", counts, given.shape[1:], "(S, A)")
    if (numbers < 0).any() or not numbers.any():
        raise ValueError("counts: should be at least 0, and some above")
    taken = numbers.sum(axis=1) > 0
    relative = given[:, taken] - given[:, taken].max(axis=2, keepdims=True)
    spread = -relative.min(axis=(1, 2))
    size = np.where(spread > 0, spread, 1.0)
    fit = _Choices(relative / size[:, None, None], numbers[taken])
    low, high = np.log(TEMPERATURES)
    grid = np.linspace(low, high, COARSE)
    tried = [fit(np.full(len(given), t), np.full(len(given), TYPICAL_LAPSE)) for t in grid]
    likely, lapses = (np.stack(part) for part in zip(*tried, strict=True))
    at, columns = likely.argmax(axis=0), np.arange(len(given))
    step = grid[1] - grid[0]
    bracket = np.maximum(grid[at] - step, low), np.minimum(grid[at] + step, high)
    temperature, lapse = _golden(fit, *bracket, lapses[at, columns])
    value, lapse = fit(temperature, lapse)
    better = likely[at, columns] > value
    value = np.where(better, likely[at, columns], value)
    lapse, temperature = np.where(better, lapses[at, columns], lapse), np.where(better, grid[at], temperature)
    return HypothesisProfile(value, np.exp(temperature) * size, lapse, float(numbers.sum()))


def agreement(profiles: Sequence[HypothesisProfile], parameters: int = 1) -> Agreement:
    """Test whether environments support the same hypothesis.

    Parameters
    ----------
    profiles : sequence of HypothesisProfile
        At least two, of the same hypotheses in the same order.
    parameters : int
        Number of parameters that the hypotheses are a grid of.
    """
    lengths = {len(profile.log_likelihood) for profile in profiles}
    if len(profiles) < 2 or len(lengths) != 1:
        raise ValueError("profiles: should be at least two, of the same hypotheses")
    each = np.stack([profile.log_likelihood for profile in profiles])
    together = each.sum(axis=0)
    statistic = 2 * float(each.max(axis=1).sum() - together.max())
    degrees = parameters * (len(profiles) - 1)
    return Agreement(statistic, degrees, float(stats.chi2.sf(statistic, degrees)), int(together.argmax()))


@dataclass(frozen=True, eq=False)
class _Choices:
    """Likelihoods of choices at one temperature for each hypothesis, and the lapses that they are greatest at."""

    relative: Array
    numbers: Array

    def __call__(self, log_temperature: Array, start: Array) -> tuple[Array, Array]:
        weights = np.exp(self.relative / np.exp(log_temperature)[:, None, None])
        soft = (weights / weights.sum(axis=2, keepdims=True))[:, self.numbers > 0]
        n, chance = self.numbers[self.numbers > 0], 1 / self.numbers.shape[1]
        low, high = np.zeros(len(soft)), np.ones(len(soft))
        with np.errstate(divide="ignore", over="ignore"):
            if_none = (n * (chance / soft - 1)).sum(axis=1)
            if_always = (n * (1 - soft / chance)).sum(axis=1)
        low[if_always >= 0] = 1.0
        high[~(if_none > 0)] = 0.0
        lapse, step = np.clip(start, low, high), chance - soft
        open_ = np.flatnonzero(low < high)
        for _ in range(LAPSE_STEPS):
            now = lapse[open_]
            ratio = step[open_] / (soft[open_] + now[:, None] * step[open_] + TINY)
            slope, curvature = ratio @ n, np.square(ratio) @ n
            low[open_], high[open_] = np.where(slope > 0, now, low[open_]), np.where(slope < 0, now, high[open_])
            next_ = now + slope / np.maximum(curvature, TINY)
            outside = (next_ < low[open_]) | (next_ > high[open_])
            lapse[open_] = np.where(outside, (low[open_] + high[open_]) / 2, next_)
            open_ = open_[np.abs(lapse[open_] - now) > LEAST_CHANGE]
            if not len(open_):
                break
        with np.errstate(divide="ignore"):
            return np.log(soft + lapse[:, None] * step) @ n, lapse


def _golden(fit: _Choices, low: Array, high: Array, lapse: Array) -> tuple[Array, Array]:
    """Temperature's logarithm and lapse where the likelihood is greatest in a bracket, for each hypothesis alone."""
    ratio = (np.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    (at_left, lapse), (at_right, _) = fit(left, lapse), fit(right, lapse)
    for _ in range(FINE):
        up = at_right > at_left
        low, high = np.where(up, left, low), np.where(up, high, right)
        new = np.where(up, low + ratio * (high - low), high - ratio * (high - low))
        at_new, lapse = fit(new, lapse)
        left, right, at_left, at_right = (
            np.where(up, right, new),
            np.where(up, new, left),
            np.where(up, at_right, at_new),
            np.where(up, at_new, at_left),
        )
    return np.asarray((low + high) / 2), lapse
