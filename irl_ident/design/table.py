"""The decisions of a campaign, and the tidy table of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from irl_ident.design.behaviour import consistent
from irl_ident.design.families.search import Searched
from irl_ident.design.stopping import State
from irl_ident.design.strategies.base import prior_sample
from irl_ident.environment import Array, Environment

if TYPE_CHECKING:
    import pandas as pd

    from irl_ident.identified.base import IdentifiedSet, Metric

REFERENCE = 1000
"""Size of the reference sample behind ``consistent_share`` when none is given."""

COLUMNS = {
    "step": "int64",
    "environment": "int64",
    "digest": "object",
    "asked": "int64",
    "score": "float64",
    "dimension": "Int64",
    "diameter_lower": "float64",
    "diameter_upper": "float64",
    "consistent_share": "float64",
    "stopped_because": "object",
}
"""The columns of the table and their types."""

SEARCHED = {"price": "float64", "scored": "Int64", "exhaustive": "boolean"}
"""Further columns where a family is searched."""


@dataclass(frozen=True, eq=False)
class Question:
    """What was asked.

    Attributes
    ----------
    candidate : int
        Position among the candidates, or index in the family.
    scores : array (C,)
        What the strategy gave to each; of a family, to the one found alone, (1,).
    environment : Environment
        What was asked for.
    searched : Searched or None
        Where a family was searched; None for a list, which is scored whole.
    """

    candidate: int
    scores: Array
    environment: Environment
    searched: Searched | None = None


@dataclass(frozen=True, eq=False)
class Decision:
    """One observation, and where it left the campaign.

    Attributes
    ----------
    question : Question or None
        What had been asked before; None when nothing had.
    env : Environment
        Where the observation was made, whatever had been asked.
    candidate : int
        Its position among the candidates, or its index in the family; -1 when it is not known to be among them.
    state : State
        After the observation.
    """

    question: Question | None
    env: Environment
    candidate: int
    state: State

    @property
    def score(self) -> float:
        """The score of ``env`` when the question was asked; NaN without one."""
        if self.question is None or self.candidate < 0:
            return float("nan")
        if self.question.searched is not None:
            return self.question.searched.score if self.candidate == self.question.candidate else float("nan")
        return float(self.question.scores[self.candidate])


class Table:
    """Rows of a campaign's table, each computed once.

    Parameters
    ----------
    anything : IdentifiedSet
        The set before any evidence.
    reference : array (N, d) or None
        Objectives to count; ``REFERENCE`` draws from ``anything`` when None.
    metric : str
        Of the diameters.
    family_size : int or None
        How many environments the family has that is searched; None for a list.
    """

    def __init__(
        self, anything: IdentifiedSet, reference: Array | None, metric: Metric, family_size: int | None = None
    ) -> None:
        self._anything = anything
        self._given = reference
        self._metric: Metric = metric
        self._columns = COLUMNS if family_size is None else COLUMNS | SEARCHED
        if family_size is not None and family_size > np.iinfo(np.int64).max:
            self._columns = self._columns | {"environment": "object", "asked": "object"}
        self._rows: list[dict[str, Any]] = []
        self._left: list[npt.NDArray[np.intp]] = []

    @cached_property
    def reference(self) -> Array:
        """The objectives behind ``consistent_share``, (N, d)."""
        return prior_sample(self._anything, REFERENCE, seed=0) if self._given is None else self._given

    def frame(self, decisions: Sequence[Decision], reason: Callable[[State], str]) -> pd.DataFrame:
        """The table of ``decisions``, of which earlier calls have seen the first ones."""
        import pandas as pd

        for decision in decisions[len(self._rows) :]:
            self._rows.append(self._row(decision, reason(decision.state)))
        return pd.DataFrame(self._rows, columns=list(self._columns)).astype(self._columns)

    def _row(self, decision: Decision, reason: str) -> dict[str, Any]:
        ident = decision.state.ident
        empty = ident.conflict is not None
        lower, upper = (np.nan, np.nan) if empty else decision.state.diameter(self._metric)
        self._left.append(self._still_left(ident))
        searched = None if decision.question is None else decision.question.searched
        found = {} if searched is None else {name: getattr(searched, name) for name in SEARCHED}
        return found | {
            "step": len(self._rows) + 1,
            "environment": decision.candidate,
            "digest": decision.env.digest[:12],
            "asked": -1 if decision.question is None else decision.question.candidate,
            "score": decision.score,
            "dimension": None if empty else ident.dimension,
            "diameter_lower": lower,
            "diameter_upper": upper,
            "consistent_share": len(self._left[-1]) / len(self.reference),
            "stopped_because": reason,
        }

    def _still_left(self, ident: IdentifiedSet) -> npt.NDArray[np.intp]:
        """Positions of the reference objectives that are in ``ident`` and were in all sets before."""
        earlier = self._left[-1] if self._left else np.arange(len(self.reference))
        if ident.rationality == "optimal":
            kept = consistent(ident, self.reference)[earlier]
        else:
            kept = np.array([ident.contains(theta) for theta in self.reference[earlier]], dtype=bool)
        return np.asarray(earlier[kept])
