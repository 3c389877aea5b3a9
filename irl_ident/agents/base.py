"""What every agent can do: say its policy in an environment, and be watched there."""

from __future__ import annotations

from abc import ABC, abstractmethod

from irl_ident.agents.rollouts import Seed, rollout
from irl_ident.environment import Array, Environment
from irl_ident.evidence.observations import Trajectories


class Agent(ABC):
    """A map from environments to policies."""

    @abstractmethod
    def policy(self, env: Environment) -> Array:
        """Probabilities of the actions in each state of ``env``, (S, A)."""

    def demonstrate(self, env: Environment, *, episodes: int, horizon: int, seed: Seed) -> Trajectories:
        """Watch the agent act.

        Parameters
        ----------
        env : Environment
            Where; first states are drawn from ``env.initial``.
        episodes : int
            How many, at least 1.
        horizon : int
            Number of steps after which an episode is cut off, at least 1.
        seed : int or SeedSequence
            The same seed, the same trajectories.

        Returns
        -------
        Trajectories
            An episode ends on entering an absorbing state; one that starts there has no steps.
        """
        return rollout(env, self.policy(env), episodes=episodes, horizon=horizon, seed=seed)
