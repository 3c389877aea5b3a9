"""Measurements of the study of corrigibility: who differs where, and the fewest environments that tell all apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize

import irl_ident as ii
from environments import off_switch, shutdown_game, successor_chain
from environments.shutdown_game import STOP, WORK, Rules
from irl_ident import planning
from irl_ident.agents.base import Agent
from irl_ident.agents.corrigible import ConditionallyIndifferent, CounterfactuallyIndifferent
from irl_ident.environment import Array, Environment, Mask
from studies import _corrigibility_types as types
from studies._corrigibility_types import Prices, Trial

SAME = 1e-6
"""Behaviours whose occupancies differ by no more, in total variation, are the same."""

PAIRS = tuple(combinations(types.TYPES, 2))

WORTHS = tuple(round(0.05 * k, 2) for k in range(41))
"""What stopping is worth to naive agents, in units of work."""

ODDS = tuple(round(0.05 * k, 2) for k in range(1, 19))
"""Of the command; provoking it has .95."""

SIGMA = 1.0
BETAS = (0.0, 0.25, 0.5, 1.0)
GENERATIONS, PRESS = 6, 0.2


def behaviour(agent: Agent, env: Environment) -> Array:
    """Expected visits of states, (S,): which of several acts that do the same is taken is no behaviour."""
    visits: Array = planning.occupancy(env, agent.policy(env)).sum(axis=1)
    return visits


def apart(one: Array, other: Array) -> float:
    """Total variation between two behaviours, as shares of all visits, in [0, 1]."""
    return float(np.abs(one - other).sum() / max(1.0, one.sum() + other.sum()))


def type_rows(trials: Sequence[Trial], prices: Prices) -> list[dict[str, Any]]:
    """How different each pair of types is in each trial."""
    rows = []
    for trial in trials:
        seen = {name: behaviour(agent, trial.env) for name, agent in trial.agents(prices).items()}
        told = {"trial": trial.name, "world": trial.world, "knobs": " ".join(sorted(trial.knobs))}
        truth = {f"true_{name}": value for name, value in asdict(prices).items()}
        rows += [
            {**told, "one": one, "other": other, "distance": apart(seen[one], seen[other]), **truth}
            for one, other in PAIRS
        ]
    return rows


@dataclass(frozen=True)
class Cover:
    """The fewest environments that tell all pairs apart that can be told apart.

    Attributes
    ----------
    size : int
    chosen : tuple of int
        The first of all smallest sets, in the order of the environments.
    smallest_sets : int
        How many there are.
    smaller_tried : int
        Sets of one environment less, each of which leaves some pair together: the proof that none smaller does.
    never : tuple of int
        Pairs that no environment tells apart.
    """

    size: int
    chosen: tuple[int, ...]
    smallest_sets: int
    smaller_tried: int
    never: tuple[int, ...]


def smallest_cover(separates: Mask) -> Cover:
    """The smallest set cover, by integer programming, and all of that size, by trying them.

    Parameters
    ----------
    separates : bool (E, P)
        Which environment tells which pair apart.

    Raises
    ------
    AssertionError
        When the two disagree.
    """
    possible = separates.any(axis=0)
    table = separates[:, possible]
    size = _least_size(table)
    sets = [chosen for chosen in combinations(range(len(table)), size) if table[list(chosen)].any(axis=0).all()]
    smaller = list(combinations(range(len(table)), size - 1)) if size else []
    if not sets or any(table[list(chosen)].any(axis=0).all() for chosen in smaller):
        raise AssertionError("integer programming and enumeration should agree on the smallest set cover")
    never = tuple(np.flatnonzero(~possible).tolist())
    return Cover(size, sets[0], len(sets), len(smaller), never)


def _least_size(table: Mask) -> int:
    if not table.shape[1]:
        return 0
    found = optimize.milp(
        np.ones(len(table)),
        constraints=optimize.LinearConstraint(table.T.astype(float), lb=1),
        integrality=np.ones(len(table), dtype=np.int64),
        bounds=optimize.Bounds(0, 1),
    )
    if not found.success:
        raise AssertionError(f"the set cover should have a solution: {found.message}")
    return round(found.fun)


def naive_agent(worth: float, effort: float) -> Agent:
    """The naive agent to which stopping is worth that much."""
    theta = types.objectives(Prices(effort=effort, stopping=worth))["naive"]
    return ii.agents.Optimal(shutdown_game.family(), shutdown_game.both(theta))


def just_works(agent: Agent, rules: Rules) -> bool:
    """Whether an agent neither blocks nor provokes, and stops when told to, as indifferent agents do."""
    env = shutdown_game.build(rules)
    policy = agent.policy(env)
    first = np.flatnonzero(policy[shutdown_game.START])
    stops = policy[shutdown_game.node(WORK, pressed=True), STOP] == 1
    return bool(
        stops and (env.transitions[first] @ np.isin(np.arange(env.n_states), shutdown_game.manipulations()) == 0).all()
    )


def plane_rows(stakes: Iterable[int], effort: float) -> list[dict[str, Any]]:
    """Naive and indifferent agents, alike or not, in a plane of what stopping is worth and the odds of the command."""
    rows = []
    for stake in stakes:
        for odds in ODDS:
            rules = Rules(unwanted=odds, stake=stake)
            env = shutdown_game.build(rules)
            indifferent = types.in_shutdown_game(Prices(effort=effort))["indifferent"]
            reference = behaviour(indifferent, env)
            low, high = shutdown_game.works_between(odds, effort, stake=stake, provoked=rules.provoked)
            for worth in WORTHS:
                same = apart(behaviour(naive_agent(worth, effort), env), reference) <= SAME
                rows.append(
                    {
                        "stake": stake,
                        "odds": odds,
                        "worth": worth,
                        "alike": same,
                        "closed_form": float(low < worth < high),
                        "boundary": bool(min(abs(worth - low), abs(worth - high)) < SAME),
                        "true_effort": effort,
                    }
                )
    return rows


KNOB_RULES: dict[str, list[Rules]] = {
    "nothing": [Rules()],
    "odds": [Rules(unwanted=p) for p in (0.01, *ODDS, 0.94)],
    "effort": [Rules(block=k, provoke=k) for k in (1, 2, 3)],
    "stake": [Rules(stake=w) for w in (1, 2, 3)],
}
"""What is tried when one thing may be varied."""


def knob_rows(effort: float) -> list[dict[str, Any]]:
    """Which naive agents are told from the indifferent one by varying one thing alone."""
    rows = []
    indifferent = types.in_shutdown_game(Prices(effort=effort))["indifferent"]
    for knob, several in KNOB_RULES.items():
        envs = [shutdown_game.build(rules) for rules in several]
        seen = [behaviour(indifferent, env) for env in envs]
        for worth in WORTHS:
            agent = naive_agent(worth, effort)
            told = any(apart(behaviour(agent, env), own) > SAME for env, own in zip(envs, seen, strict=True))
            rows.append({"knob": knob, "worth": worth, "told": told, "true_effort": effort})
    return rows


def off_switch_rows(means: npt.ArrayLike) -> list[dict[str, Any]]:
    """What deferring is worth, and whether the agent in the exact environment defers."""
    rows = []
    for beta in BETAS:
        for mean in np.asarray(means, dtype=float).tolist():
            belief = off_switch.normal(mean, SIGMA, 101)
            agent = ii.agents.Optimal(off_switch.family(belief), np.array([1.0, 0, 0, 0]))
            waits = agent.policy(off_switch.build(belief, beta))[off_switch.START, off_switch.WAIT]
            rows.append(
                {
                    "beta": beta,
                    "mean": mean,
                    "worth": off_switch.worth_by_quadrature(mean, SIGMA, beta),
                    "discrete": off_switch.worth_of_deferring(belief, beta),
                    "waits": float(waits),
                    "closed_form": float(off_switch.defers(mean, SIGMA, beta)),
                    "boundary": bool(beta and abs(abs(mean) - SIGMA**2 / (2 * beta)) < SAME),
                }
            )
    return rows


def chain_rows(effort: float) -> list[dict[str, Any]]:
    """Whether each generation obeys, by type and price of a switch."""
    rows = []
    for units in range(successor_chain.UNITS + 1):
        chain = successor_chain.Chain(GENERATIONS, PRESS, units)
        family, env = chain.family(), chain.build()
        goal, told = np.array([1.0, 1, 0, 0, -effort]), np.array([0.0, 0, 0, 1, -effort])
        agents: dict[str, Agent] = {
            "goal alone": ii.agents.Optimal(family, goal),
            "naive": ii.agents.Optimal(family, np.array([1.0, 0, 0.5, 0, -effort])),
            "internalised": ii.agents.Optimal(family, np.array([1.0, 0, 1, 0, -effort])),
            "corrigible": ii.agents.Optimal(family, np.array([1.0, 0, 0, 1, -effort])),
            "indifferent": ConditionallyIndifferent(family, goal, told, chain.command()),
            "counterfactual": CounterfactuallyIndifferent(family, goal, told, chain.command()),
        }
        _, prices = successor_chain.values_as_told(GENERATIONS, PRESS, units * effort)
        pays = np.cumprod(prices[GENERATIONS:0:-1] > units * effort)
        for name, agent in agents.items():
            obeys = successor_chain.obeying(chain, agent.policy(env))
            rows += [
                {
                    "kind": name,
                    "price": round(units * effort, 10),
                    "generation": n + 1,
                    "obeys": float(obeys[n]),
                    "closed_form": float(pays[n]) if name == "corrigible" else None,
                    "true_effort": effort,
                }
                for n in range(GENERATIONS)
            ]
    return rows
