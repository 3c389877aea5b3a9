"""What can be asked of every objective that is still possible.

A property is a statement about an objective and, for most kinds, about what an agent that is optimal for it does in the
deployment environment.  Properties are frozen objects that compose: ``p & q``, ``p | q``, ``~p``.

"Whatever it does" below means: whichever optimal actions the agent takes, memory and chance included; an action counts
as optimal when its gap ``V*(s) - Q*(s, a)`` is at most the tolerance for ties that the certificate states.  So the
negation of such a property says that *some* optimal behaviour violates it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.evidence.observations import Trajectories
from irl_ident.identified.advantages import normaliser
from irl_ident.planning.checks import finite, policy_on
from irl_ident.rewards import RewardFamily


class Property(ABC):
    """A statement about an objective."""

    def __and__(self, other: Property) -> Property:
        return AllOf((self, other))

    def __or__(self, other: Property) -> Property:
        return AnyOf((self, other))

    def __invert__(self) -> Property:
        return Not(self)

    @property
    def parts(self) -> tuple[Property, ...]:
        """What it is made of; empty for the kinds that are not composed."""
        return ()

    @abstractmethod
    def fields(self, env: Environment | None) -> dict[str, Any]:
        """What a certificate's file says of it, states and actions of ``env`` by number."""

    @abstractmethod
    def check(self, dim: int, env: Environment | None) -> None:
        """Raise ``ValueError`` unless it is about families of ``dim`` parameters and about ``env``."""


def depth(prop: Property) -> int:
    """How deep a property is composed; 0 where it is not."""
    return 1 + max((depth(part) for part in prop.parts), default=0) if prop.parts else 0


def atoms(prop: Property) -> Iterator[Property]:
    """The statements that a property is composed of, from left to right."""
    if not prop.parts:
        yield prop
    for part in prop.parts:
        yield from atoms(part)


@dataclass(frozen=True)
class AllOf(Property):
    """Every one of ``of`` holds."""

    of: tuple[Property, ...]

    @property
    def parts(self) -> tuple[Property, ...]:  # noqa: D102
        return self.of

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "and", "of": [part.fields(env) for part in self.of]}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        for part in self.of:
            part.check(dim, env)

    def __str__(self) -> str:
        return " and ".join(f"({part})" if part.parts else str(part) for part in self.of)


@dataclass(frozen=True)
class AnyOf(Property):
    """At least one of ``of`` holds."""

    of: tuple[Property, ...]

    @property
    def parts(self) -> tuple[Property, ...]:  # noqa: D102
        return self.of

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "or", "of": [part.fields(env) for part in self.of]}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        for part in self.of:
            part.check(dim, env)

    def __str__(self) -> str:
        return " or ".join(f"({part})" if part.parts else str(part) for part in self.of)


@dataclass(frozen=True)
class Not(Property):
    """``of`` does not hold."""

    of: Property

    @property
    def parts(self) -> tuple[Property, ...]:  # noqa: D102
        return (self.of,)

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "not", "of": self.of.fields(env)}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        self.of.check(dim, env)

    def __str__(self) -> str:
        return f"not ({self.of})"


@dataclass(frozen=True, eq=False)
class Linear(Property):
    """A linear inequality on the objective, ``weights . theta <= at_most``, in the gauge ``|theta|_inf <= 1``.

    Parameters
    ----------
    weights : array (d,)
    at_most : float
    words : str
        How the inequality is printed; its numbers when not given.
    """

    weights: Array
    at_most: float = 0.0
    words: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        given = np.array(self.weights, dtype=float)
        if given.ndim != 1 or not np.isfinite(given).all():
            raise ValueError(f"weights: should be finite numbers, one a parameter, was {self.weights!r}")
        given.setflags(write=False)
        object.__setattr__(self, "weights", given)
        object.__setattr__(self, "at_most", _number("at_most", self.at_most))

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "linear", "weights": self.weights.tolist(), "at_most": self.at_most}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        if self.weights.shape != (dim,):
            raise ValueError(f"weights: should have shape ({dim},), was {self.weights.shape}")

    def __str__(self) -> str:
        if self.words:
            return self.words
        terms = [f"{w:+.6g} theta[{j}]" for j, w in enumerate(self.weights) if w]
        return f"{' '.join(terms) or '0'} <= {self.at_most:g}"


@dataclass(frozen=True)
class OptimalAction(Property):
    """An action is optimal in a state; its negation: it never is.

    Parameters
    ----------
    state, action : int or str
        A number, or the name in the deployment environment.
    """

    state: int | str
    action: int | str

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        known = _needed(env, "OptimalAction")
        state, action = index("state", self.state, known.states), index("action", self.action, known.actions)
        return {"kind": "optimal_action", "state": state, "action": action}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        known = _needed(env, "OptimalAction")
        index("state", self.state, known.states)
        index("action", self.action, known.actions)

    def __str__(self) -> str:
        return f"action {self.action} is optimal in {self.state}"


@dataclass(frozen=True)
class Avoids(Property):
    """Whatever it does, the agent ever visits ``states`` with probability at most ``probability``.

    Parameters
    ----------
    states : sequence of int or str
        Numbers, or names in the deployment environment, of at least one state.
    probability : float
        In [0, 1).  A start in the states counts as a visit.
    """

    states: tuple[int | str, ...]
    probability: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "states", _listed(self.states))
        if not 0 <= _number("probability", self.probability) < 1:
            raise ValueError(f"probability: was {self.probability!r}, should be at least 0 and below 1")

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "avoids", "states": numbers(self.states, env), "probability": self.probability}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        numbers(self.states, env)

    def __str__(self) -> str:
        places = ", ".join(str(state) for state in self.states)
        if self.probability == 0:
            return f"never visits {places}"
        return f"visits {places} with probability at most {self.probability:g}"


@dataclass(frozen=True)
class Reaches(Property):
    """Whatever it does, the agent ever visits ``states`` with probability at least ``probability``.

    Parameters
    ----------
    states : sequence of int or str
    probability : float
        In (0, 1].
    """

    states: tuple[int | str, ...]
    probability: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "states", _listed(self.states))
        if not 0 < _number("probability", self.probability) <= 1:
            raise ValueError(f"probability: was {self.probability!r}, should be above 0 and at most 1")

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "reaches", "states": numbers(self.states, env), "probability": self.probability}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        numbers(self.states, env)

    def __str__(self) -> str:
        places = ", ".join(str(state) for state in self.states)
        return f"visits {places} with probability at least {self.probability:g}"


@dataclass(frozen=True, eq=False)
class ReturnAtLeast(Property):
    """Whatever it does, the agent's return under a reward that is given, the base objective, is at least ``value``.

    Parameters
    ----------
    reward : array (S, A)
        Of the deployment environment.
    value : float
        In units of the reward: occupancies sum to 1 (with discount 1, to the length of an episode).
    """

    reward: Array
    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "reward", _table("reward", self.reward))
        object.__setattr__(self, "value", _number("value", self.value))

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "return_at_least", "reward": self.reward.tolist(), "value": self.value}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        known = _needed(env, "ReturnAtLeast")
        finite("reward", self.reward, (known.n_states, known.n_actions), "(S, A)")

    def __str__(self) -> str:
        return f"return under the base objective is at least {self.value:g}"


@dataclass(frozen=True, eq=False)
class BaseOptimal(Property):
    """Whatever it does, the agent is optimal for a base objective, or loses at most ``regret`` of its return.

    Parameters
    ----------
    reward : array (S, A)
        Of the deployment environment.
    regret : float
        At least 0, in units of the reward: occupancies sum to 1.  The default is 1e-6, since the tolerance for ties
        alone lets returns differ by a rounding.
    """

    reward: Array
    regret: float = 1e-6

    def __post_init__(self) -> None:
        object.__setattr__(self, "reward", _table("reward", self.reward))
        if _number("regret", self.regret) < 0:
            raise ValueError(f"regret: was {self.regret!r}, should be at least 0")

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "base_regret_at_most", "reward": self.reward.tolist(), "value": self.regret}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        known = _needed(env, "BaseOptimal")
        finite("reward", self.reward, (known.n_states, known.n_actions), "(S, A)")

    def __str__(self) -> str:
        return f"loses at most {self.regret:g} under the base objective"


@dataclass(frozen=True, eq=False)
class RegretAtMost(Property):
    """A policy that is given loses at most ``value`` under the objective, in the deployment environment.

    Parameters
    ----------
    policy : array (S, A)
        Probabilities of actions.
    value : float
        In units of the reward: occupancies sum to 1.
    """

    policy: Array
    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", _table("policy", self.policy))
        object.__setattr__(self, "value", _number("value", self.value))

    def fields(self, env: Environment | None) -> dict[str, Any]:  # noqa: D102
        return {"kind": "regret_at_most", "policy": self.policy.tolist(), "value": self.value}

    def check(self, dim: int, env: Environment | None) -> None:  # noqa: D102
        policy_on(_needed(env, "RegretAtMost"), self.policy)

    def __str__(self) -> str:
        return f"the policy's regret is at most {self.value:g}"


def prefers(
    better: int | str | npt.ArrayLike | Trajectories,
    worse: int | str | npt.ArrayLike | Trajectories,
    family: RewardFamily,
    env: Environment,
) -> Linear:
    """The objective prefers one thing to another, or is indifferent.

    Parameters
    ----------
    better, worse : int or str, array (S, A), or Trajectories
        Both of a kind: states (number or name; what being there pays, averaged over actions), policies (their returns
        in ``env``), or trajectories (mean discounted sum of what they collect).
    family : RewardFamily
    env : Environment

    Returns
    -------
    Linear
        ``(features of worse - features of better) . theta <= 0``.

    Examples
    --------
    >>> import irl_ident as ii
    >>> env = ii.Environment(np.ones((1, 2, 1)), 0.5, actions=["left", "right"])
    >>> prefers([[1.0, 0.0]], [[0.0, 1.0]], ii.rewards.StateActionRewards(1, 2), env).weights
    array([-1.,  1.])
    """
    difference = _features(worse, family, env) - _features(better, family, env)
    names = [str(x) if isinstance(x, int | str) else kind(x) for x in (better, worse)]
    return Linear(difference, 0.0, words=f"prefers {names[0]} to {names[1]}")


def kind(thing: object) -> str:
    """What a thing that is preferred is called."""
    return "the trajectories" if isinstance(thing, Trajectories) else "the policy"


def _features(thing: Any, family: RewardFamily, env: Environment) -> Array:
    """Expected features, (d,)."""
    features = family.matrix(env)
    if isinstance(thing, int | np.integer | str):
        weights = np.zeros((env.n_states, env.n_actions))
        weights[index("state", thing if isinstance(thing, str) else int(thing), env.states)] = 1 / env.n_actions
    elif isinstance(thing, Trajectories):
        thing.check(env)
        weights = np.zeros((env.n_states, env.n_actions))
        steps = np.broadcast_to(env.discount ** np.arange(thing.actions.shape[1]), thing.actions.shape)
        taken = thing.taken
        np.add.at(weights, (thing.states[:, :-1][taken], thing.actions[taken]), steps[taken] / len(thing))
    else:
        weights = normaliser(env) * planning.occupancy(env, thing)
    return np.asarray(features.T @ weights.ravel())


def numbers(states: Sequence[int | str], env: Environment | None) -> list[int]:
    """The numbers of states that are given by number or name."""
    known = _needed(env, "a visit")
    return list(dict.fromkeys(index("states", state, known.states) for state in states))


def index(argument: str, given: int | str, names: Sequence[str]) -> int:
    """The number of a state or action that is given by number or name."""
    if isinstance(given, str):
        if given not in names:
            raise ValueError(f"{argument}: there is no {given!r} in the environment")
        return list(names).index(given)
    if isinstance(given, bool) or not 0 <= given < len(names):
        raise ValueError(f"{argument}: was {given!r}, should be a name or a number from 0 to {len(names) - 1}")
    return int(given)


def _needed(env: Environment | None, what: str) -> Environment:
    if env is None:
        raise ValueError(f"env: {what} is about behaviour in a deployment environment, which should be given")
    return env


def _listed(states: Any) -> tuple[int | str, ...]:
    given = (states,) if isinstance(states, int | np.integer | str) else tuple(states)
    if not given:
        raise ValueError("states: should hold at least one state")
    return tuple(state if isinstance(state, str) else int(state) for state in given)


def _number(argument: str, value: float) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"{argument}: was {value!r}, should be finite")
    return number


def _table(argument: str, given: npt.ArrayLike) -> Array:
    table = np.array(given, dtype=float)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(f"{argument}: should be finite numbers of shape (S, A), was {table.shape}")
    table.setflags(write=False)
    return table
