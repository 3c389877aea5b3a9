"""Figures of ``docs/performance.md``, drawn of what was stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import records
from benchmarks.comparisons import COMPARISONS
from benchmarks.growth import Growth, growths
from benchmarks.records import Ratio, Row
from irl_ident import figures


def summary(folder: Path) -> Any:
    """Ratios to peers on one logarithmic axis, a point for each case, with their range over rounds."""
    found = [(each, each.ratios(folder)) for each in COMPARISONS]
    found = [(each, ratios) for each, ratios in found if ratios]
    figure, axes = figures.panels(width=figures.DOUBLE, height=0.6 + 0.36 * len(found))
    ax = axes[0, 0]
    top = max(ratio.greatest for _, ratios in found for _, ratio in ratios)
    for place, (each, ratios) in enumerate(found):
        colour = figures.PALETTE[0] if each.aim is None else figures.PALETTE[1]
        heights = place + (np.arange(len(ratios)) - (len(ratios) - 1) / 2) * min(0.12, 0.6 / max(len(ratios), 1))
        for height, (_, ratio) in zip(heights, ratios, strict=True):
            if ratio.bound:
                ax.plot(ratio.least, height, ">", color=colour, markersize=4, fillstyle="none")
            else:
                ax.plot([ratio.least, ratio.greatest], [height, height], color=colour, linewidth=0.7)
                ax.plot(ratio.middle, height, "o", color=colour, markersize=2.5)
        if each.aim is not None:
            ax.plot([each.aim, each.aim], [place - 0.42, place + 0.42], color="0.3", linewidth=0.8, linestyle=":")
        ax.text(1.5 * top, place, _said(ratios), fontsize=6, va="center", color=colour)
    ax.axvline(1, color="0.6", linewidth=0.6, zorder=0)
    ax.set(xscale="log", yticks=range(len(found)), ylim=(len(found) - 0.5, -0.6))
    ax.set_yticklabels([each.label for each, _ in found], fontsize=6.5)
    ax.set_xlabel("time of the peer over ours (right of 1: ours is faster); orange and dotted: aims")
    return figure


def growth(folder: Path) -> Any:
    """Time against each size, an exponent at every line's end."""
    found = growths(folder)
    along = [name for name in ("S", "A", "k", "candidates", "samples") if any(each.along == name for each in found)]
    operations = list(dict.fromkeys(each.operation for each in found))
    colours = dict(zip(operations, figures.PALETTE, strict=False))
    figure, axes = figures.panels(2, 3, width=figures.DOUBLE, height=4.6)
    names = {"S": "states", "A": "actions", "k": "environments seen"}
    for ax, name in zip(axes.ravel(), along, strict=False):
        lines = [each for each in found if each.along == name]
        for each in lines:
            ax.plot(each.sizes, each.seconds, "o-", color=colours[each.operation], markersize=2.5, linewidth=1)
        ax.set(xscale="log", yscale="log", xlabel=names.get(name, name), ylabel="seconds")
        sizes = sorted({size for each in lines for size in each.sizes})
        ax.set_xlim(sizes[0] / 1.1, sizes[-1] * (sizes[-1] / sizes[0]) ** 0.42)
        _end_labels(ax, lines, colours)
        ax.minorticks_off()
        if name != "S":
            ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    for ax in axes.ravel()[len(along) :]:
        ax.axis("off")
        for place, operation in enumerate(operations):
            ax.text(0.05, 0.9 - 0.12 * place, operation, color=colours[operation], transform=ax.transAxes)
        ax.text(0.05, 0.9 - 0.12 * len(operations), "numbers: exponents", transform=ax.transAxes, color="0.3")
    figures.panel_letters(axes.ravel()[: len(along)])
    return figure


def bandwidth(folder: Path) -> Any:
    """Achieved traffic of sweeps beside copying and triad."""
    rows = records.rows(records.read(folder / "bandwidth.json"), "batch")
    figure, axes = figures.panels(width=figures.SINGLE, height=2.2)
    ax = axes[0, 0]
    x = np.arange(len(rows))
    shown = (("triad, GB/s", "triad", "0.4"), ("copy, GB/s", "copy", figures.PALETTE[0]))
    ours = (("sweeps, GB/s", "sweeps", figures.PALETTE[1]), ("by products, GB/s", "by products", figures.PALETTE[2]))
    for key, label, colour in (*shown, *ours):
        values = [row.found[key] for row in rows]
        ax.plot(x, values, "o-", color=colour, markersize=3, linewidth=1)
        ax.annotate(label, (x[-1], values[-1]), (5, 0), textcoords="offset points", color=colour, va="center")
    ax.set(xticks=x, ylabel="GB/s", ylim=(0, None), xlim=(-0.3, len(rows) - 0.2))
    ax.set_xticklabels([f"{row.case['states']:,}\n× {row.case['rewards']}" for row in rows])
    ax.set_xlabel("states × rewards")
    return figure


def draw(folder: Path, where: Path) -> None:
    """Draw all figures as PNG."""
    with figures.style():
        drawn = (("ratios", "planning", summary), ("growth", "growth", growth), ("bandwidth", "bandwidth", bandwidth))
        for name, topic, make in drawn:
            if not (folder / f"{topic}.json").exists():
                continue
            pdf, _ = figures.save(make(folder), where, f"performance_{name}")
            pdf.unlink()


def _said(ratios: list[tuple[Row, Ratio]]) -> str:
    from benchmarks.tables import number

    rounds = sorted({ratio.rounds for _, ratio in ratios})
    ends = sorted((ratio.least, True) if ratio.bound else (ratio.middle, False) for _, ratio in ratios)
    cases = f"{len(ratios)} cases" if len(ratios) > 1 else "1 case"
    each = f"n = {rounds[0]}" if len(rounds) == 1 else f"n = {rounds[0]} to {rounds[-1]}"
    texts = [("above " if stopped else "") + number(value) for value, stopped in (ends[0], ends[-1])]
    return f"{texts[0] if len(ratios) == 1 else ' to '.join(texts)}; {cases}, {each}"


def _end_labels(ax: Any, lines: list[Growth], colours: dict[str, str]) -> None:
    """Exponents at the ends of lines, moved apart where they would touch."""
    order = sorted(lines, key=lambda each: each.seconds[-1])
    low, high = np.log(ax.get_ylim())
    gap, heights = 0.085 * (high - low), []
    for each in order:
        heights.append(max(np.log(each.seconds[-1]), heights[-1] + gap if heights else -np.inf))
    beyond = max(0.0, heights[-1] - high)
    for each, height in zip(order, heights, strict=True):
        right = each.sizes[-1] * (ax.get_xlim()[1] / ax.get_xlim()[0]) ** 0.035
        ax.text(
            right, np.exp(height - beyond), f"{each.exponent.slope:.2f}", color=colours[each.operation], va="center"
        )
