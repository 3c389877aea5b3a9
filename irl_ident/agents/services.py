"""Services that build services: a chain in which each layer chooses the objective of the next.

Layers are numbered 0 to D.  Layer 0 is the *top*, whose objective is given.  Layer ``i < D`` chooses the objective of
layer ``i + 1`` from that layer's menu, a finite list of objectives; layer D, the *leaf*, chooses nothing but acts: it
plans, ``horizon`` steps ahead and every step anew (:class:`irl_ident.agents.ShortSighted`), or optimally where the
horizon is None.  Each layer knows all menus below it, how every layer below chooses, how the leaf plans, and the
distribution of the environments that the leaf is meant for; it takes all below it to pursue what they are handed.  So
each pair of layers is an optimal reward problem (Singh, Lewis & Barto 2009; Sorg, Singh & Lewis 2010), solved exactly
from the leaf up.  Services that develop services are the picture of Drexler (2019, Reframing Superintelligence).

With ``f(m)`` the discounted feature counts of the leaf that pursues m, averaged over environments (e has share p_e),

    f(m) = sum_e p_e Phi_e^T x_e(m),                          x_e(m) the occupancy of the leaf's policy in e,
    c_D(theta) = f(theta),        c_i(theta) = c_{i+1}(m*),   m* = first best m of menu i+1 by  theta . c_{i+1}(m),

``theta . c_i(m)`` is the return under theta of handing m to layer i: rewards are linear in their parameters.

**Ties.**  Items whose returns differ by less than :data:`TIE` of the range over the menu (or by rounding) are equal,
and the first of them on the menu is chosen.  That is on purpose: chains are then functions of the top's objective, so
that the bits which anything further down holds of it are the entropy of what is seen there.  Most ties are harmless:
two services that would commission the same third one.

What follows.  (1) Objectives and behaviour further down are functions of those further up, so they hold fewer bits of
the top's objective, or as many, and at most the log2 of the length of any menu on the way (data-processing
inequality; Cover & Thomas 2006, section 2.8).  (2) The behaviours that a chain can end in at all are those of the last
menu; a layer more above it can only leave some of them out (:attr:`ServiceChain.within_reach`).  (3) Between chains of
different lengths nothing of the kind holds of the bits: who has fewer behaviours to choose from may use them more
evenly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.agents.base import Agent
from irl_ident.agents.known import KnownAgent, Optimal, ShortSighted
from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning.ties import ROUNDING
from irl_ident.rewards import RewardFamily

Places = npt.NDArray[np.int64]

TIE = 1e-9
"""Returns that differ by less than this share of their range are equal."""


@dataclass(frozen=True, eq=False)
class ServiceChain:
    """All of a chain but the objective of its top.

    Parameters
    ----------
    family : RewardFamily
        With d parameters; all objectives are in it.
    menus : sequence of arrays (n_i, d)
        What layers 1 to D may be handed, from the top down; empty where the top acts itself.
    environments : sequence of Environment
        What the leaf is meant for.
    horizon : int or None
        How far the leaf looks ahead, at least 1; None where it plans optimally.
    shares : array (K,), optional
        Of the environments; even when not given.
    """

    family: RewardFamily
    menus: Sequence[Array]
    environments: Sequence[Environment]
    horizon: int | None = None
    shares: Array | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        menus = tuple(_checked_menu(place, menu, self.family) for place, menu in enumerate(self.menus))
        count = len(self.environments)
        if not count:
            raise ValueError("environments: is empty, should hold at least one")
        shares = np.full(count, 1 / count) if self.shares is None else np.asarray(self.shares, dtype=float)
        if shares.shape != (count,) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
            raise ValueError(f"shares: should be {count} numbers of at least 0 that sum to 1, were {self.shares!r}")
        object.__setattr__(self, "menus", menus)
        object.__setattr__(self, "environments", tuple(self.environments))
        object.__setattr__(self, "shares", shares)
        self.leaf(np.zeros(self.family.dim))

    @property
    def depth(self) -> int:
        """How many layers choose, D."""
        return len(self.menus)

    def leaf(self, theta: npt.ArrayLike) -> KnownAgent:
        """The last service, when it pursues ``theta``."""
        objective = self.family.checked(theta)
        if self.horizon is None:
            return Optimal(self.family, objective)
        return ShortSighted(self.family, objective, self.horizon)

    @cached_property
    def counts(self) -> tuple[Array, ...]:
        """For each menu, and each item on it, the leaf's feature counts if it is handed over; (n_i, d) each."""
        if not self.menus:
            return ()
        found = [self.leaf_counts(self.menus[-1])]
        for menu in self.menus[-2::-1]:
            found.append(found[-1][first_best(menu @ found[-1].T)])
        return tuple(found[::-1])

    @cached_property
    def within_reach(self) -> tuple[Places, ...]:
        """For each layer from 1, the items of the last menu in which the chain can end if it begins there."""
        reached = [np.arange(len(menu)) for menu in self.menus[-1:]]
        for menu, below in zip(self.menus[-2::-1], self.counts[:0:-1], strict=True):
            reached.append(reached[-1][first_best(menu @ below.T)])
        return tuple(np.unique(places) for places in reached[::-1])

    def leaf_counts(self, objectives: npt.ArrayLike) -> Array:
        """Discounted feature counts of leaves with these objectives (N, d), averaged over environments, (N, d)."""
        many = _checked_objectives("objectives", objectives, self.family)
        total = np.zeros_like(many)
        assert self.shares is not None
        for env, share in zip(self.environments, self.shares, strict=True):
            masks = leaf_actions(env, self.family, many, self.horizon)
            distinct, place = np.unique(masks.reshape(len(many), -1), axis=0, return_inverse=True)
            policies = planning.uniform_over(distinct.reshape(-1, env.n_states, env.n_actions))
            visits = np.array([planning.occupancy(env, policy).ravel() for policy in policies])
            total += share * (visits @ self.family.matrix(env))[place.reshape(-1)]
        return total

    def chosen(self, objectives: npt.ArrayLike, layer: int = 0) -> Places:
        """What each layer from ``layer`` on chooses, when that layer pursues ``objectives`` (N, d).

        Returns
        -------
        int array (N, D - layer)
            Places on the menus.
        """
        now = _checked_objectives("objectives", objectives, self.family)
        if not 0 <= layer <= self.depth:
            raise ValueError(f"layer: was {layer!r}, should be from 0 to {self.depth}")
        places: Places = np.empty((len(now), self.depth - layer), dtype=np.int64)
        for column, menu in enumerate(self.menus[layer:]):
            places[:, column] = first_best(now @ self.counts[layer + column].T)
            now = menu[places[:, column]]
        return places


@dataclass(frozen=True, eq=False)
class Commissioned(Agent):
    """The last service of a chain, as an agent.

    Parameters
    ----------
    chain : ServiceChain
    theta : array (d,)
        The objective of the top.
    pursued : mapping of int to array (d,)
        Mesa-objectives of layers, 1 to D, that do not pursue what they are handed.  Nobody knows of them: the layers
        above choose as if there were none.
    """

    chain: ServiceChain
    theta: Array
    pursued: Mapping[int, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer in self.pursued:
            if not 1 <= layer <= self.chain.depth:
                raise ValueError(f"pursued: layer {layer!r} should be from 1 to {self.chain.depth}")

    @cached_property
    def places(self) -> Places:
        """What layers 0 to D - 1 choose, (D,)."""
        now, found = self.theta, []
        for layer, menu in enumerate(self.chain.menus):
            now = self.pursued.get(layer, now)
            found.append(int(first_best(self.chain.family.checked(now)[None] @ self.chain.counts[layer].T)[0]))
            now = menu[found[-1]]
        return np.array(found, dtype=np.int64)

    @cached_property
    def handed(self) -> Array:
        """What each layer is handed, the top its own objective; (D + 1, d)."""
        items = [menu[place] for menu, place in zip(self.chain.menus, self.places, strict=True)]
        return np.array([self.chain.family.checked(self.theta), *items])

    @property
    def objectives(self) -> Array:
        """What each layer pursues, (D + 1, d)."""
        found = self.handed.copy()
        for layer, objective in self.pursued.items():
            found[layer] = self.chain.family.checked(objective)
        return found

    @property
    def leaf(self) -> KnownAgent:
        """The last service."""
        return self.chain.leaf(self.objectives[-1])

    def mesa_objective(self, env: Environment) -> Array:
        """The reward that the last service pursues in ``env``, (S, A)."""
        return self.leaf.mesa_objective(env)

    def policy(self, env: Environment) -> Array:  # noqa: D102
        return self.leaf.policy(env)


def leaf_actions(env: Environment, family: RewardFamily, objectives: Array, horizon: int | None) -> Mask:
    """The actions that leaves with these objectives (N, d) choose among, evenly, in each state; (N, S, A)."""
    rewards = family.rewards(env, objectives)
    if horizon is None:
        return planning.optimal_actions(planning.optimal_batch(env, rewards))
    q = rewards
    for _ in range(horizon - 1):
        q = rewards + (env.continuation @ q.max(axis=2).T).T.reshape(rewards.shape)
    return planning.optimal_actions(q)


def first_best(returns: Array) -> Places:
    """The first of the best in each row of (N, n), (N,); see :mod:`irl_ident.agents.services` on ties."""
    best = returns.max(axis=1, keepdims=True)
    slack = TIE * (best - returns.min(axis=1, keepdims=True)) + ROUNDING * np.abs(returns).max(axis=1, keepdims=True)
    return np.asarray((returns >= best - slack).argmax(axis=1), dtype=np.int64)


def _checked_objectives(argument: str, given: npt.ArrayLike, family: RewardFamily) -> Array:
    many = np.array(given, dtype=float)
    if many.ndim != 2 or many.shape[1] != family.dim:
        raise ValueError(f"{argument}: should have shape (N, {family.dim}), was {many.shape}")
    if not np.isfinite(many).all():
        raise ValueError(f"{argument}: should be finite")
    return many


def _checked_menu(place: int, menu: npt.ArrayLike, family: RewardFamily) -> Array:
    items = _checked_objectives(f"menus[{place}]", menu, family)
    if not len(items):
        raise ValueError(f"menus[{place}]: is empty, should hold at least one objective")
    items.setflags(write=False)
    return items
