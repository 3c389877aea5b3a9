"""Soft plans against closed forms, brute value iteration and limits; their derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse, special
from test_planning import episodic_environment, grid_environment, random_environment, tangled_environment

from irl_ident import Environment, planning

ENVIRONMENTS = {
    "dense": random_environment(8, 3, 0.9, 0),
    "myopic": random_environment(8, 3, 0.0, 1),
    "grid": grid_environment(14, 0.95),
    "tangled": tangled_environment(650, 0.9, 2),
    "episodic": episodic_environment(9, 3, 3),
}


@pytest.fixture(params=ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def env(request):
    return request.param


def reward_for(env, seed=0):
    return np.random.default_rng(seed).normal(size=(env.n_states, env.n_actions))


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1.0, 50.0])
@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
def test_one_state_has_its_closed_form(temperature, discount):
    reward = np.array([[1.0, 0.0, -3.0]])
    plan = planning.soft(Environment(np.ones((1, 3, 1)), discount), reward, temperature)
    exact = temperature * special.logsumexp(reward / temperature) / (1 - discount)
    np.testing.assert_allclose(plan.values, exact, rtol=1e-12)
    np.testing.assert_allclose(plan.policy, special.softmax(reward / temperature, axis=1), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_equals_plain_value_iteration(env, temperature):
    reward = reward_for(env)
    values = np.zeros(env.n_states)
    for _ in range(1500):
        values = temperature * special.logsumexp((reward + env.backup(values)) / temperature, axis=1)
    plan = planning.soft(env, reward, temperature)
    np.testing.assert_allclose(plan.values, values, rtol=1e-10, atol=1e-10)
    assert plan.error_bound <= 1e-8 * max(1, np.abs(values).max())
    np.testing.assert_allclose(
        plan.log_policy, (plan.q - plan.values[:, None]) / temperature, rtol=0, atol=1e-9 / temperature
    )
    np.testing.assert_allclose(plan.policy.sum(axis=1), 1, rtol=1e-13)
    np.testing.assert_array_equal(plan.policy, np.exp(plan.log_policy))


def test_soft_values_are_reward_plus_entropy(env):
    reward = reward_for(env, 4)
    plan = planning.soft(env, reward, 0.7)
    with_entropy = planning.evaluate(env, reward - 0.7 * plan.log_policy, plan.policy)
    np.testing.assert_allclose(plan.values, with_entropy, rtol=0, atol=1e-9)


def test_no_policy_has_a_higher_entropy_regularised_return():
    """The definition, by a general-purpose maximiser that knows nothing of Bellman."""
    env, reward = random_environment(3, 2, 0.8, 4), reward_for(random_environment(3, 2, 0.8, 4), 1)

    def negative(logits):
        log_policy = special.log_softmax(logits.reshape(3, 2), axis=1)
        policy = np.exp(log_policy)
        chain = np.einsum("sa,sat->st", policy, env.dense())
        gain = (policy * (reward - 0.5 * log_policy)).sum(axis=1)
        return -env.initial @ np.linalg.solve(np.eye(3) - 0.8 * chain, gain)

    found = optimize.minimize(negative, np.zeros(6), method="BFGS", options={"gtol": 1e-9})
    plan = planning.soft(env, reward, 0.5)
    np.testing.assert_allclose(env.initial @ plan.values, -found.fun, rtol=1e-9)


@pytest.mark.parametrize("temperature", [1e-2, 1e-4, 1e-8])
def test_cold_plans_approach_optimal_ones(env, temperature):
    """``V* <= V_b <= V* + b log A * (longest expected discounted number of steps)``."""
    reward = reward_for(env, 2)
    optimal, cold = planning.optimal(env, reward), planning.soft(env, reward, temperature)
    steps = planning.optimal(env, np.ones_like(reward)).values.max()
    slack = optimal.error_bound + cold.error_bound
    above = cold.values - optimal.values
    assert above.min() >= -slack
    assert above.max() <= temperature * np.log(env.n_actions) * steps + slack
    assert np.isfinite(cold.log_policy).all()


def test_large_rewards_do_not_overflow():
    env = random_environment(5, 3, 0.9, 0)
    reward = 1e6 * reward_for(env)
    plan = planning.soft(env, reward, 1e-3)
    assert np.isfinite(plan.log_policy).all()
    np.testing.assert_allclose(plan.values, planning.optimal(env, reward).values, rtol=1e-8)


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_jacobian_equals_finite_differences(env, temperature):
    reward = reward_for(env, 5)
    directions = np.random.default_rng(6).normal(size=(reward.size, 3))
    plan = planning.soft(env, reward, temperature)
    step = 2e-4

    def moved(direction, steps):
        there = reward + steps * step * direction.reshape(reward.shape)
        return planning.soft(env, there, temperature).log_policy.ravel()

    numeric = np.stack(
        [(8 * (moved(d, 1) - moved(d, -1)) - (moved(d, 2) - moved(d, -2))) / (12 * step) for d in directions.T], axis=1
    )
    exact = planning.soft_jacobian(env, plan, directions)
    np.testing.assert_allclose(exact, numeric, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        planning.soft_jacobian(env, plan, sparse.csr_array(directions)), exact, rtol=0, atol=1e-10
    )


def test_gradient_is_the_adjoint_of_the_jacobian(env):
    rng = np.random.default_rng(8)
    plan = planning.soft(env, reward_for(env, 7), 0.4)
    directions, cotangent = rng.normal(size=(plan.q.size, 5)), rng.normal(size=plan.q.shape)
    pulled = planning.soft_gradient(env, plan, cotangent).ravel() @ directions
    pushed = cotangent.ravel() @ planning.soft_jacobian(env, plan, directions)
    np.testing.assert_allclose(pulled, pushed, rtol=1e-8, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]), st.floats(0.05, 20))
def test_shaping_changes_no_soft_policy(seed, discount, temperature):
    env = random_environment(5, 3, discount, seed)
    rng = np.random.default_rng(seed)
    reward, potential = rng.normal(size=(5, 3)), rng.uniform(0.5, 2, size=5)
    shaped = reward - (env.shaping @ potential).reshape(5, 3)
    plan, moved = planning.soft(env, reward, temperature), planning.soft(env, shaped, temperature)
    np.testing.assert_allclose(moved.log_policy, plan.log_policy, rtol=0, atol=1e-10 / min(temperature, 1))
    np.testing.assert_allclose(moved.values, plan.values - potential, rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 20), st.floats(0.1, 10))
def test_scaling_reward_and_temperature_together_changes_nothing(seed, temperature, scale):
    env = random_environment(4, 3, 0.9, seed)
    reward = reward_for(env, seed)
    plan, scaled = planning.soft(env, reward, temperature), planning.soft(env, scale * reward, scale * temperature)
    np.testing.assert_allclose(scaled.log_policy, plan.log_policy, rtol=0, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_jacobian_vanishes_on_shaping(seed):
    env = random_environment(5, 2, 0.9, seed)
    plan = planning.soft(env, reward_for(env, seed))
    change = planning.soft_jacobian(env, plan, env.shaping.toarray())
    np.testing.assert_allclose(change, 0, atol=1e-11)
