"""One report of all studies that a folder of results holds: a page of HTML and a PDF, each complete in one file.

The gallery is the same for the documentation: a page of Markdown with the findings, one with a card for each study, and
the figures beside them.

A report says nothing that is not in the files of the studies: the question and what produced the figure come from
``manifest.json``, what was found from ``summary.json``, where the study has put it in plain words.  So it can be made
again, without running anything, wherever the files are.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from irl_ident import untrusted
from irl_ident.writing import write_whole

TEMPLATES = Path(__file__).resolve().parent / "templates"
NAMES = ("report.html", "report.pdf")
COLOURS = 64
"""Colours of a figure in the gallery."""

READING_ORDER = (
    "amin_singh",
    "real_agents",
    "labyrinth",
    "solvers",
    "strategies",
    "ambiguity",
    "meta_learning",
    "reward_result_gap",
    "is_it_optimising",
    "verification",
    "corrigibility",
    "services",
    "conditions",
)
"""Chapters in the order in which they are best read: first whether it can be told, then of whom, then what follows."""


class DamagedResults(ValueError):
    """Raised for files of results that no study wrote; names the file and the key."""


class NoResults(ValueError):
    """Raised for a folder without a finished study."""


@dataclass(frozen=True)
class Chapter:
    """What a report says of one study.

    Attributes
    ----------
    name, question : str
    findings : tuple of str
        Sentences.
    claims : tuple of mapping
        What was expected, with ``claim``, in how many cases it ``held``, ``of`` how many; empty where a study has none.
    seed : int
    quick : bool
        Whether this is the quick form of the study.
    needs_data : bool
        Whether it reads data that are not part of the repository.
    tasks, rows : int
        Independent units of work, and rows of the table that they gave.
    seconds, task_seconds : float
        From start to end of the last run, and the sum over tasks, whichever process did them.
    resumed : int
        How many tasks earlier runs had finished.
    versions : mapping of str to str
    commit : str
        Of the code; empty where that is not known.
    folder : Path
        Where the study's files are.
    """

    name: str
    question: str
    findings: tuple[str, ...]
    claims: tuple[Mapping[str, Any], ...]
    seed: int
    quick: bool
    needs_data: bool
    tasks: int
    rows: int
    seconds: float
    task_seconds: float
    resumed: int
    versions: Mapping[str, str]
    commit: str
    folder: Path

    @cached_property
    def provenance(self) -> str:
        """Form, seed, n and time in one sentence."""
        form = "Quick form" if self.quick else "Full run"
        work = f"{self.tasks:,} independent tasks gave {self.rows:,} rows in {lasting(self.task_seconds)} of work"
        course = "in more than one run" if self.resumed else f"{lasting(self.seconds)} from start to end"
        return f"{form}, seed {self.seed}; {work}, {course}."

    @cached_property
    def headline(self) -> str:
        """The beginning of the first finding, up to the first full stop or semicolon outside brackets."""
        return beginning(self.findings[0]) if self.findings else ""

    @cached_property
    def picture(self) -> str:
        """The figure as a data URI."""
        return f"data:image/png;base64,{base64.b64encode((self.folder / 'figure.png').read_bytes()).decode()}"


def lasting(seconds: float) -> str:
    """A duration in words: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``.

    >>> lasting(4.21), lasting(200), lasting(7500)
    ('4.2 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def beginning(text: str) -> str:
    """A text up to its first full stop or semicolon that is followed by a space and in no brackets.

    >>> beginning("Yes, 3 of 27 (one; another) do. The rest is long.")
    'Yes, 3 of 27 (one; another) do.'
    """
    depth = 0
    for place, (letter, following) in enumerate(pairwise(text)):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in ".;" and following == " ":
            return f"{text[:place]}."
    return text


def read_chapters(out: Path, order: Sequence[str] = READING_ORDER) -> list[Chapter]:
    """The finished studies in a folder of results.

    Parameters
    ----------
    out : Path
    order : sequence of str
        Names that come first, in this order; others follow by name.

    Raises
    ------
    NoResults
        When there is none.
    DamagedResults
    """
    found = {file.parent.name: file.parent for file in sorted(out.glob("*/manifest.json"))}
    names = [name for name in order if name in found] + [name for name in found if name not in order]
    if not names:
        raise NoResults(f"{out}: holds no finished study; run some with --out {out}")
    return [_chapter(found[name]) for name in names]


def _chapter(folder: Path) -> Chapter:
    told = _Told(folder / "manifest.json", untrusted.content(folder / "manifest.json"))
    summary = _Told(folder / "summary.json", untrusted.content(folder / "summary.json"))
    findings, claims = summary.get("findings", list), summary.get("claims", list, [])
    if not all(isinstance(sentence, str) for sentence in findings) or not all(isinstance(row, dict) for row in claims):
        raise DamagedResults(f"{summary.file}: findings should be sentences, and claims objects")
    return Chapter(
        name=told.get("study", str),
        question=told.get("question", str),
        findings=tuple(findings),
        claims=tuple(claims),
        seed=told.get("seed", int),
        quick=told.get("quick", bool),
        needs_data="data" in told.get("parameters", dict),
        tasks=told.get("counts/tasks", int),
        rows=told.get("counts/rows", int),
        seconds=told.get("time/seconds", (int, float)),
        task_seconds=told.get("time/task_seconds", (int, float)),
        resumed=told.get("time/tasks_from_earlier_runs", int),
        versions=told.get("versions", dict),
        commit=told.get("code/commit", str, ""),
        folder=folder,
    )


class _Told:
    """The values of a JSON file by path; errors name file and path."""

    def __init__(self, file: Path, text: bytes) -> None:
        self.file = file
        try:
            self._tree = untrusted.parsed(text)
        except ValueError as error:
            raise DamagedResults(f"{file}: {error}") from error

    def get(self, path: str, kind: Any, default: Any = None) -> Any:
        """The value there, of that kind of value."""
        *above, last = path.split("/")
        branch = self._tree
        for key in above:
            branch = branch.get(key) if isinstance(branch, dict) else None
        value = branch.get(last, default) if isinstance(branch, dict) else None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DamagedResults(f"{self.file}: {path} is missing, or of another kind than a study writes")
        return value


def write_report(out: Path, absent: Mapping[str, str] | None = None) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.pdf`` into a folder of results.

    Parameters
    ----------
    out : Path
    absent : mapping of str to str, optional
        Studies that should be in it and are not, and why.

    Returns
    -------
    tuple of Path
        Both files, each whole or not there.

    Raises
    ------
    NoResults
        When no study has finished.
    """
    chapters, reasons = read_chapters(out), dict(absent or {})
    page, print_ = (out / name for name in NAMES)
    html = as_html(chapters, reasons)
    write_whole(page, lambda file: file.write_text(html, encoding="utf-8"))
    pdf = as_pdf(chapters, reasons)
    write_whole(print_, lambda file: file.write_bytes(pdf))
    return page, print_


def as_html(chapters: Sequence[Chapter], absent: Mapping[str, str]) -> str:
    """The report as one page that needs no other file."""
    return _filled("report.html.jinja", autoescape=True, chapters=chapters, absent=absent)


def write_gallery(out: Path, folder: Path) -> tuple[Path, Path]:
    """Write ``gallery.md`` and ``findings.md`` into a folder of documentation, and the figures into ``figures/`` in it.

    Parameters
    ----------
    out : Path
        Folder of results.
    folder : Path
        Of the documentation.

    Returns
    -------
    tuple of Path
        Both pages, each whole or not there.
    """
    from PIL import Image

    chapters = read_chapters(out)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for chapter in chapters:
        with Image.open(chapter.folder / "figure.png") as figure:
            small = figure.convert("RGB").quantize(COLOURS)
        write_whole(folder / "figures" / f"{chapter.name}.png", small.save)
    return _page("gallery.md", folder, chapters), _page("findings.md", folder, chapters)


def _page(name: str, folder: Path, chapters: Sequence[Chapter]) -> Path:
    text = _filled(f"{name}.jinja", autoescape=False, chapters=chapters)
    write_whole(folder / name, lambda file: file.write_text(text, encoding="utf-8"))
    return folder / name


def _filled(template: str, *, autoescape: bool, **values: Any) -> str:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return made.get_template(template).render(**values)


def as_pdf(chapters: Sequence[Chapter], absent: Mapping[str, str]) -> bytes:
    """The report for print; figures stay vectors."""
    import typst

    plain = [asdict(chapter) | {"provenance": chapter.provenance, "folder": chapter.name} for chapter in chapters]
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(TEMPLATES / "report.typ", folder)
        for chapter in chapters:
            shutil.copyfile(chapter.folder / "figure.pdf", folder / f"{chapter.name}.pdf")
        (folder / "report.json").write_text(json.dumps({"chapters": plain, "absent": absent}), encoding="utf-8")
        made: bytes = typst.compile(folder / "report.typ", root=folder, format="pdf", timestamp=0)
    return made
