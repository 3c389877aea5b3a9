"""Feature expectations between bounds that hold for all features and policies at once.

With N episodes of a policy, sums X in an interval of length R and their unbiased variance v, an empirical Bernstein
bound (Maurer & Pontil 2009, theorem 4, both sides) holds at every N:

    |E X - mean X| <= sqrt(2 v log(4 / q) / N) + 7 R log(4 / q) / (3 (N - 1))       with probability at least 1 - q.

Without R the half-width is Student's ``t_{N-1}(1 - q/2) sqrt(v / N)``, right as N grows (and at every N for normal
sums); sums that were all the same it takes as exact, whatever is rare and was not seen yet.  Either way ``q = level /
(number of features x number of bounds)``, so that by Bonferroni's inequality all bounds hold together with probability
at least ``1 - level``; what was cut off is added.

The difference of two policies' expectations is bounded as one variable where both were measured from the same resets:
common random numbers make its variance small, and R doubles.  Otherwise the bounds of both are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from irl_ident.environment import Array
from irl_ident.simulators.base import FeatureSums


@dataclass(frozen=True, eq=False)
class Differences:
    """``mu(demonstrator) - mu(alternative k)`` between bounds.

    Attributes
    ----------
    means : array (K, d)
        Estimates.
    widths : array (K, d)
        ``w``: half-widths that hold for all entries together with probability at least ``1 - level``.
    exact : bool
        Whether they hold at every number of episodes, not only asymptotically.
    """

    means: Array
    widths: Array
    exact: bool


def half_widths(sums: Array, span: Array | None, share: float) -> Array:
    """Half-widths for the means of ``sums`` (N, d), (d,), each with probability at least ``1 - share``.

    Parameters
    ----------
    sums : array (N, d)
    span : array (d,) or None
        R, see the module; None for Student's t.
    share : float
        q in (0, 1).
    """
    n = sums.shape[0]
    variance = sums.var(axis=0, ddof=1)
    if span is None:
        return np.asarray(stats.t.ppf(1 - share / 2, n - 1) * np.sqrt(variance / n))
    logarithm = np.log(4 / share)
    return np.asarray(np.sqrt(2 * variance * logarithm / n) + 7 * span * logarithm / (3 * (n - 1)))


def confidence(measured: Sequence[FeatureSums], level: float) -> tuple[Array, Array]:
    """Means and simultaneous half-widths of several policies' feature expectations.

    Parameters
    ----------
    measured : sequence of FeatureSums
    level : float
        Probability, in (0, 1), that some of the intervals may miss.

    Returns
    -------
    array (K, d), array (K, d)
        Truncation is part of the half-widths.
    """
    check_level(level)
    if not measured:
        raise ValueError("measured: should hold at least one FeatureSums, was empty")
    share = level / (len(measured) * measured[0].sums.shape[1])
    widths = [half_widths(one.sums, one.span, share) + one.truncation for one in measured]
    return np.array([one.mean for one in measured]), np.array(widths)


def differences(demonstrator: FeatureSums, alternatives: Sequence[FeatureSums], level: float) -> Differences:
    """What the demonstrator collects more than each alternative, between simultaneous bounds.

    Parameters
    ----------
    demonstrator : FeatureSums
    alternatives : sequence of FeatureSums
        K of them.  Those measured from the demonstrator's resets should have been chosen without looking at the
        demonstrator's sums.
    level : float
        In (0, 1), shared by all.
    """
    check_level(level)
    dim = demonstrator.sums.shape[1]
    share = level / (dim * (len(alternatives) + 1))
    means = np.array([demonstrator.mean - one.mean for one in alternatives]).reshape(-1, dim)
    widths = np.array([_width(demonstrator, one, share) for one in alternatives]).reshape(-1, dim)
    exact = all(one.span is not None for one in (demonstrator, *alternatives))
    return Differences(means, widths, exact)


def check_level(level: float) -> None:
    """``ValueError`` unless ``level`` is in (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level: was {level!r}, should be in (0, 1)")


def _width(one: FeatureSums, other: FeatureSums, share: float) -> Array:
    cut = one.truncation + other.truncation
    if one.paired_with(other):
        span = one.span + other.span if one.span is not None and other.span is not None else None
        return half_widths(one.sums - other.sums, span, share) + cut
    return half_widths(one.sums, one.span, share) + half_widths(other.sums, other.span, share) + cut
