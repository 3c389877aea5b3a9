"""Transitions: every accepted form brought to one sparse matrix, where they lead, and whether episodes must end.

The one form is a matrix of shape (S * A, S) whose row ``s * A + a`` is the distribution of the next state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Transitions: TypeAlias = npt.NDArray[Any] | sparse.sparray | sparse.spmatrix | Sequence[Any]
"""Accepted forms: an array (S, A, S), a sparse matrix (S * A, S), or a list of A matrices (S, S)."""

ROW_SUM_TOLERANCE = 1e-8
"""How far probabilities may sum from 1."""


def checked_transitions(transitions: Transitions) -> sparse.csr_array:
    """Bring ``transitions`` to a sparse matrix (S * A, S) in canonical order that nothing else shares.

    Raises
    ------
    ValueError
        Where the form, an entry or the sum of a row is wrong.
    """
    if sparse.issparse(transitions):
        rows = _sparse("transitions", transitions)
        if 0 in rows.shape or rows.shape[0] % rows.shape[1]:
            raise ValueError(f"transitions: a sparse matrix should have shape (S * A, S), this one has {rows.shape}")
    elif isinstance(transitions, np.ndarray):
        given = checked_floats("transitions", transitions)
        if given.ndim != 3 or given.shape[0] != given.shape[2] or 0 in given.shape:
            raise ValueError(f"transitions: an array should have shape (S, A, S), this one has {given.shape}")
        rows = sparse.csr_array(given.reshape(-1, given.shape[2]))
    elif isinstance(transitions, list | tuple) and transitions:
        rows = _interleaved(transitions)
    else:
        raise ValueError(
            "transitions: should be an array (S, A, S), a sparse matrix (S * A, S) or a list of A matrices (S, S), "
            f"not {type(transitions).__name__}" + (" without elements" if isinstance(transitions, list | tuple) else "")
        )
    rows.sum_duplicates()
    rows.eliminate_zeros()
    _check_rows(rows)
    return read_only(rows)


def checked_distribution(argument: str, given: npt.ArrayLike, count: int) -> Array:
    """``given`` as a read-only probability distribution (count,), or ``ValueError``."""
    found = checked_floats(argument, given) + 0.0
    if found.shape != (count,):
        raise ValueError(f"{argument}: should have shape ({count},), was {found.shape}")
    bad = ~np.isfinite(found) | (found < 0)
    if bad.any():
        place = int(np.argmax(bad))
        raise ValueError(f"{argument}[{place}] is {float(found[place])!r}: should be a finite probability >= 0")
    if abs(found.sum() - 1) > ROW_SUM_TOLERANCE:
        raise ValueError(f"{argument}: sums to {float(found.sum())!r}, should sum to 1")
    found.setflags(write=False)
    return found


def checked_floats(argument: str, given: npt.ArrayLike) -> Array:
    """``given`` as an array of float64, or ``ValueError`` when it does not hold real numbers."""
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{argument}: should be an array of real numbers: {error}") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{argument}: should hold real numbers, holds {found.dtype}")
    return found.astype(np.float64, copy=False)


def reached(origins: npt.NDArray[Any], ends: npt.NDArray[Any], starts: Mask) -> Mask:
    """States marked in ``starts`` (S,), and those that moves from ``origins`` to ``ends`` (n,) lead to, (S,)."""
    count, first = starts.size, np.flatnonzero(starts)
    places = np.append(origins, np.full(first.size, count)), np.append(ends, first)
    graph = sparse.csr_array((np.ones(places[0].size), places), shape=(count + 1, count + 1))
    found = np.zeros(count + 1, dtype=bool)
    found[csgraph.breadth_first_order(graph, count, return_predecessors=False)] = True
    return found[:-1]


def visited(rows: sparse.csr_array, starts: Mask, actions: Mask | None = None) -> Mask:
    """States marked in ``starts`` (S,), and those that transitions lead to from there, (S,).

    Parameters
    ----------
    rows : sparse (S * A, S)
        Without stored zeros.
    starts : bool (S,)
    actions : bool (S, A), optional
        Those that may be taken; all when not given.
    """
    count = np.diff(rows.indptr)
    origins, ends = np.repeat(np.arange(count.size) // (count.size // starts.size), count), rows.indices
    if actions is not None:
        taken = np.repeat(actions.ravel(), count)
        origins, ends = origins[taken], ends[taken]
    return reached(origins, ends, starts)


def endless(rows: sparse.csr_array, absorbing: Mask) -> Mask:
    """Actions that can be followed for ever without reaching an absorbing state, (S, A).

    Some policy avoids the absorbing states with positive probability exactly when a set of other states is closed under
    a choice of actions (its recurrent states are an end component; de Alfaro 1997, chapter 3).  The largest such set is
    what is left when actions that may leave it are struck out, and states without actions, until nothing changes.  Each
    transition is looked at once.

    Parameters
    ----------
    rows : sparse (S * A, S)
    absorbing : bool (S,)
    """
    n_states = rows.shape[1]
    n_actions = rows.shape[0] // n_states
    into = sparse.csc_array(rows)
    kept = np.repeat(~absorbing, n_actions)
    left = np.where(absorbing, 0, n_actions)
    struck = np.flatnonzero(absorbing)
    while struck.size:
        first = into.indptr[struck]
        count = into.indptr[struck + 1] - first
        entries = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        leaving = np.unique(into.indices[entries])
        leaving = leaving[kept[leaving]]
        kept[leaving] = False
        touched, lost = np.unique(leaving // n_actions, return_counts=True)
        left[touched] -= lost
        struck = touched[left[touched] == 0]
    return kept.reshape(n_states, n_actions)


def read_only(matrix: sparse.csr_array) -> sparse.csr_array:
    """Make the arrays of ``matrix`` refuse to be written, and return it."""
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.setflags(write=False)
    return matrix


def _sparse(argument: str, matrix: Any) -> sparse.csr_array:
    if matrix.dtype.kind not in "biuf" or matrix.ndim != 2:
        raise ValueError(
            f"{argument}: should be a sparse matrix of real numbers, was {matrix.ndim}-d of {matrix.dtype}"
        )
    return sparse.csr_array(matrix, dtype=np.float64, copy=True)


def _interleaved(per_action: Sequence[Any]) -> sparse.csr_array:
    """Stack A matrices (S, S) into one with row ``s * A + a``."""
    if not all(sparse.issparse(matrix) or isinstance(matrix, np.ndarray) for matrix in per_action):
        raise ValueError(
            "transitions: nested lists could be indexed [s, a, s'] or [a, s, s']: give numpy.array(...) for the first, "
            "a list of arrays for the second"
        )
    matrices: list[sparse.csr_array] = []
    for action, given in enumerate(per_action):
        where = f"transitions[action {action}]"
        matrix = _sparse(where, given) if sparse.issparse(given) else checked_floats(where, given)
        n_states = matrices[0].shape[0] if matrices else matrix.shape[0] if matrix.ndim == 2 else 0
        if n_states == 0 or matrix.shape != (n_states, n_states):
            raise ValueError(
                f"transitions: a list should hold one (S, S) matrix for each action; action {action} has shape "
                f"{matrix.shape}" + (f", action 0 has {matrices[0].shape}" if matrices else "")
            )
        matrices.append(sparse.csr_array(matrix))
    stacked = sparse.csr_array(sparse.vstack(matrices, format="csr"))
    order = np.arange(stacked.shape[0]).reshape(len(matrices), -1).T.ravel()
    return sparse.csr_array(stacked[order])


def _check_rows(rows: sparse.csr_array) -> None:
    """Refuse entries that are not probabilities and rows that do not sum to 1."""
    n_actions = rows.shape[0] // rows.shape[1]
    bad = ~np.isfinite(rows.data) | (rows.data < 0)
    if bad.any():
        entry = int(np.argmax(bad))
        state, action = divmod(int(np.searchsorted(rows.indptr, entry, side="right")) - 1, n_actions)
        raise ValueError(
            f"transitions[{state}, {action}, {rows.indices[entry]}] is {float(rows.data[entry])!r}: should be a finite "
            "probability >= 0"
        )
    sums = rows.sum(axis=1)
    off = np.abs(sums - 1) > ROW_SUM_TOLERANCE
    if off.any():
        row = int(np.argmax(off))
        state, action = divmod(row, n_actions)
        raise ValueError(
            f"transitions[{state}, {action}] sums to {float(sums[row])!r}: should sum to 1 within {ROW_SUM_TOLERANCE:g}"
        )
