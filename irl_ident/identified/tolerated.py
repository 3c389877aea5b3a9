"""What training tolerates: objectives whose pursuit costs little under the base objective.

Behaviour identifies an objective up to what it allows; training selects one only up to what it would have noticed.  An
agent that optimises theta' has, under the base objective theta in the environments it was trained in, the regret

    L(theta') = V(theta) - m(theta') . theta,        V(theta) = max over policies of m . theta,

with m(theta') the feature expectations of its policy.  ``{theta' : L(theta') <= eps}`` is what training to within eps
of the optimum could have left; it can be the wider of the two sets, and then behaviour that looks like one objective
exactly may be training's accident.

``m(theta')`` is a subgradient of V at theta', so L is the Bregman divergence of V between base and other objective.
It does not fall along a ray from the base: for t < u, with ``m_t`` the expectations at ``theta + t d``,
``(m_u - m_t) . d >= 0`` as V is convex, and ``m_t . (theta + t d) >= m_u . (theta + t d)`` as ``m_t`` is optimal there;
so ``(m_t - m_u) . theta >= t (m_u - m_t) . d >= 0``.  The set is star-shaped around the base, and bisection finds its
ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.identified.base import checked_direction, checked_environments
from irl_ident.planning.checks import positive
from irl_ident.planning.line import Lines
from irl_ident.planning.ties import ROUNDING
from irl_ident.rewards import RewardFamily


@dataclass(frozen=True, eq=False)
class ToleratedSet:
    """Objectives with a regret of at most ``tolerance`` under the base objective.

    Parameters
    ----------
    family : RewardFamily
    base : array (d,)
        The base objective.
    environments : sequence of Environment
        Where the agent was trained; regrets are means over them.
    tolerance : float
        eps, at least 0, in units of return.
    """

    family: RewardFamily
    base: Array
    environments: Sequence[Environment]
    tolerance: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", self.family.checked(self.base))
        if not checked_environments(self.environments):
            raise ValueError("environments: should hold at least one environment")
        if not (np.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"tolerance: was {self.tolerance!r}, should be finite and at least 0")

    @cached_property
    def optimum(self) -> float:
        """Greatest return under the base objective, from the initial distribution; the mean over environments."""
        best = [
            env.initial @ planning.optimal(env, self.family.reward(env, self.base)).values for env in self.environments
        ]
        return float(np.mean(best))

    def regret(self, theta: npt.ArrayLike) -> float:
        """Return lost under the base objective by the optimal agent for ``theta`` (d,), which breaks ties evenly."""
        given, reached = self.family.checked(theta), []
        for env in self.environments:
            policy = planning.optimal(env, self.family.reward(env, given)).policy
            reached.append(env.initial @ planning.evaluate(env, self.family.reward(env, self.base), policy))
        return max(0.0, self.optimum - float(np.mean(reached)))

    def contains(self, theta: npt.ArrayLike) -> bool:
        """Whether optimising ``theta`` (d,) costs no more than the tolerance."""
        return self.regret(theta) <= self.tolerance + ROUNDING * abs(self.optimum)

    def reach(self, direction: npt.ArrayLike, farthest: float, *, accuracy: float = 1e-9) -> tuple[float, float]:
        """How far the set goes from the base along a direction.

        Parameters
        ----------
        direction : array (d,)
        farthest : float
            Nobody looks beyond; above 0.
        accuracy : float
            Largest width of the answer.

        Returns
        -------
        inside, outside : float
            The objective ``base + inside direction`` is in the set, and all before it; none from ``outside`` on is.
            Both are ``farthest`` where the set goes on there.
        """
        along = checked_direction(direction, self.family.dim)
        inside, outside = 0.0, positive("farthest", farthest)
        if self.contains(self.base + outside * along):
            return outside, outside
        while outside - inside > positive("accuracy", accuracy):
            middle = (inside + outside) / 2
            if self.contains(self.base + middle * along):
                inside = middle
            else:
                outside = middle
        return inside, outside


def tolerated_on_line(value: Lines, x: float, tolerance: float) -> tuple[float, float]:
    """The interval of objectives on a line with a regret of at most ``tolerance`` under that at ``x``.

    Parameters
    ----------
    value : Lines
        Greatest return from the initial distribution: one function, as :func:`irl_ident.planning.optimal_line`
        has it for each state.
    x : float
    tolerance : float
        In units of return.

    Returns
    -------
    lower, upper : float
        At an end of the line, the set goes on beyond it.
    """
    if value.start.shape[0] != 1:
        raise ValueError(f"value: should be one function, was {value.start.shape[0]}")
    top = float(value([x])[0, 0])
    regret = top - (value.a + value.b * x)[0]
    kept = (regret <= tolerance + ROUNDING * abs(top)) & (value.start < value.stop)[0]
    return float(min(x, value.start[0, kept].min())), float(max(x, value.stop[0, kept].max()))
