"""The verdict on a certificate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from irl_ident.certificates.checking.atoms import known_atoms, taken
from irl_ident.certificates.checking.bounds import Claims
from irl_ident.certificates.checking.evidence import Marks, marks
from irl_ident.certificates.checking.model import Choice
from irl_ident.certificates.checking.plans import PolicyMap, check_policy_map
from irl_ident.certificates.checking.reading import DIGEST, Place, Rejected, Unreadable, digest, load
from irl_ident.certificates.checking.replanning import check_member, objective
from irl_ident.certificates.checking.statement import Regret, Statement, read_statement
from irl_ident.certificates.checking.tree import Tree
from irl_ident.certificates.checking.views import Witness

FORMAT, VERSION = "irl_ident certificate", 1

Status = Literal["proved", "refuted", "unknown"]

NEEDED: dict[Status, tuple[str, ...]] = {"proved": ("member", "tree"), "refuted": ("witness",), "unknown": ("member",)}

SAID: dict[Status, str] = {
    "proved": "every objective in the premise has the property",
    "refuted": "the witness is in the premise and has not the property",
    "unknown": "the premise is not empty; nothing is claimed of the property",
}


@dataclass(frozen=True)
class Verdict:
    """What a certificate is worth.

    Attributes
    ----------
    accepted : bool
        Whether the file proves what it says.
    status : {"proved", "refuted", "unknown", "rejected", "unreadable"}
        One of the first three only when accepted.
    reason : str
        One sentence; where the file was not accepted, the place at fault.
    level : Fraction or None
        The objective is outside the premise with at most this probability; None of agents without errors.
    statement : str
        The property in words.
    leaves, claims : int
        How many regions and how many bounds were verified.
    """

    accepted: bool
    status: Status | Literal["rejected", "unreadable"]
    reason: str
    level: Fraction | None = None
    statement: str = ""
    leaves: int = 0
    claims: int = 0


def check(source: str | os.PathLike[str] | Mapping[str, Any]) -> Verdict:
    """Verify a certificate in exact rational arithmetic.

    Parameters
    ----------
    source : path, or mapping
        A file, or its content as ``json`` reads it.

    Returns
    -------
    Verdict
        Also of files that are damaged, in another format or meant to deceive.

    Examples
    --------
    >>> check({"format": "irl_ident certificate"})
    Verdict(accepted=False, status='rejected', reason="certificate: should have the key 'version'", level=None, \
statement='', leaves=0, claims=0)
    """
    try:
        return _checked(load(source))
    except Unreadable as error:
        return Verdict(False, "unreadable", str(error))
    except Rejected as error:
        return Verdict(False, "rejected", str(error))
    except RecursionError:
        return Verdict(False, "rejected", "certificate: is nested too deeply")


def _checked(document: dict[str, Any]) -> Verdict:
    given = Place(document, "").fields(f"format version statement status {DIGEST}", "member policy_maps tree witness")
    given["format"].word(FORMAT)
    if given["version"].whole() != VERSION:
        given["version"].fail(f"should be {VERSION}")
    status: Status = given["status"].word("proved", "refuted", "unknown")
    _check_presence(given, status)
    if given[DIGEST].value != digest(document):
        given[DIGEST].fail("does not match, the file was altered")
    statement = read_statement(given["statement"])
    found = marks(statement)
    if "member" in given:
        check_member(given["member"], statement, found)
    claims, leaves = Claims(statement, found), 0
    states = statement.deployment.choice(lambda row: True, statement.starts()) if statement.deployment else Choice()
    maps = _policy_maps(given.get("policy_maps"), statement, states)
    if "witness" in given:
        _check_witness(given["witness"], statement, found, maps)
    if "tree" in given:
        leaves = Tree(statement, claims, states, maps, status == "proved").check(given["tree"])
    return Verdict(True, status, SAID[status], statement.agent.level, statement.words, leaves, claims.checked)


def _check_presence(given: Mapping[str, Place], status: Status) -> None:
    """Every status has what it needs, and nothing that it cannot use."""
    for key in NEEDED[status]:
        if key not in given:
            given["status"].fail(f"needs a {key}")
    useless = "tree" if status == "refuted" else "witness"
    if useless in given:
        given[useless].fail(f"should be left out of what is {status}")


def _policy_maps(place: Place | None, statement: Statement, states: Choice) -> dict[int, PolicyMap]:
    found: dict[int, PolicyMap] = {}
    for number, entry in place.numbered(len(statement.atoms)).items() if place else ():
        atom = statement.atoms[number]
        if not isinstance(atom, Regret) or statement.deployment is None:
            entry.fail("should be of a property regret_at_most")
        found[number] = check_policy_map(entry, statement.deployment, states, statement.parameters, atom)
    return found


def _check_witness(
    place: Place, statement: Statement, found: Mapping[int, Marks], maps: Mapping[int, PolicyMap]
) -> None:
    given = place.fields("theta values atoms", "policy")
    theta, plans = objective(given, statement, found)
    env, plan, own, may = statement.deployment, None, None, Choice()
    if env is not None:
        plan = least = plans[next(number for number, kept in enumerate(statement.environments) if kept is env)]
        may = env.choice(lambda row: least.least(row) <= statement.ties)
        own = taken(given["policy"], env, plan, statement) if "policy" in given else None
    elif "policy" in given:
        given["policy"].fail("needs a deployment environment")
    known = known_atoms(given["atoms"], statement, Witness(statement, theta, plan, may, own, maps))
    if statement.formula.truth(known) is not False:
        place.fail("its atoms do not decide that the property fails")
