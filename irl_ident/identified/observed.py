"""Evidence as linear algebra: one system of Bellman rows for each environment that was seen.

For environment ``e`` with features ``Phi`` (S * A, d) and shaping matrix ``B`` (S * A, S), the slack of action ``a`` in
state ``s`` is ``V(s) - Q(s, a) = (B V - Phi theta)[s * A + a]``.  An optimal agent makes it 0 for the actions that it
shows, and at least 0 for all others; more than 0 where it is known that *all* optimal actions were shown.

The system of an observation is kept as long as the observation is: evidence that grows by an environment, as in a
campaign, keeps the systems that it had, and with them what was factorised and solved in each environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from scipy import sparse

from irl_ident import evidence as evidence_room
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.cone.lifted import Block
from irl_ident.rewards import RewardFamily


@dataclass(frozen=True, eq=False)
class System:
    """What was seen in one environment.

    Attributes
    ----------
    env : Environment
    features : sparse (S * A, d)
    shown : bool (S, A)
        Actions that are optimal: those seen, those that are the same as one seen, and all actions of a state in which
        all are the same, seen or not.
    observed : bool (S,)
        States in which something was seen.
    strict : bool (S, A)
        Actions that are known to be worse than optimal.
    sources : tuple of int
        Positions in the evidence that speak of this environment.
    """

    env: Environment
    features: sparse.csr_array
    shown: Mask
    observed: Mask
    strict: Mask
    sources: tuple[int, ...]

    @property
    def known(self) -> Mask:
        """States of which an optimal action is known, (S,)."""
        return np.asarray(self.shown.any(axis=1))

    @cached_property
    def _blocks(self) -> dict[float, Block]:
        return {}

    def block(self, unit: float) -> Block:
        """The rows of this environment in a cone, with features in units of ``unit``; the same object every time."""
        if unit not in self._blocks:
            features = sparse.csr_array(self.features / unit)
            self._blocks[unit] = Block(self.env.shaping, features, self.shown, self.known, self.env.discount)
        return self._blocks[unit]

    def values(self, theta: Array, unit: float) -> Array | None:
        """Values (S,) of shown actions for ``theta`` (d,), by the rows of ``unit``; None if some state shows none."""
        return None if not self.known.all() else unit * self.block(unit).evaluate(theta, np.zeros(0))


def systems(evidence: Sequence[tuple[Environment, Any]], family: RewardFamily) -> tuple[System, ...]:
    """One :class:`System` for each different environment of ``evidence``, in order of appearance."""
    found: dict[str, System] = {}
    for place, (env, observation) in enumerate(evidence):
        new = _system(env, observation, family, place)
        old = found.get(env.digest)
        found[env.digest] = new if old is None else _merged(old, new)
    return tuple(found.values())


_Kept = dict[tuple[str, int], tuple[ReferenceType[RewardFamily], System]]
_kept: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()


def _system(env: Environment, observation: Any, family: RewardFamily, place: int) -> System:
    """The system of one observation; that of the family that was asked for last is kept."""
    known = _kept.setdefault(observation, {})
    asked, system = known.get((env.digest, place), (None, None))
    if asked is None or system is None or asked() is not family:
        seen = evidence_room.shown(env, observation)
        features = family.matrix(env)
        shown = with_twins(env, features, seen.shown & seen.observed[:, None])
        strict = ~shown & seen.observed[:, None] if seen.complete else np.zeros_like(shown)
        system = System(env, features, shown, seen.observed.copy(), strict, (place,))
        known[env.digest, place] = ref(family), system
    return system


def _merged(old: System, new: System) -> System:
    return replace(
        old,
        shown=old.shown | new.shown,
        observed=old.observed | new.observed,
        strict=old.strict | new.strict,
        sources=old.sources + new.sources,
    )


def with_twins(env: Environment, features: sparse.csr_array, shown: Mask) -> Mask:
    """Mark also actions that are the same as a shown one, in successors and features, and all where all are.

    Rows that are the same have the same product with any vector, to the last bit: only those are compared.
    """
    rows = sparse.csr_array(sparse.hstack([env.transitions, features], format="csr"))
    rows.sort_indices()
    products = (rows @ np.random.default_rng(0).random(rows.shape[1])).reshape(shown.shape)
    alike = np.diff(np.sort(products, axis=1), axis=1) == 0
    states = np.flatnonzero(alike.any(axis=1) | alike.all(axis=1))
    numbers: dict[bytes, int] = {}
    places = (states[:, None] * shown.shape[1] + np.arange(shown.shape[1])).ravel()
    spans = zip(rows.indptr[places], rows.indptr[places + 1], strict=True)
    contents = (rows.data[i:j].tobytes() + rows.indices[i:j].tobytes() for i, j in spans)
    keys = np.array([numbers.setdefault(content, len(numbers)) for content in contents]).reshape(-1, shown.shape[1])
    same = keys[:, :, None] == keys[:, None, :]
    marked = shown.copy()
    marked[states] |= (same & shown[states][:, None, :]).any(axis=2) | same.all(axis=(1, 2))[:, None]
    return marked
