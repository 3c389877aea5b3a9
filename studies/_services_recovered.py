"""Whose objective does the last service's behaviour reveal?  What is watched, what is concluded, what is compared.

:func:`watch` alone touches the agent, :func:`conclude` sees what was watched and the catalogue of services that are
on the market, and :func:`compare` alone is told the objectives of all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

import irl_ident as ii
from irl_ident.agents.base import Agent
from irl_ident.agents.services import leaf_actions
from irl_ident.environment import Array, Environment
from irl_ident.identified.optimal import OptimalSet
from irl_ident.rewards import RewardFamily
from studies._services import leaf_name

ASSUMED: tuple[int | None, ...] = (2, 3, 5, None)
"""Horizons that an observer may assume."""

Seen = Sequence[tuple[Environment, Array]]


@dataclass(frozen=True, eq=False)
class Conclusion:
    """What an observer says.

    Attributes
    ----------
    model : str
        The assumed planner: ``"looks 3 ahead"``, ``"optimal"``, or ``"optimal, any reward"``, which looks for
        objectives in the whole family instead of the catalogue.
    explained : bool
        Whether some objective explains all that was seen.
    agreement : float
        Share of the states in which the objective that explains most would do the same, 1 if all; NaN where there is
        none in the family.
    members : int
        How many objectives of the catalogue explain as much.
    theta : array (d,) or None
        The mean of these; in the family the analytic centre.
    """

    model: str
    explained: bool
    agreement: float
    members: int
    theta: Array | None


def watch(agent: Agent, floors: Sequence[Environment]) -> list[tuple[Environment, Array]]:
    """The policy on each floor."""
    return [(env, agent.policy(env)) for env in floors]


def conclude(seen: Seen, catalogue: Array, family: RewardFamily, assumed: int | None) -> Conclusion:
    """The objectives of the catalogue (N, d) that explain most, if the agent looks so far ahead."""
    same = []
    for env, policy in seen:
        states = env.reachable
        acts = leaf_actions(env, family, catalogue, assumed)
        same.append((acts == (policy > 0)).all(axis=2)[:, states])
    agreement = np.concatenate(same, axis=1).mean(axis=1)
    best = agreement == agreement.max()
    top = float(agreement.max())
    return Conclusion(leaf_name(assumed), top == 1, top, int(best.sum()), catalogue[best].mean(axis=0))


def conclude_in_family(seen: Seen, family: RewardFamily) -> Conclusion:
    """The analytic centre of all rewards of the family that explain what was seen, if the agent plans optimally.

    Whether there are any is asked of the hull of the set alone: which observations contradict each other
    (``ident.conflict``) does not matter here, and takes many more linear programs.
    """
    ident = cast(OptimalSet, ii.identify(list(seen), family))
    if (ident.constraints.strict & ident.hull.implicit).any():
        return Conclusion("optimal, any reward", False, float("nan"), 0, None)
    estimate = ii.solvers.AnalyticCenter().fit(list(seen), family)
    return Conclusion("optimal, any reward", True, 1.0, 0, estimate.theta)


def compare(
    said: Conclusion, objectives: Array, family: RewardFamily, floors: Sequence[Environment]
) -> list[dict[str, Any]]:
    """Mean STARC distance of what was recovered to what each layer pursues, a row a layer."""
    rows = []
    for layer, truth in enumerate(objectives):
        distance = float("nan")
        if said.theta is not None:
            distance = float(
                np.mean(
                    [
                        ii.distances.starc(family.reward(env, said.theta), family.reward(env, truth), env)
                        for env in floors
                    ]
                )
            )
        rows.append(
            {
                "model": said.model,
                "explained": said.explained,
                "agreement": said.agreement,
                "members": said.members,
                "layer": layer,
                "distance": distance,
                "true_objective": str(np.round(truth, 6).tolist()),
            }
        )
    return rows
