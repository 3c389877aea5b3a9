"""Statements about the choices of agents that err, right together at every time with probability at least 1 - level.

An agent is optimal but for errors: whatever has happened before, an action that is *not* optimal in the state is taken
with probability at most ``p0 = error / A``.  (The agent that takes a uniformly random action with probability up to
``error``; so does a record in which the action is replaced by a random one with probability ``noise``, which makes
``error = 1 - (1 - e)(1 - noise)`` of an agent that errs with probability e; give such a record as counts, since
trajectories with steps that are impossible in the environment are refused.)  Of ``n`` choices in a state let ``m`` be
of action a.  With ``q_k = (1 - error) / k + p0``, what a tie among k optimal actions gives to each,

    E = (1/A) sum_k (q_k / p0)^m ((1 - q_k) / (1 - p0))^(n - m)

is a nonnegative supermartingale from 1 while a is not optimal, because no choice can raise it in expectation.  By
Ville's (1939) inequality it then ever reaches ``1 / alpha`` with probability at most alpha, at any stopping time and
however environments were chosen meanwhile: when it does, "a is optimal" is stated (betting against the hypothesis:
Howard, Ramdas, McAuliffe & Sekhon 2021; Waudby-Smith & Ramdas 2024).

If ties are broken *evenly*, an optimal action has probability at least ``1 / A``, and

    E' = (error)^m ((A - error) / (A - 1))^(n - m)

is such a supermartingale while a is optimal: when it reaches ``1 / alpha``, "a is worse" is stated.  Just one of both
hypotheses is true of an action, so the k-th environment with ``alpha = level / (k (k + 1) S A)`` spends ``level / (k (k
+ 1))``, and all environments together no more than ``level``: a union bound, valid without knowing how many will come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident.environment import Array, Mask

Ties = Literal["any", "even"]
"""How an agent chooses among optimal actions: in whatever way, or with the same probability."""


MOST_NEEDED = 1000
"""More choices than this are not counted."""


@dataclass(frozen=True, eq=False)
class Statements:
    """What is stated of one environment.

    Attributes
    ----------
    optimal, worse : bool (S, A)
        Actions that are stated to be optimal; to be no optimal ones.
    """

    optimal: Mask
    worse: Mask


def log_evidence_optimal(counts: npt.ArrayLike, error: float) -> Array:
    """Logarithm of E, the evidence against "the action is not optimal" (see the module).

    Parameters
    ----------
    counts : array (..., A)
        How often each action of a state was taken.
    error : float
        In [0, 1].

    Returns
    -------
    array (..., A)
        ``inf`` where an agent without error took the action.

    Examples
    --------
    >>> np.exp(log_evidence_optimal([1, 0], error=0.5)).round(6)
    array([2.5, 0.5])
    """
    taken, others = _split(counts)
    n_actions = taken.shape[-1]
    slip = error / n_actions
    chance = ((1 - error) / np.arange(1, n_actions + 1) + slip).reshape(-1, *[1] * taken.ndim)
    with np.errstate(divide="ignore"):
        bets = special.xlogy(taken, chance) + special.xlogy(others, np.maximum(1 - chance, 0))
        null = special.xlogy(taken, slip) + special.xlogy(others, 1 - slip)
    return np.asarray(special.logsumexp(bets, axis=0) - np.log(n_actions) - null)


def log_evidence_worse(counts: npt.ArrayLike, error: float) -> Array:
    """Logarithm of E', the evidence against "the action is optimal", of an agent that breaks ties evenly.

    Parameters
    ----------
    counts : array (..., A)
    error : float
        In [0, 1].

    Returns
    -------
    array (..., A)

    Examples
    --------
    >>> np.exp(log_evidence_worse([2, 0], error=0.5)).round(6)
    array([0.25, 2.25])
    """
    taken, others = _split(counts)
    n_actions = taken.shape[-1]
    with np.errstate(divide="ignore"):
        bet = special.xlogy(taken, error / n_actions) + special.xlogy(others, 1 - error / n_actions)
        null = special.xlogy(taken, 1 / n_actions) + special.xlogy(others, 1 - 1 / n_actions)
    return np.asarray(bet - null)


def log_threshold(place: int, n_states: int, n_actions: int, level: float) -> float:
    """``log(1 / alpha)`` for each statement about the environment that was the ``place``-th to be seen, from 1."""
    return float(np.log(place * (place + 1) * n_states * n_actions / level))


def statements(history: Iterable[npt.ArrayLike], error: float, threshold: float, ties: Ties) -> Statements:
    """All that was stated of an environment while observations came in.

    Parameters
    ----------
    history : iterable of array (S, A)
        Counts of the observations, one after the other; at least one.  They add up, and what was stated after any of
        them stays.
    error : float
    threshold : float
        ``log(1 / alpha)``, from :func:`log_threshold`.
    ties : {"any", "even"}
        Only for agents that break ties evenly is anything stated to be worse.
    """
    pieces = np.array([np.asarray(counts) for counts in history])
    total = np.cumsum(pieces, axis=0)
    optimal = np.asarray((log_evidence_optimal(total, error) >= threshold).any(axis=0))
    if ties == "any":
        return Statements(optimal, np.zeros_like(optimal))
    return Statements(optimal, np.asarray((log_evidence_worse(total, error) >= threshold).any(axis=0)))


def choices_needed(counts: npt.ArrayLike, error: float, threshold: float) -> float:
    """How many more choices of the same action would state it to be optimal, in the state that needs fewest.

    Parameters
    ----------
    counts : array (S, A)
        S at least 1; of every state the action that was taken most often is looked at.
    error, threshold : float
        As for :func:`statements`.

    Returns
    -------
    float
        A whole number; infinite where no number of choices would do.
    """
    taken = np.asarray(counts, dtype=float)
    states, often = np.arange(len(taken)), taken.argmax(axis=1)
    for more in range(MOST_NEEDED + 1):
        further = taken.copy()
        further[states, often] += more
        if (log_evidence_optimal(further, error)[states, often] >= threshold).any():
            return float(more)
    return float("inf")


def checked_share(argument: str, value: float, least: str = "above") -> float:
    """``value`` as a float in (0, 1), or in [0, 1) for ``least`` "at least"; ``ValueError`` otherwise."""
    given = float(value)
    if not (given < 1 and (given > 0 or (least == "at least" and given == 0))):
        raise ValueError(f"{argument}: was {value!r}, should be {least} 0 and below 1")
    return given


def _split(counts: npt.ArrayLike) -> tuple[Array, Array]:
    taken = np.asarray(counts, dtype=float)
    return taken, taken.sum(axis=-1, keepdims=True) - taken
