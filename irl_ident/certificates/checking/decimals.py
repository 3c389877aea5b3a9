"""Exact numbers: decimals as they stand in a file, and vectors of whole numbers over one denominator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 400
"""Most characters of a number, and largest exponent."""

SHORT = 30
"""Characters up to which a fraction is shown as it is."""


@dataclass(frozen=True, slots=True)
class Vector:
    """The numbers ``entries[i] / scale``; ``scale`` is positive."""

    entries: list[int]
    scale: int

    def __getitem__(self, place: int) -> Fraction:
        return Fraction(self.entries[place], self.scale)

    def __neg__(self) -> Vector:
        return Vector([-entry for entry in self.entries], self.scale)

    def norm(self) -> Fraction:
        """The sum of the absolute values."""
        return Fraction(sum(map(abs, self.entries)), self.scale)

    def dot(self, other: Vector) -> Fraction:
        """The inner product."""
        total = sum(a * b for a, b in zip(self.entries, other.entries, strict=True))
        return Fraction(total, self.scale * other.scale)


def parts(literal: str) -> tuple[int, int] | None:
    """Mantissa and power of ten of a JSON number, or None when it is too long or too large."""
    if len(literal) > LONGEST:
        return None
    if literal.isdigit():
        return int(literal), 0
    digits, _, power = literal.lower().partition("e")
    before, _, after = digits.partition(".")
    if not power:
        return int(before + after), -len(after)
    if len(power) > 5 or abs(int(power)) > LONGEST:
        return None
    return int(before + after), int(power) - len(after)


def exact(literal: str) -> Fraction | None:
    """The number, or None when it is too long or too large."""
    found = parts(literal)
    if found is None:
        return None
    mantissa, exponent = found
    return Fraction(mantissa * 10**exponent) if exponent >= 0 else Fraction(mantissa, 10**-exponent)


def whole(literal: str) -> int | None:
    """The number, or None when it is not whole, or too long or too large."""
    if len(literal) <= LONGEST and literal.isdigit():
        return int(literal)
    found = exact(literal)
    return found.numerator if found is not None and found.denominator == 1 else None


def scaled(literals: Sequence[str]) -> Vector | None:
    """Numbers over a power of ten, or None when one is too long or too large."""
    found = []
    for literal in literals:
        number = parts(literal)
        if number is None:
            return None
        found.append(number if number[0] else (0, 0))
    lowest = min((exponent for _, exponent in found), default=0)
    lowest = min(lowest, 0)
    powers = {exponent: 10 ** (exponent - lowest) for _, exponent in found}
    return Vector([mantissa * powers[exponent] for mantissa, exponent in found], 10**-lowest)


def words(number: Fraction) -> str:
    """A number in few characters: exact if that is short, else about seven digits."""
    if max(abs(number.numerator), number.denominator).bit_length() <= 3 * SHORT and len(str(number)) <= SHORT:
        return str(number)
    sign = "-" if number < 0 else ""
    top, bottom = abs(number.numerator), number.denominator
    power = (top.bit_length() - bottom.bit_length()) * 30103 // 100000
    shifted = top * 10 ** max(6 - power, 0) // (bottom * 10 ** max(power - 6, 0))
    digits = str(shifted)
    power += len(digits) - 7
    return f"{sign}about {digits[0]}.{digits[1:7]}e{power}" if power else f"{sign}about {digits[0]}.{digits[1:7]}"
