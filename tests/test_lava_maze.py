"""Mazes with lava, held to the published maps and to MiniGrid's own rules."""

import numpy as np
import pytest

import irl_ident as ii
from environments import lava_maze

PUBLISHED = {
    "scattered": ([(6, 6), (6, 2), (2, 6)], [(1, 4), (3, 2), (4, 2), (2, 4), (6, 5), (7, 5)]),
    "bars": ([(7, 4), (2, 7), (5, 1)], [(3, 2), (3, 3), (3, 4), (5, 5), (5, 6), (5, 7)]),
}
"""Column and row of goals and lava in the code published with the paper, the wall around counted."""


@pytest.mark.parametrize("map_name", lava_maze.MAPS)
def test_maps_are_the_published_ones(map_name):
    rows = lava_maze.MAPS[map_name]
    at = {
        letter: {(x + 1, y + 1) for y, row in enumerate(rows) for x, c in enumerate(row) if c in letter}
        for letter in ("ABC", "L", "S")
    }
    goals, lava = PUBLISHED[map_name]
    assert (at["ABC"], at["L"], at["S"]) == (set(goals), set(lava), {(1, 1)})


@pytest.mark.parametrize("map_name", lava_maze.MAPS)
def test_moves_and_ends_are_minigrids(map_name):
    minigrid = pytest.importorskip("minigrid.minigrid_env")
    from minigrid.core.grid import Grid
    from minigrid.core.mission import MissionSpace
    from minigrid.core.world_object import Goal, Lava, Wall

    walls = lava_maze.random_walls(np.random.default_rng(0), 0.3, map_name=map_name)
    goals, lava = PUBLISHED[map_name]

    class Theirs(minigrid.MiniGridEnv):
        def _gen_grid(self, width, height):
            self.grid = Grid(width, height)
            self.grid.wall_rect(0, 0, width, height)
            for kind, places in ((Goal, goals), (Lava, lava)):
                for place in places:
                    self.put_obj(kind(), *place)
            for cell in walls:
                self.put_obj(Wall(), cell % 7 + 1, cell // 7 + 1)
            self.agent_pos, self.agent_dir = (1, 1), 0

    theirs = Theirs(mission_space=MissionSpace(lambda: ""), grid_size=9, max_steps=10**6)
    theirs.reset()
    env = lava_maze.build(walls, map_name=map_name)
    table = env.dense()
    things = {(x, y) for x, y in goals + lava}
    free = [c for c in range(49) if c not in walls and (c % 7 + 1, c // 7 + 1) not in things]
    assert len(free) > 20
    for cell in free:
        for action, direction in enumerate((3, 0, 1, 2)):
            theirs.agent_pos, theirs.agent_dir = (cell % 7 + 1, cell // 7 + 1), direction
            _, _, ended, *_ = theirs.step(theirs.actions.forward)
            there = int(table[cell, action].argmax())
            assert table[cell, action, there] == 1
            if ended:
                kind = theirs.grid.get(*theirs.agent_pos).type
                assert env.absorbing[there]
                assert env.states[there].startswith(kind)
            else:
                x, y = theirs.agent_pos
                assert there == (y - 1) * 7 + x - 1


def test_the_expert_goes_to_the_closest_goal_around_the_lava():
    """As in figure 1 of the paper; a wall in the way makes it another goal."""
    theta = [0, 1, 1, 1, -1]
    ends = {}
    for walls in (frozenset(), frozenset({2})):
        env = lava_maze.build(walls)
        policy = ii.agents.Optimal(lava_maze.family(), theta).policy(env)
        path = ii.agents.rollout(env, policy, episodes=1, horizon=30, seed=0)
        steps = [env.states[s] for s in path.states[0]]
        goal = next(i for i, name in enumerate(steps) if name.startswith("goal"))
        assert not any(name.startswith("lava") for name in steps)
        ends[walls] = steps[goal], goal
    assert ends == {frozenset(): ("goal B", 4), frozenset({2}): ("goal C", 7)}


def test_walls_leave_goals_lava_and_the_start_alone_and_come_as_often_as_asked():
    rng = np.random.default_rng(1)
    for share in lava_maze.SHARES:
        drawn = [lava_maze.random_walls(rng, share) for _ in range(300)]
        for walls in drawn[:50]:
            lava_maze.build(walls)
            assert not walls & {0, 1, 7, 8}
        open_cells = 49 - 3 - 6 - 4
        np.testing.assert_allclose(np.mean([len(walls) for walls in drawn]) / open_cells, share, atol=0.02)
    with pytest.raises(ValueError, match="walls: cell 4 is not free"):
        lava_maze.build(frozenset({4}))


def test_rewards_carry_over_between_maps():
    rng = np.random.default_rng(0)
    mazes = lava_maze.candidates(rng, 6)
    assert len({env.digest for env in mazes}) == 6
    theta = lava_maze.objectives(rng, 1)[0]
    agent = ii.agents.Optimal(lava_maze.family(), theta)
    ident = ii.identify([(env, agent.policy(env)) for env in mazes], lava_maze.family())
    assert ident.contains(theta)
    assert ident.diameter()[1] < ii.identify([(mazes[0], agent.policy(mazes[0]))], lava_maze.family()).diameter()[0]


def test_only_slips_tell_the_price_of_lava():
    """Without them lava that is somewhat bad is kept off like lava that is as bad as can be."""
    mild, bad = np.array([0, 1, 0.8, 0.9, -0.01]), np.array([0, 1, 0.8, 0.9, -1])
    differs = []
    for slip in (0.0, 0.1):
        env = lava_maze.build(slip=slip)
        policies = [ii.agents.Optimal(lava_maze.family(), theta).policy(env) for theta in (mild, bad)]
        differs.append(bool((policies[0] != policies[1]).any()))
    assert differs == [False, True]
