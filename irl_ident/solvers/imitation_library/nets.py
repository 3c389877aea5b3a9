"""Reward networks of PyTorch that are linear in features, so that their weights are theta; all start from 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Discrete, Space
from imitation.rewards.reward_nets import BasicRewardNet, RewardNet

from irl_ident.environment import Array
from irl_ident.solvers.imitation_library.worlds import Features, checked_features


class LinearStateReward(RewardNet):
    """``phi(s) . theta`` where phi(s) are the observations of a tabular model; double precision."""

    def __init__(self, world: Any) -> None:
        super().__init__(world.observation_space, world.action_space)
        self.theta = torch.nn.Parameter(torch.zeros(world.obs_dim, dtype=torch.float64))

    def forward(self, state: torch.Tensor, action: Any, next_state: Any, done: Any) -> torch.Tensor:
        """Rewards of a batch of states (n, d), (n,)."""
        return state @ self.theta


class LinearTableReward(RewardNet):
    """``phi(s, a) . theta`` of discrete observations and actions, from the table phi (S * A, d)."""

    features: torch.Tensor

    def __init__(self, observation_space: Space[Any], action_space: Space[Any], features: Array) -> None:
        super().__init__(observation_space, action_space)
        self.register_buffer("features", torch.as_tensor(features, dtype=torch.float32))
        self.theta = torch.nn.Parameter(torch.zeros(features.shape[1]))

    def forward(self, state: torch.Tensor, action: torch.Tensor, next_state: Any, done: Any) -> torch.Tensor:
        """Rewards of a batch of one-hot states (n, S) and actions (n, A), (n,)."""
        rows = state.argmax(dim=1) * action.shape[1] + action.argmax(dim=1)
        return self.features[rows] @ self.theta


class LinearWorldReward(RewardNet):
    """``features(observation, action) . theta`` in any world."""

    def __init__(self, observation_space: Space[Any], action_space: Space[Any], features: Features, dim: int) -> None:
        super().__init__(observation_space, action_space)
        self._features = features
        self.theta = torch.nn.Parameter(torch.zeros(dim))

    def forward(self, state: torch.Tensor, action: torch.Tensor, next_state: Any, done: Any) -> torch.Tensor:
        """Rewards of a batch of observations and actions as the library has prepared them, (n,)."""
        observations, actions = _raw(self.observation_space, state), _raw(self.action_space, action)
        rows = [
            checked_features(self._features(*pair), len(self.theta)) for pair in zip(observations, actions, strict=True)
        ]
        return torch.as_tensor(np.array(rows), dtype=torch.float32) @ self.theta


def reward_net(venv: Any, trajectories: Sequence[Any], features: Features | None) -> Any:
    """A reward network for a world: linear in features where they are given, the library's own otherwise."""
    if features is None:
        return BasicRewardNet(venv.observation_space, venv.action_space)
    first = checked_features(features(trajectories[0].obs[0], trajectories[0].acts[0]))
    return LinearWorldReward(venv.observation_space, venv.action_space, features, first.size)


def _raw(space: Space[Any], batch: torch.Tensor) -> Any:
    """Undo the one-hot encoding of discrete spaces."""
    return (batch.argmax(dim=1) + int(space.start) if isinstance(space, Discrete) else batch).detach().numpy()
