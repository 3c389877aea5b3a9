"""Which information the choices depend on, and which features of the objective.

A *context* is a state of one of several environments; the behaviour gives ``pi(a | c)``, and the visits of its own
occupancy weigh the contexts: ``w(c)``, over states that are not absorbing, all environments alike, summing to 1.  A
*factor* labels contexts: a cell's row, a key in hand, the environment itself.  With ``rest`` the labels of all other
factors,

    I(A; F | rest) = H(A | rest) - H(A | rest, F)

is how many bits of factor F the choices carry, for each step, that the other factors do not (conditional mutual
information; Cover & Thomas 2006, section 2.5).  *Masking* F gives the policy that sees the rest alone,

    pi'(a | c) = sum over c' with the same rest of w(c') pi(a | c') / sum of w(c'),

the closest one to pi in mean Kullback-Leibler divergence, and the return that masking loses under an objective is what
the information is worth.  A lookup table used in every environment has 0 bits of the environment; whoever plans anew
has some wherever the plans differ.

For an objective that is known or recovered, a *feature* matters as far as the optimal policy without it loses return
under the whole objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import policy_on, reward_on
from irl_ident.rewards import RewardFamily

Labels = npt.NDArray[np.int64]

WORLD = "environment"
"""The name of the factor that tells environments apart."""


@dataclass(frozen=True)
class FactorUse:
    """How the choices depend on one factor.

    Attributes
    ----------
    name : str
    bits : float
        Conditional mutual information of action and factor given all other factors, in bits a step, at least 0.
    value_lost : float
        Mean over environments of the return ``mu . V`` that masking the factor loses; below 0 where the masked policy
        does better, NaN without an objective.
    """

    name: str
    bits: float
    value_lost: float


@dataclass(frozen=True)
class FeatureUse:
    """How much one feature of an objective matters.

    Attributes
    ----------
    name : str
    value_lost : float
        Mean over environments of the return ``mu . V`` under the whole objective that the optimal policy without the
        feature loses, at least 0 up to rounding.
    """

    name: str
    value_lost: float


def factor_use(
    environments: Sequence[Environment],
    policies: Sequence[npt.ArrayLike],
    factors: Mapping[str, npt.ArrayLike],
    rewards: Sequence[npt.ArrayLike] | None = None,
) -> tuple[FactorUse, ...]:
    """How the choices depend on each factor.

    Parameters
    ----------
    environments : sequence of K Environment
        With the same numbers of states and actions.
    policies : sequence of K arrays (S, A)
        What is done in each of them.
    factors : mapping of str to int array (S,) or (K, S)
        A label of every state, the same in all environments or not.  Where there are several environments, the factor
        ``"environment"`` is added.
    rewards : sequence of K arrays (S, A), optional
        The objective in each of them.

    Returns
    -------
    tuple of FactorUse
        In the order of ``factors``, then ``"environment"``.

    Examples
    --------
    Two rooms, side by side; the choice looks at the room alone, and at all of its one bit.

    >>> rooms = Environment(np.full((4, 2, 4), 0.25), discount=0.5)
    >>> room, light = [0, 0, 1, 1], [0, 1, 0, 1]
    >>> used = factor_use([rooms], [np.eye(2)[room]], {"room": room, "light": light})
    >>> [(use.name, use.bits) for use in used]
    [('room', 1.0), ('light', 0.0)]
    """
    given = [policy_on(env, policy) for env, policy in zip(environments, policies, strict=True)]
    if len({policy.shape for policy in given}) != 1:
        raise ValueError("environments: should be at least one, with the same numbers of states and actions")
    table, weights = np.concatenate(given), context_weights(environments, given)
    labels = _labels(factors, len(given), environments[0].n_states)
    found = []
    for name in labels:
        rest = groups_of([other for key, other in labels.items() if key != name], table.shape[0])
        both = groups_of(list(labels.values()), table.shape[0])
        bits = conditional_information(table, weights, rest, both)
        masked = averaged(table, weights, rest).reshape(len(given), *given[0].shape)
        found.append(FactorUse(name, bits, _lost(environments, given, masked, rewards)))
    return tuple(found)


def feature_use(
    family: RewardFamily, theta: npt.ArrayLike, environments: Sequence[Environment], *, baseline: float = 0.0
) -> tuple[FeatureUse, ...]:
    """How much each feature of an objective matters to the plans for it.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    environments : sequence of Environment
        At least one.
    baseline : float
        The weight that a feature is given in place of its own.  Where the family has the constants, weights mean
        something only relative to each other: take the weight of the feature that the others are compared with.

    Returns
    -------
    tuple of FeatureUse
        One for each parameter.
    """
    whole = family.checked(theta)
    if not len(environments):
        raise ValueError("environments: is empty, should hold at least one")
    found = []
    for place, name in enumerate(family.parameters):
        without = np.where(np.arange(whole.size) == place, baseline, whole)
        lost = []
        for env in environments:
            reward = family.reward(env, whole)
            acted = planning.optimal(env, family.reward(env, without)).policy
            gap = planning.optimal(env, reward).values - planning.evaluate(env, reward, acted)
            lost.append(float(env.initial @ gap))
        found.append(FeatureUse(name, float(np.mean(lost))))
    return tuple(found)


def context_weights(environments: Sequence[Environment], policies: Sequence[Array]) -> Array:
    """Share of the steps in each state of each environment, (K * S,): absorbing states have none, environments alike.

    An environment in which every step is taken in absorbing states has weight 0 throughout.
    """
    parts = []
    for env, policy in zip(environments, policies, strict=True):
        visits = planning.occupancy(env, policy).sum(axis=1) * ~env.absorbing
        parts.append(visits / visits.sum() if visits.any() else visits)
    weights = np.concatenate(parts)
    return weights / weights.sum() if weights.any() else weights


def conditional_information(policy: npt.ArrayLike, weights: npt.ArrayLike, coarse: Labels, fine: Labels) -> float:
    """``H(A | coarse) - H(A | fine)`` in bits.

    Parameters
    ----------
    policy : array (N, A)
        Probabilities of actions in each context.
    weights : array (N,)
        Of the contexts, summing to 1.
    coarse, fine : int array (N,)
        Groups of contexts; each group of ``fine`` lies in one of ``coarse``.

    Returns
    -------
    float
        At least 0.
    """
    share = np.asarray(weights, dtype=float)
    met = share > 0
    less, more = averaged(policy, share, coarse)[met], averaged(policy, share, fine)[met]
    nats = float(share[met] @ special.rel_entr(more, less).sum(axis=1))
    return max(nats, 0.0) / float(np.log(2))


def averaged(policy: npt.ArrayLike, weights: npt.ArrayLike, groups: Labels) -> Array:
    """The mean of ``policy`` over each group of contexts, by weight; evenly in groups without any, (N, A)."""
    table, share = np.asarray(policy, dtype=float), np.asarray(weights, dtype=float)
    count = int(groups.max()) + 1
    total = np.bincount(groups, share, count)
    even = np.where(total[groups] > 0, share, 1.0)
    size = np.bincount(groups, even, count)
    sums = np.stack([np.bincount(groups, even * column, count) for column in table.T], axis=1)
    return np.asarray((sums / size[:, None])[groups])


def groups_of(labels: Sequence[Labels], count: int) -> Labels:
    """Number the contexts (count,) by their labels: the same number where all labels are the same."""
    if not labels:
        return np.zeros(count, dtype=np.int64)
    return np.unique(np.stack(labels, axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def _labels(factors: Mapping[str, npt.ArrayLike], worlds: int, states: int) -> dict[str, Labels]:
    found = {}
    for name, given in factors.items():
        labels = np.asarray(given)
        if labels.shape not in ((states,), (worlds, states)) or labels.dtype.kind not in "iub":
            raise ValueError(
                f"factors[{name!r}]: should be whole numbers of shape ({states},) or ({worlds}, {states}), was "
                f"{labels.dtype} of shape {labels.shape}"
            )
        found[name] = np.broadcast_to(labels, (worlds, states)).ravel().astype(np.int64)
    if worlds > 1:
        if WORLD in found:
            raise ValueError(f"factors: {WORLD!r} is added where there are several, should not be given")
        found[WORLD] = np.repeat(np.arange(worlds), states)
    if not found:
        raise ValueError("factors: is empty, should name at least one")
    return found


def _lost(
    environments: Sequence[Environment],
    policies: Sequence[Array],
    masked: Array,
    rewards: Sequence[npt.ArrayLike] | None,
) -> float:
    """Mean over environments of the return that the masked policies lose, or NaN."""
    if rewards is None:
        return float("nan")
    lost = []
    for env, own, other, given in zip(environments, policies, masked, rewards, strict=True):
        reward = reward_on(env, given)
        gap = planning.evaluate(env, reward, own) - planning.evaluate(env, reward, other)
        lost.append(float(env.initial @ gap))
    return float(np.mean(lost))
