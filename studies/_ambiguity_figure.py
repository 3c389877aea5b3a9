"""The figure of the study of ambiguity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from environments import branching_tree
from irl_ident import figures
from irl_ident.environment import Array
from studies import _ambiguity as worlds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "optimal policy": figures.COLOURS["vermilion"],
    "soft policy": figures.COLOURS["blue"],
    "Q-values": figures.COLOURS["sky"],
    "comparisons": figures.COLOURS["green"],
    "returns": figures.COLOURS["purple"],
}
"""The sources whose curves are drawn."""

PLACES = {
    "returns of fragments": (0.5, 0.0),
    "returns": (0.0, 1.0),
    "comparisons": (0.0, 2.0),
    "lotteries": (0.0, 3.0),
    "Q-values": (1.0, 1.5),
    "soft policy": (1.0, 3.0),
    "optimal policy": (0.5, 4.0),
}
"""Where each source stands in the drawing of their order; the finest is at the bottom."""

CANDIDATES = {
    "again": "the same\nagain",
    "stand": "one can\nstand still",
    "door": "a door in\nthe wall",
    "both": "both",
}
FAINT = "0.75"


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """All panels."""
    drawn, axes = figures.panels(4, 3, width=figures.DOUBLE, height=8.8, height_ratios=[1, 1, 0.8, 0.95])
    (transitions, pairs, least), (diameter, order, angle), (shaping, unvisited, closing), (before, after, lamp) = axes
    opened = table[table["part"] == "open"]
    draw_open(transitions, opened[opened["rewards"] == "R(s, a, s')"], "rewards on transitions")
    draw_open(pairs, opened[opened["rewards"] == "R(s, a)"], "rewards on states and actions")
    draw_least(least, opened)
    draw_diameter(diameter, table[table["part"] == "diameter"])
    draw_order(order, table, summary["order"])
    draw_conditioning(angle, table[table["part"] == "conditioning"])
    draw_direction(shaping, table, "shaping", "soft agent, open: shaping,\ntwo colours of a chessboard")
    draw_direction(unvisited, table, "unvisited", "soft agent, open:\nall behind the wall")
    draw_closing(closing, table[table["part"] == "closing"])
    tree = table[table["part"] == "tree"]
    draw_tree(
        before,
        tree[tree["stage"] == "training"],
        "expert starts at the root;\nright less left leaf lies in [ ]",
        shown=((0, 2), (2, 6)),
    )
    both = ((0, 2), (2, 6), (1, 3))
    draw_tree(after, tree[tree["stage"] == "training and test"], "and also at the left child", shown=both)
    draw_lamp(lamp, table[table["part"] == "lamp"])
    for ax in (transitions, pairs, least, diameter):
        figures.label_ends(ax)
    figures.panel_letters(axes.ravel())
    return drawn


def curves(ax: Axes, table: pd.DataFrame, column: str, names: Sequence[str]) -> None:
    """Mean over objectives with its interval, by source."""
    for name in names:
        samples = table[table["source"] == name].pivot_table(index="replicate", columns="environments", values=column)
        figures.curve_with_band(ax, samples.columns, samples.to_numpy(), label=name, colour=COLOURS[name])
    ax.set(xlabel="environments", xticks=sorted(table["environments"].unique()))


def draw_open(ax: Axes, table: pd.DataFrame, title: str) -> None:
    """Open dimensions against the number of environments."""
    curves(ax, table, "open", list(COLOURS))
    parameters = int(table["parameters"].iloc[0])
    ax.set(ylabel=f"open dimensions of {parameters}", ylim=(-0.02 * parameters, 1.05 * parameters))
    ax.set_title(f"{title},\nn = {table['replicate'].nunique()} objectives", fontsize=7)


def draw_least(ax: Axes, table: pd.DataFrame) -> None:
    """How well the worst of all other directions is seen."""
    drawn = (
        ("returns", "R(s, a, s')", "returns", "-"),
        ("soft policy", "R(s, a)", "soft, R(s, a)", "--"),
        ("soft policy", "R(s, a, s')", "soft, R(s, a, s')", "-"),
    )
    for name, rewards, label, style in drawn:
        own = table[(table["rewards"] == rewards) & (table["source"] == name)]
        samples = own.pivot_table(index="replicate", columns="environments", values="least")
        figures.curve_with_band(
            ax, samples.columns, samples.to_numpy(), label=label, colour=COLOURS[name], linestyle=style
        )
    ax.set(yscale="log", xlabel="environments", xticks=sorted(table["environments"].unique()), ylabel="least sine")
    ax.set_title("how well the worst direction\nthat counts as closed is seen", fontsize=7)


def draw_diameter(ax: Axes, table: pd.DataFrame) -> None:
    """Optimal policies: certified diameter of the cone."""
    for bound, style in (("upper", "-"), ("lower", ":")):
        samples = table.pivot_table(index="replicate", columns="environments", values=bound)
        label = "optimal policy" if bound == "upper" else "_"
        figures.curve_with_band(
            ax, samples.columns, samples.to_numpy(), label=label, colour=COLOURS["optimal policy"], linestyle=style
        )
    ax.set(ylim=(0, 1.05), xlabel="environments", ylabel="canonical diameter, certified")
    ax.set_xticks(sorted(table["environments"].unique()))
    ax.set_title("rewards on states: the cone is\nalways full, but it shrinks", fontsize=7)


def draw_order(ax: Axes, table: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> None:
    """Sources by what they leave open; a line where the lower is finer in every environment drawn."""
    own = [
        row for row in rows if row["rewards"] == "R(s, a, s')" and row["source"] in PLACES and row["other"] in PLACES
    ]
    total = int(table[table["part"] == "open"]["replicate"].nunique())
    finer = {(row["source"], row["other"]) for row in own if row.get("finer", 0) == total}
    finer |= {(row["other"], row["source"]) for row in own if row.get("coarser", 0) == total}
    for low, high in sorted(finer):
        if not any((low, middle) in finer and (middle, high) in finer for middle in PLACES):
            (x0, y0), (x1, y1) = PLACES[low], PLACES[high]
            ax.plot([x0, x1], [y0, y1], color=FAINT, linewidth=1, zorder=0)
    single = table[(table["part"] == "open") & (table["rewards"] == "R(s, a, s')") & (table["environments"] == 1)]
    dimensions = single.groupby("source")["open"].mean()
    for name, (x, y) in PLACES.items():
        text = f"{name}\n{dimensions[name]:.0f} open"
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        ax.text(x, y, text, ha="center", va="center", fontsize=6.5, color=COLOURS.get(name, "black"), bbox=box)
    ax.set(xlim=(-0.45, 1.45), ylim=(-0.5, 4.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(f"what tells more is below;\nlines: in all {total} environments", fontsize=7)


def draw_conditioning(ax: Axes, table: pd.DataFrame) -> None:
    """Error and loss against the angle; the rank never changes."""
    shares = sorted(table["share"].unique(), reverse=True)
    table = table.assign(loss_share=table["loss"] / table["most_to_lose"])
    angles = table.groupby("share")["angle"].median()
    for column, label, colour in (
        ("error", "error of reward", figures.COLOURS["blue"]),
        ("error_bound", "its bound", figures.COLOURS["sky"]),
        ("loss_share", "loss elsewhere,\nshare of most", figures.COLOURS["vermilion"]),
    ):
        samples = table.pivot_table(index="replicate", columns="share", values=column)[shares].to_numpy()
        low, middle, high = np.quantile(samples, [0.1, 0.5, 0.9], axis=0)
        figures.curve_with_band(ax, angles[shares], (middle, low, high), label=label, colour=colour)
    ranks = sorted({int(rank) for rank in table["rank"]})
    ax.set(xscale="log", yscale="log", xlabel="second principal angle, rad")
    ax.invert_xaxis()
    pairs = table["replicate"].nunique()
    ax.set_title(f"rank {', '.join(map(str, ranks))} of 35, “identified”,\nthroughout; n = {pairs} pairs", fontsize=7)
    figures.label_ends(ax)


def draw_direction(ax: Axes, table: pd.DataFrame, kind: str, title: str) -> None:
    """A named direction on the floor, cell by cell."""
    floor = worlds.floor()
    own = table[(table["part"] == "named") & (table["kind"] == kind)]
    beyond = floor.positions[:, 1] >= worlds.WALL
    values: Array = np.zeros(len(floor.positions))
    for _, direction in own.groupby("number"):
        values += direction.sort_values("cell")["value"].to_numpy()
    if kind == "shaping":
        middle = (values[~beyond].max() + values[~beyond].min()) / 2
        values = np.where(beyond, np.nan, (values - middle) / np.abs(values[~beyond] - middle).max())
    figures.grid_map(ax, floor.positions, values, walls=floor.pillars, limits=(-2, 2), colours="RdBu_r")
    ax.plot(2 * [worlds.WALL - 0.5], [-0.5, len(worlds.FLOOR) - 0.5], color="black", linewidth=2)
    ax.text(0, 0, "start", ha="center", va="center", fontsize=5)
    ax.set_title(title, fontsize=7)


def draw_closing(ax: Axes, table: pd.DataFrame) -> None:
    """Which candidate closes how many directions of which kind."""
    kinds = {"shaping": "shaping", "unvisited": "behind\nthe wall"}
    for i, name in enumerate(CANDIDATES):
        own = {row["kind"]: row for row in table[table["candidate"] == name].to_dict("records")}
        for j, kind in enumerate(kinds):
            count, left = int(own[kind]["open"]), int(own[kind]["left"])
            shut = left == 0
            colour = figures.COLOURS["green"] if shut else "white"
            ax.add_patch(Rectangle((j + 0.03, i + 0.05), 0.94, 0.9, facecolor=colour, edgecolor=FAINT, alpha=0.5))
            text = f"closed, {own[kind]['share']:.1g}" if shut else f"{left} of {count} open"
            ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=6)
    ax.set(xlim=(0, 2), ylim=(4, 0), xticks=[0.5, 1.5], yticks=np.arange(4) + 0.5)
    ax.set_xticklabels(list(kinds.values()), fontsize=6.5)
    ax.set_yticklabels(list(CANDIDATES.values()), fontsize=6.5)
    ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    ax.set_xlabel("numbers: least sine", fontsize=6.5)
    ax.spines[:].set_visible(False)


def draw_tree(ax: Axes, table: pd.DataFrame, title: str, shown: Sequence[tuple[int, int]]) -> None:
    """The tree: what the expert shows, and by how much the right leaf may be better than the left one."""
    places = {0: (3.5, 2.0), 1: (1.5, 1.0), 2: (5.5, 1.0)} | {
        leaf: (2.0 * (leaf - 3) + 0.5, 0.0) for leaf in range(3, 7)
    }
    for parent in range(3):
        for child in (2 * parent + 1, 2 * parent + 2):
            seen = (parent, child) in shown
            (x0, y0), (x1, y1) = places[parent], places[child]
            colour = figures.COLOURS["vermilion"] if seen else FAINT
            ax.plot([x0, x1], [y0, y1], color=colour, linewidth=2.0 if seen else 0.8, zorder=0)
    for node, (x, y) in places.items():
        ax.plot(x, y, "o", markersize=5, color="white", markeredgecolor="0.3", markeredgewidth=0.8)
        if node >= 3:
            worth = int(branching_tree.BASE[node])
            ax.text(x, y - 0.22, f"{worth:+d}", ha="center", va="top", fontsize=6.5)
    for row in table.to_dict("records"):
        x, _ = places[1 if row["node"] == "left" else 2]
        text = f"[{row['lower']:.0f}, {row['upper']:.0f}]".replace("-", "−")
        ax.text(x, -0.72, text, ha="center", va="center", fontsize=6.5)
    loss = float(table["loss"].iloc[0])
    right = table["answer"].iloc[0] == "yes"
    carried = (
        "right in the test, though\nnot identified" if right else f"in the test the reward\nmay cost {loss:.2g} of 2"
    )
    ax.text(3.5, -1.35, carried, ha="center", va="center", fontsize=6.5)
    ax.set(xlim=(-0.4, 7.4), ylim=(-1.6, 2.3), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=7)


def draw_lamp(ax: Axes, table: pd.DataFrame) -> None:
    """In which worlds, and for which delays, lamp and button are told apart."""
    names = list(dict.fromkeys(table["world"]))
    for row in table.to_dict("records"):
        x, y = row["delay"], names.index(row["world"])
        told = bool(row["told_apart"])
        colour = figures.COLOURS["green"] if told else "white"
        ax.plot(x, y, "o", markersize=7, markerfacecolor=colour, markeredgecolor="0.4", markeredgewidth=0.7)
    ax.set(xlabel="delay of the lamp, steps", xticks=sorted(table["delay"].unique()), yticks=range(len(names)))
    ax.set(ylim=(len(names) - 0.5, -0.6), xlim=(0.5, max(table["delay"]) + 0.5))
    ax.set_yticklabels(names, fontsize=6.5)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title("lamp or button?\nfilled: told apart", fontsize=7)
