"""Coherence: how much likelier a behaviour is when an objective is drawn and optimised than when actions are drawn.

Xu & Rivera (2024, "Towards measuring goal-directedness in AI systems", arXiv:2410.04683) take a policy as goal-directed
when it is optimal, or nearly so, for many rewards.  The quotient here is that of Xu & Ngo (2024, "Measuring coherence
of policies in toy environments"), who compare two ways of drawing a deterministic policy: *uniform reward sampling*
draws a reward uniformly and then evenly one of the policies that are optimal for it; *uniform policy sampling* draws an
action evenly in every state.  The coherence of a policy pi is

    P(pi | rewards) / P(pi | policies) = |policies| E_theta[ 1{pi optimal for theta} / |policies optimal for theta| ],

where P(pi is optimal) is the *optimality probability* of Turner et al. (2021, "Optimal policies tend to seek power").
Averaged over all policies it is 1.  With rewards from a linear family, ``theta`` uniform on the gauge box
``|theta|_inf <= 1``, the rewards for which the shown actions are optimal are the closed identified set, a cone C.
Either C has no volume, and the coherence is 0, or for almost all theta in C the actions that tie with the shown ones
are the same, ``n(s)`` of them in state s, because ties elsewhere are faces of C.  Then

    coherence = share of the box in C  x  product over states of A / n(s),

and in bits log2 of that: the bits of behaviour that an optimiser's objective explains, less the bits that the objective
costs.  Several environments are one larger one, in which the random policy draws an action for each state of each.

The share is exact, the volume of a polytope, up to :data:`EXACT_DIM` parameters; above, it is found by multilevel
splitting (:mod:`irl_ident.goal_directedness.shares`) with uniform draws from the nested polytopes in which every
optimality condition may fail by a little, and less and less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, spatial

from irl_ident import evidence as evidence_room
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy
from irl_ident.goal_directedness.shares import Share, exact_share, split_share
from irl_ident.identified.cone.constraints import Constraints, reduced
from irl_ident.identified.cone.hull import certified_maximum
from irl_ident.identified.observed import System, systems
from irl_ident.rewards import RewardFamily

EXACT_DIM = 6
"""Up to so many parameters the volume is computed, not estimated."""

NO_VOLUME = 1e-9
"""Cones in which no optimality condition, scaled to largest entry 1, can hold by more than this have no volume."""

STEPS = 2
"""Hit-and-run steps between two levels, for each parameter."""

JITTER = 1e-12
"""Share of the trace that is added to a covariance before its root is taken."""

SMALLEST_SLACK = 1e-15
"""Slack that rounding has eaten up counts as this much."""

CENTRING = 50
"""Most Newton steps to the analytic centre; a few are usual."""


@dataclass(frozen=True)
class Coherence:
    """How much likelier a behaviour is from the optimiser of a random reward than from random actions.

    Attributes
    ----------
    share : Share
        Of the rewards in the gauge box, those for which all shown actions are optimal.
    log2_policies : float
        Sum over the observed states of ``log2(A / n(s))``, n(s) being the number of actions that tie for almost all of
        those rewards.
    decided : bool
        False where the rewards may have volume, but no point was found that is clearly inside; the share is then 0.
    """

    share: Share
    log2_policies: float
    decided: bool = True

    @property
    def bits(self) -> float:
        """Logarithm to base 2 of the coherence: above 0 when an optimiser is likelier; ``-inf`` for no reward."""
        return self.share.log2 + self.log2_policies

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of ``bits``."""
        return self.share.lower + self.log2_policies, self.share.upper + self.log2_policies


def coherence(
    evidence: Sequence[tuple[Environment, Any]],
    family: RewardFamily,
    *,
    draws: int = 1000,
    repeats: int = 8,
    seed: int = 0,
    level: float = 0.95,
) -> Coherence:
    """The coherence of what was seen.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        Policies (S, A), :class:`irl_ident.evidence.Policy`, trajectories or counts.  Whatever ``shows`` says, the shown
        actions have to be optimal and others may be as well.  All states that the environment can reach from observed
        ones should be observed.
    family : RewardFamily
    draws, repeats, seed, level
        Of the estimate when there are more than :data:`EXACT_DIM` parameters: draws of each level and run, independent
        runs, and the level of the interval.

    Returns
    -------
    Coherence

    Raises
    ------
    ValueError
        When nothing was seen, or not in every state within reach.

    Examples
    --------
    Nothing carries over to a next step, and the rewards of all actions are free: any choice has some objective, and no
    choice tells of one.

    >>> import irl_ident as ii
    >>> bandit = ii.Environment(np.ones((1, 4, 1)), discount=0.0)
    >>> found = coherence([(bandit, np.eye(4)[:1])], ii.rewards.StateActionRewards(1, 4))
    >>> round(found.share.value, 9), round(found.bits, 9) + 0.0
    (0.25, 0.0)
    """
    if not len(evidence):
        raise ValueError("evidence: is empty, should hold at least one observation")
    seen = systems([(env, _some(env, observation)) for env, observation in evidence], family)
    constraints = reduced(seen, family.dim)
    if constraints.unknowns > family.dim:
        raise ValueError(
            f"evidence: {constraints.unknowns - family.dim} states that can be reached from observed ones were not "
            "observed; show what is done in all of them"
        )
    bits = sum(_told_apart(system, place, constraints) for place, system in enumerate(seen))
    if constraints.equal.nnz:
        return Coherence(exact_share(0.0), bits)
    rows = constraints.at_least.toarray()
    if not len(rows):
        return Coherence(exact_share(1.0), bits)
    inside, widest = _chebyshev(rows)
    least = float((rows @ inside).min())
    if least <= NO_VOLUME:
        return Coherence(exact_share(0.0), bits, decided=widest <= NO_VOLUME)
    return Coherence(box_share(rows, inside, draws=draws, repeats=repeats, seed=seed, level=level), bits)


def _chebyshev(rows: Array) -> tuple[Array, float]:
    """A point of the box, inside it, with nearly the largest least slack of the rows, and what no slack is above."""
    size = rows.shape[1]
    with_slack = np.hstack([rows, -np.ones((len(rows), 1))])
    found = certified_maximum(np.eye(size + 1)[size], with_slack, np.zeros((0, size + 1)), np.ones(size + 1))
    return 0.5 * found.theta[:size], found.upper


def box_share(
    rows: npt.ArrayLike,
    inside: npt.ArrayLike,
    *,
    draws: int = 1000,
    repeats: int = 8,
    seed: int = 0,
    level: float = 0.95,
    exact_dim: int = EXACT_DIM,
) -> Share:
    """The share of the box ``|z|_inf <= 1`` in the cone ``rows @ z >= 0``.

    Parameters
    ----------
    rows : array (m, d)
    inside : array (d,)
        A point of the box with ``rows @ inside > 0`` in every row.
    draws, repeats, seed, level
        As for :func:`coherence`.
    exact_dim : int
        Up to so many dimensions the volume is computed.

    Returns
    -------
    Share
    """
    given, point = np.asarray(rows, dtype=float), np.asarray(inside, dtype=float)
    if given.ndim != 2 or point.shape != given.shape[1:]:
        raise ValueError(f"inside: should have shape (d,) for rows (m, d) = {given.shape}, was {point.shape}")
    given = given[given.any(axis=1)]
    if not len(given):
        return exact_share(1.0)
    given = given / np.linalg.norm(given, axis=1, keepdims=True)
    if not ((given @ point).min() > 0 and np.abs(point).max() < 1):
        raise ValueError(f"inside: should be strictly inside, its least slack is {float((given @ point).min()):.3g}")
    if point.size == 1:
        return exact_share(0.5)
    walls = np.vstack([np.eye(point.size), -np.eye(point.size)])
    if point.size <= exact_dim:
        faces, bounds = np.vstack([-given, walls]), np.append(np.zeros(len(given)), np.ones(len(walls)))
        return exact_share(polytope_volume(faces, bounds, point) / 2**point.size)

    shapes: dict[float, Array] = {}

    def sample(above: float, start: Array | None, rng: np.random.Generator) -> tuple[Array, Array]:
        if start is None:
            points = rng.uniform(-1, 1, (draws, point.size))
        else:
            if above not in shapes:
                shapes[above] = _root(np.cov(start, rowvar=False))
            points = moved(start, given, above, shapes[above], rng)
        return points, (points @ given.T).min(axis=1)

    return split_share(sample, 0.0, repeats=repeats, seed=seed, level=level)


def moved(points: Array, rows: Array, above: float, shape: Array, rng: np.random.Generator) -> Array:
    """Move points of ``{rows @ z >= above, |z|_inf <= 1}``, leaving the uniform distribution on it as it is.

    Hit-and-run (Smith 1984) along directions ``shape @ u``, u standard normal.  The shape may be anything that does not
    look at these points; a root of the covariance of others makes thin polytopes round.

    Parameters
    ----------
    points : array (n, d)
    rows : array (m, d)
    above : float
    shape : array (d, d)
    rng : numpy.random.Generator

    Returns
    -------
    array (n, d)
    """
    found, size = points.T.copy(), points.shape[1]
    faces = np.vstack([rows, np.eye(size), -np.eye(size)])
    slack = faces @ found + np.append(np.full(len(rows), -above), np.ones(2 * size))[:, None]
    for _ in range(STEPS * size):
        directions = shape @ rng.standard_normal(found.shape)
        speed = faces @ directions
        rate = speed / np.maximum(slack, SMALLEST_SLACK)
        forward, backward = -1 / rate.min(axis=0), -1 / rate.max(axis=0)
        length = backward + (forward - backward) * rng.random(found.shape[1])
        found += length * directions
        slack += length * speed
    return found.T.copy()


def _root(covariance: Array) -> Array:
    """Lower triangular root of a covariance, which few different points leave singular."""
    return np.linalg.cholesky(covariance + JITTER * np.trace(covariance) * np.eye(len(covariance)))


def polytope_volume(rows: npt.ArrayLike, bounds: npt.ArrayLike, inside: npt.ArrayLike) -> float:
    """The volume of the bounded polytope ``rows @ z <= bounds``, by Qhull.

    Thin polytopes are first made round: by the ellipsoid ``sum_i rows_i rows_i^T / slack_i^2`` at the analytic centre,
    which lies inside, and m times larger holds the polytope.

    Parameters
    ----------
    rows : array (m, d)
        With d at least 2.
    bounds : array (m,)
    inside : array (d,)
        A point with ``rows @ inside < bounds``.

    Returns
    -------
    float
    """
    faces, limits = np.asarray(rows, dtype=float), np.asarray(bounds, dtype=float)
    middle = _analytic_center(faces, limits, np.asarray(inside, dtype=float))
    slack = limits - faces @ middle
    scaled = faces / slack[:, None]
    root = linalg.cholesky(scaled.T @ scaled)
    round_faces = linalg.solve_triangular(root, scaled.T, trans="T").T
    found = spatial.HalfspaceIntersection(np.column_stack([round_faces, -np.ones(len(faces))]), np.zeros(middle.size))
    return float(spatial.ConvexHull(found.intersections).volume / np.prod(np.diag(root)))


def _analytic_center(rows: Array, bounds: Array, inside: Array) -> Array:
    """Where the product of the slacks is largest, by damped Newton steps; roughly is enough."""
    point = inside.copy()
    for _ in range(CENTRING):
        scaled = rows / (bounds - rows @ point)[:, None]
        step = -linalg.solve(scaled.T @ scaled, scaled.sum(axis=0), assume_a="pos")
        decrement = float(np.sqrt(max(-step @ scaled.sum(axis=0), 0.0)))
        point = point + step / (1 + decrement)
        if decrement < 1e-6:
            break
    return point


def _some(env: Environment, observation: Any) -> Policy:
    """The same observation, as a policy of which other actions may be optimal too."""
    seen = evidence_room.shown(env, observation)
    marked = seen.shown & seen.observed[:, None]
    return Policy(marked / np.maximum(marked.sum(axis=1, keepdims=True), 1), shows="some")


def _told_apart(system: System, place: int, constraints: Constraints) -> float:
    """Sum over states of ``log2(A / n)``, n being the actions that are as good as the shown ones for every reward."""
    tied = np.ones(system.shown.size, dtype=bool)
    tied[constraints.origin[constraints.origin[:, 0] == place, 1]] = False
    ways = tied.reshape(system.shown.shape).sum(axis=1)
    return float(np.log2(system.env.n_actions / ways[system.observed]).sum())
