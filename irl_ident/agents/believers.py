"""Learners whose memory is a state of a belief MDP: what they know is a sufficient statistic of what they have seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from irl_ident.agents.learners import Learner, Outcomes
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers


@dataclass(frozen=True, eq=False)
class Believer(Learner):
    """A learner with a policy on beliefs.

    Any agent of the library becomes one by its policy in the belief MDP: there its plan weighs what a choice pays
    against what it will tell.

    Parameters
    ----------
    policy : array (S, A)
        Probabilities of actions in each belief.
    following : int array (S, A, K)
        The belief after each action and outcome 0..K-1.
    first : int array (n_observations,)
        The belief before the first choice, by what is observed then; later observations are not looked at.
    """

    policy: Array
    following: Integers
    first: Integers
    n_actions: int = field(init=False)

    def __post_init__(self) -> None:
        policy, following = np.asarray(self.policy, dtype=float), np.asarray(self.following)
        if policy.ndim != 2 or following.shape[:2] != policy.shape or following.ndim != 3:
            raise ValueError(
                f"policy, following: should have shapes (S, A) and (S, A, K), were {policy.shape} and {following.shape}"
            )
        if (policy < 0).any() or (np.abs(policy.sum(axis=1) - 1) > 1e-9).any():
            raise ValueError("policy: rows should be probabilities that sum to 1")
        states = np.concatenate([following.ravel(), np.ravel(self.first)])
        if states.min() < 0 or states.max() >= len(policy):
            raise ValueError(f"following, first: should be beliefs from 0 to {len(policy) - 1}, one is not")
        object.__setattr__(self, "n_actions", policy.shape[1])

    def begin(self, episodes: int, rng: np.random.Generator) -> Integers:  # noqa: D102
        return np.full(episodes, -1)

    def probabilities(self, memory: Integers, observations: Integers) -> Array:  # noqa: D102
        return np.asarray(self.policy[self._belief(memory, observations)], dtype=float)

    def updated(  # noqa: D102
        self, memory: Integers, observations: Integers, actions: Integers, outcomes: Outcomes, following: Integers
    ) -> Integers:
        tokens: npt.NDArray[np.int64] = np.asarray(outcomes).astype(np.int64)
        return np.asarray(self.following[self._belief(memory, observations), actions, tokens], dtype=np.int64)

    def _belief(self, memory: Integers, observations: Integers) -> Integers:
        return np.where(memory < 0, np.asarray(self.first)[observations], memory)
