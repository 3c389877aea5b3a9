"""What the study of trained agents found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from studies.wording import series


def findings(summary: Mapping[str, Any]) -> list[str]:
    """What trained agents' behaviour leaves, how often it rules out the truth, and what maps tell of the proxy."""
    rows = summary["worlds"]
    rollouts, policies = ([row for row in rows if row["evidence"] == evidence] for evidence in ("rollouts", "policy"))
    told = [
        f"{len(rows)} pairs of world and learner with their evidence, {sum(row['agents'] for row in rows)} agents: "
        f"what agents do on their way is explained by some objective on things in {_mean(rollouts, 'explained'):.0%} "
        f"of cases, their whole greedy policies in {_mean(policies, 'explained'):.0%}; the objective that they were "
        f"trained on is left in {_mean(rollouts, 'base_objective_left'):.0%} and "
        f"{_mean(policies, 'base_objective_left'):.0%}.",
    ]
    for name, own in summary["planted_proxy"].items():
        greedy = own["strategies"].get("greedy") or next(iter(own["strategies"].values()))
        low, high = ([np.nan if v is None else v for v in greedy[key]] for key in ("gap_low", "gap_high"))
        agents = f"{own['agents']} agent{'s' * (own['agents'] != 1)}"
        told.append(
            f"{name} ({agents}): after {series(greedy['maps'], 'd')} further maps chosen greedily, agents that would "
            f"plan for an objective that is left lose between {_shares(low)} (least) and {_shares(high)} (most) of the "
            "base return on maps with the goal moved."
        )
    return told


def _mean(rows: list[Mapping[str, Any]], key: str) -> float:
    weights = [row["agents"] for row in rows]
    return float(np.average([row[key] for row in rows], weights=weights))


def _shares(values: list[float]) -> str:
    return " / ".join("none is left" if np.isnan(value) else f"{value:.0%}" for value in values)
