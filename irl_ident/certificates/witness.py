"""Objectives that are members of the premise for certain, and those among them that violate a property.

Each is planned anew in every environment.  With ``eta`` what its values can be off, every gap is known up to
``eta (1 + g)``; what is said of it holds whatever the exact gaps are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from irl_ident import planning
from irl_ident.certificates import restricted
from irl_ident.certificates.deciding import Answer, avoiding, losing, marked, reaching, returning, truth
from irl_ident.certificates.plans import PAD, Question
from irl_ident.certificates.premise import Premise
from irl_ident.certificates.properties import (
    Avoids,
    BaseOptimal,
    Linear,
    OptimalAction,
    Property,
    Reaches,
    RegretAtMost,
    ReturnAtLeast,
    index,
)
from irl_ident.environment import Array, Environment, Mask

INWARD = (0.0, 1e-9, 1e-6, 1e-3, 0.1, 0.5)
"""Shares of the way to the middle by which points on the boundary are moved inside."""

CLOSELY = 1e-14
"""Planning goes on until its error is this share of the rewards' range, or is rounding."""

NONTRIVIAL = 1e-12
"""Least gap that shows that not everything is the same to an objective."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Gaps of all actions under one objective, between bounds.

    Attributes
    ----------
    values : array (S,)
    least, most : array (S, A)
    error : float
        How far the values can be off.
    """

    values: Array
    least: Array
    most: Array
    error: float


def gaps(premise: Premise, env: Environment, theta: Array) -> Gaps:
    """Plan for ``theta`` (d,) in ``env``."""
    plan = planning.optimal(env, premise.ident.family.reward(env, theta), tolerance=CLOSELY)
    slack = plan.values[:, None] - plan.q
    error = 2 * plan.error_bound
    return Gaps(plan.values, slack - 2 * error, slack + 2 * error, error)


def is_member(premise: Premise, theta: Array) -> bool:
    """Whether ``theta`` (d,) certainly satisfies the premise, states without observation included."""
    tolerances = premise.tolerances
    for system, worse in zip(premise.ident.systems, premise.worse, strict=True):
        found = gaps(premise, system.env, theta)
        if (found.most[system.shown] > tolerances.ties).any() or (found.least[worse] < tolerances.strictness).any():
            return False
    return bool(np.abs(theta).max() <= 1)


def members(premise: Premise, point: Array, middle: Array) -> Iterator[Array]:
    """Certain members at a point (d,), or near it on the way to the middle; in few digits where these do."""
    for share in INWARD:
        theta = np.clip((1 - share) * point + share * middle, -1, 1)
        for candidate in (theta.round(6) + 0.0, theta):
            if is_member(premise, candidate):
                yield candidate


def nontrivial(premise: Premise, environments: Sequence[Environment], theta: Array) -> list[int] | None:
    """Environment, state and action whose gap shows that not everything is the same to ``theta``; None if none does."""
    least = max(NONTRIVIAL, premise.tolerances.strictness)
    for place, env in enumerate(environments):
        found = gaps(premise, env, theta).least
        if found.max() >= least:
            state, action = np.unravel_index(int(found.argmax()), found.shape)
            return [place, int(state), int(action)]
    return None


def record(premise: Premise, environments: Sequence[Environment], theta: Array) -> dict[str, Any]:
    """An objective and its values in all environments, as a certificate's file holds them."""
    values = [gaps(premise, env, theta).values.tolist() for env in environments]
    return {"theta": theta.tolist(), "values": values}


def violation(question: Question, theta: Array) -> tuple[list[int] | None, dict[str, Any]] | None:
    """How ``theta`` (d,) violates the property: a policy, and what is known of each atom; None where it does not.

    The policy takes actions that are certainly optimal, and is chosen to violate one atom after the other.
    """
    if question.env is None:
        answers = {n: linear(atom, theta) for n, atom in enumerate(question.atoms)}
        return (None, _proofs(answers)) if _violated(question.prop, answers) else None
    env, ties = question.env, question.premise.tolerances.ties
    found = gaps(question.premise, env, theta)
    may, must = found.least <= ties, found.most <= ties
    must |= found.most <= found.most.min(axis=1, keepdims=True)
    tried: set[bytes] = set()
    for policy in policies(question, must):
        if policy.tobytes() in tried:
            continue
        tried.add(policy.tobytes())
        chosen = np.zeros_like(may)
        chosen[np.arange(env.n_states), policy] = True
        answers = {n: at(question, n, atom, theta, found, may, chosen) for n, atom in enumerate(question.atoms)}
        if _violated(question.prop, answers):
            return [int(a) for a in policy], _proofs(answers)
    return None


def policies(question: Question, may: Mask) -> Iterator[Array]:
    """Policies, (S,) actions among the marked ones, that are worst for each atom."""
    env = question.known
    yield may.argmax(axis=1)
    for atom in question.atoms:
        match atom:
            case Avoids():
                yield restricted.towards_most(env, may, marked(atom.states, env))
            case Reaches():
                yield restricted.away_most(env, may, marked(atom.states, env))
            case ReturnAtLeast() | BaseOptimal():
                yield restricted.choices(env, atom.reward, may, question.states, largest=False)
            case _:
                pass


def at(question: Question, number: int, atom: Property, theta: Array, found: Gaps, may: Mask, chosen: Mask) -> Answer:
    """What is known of an atom at one objective; what fails is shown by the chosen policy alone."""
    env = question.known
    match atom:
        case Linear():
            return linear(atom, theta)
        case OptimalAction():
            gap = index("state", atom.state, env.states), index("action", atom.action, env.actions)
            if found.least[gap] > question.premise.tolerances.ties:
                return "fails", {}
            return ("holds", {}) if found.most[gap] <= question.premise.tolerances.ties else None
        case Avoids():
            return _either(avoiding(question, atom, may), avoiding(question, atom, chosen))
        case Reaches():
            return _either(reaching(question, atom, may), reaching(question, atom, chosen))
        case ReturnAtLeast():
            return _either(returning(question, atom, may), returning(question, atom, chosen))
        case BaseOptimal():
            return losing(question, atom, may, chosen)
        case RegretAtMost():
            other, error = question.policy_maps[number]
            regret = question.normaliser * (env.initial @ (found.values - other @ theta))
            slack = question.normaliser * (found.error + error) + 8 * PAD * (1 + np.abs(other).sum(axis=1).max())
            if regret + slack <= atom.value:
                return "holds", {}
            return ("fails", {}) if regret - slack > atom.value else None
    raise TypeError(f"{type(atom).__name__} is no property that can be certified")


def linear(atom: Property, theta: Array) -> Answer:
    """A linear inequality at one objective, where rounding leaves it clear."""
    assert isinstance(atom, Linear)
    value, rounding = float(atom.weights @ theta), 4 * PAD * float(np.abs(atom.weights).sum())
    if value - rounding > atom.at_most:
        return "fails", {}
    return ("holds", {}) if value + rounding <= atom.at_most else None


def _either(whatever: Answer, chosen: Answer) -> Answer:
    """``holds`` if it does whatever is done; else ``fails`` if the chosen policy shows it."""
    if whatever is not None and whatever[0] == "holds":
        return whatever
    return chosen if chosen is not None and chosen[0] == "fails" else None


def _violated(prop: Property, answers: dict[int, Answer]) -> bool:
    known = {number: answer[0] == "holds" for number, answer in answers.items() if answer is not None}
    return truth(prop, known) is False


def _proofs(answers: dict[int, Answer]) -> dict[str, Any]:
    return {str(number): {answer[0]: answer[1]} for number, answer in answers.items() if answer is not None}
