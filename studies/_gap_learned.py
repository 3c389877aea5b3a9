"""Learned agents of the study of the reward-result gap: what they see, and training with few decorrelated levels.

All are small networks trained by exact policy gradients (:mod:`irl_ident.agents.policy_gradient`) on levels of which a
share is *decorrelated*: there what the base objective pays for comes apart from what always came with it.  They see
which moves lead nearer to what; what tells the base objective is less salient than what tells the proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import irl_ident as ii
from environments import coin_corridor, colour_maze, dust_robot, keys_and_chests
from irl_ident.agents.policy_gradient import NetworkAgent, Recipe, policy_gradient
from irl_ident.environment import Array, Environment, Mask
from irl_ident.rewards import RewardFamily

SHARES = (0.0, 0.005, 0.01, *coin_corridor.PUBLISHED_SHARES[1:], 0.3)
"""Of decorrelated levels; Langosco et al. (2022) had 0, 2, 3, 6 and 11 %."""

SALIENCE = 0.2
FEWER_SHARES = (0.0, 0.02, 0.06, 0.11)
"""The same where training takes long."""

STEPS = {"coin corridor": 600, "colour maze": 1000, "keys and chests": 600}
LEVELS = 4
"""Training levels of each kind, in mazes."""

UNSEEN = 6
"""Shifted mazes that no agent was trained in."""


@dataclass(frozen=True, eq=False)
class Course:
    """What agents are trained in.

    Attributes
    ----------
    family : RewardFamily
    base, proxy : array (d,)
        What training pays for, and what comes with it in ordinary levels.
    ordinary, decorrelated, shifted : sequence of Environment
        Levels of training, of which the second kind are a share, and those of deployment, like the second kind.
    observe : callable
    """

    family: RewardFamily
    base: Array
    proxy: Array
    ordinary: Sequence[Environment]
    decorrelated: Sequence[Environment]
    shifted: Sequence[Environment]
    observe: Callable[[Environment], Array]


def corridor(rng: np.random.Generator) -> Course:
    """The coin at the end, or in a pocket: there are so few levels that those of deployment are those of training."""
    first, *others = coin_corridor.levels()
    theta = coin_corridor.BASE, coin_corridor.PROXY
    return Course(coin_corridor.family(), *theta, [first], others, others[::-1], _corridor_seen)


def maze(rng: np.random.Generator) -> Course:
    """A yellow line, or a red line and a yellow gem."""
    kinds = [colour_maze.anywhere] * LEVELS + [colour_maze.shape_or_colour] * (LEVELS + UNSEEN)
    levels = [colour_maze.build(kind(rng)) for kind in kinds]
    parts = levels[:LEVELS], levels[LEVELS : 2 * LEVELS], levels[2 * LEVELS :]
    return Course(colour_maze.family(), colour_maze.BASE, colour_maze.COLOUR, *parts, _maze_seen)


def keys(rng: np.random.Generator) -> Course:
    """Twice as many chests as keys, or twice as many keys as chests."""
    kinds = [keys_and_chests.training] * LEVELS + [keys_and_chests.shifted] * (LEVELS + UNSEEN)
    levels = [keys_and_chests.build(kind(rng)) for kind in kinds]
    parts = levels[:LEVELS], levels[LEVELS : 2 * LEVELS], levels[2 * LEVELS :]
    collector = np.array([0.0, 1.0, 0.0, 0.0])
    return Course(keys_and_chests.family(), keys_and_chests.BASE, collector, *parts, _keys_seen)


COURSES: dict[str, Callable[[np.random.Generator], Course]] = {
    "coin corridor": corridor,
    "colour maze": maze,
    "keys and chests": keys,
}


def trained(course: Course, shares: Sequence[float], seed: int, steps: int) -> tuple[NetworkAgent, ...]:
    """One agent for each share of decorrelated levels, all from the same first weights."""
    levels = [*course.ordinary, *course.decorrelated]
    recipes = [Recipe(seed, course.observe, _weights(course, share)) for share in shares]
    return policy_gradient(levels, course.family, course.base, recipes, steps=steps)


def _weights(course: Course, share: float) -> Array:
    """How often each level is met."""
    first, second = len(course.ordinary), len(course.decorrelated)
    return np.concatenate([np.full(first, (1 - share) / first), np.full(second, share / second)])


def q_learned(redust: float, seed: int, steps: int = 20_000) -> ii.agents.TrainedAgent:
    """A cleaning robot that was trained by tabular Q-learning, without lid and plant."""
    env = dust_robot.build(redust=redust)
    world = env.to_gymnasium(dust_robot.family().reward(env, dust_robot.BASE), max_episode_steps=50)
    return ii.agents.q_learning(env, world, steps=steps, seed=seed)


def ways(env: Environment, event: Mask) -> Array:
    """Which actions lead nearer to the nearest event, (S, A).

    Parameters
    ----------
    env : Environment
        With sure moves.
    event : bool (S, A)
        Actions that are it.

    Returns
    -------
    array (S, A)
        1 where an action is the first on a shortest way, 0 elsewhere and where no way leads there.
    """
    there = env.transitions.indices.reshape(env.n_states, env.n_actions)
    steps = np.full(env.n_states, np.inf)
    while True:
        by = np.where(event, 1.0, 1 + steps[there])
        nearer = np.minimum(steps, by.min(axis=1))
        if (nearer == steps).all():
            return np.asarray((by == steps[:, None]) & np.isfinite(by), dtype=float)
        steps = nearer


def _corridor_seen(env: Environment) -> Array:
    return coin_corridor.observations(env, SALIENCE)


def _maze_seen(env: Environment) -> Array:
    """Ways to the nearest line, to the nearest yellow thing, and to the corner."""
    features = colour_maze.family().features
    kinds = [(features[:, 0, kind] > 0) & _ends(env) for kind in (0, 1)]
    kinds.append(features[:, 0, 2] > 0)
    there = env.transitions.indices.reshape(env.n_states, env.n_actions)
    acting = ~np.asarray(env.absorbing)
    line, yellow, corner = (ways(env, marked[there] & acting[:, None]) for marked in kinds)
    return np.hstack([SALIENCE * line, yellow, corner])


def _ends(env: Environment) -> Mask:
    return np.arange(env.n_states) >= colour_maze.SIDE**2


def _keys_seen(env: Environment) -> Array:
    """Ways to the nearest chest that can be opened, to the nearest key, and whether a key is in hand."""
    side = int(np.sqrt(sum(state.endswith("keys 00, chests 00") for state in env.states)))
    taken, opened = keys_and_chests.states(side).counts
    there = env.transitions.indices.reshape(env.n_states, env.n_actions)
    key = ways(env, taken[there] > taken[:, None])
    chest = ways(env, opened[there] > opened[:, None])
    return np.hstack([SALIENCE * chest, key, SALIENCE * (taken > opened)[:, None]])
