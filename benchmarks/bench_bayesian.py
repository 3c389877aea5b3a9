"""Bayesian inverse RL against a plain Metropolis chain: effective samples a second, of the same posterior.

Slippery grids with four actions, discount .95; rewards on d features drawn from a standard normal, or on every state;
the true parameters are drawn from the prior, N(0, 1), and ten choices of their agent are seen in every state.

The peer is a Gaussian random walk with Metropolis' test that plans every proposal from nothing by value iteration in
numpy until no value changes by more than 1e-4 (Ramachandran & Amir's PolicyWalk as it is commonly written).  It is
given what it would have to find out: it starts from draws of our posterior and its step size, the same in all
directions, is tuned to an acceptance of .3 beforehand; neither is timed.  Its effective samples a step come from
``STEPS`` steps of 8 such chains, which are planned by our batch planners to make them long; its seconds a step from
plain steps on their own.  Ours holds everything: modes, warm-up, draws, diagnostics.  Effective samples are ArviZ's
bulk ESS of the parameter that has the least.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import pytest
from arviz_stats.base import array_stats

from benchmarks.race import Lap, Race
from irl_ident import Environment, agents, builders
from irl_ident.evidence import Counts
from irl_ident.rewards import LinearRewards, RewardFamily, StateRewards
from irl_ident.solvers.bayesian import BayesianIRL
from irl_ident.solvers.choices import BoltzmannChoices, Choices, NoisyChoices, SoftChoices

DISCOUNT, EPSILON, ACCEPTANCE, CHAINS = 0.95, 0.2, 0.3, 8
SETTINGS: dict[str, dict[str, int]] = {
    "soft": {"chains": 32, "warmup": 100, "samples": 250},
    "boltzmann": {"chains": 32, "warmup": 100, "samples": 250},
    "noisy": {"chains": 4, "warmup": 50, "samples": 500},
}
Vector = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Problem:
    """One posterior."""

    rationality: Any
    env: Environment
    family: RewardFamily
    counts: Vector
    features: Vector
    table: Vector

    @property
    def choices(self) -> Choices:
        """For our planners."""
        kind: Any = {"soft": SoftChoices, "boltzmann": BoltzmannChoices, "noisy": NoisyChoices}[self.rationality]
        choices: Choices = kind(self.env, self.counts, EPSILON if self.rationality == "noisy" else 1.0)
        return choices


def problem(rationality: str, side: int, dim: int, seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    env = builders.grid("\n".join(["." * side] * side), DISCOUNT, slip=0.2).environment
    n_states, n_actions = env.n_states, env.n_actions
    per_state = np.repeat(rng.standard_normal((n_states, 1, dim)), n_actions, axis=1)
    family = StateRewards(n_states) if dim == n_states else LinearRewards(per_state)
    theta = rng.standard_normal(dim)
    kind: Any = {"soft": agents.SoftOptimal, "boltzmann": agents.Boltzmann, "noisy": agents.Noisy}[rationality]
    policy = kind(family, theta, EPSILON if rationality == "noisy" else 1.0).policy(env)
    counts = np.array([rng.multinomial(10, row / row.sum()) for row in policy])
    features = family.matrix(env).toarray()
    table = env.dense().reshape(-1, n_states) * DISCOUNT
    return Problem(rationality, env, family, counts.astype(float), features, table)


def plain_log_posterior(given: Problem, theta: Vector) -> float:
    reward = (given.features @ theta).reshape(given.counts.shape)
    values = np.zeros(len(reward))
    while True:
        q = reward + (given.table @ values).reshape(reward.shape)
        top = q.max(axis=1)
        if given.rationality == "soft":
            top = top + np.log(np.exp(q - top[:, None]).sum(axis=1))
        change = np.abs(top - values).max()
        values = top
        if change <= 1e-4:
            break
    if given.rationality == "noisy":
        best = q >= q.max(axis=1, keepdims=True) - 1e-6
        log_policy = np.log((1 - EPSILON) * best / best.sum(axis=1, keepdims=True) + EPSILON / q.shape[1])
    else:
        log_policy = q - q.max(axis=1, keepdims=True)
        log_policy = log_policy - np.log(np.exp(log_policy).sum(axis=1, keepdims=True))
    return float((log_policy * given.counts).sum() - theta @ theta / 2)


def walked(given: Problem, start: Vector, steps: int, rng: np.random.Generator) -> tuple[Vector, float]:
    """Draws (chains, steps, d) of the random walk after tuning, and its acceptance."""
    choices, family = given.choices, given.family
    plans = choices.start(len(start))

    def density(theta: Vector, plans: Vector) -> tuple[Vector, Vector]:
        rewards = (given.features @ theta.T).T.reshape(len(theta), *given.counts.shape)
        found, later = choices.values(rewards, plans)
        return found - (theta**2).sum(axis=1) / 2, later

    theta, size = start.copy(), 1 / np.sqrt(family.dim)
    value, plans = density(theta, plans)
    draws, accepted = np.empty((len(start), steps, family.dim)), 0.0
    tuning = 300
    for t in range(-tuning, steps):
        trial = theta + size * rng.standard_normal(theta.shape)
        its_value, plans = density(trial, plans)
        taken = np.log(1 - rng.random(len(theta))) < its_value - value
        theta, value = np.where(taken[:, None], trial, theta), np.where(taken, its_value, value)
        if t < 0:
            size *= np.exp((taken.mean() - ACCEPTANCE) / np.sqrt(1 + (t + tuning) / 10))
        else:
            draws[:, t] = theta
            accepted += float(taken.mean()) / steps
    return draws, accepted


def seconds_a_step(given: Problem, draws: Vector, budget: float = 2.0) -> float:
    times, places = [], draws[:, ::37].reshape(-1, draws.shape[2])
    started = time.process_time()
    for theta in places:
        begun = time.process_time()
        plain_log_posterior(given, theta)
        times.append(time.process_time() - begun)
        if time.process_time() - started > budget and len(times) >= 20:
            break
    return median(times)


SIZES = {
    "tiny": [("soft", 3, 2, 0)],
    "quick": [("soft", 4, 4, 0), ("boltzmann", 4, 4, 0)],
    "full": [
        *(
            (agent, side, dim, seed)
            for agent in ("soft", "boltzmann")
            for side in (4, 8)
            for dim in (4, side**2)
            for seed in range(3)
        ),
        *((agent, 10, 4, seed) for agent in ("soft", "boltzmann") for seed in range(3)),
        *(("noisy", 4, dim, seed) for dim in (4, 16) for seed in range(3)),
    ],
}
STEPS = {"tiny": 200, "quick": 2000, "full": 2000}
"""Of each chain of the peer, by the size of the run."""


@pytest.mark.sized("rationality, side, dim, seed", **SIZES)
def bench_posterior(
    race: Race, request: pytest.FixtureRequest, rationality: str, side: int, dim: int, seed: int
) -> None:
    steps = STEPS[request.config.getoption("--size")]
    array_stats.rhat(np.random.default_rng(0).standard_normal((4, 10)))
    given = problem(rationality, side, dim, seed)
    settings = SETTINGS[rationality] if side > 3 else {"chains": 4, "warmup": 20, "samples": 20}
    solver = BayesianIRL(given.rationality, epsilon=EPSILON, seed=seed, **settings)

    def metropolis(ours: Any) -> Lap:
        draws, _ = walked(given, ours.draws[:CHAINS, -1], steps, np.random.default_rng(seed))
        effective = float(array_stats.ess(np.moveaxis(draws, 2, 0), chain_axis=1, draw_axis=2).min())
        return Lap(1000 * seconds_a_step(given, draws) * draws.shape[0] * steps / effective)

    race.case(agent=rationality, states=side * side, d=dim)
    found = race(
        lambda: solver.fit([(given.env, Counts(given.counts))], given.family),
        {"plain chain": metropolis},
        work=lambda posterior: float(posterior.effective.min()) / 1000,
        unit="s for 1,000 effective samples",
    )
    race.note(**{"R-hat": f"{found.r_hat.max():.3f}"})
