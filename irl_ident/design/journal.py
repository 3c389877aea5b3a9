"""The journal of a campaign: a text file with one JSON object a line, that can be read without this package.

======  ==============================================================================================================
kind    keys
======  ==============================================================================================================
header  ``kind`` "campaign", ``format``, ``version``, ``candidates`` (digests; or name, SHA-256 and size of a family of
        environments, and then ``search``), ``family``, ``strategy``, ``rationality``, ``temperature``, with a level
        ``error``, ``level`` and ``ties``, ``made_by``, ``time``
ask     ``kind`` "ask", ``step`` (observations so far), ``candidate`` (position or index; in hexadecimal from 2**53),
        ``environment`` (digest), ``scores`` (one a candidate; of a family, of the one found), ``seconds``,
        ``made_by``, ``time``; of a family also ``searched``: ``score``, ``price``, ``scored`` of ``size`` environments,
        ``climbs``, ``optima``, ``upper``, ``exhaustive``
tell    ``kind`` "tell", ``step``, ``environment`` (digest), ``seen`` (environment and observation, as a JSON file of
        evidence has them: :mod:`irl_ident.evidence.files`, checksum included), ``made_by``, ``time``
======  ==============================================================================================================

A line is on the disk before the call that caused it returns.  Whatever interrupts that leaves at most a part of the
last line, which the next reader drops (in its place the same decision is made again, by the same seeds).  Any other
damage is an error that names file and line.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

import irl_ident
from irl_ident import untrusted
from irl_ident.environment import Environment
from irl_ident.evidence import Contents, Counts, Policy, Trajectories, containers, layout
from irl_ident.writing import naming

FORMAT = "irl_ident journal"
VERSION = 1
BEGINNING = f'{{"kind": "campaign", "format": "{FORMAT}", '.encode()

Record = dict[str, Any]

_SCALARS = (bool, int, float, str, bytes, np.generic)
_PLAIN = (*_SCALARS, np.ndarray, tuple, list, Environment)

_TOLD_APART = {
    "candidates": "candidate environments",
    "search": "search",
    "family": "reward family",
    "strategy": "strategy",
    "rationality": "rationality",
    "temperature": "temperature",
    "error": "error",
    "level": "level",
    "ties": "manner of breaking ties",
}


class Journal:
    """Records on disk, added one by one.

    Parameters
    ----------
    path : str or Path
        Made when there is no such file; otherwise its records are read, and its last line is dropped when it is not
        whole.
    setting : dict
        What identifies the campaign; see :func:`setting`.

    Attributes
    ----------
    records : list of dict
        The asks and tells that were found.

    Raises
    ------
    ValueError
        Names file and line: foreign or damaged content, or a journal of a campaign with another setting, and what
        differs.
    """

    def __init__(self, path: str | Path, setting: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._interrupted = b""
        content = untrusted.content(self.path) if self.path.exists() else b""
        lines, whole = _whole_lines(self.path, content)
        self._size = whole
        if lines:
            _check_setting(self.path, lines[0], setting)
            self.records = [_checked_record(self.path, number, line) for number, line in enumerate(lines[1:], 2)]
            if whole != len(content) or not content.endswith(b"\n"):
                self._repair(whole)
        else:
            self.records = []
            if content:
                self._repair(0)
            self._begin(setting)

    def _begin(self, setting: Mapping[str, Any]) -> None:
        new = not self.path.exists()
        try:
            self.append({"kind": "campaign", "format": FORMAT, "version": VERSION, **setting})
        except OSError:
            if new:
                with suppress(OSError):
                    self.path.unlink(missing_ok=True)
            raise
        _sync_directory(self.path.parent)

    def append(self, record: Record) -> None:
        """Put one record on the disk, or raise ``OSError`` and leave the file as it was."""
        stamp = {"made_by": f"irl_ident {irl_ident.__version__}", "time": datetime.now(UTC).isoformat()}
        line = (json.dumps({**record, **stamp}, allow_nan=False) + "\n").encode()
        with naming(self.path), self.path.open("ab", buffering=0) as file:
            self._check_untouched(file.fileno())
            self._interrupted = line
            try:
                _write_all(file, line)
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), self._size)
                raise
        self._size += len(line)
        self._interrupted = b""

    def _check_untouched(self, descriptor: int) -> None:
        """Refuse when somebody else wrote to the file; drop what an interrupted call of our own left."""
        if os.fstat(descriptor).st_size == self._size:
            return
        with self.path.open("rb") as file:
            file.seek(self._size)
            tail = file.read()
        if os.fstat(descriptor).st_size < self._size or not (tail and self._interrupted.startswith(tail)):
            raise ValueError(f"{self.path}: was changed by somebody else while this campaign was using it")
        os.ftruncate(descriptor, self._size)

    def _repair(self, size: int) -> None:
        """Cut the file after its last whole record, and end that with a line break."""
        with naming(self.path), self.path.open("r+b", buffering=0) as file:
            file.truncate(size)
            file.seek(max(size - 1, 0))
            if size and file.read(1) != b"\n":
                _write_all(file, b"\n")
                self._size += 1
            os.fsync(file.fileno())


def setting(
    candidates: Mapping[str, Any],
    strategy: object,
    family: object,
    rationality: str,
    temperature: float,
    error: float | None = None,
    level: float | None = None,
    ties: str = "any",
) -> Record:
    """What identifies a campaign: whatever its decisions depend on, in digests.

    ``candidates`` is what :mod:`irl_ident.design.choosing` says of them.
    """
    errs = {} if level is None else {"error": error, "level": level, "ties": ties}
    return {
        **candidates,
        "family": {"name": type(family).__name__, "sha256": fingerprint(family)},
        "strategy": {"name": type(strategy).__name__, "sha256": fingerprint(strategy)},
        "rationality": rationality,
        "temperature": temperature,
        **errs,
    }


def seen(env: Environment, observation: Policy | Trajectories | Counts) -> Record:
    """One observation as the JSON of an evidence file."""
    tree = layout.tree_of(Contents((env,), ((env, observation),)))
    document: Record = json.loads(containers.pack(tree, Path("journal.json")))
    return document


def unseen(document: Record) -> tuple[Environment, Policy | Trajectories | Counts]:
    """The observation that :func:`seen` wrote; ``ValueError`` when it is damaged."""
    contents = layout.contents_of(containers.unpack(json.dumps(document).encode()))
    if len(contents.evidence) != 1:
        raise ValueError(f"evidence: should be one observation, are {len(contents.evidence)}")
    return contents.evidence[0]


def fingerprint(thing: object) -> str:
    """SHA-256 of a setting: of the class and of everything in it that decides what it does.

    Of a class its room counts (``irl_ident.design``), not the module within.
    """
    total = hashlib.sha256()
    _feed(total, thing)
    return total.hexdigest()


def _feed(total: Any, thing: Any) -> None:
    kind = type(thing)
    room = ".".join(kind.__module__.split(".")[:2])
    total.update(f"{room}.{kind.__qualname__}(".encode())
    if thing is None or isinstance(thing, _SCALARS):
        total.update(repr(thing).encode())
    elif isinstance(thing, np.ndarray):
        total.update(f"{thing.dtype.str}{thing.shape}".encode() + np.ascontiguousarray(thing).tobytes())
    elif isinstance(thing, Environment):
        total.update(thing.digest.encode())
    elif sparse.issparse(thing):
        entries = sparse.coo_array(thing)  # type: ignore[call-overload]
        _feed(total, (entries.shape, entries.row, entries.col, entries.data))
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            _feed(total, part)
    elif isinstance(thing, Mapping):
        for key in sorted(thing, key=str):
            _feed(total, (key, thing[key]))
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        for part in dataclasses.fields(thing):
            _feed(total, (part.name, getattr(thing, part.name)))
    else:
        total.update(str(getattr(thing, "__qualname__", "")).encode())
        plain = {k: v for k, v in getattr(thing, "__dict__", {}).items() if isinstance(v, _PLAIN)}
        _feed(total, plain if not callable(thing) else {})
    total.update(b")")


def _whole_lines(path: Path, content: bytes) -> tuple[list[bytes], int]:
    """The whole lines of a journal, and how many bytes they take."""
    if not (content.startswith(BEGINNING) or BEGINNING.startswith(content)):
        raise ValueError(f"{path}, line 1: this is not the journal of a campaign; choose another file")
    *lines, last = content.split(b"\n")
    if _is_object(last):
        return [*lines, last], len(content)
    return lines, len(content) - len(last)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(untrusted.parsed(line), dict)
    except ValueError:
        return False


def _parsed(path: Path, number: int, line: bytes) -> Record:
    try:
        record = untrusted.parsed(line)
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path}, line {number}: should be a JSON object, is {type(record).__name__}")
    return record


def _check_setting(path: Path, line: bytes, wanted: Mapping[str, Any]) -> None:
    found = _parsed(path, 1, line)
    if found.get("version") != VERSION:
        raise ValueError(f"{path}, line 1: version is {found.get('version')!r}, this release reads version {VERSION}")
    for key, words in _TOLD_APART.items():
        if found.get(key) != wanted.get(key):
            raise ValueError(
                f"{path}, line 1: is the journal of a campaign with another {words}: "
                f"{_difference(found.get(key), wanted.get(key))}"
            )


def _difference(found: Any, wanted: Any) -> str:
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return f"it has {len(found)}, this one {len(wanted)}"
        place = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
        return f"number {place} is {str(found[place])[:12]} there and {wanted[place][:12]} here (digests)"
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = str(found.get("name")), str(wanted["name"])
        digests = str(found.get("sha256"))[:12], wanted["sha256"][:12]
        return f"{names[0]} ({digests[0]}) there and {names[1]} ({digests[1]}) here"
    if isinstance(found, list | dict) or isinstance(wanted, list | dict):
        return f"{_kind(found)} there and {_kind(wanted)} here"
    return f"{found!r} there and {wanted!r} here"


def _kind(setting: Any) -> str:
    if isinstance(setting, dict):
        return f"{setting.get('name')} ({str(setting.get('sha256'))[:12]})"
    return f"a list of {len(setting)}" if isinstance(setting, list) else repr(setting)


def _checked_record(path: Path, number: int, line: bytes) -> Record:
    record = _parsed(path, number, line)
    kinds: dict[str, dict[str, type | tuple[type, ...]]] = {
        "ask": {"step": int, "candidate": (int, str), "environment": str, "scores": list},
        "tell": {"step": int, "environment": str, "seen": dict},
    }
    if not isinstance(record.get("kind"), str) or record["kind"] not in kinds:
        raise ValueError(f'{path}, line {number}: kind is {record.get("kind")!r}, should be "ask" or "tell"')
    for key, kind in kinds[record["kind"]].items():
        if not isinstance(record.get(key), kind) or isinstance(record[key], bool):
            raise ValueError(f"{path}, line {number}: {key} is missing or of the wrong type")
    if not all(isinstance(score, int | float) for score in record.get("scores", ())):
        raise ValueError(f"{path}, line {number}: scores should be numbers")
    return record


def _write_all(file: FileIO, content: bytes) -> None:
    """Without a buffer, which would try again to write what did not fit when the file is closed."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _sync_directory(folder: Path) -> None:
    """Make a new file's name durable, where the system lets directories be synchronised."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
