"""What a policy is worth and where it goes.

With ``C_pi`` the discounted transitions under ``pi`` and ``mu`` the initial distribution,

    V = r_pi + C_pi V,        x = mu + C_pi^T x,        x(s, a) = x(s) pi(a|s),        mu . V = sum x(s, a) r(s, a)

(Puterman 1994, sections 6.1 and 6.9).  The discount is inside ``C_pi``, so it is in both.
"""

from __future__ import annotations

import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import finite, policy_on, reward_on
from irl_ident.planning.systems import policy_system


def evaluate(env: Environment, reward: npt.ArrayLike, policy: npt.ArrayLike) -> Array:
    """Values of a policy.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
    policy : array (S, A)
        Probabilities of actions.

    Returns
    -------
    array (S,)
        Expected discounted return from each state.
    """
    r, pi = reward_on(env, reward), policy_on(env, policy)
    return policy_system(env, pi).solve((pi * r).sum(axis=1))


def occupancy(env: Environment, policy: npt.ArrayLike, initial: npt.ArrayLike | None = None) -> Array:
    """Expected discounted visits of a policy.

    Parameters
    ----------
    env : Environment
    policy : array (S, A)
        Probabilities of actions.
    initial : array (S,), optional
        Where it starts; ``env.initial`` when not given.  Any finite weights are accepted: the result is linear in them.

    Returns
    -------
    array (S, A)
        Sums to ``1 / (1 - g)`` for discount g below 1, to the expected number of steps (the one that ends the episode
        in an absorbing state included) for discount 1.
    """
    pi = policy_on(env, policy)
    start = env.initial if initial is None else finite("initial", initial, (env.n_states,), "(S,)")
    visits = policy_system(env, pi).solve_transposed(start)
    return visits[:, None] * pi


def bounded_horizon(env: Environment, reward: npt.ArrayLike, horizon: int) -> Array:
    """Optimal values when the world ends after ``horizon`` steps.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
    horizon : int
        At least 1.

    Returns
    -------
    array (S, A)
        Value of taking an action now and acting optimally for the ``horizon - 1`` steps that remain; for ``horizon =
        1`` the reward.
    """
    r = reward_on(env, reward)
    if horizon != int(horizon) or horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, should be a whole number of at least 1")
    q = r.copy()
    for _ in range(int(horizon) - 1):
        q = r + env.backup(q.max(axis=1))
    return q
