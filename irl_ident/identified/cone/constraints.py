"""The cone of rewards that explain optimal behaviour, as equations and inequalities.

Unknowns are ``x = (theta, rest)``.  In the **lifted** form the rest is one value function an environment, and the rows
are as sparse as the transitions: with ``slack = B V - Phi theta``,

    slack = 0 on shown actions,    slack >= 0 on every other action,    slack >= 0 everywhere in unobserved states.

The **reduced** form solves the rows of one shown action a state for the values, ``V = (I - g P_pi)^-1 Phi_pi theta``,
and keeps only values of unobserved states that observed ones can reach; rows are then those of Ng & Russell (2000),
dense.

Values of unobserved states are bounded from below by the Bellman inequality alone.  That is exact when the observed
states are closed under the shown actions, because a larger value only tightens the other rows; otherwise the cone is an
outer relaxation: it holds every consistent reward, and perhaps some that are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from irl_ident.environment import Mask
from irl_ident.identified.observed import System
from irl_ident.planning.refining import extended
from irl_ident.transitions import visited

Indices = npt.NDArray[np.int64]

ROUNDING = 0.25
"""Entries of reduced rows below this times the rounding of the largest term in their sum are 0."""

NEGLIGIBLE_ROW = 256
"""Reduced rows with no entry above this times the rounding of their largest term are rows of 0, and say nothing."""

EXTENDED_ENTRIES = 4_000_000
"""Up to so many entries reduced rows are computed in extended precision: near ties they are small differences."""

REFINED = 3
"""Solves in double precision, each of what the ones before left over, that give values in extended precision."""


@dataclass(frozen=True, eq=False)
class Constraints:
    """``equal @ x = 0`` and ``at_least @ x >= 0``, rows scaled to largest entry 1.

    Attributes
    ----------
    equal : sparse (m, n)
    at_least : sparse (l, n)
    strict : bool (l,)
        Rows that are known to be above 0.
    origin : int (l, 2)
        System and row ``s * A + a`` that each inequality comes from.
    dim : int
        The first ``dim`` of the n unknowns are ``theta``.
    noise : float
        Entries of the rows are right to within this.
    lost : bool
        Whether a row that is known to be above 0 cannot be told from rounding.
    """

    equal: sparse.csr_array
    at_least: sparse.csr_array
    strict: Mask
    origin: Indices
    dim: int
    noise: float = 0.0
    lost: bool = False

    @property
    def unknowns(self) -> int:
        """Number of unknowns, n."""
        return int(self.at_least.shape[1])


def lifted(systems: Sequence[System], dim: int) -> Constraints:
    """The sparse form: unknowns ``(theta, V_1, ..., V_k)``."""
    blocks = []
    for place, system in enumerate(systems):
        before = sum(other.env.n_states for other in systems[:place])
        after = sum(other.env.n_states for other in systems[place + 1 :])
        rows = system.features.shape[0]
        empty = [sparse.csr_array((rows, before)), sparse.csr_array((rows, after))]
        blocks.append(sparse.hstack([-system.features, empty[0], system.env.shaping, empty[1]], format="csr"))
    return _collected(systems, [sparse.csr_array(block) for block in blocks], dim)


def reduced(systems: Sequence[System], dim: int) -> Constraints:
    """The dense form: unknowns ``(theta, values of unobserved states within reach)``."""
    unsure, lost = 0.0, False
    hidden = [np.flatnonzero(visited(s.env.transitions, s.observed) & ~s.known).astype(np.int64) for s in systems]
    total = dim + sum(states.size for states in hidden)
    blocks, start = [], dim
    kind = np.longdouble if total * sum(s.features.shape[0] for s in systems) <= EXTENDED_ENTRIES else np.float64
    for system, states in zip(systems, hidden, strict=True):
        bellman, features = _bellman(system, kind), system.features.toarray().astype(kind)
        values = _values(system, bellman, features, states, np.arange(start, start + states.size), total)
        slack = bellman @ values
        slack[:, :dim] -= features
        terms = abs(bellman) @ np.abs(values)
        terms[:, :dim] += np.abs(features)
        noise = np.finfo(kind).eps * (terms + 2 * np.finfo(kind).eps * np.abs(values).max(axis=0, initial=0))
        slack[np.abs(slack) <= ROUNDING * noise] = 0
        largest, loudest = np.abs(slack).max(axis=1), noise.max(axis=1)
        slack[largest <= NEGLIGIBLE_ROW * loudest] = 0
        unreachable = ~system.known
        unreachable[states] = False
        slack[np.repeat(unreachable, system.env.n_actions)] = 0
        kept = np.abs(slack).max(axis=1) > 0
        unsure = max(unsure, float((loudest[kept] / largest[kept]).max(initial=0)))
        lost |= bool(((system.strict & ~system.shown).ravel() & ~kept & (largest > 0)).any())
        if system.env.transitions.data.min() < np.finfo(float).eps:
            lost |= bool(
                (np.repeat(system.known, system.env.n_actions) & ~kept).reshape(system.shown.shape)[:, 1:].any()
            )
        size = np.where(kept, largest, 1)
        blocks.append(sparse.csr_array((slack / size[:, None]).astype(float)))
        start += states.size
    return replace(_collected(systems, blocks, dim), noise=unsure, lost=lost)


def _bellman(system: System, kind: type[np.floating[Any]]) -> sparse.csr_array:
    """``B`` of an environment; in extended precision from the transitions, not from rounded products."""
    if kind is np.float64:
        return system.env.shaping
    count, width = system.features.shape[0], system.env.n_actions
    own = np.arange(count) // width
    ones = sparse.csr_array((np.ones(count, kind), own, np.arange(count + 1)), shape=(count, system.env.n_states))
    return sparse.csr_array(ones - extended(system.env))


def _values(
    system: System, bellman: sparse.csr_array, features: npt.NDArray[Any], hidden: Indices, columns: Indices, total: int
) -> npt.NDArray[Any]:
    """Each state's value as a linear map of the unknowns, (S, n), refined in the precision of ``bellman``."""
    env, seen = system.env, np.flatnonzero(system.known)
    chosen = seen * env.n_actions + system.shown[seen].argmax(axis=1)
    rows = sparse.csr_array(bellman[chosen])
    values = np.zeros((env.n_states, total), dtype=bellman.dtype)
    values[hidden, columns] = 1
    if seen.size:
        known = np.zeros((seen.size, total), dtype=bellman.dtype)
        known[:, : features.shape[1]] = features[chosen]
        size = np.maximum(np.abs(known).max(axis=0), 1e-300)
        factor = splu(sparse.csc_array(rows[:, seen].astype(float)))
        for _ in range(1 if bellman.dtype == np.float64 else REFINED):
            missing = (known - rows @ values) / size
            values[seen] += factor.solve(missing.astype(float)) * size
    return values


def _collected(systems: Sequence[System], blocks: Iterable[sparse.csr_array], dim: int) -> Constraints:
    equal, at_least, strict, origin = [], [], [], []
    unknowns = dim
    for place, (system, block) in enumerate(zip(systems, blocks, strict=True)):
        unknowns = block.shape[1]
        largest = abs(block).max(axis=1).toarray().ravel() if block.nnz else np.zeros(block.shape[0])
        scaled = sparse.csr_array(sparse.diags_array(1 / np.where(largest > 0, largest, 1)) @ block)
        shown, must = system.shown.ravel(), system.strict.ravel()
        equal.append(scaled[shown & (largest > 0)])
        kept = np.flatnonzero((~shown & (largest > 0)) | must)
        at_least.append(scaled[kept])
        strict.append(must[kept])
        origin.append(np.column_stack([np.full(kept.size, place), kept]))
    if not equal:
        nothing = sparse.csr_array((0, unknowns))
        return Constraints(nothing, nothing, np.zeros(0, bool), np.zeros((0, 2), np.int64), dim)
    return Constraints(
        sparse.csr_array(sparse.vstack(equal, format="csr")),
        sparse.csr_array(sparse.vstack(at_least, format="csr")),
        np.concatenate(strict),
        np.concatenate(origin).astype(np.int64),
        dim,
    )
