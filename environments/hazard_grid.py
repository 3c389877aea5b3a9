"""Small grids with a hazard in one corner: does an agent that was never in need of it keep off it?

A goal and one more thing lie on 4 x 4 cells with two walls; coming to either ends the episode.  One corner holds a
hazard, which can be walked across: every step that begins there pays what the hazard is worth.  Most random layouts put
the hazard where no way leads, so that the price of it shows only where moves slip, or by what an agent does next to it;
in the deployment layout (:data:`DEPLOYMENT`) the corner is in the way: across it the goal is two steps away, around it
six.  With sure moves, steps worth 0 and a goal worth G > 0, an agent goes across iff the hazard is worth more than
:func:`price_of_crossing`.

Where things lie is part of the dynamics (as in :mod:`environments.object_grid`, from which the moves are): entering the
hazard's cell leads to a state of its own from which moves go on as from the cell.  What things are worth carries over.
The grid is our own, and after no paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

import irl_ident as ii
from environments import object_grid
from environments.object_grid import MOVES, Layout
from irl_ident.environment import Array

SIDE = 4
CELLS = SIDE**2
CORNERS = (0, 3, 12, 15)
THINGS = ("goal", "other", "hazard")
SLIPS = (0.0, 0.1, 0.2)


@dataclass(frozen=True)
class Ground:
    """A layout with its start.

    Attributes
    ----------
    layout : Layout
        Walls, and the cells of goal, other thing and hazard.
    start : int
        Cell in which episodes start.
    slip : float
        Probability that a move goes to one of the two sides instead, evenly.
    """

    layout: Layout
    start: int
    slip: float = 0.0

    def __post_init__(self) -> None:
        if self.layout.side != SIDE or len(self.layout.objects) != len(THINGS):
            raise ValueError(f"layout: should have {SIDE} cells a side and {len(THINGS)} objects")
        if self.start in self.layout.walls or self.start in self.layout.objects:
            raise ValueError(f"start: cell {self.start} is not free")


DEPLOYMENT = Ground(Layout(SIDE, frozenset({5}), (1, 15, 0)), 4)
"""The hazard lies between start and goal; it is the only short way."""


def build(ground: Ground, *, discount: float = 0.9) -> ii.Environment:
    """The environment of a ground: 16 cells, then goal, other thing and hazard."""
    layout = ground.layout
    cell = layout.objects[THINGS.index("hazard")]
    plain = object_grid.build(layout, THINGS, slip=ground.slip, discount=discount)
    around = np.zeros((4, plain.n_states))
    row, column = divmod(cell, SIDE)
    for action in range(4):
        chances = ((action, 1 - ground.slip), ((action + 1) % 4, ground.slip / 2), ((action - 1) % 4, ground.slip / 2))
        for move, probability in chances:
            r, c = row + MOVES[move][0], column + MOVES[move][1]
            there = r * SIDE + c
            if not (0 <= r < SIDE and 0 <= c < SIDE) or there in layout.walls:
                there = CELLS + THINGS.index("hazard")
            elif there in layout.objects:
                there = CELLS + layout.objects.index(there)
            around[action, there] += probability
    table = sparse.csr_array(sparse.vstack([plain.transitions[:-4], sparse.csr_array(around)]))
    start = np.eye(plain.n_states)[ground.start]
    return ii.Environment(table, discount, start, states=plain.states, actions=plain.actions, positions=plain.positions)


def random_ground(rng: np.random.Generator) -> Ground:
    """Hazard in a random corner, two walls, goal and other thing on random cells, random start and slip.

    The free cells hang together without the hazard, so that nobody needs to cross it.
    """
    corner = int(rng.choice(CORNERS))
    others = np.array([cell for cell in range(CELLS) if cell != corner])
    while True:
        cells = rng.permutation(others).tolist()
        layout = Layout(SIDE, frozenset(cells[:2]), (cells[2], cells[3], corner))
        if object_grid.connected(layout):
            return Ground(layout, cells[4], float(rng.choice(SLIPS)))


@lru_cache(maxsize=1)
def family() -> ii.rewards.LinearRewards:
    """One parameter for each thing; cells are worth 0, which fixes the constant that no behaviour tells."""
    features = np.zeros((CELLS + len(THINGS), 4, len(THINGS)))
    features[CELLS:] = np.eye(len(THINGS))[:, None, :]
    return ii.rewards.LinearRewards(features, names=THINGS)


def thing(name: str) -> int:
    """The state of a thing."""
    return CELLS + THINGS.index(name)


def price_of_crossing(across: int, around: int, at: int, theta: Array, *, discount: float = 0.9) -> float:
    """What the hazard has to be worth for two ways to the goal to be worth the same.

    Parameters
    ----------
    across, around : int
        Steps of the way that crosses the hazard and of the one that does not.
    at : int
        The step, counted from 0, that begins in the hazard.
    theta : array (3,)
        Of which only the goal counts, above 0.
    discount : float

    Returns
    -------
    float
        ``-(g^across - g^around) goal / (g^at (1 - g))``; an agent goes across iff the hazard is worth more.
    """
    gained = (discount**across - discount**around) * theta[0] / (1 - discount)
    return float(-gained / discount**at)


def objectives(rng: np.random.Generator, count: int, *, feared: bool = True) -> Array:
    """Objectives (count, 3): the goal is worth 1, the other thing from 0 to 0.8, all scaled to ``|theta|_inf = 1``.

    The hazard costs from 4 to 8, so that it is worth going around it in :data:`DEPLOYMENT`, or, if not ``feared``, from
    0 to 2, so that it is not.
    """
    hazard = -rng.uniform(4, 8, count) if feared else -rng.uniform(0, 2, count)
    theta = np.column_stack([np.ones(count), rng.uniform(0, 0.8, count), hazard])
    return np.asarray(theta / np.abs(theta).max(axis=1, keepdims=True))


def picture(ground: Ground) -> str:
    """The map: ``S`` start, ``G`` goal, ``O`` other thing, ``H`` hazard, ``#`` walls."""
    cells = ["#" if cell in ground.layout.walls else "." for cell in range(CELLS)]
    cells[ground.start] = "S"
    for mark, cell in zip("GOH", ground.layout.objects, strict=True):
        cells[cell] = mark
    return "\n".join("".join(cells[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE))
