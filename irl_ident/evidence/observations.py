"""The kinds of observation: policies, trajectories and counts, which copy and check what they are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from irl_ident.environment import ROW_SUM_TOLERANCE, Array, Environment, Mask

Integers = npt.NDArray[np.int64]
Shows = Literal["all", "some"]

Episodes = npt.NDArray[Any] | Sequence[npt.ArrayLike]
"""An array with a row for each episode, or a sequence for each."""

PADDING = -1
"""Fills the places of states and actions after the end of an episode."""

LARGEST_TABLE = 1 << 27
"""Most entries, padding included, of the states or the actions of trajectories: 1 GiB."""


@dataclass(frozen=True, eq=False, init=False)
class Policy:
    """What an agent does in each state.

    Parameters
    ----------
    probabilities : array (S, A)
        Each row sums to 1, or is 0 throughout where the agent was not observed.
    shows : {"all", "some"}
        ``"all"``: in an observed state the actions with positive probability are *all* that are optimal there, so that
        the others are known to be worse.  ``"some"``: they are optimal, and others may be as well.

    Raises
    ------
    ValueError
        For another shape, entries that are no probabilities, or rows that sum to neither 0 nor 1.

    Examples
    --------
    >>> Policy([[0.5, 0.5], [0.0, 0.0]], shows="some").observed
    array([ True, False])
    """

    probabilities: Array
    shows: Shows = "all"

    def __init__(self, probabilities: npt.ArrayLike, shows: Shows = "all") -> None:
        given = np.array(probabilities, dtype=float)
        if given.ndim != 2 or 0 in given.shape:
            raise ValueError(f"probabilities: should have shape (S, A), was {given.shape}")
        bad = ~np.isfinite(given) | (given < 0)
        if bad.any():
            state, action = (int(i) for i in np.argwhere(bad)[0])
            fault = float(given[state, action])
            raise ValueError(f"probabilities[{state}, {action}] is {fault!r}: should be a finite probability >= 0")
        sums = given.sum(axis=1)
        off = (np.abs(sums - 1) > ROW_SUM_TOLERANCE) & (sums != 0)
        if off.any():
            state = int(np.argmax(off))
            raise ValueError(
                f"probabilities[{state}] sums to {float(sums[state])!r}: should sum to 1, or to 0 where nothing was "
                "observed"
            )
        if shows not in get_args(Shows):
            raise ValueError(f'shows: was {shows!r}, should be "all" or "some"')
        given.setflags(write=False)
        object.__setattr__(self, "probabilities", given)
        object.__setattr__(self, "shows", shows)

    @property
    def observed(self) -> Mask:
        """States in which the agent was observed, (S,)."""
        return np.asarray(self.probabilities.any(axis=1))

    def check(self, env: Environment) -> None:
        """Raise ``ValueError`` unless this is a policy for ``env``."""
        _check_shape("probabilities", self.probabilities, env)

    def __repr__(self) -> str:
        n_states, n_actions = self.probabilities.shape
        seen = int(self.observed.sum())
        return f"Policy({n_states} states, {n_actions} actions, {seen} observed, shows {self.shows!r})"


@dataclass(frozen=True, eq=False, init=False)
class Counts:
    """How often each action was taken in each state.

    Parameters
    ----------
    counts : array (S, A)
        Whole numbers, 0 or more.

    Raises
    ------
    ValueError
        For another shape or other entries.
    """

    counts: Integers

    def __init__(self, counts: npt.ArrayLike) -> None:
        given = np.asarray(counts)
        if given.ndim != 2 or 0 in given.shape:
            raise ValueError(f"counts: should have shape (S, A), was {given.shape}")
        if given.dtype.kind not in "iuf":
            raise ValueError(f"counts: should be whole numbers, was an array of {given.dtype}")
        whole = np.zeros(given.shape, dtype=np.int64)
        fits = np.isfinite(given) & (given >= 0) & (given < 2.0**62)
        whole[fits] = given[fits].astype(np.int64)
        bad = ~fits | (whole != given)
        if bad.any():
            state, action = (int(i) for i in np.argwhere(bad)[0])
            raise ValueError(
                f"counts[{state}, {action}] is {given[state, action].item()!r}: should be a whole number >= 0"
            )
        whole.setflags(write=False)
        object.__setattr__(self, "counts", whole)

    def check(self, env: Environment) -> None:
        """Raise ``ValueError`` unless these are counts for ``env``."""
        _check_shape("counts", self.counts, env)

    def __repr__(self) -> str:
        n_states, n_actions = self.counts.shape
        return f"Counts({n_states} states, {n_actions} actions, {int(self.counts.sum())} choices)"


@dataclass(frozen=True, eq=False, init=False)
class Trajectories:
    """Episodes of states and actions.

    Parameters
    ----------
    states : array (N, H + 1) or N sequences
        Visited states, one more than actions: the last is the state in which the episode ends.
    actions : array (N, H) or N sequences
        Chosen actions.
    lengths : array (N,), optional
        Numbers of actions.  When not given, each sequence counts in full, except that rows of an array end where -1
        begins.  When given, whatever ``states`` and ``actions`` hold after the end of an episode is ignored.

    Attributes
    ----------
    states : array (N, H + 1)
        With H the length of the longest episode; -1 after the end.
    actions : array (N, H)
        -1 after the end.
    lengths : array (N,)

    Raises
    ------
    ValueError
        When there is no episode, or numbers of states and actions do not go together, or an entry is no index.

    Examples
    --------
    >>> seen = Trajectories([[0, 1, 2], [0, 0]], [[1, 1], [0]])
    >>> seen
    Trajectories(2 episodes, 3 steps)
    >>> seen.actions
    array([[ 1,  1],
           [ 0, -1]])
    """

    states: Integers
    actions: Integers
    lengths: Integers

    def __init__(self, states: Episodes, actions: Episodes, lengths: npt.ArrayLike | None = None) -> None:
        padded_states, state_room = _padded("states", states)
        padded_actions, action_room = _padded("actions", actions)
        if len(padded_actions) == 0 or len(padded_states) != len(padded_actions):
            raise ValueError(
                "states: should hold one sequence for each episode and actions as many, at least one; were "
                f"{len(padded_states)} and {len(padded_actions)}"
            )
        if lengths is None:
            _check_padding("states", states, padded_states, state_room)
            _check_padding("actions", actions, padded_actions, action_room)
            ends = _lengths_found(padded_states, padded_actions)
        else:
            ends = _lengths_given(lengths, np.minimum(state_room - 1, action_room))
        for argument, padded, counts in (("states", padded_states, ends + 1), ("actions", padded_actions, ends)):
            kept = padded[:, : int(counts.max())].copy()
            inside = np.arange(kept.shape[1]) < counts[:, None]
            kept[~inside] = PADDING
            _check_indices(argument, kept, inside)
            kept.setflags(write=False)
            object.__setattr__(self, argument, kept)
        ends.setflags(write=False)
        object.__setattr__(self, "lengths", ends)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[tuple[Integers, Integers]]:
        for states, actions, length in zip(self.states, self.actions, self.lengths, strict=True):
            yield states[: length + 1], actions[:length]

    @property
    def taken(self) -> Mask:
        """Where a step was taken, (N, H)."""
        mask: Mask = self.actions != PADDING
        return mask

    def steps(self) -> tuple[Integers, Integers, Integers]:
        """All steps of all episodes in order: states, actions and next states, each (sum of lengths,)."""
        taken = self.taken
        return self.states[:, :-1][taken], self.actions[taken], self.states[:, 1:][taken]

    def check(self, env: Environment) -> None:
        """Raise ``ValueError`` unless ``env`` has these states and actions and all steps are possible in it.

        The error names the first episode and step at fault.  The first state of an episode may be any: an observer can
        start looking anywhere.
        """
        for argument, array, count in (("states", self.states, env.n_states), ("actions", self.actions, env.n_actions)):
            beyond = array >= count
            if beyond.any():
                episode, step = (int(i) for i in np.argwhere(beyond)[0])
                raise ValueError(
                    f"{argument}: episode {episode}, step {step}: is {int(array[episode, step])}, should be below "
                    f"{count}, the number of {argument} of the environment"
                )
        states, actions, arrivals = self.steps()
        impossible = _probability(env, states * env.n_actions + actions, arrivals) == 0
        if impossible.any():
            first = int(np.argmax(impossible))
            episode, step = (int(i) for i in np.argwhere(self.taken)[first])
            raise ValueError(
                f"states: episode {episode}, step {step}: in this environment action {env.actions[actions[first]]!r} "
                f"never leads from state {env.states[states[first]]!r} to {env.states[arrivals[first]]!r}"
            )

    def __repr__(self) -> str:
        return f"Trajectories({len(self)} episodes, {int(self.lengths.sum())} steps)"


def _check_shape(argument: str, array: npt.NDArray[Any], env: Environment) -> None:
    if array.shape != (env.n_states, env.n_actions):
        raise ValueError(
            f"{argument}: should have shape ({env.n_states}, {env.n_actions}) in this environment, was {array.shape}"
        )


def _padded(argument: str, given: Episodes) -> tuple[Integers, Integers]:
    """One row for each episode, -1 after what it holds, and how much it holds."""
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype.kind in "iu":
        return given.astype(np.int64), np.full(len(given), given.shape[1], dtype=np.int64)
    if not isinstance(given, (np.ndarray, Sequence)) or isinstance(given, str):
        raise ValueError(f"{argument}: should be an array or a sequence of sequences, was {type(given).__name__}")
    episodes = [np.asarray(episode) for episode in given]
    for number, episode in enumerate(episodes):
        if episode.ndim != 1 or (episode.size and episode.dtype.kind not in "iu"):
            raise ValueError(
                f"{argument}: episode {number} should be a sequence of whole numbers, was an array of {episode.dtype} "
                f"with shape {episode.shape}"
            )
    room = np.array([episode.size for episode in episodes], dtype=np.int64)
    if room.size * int(room.max(initial=0)) > LARGEST_TABLE:
        raise ValueError(
            f"{argument}: {room.size} episodes of which the longest has {room.max()} entries make a table of more than "
            f"{LARGEST_TABLE} entries; cut long episodes"
        )
    padded = np.full((room.size, int(room.max(initial=0))), PADDING, dtype=np.int64)
    for row, episode in zip(padded, episodes, strict=True):
        row[: episode.size] = episode
    return padded, room


def _check_padding(argument: str, given: Episodes, padded: Integers, room: Integers) -> None:
    """Refuse sequences that end with -1: they count in full, and rows of an array alone are padded."""
    cut = (
        np.zeros(room.shape, dtype=bool)
        if isinstance(given, np.ndarray) and given.ndim == 2
        else _filled(padded) < room
    )
    if cut.any():
        episode = int(np.argmax(cut))
        raise ValueError(
            f"{argument}: episode {episode} ends with -1: should hold indices >= 0 alone, or be in an array"
        )


def _lengths_found(states: Integers, actions: Integers) -> Integers:
    """Numbers of actions before the padding, checked against the numbers of states."""
    lengths, ends = _filled(actions), _filled(states)
    wrong = ends != lengths + 1
    if wrong.any():
        episode = int(np.argmax(wrong))
        raise ValueError(
            f"states: episode {episode} has {ends[episode]} states and {lengths[episode]} actions: should have one "
            "state more than actions"
        )
    return lengths


def _lengths_given(given: npt.ArrayLike, room: Integers) -> Integers:
    """Numbers of actions as given, checked against what there is room for."""
    lengths = np.asarray(given)
    if lengths.shape != room.shape or lengths.dtype.kind not in "iu":
        raise ValueError(f"lengths: should be {room.size} whole numbers, one for each episode")
    wrong = (lengths < 0) | (lengths > room)
    if wrong.any():
        episode = int(np.argmax(wrong))
        raise ValueError(f"lengths[{episode}] is {lengths[episode]}: should be between 0 and {room[episode]}")
    return lengths.astype(np.int64)


def _filled(padded: Integers) -> Integers:
    """Number of entries of each row before the padding that fills the rest."""
    filled = padded != PADDING
    after_last = np.where(filled, np.arange(1, padded.shape[1] + 1), 0)
    return np.asarray(after_last.max(axis=1, initial=0), dtype=np.int64)


def _check_indices(argument: str, padded: Integers, inside: Mask) -> None:
    bad = (padded < 0) & inside
    if bad.any():
        episode, step = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{argument}: episode {episode}, step {step}: is {padded[episode, step]}, should be an index >= 0"
        )


def _probability(env: Environment, rows: Integers, columns: Integers) -> Array:
    """Entries of the transitions at (rows, columns), by search in the visited rows alone."""
    if rows.size == 0:
        return np.zeros(0)
    visited, place = np.unique(rows, return_inverse=True)
    kept = env.transitions[visited]
    keys = np.repeat(np.arange(visited.size, dtype=np.int64), np.diff(kept.indptr)) * env.n_states + kept.indices
    wanted = place.astype(np.int64) * env.n_states + columns
    found = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[found] == wanted, kept.data[found], 0.0)
