"""Indifferent agents, held to the equations of Soares et al. (2015) in random worlds with a command factor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident import planning
from irl_ident.agents.corrigible import (
    Command,
    ConditionallyIndifferent,
    CounterfactuallyIndifferent,
    WatchDependent,
)

BARE, ACTIONS, DISCOUNT = 4, 3, 0.9
COMMAND = Command(np.arange(2 * BARE) >= BARE, np.tile(np.arange(BARE), 2))
FAMILY = ii.rewards.StateActionRewards(2 * BARE, ACTIONS)
KINDS = (ConditionallyIndifferent, CounterfactuallyIndifferent)


def random_world(seed, share=None):
    """States without command and the same ones under it, which lasts; it comes with random probabilities, or none."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(BARE), (BARE, ACTIONS))
    pressed = rng.uniform(0, 0.9, (BARE, ACTIONS, BARE)) if share is None else np.full((BARE, ACTIONS, BARE), share)
    table = np.zeros((2 * BARE, ACTIONS, 2 * BARE))
    table[:BARE, :, :BARE], table[:BARE, :, BARE:] = moves * (1 - pressed), moves * pressed
    table[BARE:, :, BARE:] = rng.dirichlet(np.ones(BARE), (BARE, ACTIONS))
    return ii.Environment(table, DISCOUNT), rng.normal(size=(2, FAMILY.dim))


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
@settings(max_examples=60, deadline=None)
def test_it_is_the_optimal_agent_of_its_mesa_objective_in_this_environment(seed, kind):
    env, (normal, shutdown) = random_world(seed)
    agent = kind(FAMILY, normal, shutdown, COMMAND)
    q = planning.optimal(env, agent.mesa_objective(env)).q
    np.testing.assert_array_equal(agent.policy(env), planning.greedy_policy(q))
    before, after = agent.values(env)
    np.testing.assert_allclose(q, np.where(COMMAND.pressed[:, None], after, before), atol=1e-8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_both_sides_of_the_command_are_worth_the_same(seed):
    """Equation 12: E[U | no command] = E[U_S + f | command], for every action."""
    env, (normal, shutdown) = random_world(seed)
    agent = ConditionallyIndifferent(FAMILY, normal, shutdown, COMMAND)
    values = planning.optimal(env, agent.mesa_objective(env)).q.max(axis=1)
    table, pressed = env.dense()[:BARE], COMMAND.pressed
    told = (table[..., pressed] @ values[pressed]) / table[..., pressed].sum(axis=2)
    untold = (table[..., ~pressed] @ values[~pressed]) / table[..., ~pressed].sum(axis=2)
    np.testing.assert_allclose(told + agent.correction(env)[:BARE], untold, atol=1e-8)


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
@settings(max_examples=40, deadline=None)
def test_what_comes_after_the_command_has_no_say_before_it(seed, kind):
    """Theorems 3 and 5."""
    env, (normal, shutdown) = random_world(seed)
    other = np.random.default_rng(seed + 1).normal(size=FAMILY.dim)
    one, two = (kind(FAMILY, normal, theta, COMMAND).policy(env) for theta in (shutdown, other))
    np.testing.assert_array_equal(one[:BARE], two[:BARE])
    plain = ii.agents.Optimal(FAMILY, shutdown).policy(env)
    np.testing.assert_array_equal(one[BARE:], plain[BARE:])


def test_a_command_that_says_nothing_of_what_comes_leaves_both_kinds_with_the_plan_without_it():
    env, (normal, shutdown) = random_world(3, share=0.4)
    without, _ = random_world(3, share=0.0)
    expected = ii.agents.Optimal(FAMILY, normal).policy(without)[:BARE]
    for kind in KINDS:
        np.testing.assert_array_equal(kind(FAMILY, normal, shutdown, COMMAND).policy(env)[:BARE], expected)


def test_expectations_given_no_command_need_that_there_can_be_none():
    env, (normal, shutdown) = random_world(0, share=1.0)
    with pytest.raises(ValueError, match="env: action 'a0' in state 's0' surely brings the command"):
        ConditionallyIndifferent(FAMILY, normal, shutdown, COMMAND).policy(env)
    assert CounterfactuallyIndifferent(FAMILY, normal, shutdown, COMMAND).policy(env).sum() == 2 * BARE


def test_commands_are_checked():
    with pytest.raises(ValueError, match=r"lifted\[1\]: was 1, should be a state without command"):
        Command([False, True], [0, 1])
    with pytest.raises(ValueError, match=r"lifted\[0\]: was 1, should be 0 itself"):
        Command([False, False], [1, 1])
    with pytest.raises(ValueError, match="lifted: should have the shape"):
        Command([False, True], [0])
    with pytest.raises(ValueError, match="lifted: should be states from 0 to 1"):
        Command([False, True], [0, 2])
    env, (normal, shutdown) = random_world(0)
    small = ii.Environment(np.eye(2)[:, None, :], DISCOUNT)
    with pytest.raises(ValueError, match="env: has 2 states, the command is about 8"):
        CounterfactuallyIndifferent(FAMILY, normal, shutdown, COMMAND).values(small)
    assert (COMMAND.chances(env)[BARE:] == 0).all()


def test_a_deceptive_agent_is_each_of_two_where_it_should_be():
    env, (shown, hidden) = random_world(0)
    parts = [ii.agents.Optimal(FAMILY, theta) for theta in (shown, hidden)]
    watched = np.arange(2 * BARE) % 2 == 0
    policy = WatchDependent(*parts, watched).policy(env)
    for part, own in zip(parts, (watched, ~watched), strict=True):
        np.testing.assert_array_equal(policy[own], part.policy(env)[own])
    with pytest.raises(ValueError, match="watched: should have shape"):
        WatchDependent(*parts, watched[:3]).policy(env)
