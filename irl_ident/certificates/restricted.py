"""What an agent does that may take only some actions: chances of a visit, steps until then, and returns.

All are found in floating point by policy iteration (Howard 1960; for chances, Baier & Katoen 2008, section 10.6) and
then moved to the safe side, so far that the inequalities that prove them hold in exact arithmetic too:

- *upper chances*: h >= 1 on the targets, h >= P h elsewhere;
- *lower chances*: h <= 1 on the targets, h <= P h where h > 0, and T >= 1 + P T there, so that such states are left
  almost surely;
- *values*: L <= r + C L, or U >= r + C U.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from irl_ident.environment import Array, Environment, Mask
from irl_ident.transitions import reached

DENSE_ENTRIES = 400_000
"""Transitions with no more entries than this are handled densely."""

SWEEPS = 1_000
"""Most improvements of a policy, and most sweeps that move upper chances to the safe side."""

BETTER = 1e-12
"""Share of the largest reward and value by which another action has to be better."""

NUDGE = 1e-12
LONGER = 1e-6
"""How far chances are moved, for each step to come, and the share by which these steps are prolonged."""


class NeverLeft(ArithmeticError):
    """The chance to leave some states is lost in rounding, and with it how often they are visited."""


def leading_to(env: Environment, may: Mask, targets: Mask) -> Mask:
    """States from which some choice of actions (S, A) that may be taken can come to the targets, (S,)."""
    moves = env.transitions.tocoo()
    origins = moves.row // env.n_actions
    taken = may.ravel()[moves.row] & ~targets[origins]
    return reached(moves.col[taken], origins[taken], targets)


def upper_chances(env: Environment, may: Mask, targets: Mask) -> Array | None:
    """Upper chances (S,) of ever visiting the targets, or None where they could not be moved to the safe side."""
    n_states, n_actions = may.shape
    possible = leading_to(env, may, targets)
    between = possible & ~targets
    chances = targets.astype(float)
    if not between.any():
        return chances
    towards = _towards(env, may, targets)
    gain = (env.transitions @ targets.astype(float)).reshape(may.shape)
    inner = np.where(between, 1.0, 0.0)
    rows = sparse.csr_array(env.transitions @ sparse.diags_array(inner))
    try:
        chances[between] = extreme(rows, gain, may, between, largest=True, first=towards)[between]
    except NeverLeft:
        return None
    chances = np.clip(chances, 0, 1)
    chances[between] = np.where(chances[between] > 1 - 1e-10, 1.0, np.minimum(chances[between] + NUDGE, 1.0))
    random = np.diff(env.transitions.indptr).reshape(n_states, n_actions) > 1
    for _ in range(SWEEPS):
        ahead = (env.transitions @ chances).reshape(may.shape)
        ahead = np.where(random, ahead + 1e-15, ahead)
        needed = np.where(between, np.minimum(np.where(may, ahead, 0).max(axis=1), 1.0), chances)
        if (needed <= chances).all():
            return np.asarray(chances)
        chances = np.maximum(chances, needed)
    return None


def lower_chances(env: Environment, may: Mask, targets: Mask) -> tuple[Array, Array]:
    """Lower chances (S,) of ever visiting the targets, and steps T (S,) in states where they are above 0."""
    escape = ~targets
    while True:
        stays = ((env.transitions @ (~escape).astype(float)).reshape(may.shape) <= 0) & may
        kept = escape & stays.any(axis=1)
        if (kept == escape).all():
            break
        escape = kept
    between = ~escape & ~targets
    chances, steps = targets.astype(float), np.zeros(env.n_states)
    if not between.any():
        return chances, steps
    rows = sparse.csr_array(env.transitions @ sparse.diags_array(between.astype(float)))
    gain = (env.transitions @ targets.astype(float)).reshape(may.shape)
    try:
        longest, least = (
            extreme(rows, each, may, between, largest=largest)[between]
            for each, largest in ((np.ones(may.shape), True), (gain, False))
        )
    except NeverLeft:
        return chances, steps
    steps[between] = longest * (1 + LONGER)
    chances[between] = least - NUDGE * steps[between]
    surely = ~leading_to(env, may & ~targets[:, None], escape) & between
    chances[surely] = 1.0
    return chances, steps


def values(env: Environment, reward: Array, may: Mask, states: Mask, *, largest: bool) -> Array:
    """Upper bounds on the largest, or lower bounds on the smallest values (S,) on a closed set of states."""
    rows = sparse.csr_array(env.continuation @ sparse.diags_array(states.astype(float)))
    found = extreme(rows, reward, may, states, largest=largest)
    length = extreme(rows, np.ones(may.shape), may, states, largest=True) * (1 + LONGER)
    sign = 1.0 if largest else -1.0
    best = np.where(may, sign * _backed(rows, reward, found), -np.inf).max(axis=1)
    left = float((best - sign * found)[states].max(initial=0.0))
    pad = left + 1e-14 * (np.abs(reward).max() + np.abs(found).max())
    return np.asarray(found + pad * length if largest else found - pad * length)


def extreme(
    rows: sparse.csr_array,
    reward: Array,
    may: Mask,
    states: Mask,
    *,
    largest: bool,
    first: Array | None = None,
) -> Array:
    """Values (S,) of the best, or worst, way to act on ``states``, from ``v = r + rows v``; 0 elsewhere.

    Parameters
    ----------
    rows : sparse (S * A, S)
        What goes on, on ``states`` alone; every policy (or ``first`` and those better) loses all of it in the end.
    reward : array (S, A)
    may : bool (S, A)
        Actions among which to choose, at least one in each of ``states``.
    states : bool (S,)
    largest : bool
    first : int (S,), optional
        Policy to begin with.

    Raises
    ------
    NeverLeft
        Rounding makes a policy stay in ``states`` forever.
    """
    inside = np.flatnonzero(states)
    sign, size = 1.0 if largest else -1.0, np.abs(reward[may]).max(initial=0.0)
    small = rows.shape[0] * rows.shape[1] <= DENSE_ENTRIES
    moves: Any = rows.toarray() if small else rows
    choice = (np.argmax(may, axis=1) if first is None else first).astype(np.int64)
    numbers = np.arange(states.size) * may.shape[1]
    found = np.zeros(states.size)
    for _ in range(SWEEPS):
        chosen = (numbers + choice)[inside]
        found[inside] = _solved(moves[chosen][:, inside], reward.ravel()[chosen])
        q = np.where(may, sign * _backed(moves, reward, found), -np.inf)
        here = q[np.arange(states.size), choice]
        better = states & (q.max(axis=1) > here + BETTER * (size + np.abs(found).max()))
        if not better.any():
            return found
        choice = np.where(better, q.argmax(axis=1), choice)
    return found


def _backed(rows: Any, reward: Array, found: Array) -> Array:
    """``reward + rows found``, the value of each action (S, A) before ``found`` (S,)."""
    return np.asarray(reward + (rows @ found).reshape(reward.shape))


def _solved(moves: Any, paid: Array) -> Array:
    """``v = paid + moves v``."""
    try:
        if isinstance(moves, np.ndarray):
            return np.asarray(np.linalg.solve(np.eye(paid.size) - moves, paid))
        system = sparse.eye_array(paid.size, format="csc") - sparse.csc_array(moves)
        return np.asarray(splu(sparse.csc_array(system)).solve(paid))
    except (np.linalg.LinAlgError, RuntimeError) as error:
        raise NeverLeft("states are never left, as far as doubles can tell") from error


def choices(env: Environment, reward: Array, may: Mask, states: Mask, *, largest: bool) -> Array:
    """The policy, (S,) actions, that among those that may be taken is best or worst for ``reward``."""
    rows = sparse.csr_array(env.continuation @ sparse.diags_array(states.astype(float)))
    found = extreme(rows, reward, may, states, largest=largest)
    q = _backed(rows, reward, found)
    return np.asarray(np.where(may, q if largest else -q, -np.inf).argmax(axis=1))


def towards_most(env: Environment, may: Mask, targets: Mask) -> Array:
    """A policy, (S,) actions that may be taken, that visits the targets with the largest chance.

    Where no upper chances are known it is one that comes nearer to the targets in every state from which that can be.
    """
    chances = upper_chances(env, may, targets)
    return _towards(env, may, targets, chances)


def away_most(env: Environment, may: Mask, targets: Mask) -> Array:
    """A policy, (S,) actions that may be taken, that visits the targets with the smallest chance."""
    chances, _ = lower_chances(env, may, targets)
    ahead = np.where(may, (env.transitions @ np.maximum(chances, 0)).reshape(may.shape), np.inf)
    return np.asarray(ahead.argmin(axis=1))


def _towards(env: Environment, may: Mask, targets: Mask, chances: Array | None = None) -> Array:
    """Actions that come nearer to the targets, among those that keep the chance where chances are given."""
    allowed = may
    if chances is not None:
        ahead = (env.transitions @ chances).reshape(may.shape)
        best = np.where(may, ahead, -1).max(axis=1, keepdims=True)
        allowed = may & (ahead >= best - 1e-9)
    choice = np.argmax(allowed, axis=1)
    reached, todo = targets.copy(), True
    while todo:
        step = (env.transitions @ reached.astype(float)).reshape(may.shape) > 0
        new = ~reached & (step & allowed).any(axis=1)
        choice = np.where(new, np.argmax(step & allowed, axis=1), choice)
        reached |= new
        todo = bool(new.any())
    return np.asarray(choice, dtype=np.int64)
