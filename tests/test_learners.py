"""Playing with learners, and the learners for Bernoulli bandits, against closed forms and published figures."""

import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from environments import bandit_tasks, mdp_tasks
from irl_ident.agents.bandits import (
    Counts,
    GittinsLearner,
    GreedyLearner,
    ThompsonSampling,
    UniformLearner,
    UpperConfidence,
    evenly,
)
from irl_ident.agents.gittins import gittins_indices, optimal_value
from irl_ident.agents.learners import Learner, draw_rows, play

N = 4000
"""Tasks; standard errors are then a few hundredths at 10 pulls."""


def score(learner, arms, pulls, *, seed=0, tasks=N):
    totals = play(learner, bandit_tasks.bernoulli(tasks, arms, np.random.default_rng(seed)), pulls, seed).totals
    return totals.mean(), totals.std(ddof=1) / np.sqrt(tasks)


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_draws_never_take_a_column_of_probability_0(seed, rows, columns):
    rng = np.random.default_rng(seed)
    probabilities = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.5)
    probabilities[np.arange(rows), rng.integers(columns, size=rows)] += 0.1
    drawn = draw_rows(probabilities, rng)
    assert (probabilities[np.arange(rows), drawn] > 0).all()


def test_draws_are_as_frequent_as_they_should_be():
    wanted = np.array([0.2, 0.0, 0.5, 0.3])
    drawn = draw_rows(np.tile(wanted, (40_000, 1)), np.random.default_rng(1))
    shares = np.bincount(drawn, minlength=4) / 40_000
    np.testing.assert_allclose(shares, wanted, atol=4 * np.sqrt(0.25 / 40_000))


class Repeating(Learner):
    """Notes all that it is told; does action ``(times called) mod A``."""

    n_actions = 5

    def begin(self, episodes, rng):
        return ()

    def probabilities(self, memory, observations):
        steps = sum(entry[0] == "updated" for entry in memory)
        return np.tile(np.eye(5)[steps % 5], (len(observations), 1))

    def updated(self, memory, observations, actions, outcomes, following):
        self.last = (*memory, ("updated", observations, actions, outcomes, following))
        return self.last

    def restarted(self, memory, observations):
        return (*memory, ("restarted", observations))


def test_a_learner_is_told_what_the_histories_say_and_of_each_inner_episode():
    learner, tasks = Repeating(), mdp_tasks.random_mdps(3, np.random.default_rng(0))
    played = play(learner, tasks, 25, seed=2)
    told = [entry for entry in learner.last if entry[0] == "updated"]
    np.testing.assert_array_equal(played.actions, np.tile(np.arange(25) % 5, (3, 1)))
    for step, (_, seen, actions, outcomes, following) in enumerate(told):
        np.testing.assert_array_equal(seen, played.observations[:, step])
        np.testing.assert_array_equal(actions, played.actions[:, step])
        np.testing.assert_array_equal(outcomes, played.outcomes[:, step])
        np.testing.assert_array_equal(following, played.following[:, step])
    kinds = [entry[0] for entry in learner.last]
    assert [place for place, kind in enumerate(kinds) if kind == "restarted"] == [10, 21]
    assert (played.observations[:, [0, 10, 20]] == 0).all()
    inside = [step for step in range(25) if step % 10 != 9]
    np.testing.assert_array_equal(played.observations[:, 1:][:, inside], played.following[:, inside])


def test_the_same_seed_gives_the_same_histories_and_another_gives_others():
    tasks = bandit_tasks.bernoulli(50, 5, np.random.default_rng(0))
    runs = [play(ThompsonSampling(5), tasks, 20, seed) for seed in (3, np.random.SeedSequence(3), 4)]
    np.testing.assert_array_equal(runs[0].actions, runs[1].actions)
    np.testing.assert_array_equal(runs[0].outcomes, runs[1].outcomes)
    assert (runs[0].actions != runs[2].actions).any()


def test_play_names_what_is_wrong():
    tasks = bandit_tasks.bernoulli(2, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="horizon: was 0"):
        play(UniformLearner(5), tasks, 0, seed=0)
    with pytest.raises(ValueError, match="learner: has 4 actions"):
        play(UniformLearner(4), tasks, 1, seed=0)


@pytest.mark.parametrize(("arms", "pulls"), [(2, 7), (10, 10)])
def test_random_pulls_earn_half_of_the_pulls(arms, pulls):
    mean, error = score(UniformLearner(arms), arms, pulls)
    assert abs(mean - pulls / 2) < 4 * error


PUBLISHED = [  # Duan et al. (2016), table 1, means of 1,000 bandits
    ("Thompson", 5, 10, 5.7),
    ("Thompson", 10, 10, 5.5),
    ("Thompson", 5, 100, 74.7),
    ("optimistic Thompson", 5, 10, 6.5),
    ("UCB1", 5, 10, 6.7),
    ("UCB1", 5, 100, 78.0),
    ("greedy", 5, 10, 6.6),
    ("greedy", 5, 100, 74.8),
]


@pytest.mark.parametrize(("name", "arms", "pulls", "published"), PUBLISHED)
def test_published_means_are_met(name, arms, pulls, published):
    learner = {
        "Thompson": ThompsonSampling(arms),
        "optimistic Thompson": ThompsonSampling(arms, 10),
        "UCB1": UpperConfidence(arms, 0.2),
        "greedy": GreedyLearner(arms),
    }[name]
    mean, error = score(learner, arms, pulls, tasks=2000)
    theirs = error * np.sqrt(2000 / 1000)
    assert abs(mean - published) < 3 * np.hypot(error, theirs) + 0.05  # theirs is rounded to one decimal


def test_greedy_is_even_among_equals_and_epsilon_spreads():
    counts = Counts(np.array([[2, 2, 0]]), np.array([[1, 1, 0]]), np.random.default_rng(0))
    np.testing.assert_allclose(GreedyLearner(3).probabilities(counts, np.zeros(1)), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(GreedyLearner(3, 0.3).probabilities(counts, np.zeros(1)), [[0.45, 0.45, 0.1]])


def test_ucb_is_its_formula():
    counts = Counts(np.array([[3, 0]]), np.array([[1, 1]]), np.random.default_rng(0))
    for c in (0.0, 0.3, 0.6, 1.0):
        scores = [4 / 6 + c * np.sqrt(2 * np.log(6) / 6), 1 / 3 + c * np.sqrt(2 * np.log(6) / 3)]
        np.testing.assert_array_equal(
            UpperConfidence(2, c).probabilities(counts, np.zeros(1)), evenly(np.array([scores]))
        )


def test_thompson_takes_an_arm_as_often_as_it_is_the_best_in_the_posterior():
    counts = Counts(np.tile([2, 0], (40_000, 1)), np.zeros((40_000, 2), dtype=int), np.random.default_rng(0))
    share = ThompsonSampling(2).probabilities(counts, np.zeros(40_000, dtype=int)).mean(axis=0)
    # P(p_1 > p_2), p_1 ~ Beta(3, 1), p_2 ~ Beta(1, 1): the mean of p_1, 3/4
    np.testing.assert_allclose(share, [0.75, 0.25], atol=4 * np.sqrt(0.19 / 40_000))


def test_the_most_likely_of_many_draws_is_near_the_mode():
    """Beta(3, 1) and Beta(1, 3): with many draws the densest has p_1 > p_2 almost surely, one draw has not."""
    counts = Counts(np.tile([2, 0], (2000, 1)), np.tile([0, 2], (2000, 1)), np.random.default_rng(0))
    shares = [ThompsonSampling(2, n).probabilities(counts, np.zeros(2000))[:, 0].mean() for n in (1, 50)]
    # one draw: 1 - E[p_2^3] = 19/20
    assert abs(shares[0] - 0.95) < 4 * np.sqrt(0.0475 / 2000)
    assert shares[1] > 0.999


def stopping_rate_by_brute_force(ones, zeros, left):
    """The largest E[ones] / E[pulls] over all rules that, after each history, go on or stop."""
    nodes = [history for length in range(1, left) for history in itertools.product((0, 1), repeat=length)]
    best = 0.0
    for goes_on in itertools.product((False, True), repeat=len(nodes)):
        rule = dict(zip(nodes, goes_on, strict=True))

        def follow(history, rule=rule):
            s = ones + sum(history)
            mean = (1 + s) / (2 + ones + zeros + len(history))
            paid, time = mean, 1.0
            for outcome, chance in ((1, mean), (0, 1 - mean)):
                after = (*history, outcome)
                if rule.get(after, False):
                    more, longer = follow(after)
                    paid, time = paid + chance * more, time + chance * longer
            return paid, time

        paid, time = follow(())
        best = max(best, paid / time)
    return best


@pytest.mark.parametrize(("ones", "zeros", "left"), [(0, 0, 1), (0, 0, 4), (1, 0, 3), (0, 2, 3), (2, 1, 2)])
def test_gittins_indices_are_the_best_rates_of_all_stopping_rules(ones, zeros, left):
    indices = gittins_indices(7)
    np.testing.assert_allclose(
        indices[left - 1, ones, zeros], stopping_rate_by_brute_force(ones, zeros, left), rtol=1e-12
    )


def test_gittins_indices_are_where_a_sure_arm_is_as_good():
    """The definition by calibration: going on, with the right to retire to a sure arm, is worth the sure arm."""
    horizon = 12
    indices = gittins_indices(horizon)
    for ones, zeros, left in [(0, 0, 12), (3, 1, 8), (0, 5, 7), (1, 1, 3)]:
        sure = indices[left - 1, ones, zeros]

        @cache
        def worth(s, f, m, sure=sure):
            if m == 0:
                return 0.0
            mean = (1 + s) / (2 + s + f)
            return max(m * sure, mean * (1 + worth(s + 1, f, m - 1)) + (1 - mean) * worth(s, f + 1, m - 1))

        mean = (1 + ones) / (2 + ones + zeros)
        going_on = mean * (1 + worth(ones + 1, zeros, left - 1)) + (1 - mean) * worth(ones, zeros + 1, left - 1)
        np.testing.assert_allclose(going_on, left * sure, rtol=1e-10)


def test_gittins_indices_rise_with_the_pulls_left_and_with_ones():
    indices = gittins_indices(15)
    assert (np.diff(indices, axis=0)[np.isfinite(np.diff(indices, axis=0))] >= -1e-12).all()
    assert (np.diff(indices, axis=1)[np.isfinite(np.diff(indices, axis=1))] > 0).all()
    assert (np.diff(indices, axis=2)[np.isfinite(np.diff(indices, axis=2))] < 0).all()


@pytest.mark.parametrize("pulls", [1, 2, 3])
def test_optimal_values_are_those_of_the_best_of_all_policies(pulls):
    """Two arms; every deterministic map from outcomes so far to arms, valued by the probability of whole histories."""
    nodes = [history for length in range(pulls) for history in itertools.product((0, 1), repeat=length)]
    best = 0.0
    for arms in itertools.product((0, 1), repeat=len(nodes)):
        rule = dict(zip(nodes, arms, strict=True))
        total = 0.0
        for history in itertools.product((0, 1), repeat=pulls):
            given_by = np.zeros((2, 2), dtype=int)
            for step in range(pulls):
                given_by[rule[history[:step]], history[step]] += 1
            total += sum(history) * np.exp(betaln(1 + given_by[:, 1], 1 + given_by[:, 0]).sum())
        best = max(best, total)
    np.testing.assert_allclose(optimal_value(2, pulls), best, rtol=1e-12)


def test_optimal_values_of_one_arm_and_of_more_arms_than_pulls():
    assert optimal_value(1, 9) == pytest.approx(4.5, abs=1e-12)
    assert optimal_value(4, 4) == optimal_value(50, 4)
    assert optimal_value(2, 6) < optimal_value(3, 6) < optimal_value(6, 6)


def test_no_learner_beats_the_optimum_and_gittins_comes_close():
    optimum = optimal_value(5, 10)
    for learner in (GittinsLearner(5, 10), GreedyLearner(5), UpperConfidence(5, 0.2)):
        mean, error = score(learner, 5, 10)
        assert optimum - 0.12 < mean < optimum + 4 * error


def test_parameters_out_of_range_are_named():
    for build, message in [
        (lambda: GreedyLearner(2, 1.5), "epsilon: was 1.5"),
        (lambda: UpperConfidence(2, -1.0), "c: was -1.0"),
        (lambda: gittins_indices(0), "horizon: was 0"),
        (lambda: optimal_value(0, 3), "arms: was 0"),
        (lambda: play(GittinsLearner(2, 3), bandit_tasks.bernoulli(2, 2, np.random.default_rng(0)), 4, 0), "horizon"),
    ]:
        with pytest.raises(ValueError, match=message):
            build()


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), order=st.permutations(range(4)))
def test_scores_do_not_depend_on_the_names_of_the_arms(seed, order):
    rng = np.random.default_rng(seed)
    ones, zeros = rng.integers(0, 4, (3, 4)), rng.integers(0, 4, (3, 4))
    for learner in (GreedyLearner(4), UpperConfidence(4, 0.5)):
        plain = learner.probabilities(Counts(ones, zeros, rng), np.zeros(3))
        moved = learner.probabilities(Counts(ones[:, order], zeros[:, order], rng), np.zeros(3))
        np.testing.assert_allclose(moved, plain[:, order], rtol=1e-12)
