"""Likelihood sets for soft-optimal agents, valid at every time."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from worlds import random_environment

import irl_ident as ii
from irl_ident.agents import SoftOptimal
from irl_ident.evidence import Counts, Trajectories
from irl_ident.identified.confidence.choices import Choices
from irl_ident.identified.confidence.code import code_lengths, nearby_points
from irl_ident.identified.soft_likelihood import log_likelihood

FAMILY = ii.rewards.StateRewards(4)
WORLDS = [random_environment(seed, 4, 2) for seed in range(2)]
THETA = np.array([0.3, -0.2, 0.9, 0.1])
BANDIT = ii.Environment(np.ones((1, 2, 1)), 0.9)
ARMS = ii.rewards.StateActionRewards(1, 2)


def soft(evidence, family=FAMILY, level=0.05, **options):
    return ii.identify(evidence, family, "soft", temperature=0.5, level=level, **options)


def seen(episodes, seed=0, theta=THETA):
    agent = SoftOptimal(FAMILY, theta, 0.5)
    return [(env, agent.demonstrate(env, episodes=episodes, horizon=12, seed=seed + i)) for i, env in enumerate(WORLDS)]


def test_weights_of_the_code_add_up_to_at_most_one():
    line, mass = np.arange(-(2**9), 2**9 + 1), 0.0
    for resolution in range(60):
        mass += np.exp(-code_lengths(line[:, None], resolution)).sum()
    assert 0.5 < mass <= 1
    grid = np.stack(np.meshgrid(np.arange(-32, 33), np.arange(-32, 33)), axis=-1).reshape(-1, 2)
    assert sum(np.exp(-code_lengths(grid, resolution)).sum() for resolution in range(60)) <= 1


def test_points_near_the_middle_are_different_points_of_the_code():
    precision = np.diag([400.0, 1.0, 0.0])
    points, lengths = nearby_points(np.array([0.4, -0.3, 5.0]), precision, 1.0)
    assert (points[:, 2] == 0).all()
    assert np.abs(points[:, 0] - 0.4).min() < 0.05
    assert np.exp(-lengths).sum() <= 1
    assert len(np.unique(np.column_stack([points, lengths]), axis=0)) == len(points)


@pytest.mark.parametrize("difference", [0.0, 0.6])
def test_the_mixture_is_on_average_no_better_than_the_truth(difference):
    n, theta = 25, np.array([difference, 0.0])
    chances = SoftOptimal(ARMS, theta, 0.5).policy(BANDIT)[0]
    mean = 0.0
    for taken in range(n + 1):
        counts = np.array([[taken, n - taken]])
        floor = soft([(BANDIT, Counts(counts))], ARMS, level=0.5).floor
        weight = stats.binom.logpmf(taken, n, chances[0])
        mean += np.exp(weight + floor - np.log(0.5) - log_likelihood(BANDIT, counts, theta, ARMS, 0.5))
    assert 0.05 < mean <= 1


def test_the_truth_is_held_at_every_time_in_200_runs():
    family = ii.rewards.LinearRewards([[[1.0], [0.0]]])
    others = np.linspace(-3, 3, 25)[:, None]

    @cache
    def after(n, taken):
        return soft([(BANDIT, Counts([[taken, n - taken]]))], family, level=0.2)

    missed, left = 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        theta = rng.uniform(-1, 1, 1)
        choices = rng.random(32) < SoftOptimal(family, theta, 0.5).policy(BANDIT)[0, 0]
        looks = [after(n, int(choices[:n].sum())) for n in (4, 8, 16, 32)]
        missed += not all(ident.contains(theta) for ident in looks)
        left.append(looks[-1].members(others).mean())
    assert missed <= stats.binom.ppf(0.999, 200, 0.2)
    assert np.mean(left) < 0.6


@pytest.mark.parametrize("error", [0.0, 0.3])
def test_likelihood_and_gradient_are_those_of_one_reward_after_the_other(error):
    counts = np.random.default_rng(0).integers(0, 9, (2, 4, 2)).astype(float)
    choices = Choices(tuple(zip(WORLDS, counts, strict=True)), FAMILY, 0.5, error)
    thetas = np.random.default_rng(1).uniform(-1, 1, (3, 4))
    values = choices.log_likelihood(thetas)
    for theta, value in zip(thetas, values, strict=True):
        policies = [(1 - error) * SoftOptimal(FAMILY, theta, 0.5).policy(env) + error / 2 for env in WORLDS]
        expected = sum((n * np.log(p)).sum() for n, p in zip(counts, policies, strict=True))
        assert value == pytest.approx(expected)
        one, gradient = choices.value_and_gradient(theta)
        assert one == pytest.approx(expected)
        numeric = optimize.approx_fprime(theta, lambda t: choices.value_and_gradient(t)[0], 1e-6)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_where_it_says_so_the_likelihood_is_concave(seed):
    rng = np.random.default_rng(seed)
    env = random_environment(seed, 4, 2, discount=rng.uniform(0, 0.9))
    visits = rng.dirichlet(np.ones(4)) * 100
    choices = Choices(((env, visits[:, None] * rng.dirichlet([2, 2], 4)),), FAMILY, 0.5, 0.0)
    balance = visits - env.discount * np.einsum("sa,sat->t", choices.data[0][1], env.dense())
    assert choices.concave == (balance >= -1e-7).all()
    one, other = rng.uniform(-3, 3, (2, 20, 4))
    middle = choices.log_likelihood((one + other) / 2)
    sides = (choices.log_likelihood(one) + choices.log_likelihood(other)) / 2
    assert not choices.concave or (middle >= sides - 1e-9).all()


def fork(ends):
    """Go on to a room with a switch, or leave for good; whether switches were seen decides."""
    moves = np.zeros((3, 2, 3))
    moves[0, 0, 1] = moves[0, 1, 2] = moves[2, :, 2] = moves[1, :, 2] = 1
    env = ii.Environment(moves, 0.9)
    family = ii.rewards.LinearRewards(np.eye(6).reshape(3, 2, 6)[:, :, [2]])
    counts = np.array([[10.0, 0.0], [5.0 * ends, 5.0 * ends], [0.0, 0.0]])
    return Choices(((env, counts),), family, 1.0, 0.0)


def test_deterministic_dynamics_are_not_enough_for_concavity():
    cut_off, whole = fork(0), fork(1)
    line = np.linspace(-6, 6, 200)[:, None]
    assert whole.concave
    assert not cut_off.concave
    assert np.diff(whole.log_likelihood(line), 2).max() <= 1e-9
    assert np.diff(cut_off.log_likelihood(line), 2).max() > 1e-5


def test_support_functions_of_a_single_choice_are_those_of_its_log_odds():
    ident = soft([(BANDIT, Counts([[30, 10]]))], ARMS)
    assert ident.certified

    def above(odds):
        return -30 * np.log1p(np.exp(-odds)) - 10 * np.log1p(np.exp(odds)) - ident.floor

    top = np.log(3)
    low, high = optimize.brentq(above, -9, top), optimize.brentq(above, top, 9)
    for sign, end in ((1, high), (-1, -low)):
        found = ident.certified_support(sign * np.array([1, -1]))
        assert found.lower == pytest.approx(0.5 * end, rel=1e-4)
        assert found.lower <= found.upper <= 0.5 * end * (1 + 2e-3)
        assert found.upper >= 0.5 * end * (1 - 1e-9)
        assert ident.contains(found.theta, 1e-6)
    assert ident.width([1, -1]) == pytest.approx(0.5 * (high - low), rel=1e-3)


def test_upper_bounds_hold_for_members_that_were_drawn():
    ident = soft(seen(100))
    assert ident.certified
    draws = ident.sample(100, seed=0)
    assert ident.members(draws, 1e-9).all()
    assert draws.shape == (100, 4)
    for direction in ([1, -1, 0, 0], [0, 1, 1, -2]):
        found = ident.certified_support(direction)
        assert (draws @ direction).max() <= found.upper
        assert found.lower <= found.upper <= found.lower + 2e-3 * ident.width(direction)
        assert found.lower >= (draws @ direction).max() - 1e-9
    lower, upper = ident.diameter("linf")
    apart = draws[:, None] - draws
    apart -= apart.mean(axis=2, keepdims=True)
    assert np.abs(apart).max() <= upper
    assert 0 < lower <= upper


def test_canonical_distances_are_those_of_rewards_not_of_parameters():
    doubled = ii.rewards.LinearRewards([[[2.0, 0.0], [0.0, 2.0]]])
    counts = [(BANDIT, Counts([[30, 10]]))]
    assert soft(counts, doubled).diameter() == soft(counts, ARMS).diameter()
    wide, narrow = soft([(BANDIT, Counts([[3, 2]]))], doubled), soft([(BANDIT, Counts([[3000, 10]]))], doubled)
    assert wide.diameter() == (1.0, 1.0)
    assert narrow.diameter() == (0.0, 1.0)


def test_where_it_is_not_known_to_be_convex_nothing_is_certified():
    ident = soft(seen(2))
    assert not ident.certified
    found = ident.certified_support([1, -1, 0, 0])
    assert found.upper == np.inf
    assert ident.contains(found.theta, 1e-6)
    assert any("local search" in reason for reason in ident.report().reasons)


def test_more_choices_leave_less_and_their_order_does_not_matter():
    few, many = soft(seen(3)), soft(seen(60))
    others = np.random.default_rng(3).uniform(-1.5, 1.5, (200, 4))
    assert many.members(others).mean() < few.members(others).mean()
    assert many.contains(THETA)
    assert many.contains(many.center())
    pieces = seen(3) + seen(3, seed=50)
    assert soft(pieces).floor == pytest.approx(soft([pieces[i] for i in (2, 1, 3, 0)]).floor, abs=1e-6)


def test_open_directions_are_open_and_the_report_says_what_is_meant():
    moves = np.zeros((3, 2, 3))
    moves[0, 0, 0] = moves[0, 1, 1] = moves[1, :, 0] = moves[2, :, 2] = 1
    env, family = ii.Environment(moves, 0.9), ii.rewards.StateRewards(3)
    ident = soft([(env, Trajectories([[0, 1, 0]], [[1, 0]]))], family, level=0.1)
    for direction in (np.ones(3), np.eye(3)[2]):
        assert ident.support(direction)[0] == np.inf
    assert {a.kind for a in ident.ambiguities} == {"constant", "unvisited"}
    assert ident.dimension == 1
    report = ident.report()
    assert report.verdict == "a set"
    assert "level 0.1" in str(report)
    assert ident.diameter("l2") == (np.inf, np.inf)


def test_which_candidate_closes_what_choices_leave_open_is_that_of_the_policy():
    def circle(*steps):
        return ii.Environment(np.array([[np.eye(4)[(s + step) % 4] for step in steps] for s in range(4)]), 0.9)

    agent, there = SoftOptimal(FAMILY, THETA, 0.5), circle(1, -1)
    known = ii.identify([(there, agent.policy(there))], FAMILY, "soft", temperature=0.5)
    sampled = soft([(there, agent.demonstrate(there, episodes=5, horizon=10, seed=0))])
    assert sampled.dimension == known.dimension == 1
    candidates = [circle(-1, 1), circle(0, 1)]
    found, expected = (ii.design.closes(ident, candidates) for ident in (sampled, known))
    np.testing.assert_allclose(found.share, expected.share, atol=1e-9)
    np.testing.assert_array_equal(found.closed, [[False, True]])
    np.testing.assert_array_equal(ii.design.RankGrowth().score(sampled, candidates), [0, 1])


def test_nothing_seen_leaves_everything():
    ident = ii.identified.anything(FAMILY, "soft", temperature=0.5, level=0.05)
    assert ident.contains(100 * THETA)
    assert ident.report().verdict == "nothing"
    assert ident.sample(5, seed=0).shape == (5, 4)


def test_random_records_make_the_set_wider():
    exact, random = soft(seen(30)), soft(seen(30), error=0.4)
    others = np.random.default_rng(3).uniform(-1.5, 1.5, (200, 4))
    assert exact.members(others).mean() < random.members(others).mean()
    assert not random.certified


def test_policies_and_useless_settings_are_refused():
    policy = SoftOptimal(FAMILY, THETA, 0.5).policy(WORLDS[0])
    with pytest.raises(ValueError, match=r"evidence\[0\]: is a policy"):
        soft([(WORLDS[0], policy)])
    with pytest.raises(ValueError, match="error: was 0"):
        ii.identify(seen(1), FAMILY, "soft", error=0.1)
    with pytest.raises(ValueError, match="metric: was"):
        soft(seen(2)).diameter("furthest")
