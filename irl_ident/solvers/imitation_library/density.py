"""Density as reward, as the ``imitation`` library computes it: what the demonstrator does often is good.

A kernel density estimate of the demonstrated (state, action) pairs is fitted, states and actions one-hot and
standardised, and its logarithm taken as the reward.  It asks for no dynamics, and nothing says that its optimal policy
is the demonstrator's: it pays for being where the demonstrator was, whatever led there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg

from irl_ident.agents.known import Optimal
from irl_ident.environment import Array
from irl_ident.evidence import Evidence
from irl_ident.rewards import RANK_TOLERANCE, RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Solver
from irl_ident.solvers.imitation_library import demonstrations as demos
from irl_ident.solvers.imitation_library import library, worlds
from irl_ident.solvers.imitation_library.library import ImitationEstimate
from irl_ident.solvers.imitation_library.worlds import World, WorldEstimate


@dataclass(frozen=True, eq=False)
class DensityEstimate(ImitationEstimate):
    """What density estimation found.

    Attributes
    ----------
    log_density : tuple of array (S, A)
        In each environment of the evidence, in the order in which they first come.
    """

    log_density: tuple[Array, ...]


@dataclass(frozen=True)
class DensityReward(Solver):
    """``imitation.algorithms.density.DensityAlgorithm`` on (state, action) pairs.

    Parameters
    ----------
    bandwidth : float
        Of the Gaussian kernel, in standard deviations.
    seed : int
        The same seed, the same estimate (on one machine with one release of PyTorch).
    horizon : int, optional
        Steps of an episode; as many as the longest in the evidence has when not given.
    episodes : int
        A policy in the evidence is followed for so many.
    steps : int
        For :meth:`fit_world`: how long PPO trains on the reward.
    ppo : mapping
        For :meth:`fit_world`: keyword arguments of PPO, before those of ``WORLD_SETTINGS``.
    """

    bandwidth: float = 0.5
    seed: int = 0
    horizon: int | None = None
    episodes: int = 100
    steps: int = 50_000
    ppo: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("steps", "episodes"):
            library.checked_count(name, getattr(self, name))
        if self.horizon is not None:
            library.checked_count("horizon", self.horizon)
        library.checked_positive("bandwidth", self.bandwidth)
        library.checked_seed(self.seed)

    def fit(self, evidence: Evidence, family: RewardFamily) -> DensityEstimate:
        """Fit the density, and the family to its logarithm by least squares; see :meth:`.Solver.fit`.

        Raises
        ------
        ValueError
            Also for counts.
        """
        library.require("DensityReward")
        pairs = reading.checked(evidence, family)
        horizon = demos.horizon_of(pairs, self.horizon)
        seen = demos.demonstrations(
            pairs, solver="DensityReward", episodes=self.episodes, horizon=horizon, seed=self.seed
        )
        known = [env for env, _ in demos.members(pairs, solver="DensityReward")]
        n_states, n_actions = known[0].n_states, known[0].n_actions
        with library.reproducible(self.seed) as random:
            venv = worlds.side_by_side([each.env for each in seen], horizon)
            model = fitted(
                self, demos.balanced([each.trajectories() for each in seen]), venv, None, random, varied=False
            )
            states, actions = np.divmod(np.arange(len(known) * n_states * n_actions), n_actions)
            flat = np.asarray(model(states, actions, states, np.zeros(states.size, dtype=bool)), dtype=float)
        features = np.vstack([family.matrix(env).toarray() for env in known])
        theta, *_ = linalg.lstsq(features, flat, cond=RANK_TOLERANCE)
        left = float(np.sqrt(np.mean((flat - features @ theta) ** 2)))
        return DensityEstimate(
            solver=self,
            agent=Optimal(family, theta),
            minimised="root mean square of the log-density less what the family makes of it, nats",
            value=left,
            convergence=Convergence("converged", 1, "gradient of the least squares", _gradient(features, theta, flat)),
            gauge="the log-density of demonstrated pairs, projected onto the family; of equals the shortest theta",
            learner=None,
            log_density=tuple(flat.reshape(len(known), n_states, n_actions)),
        )

    def fit_world(
        self, world: World, trajectories: Sequence[Any], *, discount: float = 0.99, variable_horizon: bool = False
    ) -> WorldEstimate:
        """Fit the density in any Gymnasium world, and train PPO on it.

        Parameters
        ----------
        world, trajectories, discount, variable_horizon
            As for :meth:`.Adversarial.fit_world`.

        Returns
        -------
        WorldEstimate
            ``reward_net`` is the density model, called on batches (state, action, next_state, done).
        """
        library.require("DensityReward")
        discount = worlds.checked_discount(discount)
        with library.reproducible(self.seed) as random, library.recorded() as (log, _):
            venv = worlds.vector(world)
            given = worlds.checked_trajectories(trajectories, venv)
            chosen = {**worlds.WORLD_SETTINGS, **self.ppo}
            learner = worlds.ppo(venv, discount=discount, seed=self.seed, layers=worlds.HIDDEN_LAYERS, settings=chosen)
            learner.set_logger(log)
            model = fitted(self, demos.balanced([given]), venv, learner, random, varied=variable_horizon)
            model.train_policy(self.steps)
            venv.close()
            moved = float(log.default_logger.name_to_value["train/approx_kl"])
        ended = Convergence("iterations", self.steps, "divergence of PPO's last two policies, nats", moved)
        return WorldEstimate(self, learner.policy, model, None, ended)


def fitted(
    settings: DensityReward, transitions: Any, venv: Any, learner: Any, random: np.random.Generator, *, varied: bool
) -> Any:
    """Fit the library's density model."""
    from imitation.algorithms.density import DensityAlgorithm

    with library.recorded() as (log, _):
        model = DensityAlgorithm(
            demonstrations=transitions,
            venv=venv,
            rng=random,
            kernel_bandwidth=settings.bandwidth,
            rl_algo=learner,
            custom_logger=log,
            allow_variable_horizon=varied,
        )
        model.train()
    return model


def _gradient(features: Array, theta: Array, flat: Array) -> float:
    return float(np.abs(features.T @ (features @ theta - flat)).max() / len(flat))
