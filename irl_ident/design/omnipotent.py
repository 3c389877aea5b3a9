"""The omnipotent experimenter of Amin & Singh (2016): any transitions on the same states, as few experiments as
possible.

Each experiment hands out an environment and sees which actions are optimal in every state; the reward R(s) is never
seen.  It is located in canonical form, ``[R] = (R - min R) / (max R - min R)``.  First the best and the worst state are
found (:mod:`irl_ident.design.extremes`).  Then those two are made absorbing, and in every other state, of canonical
value x, action i stays with probability p_i, goes to the best state with q_i and to the worst otherwise.  Choosing i
for ever is worth, in canonical units,

    u_i x + c_i,     u_i = 1 / (1 - g p_i),     c_i = g q_i u_i / (1 - g).

With ``c_i - c_(i+1) = (u_(i+1) - u_i) t_(i+1)`` and ``c_(A-1) = 0`` the upper envelope of these lines breaks at the
thresholds ``t_1 < ... < t_(A-1)``; u evenly from 1 to ``1 / (1 - g)`` keeps all probabilities in [0, 1], because then
``c_i <= u_(A-1) - u_i``.  The action that is shown tells between which thresholds x lies, in all states at once.  Each
experiment divides every interval by A, and ``ceil(log_A(1 / eps))`` of them reach width eps: the limit, as an
experiment tells at most log2 A bits of a state.  :class:`Bisection` uses two actions only, as the paper does.

Two actions shown mean that x is the threshold between them, up to the agent's own tolerance for ties.  Where action i
is optimal, action j falls short of it by ``(u_i x + c_i - u_j x - c_j) / u_j``, which for neighbours is at least
``g / (A - 1)`` times the distance from x to their threshold, while Q ranges over at most ``1 / (1 - g)``.  So an agent
that ties actions within a share ``TIES`` of the range of Q blurs thresholds by ``TIES (A - 1) / (g (1 - g))``, and no
epsilon below four times that is promised.  The same tolerance lets states whose rewards differ by that share pass for
equal.  (A planner also rounds: where a constant exceeds the range of the reward by more than some 1e4, its rounding
blurs more than this.)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.design.extremes import Extremes
from irl_ident.environment import Array, Environment, Mask
from irl_ident.transitions import checked_floats

TIES = 1e-8
"""The agent shows actions as equally good when they are within this share of the range of Q."""


class Behaves(Protocol):
    """Anything that has a policy in an environment."""

    def policy(self, env: Environment) -> Array:
        """Action probabilities (S, A); the positive ones are all that are optimal."""


@dataclass(frozen=True, eq=False)
class ThresholdSearch:
    """A search with A - 1 thresholds in every state at once; a frozen value that :meth:`tell` replaces by the next.

    Parameters
    ----------
    n_states, n_actions : int
        At least 2.
    discount : float
        In (0, 1).
    epsilon : float
        In (0, 1): width of the final intervals.

    Attributes
    ----------
    lower, upper : array (S,)
        Intervals that hold the canonical form of the reward.
    extremes : Extremes
        What is known of the best and the worst state.
    searched : int
        Experiments with thresholds so far.

    Raises
    ------
    ValueError
        For values out of range, an epsilon that the agent's tolerance for ties puts out of reach, or a policy that no
        reward on states explains.

    Examples
    --------
    >>> from irl_ident import agents, rewards
    >>> agent = agents.Optimal(rewards.StateRewards(3), [5.0, 8.0, 6.0])
    >>> found = locate(agent, ThresholdSearch(n_states=3, n_actions=4, discount=0.9, epsilon=0.01))
    >>> found.best, found.worst, found.search, np.round(found.estimate, 2)
    (1, 0, 4, array([0.  , 1.  , 0.33]))
    """

    n_states: int
    n_actions: int
    discount: float
    epsilon: float
    lower: Array = field(init=False)
    upper: Array = field(init=False)
    extremes: Extremes = field(init=False)
    searched: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        for argument in ("n_states", "n_actions"):
            count = getattr(self, argument)
            if not isinstance(count, int | np.integer) or count < 2:
                raise ValueError(f"{argument}: was {count!r}, should be a whole number, at least 2")
        for argument in ("discount", "epsilon"):
            share = getattr(self, argument)
            if not isinstance(share, float | np.floating) or not 0 < share < 1:
                raise ValueError(f"{argument}: was {share!r}, should be between 0 and 1")
        if self.epsilon < 4 * self.blur:
            raise ValueError(
                f"epsilon: was {self.epsilon!r}, should be at least {4 * self.blur:.1e}: at discount {self.discount!r} "
                f"an agent that ties actions within {TIES} of the range of Q blurs thresholds by {self.blur:.1e}"
            )
        object.__setattr__(self, "lower", np.zeros(self.n_states))
        object.__setattr__(self, "upper", np.ones(self.n_states))
        object.__setattr__(self, "extremes", Extremes.start(self.n_states, self.arms))

    @property
    def arms(self) -> int:
        """Number of different actions that experiments use."""
        return self.n_actions

    @property
    def blur(self) -> float:
        """How far from a threshold a value can be when both actions are shown, in canonical units."""
        return TIES * (self.arms - 1) / (self.discount * (1 - self.discount))

    @property
    def limit(self) -> int:
        """``ceil(log_A(1 / epsilon))``: experiments with thresholds that reach epsilon."""
        count = 0
        while self.arms**count * self.epsilon < 1 - 1e-12:
            count += 1
        return count

    @property
    def best(self) -> int | None:
        """The state of canonical value 1, once it is known."""
        return self.extremes.best[0] if len(self.extremes.best) == 1 else None

    @property
    def worst(self) -> int | None:
        """The state of canonical value 0, once it is known."""
        return self.extremes.worst[0] if len(self.extremes.worst) == 1 else None

    @property
    def experiments(self) -> dict[str, int]:
        """Experiments so far, by phase: ``"extremes"`` and ``"thresholds"``."""
        return {"extremes": self.extremes.rounds, "thresholds": self.searched}

    @property
    def constant(self) -> bool:
        """Whether all states were found to be worth the same, so that there is no canonical form."""
        return self.extremes.done and self.extremes.tied

    @property
    def done(self) -> bool:
        """Whether the reward is located."""
        return self.constant or (self.extremes.done and (self.searched >= self.limit or self.n_states == 2))

    @property
    def thresholds(self) -> Array:
        """The thresholds of the next experiment, (S, A - 1), dividing every interval evenly."""
        shares = np.arange(1, self.arms) / self.arms
        return self.lower[:, None] + (self.upper - self.lower)[:, None] * shares

    def ask(self) -> Environment:
        """The next environment, the same until :meth:`tell`."""
        if self.done:
            raise ValueError("the search is done: there is nothing to ask")
        return self._experiment

    @cached_property
    def _experiment(self) -> Environment:
        rows = np.zeros((self.n_states, self.n_actions, self.n_states))
        states = np.arange(self.n_states)
        rows[states, :, states] = 1
        if not self.extremes.done:
            for asker, question in self.extremes.plan().items():
                rows[asker] = question.rows(self.n_states, self.n_actions)
        else:
            asking = states[(states != self.best) & (states != self.worst)]
            spare = np.arange(self.n_actions) % self.arms
            stay, up = (chances[asking][:, spare] for chances in self._probabilities())
            rows[asking] = 0
            rows[asking, :, self.best] = up
            rows[asking, :, self.worst] = np.maximum(1 - stay - up, 0)
            rows[asking, :, asking] = stay
        return Environment(sparse.csr_array(rows.reshape(-1, self.n_states)), self.discount)

    def _probabilities(self) -> tuple[Array, Array]:
        """Probabilities of staying and of going to the best state, (S, arms)."""
        worth = np.linspace(1, 1 / (1 - self.discount), self.arms)
        gains = np.diff(worth) * self.thresholds
        intercepts = np.concatenate([np.cumsum(gains[:, ::-1], axis=1)[:, ::-1], np.zeros((self.n_states, 1))], axis=1)
        stay = np.broadcast_to(np.minimum((1 - 1 / worth) / self.discount, 1), intercepts.shape)
        up = intercepts * (1 - self.discount) / (self.discount * worth)
        return stay, np.clip(up, 0, 1 - stay)

    def tell(self, env: Environment, policy: npt.ArrayLike) -> ThresholdSearch:
        """The search after an experiment.

        Parameters
        ----------
        env : Environment
            As :meth:`ask` gave it.
        policy : array (S, A)
            What was seen there: the actions of positive probability are all that are optimal.

        Raises
        ------
        ValueError
            For another environment, for what is no policy, and where no reward on states has such optimal actions.
        """
        if env.digest != self.ask().digest:
            raise ValueError(f"env: was {env!r}, should be the environment that this search asked for")
        shown = self._checked(policy) > 0
        if self.extremes.done:
            lower, upper = self._narrowed(shown)
            return self._with(lower=lower, upper=upper, searched=self.searched + 1)
        after = self.extremes.after(self.extremes.plan(), shown)
        if not after.best or not after.worst:
            raise ValueError("policy: contradicts itself or what was seen before: every state was found not to be best")
        lower, upper = self.lower.copy(), self.upper.copy()
        if after.done:
            lower[after.best[0]], upper[after.worst[0]] = 1, 0
        return self._with(extremes=after, lower=lower, upper=upper)

    def _checked(self, policy: npt.ArrayLike) -> Array:
        given = checked_floats("policy", policy)
        if given.shape != (self.n_states, self.n_actions):
            raise ValueError(f"policy: should have shape ({self.n_states}, {self.n_actions}), was {given.shape}")
        wrong = ~(given >= 0) | ~np.isfinite(given)
        if wrong.any():
            state, action = (int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(f"policy[{state}, {action}] is {float(given[state, action])!r}: should be a probability")
        if not (given > 0).any(axis=1).all():
            state = int(np.argmin((given > 0).any(axis=1)))
            raise ValueError(f"policy[{state}] shows no action: at least one is optimal in every state")
        return given

    def _narrowed(self, shown: Mask) -> tuple[Array, Array]:
        """The intervals that the shown actions leave; spare actions repeat the others and tell nothing."""
        own = shown[:, : self.arms]
        edges = np.column_stack([self.lower, self.thresholds, self.upper])
        first, last = own.argmax(axis=1), self.arms - 1 - own[:, ::-1].argmax(axis=1)
        states = np.arange(self.n_states)
        tied = self.blur * (first < last)
        lower = np.maximum(self.lower, edges[states, last] - tied)
        upper = np.minimum(self.upper, edges[states, first + 1] + tied)
        known = [self.extremes.best[0], self.extremes.worst[0]]
        lower[known], upper[known] = self.lower[known], self.upper[known]
        if (lower > upper).any() or not own.any(axis=1).all():
            state = int(np.argmax((lower > upper) | ~own.any(axis=1)))
            actions = np.flatnonzero(shown[state]).tolist()
            raise ValueError(f"policy[{state}] shows actions {actions}: no reward on states has exactly these optimal")
        return lower, upper

    def _with(self, **changes: Any) -> ThresholdSearch:
        after = replace(self)
        for name in ("lower", "upper", "extremes", "searched"):
            object.__setattr__(after, name, changes.get(name, getattr(self, name)))
        return after


@dataclass(frozen=True, eq=False)
class Bisection(ThresholdSearch):
    """The paper's search: one threshold a state and experiment, whatever the number of actions."""

    @property
    def arms(self) -> int:
        """Two."""
        return 2


@dataclass(frozen=True, eq=False)
class Located:
    """A reward in canonical form.

    Attributes
    ----------
    estimate : array (S,)
        Middle of the intervals: off by at most epsilon / 2.
    lower, upper : array (S,)
        Intervals that hold the canonical form.
    best, worst : int
        States of canonical value 1 and 0.
    constant : bool
        Every state is worth the same; there is no canonical form, and the estimate is 0.
    extremes, search : int
        Experiments to find the best and the worst state; experiments after that.
    limit : int
        ``ceil(log_A(1 / epsilon))``.
    rounds : tuple of dict
        One row an experiment: number, phase, candidates for the best and the worst, largest width.
    """

    estimate: Array
    lower: Array
    upper: Array
    best: int
    worst: int
    constant: bool
    extremes: int
    search: int
    limit: int
    rounds: tuple[dict[str, Any], ...]

    @property
    def experiments(self) -> int:
        """All experiments."""
        return self.extremes + self.search


def locate(agent: Behaves, search: ThresholdSearch) -> Located:
    """Run a search on an agent: hand out environments and look at its policies, until the reward is located."""
    rounds: list[dict[str, Any]] = []
    while not search.done:
        phase = "thresholds" if search.extremes.done else "extremes"
        env = search.ask()
        search = search.tell(env, agent.policy(env))
        rounds.append(
            {
                "experiment": len(rounds) + 1,
                "phase": phase,
                "best_candidates": len(search.extremes.best),
                "worst_candidates": len(search.extremes.worst),
                "largest_width": float((search.upper - search.lower).max()),
            }
        )
    constant = search.constant
    return Located(
        estimate=np.zeros(search.n_states) if constant else (search.lower + search.upper) / 2,
        lower=search.lower,
        upper=search.upper,
        best=search.extremes.best[0],
        worst=search.extremes.worst[0],
        constant=constant,
        extremes=search.extremes.rounds,
        search=search.searched,
        limit=search.limit,
        rounds=tuple(rounds),
    )
