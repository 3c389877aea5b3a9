"""What agents do whose choices are among given rows: chances of visits, and returns, bounded by inequalities.

A bound is a number of each state that satisfies one inequality a row that may be chosen.  Whatever the choices, also
if they depend on the past and on chance, iterating the inequality along an episode proves the bound.
"""

from __future__ import annotations

from fractions import Fraction

from irl_ident.certificates.checking.decimals import Vector
from irl_ident.certificates.checking.model import Choice, Environment
from irl_ident.certificates.checking.plans import read_values
from irl_ident.certificates.checking.reading import Place


def upper_chance(place: Place, env: Environment, choice: Choice, states: frozenset[int]) -> Fraction:
    """An upper bound of the probability that ``states`` are ever visited."""
    chance, scale = read_values(place, env)
    for state, rows in choice.items():
        here = chance.get(state, 0)
        if here < 0 or (state in states and here < scale):
            place.at(state).fail(f"should be at least {1 if state in states else 0}")
        if state not in states and any(here < env.expected(row, chance) for row in rows):
            place.at(state).fail("is below the chance after an action that may be taken")
    return env.start(chance) / scale


def lower_chance(place: Place, steps: Place, env: Environment, choice: Choice, states: frozenset[int]) -> Fraction:
    """A lower bound of the probability that ``states`` are ever visited."""
    chance, scale = read_values(place, env)
    for state in states:
        if chance.get(state, 0) > scale:
            place.at(state).fail("should be at most 1")
    positive = {state: here for state, here in chance.items() if here > 0}
    open_ = positive.keys() - states
    left, unit = read_values(steps, env)
    if any(number < 0 for number in left.values()):
        steps.fail("should be at least 0")
    within = {state: left.get(state, 0) for state in open_}
    for state in open_ & choice.keys():
        for row in choice[state]:
            if positive[state] > env.expected(row, positive):
                place.at(state).fail("is above the chance after an action that may be taken")
            if within[state] < unit + env.expected(row, within):
                steps.at(state).fail("do not prove that the agent leaves")
    return env.start(chance) / scale


def lower_return(place: Place, env: Environment, choice: Choice, reward: Vector) -> Fraction:
    """A lower bound of the return of ``reward``."""
    return _return(place, env, choice, reward, 1)


def upper_return(place: Place, env: Environment, choice: Choice, reward: Vector) -> Fraction:
    """An upper bound of the return of ``reward``."""
    return _return(place, env, choice, reward, -1)


def _return(place: Place, env: Environment, choice: Choice, reward: Vector, sign: int) -> Fraction:
    values, scale = read_values(place, env, choice)
    for state, rows in choice.items():
        for row in rows:
            after = reward[row] + env.onward(row, values) / scale
            if sign * Fraction(values[state], scale) > sign * after:
                place.at(state).fail(f"is {'above' if sign > 0 else 'below'} the return of an action that may be taken")
    return env.normaliser() * env.start(values) / scale
