"""When a campaign is over: rules that compose with ``|`` (any of them) and ``&`` (all of them).

>>> identified() | budget(10)
identified() | budget(10)
>>> (identified() | budget(10)) & exhausted()
(identified() | budget(10)) & exhausted()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from irl_ident.design.behaviour import consistent
from irl_ident.design.families.base import EnvironmentFamily
from irl_ident.design.needed import checked_epsilon, deployed_policy
from irl_ident.design.strategies.regret import RegretBound, regret_bound
from irl_ident.environment import Environment

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet, Metric
    from irl_ident.identified.report import Report

PROBES = 200
"""How many members of the set before an observation are drawn to see whether it ruled out any."""


@dataclass(frozen=True, eq=False)
class State:
    """Where a campaign stands.

    Attributes
    ----------
    ident : IdentifiedSet
        What is known now.
    candidates : sequence of Environment, or EnvironmentFamily
    before : State or None
        Where it stood one observation earlier; None before any evidence.
    places : mapping of str to sequence of int
        For digests of environments, their indices in the family: all of a small family, in a larger one those that
        were asked for.  Not used for a list.
    """

    ident: IdentifiedSet
    candidates: Sequence[Environment] | EnvironmentFamily
    before: State | None = None
    places: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def observations(self) -> int:
        """How many observations there are."""
        return len(self.ident.evidence)

    @cached_property
    def report(self) -> Report:
        """The report of the set."""
        return self.ident.report()

    def diameter(self, metric: Metric) -> tuple[float, float]:
        """Certified bounds on the diameter, computed once."""
        if metric not in self._diameters:
            self._diameters[metric] = self.ident.diameter(metric)
        return self._diameters[metric]

    @cached_property
    def _diameters(self) -> dict[str, tuple[float, float]]:
        return {}

    @property
    def size(self) -> int:
        """How many candidates there are."""
        return self.candidates.size if isinstance(self.candidates, EnvironmentFamily) else len(self.candidates)

    def regret(self, env: Environment, policy: npt.ArrayLike | None = None) -> RegretBound:
        """Certified bounds on the regret in ``env`` of ``policy``, or of the set's own deployed policy; the latter
        computed once.
        """
        if policy is not None:
            return regret_bound(self.ident, policy, env)
        if env.digest not in self._regrets:
            self._regrets[env.digest] = regret_bound(self.ident, deployed_policy(self.ident, env), env)
        return self._regrets[env.digest]

    @cached_property
    def _regrets(self) -> dict[str, RegretBound]:
        return {}

    @cached_property
    def untried(self) -> int:
        """How many candidates were never observed; of a family too large to list, how many indices were not."""
        seen = {env.digest for env, _ in self.ident.evidence}
        if isinstance(self.candidates, EnvironmentFamily):
            return self.size - sum(len(self.places.get(digest, ())) for digest in seen)
        return sum(env.digest not in seen for env in self.candidates)

    @cached_property
    def excluded_nothing(self) -> bool:
        """Whether the last observation left the set as it was: same dimension, ``PROBES`` earlier members still in."""
        if self.before is None or self.ident.conflict is not None:
            return False
        if self.ident.dimension != self.before.ident.dimension:
            return False
        return bool(consistent(self.ident, self.before.ident.sample(PROBES, seed=self.observations)).all())

    @property
    def stalled_for(self) -> int:
        """How many of the last observations, in a row, excluded nothing."""
        count = 0
        state: State | None = self
        while state is not None and state.excluded_nothing:
            count += 1
            state = state.before
        return count


class Rule(ABC):
    """A stopping rule."""

    @abstractmethod
    def met(self, state: State) -> bool:
        """Whether the campaign should stop here."""

    @abstractmethod
    def reason(self, state: State) -> str:
        """Why, in words; of a rule that is met."""

    def __or__(self, other: Rule) -> Rule:
        return AnyOf((*_members(self, AnyOf), *_members(other, AnyOf)))

    def __and__(self, other: Rule) -> Rule:
        return AllOf((*_members(self, AllOf), *_members(other, AllOf)))


def _members(rule: Rule, kind: type[AnyOf] | type[AllOf]) -> tuple[Rule, ...]:
    return rule.rules if isinstance(rule, kind) else (rule,)


@dataclass(frozen=True, repr=False)
class AnyOf(Rule):
    """Met when one of ``rules`` is; made by ``|``."""

    rules: tuple[Rule, ...]

    def met(self, state: State) -> bool:  # noqa: D102
        return any(rule.met(state) for rule in self.rules)

    def reason(self, state: State) -> str:  # noqa: D102
        return "; ".join(rule.reason(state) for rule in self.rules if rule.met(state))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.rules))


@dataclass(frozen=True, repr=False)
class AllOf(Rule):
    """Met when all of ``rules`` are; made by ``&``."""

    rules: tuple[Rule, ...]

    def met(self, state: State) -> bool:  # noqa: D102
        return all(rule.met(state) for rule in self.rules)

    def reason(self, state: State) -> str:  # noqa: D102
        return " and ".join(rule.reason(state) for rule in self.rules)

    def __repr__(self) -> str:
        return " & ".join(f"({rule!r})" if isinstance(rule, AnyOf) else repr(rule) for rule in self.rules)


@dataclass(frozen=True)
class identified(Rule):
    """Stop when the report says that the objective is identified, up to what no environment resolves."""

    def met(self, state: State) -> bool:  # noqa: D102
        return state.observations > 0 and state.report.settled

    def reason(self, state: State) -> str:  # noqa: D102
        return state.report.verdict

    def __repr__(self) -> str:
        return "identified()"


@dataclass(frozen=True, repr=False)
class budget(Rule):
    """Stop after a number of observations.

    Parameters
    ----------
    environments : int
        At least 1.
    """

    environments: int

    def __post_init__(self) -> None:
        _check_count("environments", self.environments)

    def met(self, state: State) -> bool:  # noqa: D102
        return state.observations >= self.environments

    def reason(self, state: State) -> str:  # noqa: D102
        return f"budget of {self.environments} spent"

    def __repr__(self) -> str:
        return f"budget({self.environments})"


@dataclass(frozen=True, repr=False)
class stalled(Rule):
    """Stop when the last ``n`` observations excluded nothing (judged on a sample, see ``State.excluded_nothing``).

    Parameters
    ----------
    n : int
        At least 1.
    """

    n: int

    def __post_init__(self) -> None:
        _check_count("n", self.n)

    def met(self, state: State) -> bool:  # noqa: D102
        return state.observations >= self.n and state.stalled_for >= self.n

    def reason(self, state: State) -> str:  # noqa: D102
        return f"the last {state.stalled_for} observations excluded nothing"

    def __repr__(self) -> str:
        return f"stalled({self.n})"


@dataclass(frozen=True)
class exhausted(Rule):
    """Stop when every candidate was observed."""

    def met(self, state: State) -> bool:  # noqa: D102
        return state.untried == 0

    def reason(self, state: State) -> str:  # noqa: D102
        return f"all {state.size} candidates were tried"


@dataclass(frozen=True, repr=False)
class diameter_below(Rule):
    """Stop when the certified upper bound on the diameter of the identified set is below ``epsilon``.

    Parameters
    ----------
    epsilon : float
        Above 0.
    metric : str
        As for ``ident.diameter``.
    """

    epsilon: float
    metric: Metric = "canonical"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.epsilon) and self.epsilon > 0):
            raise ValueError(f"epsilon: was {self.epsilon!r}, should be finite and above 0")

    def met(self, state: State) -> bool:  # noqa: D102
        return state.observations > 0 and state.diameter(self.metric)[1] < self.epsilon

    def reason(self, state: State) -> str:  # noqa: D102
        return f"diameter at most {state.diameter(self.metric)[1]:.3g} ({self.metric})"

    def __repr__(self) -> str:
        return f"diameter_below({self.epsilon:g}, {self.metric!r})"


@dataclass(frozen=True, repr=False, eq=False)
class regret_below(Rule):
    """Stop when the certified upper bound on the regret in a named environment is at most ``epsilon``.

    With a set that holds the objective at every time with probability at least ``1 - level``, so does the bound hold at
    the time at which this rule stops the campaign.

    Parameters
    ----------
    epsilon : float
        Above 0; for optimal agents in units in which no reward exceeds 1, with occupancies that sum to 1.
    env : Environment
        Where a policy will be used.
    policy : array (S, A), optional
        Which one; when not given, the policy that is optimal for the centre of the set at the time.
    """

    epsilon: float
    env: Environment
    policy: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        checked_epsilon(self.epsilon)
        if not isinstance(self.env, Environment):
            raise ValueError(f"env: should be an Environment, was {type(self.env).__name__}")

    def met(self, state: State) -> bool:  # noqa: D102
        return state.observations > 0 and state.regret(self.env, self.policy).upper <= self.epsilon

    def reason(self, state: State) -> str:  # noqa: D102
        whose = "the centre's policy" if self.policy is None else "the policy"
        level = getattr(state.ident, "level", None)
        sure = "" if level is None else f", with probability at least {1 - level:g} at whatever time this stops"
        return f"regret of {whose} at most {state.regret(self.env, self.policy).upper:.3g}{sure}"

    def __repr__(self) -> str:
        return f"regret_below({self.epsilon:g}, {self.env!r})"


def _check_count(argument: str, value: int) -> None:
    if value != int(value) or value < 1:
        raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least 1")
