"""Optimal plans: ``V(s) = max_a Q(s, a)``, ``Q = r + C V`` with ``C = env.continuation``.

The values are found by :mod:`irl_ident.planning.iteration` and certified by :mod:`irl_ident.planning.bounds`, which
knows nothing of how they were found.  Where the certificate is worse than what was asked for, as it is with discounts
near 1, they are refined in extended precision (:mod:`irl_ident.planning.refining`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import bounded, finite, positive, reward_on
from irl_ident.planning.iteration import improved
from irl_ident.planning.refining import refined_plan
from irl_ident.planning.rounding import rounding
from irl_ident.planning.ties import ROUNDING, greedy_policy


@dataclass(frozen=True, eq=False)
class OptimalPlan:
    """Optimal values of one reward in one environment.

    Parameters
    ----------
    values : array (S,)
        ``max_a q[s, a]``.
    q : array (S, A)
        Value of taking an action and acting optimally after.
    error_bound : float
        Proved: neither ``values`` nor ``q`` is further from the exact solution than this, rounding included.
    iterations : int
        Backups made.
    """

    values: Array
    q: Array
    error_bound: float
    iterations: int

    @property
    def policy(self) -> Array:
        """All optimal actions of each state, each as often, (S, A); see :func:`irl_ident.planning.greedy_policy`."""
        return greedy_policy(self.q)


def optimal(
    env: Environment, reward: npt.ArrayLike, *, tolerance: float = 1e-9, start: npt.ArrayLike | None = None
) -> OptimalPlan:
    """Plan optimally.

    Parameters
    ----------
    env : Environment
        With discount 1 every policy terminates in it; an absorbing state then pays its reward once.
    reward : array (S, A)
        Finite.
    tolerance : float
        Above 0.  Planning stops when the error is proved to be at most ``tolerance`` times the range of ``reward``,
        or is as small as rounding lets it be: ``error_bound`` tells which.  Environments of up to 1,000 states that
        are dense or grid-like are solved by factorisation, to rounding, whatever the tolerance.
    start : array (S,), optional
        Values to begin at: one backup is enough where they are those of an optimal policy.  The bound holds whatever
        they are.  Not used in environments without cycles.

    Returns
    -------
    OptimalPlan

    Raises
    ------
    ValueError
        ``reward`` or ``start`` has another shape or is not finite; ``tolerance`` is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from irl_ident import Environment
    >>> stay_or_go = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    >>> plan = optimal(Environment(stay_or_go, discount=0.9), [[0.0, 0.0], [1.0, 1.0]])
    >>> plan.values.round(12)
    array([ 9., 10.])
    """
    r, share = reward_on(env, reward), positive("tolerance", tolerance)
    horizon = lengths(env)
    r = bounded(r, horizon.longest)
    if start is not None:
        begin = bounded(finite("start", start, (env.n_states,), "(S,)"), horizon.longest, "start")
    elif env.discount < 1:
        begin = np.full(env.n_states, r.max(axis=1).min() * horizon.longest)
    else:
        begin = -np.abs(r).max() * horizon.weights
    found = improved(env, r, begin, horizon=horizon.longest, residual=share * float(np.ptp(r)) / horizon.longest / 2)
    noise, q = horizon.longest * rounding(env, r, found.values), found.q
    bound = horizon.longest * found.residual + noise
    if bound > share * np.ptp(r) or noise > ROUNDING * np.abs(q).max():
        better = refined_plan(env, r, found.values, horizon.longest)
        if better.bounds[0] < bound:
            bound, q = float(better.bounds[0]), better.q[0]
    return OptimalPlan(q.max(axis=1), q, bound, found.iterations)
