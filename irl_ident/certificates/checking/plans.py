"""Plans of leaves: a linear map of theta that is near the optimal values of every objective of a region."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from irl_ident.certificates.checking.bounds import Claims, Region, added
from irl_ident.certificates.checking.decimals import Vector
from irl_ident.certificates.checking.model import Choice, Environment
from irl_ident.certificates.checking.reading import Literal, Place, scaled_values
from irl_ident.certificates.checking.statement import Regret


@dataclass(frozen=True, eq=False)
class ValueMap:
    """A linear map from parameters to values: of each state d whole numbers over ``scale``."""

    env: Environment
    entries: dict[int, list[int]]
    scale: int

    def direction(self, row: int) -> Vector:
        """``(Phi - W + C W)(row)``, so that its product with theta is the advantage of the row."""
        env = self.env
        factor = env.factor(row)
        unit = factor.denominator * env.totals[row] * env.feature_scale
        entries = [-unit * entry for entry in self.entries[row // env.n_actions]]
        if factor:
            weight = factor.numerator * env.feature_scale
            for state, p in env.moves[row]:
                share = weight * p
                entries = [a + share * b for a, b in zip(entries, self.entries[state], strict=True)]
        share = factor.denominator * env.totals[row] * self.scale
        for parameter, phi in env.features[row]:
            entries[parameter] += share * phi
        return Vector(entries, unit * self.scale)

    def start(self) -> Vector:
        """``mu W``."""
        total = [0] * len(next(iter(self.entries.values())))
        for state, p in self.env.initial:
            total = [a + p * b for a, b in zip(total, self.entries[state], strict=True)]
        return Vector(total, self.env.initial_total * self.scale)


@dataclass(frozen=True, eq=False)
class LeafPlan:
    """A verified plan; the optimal values of the region are in ``[W theta - error, W theta + excess]``.

    Attributes
    ----------
    map : ValueMap
    directions : dict of int to Vector
        Advantages of rows, as directions.
    excess : dict of int to int, over ``excess_scale``
    error : Fraction
    least : dict of int to Fraction
        Lower bounds of the gaps.
    """

    map: ValueMap
    directions: dict[int, Vector]
    excess: dict[int, int]
    excess_scale: int
    error: Fraction
    least: dict[int, Fraction]


def read_map(place: Place, env: Environment, states: Choice, parameters: int) -> ValueMap:
    """A map that is given for all of some states."""
    given = place.numbered(env.n_states)
    literals: list[Literal] = []
    for state in states:
        if state not in given:
            place.fail(f"should have state {state}, which can be reached")
        literals += given[state].elements(parameters)
    vector = scaled_values(place, literals)
    rows = range(0, len(literals), parameters)
    entries = {state: vector.entries[first : first + parameters] for state, first in zip(states, rows, strict=True)}
    return ValueMap(env, entries, vector.scale)


def read_values(place: Place, env: Environment, states: Choice | None = None) -> tuple[dict[int, int], int]:
    """Numbers of states over a common denominator; of all of ``states``."""
    given = place.numbered(env.n_states)
    for state in states or ():
        if state not in given:
            place.fail(f"should have state {state}, which can be reached")
    vector = scaled_values(place, [number.value for number in given.values()])
    return dict(zip(given, vector.entries, strict=True)), vector.scale


def read_policy(place: Place, env: Environment) -> list[int]:
    """The row of the action that is taken in each state."""
    actions = [action.whole(env.n_actions) for action in place.items(env.n_states)]
    return [state * env.n_actions + action for state, action in enumerate(actions)]


def check_plan(
    place: Place, env: Environment, states: Choice, parameters: int, claims: Claims, region: Region
) -> LeafPlan:
    """The plan of a leaf; ``states`` are those that any actions reach."""
    given = place.fields("policy map advantages excess")
    policy = read_policy(given["policy"], env)
    value_map = read_map(given["map"], env, states, parameters)
    directions = {row: value_map.direction(row) for state in states for row in env.rows(state)}
    error = max(directions[policy[state]].norm() for state in states) * env.horizon
    upper = {row: direction.norm() for row, direction in directions.items()}
    listed = set()
    for entry in given["advantages"].items():
        state, action, claim = entry.items(3)
        row = state.whole(env.n_states) * env.n_actions + action.whole(env.n_actions)
        if row not in directions or row in listed:
            entry.fail("should be of an action that has no claim yet, in a state that can be reached")
        listed.add(row)
        upper[row] = claims.bound(directions[row], claim, region)
    excess, scale = read_values(given["excess"], env, states)
    least = {}
    for row, advantage in upper.items():
        onward = env.onward(row, excess) / scale
        here = Fraction(excess[row // env.n_actions], scale)
        if here < max(advantage, Fraction(0)) + onward:
            given["excess"].at(row // env.n_actions).fail(f"is too small for action {row % env.n_actions}")
        least[row] = -advantage - error - onward
    return LeafPlan(value_map, directions, excess, scale, error, least)


@dataclass(frozen=True, eq=False)
class PolicyMap:
    """The values of the policy of a ``regret_at_most`` are within ``error`` of ``map`` theta."""

    map: ValueMap
    error: Fraction


def check_policy_map(place: Place, env: Environment, states: Choice, parameters: int, atom: Regret) -> PolicyMap:
    """The map of a policy's values."""
    value_map = read_map(place, env, states, parameters)
    worst = Fraction(0)
    for state in states:
        weights, total = atom.policy[state]
        parts = []
        for action, p in weights:
            direction = value_map.direction(state * env.n_actions + action)
            parts.append(Vector([p * entry for entry in direction.entries], direction.scale * total))
        worst = max(worst, added(parts).norm())
    return PolicyMap(value_map, worst * env.horizon)
