"""Where a report comes from: files by their digests, and versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path

import irl_ident

PACKAGES = ("numpy", "scipy", "highspy")


@dataclass(frozen=True)
class Source:
    """A file that a report was made from.

    Attributes
    ----------
    name : str
        As it was given.
    sha256 : str
        Of its bytes, hexadecimal.
    size : int
        In bytes.
    """

    name: str
    sha256: str
    size: int


def source(path: str | Path) -> Source:
    """Read a file's digest.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "empty"
    ...     file.touch()
    ...     source(file).sha256[:8]
    'e3b0c442'
    """
    content = Path(path).read_bytes()
    return Source(str(path), hashlib.sha256(content).hexdigest(), len(content))


def versions() -> dict[str, str]:
    """Of the library, of Python, and of what computes."""
    return {
        "irl_ident": irl_ident.__version__,
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }
