"""Shares of a whole, exact or estimated with an interval, down to sizes that no float holds.

A share that is not small is counted in independent draws, with the interval of Clopper & Pearson (1934).  A tiny one is
the product of conditional shares along nested events, each about one quarter: multilevel splitting (Kahn & Harris 1951;
subset simulation, Au & Beck 2001; for volumes of polytopes, Kannan, Lovasz & Simonovits 1997).  The events are "the
score is at least l": levels are found in a first run and then held fixed, so that the product of later runs is
unbiased where draws are (Cerou, Del Moral, Furon & Guyader 2012).  Several independent runs give the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy import stats

from irl_ident.environment import Array

Method = Literal["exact", "binomial", "splitting"]

KEPT = 0.25
"""About so many draws of one level are in the next."""


@dataclass(frozen=True)
class Share:
    """A share in [0, 1], in bits.

    Attributes
    ----------
    log2 : float
        Logarithm to base 2, at most 0; ``-inf`` for a share of 0, or where no draw fell in.
    lower, upper : float
        An interval around it, in the same unit; the value itself when it is exact.
    method : {"exact", "binomial", "splitting"}
    draws : int
        How many were made; 0 when it is exact.
    """

    log2: float
    lower: float
    upper: float
    method: Method
    draws: int = 0

    @property
    def value(self) -> float:
        """The share itself; 0 where it is below what a float can hold."""
        return float(2.0**self.log2)


class Sampler(Protocol):
    """Draws from the whole, and from the part of it whose score is high enough."""

    def __call__(self, above: float, start: Any | None, rng: np.random.Generator) -> tuple[Any, Array]:
        """Members with a score of at least ``above``, and their scores (n,).

        ``start`` holds members with such scores, drawn with replacement from the level before, or None for the whole;
        a Markov chain goes on from them, and independent draws need not look at them.  Members are held in an array
        whose first axis counts them.
        """
        ...


def exact_share(value: float) -> Share:
    """A share that is known."""
    bits = float(np.log2(value)) if value > 0 else -np.inf
    return Share(bits, bits, bits, "exact")


def binomial_share(hits: int, draws: int, *, level: float = 0.95) -> Share:
    """A share of which ``hits`` of ``draws`` independent draws are members, with its exact binomial interval.

    >>> share = binomial_share(0, 100)
    >>> share.log2, round(2**share.upper, 4)
    (-inf, 0.0362)
    """
    if not 0 <= hits <= draws or draws < 1:
        raise ValueError(f"hits: was {hits} of {draws} draws, should be between 0 and draws, of at least 1 draw")
    tail = (1 - _checked_level(level)) / 2
    low = float(stats.beta.ppf(tail, hits, draws - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, draws - hits)) if hits < draws else 1.0
    bits = [float(np.log2(p)) if p > 0 else -np.inf for p in (hits / draws, low, high)]
    return Share(bits[0], bits[1], bits[2], "binomial", draws)


def split_share(sample: Sampler, goal: float, *, repeats: int = 8, seed: int = 0, level: float = 0.95) -> Share:
    """The share of the whole whose score is at least ``goal``, by multilevel splitting.

    Parameters
    ----------
    sample : Sampler
        Returns the same number of draws each time.
    goal : float
    repeats : int
        Independent runs behind the estimate and its interval, at least 2.
    seed : int
    level : float
        Of the interval, in (0, 1): Student's t on the products of the runs, relative to their mean.

    Returns
    -------
    Share

    Raises
    ------
    ArithmeticError
        When no draw gets above some level, so that nothing can be said.
    """
    if repeats != int(repeats) or repeats < 2:
        raise ValueError(f"repeats: was {repeats!r}, should be a whole number of at least 2")
    first, *others = (np.random.default_rng(key) for key in np.random.SeedSequence(seed).spawn(repeats + 1))
    levels, made = _levels(sample, goal, first)
    products, counted = zip(*(_product(sample, levels, rng) for rng in others), strict=True)
    logs = np.array(products)
    if not np.isfinite(logs).any():
        raise ArithmeticError(f"no run came to the score {goal!r}; draw more, or move further between draws")
    top = logs.max()
    relative = np.exp(logs - top)
    mean = relative.mean()
    half = stats.t.ppf((1 + _checked_level(level)) / 2, repeats - 1) * relative.std(ddof=1) / mean / np.sqrt(repeats)
    bits = (top + np.log(mean)) / np.log(2)
    away = half / np.log(2)
    return Share(float(bits), float(bits - away), min(float(bits + away), 0.0), "splitting", made + sum(counted))


def _levels(sample: Sampler, goal: float, rng: np.random.Generator) -> tuple[list[float], int]:
    """Scores that each about ``KEPT`` of the draws of the level before reach, up to the goal; and the draws made."""
    members, scores = sample(-np.inf, None, rng)
    levels: list[float] = []
    made = scores.size
    while (scores >= goal).mean() < KEPT:
        last = levels[-1] if levels else -np.inf
        better = scores[scores > last]
        if not better.size:
            raise ArithmeticError(f"no draw has a score above {last!r}; draw more, or move further between draws")
        level = min(max(float(np.quantile(scores, 1 - KEPT, method="higher")), float(better.min())), goal)
        if level == goal:
            break
        levels.append(level)
        members, scores = sample(level, _survivors(members, scores, level, rng), rng)
        made += scores.size
    return [*levels, goal], made


def _product(sample: Sampler, levels: list[float], rng: np.random.Generator) -> tuple[float, int]:
    """The logarithm of the product of conditional shares in one run, and the draws made."""
    members, scores = sample(-np.inf, None, rng)
    total, made = 0.0, scores.size
    for place, level in enumerate(levels):
        reached = float((scores >= level).mean())
        if reached == 0:
            return -np.inf, made
        total += float(np.log(reached))
        if place < len(levels) - 1:
            members, scores = sample(level, _survivors(members, scores, level, rng), rng)
            made += scores.size
    return total, made


def _survivors(members: npt.NDArray[Any], scores: Array, level: float, rng: np.random.Generator) -> npt.NDArray[Any]:
    """As many members as there were, drawn evenly from those that reach the level."""
    kept = np.flatnonzero(scores >= level)
    whole, rest = divmod(scores.size, kept.size)
    chosen = np.concatenate([np.tile(kept, whole), rng.choice(kept, rest, replace=False)])
    return members[rng.permutation(chosen)]


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level: was {level!r}, should be between 0 and 1")
    return level
