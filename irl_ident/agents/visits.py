"""A Gymnasium wrapper that counts in which states actions were chosen."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class VisitCounter(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Count the states, ``Discrete(S)`` observations, in which an action was chosen.

    Parameters
    ----------
    env : gymnasium.Env

    Attributes
    ----------
    visits : array (S,)
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.visits = np.zeros(int(env.observation_space.n), dtype=np.int64)  # type: ignore[attr-defined]
        self._state: int | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:  # noqa: D102
        observation, info = self.env.reset(seed=seed, options=options)
        self._state = int(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:  # noqa: D102
        self.visits[self._state] += 1
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._state = int(observation)
        return observation, reward, terminated, truncated, info
