"""Adaptivity: does the behaviour change as it should when the dynamics do?

In a reference environment an optimiser and the table of what it does there are the same.  An intervention on the
dynamics tells them apart, as detours and devalued outcomes tell goals from habits in animals (Tolman 1948; Dickinson
1985, "Actions and habits").  For an objective that fits the behaviour in the reference environment, and environments e
that are changed, let ``J_e`` be the return there, ``pi_e`` what the agent does there, ``pi_0`` what it did in the
reference environment.  Then

    adaptivity = sum_e (J_e(pi_e) - J_e(pi_0)) / sum_e (J*_e - J_e(pi_0)),

of the return that keeping to the old map loses, the share that the agent wins back: 1 for who replans, 0 for a table,
below 0 for who does worse than a table would.  It says nothing, and is NaN, where the map of the reference environment
is still optimal in all the others.  Everything scales with the objective, and constants cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.planning.checks import policy_on
from irl_ident.planning.ties import ROUNDING
from irl_ident.rewards import RewardFamily

NEGLIGIBLE = 1e-9
"""A loss of the frozen map that is below this share of the range of returns is rounding."""


@dataclass(frozen=True, eq=False)
class Adaptivity:
    """Returns in changed environments of an agent, of its frozen map, and of replanning.

    Attributes
    ----------
    acted : array (E,)
        Return ``mu . V`` of what the agent does in each.
    frozen : array (E,)
        Of what it did in the reference environment.
    optimal : array (E,)
        Of the best policy.
    worst : array (E,)
        Of the worst policy.
    """

    acted: Array
    frozen: Array
    optimal: Array
    worst: Array

    @property
    def score(self) -> float:
        """1: replans, 0: a table; NaN where the frozen map loses nothing."""
        room = float((self.optimal - self.frozen).sum())
        rounding = ROUNDING * float(np.abs([self.optimal, self.worst]).sum())
        if room <= NEGLIGIBLE * float((self.optimal - self.worst).sum()) + rounding:
            return float("nan")
        return float((self.acted - self.frozen).sum()) / room


def adaptivity(
    reference: npt.ArrayLike,
    changed: Sequence[Environment],
    policies: Sequence[npt.ArrayLike],
    family: RewardFamily,
    theta: npt.ArrayLike,
) -> Adaptivity:
    """How well an agent follows changes of the dynamics.

    Parameters
    ----------
    reference : array (S, A)
        What it does in the reference environment.
    changed : sequence of E Environment
        With the same states and actions, at least one.
    policies : sequence of E arrays (S, A)
        What it does in each of them.
    family : RewardFamily
    theta : array (d,)
        The objective, known or recovered from the reference environment.

    Returns
    -------
    Adaptivity

    Examples
    --------
    The food moves to the other end; who goes where it was has learned a habit.

    >>> import irl_ident as ii
    >>> left, right = np.array([[1, 0, 0]] * 3), np.array([[0, 1, 0]] * 3)
    >>> there = ii.Environment(np.stack([left, right], axis=1), 0.5, [0, 0, 1])
    >>> family = ii.rewards.StateRewards(3)
    >>> habit, goal = [[0.0, 1.0]] * 3, [[1.0, 0.0]] * 3
    >>> adaptivity(habit, [there], [habit], family, [1.0, 0.0, 0.0]).score
    0.0
    >>> adaptivity(habit, [there], [goal], family, [1.0, 0.0, 0.0]).score
    1.0
    """
    if not len(changed) or len(changed) != len(policies):
        raise ValueError(
            f"policies: {len(policies)} were given for {len(changed)} environments, should be one for each, and one at "
            "least"
        )
    rows = []
    for env, policy in zip(changed, policies, strict=True):
        reward = family.reward(env, theta)
        values = (
            planning.evaluate(env, reward, policy_on(env, policy)),
            planning.evaluate(env, reward, policy_on(env, reference)),
            planning.optimal(env, reward).values,
            -planning.optimal(env, -reward).values,
        )
        rows.append([float(env.initial @ value) for value in values])
    return Adaptivity(*np.array(rows).T)
