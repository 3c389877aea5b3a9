"""What data sources leave open (Skalse et al. 2023), against the data themselves, made another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident import planning
from irl_ident.identified import sources
from irl_ident.identified.sources import (
    COMPARISONS,
    FRAGMENTS,
    LOTTERIES,
    OPTIMAL_POLICY,
    Q_VALUES,
    RETURNS,
    SOFT_POLICY,
    SOFT_TRAJECTORIES,
    SOURCES,
    combine,
    left_open,
    order,
)

FINER = [
    *((FRAGMENTS, other) for other in SOURCES[1:]),
    *((RETURNS, COMPARISONS), (COMPARISONS, LOTTERIES)),
    *((Q_VALUES, SOFT_POLICY), (SOFT_POLICY, SOFT_TRAJECTORIES), (SOFT_POLICY, OPTIMAL_POLICY)),
    (COMPARISONS, SOFT_TRAJECTORIES),
]
"""Pairs of which the first is finer or equal in every environment (Skalse et al. 2023, figure 1)."""


def world(seed: int, n_states: int = 3, reachable: bool = True, starts: int = 1) -> ii.Environment:
    """Two actions; one or two successors each; when asked, every state can be reached from the first."""
    rng = np.random.default_rng(seed)
    table = np.zeros((n_states, 2, n_states))
    for s, a in itertools.product(range(n_states), range(2)):
        goes = rng.choice(n_states, size=rng.integers(1, 3), replace=False)
        table[s, a, goes] = rng.dirichlet(np.ones(goes.size))
    if reachable:
        here = np.arange(n_states)
        table[here, 0] = np.eye(n_states)[(here + 1) % n_states]
    else:
        table[:, :, -1] = 0
        table[:, :, 0] += 0.1
        table /= table.sum(axis=2, keepdims=True)
    initial = np.zeros(n_states)
    initial[:starts] = 1 / starts
    return ii.Environment(table, 0.8, initial)


def lassos(env: ii.Environment) -> np.ndarray:
    """Discounted visits to each transition (n, S A S) on infinite episodes: a way, then a circle for ever."""
    n_states, n_actions = env.n_states, env.n_actions
    possible = env.dense() > 0
    steps = [[(a, t) for a in range(n_actions) for t in range(n_states) if possible[s, a, t]] for s in range(n_states)]

    def number(s: int, a: int, t: int) -> int:
        return (s * n_actions + a) * n_states + t

    rows = []
    stack = [([int(s)], []) for s in np.flatnonzero(env.initial)]
    while stack:
        states, used = stack.pop()
        here = states[-1]
        for start in [i for i, s in enumerate(states[:-1]) if s == here]:
            row = np.zeros(n_states * n_actions * n_states)
            length = len(used) - start
            for i, transition in enumerate(used):
                again = 1 / (1 - env.discount**length) if i >= start else 1
                row[transition] += env.discount**i * again
            rows.append(row)
        if len(used) < n_states + 1:
            stack += [([*states, t], [*used, number(here, a, t)]) for a, t in steps[here]]
    return np.array(rows)


def data(source: sources.Source, env: ii.Environment, theta: np.ndarray) -> np.ndarray:
    """What a source shows of a reward on transitions, from planning or from episodes one by one."""
    if source is FRAGMENTS:
        return theta[env.dense().ravel() > 0]
    if source in (RETURNS, COMPARISONS, LOTTERIES):
        returns = lassos(env) @ theta
        differences = returns - returns[0]
        shown = {RETURNS: returns, COMPARISONS: differences, LOTTERIES: differences / np.abs(differences).max()}
        return shown[source]
    reward = (env.dense() * theta.reshape(env.n_states, env.n_actions, env.n_states)).sum(axis=2)
    if source is Q_VALUES:
        return planning.optimal(env, reward).q.ravel()
    if source is OPTIMAL_POLICY:
        return planning.optimal_actions(planning.optimal(env, reward).q).ravel().astype(float)
    policy = planning.soft(env, reward, 1.0).policy
    if source is SOFT_POLICY:
        return policy.ravel()
    moves = (env.dense() > 0).any(axis=1)
    reached = env.initial > 0
    for _ in range(env.n_states):
        reached = reached | moves[reached].any(axis=0)
    return policy[reached].ravel()


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name.replace(" ", "-"))
@pytest.mark.parametrize(("seed", "reachable", "starts"), [(0, True, 1), (1, True, 2), (2, False, 1), (3, False, 2)])
def test_members_give_the_same_data_and_others_do_not(source, seed, reachable, starts):
    env = world(seed, reachable=reachable, starts=starts)
    family = ii.rewards.TransitionRewards(3, 2)
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=family.dim)
    left = left_open(source, env, family, theta)
    seen = data(source, env, theta)
    assert left.contains(theta)
    for _ in range(20):
        inside = left.lineality @ rng.normal(size=left.lineality.shape[1])
        member = (
            theta + inside if source.rays == "none" else inside + left.rays @ rng.uniform(0.1, 2, left.rays.shape[1])
        )
        assert left.contains(member)
        np.testing.assert_allclose(data(source, env, member), seen, atol=1e-8)
    told = 0
    for _ in range(20):
        other = theta + rng.normal(size=family.dim)
        same = np.abs(data(source, env, other) - seen).max() < 1e-8
        assert left.contains(other) == same
        told += not same
    assert told > 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("starts", [1, 2])
def test_what_episodes_leave_open_has_the_dimension_of_their_kernel(seed, starts):
    env = world(seed, reachable=seed % 2 == 0, starts=starts)
    family = ii.rewards.TransitionRewards(3, 2)
    theta = np.arange(family.dim, dtype=float)
    visits = lassos(env)
    for source, rows in ((RETURNS, visits), (COMPARISONS, visits - visits[0])):
        left = left_open(source, env, family, theta)
        assert left.dimension == family.dim - np.linalg.matrix_rank(rows, tol=1e-9)
        np.testing.assert_allclose(rows @ left.lineality, 0, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n_states=st.integers(2, 5), starts=st.integers(1, 2), reachable=st.booleans())
def test_the_order_of_the_paper_in_any_environment(seed, n_states, starts, reachable):
    env = world(seed, n_states, reachable, starts)
    family = ii.rewards.TransitionRewards(n_states, 2)
    theta = np.random.default_rng(seed).normal(size=family.dim)
    left = {source: left_open(source, env, family, theta) for source in SOURCES}
    for fine, coarse in FINER:
        assert order(left[fine], left[coarse]) in ("finer", "equal")
        assert order(left[coarse], left[fine]) in ("coarser", "equal")
        assert left[fine].dimension <= left[coarse].dimension
    if reachable:
        assert order(left[SOFT_TRAJECTORIES], left[SOFT_POLICY]) == "equal"
        assert order(left[LOTTERIES], left[OPTIMAL_POLICY]) == "finer"
        assert order(left[LOTTERIES], left[SOFT_POLICY]) in ("incomparable", "coarser")


def test_q_values_and_returns_are_incomparable_and_tell_more_together():
    """Their own example after theorem 4.2: redistribution against potentials that are 0 where episodes start."""
    env = world(0)
    assert (env.dense() > 0).sum() > 6
    family = ii.rewards.TransitionRewards(3, 2)
    theta = np.random.default_rng(0).normal(size=family.dim)
    q_values, returns = (left_open(source, env, family, theta) for source in (Q_VALUES, RETURNS))
    assert order(q_values, returns) == "incomparable"
    both = combine([q_values, returns])
    assert both.dimension < min(q_values.dimension, returns.dimension)
    stacked = np.vstack([family.matrix(env).toarray(), lassos(env)])
    assert both.dimension == family.dim - np.linalg.matrix_rank(stacked, tol=1e-9)
    assert both.contains(theta)
    assert not both.contains(theta + q_values.lineality[:, 0] + returns.lineality[:, 0])


def test_classes_on_pairs_are_those_of_identify():
    """Soft policies of two environments: the affine set; optimal policies: planning decides who is in the cone."""
    family = ii.rewards.StateActionRewards(4, 3)
    worlds = [ii.builders.random_environment(4, 3, 0.9, seed) for seed in range(2)]
    rng = np.random.default_rng(1)
    theta = rng.normal(size=family.dim)
    soft = [left_open(SOFT_POLICY, env, family, theta) for env in worlds]
    agent = ii.agents.SoftOptimal(family, theta)
    ident = ii.identify([(env, agent.policy(env)) for env in worlds], family, "soft")
    together = combine(soft)
    assert [part.dimension for part in soft] == [4, 4]
    assert together.dimension == 1
    np.testing.assert_allclose(np.abs(together.directions.T @ ident.affine.null_basis), 1, atol=1e-9)
    optimal = left_open(OPTIMAL_POLICY, worlds[0], family, theta)
    shown = ii.identify([(worlds[0], ii.agents.Optimal(family, theta).policy(worlds[0]))], family)
    for _ in range(30):
        other = theta + 0.3 * rng.normal(size=family.dim)
        assert optimal.contains(other) == shown.contains(other)
    assert optimal.dimension == combine([optimal]).dimension == family.dim
    tied = ii.Environment(np.repeat(worlds[0].dense()[:, :1], 3, axis=1), 0.9)
    on_states = np.repeat(rng.normal(size=4), 3)
    same, other = (left_open(OPTIMAL_POLICY, env, family, on_states) for env in (tied, worlds[0]))
    assert same.dimension == combine([same, other]).dimension == 4


def test_states_that_are_never_reached_are_masked_by_name():
    env = world(2, reachable=False)
    family = ii.rewards.StateActionRewards(3, 2)
    left = left_open(SOFT_TRAJECTORIES, env, family, np.arange(6.0))
    assert left.kinds == {"masked": 2, "redistribution": 0, "shaping": 2}
    assert str(left) == "4 of 6 dimensions open: masked (2), shaping (2)"


def test_environments_that_hardly_differ_are_not_called_different():
    family = ii.rewards.StateActionRewards(4, 2)
    first, second = (ii.builders.random_environment(4, 2, 0.9, seed) for seed in range(2))
    theta = np.arange(8.0)
    for share, decided, dimension in ((1e-8, False, 4), (1e-3, True, 1), (0.0, True, 4)):
        worlds = [first, ii.builders.blended(first, second, share)]
        both = combine([left_open(SOFT_POLICY, env, family, theta) for env in worlds])
        assert (both.rank.decided, both.dimension) == (decided, dimension)


def test_what_cannot_be_asked_is_refused():
    env = world(0)
    with pytest.raises(ValueError, match="StateRewards"):
        left_open(OPTIMAL_POLICY, env, ii.rewards.StateRewards(3), np.ones(3))
    with pytest.raises(ValueError, match="parts"):
        combine([])
    pairs = ii.rewards.StateActionRewards(3, 2)
    one, other = (left_open(SOFT_POLICY, env, pairs, theta) for theta in (np.ones(6), np.arange(6.0)))
    with pytest.raises(ValueError, match="another reward"):
        combine([one, other])
    with pytest.raises(ValueError, match="same reward"):
        order(one, other)
    with pytest.raises(ValueError, match="shape"):
        one.contains(np.ones(5))


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_what_is_left_open_does_not_depend_on_the_unit_of_rewards(unit):
    env = ii.builders.random_environment(3, 2, 0.9, 0, successors=2)
    family = ii.rewards.TransitionRewards(3, 2)
    theta = np.random.default_rng(0).normal(size=family.dim)

    def told(theta):
        parts = [left_open(source, env, family, theta) for source in SOURCES]
        return [part.dimension for part in parts], [[order(one, two) for two in parts] for one in parts]

    assert told(unit * theta) == told(theta)
