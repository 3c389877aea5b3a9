"""Gymnasium's side: tables and worlds as the library trains in them, and policies read back into tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from irl_ident.environment import Array


def spaces(n_states: int, n_actions: int) -> tuple[Any, Any]:
    """Discrete observation and action spaces; networks see observations one-hot."""
    from gymnasium.spaces import Discrete

    return Discrete(n_states), Discrete(n_actions)


def table(policy: Any, n_states: int) -> Array:
    """Probabilities of the actions that a policy of Stable-Baselines3 takes on each discrete observation, (S, A)."""
    import torch

    with torch.no_grad():
        logits = policy.get_distribution(torch.arange(n_states)).distribution.logits.numpy().astype(float)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))
