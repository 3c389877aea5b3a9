"""The windy grid of Sutton & Barto (Reinforcement Learning, 2nd edition, 2018, example 6.5), with winds that change.

Seven rows, ten columns; from the third row of the left edge (counted from 0) an agent walks to the goal, four columns
from the right edge in the same row.  In the middle columns an upward wind shifts it: a move from a cell ends as many
cells higher as the wind of *that* cell's column is strong, and never beyond the edge.  The book's wind is :data:`WIND`;
with four moves the best way takes 15 steps, with the king's eight (exercise 6.9) 7.  In exercise 6.10 the wind, where
there is any, is one stronger or one weaker, a third of the time each.

The environments of the family are other winds; the book has but one.  For objectives to differ, two places of our own
are added to the goal, in the corners of the right edge: a tower and a harbour.  Coming to a place leads to an absorbing
state of its own, so that what it is worth carries over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array

ROWS, COLUMNS = 7, 10
START, GOAL = (3, 0), (3, 7)
WIND = (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)
"""How many cells a move from each column is shifted upward."""

PLACES = {"goal": GOAL, "tower": (0, 9), "harbour": (6, 9)}
FOUR = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
KING = FOUR | {"up right": (-1, 1), "down right": (1, 1), "down left": (1, -1), "up left": (-1, -1)}


def build(
    wind: Sequence[int] = WIND,
    *,
    moves: Mapping[str, tuple[int, int]] = FOUR,
    places: Mapping[str, tuple[int, int]] = PLACES,
    gusts: float = 0.0,
    discount: float = 0.95,
) -> ii.Environment:
    """The grid with a wind.

    Parameters
    ----------
    wind : sequence of int
        One for each column; negative winds blow down.
    moves : mapping of str to (int, int)
        ``FOUR`` or ``KING``: rows down and columns right.
    places : mapping of str to (int, int)
        Row and column of what ends an episode; ``{"goal": GOAL}`` in the book.
    gusts : float
        Probability that a wind that is not 0 is one stronger or one weaker, evenly; 2/3 in exercise 6.10.
    discount : float
    """
    strength = np.asarray(wind)
    if strength.shape != (COLUMNS,) or strength.dtype.kind not in "iu":
        raise ValueError(f"wind: should be {COLUMNS} whole numbers, was {list(wind)!r}")
    cells, n_states = ROWS * COLUMNS, ROWS * COLUMNS + len(places)
    arrival = np.arange(cells)
    here = [row * COLUMNS + column for row, column in places.values()]
    arrival[here] = cells + np.arange(len(places))
    row, column = np.divmod(np.arange(cells), COLUMNS)
    matrices = []
    for down, right in moves.values():
        matrix = np.eye(n_states)
        matrix[:cells] = 0
        for gust, chance in ((0, 1 - gusts), (1, gusts / 2), (-1, gusts / 2)):
            blown = strength + gust * (strength != 0)
            r = np.clip(row + down - blown[column], 0, ROWS - 1)
            c = np.clip(column + right, 0, COLUMNS - 1)
            np.add.at(matrix, (np.arange(cells), arrival[r * COLUMNS + c]), chance)
        matrix[here] = np.eye(n_states)[here]
        matrices.append(sparse.csr_array(matrix))
    names = [f"r{r}c{c}" for r, c in zip(row, column, strict=True)] + list(places)
    start = np.eye(n_states)[START[0] * COLUMNS + START[1]]
    below = [(ROWS + 1, i) for i in range(len(places))]
    positions = np.concatenate([np.column_stack([row, column]), np.reshape(below, (-1, 2))])
    return ii.Environment(matrices, discount, start, states=names, actions=tuple(moves), positions=positions)


def random_wind(rng: np.random.Generator) -> tuple[int, ...]:
    """None on the two columns of either edge, elsewhere from 2 down to 2 up."""
    return (0, 0, *rng.integers(-2, 3, COLUMNS - 4).tolist(), 0, 0)


@lru_cache(maxsize=4)
def family(moves: int = 4) -> ii.rewards.LinearRewards:
    """One parameter for every cell on the way, one for each of :data:`PLACES`; for a number of ``moves``."""
    kinds = np.concatenate([np.zeros(ROWS * COLUMNS, int), 1 + np.arange(len(PLACES))])
    features = np.repeat(np.eye(1 + len(PLACES))[kinds][:, None, :], moves, axis=1)
    return ii.rewards.LinearRewards(features, names=["way", *PLACES])


def objectives(rng: np.random.Generator, count: int) -> Array:
    """Objectives (count, 4): the way is worth 0, the places are in [0, 1], the best of them 1."""
    places = rng.random((count, len(PLACES)))
    places[np.arange(count), rng.integers(len(PLACES), size=count)] = 1
    return np.column_stack([np.zeros(count), places])


def picture(wind: Sequence[int] = WIND, *, places: Mapping[str, tuple[int, int]] = PLACES) -> str:
    """The map: ``S`` start, places by their first letters; below it how strong the wind is, ``^`` up or ``v`` down."""
    cells = [["."] * COLUMNS for _ in range(ROWS)]
    for mark, (row, column) in {"S": START, **{name[0].upper(): place for name, place in places.items()}}.items():
        cells[row][column] = mark
    strength = "".join(str(abs(each)) if each else " " for each in wind)
    ways = "".join("^" if each > 0 else "v" if each < 0 else " " for each in wind)
    return "\n".join([*("".join(row) for row in cells), strength.rstrip(), ways.rstrip()])
