"""Verify certificate files: ``python -m irl_ident.certificates.checking FILE...``.

A line is printed for each.  The exit code is 0 when all are accepted, 2 when one cannot be read, and 1 otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from irl_ident.certificates.checking.decimals import words
from irl_ident.certificates.checking.verdict import Verdict, check


def main(files: Sequence[str]) -> int:
    """Verify files, print what was found, and return the exit code."""
    if not files:
        print("usage: python -m irl_ident.certificates.checking FILE...", file=sys.stderr)
        return 2
    verdicts = [check(file) for file in files]
    for file, verdict in zip(files, verdicts, strict=True):
        print(f"{file}: {line(verdict)}")
    if any(verdict.status == "unreadable" for verdict in verdicts):
        return 2
    return 0 if all(verdict.accepted for verdict in verdicts) else 1


def line(verdict: Verdict) -> str:
    """A verdict in one line."""
    if not verdict.accepted:
        return f"{verdict.status}: {verdict.reason}"
    said = f"{verdict.status}: {verdict.statement}"
    return said if verdict.level is None else f"{said} (level {words(verdict.level)})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
