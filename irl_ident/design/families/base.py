"""Families of environments: what an experimenter could build, given by a rule instead of a list.

A family numbers its environments from 0 to ``size - 1``, however many they are, builds each on demand, and says which
are *neighbours*: what differs by one choice.  That is all that a search needs
(:mod:`irl_ident.design.families.search`).  All environments of a family have the same states and actions, so that one
reward family serves them all.

=========================================  =========================================  ==================================
family                                     one choice                                 neighbours differ by
=========================================  =========================================  ==================================
:class:`~irl_ident.design.Listed`          an environment of a list                   anything
:class:`~irl_ident.design.Products`        for each state, a block of its menu        the block of one state
:class:`~irl_ident.design.Mixtures`        weights ``w_i``: ``T = sum_i w_i T_i``     one part of the weight, moved
:class:`~irl_ident.design.Starts`          where episodes start                       the start, or one choice below
:class:`~irl_ident.design.Discounts`       a discount                                 a step of it, or one choice below
:class:`~irl_ident.design.Interventions`   some of the possible changes of a world    one change made, undone, exchanged
=========================================  =========================================  ==================================

Walls and objects on a map are in :mod:`irl_ident.design.families.layouts`, known added rewards in
:mod:`irl_ident.design.families.known_rewards`.

Prices are what an experiment in an environment costs, in any unit, above 0; a search looks for the largest score *per
price* (the cost-benefit rule of adaptive submodular cover: Golovin & Krause 2011, section 5).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import comb, prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.design.families import numbering
from irl_ident.environment import Array, Environment
from irl_ident.transitions import checked_floats


@runtime_checkable
class EnvironmentFamily(Protocol):
    """Environments by number.  Subclasses inherit :meth:`random` and :meth:`price`; the rest is theirs."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many indices there are; it may be astronomically large.  Two of them can mean equal environments."""

    @abstractmethod
    def neighbours(self, index: int) -> Sequence[int]:
        """The indices that one choice away leads to, without ``index`` itself; always in the same order."""

    @abstractmethod
    def environment(self, index: int) -> Environment:
        """The environment of an index in ``range(size)``; always the same."""

    def random(self, rng: np.random.Generator) -> int:
        """An index, uniform in ``range(size)``."""
        return numbering.drawn(rng, self.size)

    def price(self, index: int) -> float:
        """What an experiment there costs, above 0."""
        return 1.0


@dataclass(frozen=True, eq=False)
class Listed(EnvironmentFamily):
    """The environments of a list; all are neighbours of all.

    Parameters
    ----------
    environments : sequence of Environment
        At least one; all with the same states and actions.
    prices : array (len(environments),), optional
        Above 0; 1 when not given.
    """

    environments: Sequence[Environment]
    prices: Array | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "environments", alike("environments", self.environments))
        given = np.ones(self.size) if self.prices is None else checked_floats("prices", self.prices).copy()
        if given.shape != (self.size,):
            raise ValueError(f"prices: should have shape ({self.size},), was {given.shape}")
        for place, price in enumerate(given):
            check_price(f"prices[{place}]", price)
        given.setflags(write=False)
        object.__setattr__(self, "prices", given)

    @property
    def size(self) -> int:  # noqa: D102
        return len(self.environments)

    def neighbours(self, index: int) -> Sequence[int]:  # noqa: D102
        checked_index(index, self.size)
        return [other for other in range(self.size) if other != index]

    def environment(self, index: int) -> Environment:  # noqa: D102
        return self.environments[checked_index(index, self.size)]

    def price(self, index: int) -> float:  # noqa: D102
        assert self.prices is not None
        return float(self.prices[checked_index(index, self.size)])


@dataclass(frozen=True, eq=False)
class Products(EnvironmentFamily):
    """Every state's transitions are chosen from its own menu, independently of all other states.

    Parameters
    ----------
    menus : sequence of S menus
        Each an array (m_s, A, S), or a sequence of m_s >= 1 blocks (A, S), dense or sparse: what the actions can lead
        to from that state.  Kept as sparse matrices (m_s * A, S).
    discount : float
    initial : array (S,), optional
    states, actions : sequence of str, optional
        As for :class:`irl_ident.Environment`.

    Attributes
    ----------
    choices : tuple of int
        Blocks on each state's menu, m_s.

    Examples
    --------
    >>> stay, swap = np.eye(2)[[0]], np.eye(2)[[1]]
    >>> family = Products([[stay, swap], [stay, swap]], discount=0.9)
    >>> family.size, family.neighbours(0), family.chosen(2)
    (4, [1, 2], (1, 0))
    """

    menus: Sequence[Any]
    discount: float
    initial: npt.ArrayLike | None = None
    states: Sequence[str] | None = field(default=None, kw_only=True)
    actions: Sequence[str] | None = field(default=None, kw_only=True)
    choices: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        blocks = [list(menu) for menu in self.menus]
        if not blocks or not all(blocks):
            empty = [state for state, menu in enumerate(blocks) if not menu]
            raise ValueError(f"menus: should hold at least one block for each state, has none for states {empty}")
        shape = np.shape(blocks[0][0])
        for state, menu in enumerate(blocks):
            for place, block in enumerate(menu):
                if len(shape) != 2 or shape[1] != len(blocks) or np.shape(block) != shape:
                    raise ValueError(
                        f"menus[{state}][{place}]: should have shape (A, {len(blocks)}), A as in menus[0][0], was "
                        f"{np.shape(block)}"
                    )
        kept = tuple(sparse.csr_array(sparse.vstack([sparse.csr_array(b) for b in menu])) for menu in blocks)
        object.__setattr__(self, "menus", kept)
        object.__setattr__(self, "choices", tuple(len(menu) for menu in blocks))
        for layer in range(max(self.choices)):
            self.environment(self.layer(layer))

    @classmethod
    def of(cls, environments: Sequence[Environment]) -> Products:
        """Each state follows one of ``environments``, which agree on everything but transitions; equal blocks once."""
        given = alike("environments", environments)
        first = given[0]
        for place, env in enumerate(given):
            if env.discount != first.discount or (env.initial != first.initial).any():
                raise ValueError(f"environments[{place}]: has another discount or start than environments[0]")
        menus = []
        for state in range(first.n_states):
            rows = slice(state * first.n_actions, (state + 1) * first.n_actions)
            blocks = [env.transitions[rows] for env in given]
            distinct = [b for i, b in enumerate(blocks) if not any(_equal(b, other) for other in blocks[:i])]
            menus.append(distinct)
        return cls(menus, first.discount, first.initial, states=first.states, actions=first.actions)

    @property
    def size(self) -> int:  # noqa: D102
        return prod(self.choices)

    @property
    def n_actions(self) -> int:
        """Number of actions, A."""
        return int(self.rows.shape[0]) // sum(self.choices)

    @cached_property
    def rows(self) -> sparse.csr_array:
        """All menus below each other, sparse (sum of choices * A, S)."""
        return sparse.csr_array(sparse.vstack(self.menus))

    def chosen(self, index: int) -> tuple[int, ...]:
        """Which block each state has, (S,)."""
        return numbering.digits(checked_index(index, self.size), self.choices)

    def index(self, chosen: Sequence[int]) -> int:
        """The index at which each state has block ``chosen[s]``."""
        return numbering.composed(chosen, self.choices)

    def layer(self, number: int) -> int:
        """The index at which every state has block ``number``, or its last one where its menu is shorter."""
        return self.index([min(number, count - 1) for count in self.choices])

    def neighbours(self, index: int) -> Sequence[int]:  # noqa: D102
        return numbering.one_changed(checked_index(index, self.size), self.choices)

    def environment(self, index: int) -> Environment:  # noqa: D102
        first = np.concatenate([[0], np.cumsum(self.choices[:-1])]) + np.asarray(self.chosen(index))
        taken = (first[:, None] * self.n_actions + np.arange(self.n_actions)).ravel()
        return Environment(self.rows[taken], self.discount, self.initial, states=self.states, actions=self.actions)


@dataclass(frozen=True, eq=False)
class Mixtures(EnvironmentFamily):
    """Convex mixtures of dynamics, ``T = sum_i w_i T_i`` with weights in whole multiples of ``1 / parts``.

    Parameters
    ----------
    environments : sequence of n Environment
        With the same states, actions and discount.  The start is mixed as the transitions are; names are those of the
        first.
    parts : int
        At least 1: how finely the weights are cut.
    """

    environments: Sequence[Environment]
    parts: int

    def __post_init__(self) -> None:
        given = alike("environments", self.environments)
        object.__setattr__(self, "environments", given)
        check_count("parts", self.parts)
        for place, env in enumerate(given):
            if env.discount != given[0].discount:
                raise ValueError(
                    f"environments[{place}]: has discount {env.discount:g}, should have {given[0].discount:g} as "
                    "environments[0]"
                )

    @property
    def size(self) -> int:  # noqa: D102
        return comb(self.parts + len(self.environments) - 1, self.parts)

    def weights(self, index: int) -> Array:
        """The weight of each environment, (n,)."""
        return np.array(self._parts(index)) / self.parts

    def neighbours(self, index: int) -> Sequence[int]:  # noqa: D102
        shares = self._parts(index)
        found = []
        for source in np.flatnonzero(shares):
            for target in range(len(shares)):
                if target != source:
                    moved = list(shares)
                    moved[source] -= 1
                    moved[target] += 1
                    found.append(numbering.parts_rank(moved))
        return found

    def environment(self, index: int) -> Environment:  # noqa: D102
        pairs = [(w, env) for w, env in zip(self.weights(index), self.environments, strict=True) if w > 0]
        rows = sum((w * env.transitions for w, env in pairs[1:]), pairs[0][0] * pairs[0][1].transitions)
        initial = np.sum([w * env.initial for w, env in pairs], axis=0)
        first = self.environments[0]
        return Environment(sparse.csr_array(rows), first.discount, initial, states=first.states, actions=first.actions)

    def _parts(self, index: int) -> tuple[int, ...]:
        return numbering.parts(checked_index(index, self.size), self.parts, len(self.environments))


def as_family(given: Environment | EnvironmentFamily) -> EnvironmentFamily:
    """A family as it is, an environment as a family of one; ``ValueError`` for anything else."""
    if isinstance(given, Environment):
        return Listed([given])
    if not isinstance(given, EnvironmentFamily):
        raise ValueError(f"base: should be an Environment or an EnvironmentFamily, was {type(given).__name__}")
    return given


def alike(argument: str, environments: Sequence[Environment]) -> tuple[Environment, ...]:
    """At least one environment, all with the same states and actions, or ``ValueError``."""
    given = tuple(environments)
    if not given:
        raise ValueError(f"{argument}: is empty, should hold at least one environment")
    for place, env in enumerate(given):
        if not isinstance(env, Environment):
            raise ValueError(f"{argument}[{place}]: should be an Environment, was {type(env).__name__}")
        if (env.n_states, env.n_actions) != (given[0].n_states, given[0].n_actions):
            raise ValueError(
                f"{argument}[{place}]: has {env.n_states} states and {env.n_actions} actions, {argument}[0] has "
                f"{given[0].n_states} and {given[0].n_actions}"
            )
    return given


def checked_index(index: int, size: int) -> int:
    """``index`` as an int in ``range(size)``, or ``ValueError``."""
    if not isinstance(index, int | np.integer) or not 0 <= index < size:
        given = numbering.words(int(index)) if isinstance(index, int | np.integer) else repr(index)
        raise ValueError(f"index: was {given}, should be a whole number from 0 to {numbering.words(size - 1)}")
    return int(index)


def check_count(argument: str, value: int) -> None:
    """``ValueError`` unless ``value`` is a whole number of at least 1."""
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least 1")


def check_price(argument: str, value: float) -> None:
    """``ValueError`` unless ``value`` is finite and above 0."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{argument}: was {value!r}, should be finite and above 0")


def _equal(block: sparse.csr_array, other: sparse.csr_array) -> bool:
    return bool(abs(block - other).max() == 0)
