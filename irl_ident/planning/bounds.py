"""Certified distance to the optimal values, with any discount.

Let ``(T V)(s) = max_a r(s, a) + C_a V (s)`` with ``C_a`` the rows of ``env.continuation`` for action a, ``d = T V -
V``, and let ``n(s)`` be the largest expected discounted number of steps that a policy can take from s,

    n = max_a (1 + C_a n).

For the optimal ``V*`` and policy ``pi*``, and the policy ``pi`` that is greedy for V,

    V* - V <= (I - C_pi*)^-1 d <= n max(d, 0),        V* - V >= (I - C_pi)^-1 d >= -n max(-d, 0),

so ``max |V* - V| <= max n * max |d|`` (Puterman 1994, theorem 6.3.1, where n is 1 / (1 - g)), and the same for T V.
With soft values ``pi*`` and ``pi`` are soft policies and nothing else changes.  With discount 1, n is finite because
every policy terminates; any ``w >= 0`` with ``w - C_a w >= c > 0`` for all a proves ``n <= w / c``, which is how it
is certified here.

The bounds hold an allowance for rounding (:mod:`irl_ident.planning.rounding`).
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from irl_ident.environment import Array, Environment
from irl_ident.planning.iteration import improved

_lengths: WeakKeyDictionary[Environment, Lengths] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Lengths:
    """How long a policy can go on.

    Parameters
    ----------
    weights : array (S,)
        ``w`` with ``w - C_a w >= 1`` for every action, so at least the largest expected discounted number of steps.
    longest : float
        ``max w``.
    """

    weights: Array
    longest: float


def lengths(env: Environment) -> Lengths:
    """The largest expected discounted numbers of steps in ``env``, bounded from above."""
    if env not in _lengths:
        _lengths[env] = _measured(env)
    return _lengths[env]


def _measured(env: Environment) -> Lengths:
    heaviest = float(env.continuation.sum(axis=1).max()) * (1 + 1e-12)
    if env.discount < 1 and heaviest < 1:
        longest = (1 + 1e-12) / (1 - heaviest)
        return Lengths(np.full(env.n_states, longest), longest)
    steps = np.ones((env.n_states, env.n_actions))
    found = improved(env, steps, np.zeros(env.n_states), horizon=np.inf, residual=1e-3)
    kept = (found.values[:, None] - env.backup(found.values)).min()
    if not kept > 0.5:
        raise ArithmeticError(f"expected lengths of episodes could not be bounded: margin {kept:.3g}, should be near 1")
    weights = found.values * (1 + 1e-9) / kept
    return Lengths(weights, float(weights.max()))
