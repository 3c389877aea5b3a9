"""Environments: Markov decision processes without a reward.

An environment is ``(S, A, T, g, mu)``: states, actions, transitions ``T[s, a, s'] = P(s' | s, a)``, discount ``g`` and
initial distribution ``mu`` (Amin & Singh 2016, section 2, who call it an environment so that the objective can be kept
apart from it).  The transitions are held as one sparse matrix with a row for every state-action pair, so that for a
reward ``r`` of shape (S, A) and values ``V`` of shape (S,)

    Q = r + (continuation @ V).reshape(S, A),      continuation = g T with row ``s * A + a``.

Episodes end in *absorbing* states, those that every action keeps.  With ``g < 1`` an absorbing state goes on collecting
its reward for ever; with ``g = 1`` it collects it once and the episode is over (its rows of ``continuation`` are 0),
which needs a proof that every policy reaches an absorbing state: :class:`Environment` looks for one and refuses without
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
from scipy import sparse

if TYPE_CHECKING:
    import gymnasium

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ROW_SUM_TOLERANCE = 1e-8
"""How far a row of transition probabilities may sum from 1."""


Transitions = Array | sparse.sparray | sparse.spmatrix | Sequence[Any]
"""Accepted forms: an array (S, A, S), a sparse matrix (S * A, S), or A matrices (S, S)."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Environment:
    """A Markov decision process without a reward.

    Parameters
    ----------
    transitions : array (S, A, S), sparse (S * A, S), or sequence of A arrays or sparse matrices (S, S)
        Probabilities of the next state.  A three-dimensional array is indexed ``[s, a, s']``; a sparse matrix has row
        ``s * A + a``; a sequence holds one matrix ``[s, s']`` for each action.  Kept as ``scipy.sparse.csr_array`` of
        shape (S * A, S), never changed afterwards.
    discount : float
        In [0, 1).  1 is accepted when every policy is bound to reach an absorbing state.
    initial : array (S,), optional
        Probabilities of the first state; uniform when not given.
    states, actions : sequence of str, optional
        Names, unique; ``s0, s1, ...`` and ``a0, a1, ...`` when not given.

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
    states: Sequence[str]
    actions: Sequence[str]

    def __init__(
        self,
        transitions: Transitions,
        discount: float,
        initial: npt.ArrayLike | None = None,
        *,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
    ) -> None:
        rows = _rows(transitions)
        n_states = rows.shape[1]
        n_actions = rows.shape[0] // n_states
        _check_rows(rows, n_actions)
        found = {
            "transitions": rows,
            "discount": _checked_discount(discount),
            "initial": _checked_initial(initial, n_states),
            "states": _names("states", states, "s", n_states),
            "actions": _names("actions", actions, "a", n_actions),
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
        own = np.repeat(np.arange(self.n_states), self.n_actions)
        entries = self.transitions.tocoo()
        leaves = np.bincount(entries.row[entries.col != own[entries.row]], minlength=own.size) > 0
        return np.asarray(~leaves.reshape(self.n_states, self.n_actions).any(axis=1))

    @cached_property
    def continuation(self) -> sparse.csr_array:
        """Discounted transitions, sparse (S * A, S); with discount 1 the rows of absorbing states are 0."""
        if self.discount < 1:
            return sparse.csr_array(self.discount * self.transitions)
        moving = sparse.diags_array(np.repeat(~self.absorbing, self.n_actions).astype(float))
        kept = sparse.csr_array(moving @ self.transitions)
        kept.eliminate_zeros()
        return kept

    @cached_property
    def shaping(self) -> sparse.csr_array:
        """The matrix B with ``(B V)[s * A + a] = V(s) - continuation[s * A + a] @ V``, sparse (S * A, S).

        Its range is the set of potential shapings of this environment (Ng, Harada & Russell 1999).
        """
        own = np.repeat(np.arange(self.n_states), self.n_actions)
        ones = sparse.csr_array((np.ones(own.size), (np.arange(own.size), own)), shape=self.transitions.shape)
        return sparse.csr_array(ones - self.continuation)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that makes this environment, names included: equal for equal environments."""
        rows = self.transitions
        parts: list[Any] = [rows.indptr.astype("<i8"), rows.indices.astype("<i8"), rows.data.astype("<f8")]
        parts += [np.array([self.discount], "<f8"), self.initial.astype("<f8")]
        total = hashlib.sha256()
        for part in parts:
            total.update(np.ascontiguousarray(part).tobytes())
        for names in (self.states, self.actions):
            numbered = isinstance(names, Numbered)
            total.update((f"{names!r}" if numbered else "\0".join(names)).encode("utf-8", "surrogatepass") + b"\0\0")
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
        return _rebuild, (self.transitions, self.discount, self.initial, self.states, self.actions)

    @classmethod
    def from_gymnasium(cls, env: str | gymnasium.Env[Any, Any], discount: float) -> Environment:
        """Read the transition table of a Gymnasium environment.

        Parameters
        ----------
        env : str or gymnasium.Env
            An id such as ``"FrozenLake-v1"``, or an environment whose ``unwrapped.P`` is the table
            ``P[s][a] = [(probability, next state, reward, terminated), ...]``.
        discount : float
            As for :class:`Environment`.

        Returns
        -------
        Environment
            A state that is entered by a terminating transition becomes absorbing: whatever the table lists there is
            replaced by staying.  Where such a state can also be entered, or started in, without termination, it keeps
            its moves, and terminating transitions lead instead to an absorbing state ``"terminated"`` that is added
            last. Rewards are left out; :func:`irl_ident.rewards.base_objective` reads them.
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
            state, so what an absorbing state would pay is never collected there: a reward that is not 0 in absorbing
            states raises ``ValueError``.
        """
        from irl_ident.gymnasium_tables import TabularEnv

        return TabularEnv(self, reward, max_episode_steps=max_episode_steps)

    def _check_termination(self) -> None:
        """Refuse unless every policy reaches an absorbing state with probability 1.

        A policy can avoid them for ever exactly when some set of other states is closed under a choice of actions: the
        largest such set is found by removing, until nothing changes, states with no action that surely stays in it.
        """
        remaining = ~self.absorbing
        entries = self.transitions.tocoo()
        while True:
            escapes = np.bincount(entries.row[~remaining[entries.col]], minlength=self.transitions.shape[0]) > 0
            stays = ~escapes.reshape(self.n_states, self.n_actions)
            kept = remaining & stays.any(axis=1)
            if (kept == remaining).all():
                break
            remaining = kept
        if remaining.any():
            state = int(np.argmax(remaining))
            action = int(np.argmax(stays[state]))
            raise ValueError(
                f"discount: 1 needs every policy to end in an absorbing state, but from state {self.states[state]!r} "
                f"action {self.actions[action]!r} can be followed by actions that never do; use a discount below 1"
            )


def _rebuild(
    transitions: sparse.csr_array, discount: float, initial: Array, states: Sequence[str], actions: Sequence[str]
) -> Environment:
    return Environment(transitions, discount, initial, states=states, actions=actions)


def _rows(transitions: Any) -> sparse.csr_array:
    """Bring every accepted form of ``transitions`` to one sparse matrix (S * A, S), sharing nothing with the input."""
    rows: sparse.csr_array
    if sparse.issparse(transitions):
        given: Any = transitions
        rows = sparse.csr_array(given, dtype=np.float64, copy=True)
        if rows.shape[1] == 0 or rows.shape[0] == 0 or rows.shape[0] % rows.shape[1]:
            raise ValueError(f"transitions: a sparse matrix should have shape (S * A, S), this one has {rows.shape}")
    elif isinstance(transitions, np.ndarray):
        if transitions.ndim != 3 or transitions.shape[0] != transitions.shape[2] or 0 in transitions.shape:
            raise ValueError(f"transitions: an array should have shape (S, A, S), this one has {transitions.shape}")
        rows = sparse.csr_array(transitions.reshape(-1, transitions.shape[2]).astype(float))
    elif isinstance(transitions, Sequence) and not isinstance(transitions, str) and len(transitions):
        rows = _interleaved(transitions)
    else:
        raise ValueError(
            "transitions: should be an array (S, A, S), a sparse matrix (S * A, S) or a sequence of A matrices (S, S), "
            f"not {type(transitions).__name__}"
        )
    rows.sum_duplicates()
    rows.eliminate_zeros()
    for part in (rows.data, rows.indices, rows.indptr):
        part.setflags(write=False)
    return rows


def _interleaved(per_action: Sequence[Any]) -> sparse.csr_array:
    """Stack A matrices (S, S) into one with row ``s * A + a``."""
    matrices: list[Any] = [m if sparse.issparse(m) else np.asarray(m, float) for m in per_action]
    n_states = matrices[0].shape[0] if matrices[0].ndim else 0
    for action, matrix in enumerate(matrices):
        if n_states == 0 or matrix.shape != (n_states, n_states):
            raise ValueError(
                f"transitions: a sequence should hold one (S, S) matrix for each action; action {action} has shape "
                f"{matrix.shape}" + ("" if action == 0 else f", action 0 has {matrices[0].shape}")
            )
    stacked = sparse.csr_array(sparse.vstack([sparse.csr_array(m) for m in matrices], format="csr"))
    order = np.arange(len(matrices) * n_states).reshape(len(matrices), n_states).T.ravel()
    return sparse.csr_array(stacked[order])


def _check_rows(rows: sparse.csr_array, n_actions: int) -> None:
    """Refuse entries that are not probabilities and rows that do not sum to 1."""
    bad = ~np.isfinite(rows.data) | (rows.data < 0)
    if bad.any():
        entry = int(np.argmax(bad))
        row = int(np.searchsorted(rows.indptr, entry, side="right")) - 1
        state, action = divmod(row, n_actions)
        raise ValueError(
            f"transitions[{state}, {action}, {rows.indices[entry]}] is {float(rows.data[entry])!r}: "
            "should be a finite probability >= 0"
        )
    sums = rows.sum(axis=1)
    off = np.abs(sums - 1) > ROW_SUM_TOLERANCE
    if off.any():
        state, action = divmod(int(np.argmax(off)), n_actions)
        raise ValueError(f"transitions[{state}, {action}] sums to {float(sums[np.argmax(off)])!r}: should sum to 1")


@dataclass(frozen=True, eq=False)
class Numbered(Sequence[str]):
    """The names ``s0, s1, ...``, made when asked for: a million of them weigh nothing."""

    letter: str
    total: int

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        numbers = range(self.total)[place]
        return f"{self.letter}{numbers}" if isinstance(numbers, int) else tuple(f"{self.letter}{i}" for i in numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numbered):
            return (self.letter, self.total) == (other.letter, other.total)
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash((self.letter, self.total))


def _names(argument: str, names: Sequence[str] | None, letter: str, count: int) -> Sequence[str]:
    if names is None:
        return Numbered(letter, count)
    if isinstance(names, Numbered) and len(names) == count:
        return names
    given = tuple(str(name) for name in names)
    if len(given) != count:
        raise ValueError(f"{argument}: {len(given)} names were given for {count} {argument}")
    if len(set(given)) != count:
        twice = next(name for name in given if given.count(name) > 1)
        raise ValueError(f"{argument}: the name {twice!r} is given more than once; names should be unique")
    return given


def _checked_discount(discount: float) -> float:
    value = float(discount)
    if not 0 <= value <= 1:
        raise ValueError(f"discount: was {discount!r}, should be in [0, 1), or 1 where every policy terminates")
    return value


def _checked_initial(initial: npt.ArrayLike | None, n_states: int) -> Array:
    given = np.full(n_states, 1 / n_states) if initial is None else np.array(initial, dtype=float)
    if given.shape != (n_states,):
        raise ValueError(f"initial: should have shape ({n_states},), was {given.shape}")
    bad = ~np.isfinite(given) | (given < 0)
    if bad.any():
        place = int(np.argmax(bad))
        raise ValueError(f"initial[{place}] is {float(given[place])!r}: should be a finite probability >= 0")
    if abs(given.sum() - 1) > ROW_SUM_TOLERANCE:
        raise ValueError(f"initial: sums to {float(given.sum())!r}, should sum to 1")
    given.setflags(write=False)
    return given
