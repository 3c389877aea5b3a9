"""Output that nobody reads to its end, or that cannot show every letter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper


def show_all_letters() -> None:
    """Print what the terminal's encoding lacks as escapes: names may have any letters."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def quiet_when_cut() -> Iterator[None]:
    """End without a word, and with exit code 1, when whoever reads the output has stopped, as ``head`` does."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError as error:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise SystemExit(1) from error
