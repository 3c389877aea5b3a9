"""The figure of the study of the reward-result gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from irl_ident import figures
from irl_ident.environment import Array
from studies._gap_summary import part, widths
from studies._gap_worlds import ALIGNED, CASES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINED, PROBED, TRUE = "0.82", figures.COLOURS["sky"], figures.COLOURS["vermilion"]
THINNEST = 0.03
"""Bands are drawn at least so wide."""

STRATEGIES = {
    "random": "0.45",
    "greedy": figures.COLOURS["blue"],
    "counterexample": figures.COLOURS["vermilion"],
    "matching": figures.COLOURS["green"],
}
NAMES = {"counterexample": "certificate", "matching": "like the shift"}
WORLDS = {
    "coin corridor": figures.COLOURS["blue"],
    "colour maze": figures.COLOURS["purple"],
    "keys and chests": figures.COLOURS["green"],
}


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Gaps and bands by kind; decorrelated levels; deceivers; probes by strategy."""
    drawn, _ = figures.panels(width=figures.DOUBLE, height=6.0)
    drawn.clear()
    left, right = np.ravel(np.asarray(drawn.subfigures(1, 2, width_ratios=[4.1, 2.9])))
    rows = left.subplots()
    draw_kinds(rows, table)
    above, middle, below = right.subplots(3, 1)
    draw_decorrelated(above, part(table, "decorrelated"))
    draw_flags(middle, part(table, "flags"))
    draw_widths(below, part(table, "bands"))
    figures.panel_letters([rows, above, middle, below])
    return drawn


def kinds(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Rows of the first panel: built agents, then learned ones."""
    built = part(table, "bands")
    found = [(kind, built[built["kind"] == kind]) for kind in CASES if (built["kind"] == kind).any()]
    learned = part(table, "learned").assign(strategy="probes")
    return found + [(f"learned: {kind}", own) for kind, own in learned.groupby("kind", sort=False)]


def last(own: pd.DataFrame) -> pd.DataFrame:
    """Bands after the last probe against the certificate, or of learned agents."""
    guided = own[own["strategy"].isin(["counterexample", "probes"])]
    return guided.loc[guided.groupby("replicate")["probes"].idxmax()]


def draw_kinds(ax: Axes, table: pd.DataFrame) -> None:
    """For each kind of agent the band from training, the band after probes, and the gap."""
    found = kinds(table)
    for row, (_, own) in enumerate(found):
        for bands, colour, width in ((own[own["probes"] == 0], TRAINED, 9.0), (last(own), PROBED, 5.5)):
            kept = bands[bands["explained"].astype(bool)]
            if len(kept):
                low, high = float(kept["least"].mean()), float(kept["most"].mean())
                middle, half = (low + high) / 2, max(high - low, THINNEST) / 2
                ends = [middle - half, middle + half]
                ax.plot(ends, [row, row], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
        gaps = own.groupby("replicate")["true_gap"].first().to_numpy(dtype=float)
        ax.plot(gaps, np.full(gaps.size, row), "o", color=TRUE, markersize=1.8, alpha=0.35, markeredgewidth=0, zorder=3)
        ax.plot(gaps.mean(), row, "D", color=TRUE, markersize=3, zorder=4)
        ax.text(1.04, row, held(own), fontsize=6.5, va="center", ha="left", color=colour_of(own))
    edges = [row for row in range(1, len(found)) if group(found[row][0]) != group(found[row - 1][0])]
    for edge in edges:
        ax.axhline(edge - 0.5, color="0.85", linewidth=0.5, zorder=1)
    ax.set(ylim=(len(found) - 0.4, -2.2), xlim=(-0.03, 1.24), xlabel="reward-result gap (share of the base range)")
    ax.set_yticks(range(len(found)), [kind for kind, _ in found], fontsize=6.5)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.spines["bottom"].set_bounds(0, 1)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    n = int(part(table, "bands")["replicate"].nunique())
    for x, y, colour, words in (
        (0.0, -1.75, "0.55", "possible after training"),
        (0.0, -1.05, PROBED, "possible after probes"),
        (0.62, -1.05, TRUE, f"gap (mean, n = {n})"),
    ):
        ax.text(x, y, words, color=colour, fontsize=7, fontweight="bold", va="center")
    ax.text(1.04, -1.85, "gap in\nband", fontsize=6.5, va="center", linespacing=0.95)


def group(kind: str) -> str:
    """What kinds have in common."""
    return "control" if kind in ALIGNED else kind.partition(":")[0]


def held(own: pd.DataFrame) -> str:
    """In how many bands the gap was, of how many."""
    kept = own[own["explained"].astype(bool)]
    return f"{int(kept['holds'].astype(bool).sum())}/{len(own)}"


def colour_of(own: pd.DataFrame) -> str:
    """Black where all bands hold the gap."""
    kept = own[own["explained"].astype(bool)]
    return "black" if kept["holds"].astype(bool).all() and len(kept) == len(own) else TRUE


def draw_decorrelated(ax: Axes, table: pd.DataFrame) -> None:
    """Gaps of learned agents by share of decorrelated levels."""
    own = table[table["agent"] == "sampled"]
    shares = sorted(float(share) for share in own["share"].unique())
    places = {share: place for place, share in enumerate(shares)}
    for world, here in own.groupby("kind", sort=False):
        wide = here.pivot_table(index="replicate", columns="share", values="true_gap")
        x = [places[float(share)] for share in wide.columns]
        figures.curve_with_band(ax, x, wide.to_numpy(), label=f"{world} ({len(wide)})", colour=WORLDS[str(world)])
    ax.set_xticks(range(len(shares)), [f"{100 * share:g}" for share in shares])
    for label, share in zip(ax.get_xticklabels(), shares, strict=True):
        label.set_fontweight("bold" if share in (0.0, 0.02, 0.03, 0.06, 0.11) else "normal")
    ax.set(ylim=(-0.03, 1.05), ylabel="gap of learned agents (n)")
    ax.set_xlabel("decorrelated training levels, % (bold: Langosco et al.)")
    figures.label_ends(ax, size=6.5)


def draw_flags(ax: Axes, table: pd.DataFrame) -> None:
    """Bands of the deceiver and of its double while the flag is down, and once it was up."""
    counts = sorted(int(count) for count in table["environments"].unique())
    for agent, colour, shift, word in (
        ("deceptive", TRUE, -0.14, "deceiver"),
        ("aligned", figures.COLOURS["blue"], 0.14, "aligned double"),
    ):
        own = table[table["agent"] == agent]
        for place, count in enumerate(counts):
            here = own[own["environments"] == count]
            low, high = float(here["least"].mean()), float(here["most"].mean())
            if high - low < 0.01:
                spread = here["true_gap"].to_numpy(dtype=float)
                ax.plot(np.full(spread.size, place + shift), spread, "o", color=colour, markersize=1.8, alpha=0.35)
                ax.plot(place + shift, low, "D", color=colour, markersize=3.6)
            else:
                ax.plot([place + shift] * 2, [low, high], color=colour, linewidth=3.5, solid_capstyle="butt")
        ax.text(len(counts) - 0.7, float(own["true_gap"].mean()), word, color=colour, fontsize=6.5, va="center")
    ax.axvline(len(counts) - 1.5, color="0.6", linewidth=0.6, linestyle=":")
    n = int(table["replicate"].nunique())
    ax.text(-0.4, 1.14, f"flag down: tied (n = {n})", fontsize=6.5, va="center")
    ax.text(len(counts) - 1.4, 1.14, "up once", fontsize=6.5, va="center")
    ax.set_xticks(range(len(counts)), [str(count) for count in counts])
    ax.set(ylim=(-0.06, 1.22), xlim=(-0.5, len(counts) - 0.4), xlabel="environments seen", ylabel="possible gap")
    ax.set_yticks([0, 0.5, 1])


def draw_widths(ax: Axes, table: pd.DataFrame) -> None:
    """Widths of bands by number of probes and strategy."""
    curves: dict[str, list[tuple[int, Array]]] = {}
    for strategy, number, values in widths(table):
        curves.setdefault(strategy, []).append((number, values))
    for strategy, points in curves.items():
        bands = [figures.mean_interval(values[:, None]) for _, values in points]
        joined = tuple(np.concatenate(parts) for parts in zip(*bands, strict=True))
        label = NAMES.get(strategy, strategy)
        x = [number for number, _ in points]
        figures.curve_with_band(ax, x, joined, label=label, colour=STRATEGIES[strategy])  # type: ignore[arg-type]
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(ylim=(-0.03, 1.05), xlabel="probes after training", ylabel="mean width of the band")
    figures.label_ends(ax, size=6.5)
