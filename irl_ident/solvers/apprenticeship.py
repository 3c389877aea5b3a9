"""Matching feature expectations: apprenticeship learning, and maximum-margin planning.

*Apprenticeship* (Abbeel & Ng 2004, section 3, the max-margin form).  Rewards are ``theta . phi`` and the demonstrator
has feature expectations ``mu_E``, summed over environments.  Keep ``m``, the mixture of the policies known so far whose
feature expectations are nearest to ``mu_E``; ask ``theta = (mu_E - m) / |mu_E - m|`` for its best policy, with
expectations v; stop when ``|mu_E - m|`` is at most epsilon.  The mixture is then as good as the demonstrator for
*every* reward with ``|theta|_2 <= 1``, up to epsilon.  A demonstrator known from episodes can have expectations that no
mixture has.  As ``theta . v`` is the most that theta pays, every mixture is at least ``theta . (mu_E - v)`` away from
``mu_E``, so that none is nearer than m by more than ``theta . (v - m)``: where that is at most epsilon the walk is over
as well.

*Maximum-margin planning* (Ratliff, Bagnell & Zinkevich 2006).  The demonstrator should beat every policy by a margin
that grows with what that policy does differently:

    minimise  c/2 |theta|_2^2 + 1/k sum_e [ max over policies (theta . mu + l_e(mu)) - theta . mu_E,e ],

``l_e(mu)``, in [0, 1], the share of the occupancy that falls on actions that were not shown (none of those in absorbing
states in which the demonstrator ended).  The maximum is a plan.
Block-coordinate Frank-Wolfe on the dual (Lacoste-Julien et al. 2013) plans one environment at a time; between plans,
weight moves between the rivals that are known, from the worst to the best, by exact steps (pairwise Frank-Wolfe;
Lacoste-Julien & Jaggi 2015).  The duality gap bounds how far the objective is from its minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.agents import Optimal
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Evidence, Observation
from irl_ident.planning.checks import positive
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Estimate, Solver, Status
from irl_ident.solvers.ng_russell import expected, features_of

CORRECTIONS = 20
"""Exact steps between the rivals of each environment for each plan."""


@dataclass(frozen=True, eq=False)
class Apprentice(Estimate):
    """The estimate of :class:`Apprenticeship`.

    Attributes
    ----------
    rewards : array (p, d)
        The parameters that were planned for; the first policy, of ``rewards[0] = 0``, is uniform.
    mixture : array (p,)
        Probability of each of their policies in the mixture nearest to the demonstrator.
    gap : float
        Euclidean distance between the feature expectations of mixture and demonstrator: no reward with
        ``|theta|_2 <= 1`` tells them apart by more.  ``convergence.residual`` says by how much a mixture of other
        policies could be nearer.
    deviation : float
        Euclidean norm of the standard errors of the demonstrator's expectations; 0 for policies, infinite where a
        single episode stands for an environment.
    """

    rewards: Array
    mixture: Array
    gap: float
    deviation: float


@dataclass(frozen=True)
class Apprenticeship(Solver):
    """Abbeel & Ng's method, which fits a mixture of optimal policies to the demonstrator.

    Parameters
    ----------
    epsilon : float
        Distance of feature expectations, in units of features times discounted steps, at which to stop; above 0.
    iterations : int
        Policies that are planned, at most.
    """

    epsilon: float = 1e-3
    iterations: int = 500

    def __post_init__(self) -> None:
        positive("epsilon", self.epsilon)
        if self.iterations < 1:
            raise ValueError(f"iterations: was {self.iterations!r}, should be at least 1")

    def fit(self, evidence: Evidence, family: RewardFamily) -> Apprentice:
        """Walk towards the demonstrator; see :meth:`.Solver.fit`.

        Returns
        -------
        Apprentice
            Gauge: ``theta`` is the last direction, of unit length, in which the demonstrator was ahead of the mixture
            by more than epsilon.  It need not be a member of the identified set: what the method promises is the
            mixture.

        Raises
        ------
        ValueError
            As :func:`irl_ident.solvers.reading.feature_expectations`.
        """
        pairs = reading.checked(evidence, family)
        shown = expected(pairs, family)
        target = np.sum([seen.mean for seen in shown], axis=0)

        def of(policies: list[Array]) -> Array:
            each = zip(pairs, shown, policies, strict=True)
            means = [features_of(env, family, policy, seen.initial) for (env, _), seen, policy in each]
            return np.asarray(np.sum(means, axis=0))

        means = [of([np.full((env.n_states, env.n_actions), 1 / env.n_actions) for env, _ in pairs])]
        rewards = [np.zeros(family.dim)]
        mixture, gap = nearest_mixture(np.array(means), target)
        residual = gap
        while residual > self.epsilon and len(rewards) <= self.iterations:
            nearest = mixture @ np.array(means)
            rewards.append((target - nearest) / gap)
            means.append(of([Optimal(family, rewards[-1]).policy(env) for env, _ in pairs]))
            nearer = max(float(rewards[-1] @ (means[-1] - nearest)), 0.0)
            mixture, gap = nearest_mixture(np.array(means), target)
            residual = min(gap, nearer)
        status: Status = "converged" if residual <= self.epsilon else "iterations"
        if not rewards[-1].any():
            status = "trivial"
        return Apprentice(
            solver=self,
            agent=Optimal(family, rewards[-1]),
            minimised="distance between feature expectations of mixture and demonstrator",
            value=gap,
            convergence=Convergence(status, len(rewards) - 1, "distance that other mixtures could save", residual),
            gauge="|theta|_2 = 1: the last direction in which the demonstrator was ahead of the mixture"
            if rewards[-1].any()
            else "0: the demonstrator has the feature expectations of the uniform policy",
            rewards=np.array(rewards),
            mixture=mixture,
            gap=gap,
            deviation=float(np.linalg.norm([seen.deviation for seen in shown])),
        )


def nearest_mixture(points: Array, target: Array) -> tuple[Array, float]:
    """Weights (p,) of the convex combination of ``points`` (p, d) that is nearest to ``target`` (d,), and how near.

    Non-negative least squares with a heavy last row for the sum of the weights (Lawson & Hanson 1974, section 23.6).
    """
    scale = float(np.abs([*points, target]).max()) or 1.0
    heavy = 1e4
    rows = np.vstack([points.T / scale, np.full(len(points), heavy)])
    weights, _ = optimize.nnls(rows, np.append(target / scale, heavy))
    weights /= weights.sum()
    return weights, float(np.linalg.norm(weights @ points - target))


@dataclass(frozen=True)
class MaximumMarginPlanning(Solver):
    """Ratliff, Bagnell & Zinkevich's structured margin.

    Parameters
    ----------
    regularisation : float
        ``c``, above 0: the smaller, the larger rewards may be and the less a margin may be missed.
    tolerance : float
        Duality gap at which to stop; the objective is at most 1.
    iterations : int
        Passes through the environments, at most.
    """

    regularisation: float = 1e-2
    tolerance: float = 1e-3
    iterations: int = 1000

    def __post_init__(self) -> None:
        positive("regularisation", self.regularisation)
        positive("tolerance", self.tolerance)
        if self.iterations < 1:
            raise ValueError(f"iterations: was {self.iterations!r}, should be at least 1")

    def fit(self, evidence: Evidence, family: RewardFamily) -> Estimate:
        """Minimise the regularised margin violations; see :meth:`.Solver.fit`.

        Returns
        -------
        Estimate
            Gauge: the minimum is unique, by ``|theta|_2^2``; it is orthogonal to directions that no policy's feature
            expectations tell apart.  Demonstrators need not be optimal for it.

        Raises
        ------
        ValueError
            As :func:`irl_ident.solvers.reading.feature_expectations`; for a discount of 1, with which occupancies have
            no common length.
        """
        pairs = reading.checked(evidence, family)
        if any(env.discount == 1 for env, _ in pairs):
            raise ValueError("evidence: maximum-margin planning needs discounts below 1")
        blocks = [
            _Block(env, family, _different(env, seen), found.mean, found.initial)
            for (env, seen), found in zip(pairs, expected(pairs, family), strict=True)
        ]
        theta, value, gap, passes = margins(blocks, self.regularisation, self.tolerance, self.iterations)
        status: Status = "converged" if gap <= self.tolerance else "iterations"
        if not theta.any():
            status = "trivial"
        return Estimate(
            self,
            Optimal(family, theta),
            "c/2 |theta|_2^2 plus mean violation of the margins",
            value,
            Convergence(status, passes, "duality gap", gap),
            "the unique minimum of the regularised objective: least |theta|_2 for the margins that it keeps",
        )


def _different(env: Environment, observation: Observation) -> Mask:
    """Actions (S, A) that were not shown, less those of absorbing states without observation that were come to."""
    seen = evidence_room.shown(env, observation)
    taken = sparse.csr_array(env.transitions[seen.shown.ravel()])
    entered = np.zeros(env.n_states, dtype=bool)
    entered[taken.indices] = True
    return ~seen.shown & ~(entered & env.absorbing & ~seen.observed)[:, None]


@dataclass(frozen=True, eq=False)
class _Block:
    """One environment: what counts as different there, and the demonstrator's expectations."""

    env: Environment
    family: RewardFamily
    different: Mask
    mean: Array
    initial: Array

    def rival(self, theta: Array) -> tuple[Array, float]:
        """Feature expectations and loss of the policy that violates the margin most."""
        loss = (1 - self.env.discount) * self.different
        reward = self.family.reward(self.env, theta) + loss
        policy = planning.optimal(self.env, reward).policy
        visits = planning.occupancy(self.env, policy, self.initial)
        return self.family.matrix(self.env).T @ visits.ravel(), float((visits * loss).sum())


def margins(
    blocks: list[_Block], regularisation: float, tolerance: float, iterations: int
) -> tuple[Array, float, float, int]:
    """Block-coordinate Frank-Wolfe.

    Returns
    -------
    theta : array (d,)
    value : float
        Of the objective.
    gap : float
        ``value`` is at most so much above the minimum.
    passes : int
    """
    count, dim = len(blocks), blocks[0].mean.size
    rivals = [_Rivals(np.zeros((1, dim)), np.zeros(1), np.ones(1)) for _ in blocks]
    passes, gap = 0, np.inf
    theta = np.zeros(dim)
    while passes < iterations and gap > tolerance:
        passes += 1
        for place, block in enumerate(blocks):
            rivals[place] = rivals[place].joined(*_corner(block, theta, regularisation, count))
            for _ in range(CORRECTIONS):
                for each in rivals:
                    theta = each.corrected(theta, regularisation)
        theta = np.sum([each.weights @ each.corners for each in rivals], axis=0)
        corners = [_corner(block, theta, regularisation, count) for block in blocks]
        gap = sum(
            regularisation * float((own.weights @ own.corners - corner) @ theta)
            - float(own.weights @ own.losses)
            + loss
            for own, (corner, loss) in zip(rivals, corners, strict=True)
        )
    dual = sum(float(own.weights @ own.losses) for own in rivals) - regularisation / 2 * float(theta @ theta)
    return theta, dual + gap, gap, passes


@dataclass(frozen=True, eq=False)
class _Rivals:
    """The policies of one environment that are known: their part of theta, their losses, and dual weights."""

    corners: Array
    losses: Array
    weights: Array

    def joined(self, corner: Array, loss: float) -> _Rivals:
        """With one more, of weight 0."""
        return _Rivals(np.vstack([self.corners, corner]), np.append(self.losses, loss), np.append(self.weights, 0.0))

    def corrected(self, theta: Array, regularisation: float) -> Array:
        """Move weight from the worst rival to the best, in place; the theta that results."""
        slope = regularisation * self.corners @ theta - self.losses
        best = int(np.argmin(slope))
        worst = int(np.argmax(np.where(self.weights > 0, slope, -np.inf)))
        direction = self.corners[best] - self.corners[worst]
        length = regularisation * float(direction @ direction)
        room = float(slope[worst] - slope[best])
        step = min(room / length if length > 0 else np.inf, float(self.weights[worst])) if room > 0 else 0.0
        self.weights[best] += step
        self.weights[worst] -= step
        return np.asarray(theta + step * direction)


def _corner(block: _Block, theta: Array, regularisation: float, count: int) -> tuple[Array, float]:
    mean, loss = block.rival(theta)
    return (block.mean - mean) / (regularisation * count), loss / count
