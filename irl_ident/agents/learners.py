"""Agents that learn within an episode, and playing with them.

A learner is trained, or built, for a *distribution* of tasks (Duan et al. 2016, arXiv 1611.02779; Wang et al. 2016,
arXiv 1611.05763).  It meets one of them for a *trial* of H steps and does not know which: what it does at a step
depends on the whole history of its trial, kept in its memory.  A trial may consist of several inner episodes: at the
end of one the task goes back to a first state, the learner is told so, and its memory stays.

Everything is for N trials side by side, each with a task of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from irl_ident.agents.rollouts import Seed
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

Outcomes = npt.NDArray[Any]
"""Rewards (float), or whole numbers that name a token."""

Memory = Any
"""What a learner keeps of N trials; of no concern to anybody else, and never changed in place."""


class Tasks(Protocol):
    """N tasks side by side, drawn from some distribution."""

    @property
    def count(self) -> int:
        """N."""
        ...

    @property
    def n_actions(self) -> int:
        """Number of actions, in all tasks."""
        ...

    @property
    def n_observations(self) -> int:
        """What is observed is one of 0..n_observations-1: the state, a cue, or always 0 in a plain bandit."""
        ...

    @property
    def episode(self) -> int | None:
        """Number of steps of an inner episode; None when the trial is a single one."""
        ...

    def begin(self, rng: np.random.Generator) -> Integers:
        """First observations of an inner episode, (N,)."""
        ...

    def step(self, observations: Integers, actions: Integers, rng: np.random.Generator) -> tuple[Outcomes, Integers]:
        """Outcomes (N,), rewards or whole numbers of tokens, and the next observations (N,)."""
        ...


class Learner(ABC):
    """An agent whose choices depend on the history of its trial.

    Attributes
    ----------
    n_actions : int
        A, the number of actions.
    """

    n_actions: int

    @abstractmethod
    def begin(self, episodes: int, rng: np.random.Generator) -> Memory:
        """Memory of ``episodes`` trials in which nothing has happened yet.

        Whatever is random in the learner apart from its choices comes from ``rng``.
        """

    @abstractmethod
    def probabilities(self, memory: Memory, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A), from the memory and the present observations (N,)."""

    @abstractmethod
    def updated(
        self, memory: Memory, observations: Integers, actions: Integers, outcomes: Outcomes, following: Integers
    ) -> Memory:
        """The memory after a step.

        Parameters
        ----------
        memory
            As it was when the actions were chosen; it is left as it is.
        observations, actions : int arrays (N,)
            What was seen, and done.
        outcomes : array (N,)
            Rewards, or whole numbers that name a token: each learner is made for one of the two.
        following : int array (N,)
            What is seen next; at the end of an inner episode, the state that it ended in.
        """

    def restarted(self, memory: Memory, observations: Integers) -> Memory:
        """The memory after an inner episode ended and another began with ``observations`` (N,).

        As it was, unless a learner has something to do then.
        """
        return memory


@dataclass(frozen=True, eq=False)
class Histories:
    """What happened in N trials of H steps.

    Attributes
    ----------
    observations : int array (N, H + 1)
        What was seen at each step, and after the last.
    actions : int array (N, H)
    outcomes : array (N, H)
        Rewards, or whole numbers of tokens.
    following : int array (N, H)
        What a step led to: the next observation, except at the end of an inner episode, where the next observation is
        the first of another.
    """

    observations: Integers
    actions: Integers
    outcomes: Outcomes
    following: Integers

    @property
    def totals(self) -> Array:
        """Sum of the outcomes of each trial, (N,)."""
        return np.asarray(self.outcomes.sum(axis=1), dtype=float)


def play(learner: Learner, tasks: Tasks, horizon: int, seed: Seed) -> Histories:
    """Let a learner play each of N tasks for one trial.

    Parameters
    ----------
    learner : Learner
    tasks : Tasks
    horizon : int
        H, the number of steps of a trial, at least 1; several inner episodes if the tasks have them.
    seed : int or SeedSequence
        Of the learner, its choices and the tasks' outcomes: the same seed, the same histories.

    Returns
    -------
    Histories

    Raises
    ------
    ValueError
        For a horizon below 1, or a learner with another number of actions than the tasks.
    """
    if horizon != int(horizon) or horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, should be a whole number of at least 1")
    if learner.n_actions != tasks.n_actions:
        raise ValueError(f"learner: has {learner.n_actions} actions, should have the tasks' {tasks.n_actions}")
    for_learner, for_choices, for_tasks = (np.random.default_rng(s) for s in _spawned(seed))
    memory = learner.begin(tasks.count, for_learner)
    now = tasks.begin(for_tasks)
    seen: list[Integers] = [now]
    steps: list[tuple[Integers, Outcomes, Integers]] = []
    for step in range(1, horizon + 1):
        actions = draw_rows(learner.probabilities(memory, now), for_choices)
        outcomes, following = tasks.step(now, actions, for_tasks)
        memory = learner.updated(memory, now, actions, outcomes, following)
        now = following
        if tasks.episode is not None and step % tasks.episode == 0:
            now = tasks.begin(for_tasks)
            memory = learner.restarted(memory, now)
        seen.append(now)
        steps.append((actions, outcomes, following))
    return Histories(np.stack(seen, axis=1), *(np.stack(part, axis=1) for part in zip(*steps, strict=True)))


def draw_rows(probabilities: Array, rng: np.random.Generator) -> Integers:
    """One column of each row of ``probabilities`` (N, A), drawn in proportion to the row's entries; never one of 0.

    >>> draw_rows(np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.1]]), np.random.default_rng(0))
    array([1, 2])
    """
    ends = np.cumsum(probabilities, axis=1)
    target = rng.random(len(ends)) * ends[:, -1]
    return np.asarray((ends <= target[:, None]).sum(axis=1), dtype=np.int64)


def _spawned(seed: Seed) -> list[np.random.SeedSequence]:
    """Three independent seeds; a SeedSequence that is handed in is not changed."""
    given = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    key = given.spawn_key
    return [np.random.SeedSequence(given.entropy, spawn_key=(*key, part)) for part in range(3)]
