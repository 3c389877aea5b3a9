"""Lazy greedy choice (Minoux 1978): evaluate only what can still be the best.

Where gains can only shrink as more is chosen, an old gain is an upper bound on the present one.  Candidates are
evaluated in the order of their bounds until the best gain found is above all bounds that are left: the choice is that
of plain greedy, ties included, usually after few evaluations.

Two gains of a version space shrink (:mod:`irl_ident.design.version_space` has the notation):

- ``f(X + e) - f(X)``, averaged over the truth, for a set X that is chosen beforehand: coverage is submodular;
- the mass that an experiment is expected to rule out, ``P (1 - sum over classes of (share)^2)`` with P the mass that is
  left: adaptively submodular (Golovin & Krause 2011).  The *share* that it rules out of what is left,
  :func:`~irl_ident.design.elimination_scores`, can grow; a share that was s when P_0 was left is at most
  ``s P_0 / P`` now.  An experiment that rules out much therefore makes all bounds void, and laziness spares little
  in an adaptive campaign that goes well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from irl_ident.design.version_space import (
    TIE,
    argmax,
    checked_labels,
    checked_weights,
    elimination_scores,
    expected_elimination,
)
from irl_ident.environment import Array

Evaluate = Callable[[npt.NDArray[np.intp]], Array]
"""The present gains of some candidates, by position."""


@dataclass(frozen=True, eq=False)
class LazyChoice:
    """What lazy greedy chose.

    Attributes
    ----------
    chosen : tuple of int
        Positions, in order.
    gains : array (len(chosen),)
        Of each when it was chosen.
    evaluations : tuple of int
        Gains computed for each choice; plain greedy computes one for every candidate each time.
    """

    chosen: tuple[int, ...]
    gains: Array
    evaluations: tuple[int, ...]


def lazy_best(bounds: Array, evaluate: Evaluate, together: int = 1) -> tuple[int, Array, int]:
    """The candidate of the largest gain, from upper bounds on the gains.

    Parameters
    ----------
    bounds : array (C,)
        Upper bounds; infinite where nothing is known.
    evaluate : callable
        Gains (m,) of the candidates at positions (m,).
    together : int
        Candidates evaluated at once, at least 1.

    Returns
    -------
    best : int
        The lowest position whose gain is the largest up to ``TIE``.
    bounds : array (C,)
        With the gains found in place of the bounds of those evaluated.
    evaluated : int
        How many were.

    Raises
    ------
    ValueError
        When a gain is above its bound: then gains do not only shrink, and lazy choices can be wrong.
    """
    order = np.argsort(-bounds, kind="stable")
    found = bounds.copy()
    gains = np.full(len(bounds), -np.inf)
    count = 0
    while count < len(order) and found[order[count]] >= gains.max() - 2 * TIE:
        part = order[count : count + together]
        gains[part] = evaluate(part)
        grown = gains[part] > bounds[part] + TIE * np.maximum(1, np.abs(bounds[part]))
        if grown.any():
            place = int(part[np.argmax(grown)])
            raise ValueError(
                f"evaluate: the gain of candidate {place} is {gains[place]!r}, above its bound {bounds[place]!r}: "
                "lazy evaluation needs gains that can only shrink"
            )
        found[part] = gains[part]
        count += len(part)
    return argmax(gains), found, count


def lazy_set(labels: npt.ArrayLike, size: int, weights: npt.ArrayLike | None = None) -> LazyChoice:
    """Environments to be tried together, chosen greedily before any evidence; within 1 - 1/e of the best set.

    Parameters
    ----------
    labels : int array (C, N)
        Behaviour classes.
    size : int
        Most environments; fewer are returned when no other tells anything more apart.
    weights : array (N,), optional

    Returns
    -------
    LazyChoice
        ``gains`` sum to the expected elimination of the set.
    """
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    chosen: list[int] = []
    gains: list[float] = []
    counts: list[int] = []
    bounds = np.full(len(given), np.inf)
    value = 0.0
    while len(chosen) < size:
        before = tuple(chosen)

        def gain(part: npt.NDArray[np.intp], before: Sequence[int] = before, value: float = value) -> Array:
            return np.array([expected_elimination(given, [*before, int(e)], shares) - value for e in part])

        best, bounds, count = lazy_best(bounds, gain)
        if bounds[best] <= TIE:
            break
        chosen.append(best)
        gains.append(float(bounds[best]))
        counts.append(count)
        value = expected_elimination(given, chosen, shares)
    return LazyChoice(tuple(chosen), np.array(gains), tuple(counts))


def lazy_sequence(labels: npt.ArrayLike, truth: int, rounds: int, weights: npt.ArrayLike | None = None) -> LazyChoice:
    """:func:`~irl_ident.design.greedy_sequence`, lazily: the same environments in the same order.

    Returns
    -------
    LazyChoice
        ``gains`` are shares of what was left.
    """
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    left = np.ones(given.shape[1], dtype=bool)
    chosen: list[int] = []
    gains: list[float] = []
    counts: list[int] = []
    bounds, mass = np.full(len(given), np.inf), 1.0
    while len(chosen) < rounds:
        weighed = shares * left
        now = float(weighed.sum())
        if now == 0:
            break
        members = np.flatnonzero(weighed)

        def share(
            part: npt.NDArray[np.intp], members: npt.NDArray[np.intp] = members, weighed: Array = weighed
        ) -> Array:
            return elimination_scores(given[np.ix_(part, members)], weighed[members])

        best, bounds, count = lazy_best(bounds * (mass / now), share)
        mass = now
        if bounds[best] <= TIE:
            break
        chosen.append(best)
        gains.append(float(bounds[best]))
        counts.append(count)
        left &= given[best] == given[best, truth]
    return LazyChoice(tuple(chosen), np.array(gains), tuple(counts))
