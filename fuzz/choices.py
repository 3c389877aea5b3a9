"""Choices read off a string of bytes, so that whoever shrinks or steers the bytes shrinks or steers the choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


class Choices:
    """Reads choices from the front of ``data``; zeros follow its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        size = max(1, ((n - 1).bit_length() + 7) // 8)
        return int.from_bytes(self.bytes(size), "little") % n

    def pick(self, things: Sequence[Thing]) -> Thing:
        """One of them."""
        return things[self.below(len(things))]

    def one_in(self, n: int) -> bool:
        """True in one of n cases."""
        return self.below(n) == n - 1

    def bytes(self, n: int) -> bytes:
        """The next n bytes."""
        found = self._data[self._place : self._place + n]
        self._place += n
        return found.ljust(n, b"\0")
