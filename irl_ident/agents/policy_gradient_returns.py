"""Returns of many policies in several environments, and their exact derivatives by the logits.

For a softmax policy ``pi(a|s) = exp z(s,a) / sum_b exp z(s,b)``, with ``C_pi``, values ``V``, ``Q = r + C V`` and
discounted visits ``x`` as in :mod:`irl_ident.planning`, ``J = mu . V`` has the derivatives

    dJ / dz(s, a) = x(s) pi(a|s) (Q(s,a) - V(s))          (policy gradient theorem: Sutton et al. 2000)

with no sample in it.  Up to :data:`STACKED_STATES` states all policies are evaluated in all environments by one call of
a stacked dense solver, above by one sparse system after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from irl_ident import planning
from irl_ident.environment import Array, Environment

STACKED_STATES = 64
"""Up to so many states, stacked dense solves; a solve of 64 states costs what a sparse factorisation does."""


@dataclass(frozen=True, eq=False)
class Tasks:
    """Environments with the same states and actions, and what each pays.

    Parameters
    ----------
    environments : tuple of L Environment
    rewards : array (L, S, A)
    """

    environments: tuple[Environment, ...]
    rewards: Array

    def __post_init__(self) -> None:
        shape = (self.environments[0].n_states, self.environments[0].n_actions)
        for place, env in enumerate(self.environments):
            if (env.n_states, env.n_actions) != shape:
                raise ValueError(
                    f"environments[{place}]: has {env.n_states} states and {env.n_actions} actions, should have "
                    f"{shape[0]} and {shape[1]} as environments[0]"
                )
        if self.rewards.shape != (len(self.environments), *shape):
            raise ValueError(f"rewards: should have shape {(len(self.environments), *shape)}, was {self.rewards.shape}")

    def optima(self) -> Array:
        """The largest return in each environment, (L,)."""
        pairs = zip(self.environments, self.rewards, strict=True)
        return np.array([float(env.initial @ planning.optimal(env, reward).values) for env, reward in pairs])

    def evaluate(self, policies: Array) -> tuple[Array, Array]:
        """Returns, and their derivatives by the logits.

        Parameters
        ----------
        policies : array (N, L, S, A)
            Of N agents in L environments.

        Returns
        -------
        array (N, L)
            Returns ``mu . V``.
        array (N, L, S, A)
            Their derivatives.
        """
        stacked = self.environments[0].n_states <= STACKED_STATES
        values, visits = self._stacked(policies) if stacked else self._one_by_one(policies)
        q = self.rewards + self._backup(values)
        slopes = visits[..., None] * policies * (q - values[..., None])
        starts = np.array([env.initial for env in self.environments])
        return (values * starts).sum(axis=2), slopes

    def _stacked(self, policies: Array) -> tuple[Array, Array]:
        """Values and visits, (N, L, S) each."""
        matrix = -policies[..., 0, None] * self._dense[:, :, 0]
        for action in range(1, policies.shape[3]):
            matrix -= policies[..., action, None] * self._dense[:, :, action]
        n_states = policies.shape[2]
        matrix[..., np.arange(n_states), np.arange(n_states)] += 1
        paid = (policies * self.rewards).sum(axis=3)
        starts = np.broadcast_to(np.array([env.initial for env in self.environments]), paid.shape)
        values = np.linalg.solve(matrix, paid[..., None])[..., 0]
        visits = np.linalg.solve(matrix.swapaxes(2, 3), starts[..., None])[..., 0]
        return values, visits

    def _one_by_one(self, policies: Array) -> tuple[Array, Array]:
        values, visits = np.empty(policies.shape[:3]), np.empty(policies.shape[:3])
        for place, env in enumerate(self.environments):
            for agent, policy in enumerate(policies[:, place]):
                system = planning.policy_system(env, policy)
                values[agent, place] = system.solve((policy * self.rewards[place]).sum(axis=1))
                visits[agent, place] = system.solve_transposed(env.initial)
        return values, visits

    def _backup(self, values: Array) -> Array:
        """Discounted expected next values, (N, L, S, A)."""
        n, _, n_states = values.shape
        found = np.empty((n, len(self.environments), n_states, self.rewards.shape[2]))
        for place, env in enumerate(self.environments):
            found[:, place] = (env.continuation @ values[:, place].T).T.reshape(n, n_states, -1)
        return found

    @cached_property
    def _dense(self) -> Array:
        """Discounted transitions (L, S, A, S)."""
        shape = (*self.rewards.shape, self.rewards.shape[1])
        return np.stack([env.continuation.toarray() for env in self.environments]).reshape(shape)
