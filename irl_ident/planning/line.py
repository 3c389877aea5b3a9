"""All objectives on a line at once: ``r_x = r_0 + x r_1`` for every x of an interval, planned exactly.

Optimal values are convex and piecewise linear in x, ``V(s) = max over policies of (a + b x)``.  Where no transition
leads back they follow from the last state to the first, the lines themselves being backed up in place of numbers:

    Q(s, a) = r_0(s, a) + x r_1(s, a) + sum_s' C(s, a, s') V(s'),      V(s) = max_a Q(s, a),

which is value iteration on convex hulls (Barrett & Narayanan 2008; Gass & Saaty 1955 for one linear program) for two
rewards.  The sum has the breakpoints of all its terms, and the maximum those and the crossings.  What is found are the
values of x at which choices switch, without a grid.

Functions are held as rows of an array: a piece begins at ``start`` and is ``a + b x``; rows with fewer pieces are
filled with pieces of length 0 at the upper end.  A piece is added to the last by its *jump*, what a and b change there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning.checks import reward_on
from irl_ident.planning.layers import layers

Some = slice | npt.NDArray[np.intp]

SAME = 1e-10
"""Values that differ by no more are the same, in units of the largest; as are places, in units of the interval."""


@dataclass(frozen=True, eq=False)
class Lines:
    """F continuous, piecewise linear functions on an interval.

    Parameters
    ----------
    start : array (F, m)
        Where each piece begins, in order; the first at the lower end of the interval.
    a, b : array (F, m)
        The function is ``a + b x`` on the piece.
    upper : float
        The upper end.
    """

    start: Array
    a: Array
    b: Array
    upper: float

    def __getitem__(self, which: Some) -> Lines:
        """Some of the functions."""
        return Lines(self.start[which], self.a[which], self.b[which], self.upper)

    @property
    def stop(self) -> Array:
        """Where each piece ends, (F, m)."""
        last = np.full((len(self.start), 1), self.upper)
        return np.concatenate([self.start[:, 1:], last], axis=1)

    def pieces(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The piece, of length above 0, on which each of ``x`` (m,) lies: the right one of two; (F, m)."""
        given = np.asarray(x, dtype=float)
        at = np.minimum(given, np.nextafter(self.upper, -np.inf))
        return np.stack([np.searchsorted(row, at, side="right") - 1 for row in self.start])

    def __call__(self, x: npt.ArrayLike) -> Array:
        """Values at ``x`` (m,), (F, m)."""
        at = self.pieces(x)
        a, b = (np.take_along_axis(each, at, axis=1) for each in (self.a, self.b))
        return np.asarray(a + b * np.asarray(x, dtype=float))

    def jumps(self) -> tuple[Array, Array]:
        """What a and b change where each piece begins, (F, m) each; the first piece changes 0."""
        return np.diff(self.a, axis=1, prepend=0), np.diff(self.b, axis=1, prepend=0)


@dataclass(frozen=True, eq=False)
class Switches:
    """Which actions are optimal where, in one state.

    Attributes
    ----------
    ends : array (m + 1,)
        Where the set of optimal actions changes; first and last the ends of the interval.
    optimal : bool array (m, A)
        The actions that are optimal in between.  At a switch those of both sides are.
    """

    ends: Array
    optimal: Mask

    def where(self, action: int) -> Array:
        """The closed intervals (k, 2) in which ``action`` is optimal."""
        edges = np.flatnonzero(np.diff(self.optimal[:, action].astype(int), prepend=0, append=0))
        return np.column_stack([self.ends[edges[::2]], self.ends[edges[1::2]]])


@dataclass(frozen=True, eq=False)
class LinePlan:
    """Optimal plans of all objectives on a line.

    Attributes
    ----------
    values : Lines
        Of the S states.
    switches : tuple of Switches
        Of the S states.
    """

    values: Lines
    switches: tuple[Switches, ...]


def optimal_line(
    env: Environment, base: npt.ArrayLike, direction: npt.ArrayLike, interval: tuple[float, float]
) -> LinePlan:
    """Plan ``base + x direction`` optimally for all x of an interval.

    Parameters
    ----------
    env : Environment
        Without cycles: as for :func:`irl_ident.planning.layers.layers`.
    base, direction : array (S, A)
        Finite.
    interval : (float, float)
        The least and the largest x.

    Returns
    -------
    LinePlan
        Exact up to rounding.  An action that is as good as the best at a single point, and worse on both sides of it,
        is not listed.

    Raises
    ------
    ValueError
        Transitions lead back, the interval is empty, or rewards are malformed.
    """
    at_zero, slope = reward_on(env, base), reward_on(env, direction)
    low, high = float(interval[0]), float(interval[1])
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"interval: was {interval!r}, should be a lower and a larger finite number")
    acyclic = layers(env)
    if acyclic is None:
        raise ValueError("env: transitions lead back; objectives on a line are planned where every state comes later")
    n_actions = env.n_actions
    start, zero = np.full((env.n_states, 1), low), np.zeros((env.n_states, 1))
    values = Lines(start, zero, zero.copy(), high)
    switches = [Switches(np.array([low, high]), np.ones((1, n_actions), dtype=bool))] * env.n_states
    blocks: list[tuple[Some, sparse.csr_array | None]] = [(acyclic.absorbing, None), *acyclic.blocks]
    for states, rows in blocks:
        share = acyclic.stay if rows is None else 1.0
        a, b = (share * reward[states].reshape(-1, 1) for reward in (at_zero, slope))
        paid = Lines(np.full_like(a, low), a, b, high)
        best, found = _best(paid if rows is None else _backed_up(paid, rows, values), n_actions)
        values = _placed(values, states, best)
        for state, each in zip(np.arange(env.n_states)[states].tolist(), found, strict=True):
            switches[state] = each
    return LinePlan(values, tuple(switches))


def _backed_up(paid: Lines, rows: sparse.csr_array, values: Lines) -> Lines:
    """What is paid and the weighted values of what follows, for rows of transitions."""
    if not rows.nnz:
        return paid
    count = np.diff(rows.indptr)
    terms = np.arange(count.max())
    here = terms < count[:, None]
    at = np.where(here, rows.indptr[:-1, None] + terms, 0)
    weights = np.where(here, rows.data[at], 0.0)
    next_ = values[rows.indices[at].ravel().astype(np.intp)]
    jumps = [(weights[:, :, None] * j.reshape(*weights.shape, -1)).reshape(len(count), -1) for j in next_.jumps()]
    start = np.concatenate([paid.start, next_.start.reshape(len(count), -1)], axis=1)
    return _summed(start, np.hstack([paid.a, jumps[0]]), np.hstack([paid.b, jumps[1]]), paid.upper)


def _summed(start: Array, jump_a: Array, jump_b: Array, upper: float) -> Lines:
    """Functions from where they change, in any order, and by how much."""
    order = np.argsort(start, axis=1, kind="stable")
    start, jump_a, jump_b = (np.take_along_axis(each, order, axis=1) for each in (start, jump_a, jump_b))
    return _shortened(Lines(start, jump_a.cumsum(axis=1), jump_b.cumsum(axis=1), upper))


def _shortened(lines: Lines) -> Lines:
    """The same without pieces that are empty or go on as the last did."""
    low = lines.start[0, 0] if len(lines.start) else 0.0
    room = SAME * (lines.upper - low)
    long = lines.stop - lines.start > room
    long[:, 0] |= ~long.any(axis=1)
    packed = _packed(lines, long)
    packed.start[:, 0] = low
    jump_a, jump_b = packed.jumps()
    size = max(abs(low), abs(lines.upper))
    noise = SAME * (np.abs(packed.a) + np.abs(packed.b) * size).max(axis=1, keepdims=True)
    bends = np.abs(jump_a) + np.abs(jump_b) * size > noise
    bends[:, 0] = True
    return _packed(packed, bends & ((packed.start < lines.upper) | (np.arange(bends.shape[1]) == 0)))


def _packed(lines: Lines, kept: Mask) -> Lines:
    """The pieces that are kept, moved to the left."""
    most = int(kept.sum(axis=1).max(initial=1))
    order = np.argsort(~kept, axis=1, kind="stable")[:, :most]
    start, a, b = (np.take_along_axis(each, order, axis=1) for each in (lines.start, lines.a, lines.b))
    count = kept.sum(axis=1, keepdims=True)
    spare = np.arange(most) >= count
    last = np.broadcast_to(count - 1, spare.shape)
    a, b = (np.where(spare, np.take_along_axis(each, last, axis=1), each) for each in (a, b))
    return Lines(np.where(spare, lines.upper, start), a, b, lines.upper)


def _best(q: Lines, n_actions: int) -> tuple[Lines, list[Switches]]:
    """The greatest of A functions for each state, and which are."""
    start, stop, a, b = _divided(q.start.reshape(len(q.start) // n_actions, -1), q, n_actions)
    start, stop, a, b = _divided(np.hstack([start, _crossings(start, a, b, q.upper)]), q, n_actions)
    middle = (start + stop) / 2
    at_middle = a + b * middle[:, None]
    top = at_middle.argmax(axis=1)[:, None]
    best_a, best_b = (np.take_along_axis(each, top, axis=1) for each in (a, b))
    noise = SAME * np.abs(at_middle).max(axis=(1, 2), initial=0)[:, None, None]
    behind = [np.abs(best_a - a + (best_b - b) * ends[:, None]) for ends in (start, stop)]
    optimal = np.maximum(*behind) <= noise
    np.put_along_axis(optimal, top, True, axis=1)
    long = stop - start > SAME * (q.upper - start[:, :1])
    switches = [
        _switches(start[s][long[s]], optimal[s].T[long[s]], float(start[s, 0]), q.upper) for s in range(len(start))
    ]
    return _shortened(Lines(start, best_a[:, 0], best_b[:, 0], q.upper)), switches


def _divided(start: Array, q: Lines, n_actions: int) -> tuple[Array, Array, Array, Array]:
    """Pieces of A functions a state between the same ends: start and stop (n, m), a and b (n, A, m)."""
    start = np.sort(start, axis=1)
    stop = np.hstack([start[:, 1:], np.full((len(start), 1), q.upper)])
    own = q.start.reshape(len(start), n_actions, -1)
    piece = (own[:, :, None] <= ((start + stop) / 2)[:, None, :, None]).sum(axis=3) - 1
    a, b = (np.take_along_axis(each.reshape(own.shape), piece, axis=2) for each in (q.a, q.b))
    return start, stop, a, b


def _crossings(start: Array, a: Array, b: Array, upper: float) -> Array:
    """Where two of A functions (n, A, m), linear between ``start`` (n, m), are the same; ``upper`` where not."""
    stop = np.hstack([start[:, 1:], np.full((len(start), 1), upper)])
    found = [np.zeros((len(start), 0))]
    for i in range(a.shape[1]):
        for j in range(i):
            level, slope = a[:, i] - a[:, j], b[:, i] - b[:, j]
            crossed = (level + slope * start) * (level + slope * stop) < 0
            with np.errstate(divide="ignore", invalid="ignore"):
                found.append(np.where(crossed, np.clip(-level / slope, start, stop), upper))
    return np.hstack(found)


def _switches(start: Array, optimal: Mask, low: float, high: float) -> Switches:
    turns = np.concatenate([[0], np.flatnonzero((optimal[1:] != optimal[:-1]).any(axis=1)) + 1])
    return Switches(np.concatenate([[low], start[turns[1:]], [high]]), optimal[turns])


def _placed(values: Lines, states: Some, found: Lines) -> Lines:
    """All values with those of some states replaced."""
    most = max(values.start.shape[1], found.start.shape[1])
    values, found = _widened(values, most), _widened(found, most)
    for all_, some in ((values.start, found.start), (values.a, found.a), (values.b, found.b)):
        all_[states] = some
    return values


def _widened(lines: Lines, most: int) -> Lines:
    """The same with room for so many pieces."""
    room = ((0, 0), (0, most - lines.start.shape[1]))
    start = np.pad(lines.start, room, constant_values=lines.upper)
    return Lines(start, np.pad(lines.a, room, mode="edge"), np.pad(lines.b, room, mode="edge"), lines.upper)
