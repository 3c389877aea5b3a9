"""``irl-ident check``: what certificates are worth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from irl_ident.certificates import checking
from irl_ident.certificates.checking.__main__ import line
from irl_ident.cli.options import JsonOption
from irl_ident.cli.printing import print_json


def check(
    files: Annotated[list[Path], typer.Argument(metavar="CERTIFICATE...", help="Files that certify wrote.")],
    as_json: JsonOption = False,
) -> None:
    """Check certificates in exact arithmetic, apart from what finds them.

    The exit code is 0 when all are accepted, 2 when one cannot be read, and 1 otherwise.
    """
    verdicts = {str(file): checking.check(file) for file in files}
    if as_json:
        print_json({"certificates": [{"file": file, **fields(verdict)} for file, verdict in verdicts.items()]})
    else:
        for file, verdict in verdicts.items():
            print(f"{file}: {line(verdict)}")
    if any(verdict.status == "unreadable" for verdict in verdicts.values()):
        raise typer.Exit(2)
    if not all(verdict.accepted for verdict in verdicts.values()):
        raise typer.Exit(1)


def fields(verdict: checking.Verdict) -> dict[str, Any]:
    """A verdict as JSON; its level is a fraction."""
    return {**asdict(verdict), "level": None if verdict.level is None else float(verdict.level)}
