"""Regret in a named environment D, where a policy will be used: what a candidate's answer is expected to save there.

With ``J*`` and returns as in :mod:`irl_ident.design.strategies.regret`, all in D, let a candidate part the pool into
classes c of like answers with shares ``p_c``, and let the policy for D be chosen after the answer, as the one that is
optimal for the mean of its class.

**On average.**  That policy has the least Bayesian regret, and the candidate saves the value of its information
(Howard 1966),

    sum_c p_c J*_(mean of class c) - J*_(mean of the pool) >= 0.

**In the worst case.**  The policy's regret is largest for one member w of the class; the candidate saves

    max_(w in the pool) regret - sum_c p_c max_(w in c) regret,

less than 0 where answers make the policy bolder than it should be.  (The policy of least worst-case regret would be a
linear program for every answer.)  Pools are samples: :func:`irl_ident.design.regret_bound` is about the whole set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import planning
from irl_ident.design.behaviour import BATCH, RESOLUTION
from irl_ident.design.strategies.base import Answers, AnswerStrategy
from irl_ident.design.strategies.regret import best_returns, remembered_returns
from irl_ident.environment import Array, Environment
from irl_ident.identified.advantages import normaliser
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet

Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False, init=False)
class DeploymentStrategy(AnswerStrategy):
    """A strategy with a named environment in mind.

    Parameters
    ----------
    env : Environment
        Where a policy will be used, on the states and actions of the family.
    samples, seed, hypotheses, resolution
        As for :class:`irl_ident.design.strategies.base.PoolStrategy`.
    """

    env: Environment = field(kw_only=True)

    def __init__(
        self,
        env: Environment,
        samples: int = 1000,
        seed: int = 0,
        *,
        hypotheses: npt.ArrayLike | None = None,
        resolution: float = RESOLUTION,
    ) -> None:
        if not isinstance(env, Environment):
            raise ValueError(f"env: should be an Environment, was {type(env).__name__}")
        given = {"env": env, "samples": samples, "seed": seed, "hypotheses": hypotheses, "resolution": resolution}
        for name, value in given.items():
            object.__setattr__(self, name, value)
        self.__post_init__()


class DeploymentRegret(DeploymentStrategy):
    """The candidate whose answer saves most regret in a named environment, on average over the pool; at least 0.

    Parameters as for :class:`.DeploymentStrategy`.
    """

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        kept = answers.weights > 0
        thetas, weights = answers.thetas[kept], answers.weights[kept]
        knowing = weights * remembered_returns(self.env, ident.family, answers.thetas)[kept]
        classes = [_classes(labels) for labels in answers.labels[:, kept]]
        sums = np.concatenate([_summed(numbers, weights, thetas)[counts > 1] for numbers, counts in classes])
        joint = best_returns(self.env, ident.family, np.vstack([sums, weights @ thetas]))
        places = np.repeat(np.arange(len(classes)), [int((counts > 1).sum()) for _, counts in classes])
        alone = np.array([knowing[counts[numbers] == 1].sum() for numbers, counts in classes])
        saved: Array = np.maximum(alone + np.bincount(places, joint[:-1], len(classes)) - joint[-1], 0.0)
        return saved


class WorstDeploymentRegret(DeploymentStrategy):
    """The candidate whose answer is expected to save most of the worst-case regret in a named environment.

    Parameters as for :class:`.DeploymentStrategy`.
    """

    def _score(self, ident: IdentifiedSet, candidates: Sequence[Environment], answers: Answers) -> Array:
        kept = answers.weights > 0
        thetas, weights = answers.thetas[kept], answers.weights[kept]
        best = remembered_returns(self.env, ident.family, answers.thetas)[kept]
        together = np.zeros(len(thetas), dtype=np.intp), np.array([len(thetas)])
        classes = [_classes(labels) for labels in answers.labels[:, kept]] + [together]
        sums = np.concatenate([_summed(numbers, weights, thetas) for numbers, _ in classes])
        policy, returns = _planned(self.env, ident.family, sums, thetas)
        worst, first = np.zeros(len(classes)), 0
        for place, (numbers, counts) in enumerate(classes):
            regrets = best - returns[policy[first + numbers], np.arange(len(thetas))]
            largest = np.zeros(len(counts))
            np.maximum.at(largest, numbers, np.where(counts[numbers] > 1, regrets, 0.0))
            worst[place] = np.bincount(numbers, weights) @ largest
            first += len(counts)
        return np.asarray(worst[-1] - worst[:-1])


def _classes(labels: npt.NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """The class of each member, numbered without gaps, and how many members each class has."""
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return numbers.reshape(-1), counts


def _summed(numbers: Numbers, weights: Array, thetas: Array) -> Array:
    """Weighted sums of the members of each class, (K, d): they have the optimal policies of its mean."""
    pointer = np.arange(len(numbers) + 1)
    members = sparse.csr_array((weights, numbers, pointer), shape=(len(numbers), int(numbers.max()) + 1))
    return np.asarray(members.T @ thetas)


def _planned(env: Environment, family: RewardFamily, optimised: Array, thetas: Array) -> tuple[Numbers, Array]:
    """The number (K,) of the policy that is optimal for each of ``optimised`` (K, d), and what each different policy
    returns under ``thetas`` (N, d), (U, N).
    """
    features = family.matrix(env)
    size = max(1, BATCH // features.shape[0])
    chosen = []
    for first in range(0, len(optimised), size):
        rewards = family.rewards(env, optimised[first : first + size])
        chosen.append(planning.optimal_batch(env, rewards).argmax(axis=2))
    policies, numbers = np.unique(np.concatenate(chosen), axis=0, return_inverse=True)
    visits = np.array([planning.occupancy(env, np.eye(env.n_actions)[policy]).ravel() for policy in policies])
    return numbers.reshape(-1), np.asarray(normaliser(env) * (visits @ (features @ thetas.T)))
