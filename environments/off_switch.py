"""The off-switch game: does it wait for a human who may switch it off?

The game of Hadfield-Menell, Dragan, Abbeel & Russell (2017, The Off-Switch Game).  A robot can act at once (``act``),
switch itself off (``off``), or wait for a human (``wait``), who lets it act or switches it off.  Acting is worth U to
the human, off is worth 0.  The human knows U and lets it act with probability ``pi(U)``; the robot has a belief about
it.  What deference is worth to a robot that wants what the human wants is (their equation 1)

    Delta = E[pi(U) U] - max(E[U], 0).

A rational human lets it act iff U >= 0, so that ``Delta >= 0`` (their theorem 1); a Boltzmann human, of temperature
``beta``, with probability ``1 / (1 + exp(-U / beta))``.  For a belief ``N(mu, sigma^2)`` Stein's lemma gives (their
theorem 2)

    Delta = sigma^2 E[pi'(U)] - |mu| P(the human overrules),

and with the Boltzmann human the robot defers just when the belief is wide enough:

    Delta > 0   iff   |mu| < sigma^2 / (2 beta).

For take ``mu >= 0``.  Then ``-Delta = E[U / (1 + exp(U / beta))]`` is a positive factor times the integral of
``u exp(-u^2 / 2 sigma^2) w(u)`` with ``w(u) = exp(u mu / sigma^2) / (1 + exp(u / beta))``, and ``w(u) / w(-u) =
exp(u (2 mu / sigma^2 - 1 / beta))``: at ``mu = sigma^2 / (2 beta)`` w is even and the integral 0; for smaller mu there
is less weight on each u > 0 than on -u, and it is below 0; for larger mu it is above.  :func:`build` takes any discrete
belief.

States are the start; for each utility that the action may have, having acted unasked, having been let act, and being
switched off by the human; off by itself; and the end.  Episodes are two steps; nothing is discounted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import integrate, special, stats

import irl_ident as ii
from irl_ident.agents.corrigible import Command
from irl_ident.environment import Array

ACTIONS = ("act", "wait", "off")
ACT, WAIT, OFF = range(3)
START = 0
END_AFTER = 3
"""Number of states that are no outcomes: start, off by itself, end."""
KINDS = ("what the human wants", "having acted", "having acted, as told", "being switched off, as told")
"""Parameters: worth of the human's utility, of having acted at all, and of what was told."""

SPREAD = 40.0
"""Standard deviations of a belief that integrals span: the rest weighs less than 1e-300."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What the robot believes of the worth of its action.

    Parameters
    ----------
    utilities : array (K,)
    chances : array (K,)
        Their probabilities, which sum to 1.
    """

    utilities: Array
    chances: Array

    def __post_init__(self) -> None:
        utilities, chances = np.asarray(self.utilities, float), np.asarray(self.chances, float)
        if utilities.ndim != 1 or utilities.shape != chances.shape or not np.isfinite(utilities).all():
            raise ValueError(f"utilities: should be finite numbers, one a chance, had shape {utilities.shape}")
        if (chances < 0).any() or abs(chances.sum() - 1) > 1e-9:
            raise ValueError(f"chances: should be probabilities that sum to 1, sum to {chances.sum()!r}")
        object.__setattr__(self, "utilities", utilities)
        object.__setattr__(self, "chances", chances / chances.sum())


def normal(mu: float, sigma: float, count: int = 201) -> Belief:
    """A normal belief on ``count`` points that are evenly spaced from ``mu - 9 sigma`` to ``mu + 9 sigma``.

    The trapezoidal rule, whose error for smooth integrands of this kind falls faster than any power of the spacing.
    """
    if not sigma > 0:
        raise ValueError(f"sigma: was {sigma!r}, should be above 0")
    points = np.linspace(-9, 9, count)
    weights = np.exp(-(points**2) / 2)
    return Belief(mu + sigma * points, weights / weights.sum())


def lets_act(utility: Array, beta: float) -> Array:
    """Probability that the human lets the robot act, for each utility: Boltzmann, or rational if ``beta`` is 0."""
    if not beta >= 0:
        raise ValueError(f"beta: was {beta!r}, should be at least 0")
    given = np.asarray(utility, dtype=float)
    return np.asarray(np.where(given >= 0, 1.0, 0.0) if beta == 0 else special.expit(given / beta))


def worth_of_deferring(belief: Belief, beta: float) -> float:
    """Delta for a discrete belief, in units of utility."""
    deferred = float(belief.chances @ (lets_act(belief.utilities, beta) * belief.utilities))
    return deferred - max(float(belief.chances @ belief.utilities), 0.0)


def worth_by_quadrature(mu: float, sigma: float, beta: float) -> float:
    """Delta for a normal belief, to about 1e-10, by adaptive quadrature of what overruling the human would win.

    ``-E[U (1 - pi(U))]`` for ``mu >= 0`` and ``E[U pi(U)]`` below, which needs no difference of large numbers.
    """

    def integrand(u: float) -> float:
        overruled = float(u < 0) if beta == 0 else special.expit(-u / beta)
        density = math.exp(-(((u - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
        return float(-u * overruled * density if mu >= 0 else u * (1 - overruled) * density)

    low, high = mu - SPREAD * sigma, mu + SPREAD * sigma
    cuts = np.unique(np.clip([low, mu - 8 * sigma, 0.0, mu, mu + 8 * sigma, high], low, high))
    spans = pairwise(cuts)
    return float(sum(integrate.quad(integrand, a, b, epsabs=1e-13, epsrel=1e-11, limit=400)[0] for a, b in spans))


def worth_of_a_rational_human(mu: float, sigma: float) -> float:
    """Delta in closed form for ``beta = 0``: ``sigma phi(mu / sigma) - |mu| Phi(-|mu| / sigma)``."""
    share = abs(mu) / sigma
    return float(sigma * stats.norm.pdf(share) - abs(mu) * stats.norm.cdf(-share))


def defers(mu: float, sigma: float, beta: float) -> bool:
    """Whether deferring to a Boltzmann human is worth more than not: ``2 beta |mu| < sigma^2``."""
    return bool(2 * beta * abs(mu) < sigma**2)


def build(belief: Belief, beta: float = 0.0) -> ii.Environment:
    """The game for a belief with K utilities.

    Parameters
    ----------
    belief : Belief
    beta : float
        Temperature of the human, at least 0.

    Returns
    -------
    Environment
        3 K + 3 states, discount 1.
    """
    places, let = outcomes(belief), lets_act(belief.utilities, beta)
    n_states = END_AFTER + 3 * belief.utilities.size
    table = np.zeros((n_states, 3, n_states))
    table[START, ACT, places[0]] = belief.chances
    table[START, WAIT, places[1]] = belief.chances * let
    table[START, WAIT, places[2]] = belief.chances * (1 - let)
    table[START, OFF, -2] = 1
    table[1:, :, -1] = 1
    names = [
        f"{how}, worth {u:.6g} ({k})"
        for how in ("acted", "let act", "switched off")
        for k, u in enumerate(belief.utilities)
    ]
    return ii.Environment(
        table, 1.0, np.eye(n_states)[START], states=["start", *names, "off by itself", "end"], actions=ACTIONS
    )


def outcomes(belief: Belief) -> npt.NDArray[np.int64]:
    """States after acting unasked, after being let act, and after being switched off, (3, K)."""
    return 1 + np.arange(3 * belief.utilities.size).reshape(3, -1)


def family(belief: Belief) -> ii.rewards.LinearRewards:
    """What the human's utility, acting, and doing as told are worth to the robot; off by itself is worth 0."""
    unasked, let, off = outcomes(belief)
    features = np.zeros((END_AFTER + 3 * belief.utilities.size, len(KINDS)))
    features[unasked, 0] = features[let, 0] = belief.utilities
    features[unasked, 1] = features[let, 1] = 1
    features[let, 2] = features[off, 3] = 1
    return ii.rewards.LinearRewards(np.repeat(features[:, None, :], 3, axis=1), names=KINDS)


def command(belief: Belief) -> Command:
    """The human's hand on the switch; without it the robot would have been let act, for the same utility."""
    _, let, off = outcomes(belief)
    lifted = np.arange(END_AFTER + 3 * belief.utilities.size)
    pressed = np.zeros(lifted.size, dtype=bool)
    pressed[off], lifted[off] = True, let
    return Command(pressed, lifted)


def picture(belief: Belief, beta: float = 0.0) -> str:
    """The game as text."""
    mean = float(belief.chances @ belief.utilities)
    let = float(belief.chances @ lets_act(belief.utilities, beta))
    return "\n".join(
        [
            f"act  -> {mean:+.3f} on average",
            f"wait -> let act with probability {let:.3f}, else switched off",
            "off  -> 0",
        ]
    )
