"""The windy grid, held to what Sutton & Barto say of it."""

import numpy as np
import pytest

import irl_ident as ii
from environments import windy_grid as world

BOOK = {"goal": world.GOAL}


def steps_to_goal(env):
    """Breadth-first search over the table."""
    follows = env.dense().any(axis=1)
    reached, ahead, steps = env.initial > 0, env.initial > 0, 0
    while not reached[-1]:
        ahead = follows[ahead].any(axis=0) & ~reached
        reached |= ahead
        steps += 1
    return steps


@pytest.mark.parametrize(("moves", "steps"), [(world.FOUR, 15), (world.KING, 7)])
def test_the_shortest_ways_are_the_books(moves, steps):
    env = world.build(moves=moves, places=BOOK)
    assert steps_to_goal(env) == steps
    features = np.repeat(np.eye(2)[np.r_[np.zeros(70, int), 1]][:, None, :], len(moves), axis=1)
    agent = ii.agents.Optimal(ii.rewards.LinearRewards(features), [-1, 0])
    value = env.initial @ ii.planning.evaluate(env, agent.mesa_objective(env), agent.policy(env))
    np.testing.assert_allclose(value, -(1 - 0.95**steps) / (1 - 0.95))


def test_without_wind_it_is_a_plain_grid():
    assert steps_to_goal(world.build((0,) * 10, places=BOOK)) == 7


def test_gusts_are_those_of_exercise_6_10():
    """One cell to the right of the goal, a move to the left ends a third of the time each in the goal, one and two
    cells above it."""
    env = world.build(places=BOOK, gusts=2 / 3)
    row = env.dense()[3 * 10 + 8, 3]
    assert {env.states[s]: p for s, p in enumerate(row) if p} == pytest.approx(
        {"goal": 1 / 3, "r2c7": 1 / 3, "r1c7": 1 / 3}
    )
    still = env.dense()[3 * 10 + 1, 1]
    assert still[3 * 10 + 2] == 1


def test_the_wind_is_that_of_the_column_left_behind_and_stops_at_the_edge():
    table = world.build((0, 0, 2, 0, 0, 0, 0, 0, -1, 0)).dense()
    assert table[5 * 10 + 1, 1, 5 * 10 + 2] == 1
    assert table[5 * 10 + 2, 1, 3 * 10 + 3] == 1
    assert table[1 * 10 + 2, 0, 0 * 10 + 2] == 1
    assert table[5 * 10 + 8, 3, 6 * 10 + 7] == 1


def test_places_end_an_episode_and_rewards_carry_over_to_other_winds():
    rng = np.random.default_rng(0)
    winds = [world.random_wind(rng) for _ in range(4)]
    environments = [world.build(), *map(world.build, winds)]
    for env in environments:
        np.testing.assert_array_equal(env.absorbing[70:], True)
        assert env.states[70:] == ("goal", "tower", "harbour")
    theta = world.objectives(rng, 1)[0]
    agent = ii.agents.Optimal(world.family(), theta)
    seen = [(env, agent.policy(env)) for env in environments]
    ranges = [ii.identify(seen[:n], world.family()).canonical_ranges() for n in (1, 5)]
    assert ii.identify(seen, world.family()).contains(theta)
    assert (np.diff(ranges[1]) <= np.diff(ranges[0]) + 1e-9).all()
    with pytest.raises(ValueError, match="wind: should be 10 whole numbers"):
        world.build((1, 2))
