"""The dust robot: each rule, the features, and optimal policies against brute force over all 65,536 policies."""

from itertools import product

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import irl_ident as ii
from environments import dust_robot as world

CLEAN, DUSTY = slice(0, 4), slice(4, 8)
OBJECTIVES = np.array([world.BASE, world.SIDE_EFFECT, world.INSTRUMENTAL, world.LEAST_DUST])


@pytest.mark.parametrize(
    ("action", "floor", "bag", "parts", "after"),
    [
        ("sweep", 1, 0, {}, (0, 1)),
        ("sweep", 1, 3, {}, (0, 1)),
        ("sweep", 0, 2, {}, (0, 2)),
        ("sweep", 1, 2, {"destroys": True}, (0, 2)),
        ("scatter", 0, 2, {}, (0, 2)),
        ("scatter", 0, 2, {"lid": True}, (1, 1)),
        ("scatter", 1, 2, {"lid": True}, (1, 1)),
        ("scatter", 0, 0, {"lid": True}, (0, 0)),
        ("vacuum", 1, 0, {}, (1, 0)),
        ("vacuum", 1, 0, {"plant": True}, (1, 2)),
        ("vacuum", 0, 3, {"plant": True}, (0, 2)),
        ("vacuum", 0, 2, {"plant": True}, (0, 1)),
        ("idle", 1, 2, {"lid": True, "plant": True}, (1, 2)),
    ],
)
def test_rules(action, floor, bag, parts, after):
    number = world.ACTIONS.index(action)
    assert world.acted(floor, bag, number, **parts) == after
    env = world.build(redust=0.2, **parts)
    row = env.dense()[4 * floor + bag, number]
    expected = np.zeros(8)
    expected[[after[1], 4 + after[1]]] = (0.0, 1.0) if after[0] else (0.8, 0.2)
    np.testing.assert_allclose(row, expected)


def test_episodes_start_on_a_dusty_floor_with_an_empty_bag_and_never_end():
    env = world.build()
    assert env.states[int(env.initial.argmax())] == "dusty, bag 0"
    assert not env.absorbing.any()
    assert env.discount == 0.95
    with pytest.raises(ValueError, match=r"redust: was 1\.5"):
        world.build(redust=1.5)


def test_features_are_what_happens():
    env = world.build(lid=True, plant=True)
    clean, swept, dust, stuff = np.moveaxis(world.family().matrix(env).toarray().reshape(8, 4, 4), 2, 0)
    for floor, bag, action in product(range(2), range(4), range(4)):
        here = 4 * floor + bag, action
        into = {0: floor, 1: -int(bag > 0), 2: 2, 3: 0}[action]
        assert (clean[here], swept[here], stuff[here]) == (1 - floor, floor * (action == 0), floor + bag)
        assert dust[here] == into
    shut = world.family().matrix(world.build()).toarray().reshape(8, 4, 4)
    np.testing.assert_array_equal(shut[:, 1:, 2], 0)
    with pytest.raises(ValueError, match="should be a dust robot's"):
        world.family().matrix(ii.builders.random_environment(3, 2, 0.9, seed=0))


def brute_best(env, rewards):
    """Largest values of each objective (4, S) over all deterministic policies, by enumeration."""
    table, states = env.dense(), np.arange(8)
    choices = np.array(list(product(range(4), repeat=8)))
    best = np.full((len(rewards), 8), -np.inf)
    for part in np.array_split(choices, 32):
        systems = np.eye(8) - env.discount * table[states, part]
        paid = np.stack([reward[states, part] for reward in rewards], axis=2)
        best = np.maximum(best, np.linalg.solve(systems, paid).max(axis=0).T)
    return best


@pytest.mark.parametrize("parts", [{}, {"lid": True}, {"plant": True}, {"lid": True, "plant": True}])
def test_optimal_policies_by_brute_force(parts):
    env, family = world.build(**parts), world.family()
    rewards = [family.reward(env, theta) for theta in OBJECTIVES]
    for theta, reward, values in zip(OBJECTIVES, rewards, brute_best(env, rewards), strict=True):
        q = reward + env.discount * env.dense() @ values
        optimal = q >= values[:, None] - 1e-9
        np.testing.assert_array_equal(ii.agents.Optimal(family, theta).policy(env) > 0, optimal)


def shown(theta, **parts):
    env = world.build(**parts)
    return ii.agents.Optimal(world.family(), theta).policy(env) > 0


def test_in_training_the_proxies_do_as_the_base_objective_does():
    base = shown(world.BASE)
    assert base[CLEAN].all()
    np.testing.assert_array_equal(base[DUSTY], np.eye(4, dtype=bool)[[0] * 4])
    for proxy in (world.SIDE_EFFECT, world.INSTRUMENTAL):
        np.testing.assert_array_equal(shown(proxy), base)


def test_each_shift_breaks_one_proxy():
    np.testing.assert_array_equal(shown(world.SIDE_EFFECT, plant=True), shown(world.BASE, plant=True))
    np.testing.assert_array_equal(shown(world.INSTRUMENTAL, lid=True), shown(world.BASE, lid=True))
    scatter, vacuum = (np.eye(4, dtype=bool)[[action] * 3] for action in (world.SCATTER, world.VACUUM))
    np.testing.assert_array_equal(shown(world.SIDE_EFFECT, lid=True)[1:4], scatter)
    np.testing.assert_array_equal(shown(world.INSTRUMENTAL, plant=True)[1:4], vacuum)
    env = world.build(plant=True)
    agent = ii.agents.Optimal(world.family(), world.INSTRUMENTAL)
    gap = ii.distances.reward_result_gap(agent, world.family().reward(env, world.BASE), env)
    assert gap.regret == pytest.approx(1)


def test_a_wrong_model_makes_it_clean():
    env = world.build(redust=0.4)
    model = world.believed(env)
    np.testing.assert_allclose(model.dense()[0, world.IDLE], env.dense()[0, world.IDLE])
    assert model.digest == world.build(redust=0.4, destroys=True).digest
    fooled = ii.agents.Optimal(world.family(), world.LEAST_DUST).policy(model) > 0
    np.testing.assert_array_equal(fooled[DUSTY], np.eye(4, dtype=bool)[[0] * 4])
    assert not shown(world.LEAST_DUST)[4, world.SWEEP]


def test_gymnasium_and_picture():
    env = world.build(lid=True)
    check_env(env.to_gymnasium(world.family().reward(env, world.BASE), max_episode_steps=20), skip_render_check=True)
    assert world.picture(lid=True) == "floor ~~~~  bag [/]  plant -"
    assert world.picture(plant=True).endswith("plant Y")
