"""Whether sums of products of powers reach a goal, decided exactly.

Powers of rationals have as many digits as their exponents are large.  They are enclosed between floating-point numbers
of whole mantissas, rounded outwards, with more and more bits until the answer is certain; what is still open then, as
an equality is, is computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

PRECISIONS = (128, 512, 2048, 8192)
"""Bits of mantissas that are tried."""

EXACT_BITS = 1 << 21
"""Most bits of the powers of an exact sum."""

Powers = Sequence[tuple[Fraction, int]]
"""Bases and exponents of a product, all at least 0."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A number in ``[low, high] * 2 ** power``; ``low >= 0``."""

    low: int
    high: int
    power: int

    @classmethod
    def of(cls, number: Fraction, bits: int) -> Enclosure:
        """Around a positive number."""
        shift = bits - number.numerator.bit_length() + number.denominator.bit_length()
        top = number.numerator << max(shift, 0)
        low, rest = divmod(top, number.denominator << max(-shift, 0))
        return cls(low, low + (rest > 0), -shift)

    def times(self, other: Enclosure, bits: int) -> Enclosure:
        """The product."""
        low, high = self.low * other.low, self.high * other.high
        excess = max(high.bit_length() - bits, 0)
        return Enclosure(low >> excess, -(-high >> excess), self.power + other.power + excess)

    def to(self, exponent: int, bits: int) -> Enclosure:
        """The ``exponent``-th power."""
        found, square = Enclosure(1, 1, 0), self
        while exponent:
            if exponent & 1:
                found = found.times(square, bits)
            exponent >>= 1
            if exponent:
                square = square.times(square, bits)
        return found


def reaches(terms: Sequence[Powers], goal: Fraction) -> bool | None:
    """Whether the sum of the products is at least ``goal``, a positive number; None when that is too close to tell."""
    kept = [term for term in terms if all(base or not exponent for base, exponent in term)]
    if not kept:
        return False
    for bits in PRECISIONS:
        total = _sum([_product(term, bits) for term in kept], bits)
        if _at_least(total.low, total.power, goal):
            return True
        if not _at_least(total.high, total.power, goal):
            return False
    size = sum(exponent * _bits(base) for term in kept for base, exponent in term)
    return None if size > EXACT_BITS else _exact(kept, goal)


def _product(term: Powers, bits: int) -> Enclosure:
    found = Enclosure(1, 1, 0)
    for base, exponent in term:
        if exponent:
            found = found.times(Enclosure.of(base, bits).to(exponent, bits), bits)
    return found


def _sum(terms: Sequence[Enclosure], bits: int) -> Enclosure:
    power = max(term.power + term.high.bit_length() for term in terms) - 2 * bits
    low = high = 0
    for term in terms:
        up = term.power - power
        low += term.low << up if up >= 0 else term.low >> -up
        high += term.high << up if up >= 0 else -(-term.high >> -up)
    return Enclosure(low, high, power)


def _at_least(mantissa: int, power: int, goal: Fraction) -> bool:
    """Whether ``mantissa * 2 ** power >= goal``; nothing is shifted far."""
    if mantissa == 0:
        return False
    size = mantissa.bit_length() + power
    wanted = goal.numerator.bit_length() - goal.denominator.bit_length()
    if abs(size - wanted) > 2:
        return size > wanted
    return (mantissa * goal.denominator << max(power, 0)) >= (goal.numerator << max(-power, 0))


def _exact(terms: Sequence[Powers], goal: Fraction) -> bool:
    """Whether the sum reaches the goal; common factors, which are slow to find, are left in."""
    top, bottom = 0, 1
    for term in terms:
        numerator = prod(base.numerator**exponent for base, exponent in term)
        denominator = prod(base.denominator**exponent for base, exponent in term)
        top, bottom = top * denominator + numerator * bottom, bottom * denominator
    return top * goal.denominator >= goal.numerator * bottom


def _bits(base: Fraction) -> int:
    return base.numerator.bit_length() + base.denominator.bit_length()
