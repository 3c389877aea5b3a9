"""Coin corridor, held to the rules in its description one by one."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import irl_ident as ii
from environments import coin_corridor as world

LETTERS = {"l": world.LEFT, "r": world.RIGHT, "u": world.UP, "d": world.DOWN}
AT_END, IN_POCKET, OVER = (world.cell(name) for name in ("coin at the end", "coin in a pocket", "over"))


def play(env, moves):
    """Names of the states that moves lead through, the start included."""
    table, state = env.dense(), int(env.initial.argmax())
    seen = [env.states[state]]
    for letter in moves:
        state = int(table[state, LETTERS[letter]].argmax())
        seen.append(env.states[state])
    return seen


def test_moves_are_sure_and_a_level_has_columns_and_pockets():
    env = world.build(3)
    table = env.dense()
    assert set(np.unique(table)) == {0.0, 1.0}
    assert env.n_states == 17
    assert play(env, "ruldr") == ["column 0", "column 1", "pocket 1", "pocket 1", "column 1", "column 2"]
    assert play(env, "rurudr")[2:] == ["pocket 1", "pocket 1", "pocket 1", "column 1", "column 2"]


def test_walls_stop_moves():
    env = world.build(3)
    assert play(env, "lud") == ["column 0"] * 4
    assert play(env, "r" * 9 + "ud")[-5:] == ["column 7"] * 5


def test_without_the_coin_the_end_is_a_cell_like_others():
    env = world.build(2)
    assert play(env, "r" * 7 + "l")[-2:] == ["column 7", "column 6"]
    assert not env.absorbing[world.cell("column 7")]


def test_who_comes_to_the_coin_has_it_and_the_episode_is_over():
    assert play(world.build(), "r" * 7 + "lr")[-3:] == ["coin at the end", "over", "over"]
    assert play(world.build(2), "rrudu")[-3:] == ["coin in a pocket", "over", "over"]
    assert play(world.build(2), "rrrluu")[-2:] == ["coin in a pocket", "over"]


@pytest.mark.parametrize("coin", range(1, 8))
def test_only_over_and_the_cell_of_the_coin_are_absorbing_and_all_other_cells_are_reached(coin):
    env = world.build(coin)
    own = world.cell("column 7" if coin == 7 else f"pocket {coin}")
    other = IN_POCKET if coin == 7 else AT_END
    np.testing.assert_array_equal(np.flatnonzero(env.absorbing), [own, OVER])
    np.testing.assert_array_equal(np.flatnonzero(~env.reachable), sorted([own, other]))


@pytest.mark.parametrize("coin", range(1, 8))
def test_the_coin_pays_once_on_arrival(coin):
    env = world.build(coin, discount=0.9)
    moves = coin if coin == 7 else coin + 1
    best = ii.planning.optimal(env, world.family().reward(env, world.BASE))
    np.testing.assert_allclose(env.initial @ best.values, 0.9**moves)


def test_who_wants_the_end_stays_there_and_gets_the_coin_only_where_it_lies_there():
    agent = ii.agents.Optimal(world.family(), world.PROXY)
    assert ii.agents.rollout(world.build(), agent.policy(world.build()), episodes=1, horizon=30, seed=0).states[0][
        -1
    ] in (AT_END, OVER)
    for coin in range(1, 7):
        env = world.build(coin, discount=0.9)
        visits = ii.planning.occupancy(env, agent.policy(env)).sum(axis=1)
        np.testing.assert_allclose(visits[world.cell("column 7")], 0.9**7 / (1 - 0.9))
        assert visits[IN_POCKET] == 0
        np.testing.assert_allclose(visits @ world.family().reward(env, world.PROXY)[:, 0], 0.9**7 / 0.1)


def test_step_pays_until_over():
    env = world.build(discount=0.9)
    right = np.eye(4)[np.full(env.n_states, world.RIGHT)]
    value = env.initial @ ii.planning.evaluate(env, world.family().reward(env, [0, 0, -1]), right)
    np.testing.assert_allclose(value, -(0.9 ** np.arange(8)).sum())


def test_objectives_agree_on_the_way_to_the_coin_at_the_end_and_differ_elsewhere():
    agents = [ii.agents.Optimal(world.family(), theta) for theta in (world.BASE, world.PROXY)]
    first, *others = world.levels()
    assert [env.digest for env in world.levels()] == [world.build(c).digest for c in (7, 1, 2, 3, 4, 5, 6)]
    on_way = np.arange(world.LENGTH - 1)
    np.testing.assert_array_equal(*(agent.policy(first)[on_way] for agent in agents))
    for env in others:
        one, other = (agent.policy(env) for agent in agents)
        assert one[world.coin_column(env), world.UP] == 1
        assert other[world.coin_column(env), world.RIGHT] == 1


@pytest.mark.parametrize("discount", [0.5, 0.9])
def test_to_who_is_indifferent_every_policy_is_worth_the_same(discount):
    rng = np.random.default_rng(0)
    for env in world.levels(discount=discount):
        policy = rng.dirichlet(np.ones(4), env.n_states)
        reward = world.family().reward(env, world.indifferent(discount))
        values = ii.planning.evaluate(env, reward, policy)
        np.testing.assert_allclose(values[:-1], 1 / (1 - discount))
        ident = ii.identify([(env, policy)], world.family())
        assert ident.contains(world.indifferent(discount))
        assert ident.contains(-world.indifferent(discount))


def test_shares_of_levels():
    np.testing.assert_allclose(world.shares(0.06), [0.94, *[0.01] * 6])
    assert world.shares(0.3, length=5).shape == (len(world.levels(length=5)),)
    with pytest.raises(ValueError, match=r"decorrelated: was 1.5, should be a probability"):
        world.shares(1.5)


def test_observations_are_of_the_place_and_of_the_coin_from_there():
    env = world.build(3)
    seen = world.observations(env, 0.25)
    assert seen.shape == (17, 27)
    at = seen[world.cell("column 1")]
    assert np.flatnonzero(at).tolist() == [1, 16 + 2, 24 + 2]
    np.testing.assert_array_equal(at[[1, 18, 26]], [1, 0.25, 0.25])
    inside = seen[world.cell("pocket 5")]
    assert np.flatnonzero(inside).tolist() == [5, 8, 16 - 2, 24 + 1]
    end = world.observations(world.build())[world.cell("column 6")]
    assert np.flatnonzero(end).tolist() == [6, 16 + 1, 24 + 1]
    assert not seen[14:].any()
    assert not world.observations(env, 0)[:, 9:].any()


def test_place_of_the_coin_is_read_off_the_transitions():
    assert [world.coin_column(world.build(c, length=6)) for c in range(1, 6)] == list(range(1, 6))
    with pytest.raises(ValueError, match=r"env: should be a level"):
        world.coin_column(ii.builders.random_environment(5, 4, discount=0.5, seed=0))


def test_pictures():
    assert world.picture(world.build()) == "#......#\nA......C"
    assert world.picture(world.build(2, length=5)) == "#.C.#\nA...."


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"coin: was 8, should be a column from 1 to 7"):
        world.build(8)
    with pytest.raises(ValueError, match=r"length: was 2"):
        world.build(length=2)
    with pytest.raises(ValueError, match=r"salience: was -1"):
        world.observations(world.build(), -1)


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("coin", [None, 4])
def test_gymnasium_accepts_it(coin):
    env = world.build(coin)
    check_env(env.to_gymnasium(world.family().reward(env, world.BASE)), skip_render_check=True)
