"""Distances as angles: every canonical form becomes a vector, brought to length 1 or left 0.

With ``x^ = x / |x|``, and ``0^ = 0`` for rewards under which all policies are alike, ``|x^ - y^|`` is a pseudometric
with values in [0, 2]: 0 for the same direction, 2 for opposite ones, 1 between 0 and anything else.  For vectors of
centred values with weights ``sqrt(D)`` half of it is the Pearson distance ``sqrt((1 - rho) / 2)`` of Gleave et al.
(2021), computed without the loss of half the digits that the square root brings near ``rho = 1``.

An error e of x turns ``x^`` by at most ``2 e / |x|``.  Forms carry a proved bound on e.  Where it allows more than a
turn of ``RIGHT / 2``, as for forms that are small beside the rewards that they come from, they are computed once more
in extended precision (``numpy.longdouble``); where that is not enough, the distance is not decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.transitions import checked_floats

Precision: TypeAlias = type[np.float64] | type[np.longdouble]

RIGHT = 1e-6
"""Distances in [0, 2] are right to this, or not decided."""
TRIVIAL = 1e-11
"""Canonical rewards below this share of their rewards, constants aside, say no more than rounding would: 0."""
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


def centred(reward: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``reward`` less its midrange, which no distance sees for discounts below 1; 0 where only rounding is left."""
    r: npt.NDArray[Any] = reward - (reward.max() + reward.min()) / 2
    return r if size(r) > ROUNDING * size(reward) else np.zeros_like(r)


@dataclass(frozen=True, eq=False)
class Form:
    """A canonical form as a vector, in one precision.

    Parameters
    ----------
    vector : array (n,)
        Weighted, so that its Euclidean length is the norm of the form.
    error : float
        Proved: the exact vector is no further away.
    trivial : float
        Up to this length it is taken as 0.
    """

    vector: npt.NDArray[Any]
    error: float
    trivial: float

    @property
    def length(self) -> float:
        """The Euclidean norm."""
        return float(np.linalg.norm(self.vector))

    @property
    def settled(self) -> bool:
        """Whether its direction is right to ``RIGHT / 2``, or it is certainly trivial."""
        return 4 * self.error <= RIGHT * self.length or self.length + self.error <= self.trivial


def settled(argument: str, form: Callable[[Precision], Form]) -> npt.NDArray[Any]:
    """The vector of a form in the least precision that settles it; 0 where it is trivial.

    Raises
    ------
    ArithmeticError
        It is not trivial, and its direction is not known to ``RIGHT / 2``.
    """
    found = form(np.float64)
    if not found.settled:
        found = form(np.longdouble)
    if found.length <= found.trivial:
        return np.zeros_like(found.vector)
    if not found.settled:
        raise ArithmeticError(
            f"{argument}: the distance is not decided: beside rewards of about 1 its canonical form has a length of "
            f"{found.length:.1e}, up to {found.error:.1e} that rounding may have changed"
        )
    return found.vector


def unit(vector: npt.NDArray[Any]) -> Array:
    """``vector`` brought to length 1, or left 0."""
    largest = np.abs(vector).max(initial=0)
    if largest == 0:
        return np.zeros(vector.shape)
    scaled = vector / largest
    return np.asarray(scaled / np.linalg.norm(scaled), dtype=float)


def chances(env: Environment, precision: Precision) -> sparse.csr_array[Any]:
    """Transitions (S * A, S), rows divided by their sums."""
    rows = env.transitions.astype(precision)
    data = rows.data / np.repeat(rows.sum(axis=1), np.diff(rows.indptr))
    return sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape)


def apart(first: Array, second: Array) -> float:
    """``|x - y|`` of two unit or zero vectors, in [0, 2]."""
    return min(2.0, float(np.linalg.norm(first - second)))


def size(reward: npt.NDArray[Any]) -> float:
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
