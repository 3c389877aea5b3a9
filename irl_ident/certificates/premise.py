"""The objectives that a certificate speaks of, and bounds on linear functions over parts of them.

With the tolerances e for ties and t for strictness, an objective of the premise is a ``theta`` with ``|theta|_inf <=
1`` for which in every observed environment the gap ``V*(s) - Q*(s, a)`` is at most e for actions marked as shown, at
least t for actions marked as worse.  Its optimal values satisfy, with ``slack = B V - Phi theta``,

    0 <= slack <= e  on shown actions,      slack >= t  on worse ones,      slack >= 0  on all others.

A *region* is the premise cut by half-spaces ``g . theta >= k``.  Multipliers y of the rows and z of the half-spaces, at
least 0 but for rows of shown actions, bound a direction w over a region:

    w . theta <= |w - Phi^T y + sum z g|_1 + sum_e H_e |B_e^T y_e|_1 + e sum_shown max(-y, 0) - t sum_worse max(y, 0)
                 - z . k

with ``|V_e| <= H_e``.  The bound holds whatever the multipliers are; a linear program finds good ones.  Only the
multipliers go into the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident import planning
from irl_ident.environment import Array, Mask
from irl_ident.highs import minimise
from irl_ident.identified.lifted import Block, Cone, Indices
from irl_ident.identified.optimal import OptimalSet
from irl_ident.identified.program import SolverFailed
from irl_ident.identified.support import repaired, support, supports

DENSE_ENTRIES = 2_000_000
"""Programs are written with values eliminated while they have no more entries than this.  Larger ones are left to the
support function's own methods while nothing has been cut."""

AROUND = 24
"""So many times, at most, a point of a large premise is moved towards its middle."""

SIMPLEX_UNKNOWNS = 2_000
NEGLIGIBLE = 1e-12
"""Entries of rows, which are scaled to 1, and multipliers below this are 0."""

OPTIONS: dict[str, object] = {
    "run_crossover": "off",
    "small_matrix_value": 1e-12,
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
    "ipm_optimality_tolerance": 1e-8,
}


@dataclass(frozen=True)
class Tolerances:
    """What counts as a tie and what as clearly worse, in units of the largest parameter.

    Parameters
    ----------
    ties : float
        Largest gap of an action that counts as optimal, at least 0.
    strictness : float
        Least gap of an action that is known not to be optimal, at least 0.
    """

    ties: float = 1e-9
    strictness: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("ties", "strictness"):
            value = float(getattr(self, name))
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name}: was {value!r}, should be finite and at least 0")


@dataclass(frozen=True, eq=False)
class Claim:
    """An upper bound on a direction over a region, and its proof.

    Attributes
    ----------
    bound : float
    rows : array (rows of the cone,)
        Multipliers of all observed environments' rows, one environment after the other.
    splits : array (m,)
        Multipliers of the region's half-spaces.
    premise : Premise
    """

    bound: float
    rows: Array
    splits: Array
    premise: Premise

    def fields(self) -> dict[str, Any]:
        """As a certificate's file holds it, in full precision; what is 0 is left out."""
        found: dict[str, Any] = {}
        starts = np.cumsum([0, *(block.shown.size for block in self.premise.cone.blocks)])
        used = np.flatnonzero(self.rows)
        places = np.searchsorted(starts, used, side="right") - 1
        listed = [[int(e), int(row - starts[e]), float(self.rows[row])] for e, row in zip(places, used, strict=True)]
        cuts = [[int(i), float(self.splits[i])] for i in np.flatnonzero(self.splits)]
        if listed:
            found["multipliers"] = listed
        if cuts:
            found["splits"] = cuts
        return found


@dataclass(frozen=True, eq=False)
class HalfSpace:
    """``normal . theta >= least``."""

    normal: Array
    least: float


@dataclass(frozen=True, eq=False)
class Premise:
    """The objectives that a certificate speaks of.

    Parameters
    ----------
    ident : OptimalSet
        Of an optimal agent, or of one that errs.
    tolerances : Tolerances
    guesses : tuple of bool (S, A)
        Actions that are taken to be optimal in states without observation, for each observed environment.  The premise
        is then smaller, and all of its objectives are certain members.
    """

    ident: OptimalSet
    tolerances: Tolerances
    guesses: tuple[Mask, ...] = ()

    def completed(self, theta: Array) -> Premise:
        """The part in which states without observation are left as they are by an optimal agent for ``theta`` (d,)."""
        guesses = []
        for system in self.ident.systems:
            q = planning.optimal(system.env, self.ident.family.reward(system.env, theta)).q
            best = np.arange(q.shape[1]) == q.argmax(axis=1)[:, None]
            guesses.append(best & ~system.known[:, None])
        return Premise(self.ident, self.tolerances, tuple(guesses))

    @property
    def dim(self) -> int:
        """Number of parameters, d."""
        return self.ident.family.dim

    @cached_property
    def cone(self) -> Cone:
        """The Bellman rows of what was seen; it may be empty."""
        systems = self.ident.systems
        guesses = self.guesses or [np.zeros_like(system.shown) for system in systems]
        shown = [system.shown | guess for system, guess in zip(systems, guesses, strict=True)]
        return Cone(
            [system.env.shaping for system in systems],
            [system.features for system in systems],
            shown,
            [marks.any(axis=1) for marks in shown],
            [system.env.discount for system in systems],
            self.dim,
        )

    @cached_property
    def large(self) -> bool:
        """Whether a dense program would be too large."""
        unknowns = self.dim + sum(block.hidden.size for block in self.cone.blocks)
        return sum(block.others.size + block.tied.size for block in self.cone.blocks) * unknowns > DENSE_ENTRIES

    @cached_property
    def worse(self) -> tuple[Mask, ...]:
        """Actions known not to be optimal, (S, A) for each observed environment."""
        return tuple(system.strict for system in self.ident.systems)

    @cached_property
    def program(self) -> Rows:
        """The rows that a solver sees."""
        return lifted(self.cone, self.worse) if self.large else eliminated(self.cone, self.worse)

    @cached_property
    def lift(self) -> sparse.csr_array | None:
        """From multipliers of the program's rows to those of all rows, sparse (rows of the cone, m).

        None where states are without observation: there multipliers have to be mended one by one.
        """
        if (self.program.equal.size and self.program.values) or any(block.hidden.size for block in self.cone.blocks):
            return None
        columns = self.program.origin[:, 0]
        parts = []
        for e, block in enumerate(self.cone.blocks):
            rows = self.program.origin[columns == e, 1]
            unit = np.zeros((block.shown.size, rows.size))
            unit[rows, np.arange(rows.size)] = self.program.scale[columns == e]
            unit[block.chosen] = -block.chosen_balance(block.shaping.T @ unit)
            parts.append(sparse.csr_array(unit))
        return sparse.csr_array(sparse.block_diag(parts, format="csr")) if parts else sparse.csr_array((0, 0))

    @cached_property
    def _weights(self) -> tuple[Any, Array, Mask, Mask, Array]:
        """Transposed rows, sizes of the unknowns, marks of all rows, and the largest value of each row."""
        blocks = self.cone.blocks
        sizes = [np.ones(self.dim), *(np.full(block.known.size, block.value_bound) for block in blocks)]
        shown = [np.zeros(0, bool), *(block.shown.ravel() for block in blocks)]
        worse = [np.zeros(0, bool), *(marks.ravel() for marks in self.worse)]
        reach = [np.zeros(0), *(np.full(block.shown.size, block.value_bound) for block in blocks)]
        joined = [np.concatenate(x) for x in (sizes, shown, worse, reach)]
        return sparse.csr_array(self.cone.rows.T), joined[0], joined[1], joined[2], joined[3]

    def claim(self, direction: Array, rows: Array, region: Sequence[HalfSpace], splits: Array) -> Claim:
        """The bound that multipliers prove for ``direction`` (d,), whatever they are but for signs, which are mended.

        Parameters
        ----------
        direction : array (d,)
        rows : array (m,)
            Of the program.
        region : sequence of HalfSpace
        splits : array (n,)
            Of the region's half-spaces.
        """
        return self.proved(direction, self._lifted(rows), region, splits)

    def proved(self, direction: Array, proof: Array, region: Sequence[HalfSpace], splits: Array) -> Claim:
        """The same for multipliers (rows of the cone,) with the right signs."""
        transposed, sizes, shown, worse, reach = self._weights
        proof = proof.copy()
        proof[np.abs(proof) < NEGLIGIBLE * np.abs(proof).max(initial=1.0)] = 0
        cuts = np.where(splits > NEGLIGIBLE, splits, 0.0)
        rest = transposed @ proof
        rest[: self.dim] += direction
        for half, z in zip(region, cuts, strict=True):
            rest[: self.dim] += z * half.normal
        paid = self.tolerances.ties * float(np.maximum(-proof[shown], 0).sum())
        paid -= self.tolerances.strictness * float(np.maximum(proof[worse], 0).sum())
        paid -= sum(z * half.least for half, z in zip(region, cuts, strict=True))
        rounding = 4e-16 * (1 + float(np.abs(proof) @ reach) + float(cuts.sum()))
        return Claim(float(np.abs(rest) @ sizes) + paid + rounding, proof, cuts, self)

    def _lifted(self, rows: Array) -> Array:
        """Multipliers of all rows of the cone, with the right signs, from those of the program's."""
        if self.lift is not None:
            return np.asarray(self.lift @ np.where(self.program.equal, rows, np.maximum(rows, 0)))
        proofs = []
        for e, block in enumerate(self.cone.blocks):
            given = np.zeros(block.shown.size)
            mine = self.program.origin[:, 0] == e
            given[self.program.origin[mine, 1]] = (rows * self.program.scale)[mine]
            proofs.append(repaired(block, given))
        return np.concatenate([np.zeros(0), *proofs])

    def trivial(self, direction: Array, region: Sequence[HalfSpace] = ()) -> Claim:
        """The bound that the gauge alone gives."""
        nothing = np.zeros(self.cone.rows.shape[0])
        return Claim(float(np.abs(direction).sum()) * (1 + 1e-15), nothing, np.zeros(len(region)), self)


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

    def maximum(self, direction: Array) -> tuple[Claim, Array | None]:
        """A claim on ``direction`` (d,), and where the solver found it reached (None where it found nothing)."""
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
