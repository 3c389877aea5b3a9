"""What no build of the documentation sees: pages that would not be run, names of commands and files, bibliography."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from studies.study import discover

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = {page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8") for page in DOCS.glob("**/*.md")}
PAGES = {name: text for name, text in PAGES.items() if not name.startswith("_build/")}
PROSE = {**PAGES, **{name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")}}
BIBLIOGRAPHY = (DOCS / "references.bib").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", BIBLIOGRAPHY, re.MULTILINE | re.DOTALL))
RUN = ("tutorial_", "contributing", "limits", "degenerate", "index")
EXECUTED = ("file_format: mystnb", "name: python3")


def test_pages_with_code_cells_are_run():
    """Without its front matter a page shows its cells as text, and no build complains."""
    for name, text in PAGES.items():
        if "{code-cell}" in text:
            front = text.split("---")[1]
            assert all(line in front for line in EXECUTED), name


def test_commands_in_cells_fail_the_build_when_they_fail():
    """``!command`` passes over the exit code; the magic ``%%bash`` does not."""
    for name, text in PAGES.items():
        assert re.findall(r"^!(?!\[).*", text, re.MULTILINE) == [], name
    assert "%%bash" in PAGES["contributing.md"]


def test_tutorials_and_the_guide_for_contributors_show_no_python_that_is_not_run():
    checked = [name for name in PAGES if name.startswith(RUN)]
    assert len(checked) == 9
    for name in checked:
        assert "{code-cell}" in PAGES[name]
        assert re.findall(r"^```(?:python|ipython3?|pycon)$", PAGES[name], re.MULTILINE) == [], name


def test_commands_and_files_named_for_contributors_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for name in ("CONTRIBUTING.md", "contributing.md"):
        assert set(re.findall(r"^make ([a-z]+)", PROSE[name], re.MULTILINE)) <= set(targets)
        assert len(re.findall(r"^make ", PROSE[name], re.MULTILINE)) >= 4
    new = {
        "irl_ident/design/strategies/farthest.py",
        "tests/test_farthest.py",
        "irl_ident/solvers/structured.py",
        "studies/second_look.py",
    }
    named = set(re.findall(r"`((?:irl_ident|tests|studies)/[\w/]+\.py)`", PAGES["contributing.md"]))
    assert new <= named
    assert [file for file in sorted(named - new) if not (ROOT / file).is_file()] == []
    assert [file for file in sorted(new) if (ROOT / file).exists()] == []


def test_the_gallery_has_a_card_for_every_study():
    cards = re.findall(r"^`python -m studies run (\w+)", PAGES["gallery.md"], re.MULTILINE)
    assert sorted(cards) == sorted(discover())
    for name in cards:
        assert (DOCS / "figures" / f"{name}.png").is_file()
        assert f"(findings-{name.replace('_', '-')})=" in PAGES["findings.md"]
        assert f"`{name}`" in PROSE["README.md"]


def test_every_work_cited_is_listed():
    cited = {key for text in PAGES.values() for key in re.findall(r"\{cite:\w+\}`(\w+)`", text)}
    assert len(cited) > 20
    assert cited <= set(ENTRIES)


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_says_who_what_when_and_where(key):
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", ENTRIES[key], re.MULTILINE))
    assert {"author", "title", "year"} <= set(fields)
    assert {"journal", "booktitle", "publisher"} & set(fields)
    assert re.fullmatch(r"(18|19|20)\d\d", fields["year"])
    assert key.rstrip("abcd").endswith(fields["year"])
    if "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", fields["doi"])
    if "arxiv" in fields.get("url", ""):
        assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", fields["url"])
    if "pages" in fields:
        first, last = re.fullmatch(r"e?(\d+)(?:--(\d+))?", fields["pages"]).groups()
        assert last is None or int(first) < int(last)


def test_external_links_are_whole_and_encrypted():
    for name, text in PROSE.items():
        for link in re.findall(r"\]\((https?://[^)\s]+)\)", text):
            parts = urlsplit(link)
            assert parts.scheme == "https", (name, link)
            assert "." in parts.netloc, (name, link)
