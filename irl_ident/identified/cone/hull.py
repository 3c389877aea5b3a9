"""Affine hull, centre and contradictions of a cone ``{equal x = 0, at_least x >= 0}``, by linear programs.

One program finds which inequalities can hold strictly: maximise ``sum t`` with ``0 <= t <= 1`` and ``at_least x >= t``.
A cone can be scaled up, so at the optimum every ``t_i`` is 1 where some member has slack in row ``i`` and 0 where none
has: rows with 0 are implicit equations.  They lower the dimension; where the slack is known to be positive they are a
contradiction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.optimize import linprog

from irl_ident.environment import Array, Mask
from irl_ident.highs import SolverFailed
from irl_ident.identified.cone.constraints import Constraints
from irl_ident.rewards import RANK_TOLERANCE

SIMPLEX_SIZE = 2_000
"""Up to so many unknowns programs are solved by the simplex method, above by an interior point."""

ATTEMPTS = ((1e-10, True), (1e-10, False), (1e-9, True), (1e-9, False), (1e-8, False))
"""Feasibility tolerance and presolve, in this order until the solver gives an answer."""

ELIMINATED_SIZE = 2_000
"""Up to so many unknowns equations are solved by dense algebra before a program is."""

NEGLIGIBLE = 1e-9
"""Rows, of entries up to 1, that are this small on the solutions of the equations may be rounding of 0 ..."""

SURELY_NOTHING = 1e-13
"""... and surely are when they are as small as this; between the two nothing is decided."""

UNDECIDED_RANK = 1e-7
"""Singular values between ``RANK_TOLERANCE`` and this share of the largest are too near 0 to call."""


@dataclass(frozen=True, eq=False)
class Hull:
    """The span of a cone.

    Attributes
    ----------
    basis : array (d, m)
        Orthonormal, of the span of the cone in ``theta``.
    singular_values : array
        Of the equations on the unknowns, largest first.
    implicit : bool (l,)
        Inequalities that hold with equality throughout the cone.
    tightness : array (l,)
        The ``t`` of the module's linear program: anything clearly between 0 and 1 is not decided.
    span : array (n, h)
        Orthonormal basis of the span in all unknowns.
    noise : float
        Rows of the equations are right to within this.
    lost : bool
        Whether an inequality that is known to be strict is lost in rounding.
    """

    basis: Array
    singular_values: Array
    implicit: Mask
    tightness: Array
    span: Array
    noise: float = 0.0
    lost: bool = False

    @property
    def gap(self) -> float:
        """Smallest counted singular value over the largest dropped one."""
        return spectral_gap(self.singular_values)

    @property
    def decided(self) -> bool:
        """Whether every rank and every implicit equation is clear."""
        between = (self.tightness > 0.01) & (self.tightness < 0.99)
        return not (between.any() or self.lost or unclear(self.singular_values, self.noise))


def spectral_gap(singular_values: Array) -> float:
    """Smallest singular value that counts over the largest that does not; ``inf`` when none is dropped."""
    if not singular_values.size:
        return np.inf
    counted = singular_values > RANK_TOLERANCE * singular_values[0]
    dropped = singular_values[~counted]
    return float(singular_values[counted][-1] / dropped[0]) if dropped.size and dropped[0] > 0 else np.inf


def unclear(singular_values: Array, noise: float = 0.0) -> bool:
    """Whether some singular value of equations that are right to within ``noise`` is not clearly 0 and not clearly not.

    Values that rounding alone could have made count as not clear, up to ten times its size.
    """
    if not singular_values.size:
        return False
    share = singular_values / singular_values[0]
    loud = 10 * np.sqrt(singular_values.size) * noise
    return bool(((share > min(RANK_TOLERANCE, max(loud, 1e-13))) & (share < max(UNDECIDED_RANK, loud))).any())


def solve(
    cost: Array,
    at_least: sparse.csr_array,
    equal: sparse.csr_array,
    lower: Array,
    upper: Array,
) -> Array:
    """Minimise ``cost @ x`` over ``at_least x >= 0``, ``equal x = 0``, ``lower <= x <= upper``.

    Raises
    ------
    SolverFailed
        With the solver's own message.
    """
    return np.asarray(optimum(cost, at_least, equal, lower, upper).x)


def optimum(cost: Array, at_least: Any, equal: Any, lower: Array, upper: Array) -> Any:
    """The solver's whole answer to the program of :func:`solve`, dense or sparse, or :class:`SolverFailed`."""
    solver: Any = linprog
    for tolerance, presolve in ATTEMPTS:
        answer = solver(
            cost,
            A_ub=-at_least,
            b_ub=np.zeros(at_least.shape[0]),
            A_eq=equal,
            b_eq=np.zeros(equal.shape[0]),
            bounds=np.column_stack([lower, upper]),
            method="highs-ds" if cost.size <= SIMPLEX_SIZE else "highs-ipm",
            options={
                "primal_feasibility_tolerance": tolerance,
                "dual_feasibility_tolerance": tolerance,
                "presolve": presolve,
            },
        )
        if answer.x is not None and answer.status == 0:
            return answer
    raise SolverFailed(f"linear program not solved (status {answer.status}): {answer.message}")


@dataclass(frozen=True, eq=False)
class Maximum:
    """A maximum between certified bounds, and a point ``theta`` that reaches the lower one (to rounding)."""

    theta: Array
    lower: float
    upper: float


def certified_maximum(cost: Array, at_least: Array, equal: Array, largest: Array) -> Maximum:
    """The maximum of ``cost @ x`` over ``at_least x >= 0``, ``equal x = 0``, ``|x_j| <= largest_j``.

    The upper bound holds for any multipliers ``y >= 0`` and ``z`` whatever: ``sum_j largest_j |cost + at_least^T y +
    equal^T z|_j``; those that the solver gives make it tight.  The lower bound is the value at the solver's point,
    feasible to 1e-9.
    """
    answer = optimum(-cost, at_least, equal, -largest, largest)
    residual = cost + at_least.T @ np.maximum(-answer.ineqlin.marginals, 0) + equal.T @ answer.eqlin.marginals
    value = float(cost @ answer.x)
    return Maximum(answer.x, value, max(value, float(largest @ np.abs(residual))))


def strictness(constraints: Constraints) -> Array:
    """The ``t`` of the module's linear program, one for each inequality, in [0, 1]."""
    rows = constraints.at_least.shape[0]
    if rows == 0:
        return np.zeros(0)
    inequalities, equations = _balanced(constraints.at_least, constraints.equal)
    free, span = _solved_for(inequalities, equations)
    if free.shape[1] == 0:
        return np.zeros(rows)
    left = abs(free).max(axis=1).toarray().ravel()
    alive = np.flatnonzero(left > NEGLIGIBLE)
    found = np.where((left > SURELY_NOTHING) & (left <= NEGLIGIBLE), 0.5, 0.0)
    if alive.size == 0:
        return found
    with_t = sparse.csr_array(sparse.hstack([free[alive], -sparse.eye_array(alive.size)], format="csr"))
    unknowns = free.shape[1]
    equal = sparse.csr_array((0, unknowns)) if span is not None else equations
    padded = sparse.csr_array(sparse.hstack([equal, sparse.csr_array((equal.shape[0], alive.size))], format="csr"))
    cost = np.concatenate([np.zeros(unknowns), -np.ones(alive.size)])
    lower = np.concatenate([np.full(unknowns, -np.inf), np.zeros(alive.size)])
    upper = np.concatenate([np.full(unknowns, np.inf), np.ones(alive.size)])
    found[alive] = solve(cost, with_t, padded, lower, upper)[unknowns:]
    return found


def _balanced(at_least: sparse.csr_array, equal: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The same cone in unknowns of another length each, so that features of very different size count alike."""
    both = equilibrated(sparse.csr_array(sparse.vstack([at_least, equal], format="csr")))
    return both[: at_least.shape[0]], both[at_least.shape[0] :]


def equilibrated(rows: sparse.csr_array) -> sparse.csr_array:
    """``rows`` with first every column and then every row divided by its largest entry."""
    columns = abs(rows).max(axis=0).toarray().ravel()
    rows = sparse.csr_array(rows @ sparse.diags_array(1 / np.where(columns > 0, columns, 1)))
    largest = abs(rows).max(axis=1).toarray().ravel()
    return sparse.csr_array(sparse.diags_array(1 / np.where(largest > 0, largest, 1)) @ rows)


def _solved_for(at_least: sparse.csr_array, equal: sparse.csr_array) -> tuple[sparse.csr_array, Array | None]:
    """``at_least`` on a basis of the solutions of ``equal x = 0``, and that basis (n, h).

    Simplex codes choke on equations that nearly repeat each other, as ties do.  Programs too large for dense algebra
    are left as they are, with None for the basis.
    """
    if equal.shape[0] == 0 or at_least.shape[1] > ELIMINATED_SIZE:
        return at_least, None
    values, right = _singular(equal.toarray())
    span = right[int((values > RANK_TOLERANCE * values[0]).sum()) :].T
    reduced = at_least @ span
    largest = np.abs(reduced).max(axis=1, initial=0)
    reduced[(np.abs(reduced) < NEGLIGIBLE) & (largest > NEGLIGIBLE)[:, None]] = 0
    return sparse.csr_array(reduced / np.where(largest > NEGLIGIBLE, largest, 1)[:, None]), span


def _singular(matrix: Array) -> tuple[Array, Array]:
    """Singular values (min(m, n),) and all right singular vectors (n, n), as rows."""
    tall = matrix.shape[0] > matrix.shape[1]
    small = np.linalg.qr(matrix, mode="r") if tall else matrix
    _, values, right = np.linalg.svd(small, full_matrices=True)
    return values, right


def hull(constraints: Constraints) -> Hull:
    """The affine hull of the cone; it holds 0, so it is a linear span."""
    tightness = strictness(constraints)
    implicit = tightness < 0.5
    equations = sparse.csr_array(sparse.vstack([constraints.equal, constraints.at_least[implicit]], format="csr"))
    unknowns, dim = constraints.unknowns, constraints.dim
    informative = np.diff(equations.indptr) > 0
    equations = sparse.csr_array(equations[informative])
    if equations.shape[0] == 0:
        nothing = np.zeros(0)
        return Hull(np.eye(dim), nothing, implicit, tightness, np.eye(unknowns), constraints.noise, constraints.lost)
    values, rows = _singular(equations.toarray())
    rank = int((values > RANK_TOLERANCE * values[0]).sum())
    span = rows[rank:].T
    basis = span if unknowns == dim else linalg.orth(span[:dim], rcond=RANK_TOLERANCE)
    return Hull(basis, values, implicit, tightness, span, constraints.noise, constraints.lost)


def center(constraints: Constraints, implicit: Mask, largest: Array) -> Array:
    """The unknowns with the largest least slack under ``|x_j| <= largest_j``; 0 when no inequality can be strict."""
    free = constraints.at_least[~implicit]
    if free.shape[0] == 0:
        return np.zeros(constraints.unknowns)
    equations = sparse.vstack([constraints.equal, constraints.at_least[implicit]], format="csr")
    with_margin = sparse.csr_array(sparse.hstack([free, sparse.csr_array(-np.ones((free.shape[0], 1)))], format="csr"))
    padded = sparse.csr_array(sparse.hstack([equations, sparse.csr_array((equations.shape[0], 1))], format="csr"))
    cost = np.zeros(constraints.unknowns + 1)
    cost[-1] = -1
    box = np.append(largest, np.inf)
    lower = -box
    lower[-1] = 0
    return solve(cost, with_margin, padded, lower, box)[:-1]
