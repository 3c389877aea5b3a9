"""Confidence sets for the choices of agents that err."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from worlds import random_environment

import irl_ident as ii
from irl_ident.agents import Noisy, Optimal
from irl_ident.evidence import Counts, Policy, Trajectories
from irl_ident.identified.confidence.statements import log_evidence_optimal, log_evidence_worse, log_threshold

FAMILY = ii.rewards.StateRewards(4)
WORLDS = [random_environment(seed, 4, 3) for seed in range(3)]
THETA = np.array([0.3, -0.2, 0.9, 0.1])


def noisy(evidence, error=0.1, level=0.05, **options):
    return ii.identify(evidence, FAMILY, "noisy", error=error, level=level, **options)


def expectation(log_evidence, chance, n, n_actions, error):
    """Mean of the evidence about action 0 over n choices with a constant probability, by enumeration."""
    taken = np.arange(n + 1)
    counts = np.zeros((n + 1, n_actions))
    counts[:, 0], counts[:, 1] = taken, n - taken
    values = log_evidence(counts, error)[:, 0]
    weights = stats.binom.logpmf(taken, n, chance)
    return np.exp(np.where(np.isneginf(weights), -np.inf, values + weights)).sum()


@given(st.integers(2, 6), st.floats(0.001, 1), st.integers(0, 40))
def test_evidence_has_mean_one_at_the_edge_of_what_it_is_against(n_actions, error, n):
    slip = error / n_actions
    assert expectation(log_evidence_optimal, slip, n, n_actions, error) == pytest.approx(1, abs=1e-9)
    assert expectation(log_evidence_worse, 1 / n_actions, n, n_actions, error) == pytest.approx(1, abs=1e-9)


@given(st.integers(2, 6), st.floats(0.001, 1), st.integers(1, 40), st.floats(0, 1))
def test_evidence_has_mean_at_most_one_wherever_what_it_is_against_holds(n_actions, error, n, share):
    slip, even = error / n_actions, 1 / n_actions
    assert expectation(log_evidence_optimal, share * slip, n, n_actions, error) <= 1 + 1e-9
    assert expectation(log_evidence_worse, even + share * (1 - even), n, n_actions, error) <= 1 + 1e-9


def ever_reached(log_evidence, chance, n_actions, error, threshold, most):
    """Exact probability that the evidence about action 0 reaches a threshold within so many choices."""
    alive, gone = np.array([1.0]), 0.0
    for n in range(1, most + 1):
        stepped = np.zeros(n + 1)
        stepped[:-1] += alive * (1 - chance)
        stepped[1:] += alive * chance
        counts = np.zeros((n + 1, n_actions))
        counts[:, 0], counts[:, 1] = np.arange(n + 1), n - np.arange(n + 1)
        out = log_evidence(counts, error)[:, 0] >= threshold
        gone += stepped[out].sum()
        alive = np.where(out, 0.0, stepped)
    return gone


@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_a_false_statement_is_ever_made_with_probability_below_alpha(alpha):
    wrong = ever_reached(log_evidence_optimal, 0.3 / 3, 3, 0.3, np.log(1 / alpha), 300)
    assert alpha / 20 < wrong <= alpha
    wrong = ever_reached(log_evidence_worse, 1 / 3, 3, 0.3, np.log(1 / alpha), 300)
    assert alpha / 20 < wrong <= alpha


def test_a_true_statement_is_made_soon():
    threshold = log_threshold(1, 25, 4, 0.05)
    assert ever_reached(log_evidence_optimal, 0.925, 4, 0.1, threshold, 6) > 0.99
    assert ever_reached(log_evidence_worse, 0.025, 4, 0.1, threshold, 80) > 0.9


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.floats(0.01, 1))
def test_evidence_is_what_bets_placed_one_after_the_other_have_won(choices, error):
    slip, won = error / 3, 0.0
    for k in (1, 2, 3):
        chance = (1 - error) / k + slip
        won += np.prod([chance / slip if choice == 0 else (1 - chance) / (1 - slip) for choice in choices]) / 3
    counts = np.bincount(choices, minlength=3)
    assert np.exp(log_evidence_optimal(counts, error)[0]) == pytest.approx(won, rel=1e-9)
    lost = np.prod([error if choice == 0 else (3 - error) / 2 for choice in choices])
    assert np.exp(log_evidence_worse(counts, error)[0]) == pytest.approx(lost, rel=1e-9)


def test_levels_of_all_environments_add_up_to_less_than_the_level():
    spent = sum(12 * np.exp(-log_threshold(k, 4, 3, 0.05)) for k in range(1, 10_000))
    assert 0.0499 < spent < 0.05


def watched(seed, theta, error, pieces, ties):
    """Statements at every time are in the last set: what was stated stays.  Environments follow what was seen."""
    rng = np.random.default_rng(seed)
    policies = [Noisy(FAMILY, theta, error).policy(env) for env in WORLDS]
    evidence, place = [], 0
    for _ in range(pieces):
        visits = rng.multinomial(15, np.full(4, 0.25))
        counts = np.array([rng.multinomial(n, row) for n, row in zip(visits, policies[place], strict=True)])
        evidence.append((WORLDS[place], Counts(counts)))
        place = int(counts[:, 0].sum()) % len(WORLDS)
    return noisy(evidence, error, 0.2, ties=ties)


def test_the_truth_is_held_at_every_time_in_200_runs():
    missed = stated = possible = 0
    for seed in range(200):
        theta = np.random.default_rng(seed).uniform(-1, 1, 4)
        ident = watched(seed, theta, 0.3, 12, "even")
        missed += not ident.contains(theta)
        stated += sum(int((system.shown | system.strict).sum()) for system in ident.systems)
        possible += sum(system.shown.size for system in ident.systems)
    assert missed <= stats.binom.ppf(0.999, 200, 0.2)
    assert stated / possible > 0.3


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_without_error_the_set_is_that_of_the_optimal_agent(seed):
    agent = Optimal(FAMILY, THETA)
    evidence = [(env, agent.demonstrate(env, episodes=2, horizon=4, seed=seed + i)) for i, env in enumerate(WORLDS[:2])]
    ident, plain = noisy(evidence, 0.0), ii.identify(evidence, FAMILY)
    for found, expected in zip(ident.systems, plain.systems, strict=True):
        np.testing.assert_array_equal(found.shown, expected.shown)
        np.testing.assert_array_equal(found.strict, expected.strict)
    directions = np.random.default_rng(seed).standard_normal((3, 4))
    np.testing.assert_allclose([ident.support(d)[0] for d in directions], [plain.support(d)[0] for d in directions])
    assert ident.dimension == plain.dimension


def test_an_action_that_is_the_same_as_a_shown_one_is_no_worse():
    """Two of three doors lead to the same room; an agent that takes one of them contradicts nothing."""
    env = ii.Environment(np.eye(2)[[[0, 0, 1], [1, 1, 1]]], 0.9)
    seen = [(env, ii.evidence.Policy([[0.96, 0.02, 0.02], [0.96, 0.02, 0.02]]))]
    ident = ii.identify(seen, ii.rewards.StateRewards(2), "noisy", error=0.06, level=0.05)
    assert ident.conflict is None
    assert ident.contains([1.0, 0.0])
    prop = ii.certificates.OptimalAction(0, 1)
    assert ii.certify(ident, prop, env).status == "proved"


def test_the_set_shrinks_to_that_of_the_known_policy():
    env = WORLDS[0]
    agent = Noisy(FAMILY, THETA, 0.1)
    long = noisy([(env, agent.demonstrate(env, episodes=20, horizon=60, seed=0))], ties="even")
    known = ii.identify([(env, Optimal(FAMILY, THETA).policy(env))], FAMILY)
    np.testing.assert_array_equal(long.systems[0].shown, known.systems[0].shown)
    np.testing.assert_array_equal(long.systems[0].strict, known.systems[0].strict)
    told = noisy([(env, agent.policy(env))])
    np.testing.assert_array_equal(told.systems[0].shown, known.systems[0].shown)
    np.testing.assert_array_equal(told.systems[0].strict, known.systems[0].strict)


def test_observations_of_one_environment_add_up_and_statements_stay():
    env, once = WORLDS[0], np.zeros((4, 3), dtype=int)
    once[0, 1] = 2
    assert not noisy([(env, Counts(once))]).systems[0].shown.any()
    twice = noisy([(env, Counts(once)), (WORLDS[1], Counts(once)), (env, Counts(once))])
    np.testing.assert_array_equal(np.argwhere(twice.systems[0].shown), [[0, 1]])
    assert not twice.systems[1].shown.any()
    np.testing.assert_array_equal(twice.counts(env), 2 * once)
    against = np.zeros((4, 3), dtype=int)
    against[0, 0] = 300
    later = noisy([(env, Counts(2 * once)), (env, Counts(against))])
    np.testing.assert_array_equal(np.argwhere(later.systems[0].shown), [[0, 0], [0, 1]])
    assert not noisy([(env, Counts(2 * once + against))]).systems[0].shown[0, 1]


def test_noise_of_the_record_is_an_error_of_its_own():
    env, agent = WORLDS[0], Noisy(FAMILY, THETA, 0.2)
    recorded = 0.75 * agent.policy(env) + 0.25 / 3
    both = 1 - (1 - 0.2) * (1 - 0.25)
    np.testing.assert_allclose(recorded, Noisy(FAMILY, THETA, both).policy(env))
    assert noisy([(env, Policy(recorded))], both).contains(THETA)


def test_an_error_that_is_too_small_shows_as_a_contradiction():
    family, stay, go = ii.rewards.StateRewards(2), np.eye(2), np.eye(2)[::-1]
    env = ii.Environment([stay, go], 0.9)
    counts = Counts([[50, 50], [100, 0]])
    ident = ii.identify([(env, counts)], family, "noisy", error=0.01, level=0.05)
    assert ident.systems[0].shown.tolist() == [[True, True], [True, False]]
    strict = ii.identify([(env, Counts([[50, 50], [0, 100]]))], family, "noisy", error=0.01, level=0.05, ties="even")
    assert strict.conflict is not None
    assert strict.report().verdict == "contradiction"


def test_nothing_is_stated_of_too_little():
    seen = Trajectories([[0, 0]], [[0]])
    env = ii.Environment(np.full((4, 3, 4), 0.25) + 0.1 * (np.eye(4)[:, None] - 0.25), 0.9)
    ident = noisy([(env, seen)])
    assert ident.support(np.eye(4)[0])[0] == pytest.approx(1)
    assert ident.contains(THETA)
    assert ident.contains(-THETA)


def test_the_report_names_the_level_and_the_error():
    env = WORLDS[0]
    seen = Noisy(FAMILY, THETA, 0.1).demonstrate(env, episodes=5, horizon=20, seed=0)
    text = str(noisy([(env, seen)], 0.1, 0.03).report())
    assert "level 0.03" in text
    assert "0.1 / A" in text
    assert "every time" in text


def test_the_report_says_how_many_choices_would_state_something():
    env, counts = WORLDS[0], np.zeros((4, 3), dtype=int)
    counts[0, 1], counts[1, :2] = 1, [2, 1]
    ident = noisy([(env, Counts(counts))])
    (reason,) = [words for words in ident.report().reasons if "too few" in words]
    assert reason.startswith("choices were seen in 2 more states")
    needed = int(reason.split("needs ")[1].split()[0])
    for more, known in ((needed - 1, False), (needed, True)):
        further = counts + more * (counts == counts.max(axis=1, keepdims=True)) * (counts > 0)
        assert noisy([(env, Counts(further))]).systems[0].known.any() == known


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"error": 0.1}, "level: is needed"),
        ({"level": 0.1}, "error: is needed"),
        ({"error": 1.0, "level": 0.1}, "error: was 1.0, should be at least 0 and below 1"),
        ({"error": 0.1, "level": 0.0}, "level: was 0.0, should be above 0 and below 1"),
        ({"error": 0.1, "level": float("nan")}, "level: was nan"),
        ({"error": 0.1, "level": 0.1, "ties": "odd"}, "ties: was 'odd'"),
    ],
)
def test_settings_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        ii.identify([(WORLDS[0], Counts(np.ones((4, 3))))], FAMILY, "noisy", **options)


def test_settings_without_use_are_refused():
    policy = Optimal(FAMILY, THETA).policy(WORLDS[0])
    with pytest.raises(ValueError, match=r"level: was 0\.1, is not used for rationality 'optimal'"):
        ii.identify([(WORLDS[0], policy)], FAMILY, level=0.1)
    with pytest.raises(ValueError, match=r"error: was 0\.1, is not used"):
        ii.identify([(WORLDS[0], policy)], FAMILY, error=0.1)
