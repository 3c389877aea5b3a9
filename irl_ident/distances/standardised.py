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

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.sparse import linalg as sparse_linalg

from irl_ident import planning
from irl_ident.distances.vectors import apart, centred, reward_of, scaled, size, unit
from irl_ident.environment import Array, Environment

Canonicalisation = Literal["val", "minimal"]
STEPS = 20_000
"""LSMR steps at most."""
OPTIMALITY = 1e-8
"""Largest ``|B^T w c|`` of a minimal form, as a share of ``max |w c|``, that is accepted."""


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
        In [0, 2].  0: the same order of policies, or both rewards trivial (all policies are alike under them); 2:
        opposite orders; 1 when just one is trivial.

    Raises
    ------
    ValueError
        Names the argument at fault.

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
    first = _direction(reward_of("r1", r1, env), env, canonicalisation, policy)
    second = _direction(reward_of("r2", r2, env), env, canonicalisation, policy)
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
        The same for all rewards that differ by shaping, by redistribution or, for discounts below 1, by a constant.
    """
    r, k = scaled(_expected(reward_of("reward", reward, env), env))
    form, _ = _canonical(r, env, canonicalisation, policy)
    return np.ldexp(form, k)


def _direction(reward: Array, env: Environment, canonicalisation: str, policy: npt.ArrayLike | None) -> Array:
    form, scale = _canonical(scaled(_expected(reward, env))[0], env, canonicalisation, policy)
    return unit((form * np.sqrt(_spread(env)) if canonicalisation == "minimal" else form).ravel(), scale)


def _canonical(r: Array, env: Environment, canonicalisation: str, policy: npt.ArrayLike | None) -> tuple[Array, float]:
    """The canonical form, and the size of the numbers that it came from."""
    if canonicalisation not in get_args(Canonicalisation):
        raise ValueError(f"canonicalisation: was {canonicalisation!r}, should be 'val' or 'minimal'")
    if canonicalisation == "minimal" and policy is not None:
        raise ValueError("policy: belongs to canonicalisation 'val', 'minimal' has none")
    if env.discount < 1:
        r = centred(r)
    pi = np.full(r.shape, 1 / env.n_actions) if policy is None else policy
    values = planning.evaluate(env, r, pi)
    advantage = r - values[:, None] + env.backup(values)
    scale = size(r) + size(values)
    return (_least(advantage, env, scale) if canonicalisation == "minimal" else advantage), scale


def _expected(reward: Array, env: Environment) -> Array:
    if reward.ndim == 2:
        return reward
    rows = env.transitions.tocoo()
    flat = reward.reshape(-1, env.n_states)
    mean: Array = np.zeros(flat.shape[0])
    np.add.at(mean, rows.row, rows.data * flat[rows.row, rows.col])
    return mean.reshape(env.n_states, env.n_actions)


def _spread(env: Environment) -> Array:
    """``w(s, a) = 1 / sum_s' T(s'|s, a)^2``, (S, A)."""
    rows = env.transitions
    squares = rows.multiply(rows).sum(axis=1)
    return 1 / np.asarray(squares, dtype=float).reshape(env.n_states, env.n_actions)


def _least(advantage: Array, env: Environment, scale: float) -> Array:
    """``c = advantage - B V`` with ``B^T w c = 0``, by LSMR (Fong & Saunders 2011) and one round of refinement."""
    w = _spread(env).ravel()
    root = np.sqrt(w)
    weighted = env.shaping.multiply(root[:, None]).tocsr()
    c = advantage.ravel()
    for _ in range(2):
        found = sparse_linalg.lsmr(weighted, root * c, atol=1e-14, btol=1e-14, conlim=0, maxiter=STEPS)[0]
        c = c - env.shaping @ found
    left = size(env.shaping.T @ (w * c))
    if left > OPTIMALITY * float(w.max()) * scale:
        raise ArithmeticError(f"least squares for the minimal canonical form ended at {left:.1e}, should be 0")
    return c.reshape(advantage.shape)
