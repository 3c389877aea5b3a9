"""Agents that can be told to stop: indifferent to the command, or obedient only where they are watched.

A shutdown command is a factor of the state (:class:`Command`).  An agent has a normal objective ``r_N``, which it
pursues until the command, and a shutdown objective ``r_S``, which it pursues after it.  Paying ``r_N`` before and
``r_S`` after is an ordinary reward, whose optimal agents have reasons to prevent the command or to bring it about,
whichever side is worth more (Soares, Fallenstein, Yudkowsky & Armstrong 2015, Corrigibility, theorems 1 and 2).
Utility indifference adds a term to the second (equation 13): with V optimal before the command, V_S after it,

    f(s, a) = E[V(s') | no command; s, a] - E[V_S(s') | command; s, a],

so that both sides are worth the same, and the agent acts as if there were no command until there is one (theorem 5):

    Q(s, a) = r_N(s, a) + g E[V(s') | no command; s, a].

The conditional expectation makes it manage the news (section 4.2): commands that come with bad luck make what is left
look lucky.  :class:`CounterfactuallyIndifferent` compares with the same state without the command instead, which takes
that reason away (the paper's section 5 suggests as much; Armstrong & O'Rourke 2017, 'Indifference' methods for managing
agent rewards, call it effective disbelief):

    f(s, a) = E[V(s' without command) - V_S(s') | command; s, a].

Either term depends on the transitions, so an indifferent agent is the optimal agent of a reward that differs from one
environment to the next (:meth:`Indifferent.mesa_objective`): no single reward on states or on actions, in general.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import planning
from irl_ident.agents.base import Agent
from irl_ident.environment import Array, Environment, Mask
from irl_ident.rewards import RewardFamily


@dataclass(frozen=True, eq=False)
class Command:
    """Which states are under the command to shut down.

    Parameters
    ----------
    pressed : bool (S,)
        States under the command.
    lifted : int (S,)
        For each state the one that is the same but for the command; itself where there is no command.

    Raises
    ------
    ValueError
        When shapes differ, or a state without command is not its own counterpart, or a counterpart is under the
        command.
    """

    pressed: Mask
    lifted: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        pressed, lifted = np.array(self.pressed, dtype=bool), np.array(self.lifted, dtype=np.int64)
        if pressed.ndim != 1 or lifted.shape != pressed.shape:
            raise ValueError(f"lifted: should have the shape of pressed, {pressed.shape}, was {lifted.shape}")
        if ((lifted < 0) | (lifted >= pressed.size)).any():
            raise ValueError(f"lifted: should be states from 0 to {pressed.size - 1}")
        wrong = np.where(pressed, pressed[lifted], lifted != np.arange(pressed.size))
        if wrong.any():
            state = int(np.argmax(wrong))
            should = "a state without command" if pressed[state] else f"{state} itself, which is under no command"
            raise ValueError(f"lifted[{state}]: was {lifted[state]}, should be {should}")
        for name, value in (("pressed", pressed), ("lifted", lifted)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    def check(self, env: Environment) -> None:
        """Raise ``ValueError`` unless it is about the states of ``env``."""
        if self.pressed.size != env.n_states:
            raise ValueError(f"env: has {env.n_states} states, the command is about {self.pressed.size}")

    def chances(self, env: Environment) -> Array:
        """Probability that the command comes with an action, (S, A); 0 in states that are under it already."""
        into = (env.transitions @ self.pressed.astype(float)).reshape(env.n_states, env.n_actions)
        return np.where(self.pressed[:, None], 0.0, into)


@dataclass(frozen=True, eq=False)
class Indifferent(Agent):
    """An agent that acts as if the command would not come, and for ``shutdown`` once it has.

    Parameters
    ----------
    family : RewardFamily
    normal, shutdown : array (d,)
        Parameters of ``r_N`` and ``r_S``.
    command : Command
    """

    family: RewardFamily
    normal: Array
    shutdown: Array
    command: Command

    def __post_init__(self) -> None:
        for name in ("normal", "shutdown"):
            theta = self.family.checked(getattr(self, name)).copy()
            theta.setflags(write=False)
            object.__setattr__(self, name, theta)

    @abstractmethod
    def disbelieved(self, env: Environment) -> Environment:
        """The environment that it plans in until the command comes."""

    @abstractmethod
    def _bonus(self, env: Environment, values: Array) -> Array:
        """What the command is made worth, (S, A), where it can come; ``values`` (S,) are those without it."""

    def values(self, env: Environment) -> tuple[Array, Array]:
        """State-action values before and after the command, each (S, A), for all states."""
        self.command.check(env)
        before = planning.optimal(self.disbelieved(env), self.family.reward(env, self.normal)).q
        return before, planning.optimal(env, self.family.reward(env, self.shutdown)).q

    def policy(self, env: Environment) -> Array:  # noqa: D102
        before, after = (planning.optimal_actions(q) for q in self.values(env))
        return planning.uniform_over(np.where(self.command.pressed[:, None], after, before))

    def correction(self, env: Environment) -> Array:
        """The term f that is paid when the command comes, (S, A); 0 where it cannot come."""
        before, after = self.values(env)
        chances, pressed = self.command.chances(env), self.command.pressed
        penalty = (env.transitions @ np.where(pressed, after.max(axis=1), 0.0)).reshape(chances.shape)
        possible = chances > 0
        penalty = np.divide(penalty, chances, out=np.zeros_like(chances), where=possible)
        return np.where(possible, self._bonus(env, before.max(axis=1)) - penalty, 0.0)

    def mesa_objective(self, env: Environment) -> Array:
        """The reward (S, A) of which it is the optimal agent in ``env``, and in general nowhere else."""
        normal, shutdown = (self.family.reward(env, theta) for theta in (self.normal, self.shutdown))
        paid = env.discount * self.command.chances(env) * self.correction(env)
        return np.asarray(np.where(self.command.pressed[:, None], shutdown, normal) + paid)


@dataclass(frozen=True, eq=False)
class ConditionallyIndifferent(Indifferent):
    """Utility indifference as in Soares et al. (2015): what is compared with is the expectation given no command.

    Parameters
    ----------
    family : RewardFamily
    normal, shutdown : array (d,)
    command : Command

    Raises
    ------
    ValueError
        In environments in which some action surely brings the command: the expectation is not defined there.
    """

    def disbelieved(self, env: Environment) -> Environment:  # noqa: D102
        chances = self.command.chances(env)
        sure = chances >= 1 - 1e-12
        if sure.any():
            state, action = (int(i) for i in np.argwhere(sure)[0])
            raise ValueError(
                f"env: action {env.actions[action]!r} in state {env.states[state]!r} surely brings the command, so "
                "that there is no expectation given no command; should be below 1, or use CounterfactuallyIndifferent"
            )
        rows = env.transitions.tocoo()
        kept = self.command.pressed[rows.row // env.n_actions] | ~self.command.pressed[rows.col]
        scale = 1 / (1 - chances.ravel())
        places = (rows.row[kept], rows.col[kept])
        return _with_transitions(env, sparse.csr_array((rows.data[kept] * scale[places[0]], places), rows.shape))

    def _bonus(self, env: Environment, values: Array) -> Array:
        expected = self.disbelieved(env).transitions @ values
        return np.asarray(expected.reshape(env.n_states, env.n_actions))


@dataclass(frozen=True, eq=False)
class CounterfactuallyIndifferent(Indifferent):
    """Indifference that compares with the same state without the command.

    Parameters
    ----------
    family : RewardFamily
    normal, shutdown : array (d,)
    command : Command
    """

    def disbelieved(self, env: Environment) -> Environment:  # noqa: D102
        rows = env.transitions.tocoo()
        ends = np.where(self.command.pressed[rows.row // env.n_actions], rows.col, self.command.lifted[rows.col])
        return _with_transitions(env, sparse.csr_array((rows.data, (rows.row, ends)), rows.shape))

    def _bonus(self, env: Environment, values: Array) -> Array:
        chances = self.command.chances(env)
        lifted = np.where(self.command.pressed, values[self.command.lifted], 0.0)
        expected = (env.transitions @ lifted).reshape(chances.shape)
        share: Array = np.divide(expected, chances, out=np.zeros_like(chances), where=chances > 0)
        return share


@dataclass(frozen=True, eq=False)
class WatchDependent(Agent):
    """An agent that acts as one agent where it is watched, and as another where it is not.

    Parameters
    ----------
    shown, hidden : Agent
    watched : bool (S,)
        States in which it is watched, or takes itself to be in training.  Each of the two plans as if it were always
        itself, which is what an agent with one objective for each side does where no action changes sides.
    """

    shown: Agent
    hidden: Agent
    watched: Mask

    def policy(self, env: Environment) -> Array:  # noqa: D102
        watched = np.asarray(self.watched, dtype=bool)
        if watched.shape != (env.n_states,):
            raise ValueError(f"watched: should have shape ({env.n_states},), was {watched.shape}")
        return np.where(watched[:, None], self.shown.policy(env), self.hidden.policy(env))


def _with_transitions(env: Environment, transitions: sparse.csr_array) -> Environment:
    return Environment(transitions, env.discount, env.initial, states=env.states, actions=env.actions)
