"""Learners for Bernoulli bandits, as compared by Duan et al. (2016, section 3.1).

All keep, of each arm, the number of ones ``s`` and of zeros ``f`` that it gave, and start from a flat prior: posterior
Beta(1 + s, 1 + f), mean (1 + s) / (2 + s + f).  Choices are even among equals.

- :class:`UniformLearner`: any arm.
- :class:`GreedyLearner`: the best posterior mean, with probability epsilon any arm.
- :class:`UpperConfidence` (UCB1; Auer et al. 2002, with the constant of Audibert & Munos 2011): the largest
  ``mean + c sqrt(2 log t / (2 + s + f))`` at pull t = 1, 2, ...; the flat prior counts for two pulls.
- :class:`ThompsonSampling` (Thompson 1933): the best arm in a draw from the posterior.  With several draws, in the one
  of largest posterior density, as Duan et al. say of their optimistic variant.
- :class:`GittinsLearner`: the largest finite-horizon Gittins index (:mod:`irl_ident.agents.gittins`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlog1py, xlogy

from irl_ident.agents.gittins import gittins_indices
from irl_ident.agents.learners import Learner, Outcomes
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

TIE = 1e-9
"""Arms whose scores differ by less are equal; scores are of the order of 1."""


@dataclass(frozen=True, eq=False)
class Counts:
    """What the arms have given in N trials: ones and zeros, (N, k) each."""

    ones: Integers
    zeros: Integers
    rng: np.random.Generator

    @property
    def pulls(self) -> Integers:
        """How often each arm was pulled, (N, k)."""
        return self.ones + self.zeros

    @property
    def means(self) -> Array:
        """Posterior means under a flat prior, (N, k)."""
        return np.asarray((1 + self.ones) / (2 + self.pulls), dtype=float)


def evenly(scores: Array) -> Array:
    """Probabilities (N, k): even among the arms whose scores are within ``TIE`` of the largest.

    >>> evenly(np.array([[0.5, 0.5, 0.2]]))
    array([[0.5, 0.5, 0. ]])
    """
    best = scores >= scores.max(axis=1, keepdims=True) - TIE
    return np.asarray(best / best.sum(axis=1, keepdims=True), dtype=float)


@dataclass(frozen=True)
class CountingLearner(Learner):
    """What learners for Bernoulli bandits share: the counts.

    Attributes
    ----------
    n_actions : int
        k, the number of arms.
    """

    n_actions: int

    def begin(self, episodes: int, rng: np.random.Generator) -> Counts:
        """No counts."""
        nothing = np.zeros((episodes, self.n_actions), dtype=np.int64)
        return Counts(nothing, nothing, rng)

    def updated(
        self, memory: Counts, observations: Integers, actions: Integers, outcomes: Outcomes, following: Integers
    ) -> Counts:
        """One more pull of each trial; outcomes are 1 or 0."""
        pulled = np.arange(self.n_actions) == actions[:, None]
        paid = pulled & (outcomes == 1)[:, None]
        return Counts(memory.ones + paid, memory.zeros + (pulled & ~paid), memory.rng)


@dataclass(frozen=True)
class UniformLearner(CountingLearner):
    """Any arm, evenly."""

    def probabilities(self, memory: Counts, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        return np.full((len(observations), self.n_actions), 1 / self.n_actions)


@dataclass(frozen=True)
class GreedyLearner(CountingLearner):
    """The best posterior mean; with probability ``epsilon``, in [0, 1], any arm."""

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon: was {self.epsilon!r}, should be in [0, 1]")

    def probabilities(self, memory: Counts, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        return (1 - self.epsilon) * evenly(memory.means) + self.epsilon / self.n_actions


@dataclass(frozen=True)
class UpperConfidence(CountingLearner):
    """UCB1 with the constant ``c``, at least 0."""

    c: float = 1.0

    def __post_init__(self) -> None:
        if not self.c >= 0:
            raise ValueError(f"c: was {self.c!r}, should be at least 0")

    def probabilities(self, memory: Counts, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        pull = 1 + memory.pulls.sum(axis=1, keepdims=True)
        return evenly(memory.means + self.c * np.sqrt(2 * np.log(pull) / (2 + memory.pulls)))


@dataclass(frozen=True)
class ThompsonSampling(CountingLearner):
    """The best arm in one draw of all p from the posterior, or in the most likely of several ``draws``.

    Its probabilities are those given the draw (0 and 1): each call draws anew from the generator that the memory holds.
    """

    draws: int = 1

    def __post_init__(self) -> None:
        if self.draws != int(self.draws) or self.draws < 1:
            raise ValueError(f"draws: was {self.draws!r}, should be a whole number of at least 1")

    def probabilities(self, memory: Counts, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        drawn = memory.rng.beta(1 + memory.ones, 1 + memory.zeros, (self.draws, *memory.ones.shape))
        chosen = drawn[0]
        if self.draws > 1:
            densities = (xlogy(memory.ones, drawn) + xlog1py(memory.zeros, -drawn)).sum(axis=2)
            chosen = drawn[densities.argmax(axis=0), np.arange(len(memory.ones))]
        return np.asarray(np.arange(self.n_actions) == chosen.argmax(axis=1)[:, None], dtype=float)


@dataclass(frozen=True)
class GittinsLearner(CountingLearner):
    """The largest Gittins index for the pulls that are left of ``horizon``.

    Exactly optimal for one arm and a known alternative; for several arms and a finite horizon it is an approximation,
    if a close one (see :func:`irl_ident.agents.gittins.optimal_value`).
    """

    horizon: int

    def probabilities(self, memory: Counts, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        left = self.horizon - int(memory.pulls[0].sum())
        if left < 1:
            raise ValueError(f"horizon: was {self.horizon}, should be at least the number of pulls")
        return evenly(gittins_indices(self.horizon)[left - 1, memory.ones, memory.zeros])
