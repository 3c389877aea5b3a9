"""Trained agents: policies that came of training in a Gymnasium environment, whatever objective that gave them.

A trained agent carries its table of action probabilities into any environment with the same states and actions: it does
not plan again.  (Agents that do are in :mod:`irl_ident.agents.known`.)  It is evidence like any other, through its
policy or through its rollouts; what it does in states that it never saw in training came of chance, and in absorbing
states it never acts, so :meth:`TrainedAgent.observation` leaves both out and claims only that the actions taken are
meant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident.agents.base import Agent
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence.observations import Integers, Policy

if TYPE_CHECKING:
    import gymnasium


@dataclass(frozen=True, eq=False)
class Training:
    """What happened in training.

    Parameters
    ----------
    algorithm : str
    seed : int
    returns : array (E,)
        Undiscounted reward of each finished episode, in order: the training curve.
    lengths : array (E,)
        Number of steps of each finished episode.
    visits : array (S,)
        How often an action was chosen in each state.
    """

    algorithm: str
    seed: int
    returns: Array
    lengths: Integers
    visits: Integers

    def __post_init__(self) -> None:
        for array in (self.returns, self.lengths, self.visits):
            array.setflags(write=False)

    def __repr__(self) -> str:
        steps, episodes = int(self.visits.sum()), self.returns.size
        return f"Training({self.algorithm}, seed {self.seed}, {steps} steps, {episodes} episodes)"


@dataclass(frozen=True, eq=False)
class TrainedAgent(Agent):
    """A table of action probabilities that came of training.

    Parameters
    ----------
    environment : Environment
        Where it was trained.
    probabilities : array (S, A)
        Every row sums to 1; uniform in absorbing states.
    training : Training
    q : array (S, A), optional
        The learned action values, where the algorithm has some.
    """

    environment: Environment
    probabilities: Array
    training: Training
    q: Array | None = None

    def __post_init__(self) -> None:
        checked = Policy(self.probabilities)
        checked.check(self.environment)
        object.__setattr__(self, "probabilities", checked.probabilities)
        if self.q is not None:
            self.q.setflags(write=False)

    @property
    def trained_in(self) -> Mask:
        """States in which it chose an action in training, (S,)."""
        mask: Mask = self.training.visits > 0
        return mask

    def policy(self, env: Environment) -> Array:
        """Its table, in any environment with as many states and actions as it was trained with.

        Raises
        ------
        ValueError
            In any other environment.
        """
        self._check(env)
        return self.probabilities

    def observation(self, env: Environment) -> Policy:
        """What its policy is evidence of: the states that it was trained in, where ``env`` lets it act.

        Returns
        -------
        Policy
            With ``shows="some"``: an action that it does not take need not be worse.
        """
        self._check(env)
        seen = self.trained_in & ~env.absorbing
        return Policy(np.where(seen[:, None], self.probabilities, 0.0), shows="some")

    def greedy(self) -> TrainedAgent:
        """The same agent, always choosing its most probable action (evenly among equals)."""
        likeliest = self.probabilities == self.probabilities.max(axis=1, keepdims=True)
        return replace(self, probabilities=likeliest / likeliest.sum(axis=1, keepdims=True))

    def _check(self, env: Environment) -> None:
        own = self.environment
        if (env.n_states, env.n_actions) != (own.n_states, own.n_actions):
            raise ValueError(
                f"env: has {env.n_states} states and {env.n_actions} actions; this agent was trained with "
                f"{own.n_states} and {own.n_actions} and carries a table, it cannot act here"
            )

    def __repr__(self) -> str:
        return f"TrainedAgent({self.environment!r}, {self.training!r})"


def training_world(env: Environment, world: str | gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Make the Gymnasium environment to train in, and check that it has the states and actions of ``env``.

    Raises
    ------
    ValueError
        When its spaces are not ``Discrete(S)`` and ``Discrete(A)``, from 0.  One state fewer is fine where ``env`` has
        the state ``"terminated"`` last, which :meth:`Environment.from_gymnasium` adds and no episode ever shows.
    """
    import gymnasium

    made: gymnasium.Env[Any, Any] = gymnasium.make(world) if isinstance(world, str) else world
    shown = env.n_states - (env.states[-1] == "terminated")
    for name, space, allowed in (
        ("observation", made.observation_space, {shown, env.n_states}),
        ("action", made.action_space, {env.n_actions}),
    ):
        if not isinstance(space, gymnasium.spaces.Discrete) or space.start != 0 or int(space.n) not in allowed:
            raise ValueError(f"world: its {name} space is {space}, should be Discrete({max(allowed)}) as in env")
    return made


def full_table(env: Environment, table: Array, fill: float) -> Array:
    """``table`` (n, A) with rows of ``fill`` for states of ``env`` that no episode shows, (S, A)."""
    return np.concatenate([table, np.full((env.n_states - len(table), env.n_actions), fill)])
