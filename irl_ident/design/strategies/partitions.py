"""Information gain and generalised binary search: how evenly the answers of a candidate part the pool.

With ``p_c`` the share of the pool that gives answer c in a candidate,

    information gain        H = - sum_c p_c log2 p_c          bits,
    binary search           1 - max_c p_c                     the share that is ruled out in the worst case.

An answer is a function of the objective, so that H is the mutual information between the two, when the objective is
drawn evenly from the pool (Lindley 1956); with noise in the answers it is an upper bound.  One that halves the pool
has one bit, and no candidate has more than the log2 of its number of answers.  Generalised binary search picks the
most even of two-way splits (Nowak 2011), which is to say the least largest part; with more answers than two the least
largest part is what survives of the pool at worst.  Both are 0 exactly where all of the pool gives one answer, as in a
candidate in which an optimal agent's whole policy was seen, and neither changes when members of the pool are replaced
by positive affine maps of theirs that behave alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from irl_ident.design.strategies.base import Answers, AnswerStrategy
from irl_ident.design.version_space import class_shares
from irl_ident.environment import Array, Environment

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet


def information_scores(labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """What each environment is expected to tell of which objective it is, in bits.

    Parameters
    ----------
    labels : int array (C, N)
        Behaviour classes, from :func:`irl_ident.design.behaviour_labels`.
    weights : array (N,), optional
        At least 0, not all 0; equal when not given.

    Returns
    -------
    array (C,)
        Entropy of the classes, between 0 and the log2 of their number.

    Examples
    --------
    >>> information_scores([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])
    array([0., 1., 2.])
    """
    shares = class_shares(labels, weights)
    bits: Array = np.maximum(-(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=1), 0.0)
    return bits


def halving_scores(labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """The share of the objectives that each environment rules out at the least, (C,), in [0, 1).

    ``1 - largest class share``; parameters as for :func:`.information_scores`.

    Examples
    --------
    >>> halving_scores([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])
    array([0.  , 0.5 , 0.75])
    """
    least: Array = np.maximum(1 - class_shares(labels, weights).max(axis=1), 0.0)
    return least


@dataclass(frozen=True, eq=False)
class InformationGain(AnswerStrategy):
    """The candidate that is expected to tell most bits: :func:`.information_scores` of the pool.

    Parameters as for :class:`irl_ident.design.strategies.base.PoolStrategy`.  For soft agents bits count up to the
    ``resolution`` at which answers are compared.
    """

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        return information_scores(answers.labels, answers.weights)


@dataclass(frozen=True, eq=False)
class BinarySearch(AnswerStrategy):
    """The candidate whose largest part of the pool is smallest: :func:`.halving_scores` of the pool.

    Parameters as for :class:`irl_ident.design.strategies.base.PoolStrategy`.
    """

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        return halving_scores(answers.labels, answers.weights)
