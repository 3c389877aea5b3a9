"""``irl-ident assess``: what is known and what is open."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import irl_ident as ii
from irl_ident.cli.options import JsonOption, Seen, on_evidence
from irl_ident.cli.printing import MOST_ROWS, console, finite, one_clear_line, print_json
from irl_ident.cli.reading import identified_from, parameter_names
from irl_ident.environment import Array
from irl_ident.identified import IdentifiedSet

MOST_RANGES = 40
"""Intervals of canonical rewards take a linear program for each pair of parameters: up to so many."""


@on_evidence
def assess(
    seen: Seen,
    as_json: JsonOption = False,
    out: Annotated[Path, typer.Option(help="Folder for assessment.pdf and assessment.png.")] = Path(),
) -> None:
    """Say what is known and what is open, and draw it."""
    with one_clear_line():
        ident = identified_from(seen)
        report = ident.report()
        ranges = None if ident.conflict is not None else ranges_of(ident)
        drawing = None if ranges is None else drawn(ident, ranges, out)
        if as_json:
            print_json(
                {
                    "report": report.as_dict(),
                    "parameters": list(parameter_names(ident)),
                    "unit": None if ranges is None else ranges.unit,
                    "ranges": None if ranges is None else [[finite(end) for end in row] for row in ranges.intervals],
                    "farthest_pair": None if ranges is None else [member.tolist() for member in ranges.pair],
                    "figure": drawing,
                }
            )
            return
        print(report)
        if ranges is not None:
            console().print(ranges_table(ranges))
        if drawing is not None:
            print(f"Drawn in {drawing}")


@dataclass(frozen=True, eq=False)
class Ranges:
    """What each parameter may be, and two members that are far apart, in one unit.

    Attributes
    ----------
    unit : str
    names : tuple of str
    intervals : array (d, 2)
    pair : tuple of array (d,)
    """

    unit: str
    names: tuple[str, ...]
    intervals: Array
    pair: tuple[Array, Array]


def ranges_of(ident: IdentifiedSet) -> Ranges:
    """Intervals in the unit that says most.

    Canonical rewards for an optimal agent and a family whose parameters are rewards, up to ``MOST_RANGES`` of them;
    else, for an optimal agent, parameters in the gauge ``|theta|_inf <= 1``, less their mean where constants are free;
    for a soft-optimal agent, parameters less their mean where constants are free.
    """
    family, names = ident.family, parameter_names(ident)
    pair = ident.farthest_pair()
    rewards = not isinstance(family, ii.rewards.LinearRewards)
    if ident.rationality == "optimal" and rewards and family.dim <= MOST_RANGES:
        return Ranges("canonical reward", names, ident.canonical_ranges(), (canonical(pair[0]), canonical(pair[1])))
    free = any(a.kind == "constant" for a in ident.ambiguities)
    directions = np.eye(family.dim) - (1 / family.dim if free else 0)
    steps = track(directions, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    ends = np.array([[-ident.support(-direction)[0], ident.support(direction)[0]] for direction in steps])
    unit = ("parameter less the mean" if free else "parameter") + (
        ", largest at most 1" if ident.rationality == "optimal" else ""
    )
    return Ranges(unit, names, ends, (directions @ pair[0], directions @ pair[1]))


def canonical(theta: Array) -> Array:
    """Least reward 0, greatest 1; constants become 0."""
    return np.asarray((theta - theta.min()) / (np.ptp(theta) or 1.0))


def drawn(ident: IdentifiedSet, ranges: Ranges, out: Path) -> str | None:
    """Draw the intervals and the pair; the path of the picture, or None without matplotlib."""
    try:
        from irl_ident import figures
    except ImportError as error:
        print(f"irl-ident: no picture: {error}", file=sys.stderr)
        return None
    count = len(ident.environments)
    title = f"{ident.rationality} agent, {count} environment{'s' * (count != 1)}"
    with figures.style():
        figure = figures.intervals(ranges.names, ranges.intervals, ranges.pair, label=ranges.unit, title=title)
        _, picture = figures.save(figure, out, "assessment")
    return str(picture)


def ranges_table(ranges: Ranges) -> Table:
    """Intervals, widest first, beside the two objectives that are farthest apart."""
    table = Table(title=f"What each parameter may be ({ranges.unit})")
    for heading in ("parameter", "from", "to", "width", "one objective", "another"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    widths = ranges.intervals[:, 1] - ranges.intervals[:, 0]
    for j in np.argsort(-widths, kind="stable")[:MOST_ROWS]:
        cells = (*ranges.intervals[j], widths[j], ranges.pair[0][j], ranges.pair[1][j])
        table.add_row(
            ranges.names[j], *(f"{round(value, 3) + 0.0:.3f}" if np.isfinite(value) else "open" for value in cells)
        )
    if len(widths) > MOST_ROWS:
        table.caption = f"the {MOST_ROWS} widest of {len(widths)}"
    return table
