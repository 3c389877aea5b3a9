"""What a campaign chooses from: a list, which the strategy scores whole, or a family, which is searched.

Both say what identifies them in a journal, make the next question, and write and read it; the campaign does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from irl_ident.design.families import numbering
from irl_ident.design.families.base import EnvironmentFamily
from irl_ident.design.families.search import LocalSearch, Search, Searched, checked_scores
from irl_ident.design.journal import Record, fingerprint
from irl_ident.design.strategies.base import Strategy, checked_candidates, times_seen
from irl_ident.design.table import Question
from irl_ident.design.version_space import TIE
from irl_ident.environment import Environment

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet

RECOGNISED = 1000
"""Environments of a family of up to so many are recognised without having been asked for."""


class Choices(Protocol):
    """What a campaign chooses from."""

    @property
    def candidates(self) -> Sequence[Environment] | EnvironmentFamily:
        """The list, or the family."""
        ...

    @property
    def examples(self) -> Sequence[Environment]:
        """Environments that a reward family must fit."""
        ...

    @property
    def setting(self) -> Record:
        """What identifies them."""
        ...

    @property
    def size(self) -> int | None:
        """Of a family; None for a list."""
        ...

    @property
    def places(self) -> Mapping[str, Sequence[int]]:
        """For digests of environments, their positions or indices, as far as they are known."""
        ...

    def choose(self, ident: IdentifiedSet) -> Question:
        """The next question."""
        ...

    def entry(self, question: Question) -> Record:
        """The question as a journal has it."""
        ...

    def recorded(self, record: Mapping[str, Any]) -> Question:
        """The question that :meth:`entry` wrote; ``ValueError`` when it is not one of these choices."""
        ...


class ListChoices:
    """A list of candidates: the largest score; ties go to the one observed least often, then to the lowest position."""

    size = None

    def __init__(self, candidates: Sequence[Environment], strategy: Strategy) -> None:
        self.candidates = checked_candidates(candidates)
        self.examples = self.candidates
        self._strategy = strategy

    @property
    def setting(self) -> Record:
        """The digests."""
        return {"candidates": [env.digest for env in self.candidates]}

    @cached_property
    def places(self) -> Mapping[str, Sequence[int]]:
        """Positions by digest."""
        return _by_digest(self.candidates)

    def choose(self, ident: IdentifiedSet) -> Question:
        """Score all."""
        given = self._strategy.score(ident, self.candidates)
        scores = checked_scores(self._strategy, given, len(self.candidates))
        tied = np.flatnonzero(scores >= scores.max() - TIE)
        seen = times_seen(ident, [self.candidates[place] for place in tied])
        chosen = int(tied[np.argmin(seen)])
        return Question(chosen, scores, self.candidates[chosen])

    def entry(self, question: Question) -> Record:
        """Position, digest and all scores."""
        return {
            "candidate": question.candidate,
            "environment": question.environment.digest,
            "scores": question.scores.tolist(),
        }

    def recorded(self, record: Mapping[str, Any]) -> Question:
        """The question on record."""
        chosen = numbering.number_of(record["candidate"])
        if not 0 <= chosen < len(self.candidates) or record["environment"] != self.candidates[chosen].digest:
            raise ValueError(f"candidate {chosen} is not the environment {record['environment'][:12]}")
        scores = checked_scores(self._strategy, record["scores"], len(self.candidates))
        return Question(chosen, scores, self.candidates[chosen])


class FamilyChoices:
    """A family: whatever the search finds.

    When something is told of an environment, those of a family of up to ``RECOGNISED`` are recognised, and of a larger
    one those that were asked for.
    """

    def __init__(self, family: EnvironmentFamily, strategy: Strategy, search: Search | None) -> None:
        self.candidates = family
        self.examples = (family.environment(0),)
        self.size = family.size
        self._strategy = strategy
        self._search: Search = LocalSearch() if search is None else search
        self._asked: dict[str, tuple[int, ...]] = {}

    @property
    def setting(self) -> Record:
        """Fingerprints of the family and of the search."""
        family = {"name": type(self.candidates).__name__, "sha256": fingerprint(self.candidates)}
        search = {"name": type(self._search).__name__, "sha256": fingerprint(self._search)}
        return {"candidates": family | {"size": numbering.written(self.size)}, "search": search}

    @property
    def places(self) -> Mapping[str, Sequence[int]]:
        """Indices by digest."""
        return self._all if self.size <= RECOGNISED else self._asked

    @cached_property
    def _all(self) -> Mapping[str, Sequence[int]]:
        return _by_digest([self.candidates.environment(index) for index in range(self.size)])

    def choose(self, ident: IdentifiedSet) -> Question:
        """Search."""
        return self._question(self._search.find(self._strategy, ident, self.candidates))

    def entry(self, question: Question) -> Record:
        """Index, digest and what was searched."""
        assert question.searched is not None
        return {
            "candidate": numbering.written(question.candidate),
            "environment": question.environment.digest,
            "scores": question.scores.tolist(),
            "searched": question.searched.record(),
        }

    def recorded(self, record: Mapping[str, Any]) -> Question:
        """The question on record."""
        index = numbering.number_of(record["candidate"])
        fits = 0 <= index < self.size
        environment = self.candidates.environment(index) if fits else None
        if environment is None or environment.digest != record["environment"]:
            given = numbering.words(index)
            raise ValueError(f"candidate {given} of the family is not the environment {record['environment'][:12]}")
        return self._question(Searched.recorded(index, environment, record.get("searched") or {}))

    def _question(self, found: Searched) -> Question:
        known = self._asked.get(found.environment.digest, ())
        if found.index not in known:
            self._asked[found.environment.digest] = (*known, found.index)
        return Question(found.index, np.array([found.score]), found.environment, found)


def choices(
    candidates: Sequence[Environment] | EnvironmentFamily, strategy: Strategy, search: Search | None
) -> Choices:
    """A list or a family as choices; ``ValueError`` for a search of a list."""
    if isinstance(candidates, EnvironmentFamily):
        return FamilyChoices(candidates, strategy, search)
    if search is not None:
        raise ValueError(
            "search: was given for a list of candidates, which is scored whole; give a family, or no search"
        )
    return ListChoices(candidates, strategy)


def _by_digest(environments: Sequence[Environment]) -> Mapping[str, Sequence[int]]:
    found: dict[str, tuple[int, ...]] = {}
    for place, env in enumerate(environments):
        found[env.digest] = (*found.get(env.digest, ()), place)
    return found
