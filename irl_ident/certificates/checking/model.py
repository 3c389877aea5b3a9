"""Environments in exact arithmetic: whole numbers over one denominator a row.

Rows are divided by their exact sum, and so stand in lowest terms: ``P(j | row) = p / totals[row]`` for ``(j, p)`` in
``moves[row]``.  For claims, whose multipliers are of rows times their sum ``sigma``, ``scaled_shaping(row)`` gives
``sigma B`` and ``scaled_features(row)`` ``sigma Phi`` over denominators that all rows share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import gcd
from typing import Any

from irl_ident.certificates.checking.decimals import Vector
from irl_ident.certificates.checking.reading import Place, scaled_values

SUM_TOLERANCE = Fraction(1, 10**6)
"""How far probabilities may sum from 1."""

Sparse = list[tuple[int, int]]
"""Places and whole numbers."""

Choice = dict[int, list[int]]
"""Rows that may be chosen in each state that such choices visit."""


@dataclass(frozen=True, eq=False)
class Environment:
    """A Markov decision process without a reward, and the features of the family of rewards in it.

    Attributes
    ----------
    n_states, n_actions : int
    discount : Fraction
    horizon : Fraction
        Most discounted steps of an episode: 1 / (1 - discount), or the largest of the steps that prove its end.
    initial, moves
        Whole numbers over ``initial_total`` and ``totals[row]``.
    sums : list of int
        What the row summed to, over ``sum_scale``.
    features : list of Sparse
        Over ``feature_scale``.
    """

    n_states: int
    n_actions: int
    discount: Fraction
    horizon: Fraction
    initial: Sparse
    initial_total: int
    moves: list[Sparse]
    totals: list[int]
    sums: list[int]
    sum_scale: int
    features: list[Sparse]
    feature_scale: int
    _shaping: dict[int, Sparse] = field(default_factory=dict)

    def factor(self, row: int) -> Fraction:
        """By how much the value after ``row`` is discounted; 0 after an absorbing state if the discount is 1."""
        return Fraction(0) if self.discount == 1 and self._absorbing(row // self.n_actions) else self.discount

    def expected(self, row: int, values: Mapping[int, int]) -> Fraction:
        """The expectation of ``values`` after ``row``, 0 where there is none."""
        return Fraction(sum(p * values.get(state, 0) for state, p in self.moves[row]), self.totals[row])

    def onward(self, row: int, values: Mapping[int, int]) -> Fraction:
        """``(C values)(row)``."""
        return self.factor(row) * self.expected(row, values)

    def start(self, values: Mapping[int, int]) -> Fraction:
        """The expectation of ``values`` at the start."""
        return Fraction(sum(p * values.get(state, 0) for state, p in self.initial), self.initial_total)

    def normaliser(self) -> Fraction:
        """What makes values a return."""
        return Fraction(1) if self.discount == 1 else 1 - self.discount

    def rows(self, state: int) -> range:
        """The rows of the actions of a state."""
        return range(state * self.n_actions, (state + 1) * self.n_actions)

    def choice(self, allowed: Callable[[int], bool], more: Iterable[int] = ()) -> Choice:
        """Allowed rows in all states that they visit from the start, and from ``more``."""
        found: Choice = {}
        waiting = [state for state, _ in self.initial] + list(more)
        while waiting:
            state = waiting.pop()
            if state not in found:
                found[state] = [row for row in self.rows(state) if allowed(row)]
                waiting += [after for row in found[state] for after, _ in self.moves[row] if after not in found]
        return found

    def alike(self, state: int) -> list[list[int]]:
        """The rows of a state in classes of the same transitions and features."""
        classes: dict[tuple[Any, ...], list[int]] = {}
        for row in self.rows(state):
            key = (self.totals[row], *self.moves[row], None, *self.features[row])
            classes.setdefault(key, []).append(row)
        return list(classes.values())

    def largest_reward(self) -> Fraction:
        """Of any objective with parameters in [-1, 1], in absolute value."""
        return Fraction(max(sum(abs(phi) for _, phi in row) for row in self.features), self.feature_scale)

    def scaled_shaping(self, row: int) -> Sparse:
        """``sigma B`` over ``discount.denominator * sum_scale``."""
        if row not in self._shaping:
            factor, unit = self.factor(row), self.discount.denominator
            share = self.sums[row] // self.totals[row]
            entries = {row // self.n_actions: unit * self.sums[row]}
            for state, p in self.moves[row] if factor else ():
                entries[state] = entries.get(state, 0) - factor.numerator * p * share
            self._shaping[row] = [(state, entry) for state, entry in entries.items() if entry]
        return self._shaping[row]

    def _absorbing(self, state: int) -> bool:
        return all(self.moves[row][0][0] == state and len(self.moves[row]) == 1 for row in self.rows(state))


def read_environment(place: Place, parameters: int) -> Environment:
    """An environment of a statement."""
    given = place.fields("states actions discount initial transitions features", "steps")
    n_states, n_actions = given["states"].whole(), given["actions"].whole()
    entries = given["transitions"].elements()
    if not 1 <= n_states * n_actions <= len(entries):
        given["transitions"].fail(f"has {len(entries)} entries for {n_states} states and {n_actions} actions")
    discount = given["discount"].share()
    start = given["initial"].vector(n_states)
    initial, initial_total, _ = _reduced(given["initial"], "", _nonzero(start.entries), start.scale)
    n_rows = n_states * n_actions
    transitions, scale = _matrix(given["transitions"], n_rows, n_states)
    found = [_reduced(given["transitions"], f"row {row} ", row_, scale) for row, row_ in enumerate(transitions)]
    features, feature_scale = _matrix(given["features"], n_rows, parameters)
    bare = Environment(
        n_states,
        n_actions,
        discount,
        Fraction(1) if discount == 1 else 1 / (1 - discount),
        initial,
        initial_total,
        [moves for moves, _, _ in found],
        [total for _, total, _ in found],
        [sigma for _, _, sigma in found],
        scale,
        features,
        feature_scale,
    )
    if discount < 1:
        if "steps" in given:
            given["steps"].fail("should be left out, the discount is below 1")
        return bare
    if "steps" not in given:
        place.fail("should have the key 'steps', the discount is 1")
    return _ending(bare, given["steps"])


def distributions(place: Place, table: Vector, columns: int) -> list[tuple[Sparse, int]]:
    """Rows of a table, which sum to 1, as weights and their sums."""
    found = []
    for first in range(0, len(table.entries), columns):
        row = _nonzero(table.entries[first : first + columns])
        found.append(_reduced(place, f"row {first // columns} ", row, table.scale)[:2])
    return found


def _nonzero(entries: Iterable[int]) -> Sparse:
    return [(place, entry) for place, entry in enumerate(entries) if entry]


def _reduced(place: Place, which: str, entries: Sparse, scale: int) -> tuple[Sparse, int, int]:
    """Probabilities in lowest terms, their sum, and what that was over ``scale``."""
    if any(p < 0 for _, p in entries):
        place.fail(f"{which}has a negative probability")
    sigma = sum(p for _, p in entries)
    if abs(Fraction(sigma, scale) - 1) > SUM_TOLERANCE:
        place.fail(f"{which}should sum to 1")
    common = gcd(*(p for _, p in entries))
    return [(state, p // common) for state, p in entries], sigma // common, sigma


def _matrix(place: Place, n_rows: int, n_columns: int) -> tuple[list[Sparse], int]:
    """Entries ``[row, column, value]``, rows sorted, without zeros, over a common denominator."""
    rows: list[Sparse] = [[] for _ in range(n_rows)]
    triples = place.items()
    values = scaled_values(place, [triple.elements(3)[2] for triple in triples])
    given = set()
    for triple, value in zip(triples, values.entries, strict=True):
        row, column = (part.whole(below) for part, below in zip(triple.items(), (n_rows, n_columns), strict=False))
        if (row, column) in given:
            triple.fail("is given twice")
        given.add((row, column))
        if value:
            rows[row].append((column, value))
    for entries in rows:
        entries.sort()
    return rows, values.scale


def _ending(env: Environment, place: Place) -> Environment:
    """The same, with the horizon that ``steps`` prove."""
    steps = place.vector(env.n_states)
    if min(steps.entries) < 0:
        place.fail("should be at least 0")
    entries = dict(enumerate(steps.entries))
    for row in range(len(env.moves)):
        if entries[row // env.n_actions] < steps.scale + env.onward(row, entries):
            place.fail(f"do not prove that episodes end: row {row} needs more")
    horizon = Fraction(max(steps.entries), steps.scale)
    return replace(env, horizon=horizon)
