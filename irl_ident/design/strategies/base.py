"""Strategies: which environment should come next?

A strategy is a frozen object with one method, ``score(ident, candidates)``: a number for every candidate, the larger
the better.  It remembers nothing.  Whatever it needs to know of the past is in the identified set's evidence, and its
random numbers come from ``SeedSequence(seed, spawn_key=(number of observations so far,))``, so that the same set
always gets the same scores.

Most look at a *pool* of objectives that are still consistent: the given ``hypotheses``, or a sample of the identified
set.  The sample is the one that was drawn before any evidence, cut to what is left, as long as at least ``FEWEST`` are
left; it is planned once an environment.  When fewer are, a fresh sample is drawn from the identified set.  An *answer*
is what a candidate would show: the members of the pool that behave alike there give the same one
(:mod:`irl_ident.design.behaviour`).

======================================  ==============================================================================
what a candidate is chosen for          strategies
======================================  ==============================================================================
nothing                                 :class:`Random`, :class:`RoundRobin`, :class:`Fixed`
how answers part the pool               :class:`Greedy`, :class:`Exhaustive`, :class:`Oracle`,
                                        :mod:`~irl_ident.design.strategies.partitions`
how far apart the rest can be           :mod:`~irl_ident.design.strategies.geometry`
how well choices tell the parameters    :mod:`~irl_ident.design.strategies.fisher`, soft agents only
what not knowing costs                  :mod:`~irl_ident.design.strategies.regret` and, in a named environment,
                                        :mod:`~irl_ident.design.strategies.deployment`
======================================  ==============================================================================

One's own strategy is any object with that one method.  This one tries first where the identified set's centre would
visit most states:

>>> import irl_ident as ii
>>> @dataclass(frozen=True)
... class WidestWalk:
...     seed: int = 0
...
...     def score(self, ident, candidates):
...         agent = ii.agents.Optimal(ident.family, ident.center())
...         visits = [ii.planning.occupancy(env, agent.policy(env)).sum(axis=1) for env in candidates]
...         return np.array([(visited > 0.01 * visited.max()).mean() for visited in visits])
>>> stay, go = np.eye(3), np.roll(np.eye(3), 1, axis=1)
>>> start = [1.0, 0.0, 0.0]
>>> candidates = [ii.Environment([stay, stay], 0.9, start), ii.Environment([go, go], 0.9, start)]
>>> campaign = ii.design.Campaign(candidates, WidestWalk(), ii.rewards.StateRewards(3))
>>> campaign.candidates.index(campaign.ask())
1
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from irl_ident.design.behaviour import (
    RESOLUTION,
    Labels,
    behaviour_labels,
    checked_thetas,
    consistent,
    signature,
    signatures,
    temperature_of,
)
from irl_ident.design.families.base import alike
from irl_ident.design.version_space import adaptive_scores, elimination_scores
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified import anything
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet, Rationality

FEWEST = 100
"""When fewer members of the first sample are left than this, a fresh one is drawn."""


class Strategy(Protocol):
    """Anything that scores candidate environments."""

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """How good each of C candidates is to try next, (C,), the larger the better, all finite."""
        ...


@dataclass(frozen=True)
class RoundRobin:
    """One candidate after the other: minus the number of observations there so far."""

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """Minus how often each candidate was observed, (C,)."""
        return -times_seen(ident, checked_candidates(candidates))


@dataclass(frozen=True)
class Random:
    """A random candidate among those observed least often (without replacement).

    Parameters
    ----------
    seed : int
    """

    seed: int = 0

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """Uniform in [0, 1), minus how often each candidate was observed, (C,)."""
        given = checked_candidates(candidates)
        drawn = np.random.default_rng(seeds(self.seed, ident)).random(len(given))
        return drawn - times_seen(ident, given)


@dataclass(frozen=True)
class Fixed:
    """Candidates in a given order, again from its beginning when it is done.

    Parameters
    ----------
    order : sequence of int
        Positions among the candidates; the same one may stand there more than once.  Others come last.
    """

    order: Sequence[int]

    def __post_init__(self) -> None:
        given = tuple(self.order)
        for place, position in enumerate(given):
            if not isinstance(position, int | np.integer) or position < 0:
                raise ValueError(f"order[{place}]: was {position!r}, should be a position among the candidates")
        if not given:
            raise ValueError("order: is empty, should hold at least one position")
        object.__setattr__(self, "order", tuple(int(position) for position in given))

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """Minus the number of observations that come before each candidate's next turn, (C,).

        Raises
        ------
        ValueError
            When the order names a position that there is not.
        """
        given = checked_candidates(candidates)
        if max(self.order) >= len(given):
            raise ValueError(f"order: names candidate {max(self.order)}, there are {len(given)}")
        turns: dict[int, list[int]] = {}
        for turn, position in enumerate(self.order):
            turns.setdefault(position, []).append(turn)
        seen = times_seen(ident, given).astype(int)
        scores = np.full(len(given), -np.inf)
        for position, mine in turns.items():
            rounds, step = divmod(int(seen[position]), len(mine))
            scores[position] = -(rounds * len(self.order) + mine[step])
        return np.where(np.isfinite(scores), scores, scores[np.isfinite(scores)].min() - 1 - seen)


@dataclass(frozen=True, eq=False)
class PoolStrategy(ABC):
    """A strategy that looks at a pool of objectives that are still consistent.

    Parameters
    ----------
    samples : int
        Size of the samples.
    seed : int
    hypotheses : array (N, d), optional
        A finite class of objectives; the pool is those of them that are in the identified set.
    resolution : float
        In (0, 1]: soft policies closer than this count as the same behaviour (see :mod:`irl_ident.design.behaviour`).
    """

    samples: int = 1000
    seed: int = 0
    hypotheses: Array | None = field(default=None, kw_only=True)
    resolution: float = field(default=RESOLUTION, kw_only=True)

    def __post_init__(self) -> None:
        if self.samples != int(self.samples) or self.samples < 1:
            raise ValueError(f"samples: was {self.samples!r}, should be a whole number of at least 1")
        if not 0 < self.resolution <= 1:
            raise ValueError(f"resolution: was {self.resolution!r}, should be in (0, 1]")
        if self.hypotheses is not None:
            given = np.array(self.hypotheses, dtype=float)
            given.setflags(write=False)
            object.__setattr__(self, "hypotheses", given)

    def pool(self, ident: IdentifiedSet) -> tuple[Array, Mask]:
        """Objectives (N, d), and which of them are in the identified set (N,), at least one.

        Raises
        ------
        ValueError
            When none of the hypotheses is consistent with the evidence.
        """
        if self.hypotheses is not None:
            given = checked_thetas("hypotheses", self.hypotheses, ident.family)
            kept = consistent(ident, given)
            if not kept.any():
                raise ValueError(f"hypotheses: none of {len(given)} is consistent with the evidence")
            return given, kept
        if ident.rationality == "optimal":
            first = prior_sample(ident, self.samples, self.seed)
            kept = consistent(ident, first)
            if kept.sum() >= min(FEWEST, self.samples):
                return first, kept
        fresh = fresh_sample(ident, self.samples, self.seed)
        return fresh, np.ones(len(fresh), dtype=bool)

    @abstractmethod
    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """The score of each candidate, (C,)."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What every objective of a pool would show in every candidate.

    Attributes
    ----------
    thetas : array (N, d)
    weights : array (N,)
        Shares that sum to 1; 0 for objectives that are no longer consistent.
    labels : int array (C, N)
        Number of the answer, see :func:`irl_ident.design.behaviour_labels`.
    """

    thetas: Array
    weights: Array
    labels: Labels


@dataclass(frozen=True, eq=False)
class AnswerStrategy(PoolStrategy):
    """A strategy that looks at the answers that candidates would draw from a pool; parameters as for
    :class:`.PoolStrategy`.
    """

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """The score of each candidate, (C,)."""
        given = checked_candidates(candidates)
        return self._score(ident, given, self.answers(ident, given))

    def answers(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Answers:
        """The answers of the pool in each candidate."""
        thetas, kept = self.pool(ident)
        labels = behaviour_labels(
            candidates, ident.family, thetas, ident.rationality, temperature_of(ident), resolution=self.resolution
        )
        return Answers(thetas, kept / kept.sum(), labels)

    @abstractmethod
    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array: ...


@dataclass(frozen=True, eq=False)
class Greedy(AnswerStrategy):
    """The candidate that is expected to rule out most (Golovin & Krause 2011; within 1 - 1/e of the best policy).

    ``score = 1 - sum over classes of equal behaviour of (share of the class in the pool)^2``: the chance that two
    members of the pool behave differently in the candidate.  Parameters as for :class:`.PoolStrategy`.

    A soft agent's exact policy tells nearly all sampled objectives apart wherever it is seen; then all scores are near
    ``1 - 1 / samples``, and only a ``resolution`` as coarse as the data makes them differ.
    """

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        return elimination_scores(answers.labels, answers.weights)


@dataclass(frozen=True, eq=False)
class Exhaustive(AnswerStrategy):
    """The first environment of the best adaptive plan of ``depth`` experiments in all, by enumeration; small classes
    only.

    Parameters
    ----------
    samples, seed, hypotheses, resolution
        As for :class:`.PoolStrategy`.
    depth : int
        How many experiments there will be, counted from no evidence; at least one is always planned.  The cost grows as
        ``C ** depth``.
    """

    depth: int = field(default=2, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth != int(self.depth) or self.depth < 1:
            raise ValueError(f"depth: was {self.depth!r}, should be a whole number of at least 1")

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        return adaptive_scores(answers.labels, max(1, self.depth - len(ident.evidence)), answers.weights)


@dataclass(frozen=True, eq=False)
class Oracle(AnswerStrategy):
    """Knows the truth: the candidate in which the truth rules out most of the pool.  For comparison only.

    Parameters
    ----------
    samples, seed, hypotheses, resolution
        As for :class:`.PoolStrategy`.
    truth : array (d,) or agent
        The objective, or anything with ``policy(env)``.
    """

    truth: Any = field(kw_only=True)

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        scores = np.zeros(len(candidates))
        for place, env in enumerate(candidates):
            shape = (env, ident.family)
            seen = signatures(*shape, answers.thetas, ident.rationality, temperature_of(ident), self.resolution)
            scores[place] = answers.weights[(seen != self._truth(ident, env)).any(axis=1)].sum()
        return scores

    def _truth(self, ident: IdentifiedSet, env: Environment) -> Any:
        if hasattr(self.truth, "policy"):
            return signature(np.asarray(self.truth.policy(env)), ident.rationality, self.resolution)
        theta = ident.family.checked(self.truth)[None]
        return signatures(env, ident.family, theta, ident.rationality, temperature_of(ident), self.resolution)[0]


_fresh: WeakKeyDictionary[IdentifiedSet, dict[tuple[int, int], Array]] = WeakKeyDictionary()


def fresh_sample(ident: IdentifiedSet, n: int, seed: int) -> Array:
    """``n`` members of the identified set, (n, d); drawn once a decision."""
    drawn = _fresh.setdefault(ident, {})
    if (n, seed) not in drawn:
        members = ident.sample(n, seed=int(seeds(seed, ident).generate_state(1)[0]))
        members.setflags(write=False)
        drawn[n, seed] = members
    return drawn[n, seed]


def prior_sample(ident: IdentifiedSet, n: int, seed: int) -> Array:
    """``n`` objectives drawn as if nothing had been seen, (n, d); drawn once."""
    return _prior_sample(ident.family, ident.rationality, temperature_of(ident), n, seed)


@lru_cache(maxsize=16)
def _prior_sample(family: RewardFamily, rationality: Rationality, temperature: float, n: int, seed: int) -> Array:
    drawn = anything(family, rationality, temperature=temperature).sample(n, seed=seed)
    drawn.setflags(write=False)
    return drawn


def times_seen(ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
    """How many observations there are of each candidate, (C,)."""
    seen = Counter(env.digest for env, _ in ident.evidence)
    return np.array([seen[env.digest] for env in candidates], dtype=float)


def seeds(seed: int, ident: IdentifiedSet) -> np.random.SeedSequence:
    """The seed sequence of the next decision."""
    return np.random.SeedSequence(seed, spawn_key=(len(ident.evidence),))


def checked_candidates(candidates: Sequence[Environment]) -> tuple[Environment, ...]:
    """``candidates`` as a tuple of at least one environment, or ``ValueError``."""
    return alike("candidates", candidates)
