"""What is known of a set of objectives, those of a leaf's region or one witness, and what it shows of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from irl_ident.certificates.checking.bounds import Claims, Region, added
from irl_ident.certificates.checking.decimals import Vector
from irl_ident.certificates.checking.limits import above, at_most, below
from irl_ident.certificates.checking.model import Choice
from irl_ident.certificates.checking.plans import LeafPlan, PolicyMap
from irl_ident.certificates.checking.reading import Place
from irl_ident.certificates.checking.replanning import Planned
from irl_ident.certificates.checking.statement import Linear, OptimalAction, Regret, Statement

Side = Literal["holds", "fails"]


class View(ABC):
    """What is known of a set of objectives: of those of a region, or of one."""

    def evident(self) -> dict[int, bool]:
        """The atoms that are known without being shown."""
        return {}

    @abstractmethod
    def choice(self, place: Place, side: Side) -> Choice:
        """The rows of which all have to satisfy what is shown."""

    @abstractmethod
    def linear(self, atom: Linear, place: Place, side: Side) -> None:
        """Verify an inequality of theta."""

    @abstractmethod
    def optimal_action(self, atom: OptimalAction, place: Place, side: Side) -> None:
        """Verify that an action is optimal."""

    @abstractmethod
    def regret(self, atom: Regret, number: int, place: Place, side: Side) -> None:
        """Verify a policy's regret."""


@dataclass(frozen=True, eq=False)
class Leaf(View):
    """All objectives of a region.  ``may`` holds the rows that some of them may take."""

    statement: Statement
    claims: Claims
    region: Region
    plan: LeafPlan | None
    may: Choice
    policy_maps: Mapping[int, PolicyMap]

    def choice(self, place: Place, side: Side) -> Choice:
        """What may be taken."""
        self._plan(place)
        return self.may

    def linear(self, atom: Linear, place: Place, side: Side) -> None:
        """By a claim on the weights, or on their opposite."""
        if side == "holds":
            at_most(place, self.claims.bound(atom.weights, place, self.region), atom.at_most)
        else:
            below(place, self.claims.bound(-atom.weights, place, self.region), -atom.at_most)

    def optimal_action(self, atom: OptimalAction, place: Place, side: Side) -> None:
        """By a claim on the advantage and the limits of the plan, or because no rival is optimal."""
        plan, ties = self._plan(place), self.statement.ties
        if side == "fails":
            place.fields("")
            above(place, plan.least[atom.row], ties)
            return
        rivals = [row for row in plan.map.env.rows(atom.state) if row != atom.row]
        if not place.keys() and all(plan.least[row] > 0 for row in rivals):
            return
        bound = self.claims.bound(-plan.directions[atom.row], place, self.region)
        excess = Fraction(plan.excess[atom.state], plan.excess_scale)
        at_most(place, bound + excess + plan.map.env.discount * plan.error, ties)

    def regret(self, atom: Regret, number: int, place: Place, side: Side) -> None:
        """By a claim on the difference of the maps and the limits of both."""
        plan, policy = self._plan(place), _policy_map(self.policy_maps, number, place)
        env = plan.map.env
        lost = added([plan.map.start(), -policy.map.start()])
        if side == "holds":
            excess = env.start(plan.excess) / plan.excess_scale
            bound = self.claims.bound(lost, place, self.region) + excess + policy.error
            at_most(place, env.normaliser() * bound, atom.value)
        else:
            bound = self.claims.bound(-lost, place, self.region) + plan.error + policy.error
            below(place, env.normaliser() * bound, -atom.value)

    def _plan(self, place: Place) -> LeafPlan:
        if self.plan is None:
            place.fail("needs a plan")
        return self.plan


@dataclass(frozen=True, eq=False)
class Witness(View):
    """One objective; ``own`` holds the rows of the policy that it is refuted by, if there is one."""

    statement: Statement
    theta: Vector
    plan: Planned | None
    may: Choice
    own: Choice | None
    policy_maps: Mapping[int, PolicyMap]

    def evident(self) -> dict[int, bool]:
        """Inequalities of theta."""
        atoms = enumerate(self.statement.atoms)
        return {number: self._satisfied(atom) for number, atom in atoms if isinstance(atom, Linear)}

    def choice(self, place: Place, side: Side) -> Choice:
        """What may be taken to hold, and the policy alone to fail."""
        if side == "holds":
            return self.may
        if self.own is None:
            place.fail("needs the policy of the witness")
        return self.own

    def linear(self, atom: Linear, place: Place, side: Side) -> None:
        """By evaluation."""
        place.fields("")
        if self._satisfied(atom) != (side == "holds"):
            place.fail("is not so")

    def optimal_action(self, atom: OptimalAction, place: Place, side: Side) -> None:
        """By the limits of the gap."""
        place.fields("")
        plan = self._plan(place)
        if side == "holds":
            at_most(place, plan.most(atom.row), self.statement.ties)
        else:
            above(place, plan.least(atom.row), self.statement.ties)

    def regret(self, atom: Regret, number: int, place: Place, side: Side) -> None:
        """By the limits of both values."""
        place.fields("")
        plan, policy = self._plan(place), _policy_map(self.policy_maps, number, place)
        env = policy.map.env
        best = env.start(dict(enumerate(plan.values.entries))) / plan.values.scale
        lost, error = best - policy.map.start().dot(self.theta), plan.error + policy.error
        if side == "holds":
            at_most(place, env.normaliser() * (lost + error), atom.value)
        else:
            above(place, env.normaliser() * (lost - error), atom.value)

    def _satisfied(self, atom: Linear) -> bool:
        return atom.weights.dot(self.theta) <= atom.at_most

    def _plan(self, place: Place) -> Planned:
        if self.plan is None:
            place.fail("needs a deployment environment")
        return self.plan


def _policy_map(maps: Mapping[int, PolicyMap], number: int, place: Place) -> PolicyMap:
    if number not in maps:
        place.fail(f"needs policy_maps/{number}")
    return maps[number]
