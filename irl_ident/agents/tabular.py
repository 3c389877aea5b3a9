"""Tabular Q-learning (Watkins & Dayan 1992) in a Gymnasium environment.

After taking ``a`` in ``s``, paid ``r`` and led to ``s'``,

    Q(s,a) <- Q(s,a) + alpha (r + g max_b Q(s',b) - Q(s,a)),      alpha = (1 + n(s,a))^-omega,

``n(s,a)`` being how often that has happened before, and ``max Q(s', .) = 0`` where the episode terminated.  With omega
in (1/2, 1] and every pair tried for ever, Q converges to the optimal values.  Actions are epsilon-greedy, epsilon
falling linearly from 1 to ``exploration`` over the first half of training; greedy choices are even among equals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident.agents.trained import TrainedAgent, Training, full_table, training_world
from irl_ident.environment import Environment

if TYPE_CHECKING:
    import gymnasium


def q_learning(
    env: Environment,
    world: str | gymnasium.Env[Any, Any],
    *,
    steps: int,
    seed: int,
    exploration: float = 0.1,
    omega: float = 0.7,
) -> TrainedAgent:
    """Train an agent by tabular Q-learning.

    Parameters
    ----------
    env : Environment
        The environment that ``world`` plays; its discount is the agent's.
    world : str or gymnasium.Env
        Where to train: a Gymnasium id such as ``"FrozenLake-v1"`` (with ``env`` made by
        ``Environment.from_gymnasium``), or an environment such as ``env.to_gymnasium(reward, max_episode_steps=50)``.
    steps : int
        Number of steps, at least 1.
    seed : int
        Of the world, of exploration and of ties: the same seed, the same agent.
    exploration : float
        Final share of random actions, in [0, 1].
    omega : float
        How fast the learning rate falls, in (1/2, 1].

    Returns
    -------
    TrainedAgent
        Greedy in its Q-table, evenly among equals (in states that it never saw, all actions are equal).

    Raises
    ------
    ValueError
        For numbers out of range, or a world with other states or actions.
    """
    _check_settings(steps, exploration, omega)
    playing = training_world(env, world)
    random = np.random.default_rng(seed)
    n_states = int(playing.observation_space.n)  # type: ignore[attr-defined]
    q = np.zeros((n_states, env.n_actions))
    tried = np.zeros((n_states, env.n_actions), dtype=np.int64)
    returns: list[float] = []
    lengths: list[int] = []
    state, _ = playing.reset(seed=seed)
    collected, length = 0.0, 0
    for step in range(steps):
        epsilon = max(exploration, 1 - (1 - exploration) * 2 * step / steps)
        if random.random() < epsilon:
            action = int(random.integers(env.n_actions))
        else:
            action = int(random.choice(np.flatnonzero(q[state] == q[state].max())))
        there, reward, terminated, truncated, _ = playing.step(action)
        target = float(reward) + (0.0 if terminated else env.discount * q[there].max())
        q[state, action] += (target - q[state, action]) / (1 + tried[state, action]) ** omega
        tried[state, action] += 1
        collected, length = collected + float(reward), length + 1
        state = there
        if terminated or truncated:
            returns.append(collected)
            lengths.append(length)
            state, _ = playing.reset()
            collected, length = 0.0, 0
    full = full_table(env, q, 0.0)
    best = full == full.max(axis=1, keepdims=True)
    visits = full_table(env, tried.astype(float), 0.0).sum(axis=1).astype(np.int64)
    training = Training("Q-learning", seed, np.array(returns), np.array(lengths, dtype=np.int64), visits)
    return TrainedAgent(env, best / best.sum(axis=1, keepdims=True), training, full)


def _check_settings(steps: int, exploration: float, omega: float) -> None:
    if steps != int(steps) or steps < 1:
        raise ValueError(f"steps: was {steps!r}, should be a whole number of at least 1")
    if not 0 <= exploration <= 1:
        raise ValueError(f"exploration: was {exploration!r}, should be in [0, 1]")
    if not 0.5 < omega <= 1:
        raise ValueError(f"omega: was {omega!r}, should be in (1/2, 1]")
