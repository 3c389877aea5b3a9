"""Tables of ``docs/performance.md``, made of what was stored.

A table stands between ``<!-- made: TOPIC NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import growth, records
from benchmarks.comparisons import COMPARISONS
from benchmarks.records import Ratio, Row

BLOCK = re.compile(r"(<!-- made: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Makers = dict[str, Callable[[Path], str]]
OWN: Makers = {
    "aims": lambda folder: aims(folder),
    "growth": growth.table,
    "machine": lambda folder: machine(folder),
}
"""Topics whose tables are not of the common form."""


def number(value: Any) -> str:
    """Two digits of small numbers, all of whole ones."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        mantissa, _, power = f"{value:.0e}".partition("e")
        return f"{mantissa}e{int(power)}"
    return f"{float(f'{value:.2g}'):,.10g}"


def ratio(given: Ratio) -> str:
    """The median, and the range where there is one."""
    if given.bound:
        return f"above {number(given.least)}"
    spread = f" ({number(given.least)} to {number(given.greatest)})" if given.rounds > 1 else ""
    return number(given.middle) + spread


def table(rows: list[Row]) -> str:
    """One line for each case: the case, ours and what it found, each peer and what it found, and the ratio."""
    unit = rows[0].unit
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    heads = [*rows[0].case, f"ours, {unit}", *rows[0].found]
    for peer in peers:
        heads += [f"{peer}, {unit}", *_found(rows, peer), "ratio"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [*row.case.values(), median(row.seconds), *(row.found.get(name, "") for name in rows[0].found)]
        for peer in peers:
            if peer in row.peers:
                theirs = median(seconds for seconds, _ in row.peers[peer])
                cells += [theirs, *(row.peers_found[peer].get(name, "") for name in _found(rows, peer))]
                cells.append(ratio(row.ratio(peer)))
            else:
                cells += [""] * (2 + len(_found(rows, peer)))
        lines.append("| " + " | ".join(number(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def made(text: str, folder: Path, own: Makers) -> str:
    """``text`` with all its tables made anew from the files in ``folder``."""

    def block(found: re.Match[str]) -> str:
        topic, _, name = found[2].partition(" ")
        if topic in own:
            content = own[topic](folder)
        else:
            path = folder / f"{topic}.json"
            rows = records.rows(records.read(path), name) if path.exists() else []
            content = table(rows) if rows else "Not measured.\n"
        return f"{found[1]}{content}\n{found[3]}"

    return BLOCK.sub(block, text)


def _found(rows: list[Row], peer: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.peers_found.get(peer, {})))


def machine(folder: Path) -> str:
    """When, on what, and with which versions each file was made."""
    topics: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(folder.glob("*.json")):
        stored = records.read(path)
        info = stored["machine_info"]
        versions = ", ".join(f"{name} {version}" for name, version in info["versions"].items())
        key = stored["datetime"][:10], stored["size"], str(info["processors"]), info["python"], versions
        topics.setdefault(key, []).append(path.stem)
    lines = ["| topics | date | size | processors | Python | libraries |", "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join([", ".join(names), *key]) + " |" for key, names in topics.items()]
    return "\n".join(lines) + "\n"


def aims(folder: Path) -> str:
    """The cases in which a median stayed below what was aimed at."""
    lines = []
    for each in COMPARISONS:
        for row, found in each.ratios(folder):
            if each.aim is not None and found.middle < each.aim and not found.bound:
                case = ", ".join(f"{name} {number(value)}" for name, value in row.case.items())
                label = each.label.replace("\n", " ")
                lines.append(f"- {label} ({case}): {number(found.middle)}, aim {each.aim:g}.")
    return "\n".join(lines or ["Nothing in this run."]) + "\n"
