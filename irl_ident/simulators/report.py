"""What episodes say of each feature, in a few lines; assumptions first."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

from irl_ident.environment import Array

Sign = Literal["positive", "negative", "zero", "at least 0", "at most 0", "open"]
"""Closed list of what can be known of a parameter's sign."""

Verdict = Literal["every sign", "a set", "nothing", "contradiction"]
"""Closed list.  "every sign": of every feature; "nothing": no reward is excluded; "contradiction": all are."""

ZERO = 1e-7
"""Bounds that are this small are 0: the programs are solved to about this accuracy."""

LINE = 96


@dataclass(frozen=True, eq=False)
class SampledReport:
    """What is known of a reward from episodes.

    Attributes
    ----------
    verdict : {"every sign", "a set", "nothing", "contradiction"}
    names : tuple of str
    intervals : array (d, 2) or None
        Of each parameter, where the largest is 1; None in a contradiction.
    signs : tuple of str
        ``"positive"``, ``"negative"``, ``"zero"``, ``"at least 0"``, ``"at most 0"`` or ``"open"``, for each feature.
    assumptions, reasons : tuple of str
    """

    verdict: Verdict
    names: tuple[str, ...]
    intervals: Array | None
    signs: tuple[Sign, ...]
    assumptions: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def decided(self) -> tuple[str, ...]:
        """Features whose parameter has the same sign, not 0, in every member."""
        pairs = zip(self.names, self.signs, strict=False)
        return tuple(name for name, sign in pairs if sign in ("positive", "negative"))

    @property
    def open(self) -> tuple[str, ...]:
        """Features whose parameter can have either sign."""
        return tuple(name for name, sign in zip(self.names, self.signs, strict=False) if sign == "open")

    def __str__(self) -> str:
        lines = ["Assumed", *map(_item, self.assumptions), f"Verdict: {self.verdict}", *map(_item, self.reasons)]
        if self.intervals is not None:
            lines.append("Features")
            rows = zip(self.names, self.intervals, self.signs, strict=True)
            lines += [_item(f"{name}: in [{low:.3g}, {high:.3g}], {sign}") for name, (low, high), sign in rows]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Plain Python values, for JSON."""
        return {
            "verdict": self.verdict,
            "names": list(self.names),
            "intervals": None if self.intervals is None else self.intervals.tolist(),
            "signs": list(self.signs),
            "assumptions": list(self.assumptions),
            "reasons": list(self.reasons),
        }


def sign_words(intervals: Array) -> tuple[Sign, ...]:
    """The sign of each parameter, from its interval, (d, 2)."""
    return tuple(_sign(float(low), float(high)) for low, high in intervals)


def _sign(low: float, high: float) -> Sign:
    if low > ZERO:
        return "positive"
    if high < -ZERO:
        return "negative"
    if low >= -ZERO:
        return "zero" if high <= ZERO else "at least 0"
    return "at most 0" if high <= ZERO else "open"


def _item(text: str) -> str:
    return textwrap.fill(text, LINE, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
