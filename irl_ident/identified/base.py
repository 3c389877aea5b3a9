"""What every identified set offers, whatever the rationality that was assumed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.identified.report import Ambiguity, Report
from irl_ident.rewards import LinearRewards, RewardFamily

Rationality = Literal["optimal", "soft"]
"""How the members of a set plan."""

Assumed = Literal["optimal", "soft", "noisy"]
"""What can be assumed of the agent behind the evidence: that it behaves as it plans, or plans optimally and errs."""

Metric = Literal["canonical", "linf", "l2"]


@dataclass(frozen=True)
class Conflict:
    """Observations that no reward of the family explains together.

    Attributes
    ----------
    observations : tuple of (int, int)
        ``(position in the evidence, state)``: taking any one of them away leaves the others without contradiction.
        Choices of an agent that errs are one observation a state, whichever pieces of evidence they are from.
    explanation : str
        The same in words.
    irreducible : bool
        False where it was not found out of each of them whether the others are a contradiction by themselves, as of
        pieces of evidence that only together say something of a state.
    """

    observations: tuple[tuple[int, int], ...]
    explanation: str
    irreducible: bool = True


class ContradictoryEvidence(ValueError):
    """Raised when a member is asked of an identified set that has none; carries the :class:`Conflict`."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(f"no reward of the family explains this evidence: {conflict.explanation}")
        self.conflict = conflict


class NotIdentified(ValueError):
    """Raised by ``report(strict=True)`` when the objective is not identified; carries the :class:`Report`."""

    def __init__(self, report: Report) -> None:
        still = f"{report.verdict}, {report.dimension} dimensions open to experiment"
        super().__init__(f"the objective is not identified: {still}\n\n{report}")
        self.report = report


class IdentifiedSet(ABC):
    """All rewards of a family that are consistent with the evidence."""

    family: RewardFamily
    evidence: tuple[tuple[Environment, Any], ...]
    environments: tuple[Environment, ...]
    rationality: Rationality
    conflict: Conflict | None

    @abstractmethod
    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-8) -> bool:
        """Whether ``theta`` (d,) explains the evidence."""

    @abstractmethod
    def support(self, direction: npt.ArrayLike) -> tuple[float, Array]:
        """The largest ``direction . theta`` over the normalised set, and a ``theta`` that reaches it."""

    def supports(self, directions: Array) -> Iterator[tuple[float, Array]]:
        """Upper bounds of the support function, certified where they can be, and members that come near them.

        Parameters
        ----------
        directions : array (m, d)

        Yields
        ------
        upper : float
            Infinite along open directions; the member then lies one step along that direction from the centre.
        theta : array (d,)
        """
        for direction in directions:
            value, theta = self.support(direction)
            yield value, theta if np.isfinite(value) else self.center() + theta / np.abs(theta).max()

    def width(self, direction: npt.ArrayLike) -> float:
        """``support(direction) + support(-direction)``: how far the set extends along ``direction``."""
        given = np.asarray(direction, dtype=float)
        return self.support(given)[0] + self.support(-given)[0]

    @abstractmethod
    def diameter(self, metric: Metric = "canonical") -> tuple[float, float]:
        """Certified lower and upper bound on the largest distance between two members."""

    @abstractmethod
    def canonical_ranges(self) -> Array:
        """Intervals that certainly hold the canonical form of every member, (P, 2)."""

    @abstractmethod
    def farthest_pair(self) -> tuple[Array, Array]:
        """Two members that differ much: the same in all that was seen, and not the same."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Dimension of the affine hull, less the representational directions."""

    @property
    @abstractmethod
    def ambiguities(self) -> tuple[Ambiguity, ...]:
        """The open directions by name, each with a basis."""

    @abstractmethod
    def sample(self, n: int, seed: int) -> Array:
        """``n`` members, as (n, d)."""

    @abstractmethod
    def center(self) -> Array:
        """A member in the middle, (d,)."""

    @abstractmethod
    def _report(self) -> Report:
        """The report, whatever the verdict."""

    def report(self, *, strict: bool = False) -> Report:
        """What is known, what is open, why, and what to do next.

        Parameters
        ----------
        strict : bool
            Raise :class:`NotIdentified`, which carries the report, unless it is ``settled``: the objective is
            identified up to what no experiment can resolve, or only trivial rewards are left.
        """
        report = self._report()
        if strict and not report.settled:
            raise NotIdentified(report)
        return report


def different_rewards(family: RewardFamily, thetas: Array) -> Array:
    """What canonical forms are about (..., P): parameters (..., d), or different feature vectors' rewards, in order."""
    if not isinstance(family, LinearRewards):
        return thetas
    return np.asarray(thetas @ np.unique(family.features.reshape(-1, family.dim), axis=0).T)


def checked_direction(direction: npt.ArrayLike, dim: int) -> Array:
    """``direction`` as a finite float array (dim,), or ``ValueError``."""
    given = np.asarray(direction, dtype=float)
    if given.shape != (dim,):
        raise ValueError(f"direction: should have shape ({dim},), was {given.shape}")
    if not np.isfinite(given).all():
        place = int(np.argmin(np.isfinite(given)))
        raise ValueError(f"direction[{place}] is {float(given[place])!r}: should be finite")
    return given


def checked_environments(environments: Sequence[Any]) -> tuple[Environment, ...]:
    """``environments`` as a tuple, all on the same states and actions, or ``ValueError``."""
    given = tuple(environments)
    for place, env in enumerate(given):
        if not isinstance(env, Environment):
            raise ValueError(f"environments[{place}]: should be an Environment, was {type(env).__name__}")
    return given
