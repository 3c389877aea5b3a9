"""Search: the best environment of a family that may be too large to list.

A search scores environments by a strategy and looks for the largest score *per price*: ``score / price``, or
``score * price`` where scores are below 0, so that of two equal scores the cheaper environment is always preferred.

:class:`LocalSearch` scores a whole family when it is small enough.  In a larger one it climbs: all neighbours of an
environment are scored together (whatever plans for them is batched), the best of them is next, until none is better.
Climbs begin at random, and every second one a few random choices away from the best environment so far.  What is found
is then a local optimum, or the best of what could be scored; :class:`Searched` says which, and how much was scored.

A strategy is asked about part of the family at a time.  Those that rank by position (round robin, a fixed order) say
nothing useful about parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from irl_ident.design.families import numbering
from irl_ident.design.families.base import EnvironmentFamily, check_count, check_price
from irl_ident.design.version_space import TIE
from irl_ident.environment import Array, Environment

if TYPE_CHECKING:
    from irl_ident.design.strategies.base import Strategy
    from irl_ident.identified.base import IdentifiedSet

TOGETHER = 4096
"""Environments that are built and scored together at most."""

PROVED = 1e-7
"""A score that misses a proved bound by no more than this share of it, or of the range of rewards, is the largest."""


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search found, and where it looked.

    Attributes
    ----------
    index : int
        Of the environment found, in its family.
    environment : Environment
    score : float
        What the strategy gives it.
    price : float
        What an experiment there costs.
    scored : int
        How many different indices were scored.
    size : int
        How many the family has.
    climbs : int
        Climbs made; 0 when all was scored without any.
    optima : int
        Climbs that ended where no neighbour is better; the others were cut short.
    upper : float
        No environment of the family has a larger score per price; infinite when that is not known.
    spread : float
        Range of the rewards behind the bound; 0 where there is none.
    """

    index: int
    environment: Environment
    score: float
    price: float
    scored: int
    size: int
    climbs: int = 0
    optima: int = 0
    upper: float = np.inf
    spread: float = 0.0

    @property
    def per_price(self) -> float:
        """The score per price."""
        return per_price(self.score, self.price)

    @property
    def exhaustive(self) -> bool:
        """Whether nothing better is in the family: all was scored, or a bound is met up to ``PROVED``."""
        met = np.isfinite(self.upper) and self.upper - self.per_price <= PROVED * max(self.spread, abs(self.upper))
        return bool(self.scored == self.size or met)

    def record(self) -> dict[str, Any]:
        """Everything but the environment and its index, for a journal."""
        return {
            "score": self.score,
            "price": self.price,
            "scored": self.scored,
            "size": numbering.written(self.size),
            "climbs": self.climbs,
            "optima": self.optima,
            "upper": self.upper if np.isfinite(self.upper) else None,
            "spread": self.spread,
            "exhaustive": self.exhaustive,
        }

    @classmethod
    def recorded(cls, index: int, environment: Environment, record: Mapping[str, Any]) -> Searched:
        """The search that :meth:`record` wrote; ``ValueError`` when it is damaged."""
        try:
            score, price = float(record["score"]), float(record["price"])
            counts = {name: numbering.number_of(record[name]) for name in ("scored", "size", "climbs", "optima")}
            upper = np.inf if record["upper"] is None else float(record["upper"])
            size = float(record.get("spread", 0.0))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"searched: is damaged: {error}") from error
        return cls(index, environment, score, price, upper=upper, spread=size, **counts)

    def __str__(self) -> str:
        share = f"scored {numbering.words(self.scored)} of {numbering.words(self.size)} environments"
        climbs = f" in {self.climbs} climbs, {self.optima} to a local optimum" if self.climbs else ""
        sure = "; none is better" if self.exhaustive else ""
        return (
            f"no. {numbering.words(self.index)}, score {self.score:.4g} at price {self.price:g}: {share}{climbs}{sure}"
        )


class Search(Protocol):
    """Anything that looks for the best environment of a family."""

    def find(self, strategy: Strategy, ident: IdentifiedSet, family: EnvironmentFamily) -> Searched:
        """Look; the same arguments always give the same answer."""
        ...


@dataclass(frozen=True)
class LocalSearch:
    """Score everything, or climb from neighbour to neighbour.

    Parameters
    ----------
    scored : int
        Most environments scored for one decision; families up to this size are scored whole.
    climbs : int
        Most climbs.
    kick : int
        How many random choices away from the best so far every second climb begins.
    seed : int
    """

    scored: int = 2000
    climbs: int = 10
    kick: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for argument in ("scored", "climbs", "kick"):
            check_count(argument, getattr(self, argument))

    def find(self, strategy: Strategy, ident: IdentifiedSet, family: EnvironmentFamily) -> Searched:
        """The environment with the largest score per price among those scored.

        Ties (within 1e-12) go to the one observed least often, then to the lowest index.

        Raises
        ------
        ValueError
            When the strategy gives anything but one finite score for each environment, or the family a price that is
            not above 0.
        """
        look, climbs, optima = self.explore(strategy, ident, family)
        return look.best(climbs, optima)

    def explore(
        self, strategy: Strategy, ident: IdentifiedSet, family: EnvironmentFamily, starts: Sequence[int] = ()
    ) -> tuple[Look, int, int]:
        """What was scored, the number of climbs, and how many of them ended at a local optimum.

        The first climbs begin at the indices ``starts``.
        """
        look = Look(strategy, ident, family)
        if family.size <= self.scored:
            look.at(range(family.size))
            return look, 0, 0
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(len(ident.evidence), 1)))
        climbs = optima = 0
        while climbs < self.climbs and len(look.values) < self.scored:
            if climbs < len(starts):
                start = starts[climbs]
            else:
                start = self._kicked(look.best_index, family, rng) if climbs % 2 else family.random(rng)
            optima += self._climb(start, look, rng)
            climbs += 1
        return look, climbs, optima

    def _kicked(self, index: int, family: EnvironmentFamily, rng: np.random.Generator) -> int:
        for _ in range(self.kick):
            near = family.neighbours(index)
            index = near[int(rng.integers(len(near)))] if near else index
        return index

    def _climb(self, here: int, look: Look, rng: np.random.Generator) -> bool:
        """Climb from ``here``; whether the top was reached."""
        look.at([here])
        while True:
            near = look.family.neighbours(here)
            new = [index for index in near if index not in look.values]
            room = self.scored - len(look.values)
            cut = len(new) > room
            look.at([new[place] for place in np.sort(rng.permutation(len(new))[:room])] if cut else new)
            best = look.first([here, *(index for index in near if index in look.values)])
            if look.values[best] <= look.values[here] + TIE:
                return not cut
            here = best


class Look:
    """What was scored so far in one search: ``values`` has the score per price of each index."""

    def __init__(self, strategy: Strategy, ident: IdentifiedSet, family: EnvironmentFamily) -> None:
        self.strategy, self.ident, self.family = strategy, ident, family
        self.values: dict[int, float] = {}
        self._scores: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        digests = [env.digest for env, _ in ident.evidence]
        self._times = {digest: digests.count(digest) for digest in digests}

    def at(self, indices: Sequence[int]) -> None:
        """Score the environments of ``indices``."""
        for first in range(0, len(indices), TOGETHER):
            part = indices[first : first + TOGETHER]
            environments = [self.family.environment(index) for index in part]
            if not environments:
                continue
            scores = checked_scores(self.strategy, self.strategy.score(self.ident, environments), len(part))
            for index, env, score in zip(part, environments, scores, strict=True):
                self._scores[index] = float(score)
                self.values[index] = per_price(float(score), self.price(index))
                self._seen[index] = self._times.get(env.digest, 0) if self._times else 0

    def price(self, index: int) -> float:
        """The price, checked."""
        price = float(self.family.price(index))
        check_price(f"price({index})", price)
        return price

    def first(self, indices: Sequence[int]) -> int:
        """Of the largest values up to ``TIE``, the one observed least often, then the lowest index."""
        top = max(self.values[index] for index in indices) - TIE
        return min((i for i in indices if self.values[i] >= top), key=lambda i: (self._seen[i], i))

    @property
    def best_index(self) -> int:
        """The best of all."""
        return self.first(list(self.values))

    def best(self, climbs: int, optima: int) -> Searched:
        """The best of all, with the report."""
        index, size = self.best_index, self.family.size
        environment = self.family.environment(index)
        upper = self.values[index] if len(self.values) == size else np.inf
        score, price = self._scores[index], self.price(index)
        return Searched(index, environment, score, price, len(self.values), size, climbs, optima, upper)


def per_price(score: float, price: float) -> float:
    """``score / price``, or ``score * price`` below 0: the cheaper of equal scores is always better."""
    return score / price if score >= 0 else score * price


def checked_scores(strategy: object, scores: Any, count: int) -> Array:
    """One finite score for each of ``count`` candidates, or ``ValueError``."""
    given = np.asarray(scores, dtype=float)
    if given.shape != (count,) or not np.isfinite(given).all():
        name = type(strategy).__name__
        raise ValueError(
            f"strategy: {name}.score should return {count} finite numbers, one a candidate, returned shape "
            f"{given.shape}" + ("" if np.isfinite(given).all() else " with some that are not finite")
        )
    return given
