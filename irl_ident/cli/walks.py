"""What a policy does, step by step."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from irl_ident.certificates import restricted
from irl_ident.environment import Array, Environment, Mask

MOST_STEPS = 24
"""Longer paths are printed without their middle."""


@dataclass(frozen=True)
class Walk:
    """States one after the other, and the actions between them.

    Attributes
    ----------
    states : tuple of int
    actions : tuple of int
        One less.
    repeats : bool
        Whether the last state was there before, so that the path goes round for ever.
    sure : bool
        Whether chance has no part in it, the start apart.
    """

    states: tuple[int, ...]
    actions: tuple[int, ...]
    repeats: bool
    sure: bool

    def words(self, env: Environment) -> str:
        """The path on one line."""
        stays = self.repeats and self.states[-1] == self.states[-2]
        states, actions = (self.states[:-1], self.actions[:-1]) if stays else (self.states, self.actions)
        steps = [f" -{env.actions[a]}-> {env.states[s]}" for a, s in zip(actions, states[1:], strict=True)]
        if len(steps) > MOST_STEPS:
            steps[MOST_STEPS // 2 : -MOST_STEPS // 2] = [" ..."]
        by = f" by {env.actions[self.actions[-1]]}" if stays and not env.absorbing[self.states[-1]] else ""
        end = f", and stays{by}" if stays else ", and round again" if self.repeats else ""
        return f"{env.states[states[0]]}{''.join(steps)}{end}"

    def fields(self, env: Environment) -> dict[str, Any]:
        """The path as JSON."""
        return {
            "states": [env.states[s] for s in self.states],
            "actions": [env.actions[a] for a in self.actions],
            "repeats": self.repeats,
            "sure": self.sure,
        }


def walk_to(env: Environment, policy: npt.NDArray[np.int64], targets: Mask) -> Walk | None:
    """The most likely path to the targets, the shortest of these; None where the policy never comes there."""
    moves = _chain(env, policy).tocoo()
    starts = np.flatnonzero(env.initial)
    origins = np.concatenate([moves.row, np.full(starts.size, env.n_states)])
    ends, chances = np.concatenate([moves.col, starts]), np.concatenate([moves.data, env.initial[starts]])
    shape = (env.n_states + 1, env.n_states + 1)
    graph = csr_array((1e-9 - np.log(np.minimum(chances, 1)), (origins, ends)), shape=shape)
    found: Any = dijkstra(graph, indices=np.array(env.n_states), return_predecessors=True)
    lengths, before = found
    end = int(np.where(targets, lengths[:-1], np.inf).argmin())
    if not targets[end] or not np.isfinite(lengths[end]):
        return None
    states = [end]
    while before[states[-1]] != env.n_states:
        states.append(int(before[states[-1]]))
    return _walk(env, policy, states[::-1], repeats=False)


def walk_on(
    env: Environment, policy: npt.NDArray[np.int64], start: int | None = None, away: Mask | None = None
) -> Walk:
    """The most likely step, again and again, until a state is there twice.

    Parameters
    ----------
    env : Environment
    policy : int (S,)
    start : int, optional
        The most likely one when not given.
    away : bool (S,), optional
        States that the path is to miss, where the policy may miss them.
    """
    misses = np.ones(env.n_states) if away is None else 1 - visiting(env, policy, away)
    if not (env.initial * misses).any():
        misses = np.ones(env.n_states)
    chain = _chain(env, policy)
    states = [int((env.initial * misses).argmax()) if start is None else start]
    while states[-1] not in states[:-1]:
        ahead = chain[[states[-1]]].toarray()[0]
        states.append(int((ahead * misses if (ahead * misses).any() else ahead).argmax()))
    return _walk(env, policy, states, repeats=True)


def visiting(env: Environment, policy: npt.NDArray[np.int64], targets: Mask) -> Array:
    """The chance (S,) of ever visiting the targets (S,), from each state."""
    taken = np.zeros((env.n_states, env.n_actions), dtype=bool)
    taken[np.arange(env.n_states), policy] = True
    between = restricted.leading_to(env, taken, targets) & ~targets
    chances = targets.astype(float)
    if between.any():
        inner = _chain(env, policy)[between]
        stays = eye_array(int(between.sum()), format="csc") - csc_array(inner[:, between])
        chances[between] = splu(stays).solve(inner @ chances)
    return np.asarray(np.clip(chances, 0, 1))


def _chain(env: Environment, policy: npt.NDArray[np.int64]) -> csr_array:
    return csr_array(env.transitions[np.arange(env.n_states) * env.n_actions + policy])


def _walk(env: Environment, policy: npt.NDArray[np.int64], states: Sequence[int], *, repeats: bool) -> Walk:
    chain = _chain(env, policy)
    sure = all(chain[s, t] == 1 for s, t in itertools.pairwise(states))
    return Walk(tuple(states), tuple(int(policy[s]) for s in states[:-1]), repeats, sure)
