"""Optimisation power in bits: how small a share of random behaviour does as well.

Yudkowsky (2008, "Measuring optimization power") measures how small a target in its own preference order a process hits:
minus log2 of the share of all outcomes that are as good or better.  Here the outcomes are the returns of deterministic
policies, each drawn evenly, in an environment and for an objective:

    OP(pi) = -log2 |{sigma : J(sigma) >= J(pi)}| / |policies|.

States that no episode can visit, and states in which all actions are the same, drop out of the quotient.  It is exact
by enumeration up to :data:`ENUMERATED` policies; above, it is found by multilevel splitting
(:mod:`irl_ident.goal_directedness.shares`), where a Metropolis step redraws the action of one state and stays when the
return falls below the level.  The return after such a step needs no system to be solved: with ``N = (I - C_sigma)^-1``
and ``u`` the change of row s of ``C_sigma`` and ``v`` that of the reward,

    J' = J + x(s) (v + u . V) / (1 - u . N[:, s]),      x = N^T mu,      V = N r_sigma      (Sherman & Morrison 1950).

Where every state is visited whatever is done, the policies that do as well as an optimal one are the optimal ones, and
its power is the sum over states of ``log2(A / number of optimal actions)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.goal_directedness.shares import Share, exact_share, split_shares
from irl_ident.planning.checks import policy_on, reward_on
from irl_ident.planning.ties import ROUNDING

Actions = npt.NDArray[np.int64]

ENUMERATED = 20_000
"""Up to so many policies are listed."""

BATCH = 4_000_000
"""Matrix entries that one solve holds at most."""

DRIFT = 1e-11
"""Share of the values by which updated returns may be off; levels are returns, and who left one may come back."""

SWEEPS = 3
"""Metropolis steps between two levels, for each state in which the choice matters."""


@dataclass(frozen=True)
class OptimisationPower:
    """How small a share of random deterministic policies does as well as a behaviour.

    Attributes
    ----------
    share : Share
        Of all deterministic policies, those with a return that is as high.
    returned : float
        The return of the behaviour, ``mu . V``.
    optimum : float
        The largest one.
    """

    share: Share
    returned: float
    optimum: float

    @property
    def bits(self) -> float:
        """``-log2`` of the share, at least 0."""
        return -self.share.log2 + 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of ``bits``."""
        return -self.share.upper + 0.0, -self.share.lower + 0.0


def optimisation_power(
    env: Environment,
    reward: npt.ArrayLike,
    policy: npt.ArrayLike,
    *,
    tolerance: float = 1e-9,
    draws: int = 200,
    repeats: int = 8,
    seed: int = 0,
    level: float = 0.95,
    enumerated: int = ENUMERATED,
) -> OptimisationPower:
    """The optimisation power of a policy for an objective.

    Parameters
    ----------
    env : Environment
    reward : array (S, A)
        The objective.
    policy : array (S, A)
        Probabilities of actions; it need not be deterministic.
    tolerance : float
        Share of the range between the largest and the least return within which a return is as high.
    draws, repeats, seed, level
        Of the estimate when there are more policies than are enumerated: draws of each level and run, independent
        runs, and the level of the interval.
    enumerated : int
        Up to so many policies are listed.

    Returns
    -------
    OptimisationPower

    Examples
    --------
    Two lamps, one of which should burn: one policy of two does as well as the best.

    >>> lamps = Environment(np.ones((1, 2, 1)), discount=0.5)
    >>> optimisation_power(lamps, [[0.0, 1.0]], [[0.0, 1.0]]).bits
    1.0
    >>> optimisation_power(lamps, [[0.0, 1.0]], [[0.5, 0.5]]).bits
    1.0
    >>> optimisation_power(lamps, [[0.0, 1.0]], [[1.0, 0.0]]).bits
    0.0
    """
    (found,) = optimisation_powers(
        env,
        reward,
        [policy],
        tolerance=tolerance,
        draws=draws,
        repeats=repeats,
        seed=seed,
        level=level,
        enumerated=enumerated,
    )
    return found


def optimisation_powers(
    env: Environment,
    reward: npt.ArrayLike,
    policies: Sequence[npt.ArrayLike],
    *,
    tolerance: float = 1e-9,
    draws: int = 200,
    repeats: int = 8,
    seed: int = 0,
    level: float = 0.95,
    enumerated: int = ENUMERATED,
) -> tuple[OptimisationPower, ...]:
    """The optimisation power of several policies for one objective, at the cost of the most powerful one.

    Parameters and results are those of :func:`optimisation_power`; ``policies`` is a sequence of arrays (S, A).  The
    same random policies are behind all estimates.
    """
    r = reward_on(env, reward)
    best = float(env.initial @ planning.optimal(env, r).values)
    worst = -float(env.initial @ planning.optimal(env, -r).values)
    returned = np.array([env.initial @ planning.evaluate(env, r, policy_on(env, policy)) for policy in policies])
    goals = returned - tolerance * (best - worst) - ROUNDING * max(abs(best), abs(worst))
    table = _Table(env, r)
    shares: tuple[Share, ...]
    if table.policies <= enumerated:
        hits = sum((found[:, None] >= goals).sum(axis=0) for found in table.all_returns())
        shares = tuple(exact_share(count / table.policies) for count in np.asarray(hits).tolist())
    else:
        found = split_shares(table.sampler(draws), goals, repeats=repeats, seed=seed, level=level)
        shares = tuple(exact_share(1.0) if goal <= worst else each for goal, each in zip(goals, found, strict=True))
    return tuple(OptimisationPower(share, float(own), best) for share, own in zip(shares, returned, strict=True))


@dataclass(frozen=True, eq=False)
class _Table:
    """The part of an environment in which choices matter, dense."""

    env: Environment
    reward: Array

    @cached_property
    def states(self) -> Actions:
        """States that an episode can visit."""
        return np.flatnonzero(self.env.reachable)

    @cached_property
    def rows(self) -> Array:
        """Discounted transitions among them, (S, A, S)."""
        shape = (self.env.n_states, self.env.n_actions, self.env.n_states)
        return self.env.continuation.toarray().reshape(shape)[self.states][:, :, self.states]

    @cached_property
    def paid(self) -> Array:
        """The reward on them, (S, A)."""
        return self.reward[self.states]

    @cached_property
    def free(self) -> Actions:
        """Those, by position in ``states``, in which actions differ."""
        same = (self.rows == self.rows[:, :1]).all(axis=(1, 2)) & (self.paid == self.paid[:, :1]).all(axis=1)
        return np.flatnonzero(~same)

    @property
    def policies(self) -> int:
        """Number of deterministic policies that differ."""
        return int(self.env.n_actions**self.free.size)

    def all_returns(self) -> Iterator[Array]:
        """Returns of all policies, in batches."""
        room = max(1, BATCH // self.states.size**2)
        powers = self.env.n_actions ** np.arange(self.free.size)
        for first in range(0, self.policies, room):
            codes = np.arange(first, min(first + room, self.policies))
            yield self.returns(codes[:, None] // powers % self.env.n_actions)

    def whole(self, chosen: Actions) -> Actions:
        """Policies (n, free) as actions in all states (n, S)."""
        full = np.zeros((len(chosen), self.states.size), dtype=np.int64)
        full[:, self.free] = chosen
        return full

    def returns(self, chosen: Actions) -> Array:
        """Returns (n,) of policies (n, free)."""
        each, full = np.arange(self.states.size), self.whole(chosen)
        systems = np.eye(each.size) - self.rows[each, full]
        values = np.linalg.solve(systems, self.paid[each, full][..., None])[..., 0]
        return np.asarray(values @ self.env.initial[self.states])

    def sampler(self, draws: int) -> _Walk:
        """Draws of policies with high returns."""
        return _Walk(self, draws)


@dataclass(frozen=True, eq=False)
class _Walk:
    """Metropolis steps among the policies whose return is high enough."""

    table: _Table
    draws: int

    def __call__(self, above: float, start: Actions | None, rng: np.random.Generator) -> tuple[Actions, Array]:
        table = self.table
        actions, free = table.env.n_actions, table.free
        if start is None:
            chosen = rng.integers(actions, size=(self.draws, free.size))
            return chosen, table.returns(chosen)
        chosen = start.copy()
        each, all_states = np.arange(len(chosen)), np.arange(table.states.size)
        full = table.whole(chosen)
        inverse = np.linalg.inv(np.eye(all_states.size) - table.rows[all_states, full])
        paid = table.paid[all_states, full]
        initial = table.env.initial[table.states]
        values = np.einsum("nij,nj->ni", inverse, paid)
        returns = values @ initial
        floor = above - DRIFT * float(np.abs(values).max())
        for _ in range(SWEEPS * free.size):
            place = rng.integers(free.size, size=len(chosen))
            state, action = free[place], rng.integers(actions, size=len(chosen))
            old = chosen[each, place]
            row = table.rows[state, action] - table.rows[state, old]
            more = table.paid[state, action] - table.paid[state, old]
            column = inverse[each, :, state]
            scale = (more + (row * values).sum(axis=1)) / (1 - (row * column).sum(axis=1))
            changed = returns + (column @ initial) * scale
            taken = np.flatnonzero((changed >= floor) & (action != old))
            bent = np.einsum("ni,nij->nj", row[taken], inverse[taken])
            bent /= (1 - (row[taken] * column[taken]).sum(axis=1))[:, None]
            inverse[taken] += column[taken][:, :, None] * bent[:, None, :]
            values[taken] += column[taken] * scale[taken, None]
            returns[taken] = changed[taken]
            chosen[taken, place[taken]] = action[taken]
        return chosen, table.returns(chosen)
