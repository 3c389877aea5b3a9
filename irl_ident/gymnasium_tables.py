"""From Gymnasium's transition tables to environments, and back.

The toy-text environments keep a table ``P[s][a] = [(probability, next state, reward, terminated), ...]``.  Episodes end
with the transition that is marked, whatever the table lists for the state that it leads to (CliffWalking and Taxi list
ordinary moves there).  Here an episode ends *in* a state: a state that is entered by terminating transitions alone
becomes absorbing, its rows replaced by staying.  Where it can also be entered, or started in, without termination, it
keeps its moves and terminating transitions lead to one absorbing state ``"terminated"``, added last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment, Mask

try:
    import gymnasium
except ImportError as error:
    raise ImportError("Gymnasium is needed to read and make its environments: pip install gymnasium") from error

TERMINATED = "terminated"
"""Name of the absorbing state that is added where one is needed."""


@dataclass(frozen=True, eq=False)
class Table:
    """The outcomes in a transition table, one entry each, (n,), and what is known of the start.

    Attributes
    ----------
    rows, arrivals : int (n,)
        State-action pair ``s * A + a`` and next state.
    probabilities, rewards : float (n,)
    done : bool (n,)
    initial : float (S,)
    shape : (S, A)
    """

    rows: npt.NDArray[np.int64]
    arrivals: npt.NDArray[np.int64]
    probabilities: Array
    rewards: Array
    done: Mask
    initial: Array
    shape: tuple[int, int]

    @property
    def closing(self) -> Mask:
        """States that an episode can enter by terminating transitions alone, and does not start in, (S,)."""
        n_states = self.shape[0]
        possible, origins = self.probabilities > 0, self.rows // self.shape[1]
        moving = possible & ~self.done
        graph = sparse.csr_array(
            (np.ones(moving.sum()), (origins[moving], self.arrivals[moving])), shape=2 * (n_states,)
        )
        reached = self.initial > 0
        while (grown := reached | ((reached.astype(float) @ graph) > 0)).sum() > reached.sum():
            reached = grown
        closing = (np.bincount(self.arrivals[possible & self.done], minlength=n_states) > 0) & ~(self.initial > 0)
        while True:
            going_on = moving & reached[origins] & ~closing[origins]
            kept = closing & ~(np.bincount(self.arrivals[going_on], minlength=n_states) > 0)
            if (kept == closing).all():
                return np.asarray(closing)
            closing = kept


def environment_from_table(env: str | gymnasium.Env[Any, Any], discount: float) -> Environment:
    """See :meth:`irl_ident.Environment.from_gymnasium`."""
    world = _unwrapped(env)
    table = read_table(world)
    n_states, n_actions = table.shape
    closing = table.closing
    extra = bool((table.done & (table.probabilities > 0) & ~closing[table.arrivals]).any())
    arrivals = np.where(table.done & ~closing[table.arrivals], n_states, table.arrivals)
    moving = ~closing[table.rows // n_actions]
    ends = np.concatenate([np.flatnonzero(closing), np.arange(n_states, n_states + extra)])
    staying = (ends[:, None] * n_actions + np.arange(n_actions)).ravel()
    total = n_states + extra
    transitions = sparse.csr_array(
        (
            np.concatenate([table.probabilities[moving], np.ones(staying.size)]),
            (
                np.concatenate([table.rows[moving], staying]),
                np.concatenate([arrivals[moving], np.repeat(ends, n_actions)]),
            ),
        ),
        shape=(total * n_actions, total),
    )
    names = [*_state_names(world, n_states), TERMINATED][:total]
    initial = np.concatenate([table.initial, np.zeros(int(extra))])
    return Environment(transitions, discount, initial, states=names)


def reward_from_table(env: str | gymnasium.Env[Any, Any]) -> Array:
    """See :func:`irl_ident.rewards.base_objective`."""
    table = read_table(_unwrapped(env))
    n_states, n_actions = table.shape
    expected = np.bincount(table.rows, table.probabilities * table.rewards, n_states * n_actions)
    reward = expected.reshape(n_states, n_actions)
    closing = table.closing
    reward[closing] = 0
    extra = bool((table.done & (table.probabilities > 0) & ~closing[table.arrivals]).any())
    return np.vstack([reward, np.zeros((int(extra), n_actions))])


def read_table(world: Any) -> Table:
    """Read and check ``world.P``; the start is ``world.initial_state_distrib``, or uniform over states that can act on.

    Raises
    ------
    ValueError
        Names the place and the value at fault.
    """
    table = getattr(world, "P", None)
    if not isinstance(table, Mapping | list | tuple) or not len(table):
        raise ValueError(
            f"env: {type(world).__name__} has no tabular P, which should be P[s][a] = [(p, s', r, done), ...]"
        )
    n_states = len(table)
    n_actions = len(table[0])
    rows, outcomes = [], []
    for s in range(n_states):
        if len(table[s]) != n_actions:
            raise ValueError(f"env.P[{s}]: has {len(table[s])} actions, should have {n_actions} as P[0]")
        for a in range(n_actions):
            listed = [_checked(s, a, outcome, n_states) for outcome in table[s][a]]
            total = sum(p for p, *_ in listed)
            if abs(total - 1) > 1e-8:
                raise ValueError(f"env.P[{s}][{a}]: probabilities sum to {total!r}, should sum to 1")
            rows += [s * n_actions + a] * len(listed)
            outcomes += listed
    probabilities, arrivals, rewards, done = (np.array(column) for column in zip(*outcomes, strict=True))
    start = getattr(world, "initial_state_distrib", None)
    if start is None:
        ended = np.bincount(arrivals[done.astype(bool)], minlength=n_states) > 0
        start = ~ended if (~ended).any() else np.ones(n_states)
    initial = np.asarray(start, dtype=float)
    if initial.shape != (n_states,):
        raise ValueError(f"env.initial_state_distrib: should have shape ({n_states},), was {initial.shape}")
    return Table(
        np.array(rows, dtype=np.int64),
        arrivals.astype(np.int64),
        probabilities.astype(float),
        rewards.astype(float),
        done.astype(bool),
        initial / initial.sum(),
        (n_states, n_actions),
    )


class TabularEnv(gymnasium.Env[np.int64, np.int64]):
    """An environment with a reward, as Gymnasium runs it; made by :meth:`irl_ident.Environment.to_gymnasium`.

    Attributes
    ----------
    P : dict
        The transition table, in Gymnasium's form.
    initial_state_distrib : array (S,)
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, env: Environment, reward: Array, *, max_episode_steps: int | None = None) -> None:
        given = np.array(reward, dtype=float)
        if given.shape != (env.n_states, env.n_actions):
            raise ValueError(f"reward: should have shape ({env.n_states}, {env.n_actions}), was {given.shape}")
        if not np.isfinite(given).all():
            s, a = (int(i) for i in np.argwhere(~np.isfinite(given))[0])
            raise ValueError(f"reward[{s}, {a}] is {float(given[s, a])!r}: should be finite")
        if (given[env.absorbing] != 0).any():
            s = int(np.flatnonzero(env.absorbing)[(given[env.absorbing] != 0).any(axis=1)][0])
            raise ValueError(
                f"reward[{s}]: should be 0 in the absorbing state {env.states[s]!r}, where the episode has ended"
            )
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps: was {max_episode_steps!r}, should be at least 1")
        self.environment = env
        self.reward = given
        self.max_episode_steps = max_episode_steps
        self.observation_space = gymnasium.spaces.Discrete(env.n_states)
        self.action_space = gymnasium.spaces.Discrete(env.n_actions)
        self.initial_state_distrib = env.initial
        self._cumulative = np.cumsum(env.initial)
        self._state = 0
        self._steps = 0

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The transition table, in Gymnasium's form."""
        env, rows = self.environment, self.environment.transitions
        return {
            s: {
                a: [
                    (
                        float(rows.data[i]),
                        int(rows.indices[i]),
                        float(self.reward[s, a]),
                        bool(env.absorbing[rows.indices[i]]),
                    )
                    for i in range(*rows.indptr[s * env.n_actions + a : s * env.n_actions + a + 2])
                ]
                for a in range(env.n_actions)
            }
            for s in range(env.n_states)
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Draw the first state."""
        super().reset(seed=seed)
        self._state = self._draw(self._cumulative)
        self._steps = 0
        return np.int64(self._state), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Pay the reward, then move."""
        env, rows = self.environment, self.environment.transitions
        row = self._state * env.n_actions + int(action)
        paid = float(self.reward[self._state, int(action)])
        span = slice(*rows.indptr[row : row + 2])
        self._state = int(rows.indices[span][self._draw(np.cumsum(rows.data[span]))])
        self._steps += 1
        truncated = self.max_episode_steps is not None and self._steps >= self.max_episode_steps
        return np.int64(self._state), paid, bool(env.absorbing[self._state]), truncated, {}

    def _draw(self, cumulative: Array) -> int:
        place = np.searchsorted(cumulative, self.np_random.random() * cumulative[-1], side="right")
        return int(min(place, len(cumulative) - 1))


def _unwrapped(env: str | gymnasium.Env[Any, Any]) -> Any:
    if isinstance(env, str):
        try:
            return gymnasium.make(env).unwrapped
        except gymnasium.error.Error as error:
            raise ValueError(f"env: Gymnasium does not make {env!r}: {error}") from error
    return getattr(env, "unwrapped", env)


def _checked(s: int, a: int, outcome: Any, n_states: int) -> tuple[float, int, float, bool]:
    try:
        probability, arrival, reward, done = outcome
        found = float(probability), int(arrival), float(reward), bool(done)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"env.P[{s}][{a}]: {outcome!r} should be (probability, next state, reward, terminated)"
        ) from error
    if not (np.isfinite(found[0]) and found[0] >= 0 and np.isfinite(found[2]) and 0 <= found[1] < n_states):
        raise ValueError(
            f"env.P[{s}][{a}]: {outcome!r} should have a probability >= 0, a next state below {n_states} and a finite "
            "reward"
        )
    return found


def _state_names(world: Any, n_states: int) -> list[str]:
    """Rows and columns where the environment has a map of as many cells, else numbers."""
    shape = np.shape(world.desc) if hasattr(world, "desc") else tuple(getattr(world, "shape", ()))
    if len(shape) == 2 and shape[0] * shape[1] == n_states:
        return [f"r{s // shape[1]}c{s % shape[1]}" for s in range(n_states)]
    return [f"s{s}" for s in range(n_states)]
