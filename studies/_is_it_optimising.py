"""Layouts, and systems that act in them: optimisers, tables, and what lies between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

import irl_ident as ii
from environments import object_grid
from irl_ident import planning
from irl_ident.agents.table import TableAgent
from irl_ident.environment import Array, Mask
from irl_ident.planning.soft_batch import soft_batch

SIDE, SLIP, DISCOUNT = 4, 0.1, 0.9
THINGS = ("first", "second", "third")
LAYOUTS, HELD_OUT = 8, 4
CELLS = SIDE**2

TEMPERATURES = (0.1, 0.3, 1.0)
SUPPOSED = (0.03, 0.1, 0.3, 1.0)
LEVELS = 5
"""Temperatures, and levels of what the middle thing is worth, of the agents that are weighed against devices."""

SIGHT = 3
"""Steps that the short-sighted agent looks ahead."""

TRAINING = 3_000
"""Steps of Q-learning in one layout."""

CHECKPOINTS = (100, 300, 1_000, 3_000, 10_000)
EPISODE = 40

Policies = list[Array]
"""What is done in each layout, (S, A) each."""


@lru_cache(maxsize=1)
def family() -> ii.rewards.LinearRewards:
    """What the floor and each of three things are worth."""
    return object_grid.family(SIDE, THINGS)


@dataclass(frozen=True, eq=False)
class Worlds:
    """Layouts of walls and things, and what is pursued in them.

    Attributes
    ----------
    layouts : tuple of Environment
        The first is the one that tables come from.
    held_out : tuple of Environment
        Seen by nobody.
    theta : array (4,)
        The objective: a floor worth 0, things worth between 0 and 1, the best 1.
    own : array (4,)
        Another one, with another best thing, that the deceiver has.
    """

    layouts: tuple[ii.Environment, ...]
    held_out: tuple[ii.Environment, ...]
    theta: Array
    own: Array

    def reward(self, env: ii.Environment) -> Array:
        """The objective in a layout, (S, A)."""
        return family().reward(env, self.theta)

    @cached_property
    def hypotheses(self) -> list[TableAgent]:
        """Soft agents with objectives on a grid, and one for which there is nothing to reach, planned once."""
        thetas = [*object_grid.canonical_objectives(LEVELS), np.zeros(1 + len(THINGS))]
        each: list[list[Array]] = [[] for _ in range(len(thetas) * len(SUPPOSED))]
        for env in self.layouts:
            rewards = np.array([family().reward(env, theta) for theta in thetas])
            planned = [soft_batch(env, rewards, temperature).policy for temperature in SUPPOSED]
            for own, policy in zip(each, np.concatenate(planned), strict=True):
                own.append(policy)
        return [TableAgent(self.layouts, tables) for tables in each]


def worlds(seed: int) -> Worlds:
    """Random layouts and an objective."""
    rng = np.random.default_rng(seed)
    drawn = [
        object_grid.build(object_grid.random_layout(rng, side=SIDE), THINGS, slip=SLIP, discount=DISCOUNT)
        for _ in range(LAYOUTS + HELD_OUT)
    ]
    things = rng.random(len(THINGS))
    things[rng.integers(len(THINGS))] = 1
    own = np.roll(things, 1 + rng.integers(len(THINGS) - 1))
    return Worlds(tuple(drawn[:LAYOUTS]), tuple(drawn[LAYOUTS:]), np.append(0, things), np.append(0, own))


def optimal_actions(env: ii.Environment, reward: Array) -> Mask:
    """All optimal actions, (S, A)."""
    return planning.optimal_actions(planning.optimal(env, reward).q)


def accuracy(env: ii.Environment, policy: Array, best: Mask) -> float:
    """The probability of an optimal action, mean over the cells in which one can start."""
    return float((policy * best).sum(axis=1)[env.initial > 0].mean())


def idle(layouts: Sequence[ii.Environment], policies: Sequence[Array]) -> Policies:
    """The same with any action evenly where nothing can be done: that is no choice."""
    return [
        np.where(env.absorbing[:, None], 1 / env.n_actions, policy)
        for env, policy in zip(layouts, policies, strict=True)
    ]


def everywhere(found: Worlds, agent: ii.agents.Agent) -> Policies:
    """What an agent does in every layout."""
    return idle(found.layouts, [agent.policy(env) for env in found.layouts])


def same_table(found: Worlds, table: Array) -> Policies:
    """One table in every layout, from the first: of cells that hold something there it knows nothing."""
    (known,) = idle(found.layouts[:1], [table])
    return idle(found.layouts, [known] * len(found.layouts))


def planners(found: Worlds, temperatures: Sequence[float] = TEMPERATURES) -> dict[str, Policies]:
    """The optimal agent and soft ones."""
    agents: dict[str, ii.agents.Agent] = {"optimal": ii.agents.Optimal(family(), found.theta)}
    agents |= {f"soft, {t:g}": ii.agents.SoftOptimal(family(), found.theta, t) for t in temperatures}
    return {name: everywhere(found, agent) for name, agent in agents.items()}


def table_as_accurate(found: Worlds, policy: Array, rng: np.random.Generator) -> Array:
    """A table that is right in as large a share of the first layout's cells as ``policy``, at random where.

    Right: one of the optimal actions; wrong: one of the others.  The number of right cells is rounded up or down at
    random, so that the mean accuracy is that of the policy.
    """
    env = found.layouts[0]
    best = optimal_actions(env, found.reward(env))
    cells = np.flatnonzero(env.initial > 0)
    wanted = accuracy(env, policy, best) * cells.size
    count = int(wanted + rng.random() * (1 - 1e-9))
    right = np.isin(np.arange(env.n_states), rng.permutation(cells)[:count])
    allowed = np.where(right[:, None] | best.all(axis=1, keepdims=True), best, ~best)
    return at_random(allowed, rng)


def at_random(allowed: Mask, rng: np.random.Generator) -> Array:
    """A deterministic policy of allowed actions."""
    return np.asarray(np.eye(allowed.shape[1])[(allowed * rng.random(allowed.shape)).argmax(axis=1)])


def tables(found: Worlds, planned: Mapping[str, Policies], seed: int) -> dict[str, dict[str, Policies]]:
    """Tables that know nothing of the layout: by kind, then by the planner that each is like.

    ``frozen``: what the planner does in the first layout.  ``as accurate``: right as often there, wrong at random, for
    planners that are sometimes wrong.  ``random``: any action in any cell, like none of them.
    """
    rng = np.random.default_rng([seed, 1])
    anything = np.ones((CELLS + len(THINGS), 4), dtype=bool)
    return {
        "frozen": {name: same_table(found, policies[0]) for name, policies in planned.items()},
        "as accurate": {
            name: same_table(found, table_as_accurate(found, policies[0], rng))
            for name, policies in planned.items()
            if name != "optimal"
        },
        "random": {"any": same_table(found, at_random(anything, rng))},
    }


def systems(found: Worlds, seed: int) -> dict[str, Policies]:
    """All systems of the profile, optimisers first."""
    rng = np.random.default_rng([seed, 2])
    planned = planners(found)
    first = found.layouts[0]
    own = ii.agents.Optimal(family(), found.own)
    base = planned["optimal"]
    n_states, n_actions = first.n_states, first.n_actions
    flagged = idle(found.layouts, [own.policy(env) for env in found.layouts])
    learned = [q_learning(found, env, TRAINING, seed + place) for place, env in enumerate(found.layouts)]
    return {
        **planned,
        f"sees {SIGHT} steps ahead": everywhere(found, ii.agents.ShortSighted(family(), found.theta, SIGHT)),
        "learner, in each layout": idle(found.layouts, learned),
        "deceiver": [flagged[place] if is_flagged(place) else base[place] for place in range(len(base))],
        "learner, in the first": same_table(found, learned[0]),
        "frozen map": same_table(found, base[0]),
        "table as accurate as soft, 0.3": same_table(found, table_as_accurate(found, planned["soft, 0.3"][0], rng)),
        "path by heart": same_table(found, path(found, rng)),
        "always the same": same_table(found, np.tile(np.eye(n_actions)[rng.integers(n_actions)], (n_states, 1))),
        "random table": same_table(found, at_random(np.ones((n_states, n_actions), dtype=bool), rng)),
        "random": same_table(found, np.full((n_states, n_actions), 1 / n_actions)),
    }


def is_flagged(place: int) -> bool:
    """Whether the deceiver takes the layout with this number for deployment: every second one."""
    return place % 2 == 1


def path(found: Worlds, rng: np.random.Generator) -> Array:
    """The likeliest way of an optimal agent in the first layout from a random start, by heart; elsewhere at random."""
    env = found.layouts[0]
    best = optimal_actions(env, found.reward(env))
    chosen, table = best.argmax(axis=1), np.full((env.n_states, env.n_actions), 1 / env.n_actions)
    state = int(rng.choice(np.flatnonzero(env.initial)))
    moves = env.dense()
    for _ in range(CELLS):
        table[state] = np.eye(env.n_actions)[chosen[state]]
        state = int(moves[state, chosen[state]].argmax())
        if env.absorbing[state]:
            break
    return table


def q_learning(found: Worlds, env: ii.Environment, steps: int, seed: int) -> Array:
    """What tabular Q-learning does after so many steps in a layout, in all its states.

    Episodes end at a thing, so what it would pay for ever is paid on coming to it: the same return for all policies.
    """
    worth = np.where(env.absorbing, family().reward(env, found.theta).max(axis=1), 0.0)
    paid = (env.transitions @ worth).reshape(env.n_states, env.n_actions) * DISCOUNT / (1 - DISCOUNT)
    paid = np.where(env.absorbing[:, None], 0.0, paid)
    world = env.to_gymnasium(paid, max_episode_steps=EPISODE)
    return ii.agents.q_learning(env, world, steps=steps, seed=seed % 2**31).probabilities


def factors() -> dict[str, npt.NDArray[np.int64]]:
    """The cell, which tells all states apart."""
    return {"cell": np.arange(CELLS + len(THINGS))}
