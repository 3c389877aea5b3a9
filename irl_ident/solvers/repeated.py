"""Repeated inverse RL: the ellipsoid algorithm (Amin, Jiang & Singh 2017).

The demonstrator pursues ``known_t + theta . phi`` in task t: the environment and the first part are known, and change;
theta, with ``|theta|_inf <= 1``, stays.  The learner acts on the centre c of an ellipsoid

    E = { theta : (theta - c)^T P^-1 (theta - c) <= 1 },     at first the ball of radius sqrt(d) around the box,

and sees a demonstration where its plan surprises, as being worse than the best by more than epsilon.  With m_pi the
discounted feature expectations of a policy and k_pi its return from the known reward, and demonstration pi and
prediction p,

    (m_pi - m_p) . theta + (k_pi - k_p) >= 0  for the true theta,     <= 0 at c, where p is optimal :

a cut through c or beyond, ``a . (theta - c) >= delta sqrt(a^T P a)`` with ``0 <= delta <= 1``.  E is replaced by the
smallest ellipsoid around what is left (Bland, Goldfarb & Todd 1981, equations for deep cuts; the paper's algorithm cuts
through c, delta = 0), whose volume is at most ``exp(-1 / (2 (d + 1)))`` of that of E.

**Mistakes.**  If the loss is above epsilon the true theta is inside each cut by epsilon: no theta' with
``|theta' - theta|_inf <= epsilon / (2 L)`` is ever cut off, where L bounds ``|m|_1``.  At least
``(epsilon / (2 L))^d`` of volume is such rewards in the box, so that the number of mistakes is at most

    2 (d + 1) (log vol E_0 + d log(2 L / epsilon)),     log vol E_0 = (d / 2) log(pi d) - log Gamma(d / 2 + 1),

which grows as ``d^2 log(1 / epsilon)`` (the paper has O(d^2 log(d / epsilon)) where nature chooses the tasks; the
constants are derived here).  A single task never identifies theta, however often it is repeated: only what its policies
tell apart.

**As a solver** it goes through the evidence until nothing surprises.  It is not told the true loss; it cuts where its
plan takes an action that was not shown in a state where something was, unless the demonstration is worse than the plan
by at most epsilon at c, and the plan worse than the demonstration by at most epsilon under every theta of E.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.agents.known import Optimal
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Evidence, Observation
from irl_ident.planning.checks import reward_on
from irl_ident.rewards import LinearRewards, RewardFamily
from irl_ident.solvers.base import Convergence, Estimate, Solver, Status, Unexplained
from irl_ident.solvers.reading import checked, feature_expectations

BEYOND = 1e-9
"""By what share of its value a cut may miss the ellipsoid and count as touching it."""

ALIKE = 1e-12
"""Feature expectations that differ by no more than this share of the largest are the same."""


@dataclass(frozen=True, eq=False)
class Task:
    """An environment with a known part of the reward.

    Parameters
    ----------
    env : Environment
    known : array (S, A), optional
        What is added to the unknown reward; 0 when not given.
    """

    env: Environment
    known: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        shape = (self.env.n_states, self.env.n_actions)
        given = np.zeros(shape) if self.known is None else self.known
        try:
            checked_known = reward_on(self.env, given).copy()
        except ValueError as error:
            raise ValueError(f"known: {error}") from error
        checked_known.setflags(write=False)
        object.__setattr__(self, "known", checked_known)

    @property
    def added(self) -> Array:
        """The known part, (S, A)."""
        return np.asarray(self.known, dtype=float)


@dataclass(frozen=True, eq=False)
class RepeatedIRL:
    """What a learner knows of theta between two tasks.

    Made by :func:`.beginner`; :meth:`update` returns the next.

    Attributes
    ----------
    family : RewardFamily
    center : array (d,)
    shape : array (d, d)
        Symmetric, positive definite: P.
    mistakes : int
        Number of demonstrations that it was given.
    """

    family: RewardFamily
    center: Array
    shape: Array
    mistakes: int = 0

    @property
    def log_volume(self) -> float:
        """Logarithm of the volume of the ellipsoid."""
        d = self.center.size
        ball = d / 2 * np.log(np.pi) - special.gammaln(d / 2 + 1)
        return float(ball + np.linalg.slogdet(self.shape)[1] / 2)

    def contains(self, theta: npt.ArrayLike, tolerance: float = 1e-9) -> bool:
        """Whether ``theta`` (d,) is in the ellipsoid; its radius counts as ``1 + tolerance``."""
        away = self.family.checked(theta) - self.center
        return bool(away @ np.linalg.solve(self.shape, away) <= (1 + tolerance) ** 2)

    def predict(self, task: Task) -> Array:
        """The policy that is optimal under the centre, evenly over ties, (S, A)."""
        reward = self.family.reward(task.env, self.center) + task.added
        return planning.optimal(task.env, reward).policy

    def update(self, task: Task, demonstration: Observation) -> RepeatedIRL:
        """Learn from a demonstration after a mistake.

        Parameters
        ----------
        task : Task
        demonstration : array (S, A), Policy or Trajectories
            At least as good as the prediction under the true reward.  Of trajectories, the mean return stands for the
            expected one: with few of them the cut can cost the truth.

        Returns
        -------
        RepeatedIRL
            One mistake more.  The same ellipsoid where demonstration and prediction cannot be told apart by any reward
            of the family.

        Raises
        ------
        ValueError
            As :func:`irl_ident.solvers.reading.feature_expectations`.
        Unexplained
            When no theta of the ellipsoid makes the demonstration as good as the prediction.
        """
        seen = _shown(task, demonstration, self.family)
        normal, offset = seen.against(self.predict(task), task, self.family)
        return replace(self._cut(normal, offset), mistakes=self.mistakes + 1)

    def _radius(self, normal: Array) -> float:
        """How far ``normal . theta`` goes from its value at the centre."""
        return float(np.sqrt(max(0.0, float(normal @ self.shape @ normal))))

    def _cut(self, normal: Array, offset: float) -> RepeatedIRL:
        """The part of the ellipsoid with ``normal . theta + offset >= 0``, enclosed."""
        value, radius = float(normal @ self.center) + offset, self._radius(normal)
        if _impossible(value, radius):
            raise Unexplained(
                f"no theta with |theta|_inf <= 1 explains all demonstrations: one is worse than the prediction by at "
                f"least {-value - radius:.3g} under every theta that the others leave"
            )
        if radius == 0:
            return self
        depth = -value / radius
        center, shape = enclosing(self.center, self.shape, normal, float(np.clip(depth, 0, 1 - BEYOND)))
        return replace(self, center=center, shape=shape)


@dataclass(frozen=True, eq=False)
class EnclosedReward(Estimate):
    """The estimate of :class:`Ellipsoid`.

    Attributes
    ----------
    learner : RepeatedIRL
        The last ellipsoid: it holds every theta in the gauge that explains the evidence.
    surprises : int
        Number of items of the evidence in which the estimate takes other actions than those shown, for a loss of at
        most epsilon.  Those that are left when no reward but trivial ones explains the evidence stay in it.
    """

    learner: RepeatedIRL
    surprises: int

    @property
    def log_volume(self) -> float:
        """Logarithm of the volume of the ellipsoid."""
        return self.learner.log_volume


@dataclass(frozen=True, eq=False)
class Ellipsoid(Solver):
    """The ellipsoid algorithm over a fixed list of tasks, gone through until nothing surprises.

    Parameters
    ----------
    epsilon : float
        Loss that counts as none, in units of return under ``|theta|_inf <= 1``; above 0.
    cuts : int
        Most cuts, at least 1.  Returns of episodes that no theta explains exactly can keep a thin ellipsoid from ever
        being small enough.
    known : sequence of array (S, A), optional
        Known part of the reward for each item of the evidence; 0 when not given.
    """

    epsilon: float = 1e-3
    cuts: int = 1_000
    known: Sequence[npt.ArrayLike] | None = None

    def __post_init__(self) -> None:
        _check_epsilon(self.epsilon)
        if not isinstance(self.cuts, int | np.integer) or self.cuts < 1:
            raise ValueError(f"cuts: was {self.cuts!r}, should be a whole number of at least 1")

    def fit(self, evidence: Evidence, family: RewardFamily) -> EnclosedReward:
        """Cut until every prediction takes, where something was shown, what was shown, or is as good within epsilon.

        Returns
        -------
        EnclosedReward
            ``minimised`` is the largest loss that a prediction can have against what was shown, under any theta of the
            ellipsoid, among tasks where it takes other actions.  Status ``"trivial"`` when nothing surprises the first
            centre, 0, and nothing is known of the reward.

        Raises
        ------
        ValueError
            As :meth:`RepeatedIRL.update`; where ``known`` does not go with the evidence.
        Unexplained
            When no theta is left.  Without known rewards 0 always is: then ``surprises`` tells.
        """
        pairs = checked(evidence, family)
        tasks = self._tasks([env for env, _ in pairs])
        expected = []
        for place, (task, (_, observation)) in enumerate(zip(tasks, pairs, strict=True)):
            try:
                expected.append(_shown(task, observation, family))
            except ValueError as error:
                raise ValueError(f"evidence[{place}]: {error}") from error
        learner, made, quiet, place = beginner(family), 0, 0, 0
        while quiet < len(tasks) and made < self.cuts:
            surprise = expected[place].surprise(learner, tasks[place])
            if surprise is None or surprise.within(self.epsilon):
                quiet += 1
            else:
                learner = learner._cut(surprise.normal, surprise.offset)
                made, quiet = made + 1, 0
            place = (place + 1) % len(tasks)
        left = [seen.surprise(learner, task) for task, seen in zip(tasks, expected, strict=True)]
        losses = [each.possible for each in left if each is not None]
        possible = max([0.0, *losses])
        trivial = made == 0 and not any(task.added.any() for task in tasks)
        status: Status = "iterations" if quiet < len(tasks) else "trivial" if trivial else "converged"
        return EnclosedReward(
            self,
            Optimal(family, learner.center),
            "largest possible loss of a prediction that differs from what was shown",
            possible,
            Convergence(status, made, "loss that is still possible", possible),
            "centre of an ellipsoid that holds every explanation with |theta|_inf <= 1",
            replace(learner, mistakes=made),
            len(losses),
        )

    def _tasks(self, environments: Sequence[Environment]) -> list[Task]:
        if self.known is None:
            return [Task(env) for env in environments]
        if len(self.known) != len(environments):
            raise ValueError(f"known: has {len(self.known)} rewards for {len(environments)} items of the evidence")
        tasks = []
        for place, (env, known) in enumerate(zip(environments, self.known, strict=True)):
            try:
                tasks.append(Task(env, known))
            except ValueError as error:
                raise ValueError(f"known[{place}]: {error}") from error
        return tasks


def beginner(family: RewardFamily) -> RepeatedIRL:
    """The learner before any task: the smallest ball around ``|theta|_inf <= 1``."""
    return RepeatedIRL(family, np.zeros(family.dim), family.dim * np.eye(family.dim))


def mistake_bound(tasks: Sequence[Task], family: RewardFamily, epsilon: float) -> int:
    """Most mistakes of more than ``epsilon`` in any sequence of these tasks, as derived in the module's docstring.

    Parameters
    ----------
    tasks : sequence of Task
        At least one.
    family : RewardFamily
    epsilon : float
        Above 0.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Without tasks, or for an ``epsilon`` that is not above 0.
    """
    if not tasks:
        raise ValueError("tasks: is empty, should hold at least one Task")
    _check_epsilon(epsilon)
    longest = max(_longest(task.env, family) for task in tasks)
    d = family.dim
    room = d * np.log(max(1.0, 2 * longest / epsilon))
    return int(2 * (d + 1) * (beginner(family).log_volume + room))


def enclosing(center: Array, shape: Array, normal: Array, depth: float) -> tuple[Array, Array]:
    """The smallest ellipsoid around ``{theta in E : normal . (theta - center) >= depth sqrt(normal . shape normal)}``.

    Parameters
    ----------
    center : array (d,)
    shape : array (d, d)
    normal : array (d,)
    depth : float
        In [0, 1).

    Returns
    -------
    center : array (d,)
    shape : array (d, d)
    """
    d = center.size
    toward = shape @ normal / np.sqrt(normal @ shape @ normal)
    moved = center + (1 + d * depth) / (d + 1) * toward
    if d == 1:
        return moved, shape * ((1 - depth) / 2) ** 2
    thinner = shape - 2 * (1 + d * depth) / ((d + 1) * (1 + depth)) * np.outer(toward, toward)
    grown = d**2 / (d**2 - 1) * (1 - depth**2) * thinner
    return moved, (grown + grown.T) / 2


@dataclass(frozen=True, eq=False)
class _Surprise:
    """A prediction that is not what was shown: ``normal . theta + offset`` is its loss."""

    normal: Array
    offset: float
    value: float
    radius: float

    @property
    def possible(self) -> float:
        """The largest loss under any theta of the ellipsoid."""
        return self.value + self.radius

    def within(self, epsilon: float) -> bool:
        """Whether it costs at most epsilon: the demonstrator under the centre, the prediction under any theta left."""
        contradicted = _impossible(self.value, self.radius)
        return self.possible <= epsilon and self.value >= -epsilon and not contradicted


@dataclass(frozen=True, eq=False)
class _Shown:
    """A demonstration: features (d,) and known part of its return, its start (S,), actions that are no surprise."""

    mean: Array
    known: float
    initial: Array
    allowed: Mask

    def against(self, prediction: Array, task: Task, family: RewardFamily) -> tuple[Array, float]:
        """By how much it is better than the prediction, as ``normal . theta + offset``."""
        visits = planning.occupancy(task.env, prediction, self.initial)
        predicted = np.asarray(family.matrix(task.env).T @ visits.ravel(), dtype=float)
        normal = self.mean - predicted
        if np.abs(normal).max() <= ALIKE * max(np.abs(self.mean).max(), np.abs(predicted).max()):
            normal = np.zeros_like(normal)
        return normal, self.known - float((visits * task.added).sum())

    def surprise(self, learner: RepeatedIRL, task: Task) -> _Surprise | None:
        """What of the learner's prediction was not shown."""
        prediction = learner.predict(task)
        if not (prediction[~self.allowed] > 0).any():
            return None
        normal, offset = self.against(prediction, task, learner.family)
        return _Surprise(normal, offset, float(normal @ learner.center) + offset, learner._radius(normal))


def _shown(task: Task, demonstration: Observation, family: RewardFamily) -> _Shown:
    expected = feature_expectations(task.env, demonstration, family)
    seen = evidence_room.shown(task.env, demonstration)
    allowed = np.asarray(seen.shown | ~seen.observed[:, None])
    return _Shown(expected.mean, _known_return(task, demonstration), expected.initial, allowed)


def _known_return(task: Task, demonstration: Observation) -> float:
    if not task.added.any():
        return 0.0
    alone = LinearRewards(task.added[:, :, None])
    return float(feature_expectations(task.env, demonstration, alone).mean[0])


def _longest(env: Environment, family: RewardFamily) -> float:
    """A bound on ``|m|_1`` of any policy."""
    size = abs(family.matrix(env)).sum(axis=1).reshape(env.n_states, env.n_actions)
    return float(env.initial @ planning.optimal(env, size).values)


def _impossible(value: float, radius: float) -> bool:
    """Whether ``value +- radius`` is below 0, for sure."""
    return value + radius < -BEYOND * max(1.0, abs(value))


def _check_epsilon(epsilon: float) -> None:
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon: was {epsilon!r}, should be finite and above 0")
