"""Measurements of the study of services: draws, bits, and what designed objectives win."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from environments import courier_floor
from irl_ident import planning
from irl_ident.agents.services import ServiceChain, first_best, leaf_actions
from irl_ident.design.behaviour import Labels, behaviour_classes
from irl_ident.design.strategies.partitions import information_scores
from irl_ident.environment import Array, Environment, Mask

CANDIDATES = 64
"""Objectives that the top may have, equally likely: 6 bits."""

MENUS = (4, 16, 64)
DEPTHS = (0, 1, 2, 3, 4)
TRAINING, FRESH = 8, 24
"""Floors that the leaf is meant for, and floors of the same kind that nobody thought of."""

SEEN = (1, 2, 4, 8, 16, 32)
"""Numbers of floors on which the leaf is watched, the training floors first."""

FAMILY = courier_floor.family()


@dataclass(frozen=True, eq=False)
class Market:
    """One draw of everything.

    Attributes
    ----------
    floors : tuple of Environment
        The training floors, then the fresh ones.
    candidates : array (64, 6)
        What the top may pursue.
    menus : tuple of arrays (64, 6)
        From the top down; shorter menus are their beginnings.
    horizon : int or None
        How far the leaf looks ahead.
    """

    floors: tuple[Environment, ...]
    candidates: Array
    menus: tuple[Array, ...]
    horizon: int | None

    @property
    def training(self) -> tuple[Environment, ...]:
        """The floors that the leaf is meant for."""
        return self.floors[:TRAINING]

    def chain(self, menu: int) -> ServiceChain:
        """All layers, with menus of this length."""
        return ServiceChain(FAMILY, [items[:menu] for items in self.menus], self.training, self.horizon)

    def shared(self, menu: int) -> ServiceChain:
        """All layers choose from the last menu."""
        return ServiceChain(FAMILY, [self.menus[-1][:menu]] * len(self.menus), self.training, self.horizon)

    def behaviour(self, objectives: Array, floors: int | None = None) -> Mask:
        """What leaves with these objectives (N, 6) do on the first so many floors, (N, all pairs)."""
        masks = [leaf_actions(env, FAMILY, objectives, self.horizon) for env in self.floors[:floors]]
        return np.concatenate([mask.reshape(len(objectives), -1) for mask in masks], axis=1)

    @cached_property
    def own_classes(self) -> dict[int, Labels]:
        """Classes of behaviour of leaves that pursue the candidates themselves, by number of floors watched."""
        return self._classes(self.behaviour(self.candidates))

    @cached_property
    def last_classes(self) -> dict[int, Labels]:
        """The same of leaves that pursue the items of the last menu."""
        return self._classes(self.behaviour(self.menus[-1]))

    def _classes(self, acts: Mask) -> dict[int, Labels]:
        pairs = acts.shape[1] // len(self.floors)
        return {count: behaviour_classes(acts[:, : count * pairs]) for count in SEEN if count <= len(self.floors)}

    @cached_property
    def stakes(self) -> tuple[Array, Array]:
        """What random play and the best play win for each candidate on the training floors, (64,) each."""
        even, best = np.zeros(CANDIDATES), np.zeros(CANDIDATES)
        for env in self.training:
            rewards = FAMILY.rewards(env, self.candidates)
            best += planning.optimal_batch(env, rewards).max(axis=2) @ env.initial / TRAINING
            visits = planning.occupancy(env, np.full(rewards.shape[1:], 1 / env.n_actions))
            even += (rewards * visits).sum(axis=(1, 2)) / TRAINING
        return even, best

    @cached_property
    def own_counts(self) -> Array:
        """Feature counts of leaves that pursue the candidates themselves, on the training floors, (64, 6)."""
        return ServiceChain(FAMILY, [], self.training, self.horizon).leaf_counts(self.candidates)


def market(seed: int, horizon: int | None, *, depth: int = DEPTHS[-1], fresh: int = FRESH) -> Market:
    """Draw floors, candidates and menus; the same for every horizon."""
    rng = np.random.default_rng(seed)
    floors = tuple(courier_floor.build(courier_floor.random_walls(rng)) for _ in range(TRAINING + fresh))
    candidates = courier_floor.objectives(rng, CANDIDATES)
    menus = tuple(courier_floor.services(rng, MENUS[-1]) for _ in range(depth))
    return Market(floors, candidates, menus, horizon)


def leaf_name(horizon: int | None) -> str:
    """How far a leaf looks, in words."""
    return "optimal" if horizon is None else f"looks {horizon} ahead"


def entropy(labels: Labels) -> float:
    """Bits that a function of the top's objective holds of it, from its value for each candidate."""
    return float(information_scores(labels[None])[0])


def bits_rows(drawn: Market) -> list[dict[str, Any]]:
    """Bits of the top's objective in the leaf's behaviour, and in what is handed to each layer, by depth and menu.

    A chain of depth d is the last d layers of the deepest one.  Depth 0 is the top acting itself, as a leaf would.
    """
    rows = []
    for menu in MENUS:
        chains = {"own": drawn.chain(menu)} | ({"shared": drawn.shared(menu)} if menu == max(MENUS) else {})
        for kind, chain in chains.items():
            for depth in DEPTHS:
                first = chain.depth - depth
                places = chain.chosen(drawn.candidates, first)
                handed = [np.log2(CANDIDATES), *(entropy(behaviour_classes(column[:, None])) for column in places.T)]
                row = {
                    "menu": menu,
                    "menus": kind,
                    "depth": depth,
                    "within_reach": len(chain.within_reach[first]) if depth else CANDIDATES,
                    "served": _served(drawn, chain, places, depth),
                    **{f"handed_{layer}": float(bits) for layer, bits in enumerate(handed)},
                }
                classes = {n: labels[places[:, -1]] for n, labels in drawn.last_classes.items()} if depth else None
                rows += [
                    {**row, "floors": count, "bits": entropy(labels)}
                    for count, labels in (classes or drawn.own_classes).items()
                ]
    return rows


def _served(drawn: Market, chain: ServiceChain, places: Labels, depth: int) -> float:
    """Mean share of what there is to win on the training floors that the top wins."""
    counts = chain.counts[-1][places[:, -1]] if depth else drawn.own_counts
    return float(shares_won(drawn, (drawn.candidates * counts).sum(axis=1)).mean())


def shares_won(drawn: Market, returns: Array) -> Array:
    """Returns of the candidates (64,) on the training floors, 0 for random play and 1 for the best there is."""
    even, best = drawn.stakes
    return np.asarray((returns - even) / (best - even))


def internal_rows(drawn: Market) -> list[dict[str, Any]]:
    """What a designer wins with a leaf that pursues the designer's objective, and with the best of a menu.

    The designer's objective is on the menu too, and comes first, so that another is chosen only if it serves better.
    """
    chain = ServiceChain(FAMILY, [drawn.menus[-1]], drawn.training, drawn.horizon)
    own = (drawn.candidates * drawn.own_counts).sum(axis=1)
    offered = drawn.candidates @ chain.counts[-1].T
    rows = []
    for menu in (0, *MENUS):
        returns = np.column_stack([own, offered[:, :menu]])
        place = first_best(returns)
        won = shares_won(drawn, returns[np.arange(CANDIDATES), place])
        rows.append({"menu": menu, "won": float(won.mean()), "other_chosen": float((place > 0).mean())})
    return rows
