"""Log-likelihoods of choices for many rewards at once, with gradients, for the agents of Bayesian inverse RL.

For counts n(s, a) in one environment, with ``n(s) = sum_a n(s, a)`` and b the temperature:

*Soft-optimal* (:class:`SoftChoices`): ``log pi = (Q - V) / b`` of maximum causal entropy; gradient by the adjoint of
:func:`irl_ident.planning.soft_gradient`.

*Boltzmann* (:class:`BoltzmannChoices`): ``pi(a|s)`` in proportion to ``exp(Q*(s, a) / b)`` (Ramachandran & Amir 2007).
``Q*`` is convex and piecewise linear in the reward, so the log-likelihood is continuous and smooth but where optimal
actions tie, a set of measure 0.  Elsewhere, with pi* the optimal policy,

    dQ* = dr + C dV,      dV = (I - C_pi*)^-1 dr_pi*,
    dL/dr = c + pi* w,    c(s, a) = (n(s, a) - n(s) pi(a|s)) / b,     w = (I - C_pi*)^-T C^T c.

*Noisy* (:class:`NoisyChoices`): optimal, evenly among ties, but for a share epsilon of random choices.  The
log-likelihood is piecewise constant and has no useful gradient.

Plans start from those of a reward nearby: soft plans from its values, optimal ones from its policy, which often is
optimal still, so that one linear solve verifies it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import typical
from irl_ident.planning.refining import Actions, refined
from irl_ident.planning.rounding import roundings
from irl_ident.planning.soft import LOGS
from irl_ident.planning.soft_batch import STACKED_STATES, soft_batch, soft_batch_gradient, soft_batch_jacobian
from irl_ident.planning.ties import ROUNDING

PLANNED = 1e-5
CARRIED = 1e-3
"""No value of a soft plan changes any more by the first, in temperatures, nor by the second over the longest expected
discounted number of steps."""
RIGHT = 1e-9
"""Share of the range of optimal values to which ties are right: a tenth of what counts as one."""
POLICY_STEPS = 1000
"""Improvements of a policy before planning is given up; under ten are usual."""


@dataclass(frozen=True, eq=False)
class Choices(ABC):
    """Counts of choices in one environment under one kind of agent.

    Parameters
    ----------
    env : Environment
    counts : array (S, A)
        Not negative; need not be whole.
    """

    env: Environment
    counts: Array

    def start(self, count: int) -> Array:
        """A warm start for ``count`` rewards that knows nothing, (N, S)."""
        return np.zeros((count, self.env.n_states))

    @abstractmethod
    def values(self, rewards: Array, start: Array) -> tuple[Array, Array]:
        """Log-likelihoods (N,) in nats of rewards (N, S, A), and the warm start (N, S) for rewards nearby."""


@dataclass(frozen=True, eq=False)
class SmoothChoices(Choices):
    """Choices with a gradient.

    Parameters
    ----------
    env : Environment
    counts : array (S, A)
    temperature : float
    """

    temperature: float

    @abstractmethod
    def gradients(self, rewards: Array, start: Array) -> tuple[Array, Array, Array]:
        """Log-likelihoods (N,), gradients in the rewards (N, S, A), and the warm start (N, S)."""

    @abstractmethod
    def information(self, rewards: Array, features: Array) -> Array:
        """Fisher information (N, d, d) of theta, by the features (S*A, d), at rewards (N, S, A)."""

    def values(self, rewards: Array, start: Array) -> tuple[Array, Array]:  # noqa: D102
        value, _, later = self.gradients(rewards, start)
        return value, later

    def _curvature(self, policies: Array, jacobians: Array) -> Array:
        roots = np.sqrt(self.counts.sum(axis=1)[:, None] * policies).reshape(len(policies), -1, 1) * jacobians
        return np.asarray(roots.transpose(0, 2, 1) @ roots, dtype=float)


@dataclass(frozen=True, eq=False)
class Anchor:
    """A soft plan and its derivative, from which plans nearby start.

    Parameters
    ----------
    reward : array (S, A)
    values : array (S,)
    slope : array (S, S * A)
        ``dV / dr``, the occupancies from each state.
    """

    reward: Array
    values: Array
    slope: Array

    def start(self, rewards: Array) -> Array:
        """Values (N, S) of rewards (N, S, A), to first order and from below."""
        return self.values + (rewards - self.reward).reshape(len(rewards), -1) @ self.slope.T


@dataclass(frozen=True, eq=False)
class SoftChoices(SmoothChoices):
    """Choices of an agent of maximum causal entropy.

    Parameters
    ----------
    env : Environment
    counts : array (S, A)
    temperature : float
    anchor : Anchor, optional
        Plans start there rather than from what the caller passes.

    Notes
    -----
    Newton's method stops where a backup changes values by ``rho`` up to :data:`PLANNED`.  Policy and gradient are then
    those of the reward ``r(s, a) - rho(s)``; the log-likelihood is carried over to r to first order,
    ``L(r) = L(r - rho) + sum_s rho(s) sum_a dL/dr(s, a)``, up to a term in ``rho^2``: about 1e-6 nats for a choice at
    most, for values then are within 1e-3 temperatures of exact ones.
    """

    anchor: Anchor | None = None

    def anchored(self, reward: Array) -> SoftChoices:
        """These choices with plans that start from that of ``reward`` (S, A)."""
        if self.env.n_states > STACKED_STATES:
            return self
        plan = planning.soft(self.env, reward, self.temperature)
        inverse = planning.policy_system(self.env, plan.policy).solve(np.eye(self.env.n_states))
        slope = (inverse[:, :, None] * plan.policy).reshape(self.env.n_states, -1)
        return replace(self, anchor=Anchor(reward, plan.values, slope))

    def gradients(self, rewards: Array, start: Array) -> tuple[Array, Array, Array]:  # noqa: D102
        b = self.temperature
        first = start if self.anchor is None else self.anchor.start(rewards)
        plans = soft_batch(self.env, rewards, b, start=first, tolerance=_tolerance(self.env, b))
        by_reward = soft_batch_gradient(self.env, plans, self.counts)
        value = np.einsum("nsa,sa->n", plans.log_policy, self.counts)
        value += (by_reward.sum(axis=2) * plans.change).sum(axis=1)
        return value, by_reward, plans.values

    def information(self, rewards: Array, features: Array) -> Array:  # noqa: D102
        plans = soft_batch(self.env, rewards, self.temperature, tolerance=_tolerance(self.env, self.temperature))
        return self._curvature(plans.policy, soft_batch_jacobian(self.env, plans, features))


def _tolerance(env: Environment, temperature: float) -> float:
    return temperature * min(PLANNED, CARRIED / lengths(env).longest)


@dataclass(frozen=True, eq=False)
class BoltzmannChoices(SmoothChoices):
    """Choices by a softmax of optimal values."""

    def gradients(self, rewards: Array, start: Array) -> tuple[Array, Array, Array]:  # noqa: D102
        b, visits = self.temperature, self.counts.sum(axis=1)
        plans = optimal_plans(self.env, self._centred(rewards), start, LOGS * b)
        log_policy = _log_softmax(-plans.gaps / b)
        value = np.einsum("nsa,sa->n", log_policy, self.counts)
        pull = (self.counts - visits[:, None] * np.exp(log_policy)) / b
        flat = pull.reshape(len(pull), -1)
        w = _transposed(self.env, plans.chosen, (self.env.continuation.T @ flat.T).T)
        np.put_along_axis(pull, plans.chosen[..., None], _at(pull, plans.chosen)[..., None] + w[..., None], axis=2)
        return value, pull, plans.chosen.astype(float)

    def information(self, rewards: Array, features: Array) -> Array:  # noqa: D102
        plans = optimal_plans(self.env, self._centred(rewards), self.start(len(rewards)), LOGS * self.temperature)
        policies = np.exp(_log_softmax(-plans.gaps / self.temperature))
        jacobians = np.empty((len(rewards), *features.shape))
        for k, chosen in enumerate(plans.chosen):
            system = planning.policy_system(self.env, np.eye(self.env.n_actions)[chosen])
            at = np.arange(chosen.size) * self.env.n_actions + chosen
            dq = (features + self.env.continuation @ system.solve(features[at])).reshape(*policies[k].shape, -1)
            jacobians[k] = (dq - np.einsum("sa,sad->sd", policies[k], dq)[:, None]).reshape(features.shape)
        return self._curvature(policies, jacobians / self.temperature)

    def _centred(self, rewards: Array) -> Array:
        """Rewards without constants, which change no choice but how far values round."""
        return rewards - typical(rewards)[:, None, None] if self.env.discount < 1 else rewards


@dataclass(frozen=True, eq=False)
class NoisyChoices(Choices):
    """Choices of an optimal agent of which a share ``epsilon`` is random."""

    epsilon: float

    def values(self, rewards: Array, start: Array) -> tuple[Array, Array]:  # noqa: D102
        plans = optimal_plans(self.env, rewards, start)
        policy = planning.greedy_policy(plans.q) if len(rewards) else plans.q
        mixed = (1 - self.epsilon) * policy + self.epsilon / self.env.n_actions
        return np.einsum("nsa,sa->n", np.log(mixed), self.counts), plans.chosen.astype(float)


@dataclass(frozen=True, eq=False)
class OptimalPlans:
    """Optimal values of actions (N, S, A), ``max_a q - q``, and an optimal action in every state (N, S)."""

    q: Array
    gaps: Array
    chosen: Actions


def optimal_plans(env: Environment, rewards: Array, start: Array, allowed: float = np.inf) -> OptimalPlans:
    """Howard's policy iteration for rewards (N, S, A), from deterministic policies (N, S).

    Values are right to half the share ``RIGHT`` of their range or to ``ROUNDING`` of the largest, whichever is more,
    and gaps to ``allowed``; in extended precision where double does not do.
    """
    if env.n_states > STACKED_STATES:
        q = np.array([planning.optimal(env, reward).q for reward in rewards]).reshape(rewards.shape)
        chosen = q.argmax(axis=2)
    else:
        q, chosen = _iterated(env, rewards, start.astype(np.intp))
    gaps = q.max(axis=2, initial=-np.inf)[..., None] - q
    values, longest = q.max(axis=2, initial=-np.inf), lengths(env).longest
    noise = longest * roundings(env, rewards, values) if len(rewards) else np.zeros(0)
    spread = q.max(axis=(1, 2), initial=-np.inf) - q.min(axis=(1, 2), initial=np.inf)
    enough = np.maximum(RIGHT * spread / 2, ROUNDING * np.abs(q).max(axis=(1, 2), initial=0))
    poor = np.flatnonzero(noise > np.minimum(enough, allowed / 2))
    if poor.size:
        better = refined(env, rewards[poor], values[poor], longest, partial(_evaluated, env))
        q[poor], gaps[poor], chosen[poor] = better.q, better.gaps, better.gaps.argmin(axis=2)
    return OptimalPlans(q, gaps, chosen)


def _iterated(env: Environment, rewards: Array, chosen: Actions) -> tuple[Array, Actions]:
    q = np.empty_like(rewards)
    live = np.arange(len(rewards))
    for _ in range(POLICY_STEPS):
        r = rewards[live]
        values = np.linalg.solve(_systems(env, chosen[live]), _at(r, chosen[live])[..., None])[..., 0]
        backed = r + (env.continuation @ values.T).T.reshape(r.shape)
        size = np.abs(r).max(axis=(1, 2), initial=0) + 2 * np.abs(values).max(axis=1, initial=0)
        switch = backed.max(axis=2) - _at(backed, chosen[live]) > 1e-13 * size[:, None] * np.sqrt(env.n_states)
        q[live] = backed
        chosen[live] = np.where(switch, backed.argmax(axis=2), chosen[live])
        live = live[switch.any(axis=1)]
        if not len(live):
            return q, chosen
    raise ArithmeticError(f"optimal planning: policies still improve after {POLICY_STEPS} steps")


def _evaluated(env: Environment, chosen: Actions, right: Array) -> Array:
    """Solve ``(I - C_pi) x = right`` for deterministic policies (N, S) and right sides (N, S)."""
    if env.n_states > STACKED_STATES:
        unit = np.eye(env.n_actions)
        return np.array([planning.policy_system(env, unit[c]).solve(y) for c, y in zip(chosen, right, strict=True)])
    return np.asarray(np.linalg.solve(_systems(env, chosen), right[..., None])[..., 0], dtype=float)


def _systems(env: Environment, chosen: Actions) -> Array:
    """``I - C_pi`` for deterministic policies (N, S), (N, S, S)."""
    states = np.arange(env.n_states)
    rows = env.continuation.toarray().reshape(env.n_states, env.n_actions, env.n_states)
    systems = np.asarray(-rows[states, chosen], dtype=float)
    systems[:, states, states] += 1
    return systems


def _transposed(env: Environment, chosen: Actions, right: Array) -> Array:
    """Solve ``(I - C_pi)^T w = right`` for deterministic policies (N, S) and right sides (N, S)."""
    if env.n_states > STACKED_STATES:
        unit = np.eye(env.n_actions)
        solved = [planning.policy_system(env, unit[c]).solve_transposed(y) for c, y in zip(chosen, right, strict=True)]
        return np.array(solved).reshape(right.shape)
    return np.asarray(np.linalg.solve(_systems(env, chosen).transpose(0, 2, 1), right[..., None])[..., 0], dtype=float)


def _at(pairs: Array, chosen: Actions) -> Array:
    entries: Array = np.take_along_axis(pairs, chosen[..., None], axis=-1)[..., 0]
    return entries


def _log_softmax(scaled: Array) -> Array:
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    log_policy: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_policy
