"""The figure of the study of services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import figures
from studies import _services as measures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPTIMAL, SHORT = measures.leaf_name(None), measures.leaf_name(3)
MENU_COLOURS = dict(zip(measures.MENUS, (figures.COLOURS[name] for name in ("orange", "blue", "black")), strict=True))
OWN_COLOUR = figures.COLOURS["vermilion"]
DEPTH = 8
"""Layers of the chains in which a misaligned one is looked for."""

EVIDENCE = {
    "bits_training": "8 training\nfloors",
    "bits_closed": f"{measures.FRESH} more\nlike them",
    "bits_open": "32 with the\nlab open",
    "bits_one_handed": "1 objective\nhanded down",
    "bits_all_handed": "3 of them, by\nbisection",
}
"""What may be watched to tell which layer is misaligned, and its label."""


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Bits by depth, for two leaves, and by floors watched; what designs win; what is recovered; which layer it is."""
    drawn, axes = figures.panels(2, 3, width=figures.DOUBLE, height=4.6)
    for ax, leaf in zip(axes[0], (OPTIMAL, SHORT), strict=False):
        draw_depth(ax, summary["bits"], leaf)
    axes[0, 0].set_ylabel("bits of the top's objective\nin the leaf's behaviour")
    draw_floors(axes[0, 2], summary["bits"])
    draw_won(axes[1, 0], summary["internal"])
    draw_recovered(axes[1, 1], summary["recovered"])
    draw_located(axes[1, 2], summary["hidden"])
    figures.label_ends(axes[0, 2], size=6.5)
    figures.panel_letters(axes.ravel())
    return drawn


def band(rows: Sequence[Mapping[str, Any]], name: str) -> figures.Band:
    """Means and their intervals."""
    return figures.Band(*(np.array([row[f"{name}{end}"] for row in rows]) for end in ("", "_lower", "_upper")))


def picked(rows: Sequence[Mapping[str, Any]], **wanted: Any) -> list[Mapping[str, Any]]:
    """The rows with these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def draw_depth(ax: Axes, rows: Sequence[Mapping[str, Any]], leaf: str) -> None:
    """Bits against depth for each menu, each below the log2 of its length."""
    floors = max(row["floors"] for row in rows)
    for menu, colour in MENU_COLOURS.items():
        own = picked(rows, leaf=leaf, menus="own", menu=menu, floors=floors)
        depths = [row["depth"] for row in own]
        figures.curve_with_band(ax, depths, band(own, "bits"), label="_", colour=colour, marker="o", markersize=2.5)
        ax.plot([1, depths[-1]], [np.log2(menu)] * 2, ":", color=colour, linewidth=0.9)
        ax.text(4.15, np.log2(menu), f"log₂ {menu}", color=colour, ha="left", va="center", fontsize=6.5)
    shared = picked(rows, leaf=leaf, menus="shared", menu=max(measures.MENUS), floors=floors)[1:]
    style: dict[str, Any] = {"linestyle": "--", "linewidth": 0.9, "color": "0.45"}
    ax.plot([row["depth"] for row in shared], [row["bits"] for row in shared], **style)
    ax.text(4.1, shared[-1]["bits"] + 0.1, "one menu for all", color="0.35", fontsize=6.5, ha="right", va="bottom")
    n = own[0]["bits_n"]
    words = "plans optimally" if leaf == OPTIMAL else "sees 3 steps"
    ax.set(xlabel="layers that choose", ylim=(0, 6.6), xlim=(-0.15, 4.15), xticks=measures.DEPTHS)
    ax.set_title(f"leaf {words} (n = {n})", fontsize=7)


def draw_floors(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bits against the number of floors watched, by depth."""
    colours = [OWN_COLOUR, "0.0", "0.3", "0.5", "0.65"]
    for depth, colour in zip(measures.DEPTHS, colours, strict=True):
        own = picked(rows, leaf=OPTIMAL, menus="own", menu=max(measures.MENUS), depth=depth)
        label = f"{depth} layers" if depth != 1 else "1 layer"
        figures.curve_with_band(ax, [row["floors"] for row in own], band(own, "bits"), label=label, colour=colour)
    ax.set_xscale("log", base=2)
    ax.set_xticks(measures.SEEN, [str(count) for count in measures.SEEN])
    ax.minorticks_off()
    ax.set(xlabel="floors on which the leaf is watched", ylim=(0, 6.6))
    ax.set_title(f"menus of {max(measures.MENUS)}, plans optimally", fontsize=7)


def draw_won(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Share won by the top's own objective and by the best of a menu, against how far the leaf sees."""
    leaves = sorted({row["leaf"] for row in rows}, key=lambda leaf: (leaf == OPTIMAL, leaf))
    places = np.arange(len(leaves))
    for menu, colour in {0: OWN_COLOUR, **MENU_COLOURS}.items():
        own = [picked(rows, leaf=leaf, menu=menu)[0] for leaf in leaves]
        figures.curve_with_band(ax, places, band(own, "won"), label="_", colour=colour)
    for place, menu in enumerate(reversed(measures.MENUS)):
        ax.text(0.02, 0.99 - 0.085 * place, f"handed the best of {menu}", color=MENU_COLOURS[menu], **words(ax))
    ax.text(0.33, 0.22, "handed the top's\nown objective", color=OWN_COLOUR, **words(ax))
    ax.set_xticks(places, ["all" if leaf == OPTIMAL else leaf.split()[1] for leaf in leaves])
    ax.set_title(f"n = {own[0]['won_n']}", fontsize=7)
    ax.set(
        xlabel="steps that the leaf sees",
        ylabel="share won by the top",
        ylim=(0.5, 1.22),
        yticks=[0.5, 0.6, 0.7, 0.8, 0.9, 1],
    )


def words(ax: Axes) -> dict[str, Any]:
    """How words are written in a panel: below and to the right of a place in shares of it."""
    return {"transform": ax.transAxes, "fontsize": 6.5, "va": "top", "ha": "left"}


def draw_recovered(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Distance of the recovered objective to what each layer pursues."""
    most = max(row["floors"] for row in rows)
    lines = (
        (most, SHORT, figures.COLOURS["blue"], "-", f"right model, {most} floors"),
        (1, SHORT, figures.COLOURS["sky"], "-", "right model, 1 floor"),
        (most, OPTIMAL, OWN_COLOUR, "--", "taken for optimal"),
    )
    for place, (floors, model, colour, style, label) in enumerate(lines):
        own = picked(rows, leaf=SHORT, floors=floors, model=model)
        layers = [row["layer"] for row in own]
        figures.curve_with_band(ax, layers, band(own, "distance"), label="_", colour=colour, linestyle=style)
        ax.text(0.02, 0.29 - 0.09 * place, label, color=colour, **words(ax))
    ax.set_xticks(layers, ["top", *(str(layer) for layer in layers[1:-1]), "leaf"])
    ax.set(xlabel="whose objective", ylabel="distance of what is\nrecovered (STARC)", ylim=(0, 0.65))
    ax.set_title(f"leaf sees 3 steps (n = {own[0]['distance_n']})", fontsize=7)


def draw_located(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bits of which layer is misaligned in what may be watched."""
    row = picked(rows, leaf=OPTIMAL, depth=DEPTH)[0]
    names = list(EVIDENCE)
    for place, name in enumerate(names):
        value, low, high = (row[f"{name}{end}"] for end in ("", "_lower", "_upper"))
        colour = figures.COLOURS["blue"] if "handed" in name else OWN_COLOUR
        ax.barh(place, value, height=0.6, color=colour)
        ax.plot([low, high], [place, place], color="black", linewidth=0.8)
        ax.text(max(value, high) + 0.06, place, f"{value:.2f}", va="center", fontsize=6.5)
    whole = row["bits_of_layer"]
    ax.axvline(whole, color="0.4", linewidth=0.8, linestyle=":")
    ax.text(whole - 0.05, -0.62, "all", fontsize=6.5, color="0.3", ha="right", va="bottom")
    ax.set_yticks(range(len(names)), EVIDENCE.values(), fontsize=6.5)
    ax.set(ylim=(len(names) - 0.5, -0.95), xlim=(0, 3.6), xlabel=f"bits of which of {DEPTH} layers it is")
    ax.set_title(f"what is watched (n = {row['bits_training_n']})", fontsize=7)
