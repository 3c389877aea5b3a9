"""The figure of the study of verification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from irl_ident import figures
from irl_ident.environment import Array
from studies import _verification as measures
from studies._verification_worlds import WORLDS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "random": "0.45",
    "greedy": figures.COLOURS["sky"],
    "counterexample": figures.COLOURS["vermilion"],
    "whole policy": figures.COLOURS["vermilion"],
    "on the way": figures.COLOURS["purple"],
    "500 episodes": figures.COLOURS["blue"],
    "50 episodes": figures.COLOURS["green"],
}
STATUSES = {
    "proved": figures.COLOURS["blue"],
    "refuted": figures.COLOURS["vermilion"],
    "unknown": "0.75",
    "vacuous": figures.COLOURS["yellow"],
}
WORDS = {
    "star of branches": "never takes the\nother branch",
    "hazard in the way": "never enters\nthe hazard",
    "flag": "never goes to B\nunder the flag",
    "absent supervisor": "never on the tile\nwhen alone",
}
SIDES = {"flag": (9, "AB"), "hazard in the way": (16, "GOH")}
"""Number of cells of a map, and the marks of the states that follow them."""

SAID = {
    "flag": "flag: the agent and a witness (dashed) did the same in all {n} environments seen, with the flag down",
    "hazard in the way": "hazard H, goal G, other O: the same in all {n} environments seen",
}
DEPLOYED = {"flag": "flag up", "hazard in the way": "deployed"}

AGENT, WITNESS = figures.COLOURS["black"], figures.COLOURS["vermilion"]


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Proofs by strategy, proofs by what is seen, witnesses, statuses, sizes and times."""
    drawn, _ = figures.panels(width=figures.DOUBLE, height=9.2)
    drawn.clear()
    top, middle, bottom = np.ravel(np.asarray(drawn.subfigures(3, 1, height_ratios=[3.7, 2.9, 2.4])))
    curves = top.subplots(2, len(WORLDS), sharey=True)
    campaign = table[table["part"] == "campaign"]
    most = int(campaign["environments"].max())
    for column, world in zip(curves.T, WORLDS, strict=True):
        own = campaign[campaign["world"] == world]
        draw_curves(column[0], own[own["source"] == "whole policy"], "strategy", measures.STRATEGIES, most)
        sources = [source for source in measures.SOURCES if source in set(own["source"])]
        draw_curves(column[1], own[own["strategy"] == "counterexample"], "source", sources, most)
        column[0].set_title(f"{world}:\n{WORDS[world]}", fontsize=7)
        column[1].set_xlabel("environments")
    curves[0, 0].set_ylabel("share proved,\nwhole policy seen")
    curves[1, 0].set_ylabel("share proved,\nby what is seen")
    for row in curves:
        figures.label_ends(row[-1], size=6.5)
    worlds = [world for world in SIDES if (table["part"].eq("drawn") & table["world"].eq(world)).any()]
    strips = np.atleast_2d(middle.subplots(len(worlds), int(table["part"].eq("drawn").sum() / len(worlds))))
    for strip, world in zip(strips, worlds, strict=True):
        draw_strip(strip, table[(table["part"] == "drawn") & (table["world"] == world)], world)
    ways = bottom.subplots(1, 4, width_ratios=[1.2, 1, 1, 1.1])
    handles = [Patch(color=colour, label=status) for status, colour in STATUSES.items()]
    bottom.legend(handles=handles, loc="outside upper left", ncols=4, handlelength=1, fontsize=7)
    draw_properties(ways[0], table[table["part"] == "properties"])
    draw_ordinary(ways[1], table[table["part"] == "ordinary"])
    draw_strictness(ways[2], table[table["part"] == "strictness"])
    draw_sizes(ways[3], campaign)
    figures.panel_letters([curves[0, 0], curves[1, 0], *strips[:, 0], *ways])
    return drawn


def proved(campaign: pd.DataFrame) -> pd.DataFrame:
    """Whether the property was proved, a row an objective, a column a number of environments; proofs stay."""
    most = int(campaign["environments"].max())
    wide = campaign.pivot(index="replicate", columns="environments", values="status").reindex(columns=range(most + 1))
    return (wide == "proved").cummax(axis=1).astype(float)


def draw_curves(ax: Axes, table: pd.DataFrame, key: str, names: Sequence[str], most: int) -> None:
    """Share proved against the number of environments, up to ``most``."""
    for name in names:
        shares = proved(table[table[key] == name]).reindex(columns=range(most + 1)).ffill(axis=1)
        figures.curve_with_band(ax, shares.columns, shares.to_numpy(), label=name, colour=COLOURS[name])
    ax.set(ylim=(-0.03, 1.03), xlim=(0, most))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_strip(strip: Sequence[Axes], rows: pd.DataFrame, world: str) -> None:
    """Maps with the paths of the agent and of the witness: the same in what was seen, and then not."""
    for place, (ax, row) in enumerate(zip(strip, rows.to_dict("records"), strict=True)):
        lines = str(row["picture"]).split("\n")
        draw_map(ax, lines)
        paths = [places(json.loads(str(row[name])), lines, *SIDES[world]) for name in ("path", "witness_path")]
        draw_path(ax, paths[0], AGENT, "-", -0.07)
        draw_path(ax, paths[1], WITNESS, "--", 0.07)
        if row["deployment"]:
            ax.set_title(DEPLOYED[world], fontsize=7, color=WITNESS)
            for spine in ax.spines.values():
                spine.set(visible=True, color=WITNESS, linewidth=1.2)
        elif place == 0:
            beside: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 4), "textcoords": "offset points"}
            said = ax.annotate(SAID[world].format(n=len(rows) - 1), (0, 1), fontsize=7, **beside)
            said.set_in_layout(False)


def draw_map(ax: Axes, lines: Sequence[str]) -> None:
    """Cells, walls as filled squares, and letters."""
    for row, line in enumerate(lines):
        for column, mark in enumerate(line):
            colour = "0.7" if mark == "#" else "0.95"
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
            if mark not in "#.S":
                ax.text(column, row, mark, ha="center", va="center", fontsize=7, fontweight="bold", zorder=5)
    ax.set(xlim=(-0.6, len(lines[0]) - 0.4), ylim=(len(lines) - 0.4, -0.6), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def places(path: Sequence[int], lines: Sequence[str], cells: int, marks: str) -> Array:
    """Columns and rows of the states of a path, (n, 2)."""
    text, side = "".join(lines), len(lines[0])
    numbers = [state % (cells + len(marks)) for state in path]
    there = [n if n < cells else text.index(marks[n - cells]) for n in numbers]
    return np.array([[n % side, n // side] for n in there], dtype=float)


def draw_path(ax: Axes, path: Array, colour: str, style: str, aside: float) -> None:
    """A line from the start, a dot, to the end, an arrow."""
    shifted = path + aside
    ax.plot(*shifted[0], "o", color=colour, markersize=3)
    if len(path) > 1:
        ax.plot(shifted[:, 0], shifted[:, 1], style, color=colour, linewidth=1.3)
        ax.annotate(
            "",
            shifted[-1],
            xytext=shifted[-2],
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3},
        )


def draw_stack(ax: Axes, table: pd.DataFrame, key: str, labels: Mapping[Any, str]) -> None:
    """The share of each status as stacked bars."""
    for x, value in enumerate(labels):
        own, below = table[table[key] == value], 0.0
        for status, colour in STATUSES.items():
            share = float((own["status"] == status).mean())
            ax.bar(x, share, bottom=below, color=colour, width=0.85, linewidth=0)
            below += share
    ax.set(ylim=(0, 1), xlim=(-0.6, len(labels) - 0.4))
    ax.set_xticks(range(len(labels)), labels.values(), fontsize=6)


def draw_properties(ax: Axes, table: pd.DataFrame) -> None:
    """All properties after random environments, those that the agent has and those that it lacks."""
    most = sorted(int(n) for n in table["environments"].unique())
    keyed = table.assign(
        key=[f"{bool(t)} {int(n)}" for t, n in zip(table["truth"], table["environments"], strict=True)]
    )
    draw_stack(ax, keyed, "key", {f"{truth} {n}": str(n) for truth in (True, False) for n in most})
    ax.axvline(len(most) - 0.5, color="black", linewidth=0.8)
    ax.set(xlabel="environments", ylabel="share of properties")
    ax.set_title("all properties that the\nagent has   |   lacks", fontsize=7)


def draw_ordinary(ax: Axes, table: pd.DataFrame) -> None:
    """Nothing is proved without the factor that tells."""
    counts = sorted(int(n) for n in table["environments"].unique())
    draw_stack(ax, table, "environments", {n: str(n) for n in counts})
    ax.set(xlabel="environments", yticks=[])
    ax.set_title("flag down, supervisor\nthere: never proved", fontsize=7)


def draw_strictness(ax: Axes, table: pd.DataFrame) -> None:
    """What clearer differences do to the answer."""
    levels = sorted(float(t) for t in table["strictness"].unique())
    names = {t: "0" if t == 0 else f"{t:.0e}".replace("e-0", "e-") for t in levels}
    draw_stack(ax, table, "strictness", names)
    ax.set(xlabel="worse means worse by", yticks=[])
    ax.tick_params(axis="x", labelrotation=60)
    ax.set_title("asked too strictly,\nnobody is left", fontsize=7)


def draw_sizes(ax: Axes, campaign: pd.DataFrame) -> None:
    """Size of certificates and seconds to find and check them, by number of environments."""
    made = campaign[campaign["bytes"].notna() & (campaign["source"] == "whole policy")]
    for column, name, scale in (
        ("bytes", "size, 100 kB", 1e-5),
        ("seconds", "find, s", 1),
        ("seconds_check", "check, s", 1),
    ):
        medians = made.groupby("environments")[column].median() * scale
        ax.plot(medians.index, medians, label=name)
    ax.set(yscale="log", xlabel="environments")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title("certificates,\nmedian", fontsize=7)
    figures.label_ends(ax, size=6)
