"""Scores: an estimate against the agent, in one environment."""

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import distances
from irl_ident.scoring import DYNAMICS_BLIND, UNSOUND, Score
from irl_ident.solvers.base import Convergence, Estimate
from tests.worlds import random_environment

FAMILY = ii.rewards.StateActionRewards(4, 3)
ENV = random_environment(1, 4, 3)


def estimate(agent):
    return Estimate(None, agent, "nothing", 0.0, Convergence("converged", 1, "nothing", 0.0), "any")


def optimal(theta):
    return ii.agents.Optimal(FAMILY, np.asarray(theta).ravel())


def rewards(seed):
    return np.random.default_rng(seed).normal(size=(4, 3))


class Cloned(ii.agents.Agent):
    """A policy without an objective."""

    def __init__(self, policy):
        self.shown = policy

    def policy(self, env):
        return self.shown


def test_the_same_objective_in_other_words_is_no_error():
    truth = rewards(0)
    shaped = 3 * truth + ENV.shaping.dot([5.0, -3, 1, 0]).reshape(4, 3)
    score = ii.score(estimate(optimal(shaped)), optimal(truth), ENV)
    numbers = [score.starc, score.starc_minimal, score.policy_regret, score.policy_distance]
    np.testing.assert_allclose([*numbers, score.regret.even, score.regret.most], 0, atol=1e-8)
    assert score.epic > 0.1


def test_each_number_is_its_distance():
    truth, guess = rewards(0), rewards(1)
    agent, other = ii.agents.SoftOptimal(FAMILY, truth.ravel(), temperature=0.5), optimal(guess)
    score = ii.score(estimate(other), agent, ENV)
    assert score.starc == distances.starc(guess, truth, ENV)
    assert score.starc_minimal == distances.starc(guess, truth, ENV, "minimal")
    assert score.epic == distances.epic(guess, truth, ENV)
    assert score.dard == distances.dard(guess, truth, ENV)
    assert score.regret == distances.optimised_regret(guess, truth, ENV)
    assert score.policy_regret == distances.regret(ENV, truth, other.policy(ENV))
    assert (score.gap, score.predicted_gap) == (None, None)


def test_distance_of_policies_counts_where_the_agent_is():
    table = np.zeros((3, 2, 3))
    table[0, :, 1] = table[1, :, 1] = table[2, :, 2] = 1
    env = ii.Environment(table, 0.5, [1, 0, 0])
    family = ii.rewards.StateActionRewards(3, 2)
    agent = ii.agents.Optimal(family, [1, 0, 1, 0, 1, 0])
    never = ii.score(estimate(ii.agents.Optimal(family, [1, 0, 1, 0, 0, 1])), agent, env)
    first = ii.score(estimate(ii.agents.Optimal(family, [0, 1, 1, 0, 1, 0])), agent, env)
    tied = ii.score(estimate(ii.agents.Optimal(family, [0, 0, 1, 0, 1, 0])), agent, env)
    np.testing.assert_allclose([never.policy_distance, never.policy_regret], 0, atol=1e-12)
    np.testing.assert_allclose([first.policy_distance, first.policy_regret], 0.5, rtol=1e-12)
    np.testing.assert_allclose(tied.policy_distance, 0.25, rtol=1e-12)
    np.testing.assert_allclose([tied.regret.least, tied.regret.even, tied.regret.most], [0, 0.25, 0.5], atol=1e-9)
    assert "(from 0.0000 to 0.5000 among its optimal policies)" in str(tied)


def test_the_agent_says_which_states_count():
    table = np.zeros((3, 2, 3))
    table[0, 0, 1] = table[0, 1, 2] = table[1, :, 1] = table[2, :, 2] = 1
    env = ii.Environment(table, 0.5, [1, 0, 0])
    family = ii.rewards.StateActionRewards(3, 2)
    agent, other = ii.agents.Optimal(family, [9, 0, 1, 0, 1, 0]), ii.agents.Optimal(family, [0, 9, 1, 0, 0, 1])
    np.testing.assert_allclose(ii.score(estimate(other), agent, env).policy_distance, 0.5, rtol=1e-12)


def test_an_estimate_without_a_reward_is_scored_by_its_policy():
    truth = rewards(0)
    agent = optimal(truth)
    score = ii.score(estimate(Cloned(np.full((4, 3), 1 / 3))), agent, ENV)
    assert [score.starc, score.starc_minimal, score.epic, score.dard, score.regret] == [None] * 5
    np.testing.assert_allclose(score.policy_regret, distances.regret(ENV, truth, np.full((4, 3), 1 / 3)))
    np.testing.assert_allclose(score.policy_distance, 2 / 3)
    assert "recovers no reward" in score.notes[0]
    assert str(score).count("not known") == 3
    exact = ii.score(estimate(Cloned(agent.policy(ENV))), agent, ENV)
    np.testing.assert_allclose([exact.policy_regret, exact.policy_distance], 0, atol=1e-12)


def test_distances_that_rounding_hides_are_left_out_and_the_others_kept():
    shaping = (ENV.shaping @ np.random.default_rng(0).normal(size=4)).reshape(4, 3)
    score = ii.score(estimate(optimal(shaping + 1e-11 * rewards(1))), optimal(rewards(0)), ENV)
    assert score.starc is None
    assert score.starc_minimal is None
    assert score.regret is not None
    assert score.epic is not None
    assert [note[:20] for note in score.notes[1:]] == ["STARC (val): r1: the", "STARC (minimal): r1:"]
    assert "STARC, in [0, 2]         not known\n" in str(score)


def test_gaps_under_the_base_objective():
    base, truth, guess = rewards(0), rewards(1), rewards(2)
    score = ii.score(estimate(optimal(guess)), optimal(truth), ENV, base_objective=base)
    assert score.gap == distances.reward_result_gap(optimal(truth), base, ENV)
    assert score.predicted_gap == distances.reward_result_gap(optimal(guess), base, ENV)
    assert f"{score.gap.regret:.4f}, predicted {score.predicted_gap.regret:.4f}" in str(score)


def test_notes_say_when_epic_is_not_sound():
    truth, guess = rewards(0), rewards(1)
    moves = np.zeros((4, 3, 4))
    moves[:, :, 0] = 1
    sure = ii.score(estimate(optimal(guess)), optimal(truth), ii.Environment(moves, 0.9))
    chancy = ii.score(estimate(optimal(guess)), optimal(truth), ENV)
    assert sure.notes == (DYNAMICS_BLIND,)
    assert chancy.notes == (UNSOUND,)
    assert f"note: {UNSOUND}" in str(chancy)
    assert isinstance(chancy, Score)


def test_bad_input_is_named():
    good = optimal(rewards(0))
    with pytest.raises(ValueError, match=r"agent: should have a known mesa_objective\(env\).*Cloned has none"):
        ii.score(estimate(good), Cloned(np.full((4, 3), 1 / 3)), ENV)
    with pytest.raises(
        ValueError, match=r"estimate: should have policy\(env\) and reward\(env\), Optimal has no reward"
    ):
        ii.score(good, good, ENV)
    with pytest.raises(ValueError, match=r"base_objective\[0, 0\] is nan"):
        ii.score(estimate(good), good, ENV, base_objective=np.full((4, 3), np.nan))
    with pytest.raises(ValueError, match=r"policy\[0\] sums to 0.0"):
        ii.score(estimate(Cloned(np.zeros((4, 3)))), good, ENV)
    with pytest.raises(ValueError, match="StateActionRewards: is for 4 states, the environment has 5"):
        ii.score(estimate(good), good, random_environment(1, 5, 3))
