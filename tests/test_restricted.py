"""What agents do that may take only some actions: against all policies in fractions, and linear programs.

Bounds have to be on the safe side *exactly*, and near the truth.
"""

from fractions import Fraction

import numpy as np
import pytest
from exact_worlds import World, exact
from random_certificates import environment
from scipy.optimize import linprog

from irl_ident import Environment, rewards
from irl_ident.certificates import restricted
from irl_ident.transitions import visited

NEAR = 1e-9


def drawn(seed):
    """A world, actions that may be taken, and targets."""
    random = np.random.default_rng(seed)
    s, a = int(random.integers(2, 5)), int(random.integers(2, 4))
    env = environment(random, s, a, float(random.choice([0.5, 0.95, 1])))
    may = random.random((s, a)) < 0.7
    may[np.arange(s), random.integers(0, a, s)] = True
    targets = random.random(s) < 0.35
    targets[random.integers(s)] = True
    return World(env, rewards.StateRewards(s)), may, targets, random


def allowed(world, may):
    return [policy for policy in world.policies if all(may[s, a] for s, a in enumerate(policy))]


def expected(world, s, a, table):
    return sum(p * x for p, x in zip(world.moves[s][a], table, strict=True))


@pytest.mark.parametrize("seed", range(60))
def test_chances_of_a_visit(seed):
    world, may, targets, _ = drawn(seed)
    env, marked = world.env, [int(s) for s in np.flatnonzero(targets)]
    every = [world.chances(policy, marked) for policy in allowed(world, may)]
    most, least = ([float(end(column)) for column in zip(*every, strict=True)] for end in (max, min))

    upper = restricted.upper_chances(env, may, targets)
    np.testing.assert_allclose(upper, most, atol=NEAR)
    high = [exact(x) for x in upper]
    assert all(h >= 1 for s, h in enumerate(high) if targets[s])
    assert all(high[s] >= expected(world, s, a, high) for s, a in np.argwhere(may) if not targets[s])

    lower, steps = restricted.lower_chances(env, may, targets)
    np.testing.assert_allclose(np.maximum(lower, 0), least, atol=NEAR)
    low, times = [exact(x) for x in lower], [exact(x) for x in steps]
    positive = [max(x, Fraction(0)) for x in low]
    going = [x if h > 0 and not targets[s] else Fraction(0) for s, (x, h) in enumerate(zip(times, low, strict=True))]
    assert all(h <= 1 for h in low)
    for s, a in np.argwhere(may):
        if low[s] > 0 and not targets[s]:
            assert low[s] <= expected(world, s, a, positive)
            assert going[s] >= 1 + expected(world, s, a, going)

    own = [taken(world, choose(env, may, targets)) for choose in (restricted.towards_most, restricted.away_most)]
    assert all(policy in allowed(world, may) for policy in own)
    for policy, ends in zip(own, (most, least), strict=True):
        np.testing.assert_allclose(np.array(world.chances(policy, marked), dtype=float), ends, atol=NEAR)


def taken(world, policy):
    """A policy as a tuple of actions."""
    assert len(policy) == world.shape[0]
    return tuple(int(a) for a in policy)


@pytest.mark.parametrize("seed", range(60))
def test_returns(seed):
    world, may, _, random = drawn(seed)
    env, reward = world.env, random.integers(-3, 4, world.shape) / 2
    starts = np.zeros(world.shape[0], dtype=bool)
    starts[random.integers(world.shape[0])] = True
    states = visited(env.transitions, starts, may)
    paid = [[[exact(x)] for x in row] for row in reward]
    every = [[v[0] for v in world.values(policy, paid)] for policy in allowed(world, may)]
    for largest in (True, False):
        found = restricted.values(env, reward, may, states, largest=largest)
        best = [float((max if largest else min)(column)) for column in zip(*every, strict=True)]
        np.testing.assert_allclose(found[states], np.array(best)[states], atol=NEAR)
        safe = [exact(x) for x in found]
        for s, a in np.argwhere(may):
            if states[s]:
                after = exact(reward[s, a]) + world.factors[s] * expected(world, s, a, safe)
                assert safe[s] >= after if largest else safe[s] <= after
        policy = taken(world, restricted.choices(env, reward, may, states, largest=largest))
        own = [float(v[0]) for v in world.values(policy, paid)]
        np.testing.assert_allclose(np.array(own)[states], np.array(best)[states], atol=NEAR)


@pytest.mark.parametrize("seed", range(60))
def test_states_that_can_be_visited(seed):
    world, may, targets, _ = drawn(seed)
    reach = [set(walk(world, may, {s})) for s in world.numbers]
    found = visited(world.env.transitions, targets, may)
    assert set(np.flatnonzero(found)) == set().union(*(reach[s] for s in np.flatnonzero(targets)))
    # the targets themselves count as reached; ways may lead through no other target
    blocked = may & ~targets[:, None]
    leading = {s for s in world.numbers if walk(world, blocked, {s}) & set(np.flatnonzero(targets))}
    assert set(np.flatnonzero(restricted.leading_to(world.env, may, targets))) == leading


def walk(world, may, found):
    while True:
        more = {
            j for s in found for a in range(world.shape[1]) if may[s, a] for j in world.numbers if world.moves[s][a][j]
        }
        if more <= found:
            return found
        found = found | more


def large(seed, size=40, actions=3):
    """Sparse random moves, with places that keep and cycles of sure moves."""
    random = np.random.default_rng(seed)
    moves = np.zeros((size, actions, size))
    for s, a in np.ndindex(size, actions):
        ends = random.choice(size, size=int(random.integers(1, 4)), replace=False)
        moves[s, a, ends] = random.dirichlet(np.ones(ends.size))
    moves[:4] = np.eye(size)[:4, None]
    moves[4, :] = np.eye(size)[5]
    moves[5, 1:] = np.eye(size)[4]
    may = random.random((size, actions)) < 0.8
    may[np.arange(size), random.integers(0, actions, size)] = True
    return Environment(moves, 0.9), may, np.isin(np.arange(size), [0, 1])


@pytest.mark.parametrize("seed", range(20))
def test_chances_of_larger_worlds_solve_the_linear_program(seed):
    """The largest chances are the least h >= P h with h = 1 on the targets (Baier & Katoen 2008, theorem 10.100)."""
    env, may, targets = large(seed)
    rows = env.transitions.toarray()[may.ravel()]
    own = np.repeat(np.eye(env.n_states), env.n_actions, axis=0)[may.ravel()]
    kept = ~np.repeat(targets, env.n_actions)[may.ravel()]
    bounds = [(1, 1) if target else (0, 1) for target in targets]
    program = linprog(np.ones(env.n_states), A_ub=(rows - own)[kept], b_ub=np.zeros(kept.sum()), bounds=bounds)
    np.testing.assert_allclose(restricted.upper_chances(env, may, targets), program.x, atol=1e-7)


@pytest.mark.parametrize("seed", range(10))
def test_smallest_chances_of_larger_worlds_are_those_of_iteration_from_0(seed):
    """Chances within n steps increase to the smallest chances, whichever actions are taken."""
    env, may, targets = large(seed)
    chances = targets.astype(float)
    for _ in range(4_000):
        ahead = np.where(may, (env.transitions @ chances).reshape(may.shape), np.inf).min(axis=1)
        chances = np.where(targets, 1.0, ahead)
    lower, _ = restricted.lower_chances(env, may, targets)
    np.testing.assert_allclose(np.maximum(lower, 0), chances, atol=1e-7)


@pytest.mark.parametrize("seed", range(10))
def test_sparse_and_dense_are_the_same(seed, monkeypatch):
    env, may, targets = large(seed)
    reward = np.random.default_rng(seed).normal(size=may.shape)
    everywhere = np.ones(env.n_states, dtype=bool)

    def everything():
        return np.concatenate(
            [
                restricted.upper_chances(env, may, targets),
                *restricted.lower_chances(env, may, targets),
                *(restricted.values(env, reward, may, everywhere, largest=largest) for largest in (True, False)),
            ]
        )

    dense = everything()
    monkeypatch.setattr(restricted, "DENSE_ENTRIES", 0)
    np.testing.assert_allclose(everything(), dense, rtol=1e-9, atol=1e-9)


def test_never_and_always():
    """A coin that is thrown until it falls heads; an agent that may refuse to throw need never see it."""
    coin = np.zeros((3, 2, 3))
    coin[0, 0] = [0.5, 0.5, 0]
    coin[0, 1] = [1, 0, 0]
    coin[1, :, 1] = coin[2, :, 2] = 1
    env = Environment(coin, 0.9)
    heads = np.array([False, True, False])
    throws = np.array([[True, False], [True, True], [True, True]])
    assert restricted.upper_chances(env, throws, heads).tolist() == [1, 1, 0]
    lower, steps = restricted.lower_chances(env, throws, heads)
    assert lower.tolist() == [1, 1, 0]
    assert steps[0] == pytest.approx(2, rel=1e-5)
    refuses = np.ones((3, 2), dtype=bool)
    assert restricted.upper_chances(env, refuses, heads).tolist() == [1, 1, 0]
    assert restricted.lower_chances(env, refuses, heads)[0].tolist() == [0, 1, 0]
