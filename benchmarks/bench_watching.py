"""What it costs to single out an objective: watching by expected gain per cost, or for a fixed number of sessions.

Six random environments with 5 states and 3 actions (Dirichlet transitions, discount .9), 60 objectives, the agent of
one of them errs in a fifth of its choices.  A session is one episode of 10 steps at a cost of 1 each; setting up
another environment than the last costs a price.  Greedy elimination says where to go; the goal is that the confidence
set of level .05 holds no other of the 60 objectives.  A fixed schedule watches m sessions wherever it is sent.  Costs
are means over seeds, with standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import irl_ident as ii
from benchmarks.race import Race
from irl_ident import builders, design

STATES, ACTIONS, ENVIRONMENTS, OBJECTIVES = 5, 3, 6, 60
ERROR, LEVEL, HORIZON, GIVEN_UP = 0.2, 0.05, 10, 5000.0

SCHEDULES = (1, 2, 4, 8)
"""Sessions of the fixed schedules."""

FAMILY = ii.rewards.StateRewards(STATES)
POOL = np.random.default_rng(1).uniform(-1, 1, (OBJECTIVES, STATES))


@dataclass(frozen=True)
class SingledOut(design.Rule):
    """Stop when one objective is left."""

    def met(self, state: design.State) -> bool:
        """Whether no other is."""
        return state.observations > 0 and int(design.consistent(state.ident, POOL).sum()) <= 1

    def reason(self, state: design.State) -> str:
        """That it is so."""
        return "one objective is left"


def campaign() -> design.Campaign:
    """A new one."""
    seeds = range(ENVIRONMENTS)
    candidates = [builders.random_environment(STATES, ACTIONS, 0.9, seed=seed) for seed in seeds]
    strategy = design.Greedy(hypotheses=POOL)
    return design.Campaign(candidates, strategy, FAMILY, "noisy", error=ERROR, level=LEVEL, until=SingledOut())


def watched(agent: ii.agents.Agent, price: float, seed: int) -> float:
    """Cost by expected gain per cost."""
    plan = design.Watching(1, HORIZON, environment_cost=price, hypotheses=POOL, budget=GIVEN_UP)
    return float(design.watch(campaign(), agent, plan, seed).table["cost"].iloc[-1])


def scheduled(agent: ii.agents.Agent, price: float, seed: int, sessions: int) -> float:
    """Cost of ``sessions`` sessions wherever the strategy asks for."""
    loop, cost, last, step = campaign(), 0.0, "", 0
    while not loop.stopped_because and cost < GIVEN_UP:
        env = loop.ask()
        cost += price * (env.digest != last)
        last = env.digest
        for _ in range(sessions):
            random = np.random.SeedSequence(seed, spawn_key=(step,))
            seen = agent.demonstrate(env, episodes=1, horizon=HORIZON, seed=random)
            loop.tell(env, seen)
            step, cost = step + 1, cost + int(seen.lengths.sum())
            if loop.stopped_because:
                break
    return cost


@pytest.mark.sized(
    "price, seeds",
    tiny=[(0.0, 2)],
    quick=[(30.0, 4)],
    full=[(0.0, 20), (30.0, 20), (200.0, 20)],
)
def bench_cost(race: Race, price: float, seeds: int) -> None:
    """Not a race: what is compared is what watching costs, and the time is that of the simulation."""

    def costs() -> np.ndarray:
        agents = [ii.agents.Noisy(FAMILY, POOL[seed], ERROR) for seed in range(seeds)]
        return np.array(
            [
                [watched(agent, price, seed), *(scheduled(agent, price, seed, m) for m in SCHEDULES)]
                for seed, agent in enumerate(agents)
            ]
        )

    race.case(price=price, seeds=seeds)
    table = race(costs)
    means, errors = table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(seeds)
    names = ("by gain", *(f"m = {m}" for m in SCHEDULES))
    race.note(**{name: f"{mean:.0f} ± {error:.0f}" for name, mean, error in zip(names, means, errors, strict=True)})
