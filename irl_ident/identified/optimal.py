"""The identified set of an optimal agent: a polyhedral cone (Ng & Russell 2000; Metelli et al. 2021).

``theta`` is in the set when, in every environment, each action that was shown is optimal and, where all optimal actions
were shown, each other action is worse.  ``contains`` decides that by planning.  ``support``, ``diameter``, ``sample``
and ``center`` are about the closed cone cut by the gauge ``|theta|_inf <= 1``: its boundary holds rewards with more
ties than were shown, and the constants.

Diameters compare equivalence classes, since the constants alone make the gauge box 2 wide.  With the canonical form of
Amin & Singh (2016), ``[R] = (R - min R) / (max R - min R)``, the highest value that state ``s`` can take over the cone
is

    max over i of h(e_s - e_i) / 2,     h the support function in the gauge,

because ``[R](s)`` is the largest over i of ``R(s) - R(i)`` when rewards are scaled to a range of at most 1, which is
convex; the lowest value is ``1 - max over j of h(e_j - e_s) / 2``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.highs import SolverFailed
from irl_ident.identified.ambiguity import name_directions
from irl_ident.identified.base import (
    Conflict,
    ContradictoryEvidence,
    IdentifiedSet,
    Metric,
    Rationality,
    checked_direction,
)
from irl_ident.identified.cone import hull as hulls
from irl_ident.identified.cone.candidates import candidates
from irl_ident.identified.cone.conflict import explained, find_conflict
from irl_ident.identified.cone.constraints import Constraints, lifted, reduced
from irl_ident.identified.cone.diameter import (
    SupportFunction,
    canonical_diameter,
    canonical_ranges,
    farthest_pair,
    parameter_diameter,
    reward_support,
    weights_of_constant,
)
from irl_ident.identified.cone.sampling import hit_and_run
from irl_ident.identified.cone.support import Cone, Support
from irl_ident.identified.cone.support import support as certified_support
from irl_ident.identified.cone.support import supports as certified_supports
from irl_ident.identified.observed import System, systems
from irl_ident.identified.potentials import is_shaping
from irl_ident.identified.report import Ambiguity, Report, Verdict
from irl_ident.identified.wording import AFTER_TRIVIAL, assumptions, next_step, second_angle
from irl_ident.rewards import RANK_TOLERANCE, LinearRewards, RewardFamily

REDUCED_ENTRIES = 40_000_000
"""Up to so many entries the constraints are kept in reduced, dense form."""


@dataclass(frozen=True, eq=False)
class OptimalSet(IdentifiedSet):
    """All rewards under which an agent that behaves as seen is optimal.  Made by :func:`irl_ident.identify`."""

    family: RewardFamily
    evidence: tuple[tuple[Environment, Any], ...]
    rationality: Rationality = field(default="optimal", init=False)

    @cached_property
    def systems(self) -> tuple[System, ...]:
        """What was seen, one system for each different environment."""
        return systems(self.evidence, self.family)

    @property
    def environments(self) -> tuple[Environment, ...]:  # type: ignore[override]
        """The different environments of the evidence."""
        return tuple(system.env for system in self.systems)

    @cached_property
    def constraints(self) -> Constraints:
        """The cone as rows; dense while that is small."""
        entries = sum(system.features.shape[0] for system in self.systems) * self.family.dim
        return (reduced if entries <= REDUCED_ENTRIES else lifted)(self.systems, self.family.dim)

    @cached_property
    def hull(self) -> hulls.Hull:
        """The span of the cone.

        Raises
        ------
        SolverFailed
            Its linear program was given no answer; what rests on it (dimension, samples, reports) then has none either.
        """
        return hulls.hull(self.constraints)

    @cached_property
    def conflict(self) -> Conflict | None:  # type: ignore[override]
        """Why no reward explains the evidence, or None.

        Raises
        ------
        SolverFailed
            Neither a proof of a contradiction nor an explanation was found.
        """
        if "hull" not in vars(self) and self._explained():
            return None
        try:
            if not (self.constraints.strict & self.hull.implicit).any() or self.hull.lost:
                return None
        except SolverFailed:
            if explained(self.systems, self.evidence, self.family.dim):
                return None
        return find_conflict(self.systems, self.evidence, self.family.dim)

    @cached_property
    def cone(self) -> Cone:
        """The closed cone, ready for support functions."""
        self._require_member()
        return self._closed

    @cached_property
    def _closed(self) -> Cone:
        return Cone.of([system.block(self._unit) for system in self.systems], self.family.dim)

    def _explained(self) -> bool:
        """Whether some reward was found, by planning, to explain the evidence; for large cones, without a program."""
        return any(self.contains(theta) for theta in candidates(self._closed))

    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-8) -> bool:
        """Whether ``theta`` (d,) explains the evidence, by planning in every environment.

        ``tolerance`` is the share of the range of Q within which actions count as equally good.
        """
        given = self.family.checked(theta)
        for system in self.systems:
            reward = self.family.reward(system.env, given)
            plan = planning.optimal(system.env, reward, start=system.values(given, self._unit))
            best = planning.optimal_actions(plan.q, tolerance)
            if (system.shown & ~best).any() or (system.strict & best).any():
                return False
        return True

    def support(self, direction: npt.ArrayLike) -> tuple[float, Array]:
        """The largest ``direction . theta`` in the closed cone with ``|theta|_inf <= 1``, and where it is reached."""
        answer = self.certified_support(direction)
        return answer.value, answer.theta

    def certified_support(self, direction: npt.ArrayLike) -> Support:
        """The support function with its certified bounds, solver status and multipliers.

        Its ``violation`` is in units of the largest feature: rewards in other units have the same answer.
        """
        found = certified_support(self.cone, checked_direction(direction, self.family.dim))
        if self._unit == 1:
            return found
        multipliers = tuple(table / self._unit for table in found.multipliers)
        return replace(found, multipliers=multipliers, values=tuple(values * self._unit for values in found.values))

    @cached_property
    def _unit(self) -> float:
        """The power of two next to the largest feature: what is in the units of reward is measured in it."""
        largest = max((float(np.abs(system.features.data).max(initial=0)) for system in self.systems), default=0.0)
        return float(2.0 ** np.floor(np.log2(largest))) if largest > 0 else 1.0

    def supports(self, directions: Array) -> Iterator[tuple[float, Array]]:
        """Certified upper bounds of the support function along each of (m, d), and members that come near them."""
        for found in certified_supports(self.cone, directions):
            yield found.upper, found.theta

    def diameter(self, metric: Metric = "canonical") -> tuple[float, float]:
        """Certified bounds on the largest distance between two members of the closed cone.

        Parameters
        ----------
        metric : {"canonical", "linf", "l2"}
            ``"canonical"``: largest difference of the canonical forms, over state-action pairs, in [0, 1].  ``"linf"``
            and ``"l2"``: norms of the difference within the gauge ``|theta|_inf <= 1``, modulo the representational
            directions other than the scale.

        Returns
        -------
        lower, upper : float
            ``upper`` holds whatever the solver did, by the multipliers that it gave.  ``lower`` is the distance of two
            rewards that satisfy all constraints up to the solver's feasibility, 1e-9 for small programs; see
            ``Support.violation``.
        """
        self._require_member()
        if metric == "canonical":
            return canonical_diameter(*self._reward_support())
        fixed = [a.basis for a in self.ambiguities if a.representational and a.kind != "scale"]
        return parameter_diameter(self.certified_support, self.family.dim, fixed, metric)

    def canonical_ranges(self) -> Array:
        """Intervals that certainly hold the canonical form of every member of the closed cone, (P, 2).

        One row for each different reward of the family: a parameter, or a feature vector in sorted order.
        """
        self._require_member()
        return canonical_ranges(*self._reward_support())

    def farthest_pair(self) -> tuple[Array, Array]:
        """Two members of the closed cone whose canonical forms differ by the lower bound of the canonical diameter."""
        self._require_member()
        return farthest_pair(*self._reward_support())

    def _reward_support(self) -> tuple[SupportFunction, int]:
        """The support function over the rewards themselves, and their number."""
        rewards = None
        if isinstance(self.family, LinearRewards):
            rewards = np.unique(self.family.features.reshape(-1, self.family.dim), axis=0)
        constant = np.ones(self.family.dim) if rewards is None else weights_of_constant(rewards)
        priced = None if constant is None or self._free(constant) else constant
        if rewards is None and priced is None:
            return self.certified_support, self.family.dim
        table = np.eye(self.family.dim) if rewards is None else rewards
        return reward_support(self.constraints, table, self._hidden_bounds(), self.certified_support, priced)

    def _free(self, direction: Array) -> bool:
        """Whether any multiple of ``direction`` (d,) can be added to members: it shapes in every environment."""
        for system in self.systems:
            env, paid = system.env, np.asarray(system.features @ direction)
            even = env.discount < 1 and np.ptp(paid) <= RANK_TOLERANCE * np.abs(paid).max(initial=0)
            if not (even or is_shaping(env, paid.reshape(env.n_states, env.n_actions)).is_shaping):
                return False
        return True

    @property
    def dimension(self) -> int:
        """Dimension of the affine hull, less the representational directions and the scale; 0: one class of rewards.

        Also 0 when only rewards that make everything optimal are left; the report says so.
        """
        self._require_member()
        return int(self.hull.basis.shape[1]) - sum(a.dimension for a in self.ambiguities if a.representational)

    @cached_property
    def ambiguities(self) -> tuple[Ambiguity, ...]:
        """The open directions by name, each with a basis (d, m)."""
        self._require_member()
        middle = self.center()
        scale = middle if np.abs(middle).max() > 0 else None
        if scale is None and not self.systems:
            scale = np.arange(self.family.dim, dtype=float)
        return name_directions(self.hull.basis, self.family, self.systems, scale)

    def sample(self, n: int, seed: int) -> Array:
        """``n`` draws from the uniform distribution on the closed cone with ``|theta|_inf <= 1``, (n, d)."""
        self._require_member()
        if n < 1:
            raise ValueError(f"n: was {n}, should be at least 1")
        if not self.systems:
            return np.random.default_rng(seed).uniform(-1, 1, (n, self.family.dim))
        span, rows = self.hull.span, self.constraints.at_least[~self.hull.implicit]
        largest = self._box()
        box = np.vstack([span, -span]) / np.concatenate([largest, largest])[:, None]
        kept = np.linalg.norm(box, axis=1) > RANK_TOLERANCE
        faces = np.vstack([-(rows @ span), box[kept]])
        bounds = np.concatenate([np.zeros(rows.shape[0]), np.ones(int(kept.sum()))])
        inside = span.T @ (0.5 * hulls.center(self.constraints, self.hull.implicit, largest))
        if span.shape[1] == 0:
            return np.zeros((n, self.family.dim))
        return hit_and_run(faces, bounds, inside, n, seed) @ span[: self.family.dim].T

    def center(self) -> Array:
        """The member with the largest least advantage gap (scaled rows) under ``|theta|_inf <= 1``, (d,).

        Values of states without observation are bounded by twice what a reward in the gauge can make them.  0 when no
        action is known to be worse than another.
        """
        self._require_member()
        return hulls.center(self.constraints, self.hull.implicit, self._box())[: self.family.dim]

    def _require_member(self) -> None:
        if self.conflict is not None:
            raise ContradictoryEvidence(self.conflict)

    def _box(self) -> Array:
        """The gauge: bounds on all unknowns."""
        return np.concatenate([np.ones(self.family.dim), self._hidden_bounds()])

    def _hidden_bounds(self) -> Array:
        """Bounds on the further unknowns: twice the largest value that a reward in the gauge can have."""
        hidden = self.constraints.unknowns - self.family.dim
        if hidden == 0:
            return np.zeros(0)
        longest = 1.0
        for system in self.systems:
            env = system.env
            ones = np.ones((env.n_states, env.n_actions)) * abs(system.features).sum(axis=1).max()
            longest = max(longest, float(np.abs(planning.optimal(env, ones).values).max()))
        return np.full(hidden, 2 * longest)

    def _report(self) -> Report:
        hull = self.hull
        found = () if self.conflict is not None else self.ambiguities
        dimension = 0 if self.conflict is not None else self.dimension
        verdict = self._verdict(dimension, found)
        return Report(
            verdict=verdict,
            dimension=dimension,
            ambient_dimension=self.family.dim,
            singular_values=hull.singular_values,
            tolerance=RANK_TOLERANCE,
            gap=hull.gap,
            second_principal_angle=second_angle(self.environments),
            ambiguities=found,
            assumptions=assumptions(self._manner(), self.family, self.environments),
            reasons=self._reasons(found),
            next_step=AFTER_TRIVIAL if verdict == "trivial rewards only" else next_step(found, self.conflict),
        )

    def _manner(self) -> str:
        if not self.systems:
            return "optimal agent; nothing was observed"
        seen = sum(int(system.observed.sum()) for system in self.systems)
        every = all((system.strict | system.shown)[system.observed].all() for system in self.systems)
        shows = "all optimal actions" if every else "some optimal actions"
        return f"optimal agent, planning without error; {shows} were shown in {seen} states"

    def _verdict(self, dimension: int, found: Sequence[Ambiguity]) -> Verdict:
        if self.conflict is not None:
            return "contradiction"
        if not self.hull.decided:
            return "undecided"
        if self.constraints.at_least.shape[0] == 0 and not self.hull.singular_values.size:
            return "nothing"
        if dimension == 0:
            return "identified up to a positive affine map" if _graded(found) else "trivial rewards only"
        kinds = {a.kind for a in found}
        return "identified up to shaping" if kinds <= {"constant", "scale", "shaping", "redistribution"} else "a set"

    def _reasons(self, found: Sequence[Ambiguity]) -> tuple[str, ...]:
        if self.conflict is not None:
            return (self.conflict.explanation,)
        ties, rows = self.constraints.equal.shape[0], self.constraints.at_least.shape[0]
        implicit = int(self.hull.implicit.sum())
        reasons = [
            f"{ties} ties between shown actions, {rows} actions that are no better"
            + (f", {implicit} of which can only be as good" if implicit else "")
        ]
        if self.systems and not _graded(found):
            reasons.append(
                "only rewards that make every action optimal are left: trivially consistent with any behaviour"
            )
        if any((~system.known).any() for system in self.systems):
            exact = all(_closed(system) for system in self.systems)
            reasons.append(
                "states without observation are "
                + (
                    "never entered by the shown actions: the set is exact"
                    if exact
                    else "entered: the set is an outer bound"
                )
            )
        return tuple(reasons)


def _graded(found: Sequence[Ambiguity]) -> bool:
    """Whether there is a reward, free up to its scale, under which some action is better than another."""
    return any(ambiguity.kind == "scale" for ambiguity in found)


def _closed(system: System) -> bool:
    """Whether the shown actions stay in observed states."""
    rows = system.env.transitions[system.shown.ravel()]
    return bool(system.known[rows.indices].all())
