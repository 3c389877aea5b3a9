"""Numbers for choices: every environment of a family has an index, and the index says all that was chosen.

A choice from each of several menus is a number in mixed radix, the last menu fastest.  A subset ``c_1 < ... < c_k`` of
``range(n)`` has the rank ``C(c_1, 1) + ... + C(c_k, k)`` (the combinatorial number system: Knuth, The Art of Computer
Programming, volume 4A, section 7.2.1.3).  Indices are Python integers, as large as they need to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import comb, log10

import numpy as np


def digits(index: int, bases: Sequence[int]) -> tuple[int, ...]:
    """The choice from each menu; ``bases`` are the sizes of the menus.

    >>> digits(11, (2, 3, 2))
    (1, 2, 1)
    """
    found = []
    for base in reversed(bases):
        index, digit = divmod(index, base)
        found.append(digit)
    return tuple(reversed(found))


def composed(chosen: Sequence[int], bases: Sequence[int]) -> int:
    """The index of a choice from each menu: the inverse of :func:`digits`."""
    index = 0
    for digit, base in zip(chosen, bases, strict=True):
        index = index * base + digit
    return index


def one_changed(index: int, bases: Sequence[int]) -> list[int]:
    """All indices that differ in the choice from one menu, the fastest menu first.

    >>> one_changed(0, (2, 3))
    [1, 2, 3]
    """
    found, step = [], 1
    for digit, base in zip(reversed(digits(index, bases)), reversed(bases), strict=True):
        found += [index + (other - digit) * step for other in range(base) if other != digit]
        step *= base
    return found


def subset(rank: int, size: int) -> tuple[int, ...]:
    """The subset of ``size`` numbers with this rank, in ascending order.

    >>> [subset(rank, 2) for rank in range(4)]
    [(0, 1), (0, 2), (1, 2), (0, 3)]
    """
    found = []
    for count in range(size, 0, -1):
        low, high = count - 1, count
        while comb(high, count) <= rank:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if comb(middle, count) <= rank else (low, middle)
        rank -= comb(low, count)
        found.append(low)
    return tuple(reversed(found))


def subset_rank(members: Sequence[int]) -> int:
    """The rank of a subset given in ascending order: the inverse of :func:`subset`."""
    return sum(comb(member, count) for count, member in enumerate(members, 1))


def arrangement(rank: int, n: int, size: int) -> tuple[int, ...]:
    """``size`` different numbers below ``n`` in order, the one of this rank among ``perm(n, size)``.

    >>> [arrangement(rank, 3, 2) for rank in range(6)]
    [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    """
    left = list(range(n))
    return tuple(left.pop(place) for place in digits(rank, range(n, n - size, -1)))


def arrangement_rank(members: Sequence[int], n: int) -> int:
    """The rank of different numbers below ``n`` in this order: the inverse of :func:`arrangement`."""
    left = list(range(n))
    places = []
    for member in members:
        places.append(left.index(member))
        left.remove(member)
    return composed(places, range(n, n - len(members), -1))


def parts(rank: int, total: int, count: int) -> tuple[int, ...]:
    """``count`` whole numbers >= 0 that sum to ``total``: one of ``C(total + count - 1, count - 1)`` ways.

    >>> [parts(rank, 2, 2) for rank in range(3)]
    [(0, 2), (1, 1), (2, 0)]
    """
    bars = (-1, *subset(rank, count - 1), total + count - 1)
    return tuple(after - before - 1 for before, after in pairwise(bars))


def parts_rank(chosen: Sequence[int]) -> int:
    """The rank of whole numbers by their sum and count: the inverse of :func:`parts`."""
    ends = np.cumsum([part + 1 for part in chosen[:-1]])
    return subset_rank([int(end) - 1 for end in ends])


def drawn(rng: np.random.Generator, size: int) -> int:
    """A uniform index below ``size``, however large."""
    if size <= np.iinfo(np.int64).max:
        return int(rng.integers(size))
    bits = (size - 1).bit_length()
    while True:
        found = int.from_bytes(rng.bytes((bits + 7) // 8), "little") >> (-bits % 8)
        if found < size:
            return found


def words(number: int) -> str:
    """A number of any size, short enough for a message.

    >>> words(12345), words(2**100), words(10**400)
    ('12,345', '1.27e+30', '10^400')
    """
    if abs(number) < 10**9:
        return f"{number:,}"
    if abs(number) < 10**300:
        return f"{number:.3g}"
    return f"10^{int(number.bit_length() * log10(2))}"


def written(number: int) -> int | str:
    """A number >= 0 as JSON of any reader holds it: as it is below 2**53, in hexadecimal beyond.

    >>> written(7), written(2**60), number_of("0x1000000000000000") == 2**60
    (7, '0x1000000000000000', True)
    """
    return number if number < 2**53 else hex(number)


def number_of(given: object) -> int:
    """The number that :func:`written` wrote, or ``ValueError``."""
    if isinstance(given, str):
        return int(given, 16)
    if not isinstance(given, int) or isinstance(given, bool):
        raise ValueError(f"was {given!r}, should be a whole number")
    return given
