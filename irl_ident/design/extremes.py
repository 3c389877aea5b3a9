"""The best and the worst state by few experiments: which states ask, and what.

A *question* is put to the agent in a state that asks, about at most A states, its targets:

* a **best question**: action i leads to target i, and the targets of greatest value are shown.  The state that asks may
  be a target itself: that action stays.
* a **worst question**: action i leads evenly to every target but i, and what is left out is of least value.

Every state asks at most one question in an experiment; those that do not are *absorbing*.  Values are in units of
``1 / (1 - g)``, so that ``V(s) = R(s)`` where s is absorbing, and everywhere ``min R <= V(s) <= max R``.

**What answers tell.**  In a best state that may stay ``V(s) = max R``; in any other state ``V(s) < max R``, as R(s)
itself is collected first.  So whatever the targets of a best question ask themselves, a target that is not shown is not
best, provided only that every candidate for the best may stay: all of them can ask about each other *in the same
experiment*.  At the low end only absorbing states keep their own value, as whoever may choose is worth more than its
reward says: worst questions are about absorbing targets.  A best question on two states tells both ends when the
target is absorbing and the other is absorbing or asks.  Of targets of equal value one is kept, the first as best and
the last as worst.

**The search.**  All are paired at first: half of the states remain for the best, the other half for the worst (or a few
states are lent to ask both kinds of questions about all others; or, with about as many actions as states, the best is
found at once).  After that the candidates are divided into the fewest classes whose inner pairs the states that are
free to ask can settle; candidates for the best settle their own classes as far as they can, and candidates for the
worst their pairs.  The number of candidates falls doubly exponentially, as in parallel maximum finding (Valiant 1975).
:func:`most_rounds` counts the worst case.

**Lower bound, the best state alone.**  Take any experiment, of lotteries too, in which every candidate for the best may
stay.  Let a set I of candidates be best with rewards equal up to infinitesimal differences, and let all other rewards
be generic.  Values are 0 on I and negative and generic elsewhere, so actions a and b of a state are both optimal only
if ``T[s, a] - T[s, b]`` vanishes outside I.  Choose two states of the support of each of the ``S A (A - 1) / 2``
differences: by Turan's theorem some ``alpha(c, S A (A - 1) / 2)`` of c candidates hold no chosen pair
(:func:`independent`), and with those as I the experiment tells nothing of which of them is best.

**Lower bound, both ends, for experiments made of questions.**  Let I be equal and best, J equal and worst, all others
between in a known order.  A best question tells something within I only if I holds two of its targets, and within J
only if J holds all of them: ``A (A - 1) / 2`` pairs to be avoided above, one below.  A worst question the other way
round.  At the low end a state that asks is compared by its own question alone.  Turan's theorem again gives sizes of I
and J for each division of the questions; :func:`least_rounds` takes the best division of every experiment, and counts
in favour of the experimenter where it must simplify.  For all S from 2 to 100 and A from 2 to 70 :func:`most_rounds`
is at most one more.  (Beyond questions: with ``A >= S (S - 1)`` a single experiment is enough, in which all states have
the same lotteries, one for each possible pair of best and worst.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from irl_ident.environment import Array, Mask

GREEDY_SIZE, GREEDY_TRIES = 40, 8
"""Up to so many candidates so many greedy coverings are tried; beyond, only blocks of half the arms, two at a time."""

LENDING_STATES = 200
"""Up to so many states it is worked out how many should ask at first; more are paired."""

MOST_LEFT = 0.8
"""First experiments that leave more candidates for either end than this share of the states are not looked into."""


@dataclass(frozen=True)
class Question:
    """What a state asks: which of at most A targets are of greatest, or of least, value.  See the module."""

    kind: Literal["best", "worst"]
    targets: tuple[int, ...]

    def rows(self, n_states: int, n_actions: int) -> Array:
        """Transitions of the asking state, (A, S); spare actions repeat the others in turn."""
        rows = np.zeros((len(self.targets), n_states))
        if self.kind == "worst":
            rows[:, list(self.targets)] = 1 / (len(self.targets) - 1)
            rows[np.arange(len(self.targets)), list(self.targets)] = 0
        else:
            rows[np.arange(len(self.targets)), list(self.targets)] = 1
        return rows[np.arange(n_actions) % len(rows)]

    def named(self, actions: Mask) -> set[int]:
        """The targets that the shown actions (A,) name."""
        return {self.targets[int(a) % len(self.targets)] for a in np.flatnonzero(actions)}


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
        if len(self.best) == len(self.worst) == self.n_states:
            return self._opening()
        open_sides = [set(side) for side in (self.best, self.worst) if len(side) > 1]
        free = sorted(set(range(self.n_states)).difference(*open_sides))
        own = not set(self.best) & set(self.worst)
        above, below = shares(len(self.best), len(self.worst), len(free), self.arms, own)
        return _assigned(_best_questions(self.best, above, self.arms, own), free) | _assigned(
            _worst_questions(self.worst, below, self.arms, own), reversed(free)
        )

    def _opening(self) -> Plan:
        """The first experiment, when nothing is known."""
        states, half = range(self.n_states), self.n_states // 2
        lent = states_to_lend(self.n_states, self.arms)
        if lent is None:
            return _assigned(_best_questions(states, 1, self.arms, own=True), [])
        if lent:
            askers, asked = states[:lent], states[lent:]
            above, below = shares(len(asked), len(asked), lent, self.arms, own=False)
            return _assigned(_best_questions(asked, above, self.arms, own=False), askers) | _assigned(
                _worst_questions(asked, below, self.arms, own=False), reversed(askers)
            )
        pairs = {s: Question("best", (s, half + s)) for s in range(half)}
        odd = {states[-1]: Question("best", (half, states[-1]))} if self.n_states % 2 else {}
        return pairs | odd

    def after(self, plan: Plan, shown: Mask) -> Extremes:
        """What is known once the optimal actions (S, A) of the planned experiment were seen."""
        not_best: set[int] = set()
        not_worst: set[int] = set()
        tied = self.tied
        for asker, question in plan.items():
            named, members = question.named(shown[asker]), set(question.targets)
            tied = tied and named == members
            others = (members - named) or named
            exact = len(members) == 2 and not (members - {asker}) & plan.keys()
            if question.kind == "worst":
                not_worst |= members - {max(named)}
                not_best |= members - {min(others)} if exact else set()
            else:
                not_best |= members - {min(named)}
                not_worst |= members - {max(others)} if exact else set()
        best = tuple(s for s in self.best if s not in not_best)
        worst = tuple(s for s in self.worst if s not in not_worst)
        if len(best) == 1 < len(worst):
            worst = tuple(s for s in worst if s != best[0])
        elif len(worst) == 1 < len(best):
            best = tuple(s for s in best if s != worst[0])
        return Extremes(self.n_states, self.arms, best, worst, self.rounds + 1, tied)


Asked = list[tuple[int | None, Question]]


def _best_questions(candidates: Sequence[int], count: int, arms: int, own: bool) -> Asked:
    """Questions that leave one candidate for the best in each of ``count`` classes, and who of the class can ask."""
    found: Asked = []
    for group in _split(candidates, count):
        askers = own_askers(len(group), arms) if own else (None,) * questions_for(len(group), arms)
        for asker, block in zip(askers, covering(len(group), arms), strict=True):
            question = Question("best", tuple(group[i] for i in block))
            found.append((None if asker is None else group[asker], question))
    return found


def _worst_questions(candidates: Sequence[int], count: int, arms: int, own: bool) -> Asked:
    """The same for the worst."""
    found: Asked = []
    for group in _split(candidates, count):
        if own and len(group) == 2:
            found.append((group[0], Question("best", (group[0], group[1]))))
        else:
            blocks = covering(len(group), arms)
            found += [(None, Question("worst", tuple(group[i] for i in block))) for block in blocks]
    return found


def _assigned(asked: Asked, free: Iterable[int]) -> dict[int, Question]:
    """Give every question that nobody asks yet to the next state that is free."""
    askers = iter(free)
    return {next(askers) if asker is None else asker: question for asker, question in asked}


def _split(candidates: Sequence[int], count: int) -> list[list[int]]:
    return [[int(s) for s in group] for group in np.array_split(np.asarray(candidates, dtype=int), count)]


@lru_cache(maxsize=100_000)
def shares(high: int, low: int, askers: int, arms: int, own: bool) -> tuple[int, int]:
    """Into how many classes to divide candidates at both ends, so that the larger number is least.

    Parameters
    ----------
    high, low : int
        Candidates for the best and for the worst.
    askers : int
        States that are free to ask about either.
    arms : int
        Targets of a question, at most.
    own : bool
        Whether candidates can ask about their own side: no state is a candidate for both.
    """
    options = []
    for part in range(askers + 1):
        above = classes(high, part, arms, "best" if own else "others")
        below = classes(low, askers - part, arms, "worst" if own else "others")
        options.append((max(above, below), above + below, above, below))
    return min(options)[2:]


@lru_cache(maxsize=1_000_000)
def classes(candidates: int, askers: int, arms: int, side: Literal["best", "worst", "others"]) -> int:
    """The least number of nearly equal classes of candidates whose inner pairs ``askers`` questions can settle, beside
    those that the candidates ask themselves ("others": none).
    """
    everyone = askers + candidates
    for count in range(1, candidates):
        small, large = divmod(candidates, count)
        pairs = (large * (small + 1) * small + (count - large) * small * (small - 1)) // 2
        if 2 * pairs > everyone * arms * (arms - 1):
            continue
        if large * _help(small + 1, arms, side) + (count - large) * _help(small, arms, side) <= askers:
            return count
    return candidates


def _help(size: int, arms: int, side: str) -> int:
    """Questions about a class of ``size`` candidates that others must ask."""
    if side == "best":
        return own_askers(size, arms).count(None)
    return 0 if side == "worst" and size == 2 else questions_for(size, arms)


def questions_for(size: int, arms: int) -> int:
    """Questions on at most ``arms`` targets that settle all pairs among ``size`` candidates."""
    return len(covering(size, arms))


@lru_cache(maxsize=10_000)
def own_askers(size: int, arms: int) -> tuple[int | None, ...]:
    """For each set of the covering a member who asks about it, every member once; None where that is not possible."""
    blocks = covering(size, arms)
    holds = sparse.lil_array((len(blocks), max(size, 1)), dtype=np.int8)
    for row, block in enumerate(blocks):
        holds[row, list(block)] = 1
    if not blocks:
        return ()
    partners = csgraph.maximum_bipartite_matching(sparse.csr_array(holds), perm_type="column")
    return tuple(int(p) if p >= 0 else None for p in partners)


@lru_cache(maxsize=10_000)
def covering(size: int, arms: int) -> tuple[tuple[int, ...], ...]:
    """Sets of at most ``arms`` of the numbers below ``size`` that hold every pair of them.

    The smallest of several coverings: blocks of half the arms, two at a time, and greedy ones.
    """
    if size <= 1:
        return ()
    if size <= arms:
        return (tuple(range(size)),)
    blocks = [tuple(range(i, min(size, i + arms // 2))) for i in range(0, size, arms // 2)]
    found = [tuple(one + other for one, other in combinations(blocks, 2))]
    if arms > 2 and size <= GREEDY_SIZE:
        found += [_greedy_covering(size, arms, attempt) for attempt in range(GREEDY_TRIES)]
    return min(found, key=len)


def _greedy_covering(size: int, arms: int, attempt: int) -> tuple[tuple[int, ...], ...]:
    """Join those that hold most pairs not yet covered with what was chosen; all attempts but 0 break ties at random."""
    rng = np.random.default_rng(attempt)
    uncovered = ~np.eye(size, dtype=bool)
    sets = []
    while uncovered.any():
        ties = rng.random((arms, size)) / 2 if attempt else np.zeros((arms, size))
        chosen = [int((uncovered.any(axis=0) if not attempt else uncovered.sum(axis=0) + ties[0]).argmax())]
        while len(chosen) < arms:
            gains = uncovered[chosen].sum(axis=0) + ties[len(chosen)]
            gains[chosen] = -1
            chosen.append(int(gains.argmax()))
        uncovered[np.ix_(chosen, chosen)] = False
        sets.append(tuple(sorted(chosen)))
    return tuple(sets)


def most_rounds(n_states: int, arms: int) -> int:
    """Experiments that the search for both extremes takes at most."""
    return min(_openings(n_states, arms).values())


def states_to_lend(n_states: int, arms: int) -> int | None:
    """How many states should ask about all others at first; 0: pair them all; None: look for the best alone."""
    counts = _openings(n_states, arms)
    return min(counts, key=lambda lent: counts[lent])


@lru_cache(maxsize=1_000)
def _openings(n_states: int, arms: int) -> dict[int | None, int]:
    """Experiments in all, at most, for each first experiment: see :func:`states_to_lend`."""
    half, odd = divmod(n_states, 2)
    counts: dict[int | None, int] = {
        0: 1 + max(_rounds(n_states, arms, 0, half + odd, half), _rounds(n_states, arms, 0, half, half + odd))
    }
    if None not in own_askers(n_states, arms):
        counts[None] = 1 + _rounds(n_states, arms, 0, 1, n_states - 1)
    for lent in range(1, min(half, n_states - 2) + 1) if n_states <= LENDING_STATES else ():
        above, below = shares(n_states - lent, n_states - lent, lent, arms, own=False)
        if lent + max(above, below) > MOST_LEFT * n_states:
            continue
        doubtful = range(max(0, above + below - n_states + lent), min(above, below) + 1)
        counts[lent] = 1 + max(_rounds(n_states, arms, lent + y, above - y, below - y) for y in doubtful)
    return counts


@lru_cache(maxsize=1_000_000)
def _rounds(n_states: int, arms: int, both: int, high: int, low: int) -> int:
    """Experiments still to come at most, with so many candidates for both ends, for the best, and for the worst."""
    if both + high <= 1 and both + low <= 1:
        return 0
    settled = (both == 0) * ((high == 1) + (low == 1))
    above, below = shares(both + high, both + low, n_states - both - high - low + settled, arms, both == 0)
    if (above, below) == (both + high, both + low):
        return n_states
    doubtful = range(max(0, above + below - both - high - low), min(both, above, below) + 1)
    return 1 + max(_rounds(n_states, arms, y, above - y, below - y) for y in doubtful)


@lru_cache(maxsize=1_000)
def least_rounds(n_states: int, arms: int) -> int:
    """A lower bound on the experiments that any search for both extremes by questions takes (see the module)."""
    pairs = arms * (arms - 1) // 2
    options = set()
    for asking in range(1, n_states + 1):
        others = n_states - asking
        for best in range(asking + 1):
            worst = asking - best
            below = best + min(worst * pairs, others * (others - 1) // 2)
            low = max(independent(asking, best), independent(n_states, below))
            options.add((max(1, independent(n_states - low, best * pairs + worst)), low))
    return 1 + min(_least(n_states, arms, *left) for left in _undominated(options))


@lru_cache(maxsize=100_000)
def _least(n_states: int, arms: int, high: int, low: int) -> int:
    """The bound from ``high`` candidates for the best and ``low`` others for the worst."""
    if high == low == 1:
        return 0
    pairs = arms * (arms - 1) // 2
    options = set()
    for asking in range(low):
        others = low - asking
        for worst in range(n_states - others + 1):
            below = asking + min(worst * pairs, others * (others - 1) // 2)
            left = max(independent(asking, asking), independent(low, below))
            options.add((independent(high, (n_states - others - worst) * pairs), left))
    return 1 + min(_least(n_states, arms, *left) for left in _undominated(options))


def _undominated(options: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for option in sorted(options):
        if not kept or option[1] < kept[-1][1]:
            kept.append(option)
    return kept


@lru_cache(maxsize=1_000_000)
def independent(vertices: int, edges: int) -> int:
    """alpha: vertices of which no two are joined, at least, in a graph of so many edges (Turan 1941)."""
    for count in range(1, vertices):
        small, large = divmod(vertices, count)
        if (large * (small + 1) * small + (count - large) * small * (small - 1)) // 2 <= edges:
            return count
    return vertices
