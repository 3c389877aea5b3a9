"""What not knowing the objective can cost: the largest regret of a policy, and the policy that makes it least.

Returns are ``J_theta(pi) = (1 - g) mu .  V_pi``: occupancies sum to 1 (with discount 1, to the length of an episode).
The largest regret ``max over the set of J*_theta - J_theta(pi)`` is the maximum of a convex function, which is
piecewise linear with a piece for every policy that is optimal for some objective of the set.  Branch and bound cuts the
set until each part has an upper bound that is near the regret of a member; where one plan is optimal throughout, the
bound is a linear program's and exact.

The policy of least largest regret (Regan & Boutilier 2009) is found by generating objectives: a linear program over
occupancies answers those found so far, the largest regret of its policy brings the next one.  The multipliers of the
program are a prior on the objectives, and nobody can do better on average than whoever optimises the prior's mean,
which bounds the least regret from below.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import planning
from irl_ident.certificates.certifying import start
from irl_ident.certificates.plans import Question, plan_of
from irl_ident.certificates.premise import Tolerances
from irl_ident.certificates.properties import Linear, RegretAtMost
from irl_ident.certificates.region import Region
from irl_ident.certificates.searching import Node, costliest, opened
from irl_ident.certificates.witness import is_member, members
from irl_ident.environment import Array, Environment
from irl_ident.highs import minimise
from irl_ident.identified.advantages import normaliser
from irl_ident.identified.base import IdentifiedSet
from irl_ident.planning.checks import policy_on
from irl_ident.rewards import RewardFamily

REGIONS = 500
"""So many parts of the set are looked at for one policy, when nothing else is asked for."""

ROUNDS = 100
"""Most objectives that answer a policy of least regret."""

CLOSELY, BATCHED = 1e-12, 1e-11
"""Relative error of plans that are made many at a time, and what is taken off their returns for it."""

CLIMBS = 30
"""Most steps from the middle towards an objective with much regret."""

OFF_CUT = 1e-3
"""Points that are no further from a cut than this share of the middle of a region are on it."""

INTERIOR = Tolerances(strictness=0.0)
"""Regret is a matter of the closed set: objectives with more ties than were shown belong to it."""


class WorstCase(NamedTuple):
    """The largest regret of a policy between certified bounds.

    Attributes
    ----------
    lower : float
        ``witness`` loses as much.
    upper : float
        No objective of the set loses more.
    witness : array (d,)
        A member of the closed set.
    """

    lower: float
    upper: float
    witness: Array


@dataclass(frozen=True, eq=False)
class Minimax:
    """A policy of nearly least largest regret.

    Attributes
    ----------
    policy : array (S, A)
    lower : float
        No policy has a smaller largest regret.
    upper : float
        The largest regret of ``policy`` is not above.
    witness : array (d,)
        An objective under which the policy loses most, or nearly.
    objectives : array (n, d)
        Members, and
    prior : array (n,)
        their probabilities, under which every policy loses at least ``lower`` on average.
    """

    policy: Array
    lower: float
    upper: float
    witness: Array
    objectives: Array
    prior: Array


def worst_case_regret(
    ident: IdentifiedSet,
    policy: npt.ArrayLike,
    env: Environment,
    *,
    tolerance: float = 1e-6,
    regions: int = REGIONS,
    progress: Callable[[int, int], None] | None = None,
) -> WorstCase:
    """The largest regret of ``policy`` over the identified set, certified from both sides.

    Parameters
    ----------
    ident : OptimalSet or NoisySet
    policy : array (S, A)
        Probabilities of actions in ``env``.
    env : Environment
        Where the policy is to be used.
    tolerance : float
        The search ends when the bounds are as near as this, in units of the largest parameter.
    regions : int
        The set is cut into at most so many parts; the bounds hold whatever the number.
    progress : callable, optional
        Called with the number of parts looked at and of those that wait.

    Returns
    -------
    WorstCase
        In units of the largest parameter: the set is normalised to ``|theta|_inf <= 1``, which for rewards on states or
        on state-action pairs is ``|R|_inf <= 1``.  Where states went unobserved, ``upper`` is over a set that may be
        larger than the identified one, and the bounds need not meet.

    Raises
    ------
    ValueError
        When the set is of soft-optimal agents, or the policy or the family does not fit the environment.
    ContradictoryEvidence
        When the set is empty.

    Examples
    --------
    The animal has chosen *left*: a coin toss costs it at most half of what *right* does, 2.

    >>> import irl_ident as ii
    >>> levers = ii.Environment(np.ones((1, 2, 1)), 0.9, actions=["left", "right"])
    >>> family = ii.rewards.StateActionRewards(1, 2)
    >>> worst = worst_case_regret(ii.identify([(levers, np.eye(2)[:1])], family), [[0.5, 0.5]], levers)
    >>> round(worst.lower, 6), round(worst.upper, 6), worst.witness.round(6).tolist()
    (1.0, 1.0, [1.0, -1.0])
    """
    pi = policy_on(env, policy)
    begun = start(ident, RegretAtMost(pi, 0.0), env, INTERIOR)
    premise, question, middle, witness = begun.premise, begun.question, begun.middle, begun.member
    lower = max(0.0, _regret(question, witness))
    root = Node(Region(premise), [*climbed(question, Region(premise), middle), witness])
    tried: set[bytes] = set()
    numbers, done = count(), 0
    waiting: list[tuple[float, int, Node]] = [(-np.inf, next(numbers), root)]
    upper, settled = np.inf, -np.inf
    while waiting and done < regions:
        bound, _, node = heapq.heappop(waiting)
        upper = max(-bound, settled)
        if upper - lower <= tolerance:
            waiting.append((bound, 0, node))
            break
        done += 1
        if progress is not None:
            progress(done, len(waiting))
        if not opened(node):
            continue
        own, cut = _bounded(question, node)
        fresh = [theta for theta in node.points if theta.tobytes() not in tried]
        tried.update(theta.tobytes() for theta in fresh)
        for theta, lost in zip(fresh, _regrets(question, np.array(fresh)) if fresh else (), strict=True):
            if lost <= lower:
                continue
            for candidate in members(premise, theta, middle):
                found = _regret(question, candidate)
                lower, witness = max((lower, witness), (found, candidate), key=lambda pair: pair[0])
                break
        own = min(own, -bound)
        if cut is None or own - lower <= tolerance:
            settled = max(settled, own)
            continue
        for child in node.split(*cut):
            heapq.heappush(waiting, (-own, next(numbers), child))
    upper = max([settled, *(-bound for bound, _, _ in waiting)], default=lower)
    return WorstCase(float(lower), float(max(upper, lower)), witness)


def climbed(question: Question, region: Region, theta: Array) -> list[Array]:
    """Objectives of a region with more and more regret: each is the one that the plan for the last favours most."""
    points, losses = [theta], [_regret(question, theta)]
    other, _ = question.policy_maps[0]
    for _ in range(CLIMBS):
        _, values, _ = plan_of(question, points[-1])
        _, point = region.maximum(question.known.initial @ (values - other))
        if point is None or _regret(question, point) <= losses[-1] + 1e-12:
            break
        points.append(point)
        losses.append(_regret(question, point))
    return points


def _bounded(question: Question, node: Node) -> tuple[float, tuple[Array, float] | None]:
    """An upper bound on the regret over a node's region, and where to cut it."""
    plan = node.planned(question, _promising(question, node))
    other, error = question.policy_maps[0]
    claim, point = node.region.maximum(question.known.initial @ (plan.values - other))
    node.points += [*plan.points, *([] if point is None else [point])]
    start = question.known.initial @ plan.excess
    upper = question.normaliser * (claim.bound + start + error) * (1 + 1e-12) + 1e-15
    return float(upper), costliest(question, plan)


def _promising(question: Question, node: Node) -> Array:
    """Where to plan for a region without a plan: a point with much regret.

    Not one that lies on the last cut, where the plan that was found wanting is still optimal.
    """
    points = np.array(node.points)
    if node.plan is not None:
        return node.points[0]
    if node.region.cuts:
        cut = node.region.cuts[-1]
        inside = points @ cut.normal - cut.least
        points = points[inside >= min(OFF_CUT * inside[0], inside[0])]
    return np.asarray(points[_regrets(question, points).argmax()])


def _regret(question: Question, theta: Array) -> float:
    """The regret of the question's policy under ``theta`` (d,), rounded down."""
    return float(_regrets(question, theta[None])[0])


def _regrets(question: Question, thetas: Array) -> Array:
    """The same for many, (N,)."""
    env, (other, error) = question.known, question.policy_maps[0]
    rewards = question.premise.ident.family.rewards(env, thetas)
    best = planning.optimal_batch(env, rewards, tolerance=CLOSELY).max(axis=2)
    lost = (best - (other @ thetas.T).T) @ env.initial
    return np.asarray(question.normaliser * lost - BATCHED * (1 + np.abs(best).max(axis=1)) - error)


def minimax_policy(
    ident: IdentifiedSet,
    env: Environment,
    *,
    tolerance: float = 1e-4,
    rounds: int = ROUNDS,
    regions: int = REGIONS,
    progress: Callable[[int, float, float], None] | None = None,
) -> Minimax:
    """The policy whose largest regret over the identified set is least.

    Parameters
    ----------
    ident : OptimalSet or NoisySet
    env : Environment
        Where the policy is to be used.
    tolerance : float
        The search ends when the bounds are as near as this, in units of the largest parameter.
    rounds : int
        Most objectives that are looked at.
    regions : int
        As for :func:`worst_case_regret`.
    progress : callable, optional
        Called with the round and the two bounds.

    Returns
    -------
    Minimax

    Raises
    ------
    ValueError, ContradictoryEvidence
        As for :func:`worst_case_regret`.

    Examples
    --------
    Left is worth at least as much as right; nothing is known of the middle.

    >>> import irl_ident as ii
    >>> pair = ii.Environment(np.ones((1, 3, 1)), 0.9)
    >>> seen = ii.evidence.Policy([[1.0, 0.0, 0.0]], shows="some")
    >>> family = ii.rewards.LinearRewards(np.eye(3)[None])
    >>> free = ii.identified.anything(family)
    >>> found = minimax_policy(free, pair)
    >>> found.policy.round(3).tolist(), round(found.upper, 3)
    ([[0.333, 0.333, 0.333]], 1.333)
    """
    thetas = _first(ident, env)
    best: Minimax | None = None
    lower = 0.0
    for number in range(rounds):
        objectives = np.unique(np.array(thetas), axis=0)
        visits, prior = _answered(env, ident.family, objectives)
        lower = max(lower, _least(env, ident, objectives, prior))
        policy = _policy_of(env, ident, visits, prior @ objectives)
        worst = worst_case_regret(ident, policy, env, tolerance=tolerance / 4, regions=regions)
        if best is None or worst.upper < best.upper:
            best = Minimax(policy, lower, worst.upper, worst.witness, objectives, prior)
        if progress is not None:
            progress(number, lower, best.upper)
        repeated = any(np.allclose(worst.witness, theta, atol=1e-9) for theta in thetas)
        if best.upper - lower <= tolerance or repeated:
            break
        thetas.append(worst.witness)
    assert best is not None
    return Minimax(best.policy, lower, max(best.upper, lower), best.witness, objectives, prior)


def _first(ident: IdentifiedSet, env: Environment) -> list[Array]:
    """Some certain members to begin with, at least one."""
    begun = start(ident, Linear(np.zeros(ident.family.dim)), env, INTERIOR)
    ends = [theta / max(1.0, float(np.abs(theta).max())) for theta in ident.farthest_pair()]
    return [begun.member, *(theta for theta in ends if is_member(begun.premise, theta))]


def _answered(env: Environment, family: RewardFamily, objectives: Array) -> tuple[Array, Array]:
    """Occupancies (S * A,) that lose least under the worst of the objectives, and the program's prior on these."""
    n, size = normaliser(env), env.n_states * env.n_actions
    rewards = family.rewards(env, objectives)
    returns = n * planning.optimal_batch(env, rewards).max(axis=2) @ env.initial
    flow = sparse.csr_array(env.shaping.T)
    losses = sparse.csr_array(n * rewards.reshape(len(objectives), -1))
    rows = sparse.block_array([[flow, None], [losses, sparse.csr_array(np.ones((len(objectives), 1)))]], format="csr")
    least = np.concatenate([env.initial, returns])
    most = np.concatenate([env.initial, np.full(len(objectives), np.inf)])
    cost = np.append(np.zeros(size), 1.0)
    box = np.append(np.zeros(size), -np.inf), np.full(size + 1, np.inf)
    solver = minimise(cost, sparse.csr_array(rows), (least, most), box, {"solver": "simplex"})
    solver.run()
    solution = solver.getSolution()
    prior = np.maximum(np.array(solution.row_dual)[env.n_states :], 0)
    total = prior.sum()
    return np.maximum(np.array(solution.col_value)[:size], 0), (
        prior / total if total > 0 else np.full(len(prior), 1 / len(prior))
    )


def _least(env: Environment, ident: IdentifiedSet, objectives: Array, prior: Array) -> float:
    """What every policy loses at least on average over a prior (n,) on objectives (n, d)."""
    knowing = 0.0
    for theta, weight in zip(objectives, prior, strict=True):
        plan = planning.optimal(env, ident.family.reward(env, theta))
        knowing += weight * (env.initial @ plan.values - plan.error_bound)
    plan = planning.optimal(env, ident.family.reward(env, prior @ objectives))
    return float(normaliser(env) * (knowing - env.initial @ plan.values - plan.error_bound))


def _policy_of(env: Environment, ident: IdentifiedSet, visits: Array, mean: Array) -> Array:
    """A policy (S, A) with these visits; where it never is, the best for the mean objective."""
    table = visits.reshape(env.n_states, env.n_actions)
    total = table.sum(axis=1, keepdims=True)
    best = planning.optimal(env, ident.family.reward(env, mean)).q.argmax(axis=1)
    fallback = np.zeros_like(table)
    fallback[np.arange(env.n_states), best] = 1
    seen = total > 1e-12 * max(1.0, float(total.max()))
    policy = np.where(seen, table / np.where(seen, total, 1), fallback)
    return np.asarray(policy / policy.sum(axis=1, keepdims=True))
