"""One decision of an experimenter: sampled rewards times candidate environments, planned in batch or one by one.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.decision [--quick]``.

The worlds are square mazes with random walls, four actions, a tenth of the moves slips sideways, discount .95, rewards
on states; a strategy scores every candidate for every sampled reward.  Ours is ``MaximinRegret.score`` from nothing,
caches empty, with plans proved to 1e-9 of the range of rewards.  The peers do the same maximin Bayesian regret with a
plan for one reward in one maze at a time, which stops when no value changes by more than 1e-3, an error up to 2e-2:

loops   value iteration in Python loops over states and actions with a dot product each, values replaced in place: how
        published environment-design code plans;
arrays  value iteration with one dense matrix product a sweep: how a careful user of numpy would write it.

Seconds are of processor time, on one thread.  Peers are timed on a few plans and multiplied.  "next" is the decision
after that, when one maze has shown the optimal policy: plans are remembered, and the pool is cut.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal
from irl_ident.design import behaviour, regret

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


def row(side: int, candidates: int, samples: int, plans: tuple[int, int]) -> str:
    family = ii.rewards.StateRewards(side * side)
    thetas = np.random.default_rng(0).uniform(-1, 1, (samples, side * side))
    mazes = [maze(side, seed) for seed in range(candidates)]
    strategy = design.MaximinRegret(hypotheses=thetas)
    nothing = ii.identified.anything(family)
    ours = []
    for _ in range(3):
        forget()
        ours.append(timed(lambda: strategy.score(nothing, mazes))[0])
    seen = ii.identify([(mazes[0], Optimal(family, thetas[0]).policy(mazes[0]))], family)
    later, _ = timed(lambda: strategy.score(seen, mazes))
    forget()
    information, _ = timed(lambda: design.InformationGain(hypotheses=thetas).score(nothing, mazes))
    table = mazes[0].dense()
    loops, arrays = (
        candidates * (samples + 1) * peer_seconds(plan, table, thetas, count)
        for plan, count in zip((by_loops, by_arrays), plans, strict=True)
    )
    spent = float(np.median(ours))
    return (
        f"{side * side:>7,} {candidates:>11,} {samples:>8,} {spent:>9.3f} {information:>9.3f} {later:>9.3f} "
        f"{1e6 * spent / candidates / samples:>9.0f} {loops:>11.0f} {arrays:>9.1f} {loops / spent:>8.0f} "
        f"{arrays / spent:>8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small mazes and few samples")
    quick = parser.parse_args().quick
    sizes = [(5, 10, 100), (7, 10, 100)]
    if not quick:
        sizes = [(7, 20, 500), (7, 5, 500), (7, 80, 500), (7, 20, 125), (7, 20, 2000)]
        sizes += [(5, 20, 500), (10, 20, 500), (14, 20, 500), (20, 20, 200)]
    row(3, 2, 10, (1, 1))
    names = ("states", "candidates", "samples", "ours, s", "bits, s", "next, s", "us a plan", "loops, s", "arrays, s")
    widths = (7, 11, 8, 9, 9, 9, 9, 11, 9, 8, 8)
    print(" ".join(f"{name:>{w}}" for name, w in zip((*names, "ratio", "ratio"), widths, strict=True)), flush=True)
    for side, candidates, samples in sizes:
        print(row(side, candidates, samples, (2 if quick else 3, 5 if quick else 20)), flush=True)
    print("bits: InformationGain from nothing.  ratio: the peers' time over ours, loops and arrays; above 1 ours wins.")


if __name__ == "__main__":
    main()
