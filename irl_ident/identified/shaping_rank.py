"""What soft-optimal agents leave open: shaping subspaces, the angles between them, and the affine identified set.

A maximum causal entropy agent of temperature b in environment e shows a policy pi_e, and a reward r explains it
exactly when

    r = b log pi_e + B_e V    for some V,        (B V)(s, a) = V(s) - g T(s, a) . V

(Cao, Cohen & Szpruch 2021): the policy leaves r open along the *shaping subspace* range(B_e).  For a family
r = Phi theta and several environments the identified set is therefore affine,

    { theta : N_e Phi_e theta = N_e b log pi_e  for every e },      N_e = I - U_e U_e^T

with U_e an orthonormal basis of range(B_e), and only rows (s, a) of observed states count.  Its dimension is a rank,
and a rank is a decision about small numbers, so the numbers are made free of units first: with Q an orthonormal basis
of the range of the stacked Phi_e, the singular values of the stacked N_e Q are the **sines of the principal angles**
between what the family can express and what shaping can (Björck & Golub 1973).  They lie in [0, 1]; 0 is an open
direction.  A sine is computed to an absolute error near ``eps * condition(B)`` without any square root of a
difference from 1, so angles of 1e-8 are still right.

For rewards on state-action pairs and k environments that angle phi_i is half of the angle between shaping subspaces:
for k = 2, sin(phi_i) = sin(angle_i / 2), angle_i the principal angles of range(B_1) and range(B_2).  Rolland et al.
(2022) stack

    [ B_1  -B_2   0   ... ]
    [ B_1   0   -B_3  ... ]

and find r identified up to a constant iff the rank is k S - 1, that is when the second principal angle is not 0; how
far it is from 0 says how well (Schlaginhaufen & Kamgarpour 2024).  Everything here is dense linear algebra on at most
a few thousand state-action pairs; :func:`affine_set` names its limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.potentials import LeastSquares

System = tuple[sparse.csr_array, sparse.csr_array, Array, Mask]
"""One environment's equations: B (S*A, S), Phi (S*A, d), target b log pi (S*A,), rows of observed states (S*A,)."""

ZERO_BELOW = 1e-10
"""Sines below this are taken as 0 (more where B is so ill conditioned that rounding alone reaches it)."""

SURE_ABOVE = 1e-7
"""Sines above this are surely not 0; between the two the rank is not decided."""

DENSE_ENTRIES = 1_000_000
"""Sparse shaping matrices with more entries are not made dense where the family has few parameters."""

FEW = 300
"""So many parameters are few."""


@dataclass(frozen=True, eq=False)
class Rank:
    """A rank together with the numbers it was read from.

    Attributes
    ----------
    singular_values : array (n,)
        Descending, in [0, 1]: sines of principal angles, exact zeros for columns that vanish.
    tolerance : float
        Values at or below it count as 0.
    gap : float
        Smallest value that counts as non-zero over the largest that counts as 0 (at least machine precision);
        infinite when one of the two is missing.
    decided : bool
        Whether no value lies between ``tolerance`` and ``sure_above``.
    rank : int
        How many values are above ``sure_above``: what is not decided counts as open.
    """

    singular_values: Array
    tolerance: float
    sure_above: float
    gap: float
    decided: bool
    rank: int


@dataclass(frozen=True, eq=False)
class AffineSet:
    """The parameters that explain soft-optimal behaviour: ``particular + null_basis @ anything``.

    Attributes
    ----------
    particular : array (d,)
        The element of least Euclidean norm, which is the one orthogonal to ``null_basis``.
    null_basis : array (d, m)
        Orthonormal; the open directions, constants included where the family has them.
    singular_values : array (d,)
        Sines of the principal angles between the family and shaping, descending; m of them are 0.
    tolerance, gap, decided, rank
        As in :class:`Rank`; ``rank`` is d - m.
    residual : float
        What no theta explains, ``|N (b log pi - Phi particular)| / |b log pi|`` over all observed rows: rounding for
        one soft-optimal agent, more when the observations contradict each other or the family.
    """

    particular: Array
    null_basis: Array
    singular_values: Array
    tolerance: float
    gap: float
    decided: bool
    rank: int
    residual: float


def affine_set(systems: Sequence[System], dim: int) -> AffineSet:
    """All parameters under which maximum causal entropy agents show the observed policies.

    Parameters
    ----------
    systems : sequence of (B, Phi, target, rows)
        One for each observed environment: the shaping matrix (S*A, S), the family's features (S*A, d),
        ``b log pi`` (S*A,), finite on the marked rows, and the rows of observed states, bool (S*A,).  Rows that are not
        marked are dropped; the values of states that were not observed stay free.
    dim : int
        Number of parameters, d.

    Returns
    -------
    AffineSet
        In the gauge of least norm.  With states that were not observed it is an outer set for families that tie rewards
        there to rewards elsewhere (state rewards do): the equations use that values exist there, not which values
        planning would give.

    Raises
    ------
    ValueError
        On shapes that do not fit, targets that are not finite where observed (a soft-optimal agent takes every action
        with positive probability), or no systems.

    Notes
    -----
    Dense: for n observed rows in total, time grows with ``n * min(d, k S)**2`` and memory with ``n * (d + k S)``; two
    grids of 784 states and 4 actions took 2.5 s for state rewards on one core.  With at most 300 parameters and local
    moves the projection is sparse (the augmented least-squares system of each environment, factorised once): two
    grids of 10,000 states took 3 s for 20 features.  State or state-action rewards beyond some 2,000 states are out
    of reach.
    """
    _check(systems, dim)
    features = sparse.csr_array(sparse.vstack([phi[rows] for _, phi, _, rows in systems], format="csr"))
    target = np.concatenate([t[rows] for _, _, t, rows in systems])
    frame = _frame(features)
    shapings = [sparse.csr_array(b[rows]) for b, _, _, rows in systems]
    outside = _outside(shapings, frame.lift.shape[1])
    noise = max(frame.noise, outside.noise)
    sines, open_frame, weights = _angles(frame.basis, outside, target, noise)
    values = np.concatenate([sines, np.zeros(dim - sines.size)])
    decision = decide_rank(values, noise)
    null_basis = orthonormal(np.hstack([frame.silent, frame.lift @ open_frame]))
    particular = frame.lift @ weights
    particular = particular - null_basis @ (null_basis.T @ particular)
    left = outside.part((target - features @ particular)[:, None])
    size = float(linalg.norm(target))
    return AffineSet(
        particular=particular,
        null_basis=null_basis,
        singular_values=values,
        tolerance=decision.tolerance,
        gap=decision.gap,
        decided=decision.decided,
        rank=decision.rank,
        residual=float(linalg.norm(left)) / size if size else 0.0,
    )


def stacked_rank(environments: Sequence[Environment], features: sparse.csr_array | None = None) -> Rank:
    """The rank of :func:`rolland_matrix`, decided on a version that is free of units.

    Parameters
    ----------
    environments : sequence of Environment
        k of them, over the same states and actions.
    features : sparse (S*A, d), optional
        The same in every environment; rewards on state-action pairs when not given.

    Returns
    -------
    Rank
        Its ``rank`` is that of Rolland's matrix: ``k S - 1`` iff the reward is identified up to a constant; with
        features ``k S + d`` iff theta is identified (``k S + d - 1`` where the features can express a constant, which
        always stays open). ``singular_values`` are those of the same matrix with every B_e replaced by an orthonormal
        basis of its range and the common reward eliminated symmetrically: (k S,) without features, sines of half
        angles and their complements.
    """
    outside = _Spanned([_span(env.shaping) for env in _comparable(environments)])
    shaped = outside.basis
    n_rows = environments[0].shaping.shape[0]
    if features is None:
        k = len(environments)
        common = sparse.csr_array(sparse.vstack([sparse.eye_array(n_rows)] * k) / np.sqrt(k))
        return decide_rank(linalg.svdvals(shaped - common @ (common.T @ shaped)), outside.noise)
    if features.shape[0] != n_rows:
        raise ValueError(
            f"features: should have {n_rows} rows, one for each state and action, have {features.shape[0]}"
        )
    frame = _frame(sparse.csr_array(sparse.vstack([features] * len(environments), format="csr")))
    noise = max(frame.noise, outside.noise)
    sines, _, _ = _angles(frame.basis, outside, np.zeros(shaped.shape[0]), noise)
    values = np.concatenate([np.ones(shaped.shape[1]), sines, np.zeros(features.shape[1] - sines.size)])
    return decide_rank(values, noise)


def rolland_matrix(environments: Sequence[Environment], features: sparse.csr_array | None = None) -> Array:
    """The stacked matrix of Rolland et al. (2022), ``[[B_1, -B_2, 0, ...], [B_1, 0, -B_3, ...], ...]``, dense.

    With ``features`` (S*A, d) the last block row is ``[B_1, 0, ..., Phi]``; the shape is ((k - 1) S A, k S), with
    features (k S A, k S + d).
    """
    blocks = [env.shaping.toarray() for env in _comparable(environments)]
    n_rows, n_states = blocks[0].shape
    extra = 0 if features is None else features.shape[1]
    height = len(blocks) - 1 + (features is not None)
    stacked = np.zeros((height * n_rows, len(blocks) * n_states + extra))
    for i in range(height):
        stacked[i * n_rows : (i + 1) * n_rows, :n_states] = blocks[0]
    for i, block in enumerate(blocks[1:]):
        stacked[i * n_rows : (i + 1) * n_rows, (i + 1) * n_states : (i + 2) * n_states] = -block
    if features is not None:
        stacked[-n_rows:, len(blocks) * n_states :] = features.toarray()
    return stacked


def generalises(environments: Sequence[Environment], new: Environment) -> bool:
    """Whether rewards found in ``environments`` predict soft-optimal behaviour in ``new``.

    Appending ``new`` must raise the rank by exactly S (Rolland et al. 2022), which is to say that the
    rewards on state-action pairs that shape in all of ``environments`` shape in ``new`` as well.

    Raises
    ------
    ValueError
        When one of the two ranks is not decided.
    """
    before, after = stacked_rank(environments), stacked_rank([*environments, new])
    if not (before.decided and after.decided):
        raise ValueError("environments: a singular value is too small to call a rank, so generalisation is not decided")
    return after.rank - before.rank == new.n_states


def principal_angles(environments: Sequence[Environment]) -> Array:
    """Principal angles between the shaping subspaces of several environments, in radians, ascending, (S,).

    For two environments the classical ones, right to an absolute error near 1e-15 however small (Björck & Golub
    1973).  For k > 2 the S smallest of ``2 arcsin sqrt(1 - lambda)``, lambda the eigenvalues of the mean of the k
    orthogonal projectors, which for k = 2 is the same number.  The first is 0 where all discounts are below 1, for
    constants shape everywhere; the reward on state-action pairs is identified up to a constant iff the second is not.
    """
    values = stacked_rank(environments).singular_values[::-1][: environments[0].n_states]
    return np.asarray(2 * np.arcsin(np.minimum(values, 1.0)), dtype=float)


@dataclass(frozen=True, eq=False)
class _Span:
    basis: Array
    noise: float


class _Spanned:
    """Projection away from range(B_1) + range(B_2) + ... through dense orthonormal bases."""

    def __init__(self, spans: Sequence[_Span]) -> None:
        self.basis: Array = np.asarray(linalg.block_diag(*(span.basis for span in spans)), dtype=float)
        self.noise = max(span.noise for span in spans)

    def part(self, columns: Array) -> Array:
        """What of ``columns`` (n, m) is orthogonal to the ranges."""
        return np.asarray(columns - self.basis @ (self.basis.T @ columns), dtype=float)


class _Factored:
    """The same projection through one sparse factorisation an environment, for a few columns of many rows."""

    basis = None

    def __init__(self, shapings: Sequence[sparse.csr_array]) -> None:
        self.solvers = [LeastSquares(_unit_columns(b)) for b in shapings]
        self.ends = np.cumsum([b.shape[0] for b in shapings])
        probe = np.random.default_rng(0).standard_normal((int(self.ends[-1]), 4))
        once = self.part(probe)
        self.noise = 10 * float(np.abs(self.part(once) - once).max())

    def part(self, columns: Array) -> Array:
        """What of ``columns`` (n, m) is orthogonal to the ranges, projected twice against rounding."""
        for _ in range(2):
            pieces = np.split(columns, self.ends[:-1])
            columns = np.vstack([solver.residual(piece) for solver, piece in zip(self.solvers, pieces, strict=True)])
        return columns


def _outside(shapings: Sequence[sparse.csr_array], n_columns: int) -> _Spanned | _Factored:
    """The sparse projection where it pays and its rounding is small: it breaks on columns that depend on each other."""
    entries = max(b.shape[0] * b.shape[1] for b in shapings)
    if n_columns <= FEW and entries > DENSE_ENTRIES and max(b.nnz for b in shapings) < entries / 50:
        try:
            factored = _Factored(shapings)
        except ValueError:
            return _Spanned([_span(b) for b in shapings])
        if factored.noise < SURE_ABOVE / 1e3:
            return factored
    return _Spanned([_span(b) for b in shapings])


def _unit_columns(matrix: sparse.csr_array) -> sparse.csr_array:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0), dtype=float).ravel())
    kept = lengths > 0
    return sparse.csr_array(matrix[:, kept] @ sparse.diags_array(1 / lengths[kept]))


@dataclass(frozen=True, eq=False)
class _Frame:
    """``features @ lift = basis`` with orthonormal columns; ``features @ silent = 0``."""

    basis: Array | sparse.csr_array
    lift: Array | sparse.csr_array
    silent: Array
    noise: float


def _span(matrix: sparse.csr_array) -> _Span:
    """An orthonormal basis of the range, from a pivoted QR factorisation of the columns at unit length."""
    dense = matrix.toarray()
    lengths = np.sqrt((dense**2).sum(axis=0))
    dense = dense[:, lengths > 0] / lengths[lengths > 0]
    if dense.shape[1] == 0:
        return _Span(np.zeros((dense.shape[0], 0)), 0.0)
    q, r, _ = linalg.qr(dense, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(r))
    eps = np.finfo(float).eps
    rank = int(np.count_nonzero(diagonal > max(dense.shape) * eps * diagonal[0]))
    return _Span(np.ascontiguousarray(q[:, :rank]), float(10 * eps * diagonal[0] / diagonal[rank - 1]))


def _frame(features: sparse.csr_array) -> _Frame:
    lengths = np.sqrt(np.asarray(features.multiply(features).sum(axis=0), dtype=float).ravel())
    seen = lengths > 0
    scale = np.zeros_like(lengths)
    scale[seen] = 1 / lengths[seen]
    units = sparse.csr_array(features @ sparse.diags_array(scale))[:, seen]
    unseen = np.eye(features.shape[1])[:, ~seen]
    gram = sparse.csr_array(units.T @ units)
    if gram.nnz == units.shape[1] or abs(gram - sparse.diags_array(gram.diagonal())).max() == 0:
        lift = sparse.csr_array(sparse.diags_array(scale))[:, seen]
        return _Frame(sparse.csr_array(units), lift, unseen, 0.0)
    u, values, vt = linalg.svd(units.toarray(), full_matrices=units.shape[0] < units.shape[1])
    eps = np.finfo(float).eps
    rank = int(np.count_nonzero(values > max(units.shape) * eps * values[0]))
    lift = scale[seen, None] * vt[:rank].T / values[:rank]
    silent = scale[seen, None] * vt[rank:].T
    placed = np.zeros((features.shape[1], rank)), np.zeros((features.shape[1], silent.shape[1]))
    placed[0][seen], placed[1][seen] = lift, silent
    return _Frame(
        u[:, :rank], placed[0], np.hstack([unseen, placed[1]]), float(10 * eps * values[0] / values[rank - 1])
    )


def _angles(
    basis: Array | sparse.csr_array, outside: _Spanned | _Factored, target: Array, noise: float
) -> tuple[Array, Array, Array]:
    """Sines (p,) between two orthonormal bases, the open directions and the solution of least residual in the first.

    Works on whichever subspace is smaller: ``(I - U U^T) Q`` and ``(I - Q Q^T) U`` have the same singular values,
    apart from ones.
    """
    p, shaped = basis.shape[1], outside.basis
    if p == 0:
        return np.zeros(0), np.zeros((0, 0)), np.zeros(0)
    if shaped is None or p <= shaped.shape[1]:
        dense = basis.toarray() if sparse.issparse(basis) else np.asarray(basis)
        left, sines, right = linalg.svd(outside.part(dense), full_matrices=False)
        rank = decide_rank(sines, noise).rank
        weights = right[:rank].T @ ((left[:, :rank].T @ target) / sines[:rank])
        return sines, np.ascontiguousarray(right[rank:].T), weights
    left, sines, right = linalg.svd(shaped - basis @ (basis.T @ shaped), full_matrices=False)
    rank = decide_rank(sines, noise).rank
    values = -right[:rank].T @ ((left[:, :rank].T @ target) / sines[:rank])
    weights = basis.T @ (target + shaped @ values)
    return np.concatenate([np.ones(p - shaped.shape[1]), sines]), basis.T @ (shaped @ right[rank:].T), weights


def decide_rank(values: Array, noise: float = 0.0) -> Rank:
    """Read a rank off numbers without units, (n,) in any order, that are exact to within ``noise``."""
    tolerance = max(ZERO_BELOW, noise)
    sure_above = max(SURE_ABOVE, 1e3 * tolerance)
    ordered = np.sort(values)[::-1]
    rank = int(np.count_nonzero(ordered > sure_above))
    smaller = ordered[rank:]
    missing = rank == 0 or smaller.size == 0
    gap = np.inf if missing else ordered[rank - 1] / max(smaller[0], np.finfo(float).eps)
    return Rank(ordered, tolerance, sure_above, float(gap), not bool((smaller > tolerance).any()), rank)


def orthonormal(columns: Array) -> Array:
    """An orthonormal basis of the span of independent columns."""
    lengths = np.sqrt((columns**2).sum(axis=0))
    return np.asarray(linalg.qr(columns / lengths, mode="economic")[0]) if columns.shape[1] else columns


def _comparable(environments: Sequence[Environment]) -> Sequence[Environment]:
    if not environments:
        raise ValueError("environments: should hold at least one environment")
    shape = environments[0].shaping.shape
    for i, env in enumerate(environments):
        if env.shaping.shape != shape:
            raise ValueError(f"environments[{i}]: has (S*A, S) = {env.shaping.shape}, the first has {shape}")
    return environments


def _check(systems: Sequence[System], dim: int) -> None:
    if not systems:
        raise ValueError("systems: should hold at least one environment")
    for i, (b, phi, target, rows) in enumerate(systems):
        n_rows = b.shape[0]
        if phi.shape != (n_rows, dim):
            raise ValueError(f"systems[{i}]: features should have shape {(n_rows, dim)}, have {phi.shape}")
        if target.shape != (n_rows,) or rows.shape != (n_rows,) or rows.dtype != np.bool_:
            raise ValueError(
                f"systems[{i}]: target and rows should have shape ({n_rows},), rows be bool; were {target.shape} and "
                f"{rows.shape} of {rows.dtype}"
            )
        if not rows.any():
            raise ValueError(f"systems[{i}]: no row is observed")
        if not np.isfinite(target[rows]).all():
            row = int(np.flatnonzero(rows)[np.argmin(np.isfinite(target[rows]))])
            raise ValueError(
                f"systems[{i}]: target[{row}] is {float(target[row])!r}: a soft-optimal agent takes every action with "
                "positive probability"
            )
