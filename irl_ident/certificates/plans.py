"""What the agent does in the deployment environment, for all objectives of a region at once.

One plan pi is made for one objective of the region.  Its values W theta are linear in theta, and so are its advantages
``D(s, a) . theta`` with ``D = Phi - B W``.  With ``u(s, a)`` the largest advantage over the region and x the optimal
values of the reward ``max(u, 0)``,

    W theta <= V* <= W theta + x        for every theta of the region,

so that an action's gap is at least ``-u(s, a) - C x(s, a)``: where that is above the tolerance for ties, the action is
never taken.  Where all u are 0, pi is optimal throughout; if not, the region can be cut by the sign of an advantage,
and each part planned anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.certificates.premise import Claim, Premise
from irl_ident.certificates.properties import OptimalAction, Property, RegretAtMost, atoms, index
from irl_ident.certificates.region import Region
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.advantages import normaliser, rows_over, value_map
from irl_ident.transitions import visited

PAD = 1e-15
"""Rounding of one operation, for every quantity that a proof compares."""


@dataclass(frozen=True, eq=False)
class Question:
    """A property of the premise's objectives in a deployment environment.

    Parameters
    ----------
    premise : Premise
    prop : Property
    env : Environment, optional
        Needed by properties of behaviour.
    """

    premise: Premise
    prop: Property
    env: Environment | None

    @cached_property
    def atoms(self) -> tuple[Property, ...]:
        """The statements that the property is composed of."""
        return tuple(atoms(self.prop))

    @cached_property
    def known(self) -> Environment:
        """The deployment environment, where there is one."""
        assert self.env is not None
        return self.env

    @cached_property
    def starts(self) -> Mask:
        """States that the property speaks of: first states, and those of actions that it names, (S,)."""
        marked = self.known.initial > 0
        for atom in self.atoms:
            if isinstance(atom, OptimalAction):
                marked[index("state", atom.state, self.known.states)] = True
        return marked

    @cached_property
    def states(self) -> Mask:
        """States that can be reached from there, whatever the agent does, (S,)."""
        return visited(self.known.transitions, self.starts)

    @cached_property
    def features(self) -> Array:
        """Features in the deployment environment, (S * A, d)."""
        return self.premise.ident.family.matrix(self.known).toarray()

    @cached_property
    def length(self) -> float:
        """Most visits of an episode: what an error a step can add up to."""
        ones = np.ones((self.known.n_states, self.known.n_actions))
        return float(planning.optimal(self.known, ones).values.max()) * (1 + 1e-9)

    def policy_map(self, policy: Array) -> tuple[Array, float]:
        """The values of a policy (S, A) as a map of theta (S, d), and how far that can be off."""
        found = value_map(self.premise.ident.family, policy, self.known)
        backed = self.features + self.known.continuation @ found
        residual = found - (policy[:, :, None] * backed.reshape(*policy.shape, -1)).sum(axis=1)
        return found, self._error(np.abs(residual).sum(axis=1).max(), found)

    def _error(self, residual: float, found: Array) -> float:
        rounding = 8 * PAD * (1 + float(np.abs(found).sum(axis=1).max()))
        return (float(residual) + rounding) * self.length

    @cached_property
    def policy_maps(self) -> dict[int, tuple[Array, float]]:
        """:meth:`policy_map` for each atom that is about a policy, by its number."""
        return {
            number: self.policy_map(atom.policy)
            for number, atom in enumerate(self.atoms)
            if isinstance(atom, RegretAtMost)
        }

    @property
    def normaliser(self) -> float:
        """What makes occupancies sum to 1."""
        return normaliser(self.known)


@dataclass(frozen=True, eq=False)
class Plan:
    """Bounds on values and gaps over a region; see the module.

    Attributes
    ----------
    question : Question
    region : Region
    policy : int (S,)
        Action of each state.
    values : array (S, d)
        W.
    advantages : array (S, A, d)
        D.
    claims : dict of (int, int) to Claim
        On D, where the gauge alone does not do.
    largest : array (S, A)
        u.
    excess : array (S,)
        x.
    error : float
        How far W theta can be from the policy's values.
    points : list of array (d,)
        Where the solver found the largest advantages.
    """

    question: Question
    region: Region
    policy: Any
    values: Array
    advantages: Array
    claims: dict[tuple[int, int], Claim]
    largest: Array
    excess: Array
    error: float
    points: list[Array]

    @cached_property
    def least_gap(self) -> Array:
        """No gap is below, (S, A)."""
        ahead = self.question.known.backup(self.excess)
        return np.asarray(-self.largest - self.error - ahead - rounding(self.values))

    @cached_property
    def may(self) -> Mask:
        """Actions that an optimal agent may take, (S, A)."""
        return np.asarray(~(self.least_gap > self.question.premise.tolerances.ties))

    def fields(self) -> dict[str, Any]:
        """As a certificate's file holds it."""
        inside = np.flatnonzero(self.question.states)
        return {
            "policy": [int(a) for a in self.policy],
            "map": {str(s): self.values[s].tolist() for s in inside},
            "advantages": [[s, a, claim.fields()] for (s, a), claim in sorted(self.claims.items())],
            "excess": {str(s): float(self.excess[s]) for s in inside},
        }


def planned(question: Question, region: Region, theta: Array) -> Plan:
    """Plan for ``theta`` (d,), and bound what others of the region gain by doing otherwise."""
    policy, values, error = plan_of(question, theta)
    rows = rows_over(question.premise.ident.family, values, question.known)
    largest = np.abs(rows).sum(axis=1) + rounding(values)
    inside = np.repeat(question.states, question.known.n_actions)
    asked = np.flatnonzero(inside & (largest > 100 * rounding(values)))
    shape = (question.known.n_states, question.known.n_actions)
    tables = (rows.reshape(*shape, -1), largest.reshape(shape))
    return _bounded(question, region, policy, values, *tables, {}, error, asked)


def plan_of(question: Question, theta: Array) -> tuple[npt.NDArray[np.int64], Array, float]:
    """An optimal policy for ``theta`` (d,), one action a state, its values as a map of theta, and their error."""
    env = question.known
    policy = planning.optimal(env, question.premise.ident.family.reward(env, theta)).q.argmax(axis=1)
    shown = np.zeros((env.n_states, env.n_actions))
    shown[np.arange(env.n_states), policy] = 1
    return policy, *question.policy_map(shown)


def narrowed(plan: Plan, region: Region) -> Plan:
    """The same plan in a part of its region: only what gained is bounded anew."""
    asked = np.flatnonzero(plan.question.states[:, None] & (plan.largest > rounding(plan.values)))
    known = (plan.policy, plan.values, plan.advantages, plan.largest, plan.claims, plan.error)
    return _bounded(plan.question, region, *known, asked)


def rounding(values: Array) -> float:
    """What an advantage can be off, with a value map (S, d)."""
    return 8 * PAD * (1 + float(np.abs(values).sum(axis=1).max()))


def _bounded(
    question: Question,
    region: Region,
    policy: Any,
    values: Array,
    advantages: Array,
    known: Array,
    claimed: dict[tuple[int, int], Claim],
    error: float,
    asked: npt.NDArray[np.int64],
) -> Plan:
    """Bound the advantages at the places asked; from them, the excess."""
    env, claims, largest = question.known, dict(claimed), known.copy()
    points: list[Array] = []
    for state, action in (divmod(int(row), env.n_actions) for row in asked):
        claim, point = region.maximum(advantages[state, action])
        points += [] if point is None else [point]
        claims[state, action] = claim
        largest[state, action] = claim.bound + rounding(values)
    gains = np.where(question.states[:, None], np.maximum(largest, 0), 0)
    excess = np.zeros(env.n_states)
    if gains.any():
        best = planning.optimal(env, gains)
        unit = planning.optimal(env, np.ones(gains.shape)).values
        excess = best.values + unit * (2 * best.error_bound / question.length + 4 * PAD * (1 + best.values.max()))
        excess *= 1 + 1e-9
    return Plan(question, region, policy, values, advantages, claims, largest, excess, error, points)
