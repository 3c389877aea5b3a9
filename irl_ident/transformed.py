"""Environments made of others, with families and evidence that follow: finite horizons and disjoint unions.

**Finite horizon.**  An agent that takes exactly H decisions has values that depend on time,

    Q_t = r + C V_{t+1},    V_t(s) = max_a Q_t(s, a)  or  b log sum_a exp(Q_t(s, a) / b),    V_H = 0

(Puterman 1994, chapter 4).  These are the equations of a stationary agent whose states are the pairs ``(t, s)`` with
``t < H``, numbered ``t S + s``, and one absorbing state ``H S``, the end, that pays nothing: the *unrolled*
environment.  Its reward is the same at all times, which is what lets finite horizons identify more than infinite ones:
a reward on state-action pairs is identified up to a constant exactly when the equations of all ``(t, s)`` leave one
direction open (Shehab, Aspeel, Aréchiga, Best & Ozay 2024, Learning true objectives: linear algebraic
characterizations of identifiability in inverse reinforcement learning).  No transition leads back in time, so that
:mod:`irl_ident.planning` solves these environments exactly in one backward pass.

**Union.**  Several environments with the same actions and discount are one environment that never leads from one part
to another.  What is true of an algorithm for one environment is true of it there.

In both cases a state of the new environment stands for a state of an old one, or for none:
:class:`MappedRewards` takes a reward family along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import evidence as evidence_room
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Counts, Policy, Trajectories
from irl_ident.rewards import RewardFamily

Origins = npt.NDArray[np.int64]
Pairs = list[tuple[Environment, Policy | Trajectories | Counts]]

__all__ = ["MappedRewards", "finite_horizon", "joined", "union", "unrolled"]


def unrolled(env: Environment, horizon: int, discount: float | None = None) -> Environment:
    """Expand an environment in time: exactly ``horizon`` decisions, then the end.

    Parameters
    ----------
    env : Environment
    horizon : int
        Number of decisions H, at least 1.
    discount : float, optional
        In [0, 1]: every policy comes to the end, so 1 is always accepted.  ``env.discount`` when not given.

    Returns
    -------
    Environment
        State ``t * S + s`` is state ``s`` at time ``t < H``; the last of its ``H * S + 1`` states, the end, is its one
        absorbing state.  Starts at time 0 as ``env`` does.  States are numbered, actions keep their names.

    Raises
    ------
    ValueError
        For a horizon that is no whole number of at least 1, or a discount outside [0, 1].

    Notes
    -----
    A state that is absorbing in ``env`` goes on to its copy at the next time, and so collects its reward at each of the
    times that are left.  That differs from an :class:`irl_ident.Environment` of discount 1, where an absorbing state
    collects its reward once.

    The end pays nothing under a :class:`MappedRewards`.  A soft-optimal agent still has the entropy of its choices
    there, which adds the same to all values of one time (``b log A`` to each at discount 1) and changes no policy.

    Examples
    --------
    >>> import numpy as np
    >>> from irl_ident import planning
    >>> stay_or_go = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    >>> env = Environment(stay_or_go, discount=0.9)
    >>> world = unrolled(env, 3, discount=1)
    >>> world
    Environment(7 states, 2 actions, discount 1)
    >>> reward = np.vstack([np.tile([[0.0, 0.0], [1.0, 1.0]], (3, 1)), np.zeros((1, 2))])
    >>> planning.optimal(world, reward).values
    array([2., 3., 1., 2., 0., 1., 0.])
    """
    length = _checked_horizon(horizon)
    rows, n_states, n_actions = env.transitions, env.n_states, env.n_actions
    end = length * n_states
    later = np.arange(1, length, dtype=np.int64)[:, None]
    final = (n_states + 1) * n_actions
    data = np.concatenate([np.tile(rows.data, length - 1), np.ones(final)])
    indices = np.concatenate([(rows.indices + n_states * later).ravel(), np.full(final, end)])
    counts = np.concatenate([np.tile(np.diff(rows.indptr), length - 1), np.ones(final, dtype=np.int64)])
    pointer = np.concatenate([[0], np.cumsum(counts)])
    initial = np.zeros(end + 1)
    initial[:n_states] = env.initial
    expanded = sparse.csr_array((data, indices, pointer), shape=((end + 1) * n_actions, end + 1))
    return Environment(expanded, env.discount if discount is None else discount, initial, actions=env.actions)


@dataclass(frozen=True, eq=False)
class MappedRewards(RewardFamily):
    """A reward family in environments whose states stand for states of others.

    Parameters
    ----------
    family : RewardFamily
        Of the base environments.
    environments : tuple of Environment
        The base environments, with the same number of actions.
    origin : int array (S',)
        For each state of a new environment the state that it stands for, -1 for none.  States of the base environments
        are counted through: those of the first, then those of the second, and so on.  When ``digests`` is given,
        they are the states of the one base environment that belongs to the new one.
    digests : tuple of str, optional
        ``digest`` of the new environment that belongs to each base environment, for families whose features differ
        between environments.

    Notes
    -----
    The reward of a state that stands for none is 0.  Dimension and parameters are those of ``family``.

    Examples
    --------
    >>> import numpy as np
    >>> from irl_ident import rewards
    >>> env = Environment(np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), discount=0.5)
    >>> mapped = MappedRewards(rewards.StateRewards(2), (env,), [0, 1, 0, 1, -1])
    >>> mapped.reward(unrolled(env, 2), [3.0, 7.0]).ravel()
    array([3., 7., 3., 7., 0.])
    """

    family: RewardFamily
    environments: tuple[Environment, ...]
    origin: Origins
    digests: tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        environments = _checked_parts(self.environments)
        digests = None if self.digests is None else tuple(self.digests)
        if digests is not None and len(set(digests)) != len(environments):
            raise ValueError(
                f"digests: should name a different environment for each of the {len(environments)} base environments, "
                f"{len(digests)} were given, {len(set(digests))} of them different"
            )
        given = np.asarray(self.origin)
        if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iu":
            raise ValueError(f"origin: should be whole numbers of shape (S',), was {given.dtype} of {given.shape}")
        sizes = [env.n_states for env in environments]
        total = sum(sizes) if digests is None else min(sizes)
        bad = (given < -1) | (given >= total)
        if bad.any():
            place = int(np.argmax(bad))
            raise ValueError(f"origin[{place}] is {int(given[place])}: should be at least -1 and below {total}")
        origin = given.astype(np.int64)
        origin.setflags(write=False)
        object.__setattr__(self, "environments", environments)
        object.__setattr__(self, "digests", digests)
        object.__setattr__(self, "origin", origin)

    @property
    def dim(self) -> int:  # noqa: D102
        return self.family.dim

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        return self.family.parameters

    def named_in(self, environments: Iterable[Environment]) -> tuple[str, ...]:
        """The names that ``family`` gives its parameters in the base environments, whatever is given here."""
        del environments
        return self.family.named_in(self.environments)

    def matrix(self, env: Environment) -> sparse.csr_array:
        """The features in ``env``, sparse (S' * A, d): those of the states that its states stand for, 0 for none."""
        n_actions = self.environments[0].n_actions
        for what, count, expected in (
            ("states", env.n_states, self.origin.size),
            ("actions", env.n_actions, n_actions),
        ):
            if count != expected:
                raise ValueError(f"MappedRewards: is for {expected} {what}, the environment has {count}")
        if self.digests is None:
            return self._taken(self._stacked)
        if env.digest not in self.digests:
            raise ValueError(
                "MappedRewards: these rewards depend on the environment, and this one was not made together with them"
            )
        return self._taken(self.family.matrix(self.environments[self.digests.index(env.digest)]))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:
        """What ``family`` cannot tell apart; its ``"redistribution"`` alone where some state stands for none.

        Such a state pays 0 whatever the parameters are, so that a constant on all others is a price for the time before
        it is reached.  In an unrolled environment all paths take the same time, which makes a constant a potential
        shaping of that environment, not an ambiguity of the family.
        """
        named = self.family.representational(discounts)
        if (self.origin >= 0).all():
            return named
        return {kind: basis for kind, basis in named.items() if kind == "redistribution"}

    @cached_property
    def _stacked(self) -> sparse.csr_array:
        return _stack([self.family.matrix(env) for env in self.environments])

    def _taken(self, features: sparse.csr_array) -> sparse.csr_array:
        """The rows of ``features`` at ``origin``, and a row of 0 for none."""
        n_actions = self.environments[0].n_actions
        padded = _stack([features, sparse.csr_array((n_actions, features.shape[1]))])
        state = np.where(self.origin < 0, features.shape[0] // n_actions, self.origin)
        return sparse.csr_array(padded[(state[:, None] * n_actions + np.arange(n_actions)).ravel()])


def finite_horizon(
    evidence: Sequence[tuple[Environment, Any]], family: RewardFamily, horizon: int, *, discount: float | None = None
) -> tuple[Pairs, MappedRewards]:
    """Evidence of agents that take exactly ``horizon`` decisions, as evidence in unrolled environments.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        At least one, all with the same number of states.  A policy (S, A) is that of every time; an array (H, S, A) is
        a policy for each time.  Trajectories start at time 0; those that are shorter than the horizon say nothing of
        the times after.
    family : RewardFamily
        On the states and actions of the environments; the reward is the same at all times.
    horizon : int
        Number of decisions H, at least 1.
    discount : float, optional
        In [0, 1]; that of each environment when not given.

    Returns
    -------
    list of (Environment, observation), MappedRewards
        For :func:`irl_ident.identify` and everything else that reads evidence.

    Raises
    ------
    ValueError
        Naming the place in ``evidence``: for counts, which do not say at what times choices were made; episodes of more
        than ``horizon`` decisions; arrays of another shape; whatever is no evidence.

    Examples
    --------
    Rewards on states and actions of an environment in which every action leads everywhere evenly are seen at the last
    time up to a number for each state; looking ahead from the time before tells nothing more.

    >>> import numpy as np, irl_ident as ii
    >>> env = Environment(np.full((3, 2, 3), 1 / 3), discount=0.9)
    >>> uniform = np.full((2, 3, 2), 0.5)
    >>> found = ii.identify(*finite_horizon([(env, uniform)], ii.rewards.StateActionRewards(3, 2), 2), "soft")
    >>> found.affine.null_basis.shape
    (6, 3)
    """
    length = _checked_horizon(horizon)
    pairs = _untimed(evidence, length)
    expanded: dict[str, Environment] = {}
    for env, _ in pairs:
        if env.digest not in expanded:
            expanded[env.digest] = unrolled(env, length, discount)
    bases = {env.digest: env for env, _ in pairs}
    origin = np.append(np.tile(np.arange(pairs[0][0].n_states), length), -1)
    moved: Pairs = [(expanded[env.digest], _timed(place, env, seen, length)) for place, (env, seen) in enumerate(pairs)]
    return moved, _common(family, bases, expanded, origin)


def union(environments: Sequence[Environment]) -> Environment:
    """One environment whose parts are the given ones.

    Parameters
    ----------
    environments : sequence of Environment
        At least one, with the same discount and number of actions.

    Returns
    -------
    Environment
        The states of the first, then those of the second, and so on, numbered; none leads from one part to another.
        The initial distribution is the even mixture.  Actions keep their names where all parts agree on them.

    Raises
    ------
    ValueError
        When there is no environment, or discounts or numbers of actions differ.

    Examples
    --------
    >>> import numpy as np
    >>> swap, stay = np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), np.eye(2)[:, None]
    >>> both = union([Environment(swap, 0.9), Environment(stay, 0.9)])
    >>> both.transitions.toarray()
    array([[0., 1., 0., 0.],
           [1., 0., 0., 0.],
           [0., 0., 1., 0.],
           [0., 0., 0., 1.]])
    """
    parts = _checked_parts(environments)
    discounts = {env.discount for env in parts}
    if len(discounts) > 1:
        raise ValueError(f"environments: should have the same discount, have {sorted(discounts)}")
    rows = sparse.csr_array(sparse.block_diag([env.transitions for env in parts], format="csr"))
    initial = np.concatenate([env.initial for env in parts]) / len(parts)
    agreed = all(env.actions == parts[0].actions for env in parts)
    return Environment(rows, parts[0].discount, initial, actions=parts[0].actions if agreed else None)


def joined(evidence: Sequence[tuple[Environment, Any]], family: RewardFamily) -> tuple[Pairs, MappedRewards]:
    """Evidence from several environments as evidence from their union.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        At least one; environments with the same discount and numbers of states and actions.
    family : RewardFamily

    Returns
    -------
    list of (Environment, observation), MappedRewards
        The environment is the :func:`union` of all different ones.  One observation, where those of ``evidence`` are of
        one kind: policies that show all optimal actions, policies that show some of them, trajectories, or counts;
        else one of each kind.  Policies that speak of the same state stay apart too.

    Raises
    ------
    ValueError
        As :func:`irl_ident.evidence.checked` and :func:`union`.
    """
    pairs = evidence_room.checked(evidence)
    bases = {env.digest: env for env, _ in pairs}
    whole = union(list(bases.values()))
    ends = np.cumsum([env.n_states for env in bases.values()])
    first = {digest: int(end) - env.n_states for (digest, env), end in zip(bases.items(), ends, strict=True)}
    policies: list[tuple[str, Array]] = []
    episodes: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    counts = np.zeros((whole.n_states, whole.n_actions), dtype=np.int64)
    for env, seen in pairs:
        start = first[env.digest]
        part = slice(start, start + env.n_states)
        if isinstance(seen, Policy):
            _place(policies, seen, part, counts.shape)
        elif isinstance(seen, Trajectories):
            episodes += [(states + start, actions) for states, actions in seen]
        else:
            counts[part] += seen.counts
    moved: Pairs = [(whole, Policy(table, shows)) for shows, table in policies]  # type: ignore[arg-type]
    if episodes:
        moved.append((whole, Trajectories([states for states, _ in episodes], [actions for _, actions in episodes])))
    if any(isinstance(seen, Counts) for _, seen in pairs):
        moved.append((whole, Counts(counts)))
    return moved, MappedRewards(family, tuple(bases.values()), np.arange(whole.n_states))


def _untimed(evidence: Sequence[tuple[Environment, Any]], horizon: int) -> list[tuple[Environment, Any]]:
    """Evidence, checked but for the time in arrays (H, S, A)."""
    stand_ins: Any = evidence
    timed: dict[int, Array] = {}
    if isinstance(evidence, list | tuple):
        stand_ins = list(evidence)
        for place, pair in enumerate(evidence):
            if not (isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], Environment)):
                continue
            env, seen = pair
            if isinstance(seen, Counts):
                raise ValueError(f"evidence[{place}]: counts do not say at what times choices were made")
            if isinstance(seen, np.ndarray) and seen.ndim == 3:
                expected = (horizon, env.n_states, env.n_actions)
                if seen.shape != expected:
                    raise ValueError(f"evidence[{place}]: should have shape (H, S, A) = {expected}, was {seen.shape}")
                timed[place] = seen
                stand_ins[place] = (env, np.zeros((env.n_states, env.n_actions)))
    pairs = evidence_room.checked(stand_ins)
    return [(env, timed.get(place, seen)) for place, (env, seen) in enumerate(pairs)]


def _timed(place: int, env: Environment, seen: Any, horizon: int) -> Policy | Trajectories:
    """An observation in ``env`` as one in ``unrolled(env, horizon)``."""
    if isinstance(seen, Trajectories):
        longest = int(seen.lengths.max())
        if longest > horizon:
            episode = int(np.argmax(seen.lengths > horizon))
            raise ValueError(
                f"evidence[{place}]: episode {episode} has {int(seen.lengths[episode])} decisions, more than the "
                f"horizon of {horizon}"
            )
        times = np.arange(longest + 1)
        states = np.where(times == horizon, horizon * env.n_states, seen.states + env.n_states * times)
        return Trajectories(states, np.asarray(seen.actions), seen.lengths)
    end = np.zeros((1, env.n_actions))
    if isinstance(seen, Policy):
        return Policy(np.vstack([np.tile(seen.probabilities, (horizon, 1)), end]), seen.shows)
    try:
        return Policy(np.vstack([seen.reshape(-1, env.n_actions), end]))
    except ValueError as error:
        raise ValueError(f"evidence[{place}]: {error}") from error


def _common(
    family: RewardFamily, bases: dict[str, Environment], expanded: dict[str, Environment], origin: Origins
) -> MappedRewards:
    """The family in the unrolled environments: one for all where the features are the same in all."""
    environments = _checked_parts(list(bases.values()))
    first = family.matrix(environments[0])
    if all(sparse.csr_array(first - family.matrix(env)).count_nonzero() == 0 for env in environments[1:]):
        return MappedRewards(family, (environments[0],), origin)
    digests = tuple(expanded[digest].digest for digest in bases)
    if len(set(digests)) < len(digests):
        raise ValueError(
            "horizon: environments that pay differently are the same when unrolled, because no decision follows the "
            "first; give one environment, as finite_horizon(*joined(evidence, family), horizon) does"
        )
    return MappedRewards(family, environments, origin, digests=digests)


def _place(policies: list[tuple[str, Array]], seen: Policy, part: slice, shape: tuple[int, ...]) -> None:
    """Write a policy into the first table of its kind that is empty there, or into a new one."""
    for shows, table in policies:
        if shows == seen.shows and not table[part].any():
            table[part] = seen.probabilities
            return
    fresh = np.zeros(shape)
    fresh[part] = seen.probabilities
    policies.append((seen.shows, fresh))


def _stack(matrices: Sequence[sparse.csr_array]) -> sparse.csr_array:
    return sparse.csr_array(sparse.vstack(matrices, format="csr"))


def _checked_parts(environments: object) -> tuple[Environment, ...]:
    if not isinstance(environments, list | tuple) or not all(isinstance(env, Environment) for env in environments):
        raise ValueError("environments: should be a list of Environment")
    if not environments:
        raise ValueError("environments: is empty, should hold at least one")
    actions = sorted({env.n_actions for env in environments})
    if len(actions) > 1:
        raise ValueError(f"environments: should have the same number of actions, have {actions}")
    return tuple(environments)


def _checked_horizon(horizon: int) -> int:
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, should be a whole number of at least 1")
    return int(horizon)
