"""Areas under the receiver operating characteristic: how well a score tells planners from tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from irl_ident.environment import Array

if TYPE_CHECKING:
    import pandas as pd

COUNTS = (1, 2, 4, 8)
KINDS = ("random", "as accurate", "frozen")
SCORES = ("explained", "things", "cells", "known", "pairs", "agent", "coherence", "adaptivity", "layout_bits")
FIRST_TRY = {1: 0.968, 2: 0.995, 4: 1.0, 8: 1.0}
"""Areas under the curve of an earlier experiment, MEG against tables, by number of layouts."""

RESAMPLES = 1000
DIGITS = 9


def area(positive: npt.ArrayLike, negative: npt.ArrayLike) -> float:
    """The probability that a positive scores above a negative, ties counting half (Mann & Whitney 1947).

    >>> area([2, 3], [1, 2])
    0.875
    """
    high, low = np.asarray(positive, dtype=float), np.asarray(negative, dtype=float)
    ranks = stats.rankdata(np.concatenate([high, low]))
    return float((ranks[: high.size].sum() - high.size * (high.size + 1) / 2) / (high.size * low.size))


def areas(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The area for each score, kind of table and number of layouts: tables against the planners that they are like.

    Scores that are the same to ``DIGITS`` decimals tie.  The interval (95 %) is of a bootstrap of the objectives, with
    all systems of an objective drawn together.
    """
    rows = []
    for count in sorted(table["layouts"].unique().tolist()):
        here = table[table["layouts"] == count]
        for score in (name for name in SCORES if here.get(name) is not None and here[name].notna().all()):
            values = here.assign(score=_per_choice(here, score).round(DIGITS))
            wide = values.set_index(["replicate", "kind", "system"])["score"].unstack(["kind", "system"])
            for kind in KINDS:
                like = [name for name in wide[kind].columns if name in wide["planner"].columns]
                low = wide[kind].to_numpy()
                high = wide["planner"][like or list(wide["planner"].columns)].to_numpy()
                bounds = _bootstrap(high, low)
                rows.append(
                    {
                        "score": score,
                        "kind": kind,
                        "layouts": count,
                        "area": area(high.ravel(), low.ravel()),
                        "lower": float(bounds[0]),
                        "upper": float(bounds[1]),
                        "objectives": len(high),
                        "planners": int(high.size),
                        "tables": int(low.size),
                    }
                )
    return rows


def _per_choice(table: pd.DataFrame, score: str) -> pd.Series[float]:
    """Nats as a share of the most that this many choices can have; other scores as they are."""
    if score in ("things", "cells", "known", "pairs"):
        return table[score] / table["most"]
    return table[score]


def _bootstrap(high: Array, low: Array) -> Array:
    """Ends of the interval from scores by objective and system, (n, h) and (n, l)."""
    above = (high[:, None, :, None] > low[None, :, None, :]).mean(axis=(2, 3))
    level = (high[:, None, :, None] == low[None, :, None, :]).mean(axis=(2, 3))
    drawn = np.random.default_rng(0).multinomial(len(high), np.full(len(high), 1 / len(high)), RESAMPLES)
    found = ((drawn @ (above + 0.5 * level)) * drawn).sum(axis=1) / len(high) ** 2
    return np.asarray(np.quantile(found, [0.025, 0.975]))
