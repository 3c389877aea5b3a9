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
    """The share of the whole whose score is at least ``goal``: :func:`split_shares` with one goal."""
    return split_shares(sample, [goal], repeats=repeats, seed=seed, level=level)[0]


def split_shares(
    sample: Sampler, goals: npt.ArrayLike, *, repeats: int = 8, seed: int = 0, level: float = 0.95
) -> tuple[Share, ...]:
    """The shares of the whole whose score is at least each of ``goals``, by multilevel splitting.

    Parameters
    ----------
    sample : Sampler
        Returns the same number of draws each time.
    goals : array (n,)
        At least one; the cost is that of the highest.
    repeats : int
        Independent runs behind the estimates and their intervals, at least 2.
    seed : int
    level : float
        Of the intervals, in (0, 1): Student's t on the products of the runs, relative to their mean.

    Returns
    -------
    tuple of Share

    Raises
    ------
    ArithmeticError
        When no draw gets to some goal or level below it, so that nothing can be said.
    """
    if repeats != int(repeats) or repeats < 2:
        raise ValueError(f"repeats: was {repeats!r}, should be a whole number of at least 2")
    wanted, confidence = np.atleast_1d(np.asarray(goals, dtype=float)), _checked_level(level)
    first, *others = (np.random.default_rng(key) for key in np.random.SeedSequence(seed).spawn(repeats + 1))
    levels, made = _levels(sample, float(wanted.max()), first)
    runs = [_products(sample, levels, wanted, rng) for rng in others]
    made += sum(count for _, count in runs)
    factor = stats.t.ppf((1 + confidence) / 2, repeats - 1) / np.sqrt(repeats)
    return tuple(
        _combined(logs, factor, goal, made)
        for logs, goal in zip(np.array([logs for logs, _ in runs]).T, wanted.tolist(), strict=True)
    )


def _combined(logs: Array, factor: float, goal: float, made: int) -> Share:
    """The share from the logarithms of the products of all runs."""
    top = logs.max()
    if not np.isfinite(top):
        raise ArithmeticError(f"no run came to the score {goal!r}; draw more, or move further between draws")
    relative = np.exp(logs - top)
    mean = relative.mean()
    bits = float((top + np.log(mean)) / np.log(2))
    away = float(factor * relative.std(ddof=1) / mean / np.log(2))
    return Share(min(bits, 0.0), bits - away, min(bits + away, 0.0), "splitting", made)


def _levels(sample: Sampler, goal: float, rng: np.random.Generator) -> tuple[list[float], int]:
    """Scores below the goal that each about ``KEPT`` of the draws of the level before reach; and the draws made."""
    members, scores = sample(-np.inf, None, rng)
    levels: list[float] = []
    made = scores.size
    while (scores >= goal).mean() < KEPT:
        last = levels[-1] if levels else -np.inf
        better = scores[scores > last]
        if not better.size:
            raise ArithmeticError(f"no draw has a score above {last!r}; draw more, or move further between draws")
        level = max(float(np.quantile(scores, 1 - KEPT, method="higher")), float(better.min()))
        if level >= goal:
            break
        levels.append(level)
        members, scores = sample(level, _survivors(members, scores, level, rng), rng)
        made += scores.size
    return levels, made


def _products(sample: Sampler, levels: list[float], goals: Array, rng: np.random.Generator) -> tuple[Array, int]:
    """Logarithms of the products of conditional shares up to each goal in one run, and the draws made."""
    found, total, made = np.full(goals.size, -np.inf), 0.0, 0
    members: Any | None = None
    scores = np.zeros(0)
    below = np.searchsorted(levels, goals, side="right")
    for place in range(len(levels) + 1):
        above = levels[place - 1] if place else -np.inf
        if place:
            reached = float((scores >= above).mean())
            if reached == 0:
                break
            total += float(np.log(reached))
            members = _survivors(np.asarray(members), scores, above, rng)
        members, scores = sample(above, members, rng)
        made += scores.size
        for own in np.flatnonzero(below == place):
            share = float((scores >= goals[own]).mean())
            found[own] = total + np.log(share) if share > 0 else -np.inf
    return found, made


def _survivors(members: npt.NDArray[Any], scores: Array, level: float, rng: np.random.Generator) -> npt.NDArray[Any]:
    """As many members as there were, drawn evenly from those that reach the level."""
    kept = np.flatnonzero(scores >= level)
    whole, rest = divmod(scores.size, kept.size)
    chosen = rng.permutation(np.concatenate([np.tile(kept, whole), rng.choice(kept, rest, replace=False)]))
    return np.asarray(members[chosen])


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level: was {level!r}, should be between 0 and 1")
    return level
