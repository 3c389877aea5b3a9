"""A report as one page of HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence

from irl_ident.identified import IdentifiedSet
from irl_ident.report import chapters, pictures, wording
from irl_ident.report.ranges import Ranges, ranges_of
from irl_ident.report.sources import Source, versions

try:
    import jinja2
except ImportError as error:
    raise ImportError('a report needs jinja2: pip install "irl-ident[report]"') from error

MOST_ROWS = 20
"""Rows of the table of intervals that are always in view."""

MOST_WORDS = 12
"""Directions of one kind that are named."""


def page(
    ident: IdentifiedSet,
    *,
    title: str,
    ranges: Ranges | None = None,
    command: str = "",
    sources: Sequence[Source] = (),
) -> str:
    """Tell a colleague what is known of an objective.

    Parameters
    ----------
    ident : IdentifiedSet
        Of some evidence.
    title : str
        Of the page: what was looked at.
    ranges : Ranges, optional
        Computed when not given, see :func:`irl_ident.report.ranges_of`; not used for contradictory evidence.
    command : str
        What made the page, as one would type it.
    sources : sequence of Source
        The files that the evidence is from.

    Returns
    -------
    str
        HTML that needs no other file.  The same arguments give the same text.

    Raises
    ------
    ImportError
        Without the extra ``irl-ident[report]``.
    ValueError
        For a set without evidence.
    """
    if not ident.evidence:
        raise ValueError("ident: has no evidence, there is nothing to report")
    report, names = ident.report(), ident.family.named_in(ident.environments)
    painter = pictures.painter(ident.family, ident.environments, names)
    consistent = ident.conflict is None
    known = (ranges or ranges_of(ident)) if consistent else None
    singular = report.singular_values
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("irl_ident.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"exact": exact, "number": number, "sentence": sentence}
    return made.get_template("assessment.html.jinja").render(
        title=title,
        question=wording.QUESTION,
        verdict=wording.VERDICTS[report.verdict],
        headline=wording.headline(report.dimension, report.ambient_dimension) if consistent else "",
        report=report,
        assumptions=[_assumption(text) for text in report.assumptions],
        shown=chapters.observed(ident),
        observations=len(ident.evidence),
        opened=[chapters.opened(ambiguity, painter) for ambiguity in report.ambiguities],
        most_words=MOST_WORDS,
        ranges=known,
        most_rows=MOST_ROWS,
        limits=[] if known is None else chapters.limits(painter, known),
        farthest=[] if known is None or report.dimension == 0 else chapters.farthest(painter, known),
        contrast="" if known is None else chapters.contrast(known),
        conflict=ident.conflict,
        conflicting=[] if consistent else chapters.conflicting(ident),
        spectrum=pictures.spectrum(singular, report.tolerance) if singular.size > 1 and singular.max() > 0 else None,
        rank=int((singular > report.tolerance * singular[0]).sum()) if singular.size else 0,
        programs=None if known is None else chapters.programs(ident, known),
        command=command,
        sources=sources,
        versions=versions(),
        glossary=wording.GLOSSARY,
    )


def exact(value: float) -> str:
    """Digits that read back the same; nothing for what is open.

    >>> exact(0.1), exact(float("inf"))
    ('0.1', '')
    """
    return repr(float(value)) if math.isfinite(value) else ""


def number(value: float) -> str:
    """Three digits behind the point; ``open`` for what is open.

    >>> number(0.12345), number(float("inf")), number(-0.0)
    ('0.123', 'open', '0.000')
    """
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−") if math.isfinite(value) else "open"


def sentence(text: str) -> str:
    """With a capital letter and a full stop.

    >>> sentence("the set is exact")
    'The set is exact.'
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _assumption(text: str) -> tuple[str, str, str]:
    key, _, value = text.partition(": ")
    return key, value, wording.MEANINGS.get(key, "")
