"""Branch and bound over the premise: regions are cut until the property is decided on each.

A region is empty, or decided by bounds that hold throughout, or is cut in two: by the sign of an advantage, where
objectives of the region disagree on what to do, or by a linear inequality that the property is made of.  Every region
hands over points; one that is a certain member and violates the property ends the search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from irl_ident import planning
from irl_ident.certificates.deciding import Answer, decide, truth
from irl_ident.certificates.document import environments_of
from irl_ident.certificates.plans import Plan, Question, narrowed, planned
from irl_ident.certificates.premise import Claim
from irl_ident.certificates.properties import Linear, RegretAtMost
from irl_ident.certificates.region import Region
from irl_ident.certificates.witness import members, nontrivial, violation
from irl_ident.environment import Array, Environment
from irl_ident.transitions import visited

FURTHER = 20
"""So many regions are looked at for another witness where everything is the same to the first."""

NO_GAIN = 1e-12
"""Advantages below this share of the values' size are rounding of 0."""

TIED = 100
"""So many times the tolerance for ties is what ties can add to a bound that is 0."""

THIN = 1e-7
"""Regions with no more room than this, in units of the strictness, are taken as they are."""


Witness = tuple[Array, list[int] | None, dict[str, Any]]
"""An objective, its policy, and what is known of each atom."""


@dataclass(eq=False)
class Node:
    """A region, and what became of it: empty, a leaf, cut in two, or open.

    Attributes
    ----------
    region : Region
    points : list of array (d,)
        In the region, or near.
    empty : Claim, optional
    plan : Plan, optional
    answers : dict of int to Answer
    cut : (array (d,), float), optional
    below, above : Node, optional
    """

    region: Region
    points: list[Array] = field(default_factory=list)
    empty: Claim | None = None
    plan: Plan | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    cut: tuple[Array, float] | None = None
    below: Node | None = None
    above: Node | None = None

    def fields(self) -> dict[str, Any]:
        """As a certificate's file holds it."""
        if self.cut is not None:
            assert self.below is not None
            assert self.above is not None
            split = {"weights": self.cut[0].tolist(), "at": self.cut[1]}
            return {"split": split, "below": self.below.fields(), "above": self.above.fields()}
        if self.empty is not None:
            return {"empty": self.empty.fields()}
        known = {str(number): {answer[0]: answer[1]} for number, answer in self.answers.items() if answer is not None}
        return {"plan": None if self.plan is None else self.plan.fields(), "atoms": known}

    def planned(self, question: Question, theta: Array) -> Plan:
        """Plan for the region: what is left of the plan that it keeps, or else one made at ``theta`` (d,)."""
        old = self.plan
        self.plan = planned(question, self.region, theta) if old is None else narrowed(old, self.region)
        return self.plan

    def split(self, normal: Array, at: float) -> tuple[Node, Node]:
        """Cut the region in two; what the plan is still good for keeps it."""
        self.cut = (normal, at)
        self.below = Node(self.region.cut(-normal, -at), [p for p in self.points if normal @ p <= at], plan=self.plan)
        kept = self.plan if at < 0 else None
        self.above = Node(self.region.cut(normal, at), [p for p in self.points if normal @ p >= at], plan=kept)
        return self.below, self.above


@dataclass(frozen=True, eq=False)
class Found:
    """What a search came to.

    Attributes
    ----------
    root : Node, optional
        Complete, where everything was decided.
    witness : Witness, optional
    regions : int
        Looked at.
    trivial : bool
        Everything is the same to the witness; no other was found.
    """

    root: Node | None
    witness: Witness | None
    regions: int
    trivial: bool = False


def search(question: Question, middle: Array, most: int, progress: Callable[[int, int], None] | None = None) -> Found:
    """Decide a property on every region, or find an objective that violates it, in at most ``most`` regions."""
    environments = environments_of(question)
    root = Node(Region(question.premise), [middle])
    waiting, done = [root], 0
    seen: set[bytes] = set()
    last_resort: Witness | None = None
    while waiting and done < most:
        node = waiting.pop()
        done += 1
        if progress is not None:
            progress(done, len(waiting))
        if not opened(node):
            continue
        theta = node.points[0]
        if question.env is not None:
            node.planned(question, theta)
        settle(question, node)
        node.points += [] if node.plan is None else node.plan.points
        for violated in violating(question, node, middle, seen):
            if nontrivial(question.premise, environments, violated[0]) is not None:
                return Found(None, violated, done)
            last_resort = last_resort or violated
        if last_resort is not None and done >= FURTHER:
            break
        known = {number: answer[0] == "holds" for number, answer in node.answers.items() if answer is not None}
        if truth(question.prop, known) is True:
            continue
        cut = chosen_cut(question, node)
        if cut is None:
            return Found(None, last_resort, done, trivial=last_resort is not None)
        waiting += node.split(*cut)
    if last_resort is not None or waiting:
        return Found(None, last_resort, done, trivial=last_resort is not None)
    return Found(root, None, done)


def opened(node: Node) -> bool:
    """Whether the region holds something; puts a point of its middle first, which the whole premise has already."""
    if not node.region.cuts:
        return True
    room, theta, claim = node.region.middle()
    if claim.bound < 0:
        node.empty = claim
        return False
    if room > THIN or not node.points:
        node.points.insert(0, theta)
    return True


def settle(question: Question, node: Node) -> None:
    """Ask every atom, as long as the property is open."""
    for number, atom in enumerate(question.atoms):
        node.answers[number] = decide(atom, number, node.region, node.plan)
        if node.plan is None and isinstance(atom, Linear):
            _, point = node.region.maximum(atom.weights)
            node.points += [] if point is None else [point]


def violating(question: Question, node: Node, middle: Array, seen: set[bytes]) -> Iterator[Witness]:
    """Certain members near the node's points that violate the property, with their policies and proofs.

    ``seen`` collects behaviours that were found to violate nothing.
    """
    points = np.unique(np.array(node.points), axis=0)
    points = points[node.region.near(points)]
    for theta, key in zip(points, behaviour_keys(question, points), strict=True):
        if key in seen:
            continue
        if violation(question, theta) is None:
            seen.update([key] if key else [])
            continue
        for candidate in members(question.premise, theta, middle):
            violated = violation(question, candidate)
            if violated is not None:
                yield candidate, *violated


def behaviour_keys(question: Question, points: Array) -> list[bytes]:
    """What tells apart those of ``points`` (N, d) that behave alike; empty where more than behaviour matters."""
    if question.env is None or any(isinstance(atom, Linear | RegretAtMost) for atom in question.atoms):
        return [b""] * len(points)
    env, family = question.env, question.premise.ident.family
    q = planning.optimal_batch(env, family.rewards(env, points))
    best = q >= q.max(axis=2, keepdims=True) - question.premise.tolerances.ties
    return [np.packbits(mask[question.states]).tobytes() for mask in best]


def chosen_cut(question: Question, node: Node) -> tuple[Array, float] | None:
    """Where to cut a region: the advantage that matters most, or an inequality that is open; None if there is none."""
    if node.plan is not None:
        found = costliest(question, node.plan) or nearest_tie(question, node)
        if found is not None:
            return found
    for number, atom in enumerate(question.atoms):
        if isinstance(atom, Linear) and node.answers.get(number) is None:
            already = any(np.array_equal(np.abs(cut.normal), np.abs(atom.weights)) for cut in node.region.cuts)
            if not already:
                return atom.weights, atom.at_most
    return None


def costliest(question: Question, plan: Plan) -> tuple[Array, float] | None:
    """The advantage that adds most to the excess at the starts, to be cut where it is 0."""
    env = question.known
    gains = np.where(question.states[:, None], np.maximum(plan.largest, 0), 0)
    slack = TIED * question.premise.tolerances.ties
    gains[gains <= slack + NO_GAIN * (1 + np.abs(plan.values).sum(axis=1).max())] = 0
    if not gains.any():
        return None
    weights = visits(env, gains, question.starts.astype(float)) * gains
    state, action = np.unravel_index(int((weights if weights.any() else gains).argmax()), gains.shape)
    return plan.advantages[state, action], 0.0


def nearest_tie(question: Question, node: Node) -> tuple[Array, float] | None:
    """An advantage that is 0 on the region's boundary alone, to be cut a little below 0.

    On the side without the boundary the action is never taken.
    """
    plan, tolerances = node.plan, question.premise.tolerances
    assert plan is not None
    margin = max(10 * tolerances.ties, tolerances.strictness / 100)
    reached = visited(question.known.transitions, question.starts, plan.may)
    inside = plan.advantages @ node.points[0] < -2 * margin
    open_ = plan.may & reached[:, None] & inside
    if not open_.any():
        return None
    state, action = np.unravel_index(int(open_.argmax()), open_.shape)
    return plan.advantages[state, action], -margin


def visits(env: Environment, gains: Array, starts: Array) -> Array:
    """Discounted visits (S, A) of the policy that gains most."""
    best = planning.optimal(env, gains).q.argmax(axis=1)
    chosen = np.zeros_like(gains)
    chosen[np.arange(env.n_states), best] = 1
    return planning.occupancy(env, chosen, starts / starts.sum())
