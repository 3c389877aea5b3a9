"""The reward-result gap that is still possible: its least and largest value over an identified set, between bounds.

The gap of a policy is the return that it loses under the base objective, as a share of the range of returns:

    gap(pi) = (max J - J(pi)) / (max J - min J).

An objective theta of the set may have several optimal policies; an agent that pursues it may show any of them.  So

    least = min over theta of min over its optimal policies of gap,      most = max over theta of max of them.

The set is cut into regions (:mod:`irl_ident.certificates.searching`).  Over a region some actions are known not to be
optimal for any of its objectives; planning the base objective among the others, once for the best and once for the
worst, bounds the gap of all of them from below and from above.  Over one certain member the same with the actions that
are certainly optimal gives gaps that are reached.  Regions whose bounds lie between gaps that were reached already are
done; the others are cut where objectives disagree on what to do.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.certificates import restricted
from irl_ident.certificates.certifying import start
from irl_ident.certificates.plans import Plan, Question
from irl_ident.certificates.premise import Tolerances
from irl_ident.certificates.properties import Linear
from irl_ident.certificates.region import Region
from irl_ident.certificates.searching import Node, costliest, nearest_tie, opened
from irl_ident.certificates.witness import gaps, members
from irl_ident.distances.vectors import centred
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.base import IdentifiedSet
from irl_ident.planning.checks import finite

REGIONS = 400
"""The set is cut into at most so many parts, when nothing else is asked for."""

TOLERANCE = 1e-4
"""How near the bounds come to gaps that are reached, when nothing else is asked for."""

FLAT = 1e-11
"""A range of returns below this share of their size is rounding: nothing can be lost."""


@dataclass(frozen=True, eq=False)
class GapBand:
    """The least and the largest gap over an identified set, each between two bounds.

    Attributes
    ----------
    least, most : float
        No objective of the set has a smaller, or a larger gap; in [0, 1].
    least_reached, most_reached : float
        ``best`` has a gap as small, ``worst`` one as large; ``least <= least_reached <= most_reached <= most``.
    best, worst : array (d,)
        Certain members; with ``|theta|_inf`` 1, or near it, unless none is found there.
    regions : int
        Parts of the set that were looked at.
    complete : bool
        Whether the bounds are within the tolerance of what is reached.
    """

    least: float
    least_reached: float
    most_reached: float
    most: float
    best: Array
    worst: Array
    regions: int
    complete: bool

    def holds(self, gap: float, slack: float = 1e-9) -> bool:
        """Whether a gap is in the band."""
        return self.least - slack <= gap <= self.most + slack

    @property
    def width(self) -> float:
        """``most - least``."""
        return self.most - self.least


@dataclass(frozen=True, eq=False)
class Measure:
    """Gaps of all policies that keep to some actions.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
        The base objective there.
    """

    env: Environment
    reward: Array

    @cached_property
    def shaped(self) -> Array:
        """The reward shaped by its optimal values, (S, A): gaps are the same, without what all policies get alike."""
        plan = planning.optimal(self.env, centred(self.reward) if self.env.discount < 1 else self.reward)
        return np.asarray(plan.q - plan.values[:, None])

    @cached_property
    def range(self) -> tuple[float, float]:
        """The largest return, and how much larger it is than the smallest; 0 where that is rounding."""
        highest, lowest = self._returns(np.ones(self.reward.shape, dtype=bool))
        visits = planning.optimal(self.env, np.ones(self.reward.shape)).values.max()
        rounding = FLAT * float(np.abs(self.reward).max() * visits)
        return highest, highest - lowest if highest - lowest > rounding else 0.0

    def between(self, may: Mask) -> tuple[float, float]:
        """The least and the largest gap of policies that take actions (S, A) that are marked, rounded outward."""
        key = np.packbits(may).tobytes()
        if key not in self._known:
            highest, span = self.range
            gaps = [(highest - value) / span if span > 0 else 0.0 for value in self._returns(may)]
            self._known[key] = min(max(gaps[0], 0.0), 1.0), min(max(gaps[1], 0.0), 1.0)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[bytes, tuple[float, float]]:
        return {}

    def _returns(self, may: Mask) -> tuple[float, float]:
        """The largest and the smallest return, of the shaped reward."""
        env, states = self.env, np.asarray(self.env.reachable)
        values = (restricted.values(env, self.shaped, may, states, largest=largest) for largest in (True, False))
        largest, smallest = (float(env.initial @ value) for value in values)
        return largest, smallest


@dataclass(eq=False)
class _Reached:
    """The gaps that certain members have, the least and the largest found so far.

    Attributes
    ----------
    question : Question
    measure : Measure
    middle : array (d,)
        Towards which points on the boundary are moved.
    least, most : float
    best, worst : array (d,)
    """

    question: Question
    measure: Measure
    middle: Array
    least: float = np.inf
    most: float = -np.inf
    best: Array = field(default_factory=lambda: np.zeros(0))
    worst: Array = field(default_factory=lambda: np.zeros(0))
    seen: set[bytes] = field(default_factory=set)

    def add(self, theta: Array) -> None:
        """Note the gaps of policies that are certainly optimal for a member, or for a large one beside it.

        Actions that are worse for a small objective, by less than the tolerance of ties, are so for its multiples.
        """
        scaled = theta / (np.abs(theta).max() or 1.0)
        theta = next(members(self.question.premise, scaled, self.middle), theta)
        found = gaps(self.question.premise, self.question.known, theta)
        must = found.most <= self.question.premise.tolerances.ties
        must |= found.most <= found.most.min(axis=1, keepdims=True)
        low, high = self.measure.between(must)
        if low < self.least:
            self.least, self.best = low, theta
        if high > self.most:
            self.most, self.worst = high, theta

    def look(self, points: Array) -> None:
        """Note members at, or near, those of ``points`` (N, d) whose gaps would be new."""
        question = self.question
        env, ties = question.known, question.premise.tolerances.ties
        q = planning.optimal_batch(env, question.premise.ident.family.rewards(env, points))
        for theta, best in zip(points, q >= q.max(axis=2, keepdims=True) - ties, strict=True):
            key = np.packbits(best[question.states]).tobytes()
            if key in self.seen:
                continue
            self.seen.add(key)
            low, high = self.measure.between(best)
            if low < self.least or high > self.most:
                for member in islice(members(question.premise, theta, self.middle), 1):
                    self.add(member)

    def hold(self, low: float, high: float, tolerance: float) -> bool:
        """Whether gaps between two bounds are between those found."""
        return low >= self.least - tolerance and high <= self.most + tolerance


def gap_band(
    ident: IdentifiedSet,
    base: npt.ArrayLike,
    env: Environment,
    *,
    tolerance: float = TOLERANCE,
    regions: int = REGIONS,
    progress: Callable[[int, int], None] | None = None,
) -> GapBand:
    """The reward-result gap in ``env`` of an agent of which only the identified set is known.

    Parameters
    ----------
    ident : OptimalSet or NoisySet
    base : array (S, A)
        The base objective in ``env``.
    env : Environment
        Where the agent will be.
    tolerance : float
        The search ends when the bounds are as near as this to gaps that are reached.
    regions : int
        The set is cut into at most so many parts; the bounds hold whatever the number.
    progress : callable, optional
        Called with the number of parts looked at and of those that wait.

    Returns
    -------
    GapBand
        Of objectives for which what is known to be worse is worse by at least the tolerance of certificates
        (:class:`irl_ident.certificates.premise.Tolerances`).

    Raises
    ------
    ValueError, ContradictoryEvidence
        As for :func:`irl_ident.certify`.

    Examples
    --------
    The animal has chosen *left* over *right*.  Offered a new lever, too, it may do as it was trained to, or not.

    >>> import irl_ident as ii
    >>> family = ii.rewards.StateRewards(4)
    >>> hall = np.array([[1, 1, 2], [1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> new = np.array([[1, 2, 3], [1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> seen, coming = (ii.Environment(np.eye(4)[doors], 0.5, [1.0, 0.0, 0.0, 0.0]) for doors in (hall, new))
    >>> chosen = ii.evidence.Policy([[0.5, 0.5, 0.0]] + 3 * [[1 / 3] * 3])
    >>> ident = ii.identify([(seen, chosen)], family)
    >>> band = gap_band(ident, family.reward(coming, [0.0, 1.0, 0.0, 0.5]), coming)
    >>> (round(band.least, 3), round(band.most, 3), band.complete)
    (0.0, 0.5, True)
    """
    objective = finite("base", base, (env.n_states, env.n_actions), "(S, A)")
    begun = start(ident, Linear(np.zeros(ident.family.dim)), env, Tolerances())
    question = begun.question
    reached = _Reached(question, Measure(env, objective), begun.middle)
    reached.add(begun.member)
    settled, done = [(reached.least, reached.most)], 0
    waiting = [_Open(0.0, 0, 0.0, 1.0, Node(Region(begun.premise), [begun.member]))]
    while waiting and done < regions:
        part = heapq.heappop(waiting)
        done += 1
        if progress is not None:
            progress(done, len(waiting))
        if not opened(part.node):
            continue
        part.plan(question, reached)
        cut = None
        if not reached.hold(part.low, part.high, tolerance):
            cut = costliest(question, part.known) or nearest_tie(question, part.node)
        if cut is None:
            settled.append((part.low, part.high))
            continue
        for number, child in enumerate(part.node.split(*cut)):
            excess = max(reached.least - part.low, part.high - reached.most)
            heapq.heappush(waiting, _Open(-excess, 2 * done + number, part.low, part.high, child))
        while waiting and reached.hold(waiting[0].low, waiting[0].high, tolerance):
            done_with = heapq.heappop(waiting)
            settled.append((done_with.low, done_with.high))
    bounds = np.array(settled + [(part.low, part.high) for part in waiting])
    least, most = float(bounds[:, 0].min()), float(bounds[:, 1].max())
    complete = reached.least - least <= tolerance and most - reached.most <= tolerance
    return GapBand(least, reached.least, reached.most, most, reached.best, reached.worst, done, complete)


@dataclass(order=True)
class _Open:
    """A region that may hold gaps beyond those found; the one with most to find is looked at first."""

    excess: float
    number: int
    low: float = field(compare=False)
    high: float = field(compare=False)
    node: Node = field(compare=False)

    @property
    def known(self) -> Plan:
        """The plan of the region."""
        assert self.node.plan is not None
        return self.node.plan

    def plan(self, question: Question, reached: _Reached) -> None:
        """Bound the gaps of the region, and look at its points."""
        first = self.node.points[0]
        plan = self.node.planned(question, first)
        low, high = reached.measure.between(plan.may)
        self.low, self.high = max(self.low, low), min(self.high, high)
        reached.look(np.array([first, *plan.points]))
