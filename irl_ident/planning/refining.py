"""Optimal values beyond what double precision can solve for, by iterative refinement (Higham 2002, chapter 12).

Solving ``V = T V`` in double precision loses a share of about ``u n`` of the values, u the unit roundoff and n the
longest expected discounted number of steps: 1e-10 at discount 0.999999, more than the gaps between actions may be.
Here the backup is made in extended precision, from the transitions as they stand and not from the rounded
``continuation``; the equation for what is missing is solved in double precision, and added.  Each round gains as many
digits as double precision has to spare, so two or three are enough.

Extended precision is that of ``numpy.longdouble``: 64 binary digits on x86, 113 in software elsewhere, and on a few
systems no more than 53.  The bound tells what it came to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.planning.structure import method_for
from irl_ident.planning.systems import PolicySystem

LongArray: TypeAlias = npt.NDArray[np.longdouble]
Actions: TypeAlias = npt.NDArray[np.intp]
Solve: TypeAlias = Callable[[Actions, Array], Array]
"""From M deterministic policies (M, S) and right sides b (M, S) to solutions of ``(I - C_pi) x = b``, (M, S)."""

ROUNDS = 8
"""Most rounds; the first ones may still change the policy."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Optimal values of M rewards.

    Parameters
    ----------
    q : array (M, S, A)
        Values of actions, rounded to double precision.
    bounds : array (M,)
        No entry of ``q`` is further from exact.
    gaps : array (M, S, A)
        ``max_a q - q`` as it was before ``q`` was rounded.
    values : array (M, S)
        ``max_a q`` in extended precision.
    tight : array (M,)
        No entry of ``values`` is further from exact.
    """

    q: Array
    bounds: Array
    gaps: Array
    values: LongArray
    tight: Array


def refined(env: Environment, rewards: Array, values: Array, longest: float, solve: Solve) -> Refined:
    """Refine values (M, S) that nearly solve ``V = max_a r + C V`` for M rewards.

    Parameters
    ----------
    env : Environment
        Rows of its transitions stand for the distributions that are proportional to them.
    rewards : array (M, S, A)
    values : array (M, S)
    longest : float
        The largest expected discounted number of steps, or more.
    solve : callable
        In double precision, to a few digits at least.
    """
    rows, entries = extended(env), int(np.diff(env.transitions.indptr).max())
    found, gaps, best = rewards.copy(), np.zeros_like(rewards), values.astype(np.longdouble)
    bounds, tight = np.full((2, len(rewards)), np.inf)
    live, kept = np.arange(len(rewards)), best.copy()
    largest = np.abs(rewards).max(axis=(1, 2))
    for _ in range(ROUNDS):
        q = rewards[live] + np.asarray(rows @ kept.T).T.reshape(-1, *rewards.shape[1:])
        gap = q.max(axis=2) - kept
        size = largest[live] + 2 * np.abs(kept).max(axis=1).astype(float)
        noise = (entries + 6) * float(np.finfo(np.longdouble).eps) * size
        residual = np.abs(gap).max(axis=1).astype(float)
        unrounded = longest * (residual + noise)
        bound = unrounded + np.finfo(float).eps * np.abs(q).max(axis=(1, 2)).astype(float)
        better = unrounded < tight[live]
        found[live[better]], bounds[live[better]] = q[better], bound[better]
        best[live[better]], tight[live[better]] = q[better].max(axis=2), unrounded[better]
        gaps[live[better]] = q[better].max(axis=2)[..., None] - q[better]
        going = residual > noise
        if not going.any():
            break
        live = live[going]
        kept = kept[going] + solve(q[going].argmax(axis=2), gap[going].astype(float))
    return Refined(found, bounds, gaps, best, tight)


def refined_plan(env: Environment, reward: Array, values: Array, longest: float) -> Refined:
    """The same for one reward (S, A) and its values (S,); a policy is factorised once."""
    systems: dict[bytes, PolicySystem] = {}

    def solve(chosen: Actions, right: Array) -> Array:
        key = chosen.tobytes()
        if key not in systems:
            chain = env.continuation[np.arange(env.n_states) * env.n_actions + chosen[0]]
            systems[key] = PolicySystem(sparse.csr_array(chain), method_for(env))
        return systems[key].solve(right[0])[None]

    return refined(env, reward[None], values[None], longest, solve)


def refined_values(
    rows: sparse.csr_array[np.longdouble], policy: LongArray, paid: LongArray, system: PolicySystem
) -> tuple[LongArray, float]:
    """Values of a policy beyond double precision.

    Parameters
    ----------
    rows : sparse array (S * A, S)
        As of :func:`extended`.
    policy : array (S, A)
        Its rows sum to 1 in extended precision.
    paid : array (S,)
        What the policy collects in each state.
    system : PolicySystem
        Of the policy, in double precision.

    Returns
    -------
    values : array (S,)
    residual : float
        ``max |paid + C_pi V - V|``, rounding included.
    """
    terms = int(np.diff(rows.indptr).max()) + policy.shape[1] + 8
    values: LongArray = system.solve(paid.astype(float)).astype(np.longdouble)
    for _ in range(ROUNDS):
        left = paid - values + (policy * np.asarray(rows @ values).reshape(policy.shape)).sum(axis=1)
        largest = float(np.abs(paid).max() + 2 * np.abs(values).max())
        noise, size = terms * float(np.finfo(np.longdouble).eps) * largest, float(np.abs(left).max())
        if size <= noise:
            break
        values = values + system.solve(left.astype(float))
    return values, size + noise


def extended(env: Environment) -> sparse.csr_array[np.longdouble]:
    """Discounted transitions (S * A, S) in extended precision."""
    rows = env.transitions.astype(np.longdouble)
    factors: npt.NDArray[np.longdouble] = np.full(env.n_states, env.discount, dtype=np.longdouble)
    if env.discount == 1:
        factors[env.absorbing] = 0
    shares = np.repeat(factors, env.n_actions) / rows.sum(axis=1)
    data = rows.data * np.repeat(shares, np.diff(rows.indptr))
    return sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape)
