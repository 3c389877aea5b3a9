"""Figure of the study of corrigibility: who is told apart, bounds, deference, generations, and proofs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from scipy import stats

from irl_ident import figures
from studies import _corrigibility as measures
from studies import _corrigibility_types as types
from studies._corrigibility_summary import closed_form

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATUSES = {
    "proved": figures.COLOURS["blue"],
    "refuted": figures.COLOURS["vermilion"],
    "unknown": "0.75",
    "contradictory": figures.COLOURS["yellow"],
}
BETAS = dict(zip(measures.BETAS, (figures.COLOURS[c] for c in ("black", "blue", "green", "vermilion")), strict=True))
BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
QUESTIONS = ("stops when told", "leaves the button alone", "builds in a switch")


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """All panels."""
    drawn, _ = figures.panels(width=figures.DOUBLE, height=7.6)
    drawn.clear()
    top, middle, bottom = np.ravel(np.asarray(drawn.subfigures(3, 1, height_ratios=[3.3, 2.2, 2.5])))
    matrix, plane = top.subplots(1, 2, width_ratios=[1.25, 1])
    knobs, off, chain = middle.subplots(1, 3, width_ratios=[0.8, 1, 1])
    proofs = bottom.subplots(1, 3, sharey=True)
    parts = {str(name): own for name, own in table.groupby("part")}
    draw_pairs(matrix, summary["pairs"])
    draw_smallest(matrix, summary["smallest_sets"][0])
    draw_plane(plane, parts["plane"])
    draw_knobs(knobs, summary["knobs"])
    draw_off_switch(off, parts["off-switch"])
    draw_chain(chain, parts["chain"])
    for ax, question in zip(proofs, QUESTIONS, strict=True):
        draw_proofs(ax, parts["proofs"], question)
    proofs[0].set_ylabel("share of agents")
    handles = [Patch(color=colour, label=status) for status, colour in STATUSES.items() if status != "unknown"]
    bottom.legend(handles=handles, loc="outside upper right", ncols=3, handlelength=1, fontsize=6.5)
    figures.label_ends(off, size=6.2)
    figures.label_ends(chain, size=6.2)
    figures.panel_letters([matrix, plane, knobs, off, chain, *proofs])
    return drawn


def draw_pairs(ax: Axes, pairs: list[dict[str, Any]]) -> None:
    """How many environments tell each pair of types apart, and which knob that takes."""
    count, of = len(types.TYPES), pairs[0]["of"]
    for row in pairs:
        x, y = types.TYPES.index(row["one"]), types.TYPES.index(row["other"]) - 1
        share = row["environments"] / of
        ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=_blue(share), edgecolor="white", linewidth=1))
        needs = "".join(f"\nneeds\n{knob}" for knob in row["needs"])
        colour = "white" if share > 0.55 else "black"
        ax.text(
            x,
            y,
            f"{row['environments']}{needs}",
            ha="center",
            va="center",
            fontsize=6.5 if not needs else 5.8,
            color=colour,
        )
    ax.set(xlim=(-0.5, count - 1.5), ylim=(count - 1.5, -0.5))
    ax.set_xticks(range(count - 1), types.TYPES[:-1], rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(count - 1), types.TYPES[1:])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(f"environments, of {of}, that tell a pair apart", fontsize=7)


def draw_smallest(ax: Axes, cover: Mapping[str, Any]) -> None:
    """The fewest environments that tell all types apart, in the empty half of the matrix."""
    said = f"{cover['size']} tell all types apart:\n{', '.join(cover['chosen'])}\n(all {cover['smaller_tried']} "
    said += "smaller sets tried)"
    ax.text(len(types.TYPES) - 1.6, 0.6, said, ha="right", va="center", fontsize=6.5, linespacing=1.4)


def draw_plane(ax: Axes, table: pd.DataFrame) -> None:
    """Where naive agents behave as indifferent ones: dots as computed, lines in closed form."""
    odds = np.linspace(0.001, 0.94, 400)
    drawn = ((1, figures.COLOURS["blue"], 1.02, 0.6), (2, figures.COLOURS["green"], 1.68, 0.09))
    for stake, colour, x, y in drawn:
        bounds = np.array([closed_form(p, float(table["true_effort"].iloc[0]), stake) for p in odds])
        for side in bounds.T:
            ax.plot(side, odds, color=colour, linewidth=1)
        ax.fill_betweenx(odds, *bounds.T, color=colour, alpha=0.12, linewidth=0)
        own = table[(table["stake"] == stake) & table["alike"].astype(bool)]
        ax.plot(own["worth"], own["odds"], ".", color=colour, markersize=2.2)
        label = f"{stake} unit{'s' * (stake > 1)}\nof work"
        ax.text(x, y, label, color=colour, fontsize=6.5, ha="center", va="center", bbox=BOX)
    ax.text(0.27, 0.55, "blocks the\nbutton", ha="center", fontsize=6.5)
    ax.text(1.52, 0.42, "provokes it\n(1 unit)", ha="center", fontsize=6.5)
    ax.set(
        xlim=(0, 2.02),
        ylim=(0, 0.96),
        xlabel="worth of stopping to a naive agent, units of work",
        ylabel="odds of the command",
    )
    ax.set_title("naive acts as indifferent (dots; lines: closed form)", fontsize=7)


def draw_knobs(ax: Axes, rows: list[dict[str, Any]]) -> None:
    """Intervals of naive agents that varying one thing does not tell from the indifferent one."""
    names = {"nothing": "nothing", "odds": "odds", "effort": "effort", "stake": "stake"}
    for y, row in enumerate(rows):
        if row["alike"]:
            ax.plot(
                [row["from"], row["to"]], [y, y], color=figures.COLOURS["vermilion"], linewidth=4, solid_capstyle="butt"
            )
        where = row["to"] + 0.04 if row["alike"] else 1.0
        ax.text(
            where,
            y,
            f"{row['alike']} of {row['of']}" if row["alike"] else "none left",
            fontsize=6.5,
            va="center",
            ha="left" if row["alike"] else "center",
        )
    ax.set_yticks(range(len(rows)), [names[row["varied"]] for row in rows])
    ax.set(xlim=(0.7, 1.55), ylim=(len(rows) - 0.5, -0.5), xlabel="worth of stopping", ylabel="what may be varied")
    ax.set_title("naive, not told apart", fontsize=7)


def draw_off_switch(ax: Axes, table: pd.DataFrame) -> None:
    """What deferring is worth against the mean of the belief; filled where the robot defers."""
    ax.axhline(0, color="0.6", linewidth=0.6, label="_zero")
    for beta, colour in BETAS.items():
        own, name = table[table["beta"] == beta], "rational" if beta == 0 else f"β = {beta:g}σ"
        every = own.iloc[:: max(1, len(own) // 20)]
        for waits, filled in ((True, colour), (False, "white")):
            some = every[(every["waits"] == 1) == waits]
            style: dict[str, Any] = {"markersize": 2.4, "markerfacecolor": filled, "markeredgewidth": 0.6}
            ax.plot(some["mean"], some["worth"], "o", color=colour, label="_dots", **style)
        for sign in (-1, 1) if beta and measures.SIGMA**2 / (2 * beta) < 2.5 else ():
            boundary = sign * measures.SIGMA**2 / (2 * beta)
            ax.axvline(boundary, color=colour, linewidth=0.5, linestyle=":", label="_boundary")
        ax.plot(own["mean"], own["worth"], color=colour, linewidth=1, label=name)
    ax.set(xlim=(-2.5, 2.5), xlabel="mean of the belief, σ", ylabel="worth of deferring, Δ/σ")
    ax.set_title("filled: the robot defers", fontsize=7)


def draw_chain(ax: Axes, table: pd.DataFrame) -> None:
    """Whether each generation stops when told, by type and price."""
    lines = {
        ("corrigible", 0.15): ("corrigible, .15", figures.COLOURS["blue"], "-"),
        ("corrigible", 0.45): ("corrigible, .45", figures.COLOURS["sky"], "-"),
        ("indifferent", 0.0): ("indifferent, 0", figures.COLOURS["orange"], "-"),
        ("internalised", 0.45): ("internalised, .45", figures.COLOURS["purple"], "--"),
        ("indifferent", 0.15): ("indifferent, .15", figures.COLOURS["vermilion"], "-"),
    }
    for place, ((kind, price), (label, colour, style)) in enumerate(lines.items()):
        own = table[(table["kind"] == kind) & np.isclose(table["price"], price)]
        steps = np.append(1.0, own["obeys"]) + 0.015 * (2 - place)
        ax.plot(range(len(steps)), steps, style, color=colour, label=label, marker=".")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="generation", ylabel="chance that it stops\nwhen told", ylim=(-0.08, 1.08))
    ax.set_title("type and price of a switch", fontsize=7)


def draw_proofs(ax: Axes, table: pd.DataFrame, question: str) -> None:
    """Statuses against the number of environments, by type; last what the other pool gives; Wilson's intervals."""
    kinds = [
        kind for kind in ("corrigible", "internalised", "indifferent", "deceptive") if kind in set(table["true_type"])
    ]
    asked = table[table["question"] == question]
    other = "no successors" if question == QUESTIONS[2] else "watched"
    counts = sorted(asked.loc[asked["pool"] == "alone", "environments"].astype(int).unique().tolist())
    width = len(counts) + 2.2
    ticks: dict[float, str] = {}
    for group, kind in enumerate(kinds):
        own = asked[asked["true_type"] == kind]
        start = group * (width + 0.6)
        for place, count in enumerate([*counts, None]):
            pool = own[own["pool"] == ("alone" if count is not None else other)]
            chosen = pool[pool["environments"] == (pool["environments"].max() if count is None else count)]
            x = start + place + (0.5 if count is None else 0)
            below = 0.0
            for status, colour in STATUSES.items():
                share = float((chosen["status"] == status).mean())
                ax.bar(x, share, bottom=below, color=colour, width=0.9, linewidth=0)
                below += share
            proved = int((chosen["status"] == "proved").sum())
            if proved:
                ends = stats.binomtest(proved, len(chosen)).proportion_ci(method="wilson")
                ax.plot([x, x], [ends.low, ends.high], color="black", linewidth=0.7)
            wrongly = float(((chosen["status"] == "proved") & ~chosen["true_holds"].astype(bool)).mean())
            if wrongly > 0.15:
                said: dict[str, Any] = {"rotation": 90, "color": "white", "fontsize": 6, "fontweight": "bold"}
                ax.text(x, wrongly / 2, "wrongly", ha="center", va="center", **said)
            if count is None or count in (counts[0], counts[-1]):
                ticks[x] = other[0] if count is None else str(count)
        has = own["true_holds"].astype(bool)
        n = own["replicate"].nunique()
        told = "has it" if has.all() else "lacks it" if not has.any() else f"{has.mean():.0%} have it"
        ax.text(start + (width - 1.7) / 2, 1.04, f"{kind}\n{told}", ha="center", va="bottom", fontsize=5.6)
    ax.set_xticks(list(ticks), list(ticks.values()), fontsize=6)
    beside = "watched" if other == "watched" else "no successors"
    ax.set(ylim=(0, 1), xlabel=f"environments ({other[0]}: {beside}), n = {n}")
    ax.set_title(question, fontsize=7, pad=20)
    ax.spines["left"].set_visible(False)


def _blue(share: float) -> tuple[float, float, float]:
    """From white to the palette's blue."""
    blue = np.array([0, 0x72, 0xB2]) / 255
    red, green, other = 1 - share * (1 - blue)
    return float(red), float(green), float(other)
