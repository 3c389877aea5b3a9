"""What certificates cost: regions, seconds, the size of the file, and the exact check of it.

Random environments with four actions, four successors of each and discount .9; the agent is optimal for an objective
from a standard normal and shows all optimal actions everywhere.  It is deployed in an environment of its own, from the
first state.  What is asked:

*never*    in the first state it never takes the action that is worst under its objective: proved or refuted;
*avoids*   it ever visits the state that it is least likely to come to with at most 1.05 times its chance, and .02;
*prefers*  a difference of two rewards is at most its largest value in the set, and a thousandth more: proved;
*over*     the same, a thousandth less: refuted, if the least gaps that are asked of members leave as much;
*loose*    for 10,000 states instead: the difference, at most 2 in any case, is at most 1.99.

``behaviour``: d features on states from a standard normal, two environments.  ``states``: a reward for every state and
as many environments as leave it nearly known.  ``environments``: 20 states, four features.  ``linear``: the slippery
grids of :mod:`benchmarks.support` with a reward on every state, without what is done.
Seeds are the numbers of states (of grids, their sides); one run each, with the exact check that ``certify``
makes itself.  Only cases of at most half a minute are run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import irl_ident as ii
from benchmarks.race import Race
from benchmarks.support import layout
from irl_ident import builders, certificates, planning

ACTIONS, SUCCESSORS, DISCOUNT, MARGIN, REGIONS = 4, 4, 0.9, 1e-3, 500

SUPPORTED = 5_000
"""With more parameters the largest value is not found first."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is known of an agent, and where it is to be deployed."""

    ident: ii.identified.OptimalSet
    agent: ii.agents.Optimal
    env: ii.Environment

    def question(self, name: str) -> tuple[certificates.Property, ii.Environment | None]:
        """What is asked, and where."""
        asked = preferences(self) if name in ("prefers", "over", "loose") else behaviours(self)
        prop = dict(asked)[name]
        return prop, None if isinstance(prop, certificates.Linear) else self.env


def random_case(states: int, features: int | None, environments: int, seed: int) -> Case:
    random = np.random.default_rng(seed)
    family: Any = ii.rewards.StateRewards(states)
    if features is not None:
        table = np.repeat(random.standard_normal((states, 1, features)), ACTIONS, axis=1)
        family = ii.rewards.LinearRewards(table.round(3))
    theta = random.standard_normal(family.dim)
    agent = ii.agents.Optimal(family, theta / np.abs(theta).max())
    *seen, deployed = (
        builders.random_environment(states, ACTIONS, DISCOUNT, seed=child, successors=min(SUCCESSORS, states))
        for child in np.random.SeedSequence(seed).spawn(environments + 1)
    )
    start = np.eye(states)[0]
    env = ii.Environment(deployed.transitions, DISCOUNT, start)
    return Case(as_optimal([(world, agent.policy(world)) for world in seen], family), agent, env)


def grid_case(side: int, environments: int) -> Case:
    family = ii.rewards.StateRewards(side * side)
    theta = np.random.default_rng(side).standard_normal(family.dim)
    agent = ii.agents.Optimal(family, theta / np.abs(theta).max())
    seen = [layout(side, 100 * side + e) for e in range(environments)]
    return Case(as_optimal([(world, agent.policy(world)) for world in seen], family), agent, seen[0])


def as_optimal(evidence: list[Any], family: Any) -> ii.identified.OptimalSet:
    found = ii.identify(evidence, family)
    assert isinstance(found, ii.identified.OptimalSet)
    return found


def behaviours(case: Case) -> Iterator[tuple[str, certificates.Property]]:
    family, env = case.ident.family, case.env
    q = planning.optimal(env, family.reward(env, case.agent.theta)).q
    yield "never", ~certificates.OptimalAction(0, int(q[0].argmin()))
    chosen = np.zeros_like(q, dtype=bool)
    chosen[np.arange(env.n_states), q.argmax(axis=1)] = True
    reach = planning.occupancy(env, chosen.astype(float)).sum(axis=1)
    target = int(reach[1:].argmin()) + 1
    chance = visited_chance(env, q.argmax(axis=1), target)
    yield "avoids", certificates.Avoids((target,), min(0.99, 1.05 * chance + 0.02))


def visited_chance(env: ii.Environment, actions: Any, target: int) -> float:
    """The chance of ever visiting a state, by iteration."""
    moves = env.dense()[np.arange(env.n_states), actions]
    chances = np.zeros(env.n_states)
    for _ in range(20_000):
        chances = moves @ chances
        chances[target] = 1
    return float(env.initial @ chances)


def preferences(case: Case) -> Iterator[tuple[str, certificates.Property]]:
    weights = np.zeros(case.ident.family.dim)
    weights[[0, -1]] = 1, -1
    if weights.size > SUPPORTED:
        yield "loose", certificates.Linear(weights, 1.99)
        return
    largest = case.ident.certified_support(weights).upper
    yield "prefers", certificates.Linear(weights, largest + MARGIN)
    yield "over", certificates.Linear(weights, largest - MARGIN)


def run(race: Race, case: Case, asked: str) -> None:
    prop, env = case.question(asked)
    race.case(states=case.env.n_states, d=case.ident.family.dim, k=len(case.ident.environments), asked=asked)
    found = race(lambda: certificates.certify(case.ident, prop, env, regions=REGIONS))
    start = time.process_time()
    assert found.check()
    checked = time.process_time() - start
    size = len(json.dumps(found.document)) / 1000
    race.note(answer=found.status, regions=found.regions, **{"check, s": checked, "file, kB": size})


@pytest.mark.sized(
    "states, features, seen, asked",
    tiny=[(5, 3, 2, "never")],
    quick=[(5, 3, 2, "never"), (20, 4, 2, "never"), (20, 4, 2, "avoids"), (20, 4, 4, "never"), (5, None, 3, "never")],
    full=[
        *((states, features, 2, "never") for states, features in ((5, 3), (10, 3), (20, 4), (50, 5), (100, 3))),
        *((states, features, 2, "avoids") for states, features in ((20, 4), (50, 5), (100, 3))),
        *((states, features, 2, "prefers") for states, features in ((50, 5), (100, 3))),
        *((20, 4, seen, "never") for seen in (1, 4, 8)),
        (5, None, 3, "never"),
        (10, None, 4, "never"),
        (20, None, 6, "avoids"),
        (20, None, 6, "prefers"),
    ],
)
def bench_random(race: Race, states: int, features: int | None, seen: int, asked: str) -> None:
    run(race, random_case(states, features, seen, states), asked)


@pytest.mark.sized(
    "side, seen, asked",
    tiny=[(3, 1, "prefers")],
    quick=[(10, 1, "prefers"), (10, 2, "prefers")],
    full=[*((side, seen, "prefers") for side in (10, 32) for seen in (1, 2)), (32, 1, "over")],
)
def bench_linear(race: Race, side: int, seen: int, asked: str) -> None:
    run(race, grid_case(side, seen), asked)
