"""Optimal play of Bernoulli bandits with flat priors: index of one arm, and value of several.

An arm that gave s ones and f zeros has the mean mu = (1 + s) / (2 + s + f).  With m pulls left, its finite-horizon
Gittins index (Gittins, Glazebrook & Weber 2011, section 2.4) is the largest rate at which it can pay until some
stopping time tau,

    g_m(s, f) = max over 1 <= tau <= m of  E[ones until tau] / E[tau],

which is the pay of a sure arm for which one would be indifferent between that and beginning with this one.  The
maximum of a ratio is found by Dinkelbach's iteration (1967): for a rate lambda stop optimally at the cost lambda a
pull, take the ratio of that stopping time as the next lambda, until it stays.  The rates rise, so the iteration ends.

Choosing the arm of largest index is optimal for one uncertain arm and a sure one, and for any number of arms when the
horizon is infinite and pay is discounted (Gittins 1979), but not quite for several arms and a finite horizon, for
which :func:`optimal_value` gives the optimum.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

LARGEST = 200
"""Pulls for which indices are computed: work grows with the fifth power."""

SAME = 1e-12
"""Rates that differ by less are the same."""


@lru_cache(maxsize=8)
def gittins_indices(horizon: int) -> Array:
    """Finite-horizon Gittins indices.

    Parameters
    ----------
    horizon : int
        H, from 1 to ``LARGEST``.

    Returns
    -------
    array (H, H, H)
        Entry m - 1, s, f: the index with m pulls left after s ones and f zeros, for m + s + f <= H; NaN elsewhere.
        Read-only.

    Raises
    ------
    ValueError
        For another horizon.
    """
    if horizon != int(horizon) or not 1 <= horizon <= LARGEST:
        raise ValueError(f"horizon: was {horizon!r}, should be a whole number from 1 to {LARGEST}")
    indices = np.full((horizon, horizon, horizon), np.nan)
    total = np.add.outer(np.arange(horizon), np.arange(horizon))
    for left in range(1, horizon + 1):
        ones, zeros = (np.asarray(part, dtype=np.int64) for part in np.nonzero(total <= horizon - left))
        rate = (1 + ones) / (2 + ones + zeros) if left == 1 else indices[left - 2, ones, zeros]
        open_ = np.arange(ones.size)
        while open_.size:
            better = _stopping_rate(ones[open_], zeros[open_], left, rate[open_])
            rises = better > rate[open_] + SAME
            rate[open_] = np.maximum(rate[open_], better)
            open_ = open_[rises]
        indices[left - 1, ones, zeros] = rate
    indices.flags.writeable = False
    return indices


def _stopping_rate(ones: Integers, zeros: Integers, left: int, rate: Array) -> Array:
    """E[ones] / E[tau] of the stopping time, 1..left, that is best at a cost of ``rate`` a pull; all arrays (n,)."""
    paid = np.zeros((ones.size, left + 1))
    time = np.zeros((ones.size, left + 1))
    for pulled in range(left - 1, -1, -1):
        more = np.arange(pulled + 1)
        mean = (1 + ones[:, None] + more) / (2 + (ones + zeros)[:, None] + pulled)
        paid = mean * (1 + paid[:, 1 : pulled + 2]) + (1 - mean) * paid[:, : pulled + 1]
        time = 1 + mean * time[:, 1 : pulled + 2] + (1 - mean) * time[:, : pulled + 1]
        if pulled:
            worth = paid > rate[:, None] * time
            paid, time = paid * worth, time * worth
    return np.asarray(paid[:, 0] / time[:, 0])


def optimal_value(arms: int, pulls: int) -> float:
    """Expected number of ones under optimal play of Bernoulli bandits, p uniform on [0, 1].

    By dynamic programming on what all arms have given.  Arms are exchangeable, so states are multisets of (ones, zeros)
    of the arms that were pulled; more arms than pulls are of no use.

    Parameters
    ----------
    arms, pulls : int
        At least 1.  Memory and time grow fast with the pulls if there are many arms: 10 take 0.1 s, 20 half a minute.

    Returns
    -------
    float
    """
    for name, number in (("arms", arms), ("pulls", pulls)):
        if number != int(number) or number < 1:
            raise ValueError(f"{name}: was {number!r}, should be a whole number of at least 1")

    @cache
    def value(given: tuple[tuple[int, int], ...], left: int) -> float:
        if left == 0:
            return 0.0
        fresh = [(0, 0)] if len(given) < arms else []
        return max(worth(given, arm, left) for arm in {*given, *fresh})

    def worth(given: tuple[tuple[int, int], ...], arm: tuple[int, int], left: int) -> float:
        others = list(given)
        if arm in others:
            others.remove(arm)
        ones, zeros = arm
        mean = (1 + ones) / (2 + ones + zeros)
        paid = tuple(sorted([*others, (ones + 1, zeros)]))
        unpaid = tuple(sorted([*others, (ones, zeros + 1)]))
        return mean * (1 + value(paid, left - 1)) + (1 - mean) * value(unpaid, left - 1)

    return value((), pulls)
