"""Agents with known mesa-objectives: each plans its own objective in whatever environment it is put.

With ``r = family.reward(env, theta)``, ``Q`` its optimal state-action values, ``n(s)`` the number of optimal actions,

=====================  ===============================================================================================
:class:`Optimal`       ``pi(a|s) = [a optimal in s] / n(s)``
:class:`SoftOptimal`   ``pi(a|s) = exp((Q_b(s,a) - V_b(s)) / b)``, ``V_b(s) = b log sum_a exp(Q_b(s,a) / b)``: maximum
                       causal entropy at temperature b (Ziebart, Bagnell & Dey 2010)
:class:`Boltzmann`     ``pi(a|s)`` in proportion to ``exp(Q(s,a) / b)``: plans as if it will act optimally, then errs
                       (Ramachandran & Amir 2007)
:class:`Noisy`         ``(1 - epsilon)`` times Optimal's, plus ``epsilon / A``
:class:`ShortSighted`  optimal for the first step of the next ``horizon`` steps, planned afresh at every step
:class:`Hyperbolic`    the same with a reward in t steps weighted by ``1 / (1 + k t)``, whatever the discount of the
                       environment: plans that it will not keep (Ainslie 1975; "naive" in O'Donoghue & Rabin 1999)
=====================  ===============================================================================================
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy import special

from irl_ident import planning
from irl_ident.agents.base import Agent
from irl_ident.environment import Array, Environment
from irl_ident.rewards import RewardFamily


@dataclass(frozen=True, eq=False)
class KnownAgent(Agent):
    """An agent whose mesa-objective is ``family.reward(env, theta)``.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    """

    family: RewardFamily
    theta: Array

    def __post_init__(self) -> None:
        theta = self.family.checked(self.theta).copy()
        theta.setflags(write=False)
        object.__setattr__(self, "theta", theta)

    def mesa_objective(self, env: Environment) -> Array:
        """The reward that this agent pursues in ``env``, (S, A)."""
        return self.family.reward(env, self.theta)

    @abstractmethod
    def policy(self, env: Environment) -> Array:  # noqa: D102
        ...


@dataclass(frozen=True, eq=False)
class Optimal(KnownAgent):
    """An optimal agent that shows all optimal actions, each with the same probability.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    """

    def policy(self, env: Environment) -> Array:  # noqa: D102
        return planning.optimal(env, self.mesa_objective(env)).policy


@dataclass(frozen=True, eq=False)
class SoftOptimal(KnownAgent):
    """An agent of maximum causal entropy.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    temperature : float
        Price of a nat of entropy in units of reward, above 0.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_temperature(self.temperature)

    def policy(self, env: Environment) -> Array:  # noqa: D102
        return planning.soft(env, self.mesa_objective(env), self.temperature).policy


@dataclass(frozen=True, eq=False)
class Boltzmann(KnownAgent):
    """An agent that chooses by a softmax of its optimal values.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    temperature : float
        In units of reward, above 0.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_temperature(self.temperature)

    def policy(self, env: Environment) -> Array:  # noqa: D102
        q = planning.optimal(env, self.mesa_objective(env)).q
        probabilities: Array = special.softmax(q / self.temperature, axis=1)
        return probabilities


@dataclass(frozen=True, eq=False)
class Noisy(KnownAgent):
    """An optimal agent that with probability ``epsilon`` picks any action at random.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    epsilon : float
        In [0, 1].
    """

    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon: was {self.epsilon!r}, should be in [0, 1]")

    def policy(self, env: Environment) -> Array:  # noqa: D102
        optimal = planning.optimal(env, self.mesa_objective(env)).policy
        return (1 - self.epsilon) * optimal + self.epsilon / env.n_actions


@dataclass(frozen=True, eq=False)
class ShortSighted(KnownAgent):
    """An agent that looks ``horizon`` steps ahead, every step anew (receding horizon), and evenly among ties.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    horizon : int
        At least 1; 1 is greedy on the immediate reward.
    """

    horizon: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon != int(self.horizon) or self.horizon < 1:
            raise ValueError(f"horizon: was {self.horizon!r}, should be a whole number of at least 1")

    def policy(self, env: Environment) -> Array:  # noqa: D102
        return planning.greedy_policy(planning.bounded_horizon(env, self.mesa_objective(env), int(self.horizon)))


@dataclass(frozen=True, eq=False)
class Hyperbolic(KnownAgent):
    """An agent that values a reward in t steps at ``1 / (1 + k t)`` of it, and plans afresh at every step.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    k : float
        At least 0; 0 weighs all steps the same.
    horizon : int
        Number of steps that it looks ahead, at least 1.
    """

    k: float
    horizon: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (np.isfinite(self.k) and self.k >= 0):
            raise ValueError(f"k: was {self.k!r}, should be finite and at least 0")
        if self.horizon != int(self.horizon) or self.horizon < 1:
            raise ValueError(f"horizon: was {self.horizon!r}, should be a whole number of at least 1")

    def policy(self, env: Environment) -> Array:  # noqa: D102
        reward = self.mesa_objective(env)
        to_come = np.zeros(env.n_states)
        for step in range(self.horizon - 1, -1, -1):
            q = reward / (1 + self.k * step) + (env.transitions @ to_come).reshape(reward.shape)
            to_come = q.max(axis=1)
        return planning.greedy_policy(q)


def _check_temperature(temperature: float) -> None:
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: was {temperature!r}, should be finite and above 0")
