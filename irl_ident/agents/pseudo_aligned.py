"""Agents that look aligned in training: errors of objectives, of planning and of beliefs, and deceit.

Hubinger et al. (2019, Risks from Learned Optimization) call an agent pseudo-aligned that does well on the base
objective in training and pursues something else.  *Proxy* alignment is :class:`irl_ident.agents.Optimal` with another
objective; *approximate* alignment is the same with :func:`rounded` or :func:`restricted_to` of the base objective;
*suboptimality* alignment is a planner whose limits hide what it wants,
:class:`irl_ident.agents.ShortSighted` or :class:`Misinformed`; a *deceptive* one models the base objective and pursues
it while it can be modified, :class:`Deceptive`.  For comparison, *internalised* is ``Optimal`` with the base objective,
and :class:`Corrigible` pursues whatever it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from irl_ident import planning
from irl_ident.agents.base import Agent
from irl_ident.agents.known import KnownAgent
from irl_ident.environment import Array, Environment, Mask
from irl_ident.rewards import RewardFamily


def rounded(theta: Array, bits: int) -> Array:
    """An objective that is held in few bits: approximate alignment.

    Parameters
    ----------
    theta : array (d,)
        The base objective.
    bits : int
        At least 1.  Parameters are rounded to the nearest of ``2^bits`` evenly spaced numbers from ``-m`` to ``m``, m
        the largest parameter in size; halves are rounded to even.

    Returns
    -------
    array (d,)
        Off by at most ``m / (2^bits - 1)``.

    Examples
    --------
    >>> rounded(np.array([1.0, 0.7, 0.2]), 2).round(3).tolist()
    [1.0, 1.0, 0.333]
    """
    given = np.asarray(theta, dtype=float)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise ValueError(f"theta: should be finite and of shape (d,), was {theta!r}")
    if bits != int(bits) or bits < 1:
        raise ValueError(f"bits: was {bits!r}, should be a whole number of at least 1")
    largest, steps = float(np.abs(given).max()), 2 ** int(bits) - 1
    if largest == 0:
        return given.copy()
    found: Array = largest * (2 * np.rint((given / largest + 1) / 2 * steps) / steps - 1)
    return found


def restricted_to(theta: Array, kept: Sequence[int]) -> Array:
    """An objective that has only some of its parameters, the others being 0: approximate alignment.

    >>> restricted_to(np.array([1.0, 0.7, 0.2]), [0, 2]).tolist()
    [1.0, 0.0, 0.2]
    """
    given = np.asarray(theta, dtype=float)
    places = np.asarray(kept, dtype=int)
    if places.size and not (places.min() >= 0 and places.max() < given.size):
        raise ValueError(f"kept: was {list(kept)}, should be positions in range({given.size})")
    found = np.zeros_like(given)
    found[places] = given[places]
    return found


@dataclass(frozen=True, eq=False)
class Misinformed(KnownAgent):
    """An optimal agent with a wrong model of the world: it plans in another environment than it is in.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
    believed : callable
        From the environment that it is in to the one that it believes in, with the same states and actions.
    """

    believed: Callable[[Environment], Environment]

    def policy(self, env: Environment) -> Array:  # noqa: D102
        model = self.believed(env)
        if (model.n_states, model.n_actions) != (env.n_states, env.n_actions):
            raise ValueError(
                f"believed: gave {model.n_states} states and {model.n_actions} actions, should be {env.n_states} and "
                f"{env.n_actions}"
            )
        return planning.optimal(model, self.family.reward(model, self.theta)).policy


@dataclass(frozen=True, eq=False)
class Deceptive(KnownAgent):
    """An agent that pursues the base objective while it can be modified, and its own when it cannot.

    Parameters
    ----------
    family : RewardFamily
    theta : array (d,)
        Its own objective.
    shown : array (d,)
        The base objective, as it models it.
    watched : callable
        From an environment to the states (S,) in which it believes that it can be modified.
    training, deployment : int
        Number of episodes in which it can be modified, and of those that follow.
    patience : float
        Discount from one episode to the next, in (0, 1].
    """

    shown: Array
    watched: Callable[[Environment], Mask]
    training: int = 2
    deployment: int = 3
    patience: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        shown = self.family.checked(self.shown).copy()
        shown.setflags(write=False)
        object.__setattr__(self, "shown", shown)
        for name, least in (("training", 0), ("deployment", 1)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise ValueError(f"{name}: was {value!r}, should be a whole number of at least {least}")
        if not 0 < self.patience <= 1:
            raise ValueError(f"patience: was {self.patience!r}, should be in (0, 1]")

    @property
    def pretends(self) -> bool:
        """Whether deceit pays: ``g^n (1 - g^m) / (1 - g) > 1`` (Hubinger et al. 2019, section 4; g the patience).

        Going for its own objective at once is worth 1 and nothing later, for it is then modified; pretending for n
        episodes is worth ``g^n + ... + g^(n + m - 1)``.
        """
        later = self.patience ** np.arange(self.training, self.training + self.deployment)
        return bool(later.sum() > 1)

    def policy(self, env: Environment) -> Array:  # noqa: D102
        own = planning.optimal(env, self.mesa_objective(env)).policy
        if not self.pretends:
            return own
        shown = planning.optimal(env, self.family.reward(env, self.shown)).policy
        found: Array = np.where(np.asarray(self.watched(env), dtype=bool)[:, None], shown, own)
        return found


@dataclass(frozen=True, eq=False)
class Corrigible(Agent):
    """An optimal agent whose objective is what the environment tells it to pursue.

    Parameters
    ----------
    family : RewardFamily
    told : callable
        From an environment to the parameters (d,) that it points to.
    """

    family: RewardFamily
    told: Callable[[Environment], Array]

    def mesa_objective(self, env: Environment) -> Array:
        """The reward that this agent pursues in ``env``, (S, A)."""
        return self.family.reward(env, self.told(env))

    def policy(self, env: Environment) -> Array:  # noqa: D102
        return planning.optimal(env, self.mesa_objective(env)).policy
