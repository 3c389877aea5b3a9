"""The figure of the study of mice in a labyrinth, from its table and summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from environments import labyrinth
from irl_ident import figures
from irl_ident.environment import Array

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAPPED = "turns by level"
FAMILY_COLOURS = {
    "places": figures.COLOURS["green"],
    "turns": figures.COLOURS["purple"],
    "places, home, bumps": figures.COLOURS["blue"],
    "turns by level": figures.COLOURS["vermilion"],
}
COLOURS = {
    "reference": "0.45",
    "cloning": figures.COLOURS["black"],
    "soft-optimal": figures.COLOURS["blue"],
    "Boltzmann": figures.COLOURS["vermilion"],
    "noisy": figures.COLOURS["green"],
    "posterior": figures.COLOURS["sky"],
    "imitation": figures.COLOURS["purple"],
}


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Held-out likelihoods; the objective on the maze and in figures; corridors to block; discounts."""
    figure, axes = figures.panels(2, 3, width=figures.DOUBLE, height=5.8, width_ratios=[0.9, 1.15, 0.8])
    grid = axes[0, 0].get_gridspec()
    for ax in axes[:, 0]:
        ax.remove()
    models = figure.add_subplot(grid[:, 0])
    (rewards, objective), (corridors, discounts) = axes[0, 1:], axes[1, 1:]
    draw_models(models, summary["models"])
    nodes = np.array(summary["objective"][MAPPED]["nodes"])
    maze = labyrinth.plan(int(np.log2(len(nodes) + 1)) - 1)
    draw_rewards(rewards, maze, nodes)
    draw_objective(objective, summary["objective"])
    draw_corridors(corridors, maze, table[table["part"] == "corridor"], summary["ports"])
    draw_discounts(discounts, summary["discount"])
    figures.panel_letters([models, rewards, objective, corridors, discounts])
    return figure


def draw_models(ax: Axes, summary: Mapping[str, Any]) -> None:
    """A dot for each model with its interval, best at the top."""
    listed = sorted(summary["listed"], key=lambda row: row["held_out"])
    for y, row in enumerate(listed):
        colour = COLOURS[row["group"]]
        ax.plot([row["lower"], row["upper"]], [y, y], color=colour, linewidth=1.2)
        ax.plot(row["held_out"], y, "o", color=colour)
    for name in ("uniform, no bumps", "cloning, 1 node"):
        reference = next(row for row in listed if row["model"] == name)
        ax.axvline(reference["held_out"], color="0.8", linewidth=0.6, zorder=0)
    ax.set_yticks(range(len(listed)), [row["model"].replace(", ", ",\n", 1) for row in listed], fontsize=6.5)
    for label, row in zip(ax.get_yticklabels(), listed, strict=True):
        label.set_color(COLOURS[row["group"]])
    where = f"nats a step, 95 % intervals\n({summary['steps']:,} steps held out)"
    ax.set(xlabel=where, ylim=(-0.7, len(listed) - 0.3))
    ax.set_title(f"log-likelihood,\nn = {summary['trajectories']} trajectories")


def draw_maze(ax: Axes, maze: labyrinth.Plan, **style: Any) -> LineCollection:
    """Corridors as lines, by child."""
    x, y = maze.positions.T
    lines = LineCollection([[(x[p], y[p]), (x[c], y[c])] for p, c in maze.corridors], **style)
    ax.add_collection(lines)
    reach = float(np.abs(maze.positions).max()) + 0.6
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return lines


def mark(ax: Axes, maze: labyrinth.Plan, node: int, shape: str) -> None:
    """A ring, square or other shape around a node."""
    x, y = maze.positions[node]
    ax.plot(x, y, shape, markersize=8, markerfacecolor="none", markeredgecolor="black", clip_on=False, zorder=3)


def draw_rewards(ax: Axes, maze: labyrinth.Plan, nodes: Array) -> None:
    """The fitted reward of every node, in place; the colours end where all but a twentieth of the nodes lie inside."""
    draw_maze(ax, maze, colors="0.75", linewidths=0.8, zorder=1)
    x, y = maze.positions.T
    limit = float(np.quantile(np.abs(nodes), 0.95))
    dots = ax.scatter(
        x, y, 22, nodes, cmap="RdBu_r", vmin=-limit, vmax=limit, edgecolors="0.3", linewidths=0.3, zorder=2
    )
    mark(ax, maze, maze.port, "o")
    mark(ax, maze, 0, "s")
    figures.colour_key(ax, dots, f"reward of a node, nats; all told −{-nodes.min():.1f} to {nodes.max():.1f}")
    ax.set_title("node rewards: ○ water, □ home\n" + f"(family: {MAPPED})")


NAMED = {
    "water port": "water port",
    "other ends": "other ends,\nmean",
    "port less other ends": "port less\nother ends",
    "first junction": "first\njunction",
    "R(home)": "going home",
}


def draw_objective(ax: Axes, summary: Mapping[str, Any]) -> None:
    """Named rewards with bootstrap intervals, and Cramér-Rao ones, thin, for each family."""
    for place, (family, own) in enumerate(summary.items()):
        colour = FAMILY_COLOURS[family]
        for row, name in enumerate(NAMED):
            y = row + 0.2 * (2 * place - 1)
            found = own["quantities"][name]
            bound = 1.96 * found["cramer_rao"]
            ax.plot([found["lower"], found["upper"]], [y, y], color=colour, linewidth=2.2, alpha=0.5)
            ax.plot([found["estimate"] - bound, found["estimate"] + bound], [y, y], color=colour, linewidth=0.7)
            ax.plot(found["estimate"], y, "o", color=colour, markersize=3)
        ax.annotate(
            family,
            (0, 1),
            xytext=(0, 16 - 9 * place),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            fontsize=7,
        )
    ax.axvline(0, color="0.75", linewidth=0.6, zorder=0)
    ax.set_yticks(range(len(NAMED)), list(NAMED.values()))
    ax.set(ylim=(len(NAMED) - 0.5, -0.5), xlabel="reward, nats (95 %: thick\nbootstrap, thin Cramér-Rao)")


def draw_corridors(ax: Axes, maze: labyrinth.Plan, table: pd.DataFrame, ports: Mapping[str, Any]) -> None:
    """Corridors coloured by the information that blocking them would bring."""
    draw_maze(ax, maze, colors="0.85", linewidths=0.8, zorder=0)
    gains = np.full(maze.n_nodes - 1, np.nan)
    gains[table["child"].to_numpy(int) - 1] = table["gain"].to_numpy()
    limit = float(np.nanmax(np.abs(gains)))
    lines = draw_maze(ax, maze, cmap="PuOr_r", linewidths=2.6, zorder=1)
    lines.set_array(np.ma.masked_invalid(gains))
    lines.set_clim(-limit, limit)
    mark(ax, maze, maze.port, "o")
    mark(ax, maze, 0, "s")
    mark(ax, maze, int(ports["best"][0]["node"]), "^")
    figures.colour_key(
        ax, lines, f"gain by blocking, nats, over as many\ntrajectories ({ports['more']}) in the same maze"
    )
    ax.set_title(f"block one of {len(table)} corridors, or\nmove the port: △ best of {ports['candidates']} ends")


def draw_discounts(ax: Axes, summary: Mapping[str, Any]) -> None:
    """The contrast of interest at every discount, among which the likelihood does not choose."""
    for family, colour in FAMILY_COLOURS.items():
        own = summary[family]
        ax.plot(own["discounts"], own["port_less_other_ends"], "o-", color=colour, label=family, markersize=2.5)
    ax.axhline(0, color="0.75", linewidth=0.6, zorder=0)
    worst = int(np.ceil(np.log10(max(own["range_of_log_likelihood"] for own in summary.values()))))
    ax.set(xlabel="discount", ylabel="port less other ends, nats")
    ax.set_title(f"no discount is chosen: log-likeli-\nhoods differ by < $10^{{{worst}}}$ nats")
    figures.label_ends(ax)
