"""Maximum entropy goal-directedness (MEG): how much a goal helps to predict what was done.

MacDermott, Fox, Belardinelli & Everitt (2024) score a policy pi by the best prediction of its choices that a policy of
maximum entropy for a utility gives, over the prediction of uniform choices.  With A actions and discount g,

    MEG_U(pi)      = max over pi_me in Pi_U  of  E_pi[sum_t g^t (log pi_me(a_t|s_t) - log(1/A))],
    MEG_family(pi) = max over U in the family of MEG_U(pi)

(their definitions 3.2 and 4.3, which sum over the decisions of a causal model), where ``Pi_U`` holds, for each
expected utility that can be attained, the policies of most causal entropy that attain it (definition 3.1).  In a Markov
decision process these are the soft-optimal policies for U at every rationality beta, from minus infinity (the worst)
over 0 (uniform) to infinity (the best).  Both signs count: MEG is the same for U and for ``a U + b`` with any a that is
not 0, and a policy that makes U as small as can be is as directed at U as one that makes it large.  The sign of
``beta`` tells them apart.  Whoever wants pursuit alone takes MEG where beta is positive and 0 where it is negative: the
objective is concave in beta and 0 at ``beta = 0``.

MEG depends on the policy through its expected utility alone: it is the least information, relative to even choices,
of any policy that attains as much.  A known utility is a family of one feature, and MEG is the maximum causal entropy
likelihood that a family attains, in nats above chance: a concave maximisation whose solution is certified from both
sides (:mod:`irl_ident.goal_directedness.matching`).  ``0 <= MEG <= log A / (1 - g)`` in one environment.  Several
environments add up their nats under one theta, the same objective in all of them.

For the family of all rewards on state-action pairs, in one environment, ``MEG = log A / (1 - g) - H(pi)`` with H the
discounted causal entropy of the policy: every deterministic policy scores the maximum, and the score tells nothing but
how deterministic pi is.  Smaller families and more environments are what makes it a test.

Of the paper, the abstract and public summaries of its definitions and propositions were at hand, not the full text; of
its figures only the shapes could be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array
from irl_ident.evidence import Evidence
from irl_ident.goal_directedness.matching import Point, information, matched, maximised, point
from irl_ident.goal_directedness.support import Support, support, unrestricted
from irl_ident.goal_directedness.terms import Term, family_terms, utility_terms
from irl_ident.rewards import RewardFamily

FAR = 40.0
"""Nats by which an action is made worse to stand for a theta at infinity; its probability is below 1e-17."""

SHARES = (0.1, 0.3, 1.0)
"""Shares of the way that are tried: the shorter, the less rounding, and often enough."""

ROUNDING = 1e-13
"""Occupancies match when features and flows differ by no more than this share of what they add up to."""

CLOSE = 1e-6
"""Bounds further apart than this share of the maximum call for a second search."""


@dataclass(frozen=True, eq=False)
class GoalDirectedness:
    """Maximum entropy goal-directedness of some behaviour, with proved bounds.

    Attributes
    ----------
    nats : float
        MEG, summed over environments: at least 0, at most ``maximum``.
    lower, upper : float
        MEG is between them: ``lower`` is what one reward of the family attains, ``upper`` the information of one policy
        with the same expected features.  True up to rounding, which is allowed for in planning.
    maximum : float
        ``log A`` for every expected choice, ``log A / (1 - g)`` in one environment with discount g below 1.
    by_environment : array (K,)
        The parts of ``nats``; one can be negative where a single objective serves several environments.
    by_state : tuple of array (S,)
        The parts of ``by_environment``, for each environment.
    attained : bool
        Whether some reward of the family attains MEG, within the bounds.  Otherwise it is a supremum, approached by
        ``theta + t direction`` as t grows, as for a policy that never takes an action which only an infinite reward
        rules out.
    theta : array (d,)
        The reward that predicts best, in nats, one of those with the same predictions (constants and shaping are
        free); with ``direction`` where not attained.
    direction : array (d,)
        0 where attained.
    policies : tuple of array (S, A)
        The predictions: soft-optimal policies of theta, in the limit where not attained.
    """

    nats: float
    lower: float
    upper: float
    maximum: float
    by_environment: Array
    by_state: tuple[Array, ...]
    attained: bool
    theta: Array
    direction: Array
    policies: tuple[Array, ...]

    @property
    def normalised(self) -> float:
        """``nats / maximum``, in [0, 1]; 0 where there is nothing to choose."""
        return self.nats / self.maximum if self.maximum > 0 else 0.0

    @property
    def beta(self) -> float:
        """Rationality for a known utility, per unit of it: infinite where not attained, negative where it is shunned.

        Raises
        ------
        AttributeError
            For a family of more than one parameter, where the size of theta stands for it.
        """
        if self.theta.size != 1:
            raise AttributeError("beta: is for a known utility; the scale of theta stands for it in a family")
        return float(self.theta[0]) if self.attained else float(np.copysign(np.inf, self.direction[0]))

    def __repr__(self) -> str:
        kind = "attained" if self.attained else "a supremum"
        return f"GoalDirectedness({self.nats:.6g} nats of {self.maximum:.6g}, {kind})"


def meg(evidence: Evidence, utility: npt.ArrayLike | Sequence[npt.ArrayLike]) -> GoalDirectedness:
    """MEG with respect to a known utility (MacDermott et al. 2024, algorithm 1, solved exactly).

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        Policies (S, A), or trajectories or counts, whose empirical policy is then scored (see
        :func:`irl_ident.goal_directedness.meg_interval` for how far that can be off).
    utility : array (S, A), or sequence of arrays (S, A)
        Paid for taking an action in a state; one for all environments or one for each.

    Returns
    -------
    GoalDirectedness
        ``beta`` is the rationality that predicts best.

    Raises
    ------
    ValueError
        When evidence or utility do not go together, or a policy comes to a state in which it was not observed.

    Notes
    -----
    With discount 1, where an absorbing state pays and chooses once, adding a constant to the utility is a price for
    time and changes MEG; with a discount below 1 it does not.

    Examples
    --------
    A single decision between 1 and 0, taken for the better in three cases of four: ``log 2 - H(1/4)`` nats.

    >>> import irl_ident as ii
    >>> once = ii.Environment(np.ones((1, 2, 1)), discount=0.0)
    >>> found = meg([(once, np.array([[0.75, 0.25]]))], [[1.0, 0.0]])
    >>> round(found.nats, 6), round(found.beta, 6)
    (0.130812, 1.098612)
    """
    return best_explained(utility_terms(evidence, utility))


def meg_family(evidence: Evidence, family: RewardFamily) -> GoalDirectedness:
    """MEG with respect to a family of utilities (MacDermott et al. 2024, algorithm 2, solved exactly).

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        As for :func:`meg`.  One theta of the family serves all environments.
    family : RewardFamily
        Linear, which all families of :mod:`irl_ident.rewards` are.

    Returns
    -------
    GoalDirectedness

    Examples
    --------
    Every deterministic policy is as directed as can be at some reward on state-action pairs:

    >>> import irl_ident as ii
    >>> env = ii.builders.random_environment(4, 3, discount=0.5, seed=0)
    >>> found = meg_family([(env, np.eye(3)[[2, 0, 1, 1]])], ii.rewards.StateActionRewards(4, 3))
    >>> round(found.normalised, 9), found.attained
    (1.0, False)
    """
    return best_explained(family_terms(evidence, family))


def best_explained(terms: Sequence[Term]) -> GoalDirectedness:
    """Solve and certify.

    Where there are more features than choices, theta is sought among sums of the features of choices, which lose
    nothing.
    """
    rows = sum(term.occupancy.size for term in terms)
    if terms[0].features.shape[1] <= rows:
        return _solved(terms)
    basis = sparse.csr_array(sparse.vstack([term.features for term in terms]).T)
    found = _solved([Term(t.env, t.occupancy, sparse.csr_array(t.features @ basis)) for t in terms])
    return replace(found, theta=basis @ found.theta, direction=basis @ found.direction)


def _solved(terms: Sequence[Term]) -> GoalDirectedness:
    """The supremum over what the support allows; where tolerances leave a gap, also over everything."""
    held = support(terms)
    found = _over(terms, held)
    if held.complete or found.upper - found.lower <= CLOSE * max(1.0, found.maximum):
        return found
    plain = _over(terms, unrestricted(terms))
    lower, upper = max(found.lower, plain.lower), min(found.upper, plain.upper)
    better = plain if plain.lower > found.lower else found
    return replace(better, nats=float(np.clip(better.nats, lower, upper)), lower=lower, upper=upper)


def _over(terms: Sequence[Term], held: Support) -> GoalDirectedness:
    best = maximised(terms, held.allowed)
    lower, maximum = _lower(terms, best, held), sum(term.most for term in terms)
    upper = max(lower, min(upper_bound(terms, best, held.occupancies), maximum))
    ratios = [
        (term.occupancy * np.where(term.occupancy > 0, plan.log_ratio, 0)).sum(axis=1)
        for term, plan in zip(terms, best.plans, strict=True)
    ]
    return GoalDirectedness(
        nats=float(np.clip(best.value, lower, upper)),
        lower=lower,
        upper=upper,
        maximum=maximum,
        by_environment=best.values,
        by_state=tuple(ratios),
        attained=held.complete,
        theta=best.theta,
        direction=held.direction,
        policies=tuple(plan.policy for plan in best.plans),
    )


def _lower(terms: Sequence[Term], best: Point, held: Support) -> float:
    """F at one theta where all actions can be chosen, or 0, which is F at 0."""
    if held.complete:
        return max(best.value - best.error, 0.0)
    reach = FAR + 2 * max(float(np.ptp(plan.values)) for plan in best.plans)
    allowed = unrestricted(terms).allowed
    far = [point(terms, best.theta + share * reach * held.direction, allowed) for share in SHARES]
    return max(0.0, *(there.value - there.error for there in far))


def upper_bound(terms: Sequence[Term], best: Point, inside: Sequence[Array]) -> float:
    """Information of the policies themselves or, if less, of policies near the best ones with the same features.

    Occupancies that differ in features or flows by more than rounding prove nothing; what rounding leaves is priced
    with theta and the values.
    """
    own = sum(information(term.occupancy) for term in terms)
    found = _lifted(matched(terms, best), inside)
    if found is None:
        return own
    missed = np.sum([t.features.T @ (x - t.occupancy).ravel() for t, x in zip(terms, found, strict=True)], axis=0)
    largest = np.max([abs(t.features).max(axis=0).todense() for t in terms], axis=0).ravel()
    weight = sum(float(t.occupancy.sum()) for t in terms)
    if (np.abs(missed) > ROUNDING * largest * weight).any():
        return own
    total = sum(information(x) for x in found) + float(np.abs(missed) @ np.abs(best.theta))
    for term, x, plan in zip(terms, found, best.plans, strict=True):
        leak = np.abs(term.env.shaping.T @ x.ravel() - term.env.initial)
        if leak.max() > ROUNDING * weight:
            return own
        total += float(leak @ np.abs(plan.values))
    return min(own, total)


def _lifted(close: Sequence[Array], inside: Sequence[Array]) -> list[Array] | None:
    """``close`` without negative entries, lifted by as much of ``inside`` as it takes; None where that does not do."""
    share = 0.0
    for near, other in zip(close, inside, strict=True):
        short = near < -8 * np.finfo(float).eps * near.sum()
        if (other[short] <= 0).any():
            return None
        share = max(share, float((-near[short] / (other[short] - near[short])).max(initial=0.0)))
    return [np.maximum((1 - share) * near + share * other, 0) for near, other in zip(close, inside, strict=True)]
