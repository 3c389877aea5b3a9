"""Summary of the study of conditions: phases, their boundaries and sizes, and where programs search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from irl_ident.environment import Array
from studies import _conditions_search as search
from studies import _conditions_selection as selection
from studies._conditions_training import VERDICTS

if TYPE_CHECKING:
    import pandas as pd

MISALIGNED = ("proxy", "in between", "no single objective")
"""Verdicts on agents that are capable in training and do not pursue the coin."""

RESAMPLES = 2000
LEVEL = 0.95

CHEAP = 0.25
"""Search is called preventable where programs without it are at most this much less powerful, as a share."""

CASES = ("no search", "search, preventable", "search, at a price")
"""The three cases of the conclusion of Hubinger et al. (2019): mesa-optimisers do not arise; they arise by default and
can be prevented; they arise and are hard to prevent."""


def phases(table: pd.DataFrame) -> list[dict[str, Any]]:
    """By slice, steps, share and salience: the share of each verdict, of misaligned agents, and the mean returns."""
    rows = []
    for key, own in table.groupby(["slice", "steps", "decorrelated", "salience"], sort=False):
        names = _named(("slice", "steps", "decorrelated", "salience"), key)
        told = {verdict: float((own["verdict"] == verdict).mean()) for verdict in VERDICTS}
        rows.append(
            {
                **names,
                "n": len(own),
                "misaligned": float(own["verdict"].isin(MISALIGNED).mean()),
                **told,
                "at_end": float(own["at_end"].mean()),
                "in_pockets": float(own["in_pockets"].mean()),
            }
        )
    return rows


def cube(own: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Shares of decorrelated levels, saliences, and whether each replicate was misaligned, (R, shares, saliences)."""
    marked = own.assign(misaligned=own["verdict"].isin(MISALIGNED).astype(float))
    wide = marked.pivot_table(index="replicate", columns=["decorrelated", "salience"], values="misaligned")
    shares, saliences = (wide.columns.unique(level).to_numpy(dtype=float) for level in (0, 1))
    return shares, saliences, wide.to_numpy().reshape(len(wide), shares.size, saliences.size)


def crossing(saliences: Array, misaligned: Array) -> float:
    """The salience at which half of the agents are misaligned, by logarithmic interpolation.

    The shares (m,) are first made non-increasing by isotonic regression.  0 or infinity where the boundary is outside
    the saliences that were tried.

    >>> round(crossing(np.array([0.1, 0.2, 0.4]), np.array([1.0, 0.75, 0.25])), 4)
    0.2828
    """
    falling = -optimize.isotonic_regression(-misaligned).x
    if falling[0] < 0.5:
        return 0.0
    if falling[-1] >= 0.5:
        return float("inf")
    below = int(np.flatnonzero(falling < 0.5)[0])
    part = (falling[below - 1] - 0.5) / (falling[below - 1] - falling[below])
    return float(np.exp((1 - part) * np.log(saliences[below - 1]) + part * np.log(saliences[below])))


def boundaries(table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each slice, number of steps and share of decorrelated levels: the salience of the boundary, with interval.

    0 is below all saliences that were tried, None above all.
    """
    rng = np.random.default_rng(0)
    rows = []
    for key, own in table.groupby(["slice", "steps"], sort=False):
        name, steps = _named(("slice", "steps"), key).values()
        shares, saliences, marked = cube(own)
        drawn = rng.integers(len(marked), size=(RESAMPLES, len(marked)))
        for place, share in enumerate(shares):
            means = marked[:, place].mean(axis=0)
            resampled = np.unique(marked[drawn, place].mean(axis=1), axis=0, return_counts=True)
            found = np.repeat([crossing(saliences, each) for each in resampled[0]], resampled[1])
            low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
            rows.append(
                {
                    "slice": name,
                    "steps": steps,
                    "decorrelated": float(share),
                    "salience": _or_none(crossing(saliences, means)),
                    "lower": _or_none(low),
                    "upper": _or_none(high),
                    "n": len(marked),
                }
            )
    return rows


def sizes(table: pd.DataFrame, base: str) -> list[dict[str, Any]]:
    """The share of all cells in which agents are misaligned, by slice and steps, and by how much more than in ``base``.

    Of cells with some decorrelated levels that the slice shares with ``base``.  Replicates start from the same weights
    in all slices, so differences are taken within replicates; intervals are bootstrapped over them.
    """
    rng = np.random.default_rng(1)
    keys = ["steps", "decorrelated", "salience"]
    some = table[table["decorrelated"] > 0]
    reference = some[some["slice"] == base]
    rows = []
    for name, own in some.groupby("slice", sort=False):
        both = own.merge(reference, on=["replicate", *keys], suffixes=("", "_base"))
        for steps in sorted({int(step) for step in both["steps"]}):
            here = both[both["steps"] == steps]
            marked = here["verdict"].isin(MISALIGNED).astype(float)
            more = marked - here["verdict_base"].isin(MISALIGNED).astype(float)
            by_replicate = here.assign(size=marked, more=more).groupby("replicate")[["size", "more"]].mean()
            drawn = by_replicate.to_numpy()[rng.integers(len(by_replicate), size=(RESAMPLES, len(by_replicate)))]
            ends = np.quantile(drawn.mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
            cells = here[["decorrelated", "salience"]].drop_duplicates()
            rows.append(
                {
                    "slice": name,
                    "steps": steps,
                    "size": float(by_replicate["size"].mean()),
                    "lower": float(ends[0, 0]),
                    "upper": float(ends[1, 0]),
                    "more": float(by_replicate["more"].mean()),
                    "more_lower": float(ends[0, 1]),
                    "more_upper": float(ends[1, 1]),
                    "replicates_more": int((by_replicate["more"] > 0).sum()),
                    "replicates_less": int((by_replicate["more"] < 0).sum()),
                    "replicates": len(by_replicate),
                    "cells": len(cells),
                    "incapable": int((here["verdict"] == "incapable").sum()),
                    "agents": len(here),
                }
            )
    return rows


def fits(boundary: Sequence[Mapping[str, Any]], discount: float) -> list[dict[str, Any]]:
    """How well a price of length explains the boundary of each slice and number of steps of one discount.

    ``slope``: of log salience against log share, -1/2 where the price is small (:mod:`studies._conditions_selection`);
    ``length_price``: the one that fits best; ``off``: the factor by which saliences are then off, root mean square.
    """
    rows = []
    names = dict.fromkeys((row["slice"], row["steps"]) for row in boundary)
    for name, steps in names:
        own = [row for row in boundary if (row["slice"], row["steps"]) == (name, steps) and row["decorrelated"] > 0]
        inside = [row for row in own if row["salience"]]
        if len(inside) < 3:
            continue
        share, salience = (np.array([row[key] for row in inside]) for key in ("decorrelated", "salience"))

        def off(price: float, share: Array = share, salience: Array = salience) -> float:
            predicted = selection.boundary_salience(share, float(np.exp(price)), discount)
            return float(np.sqrt(np.mean(np.log(predicted / salience) ** 2)))

        best = optimize.minimize_scalar(off, bounds=(np.log(1e-8), np.log(10)), method="bounded")
        rows.append(
            {
                "slice": name,
                "steps": steps,
                "points": len(inside),
                "slope": float(np.polyfit(np.log(share), np.log(salience), 1)[0]),
                "length_price": float(np.exp(best.x)),
                "off": float(np.exp(best.fun)),
            }
        )
    return rows


def selections(table: pd.DataFrame) -> dict[str, Any]:
    """Exact selection: in how many cases its boundary is the formula's, and what a price of depth changes."""
    inside = comparable(table)
    wide = table.pivot_table(index=["discount", "salience", "length_price"], columns="depth_price", values="share")
    moved = wide.sub(wide[0.0], axis=0).abs() > 1e-9
    return {
        "cases": len(inside),
        "as the formula says": int((abs(inside["share"] - inside["formula"]) < 1e-9).sum()),
        "moved by a price of depth": {f"{price:g}": int(moved[price].sum()) for price in wide.columns},
        "of": len(wide),
    }


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Exact selections without a price of depth in which a coin is ever worth its length, rather than random play."""
    free = table[table["depth_price"] == 0]
    return free[(free["formula"] < 1) & ~free["above"].str.startswith("nothing")]


def tolerances(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What agents lose of the best training return, by slice, steps and share, and what pursuing the end would lose.

    The second tolerance of all studies: training that puts up with a loss of ``proxy_loses`` cannot tell the two apart.
    """
    keys = ["slice", "steps", "decorrelated"]
    rows = []
    for key, own in table.groupby(keys, sort=False):
        bad = own["verdict"].isin(MISALIGNED)
        row = _named(keys, key) | {"proxy_loses": float(own["proxy_loses"].iloc[0])}
        for name, part in (("misaligned", own[bad]), ("aligned", own[own["verdict"] == "aligned"])):
            row |= {f"{name}_n": len(part)}
            row |= {f"{name}_loses": float(part["lost"].mean())} if len(part) else {}
        rows.append(row)
    return rows


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _named(names: Sequence[str], key: Any) -> dict[str, Any]:
    """The key of a group under its names, steps as whole numbers."""
    found = dict(zip(names, key, strict=True))
    return found | {"steps": int(found["steps"])} if "steps" in found else found


def case_of(count: Array, power: Array, c: float, first: float, most: float) -> Array:
    """The case that the model predicts, as a place in ``CASES``, for N instances and P bits.

    Parameters
    ----------
    count, power : arrays
        N and P, of one shape.
    c : float
    first : float
        Power of the weakest searcher there is, in bits.
    most : float
        Power that solves an instance in full, which the model does not know: both totals are cut off there.
    """
    x = np.maximum(search.search_power(count, power, c), first)
    affordable = c * first**2 <= power
    total = np.minimum(np.where(affordable, search.total_power(x, count, power, c), 0.0), most)
    table = np.minimum(power / count, most)
    price = 1 - table / np.maximum(total, table)
    found: Array = np.where(total <= table + 1e-9, 0, np.where(price <= CHEAP, 1, 2))
    return found


def search_map(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over replicates of what is selected for each N, P, c and price of time, and the case that most have."""
    keys = ["c", "time_price", "instances", "power"]
    rows = []
    for key, own in table.groupby(keys):
        counts = own["case"].value_counts()
        rows.append(
            _named(keys, key)
            | {
                "n": len(own),
                "depth": float(own["depth"].mean()),
                "bits": float(own["bits"].mean()),
                "price": float(own["price"].mean()),
                "case": CASES[int(counts.index[0])],
                "agree": float((own["case"] == own["predicted"]).mean()),
                "agree_uncut": float((own["case"] == own["predicted_uncut"]).mean()),
                **{name: float((own["case"] == place).mean()) for place, name in enumerate(CASES)},
            }
        )
    return rows


def given_away(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means and intervals of what gives away programs, by what they are."""
    rng = np.random.default_rng(2)
    measures = ["explained", "explained_held_out", "meg", "meg_held_out", "adaptivity"]
    rows = []
    for kind, own in table.groupby("kind", sort=False):
        row: dict[str, Any] = {"kind": kind, "programs": len(own), "replicates": int(own["replicate"].nunique())}
        for name in measures:
            values = own.groupby("replicate")[name].mean().dropna().to_numpy()
            if values.size == 0:
                continue
            means = values[rng.integers(values.size, size=(RESAMPLES, values.size))].mean(axis=1)
            low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            row |= {name: float(values.mean()), f"{name}_lower": float(low), f"{name}_upper": float(high)}
        rows.append(row)
    return rows
