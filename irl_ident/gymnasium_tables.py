"""From Gymnasium's transition tables to environments, and back.

The toy-text environments keep a table ``P[s][a] = [(probability, next state, reward, terminated), ...]``.  Episodes end
with the transition that is marked, whatever the table lists for the state that it leads to (CliffWalking and Taxi list
ordinary moves there).  Here an episode ends *in* a state: a state that is entered by terminating transitions alone
becomes absorbing, its rows replaced by staying.  Where it can also be entered, or started in, without termination, it
keeps its moves and terminating transitions lead to one absorbing state ``"terminated"``, added last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import ROW_SUM_TOLERANCE, Array, Environment, Mask
from irl_ident.transitions import checked_distribution, checked_floats, reached

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

    @cached_property
    def closing(self) -> Mask:
        """States that become absorbing: episodes enter them by terminating transitions and in no other way, (S,)."""
        n_states, n_actions = self.shape
        possible = self.probabilities > 0
        moving = possible & ~self.done
        gone_through = reached(self.rows[moving] // n_actions, self.arrivals[moving], self.initial > 0)
        closing = np.zeros(n_states, dtype=bool)
        closing[self.arrivals[possible & self.done]] = True
        return closing & ~gone_through

    @property
    def elsewhere(self) -> Mask:
        """Outcomes that lead to the state ``"terminated"`` instead, (n,)."""
        return self.done & (self.probabilities > 0) & ~self.closing[self.arrivals]


def environment_from_table(env: str | gymnasium.Env[Any, Any], discount: float) -> Environment:
    """See :meth:`irl_ident.Environment.from_gymnasium`."""
    world = _unwrapped(env)
    table = read_table(world)
    n_states, n_actions = table.shape
    total = n_states + int(table.elsewhere.any())
    arrivals = np.where(table.elsewhere, n_states, table.arrivals)
    moving = ~table.closing[table.rows // n_actions]
    ends = np.concatenate([np.flatnonzero(table.closing), np.arange(n_states, total)])
    staying = (ends[:, None] * n_actions + np.arange(n_actions)).ravel()
    probabilities = np.concatenate([table.probabilities[moving], np.ones(staying.size)])
    rows = np.concatenate([table.rows[moving], staying])
    columns = np.concatenate([arrivals[moving], np.repeat(ends, n_actions)])
    transitions = sparse.csr_array((probabilities, (rows, columns)), shape=(total * n_actions, total))
    initial = np.concatenate([table.initial, np.zeros(total - n_states)])
    positions = _positions(world, n_states)
    if positions is None:
        names = [*(f"s{s}" for s in range(n_states)), TERMINATED]
    else:
        names = [*(f"r{row}c{column}" for row, column in positions.tolist()), TERMINATED]
        positions = np.vstack([positions, [positions[-1, 0] + 2, 0]])[:total]
    return Environment(transitions, discount, initial, states=names[:total], positions=positions)


def reward_from_table(env: str | gymnasium.Env[Any, Any]) -> Array:
    """See :func:`irl_ident.rewards.base_objective`."""
    table = read_table(_unwrapped(env))
    n_states, n_actions = table.shape
    reward = np.zeros((n_states + int(table.elsewhere.any()), n_actions))
    expected = np.bincount(table.rows, table.probabilities * table.rewards, n_states * n_actions)
    reward[:n_states] = np.where(table.closing[:, None], 0.0, expected.reshape(n_states, n_actions))
    return reward


def read_table(world: Any) -> Table:
    """Read and check ``world.P`` and ``world.initial_state_distrib``.

    Parameters
    ----------
    world : object
        ``P[s][a]`` is a list of outcomes; states and actions are numbered from 0, by mappings or by lists.  Without an
        ``initial_state_distrib`` episodes are taken to start evenly in the states that no terminating transition
        enters.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        Names the place and the value at fault.
    """
    by_state = _numbered(getattr(world, "P", None), f"env: {type(world).__name__} has no transition table P; P")
    n_states, n_actions = len(by_state), 0
    rows: list[int] = []
    outcomes: list[tuple[float, int, float, bool]] = []
    for s, given in enumerate(by_state):
        by_action = _numbered(given, f"env.P[{s}]")
        n_actions = n_actions or len(by_action)
        if len(by_action) != n_actions:
            raise ValueError(f"env.P[{s}]: has {len(by_action)} actions, should have {n_actions} as P[0]")
        for a, listed in enumerate(by_action):
            found = _outcomes(listed, f"env.P[{s}][{a}]", n_states)
            rows += [s * n_actions + a] * len(found)
            outcomes += found
    probabilities, arrivals, rewards, done = zip(*outcomes, strict=True)
    entered = np.zeros(n_states, dtype=bool)
    entered[np.array(arrivals)[np.array(done) & (np.array(probabilities) > 0)]] = True
    start = getattr(world, "initial_state_distrib", None)
    if start is None:
        start = ~entered / (~entered).sum() if not entered.all() else np.full(n_states, 1 / n_states)
    return Table(
        rows=np.array(rows, dtype=np.int64),
        arrivals=np.array(arrivals, dtype=np.int64),
        probabilities=np.array(probabilities),
        rewards=np.array(rewards),
        done=np.array(done),
        initial=checked_distribution("env.initial_state_distrib", start, n_states),
        shape=(n_states, n_actions),
    )


class TabularEnv(gymnasium.Env[np.int64, np.int64]):
    """An environment with a reward, as Gymnasium runs it; made by :meth:`irl_ident.Environment.to_gymnasium`.

    Parameters
    ----------
    env : Environment
        Its discount is left to whoever learns.
    reward : array (S, A)
        Paid for taking action ``a`` in state ``s``; 0 in absorbing states.
    max_episode_steps : int, optional
        After so many steps an episode is truncated.

    Attributes
    ----------
    environment : Environment
    reward : array (S, A)
    initial_state_distrib : array (S,)
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, env: Environment, reward: npt.ArrayLike, *, max_episode_steps: int | None = None) -> None:
        given = checked_floats("reward", reward).copy()
        if given.shape != (env.n_states, env.n_actions):
            raise ValueError(f"reward: should have shape ({env.n_states}, {env.n_actions}), was {given.shape}")
        if not np.isfinite(given).all():
            s, a = np.argwhere(~np.isfinite(given))[0].tolist()
            raise ValueError(f"reward[{s}, {a}] is {float(given[s, a])!r}: should be finite")
        if given[env.absorbing].any():
            s, a = np.argwhere((given != 0) & env.absorbing[:, None])[0].tolist()
            raise ValueError(
                f"reward[{s}, {a}] is {float(given[s, a])!r}: should be 0, for state {env.states[s]!r} is absorbing: "
                "the episode has ended there"
            )
        if max_episode_steps is not None and (max_episode_steps < 1 or max_episode_steps != int(max_episode_steps)):
            raise ValueError(f"max_episode_steps: was {max_episode_steps!r}, should be a whole number of at least 1")
        given.setflags(write=False)
        self.environment = env
        self.reward = given
        self.initial_state_distrib = env.initial
        self.observation_space = gymnasium.spaces.Discrete(env.n_states)
        self.action_space = gymnasium.spaces.Discrete(env.n_actions)
        self._max_episode_steps = max_episode_steps
        self._first: list[float] = np.cumsum(env.initial).tolist()
        self._ahead: dict[int, tuple[list[float], list[int]]] = {}
        self._state: int | None = None
        self._steps = 0

    @cached_property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The transition table ``P[s][a] = [(probability, next state, reward, terminated), ...]``."""
        n_states, n_actions = self.reward.shape
        return {s: {a: self._outcomes(s, a) for a in range(n_actions)} for s in range(n_states)}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Draw the first state; there are no ``options``."""
        super().reset(seed=seed)
        self._state = self._draw(self._first)
        self._steps = 0
        return np.int64(self._state), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Pay the reward of the action and move."""
        if self._state is None:
            raise gymnasium.error.ResetNeeded("reset() should be called before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action: was {action!r}, should be from 0 to {self.environment.n_actions - 1}")
        paid = float(self.reward[self._state, int(action)])
        cumulative, arrivals = self._successors(self._state * self.environment.n_actions + int(action))
        self._state = arrivals[self._draw(cumulative)]
        self._steps += 1
        truncated = self._steps == self._max_episode_steps
        return np.int64(self._state), paid, bool(self.environment.absorbing[self._state]), truncated, {}

    def _outcomes(self, s: int, a: int) -> list[tuple[float, int, float, bool]]:
        rows, absorbing = self.environment.transitions, self.environment.absorbing
        first, last = rows.indptr[s * self.environment.n_actions + a :][:2]
        outcomes = zip(rows.data[first:last].tolist(), rows.indices[first:last].tolist(), strict=True)
        return [(p, arrival, float(self.reward[s, a]), bool(absorbing[arrival])) for p, arrival in outcomes]

    def _successors(self, pair: int) -> tuple[list[float], list[int]]:
        """Cumulative probabilities of a state-action pair's next states, and these; kept once asked for."""
        if pair not in self._ahead:
            rows = self.environment.transitions
            first, last = rows.indptr[pair : pair + 2]
            self._ahead[pair] = np.cumsum(rows.data[first:last]).tolist(), rows.indices[first:last].tolist()
        return self._ahead[pair]

    def _draw(self, cumulative: list[float]) -> int:
        """Place of a draw from the distribution with these cumulative sums."""
        place = bisect_right(cumulative, float(self.np_random.random()) * cumulative[-1])
        return min(place, len(cumulative) - 1)


def _unwrapped(env: str | gymnasium.Env[Any, Any]) -> Any:
    if isinstance(env, str):
        try:
            return gymnasium.make(env).unwrapped
        except gymnasium.error.Error as error:
            raise ValueError(f"env: Gymnasium does not make {env!r}: {error}") from error
    return getattr(env, "unwrapped", env)


def _numbered(given: Any, where: str) -> list[Any]:
    """Values of a list, or of a mapping from 0, 1, ..."""
    if isinstance(given, Mapping):
        missing = [i for i in range(len(given)) if i not in given]
        if missing:
            raise ValueError(
                f"{where}: has {len(given)} keys and should have 0 to {len(given) - 1}, lacks {missing[0]}"
            )
        given = [given[i] for i in range(len(given))]
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"{where}: should be a mapping or list that is not empty, was {given!r}")
    return list(given)


def _outcomes(listed: Any, where: str, n_states: int) -> list[tuple[float, int, float, bool]]:
    """Outcomes of one action, checked."""
    found = []
    for outcome in _numbered(listed, where):
        try:
            probability, arrival, reward, done = outcome
            numbers = all(np.asarray(part).dtype.kind in "iuf" for part in (probability, arrival, reward))
            entry = float(probability), int(arrival), float(reward), bool(done)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{where}: {outcome!r} should be (probability, next state, reward, terminated)") from error
        if not numbers or np.asarray(done).dtype.kind not in "biu" or done not in (0, 1):
            raise ValueError(f"{where}: {outcome!r} should hold three numbers, and whether the episode has ended")
        if not 0 <= entry[0] < np.inf:
            raise ValueError(f"{where}: the probability in {outcome!r} should be finite and >= 0")
        if entry[1] != arrival or not 0 <= entry[1] < n_states:
            raise ValueError(
                f"{where}: the next state in {outcome!r} should be a whole number from 0 to {n_states - 1}"
            )
        if not np.isfinite(entry[2]):
            raise ValueError(f"{where}: the reward in {outcome!r} should be finite")
        found.append(entry)
    total = sum(probability for probability, *_ in found)
    if abs(total - 1) > ROW_SUM_TOLERANCE:
        raise ValueError(f"{where}: probabilities sum to {total!r}, should sum to 1")
    return found


def _positions(world: Any, n_states: int) -> npt.NDArray[np.int64] | None:
    """Rows and columns (S, 2) where the environment has a map of as many cells, else None."""
    drawn = getattr(world, "desc", None)
    shape = np.shape(drawn) if drawn is not None else getattr(world, "shape", ())
    if isinstance(shape, tuple) and len(shape) == 2 and shape[0] * shape[1] == n_states:
        return np.argwhere(np.ones(shape, dtype=bool))
    return None
