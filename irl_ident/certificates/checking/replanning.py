"""Members and witnesses: one objective, planned again, with limits of what its optimal values are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from irl_ident.certificates.checking.decimals import Vector
from irl_ident.certificates.checking.evidence import Marks
from irl_ident.certificates.checking.model import Environment
from irl_ident.certificates.checking.reading import Place
from irl_ident.certificates.checking.statement import Statement

NONTRIVIAL = Fraction(1, 10**12)
"""The least gap that tells an objective from those to which everything is the same."""


@dataclass(frozen=True, eq=False)
class Planned:
    """Values that are near the optimal ones of an objective in an environment.

    Attributes
    ----------
    values : Vector (S,)
    slack : list of Fraction (S A,)
        ``V(s) - Q_V(s, a)``.
    error : Fraction
        Optimal values differ by no more from ``values``.
    width : Fraction
        Gaps differ by no more from ``slack``.
    """

    values: Vector
    slack: list[Fraction]
    error: Fraction
    width: Fraction

    def least(self, row: int) -> Fraction:
        """A lower bound of the gap of an action."""
        return self.slack[row] - self.width

    def most(self, row: int) -> Fraction:
        """An upper bound of the gap of an action."""
        return self.slack[row] + self.width


def planned(env: Environment, theta: Vector, values: Vector) -> Planned:
    """What ``values`` say of the optimal values of ``theta``."""
    entries = dict(enumerate(values.entries))
    slack = []
    for row, features in enumerate(env.features):
        reward = sum(phi * theta.entries[parameter] for parameter, phi in features)
        onward = env.onward(row, entries)
        slack.append(
            (entries[row // env.n_actions] - onward) / values.scale - Fraction(reward, env.feature_scale * theta.scale)
        )
    residual = max(abs(min(slack[row] for row in env.rows(state))) for state in range(env.n_states))
    error = residual * env.horizon
    return Planned(values, slack, error, error + env.discount * error)


def objective(
    given: Mapping[str, Place], statement: Statement, marks: Mapping[int, Marks]
) -> tuple[Vector, list[Planned]]:
    """An objective that satisfies the premise, and its plans in all environments."""
    theta = given["theta"].vector(statement.parameters)
    if any(abs(entry) > theta.scale for entry in theta.entries):
        given["theta"].fail("should have entries in [-1, 1]")
    found = []
    for env, values in zip(statement.environments, given["values"].items(len(statement.environments)), strict=True):
        found.append(planned(env, theta, values.vector(env.n_states)))
    for number, kept in marks.items():
        place, plan = given["values"].at(number), found[number]
        for row in kept.shown:
            if plan.most(row) > statement.ties:
                place.fail(f"the shown action of row {row} may have a gap above the tolerance of ties")
        for row in kept.worse:
            if plan.least(row) < statement.strictness:
                place.fail(f"the worse action of row {row} may have a gap below the strictness")
    return theta, found


def check_member(place: Place, statement: Statement, marks: dict[int, Marks]) -> None:
    """The premise holds of an objective to which not everything is the same."""
    given = place.fields("theta values nontrivial")
    _, plans = objective(given, statement, marks)
    number, state, action = given["nontrivial"].items(3)
    chosen = number.whole(len(plans))
    env = statement.environments[chosen]
    row = state.whole(env.n_states) * env.n_actions + action.whole(env.n_actions)
    if plans[chosen].least(row) < max(statement.strictness, NONTRIVIAL):
        given["nontrivial"].fail("this action may be as good as the best")
