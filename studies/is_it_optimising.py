"""Is it an optimiser, of what, using what information?

Expected: over one layout a table of what an optimiser does there cannot be told from the optimiser, whatever the score;
over several layouts with one objective for all of them (multi-environment MEG) it can, with an area under the curve
near .968, .995, 1 and 1 over 1, 2, 4 and 8 layouts, as a first try had it; the whole family of rewards on state-action
pairs calls every table a perfect optimiser; only what plans anew adapts, and only its choices carry bits of the layout;
a learner is an optimiser in the layout that it was trained in and a table elsewhere; one objective explains a deceiver
worse than whom it pretends to be.

Refuted if: a frozen map scores below its optimiser in the layout that it comes from; an optimiser is explained no
better than its frozen map over eight layouts; a table has bits of the layout; or random play scores above 0 for any
family.

Worlds: eight layouts of a 4 x 4 grid with two walls and three things that end an episode, slip .1, discount .9; four
more that nobody sees.  Things are worth 0 to 1, the best 1.  Systems: optimal and soft agents; one that sees three
steps ahead; tabular Q-learning, trained in each layout or in the first alone, at checkpoints; a deceiver, which plays
the objective in every second layout and another one in the others; frozen maps of the first layout; tables that are
right as often as an agent is, at random where; a path by heart; one action always; a random table; random play.  A
meta-learned agent is another study's.  Measured: MEG for the true objective, and families of rewards on things, states
and state-action pairs; the share of what is predictable that one objective explains; evidence of an agent rather than
a device; coherence; optimisation power; adaptivity; bits of cell and layout; what optimising the recovered objective
wins in layouts that nobody saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studies import _is_it_optimising as worlds
from studies import _is_it_optimising_figure as drawing
from studies import _is_it_optimising_scores as scores
from studies._is_it_optimising_curves import COUNTS, FIRST_TRY, KINDS, areas
from studies.study import Settings, Task
from studies.wording import series, unmet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from irl_ident.environment import Array

SAME = 1e-6
"""Shares of what is predictable that differ by less are the same."""


def tasks(settings: Settings) -> list[Task]:
    """Layouts and an objective, to tell planners from tables or to profile all systems."""
    curves, profiles = (20, 2) if settings.quick else (24, 20)
    planners = ["optimal", "soft, 0.3"] if settings.quick else ["optimal", "soft, 0.1", "soft, 0.3", "soft, 1"]
    common = {"planners": planners, "every_score": not settings.quick, "counts": list(COUNTS)}
    return [
        {"part": part, "replicate": i, "seed": settings.seed_for(number, i), **common}
        for number, (part, count) in enumerate((("curve", curves), ("profile", profiles)))
        for i in range(count)
    ]


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    found = worlds.worlds(task["seed"])
    rows = (
        curve_rows(found, task)
        if task["part"] == "curve"
        else profile_rows(found, task["seed"]) + learning_rows(found, task["seed"])
    )
    return [row | {"replicate": task["replicate"]} for row in rows]


def curve_rows(found: worlds.Worlds, task: Task) -> list[dict[str, Any]]:
    """Scores of planners and of tables like them, over one layout and more."""
    families = scores.FAMILIES if task["every_score"] else ("things",)
    planned = {name: policies for name, policies in worlds.planners(found).items() if name in task["planners"]}
    compared = {"planner": planned, **worlds.tables(found, planned, task["seed"])}
    rows = []
    for kind, systems in compared.items():
        for name, policies in systems.items():
            first: Array = np.zeros(0)
            for count in task["counts"]:
                row = scores.directed(found, policies, count, families)
                first = np.array(row["recovered"]) if count == 1 else first
                row |= scores.coherent(found, policies, count) | scores.device(found, policies, count)
                row["adaptivity"] = scores.adaptive(found, policies, count, first)
                row["layout_bits"] = scores.layout_bits(found, policies, count)
                rows.append({"part": "curve", "kind": kind, "system": name, **row})
    return rows


def profile_rows(found: worlds.Worlds, seed: int) -> list[dict[str, Any]]:
    """Everything that is measured of every system, over the first layout and over all."""
    systems = worlds.systems(found, seed)
    powers = scores.powerful(found, list(systems.values()), seed)
    rows = []
    for (name, policies), power in zip(systems.items(), powers, strict=True):
        first = scores.directed(found, policies, 1)
        for told in (first, scores.directed(found, policies, worlds.LAYOUTS)):
            recovered, count = np.array(told["recovered"]), told["layouts"]
            told |= scores.coherent(found, policies, count) | scores.device(found, policies, count)
            told["won"] = scores.won(found, found.theta, recovered)
            told["won_own"] = scores.won(found, found.own, recovered)
            told["adaptivity"] = scores.adaptive(found, policies, count, np.array(first["recovered"]))
            told["adaptivity_known"] = scores.adaptive(found, policies, count, found.theta)
            own = power | scores.informed(found, policies) | scores.featured(found, recovered) if count > 1 else {}
            rows.append({"part": "profile", "system": name, **told, **own})
    return rows


def learning_rows(found: worlds.Worlds, seed: int) -> list[dict[str, Any]]:
    """Q-learning in the first layout at checkpoints, as seen there and over all layouts."""
    rows = []
    for steps in worlds.CHECKPOINTS:
        policies = worlds.same_table(found, worlds.q_learning(found, found.layouts[0], steps, seed))
        best = worlds.optimal_actions(found.layouts[0], found.reward(found.layouts[0]))
        right = worlds.accuracy(found.layouts[0], policies[0], best)
        for count in (1, worlds.LAYOUTS):
            told = scores.directed(found, policies, count, ("things",))
            rows.append({"part": "learning", "steps": steps, "accuracy": right, **told})
    return rows


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Areas under the curve, profiles, the learner's course, and in how many cases what was expected held."""
    curve = table[table["part"] == "curve"]
    found = areas(curve)
    return {
        "claims": claims(table, found),
        "areas": found,
        "profile": profile(table[table["part"] == "profile"]),
        "learning": learning(table[table["part"] == "learning"]),
    }


def claims(table: pd.DataFrame, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    curve, profiled = table[table["part"] == "curve"], table[table["part"] == "profile"]
    like = curve[curve["kind"].isin(["planner", "frozen"])]
    wide = like.pivot_table(index=["replicate", "system", "layouts"], columns="kind", values="explained")
    by_count = {count: wide.xs(count, level="layouts") for count in (1, worlds.LAYOUTS)}
    several = curve[(curve["kind"] != "planner") & (curve["layouts"] > 1)]
    deterministic = curve[curve["kind"].isin(["as accurate", "random"]) & (curve["layouts"] == 1)]
    play = profiled[profiled["system"] == "random"]
    shares = profiled[profiled["layouts"] == worlds.LAYOUTS].pivot_table(
        index="replicate", columns="system", values="explained"
    )
    learned = table[(table["part"] == "learning") & (table["steps"] == table["steps"].max())]
    course = learned.pivot_table(index="replicate", columns="layouts", values="explained")
    told: dict[str, Any] = {
        "a frozen map scores as its planner in the layout that it comes from": (
            (by_count[1]["frozen"] - by_count[1]["planner"]).abs() < SAME
        ),
        "one objective explains a planner better than its frozen map over all layouts": (
            by_count[worlds.LAYOUTS]["planner"] > by_count[worlds.LAYOUTS]["frozen"] + SAME
        ),
        "one objective explains all that is predictable of soft planners": (
            curve[(curve["kind"] == "planner")]["explained"] > 1 - SAME
        ),
        "rewards on state-action pairs call a table a perfect optimiser": (
            (deterministic["pairs"] - deterministic["most"]).abs() < SAME * deterministic["most"]
        ),
        "tables have no bits of the layout and do not adapt": (several["layout_bits"] < SAME)
        & ~(several["adaptivity"].abs() > SAME),
        "random play scores 0 for things, cells and the true objective": (
            (play[["things", "cells", "known"]].abs() < SAME).all(axis=1)
        ),
        "a goal that nothing leads to makes random play look like an agent, and leaving it out does not": (
            (play[play["layouts"] == worlds.LAYOUTS]["agent_with_trivial"] > 0.5)
            & (play[play["layouts"] == worlds.LAYOUTS]["agent_probability"] < 0.5)
        ),
        "one objective explains a deceiver worse than the optimal agent": shares["deceiver"] < shares["optimal"] - SAME,
        "a learner is explained better in its layout than over all": course[1] > course[worlds.LAYOUTS] + SAME,
    }
    rows = [{"claim": claim, "held": int(held.sum()), "of": len(held)} for claim, held in told.items()]
    for kind in KINDS:
        own = [row for row in found if row["kind"] == kind and row["score"] == "things"]
        reached = [row["upper"] >= FIRST_TRY[row["layouts"]] for row in own]
        rows.append(
            {
                "claim": f"MEG tells planners from tables ({kind}) as well as the first try, to within the interval",
                "held": sum(reached),
                "of": len(reached),
            }
        )
    return rows


def profile(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over objectives of everything measured, by system and number of layouts."""
    numbers = [name for name in table.columns if table[name].dtype.kind == "f" and table[name].notna().any()]
    rows = []
    for system, own in table.groupby("system", sort=False):
        for count in sorted(own["layouts"].unique().tolist()):
            group = own[own["layouts"] == count]
            finite = group[numbers].replace([np.inf, -np.inf], np.nan)
            means = {name: float(finite[name].mean()) for name in numbers if finite[name].notna().any()}
            none = int((group["coherence"] == -np.inf).sum())
            rows.append({"system": system, "layouts": count, "objectives": len(group), "without_reward": none, **means})
    return rows


def learning(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means at each checkpoint."""
    names = ["accuracy", "things", "pairs", "explained"]
    rows = []
    for steps in sorted(table["steps"].unique().tolist()):
        for count in sorted(table["layouts"].unique().tolist()):
            here = table[(table["steps"] == steps) & (table["layouts"] == count)]
            means = {name: float(here[name].mean()) for name in names}
            rows.append({"steps": int(steps), "layouts": int(count), **means})
    return rows


def findings(summary: Mapping[str, Any]) -> list[str]:
    """How well scores tell planners from tables, what one objective explains, and what did not come out."""
    area = {(row["score"], row["kind"], row["layouts"]): row for row in summary["areas"]}
    alike = [area["things", "as accurate", count] for count in COUNTS]
    frozen = [area["things", "frozen", count] for count in COUNTS]
    share = {(row["system"], row["layouts"]): row["explained"] for row in summary["profile"]}
    objectives = summary["profile"][0]["objectives"]
    return [
        f"Maximum entropy goal-directedness (MEG), one objective shared by {series(COUNTS, 'd')} layouts, tells "
        "planners from tables that are as accurate with an area under the curve of "
        f"{series(row['area'] for row in alike)} ({alike[0]['lower']:.2f} to {alike[0]['upper']:.2f} at one layout; "
        f"{alike[0]['objectives']} objectives), and from their own frozen maps with "
        f"{series(row['area'] for row in frozen)}: in the layout that a map was copied from nothing can tell it from "
        "its planner.",
        f"Over {worlds.LAYOUTS} layouts one objective explains {share['optimal', worlds.LAYOUTS]:.0%} of what is "
        f"predictable of an optimal agent, {share['deceiver', worlds.LAYOUTS]:.0%} of a deceiver, "
        f"{share['learner, in each layout', worlds.LAYOUTS]:.0%} of a learner trained in each layout, "
        f"{share['learner, in the first', worlds.LAYOUTS]:.0%} of one trained in the first alone and "
        f"{share['frozen map', worlds.LAYOUTS]:.0%} of a frozen map (means of {objectives} objectives).",
        *unmet(summary["claims"]),
    ]


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Profiles: is it one, of what, using what; areas under the curve; the learner's course."""
    return drawing.figure(table, summary)
