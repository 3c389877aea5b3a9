"""Rows of the premise as a solver sees them: with the values of observed states eliminated, or with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from irl_ident.environment import Array, Mask
from irl_ident.identified.cone.lifted import Block, Cone, Indices

NEGLIGIBLE = 1e-12
"""Entries of rows, which are scaled to 1, and multipliers below this are 0."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of the premise on the solver's unknowns, the first d of which are theta; scaled to largest entry 1.

    Attributes
    ----------
    matrix : sparse (m, n)
    equal, worse : bool (m,)
        Rows that are 0; rows that are at least t times their scale.
    origin : int (m, 2)
        Environment and row there.
    scale : array (m,)
    values : bool
        Whether all values are among the unknowns, none eliminated.
    """

    matrix: sparse.csr_array
    equal: Mask
    worse: Mask
    origin: Indices
    scale: Array
    values: bool


def lifted(cone: Cone, worse: Sequence[Mask]) -> Rows:
    """Rows with all values as unknowns, as sparse as the transitions."""
    places = [np.full(block.shown.size, e) for e, block in enumerate(cone.blocks)]
    rows = [np.arange(block.shown.size) for block in cone.blocks]
    equal = [block.shown.ravel() for block in cone.blocks]
    return _scaled(cone.rows, equal, [w.ravel() for w in worse], places, rows, values=True)


def eliminated(cone: Cone, worse: Sequence[Mask]) -> Rows:
    """Rows with the values of observed states eliminated."""
    counts = [block.hidden.size for block in cone.blocks]
    unknowns = cone.dim + sum(counts)
    parts, equal, marked, places, rows = [], [], [], [], []
    column = cone.dim
    for e, (block, count) in enumerate(zip(cone.blocks, counts, strict=True)):
        kept = np.concatenate([block.tied, block.others])
        parts.append(eliminated_slack(block, kept, cone.dim, unknowns, column))
        equal.append(np.arange(kept.size) < block.tied.size)
        marked.append(worse[e].ravel()[kept])
        places.append(np.full(kept.size, e))
        rows.append(kept)
        column += count
    matrix = sparse.csr_array(np.vstack(parts)) if parts else sparse.csr_array((0, unknowns))
    return _scaled(matrix, equal, marked, places, rows, values=False)


def eliminated_slack(block: Block, rows: Indices, dim: int, unknowns: int, column: int) -> Array:
    """Slack of some rows as a map of theta and the values of hidden states, which begin at ``column``."""
    theta, hidden = np.eye(dim, unknowns), np.eye(block.hidden.size, unknowns, k=column)
    slack = block.shaping[rows] @ block.evaluate(theta, hidden) - block.features[rows] @ theta
    return np.asarray(slack)


def _scaled(
    matrix: sparse.csr_array,
    equal: Sequence[Mask],
    worse: Sequence[Mask],
    places: Sequence[Indices],
    rows: Sequence[Indices],
    *,
    values: bool,
) -> Rows:
    joined = [np.concatenate(x) if len(x) else np.zeros(0, kind) for x, kind in ((equal, bool), (worse, bool))]
    origin = np.column_stack([np.concatenate(places), np.concatenate(rows)]) if len(places) else np.zeros((0, 2), int)
    largest = abs(matrix).max(axis=1).toarray().ravel() if matrix.nnz else np.zeros(matrix.shape[0])
    kept = np.flatnonzero((largest > NEGLIGIBLE) | joined[1])
    scale = 1 / np.where(largest[kept] > NEGLIGIBLE, largest[kept], 1.0)
    scaled = sparse.csr_array(sparse.diags_array(scale) @ matrix[kept])
    scaled.data[np.abs(scaled.data) < NEGLIGIBLE] = 0
    scaled.eliminate_zeros()
    return Rows(scaled, joined[0][kept], joined[1][kept], origin[kept].astype(np.int64), scale, values)
