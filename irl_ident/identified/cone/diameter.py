"""Certified diameters of the identified set of an optimal agent, from support functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from scipy import linalg, sparse

from irl_ident.environment import Array
from irl_ident.identified.cone.constraints import Constraints
from irl_ident.identified.cone.hull import Maximum, certified_maximum
from irl_ident.rewards import RANK_TOLERANCE


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

CONSTANT = 1e-9
"""Rewards that differ from a constant by less than this are one."""

SPREAD = 1e-3
"""Share of their size by which rewards of a member differ at least that shows how far apart canonical forms are."""

NO_PRICE = 1e-12
"""Rows in which a constant has less than this share of the largest entry are free of it."""

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
    """Certified outer intervals of the canonical form at every place, (places, 2); 0 where all members are constant.

    An empty interval at every place says that no member has a range, and the canonical form of constants is 0.
    """
    highest = np.array([_farthest(support, places, s, 1).upper for s in range(places)])
    lowest = np.array([1 - _farthest(support, places, s, -1).upper for s in range(places)])
    if (lowest > highest).all():
        return np.zeros((places, 2))
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


def reward_support(
    constraints: Constraints, rewards: Array, hidden: Array, members: SupportFunction, priced: Array | None = None
) -> tuple[SupportFunction, int]:
    """The support function over rewards, ``y = U theta`` up to a constant, in the gauge ``|y|_inf <= 1``.

    The cone is carried over by ``theta = pinv(U) y`` and closed under adding constants, of which canonical forms are
    free.  Where the family has constants and the cone is not free of them, as at discount 1, where they are a price for
    time, it is ``theta = pinv(U) y + t w`` with a further unknown t.  Where rows ``a y + p t >= 0`` have a t, its
    largest lower bound will do, and its least upper one: neither is above ``max |a|_1 / |p|`` in size.

    Parameters
    ----------
    constraints : Constraints
    rewards : array (P, d)
        U: a row for each different reward.
    hidden : array
        Bounds on the unknowns beyond ``theta`` for rewards of at most 1.
    members : callable
        The support function over ``theta``, in the gauge ``|theta|_inf <= 1``.
    priced : array (d,), optional
        w, with ``U w = 1``: a constant that members of the cone cannot have in any amount.

    Returns
    -------
    support : callable
        Where constants are priced and there are further unknowns, its upper bounds do without the rows in these, and
        its lower ones are those of ``members``.
    places : int
        P.
    """
    places, dim = rewards.shape
    ones = np.ones((places, 0 if priced is not None else 1))
    spanning = np.column_stack([rewards, ones])
    inverse = np.linalg.pinv(spanning, rcond=RANK_TOLERANCE)
    outside = linalg.null_space(spanning.T, rcond=RANK_TOLERANCE).T
    if priced is not None:
        return _priced_support(constraints, rewards, members, priced, inverse, outside), places
    carry = linalg.block_diag(inverse[:dim], np.eye(hidden.size))
    equal = np.vstack([constraints.equal @ carry, np.hstack([outside, np.zeros((len(outside), hidden.size))])])
    at_least = np.asarray(constraints.at_least @ carry)
    largest = np.concatenate([np.ones(places), hidden * (1 + np.abs(inverse[-1]).sum())])

    def support(direction: Array) -> Bounded:
        found = certified_maximum(np.concatenate([direction, np.zeros(hidden.size)]), at_least, equal, largest)
        return replace(found, theta=inverse[:dim] @ found.theta[:places])

    return support, places


def weights_of_constant(rewards: Array) -> Array | None:
    """w with ``U w = 1`` for rewards U (P, d), or None where the family has no constants."""
    ones = np.ones(len(rewards))
    weights = np.asarray(linalg.lstsq(rewards, ones, cond=RANK_TOLERANCE)[0])
    return weights if np.abs(rewards @ weights - 1).max() <= CONSTANT else None


def _priced_support(
    constraints: Constraints,
    rewards: Array,
    members: SupportFunction,
    priced: Array,
    inverse: Array,
    outside: Array,
) -> SupportFunction:
    """That of :func:`reward_support` for a cone that is not free of constants."""
    dim, exact = rewards.shape[1], constraints.unknowns == rewards.shape[1]
    whole = sparse.vstack([constraints.at_least, constraints.equal, -constraints.equal], format="csr")
    known = sparse.csr_array(whole[np.diff(whole[:, dim:].tocsr().indptr) == 0][:, :dim])
    rows, price = np.asarray(known @ inverse), np.asarray(known @ priced)
    price[np.abs(price) <= NO_PRICE * np.abs(rows).max(axis=1, initial=0)] = 0
    up, down = price > 0, price < 0
    ends = [(np.abs(rows[side]).sum(axis=1) / np.abs(price[side])).max() for side in (up, down) if side.any()]
    largest = np.append(np.ones(len(rewards)), min(ends, default=0.0))
    at_least, equal = np.column_stack([rows, price]), np.column_stack([outside, np.zeros(len(outside))])

    def support(direction: Array) -> Bounded:
        found = certified_maximum(np.append(direction, 0.0), at_least, equal, largest)
        if not exact:
            return _reached(rewards, direction, members(rewards.T @ direction).theta, found.upper)
        y = found.theta[:-1]
        left = rows @ y
        least = (-left[up] / price[up]).max(initial=-np.inf)
        most = (-left[down] / price[down]).min(initial=np.inf)
        inside = [end for end in (least, most) if np.isfinite(end)]
        return replace(found, theta=inverse @ y + (np.mean(inside) if inside else 0.0) * priced)

    return support


def _reached(rewards: Array, direction: Array, theta: Array, upper: float) -> Maximum:
    """How far a member (d,) reaches along differences of rewards, (P,), its own moved and stretched to [-1, 1]."""
    y = rewards @ theta
    spread = float(np.ptp(y))
    lower = 2 * float(direction @ y) / spread if spread > SPREAD * np.abs(y).max() else 0.0
    return Maximum(theta, min(max(lower, 0.0), upper), upper)


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
