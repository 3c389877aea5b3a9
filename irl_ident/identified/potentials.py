"""Potential shaping: is a difference of rewards ``B f`` for some potential f, and which?

``(B f)(s, a) = f(s) - g T(s, a) . f`` is what can be added to a reward without a change in any soft or optimal policy
(Ng, Harada & Russell 1999; there with the opposite sign of f).  For g < 1, and for g = 1 with certain termination, B
has full column rank: the potential is unique and none of its values is free to be fixed in advance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from irl_ident.environment import Array, Environment


@dataclass(frozen=True, eq=False)
class Shaping:
    """Whether a difference of rewards is potential shaping.

    Attributes
    ----------
    is_shaping : bool
        Whether ``error <= tolerance``.
    potential : array (S,)
        The potential f whose shaping ``B f`` comes nearest to the difference, in least squares.
    error : float
        ``max |difference - B f| / max |difference|``; 0 for a difference of 0.
    """

    is_shaping: bool
    potential: Array
    error: float


def is_shaping(env: Environment, difference: Array, tolerance: float = 1e-9) -> Shaping:
    """Test whether a difference of rewards is potential shaping in ``env``, and find the potential.

    Parameters
    ----------
    env : Environment
        Its shaping matrix has full column rank (also for discount 1 with termination), so that the potential is
        unique and no state's potential may be fixed in advance: a constant potential f shapes by (1 - g) f.
    difference : array (S, A)
        Finite.
    tolerance : float
        Largest ``max |difference - B f| / max |difference|`` that passes.

    Returns
    -------
    Shaping
    """
    given = np.asarray(difference, dtype=float)
    if given.shape != (env.n_states, env.n_actions):
        raise ValueError(f"difference: should have shape {(env.n_states, env.n_actions)}, was {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError("difference: should be finite everywhere")
    if not tolerance >= 0:
        raise ValueError(f"tolerance: was {tolerance!r}, should be at least 0")
    potential = LeastSquares(env.shaping).solution(given.reshape(-1, 1))[:, 0]
    size = float(np.abs(given).max())
    error = float(np.abs(given.ravel() - env.shaping @ potential).max()) / size if size else 0.0
    return Shaping(is_shaping=error <= tolerance, potential=potential, error=error)


class LeastSquares:
    """Least-squares problems with one sparse matrix (n, m) of full column rank, factorised once.

    Solves the augmented system ``[[I, B], [B^T, 0]] [residual; x] = [target; 0]`` with one step of refinement: unlike
    the normal equations it does not square the condition number (Björck 1967).

    Raises
    ------
    ValueError
        When the factorisation finds the columns dependent.
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.shape = matrix.shape
        identity = sparse.eye_array(matrix.shape[0])
        self._augmented = sparse.block_array([[identity, matrix], [matrix.T, None]], format="csc")
        try:
            self._factors = splu(self._augmented)
        except RuntimeError as error:
            raise ValueError(f"matrix: its {self.shape[1]} columns are not independent") from error

    def residual(self, targets: Array) -> Array:
        """What of ``targets`` (n, k) is orthogonal to the columns, (n, k)."""
        return self._solve(targets)[: self.shape[0]]

    def solution(self, targets: Array) -> Array:
        """The coefficients (m, k) that come nearest to ``targets`` (n, k)."""
        return self._solve(targets)[self.shape[0] :]

    def _solve(self, targets: Array) -> Array:
        wanted = np.vstack([targets, np.zeros((self.shape[1], targets.shape[1]))])
        found = self._factors.solve(wanted)
        return np.asarray(found + self._factors.solve(wanted - self._augmented @ found), dtype=float)
