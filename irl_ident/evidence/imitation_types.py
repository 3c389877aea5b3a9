"""Trajectories to and from the ``imitation`` library (Gleave et al. 2022, arXiv 2211.11972)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from irl_ident.environment import Array, Environment
from irl_ident.evidence.observations import Trajectories

if TYPE_CHECKING:
    from imitation.data.types import Trajectory


def to_imitation(env: Environment, trajectories: Trajectories, reward: Array | None = None) -> list[Trajectory]:
    """Make ``imitation.data.types.Trajectory`` objects.

    Parameters
    ----------
    env : Environment
        Where the episodes were seen.
    trajectories : Trajectories
        Episodes without a step are left out: imitation's types cannot hold them.
    reward : array (S, A), optional
        When given, each step carries its reward and the result is of ``TrajectoryWithRew``.

    Returns
    -------
    list of imitation.data.types.Trajectory
        Observations and actions are integers, as of ``Discrete`` spaces; ``terminal`` where an episode ends in an
        absorbing state, so that an episode that was cut off counts as cut off.

    Raises
    ------
    ImportError
        Without the extra ``irl-ident[imitation]``.
    ValueError
        When the episodes are not of ``env`` or the reward has another shape.
    """
    try:
        from imitation.data.types import Trajectory, TrajectoryWithRew
    except ImportError as error:
        raise ImportError('to_imitation needs the extra "imitation": pip install "irl-ident[imitation]"') from error
    trajectories.check(env)
    if reward is not None and np.shape(reward) != (env.n_states, env.n_actions):
        raise ValueError(f"reward: should have shape ({env.n_states}, {env.n_actions}), was {np.shape(reward)}")
    made: list[Trajectory] = []
    for states, actions in trajectories:
        if actions.size == 0:
            continue
        terminal = bool(env.absorbing[states[-1]])
        if reward is None:
            made.append(Trajectory(states, actions, None, terminal))
        else:
            paid = np.asarray(reward, dtype=float)[states[:-1], actions]
            made.append(TrajectoryWithRew(states, actions, None, terminal, rews=paid))
    return made


def from_imitation(env: Environment, trajectories: Iterable[Trajectory]) -> Trajectories:
    """Read ``imitation.data.types.Trajectory`` objects with integer observations and actions.

    Parameters
    ----------
    env : Environment
        Where they were made; its states are the observations.
    trajectories : iterable of imitation.data.types.Trajectory
        Rewards and infos are left out.

    Raises
    ------
    ValueError
        When observations are not integers, or an episode is impossible in ``env``.
    """
    try:
        pairs = [(np.asarray(episode.obs), np.asarray(episode.acts)) for episode in trajectories]
    except (TypeError, AttributeError) as error:
        raise ValueError(f"trajectories: should have observations obs and actions acts: {error}") from error
    read = Trajectories([states for states, _ in pairs], [actions for _, actions in pairs])
    read.check(env)
    return read
