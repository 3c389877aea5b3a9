"""Extended value iteration: maximin Bayesian regret over product families (Kleine Büning et al. 2024).

On a product family every state s has a menu of blocks T, chosen independently of all other states.  The criterion

    score(E) = mean_i J*_(theta_i)(E) - J*_(mean theta)(E)

(:mod:`irl_ident.design.strategies.regret`) is to be largest over all choices.  Two halves of it are solved
**exactly**, for all states at once, because a choice in one state never stands in the way of one in another:

- the best environment for *one* reward: ``V(s) = max_T max_a r(s, a) + g T(a) . V``, the plan of an environment with
  block-action pairs as actions (extended value iteration: Jaksch, Ortner & Auer 2010, section 3.1);
- the worst one for one reward: ``V(s) = min_T max_a r(s, a) + g T(a) . V``, a game in which the experimenter moves
  first in every state; a contraction, so that a last residual d proves ``|V - V_k| <= d g / (1 - g)``.

Together they **bound** the criterion.  With m the mean theta and c in [0, 1] no environment has more than

    upper_c = mean_i max_E J*_(theta_i - c m)(E) - (1 - c) min_E J*_m(E),

because m is worth to its own best policy at least what it is worth to that of theta_i: ``J*_m >= J_m(pi_i)``, and
``J*_(theta_i) - c J_m(pi_i) = J_(theta_i - c m)(pi_i)``.  With ``c = 0`` these are the two halves as they stand, which
is loose when the pool is concentrated (its members share most of what they are worth); with ``c = 1`` the bound shrinks
with the pool.  ``upper_c`` is convex in c; the least over ``PARTS`` is taken.

One environment has to serve all rewards, so that the bound is reached only where their choices agree.  Choosing in
every state the block with the largest ``mean_i max_a Q_(theta_i - c m) - (1 - c) max_a Q_m`` under these values is a
**heuristic** that gives an environment, not the best one.  So :class:`ExtendedSearch` branches: it fixes the block of
the state in which that compromise costs most, bounds each branch by the same iterations on the smaller menus, and goes
on in the branch with the largest bound until no bound exceeds the best score found, or nodes run out.  What it returns
is the best environment scored, with a bound that holds for the whole family.

Features of a state-action pair may depend on the transitions of that pair, on nothing else of the environment.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import planning
from irl_ident.design.behaviour import checked_thetas
from irl_ident.design.families.base import EnvironmentFamily, Products, check_count
from irl_ident.design.families.search import PROVED, LocalSearch, Look, Searched
from irl_ident.design.strategies.regret import MaximinRegret
from irl_ident.design.version_space import checked_weights
from irl_ident.environment import Array, Environment
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.design.strategies.base import Strategy
    from irl_ident.identified.base import IdentifiedSet

Menus = tuple[tuple[int, ...], ...]
"""The blocks that are left on each state's menu."""

PARTS = (0.0, 0.5, 0.75, 0.9, 1.0)
"""Parts of the mean theta that are taken off every theta to bound the criterion."""

TOLERANCE = 1e-9
"""Share of the range of a reward up to which values are iterated."""

MOST_SWEEPS = 100_000
"""Sweeps of the worst case; what they leave open widens the bound."""


@dataclass(frozen=True, eq=False)
class Extended:
    """Extended value iteration for some rewards on a product family.

    Parameters
    ----------
    family : Products
        With a discount below 1.
    rewards : RewardFamily
    thetas : array (N, d)
    weights : array (N,), optional
        Of the mean; equal when not given.

    Raises
    ------
    ValueError
        For another kind of family, a discount of 1, or parameters that do not fit.
    """

    family: Products
    rewards: RewardFamily
    thetas: npt.ArrayLike
    weights: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.family, Products):
            raise ValueError(f"family: should be Products, was {type(self.family).__name__}")
        if self.family.discount >= 1:
            raise ValueError("family: has discount 1; extended value iteration needs one below 1")
        given = checked_thetas("thetas", self.thetas, self.rewards)
        object.__setattr__(self, "thetas", given)
        object.__setattr__(self, "weights", checked_weights(self.weights, len(given)))

    def best(self) -> Array:
        """The largest ``J*`` of each theta over all environments of the family, (N,); exact up to rounding."""
        return self._start(self._values(self.whole, self._paid))

    def worst(self) -> float:
        """A proved lower bound on the least ``J*`` of the mean theta, off by the iteration's error at most."""
        values, error = self._guarded(self.whole)
        return float(self._start(values[None])[0] - (1 - self.family.discount) * error)

    @property
    def spread(self) -> float:
        """Range of what the thetas pay."""
        return float(np.ptp(self._paid))

    def upper(self) -> float:
        """No environment of the family has a larger minimal Bayesian regret."""
        return self.relaxed(self.whole)[0]

    def relaxed(self, menus: Menus) -> tuple[float, tuple[int, ...], Array]:
        """Bound and compromise when only some blocks are left.

        Returns
        -------
        upper : float
            No choice from these menus has a larger minimal Bayesian regret.
        chosen : tuple of int
            The compromise: for each state the block with the largest ``mean_i max_a Q_(theta_i - c m)
            - (1 - c) max_a Q_m``.
        losses : array (S,)
            What the bound gains in each state over the compromise, at least 0.
        """
        return self._relaxed(menus, self.part)

    @cached_property
    def part(self) -> float:
        """The part c of the mean theta with the least bound for the whole family."""
        return min(PARTS, key=lambda part: self._relaxed(self.whole, part)[0])

    def _relaxed(self, menus: Menus, part: float) -> tuple[float, tuple[int, ...], Array]:
        paid = self._paid - part * self._mean_paid
        many, (low, error) = self._values(menus, paid), self._guarded(menus)
        best = float(self._weights @ self._start(many))
        slack = TOLERANCE * float(np.ptp(paid)) + (1 - part) * (1 - self.family.discount) * error
        upper = best - (1 - part) * float(self._start(low[None])[0]) + slack
        tops = self._q(menus, paid, many.T)
        middle = (1 - part) * self._q(menus, self._mean_paid, low[:, None])[..., 0]
        gains = tops @ self._weights - middle
        chosen = gains.argmax(axis=1)
        losses = tops.max(axis=1) @ self._weights - middle.min(axis=1) - gains.max(axis=1)
        places = tuple(menu[min(int(place), len(menu) - 1)] for menu, place in zip(menus, chosen, strict=True))
        return upper, places, np.asarray(losses)

    @cached_property
    def _weights(self) -> Array:
        return np.asarray(self.weights, dtype=float)

    @cached_property
    def whole(self) -> Menus:
        """All blocks of all states."""
        return tuple(tuple(range(count)) for count in self.family.choices)

    @cached_property
    def _first(self) -> npt.NDArray[np.int64]:
        """The first row of each state's menu."""
        return np.concatenate([[0], np.cumsum(self.family.choices[:-1])]) * self.family.n_actions

    @cached_property
    def _features(self) -> sparse.csr_array:
        """Features of every block, sparse (sum of choices * A, d)."""
        family, actions = self.family, self.family.n_actions
        layers = [self.rewards.matrix(family.environment(family.layer(k))) for k in range(max(family.choices))]
        blocks = [
            layers[block][state * actions : (state + 1) * actions]
            for state, choices in enumerate(family.choices)
            for block in range(choices)
        ]
        return sparse.csr_array(sparse.vstack(blocks, format="csr"))

    @cached_property
    def _paid(self) -> Array:
        """What every theta pays in every block, (sum of choices * A, N)."""
        return np.asarray(self._features @ np.asarray(self.thetas).T)

    @cached_property
    def _mean_paid(self) -> Array:
        return np.asarray(self._paid @ self._weights[:, None])

    def _rows(self, menus: Menus) -> npt.NDArray[np.int64]:
        """Rows of the blocks left, (S, m, A), each menu filled up with its last block."""
        width = max(len(menu) for menu in menus)
        blocks = np.array([[*menu, *[menu[-1]] * (width - len(menu))] for menu in menus])
        actions = self.family.n_actions
        return np.asarray(self._first[:, None, None] + blocks[..., None] * actions + np.arange(actions), dtype=np.int64)

    def _values(self, menus: Menus, paid: Array) -> Array:
        """Values of each of the rewards ``paid`` (sum of choices * A, N) in the best choice for it, (N, S)."""
        rows = self._rows(menus)
        env = Environment(self.family.rows[rows.ravel()], self.family.discount)
        rewards = paid[rows.ravel()].T.reshape(-1, len(menus), rows[0].size)
        return np.asarray(planning.optimal_batch(env, rewards, TOLERANCE).max(axis=2))

    def _guarded(self, menus: Menus) -> tuple[Array, float]:
        """Values of the mean theta in the worst choice for it, (S,), and by how much they may be off."""
        rows, discount = self._rows(menus), self.family.discount
        moves = self.family.rows[rows.ravel()]
        paid = self._mean_paid[rows.ravel(), 0]
        goal = TOLERANCE * float(np.ptp(paid))
        values = np.full(len(menus), paid.mean() / (1 - discount))
        for _ in range(MOST_SWEEPS):
            q = (paid + discount * (moves @ values)).reshape(rows.shape)
            after = q.max(axis=2).min(axis=1)
            residual = float(np.abs(after - values).max())
            rounding = 8 * np.finfo(float).eps * float(np.abs(after).max(initial=0.0)) * (rows.shape[0] + 1)
            values = after
            if residual * discount <= max(goal, rounding):
                break
        return values, (residual * discount + rounding) / (1 - discount)

    def _q(self, menus: Menus, paid: Array, values: Array) -> Array:
        """``max_a`` of the backup of ``values`` (S, N) by each block left, (S, m, N)."""
        rows = self._rows(menus)
        backed = paid[rows.ravel()] + self.family.discount * (self.family.rows[rows.ravel()] @ values)
        return np.asarray(backed.reshape(*rows.shape, -1).max(axis=2))

    def _start(self, values: Array) -> Array:
        """``J`` from values (N, S), (N,)."""
        return np.asarray((1 - self.family.discount) * (values @ self.family.environment(0).initial))


@dataclass(frozen=True)
class ExtendedSearch:
    """Branch and bound by extended value iteration, for :class:`~irl_ident.design.MaximinRegret` on products.

    Parameters
    ----------
    nodes : int
        Most branches that are bounded.
    local : LocalSearch
        Finds the environment that branches have to beat; its first climb begins at the compromise.
    """

    nodes: int = 200
    local: LocalSearch = field(default_factory=lambda: LocalSearch(scored=200, climbs=4))

    def __post_init__(self) -> None:
        check_count("nodes", self.nodes)

    def find(self, strategy: Strategy, ident: IdentifiedSet, family: EnvironmentFamily) -> Searched:
        """The best environment found, and a bound that holds for the whole family.

        Raises
        ------
        ValueError
            For another strategy or kind of family.
        """
        if not isinstance(strategy, MaximinRegret):
            raise ValueError(f"strategy: extended search is for MaximinRegret, was {type(strategy).__name__}")
        if not isinstance(family, Products):
            raise ValueError(f"candidates: extended search is for Products, were {type(family).__name__}")
        if type(family).price is not EnvironmentFamily.price:
            raise ValueError("candidates: have prices of their own, which the bound knows nothing of; use LocalSearch")
        thetas, kept = strategy.pool(ident)
        extended = Extended(family, ident.family, thetas[kept])
        compromise = family.index(extended.relaxed(extended.whole)[1])
        look, climbs, optima = self.local.explore(strategy, ident, family, [compromise])
        if len(look.values) == family.size:
            return look.best(climbs, optima)
        upper = self._bounded(extended, look)
        found = look.best(climbs, optima)
        return replace(found, upper=float(max(upper, found.score)), spread=extended.spread)

    def _bounded(self, extended: Extended, look: Look) -> float:
        """Branch until no bound exceeds the best score; the largest bound that is left."""
        order = count()
        queue: list[tuple[float, int, Menus, int]] = []
        settled, nodes = -np.inf, 0
        branches: list[tuple[Menus, float]] = [(extended.whole, np.inf)]
        while branches:
            for menus, above in branches:
                bound, chosen, losses = extended.relaxed(menus)
                index = extended.family.index(chosen)
                if index not in look.values:
                    look.at([index])
                open_ = np.array([len(menu) > 1 for menu in menus])
                bound = min(bound, above) if open_.any() else look.values[index]
                nodes += 1
                if open_.any() and not _reached(bound, look, extended.spread):
                    state = int(np.argmax(np.where(open_, losses, -np.inf)))
                    heapq.heappush(queue, (-bound, next(order), menus, state))
                else:
                    settled = max(settled, bound)
            branches = []
            if queue and nodes < self.nodes and not _reached(-queue[0][0], look, extended.spread):
                below, _, menus, state = heapq.heappop(queue)
                branches = [((*menus[:state], (block,), *menus[state + 1 :]), -below) for block in menus[state]]
        return max([settled, *(-below for below, *_ in queue)])


def _reached(bound: float, look: Look, size: float) -> bool:
    """Whether the best score found is as large as a bound, for rewards of a range of ``size``."""
    return bound - look.values[look.best_index] <= PROVED / 2 * max(size, abs(bound))
