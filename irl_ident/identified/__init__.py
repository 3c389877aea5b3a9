"""The identified set: every reward of a family that is consistent with what was seen.

:func:`~irl_ident.identify` makes it from evidence; :func:`~irl_ident.assess` says before any data what a list of
environments could tell at best; :func:`anything` is the set before any evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident.environment import Environment
from irl_ident.highs import SolverFailed
from irl_ident.identified.ambiguity import name_directions
from irl_ident.identified.base import (
    Assumed,
    Conflict,
    ContradictoryEvidence,
    IdentifiedSet,
    Metric,
    NotIdentified,
    Rationality,
    checked_environments,
)
from irl_ident.identified.confidence.noisy import NoisySet
from irl_ident.identified.confidence.soft import SoftConfidenceSet
from irl_ident.identified.confidence.statements import Ties, checked_share
from irl_ident.identified.observed import System
from irl_ident.identified.optimal import OptimalSet
from irl_ident.identified.report import Ambiguity, Report, Verdict
from irl_ident.identified.shaping_rank import affine_set
from irl_ident.identified.soft import SoftSet, affine_verdict
from irl_ident.identified.tolerated import ToleratedSet
from irl_ident.identified.wording import assumptions, next_step, second_angle
from irl_ident.rewards import RewardFamily

__all__ = [
    "Ambiguity",
    "Assumed",
    "Conflict",
    "ContradictoryEvidence",
    "IdentifiedSet",
    "Metric",
    "NoisySet",
    "NotIdentified",
    "OptimalSet",
    "Rationality",
    "Report",
    "SoftConfidenceSet",
    "SoftSet",
    "SolverFailed",
    "ToleratedSet",
    "Verdict",
    "anything",
    "assess",
    "identify",
]


def identify(
    evidence: Sequence[tuple[Environment, Any]],
    family: RewardFamily,
    rationality: Assumed = "optimal",
    *,
    temperature: float = 1.0,
    error: float | None = None,
    level: float | None = None,
    ties: Ties = "any",
) -> IdentifiedSet:
    """All rewards of a family that are consistent with the evidence.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        At least one; see :mod:`irl_ident.evidence` for the kinds of observation.
    family : RewardFamily
        On the states and actions of every environment.
    rationality : {"optimal", "soft", "noisy"}
        How the agent turns its objective into behaviour: optimal, maximum causal entropy, or optimal with errors.
    temperature : float
        Of the soft-optimal agent, positive; not used for others.
    error : float, optional
        In [0, 1).  For "noisy": the agent takes a random action instead with at most this probability
        (:mod:`irl_ident.identified.confidence.statements`).  For "soft" with a level: a random action was recorded
        instead with just this probability; 0 when not given.
    level : float, optional
        In (0, 1).  For "noisy" (needed) and "soft": the set holds the objective at every time with probability at
        least ``1 - level``.  Without it a soft agent's set is that of the behaviour as if it were known exactly.
    ties : {"any", "even"}
        For "noisy": how the agent chooses among optimal actions.

    Returns
    -------
    OptimalSet, NoisySet, SoftSet or SoftConfidenceSet
        Computed when asked.  Gauge: ``|theta|_inf <= 1`` for optimal and noisy agents; none for soft ones.

    Raises
    ------
    ValueError
        For empty or malformed evidence, another rationality, an error or level that it needs or has no use for, or
        simulators, which have no table of transitions: :func:`irl_ident.simulators.identify_simulator` is for those.

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
      - unvisited (1): R(roof): roof never reached
      - scale (1, which no environment resolves): all rewards times a positive number
    Next
      - observe states not seen so far (R(roof): roof never reached), for instance by other starts
    >>> round(ident.support([-1, 1, 0])[0], 9), round(ident.support([1, -1, 0])[0], 9)
    (2.0, 0.0)
    """
    _refuse_simulators(evidence)
    pairs = tuple(evidence_room.checked(evidence))
    return _made(pairs, family, rationality, temperature, error, level, ties)


def anything(
    family: RewardFamily,
    rationality: Assumed = "optimal",
    *,
    temperature: float = 1.0,
    error: float | None = None,
    level: float | None = None,
    ties: Ties = "any",
) -> IdentifiedSet:
    """The identified set before any evidence: every reward of the family.

    Parameters as for :func:`~irl_ident.identify`.
    """
    return _made((), family, rationality, temperature, error, level, ties)


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
    pairs: tuple[tuple[Environment, Any], ...],
    family: RewardFamily,
    rationality: Assumed,
    temperature: float,
    error: float | None,
    level: float | None,
    ties: Ties,
) -> IdentifiedSet:
    _check_rationality(rationality, temperature, get_args(Assumed))
    for env in {env.digest: env for env, _ in pairs}.values():
        family.matrix(env)
    if rationality == "noisy":
        return NoisySet(family, pairs, **_checked_errors(error, level, ties))
    if rationality == "soft" and level is not None:
        share, record = checked_share("level", level), checked_share("error", error or 0.0, "at least")
        return SoftConfidenceSet(family, pairs, float(temperature), record, share)
    for name, value in (("error", error), ("level", level)):
        if value is not None:
            needed = " without a level" if rationality == "soft" else ""
            raise ValueError(
                f"{name}: was {value!r}, is not used for rationality {rationality!r}{needed}; leave it out"
            )
    if rationality == "optimal":
        return OptimalSet(family, pairs)
    return SoftSet(family, pairs, float(temperature))


def _refuse_simulators(evidence: object) -> None:
    """Say where to go with worlds that can only be tried out: Gymnasium's ids and environments, and simulators."""
    listed = evidence if isinstance(evidence, list | tuple) else [evidence]
    for place, given in enumerate(listed):
        world = given[0] if isinstance(given, list | tuple) and given else given
        if (
            isinstance(world, str)
            or hasattr(world, "step")
            or (hasattr(world, "environment") and hasattr(world, "features"))
        ):
            raise ValueError(
                f"evidence[{place}]: {world!s:.60} has no table of transitions, with which identify compares all "
                "policies; irl_ident.simulators.identify_simulator compares with policies that were tried, and "
                "Environment.from_gymnasium reads a table where there is one"
            )


def _checked_errors(error: float | None, level: float | None, ties: Ties) -> dict[str, Any]:
    if error is None or level is None:
        missing = "error" if error is None else "level"
        raise ValueError(
            f"{missing}: is needed for rationality 'noisy', as in identify(evidence, family, 'noisy', error=0.1, "
            "level=0.05)"
        )
    if ties not in get_args(Ties):
        raise ValueError(f'ties: was {ties!r}, should be "any" or "even"')
    return {"error": checked_share("error", error, "at least"), "level": checked_share("level", level), "ties": ties}


def _check_rationality(rationality: str, temperature: float, known: tuple[str, ...] = get_args(Rationality)) -> None:
    if rationality not in known:
        raise ValueError(f"rationality: was {rationality!r}, should be one of {', '.join(known)}")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: was {temperature!r}, should be finite and positive")


def _whole(env: Environment, family: RewardFamily) -> System:
    nothing = np.zeros((env.n_states, env.n_actions), dtype=bool)
    return System(env, family.matrix(env), nothing, np.ones(env.n_states, dtype=bool), nothing, ())
