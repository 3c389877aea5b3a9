"""Irreducible contradictions in what an optimal agent was seen to do.

A deletion filter (Chinneck & Dravnieks 1991) on multipliers (Gleeson & Ryan 1990), which are found in
:mod:`irl_ident.identified.cone.proofs`.  Begin with what a proof of the contradiction uses, and take away first whole
environments, then one observation after another, always those that the last proof uses least; where there is a proof
without them, keep only what that one uses.  What remains is irreducible: without any one of its observations the rest
has an explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from irl_ident.environment import Array, Environment, Mask
from irl_ident.highs import SolverFailed
from irl_ident.identified.base import Conflict
from irl_ident.identified.cone.proofs import Indices, Program
from irl_ident.identified.cone.told import Observation, observations
from irl_ident.identified.observed import System


def find_conflict(systems: Sequence[System], evidence: Sequence[tuple[Environment, Any]], dim: int) -> Conflict:
    """An irreducible set of observations that contradict each other.

    Whether all pieces of evidence are needed that only together say something of a state is not asked.

    Parameters
    ----------
    systems : sequence of System
        Together without a member.
    evidence : sequence
        What they were made from.
    dim : int
        Number of parameters.

    Returns
    -------
    Conflict
        All observations, and not ``irreducible``, where no proof agrees with the rows; some that are not irreducible
        where a smaller set was neither proved to be a contradiction nor explained.
    """
    everything = observations(systems, evidence)
    try:
        kept, irreducible = _filtered(systems, everything, dim)
    except SolverFailed:
        kept, irreducible = everything, False
    merged = any(len(each.sources) > 1 for each in kept)
    told = [(source, each.state) for each in kept for source in each.sources]
    words = "; ".join(_words(systems[each.system], each) for each in kept)
    doubts = ["perhaps not all are needed, or within rounding alone: the solver left it open"] * (not irreducible)
    doubts += ["not all of those that say something only together need be needed"] * merged
    doubt = f" ({'; '.join(doubts)})" if doubts else ""
    explanation = f"these {len(told)} observations contradict each other{doubt}: {words}"
    return Conflict(tuple(told), explanation, irreducible and not merged)


def explained(systems: Sequence[System], evidence: Sequence[tuple[Environment, Any]], dim: int) -> bool:
    """Whether some reward explains all observations, or a proof says that none does; arguments of ``find_conflict``.

    Raises
    ------
    SolverFailed
        Neither was found.
    """
    if not systems:
        return True
    program = Program.of(systems, observations(systems, evidence), dim)
    return program.uses(np.ones(program.count, dtype=bool)) is None


def _filtered(systems: Sequence[System], observed: list[Observation], dim: int) -> tuple[list[Observation], bool]:
    """The observations of an irreducible contradiction; False where one of them may be needless after all."""
    program = Program.of(systems, observed, dim)
    used, _ = _spared(program, program.fewer(_proof(program)), np.array([each.system for each in observed]))
    observed = _kept(observed, program.fewer(used))
    places = sorted({each.system for each in observed})
    few = [replace(each, system=places.index(each.system)) for each in observed]
    program = Program.of([systems[place] for place in places], few, dim)
    used, irreducible = _spared(program, program.fewer(_proof(program)), np.arange(len(few)))
    return _kept(observed, used), irreducible


def _proof(program: Program) -> Array:
    used = program.uses(np.ones(program.count, dtype=bool))
    if used is None:
        raise SolverFailed("what was found to be a contradiction has an explanation: it is one within rounding only")
    return used


def _kept(observed: Sequence[Observation], used: Array) -> list[Observation]:
    return [each for each, much in zip(observed, used, strict=True) if much > 0]


def _spared(program: Program, used: Array, groups: Indices) -> tuple[Array, bool]:
    """Use (o,) of observations in a proof that needs all groups (o,) that it uses; False where that is not sure."""
    needed, sure = np.zeros(groups.max() + 1, dtype=bool), True
    while True:
        open_ = (used > 0) & ~needed[groups]
        if not open_.any() or (groups[open_][0] == groups[used > 0]).all():
            return used, sure
        total = np.bincount(groups[open_], used[open_], minlength=needed.size)
        total[np.bincount(groups[open_], minlength=needed.size) == 0] = np.inf
        least = int(total.argmin())
        try:
            found = program.uses((used > 0) & (groups != least))
        except SolverFailed:
            found, sure = None, False
        if found is None:
            needed[least] = True
        else:
            used = found


def _words(system: System, each: Observation) -> str:
    sources = " and ".join(str(source) for source in each.sources)
    shown, worse = (_actions(system, marks) for marks in (each.shown, each.worse))
    return f"evidence {sources}, state {system.env.states[each.state]!r}: {shown} optimal, {worse} worse"


def _actions(system: System, marked: Mask) -> str:
    return "/".join(name for name, mark in zip(system.env.actions, marked, strict=True) if mark) or "none"
