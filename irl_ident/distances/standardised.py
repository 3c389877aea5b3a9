"""STARC: standardised reward comparison (Skalse et al. 2024).

Two rewards order all policies of an environment alike exactly when they differ by potential shaping, by
*S'-redistribution* (other rewards R(s, a, s') of the same mean ``r(s, a) = E[R(s, a, S')]``) and by a positive factor,
given that every state can be reached.  A canonical form removes the first two, a norm the third:

    c(R) linear, c(R) - R shaping and redistribution only;   ``d(R1, R2) = | c(R1)/|c(R1)| - c(R2)/|c(R2)| |_2``,

with ``0/|0| = 0`` for trivial rewards.  So d is 0 for the same order and 2 for opposite ones (sections 2 and 3 there).
Redistribution makes c a function of r alone, shaping makes it ``r - B V`` with ``B = env.shaping`` and V from

- ``"val"``: ``V = V_pi`` under a fixed policy: ``c(s, a)`` is then pi's advantage;
- ``"minimal"``: the member of least L2 norm as a reward on (S, A, S).  Of all R with mean r, the least is
  ``R(s, a, s') = w(s, a) T(s'|s, a) r(s, a)``, ``w = 1 / sum_s' T(s'|s, a)^2``, of squared norm ``sum w r^2``: V
  solves weighted least squares, ``min_V sum_sa w (r - B V)^2``.  Where the environment is deterministic w is 1.

Both distances bound regret: with ``r1^ = c1 / |c1|`` and x, y the occupancies of two policies of which R2 prefers y,
``J1(x) - J1(y) = |c1| (x - y).(r1^ - r2^) + |c1| (x - y).r2^ <= |c1| |x - y| d(R1, R2)``, where for ``"minimal"``
``|c1|`` is weighted by w and ``|x - y|`` by 1/w.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from irl_ident.distances.advantages import advantage_of, least, spread
from irl_ident.distances.vectors import Form, Precision, apart, centred, chances, reward_of, scaled, settled, size, unit
from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import policy_on

Canonicalisation = Literal["val", "minimal"]


def starc(
    r1: npt.ArrayLike,
    r2: npt.ArrayLike,
    env: Environment,
    canonicalisation: Canonicalisation = "val",
    *,
    policy: npt.ArrayLike | None = None,
) -> float:
    """Standardised reward comparison (Skalse et al. 2024), with the L2 norm for scale and for distance.

    Parameters
    ----------
    r1, r2 : array (S, A) or (S, A, S)
        Finite; the two may differ in form.  Only ``E[R(s, a, S')]`` counts.
    env : Environment
        Its transitions and discount; not its initial distribution: states that are never reached count as others do.
    canonicalisation : {"val", "minimal"}
        See :mod:`irl_ident.distances.standardised`.
    policy : array (S, A), optional
        Of ``"val"``, uniform when not given.  Has no meaning for ``"minimal"``.

    Returns
    -------
    float
        In [0, 2], right to 1e-6.  0: the same order of policies, or both rewards trivial (all policies are alike under
        them); 2: opposite orders; 1 when just one is trivial.  A reward counts as trivial when its canonical form is
        shorter than 1e-11 of half its range.

    Raises
    ------
    ValueError
        Names the argument at fault.
    ArithmeticError
        Rounding hides the canonical form of a reward that is not trivial either.

    Examples
    --------
    >>> import numpy as np
    >>> from irl_ident import Environment
    >>> env = Environment(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]), discount=0.9)
    >>> there = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> round(starc(there, -there, env), 12)
    2.0
    >>> starc(there, there + env.shaping.dot([3.0, -2.0]).reshape(2, 2), env) < 1e-12
    True
    """
    first = _direction("r1", reward_of("r1", r1, env), env, canonicalisation, policy)
    second = _direction("r2", reward_of("r2", r2, env), env, canonicalisation, policy)
    return apart(first, second)


def canonical(
    reward: npt.ArrayLike,
    env: Environment,
    canonicalisation: Canonicalisation = "val",
    *,
    policy: npt.ArrayLike | None = None,
) -> Array:
    """The canonical form of a reward, as expected reward (S, A).

    Parameters
    ----------
    reward : array (S, A) or (S, A, S)
    env, canonicalisation, policy
        As for :func:`starc`.

    Returns
    -------
    array (S, A)
        The same for all rewards that differ by shaping, by redistribution or, for discounts below 1, by a constant;
        right to 2.5e-7 of its length, and 0 for trivial rewards.

    Raises
    ------
    ValueError, ArithmeticError
        As for :func:`starc`.
    """
    r, k = scaled(reward_of("reward", reward, env))
    form = _settled("reward", r, env, canonicalisation, policy).reshape(env.n_states, env.n_actions)
    unweighted: Array = np.asarray(form / np.sqrt(spread(env)) if canonicalisation == "minimal" else form, dtype=float)
    return np.asarray(np.ldexp(unweighted, k))


def _direction(
    argument: str, reward: Array, env: Environment, canonicalisation: str, policy: npt.ArrayLike | None
) -> Array:
    return unit(_settled(argument, scaled(reward)[0], env, canonicalisation, policy))


def _settled(
    argument: str, reward: Array, env: Environment, canonicalisation: str, policy: npt.ArrayLike | None
) -> npt.NDArray[Any]:
    """The canonical form as a vector (S * A,), weighted by ``sqrt w`` for ``"minimal"``."""
    if canonicalisation not in get_args(Canonicalisation):
        raise ValueError(f"canonicalisation: was {canonicalisation!r}, should be 'val' or 'minimal'")
    if canonicalisation == "minimal" and policy is not None:
        raise ValueError("policy: belongs to canonicalisation 'val', 'minimal' has none")
    pi = policy_on(env, np.full((env.n_states, env.n_actions), 1 / env.n_actions) if policy is None else policy)

    def form(precision: Precision) -> Form:
        r: npt.NDArray[Any] = reward.astype(precision)
        r = centred(r) if env.discount < 1 else r
        advantage = advantage_of(_expected(r, env), size(r), env, pi)
        return least(advantage, env) if canonicalisation == "minimal" else advantage.form

    return settled(argument, form)


def _expected(reward: npt.NDArray[Any], env: Environment) -> npt.NDArray[Any]:
    if reward.ndim == 2:
        return reward
    rows = chances(env, reward.dtype.type).tocoo()
    flat = reward.reshape(-1, env.n_states)
    mean = np.zeros(flat.shape[0], dtype=reward.dtype)
    np.add.at(mean, rows.row, rows.data * flat[rows.row, rows.col])
    return mean.reshape(env.n_states, env.n_actions)
