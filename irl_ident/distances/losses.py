"""What a policy loses, and what is lost by optimising one reward where another one counts.

With ``J(pi) = mu . V_pi`` for the initial distribution ``mu`` of the environment,

    loss(pi) = max J - J(pi) = mu . D,   D = sum_a pi (V* - Q*) + C_pi D,     regret(pi) = loss(pi) / (max J - min J)

(Kakade & Langford 2002, lemma 6.1): sums of terms >= 0, so that no digits cancel.  For any V, be it V* or not,
``D = sum_a pi (V - r - C V) + C_pi D`` is ``V - V_pi``: an error in V comes in once, and not once a step.

A reward can have many optimal policies, and they need not be worth the same under another reward.  All of them keep to
the optimal actions of the first in the states that they visit, so the best and the worst of them are found by planning
the second reward in the environment that has these actions only: exact, not by sampling ties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import planning
from irl_ident.distances.vectors import RIGHT, pair_reward_of, scaled, size
from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import policy_on, typical
from irl_ident.planning.refining import extended, refined_plan, refined_values

RewardMap: TypeAlias = Callable[[Environment], Array]
"""An objective: its reward (S, A) in any environment, as ``estimate.reward`` and ``agent.mesa_objective`` are."""
FLAT = 1e-11
"""A range of returns below this share of the values, the median reward taken away, is none."""


class Behaviour(Protocol):
    """Anything that has a policy in every environment: agents, and estimates of them."""

    def policy(self, env: Environment) -> Array:
        """Probabilities of the actions in each state of ``env``, (S, A)."""
        ...


@dataclass(frozen=True)
class OptimisedRegret:
    """Regret of the optimal policies of one reward, judged by another.

    Attributes
    ----------
    even : float
        Of the policy that takes all optimal actions, each as often.
    least, most : float
        Of the best and the worst optimal policy.
    """

    even: float
    least: float
    most: float

    def __str__(self) -> str:
        if self.most - self.least < 5e-5:
            return f"{self.even:.4f}"
        return f"{self.even:.4f} (from {self.least:.4f} to {self.most:.4f} among its optimal policies)"


@dataclass(frozen=True)
class RewardResultGap:
    """Return lost, under the base objective, by an agent that pursues something else.

    Attributes
    ----------
    loss : float
        ``max J - J(pi)``, at least 0, in units of the base objective.
    regret : float
        The same as a share of ``max J - min J``, in [0, 1].
    """

    loss: float
    regret: float


@dataclass(frozen=True, eq=False)
class Values:
    """Optimal values (S,) in double or extended precision, and how far from exact they can be."""

    values: npt.NDArray[Any]
    error: float


@dataclass(frozen=True, eq=False)
class Judge:
    """A reward that judges policies in an environment, planned once for all of them.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
        Finite, and small enough that its sums do not overflow: :meth:`of` scales any, and takes away its median, which
        no policy loses and which keeps the zeros of sparse rewards.
    exponent : int
        The reward that was given is ``2 ** exponent`` times ``reward``.
    """

    env: Environment
    reward: Array
    exponent: int = 0

    @classmethod
    def of(cls, argument: str, reward: npt.ArrayLike, env: Environment) -> Judge:
        """Scale ``reward`` (S, A), named ``argument`` in errors."""
        r, exponent = scaled(pair_reward_of(argument, reward, env))
        return cls(env, r - typical(r) if env.discount < 1 else r, exponent)

    @cached_property
    def highest(self) -> Values:
        """Of the optimal plan."""
        return _planned(self.env, self.reward)

    @cached_property
    def extent(self) -> tuple[Values, float]:
        """Optimal values, and ``max J - min J`` right to ``RIGHT / 4`` of itself; 0 where it is none.

        Raises
        ------
        ArithmeticError
            Rounding hides the range.
        """
        highest, lowest = self.highest, _planned(self.env, -self.reward)
        for _ in range(2):
            span, most = self._mean(highest.values + lowest.values), size(highest.values) + size(lowest.values)
            error = highest.error + lowest.error
            if span <= FLAT * most:
                return highest, 0.0
            if 4 * error <= RIGHT * span:
                return highest, span
            highest = _refined(self.env, self.reward, highest)
            lowest = _refined(self.env, -self.reward, lowest)
        raise ArithmeticError(_undecided(span, error, most))

    def _mean(self, values: npt.NDArray[Any]) -> float:
        return float(self.env.initial @ values / self.env.initial.sum())

    def _lost(self, best: Values, policy: npt.ArrayLike) -> tuple[float, float]:
        """The loss of ``policy``, and how far rounding may have moved it, the error of the values included."""
        pi, rows = policy_on(self.env, policy), extended(self.env)
        system = planning.policy_system(self.env, pi)
        exact = pi.astype(np.longdouble)
        exact /= exact.sum(axis=1, keepdims=True)
        onward = np.asarray(rows @ best.values).reshape(pi.shape)
        given_up = (exact * (best.values[:, None] - self.reward - onward)).sum(axis=1)
        deficits, residual = refined_values(rows, exact, given_up, system)
        terms = int(np.diff(rows.indptr).max()) + self.env.n_actions + 8
        noise = terms * float(np.finfo(np.longdouble).eps) * (size(self.reward) + 2 * size(best.values))
        lost = max(0.0, self._mean(deficits))
        return lost, best.error + lengths(self.env).longest * (residual + noise) + 1e-15 * lost

    def loss(self, policy: npt.ArrayLike) -> float:
        """``max J - J(policy)``, at least 0, in units of ``reward``."""
        return self._lost(self.highest, policy)[0]

    def regret(self, policy: npt.ArrayLike) -> float:
        """The loss of ``policy`` as a share of the range, in [0, 1]."""
        best, span = self.extent
        if span == 0:
            return 0.0
        lost, error = self._lost(best, policy)
        if 2 * error > RIGHT * span:
            raise ArithmeticError(_undecided(span, error, size(best.values)))
        return min(1.0, lost / span)

    def gap(self, policy: npt.ArrayLike) -> RewardResultGap:
        """The loss in units of the reward that was given, and the regret."""
        return RewardResultGap(float(np.ldexp(self.loss(policy), self.exponent)), self.regret(policy))

    def optimising(self, optimised: npt.ArrayLike) -> OptimisedRegret:
        """Regret of optimising another reward (S, A)."""
        chosen, _ = scaled(pair_reward_of("optimised", optimised, self.env))
        marked = planning.optimal_actions(planning.optimal(self.env, chosen).q)
        best, worst = (_within(self.env, marked, sign * self.reward) for sign in (1.0, -1.0))
        return OptimisedRegret(*(self.regret(policy) for policy in (planning.uniform_over(marked), best, worst)))


def loss(env: Environment, reward: npt.ArrayLike, policy: npt.ArrayLike) -> float:
    """Return that ``policy`` loses against an optimal one, from the initial distribution.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
    policy : array (S, A)
        Probabilities of actions.

    Returns
    -------
    float
        ``max J - J(policy)``, at least 0: right to 1e-9 of the range of ``reward`` or to 1e-10 of the largest value,
        the median reward taken away, or of the loss itself, whichever is the most.
    """
    judge = Judge.of("reward", reward, env)
    return float(np.ldexp(judge.loss(policy), judge.exponent))


def regret(env: Environment, reward: npt.ArrayLike, policy: npt.ArrayLike) -> float:
    """Loss of ``policy`` as a share of the range of returns.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
    policy : array (S, A)
        Probabilities of actions.

    Returns
    -------
    float
        ``(max J - J(policy)) / (max J - min J)``, in [0, 1], right to 1e-6; 0 where all policies are worth the same to
        1e-11 of the values, the median reward taken away.

    Raises
    ------
    ArithmeticError
        Policies are not worth the same, but rounding hides by how much they differ.
    """
    return Judge.of("reward", reward, env).regret(policy)


def optimised_regret(optimised: npt.ArrayLike, truth: npt.ArrayLike, env: Environment) -> OptimisedRegret:
    """Regret, judged by ``truth``, of optimising ``optimised``.

    Parameters
    ----------
    optimised, truth : array (S, A)
        Finite rewards.
    env : Environment

    Returns
    -------
    OptimisedRegret
        Actions are optimal within the tolerance of :func:`irl_ident.planning.optimal_actions`.

    Raises
    ------
    ArithmeticError
        As for :func:`regret`.
    """
    return Judge.of("truth", truth, env).optimising(optimised)


def transfer_regret(
    optimised: RewardMap, truth: RewardMap, environments: Iterable[Environment]
) -> tuple[OptimisedRegret, ...]:
    """Regret of optimising a reward in environments other than those that it comes from.

    Parameters
    ----------
    optimised, truth : callable
        From an environment to a reward (S, A): ``estimate.reward``, ``agent.mesa_objective``.
    environments : iterable of Environment

    Returns
    -------
    tuple of OptimisedRegret
        One for each environment, in order.

    Raises
    ------
    ArithmeticError
        As for :func:`regret`.
    """
    for name, given in (("optimised", optimised), ("truth", truth)):
        if not callable(given):
            raise ValueError(
                f"{name}: should map environments to rewards, as estimate.reward does, was {type(given).__name__}"
            )
    if isinstance(environments, Environment):
        raise ValueError("environments: should be a list of them, was one Environment")
    return tuple(optimised_regret(optimised(env), truth(env), env) for env in environments)


def reward_result_gap(agent: Behaviour, base_objective: npt.ArrayLike, env: Environment) -> RewardResultGap:
    """Return lost in ``env``, under the base objective, by what ``agent`` does there.

    Parameters
    ----------
    agent : Agent or Estimate
        Anything with ``policy(env)``; an :class:`irl_ident.agents.Optimal` one with ties takes them evenly.
    base_objective : array (S, A)
    env : Environment

    Returns
    -------
    RewardResultGap

    Raises
    ------
    ArithmeticError
        As for :func:`regret`.
    """
    judge = Judge.of("base_objective", base_objective, env)
    if not callable(getattr(agent, "policy", None)):
        raise ValueError(f"agent: should have policy(env), as agents and estimates have, was {type(agent).__name__}")
    return judge.gap(agent.policy(env))


def _planned(env: Environment, reward: Array) -> Values:
    plan = planning.optimal(env, reward)
    return Values(plan.values, plan.error_bound)


def _refined(env: Environment, reward: Array, near: Values) -> Values:
    found = refined_plan(env, reward, np.asarray(near.values, dtype=float), lengths(env).longest)
    return Values(found.values[0], float(found.tight[0]))


def _undecided(span: float, error: float, largest: float) -> str:
    return (
        f"regret: is not decided: returns of policies differ by {span:.1e}, up to {error:.1e} that rounding may have "
        f"changed, where values are as large as {largest:.1e}"
    )


def _within(env: Environment, marked: Mask, reward: Array) -> Array:
    """A deterministic policy, optimal for ``reward`` among those that keep to the marked actions."""
    first = np.argmax(marked, axis=1)
    source = np.where(marked, np.arange(env.n_actions), first[:, None])
    rows = (np.arange(env.n_states)[:, None] * env.n_actions + source).ravel()
    restricted = Environment(sparse.csr_array(env.transitions[rows]), env.discount, env.initial)
    q = planning.optimal(restricted, np.take_along_axis(reward, source, axis=1)).q
    each = np.arange(env.n_states)
    policy = np.zeros(reward.shape)
    policy[each, source[each, q.argmax(axis=1)]] = 1
    return policy
