"""What a bound on regret still needs: which advantages drive it, and which candidate would tell.

The certified bound of :func:`irl_ident.design.regret_bound` is at most the return of the reward ``u(s, a)``, the
largest advantage of the policy that any objective of the identified set gives to a in s, for the plan that is best
under u (less where a linear program shows that no one objective does that everywhere).  So it is at most a sum over
pairs,

    bound <= sum over s, a of mu(s, a) u(s, a),

with the occupancy mu of that plan: the largest terms say what keeps it high.  Each term has an objective that
reaches ``u(s, a)``.  A candidate speaks to a term when the agent would behave differently there under that objective
than under the centre of the set (in a state that can be reached, both a little inside the set, so that ties on its
boundary tell nothing): seeing the agent there rules out one of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.design.strategies.base import checked_candidates
from irl_ident.design.strategies.regret import RegretBound, regret_bound
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.advantages import advantage_rows, normaliser
from irl_ident.planning.checks import policy_on
from irl_ident.planning.soft_batch import soft_batch

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet

INSIDE = 0.1
"""How far objectives are taken from the boundary towards the centre before their behaviour is compared."""

APART = 0.05
"""Soft policies that differ by more than this in the probability of an action behave differently."""

NEGLIGIBLE = 1e-9
"""Terms up to this share of the largest one are left out; beside an infinite one all others are."""

SHOWN = 6
"""Terms that are printed."""


@dataclass(frozen=True, eq=False)
class Term:
    """One state and action that the bound rests on.

    Attributes
    ----------
    state, action : str
        Their names in the deployment environment.
    occupancy : float
        mu(s, a).
    advantage : float
        u(s, a).
    direction : array (d,)
        u is the support function of the identified set in this direction.
    objective : array (d,)
        Reaches it, nearly.
    candidates : tuple of int
        Positions of the candidates that speak to it.
    """

    state: str
    action: str
    occupancy: float
    advantage: float
    direction: Array
    objective: Array
    candidates: tuple[int, ...]

    @property
    def share(self) -> float:
        """Its part in the sum, ``occupancy * advantage``."""
        return self.occupancy * self.advantage


@dataclass(frozen=True, eq=False)
class Needed:
    """What is between a bound on regret and its goal.

    Attributes
    ----------
    bound : RegretBound
    epsilon : float
        The goal.
    terms : tuple of Term
        Largest first.
    addressed : array (C,)
        For each candidate the sum of the terms that it speaks to.
    """

    bound: RegretBound
    epsilon: float
    terms: tuple[Term, ...]
    addressed: Array

    @property
    def met(self) -> bool:
        """Whether nothing is needed."""
        return self.bound.upper <= self.epsilon

    @property
    def hopeless(self) -> tuple[Term, ...]:
        """Terms that no candidate speaks to."""
        return tuple(term for term in self.terms if not term.candidates)

    def __str__(self) -> str:
        between = f"regret between {self.bound.lower:.3g} and {self.bound.upper:.3g}, goal {self.epsilon:.3g}"
        if self.met:
            return f"{between}: met"
        lines = [f"{between}: not met", "The bound rests on"]
        for term in self.terms[:SHOWN]:
            told = ", ".join(map(str, term.candidates)) or "none"
            lines.append(
                f"  - {term.action} in {term.state}: {term.share:.3g} (advantage {term.advantage:.3g}, occupancy "
                f"{term.occupancy:.3g}); candidates that would tell: {told}"
            )
        if len(self.terms) > SHOWN:
            rest = sum(term.share for term in self.terms[SHOWN:])
            lines.append(f"  - and {len(self.terms) - SHOWN} more: {rest:.3g}")
        if self.addressed.size and self.addressed.max() > 0:
            best = int(np.argmax(self.addressed))
            lines += ["Next", f"  - candidate {best} speaks to {self.addressed[best]:.3g} of the bound"]
        elif self.addressed.size:
            lines += ["Next", "  - no candidate speaks to any of this: watch longer, or look for other environments"]
        return "\n".join(lines)


def still_needed(
    ident: IdentifiedSet,
    env: Environment,
    epsilon: float,
    candidates: Sequence[Environment] = (),
    *,
    policy: npt.ArrayLike | None = None,
) -> Needed:
    """What keeps the bound on regret in ``env`` above ``epsilon``.

    Parameters
    ----------
    ident : IdentifiedSet
    env : Environment
        Where a policy will be used.
    epsilon : float
        Above 0.
    candidates : sequence of C Environment
        Those that could be tried next.
    policy : array (S, A), optional
        The policy; that of :func:`deployed_policy` when not given.

    Returns
    -------
    Needed
        Prints as a few lines.  Where the bound is infinite, terms are those of infinite advantage.

    Raises
    ------
    ValueError
        For an epsilon that is not above 0, or candidates that do not go together.
    ContradictoryEvidence
        When the set is empty.
    """
    goal = checked_epsilon(epsilon)
    given = checked_candidates(candidates) if len(candidates) else ()
    pi = policy_on(env, deployed_policy(ident, env) if policy is None else policy)
    bound = regret_bound(ident, pi, env)
    rows = advantage_rows(ident.family, pi, env)
    asked = np.flatnonzero(np.repeat(env.reachable, env.n_actions) & (np.abs(rows).max(axis=1) > 0))
    found = list(zip(asked, ident.supports(rows[asked]), strict=True))
    largest = np.zeros(pi.size)
    for row, (upper, _) in found:
        largest[row] = upper
    visits = _visits(env, largest.reshape(pi.shape)).ravel()
    part = np.where(visits > 0, largest, 0) * visits
    least = NEGLIGIBLE * min(float(part.max(initial=0)), np.finfo(float).max)
    kept = [(row, theta) for row, (_, theta) in found if part[row] > least]
    kept.sort(key=lambda item: -part[item[0]])
    speak = _speaking(ident, given, np.array([theta for _, theta in kept]).reshape(-1, ident.family.dim))
    terms = tuple(
        Term(
            env.states[row // env.n_actions],
            env.actions[row % env.n_actions],
            float(visits[row]),
            float(largest[row]),
            rows[row],
            theta,
            tuple(int(c) for c in np.flatnonzero(told)),
        )
        for (row, theta), told in zip(kept, speak, strict=True)
    )
    shares = np.array([term.share if np.isfinite(term.share) else 1.0 for term in terms])
    return Needed(bound, goal, terms, np.asarray(shares @ speak) if len(terms) else np.zeros(len(given)))


def deployed_policy(ident: IdentifiedSet, env: Environment) -> Array:
    """The policy that is optimal in ``env`` for the centre of the set, evenly among ties, (S, A)."""
    plan = planning.optimal(env, ident.family.reward(env, ident.center()))
    return plan.policy


def checked_epsilon(epsilon: float) -> float:
    """``epsilon`` as a finite float above 0, or ``ValueError``."""
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon: was {epsilon!r}, should be finite and above 0")
    return float(epsilon)


def _visits(env: Environment, reward: Array) -> Array:
    """Occupancy (S, A) of the best plan for ``reward``; where some are infinite, of the even plan."""
    if np.isinf(reward).any():
        return normaliser(env) * planning.occupancy(env, np.full(reward.shape, 1 / env.n_actions))
    best = planning.optimal(env, reward).q.argmax(axis=1)
    return normaliser(env) * planning.occupancy(env, np.eye(env.n_actions)[best])


def _speaking(ident: IdentifiedSet, candidates: Sequence[Environment], thetas: Array) -> Mask:
    """Whether each of ``thetas`` (N, d) and the centre behave differently in each candidate, (N, C)."""
    told = np.zeros((len(thetas), len(candidates)), dtype=bool)
    centre = ident.center()
    everybody = np.vstack([centre, (1 - INSIDE) * thetas + INSIDE * centre])
    for place, env in enumerate(candidates):
        rewards = ident.family.rewards(env, everybody)
        if ident.rationality == "soft":
            policies = soft_batch(env, rewards, float(getattr(ident, "temperature", 1.0))).policy
            differs = (np.abs(policies[1:] - policies[0]) > APART).any(axis=2)
        else:
            best = planning.optimal_actions(planning.optimal_batch(env, rewards))
            differs = (best[1:] != best[0]).any(axis=2)
        told[:, place] = (differs & env.reachable).any(axis=1)
    return told
