"""The smallest contradictions in what an optimal agent was seen to do.

A deletion filter (Chinneck & Dravnieks 1991): forget one observed state after another, and keep forgotten what is not
needed for the contradiction.  What remains is irreducible: without any one of its observations the rest has an
explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from irl_ident.environment import Environment
from irl_ident.identified.base import Conflict
from irl_ident.identified.cone.constraints import lifted
from irl_ident.identified.cone.hull import strictness
from irl_ident.identified.observed import System

NEVER_STRICT = 0.5


def find_conflict(systems: Sequence[System], evidence: Sequence[tuple[Environment, Any]], dim: int) -> Conflict:
    """An irreducible set of observations that contradict each other.

    Parameters
    ----------
    systems : sequence of System
        Together without a member.
    evidence : sequence
        What they were made from.
    dim : int
        Number of parameters.
    """
    kept = list(systems)
    for block in _blocks(
        [(place, int(s)) for place, system in enumerate(kept) for s in np.flatnonzero(system.observed)]
    ):
        kept = _without_needless(kept, block, dim)
    observations = tuple(
        (source, int(state))
        for system in kept
        for state in np.flatnonzero(system.observed)
        for source in system.sources
    )
    words = "; ".join(
        f"{_place(system.sources)}, state {system.env.states[state]!r}: "
        f"{_actions(system, system.shown[state])} optimal, {_actions(system, system.strict[state])} worse"
        for system in kept
        for state in np.flatnonzero(system.observed)
    )
    return Conflict(observations, f"these {len(observations)} observations contradict each other: {words}")


def _blocks(items: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Large blocks first, then their parts: a block that is needless is forgotten at once."""
    size = max(1, len(items) // 8)
    return [items[i : i + size] for i in range(0, len(items), size)]


def _without_needless(kept: list[System], block: list[tuple[int, int]], dim: int) -> list[System]:
    trial = list(kept)
    for place, state in block:
        trial[place] = trial[place].without(state)
    if contradictory(trial, dim):
        return trial
    if len(block) == 1:
        return kept
    half = len(block) // 2
    for part in (block[:half], block[half:]):
        kept = _without_needless(kept, part, dim)
    return kept


def contradictory(systems: Sequence[System], dim: int) -> bool:
    """Whether no reward puts every action that is known to be worse below the best."""
    constraints = lifted(systems, dim)
    return bool((strictness(constraints)[constraints.strict] < NEVER_STRICT).any())


def _place(sources: Sequence[int]) -> str:
    return "evidence " + " and ".join(str(source) for source in sources)


def _actions(system: System, mask: np.typing.NDArray[np.bool_]) -> str:
    return "/".join(name for name, marked in zip(system.env.actions, mask, strict=True) if marked) or "none"
