"""Mice in a labyrinth: the recorded choices, and models of them under every rationality.

A model gives each recorded choice a probability.  Choices are scored from the second step of a trajectory on, where
the node before is known to all models alike.  Trajectories are cuts of 500 steps from longer recordings: one that
begins where the one above it ended belongs to the same recording, and what is resampled is recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

import irl_ident as ii
from environments import labyrinth
from irl_ident import planning, untrusted
from irl_ident.agents import Optimal, SoftOptimal
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Counts, Trajectories
from irl_ident.identified.soft_likelihood import Fit, maximum_likelihood
from irl_ident.rewards import LinearRewards, RewardFamily, StateActionRewards, StateRewards
from irl_ident.solvers import (
    AIRL,
    MCEIRL,
    BayesianIRL,
    BehavioralCloning,
    BoltzmannML,
    Gaussian,
    Laplace,
    MaxEnt,
    Solver,
    boltzmann,
)

FOLDS = 4
"""Groups of recordings among which penalties and smoothing are chosen."""

TEST_EVERY = 5
DISCOUNT = 0.95

PREDICTING = 50
"""Draws of a posterior that predict together."""


@dataclass(frozen=True, eq=False)
class Mice:
    """Recorded trajectories.

    Attributes
    ----------
    maze : labyrinth.Plan
    states, actions : array (N, H) of int
    """

    maze: labyrinth.Plan
    states: labyrinth.Integers
    actions: labyrinth.Integers

    @cached_property
    def recording(self) -> labyrinth.Integers:
        """Number of the recording that each trajectory is cut from, (N,)."""
        last = self.maze.next_state[self.states[:, -1], self.actions[:, -1]]
        return np.concatenate([[0], np.cumsum(last[:-1] != self.states[1:, 0])])

    @cached_property
    def held_out(self) -> Mask:
        """Test trajectories, (N,): every fifth, from the first on."""
        return np.asarray(np.arange(len(self.states)) % TEST_EVERY == 0)

    @property
    def choices(self) -> labyrinth.Integers:
        """Scored actions, (N, H - 1)."""
        return self.actions[:, 1:]


def read(file: Path) -> Mice:
    """Read and check ``states`` (N, H), ``actions`` (N, H) and ``next_state`` (S, 4) from an npz file.

    Raises
    ------
    ValueError
        Names the file, the array, the place and the value at fault.
    """
    packed = untrusted.content(file)
    try:
        return _checked(untrusted.arrays(packed))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _checked(found: Mapping[str, Any]) -> Mice:
    missing = {"states", "actions", "next_state"} - set(found)
    if missing:
        raise ValueError(f"should hold states, actions and next_state; has no {', '.join(sorted(missing))}")
    states, actions, table = (found[name] for name in ("states", "actions", "next_state"))
    for name, array in (("states", states), ("actions", actions), ("next_state", table)):
        if array.ndim != 2 or array.dtype.kind not in "iu":
            raise ValueError(f"{name}: should be whole numbers of shape (n, m), was {array.dtype} {array.shape}")
    depth = int(np.log2(len(table) + 1)) - 1
    if depth < 1 or table.shape != (2 ** (depth + 1) - 1, 4):
        raise ValueError(f"next_state: should have shape (2 ** (depth + 1) - 1, 4), was {table.shape}")
    maze = labyrinth.plan(depth)
    if (table != maze.next_state).any():
        s, a = (int(i) for i in np.argwhere(table != maze.next_state)[0])
        raise ValueError(f"next_state[{s}, {a}] is {table[s, a]}: should be {maze.next_state[s, a]} in this labyrinth")
    if states.shape != actions.shape or states.shape[1] < 2 or len(states) < 2:
        raise ValueError(f"actions: should have the shape of states, {states.shape}, was {actions.shape}")
    for name, array, limit in (("states", states, maze.n_nodes), ("actions", actions, 4)):
        if ((array < 0) | (array >= limit)).any():
            i, t = (int(k) for k in np.argwhere((array < 0) | (array >= limit))[0])
            raise ValueError(f"{name}[{i}, {t}] is {array[i, t]}: should be from 0 to {limit - 1}")
    states, actions = states.astype(np.int64), actions.astype(np.int64)
    wrong = maze.next_state[states[:, :-1], actions[:, :-1]] != states[:, 1:]
    if wrong.any():
        i, t = (int(k) for k in np.argwhere(wrong)[0])
        here, action, there = states[i, t], actions[i, t], states[i, t + 1]
        should = maze.next_state[here, action]
        raise ValueError(f"states[{i}, {t + 1}] is {there}: action {action} at node {here} leads to node {should}")
    bumps = ~maze.possible[states, actions]
    if bumps.any():
        i, t = (int(k) for k in np.argwhere(bumps)[0])
        raise ValueError(f"actions[{i}, {t}] is {actions[i, t]}: a bump at node {states[i, t]}, which mice never do")
    return Mice(maze, states, actions)


@dataclass(frozen=True, eq=False)
class World:
    """An environment with the state in it of every scored choice, (N, H - 1), and a reward family."""

    env: Environment
    family: RewardFamily
    states: labyrinth.Integers
    choices: labyrinth.Integers

    def counts(self, rows: Mask | labyrinth.Integers) -> Array:
        """How often each action was chosen in each state, (S, A), in the trajectories ``rows`` (mask or indices)."""
        return tally(self.env, self.states[rows], self.choices[rows])

    def scored(self, log_policy: Array) -> Array:
        """Log-probability of every choice, (N, H - 1)."""
        return np.asarray(log_policy[self.states, self.choices])


def tally(env: Environment, states: labyrinth.Integers, choices: labyrinth.Integers) -> Array:
    """Counts (S, A)."""
    flat = np.ravel(states * env.n_actions + choices)
    return np.bincount(flat, minlength=env.n_states * env.n_actions).reshape(env.n_states, -1).astype(float)


FAMILIES = ("places", "places, home, bumps", "state-action", "turns", "turns by level")


def world(mice: Mice, family: str, discount: float) -> World:
    """The world of one of :data:`FAMILIES`: with turns, states are ways to arrive at nodes."""
    maze = mice.maze
    if family.startswith("turns"):
        memory = labyrinth.remembered(maze, discount)
        states = memory.index(mice.states[:, :-1], mice.states[:, 1:])
        rewards = labyrinth.turn_rewards(maze, memory)
        fine = by_level(maze, memory, rewards) if family == "turns by level" else rewards
        return World(memory.env, fine, states, mice.choices)
    families: dict[str, RewardFamily] = {
        "places": StateRewards(maze.n_nodes),
        "places, home, bumps": labyrinth.MazeRewards(maze.n_nodes),
        "state-action": StateActionRewards(maze.n_nodes, len(labyrinth.ACTIONS)),
    }
    return World(labyrinth.build(maze, discount), families[family], mice.states[:, 1:], mice.choices)


def by_level(maze: labyrinth.Plan, memory: labyrinth.Remembered, rewards: LinearRewards) -> LinearRewards:
    """Turn rewards with a parameter for each level of junctions."""
    kept = rewards.features[:, :, : maze.n_nodes + 2]
    turns = rewards.features[:, :, maze.n_nodes + 2 :]
    level = maze.levels[memory.arrivals[:, 1]]
    parts = [turns * (level == k)[:, None, None] for k in range(int(maze.levels.max()))]
    named = list(rewards.parameters)
    names = [f"{n[:-1]}, level {k})" for k in range(len(parts)) for n in named[maze.n_nodes + 2 :]]
    fine = np.concatenate(parts, axis=2)
    used = np.flatnonzero(fine.any(axis=(0, 1)))
    names = named[: maze.n_nodes + 2] + [names[k] for k in used]
    return LinearRewards(np.concatenate([kept, fine[:, :, used]], axis=2), names=names)


def soft_fit(place: World, counts: Array, penalty: float, start: Array | None = None) -> Fit:
    """Maximum causal entropy, by penalised likelihood."""
    return maximum_likelihood([(place.env, counts)], place.family, penalty=penalty, start=start)


def annealed(place: World, counts: Array, penalty: float) -> list[Array]:
    """Estimates for planners ever surer of themselves, each started from the one before, the last for Boltzmann's."""
    precision = np.full(place.family.dim, penalty)
    first = soft_fit(place, counts, penalty).theta
    return boltzmann.annealed([(place.env, counts)], place.family, 1.0, precision, first, iterations=150)[0]


def noisy(place: World, rows: Mask, penalty: float) -> Array:
    """Log-probabilities under an optimal agent that errs with probability epsilon.

    The likelihood is constant in pieces of theta.  Compared are the annealed estimates and, where bumps have a price,
    that price alone, for which all other moves tie; epsilon is fitted to each.
    """
    counts = place.counts(rows)
    candidates = annealed(place, counts, penalty)
    if "R(bump)" in place.family.parameters:
        candidates.append(-np.array([name == "R(bump)" for name in place.family.parameters], dtype=float))
    policies = [Optimal(place.family, theta).policy(place.env) for theta in candidates]
    fitted = [lapse(policy, counts) for policy in policies]
    best = int(np.argmax([(counts * np.log(p)).sum() for p in fitted]))
    return place.scored(np.log(fitted[best]))


def lapse(policy: Array, counts: Array) -> Array:
    """``(1 - epsilon) policy + epsilon / A`` with the epsilon of greatest likelihood, at least 1e-6."""

    def mixed(epsilon: float) -> Array:
        return np.asarray((1 - epsilon) * policy + epsilon / policy.shape[1])

    found: Any = optimize.minimize_scalar(
        lambda x: -float((counts * np.log(mixed(np.exp(x)))).sum()), bounds=(np.log(1e-6), 0.0), method="bounded"
    )
    return mixed(float(np.exp(found.x)))


def cloning(mice: Mice, rows: Mask, memory: int, smoothing: float) -> Array:
    """Log-probabilities under frequencies of choices after the last ``memory`` + 1 nodes.

    Each order is smoothed towards the next lower one by ``smoothing`` choices (Dirichlet), order 0 towards one over the
    number of moves that are no bumps, mixed with a thousandth of bumps.
    """
    maze, horizon = mice.maze, mice.choices.shape[1]
    possible = maze.possible / maze.possible.sum(axis=1, keepdims=True)
    chances = (0.999 * possible + 0.001 / 4)[mice.states[:, 1:]]
    context = mice.states[:, 1:].copy()
    step = np.arange(horizon)
    for order in range(memory + 1):
        if order:
            before = np.full_like(context, -1)
            before[:, order - 1 :] = mice.states[:, : horizon - order + 1]
            known = step >= order - 1
            context = np.where(known & (context >= 0), context * maze.n_nodes + before, -1)
            context = np.unique(context, return_inverse=True)[1].reshape(context.shape) - int((context < 0).any())
        seen = context >= 0
        counts = np.zeros((int(context.max()) + 1, 4))
        own = seen[rows]
        np.add.at(counts, (context[rows][own], mice.choices[rows][own]), 1)
        total = counts.sum(axis=1)[context][..., None]
        chances = np.where(seen[..., None], (counts[context] + smoothing * chances) / (total + smoothing), chances)
    return np.asarray(np.log(np.take_along_axis(chances, mice.choices[..., None], axis=2)[..., 0]))


Score = Callable[[Mice, Mask, float], Array]
"""Log-probabilities (N, H - 1) by a model fitted to the trajectories of a mask, at a hyperparameter."""


@dataclass(frozen=True)
class Model:
    """A model of choices: how it scores, the hyperparameters to choose from, and what it belongs to."""

    score: Score
    choices: Sequence[float]
    group: str


def uniform(mice: Mice, rows: Mask, _: float) -> Array:
    """Log-probabilities when all actions are equally likely."""
    return np.full(mice.choices.shape, -np.log(4))


def uniform_without_bumps(mice: Mice, rows: Mask, _: float) -> Array:
    """Log-probabilities when all actions that are no bumps are equally likely."""
    return np.asarray(-np.log(mice.maze.possible.sum(axis=1))[mice.states[:, 1:]])


def by(method: Callable[[float], Solver]) -> Callable[[World, Mask, float], Array]:
    """Log-probabilities under the estimate of a solver, made for a penalty."""

    def scored(place: World, rows: Mask, penalty: float) -> Array:
        evidence = [(place.env, Counts(place.counts(rows)))]
        return place.scored(np.log(method(penalty).fit(evidence, place.family).policy(place.env)))

    return scored


def predicted(place: World, rows: Mask, penalty: float) -> Array:
    """Log-probabilities by the posterior mean of the policies of soft-optimal agents."""
    solver = BayesianIRL("soft", prior=gaussian(penalty), samples=250, warmup=250)
    draws = solver.fit([(place.env, Counts(place.counts(rows)))], place.family).pooled[:: 4 * 250 // PREDICTING]
    policies = [SoftOptimal(place.family, theta).policy(place.env) for theta in draws]
    return place.scored(np.log(np.mean(policies, axis=0)))


def episodes(mice: Mice, place: World, rows: Mask) -> Trajectories:
    """The scored choices of some trajectories as episodes, for worlds whose states are nodes."""
    last = mice.maze.next_state[place.states[rows, -1], place.choices[rows, -1]]
    return Trajectories(np.column_stack([place.states[rows], last]), place.choices[rows])


def mce(mice: Mice, rows: Mask, _: float) -> Array:
    """Log-probabilities by ``imitation``'s MCE-IRL, whose policy depends on the step."""
    place = world(mice, "places", 1 - 1e-9)
    fitted = MCEIRL(iterations=400).fit([(place.env, episodes(mice, place, rows))], place.family)
    policies = fitted.policies[0]
    steps = np.arange(place.choices.shape[1])
    return np.asarray(np.log(policies[steps, place.states, place.choices]))


def learned(method: Callable[[], Solver]) -> Score:
    """Log-probabilities by a solver of ``imitation`` that learns from episodes."""

    def scored(mice: Mice, rows: Mask, _: float) -> Array:
        place = world(mice, "places", DISCOUNT)
        estimate = method().fit([(place.env, episodes(mice, place, rows))], place.family)
        return place.scored(np.log(estimate.policy(place.env)))

    return scored


def gaussian(penalty: float) -> Gaussian:
    """The prior whose log-density is ``- penalty |theta|^2 / 2``."""
    return Gaussian(1 / np.sqrt(penalty))


def planner(rationality: Callable[[World, Mask, float], Array], family: str, discount: float) -> Score:
    """Scores of a rationality with one of :data:`FAMILIES`."""
    return lambda mice, rows, penalty: rationality(world(mice, family, discount), rows, penalty)


def cloner(memory: int) -> Score:
    """Scores of :func:`cloning`."""
    return lambda mice, rows, smoothing: cloning(mice, rows, memory, smoothing)


def models(discount: float) -> dict[str, Model]:
    """All models by name: every solver that has a likelihood, uniform choices, and cloning."""
    found = {
        "uniform": Model(uniform, (0.0,), "reference"),
        "uniform, no bumps": Model(uniform_without_bumps, (0.0,), "reference"),
    }
    for memory in range(4):
        name = f"cloning, {memory + 1} node{'s' * (memory > 0)}"
        found[name] = Model(cloner(memory), (0.1, 1.0, 3.0, 10.0, 30.0), "cloning")
    soft = by(lambda penalty: MaxEnt(prior=gaussian(penalty)))
    for family in FAMILIES:
        found[f"soft-optimal, {family}"] = Model(planner(soft, family, discount), (0.1, 1.0), "soft-optimal")
    sparse = by(lambda rate: MaxEnt(prior=Laplace(1 / rate)))
    boltzmann_likelihood = by(lambda penalty: BoltzmannML(prior=gaussian(penalty)))
    for family in ("places", "places, home, bumps", "turns"):
        found[f"soft-optimal with few rewards, {family}"] = Model(
            planner(sparse, family, discount), (1.0, 10.0), "soft-optimal"
        )
        found[f"soft-optimal, posterior, {family}"] = Model(planner(predicted, family, discount), (0.1,), "posterior")
        found[f"Boltzmann, {family}"] = Model(planner(boltzmann_likelihood, family, discount), (1.0,), "Boltzmann")
        found[f"noisy, {family}"] = Model(planner(noisy, family, discount), (1.0,), "noisy")
    if find_spec("imitation") is not None:
        found["MCE-IRL, places"] = Model(mce, (0.0,), "imitation")
        found["AIRL, places"] = Model(learned(lambda: AIRL(steps=50_000)), (0.0,), "imitation")
        found["cloning by a network"] = Model(
            learned(lambda: BehavioralCloning(epochs=4, batch_size=256)), (0.0,), "imitation"
        )
    return found


def chosen(mice: Mice, model: Model) -> float:
    """The hyperparameter of greatest likelihood over folds of the training recordings."""
    if len(model.choices) == 1:
        return model.choices[0]
    fold = mice.recording % FOLDS
    training = ~mice.held_out
    totals = [
        sum(
            float(model.score(mice, training & (fold != k), h)[training & (fold == k)].sum())
            for k in range(FOLDS)
            if (training & (fold == k)).any() and (training & (fold != k)).any()
        )
        for h in model.choices
    ]
    return float(model.choices[int(np.argmax(totals))])


def spread(place: World, fit: Fit, penalty: float) -> Array:
    """Covariance (d, d) of a fit by Cramér-Rao, ``(F + penalty)^-1``, on the orthogonal complement of constants."""
    informed = fit.information + penalty * np.eye(fit.theta.size)
    constant = place.family.representational([place.env.discount])["constant"]
    away = np.eye(fit.theta.size) - constant @ np.linalg.pinv(constant)
    return np.asarray(away @ np.linalg.inv(informed) @ away)


def expected_visits(env: Environment, policy: Array, steps: int) -> Array:
    """Expected number of visits (S,) in the first ``steps`` steps from the start."""
    moves = (policy[:, :, None] * env.dense()).sum(axis=1)
    here, total = env.initial, np.zeros(env.n_states)
    for _ in range(steps):
        total += here
        here = here @ moves
    return total


def future_information(env: Environment, family: RewardFamily, theta: Array, steps: int) -> Array:
    """Expected Fisher information (d, d) of a trajectory of ``steps`` steps from node 0 by a soft-optimal animal."""
    policy = planning.soft(env, family.reward(env, theta)).policy
    visits = expected_visits(env, policy, steps)
    return ii.identified.soft_likelihood.fisher_information([(env, visits[:, None] * policy)], family, theta)
