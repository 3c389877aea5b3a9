"""Mazes with goals and lava, after Kleine Büning, Villin & Dimitrakakis (2024, ICML; arXiv:2210.14972).

An expert walks to the closest of three goal squares and keeps off lava, in mazes that the learner chooses (their
figure 1).  Their published code has the two maps in :data:`MAPS`: MiniGrid worlds of 9 x 9 with the wall around them,
three goals, six cells of lava, the start in the upper left cell.  The learner adds walls to free cells: there a third
of the candidates puts a wall on a cell with probability .1, a third with .2, a third with .3, and none beside the
start.  As in MiniGrid, an episode ends on a goal and in lava, and a wall stops a move.

What goals and lava are worth, and the discount, are in no text that could be had here: they are arguments.  Theirs are
deterministic moves with turns; here an agent moves in four directions, and may slip, so that lava beside the way has a
price.  Where a goal or lava lies is part of the dynamics (each leads to an absorbing state of its own, see
:mod:`environments.object_grid`), so that what it is worth carries over from maze to maze and from map to map.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

import irl_ident as ii
from environments import object_grid
from environments.object_grid import Layout
from irl_ident.environment import Array

SIDE = 7
MAPS = {
    "scattered": ("S......", "..LL.B.", ".......", "LL.....", ".....LL", ".C...A.", "......."),
    "bars": ("S...B..", "..L....", "..L....", "..L...A", "....L..", "....L..", ".C..L.."),
}
"""Start, the goals A, B and C, lava, and free cells."""

GOALS = ("goal A", "goal B", "goal C")
LAVA = 6
SHARES = (0.1, 0.2, 0.3)
"""Probabilities of a wall on a free cell, in turn."""

KINDS = ("floor", *GOALS, "lava")


def build(
    walls: frozenset[int] = frozenset(), *, map_name: str = "bars", slip: float = 0.0, discount: float = 0.9
) -> ii.Environment:
    """A map of :data:`MAPS` with further walls on free cells, numbered row by row.

    The states are the 49 cells, the three goals and the six cells of lava that were entered.
    """
    tiles = "".join(MAPS[map_name])
    taken = sorted(cell for cell in walls if not 0 <= cell < SIDE**2 or tiles[cell] != ".")
    if taken:
        raise ValueError(f"walls: cell {taken[0]} is not free on the map {map_name!r}")
    things = [tiles.index(letter) for letter in "ABC"] + [cell for cell, tile in enumerate(tiles) if tile == "L"]
    names = [*GOALS, *(f"lava {i}" for i in range(LAVA))]
    env = object_grid.build(Layout(SIDE, walls, tuple(things)), names, slip=slip, discount=discount)
    start = np.eye(env.n_states)[tiles.index("S")]
    return ii.Environment(
        env.transitions, discount, start, states=env.states, actions=env.actions, positions=env.positions
    )


def random_walls(rng: np.random.Generator, share: float, *, map_name: str = "bars") -> frozenset[int]:
    """A wall on each free cell with probability ``share``, but for the cells beside the start."""
    tiles = "".join(MAPS[map_name])
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    open_ = (np.array(list(tiles)) == ".") & ((row > 1) | (column > 1))
    return frozenset(np.flatnonzero(open_ & (rng.random(SIDE**2) < share)).tolist())


def candidates(
    rng: np.random.Generator, count: int, *, slip: float = 0.1, discount: float = 0.9
) -> list[ii.Environment]:
    """Mazes to choose from: the maps and the shares of walls in turn, all different, the first without walls."""
    found = {env.digest: env for env in [build(slip=slip, discount=discount)]}
    place = 0
    while len(found) < count:
        map_name, share = ("bars", "scattered")[place % 2], SHARES[place // 2 % len(SHARES)]
        env = build(random_walls(rng, share, map_name=map_name), map_name=map_name, slip=slip, discount=discount)
        found.setdefault(env.digest, env)
        place += 1
    return list(found.values())


@lru_cache(maxsize=1)
def family() -> ii.rewards.LinearRewards:
    """One parameter for the floor, one for each goal, one for all lava."""
    kinds = np.concatenate([np.zeros(SIDE**2, int), np.arange(1, 4), np.full(LAVA, 4)])
    return ii.rewards.LinearRewards(np.repeat(np.eye(len(KINDS))[kinds][:, None, :], 4, axis=1), names=KINDS)


def objectives(rng: np.random.Generator, count: int) -> Array:
    """Objectives (count, 5): a floor worth 0, goals in [0, 1] of which the best is worth 1, lava in [-1, 0]."""
    goals = rng.random((count, len(GOALS)))
    goals[np.arange(count), rng.integers(len(GOALS), size=count)] = 1
    return np.column_stack([np.zeros(count), goals, -rng.random(count)])


def picture(walls: frozenset[int] = frozenset(), *, map_name: str = "bars") -> str:
    """The map: ``S`` start, goals ``A``, ``B`` and ``C``, ``L`` lava, ``#`` walls."""
    tiles = ["#" if cell in walls else tile for cell, tile in enumerate("".join(MAPS[map_name]))]
    return "\n".join("".join(tiles[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE))
