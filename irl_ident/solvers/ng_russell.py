"""Ng & Russell's (2000) linear programs: the reward under which what was shown is best by the widest margin.

*Known policy* (their section 3).  Among the rewards that make the shown actions optimal, maximise

    sum_e sum_s min over actions a not shown of (V_e(s) - Q_e(s, a))  -  penalty |theta|_1,      |theta|_inf <= 1,

with the values ``V_e`` as unknowns beside ``theta``, so that the rows are as sparse as the transitions; eliminating
them gives their rows ``(P_shown - P_a)(I - g P_shown)^-1 r``.  The larger the penalty, the fewer rewards differ from 0;
above some value, all are 0.

*Sampled trajectories* (their section 5).  With ``mu_E`` the demonstrator's feature expectations and ``mu_k`` those of a
growing set of policies, maximise

    sum_e sum_k p(theta . (mu_E,e - mu_k,e)),      p(x) = min(x, 2 x),      |theta|_inf <= 1,

then add the best responses to ``theta``, until they bring nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from irl_ident import planning
from irl_ident.agents import Optimal
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Evidence
from irl_ident.identified import OptimalSet
from irl_ident.identified.cone.hull import optimum
from irl_ident.identified.observed import System
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Estimate, Solver
from irl_ident.solvers.centers import consistent, explaining, largest_loss
from irl_ident.solvers.reading import FeatureExpectations

TRIVIAL = 1e-8
"""A sum of margins below this is 0, with features of up to 1."""

ROUNDING = 1e-12
"""Feature expectations that differ by less, as a share of the largest, are the same."""

KNOWN = 1e-9
"""Feature expectations that differ by less, as a share of the largest, are those of a policy that is known already."""

BOX = "|theta|_inf <= 1"


@dataclass(frozen=True)
class NgRussell(Solver):
    """The widest margin for shown actions.

    Parameters
    ----------
    penalty : float
        On ``|theta|_1``, at least 0; compare it with margins, which are in units of reward.
    """

    penalty: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.penalty) and self.penalty >= 0):
            raise ValueError(f"penalty: was {self.penalty!r}, should be finite and at least 0")

    def fit(self, evidence: Evidence, family: RewardFamily) -> Estimate:
        """Solve one sparse linear program; see :meth:`.Solver.fit`.

        Returns
        -------
        Estimate
            Gauge: an optimum of the program in the box ``|theta|_inf <= 1``; where there are several, one of them.
            The sum of margins may be largest where some are 0: the gauge tells in how many states an action that is
            known to be worse is as good.  Where shown actions enter states without observation, see
            :func:`irl_ident.solvers.centers.explaining`.  Status ``"trivial"`` with ``theta = 0`` when no margin can be
            above 0, or the penalty outweighs all.

        Raises
        ------
        Unexplained
            No reward of the family makes all shown actions optimal and those known to be worse worse.
        """
        ident = OptimalSet(family, tuple(reading.checked(evidence, family)))
        estimate = explaining(self._widest, ident, partial(_all_optimal, ident.systems))
        if estimate.convergence.status != "converged" or _as_good(ident.systems, estimate.theta):
            consistent(ident)
        return estimate

    def _widest(self, ident: OptimalSet) -> Estimate:
        found, family = ident.systems, ident.family
        theta, value, steps = widest_margin(found, family.dim, self.penalty)
        minimised = "minus the sum of least advantages, plus penalty |theta|_1"
        if not theta.any():
            return Estimate(
                self,
                Optimal(family, theta),
                minimised,
                0.0,
                Convergence("trivial", steps, "largest sum of margins", 0.0),
                "0: no reward gives a margin that outweighs its penalty",
            )
        ties = _as_good(found, theta)
        told = f"; in {ties} states an action known to be worse is as good" if ties else ""
        return Estimate(
            self,
            Optimal(family, theta),
            minimised,
            value,
            Convergence("converged", steps, "violation of the shown actions' optimality", largest_loss(found, theta)),
            f"an optimum of the linear program; scale and constant fixed by {BOX} and by the objective alone{told}",
        )


@dataclass(frozen=True)
class NgRussellSampled(Solver):
    """The widest gap between the demonstrator and other policies, from feature expectations.

    A demonstrator that falls behind one policy can make that good against others, at two to one: the answer of the
    method as it was published need not be a member of the identified set, even when all expectations are exact.

    Parameters
    ----------
    rounds : int
        Best responses that are added in each environment, at most.
    """

    rounds: int = 50

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds: was {self.rounds!r}, should be at least 1")

    def fit(self, evidence: Evidence, family: RewardFamily) -> Estimate:
        """Alternate between rewards and best responses; see :meth:`.Solver.fit`.

        Returns
        -------
        Estimate
            Gauge: an optimum of the last program in the box ``|theta|_inf <= 1``.  ``"trivial"`` when the demonstrator
            cannot be told from the uniform policy.

        Raises
        ------
        ValueError
            As :func:`irl_ident.solvers.reading.feature_expectations`: for counts, and for policies that come to states
            where they were not observed.
        """
        pairs = reading.checked(evidence, family)
        shown = expected(pairs, family)
        environments = [env for env, _ in pairs]
        others = [
            [features_of(env, family, np.full((env.n_states, env.n_actions), 1 / env.n_actions), seen.initial)]
            for env, seen in zip(environments, shown, strict=True)
        ]
        largest = max(float(np.abs([seen.mean, *known]).max()) for seen, known in zip(shown, others, strict=True))
        theta, value, new, steps = np.zeros(family.dim), 0.0, np.inf, 0
        while steps < self.rounds and new > KNOWN:
            theta, value = widest_gap([seen.mean for seen in shown], others, ROUNDING * largest)
            steps, new = steps + 1, 0.0
            for env, seen, known in zip(environments, shown, others, strict=True):
                policy = Optimal(family, theta).policy(env)
                response = features_of(env, family, policy, seen.initial)
                distance = float(np.abs(np.array(known) - response).max(axis=1).min()) / (largest or 1.0)
                new = max(new, distance)
                if distance > KNOWN:
                    known.append(response)
        status: Any = "trivial" if not theta.any() else "converged" if new <= KNOWN else "iterations"
        return Estimate(
            self,
            Optimal(family, theta),
            "minus the sum of gaps over policies, gaps below 0 counted twice",
            value,
            Convergence(status, steps, "distance of the best responses from policies known", new),
            f"an optimum of the last linear program; scale and constant fixed by {BOX} and by the objective alone",
        )


def widest_margin(found: Sequence[System], dim: int, penalty: float) -> tuple[Array, float, int]:
    """Solve the program of the module for known policies.

    Returns
    -------
    theta : array (d,)
        0 where the value is.
    value : float
        Minus the sum of margins, plus ``penalty |theta|_1``.
    iterations : int
    """
    unit = max(float(abs(system.features).max()) if system.features.nnz else 0.0 for system in found) or 1.0
    scaled = [replace(system, features=sparse.csr_array(system.features / unit)) for system in found]
    theta, value, steps = _widest_of(scaled, dim, penalty / unit)
    return (theta, value * unit, steps) if value < -TRIVIAL else (np.zeros(dim), 0.0, steps)


def _widest_of(found: Sequence[System], dim: int, penalty: float) -> tuple[Array, float, int]:
    """:func:`widest_margin` for features of order 1, to which the solver's tolerances are fit."""
    margins = [np.flatnonzero(x.known & ~x.shown.all(axis=1)) for x in found]
    sizes = [x.env.n_states for x in found] + [states.size for states in margins]
    starts = dim + np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    total = int(starts[-1]) + dim
    equal, below = [], []
    bounds = np.zeros(total)
    bounds[:dim], bounds[starts[-1] :] = 1, 1
    for place, system in enumerate(found):
        slack = _placed([(-system.features, 0), (system.env.shaping, int(starts[place]))], total)
        shown = system.shown.ravel()
        equal.append(slack[shown])
        first = int(starts[len(found) + place])
        owner = np.full(system.env.n_states, -1)
        owner[margins[place]] = np.arange(margins[place].size)
        owned = np.repeat(owner, system.env.n_actions)
        rows = np.flatnonzero(~shown)
        counted = np.flatnonzero(owned[rows] >= 0)
        entries = (np.ones(counted.size), (counted, first + owned[rows][counted]))
        below.append(sparse.csr_array(sparse.csr_array(entries, shape=(rows.size, total)) - slack[rows]))
        highest = _highest(system)
        bounds[starts[place] : starts[place + 1]] = 2 * highest
        bounds[first : first + margins[place].size] = 4 * highest
    identity = sparse.eye_array(dim, format="csr")
    below += [_placed([(sign * identity, 0), (-identity, int(starts[-1]))], total) for sign in (1, -1)]
    cost = np.zeros(total)
    cost[starts[len(found)] : starts[-1]] = -1
    cost[starts[-1] :] = penalty
    lower = -bounds
    lower[starts[len(found)] :] = 0
    above = -sparse.csr_array(sparse.vstack(below, format="csr"))
    answer = optimum(cost, above, sparse.vstack(equal, format="csr"), lower, bounds)
    return np.asarray(answer.x[:dim]), float(answer.fun), int(answer.nit)


def widest_gap(
    shown: Sequence[Array], others: Sequence[Sequence[Array]], negligible: float = 0.0
) -> tuple[Array, float]:
    """Solve the program of the module for sampled trajectories.

    Parameters
    ----------
    shown : sequence of array (d,)
        Feature expectations of the demonstrator in each environment.
    others : sequence of sequence of array (d,)
        Those of other policies there.
    negligible : float
        Differences up to this are 0.

    Returns
    -------
    theta : array (d,)
        0 where all gaps are.
    value : float
    """
    gaps = np.array([mean - other for mean, known in zip(shown, others, strict=True) for other in known])
    gaps[np.abs(gaps) <= negligible] = 0
    count, dim = gaps.shape
    scale = float(np.abs(gaps).max()) or 1.0
    rows = np.vstack([np.hstack([-k * gaps / scale, np.eye(count)]) for k in (1, 2)])
    solver: Any = linprog
    answer = solver(
        np.concatenate([np.zeros(dim), -np.ones(count)]),
        A_ub=rows,
        b_ub=np.zeros(2 * count),
        bounds=[(-1, 1)] * dim + [(None, None)] * count,
        method="highs",
    )
    if answer.status != 0:
        raise ArithmeticError(f"the linear program of Ng & Russell was not solved: {answer.message}")
    theta = np.asarray(answer.x[:dim])
    return (theta if -answer.fun > TRIVIAL else np.zeros(dim)), float(answer.fun) * scale


def expected(pairs: Evidence, family: RewardFamily) -> list[FeatureExpectations]:
    """Feature expectations of each observation; errors name its place."""
    found = []
    for place, (env, seen) in enumerate(pairs):
        try:
            found.append(reading.feature_expectations(env, seen, family))
        except ValueError as error:
            raise ValueError(f"evidence[{place}]: {error}") from error
    return found


def features_of(env: Environment, family: RewardFamily, policy: Array, initial: Array) -> Array:
    """Feature expectations (d,) of a policy from ``initial``."""
    return np.asarray(family.matrix(env).T @ planning.occupancy(env, policy, initial).ravel())


def _placed(blocks: Sequence[tuple[Any, int]], total: int) -> sparse.csr_array:
    """Sparse blocks side by side, each beginning at its column, in rows of ``total`` columns."""
    parts = []
    for block, first in blocks:
        rows = sparse.coo_array(block)
        columns = rows.coords[1] + first
        parts.append(sparse.csr_array((rows.data, (rows.coords[0], columns)), shape=(block.shape[0], total)))
    return sparse.csr_array(sum(parts[1:], start=parts[0]))


def _highest(system: System) -> float:
    """The largest value that a reward in the box can have."""
    largest = float(abs(system.features).sum(axis=1).max())
    ones = np.full((system.env.n_states, system.env.n_actions), largest)
    return max(1.0, float(np.abs(planning.optimal(system.env, ones).values).max()))


def _best(system: System, theta: Array) -> Mask:
    q = planning.optimal(system.env, (system.features @ theta).reshape(system.shown.shape)).q
    return planning.optimal_actions(q)


def _all_optimal(found: Sequence[System], theta: Array) -> bool:
    """Whether every shown action is optimal under ``theta``."""
    return not any((system.shown & ~_best(system, theta)).any() for system in found)


def _as_good(found: Sequence[System], theta: Array) -> int:
    """Number of states in which an action known to be worse is optimal under ``theta``."""
    return sum(int((system.strict & _best(system, theta)).any(axis=1).sum()) for system in found)
