"""Fisher D-, A- and E-optimal candidates for soft agents (Chernoff 1953; Chaloner & Verdinelli 1995).

At the identified set's centre theta, n choices expected in candidate e carry the information

    F_e = sum_s n_e(s) sum_a pi_e(a | s) (d log pi_e)(d log pi_e)^T

(:mod:`irl_ident.identified.soft_likelihood`).  With ``F_0`` the information of the choices counted so far, ``p I`` the
precision of a normal prior and U an orthonormal basis of the *identifiable directions*, those on which something
counted or any of the candidates tells anything, let

    M_0 = p I + U^T F_0 U,        M_e = M_0 + U^T F_e U.

=========  ======================================  =====================================================================
criterion  score of e                              what it is
=========  ======================================  =====================================================================
D          ``log2(det M_e / det M_0) / 2``         expected information on theta, in bits, to first order
A          ``tr M_0^-1 - tr M_e^-1``               by how much the sum of variances falls (Cramér-Rao)
E          ``smallest eigenvalue of M_e``          precision in the direction that is known worst
=========  ======================================  =====================================================================

Whole policies are data without end: they fix theta along what they tell, U is then in the directions that they leave
open, and they add nothing to ``F_0``.  What no candidate tells, such as constants, is in no U.  E is ``p`` while no
single candidate tells something of every direction in U.

``n_e(s)`` are expected visits of the soft agent of theta.  Absorbing states are not counted: episodes end there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.design.behaviour import temperature_of
from irl_ident.design.strategies.base import checked_candidates
from irl_ident.design.strategies.geometry import silent_directions
from irl_ident.environment import Array, Environment
from irl_ident.identified.soft_likelihood import fisher_information

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet

SILENT = 1e-12
"""Eigenvalues of the total information, within open directions, are 0 below this share of its largest of all."""


def expected_visits(env: Environment, policy: Array, horizon: int | None = None) -> Array:
    """How often ``policy`` is expected to choose in each state, (S,).

    Parameters
    ----------
    env : Environment
    policy : array (S, A)
        Probabilities of actions.
    horizon : int, optional
        Of an episode from ``env.initial`` that ends after so many choices, or on entering an absorbing state.  When not
        given, of one choice, at a time that is geometric with the discount.

    Returns
    -------
    array (S,)
        Sums to at most ``horizon``, or to 1 (0 when every episode starts where it ends).
    """
    moving = np.where(env.absorbing, 0.0, 1.0)
    if horizon is None:
        visits = planning.occupancy(env, policy).sum(axis=1) * moving
        return np.asarray(visits / visits.sum() if visits.any() else visits)
    visits, now = np.zeros(env.n_states), env.initial * moving
    for _ in range(horizon):
        visits += now
        now = (env.transitions.T @ (now[:, None] * policy).ravel()) * moving
    return visits


@dataclass(frozen=True)
class FisherStrategy(ABC):
    """A strategy that looks at the Fisher information of soft choices.

    Parameters
    ----------
    horizon : int, optional
        Length of an episode; single choices when not given.  See :func:`expected_visits`.
    count : int
        How many episodes, or choices, there will be.
    precision : float
        Of the prior, p, above 0; 1 as in samples of soft agents' sets.
    """

    horizon: int | None = None
    count: int = 100
    precision: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("horizon", self.horizon), ("count", self.count)):
            if value is not None and (value != int(value) or value < 1):
                raise ValueError(f"{name}: was {value!r}, should be a whole number of at least 1")
        if not (np.isfinite(self.precision) and self.precision > 0):
            raise ValueError(f"precision: was {self.precision!r}, should be finite and above 0")

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """The criterion of each candidate, (C,); 0 for all when they tell nothing.

        Raises
        ------
        ValueError
            For identified sets of agents that are not soft.
        """
        given = checked_candidates(candidates)
        if ident.rationality != "soft":
            raise ValueError(
                f"{type(self).__name__}: the identified set assumes rationality {ident.rationality!r}, whose choices "
                "have no derivative in theta; should be 'soft' (InformationGain is for every rationality)"
            )
        before = self._counted(ident)
        each = np.array([self.information(ident, env) for env in given])
        directions = _identifiable(silent_directions(ident) if _whole(ident) else None, before, each)
        if not directions.shape[1]:
            return np.zeros(len(given))
        known = self.precision * np.eye(directions.shape[1]) + directions.T @ before @ directions
        return np.array([self._criterion(known, directions.T @ more @ directions) for more in each])

    def information(self, ident: IdentifiedSet, env: Environment) -> Array:
        """F_e at the centre of the set, (d, d)."""
        plan = planning.soft(env, ident.family.reward(env, ident.center()), temperature_of(ident))
        chosen = self.count * expected_visits(env, plan.policy, self.horizon)[:, None] * plan.policy
        changes = planning.soft_jacobian(env, plan, ident.family.matrix(env))
        return np.asarray(changes.T @ (chosen.ravel()[:, None] * changes))

    def _counted(self, ident: IdentifiedSet) -> Array:
        """F_0, of trajectories and counts."""
        if _whole(ident):
            return np.zeros((ident.family.dim, ident.family.dim))
        data = [(env, evidence_room.counts(env, seen)) for env, seen in ident.evidence]
        return fisher_information(data, ident.family, ident.center(), temperature_of(ident))

    @abstractmethod
    def _criterion(self, known: Array, more: Array) -> float: ...


@dataclass(frozen=True)
class FisherD(FisherStrategy):
    """The candidate whose choices are expected to tell most bits of theta; parameters as for
    :class:`.FisherStrategy`.
    """

    def _criterion(self, known: Array, more: Array) -> float:
        return float(np.linalg.slogdet(known + more)[1] - np.linalg.slogdet(known)[1]) / (2 * log(2))


@dataclass(frozen=True)
class FisherA(FisherStrategy):
    """The candidate that makes the sum of variances smallest; parameters as for :class:`.FisherStrategy`."""

    def _criterion(self, known: Array, more: Array) -> float:
        return float(np.trace(np.linalg.inv(known)) - np.trace(np.linalg.inv(known + more)))


@dataclass(frozen=True)
class FisherE(FisherStrategy):
    """The candidate after which the worst direction is known best; parameters as for :class:`.FisherStrategy`."""

    def _criterion(self, known: Array, more: Array) -> float:
        return float(np.linalg.eigvalsh(known + more)[0])


def _whole(ident: IdentifiedSet) -> bool:
    """Whether no choices were counted: whole policies, or nothing."""
    return not any(isinstance(seen, evidence_room.Trajectories | evidence_room.Counts) for _, seen in ident.evidence)


def _identifiable(within: Array | None, before: Array, each: Array) -> Array:
    """U, (d, m), inside the span of ``within`` (d, k)."""
    span = np.eye(before.shape[0]) if within is None else within
    if not span.shape[1]:
        return span
    total = before + each.sum(axis=0)
    values, vectors = linalg.eigh(span.T @ total @ span)
    return np.asarray(span @ vectors[:, values > SILENT * np.linalg.norm(total, 2)])
