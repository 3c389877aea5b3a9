"""What every command prints alike: tables, documents, progress, and what is wrong with the input."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.status import Status

from irl_ident.highs import SolverFailed

MOST_ROWS = 20
"""So many rows of a table are printed, those that matter most."""


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turn what is wrong with the input, or not decided in rounding, into one line and exit code 2."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ArithmeticError, SolverFailed) as error:
        print(f"irl-ident: {' '.join(_what(error).split())}", file=sys.stderr)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as interrupt:
        print("irl-ident: interrupted", file=sys.stderr)
        raise typer.Exit(130) from interrupt


def _what(error: Exception) -> str:
    """What is wrong; of a file, its name comes first and numbers of errors are left out."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many parts of a set were looked at and how many wait, on the error stream if it is a terminal."""
    status = Status(what, console=Console(stderr=True))
    with status if sys.stderr.isatty() else _nothing():
        yield lambda done, waiting: status.update(f"{what}: {done} regions looked at, {waiting} wait")


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def typed(context: typer.Context) -> str:
    """The command that runs, as one would type it."""
    words = ["irl-ident", str(context.info_name)]
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if value is None or value == parameter.default:
            continue
        option = [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        for each in value if isinstance(value, list | tuple) else [value]:
            words += option + ([] if value is True else [str(each)])
    return shlex.join(words)


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return float(value) if np.isfinite(value) else None


def print_json(document: dict[str, Any]) -> None:
    """Print a document."""
    print(json.dumps(document, indent=2, allow_nan=False))


def console() -> Console:
    """Where tables go; plain text when it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 110)
