"""Grids with a hazard, held to a walk by the rules and to the price of crossing."""

import numpy as np
import pytest

import irl_ident as ii
from environments import hazard_grid as world
from environments.object_grid import Layout


def walked(ground, place, move):
    """By the rules: from a cell or ``(thing, cell)``, where a sure move leads."""
    thing, cell = place
    if thing in ("goal", "other"):
        return place
    row, column = divmod(cell, 4)
    r, c = row + move[0], column + move[1]
    if not (0 <= r < 4 and 0 <= c < 4) or r * 4 + c in ground.layout.walls:
        r, c = row, column
    on = dict(zip(ground.layout.objects, world.THINGS, strict=True))
    return on.get(r * 4 + c), r * 4 + c


def state_of(place):
    thing, cell = place
    return cell if thing is None else world.thing(thing)


@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_the_table_follows_the_rules(slip):
    rng = np.random.default_rng(0)
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    for _ in range(10):
        drawn = world.random_ground(rng)
        ground = world.Ground(drawn.layout, drawn.start, slip)
        env = world.build(ground)
        table = env.dense()
        blocked = ground.layout.walls | set(ground.layout.objects)
        places = [(None, cell) for cell in range(16) if cell not in blocked]
        places += list(zip(world.THINGS, ground.layout.objects, strict=True))
        for place in places:
            for action in range(4):
                expected = np.zeros(env.n_states)
                for turn, chance in ((0, 1 - slip), (1, slip / 2), (3, slip / 2)):
                    expected[state_of(walked(ground, place, moves[(action + turn) % 4]))] += chance
                np.testing.assert_allclose(table[state_of(place), action], expected, atol=1e-15)
        assert env.absorbing[[world.thing("goal"), world.thing("other")]].all()
        assert not env.absorbing[world.thing("hazard")]


def crosses(ground, theta, discount=0.9):
    env = world.build(ground, discount=discount)
    policy = ii.agents.Optimal(world.family(), theta).policy(env)
    return bool(ii.planning.occupancy(env, policy)[world.thing("hazard")].sum() > 0)


def test_the_hazard_is_in_the_way_in_deployment():
    assert world.picture(world.DEPLOYMENT) == "HG..\nS#..\n....\n...O"
    for discount in (0.7, 0.9, 0.95):
        theta = np.array([1.0, 0.0, 0.0])
        price = world.price_of_crossing(2, 6, 1, theta, discount=discount)
        for shift in (-0.01, 0.01):
            theta[2] = price + shift
            assert crosses(world.DEPLOYMENT, theta, discount) == (shift > 0)


def test_who_fears_the_hazard_goes_around_and_who_does_not_goes_across():
    rng = np.random.default_rng(0)
    for theta in world.objectives(rng, 20):
        assert not crosses(world.DEPLOYMENT, theta)
        assert np.abs(theta).max() == 1
    for theta in world.objectives(rng, 20, feared=False):
        assert crosses(world.DEPLOYMENT, theta)


def test_nobody_needs_the_hazard_in_random_grounds():
    """Without slips a hazard that is as bad as can be is crossed by nobody, in none of them."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        drawn = world.random_ground(rng)
        assert drawn.layout.objects[2] in world.CORNERS
        assert not crosses(world.Ground(drawn.layout, drawn.start), [0.1, 0.1, -1])


def test_rewards_carry_over():
    rng = np.random.default_rng(2)
    theta = world.objectives(rng, 1)[0]
    agent = ii.agents.Optimal(world.family(), theta)
    seen = [(env, agent.policy(env)) for env in (world.build(world.random_ground(rng)) for _ in range(6))]
    first, last = (ii.identify(seen[:n], world.family()) for n in (1, 6))
    assert last.contains(theta)
    assert last.diameter()[1] < first.diameter()[0]


def test_layouts_are_checked():
    with pytest.raises(ValueError, match="start: cell 5 is not free"):
        world.Ground(world.DEPLOYMENT.layout, 5)
    with pytest.raises(ValueError, match="4 cells a side and 3 objects"):
        world.Ground(Layout(4, frozenset(), (1, 2)), 5)
