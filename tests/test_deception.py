"""Deceit in a training process: the rules, the closed form, and figure 4.1 of Hubinger et al. (2019)."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from environments import deception as world
from irl_ident.agents.pseudo_aligned import Deceptive


def shown(theta, training, deployment, **options):
    env = world.build(training, deployment, **options)
    policy = ii.agents.Optimal(world.family(training, deployment), theta).policy(env)
    return "".join(world.reached(env, policy, training + deployment))


def test_figure_4_1():
    """Two training and three deployment episodes: A in training, B in deployment."""
    assert shown(world.OWN, 2, 3, discount=0.99) == "AABBB"
    assert shown(world.BASE, 2, 3, discount=0.99) == "AAAAA"
    assert world.picture() == "A.B\n...\nS.."


def test_an_undiscounted_planner_pretends_for_more_than_one_episode_of_deployment():
    """With no discount pretending is worth the number of deployment episodes, deviating at once 1."""
    for deployment in (1, 2, 3):
        assert world.worth_pretending(2, deployment, discount=1.0) == deployment
    assert shown(world.OWN, 4, 2, discount=0.999) == "AAAABB"


@pytest.mark.parametrize("start", [3, 4, 6, 7, 8])
@pytest.mark.parametrize("discount", [0.6, 0.8, 0.9, 0.95, 0.99])
def test_planning_pretends_iff_the_closed_form_says_so(discount, start):
    for training in range(1, 5):
        for deployment in range(1, 5):
            worth = world.worth_pretending(training, deployment, discount=discount, start=start)
            assert abs(worth - 1) > 1e-9
            found = shown(world.OWN, training, deployment, discount=discount, start=start)
            honest = "B" + "A" * (training + deployment - 1)
            assert found == ("A" * training + "B" * deployment if worth > 1 else honest)


@given(n=st.integers(0, 6), m=st.integers(1, 6), g=st.floats(0.05, 0.99))
@settings(deadline=None, max_examples=200)
def test_the_closed_form_is_the_geometric_sum(n, m, g):
    """From the middle of the bottom row A and B are equally far, and an episode is four steps."""
    episode = g**4
    assert world.worth_pretending(n, m, discount=g, start=7) == pytest.approx(
        episode**n * (1 - episode**m) / (1 - episode)
    )


def test_the_agent_that_is_built_pretends_where_the_planner_does():
    for training, deployment, patience in [
        (2, 3, 1.0),
        (2, 3, 0.7),
        (1, 1, 0.9),
        (0, 2, 0.4),
        (0, 1, 0.9),
        (3, 5, 0.85),
    ]:
        env = ii.Environment(np.ones((1, 2, 1)), 0.9)
        agent = Deceptive(
            ii.rewards.StateActionRewards(1, 2), [0, 1], [1, 0], lambda env: [True], training, deployment, patience
        )
        pays = patience**training * (deployment if patience == 1 else (1 - patience**deployment) / (1 - patience)) > 1
        assert agent.pretends == pays
        np.testing.assert_array_equal(agent.policy(env), [[1, 0]] if pays else [[0, 1]])


def test_moves_and_notices():
    env = world.build(1, 1)
    table = env.dense()

    def after(episode, status, cell, action):
        return env.states[int(table[world.state(episode, status, cell), world.ACTIONS.index(action)].argmax())]

    assert after(0, 0, 6, "up") == "episode 0, unnoticed, r1c0"
    assert after(0, 0, 6, "right") == "episode 0, noticed, r2c1"
    assert after(0, 0, 6, "left") == "episode 0, noticed, r2c0"
    assert after(0, 1, 7, "up") == "episode 0, noticed, r1c1"
    assert after(0, 0, 5, "up") == "episode 0, noticed, r0c2"
    assert after(0, 0, 5, "left") == "episode 0, unnoticed, r1c1"
    assert after(1, 0, 6, "right") == "episode 1, unnoticed, r2c1"
    for action in world.ACTIONS:
        assert after(0, 0, world.A, action) == "episode 1, unnoticed, r2c0"
        assert after(0, 0, world.B, action) == "episode 1, unnoticed, r2c0"
        assert after(0, 1, world.B, action) == "episode 1, modified, r2c0"
        assert after(1, 2, 8, action) == "episode 1, modified, r2c1"
        assert after(1, 2, 3, action) == "episode 1, modified, r0c0"
        assert after(1, 2, 1, action) == "episode 1, modified, r0c0"
        assert after(1, 0, world.A, action) == "over"


def test_distances_and_what_is_refused():
    for cell in range(9):
        row, column = divmod(cell, 3)
        assert (world.to_a(cell), world.to_b(cell)) == (row + column, row + 2 - column)
    with pytest.raises(ValueError, match="start: was 0"):
        world.build(start=0)
    with pytest.raises(ValueError, match="deployment: was 0"):
        world.build(2, 0)


def test_gymnasium():
    env = world.build()
    check_env(env.to_gymnasium(world.family().reward(env, world.BASE)), skip_render_check=True)
