"""Finite classes of objectives: scores, the greedy choice, and the optimum that it is compared with.

``labels`` (C, N) says how each of N objectives behaves in each of C candidate environments, as a class number.  When
``truth`` is the objective and the environments X were tried, the objectives that are left are those with the truth's
label in all of X, and what was ruled out has the mass

    f(X) = weight of the union over e in X of { h : labels[e, h] != labels[e, truth] },

a coverage function: monotone and submodular for every truth.  Averaged over a truth that is drawn by the weights,
one experiment rules out the share

    score(e) = 1 - sum over classes c of e of (share of c)^2.

Choosing the largest score and conditioning on what is then seen is the adaptive greedy policy; version-space mass is
adaptively monotone and adaptively submodular, so k greedy experiments rule out at least 1 - 1/e of what the best
policy of k experiments does, on average over the truth (Golovin & Krause 2011, theorem 5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from irl_ident.design.behaviour import Labels, behaviour_classes, behaviour_labels, checked_thetas
from irl_ident.environment import Array, Environment, Mask
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import Rationality

MOST_PLANS = 10**7
"""Enumerations beyond this many sets or sequences of environments are refused."""


def elimination_scores(labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """Expected share of the objectives that each environment rules out.

    Parameters
    ----------
    labels : int array (C, N)
        Behaviour classes, from :func:`behaviour_labels`.
    weights : array (N,), optional
        At least 0, not all 0; equal when not given.

    Returns
    -------
    array (C,)
        ``1 - sum of squared class shares``, in [0, 1).

    Examples
    --------
    >>> elimination_scores([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])
    array([0.  , 0.5 , 0.75])
    """
    return np.asarray(1 - np.square(class_shares(labels, weights)).sum(axis=1))


def class_shares(labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """The share of the objectives in each class of each environment, (C, K), K the largest number of classes.

    Rows sum to 1; ``labels`` and ``weights`` as for :func:`elimination_scores`.
    """
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    width = int(given.max()) + 1
    cells = given + width * np.arange(len(given))[:, None]
    masses = np.bincount(cells.ravel(), np.tile(shares, len(given)), len(given) * width)
    return np.asarray(masses, dtype=float).reshape(len(given), width)


def consistent_with(labels: npt.ArrayLike, truth: int, chosen: Sequence[int]) -> Mask:
    """The objectives that behave as ``truth`` in all environments ``chosen``, (N,)."""
    given = checked_labels(labels)
    rows = given[np.asarray(chosen, dtype=np.int64)]
    return np.asarray((rows == rows[:, [truth]]).all(axis=0))


def eliminated_mass(
    labels: npt.ArrayLike, truth: int, chosen: Sequence[int], weights: npt.ArrayLike | None = None
) -> float:
    """f(X): share of the objectives ruled out when ``truth`` is watched in the environments ``chosen``."""
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    return float(shares[~consistent_with(given, truth, chosen)].sum())


def expected_elimination(labels: npt.ArrayLike, chosen: Sequence[int], weights: npt.ArrayLike | None = None) -> float:
    """The mean of f(X) over a truth drawn by ``weights``, for environments ``chosen`` beforehand."""
    given = checked_labels(labels)
    if not len(chosen):
        return 0.0
    return float(elimination_scores(_joint(given, chosen)[None], weights)[0])


def greedy_sequence(
    labels: npt.ArrayLike, truth: int, rounds: int, weights: npt.ArrayLike | None = None
) -> tuple[int, ...]:
    """The environments that the adaptive greedy policy tries when ``truth`` is the objective.

    Parameters
    ----------
    labels : int array (C, N)
    truth : int
        Position of the objective; used only to answer the experiments.
    rounds : int
        Most experiments; fewer are returned when nothing is left that any environment tells apart.
    weights : array (N,), optional

    Returns
    -------
    tuple of int
        Ties go to the lowest position.
    """
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    left = np.ones(given.shape[1], dtype=bool)
    chosen: list[int] = []
    while len(chosen) < rounds:
        weighed = shares * left
        scores = elimination_scores(given, weighed) if weighed.any() else np.zeros(len(given))
        best = argmax(scores)
        if scores[best] <= TIE:
            break
        chosen.append(best)
        left &= given[best] == given[best, truth]
    return tuple(chosen)


def oracle_sequence(
    labels: npt.ArrayLike, truth: int, rounds: int, weights: npt.ArrayLike | None = None
) -> tuple[int, ...]:
    """The environments that rule out most, one after the other, chosen by somebody who knows the truth."""
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    differs = given != given[:, [truth]]
    left = np.ones(given.shape[1], dtype=bool)
    chosen: list[int] = []
    while len(chosen) < rounds:
        gains = differs @ (shares * left)
        best = argmax(gains)
        if gains[best] <= TIE:
            break
        chosen.append(best)
        left &= ~differs[best]
    return tuple(chosen)


def exhaustive_best(
    labels: npt.ArrayLike, size: int, weights: npt.ArrayLike | None = None
) -> tuple[tuple[int, ...], float]:
    """The set of ``size`` environments with the largest expected elimination, by enumeration, and its value.

    Raises
    ------
    ValueError
        For a ``size`` that is not in 1..C, or more than ``MOST_PLANS`` sets.
    """
    given = checked_labels(labels)
    if not 1 <= size <= len(given):
        raise ValueError(f"size: was {size}, should be in 1..{len(given)}, the number of environments")
    if comb(len(given), size) > MOST_PLANS:
        raise ValueError(
            f"size: {size} of {len(given)} environments make more than {MOST_PLANS} sets; use greedy_sequence"
        )
    values = (
        (chosen, expected_elimination(given, chosen, weights)) for chosen in combinations(range(len(given)), size)
    )
    best = next(values)
    for found in values:
        best = found if found[1] > best[1] + TIE else best
    return best


def adaptive_scores(labels: npt.ArrayLike, depth: int, weights: npt.ArrayLike | None = None) -> Array:
    """What the best adaptive policy of ``depth`` experiments rules out when it starts with each environment.

    Enumerates every policy: after each experiment the best continuation in each class that may have been seen.

    Returns
    -------
    array (C,)
        Expected share ruled out; with ``depth`` 1 these are :func:`elimination_scores`.

    Raises
    ------
    ValueError
        For a ``depth`` below 1, or one at which ``C ** depth`` exceeds ``MOST_PLANS``.
    """
    given = checked_labels(labels)
    shares = checked_weights(weights, given.shape[1])
    if depth < 1:
        raise ValueError(f"depth: was {depth}, should be at least 1")
    if len(given) ** depth > MOST_PLANS:
        raise ValueError(
            f"depth: {depth} experiments with {len(given)} environments make more than {MOST_PLANS} sequences; "
            "use elimination_scores"
        )
    return _adaptive(given[:, shares > 0], shares[shares > 0], depth)


def _adaptive(labels: Labels, shares: Array, depth: int) -> Array:
    first = elimination_scores(labels, shares)
    if depth == 1:
        return first
    total = shares.sum()
    values = np.zeros(len(labels))
    for place, row in enumerate(labels):
        kept = 0.0
        for label in np.unique(row):
            members = row == label
            share = shares[members].sum() / total
            later = _adaptive(labels[:, members], shares[members], depth - 1).max() if members.sum() > 1 else 0.0
            kept += share**2 * (1 - later)
        values[place] = 1 - kept
    return values


@dataclass(frozen=True, eq=False)
class VersionSpace:
    """A finite class of objectives and how they behave in each candidate environment.

    Parameters
    ----------
    hypotheses : array (N, d)
    candidates : sequence of C Environment
    family : RewardFamily
    rationality : "optimal" or "soft"
    temperature : float

    Examples
    --------
    >>> from irl_ident import Environment, rewards
    >>> go = np.zeros((3, 2, 3))
    >>> go[:, 0, 1] = go[:, 1, 2] = 1
    >>> fork = Environment(go, discount=0.9)
    >>> space = VersionSpace(np.eye(3), [fork], rewards.StateRewards(3))
    >>> space.labels.shape, space.classes
    ((1, 3), 3)
    """

    hypotheses: Array
    candidates: Sequence[Environment]
    family: RewardFamily
    rationality: Rationality = "optimal"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        given = checked_thetas("hypotheses", self.hypotheses, self.family)
        given.setflags(write=False)
        object.__setattr__(self, "hypotheses", given)
        object.__setattr__(self, "candidates", tuple(self.candidates))
        if not self.candidates:
            raise ValueError("candidates: is empty, should hold at least one environment")

    @cached_property
    def labels(self) -> Labels:
        """Behaviour classes, (C, N)."""
        return behaviour_labels(self.candidates, self.family, self.hypotheses, self.rationality, self.temperature)

    @cached_property
    def classes(self) -> int:
        """How many hypotheses all candidates together can tell apart."""
        return int(_joint(self.labels, range(len(self.candidates))).max()) + 1

    def sizes(self, truth: int, chosen: Sequence[int]) -> npt.NDArray[np.int64]:
        """How many hypotheses are left after each of the environments ``chosen``, (len(chosen),)."""
        rows = self.labels[np.asarray(chosen, dtype=np.int64)]
        left: npt.NDArray[np.int64] = np.logical_and.accumulate(rows == rows[:, [truth]], axis=0).sum(axis=1)
        return left


TIE = 1e-12
"""Scores that differ by no more than this are equal."""


def argmax(scores: Array) -> int:
    """The lowest position whose score is the largest up to ``TIE``."""
    return int(np.argmax(scores >= scores.max() - TIE))


def checked_labels(labels: npt.ArrayLike) -> Labels:
    """``labels`` as an int array (C, N) of numbers >= 0, or ``ValueError``."""
    given = np.asarray(labels)
    if given.ndim != 2 or 0 in given.shape or given.dtype.kind not in "iu" or given.min() < 0:
        raise ValueError(
            f"labels: should be whole numbers >= 0 of shape (environments, objectives), was {given.dtype} {given.shape}"
        )
    return given.astype(np.int64, copy=False)


def checked_weights(weights: npt.ArrayLike | None, count: int) -> Array:
    """``weights`` as shares (N,) that sum to 1, or ``ValueError``."""
    if weights is None:
        return np.full(count, 1 / count)
    given = np.asarray(weights, dtype=float)
    if given.shape != (count,):
        raise ValueError(f"weights: should have shape ({count},), was {given.shape}")
    if not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ValueError("weights: should be finite, at least 0 and not all 0")
    return np.asarray(given / given.sum())


def _joint(labels: Labels, chosen: Sequence[int]) -> Labels:
    return behaviour_classes(labels[np.asarray(chosen, dtype=np.int64)].T)
