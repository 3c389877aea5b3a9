"""Soft values and log-policies beyond double precision, by Newton's method with residuals in extended precision.

A log-policy ``(Q - V) / b`` is the difference of values over the temperature: where values are 1e11 temperatures large,
as after 1e5 steps that pay 1e6 temperatures each, double precision leaves none of its digits.  Backups are made in
extended precision as in :mod:`irl_ident.planning.refining`, and steps ``(I - C_pi) x = T V - V`` in double.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from irl_ident.environment import Array, Environment
from irl_ident.planning.refining import LongArray, extended

Step: TypeAlias = Callable[[Array, Array], Array]
"""From M policies (M, S, A) and right sides b (M, S) to solutions of ``(I - C_pi) x = b``, (M, S)."""

ROUNDS = 20
"""Most steps; two or three are usual."""


@dataclass(frozen=True, eq=False)
class RefinedSoft:
    """Soft plans of M rewards, rounded to double precision.

    Parameters
    ----------
    values : array (M, S)
    q, log_policy : array (M, S, A)
    change : array (M, S)
        By how much the last backup changed the values.
    sizes : array (M,)
        ``max |change|`` with its allowance for rounding, that of ``q`` and ``values`` to double precision aside.
    """

    values: Array
    q: Array
    log_policy: Array
    change: Array
    sizes: Array


def refined_soft(
    env: Environment, rewards: Array, values: Array, temperature: float, tolerance: float, solve: Step
) -> RefinedSoft:
    """Refine values (M, S) that nearly solve ``V = b log sum_a exp((r + C V) / b)`` for M rewards (M, S, A).

    Parameters
    ----------
    env : Environment
        Rows of its transitions stand for the distributions that are proportional to them.
    rewards : array (M, S, A)
    values : array (M, S)
    temperature : float
        ``b``.
    tolerance : float
        Changes up to this are not pursued.
    solve : callable
        In double precision, to a few digits at least.
    """
    rows, entries = extended(env), int(np.diff(env.transitions.indptr).max())
    b, eps = np.longdouble(temperature), float(np.finfo(np.longdouble).eps)
    summing = eps * temperature * (env.n_actions + 8 * np.log(2 * env.n_actions))
    largest = np.abs(rewards).max(axis=(1, 2))
    q, kept = rewards.astype(np.longdouble), values.astype(np.longdouble)
    backed, log_policy, change = kept.copy(), q.copy(), np.zeros(values.shape)
    sizes, live, latest = np.full(len(rewards), np.inf), np.arange(len(rewards)), kept
    for _ in range(ROUNDS):
        here = rewards[live] + np.asarray(rows @ latest.T).T.reshape(-1, *rewards.shape[1:])
        top, logs = softened(here, b)
        gap = np.asarray(top - latest, dtype=float)
        residual = np.abs(gap).max(axis=1)
        noise = (entries + 6) * eps * (largest[live] + 2 * np.abs(latest).max(axis=1).astype(float)) + summing
        better = residual + noise < sizes[live]
        chosen = live[better]
        q[chosen], backed[chosen], log_policy[chosen], change[chosen] = (
            here[better],
            top[better],
            logs[better],
            gap[better],
        )
        sizes[chosen] = (residual + noise)[better]
        going = (residual > np.maximum(noise, tolerance)) & (better | (residual > 1e3 * noise))
        if not going.any():
            break
        live = live[going]
        latest = latest[going] + solve(np.exp(logs[going]).astype(float), gap[going])
    return RefinedSoft(backed.astype(float), q.astype(float), log_policy.astype(float), change, sizes)


def softened(q: LongArray, b: np.longdouble) -> tuple[LongArray, LongArray]:
    """``b log sum_a exp(q / b)`` (M, S), and the logarithms of soft policies (M, S, A)."""
    top = q.max(axis=2)
    scaled = (q - top[..., None]) / b
    size = np.log(np.exp(scaled).sum(axis=2))
    return top + b * size, scaled - size[..., None]
