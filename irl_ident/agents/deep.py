"""Deep reinforcement learning by Stable-Baselines3 (Raffin et al. 2021), brought back to a table.

States go to the network one-hot, so that any policy can be represented: PPO (Schulman et al. 2017) gives a stochastic
policy, its probabilities read off in every state; DQN (Mnih et al. 2015) gives action values, and the policy is greedy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from irl_ident.agents.trained import TrainedAgent, Training, full_table, training_world
from irl_ident.environment import Environment

if TYPE_CHECKING:
    import gymnasium

Algorithm = Literal["PPO", "DQN"]

SETTINGS: dict[str, dict[str, Any]] = {
    "PPO": {"n_steps": 256, "batch_size": 64, "learning_rate": 1e-3},
    "DQN": {"learning_starts": 200, "learning_rate": 1e-3, "target_update_interval": 200, "exploration_fraction": 0.5},
}
"""What differs from the library's defaults, which are for longer training in larger worlds."""


def stable_baselines(
    env: Environment,
    world: str | gymnasium.Env[Any, Any],
    algorithm: Algorithm,
    *,
    steps: int,
    seed: int,
    settings: Mapping[str, Any] | None = None,
) -> TrainedAgent:
    """Train an agent by PPO or DQN.

    Parameters
    ----------
    env : Environment
        The environment that ``world`` plays; its discount is the agent's.
    world : str or gymnasium.Env
        Where to train: a Gymnasium id, or an environment such as ``env.to_gymnasium(reward, max_episode_steps=50)``.
    algorithm : {"PPO", "DQN"}
    steps : int
        Number of steps, at least 1; PPO completes its last batch of ``n_steps``.
    seed : int
        The same seed, the same agent (on one machine with one release of PyTorch).
    settings : mapping, optional
        Keyword arguments of the algorithm's class, before those of ``SETTINGS``.

    Returns
    -------
    TrainedAgent
        PPO: the stochastic policy, whose ``greedy()`` is what the library calls deterministic.  DQN: greedy.  Uniform
        in absorbing states.

    Raises
    ------
    ImportError
        Without the extra ``irl-ident[imitation]``.
    ValueError
        For another algorithm, number of steps, or a world with other states or actions.
    """
    if algorithm not in get_args(Algorithm):
        raise ValueError(f'algorithm: was {algorithm!r}, should be "PPO" or "DQN"')
    if steps != int(steps) or steps < 1:
        raise ValueError(f"steps: was {steps!r}, should be a whole number of at least 1")
    try:
        import stable_baselines3
        import torch
        from stable_baselines3.common.monitor import Monitor
    except ImportError as error:
        raise ImportError('stable_baselines needs the extra "imitation": pip install "irl-ident[imitation]"') from error
    from irl_ident.agents.visits import VisitCounter

    counter = VisitCounter(training_world(env, world))
    watched: Monitor[Any, Any] = Monitor(counter)
    chosen = {"gamma": env.discount, **SETTINGS[algorithm], **(settings or {})}
    with _random_state_kept():
        make = getattr(stable_baselines3, algorithm)
        model = make("MlpPolicy", watched, seed=seed, device="cpu", verbose=0, **chosen).learn(steps)
        every_state = torch.arange(counter.visits.size)
        with torch.no_grad():
            if algorithm == "PPO":
                table = model.policy.get_distribution(every_state).distribution.probs.numpy().astype(float)
            else:
                table = model.q_net(every_state).numpy().astype(float)
    returns = np.array(watched.get_episode_rewards(), dtype=float)
    lengths = np.array(watched.get_episode_lengths(), dtype=np.int64)
    visits = np.zeros(env.n_states, dtype=np.int64)
    visits[: counter.visits.size] = counter.visits
    training = Training(algorithm, seed, returns, lengths, visits)
    idle = env.absorbing[:, None]
    if algorithm == "PPO":
        full = full_table(env, table / table.sum(axis=1, keepdims=True), 1 / env.n_actions)
        return TrainedAgent(env, np.where(idle, 1 / env.n_actions, full), training)
    q = np.where(idle, 0.0, full_table(env, table, 0.0))
    best = q == q.max(axis=1, keepdims=True)
    return TrainedAgent(env, best / best.sum(axis=1, keepdims=True), training, q)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Give the global generators, which Stable-Baselines3 seeds, their state back; compute on one thread in between."""
    import torch

    python, numpy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
