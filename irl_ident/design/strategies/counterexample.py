"""Counterexample-guided choice: try the agent where what speaks against a property would give itself away.

A property P of the agent's behaviour in a deployment environment is proved when no objective that violates it is left
(:func:`irl_ident.certify`); until then the certificate comes with a witness, an objective that behaves as was seen and
violates P.  As in refinement that is guided by counterexamples (Clarke et al. 2000) the next environment is chosen
against it.  Let G be the objectives at hand that satisfy P, and C those that violate it, the witness among them.  With
``g_k`` and ``c_k`` the shares of G and C that give answer k in a candidate,

    score = 1 - sum over answers k of g_k c_k

is the share of pairs of the two that the candidate parts: the chance that a counterexample is ruled out if the agent
is one of G.  These are the edges that the equivalence class edge cutting algorithm counts for the two classes "P" and
"not P" (Golovin, Krause & Ray 2010); which members of G are told apart is of no concern.

At hand are the pool, and members on the ways from the pool to the witness.  Near a proof what violates P is too little
to be in a pool that is drawn at random.  The witness, which an optimiser found, still points there, and somewhere on
each way to it P begins to fail: the pairs that are hardest to part lie on both sides of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from irl_ident.certificates.certifying import REGIONS, Certificate, certify
from irl_ident.certificates.plans import Question
from irl_ident.certificates.premise import Premise, Tolerances
from irl_ident.certificates.properties import Linear, Property, RegretAtMost, atoms
from irl_ident.certificates.witness import violation
from irl_ident.design.behaviour import behaviour_classes, consistent, digest, signatures
from irl_ident.design.strategies.base import Answers, AnswerStrategy, seeds
from irl_ident.design.version_space import class_shares, elimination_scores
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.base import ContradictoryEvidence
from irl_ident.identified.optimal import OptimalSet
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet

WAYS = 100
"""So many members between the pool and the witness are looked at."""

REMEMBERED = 64
"""How many (property, environment, objectives) answers are kept."""


def parting_scores(labels: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike) -> Array:
    """The share of pairs, one from each of two groups of objectives, that each environment tells apart.

    Parameters
    ----------
    labels : int array (C, N)
        Behaviour classes, as from :func:`irl_ident.design.behaviour_labels`.
    one, other : array (N,)
        Weights of the objectives in the two groups, at least 0, not all 0; they need not sum to 1.

    Returns
    -------
    array (C,)
        ``1 - sum over classes of (share of one) (share of other)``, in [0, 1].

    Examples
    --------
    >>> parting_scores([[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 2, 2]], [1, 1, 0, 0], [0, 0, 1, 1])
    array([0. , 0.5, 1. ])
    """
    shared = class_shares(labels, one) * class_shares(labels, other)
    return np.asarray(np.clip(1 - shared.sum(axis=1), 0, 1))


@dataclass(frozen=True, eq=False)
class Counterexample(AnswerStrategy):
    """The candidate that parts best what satisfies a property from what is known to violate it.

    Where no counterexample is at hand (the property is proved, or open, and the pool holds none), or nothing else is,
    candidates are scored as by :class:`irl_ident.design.Greedy`.

    Parameters
    ----------
    samples, seed, hypotheses, resolution
        As for :class:`irl_ident.design.strategies.base.PoolStrategy`.
    prop : Property
        What is to be proved, from :mod:`irl_ident.certificates`.
    deployment : Environment
        Where the agent is to be deployed.
    regions : int
        As for :func:`irl_ident.certify`.

    Examples
    --------
    >>> import irl_ident as ii
    >>> def shop(*offers):
    ...     there = np.eye(4)[[[1 + offer for offer in offers], [1, 1], [2, 2], [3, 3]]]
    ...     return ii.Environment(there, 0.5, [1, 0, 0, 0], states=["shop", "tea", "milk", "gin"])
    >>> family = ii.rewards.LinearRewards(np.repeat(np.eye(4)[:, None, 1:], 2, axis=1))
    >>> never = ii.certificates.Avoids(["gin"])
    >>> strategy = Counterexample(100, prop=never, deployment=shop(0, 2))
    >>> scores = strategy.score(ii.identified.anything(family), [shop(0, 1), shop(0, 2)])
    >>> round(float(scores[1]), 6), bool(scores[0] < 0.6)
    (1.0, True)
    """

    prop: Property = field(kw_only=True)
    deployment: Environment = field(kw_only=True)
    regions: int = field(default=REGIONS, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.prop, Property):
            raise ValueError(
                f"prop: was a {type(self.prop).__name__}, should be a property from irl_ident.certificates"
            )
        if not isinstance(self.deployment, Environment):
            raise ValueError(f"deployment: should be an Environment, was {type(self.deployment).__name__}")

    def certificate(self, ident: IdentifiedSet) -> Certificate:
        """What :func:`irl_ident.certify` says of the property, made once an identified set."""
        return _certified(ident, self.prop, self.deployment, self.regions)

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        left = answers.weights > 0
        groups = [answers.thetas]
        present = [left]
        witness = self._witness(ident)
        if witness is not None:
            groups.append(np.vstack([towards(witness, ident, answers.thetas[left], self.seed), witness]))
            present.append(np.ones(len(groups[1]), dtype=bool))
        violates = np.concatenate([violating(self.prop, self.deployment, ident.family, group) for group in groups])
        here = np.concatenate(present)
        if not (here & violates).any() or not (here & ~violates).any():
            return elimination_scores(answers.labels, answers.weights)
        labels = []
        for env in candidates:
            asked = env, ident.family
            shown = [signatures(*asked, group, ident.rationality, 1.0, self.resolution) for group in groups]
            labels.append(behaviour_classes(np.vstack(shown)))
        return parting_scores(labels, here & ~violates, here & violates)

    def _witness(self, ident: IdentifiedSet) -> Array | None:
        """The certificate's; None where everything is the same to it, or where there is no certificate.

        There is none where no objective is as strict as certificates ask.
        """
        try:
            certificate = self.certificate(ident)
        except ContradictoryEvidence:
            raise
        except ValueError:
            return None
        return None if certificate.trivial else certificate.witness


def towards(witness: Array, ident: IdentifiedSet, thetas: Array, seed: int) -> Array:
    """Members on the way from each of some ``thetas`` (N, d) to the witness (d,), one at random on each way.

    Sets of optimal agents are convex, so that all of each way is as possible as its ends; somewhere on it the property
    begins to fail.  At most ``WAYS`` of them.
    """
    random = np.random.default_rng(seeds(seed, ident))
    ends = thetas[random.permutation(len(thetas))[:WAYS]]
    sizes = np.abs(ends).max(axis=1, keepdims=True)
    share = random.random((len(ends), 1))
    mixed: Array = share * witness / np.abs(witness).max() + (1 - share) * ends / np.where(sizes > 0, sizes, 1)
    return np.asarray(mixed[consistent(ident, mixed)]) if len(mixed) else mixed


@lru_cache(maxsize=8)
def _certified(ident: IdentifiedSet, prop: Property, deployment: Environment, regions: int) -> Certificate:
    return certify(ident, prop, deployment, regions=regions)


def violating(prop: Property, deployment: Environment, family: RewardFamily, thetas: Array) -> Mask:
    """Which of ``thetas`` (N, d) certainly violate a property in the deployment environment, (N,).

    Objectives with the same optimal actions there violate the same properties of behaviour, which are therefore looked
    at once for all of them.
    """
    features = family.matrix(deployment)
    digests = (deployment.digest, digest(features.data, features.indices, features.indptr), digest(thetas))
    return _violating(_Asked(prop, digests, deployment, family, thetas))


@dataclass(frozen=True)
class _Asked:
    """Whose behaviour is asked about; equal when property and digests are."""

    prop: Property
    digests: tuple[str, str, str]
    deployment: Environment = field(compare=False)
    family: RewardFamily = field(compare=False)
    thetas: Array = field(compare=False)


@lru_cache(maxsize=REMEMBERED)
def _violating(asked: _Asked) -> Mask:
    behaviour = signatures(asked.deployment, asked.family, asked.thetas, "optimal", 1.0)
    alone = any(isinstance(atom, Linear | RegretAtMost) for atom in atoms(asked.prop))
    classes = np.arange(len(asked.thetas)) if alone else behaviour_classes(behaviour)
    _, first, place = np.unique(classes, return_index=True, return_inverse=True)
    question = Question(Premise(OptimalSet(asked.family, ()), Tolerances()), asked.prop, asked.deployment)
    found = np.array([violation(question, asked.thetas[i]) is not None for i in first])[place.reshape(-1)]
    found.setflags(write=False)
    return found
