"""Promises of the repository as a whole: a light import, and a README that does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import irl_ident

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEAVY = (
    *("pandas", "gymnasium", "highspy", "rich", "typer"),
    *("matplotlib", "pyarrow", "joblib", "torch", "imitation", "stable_baselines3", "seals", "distributed", "numba"),
)


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize(
    "names",
    [
        "irl_ident",
        "irl_ident.Environment, irl_ident.rewards, irl_ident.planning",
        "irl_ident.agents, irl_ident.builders, irl_ident.evidence",
        "irl_ident.identify, irl_ident.assess, irl_ident.design",
        "irl_ident.solvers, irl_ident.distances, irl_ident.score, irl_ident.conformance",
    ],
)
def test_names_of_the_core_load_nothing_heavy(names):
    loaded = python("-c", f"import sys, irl_ident; {names}; print(*sys.modules)").split()
    assert sorted({name.partition(".")[0] for name in loaded} & set(HEAVY)) == []


def test_every_public_name_is_there():
    for name in irl_ident.__all__:
        assert getattr(irl_ident, name) is not None
    assert set(irl_ident.__all__) <= set(dir(irl_ident))
    with pytest.raises(AttributeError, match="no attribute 'identifiable'"):
        _ = irl_ident.identifiable


def test_the_library_imports_neither_worlds_nor_studies():
    statement = re.compile(r"^\s*(?:from|import) (?:environments|studies)\b", re.MULTILINE)
    assert [file for file in (ROOT / "irl_ident").rglob("*.py") if statement.search(file.read_text())] == []


def test_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert all(len(block.strip().splitlines()) <= 30 for block in blocks)
    output = python("-c", "\n".join(blocks))
    shown = re.findall(r"<!-- output -->\n```text\n(.*?)```", README, re.DOTALL)
    assert len(shown) == len(blocks)
    assert without_rounding(output) == without_rounding("".join(shown))


def without_rounding(text):
    """``text`` without the digits of numbers that are rounding errors."""
    return re.sub(r"\d\.\de-1\d", "tiny", text)


def test_the_readme_names_commands_studies_and_files_that_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= set(targets)
    files = re.findall(r"\]\(([^):#]+)\)|src=\"([^\":]+)\"", README)
    assert [name for found in files for name in found if name and not (ROOT / name).exists()] == []


def test_the_version_is_the_same_everywhere():
    versions = {
        irl_ident.__version__,
        re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1],
        re.search(r"^version: (.*)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1],
        re.search(r"^## ([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1],
    }
    assert versions == {irl_ident.__version__}
