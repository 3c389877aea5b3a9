"""The rules that a loader has to keep, and the limits that it is held to."""

from __future__ import annotations

import resource
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from fuzz.choices import Choices
from fuzz.loaders import Loader

SECONDS = 10
"""Most processor time of one load; files are of at most a few megabytes."""

BYTES = 4 << 30
"""Most address space of the process that fuzzes."""

Outcome = Literal["refused", "accepted"]


class Broken(AssertionError):
    """A rule was broken; the message says which, and the cause is what was raised."""


class _Late(BaseException):
    """The time is up."""


def held(loader: Loader, choices: Choices) -> Outcome:
    """Make one input, offer it, and see to it that the rules are kept.

    Raises
    ------
    Broken
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return offered(loader, loader.made(Path(folder), choices))


def offered(loader: Loader, given: Any) -> Outcome:
    """Offer one input."""
    try:
        with limited():
            value = loader.load(given)
    except loader.documented as error:
        if loader.named and Path(str(given)).name not in str(error):
            raise Broken(f"{loader.name}: the message does not name the file: {error}") from error
        return "refused"
    except (_Late, MemoryError) as error:
        raise Broken(f"{loader.name}: took more than {SECONDS} s or {BYTES >> 30} GiB") from error
    except Exception as error:
        raise Broken(f"{loader.name}: raised {type(error).__name__}: {str(error)[:200]}") from error
    if value is None:
        return "refused"
    try:
        with limited():
            loader.verify(value)
    except (Exception, _Late) as error:
        raise Broken(f"{loader.name}: accepted what is not right: {type(error).__name__}: {error}") from error
    return "accepted"


@contextmanager
def limited() -> Iterator[None]:
    """Stop what takes too long."""

    def stop(_: int, __: FrameType | None) -> None:
        raise _Late

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def bounded_memory() -> None:
    """Let this process have no more than :data:`BYTES`, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
