"""What rows hang on, in digests: tasks, source code, versions.

Equal digests stand for equal content, whatever the machine, the hash seed, the locale or the dates of files.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import platform
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import irl_ident

ARITHMETIC = ("numpy", "scipy", "highspy", "pandas", "pyarrow")
"""Packages whose versions may show in the bytes of a table."""


def plain(value: Any, place: str = "summary") -> Any:
    """``value`` with NumPy's numbers and arrays as Python's.

    Raises
    ------
    ValueError
        For what JSON cannot hold, NaN and infinities among it; names the place.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case np.generic():
            return plain(value.item(), place)
        case float() if math.isfinite(value):
            return value
        case np.ndarray():
            return plain(value.tolist(), place)
        case Mapping():
            return {str(key): plain(entry, f"{place}[{str(key)!r}]") for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry, f"{place}[{i}]") for i, entry in enumerate(value)]
    raise ValueError(f"{place}: is {value!r}, should be a plain finite value")


def digest(value: Any) -> str:
    """SHA-256 of plain values, in which a path stands for what is in it."""
    text = json.dumps(_contents(value), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        return digest([[file.relative_to(path).as_posix(), file] for file in files])
    status = path.stat()
    return _file_digest(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=4096)
def _file_digest(path: Path, modified: int, size: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _contents(value: Any) -> Any:
    match value:
        case Path():
            return {"sha256": file_digest(value)}
        case dict():
            return {key: _contents(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_contents(entry) for entry in value]
    return plain(value, "task")


def code_digest(run: Callable[..., Any], depends: Iterable[Any] = ()) -> str:
    """SHA-256 of what the rows of a sweep hang on, as far as it can be told from outside.

    That is the source of this library, the file in which ``run`` is written (its own source, where it is in no file),
    arguments that were bound to it by ``functools.partial``, ``depends``, and the versions of Python and of what does
    the arithmetic.  Other modules that ``run`` imports, and variables around it, are not seen: name them in
    ``depends``.  Source is read once in a process, since a process goes on with what it has loaded when files change.

    Parameters
    ----------
    run : callable
    depends : iterable of plain values and paths
        A path stands for what is in the file or folder.

    Raises
    ------
    ValueError
        When the source of ``run`` cannot be found.
    """
    return _together(_source(run), depends)


def computing(run: Callable[..., Any], depends: Iterable[Any]) -> Callable[[], str]:
    """How a worker computes :func:`code_digest`: from its own file of ``run``, if that is imported there by its name.

    A function of a script or a notebook is sent to workers as it is, and so is the digest of its source.
    """
    return partial(code_digest, run, depends) if _imported(run) else partial(_together, _source(run), depends)


def _together(source: list[Any], depends: Iterable[Any]) -> str:
    return digest([_library(), source, list(depends)])


def _imported(run: Callable[..., Any]) -> bool:
    """Whether other processes find ``run`` by the name of its module."""
    thing = run.func if isinstance(run, partial) else run
    if not (inspect.isroutine(thing) or inspect.isclass(thing)):
        thing = type(thing)
    module = sys.modules.get(thing.__module__)
    if module is None or module.__name__ == "__main__":
        return False
    return getattr(module, thing.__qualname__.split(".")[0], None) is not None and "<locals>" not in thing.__qualname__


@cache
def _library() -> list[str]:
    sources = sorted(Path(irl_ident.__file__).resolve().parent.rglob("*.py"))
    return [digest(sources), platform.python_version(), *(_version(package) for package in ARITHMETIC)]


_SOURCES: weakref.WeakKeyDictionary[Any, list[str]] = weakref.WeakKeyDictionary()


def _source(run: Callable[..., Any]) -> list[Any]:
    if isinstance(run, partial):
        return [*_source(run.func), list(run.args), dict(run.keywords)]
    thing = inspect.unwrap(run) if inspect.isroutine(run) or inspect.isclass(run) else type(run)
    if thing not in _SOURCES:
        try:
            file = Path(inspect.getsourcefile(thing) or "")
            source = file_digest(file) if file.is_file() else inspect.getsource(thing)
        except (TypeError, OSError) as error:
            raise ValueError(f"run: the source of {run!r} cannot be found; define it in a file") from error
        _SOURCES[thing] = [thing.__qualname__, source]
    return [*_SOURCES[thing]]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
