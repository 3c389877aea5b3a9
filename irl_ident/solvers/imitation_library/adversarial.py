r"""Adversarial imitation as the ``imitation`` library computes it: AIRL and GAIL, with PPO as the generator.

A discriminator tells demonstrated transitions from those of a policy pi, the policy is rewarded for passing as the
demonstrator, and both take turns.

*AIRL* (Fu, Luo & Levine 2018): the discriminator's logit is ``f(s, a, s') - log pi(a | s)`` with

    f(s, a, s') = phi(s, a) . theta + g h(s') - h(s),

a reward linear in our features plus potential shaping by a network h.  Against any pi its optimum is
``f = log pi_E + log of the ratio of state visits``, and where visits agree this is the demonstrator's soft advantage at
temperature 1: theta is in units of the temperature, up to what shaping can hide.  Each environment has an h of its own
and all share theta, so that what shaping hides in one may show in another.  The argument needs deterministic dynamics,
for f depends on s' and the advantage does not.

*GAIL* (Ho & Ermon 2016): the logit is phi(s, a) . theta itself.  At its optimum it is the log of a ratio of visits,
0 throughout once pi imitates perfectly: no reward, and :class:`GAIL` does not call it one.

Several environments train together: PPO's workers are copies of each of them, its policy and h see (environment,
state), and the demonstrations of every environment are repeated to be as many as those of the largest.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from irl_ident.agents.base import Agent
from irl_ident.agents.known import SoftOptimal
from irl_ident.agents.table import TableAgent
from irl_ident.environment import Array
from irl_ident.evidence import Evidence
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Solver
from irl_ident.solvers.imitation_library import demonstrations as demos
from irl_ident.solvers.imitation_library import library, worlds
from irl_ident.solvers.imitation_library.library import ImitationEstimate
from irl_ident.solvers.imitation_library.worlds import World, WorldEstimate

BATCH = 512
"""Demonstrated transitions in one update of the discriminator, where there are as many."""


@dataclass(frozen=True, eq=False)
class AdversarialEstimate(ImitationEstimate):
    """What an adversarial method found.

    Attributes
    ----------
    learned : TableAgent
        The generator's policies in the environments of the evidence.
    weights : array (d,)
        Of the features, in the discriminator.
    losses : array (rounds,)
        The discriminator's mean cross-entropy in each round, nats; ln 2 where it cannot tell the two apart.
    """

    learned: TableAgent
    weights: Array
    losses: Array


@dataclass(frozen=True)
class Adversarial(Solver):
    """What AIRL and GAIL share: their settings, and how they are trained.

    Parameters
    ----------
    steps : int
        Steps of the generator in all environments together; at least one round, ``n_steps`` of each of PPO's workers.
    seed : int
        The same seed, the same estimate (on one machine with one release of PyTorch).
    horizon : int, optional
        Steps of an episode; as many as the longest in the evidence has when not given.
    episodes : int
        A policy in the evidence is followed for so many.
    updates : int
        Of the discriminator in each round.
    learning_rate : float
        Of the discriminator's Adam.
    layers : tuple of int, optional
        Widths of the hidden layers of h and of the generator.  When not given, none in tables, where each state then
        has numbers of its own, and ``HIDDEN_LAYERS`` in other worlds.
    ppo : mapping
        Keyword arguments of Stable-Baselines3's PPO, before those of ``TABLE_SETTINGS`` and ``WORLD_SETTINGS``.
    """

    recovers_reward: ClassVar[bool]
    """Whether the discriminator's weights are parameters of a reward."""

    steps: int = 50_000
    seed: int = 0
    horizon: int | None = None
    episodes: int = 100
    updates: int = 8
    learning_rate: float = 2e-2
    layers: tuple[int, ...] | None = None
    ppo: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("steps", "episodes", "updates"):
            library.checked_count(name, getattr(self, name))
        if self.horizon is not None:
            library.checked_count("horizon", self.horizon)
        for width in self.layers or ():
            library.checked_count("layers", width)
        library.checked_positive("learning_rate", self.learning_rate)
        library.checked_seed(self.seed)

    @abstractmethod
    def _discriminator(self, base: Any, generator: Any) -> tuple[type[Any], Any]:
        """The library's trainer, and its network around the linear or other ``base``."""

    @property
    def _entropy(self) -> Mapping[str, Any]:
        """Settings of PPO for the entropy of the generator in tables."""
        return {}

    def _generator(self, venv: Any, discount: float, layers: tuple[int, ...], settings: Mapping[str, Any]) -> Any:
        chosen = self.layers if self.layers is not None else layers
        return worlds.ppo(venv, discount=discount, seed=self.seed, layers=chosen, settings={**settings, **self.ppo})

    @abstractmethod
    def _read(self, family: RewardFamily, weights: Array, learned: TableAgent) -> tuple[Agent, str]:
        """The estimated agent and its gauge."""

    def fit(self, evidence: Evidence, family: RewardFamily) -> AdversarialEstimate:
        """Train on episodes of one length; see :meth:`.Solver.fit`.

        Raises
        ------
        ValueError
            Also for counts, and for environments with different discounts.
        """
        name = type(self).__name__
        library.require(name)
        pairs = reading.checked(evidence, family)
        discounts = {env.discount for env, _ in pairs}
        if len(discounts) > 1:
            listed = ", ".join(f"{g:g}" for g in sorted(discounts))
            raise ValueError(f"evidence: its environments have discounts {listed}; {name} trains with one")
        horizon = demos.horizon_of(pairs, self.horizon)
        seen = demos.demonstrations(pairs, solver=name, episodes=self.episodes, horizon=horizon, seed=self.seed)
        known = [env for env, _ in demos.members(pairs, solver=name)]
        n_states, n_actions = known[0].n_states, known[0].n_actions
        features = np.vstack([family.matrix(env).toarray() for env in known])
        with library.reproducible(self.seed):
            from irl_ident.solvers.imitation_library.nets import LinearTableReward

            base = LinearTableReward(*worlds.spaces(len(known) * n_states, n_actions), features)
            venv = worlds.side_by_side([each.env for each in seen], horizon)
            transitions = demos.balanced([each.trajectories() for each in seen])
            generator = self._generator(venv, known[0].discount, (), {**worlds.TABLE_SETTINGS, **self._entropy})
            losses, _ = trained(self, transitions, venv, base, generator, varied=False)
            tables = worlds.table(generator.policy, len(known) * n_states).reshape(len(known), n_states, n_actions)
        for env, table in zip(known, tables, strict=True):
            table[env.absorbing] = 1 / n_actions
        weights = base.theta.detach().numpy().astype(float)
        learned = TableAgent(known, list(tables))
        agent, gauge = self._read(family, weights, learned)
        return AdversarialEstimate(
            solver=self,
            agent=agent,
            minimised="cross-entropy of the discriminator, nats (against a generator that raises it)",
            value=settled(losses),
            convergence=_convergence(losses),
            gauge=gauge,
            learner=generator.policy,
            learned=learned,
            weights=weights,
            losses=losses,
        )

    def fit_world(
        self,
        world: World,
        trajectories: Sequence[Any],
        *,
        discount: float = 0.99,
        features: worlds.Features | None = None,
        variable_horizon: bool = False,
    ) -> WorldEstimate:
        """Train in any Gymnasium world.

        Parameters
        ----------
        world : str or callable
            A Gymnasium id, or a function that makes a fresh environment.
        trajectories : sequence of imitation.data.types.Trajectory
            Demonstrations, as :func:`rollouts` makes them.
        discount : float
        features : callable, optional
            From an observation and an action to (d,).  When given, the discriminator is linear in them, apart from
            shaping, and AIRL's estimate has ``theta``; a network of the library when not.
        variable_horizon : bool
            Whether episodes may differ in length.  The library refuses them otherwise, for when an episode ends can
            tell what the agent is after.

        Returns
        -------
        WorldEstimate
            Its ``reward_net`` is what the library pays the generator, of AIRL without the shaping.
        """
        library.require(type(self).__name__)
        from irl_ident.solvers.imitation_library.nets import reward_net

        discount = worlds.checked_discount(discount)
        with library.reproducible(self.seed):
            venv = worlds.vector(world)
            given = worlds.checked_trajectories(trajectories, venv)
            base = reward_net(venv, given, features)
            generator = self._generator(venv, discount, worlds.HIDDEN_LAYERS, worlds.WORLD_SETTINGS)
            losses, net = trained(self, demos.balanced([given]), venv, base, generator, varied=variable_horizon)
            venv.close()
        linear = features is not None and self.recovers_reward
        theta = base.theta.detach().numpy().astype(float) if linear else None
        return WorldEstimate(self, generator.policy, net, theta, _convergence(losses))


@dataclass(frozen=True)
class AIRL(Adversarial):
    """``imitation.algorithms.adversarial.airl.AIRL``: a reward apart from its shaping (Fu, Luo & Levine 2018).

    Parameters are those of :class:`.Adversarial`.  In tables PPO weighs entropy by 1 against rewards in their own units
    (``ent_coef=1``, advantages not normalised), as an agent of temperature 1 does, if only one step ahead.
    """

    recovers_reward = True

    @property
    def _entropy(self) -> Mapping[str, Any]:
        return {"ent_coef": 1.0, "normalize_advantage": False}

    def _discriminator(self, base: Any, generator: Any) -> tuple[type[Any], Any]:
        from imitation.algorithms.adversarial.airl import AIRL as Library
        from imitation.rewards.reward_nets import BasicPotentialMLP, ShapedRewardNet

        potential = BasicPotentialMLP(base.observation_space, generator.policy.net_arch)
        return Library, ShapedRewardNet(base, potential, generator.gamma)

    def _read(self, family: RewardFamily, weights: Array, learned: TableAgent) -> tuple[Agent, str]:
        return SoftOptimal(family, weights, 1.0), (
            "in units of the temperature; where gradient descent came from theta = 0 and a random potential, so what "
            "shaping can hide in every environment of the evidence is as training left it"
        )


@dataclass(frozen=True)
class GAIL(Adversarial):
    """``imitation.algorithms.adversarial.gail.GAIL``: imitation by an adversary (Ho & Ermon 2016), no reward.

    Parameters are those of :class:`.Adversarial`.
    """

    recovers_reward = False

    def _discriminator(self, base: Any, generator: Any) -> tuple[type[Any], Any]:
        from imitation.algorithms.adversarial.gail import GAIL as Library

        return Library, base

    def _read(self, family: RewardFamily, weights: Array, learned: TableAgent) -> tuple[Agent, str]:
        return learned, (
            "no reward: a policy; the weights are those of the discriminator's logit, a log-ratio of visits that "
            "vanishes where imitation succeeds"
        )


def trained(
    settings: Adversarial, transitions: Any, venv: Any, base: Any, generator: Any, *, varied: bool
) -> tuple[Array, Any]:
    """Train; the discriminator's losses round by round, and the reward that the library would go on with."""
    trainer_class, net = settings._discriminator(base, generator)
    least = venv.num_envs * generator.n_steps
    if settings.steps < least:
        raise ValueError(f"steps: was {settings.steps}, should be at least {least}, one round of the generator")
    with library.recorded() as (log, told):
        trainer = trainer_class(
            demonstrations=transitions,
            demo_batch_size=min(BATCH, len(transitions)),
            venv=venv,
            gen_algo=generator,
            reward_net=net,
            n_disc_updates_per_round=settings.updates,
            disc_opt_kwargs={"lr": settings.learning_rate},
            custom_logger=log,
            allow_variable_horizon=varied,
        )
        trainer.train(settings.steps)
    losses = np.array([dump["mean/disc/disc_loss"] for dump in told if "mean/disc/disc_loss" in dump])
    return losses, trainer.reward_test


def settled(losses: Array) -> float:
    """Mean of the last fifth of the rounds."""
    return float(losses[-max(1, len(losses) // 5) :].mean())


def _convergence(losses: Array) -> Convergence:
    away = abs(settled(losses) - np.log(2))
    return Convergence("iterations", len(losses), "cross-entropy of the discriminator away from ln 2", away)
