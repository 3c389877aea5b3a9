"""Interventions: a world, and what an experimenter can change in it, at a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.design.families import numbering
from irl_ident.design.families.base import EnvironmentFamily, alike, check_count, check_price, checked_index
from irl_ident.environment import Environment


@dataclass(frozen=True, eq=False)
class Intervention:
    """A change that an experimenter can make to a world.

    Parameters
    ----------
    name : str
    rows : int array (m,)
        The state-action pairs whose transitions change, as ``s * A + a``.
    transitions : array or sparse (m, S)
        Where they lead instead.
    price : float
        Above 0: what it adds to the price of the experiment.
    """

    name: str
    rows: npt.ArrayLike
    transitions: Any
    price: float = 1.0

    def __post_init__(self) -> None:
        places = np.array(self.rows, dtype=np.int64)
        if places.ndim != 1 or len(set(places.tolist())) != places.size:
            raise ValueError(f"rows: should be different state-action pairs, were {self.rows!r}")
        kept = sparse.csr_array(self.transitions, dtype=float)
        if kept.ndim != 2 or kept.shape[0] != places.size:
            raise ValueError(f"transitions: should have {places.size} rows, one for each of rows, was {kept.shape}")
        check_price("price", self.price)
        places.setflags(write=False)
        object.__setattr__(self, "rows", places)
        object.__setattr__(self, "transitions", kept)

    @classmethod
    def towards(cls, name: str, env: Environment, other: Environment, price: float = 1.0) -> Intervention:
        """The change that gives ``env`` the transitions of ``other``."""
        alike("other", (env, other))
        gap = sparse.csr_array(abs(env.transitions - other.transitions))
        rows = np.flatnonzero(gap.sum(axis=1) > 0)
        return cls(name, rows, other.transitions[rows], price)


@dataclass(frozen=True, eq=False)
class Interventions(EnvironmentFamily):
    """A world in which up to ``most`` of the possible changes are made at once.

    Where two changes concern the same state-action pair, the later one in ``changes`` holds.

    Parameters
    ----------
    env : Environment
        Without any change.
    changes : sequence of Intervention
        At least one.
    most : int
        Changes at once, from 1 to ``len(changes)``.
    base_price : float
        Of the experiment itself, above 0; each change adds its own.
    """

    env: Environment
    changes: Sequence[Intervention]
    most: int = 1
    base_price: float = 1.0

    def __post_init__(self) -> None:
        given = tuple(self.changes)
        object.__setattr__(self, "changes", given)
        check_price("base_price", self.base_price)
        check_count("most", self.most)
        if self.most > len(given):
            raise ValueError(f"most: was {self.most}, should be at most {len(given)}, the number of changes")
        for place, change in enumerate(given):
            rows = np.asarray(change.rows)
            beyond = rows[(rows < 0) | (rows >= self.env.transitions.shape[0])]
            if beyond.size or np.shape(change.transitions)[1] != self.env.n_states:
                raise ValueError(
                    f"changes[{place}]: {change.name!r} should change rows below {self.env.transitions.shape[0]} to "
                    f"distributions over {self.env.n_states} states"
                )
            try:
                self.environment(1 + place)
            except ValueError as error:
                raise ValueError(f"changes[{place}]: {change.name!r}: {error}") from error

    @property
    def size(self) -> int:  # noqa: D102
        return sum(comb(len(self.changes), count) for count in range(self.most + 1))

    def made(self, index: int) -> tuple[int, ...]:
        """Which changes are made, by position."""
        rest = checked_index(index, self.size)
        for count in range(self.most + 1):
            here = comb(len(self.changes), count)
            if rest < here:
                return numbering.subset(rest, count)
            rest -= here
        raise AssertionError("an index below size has a count")

    def index(self, made: Sequence[int]) -> int:
        """The index at which these changes are made."""
        fewer = sum(comb(len(self.changes), count) for count in range(len(made)))
        return fewer + numbering.subset_rank(sorted(made))

    def neighbours(self, index: int) -> Sequence[int]:  # noqa: D102
        made = set(self.made(index))
        others = [place for place in range(len(self.changes)) if place not in made]
        found = [made - {gone} for gone in sorted(made)]
        found += [made - {gone} | {new} for gone in sorted(made) for new in others]
        if len(made) < self.most:
            found += [made | {new} for new in others]
        return [self.index(tuple(each)) for each in found]

    def environment(self, index: int) -> Environment:  # noqa: D102
        source = np.arange(self.env.transitions.shape[0])
        stacked, first = [self.env.transitions], source.size
        for place in self.made(index):
            change = self.changes[place]
            rows = np.asarray(change.rows)
            source[rows] = first + np.arange(rows.size)
            stacked.append(change.transitions)
            first += rows.size
        rows_taken = sparse.csr_array(sparse.vstack(stacked, format="csr"))[source]
        env = self.env
        return Environment(rows_taken, env.discount, env.initial, states=env.states, actions=env.actions)

    def price(self, index: int) -> float:  # noqa: D102
        return float(self.base_price + sum(self.changes[place].price for place in self.made(index)))
