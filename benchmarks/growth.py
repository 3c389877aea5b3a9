"""Growth exponents of the operations that :mod:`benchmarks.bench_growth` timed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import records
from benchmarks.records import Exponent, exponent


@dataclass(frozen=True)
class Growth:
    """Median seconds of one operation over one size, and the power law fitted to them."""

    operation: str
    along: str
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]
    exponent: Exponent


def growths(folder: Path) -> list[Growth]:
    """All that is stored and has at least three sizes."""
    path = folder / "growth.json"
    if not path.exists():
        return []
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in records.rows(records.read(path), "growth"):
        key = row.case["operation"], row.case["along"]
        points.setdefault(key, []).append((row.case["size"], median(row.seconds)))
    found = []
    for (operation, along), measured in points.items():
        if len(measured) >= 3:
            sizes, seconds = zip(*measured, strict=True)
            found.append(Growth(operation, along, sizes, seconds, exponent(sizes, seconds)))
    return found


def table(folder: Path) -> str:
    """The figure, and exponents with their intervals: a line for each operation and a column for each size."""
    found = growths(folder)
    if not found:
        return "Not measured.\n"
    along = [name for name in ("S", "A", "k", "candidates", "samples") if any(each.along == name for each in found)]
    lines = ["| operation | " + " | ".join(along) + " |", "|" + "---|" * (1 + len(along))]
    for operation in dict.fromkeys(each.operation for each in found):
        cells = {each.along: said(each.exponent) for each in found if each.operation == operation}
        lines.append("| " + " | ".join([operation, *(cells.get(name, "") for name in along)]) + " |")
    return "![Time against sizes](figures/performance_growth.png)\n\n" + "\n".join(lines) + "\n"


def said(given: Exponent) -> str:
    """The slope, its interval, and the sizes."""
    spread = f"{given.lower:.2f} to {given.upper:.2f}"
    return f"{given.slope:.2f} ({spread}; {given.first:,.0f} to {given.last:,.0f})"
