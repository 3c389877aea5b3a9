"""Gymnasium's frozen lakes with the goal told apart from the corner that it lies in.

Gymnasium's FrozenLake, its two maps and every map that its generator draws, has the goal in the lower right corner.  An
agent that was trained there may want the goal or the corner: the proxy is planted by the maps themselves.  To let the
two come apart, *where* a hole or the goal lies is made part of the dynamics and *what it is worth* part of the
objective: moves are those of Gymnasium's own table, and an episode that ends leads to one of the absorbing states
``hole``, ``goal`` and ``goal in the corner``, which follow the cells.  Where the goal was moved, an episode ends in the
corner too, in the absorbing state ``corner`` and unpaid, so that what an agent would do there, which no training taught
it, is not in question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv, generate_random_map
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array

ACTIONS = ("left", "down", "right", "up")
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))
OUTCOMES = ("hole", "goal", "goal in the corner", "corner")
FEATURES = ("floor", "hole", "goal", "corner")
GOAL = np.array([0.0, 0.0, 1.0, 0.0])
"""What Gymnasium pays for: the base objective, in the parameters of :func:`family`."""

CORNER = np.array([0.0, 0.0, 0.0, 1.0])
"""The proxy: being in the lower right corner, whatever is there."""


GoalAs = Literal["address", "compass"]


@dataclass(frozen=True)
class Lake:
    """A map and whether its ice is slippery.

    Attributes
    ----------
    rows : tuple of str
        Square, of ``S`` (start), ``F`` (frozen), ``H`` (hole) and ``G`` (goal).
    slippery : bool
        Whether two of three moves go to the sides.
    """

    rows: tuple[str, ...]
    slippery: bool = False

    @property
    def side(self) -> int:
        """Cells a side."""
        return len(self.rows)

    @property
    def tiles(self) -> str:
        """The letters of all cells, row by row."""
        return "".join(self.rows)

    @property
    def goal(self) -> int:
        """The cell of the goal."""
        return self.tiles.index("G")

    @property
    def moved(self) -> bool:
        """Whether the goal lies elsewhere than in the lower right corner."""
        return self.goal != self.side**2 - 1

    def world(self) -> FrozenLakeEnv:
        """Gymnasium's environment of this map."""
        return FrozenLakeEnv(desc=list(self.rows), is_slippery=self.slippery)


def random_lake(seed: int, *, side: int = 4, slippery: bool = False) -> Lake:
    """A map from Gymnasium's own generator: the goal is in the corner, and can be reached."""
    return Lake(tuple(generate_random_map(size=side, p=0.8, seed=seed)), slippery)


def goal_moved(lake: Lake) -> tuple[Lake, ...]:
    """The same lake with the goal on each other frozen cell, the corner frozen.

    Only those in which both goal and corner can be reached from the start without treading on the other; may be none.
    """
    corner = lake.side**2 - 1
    ice = lake.tiles[:-1].replace("G", "F") + "F"
    places = [c for c in range(corner) if ice[c] == "F" and c in _reached(ice, corner) and corner in _reached(ice, c)]
    moved = [f"{ice[:cell]}G{ice[cell + 1 :]}" for cell in places]
    rows = [tuple(tiles[i : i + lake.side] for i in range(0, len(tiles), lake.side)) for tiles in moved]
    return tuple(Lake(each, lake.slippery) for each in rows)


@lru_cache(maxsize=1024)
def build(lake: Lake, discount: float) -> ii.Environment:
    """The environment of a lake: Gymnasium's table, its terminating transitions led to the outcomes."""
    cells = lake.side**2
    n_states = cells + len(OUTCOMES)
    table = np.zeros((n_states, len(ACTIONS), n_states))
    outcome = {cell: cells for cell, tile in enumerate(lake.tiles) if tile == "H"}
    outcome |= {cells - 1: cells + 3, lake.goal: cells + 1} if lake.moved else {lake.goal: cells + 2}
    moves = lake.world().P
    for cell in range(cells):
        for action in range(len(ACTIONS)):
            if cell in outcome:
                table[cell, action, cell] = 1
                continue
            for probability, there, *_ in moves[cell][action]:
                table[cell, action, outcome.get(there, there)] += probability
    table[cells:] = np.eye(n_states)[cells:, None, :]
    initial = np.zeros(n_states)
    initial[lake.tiles.index("S")] = 1
    names = [f"r{c // lake.side}c{c % lake.side}" for c in range(cells)]
    return ii.Environment(table, discount, initial, states=[*names, *OUTCOMES], actions=ACTIONS)


def paid(lake: Lake) -> Array:
    """What Gymnasium pays, on the states of :func:`build`, (S, A)."""
    reward = np.vstack([ii.rewards.base_objective(lake.world()), np.zeros((len(OUTCOMES), len(ACTIONS)))])
    reward[lake.side**2 - 1] = 0
    return reward


@lru_cache(maxsize=4)
def family(side: int = 4) -> ii.rewards.LinearRewards:
    """What is there: floor, hole or goal, and on top whether it is the lower right corner."""
    cells = side**2
    kinds = np.zeros((cells + len(OUTCOMES), len(FEATURES)))
    kinds[:cells, 0] = 1
    kinds[cells, 1] = 1
    kinds[[cells + 1, cells + 2], 2] = 1
    kinds[cells + 3, 0] = 1
    kinds[[cells + 2, cells + 3], 3] = 1
    return ii.rewards.LinearRewards(np.repeat(kinds[:, None], len(ACTIONS), axis=1), names=FEATURES)


def picture(lake: Lake) -> str:
    """The map in Gymnasium's letters: ``S`` start, ``F`` frozen, ``H`` hole, ``G`` goal."""
    return "\n".join(lake.rows)


@dataclass(frozen=True, eq=False)
class Archipelago:
    """Several lakes as one environment, and what an agent sees in each of its states.

    Attributes
    ----------
    lakes : tuple of Lake
    environment : Environment
        The lakes side by side; episodes start in some of them.
    reward : array (S, A)
        What Gymnasium pays.
    view : array (S, n)
        The cell, one-hot; the holes of the map and those on the four sides; where the goal is, as told by ``goal_as``.
    """

    lakes: tuple[Lake, ...]
    environment: ii.Environment
    reward: Array
    view: Array

    def table(self, policy: Array, lake: Lake) -> Array:
        """The part of ``policy`` (all states, A) that is about one lake, (S, A)."""
        size = len(policy) // len(self.lakes)
        first = self.lakes.index(lake) * size
        return policy[first : first + size]


def archipelago(lakes: Sequence[Lake], starting: int, discount: float, goal_as: GoalAs) -> Archipelago:
    """Put lakes of one size side by side.

    Parameters
    ----------
    lakes : sequence of Lake
    starting : int
        Episodes start evenly in the first so many, on any cell where one can act.
    discount : float
    goal_as : {"address", "compass"}
        What an agent is told of the goal: its cell, one-hot; or how many rows and columns away it is, one-hot.
    """
    built = [build(lake, discount) for lake in lakes]
    shares = np.where(np.arange(len(lakes)) < starting, 1 / starting, 0.0)
    initial = [share * ~env.absorbing / (~env.absorbing).sum() for share, env in zip(shares, built, strict=True)]
    moves = sparse.block_diag([env.transitions for env in built], format="csr")
    return Archipelago(
        tuple(lakes),
        ii.Environment(moves, discount, np.concatenate(initial)),
        np.vstack([paid(lake) for lake in lakes]),
        np.vstack([_view(lake, goal_as) for lake in lakes]),
    )


def _view(lake: Lake, goal_as: GoalAs) -> Array:
    side, cells = lake.side, lake.side**2
    holes = np.pad(np.array([list(row) for row in lake.rows]) == "H", 1)
    row, column = np.divmod(np.arange(cells), side)
    around = [holes[row + 1 + down, column + 1 + right] for down, right in MOVES]
    if goal_as == "address":
        goal = np.tile(np.eye(cells)[lake.goal], (cells, 1))
    else:
        away = np.eye(2 * side - 1)
        goal = np.hstack([away[lake.goal // side - row + side - 1], away[lake.goal % side - column + side - 1]])
    seen = [np.eye(cells), np.tile(holes[1:-1, 1:-1].ravel(), (cells, 1)), np.column_stack(around), goal]
    return np.pad(np.hstack(seen).astype(float), ((0, len(OUTCOMES)), (0, 0)))


def _reached(tiles: str, avoided: int) -> set[int]:
    """Cells that can be reached from the start without falling into a hole or treading on ``avoided``."""
    side = int(len(tiles) ** 0.5)
    reached: set[int] = set()
    frontier = [tiles.index("S")]
    while frontier:
        cell = frontier.pop()
        if cell in reached or cell == avoided or tiles[cell] == "H":
            continue
        reached.add(cell)
        row, column = divmod(cell, side)
        frontier += [
            (row + down) * side + column + right
            for down, right in MOVES
            if 0 <= row + down < side and 0 <= column + right < side
        ]
    return reached
