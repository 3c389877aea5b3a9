"""Reward networks of PyTorch that are linear in features, so that their weights are theta."""

from __future__ import annotations

from typing import Any

import torch
from imitation.rewards.reward_nets import RewardNet


class LinearStateReward(RewardNet):
    """``phi(s) . theta`` where phi(s) are the observations of a tabular model; double precision, from 0."""

    def __init__(self, world: Any) -> None:
        super().__init__(world.observation_space, world.action_space)
        self.theta = torch.nn.Parameter(torch.zeros(world.obs_dim, dtype=torch.float64))

    def forward(self, state: torch.Tensor, action: Any, next_state: Any, done: Any) -> torch.Tensor:
        """Rewards of a batch of states (n, d), (n,)."""
        return state @ self.theta
