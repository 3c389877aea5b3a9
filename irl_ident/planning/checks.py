"""What planning accepts: finite rewards, proper policies, positive numbers; anything else is one ``ValueError``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from irl_ident.environment import ROW_SUM_TOLERANCE, Array, Environment

LARGEST_RETURN = 1e300
"""Returns beyond this are not planned for: sums of a few would be infinite."""


def finite(argument: str, given: npt.ArrayLike, shape: tuple[int, ...], meaning: str) -> Array:
    """``given`` as a float array of ``shape`` without NaN or infinity."""
    array = np.asarray(given, dtype=float)
    if array.shape != shape:
        raise ValueError(f"{argument}: should have shape {meaning} = {shape}, was {array.shape}")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{argument}{list(place)} is {float(array[place])!r}: should be finite")
    return array


def reward_on(env: Environment, reward: npt.ArrayLike) -> Array:
    """``reward`` as a finite array (S, A)."""
    return finite("reward", reward, (env.n_states, env.n_actions), "(S, A)")


def bounded(reward: Array, longest: float, argument: str = "reward") -> Array:
    """``reward``, where its sums over ``longest`` discounted steps stay far from the largest floating-point number."""
    largest = float(np.abs(reward).max())
    if largest * longest > LARGEST_RETURN:
        raise ValueError(
            f"{argument}: its largest entry is {largest!r} in size and episodes are as long as {longest:.6g} "
            f"discounted steps: their product should be at most {LARGEST_RETURN:g}; rewards in other units are the "
            "same objective"
        )
    return reward


def typical(rewards: Array) -> Array:
    """The median entry of each of rewards (..., S, A), which keeps the zeros of sparse ones when it is taken away."""
    count = rewards.shape[-2] * rewards.shape[-1]
    return np.asarray(np.partition(rewards.reshape(*rewards.shape[:-2], count), count // 2, axis=-1)[..., count // 2])


def policy_on(env: Environment, policy: npt.ArrayLike) -> Array:
    """``policy`` as an array (S, A) of probabilities; rows that sum to 1 to ``ROW_SUM_TOLERANCE`` are normalised."""
    array = finite("policy", policy, (env.n_states, env.n_actions), "(S, A)")
    if (array < 0).any():
        state, action = (int(i) for i in np.argwhere(array < 0)[0])
        raise ValueError(f"policy[{state}, {action}] is {float(array[state, action])!r}: should be a probability")
    sums = array.sum(axis=1)
    off = np.abs(sums - 1)
    if off.max() > ROW_SUM_TOLERANCE:
        state = int(np.argmax(off))
        raise ValueError(f"policy[{state}] sums to {float(sums[state])!r}: should sum to 1")
    proper: Array = array / sums[:, None]
    return proper


def positive(argument: str, value: float) -> float:
    """``value`` as a finite float above 0."""
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{argument}: was {value!r}, should be finite and above 0")
    return number
