"""The tree of a proof: regions that together are the whole premise, each empty, or deciding the property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from irl_ident.certificates.checking.atoms import known_atoms
from irl_ident.certificates.checking.bounds import Claims, Region, Split
from irl_ident.certificates.checking.decimals import Vector, words
from irl_ident.certificates.checking.model import Choice
from irl_ident.certificates.checking.plans import PolicyMap, check_plan
from irl_ident.certificates.checking.reading import Place
from irl_ident.certificates.checking.statement import Statement
from irl_ident.certificates.checking.views import Leaf


@dataclass(frozen=True, eq=False)
class Tree:
    """Verifies trees of one statement; ``complete``: whether they have to prove its property.

    Attributes
    ----------
    states : Choice
        Of the deployment environment, what any actions reach; empty without one.
    """

    statement: Statement
    claims: Claims
    states: Choice
    policy_maps: Mapping[int, PolicyMap]
    complete: bool

    def check(self, root: Place) -> int:
        """Verify all regions, and return how many there are."""
        leaves = 0
        waiting: list[tuple[Place, Region]] = [(root, ())]
        while waiting:
            place, region = waiting.pop()
            keys = place.keys()
            if "split" in keys:
                waiting += self._halves(place, region)
                continue
            leaves += 1
            if "empty" in keys:
                self._empty(place, region)
            elif "open" in keys:
                self._open(place)
            else:
                self._leaf(place, region)
        return leaves

    def _halves(self, place: Place, region: Region) -> list[tuple[Place, Region]]:
        given = place.fields("split below above")
        split = given["split"].fields("weights at")
        weights, at = split["weights"].vector(self.statement.parameters), split["at"].number()
        return [
            (given["above"], (*region, Split(weights, at))),
            (given["below"], (*region, Split(-weights, -at))),
        ]

    def _empty(self, place: Place, region: Region) -> None:
        claim = place.fields("empty")["empty"]
        bound = self.claims.bound(Vector([0] * self.statement.parameters, 1), claim, region)
        if bound >= 0:
            claim.fail(f"bound {words(bound)} is not below 0")

    def _open(self, place: Place) -> None:
        if place.fields("open")["open"].value is not True:
            place.fail("should be true")
        if self.complete:
            place.fail("this region is open, nothing is proved")

    def _leaf(self, place: Place, region: Region) -> None:
        statement, env = self.statement, self.statement.deployment
        given = place.fields("atoms", "plan")
        plan, may = None, Choice()
        if "plan" in given:
            if env is None:
                given["plan"].fail("needs a deployment environment")
            plan = check_plan(given["plan"], env, self.states, statement.parameters, self.claims, region)
            least = plan.least
            may = env.choice(lambda row: least[row] <= statement.ties)
        leaf = Leaf(statement, self.claims, region, plan, may, self.policy_maps)
        known = known_atoms(given["atoms"], statement, leaf)
        if self.complete and statement.formula.truth(known) is not True:
            place.fail("its atoms do not decide that the property holds")
