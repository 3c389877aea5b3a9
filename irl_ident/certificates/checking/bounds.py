"""Claims: multipliers that bound a direction over all objectives of a region of the premise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from irl_ident.certificates.checking.decimals import Vector, whole
from irl_ident.certificates.checking.evidence import Marks
from irl_ident.certificates.checking.reading import Literal, Place, scaled_values
from irl_ident.certificates.checking.statement import Statement


@dataclass(frozen=True, eq=False)
class Split:
    """The half-space ``weights . theta >= at``."""

    weights: Vector
    at: Fraction


Region = tuple[Split, ...]
"""The premise cut by the splits on the way down from the root."""


class Claims:
    """What claims prove under one premise; ``checked`` counts them.

    Parameters
    ----------
    statement : Statement
    marks : dict of int to Marks
        Of the observed environments.
    """

    def __init__(self, statement: Statement, marks: dict[int, Marks]) -> None:
        self.statement, self.marks = statement, marks
        self.highest = {
            number: statement.environments[number].largest_reward() * statement.environments[number].horizon
            for number in marks
        }
        self.checked = 0

    def bound(self, direction: Vector, claim: Place, region: Region) -> Fraction:
        """An upper bound of ``direction . theta`` over the region."""
        given = claim.fields("", "multipliers splits")
        self.checked += 1
        residual, constant = [direction], Fraction(0)
        if "multipliers" in given:
            for number, multipliers in self._multipliers(given["multipliers"]).items():
                part, more = self._environment(number, multipliers, given["multipliers"])
                residual.append(part)
                constant += more
        if "splits" in given:
            parts, more = _splits(given["splits"], region)
            residual += parts
            constant += more
        return added(residual).norm() + constant

    def _multipliers(self, place: Place) -> dict[int, dict[int, Literal]]:
        """The multipliers of each row of each observed environment."""
        found: dict[int, dict[int, Literal]] = {}
        for position, triple in enumerate(place.elements()):
            if not (isinstance(triple, list) and len(triple) == 3 and type(triple[0]) is type(triple[1]) is Literal):
                place.at(position).fail("should be [environment, row, multiplier]")
            number, row = whole(triple[0]), whole(triple[1])
            if number is None or number not in self.marks:
                place.at(position).fail("should be of an environment that was observed")
            rows = found.setdefault(number, {})
            if row is None or not 0 <= row < len(self.statement.environments[number].moves) or row in rows:
                place.at(position).fail(f"should be of a row of environment {number} that has no multiplier yet")
            rows[row] = triple[2]
        return found

    def _environment(self, number: int, multipliers: dict[int, Literal], place: Place) -> tuple[Vector, Fraction]:
        """What ``y . slack`` of one environment adds to the direction that is left, and to the bound."""
        env, marks = self.statement.environments[number], self.marks[number]
        y = scaled_values(place, list(multipliers.values()))
        residual = [0] * self.statement.parameters
        values: defaultdict[int, int] = defaultdict(int)
        below = above = 0
        for row, entry in zip(multipliers, y.entries, strict=True):
            weight = entry * env.sums[row]
            for parameter, phi in env.features[row]:
                residual[parameter] -= weight * phi
            for state, shaping in env.scaled_shaping(row):
                values[state] += entry * shaping
            if entry < 0:
                if row not in marks.shown:
                    place.fail(f"row {row} of environment {number} is not shown, its multiplier should be at least 0")
                below -= weight
            elif row in marks.worse:
                above += weight
        scale = y.scale * env.sum_scale
        bound = self.highest[number] * Fraction(sum(map(abs, values.values())), scale * env.discount.denominator)
        bound += self.statement.ties * Fraction(below, scale) - self.statement.strictness * Fraction(above, scale)
        return Vector(residual, scale * env.feature_scale), bound


def added(vectors: Sequence[Vector]) -> Vector:
    """The sum of vectors of the same length."""
    if len(vectors) == 1:
        return vectors[0]
    scale = lcm(*(vector.scale for vector in vectors))
    total = [0] * len(vectors[0].entries)
    for vector in vectors:
        share = scale // vector.scale
        total = [a + share * b for a, b in zip(total, vector.entries, strict=True)]
    return Vector(total, scale)


def _splits(place: Place, region: Region) -> tuple[list[Vector], Fraction]:
    """What ``z . (g theta - k)`` adds to the direction that is left, and to the bound."""
    found: dict[int, Fraction] = {}
    for pair in place.items():
        split, z = pair.items(2)
        number = split.whole(len(region))
        if number in found:
            pair.fail("is of a split that has a multiplier")
        found[number] = z.nonnegative()
    vectors, bound = [], Fraction(0)
    for number, share in found.items():
        weights = region[number].weights
        entries = [entry * share.numerator for entry in weights.entries]
        vectors.append(Vector(entries, weights.scale * share.denominator))
        bound -= share * region[number].at
    return vectors, bound
