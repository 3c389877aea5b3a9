"""Uniform samples of a polytope ``{z : rows z <= bounds}`` by ensemble hit-and-run.

Hit-and-run (Smith 1984) moves a point to a uniform place on the chord through it along a random direction.  Thin
polytopes mix slowly under isotropic directions.  So the points are first spread along directions drawn from the Dikin
ellipsoid ``sum_i rows_i rows_i^T / slack_i^2`` at their mean, whose shape is that of the polytope within a factor that
depends on the number of rows alone (Kannan & Narayanan 2012); then each moves along differences of two random points of
the *other* half of the ensemble, which is affine invariant (Goodman & Weare 2010).  Conditional on that half the
uniform distribution stays invariant.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from irl_ident.environment import Array

SMALLEST_SLACK = 1e-15
"""Slack that rounding has eaten up counts as this much."""

ROUNDS = 3
"""How often the shape of the polytope is estimated anew before the ensemble is let alone."""

LOCAL_STEPS = 2
"""Steps of each round, for each dimension."""

SETTLING = 10
"""Ensemble steps before the first draw, for each dimension, and at least ``20 * SETTLING``."""

FEWEST_BETWEEN = 20
"""Ensemble steps between two draws of one chain: one a dimension, and at least so many."""


def hit_and_run(rows: Array, bounds: Array, inside: Array, n: int, seed: int) -> Array:
    """Sample ``{z : rows @ z <= bounds}`` uniformly.

    Parameters
    ----------
    rows : array (l, h)
    bounds : array (l,)
        The polytope should be bounded.
    inside : array (h,)
        A point with ``rows @ inside < bounds``.
    n : int
        Number of samples.
    seed : int

    Returns
    -------
    array (n, h)
        From ``2 (h + 2)`` chains, a multiple of ``h`` steps apart.
    """
    rng = np.random.default_rng(seed)
    h = inside.size
    half = h + 2
    points = np.repeat(inside[:, None], 2 * half, axis=1)
    slack = np.repeat((bounds - rows @ inside)[:, None], 2 * half, axis=1)
    for _ in range(ROUNDS):
        middle = slack.mean(axis=1)
        scaled = rows / middle[:, None]
        shape = _shape(scaled)
        for _ in range(LOCAL_STEPS * h):
            _step(points, slack, linalg.solve_triangular(shape, rng.standard_normal(points.shape)), rows, rng)
    _settle(points, slack, rows, SETTLING * max(h, 20), rng)
    draws = [points.copy()]
    while 2 * half * len(draws) < n:
        _settle(points, slack, rows, max(h, FEWEST_BETWEEN), rng)
        draws.append(points.copy())
    return np.ascontiguousarray(np.hstack(draws)[:, :n].T)


def _shape(scaled: Array) -> Array:
    """Upper triangular R (h, h) with ``R^T R = scaled^T scaled``; from the rows where rounding loses their squares."""
    try:
        return np.asarray(linalg.cholesky(scaled.T @ scaled))
    except linalg.LinAlgError:
        (root,) = linalg.qr(scaled, mode="r")
        top = root[: scaled.shape[1]]
        signs = np.where(np.diag(top) < 0, -1.0, 1.0)
        return np.asarray(signs[:, None] * top)


def _settle(points: Array, slack: Array, rows: Array, steps: int, rng: np.random.Generator) -> None:
    """Move every point ``steps`` times along differences of points of the other half, in place."""
    half = points.shape[1] // 2
    one, other = slice(None, half), slice(half, None)
    for _ in range(steps):
        for moving, others in ((one, other), (other, one)):
            first = rng.integers(half, size=half)
            second = (first + 1 + rng.integers(half - 1, size=half)) % half
            directions = points[:, others][:, first] - points[:, others][:, second]
            _step(points[:, moving], slack[:, moving], directions, rows, rng)


def _step(points: Array, slack: Array, directions: Array, rows: Array, rng: np.random.Generator) -> None:
    """Move every column of ``points`` along its direction, in place."""
    speed = rows @ directions
    rate = speed / np.maximum(slack, SMALLEST_SLACK)
    forward, backward = 1 / rate.max(axis=0), 1 / rate.min(axis=0)
    length = backward + (forward - backward) * rng.random(points.shape[1])
    points += length * directions
    slack -= length * speed
