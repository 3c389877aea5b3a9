"""The labyrinth of Rosenberg, Zhang, Perona & Meister (2021, eLife 10:e66175): a binary tree of corridors.

Every corridor ends in a T-junction down to the end nodes of the last level.  Node 0 is the first junction and node n
has the children 2n + 1 (to the west or south of it) and 2n + 2 (east or north), which lie at right angles to the
corridor that leads to n: the tree is drawn in the plane as an H-tree, north being the way in.  An animal can go *in* to
the left or to the right, or *out*; the encoding (Ke et al. 2025) has two actions for the latter, of which a node that
is a left child uses the first and a right child the second.  An action that leads nowhere keeps the node: a *bump*.
Only at node 0 the last action is not one: it is the way *home*, to the cage, which has no state of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array, Environment, Mask

Integers = npt.NDArray[np.int64]
Corridor = tuple[int, int]
"""Parent and child."""

ACTIONS = ("in left", "in right", "out of left", "out of right")
LEFT, RIGHT, LAST = 0, 1, 3
PORT = 116
"""The end node of the water port in the real maze."""

WATER = ", water"
"""Ends the name of the state that has the water port."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Where the nodes are and where actions lead.

    Attributes
    ----------
    next_state : array (S, 4) of int
        The node that an action leads to.
    positions : array (S, 2)
        East and north of the first junction; the shortest corridor has length 1 and all nodes lie apart.
    """

    next_state: Integers
    positions: Array

    @property
    def n_nodes(self) -> int:
        """Number of nodes, S."""
        return len(self.next_state)

    @property
    def ends(self) -> Integers:
        """The nodes of the last level."""
        return np.arange(self.n_nodes // 2, self.n_nodes)

    @property
    def port(self) -> int:
        """The node of the water port; in a maze of another depth the last end."""
        return PORT if self.n_nodes == 127 else self.n_nodes - 1

    @property
    def levels(self) -> Integers:
        """Number of corridors between each node and node 0, (S,)."""
        return np.floor(np.log2(np.arange(1, self.n_nodes + 1))).astype(np.int64)

    @property
    def corridors(self) -> tuple[Corridor, ...]:
        """All corridors, (parent, child), by child."""
        return tuple(((child - 1) // 2, child) for child in range(1, self.n_nodes))

    @property
    def possible(self) -> Mask:
        """Actions that are no bumps, (S, 4); going home is none."""
        mask = self.next_state != np.arange(self.n_nodes)[:, None]
        mask[0, LAST] = True
        return np.asarray(mask)


def plan(depth: int = 6) -> Plan:
    """The labyrinth with ``depth`` levels of junctions, 6 in the real one: ``2 ** (depth + 1) - 1`` nodes.

    >>> plan(1).next_state
    array([[1, 2, 0, 0],
           [1, 1, 0, 1],
           [2, 2, 2, 0]])
    """
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth: was {depth!r}, should be a whole number of at least 1")
    n_nodes = 2 ** (depth + 1) - 1
    table = np.tile(np.arange(n_nodes)[:, None], (1, 4))
    heading, positions = np.zeros((n_nodes, 2)), np.zeros((n_nodes, 2))
    heading[0] = 0, 1
    for node in range(n_nodes // 2):
        east, north = heading[node]
        level = int(np.log2(node + 1))
        length = 2.0 ** ((depth - 1 - level) // 2)
        for action, way in ((LEFT, np.array([-north, east])), (RIGHT, np.array([north, -east]))):
            child = 2 * node + (1 if way.sum() < 0 else 2)
            table[node, action], table[child, 2 + action] = child, node
            heading[child], positions[child] = way, positions[node] + length * way
    return Plan(table, positions)


def build(maze: Plan, discount: float, *, water: int | None = None, blocked: Iterable[Corridor] = ()) -> Environment:
    """The labyrinth as an environment that starts at node 0.

    Parameters
    ----------
    maze : Plan
    discount : float
    water : int, optional
        The node with the water port: its state's name ends with :data:`WATER`.  The port is no part of the
        transitions; :class:`MazeRewards` finds it by that name.
    blocked : iterable of (parent, child)
        Corridors in which animals bump at either end.
    """
    table = maze.next_state.copy()
    for parent, child in blocked:
        if (parent, child) not in maze.corridors:
            raise ValueError(f"blocked: there is no corridor from node {parent} in to node {child}")
        for here, there in ((parent, child), (child, parent)):
            table[here, table[here] == there] = here
    if water is not None and not 0 <= water < maze.n_nodes:
        raise ValueError(f"water: was {water!r}, should be a node, 0 to {maze.n_nodes - 1}")
    names = [f"node {n}" + (WATER if n == water else "") for n in range(maze.n_nodes)]
    start, positions = np.eye(maze.n_nodes)[0], maze.positions[:, ::-1] * [-1, 1]
    return ii.Environment(_moves(table), discount, start, states=names, actions=ACTIONS, positions=positions)


def _moves(table: Integers) -> sparse.csr_array:
    """Deterministic transitions (S * A, S)."""
    rows = np.arange(table.size)
    return sparse.csr_array((np.ones(table.size), (rows, table.ravel())), shape=(table.size, len(table)))


@dataclass(frozen=True)
class MazeRewards(ii.rewards.RewardFamily):
    """A reward for each node, for going home, for bumping and, if wanted, for water, wherever the port is.

    The features depend on the environment: in a maze with a blocked corridor more moves are bumps, in one with another
    port water is elsewhere.  With ``water`` the reward of a place and that of its water are told apart by moving the
    port alone.

    Parameters
    ----------
    n_nodes : int
    water : bool
    """

    n_nodes: int
    water: bool = False

    @property
    def dim(self) -> int:  # noqa: D102
        return self.n_nodes + 2 + self.water

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        nodes = (f"R(node {n})" for n in range(self.n_nodes))
        return (*nodes, "R(home)", "R(bump)", *(("R(water)",) if self.water else ()))

    def matrix(self, env: Environment) -> sparse.csr_array:  # noqa: D102
        if (env.n_states, env.n_actions) != (self.n_nodes, len(ACTIONS)):
            raise ValueError(f"MazeRewards: is for {self.n_nodes} nodes, the environment has {env.n_states} states")
        own = np.repeat(np.arange(self.n_nodes), env.n_actions)
        stays = env.dense().reshape(own.size, -1)[np.arange(own.size), own] == 1
        home = np.arange(own.size) == LAST
        at_water = np.array([name.endswith(WATER) for name in env.states])[own]
        columns = [home, stays & ~home] + ([at_water] if self.water else [])
        return sparse.csr_array(np.column_stack([np.eye(self.n_nodes)[own], *columns]))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:  # noqa: D102
        if any(g == 1 for g in discounts):
            return {}
        return {"constant": (np.arange(self.dim) < self.n_nodes).astype(float)[:, None]}


@dataclass(frozen=True, eq=False)
class Remembered:
    """The labyrinth for an animal that knows where it came from: a state for every way to arrive at a node.

    Attributes
    ----------
    env : Environment
        ``2 (S - 1) + 1`` states, two for each corridor and one for coming from home.  A bump keeps the state.
    arrivals : array (n, 2) of int
        For each state the node before and the node; (0, 0) is coming from home.
    """

    env: Environment
    arrivals: Integers

    def index(self, before: npt.ArrayLike, here: npt.ArrayLike) -> Integers:
        """States of animals at ``here`` that were at ``before`` one step ago."""
        size = int(self.arrivals.max()) + 1
        places = np.full((size, size), -1)
        places[self.arrivals[:, 0], self.arrivals[:, 1]] = np.arange(len(self.arrivals))
        found: Integers = places[np.asarray(before), np.asarray(here)]
        if (found < 0).any():
            raise ValueError("before: should be a neighbour of here, or node 0 for coming home to node 0")
        return found


def remembered(maze: Plan, discount: float) -> Remembered:
    """Make the node before part of the state."""
    ways = [(0, 0), *maze.corridors, *((child, parent) for parent, child in maze.corridors)]
    place = {way: i for i, way in enumerate(ways)}
    table = np.empty((len(ways), len(ACTIONS)), dtype=np.int64)
    for i, (_, here) in enumerate(ways):
        for action, there in enumerate(maze.next_state[here].tolist()):
            home = here == 0 and action == LAST
            table[i, action] = place[here, there] if there != here or home else i
    names = ["node 0 from home", *(f"node {here} from {before}" for before, here in ways[1:])]
    env = ii.Environment(_moves(table), discount, np.eye(len(ways))[0], states=names, actions=ACTIONS)
    return Remembered(env, np.array(ways))


def picture(maze: Plan, *, water: int | None = None, blocked: Iterable[Corridor] = ()) -> str:
    """The labyrinth from above, north up: ``O`` the first junction, ``o`` junctions, ``.`` ends, ``W`` the water port.

    Corridors are lines, with ``x`` in those that are blocked; the way home leads south from the first junction.
    """
    east, north = np.round(2 * maze.positions).astype(int).T
    columns, rows = east - east.min(), north.max() - north
    canvas = np.full((rows.max() + 2, columns.max() + 1), " ")
    shut = set(blocked)
    for parent, child in maze.corridors:
        (left, right), (top, bottom) = sorted(columns[[parent, child]]), sorted(rows[[parent, child]])
        canvas[top : bottom + 1, left : right + 1] = "|" if left == right else "-"
        if (parent, child) in shut:
            canvas[(top + bottom) // 2, (left + right) // 2] = "x"
    canvas[rows[0] + 1, columns[0]] = "|"
    marks = np.where(np.arange(maze.n_nodes) < maze.n_nodes // 2, "o", ".")
    marks[0] = "O"
    if water is not None:
        marks[water] = "W"
    canvas[rows, columns] = marks
    return "\n".join("".join(line).rstrip() for line in canvas).rstrip()


TURNS = ("back", "alternate", "sibling")


def turn_rewards(maze: Plan, memory: Remembered) -> ii.rewards.LinearRewards:
    """Rewards of nodes, home, bumps and kinds of turn, for animals that know where they came from.

    At junctions: *back* returns to where the animal came from; *alternate* goes in to the other side than the last
    move in did; *sibling*, coming out of one branch, goes in to the other instead of on out.  They stand for the biases
    by which Rosenberg et al. (2021) describe how mice turn.  A worth of left would add nothing: it is the same wherever
    the animal came from, and rewards of nodes can make any such difference.
    """
    before, here = memory.arrivals.T
    there = maze.next_state[here]
    action = np.arange(len(ACTIONS))[None, :]
    home = (here[:, None] == 0) & (action == LAST)
    bump = (there == here[:, None]) & ~home
    junction = (here < maze.n_nodes // 2)[:, None] & ~bump
    came_in = (before < here)[:, None]
    side = np.argmax(maze.next_state[before] == here[:, None], axis=1)[:, None]
    inward = action <= RIGHT
    turns = (
        junction & (there == before[:, None]),
        junction & came_in & inward & (action != side),
        junction & ~came_in & (before != here)[:, None] & inward & (there != before[:, None]),
    )
    nodes = np.repeat(np.eye(maze.n_nodes)[here][:, None, :], len(ACTIONS), axis=1)
    features = np.concatenate([nodes, np.stack([home, bump, *turns], axis=2)], axis=2)
    return ii.rewards.LinearRewards(features, names=turn_parameters(maze))


def turn_parameters(maze: Plan) -> Sequence[str]:
    """Names of the parameters of :func:`turn_rewards`."""
    return [*MazeRewards(maze.n_nodes).parameters, *(f"R({turn})" for turn in TURNS)]
