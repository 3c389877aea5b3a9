"""The courier's floor, held to a walk by its rules, and to what is worth what on it."""

import numpy as np
import pytest

import irl_ident as ii
from environments import courier_floor as world

WAYS = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1), "stay": (0, 0)}


def walked(walls, cell, way):
    row, column = cell // 5 + way[0], cell % 5 + way[1]
    there = row * 5 + column
    return there if 0 <= row < 5 and 0 <= column < 5 and there not in walls else cell


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_the_table_follows_the_rules(slip):
    rng = np.random.default_rng(0)
    for number in range(5):
        walls = world.random_walls(rng) - ({world.LAB} if number % 2 else set())
        env = world.build(walls, slip=slip)
        assert env.actions == tuple(WAYS)
        table, free = env.dense(), [cell for cell in range(25) if cell not in walls]
        for cell in free:
            for action, way in enumerate(WAYS.values()):
                expected = np.zeros(25)
                expected[walked(walls, cell, way)] += 1 - slip
                expected[cell] += slip
                np.testing.assert_allclose(table[cell, action], expected, atol=1e-15)
        np.testing.assert_allclose(env.initial[free], 1 / len(free))
        assert env.initial[sorted(walls)].sum() == 0
        assert (np.flatnonzero(env.absorbing) == sorted(walls)).all()
        assert (env.reachable == ~env.absorbing).all()


def test_random_floors_have_six_walls_and_a_closed_lab_and_hang_together_with_it_open():
    rng = np.random.default_rng(1)
    drawn = [world.random_walls(rng) for _ in range(50)]
    assert all(len(walls) == 7 and world.LAB in walls for walls in drawn)
    assert all(world.connected(walls) and world.connected(walls - {world.LAB}) for walls in drawn)
    assert not any(walls & set(world.SITES.values()) for walls in drawn)
    assert not world.connected(frozenset({1, 5}))


def test_cells_are_worth_what_the_family_says():
    env = world.build()
    theta = np.array([1.0, 0.0, 0.0, 0.0, 0.5, 0.0, -2.0])
    reward = world.family(lab=True).reward(env, theta)
    assert (reward == reward[:, :1]).all()
    expected = [0.5 * 0.6 ** (row + abs(column - 4)) for row in range(5) for column in range(5)]
    expected[0] += 1
    expected[24] -= 2
    np.testing.assert_allclose(reward[:, 0], expected, atol=1e-15)
    assert world.family().parameters == world.family(lab=True).parameters[:6]


@pytest.mark.parametrize("horizon", [3, None])
def test_objectives_that_differ_in_the_lab_alone_act_alike_where_it_is_closed(horizon):
    rng = np.random.default_rng(2)
    walls = world.random_walls(rng)
    twins = world.with_lab(world.services(rng, 5), np.array([-1.0, 1.0])).reshape(5, 2, 7)
    differs = []
    for pair in twins:
        agents = [
            ii.agents.Optimal(world.family(lab=True), theta)
            if horizon is None
            else ii.agents.ShortSighted(world.family(lab=True), theta, horizon)
            for theta in pair
        ]
        closed, opened = world.build(walls), world.build(walls - {world.LAB})
        free = ~closed.absorbing
        np.testing.assert_array_equal(agents[0].policy(closed)[free], agents[1].policy(closed)[free])
        differs.append((agents[0].policy(opened) != agents[1].policy(opened)).any())
    assert all(differs)


def test_a_courier_that_is_paid_at_sites_alone_sees_nothing_far_away():
    env, theta = world.build(), np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    policy = ii.agents.ShortSighted(world.family(), theta, 3).policy(env)
    steps = np.add(*np.divmod(np.arange(25), 5))
    free = ~env.absorbing
    assert (np.ptp(policy[free & (steps >= 3)], axis=1) == 0).all()
    assert (np.ptp(policy[free & (steps < 3)], axis=1) > 0).all()


def test_draws_are_in_range():
    rng = np.random.default_rng(3)
    tops, offered = world.objectives(rng, 100), world.services(rng, 100)
    assert (tops[:, :3].max(axis=1) == 1).all()
    assert (tops[:, 3:] == 0).all()
    assert (tops >= 0).all()
    assert (offered.max(axis=1) == 1).all()
    assert (offered >= 0).all()
    np.testing.assert_array_equal(
        world.with_lab(offered[:2], np.array([-1.0, 2.0])),
        [[*offered[0], -1], [*offered[0], 2], [*offered[1], -1], [*offered[1], 2]],
    )


def test_the_picture_shows_walls_sites_and_whether_the_lab_is_open():
    assert world.picture() == "S...D\n.....\n.....\n.....\n..K.#"
    assert world.picture(frozenset({6, 12})) == "S...D\n.#...\n..#..\n.....\n..K.L"


def test_it_is_a_gymnasium_environment():
    checker = pytest.importorskip("gymnasium.utils.env_checker")
    env = world.build(world.random_walls(np.random.default_rng(4)))
    reward = np.where(env.absorbing[:, None], 0.0, world.family().reward(env, np.arange(6.0)))
    checker.check_env(env.to_gymnasium(reward, max_episode_steps=50), skip_render_check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"walls": frozenset({0})}, "walls: cell 0 is a site"),
        ({"walls": frozenset({30})}, "walls: cell 30"),
        ({"walls": frozenset({1, 5})}, "part the floor"),
        ({"slip": 1.0}, "slip: was 1.0"),
    ],
)
def test_floors_that_there_are_not_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        world.build(**arguments)
