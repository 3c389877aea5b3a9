"""Adaptivity: planners, tables and what lies between, and its invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_environment

import irl_ident as ii
from irl_ident import planning
from irl_ident.goal_directedness.adaptivity import adaptivity

FAMILY = ii.rewards.StateRewards(5)


def changed_worlds(seed):
    """A reference environment and three others on the same states."""
    return [random_environment(1000 * seed + i, 5, 3) for i in range(4)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planner_has_one_its_table_none_and_a_mixture_its_share(seed):
    reference, *changed = changed_worlds(seed)
    theta = np.random.default_rng(seed).normal(size=5)
    agent = ii.agents.Optimal(FAMILY, theta)
    table = agent.policy(reference)
    plans = [agent.policy(env) for env in changed]
    assert adaptivity(table, changed, plans, FAMILY, theta).score == pytest.approx(1)
    assert adaptivity(table, changed, [table] * 3, FAMILY, theta).score == 0
    learned = [plans[0], table, table]
    found = adaptivity(table, changed, learned, FAMILY, theta)
    room = found.optimal - found.frozen
    assert (room > 0).all()
    assert found.score == pytest.approx(room[0] / room.sum())


def test_who_works_against_the_objective_is_below_a_table():
    reference, *changed = changed_worlds(0)
    theta = np.random.default_rng(0).normal(size=5)
    table = ii.agents.Optimal(FAMILY, theta).policy(reference)
    against = [ii.agents.Optimal(FAMILY, -theta).policy(env) for env in changed]
    found = adaptivity(table, changed, against, FAMILY, theta)
    assert found.score < 0
    np.testing.assert_allclose(found.acted, found.worst)


def test_returns_are_those_of_planning():
    env = changed_worlds(3)[1]
    rng = np.random.default_rng(3)
    theta, table, policy = rng.normal(size=5), rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 5)
    found = adaptivity(table, [env], [policy], FAMILY, theta)
    reward = FAMILY.reward(env, theta)
    np.testing.assert_allclose(found.acted, (planning.occupancy(env, policy) * reward).sum())
    np.testing.assert_allclose(found.frozen, (planning.occupancy(env, table) * reward).sum())
    np.testing.assert_allclose(found.optimal, planning.optimal(env, reward).values.mean())
    assert found.worst < found.frozen < found.optimal


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-10, 10))
@settings(max_examples=20)
def test_scale_and_constant_of_the_objective_do_not_matter(seed, scale, constant):
    rng = np.random.default_rng(seed)
    envs = [random_environment(int(rng.integers(2**31)), 5, 3) for _ in range(2)]
    theta, table = rng.normal(size=5), rng.dirichlet(np.ones(3), 5)
    policies = [rng.dirichlet(np.ones(3), 5) for _ in envs]
    one = adaptivity(table, envs, policies, FAMILY, theta).score
    np.testing.assert_allclose(
        adaptivity(table, envs, policies, FAMILY, scale * theta + constant).score, one, rtol=1e-6
    )


def test_nothing_to_adapt_to_says_nothing():
    env = random_environment(0, 5, 3)
    theta = np.arange(5.0)
    table = ii.agents.Optimal(FAMILY, theta).policy(env)
    assert np.isnan(adaptivity(table, [env], [table], FAMILY, theta).score)
    assert np.isnan(adaptivity(table, [env], [table], FAMILY, np.ones(5)).score)


def test_what_is_wrong_is_said():
    env = random_environment(0, 5, 3)
    table = np.full((5, 3), 1 / 3)
    with pytest.raises(ValueError, match="policies: 1 were given for 0 environments"):
        adaptivity(table, [], [table], FAMILY, np.ones(5))
    with pytest.raises(ValueError, match=r"policy: should have shape \(S, A\)"):
        adaptivity(table[:4], [env], [table], FAMILY, np.ones(5))
