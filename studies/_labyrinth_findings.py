"""What the study of mice in the labyrinth found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def findings(summary: Mapping[str, Any]) -> list[str]:
    """How well the best model predicts, what the port is worth, what is open, and which maze would tell."""
    models = {row["model"]: row for row in summary["models"]["listed"]}
    reference, ceiling = models["uniform, no bumps"], models["cloning, 4 nodes"]
    fitted = [row for row in models.values() if row["group"] not in ("reference", "cloning", "imitation")]
    best = max(fitted, key=lambda row: row["held_out"])
    places = summary["objective"]["places, home, bumps"]
    contrast = places["quantities"]["port less other ends"]
    corridors, ports = summary["corridors"], summary["ports"]
    moved = ports["best"][0]
    return [
        f"On {summary['models']['trajectories']} held-out trajectories of {summary['models']['recordings']} recordings "
        f"the best rational model ({best['model']}) predicts at {best['held_out']:.3f} nats a step "
        f"({best['lower']:.3f} to {best['upper']:.3f}), a walk that is uniform over moves that are no bumps at "
        f"{reference['held_out']:.3f}, and cloning with four nodes of memory, which knows no objective, at "
        f"{ceiling['held_out']:.3f}.",
        f"With rewards on nodes the water port is worth {contrast['estimate']:.2f} more than the mean of the other "
        f"ends ({contrast['lower']:.2f} to {contrast['upper']:.2f}, bootstrap over recordings), yet "
        f"{places['rank_of_port_among_ends'] - 1} of the {places['ends']} ends come out above it: the reward of a node "
        "is no measure of how it attracts.",
        "Likelihoods are the same at every discount to "
        f"{max(row['range_of_log_likelihood'] for row in summary['discount'].values()):.0e} nats, so the data choose "
        "none, but the rewards depend on it; a constant is open in every family, and the parity of levels wherever "
        "bumps have a price.",
        f"Each of {corridors['candidates']} blocked corridors closes one dimension of rewards on states and actions, "
        f"and rank cannot say which is best. What water is worth is told by moving the port alone: "
        f"{ports['more']} trajectories with the port at node {moved['node']:.0f} bring its standard deviation from "
        f"{moved['deviation_same']:.2f} to {moved['deviation']:.2f}.",
    ]
