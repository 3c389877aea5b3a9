"""Names of states and actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import SupportsIndex, TypeAlias, overload


@dataclass(frozen=True, eq=False)
class Numbered(Sequence[str]):
    """The names ``s0, s1, ...``, made when asked for: a million of them weigh nothing.

    >>> Numbered("s", 1_000_000)[-1]
    's999999'
    """

    letter: str
    total: int

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, place: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: SupportsIndex | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(f"{self.letter}{i}" for i in range(self.total)[place])
        return f"{self.letter}{range(self.total)[place]}"

    def __iter__(self) -> Iterator[str]:
        return (f"{self.letter}{i}" for i in range(self.total))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numbered):
            return (self.letter, self.total) == (other.letter, other.total)
        if isinstance(other, tuple):
            return len(other) == self.total and all(mine == its for mine, its in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))


Names: TypeAlias = tuple[str, ...] | Numbered


def checked_names(argument: str, names: Sequence[str] | None, letter: str, count: int) -> Names:
    """Names as given, ``Numbered`` when not given or when they are just that; ``ValueError`` names ``argument``."""
    numbered = Numbered(letter, count)
    if names is None or (isinstance(names, Numbered) and names == numbered):
        return numbered
    if isinstance(names, str):
        raise ValueError(f"{argument}: should be a sequence of names, was the one string {names!r}")
    given = tuple(str(name) for name in names)
    if len(given) != count:
        raise ValueError(f"{argument}: {len(given)} names were given for {count} {argument}")
    if len(set(given)) != count:
        seen: set[str] = set()
        twice = next(name for name in given if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{argument}: the name {twice!r} is given more than once; names should be unique")
    return numbered if numbered == given else given
