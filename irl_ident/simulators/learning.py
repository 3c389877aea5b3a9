"""Alternatives that are worth comparing with: best responses, and the loop that asks for them.

Ng & Russell (2000, section 5) and Abbeel & Ng (2004, section 3) alternate: a theta that puts the demonstrator above
all policies tried so far, the best policy for that theta, and so on.  While some reward in the set is wrong, its best
policy gives a half-space that cuts it off.  Here theta is the centre of a :class:`SampledSet` and the best policy is
approximated by PPO (Schulman et al. 2017): a response that is not optimal cuts off less, never too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array
from irl_ident.identified.base import checked_direction
from irl_ident.simulators.base import FeatureSums, Policy, Simulator, rollouts, uniform
from irl_ident.simulators.sampled import SampledSet, identify_simulator

SETTINGS: dict[str, Any] = {"n_steps": 256, "batch_size": 64, "learning_rate": 1e-3}
"""What differs from the library's defaults, which are for longer training."""


def best_response(
    simulator: Simulator, theta: npt.ArrayLike, *, steps: int, seed: int, settings: Mapping[str, Any] | None = None
) -> Any:
    """Train PPO on ``theta . features``.

    Parameters
    ----------
    simulator : Simulator
        The environment's own reward is ignored; its discount is the agent's.
    theta : array (d,)
    steps : int
        At least 1; PPO completes its last batch of ``n_steps``.
    seed : int
        The same seed, the same policy (on one machine with one release of PyTorch).
    settings : mapping, optional
        Keyword arguments of ``stable_baselines3.PPO``, before those of ``SETTINGS``.

    Returns
    -------
    stable_baselines3.PPO

    Raises
    ------
    ImportError
        Without the extra ``irl-ident[imitation]``.
    ValueError
        For another number of steps, or a theta that is not finite or of another length.
    """
    weights = checked_direction(theta, simulator.dim)
    if steps != int(steps) or steps < 1:
        raise ValueError(f"steps: was {steps!r}, should be a whole number of at least 1")
    try:
        from stable_baselines3 import PPO
    except ImportError as error:
        raise ImportError('best_response needs the extra "imitation": pip install "irl-ident[imitation]"') from error
    from irl_ident.agents.deep import _random_state_kept
    from irl_ident.simulators.wrapper import RewardWrapper

    world = RewardWrapper(simulator.environment(), simulator.phi, weights)
    chosen = {"policy": "MlpPolicy", "gamma": simulator.discount, **SETTINGS, **(settings or {})}
    with _random_state_kept():
        return PPO(env=world, seed=seed, device="cpu", verbose=0, **chosen).learn(steps)


@dataclass(frozen=True, eq=False)
class Learned:
    """What the loop found.

    Attributes
    ----------
    found : SampledSet
        After the last round; its level holds for all rounds together.
    thetas : array (rounds, d)
        Centres that were answered.
    margins : array (rounds,)
        ``theta . (mu_E - mu)`` of each centre and its best response, estimated: negative where the response is better
        than the demonstrator and the centre was therefore wrong, near 0 where the centre explains the demonstrator.
    bounds : array (rounds,)
        Half-widths of ``margins``, within ``found.level`` together.
    policies : tuple
        The best responses.
    """

    found: SampledSet
    thetas: Array
    margins: Array
    bounds: Array
    policies: tuple[Policy, ...]


def learn_by_rollouts(
    simulator: Simulator,
    demonstrations: FeatureSums,
    *,
    rounds: int,
    steps: int,
    episodes: int,
    horizon: int,
    seed: int,
    first: Sequence[FeatureSums] = (),
    level: float = 0.05,
    settings: Mapping[str, Any] | None = None,
) -> Learned:
    """Centre, best response, half-space; and again.

    Parameters
    ----------
    simulator : Simulator
    demonstrations : FeatureSums
        Of the demonstrator, see :func:`irl_ident.simulators.rollouts`.
    rounds : int
        At least 1.  Fixed beforehand, so that ``level`` can be shared.
    steps : int
        Of training, in each round.
    episodes, horizon : int
        Of each alternative.
    seed : int
        Every alternative has resets of its own: it was chosen after looking at the demonstrator's episodes, so that
        common random numbers would bias the comparison.
    first : sequence of FeatureSums
        Alternatives to begin with; the random policy when there are none.
    level : float
    settings : mapping, optional
        See :func:`best_response`.

    Returns
    -------
    Learned

    Raises
    ------
    NoMember
        When no reward on the features explains the demonstrator.
    """
    if rounds != int(rounds) or rounds < 1:
        raise ValueError(f"rounds: was {rounds!r}, should be a whole number of at least 1")
    seeds = np.random.SeedSequence(seed).generate_state(2 * rounds + 1).astype(np.int64) >> 1
    size = {"episodes": episodes, "horizon": horizon}
    tried = list(first) or [rollouts(simulator, uniform(0), seed=int(seeds[-1]), name="random", **size)]
    evidence, begun = [(simulator, demonstrations)], len(tried)
    thetas, policies = [], []
    for place in range(rounds):
        theta = identify_simulator(evidence, [tried], level=level).center()
        policy = best_response(simulator, theta, steps=steps, seed=int(seeds[2 * place]), settings=settings)
        name = f"best response {place + 1}"
        tried.append(rollouts(simulator, policy, seed=int(seeds[2 * place + 1]), name=name, **size))
        thetas.append(theta)
        policies.append(policy)
    found = identify_simulator(evidence, [tried], level=level)
    against = slice(begun, None)
    centres = np.array(thetas)
    margins = (centres * found.rows.means[against]).sum(axis=1)
    bounds = (np.abs(centres) * found.rows.widths[against]).sum(axis=1)
    return Learned(found, centres, margins, bounds, tuple(policies))
