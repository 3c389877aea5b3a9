"""Whether a statement holds, or fails, for all objectives of a region; with what proves it.

Answers are ``("holds", proof)``, ``("fails", proof)`` or None, where neither is known; the proofs are plain fields of a
certificate's file.  Composed properties follow Kleene's three-valued logic.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, Literal

import numpy as np

from irl_ident.certificates import restricted
from irl_ident.certificates.plans import PAD, Plan, Question
from irl_ident.certificates.properties import (
    AllOf,
    AnyOf,
    Avoids,
    BaseOptimal,
    Linear,
    Not,
    OptimalAction,
    Property,
    Reaches,
    RegretAtMost,
    ReturnAtLeast,
    index,
    numbers,
)
from irl_ident.certificates.region import Region
from irl_ident.environment import Array, Environment, Mask

Answer = tuple[Literal["holds", "fails"], dict[str, Any]] | None


def truth(prop: Property, answers: Mapping[int, bool]) -> bool | None:
    """The truth of a composed property, given that of some of its atoms by number."""
    value, _ = _truth(prop, answers, 0)
    return value


def _truth(prop: Property, answers: Mapping[int, bool], first: int) -> tuple[bool | None, int]:
    if not prop.parts:
        return answers.get(first), first + 1
    found = []
    for part in prop.parts:
        value, first = _truth(part, answers, first)
        found.append(value)
    match prop:
        case Not():
            return (None if found[0] is None else not found[0]), first
        case AllOf():
            return (False if False in found else None if None in found else True), first
        case AnyOf():
            return (True if True in found else None if None in found else False), first
    raise TypeError(f"{type(prop).__name__} is composed in no known way")


@singledispatch
def decide(atom: Property, number: int, region: Region, plan: Plan | None) -> Answer:
    """Whether the ``number``-th atom holds or fails throughout a region.

    Parameters
    ----------
    atom : Property
    number : int
    region : Region
    plan : Plan, optional
        Needed by all but linear inequalities.
    """
    raise TypeError(f"{type(atom).__name__} is no property that can be certified")


@decide.register
def _(atom: Linear, number: int, region: Region, plan: Plan | None) -> Answer:
    above, _ = region.maximum(atom.weights)
    if above.bound <= atom.at_most:
        return "holds", above.fields()
    below, _ = region.maximum(-atom.weights)
    return ("fails", below.fields()) if below.bound < -atom.at_most else None


@decide.register
def _(atom: OptimalAction, number: int, region: Region, plan: Plan | None) -> Answer:
    assert plan is not None
    question, env = plan.question, plan.question.known
    s, a = index("state", atom.state, env.states), index("action", atom.action, env.actions)
    ties = question.premise.tolerances.ties
    if plan.least_gap[s, a] > ties:
        return "fails", {}
    rivals = np.arange(env.n_actions) != a
    if (plan.least_gap[s, rivals] > 0).all():
        return "holds", {}
    claim, point = region.maximum(-plan.advantages[s, a])
    plan.points.extend([] if point is None else [point])
    rounding = 8 * PAD * (1 + np.abs(plan.values).sum(axis=1).max())
    if claim.bound + plan.excess[s] + env.discount * plan.error + rounding <= ties:
        return "holds", claim.fields()
    return None


@decide.register
def _(atom: Avoids, number: int, region: Region, plan: Plan | None) -> Answer:
    assert plan is not None
    return avoiding(plan.question, atom, plan.may)


@decide.register
def _(atom: Reaches, number: int, region: Region, plan: Plan | None) -> Answer:
    assert plan is not None
    return reaching(plan.question, atom, plan.may)


@decide.register
def _(atom: ReturnAtLeast, number: int, region: Region, plan: Plan | None) -> Answer:
    assert plan is not None
    return returning(plan.question, atom, plan.may)


@decide.register
def _(atom: BaseOptimal, number: int, region: Region, plan: Plan | None) -> Answer:
    assert plan is not None
    return losing(plan.question, atom, plan.may, plan.may)


@decide.register
def _(atom: RegretAtMost, number: int, region: Region, plan: Plan | None) -> Answer:
    assert plan is not None
    question, env = plan.question, plan.question.known
    other, error = question.policy_maps[number]
    ahead = env.initial @ (plan.values - other)
    above, point = region.maximum(ahead)
    plan.points.extend([] if point is None else [point])
    rounding = 8 * PAD * (1 + np.abs(plan.values).sum(axis=1).max() + np.abs(other).sum(axis=1).max())
    if question.normaliser * (above.bound + env.initial @ plan.excess + error + rounding) <= atom.value:
        return "holds", above.fields()
    below, _ = region.maximum(-ahead)
    fails = question.normaliser * (below.bound + plan.error + error + rounding) < -atom.value
    return ("fails", below.fields()) if fails else None


def avoiding(question: Question, atom: Avoids, may: Mask) -> Answer:
    """Whether an agent that takes the marked actions avoids what it should, whichever of them it takes."""
    env, targets = question.known, marked(atom.states, question.known)
    upper = restricted.upper_chances(env, may, targets)
    if upper is not None and _expected(env, upper) <= atom.probability:
        return "holds", {"chance": listed(upper, upper > 0)}
    lower, steps = restricted.lower_chances(env, may, targets)
    if _least_expected(env, lower) > atom.probability:
        return "fails", {"chance": listed(lower, lower > 0), "steps": listed(steps, steps > 0)}
    return None


def reaching(question: Question, atom: Reaches, may: Mask) -> Answer:
    """Whether an agent that takes the marked actions reaches what it should, whichever of them it takes."""
    env, targets = question.known, marked(atom.states, question.known)
    lower, steps = restricted.lower_chances(env, may, targets)
    if _least_expected(env, lower) >= atom.probability:
        return "holds", {"chance": listed(lower, lower > 0), "steps": listed(steps, steps > 0)}
    upper = restricted.upper_chances(env, may, targets)
    if upper is not None and _expected(env, upper) < atom.probability:
        return "fails", {"chance": listed(upper, upper > 0)}
    return None


def returning(question: Question, atom: ReturnAtLeast, may: Mask) -> Answer:
    """Whether an agent that takes the marked actions has the return that it should, whichever of them it takes."""
    env, states, n = question.known, question.states, question.normaliser
    least = restricted.values(env, atom.reward, may, states, largest=False)
    if n * (env.initial @ least) >= atom.value + _rounding(least):
        return "holds", {"values": listed(least, states)}
    most = restricted.values(env, atom.reward, may, states, largest=True)
    if n * (env.initial @ most) < atom.value - _rounding(most):
        return "fails", {"values": listed(most, states)}
    return None


def losing(question: Question, atom: BaseOptimal, may: Mask, some: Mask) -> Answer:
    """Whether an agent that takes marked actions is near the base optimum, whichever of ``may`` it takes.

    It is known not to be where every choice of ``some``, which it may take as well, falls short.
    """
    env, states, n = question.known, question.states, question.normaliser
    everything = np.ones_like(may)
    least = restricted.values(env, atom.reward, may, states, largest=False)
    best = restricted.values(env, atom.reward, everything, states, largest=True)
    if n * (env.initial @ (best - least)) + _rounding(best) <= atom.regret:
        return "holds", {"values": listed(least, states), "best": listed(best, states)}
    most = restricted.values(env, atom.reward, some, states, largest=True)
    policy = restricted.choices(env, atom.reward, everything, states, largest=True)
    chosen = np.zeros_like(may)
    chosen[np.arange(env.n_states), policy] = True
    reached = restricted.values(env, atom.reward, chosen, states, largest=False)
    if n * (env.initial @ (reached - most)) - _rounding(best) > atom.regret:
        proof = {"values": listed(most, states), "best": listed(reached, states)}
        return "fails", {**proof, "policy": [int(a) for a in policy]}
    return None


def marked(states: tuple[int | str, ...], env: Environment) -> Mask:
    """The states as a mask (S,)."""
    found = np.zeros(env.n_states, dtype=bool)
    found[numbers(states, env)] = True
    return found


def listed(table: Array, kept: Mask) -> dict[str, float]:
    """Some entries of ``table`` (S,) by number of state."""
    return {str(s): float(table[s]) for s in np.flatnonzero(kept)}


def _expected(env: Environment, chances: Array) -> float:
    """An expectation over first states, rounded up where it is not a chance of 0 or 1."""
    starts = env.initial > 0
    if (chances[starts] == chances[starts][0]).all():
        return float(chances[starts][0])
    return float(env.initial @ chances) + 4 * PAD


def _least_expected(env: Environment, chances: Array) -> float:
    starts = env.initial > 0
    if (chances[starts] == chances[starts][0]).all():
        return float(chances[starts][0])
    return float(env.initial @ chances) - 4 * PAD


def _rounding(table: Array) -> float:
    return 8 * PAD * (1 + float(np.abs(table).max()))
