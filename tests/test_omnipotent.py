"""The omnipotent experimenter against real agents: counts, intervals, ties (Amin & Singh 2016, section 4)."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident.design import Bisection, ThresholdSearch, locate
from irl_ident.design.extremes import Extremes, covering, independent, least_rounds, most_rounds, own_askers


class Watched:
    """An agent of whom nothing but the policies can be asked."""

    def __init__(self, theta):
        self._agent = ii.agents.Optimal(ii.rewards.StateRewards(len(theta)), theta)

    def policy(self, env):
        return self._agent.policy(env)


def canonical(theta):
    return (theta - theta.min()) / np.ptp(theta)


@pytest.mark.parametrize(("actions", "experiments"), [(2, 14), (3, 9), (4, 7), (8, 5), (16, 4)])
def test_counts_reach_the_information_limit(actions, experiments):
    theta = np.random.default_rng(0).random(64)
    found = locate(Watched(theta), ThresholdSearch(64, actions, 0.9, 1e-4))
    assert found.search == found.limit == experiments
    assert found.extremes <= most_rounds(64, actions)
    assert np.abs(found.estimate - canonical(theta)).max() <= 0.5e-4


def test_bisection_takes_no_more_than_the_paper_says():
    """1 + ceil(log2 S) + ceil(log2(1 / eps)) = 14 for S = 64 and eps = 0.01."""
    theta = np.random.default_rng(1).random(64)
    found = locate(Watched(theta), Bisection(64, 8, 0.9, 0.01))
    assert found.search == 7
    assert found.experiments <= 14
    assert np.abs(found.estimate - canonical(theta)).max() <= 0.005


@given(
    n_states=st.integers(2, 12),
    n_actions=st.integers(2, 6),
    discount=st.sampled_from([0.05, 0.5, 0.9, 0.99]),
    ties=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_the_truth_is_inside_every_interval_at_every_round(n_states, n_actions, discount, ties, seed):
    rng = np.random.default_rng(seed)
    theta = rng.integers(0, 4, n_states).astype(float) if ties else rng.standard_normal(n_states)
    agent, search = Watched(theta), ThresholdSearch(n_states, n_actions, discount, 0.01)
    while not search.done:
        env = search.ask()
        search = search.tell(env, agent.policy(env))
        if np.ptp(theta) > 0:
            truth = canonical(theta)
            assert (search.lower <= truth + 1e-9).all()
            assert (truth <= search.upper + 1e-9).all()
            assert search.extremes.best == () or truth[list(search.extremes.best)].max() == 1
            assert truth[list(search.extremes.worst)].min() == 0
    assert search.constant == (np.ptp(theta) == 0)
    assert search.extremes.rounds <= most_rounds(n_states, n_actions)
    if not search.constant:
        assert (search.upper - search.lower).max() <= 0.01 + 1e-12
        assert search.searched == (0 if n_states == 2 else search.limit)


def test_the_answer_does_not_depend_on_scale_and_offset():
    theta = np.random.default_rng(2).random(9)
    one = locate(Watched(theta), ThresholdSearch(9, 3, 0.8, 1e-3))
    other = locate(Watched(1e3 * theta - 77), ThresholdSearch(9, 3, 0.8, 1e-3))
    np.testing.assert_array_equal(one.estimate, other.estimate)


def test_a_value_on_a_threshold_is_found_at_once():
    found = locate(Watched(np.array([0.0, 1.0, 0.5, 0.25])), ThresholdSearch(4, 4, 0.9, 1e-3))
    np.testing.assert_allclose(found.upper - found.lower, 0, atol=1e-5)
    np.testing.assert_allclose(found.estimate, [0, 1, 0.5, 0.25], atol=1e-5)


def test_equal_states_have_no_canonical_form():
    for n_states in (2, 3, 7):
        found = locate(Watched(np.full(n_states, 2.5)), ThresholdSearch(n_states, 3, 0.9, 0.01))
        assert found.constant
        assert found.search == 0


@pytest.mark.parametrize("arms", [2, 3, 4, 5, 6, 7, 8, 12, 16])
def test_extremes_are_found_within_one_experiment_of_the_lower_bound(arms):
    slack = [most_rounds(n, arms) - least_rounds(n, arms) for n in range(2, 49)]
    assert min(slack) >= 0
    assert max(slack) <= 1


@pytest.mark.parametrize("arms", [2, 3, 4, 5])
def test_no_order_of_the_states_takes_more_than_the_worst_case(arms):
    """All weak orders of up to four states; of five states, all with three levels."""
    for n_states, levels in [(2, 2), (3, 3), (4, 4), (5, 3)]:
        orders = {tuple(np.unique(theta, return_inverse=True)[1]) for theta in product(range(levels), repeat=n_states)}
        for theta in sorted(orders):
            agent, search = Watched(np.array(theta, dtype=float)), ThresholdSearch(n_states, arms, 0.7, 0.25)
            while not search.extremes.done:
                env = search.ask()
                search = search.tell(env, agent.policy(env))
            assert theta[search.best] == max(theta)
            assert theta[search.worst] == min(theta)
            assert search.constant == (len(set(theta)) == 1)
            assert search.experiments["extremes"] <= most_rounds(n_states, arms)


@given(
    n_states=st.integers(20, 70),
    n_actions=st.integers(2, 9),
    discount=st.sampled_from([0.05, 0.9, 0.99]),
    levels=st.sampled_from([2, 5, 50, 10**6]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_states_that_ask_about_each_other_at_once_do_not_deceive(n_states, n_actions, discount, levels, seed):
    theta = np.random.default_rng(seed).integers(0, levels, n_states).astype(float)
    agent, search = Watched(theta), ThresholdSearch(n_states, n_actions, discount, 0.25)
    while not search.extremes.done:
        env = search.ask()
        search = search.tell(env, agent.policy(env))
        assert theta[list(search.extremes.best)].max() == theta.max()
        assert theta[list(search.extremes.worst)].min() == theta.min()
    assert search.extremes.rounds <= most_rounds(n_states, n_actions)


def test_candidates_ask_about_each_other_in_one_experiment():
    """Seven candidates for the best settle all their 21 pairs by seven questions on three states, each one's own."""
    extremes = Extremes(14, 3, tuple(range(7)), tuple(range(7, 14)), rounds=1)
    plan = extremes.plan()
    assert all(asker in plan[asker].targets for asker in range(7))
    pairs = {pair for asker in range(7) for pair in combinations(sorted(plan[asker].targets), 2)}
    assert pairs == set(combinations(range(7), 2))


@pytest.mark.parametrize("vertices", [1, 2, 3, 4, 5])
def test_independent_sets_are_as_small_as_some_graph_allows(vertices):
    pairs = list(combinations(range(vertices), 2))
    smallest = {}
    for joined in product([False, True], repeat=len(pairs)):
        edges = {pair for pair, there in zip(pairs, joined, strict=True) if there}
        sizes = [
            size
            for size in range(1, vertices + 1)
            for chosen in combinations(range(vertices), size)
            if not edges & set(combinations(chosen, 2))
        ]
        smallest[len(edges)] = min(smallest.get(len(edges), vertices), max(sizes))
    for edges in range(len(pairs) + 1):
        assert independent(vertices, edges) == min(smallest[e] for e in range(edges + 1))


def test_the_same_lotteries_in_all_states_tell_both_ends_at_once():
    """With S (S - 1) actions, one experiment: a lottery for each pair of best and worst."""
    ends = [(i, j) for i in range(4) for j in range(4) if i != j]
    lotteries = np.array([np.full(4, 0.25) + 0.25 * (np.eye(4)[i] - np.eye(4)[j]) for i, j in ends])
    env = ii.Environment(np.tile(lotteries, (4, 1, 1)), discount=0.9)
    for seed in range(20):
        theta = np.random.default_rng(seed).random(4)
        shown = Watched(theta).policy(env) > 0
        assert [ends[a] for a in np.flatnonzero(shown[0])] == [(theta.argmax(), theta.argmin())]


@given(
    n_actions=st.integers(2, 16),
    discount=st.sampled_from([0.01, 0.3, 0.9, 0.99]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_the_action_shown_counts_the_thresholds_above_the_value(n_actions, discount, seed):
    theta = np.concatenate([[0, 1], np.random.default_rng(seed).random(8)])
    agent, search = Watched(theta), ThresholdSearch(10, n_actions, discount, 0.001)
    while not search.done:
        env, thresholds, placing = search.ask(), search.thresholds, search.extremes.done
        shown = agent.policy(env) > 0
        search = search.tell(env, shown)
        if placing:
            clear = shown[2:].sum(axis=1) == 1
            assert (np.abs(thresholds[2:] - theta[2:, None]).min(axis=1)[~clear] <= search.blur).all()
            passed = (thresholds[2:] < theta[2:, None]).sum(axis=1)
            np.testing.assert_array_equal(shown[2:].argmax(axis=1)[clear], passed[clear])


def test_extremes_need_fewer_experiments_than_tournaments():
    """The paper: 1 + ceil(log2 S) for at least S actions; a tournament of two: ceil(log2 S) at either end at once."""
    for n_states in (16, 64, 100):
        assert most_rounds(n_states, 2) <= np.ceil(np.log2(n_states))
        assert most_rounds(n_states, n_states) == 2


@pytest.mark.parametrize("arms", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("size", [2, 5, 9, 14, 45])
def test_coverings_hold_every_pair(size, arms):
    sets = covering(size, arms)
    assert all(len(set(chosen)) == len(chosen) <= arms for chosen in sets)
    assert {pair for chosen in sets for pair in combinations(sorted(chosen), 2)} == set(combinations(range(size), 2))


def test_questions_beyond_reach_and_bad_policies_are_refused():
    with pytest.raises(ValueError, match="epsilon: was 1e-09, should be at least"):
        ThresholdSearch(4, 3, 0.9, 1e-9)
    with pytest.raises(ValueError, match="n_actions: was 1"):
        ThresholdSearch(4, 1, 0.9, 0.1)
    with pytest.raises(ValueError, match=r"discount: was 1\.0"):
        ThresholdSearch(4, 2, 1.0, 0.1)
    with pytest.raises(ValueError, match=r"n_states: was 2\.5, should be a whole number"):
        ThresholdSearch(2.5, 2, 0.9, 0.1)
    search = ThresholdSearch(4, 2, 0.9, 0.1)
    env = search.ask()
    with pytest.raises(ValueError, match=r"policy: should have shape \(4, 2\)"):
        search.tell(env, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"policy\[0\] shows no action"):
        search.tell(env, np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"policy\[0, 0\] is nan"):
        search.tell(env, np.full((4, 2), np.nan))
    with pytest.raises(ValueError, match="env: was Environment"):
        search.tell(ii.Environment(np.tile(np.eye(4)[:, None], (1, 2, 1)), 0.9), np.ones((4, 2)))


def test_behaviour_that_no_reward_explains_is_refused():
    agent, search = Watched(np.array([0.0, 1.0, 0.4])), ThresholdSearch(3, 4, 0.9, 0.01)
    while not search.extremes.done:
        env = search.ask()
        search = search.tell(env, agent.policy(env))
    with pytest.raises(ValueError, match=r"policy\[2\] shows actions \[0, 3\]: no reward on states"):
        search.tell(search.ask(), np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1]]) / 4)


def test_a_search_is_a_value():
    agent, search = Watched(np.array([0.0, 1.0, 0.4, 0.7])), ThresholdSearch(4, 3, 0.9, 0.01)
    env = search.ask()
    assert search.ask().digest == env.digest
    once, again = (search.tell(env, agent.policy(env)) for _ in range(2))
    assert search.experiments == {"extremes": 0, "thresholds": 0}
    assert once.experiments == again.experiments == {"extremes": 1, "thresholds": 0}
    assert once.ask().digest == again.ask().digest


def test_an_asker_asks_about_every_set_that_members_can_take():
    """The seven lines of the smallest projective plane have different members to ask about them."""
    assert sorted(own_askers(7, 3)) == list(range(7))
    assert own_askers(5, 8) in [(asker,) for asker in range(5)]
