"""A courier on a floor with three sites, and fields that lead to them: a service to be delegated.

The floor is our own.  It stands for what an optimal reward problem needs (Singh, Lewis & Barto 2009, Where do rewards
come from?; Sorg, Singh & Lewis 2010, Internal rewards mitigate agent boundedness): a designer with an objective, a
distribution of environments, and an agent that plans only so many steps ahead, for which other rewards than the
designer's own objective can serve that objective better.

The rules: the courier is on one of 5 x 5 cells, some of which are walls.  It moves up, right, down or left, or stays; a
move against a wall or over the edge stays too.  With probability ``slip`` a move is lost and the courier stays.  Three
sites (store, dock, desk) are always on the same cells and never walls.  Episodes start on any free cell, evenly, and go
on for ever; every step pays what the cell on which it begins is worth.  Floors differ in their walls alone, and
the free cells of a floor hang together.

There is a *lab* too, in a corner.  On most floors it is closed, which is to say a wall; on some it is open, and a cell
as others are.  What an agent would do in the lab does not show where it is closed: objectives that differ in the worth
of the lab alone act alike on all such floors.

What cells are worth: each site has a worth of being *at* it, and one of being *near* it, which falls by
:data:`FALL` with each step of the straight way (rows plus columns), walls or not, and is whole on the site.  A
designer's objective is about sites alone; what is near them is a means.  A courier that looks h steps ahead and is paid
at sites alone sees nothing of sites h or more moves away.  Being at the lab has a worth of its own where the family
says so.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

import irl_ident as ii
from irl_ident.environment import Array

SIDE = 5
CELLS = SIDE**2
SITES = {"store": 0, "dock": 4, "desk": 22}
"""Cells, numbered row by row."""

LAB = 24
"""The cell of the lab."""

MARKS = {"store": "S", "dock": "D", "desk": "K"}
ACTIONS = ("up", "right", "down", "left", "stay")
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1), (0, 0))
FALL = 0.6
KINDS = (*(f"at the {site}" for site in SITES), *(f"near the {site}" for site in SITES))
LAB_KIND = "at the lab"
NO_WALLS = frozenset({LAB})
"""The floor with nothing closed but the lab."""


def build(walls: frozenset[int] = NO_WALLS, *, slip: float = 0.0, discount: float = 0.9) -> ii.Environment:
    """The floor with walls.

    Parameters
    ----------
    walls : frozenset of int
        Cells, numbered row by row, none of them a site, such that the free cells hang together; with :data:`LAB` where
        the lab is closed.
    slip : float
        Probability that a move is lost, in [0, 1).
    discount : float

    Returns
    -------
    Environment
        25 states, one a cell; a wall is a state of its own that is kept and in which nothing starts.
    """
    if not 0 <= slip < 1:
        raise ValueError(f"slip: was {slip!r}, should be in [0, 1)")
    taken = sorted(cell for cell in walls if not 0 <= cell < CELLS or cell in SITES.values())
    if taken:
        raise ValueError(f"walls: cell {taken[0]} is a site, or not on the floor")
    if not connected(walls):
        raise ValueError(f"walls: {sorted(walls)} part the floor, its free cells should hang together")
    here = np.arange(CELLS)
    row, column = np.divmod(here, SIDE)
    table = np.zeros((CELLS, len(ACTIONS), CELLS))
    for action, (down, right) in enumerate(MOVES):
        r, c = row + down, column + right
        there = np.where((r >= 0) & (r < SIDE) & (c >= 0) & (c < SIDE), r * SIDE + c, here)
        there = np.where(np.isin(there, list(walls)) | np.isin(here, list(walls)), here, there)
        table[here, action, there] += 1 - slip
        table[here, action, here] += slip
    free = ~np.isin(here, list(walls))
    names = [f"r{r}c{c}" for r, c in zip(row, column, strict=True)]
    for place, cell in {**SITES, "lab": LAB}.items():
        names[cell] = place
    positions = np.column_stack([row, column])
    return ii.Environment(table, discount, free / free.sum(), states=names, actions=ACTIONS, positions=positions)


def connected(walls: frozenset[int]) -> bool:
    """Whether the free cells hang together."""
    free = set(range(CELLS)) - walls
    reached, ahead = set(), [SITES["store"]]
    while ahead:
        cell = ahead.pop()
        reached.add(cell)
        row, column = divmod(cell, SIDE)
        places = [(row + down, column + right) for down, right in MOVES[:4]]
        near = [r * SIDE + c for r, c in places if 0 <= r < SIDE and 0 <= c < SIDE]
        ahead += [n for n in near if n in free and n not in reached]
    return reached == free


def random_walls(rng: np.random.Generator, count: int = 6) -> frozenset[int]:
    """So many walls on random cells and the lab closed, such that the free cells hang together with and without it."""
    others = np.array([cell for cell in range(CELLS) if cell not in (*SITES.values(), LAB)])
    while True:
        walls = frozenset(rng.choice(others, count, replace=False).tolist())
        if connected(walls) and connected(walls | {LAB}):
            return walls | {LAB}


@lru_cache(maxsize=2)
def family(*, lab: bool = False) -> ii.rewards.LinearRewards:
    """What it is worth to be at each site and to be near it, (6,), and, if asked, to be in the lab, (7,).

    All cells could be worth more by a constant without changing behaviour; no parameters here do that.
    """
    row, column = np.divmod(np.arange(CELLS)[:, None], SIDE)
    cells = np.array(list(SITES.values()))
    steps = np.abs(row - cells // SIDE) + np.abs(column - cells % SIDE)
    kinds = np.hstack([steps == 0, FALL**steps, np.arange(CELLS)[:, None] == LAB]).astype(float)
    kept = len(KINDS) + lab
    names = [*KINDS, LAB_KIND][:kept]
    return ii.rewards.LinearRewards(np.repeat(kinds[:, None, :kept], len(ACTIONS), axis=1), names=names)


def objectives(rng: np.random.Generator, count: int) -> Array:
    """Objectives of designers, (count, 6): sites are worth from 0 to 1, the best of them 1, and being near nothing."""
    sites = rng.random((count, len(SITES)))
    return np.hstack([sites / sites.max(axis=1, keepdims=True), np.zeros_like(sites)])


def services(rng: np.random.Generator, count: int) -> Array:
    """Objectives of services that are on offer, (count, 6): anything from 0 to 1, the largest worth 1."""
    drawn = rng.random((count, len(KINDS)))
    return np.asarray(drawn / drawn.max(axis=1, keepdims=True))


def with_lab(objectives: Array, worths: Array) -> Array:
    """Each objective (n, 6) with each worth (m,) of the lab, (n m, 7): twins wherever the lab is closed."""
    return np.column_stack([np.repeat(objectives, len(worths), axis=0), np.tile(worths, len(objectives))])


def picture(walls: frozenset[int] = NO_WALLS) -> str:
    """The map: ``S`` store, ``D`` dock, ``K`` desk, ``L`` the lab where it is open, ``#`` walls."""
    marks = {cell: MARKS[site] for site, cell in SITES.items()} | ({} if LAB in walls else {LAB: "L"})
    cells = [marks.get(cell, "#" if cell in walls else ".") for cell in range(CELLS)]
    return "\n".join("".join(cells[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE))
