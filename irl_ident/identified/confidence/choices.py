"""The likelihood of the choices of a soft-optimal agent, for many rewards at once, and where it is concave.

With counts ``n(s, a)`` of choices, features Phi, shaping matrix B and temperature b, of a record in which an action is
replaced by a random one with probability ``error``,

    l(theta) = sum_sa n(s, a) log p(a|s),     p = (1 - error) pi + error / A,     b log pi = Phi theta - B V(theta).

Values are convex in theta (a log-sum-exp of affine functions, backed up), so that without errors

    b l(theta) = n . Phi theta - (B^T n) . V(theta)

is concave when ``B^T n >= 0`` in every state whose value is not affine in theta: when each state was left at least g
times as often as the dynamics lead into it from the choices that were counted.  Neither do deterministic dynamics imply
that (an episode that was cut off has led into its last state without a choice there), nor are they needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from irl_ident import planning
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.observed import with_twins
from irl_ident.identified.shaping_rank import AffineSet, affine_set
from irl_ident.planning.soft_batch import soft_batch
from irl_ident.rewards import RewardFamily
from irl_ident.transitions import visited

PULLS = (3.0, 0.3, 0.03)
"""Precisions, in units of the temperature, of the pulls towards 0 from which points to sum over are looked for."""

NEAR = 1e-2
"""A gain in nats that is not worth a step: fits are points to start from."""

SCORING_STEPS = 50


@dataclass(frozen=True, eq=False)
class Choices:
    """Choices of a soft-optimal agent in different environments.

    Parameters
    ----------
    data : tuple of (Environment, counts (S, A))
        At least one, each environment once.
    family : RewardFamily
    temperature : float
    error : float
        In [0, 1).
    """

    data: tuple[tuple[Environment, Array], ...]
    family: RewardFamily
    temperature: float
    error: float

    def log_likelihood(self, thetas: Array) -> Array:
        """In nats, of each of ``thetas`` (N, d), (N,)."""
        total = np.zeros(len(thetas))
        for env, counts in self.data:
            log_policy = soft_batch(env, self.family.rewards(env, thetas), self.temperature).log_policy
            if self.error:
                log_policy = np.logaddexp(log_policy + np.log1p(-self.error), np.log(self.error / env.n_actions))
            total += np.einsum("sa,nsa->n", counts, log_policy)
        return total

    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """The log-likelihood of ``theta`` (d,) and its gradient, one linear solve an environment."""
        return self._value_and_gradient(self._plans(theta))

    def information(self, theta: Array) -> Array:
        """The Fisher information (d, d) of ``theta`` (d,) in the visits that were made."""
        return self._information(self._plans(theta))

    def fits(self) -> list[tuple[Array, Array]]:
        """Points near the maximum of the likelihood, pulled towards 0 less and less, and how it falls around each.

        Returns
        -------
        list of (theta (d,), precision (d, d))
            For each of :data:`PULLS`: the maximum of the likelihood times a normal density of that precision, and the
            Fisher information there plus that precision.
        """
        found, theta = [], np.zeros(self.family.dim)
        for pull in PULLS:
            precision = pull / self.temperature**2
            theta = self._fit(precision, theta)
            found.append((theta, self.information(theta) + precision * np.eye(self.family.dim)))
        return found

    def _fit(self, precision: float, start: Array) -> Array:
        """Fisher scoring, with steps halved until they help, up to a gain of ``NEAR``."""

        def height(theta: Array) -> float:
            return float(self.log_likelihood(theta[None])[0]) - precision * float(theta @ theta) / 2

        theta, eye = start, np.eye(self.family.dim)
        for _ in range(SCORING_STEPS):
            plans = self._plans(theta)
            value, slope = self._value_and_gradient(plans)
            here, gradient = value - precision * float(theta @ theta) / 2, slope - precision * theta
            step = np.asarray(linalg.solve(self._information(plans) + precision * eye, gradient, assume_a="pos"))
            gain = float(gradient @ step)
            if gain < NEAR:
                break
            while height(theta + step) < here + 1e-4 * gain and gain > NEAR:
                step, gain = step / 2, gain / 2
            theta = theta + step
        return theta

    def _value_and_gradient(self, plans: list[planning.SoftPlan]) -> tuple[float, Array]:
        value, gradient = 0.0, np.zeros(self.family.dim)
        for (env, counts), plan in zip(self.data, plans, strict=True):
            seen, share = self._seen(plan)
            value += float((counts * (np.log(seen) if self.error else plan.log_policy)).sum())
            gradient += self.family.matrix(env).T @ planning.soft_gradient(env, plan, counts * share).ravel()
        return value, gradient

    def _information(self, plans: list[planning.SoftPlan]) -> Array:
        total = np.zeros((self.family.dim, self.family.dim))
        for (env, counts), plan in zip(self.data, plans, strict=True):
            seen, share = self._seen(plan)
            weights = counts.sum(axis=1, keepdims=True) * seen * share**2
            jacobian = planning.soft_jacobian(env, plan, self.family.matrix(env))
            total += jacobian.T @ (weights.reshape(-1, 1) * jacobian)
        return total

    def _seen(self, plan: planning.SoftPlan) -> tuple[Array, Array]:
        """Probabilities of what is recorded, and how much of each is meant, both (S, A)."""
        if not self.error:
            return plan.policy, np.ones_like(plan.policy)
        meant = (1 - self.error) * plan.policy
        seen = meant + self.error / plan.policy.shape[1]
        return seen, meant / seen

    def _plans(self, theta: Array) -> list[planning.SoftPlan]:
        return [
            planning.soft(env, self.family.reward(env, theta), self.temperature, start=np.zeros(env.n_states))
            for env, _ in self.data
        ]

    @cached_property
    def concave(self) -> bool:
        """Whether the log-likelihood is certainly concave (see the module)."""
        if self.error:
            return False
        for env, counts in self.data:
            balance = env.shaping.T @ counts.ravel()
            short = balance < -1e-9 * max(float(counts.sum()), 1.0)
            if (short & ~_affine_values(env, self.family)).any():
                return False
        return True

    @cached_property
    def invariant(self) -> AffineSet:
        """Directions along which the policy stays as it is in all states that can matter for these choices."""
        equations = []
        for env, counts in self.data:
            rows = np.repeat(visited(env.continuation, np.asarray(counts.any(axis=1))), env.n_actions)
            equations.append((env.shaping, self.family.matrix(env), np.zeros(rows.size), rows))
        return affine_set(equations, self.family.dim)


def added_up(pairs: Sequence[tuple[Environment, Array]]) -> tuple[tuple[Environment, Array], ...]:
    """One pair for each different environment, its counts added, in order of appearance."""
    totals: dict[str, tuple[Environment, Array]] = {}
    for env, counts in pairs:
        before = totals[env.digest][1] if env.digest in totals else np.zeros(counts.shape)
        totals[env.digest] = env, before + counts
    return tuple(totals.values())


def _affine_values(env: Environment, family: RewardFamily) -> Mask:
    """States from which nothing but states are reached in which all actions are the same, (S,)."""
    nothing = np.zeros((env.n_states, env.n_actions), dtype=bool)
    alike = np.asarray(with_twins(env, family.matrix(env), nothing).all(axis=1))
    moves = env.continuation.tocoo()
    while True:
        leaves = np.zeros(env.n_states, dtype=bool)
        np.logical_or.at(leaves, moves.row // env.n_actions, ~alike[moves.col])
        if not (alike & leaves).any():
            return alike
        alike &= ~leaves
