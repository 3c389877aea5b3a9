"""Bandit problems that a learner may meet, N of them side by side.

Bernoulli (Duan et al. 2016, section 3.1; Wang et al. 2016, 3.1.1): arm i pays 1 with probability p_i, else 0; the p_i
are independent and uniform on [0, 1].

Dependent (Wang et al., 3.1.2): two Bernoulli arms with p_1 = 1 - p_2.  Uniform: p_1 uniform on [0, 1]; easy, medium,
hard: p_1 is one of .1 and .9, of .25 and .75, of .4 and .6, evenly.

Informative (Wang et al., 3.1.3): eleven arms, payouts without chance.  One of the first ten, even odds, is the target
and pays 5, the other nine pay 1; the eleventh pays a tenth of the target's number (.1 to 1).  Trials have five steps,
and what was paid is shown as one of eleven tokens, not as a number ("encoded in 1-hot format").

Tokens: two arms that give one of three tokens, with probabilities that are drawn from a flat Dirichlet distribution
for each arm.  What a token is worth is not part of the task but of the objective of whoever plays it.  A token may be
absent throughout (all else is flat); a cue may be shown, which in a share of the tasks names the arm that is better
under some objective, and otherwise names the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

Difficulty = Literal["uniform", "easy", "medium", "hard"]

EASIER_ARM = {"easy": 0.9, "medium": 0.75, "hard": 0.6}
"""p of the better arm of a dependent bandit."""

INFORMATIVE_ARMS = 11
INFORMATIVE_STEPS = 5
INFORMATIVE_PAYOUTS = np.array([*np.arange(1, 11) / 10, 5.0])
"""What the tokens of an informative bandit are worth: token 0 is .1, token 9 is 1, token 10 is 5."""


@dataclass(frozen=True, eq=False)
class BernoulliBandits:
    """Arms that pay 1 or nothing.

    Attributes
    ----------
    probabilities : array (N, k)
        Of being paid, for each task and arm.
    """

    probabilities: Array
    n_observations = 1
    episode = None

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            raise ValueError("probabilities: should be an array (N, k) with entries in [0, 1]")

    @property
    def count(self) -> int:
        """N."""
        return len(self.probabilities)

    @property
    def n_actions(self) -> int:
        """k, the number of arms."""
        return int(self.probabilities.shape[1])

    def begin(self, rng: np.random.Generator) -> Integers:
        """Nothing is observed: 0."""
        return np.zeros(self.count, dtype=np.int64)

    def step(self, observations: Integers, actions: Integers, rng: np.random.Generator) -> tuple[Array, Integers]:
        """Rewards, 1.0 or 0.0."""
        chance = self.probabilities[np.arange(self.count), actions]
        return (rng.random(self.count) < chance).astype(float), observations


@dataclass(frozen=True, eq=False)
class TokenBandits:
    """Arms that give tokens.

    Attributes
    ----------
    distributions : array (N, k, T)
        Probability of each token, for each task and arm; sums to 1 over tokens.
    cues : int array (N,), optional
        The arm that is named throughout the trial.
    """

    distributions: Array
    cues: Integers | None = None
    episode = None

    def __post_init__(self) -> None:
        if self.distributions.ndim != 3 or not np.allclose(self.distributions.sum(axis=2), 1):
            raise ValueError("distributions: should be an array (N, k, T) that sums to 1 over the last axis")
        if self.cues is not None and self.cues.shape != (self.count,):
            raise ValueError(f"cues: has shape {self.cues.shape}, should be ({self.count},)")

    @property
    def count(self) -> int:
        """N."""
        return len(self.distributions)

    @property
    def n_actions(self) -> int:
        """k, the number of arms."""
        return int(self.distributions.shape[1])

    @property
    def n_tokens(self) -> int:
        """T."""
        return int(self.distributions.shape[2])

    @property
    def n_observations(self) -> int:
        """1, or the number of arms when one is named."""
        return 1 if self.cues is None else self.n_actions

    def begin(self, rng: np.random.Generator) -> Integers:
        """The cues, or 0."""
        return np.zeros(self.count, dtype=np.int64) if self.cues is None else self.cues

    def step(self, observations: Integers, actions: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Tokens, 0..T-1, and the cues again."""
        ends = np.cumsum(self.distributions[np.arange(self.count), actions], axis=1)
        target = rng.random(self.count) * ends[:, -1]
        return (ends <= target[:, None]).sum(axis=1).astype(np.int64), observations


def bernoulli(count: int, arms: int, rng: np.random.Generator) -> BernoulliBandits:
    """Tasks with ``arms`` independent arms, p uniform on [0, 1]."""
    return BernoulliBandits(rng.random((count, arms)))


def dependent(count: int, difficulty: Difficulty, rng: np.random.Generator) -> BernoulliBandits:
    """Tasks with two arms, p_1 = 1 - p_2.

    Parameters
    ----------
    count : int
    difficulty : {"uniform", "easy", "medium", "hard"}
        How p_1 is distributed.
    rng : Generator
    """
    if difficulty not in get_args(Difficulty):
        raise ValueError(f"difficulty: was {difficulty!r}, should be one of {', '.join(get_args(Difficulty))}")
    first = rng.random(count)
    if difficulty != "uniform":
        first = np.where(first < 0.5, EASIER_ARM[difficulty], 1 - EASIER_ARM[difficulty])
    return BernoulliBandits(np.stack([first, 1 - first], axis=1))


def informative(count: int, rng: np.random.Generator) -> TokenBandits:
    """Tasks with eleven arms, of which the last tells which other one pays most; see ``INFORMATIVE_PAYOUTS``."""
    target = rng.integers(10, size=count)
    token = np.full((count, INFORMATIVE_ARMS), 9)
    token[np.arange(count), target] = 10
    token[:, 10] = target
    return TokenBandits(np.eye(len(INFORMATIVE_PAYOUTS))[token])


def tokens(
    count: int, rng: np.random.Generator, *, arms: int = 2, n_tokens: int = 3, absent: int | None = None
) -> TokenBandits:
    """Tasks whose arms give tokens with probabilities from a flat Dirichlet distribution.

    Parameters
    ----------
    count, arms, n_tokens : int
        N, k and T.
    rng : Generator
    absent : int, optional
        A token that no arm ever gives.
    """
    if absent is not None and not 0 <= absent < n_tokens:
        raise ValueError(f"absent: was {absent!r}, should be a token, 0..{n_tokens - 1}")
    given = [token for token in range(n_tokens) if token != absent]
    distributions = np.zeros((count, arms, n_tokens))
    distributions[:, :, given] = rng.dirichlet(np.ones(len(given)), size=(count, arms))
    return TokenBandits(distributions)


def cued(count: int, objective: Array, agreement: float, rng: np.random.Generator) -> TokenBandits:
    """Tasks with two arms in which one arm is named throughout.

    Parameters
    ----------
    count : int
    objective : array (T,)
        What each token is worth: of the two arms, the better is the one whose mean is higher.
    agreement : float
        Probability that the better arm is the one named, in [0, 1]: 1 for a perfect cue, 1/2 for one that means
        nothing, 0 for one that is always wrong.
    rng : Generator
    """
    if not 0 <= agreement <= 1:
        raise ValueError(f"agreement: was {agreement!r}, should be a probability")
    drawn = tokens(count, rng, n_tokens=len(objective)).distributions
    better = (drawn @ np.asarray(objective, dtype=float)).argmax(axis=1)
    right = rng.random(count) < agreement
    return TokenBandits(drawn, np.where(right, better, 1 - better))
