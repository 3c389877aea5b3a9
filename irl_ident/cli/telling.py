"""What becomes of a property at a witness, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from irl_ident import planning
from irl_ident.certificates import Certificate
from irl_ident.certificates.properties import (
    Avoids,
    BaseOptimal,
    Linear,
    Property,
    Reaches,
    RegretAtMost,
    ReturnAtLeast,
    atoms,
    numbers,
)
from irl_ident.cli.walks import Walk, visiting, walk_on, walk_to
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.advantages import normaliser


@dataclass(frozen=True)
class Told:
    """What becomes of one statement of a property at a witness.

    Attributes
    ----------
    words : str
    status : {"holds", "fails", "open"}
    detail : str
        Numbers that show it; may be empty.
    """

    words: str
    status: Literal["holds", "fails", "open"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.words}{f' ({self.detail})' if self.detail else ''}"


def told(certificate: Certificate) -> list[Told]:
    """What becomes of every statement that a refuted property is made of, at the witness."""
    known = certificate.document["witness"]["atoms"]
    return [_told(certificate, atom, known.get(str(n), {})) for n, atom in enumerate(atoms(certificate.prop))]


def _told(certificate: Certificate, atom: Property, known: dict[str, Any]) -> Told:
    env, theta = certificate.env, certificate.witness
    assert theta is not None
    if isinstance(atom, Linear):
        value = float(atom.weights @ theta)
        return Told(str(atom), "holds" if value <= atom.at_most else "fails", f"weights . theta is {value:.6g}")
    status: Literal["holds", "fails", "open"] = "fails" if "fails" in known else "holds" if "holds" in known else "open"
    if status != "fails" or env is None or certificate.policy is None:
        return Told(str(atom), status)
    return Told(str(atom), status, _numbers(certificate, atom, env, theta))


def _numbers(certificate: Certificate, atom: Property, env: Environment, theta: Array) -> str:
    """What the witness does instead, where a number tells."""
    policy = np.array(certificate.policy)
    match atom:
        case Avoids() | Reaches():
            return f"it does with probability {float(env.initial @ visiting(env, policy, marked(atom, env))):.6g}"
        case ReturnAtLeast() | BaseOptimal():
            return f"its return is {_returned(env, np.eye(env.n_actions)[policy], atom.reward):.6g}"
        case RegretAtMost():
            reward = certificate.ident.family.reward(env, theta)
            best = normaliser(env) * float(env.initial @ planning.optimal(env, reward).values)
            return f"it is {best - _returned(env, atom.policy, reward):.6g}"
        case _:
            return ""


def _returned(env: Environment, policy: Array, reward: Array) -> float:
    return normaliser(env) * float((planning.occupancy(env, policy) * reward).sum())


def marked(atom: Avoids | Reaches, env: Environment) -> Mask:
    """The states of a visit, (S,)."""
    states = np.zeros(env.n_states, dtype=bool)
    states[numbers(atom.states, env)] = True
    return states


def telling_walk(certificate: Certificate) -> Walk:
    """A path of the witness that shows a violation: to a state to be avoided, or past those to be reached."""
    env, policy = certificate.env, np.array(certificate.policy)
    assert env is not None
    pairs = zip(atoms(certificate.prop), told(certificate), strict=True)
    failing = [atom for atom, line in pairs if line.status == "fails"]
    for atom in failing:
        found = walk_to(env, policy, marked(atom, env)) if isinstance(atom, Avoids) else None
        if found is not None:
            return found
    away = next((marked(atom, env) for atom in failing if isinstance(atom, Reaches)), None)
    return walk_on(env, policy, away=away)
