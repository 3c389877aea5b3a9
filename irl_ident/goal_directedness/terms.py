"""What was done in each environment, as maximum entropy goal-directedness reads it: occupancies and features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Counts, Evidence, Policy, Trajectories, checked, empirical_policy
from irl_ident.planning import occupancy
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import finite
from irl_ident.planning.systems import chain_of
from irl_ident.rewards import RewardFamily
from irl_ident.transitions import reached

INFLUENCE = 1e-12
"""Where a feature changes log-policies by less than this share of what it could add up to, that is rounding."""


@dataclass(frozen=True, eq=False)
class Term:
    """What was done in one environment.

    Attributes
    ----------
    env : Environment
    occupancy : array (S, A)
        Of a policy, from ``env.initial``; 0 exactly where the policy does not come to or does not choose.
    features : sparse array (S * A, d)
    """

    env: Environment
    occupancy: Array
    features: sparse.csr_array

    @cached_property
    def mean(self) -> Array:
        """Expected discounted features, (d,)."""
        return np.asarray(self.features.T @ self.occupancy.ravel())

    @property
    def most(self) -> float:
        """``log A`` for every choice: what no policy's information exceeds."""
        return float(np.log(self.env.n_actions) * self.occupancy.sum())

    @cached_property
    def rounding(self) -> Array:
        """What the diagonal of the Hessian (d,) can be where features have no influence."""
        largest = np.asarray(abs(self.features).max(axis=0).todense()).ravel()
        return np.asarray(self.occupancy.sum() * (INFLUENCE * lengths(self.env).longest * largest) ** 2)


def utility_terms(evidence: Evidence, utility: npt.ArrayLike | Sequence[npt.ArrayLike]) -> list[Term]:
    """Terms with the utility as their only feature; ``ValueError`` where it does not go with the evidence."""
    pairs = checked(evidence)
    rewards = _one_each(utility, [env for env, _ in pairs])
    return [
        Term(env, visited(env, behaviour(env, seen)), sparse.csr_array(reward.reshape(-1, 1)))
        for (env, seen), reward in zip(pairs, rewards, strict=True)
    ]


def family_terms(evidence: Evidence, family: RewardFamily) -> list[Term]:
    """Terms with the features of a family; ``ValueError`` where it does not go with the evidence."""
    pairs = checked(evidence)
    for place, (env, _) in enumerate(pairs):
        try:
            family.matrix(env)
        except ValueError as error:
            raise ValueError(f"family: does not go with evidence[{place}]: {error}") from error
    return [Term(env, visited(env, behaviour(env, seen)), family.matrix(env)) for env, seen in pairs]


def behaviour(env: Environment, observation: Policy | Trajectories | Counts) -> Array:
    """The policy (S, A) that an observation stands for.

    Of trajectories and counts it is the empirical one, uniform in states without choices.  A policy must have been
    observed wherever it comes to; absorbing states are excepted, where it is uniform.
    """
    seen = empirical_policy(env, observation)
    observed: Mask = np.asarray(seen.any(axis=1))
    policy = np.where(observed[:, None], seen, 1 / env.n_actions)
    if isinstance(observation, Policy):
        lost = came_to(env, policy) & ~observed & ~env.absorbing
        if lost.any():
            state = env.states[int(np.argmax(lost))]
            raise ValueError(f"evidence: a policy comes to state {state!r}, where it was not observed")
    return policy


def visited(env: Environment, policy: Array) -> Array:
    """Occupancy (S, A) of a policy, exactly 0 where it does not come to."""
    return np.where(came_to(env, policy)[:, None], np.maximum(occupancy(env, policy), 0), 0)


def came_to(env: Environment, policy: Array) -> Mask:
    """States (S,) that a policy comes to from ``env.initial``."""
    chain = chain_of(env, policy).tocoo()
    moved = chain.data > 0
    return reached(chain.row[moved], chain.col[moved], env.initial > 0)


def _one_each(utility: npt.ArrayLike | Sequence[npt.ArrayLike], envs: Sequence[Environment]) -> list[Array]:
    """A utility (S, A) for each environment."""
    listed: Any = utility
    if np.ndim(listed) == 0 or len(listed) == 0:
        raise ValueError(f"utility: was {utility!r}, should be an array (S, A), or one for each environment")
    each: list[Any] = [listed] * len(envs) if np.ndim(listed[0]) < 2 else list(listed)
    if len(each) != len(envs):
        raise ValueError(f"utility: {len(each)} were given for {len(envs)} environments; give one, or one for each")
    return [finite("utility", given, (e.n_states, e.n_actions), "(S, A)") for given, e in zip(each, envs, strict=True)]
