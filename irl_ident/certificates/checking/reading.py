"""Reading a certificate: JSON whose numbers stay the characters that stand in the file, walked with its places known.

Everything that can be wrong with the form of a file ends in :class:`Rejected`, which names the place at fault.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn, TypeVar

from irl_ident.certificates.checking.decimals import Vector, exact, scaled, whole

Word = TypeVar("Word", bound=str)

DIGEST = "digest"

GZIP = bytes([0x1F, 0x8B])
"""How files that are compressed begin."""

LARGEST = 1 << 30
"""Most bytes of a file, uncompressed."""

UNPACKED, RATIO = 1 << 26, 64
"""Most bytes that a compressed file holds, or how many times its own size where that is more."""


class Rejected(Exception):
    """A certificate that proves nothing, and why."""


class Unreadable(Rejected):
    """A file that cannot be had, or is no JSON."""


class Literal(str):
    """A number as it stands in the file."""

    __slots__ = ()


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> dict[str, Any]:
    """The document in a file, or the document given, its numbers as :class:`Literal`.

    Raises
    ------
    Unreadable
    """
    try:
        text = json.dumps(source, allow_nan=False) if isinstance(source, Mapping) else _content(source).decode("utf-8")
        return parse(text)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"file: cannot be read: {str(error)[:100]}") from error
    except (TypeError, ValueError) as error:
        raise Unreadable(f"file: is no JSON: {str(error)[:100]}") from error
    except RecursionError as error:
        raise Unreadable("file: is nested too deeply") from error
    except MemoryError as error:
        raise Unreadable("file: needs more memory than there is") from error


def _content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file, which may be compressed with gzip."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise Unreadable("file: should be a regular file")
    with open(path, "rb") as file:
        compressed = file.read(len(GZIP)) == GZIP
    most = min(LARGEST, max(UNPACKED, RATIO * os.path.getsize(path))) if compressed else LARGEST
    with gzip.open(path) if compressed else open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Unreadable(f"file: holds more than {most} bytes")
    return content


def parse(text: str) -> dict[str, Any]:
    """The JSON object in ``text``; ``ValueError`` or :class:`Unreadable` where there is none."""
    document = json.loads(
        text, object_pairs_hook=_no_key_twice, parse_float=Literal, parse_int=Literal, parse_constant=_refused
    )
    if not isinstance(document, dict):
        raise Unreadable("file: is no JSON object")
    return document


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of all of a document that was read, but for its digest."""
    rest = {key: value for key, value in document.items() if key != DIGEST}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a document of plain values with its digest.

    Parameters
    ----------
    document : mapping
        As in docs/certificate_format.md, of numbers, words, lists and dictionaries that ``json`` can write.

    Raises
    ------
    ValueError
        Where it holds what JSON cannot.
    """
    try:
        kept = parse(json.dumps(document, allow_nan=False))
    except (TypeError, ValueError, RecursionError, Rejected) as error:
        raise ValueError(f"document: should hold what JSON can: {error}") from error
    return {**document, DIGEST: digest(kept)}


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the document, and the path to it."""

    value: Any
    path: str

    def fail(self, why: str) -> NoReturn:
        """Reject the document."""
        raise Rejected(f"{self.path or 'certificate'}: {why}")

    def at(self, key: object) -> Place:
        """The place of an element, to be named."""
        return self._below(str(key), None)

    def fields(self, required: str, optional: str = "") -> dict[str, Place]:
        """The values of an object with these keys; optional ones that are null or left out are missing."""
        given = self._object()
        needed, others = required.split(), optional.split()
        for key in given:
            if key not in needed and key not in others:
                self.fail(f"has the unknown key {key[:40]!r}")
        for key in needed:
            if key not in given:
                self.fail(f"should have the key {key!r}")
        return {key: self._below(key, value) for key, value in given.items() if key in needed or value is not None}

    def keys(self) -> set[str]:
        """The keys of an object."""
        return set(self._object())

    def numbered(self, count: int) -> dict[int, Place]:
        """The values of an object whose keys are whole numbers below ``count``."""
        found = {}
        for key, value in self._object().items():
            if not (key.isascii() and key.isdigit() and len(key) <= 15 and str(int(key)) == key and int(key) < count):
                self.fail(f"has the key {key[:40]!r}, should have whole numbers below {count}")
            found[int(key)] = self._below(key, value)
        return found

    def items(self, length: int | None = None) -> list[Place]:
        """The elements of a list."""
        given = self.elements(length)
        return [self._below(str(place), value) for place, value in enumerate(given)]

    def elements(self, length: int | None = None) -> list[Any]:
        """The elements of a list, bare."""
        if not isinstance(self.value, list):
            self.fail("should be a list")
        if length is not None and len(self.value) != length:
            self.fail(f"should have {length} elements, has {len(self.value)}")
        return self.value

    def word(self, *choices: Word) -> Word:
        """One of some words."""
        found = next((choice for choice in choices if type(self.value) is str and self.value == choice), None)
        if found is None:
            self.fail("should be " + " or ".join(repr(choice) for choice in choices))
        return found

    def number(self) -> Fraction:
        """An exact number."""
        found = exact(self._literal())
        if found is None:
            self.fail("is a number with too many digits or too large an exponent")
        return found

    def share(self) -> Fraction:
        """A number in [0, 1]."""
        found = self.number()
        if not 0 <= found <= 1:
            self.fail("should be in [0, 1]")
        return found

    def nonnegative(self) -> Fraction:
        """A number of at least 0."""
        found = self.number()
        if found < 0:
            self.fail("should be at least 0")
        return found

    def whole(self, below: int | None = None) -> int:
        """A whole number of at least 0."""
        found = whole(self._literal())
        if found is None or found < 0 or (below is not None and found >= below):
            self.fail("should be a whole number of at least 0" + ("" if below is None else f" and below {below}"))
        return found

    def vector(self, length: int) -> Vector:
        """A list of numbers."""
        return scaled_values(self, self.elements(length))

    def table(self, rows: int, columns: int) -> Vector:
        """A list of lists of numbers, one row after the other."""
        return scaled_values(self, [value for row in self.items(rows) for value in row.elements(columns)])

    def _object(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            self.fail("should be an object")
        return self.value

    def _literal(self) -> str:
        if not isinstance(self.value, Literal):
            self.fail("should be a number")
        return self.value

    def _below(self, key: str, value: Any) -> Place:
        return Place(value, f"{self.path}/{key}" if self.path else key)


def scaled_values(place: Place, values: list[Any]) -> Vector:
    """Numbers that stand at one place, over a common denominator."""
    for value in values:
        if type(value) is not Literal:
            place.fail("should hold numbers only")
    found = scaled(values)
    if found is None:
        place.fail("holds a number with too many digits or too large an exponent")
    return found


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("file: has a key twice in one object")
    return found


def _refused(constant: str) -> NoReturn:
    raise Unreadable(f"file: holds {constant}, should hold finite numbers only")
