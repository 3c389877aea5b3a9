"""How time grows: one size at a time, from a middle one, for the operations that everything else is made of.

Worlds are square grids on which each action moves by a vector of its own, at most two cells in either direction, and
stays with probability .2; discount .95, a reward on every state from a standard normal.  S, A, k (environments that
were seen), candidates and samples vary apart, the others stay at ``BASE``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import irl_ident as ii
from benchmarks.bench_decision import forget
from benchmarks.race import Race
from irl_ident import design, planning
from irl_ident.solvers.likelihood import MaxEnt

DISCOUNT, STAYS, WINDOW = 0.95, 0.2, 2
BASE = {"S": 400, "A": 4, "k": 2, "candidates": 10, "samples": 200}
"""What stays while something else grows."""
SMALLER = {"soft rank": {"S": 100}, "decision": {"S": 49}, "maximum entropy": {"S": 100}}
"""Operations that start from smaller worlds."""


def world(n_states: int, n_actions: int, seed: int) -> ii.Environment:
    side = round(np.sqrt(n_states))
    offsets = [(y, x) for y in range(-WINDOW, WINDOW + 1) for x in range(-WINDOW, WINDOW + 1) if (y, x) != (0, 0)]
    chosen = np.random.default_rng(seed).permutation(len(offsets))[:n_actions]
    y, x = np.divmod(np.arange(side * side), side)
    stay = sparse.eye_array(side * side, format="csr")
    matrices = []
    for dy, dx in (offsets[c] for c in chosen):
        to = np.clip(y + dy, 0, side - 1) * side + np.clip(x + dx, 0, side - 1)
        moved = sparse.csr_array((np.ones(to.size), to, np.arange(to.size + 1)), shape=stay.shape)
        matrices.append(sparse.csr_array((1 - STAYS) * moved + STAYS * stay))
    return ii.Environment(matrices, DISCOUNT)


Made = tuple[Callable[[], Any], Callable[[], None] | None]


def plan(size: dict[str, int]) -> Made:
    env = world(size["S"], size["A"], 0)
    reward = ii.rewards.StateRewards(env.n_states).reward(env, np.random.default_rng(0).standard_normal(env.n_states))
    return lambda: planning.optimal(env, reward), None


def batch_plan(size: dict[str, int]) -> Made:
    env = world(size["S"], size["A"], 0)
    thetas = np.random.default_rng(0).standard_normal((size["samples"], env.n_states, 1))
    rewards = np.repeat(thetas, env.n_actions, axis=2)
    return lambda: planning.optimal_batch(env, rewards), None


def evidence(size: dict[str, int], kind: Any) -> tuple[list[Any], ii.rewards.StateRewards]:
    family = ii.rewards.StateRewards(world(size["S"], size["A"], 0).n_states)
    agent = kind(family, np.random.default_rng(0).standard_normal(family.dim))
    worlds = [world(size["S"], size["A"], seed) for seed in range(size["k"])]
    return [(env, agent.policy(env)) for env in worlds], family


def identify_and_support(size: dict[str, int]) -> Made:
    seen, family = evidence(size, ii.agents.Optimal)
    direction = np.zeros(family.dim)
    direction[[0, -1]] = 1, -1
    return lambda: ii.identify(seen, family).support(direction), None


def soft_rank(size: dict[str, int]) -> Made:
    seen, family = evidence(size, ii.agents.SoftOptimal)
    return lambda: ii.identify(seen, family, "soft").dimension, None


def decision(size: dict[str, int]) -> Made:
    mazes = [world(size["S"], size["A"], seed) for seed in range(size["candidates"])]
    family = ii.rewards.StateRewards(mazes[0].n_states)
    thetas = np.random.default_rng(0).uniform(-1, 1, (size["samples"], family.dim))
    strategy, nothing = design.MaximinRegret(hypotheses=thetas), ii.identified.anything(family)
    return lambda: strategy.score(nothing, mazes), forget


def maximum_entropy(size: dict[str, int]) -> Made:
    seen, family = evidence(size, ii.agents.SoftOptimal)
    return lambda: MaxEnt().fit(seen, family), None


OPERATIONS = {
    "plan": plan,
    "batch plan": batch_plan,
    "identify and support": identify_and_support,
    "soft rank": soft_rank,
    "decision": decision,
    "maximum entropy": maximum_entropy,
}
SIZES = {
    ("plan", "S"): (400, 1600, 6400, 25600, 102400),
    ("plan", "A"): (2, 4, 8, 16),
    ("batch plan", "S"): (49, 100, 196, 400, 784, 1600),
    ("batch plan", "A"): (2, 4, 8, 16),
    ("batch plan", "samples"): (50, 100, 200, 400, 800),
    ("identify and support", "S"): (49, 100, 196, 400, 784),
    ("identify and support", "A"): (2, 4, 8, 16),
    ("identify and support", "k"): (1, 2, 3, 4),
    ("soft rank", "S"): (49, 100, 196, 400),
    ("soft rank", "A"): (2, 4, 8, 16),
    ("soft rank", "k"): (1, 2, 4, 8),
    ("decision", "S"): (25, 49, 100, 196),
    ("decision", "candidates"): (5, 10, 20, 40),
    ("decision", "samples"): (100, 200, 400, 800),
    ("maximum entropy", "S"): (49, 100, 196, 400),
    ("maximum entropy", "A"): (2, 4, 8, 16),
    ("maximum entropy", "k"): (1, 2, 4, 8),
}
EACH = [(operation, along, size) for (operation, along), sizes in SIZES.items() for size in sizes]


@pytest.mark.sized(
    "operation, along, size",
    tiny=[(name, "S", 9) for name in OPERATIONS],
    quick=[each for each in EACH if each[2] in SIZES[each[:2]][:3]],
    full=EACH,
)
def bench_growth(race: Race, request: pytest.FixtureRequest, operation: str, along: str, size: int) -> None:
    sizes = {**BASE, **SMALLER.get(operation, {}), along: size}
    rounds = 3
    if request.config.getoption("--size") == "tiny":
        sizes, rounds = {"S": size, "A": 2, "k": 1, "candidates": 2, "samples": 5}, 1
    run, before = OPERATIONS[operation](sizes)
    race.case(operation=operation, along=along, size=size)
    race(run, rounds=rounds, before=before)
