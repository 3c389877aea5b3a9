"""Which observations contradict each other, beside a plain deletion filter.

*Random*: environments with four actions and four successors, rewards linear in d features from a standard normal, and
in each of three environments an action a state drawn at random, shown as the only best one.  *Grids*: those of
:mod:`benchmarks.support` with a reward on each state, and in each the behaviour of an agent with another objective.

The peer forgets one observed state after another, halves of blocks of an eighth first, and asks the program of
:func:`irl_ident.identified.cone.hull.strictness` each time whether what is left is a contradiction.  It is not run
where it takes minutes, or its solver fails.  That there is a contradiction at all both are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import irl_ident as ii
from benchmarks.race import Race, lap
from benchmarks.support import layout
from irl_ident.identified.cone.conflict import find_conflict
from irl_ident.identified.cone.constraints import lifted
from irl_ident.identified.cone.hull import strictness
from irl_ident.identified.observed import System
from irl_ident.rewards import LinearRewards, StateRewards

ENVIRONMENTS, ACTIONS, SUCCESSORS = 3, 4, 4


def random_case(states: int, features: int) -> ii.identified.OptimalSet:
    rng = np.random.default_rng(0)
    family = LinearRewards(rng.standard_normal((states, ACTIONS, features)))
    seen: list[Any] = [
        (
            ii.builders.random_environment(states, ACTIONS, 0.9, seed=seed, successors=SUCCESSORS),
            np.eye(ACTIONS)[rng.integers(ACTIONS, size=states)],
        )
        for seed in range(ENVIRONMENTS)
    ]
    found = ii.identify(seen, family)
    assert isinstance(found, ii.identified.OptimalSet)
    return found


def grid_case(side: int) -> ii.identified.OptimalSet:
    rng, family = np.random.default_rng(0), StateRewards(side * side)
    worlds = [layout(side, seed) for seed in range(ENVIRONMENTS)]
    agents = [ii.agents.Optimal(family, rng.standard_normal(family.dim)) for _ in worlds]
    seen: list[Any] = [(env, agent.policy(env)) for env, agent in zip(worlds, agents, strict=True)]
    found = ii.identify(seen, family)
    assert isinstance(found, ii.identified.OptimalSet)
    return found


def plain(systems: Sequence[System], dim: int) -> int:
    """The number of observations that a plain deletion filter leaves."""
    kept = list(systems)
    places = [(place, int(s)) for place, system in enumerate(kept) for s in np.flatnonzero(system.observed)]
    size = max(1, len(places) // 8)
    for start in range(0, len(places), size):
        kept = _without_needless(kept, places[start : start + size], dim)
    return sum(int(system.observed.sum()) for system in kept)


def _without_needless(kept: list[System], block: list[tuple[int, int]], dim: int) -> list[System]:
    trial = list(kept)
    for place, state in block:
        trial[place] = without(trial[place], state)
    rows = lifted(trial, dim)
    if (strictness(rows)[rows.strict] < 0.5).any():
        return trial
    if len(block) > 1:
        half = len(block) // 2
        for part in (block[:half], block[half:]):
            kept = _without_needless(kept, part, dim)
    return kept


def without(system: System, state: int) -> System:
    """What was seen in one environment, had nothing been seen in ``state``."""
    others = np.arange(system.env.n_states) != state
    return replace(
        system,
        shown=system.shown & others[:, None],
        observed=system.observed & others,
        strict=system.strict & others[:, None],
    )


def run(race: Race, ident: ii.identified.OptimalSet, *, beside: bool) -> None:
    systems, dim = ident.systems, ident.family.dim
    race.case(states=systems[0].env.n_states, d=dim, observed=sum(int(system.observed.sum()) for system in systems))
    peers = {"plain filter": lap(lambda: plain(systems, dim), lambda left: {"its conflict": left})} if beside else {}
    found = race(lambda: find_conflict(systems, ident.evidence, dim), peers)
    race.note(conflict=len(found.observations), irreducible=found.irreducible)


@pytest.mark.sized(
    "states, features, beside",
    tiny=[(10, 3, True)],
    quick=[(20, 4, True), (50, 5, True)],
    full=[(20, 4, True), (50, 5, True), (100, 5, False), (100, 10, False)],
)
def bench_random(race: Race, states: int, features: int, beside: bool) -> None:
    run(race, random_case(states, features), beside=beside)


@pytest.mark.sized("side", tiny=[3], quick=[5, 8], full=[5, 8, 10])
def bench_grid(race: Race, side: int) -> None:
    run(race, grid_case(side), beside=False)
