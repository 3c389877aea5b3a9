"""Evidence as solvers read it: weights of choices, and discounted feature expectations.

A policy is read as the infinite data that it would make when started evenly in all states in which it was observed: its
discounted occupancy from there.  So every observed state counts, and matching these weights under a soft-optimal agent
is matching feature expectations (Ziebart, Bagnell & Dey 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Counts, Evidence, Observation, Policy, Trajectories
from irl_ident.identified.observed import systems
from irl_ident.rewards import RewardFamily


def checked(evidence: Evidence, family: RewardFamily) -> evidence_room.Pairs:
    """Evidence that goes together and with the family, with some choice in it; ``ValueError`` otherwise.

    Notes
    -----
    What the family refuses (other numbers of states or actions) is named with its place in the evidence.
    """
    pairs = evidence_room.checked(evidence)
    if not isinstance(family, RewardFamily):
        raise ValueError(f"family: was a {type(family).__name__}, should be a family from irl_ident.rewards")
    for place, (env, _) in enumerate(pairs):
        try:
            family.matrix(env)
        except ValueError as error:
            raise ValueError(f"family: does not go with evidence[{place}]: {error}") from error
    if not any(evidence_room.shown(env, seen).observed.any() for env, seen in pairs):
        raise ValueError("evidence: no choice of an action was observed in any state")
    return pairs


def weights(env: Environment, observation: Observation) -> Array:
    """How much each choice counts, (S, A): numbers of choices, or the occupancy of a policy.

    Parameters
    ----------
    env : Environment
    observation : array (S, A), Policy, Trajectories or Counts
        Of a policy, the discounted occupancy when started evenly in all observed states, uniform where it was not
        observed; 0 there.
    """
    if isinstance(observation, (Trajectories, Counts)):
        return np.asarray(evidence_room.counts(env, observation).counts, dtype=float)
    policy = evidence_room.empirical_policy(env, observation)
    observed = np.asarray(policy.any(axis=1))
    start = observed / max(1, int(observed.sum()))
    return planning.occupancy(env, completed(policy), start) * observed[:, None]


def completed(policy: Array) -> Array:
    """``policy`` (S, A) with uniform rows in place of rows of 0."""
    return np.where(policy.any(axis=1, keepdims=True), policy, 1 / policy.shape[1])


def assumed(pairs: evidence_room.Pairs, family: RewardFamily, theta: Array) -> evidence_room.Pairs:
    """``pairs``, and where no optimal action is known one that ``theta`` makes optimal, as if it had been seen.

    Rewards that explain these explain ``pairs``; the shown actions then stay in states with evidence.
    """
    added: evidence_room.Pairs = []
    for system in systems(pairs, family):
        env, hidden = system.env, ~system.known
        if hidden.any():
            q = planning.optimal(env, family.reward(env, theta)).q
            added.append((env, Policy(np.eye(env.n_actions)[q.argmax(axis=1)] * hidden[:, None], shows="some")))
    return [*pairs, *added]


@dataclass(frozen=True, eq=False)
class FeatureExpectations:
    """Discounted sums of features.

    Attributes
    ----------
    mean : array (d,)
        ``E[sum_t g^t phi(s_t, a_t)]`` from ``initial``.
    initial : array (S,)
        Where the sums start.
    deviation : array (d,)
        Standard errors of ``mean``; 0 for policies.
    truncation : float
        Largest error, in any feature, that episodes cut off before their end can have caused.
    episodes : int
        0 for policies, whose expectations are exact.
    """

    mean: Array
    initial: Array
    deviation: Array
    truncation: float
    episodes: int


def feature_expectations(env: Environment, observation: Observation, family: RewardFamily) -> FeatureExpectations:
    """Discounted feature expectations of what was observed (Abbeel & Ng 2004).

    Parameters
    ----------
    env : Environment
    observation : array (S, A), Policy or Trajectories
        Of a policy, exact, from ``env.initial``; it should be observed in every state that it comes to.  Of
        trajectories, means over episodes from their own first states; an episode that ends in an absorbing state goes
        on collecting the features of that state, evenly over actions.

    Raises
    ------
    ValueError
        For counts, whose choices have no order in time; for a policy that comes to states where it was not observed;
        for episodes cut off where the discount is 1.
    """
    features = family.matrix(env)
    if isinstance(observation, Counts):
        raise ValueError("observation: counts have no order in time, give trajectories or a policy")
    if not isinstance(observation, Trajectories):
        policy = evidence_room.empirical_policy(env, observation)
        visits = planning.occupancy(env, completed(policy))
        lost = (visits.sum(axis=1) > 0) & ~policy.any(axis=1) & ~env.absorbing
        if lost.any():
            state = env.states[int(np.argmax(lost))]
            raise ValueError(f"observation: the policy comes to state {state!r}, where it was not observed")
        return FeatureExpectations(features.T @ visits.ravel(), env.initial, np.zeros(family.dim), 0.0, 0)
    observation.check(env)
    return _sampled(env, observation, family)


def _sampled(env: Environment, episodes: Trajectories, family: RewardFamily) -> FeatureExpectations:
    g, n_actions = env.discount, env.n_actions
    features = family.matrix(env)
    taken = episodes.taken
    rows = np.where(taken, episodes.states[:, :-1] * n_actions + episodes.actions, 0)
    discounts = g ** np.arange(taken.shape[1])
    ends = episodes.states[np.arange(len(episodes)), episodes.lengths]
    ended = env.absorbing[ends]
    if g == 1 and not ended.all():
        raise ValueError(
            f"observation: episode {int(np.argmin(ended))} is cut off before an absorbing state, where discount 1 "
            "leaves the rest of its sum unbounded"
        )
    tail = g ** episodes.lengths.astype(float) / (1 - g) if g < 1 else np.ones(len(episodes))
    total = np.zeros((len(episodes), family.dim))
    for episode in range(len(episodes)):
        here = rows[episode][taken[episode]]
        total[episode] = features[here].T @ discounts[: here.size]
        if ended[episode]:
            last = ends[episode] * n_actions + np.arange(n_actions)
            total[episode] += tail[episode] * features[last].T @ np.full(n_actions, 1 / n_actions)
    cut = np.where(ended, 0.0, tail)
    largest = float(abs(features).max()) if features.nnz else 0.0
    count = len(episodes)
    spread = total.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full(family.dim, np.inf)
    initial = np.bincount(episodes.states[:, 0], minlength=env.n_states) / count
    return FeatureExpectations(total.mean(axis=0), initial, spread, float(cut.mean()) * largest, count)
