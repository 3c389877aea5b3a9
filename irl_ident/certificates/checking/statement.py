"""The statement of a certificate: the assumed agent, tolerances, environments and the property of its objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from irl_ident.certificates.checking.decimals import Vector, words
from irl_ident.certificates.checking.model import Environment, Sparse, distributions, read_environment
from irl_ident.certificates.checking.reading import Place

DEEPEST = 50
"""How deep properties may be nested."""


@dataclass(frozen=True)
class Agent:
    """What links objective and behaviour; ``error`` and ``level`` are None of an agent without errors."""

    error: Fraction | None
    level: Fraction | None
    even: bool


@dataclass(frozen=True, eq=False)
class Linear:
    """``weights . theta <= at_most``."""

    weights: Vector
    at_most: Fraction


@dataclass(frozen=True)
class OptimalAction:
    """The gap of the action, ``row``, is at most the tolerance of ties."""

    state: int
    row: int


@dataclass(frozen=True)
class Visits:
    """States are ever visited with probability at most (``avoids``) or at least (``reaches``) ``probability``."""

    avoids: bool
    states: frozenset[int]
    probability: Fraction


@dataclass(frozen=True, eq=False)
class BaseReturn:
    """The return of ``reward`` is at least ``value``; of a ``regret`` it is at most ``value`` below the best."""

    regret: bool
    reward: Vector
    value: Fraction


@dataclass(frozen=True, eq=False)
class Regret:
    """The return of ``policy``, weights and their sums, is under theta at most ``value`` below the best."""

    policy: list[tuple[Sparse, int]]
    value: Fraction


Atom: TypeAlias = Linear | OptimalAction | Visits | BaseReturn | Regret


@dataclass(frozen=True, eq=False)
class Formula:
    """``kind`` is "and", "or", "not" or "atom"; an atom is known by its number."""

    kind: str
    parts: tuple[Formula, ...]
    number: int = -1

    def truth(self, known: Mapping[int, bool]) -> bool | None:
        """What three-valued logic says when some atoms are known."""
        if self.kind == "atom":
            return known.get(self.number)
        found = [part.truth(known) for part in self.parts]
        if self.kind == "not":
            return None if found[0] is None else not found[0]
        deciding = self.kind == "or"
        if deciding in found:
            return deciding
        return None if None in found else not deciding


@dataclass(frozen=True, eq=False)
class Statement:
    """What a certificate speaks of, but for its evidence."""

    agent: Agent
    ties: Fraction
    strictness: Fraction
    parameters: int
    environments: list[Environment]
    evidence: Place
    deployment: Environment | None
    atoms: list[Atom]
    formula: Formula
    words: str

    def starts(self) -> list[int]:
        """The states of properties that an action is optimal."""
        return [atom.state for atom in self.atoms if isinstance(atom, OptimalAction)]


def read_statement(place: Place) -> Statement:
    """The statement; everything in it but the evidence is checked."""
    given = place.fields("assumed tolerances parameters environments evidence deployment property")
    tolerances = given["tolerances"].fields("ties strictness")
    parameters = given["parameters"].whole()
    if parameters == 0:
        given["parameters"].fail("should be at least 1")
    environments = [read_environment(env, parameters) for env in given["environments"].items()]
    deployment = None
    if given["deployment"].value is not None:
        deployment = environments[given["deployment"].whole(len(environments))]
    reader = _Properties(parameters, deployment, [])
    formula, said = reader.read(given["property"], DEEPEST)
    return Statement(
        _agent(given["assumed"]),
        tolerances["ties"].nonnegative(),
        tolerances["strictness"].nonnegative(),
        parameters,
        environments,
        given["evidence"],
        deployment,
        reader.atoms,
        formula,
        said,
    )


def _agent(place: Place) -> Agent:
    given = place.fields("rationality", "error level ties")
    if given["rationality"].word("optimal", "noisy") == "optimal":
        place.fields("rationality")
        return Agent(None, None, False)
    given = place.fields("rationality error level ties")
    error, level = given["error"].share(), given["level"].share()
    if error == 1:
        given["error"].fail("should be below 1")
    if level in (0, 1):
        given["level"].fail("should be above 0 and below 1")
    return Agent(error, level, given["ties"].word("any", "even") == "even")


@dataclass(frozen=True)
class _Properties:
    """Reads properties and collects their atoms."""

    parameters: int
    deployment: Environment | None
    atoms: list[Atom]

    def read(self, place: Place, depth: int) -> tuple[Formula, str]:
        if depth == 0:
            place.fail("is nested too deeply")
        if not isinstance(place.value, dict) or "kind" not in place.value:
            place.fail("should be an object with a kind")
        kind = Place(place.value["kind"], f"{place.path}/kind").word(*_READERS, "and", "or", "not")
        if kind in _READERS:
            keys, reader = _READERS[kind]
            atom, said = reader(self, place.fields(f"kind {keys}"))
            self.atoms.append(atom)
            return Formula("atom", (), len(self.atoms) - 1), said
        of = place.fields("kind of")["of"]
        parts = [self.read(part, depth - 1) for part in ([of] if kind == "not" else of.items())]
        if not parts:
            of.fail("should not be empty")
        said = f"not {parts[0][1]}" if kind == "not" else "(" + f" {kind} ".join(part[1] for part in parts) + ")"
        return Formula(kind, tuple(part[0] for part in parts)), said

    def env(self, given: Mapping[str, Place]) -> Environment:
        if self.deployment is None:
            given["kind"].fail("needs a deployment environment")
        return self.deployment

    def linear(self, given: Mapping[str, Place]) -> tuple[Atom, str]:
        atom = Linear(given["weights"].vector(self.parameters), given["at_most"].number())
        return atom, f"weights . theta <= {words(atom.at_most)}"

    def optimal_action(self, given: Mapping[str, Place]) -> tuple[Atom, str]:
        env = self.env(given)
        state, action = given["state"].whole(env.n_states), given["action"].whole(env.n_actions)
        return OptimalAction(state, state * env.n_actions + action), f"action {action} is optimal in state {state}"

    def visits(self, given: Mapping[str, Place]) -> tuple[Atom, str]:
        env, kind = self.env(given), given["kind"].value
        states = [state.whole(env.n_states) for state in given["states"].items()]
        atom = Visits(kind == "avoids", frozenset(states), given["probability"].share())
        if len(atom.states) != len(states) or not states:
            given["states"].fail("should be different states, one at least")
        named = ", ".join(map(str, states[:5])) + (", .." if len(states) > 5 else "")
        least = "at most" if atom.avoids else "at least"
        return atom, f"visits {{{named}}} with probability {least} {words(atom.probability)}"

    def base(self, given: Mapping[str, Place]) -> tuple[Atom, str]:
        env, kind = self.env(given), given["kind"].value
        reward = given["reward"].table(env.n_states, env.n_actions)
        atom = BaseReturn(kind == "base_regret_at_most", reward, given["value"].number())
        said = "base regret is at most" if atom.regret else "return is at least"
        return atom, f"{said} {words(atom.value)}"

    def regret(self, given: Mapping[str, Place]) -> tuple[Atom, str]:
        env = self.env(given)
        table = given["policy"].table(env.n_states, env.n_actions)
        atom = Regret(distributions(given["policy"], table, env.n_actions), given["value"].number())
        return atom, f"regret of the policy is at most {words(atom.value)}"


_READERS = {
    "linear": ("weights at_most", _Properties.linear),
    "optimal_action": ("state action", _Properties.optimal_action),
    "avoids": ("states probability", _Properties.visits),
    "reaches": ("states probability", _Properties.visits),
    "return_at_least": ("reward value", _Properties.base),
    "base_regret_at_most": ("reward value", _Properties.base),
    "regret_at_most": ("policy value", _Properties.regret),
}
