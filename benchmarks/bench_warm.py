"""What work on the same set saves: the j-th direction, and the (k+1)-th environment.

*Direction*: one direction asked of a set that has answered another, against the same direction asked first.
*Environment*: the first direction of evidence from four environments, of which three were in a set that has answered
it, against the same from nothing.  Rewards on states, or ten parameters: smooth bumps on the grid.  Grids and discount
as in :mod:`benchmarks.support`; of each state one optimal action is shown.  Directions are dense, without mean, and
such that the agent's own objective is on their side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import irl_ident as ii
from benchmarks import support
from benchmarks.race import Race, lap
from irl_ident import planning
from irl_ident.rewards import LinearRewards, RewardFamily, StateRewards

PARAMETERS = 10
ENVIRONMENTS = 3

Seen = list[tuple[ii.Environment, Any]]


def bumps(side: int) -> LinearRewards:
    """Ten smooth features on a grid."""
    places = np.divmod(np.arange(side * side), side)
    centres = np.random.default_rng(0).random((PARAMETERS, 2)) * side
    away = [(places[0][:, None] - centres[:, 0]) ** 2, (places[1][:, None] - centres[:, 1]) ** 2]
    return LinearRewards(np.repeat(np.exp(-(away[0] + away[1]) / (side / 4) ** 2)[:, None, :], 4, axis=1))


def watched(family: RewardFamily, theta: np.ndarray, environments: Sequence[ii.Environment]) -> Seen:
    """One optimal action of each state, in each environment."""
    seen: Seen = []
    for env in environments:
        best = planning.optimal(env, family.reward(env, theta)).q.argmax(axis=1)
        seen.append((env, ii.evidence.Policy(np.eye(env.n_actions)[best], shows="some")))
    return seen


def again(seen: Seen) -> Seen:
    """The same evidence, of which nothing is known yet."""
    return [(env, ii.evidence.Policy(policy.probabilities, shows="some")) for env, policy in seen]


def prepared(side: int, rewards: str, count: int) -> tuple[RewardFamily, Seen, np.ndarray]:
    family: RewardFamily = StateRewards(side * side) if rewards == "states" else bumps(side)
    theta = np.random.default_rng(0).standard_normal(family.dim)
    seen = watched(family, theta, [support.layout(side, place) for place in range(count)])
    directions = np.array(support.directions("dense", family.dim, 2))
    return family, seen, directions * np.sign(directions @ theta)[:, None]


SIZES = {
    "tiny": [(4, "states"), (4, "bumps")],
    "quick": [(32, "states"), (60, "bumps")],
    "full": [(32, "states"), (60, "states"), (60, "bumps"), (316, "bumps")],
}


@pytest.mark.sized("side, rewards", **SIZES)
def bench_direction(race: Race, side: int, rewards: str) -> None:
    family, seen, (first, second) = prepared(side, rewards, ENVIRONMENTS)
    ident = ii.identify(again(seen), family)

    def ask_first() -> None:
        nonlocal ident
        ident = ii.identify(again(seen), family)
        ident.certified_support(first)

    race.case(states=side * side, rewards=rewards)
    peers = {"asked first": lap(lambda: ii.identify(again(seen), family).certified_support(second))}
    found = race(lambda: ident.certified_support(second), peers, rounds=3, before=ask_first)
    race.note(**{"certified gap": found.gap / max(found.value, 1e-12)})


@pytest.mark.sized("side, rewards", **SIZES)
def bench_environment(race: Race, side: int, rewards: str) -> None:
    family, seen, (direction, _) = prepared(side, rewards, ENVIRONMENTS + 1)
    known: Seen = []

    def ask_three() -> None:
        nonlocal known
        known = again(seen)
        ii.identify(known[:ENVIRONMENTS], family).certified_support(direction)

    def grown() -> Any:
        return ii.identify(known, family).certified_support(direction)

    race.case(states=side * side, rewards=rewards)
    peers = {"from nothing": lap(lambda: ii.identify(again(seen), family).certified_support(direction))}
    found = race(grown, peers, rounds=3, before=ask_three)
    race.note(**{"certified gap": found.gap / max(found.value, 1e-12)})
