"""Support functions of identified sets against the lifted linear program: the cases of :mod:`benchmarks.support`.

*Cold* holds the set-up that later directions of the same set reuse; *warm* is such a later direction.  *Whole* is the
way of a user: from evidence, with the search for a member that shows that it is no contradiction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import irl_ident as ii
from benchmarks import support
from benchmarks.race import Lap, Race
from irl_ident.identified.cone.support import supports


@pytest.mark.parametrize("start", ["cold", "warm"])
@pytest.mark.sized(
    "side, kind, count",
    tiny=[(4, "pair", 2)],
    quick=[(20, "pair", 3), (20, "dense", 3)],
    full=[(20, "pair", 4), (20, "dense", 4), (32, "pair", 4), (32, "dense", 4), (60, "dense", 2)],
)
def bench_direction(race: Race, side: int, kind: str, count: int, start: str) -> None:
    cone = support.instance(side, 0)
    directions = iter(support.directions(kind, cone.dim, count))
    later = supports(cone, support.directions(kind, cone.dim, count))
    if start == "warm":
        next(directions), next(later)
    asked: list[Any] = []

    def answer() -> Any:
        asked[:] = [next(directions)]
        return next(later) if start == "warm" else next(iter(supports(cone, asked)))

    def generic(_: Any) -> Lap:
        solved = support.peer(cone, asked[0])
        return Lap(solved.seconds, solved.finished)

    race.case(states=cone.dim, direction=kind, start=start)
    rounds = count - 1 if start == "warm" else 1
    found = race(answer, {"HiGHS": generic}, rounds=rounds)
    race.note(**{"certified gap": float(found.gap / found.value)})


@pytest.mark.sized(
    "side, kind",
    tiny=[(4, "dense")],
    quick=[(20, "dense")],
    full=[(32, "dense"), (60, "dense"), (60, "pair"), (100, "dense"), (100, "pair")],
)
def bench_whole(race: Race, side: int, kind: str) -> None:
    family = ii.rewards.StateRewards(side * side)
    agent = ii.agents.Optimal(family, np.random.default_rng(0).standard_normal(side * side))
    evidence = [(env, agent.policy(env)) for env in (support.layout(side, place) for place in range(3))]
    (direction,) = support.directions(kind, family.dim, 1)

    def answer() -> Any:
        ident = ii.identify(evidence, family)
        return ident, ident.certified_support(direction)

    def generic(found: Any) -> Lap:
        solved = support.peer(found[0].cone, direction)
        return Lap(solved.seconds, solved.finished)

    race.case(states=family.dim, direction=kind)
    _, found = race(answer, {"HiGHS": generic})
    race.note(**{"certified gap": float(found.gap / found.value)})
