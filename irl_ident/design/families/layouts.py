"""Layouts: walls and objects put on the cells of a map, on the same states whatever the layout.

The states are all cells of the map that are not walls for good, and then one absorbing state for each object, so that
*where* an object lies is part of the dynamics and *what it is worth* part of the objective: entering the cell that
holds an object leads to the object's state.  A cell under a wall or an object cannot be entered.  It stays a state,
in which every action stays, so that rewards mean the same in every layout.

An index says for each *slot*, a cell of which the experimenter may dispose, whether it is free or what it holds.  Two
layouts are neighbours when the contents of two slots are exchanged: a wall or an object moved to a free slot, or two
things that change places.  Nothing keeps walls from cutting the map in two: such a layout tells little, and scores so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb, perm

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import builders
from irl_ident.design.families import numbering
from irl_ident.design.families.base import EnvironmentFamily, checked_index
from irl_ident.environment import Array, Environment, Mask

FREE, BLOCKED = -2, -1
"""What a slot can hold, besides the objects 0, 1, ..."""


@dataclass(frozen=True, eq=False)
class Layouts(EnvironmentFamily):
    """Walls and objects on the slots of a map.

    Parameters
    ----------
    text : str
        The map, as for :func:`irl_ident.builders.grid`: ``#`` is a wall in every layout, and no state.
    discount : float
    walls : int
        How many slots hold a wall.
    objects : sequence of str
        Names of the objects, each on one slot.
    slots : str
        Marks of the cells that are slots; when empty, those without a mark.
    slip : float
        As for :func:`irl_ident.builders.grid`.
    absorbing, start : str
        Marks, as for :func:`irl_ident.builders.grid`.  Starts that a layout covers are left out; when it covers all,
        episodes start in every cell that is free and does not end them.

    Attributes
    ----------
    plain : Grid
        The map without anything on it.

    Examples
    --------
    >>> family = Layouts("S..\\n...", discount=0.9, walls=1, objects=["food"], start="S")
    >>> family.size
    20
    >>> print(family.picture(7))
    S.#
    ..0
    >>> family.environment(7).states[-1]
    'food'
    """

    text: str
    discount: float
    walls: int = 0
    objects: Sequence[str] = ()
    slots: str = ""
    slip: float = 0.0
    absorbing: str = ""
    start: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", tuple(self.objects))
        if not isinstance(self.walls, int | np.integer) or self.walls < 0:
            raise ValueError(f"walls: was {self.walls!r}, should be a whole number of at least 0")
        for mark in self.slots:
            if mark not in self.plain.marks:
                raise ValueError(f"slots: {mark!r} marks no cell of the map")
        held = self.walls + len(self.objects)
        if held > len(self.places):
            raise ValueError(f"walls: {held} walls and objects do not fit on {len(self.places)} slots")
        if held == len(self.plain.positions):
            raise ValueError("walls: walls and objects cover the whole map")
        self.environment(0)

    @cached_property
    def plain(self) -> builders.Grid:
        """The map with no wall and no object on its slots."""
        return builders.grid(self.text, self.discount, slip=self.slip, absorbing=self.absorbing, start=self.start)

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """The states that are slots."""
        if self.slots:
            return np.sort(np.concatenate([self.plain.marks[mark] for mark in self.slots]))
        marked = np.zeros(len(self.plain.positions), dtype=bool)
        for cells in self.plain.marks.values():
            marked[cells] = True
        return np.flatnonzero(~marked)

    @property
    def size(self) -> int:  # noqa: D102
        count = len(self.places)
        return comb(count, self.walls) * perm(count - self.walls, len(self.objects))

    def contents(self, index: int) -> npt.NDArray[np.int64]:
        """What each slot holds: ``FREE``, ``BLOCKED``, or the number of an object, (slots,)."""
        count = len(self.places)
        walls, objects = divmod(checked_index(index, self.size), perm(count - self.walls, len(self.objects)))
        held = np.full(count, FREE)
        held[list(numbering.subset(walls, self.walls))] = BLOCKED
        left = np.flatnonzero(held == FREE)
        order = numbering.arrangement(objects, len(left), len(self.objects))
        held[left[list(order)]] = np.arange(len(self.objects))
        return held

    def index(self, contents: npt.ArrayLike) -> int:
        """The index of a layout, from what each slot holds."""
        held = np.asarray(contents)
        left = np.flatnonzero(held != BLOCKED).tolist()
        order = [left.index(int(np.flatnonzero(held == each)[0])) for each in range(len(self.objects))]
        walls = numbering.subset_rank(np.flatnonzero(held == BLOCKED).tolist())
        return walls * perm(len(left), len(self.objects)) + numbering.arrangement_rank(order, len(left))

    def neighbours(self, index: int) -> Sequence[int]:  # noqa: D102
        held = self.contents(index)
        found = []
        for one, other in combinations(range(len(held)), 2):
            if held[one] != held[other]:
                exchanged = held.copy()
                exchanged[[one, other]] = held[[other, one]]
                found.append(self.index(exchanged))
        return found

    def environment(self, index: int) -> Environment:  # noqa: D102
        held, plain = self.contents(index), self.plain.environment
        cells, actions = plain.n_states, plain.n_actions
        n_states = cells + len(self.objects)
        blocked = np.zeros(cells, dtype=bool)
        blocked[self.places[held == BLOCKED]] = True
        arrival = np.arange(cells)
        arrival[self.places[held >= 0]] = cells + held[held >= 0]
        covered = blocked | (arrival >= cells)
        moves = plain.transitions.tocoo()
        origin = moves.row // actions
        ends = np.where(blocked[moves.col], origin, arrival[moves.col])
        left = ~covered[origin]
        staying = np.concatenate([np.flatnonzero(covered), np.arange(cells, n_states)])
        rows = np.concatenate([moves.row[left], (staying[:, None] * actions + np.arange(actions)).ravel()])
        columns = np.concatenate([ends[left], np.repeat(staying, actions)])
        chances = np.concatenate([moves.data[left], np.ones(staying.size * actions)])
        return Environment(
            sparse.csr_array((chances, (rows, columns)), shape=(n_states * actions, n_states)),
            self.discount,
            np.concatenate([self._start(covered), np.zeros(len(self.objects))]),
            states=[*plain.states, *self.objects],
            actions=plain.actions,
        )

    def picture(self, index: int) -> str:
        """The map with the layout on it: walls as ``#``, objects by the last digits of their numbers."""
        lines = [list(line) for line in self.plain.text.split("\n")]
        for place, thing in zip(self.places, self.contents(index), strict=True):
            row, column = self.plain.positions[place]
            if thing != FREE:
                lines[row][column] = builders.WALL if thing == BLOCKED else str(thing % 10)
        return "\n".join("".join(line) for line in lines)

    def _start(self, covered: Mask) -> Array:
        """Where episodes start, (cells,): as on the plain map, but not where something lies."""
        plain = self.plain.environment
        for chances in (plain.initial, (~plain.absorbing).astype(float), np.ones(plain.n_states)):
            left = np.where(covered, 0.0, chances)
            if left.any():
                break
        return np.asarray(left / left.sum())
