"""Reward families: linear maps from parameters to rewards.

A family sends ``theta`` of shape (d,) to a reward ``r(s, a) = phi(s, a) . theta`` in a given environment.  What a
family cannot tell apart in *any* environment is its **representational ambiguity** (Amin & Singh 2016, section 3): no
experiment resolves it.  For rewards on states or on state-action pairs that is the constants; for linear features also
whatever the features map to 0; for rewards on transitions also potential shaping ``R'(s, a, s') = R + g f(s') - f(s)``
(Ng, Harada & Russell 1999), which changes no behaviour whatever the dynamics are, as long as the discount is ``g``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from irl_ident.environment import Array, Environment
from irl_ident.transitions import checked_floats, read_only

if TYPE_CHECKING:
    import gymnasium

RANK_TOLERANCE = 1e-10
"""Singular values below this share of the largest one are taken as 0."""


class RewardFamily(ABC):
    """A linear map from parameters ``theta`` (d,) to rewards (S, A)."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of parameters, d."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """A name for each parameter."""

    def named_in(self, environments: Iterable[Environment]) -> tuple[str, ...]:
        """A name for each parameter, in the names of the environments' own states and actions where they share them.

        Parameters
        ----------
        environments : iterable of Environment
            Environments that the family fits.

        Returns
        -------
        tuple of str
            ``parameters`` where the environments name what the parameters pay for differently, where there are none,
            and for families whose parameters have names of their own.

        Examples
        --------
        >>> env = Environment(np.ones((2, 1, 2)) / 2, discount=0.9, states=["field", "roof"])
        >>> StateRewards(2).named_in([env])
        ('R(field)', 'R(roof)')
        >>> StateRewards(2).named_in([env, Environment(env.transitions, discount=0.9)])
        ('R(s0)', 'R(s1)')
        """
        del environments
        return self.parameters

    @abstractmethod
    def matrix(self, env: Environment) -> sparse.csr_array:
        """The features in ``env``, sparse (S * A, d), row ``s * A + a``."""

    @abstractmethod
    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:
        """Directions that change no behaviour in any environment with one of ``discounts``.

        Parameters
        ----------
        discounts : iterable of float
            The discounts of the environments that count.

        Returns
        -------
        dict of str to array (d, m)
            ``"constant"``, ``"redistribution"``, ``"shaping"``: a basis for each kind that this family has, together
            linearly independent.  Constants are an ambiguity only where all discounts are below 1: with discount 1 they
            are a price for time.  Discounts of 0 alone, where nothing matters but the actions of a state among
            themselves, get no list of their own for families on states and actions.
        """

    def reward(self, env: Environment, theta: npt.ArrayLike) -> Array:
        """The reward of ``theta`` (d,) in ``env``, as (S, A)."""
        return (self.matrix(env) @ self.checked(theta)).reshape(env.n_states, env.n_actions)

    def rewards(self, env: Environment, thetas: npt.ArrayLike) -> Array:
        """The rewards of many ``thetas`` (N, d) in ``env``, as (N, S, A)."""
        given = np.asarray(thetas, dtype=float)
        found: Array = (self.matrix(env) @ given.T).T.reshape(len(given), env.n_states, env.n_actions)
        return found

    def checked(self, theta: npt.ArrayLike) -> Array:
        """``theta`` as a float array (d,), or ``ValueError``."""
        given = checked_floats("theta", theta)
        if given.shape != (self.dim,):
            raise ValueError(f"theta: should have shape ({self.dim},), was {given.shape}")
        if not np.isfinite(given).all():
            place = int(np.argmin(np.isfinite(given)))
            raise ValueError(f"theta[{place}] is {float(given[place])!r}: should be finite")
        return given


@dataclass(frozen=True)
class StateRewards(RewardFamily):
    """Rewards R(s), collected in the state in which the action is taken; ``theta`` is (S,).

    >>> StateRewards(3).dim
    3
    """

    n_states: int

    def __post_init__(self) -> None:
        _check_count("n_states", self.n_states)

    @property
    def dim(self) -> int:  # noqa: D102
        return self.n_states

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        return tuple(f"R(s{s})" for s in range(self.n_states))

    def named_in(self, environments: Iterable[Environment]) -> tuple[str, ...]:  # noqa: D102
        states, _ = _shared_names(environments)
        return tuple(f"R({s})" for s in states) or self.parameters

    def matrix(self, env: Environment) -> sparse.csr_array:  # noqa: D102
        _check_states("StateRewards", self.n_states, env)
        return _repeated(env.n_states, env.n_actions)

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:  # noqa: D102
        return _constants(np.ones(self.dim), discounts)


@dataclass(frozen=True)
class StateActionRewards(RewardFamily):
    """Rewards R(s, a); ``theta`` is (S * A,), state by state.

    >>> StateActionRewards(3, 2).parameters[:3]
    ('R(s0, a0)', 'R(s0, a1)', 'R(s1, a0)')
    """

    n_states: int
    n_actions: int

    def __post_init__(self) -> None:
        _check_count("n_states", self.n_states)
        _check_count("n_actions", self.n_actions)

    @property
    def dim(self) -> int:  # noqa: D102
        return self.n_states * self.n_actions

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        return tuple(f"R(s{s}, a{a})" for s in range(self.n_states) for a in range(self.n_actions))

    def named_in(self, environments: Iterable[Environment]) -> tuple[str, ...]:  # noqa: D102
        states, actions = _shared_names(environments)
        return tuple(f"R({s}, {a})" for s in states for a in actions) or self.parameters

    def matrix(self, env: Environment) -> sparse.csr_array:  # noqa: D102
        _check_states("StateActionRewards", self.n_states, env)
        _check_actions("StateActionRewards", self.n_actions, env)
        return sparse.csr_array(sparse.eye_array(self.dim, format="csr"))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:  # noqa: D102
        return _constants(np.ones(self.dim), discounts)


@dataclass(frozen=True, eq=False)
class LinearRewards(RewardFamily):
    """Rewards ``features(s, a) . theta``, the same features in every environment.

    Parameters
    ----------
    features : array (S, A, d)
        Finite.
    names : sequence of str, optional
        One for each feature.
    """

    features: Array
    names: Sequence[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        given = checked_floats("features", self.features).copy()
        if given.ndim != 3 or 0 in given.shape:
            raise ValueError(f"features: should have shape (S, A, d), was {given.shape}")
        if not np.isfinite(given).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
            raise ValueError(f"features{list(place)} is {float(given[place])!r}: should be finite")
        given.setflags(write=False)
        object.__setattr__(self, "features", given)
        if self.names is not None:
            names = tuple(str(name) for name in self.names)
            if len(names) != given.shape[2]:
                raise ValueError(f"names: {len(names)} names were given for {given.shape[2]} features")
            object.__setattr__(self, "names", names)

    @property
    def dim(self) -> int:  # noqa: D102
        return int(self.features.shape[2])

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        return tuple(self.names) if self.names is not None else tuple(f"feature {i}" for i in range(self.dim))

    def matrix(self, env: Environment) -> sparse.csr_array:  # noqa: D102
        _check_states("LinearRewards", self.features.shape[0], env)
        _check_actions("LinearRewards", self.features.shape[1], env)
        return self._flat

    @cached_property
    def _flat(self) -> sparse.csr_array:
        return read_only(sparse.csr_array(self.features.reshape(-1, self.dim)))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:  # noqa: D102
        flat = self.features.reshape(-1, self.dim)
        named: dict[str, Array] = {}
        weights, *_ = linalg.lstsq(flat, np.ones(len(flat)), cond=RANK_TOLERANCE)
        if np.abs(flat @ weights - 1).max() <= 1e-9:
            named |= _constants(weights, discounts)
        silent = linalg.null_space(flat, rcond=RANK_TOLERANCE)
        return named | ({"redistribution": silent} if silent.shape[1] else {})


@dataclass(frozen=True)
class TransitionRewards(RewardFamily):
    """Rewards R(s, a, s') through their expectation under each environment's transitions; ``theta`` is (S * A * S,).

    Behaviour depends on R(s, a, s') only through ``sum_s' T[s, a, s'] R(s, a, s')``; it is different environments that
    tell the successors apart.
    """

    n_states: int
    n_actions: int

    def __post_init__(self) -> None:
        _check_count("n_states", self.n_states)
        _check_count("n_actions", self.n_actions)

    @property
    def dim(self) -> int:  # noqa: D102
        return self.n_states * self.n_actions * self.n_states

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        each = range(self.n_states)
        return tuple(f"R(s{s}, a{a}, s{n})" for s in each for a in range(self.n_actions) for n in each)

    def named_in(self, environments: Iterable[Environment]) -> tuple[str, ...]:  # noqa: D102
        states, actions = _shared_names(environments)
        return tuple(f"R({s}, {a}, {n})" for s in states for a in actions for n in states) or self.parameters

    def matrix(self, env: Environment) -> sparse.csr_array:  # noqa: D102
        _check_states("TransitionRewards", self.n_states, env)
        _check_actions("TransitionRewards", self.n_actions, env)
        rows = env.transitions.tocoo()
        columns = rows.row.astype(np.int64) * self.n_states + rows.col
        return sparse.csr_array((rows.data, (rows.row, columns)), shape=(rows.shape[0], self.dim))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:
        """Constants, and the potentials that shape at every one of ``discounts`` (none when they differ or are 1).

        At a common discount g the potential ``f = 1`` shapes by the constant ``g - 1``, so potentials are listed modulo
        the constant potential where that is named already.
        """
        rates = set(discounts)
        named = _constants(np.ones(self.dim), rates)
        if len(rates) == 1 and max(rates) < 1 and self.n_states > 1:
            (g,) = rates
            shape = (self.n_states, self.n_actions, self.n_states, self.n_states)
            here = np.broadcast_to(np.eye(self.n_states)[:, None, None, :], shape)
            there = np.broadcast_to(np.eye(self.n_states)[None, None, :, :], shape)
            potentials = (g * there - here).reshape(self.dim, self.n_states)
            named["shaping"] = potentials[:, 1:]
        return named


def base_objective(env: str | gymnasium.Env[Any, Any]) -> Array:
    """The expected reward in the transition table of a Gymnasium environment: its base objective.

    Parameters
    ----------
    env : str or gymnasium.Env
        As for :meth:`irl_ident.Environment.from_gymnasium`, whose states and actions this reward is on.

    Returns
    -------
    array (S, A)
        ``sum over outcomes of probability * reward``; 0 in states that are absorbing because episodes have ended there,
        so that the discounted return of a policy equals the discounted return that Gymnasium would pay, episodes ending
        where it ends them.
    """
    from irl_ident.gymnasium_tables import reward_from_table

    return reward_from_table(env)


def _shared_names(environments: Iterable[Environment]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of states and of actions on which the environments agree, each empty where they do not."""
    given = list(environments)
    states, actions = (
        {tuple(names) for names in each} for each in ([e.states for e in given], [e.actions for e in given])
    )
    return states.pop() if len(states) == 1 else (), actions.pop() if len(actions) == 1 else ()


@lru_cache(maxsize=64)
def _repeated(n_states: int, n_actions: int) -> sparse.csr_array:
    """A row for each state and action with a 1 at the state, sparse (S * A, S)."""
    own = np.repeat(np.arange(n_states), n_actions)
    rows = (np.ones(own.size), own, np.arange(own.size + 1))
    return read_only(sparse.csr_array(rows, shape=(own.size, n_states)))


def _constants(weights: Array, discounts: Iterable[float]) -> dict[str, Array]:
    return {"constant": weights[:, None]} if all(g < 1 for g in discounts) else {}


def _check_count(argument: str, value: int) -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least 1")


def _check_states(family: str, expected: int, env: Environment) -> None:
    if env.n_states != expected:
        raise ValueError(f"{family}: is for {expected} states, the environment has {env.n_states}")


def _check_actions(family: str, expected: int, env: Environment) -> None:
    if env.n_actions != expected:
        raise ValueError(f"{family}: is for {expected} actions, the environment has {env.n_actions}")
