"""A mixture over all grids, of which any part can be summed: how well were choices predicted before they were made?

Let ``L_n(theta)`` be the likelihood of n choices, given the states in which they were made.  For weights ``w_j`` on
points ``theta_j`` that were fixed beforehand, and add up to at most 1,

    M_n = sum_j w_j L_n(theta_j),        M_n / L_n(theta*)

is a nonnegative martingale from at most 1 for the true theta*, so that ``{theta : L_n(theta) >= level * M_n}`` holds
theta* at all n together with probability at least ``1 - level`` (Ville 1939; Robbins 1970 for mixtures; the running
likelihood-ratio set of Wasserman, Ramdas & Balakrishnan 2020 with a mixture in place of a plug-in, which needs no order
of the choices).  Leaving points out of the sum makes M_n smaller and the set larger, never wrong: it is enough to sum
over points near the maximum of the likelihood, found after the fact.

The weights are those of a two-part code (Rissanen 1983), ``w = exp(-length)``.  A point has m of d parameters that are
not 0, all multiples ``k unit / 2^l`` with ``0 < |k| <= 2^(r + l)``; resolution l, range r, m, which ones, and the k are
told in

    log (l+1)(l+2) + log (r+1)(r+2) + log (d+1) + log C(d, m) + m (r + l + 1) log 2        nats,

whose weights add up to 1 over all l, r >= 0.  With n choices the best resolution is near the standard error, so that
the price of not knowing theta is about ``(m / 2) log n``, and parameters that data says nothing about cost next to
nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, special

from irl_ident.environment import Array

Integers = npt.NDArray[np.int64]

DRAWS = 32
"""Most points that are looked for at each of three resolutions, four for each parameter."""

FINEST = 40
"""Resolutions beyond this power of 2 are not looked at."""


def code_lengths(multiples: npt.ArrayLike, resolution: int) -> Array:
    """Lengths in nats of points ``multiples * unit / 2**resolution``, each with the smallest range that it fits in.

    Parameters
    ----------
    multiples : int array (N, d)
        k; may be 0.
    resolution : int
        l, at least 0.

    Returns
    -------
    array (N,)
    """
    k = np.abs(np.asarray(multiples, dtype=np.int64))
    dim = k.shape[1]
    largest = np.maximum(k.max(axis=1), 1)
    span = np.maximum(np.ceil(np.log2(largest)).astype(np.int64) - resolution, 0)
    used = np.count_nonzero(k, axis=1)
    chosen = special.gammaln(dim + 1) - special.gammaln(used + 1) - special.gammaln(dim - used + 1)
    header = np.log((resolution + 1) * (resolution + 2)) + np.log((span + 1) * (span + 2)) + np.log(dim + 1)
    return np.asarray(header + chosen + used * (span + resolution + 1) * np.log(2))


def nearby_points(middle: Array, precision: Array, unit: float, seed: int = 0) -> tuple[Array, Array]:
    """Points of the code near ``middle``, and their lengths.

    Parameters
    ----------
    middle : array (d,)
        Of the likelihood.
    precision : array (d, d)
        How it falls around there, positive semidefinite; directions in which it does not fall are used to make as many
        parameters 0 as they allow.
    unit : float
        Above 0.
    seed : int

    Returns
    -------
    points : array (N, d)
    lengths : array (N,)
        Distinct codewords: ``exp(-lengths)`` are their weights.
    """
    dim = middle.size
    values, vectors = linalg.eigh(precision)
    flat = vectors[:, values <= 1e-9 * max(float(values[-1]), np.finfo(float).tiny)]
    start, free = _with_zeros(middle, flat)
    inner = precision[np.ix_(free, free)]
    inner = inner + 1e-12 * max(float(np.trace(inner)), np.finfo(float).tiny) * np.eye(free.size)
    rng = np.random.default_rng(seed)
    best = _resolution(inner, unit) if free.size else 0
    points, lengths = [np.zeros((1, dim))], [code_lengths(np.zeros((1, dim), dtype=np.int64), 0)]
    for resolution in range(max(best - 1, 0), min(best + 1, FINEST) + 1) if free.size else ():
        spacing = unit / 2**resolution
        multiples = np.zeros((min(DRAWS, 4 * free.size), dim), dtype=np.int64)
        for draw in range(len(multiples)):
            order = rng.permutation(free.size)
            blur = 0.0 if draw == 0 else 0.4
            multiples[draw, free[order]] = _rounded(start[free[order]], inner[np.ix_(order, order)], spacing, blur, rng)
        multiples = np.unique(multiples[multiples.any(axis=1)], axis=0)
        points.append(multiples * spacing)
        lengths.append(code_lengths(multiples, resolution) if len(multiples) else np.zeros(0))
    return np.vstack(points), np.concatenate(lengths)


def _with_zeros(middle: Array, flat: Array) -> tuple[Array, Integers]:
    """Move along flat directions (d, m) until m parameters are 0; which ones are left."""
    if not flat.shape[1]:
        return middle, np.arange(middle.size)
    pivots: Any = linalg.qr(flat.T, mode="r", pivoting=True)[1][: flat.shape[1]]
    moved = middle - flat @ linalg.solve(flat[pivots], middle[pivots])
    return moved, np.setdiff1d(np.arange(middle.size), pivots)


def _resolution(precision: Array, unit: float) -> int:
    """The power of 2 whose spacing makes rounding and telling cost least together."""
    told = np.square(np.diag(linalg.cholesky(precision))).mean()
    return int(np.clip(np.round(np.log2(unit / np.sqrt(12 / max(told, np.finfo(float).tiny)))), 0, FINEST))


def _rounded(start: Array, precision: Array, spacing: float, blur: float, rng: np.random.Generator) -> Integers:
    """Round one parameter after the other, the others moving to where the likelihood is then largest (Babai 1986)."""
    upper = linalg.cholesky(precision)
    place = start / spacing
    multiples = np.zeros(start.size, dtype=np.int64)
    for i in range(start.size - 1, -1, -1):
        shift = (upper[i, i + 1 :] @ (place[i + 1 :] - multiples[i + 1 :])) / upper[i, i]
        multiples[i] = np.round(place[i] + shift + blur * rng.standard_normal())
    return multiples
