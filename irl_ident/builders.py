"""Generic environments: random ones, grids from text maps, and relabelled copies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Environment

Integers = npt.NDArray[np.int64]

MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
"""The actions of a grid, as rows and columns moved."""

WALL = "#"
FLOOR = " ."


def random_environment(
    n_states: int,
    n_actions: int,
    discount: float,
    seed: int,
    *,
    concentration: float = 1.0,
    successors: int | None = None,
) -> Environment:
    """An environment with Dirichlet transitions.

    Parameters
    ----------
    n_states, n_actions : int
    discount : float
    seed : int
    concentration : float
        Of the symmetric Dirichlet distribution of each row, positive; small values make rows nearly deterministic.
    successors : int, optional
        Number of different states, drawn at random, that each row can lead to; all states when not given.

    Examples
    --------
    >>> random_environment(5, 2, 0.9, seed=0)
    Environment(5 states, 2 actions, discount 0.9)
    """
    if n_states < 1 or n_actions < 1:
        raise ValueError(f"n_states, n_actions: were {n_states}, {n_actions}, should be at least 1")
    if not concentration > 0:
        raise ValueError(f"concentration: was {concentration!r}, should be positive")
    width = n_states if successors is None else successors
    if not 1 <= width <= n_states:
        raise ValueError(f"successors: was {successors!r}, should be in 1..{n_states}")
    rng = np.random.default_rng(seed)
    rows = n_states * n_actions
    weights = rng.dirichlet(np.full(width, concentration), size=rows)
    columns = np.tile(np.arange(n_states), (rows, 1)) if width == n_states else _different(rng, rows, width, n_states)
    indptr = np.arange(0, rows * width + 1, width)
    return Environment(sparse.csr_array((weights.ravel(), columns.ravel(), indptr), shape=(rows, n_states)), discount)


def _different(rng: np.random.Generator, rows: int, width: int, n_states: int) -> Integers:
    """In each of ``rows`` rows, ``width`` different states, every set equally likely (Floyd's sampling)."""
    chosen = np.empty((rows, width), dtype=np.int64)
    for place, top in enumerate(range(n_states - width, n_states)):
        drawn = rng.integers(top + 1, size=rows)
        taken = (chosen[:, :place] == drawn[:, None]).any(axis=1)
        chosen[:, place] = np.where(taken, top, drawn)
    return chosen


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid world and where its states are.

    Attributes
    ----------
    environment : Environment
        States are the cells that are no walls, row by row, named ``r0c1``; actions are up, right, down, left.
    positions : int (S, 2)
        Row and column of each state.
    walls : int (W, 2)
        Rows and columns of the walls.
    marks : mapping of str to tuple of int
        The states that bear each letter.
    text : str
        The map.
    """

    environment: Environment
    positions: Integers
    walls: Integers
    marks: Mapping[str, tuple[int, ...]]
    text: str


def grid(
    text: str, discount: float, *, slip: float = 0.0, absorbing: Collection[str] = (), initial: str | None = None
) -> Grid:
    """A grid world from a text map.

    Parameters
    ----------
    text : str
        Lines of equal length: ``#`` is a wall, a blank or a dot is floor, any other character is floor that bears a
        mark.
    discount : float
    slip : float
        In [0, 1]: the probability that a move goes to one of its two sides instead, evenly.
    absorbing : collection of str
        Marks of the cells that end the episode.
    initial : str, optional
        Mark of the cells in which episodes start, evenly; all cells that do not end the episode, when not given.

    Returns
    -------
    Grid
        A move against a wall or the edge stays.

    Examples
    --------
    >>> small = grid("A.#\\n..G", 0.9, absorbing="G", initial="A")
    >>> small.environment
    Environment(5 states, 4 actions, discount 0.9)
    >>> small.environment.states[small.marks["G"][0]]
    'r1c2'
    """
    lines = text.strip("\n").split("\n")
    if len({len(line) for line in lines}) != 1 or not lines[0]:
        raise ValueError(f"text: lines should have one length, have {sorted({len(line) for line in lines})}")
    if not 0 <= slip <= 1:
        raise ValueError(f"slip: was {slip!r}, should be in [0, 1]")
    letters = np.array([list(line) for line in lines])
    free = letters != WALL
    if not free.any():
        raise ValueError("text: is all walls")
    positions = np.argwhere(free)
    number = np.full(free.shape, -1, dtype=np.int64)
    number[free] = np.arange(len(positions))
    bears = letters[free]
    marks = {str(mark): tuple(np.flatnonzero(bears == mark).tolist()) for mark in np.unique(bears) if mark not in FLOOR}
    for argument, wanted in (("absorbing", absorbing), ("initial", initial or ())):
        for mark in wanted:
            if mark not in marks:
                raise ValueError(f"{argument}: no cell of the map is marked {mark!r}")
    ends = np.isin(bears, list(absorbing))
    targets = [_arrivals(number, positions, *move, ends) for move in MOVES.values()]
    env = Environment(
        [_slipping(targets, action, slip) for action in range(4)],
        discount,
        _start(bears, ends, initial),
        states=[f"r{row}c{column}" for row, column in positions.tolist()],
        actions=list(MOVES),
    )
    return Grid(env, positions, np.argwhere(~free), marks, "\n".join(lines))


def _arrivals(number: Integers, positions: Integers, down: int, right: int, ends: npt.NDArray[np.bool_]) -> Integers:
    """Where a move leads from each cell."""
    own = np.arange(len(positions))
    row, column = positions[:, 0] + down, positions[:, 1] + right
    inside = (row >= 0) & (row < number.shape[0]) & (column >= 0) & (column < number.shape[1])
    there = number[np.where(inside, row, 0), np.where(inside, column, 0)]
    return np.where(inside & (there >= 0) & ~ends, there, own)


def _slipping(targets: list[Integers], action: int, slip: float) -> sparse.csr_array:
    """Transitions of a move that goes to its sides with probability ``slip``."""
    count = len(targets[0])
    outcomes = ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action - 1) % 4, slip / 2))
    columns = np.concatenate([targets[move] for move, _ in outcomes])
    weights = np.repeat([probability for _, probability in outcomes], count)
    return sparse.csr_array((weights, (np.tile(np.arange(count), 3), columns)), shape=(count, count))


def _start(bears: npt.NDArray[np.str_], ends: npt.NDArray[np.bool_], initial: str | None) -> npt.NDArray[np.float64]:
    chosen = np.isin(bears, list(initial)) if initial else ~ends
    if not chosen.any():
        chosen = np.ones_like(ends)
    return chosen / chosen.sum()


def relabel(env: Environment, states: npt.ArrayLike | None = None, actions: npt.ArrayLike | None = None) -> Environment:
    """The same environment with its states and actions in another order.

    Parameters
    ----------
    env : Environment
    states : int array (S,), optional
        The old number of each new state.
    actions : int array (A,), optional
        The old number of each new action.

    Returns
    -------
    Environment
        Names move along.
    """
    order = _order("states", states, env.n_states)
    moves = _order("actions", actions, env.n_actions)
    rows = (order[:, None] * env.n_actions + moves).ravel()
    return Environment(
        sparse.csr_array(env.transitions[rows][:, order]),
        env.discount,
        env.initial[order],
        states=[env.states[s] for s in order],
        actions=[env.actions[a] for a in moves],
    )


def _order(argument: str, given: npt.ArrayLike | None, count: int) -> Integers:
    order = np.arange(count) if given is None else np.asarray(given)
    if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
        raise ValueError(f"{argument}: should be a permutation of 0..{count - 1}")
    return order.astype(np.int64)
