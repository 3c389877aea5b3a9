"""Properties in files, for what the options of the command cannot say.

A file holds one property in the words of a certificate's file (``docs/certificate_format.md``, "Property"), with states
and actions by name or number, ``probability`` as optional as in :mod:`irl_ident.certificates`, and one kind more:
``{"kind": "prefers", "better": state, "worse": state}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from irl_ident import certificates, untrusted
from irl_ident.certificates.properties import Property
from irl_ident.environment import Environment
from irl_ident.rewards import RewardFamily

KEYS = {
    "and": ("of", ""),
    "or": ("of", ""),
    "not": ("of", ""),
    "linear": ("weights at_most", ""),
    "optimal_action": ("state action", ""),
    "avoids": ("states", "probability"),
    "reaches": ("states", "probability"),
    "return_at_least": ("reward value", ""),
    "base_regret_at_most": ("reward", "value"),
    "regret_at_most": ("policy value", ""),
    "prefers": ("better worse", ""),
}
"""What every kind of property needs, and what it may have besides."""

DEEPEST = 48
"""The checker of certificates reads properties that are nested 50 deep; "and" of all that is asked is one level more.
"""


def read_property(path: Path, family: RewardFamily, env: Environment) -> Property:
    """The property in a file."""
    return composed(untrusted.parsed(untrusted.content(path)), "property", family, env)


def composed(given: Any, place: str, family: RewardFamily, env: Environment) -> Property:
    """A property from JSON; ``place`` says where it stands in the file."""
    if place.count(".of") > DEEPEST:
        raise ValueError(f"property: is nested more than {DEEPEST} deep")
    if not isinstance(given, dict) or "kind" not in given:
        raise ValueError(f"{place}: should be an object with a kind")
    kind, values = given["kind"], {key: value for key, value in given.items() if key != "kind"}
    if not isinstance(kind, str) or kind not in KEYS:
        raise ValueError(f"{place}.kind: was {kind!r}, should be one of {', '.join(KEYS)}")
    needed, optional = (set(keys.split()) for keys in KEYS[kind])
    for key in sorted(needed - set(values)):
        raise ValueError(f"{place}.{key}: is missing")
    for key in sorted(set(values) - needed - optional):
        raise ValueError(f"{place}.{key}: is no key of a property {kind}")
    if kind in {"and", "or"}:
        of = values["of"]
        if not isinstance(of, list) or not of:
            raise ValueError(f"{place}.of: should be a list of properties, at least one")
        parts = tuple(composed(part, f"{place}.of[{i}]", family, env) for i, part in enumerate(of))
        return certificates.AllOf(parts) if kind == "and" else certificates.AnyOf(parts)
    if kind == "not":
        return ~composed(values["of"], f"{place}.of", family, env)
    with located(place):
        made = atom(kind, values, family, env)
        made.check(family.dim, env)
        return made


def atom(kind: str, values: dict[str, Any], family: RewardFamily, env: Environment) -> Property:
    """A property that is not composed; its keys are those of its kind."""
    try:
        match kind:
            case "linear":
                return certificates.Linear(values["weights"], values["at_most"])
            case "optimal_action":
                state, action = found("state", values["state"], env.states), values["action"]
                return certificates.OptimalAction(state, found("action", action, env.actions))
            case "avoids" | "reaches":
                states = values.pop("states")
                if not isinstance(states, list):
                    raise ValueError("states: should be a list of states")
                made = certificates.Avoids if kind == "avoids" else certificates.Reaches
                return made(several(states, env), **values)
            case "return_at_least":
                return certificates.ReturnAtLeast(values["reward"], values["value"])
            case "base_regret_at_most":
                return certificates.BaseOptimal(values["reward"], *([values["value"]] if "value" in values else []))
            case "regret_at_most":
                return certificates.RegretAtMost(values["policy"], values["value"])
            case _:
                better, worse = (found("state", values[key], env.states) for key in ("better", "worse"))
                return certificates.prefers(better, worse, family, env)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"should hold numbers and lists of numbers ({error})") from error


def several(states: Sequence[Any], env: Environment) -> tuple[str, ...]:
    """The names of states that are given by name or number, each once."""
    return tuple(dict.fromkeys(found("state", state, env.states) for state in states))


def found(what: str, given: Any, names: Sequence[str]) -> str:
    """The name of a state or action that is given by name, or else by number."""
    if isinstance(given, str) and given in names:
        return given
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(names):
        raise ValueError(f"there is no {what} {given!r}: should be a name, or a number from 0 to {len(names) - 1}")
    return names[number]


@contextmanager
def located(place: str) -> Iterator[None]:
    """Say where what is wrong stands."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
