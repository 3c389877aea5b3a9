"""Modified policy iteration that evaluates exactly as soon as that pays.

Every round backs up, ``q = r + C V``, improves the policy, and evaluates it from the backed-up values:

- by some products ``V <- r_pi + C_pi V`` (Puterman & Shin 1978) while improving the policy would gain more than
  evaluating it; fewer of them while they do not shrink the residual, as when the news of a far reward spreads one
  step a backup;
- else by BiCGSTAB, no more accurately than the policy deserves: inexact policy iteration;
- or by a factorisation of ``I - C_pi`` in small environments, and in grid-like ones where BiCGSTAB stalls: policy
  iteration (Howard 1960).

An action is replaced only by one that is better by more than rounding, so ties cannot make policies cycle.  Should
the residual find no new minimum for ``PATIENCE`` rounds, products alone go on, whose convergence is proved.

Environments without cycles need none of this: one backward pass gives the values, and the first round confirms them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.planning.krylov import bicgstab
from irl_ident.planning.layers import backward, layers
from irl_ident.planning.rounding import rounding
from irl_ident.planning.structure import method_for
from irl_ident.planning.systems import PolicySystem

SWEEPS = 20
"""Most products in one approximate evaluation."""
SLOW = 0.9
"""A round that leaves more than this share of the residual halves the number of products; any other doubles it."""
FACTORISED_STATES = 1000
"""Up to so many states a factorisation is the cheapest evaluation."""
KRYLOV_STEPS = 500
"""BiCGSTAB steps in one evaluation."""
PATIENCE = 50
"""Rounds without a smaller residual after which only products are used."""


@dataclass(frozen=True, eq=False)
class Improved:
    """Where the iteration stopped: ``values`` (S,), their backup ``q`` (S, A), ``max |T V - V|``, rounds."""

    values: Array
    q: Array
    residual: float
    iterations: int


def improved(env: Environment, reward: Array, start: Array, *, horizon: float, residual: float) -> Improved:
    """Iterate from ``start`` until ``max |T V - V|`` is at most ``residual`` or as small as rounding lets it be.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
    start : array (S,)
        With ``T V >= V``; not used in environments without cycles.
    horizon : float
        The largest expected discounted number of steps; infinite when not known.
    residual : float
        Where to stop; environments of at most ``FACTORISED_STATES`` that factorise go on to rounding.

    Returns
    -------
    Improved
    """
    n_states, n_actions = reward.shape
    method = method_for(env)
    factorise = method != "BiCGSTAB" and n_states <= FACTORISED_STATES
    aim = 0.0 if factorise else residual
    rows, first = narrow(env.continuation), np.arange(n_states) * n_actions
    acyclic = layers(env)
    values = start if acyclic is None else backward(acyclic, reward, lambda q: q.max(axis=1))
    chosen, exact = first, False
    before = least = np.inf
    sweeps, waited = SWEEPS, 0
    for iterations in count(1):
        q = (rows @ values).reshape(n_states, n_actions)
        q += reward
        best = first + q.argmax(axis=1)
        top = q.ravel()[best]
        gap = top - values
        size, noise = float(np.abs(gap).max()), 2 * rounding(env, reward, values)
        if size <= max(aim, noise):
            break
        gain = top - q.ravel()[chosen]
        switch = gain > noise
        changed = bool(switch.any())
        if exact and not changed:
            break
        if changed or iterations == 1:
            chosen = np.where(switch, best, chosen)
            chain, paid = rows[chosen], reward.ravel()[chosen]
        gained = float(gain.max())
        waited = waited + 1 if size >= least else 0
        sweeps = max(sweeps // 2, 1) if size > SLOW * before else min(2 * sweeps, SWEEPS)
        before, least = size, min(size, least)
        exact = False
        if gained <= size and waited < PATIENCE:
            if not factorise:
                goal = max(0.1 * gained, 0.3 * aim, noise / 2)
                solved, reached, _ = bicgstab(_product(chain), paid[None], top[None], np.array([goal]), KRYLOV_STEPS)
                if reached[0] <= goal:
                    values = solved[0]
                    continue
            if method != "BiCGSTAB":
                values, exact = PolicySystem(chain, method).solve(paid), True
                continue
        values = top + _shift(env, gap, horizon)
        for _ in range(sweeps):
            values = chain @ values
            values += paid
    return Improved(values, q, size, iterations)


def _product(chain: sparse.csr_array) -> Callable[[Array], Array]:
    return lambda x: (chain @ x[0])[None]


def _shift(env: Environment, gap: Array, horizon: float) -> float:
    """The constant that centres the remaining error when all steps are discounted alike (MacQueen 1966)."""
    return float(gap.max() + gap.min()) / 2 * (horizon - 1) if env.discount < 1 and np.isfinite(horizon) else 0.0


def narrow(rows: sparse.csr_array) -> sparse.csr_array:
    """The same matrix with 32-bit indices where they suffice, for speed."""
    if rows.indices.dtype == np.int32 or rows.nnz > np.iinfo(np.int32).max:
        return rows
    return sparse.csr_array((rows.data, rows.indices.astype(np.int32), rows.indptr.astype(np.int32)), shape=rows.shape)
