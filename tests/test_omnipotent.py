"""The omnipotent experimenter against real agents: counts, intervals, ties (Amin & Singh 2016, section 4)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident.design import Bisection, ThresholdSearch, locate
from irl_ident.design.extremes import covering, least_rounds, most_rounds


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
        search = search.tell(agent.policy(search.ask()))
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


@pytest.mark.parametrize("arms", [2, 3, 4, 5, 8, 16])
def test_extremes_are_found_close_to_the_bound(arms):
    """Within one experiment of the bound for four actions and more; within two for fewer."""
    slack = [most_rounds(n, arms) - least_rounds(n, arms) for n in range(2, 41)]
    assert min(slack) >= 0
    assert max(slack) <= (1 if arms >= 4 else 2)


def test_extremes_need_fewer_experiments_than_tournaments():
    """The paper: 1 + ceil(log2 S) for at least S actions; a tournament of two: ceil(log2 S) at either end at once."""
    for n_states in (16, 64, 100):
        assert most_rounds(n_states, 2) <= np.ceil(np.log2(n_states))
        assert most_rounds(n_states, n_states) == 2


@pytest.mark.parametrize("arms", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("size", [2, 5, 9, 14])
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
    search = ThresholdSearch(4, 2, 0.9, 0.1)
    with pytest.raises(ValueError, match=r"policy: should have shape \(4, 2\)"):
        search.tell(np.ones((3, 2)))
    with pytest.raises(ValueError, match="policy: should have finite"):
        search.tell(np.zeros((4, 2)))
