"""The figure of the study :mod:`studies.solvers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION, GREEN, PURPLE = figures.PALETTE[:4]
GREY = "0.55"
MOST = 0.5
"""Regret at which the colour of a cell is deepest."""

REFERENCE = "the agent itself"
"""Rows that hold what the agent's own errors cost it, beside the methods'."""

ASSUMED = {
    "temperature": "assumed temperature (true: 0.2)",
    "discount": "assumed discount (true: 0.9)",
    "share of wrong dynamics": "share of wrong dynamics",
}


def compose(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Regret of every method on every agent; distance, regret and seconds of every method; wrong assumptions."""
    solved = table[table["part"] == "solvers"].assign(size=lambda rows: rows["size"].astype(int))
    methods = ordered(solved)
    figure, _ = figures.panels(width=figures.DOUBLE, height=2.6 + 0.19 * len(methods))
    figure.clear()
    upper, lower = np.ravel(np.asarray(figure.subfigures(2, 1, height_ratios=[0.19 * len(methods) + 0.9, 1.7])))
    top = upper.subplots(1, 4, sharey=True, width_ratios=[2.0, 1.3, 1.3, 0.8])
    draw_matrix(top[0], solved, methods)
    draw_sizes(top[1], solved, methods)
    draw_transfer(top[2], solved, methods)
    draw_seconds(top[3], solved, methods)
    bottom = lower.subplots(1, 3, sharey=True)
    assumed = table[table["part"] == "assumed"]
    for ax, (parameter, label) in zip(bottom, ASSUMED.items(), strict=True):
        draw_assumed(ax, assumed[assumed["parameter"] == parameter], label)
    bottom[0].set(ylabel="regret in new worlds\n(dotted: in training)", ylim=(0, None))
    figures.label_ends(bottom[-1], size=6)
    figures.panel_letters([*top, *bottom])
    return figure


def ordered(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Groups and methods, groups as they come, in each the least mean regret in new worlds first."""
    largest = table[table["size"] == table["size"].max()]
    mean = largest.groupby("method")["regret_new"].mean().fillna(np.inf)
    groups = list(dict.fromkeys(table["group"]))
    pairs = {(g, m) for g, m in zip(table["group"], table["method"], strict=True)}
    return sorted(pairs, key=lambda pair: (groups.index(pair[0]), mean[pair[1]], pair[1]))


def draw_matrix(ax: Axes, table: pd.DataFrame, methods: Sequence[tuple[str, str]]) -> None:
    """Mean regret in new worlds after the most environments of training; crossed where a method mostly refuses."""
    agents = list(dict.fromkeys(table["agent"]))
    own = table[table["size"] == table["size"].max()]
    for row, (_, method) in enumerate(methods):
        for column, agent in enumerate(agents):
            cell = own[(own["method"] == method) & (own["agent"] == agent)]
            answered = cell["regret_new"].notna()
            if cell.empty or answered.mean() <= 0.5:
                ax.text(column, row, "" if cell.empty else "×", ha="center", va="center", fontsize=6, color=GREY)
                continue
            value = float(cell["regret_new"].mean())
            shade = min(value / MOST, 1.0)
            ax.fill(*_square(column, row), color=figures.COLOURS["vermilion"], alpha=0.85 * shade, linewidth=0)
            mark = ("" if answered.all() else "*") + ("°" if (cell["status"] == "trivial").mean() > 0.5 else "")
            ax.text(column, row, f"{value:.2f}{mark}".lstrip("0"), ha="center", va="center", fontsize=5.5)
    ax.set(xlim=(-0.5, len(agents) - 0.5), ylim=(len(methods) - 0.5, -0.5), yticks=range(len(methods)))
    ax.set_xticks(range(len(agents)), agents, rotation=35, ha="right", rotation_mode="anchor", fontsize=6)
    ax.set_yticklabels([method for _, method in methods], fontsize=6)
    ax.set_xlabel("regret in new worlds, by agent\n° trivial reward, * refuses some, × most", fontsize=6)
    for group, rows in _spans(methods).items():
        ax.annotate(
            group,
            (1.02, np.mean(rows)),
            xycoords=("axes fraction", "data"),
            rotation=90,
            fontsize=5.5,
            color=GREY,
            ha="left",
            va="center",
            annotation_clip=False,
        )
    _separate([ax], methods)


def draw_sizes(ax: Axes, table: pd.DataFrame, methods: Sequence[tuple[str, str]]) -> None:
    """STARC distance in new worlds after the fewest and the most environments of training."""
    small, large = sorted(table["size"].unique())
    for size, face, dy in ((small, "white", -0.14), (large, BLUE, 0.14)):
        own = table[table["size"] == size]
        _dots(ax, own, methods, "starc_new", BLUE, face, dy)
    ax.axvline(np.sqrt(2), color=GREY, linewidth=0.5, linestyle=":")
    replicates = own.groupby("methods", sort=False)["replicate"].nunique().drop("", errors="ignore")
    ax.set(xlim=(0, 1.6))
    n = " or ".join(str(n) for n in dict.fromkeys(replicates))
    ax.set_xlabel(
        f"STARC distance in new worlds,\n○ {small}, ● {large} environments;\nmeans, 95 % intervals, n = {n}", fontsize=6
    )
    _separate([ax], methods)


def draw_transfer(ax: Axes, table: pd.DataFrame, methods: Sequence[tuple[str, str]]) -> None:
    """Regret in the environments of training and in new ones."""
    own = table[table["size"] == table["size"].max()]
    _dots(ax, own, methods, "regret_training", GREY, "white", -0.14)
    _dots(ax, own, methods, "regret_new", VERMILION, VERMILION, 0.14)
    ax.set(xlim=(0, None))
    ax.set_xlabel(
        f"regret in training ○ and\nin new worlds ●, all agents,\n{table['size'].max()} environments", fontsize=6
    )
    _separate([ax], methods)


def draw_seconds(ax: Axes, table: pd.DataFrame, methods: Sequence[tuple[str, str]]) -> None:
    """Median seconds of a fit, with quartiles."""
    own = table[table["size"] == table["size"].max()]
    for row, (_, method) in enumerate(methods):
        if method == REFERENCE:
            continue
        low, middle, high = np.quantile(own.loc[own["method"] == method, "seconds"], [0.25, 0.5, 0.75])
        ax.plot([low, high], [row, row], color="0.75", linewidth=2.5)
        ax.plot(middle, row, "|", color="black", markersize=5)
    ax.set(xscale="log")
    ax.set_xlabel("seconds a fit\n(quartiles)", fontsize=6)
    _separate([ax], methods)


def draw_assumed(ax: Axes, table: pd.DataFrame, label: str) -> None:
    """Regret in training and in new worlds against what is wrongly assumed."""
    if table.empty:
        return
    colours = dict(zip(dict.fromkeys(table["method"]), (BLUE, VERMILION, GREEN, PURPLE), strict=False))
    for method, colour in colours.items():
        for where, style in (("training", ":"), ("new", "-")):
            own = table[table["method"] == method].pivot(index="replicate", columns="value", values=f"regret_{where}")
            own = own.dropna()
            if len(own) < 2:
                continue
            name = f"{method}" if where == "new" else "_training"
            figures.curve_with_band(
                ax, own.columns.to_numpy(), own.to_numpy(), label=name, colour=colour, linestyle=style
            )
    ax.set(xlabel=label)


def _dots(
    ax: Axes, table: pd.DataFrame, methods: Sequence[tuple[str, str]], measure: str, colour: str, face: str, dy: float
) -> None:
    """Means over replicates with a bootstrap interval, a replicate being the mean over agents and worlds."""
    for row, (_, method) in enumerate(methods):
        own = table[(table["method"] == method) & table[measure].notna()]
        each = own.groupby("replicate")[measure].mean().to_numpy()
        if not each.size:
            continue
        if each.size >= 2:
            band = figures.mean_interval(each[:, None])
            ax.plot([band.lower[0], band.upper[0]], [row + dy, row + dy], color=colour, linewidth=0.8)
        ax.plot(each.mean(), row + dy, "o", color=colour, markerfacecolor=face, markersize=3)


def _square(column: int, row: int) -> tuple[list[float], list[float]]:
    x, y = column - 0.5, row - 0.5
    return [x, x + 1, x + 1, x], [y, y, y + 1, y + 1]


def _spans(methods: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    spans: dict[str, list[int]] = {}
    for row, (group, _) in enumerate(methods):
        spans.setdefault(group, []).append(row)
    return spans


def _separate(axes: Sequence[Axes], methods: Sequence[tuple[str, str]]) -> None:
    """A thin line below each group."""
    for rows in list(_spans(methods).values())[:-1]:
        for ax in axes:
            ax.axhline(max(rows) + 0.5, color="0.8", linewidth=0.5)
