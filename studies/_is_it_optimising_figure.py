"""Figure of the study of optimisers: is it one, of what, using what; areas under the curve; a learner's course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from irl_ident import figures
from irl_ident.environment import Array
from studies import _is_it_optimising as worlds
from studies._is_it_optimising_curves import COUNTS, FIRST_TRY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    "MEG, any reward",
    "MEG, true goal",
    "goal explains 1 layout",
    "one goal explains 8",
    "agent, not device",
    "coherence",
    "optimisation power",
    "adaptivity",
)
"""The scores of the first panel, each from 0 to 1."""

GROUPS = {"plans": 6, "both": 1, "does not": 7}
"""How many systems of each group follow each other."""

TITLES = {"random": "random tables", "as accurate": "tables as accurate", "frozen": "frozen maps"}
LINES = {
    "explained": ("share explained", figures.COLOURS["blue"], "-"),
    "things": ("MEG, things", figures.COLOURS["sky"], "-"),
    "cells": ("MEG, cells", figures.COLOURS["green"], "--"),
    "agent": ("agent, not device", figures.COLOURS["orange"], "-"),
    "coherence": ("coherence", figures.COLOURS["purple"], "-"),
    "pairs": ("MEG, any reward", "0.45", ":"),
}
"""Scores whose areas are drawn: label, colour and style."""

LEAST_WON = -0.6
LARGEST, SMALLEST = 22.0, 0.06
"""Area of a marker, in square points, for a system that is explained in full, and the least share that is drawn."""


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Profiles above, areas under the curve and the learner below."""
    drawn, whole = figures.panels(1, 1, width=figures.DOUBLE, height=5.6)
    whole[0, 0].remove()
    halves: Any = drawn.subfigures(2, 1, height_ratios=(1.85, 1))
    scored, what, using = halves[0].subplots(1, 3, width_ratios=(1.75, 1, 1))
    curves = halves[1].subplots(1, 4)
    own = table[table["part"] == "profile"]
    names = list(dict.fromkeys(own["system"]))
    draw_scores(scored, own, names)
    draw_recovered(what, own, names)
    draw_information(using, own, names)
    for ax, kind in zip(curves, TITLES, strict=False):
        draw_areas(ax, summary["areas"], kind)
    curves[0].set_ylabel("area under the curve")
    draw_learning(curves[3], table[table["part"] == "learning"])
    curves[0].text(8.5, 0.06, "× an earlier try\n   (MEG, things)", ha="right", fontsize=6)
    figures.label_ends(curves[2], size=6.5)
    figures.label_ends(curves[3], size=6.5)
    figures.panel_letters([scored, what, using, *curves])
    return drawn


def score_table(table: pd.DataFrame, names: Sequence[str]) -> Array:
    """Means over objectives of the scores of ``COLUMNS``, (systems, scores)."""
    rows = []
    for name in names:
        own = table[table["system"] == name]
        one, all_ = (own[own["layouts"] == count] for count in (1, worlds.LAYOUTS))
        bits = np.where(np.isfinite(all_["coherence"]), all_["coherence"], 0.0)
        coherent = np.maximum(bits, 0) / np.maximum(all_["coherence_of"], 1)
        power = (all_["power_1"] + all_["power_2"]) / (all_["power_most_1"] + all_["power_most_2"])
        rows.append(
            [
                (all_["pairs"] / all_["most"]).mean(),
                (all_["known"] / all_["most"]).mean(),
                one["explained"].mean(),
                all_["explained"].mean(),
                all_["agent_probability"].mean(),
                coherent.mean(),
                power.mean(),
                all_["adaptivity_known"].mean(),
            ]
        )
    return np.array(rows)


def draw_scores(ax: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    """A square for every system and score."""
    values, colours = score_table(table, names), colormaps["Blues"]
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            shade = 0.85 * float(np.clip(value, 0, 1))
            ax.add_patch(Rectangle((j, i), 1, 1, facecolor=colours(shade), edgecolor="white", linewidth=0.8))
            text = f"{value:.2f}".replace("-", "−")
            ax.text(
                j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=5.5, color="white" if shade > 0.5 else "0.15"
            )
    ax.set(xlim=(0, len(COLUMNS)), ylim=(len(names), 0))
    ax.set_xticks(np.arange(len(COLUMNS)) + 0.5, COLUMNS, rotation=55, ha="left", rotation_mode="anchor", fontsize=6)
    ax.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=6.5)
    ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False, pad=1)
    ax.spines[:].set_visible(False)
    separate(ax, len(names))
    ax.set_xlabel("Is it an optimiser?  (0 to 1)", fontsize=7)


def separate(ax: Axes, count: int) -> None:
    """Lines between what plans, what does both, and what does not."""
    for place in np.cumsum(list(GROUPS.values()))[:-1]:
        if place < count:
            ax.axhline(place, color="black", linewidth=0.7, clip_on=False)


def aligned(ax: Axes, count: int) -> Array:
    """Rows as those of the first panel, without names; their middles."""
    ax.set(ylim=(count, 0), yticks=[])
    ax.spines[["left"]].set_visible(False)
    separate(ax, count)
    for row in range(count):
        ax.axhline(row + 0.5, color="0.9", linewidth=0.5, zorder=0)
    return np.asarray(np.arange(count) + 0.5, dtype=np.float64)


def draw_recovered(ax: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    """What optimising the recovered objective wins where nobody looked; larger where it explains more choices."""
    rows = aligned(ax, len(names))
    blue, other = figures.COLOURS["blue"], figures.COLOURS["vermilion"]
    for count, face, label in ((1, "white", "1 layout"), (worlds.LAYOUTS, blue, f"{worlds.LAYOUTS} layouts")):
        means = table[table["layouts"] == count].groupby("system")[["won", "explained"]].mean().loc[list(names)]
        sizes = LARGEST * means["explained"].clip(lower=SMALLEST)
        ax.scatter(means["won"].clip(lower=LEAST_WON), rows, s=sizes, facecolor=face, edgecolor=blue, linewidth=0.8)
        ax.scatter([], [], s=LARGEST, facecolor=face, edgecolor=blue, linewidth=0.8, label=f"from {label}")
    own = table[(table["system"] == "deceiver") & (table["layouts"] == worlds.LAYOUTS)]
    size = LARGEST * own["explained"].mean()
    ax.scatter(own["won_own"].mean(), names.index("deceiver") + 0.5, s=size, marker="D", color=other)
    ax.scatter([], [], s=0.6 * LARGEST, marker="D", color=other, label="won for its other goal")
    ax.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set(xlim=(LEAST_WON - 0.08, 1.12), xticks=[-0.5, 0, 0.5, 1])
    ax.set_xticklabels(["", "random\nplay", "", "best"], fontsize=6.5)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=6, handletextpad=0.1, borderaxespad=0.2)
    ax.set_xlabel("Of what?  Won in new layouts by\noptimising what was recovered\n(area: share explained)", fontsize=7)


def draw_information(ax: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Bits a step of cell and layout."""
    rows = aligned(ax, len(names))
    here = table[table["layouts"] == worlds.LAYOUTS]
    for column, colour, shift, label, place in (
        ("cell_bits", figures.COLOURS["sky"], -0.18, "of the cell,\ngiven the layout", 0.57),
        ("layout_bits", figures.COLOURS["vermilion"], 0.18, "of the layout,\ngiven the cell", 0.79),
    ):
        means = here.groupby("system")[column].mean().loc[list(names)].to_numpy()
        ax.barh(rows + shift, means, height=0.32, color=colour)
        ax.text(2.7, place * len(names), label, ha="right", va="center", fontsize=6, color=colour)
    ax.set(xlim=(0, 2.7), xticks=[0, 1, 2])
    ax.set_xlabel("Using what information?\nIn its choices, bits a step", fontsize=7)


def draw_areas(ax: Axes, areas: Sequence[Mapping[str, Any]], kind: str) -> None:
    """Areas under the curve against the number of layouts."""
    for score, (label, colour, style) in LINES.items():
        own = [row for row in areas if row["kind"] == kind and row["score"] == score]
        if own:
            counts = [row["layouts"] for row in own]
            band = tuple(np.array([row[key] for row in own]) for key in ("area", "lower", "upper"))
            figures.curve_with_band(
                ax, counts, (band[0], band[1], band[2]), label=label, colour=colour, linestyle=style
            )
    ax.plot(list(FIRST_TRY), list(FIRST_TRY.values()), "x", color="black", markersize=4, label="_", zorder=5)
    ax.axhline(0.5, color="0.8", linewidth=0.6, zorder=0)
    ax.set(xscale="log", ylim=(-0.03, 1.05), xlabel="layouts", yticks=[0, 0.5, 1])
    ax.set_xticks(COUNTS, [str(count) for count in COUNTS])
    ax.minorticks_off()
    ax.set_title(f"planners against\n{TITLES[kind]}", fontsize=7)


def draw_learning(ax: Axes, table: pd.DataFrame) -> None:
    """How much of a learner one objective explains, in its own layout and over all."""
    for count, colour, label in (
        (1, figures.COLOURS["blue"], "in its layout"),
        (worlds.LAYOUTS, figures.COLOURS["vermilion"], "over 8"),
    ):
        own = table[table["layouts"] == count].pivot_table(index="replicate", columns="steps", values="explained")
        figures.curve_with_band(ax, own.columns, own.to_numpy(), label=label, colour=colour)
    ax.set(xscale="log", ylim=(-0.03, 1.05), xlabel="steps of Q-learning", yticks=[0, 0.5, 1])
    ax.set_title("share of a learner that\none goal explains", fontsize=7)
