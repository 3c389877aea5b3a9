"""Random tabular MDPs that a learner may meet, N of them side by side (Duan et al. 2016, section 3.2).

Ten states, five actions.  The reward of an action in a state has a normal distribution with standard deviation 1 and a
mean that is drawn, once for each task, from a normal distribution with mean 1 and standard deviation 1; where an action
leads is drawn from a flat Dirichlet distribution.  An inner episode has ten steps and starts in the first state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

STATES = 10
ACTIONS = 5
EPISODE = 10


@dataclass(frozen=True, eq=False)
class RandomMDPs:
    """Tabular MDPs with noisy rewards.

    Attributes
    ----------
    means : array (N, S, A)
        Mean rewards.
    transitions : array (N, S, A, S)
        Sums to 1 over the last axis.
    episode : int
        Steps of an inner episode.
    """

    means: Array
    transitions: Array
    episode: int = EPISODE

    def __post_init__(self) -> None:
        if self.means.ndim != 3 or self.transitions.shape != (*self.means.shape, self.means.shape[1]):
            raise ValueError(
                f"transitions: has shape {self.transitions.shape}, should be (N, S, A, S) for means (N, S, A), "
                f"which has shape {self.means.shape}"
            )
        if not np.allclose(self.transitions.sum(axis=3), 1):
            raise ValueError("transitions: should sum to 1 over the last axis")

    @property
    def count(self) -> int:
        """N."""
        return len(self.means)

    @property
    def n_actions(self) -> int:
        """A."""
        return int(self.means.shape[2])

    @property
    def n_observations(self) -> int:
        """S: the state is observed."""
        return int(self.means.shape[1])

    def begin(self, rng: np.random.Generator) -> Integers:
        """The first state, 0."""
        return np.zeros(self.count, dtype=np.int64)

    def step(self, observations: Integers, actions: Integers, rng: np.random.Generator) -> tuple[Array, Integers]:
        """Rewards and the next states."""
        each = np.arange(self.count)
        rewards = self.means[each, observations, actions] + rng.standard_normal(self.count)
        ends = np.cumsum(self.transitions[each, observations, actions], axis=1)
        target = rng.random(self.count) * ends[:, -1]
        return rewards, (ends <= target[:, None]).sum(axis=1).astype(np.int64)


def random_mdps(count: int, rng: np.random.Generator, *, states: int = STATES, actions: int = ACTIONS) -> RandomMDPs:
    """Tasks as in Duan et al., with ``states`` states and ``actions`` actions."""
    means = 1 + rng.standard_normal((count, states, actions))
    return RandomMDPs(means, rng.dirichlet(np.ones(states), size=(count, states, actions)))
