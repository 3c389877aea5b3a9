"""Learners for tabular MDPs with inner episodes of a known length, as compared by Duan et al. (2016, section 3.2).

All hold a posterior over the MDP, n(s, a) being how often an action was tried: where it leads is
Dirichlet(1 + n(s, a, .)), and with rewards of standard deviation 1 and means from N(mu, 1), its mean reward is
N((mu + sum of rewards) / (1 + n), 1 / (1 + n)).  The paper's MDPs have mu = 1.  At the beginning of an inner episode of
T steps a policy is made from the posterior, by backward induction

    Q_t(s, a) = r(s, a) + sum_s' p(s' | s, a) max_b Q_{t+1}(s', b),      t = T-1, ..., 0,   Q_T = 0,

and followed to the end of the episode.  What r and p are tells the learners apart.

- :class:`PosteriorSampling` (PSRL; Strens 2000; Osband, Russo & Van Roy 2013): one draw from the posterior.  With
  several draws, the largest Q over them at each (s, a, t), as in the optimistic variant (OPSRL).
- :class:`MeanModel`: posterior means; with probability epsilon, any action.  With a bonus beta / (S + n), it is BEB
  (Kolter & Ng 2009), where S + n is the sum of the Dirichlet parameters.

UCRL2, the sixth of the paper's methods, is not here.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from irl_ident.agents.bandits import evenly
from irl_ident.agents.learners import Learner, Outcomes
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers


@dataclass(frozen=True, eq=False)
class Experience:
    """What happened in N trials, and the policy of the present inner episode.

    Attributes
    ----------
    counts : array (N, S, A, S)
        Transitions.
    rewards : array (N, S, A)
        Sums of rewards.
    policy : array (N, T, S, A)
        Probabilities of the actions at each step of the episode.
    step : int
        Of the episode, 0..T-1.
    rng : Generator
        What policies are drawn with.
    prior_mean : float
        mu.
    """

    counts: Array
    rewards: Array
    policy: Array
    step: int
    rng: np.random.Generator
    prior_mean: float

    @property
    def tried(self) -> Array:
        """How often each action was tried in each state, (N, S, A)."""
        return np.asarray(self.counts.sum(axis=3))

    @property
    def reward_means(self) -> Array:
        """Posterior means of the mean rewards, (N, S, A)."""
        return np.asarray((self.prior_mean + self.rewards) / (1 + self.tried))


def backward_induction(rewards: Array, transitions: Array, steps: int) -> Array:
    """Optimal values of the actions in N MDPs.

    Parameters
    ----------
    rewards : array (..., S, A)
    transitions : array (..., S, A, S)
    steps : int
        T.

    Returns
    -------
    array (T, ..., S, A)
        Entry t: with T - t steps left.
    """
    values = np.zeros(rewards.shape[:-1])
    found = []
    for _ in range(steps):
        found.append(rewards + np.einsum("...sat,...t->...sa", transitions, values))
        values = found[-1].max(axis=-1)
    return np.stack(found[::-1])


@dataclass(frozen=True)
class ModelBasedLearner(Learner):
    """What these learners share: the posterior, and a policy for each inner episode.

    Attributes
    ----------
    n_actions, n_states : int
        A and S.
    steps : int
        T, the length of an inner episode.
    prior_mean : float
        mu, what mean rewards are believed to be on average before any is seen.
    """

    n_actions: int = 5
    n_states: int = 10
    steps: int = 10
    prior_mean: float = 1.0

    @abstractmethod
    def plan(self, memory: Experience) -> Array:
        """Probabilities of the actions in the coming inner episode, (N, T, S, A)."""

    def begin(self, episodes: int, rng: np.random.Generator) -> Experience:
        """No experience."""
        shape = (episodes, self.n_states, self.n_actions)
        nothing = np.zeros((episodes, self.steps, *shape[1:]))
        counts = np.zeros((*shape, self.n_states))
        return self._planned(Experience(counts, np.zeros(shape), nothing, 0, rng, self.prior_mean))

    def probabilities(self, memory: Experience, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        if memory.step >= self.steps:
            raise ValueError(f"steps: was {self.steps}, should be the length of an inner episode")
        return np.asarray(memory.policy[np.arange(len(observations)), memory.step, observations])

    def updated(
        self, memory: Experience, observations: Integers, actions: Integers, outcomes: Outcomes, following: Integers
    ) -> Experience:
        """One more step of each trial; outcomes are rewards."""
        each = np.arange(len(actions))
        counts, rewards = memory.counts.copy(), memory.rewards.copy()
        counts[each, observations, actions, following] += 1
        rewards[each, observations, actions] += outcomes
        return replace(memory, counts=counts, rewards=rewards, step=memory.step + 1)

    def restarted(self, memory: Experience, observations: Integers) -> Experience:
        """A new policy."""
        return self._planned(memory)

    def _planned(self, memory: Experience) -> Experience:
        return replace(memory, policy=self.plan(memory), step=0)


@dataclass(frozen=True)
class PosteriorSampling(ModelBasedLearner):
    """PSRL; with several ``draws``, its optimistic variant."""

    draws: int = 1

    def __post_init__(self) -> None:
        if self.draws != int(self.draws) or self.draws < 1:
            raise ValueError(f"draws: was {self.draws!r}, should be a whole number of at least 1")

    def plan(self, memory: Experience) -> Array:
        """Optimal in what was drawn."""
        shape = (self.draws, *memory.rewards.shape)
        deviations = memory.rng.standard_normal(shape)
        rewards = memory.reward_means + deviations / np.sqrt(1 + memory.tried)
        gammas = memory.rng.standard_gamma(np.broadcast_to(1 + memory.counts, (*shape, self.n_states)))
        transitions = gammas / gammas.sum(axis=-1, keepdims=True)
        values = np.zeros(shape[1:3])
        found = []
        for _ in range(self.steps):
            each = rewards + np.einsum("knsat,nt->knsa", transitions, values)
            found.append(each.max(axis=0))
            values = found[-1].max(axis=-1)
        return _greedy(np.stack(found[::-1], axis=1))


@dataclass(frozen=True)
class MeanModel(ModelBasedLearner):
    """Optimal in the posterior mean, with a bonus for what was seldom tried; sometimes any action.

    Attributes
    ----------
    epsilon : float
        Probability of any action, evenly, in [0, 1].
    bonus : float
        beta of BEB, at least 0.
    """

    epsilon: float = 0.0
    bonus: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon: was {self.epsilon!r}, should be in [0, 1]")
        if not self.bonus >= 0:
            raise ValueError(f"bonus: was {self.bonus!r}, should be at least 0")

    def plan(self, memory: Experience) -> Array:
        """Optimal in the mean, but for chance."""
        total = self.n_states + memory.tried
        transitions = (1 + memory.counts) / total[..., None]
        found = backward_induction(memory.reward_means + self.bonus / total, transitions, self.steps)
        return (1 - self.epsilon) * _greedy(np.moveaxis(found, 0, 1)) + self.epsilon / self.n_actions


def _greedy(values: Array) -> Array:
    """Even among the best actions, (..., A)."""
    return evenly(values.reshape(-1, values.shape[-1])).reshape(values.shape)
