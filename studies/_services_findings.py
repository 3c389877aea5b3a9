"""What the study of services found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from studies import _services as measures
from studies.wording import series, unmet

DOWN = "bits fall or stay, down the layers of a chain and in its leaf"
"""The claim that the data-processing inequality makes."""

OPTIMAL = measures.leaf_name(None)
SHORT = measures.leaf_name(3)


def findings(summary: Mapping[str, Any]) -> list[str]:
    """Bits by depth, what designed objectives win, whose objective is recovered, and which layer it is."""
    floors = max(row["floors"] for row in summary["bits"])
    bits = {
        (row["leaf"], row["menu"], row["depth"]): row
        for row in summary["bits"]
        if row["floors"] == floors and row["menus"] == "own"
    }
    shared = {
        (row["leaf"], row["menu"], row["depth"]): row
        for row in summary["bits"]
        if row["floors"] == floors and row["menus"] == "shared"
    }
    most, deepest = max(measures.MENUS), max(measures.DEPTHS)
    plans = [bits[OPTIMAL, most, depth] for depth in measures.DEPTHS]
    sees = [bits[SHORT, most, depth] for depth in measures.DEPTHS]
    small = bits[OPTIMAL, min(measures.MENUS), deepest]
    seen = {
        "all" if leaf == OPTIMAL else leaf.split()[1]: leaf
        for leaf in dict.fromkeys(row["leaf"] for row in bits.values())
    }
    inside = next(row for row in summary["claims"] if row["claim"] == DOWN)
    won = {(row["leaf"], row["menu"]): row for row in summary["internal"]}
    return [
        f"Of the {np.log2(measures.CANDIDATES):.0f} bits that tell {measures.CANDIDATES} objectives of the top apart, "
        f"behaviour on {floors} floors of a leaf that plans optimally holds {series(row['bits'] for row in plans)} "
        f"after {series(measures.DEPTHS, 'd')} layers with menus of {most} (last: {_interval(plans[-1], 'bits')}; "
        f"{plans[0]['bits_n']} draws), and {small['bits']:.2f} after {deepest} with menus of {min(measures.MENUS)}; "
        f"one menu for all layers loses nothing after the first ({shared[OPTIMAL, most, 1]['bits']:.2f} after one "
        f"layer, {shared[OPTIMAL, most, deepest]['bits']:.2f} after {deepest}). Down the layers of one chain bits "
        f"never rise ({inside['held']} of {inside['of']}), as they must not; between chains of different lengths "
        "nothing forbids it.",
        f"Delegation can also reveal more: a leaf that sees 3 steps holds {sees[0]['bits']:.2f} bits "
        f"({_interval(sees[0], 'bits')}) when it pursues the top's own objective, and {sees[1]['bits']:.2f} "
        f"({_interval(sees[1], 'bits')}) when it is handed the best of {most}, because then it goes to what it cannot "
        f"see; the top wins {won[SHORT, 0]['won']:.0%} of what there is to win with its own objective and "
        f"{won[SHORT, most]['won']:.0%} with the best of {most}, while for a leaf that plans optimally no other "
        f"objective wins more ({won[OPTIMAL, most]['other_chosen']:.0%} of tops choose another). Leaves that see "
        f"{' / '.join(seen)} steps hold {series(bits[leaf, most, deepest]['bits'] for leaf in seen.values())} bits "
        f"after {deepest} layers.",
        _recovered(summary),
        _located(summary),
        *unmet(summary["claims"]),
    ]


def _recovered(summary: Mapping[str, Any]) -> str:
    floors = max(row["floors"] for row in summary["recovered"])
    by = {
        (row["leaf"], row["model"], row["layer"]): row
        for row in summary["recovered"]
        if row["floors"] == floors and "distance" in row
    }
    told = {(row["leaf"], row["floors"]): row for row in summary["explained"] if row["model"] == "optimal, any reward"}
    last = max(layer for _, _, layer in by)
    right, taken = by[SHORT, SHORT, last], by[SHORT, OPTIMAL, last]
    alone, all_ = told[SHORT, 1], told[SHORT, floors]
    return (
        "What inverse RL recovers is the objective that the leaf was handed: with the right model of its planner it is "
        f"{right['distance']:.3f} ({_interval(right, 'distance', 3)}) away (STARC, 0 to 2) from the leaf's and "
        f"{by[SHORT, SHORT, 0]['distance']:.2f} from the top's ({right['distance_n']} draws, 3 steps seen, {floors} "
        f"floors); if it is taken for optimal, the best match is {taken['distance']:.2f} away from the leaf's. Some "
        f"reward of an optimal leaf explains a single floor in {alone['explained']:.0%} of draws, and {floors} floors "
        f"in {all_['explained']:.0%}: only several floors show that the model is wrong."
    )


def _located(summary: Mapping[str, Any]) -> str:
    rows = {(row["leaf"], row["depth"]): row for row in summary["hidden"]}
    one = rows[OPTIMAL, 8]
    wrong = {row["leaf"]: row for row in summary["wrong_lab"]}
    return (
        "Which of 8 layers wants something else cannot be told from floors on which its wish does not show: of "
        f"{one['bits_of_layer']:.2f} bits, training floors hold {one['bits_training']:.2f}, {measures.FRESH} more like "
        f"them {one['bits_closed']:.2f}, floors that do show it {one['bits_open']:.2f} ({_interval(one, 'bits_open')}; "
        f"{one['bits_open_n']} draws), one look at an objective that is handed down {one['bits_one_handed']:.2f}, and "
        f"bisection finds the layer in {one['found']:.0%} of cases with at most {one['watched']:.0f} looks. (Of all "
        f"other wishes {one['shown_nowhere']:.0%} change nothing anywhere, {one['shown_training_floors']:.0%} show on "
        "training floors; bits are about the rest.) Without "
        f"any such layer the leaf already wants what the top does not in {wrong[SHORT]['wrong']:.0%} of chains whose "
        f"leaf sees 3 steps, and in {wrong[OPTIMAL]['wrong']:.0%} of those whose leaf plans optimally."
    )


def _interval(row: Mapping[str, Any], name: str, digits: int = 2) -> str:
    return f"{row[f'{name}_lower']:.{digits}f} to {row[f'{name}_upper']:.{digits}f}"
