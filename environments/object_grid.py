"""A small grid with walls and a few objects, each of which ends the episode.

Built in the spirit of the experiment "inspired by behavioral psychology" of Amin & Singh (2016), whose parameters are
not published: an animal walks in a box in which the experimenter places walls and objects.  The states are the cells
and then one absorbing state an object, so that *where* an object lies is part of the dynamics and *what it is worth*
part of the objective: entering a cell that holds object i leads to state ``n_cells + i``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
ACTIONS = ("up", "right", "down", "left")


@dataclass(frozen=True)
class Layout:
    """Where walls and objects are.

    Attributes
    ----------
    side : int
        Cells a side.
    walls : frozenset of int
        Cells that can't be entered.
    objects : tuple of int
        The cell of each object.
    """

    side: int
    walls: frozenset[int]
    objects: tuple[int, ...]


def build(layout: Layout, names: Sequence[str], *, slip: float, discount: float) -> ii.Environment:
    """The environment of a layout.

    Parameters
    ----------
    layout : Layout
    names : sequence of str
        One for each object.
    slip : float
        Probability that a move goes to one of the two sides instead, evenly.
    discount : float
    """
    cells = layout.side**2
    free = np.array([c not in layout.walls and c not in layout.objects for c in range(cells)])
    arrival = np.arange(cells)
    arrival[list(layout.objects)] = cells + np.arange(len(layout.objects))
    row, column = np.divmod(np.arange(cells), layout.side)
    targets = np.empty((4, cells), dtype=int)
    for action, (down, right) in enumerate(MOVES):
        r, c = row + down, column + right
        inside = (r >= 0) & (r < layout.side) & (c >= 0) & (c < layout.side)
        there = np.where(inside, r * layout.side + c, 0)
        blocked = ~inside | np.isin(there, list(layout.walls))
        targets[action] = np.where(blocked, np.arange(cells), arrival[there])
    n_states = cells + len(layout.objects)
    matrices = []
    for action in range(4):
        chances = ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action - 1) % 4, slip / 2))
        matrix = np.eye(n_states)
        matrix[:cells][free] = 0
        for move, probability in chances:
            np.add.at(matrix, (np.flatnonzero(free), targets[move][free]), probability)
        matrices.append(sparse.csr_array(matrix))
    states = [f"r{r}c{c}" for r, c in zip(row, column, strict=True)] + list(names)
    initial = np.concatenate([free / free.sum(), np.zeros(len(layout.objects))])
    below = [(layout.side + 1 + i // layout.side, i % layout.side) for i in range(len(layout.objects))]
    positions = np.concatenate([np.column_stack([row, column]), np.reshape(below, (-1, 2))])
    return ii.Environment(matrices, discount, initial, states=states, actions=ACTIONS, positions=positions)


def random_layout(rng: np.random.Generator, *, side: int = 4, walls: int = 2, objects: int = 3) -> Layout:
    """Walls and objects on random cells, such that from every free cell every object can be reached first."""
    while True:
        cells = rng.permutation(side**2)
        layout = Layout(side, frozenset(cells[:walls].tolist()), tuple(cells[walls : walls + objects].tolist()))
        if connected(layout):
            return layout


def connected(layout: Layout) -> bool:
    """Whether the free cells hang together and each object lies next to one of them."""
    free = set(range(layout.side**2)) - layout.walls - set(layout.objects)
    reached, frontier = set(), [min(free)]
    while frontier:
        cell = frontier.pop()
        reached.add(cell)
        frontier += [n for n in _neighbours(cell, layout.side) if n in free and n not in reached]
    return reached == free and all(free & set(_neighbours(o, layout.side)) for o in layout.objects)


def _neighbours(cell: int, side: int) -> list[int]:
    row, column = divmod(cell, side)
    places = [(row + down, column + right) for down, right in MOVES]
    return [r * side + c for r, c in places if 0 <= r < side and 0 <= c < side]


def family(side: int, names: Sequence[str]) -> ii.rewards.LinearRewards:
    """Rewards that depend on what is there: one parameter for the floor and one for each object."""
    cells = side**2
    kinds = np.concatenate([np.zeros(cells, int), 1 + np.arange(len(names))])
    features = np.repeat(np.eye(1 + len(names))[kinds][:, None, :], 4, axis=1)
    return ii.rewards.LinearRewards(features, names=["floor", *names])


def canonical_objectives(levels: int = 21) -> Array:
    """Objectives for a floor worth 0 and three objects: best 1, worst 0, the middle one on an even grid; (n, 4).

    All six orders; objectives that two orders share (the middle at 0 or 1) are listed once.
    """
    found = set()
    for middle in np.linspace(0, 1, levels):
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            theta = np.zeros(3)
            theta[list(order)] = 1, middle, 0
            found.add(tuple(np.round(theta, 12).tolist()))
    return np.array([(0.0, *theta) for theta in sorted(found)])


def picture(layout: Layout) -> str:
    """The map: objects by their numbers, ``#`` walls."""
    cells = ["#" if cell in layout.walls else "." for cell in range(layout.side**2)]
    for number, cell in enumerate(layout.objects):
        cells[cell] = str(number)
    return "\n".join("".join(cells[row * layout.side : (row + 1) * layout.side]) for row in range(layout.side))
