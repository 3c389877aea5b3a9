"""``irl-ident assess``: what is known and what is open."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from irl_ident.cli.options import JsonOption, Seen, on_evidence
from irl_ident.cli.printing import MOST_ROWS, console, finite, one_clear_line, print_json, typed
from irl_ident.cli.reading import identified_from
from irl_ident.identified import IdentifiedSet
from irl_ident.report.ranges import Answers, Ranges, ranges_of
from irl_ident.report.sources import source
from irl_ident.writing import write_whole


@on_evidence
def assess(
    seen: Seen,
    context: typer.Context,
    html: Annotated[
        Path | None, typer.Option(help="File for a report to send to a colleague: one page of HTML, pictures in it.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for assessment.pdf and assessment.png.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what is known and what is open, and draw it."""
    with one_clear_line():
        if html is not None and any(html.resolve() == file.resolve() for file in seen.files):
            raise ValueError(f"--html: {html} is a file of the evidence, choose another")
        ident = identified_from(seen)
        report = ident.report()
        ranges = None if ident.conflict is not None else ranges_of(ident, watched)
        drawing = page = None
        try:
            drawing = None if ranges is None else drawn(ident, ranges, f"{seen.rationality} agent", out)
            page = None if html is None else written(ident, ranges, html, seen.files, typed(context))
        except ImportError as error:
            print(f"irl-ident: no {'picture' if html is None else 'report'}: {error}", file=sys.stderr)
        if as_json:
            print_json(
                {
                    "report": report.as_dict(),
                    "parameters": list(ident.family.named_in(ident.environments)),
                    "unit": None if ranges is None else ranges.unit,
                    "ranges": None if ranges is None else [[finite(end) for end in row] for row in ranges.intervals],
                    "farthest_pair": None if ranges is None else [member.tolist() for member in ranges.pair],
                    "figure": drawing,
                    "html": page,
                }
            )
            return
        print(report)
        if ranges is not None:
            console().print(ranges_table(ranges))
        if drawing is not None:
            print(f"Drawn in {drawing}")
        if page is not None:
            print(f"Report in {page}")


def watched(answers: Answers, total: int) -> Answers:
    """A progress bar on the error stream, if that is a terminal."""
    return track(answers, total=total, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def written(ident: IdentifiedSet, ranges: Ranges | None, html: Path, files: Sequence[Path], command: str) -> str:
    """Write the page, whole or not at all; its path."""
    from irl_ident.report.html import page

    sources = [source(file) for file in files]
    title = ", ".join(file.name for file in files)
    text = page(ident, title=title, ranges=ranges, command=command, sources=sources)
    html.parent.mkdir(parents=True, exist_ok=True)
    return str(write_whole(html, lambda file: file.write_text(text, encoding="utf-8")))


def drawn(ident: IdentifiedSet, ranges: Ranges, agent: str, out: Path) -> str:
    """Draw the intervals and the pair of ``agent``; the path of the picture."""
    from irl_ident import figures

    count = len(ident.environments)
    title = f"{agent}, {count} environment{'s' * (count != 1)}"
    with figures.style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*missing from font")
        figure = figures.intervals(ranges.names, ranges.intervals, ranges.pair, label=ranges.unit, title=title)
        _, picture = figures.save(figure, out, "assessment")
    return str(picture)


def ranges_table(ranges: Ranges) -> Table:
    """Intervals, widest first, beside the two objectives that are farthest apart."""
    table = Table(title=f"What each parameter may be ({ranges.unit})")
    for heading in ("parameter", "from", "to", "width", "one objective", "another"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    for j in ranges.widest[:MOST_ROWS]:
        cells = (*ranges.intervals[j], ranges.widths[j], ranges.pair[0][j], ranges.pair[1][j])
        table.add_row(
            ranges.names[j], *(f"{round(value, 3) + 0.0:.3f}" if np.isfinite(value) else "open" for value in cells)
        )
    if len(ranges.names) > MOST_ROWS:
        table.caption = f"the {MOST_ROWS} widest of {len(ranges.names)}"
    return table
