"""Writing of files: each appears whole or not at all, and what goes wrong names it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".*.partial*"
"""What files that are being written are called."""


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` make a file beside the one that is wanted, then put it in that one's place.

    Parameters
    ----------
    path : str or Path
        A file that was there is replaced, once the new one is whole and on the disk.
    write : callable
        Is given the path of a file to make, with the same suffix.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        Names ``path``, which is then as it was; nothing else is left behind.
    """
    target = Path(path)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.{os.urandom(4).hex()}.partial{target.suffix}")
    try:
        with naming(target):
            write(partial)
            _synchronise(partial)
            partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return target


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """Let errors of the file system name the file that was to be written, whatever they named before."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise OSError(f"{target}: cannot be written: {error}") from error
        raise OSError(error.errno, os.strerror(error.errno), str(target)) from error


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, and remove what runs that were killed left half-written in it.

    Where the file system has no locks, nobody is kept out and nothing is removed.

    Raises
    ------
    BlockingIOError
        When another run is in it.
    """
    descriptor = _locked(folder)
    try:
        if descriptor is not None:
            for partial in folder.glob(PARTIAL):
                partial.unlink(missing_ok=True)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(folder: Path) -> int | None:
    """An open descriptor that holds the lock, which ends with it and with the process."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        words = "is in use by another run: wait for it, or choose another folder"
        raise BlockingIOError(errno.EAGAIN, words, str(folder)) from error
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _synchronise(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
