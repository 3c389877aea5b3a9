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
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident import planning
from irl_ident.certificates.rows import NEGLIGIBLE, Rows, eliminated, lifted
from irl_ident.environment import Array, Mask
from irl_ident.identified.cone.lifted import Cone
from irl_ident.identified.cone.support import repaired
from irl_ident.identified.optimal import OptimalSet

DENSE_ENTRIES = 2_000_000
"""Programs are written with values eliminated while they have no more entries than this.  Larger ones are left to the
support function's own methods while nothing has been cut."""


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
        used = [(region[place], float(cuts[place])) for place in map(int, np.flatnonzero(cuts))]
        for half, z in used:
            rest[: self.dim] += z * half.normal
        paid = self.tolerances.ties * float(np.maximum(-proof[shown], 0).sum())
        paid -= self.tolerances.strictness * float(np.maximum(proof[worse], 0).sum())
        paid -= sum(z * half.least for half, z in used)
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
