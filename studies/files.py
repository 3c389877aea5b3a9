"""Files of a study: whole or not there, and the same bytes for the same content."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import untrusted

if TYPE_CHECKING:
    import pandas as pd


def write_atomically(target: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file beside ``target``, then put it in its place: ``target`` is never half-written."""
    partial = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    try:
        write(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_table(target: Path, table: pd.DataFrame, **metadata: str) -> None:
    """Write a data frame as Parquet; equal tables and metadata give equal bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), **metadata})
    write_atomically(target, lambda file: parquet.write_table(content, file, compression="zstd"))


def read_table(source: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read a data frame and its metadata; ``ValueError`` names a file that is damaged."""
    import pyarrow as pa
    from pyarrow import parquet

    packed = pa.BufferReader(untrusted.content(source))
    try:
        content = parquet.read_table(packed)
        metadata = {key.decode(): value.decode() for key, value in (content.schema.metadata or {}).items()}
        return content.to_pandas(), metadata
    except Exception as error:  # of whatever kind: what describes the columns is in the file
        raise ValueError(f"{source}: is no table of a study, or damaged: {' '.join(str(error).split())}") from error


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Write plain values as JSON."""
    text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_atomically(target, lambda file: file.write_text(text, encoding="utf-8"))


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
