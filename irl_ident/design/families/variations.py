"""Variations: families whose environments are those of another family, each in several variants.

They stack: ``Discounts(Starts(layouts), [0.5, 0.9])`` has every layout with every start and every discount.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from irl_ident.builders import discounted
from irl_ident.design.families.base import EnvironmentFamily, as_family, checked_index
from irl_ident.environment import Environment
from irl_ident.transitions import checked_distribution


class Variation(EnvironmentFamily, Protocol):
    """A family whose environments are those of another, each in several variants; the variant counts fastest."""

    base: Environment | EnvironmentFamily

    @property
    @abstractmethod
    def variants(self) -> int:
        """How many variants there are of each environment."""

    @abstractmethod
    def near(self, variant: int) -> Sequence[int]:
        """The variants one choice away."""

    @cached_property
    def below(self) -> EnvironmentFamily:
        """The family that is varied."""
        return as_family(self.base)

    @property
    def size(self) -> int:  # noqa: D102
        return self.below.size * self.variants

    def split(self, index: int) -> tuple[int, int]:
        """The index in the base family, and the variant."""
        return divmod(checked_index(index, self.size), self.variants)

    def neighbours(self, index: int) -> Sequence[int]:  # noqa: D102
        place, variant = self.split(index)
        others = [place * self.variants + other for other in self.near(variant)]
        return others + [other * self.variants + variant for other in self.below.neighbours(place)]

    def price(self, index: int) -> float:  # noqa: D102
        return self.below.price(self.split(index)[0])


@dataclass(frozen=True, eq=False)
class Starts(Variation):
    """Where episodes start.

    A whole policy tells the same wherever episodes start; trajectories, losses and values do not.

    Parameters
    ----------
    base : Environment or EnvironmentFamily
    starts : array (K, S) of distributions, or sequence of K states, optional
        Every state when not given.
    """

    base: Environment | EnvironmentFamily
    starts: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        count = self.below.environment(0).n_states
        given = np.arange(count) if self.starts is None else np.asarray(self.starts)
        if given.ndim == 1 and given.size and given.dtype.kind in "iu" and (given >= 0).all() and (given < count).all():
            given = np.eye(count)[given]
        if given.ndim != 2 or not len(given):
            raise ValueError(
                f"starts: should be states in 0..{count - 1} or distributions (K, {count}), K >= 1, was {self.starts!r}"
            )
        kept = np.array([checked_distribution(f"starts[{k}]", row, count) for k, row in enumerate(given)])
        kept.setflags(write=False)
        object.__setattr__(self, "starts", kept)

    @property
    def variants(self) -> int:  # noqa: D102
        return len(np.asarray(self.starts))

    def environment(self, index: int) -> Environment:  # noqa: D102
        place, variant = self.split(index)
        env = self.below.environment(place)
        initial = np.asarray(self.starts)[variant]
        return Environment(
            env.transitions, env.discount, initial, states=env.states, actions=env.actions, positions=env.positions
        )

    def near(self, variant: int) -> Sequence[int]:  # noqa: D102
        return [other for other in range(self.variants) if other != variant]


@dataclass(frozen=True, eq=False)
class Discounts(Variation):
    """What the future is worth.

    Parameters
    ----------
    base : Environment or EnvironmentFamily
    discounts : sequence of float
        At least one, ascending.
    """

    base: Environment | EnvironmentFamily
    discounts: Sequence[float]

    def __post_init__(self) -> None:
        given = tuple(float(discount) for discount in self.discounts)
        if not given or any(after <= before for before, after in pairwise(given)):
            raise ValueError(f"discounts: should be at least one, ascending, were {self.discounts!r}")
        object.__setattr__(self, "discounts", given)
        for variant in range(len(given)):
            self.environment(variant)

    @property
    def variants(self) -> int:  # noqa: D102
        return len(self.discounts)

    def environment(self, index: int) -> Environment:  # noqa: D102
        place, variant = self.split(index)
        env = self.below.environment(place)
        return discounted(env, self.discounts[variant])

    def near(self, variant: int) -> Sequence[int]:  # noqa: D102
        return [other for other in (variant - 1, variant + 1) if 0 <= other < self.variants]
