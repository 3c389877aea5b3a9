"""The convex program behind maximum entropy goal-directedness.

Let ``x`` (S, A) be the discounted occupancy of a policy pi in an environment with A actions, ``Phi`` the features of a
family of rewards there, and ``V_theta`` the soft values relative to uniform choices of
:mod:`irl_ident.goal_directedness.relative`.  For the soft-optimal policy of theta, because ``x`` is an occupancy,

    F(theta) = sum x(s, a) log(A pi_theta(a|s)) = (Phi^T x) . theta - mu . V_theta.

``V_theta`` is a maximum of affine functions of theta, hence F is concave, with gradient ``Phi^T (x - x_theta)``
and Hessian ``- sum x_theta (d log pi_theta)(d log pi_theta)^T``.  Several environments add.  The dual is

    sup F = min of I(y) over the occupancies y with  Phi^T y = Phi^T x,      I(y) = sum y(s, a) log(A pi_y(a|s)),

the least information, relative to uniform choices, that attains the same expected features (Ziebart 2010).  Any theta
is a lower bound and any such ``y`` an upper one, which is how the supremum is certified here.

The supremum is reached unless some actions are never chosen by any policy that attains these features
(:mod:`irl_ident.goal_directedness.support`).  Then it is reached among policies without these actions, and theta has
to go to infinity, along a direction under which these actions alone are not optimal, for their probability to be 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from irl_ident.environment import Array, Mask
from irl_ident.goal_directedness.relative import RelativePlan, relative_plan
from irl_ident.goal_directedness.terms import Term
from irl_ident.planning import PolicySystem
from irl_ident.planning.structure import method_for
from irl_ident.planning.systems import chain_of

STEPS = 500
"""Newton steps after which the search is given up; ten to forty are usual."""

ENOUGH = 1e-15
"""Where a Newton step promises less than this share of a nat, or of the nats there can be, the search is over."""

RANK = 1e-13
"""Eigenvalues of the scaled Hessian below this share of the largest are directions that change no policy."""

LOST = 1e-6
"""Where the search would end with features that differ by more than this share of what they add up to, policies are so
far from choosing otherwise that the Hessian does not tell, and the gradient has to lead back."""

REACH = 10.0
"""A step that leads back changes log-policies by no more than so many nats, to first order."""


@dataclass(frozen=True, eq=False)
class Point:
    """F at one theta.

    Attributes
    ----------
    theta : array (d,)
    values : array (K,)
        Its terms.
    error : float
        Largest error of the sum.
    plans : tuple of RelativePlan
    """

    theta: Array
    values: Array
    error: float
    plans: tuple[RelativePlan, ...]

    @property
    def value(self) -> float:
        """F."""
        return float(self.values.sum())


def point(terms: Sequence[Term], theta: Array, allowed: Sequence[Mask], near: Point | None = None) -> Point:
    """F at ``theta`` where only ``allowed`` actions can be chosen."""
    values, plans, error = [], [], 0.0
    for k, (term, mask) in enumerate(zip(terms, allowed, strict=True)):
        reward = (term.features @ theta).reshape(mask.shape)
        plan = relative_plan(term.env, reward, mask, None if near is None else near.plans[k].values)
        gain = float(term.mean @ theta)
        worth = float(term.env.initial @ plan.values)
        values.append(gain - worth)
        plans.append(plan)
        error += plan.error_bound + 8 * np.finfo(float).eps * float(np.abs(term.mean) @ np.abs(theta) + abs(worth))
    return Point(theta, np.array(values), error, tuple(plans))


def maximised(terms: Sequence[Term], allowed: Sequence[Mask]) -> Point:
    """Maximise F by Newton's method with a line search, where ``allowed`` lets the maximum be reached.

    Returns
    -------
    Point
        The last one where ``STEPS`` did not suffice; bounds tell how far it is from the maximum.
    """
    size = terms[0].features.shape[1]
    here = point(terms, np.zeros(size), allowed)
    enough = ENOUGH * max(1.0, sum(term.most for term in terms))
    for _ in range(STEPS):
        gradient, hessian = derivatives(terms, here)
        step, rate = _newton_step(terms, hessian, gradient), 1.0
        if float(gradient @ step) <= enough and _is_lost(terms, gradient):
            step = _newton_step(terms, hessian, gradient, least=RANK)
            rate = min(1.0, REACH / _largest(terms, here, allowed, step))
        gain = float(gradient @ step)
        if gain <= enough:
            return _last(terms, here, step, allowed)
        while True:
            trial = point(terms, here.theta + rate * step, allowed, here)
            if trial.value >= here.value + rate * gain / 4:
                break
            rate /= 2
            if rate * gain <= enough or trial.error >= rate * gain / 4:
                return _last(terms, here, step, allowed) if gain <= trial.error else max(here, trial, key=_value)
        here = trial
    return here


def _value(there: Point) -> float:
    return there.value


def _last(terms: Sequence[Term], here: Point, step: Array, allowed: Sequence[Mask]) -> Point:
    """A Newton step whose gain rounding hides, unless it is one back."""
    there = point(terms, here.theta + step, allowed, here)
    return there if there.value >= here.value - there.error else here


def _is_lost(terms: Sequence[Term], gradient: Array) -> bool:
    """Whether features are far from matched."""
    reached = sum(np.asarray(abs(term.features).T @ term.occupancy.ravel()) for term in terms)
    return bool((np.abs(gradient) > LOST * np.maximum(reached, float(np.max(reached)) * LOST)).any())


def _largest(terms: Sequence[Term], here: Point, allowed: Sequence[Mask], step: Array) -> float:
    """The largest change of a log-policy along ``step`` where a policy can come to, or tiny."""
    largest = float(np.finfo(float).tiny)
    for term, plan, mask in zip(terms, here.plans, allowed, strict=True):
        system = PolicySystem(chain_of(term.env, plan.policy), method_for(term.env))
        change = np.abs(_change(term, plan, system) @ step).reshape(mask.shape)
        largest = max(largest, float(change[mask & term.env.reachable[:, None]].max(initial=0)))
    return largest


def derivatives(terms: Sequence[Term], here: Point) -> tuple[Array, Array]:
    """Gradient (d,) and minus the Hessian (d, d) of F."""
    size = here.theta.size
    gradient, hessian = np.zeros(size), np.zeros((size, size))
    for term, plan in zip(terms, here.plans, strict=True):
        system = PolicySystem(chain_of(term.env, plan.policy), method_for(term.env))
        visits = system.solve_transposed(term.env.initial)[:, None] * plan.policy
        change = _change(term, plan, system)
        gradient += term.mean - term.features.T @ visits.ravel()
        hessian += change.T @ (visits.ravel()[:, None] * change)
    return gradient, hessian


def matched(terms: Sequence[Term], here: Point) -> list[Array]:
    """Occupancies (S, A) with the features of the terms: those of ``here``, moved by the first order of a Newton step.

    Entries can be negative by as much as the second order.
    """
    gradient, hessian = derivatives(terms, here)
    step = _newton_step(terms, hessian, gradient)
    found = []
    for term, plan in zip(terms, here.plans, strict=True):
        env = term.env
        system = PolicySystem(chain_of(env, plan.policy), method_for(env))
        visits = system.solve_transposed(env.initial)[:, None] * plan.policy
        moved = visits * (_change(term, plan, system) @ step).reshape(visits.shape)
        arrivals = system.solve_transposed(env.continuation.T @ moved.ravel())
        found.append(visits + moved + arrivals[:, None] * plan.policy)
    return found


def information(occupancy: Array) -> float:
    """``sum x(s, a) log(A pi_x(a|s))`` for an occupancy x (S, A), in nats."""
    visits = occupancy.sum(axis=1, keepdims=True)
    share = np.divide(occupancy, visits, out=np.zeros_like(occupancy), where=visits > 0)
    ratio = np.log(occupancy.shape[1] * share, out=np.zeros_like(share), where=share > 0)
    return float((occupancy * ratio).sum())


def _change(term: Term, plan: RelativePlan, system: PolicySystem) -> Array:
    """``d log pi / d theta`` (S * A, d); what it holds for actions that are not allowed has no meaning."""
    features = term.features.toarray()
    shape = (*plan.policy.shape, features.shape[1])
    averaged = np.einsum("sa,sam->sm", plan.policy, features.reshape(shape))
    return np.asarray(features - term.env.shaping @ system.solve(averaged))


def _newton_step(terms: Sequence[Term], hessian: Array, gradient: Array, least: float = 0.0) -> Array:
    """The step of least norm, after scaling, that ``hessian`` asks for.

    Eigenvalues below ``RANK`` are left out or, with ``least``, taken for that share of the largest.
    """
    diagonal = np.diag(hessian)
    told = diagonal > sum(term.rounding for term in terms)
    scale = np.sqrt(np.where(told, diagonal, 1.0))
    values, vectors = linalg.eigh(hessian * np.outer(told / scale, told / scale))
    if values[-1] <= 0:
        return np.zeros(gradient.size)
    small = RANK * float(values[-1])
    inverse = np.where(values > small, 1 / np.maximum(values, small), 1 / (least * values[-1]) if least else 0.0)
    step: Array = told * (vectors @ (inverse * (vectors.T @ (told * gradient / scale)))) / scale
    return step
