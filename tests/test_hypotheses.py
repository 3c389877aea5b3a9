"""Profiles over hypotheses: against a general optimiser, the library's likelihood solver, and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

import irl_ident as ii
from environments import bandit_tasks
from environments.token_bandits import Beliefs
from irl_ident import planning
from irl_ident.agents.believers import Believer
from irl_ident.agents.learners import play
from irl_ident.solvers.hypotheses import TEMPERATURES, HypothesisProfile, agreement, profile_hypotheses


def probabilities(q, temperature, lapse):
    soft = np.exp((q - q.max(axis=-1, keepdims=True)) / temperature)
    return (1 - lapse) * soft / soft.sum(axis=-1, keepdims=True) + lapse / q.shape[-1]


@given(st.integers(0, 10**6), st.floats(0.05, 1.0), st.floats(0.0, 0.5), st.integers(2, 4))
@settings(max_examples=10, deadline=None)
def test_no_general_optimiser_finds_a_better_fit(seed, temperature, lapse, n_actions):
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(3, 30, n_actions))
    counts = rng.multinomial(20, probabilities(q[0], temperature, lapse)).astype(float)
    found = profile_hypotheses(q, counts)
    for h in range(3):
        at_found = (counts * np.log(probabilities(q[h], found.temperature[h], found.lapse[h]) + 1e-300)).sum()
        np.testing.assert_allclose(found.log_likelihood[h], at_found, rtol=1e-9)

        def negative(x, h=h):
            return -(counts * np.log(probabilities(q[h], np.exp(x[0]), x[1]) + 1e-300)).sum()

        spread = np.ptp(q[h], axis=1).max()
        limits = [tuple(np.log(spread * np.array(TEMPERATURES))), (0.0, 1.0)]
        starts = [[np.log(t), e] for t in (0.1, 0.7) for e in (0.05, 0.5)]
        best = min(optimize.minimize(negative, start, bounds=limits, method="L-BFGS-B").fun for start in starts)
        assert found.log_likelihood[h] >= -best - 1e-3


def test_without_lapses_it_is_the_librarys_boltzmann_likelihood():
    """BoltzmannML fits both tokens' worth over the temperature; their ratio is theta, its likelihood the profile's."""
    beliefs = Beliefs(pulls=4)
    env, family = beliefs.environment(), beliefs.family()
    counts = observed(beliefs, ii.agents.Boltzmann(family, [1, 0.42], 0.1).policy(env), 600, 3)
    estimate = ii.solvers.BoltzmannML().fit([(env, ii.evidence.Counts(counts))], family)
    grid = np.linspace(0, 1, 101)
    found = profile_hypotheses(values(beliefs, grid), counts)
    assert found.lapse[found.best] < 0.03
    np.testing.assert_allclose(grid[found.best], estimate.theta[1] / estimate.theta[0], atol=0.02)
    assert estimate.log_likelihood - 0.05 < found.log_likelihood[found.best] < estimate.log_likelihood + 0.5
    np.testing.assert_allclose(found.temperature[found.best], 1 / estimate.theta[0], rtol=0.15)


def values(beliefs, grid):
    env, family = beliefs.environment(), beliefs.family()
    return planning.optimal_batch(env, [family.reward(env, [1, x]) for x in grid])


def observed(beliefs, policy, tasks, seed):
    """Counts (S, A) of a learner with that policy in so many tasks."""
    learner = Believer(policy, beliefs.following, np.array([beliefs.first()]))
    met = bandit_tasks.tokens(tasks, np.random.default_rng([seed, 1]))
    histories = play(learner, met, beliefs.pulls, seed)
    counts = np.zeros((beliefs.over + 1, beliefs.arms))
    np.add.at(counts, (beliefs.states(histories.actions, histories.outcomes), histories.actions), 1)
    return counts


def test_intervals_cover_and_environments_that_agree_seldom_disagree():
    """A soft agent with lapses at theta = .42: 95 % intervals, and a test of agreement at level 5 %."""
    beliefs, theta, runs = Beliefs(pulls=4), 0.42, 80
    env, family = beliefs.environment(), beliefs.family()
    soft = 0.95 * ii.agents.Boltzmann(family, [1, theta], 0.1).policy(env) + 0.05 / 2
    grid = np.linspace(-1.0, 2.0, 31)
    q = values(beliefs, grid)
    covered = rejected = 0
    for seed in range(0, 2 * runs, 2):
        two = [profile(q, observed(beliefs, soft, 200, seed + half)) for half in range(2)]
        low, high = two[0].interval(grid)
        covered += low <= theta <= high
        rejected += agreement(two).p_value < 0.05
    assert stats.binomtest(covered, runs, 0.95).pvalue > 0.01
    assert stats.binomtest(rejected, runs, 0.05).pvalue > 0.01


def profile(q, counts):
    seen = counts.sum(axis=1) > 0
    return profile_hypotheses(q[:, seen], counts[seen])


def test_environments_that_differ_are_told_apart():
    beliefs = Beliefs(pulls=5)
    env, family = beliefs.environment(), beliefs.family()
    grid = np.linspace(-0.5, 1.5, 41)
    q = values(beliefs, grid)
    two = [
        profile(q, observed(beliefs, ii.agents.Boltzmann(family, [1, theta], 0.1).policy(env), 300, 5))
        for theta in (0.2, 0.8)
    ]
    found = agreement(two)
    assert found.p_value < 1e-3
    assert found.degrees == 1
    np.testing.assert_allclose(
        found.statistic,
        min(a + b for a, b in zip(two[0].drop, two[1].drop, strict=True)),
    )


def test_intervals_interpolate_and_end_with_the_grid():
    values_, level = np.array([0.0, 1.0, 2.0, 3.0]), stats.chi2.cdf(2.0, 1)
    profile = HypothesisProfile(np.array([-2.0, 0.0, -0.5, -2.5]), np.ones(4), np.zeros(4), 10.0)
    np.testing.assert_allclose(profile.drop, [4, 0, 1, 5])
    np.testing.assert_allclose(profile.interval(values_, level), [0.5, 2.25])
    np.testing.assert_allclose(profile.interval(values_, stats.chi2.cdf(4.5, 1)), [0.0, 2.875])


def test_a_hypothesis_without_preferences_is_chance_and_sure_agents_have_no_lapse():
    q = np.stack([np.zeros((2, 3)), [[1.0, 0, 0], [0, 1.0, 0]]])
    counts = np.array([[5.0, 0, 0], [0, 7.0, 0]])
    found = profile_hypotheses(q, counts)
    np.testing.assert_allclose(found.log_likelihood, [12 * np.log(1 / 3), 0], atol=1e-9)
    assert found.lapse[1] == 0
    np.testing.assert_allclose(profile_hypotheses(10 * q, counts).log_likelihood, found.log_likelihood, atol=1e-9)
    against = profile_hypotheses(q, counts[::-1])
    np.testing.assert_allclose(against.log_likelihood[1], 12 * np.log(1 / 3), atol=1e-6)
    np.testing.assert_allclose(against.lapse[1], 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: profile_hypotheses(np.zeros((2, 3)), np.ones((2, 3))), "q: should have shape"),
        (lambda: profile_hypotheses(np.zeros((1, 2, 3)), np.ones((3, 2))), "counts: should have shape"),
        (lambda: profile_hypotheses(np.zeros((1, 2, 2)), np.zeros((2, 2))), "counts: should be at least 0, and some"),
        (lambda: agreement([profile_hypotheses(np.zeros((1, 1, 2)), np.ones((1, 2)))]), "profiles: should be at least"),
    ],
)
def test_errors_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()
