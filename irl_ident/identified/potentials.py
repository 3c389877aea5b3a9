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
    potential = np.asarray(least_squares(env.shaping, given.reshape(-1, 1))[:, 0])
    size = float(np.abs(given).max())
    error = float(np.abs(given.ravel() - env.shaping @ potential).max()) / size if size else 0.0
    return Shaping(is_shaping=error <= tolerance, potential=potential, error=error)


def least_squares(shaping: sparse.csr_array, targets: Array) -> Array:
    """Least-squares potentials (S, m) of ``targets`` (S*A, m), through the augmented system of a sparse B of full
    column rank.

    ``[[I, B], [B^T, 0]] [residual; potential] = [target; 0]`` with one sparse factorisation and one step of
    refinement: unlike the normal equations it does not square the condition number (Björck 1967).
    """
    n_rows, n_states = shaping.shape
    augmented = sparse.block_array([[sparse.eye_array(n_rows), shaping], [shaping.T, None]], format="csc")
    factors = splu(augmented)
    wanted = np.vstack([targets, np.zeros((n_states, targets.shape[1]))])
    found = factors.solve(wanted)
    found = found + factors.solve(wanted - augmented @ found)
    return np.asarray(found[n_rows:], dtype=float)
