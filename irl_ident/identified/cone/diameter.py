"""Certified diameters of the identified set of an optimal agent, from support functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from scipy import linalg

from irl_ident.environment import Array
from irl_ident.identified.cone.constraints import Constraints
from irl_ident.identified.cone.hull import certified_maximum
from irl_ident.rewards import RANK_TOLERANCE, LinearRewards


class Bounded(Protocol):
    """A support function's value with certified bounds."""

    @property
    def theta(self) -> Array:
        """Where the lower bound is reached."""

    @property
    def lower(self) -> float:
        """Certified."""

    @property
    def upper(self) -> float:
        """Certified."""


SupportFunction = Callable[[Array], Bounded]

FULL = 1 - 1e-12
"""A canonical diameter cannot be more than 1: from here on no further program is solved."""


def canonical_diameter(support: SupportFunction, places: int) -> tuple[float, float]:
    """Bounds on the largest difference of canonical forms between two members (see ``irl_ident.identified.optimal``).

    Parameters
    ----------
    support : callable
        Of the rewards themselves, in the gauge that no reward is larger than 1.
    places : int
        Number of rewards.

    Returns
    -------
    lower, upper : float
        In [0, 1].
    """
    lower, upper = 0.0, 0.0
    for s in range(places):
        highest, lowest = _farthest(support, places, s, 1), _farthest(support, places, s, -1)
        lower = max(lower, highest.lower + lowest.lower - 1)
        upper = max(upper, highest.upper + lowest.upper - 1)
        if lower >= FULL:
            return lower, 1.0
    return lower, min(max(upper, lower), 1.0)


def farthest_pair(support: SupportFunction, places: int) -> tuple[Array, Array]:
    """Two members whose canonical forms differ most, at one place as high and as low as they can be there."""
    pairs = [(_farthest(support, places, s, 1), _farthest(support, places, s, -1)) for s in range(places)]
    high, low = max(pairs, key=lambda pair: pair[0].lower + pair[1].lower)
    return high.theta, low.theta


def canonical_ranges(support: SupportFunction, places: int) -> Array:
    """Certified outer intervals of the canonical form at every place, (places, 2)."""
    highest = [_farthest(support, places, s, 1).upper for s in range(places)]
    lowest = [1 - _farthest(support, places, s, -1).upper for s in range(places)]
    return np.column_stack([lowest, highest])


@dataclass(frozen=True, eq=False)
class _Farthest:
    """Bounds on the highest ``[R](s)``, or on the highest ``1 - [R](s)``, and who reaches the lower one."""

    lower: float
    upper: float
    theta: Array


def _farthest(support: SupportFunction, places: int, s: int, sign: int) -> _Farthest:
    """``sign`` 1: the highest ``[R](s)``; -1: the highest ``1 - [R](s)``."""
    best, upper = None, 0.0
    for i in range(places):
        if i == s:
            continue
        direction = np.zeros(places)
        direction[[s, i]] = sign, -sign
        answer = support(direction)
        best = answer if best is None or answer.lower > best.lower else best
        upper = max(upper, answer.upper / 2)
        if best.lower / 2 >= FULL:
            break
    if best is None:
        raise ValueError("metric: 'canonical' compares rewards, of which there should be two or more")
    return _Farthest(min(max(best.lower / 2, 0.0), 1.0), min(upper, 1.0), best.theta)


def reward_support(constraints: Constraints, family: LinearRewards, hidden: Array) -> tuple[SupportFunction, int]:
    """The support function over the rewards ``y = U theta`` themselves, in the gauge ``|y|_inf <= 1``.

    ``U`` (P, d) holds the different feature vectors.  The cone is carried over by ``theta = pinv(U) y`` and closed
    under adding constants, of which canonical forms are free: ``y`` lies in the span of the columns of U and the ones.

    Parameters
    ----------
    constraints : Constraints
    family : LinearRewards
    hidden : array
        Bounds on the unknowns beyond ``theta`` for rewards of at most 1.

    Returns
    -------
    support : callable
    places : int
        P.
    """
    rows = np.unique(family.features.reshape(-1, family.dim), axis=0)
    spanning = np.column_stack([rows, np.ones(len(rows))])
    inverse = np.linalg.pinv(spanning, rcond=RANK_TOLERANCE)
    outside = linalg.null_space(spanning.T, rcond=RANK_TOLERANCE).T
    carry = linalg.block_diag(inverse[: family.dim], np.eye(hidden.size))
    equal = np.vstack([constraints.equal @ carry, np.hstack([outside, np.zeros((len(outside), hidden.size))])])
    at_least = np.asarray(constraints.at_least @ carry)
    largest = np.concatenate([np.ones(len(rows)), hidden * (1 + np.abs(inverse[-1]).sum())])

    def support(direction: Array) -> Bounded:
        found = certified_maximum(np.concatenate([direction, np.zeros(hidden.size)]), at_least, equal, largest)
        return replace(found, theta=inverse[: family.dim] @ found.theta[: len(rows)])

    return support, len(rows)


def parameter_diameter(
    support: SupportFunction, dim: int, fixed: Sequence[Array], metric: Literal["linf", "l2"]
) -> tuple[float, float]:
    """Bounds on the largest norm of a difference of two members, modulo the columns of ``fixed``."""
    gone = linalg.orth(np.column_stack(fixed)) if fixed else np.zeros((dim, 0))
    project = np.eye(dim) - gone @ gone.T
    lower, upper, pairs = np.zeros(dim), np.zeros(dim), []
    for j, direction in enumerate(project):
        ahead, behind = support(direction), support(-direction)
        lower[j], upper[j] = ahead.lower + behind.lower, ahead.upper + behind.upper
        pairs.append(project @ (ahead.theta - behind.theta))
    if metric == "linf":
        return float(max(lower.max(), 0)), float(upper.max())
    if metric != "l2":
        raise ValueError(f"metric: was {metric!r}, should be 'canonical', 'linf' or 'l2'")
    start = max(pairs, key=lambda gap: float(gap @ gap))
    return _longest(support, project, start), float(np.linalg.norm(upper))


def _longest(support: SupportFunction, project: Array, gap: Array) -> float:
    """A long difference of two members: go on in the direction of the last one while that makes it longer."""
    length = float(np.linalg.norm(gap))
    while length > 0:
        direction = gap / length
        ahead, behind = support(direction), support(-direction)
        gap = project @ (ahead.theta - behind.theta)
        if np.linalg.norm(gap) <= length * (1 + 1e-9):
            break
        length = float(np.linalg.norm(gap))
    return length
