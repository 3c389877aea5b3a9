"""The best and the worst state by few experiments: which states ask, and what.

A state that all actions keep is worth ``R / (1 - g)`` exactly, so a state whose actions lead to such *absorbing*
targets compares them without error.  An asking state is one of

* a **best question**: action i leads to target i, and the best targets are shown;
* a **worst question**: action i leads evenly to every target but i, and what is left out is the worst;
* a **pair question**: one action stays, the others lead to one target, and the state compares itself with it;
* a **self question**: one action stays, action i leads to target i, and the best of all of them is shown.

States that can no longer be best or worst are free to ask.  Each question on at most A targets settles all pairs among
them, k askers settle many pairs at once, and the number of candidates falls doubly exponentially, as in parallel
maximum finding (Valiant 1975).  Of tied states one is kept, the
first for the best and the last for the worst: they are worth the same.

**Lower bound.**  Let c candidates for the best be equal up to differences so small that only a direct comparison finds
them.  Of those, m ask themselves: no two of them are compared, as neither is absorbing.  The other ``a = c - m`` are
compared by at most ``(S - a) A (A - 1) / 2`` pairs, so that some ``a^2 / (a + (S - a) A (A - 1))`` of them are pairwise
uncompared (Turan's theorem). Whichever set is larger, the best may be any of it; :func:`least_rounds` iterates this
with the best m.  For S > 2 one experiment is never enough for both extremes: it would have to compare all pairs, so
that at most one state asks, and that one names only one end.  The bound is for experiments that compare states through
absorbing targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import ceil
from typing import Literal

import numpy as np

from irl_ident.environment import Array, Mask

GREEDY_SIZE = 60
"""Up to so many candidates, a greedy covering is tried for odd numbers of arms, which blocks of half of them waste."""

Kind = Literal["best", "worst", "pair", "self"]


@dataclass(frozen=True)
class Question:
    """What a state asks of absorbing targets; see the module for the kinds."""

    kind: Kind
    targets: tuple[int, ...]

    def rows(self, asker: int, n_states: int, n_actions: int) -> Array:
        """Transitions of the asking state, (A, S); spare actions repeat the first."""
        stay_first = self.kind in ("pair", "self")
        rows = np.zeros((len(self.targets) + stay_first, n_states))
        if stay_first:
            rows[0, asker] = 1
        if self.kind == "worst":
            rows[:, list(self.targets)] = 1 / (len(self.targets) - 1)
            rows[np.arange(len(self.targets)), list(self.targets)] = 0
        else:
            rows[np.arange(stay_first, len(rows)), list(self.targets)] = 1
        return rows[np.arange(n_actions) % len(rows) if len(rows) <= n_actions else slice(None)]

    def shown(self, asker: int, actions: Mask) -> tuple[int, ...]:
        """The states that the shown actions (A,) name: the best ones, or for a worst question the worst ones."""
        members = (asker, *self.targets) if self.kind in ("pair", "self") else self.targets
        return tuple(members[i] for i in sorted({int(a) % len(members) for a in np.flatnonzero(actions)}))


Plan = Mapping[int, Question]


@dataclass(frozen=True)
class Extremes:
    """Which states can still be best or worst.

    Attributes
    ----------
    n_states, arms : int
        Number of states; of different actions that a question may use, at least 2.
    best, worst : tuple of int
        Candidates, ascending.
    rounds : int
        Experiments so far.
    tied : bool
        Whether all states that were compared so far were equal; at the end, whether all states are.
    """

    n_states: int
    arms: int
    best: tuple[int, ...]
    worst: tuple[int, ...]
    rounds: int = 0
    tied: bool = True

    @classmethod
    def start(cls, n_states: int, arms: int) -> Extremes:
        """Every state can be either."""
        return cls(n_states, arms, tuple(range(n_states)), tuple(range(n_states)))

    @property
    def done(self) -> bool:
        """Whether both are known."""
        return len(self.best) == 1 and len(self.worst) == 1

    def plan(self) -> Plan:
        """The questions of the next experiment; states without one are absorbing."""
        both = sorted(set(self.best) & set(self.worst))
        only_best, only_worst = (sorted(set(side) - set(both)) for side in (self.best, self.worst))
        free = sorted(set(range(self.n_states)) - set(self.best) - set(self.worst))
        borrowed = askers_to_borrow(self.n_states, self.arms) if len(both) == self.n_states else 0
        if free or borrowed:
            lent, asked = both[:borrowed], both[borrowed:]
            high, low = sorted([*asked, *only_best]), sorted([*asked, *only_worst])
            above, below = shares(len(high), len(low), len(free) + len(lent), self.arms)
            questions = [Question("best", g) for g in groups(high, above, self.arms)]
            questions += [Question("worst", g) for g in groups(low, below, self.arms)]
            return dict(zip([*free, *lent], questions, strict=False))
        if not only_best:
            return _asking_themselves(both[: len(both) // 2], both[len(both) // 2 :], 2)
        others = both if len(only_best) == len(only_worst) == 1 else []
        return _asking_themselves(only_best, others, self.arms) | _asking_themselves(only_worst, others, 2)

    def after(self, plan: Plan, shown: Mask) -> Extremes:
        """What is known once the optimal actions (S, A) of the planned experiment were seen."""
        not_best: set[int] = set()
        not_worst: set[int] = set()
        tied = self.tied
        for asker, question in plan.items():
            named = question.shown(asker, shown[asker])
            members = {asker, *question.targets} if question.kind in ("pair", "self") else set(question.targets)
            tied = tied and len(named) == len(members)
            others = (members - set(named)) or set(named)
            if question.kind == "worst":
                not_worst |= members - {max(named)}
                not_best |= members - {min(others)} if len(members) == 2 else set()
            else:
                not_best |= members - {min(named)}
                not_worst |= members - {max(others)} if len(members) == 2 else set()
        return Extremes(
            self.n_states,
            self.arms,
            tuple(s for s in self.best if s not in not_best),
            tuple(s for s in self.worst if s not in not_worst),
            self.rounds + 1,
            tied,
        )


@lru_cache(maxsize=1_000)
def askers_to_borrow(n_states: int, arms: int) -> int:
    """How many of ``n_states`` undecided states should ask about the others at first; 0: pair them all instead."""
    return min(range(max(1, n_states - 1)), key=lambda borrowed: _rounds(n_states, borrowed, arms))


@lru_cache(maxsize=100_000)
def shares(high: int, low: int, askers: int, arms: int) -> tuple[int, int]:
    """Into how many classes to divide candidates at both ends, so that the larger number is least."""
    options = []
    for part in range(askers + 1):
        above, below = classes(high, part, arms), classes(low, askers - part, arms)
        options.append((max(above, below), above + below, above, below))
    return min(options)[2:]


def classes(candidates: int, askers: int, arms: int) -> int:
    """The least number of nearly equal classes of candidates whose inner pairs ``askers`` questions can settle."""
    for count in range(1, candidates + 1):
        large, small = ceil(candidates / count), candidates // count
        rest = candidates - small * count
        if rest * questions_for(large, arms) + (count - rest) * questions_for(small, arms) <= askers:
            return count
    return candidates


def questions_for(size: int, arms: int) -> int:
    """Questions on at most ``arms`` targets that settle all pairs among ``size`` candidates."""
    return len(covering(size, arms))


@lru_cache(maxsize=10_000)
def covering(size: int, arms: int) -> tuple[tuple[int, ...], ...]:
    """Sets of at most ``arms`` of the numbers below ``size`` that hold every pair of them.

    The smaller of two coverings: blocks of half the arms, two at a time, and a greedy one.
    """
    if size <= 1:
        return ()
    if size <= arms:
        return (tuple(range(size)),)
    blocks = [tuple(range(i, min(size, i + arms // 2))) for i in range(0, size, arms // 2)]
    paired = tuple(one + other for one, other in combinations(blocks, 2))
    greedy = _greedy_covering(size, arms) if arms % 2 and size <= GREEDY_SIZE else paired
    return min(greedy, paired, key=len)


def _greedy_covering(size: int, arms: int) -> tuple[tuple[int, ...], ...]:
    """Take the first pair that is not covered, and join those that cover most new pairs with what is there."""
    open_pairs = np.triu(np.ones((size, size), dtype=bool), 1)
    open_pairs |= open_pairs.T
    sets = []
    while open_pairs.any():
        chosen = [int(i) for i in divmod(int(open_pairs.argmax()), size)]
        while len(chosen) < arms:
            gains = open_pairs[chosen].sum(axis=0)
            gains[chosen] = -1
            chosen.append(int(gains.argmax()))
        open_pairs[np.ix_(chosen, chosen)] = False
        sets.append(tuple(sorted(chosen)))
    return tuple(sets)


def groups(candidates: Sequence[int], count: int, arms: int) -> list[tuple[int, ...]]:
    """Sets of at most ``arms`` candidates that settle all pairs within each of ``count`` nearly equal classes."""
    found: list[tuple[int, ...]] = []
    for group in np.array_split(np.asarray(candidates, dtype=int), count):
        found += [tuple(int(group[i]) for i in chosen) for chosen in covering(len(group), arms)]
    return found


def _asking_themselves(askers: Sequence[int], others: Sequence[int], size: int) -> dict[int, Question]:
    """Sets of ``size``: the first half, or fewer, of ``askers`` each compare themselves with others of them and
    ``others``.
    """
    count = min(len(askers), ceil((len(askers) + len(others)) / size))
    targets = [*askers[count:], *others]
    share = np.array_split(np.asarray(targets, dtype=int), count)
    return {
        s: Question("pair" if size == 2 else "self", tuple(int(t) for t in group[: size - 1]))
        for s, group in zip(askers[:count], share, strict=True)
        if group.size
    }


def most_rounds(n_states: int, arms: int) -> int:
    """Experiments that the search for both extremes takes at most."""
    return _rounds(n_states, askers_to_borrow(n_states, arms), arms)


@lru_cache(maxsize=100_000)
def _rounds(n_states: int, borrowed: int, arms: int) -> int:
    """Experiments after a first one in which ``borrowed`` states ask about all others."""
    if borrowed:
        both = borrowed
        high, low = shares(n_states - borrowed, n_states - borrowed, borrowed, arms)
    else:
        both, high, low = n_states % 2, n_states // 2, n_states // 2
    rounds = 1
    while both + high > 1 or both + low > 1:
        free = n_states - both - high - low
        if free > 0:
            (high, low), both = shares(both + high, both + low, free, arms), 0
        elif both > 1:
            return n_states
        elif high == low == 1:
            both = 0
        else:
            high, low = ceil(high / arms), ceil(low / 2)
        rounds += 1
    return rounds


@lru_cache(maxsize=10_000)
def least_rounds(n_states: int, arms: int) -> int:
    """A lower bound on the experiments that any search for both extremes takes (see the module)."""
    candidates, rounds = n_states, 0
    while candidates > 1:
        candidates = min(_unsettled(candidates, asking, n_states, arms) for asking in range(candidates))
        rounds += 1
    return max(rounds, 1 if n_states == 2 else 2)


def _unsettled(candidates: int, asking: int, n_states: int, arms: int) -> int:
    """Candidates of which no two are compared, at least, when ``asking`` of them ask and all other states do."""
    asked = candidates - asking
    askers = n_states - asked
    return max(asking, ceil(asked**2 / (asked + askers * arms * (arms - 1))))
