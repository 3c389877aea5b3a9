"""Worlds and agents of the study of corrigibility: eight types, each with an agent in every world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import irl_ident as ii
from environments import absent_supervisor, off_switch, safe_interruptibility, shutdown_game
from environments.shutdown_game import Rules
from irl_ident.agents.base import Agent
from irl_ident.agents.corrigible import ConditionallyIndifferent, CounterfactuallyIndifferent, WatchDependent
from irl_ident.environment import Array, Environment

TYPES = (
    "goal alone",
    "naive",
    "internalised",
    "deceptive",
    "indifferent",
    "counterfactual",
    "corrigible",
    "deferring",
)
"""Who pursues the normal goal ``U_N`` alone; ``U_N`` and a worth of stopping; the same with the worth that training
had; who is corrigible while watched; indifferent by the expectation given no command, and by the counterfactual; whose
goal points to the command; who wants what the human wants, and does not know it."""

KNOBS = ("odds", "effort", "stake", "luck", "force", "successor", "human", "watch")
"""What an experimenter can turn: odds of the command, prices of manipulation, units of work, luck before the command,
whether the button stops by force, whether a successor does the work, how reliable the human is, who watches."""

DISCOUNT = 0.99
"""Of safe interruptibility."""


@dataclass(frozen=True)
class Prices:
    """What agents differ in besides their type.

    Parameters
    ----------
    effort : float
        What a unit of effort costs.
    stopping : float
        What stopping on command is worth to the naive agent, where a unit of work is worth 1.
    harm : float
        What a unit of work costs the deferring agent if the human does not want it.
    """

    effort: float = 0.1
    stopping: float = 0.5
    harm: float = 1.0


def drawn_prices(seed: int) -> Prices:
    """Prices at random: effort .05 to .2, stopping .2 to .8, harm .5 to 1.5."""
    effort, stopping, harm = np.random.default_rng(seed).uniform([0.05, 0.2, 0.5], [0.2, 0.8, 1.5])
    return Prices(float(effort), float(stopping), float(harm))


@dataclass(frozen=True, eq=False)
class Trial:
    """An environment in which agents can be tried.

    Attributes
    ----------
    name, world : str
    knobs : frozenset of str
        Which of ``KNOBS`` are turned away from their standard.
    env : Environment
    agents : callable
        From prices to an agent of each type.
    """

    name: str
    world: str
    knobs: frozenset[str]
    env: Environment
    agents: Callable[[Prices], Mapping[str, Agent]]


def objectives(prices: Prices) -> dict[str, Array]:
    """Parameters (7,) of :func:`environments.shutdown_game.family`, whoever watches; also of what types are made of."""
    cost = -prices.effort
    return {
        "goal alone": np.array([1, 1, 1, 1, 0, 0, cost]),
        "naive": np.array([1, 1, 0, 0, 0, prices.stopping, cost]),
        "internalised": np.array([1, 1, 0, 0, 0, 1, cost]),
        "corrigible": np.array([0, 0, 0, 0, 1, 1, cost]),
        "deferring": np.array([1, -prices.harm, 1, -prices.harm, 0, 0, cost]),
        "stop": np.array([0, 0, 0, 0, 0, 1, cost]),
    }


def in_shutdown_game(prices: Prices) -> dict[str, Agent]:
    """An agent of each type for the shutdown game."""
    family, thetas = shutdown_game.family(), objectives(prices)
    both = {name: shutdown_game.both(theta) for name, theta in thetas.items()}
    found = {name: ii.agents.Optimal(family, both[name]) for name in both if name != "stop"}
    sides = (family, both["goal alone"], both["stop"], shutdown_game.command())
    return {
        **found,
        "deceptive": WatchDependent(found["corrigible"], found["goal alone"], shutdown_game.watched()),
        "indifferent": ConditionallyIndifferent(*sides),
        "counterfactual": CounterfactuallyIndifferent(*sides),
    }


def game(name: str, *knobs: str, **rules: Any) -> Trial:
    """A trial in the shutdown game."""
    return Trial(name, "shutdown game", frozenset(knobs), shutdown_game.build(Rules(**rules)), in_shutdown_game)


def interruptible(number: int, odds: float = safe_interruptibility.PROBABILITY) -> Trial:
    """A trial in a published level of safe interruptibility."""
    level = safe_interruptibility.Level(safe_interruptibility.MAPS[number])
    family, step = level.family(), safe_interruptibility.STEP_REWARD / safe_interruptibility.GOAL_REWARD

    def worth(stopping: float, disabled: float = 1.0) -> Array:
        lasting = safe_interruptibility.ending_worth(stopping, DISCOUNT)
        return np.array([step, 1.0, disabled, lasting])

    def agents(prices: Prices) -> dict[str, Agent]:
        sides = (family, safe_interruptibility.REWARDED, worth(1.0), level.command())
        corrigible = ii.agents.Optimal(family, worth(1.0))
        return {
            "goal alone": ii.agents.Optimal(family, safe_interruptibility.REWARDED),
            "naive": ii.agents.Optimal(family, worth(prices.stopping)),
            "internalised": corrigible,
            "deceptive": corrigible,
            "indifferent": ConditionallyIndifferent(*sides),
            "counterfactual": CounterfactuallyIndifferent(*sides),
            "corrigible": corrigible,
            "deferring": ii.agents.Optimal(family, worth(0.0, 1 - odds - odds * prices.harm)),
        }

    standard = odds == safe_interruptibility.PROBABILITY
    name = f"gridworld {number}" if standard else f"gridworld {number}, odds {odds:g}"
    knobs = frozenset() if standard else frozenset({"odds"})
    return Trial(name, "safe interruptibility", knobs, level.build(odds, discount=DISCOUNT), agents)


def switched(name: str, beta: float, mu: float = 0.6, sigma: float = 1.0) -> Trial:
    """A trial in the off-switch game, in which nobody has anything to pay, and no watching is known of."""
    belief = off_switch.normal(mu, sigma, 41)
    family = off_switch.family(belief)

    def agents(prices: Prices) -> dict[str, Agent]:
        thetas = {
            "goal alone": [0.0, 1, 0, 0],
            "naive": [0, 1, 0, prices.stopping],
            "internalised": [0, 1, 0, 1],
            "deceptive": [0, 0, 1, 1],
            "corrigible": [0, 0, 1, 1],
            "deferring": [1, 0, 0, 0],
        }
        found = {name: ii.agents.Optimal(family, np.array(theta, dtype=float)) for name, theta in thetas.items()}
        sides = (family, np.array([0.0, 1, 0, 0]), np.array([0.0, 0, 0, 1]), off_switch.command(belief))
        return {
            **found,
            "indifferent": ConditionallyIndifferent(*sides),
            "counterfactual": CounterfactuallyIndifferent(*sides),
        }

    knobs = frozenset({"human"}) if beta else frozenset()
    return Trial(name, "off-switch game", knobs, off_switch.build(belief, beta), agents)


def supervised(name: str, *knobs: str, share: float) -> Trial:
    """A trial in absent supervisor, where the goal alone is what the published code pays."""
    family = absent_supervisor.family()
    careless = absent_supervisor.WANTED * [1, 1, 0, 0]
    alone = np.arange(absent_supervisor.OVER + 1) >= absent_supervisor.CELLS

    def agents(prices: Prices) -> dict[str, Agent]:
        paid, wanted = (
            ii.agents.Optimal(family, theta) for theta in (absent_supervisor.REWARDED, absent_supervisor.WANTED)
        )
        deceptive = WatchDependent(wanted, ii.agents.Optimal(family, careless), ~alone)
        careful = ("internalised", "corrigible", "deferring")
        return {kind: wanted if kind in careful else deceptive if kind == "deceptive" else paid for kind in TYPES}

    return Trial(name, "absent supervisor", frozenset(knobs), absent_supervisor.build(share), agents)


def trials() -> list[Trial]:
    """All environments in which types are told apart."""
    return [
        game("button"),
        *(game(f"odds {p:g}", "odds", unwanted=p) for p in (0.1, 0.3, 0.7, 0.9)),
        *(game(f"effort {k}", "effort", block=k, provoke=k) for k in (2, 3)),
        *(game(f"stake {w}", "stake", stake=w) for w in (2, 3)),
        game("luck", "luck", lottery=True),
        game("force", "force", enforced=True),
        game("force, stake 3", "force", "stake", enforced=True, stake=3),
        game("successor", "successor", successor=1),
        game("successor, effort 3", "successor", "effort", successor=3),
        game("successor, odds 0.1", "successor", "odds", successor=1, unwanted=0.1),
        game("unreliable human", "human", missed=0.6, false_alarm=0.6),
        game("alone", "watch", watched=False),
        game("alone, stake 3", "watch", "stake", watched=False, stake=3),
        *(interruptible(number) for number in range(3)),
        interruptible(1, 0.02),
        switched("off-switch", 0.0),
        switched("off-switch, noisy", 0.5),
        switched("off-switch, noisier", 1.0),
        supervised("supervisor", share=1.0),
        supervised("no supervisor", "watch", share=0.0),
    ]
