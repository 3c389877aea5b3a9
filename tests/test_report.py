"""The report of all studies: what the files say and no more, in files that need no other."""

import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import example_study
import pytest
from typer.testing import CliRunner

from studies import __main__ as command
from studies.report import READING_ORDER, NoResults, as_html, as_pdf, read_chapters, write_gallery, write_report
from studies.runner import run_study
from studies.study import Settings, discover

pypdf = pytest.importorskip("pypdf")


class Page(HTMLParser):
    """Text, addresses, and anchors of a page; tags that are closed in another order than they were opened."""

    def __init__(self, text):
        super().__init__()
        self.words, self.sources, self.ids, self.open, self.crossed = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.sources += [told[key] for key in ("src", "href") if key in told]
        self.ids += [told["id"]] if "id" in told else []
        if tag not in {"meta", "img", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with one finished study, and one that was stopped."""
    out = tmp_path_factory.mktemp("results")
    run_study(example_study, Settings(quick=True, seed=7), out)
    (out / "stopped" / "parts").mkdir(parents=True)
    return out


@pytest.fixture
def chapter(results):
    (only,) = read_chapters(results)
    return only


def words_of(pdf):
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())


def test_a_chapter_is_what_the_files_say(results, chapter):
    summary = json.loads((results / "example_study" / "summary.json").read_text())
    assert chapter.question == "How far does a random walk get?"
    assert list(chapter.findings) == summary["findings"] == example_study.findings(summary)
    assert (chapter.seed, chapter.quick, chapter.tasks, chapter.rows) == (7, True, 6, 6 * example_study.STEPS)
    assert chapter.provenance.startswith("Quick form, seed 7; 6 independent tasks gave 150 rows in ")
    assert chapter.provenance.endswith(" s from start to end.")
    assert replace(chapter, resumed=2).provenance.endswith(", in more than one run.")


def test_a_page_needs_no_other_file_and_leads_to_its_own_places(chapter):
    page = Page(as_html([chapter], {"mice": "its data < are & elsewhere"}))
    for told in (chapter.question, chapter.provenance, *chapter.findings, "mice", "its data < are & elsewhere"):
        assert told in page.text
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in page.sources)
    assert {source[1:] for source in page.sources if source.startswith("#")} <= set(page.ids)
    assert page.open == page.crossed == []


def test_print_says_the_same(chapter):
    text = words_of(as_pdf([chapter], {"mice": "elsewhere #data *stars*"}))
    for told in (chapter.question, *chapter.findings, "mice", "elsewhere #data *stars*", "seed 7"):
        assert told in text


def test_figures_in_print_stay_vectors(chapter):
    pages = pypdf.PdfReader(io.BytesIO(as_pdf([chapter], {}))).pages
    assert sum(len(page.images) for page in pages) == 0
    assert any("step" in page.extract_text() and "place" in page.extract_text() for page in pages)


def test_claims_are_listed(chapter):
    claimed = replace(chapter, claims=({"claim": "it drifts", "held": 2, "of": 3},))
    assert "it drifts 2 of 3" in Page(as_html([claimed], {})).text
    assert "it drifts 2 of 3" in words_of(as_pdf([claimed], {}))


def test_the_same_files_give_the_same_bytes(results):
    first = [file.read_bytes() for file in write_report(results)]
    assert [file.read_bytes() for file in write_report(results)] == first


def test_chapters_come_in_the_order_asked_for(chapter, tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / name).mkdir()
        for file in ("manifest.json", "summary.json", "figure.png", "figure.pdf"):
            content = (chapter.folder / file).read_bytes()
            (tmp_path / name / file).write_bytes(content.replace(b'"example_study"', f'"{name}"'.encode()))
    assert [one.name for one in read_chapters(tmp_path, ["c", "x", "b"])] == ["c", "b", "a"]


def test_the_gallery_says_the_same_and_has_the_figures(results, chapter, tmp_path):
    cards, page = (file.read_text() for file in write_gallery(results, tmp_path))
    for told in (chapter.question, chapter.headline, "(figures/example_study.png)", "findings-example-study"):
        assert told in cards
    assert "(findings-example-study)=" in page
    for told in (f"## {chapter.question}", chapter.provenance, *chapter.findings):
        assert told in page
    assert "](figures/example_study.png)" in page
    assert (tmp_path / "figures" / "example_study.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


def test_the_order_of_reading_names_every_study_once():
    assert sorted(READING_ORDER) == sorted(discover())


def test_no_results_are_no_report(tmp_path):
    with pytest.raises(NoResults, match="holds no finished study; run some with --out"):
        write_report(tmp_path)
    result = CliRunner().invoke(command.app, ["report", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no finished study" in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_commands_write_it(monkeypatch, tmp_path):
    monkeypatch.setattr("studies.runner.code_digest", lambda study: "c" * 64)
    studies = {"example_study": "How far does a random walk get?", "broken": "Does it run?"}
    broken = type("Broken", (), {**vars(example_study), "__name__": "studies.broken", "run": staticmethod(fail)})
    monkeypatch.setattr(command, "discover", lambda: studies)
    monkeypatch.setattr(command, "load", lambda name: broken if name == "broken" else example_study)
    result = CliRunner().invoke(command.app, ["all", "--quick", "--workers", "1", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "task 0, " in result.output
    text = Page((tmp_path / "report.html").read_text()).text
    assert "How far does a random walk get?" in text
    assert "broken Not in this report: broken: task 0, " in text
    (tmp_path / "report.pdf").unlink()
    result = CliRunner().invoke(command.app, ["report", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "report.pdf") in result.output
    assert "broken Not in this report: not run" in Page((tmp_path / "report.html").read_text()).text


def fail(task):
    """Raise, as a task does that goes wrong."""
    raise ArithmeticError("the walk fell off")
