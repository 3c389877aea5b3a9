"""Typed access to the values of a tree read from a file, each error naming its key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array
from irl_ident.evidence.containers import Tree
from irl_ident.evidence.observations import Integers

Shape = tuple[int | None, ...]
"""Expected lengths of the dimensions; None where any will do."""


class Fields:
    """The values below one key; each is asked for once, and :meth:`done` refuses what nobody asked for.

    Parameters
    ----------
    prefix : str
        What their names begin with in the file, such as ``"environments/0/"``.
    values : dict
    """

    def __init__(self, prefix: str, values: Tree) -> None:
        self.prefix = prefix
        self._values = dict(values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def done(self) -> None:
        """Raise ``ValueError`` when values are left."""
        for key in self._values:
            raise ValueError(f"{self.prefix}{key}: is not a key of this format, or has no place beside the others")

    @contextmanager
    def located(self) -> Iterator[None]:
        """Put the prefix before the message of a ``ValueError`` that has none yet."""
        try:
            yield
        except ValueError as error:
            message = str(error)
            raise ValueError(message if message.startswith(self.prefix) else self.prefix + message) from error

    def word(self, key: str, default: str | None = None) -> str:
        """A string."""
        if default is not None and key not in self:
            return default
        value = self._scalar(key)
        if not isinstance(value, str):
            raise self._fault(key, f"should be a word, is {_short(value)}")
        return value

    def whole(self, key: str) -> int:
        """A whole number."""
        value = self._scalar(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._fault(key, f"should be a whole number, is {_short(value)}")
        return value

    def number(self, key: str) -> float:
        """A number."""
        value = self._scalar(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self._fault(key, f"should be a number, is {_short(value)}")
        try:
            return float(value)
        except OverflowError as error:
            raise self._fault(key, f"is too large for double precision: {_short(value)}") from error

    def words(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._take(key)
        listed = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(listed, (list, tuple)) or not all(isinstance(word, str) for word in listed):
            raise self._fault(key, "should be a list of words")
        return tuple(listed)

    def integers(self, key: str, shape: Shape) -> Integers:
        """An array of whole numbers."""
        array = self._array(key, shape)
        if array.size and (array.dtype.kind not in "iu" or (array.dtype.kind == "u" and array.max() > 2**62)):
            raise self._fault(key, "should hold whole numbers only")
        return array.astype(np.int64)

    def floats(self, key: str, shape: Shape) -> Array:
        """An array of numbers."""
        array = self._array(key, shape)
        if array.size and (array.dtype.kind not in "iuf" or array.dtype.itemsize > 8):
            raise self._fault(key, "should hold numbers of at most double precision only")
        return array.astype(np.float64)

    def ragged(self, key: str) -> list[Integers]:
        """A list of lists of whole numbers."""
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(part, list) for part in value):
            raise self._fault(key, "should be a list with one list for each episode, or lengths should be given")
        parts = [Fields(f"{self.prefix}{key}/", {str(i): part}) for i, part in enumerate(value)]
        return [part.integers(str(i), (None,)) for i, part in enumerate(parts)]

    def _take(self, key: str) -> Any:
        if key not in self:
            raise self._fault(key, "is missing")
        return self._values.pop(key)

    def _scalar(self, key: str) -> Any:
        value = self._take(key)
        return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value

    def _array(self, key: str, shape: Shape) -> npt.NDArray[Any]:
        value = self._take(key)
        if not isinstance(value, (np.ndarray, list)):
            raise self._fault(key, f"should be an array, is {_short(value)}")
        if isinstance(value, list) and not _numbers(value, len(shape)):
            raise self._fault(key, f"should hold numbers alone, in lists {len(shape)} deep")
        try:
            array = np.array(value)
        except (ValueError, OverflowError) as error:
            raise self._fault(key, "should be an array, its rows are of different lengths") from error
        fits = len(array.shape) == len(shape) and all(n in (m, None) for m, n in zip(array.shape, shape, strict=True))
        if not fits:
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise self._fault(key, f"should have shape ({wanted}), has {array.shape}")
        return array

    def _fault(self, key: str, fault: str) -> ValueError:
        return ValueError(f"{self.prefix}{key}: {fault}")


def groups(tree: Tree, name: str) -> list[Fields]:
    """The numbered groups ``name/0/``, ``name/1/``, ... of a tree, in order."""
    found: dict[str, Tree] = {}
    for path, value in tree.items():
        first, _, rest = path.partition("/")
        if first == name and rest:
            number, _, key = rest.partition("/")
            found.setdefault(number, {})[key] = value
    for number in found:
        if number not in {str(i) for i in range(len(found))}:
            raise ValueError(f"{name}/{number}: groups should be numbered from 0 to {len(found) - 1}")
    return [Fields(f"{name}/{i}/", found[str(i)]) for i in range(len(found))]


def _numbers(value: list[Any], depth: int) -> bool:
    """Whether nested lists of that depth hold numbers alone; rows may have any length."""
    if depth == 1:
        return all(type(part) in (int, float) for part in value)
    return all(type(part) is list and _numbers(part, depth - 1) for part in value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
