"""Environments without cycles, planned in one pass: against recursion state by state and dense linear algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from worlds import random_environment

from irl_ident import Environment, planning
from irl_ident.planning import layers as module
from irl_ident.planning.layers import layers
from irl_ident.planning.structure import method_for
from irl_ident.transformed import union, unrolled


def ascending(n_states, n_actions, discount, seed, reach=40, ends=3):
    """Random transitions to higher states; absorbing ones lie anywhere, the last one among them."""
    rng = np.random.default_rng(seed)
    absorbing = np.append(rng.choice(n_states - 1, ends - 1, replace=False), n_states - 1)
    table = np.zeros((n_states, n_actions, n_states))
    for s in range(n_states):
        if s in absorbing:
            table[s, :, s] = 1
            continue
        later = np.union1d(np.arange(s + 1 + min(reach, n_states - s - 2), n_states)[:reach], absorbing)
        for a in range(n_actions):
            table[s, a, rng.choice(later, 3)] += 0.5
            table[s, a] /= table[s, a].sum()
    return Environment(table, discount), absorbing


def state_by_state(env, absorbing, reward, best):
    """Values of actions, from the last state to the first."""
    table, values = env.dense(), np.zeros(env.n_states)
    stay = 0 if env.discount == 1 else env.discount / (1 - env.discount)
    for s in absorbing:
        values[s] = best(reward[s]) * (1 + stay)
    for s in reversed(range(env.n_states)):
        if s not in absorbing:
            values[s] = best(reward[s] + env.discount * table[s] @ values)
    ahead = env.discount * table @ values
    if env.discount == 1:
        ahead[absorbing] = 0
    return reward + ahead


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.9, 0.0]), st.integers(1, 6))
def test_plans_are_those_of_recursion_state_by_state(seed, discount, ends):
    env, absorbing = ascending(200, 3, discount, seed, ends=ends)
    assert layers(env) is not None
    reward = np.random.default_rng(seed).normal(size=(200, 3))
    expected = state_by_state(env, absorbing, reward, np.max)
    plan = planning.optimal(env, reward)
    np.testing.assert_allclose(plan.q, expected, rtol=0, atol=plan.error_bound)
    assert plan.error_bound < 1e-10
    assert plan.iterations == 1
    rewards = np.stack([reward, 0 * reward, 3 * reward])
    np.testing.assert_allclose(planning.optimal_batch(env, rewards)[[0, 2]], [expected, 3 * expected], atol=1e-11)
    soft = planning.soft(env, reward, 0.4)
    expected = state_by_state(env, absorbing, reward, lambda q: 0.4 * special.logsumexp(q / 0.4))
    np.testing.assert_allclose(soft.q, expected, rtol=0, atol=soft.error_bound)
    np.testing.assert_allclose(soft.log_policy, special.log_softmax(expected / 0.4, axis=1), rtol=0, atol=1e-11)
    assert soft.error_bound < 1e-10


@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("size", [0.01, 1.0, 1e6])
def test_soft_plans_of_any_size_are_within_their_bounds_whatever_the_start(discount, size):
    env, absorbing = ascending(200, 3, discount, 1)
    reward = size * np.random.default_rng(2).normal(size=(200, 3))
    plan, other = planning.soft(env, reward), planning.soft(env, reward, start=np.full(200, 7.0))
    np.testing.assert_array_equal(plan.q, other.q)
    expected = state_by_state(env, absorbing, reward, special.logsumexp)
    np.testing.assert_allclose(plan.q, expected, rtol=0, atol=plan.error_bound)
    assert plan.error_bound < 1e-11 * np.abs(expected).max()
    np.testing.assert_allclose(plan.policy.sum(axis=1), 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.9]))
def test_policy_systems_are_solved(seed, discount):
    env, _ = ascending(200, 3, discount, seed)
    assert method_for(env) == "substitution"
    rng = np.random.default_rng(seed)
    policy, right = rng.dirichlet(np.ones(3), size=200), rng.normal(size=(200, 5))
    chain = np.einsum("sa,sat->st", policy, env.continuation.toarray().reshape(200, 3, 200))
    system = planning.policy_system(env, policy)
    np.testing.assert_allclose(system.solve(right), np.linalg.solve(np.eye(200) - chain, right), atol=1e-10)
    np.testing.assert_allclose(
        system.solve_transposed(right), np.linalg.solve(np.eye(200) - chain.T, right), atol=1e-10
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.9, 0.0]))
def test_blocks_cover_all_states_and_lead_out_of_themselves(seed, discount):
    env, absorbing = ascending(200, 3, discount, seed)
    found = layers(env)
    np.testing.assert_array_equal(found.absorbing, np.unique(absorbing))
    covered = np.concatenate([np.arange(200)[states] for states, _ in found.blocks[::-1]])
    np.testing.assert_array_equal(covered, np.arange(200))
    for states, rows in found.blocks:
        inside = rows.toarray()[:, states].reshape(-1, 3, states.stop - states.start).any(axis=1)
        going = ~env.absorbing[states]
        assert not inside[np.ix_(going, going)].any()


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_blocks_of_an_unrolled_environment_are_its_times(discount):
    world = unrolled(random_environment(3, 20, 2), 30, discount)
    assert len(layers(world).blocks) == 30
    blocks = layers(union([world, world])).blocks
    assert len(blocks) == 59
    assert blocks[29][0] == slice(580, 621), "the last time of the first, its end, and the first time of the second"


def test_derivatives_in_an_unrolled_environment_are_those_of_differences():
    world = unrolled(random_environment(4, 12, 3), 20, 1)
    rng = np.random.default_rng(5)
    reward, direction, weight = rng.normal(size=(3, world.n_states, 3))
    slope = planning.soft_jacobian(world, planning.soft(world, reward), direction.reshape(-1, 1)).reshape(-1, 3)
    ahead, behind = (planning.soft(world, reward + step * direction).log_policy for step in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=0, atol=1e-6)
    gradient = planning.soft_gradient(world, planning.soft(world, reward), weight)
    np.testing.assert_allclose((gradient * direction).sum(), (weight * slope).sum(), rtol=1e-9)


def test_what_has_no_layers():
    env, _ = ascending(200, 3, 0.9, 6)
    table = env.dense()
    assert layers(random_environment(7, 6, 2)) is None
    assert layers(Environment(table[::-1, :, ::-1], 0.9)) is None
    nearly = table.copy()
    nearly[-1] *= 1 - 1e-9
    assert layers(Environment(nearly, 0.9)) is None
    steps = np.eye(module.FEW_BLOCKS + 2)[np.minimum(np.arange(1, module.FEW_BLOCKS + 3), module.FEW_BLOCKS + 1)]
    assert layers(Environment(steps[:, None], 0.9)) is None
    assert len(layers(Environment(steps[2:, None, 2:], 0.9)).blocks) <= module.FEW_BLOCKS


def test_rows_that_do_not_quite_sum_to_1_stand_for_the_distribution_in_proportion():
    table = ascending(200, 3, 0.9, 8)[0].dense()
    reward = np.random.default_rng(9).normal(size=(200, 3))
    nearly = table.copy()
    nearly[-1] *= 1 - 1e-9
    env = Environment(nearly, 0.9)
    plan = planning.optimal(env, reward)
    exact = reward[-1].max() / (1 - 0.9)
    np.testing.assert_allclose(plan.values[-1], exact, rtol=0, atol=plan.error_bound)


def test_occupancies_of_many_steps_are_binomial():
    """A state of two moves on or stays; after t of n steps it has moved on binomially often."""
    n_states, horizon = 60, 40
    table = np.zeros((n_states, 1, n_states))
    for s in range(n_states):
        table[s, 0, min(s + 1, n_states - 1)] += 0.3
        table[s, 0, s] += 0.7
    world = unrolled(Environment(table, 0.9, np.eye(n_states)[0]), horizon, 1)
    visits = planning.occupancy(world, np.ones((world.n_states, 1)))[:-1, 0].reshape(horizon, n_states)
    for t in range(horizon):
        np.testing.assert_allclose(visits[t], stats.binom.pmf(np.arange(n_states), t, 0.3), rtol=0, atol=1e-13)
