"""The identified set of a soft-optimal agent: an affine set (Cao, Cohen & Szpruch 2021; Rolland et al. 2022).

A maximum causal entropy agent of temperature b shows the policy ``pi_e`` in environment e exactly when
``Phi_e theta = b log pi_e + B_e V_e`` for some ``V_e``.  Policies therefore leave an affine set of parameters,
:func:`irl_ident.identified.shaping_rank.affine_set`.  From trajectories or counts the parameters of greatest likelihood
take its place, with the null space of the Fisher information as open directions: the sampling error is not part of the
set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.identified.ambiguity import name_directions
from irl_ident.identified.base import (
    Conflict,
    ContradictoryEvidence,
    IdentifiedSet,
    Metric,
    Rationality,
    checked_direction,
    different_rewards,
)
from irl_ident.identified.observed import System
from irl_ident.identified.report import Ambiguity, Report, Verdict
from irl_ident.identified.shaping_rank import AffineSet, affine_set
from irl_ident.identified.wording import assumptions, next_step, second_angle
from irl_ident.rewards import RewardFamily

CONSISTENT = 1e-6
"""Policies that an affine set misses by more than this share of their log-probabilities contradict each other."""

FLAT = 1e-10
"""A direction along which a unit vector rises by less than this is open."""

TRIVIAL = 1e-8
"""Rewards whose range is at most so many temperatures are as good as trivial."""


@dataclass(frozen=True, eq=False)
class SoftSet(IdentifiedSet):
    """All rewards under which a maximum causal entropy agent behaves as seen.  Made by :func:`irl_ident.identify`."""

    family: RewardFamily
    evidence: tuple[tuple[Environment, Any], ...]
    temperature: float
    rationality: Rationality = field(default="soft", init=False)

    @cached_property
    def systems(self) -> tuple[System, ...]:
        """What was seen, one system for each different environment."""
        found: dict[str, System] = {}
        for place, (env, observation) in enumerate(self.evidence):
            seen = evidence_room.shown(env, observation)
            nothing = np.zeros_like(seen.shown)
            old = found.get(env.digest)
            observed = seen.observed if old is None else seen.observed | old.observed
            sources = (place,) if old is None else (*old.sources, place)
            found[env.digest] = System(env, self.family.matrix(env), nothing, observed, nothing, sources)
        return tuple(found.values())

    @property
    def environments(self) -> tuple[Environment, ...]:  # type: ignore[override]
        """The different environments of the evidence."""
        return tuple(system.env for system in self.systems)

    @cached_property
    def affine(self) -> AffineSet:
        """The set as a point and open directions, with the singular values behind its dimension."""
        if not self.evidence:
            free = np.eye(self.family.dim)
            return AffineSet(np.zeros(self.family.dim), free, np.zeros(self.family.dim), 0.0, np.inf, True, 0, 0.0)
        if self.sampled:
            from irl_ident.identified.soft_likelihood import affine_around_fit

            pairs = [(env, evidence_room.counts(env, seen)) for env, seen in self.evidence]
            return affine_around_fit(pairs, self.family, self.temperature)
        equations = []
        for place, (env, observation) in enumerate(self.evidence):
            probabilities = evidence_room.empirical_policy(env, observation)
            observed = evidence_room.shown(env, observation).observed
            rows = np.repeat(observed, env.n_actions)
            if (probabilities[observed] <= 0).any():
                state = int(np.flatnonzero(observed)[(probabilities[observed] <= 0).any(axis=1)][0])
                raise ValueError(
                    f"evidence[{place}]: the policy gives an action in state {env.states[state]!r} probability 0, "
                    "which no soft-optimal agent does; use rationality='optimal', or pass counts"
                )
            with np.errstate(divide="ignore", invalid="ignore"):
                target = self.temperature * np.log(np.where(rows, probabilities.ravel(), 1.0))
            equations.append((env.shaping, self.family.matrix(env), target, rows))
        return affine_set(equations, self.family.dim)

    @property
    def sampled(self) -> bool:
        """Whether the evidence is trajectories or counts rather than policies."""
        samples = (evidence_room.Trajectories, evidence_room.Counts)
        are = [isinstance(seen, samples) for _, seen in self.evidence]
        if any(are) and not all(are):
            raise ValueError("evidence: for soft-optimal agents, give policies only or trajectories and counts only")
        return any(are)

    @cached_property
    def conflict(self) -> Conflict | None:  # type: ignore[override]
        """Why no reward explains the policies, or None."""
        residual = self.affine.residual
        if residual <= CONSISTENT:
            return None
        sources = tuple(
            (source, int(s)) for x in self.systems for source in x.sources for s in np.flatnonzero(x.observed)
        )
        explanation = f"the nearest reward misses the log-probabilities by a share of {residual:.3g}"
        return Conflict(sources, explanation, irreducible=False)

    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-8) -> bool:
        """Whether ``theta`` (d,) explains the evidence.

        Policies are compared with the soft-optimal one of ``theta``, all probabilities within ``tolerance``.  For
        trajectories and counts, ``theta`` should lie within ``tolerance`` of the affine set.
        """
        given = self.family.checked(theta)
        if self.sampled:
            rest = given - self.affine.particular
            rest = rest - self.affine.null_basis @ (self.affine.null_basis.T @ rest)
            return bool(np.abs(rest).max() <= tolerance)
        for env, observation in self.evidence:
            seen = evidence_room.shown(env, observation).observed
            expected = evidence_room.empirical_policy(env, observation)
            policy = planning.soft(env, self.family.reward(env, given), self.temperature).policy
            if (np.abs(policy - expected)[seen] > tolerance).any():
                return False
        return True

    def support(self, direction: npt.ArrayLike) -> tuple[float, Array]:
        """The largest ``direction . theta``: infinite along open directions, with the open direction itself."""
        given = checked_direction(direction, self.family.dim)
        self._require_member()
        rise = self.affine.null_basis.T @ given
        if np.linalg.norm(rise) > FLAT * max(np.linalg.norm(given), np.finfo(float).tiny):
            return np.inf, self.affine.null_basis @ rise
        return float(given @ self.affine.particular), self.affine.particular.copy()

    def width(self, direction: npt.ArrayLike) -> float:
        """0 where the evidence fixes ``direction . theta``, infinite where it does not."""
        return 0.0 if np.isfinite(self.support(direction)[0]) else np.inf

    def diameter(self, metric: Metric = "canonical") -> tuple[float, float]:
        """Bounds on the largest distance between two members, modulo the representational directions.

        ``"canonical"``: the set is unbounded along an open direction v, where canonical forms approach those of v and
        of -v, which differ by 1 somewhere: 1, or 0 when nothing is open.  ``"linf"`` and ``"l2"``: infinite, or 0.
        """
        self._require_member()
        if metric not in ("canonical", "linf", "l2"):
            raise ValueError(f"metric: was {metric!r}, should be 'canonical', 'linf' or 'l2'")
        far = 1.0 if metric == "canonical" else np.inf
        if not self.affine.decided:
            return 0.0, far
        return (far, far) if self.dimension else (0.0, 0.0)

    def canonical_ranges(self) -> Array:
        """Intervals of the canonical form of each different reward, (P, 2), as for optimal agents.

        They are [0, 1] while anything but constants is open, and where everything is the same up to 1e-8 temperatures:
        then trivial rewards explain the evidence as well.
        """
        middle = different_rewards(self.family, self.center())
        moved = different_rewards(self.family, self.affine.null_basis.T)
        largest = np.abs(different_rewards(self.family, np.eye(self.family.dim))).max()
        uneven = np.ptp(moved, axis=1) > FLAT * largest
        if uneven.any() or not self.affine.decided or np.ptp(middle) <= TRIVIAL * self.temperature:
            return np.tile([0.0, 1.0], (middle.size, 1))
        canonical = (middle - middle.min()) / np.ptp(middle)
        return np.column_stack([canonical, canonical])

    def farthest_pair(self) -> tuple[Array, Array]:
        """Two members on either side of the centre along an open direction; twice the centre when there is none.

        The set is unbounded: they are as far from each other as the centre's largest parameter, or 1.
        """
        middle = self.center()
        open_to_experiment = [a.basis for a in self.ambiguities if not a.representational]
        if not open_to_experiment:
            return middle, middle
        direction = open_to_experiment[-1][:, 0]
        step = direction / np.abs(direction).max() * (np.abs(middle).max() or 1.0) / 2
        return middle + step, middle - step

    @property
    def dimension(self) -> int:
        """Number of open directions, less the representational ones."""
        self._require_member()
        return int(self.affine.null_basis.shape[1]) - sum(a.dimension for a in self.ambiguities if a.representational)

    @cached_property
    def ambiguities(self) -> tuple[Ambiguity, ...]:
        """The open directions by name, each with a basis (d, m)."""
        self._require_member()
        return name_directions(self.affine.null_basis, self.family, self.systems, None)

    def sample(self, n: int, seed: int) -> Array:
        """``n`` members, (n, d): the centre plus standard normal weights on an orthonormal basis of the open
        directions.

        The set is unbounded, so this is a choice of scale, not a uniform distribution.
        """
        self._require_member()
        if n < 1:
            raise ValueError(f"n: was {n}, should be at least 1")
        basis = self.affine.null_basis
        weights = np.random.default_rng(seed).standard_normal((n, basis.shape[1]))
        return np.asarray(self.affine.particular + weights @ basis.T)

    def center(self) -> Array:
        """The member of least Euclidean norm, (d,)."""
        self._require_member()
        return self.affine.particular.copy()

    def _require_member(self) -> None:
        if self.conflict is not None:
            raise ContradictoryEvidence(self.conflict)

    def _report(self) -> Report:
        found = () if self.conflict is not None else self.ambiguities
        return Report(
            verdict=self._verdict(found),
            dimension=0 if self.conflict is not None else self.dimension,
            ambient_dimension=self.family.dim,
            singular_values=self.affine.singular_values,
            tolerance=self.affine.tolerance,
            gap=self.affine.gap,
            second_principal_angle=second_angle(self.environments),
            ambiguities=found,
            assumptions=assumptions(self._manner(), self.family, self.environments),
            reasons=self._reasons(),
            next_step=next_step(found, self.conflict),
        )

    def _verdict(self, found: tuple[Ambiguity, ...]) -> Verdict:
        if self.conflict is not None:
            return "contradiction"
        if not self.affine.decided:
            return "undecided"
        return affine_verdict(found, self.family.dim)

    def _manner(self) -> str:
        seen = sum(int(system.observed.sum()) for system in self.systems)
        what = "choices were counted" if self.evidence and self.sampled else "policies were shown"
        return f"maximum causal entropy, temperature {self.temperature:g}, known; {what} in {seen} states"

    def _reasons(self) -> tuple[str, ...]:
        if self.conflict is not None:
            return (self.conflict.explanation,)
        reasons = [f"residual of the equations {self.affine.residual:.1e}"]
        if self.evidence and self.sampled:
            reasons.append(
                "around the maximum-likelihood parameters; sampling error comes on top and is not in the set"
            )
        return tuple(reasons)


def affine_verdict(found: tuple[Ambiguity, ...], dim: int) -> Verdict:
    """What the open directions of an affine set amount to."""
    kinds = {a.kind for a in found}
    if sum(a.dimension for a in found) == dim:
        return "nothing"
    if not kinds:
        return "identified"
    if all(a.representational for a in found) and kinds <= {"constant", "redistribution"}:
        return "identified up to a constant"
    return "identified up to shaping" if kinds <= {"constant", "redistribution", "shaping"} else "a set"
