"""The identified set: every reward of a family that is consistent with what was seen.

:func:`identify` makes it from evidence; :func:`assess` says before any data what a list of environments could tell at
best; :func:`anything` is the set before any evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident.environment import Environment
from irl_ident.identified.ambiguity import name_directions
from irl_ident.identified.base import (
    Conflict,
    ContradictoryEvidence,
    IdentifiedSet,
    Metric,
    NotIdentified,
    Rationality,
    checked_environments,
)
from irl_ident.identified.observed import System
from irl_ident.identified.optimal import OptimalSet
from irl_ident.identified.report import Ambiguity, Report, Verdict
from irl_ident.identified.shaping_rank import affine_set
from irl_ident.identified.soft import SoftSet, affine_verdict
from irl_ident.identified.wording import assumptions, next_step, second_angle
from irl_ident.rewards import RewardFamily

__all__ = [
    "Ambiguity",
    "Conflict",
    "ContradictoryEvidence",
    "IdentifiedSet",
    "Metric",
    "NotIdentified",
    "OptimalSet",
    "Rationality",
    "Report",
    "SoftSet",
    "Verdict",
    "anything",
    "assess",
    "identify",
]


def identify(
    evidence: Sequence[tuple[Environment, Any]],
    family: RewardFamily,
    rationality: Rationality = "optimal",
    *,
    temperature: float = 1.0,
) -> IdentifiedSet:
    """All rewards of a family that are consistent with the evidence.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        At least one; see :mod:`irl_ident.evidence` for the kinds of observation.
    family : RewardFamily
        On the states and actions of every environment.
    rationality : {"optimal", "soft"}
        How the agent turns its objective into behaviour: optimal, or maximum causal entropy.
    temperature : float
        Of the soft-optimal agent, positive; not used for an optimal one.

    Returns
    -------
    OptimalSet or SoftSet
        Computed when asked.  Gauge: ``|theta|_inf <= 1`` for optimal agents; none for soft ones.

    Raises
    ------
    ValueError
        For empty or malformed evidence, another rationality, or simulators, which have no table of transitions:
        :func:`irl_ident.simulators.identify_simulator` is for those.

    Examples
    --------
    An animal walks from ``left`` to ``right`` and stays there; it was never seen on
    the ``roof``, to which no way leads.

    >>> import numpy as np, irl_ident as ii
    >>> go = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    >>> env = ii.Environment([np.eye(3), go], 0.9, states=["left", "right", "roof"], actions=["stay", "go"])
    >>> seen = ii.evidence.Policy([[0, 1], [1, 0], [0, 0]])
    >>> ident = identify([(env, seen)], ii.rewards.StateRewards(3))
    >>> print(ident.report())
    Assumed
      - rationality: optimal agent, planning without error; all optimal actions were shown in 2
        states
      - rewards: StateRewards with 3 parameters
      - discount: 0.9, known
      - environments: 1, transitions known
    Verdict: a set
      - 1 of 3 dimensions open to experiment
      - 0 ties between shown actions, 2 actions that are no better
    Open directions
      - constant (1, which no environment resolves): the same added to every reward
      - unvisited (1): R(s2): roof never reached
      - scale (1, which no environment resolves): all rewards times a positive number
    Next
      - observe states not seen so far (R(s2): roof never reached), for instance by other starts
    >>> round(ident.support([-1, 1, 0])[0], 9), round(ident.support([1, -1, 0])[0], 9)
    (2.0, 0.0)
    """
    _refuse_simulators(evidence)
    pairs = tuple(evidence_room.checked(evidence))
    return _made(pairs, family, rationality, temperature)


def anything(family: RewardFamily, rationality: Rationality = "optimal", *, temperature: float = 1.0) -> IdentifiedSet:
    """The identified set before any evidence: every reward of the family."""
    return _made((), family, rationality, temperature)


def assess(
    environments: Sequence[Environment],
    family: RewardFamily,
    rationality: Rationality = "optimal",
    *,
    temperature: float = 1.0,
) -> Report:
    """What these environments could tell at best, before any data.

    Parameters
    ----------
    environments : sequence of Environment
        At least one.
    family : RewardFamily
    rationality : {"optimal", "soft"}
        The whole policy of such an agent is taken to be seen in every environment.
    temperature : float
        Of the soft-optimal agent, positive and known.

    Returns
    -------
    Report
        Its open directions are those along which rewards shape in every one of the environments, so that the agent's
        policies, soft or optimal, are the same whatever its objective: for soft-optimal agents just these stay open.
        For optimal agents they are the least: a finite number of environments leaves a cone around the objective
        besides.
    """
    given = checked_environments(environments)
    if not given:
        raise ValueError("environments: should hold at least one environment")
    _check_rationality(rationality, temperature)
    distinct = tuple({env.digest: env for env in given}.values())
    systems = [_whole(env, family) for env in distinct]
    everything = [np.ones(s.features.shape[0], dtype=bool) for s in systems]
    affine = affine_set(
        [
            (s.env.shaping, s.features, np.zeros(s.features.shape[0]), rows)
            for s, rows in zip(systems, everything, strict=True)
        ],
        family.dim,
    )
    found = name_directions(affine.null_basis, family, systems, None)
    dimension = affine.null_basis.shape[1] - sum(a.dimension for a in found if a.representational)
    best: Verdict = "undecided" if not affine.decided else affine_verdict(found, family.dim)
    if rationality == "optimal":
        manner = "optimal agent; its whole policy, all optimal actions, would be seen"
        reasons = [
            "these directions are open whatever the objective is; finitely many environments also leave a cone of full "
            "dimension around a generic one"
        ]
        best = "a set" if best.startswith("identified") else best
        then = "observe the agent there, then rank further candidates with a strategy's score(ident, candidates)"
    else:
        manner = f"maximum causal entropy, temperature {temperature:g}, known; its whole policy would be seen"
        reasons = ["these directions are open whatever the objective is, and no others"]
        then = next_step(found, None)
    return Report(
        verdict=best,
        dimension=dimension,
        ambient_dimension=family.dim,
        singular_values=affine.singular_values,
        tolerance=affine.tolerance,
        gap=affine.gap,
        second_principal_angle=second_angle(distinct),
        ambiguities=found,
        assumptions=assumptions(manner, family, distinct),
        reasons=("before any data, at best", *reasons),
        next_step=then,
    )


def _made(
    pairs: tuple[tuple[Environment, Any], ...], family: RewardFamily, rationality: Rationality, temperature: float
) -> IdentifiedSet:
    _check_rationality(rationality, temperature)
    for env, _ in pairs:
        family.matrix(env)
    if rationality == "optimal":
        return OptimalSet(family, pairs)
    return SoftSet(family, pairs, float(temperature))


def _refuse_simulators(evidence: object) -> None:
    """Say where to go with worlds that can only be tried out: Gymnasium's ids and environments, and simulators."""
    listed = evidence if isinstance(evidence, list | tuple) else [evidence]
    for place, given in enumerate(listed):
        world = given[0] if isinstance(given, list | tuple) and given else given
        if isinstance(world, str) or hasattr(world, "step") or hasattr(world, "environment"):
            raise ValueError(
                f"evidence[{place}]: {world!s:.60} has no table of transitions, with which identify compares all "
                "policies; irl_ident.simulators.identify_simulator compares with policies that were tried, and "
                "Environment.from_gymnasium reads a table where there is one"
            )


def _check_rationality(rationality: str, temperature: float) -> None:
    if rationality not in get_args(Rationality):
        raise ValueError(f"rationality: was {rationality!r}, should be one of {', '.join(get_args(Rationality))}")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: was {temperature!r}, should be finite and positive")


def _whole(env: Environment, family: RewardFamily) -> System:
    nothing = np.zeros((env.n_states, env.n_actions), dtype=bool)
    return System(env, family.matrix(env), nothing, np.ones(env.n_states, dtype=bool), nothing, ())
