"""Regret: what not knowing the objective costs, as a reason to try an environment and as a bound to stop at.

``J_theta(pi) = (1 - g) mu . V_pi`` is the return of a policy in an environment under ``theta``, linear in theta, and
``J*_theta`` the largest one, convex in theta; the occupancies behind them sum to 1 (with discount 1 they sum to the
expected length of an episode).

**Maximin Bayesian regret** (Kleine Büning, Villin & Dimitrakakis 2024).  Nobody who knows only the pool can lose less
on average than whoever optimises its mean, for returns are linear:

    min_pi mean_theta (J*_theta - J_theta(pi)) = mean_theta J*_theta - J*_(mean theta) >= 0.

The candidate in which this is largest is one in which the objectives of the pool ask for different behaviour.

**Certified bounds.**  ``A_theta(s, a) = Q_pi(s, a) - V_pi(s)``, the advantage under theta of a policy pi, is linear in
theta, and for every policy (Kakade & Langford 2002, lemma 6.1)

    J_theta(pi') - J_theta(pi) = sum over s, a of mu_pi'(s, a) A_theta(s, a).

With ``u(s, a) = max of A_theta(s, a) over the identified set``, one support function each, the regret of pi is for no
theta of the set larger than the optimal return of the reward u.  It is exact where one theta reaches all of u that
the optimal policy meets, as in a single decision, and far too large where loops collect u for one theta and for
another.  Small sets of optimal agents are therefore bounded a second time, by values that a linear program finds
(:mod:`irl_ident.design.strategies.relaxation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.design.behaviour import BATCH, digest
from irl_ident.design.strategies.base import PoolStrategy, checked_candidates
from irl_ident.design.strategies.relaxation import ENTRIES, carried_values
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.advantages import normaliser, rows_over, value_map
from irl_ident.identified.optimal import OptimalSet
from irl_ident.planning.checks import policy_on
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet

REMEMBERED = 1024
"""How many (environment, objectives) returns are kept."""

ENOUGH = 1e-6
"""A share of the upper bound that is not worth a linear program."""

ROUNDING = 1e-12
"""Expectations below this share of the values are rounding of 0."""

STARTS, CLIMBS = 8, 20
"""Members from which a lower bound is raised, and most steps from each."""


@dataclass(frozen=True, eq=False)
class RegretBound:
    """Certified bounds on the largest regret of a policy over an identified set.

    Attributes
    ----------
    upper : float
        No objective of the set makes the policy lose more; infinite where open directions do not bound it.
    lower : float
        ``witness`` makes the policy lose as much, at least 0.
    witness : array (d,)
    """

    upper: float
    lower: float
    witness: Array


def regret_bound(
    ident: IdentifiedSet, policy: npt.ArrayLike, env: Environment, *, entries: int = ENTRIES
) -> RegretBound:
    """Bounds on the largest regret of ``policy`` in ``env`` over the identified set.

    Parameters
    ----------
    ident : IdentifiedSet
    policy : array (S, A)
        Probabilities of actions.
    env : Environment
        Where the policy will be used; it need not have been observed.
    entries : int
        Size, in non-zero coefficients, up to which a linear program is solved to lower ``upper``: that of an optimal
        agent with state rewards needs about ``S A (S + rows of the cone S)``.  The default takes two seconds at most.

    Returns
    -------
    RegretBound
        In units of the rewards of the set (for optimal agents ``|theta|_inf <= 1``), with occupancies that sum to 1.
        Members of the closed set count.  ``upper`` is as certain as the support functions are, which for optimal agents
        is up to rounding; ``lower`` holds for ``witness``, which satisfies the constraints up to the solver's
        feasibility.

    Raises
    ------
    ValueError
        When the policy or the family does not fit the environment.
    ContradictoryEvidence
        When the set is empty.

    Examples
    --------
    The animal has chosen *left*; how much can *right* cost?

    >>> import irl_ident as ii
    >>> stay = ii.Environment(np.ones((1, 2, 1)), 0.9, actions=["left", "right"])
    >>> seen = ii.evidence.Policy([[1.0, 0.0]])
    >>> ident = ii.identify([(stay, seen)], ii.rewards.StateActionRewards(1, 2))
    >>> bound = regret_bound(ident, [[0.0, 1.0]], stay)
    >>> round(bound.lower, 6), round(bound.upper, 6)
    (2.0, 2.0)
    """
    pi, reachable = policy_on(env, policy), env.reachable
    values = value_map(ident.family, pi, env)
    advantages = rows_over(ident.family, values, env)
    upper, members, q = at_most(ident, values, pi, env, reachable)
    if q is not None:
        members.append(next(ident.supports(_gain(advantages, env, q)[None]))[1])
    lower, witness = _climbed(ident, advantages, env, pi, np.array(members))
    if isinstance(ident, OptimalSet) and upper - lower > ENOUGH * upper:
        carried = carried_values(ident, pi, env, reachable, entries)
        other, *_ = at_most(ident, np.zeros_like(values) if carried is None else carried, pi, env, reachable)
        upper = min(upper, other)
    return RegretBound(max(upper, lower), lower, witness)


def at_most(
    ident: IdentifiedSet, values: Array, policy: Array, env: Environment, reachable: Mask
) -> tuple[float, list[Array], Array | None]:
    """The upper bound for a value map W (S, d), the centre and the members that were met, and Q of the reward u."""
    rows = rows_over(ident.family, values, env)
    rest = env.initial @ values - ident.family.matrix(env).T @ planning.occupancy(env, policy).ravel()
    largest, members = np.zeros(policy.size), [ident.center()]
    asked = np.flatnonzero(np.repeat(reachable, env.n_actions) & (np.abs(rows).max(axis=1) > 0))
    different, place = np.unique(rows[asked], axis=0, return_inverse=True)
    found = np.zeros(len(different))
    for i, (value, theta) in enumerate(ident.supports(different)):
        found[i] = value
        members.append(theta)
    largest[asked] = found[place.reshape(-1)]
    if np.isinf(largest).any():
        return np.inf, members, None
    plan = planning.optimal(env, largest.reshape(policy.shape))
    total = float(env.initial @ plan.values + plan.error_bound)
    if np.abs(rest).max() > ROUNDING * np.abs(values).max():
        total += next(ident.supports(rest[None]))[0]
    return normaliser(env) * total, members, plan.q


def best_returns(env: Environment, family: RewardFamily, thetas: npt.ArrayLike) -> Array:
    """``J*`` of each of ``thetas`` (N, d) in ``env``, (N,)."""
    given = np.asarray(thetas, dtype=float)
    found = np.empty(len(given))
    size = max(1, BATCH // (env.n_states * env.n_actions))
    for first in range(0, len(given), size):
        rewards = family.rewards(env, given[first : first + size])
        found[first : first + size] = planning.optimal_batch(env, rewards).max(axis=2) @ env.initial
    return normaliser(env) * found


@dataclass(frozen=True, eq=False)
class MaximinRegret(PoolStrategy):
    """The candidate with the largest minimal Bayesian regret (Kleine Büning, Villin & Dimitrakakis 2024).

    Parameters as for :class:`irl_ident.design.strategies.base.PoolStrategy`.  The scores keep their order when the same
    constant is added to all rewards, or all are scaled together; they change when members are scaled one by one.  The
    agent's rationality decides who is in the pool, not the score.
    """

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """Minimal Bayesian regret of each candidate, (C,), at least 0."""
        given = checked_candidates(candidates)
        thetas, kept = self.pool(ident)
        scores = np.zeros(len(given))
        for place, env in enumerate(given):
            knowing = remembered_returns(env, ident.family, thetas)[kept].mean()
            plan = planning.optimal(env, ident.family.reward(env, thetas[kept].mean(axis=0)))
            scores[place] = knowing - normaliser(env) * (env.initial @ plan.values)
        return np.maximum(scores, 0.0)


def _climbed(
    ident: IdentifiedSet, advantages: Array, env: Environment, policy: Array, members: Array
) -> tuple[float, Array]:
    """A large regret of ``policy`` over the set, and who has it.

    From some members with large regrets: ask whom the policy that is best for a member favours most, while that helps.
    """
    losses = best_returns(env, ident.family, members) - normaliser(env) * _returns(ident.family, policy, env, members)
    lower, witness = -np.inf, members[0]
    met: set[bytes] = set()
    for start in members[np.argsort(-losses, kind="stable")[:STARTS]]:
        theta = start
        higher, gain = _regret(ident.family, advantages, env, theta)
        for _ in range(CLIMBS):
            if higher > lower:
                lower, witness = higher, theta
            if gain.tobytes() in met:
                break
            met.add(gain.tobytes())
            _, theta = next(ident.supports(gain[None]))
            higher, gain = _regret(ident.family, advantages, env, theta)
    return max(lower, 0.0), witness


def _regret(family: RewardFamily, advantages: Array, env: Environment, theta: Array) -> tuple[float, Array]:
    """What the optimal policy of theta gains under theta, and that gain as a function of theta, (d,)."""
    gain = _gain(advantages, env, planning.optimal(env, family.reward(env, theta)).q)
    return float(gain @ theta), gain


def _gain(advantages: Array, env: Environment, q: Array) -> Array:
    """What the greedy policy for ``q`` (S, A) gains over the one of ``advantages``, as a function of theta, (d,)."""
    greedy = np.eye(env.n_actions)[q.argmax(axis=1)]
    return np.asarray(normaliser(env) * planning.occupancy(env, greedy).ravel() @ advantages)


def _returns(family: RewardFamily, policy: Array, env: Environment, thetas: Array) -> Array:
    """``mu . V_pi`` under each of ``thetas`` (N, d), (N,)."""
    return np.asarray(thetas @ (family.matrix(env).T @ planning.occupancy(env, policy).ravel()))


@dataclass(frozen=True)
class _Question:
    """Whose returns are asked for; equal when the digests are."""

    digests: tuple[str, str, str]
    env: Environment = field(compare=False)
    family: RewardFamily = field(compare=False)
    thetas: Array = field(compare=False)


def remembered_returns(env: Environment, family: RewardFamily, thetas: Array) -> Array:
    """:func:`best_returns`, planned once for the same environment and objectives."""
    features = family.matrix(env)
    digests = (env.digest, digest(features.data, features.indices, features.indptr), digest(thetas))
    return _planned(_Question(digests, env, family, thetas))


@lru_cache(maxsize=REMEMBERED)
def _planned(question: _Question) -> Array:
    found = best_returns(question.env, question.family, question.thetas)
    found.setflags(write=False)
    return found
