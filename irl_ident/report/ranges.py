"""What each parameter may be, in the unit that says most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from irl_ident.environment import Array
from irl_ident.identified import IdentifiedSet
from irl_ident.rewards import LinearRewards

MOST_RANGES = 40
"""Intervals of canonical rewards take a linear program for each pair of parameters: up to so many."""


@dataclass(frozen=True, eq=False)
class Ranges:
    """What each parameter may be, and two members that are far apart, in one unit.

    Attributes
    ----------
    unit : str
    names : tuple of str
    intervals : array (d, 2)
        Infinite ends are open.
    pair : tuple of array (d,)
    """

    unit: str
    names: tuple[str, ...]
    intervals: Array
    pair: tuple[Array, Array]

    @property
    def widths(self) -> Array:
        """Lengths of the intervals, (d,)."""
        return np.asarray(self.intervals[:, 1] - self.intervals[:, 0])

    @property
    def widest(self) -> list[int]:
        """Parameters, widest interval first."""
        return [int(j) for j in np.argsort(-self.widths, kind="stable")]


Answers = Iterable[tuple[float, Array]]


def ranges_of(ident: IdentifiedSet, watched: Callable[[Answers, int], Answers] = lambda answers, _: answers) -> Ranges:
    """Intervals of each parameter; for an optimal agent they certainly hold every member.

    Canonical rewards for an optimal agent and a family whose parameters are rewards, up to ``MOST_RANGES`` of them;
    else, for an optimal agent, parameters in the gauge ``|theta|_inf <= 1``, less their mean where constants are free;
    for a soft-optimal agent, parameters less their mean where constants are free.

    Parameters
    ----------
    ident : IdentifiedSet
        With a member.
    watched : callable, optional
        Passes on answers as they come, and is told how many there will be: a progress bar.
    """
    family, names = ident.family, ident.family.named_in(ident.environments)
    pair = ident.farthest_pair()
    rewards = not isinstance(family, LinearRewards)
    if ident.rationality == "optimal" and rewards and family.dim <= MOST_RANGES:
        ends = ident.canonical_ranges()
        one, another = (np.clip(canonical(theta), *ends.T) for theta in pair)
        return Ranges("canonical reward", names, ends, (one, another))
    free = any(a.kind == "constant" for a in ident.ambiguities)
    if ident.rationality == "optimal":
        pair = in_gauge(pair[0]), in_gauge(pair[1])
    directions = np.eye(family.dim) - (1 / family.dim if free else 0)
    both = np.concatenate([-directions, directions])
    answers = ident.supports(both) if ident.rationality == "optimal" else (ident.support(each) for each in both)
    least, most = np.array([value for value, _ in watched(answers, len(both))]).reshape(2, -1)
    ends = np.column_stack([-least, most])
    unit = ("parameter, at most 1 in size" if ident.rationality == "optimal" else "parameter") + (
        ", less the mean" if free else ""
    )
    return Ranges(unit, names, ends, (directions @ pair[0], directions @ pair[1]))


def in_gauge(theta: Array) -> Array:
    """The same objective of an optimal agent with no parameter larger than 1."""
    return np.asarray(theta / max(1.0, float(np.abs(theta).max())))


def canonical(theta: Array) -> Array:
    """Least reward 0, greatest 1; constants become 0."""
    return np.asarray((theta - theta.min()) / (np.ptp(theta) or 1.0))
