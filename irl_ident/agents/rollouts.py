"""Episodes of a policy: all of them step together, and each draw looks only at the stored entries of a row.

A choice from row ``i`` of a sparse matrix of probabilities takes the running sum of all stored entries, adds ``u``
times the row's own sum to the running sum before the row, and finds by bisection the entry in which that falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.evidence.observations import PADDING, Integers, Policy, Trajectories

Seed = int | np.random.SeedSequence
"""What random numbers are drawn from: the same seed, the same numbers."""


def rollout(env: Environment, policy: Array, *, episodes: int, horizon: int, seed: Seed) -> Trajectories:
    """Follow a policy.

    Parameters
    ----------
    env : Environment
        Where; first states are drawn from ``env.initial``.
    policy : array (S, A)
        Probabilities of the actions; all rows sum to 1.
    episodes : int
        How many, at least 1.
    horizon : int
        Number of steps after which an episode is cut off, at least 1.
    seed : int or SeedSequence

    Returns
    -------
    Trajectories
        An episode ends on entering an absorbing state; one that starts there has no steps.

    Raises
    ------
    ValueError
        For a policy that is not one for ``env``, or numbers below 1.
    """
    for name, value in (("episodes", episodes), ("horizon", horizon)):
        if value != int(value) or value < 1:
            raise ValueError(f"{name}: was {value!r}, should be a whole number of at least 1")
    checked = Policy(policy)
    checked.check(env)
    if not checked.observed.all():
        state = int(np.argmin(checked.observed))
        raise ValueError(f"policy[{state}] is 0 throughout: should say what to do in every state")
    random = np.random.default_rng(seed)
    first = Rows.of(sparse.csr_array(env.initial[None, :]))
    choices = Rows.of(sparse.csr_array(checked.probabilities))
    moves = Rows.of(env.transitions)
    states = np.full((episodes, horizon + 1), PADDING, dtype=np.int64)
    actions = np.full((episodes, horizon), PADDING, dtype=np.int64)
    states[:, 0] = first.draw(np.zeros(episodes, dtype=np.int64), random)
    lengths = np.zeros(episodes, dtype=np.int64)
    running = np.flatnonzero(~env.absorbing[states[:, 0]])
    for step in range(horizon):
        if running.size == 0:
            break
        here = states[running, step]
        chosen = choices.draw(here, random)
        there = moves.draw(here * env.n_actions + chosen, random)
        actions[running, step] = chosen
        states[running, step + 1] = there
        lengths[running] = step + 1
        running = running[~env.absorbing[there]]
    return Trajectories(states, actions, lengths)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of probabilities, ready to draw from."""

    indptr: Integers
    indices: Integers
    ends: Array
    """Running sum of all stored entries."""

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> Rows:
        """Prepare a matrix whose rows all hold a positive entry; stored zeros are never drawn."""
        kept = sparse.csr_array(matrix, copy=True)
        kept.eliminate_zeros()
        return cls(kept.indptr.astype(np.int64), kept.indices.astype(np.int64), np.cumsum(kept.data))

    def draw(self, rows: Integers, random: np.random.Generator) -> Integers:
        """Draw one column for each of ``rows`` (n,), in proportion to the entries of that row."""
        first, last = self.indptr[rows], self.indptr[rows + 1] - 1
        before = np.where(first > 0, self.ends[first - 1], 0.0)
        target = before + random.random(rows.size) * (self.ends[last] - before)
        entry = np.clip(np.searchsorted(self.ends, target, side="right"), first, last)
        return self.indices[entry]
