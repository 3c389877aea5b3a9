"""The band of reward-result gaps that are possible, against enumeration of all policies that are possible."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import optimize

import irl_ident as ii
from irl_ident.certificates.bands import Measure, gap_band
from irl_ident.certificates.premise import Premise, Tolerances
from irl_ident.certificates.witness import is_member
from irl_ident.identified.base import ContradictoryEvidence
from tests.worlds import ng_russell_rows, random_environment

STATES, ACTIONS, DIM = 3, 2, 3
STRICT = Tolerances().strictness


class Problem:
    """A random agent, watched in one environment, to be deployed in another."""

    def __init__(self, seed, training=1):
        rng = np.random.default_rng(seed)
        drawn = [random_environment(int(rng.integers(2**31)), STATES, ACTIONS) for _ in range(training + 1)]
        self.features = rng.normal(size=(STATES, ACTIONS, DIM))
        self.family = ii.rewards.LinearRewards(self.features)
        theta = rng.normal(size=DIM)
        self.agent = ii.agents.Optimal(self.family, theta / np.abs(theta).max())
        self.training, self.deployment = drawn[:-1], drawn[-1]
        self.base = self.family.reward(self.deployment, rng.normal(size=DIM))
        self.ident = ii.identify([(env, self.agent.policy(env)) for env in self.training], self.family)

    def policies(self):
        """All deterministic policies of the deployment environment, each with its gap."""
        env = self.deployment
        tables = [np.eye(ACTIONS)[list(choice)] for choice in product(range(ACTIONS), repeat=STATES)]
        returns = [float(env.initial @ ii.planning.evaluate(env, self.base, table)) for table in tables]
        high, low = max(returns), min(returns)
        return [(table, (high - value) / (high - low)) for table, value in zip(tables, returns, strict=True)]

    def possible(self, table):
        """Whether some objective of the premise makes a policy optimal in deployment: a linear program."""
        least = []
        for env in self.training:
            equal, rows = ng_russell_rows(env, self.features, self.agent.policy(env))
            assert not len(equal)
            least += [(row, STRICT) for row in rows]
        least += [(row, 0.0) for row in ng_russell_rows(self.deployment, self.features, table)[1]]
        rows, sides = np.array([row for row, _ in least]), np.array([side for _, side in least])
        found = optimize.linprog(np.zeros(DIM), A_ub=-rows, b_ub=-sides, bounds=[(-1, 1)] * DIM)
        return found.status == 0


@pytest.mark.parametrize("training", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_the_band_is_that_of_all_policies_that_are_possible(seed, training):
    problem = Problem(seed, training)
    gaps = [gap for table, gap in problem.policies() if problem.possible(table)]
    band = gap_band(problem.ident, problem.base, problem.deployment, tolerance=1e-6)
    assert band.complete
    assert band.least <= band.least_reached <= band.most_reached <= band.most
    np.testing.assert_allclose([band.least, band.most], [min(gaps), max(gaps)], atol=2e-6)


@pytest.mark.parametrize("seed", range(25, 31))
def test_bounds_hold_whatever_the_number_of_regions(seed):
    problem = Problem(seed)
    gaps = [gap for table, gap in problem.policies() if problem.possible(table)]
    for regions in (1, 2, 4):
        band = gap_band(problem.ident, problem.base, problem.deployment, regions=regions)
        assert band.least - 1e-9 <= min(gaps) <= band.least_reached + 1e-6
        assert band.most + 1e-9 >= max(gaps) >= band.most_reached - 1e-6


@given(seed=st.integers(0, 10_000))
@example(seed=3005)  # the best objective found is a small one, whose actions differ by less than a tie of large ones
@settings(deadline=None, max_examples=10)
def test_the_gap_of_the_agent_is_in_the_band(seed):
    problem = Problem(seed)
    band = gap_band(problem.ident, problem.base, problem.deployment)
    gap = ii.distances.reward_result_gap(problem.agent, problem.base, problem.deployment).regret
    assert band.holds(gap)
    for theta, reached in ((band.best, band.least_reached), (band.worst, band.most_reached)):
        assert problem.ident.contains(theta)
        shown = ii.distances.optimised_regret(
            problem.family.reward(problem.deployment, theta), problem.base, problem.deployment
        )
        assert min(abs(shown.least - reached), abs(shown.most - reached)) < 1e-6


@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
@settings(deadline=None, max_examples=5)
def test_the_band_does_not_change_with_units_and_zero_of_the_base_objective(seed, scale, shift):
    problem = Problem(seed)
    bands = [
        gap_band(problem.ident, reward, problem.deployment) for reward in (problem.base, scale * problem.base + shift)
    ]
    np.testing.assert_allclose(bands[0].least, bands[1].least, atol=1e-3)
    np.testing.assert_allclose(bands[0].most, bands[1].most, atol=1e-3)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e9])
def test_small_rewards_are_not_lost(unit):
    """One state, three actions; the first was shown, and the others are worth half and twice as much more."""
    rows = np.ones((1, 3, 1))
    family, env = ii.rewards.StateActionRewards(1, 3), ii.Environment(rows, 0.5)
    ident = ii.identify([(env, ii.evidence.Policy([[1.0, 0.0, 0.0]]))], family)
    band = gap_band(ident, unit * np.array([[1 + 5e-4, 1, 1 + 1e-3]]), env)
    assert band.complete
    np.testing.assert_allclose([band.least, band.most], 0.5, atol=1e-6)


@pytest.mark.parametrize("discount", [0.5, 0.99, 0.9999])
def test_what_all_policies_get_alike_does_not_blur_the_gap(discount):
    """Three doors; left was shown to be better than middle, right is new: gaps are 0 and 0.3, whatever is added."""
    doors, new = (
        np.array([[1, 1, 2], [1, 1, 1], [2, 2, 2], [3, 3, 3]]),
        np.array([[1, 2, 3], [1] * 3, [2] * 3, [3] * 3]),
    )
    seen, coming = (ii.Environment(np.eye(4)[door], discount, [1, 0, 0, 0]) for door in (doors, new))
    policy = ii.evidence.Policy([[0.5, 0.5, 0.0]] + 3 * [[1 / 3] * 3])
    ident = ii.identify([(seen, policy)], ii.rewards.StateRewards(4))
    base = np.repeat(1e6 + 2.0**-10 * np.array([[0], [1], [0], [0.75]]), 3, axis=1)
    band = gap_band(ident, base, coming)
    np.testing.assert_allclose([band.least_reached, band.most_reached], [0.0, 0.25], rtol=0, atol=1e-8)


def test_more_evidence_never_widens_the_band():
    for seed in range(5):
        problem = Problem(seed, 2)
        env = problem.training[0]
        fewer = ii.identify([(env, problem.agent.policy(env))], problem.family)
        narrow, wide = (gap_band(ident, problem.base, problem.deployment) for ident in (problem.ident, fewer))
        assert wide.least_reached <= narrow.least_reached + 1e-3
        assert wide.most_reached >= narrow.most_reached - 1e-3


def test_both_optimal_actions_of_a_tie_count():
    """One lever is as good as the other to the agent, and not to the base objective."""
    env = ii.Environment(np.ones((1, 2, 1)), 0.5)
    family = ii.rewards.LinearRewards(np.ones((1, 2, 1)))
    band = gap_band(ii.identified.anything(family), np.array([[1.0, 0.0]]), env)
    assert (band.least, band.most) == (0.0, 1.0)
    assert band.width == 1.0


def test_a_base_objective_to_which_everything_is_the_same_loses_nothing():
    problem = Problem(0)
    band = gap_band(problem.ident, np.full((STATES, ACTIONS), 3.7), problem.deployment)
    assert (band.least, band.most, band.complete) == (0.0, 0.0, True)


def test_gaps_between_bounds_are_those_of_policies():
    problem = Problem(3)
    measure = Measure(problem.deployment, problem.base)
    for table, gap in problem.policies():
        np.testing.assert_allclose(measure.between(table > 0), (gap, gap), atol=1e-9)
    assert measure.between(np.ones((STATES, ACTIONS), bool)) == pytest.approx((0.0, 1.0), abs=1e-9)


def test_contradictions_are_said():
    env = ii.Environment(np.ones((1, 2, 1)), 0.5)
    family = ii.rewards.LinearRewards(np.array([[[1.0], [0.0]]]))
    other = ii.Environment(np.ones((1, 2, 1)), 0.4)
    ident = ii.identify([(env, np.array([[1.0, 0.0]])), (other, np.array([[0.0, 1.0]]))], family)
    with pytest.raises(ContradictoryEvidence):
        gap_band(ident, np.array([[1.0, 0.0]]), env)


def test_members_stay_members_where_ties_were_shown():
    """A small objective has small gaps: made longer it need not be a member."""
    rng = np.random.default_rng(0)
    seen, coming = (ii.builders.random_environment(4, 3, 0.9, seed=int(rng.integers(2**31))) for _ in range(2))
    family = ii.rewards.LinearRewards(rng.standard_normal((4, 3, 4)))
    shown = ii.agents.Optimal(family, rng.normal(size=4)).policy(seen) > 0
    shown[0], shown[1] = [True, True, False], False
    policy = ii.evidence.Policy(shown / np.maximum(shown.sum(axis=1, keepdims=True), 1))
    ident = ii.identify([(seen, policy)], family)
    band = gap_band(ident, rng.normal(size=(4, 3)), coming, regions=40)
    premise = Premise(ident, Tolerances())
    assert is_member(premise, band.best)
    assert is_member(premise, band.worst)
    assert band.least <= band.least_reached <= band.most_reached <= band.most
