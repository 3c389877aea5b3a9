"""Figure of the study of meta-learned agents: returns, objectives, kinds of tasks, and a cue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import figures
from studies import _meta_learning as worlds
from studies import _meta_learning_cue as cues
from studies._meta_learning_recovered import LEVEL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = figures.COLOURS
KINDS = {
    "soft Bayes": ("soft Bayes agent", INK["blue"]),
    "believes it rare": ("agent that believes\nthe token rare", INK["green"]),
    worlds.BRIEF: ("network,\ntrained briefly", INK["orange"]),
    worlds.NETWORK: ("network", INK["vermilion"]),
    worlds.UNSEEN: ("network, token\nnever shown", INK["purple"]),
}
"""Learners whose estimates are drawn by kind of tasks."""

CUED = {
    "ignores the cue": "ignores\nthe cue",
    "believes the cue": "believes\nthe cue",
    "paid for the cue": "is paid\nfor it",
    "cue network": "networks",
}
NAMED = {
    "random": "0.6",
    "Thompson": INK["sky"],
    "greedy": INK["green"],
    "Gittins": INK["blue"],
    "RL$^2$": INK["vermilion"],
}
STRATEGIES = {
    "random": NAMED["random"],
    "Thompson": NAMED["Thompson"],
    "PSRL": NAMED["Thompson"],
    "greedy": NAMED["greedy"],
    "Gittins": NAMED["Gittins"],
    "RL^2": NAMED["RL$^2$"],
}
"""Colours of learners; posterior sampling (PSRL) is Thompson sampling in MDPs."""

FARTHEST = 0.62
"""Estimates farther from the truth are drawn at the edge."""


def figure(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Returns, objectives and the cue above, kinds of tasks below."""
    drawn, whole = figures.panels(1, 1, width=figures.DOUBLE, height=5.3)
    whole[0, 0].remove()
    halves: Any = drawn.subfigures(2, 1, height_ratios=(1.25, 1))
    returns, pursued, cue = halves[0].subplots(1, 3, width_ratios=(1, 1.05, 1.05))
    draw_returns(returns, summary["table"])
    draw_pursued(pursued, table, summary)
    draw_cue(cue, summary["cue"])
    by_tasks = halves[1].subplots(1, len(KINDS), sharey=True)
    draw_tasks(by_tasks, table)
    figures.panel_letters([returns, pursued, cue, by_tasks[0]])
    return drawn


def draw_returns(ax: Axes, rows: list[Mapping[str, Any]]) -> None:
    """Rewards won, from those of random play to those of the published network; ours filled, theirs open."""
    setups = [row["setup"] for row in rows if row["learner"] == "RL^2" and row["mean"] is not None]
    for place, setup in enumerate(setups):
        own = {row["learner"]: row for row in rows if row["setup"] == setup}
        low, high = own["random"]["published"], own["RL^2"]["published"]
        ax.axhline(place, color="0.9", linewidth=0.5, zorder=0)
        for learner, colour in STRATEGIES.items():
            if learner not in own:
                continue
            row = own[learner]
            theirs = (row["published"] - low) / (high - low)
            ax.plot(theirs, place - 0.13, "o", markerfacecolor="white", color=colour, markersize=4, zorder=2)
            if row["mean"] is not None:
                ours, error = (row["mean"] - low) / (high - low), 1.96 * row["standard_error"] / (high - low)
                ax.errorbar(
                    ours, place + 0.13, xerr=error, fmt="o", color=colour, markersize=4, linewidth=0.8, zorder=3
                )
        own_mean, published = own["RL^2"]["mean"], own["RL^2"]["published"]
        ax.text(1.22, place, f"{own_mean:.1f} / {published:.1f}", ha="left", va="center", fontsize=6)
    ax.text(1.22, -0.65, "RL$^2$, ours\n/ theirs", ha="left", va="center", fontsize=6)
    for place, (words, colour) in enumerate(NAMED.items()):
        ax.text(
            (-0.18, 0.3, 0.76)[place % 3], -0.82 + 0.27 * (place // 3), words, color=colour, fontsize=6, va="center"
        )
    ax.axvline(1, color="0.7", linewidth=0.6, zorder=0, ymax=0.8)
    ax.set_yticks(range(len(setups)), [setup.replace(", ", "\n") for setup in setups], fontsize=6)
    ax.set(ylim=(len(setups) - 0.5, -1.0), xlim=(-0.2, 1.2), xticks=[0, 1])
    ax.set_xticklabels(["random\nplay", "their\nRL$^2$"], fontsize=6.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_title("reward won\n(filled: ours, open: Duan et al.)", fontsize=7)


def draw_pursued(ax: Axes, table: pd.DataFrame, summary: Mapping[str, Any]) -> None:
    """What learners seem to pursue against what they were built or trained for, over what training tolerates."""
    known = summary["tolerated"]
    x = np.array([row["true_theta"] for row in known])
    for share, shade in ((2, "0.92"), (1, "0.84")):
        low, high = (np.array([row[f"tolerated_{share}_{end}"] for row in known]) for end in ("lower", "upper"))
        ax.fill_between(x, low, high, color=shade, linewidth=0, zorder=0)
        ax.text(0.985, float(low[-1]) + 0.02, f"costs ≤ {share} %", fontsize=6, color="0.4", ha="right", va="bottom")
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.6, zorder=1)
    sets = table[(table["part"] == "built") & (table["kind"] == "exact Bayes")]
    sets = sets[sets["tasks"] == sets["tasks"].max()]
    ax.plot(sets["true_theta"], (sets["set_lower"] + sets["set_upper"]) / 2, "k_", markersize=6, zorder=2)
    seen = table[(table["probe"] == worlds.AS_TRAINED) & table["estimate"].notna()]
    rng = np.random.default_rng(0)
    for kind in ("soft Bayes", worlds.BRIEF, worlds.NETWORK):
        own = seen[seen["kind"] == kind]
        label, colour = KINDS[kind]
        shift = 0.0 if kind == "soft Bayes" else rng.uniform(-0.025, 0.025, len(own))
        error = np.maximum(np.array([own["estimate"] - own["lower"], own["upper"] - own["estimate"]], dtype=float), 0)
        ax.errorbar(
            own["true_theta"] + shift,
            own["estimate"],
            yerr=error,
            fmt="o",
            color=colour,
            markersize=2.6,
            linewidth=0.7,
            zorder=3,
        )
    for place, (label, colour) in enumerate(
        [("exact Bayes agent (set)", "black"), *(KINDS[k] for k in ("soft Bayes", worlds.BRIEF, worlds.NETWORK))]
    ):
        text = label.replace("\n", " ")
        ax.text(0.03, 0.97 - 0.07 * place, text, color=colour, fontsize=6, transform=ax.transAxes, va="top")
    ax.set(
        xlim=(0, 1),
        ylim=(-0.3, 1.5),
        yticks=[0, 0.5, 1, 1.5],
        xlabel="theta built in or trained for",
        ylabel="theta that it seems to pursue",
    )
    ax.set_title("what it seems to pursue\n(200 tasks as in training, 95 %)", fontsize=7)


def draw_cue(ax: Axes, rows: list[Mapping[str, Any]]) -> None:
    """The share of choices that tokens explain, and what pay for following the cue, or belief in it, adds."""
    found = {(row["kind"], row["cue"], row["model"]): row for row in rows}
    left = 0.0
    ticks = []
    for kind, label in CUED.items():
        for place, when in enumerate(cues.AGREEMENTS):
            alone, paid, believed = (found[kind, when, model]["explained"] for model in cues.MODELS)
            at = left + 0.8 * place
            ax.bar(at, alone, width=0.7, color="0.75")
            ax.bar(at, paid - alone, bottom=alone, width=0.7, color=INK["vermilion"])
            ax.plot([at - 0.35, at + 0.35], [believed, believed], color=INK["blue"], linewidth=1.2)
            ticks.append((at, ("the truth", "nothing", "a lie")[place]))
        ax.text(left + 0.8, 1.03, label, ha="center", va="bottom", fontsize=6)
        left += 3.0
    lost = found["cue network", "always wrong", "paid"]["true_lost"]
    for place, (words, colour) in enumerate(
        (("tokens alone", "0.5"), ("+ paid for following it", INK["vermilion"]), ("or it is believed", INK["blue"]))
    ):
        ax.text(-0.4, 0.98 - 0.075 * place, words, fontsize=6, color=colour, va="top")
    ax.set_xticks([at for at, _ in ticks], [word for _, word in ticks], rotation=90, fontsize=6)
    ax.set(
        ylim=(0, 1.0),
        yticks=[0, 0.5, 1],
        xlabel=f"what the cue says\n(a lie: networks lose {lost:.0%})",
    )
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("share of choices explained")
    ax.set_title("is a cue believed, or pursued?", fontsize=7, pad=22)


def draw_tasks(axes: Any, table: pd.DataFrame) -> None:
    """Errors of estimates by kind of tasks, for each kind of learner."""
    seen = table[table["estimate"].notna() & table["part"].isin(["built", "network", "retrained"])]
    names = list(worlds.PROBES)
    rng = np.random.default_rng(1)
    for ax, (kind, (label, colour)) in zip(axes, KINDS.items(), strict=True):
        own = seen[seen["kind"] == kind]
        ax.axhline(0, color="black", linewidth=0.6, zorder=1)
        for place, name in enumerate(names):
            off = (own.loc[own["probe"] == name, "estimate"] - own.loc[own["probe"] == name, "true_theta"]).to_numpy()
            shown = np.clip(off.astype(float), -FARTHEST, FARTHEST)
            ax.plot(place + rng.uniform(-0.18, 0.18, len(shown)), shown, "o", color=colour, markersize=2.4, alpha=0.6)
            ax.plot([place - 0.32, place + 0.32], [off.mean()] * 2, color=colour, linewidth=1.6)
        together = own[own["probe"] == "all"]
        tests, deep = together["p_value"] < LEVEL, together["depth_p_value"] < LEVEL
        ax.set_title(f"{label}", fontsize=6.5, color=colour)
        ax.text(
            0.5,
            0.02,
            f"disagree: {int(tests.sum())} of {len(tests)}\n(at its best depth: {int(deep.sum())})",
            transform=ax.transAxes,
            ha="center",
            va="bottom",
            fontsize=6,
        )
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
        ax.set(ylim=(-FARTHEST - 0.3, FARTHEST + 0.05), xlim=(-0.6, len(names) - 0.4))
    axes[0].set_ylabel("theta that it seems to pursue,\nless the one built in or trained for")
