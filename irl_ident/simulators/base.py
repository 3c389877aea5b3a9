"""Simulators and what is measured in them: discounted sums of features over episodes.

With a reward linear in features, ``r(o, a, o') = theta . phi(o, a, o')``, a policy enters its value through its feature
expectations alone (Abbeel & Ng 2004, equation 2),

    V(pi) = theta . mu(pi),      mu(pi) = E sum_t g^t phi(o_t, a_t, o_{t+1}),

and these can be estimated from episodes, without a table of the dynamics.  Episodes are cut after ``horizon`` steps.
With discount g < 1 the objective goes on after the cut, and what was cut off is at most ``g^n B / (1 - g)``, where n is
the number of steps played and B bounds ``|phi|``.  With g = 1 the horizon is part of the objective and nothing is cut.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array

if TYPE_CHECKING:
    import gymnasium

Features: TypeAlias = Callable[[Any, Any, Any], npt.ArrayLike]
"""``features(observation, action, next_observation) -> (d,)``."""

Acting: TypeAlias = Callable[[Any], Any]
"""``observation -> action``."""

TOGETHER = 64
"""Episodes of a model that are played in step, so that its network is evaluated once for all."""

Policy: TypeAlias = Any
"""An :data:`Acting`; or an object with ``predict(observation, deterministic=True)``, as Stable-Baselines3's models; or
one with ``episode(action_space, seed)``, which gives the :data:`Acting` of one episode, drawn from ``seed`` alone."""


@dataclass(frozen=True, eq=False)
class Simulator:
    """A Gymnasium environment, the features that its rewards are linear in, and the discount.

    Attributes
    ----------
    make : str or callable
        A Gymnasium id, or a function without arguments that gives a new environment.
    features : callable
        ``features(observation, action, next_observation) -> (d,)``.
    discount : float
        g in [0, 1].
    names : tuple of str
        One for each feature; a string alone names the only one.
    bounds : array (d, 2), optional
        Smallest and largest value of each feature.  Checked in every step.  With them confidence holds at every number
        of episodes, without them as that number grows.
    """

    make: str | Callable[[], gymnasium.Env[Any, Any]]
    features: Features
    discount: float
    names: tuple[str, ...]
    bounds: Array | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.make, str) or callable(self.make)):
            raise ValueError(
                f"make: was {self.make!r}, should be a Gymnasium id or a function that makes an environment"
            )
        if not callable(self.features):
            raise ValueError(f"features: was {self.features!r}, should be callable with (observation, action, next)")
        if not 0 <= self.discount <= 1:
            raise ValueError(f"discount: was {self.discount!r}, should be in [0, 1]")
        given: Any = self.names
        names = (given,) if isinstance(given, str) else tuple(given)
        if not names or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"names: were {self.names!r}, should be different strings, one for each feature")
        object.__setattr__(self, "names", names)
        if self.bounds is not None:
            object.__setattr__(self, "bounds", _checked_bounds(self.bounds, names))

    @property
    def dim(self) -> int:
        """Number of features, d."""
        return len(self.names)

    def environment(self) -> gymnasium.Env[Any, Any]:
        """A new environment."""
        import gymnasium

        return gymnasium.make(self.make) if isinstance(self.make, str) else self.make()

    def phi(self, observation: Any, action: Any, following: Any) -> Array:
        """The features of one step, (d,), or ``ValueError`` when they are not finite or out of bounds."""
        found = np.asarray(self.features(observation, action, following), dtype=float)
        if found.shape != (self.dim,):
            raise ValueError(f"features: gave shape {found.shape}, should be ({self.dim},) as names has it")
        low, high = self._limits
        if not ((found >= low) & (found <= high)).all():
            self._refuse(found)
        return found

    @cached_property
    def _limits(self) -> tuple[Array, Array]:
        """What features are between: the bounds, or the largest numbers."""
        largest = np.full(self.dim, np.finfo(float).max)
        return (-largest, largest) if self.bounds is None else (self.bounds[:, 0], self.bounds[:, 1])

    def _refuse(self, found: Array) -> NoReturn:
        if not np.isfinite(found).all():
            place = int(np.argmin(np.isfinite(found)))
            raise ValueError(f"features: {self.names[place]!r} was {float(found[place])!r}, should be finite")
        low, high = self._limits
        place = int(np.argmax((found < low) | (found > high)))
        raise ValueError(
            f"bounds: {self.names[place]!r} was {float(found[place])!r}, should be in [{low[place]}, {high[place]}]"
        )

    def __str__(self) -> str:
        world = self.make if isinstance(self.make, str) else getattr(self.make, "__name__", type(self.make).__name__)
        return f"{world}, discount {self.discount:g}"


@dataclass(frozen=True, eq=False)
class FeatureSums:
    """Discounted sums of features in the episodes of one policy.

    Attributes
    ----------
    sums : array (N, d)
        ``sum_t g^t phi_t`` of each episode, as far as it was played.
    truncation : array (d,)
        What was cut off, at most, in expectation.
    span : array (d,) or None
        Largest less smallest value that an entry of ``sums`` can have; None without bounds on the features.
    resets : int array (N,)
        Seeds that the environment was reset with.
    lengths : int array (N,)
        Steps played.
    name : str
        What the policy is called in reports.
    discount : float, optional
        g.
    horizon : int, optional
        Steps after which an episode was cut.
    """

    sums: Array
    truncation: Array
    span: Array | None
    resets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    name: str = "policy"
    discount: float | None = None
    horizon: int | None = None

    def __post_init__(self) -> None:
        sums = np.array(self.sums, dtype=float)
        if sums.ndim != 2 or sums.shape[0] < 2 or sums.shape[1] < 1 or not np.isfinite(sums).all():
            raise ValueError(f"sums: shape {sums.shape}, should be finite, (N, d) with N at least 2")
        truncation = np.broadcast_to(np.asarray(self.truncation, dtype=float), sums.shape[1:]).copy()
        if not (truncation >= 0).all():
            raise ValueError(f"truncation: was {self.truncation!r}, should be at least 0")
        object.__setattr__(self, "sums", sums)
        object.__setattr__(self, "truncation", truncation)

    @property
    def episodes(self) -> int:
        """Number of episodes, N."""
        return int(self.sums.shape[0])

    @cached_property
    def mean(self) -> Array:
        """Estimate of ``mu``, (d,)."""
        return np.asarray(self.sums.mean(axis=0))

    def paired_with(self, other: FeatureSums) -> bool:
        """Whether both were measured from the same resets, in the same order."""
        return np.array_equal(self.resets, other.resets)


def rollouts(
    simulator: Simulator, policy: Policy, *, episodes: int, horizon: int, seed: int, name: str = "policy"
) -> FeatureSums:
    """Play episodes and add up discounted features.

    Parameters
    ----------
    simulator : Simulator
    policy : callable, Stable-Baselines3 model, or :class:`Mixed` and its like
        Models act deterministically.
    episodes : int
        N, at least 2.
    horizon : int
        Steps after which an episode is cut, unless the environment ends it first.
    seed : int
        Gives the seeds of the resets.  Policies measured with the same seed start from the same states and, in
        environments that draw one number a step, meet the same chance (common random numbers).
    name : str

    Returns
    -------
    FeatureSums
        ``truncation`` takes n to be the smallest of ``horizon``, the environment's own limit of steps and the shortest
        episode that the environment truncated: with discount < 1 a time limit is no end.  Without bounds on the
        features B is the largest ``|phi|`` that was seen.

    Raises
    ------
    ValueError
        For counts below these, and features that are not finite, of another number, or out of bounds.
    """
    if episodes != int(episodes) or episodes < 2:
        raise ValueError(f"episodes: was {episodes!r}, should be a whole number of at least 2")
    if horizon != int(horizon) or horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, should be a whole number of at least 1")
    if seed is None or seed != int(seed) or seed < 0:
        raise ValueError(f"seed: was {seed!r}, should be a whole number of at least 0")
    resets = np.random.SeedSequence(seed).generate_state(episodes).astype(np.int64) >> 1
    played: list[_Played] = []
    batch = TOGETHER if hasattr(policy, "predict") and not hasattr(policy, "episode") else 1
    worlds = [simulator.environment() for _ in range(min(batch, episodes))]
    try:
        limit = getattr(worlds[0].spec, "max_episode_steps", None) or horizon
        for start in range(0, episodes, batch):
            played += _played(simulator, worlds, policy, resets[start : start + batch], horizon)
    finally:
        for world in worlds:
            world.close()  # type: ignore[no-untyped-call]
    cut = min([horizon, limit, *(one.length for one in played if one.truncated)])
    largest = np.max([one.largest for one in played], axis=0)
    return FeatureSums(
        np.array([one.total for one in played]),
        truncation(simulator, cut, largest),
        span(simulator, horizon),
        resets,
        np.array([one.length for one in played]),
        name,
        simulator.discount,
        horizon,
    )


def truncation(simulator: Simulator, steps: int, largest: Array) -> Array:
    """``g^n B / (1 - g)``, (d,); 0 when the discount is 1.  ``largest`` stands for B where no bounds are known."""
    g = simulator.discount
    if g == 1:
        return np.zeros(simulator.dim)
    bound = largest if simulator.bounds is None else np.abs(simulator.bounds).max(axis=1)
    return np.asarray(g**steps * bound / (1 - g))


def span(simulator: Simulator, horizon: int) -> Array | None:
    """Length of the interval that holds the discounted sums of an episode of any length up to ``horizon``, (d,)."""
    if simulator.bounds is None:
        return None
    g = simulator.discount
    weight = horizon if g == 1 else (1 - g**horizon) / (1 - g)
    return np.asarray(weight * (np.maximum(simulator.bounds[:, 1], 0) - np.minimum(simulator.bounds[:, 0], 0)))


@dataclass(frozen=True)
class Mixed:
    """A policy that in each step takes a uniformly random action with probability ``epsilon``; see :func:`mixed`."""

    policy: Policy
    epsilon: float
    seed: int

    def episode(self, action_space: Any, seed: int) -> Acting:
        """The acting of one episode, which depends on both seeds alone."""
        rng = np.random.default_rng([self.seed, seed])
        space = copy.deepcopy(action_space)
        space.seed(int(rng.integers(2**31)))
        otherwise = acting(self.policy, action_space, seed)

        def act(observation: Any) -> Any:
            return space.sample() if rng.random() < self.epsilon else otherwise(observation)

        return act


@dataclass(frozen=True, eq=False)
class Table:
    """A stochastic policy on observations ``0 .. S-1``; see :func:`tabular`."""

    probabilities: Array

    def episode(self, action_space: Any, seed: int) -> Acting:
        """The acting of one episode."""
        rng, levels = np.random.default_rng([1, seed]), self._levels
        return lambda state: bisect_right(levels[state], rng.random())

    @cached_property
    def _levels(self) -> list[list[float]]:
        """Cumulative probabilities of all actions but the last, for each state."""
        levels: list[list[float]] = self.probabilities.cumsum(axis=1)[:, :-1].tolist()
        return levels


def mixed(policy: Policy, epsilon: float, seed: int) -> Mixed:
    """``policy``, with uniformly random actions instead with probability ``epsilon``; 1 gives the random policy.

    Raises
    ------
    ValueError
        For ``epsilon`` outside [0, 1].
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon: was {epsilon!r}, should be in [0, 1]")
    return Mixed(policy, epsilon, seed)


def uniform(seed: int) -> Mixed:
    """The policy that takes uniformly random actions."""
    return Mixed(_idle, 1.0, seed)


def tabular(probabilities: npt.ArrayLike) -> Table:
    """The policy (S, A) of a table, for environments with ``Discrete(S)`` observations."""
    given = np.asarray(probabilities, dtype=float)
    if given.ndim != 2 or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1, rtol=0, atol=1e-9):
        raise ValueError(f"probabilities: shape {given.shape}, should be (S, A) with rows that are distributions")
    return Table(given)


def _idle(_: Any) -> None:
    return None


def acting(policy: Policy, action_space: Any, seed: int) -> Acting:
    """The acting of one episode of any kind of :data:`Policy`."""
    if hasattr(policy, "episode"):
        return policy.episode(action_space, seed)  # type: ignore[no-any-return]
    if hasattr(policy, "predict"):
        return lambda observation: policy.predict(observation, deterministic=True)[0]
    if callable(policy):
        return policy  # type: ignore[no-any-return]
    raise ValueError(f"policy: was {policy!r}, should be callable, or have predict or episode")


@dataclass(eq=False)
class _Played:
    total: Array
    largest: Array
    length: int = 0
    truncated: bool = False
    over: bool = False


def _played(
    simulator: Simulator, worlds: list[Any], policy: Policy, resets: npt.NDArray[np.int64], horizon: int
) -> list[_Played]:
    """One episode for each of ``resets``, in step; actions of models are asked for all together."""
    used = worlds[: resets.size]
    episodes = [_Played(np.zeros(simulator.dim), np.zeros(simulator.dim)) for _ in used]
    seen = [world.reset(seed=int(reset))[0] for world, reset in zip(used, resets, strict=True)]
    if len(worlds) == 1:
        act = acting(policy, used[0].action_space, int(resets[0]))
    for step in range(1, horizon + 1):
        alive = [place for place, one in enumerate(episodes) if not one.over]
        if not alive:
            break
        actions = [act(seen[0])] if len(worlds) == 1 else _predicted(policy, [seen[place] for place in alive])
        for place, action in zip(alive, actions, strict=True):
            one = episodes[place]
            following, _, terminated, truncated, _ = used[place].step(action)
            phi = simulator.phi(seen[place], action, following)
            one.total += simulator.discount ** (step - 1) * phi
            np.maximum(one.largest, np.abs(phi), out=one.largest)
            one.length, one.over = step, bool(terminated or truncated)
            one.truncated = bool(truncated and not terminated)
            seen[place] = following
    return episodes


def _predicted(model: Any, observations: list[Any]) -> Any:
    """A model's deterministic actions, for observations that are arrays, or dictionaries of arrays."""
    if isinstance(observations[0], dict):
        together: Any = {key: np.stack([one[key] for one in observations]) for key in observations[0]}
    else:
        together = np.stack(observations)
    return model.predict(together, deterministic=True)[0]


def _checked_bounds(bounds: npt.ArrayLike, names: Iterable[str]) -> Array:
    given = np.array(bounds, dtype=float)
    wanted = (len(tuple(names)), 2)
    if given.shape != wanted or not np.isfinite(given).all() or (given[:, 0] > given[:, 1]).any():
        raise ValueError(f"bounds: were {given.tolist()}, should be finite, {wanted}, smallest before largest")
    return given
