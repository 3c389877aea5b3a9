"""Proofs that observations contradict each other, or an explanation of them: one linear program and its dual.

With ``slack = B V - Phi theta``, an observation of a state says that slacks of shown actions are 0, and those of worse
actions above 0; that all slacks are at least 0 needs no observation.  By Motzkin's transposition theorem observations
contradict each other exactly if there are multipliers

    sum_r y_r slack_r = 0  for all (theta, V),    y_r >= 0 on rows that no observation shows,    y_r > 0 on a worse one.

``y`` is the difference of two ways to behave that are paid alike, of which one takes actions that were shown, and the
other one that is worse.  The program maximises the sum of ``y`` over worse actions, up to 1.  Its optimum is 1, and
``y`` the proof, or 0, and the dual solution a reward with values that explain the observations (slack at least 1 on
every worse action).  Either is checked against the rows before it counts.

An observation adds columns to the program: a shown row once more with a negative sign, and worse rows that count in the
sum.  Without it they are fixed at 0, so that many sets of observations are asked one after another, each from the last
basis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Mask
from irl_ident.highs import SolverFailed, minimise
from irl_ident.identified.cone.hull import equilibrated
from irl_ident.identified.cone.lifted import lifted_rows
from irl_ident.identified.cone.told import Observation
from irl_ident.identified.observed import System, with_twins

Indices = npt.NDArray[np.int64]

ENOUGH = 0.5
"""Least weight of a proof on worse actions, and least slack of these in an explanation; the program asks for 1."""

ROUNDING = 1e-12
"""Share of the sum of their absolute terms that may be left of the equations of a proof."""

AGREES = 1e-7
"""What shown actions may miss in an explanation."""

TOLERANCE = 1e-9
"""The solver's tolerance of feasibility."""

NEGLIGIBLE = 1e-13
"""Multipliers below this are 0."""

PRIMAL, DUAL = 4, 1
"""Simplex strategies of HiGHS: for another cost the old basis is feasible, for other bounds it is dual feasible."""

ATTEMPTS: tuple[Mapping[str, object], ...] = (
    {"presolve": "on", "solver": "simplex", "simplex_scale_strategy": 2},
    {"presolve": "off", "solver": "simplex", "simplex_scale_strategy": 0},
    {"presolve": "on", "solver": "ipm", "run_crossover": "on"},
)
"""Ways to solve from nothing, until an answer agrees with the rows."""


@dataclass(frozen=True, eq=False)
class Program:
    """The program of the module's description, for sets of given observations.

    Attributes
    ----------
    columns : sparse (n + 1, m)
        Rows of the cone in units of their own as columns, and at the end what counts in the sum.
    owner : int (m,)
        Observation that a column belongs to; -1 for those that need none.
    count : int
        Number of observations.
    """

    columns: sparse.csr_array
    owner: Indices
    count: int

    @classmethod
    def of(cls, systems: Sequence[System], observed: Sequence[Observation], dim: int) -> Program:
        """The program of observations in these systems, for ``dim`` parameters."""
        rows = equilibrated(lifted_rows([(each.features, each.env.shaping) for each in systems], dim))
        starts = np.cumsum([0, *(each.features.shape[0] for each in systems)])
        same = [with_twins(each.env, each.features, np.zeros_like(each.shown)) for each in systems]
        free = np.flatnonzero(np.concatenate([np.zeros(0, bool), *(marks.ravel() for marks in same)]))
        shown, worse, showing, saying = [], [], [], []
        for number, each in enumerate(observed):
            first = starts[each.system] + each.state * each.shown.size
            ties = first + np.flatnonzero(each.shown & ~same[each.system][each.state])
            below = first + np.flatnonzero(each.worse)
            shown.extend(ties)
            worse.extend(below)
            showing.extend([number] * ties.size)
            saying.extend([number] * below.size)
        none = np.full(rows.shape[0] + free.size, -1)
        blocks = [rows, -rows[free], -rows[np.array(shown, int)], rows[np.array(worse, int)]]
        counted = np.concatenate([np.zeros(none.size + len(shown)), np.ones(len(worse))])
        tall = sparse.csr_array(sparse.vstack(blocks, format="csr").T)
        columns = sparse.csr_array(sparse.vstack([tall, sparse.csr_array(counted[None])], format="csr"))
        return cls(columns, np.concatenate([none, showing, saying]).astype(np.int64), len(observed))

    @cached_property
    def _counted(self) -> Array:
        return self.columns[[-1]].toarray().ravel()

    @cached_property
    def _solver(self) -> Any:
        rows, columns = self.columns.shape
        most = np.zeros(rows)
        most[-1] = 1
        options = {"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE}
        box = np.zeros(columns), np.full(columns, np.inf)
        return minimise(-self._counted, self.columns, (np.zeros(rows), most), box, options)

    def uses(self, kept: Mask) -> Array | None:
        """How much a proof from the ``kept`` (o,) observations uses each, (o,); None if they have an explanation.

        Raises
        ------
        SolverFailed
            Neither was found.
        """
        if self.count == 0:
            return None
        self._limit(kept)
        self._charge(-self._counted)
        for number, options in enumerate((ATTEMPTS[0], *ATTEMPTS)):
            if number > 0:
                self._solver.clearSolver()
            words = self._run(DUAL, options)
            solution = self._solver.getSolution()
            used = self._proved(np.array(solution.col_value), kept)
            if used is not None or self._explained(-np.array(solution.row_dual), kept):
                return used
        raise SolverFailed(f"whether {int(kept.sum())} observations contradict each other was not found: {words}")

    def fewer(self, used: Array) -> Array:
        """The same as ``used`` (o,), of a proof that uses as little as can be; ``used`` where none is found."""
        self._limit(used > 0)
        self._charge(np.where(self.owner >= 0, 1.0, 0.0))
        self._solver.changeRowBounds(self.columns.shape[0] - 1, 1.0, 1.0)
        self._run(PRIMAL)
        self._solver.changeRowBounds(self.columns.shape[0] - 1, 0.0, 1.0)
        found = self._proved(np.array(self._solver.getSolution().col_value), used > 0)
        return used if found is None else found

    def _run(self, strategy: int, options: Mapping[str, object] = ATTEMPTS[0]) -> str:
        for option, value in {**options, "simplex_strategy": strategy}.items():
            self._solver.setOptionValue(option, value)
        self._solver.run()
        return str(self._solver.modelStatusToString(self._solver.getModelStatus()))

    def _open(self, kept: Mask) -> Mask:
        return np.asarray((self.owner < 0) | kept[self.owner])

    def _limit(self, kept: Mask) -> None:
        box = np.zeros(self.owner.size), np.where(self._open(kept), np.inf, 0.0)
        self._solver.changeColsBounds(self.owner.size, np.arange(self.owner.size, dtype=np.int32), *box)

    def _charge(self, cost: Array) -> None:
        self._solver.changeColsCost(cost.size, np.arange(cost.size, dtype=np.int32), cost)

    def _proved(self, multipliers: Array, kept: Mask) -> Array | None:
        """What a proof uses of each kept observation, (o,); None where the multipliers (m,) or () are none."""
        if not multipliers.size:
            return None
        given = np.where(self._open(kept) & (multipliers > NEGLIGIBLE), multipliers, 0.0)
        left, owned = self.columns @ given, self.owner >= 0
        if left[-1] < ENOUGH or (np.abs(left) > ROUNDING * (abs(self.columns) @ given))[:-1].any():
            return None
        return np.asarray(np.bincount(self.owner[owned], given[owned], minlength=self.count), dtype=float)

    def _explained(self, point: Array, kept: Mask) -> bool:
        """Whether unknowns (n + 1,) or () explain the kept observations."""
        if not point.size:
            return False
        slack = self.columns[:-1].T @ point[:-1]
        return bool((slack >= np.where(self._counted > 0, ENOUGH, -AGREES))[self._open(kept)].all())
