"""What every solver of inverse RL is, and what it gives.

A solver is a frozen record of its settings.  Its one verb, ``fit(evidence, family)``, reads evidence from any number of
environments that share one objective and returns an :class:`Estimate`: *one* reward out of the many that explain the
evidence, so that an estimate always says which one and why (its gauge).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from irl_ident.agents.base import Agent
from irl_ident.agents.known import KnownAgent
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Evidence, counts
from irl_ident.rewards import RewardFamily

Status = Literal["converged", "separated", "iterations", "trivial"]


class NoReward(ValueError):
    """Raised when a reward is asked of an estimate that has none, as of behavioural cloning."""


class Unexplained(ValueError):
    """Raised by a solver that needs a consistent reward when no reward of the family explains the evidence."""


@dataclass(frozen=True)
class Convergence:
    """How the search for the estimate ended.

    Attributes
    ----------
    status : {"converged", "separated", "iterations", "trivial"}
        ``"converged"``: to the tolerance that ``measure`` names.  ``"separated"``: the objective has no optimum, it
        improves for ever along some direction (a likelihood under evidence without exploration).  ``"iterations"``: the
        limit was reached first.  ``"trivial"``: only rewards that explain every behaviour are optimal.
    iterations : int
    measure : str
        What was driven to 0, in words: ``"norm of the gradient"``, ``"duality gap"``.
    residual : float
        Its last value.
    """

    status: Status
    iterations: int
    measure: str
    residual: float

    def __str__(self) -> str:
        return f"{self.status} after {self.iterations} iterations, {self.measure} {self.residual:.1e}"


@dataclass(frozen=True, eq=False)
class Estimate:
    """A behavioural objective: the reward that a solver chose, as the agent that would pursue it.

    Attributes
    ----------
    solver : Solver
        Who made it, with its settings.
    agent : Agent
        The estimated reward under the rationality that the solver assumes: a :class:`irl_ident.agents.KnownAgent`,
        except for estimates without a reward.
    minimised : str
        What the solver minimised, in words and with its sign: ``"negative log-likelihood, nats"``.
    value : float
        Its value at the estimate.
    convergence : Convergence
        Look at it before ``theta``.
    gauge : str
        Which member of the equivalence class this is, and why.
    """

    solver: Solver
    agent: Agent
    minimised: str
    value: float
    convergence: Convergence
    gauge: str

    @property
    def theta(self) -> Array:
        """The parameters, (d,)."""
        return self._known.theta

    @property
    def family(self) -> RewardFamily:
        """The family that ``theta`` belongs to."""
        return self._known.family

    def reward(self, env: Environment) -> Array:
        """The estimated reward in any environment of the family, (S, A)."""
        return self._known.mesa_objective(env)

    def policy(self, env: Environment) -> Array:
        """What the agent would do in ``env`` if this were its objective, (S, A)."""
        return self.agent.policy(env)

    @property
    def _known(self) -> KnownAgent:
        if not isinstance(self.agent, KnownAgent):
            raise NoReward(f"{type(self.solver).__name__} recovers no reward, only a policy")
        return self.agent

    def __str__(self) -> str:
        return (
            f"{type(self.solver).__name__}: {self.minimised} {self.value:.6g}\n"
            f"  {self.convergence}\n"
            f"  gauge: {self.gauge}"
        )


class Solver(ABC):
    """A method of inverse RL with its settings.  ``fit`` changes nothing in it."""

    @abstractmethod
    def fit(self, evidence: Evidence, family: RewardFamily) -> Estimate:
        """Choose a reward of the family that explains the evidence.

        Parameters
        ----------
        evidence : sequence of (Environment, observation)
            At least one; all pursue the same objective.  See :mod:`irl_ident.evidence`.
        family : RewardFamily
            On the states and actions of every environment.

        Returns
        -------
        Estimate

        Raises
        ------
        ValueError
            For evidence that is empty, malformed or impossible, and for kinds of observation that the method has no use
            for.
        """


def log_likelihood(agent: Agent | Estimate, evidence: Evidence) -> float:
    """Log-likelihood in nats of observed choices, given the states in which they were made.

    Parameters
    ----------
    agent : Agent or Estimate
    evidence : sequence of (Environment, Trajectories or Counts)

    Returns
    -------
    float
        ``-inf`` when a choice was seen that the agent never makes.
    """
    total = 0.0
    for env, observation in evidence:
        seen = counts(env, observation).counts
        with np.errstate(divide="ignore"):
            chosen = np.log(agent.policy(env)[seen > 0])
        total += float((seen[seen > 0] * chosen).sum())
    return total
