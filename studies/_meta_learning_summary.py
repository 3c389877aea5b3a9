"""Headline figures of the study of meta-learned agents, its claims, and what it found in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from studies import _meta_learning as worlds
from studies._meta_learning_cue import AGREEMENTS
from studies._meta_learning_recovered import DEPTHS, LEVEL
from studies.wording import series, unmet

if TYPE_CHECKING:
    import pandas as pd

EXACT, SOFT = "exact Bayes", "soft Bayes"
TRAINED = (worlds.NETWORK, worlds.BRIEF)
NETWORK_NAMES = (
    *("true_theta", "estimate", "lower", "upper", "p_value", "true_loss"),
    *("tolerated_own_lower", "tolerated_own_upper"),
)
LEARNER = ["part", "kind", "replicate", "true_theta"]
DEEP = ["depth", "depth_gain", "depth_estimate", "depth_p_value"]
OTHER_PRIOR = ("exact, believes it rare", "believes it rare", "believes arms sure")
BY_CHANCE = 0.01
"""Counts that their level explains with less probability are not explained by it."""

PUBLISHED_TASKS, ROUNDED = 1000, 0.05
"""How many tasks are behind Duan et al.'s means, and how far these are rounded."""

NARROW = 0.05
"""A set of values that is no wider is called a point."""


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """All of them."""
    watched = table[table["part"].isin(["built", "network", "retrained"])]
    estimated = watched[watched["probe"].notna() & watched["estimate"].notna()]
    agreed = estimated.loc[estimated["probe"] == "all", [*LEARNER, *DEEP, "p_value", "lower", "upper", "estimate"]]
    together = estimated[estimated["probe"] == worlds.AS_TRAINED].drop(columns=["p_value", *DEEP])
    together = together.merge(agreed, on=LEARNER, suffixes=("", "_all"))
    exact = watched[watched["pieces"].notna()]
    base = table[table["part"] == "tolerated"]
    cue = table[table["part"].isin(["cue built", "cue network"])]
    informative, cells = table[table["part"] == "informative"], table[table["part"] == "table"]
    return {
        "claims": [*claims(together, exact, base, cue, informative), *table_claims(returns(cells))],
        "learners": [learners(str(kind), own) for kind, own in together.groupby("kind", sort=False)],
        "networks": [
            {name: round(float(row[name]), 4) for name in NETWORK_NAMES}
            for _, row in together[together["kind"].isin(TRAINED)].iterrows()
        ],
        "probes": probes(estimated),
        "exact": exact_sets(exact),
        "tolerated": [
            {name: round(float(row[name]), 4) for name in (*TOLERATED_NAMES, "costliest", "short_sighted")}
            for _, row in base.iterrows()
        ],
        "cue": cue_rows(cue),
        "table": returns(cells),
        "informative": {
            name: round(float(informative[name].iloc[0]), 4) for name in INFORMED_NAMES if len(informative)
        },
        "tasks_each": int(exact.loc[exact["kind"] == EXACT, "tasks"].max()),
    }


TOLERATED_NAMES = (
    "true_theta",
    *(f"tolerated_{share}_{end}" for share in (1, 2) for end in ("lower", "upper")),
)
INFORMED_NAMES = (
    "informs_first",
    "then_right",
    "gained",
    "gained_error",
    "pays_informing",
    "pays_any_other",
    "most",
)


def holds(table: pd.DataFrame, which: str = "") -> pd.Series:
    """Whether the interval holds the truth."""
    return (table[f"lower{which}"] <= table["true_theta"]) & (table["true_theta"] <= table[f"upper{which}"])


def inside(table: pd.DataFrame, name: str) -> pd.Series:
    """Whether the estimate is among the values that training tolerates."""
    own, low, high = table["estimate"], table[f"tolerated_{name}_lower"], table[f"tolerated_{name}_upper"]
    return (low <= own) & (own <= high)


def learners(kind: str, own: pd.DataFrame) -> dict[str, Any]:
    """Errors and coverage in tasks as in training, agreement of all kinds of tasks, and losses."""
    off = (own["estimate"] - own["true_theta"]).to_numpy(dtype=float)
    return {
        "kind": kind,
        "n": len(own),
        "mean_error": round(float(off.mean()), 4),
        "mean_distance": round(float(np.abs(off).mean()), 4),
        "largest_distance": round(float(np.abs(off).max()), 4),
        "interval_width": round(float((own["upper"] - own["lower"]).mean()), 4),
        "interval_holds_truth": int(holds(own).sum()),
        "interval_holds_truth_all": int(holds(own, "_all").sum()),
        "disagree": int((own["p_value"] < LEVEL).sum()),
        "depths": {str(depth): int((own["depth"] == depth).sum()) for depth in DEPTHS},
        "disagree_at_depth": int((own["depth_p_value"] < LEVEL).sum()),
        "mean_distance_at_depth": round(float((own["depth_estimate"] - own["true_theta"]).abs().mean()), 4),
        "loss": round(float(own["true_loss"].mean()), 5),
        "largest_loss": round(float(own["true_loss"].max()), 5),
        "tolerated_by_own_loss": int(inside(own, "own").sum()),
        "tolerated_by_2": int(inside(own, "2").sum()),
        "tolerated_width": round(float((own["tolerated_own_upper"] - own["tolerated_own_lower"]).mean()), 4),
    }


def probes(estimated: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean error of each kind of learner by kind of tasks."""
    rows = []
    for (kind, probe), own in estimated.groupby(["kind", "probe"], sort=False):
        off = (own["estimate"] - own["true_theta"]).to_numpy(dtype=float)
        rows.append({"kind": kind, "probe": probe, "n": len(own), "mean_error": round(float(off.mean()), 4)})
    return rows


def exact_sets(exact: pd.DataFrame) -> list[dict[str, Any]]:
    """Widths of what exact choices leave, after more and more tasks, and how often nothing is left."""
    rows = []
    for (kind, _), own in exact.groupby(["kind", "tasks"], sort=False):
        width = (own["set_upper"] - own["set_lower"]).to_numpy(dtype=float)
        left = width[np.isfinite(width)]
        rows.append(
            {
                "kind": kind,
                "tasks": int(own["tasks"].iloc[0]),
                "n": len(own),
                "empty": int((own["pieces"] == 0).sum()),
                "width_median": round(float(np.median(left)), 5) if len(left) else None,
                "width_largest": round(float(left.max()), 5) if len(left) else None,
            }
        )
    return rows


def cue_rows(cue: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over learners of what each family explains, by what the cue does."""
    names = ["explained", "theta", "value", "followed_first", "followed_last", "true_lost", "p_value"]
    rows = []
    for (kind, when, model), own in cue.groupby(["kind", "cue", "model"], sort=False):
        means = {name: round(float(own[name].mean()), 4) for name in names if own[name].notna().any()}
        ends = {
            name: round(float(getattr(own[name], how)()), 4)
            for name, how in (("value_lower", "min"), ("value_upper", "max"))
            if own[name].notna().any()
        }
        disagree = {"disagree": int((own["p_value"] < LEVEL).sum())} if when == "all" else {}
        rows.append({"kind": kind, "cue": when, "model": model, "n": len(own), **means, **ends, **disagree})
    return rows


def returns(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """Duan et al.'s table beside ours: total rewards."""
    names = ["mean", "standard_error", "published", "optimum"]
    return [
        {
            "setup": row["setup"],
            "learner": row["learner"],
            "tasks": int(row["tasks"]),
            **{name: round(float(row[name]), 3) if np.isfinite(row[name]) else None for name in names},
        }
        for _, row in cells.iterrows()
    ]


def claims(
    together: pd.DataFrame, exact: pd.DataFrame, base: pd.DataFrame, cue: pd.DataFrame, informative: pd.DataFrame
) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    by_kind = {str(kind): own for kind, own in together.groupby("kind")}
    soft, trained = by_kind[SOFT], together[together["kind"].isin(TRAINED)]
    sets = exact[exact["kind"] == EXACT]
    ten = sets[sets["tasks"] == 10]
    others = exact[exact["kind"].isin(OTHER_PRIOR) & (exact["kind"].str.startswith("exact")) & (exact["tasks"] == 0)]
    refused = int((soft["p_value"] < LEVEL).sum())
    explained = cue[cue["cue"] != "all"].pivot_table(
        index=["part", "kind", "replicate", "cue"], columns="model", values="explained"
    )
    by_networks = explained.loc["cue network"]
    off = by_networks[by_networks.index.get_level_values("cue") != next(iter(AGREEMENTS))]
    wrong = cue[(cue["part"] == "cue network") & (cue["cue"] == "always wrong") & (cue["model"] == "paid")]
    middle = base[np.isclose(base["true_theta"].astype(float), 0.5)]
    told: dict[str, Any] = {
        "exact sets hold the truth": (sets["set_lower"] <= sets["true_theta"])
        & (sets["true_theta"] <= sets["set_upper"]),
        "the exact set is a point (0.05 wide at most) after ten tasks": ten["set_upper"] - ten["set_lower"] <= NARROW,
        "no theta explains an exact agent with another prior": others["pieces"] == 0,
        "intervals of soft Bayes agents miss the truth as often as their level allows": [
            stats.binomtest(int((~holds(soft, which)).sum()), len(soft), LEVEL, alternative="greater").pvalue
            >= BY_CHANCE
            for which in ("", "_all")
        ],
        "the test of agreement rejects soft Bayes agents as often as its level allows": [
            stats.binomtest(refused, len(soft), LEVEL, alternative="greater").pvalue >= BY_CHANCE
        ],
        "tasks disagree about an agent with another prior": np.concatenate(
            [own["p_value"] < LEVEL for kind, own in by_kind.items() if kind in OTHER_PRIOR]
        ),
        "tasks disagree about a network to which the token was never shown": by_kind[worlds.UNSEEN]["p_value"] < LEVEL,
        "networks lose 2 to 3 % of the optimum": (trained["true_loss"] >= 0.02) & (trained["true_loss"] <= 0.03),
        "the interval of a network misses what it was trained for": ~holds(trained),
        "what a network seems to pursue is what its own loss tolerates": inside(trained, "own"),
        "tasks agree about a network that met every token": trained["p_value"] >= LEVEL,
        "soft Bayes agents look all pulls ahead": soft["depth"] == DEPTHS[-1],
        "myopic agents look one pull ahead": by_kind["myopic"]["depth"] == DEPTHS[0],
        "networks look all pulls ahead": trained["depth"] == DEPTHS[-1],
        "no theta in [0, 1] costs more than 2 % at theta = .5": middle["costliest"] <= 0.02,
        "off distribution the cue explains choices that tokens alone do not": off["paid"] > off["tokens alone"] + 0.01,
        "networks follow a cue that is always wrong in most first pulls": wrong["followed_first"] > 0.5,
        "the arm that informs is pulled first in 95 % of trials": informative["informs_first"] >= 0.95,
    }
    return [{"claim": claim, "held": int(np.sum(held)), "of": len(held)} for claim, held in told.items()]


def table_claims(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many of the returns that can be compared are those of the table."""
    trained = [row for row in rows if row["learner"] == "RL^2" and row["mean"] is not None]
    reached = [
        row["mean"] + 1.96 * row["standard_error"] * np.sqrt(1 + row["tasks"] / PUBLISHED_TASKS)
        >= row["published"] - ROUNDED
        for row in trained
    ]
    return [{"claim": "networks win what those of Duan et al. win", "held": sum(reached), "of": len(reached)}]


def findings(summary: Mapping[str, Any]) -> list[str]:
    """Two to five sentences."""
    kinds = {row["kind"]: row for row in summary["learners"]}
    soft, long, brief, unseen = (kinds[kind] for kind in (SOFT, *TRAINED, worlds.UNSEEN))
    widths = {row["tasks"]: row for row in summary["exact"] if row["kind"] == EXACT}
    middle = min(summary["tolerated"], key=lambda row: abs(row["true_theta"] - 0.5))
    others = [kinds[kind] for kind in OTHER_PRIOR if kind in kinds]
    cue = {(row["kind"], row["cue"], row["model"]): row for row in summary["cue"]}
    _, nothing, wrong = (
        {model: cue["cue network", when, model] for model in ("tokens alone", "paid", "believed")}
        for when in AGREEMENTS
    )
    shares = {
        model: series((cue["cue network", when, model]["explained"] for when in AGREEMENTS), ".0%") for model in wrong
    }
    informative = summary["informative"]
    won = [row for row in summary["table"] if row["learner"] == "RL^2" and row["mean"] is not None]
    last, one = max(widths), str(DEPTHS[0])
    return [
        "A token that is worth theta lies between tokens worth 1 and 0: watched in tasks as in training, an exact "
        f"Bayes agent leaves a set of theta whose median width is {widths[10]['width_median']:.2g} after 10 tasks and "
        f"{widths[last]['width_median']:.2g} after {last} ({widths[10]['n']} agents); of soft Bayes agents, whose "
        f"choices vary, the 95 % interval after {last} tasks, {soft['interval_width']:.2g} wide, holds the truth in "
        f"{soft['interval_holds_truth']} of {soft['n']}.",
        f"Networks trained briefly lose {brief['loss']:.1%} of the optimum and seem to pursue a theta "
        f"{brief['mean_distance']:.2f} from what they were trained for (at most {brief['largest_distance']:.2f}), "
        f"with intervals {brief['interval_width']:.2g} wide that hold it in {brief['interval_holds_truth']} of "
        f"{brief['n']}; trained longer they lose {long['loss']:.2%} and are {long['mean_distance']:.2f} off (at most "
        f"{long['largest_distance']:.2f}; {long['interval_holds_truth']} of {long['n']} intervals hold it). Training "
        "could not have told: the estimate is among the values that the network's own loss tolerates in "
        f"{brief['tolerated_by_own_loss'] + long['tolerated_by_own_loss']} of {brief['n'] + long['n']}, which span "
        f"{brief['tolerated_width']:.2g} and {long['tolerated_width']:.2g}; at theta = 0.5 no theta in [0, 1] costs "
        f"more than {middle['costliest']:.1%}.",
        f"Six kinds of tasks disagree (level {LEVEL:.0%}) about {soft['disagree']} of {soft['n']} soft Bayes agents, "
        f"{sum(row['disagree'] for row in others)} of {sum(row['n'] for row in others)} with another prior, "
        f"{brief['disagree'] + long['disagree']} of {brief['n'] + long['n']} networks and {unseen['disagree']} of "
        f"{unseen['n']} to which the middle token was never shown: about those, one theta for a Bayes agent with the "
        f"prior of the tasks is the wrong model. Agents that look one pull ahead explain "
        f"{brief['depths'][one] + long['depths'][one]} of {brief['n'] + long['n']} networks better than Bayes agents "
        f"(and {soft['depths'][one]} of {soft['n']} soft Bayes agents); at their best depth tasks disagree about "
        f"{brief['disagree_at_depth'] + long['disagree_at_depth']} networks. Looking one pull ahead costs "
        f"{middle['short_sighted']:.1%} of the optimum at theta = 0.5, so that training hardly selects for more.",
        f"Trained with a cue that is always right, networks follow it in {wrong['paid']['followed_first']:.0%} of "
        f"first pulls where it is always wrong, and lose {wrong['paid']['true_lost']:.0%} against an agent that "
        f"ignores it ({nothing['paid']['true_lost']:.0%} where it means nothing; n = {wrong['paid']['n']}). With a cue "
        f"that is right / means nothing / is wrong tokens alone explain {shares['tokens alone']} of their choices, pay "
        f"for following it besides {shares['paid']}, belief in it {shares['believed']}.",
        f"Networks win {series((row['mean'] for row in won), '.1f')} in the setups of Duan et al.'s table where theirs "
        f"won {series((row['published'] for row in won), '.1f')} ({'; '.join(row['setup'] for row in won)}; means of "
        f"{won[0]['tasks'] if won else 0} tasks). In Wang et al.'s bandit the network first pulls the arm that "
        f"informs in {informative['informs_first']:.0%} of trials, which pays {informative['pays_informing']:.2f} "
        f"where any other pays {informative['pays_any_other']:.2f} on average, and then the arm that it names in "
        f"{informative['then_right']:.0%} of pulls. " + " ".join(unmet(summary["claims"])),
    ]
