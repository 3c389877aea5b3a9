"""The maze with colours, held to a step-by-step walk by its rules."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import irl_ident as ii
from environments import colour_maze as world

KINDS = (world.in_the_corner, world.anywhere, world.shape_or_colour)
STEPS = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


def components(cells, side):
    """How many pieces a set of cells falls into, and how many pairs of neighbours it has."""
    left, pieces, pairs = set(cells), 0, 0
    while left:
        pieces += 1
        ahead = [left.pop()]
        while ahead:
            row, column = divmod(ahead.pop(), side)
            near = {
                (row + r) * side + column + c
                for r, c in STEPS.values()
                if 0 <= row + r < side and 0 <= column + c < side
            } & set(cells)
            pairs += len(near)
            ahead += near & left
            left -= near
    return pieces, pairs // 2


@pytest.mark.parametrize("side", [3, 5, 7])
def test_mazes_are_trees_of_all_rooms(side):
    rng = np.random.default_rng(side)
    for _ in range(20):
        free = world.random_free(rng, side)
        assert set(world.rooms(side)) <= free
        pieces, pairs = components(free, side)
        assert (pieces, pairs) == (1, len(free) - 1)
        assert all((cell // side) % 2 == 0 or (cell % side) % 2 == 0 for cell in free)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_walks_by_the_rules(kind):
    rng = np.random.default_rng(1)
    for _ in range(10):
        maze = kind(rng)
        side, things = maze.side, {thing.cell: thing for thing in maze.things}
        env = world.build(maze)
        table, here = env.dense(), int(env.initial.argmax())
        assert here == side * (side - 1)
        for _ in range(200):
            action = int(rng.integers(4))
            down, right = STEPS[env.actions[action]]
            row, column = here // side + down, here % side + right
            inside = 0 <= row < side and 0 <= column < side
            expected = row * side + column if inside and row * side + column in maze.free else here
            here = int(table[here, action].argmax())
            if expected in things:
                thing = things[expected]
                words = f"{'yellow' if thing.yellow else 'red'} {'line' if thing.line else 'gem'}"
                assert env.states[here] == words + " in the corner" * (expected == side - 1)
                assert env.absorbing[here]
                break
            assert here == expected


def test_kinds_of_mazes_are_the_published_ones():
    rng = np.random.default_rng(2)
    for _ in range(20):
        (thing,) = world.in_the_corner(rng).things
        assert thing == world.Thing(world.corner(), True, True)
        (thing,) = world.anywhere(rng).things
        assert (thing.line, thing.yellow) == (True, True)
        assert thing.cell not in (world.corner(), world.start())
        maze = world.shape_or_colour(rng)
        assert {(thing.line, thing.yellow) for thing in maze.things} == {(True, False), (False, True)}
        env = world.build(maze)
        assert env.reachable[[world.corner(), *(25 + world.taken(thing) for thing in maze.things)]].all()


@pytest.mark.parametrize(
    ("proxy", "training", "shifted"),
    [
        (world.POSITION, world.in_the_corner, world.anywhere),
        (world.COLOUR, world.anywhere, world.shape_or_colour),
        (world.COLOUR, world.in_the_corner, world.shape_or_colour),
    ],
)
def test_proxies_are_perfect_in_training_and_lose_everything_when_shifted(proxy, training, shifted):
    rng, family = np.random.default_rng(3), world.family()
    agent = ii.agents.Optimal(family, proxy)
    for draw, gap in ((training, 0.0), (shifted, 1.0)):
        for _ in range(5):
            env = world.build(draw(rng))
            found = ii.distances.reward_result_gap(agent, family.reward(env, world.BASE), env)
            assert found.regret == pytest.approx(gap, abs=1e-9)


def test_what_is_taken_is_worth_its_features_for_ever():
    maze = world.Maze(3, frozenset({0, 2, 6, 8, 1, 3, 7}), (world.Thing(2, True, False), world.Thing(8, False, True)))
    env, family = world.build(maze, discount=0.5), world.family(3)
    for theta, steps in ((world.BASE, 4), (world.POSITION, 4), (world.COLOUR, 2)):
        value = env.initial @ ii.planning.optimal(env, family.reward(env, theta)).values
        assert value == pytest.approx(0.5**steps / 0.5)
    assert world.picture(maze) == "..l\n.##\nS.G"


def test_what_is_no_maze_is_refused():
    with pytest.raises(ValueError, match="odd number"):
        world.Maze(4, frozenset(range(16)), ())
    with pytest.raises(ValueError, match="different free cells"):
        world.Maze(3, frozenset(range(9)), (world.Thing(6),))


def test_slips_go_to_the_sides():
    maze = world.anywhere(np.random.default_rng(0))
    sure, slipping = world.build(maze).dense(), world.build(maze, slip=0.2).dense()
    for action in range(4):
        sides = sure[:, (action + 1) % 4] + sure[:, action - 1]
        np.testing.assert_allclose(slipping[:, action], 0.8 * sure[:, action] + 0.1 * sides)


def test_gymnasium():
    env = world.build(world.anywhere(np.random.default_rng(0)), slip=0.2)
    reward = np.where(env.absorbing[:, None], 0.0, world.family().reward(env, world.POSITION))
    check_env(env.to_gymnasium(reward, max_episode_steps=30), skip_render_check=True)
