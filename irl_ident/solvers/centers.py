"""Centres of the identified set of an optimal agent.

The set is a cone ``{x : equal x = 0, at_least x >= 0}`` with ``x = (theta, w)``, ``w`` the values of states without
observation that observed ones can reach, if any.  With the columns of ``N`` an orthonormal basis of its span, the gauge
``|theta|_inf <= 1`` (and bounds on ``w`` that no reward in the gauge needs to exceed) cuts it to the polytope

    P = { z : a_i . z <= b_i },    x = N z,    rows a_i: ``-at_least N`` with b = 0, and ``+-N`` with b = the gauge.

=========================  =============================================================================================
:class:`ChebyshevCenter`   centre of the largest Euclidean ball in P: ``max rho, a_i . z + |a_i|_2 rho <= b_i``, a
                           linear program (Boyd & Vandenberghe 2004, section 8.5.1)
:class:`AnalyticCenter`    ``max sum_i log(b_i - a_i . z)``, by Newton's method (ibid., section 8.5.3)
:class:`MeanMember`        the centre of mass of P, estimated from uniform draws
:class:`Centroid`          the centre of mass of another set, in closed form (Lazzati & Metelli 2025)
=========================  =============================================================================================

All but the last take evidence from any number of environments.  Every centre is a mean of members of a convex cone or
inside it, so that it explains the evidence; where all optimal actions were shown, those not shown are worse under it.

Where shown actions enter states without observation the cone is an outer bound, whose centre need not explain: ``w``
may be larger than the values of any policy.  Such a centre is replaced by that of a part of the set: of the rewards
under which the agent does in those states what it would do under the first centre or, where no such reward explains the
evidence, under the first of ``DRAWS`` draws from the cone that does (:func:`explaining`).  The gauge says so.

**Lazzati & Metelli (2025)** write the rewards R(s, a) that explain an optimal policy in one environment as
``B V - Adv`` (Metelli et al. 2021), with ``Adv = 0`` on the shown actions and ``Adv >= 0`` on others.  They average not
over a box of rewards, whose mean depends on the dynamics, but over ``V`` uniform in a box around 0 and ``Adv`` uniform
in ``[0, k]``, in unobserved states with an optimal action drawn evenly.  ``V`` averages to 0, which leaves

    r(s, a) = -k/2 [a not shown],      -k/2 (1 - 1/A) in states without observation:

up to a positive affine map 1 on shown actions, 0 on others, 1/A in unobserved states, whatever the transitions and
the bounds are.  The set is that of the authors' published experiments; the expression is derived here from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from irl_ident import planning
from irl_ident.agents.known import Optimal
from irl_ident.environment import Array
from irl_ident.evidence import Evidence
from irl_ident.identified import ContradictoryEvidence, OptimalSet
from irl_ident.identified.observed import System
from irl_ident.rewards import RANK_TOLERANCE, RewardFamily
from irl_ident.solvers.base import Convergence, Estimate, Solver, Status, Unexplained
from irl_ident.solvers.polytope import NEWTON_TOLERANCE, analytic_center, inscribed_ball, polytope
from irl_ident.solvers.reading import assumed, checked

Chosen = TypeVar("Chosen", bound=Estimate)

GROUPS = 10
"""Independent ensembles of draws whose means give the standard error of a mean."""

TRIVIAL = "only rewards under which every action seen as worse, if any, is as good were left: their middle is 0"
DRAWS = 200
"""Rewards of an outer bound among which a member is looked for."""

ASSUMED = "the actions in states without observation were assumed, so that it explains the evidence"
UNFOUND = "it does not explain the evidence, of whose explanations this set is only an outer bound"
IN_GAUGE = "scale and constant fixed by |theta|_inf <= 1 alone"


@dataclass(frozen=True, eq=False)
class InscribedBall(Estimate):
    """The estimate of :class:`ChebyshevCenter`.

    Attributes
    ----------
    radius : float
        Of the largest ball in the normalised set, within its span; every reward of the span that is this near to
        ``theta`` explains the evidence.  With unobserved states, of the ball in ``(theta, their values)``.
    radius_bound : float
        No ball has a larger radius: proved by the multipliers of the linear program.
    """

    radius: float
    radius_bound: float


@dataclass(frozen=True, eq=False)
class SampledMean(Estimate):
    """The estimate of :class:`MeanMember`.

    Attributes
    ----------
    deviation : array (d,)
        Standard errors of ``theta`` as an estimate of the true mean, from means of independent ensembles.
    """

    deviation: Array


@dataclass(frozen=True)
class ChebyshevCenter(Solver):
    """The centre of the largest Euclidean ball in the normalised identified set.

    The radius is that of the set, however its rows are scaled; the centre need not be unique (a set that is long and
    thin holds many balls), and then is one that the linear program came to.
    """

    def fit(self, evidence: Evidence, family: RewardFamily) -> InscribedBall:
        """Find the centre.

        Returns
        -------
        InscribedBall
            ``minimised`` is the negative radius.

        Raises
        ------
        Unexplained
            When no reward of the family explains the evidence, with the observations that contradict each other.
        """
        return explaining(self._center, explained(evidence, family))

    def _center(self, ident: OptimalSet) -> InscribedBall:
        family, body = ident.family, polytope(ident)
        if body is None:
            return InscribedBall(*_trivial(self, family, "negative radius of the inscribed ball"), 0.0, 0.0)
        z, radius, bound, iterations = inscribed_ball(body.faces, body.bounds, body.reach)
        return InscribedBall(
            self,
            Optimal(family, body.theta(z)),
            "negative radius of the inscribed ball",
            -radius,
            Convergence("converged", iterations, "duality gap of the radius", bound - radius),
            f"centre of a largest ball in the identified set, in Euclidean norm within its span; {IN_GAUGE}",
            radius,
            bound,
        )


@dataclass(frozen=True)
class AnalyticCenter(Solver):
    """The point of the normalised identified set with the largest product of slacks.

    Unique.  It does not depend on the scale of rows, but on which there are: one for every action not shown in every
    state where something was (less those that can only be as good), and two for every parameter.

    Parameters
    ----------
    iterations : int
        Most Newton steps, at least 1.
    """

    iterations: int = 200

    def __post_init__(self) -> None:
        _check_count("iterations", self.iterations)

    def fit(self, evidence: Evidence, family: RewardFamily) -> Estimate:
        """Find the centre.

        Returns
        -------
        Estimate
            ``minimised`` is the barrier ``-sum log(slack)``, rows scaled to largest entry 1.  The residual is the
            Newton decrement ``l``: in the norm of the Hessian the centre is within ``l / (1 - l)``.

        Raises
        ------
        Unexplained
            When no reward of the family explains the evidence, with the observations that contradict each other.
        """
        return explaining(self._center, explained(evidence, family))

    def _center(self, ident: OptimalSet) -> Estimate:
        family, body = ident.family, polytope(ident)
        if body is None:
            return Estimate(*_trivial(self, family, "logarithmic barrier"))
        z, barrier, decrement, steps = analytic_center(body.faces, body.bounds, body.inside, self.iterations)
        status: Status = "converged" if decrement <= NEWTON_TOLERANCE else "iterations"
        return Estimate(
            self,
            Optimal(family, body.theta(z)),
            "logarithmic barrier",
            barrier,
            Convergence(status, steps, "Newton decrement", decrement),
            f"analytic centre of the identified set; {IN_GAUGE}",
        )


@dataclass(frozen=True)
class MeanMember(Solver):
    """The mean of draws from the uniform distribution on the normalised identified set.

    With unobserved states the distribution is uniform in ``(theta, their values)``.

    Parameters
    ----------
    n : int
        Number of draws, at least 20; rounded up to a multiple of 10, the number of independent ensembles.
    seed : int
        At least 0.
    """

    n: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        _check_count("n", self.n, 2 * GROUPS)
        _check_count("seed", self.seed, 0)

    def fit(self, evidence: Evidence, family: RewardFamily) -> SampledMean:
        """Draw and average.

        Returns
        -------
        SampledMean
            Nothing is minimised: ``value`` and the residual are the largest standard error.

        Raises
        ------
        Unexplained
            When no reward of the family explains the evidence, with the observations that contradict each other.
        """
        return explaining(self._center, explained(evidence, family))

    def _center(self, ident: OptimalSet) -> SampledMean:
        family = ident.family
        if polytope(ident) is None:
            return SampledMean(*_trivial(self, family, "standard error"), np.zeros(family.dim))
        seeds = np.random.SeedSequence(self.seed).generate_state(GROUPS)
        each = -(-self.n // GROUPS)
        means = np.array([ident.sample(each, int(seed)).mean(axis=0) for seed in seeds])
        deviation = means.std(axis=0, ddof=1) / np.sqrt(GROUPS)
        return SampledMean(
            self,
            Optimal(family, means.mean(axis=0)),
            "standard error",
            float(deviation.max()),
            Convergence("converged", each * GROUPS, "largest standard error of the mean", float(deviation.max())),
            f"mean of the uniform distribution on the identified set; {IN_GAUGE}",
            deviation,
        )


@dataclass(frozen=True)
class Centroid(Solver):
    """The closed-form reward centroid of an optimal agent (Lazzati & Metelli 2025).

    For one environment and a family that holds every R(s, a); :class:`MeanMember` is for all others.
    """

    def fit(self, evidence: Evidence, family: RewardFamily) -> Estimate:
        """Write down the centroid.

        Returns
        -------
        Estimate
            The exact centroid for advantages uniform in [0, 2].  ``value`` is the largest loss ``V* - V_shown`` of the
            shown actions under it, 0 to rounding.

        Raises
        ------
        ValueError
            For evidence from different environments; for a family that does not hold every R(s, a); where shown
            actions enter states without observation (absorbing ones aside, where all actions count as shown), so
            that a mean of explanations need not be one.
        Unexplained
            When no reward explains the evidence, with the observations that contradict each other.
        """
        ident = explained(evidence, family)
        if len(ident.systems) > 1:
            raise ValueError(
                f"evidence: comes from {len(ident.systems)} different environments, the centroid is defined for one; "
                "MeanMember takes several"
            )
        system = ident.systems[0]
        reward = closed_form_centroid(system)
        plan = planning.optimal(system.env, reward)
        loss = float(np.where(system.shown, plan.values[:, None] - plan.q, 0.0).max())
        return Estimate(
            self,
            Optimal(family, least_norm_parameters(system.features, reward)),
            "nothing, the centroid is in closed form; largest loss of a shown action",
            loss,
            Convergence("converged", 0, "nothing is iterated, loss", loss),
            "values average to 0, advantages of actions not shown to 1: the exact mean for advantages in [0, 2]",
        )


def explained(evidence: Evidence, family: RewardFamily) -> OptimalSet:
    """The identified set of an optimal agent; :class:`Unexplained` when it is empty."""
    return consistent(OptimalSet(family, tuple(checked(evidence, family))))


def consistent(ident: OptimalSet) -> OptimalSet:
    """``ident``; :class:`Unexplained` when it is empty."""
    if ident.conflict is not None:
        raise Unexplained(str(ContradictoryEvidence(ident.conflict)))
    return ident


def explaining(
    choose: Callable[[OptimalSet], Chosen],
    ident: OptimalSet,
    explains: Callable[[Array], bool] | None = None,
) -> Chosen:
    """What ``choose`` chooses from the identified set, or from a part of it where that does not explain the evidence.

    Parameters
    ----------
    choose : callable
    ident : OptimalSet
    explains : callable, optional
        Whether ``theta`` (d,) explains the evidence; ``ident.contains`` when not given.

    Returns
    -------
    Estimate
        Status ``"iterations"``, with the loss of shown actions as its residual, when no member was found.
    """
    judge = explains or ident.contains
    first = choose(ident)
    if judge(first.theta) or all(system.known.all() for system in ident.systems):
        return first
    for part in _parts(ident, first.theta):
        chosen = choose(part)
        if judge(chosen.theta):
            return replace(chosen, gauge=f"{chosen.gauge}; {ASSUMED}")
    lost = largest_loss(ident.systems, first.theta)
    ended = Convergence("iterations", first.convergence.iterations, "largest loss of a shown action", lost)
    return replace(first, convergence=ended, gauge=f"{first.gauge}; {UNFOUND}")


def _parts(ident: OptimalSet, theta: Array) -> Iterator[OptimalSet]:
    """Convex parts of the identified set, each with one optimal action for every state without observation."""
    near = OptimalSet(ident.family, tuple(assumed(list(ident.evidence), ident.family, theta)))
    if near.conflict is None:
        yield near
    if ident.conflict is not None:
        return
    member = next((draw for draw in ident.sample(DRAWS, 0) if ident.contains(draw)), None)
    if member is not None:
        yield OptimalSet(ident.family, tuple(assumed(list(ident.evidence), ident.family, member)))


def largest_loss(systems: Sequence[System], theta: Array) -> float:
    """How much better than a shown action another one is under ``theta``, at most."""
    worst = 0.0
    for system in systems:
        q = planning.optimal(system.env, (system.features @ theta).reshape(system.shown.shape)).q
        worst = max(worst, float(np.where(system.shown, q.max(axis=1, keepdims=True) - q, 0.0).max()))
    return worst


def closed_form_centroid(system: System) -> Array:
    """The centroid of the module's docstring with ``k = 2``, (S, A): 0 on shown actions, -1 on others.

    Raises
    ------
    ValueError
        Where shown actions enter states without observation that are not absorbing.
    """
    env, shown = system.env, system.shown.copy()
    shown[env.absorbing & ~system.known] = True
    known = np.asarray(shown.any(axis=1))
    entered = np.zeros(env.n_states, dtype=bool)
    entered[sparse.csr_array(env.continuation[shown.ravel()]).indices] = True
    lost = np.flatnonzero(entered & ~known)
    if lost.size:
        raise ValueError(
            f"evidence: shown actions enter state {env.states[lost[0]]!r}, where nothing was observed: a mean of "
            "explanations need not explain; MeanMember takes such evidence"
        )
    return np.where(known[:, None], shown - 1.0, 1 / env.n_actions - 1)


def least_norm_parameters(features: sparse.csr_array, reward: Array) -> Array:
    """The shortest ``theta`` (d,) with ``features theta = reward``, for features that hold every reward.

    Parameters
    ----------
    features : sparse (S * A, d)
    reward : array (S, A)

    Raises
    ------
    ValueError
        When the rows of ``features`` are linearly dependent.
    """
    products = sparse.csc_array(features @ features.T)
    pivots = np.zeros(1)
    if features.shape[0] <= features.shape[1] and products.nnz:
        try:
            factor = splu(products)
            pivots = np.abs(factor.U.diagonal())
        except RuntimeError:  # exactly singular
            pass
    if pivots.min() <= RANK_TOLERANCE * pivots.max():
        raise ValueError(
            f"family: does not hold every one of the {reward.size} rewards R(s, a), of which the centroid is taken: "
            "use StateActionRewards, or MeanMember for other families"
        )
    return np.asarray(features.T @ factor.solve(reward.ravel()), dtype=float)


def _trivial(
    solver: Solver, family: RewardFamily, minimised: str
) -> tuple[Solver, Optimal, str, float, Convergence, str]:
    ended = Convergence("trivial", 0, "nothing to search", 0.0)
    return solver, Optimal(family, np.zeros(family.dim)), minimised, 0.0, ended, TRIVIAL


def _check_count(argument: str, value: int, least: int = 1) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least {least}")
