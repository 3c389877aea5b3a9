"""The only place that compares an estimate with the truth.

Everything else in the library sees evidence; :func:`~irl_ident.score` is told the agent itself, with the mesa-objective
that it pursues.  It puts side by side how far the estimated reward is from the true one (:mod:`irl_ident.distances`),
what is lost by optimising it, and how far the predicted behaviour is from the real one:

    ``distance of policies = sum_s x(s) / (sum x) * 1/2 sum_a |pi^(a|s) - pi(a|s)|``,

x the occupancy of the agent's own policy pi, so that states where the agent never is do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from irl_ident import distances, planning
from irl_ident.agents.base import Agent
from irl_ident.distances import OptimisedRegret, RewardResultGap
from irl_ident.distances.losses import Judge
from irl_ident.distances.vectors import pair_reward_of
from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import policy_on
from irl_ident.solvers.base import Estimate, NoReward

Measured = TypeVar("Measured")

DYNAMICS_BLIND = "EPIC does not see dynamics: it can tell apart rewards that are the same objective here; prefer STARC"
UNSOUND = (
    "EPIC is not sound here, where transitions are stochastic: it can be near 1 for the same objective and near 0 for "
    "opposite ones; prefer STARC"
)

UNKNOWN = "not known"


@dataclass(frozen=True)
class Score:
    """An estimate against the truth in one environment.

    Attributes
    ----------
    starc, starc_minimal : float or None
        STARC distance of the estimated reward from the mesa-objective, in [0, 2], in the canonical forms ``"val"``
        (uniform policy) and ``"minimal"``.  This and the next three are None for estimates without a reward, and where
        rounding hides them, as of rewards that are all but shaping; the notes say which.
    epic, dard : float or None
        In [0, 1], under uniform coverage.
    regret : OptimisedRegret or None
        Of optimising the estimated reward, judged by the mesa-objective.
    policy_regret : float
        Of the estimate's own policy, judged by the mesa-objective, in [0, 1].
    policy_distance : float
        Mean total variation between the estimate's policy and the agent's where the agent is, in [0, 1].
    gap, predicted_gap : RewardResultGap or None
        Of the agent, and of the estimate in its place, under the base objective; None when there was none given.
    notes : tuple of str
        What to keep in mind when reading these numbers.
    """

    starc: float | None
    starc_minimal: float | None
    epic: float | None
    dard: float | None
    regret: OptimisedRegret | None
    policy_regret: float
    policy_distance: float
    gap: RewardResultGap | None
    predicted_gap: RewardResultGap | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            ("STARC, in [0, 2]", _pair(self.starc, "val", self.starc_minimal, "minimal")),
            ("DARD, EPIC, in [0, 1]", _pair(self.dard, "DARD", self.epic, "EPIC")),
            ("regret of optimising it", UNKNOWN if self.regret is None else str(self.regret)),
            ("regret of its policy", f"{self.policy_regret:.4f}"),
            ("distance of policies", f"{self.policy_distance:.4f}"),
        ]
        if self.gap is not None and self.predicted_gap is not None:
            lines.append(("reward-result gap", f"{self.gap.regret:.4f}, predicted {self.predicted_gap.regret:.4f}"))
        return "\n".join([f"{name:<24} {value}" for name, value in lines] + [f"note: {note}" for note in self.notes])


def score(estimate: Estimate, agent: Agent, env: Environment, *, base_objective: npt.ArrayLike | None = None) -> Score:
    """Compare an estimate with the agent that it is an estimate of.

    Parameters
    ----------
    estimate : Estimate
        Anything with ``policy(env)`` and ``reward(env)``; the latter may raise
        :class:`irl_ident.solvers.base.NoReward`.
    agent : Agent
        With a known objective: ``policy(env)`` and ``mesa_objective(env)``.
    env : Environment
        Where to compare: one that the estimate was made in, or a new one.
    base_objective : array (S, A), optional
        What the agent was meant to pursue.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        The estimate has no policy or reward to ask for; the agent's objective is not known; a reward or policy has the
        wrong shape or is not finite.
    ArithmeticError
        Rounding hides how much is to lose by the agent's own objective, as of one that is all but shaping.
    """
    for verb in ("policy", "reward"):
        if not callable(getattr(estimate, verb, None)):
            raise ValueError(
                f"estimate: should have policy(env) and reward(env), {type(estimate).__name__} has no {verb}"
            )
    objective = getattr(agent, "mesa_objective", None)
    if objective is None:
        raise ValueError(
            f"agent: should have a known mesa_objective(env) to compare with, {type(agent).__name__} has none"
        )
    truth = pair_reward_of("agent.mesa_objective(env)", objective(env), env)
    real, predicted = policy_on(env, agent.policy(env)), policy_on(env, estimate.policy(env))
    judge = Judge.of("agent.mesa_objective(env)", truth, env)
    gaps: tuple[RewardResultGap | None, RewardResultGap | None] = None, None
    if base_objective is not None:
        base = Judge.of("base_objective", base_objective, env)
        gaps = base.gap(real), base.gap(predicted)
    own = {"policy_regret": judge.regret(predicted), "policy_distance": _policy_distance(env, real, predicted)}
    try:
        reward = pair_reward_of("estimate.reward(env)", estimate.reward(env), env)
    except NoReward as error:
        return Score(None, None, None, None, None, **own, gap=gaps[0], predicted_gap=gaps[1], notes=(str(error),))
    notes = [DYNAMICS_BLIND if _deterministic(env) else UNSOUND]

    def decided(name: str, measure: Callable[[], Measured]) -> Measured | None:
        try:
            return measure()
        except ArithmeticError as error:
            notes.append(f"{name}: {error}")
            return None

    return Score(
        starc=decided("STARC (val)", lambda: distances.starc(reward, truth, env, "val")),
        starc_minimal=decided("STARC (minimal)", lambda: distances.starc(reward, truth, env, "minimal")),
        epic=decided("EPIC", lambda: distances.epic(reward, truth, env)),
        dard=decided("DARD", lambda: distances.dard(reward, truth, env)),
        regret=decided("optimising it", lambda: judge.optimising(reward)),
        **own,
        gap=gaps[0],
        predicted_gap=gaps[1],
        notes=tuple(notes),
    )


def _policy_distance(env: Environment, real: Array, predicted: Array) -> float:
    visits = planning.occupancy(env, real).sum(axis=1)
    return float(visits @ np.abs(real - predicted).sum(axis=1) / (2 * visits.sum()))


def _deterministic(env: Environment) -> bool:
    return bool((np.diff(env.transitions.indptr) == 1).all())


def _pair(first: float | None, one: str, second: float | None, other: str) -> str:
    shown = [UNKNOWN if value is None else f"{value:.4f}" for value in (first, second)]
    return UNKNOWN if shown == [UNKNOWN] * 2 else f"{shown[0]} ({one}), {shown[1]} ({other})"
