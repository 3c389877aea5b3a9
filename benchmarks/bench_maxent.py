"""Maximum causal entropy IRL against two public implementations: seconds to the same likelihood.

Slippery grids with four actions (a fifth of the moves slips sideways), a reward on every state from a standard normal,
and the exact policy of its soft-optimal agent as evidence, started evenly in all cells.  The *gap* of an estimate is
the expected log-likelihood of an episode, in nats, that it loses to the agent itself.  All runs start from theta = 0,
on one thread, in turns.  A peer is stopped at its first step with a gap below the one asked for, and looking is not
timed; ours runs to its own end.  Where a peer is out of time, its gap there is printed and its ratio is a lower bound.

*Horizon 30, discount 1*: ``imitation``'s MCE-IRL, with Adam at its own learning rate, .01, and at .3, which of
{.03, .1, .3, 1} was the fastest for 25 states and the wider gap (at 1 it never comes to the narrow one with 400
states).  Ours fits the environment unrolled in time; unrolling is timed.

*Discount .9, no horizon*: irl-maxent's ``irl_causal`` on the same agent's world written as it asks for it: every step
ends the episode with probability .1, undiscounted.  It is given exact feature expectations in place of trajectories,
the alias ``np.float`` that NumPy has no more, and gradient ascent at the learning rate of {.03, .1, .3, 1, 3} that was
the fastest for 25 states.

*Ours alone*: discount .95 and 100 choices a state.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from benchmarks.race import Lap, Race
from irl_ident import Environment, builders, planning
from irl_ident.agents import SoftOptimal
from irl_ident.evidence import Counts
from irl_ident.rewards import RewardFamily, StateRewards
from irl_ident.solvers.likelihood import MaxEnt, MaxEntEstimate
from irl_ident.transformed import finite_horizon, unrolled

HORIZON, DISCOUNT = 30, 0.9
TOLERANCES = {1e-2: 5e-4, 1e-6: 5e-6}
"""Of ours over a horizon, for each gap; see MaxEnt."""
LIMIT = 30.0
"""Seconds that a peer has."""
Vector = np.ndarray[Any, np.dtype[np.float64]]


class Enough(Exception):
    """Leaves a peer's loop."""


@dataclass(frozen=True)
class World:
    """One problem: a base grid, and the environment in which its agent is stationary."""

    base: Environment
    env: Environment
    family: RewardFamily
    truth: Vector
    policy: Vector
    visits: Vector

    def gap(self, theta: Vector) -> float:
        """Expected log-likelihood of an episode lost to the agent, in nats."""
        plan = planning.soft(self.env, self.family.reward(self.env, theta))
        with np.errstate(divide="ignore"):
            lost = np.where(self.visits > 0, np.log(self.policy) - plan.log_policy, 0.0)
        return float((self.visits * lost).sum())


@dataclass
class Watch:
    """Stops a peer whose gap is small enough or whose time is up; the time of looking does not count."""

    world: World
    enough: float
    limit: float
    seconds: float = 0.0
    steps: int = 0
    gap: float = np.inf
    since: float = field(default_factory=time.process_time)

    def look(self, theta: Vector) -> None:
        """Read off the gap at ``theta``; ``Enough`` when the run is over."""
        self.seconds += time.process_time() - self.since
        self.steps += 1
        self.gap = self.world.gap(theta)
        if self.gap <= self.enough or self.seconds > self.limit:
            raise Enough
        self.since = time.process_time()

    @property
    def reached(self) -> bool:
        """Whether the gap became small enough in time."""
        return self.gap <= self.enough


def grid(side: int, discount: float) -> Environment:
    return builders.grid("\n".join(["." * side] * side), discount, slip=0.2).environment


def world(side: int, horizon: int | None) -> World:
    base = grid(side, DISCOUNT)
    truth = np.random.default_rng(side).standard_normal(side * side)
    family: RewardFamily = StateRewards(side * side)
    env = base
    if horizon is not None:
        env = unrolled(base, horizon, 1.0)
        even = np.full((base.n_states, base.n_actions), 1 / base.n_actions)
        _, family = finite_horizon([(base, even)], family, horizon, discount=1.0)
    policy = SoftOptimal(family, truth).policy(env)
    visits = planning.occupancy(env, policy)
    visits[env.absorbing] = 0
    return World(base, env, family, truth, policy, visits)


def ours_over_a_horizon(given: World, enough: float) -> MaxEntEstimate:
    n_states, n_actions = given.base.n_states, given.base.n_actions
    shown = given.policy[:-1].reshape(-1, n_states, n_actions)
    seen, family = finite_horizon([(given.base, shown)], StateRewards(n_states), len(shown), discount=1.0)
    return MaxEnt(tolerance=TOLERANCES[enough]).fit(seen, family)


def ours(given: World, enough: float) -> MaxEntEstimate:
    return MaxEnt(tolerance=1e-6).fit([(given.env, given.policy)], given.family)


def imitations(given: World, enough: float, limit: float, rate: float) -> Watch:
    import torch
    from imitation.algorithms.mce_irl import MCEIRL, mce_occupancy_measures

    from irl_ident.solvers.imitation_library.mce import union
    from irl_ident.solvers.imitation_library.nets import LinearStateReward

    torch.set_num_threads(1)
    base = given.base
    horizon = (given.env.n_states - 1) // base.n_states
    pomdp = union([base], base.initial, np.eye(base.n_states), horizon)
    _, shown = mce_occupancy_measures(pomdp, reward=given.truth)
    net = LinearStateReward(pomdp)
    watch = Watch(given, enough, limit)

    class Watched(torch.optim.Adam):
        def step(self, closure: Any = None) -> None:
            super().step(closure)
            watch.look(net.theta.detach().numpy().astype(float).ravel())

    random = np.random.default_rng(0)
    trainer = MCEIRL(shown, pomdp, net, random, Watched, {"lr": rate}, linf_eps=0.0, grad_l2_eps=0.0, log_interval=None)
    watch.since = time.process_time()
    with suppress(Enough):
        trainer.train(10**6)
    return watch


def irl_maxents(given: World, enough: float, limit: float, rate: float) -> Watch:
    from irl_maxent import maxent, optimizer

    env, n_states = given.env, given.env.n_states
    table = np.zeros((n_states + 1, n_states + 1, env.n_actions))
    table[:n_states, :n_states] = env.discount * env.dense().transpose(0, 2, 1)
    table[:n_states, n_states] = 1 - env.discount
    features = np.eye(n_states + 1)
    initial = np.append(env.initial, 0.0)
    maxent.feature_expectation_from_trajectories = lambda features, _: np.append(given.visits.sum(axis=1), 1.0)
    maxent.initial_probabilities_from_trajectories = lambda n_states, _: initial
    watch = Watch(given, enough, limit)

    class Watched(optimizer.Sga):  # type: ignore[misc]
        def step(self, gradient: Vector) -> None:
            super().step(gradient)
            watch.look(self.parameters[:n_states])

    watch.since = time.process_time()
    with suppress(Enough), patch.object(np, "float", float, create=True):
        maxent.irl_causal(table, features, [n_states], [], Watched(rate), optimizer.Constant(0.0), 1.0, eps=0.0)
    return watch


def compare(race: Race, given: World, mine: Any, name: str, peer: Any, rate: float, enough: float, rounds: int) -> None:
    def theirs(_: Any) -> Lap:
        watch = peer(given, enough, LIMIT, rate)
        return Lap(watch.seconds, watch.reached, {"its gap": watch.gap, "its steps": watch.steps})

    found = race(lambda: mine(given, enough), {name: theirs}, rounds=rounds)
    race.note(gap=given.gap(found.theta), steps=found.convergence.iterations)


@pytest.mark.sized(
    "side, rate, enough, rounds",
    tiny=[(3, 0.3, 1e-2, 1)],
    quick=[(5, 0.3, 1e-2, 1), (10, 0.3, 1e-2, 1), (10, 0.3, 1e-6, 1), (10, 0.01, 1e-2, 1)],
    full=[
        *((side, 0.01, 1e-2, 3 if side < 20 else 1) for side in (5, 10, 20)),
        *((side, 0.3, 1e-2, 3 if side < 20 else 1) for side in (5, 10, 20, 40)),
        *((side, 0.3, 1e-6, 1) for side in (5, 10, 20)),
    ],
)
def bench_over_a_horizon(race: Race, side: int, rate: float, enough: float, rounds: int) -> None:
    pytest.importorskip("imitation")
    imitations(world(3, 2), 1.0, 10.0, rate)
    race.case(**{"learning rate": rate, "gap asked": enough, "states": side * side})
    horizon = HORIZON if side > 3 else 3
    compare(race, world(side, horizon), ours_over_a_horizon, "imitation", imitations, rate, enough, rounds)


@pytest.mark.sized(
    "side, rounds",
    tiny=[(3, 1)],
    quick=[(5, 1)],
    full=[(5, 1), (10, 1), (20, 1)],
)
def bench_without_horizon(race: Race, side: int, rounds: int) -> None:
    pytest.importorskip("irl_maxent")
    race.case(**{"gap asked": 1e-2, "states": side * side})
    compare(race, world(side, None), ours, "irl-maxent", irl_maxents, 1.0, 1e-2, rounds)


@pytest.mark.sized("side", tiny=[5], quick=[32], full=[32, 100])
def bench_alone(race: Race, side: int) -> None:
    env = grid(side, 0.95)
    family = StateRewards(env.n_states)
    truth = np.random.default_rng(0).standard_normal(env.n_states)
    policy = SoftOptimal(family, truth).policy(env)
    drawn = np.random.default_rng(1).multinomial(100, policy / policy.sum(axis=1, keepdims=True))
    race.case(states=env.n_states)
    found = race(lambda: MaxEnt().fit([(env, Counts(drawn))], family))
    race.note(steps=found.convergence.iterations)
