"""Worlds: where each state of an environment is drawn.

States stand where the environment says (``Environment.positions``): as squares that touch where positions are whole
numbers, the cells of a map, else as discs.  Without positions they are discs whose distances are as near as can be to
numbers of steps (Kamada & Kawai 1989), laid so that the longest extent runs from left to right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from irl_ident.environment import Array, Environment

Pairs = npt.NDArray[np.int64]

MOST_PLACED = 2_500
MOST_LAID_OUT = 120
"""Most states that are drawn, with positions and without."""

MOST_WAYS = 2_000
"""More lines than this between states that do not touch are left out."""

CROWDED = 0.1
"""This share of the distances to nearest neighbours may be less than the unit in which positions are measured."""

AGREED = 0.6
"""An action has one direction on a map when its mean steps add up to this share of their lengths, or more."""


@dataclass(frozen=True, eq=False)
class WorldMap:
    """A drawing of an environment, to put values on.

    Attributes
    ----------
    env : Environment
    places : array (S, 2)
        Row and column; neighbours are about 1 apart.
    squares : bool
        Whether states are squares of side 1, else discs.
    walls : array (W, 2, 2)
        Ends, row and column, of the sides of squares that no action crosses.
    ways : array (K, 2, 2)
        Ends of lines between states that do not touch and that an action leads between.
    steps : array (S, A, 2)
        Unit vectors, or 0 for an action that leads nowhere else.
    """

    env: Environment
    places: Array
    squares: bool
    walls: Array
    ways: Array
    steps: Array

    @property
    def extent(self) -> tuple[float, float]:
        """Rows and columns, with a margin."""
        rows, columns = np.ptp(self.places, axis=0) + 1.1
        return float(rows), float(columns)


def world_map(env: Environment) -> WorldMap | None:
    """Where to draw the states of ``env``; None where there are too many (120 without positions, 2500 with)."""
    if env.n_states > (MOST_LAID_OUT if env.positions is None else MOST_PLACED):
        return None
    joined = joined_pairs(env)
    if env.positions is None:
        places, squares = laid_out(env.n_states, joined), False
    else:
        places, squares = env.positions, bool((env.positions == np.round(env.positions)).all())
    if not squares and env.n_states > 1:
        nearest = np.asarray(cKDTree(places).query(places, 2)[0])[:, 1]
        places = places / np.quantile(nearest, CROWDED)
    apart = np.abs(places[joined[:, 0]] - places[joined[:, 1]]).sum(axis=1)
    ways = joined[apart > 1] if squares else joined
    return WorldMap(
        env=env,
        places=places,
        squares=squares,
        walls=_walls(env, places, joined) if squares else np.zeros((0, 2, 2)),
        ways=places[ways] if len(ways) <= MOST_WAYS else np.zeros((0, 2, 2)),
        steps=_steps(env, places, squares),
    )


def joined_pairs(env: Environment) -> Pairs:
    """Pairs of different states that an action leads between, in either direction, (K, 2)."""
    moves = env.transitions.tocoo()
    ends = np.sort(np.column_stack([moves.row // env.n_actions, moves.col]).astype(np.int64), axis=1)
    return np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0).reshape(-1, 2)


def laid_out(n_states: int, joined: Pairs) -> Array:
    """Places (S, 2) whose distances are near to numbers of steps; states of other components lie one step further."""
    try:
        import networkx
    except ImportError as error:
        raise ImportError('drawings of worlds need networkx: pip install "irl-ident[report]"') from error
    graph = sparse.csr_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(n_states, n_states))
    hops = csgraph.shortest_path(graph, directed=False, unweighted=True)
    hops[np.isinf(hops)] = hops[np.isfinite(hops)].max() + 1
    distances = {s: dict(enumerate(row)) for s, row in enumerate(hops.tolist())}
    found = networkx.kamada_kawai_layout(networkx.empty_graph(n_states), dist=distances)
    places = np.array([found[s] for s in range(n_states)])
    places -= places.mean(axis=0)
    turned = places @ np.linalg.svd(places, full_matrices=False)[2].T if n_states > 1 else places
    turned *= np.where(turned[0] > 0, -1, 1)
    return np.round(np.asarray(turned[:, ::-1]), 6)


def _walls(env: Environment, places: Array, joined: Pairs) -> Array:
    """Sides between squares that no action joins, and around them; absorbing neighbours need no wall between them."""
    number = {(int(row), int(column)): s for s, (row, column) in enumerate(places)}
    open_ = set(map(tuple, joined.tolist()))
    sides = {}
    for (row, column), s in number.items():
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            other = number.get((row + down, column + right))
            if other is not None:
                passed = (min(s, other), max(s, other)) in open_
                if passed or (env.absorbing[s] and env.absorbing[other]):
                    continue
            middle = np.array([row + down / 2, column + right / 2])
            along = np.array([right, down]) / 2
            sides[tuple(middle.tolist())] = (middle - np.abs(along), middle + np.abs(along))
    return np.array(list(sides.values())).reshape(-1, 2, 2)


def _steps(env: Environment, places: Array, squares: bool) -> Array:
    """Where actions lead, as unit vectors.

    An action that leads the same way from most states has that direction everywhere (on squares the nearest of eight),
    so that a step into a wall is drawn as one.  Any other points from each state to the likeliest other one.
    """
    shape = (env.n_states, env.n_actions, 2)
    mean = (env.transitions @ places).reshape(shape) - places[:, None]
    lengths = np.linalg.norm(mean, axis=2)
    share = mean.sum(axis=0) / np.maximum(lengths.sum(axis=0), 1e-9)[:, None]
    agreed = (np.linalg.norm(share, axis=1) >= AGREED) & ((lengths > 1e-9).sum(axis=0) > 1)
    away = sparse.csr_array(env.transitions.copy())
    origins = np.repeat(np.arange(away.shape[0]) // env.n_actions, np.diff(away.indptr))
    away.data[away.indices == origins] = 0
    likeliest = np.asarray(away.argmax(axis=1)).ravel()
    leads = away.max(axis=1).toarray().ravel() > 0
    towards = np.where(leads[:, None], places[likeliest] - np.repeat(places, env.n_actions, axis=0), 0)
    if squares:
        eighths = np.round(np.arctan2(share[:, 0], share[:, 1]) / (np.pi / 4)) * (np.pi / 4)
        share = np.column_stack([np.sin(eighths), np.cos(eighths)])
    steps = np.where(agreed[:, None], _unit(share), _unit(towards).reshape(shape))
    steps[env.absorbing] = 0
    return np.asarray(steps)


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-9, vectors / np.where(lengths > 1e-9, lengths, 1), 0.0)
