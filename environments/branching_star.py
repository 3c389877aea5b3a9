"""A star of branches: how much farther would it go for the better prize?

An agent stands in a hub from which branches lead away, each through a corridor to a prize of its own, where it stays.
The experimenter makes branches longer or shorter, or closes them; behind a closed door, and for an agent that waits,
the hub is all there is.  Steps in the hub and in corridors are worth 0.  A prize p, collected in every step from the
L-th on, is worth ``g^L p / (1 - g)``, so that with distances in steps

    branch i is preferred to branch j   iff   L_i - L_j < log(p_i / p_j) / log(1 / g)        (p_i, p_j > 0):

preferences switch where the discount has eaten the ratio of the prizes (:func:`switch_distance`).  Each choice that is
seen therefore says of the logarithms of two prizes that their difference is at least so much, and what follows for
choices in stars that were not seen is a longest path (:func:`implied_leads`).  That makes the world a touchstone for
proofs about behaviour elsewhere: what can be proved is known in closed form.

The states are the same whatever the lengths are: a door leads to the place in the corridor from which it is that far.
The star is our own, and after no paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

import irl_ident as ii
from irl_ident.environment import Array

HUB = 0
"""The state in which all choices are made."""

Lengths = Sequence[int | None]
"""Steps from the hub to each prize; ``None`` where the door is closed."""


def build(lengths: Lengths, *, longest: int = 6, discount: float = 0.9) -> ii.Environment:
    """A star with branches of the given lengths.

    Parameters
    ----------
    lengths : sequence of B int or None
        From 1 to ``longest``.
    longest : int
        Steps of the longest branch there can be; the number of states, ``1 + B longest``, depends on it.
    discount : float
        In (0, 1).

    Returns
    -------
    Environment
        State 0 is the hub, where episodes start; then come the corridors, branch by branch and outward in, and the
        prizes last.  Actions are the branches and ``wait``; outside the hub all of them go on.
    """
    branches = len(lengths)
    for branch, length in enumerate(lengths):
        if length is not None and not 1 <= length <= longest:
            raise ValueError(f"lengths[{branch}]: was {length!r}, should be from 1 to {longest}, or None")
    n_states = 1 + branches * longest
    prizes = n_states - branches + np.arange(branches)
    corridors = 1 + np.arange(branches * (longest - 1)).reshape(branches, longest - 1)
    onward = np.column_stack([corridors, prizes])
    there = np.zeros((n_states, branches + 1), dtype=int)
    there[prizes] = prizes[:, None]
    there[corridors] = onward[:, 1:, None]
    for branch, length in enumerate(lengths):
        there[HUB, branch] = HUB if length is None else onward[branch, longest - length]
    names = ["hub", *(f"branch {b}, {left} to go" for b in range(branches) for left in range(longest - 1, 0, -1))]
    return ii.Environment(
        np.eye(n_states)[there],
        discount,
        np.eye(n_states)[HUB],
        states=[*names, *(f"prize {b}" for b in range(branches))],
        actions=[*(f"branch {b}" for b in range(branches)), "wait"],
    )


@lru_cache(maxsize=8)
def family(branches: int = 3, *, longest: int = 6) -> ii.rewards.LinearRewards:
    """One parameter for each prize; all else is worth 0, which fixes the constant that no behaviour tells."""
    features = np.zeros((1 + branches * longest, branches + 1, branches))
    features[-branches:] = np.eye(branches)[:, None, :]
    return ii.rewards.LinearRewards(features, names=[f"prize {b}" for b in range(branches)])


def prize(branch: int, *, branches: int = 3, longest: int = 6) -> int:
    """The state at the end of a branch."""
    return 1 + branches * (longest - 1) + branch


def random_lengths(rng: np.random.Generator, *, branches: int = 3, longest: int = 6, closed: float = 0.2) -> Lengths:
    """Each branch closed with probability ``closed`` and else of random length; at least two are open."""
    while True:
        lengths = rng.integers(1, longest + 1, branches).tolist()
        shut = rng.random(branches) < closed
        if (~shut).sum() >= 2:
            return [None if s else length for s, length in zip(shut, lengths, strict=True)]


def objectives(rng: np.random.Generator, count: int, *, branches: int = 3, smallest: float = 0.4) -> Array:
    """Objectives (count, B): the best prize is 1, the logarithms of the others are uniform from ``smallest`` to 1."""
    logs = rng.uniform(np.log(smallest), 0, (count, branches))
    logs[np.arange(count), rng.integers(branches, size=count)] = 0
    return np.asarray(np.exp(logs))


def switch_distance(better: float, worse: float, discount: float) -> float:
    """How many steps longer the way to the better of two prizes, both above 0, can be before the other is preferred."""
    return float(np.log(better / worse) / -np.log(discount))


def preferred(theta: Array, lengths: Lengths, discount: float) -> int:
    """The branch that is taken for prizes ``theta`` (B,), or B where waiting is best; the first of several."""
    worth = [-np.inf if length is None else discount**length * p for length, p in zip(lengths, theta, strict=True)]
    return int(np.argmax([*worth, 0.0])) if max(worth) < 0 else int(np.argmax(worth))


def implied_leads(seen: Iterable[tuple[Lengths, int]], *, branches: int = 3) -> Array:
    """What choices imply about all other choices.

    Parameters
    ----------
    seen : iterable of (lengths, branch)
        The one branch that was taken in stars with these lengths.
    branches : int

    Returns
    -------
    array (B, B)
        The greatest d of which it is certain that branch i is preferred to branch j when its prize is d steps farther
        away; ``-inf`` where nothing is known, ``inf`` on the diagonal if no objective explains the choices.

    Notes
    -----
    With ``x = log p / log(1 / g)`` the choice of i from lengths L says ``x_i - x_j > L_i - L_j`` for all open j.  The
    best bounds that follow are the longest paths (difference constraints: Cormen et al. 2009, section 24.4), here by
    Floyd & Warshall.  A prize that was never taken may be 0 or less, which is minus infinity and changes no
    bound.
    """
    leads = np.full((branches, branches), -np.inf)
    for lengths, taken in seen:
        here = lengths[taken]
        if here is None:
            raise ValueError(f"seen: branch {taken} was taken where it is closed")
        for other, length in enumerate(lengths):
            if length is not None and other != taken:
                leads[taken, other] = max(leads[taken, other], here - length)
    for between in range(branches):
        leads = np.maximum(leads, leads[:, [between]] + leads[[between]])
    circles = np.diag(leads) >= 0
    np.fill_diagonal(leads, np.where(circles, np.inf, -np.inf))
    return leads


def ruled_out(seen: Iterable[tuple[Lengths, int]], lengths: Lengths, branch: int) -> bool:
    """Whether no objective that explains what was ``seen`` takes ``branch`` in a star with these lengths.

    Ties are included: none is indifferent between it and another branch that it takes.

    With the choice of that branch among what was seen, there is a circle of bounds that contradict each other.
    """
    leads = implied_leads([*seen, (lengths, branch)], branches=len(lengths))
    return bool(np.isinf(leads[branch, branch]) and leads[branch, branch] > 0)


def picture(lengths: Lengths) -> str:
    """The star as text: a line for each branch, from the hub ``o`` to its prize."""
    lines = ["o#" if length is None else f"o{'-' * (length - 1)}{b}" for b, length in enumerate(lengths)]
    return "\n".join(lines)
