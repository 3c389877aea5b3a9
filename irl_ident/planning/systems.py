"""Linear systems of a policy: ``(I - C_pi) x = b`` and its transpose.

``C_pi`` (S, S) averages the rows of ``env.continuation`` by the policy.  Values solve the system, occupancies its
transpose: with discount g below 1 the matrix is ``I - g P_pi``; with discount 1 its absorbing rows are those of ``I``
and it is regular because every policy terminates.  In both cases the inverse is ``I + C_pi + C_pi^2 + ...``, with no
negative entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg

from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import policy_on
from irl_ident.planning.krylov import bicgstab
from irl_ident.planning.structure import Method, method_for

RESIDUAL = 1e-12
"""Largest residual of a solution, as a share of ``max |b| + max |x|``, that a solve returns."""
KRYLOV_STEPS = 2000
"""BiCGSTAB steps before a sparse LU factorisation is tried instead."""
COLUMNS = 64
"""Right-hand sides that BiCGSTAB carries at once."""


@dataclass(frozen=True, eq=False)
class PolicySystem:
    """``I - chain``, factorised once for any number of right-hand sides.

    Parameters
    ----------
    chain : sparse array (S, S)
        Discounted transition probabilities under a policy, ``C_pi``.
    method : {"dense LU", "sparse LU", "substitution", "BiCGSTAB"}
        How to solve.  Substitution is sparse LU in the order of the states, without pivoting.  BiCGSTAB falls back on
        sparse LU where it does not converge.
    """

    chain: sparse.csr_array
    method: Method

    def solve(self, right: npt.ArrayLike) -> Array:
        """Solve ``(I - chain) x = right``.

        Parameters
        ----------
        right : array (S,) or (S, m)

        Returns
        -------
        array like ``right``

        Raises
        ------
        ArithmeticError
            When no method brings the residual down to ``RESIDUAL * (max |right| + max |x|)``.
        """
        return self._solved(right, transposed=False)

    def solve_transposed(self, right: npt.ArrayLike) -> Array:
        """Solve ``(I - chain).T x = right``; otherwise as :meth:`solve`."""
        return self._solved(right, transposed=True)

    def _solved(self, right: npt.ArrayLike, *, transposed: bool) -> Array:
        given = np.asarray(right, dtype=float)
        n_states = self.chain.shape[0]
        if given.ndim not in (1, 2) or given.shape[0] != n_states:
            raise ValueError(f"right: should have shape ({n_states},) or ({n_states}, m), was {given.shape}")
        b = given.reshape(n_states, -1)
        matrix = self._transposed_chain if transposed else self.chain
        x, converged = self._iterated(matrix, b) if self.method == "BiCGSTAB" else (b, False)
        if not converged:
            x = self._direct(b, transposed=transposed)
            x += self._direct(b - x + matrix @ x, transposed=transposed)
            allowed = RESIDUAL * (np.abs(b).max(initial=0) + np.abs(x).max(initial=0))
            worst = np.abs(b - x + matrix @ x).max(initial=0)
            if not worst <= allowed:
                raise ArithmeticError(
                    f"the policy's linear system was solved to residual {worst:.1e}, above {allowed:.1e}"
                )
        return x.reshape(given.shape)

    def _iterated(self, matrix: sparse.csr_array, b: Array) -> tuple[Array, bool]:
        solved = np.empty_like(b)
        for first in range(0, b.shape[1], COLUMNS):
            part = np.ascontiguousarray(b[:, first : first + COLUMNS].T)
            target = RESIDUAL * np.maximum(np.abs(part).max(axis=1), np.finfo(float).tiny)
            x, size, _ = bicgstab(lambda rows: _product(matrix, rows), part, part, target, KRYLOV_STEPS)
            if not (size <= RESIDUAL * (np.abs(part).max(axis=1) + np.abs(x).max(axis=1))).all():
                return b, False
            solved[:, first : first + COLUMNS] = x.T
        return solved, True

    def _direct(self, b: Array, *, transposed: bool) -> Array:
        if self.method == "dense LU":
            solved: Array = linalg.lu_solve(self._factors, b, trans=1 if transposed else 0, check_finite=False)
        else:
            solved = self._factors.solve(np.ascontiguousarray(b), trans="T" if transposed else "N")
        return solved

    @cached_property
    def _factors(self) -> Any:
        n_states = self.chain.shape[0]
        if self.method == "dense LU":
            return linalg.lu_factor(np.eye(n_states) - self.chain.toarray(), check_finite=False, overwrite_a=True)
        matrix = sparse.csc_array(sparse.eye_array(n_states, format="csc") - self.chain)
        if self.method == "substitution":
            return sparse_linalg.splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, relax=1, panel_size=1)
        return sparse_linalg.splu(matrix)

    @cached_property
    def _transposed_chain(self) -> sparse.csr_array:
        return sparse.csr_array(self.chain.T)


def policy_system(env: Environment, policy: npt.ArrayLike) -> PolicySystem:
    """The linear system of ``policy`` in ``env``, by the method that suits the environment's structure.

    Parameters
    ----------
    env : Environment
    policy : array (S, A)
        Probabilities of actions.

    Returns
    -------
    PolicySystem
        Of ``I - C_pi``.

    Examples
    --------
    >>> import numpy as np
    >>> from irl_ident import Environment
    >>> env = Environment(np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), discount=0.5)
    >>> policy_system(env, [[1.0], [1.0]]).solve([3.0, 0.0])
    array([4., 2.])
    """
    return PolicySystem(chain_of(env, policy_on(env, policy)), method_for(env))


def chain_of(env: Environment, policy: Array) -> sparse.csr_array:
    """``C_pi``, sparse (S, S)."""
    pointer = np.arange(0, policy.size + 1, env.n_actions)
    average = sparse.csr_array((policy.ravel(), np.arange(policy.size), pointer), shape=(env.n_states, policy.size))
    return sparse.csr_array(average @ env.continuation)


def _product(matrix: sparse.csr_array, rows: Array) -> Array:
    product: Array = (matrix @ rows[0])[None] if len(rows) == 1 else (matrix @ rows.T).T
    return product
