"""The identified set of an optimal agent that errs: a cone that holds its objective with a stated probability.

Choices are turned into statements that are right together, at every time, with probability at least ``1 - level``
(:mod:`irl_ident.identified.confidence.statements`), and the statements into the cone of an optimal agent: actions that
are stated to be optimal count as shown, actions that are stated to be worse as strictly worse.  Whatever holds of all
members of the cone then holds of the objective with probability at least ``1 - level``, also if observation was stopped
because of what had been seen.  Without error the first choice of an action states that it is optimal, and for
``ties="any"`` the cone is that of :class:`irl_ident.identified.OptimalSet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident import evidence as evidence_room
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy
from irl_ident.identified.confidence.statements import Statements, Ties, choices_needed, log_threshold, statements
from irl_ident.identified.observed import System, with_twins
from irl_ident.identified.optimal import OptimalSet
from irl_ident.identified.report import Ambiguity

ABOVE = 1e-9
"""A probability that exceeds that of an error by no more than this share is that of an error."""


@dataclass(frozen=True, eq=False)
class NoisySet(OptimalSet):
    """Rewards that may be those of an optimal agent that errs.  Made by :func:`irl_ident.identify`.

    Parameters
    ----------
    family, evidence
        As for :class:`OptimalSet`, which the set is in all that is not said here.  ``rationality`` is "optimal": that
        is how its members plan.
    error : float
        In [0, 1): any action that is not optimal is taken with probability at most ``error / A``.
    level : float
        In (0, 1): the objective is outside, at any time, with at most this probability.
    ties : {"any", "even"}
        How the agent chooses among optimal actions; only if evenly, actions can be stated to be worse.
    """

    error: float = field(kw_only=True)
    level: float = field(kw_only=True)
    ties: Ties = field(default="any", kw_only=True)

    @cached_property
    def systems(self) -> tuple[System, ...]:
        """What is stated, one system for each different environment, in order of appearance."""
        places: dict[str, list[int]] = {}
        for place, (env, _) in enumerate(self.evidence):
            places.setdefault(env.digest, []).append(place)
        return tuple(self._system(number, kept) for number, kept in enumerate(places.values(), 1))

    def counts(self, env: Environment) -> Array:
        """How often each action was taken in ``env`` in all observations together, (S, A)."""
        sampled = [seen for known, seen in self.evidence if known.digest == env.digest and not isinstance(seen, Policy)]
        total = np.zeros((env.n_states, env.n_actions))
        for seen in sampled:
            total += evidence_room.counts(env, seen).counts
        return total

    def _system(self, number: int, places: Sequence[int]) -> System:
        env = self.evidence[places[0]][0]
        features = self.family.matrix(env)
        stated = self._stated(env, features, number, [self.evidence[place][1] for place in places])
        optimal = with_twins(env, features, stated.optimal)
        observed = np.asarray((stated.optimal | stated.worse).any(axis=1))
        return System(env, features, optimal, observed, stated.worse, tuple(places))

    def _stated(
        self, env: Environment, features: sparse.csr_array, number: int, observations: Sequence[Any]
    ) -> Statements:
        """From whole policies, without a doubt, and from choices."""
        optimal = np.zeros((env.n_states, env.n_actions), dtype=bool)
        worse = np.zeros_like(optimal)
        for policy in (seen for seen in observations if isinstance(seen, Policy)):
            meant = policy.probabilities > self.error / env.n_actions * (1 + ABOVE)
            optimal |= meant
            if policy.shows == "all":
                worse |= ~with_twins(env, features, meant) & policy.observed[:, None]
        history = [evidence_room.counts(env, seen).counts for seen in observations if not isinstance(seen, Policy)]
        if not history:
            return Statements(optimal, worse)
        threshold = log_threshold(number, env.n_states, env.n_actions, self.level)
        found = statements(history, self.error, threshold, self.ties)
        return Statements(optimal | found.optimal, worse | found.worse)

    def _manner(self) -> str:
        broken = "in any way" if self.ties == "any" else "evenly"
        return (
            f"optimal agent that errs: every other action has at most probability {self.error:g} / A; ties are broken "
            f"{broken}"
        )

    def _reasons(self, found: Sequence[Ambiguity]) -> tuple[str, ...]:
        optimal = sum(int(system.shown[system.observed].sum()) for system in self.systems)
        worse = sum(int(system.strict.sum()) for system in self.systems)
        states = sum(int(system.observed.sum()) for system in self.systems)
        return (
            f"holds the objective with probability at least {1 - self.level:g} (level {self.level:g}), at every time "
            "at which one may stop",
            f"stated with that confidence: {optimal} actions are optimal and {worse} are worse, in {states} states",
            *self._undecided(),
            *super()._reasons(found),
        )

    def _undecided(self) -> tuple[str, ...]:
        """What is still needed where choices were seen and no optimal action is stated."""
        states, fewest = 0, np.inf
        for number, system in enumerate(self.systems, 1):
            env, counts = system.env, self.counts(system.env)
            open_ = counts.any(axis=1) & ~system.known
            if open_.any():
                threshold = log_threshold(number, env.n_states, env.n_actions, self.level)
                states += int(open_.sum())
                fewest = min(fewest, choices_needed(counts[open_], self.error, threshold))
        if not states:
            return ()
        more = f"; the nearest needs {fewest:g} more like the most frequent" if np.isfinite(fewest) else ""
        return (f"choices were seen in {states} more states, too few to state an optimal action{more}",)
