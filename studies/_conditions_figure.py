"""Figure of the study of conditions: phases of what networks pursue, what shifts them, and who searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from scipy import ndimage

from irl_ident import figures
from irl_ident.environment import Array
from studies import _conditions_selection as selection
from studies._conditions_summary import CASES, case_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COIN, END = figures.COLOURS["blue"], figures.COLOURS["vermilion"]
PHASES = LinearSegmentedColormap.from_list("phases", [COIN, "white", END])
CASE_COLOURS = ("#E4E4E4", "#F6D58A", "#D98E73")
CROWDED = 6
"""With more columns than this a name takes three of them, else one."""

LABELS = {
    "as it is": "as it is",
    "weight decay .3": "weight decay 0.3",
    "weight decay 1": "weight decay 1",
    "weight decay 3": "weight decay 3",
    "8 units": "8 hidden units",
    "128 units": "128 hidden units",
    "discount .8": "discount 0.8",
    "discount .99": "discount 0.99",
    "regret, a tenth": "a tenth by regret",
    "regret alone": "weighed by regret",
}


def figure(summary: Mapping[str, Any]) -> Figure:
    """Phase diagrams above; what shifts the phase, who searches, and what gives it away below."""
    base = [row for row in summary["phases"] if row["slice"] == "as it is"]
    steps = sorted({row["steps"] for row in base})
    drawn, whole = figures.panels(1, 1, width=figures.DOUBLE, height=5.3)
    whole[0, 0].remove()
    halves: Any = drawn.subfigures(2, 1, height_ratios=(1, 1.05))
    upper, lower = halves
    above: Any = upper.subplots(1, len(steps), sharey=True, squeeze=False)[0]
    shifted, searching, away = lower.subplots(1, 3, width_ratios=(1, 1.25, 0.8))
    price = next((row["length_price"] for row in summary["fits"] if _is(row, "as it is", steps[-1])), None)
    for ax, step in zip(above, steps, strict=True):
        lines = [row for row in summary["boundaries"] if _is(row, "as it is", step)]
        draw_phases(ax, [row for row in base if row["steps"] == step], lines)
    above[0].set_ylabel("salience of the coin")
    if price is not None:
        draw_selection(above[-1], base, price, 0.95)
    draw_sizes(shifted, summary["sizes"], steps)
    draw_search(searching, summary)
    draw_given_away(away, summary["given_away"])
    figures.panel_letters([*above, shifted, searching, away])
    return drawn


def _is(row: Mapping[str, Any], name: str, steps: int) -> bool:
    return bool(row["slice"] == name and row["steps"] == steps)


def draw_phases(ax: Axes, cells: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> None:
    """The share of misaligned seeds in each cell, and the salience at which it is one half."""
    shares, saliences = _axes(cells)
    table = np.full((saliences.size, shares.size), np.nan)
    for row in cells:
        table[saliences == row["salience"], shares == row["decorrelated"]] = row["misaligned"]
    ax.imshow(table, cmap=PHASES, vmin=0, vmax=1, origin="lower", aspect="auto", interpolation="nearest")
    ax.set_xticks(np.arange(shares.size), [f"{100 * share:g}" for share in shares])
    ax.set_yticks(np.arange(saliences.size), [f"{s:g}" for s in saliences])
    ax.set_xticks(np.arange(shares.size - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(saliences.size - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=0.6)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    some = [row for row in lines if row["decorrelated"] > 0]
    places = np.searchsorted(shares, [row["decorrelated"] for row in some])
    middle, low, high = (_height(saliences, [row[key] for row in some]) for key in ("salience", "lower", "upper"))
    ax.vlines(places, low, high, color="black", linewidth=0.8)
    ax.plot(places, middle, color="black", linewidth=1.2, marker="o", markersize=2.2)
    ax.set(xlim=(-0.5, shares.size - 0.5), ylim=(-0.5, saliences.size - 0.5))
    ax.set_xlabel("levels with the coin elsewhere, %")
    ax.set_title(f"{cells[0]['steps']:,} steps, {cells[0]['n']} seeds a cell", fontsize=7)
    for text, sign in (("pursue\nthe coin", 0), ("pursue\nthe end", 1)):
        sure = (table == sign).astype(float)
        room = ndimage.uniform_filter(sure, size=(2, 3 if shares.size > CROWDED else 1), mode="constant")
        if room.max() > 0.99:
            around = ndimage.uniform_filter(sure, size=5, mode="nearest")
            y, x = divmod(int(np.where(room > 0.99, around, -1).argmax()), shares.size)
            ax.text(x, y - 0.5, text, color="white", ha="center", va="center", fontsize=6.5, fontweight="bold")


def draw_selection(ax: Axes, cells: Sequence[Mapping[str, Any]], price: float, discount: float) -> None:
    """The boundary of exact selection with the price of length that fits best."""
    shares, saliences = _axes(cells)
    places = np.flatnonzero(shares > 0)
    line = _height(saliences, selection.boundary_salience(shares[places], price, discount))
    ax.plot(places, line, color="black", linewidth=1.0, linestyle=(0, (2, 1.5)))
    ax.set_title(f"{ax.get_title(loc='left')}\ndashed: exact selection, fitted", fontsize=7)


def _axes(cells: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
    shares = np.array(sorted({row["decorrelated"] for row in cells}))
    return shares, np.array(sorted({row["salience"] for row in cells}))


def _height(saliences: Array, values: Any) -> Array:
    """Where saliences lie between rows of a map, by their logarithms; half a row beyond the ends for 0 and None."""
    given = np.array([np.inf if value is None else value for value in values], dtype=float)
    inside = np.clip(given, saliences[0], saliences[-1])
    found = np.interp(np.log(inside), np.log(saliences), np.arange(saliences.size))
    return np.where(given <= 0, -0.5, np.where(np.isinf(given), saliences.size - 0.5, found))


def draw_sizes(ax: Axes, sizes: Sequence[Mapping[str, Any]], steps: Sequence[int]) -> None:
    """By how much conditions enlarge or shrink the misaligned phase."""
    names = [name for name in LABELS if name != "as it is" and any(row["slice"] == name for row in sizes)]
    shown = list(steps)[-2:]
    for step, colour, shift in zip(shown, ("0.6", "black"), (-0.17, 0.17), strict=False):
        rows = [next(row for row in sizes if _is(row, name, step)) for name in names]
        places = np.arange(len(names)) + shift
        more, low, high = (100 * np.array([row[key] for row in rows]) for key in ("more", "more_lower", "more_upper"))
        ax.hlines(places, low, high, color=colour, linewidth=1.2)
        ax.plot(more, places, "o", color=colour, markersize=3)
        ax.annotate(
            f"{step:,} steps",
            (0, 1),
            xycoords="axes fraction",
            xytext=(4 + 44 * shown.index(step), 3),
            textcoords="offset points",
            fontsize=6.5,
            color=colour,
        )
    ax.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set_yticks(np.arange(len(names)), [LABELS[name] for name in names])
    ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(-105, 105), xticks=[-100, -50, 0, 50, 100])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("change of the misaligned share,\npercentage points")


def draw_search(ax: Axes, summary: Mapping[str, Any]) -> None:
    """Which case holds for N instances and P bits, as measured, with the boundaries of the model."""
    rows = [row for row in summary["search"] if (row["c"], row["time_price"]) == (1.0, 0.0)]
    counts, powers = (np.array(sorted({row[key] for row in rows})) for key in ("instances", "power"))
    table = np.zeros((powers.size, counts.size))
    for row in rows:
        table[powers == row["power"], counts == row["instances"]] = CASES.index(row["case"])
    ax.imshow(table, cmap=ListedColormap(CASE_COLOURS), vmin=0, vmax=2, origin="lower", aspect="auto")
    across, up = (np.linspace(-0.5, size - 0.5, 400) for size in table.shape[::-1])
    n, p = (
        np.exp(np.interp(fine, np.arange(size), np.log(values)))
        for fine, size, values in ((across, counts.size, counts), (up, powers.size, powers))
    )
    predicted = case_of(n[None], p[:, None], 1.0, summary["first_bits"], summary["most_bits"])
    ax.contour(across, up, predicted, levels=[0.5, 1.5], colors="black", linewidths=0.9)
    ax.set(xlim=(-0.5, counts.size - 0.5), ylim=(-0.5, powers.size - 0.5))
    ax.set_xticks(*_round_ticks(counts))
    ax.set_yticks(*_round_ticks(powers))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(f"colours: selected, {rows[0]['n']} draws;\nlines: the model, cut off at a full table", fontsize=7)
    ax.set_xlabel("task instances, N")
    ax.set_ylabel("optimisation power P, bits")
    for text, x, y in (
        ("1  no search", 0.33, 0.83),
        ("2  search,\ndear to prevent", 0.7, 0.4),
        ("3  search,\ncheap to\nprevent", 0.15, 0.63),
    ):
        ax.text(x, y, text, transform=ax.transAxes, ha="center", va="center", fontsize=6.5, fontweight="bold")
    x, y = np.log(8) / np.log(counts[-1]), np.log(160 / powers[0]) / np.log(powers[-1] / powers[0])
    ax.annotate("", (x, y), (0.18, 0.56), xycoords="axes fraction", arrowprops={"arrowstyle": "-", "linewidth": 0.6})


def _round_ticks(values: Array) -> tuple[list[int], list[str]]:
    """Places and names of powers of 4."""
    fours = np.log2(values) / 2
    places = np.flatnonzero(np.abs(fours - np.round(fours)) < 1e-9).tolist()
    return places, [f"{values[place]:,.0f}" for place in places]


def draw_given_away(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """How much one objective explains of programs where they were made, and elsewhere."""
    for key, colour, shift, label in (
        ("explained", figures.COLOURS["sky"], -0.18, "where made"),
        ("explained_held_out", figures.COLOURS["green"], 0.18, "elsewhere"),
    ):
        places = np.arange(len(rows)) + shift
        means, low, high = (np.array([row[f"{key}{end}"] for row in rows]) for end in ("", "_lower", "_upper"))
        ax.barh(places, means, height=0.34, color=colour)
        ax.hlines(places, low, high, color="black", linewidth=0.8)
        ax.annotate(
            label,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0 if shift < 0 else 50, 3),
            textcoords="offset points",
            fontsize=6.5,
            color=colour,
        )
    ax.set_yticks(np.arange(len(rows)), [row["kind"].replace(" and ", "\nand ") for row in rows])
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1.02), xticks=[0, 0.5, 1])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("share that one\nobjective explains")
