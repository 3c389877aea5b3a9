"""Agents and devices: is behaviour better described by an objective, or by a map from states to actions?

Orseau, McGill & Legg (2018) give the probability that a system is an agent by Bayes' rule.  A *device* is
described directly by its input-output map, an *agent* by what it optimises; each side is a mixture over its members,

    P(actions | agent)  = sum over goals and temperatures of  w(agent) prod_e prod_t pi_agent,e(a_t | s_t),
    P(actions | device) = sum over device classes of  w(class) prod over inputs of Dirichlet-multinomial(counts there),

and what one side gains over the other is the Bayes factor.  (Of the paper its abstract and introduction were at hand;
the two mixtures are stated here in full because they are this module's.)  With concentration 1/2 the Dirichlet mixture
is the estimator of Krichevsky & Trofimov (1981), which loses to the best map no more than about ``(A - 1) / 2 log n``
nats for an input that was met n times.

A device keeps **one map in all environments**, an agent plans anew in each.  In a single environment a device can do
whatever an agent does, and only the price of learning its map tells them apart, a price that more data make ever less
important for each choice; in several environments with other dynamics and the same states it cannot.

A goal that nothing leads to, or that all actions reach alike, predicts even choices.  As a hypothesis about an agent
it is a hypothesis of chance, and the mixture of agents would explain a random walk at no cost, better than any device
that has to learn.  Such *trivial* goals are left out of the mixture and pointed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.agents import Agent, SoftOptimal
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Evidence, Policy
from irl_ident.goal_directedness.terms import behaviour, visited
from irl_ident.rewards import RewardFamily

EVEN = 1e-6
"""An agent is trivial whose log-probabilities are nowhere further than this from those of even choices."""


@dataclass(frozen=True, eq=False, init=False)
class Device:
    """A class of fixed maps from inputs to distributions of actions, mixed by a Dirichlet prior for each input.

    Parameters
    ----------
    inputs : array (S,) of int
        What the device is told of each state: states with the same number look the same to it.
    concentration : float
        Of the symmetric Dirichlet prior, above 0.  1/2 is Krichevsky and Trofimov's; infinite for a device that always
        chooses evenly.
    """

    inputs: npt.NDArray[np.int64]
    concentration: float

    def __init__(self, inputs: npt.ArrayLike, concentration: float = 0.5) -> None:
        given = np.asarray(inputs)
        if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iu":
            shape = f"{given.dtype} of shape {given.shape}"
            raise ValueError(f"inputs: should be one whole number for each state, was {shape}")
        if not concentration > 0:
            raise ValueError(f"concentration: was {concentration!r}, should be above 0")
        labels = np.unique(given, return_inverse=True)[1].astype(np.int64)
        labels.setflags(write=False)
        object.__setattr__(self, "inputs", labels)
        object.__setattr__(self, "concentration", float(concentration))

    @classmethod
    def table(cls, n_states: int, concentration: float = 0.5) -> Device:
        """A device that is told the state: all maps from states to actions."""
        return cls(np.arange(n_states), concentration)

    @classmethod
    def constant(cls, n_states: int, concentration: float = 0.5) -> Device:
        """A device that is told nothing."""
        return cls(np.zeros(n_states, dtype=int), concentration)

    @classmethod
    def chance(cls, n_states: int) -> Device:
        """A device that always chooses evenly."""
        return cls(np.zeros(n_states, dtype=int), np.inf)

    def log_evidence(self, counts: npt.ArrayLike) -> float:
        """Log-probability, in nats, that the mixture gives to choices in their order.

        Parameters
        ----------
        counts : array (S, A)
            How often each action was taken in each state, at least 0; fractions are allowed.

        Examples
        --------
        Twice the same of two actions: 1/2 times 3/4.

        >>> round(float(np.exp(Device.table(1).log_evidence([[2, 0]]))), 12)
        0.375
        """
        given = np.asarray(counts, dtype=float)
        if given.ndim != 2 or given.shape[0] != self.inputs.size:
            raise ValueError(f"counts: should have shape ({self.inputs.size}, A), was {given.shape}")
        if np.isinf(self.concentration):
            return -float(given.sum() * np.log(given.shape[1]))
        total = np.zeros((int(self.inputs.max()) + 1, given.shape[1]))
        np.add.at(total, self.inputs, given)
        a, n_actions = self.concentration, given.shape[1]
        return float(_log_rising(a, total).sum() - _log_rising(n_actions * a, total.sum(axis=1)).sum())


@dataclass(frozen=True, eq=False)
class AgentOrDevice:
    """How well agents and devices explain the same choices; logarithms in nats.

    Attributes
    ----------
    agent_evidence, device_evidence : float
        Log-probability of the choices under each mixture; of agents, those that are not trivial.
    chance_evidence : float
        Under even choices.  A mixture of agents below this explains nothing.
    agents : array (N,)
        Log-likelihood of each agent, trivial or not.
    devices : array (M,)
        Log-evidence of each device class.
    agent_posterior : array (N,)
        Of each agent, given that it is one; 0 for trivial ones.
    device_posterior : array (M,)
        Of each device class, given that it is a device.
    trivial : array (N,) of bool
        Agents that choose evenly wherever these environments let them come to.
    agent_evidence_with_trivial : float
        As ``agent_evidence``, had trivial agents been kept.
    prior : float
        Probability of an agent beforehand.
    """

    agent_evidence: float
    device_evidence: float
    chance_evidence: float
    agents: Array
    devices: Array
    agent_posterior: Array
    device_posterior: Array
    trivial: Mask
    agent_evidence_with_trivial: float
    prior: float

    @property
    def log_bayes_factor(self) -> float:
        """In favour of an agent, in nats."""
        return self.agent_evidence - self.device_evidence

    @property
    def probability(self) -> float:
        """That it is an agent."""
        return _posterior(self.log_bayes_factor, self.prior)

    @property
    def probability_with_trivial(self) -> float:
        """That it is an agent, were trivial goals goals."""
        return _posterior(self.agent_evidence_with_trivial - self.device_evidence, self.prior)

    def __repr__(self) -> str:
        left_out = f", {int(self.trivial.sum())} of {self.trivial.size} trivial" if self.trivial.any() else ""
        return (
            f"AgentOrDevice(agent with probability {self.probability:.3g}, {self.log_bayes_factor:+.4g} nats{left_out})"
        )


def soft_agents(family: RewardFamily, thetas: npt.ArrayLike, temperatures: Iterable[float]) -> list[SoftOptimal]:
    """Soft-optimal agents for each objective at each temperature, objective by objective.

    Parameters
    ----------
    family : RewardFamily
    thetas : array (N, d)
        Objectives, such as the rows of an identity matrix for goals "be in state s", or a sample from a prior.
    temperatures : iterable of float
        B of them, above 0; a geometric grid stands for an unknown temperature.

    Returns
    -------
    list of SoftOptimal
        N * B, so that posteriors reshape to (N, B).
    """
    levels = [float(b) for b in temperatures]
    return [SoftOptimal(family, theta, b) for theta in np.asarray(thetas, dtype=float) for b in levels]


def agent_or_device(
    evidence: Evidence,
    agents: Sequence[Agent],
    *,
    weights: npt.ArrayLike | None = None,
    devices: Sequence[Device] | None = None,
    device_weights: npt.ArrayLike | None = None,
    prior: float = 0.5,
    choices: float | None = None,
) -> AgentOrDevice:
    """The posterior probability that a system is an agent (Orseau et al. 2018).

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        Trajectories or counts, in environments with the same states and actions; policies with ``choices``.
    agents : sequence of Agent
        Hypotheses, N: objectives, temperatures, or any agents of :mod:`irl_ident.agents`, planning included.
    weights : array (N,), optional
        Their prior weights, at least 0, of any sum; even when not given.
    devices : sequence of Device, optional
        Device classes, M; ``[Device.table(S)]`` when not given.
    device_weights : array (M,), optional
        As ``weights``.
    prior : float
        Probability of an agent beforehand, between 0 and 1.
    choices : float, optional
        A policy is read as so many choices, in the shares of its discounted visits outside absorbing states: its
        evidence is that of expected counts.

    Returns
    -------
    AgentOrDevice

    Raises
    ------
    ValueError
        When evidence does not go together, all agents are trivial, or an argument is out of its range.

    Examples
    --------
    >>> import irl_ident as ii
    >>> env = ii.builders.grid("...\\n...\\n...", 0.9).environment
    >>> family = ii.rewards.StateRewards(9)
    >>> mouse = ii.agents.SoftOptimal(family, np.eye(9)[8], temperature=0.1)
    >>> seen = mouse.demonstrate(env, episodes=20, horizon=20, seed=0)
    >>> agent_or_device([(env, seen)], soft_agents(family, np.eye(9), [0.03, 0.1, 0.3]))
    AgentOrDevice(agent with probability 1, +27.83 nats)
    """
    pairs = evidence_room.checked(evidence)
    counts = [_counts(place, env, seen, choices) for place, (env, seen) in enumerate(pairs)]
    if not 0 < prior < 1:
        raise ValueError(f"prior: was {prior!r}, should be between 0 and 1")
    if not agents:
        raise ValueError("agents: is empty, should hold at least one hypothesis")
    classes = [Device.table(pairs[0][0].n_states)] if devices is None else list(devices)
    shares, device_shares = (
        _log_shares("weights", weights, len(agents)),
        _log_shares("device_weights", device_weights, len(classes)),
    )
    pooled = _pooled(counts)
    explained, trivial = np.zeros(len(agents)), np.ones(len(agents), dtype=bool)
    for n, agent in enumerate(agents):
        for (env, _), seen in zip(pairs, counts, strict=True):
            log_policy = _log_policy(agent, env)
            explained[n] += _log_likelihood(seen, log_policy)
            off = np.abs(log_policy + np.log(env.n_actions)).max(axis=1)
            trivial[n] &= bool((off[env.reachable] <= EVEN).all())
    if trivial.all():
        raise ValueError("agents: all choose evenly in these environments, so that they are no hypotheses of agency")
    told = np.array([device.log_evidence(pooled) for device in classes])
    kept = np.where(trivial, -np.inf, shares)
    kept -= special.logsumexp(kept)
    agent_evidence, device_evidence = _mixed(explained, kept), _mixed(told, device_shares)
    return AgentOrDevice(
        agent_evidence=agent_evidence,
        device_evidence=device_evidence,
        chance_evidence=-float(pooled.sum() * np.log(pooled.shape[1])),
        agents=explained,
        devices=told,
        agent_posterior=_shares_of(explained + kept),
        device_posterior=_shares_of(told + device_shares),
        trivial=trivial,
        agent_evidence_with_trivial=_mixed(explained, shares),
        prior=prior,
    )


def _counts(place: int, env: Environment, seen: evidence_room.Observation, choices: float | None) -> Array:
    if not isinstance(seen, Policy):
        return np.asarray(evidence_room.counts(env, seen).counts, dtype=float)
    if choices is None or not choices > 0:
        raise ValueError(f"choices: was {choices!r}, should be above 0, as evidence[{place}] is a policy")
    expected = visited(env, behaviour(env, seen)) * ~env.absorbing[:, None]
    total = expected.sum()
    return np.asarray(choices * expected / total) if total > 0 else expected


def _pooled(counts: Sequence[Array]) -> Array:
    for place, given in enumerate(counts):
        if given.shape != counts[0].shape:
            raise ValueError(
                f"evidence[{place}]: its environment has {given.shape[1]} actions, that of evidence[0] "
                f"{counts[0].shape[1]}: a device has one map for all"
            )
    total: Array = np.sum(counts, axis=0)
    return total


def _log_policy(agent: Agent, env: Environment) -> Array:
    if isinstance(agent, SoftOptimal):
        return planning.soft(env, agent.mesa_objective(env), agent.temperature).log_policy
    policy = agent.policy(env)
    return np.log(policy, out=np.full(policy.shape, -np.inf), where=policy > 0)


def _log_likelihood(counts: Array, log_policy: Array) -> float:
    return float((counts * np.where(counts > 0, log_policy, 0)).sum())


def _log_shares(argument: str, weights: npt.ArrayLike | None, count: int) -> Array:
    given = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
    if given.shape != (count,) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ValueError(f"{argument}: should be {count} numbers of at least 0, not all 0, was {weights!r}")
    return np.asarray(np.log(given / given.sum(), out=np.full(count, -np.inf), where=given > 0))


def _log_rising(start: float, count: Array) -> Array:
    """``log(start (start + 1) ... (start + count - 1))``, without cancellation where start is large."""
    some = np.where(count > 0, count, 1)
    return np.asarray(np.where(count > 0, special.gammaln(some) - special.betaln(start, some), 0))


def _mixed(logs: Array, shares: Array) -> float:
    return float(special.logsumexp(logs + shares))


def _shares_of(logs: Array) -> Array:
    """Normalised; 0 throughout where nothing explains the choices."""
    top = logs.max()
    weights = np.exp(logs - top) if np.isfinite(top) else np.zeros(logs.size)
    total = float(weights.sum())
    return np.asarray(weights / total if total > 0 else weights, dtype=float)


def _posterior(log_bayes_factor: float, prior: float) -> float:
    return float(special.expit(log_bayes_factor + np.log(prior) - np.log1p(-prior)))
