"""Bayesian inverse RL against a plain Metropolis chain: effective samples a second, of the same posterior.

Run ``python -m benchmarks.bayesian [--quick] [--agents noisy]``.

Slippery grids with four actions, discount .95; rewards on d features drawn from a standard normal, or on every state;
the true parameters are drawn from the prior, N(0, 1), and ten choices of their agent are seen in every state.

The peer is a Gaussian random walk with Metropolis' test that plans every proposal from nothing by value iteration in
numpy until no value changes by more than 1e-4 (Ramachandran & Amir's PolicyWalk as it is commonly written).  It is
given what it would have to find out: it starts from draws of our posterior and its step size, the same in all
directions, is tuned to an acceptance of .3 beforehand; neither is timed.  Its effective samples a step come from
``--steps`` steps of 8 such chains, which are planned by our batch planners to make them long; its seconds a step from
plain steps on their own.  Ours holds everything: modes, warm-up, draws, diagnostics.  Effective samples are ArviZ's
bulk ESS of the parameter that has the least.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

from irl_ident import Environment, agents, builders
from irl_ident.evidence import Counts
from irl_ident.rewards import LinearRewards, RewardFamily, StateRewards
from irl_ident.solvers.bayesian import BayesianIRL, Posterior
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
    started = time.perf_counter()
    for theta in places:
        begun = time.perf_counter()
        plain_log_posterior(given, theta)
        times.append(time.perf_counter() - begun)
        if time.perf_counter() - started > budget and len(times) >= 20:
            break
    return median(times)


def timed(run: Callable[[], Posterior]) -> tuple[float, Posterior]:
    begun = time.perf_counter()
    result = run()
    return time.perf_counter() - begun, result


def compare(rationality: str, side: int, dim: int, seeds: int, steps: int) -> None:
    rows = []
    for seed in range(seeds):
        given = problem(rationality, side, dim, seed)
        solver = BayesianIRL(given.rationality, epsilon=EPSILON, seed=seed, **SETTINGS[rationality])
        seconds, ours = timed(lambda: solver.fit([(given.env, Counts(given.counts))], given.family))  # noqa: B023
        draws, acceptance = walked(given, ours.draws[:CHAINS, -1], steps, np.random.default_rng(seed))
        per_step = float(array_stats.ess(np.moveaxis(draws, 2, 0), chain_axis=1, draw_axis=2).min()) / (CHAINS * steps)
        cost = seconds_a_step(given, draws)
        apart = np.abs(draws.mean(axis=(0, 1)) - ours.pooled.mean(axis=0)) / ours.deviation
        theirs = per_step / cost
        rate = ours.effective.min() / seconds
        rows.append(
            (
                rate,
                theirs,
                rate / theirs,
                ours.effective.min(),
                ours.r_hat.max(),
                per_step,
                cost,
                acceptance,
                apart.max(),
            )
        )
    middle = [median(row[k] for row in rows) for k in range(9)]
    spread = [row[2] for row in rows]
    print(
        f"{rationality:>9} {side * side:>4} {dim:>4} {middle[0]:>9.1f} {middle[1]:>9.3f} {middle[2]:>8.0f} "
        f"{min(spread):>7.0f} {max(spread):>7.0f} {middle[3]:>7.0f} {middle[4]:>6.3f} {middle[5]:>9.5f} "
        f"{1e3 * middle[6]:>8.2f} {middle[7]:>5.2f} {middle[8]:>5.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, 16 states")
    parser.add_argument("--steps", type=int, default=4000, help="steps of each chain of the peer")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--agents", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args()
    array_stats.rhat(np.random.default_rng(0).standard_normal((4, 10)))
    print("agent, states, d; effective samples a second: ours, plain; ratio: median, least, greatest; then ours: least")
    print("effective size, largest R-hat; plain: effective samples a step, ms a step, acceptance; means apart, in sd")
    sides = [4] if options.quick else [4, 8, 10]
    for rationality in options.agents:
        for side in sides:
            for dim in (4, side * side):
                compare(rationality, side, dim, 1 if options.quick else options.seeds, options.steps)


if __name__ == "__main__":
    main()
