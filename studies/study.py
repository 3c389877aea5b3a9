"""What a study is made of, how studies are found, and what one is run with."""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Task = dict[str, Any]
"""A unit of work: plain values (None, bool, int, float, str, lists and dictionaries of them) and paths."""

PARTS = ("tasks", "run", "summarise", "findings", "draw")
"""The functions that make a module a study."""

HERE = Path(__file__).resolve().parent


class DataMissing(Exception):
    """Raised by a study that needs data which it was not given; the message says where to get them."""


class UnknownStudy(ValueError):
    """Raised for the name of a study that there is not."""


@dataclass(frozen=True)
class Settings:
    """What a study is run with.

    Parameters
    ----------
    quick : bool
        A minute or two on two cores instead of the full run.
    seed : int
        Root of all random numbers, at least 0.
    data : Path, optional
        Folder of the data that are not part of the repository.
    """

    quick: bool = False
    seed: int = 0
    data: Path | None = None

    def __post_init__(self) -> None:
        if self.seed != int(self.seed) or self.seed < 0:
            raise ValueError(f"seed: was {self.seed!r}, should be a whole number of at least 0")
        if self.data is not None and not Path(self.data).is_dir():
            raise ValueError(f"data: {self.data} is not a folder")

    def seed_for(self, *key: int) -> int:
        """A seed of 63 bits for the task numbered ``key``, independent of those for all other keys.

        ``SeedSequence(seed, spawn_key=key)``: neither the number of workers nor their order has a say in it.

        >>> Settings(seed=1).seed_for(0, 2) == Settings(seed=1).seed_for(0, 2) != Settings(seed=1).seed_for(2, 0)
        True
        """
        words = np.random.SeedSequence(self.seed, spawn_key=key).generate_state(1, np.uint64)
        return int(words[0] >> np.uint64(1))

    def require_data(self, where: str) -> Path:
        """The folder of data, or :class:`DataMissing` that says ``where`` they are published."""
        if self.data is None:
            raise DataMissing(where)
        return Path(self.data)


@dataclass(frozen=True)
class Outcome:
    """What a finished run left.

    Attributes
    ----------
    folder : Path
        Holds ``figure.pdf``, ``figure.png``, ``data.parquet``, ``summary.json`` and ``manifest.json``.
    tasks, resumed, rows : int
        How many tasks there are, how many of them an earlier run had finished, and how many rows they gave.
    seconds : float
        Wall time of this run.
    """

    folder: Path
    tasks: int
    resumed: int
    rows: int
    seconds: float


class Study(Protocol):
    """A module with the five functions; see :mod:`studies`."""

    __name__: str
    __doc__: str | None

    def __hash__(self) -> int: ...

    def tasks(self, settings: Settings) -> list[Task]:
        """Independent units of work."""
        ...

    def run(self, task: Task) -> list[dict[str, Any]] | pd.DataFrame:
        """The rows of one of them."""
        ...

    def summarise(self, table: pd.DataFrame) -> Mapping[str, Any]:
        """The headline figures."""
        ...

    def findings(self, summary: Mapping[str, Any]) -> list[str]:
        """What was found, in sentences."""
        ...

    def draw(self, table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
        """The figure."""
        ...


def discover(folder: Path = HERE) -> dict[str, str]:
    """Names of the studies in ``folder`` and the question of each, without importing any."""
    found = {}
    for file in sorted(folder.glob("[!_]*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if set(PARTS) <= _names(tree):
            found[file.stem] = question(ast.get_docstring(tree))
    return found


def question(docstring: str | None) -> str:
    """The first paragraph of a study's docstring, on one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def load(name: str) -> Study:
    """Import the study called ``name``, or :class:`UnknownStudy`."""
    known = discover()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownStudy(f"there is no study {name!r}{hint} (there are: {', '.join(known) or 'none'})")
    return cast(Study, importlib.import_module(f"studies.{name}"))


def _names(tree: ast.Module) -> set[str]:
    """Functions that a module defines or imports at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return names
