"""The report: what evidence says about an objective, in half a page.

A verdict is always relative to four assumptions, which are printed first: the rationality, the reward family, the
discount, and the environments.  It comes with the singular values behind every rank and with the open directions by
name, never as a lone yes or no.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

import numpy as np

from irl_ident.environment import Array

Verdict = Literal[
    "identified",
    "identified up to a constant",
    "identified up to a positive affine map",
    "identified up to shaping",
    "a set",
    "trivial rewards only",
    "nothing",
    "undecided",
    "contradiction",
]
"""Closed list.  "trivial rewards only": those under which every action is optimal; "nothing": the evidence excludes no
reward; "contradiction": it excludes all of them.
"""

Kind = Literal["constant", "scale", "shaping", "redistribution", "unvisited", "symmetry", "experimental"]

REPRESENTATIONAL: tuple[Kind, ...] = ("constant", "scale", "redistribution")
"""The kinds that no environment resolves."""

LINE = 96


@dataclass(frozen=True, eq=False)
class Ambiguity:
    """An open direction, or several of one kind.

    Attributes
    ----------
    kind : str
        constant, scale, shaping, redistribution, unvisited, symmetry, or experimental.
    basis : array (d, m)
        Linearly independent directions in parameter space, independent of those of the other ambiguities.
    words : tuple of str
        What each column of ``basis`` is, such as ``"shaping at s3"``.
    representational : bool
        Whether no environment (with these discounts) could resolve it.
    """

    kind: Kind
    basis: Array
    words: tuple[str, ...]
    representational: bool

    @property
    def dimension(self) -> int:
        """Number of open directions of this kind, m."""
        return int(self.basis.shape[1])

    def __repr__(self) -> str:
        return f"Ambiguity({self.kind}, {self.dimension})"


@dataclass(frozen=True, eq=False)
class Report:
    """What is known of an objective.

    Attributes
    ----------
    verdict : str
        One of a closed list, see ``irl_ident.identified.Verdict``.
    dimension, ambient_dimension : int
        Open directions less the representational ones; number of parameters.
    singular_values : array
        Of the linear equations that the evidence puts on the reward, largest first, scaled as ``scaling`` says.
    tolerance : float
        Singular values at most this share of the largest count as 0.
    gap : float
        Smallest singular value that counts, over the largest that does not (``inf`` when none is dropped).
    second_principal_angle : float or None
        Radians, between the shaping subspaces of the best-conditioned pair of environments; None with fewer than two.
    ambiguities : tuple of Ambiguity
        The open directions.
    assumptions, reasons : tuple of str
        What the verdict is relative to; why it is what it is.
    next_step : str
        What would say more.
    """

    verdict: Verdict
    dimension: int
    ambient_dimension: int
    singular_values: Array
    tolerance: float
    gap: float
    second_principal_angle: float | None
    ambiguities: tuple[Ambiguity, ...]
    assumptions: tuple[str, ...]
    reasons: tuple[str, ...]
    next_step: str

    @property
    def settled(self) -> bool:
        """Whether no experiment can resolve what is left, be it an objective or trivial rewards alone."""
        return self.verdict.startswith(("identified", "trivial")) and self.dimension == 0

    def __str__(self) -> str:
        lines = ["Assumed"]
        lines += [_item(text) for text in self.assumptions]
        lines += [f"Verdict: {self.verdict}"]
        lines += [_item(f"{self.dimension} of {self.ambient_dimension} dimensions open to experiment")]
        lines += [_item(text) for text in self.reasons]
        lines += [_item(self._conditioning())] if self._conditioning() else []
        lines += ["Open directions"] if self.ambiguities else []
        lines += [_item(_in_words(ambiguity)) for ambiguity in self.ambiguities]
        lines += ["Next", _item(self.next_step)]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Plain Python values, for JSON; infinities become None."""
        return {
            "verdict": self.verdict,
            "dimension": self.dimension,
            "ambient_dimension": self.ambient_dimension,
            "singular_values": [float(value) for value in self.singular_values],
            "tolerance": self.tolerance,
            "gap": self.gap if np.isfinite(self.gap) else None,
            "second_principal_angle": self.second_principal_angle,
            "ambiguities": [
                {
                    "kind": ambiguity.kind,
                    "dimension": ambiguity.dimension,
                    "representational": ambiguity.representational,
                    "words": list(ambiguity.words),
                    "basis": ambiguity.basis.T.tolist(),
                }
                for ambiguity in self.ambiguities
            ],
            "assumptions": list(self.assumptions),
            "reasons": list(self.reasons),
            "next_step": self.next_step,
        }

    def _conditioning(self) -> str:
        parts = []
        if self.singular_values.size:
            counted = self.singular_values[self.singular_values > self.tolerance * self.singular_values[0]]
            parts.append(f"rank {counted.size}, smallest singular value {counted[-1]:.3g}")
            parts.append("gap " + (f"{self.gap:.1e}" if np.isfinite(self.gap) else "none (full rank)"))
        if self.second_principal_angle is not None:
            parts.append(f"second principal angle {self.second_principal_angle:.3g} rad")
        return "; ".join(parts)


def _item(text: str) -> str:
    return textwrap.fill(text, LINE, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)


def _in_words(ambiguity: Ambiguity) -> str:
    shown = "; ".join(ambiguity.words[:6])
    more = f"; and {len(ambiguity.words) - 6} more" if len(ambiguity.words) > 6 else ""
    never = ", which no environment resolves" if ambiguity.representational else ""
    return f"{ambiguity.kind} ({ambiguity.dimension}{never}): {shown}{more}"
