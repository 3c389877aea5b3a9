"""Exact selection: which objective, at which depth of planning, a base optimiser picks that pays for length and time.

What training by gradient descent does to networks is compared with a base optimiser that is fully known: it chooses
among planners of the coin corridor the one with the largest

    J(rho) - length_price * length - depth_price * depth,        J(rho) = (1 - rho) J_end + rho J_pocket,

with J in shares of the return of always getting the coin at the end.  The length of an objective is the sum over its
terms: 1 for the end of the row, ``1 / salience^2`` for the coin, which is what the square of a weight has to be for a
feature of that size to count as one of size 1, and what weight decay charges for.  Scores are linear in rho, so the
chosen planner changes at the corners of an upper envelope of lines.  Between planners of the coin and of the end that
see as far as the row is long the corner is at

    rho* = length_price (1 / salience^2 - 1) / G,        G = mean of g^(k + 1) / g^(n - 1) over pockets k:

below it the proxy is selected, above it the coin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

import irl_ident as ii
from environments import coin_corridor as world
from irl_ident import planning
from irl_ident.environment import Array

OBJECTIVES = {"coin": world.BASE, "end": world.PROXY}
DEPTHS = tuple(range(1, 11))
LENGTH_PRICES = (1e-4, 1e-3, 1e-2)
DEPTH_PRICES = (0.0, 0.02, 0.05, 0.1)
"""In shares of the return with the coin at the end."""

TOGETHER = 1e-12
"""Scores that differ by less are the same; the earlier planner is chosen, which is the shallower one."""


@dataclass(frozen=True, eq=False)
class Planners:
    """Planners to choose among.

    Attributes
    ----------
    names : tuple of M str
        Objective of each; the first one, ``nothing``, walks at random and costs nothing.
    depths : array (M,)
        Steps that it looks ahead.
    returns : array (M, 2)
        With the coin at the end, and the mean over pockets, as shares of ``g^(n - 1)``.
    """

    names: tuple[str, ...]
    depths: Array
    returns: Array

    def costs(self, salience: float, length_price: float, depth_price: float) -> Array:
        """What each pays for length and depth, (M,)."""
        lengths = {"nothing": 0.0, "end": 1.0, "coin": 1 / salience**2}
        return length_price * np.array([lengths[name] for name in self.names]) + depth_price * self.depths

    def selected(self, decorrelated: float, salience: float, length_price: float, depth_price: float = 0.0) -> int:
        """The planner with the largest score."""
        earned = self.returns @ [1 - decorrelated, decorrelated]
        scores = earned - self.costs(salience, length_price, depth_price)
        return int(np.flatnonzero(scores >= scores.max() - TOGETHER)[0])

    def corners(
        self, salience: float, length_price: float, depth_price: float = 0.0
    ) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Where in [0, 1] the selection changes as the share of decorrelated levels grows, and what is selected.

        Returns
        -------
        tuple of float
            Shares, in increasing order.
        tuple of int
            The planner below the first of them, between, and above the last.
        """
        at, slope = self.returns[:, 0] - self.costs(salience, length_price, depth_price), np.diff(self.returns)[:, 0]
        here = self.selected(0.0, salience, length_price, depth_price)
        level = np.flatnonzero(at >= at[here] - TOGETHER)
        here = int(level[slope[level].argmax()])
        places: list[float] = []
        chosen = [here]
        while True:
            steeper = np.flatnonzero(slope > slope[here] + TOGETHER)
            if not steeper.size:
                return tuple(places), tuple(chosen)
            meets = (at[here] - at[steeper]) / (slope[steeper] - slope[here])
            first = float(meets.min())
            if first > 1:
                return tuple(places), tuple(chosen)
            level = steeper[meets <= first + TOGETHER]
            here = int(level[slope[level].argmax()])
            places.append(first)
            chosen.append(here)


@lru_cache(maxsize=8)
def planners(discount: float) -> Planners:
    """All objectives at all depths, by depth, after the random walk."""
    family, levels = world.family(), world.levels(discount=discount)
    names, depths, returns = ["nothing"], [0], [_returns([np.full((e.n_states, 4), 0.25) for e in levels], discount)]
    for depth in DEPTHS:
        for name, theta in OBJECTIVES.items():
            agent = ii.agents.ShortSighted(family, theta, depth)
            names.append(name)
            depths.append(depth)
            returns.append(_returns([agent.policy(env) for env in levels], discount))
    return Planners(tuple(names), np.array(depths, dtype=float), np.array(returns))


def _returns(policies: list[Array], discount: float) -> list[float]:
    """With the coin at the end and the mean over pockets, in shares of the best return with the coin at the end."""
    levels, best = world.levels(discount=discount), discount ** (world.LENGTH - 1)
    got = [
        float(env.initial @ planning.evaluate(env, world.family().reward(env, world.BASE), policy)) / best
        for env, policy in zip(levels, policies, strict=True)
    ]
    return [got[0], float(np.mean(got[1:]))]


def selection_rows(discount: float, saliences: Sequence[float]) -> list[dict[str, Any]]:
    """What is selected at each salience and each pair of prices, and from which share of levels it is the coin.

    ``share``: where the selected planner comes to pursue the coin, infinity where it never does; ``formula``: the same
    by :func:`boundary_share`; ``below`` and ``above`` are the planners on its two sides.  A planner's objective is
    known, so each row has the true one above the boundary.
    """
    found, rows = planners(discount), []
    for salience in saliences:
        for length_price in LENGTH_PRICES:
            for depth_price in DEPTH_PRICES:
                places, chosen = found.corners(salience, length_price, depth_price)
                names = [found.names[i] for i in chosen]
                at = names.index("coin") if "coin" in names else None
                last = chosen[-1] if at is None else chosen[at]
                before = chosen[-1] if at is None else chosen[max(at - 1, 0)]
                theta = OBJECTIVES.get(found.names[last], np.zeros(3))
                rows.append(
                    {
                        "discount": discount,
                        "salience": salience,
                        "length_price": length_price,
                        "depth_price": depth_price,
                        "share": float("inf") if at is None else places[at - 1] if at else 0.0,
                        "formula": boundary_share(salience, length_price, discount),
                        "below": f"{found.names[before]}, {found.depths[before]:.0f}",
                        "above": f"{found.names[last]}, {found.depths[last]:.0f}",
                        **dict(zip((f"true_{name}" for name in world.KINDS), theta.tolist(), strict=True)),
                    }
                )
    return rows


def gain(discount: float) -> float:
    """``G``: what the coin in a pocket is worth on average, in shares of what it is worth at the end."""
    pockets = np.arange(1, world.LENGTH - 1)
    return float(np.mean(discount ** (pockets + 1)) / discount ** (world.LENGTH - 1))


def boundary_share(salience: float, length_price: float, discount: float) -> float:
    """``rho*``: the share of decorrelated levels from which the coin is selected, without a price for depth."""
    return length_price * (1 / salience**2 - 1) / gain(discount)


def boundary_salience(decorrelated: Array, length_price: float, discount: float) -> Array:
    """The same the other way round: from which salience the coin is selected."""
    found: Array = np.sqrt(length_price / (length_price + np.asarray(decorrelated) * gain(discount)))
    return found
