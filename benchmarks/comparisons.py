"""What the summary compares, and what was aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import records
from benchmarks.records import Ratio, Row


@dataclass(frozen=True)
class Comparison:
    """A line of the summary: rows of one benchmark beside one peer that have ``where`` in their case."""

    label: str
    topic: str
    name: str
    peer: str
    where: tuple[tuple[str, Any], ...] = ()
    aim: float | None = None

    def ratios(self, folder: Path) -> list[tuple[Row, Ratio]]:
        """Cases with their ratios."""
        path = folder / f"{self.topic}.json"
        rows = records.rows(records.read(path), self.name) if path.exists() else []
        chosen = [row for row in rows if all(row.case[key] == value for key, value in self.where)]
        return [(row, row.ratio(self.peer)) for row in chosen if self.peer in row.peers]


COMPARISONS = (
    Comparison("optimal plan, QuantEcon\n(ours to 1e-9)", "planning", "optimal", "QuantEcon", (("asked", 1e-9),)),
    Comparison("support function, HiGHS,\nfirst direction", "support", "direction", "HiGHS", (("start", "cold"),)),
    Comparison("support function, HiGHS,\nlater directions", "support", "direction", "HiGHS", (("start", "warm"),)),
    Comparison(
        "support function, HiGHS,\nfrom evidence, 10,000 states", "support", "whole", "HiGHS", (("states", 10_000),), 10
    ),
    Comparison(
        "MaxEnt, imitation\nat its learning rate .01",
        "maxent",
        "over_a_horizon",
        "imitation",
        (("learning rate", 0.01),),
        100,
    ),
    Comparison(
        "MaxEnt, imitation\ntuned, to 1e-2 nats",
        "maxent",
        "over_a_horizon",
        "imitation",
        (("learning rate", 0.3), ("gap asked", 1e-2)),
    ),
    Comparison(
        "MaxEnt, imitation\ntuned, to 1e-6 nats",
        "maxent",
        "over_a_horizon",
        "imitation",
        (("learning rate", 0.3), ("gap asked", 1e-6)),
    ),
    Comparison("MaxEnt, irl-maxent", "maxent", "without_horizon", "irl-maxent", (), 100),
    Comparison(
        "Bayesian, soft-optimal,\nplain Metropolis", "bayesian", "posterior", "plain chain", (("agent", "soft"),), 100
    ),
    Comparison(
        "Bayesian, Boltzmann,\nplain Metropolis", "bayesian", "posterior", "plain chain", (("agent", "boltzmann"),), 100
    ),
    Comparison(
        "Bayesian, epsilon-noisy,\nplain Metropolis", "bayesian", "posterior", "plain chain", (("agent", "noisy"),), 100
    ),
    Comparison("decision, Python loops", "decision", "maximin_regret", "loops", (), 50),
    Comparison("decision, numpy one by one", "decision", "maximin_regret", "arrays"),
)
