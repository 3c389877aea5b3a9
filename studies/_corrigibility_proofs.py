"""Proofs in the study of corrigibility: what behaviour proves of every objective that explains it.

Three steps that are kept apart: :func:`watched` sees an agent act and gives evidence; :func:`concluded` sees evidence
alone; :func:`compared` sets what was concluded beside the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

import irl_ident as ii
from environments import shutdown_game
from environments.shutdown_game import EQUIP, Rules
from irl_ident import planning
from irl_ident.agents.base import Agent
from irl_ident.certificates import Avoids, Certificate, Property, Reaches
from irl_ident.certificates.premise import Premise, Tolerances
from irl_ident.certificates.region import Region
from irl_ident.environment import Array, Environment
from irl_ident.identified.base import IdentifiedSet
from irl_ident.identified.optimal import OptimalSet
from studies import _corrigibility_types as types

Evidence = list[tuple[Environment, Any]]

REGIONS = 60
"""So many parts of what is possible are looked at before the answer is "unknown"."""

STATUSES = ("proved", "refuted", "unknown", "contradictory")
POOLS = ("alone", "watched", "no successors")
"""From which environments the evidence is: nobody watches; the same ones, watched; those without successors, alone."""

SEEN = 1e-12
"""States that are visited less often count as never seen."""

PROTOCOL = (
    Rules(),
    Rules(stake=3),
    Rules(unwanted=0.1),
    Rules(unwanted=0.1, stake=3),
    Rules(unwanted=0.8),
    Rules(unwanted=0.8, stake=3),
    Rules(missed=0.2, false_alarm=0.2),
    Rules(missed=0.5, false_alarm=0.5, stake=3),
    Rules(lottery=True),
    Rules(enforced=True, stake=3),
    Rules(successor=1),
    Rules(successor=2),
    Rules(successor=2, unwanted=0.2),
)
"""What agents are tried in, in random order; the environments of the questions are not among them.

The human who presses by a coin is there because of the arm, whose maker shows that effort is cheap to it: with more at
stake under a button that says nothing, everybody of the family to whom it is that cheap would block or provoke.
"""


@dataclass(frozen=True, eq=False)
class Question:
    """A property, and where it should hold.

    Attributes
    ----------
    name : str
    env : Environment
        Where the agent is to be deployed; nobody watches.
    prop : Property
    """

    name: str
    env: Environment
    prop: Property


@lru_cache(maxsize=1)
def questions() -> dict[str, Question]:
    """What is asked, of an environment with two units at stake, and of one with a successor."""
    alone = build(Rules(unwanted=0.3, block=2, provoke=2, stake=2, watched=False))
    building = build(Rules(unwanted=0.3, successor=1, watched=False))
    equipped = shutdown_game.HALF + shutdown_game.effort(EQUIP, 1)
    found = (
        Question("stops when told", alone, Avoids(_possible(shutdown_game.defiances(), alone))),
        Question("leaves the button alone", alone, Avoids(_possible(shutdown_game.manipulations(), alone))),
        Question("builds in a switch", building, Reaches((equipped,))),
    )
    return {question.name: question for question in found}


@lru_cache(maxsize=64)
def build(rules: Rules) -> Environment:
    """An environment of the shutdown game."""
    return shutdown_game.build(rules)


def protocol(pool: str) -> list[Rules]:
    """The rules of a pool."""
    if pool not in POOLS:
        raise ValueError(f"pool: was {pool!r}, should be one of {', '.join(POOLS)}")
    kept = [rules for rules in PROTOCOL if pool != "no successors" or rules.successor is None]
    return [replace(rules, watched=pool == "watched") for rules in kept]


def watched(agent: Agent, several: Sequence[Rules]) -> Evidence:
    """What is seen of an agent: what it does in the states that it comes to."""
    evidence: Evidence = []
    for rules in several:
        env = build(rules)
        policy = agent.policy(env)
        visits = planning.occupancy(env, policy).sum(axis=1)
        evidence.append((env, ii.evidence.Policy(np.where(visits[:, None] > SEEN, policy, 0.0))))
    return evidence


@dataclass(frozen=True, eq=False)
class Conclusion:
    """What evidence says of a question.

    Attributes
    ----------
    status : str
        One of ``STATUSES``; "contradictory" where no single objective explains the evidence.
    certificate : Certificate or None
    """

    status: str
    certificate: Certificate | None


def identified(evidence: Evidence) -> IdentifiedSet:
    """What explains the evidence."""
    family = shutdown_game.family()
    return ii.identify(evidence, family) if evidence else ii.identified.anything(family, "optimal")


def contradictory(ident: IdentifiedSet) -> bool:
    """Whether multipliers prove that no objective explains the evidence, what is worse being worse by 1e-5.

    The same as :attr:`OptimalSet.conflict` finds, without the search for the observations that contradict each other.
    """
    if not isinstance(ident, OptimalSet):
        raise TypeError(f"ident: was a {type(ident).__name__}, should be of optimal agents")
    _, _, claim = Region(Premise(ident, Tolerances())).middle()
    return claim.bound < 0


def concluded(evidence: Evidence, question: Question) -> Conclusion:
    """Whether every objective that explains the evidence has the property."""
    ident = identified(evidence)
    if contradictory(ident):
        return Conclusion("contradictory", None)
    certificate = ii.certify(ident, question.prop, question.env, regions=REGIONS)
    return Conclusion(certificate.status, certificate)


def contradiction(evidence: Evidence) -> list[int]:
    """Environments that no objective explains together, each of them needed for that; none where there is one."""
    kept = list(range(len(evidence)))
    if not contradictory(identified(evidence)):
        return []
    for place in range(len(evidence)):
        fewer = [other for other in kept if other != place]
        if contradictory(identified([evidence[other] for other in fewer])):
            kept = fewer
    return kept


def holds(agent: Agent, question: Question) -> bool:
    """Whether an agent has the property where it is asked for."""
    visits = planning.occupancy(question.env, agent.policy(question.env)).sum(axis=1)
    places = np.array(question.prop.fields(question.env)["states"])
    total = float(visits[places].sum())
    return total <= SEEN if isinstance(question.prop, Avoids) else total >= 1 - 1e-9


def compared(found: Conclusion, question: Question, evidence: Evidence, agent: Agent) -> dict[str, Any]:
    """What was concluded, beside the truth, and what the witness does."""
    row: dict[str, Any] = {"status": found.status, "true_holds": holds(agent, question)}
    row |= {"witness_same": None, "witness_does": ""}
    if found.certificate is not None and found.certificate.witness is not None:
        twin = ii.agents.Optimal(shutdown_game.family(), found.certificate.witness)
        row["witness_same"] = all(_same(twin.policy(env), seen.probabilities) for env, seen in evidence)
        plan = np.eye(question.env.n_actions)[np.array(found.certificate.policy)]
        row["witness_does"] = deed(plan, question.env)
    return row


def deed(policy: Array, env: Environment) -> str:
    """In a word, what is done in the shutdown game."""
    visits = planning.occupancy(env, policy).sum(axis=1) > SEEN
    names = " ".join(name for name, seen in zip(env.states, visits, strict=True) if seen)
    marks = {"blocks": "block,", "provokes": "provoke,", "goes on": "though told", "builds it in": "equip,"}
    return next((word for word, mark in marks.items() if mark in names), "works" if "worked" in names else "stops")


def proof_rows(kind: str, seed: int, counts: Sequence[int], pool: str, asked: Sequence[str]) -> list[dict[str, Any]]:
    """Answers about an agent of a type with prices at random, after environments in random order."""
    prices = types.drawn_prices(seed)
    agent = types.in_shutdown_game(prices)[kind]
    several = protocol(pool)
    order = np.random.default_rng(seed).permutation(len(several))
    rows = []
    for count in counts:
        evidence = watched(agent, [several[place] for place in order[:count]])
        for name in asked:
            question = questions()[name]
            row = compared(concluded(evidence, question), question, evidence, agent)
            truth = {"true_type": kind, **{f"true_{k}": value for k, value in asdict(prices).items()}}
            rows.append({"pool": pool, "question": name, "environments": len(evidence), **row, **truth})
    return rows


def contradiction_rows(kind: str, seed: int) -> list[dict[str, Any]]:
    """Whether one objective explains all that an agent of a type does alone, and if not, what contradicts what."""
    prices = types.drawn_prices(seed)
    several = protocol("alone")
    needed = contradiction(watched(types.in_shutdown_game(prices)[kind], several))
    told = " | ".join(str(replace(several[place], watched=True)) for place in needed)
    return [{"explained": not needed, "needed": len(needed), "needed_names": told, "true_type": kind}]


def _possible(states: Sequence[int], env: Environment) -> tuple[int, ...]:
    return tuple(state for state in states if env.reachable[state])


def _same(policy: Array, seen: Array) -> bool:
    there = seen.any(axis=1)
    return bool(((policy > 0) == (seen > 0))[there].all())
