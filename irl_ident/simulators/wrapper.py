"""A Gymnasium wrapper that pays a reward linear in features."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from irl_ident.environment import Array
from irl_ident.simulators.base import Features


class RewardWrapper(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pay ``theta . features(observation, action, next_observation)`` instead of the environment's own reward.

    Parameters
    ----------
    env : gymnasium.Env
    features : callable
    theta : array (d,)
    """

    def __init__(self, env: gymnasium.Env[Any, Any], features: Features, theta: Array) -> None:
        super().__init__(env)
        self.phi, self.theta = features, theta
        self._seen: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:  # noqa: D102
        self._seen, info = self.env.reset(seed=seed, options=options)
        return self._seen, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:  # noqa: D102
        seen, theta = self._seen, self.theta
        self._seen, _, terminated, truncated, info = self.env.step(action)
        return self._seen, float(np.dot(theta, self.phi(seen, action, self._seen))), terminated, truncated, info
