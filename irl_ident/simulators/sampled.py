"""The rewards, linear in features, that explain behaviour of which only episodes are known.

A demonstrator that is optimal for theta is at least as good as every other policy k (Ng & Russell 2000, section 5),

    theta . (mu_E - mu_k) >= -slack,

and of the difference of feature expectations only bounds are known, ``|D - means_k| <= widths_k``, all of which hold
together with probability at least ``1 - level``.  The set of theta for which *some* D within them fits,

    means_k . theta + widths_k . |theta| >= -slack,     |theta|_inf = 1,

therefore holds the true theta with that probability, whatever the alternatives are and however good.  Few or bad ones
make the set large, never wrong.  Several simulators share theta, each with alternatives of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array
from irl_ident.identified.base import checked_direction
from irl_ident.identified.cone.sampling import hit_and_run
from irl_ident.simulators import program
from irl_ident.simulators.base import FeatureSums, Simulator
from irl_ident.simulators.confidence import Differences, check_level, differences
from irl_ident.simulators.program import Rows
from irl_ident.simulators.report import SampledReport, Verdict, sign_words

ROUNDS = 12
"""How often members are drawn, each time twice as many from the relaxation, before that is given up."""


class NoMember(ValueError):
    """Raised when no reward on the features explains the behaviour; names alternatives that contradict each other."""


@dataclass(frozen=True, eq=False)
class SampledSet:
    """All ``theta`` under which a demonstrator may be optimal, as far as episodes tell.

    Not an :class:`irl_ident.identified.IdentifiedSet`: it has no tables to plan in, and it is not convex.

    Attributes
    ----------
    evidence : tuple of (Simulator, FeatureSums)
        The demonstrator in each simulator.
    alternatives : tuple of tuple of FeatureSums
        For each simulator.
    level : float
        The true theta is missed with at most this probability.
    slack : float
        By how much the demonstrator may fall short of optimal, in units in which ``|theta|_inf = 1``.
    compared : tuple of Differences
        For each simulator.
    """

    evidence: tuple[tuple[Simulator, FeatureSums], ...]
    alternatives: tuple[tuple[FeatureSums, ...], ...]
    level: float
    slack: float
    compared: tuple[Differences, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features."""
        return self.evidence[0][0].names

    @cached_property
    def rows(self) -> Rows:
        """The half-spaces, of all simulators."""
        means = np.vstack([one.means for one in self.compared])
        widths = np.vstack([one.widths for one in self.compared])
        return Rows(means, widths, np.full(len(means), self.slack))

    @property
    def relaxed(self) -> tuple[Array, Array]:
        """``(rows, bounds)``: a convex set ``rows @ theta <= bounds`` that holds this one."""
        return self.rows.relaxed

    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-8) -> bool:
        """Whether ``theta`` (d,), scaled to ``|theta|_inf = 1``, may be what the demonstrator is optimal for.

        False for 0: it explains everything, and is not in the gauge.
        """
        given = checked_direction(theta, self.rows.dim)
        largest = float(np.abs(given).max())
        return largest > 0 and bool((self.rows.margins(given / largest) >= -tolerance * self.rows.scale).all())

    def support(self, direction: npt.ArrayLike) -> tuple[float, Array]:
        """The largest ``direction . theta`` over the set, where ``|theta|_inf = 1``, and a member that reaches it.

        Raises
        ------
        NoMember
            When the set is empty.
        """
        given = checked_direction(direction, self.rows.dim)
        theta = program.farthest(self.rows, given)
        if theta is None:
            raise NoMember(self._contradiction())
        return float(given @ theta), theta

    def width(self, direction: npt.ArrayLike) -> float:
        """``support(direction) + support(-direction)``."""
        given = checked_direction(direction, self.rows.dim)
        return self.support(given)[0] + self.support(-given)[0]

    @cached_property
    def intervals(self) -> Array:
        """Smallest and largest value of each parameter, (d, 2)."""
        axes = np.eye(self.rows.dim)
        return np.array([[-self.support(-axis)[0], self.support(axis)[0]] for axis in axes])

    @cached_property
    def empty(self) -> bool:
        """Whether no theta explains the behaviour."""
        return program.farthest(self.rows, np.zeros(self.rows.dim)) is None

    @cached_property
    def margin(self) -> float:
        """The largest least margin by which some theta certainly puts the demonstrator above every alternative.

        Each margin is a share of the largest ``|means| + widths`` of its row.  0 when no theta certainly does.
        """
        return program.safest(self.rows)[1]

    def center(self) -> Array:
        """A member in the middle, (d,), with ``|theta|_inf = 1``.

        The one with the largest certain margin (see ``margin``), as the linear program of Ng & Russell (2000, section
        5) chooses with exact expectations, and of those the least in ``|theta|_1``; where no margin is certain, the one
        with the largest possible margin.
        """
        theta, certain = program.safest(self.rows)
        if certain <= 1e-9:
            theta, possible = program.most_lenient(self.rows)
            if possible < 0 and self.empty:
                raise NoMember(self._contradiction())
        return np.asarray(theta / np.abs(theta).max())

    def sample(self, n: int, seed: int) -> Array:
        """``n`` members, (n, d), in ``|theta|_inf <= 1``, uniform up to correlation.

        Hit-and-run in the relaxation keeps what is in the set; scale a row to largest entry 1 to have it in the gauge.

        Raises
        ------
        NoMember
            When the set is empty.
        ValueError
            When members are too rare in the relaxation to be found, as with an empty interior.
        """
        if n != int(n) or n < 1:
            raise ValueError(f"n: was {n!r}, should be a whole number of at least 1")
        if self.empty:
            raise NoMember(self._contradiction())
        middle, radius = program.inside(self.rows)
        if radius <= 1e-9:
            raise ValueError("sample: the set has an empty interior; use support for its members")
        half_spaces, bounds = self.relaxed
        drawn = 2 * n
        seeds = np.random.SeedSequence(seed).generate_state(ROUNDS)
        for again in seeds:
            points = hit_and_run(half_spaces, bounds, middle, drawn, int(again))
            largest = np.abs(points).max(axis=1, keepdims=True)
            kept = points[(self.rows.margins(points / largest) >= 0).all(axis=1)]
            if len(kept) >= n:
                return kept[np.sort(np.random.default_rng(int(again)).choice(len(kept), n, replace=False))]
            drawn *= 2
        raise ValueError(f"sample: only {len(kept)} of {drawn // 2} points of the relaxation are members")

    @cached_property
    def dimension(self) -> int:
        """Dimension of the smallest subspace found to hold the set: d, unless some rows are known without error.

        A row that no member fulfils with slack and whose widths are 0 is an equation, and takes one dimension.
        """
        if self.empty:
            raise NoMember(self._contradiction())
        if program.most_lenient(self.rows)[1] > 1e-9:
            return self.rows.dim
        sure = np.flatnonzero(~self.rows.widths.any(axis=1) & self.rows.means.any(axis=1) & (self.rows.slack == 0))
        equations = [row for row in sure if self.support(self.rows.means[row])[0] <= 1e-9 * float(self.rows.scale[row])]
        return self.rows.dim - (int(np.linalg.matrix_rank(self.rows.means[equations])) if equations else 0)

    def report(self) -> SampledReport:
        """What is known of each feature's sign, and what it rests on."""
        assumptions = self._assumptions()
        if self.empty:
            return SampledReport("contradiction", self.names, None, (), assumptions, (self._contradiction(),))
        signs = sign_words(self.intervals)
        known = sum(sign in ("positive", "negative", "zero") for sign in signs)
        lowest = np.maximum(np.abs(self.rows.means) - self.rows.widths, 0).sum(axis=1)
        excluding = bool((lowest > self.rows.slack).any())
        verdict: Verdict = "every sign" if known == len(signs) else "a set" if excluding else "nothing"
        reasons = (self._certainty(),)
        return SampledReport(verdict, self.names, self.intervals, signs, assumptions, reasons)

    def _certainty(self) -> str:
        if self.margin > 1e-9:
            return "some reward certainly makes the demonstrator better than every alternative tried"
        return "no reward certainly makes the demonstrator better than every alternative: more episodes would tell"

    def _assumptions(self) -> tuple[str, ...]:
        exact = all(one.exact for one in self.compared)
        asymptotic = "Student t, as episodes grow; sums that did not vary count as exact"
        method = "empirical Bernstein, at every number of episodes" if exact else asymptotic
        worlds = [
            f"{simulator}: demonstrator {shown.name!r} in {shown.episodes} episodes, against "
            + ", ".join(f"{one.name!r} in {one.episodes}" for one in tried)
            for (simulator, shown), tried in zip(self.evidence, self.alternatives, strict=True)
        ]
        best = "the demonstrator is optimal" if self.slack == 0 else f"the demonstrator is optimal up to {self.slack:g}"
        return (
            f"{best} for a reward linear in {', '.join(self.names)}, not 0; largest parameter 1",
            *worlds,
            f"all bounds hold together with probability {1 - self.level:g} ({method})",
        )

    def _contradiction(self) -> str:
        """Alternatives of which any one could be left out, but not none."""
        labels = [
            f"{one.name!r} in {simulator}"
            for (simulator, _), tried in zip(self.evidence, self.alternatives, strict=True)
            for one in tried
        ]
        rows, place = self.rows, 0
        while place < len(labels):
            fewer = rows.without(place)
            if program.farthest(fewer, np.zeros(rows.dim)) is None:
                rows = fewer
                del labels[place]
            else:
                place += 1
        return f"no reward puts the demonstrator above all of: {'; '.join(labels)}"


def identify_simulator(
    evidence: Sequence[tuple[Simulator, FeatureSums]],
    alternatives: Sequence[Sequence[FeatureSums]],
    *,
    level: float = 0.05,
    slack: float = 0.0,
) -> SampledSet:
    """The rewards under which a demonstrator, known from episodes, may be optimal.

    Parameters
    ----------
    evidence : sequence of (Simulator, FeatureSums)
        The demonstrator's episodes in each simulator; all with the same names of features.
    alternatives : sequence of sequence of FeatureSums
        For each simulator, policies to compare with; at least one in all.
    level : float
        Probability, in (0, 1), with which the true theta may be missed.
    slack : float
        By how much the demonstrator may fall short of the best, in units in which the largest parameter is 1.

    Returns
    -------
    SampledSet

    Raises
    ------
    ValueError
        For evidence that is empty or does not fit together.
    """
    check_level(level)
    if not np.isfinite(slack) or slack < 0:
        raise ValueError(f"slack: was {slack!r}, should be finite and at least 0")
    pairs, tried = _checked_evidence(evidence), _checked_alternatives(alternatives)
    if not pairs or len(pairs) != len(tried) or not any(tried):
        raise ValueError(
            f"alternatives: for {len(tried)} simulators, {sum(map(len, tried))} in all; should be one group for each "
            f"of the {len(pairs)} simulators of the evidence, with at least one in all"
        )
    for place, ((simulator, shown), group) in enumerate(zip(pairs, tried, strict=True)):
        if simulator.names != pairs[0][0].names:
            wanted = pairs[0][0].names
            raise ValueError(f"evidence[{place}]: features {simulator.names}, should be {wanted} as in the first")
        for one in (shown, *group):
            _check_measured(place, simulator, one, shown)
    policies = sum(1 + len(group) for group in tried)
    compared = tuple(
        differences(shown, group, level * (1 + len(group)) / policies)
        for (_, shown), group in zip(pairs, tried, strict=True)
    )
    return SampledSet(pairs, tried, float(level), float(slack), compared)


def _checked_evidence(evidence: Sequence[Any]) -> tuple[tuple[Simulator, FeatureSums], ...]:
    for place, pair in enumerate(evidence):
        parts = tuple(pair) if isinstance(pair, list | tuple) else (pair,)
        if len(parts) != 2 or not isinstance(parts[0], Simulator) or not isinstance(parts[1], FeatureSums):
            kinds = ", ".join(type(part).__name__ for part in parts)
            raise ValueError(
                f"evidence[{place}]: was ({kinds}), should be (Simulator, FeatureSums); "
                "rollouts(simulator, policy, ...) gives the latter"
            )
    return tuple((simulator, shown) for simulator, shown in evidence)


def _checked_alternatives(alternatives: Sequence[Any]) -> tuple[tuple[FeatureSums, ...], ...]:
    for place, group in enumerate(alternatives):
        if not isinstance(group, list | tuple) or not all(isinstance(one, FeatureSums) for one in group):
            raise ValueError(
                f"alternatives[{place}]: should be a list of FeatureSums, as rollouts(simulator, policy, ...) gives "
                "them, for the simulator of that place in the evidence"
            )
    return tuple(tuple(group) for group in alternatives)


def _check_measured(place: int, simulator: Simulator, one: FeatureSums, shown: FeatureSums) -> None:
    """Raise ``ValueError`` unless ``one`` sums what the simulator's objective does, over as many steps as ``shown``."""
    g = simulator.discount
    if one.sums.shape[1] != simulator.dim:
        raise ValueError(f"evidence[{place}]: {one.name!r} has {one.sums.shape[1]} features, not {simulator.dim}")
    if one.discount not in (None, g):
        raise ValueError(f"evidence[{place}]: {one.name!r} was measured with discount {one.discount}, not {g}")
    if g == 1 and None not in (one.horizon, shown.horizon) and one.horizon != shown.horizon:
        raise ValueError(
            f"evidence[{place}]: {one.name!r} was measured over {one.horizon} steps and {shown.name!r} over "
            f"{shown.horizon}; without discount the horizon is part of the objective"
        )
