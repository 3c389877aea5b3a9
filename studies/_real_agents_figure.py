"""The figure of the study :mod:`studies.real_agents`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from environments.toy_text import Lake
from irl_ident import figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION, GREEN = figures.PALETTE[:3]
STRATEGIES = {"greedy": BLUE, "random": VERMILION, "as Gymnasium draws": GREEN}
EVIDENCE = {"rollouts": BLUE, "policy": VERMILION}
AGENTS = {
    ("retrained", 0.0): "Q-learning anew",
    ("table", 0.0): "Q-table carried",
    ("compass", 0.0): "PPO, compass",
    ("address", 0.0): "PPO, address",
    ("compass", 0.5): "PPO, compass, half moved",
    ("address", 0.5): "PPO, address, half moved",
}
"""Learner and share of the training maps with the goal moved, and what the agent is called."""

MEASURES = {
    "training: goal": ("0.55", "s", -0.22, "goal, in training"),
    "shifted: goal": (BLUE, "o", 0.0, "goal, once it was moved"),
    "shifted: corner": (VERMILION, "^", 0.22, "corner, once the goal was moved"),
}
"""Colour, marker, height and label of each measure of return."""

STAGES = (
    ("as Gymnasium draws", 0, "what 2 maps leave"),
    ("as Gymnasium draws", 3, "after 3 more of these"),
    ("greedy", 1, "after 1 chosen greedily"),
)
"""Strategy, further maps and title of each lake that is drawn."""

WORLDS = (("lake 4x4", "lake 4x4, slippery"), ("lake 8x8", "lake 8x8, slippery"), ("taxi",), ("cliff",))


def compose(table: pd.DataFrame, summary: Mapping[str, Any], lake: Lake) -> Figure:
    """What is known of rewards in every world; returns; where agents would end; gaps on held-out maps."""
    figure, _ = figures.panels(width=figures.DOUBLE, height=7.4)
    figure.clear()
    rows = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=[1.2, 1, 0.95])))
    axes = np.array([row.subplots(1, 4) for row in rows])
    in_worlds = table[(table["part"] == "worlds") & (table["learner"] == "Q-learning")]
    for ax, names in zip(axes[0], WORLDS, strict=True):
        draw_worlds(ax, in_worlds[in_worlds["world"].isin(names)])
    explain(axes[0, 3])
    planted = table[table["part"] == "proxy"]
    draw_returns(axes[1, 0], planted)
    for ax, (strategy, maps, title) in zip(axes[1, 1:], STAGES, strict=True):
        shares = summary["planted_proxy"]["Q-learning anew"]["where_agents_would_end"][
            f"{strategy}, {maps} further maps"
        ]
        draw_lake(ax, lake, shares, title)
    for ax, key in zip(axes[2], AGENTS, strict=False):
        own = planted[(planted["learner"] == key[0]) & (planted["moved"] == key[1])]
        draw_gaps(ax, own, f"{AGENTS[key]}, n = {own['replicate'].nunique()}")
    axes[2, 0].set_ylabel("reward-result gap that is left")
    axes[2, 0].set_yticks([-0.12, 0, 0.5, 1], ["explained, %", "0", "0.5", "1"])
    figures.label_ends(axes[2, 3 if len(axes[2, 3].get_lines()) else 1], size=6)
    figures.panel_letters([axes[0, 0], axes[1, 0], axes[1, 1], axes[2, 0]])
    return figure


def draw_worlds(ax: Axes, table: pd.DataFrame) -> None:
    """Intervals of the canonical reward of each thing, from rollouts and from policies, and the base objective."""
    ticks, labels, place = [], [], 0.0
    for world, own in table.groupby("world", sort=False):
        ax.text(0, place, str(world), fontsize=7, va="bottom", fontweight="bold")
        for (kind, colour), where in zip(EVIDENCE.items(), (0, 0.52), strict=True):
            each = own[own["evidence"] == kind].drop_duplicates("replicate")
            text = f"{kind} {each['base_left'].sum()}/{len(each)}"
            ax.text(where, place + 0.1, text, fontsize=5.8, va="top", color=colour)
        place += 0.6
        for thing, rows in own.groupby("thing", sort=False):
            place += 1
            for (kind, colour), shift in zip(EVIDENCE.items(), (-0.17, 0.17), strict=True):
                low, high = rows[rows["evidence"] == kind][["lower", "upper"]].mean()
                if np.isnan(low):
                    ax.text(0.06, place + shift, "no objective", fontsize=5, color=colour, va="center")
                    continue
                line = [low - 0.02, high + 0.02] if high - low < 0.04 else [low, high]
                ax.plot(line, 2 * [place + shift], color=colour, linewidth=2.8, solid_capstyle="butt", clip_on=False)
            ax.plot(rows["base"].iloc[0], place, "D", color="black", markersize=2.2, clip_on=False, zorder=3)
            ticks.append(place)
            labels.append(thing)
        place += 1.6
    ax.set(ylim=(9.2, -0.7), xlim=(0, 1), yticks=ticks, yticklabels=labels, xlabel="canonical reward")
    ax.set_xticks([0, 0.5, 1], ["worst", "", "best"])
    ax.tick_params(axis="y", length=0)


def explain(ax: Axes) -> None:
    """How to read the panels of worlds."""
    lines = (
        ("bars: what a reward can still be,", "0.2"),
        ("from greedy rollouts", EVIDENCE["rollouts"]),
        ("from the whole greedy policy", EVIDENCE["policy"]),
        ("diamonds: the base objective", "0.2"),
        ("numbers: agents (Q-learning) for", "0.2"),
        ("which it is among those left", "0.2"),
    )
    for row, (text, colour) in enumerate(lines):
        ax.text(0.02, 5.4 + 0.62 * row, text, fontsize=6, color=colour, va="center")


def draw_returns(ax: Axes, table: pd.DataFrame) -> None:
    """Shares of the return, of the base objective and of the proxy, where it was trained and where the goal moved."""
    agents = [key for key in AGENTS if ((table["learner"] == key[0]) & (table["moved"] == key[1])).any()]
    for row, (learner, moved) in enumerate(agents):
        own = table[(table["learner"] == learner) & (table["moved"] == moved)]
        for measure, (colour, marker, shift, _) in MEASURES.items():
            mean, low, high = interval(own[own["measure"] == measure]["value"])
            ax.plot([low, high], 2 * [row + shift], color=colour, linewidth=1)
            ax.plot(mean, row + shift, marker, color=colour, clip_on=False)
    for line, (colour, _, _, text) in enumerate(reversed(MEASURES.values())):
        ax.text(0, 1.04 + 0.075 * line, text, color=colour, fontsize=6, transform=ax.transAxes)
    ax.set(ylim=(len(agents) - 0.5, -0.5), xlim=(0, 1), yticks=range(len(agents)), xlabel="share of return")
    ax.set_yticklabels([AGENTS[key].replace(", ", "\n", 1) for key in agents], fontsize=6)


def interval(values: pd.Series[float]) -> tuple[float, float, float]:
    """Mean over agents and a bootstrap interval of it; no interval from one agent."""
    given = values.dropna().to_numpy(dtype=float)
    if len(given) < 2:
        mean = float(given[0]) if len(given) else np.nan
        return mean, mean, mean
    band = figures.mean_interval(given[:, None])
    return float(band.mean[0]), float(band.lower[0]), float(band.upper[0])


def draw_lake(ax: Axes, lake: Lake, shares: Mapping[str, float], title: str) -> None:
    """A lake with its goal moved, and how many of the objectives that are left lead where."""
    ax.set(xlim=(-0.1, 4.1), ylim=(4.6, -0.1), aspect="equal", xticks=[], yticks=[])
    ax.set_title(title, fontsize=7)
    ax.spines[:].set_visible(False)
    ending = {lake.goal: "goal", 15: "corner", lake.tiles.index("H"): "hole"}
    for cell, tile in enumerate(lake.tiles):
        row, column = divmod(cell, 4)
        colour = {"H": "#9DB7CE", "G": "#FBE9A9"}.get(tile, "#EEF4F8")
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=1))
        name = ending.get(cell, {"S": "start", "H": "hole"}.get(tile, ""))
        ax.text(column + 0.5, row + 0.24, name, fontsize=6, ha="center", va="center", color="0.25")
        if cell in ending:
            share = f"{shares[name]:.0%}"
            ax.text(column + 0.5, row + 0.66, share, fontsize=7, ha="center", va="center", fontweight="bold")
    ax.text(2, 4.32, f"stays on the ice: {shares['ice']:.0%}", fontsize=6, ha="center", va="center")


def draw_gaps(ax: Axes, table: pd.DataFrame, title: str) -> None:
    """The largest gap that what is left allows, by strategy; the agent's own; how many agents are explained at all."""
    ax.set(
        xlabel="further maps",
        ylim=(-0.16, 1.03),
        xlim=(-0.25, 3.25),
        xticks=range(4),
        yticks=[0, 0.5, 1],
        yticklabels=[],
    )
    ax.set_title(title, fontsize=7)
    gaps = table[table["measure"] == "gap"]
    if gaps.empty:
        ax.text(0.5, 0.5, "not run: needs PPO", transform=ax.transAxes, ha="center", color="0.5")
        return
    maps = sorted(gaps["maps"].unique())
    for strategy, colour in STRATEGIES.items():
        own = gaps[gaps["strategy"] == strategy]
        bands = np.array([interval(own[own["maps"] == n]["gap_high"]) for n in maps]).T
        ax.fill_between(maps, bands[1], bands[2], color=colour, alpha=0.18, linewidth=0)
        ax.plot(maps, bands[0], "o-", color=colour, markersize=2.5, label=strategy)
    greedy = gaps[gaps["strategy"] == "greedy"]
    ax.plot(maps, greedy.groupby("maps")["gap_low"].mean(), ":", color=BLUE, linewidth=1, label="least, greedy")
    lost = 1 - table[table["measure"] == "shifted: goal"]["value"].mean()
    ax.plot([0, maps[-1]], [lost, lost], color="black", linewidth=0.8, linestyle="--", label="the agent's own")
    for n in maps:
        share = f"{100 * greedy[greedy['maps'] == n]['explained'].astype(float).mean():.0f}"
        ax.text(n, -0.15, share, fontsize=5.5, ha="center", va="bottom", color=STRATEGIES["greedy"])
