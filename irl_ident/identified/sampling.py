"""Uniform samples of a polytope ``{z : rows z <= bounds}`` by ensemble hit-and-run.

Hit-and-run (Smith 1984) moves a point to a uniform place on the chord through it along a random direction.  Thin
polytopes mix slowly under isotropic directions, so directions are differences of two random points of the *other* half
of an ensemble, which makes the moves affine invariant (Goodman & Weare 2010): conditional on that half, the uniform
distribution stays invariant.
"""

from __future__ import annotations

import numpy as np

from irl_ident.environment import Array

LOCAL_STEPS = 20
"""Steps along isotropic directions that first spread the ensemble, for each dimension up to ``LOCAL_LIMIT``."""

LOCAL_LIMIT = 50

ENSEMBLE_STEPS = 10
"""Ensemble steps for each dimension, and at least ten times as many in all."""


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
        Number of samples; every one is the end of its own chain.
    seed : int

    Returns
    -------
    array (n, h)
    """
    rng = np.random.default_rng(seed)
    h = inside.size
    half = max((n + 1) // 2, h + 2)
    points = np.repeat(inside[:, None], 2 * half, axis=1)
    slack = np.repeat((bounds - rows @ inside)[:, None], 2 * half, axis=1)
    for _ in range(LOCAL_STEPS * min(h, LOCAL_LIMIT)):
        directions = rng.standard_normal((h, 2 * half))
        _step(points, slack, directions, rows, rng)
    for _ in range(max(ENSEMBLE_STEPS * h, 10 * ENSEMBLE_STEPS)):
        for moving, others in ((slice(None, half), slice(half, None)), (slice(half, None), slice(None, half))):
            first = rng.integers(half, size=half)
            second = (first + 1 + rng.integers(half - 1, size=half)) % half
            directions = points[:, others][:, first] - points[:, others][:, second]
            _step(points[:, moving], slack[:, moving], directions, rows, rng)
    slack[...] = bounds[:, None] - rows @ points
    return np.ascontiguousarray(points[:, :n].T)


def _step(points: Array, slack: Array, directions: Array, rows: Array, rng: np.random.Generator) -> None:
    """Move every column of ``points`` along its direction, in place."""
    speed = rows @ directions
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = slack / speed
    forward = np.where(speed > 0, ratio, np.inf).min(axis=0)
    backward = np.where(speed < 0, ratio, -np.inf).max(axis=0)
    length = backward + (forward - backward) * rng.random(points.shape[1])
    points += length * directions
    slack -= length * speed
    np.maximum(slack, 0, out=slack)
