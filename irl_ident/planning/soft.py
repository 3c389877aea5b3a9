"""Plans of maximum causal entropy (Ziebart, Bagnell & Dey 2010), at temperature b:

    Q = r + C V,        V(s) = b log sum_a exp(Q(s, a) / b),        log pi(a|s) = (Q(s, a) - V(s)) / b.

Newton's method on ``V = T V`` is soft policy iteration: the derivative of the soft backup is ``C_pi``, so a step solves
``(I - C_pi) V = sum_a pi (r - b log pi)``.  ``T`` is convex and monotone, hence every step after the first lies below
the solution and rises towards it, quadratically at the end.  Without cycles in the environment one backward pass is
the solution (:mod:`irl_ident.planning.layers`).  Everything stays in logarithms.

A constant in the reward changes no policy, and is added to the values in the end: policies are as exact far from 0 as
near it.  Where rounding leaves log-policies uncertain by more than ``LOGS``, as with discounts near 1 or temperatures
that are small beside rewards, the plan is refined in extended precision (:mod:`irl_ident.planning.soft_refining`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import bounded, finite, positive, reward_on, typical
from irl_ident.planning.layers import backward, layers
from irl_ident.planning.optimal import optimal
from irl_ident.planning.rounding import rounding
from irl_ident.planning.soft_refining import refined_soft
from irl_ident.planning.structure import Method, method_for
from irl_ident.planning.systems import PolicySystem, chain_of

NEWTON_STEPS = 1000
"""Steps after which planning is given up; a few tens are usual."""
LOGS = 1e-7
"""Error of log-policies, in nats, from which plans are refined."""


@dataclass(frozen=True, eq=False)
class SoftPlan:
    """The plan of an agent of maximum causal entropy for one reward in one environment.

    Parameters
    ----------
    values : array (S,)
        Soft values ``b log sum_a exp(q / b)``: return plus b times the entropy still to come.
    q : array (S, A)
        Soft values of actions.
    log_policy : array (S, A)
        ``(q - values) / b``; finite however improbable an action is.
    policy : array (S, A)
        ``exp(log_policy)``.
    temperature : float
        ``b``.
    error_bound : float
        Proved: neither ``values`` nor ``q`` is further from the exact solution than this, rounding included.
    log_error : float
        Proved: no entry of ``log_policy`` is further from the exact solution than this, in nats.
    """

    values: Array
    q: Array
    log_policy: Array
    policy: Array
    temperature: float
    error_bound: float
    log_error: float


def soft(
    env: Environment, reward: npt.ArrayLike, temperature: float = 1.0, *, start: npt.ArrayLike | None = None
) -> SoftPlan:
    """Plan with maximum causal entropy.

    Parameters
    ----------
    env : Environment
        With discount 1 every policy terminates in it; an absorbing state then pays its reward, and the entropy of one
        choice, once.
    reward : array (S, A)
        Finite.
    temperature : float
        Price of a nat of entropy in units of reward, above 0.
    start : array (S,), optional
        Values to start from, such as those of a plan for a reward nearby; optimal values when not given.  Not used in
        environments without cycles.

    Returns
    -------
    SoftPlan
        Solved to rounding, from wherever it started: log-policies to 1e-7, or to rounding in extended precision, which
        is about ``2 n^2 k`` units in its last place of the largest reward, less the median one, over the temperature,
        with n the longest expected discounted number of steps and k the most successors of an action.  ``log_error``
        tells.

    Raises
    ------
    ValueError
        ``reward`` has another shape or is not finite; ``temperature`` is not above 0.

    Examples
    --------
    One state: ``V = log(e^0 + e^1) + V / 2``.

    >>> import numpy as np
    >>> from irl_ident import Environment
    >>> plan = soft(Environment(np.ones((1, 2, 1)), discount=0.5), [[0.0, 1.0]])
    >>> np.allclose(plan.values, 2 * np.log(1 + np.e), rtol=0, atol=1e-12)
    True
    """
    r, b = reward_on(env, reward), positive("temperature", temperature)
    method, longest = method_for(env), lengths(env).longest
    r = bounded(r, longest)
    middle = float(typical(r)) if env.discount < 1 else 0.0
    r, shift = r - middle, middle / (1 - env.discount) if middle else 0.0
    values = _first(env, r, b, None if start is None else finite("start", start, (env.n_states,), "(S,)") - shift)
    summing = np.finfo(float).eps * b * (env.n_actions + 8 * np.log(2 * env.n_actions))
    least, stalled = np.inf, 0
    for _ in range(NEWTON_STEPS):
        q = r + env.backup(values)
        backed, log_policy = _softened(q, b)
        residual = float(np.abs(backed - values).max())
        noise = rounding(env, r, values) + summing
        stalled = stalled + 1 if residual >= least else 0
        least = min(least, residual)
        if residual <= noise or (stalled >= 2 and residual <= 1e3 * noise):
            break
        policy = np.exp(log_policy)
        system = PolicySystem(chain_of(env, policy), method)
        values = system.solve((policy * (r - b * log_policy)).sum(axis=1))
    else:
        raise ArithmeticError(f"soft planning: residual {residual:.1e} after {NEWTON_STEPS} Newton steps")
    bound = longest * (residual + noise)
    uncertain = 2 * bound / b
    if uncertain > LOGS:
        better = refined_soft(env, r[None], values[None], b, 0.0, lambda pi, gap: _step(env, pi[0], gap[0], method))
        eps, tight = float(np.finfo(float).eps), longest * float(better.sizes[0])
        if tight < bound:
            backed, q, log_policy = better.values[0], better.q[0], better.log_policy[0]
            bound = tight + eps * float(np.abs(q).max())
            uncertain = 2 * tight / b + eps * float(np.abs(log_policy).max())
    bound += 4 * float(np.finfo(float).eps) * (abs(shift) + float(np.abs(q).max())) if shift else 0.0
    return SoftPlan(backed + shift, q + shift, log_policy, np.exp(log_policy), b, bound, uncertain)


def _step(env: Environment, policy: Array, gap: Array, method: Method) -> Array:
    return PolicySystem(chain_of(env, policy), method).solve(gap)[None]


def _first(env: Environment, reward: Array, b: float, given: Array | None) -> Array:
    """Values to start from: already the solution in an environment without cycles."""
    acyclic = layers(env)
    if acyclic is not None:
        return backward(acyclic, reward, lambda q: _softened(q, b)[0])
    return optimal(env, reward, tolerance=1e-2).values if given is None else given


def _softened(q: Array, b: float) -> tuple[Array, Array]:
    """``b log sum_a exp(q / b)`` (S,), and the logarithm of the soft policy (S, A)."""
    scaled = np.ascontiguousarray(q.T) / b
    top = scaled.max(axis=0)
    scaled -= top
    size = np.log(np.exp(scaled).sum(axis=0))
    scaled -= size
    return b * (top + size), np.ascontiguousarray(scaled.T)
