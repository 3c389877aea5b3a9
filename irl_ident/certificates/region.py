"""Parts of the premise, and the linear programs that find bounds over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.certificates.premise import Claim, HalfSpace, Premise
from irl_ident.environment import Array, Mask
from irl_ident.highs import SolverFailed, minimise
from irl_ident.identified.cone.lifted import Block, Indices
from irl_ident.identified.cone.support import repaired, support, supports

SIMPLEX_UNKNOWNS = 2_000

AROUND = 24
"""So many times, at most, a point of a large premise is moved towards its middle."""

OPTIONS: dict[str, object] = {
    "run_crossover": "off",
    "small_matrix_value": 1e-12,
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
    "ipm_optimality_tolerance": 1e-8,
}


@dataclass(frozen=True, eq=False)
class Region:
    """Part of the premise, ready for many directions.

    Parameters
    ----------
    premise : Premise
    cuts : tuple of HalfSpace
        In the order of the splits from the root down.
    """

    premise: Premise
    cuts: tuple[HalfSpace, ...] = field(default=())

    @cached_property
    def unit(self) -> float:
        """The solver's unknowns are theta over this, so that what is known to be worse is worse by 1."""
        return self.premise.tolerances.strictness or 1.0

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """Rows of the premise, then those of the cuts."""
        rows = self.premise.program.matrix
        if not self.cuts:
            return rows
        normals = np.zeros((len(self.cuts), rows.shape[1]))
        normals[:, : self.premise.dim] = [cut.normal for cut in self.cuts]
        return sparse.csr_array(sparse.vstack([rows, sparse.csr_array(normals)], format="csr"))

    @cached_property
    def between(self) -> tuple[Array, Array]:
        """Limits of the rows, in the solver's unit."""
        rows = self.premise.program
        least = np.where(rows.worse, rows.scale * self.premise.tolerances.strictness / self.unit, 0.0)
        lower = np.concatenate([least, [cut.least / self.unit for cut in self.cuts]])
        upper = np.where(np.append(rows.equal, np.zeros(len(self.cuts), bool)), np.maximum(lower, 0), np.inf)
        return lower, upper

    @cached_property
    def _solver(self) -> Any:
        size = np.full(self.matrix.shape[1], np.inf)
        size[: self.premise.dim] = 1 / self.unit
        simplex = self.matrix.shape[1] <= SIMPLEX_UNKNOWNS
        options = {**OPTIONS, "solver": "simplex" if simplex else "ipm"}
        return minimise(np.zeros(size.size), self.matrix, self.between, (-size, size), options)

    @cached_property
    def _answers(self) -> dict[bytes, tuple[Claim, Array | None]]:
        return {}

    def maximum(self, direction: Array) -> tuple[Claim, Array | None]:
        """A claim on ``direction`` (d,), and where the solver found it reached (None where it found nothing)."""
        key = direction.tobytes()
        if key not in self._answers:
            self._answers[key] = self._solved(direction)
        return self._answers[key]

    def _solved(self, direction: Array) -> tuple[Claim, Array | None]:
        if not direction.any():
            return self.premise.trivial(direction, self.cuts), None
        if self.premise.large and not self.cuts:
            farthest = support(self.premise.cone, direction)
            proof = np.concatenate([table.ravel() for table in farthest.multipliers])
            return self.premise.proved(direction, proof, (), np.zeros(0)), farthest.theta
        dim, solver = self.premise.dim, self._solver
        scale = float(np.abs(direction).max())
        solver.changeColsCost(dim, np.arange(dim, dtype=np.int32), -direction / scale)
        solver.run()
        solution = solver.getSolution()
        if not solution.dual_valid:
            return self.premise.trivial(direction, self.cuts), None
        found = self._claimed(direction, scale * np.array(solution.row_dual))
        point = np.clip(self.unit * np.array(solution.col_value)[:dim], -1, 1) if solution.value_valid else None
        crude = self.premise.trivial(direction, self.cuts)
        return (found if found.bound < crude.bound else crude), point

    def middle(self) -> tuple[float, Array, Claim]:
        """Least slack of a point in the middle, the point, and a claim on the direction 0 (below 0: nothing is here).

        Slack is counted on rows that are no equations, up to 1, in the solver's unit; below 0 in empty regions.
        """
        if self.premise.large and not self.cuts:
            return self._around()
        rows, dim = self.matrix, self.premise.dim
        equal = np.append(self.premise.program.equal, np.zeros(len(self.cuts), bool))
        margin = sparse.csr_array(np.where(equal, 0.0, -1.0)[:, None])
        wide = sparse.csr_array(sparse.hstack([rows, margin], format="csr"))
        size = np.full(wide.shape[1], np.inf)
        size[:dim] = 1 / self.unit
        cost = np.zeros(wide.shape[1])
        cost[-1] = -1
        upper = size.copy()
        upper[-1] = 1.0
        simplex = wide.shape[1] <= SIMPLEX_UNKNOWNS
        options = {**OPTIONS, "solver": "simplex" if simplex else "ipm"}
        solver = minimise(cost, wide, self.between, (-size, upper), options)
        solver.run()
        solution = solver.getSolution()
        if not (solution.value_valid and solution.dual_valid):
            raise SolverFailed(
                f"no point in the middle was found: {solver.modelStatusToString(solver.getModelStatus())}"
            )
        values = np.array(solution.col_value)
        claim = self._claimed(np.zeros(dim), np.array(solution.row_dual))
        return float(values[-1]), np.clip(self.unit * values[:dim], -1, 1), claim

    def _around(self) -> tuple[float, Array, Claim]:
        """By steps towards what is farthest in the direction in which the least slacks grow (Frank & Wolfe 1956)."""
        cone, goal = self.premise.cone, 2 * self.premise.tolerances.strictness
        drawn = np.random.default_rng(0).standard_normal(self.premise.dim)
        middle = np.mean([found.theta for found in supports(cone, [drawn, -drawn])], axis=0)
        for step in range(1, AROUND):
            slacks = [self._worse_slack(block, marks, middle) for block, marks in self._marked]
            least = min((slack.min() for slack in slacks if slack.size), default=np.inf)
            if least >= goal:
                break
            direction = np.zeros(self.premise.dim)
            for (block, marks), slack in zip(self._marked, slacks, strict=True):
                weights = np.zeros(block.shown.size)
                weights[marks] = np.exp(-(slack - least) / max(goal, least, float(np.median(slack)) / 2**step))
                direction -= block.features.T @ repaired(block, weights)
            farthest = support(cone, direction / np.abs(direction).max()).theta
            middle = middle + (farthest - middle) / (step + 2)
        return 1.0, middle, self.premise.trivial(np.zeros(self.premise.dim))

    @property
    def _marked(self) -> list[tuple[Block, Indices]]:
        blocks = zip(self.premise.cone.blocks, self.premise.worse, strict=True)
        return [(block, np.flatnonzero(marks)) for block, marks in blocks]

    @staticmethod
    def _worse_slack(block: Block, marks: Indices, theta: Array) -> Array:
        values = block.evaluate(theta, np.zeros(block.hidden.size))
        return np.asarray((block.shaping @ values - block.features @ theta)[marks])

    def _claimed(self, direction: Array, duals: Array) -> Claim:
        count = self.premise.program.scale.size
        return self.premise.claim(direction, duals[:count], self.cuts, np.maximum(duals[count:], 0))

    def near(self, points: Array, slack: float = 1e-9) -> Mask:
        """Which of ``points`` (N, d) satisfy the rows up to ``slack``, as far as theta alone can tell, (N,)."""
        if self.matrix.shape[1] > self.premise.dim:
            return np.ones(len(points), dtype=bool)
        lower, upper = self.between
        found = self.matrix @ points.T / self.unit
        inside = (found >= lower[:, None] - slack / self.unit) & (found <= upper[:, None] + slack / self.unit)
        return np.asarray(inside.all(axis=0))

    def cut(self, normal: Array, least: float) -> Region:
        """The part with ``normal . theta >= least``."""
        return Region(self.premise, (*self.cuts, HalfSpace(normal, least)))
