"""Turns of phrase that the findings of studies share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def series(values: Iterable[float], form: str = ".2f") -> str:
    """Numbers one after another.

    >>> series([0.5, 1], ".1f")
    '0.5 / 1.0'
    """
    return " / ".join(format(value, form) for value in values)


def unmet(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence that names every expectation that did not hold in all cases; no sentence if there is none.

    >>> unmet([{"claim": "it rains", "held": 2, "of": 3}, {"claim": "it pours", "held": 3, "of": 3}])
    ['Expected and not always found: it rains (2 of 3).']
    """
    missed = [f"{row['claim']} ({row['held']} of {row['of']})" for row in claims if row["held"] < row["of"]]
    return [f"Expected and not always found: {'; '.join(missed)}."] if missed else []
