"""Environments: Markov decision processes without a reward.

An environment is ``(S, A, T, g, mu)``: states, actions, transitions ``T[s, a, s'] = P(s' | s, a)``, discount ``g`` and
initial distribution ``mu`` (Amin & Singh 2016, section 2, who call it an environment so that the objective can be kept
apart from it).  The transitions are held as one sparse matrix with a row for every state-action pair, so that for a
reward ``r`` of shape (S, A) and values ``V`` of shape (S,)

    Q = r + (continuation @ V).reshape(S, A),      continuation = g T with row ``s * A + a``.

Episodes end in *absorbing* states, those that every action keeps.  With ``g < 1`` an absorbing state goes on collecting
its reward for ever; with ``g = 1`` it collects it once and the episode is over (its rows of ``continuation`` are 0),
which needs a proof that every policy reaches an absorbing state: :class:`~irl_ident.Environment` looks for one and
refuses without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.names import Names, Numbered, checked_names
from irl_ident.transitions import (
    ROW_SUM_TOLERANCE,
    Array,
    Mask,
    Transitions,
    checked_distribution,
    checked_floats,
    checked_transitions,
    endless,
    read_only,
    visited,
)

if TYPE_CHECKING:
    import gymnasium

__all__ = ["ROW_SUM_TOLERANCE", "Array", "Environment", "Mask", "Transitions"]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Environment:
    """A Markov decision process without a reward.

    Parameters
    ----------
    transitions : array (S, A, S), sparse (S * A, S), or list of A arrays or sparse matrices (S, S)
        Probabilities of the next state; rows sum to 1 within 1e-8, and stand for the distributions that are
        proportional to them (see ``continuation``).  A three-dimensional array is indexed ``[s, a, s']``; a sparse
        matrix has row ``s * A + a``; a list or tuple holds one matrix ``[s, s']`` for each action.  Kept as
        ``scipy.sparse.csr_array`` of shape (S * A, S), never changed afterwards.
    discount : float
        In [0, 1).  1 is accepted when every policy is bound to reach an absorbing state.
    initial : array (S,), optional
        Probabilities of the first state; uniform when not given.
    states, actions : sequence of str, optional
        Names, unique; ``s0, s1, ...`` and ``a0, a1, ...`` when not given.
    positions : array (S, 2), optional
        Row (downwards) and column (to the right) at which pictures put each state, all different; whole numbers where
        states are cells of a grid.  They are for drawing alone: environments that differ in nothing else are equal and
        have the same digest.

    Raises
    ------
    ValueError
        Names the argument, the place and the value at fault.  Nothing is repaired.

    Examples
    --------
    >>> import numpy as np
    >>> stay_or_go = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    >>> env = Environment(stay_or_go, discount=0.9, states=["here", "there"], actions=["stay", "go"])
    >>> env
    Environment(2 states, 2 actions, discount 0.9)
    >>> env.absorbing
    array([False,  True])
    """

    transitions: sparse.csr_array
    discount: float
    initial: Array
    states: Names
    actions: Names
    positions: Array | None

    def __init__(
        self,
        transitions: Transitions,
        discount: float,
        initial: npt.ArrayLike | None = None,
        *,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
        positions: npt.ArrayLike | None = None,
    ) -> None:
        rows = checked_transitions(transitions)
        n_states = rows.shape[1]
        start = np.full(n_states, 1 / n_states) if initial is None else initial
        found = {
            "transitions": rows,
            "discount": _checked_discount(discount),
            "initial": checked_distribution("initial", start, n_states),
            "states": checked_names("states", states, "s", n_states),
            "actions": checked_names("actions", actions, "a", rows.shape[0] // n_states),
            "positions": None if positions is None else _checked_positions(positions, n_states),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)
        if self.discount == 1:
            self._check_termination()

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return len(self.states)

    @property
    def n_actions(self) -> int:
        """Number of actions, A."""
        return len(self.actions)

    @cached_property
    def absorbing(self) -> Mask:
        """States that every action keeps, (S,)."""
        rows = self.transitions
        origins = np.repeat(np.arange(rows.shape[0]) // self.n_actions, np.diff(rows.indptr))
        kept = np.ones(self.n_states, dtype=bool)
        kept[origins[rows.indices != origins]] = False
        kept.setflags(write=False)
        return kept

    @cached_property
    def reachable(self) -> Mask:
        """States that an episode can visit, whatever the agent does, (S,)."""
        found = visited(self.transitions, self.initial > 0)
        found.setflags(write=False)
        return found

    @cached_property
    def continuation(self) -> sparse.csr_array:
        """Discounted transitions, sparse (S * A, S); with discount 1 the rows of absorbing states are 0.

        Each row is divided by its sum, which may be anything within ``ROW_SUM_TOLERANCE`` of 1: at discount g an error
        of that size would move values by 1 / (1 - g) times as much.
        """
        factors = np.full(self.n_states, self.discount)
        if self.discount == 1:
            factors[self.absorbing] = 0
        rows = self.transitions
        shares = np.repeat(factors, self.n_actions) / rows.sum(axis=1)
        data = rows.data * np.repeat(shares, np.diff(rows.indptr))
        discounted = sparse.csr_array((data, rows.indices.copy(), rows.indptr.copy()), shape=rows.shape)
        discounted.eliminate_zeros()
        return read_only(discounted)

    @cached_property
    def shaping(self) -> sparse.csr_array:
        """The matrix B with ``(B V)[s * A + a] = V(s) - continuation[s * A + a] @ V``, sparse (S * A, S).

        Its range is the set of potential shapings of this environment (Ng, Harada & Russell 1999).
        """
        own = np.repeat(np.arange(self.n_states), self.n_actions)
        ones = sparse.csr_array((np.ones(own.size), own, np.arange(own.size + 1)), shape=self.transitions.shape)
        return read_only(sparse.csr_array(ones - self.continuation))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that makes this environment, names included, positions not: equal for equal environments."""
        rows = self.transitions
        sizes = np.array([self.n_states, self.n_actions, rows.nnz], "<i8")
        parts = [sizes, rows.indptr.astype("<i8"), rows.indices.astype("<i8"), rows.data.astype("<f8")]
        parts += [self.initial.astype("<f8"), np.array([self.discount], "<f8")]
        total = hashlib.sha256()
        for part in parts:
            total.update(part.tobytes())
        for names in (self.states, self.actions):
            total.update(json.dumps(None if isinstance(names, Numbered) else names).encode())
        return total.hexdigest()

    def dense(self) -> Array:
        """Transitions as an array (S, A, S)."""
        return self.transitions.toarray().reshape(self.n_states, self.n_actions, self.n_states)

    def backup(self, values: Array) -> Array:
        """Discounted expected next value of ``values`` (S,), as (S, A)."""
        return (self.continuation @ values).reshape(self.n_states, self.n_actions)

    def __repr__(self) -> str:
        return f"Environment({self.n_states} states, {self.n_actions} actions, discount {self.discount:g})"

    def __reduce__(self) -> tuple[Any, ...]:
        kept = (self.transitions, self.discount, self.initial, self.states, self.actions, self.positions)
        return _rebuild, kept

    @classmethod
    def from_gymnasium(cls, env: str | gymnasium.Env[Any, Any], discount: float) -> Environment:
        """Read the transition table of a Gymnasium environment.

        Parameters
        ----------
        env : str or gymnasium.Env
            An id such as ``"FrozenLake-v1"``, or an environment whose ``unwrapped.P`` is the table
            ``P[s][a] = [(probability, next state, reward, terminated), ...]``.
        discount : float
            As for :class:`irl_ident.Environment`.

        Returns
        -------
        Environment
            A state that episodes enter by terminating transitions becomes absorbing: whatever the table lists there is
            replaced by staying.  Where an episode can also start in it, or come to it without termination, it keeps its
            moves, and terminating transitions lead instead to an absorbing state ``"terminated"`` that is added last.
            What episodes can come to depends on where they start: ``initial_state_distrib``, or where the environment
            has none, evenly in the states that no terminating transition enters.  Time limits and rewards are left out;
            :func:`irl_ident.rewards.base_objective` reads the rewards.
        """
        from irl_ident.gymnasium_tables import environment_from_table

        return environment_from_table(env, discount)

    def to_gymnasium(self, reward: Array, *, max_episode_steps: int | None = None) -> gymnasium.Env[np.int64, np.int64]:
        """Make a Gymnasium environment that pays ``reward``.

        Parameters
        ----------
        reward : array (S, A)
            Paid for taking action ``a`` in state ``s``.
        max_episode_steps : int, optional
            After so many steps an episode is truncated; never when not given.

        Returns
        -------
        gymnasium.Env
            ``Discrete(S)`` observations and ``Discrete(A)`` actions.  An episode terminates on entering an absorbing
            state (one that starts in such a state, with its first step), so what an absorbing state would pay is never
            collected there: a reward that is not 0 in absorbing states raises ``ValueError``.
        """
        from irl_ident.gymnasium_tables import TabularEnv

        return TabularEnv(self, reward, max_episode_steps=max_episode_steps)

    def _check_termination(self) -> None:
        """Refuse unless every policy reaches an absorbing state with probability 1."""
        kept = endless(self.transitions, self.absorbing)
        if kept.any():
            state = int(np.argmax(kept.any(axis=1)))
            action = int(np.argmax(kept[state]))
            raise ValueError(
                f"discount: 1 needs every policy to end in an absorbing state, but from state {self.states[state]!r} "
                f"action {self.actions[action]!r} can be followed by actions that never do; use a discount below 1"
            )


def _rebuild(
    transitions: sparse.csr_array,
    discount: float,
    initial: Array,
    states: Names,
    actions: Names,
    positions: Array | None,
) -> Environment:
    return Environment(transitions, discount, initial, states=states, actions=actions, positions=positions)


def _checked_positions(positions: npt.ArrayLike, n_states: int) -> Array:
    given = checked_floats("positions", positions).copy()
    if given.shape != (n_states, 2):
        raise ValueError(
            f"positions: should have shape ({n_states}, 2), a row and a column for each state, was {given.shape}"
        )
    if not np.isfinite(given).all():
        state = int(np.argmin(np.isfinite(given).all(axis=1)))
        raise ValueError(f"positions[{state}] is {given[state].tolist()}: should be finite")
    _, first, places = np.unique(given, axis=0, return_index=True, return_inverse=True)
    doubled = first[places.ravel()] != np.arange(n_states)
    if doubled.any():
        state = int(np.argmax(doubled))
        raise ValueError(
            f"positions[{state}] is {given[state].tolist()}, as that of state {int(first[places.ravel()[state]])}: "
            "should be another, such as a copy of the map beside the first"
        )
    given.setflags(write=False)
    return given


def _checked_discount(discount: float) -> float:
    try:
        value = float(discount) + 0.0
    except (TypeError, ValueError):
        value = np.nan
    if not 0 <= value <= 1:
        raise ValueError(f"discount: was {discount!r}, should be in [0, 1), or 1 where every policy terminates")
    return value
