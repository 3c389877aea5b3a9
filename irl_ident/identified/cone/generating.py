"""Support functions of few parameters by row generation: a linear program that holds only the rows that matter.

With d parameters the values of environment ``e`` are ``V_e = W_e theta``, d sparse solves once.  An optimum is held by
about d of the ``S A`` rows ``B_e W_e - Phi_e``, which are dense in ``theta`` and never formed together.  The program
starts from the box alone; for its ``theta`` all slacks ``B_e (W_e theta) - Phi_e theta`` are evaluated, the rows that
are violated most are added (Kelley 1960), and that is repeated until none is left.  Its value is then that of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.environment import Array
from irl_ident.highs import SolverFailed, minimise
from irl_ident.identified.cone.lifted import Block, Cone, Indices
from irl_ident.identified.cone.program import Answer

SLACK = 1e-10
"""Violation, per unit of the largest feature, up to which a row counts as satisfied."""

SHARE = 4
"""Most violated rows that are added in a round, for each parameter and environment."""

ROUNDS = 500
"""After so many rounds the best bounds so far are the answer."""

NEGLIGIBLE = 1e-13
"""Rows with no entry above this are rounding of rows of 0."""


@dataclass(frozen=True, eq=False)
class Generated:
    """The programs of one cone in which every state is known.  Rows are kept between directions.

    Parameters
    ----------
    cone : Cone
    """

    cone: Cone

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}

    def solve(self, direction: Array, *, warm: bool) -> Answer:
        """Solve for ``direction`` (d,), ``warm`` with the rows of earlier directions.

        Raises
        ------
        SolverFailed
        """
        if not warm or not self._kept:
            self._kept.clear()
            self._kept.update(solver=self._box(), origin=np.zeros(0, np.int64), scale=np.zeros(0))
        solver = self._kept["solver"]
        columns = np.arange(self.cone.dim, dtype=np.int32)
        solver.changeColsCost(self.cone.dim, columns, -direction)
        for taken in range(1, ROUNDS + 1):  # noqa: B007
            solver.run()
            solution, status = solver.getSolution(), solver.modelStatusToString(solver.getModelStatus())
            if not solution.value_valid or not solution.dual_valid:
                raise SolverFailed(f"the linear program of the support function was not solved: {status}")
            theta = np.array(solution.col_value)
            if not self._added(solver, theta):
                break
        multipliers = np.zeros(sum(block.shown.size for block in self.cone.blocks))
        multipliers[self._kept["origin"]] = np.array(solution.row_dual) * self._kept["scale"]
        words = f"row generation, {taken} rounds, {self._kept['origin'].size} rows"
        return Answer(theta, tuple(np.zeros(0) for _ in self.cone.blocks), multipliers, words)

    def _box(self) -> Any:
        ones = np.ones(self.cone.dim)
        options = {"solver": "simplex", "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        nothing = sparse.csr_array((0, self.cone.dim))
        return minimise(0 * ones, nothing, (np.zeros(0), np.zeros(0)), (-ones, ones), options)

    def _added(self, solver: Any, theta: Array) -> bool:
        """Add the rows that ``theta`` violates most; whether there were any."""
        found, first = False, 0
        for block in self.cone.blocks:
            values = block.value_map
            wrong = self._wrong(block, values, theta)
            new = np.setdiff1d(wrong, self._kept["origin"] - first)
            rows = block.shaping[new] @ values - block.features[new].toarray()
            largest = np.abs(rows).max(axis=1, initial=0)
            new, rows, largest = new[largest > NEGLIGIBLE], rows[largest > NEGLIGIBLE], largest[largest > NEGLIGIBLE]
            if new.size:
                rows = rows / largest[:, None]
                upper = np.where(block.shown.ravel()[new], 0.0, np.inf)
                starts = np.arange(new.size, dtype=np.int32) * self.cone.dim
                indices = np.tile(np.arange(self.cone.dim, dtype=np.int32), new.size)
                solver.addRows(new.size, np.zeros(new.size), upper, rows.size, starts, indices, rows.ravel())
                self._kept["origin"] = np.concatenate([self._kept["origin"], first + new])
                self._kept["scale"] = np.concatenate([self._kept["scale"], 1 / largest])
                found = True
            first += block.shown.size
        return found

    def _wrong(self, block: Block, values: Array, theta: Array) -> Indices:
        """The most violated rows, at most ``SHARE * d``."""
        slack = block.shaping @ (values @ theta) - block.features @ theta
        slack[block.tied] = -np.abs(slack[block.tied])
        slack[block.chosen] = 0
        limit = -SLACK * float(np.abs(block.features.data).max(initial=0))
        count = min(SHARE * self.cone.dim, slack.size)
        worst = np.argpartition(slack, count - 1)[:count]
        return np.sort(worst[slack[worst] < limit]).astype(np.int64)
