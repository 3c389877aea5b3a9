"""Gymnasium's side: tables and worlds as the library trains in them, and policies read back into tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.solvers.base import Convergence, NoReward, Solver
from irl_ident.solvers.imitation_library.library import checked_count, checked_seed, reproducible, require

World = str | Callable[[], Any]
"""A Gymnasium id, or a function that makes a fresh environment."""

Features = Callable[[Any, Any], npt.ArrayLike]
"""From one observation and one action to features (d,)."""

COPIES = 8
"""Environments that step together while PPO trains; at least one for each environment of the evidence."""

HIDDEN_LAYERS = (32, 32)
"""Widths of the hidden layers of networks in worlds without a table, where no others are asked for."""

WORLD_SETTINGS: Mapping[str, Any] = {"n_steps": 64, "learning_rate": 2e-3, "ent_coef": 0.01}
"""Of PPO, in worlds without a table: what differs from Stable-Baselines3's defaults, which are for longer training."""

TABLE_SETTINGS: Mapping[str, Any] = {"n_steps": 32, "batch_size": 64, "n_epochs": 3, "learning_rate": 1e-2}
"""Of PPO, in tables: many short rounds."""


def spaces(n_states: int, n_actions: int) -> tuple[Any, Any]:
    """Discrete observation and action spaces; networks see observations one-hot."""
    from gymnasium.spaces import Discrete

    return Discrete(n_states), Discrete(n_actions)


def side_by_side(environments: Sequence[Environment], horizon: int) -> Any:
    """A vector of Gymnasium environments, each among ``environments`` equally often.

    Observations are ``place * S + s``.  Every episode has ``horizon`` steps: where it would end, it stays.  Rewards are
    0, for the library puts its own in their place.
    """
    from stable_baselines3.common.vec_env import DummyVecEnv

    each = max(1, COPIES // len(environments))
    places = [place for place in range(len(environments)) for _ in range(each)]
    return DummyVecEnv([_maker(environments, place, horizon) for place in places])


def _maker(environments: Sequence[Environment], place: int, horizon: int) -> Callable[[], Any]:
    from gymnasium import ObservationWrapper
    from gymnasium.wrappers.time_limit import TimeLimit
    from seals.util import AbsorbAfterDoneWrapper

    env = environments[place]
    observations, _ = spaces(len(environments) * env.n_states, env.n_actions)

    class Placed(ObservationWrapper[Any, Any, Any]):
        observation_space = observations

        def observation(self, observation: np.int64) -> Any:
            return np.array(place * env.n_states + observation)

    def make() -> Any:
        world = env.to_gymnasium(np.zeros((env.n_states, env.n_actions)))
        return TimeLimit(AbsorbAfterDoneWrapper(Placed(world)), horizon)

    return make


def vector(world: World, copies: int = COPIES, *wrappers: Callable[[Any], Any]) -> Any:
    """A vector of copies of a world, wrapped."""
    if not (isinstance(world, str) or callable(world)):
        raise ValueError(f"world: was {world!r}, should be a Gymnasium id or a function that makes an environment")
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv

    def make() -> Any:
        made = gymnasium.make(world) if isinstance(world, str) else world()
        for wrap in wrappers:
            made = wrap(made)
        return made

    return DummyVecEnv([make] * copies)


def ppo(venv: Any, *, discount: float, seed: int, layers: tuple[int, ...], settings: Mapping[str, Any]) -> Any:
    """Stable-Baselines3's PPO (Schulman et al. 2017), yet to be trained."""
    from stable_baselines3 import PPO

    chosen = {"policy_kwargs": {"net_arch": list(layers)}, **settings}
    return PPO("MlpPolicy", venv, seed=seed, gamma=discount, device="cpu", **chosen)


def table(policy: Any, n_states: int) -> Array:
    """Probabilities of the actions that a policy of Stable-Baselines3 takes on each discrete observation, (S, A)."""
    import torch

    with torch.no_grad():
        logits = policy.get_distribution(torch.arange(n_states)).distribution.logits.numpy().astype(float)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class WorldEstimate:
    """What a method learned in a world that has no table.

    Attributes
    ----------
    solver : Solver
    learner : stable_baselines3.common.policies.BasePolicy
        The policy that was learned; ``learner.predict`` and whatever else the library gives it.
    reward_net : object or None
        The reward as the library would hand it to reinforcement learning: ``predict(state, action, next_state, done)``
        of batches.  None where the method has none.
    weights : array (d,) or None
        Of the features, where they were given and the method recovers a reward that is linear in them.
    convergence : Convergence
    """

    solver: Solver
    learner: Any
    reward_net: Any
    weights: Array | None
    convergence: Convergence

    @property
    def theta(self) -> Array:
        """The parameters of the reward, (d,); ``NoReward`` where it is not linear in given features."""
        if self.weights is None:
            raise NoReward(f"{type(self.solver).__name__} recovers no reward that is linear in given features here")
        return self.weights

    def policy(self, observations: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable action on each of a batch of observations (n, ...)."""
        return np.asarray(self.learner.predict(np.asarray(observations), deterministic=True)[0])

    def returns(self, world: World, *, episodes: int, seed: int) -> Array:
        """Undiscounted return of each of so many episodes of the learner under the reward of ``world``, (episodes,)."""
        seen = rollouts(self.learner, world, episodes=episodes, seed=seed)
        return np.array([each.rews.sum() for each in seen])


def rollouts(agent: Any, world: World, *, episodes: int, seed: int) -> list[Any]:
    """Watch an agent in a Gymnasium world.

    Parameters
    ----------
    agent : Stable-Baselines3 algorithm or policy
        Its stochastic policy acts.
    world : str or callable
        A Gymnasium id, or a function that makes a fresh environment.
    episodes : int
    seed : int
        The same seed, the same episodes.

    Returns
    -------
    list of imitation.data.types.TrajectoryWithRew
        With the world's own observations and rewards.
    """
    require("rollouts")
    checked_count("episodes", episodes)
    checked_seed(seed)
    from imitation.data import rollout
    from imitation.data.wrappers import RolloutInfoWrapper

    with reproducible(seed) as random:
        venv = vector(world, 1, RolloutInfoWrapper)
        venv.seed(seed)
        until = rollout.make_sample_until(min_episodes=episodes)
        found = rollout.rollout(agent, venv, until, rng=random, exclude_infos=True)
        venv.close()
    return list(found)


def checked_trajectories(trajectories: Sequence[Any], venv: Any) -> list[Any]:
    """A list of the library's trajectories, at least one, all of the world of ``venv``; ``ValueError`` otherwise."""
    from imitation.data.types import Trajectory

    if not isinstance(trajectories, Sequence) or isinstance(trajectories, str):
        raise ValueError(f"trajectories: should be a list of them, was {type(trajectories).__name__}")
    given = list(trajectories)
    if not given:
        raise ValueError("trajectories: is empty, should hold at least one")
    for place, each in enumerate(given):
        if not isinstance(each, Trajectory):
            raise ValueError(
                f"trajectories[{place}]: should be an imitation.data.types.Trajectory, was {type(each).__name__}"
            )
        if isinstance(each.obs, np.ndarray):
            _check_seen(f"trajectories[{place}].obs", each.obs, venv.observation_space)
        _check_seen(f"trajectories[{place}].acts", each.acts, venv.action_space)
    return given


def _check_seen(argument: str, seen: Array, space: Any) -> None:
    """Raise ``ValueError`` unless ``seen`` (n, ...) are finite and shaped as ``space`` is; in it, if it is discrete."""
    from gymnasium.spaces import Discrete

    if seen.shape[1:] != space.shape:
        raise ValueError(f"{argument}: each has shape {seen.shape[1:]}, those of the world {space.shape}")
    if not np.isfinite(seen).all():
        raise ValueError(f"{argument}: should be finite, holds {seen[~np.isfinite(seen)][0]}")
    if isinstance(space, Discrete):
        outside = (seen < space.start) | (seen >= space.start + space.n)
        if outside.any():
            raise ValueError(f"{argument}: {seen[outside][0]} is not in the world's {space}")


def checked_discount(discount: float) -> float:
    """``discount``, or ``ValueError`` when it is outside [0, 1]."""
    if not 0 <= discount <= 1:
        raise ValueError(f"discount: was {discount!r}, should be in [0, 1]")
    return discount


def checked_features(given: npt.ArrayLike, dim: int | None = None) -> Array:
    """``given`` as a finite array (d,), d being ``dim`` where that is known; ``ValueError`` otherwise."""
    found = np.asarray(given, dtype=float)
    if found.ndim != 1 or found.size == 0 or found.size != (dim or found.size) or not np.isfinite(found).all():
        raise ValueError(f"features: should give finite arrays ({dim or 'd'},), gave {found!r}")
    return found
