"""Atoms of properties: what has to be shown for one to hold, or to fail, over a region or for a witness."""

from __future__ import annotations

from irl_ident.certificates.checking import behaviour
from irl_ident.certificates.checking.limits import above, at_least, at_most, below
from irl_ident.certificates.checking.model import Choice, Environment
from irl_ident.certificates.checking.plans import read_policy
from irl_ident.certificates.checking.reading import Place
from irl_ident.certificates.checking.replanning import Planned
from irl_ident.certificates.checking.statement import (
    Atom,
    BaseReturn,
    Linear,
    OptimalAction,
    Regret,
    Statement,
    Visits,
)
from irl_ident.certificates.checking.views import Side, View


def known_atoms(place: Place, statement: Statement, view: View) -> dict[int, bool]:
    """Which atoms hold and which fail, all verified."""
    known = view.evident()
    for number, entry in place.numbered(len(statement.atoms)).items():
        given = entry.fields("", "holds fails")
        if len(given) != 1:
            entry.fail("should have one of the keys 'holds' and 'fails'")
        side: Side = "holds" if "holds" in given else "fails"
        _verify(statement.atoms[number], number, statement.deployment, given[side], side, view)
        known[number] = side == "holds"
    return known


def taken(place: Place, env: Environment, plan: Planned, statement: Statement) -> Choice:
    """The rows of a witness's policy in the states that it visits; all have a gap of at most the tolerance."""
    rows = set(read_policy(place, env))
    own = env.choice(rows.__contains__)
    for state, chosen in own.items():
        if plan.most(chosen[0]) > statement.ties:
            place.at(state).fail("this action may have a gap above the tolerance of ties")
    return own


def _verify(atom: Atom, number: int, env: Environment | None, place: Place, side: Side, view: View) -> None:
    if isinstance(atom, Linear):
        view.linear(atom, place, side)
    elif isinstance(atom, OptimalAction):
        view.optimal_action(atom, place, side)
    elif isinstance(atom, Regret):
        view.regret(atom, number, place, side)
    elif env is not None:
        choice = view.choice(place, side)
        if isinstance(atom, Visits):
            _visits(atom, env, choice, place, side)
        else:
            _base(atom, env, choice, place, side)


def _visits(atom: Visits, env: Environment, choice: Choice, place: Place, side: Side) -> None:
    if atom.avoids == (side == "holds"):
        chance = behaviour.upper_chance(place.fields("chance")["chance"], env, choice, atom.states)
        (at_most if side == "holds" else below)(place, chance, atom.probability)
    else:
        given = place.fields("chance steps")
        chance = behaviour.lower_chance(given["chance"], given["steps"], env, choice, atom.states)
        (at_least if side == "holds" else above)(place, chance, atom.probability)


def _base(atom: BaseReturn, env: Environment, choice: Choice, place: Place, side: Side) -> None:
    if side == "holds":
        given = place.fields("values best" if atom.regret else "values")
        value = behaviour.lower_return(given["values"], env, choice, atom.reward)
        if not atom.regret:
            at_least(place, value, atom.value)
            return
        best = behaviour.upper_return(given["best"], env, env.choice(lambda row: True), atom.reward)
        at_most(place, best - value, atom.value)
    else:
        given = place.fields("values best policy" if atom.regret else "values")
        value = behaviour.upper_return(given["values"], env, choice, atom.reward)
        if not atom.regret:
            below(place, value, atom.value)
            return
        rows = set(read_policy(given["policy"], env))
        best = behaviour.lower_return(given["best"], env, env.choice(rows.__contains__), atom.reward)
        above(place, best - value, atom.value)
