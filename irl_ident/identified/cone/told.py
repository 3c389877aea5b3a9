"""Evidence in its smallest parts: what one piece of it says of one state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident.environment import Environment, Mask
from irl_ident.identified.observed import System, with_twins


@dataclass(frozen=True, eq=False)
class Observation:
    """What was seen in one state.

    Attributes
    ----------
    sources : tuple of int
        Positions in the evidence; several only where it takes all of them to say it.
    system : int
        Position of the environment among the systems.
    state : int
    shown, worse : bool (A,)
        Actions that are optimal, and that are known to be worse.
    """

    sources: tuple[int, ...]
    system: int
    state: int
    shown: Mask
    worse: Mask


def observations(systems: Sequence[System], evidence: Sequence[tuple[Environment, Any]]) -> list[Observation]:
    """What was observed, state by state; the same as an earlier piece of evidence says is left out."""
    found: dict[tuple[int, int, bytes], Observation] = {}
    for place, system in enumerate(systems):
        for sources, shown, worse, observed in _parts(system, evidence):
            for state in map(int, np.flatnonzero(observed)):
                key = place, state, np.packbits([shown[state], worse[state]]).tobytes()
                found.setdefault(key, Observation(sources, place, state, shown[state], worse[state]))
    return list(found.values())


def _parts(
    system: System, evidence: Sequence[tuple[Environment, Any]]
) -> Iterator[tuple[tuple[int, ...], Mask, Mask, Mask]]:
    """Sources, shown and worse actions (S, A), and observed states of each piece of evidence by itself.

    All pieces at once where the system says something else than they do one by one, as counts of an agent that errs.
    """
    parts: list[tuple[tuple[int, ...], Mask, Mask, Mask]] = []
    for source in system.sources if len(system.sources) > 1 else ():
        seen = evidence_room.shown(*evidence[source])
        observed = seen.observed[:, None]
        shown = with_twins(system.env, system.features, seen.shown & observed)
        parts.append(((source,), shown, ~shown & observed & seen.complete, seen.observed))
    shown_by_one = np.any([part[1] for part in parts], axis=0)
    worse_by_one = np.any([part[2] for part in parts], axis=0)
    if parts and np.array_equal([shown_by_one, worse_by_one], [system.shown, system.strict]):
        yield from parts
    else:
        yield from _merged(system, {sources: observed for (sources, _, _, observed) in parts})


def _merged(
    system: System, observed: Mapping[tuple[int, ...], Mask]
) -> Iterator[tuple[tuple[int, ...], Mask, Mask, Mask]]:
    """What all pieces say together, states by the sources that saw them."""
    if not observed:
        yield system.sources, system.shown, system.strict, system.observed
        return
    patterns, number = np.unique(np.array(list(observed.values())), axis=1, return_inverse=True)
    for place, pattern in enumerate(patterns.T):
        saw = tuple(source for (source,), mark in zip(observed, pattern, strict=True) if mark)
        states = system.observed & (number.ravel() == place)
        yield saw or system.sources, system.shown, system.strict, states
