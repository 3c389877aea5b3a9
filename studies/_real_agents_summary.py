"""The summary of the study of trained agents in worlds of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studies._real_agents_figure import AGENTS

if TYPE_CHECKING:
    import pandas as pd

OPTIMAL = 1e-6
"""An agent with less regret counts as optimal."""


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """What the behaviour of every learner tells in every world; what remains of the planted proxy."""
    in_worlds = table[table["part"] == "worlds"]
    planted = table[table["part"] == "proxy"]
    agents = {
        name: planted[(planted["learner"] == learner) & (planted["moved"] == moved)]
        for (learner, moved), name in AGENTS.items()
    }
    return {
        "deep_learners": bool((in_worlds["learner"] != "Q-learning").any()),
        "worlds": [
            {"world": world, "learner": learner, "evidence": evidence, **told(own)}
            for (world, learner, evidence), own in in_worlds.groupby(["world", "learner", "evidence"])
        ],
        "planted_proxy": {name: remaining(own) for name, own in agents.items() if len(own)},
    }


def told(own: pd.DataFrame) -> dict[str, Any]:
    """Shares of agents, and the canonical reward of each thing in the mean over those that are explained."""
    each = own.drop_duplicates("replicate")
    optimal = each["regret"] < OPTIMAL
    return {
        "agents": len(each),
        "optimal_in_training": float(optimal.mean()),
        "regret": float(each["regret"].mean()),
        "explained": float(each["explained"].mean()),
        "base_objective_left": float(each["base_left"].mean()),
        "identified_without_the_base_objective": float(
            (each["verdict"].str.startswith("identified") & each["explained"] & ~each["base_left"]).mean()
        ),
        "open_dimensions": float(each["open"].mean()),
        "things": own["thing"].nunique(),
        "open_dimensions_by_state": float(each["open_states"].mean()),
        "states": int(each["states"].iloc[0]),
        "explained_by_state": float(each["explained_by_states"].mean()),
        "canonical_reward": {
            str(thing): {column: number(rows[column].mean()) for column in ("base", "lower", "upper")}
            for thing, rows in own.groupby("thing", sort=False)
        },
    }


def remaining(own: pd.DataFrame) -> dict[str, Any]:
    """Returns, and by strategy and number of further maps what is left."""
    gaps = own[own["measure"] == "gap"]
    returns = own[own["measure"].str.contains(":")]
    return {
        "agents": int(own["replicate"].nunique()),
        "where_agents_would_end": {
            f"{strategy}, {maps:.0f} further maps": {
                str(thing): number(rows["value"].mean()) for thing, rows in at.groupby("thing")
            }
            for (strategy, maps), at in own[own["measure"] == "end"].groupby(["strategy", "maps"])
        },
        "returns": {str(name): float(rows["value"].mean()) for name, rows in returns.groupby("measure")},
        "first_chosen_map_has_goal_moved": {
            str(strategy): float(rows["next_moved"].astype(float).mean())
            for strategy, rows in gaps[gaps["maps"] == 0].groupby("strategy")
        },
        "strategies": {
            str(strategy): {
                "maps": sorted(int(n) for n in rows["maps"].unique()),
                **{
                    column: [
                        number(v) for v in rows.groupby("maps")[column].apply(lambda each: each.astype(float).mean())
                    ]
                    for column in ("explained", "goal_left", "corner_left", "gap_low", "gap_high", "gap_high_with_ties")
                },
            }
            for strategy, rows in gaps.groupby("strategy")
        },
    }


def number(value: float) -> float | None:
    """A number, or None where there is none."""
    return None if np.isnan(value) else float(value)
