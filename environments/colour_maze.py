"""A maze with things in it: does it want the line, what is yellow, or the corner?

Langosco et al. (2022) trained agents in Procgen's mazes (Cobbe et al. 2020) to come to a goal.  In their first maze the
goal is always in the top right corner: elsewhere, in test mazes, agents go to the corner.  In their second the goal is
a yellow line on any cell; offered a red line and a yellow gem, agents go by the colour and not by the shape.  Published
code: JacobPfau/procgenAISC, ``maze_aisc.cpp``, ``maze_yellowline.cpp`` and ``maze_redline_yellowgem.cpp``.

Here the mazes are small and the tables exact.  These are the rules:

- A maze of ``side x side`` cells, ``side`` odd: cells whose row and column are even are rooms, the others walls, but
  for passages between neighbouring rooms that make of them a tree (drawn by Kruskal's algorithm, as the published ones
  are).
- An episode starts in the bottom left cell.  ``up``, ``right``, ``down`` and ``left`` go one cell, or nowhere where a
  wall or the border is.
- There are one or two things, each a line or a gem, yellow or red, in different rooms.  Coming to a thing ends the
  episode: the state is then what was taken (line or gem, yellow or red, in the corner or not) for good.  In the
  published code only the goal ends it.
- The top right cell is the corner, whether or not a thing is there.

States pay in every step that is spent in them: a thing that is taken is worth ``1 / (1 - discount)`` times its
features, and so is staying in the corner for ever.  All mazes of a size share their states; walls and cells on which
things lie are absorbing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import sparse

import irl_ident as ii

SIDE = 5
ACTIONS = ("up", "right", "down", "left")
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
KINDS = ("line", "yellow", "corner", "step")

BASE = np.array([1.0, 0.0, 0.0, 0.0])
"""What training pays for, in the parameters of :func:`family`: the line."""

COLOUR = np.array([0.0, 1.0, 0.0, 0.0])
POSITION = np.array([0.0, 0.0, 1.0, 0.0])
"""Proxies: what is yellow, and the corner."""

TAKEN = tuple(product((True, False), repeat=3))
"""What can be taken: line or gem, yellow or red, in the corner or not."""


@dataclass(frozen=True)
class Thing:
    """Something to come to.

    Attributes
    ----------
    cell : int
        A room, numbered row by row.
    line : bool
        Or a gem.
    yellow : bool
        Or red.
    """

    cell: int
    line: bool = True
    yellow: bool = True


@dataclass(frozen=True)
class Maze:
    """Free cells and things.

    Attributes
    ----------
    side : int
        Odd.
    free : frozenset of int
        Rooms and passages.
    things : tuple of Thing
    """

    side: int
    free: frozenset[int]
    things: tuple[Thing, ...]

    def __post_init__(self) -> None:
        if self.side < 3 or self.side % 2 == 0:
            raise ValueError(f"side: was {self.side}, should be an odd number of at least 3")
        cells = [start(self.side), *(thing.cell for thing in self.things)]
        if len(set(cells)) < len(cells) or not set(cells) <= self.free:
            raise ValueError(f"things: should be on different free cells, none of them the start, were on {cells[1:]}")


def start(side: int = SIDE) -> int:
    """The bottom left cell."""
    return side * (side - 1)


def corner(side: int = SIDE) -> int:
    """The top right cell."""
    return side - 1


def rooms(side: int = SIDE) -> list[int]:
    """Cells whose row and column are even."""
    return [row * side + column for row in range(0, side, 2) for column in range(0, side, 2)]


def build(maze: Maze, *, slip: float = 0.0, discount: float = 0.9) -> ii.Environment:
    """The environment of a maze.

    Parameters
    ----------
    maze : Maze
    slip : float
        Probability that a move goes to one of the two sides instead, evenly; 0 in the published code.
    discount : float

    Returns
    -------
    Environment
        States are the cells, row by row, and then what was taken, in the order of :data:`TAKEN`.
    """
    side, cells = maze.side, maze.side**2
    arrival = np.arange(cells)
    for thing in maze.things:
        arrival[thing.cell] = cells + taken(thing, side)
    acting = [cell for cell in range(cells) if cell in maze.free and arrival[cell] == cell]
    there = np.tile(np.arange(cells + len(TAKEN))[:, None], 4)
    for cell in acting:
        for action, (down, right) in enumerate(MOVES):
            row, column = cell // side + down, cell % side + right
            free = 0 <= row < side and 0 <= column < side and row * side + column in maze.free
            there[cell, action] = arrival[row * side + column] if free else cell
    n_states = len(there)
    turns, chances = np.array([0, 1, 3]), np.array([1 - slip, slip / 2, slip / 2])
    outcomes = there[:, (np.arange(4)[:, None] + turns[chances > 0]) % 4].reshape(4 * n_states, -1)
    data = np.tile(chances[chances > 0], 4 * n_states)
    pointers = np.arange(4 * n_states + 1) * outcomes.shape[1]
    table = sparse.csr_array((data, outcomes.ravel(), pointers), shape=(4 * n_states, n_states))
    return ii.Environment(table, discount, np.eye(n_states)[start(side)], states=_names(side), actions=ACTIONS)


def taken(thing: Thing, side: int = SIDE) -> int:
    """The position in :data:`TAKEN` of what was taken."""
    return TAKEN.index((thing.line, thing.yellow, thing.cell == corner(side)))


def _names(side: int) -> list[str]:
    ends = [
        f"{'yellow' if yellow else 'red'} {'line' if line else 'gem'}{' in the corner' if there else ''}"
        for line, yellow, there in TAKEN
    ]
    return [*(f"r{cell // side}c{cell % side}" for cell in range(side**2)), *ends]


@lru_cache(maxsize=4)
def family(side: int = SIDE) -> ii.rewards.LinearRewards:
    """What a line, what is yellow, the corner, and a step on the way are worth; a red gem elsewhere is worth 0."""
    cells = side**2
    features = np.zeros((cells + len(TAKEN), 4, len(KINDS)))
    features[cells:, :, :3] = np.array(TAKEN)[:, None, :]
    features[corner(side), :, 2] = 1
    features[:cells, :, 3] = 1
    return ii.rewards.LinearRewards(features, names=KINDS)


def random_free(rng: np.random.Generator, side: int = SIDE) -> frozenset[int]:
    """Rooms and passages of a random spanning tree (Kruskal 1956, with passages in random order)."""
    places = rooms(side)
    passages = [(a, b) for a in places for b in (a + 2, a + 2 * side) if b in places]
    parent = {place: place for place in places}

    def root(place: int) -> int:
        while parent[place] != place:
            place = parent[place]
        return place

    free = set(places)
    for number in rng.permutation(len(passages)):
        a, b = passages[number]
        if root(a) != root(b):
            parent[root(a)] = root(b)
            free.add((a + b) // 2)
    return frozenset(free)


def with_things(rng: np.random.Generator, kinds: Sequence[tuple[bool, bool]], *, side: int = SIDE) -> Maze:
    """A random maze with things (line, yellow) in random rooms, neither at the start nor in the corner.

    None of the things is in the way to another one, or to the corner.
    """
    places = [place for place in rooms(side) if place not in (start(side), corner(side))]
    while True:
        chosen = rng.permutation(places)[: len(kinds)].tolist()
        things = tuple(Thing(cell, line, yellow) for cell, (line, yellow) in zip(chosen, kinds, strict=True))
        maze = Maze(side, random_free(rng, side), things)
        wanted = [corner(side), *(side**2 + taken(thing, side) for thing in things)]
        if build(maze).reachable[wanted].all():
            return maze


def in_the_corner(rng: np.random.Generator, *, side: int = SIDE) -> Maze:
    """Training of the published first maze: the goal in the corner."""
    return Maze(side, random_free(rng, side), (Thing(corner(side)),))


def anywhere(rng: np.random.Generator, *, side: int = SIDE) -> Maze:
    """Test of the published first maze, training of the second: a yellow line in any other room."""
    return with_things(rng, [(True, True)], side=side)


def shape_or_colour(rng: np.random.Generator, *, side: int = SIDE) -> Maze:
    """Test of the published second maze: a red line and a yellow gem."""
    return with_things(rng, [(True, False), (False, True)], side=side)


def picture(maze: Maze) -> str:
    """The map: walls ``#``, the start ``S``, lines ``l`` and gems ``g``, capital where they are yellow."""
    side = maze.side
    cells = ["." if cell in maze.free else "#" for cell in range(side**2)]
    cells[start(side)] = "S"
    for thing in maze.things:
        mark = "l" if thing.line else "g"
        cells[thing.cell] = mark.upper() if thing.yellow else mark
    return "\n".join("".join(cells[row * side : (row + 1) * side]) for row in range(side))
