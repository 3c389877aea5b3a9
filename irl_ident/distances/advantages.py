"""The canonical forms of STARC with proved bounds on their errors, in double or extended precision.

With ``c = r - B V`` for any V, computed with an error of at most h in each entry, and ``e = sum_a pi c`` what is left
of the equation ``V = V_pi``,

    c_pi - c = B (V - V_pi) + h,        V_pi - V = (I - C_pi)^-1 e,

so that the advantage ``c_pi`` is within ``|B (I - C_pi)^-1| (max |e| + h) + h`` of c.  The norm of the matrix is at
most ``2 n``, n the longest expected discounted number of steps; where S is small and that is not enough, it is
computed.

The minimal form c* is the part of c that is orthogonal to the range of B, with weights w.  For ``g = B^T w c`` and any
x, ``max |B x| >= max |x| / n``, so that ``|B x|_w >= sqrt(min w) |x| / (n sqrt S)``, and hence

    |c* - c|_w <= n sqrt(S / min w) |g| + |h|_w.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg

from irl_ident import planning
from irl_ident.distances.vectors import TRIVIAL, Form, size
from irl_ident.environment import Array, Environment
from irl_ident.planning import PolicySystem
from irl_ident.planning.bounds import lengths
from irl_ident.planning.refining import extended, refined_values
from irl_ident.planning.structure import is_crowded

ROUNDS = 6
"""Most corrections of values."""
DENSE_STATES = 500
"""Up to so many states the norm of ``B (I - C_pi)^-1`` is computed, and normal equations are factorised."""
SQUARED = 1e5
"""Up to so many expected discounted steps normal equations, of the square of their condition, have digits enough."""
STEPS = 20_000
"""LSMR steps at most."""


@dataclass(frozen=True, eq=False)
class Advantage:
    """``c = r - B V`` with V close to the values of a policy.

    Parameters
    ----------
    env : Environment
    c : array (S, A)
    rows : sparse array (S * A, S)
        ``env.continuation`` in the precision of c.
    system : PolicySystem
    left : float
        ``max |e|``.
    noise : float
        ``h``.
    trivial : float
        Forms up to this length are taken as 0.
    """

    env: Environment
    c: npt.NDArray[Any]
    rows: sparse.csr_array[Any]
    system: PolicySystem
    left: float
    noise: float
    trivial: float

    @property
    def form(self) -> Form:
        """The advantage as a vector (S * A,)."""
        error = self.norm * (self.left + self.noise) + self.noise
        return Form(self.c.ravel(), float(np.sqrt(self.c.size)) * error, self.trivial)

    @cached_property
    def norm(self) -> float:
        """An upper bound of ``max |B (I - C_pi)^-1 e|`` over ``max |e| <= 1``."""
        most = 2 * lengths(self.env).longest
        if self.c.dtype == np.float64 or self.env.n_states > DENSE_STATES:
            return most
        inverse = self.system.solve(np.eye(self.env.n_states))
        return min(most, 1.01 * float(np.abs(self.env.shaping @ inverse).sum(axis=1).max()))


def advantage_of(r: npt.NDArray[Any], largest: float, env: Environment, policy: Array) -> Advantage:
    """The advantage of a reward under a policy, in the precision of the reward.

    Parameters
    ----------
    r : array (S, A)
        Expected reward.
    largest : float
        The largest of the rewards in size that it is the mean of.
    env : Environment
    policy : array (S, A)
    """
    system = planning.policy_system(env, policy)
    pi = policy.astype(r.dtype)
    pi /= pi.sum(axis=1, keepdims=True)
    paid = (pi * r).sum(axis=1)
    rows: sparse.csr_array[Any]
    values: npt.NDArray[Any]
    if r.dtype == np.float64:
        rows, values = env.continuation, system.solve(paid)
    else:
        rows = extended(env)
        values, _ = refined_values(rows, pi, paid, system)
    c = r - values[:, None] + (rows @ values).reshape(r.shape)
    terms = 2 * int(np.diff(rows.indptr).max(initial=0)) + env.n_actions + 12
    noise = terms * float(np.finfo(r.dtype).eps) * (largest + 2 * size(values))
    return Advantage(env, c, rows, system, size((pi * c).sum(axis=1)), noise, TRIVIAL * largest)


def least(advantage: Advantage, env: Environment) -> Form:
    """The minimal form, weighted by ``sqrt w``."""
    rows, c, noise = advantage.rows, advantage.c.ravel(), advantage.noise
    eps, w = float(np.finfo(c.dtype).eps), spread(env).ravel()
    root = np.sqrt(w.astype(c.dtype))
    longest = float(np.linalg.norm(root))
    heaviest = int(np.diff(rows.tocsc().indptr).max()) + env.n_actions + 4
    strength = lengths(env).longest * float(np.sqrt(env.n_states / w.min()))
    normal, kept, error = _Normal(env, w), c, np.inf
    for _ in range(ROUNDS):
        weighted = (w * c).reshape(-1, env.n_actions)
        g = weighted.sum(axis=1) - rows.T @ weighted.ravel()
        sizes = np.abs(weighted).sum(axis=1) + rows.T @ np.abs(weighted).ravel()
        bound = strength * float(np.linalg.norm(g) + heaviest * eps * np.linalg.norm(sizes)) + longest * noise
        if bound >= error:
            break
        error, kept = bound, c
        x = normal.solve(np.asarray(root * c, dtype=float), np.asarray(g, dtype=float))
        c = c - np.repeat(x, env.n_actions) + rows @ x
        noise += heaviest * eps * (size(c) + 2 * size(x))
    return Form(root * kept, error, advantage.trivial)


class _Normal:
    """Least squares ``min_x |b - sqrt w B x|``, of which the normal equations are ``B^T w B x = g``."""

    def __init__(self, env: Environment, w: Array) -> None:
        self.weighted = sparse.csr_array(env.shaping.multiply(np.sqrt(w)[:, None]))
        self.factors: Any = _factors(env, self.weighted) if env.n_states <= DENSE_STATES else None

    def solve(self, b: Array, g: Array) -> Array:
        """``x`` (S,), to a few digits at least; by LSMR (Fong & Saunders 2011) in large environments."""
        if self.factors is not None:
            return np.asarray(linalg.cho_solve(self.factors, g))
        found = sparse_linalg.lsmr(self.weighted, b, atol=1e-14, btol=1e-14, conlim=0, maxiter=STEPS)
        return np.asarray(found[0])


def _factors(env: Environment, rows: sparse.csr_array) -> tuple[Array, bool]:
    """R with ``rows^T rows = R^T R``, and whether it is lower; in long episodes of ``rows``, not of their square."""
    if lengths(env).longest <= SQUARED:
        factor, lower = linalg.cho_factor(_square(env, rows))
        return np.asarray(factor), bool(lower)
    return np.asarray(linalg.qr(rows.toarray(), mode="r")[0][: env.n_states]), False


def _square(env: Environment, rows: sparse.csr_array) -> Array:
    """``rows^T rows``, dense (S, S)."""
    if is_crowded(env):
        dense = rows.toarray()
        return np.asarray(dense.T @ dense)
    return sparse.csr_array(rows.T @ rows).toarray()


def spread(env: Environment) -> Array:
    """``w(s, a) = 1 / sum_s' T(s'|s, a)^2``, (S, A)."""
    rows = env.transitions
    squares = rows.multiply(rows).sum(axis=1) / rows.sum(axis=1) ** 2
    return 1 / np.asarray(squares, dtype=float).reshape(env.n_states, env.n_actions)
