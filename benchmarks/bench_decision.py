"""One decision of an experimenter: sampled rewards times candidate environments, planned in batch or one by one.

The worlds are square mazes with random walls, four actions, a tenth of the moves slips sideways, discount .95, rewards
on states; a strategy scores every candidate for every sampled reward.  Ours is ``MaximinRegret.score`` from nothing,
caches empty, with plans proved to 1e-9 of the range of rewards.  The peers do the same maximin Bayesian regret with a
plan for one reward in one maze at a time, which stops when no value changes by more than 1e-3, an error up to 2e-2:

loops   value iteration in Python loops over states and actions with a dot product each, values replaced in place: how
        published environment-design code plans;
arrays  value iteration with one dense matrix product a sweep: how a careful user of numpy would write it.

Peers are timed on a few plans and multiplied.  "next" is the decision after that, when one maze has shown the optimal
policy: plans are remembered, and the pool is cut.  "bits" is ``InformationGain`` from nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import irl_ident as ii
from benchmarks.race import Lap, Race
from irl_ident import design
from irl_ident.agents import Optimal
from irl_ident.design import behaviour
from irl_ident.design.strategies import regret

DISCOUNT, CHANGE = 0.95, 1e-3
Array = np.ndarray[Any, Any]


def maze(side: int, seed: int) -> ii.Environment:
    """A grid in which about a fifth of the cells are walls: nobody enters them, and who starts there stays."""
    rng = np.random.default_rng(seed)
    cells = np.arange(side * side).reshape(side, side)
    walls = rng.random(side * side) < 0.2
    y, x = np.mgrid[:side, :side]
    moves = [
        cells[np.clip(y + dy, 0, side - 1), np.clip(x + dx, 0, side - 1)].ravel()
        for dy, dx in ((-1, 0), (0, 1), (1, 0), (0, -1))
    ]
    here = cells.ravel()
    moves = [np.where(walls[to] | walls, here, to) for to in moves]
    table = np.zeros((side * side, 4, side * side))
    for action in range(4):
        for turn, share in ((0, 0.9), (1, 0.05), (3, 0.05)):
            np.add.at(table, (here, action, moves[(action + turn) % 4]), share)
    return ii.Environment(table, DISCOUNT)


def by_loops(table: Array, reward: Array) -> Array:
    n_states, n_actions, _ = table.shape
    values, q = np.zeros(n_states), np.zeros((n_states, n_actions))
    while True:
        before = values.copy()
        for s in range(n_states):
            for a in range(n_actions):
                q[s, a] = reward[s] + DISCOUNT * np.dot(table[s, a], values)
            values[s] = max(q[s])
        if np.abs(before - values).max() < CHANGE:
            return values


def by_arrays(table: Array, reward: Array) -> Array:
    values = np.zeros(len(table))
    while True:
        after = (reward[:, None] + DISCOUNT * (table @ values)).max(axis=1)
        if np.abs(after - values).max() < CHANGE:
            return after
        values = after


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def peer_seconds(plan: Callable[[Array, Array], Array], table: Array, thetas: Array, plans: int) -> float:
    """Seconds for one plan, the median of a few; also a check that its values are those of ours."""
    env = ii.Environment(table, DISCOUNT)
    family = ii.rewards.StateRewards(len(table))
    seconds = []
    for theta in thetas[:plans]:
        spent, values = timed(lambda: plan(table, theta))  # noqa: B023
        seconds.append(spent)
        assert abs((1 - DISCOUNT) * values.mean() - regret.best_returns(env, family, theta[None])[0]) < 2e-3
    return float(np.median(seconds))


def forget() -> None:
    behaviour._planned.cache_clear()
    regret._planned.cache_clear()


def one_by_one(plan: Callable[[Array, Array], Array], table: Array, thetas: Array, timed_plans: int, plans: int) -> Any:
    """A peer that would plan all."""
    return lambda _: Lap(plans * peer_seconds(plan, table, thetas, timed_plans))


@pytest.mark.sized(
    "side, candidates, samples",
    tiny=[(3, 2, 10)],
    quick=[(5, 10, 100), (7, 10, 100)],
    full=[
        *((side, 20, 500) for side in (5, 7, 10, 14)),
        (20, 20, 200),
        (7, 5, 500),
        (7, 80, 500),
        (7, 20, 125),
        (7, 20, 2000),
    ],
)
def bench_maximin_regret(race: Race, side: int, candidates: int, samples: int) -> None:
    family = ii.rewards.StateRewards(side * side)
    thetas = np.random.default_rng(0).uniform(-1, 1, (samples, side * side))
    mazes = [maze(side, seed) for seed in range(candidates)]
    strategy, nothing = design.MaximinRegret(hypotheses=thetas), ii.identified.anything(family)
    table, plans = mazes[0].dense(), candidates * (samples + 1)
    race.case(states=side * side, candidates=candidates, samples=samples)
    peers = {
        "loops": one_by_one(by_loops, table, thetas, 3 if side > 3 else 1, plans),
        "arrays": one_by_one(by_arrays, table, thetas, 20 if side > 3 else 1, plans),
    }
    regret.best_returns(mazes[0], family, thetas[:1])
    race(lambda: strategy.score(nothing, mazes), peers, rounds=3, before=forget)
    seen = ii.identify([(mazes[0], Optimal(family, thetas[0]).policy(mazes[0]))], family)
    later, _ = timed(lambda: strategy.score(seen, mazes))
    forget()
    information, _ = timed(lambda: design.InformationGain(hypotheses=thetas).score(nothing, mazes))
    race.note(**{"bits, s": information, "next, s": later})
