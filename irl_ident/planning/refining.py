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

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.planning.structure import method_for
from irl_ident.planning.systems import PolicySystem

ROUNDS = 8
"""Most rounds; the first ones may still change the policy."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Values of actions ``q`` (S, A), rounded to double precision, and how far from the exact ones they can be."""

    q: Array
    bound: float


def refined(env: Environment, reward: Array, values: Array, longest: float) -> Refined:
    """Refine ``values`` (S,) that nearly solve ``V = max_a r + C V``.

    Parameters
    ----------
    env : Environment
        Rows of its transitions stand for the distributions that are proportional to them.
    reward : array (S, A)
    values : array (S,)
    longest : float
        The largest expected discounted number of steps, or more.
    """
    rows, entries = extended(env), int(np.diff(env.transitions.indptr).max())
    paid, kept = reward.astype(np.longdouble), values.astype(np.longdouble)
    system, chosen = None, np.full(env.n_states, -1)
    found = Refined(reward, np.inf)
    for _ in range(ROUNDS):
        q = paid + (rows @ kept).reshape(reward.shape)
        gap = q.max(axis=1) - kept
        size = float(np.abs(reward).max() + 2 * np.abs(kept).max())
        noise = (entries + 6) * float(np.finfo(np.longdouble).eps) * size
        residual = float(np.abs(gap).max())
        bound = longest * (residual + noise) + float(np.finfo(float).eps * np.abs(q).max())
        if bound < found.bound:
            found = Refined(q.astype(float), bound)
        if residual <= noise:
            break
        best = q.argmax(axis=1)
        if system is None or (best != chosen).any():
            chosen = best
            chain = env.continuation[np.arange(env.n_states) * env.n_actions + chosen]
            system = PolicySystem(sparse.csr_array(chain), method_for(env))
        kept = kept + system.solve(gap.astype(float))
    return found


def extended(env: Environment) -> sparse.csr_array[np.longdouble]:
    """Discounted transitions (S * A, S) in extended precision."""
    rows = env.transitions.astype(np.longdouble)
    factors: npt.NDArray[np.longdouble] = np.full(env.n_states, env.discount, dtype=np.longdouble)
    if env.discount == 1:
        factors[env.absorbing] = 0
    shares = np.repeat(factors, env.n_actions) / rows.sum(axis=1)
    data = rows.data * np.repeat(shares, np.diff(rows.indptr))
    return sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape)
