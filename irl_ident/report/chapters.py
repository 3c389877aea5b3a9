"""What a report says, chapter by chapter: words, numbers and pictures, before they are laid out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident import figures
from irl_ident.environment import Array, Environment
from irl_ident.identified import IdentifiedSet
from irl_ident.identified.optimal import OptimalSet
from irl_ident.identified.report import Ambiguity
from irl_ident.report.pictures import Painter, Picture, behaviour
from irl_ident.report.ranges import Ranges
from irl_ident.report.wording import KINDS

MOST_DIRECTIONS, MOST_OF_LARGE = 6, 3
"""Directions of one kind that are drawn one by one: of small worlds, and of those with more than 100 states."""

MOST_SHOWN = 6
"""Observations that are drawn."""

MOST_PROGRAMS = 40
"""With more parameters, linear programs are told of along the farthest pair alone."""

PROPORTION = "Red rises while blue falls, in proportion."


@dataclass(frozen=True)
class Observed:
    """One observation: its heading, what it is in words, and its picture."""

    heading: str
    words: str
    picture: Picture | None


@dataclass(frozen=True)
class Opened:
    """The open directions of one kind.

    Attributes
    ----------
    kind, title, meaning : str
    dimension : int
    representational : bool
        Whether no environment resolves them.
    words : tuple of str
    pictures : tuple of Picture
    """

    kind: str
    title: str
    meaning: str
    dimension: int
    representational: bool
    words: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Programs:
    """What linear programs along some directions answered.

    Attributes
    ----------
    directions : str
    count, optimal : int
        How many there were, and how many were solved to the tolerances.
    gap, violation : float
        The largest between certified bounds, and the largest wrong slack.
    """

    directions: str
    count: int
    optimal: int
    gap: float
    violation: float


def observed(ident: IdentifiedSet) -> list[Observed]:
    """What was shown, observation by observation."""
    numbers = {digest: i for i, digest in enumerate(dict.fromkeys(env.digest for env, _ in ident.evidence))}
    found = []
    for place, (env, seen) in enumerate(ident.evidence[:MOST_SHOWN]):
        where = f" in environment {numbers[env.digest] + 1} of {len(numbers)}" if len(numbers) > 1 else ""
        words = sighting(env, seen, ident.rationality)
        found.append(Observed(f"Observation {place}{where}", words, behaviour(env, seen)))
    return found


def sighting(env: Environment, seen: object, rationality: str) -> str:
    """An observation and its environment in one sentence."""
    world = f"{env.n_states} states, {env.n_actions} actions, discount {env.discount:g}"
    if isinstance(seen, evidence_room.Policy):
        states = int(seen.observed.sum())
        shows = "all optimal actions" if seen.shows == "all" else "some of the optimal actions"
        tells = f"; it shows {shows}" if rationality == "optimal" else ""
        return f"A policy, seen in {states} of {env.n_states} states{tells}. The world: {world}."
    counts = evidence_room.counts(env, seen).counts  # type: ignore[arg-type]
    choices, states = int(counts.sum()), int(counts.any(axis=1).sum())
    episodes = f" in {len(seen)} episodes" if isinstance(seen, evidence_room.Trajectories) else ""
    return f"{choices} choices{episodes}, in {states} of {env.n_states} states. The world: {world}."


def opened(ambiguity: Ambiguity, painter: Painter) -> Opened:
    """One kind of open direction, with pictures of single directions, or of all together where there are many."""
    title, meaning = KINDS[ambiguity.kind]
    one_sided = ambiguity.kind == "scale"
    units = ambiguity.basis / np.abs(ambiguity.basis).max(axis=0)
    most = MOST_DIRECTIONS if painter.env.n_states <= figures.RASTERED else MOST_OF_LARGE
    if painter.env.n_actions > 1 and not _same_for_all_actions(painter, units):
        most = max(1, most // painter.env.n_actions)
    titled = list(zip(ambiguity.words, units.T, strict=True))
    pictures: list[Picture] = []
    if len(titled) > most:
        what = f"How far each reward is free to move along these {len(titled)} directions together"
        pictures.append(painter.reach(ambiguity.basis, what, f"{what}: 1 whatever the others are, 0 not at all."))
    elif len(titled) == 1:
        titled = [("", units[:, 0])]
    note = "Every positive multiple of these rewards explains what was seen." if one_sided else PROPORTION
    if len(titled) > most:
        note = f"Some of these directions. {note}"
    pictures += painter.parameters(
        titled,
        "parameter" if one_sided else "change",
        f"{title}: the change of the rewards along {'each direction' if len(titled) > 1 else 'the direction'}",
        signed=True,
        note=note,
        most=most,
    )
    return Opened(
        ambiguity.kind,
        title,
        meaning,
        ambiguity.dimension,
        ambiguity.representational,
        ambiguity.words,
        tuple(pictures),
    )


def limits(painter: Painter, ranges: Ranges) -> list[Picture]:
    """Lowest and highest of each parameter."""
    finite = ranges.intervals[np.isfinite(ranges.intervals)]
    if not finite.size:
        return []
    if not painter.direct or painter.world is None:
        return [painter.intervals(ranges)]
    ends = [("lowest", ranges.intervals[:, 0]), ("highest", ranges.intervals[:, 1])]
    return painter.parameters(
        ends,
        ranges.unit,
        "The lowest and the highest that each reward can be",
        signed=bool((finite < 0).any()),
        note="Where both maps have the same colour, the reward is known.",
    )


def farthest(painter: Painter, ranges: Ranges) -> list[Picture]:
    """The two objectives that are farthest apart."""
    return painter.parameters(
        [("one objective", ranges.pair[0]), ("another", ranges.pair[1])],
        ranges.unit,
        "Two objectives that explain everything that was seen",
        signed=bool(min(member.min() for member in ranges.pair) < -1e-9),
        note="Both explain everything that was seen.",
    )


def contrast(ranges: Ranges) -> str:
    """Where the two objectives that are farthest apart differ most."""
    one, another = ranges.pair
    j = int(np.abs(one - another).argmax())
    return f"They differ most in {ranges.names[j]}, which is {one[j]:.3g} to one and {another[j]:.3g} to the other"


def conflicting(ident: IdentifiedSet) -> list[Observed]:
    """The observations that contradict each other, told and framed on the map."""
    conflict = ident.conflict
    assert conflict is not None
    places: dict[int, list[int]] = {}
    for place, state in conflict.observations:
        places.setdefault(place, []).append(state)
    found = []
    for place, states in list(places.items())[:MOST_SHOWN]:
        env, seen = ident.evidence[place]
        shares = evidence_room.empirical_policy(env, seen)
        told = "; ".join(f"in {env.states[s]} it did {_names(env, np.flatnonzero(shares[s]))}" for s in states[:20]) + (
            f"; and in {len(states) - 20} more states" if len(states) > 20 else ""
        )
        found.append(Observed(f"Observation {place}", f"{told}.", behaviour(env, seen, states)))
    return found


def programs(ident: IdentifiedSet, ranges: Ranges) -> Programs | None:
    """Solve the linear programs of the least and the largest of each parameter; None for sets that need none."""
    if not isinstance(ident, OptimalSet):
        return None
    dim = ident.family.dim
    if dim <= MOST_PROGRAMS:
        directions, words = np.vstack([np.eye(dim), -np.eye(dim)]), "the least and the largest of each parameter"
    else:
        gap = ranges.pair[0] - ranges.pair[1]
        directions, words = np.array([gap, -gap]), "from one of the two farthest objectives to the other, and back"
    answers = [ident.certified_support(direction) for direction in directions]
    return Programs(
        words,
        len(answers),
        sum(answer.status == "optimal" for answer in answers),
        max(answer.gap for answer in answers),
        max(float(answer.violation) for answer in answers),
    )


def _names(env: Environment, actions: Iterable[Any]) -> str:
    return " or ".join(env.actions[int(a)] for a in actions) or "nothing"


def _same_for_all_actions(painter: Painter, directions: Array) -> bool:
    rewards = [painter.family.reward(painter.env, column) for column in directions.T[:MOST_DIRECTIONS]]
    return all((np.ptp(reward, axis=1) == 0).all() for reward in rewards)
