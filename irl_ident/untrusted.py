"""What a file of a user's may be: a regular file of bounded size, of strict JSON or of NumPy's plain arrays.

Nothing is unpickled, nothing is read that never ends, and no value is changed on the way: what a double cannot hold, a
key that stands twice and bytes that belong to nothing are errors.  Whoever calls says which file it was.
"""

from __future__ import annotations

import io
import json
import math
import stat
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

LARGEST = 1 << 32
"""Most bytes of a file."""

UNPACKED = 1 << 28
"""An archive may hold as many bytes as this, however small it is ..."""

RATIO = 64
"""... and more when it holds no more than this many times its own size."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def content(path: str | Path) -> bytes:
    """The bytes of a regular file, or of one that a symbolic link leads to.

    Raises
    ------
    ValueError
        For anything else, which may never end, and for files of more than ``LARGEST`` bytes; names the file.
    OSError
        When it cannot be read.
    """
    file = Path(path)
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ValueError(f"{path}: is {kind}, should be a regular file")
    if status.st_size > LARGEST:
        raise ValueError(f"{path}: has {status.st_size} bytes, at most {LARGEST} are read")
    return file.read_bytes()


def parsed(text: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises
    ------
    ValueError
        For what is no JSON, is nested too deeply, has a key twice in one object, or holds NaN, an infinity, or a
        number that is too large or too small for double precision.
    """
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_no_key_twice, parse_constant=_refused, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise ValueError("is damaged or is not JSON: it is not text in UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is damaged or is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def members(packed: bytes) -> dict[str, bytes]:
    """The arrays of an npz as the bytes of their ``.npy`` files, by name; see :func:`array`.

    Raises
    ------
    ValueError
        For what is no such archive, is damaged, has a name twice, or holds more than is allowed for its size.
    """
    found: dict[str, bytes] = {}
    name = "archive"
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = archive.infolist()
            total, most = sum(entry.file_size for entry in entries), max(UNPACKED, RATIO * len(packed))
            if total > most:
                raise ValueError(f"archive: says that it holds {total} bytes, at most {most} are read from it")
            for entry in entries:
                name = entry.filename
                if not name.endswith(".npy") or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(f"{name}: is not an array of an .npz")
                name = name.removesuffix(".npy")
                if name in found:
                    raise ValueError(f"{name}: is given twice")
                with archive.open(entry) as member:
                    found[name] = member.read(entry.file_size + 1)
                if len(found[name]) != entry.file_size:
                    raise ValueError(f"{name}: has another size than the archive says")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, MemoryError) as error:
        raise ValueError(f"{name}: the archive is damaged: {error}") from error
    return found


def array(content: bytes) -> npt.NDArray[Any]:
    """The array in the bytes of a ``.npy`` file.

    Raises
    ------
    ValueError
        For what is none, for objects, which would have to be unpickled, and for bytes that belong to no entry.
    """
    file = io.BytesIO(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = npy.read_array(file, allow_pickle=False)
    except Exception as error:  # of whatever kind: headers are parsed as Python's literals
        raise ValueError(f"is no array of numbers or words: {error}") from error
    if file.read(1) or found.nbytes > len(content) or found.size > len(content):
        raise ValueError(f"is no array of numbers or words: {len(content)} bytes are not those of {found.shape}")
    return np.asarray(found)


def arrays(packed: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an npz by name; ``ValueError`` names the one at fault."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name, member in members(packed).items():
        try:
            found[name] = array(member)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return found


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice}: is given twice")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"holds {constant}, should hold finite numbers only")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number) or (number == 0 and literal.lower().partition("e")[0].strip("-0.")):
        raise ValueError(f"holds {literal[:40]}, which is too large or too small a number for double precision")
    return number
