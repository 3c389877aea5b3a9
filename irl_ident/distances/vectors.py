"""Distances as angles: every canonical form becomes a vector, brought to length 1 or left 0.

With ``x^ = x / |x|``, and ``0^ = 0`` for rewards under which all policies are alike, ``|x^ - y^|`` is a pseudometric
with values in [0, 2]: 0 for the same direction, 2 for opposite ones, 1 between 0 and anything else.  For vectors of
centred values with weights ``sqrt(D)`` half of it is the Pearson distance ``sqrt((1 - rho) / 2)`` of Gleave et al.
(2021), computed without the loss of half the digits that the square root brings near ``rho = 1``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Environment
from irl_ident.transitions import checked_floats

TRIVIAL = 1e-11
"""Canonical rewards below this share of what they were computed from are rounding, and taken as 0."""
ROUNDING = 1e-15
"""Rewards that differ by less than this share of their size are taken as constant."""


def reward_of(argument: str, given: npt.ArrayLike, env: Environment) -> Array:
    """``given`` as a finite array (S, A) or (S, A, S), or ``ValueError``."""
    pairs = pairs_of(env)
    return _finite(argument, given, {"(S, A)": pairs, "(S, A, S)": (*pairs, env.n_states)})


def pair_reward_of(argument: str, given: npt.ArrayLike, env: Environment) -> Array:
    """``given`` as a finite array (S, A), or ``ValueError``."""
    return _finite(argument, given, {"(S, A)": pairs_of(env)})


def pairs_of(env: Environment) -> tuple[int, int]:
    """``(S, A)``, or ``ValueError`` for what is no environment."""
    if not isinstance(env, Environment):
        raise ValueError(f"env: should be an Environment, was {type(env).__name__}")
    return env.n_states, env.n_actions


def scaled(reward: Array) -> tuple[Array, int]:
    """``reward / 2**k``, of largest absolute value in [1/2, 1) or 0, and k: no digits change, no sums overflow."""
    k = int(np.frexp(size(reward))[1])
    return np.ldexp(reward, -k), k


def centred(reward: Array) -> Array:
    """``reward`` less its midrange, which no distance sees for discounts below 1; 0 where only rounding is left."""
    r: Array = reward - (reward.max() + reward.min()) / 2
    return r if size(r) > ROUNDING * size(reward) else np.zeros_like(r)


def unit(vector: Array, scale: float) -> Array:
    """``vector`` brought to length 1; 0 where it is rounding beside ``scale``, the size of what it came from."""
    largest = float(np.abs(vector).max(initial=0))
    if largest <= TRIVIAL * scale:
        return np.zeros_like(vector)
    scaled = vector / largest
    found: Array = scaled / np.linalg.norm(scaled)
    return found


def apart(first: Array, second: Array) -> float:
    """``|x - y|`` of two unit or zero vectors, in [0, 2]."""
    return min(2.0, float(np.linalg.norm(first - second)))


def size(reward: Array) -> float:
    """The largest absolute value."""
    return float(np.abs(reward).max(initial=0))


def _finite(argument: str, given: npt.ArrayLike, forms: Mapping[str, tuple[int, ...]]) -> Array:
    reward = checked_floats(argument, given)
    if reward.shape not in forms.values():
        wanted = " or ".join(f"{form} = {shape}" for form, shape in forms.items())
        raise ValueError(f"{argument}: should have shape {wanted}, was {reward.shape}")
    if not np.isfinite(reward).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(reward))[0])
        raise ValueError(f"{argument}{list(place)} is {float(reward[place])!r}: should be finite")
    return reward
