"""What a run stored, and the arithmetic on it: medians, ratios round by round, lower bounds, exponents.

A *file* is the JSON of one topic: ``datetime``, ``size``, ``machine_info`` and ``benchmarks``.  A benchmark has a
``name``, a ``case``, ``seconds`` of ours, one for each round, what was ``found``, and ``peers`` with seconds of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from scipy import stats


class Ratio(NamedTuple):
    """A peer's time over ours: median over rounds, least and greatest; whether it is only a lower bound."""

    middle: float
    least: float
    greatest: float
    bound: bool
    rounds: int


class Exponent(NamedTuple):
    """Slope of ``log seconds`` over ``log size``, with a 95 % interval; over sizes from ``first`` to ``last``."""

    slope: float
    lower: float
    upper: float
    sizes: int
    first: float
    last: float


@dataclass(frozen=True)
class Row:
    """All rounds of one case.

    Parameters
    ----------
    case, found : dict
        By the headings of columns.
    unit : str
        Of ``seconds``.
    seconds : tuple of float
        Of ours, a round each.
    peers : dict of str to tuple of (float, bool)
        Seconds of a peer in the same rounds, and whether it came to its end.
    peers_found : dict of str to dict
    """

    case: dict[str, Any]
    found: dict[str, Any]
    unit: str
    seconds: tuple[float, ...]
    peers: dict[str, tuple[tuple[float, bool], ...]]
    peers_found: dict[str, dict[str, Any]]

    def ratio(self, peer: str) -> Ratio:
        """What ``peer`` takes for one second of ours."""
        return ratio(self.seconds, self.peers[peer])


def ratio(ours: Sequence[float], peer: Sequence[tuple[float, bool]]) -> Ratio:
    """The ratio of paired rounds; a lower bound as soon as the peer was stopped in one of them."""
    each = [theirs / mine for mine, (theirs, _) in zip(ours, peer, strict=True)]
    return Ratio(median(each), min(each), max(each), not all(finished for _, finished in peer), len(each))


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Exponent:
    """Fit ``seconds = c size ** slope`` by least squares of the logarithms.

    Parameters
    ----------
    sizes, seconds : sequence of float
        Above 0; at least three different sizes.

    Returns
    -------
    Exponent
        The interval is Student's, with two degrees of freedom fewer than there are points: it tells how far the points
        are from one power law.
    """
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(seconds, dtype=float))
    if len(set(sizes)) < 3:
        raise ValueError(f"sizes: should hold at least three different ones, were {list(sizes)}")
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    left = y - y.mean() - slope * centred
    error = np.sqrt(left @ left / (x.size - 2) / (centred @ centred))
    half = float(stats.t.ppf(0.975, x.size - 2) * error)
    return Exponent(slope, slope - half, slope + half, x.size, float(min(sizes)), float(max(sizes)))


def read(path: Path) -> dict[str, Any]:
    """A stored file."""
    stored: dict[str, Any] = json.loads(path.read_text())
    return stored


def rows(stored: dict[str, Any], name: str) -> list[Row]:
    """Rows of the benchmark ``name`` in the order in which they ran; equal cases become one row."""
    found: dict[str, Row] = {}
    for each in stored["benchmarks"]:
        if each["name"] != name:
            continue
        key = json.dumps(each["case"])
        peers = {peer: tuple(zip(run["seconds"], run["finished"], strict=True)) for peer, run in each["peers"].items()}
        before = found.get(key)
        found[key] = Row(
            each["case"],
            _worst(before.found if before else {}, each.get("found", {})),
            each["unit"],
            (before.seconds if before else ()) + tuple(each["seconds"]),
            {peer: (before.peers[peer] if before else ()) + laps for peer, laps in peers.items()},
            {
                peer: _worst(before.peers_found[peer] if before else {}, run["found"])
                for peer, run in each["peers"].items()
            },
        )
    return list(found.values())


def names(stored: dict[str, Any]) -> list[str]:
    """Names of the benchmarks in a file."""
    return list(dict.fromkeys(each["name"] for each in stored["benchmarks"]))


def save(stored: dict[str, Any], path: Path) -> None:
    """Write a file with a benchmark on each line, six digits of every time."""
    head = {key: value for key, value in stored.items() if key != "benchmarks"}
    lines = ",\n".join("  " + json.dumps(_rounded(each)) for each in stored["benchmarks"])
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(head, indent=1)[:-2] + ',\n "benchmarks": [\n' + lines + "\n ]\n}\n")
    partial.replace(path)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, Iterable) and not isinstance(value, str) else value


def _worst(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Of numbers the greater one, of words the later one."""
    numbers = (int, float)
    return {
        key: max(before[key], value) if isinstance(value, numbers) and isinstance(before.get(key), numbers) else value
        for key, value in now.items()
    }
