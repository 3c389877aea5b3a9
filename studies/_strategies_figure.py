"""The figure of the study :mod:`studies.strategies`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from irl_ident import figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "greedy elimination": figures.COLOURS["blue"],
    "maximin regret": figures.COLOURS["vermilion"],
    "deployment regret": figures.COLOURS["orange"],
    "random": "0.45",
    "oracle": figures.COLOURS["black"],
    "Fisher D": figures.COLOURS["blue"],
    "Fisher E": figures.COLOURS["sky"],
    "second angle": figures.COLOURS["green"],
}
SHOWN = ("greedy elimination", "maximin regret", "deployment regret", "random", "oracle")
SOFT = ("Fisher D", "Fisher E", "second angle", "random")
WORLDS = ("product family", "lava mazes", "conditioning box", "keys and chests")
REFERENCES = {"best plan of all (bound)": "bound_plans", "bits (bound)": "bound_any"}
FULL = 4.0
"""Times the best plan's bound at which the colour of a cell is deepest."""


def compose(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Tables of environments needed; curves by world; agents that err; seconds a decision."""
    worlds = summary["worlds"]
    figure, _ = figures.panels(width=figures.DOUBLE, height=9.0)
    figure.clear()
    top, middle, bottom = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=[3.0, 4.3, 1.9])))
    tables = top.subplots(1, 3, sharey=True, width_ratios=[1, 1, 0.42])
    draw_table(tables[0], worlds, "95 %")
    draw_table(tables[1], worlds, "all")
    draw_seconds(tables[2], summary["seconds a decision"], _strategies(worlds))
    kept = [name for name in WORLDS if name in worlds]
    curves = middle.subplots(3, len(kept), sharex=True, sharey="row", squeeze=False)
    policies = table[table["part"] == "policies"]
    for column, name in zip(curves.T, kept, strict=True):
        draw_world(column, policies[policies["world"] == name], name)
    for ax, label in zip(curves[:, 0], ("objectives left", "diameter, certified", "worst regret"), strict=True):
        ax.set_ylabel(label)
    panels = bottom.subplots(1, 4)
    noisy, soft = (table[table["part"] == part] for part in ("noisy", "soft"))
    place = "lava mazes" if "lava mazes" in set(noisy["world"]) else str(noisy["world"].iloc[0])
    longest = noisy[(noisy["world"] == place) & (noisy["episodes"] == noisy["episodes"].max())]
    draw_steps(panels[0], longest, "left", SHOWN)
    draw_steps(panels[1], longest, "regret_worst", SHOWN)
    draw_steps(panels[2], soft[soft["world"] == "conditioning box"], "left", SOFT)
    draw_steps(panels[3], soft[soft["world"] == "conditioning box"], "regret_worst", SOFT)
    for ax, title in zip(
        panels, (f"noisy agent watched, {place}", "", "soft agent watched, conditioning box", ""), strict=True
    ):
        ax.set_title(title, fontsize=7)
    figures.label_ends(curves[0, -1], size=6)
    for ax in (panels[1], panels[3]):
        figures.label_ends(ax, size=6)
    figures.panel_letters([*tables, *curves[0], *panels[::2]])
    return figure


def _strategies(worlds: Mapping[str, Any]) -> list[str]:
    return list(next(iter(worlds.values()))["strategies"])


def draw_table(ax: Axes, worlds: Mapping[str, Any], share: str) -> None:
    """Mean environments until ``share``, coloured by how far above the bound of every plan."""
    rows, columns = [*_strategies(worlds), *REFERENCES], list(worlds)
    for x, name in enumerate(columns):
        bound = worlds[name]["limits"][f"bound_plans {share}"]
        for y, row in enumerate(rows):
            if row in REFERENCES:
                key = REFERENCES[row] + (f" {share}" if row.startswith("best") else "")
                value = worlds[name]["limits"][key] if share == "all" or row.startswith("best") else np.nan
                mark = ""
            else:
                found = worlds[name]["strategies"][row]
                value = found[f"environments, {share}"]
                mark = ">" if share == "all" and found[next(k for k in found if k.startswith("not all"))] > 0 else ""
                shade = np.clip((value / bound - 1) / (FULL - 1), 0, 1)
                ax.fill(
                    [x - 0.5, x + 0.5, x + 0.5, x - 0.5],
                    [y - 0.5, y - 0.5, y + 0.5, y + 0.5],
                    color=figures.COLOURS["vermilion"],
                    alpha=0.75 * shade,
                    linewidth=0,
                )
            text = "" if np.isnan(value) else f"{mark}{value:.1f}"
            ax.text(x, y, text, ha="center", va="center", fontsize=6)
    ax.axhline(len(rows) - len(REFERENCES) - 0.5, color="0.6", linewidth=0.6)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)))
    ax.set_yticklabels(rows, fontsize=6)
    ax.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor", fontsize=6)
    counted = min(worlds[name]["campaigns_a_strategy"] for name in columns)
    said = f"mean of {counted}, shade: over the best plan" if share == "95 %" else "> : not always in 6"
    ax.set_title(f"environments until {share} is told\n({said})", fontsize=6.5)


def draw_seconds(ax: Axes, seconds: Mapping[str, float], strategies: Sequence[str]) -> None:
    """Median seconds of a decision once the pool is planned."""
    for y, name in enumerate(strategies):
        if name in seconds:
            ax.plot(seconds[name], y, "o", color="0.3", markersize=3)
    ax.set(xscale="log", xlabel="median, pool planned")
    ax.set_title("seconds a\ndecision", fontsize=6.5)
    ax.grid(axis="x", color="0.9", linewidth=0.5)


def draw_world(column: Sequence[Axes], policies: pd.DataFrame, name: str) -> None:
    """Share of the pool left, certified diameter and worst regret against environments, held where campaigns end."""
    total, most = int(policies["objectives"].iloc[0]), int(policies["environments"].max())
    known = int(policies.loc[policies["diameter_upper"].notna(), "environments"].max())
    for strategy in SHOWN:
        own = policies[policies["strategy"] == strategy]
        for ax, measure in zip(column, ("left", "diameter_upper", "regret_worst"), strict=True):
            x = np.arange(1 + (known if measure == "diameter_upper" else most))
            values = own.pivot(index=["draw", "truth"], columns="environments", values=measure)
            held = values.reindex(columns=x).ffill(axis=1).to_numpy() / (total if measure == "left" else 1)
            figures.curve_with_band(ax, x, held, label=strategy, colour=COLOURS[strategy])
    column[0].set(yscale="log")
    column[0].set_title(name, fontsize=7)
    column[1].set(ylim=(0, 1.02))
    column[2].set(ylim=(0, 1.02), xlabel="environments")
    column[2].xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_steps(ax: Axes, rows: pd.DataFrame, measure: str, strategies: Sequence[str]) -> None:
    """A measure against the mean number of choices seen."""
    for strategy in strategies:
        own = rows[rows["strategy"] == strategy]
        if own.empty:
            continue
        index = ["draw", "truth"]
        values = own.pivot(index=index, columns="environments", values=measure).ffill(axis=1).to_numpy(dtype=float)
        steps = own.pivot(index=index, columns="environments", values="steps").ffill(axis=1).mean().to_numpy()
        share = values / (float(own["objectives"].iloc[0]) if measure == "left" else 1)
        figures.curve_with_band(ax, steps, share, label=strategy, colour=COLOURS[strategy])
    ax.set(xlabel="choices seen", ylabel="objectives left" if measure == "left" else "worst regret", ylim=(0, None))
