"""Which directions of an objective stay open, by agent, by data source, and by number of environments?

Expected: sources of data are ordered as Skalse et al. (2023) prove, whatever the environment; each further environment
closes directions of soft policies until only what is common to all is left (Rolland et al. 2022), while optimal
policies always leave a cone of full dimension that shrinks; and a rank that says "identified" says little where the
second principal angle between the environments is small (Schlaginhaufen & Kamgarpour 2024).

Refuted if: one of the paper's relations fails in one environment; a soft policy's open dimensions grow with
environments; the error of the recovered reward does not grow as the angle falls, or leaves its bound; a reward from the
tree's training is right in its test; or the lamp is told from the button in the wired, discounted world.

Worlds: random environments on 4 states with 2 actions, 2 successors each, and one start, for rewards on transitions and
on state-action pairs; pairs of random environments on 18 states with 5 actions, the second blended towards the first; a
floor of 18 cells on which one cannot stand still, behind a thin wall; the seven-state tree of ``seals``' InitShift;
lamp and button.  Agents: soft-optimal (temperature 1) and optimal, showing all optimal actions; on the tree, episodes.
Measured: dimension of what is open, the least sine with which anything else is seen, certified diameters, inclusion;
error of the reward recovered from policies whose log-probabilities are one thousandth off, and the loss of acting on
it in a third environment; named directions and which candidate closes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident.identified.sources import SOURCES
from studies import _ambiguity as worlds
from studies import _ambiguity_figure as drawing
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DELAYS = (1, 2, 3, 4, 5, 6)
ALWAYS = (
    *(("returns of fragments", source.name) for source in SOURCES[1:]),
    *(("returns", "comparisons"), ("comparisons", "lotteries"), ("comparisons", "soft trajectories")),
    *(("Q-values", "soft policy"), ("soft policy", "soft trajectories"), ("soft policy", "optimal policy")),
)
"""The first is finer than the second, or equal, in every environment (Skalse et al. 2023, figure 1)."""


def tasks(settings: Settings) -> list[Task]:
    """One objective in several environments; one pair of environments; the three instances."""
    repeats, most = (20, 6) if settings.quick else (60, 8)
    planned: list[Task] = [
        {"part": part, "replicate": i, "seed": settings.seed_for(number, i), "most": most}
        for number, part in enumerate(("open", "conditioning"))
        for i in range(repeats)
    ]
    planned += [{"part": "lamp", "delay": delay} for delay in DELAYS]
    return [*planned, {"part": "tree"}, {"part": "named", "seed": settings.seed_for(2)}]


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    if task["part"] == "lamp":
        return worlds.lamp_rows(task["delay"])
    if task["part"] == "tree":
        return worlds.tree_rows()
    if task["part"] == "named":
        return worlds.named_rows(task["seed"])
    part = (
        worlds.open_rows(task["seed"], task["most"])
        if task["part"] == "open"
        else worlds.conditioning_rows(task["seed"])
    )
    return [row | {"replicate": task["replicate"]} for row in part]


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Open dimensions, order, conditioning, and what each instance says."""
    return {
        "claims": claims(table),
        "open": opened(table[table["part"] == "open"]),
        "order": ordered(table[table["part"] == "order"]),
        "diameter": narrowed(table[table["part"] == "diameter"]),
        "conditioning": conditioned(table[table["part"] == "conditioning"]),
        "closing": instances(table[table["part"] == "closing"], ["candidate", "kind", "open", "left", "share"]),
        "tree": instances(table[table["part"] == "tree"], ["stage", "node", "lower", "upper", "answer", "loss"]),
        "lamp": instances(table[table["part"] == "lamp"], ["world", "delay", "told_apart", "share"]),
    }


def claims(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    order, opened, pairs, tree, lamp = (
        table[table["part"] == part] for part in ("order", "open", "conditioning", "tree", "lamp")
    )
    proved = order[[pair in ALWAYS for pair in zip(order["source"], order["other"], strict=True)]]
    soft = opened[opened["source"] == "soft policy"].sort_values("environments")
    falls = soft.groupby(["rewards", "replicate"])["open"].apply(lambda left: bool((left.diff().dropna() <= 0).all()))
    ordered_pairs = pairs.sort_values("share", ascending=False).groupby("replicate")
    grows = ordered_pairs["error"].apply(lambda errors: bool((errors.diff().dropna() > 0).all()))
    bounded = (pairs["error"] <= pairs["error_bound"]) & (pairs["loss"] <= pairs["loss_bound"])
    trained = tree[tree["stage"] == "training"]["answer"] == "no"
    wired = ~lamp[lamp["world"] == "discounted"]["told_apart"].astype(bool)
    told = {
        "relations between sources hold": proved["order"].isin(["finer", "equal"]),
        "open dimensions of soft policies never grow with environments": falls,
        "the rank says identified, whatever the angle": pairs["answer"] == "identified",
        "the error of the reward grows as the angle falls": grows,
        "error and loss stay within their bounds": bounded,
        "a reward from the tree's training is wrong in its test": trained,
        "lamp and button are not told apart when wired and discounted": wired,
    }
    return [{"claim": claim, "held": int(held.sum()), "of": len(held)} for claim, held in told.items()]


def opened(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean open dimensions and least sine, by rewards and source, for one environment and more."""
    rows = []
    for (rewards, source), group in table.groupby(["rewards", "source"]):
        means = group.groupby("environments")[["open", "least"]].mean()
        rows.append(
            {
                "rewards": rewards,
                "source": source,
                "parameters": int(group["parameters"].iloc[0]),
                "environments": means.index.astype(int).tolist(),
                "open": means["open"].tolist(),
                "least_sine": means["least"].tolist(),
                "undecided": int((~group["decided"].astype(bool)).sum()),
                "objectives": int(group["replicate"].nunique()),
            }
        )
    return rows


def ordered(table: pd.DataFrame) -> list[dict[str, Any]]:
    """How often a source is finer than another, and by which words it is said."""
    names = [source.name for source in SOURCES]
    rows = []
    for (rewards, source, other), group in table.groupby(["rewards", "source", "other"]):
        if names.index(str(source)) < names.index(str(other)):
            counts = group["order"].value_counts()
            rows.append(
                {"rewards": rewards, "source": source, "other": other, **{str(k): int(n) for k, n in counts.items()}}
            )
    return rows


def narrowed(table: pd.DataFrame) -> dict[str, Any]:
    """Certified diameter of what optimal policies leave of rewards on states."""
    means = table.groupby("environments")[["lower", "upper"]].mean()
    return {
        "environments": means.index.astype(int).tolist(),
        "lower": means["lower"].tolist(),
        "upper": means["upper"].tolist(),
    }


def conditioned(table: pd.DataFrame) -> list[dict[str, Any]]:
    """By share blended in: rank, angle, error and loss, and whether the bounds held."""
    rows = []
    for share in sorted(float(x) for x in table["share"].unique()):
        group = table[table["share"] == share]
        rows.append(
            {
                "share": share,
                "rank": sorted({int(rank) for rank in group["rank"]}),
                "identified": int((group["answer"] == "identified").sum()),
                "pairs": len(group),
                "angle": float(group["angle"].median()),
                "error": float(group["error"].median()),
                "error_bound_held": bool((group["error"] <= group["error_bound"]).all()),
                "loss_of_most": float((group["loss"] / group["most_to_lose"]).median()),
                "loss_bound_held": bool((group["loss"] <= group["loss_bound"]).all()),
                "error_over_bound": float((group["error"] / group["error_bound"]).median()),
            }
        )
    return rows


def instances(table: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    """These columns as plain rows."""
    plain = [dict(zip(columns, row, strict=True)) for row in table[columns].itertuples(index=False)]
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in plain]


def findings(summary: Mapping[str, Any]) -> list[str]:
    """What stays open, where rank and conditioning disagree, and which instances bear that out."""
    opened = {(row["rewards"], row["source"]): row for row in summary["open"]}
    soft, best = opened["R(s, a)", "soft policy"], opened["R(s, a)", "optimal policy"]
    triples = opened["R(s, a, s')", "soft policy"]
    most = soft["environments"][-1]
    close, far = summary["conditioning"][0], summary["conditioning"][-1]
    diameter = summary["diameter"]["upper"]
    order = next(claim for claim in summary["claims"] if claim["claim"] == "relations between sources hold")
    wired = [row for row in summary["lamp"] if row["world"] == "discounted"]
    return [
        f"A soft policy leaves {soft['open'][0]:.1f} of {soft['parameters']} parameters of R(s, a) open after one "
        f"environment and {soft['open'][-1]:.1f} after {most} (the constant is one of them); of R(s, a, s') it leaves "
        f"{triples['open'][0]:.0f} of {triples['parameters']}, and {triples['open'][-1]:.0f} after {most} "
        f"(means of {soft['objectives']} objectives).",
        f"Optimal policies leave all {best['open'][-1]:.0f} dimensions open at any number of environments, but the "
        f"set in them shrinks: its certified diameter is at most {diameter[0]:.2f} after one environment and "
        f"{diameter[-1]:.2f} after {most}.",
        f"Data sources are ordered as theory has it in {order['held']} of {order['of']} comparisons.",
        f"Rank says 'identified' in all {close['pairs']} pairs of environments however alike they are, conditioning "
        f"does not: at an angle of {close['angle']:.1e} rad the error of the reward is {close['error']:.0f}, at "
        f"{far['angle']:.2f} rad it is {far['error']:.3f}.",
        f"No behaviour in the wired, discounted world tells the lamp from its button, at any of {len(wired)} delays; "
        "a finite horizon and a cut wire do at each, and a price of pressing only where the lamp is far enough.",
    ]


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Dimensions, conditioning, order; the floor's directions and their candidates; tree; lamp and button."""
    return drawing.figure(table, summary)
