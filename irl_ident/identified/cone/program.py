"""The linear program of a cone, held by HiGHS: built once, asked for many directions.

Two forms with the same optimum.  **Reduced**: unknowns ``(theta, values of states without observation)``, every other
value is the linear map of them that :meth:`Block.evaluate` computes with one sparse factorisation an environment;
rows are dense, those that repeat are kept once.  **Lifted**: unknowns ``(theta, V_1, ..., V_k)``, rows as sparse as
transitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.environment import Array, Mask
from irl_ident.highs import SolverFailed, minimise
from irl_ident.identified.cone.lifted import Cone, Indices

SIMPLEX_UNKNOWNS = 2_000
"""Up to so many unknowns a program is solved by the simplex method, above by an interior point without crossover."""

NEGLIGIBLE = 1e-12
"""Reduced rows with no entry above this (features have entries of order 1) are rounding of a row of zeros."""

AUTOMATIC, PRIMAL = 0, 4
"""Simplex strategies of HiGHS: after a change of direction the old basis is still primal feasible."""

TOLERANCE = 1e-10
INTERIOR_TOLERANCE = 1e-8
"""Feasibility and optimality tolerance of the simplex method, the smallest HiGHS accepts, and of its interior point."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the solver said: ``theta`` (d,), values of hidden states, multipliers of all lifted rows, its status."""

    theta: Array
    hidden: tuple[Array, ...]
    multipliers: Array
    status: str


@dataclass(frozen=True, eq=False)
class Program:
    """``max c . theta`` over ``rows x = 0`` where ``equal``, ``>= 0`` elsewhere, and ``|theta|_inf <= 1``.

    Attributes
    ----------
    rows : sparse (m, n)
        Scaled to largest entry 1.
    equal : bool (m,)
    origin : int (m,)
        Place of each row among the lifted rows of the cone.
    scale : array (m,)
        What the lifted row was multiplied by.
    hidden : tuple of int (h_e,)
        Columns of the values of states without observation.
    dim : int
        The first ``dim`` of the unknowns are ``theta``.
    lifted_rows : int
        Number of rows of the cone.
    """

    rows: sparse.csr_array
    equal: Mask
    origin: Indices
    scale: Array
    hidden: tuple[Indices, ...]
    dim: int
    lifted_rows: int

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}

    def _fresh(self) -> Any:
        box = np.full(self.rows.shape[1], np.inf)
        box[: self.dim] = 1
        nothing = np.zeros(self.equal.size)
        large = self.rows.shape[1] > SIMPLEX_UNKNOWNS
        options = {
            "solver": "ipm" if large else "simplex",
            "run_crossover": "off",
            "small_matrix_value": 1e-12,
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
            "ipm_optimality_tolerance": INTERIOR_TOLERANCE,
        }
        between = (nothing, np.where(self.equal, 0, np.inf))
        return minimise(np.zeros(box.size), self.rows, between, (-box, box), options)

    def solve(self, direction: Array, *, warm: bool) -> Answer:
        """Solve for ``direction`` (d,), ``warm`` from the basis of the last one.

        Raises
        ------
        SolverFailed
        """
        old = self._kept.pop("solver", None) if warm else None
        if old is not None:
            try:
                return self._run(old, direction, PRIMAL)
            except SolverFailed:
                pass
        return self._run(self._fresh(), direction, AUTOMATIC)

    def _run(self, solver: Any, direction: Array, strategy: int) -> Answer:
        solver.setOptionValue("simplex_strategy", strategy)
        solver.changeColsCost(self.dim, np.arange(self.dim, dtype=np.int32), -direction)
        solver.run()
        status = solver.modelStatusToString(solver.getModelStatus())
        solution = solver.getSolution()
        if not solution.value_valid or not solution.dual_valid:
            raise SolverFailed(f"the linear program of the support function was not solved: {status}")
        self._kept["solver"] = solver
        multipliers = np.zeros(self.lifted_rows)
        multipliers[self.origin] = np.array(solution.row_dual) * self.scale
        unknowns = np.array(solution.col_value)
        return Answer(unknowns[: self.dim], tuple(unknowns[columns] for columns in self.hidden), multipliers, status)


def lifted(cone: Cone) -> Program:
    """The program with all values as unknowns."""
    equal = np.concatenate([block.shown.ravel() for block in cone.blocks]) if cone.blocks else np.zeros(0, bool)
    hidden = tuple(start + block.hidden for start, block in zip(cone.starts, cone.blocks, strict=False))
    return _scaled(cone.rows, equal, np.arange(equal.size), hidden, cone, 0.0)


def reduced(cone: Cone) -> Program:
    """The program in ``theta`` and the values of states without observation."""
    counts = [block.hidden.size for block in cone.blocks]
    unknowns = cone.dim + sum(counts)
    parts, equal, origin = [np.zeros((0, unknowns))], [np.zeros(0, bool)], [np.zeros(0, np.int64)]
    column, first = cone.dim, 0
    for block, count in zip(cone.blocks, counts, strict=True):
        theta = np.eye(cone.dim, unknowns)
        hidden = np.eye(count, unknowns, k=column)
        kept = np.concatenate([block.tied, block.others])
        slack = block.shaping[kept] @ block.evaluate(theta, hidden) - block.features[kept] @ theta
        parts.append(slack)
        equal.append(np.arange(kept.size) < block.tied.size)
        origin.append(first + kept)
        column, first = column + count, first + block.shown.size
    dense = np.vstack(parts)
    dense[np.abs(dense) < NEGLIGIBLE] = 0
    marks = np.concatenate(equal)
    largest = np.abs(dense).max(axis=1, initial=0)
    alike = np.column_stack([np.round(dense / np.where(largest > 0, largest, 1)[:, None], 13) + 0.0, marks])
    _, single = np.unique(alike, axis=0, return_index=True)
    single.sort()
    ends = cone.dim + np.cumsum([0, *counts])
    columns = tuple(np.arange(start, end) for start, end in pairwise(ends))
    return _scaled(
        sparse.csr_array(dense[single]), marks[single], np.concatenate(origin)[single], columns, cone, NEGLIGIBLE
    )


def _scaled(
    rows: sparse.csr_array, equal: Mask, origin: Indices, hidden: tuple[Indices, ...], cone: Cone, negligible: float
) -> Program:
    largest = abs(rows).max(axis=1).toarray().ravel() if rows.nnz else np.zeros(rows.shape[0])
    kept = np.flatnonzero(largest > negligible)
    scale = 1 / largest[kept]
    scaled = sparse.csr_array(sparse.diags_array(scale) @ rows[kept])
    return Program(scaled, equal[kept], origin[kept].astype(np.int64), scale, hidden, cone.dim, cone.rows.shape[0])
