"""Agents that look aligned: what each does where, and the errors of objectives in few bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from environments import dust_robot, flagged
from irl_ident.agents.pseudo_aligned import Corrigible, Deceptive, Misinformed, restricted_to, rounded

LAYOUT = flagged.Layout(3, frozenset({4}), (0, 8))


def flag_down(env):
    return np.arange(env.n_states) < flagged.HALF


@given(theta=st.lists(st.floats(-5, 5), min_size=1, max_size=6), bits=st.integers(1, 6))
@settings(deadline=None, max_examples=200)
def test_rounding_is_to_the_nearest_of_two_to_the_bits_levels(theta, bits):
    given_theta = np.array(theta)
    size = np.abs(given_theta).max()
    found = rounded(given_theta, bits)
    levels = np.linspace(-size, size, 2**bits)
    nearest = np.abs(given_theta[:, None] - levels).min(axis=1)
    np.testing.assert_allclose(np.abs(found - given_theta), nearest, atol=1e-12 * max(size, 1))
    assert np.abs(found[:, None] - levels).min(axis=1).max() <= 1e-12 * max(size, 1)


def test_wrong_bits_and_places_are_refused():
    with pytest.raises(ValueError, match="bits: was 0"):
        rounded([1.0], 0)
    with pytest.raises(ValueError, match="theta: should be finite"):
        rounded([np.nan], 2)
    with pytest.raises(ValueError, match="kept: was"):
        restricted_to(np.ones(2), [2])
    np.testing.assert_array_equal(restricted_to(np.array([3.0, 2.0, 1.0]), [2]), [0, 0, 1])


def test_a_deceiver_does_as_the_base_objective_says_while_watched_and_its_own_after():
    family, base = flagged.family(), flagged.ALIGNED
    own = base[[1, 0, 3, 2]]
    agent = Deceptive(family, own, base, flag_down)
    aligned, honest = ii.agents.Optimal(family, base), ii.agents.Optimal(family, own)
    down, up, both = (flagged.build(LAYOUT, flag) for flag in (0.0, 1.0, 0.5))
    np.testing.assert_array_equal(agent.policy(down), aligned.policy(down))
    np.testing.assert_array_equal(agent.policy(up), honest.policy(up))
    np.testing.assert_array_equal(agent.policy(both)[: flagged.HALF], aligned.policy(both)[: flagged.HALF])
    np.testing.assert_array_equal(agent.policy(both)[flagged.HALF :], honest.policy(both)[flagged.HALF :])
    np.testing.assert_array_equal(agent.mesa_objective(up), family.reward(up, own))
    impatient = Deceptive(family, own, base, flag_down, patience=0.5)
    assert not impatient.pretends
    np.testing.assert_array_equal(impatient.policy(down), honest.policy(down))
    with pytest.raises(ValueError, match="patience: was 0"):
        Deceptive(family, own, base, flag_down, patience=0.0)
    with pytest.raises(ValueError, match="deployment: was 0"):
        Deceptive(family, own, base, flag_down, deployment=0)


def test_a_misinformed_agent_is_optimal_in_the_world_that_it_believes_in():
    family, objective = dust_robot.family(), dust_robot.LEAST_DUST
    env = dust_robot.build(redust=0.4)
    agent = Misinformed(family, objective, dust_robot.believed)
    model = dust_robot.believed(env)
    np.testing.assert_array_equal(agent.policy(env), ii.agents.Optimal(family, objective).policy(model))
    base = family.reward(env, dust_robot.BASE)
    assert ii.distances.reward_result_gap(agent, base, env).regret < 1e-12
    assert ii.distances.reward_result_gap(ii.agents.Optimal(family, objective), base, env).regret == pytest.approx(1)
    wrong = Misinformed(family, objective, lambda env: ii.builders.random_environment(3, 2, 0.9, seed=0))
    with pytest.raises(ValueError, match="believed: gave 3 states"):
        wrong.policy(env)


def test_a_corrigible_agent_pursues_what_it_is_told():
    family = flagged.family()
    told = {0.0: flagged.ALIGNED, 1.0: flagged.DECEPTIVE}
    agent = Corrigible(family, lambda env: told[float(env.initial[flagged.HALF :].sum())])
    for flag, theta in told.items():
        env = flagged.build(LAYOUT, flag)
        np.testing.assert_array_equal(agent.policy(env), ii.agents.Optimal(family, theta).policy(env))
        np.testing.assert_array_equal(agent.mesa_objective(env), family.reward(env, theta))
