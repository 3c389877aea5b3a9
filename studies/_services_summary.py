"""The summary of the study of services: claims, and means with bootstrap intervals over draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import figures
from irl_ident.environment import Array, Mask
from studies import _services as measures
from studies._services_findings import DOWN

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-9
OPTIMAL = measures.leaf_name(None)


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Claims, bits, what is won, what is recovered, and which layer it is."""
    parts = {str(name): own.dropna(axis=1, how="all") for name, own in table.groupby("part")}
    return {
        "claims": claims(parts),
        "bits": means(parts["bits"], ["leaf", "menus", "menu", "depth", "floors"], ["bits", "within_reach", "served"]),
        "internal": means(parts["internal"], ["leaf", "menu"], ["won", "other_chosen"]),
        "recovered": means(parts["recovered"], ["leaf", "floors", "model", "layer"], ["distance"]),
        "explained": means(
            parts["recovered"][parts["recovered"]["layer"] == 0],
            ["leaf", "floors", "model"],
            ["explained", "agreement", "members"],
        ),
        "hidden": means(parts["hidden"], ["leaf", "depth"], HIDDEN),
        "wrong_lab": means(wrong_lab(parts["hidden"]), ["leaf"], ["wrong"]),
    }


HIDDEN = [
    *("shown_training_floors", "shown_open_floors", "shown_choices_alone", "shown_nowhere"),
    *("bits_of_layer", "bits_training", "bits_closed", "bits_open", "bits_one_handed", "bits_all_handed"),
    *("found", "watched"),
]


def wrong_lab(table: pd.DataFrame) -> pd.DataFrame:
    """Whether the leaf of a chain without any misaligned layer wants into the lab, which the top wants left alone."""
    return table.assign(wrong=(table["true_lab_worth_leaf"] * table["true_lab_worth_top"] < 0).astype(float))


def means(table: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The mean of each column with its interval, by ``keys``; n counts draws without those that have no value."""
    rows: list[dict[str, Any]] = []
    by_length: dict[int, list[tuple[dict[str, Any], str, Array]]] = {}
    for key, own in table.groupby(list(keys), sort=False):
        rows.append({name: _plain(value) for name, value in zip(keys, key, strict=True)})
        for column in columns:
            given = np.asarray(own[column], dtype=np.float64)
            values: Array = given[np.isfinite(given)]
            rows[-1][f"{column}_n"] = len(values)
            by_length.setdefault(len(values), []).append((rows[-1], column, values))
    for length, wanted in by_length.items():
        if length > 1:
            band = figures.mean_interval(np.column_stack([values for _, _, values in wanted]))
            for place, (row, column, _) in enumerate(wanted):
                for end, found in zip(("", "_lower", "_upper"), band, strict=True):
                    row[f"{column}{end}"] = round(float(found[place]), 6)
    return rows


def _plain(value: Any) -> Any:
    """A key as a whole number or a string."""
    return value if isinstance(value, str) else int(value)


def claims(parts: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    bits, internal, found, hidden = (parts[name] for name in ("bits", "internal", "recovered", "hidden"))
    own = bits[bits["menus"] == "own"]
    below = bits[bits["depth"] > 0]
    by_depth = own[own["floors"] == own["floors"].max()].pivot_table(
        index=["leaf", "menu", "draw"], columns="depth", values="bits"
    )
    reach = own[own["depth"] > 0].pivot_table(index=["leaf", "menu", "draw"], columns="depth", values="within_reach")
    short = by_depth.index.get_level_values("leaf") != OPTIMAL
    first = by_depth[1] <= by_depth[0] + ROUNDING
    later = np.diff(by_depth[[depth for depth in by_depth if depth > 0]].to_numpy(), axis=1) <= ROUNDING
    most = found[found["floors"] == found["floors"].max()]
    nearest = most[most["model"] == most["leaf"]].pivot_table(
        index=["leaf", "draw"], columns="layer", values="distance"
    )
    wrong = most[(most["leaf"] != OPTIMAL) & (most["layer"] == 0)]
    located = hidden[hidden["layers"] > 1]
    offered = internal[internal["menu"] == internal["menu"].max()]
    optimal = offered["leaf"] == OPTIMAL
    told: dict[str, Any] = {
        DOWN: down_the_layers(below),
        "bits are at most the log2 of the menu": below["bits"] <= np.log2(below["menu"]) + ROUNDING,
        "what a chain can end in only shrinks with its layers": np.diff(reach.to_numpy(), axis=1) <= 0,
        "bits fall or stay with another layer, from the first menu on": later,
        "bits fall from no menu to one, leaf plans optimally": first[~short],
        "bits fall from no menu to one, leaf looks only so far ahead": first[short],
        "the own objective is served best by a leaf that plans optimally and pursues it": (
            offered[optimal]["other_chosen"] == 0
        ),
        "another objective than the own serves better where the leaf looks only so far ahead": (
            offered[~optimal]["other_chosen"] > 0
        ),
        "with the right planner, what is recovered is nearest to what the leaf was handed": (
            nearest.to_numpy().argmin(axis=1) == nearest.shape[1] - 1
        ),
        "taken for optimal, a short-sighted leaf is explained by no reward of the family": (
            ~wrong[wrong["model"] == "optimal, any reward"]["explained"].astype(bool)
        ),
        "training floors hold no bits of which layer it is": located["bits_training"] < ROUNDING,
        "more floors like the training floors hold no bits of which layer it is": located["bits_closed"] < ROUNDING,
        "floors with the lab open do not tell which layer it is": (
            located["bits_open"] < located["bits_of_layer"] - ROUNDING
        ),
        "bisection finds the layer": located["found"] == 1,
        "bisection watches at most log2 of the layers": located["watched"] <= np.ceil(np.log2(located["depth"])),
    }
    return [{"claim": claim, "held": int(np.sum(held)), "of": int(np.size(held))} for claim, held in told.items()]


def down_the_layers(table: pd.DataFrame) -> Mask:
    """Whether bits never rise from the top's own through what is handed to each layer to the leaf's behaviour."""
    columns = sorted(name for name in table.columns if name.startswith("handed_"))
    course = np.column_stack([table[columns].to_numpy(), table["bits"].to_numpy()])
    held = []
    for line in course:
        steps = line[np.isfinite(line)]
        held.append((np.diff(steps) <= ROUNDING).all())
    return np.array(held)
