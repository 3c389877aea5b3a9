"""What stays open after a candidate: widths, dimensions and angles.

**Minimax width.**  Rewards are compared by their canonical forms ``[R] = (R - min R) / (max R - min R)`` (Amin & Singh
2016; 0 for a constant one).  The width of an answer is the largest difference of two of its members' canonical forms,
in the largest norm, and so the largest over places of highest less lowest value.  A candidate is worth minus the width
of its widest answer.

**Rank growth.**  Let N be a basis of the directions along which nothing seen so far depends on theta.  In a candidate
with features Phi and shaping matrix B no policy, of whatever rationality, tells anything along ``N x`` exactly when
``Phi N x = B V`` for some V (Ng, Harada & Russell 1999).  A candidate is worth the number of directions that it
closes: the columns of N less the dimension of these x (Rolland et al. 2022, whose rank grows by as much, and by S for
the candidate's own values).

**Second angle.**  With U_e an orthonormal basis of the shaping subspace of environment e, the rewards on state-action
pairs that all of k environments leave open are the kernel of ``M = sum_e (I - U_e U_e^T)``, which holds the constants.
Its second smallest eigenvalue m says how far the next reward is from being open.  A candidate is worth ``sqrt(2 m)``,
with the environments seen and itself.  For k = 2 that is ``2 sin(angle / 2)``, angle the second principal angle of the
two subspaces, near the angle itself where it is small; the loss in transfer is at most in proportion to its inverse
square (Schlaginhaufen & Kamgarpour 2024).  For k > 2 it never falls when an environment is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from irl_ident import evidence as evidence_room
from irl_ident.design.behaviour import Labels
from irl_ident.design.strategies.base import Answers, AnswerStrategy, checked_candidates
from irl_ident.environment import Array, Environment
from irl_ident.identified.confidence.soft import SoftConfidenceSet
from irl_ident.identified.shaping_rank import affine_set, principal_angles
from irl_ident.identified.soft import SoftSet
from irl_ident.rewards import LinearRewards, RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet


@dataclass(frozen=True, eq=False)
class MinimaxWidth(AnswerStrategy):
    """The candidate whose widest answer is narrowest: minus :func:`.class_widths` at its largest.

    In [-1, 0].  Parameters as for :class:`irl_ident.design.strategies.base.PoolStrategy`.  Widths are those of a
    sample, a lower bound on those of the set.
    """

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        kept = answers.weights > 0
        forms = canonical_forms(ident.family, answers.thetas[kept])
        return np.array([-class_widths(labels, forms).max() for labels in answers.labels[:, kept]]) + 0.0


@dataclass(frozen=True)
class RankGrowth:
    """The candidate that closes most of the directions along which nothing seen so far depends on the objective.

    What is too small to be called a rank counts as open.  For soft agents these are all the open directions; for
    optimal ones a cone around the objective stays open besides.
    """

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """Number of directions that each candidate closes, (C,)."""
        given = checked_candidates(candidates)
        silent = silent_directions(ident)
        return np.array([float(closed_by(env, ident.family, silent)) for env in given])


@dataclass(frozen=True)
class SecondAngle:
    """The candidate with the largest second principal angle to the environments seen (see the module).

    It looks at environments only, and takes rewards on state-action pairs whatever the family is.  Before any evidence
    a candidate is worth its best partner among the candidates.
    """

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """``sqrt(2 m)`` of each candidate, (C,), at least 0: in [0, 2] until two environments were seen."""
        given = checked_candidates(candidates)
        if given[0].n_states < 2:
            return np.zeros(len(given))
        seen = {env.digest: env for env, _ in ident.evidence}
        if len(seen) == 1:
            return np.array([openness([*seen.values(), env]) for env in given])
        if seen:
            total = np.sum([_outside(env) for env in seen.values()], axis=0)
            return np.array([_second(total if env.digest in seen else total + _outside(env)) for env in given])
        scores = np.zeros(len(given))
        for i, one in enumerate(given):
            for j, other in enumerate(given[:i]):
                scores[[i, j]] = np.maximum(scores[[i, j]], openness([one, other]))
        return scores


def canonical_forms(family: RewardFamily, thetas: npt.ArrayLike) -> Array:
    """Canonical forms of the rewards of ``thetas`` (N, d), (N, P), as the identified set's diameter compares them.

    One place for each parameter, or for each different feature vector of linear rewards.  0 for constant rewards.

    Examples
    --------
    >>> from irl_ident.rewards import StateRewards
    >>> canonical_forms(StateRewards(3), [[1.0, 2.0, 5.0], [7.0, 7.0, 7.0]])
    array([[0.  , 0.25, 1.  ],
           [0.  , 0.  , 0.  ]])
    """
    rewards = np.asarray(thetas, dtype=float)
    if isinstance(family, LinearRewards):
        rewards = rewards @ np.unique(family.features.reshape(-1, family.dim), axis=0).T
    lowest, span = rewards.min(axis=1, keepdims=True), np.ptp(rewards, axis=1, keepdims=True)
    flat = span <= 1e-12 * np.abs(rewards).max(axis=1, keepdims=True)
    return np.asarray(np.where(flat, 0.0, (rewards - lowest) / np.where(flat, 1.0, span)))


def class_widths(labels: Labels, forms: Array) -> Array:
    """Largest distance of two rows of ``forms`` (N, P) in each class of ``labels`` (N,), in the largest norm.

    Returns
    -------
    array (K,)
        By ascending label.
    """
    order = np.argsort(labels, kind="stable")
    first = np.flatnonzero(np.diff(labels[order], prepend=-1))
    ordered = forms[order]
    spread: Array = np.maximum.reduceat(ordered, first) - np.minimum.reduceat(ordered, first)
    return np.asarray(spread.max(axis=1))


def silent_directions(ident: IdentifiedSet) -> Array:
    """Orthonormal basis (d, m) of the directions of theta on which nothing that was seen depends.

    For soft agents the open directions of the set.  For others those along which rewards shape in all observed states,
    which leave every behaviour as it is.
    """
    if isinstance(ident, (SoftSet, SoftConfidenceSet)):
        return ident.affine.null_basis
    systems = []
    for env, observation in ident.evidence:
        rows = np.repeat(evidence_room.shown(env, observation).observed, env.n_actions)
        if rows.any():
            systems.append((env.shaping, ident.family.matrix(env), np.zeros(rows.size), rows))
    return affine_set(systems, ident.family.dim).null_basis if systems else np.eye(ident.family.dim)


def closed_by(env: Environment, family: RewardFamily, directions: Array) -> int:
    """How many of ``directions`` (d, m), linearly independent, a whole policy in ``env`` closes, in 0..m."""
    if not directions.shape[1]:
        return 0
    features = sparse.csr_array(family.matrix(env) @ directions)
    rows = np.ones(features.shape[0], dtype=bool)
    return affine_set([(env.shaping, features, np.zeros(rows.size), rows)], directions.shape[1]).rank


def openness(environments: Sequence[Environment]) -> float:
    """``sqrt(2 m)``, m the second smallest eigenvalue of M (see the module); each environment counts once.

    Right to 1e-15 for two environments, to 1e-8 for more.
    """
    distinct = tuple({env.digest: env for env in environments}.values())
    if len(distinct) < 2 or distinct[0].n_states < 2:
        return 0.0
    if len(distinct) == 2:
        return float(2 * np.sin(principal_angles(distinct)[1] / 2))
    return _second(np.sum([_outside(env) for env in distinct], axis=0))


def _outside(env: Environment) -> Array:
    """``I - U U^T``, (S * A, S * A)."""
    basis = linalg.orth(env.shaping.toarray())
    return np.asarray(np.eye(len(basis)) - basis @ basis.T)


def _second(total: Array) -> float:
    value = linalg.eigvalsh(total, subset_by_index=[1, 1])[0]
    return float(np.sqrt(2 * max(value, 0.0)))
