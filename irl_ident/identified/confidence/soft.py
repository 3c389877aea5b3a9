"""The identified set of a soft-optimal agent of whom choices were seen: a likelihood set, valid at every time.

``{theta : l(theta) >= log M - log(1 / level)}`` with the log-likelihood l of all choices so far and the logarithm of a
mixture M that was fixed before any of them (:mod:`irl_ident.identified.confidence.code`).  It holds the objective at
every time with probability at least ``1 - level``, however environments and the end of observation were chosen in the
light of earlier choices.  It is convex where l is concave, which :mod:`irl_ident.identified.confidence.choices`
recognises; then support functions have certified upper bounds, otherwise they are those of members that a local search
found.  Directions along which no policy changes are open, whatever the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, special

from irl_ident import evidence as evidence_room
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy
from irl_ident.identified.ambiguity import name_directions
from irl_ident.identified.base import (
    Conflict,
    IdentifiedSet,
    Metric,
    Rationality,
    checked_direction,
    different_rewards,
)
from irl_ident.identified.confidence.choices import Choices, added_up
from irl_ident.identified.confidence.code import nearby_points
from irl_ident.identified.confidence.region import Region
from irl_ident.identified.observed import System
from irl_ident.identified.report import Ambiguity, Report
from irl_ident.identified.shaping_rank import AffineSet
from irl_ident.identified.wording import assumptions, next_step, second_angle
from irl_ident.rewards import RewardFamily

FLAT = 1e-8
"""A direction whose share in the open directions is less than this is not open."""


@dataclass(frozen=True, eq=False)
class Extreme:
    """A support function's value between bounds.

    Attributes
    ----------
    lower : float
        ``direction . theta`` of the member ``theta``; infinite along open directions.
    upper : float
        No member has more; infinite where that is not certified.
    theta : array (d,)
        A member; along open directions that direction itself.
    """

    lower: float
    upper: float
    theta: Array


@dataclass(frozen=True, eq=False)
class SoftConfidenceSet(IdentifiedSet):
    """Rewards that may be those of a soft-optimal agent.  Made by :func:`irl_ident.identify` with a ``level``.

    Parameters
    ----------
    family, evidence
        Trajectories or counts; policies, known without sampling error, have no place here.
    temperature : float
    error : float
        In [0, 1): with this probability the recorded action is a random one.
    level : float
        In (0, 1).
    """

    family: RewardFamily
    evidence: tuple[tuple[Environment, Any], ...]
    temperature: float
    error: float
    level: float
    rationality: Rationality = field(default="soft", init=False)

    def __post_init__(self) -> None:
        for place, (_, observation) in enumerate(self.evidence):
            if isinstance(observation, Policy):
                raise ValueError(
                    f"evidence[{place}]: is a policy, which has no sampling error; give trajectories or counts, or "
                    "leave the level out"
                )

    @cached_property
    def choices(self) -> Choices:
        """All choices that were seen, one entry for each different environment."""
        pairs = [(env, evidence_room.counts(env, seen).counts.astype(float)) for env, seen in self.evidence]
        return Choices(added_up(pairs), self.family, self.temperature, self.error)

    @property
    def environments(self) -> tuple[Environment, ...]:  # type: ignore[override]
        """The different environments of the evidence."""
        return tuple(env for env, _ in self.choices.data)

    @cached_property
    def conflict(self) -> Conflict | None:  # type: ignore[override]
        """None: a likelihood set is never empty."""
        return None

    @cached_property
    def affine(self) -> AffineSet:
        """The open directions: ``null_basis`` (d, m), with the singular values behind their number."""
        if self.choices.data:
            return self.choices.invariant
        free = np.eye(self.family.dim)
        return AffineSet(np.zeros(self.family.dim), free, np.zeros(self.family.dim), 0.0, np.inf, True, 0, 0.0)

    @cached_property
    def _ends(self) -> tuple[Array, float]:
        """The likeliest point that is known, and the log-likelihood at which the set ends."""
        if not self.choices.data:
            return np.zeros(self.family.dim), np.log(self.level)
        fits = self.choices.fits()
        fit = fits[-1][0]
        near = [np.column_stack(nearby_points(*each, self.temperature)) for each in fits]
        words = np.unique(np.vstack(near), axis=0)
        points, lengths = words[:, :-1], words[:, -1]
        values = self.choices.log_likelihood(np.vstack([points, fit]))
        floor = float(special.logsumexp(values[:-1] - lengths)) + np.log(self.level)
        theta = fit if values[-1] >= values[:-1].max() else points[int(np.argmax(values[:-1]))]
        return theta, float(floor)

    @property
    def floor(self) -> float:
        """Members have at least this log-likelihood, in nats."""
        return self._ends[1]

    @cached_property
    def _middle(self) -> Array:
        """The likeliest member that is known, without its part along open directions."""
        theta, basis = self._ends[0], self.affine.null_basis
        return np.asarray(theta - basis @ (basis.T @ theta))

    @property
    def certified(self) -> bool:
        """Whether the set is known to be convex, so that its support functions have certified upper bounds."""
        return self.choices.concave

    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-8) -> bool:
        """Whether ``theta`` (d,) predicts the choices well enough, up to ``tolerance`` nats."""
        return bool(self.members(self.family.checked(theta)[None], tolerance)[0])

    def members(self, thetas: npt.ArrayLike, tolerance: float = 1e-8) -> npt.NDArray[np.bool_]:
        """Which of ``thetas`` (N, d) are in the set, (N,), planned together."""
        given = np.asarray(thetas, dtype=float)
        return np.asarray(self.choices.log_likelihood(given) >= self.floor - tolerance)

    def support(self, direction: npt.ArrayLike) -> tuple[float, Array]:
        """The largest ``direction . theta`` that was found, and where; infinite along open directions.

        That of a member: certainly a lower bound.  :meth:`certified_support` has an upper one where there is one.
        """
        found = self.certified_support(direction)
        return found.lower, found.theta

    def supports(self, directions: Array) -> Iterator[tuple[float, Array]]:
        """Upper bounds of the support function along each of (m, d), infinite where unknown, and members."""
        for direction in directions:
            found = self.certified_support(direction)
            open_ = np.isinf(found.lower)
            yield found.upper, self.center() + found.theta / np.abs(found.theta).max() if open_ else found.theta

    def certified_support(self, direction: npt.ArrayLike) -> Extreme:
        """The support function between bounds; the upper one is infinite unless the set is known to be convex."""
        given = checked_direction(direction, self.family.dim)
        rise = self.affine.null_basis.T @ given
        if np.linalg.norm(rise) > FLAT * max(np.linalg.norm(given), np.finfo(float).tiny):
            return Extreme(np.inf, np.inf, self.affine.null_basis @ rise)
        middle, scale = self._middle, self._scale
        turned = scale.T @ given
        if not turned.any():
            return Extreme(0.0, 0.0, middle.copy())
        away = turned / np.linalg.norm(turned)
        lower, upper, place = self._region.extreme(turned, [away, np.zeros_like(away)])
        offset = float(given @ middle)
        return Extreme(lower + offset, upper + offset, middle + scale @ place)

    @cached_property
    def intervals(self) -> Array:
        """For each parameter the least and the largest value that :meth:`support` finds, (d, 2)."""
        axes = np.eye(self.family.dim)
        return np.array([[-self.support(-axis)[0], self.support(axis)[0]] for axis in axes])

    def diameter(self, metric: Metric = "canonical") -> tuple[float, float]:
        """Bounds on the largest distance between two members, modulo the representational directions.

        The lower one is that of members that were found.  The upper one is certified: 1 for ``"canonical"``, for
        ``"linf"`` and ``"l2"`` from the widths where the set is known to be convex, else infinite.
        """
        if metric not in ("canonical", "linf", "l2"):
            raise ValueError(f"metric: was {metric!r}, should be 'canonical', 'linf' or 'l2'")
        if metric == "canonical":
            return self._canonical_distance(*self.farthest_pair()), 1.0
        if self.dimension:
            return np.inf, np.inf
        sides = self._sides
        project = self._modulo()
        ends = np.array([end.theta for pair in sides for end in pair]) @ project
        gaps = ends[:, None] - ends[None]
        widths = np.array([one.upper + other.upper for one, other in sides])
        if metric == "linf":
            return float(np.abs(gaps).max()), float(widths.max())
        return float(np.linalg.norm(gaps, axis=2).max()), float(np.linalg.norm(widths))

    def canonical_ranges(self) -> Array:
        """Intervals that certainly hold the canonical form of every member: [0, 1] for each reward, (P, 2)."""
        return np.tile([0.0, 1.0], (different_rewards(self.family, self._middle).size, 1))

    def farthest_pair(self) -> tuple[Array, Array]:
        """Two members whose canonical forms differ much, the most among those that support functions reach."""
        middle = self._middle
        opened = [a.basis[:, -1] for a in self.ambiguities if not a.representational]
        if opened:
            step = opened[-1] / np.abs(opened[-1]).max() * max(np.abs(middle).max(), self.temperature)
            return middle + step, middle - step
        ends = [end.theta for pair in self._sides for end in pair]
        pairs = [(one, other) for i, one in enumerate(ends) for other in ends[:i]]
        return max(pairs, key=lambda pair: self._canonical_distance(*pair), default=(middle, middle))

    @property
    def dimension(self) -> int:
        """Number of open directions, along which the set is unbounded for sure, less the representational ones.

        Sampling error makes the set as wide as the family in all directions; it is not counted here.
        """
        return int(self.affine.null_basis.shape[1]) - sum(a.dimension for a in self.ambiguities if a.representational)

    @cached_property
    def ambiguities(self) -> tuple[Ambiguity, ...]:
        """The open directions by name, each with a basis (d, m)."""
        return name_directions(self.affine.null_basis, self.family, self._systems, None)

    def sample(self, n: int, seed: int) -> Array:
        """``n`` members, (n, d), on rays from the centre, and with standard normal weights on the open directions.

        Uniform in the ellipsoid that the Fisher information makes of the set, nearly uniform in a set that is near to
        it; where the set is unbounded along other directions too, not far from the centre.
        """
        if n < 1:
            raise ValueError(f"n: was {n}, should be at least 1")
        middle, scale = self._middle, self._scale
        places = self._region.random(n, seed) if scale.shape[1] else np.zeros((n, 0))
        basis = self.affine.null_basis
        weights = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]).standard_normal((n, basis.shape[1]))
        return np.asarray(middle + places @ scale.T + self.temperature * weights @ basis.T)

    def center(self) -> Array:
        """The likeliest member that is known, without its part along open directions, (d,)."""
        return self._middle.copy()

    @cached_property
    def _scale(self) -> Array:
        """A basis (d, h) of what is not open; in its units the Fisher information makes the set a ball of radius 1."""
        middle, floor = self._middle, self.floor
        basis = self.affine.null_basis
        closed = linalg.null_space(basis.T) if basis.shape[1] else np.eye(self.family.dim)
        if not closed.shape[1]:
            return np.zeros((self.family.dim, 0))
        drop = 2 * (float(self.choices.log_likelihood(middle[None])[0]) - floor)
        values, vectors = linalg.eigh(closed.T @ self.choices.information(middle) @ closed)
        least = 1 / (10 * self.temperature) ** 2
        return np.asarray(closed @ vectors * np.sqrt(drop / np.maximum(values, least)))

    @cached_property
    def _region(self) -> Region:
        """The set in coordinates z with ``theta = center + scale z``."""
        middle, scale = self._middle, self._scale

        def values(places: Array) -> Array:
            return self.choices.log_likelihood(middle + places @ scale.T)

        def slope(place: Array) -> tuple[float, Array]:
            value, gradient = self.choices.value_and_gradient(middle + scale @ place)
            return value, scale.T @ gradient

        return Region(values, slope, self.floor, np.zeros(scale.shape[1]), self.certified)

    @cached_property
    def _sides(self) -> tuple[tuple[Extreme, Extreme], ...]:
        """Supports along and against each parameter, modulo the representational directions."""
        project = self._modulo()
        axes = [axis for axis in project if np.linalg.norm(axis) > FLAT]
        return tuple((self.certified_support(axis), self.certified_support(-axis)) for axis in axes)

    def _canonical_distance(self, one: Array, other: Array) -> float:
        forms = []
        for rewards in different_rewards(self.family, np.array([one, other])):
            span = np.ptp(rewards)
            forms.append((rewards - rewards.min()) / span if span > 0 else np.zeros_like(rewards))
        return float(np.abs(forms[0] - forms[1]).max())

    def _modulo(self) -> Array:
        """Projector (d, d) that takes the representational directions away."""
        fixed = [a.basis for a in self.ambiguities if a.representational]
        basis = linalg.orth(np.hstack(fixed)) if fixed else np.zeros((self.family.dim, 0))
        return np.asarray(np.eye(self.family.dim) - basis @ basis.T)

    @property
    def _systems(self) -> tuple[System, ...]:
        found = []
        for number, (env, counts) in enumerate(self.choices.data):
            nothing = np.zeros(counts.shape, dtype=bool)
            places = tuple(i for i, (known, _) in enumerate(self.evidence) if known.digest == env.digest)
            observed = np.asarray(counts.any(axis=1))
            found.append(System(env, self.family.matrix(env), nothing, observed, nothing, places or (number,)))
        return tuple(found)

    def _report(self) -> Report:
        made = int(sum(counts.sum() for _, counts in self.choices.data))
        recorded = f"; recorded actions are random with probability {self.error:g}" if self.error else ""
        manner = f"maximum causal entropy, temperature {self.temperature:g}, known; {made} choices{recorded}"
        convex = (
            "the set is convex: its support functions are certified"
            if self.certified
            else "the set is not known to be convex: its support functions are those of members found by local search"
        )
        everything = self.affine.null_basis.shape[1] == self.family.dim
        return Report(
            verdict="nothing" if everything else "a set" if self.affine.decided else "undecided",
            dimension=self.dimension,
            ambient_dimension=self.family.dim,
            singular_values=self.affine.singular_values,
            tolerance=self.affine.tolerance,
            gap=self.affine.gap,
            second_principal_angle=second_angle(self.environments),
            ambiguities=self.ambiguities,
            assumptions=assumptions(manner, self.family, self.environments),
            reasons=(
                f"holds the objective with probability at least {1 - self.level:g} (level {self.level:g}), at every "
                "time at which one may stop",
                convex,
                "dimensions count what these choices cannot tell however many there are; sampling error is in the set",
            ),
            next_step=next_step(self.ambiguities, None)
            if self.dimension
            else "more choices: the set is as wide as they are few",
        )
