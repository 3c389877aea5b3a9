"""The checker as a package: what it imports, what it prints, and its command."""

import ast
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from test_checking import CLAIM, LIKED, document, leaf

from irl_ident.certificates.checking.decimals import words

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(3, 1000), "3/1000"),
        (Fraction(-2), "-2"),
        (Fraction(10**40, 3), "about 3.333333e39"),
        (-Fraction(2, 3 * 10**40), "-about 6.666666e-41"),
        (Fraction(10**40 + 1, 10**40), "about 1.000000"),
        (Fraction(7**9000, 3**9000), "about 6.181126e3311"),
    ],
)
def test_numbers_in_reasons_are_short(number, text):
    assert words(number) == text


def test_nothing_but_the_standard_library_is_imported():
    package = ROOT / "irl_ident" / "certificates" / "checking"
    names = set()
    for file in package.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names.add(node.module)
    own = {name for name in names if name.startswith("irl_ident.certificates.checking")}
    assert own
    assert {name.partition(".")[0] for name in names - own} <= sys.stdlib_module_names
    calls = [
        name
        for file in package.glob("*.py")
        for name in ("__import__", "importlib", "eval(", "exec(")
        if name in file.read_text(encoding="utf-8")
    ]
    assert calls == []


def test_the_checker_loads_nothing_heavy():
    code = "import sys, irl_ident.certificates.checking; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    names = {name.partition(".")[0] for name in loaded.split()}
    assert "irl_ident" in names
    assert names.isdisjoint({"numpy", "scipy", "pandas", "highspy", "gymnasium"})


def test_the_command_prints_a_line_a_file_and_says_by_its_exit_code_whether_all_are_accepted(tmp_path):
    good, bad, damaged = (tmp_path / name for name in ("good.json", "bad.json", "damaged.json"))
    good.write_text(json.dumps(document(LIKED, leaf({"holds": CLAIM}, plan=None))))
    bad.write_text(json.dumps(document(LIKED | {"at_most": -1}, leaf({"holds": CLAIM}, plan=None))))
    damaged.write_text("{")

    def run(*files):
        command = [sys.executable, "-m", "irl_ident.certificates.checking", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        return done.returncode, done.stdout

    assert run(good, good) == (0, f"{good}: proved: weights . theta <= -1/8\n" * 2)
    code, printed = run(good, bad)
    assert code == 1
    assert printed.splitlines()[1] == f"{bad}: rejected: tree/atoms/0/holds: bound -1/8 is above -1"
    assert run(bad, damaged)[0] == 2
    assert run(tmp_path / "none.json")[0] == 2
    assert run()[0] == 2
