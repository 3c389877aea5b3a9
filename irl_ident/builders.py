"""Builders: environments from a few numbers or from a map drawn in text.

The states of a grid are its free cells, counted row by row.  Actions 0, 1, 2, 3 are up, right, down and left; a move
into a wall or over the edge stays.  With probability ``slip`` a move goes to one of the two perpendicular directions
instead, evenly: the slippery grid of Russell & Norvig (Artificial Intelligence, section 17.1) has ``slip=0.2``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment

Places = npt.NDArray[np.int64]

MOVES = ("up", "right", "down", "left")
STEPS = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
WALL = "#"
FLOOR = ". "


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid and the map that it was made from; see :func:`grid`.

    Attributes
    ----------
    environment : Environment
    positions : int array (S, 2)
        Row and column of each state.
    marks : mapping of str to int array
        For each letter on the map the states that carry it, in order.
    text : str
        The map.
    """

    environment: Environment
    positions: Places
    marks: Mapping[str, Places]
    text: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        lines = self.text.split("\n")
        return len(lines), len(lines[0])

    def picture(self, values: npt.ArrayLike) -> Array:
        """Lay ``values`` (S,) out as (rows, columns), NaN in walls."""
        given = np.asarray(values, dtype=float)
        if given.shape != (len(self.positions),):
            raise ValueError(f"values: should have shape ({len(self.positions)},), was {given.shape}")
        laid = np.full(self.shape, np.nan)
        laid[self.positions[:, 0], self.positions[:, 1]] = given
        return laid


def grid(text: str, discount: float, *, slip: float = 0.0, absorbing: Iterable[str] = (), start: str = "") -> Grid:
    """Make a grid from a map.

    Parameters
    ----------
    text : str
        Lines of equal length: ``#`` a wall, ``.`` or a space free floor, a letter or digit a marked free cell.  Empty
        lines before and after the map are left out.
    discount : float
        As for :class:`irl_ident.Environment`.
    slip : float
        In [0, 1]: the probability that a move goes to one of the two perpendicular directions instead, evenly.
    absorbing : iterable of str
        Marks whose cells end the episode.
    start : str
        Marks in whose cells episodes start, evenly; when empty, in all cells that do not end the episode (in all cells
        if every one does).

    Returns
    -------
    Grid
        States are named by row and column, ``r0c1``, and drawn there.

    Raises
    ------
    ValueError
        Names the argument, the place and the value at fault.

    Examples
    --------
    >>> maze = grid("S.#\\n..G", discount=0.9, absorbing="G", start="S")
    >>> maze.environment
    Environment(5 states, 4 actions, discount 0.9)
    >>> maze.environment.states, maze.marks["G"]
    (('r0c0', 'r0c1', 'r1c0', 'r1c1', 'r1c2'), array([4]))
    >>> maze.picture([0, 1, 2, 3, 4])
    array([[ 0.,  1., nan],
           [ 2.,  3.,  4.]])
    """
    if not 0 <= slip <= 1:
        raise ValueError(f"slip: was {slip!r}, should be a probability")
    cells = _cells(text)
    free = cells != WALL
    positions = np.argwhere(free)
    symbols = cells[free]
    found, owners = np.unique(symbols, return_inverse=True)
    marks = {str(letter): _frozen(np.flatnonzero(owners == i)) for i, letter in enumerate(found) if letter not in FLOOR}
    ends = _marked("absorbing", absorbing, marks, len(positions))
    starts = _marked("start", start, marks, len(positions))
    if not start:
        starts = ~ends if not ends.all() else ends
    environment = Environment(
        _moves(free, positions, ends, slip),
        discount,
        starts / starts.sum(),
        states=[f"r{row}c{column}" for row, column in positions.tolist()],
        actions=MOVES,
        positions=positions,
    )
    return Grid(environment, _frozen(positions), marks, "\n".join("".join(line) for line in cells.tolist()))


def random_environment(
    n_states: int,
    n_actions: int,
    discount: float,
    seed: int | np.random.SeedSequence,
    *,
    concentration: float = 1.0,
    successors: int | None = None,
) -> Environment:
    """Draw every row of the transitions from a symmetric Dirichlet distribution.

    Parameters
    ----------
    n_states, n_actions : int
    discount : float
        As for :class:`irl_ident.Environment`.
    seed : int or SeedSequence
        The same seed gives the same environment.
    concentration : float
        Of the Dirichlet distribution, above 0; 1 is uniform over distributions, small values are nearly deterministic.
    successors : int, optional
        States that each state-action pair can lead to, drawn without replacement; all when not given.

    Returns
    -------
    Environment

    Examples
    --------
    >>> random_environment(100, 4, 0.9, seed=0, successors=3).transitions.nnz
    1200
    """
    for argument, count in (("n_states", n_states), ("n_actions", n_actions)):
        if count < 1:
            raise ValueError(f"{argument}: was {count!r}, should be at least 1")
    if not 0 < concentration < np.inf:
        raise ValueError(f"concentration: was {concentration!r}, should be finite and above 0")
    width = n_states if successors is None else successors
    if not 1 <= width <= n_states:
        raise ValueError(f"successors: was {successors!r}, should be from 1 to n_states = {n_states}")
    rng = np.random.default_rng(seed)
    rows = n_states * n_actions
    arrivals = _subsets(rng, n_states, width, rows)
    probabilities = rng.dirichlet(np.full(width, concentration), size=rows)
    pointers = np.arange(rows + 1) * width
    transitions = sparse.csr_array((probabilities.ravel(), arrivals.ravel(), pointers), shape=(rows, n_states))
    return Environment(transitions, discount)


def relabel(
    env: Environment, *, states: npt.ArrayLike | None = None, actions: npt.ArrayLike | None = None
) -> Environment:
    """Number the states and actions of an environment otherwise; names go with what they name.

    Parameters
    ----------
    env : Environment
    states : permutation of range(S), optional
        State ``i`` of the result is state ``states[i]`` of ``env``.
    actions : permutation of range(A), optional
        Action ``i`` of the result is action ``actions[i]`` of ``env``, in every state.

    Returns
    -------
    Environment
        With transitions ``T[states[s], actions[a], states[s']]``.

    Examples
    --------
    >>> env = random_environment(3, 2, 0.9, seed=0)
    >>> turned = relabel(env, states=[2, 0, 1])
    >>> bool(turned.dense()[0, 1, 2] == env.dense()[2, 1, 1]), turned.states
    (True, ('s2', 's0', 's1'))
    """
    old_states = _permutation("states", states, env.n_states)
    old_actions = _permutation("actions", actions, env.n_actions)
    rows = (old_states[:, None] * env.n_actions + old_actions).ravel()
    return Environment(
        env.transitions[rows][:, old_states],
        env.discount,
        env.initial[old_states],
        states=[env.states[s] for s in old_states],
        actions=[env.actions[a] for a in old_actions],
        positions=None if env.positions is None else env.positions[old_states],
    )


def discounted(env: Environment, discount: float) -> Environment:
    """``env`` with another discount.

    >>> discounted(random_environment(3, 2, 0.9, seed=0), 0.5).discount
    0.5
    """
    return Environment(
        env.transitions, discount, env.initial, states=env.states, actions=env.actions, positions=env.positions
    )


def blended(env: Environment, other: Environment, share: float) -> Environment:
    """``env`` with a ``share`` of the transitions of ``other``: ``(1 - share) T + share T'``.

    Parameters
    ----------
    env, other : Environment
        With as many states and actions; discount, initial distribution and names are those of ``env``.
    share : float
        In [0, 1].
    """
    if env.transitions.shape != other.transitions.shape:
        raise ValueError(
            f"other: has {other.n_states} states and {other.n_actions} actions, should have {env.n_states} and "
            f"{env.n_actions} as env"
        )
    if not 0 <= share <= 1:
        raise ValueError(f"share: was {share!r}, should be in [0, 1]")
    rows = sparse.csr_array((1 - share) * env.transitions + share * other.transitions)
    return Environment(rows, env.discount, env.initial, states=env.states, actions=env.actions, positions=env.positions)


def _cells(text: str) -> npt.NDArray[np.str_]:
    """Characters of a map, (rows, columns)."""
    lines = text.strip("\n").split("\n")
    if not lines[0]:
        raise ValueError("text: the map is empty")
    for row, line in enumerate(lines):
        if len(line) != len(lines[0]):
            raise ValueError(f"text: line {row} has {len(line)} cells, should have {len(lines[0])} as line 0")
    cells = np.array([list(line) for line in lines])
    symbols = set(np.unique(cells).tolist())
    for symbol in sorted(symbols):
        if symbol not in WALL + FLOOR and not symbol.isalnum():
            row, column = np.argwhere(cells == symbol)[0].tolist()
            raise ValueError(
                f"text: line {row}, column {column} is {symbol!r}, should be '#', '.', a space, a letter or a digit"
            )
    if symbols == {WALL}:
        raise ValueError("text: every cell of the map is a wall")
    return cells


def _marked(argument: str, letters: Iterable[str], marks: Mapping[str, Places], n_states: int) -> npt.NDArray[np.bool_]:
    """States that carry one of ``letters``, (S,)."""
    chosen = np.zeros(n_states, dtype=bool)
    for letter in letters:
        if letter not in marks:
            raise ValueError(
                f"{argument}: {letter!r} marks no cell of the map, which has {''.join(marks) or 'no marks'}"
            )
        chosen[marks[letter]] = True
    return chosen


def _moves(
    free: npt.NDArray[np.bool_], positions: Places, ends: npt.NDArray[np.bool_], slip: float
) -> sparse.csr_array:
    """Transitions of a grid, sparse (4 S, S)."""
    n_states = len(positions)
    numbers = np.full((free.shape[0] + 2, free.shape[1] + 2), -1)
    numbers[1:-1, 1:-1][free] = np.arange(n_states)
    ahead = positions[:, None, :] + STEPS + 1
    arrivals = numbers[ahead[..., 0], ahead[..., 1]]
    stays = (arrivals < 0) | ends[:, None]
    arrivals[stays] = np.broadcast_to(np.arange(n_states)[:, None], stays.shape)[stays]
    turns, chances = np.array([0, 1, 3]), np.array([1 - slip, slip / 2, slip / 2])
    outcomes = arrivals[:, (np.arange(4)[:, None] + turns[chances > 0]) % 4].reshape(4 * n_states, -1)
    pointers = np.arange(4 * n_states + 1) * outcomes.shape[1]
    data = np.tile(chances[chances > 0], 4 * n_states)
    return sparse.csr_array((data, outcomes.ravel(), pointers), shape=(4 * n_states, n_states))


def _subsets(rng: np.random.Generator, n: int, size: int, count: int) -> Places:
    """``count`` subsets of ``range(n)``, uniform over those of ``size`` (Floyd; Bentley & Floyd 1987), sorted."""
    if size == n:
        return np.tile(np.arange(n), (count, 1))
    chosen = np.empty((count, size), dtype=np.int64)
    for place, last in enumerate(range(n - size, n)):
        drawn = rng.integers(last + 1, size=count)
        taken = (chosen[:, :place] == drawn[:, None]).any(axis=1)
        chosen[:, place] = np.where(taken, last, drawn)
    return np.sort(chosen, axis=1)


def _permutation(argument: str, given: npt.ArrayLike | None, count: int) -> Places:
    order = np.arange(count) if given is None else np.asarray(given)
    if order.shape != (count,) or (np.sort(order) != np.arange(count)).any():
        raise ValueError(f"{argument}: should be a permutation of range({count}), was {order.tolist()!r}")
    return order.astype(np.int64)


def _frozen(places: Places) -> Places:
    places.setflags(write=False)
    return places
