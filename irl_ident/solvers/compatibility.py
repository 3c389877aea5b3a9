"""Reward compatibility: how far a demonstrator is from optimal under a reward (Lazzati, Mutti & Metelli 2024).

The (non)compatibility of a reward r with a demonstrator pi in environment e is what pi loses under it,

    C_e(r) = J*_e(r) - J_pi,e(r) >= 0,

0 for the rewards that explain pi as optimal from where it starts.  With feature expectations m_e of the demonstrator,
``J_pi,e = m_e . theta``; with any V above all its Bellman backups, ``mu_e . V >= J*_e``.  So C is convex, and

    C_e(theta) <= xi   iff   some V has  B_e V - Phi_e theta >= 0,   mu_e . V - m_e . theta <= xi :

linear, with one value function an environment as in the cone of an optimal agent, which is the case xi = 0 (for
demonstrators that come to every state).  :class:`CompatibleSet` is that set.

Constants are compatible with everyone.  :class:`Compatible` excludes them by asking what a reward says of the
demonstrator beyond chance: with ``u_e`` the feature expectations of the uniform policy, the gain

    G(theta) = sum_e (m_e - u_e) . theta = sum_e sum_s x_u,e(s) mean_a (V_pi(s) - Q_pi(s, a))

is linear, 0 for constants and shapings (and for all rewards that make every policy as good), and by the performance
difference lemma the sum of Ng & Russell's (2000) margins, weighted by the visits ``x_u`` of the uniform policy.  The
least total loss per unit of gain, ``c = min sum_e C_e(theta) / G(theta)`` over G > 0, is a linear program after scaling
to G = 1 (Charnes & Cooper 1962).  It is 0 when some reward of the family explains the demonstrator; ``c / (1 + c)`` is
the share of what optimal behaviour would gain over chance that the demonstrator leaves.  Among the rewards that reach
c, all in one convex cone, the one with the largest gain under ``|theta|_inf <= 1`` is returned.

Where demonstrators are explained, the reward is on the boundary of the identified cone: actions that were not shown may
be as good as those that were, none is better.  C and G are about returns from the initial distribution: what a policy
would do in states that it never comes to counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse
from scipy.optimize import linprog

from irl_ident import planning
from irl_ident.agents.known import Optimal
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Evidence
from irl_ident.highs import SolverFailed
from irl_ident.identified.base import checked_direction
from irl_ident.identified.cone.hull import ATTEMPTS
from irl_ident.rewards import RewardFamily
from irl_ident.solvers.base import Convergence, Estimate, Solver
from irl_ident.solvers.reading import checked, feature_expectations

CHANCE = 1e-10
"""A gain over the uniform policy below this share of the largest feature expectation is none."""

SLACK = 1e-9
"""By how much more than the least loss per gain the returned reward may lose."""


@dataclass(frozen=True, eq=False)
class Demonstrator:
    """One environment of the evidence, as compatibility reads it.

    Attributes
    ----------
    env : Environment
    features : sparse (S * A, d)
    mean : array (d,)
        The demonstrator's discounted feature expectations, m.
    initial : array (S,)
        Where they start, mu: ``env.initial`` for policies, the episodes' own first states for trajectories.
    """

    env: Environment
    features: sparse.csr_array
    mean: Array
    initial: Array

    def scaled(self, factor: float) -> Demonstrator:
        """The same in another unit of reward."""
        return replace(self, features=sparse.csr_array(self.features * factor), mean=self.mean * factor)

    def loss(self, theta: Array) -> float:
        """``C(theta)``, by planning."""
        reward = (self.features @ theta).reshape(self.env.n_states, self.env.n_actions)
        return float(self.initial @ planning.optimal(self.env, reward).values - self.mean @ theta)

    @cached_property
    def by_chance(self) -> Array:
        """Feature expectations of the uniform policy from the same start, (d,)."""
        uniform = np.full((self.env.n_states, self.env.n_actions), 1 / self.env.n_actions)
        return np.asarray(self.features.T @ planning.occupancy(self.env, uniform, self.initial).ravel(), dtype=float)


@dataclass(frozen=True, eq=False)
class CompatibleReward(Estimate):
    """The estimate of :class:`Compatible`.

    Attributes
    ----------
    losses : array (k,)
        ``C_e(theta)`` for each item of the evidence, by planning.
    gain : float
        ``G(theta)``.
    """

    losses: Array
    gain: float


@dataclass(frozen=True)
class Compatible(Solver):
    """The reward under which the demonstrators lose least for what they gain over chance.

    Takes demonstrators that are not optimal, and that contradict each other.  Trajectories are read through their mean
    features, whose sampling error is not removed: measured returns above what any policy can have make the least loss
    per gain negative (never below -1).
    """

    def fit(self, evidence: Evidence, family: RewardFamily) -> CompatibleReward:
        """Solve the two linear programs.

        Returns
        -------
        CompatibleReward
            ``value`` is c, and ``minimised`` says so.  Status ``"trivial"`` with ``theta = 0`` when all feature
            expectations are those of the uniform policy, so that no reward tells the demonstrators from chance.

        Raises
        ------
        ValueError
            As :func:`irl_ident.solvers.reading.feature_expectations`: for counts, and for policies that come to states
            where they were not observed.
        """
        shown = demonstrators(evidence, family)
        minimised = "loss of the demonstrators per unit of their gain over the uniform policy"
        gained = np.sum([each.mean - each.by_chance for each in shown], axis=0)
        unit = float(np.abs(gained).max())
        if unit <= CHANCE * max(float(np.abs([each.mean, each.by_chance]).max()) for each in shown):
            return CompatibleReward(
                self,
                Optimal(family, np.zeros(family.dim)),
                minimised,
                0.0,
                Convergence("trivial", 0, "nothing to search", 0.0),
                "0: no reward of the family says that the demonstrators do better than the uniform policy",
                np.zeros(len(shown)),
                0.0,
            )
        theta, least, iterations = least_loss([each.scaled(1 / unit) for each in shown], gained / unit)
        losses = np.array([each.loss(theta) for each in shown])
        gain = float(gained @ theta)
        ratio = float(losses.sum()) / gain
        return CompatibleReward(
            self,
            Optimal(family, theta),
            minimised,
            ratio,
            Convergence("converged", iterations, "loss per gain by planning less that of the program", ratio - least),
            "largest gain over the uniform policy with |theta|_inf <= 1, among rewards with the least loss per gain",
            losses,
            gain,
        )


@dataclass(frozen=True, eq=False)
class CompatibleSet:
    """``{theta : C_e(theta) <= allowed_e for every e}``, the rewards compatible with demonstrators up to a loss.

    Convex; holds 0 and the constants.  The loss is in units of return, so that it only means something together with a
    scale: of ``theta`` in :meth:`contains`, the gauge ``|theta|_inf <= 1`` in :meth:`support`.

    Parameters
    ----------
    family : RewardFamily
    evidence : sequence of (Environment, observation)
        As for :func:`.compatibility`.
    allowed : float or array (k,)
        Largest loss in each environment, at least 0.
    """

    family: RewardFamily
    evidence: Evidence
    allowed: npt.ArrayLike

    def __post_init__(self) -> None:
        count = len(self.demonstrators)
        given = np.asarray(self.allowed, dtype=float)
        if given.shape not in ((), (count,)):
            raise ValueError(f"allowed: should be a number or have shape ({count},), was {given.shape}")
        if not (np.isfinite(given) & (given >= 0)).all():
            raise ValueError(f"allowed: was {self.allowed!r}, should be finite and at least 0")
        object.__setattr__(self, "allowed", np.broadcast_to(given, (count,)).copy())

    @cached_property
    def demonstrators(self) -> tuple[Demonstrator, ...]:
        """The evidence as feature expectations."""
        return demonstrators(self.evidence, self.family)

    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-9) -> bool:
        """Whether ``theta`` (d,) is compatible, by planning.

        ``tolerance`` is added to the losses allowed, times the largest ``|theta|`` where that is above 1.
        """
        given = self.family.checked(theta)
        slack = tolerance * max(1.0, float(np.abs(given).max()))
        return bool(np.all([each.loss(given) for each in self.demonstrators] <= np.asarray(self.allowed) + slack))

    def support(self, direction: npt.ArrayLike) -> tuple[float, Array]:
        """The largest ``direction . theta`` over compatible ``theta`` with ``|theta|_inf <= 1``, and where it is.

        Returns
        -------
        value : float
        theta : array (d,)

        Raises
        ------
        irl_ident.identified.SolverFailed
            With the message of the linear-programming solver.
        """
        given = checked_direction(direction, self.family.dim)
        bellman, losses = _rows(self.demonstrators)
        cost = np.zeros(bellman.shape[1])
        cost[: given.size] = -given
        above = sparse.csr_array(sparse.vstack([-bellman, sparse.csr_array(losses)], format="csr"))
        bound = np.concatenate([np.zeros(bellman.shape[0]), np.asarray(self.allowed)])
        theta = _solved(cost, above, bound, None, _boxed(given.size, cost.size))[0][: given.size]
        return float(given @ theta), theta


def compatibility(theta: npt.ArrayLike, evidence: Evidence, family: RewardFamily) -> Array:
    """What demonstrators lose under a reward: ``J*(r) - J_pi(r)`` (Lazzati, Mutti & Metelli 2024), by planning.

    Parameters
    ----------
    theta : array (d,)
        Of the reward.
    evidence : sequence of (Environment, observation)
        Policies, observed wherever they come to, or trajectories.
    family : RewardFamily

    Returns
    -------
    array (k,)
        One for each item of the evidence: 0 for rewards that explain it.  Expected return from the environment's
        initial distribution for policies, exact; mean return from their own first states for episodes, which can
        exceed the optimum by chance and stops where episodes are cut off.

    Raises
    ------
    ValueError
        For counts, for policies not observed where they come to, for episodes cut off under discount 1.

    Examples
    --------
    One state, one step, the first of three actions shown:

    >>> import numpy as np, irl_ident as ii
    >>> env = ii.Environment(np.ones((1, 3, 1)), 0.0)
    >>> evidence, family = [(env, np.array([[1.0, 0, 0]]))], ii.rewards.StateActionRewards(1, 3)
    >>> rewards = [(1, 0.99, -1), (0.99, 1, -1), (-1, -1, 1)]
    >>> [round(float(compatibility(theta, evidence, family)[0]), 9) for theta in rewards]
    [0.0, 0.01, 2.0]
    """
    given = family.checked(theta)
    return np.array([each.loss(given) for each in demonstrators(evidence, family)])


def demonstrators(evidence: Evidence, family: RewardFamily) -> tuple[Demonstrator, ...]:
    """The evidence as feature expectations, one for each item.

    Raises
    ------
    ValueError
        As :func:`.compatibility`.
    """
    found = []
    for place, (env, observation) in enumerate(checked(evidence, family)):
        try:
            expected = feature_expectations(env, observation, family)
        except ValueError as error:
            raise ValueError(f"evidence[{place}]: {error}") from error
        found.append(Demonstrator(env, family.matrix(env), expected.mean, expected.initial))
    return tuple(found)


def least_loss(shown: Sequence[Demonstrator], direction: Array) -> tuple[Array, float, int]:
    """The reward with the least total loss per unit of ``direction . theta``.

    Parameters
    ----------
    shown : sequence of Demonstrator
    direction : array (d,)
        Not 0.

    Returns
    -------
    theta : array (d,)
        With the largest ``direction . theta`` under ``|theta|_inf <= 1``, up to ``SLACK``.
    least : float
    iterations : int

    Raises
    ------
    irl_ident.identified.SolverFailed
    """
    bellman, losses = _rows(shown)
    total, unknowns, dim = losses.sum(axis=0), losses.shape[1], direction.size
    along = np.zeros(unknowns)
    along[:dim] = direction
    nothing = np.zeros(bellman.shape[0])
    point, iterations = _solved(total, -bellman, nothing, along, [(None, None)] * unknowns)
    least = float(total @ point)
    explained = [0.0] if abs(least) <= SLACK else []
    for allowed in (*explained, least + SLACK * max(1.0, abs(least))):
        row = sparse.csr_array((total - allowed * along)[None])
        above = sparse.csr_array(sparse.vstack([-bellman, row], format="csr"))
        chosen, more = _solved(-along, above, np.append(nothing, 0.0), None, _boxed(dim, unknowns))
        iterations += more
        if along @ chosen > SLACK:
            break
    return chosen[:dim], least, iterations


def _rows(shown: Sequence[Demonstrator]) -> tuple[sparse.csr_array, Array]:
    """Bellman rows ``B_e V_e - Phi_e theta`` and losses ``mu_e . V_e - m_e . theta`` of ``(theta, V_1, ..., V_k)``."""
    features = sparse.vstack([-each.features for each in shown], format="csr")
    shaping = sparse.block_diag([each.env.shaping for each in shown], format="csr")
    starts = linalg.block_diag(*[each.initial[None] for each in shown])
    losses = np.hstack([-np.array([each.mean for each in shown]), starts])
    return sparse.csr_array(sparse.hstack([features, shaping], format="csr")), losses


def _boxed(dim: int, unknowns: int) -> list[tuple[float | None, float | None]]:
    return [(-1.0, 1.0)] * dim + [(None, None)] * (unknowns - dim)


def _solved(cost: Array, above: Any, bound: Array, along: Array | None, box: Any) -> tuple[Array, int]:
    """Minimise ``cost . x`` over ``above x <= bound``, ``along . x = 1`` and the box: the point and the iterations.

    By an interior point with crossover: the simplex method stalls on the open directions of constants and shapings.
    """
    solver: Any = linprog
    equal = {} if along is None else {"A_eq": sparse.csr_array(along[None]), "b_eq": np.ones(1)}
    for tolerance, presolve in ATTEMPTS:
        answer = solver(
            cost,
            A_ub=above,
            b_ub=bound,
            bounds=box,
            method="highs-ipm",
            options={
                "primal_feasibility_tolerance": tolerance,
                "dual_feasibility_tolerance": tolerance,
                "presolve": presolve,
            },
            **equal,
        )
        if answer.x is not None and answer.status == 0:
            return np.asarray(answer.x, dtype=float), int(answer.nit)
    raise SolverFailed(f"linear program not solved (status {answer.status}): {answer.message}")
