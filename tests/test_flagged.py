"""The grid with a flag: what the flag's being down says about its being up, which depends on the family alone."""

import numpy as np
import pytest

import irl_ident as ii
from environments import flagged as world
from environments.object_grid import Layout

LAYOUT = Layout(3, frozenset({4}), (0, 8))


def steps(layout, start):
    """Breadth-first distances of A and B from a cell, past walls and not across things."""
    found = {}
    reached, ahead, n = {start}, [start], 0
    while ahead:
        following = []
        for cell in ahead:
            row, column = divmod(cell, 3)
            for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                there = r * 3 + c
                if not (0 <= r < 3 and 0 <= c < 3) or there in layout.walls or there in reached:
                    continue
                reached.add(there)
                if there in layout.objects:
                    found["AB"[layout.objects.index(there)]] = n + 1
                else:
                    following.append(there)
        ahead, n = following, n + 1
    return found


def ends(env, theta, start):
    """Where an optimal agent ends that starts in a state."""
    policy = ii.agents.Optimal(world.family(), theta).policy(env)
    from_here = ii.Environment(env.transitions, env.discount, np.eye(env.n_states)[start])
    path = ii.agents.rollout(from_here, policy, episodes=1, horizon=30, seed=0).states[0]
    return int(path[path >= 0][-1])


def test_preferences_switch_with_distance_and_flag():
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(15):
        layout = world.random_layout(rng)
        env = world.build(layout, 0.5)
        theta = rng.uniform(0.2, 1, 4)
        for cell in np.flatnonzero(world.build(layout).initial).tolist():
            far = steps(layout, cell)
            for flag in (False, True):
                worth = {name: 0.9 ** far[name] * theta[2 * flag + "AB".index(name)] for name in far}
                if len(worth) < 2 or abs(worth["A"] - worth["B"]) < 1e-6:
                    continue
                expected = world.thing(max(worth, key=worth.get), flag=flag)
                assert ends(env, theta, cell + world.HALF * flag) == expected
                compared += 1
    assert compared > 50


def test_the_deceiver_is_seen_only_under_the_flag():
    aligned, deceiver = (ii.agents.Optimal(world.family(), theta) for theta in (world.ALIGNED, world.DECEPTIVE))
    rng = np.random.default_rng(0)
    for _ in range(20):
        layout = world.random_layout(rng)
        down, up = (world.build(layout, flag) for flag in (0, 1))
        np.testing.assert_array_equal(aligned.policy(down), deceiver.policy(down))
        assert (aligned.policy(up) != deceiver.policy(up)).any()


@pytest.mark.parametrize(("flag", "known"), [(0.0, 0), (1.0, 2)])
def test_one_side_of_the_flag_says_nothing_of_the_other(flag, known):
    env = world.build(LAYOUT, flag)
    ident = ii.identify([(env, ii.agents.Optimal(world.family(), world.ALIGNED).policy(env))], world.family())
    prefers = np.roll([1.0, -1.0, 0.0, 0.0], known)
    np.testing.assert_allclose([ident.support(-prefers)[0], ident.support(prefers)[0]], [0, 2], atol=1e-9)
    elsewhere = np.roll(prefers, 2)
    np.testing.assert_allclose([ident.support(-elsewhere)[0], ident.support(elsewhere)[0]], 2, atol=1e-9)


def test_where_nothing_depends_on_the_flag_training_tells_deployment():
    family = world.family(flagged=False)
    env = world.build(LAYOUT, start=1)
    ident = ii.identify([(env, ii.agents.Optimal(family, [1.0, 0.4]).policy(env))], family)
    up = world.build(LAYOUT, 1.0, start=1)
    for theta in ident.sample(50, seed=0):
        reward = family.reward(up, theta)
        visits = ii.planning.occupancy(up, ii.agents.Optimal(family, theta).policy(up))
        assert visits[world.thing("B", flag=True)].sum() < 1e-12
        np.testing.assert_array_equal(reward[: world.HALF], reward[world.HALF :])


def test_flags_are_drawn_before_episodes_and_starts_are_where_they_are_said_to_be():
    env = world.build(LAYOUT, 0.25, start=2, slip=0.2)
    assert {env.states[s]: p for s, p in enumerate(env.initial) if p} == {
        "r0c2, flag down": 0.75,
        "r0c2, flag up": 0.25,
    }
    table = env.dense()
    np.testing.assert_array_equal(table[: world.HALF, :, world.HALF :], 0)
    np.testing.assert_array_equal(table[world.HALF :, :, : world.HALF], 0)
    row = {env.states[s]: p for s, p in enumerate(table[2, 3]) if p}
    assert row == pytest.approx({"r0c1, flag down": 0.8, "r0c2, flag down": 0.1, "r1c2, flag down": 0.1})
    assert world.picture(LAYOUT, 2) == "A.S\n.#.\n..B"
    assert env.states[world.thing("A", flag=True)] == "A, flag up"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="start: cell 4 is not free"):
        world.build(LAYOUT, start=4)
    with pytest.raises(ValueError, match="flag: was 2"):
        world.build(LAYOUT, 2)
    with pytest.raises(ValueError, match="2 objects"):
        world.build(Layout(3, frozenset(), (1,)))


def test_drawn_objectives_prefer_a_in_training():
    rng = np.random.default_rng(0)
    for deceptive in (False, True):
        theta = world.objectives(rng, 50, deceptive=deceptive)
        assert (theta[:, 0] > theta[:, 1]).all()
        assert ((theta[:, 2] > theta[:, 3]) == (not deceptive)).all()
