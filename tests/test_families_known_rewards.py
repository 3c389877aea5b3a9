"""Known added rewards: the unit of what is paid, what it identifies, and bisection with it (Amin, Jiang & Singh)."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import brute_policy, dense_features, ng_russell_rows, random_environment, vertices

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal, SoftOptimal

CHOICE = ii.Environment(np.ones((1, 2, 1)), 0.5, actions=["work", "rest"])
LEVELS = np.linspace(-4, 4, 17)
PAID = np.stack([np.array([[level, 0.0]]) for level in LEVELS])
TASKS = design.AddedRewards(CHOICE, [PAID])
KNOWN = design.KnownRewards(ii.rewards.StateActionRewards(1, 2), TASKS)
WORLD = random_environment(3, 3, 2)
BONUSES = np.random.default_rng(1).normal(size=(3, 3, 2))
WORLD_TASKS = design.AddedRewards(WORLD, [BONUSES, 2 * BONUSES[:2]])
WORLD_KNOWN = design.KnownRewards(ii.rewards.StateRewards(3), WORLD_TASKS)


def seen(theta, tasks=range(17), known=KNOWN):
    agent = Optimal(known, known.parameter(theta))
    return [(known.tasks.environment(task), agent.policy(known.tasks.environment(task))) for task in tasks]


def test_rewards_of_a_task_are_the_unknown_and_the_known_part():
    theta = np.array([0.4, -3.0, 1.0])
    parameter = WORLD_KNOWN.parameter(theta)
    assert np.abs(parameter).max() == 1.0
    np.testing.assert_allclose(WORLD_KNOWN.in_units(parameter), theta)
    for index in range(WORLD_TASKS.size):
        env = WORLD_TASKS.environment(index)
        known = BONUSES[index // 2] + 2 * BONUSES[index % 2]
        np.testing.assert_allclose(WORLD_TASKS.known(index), known)
        np.testing.assert_allclose(3.0 * WORLD_KNOWN.reward(env, parameter), theta[:, None] + known)
        expected = brute_policy(WORLD, theta[:, None] + known)
        np.testing.assert_allclose(Optimal(WORLD_KNOWN, parameter).policy(env), expected)
    np.testing.assert_allclose(WORLD_KNOWN.reward(WORLD, parameter) * 3.0, np.tile(theta[:, None], 2))


def test_tasks_are_told_apart_by_the_names_of_their_actions_and_survive_files(tmp_path):
    path = tmp_path / "tasks.json"
    environments = [WORLD_TASKS.environment(index) for index in range(WORLD_TASKS.size)]
    assert len({env.digest for env in environments}) == 6
    ii.evidence.save_environments(path, environments)
    assert [WORLD_TASKS.task(env) for env in ii.evidence.load_environments(path)] == list(range(6))
    assert WORLD_TASKS.task(WORLD) is None
    others = design.AddedRewards(random_environment(4, 3, 2), [BONUSES])
    with pytest.raises(ValueError, match="env: is task 1 of another family"):
        WORLD_KNOWN.matrix(others.environment(1))


@pytest.mark.parametrize("gap", [-2.7, 0.2, 3.1])
def test_the_interval_is_the_one_between_the_payments_that_turned_the_choice(gap):
    """Work pays theta_0 + level, rest theta_1: the choice turns where the level passes theta_1 - theta_0."""
    ident = ii.identify([KNOWN.calibration(), *seen([0.0, gap])], KNOWN)
    assert ident.contains(KNOWN.parameter([0.0, gap]))
    lower, upper = KNOWN.interval(ident, [-1.0, 1.0])
    np.testing.assert_allclose(lower, LEVELS[gap > LEVELS].max(), atol=1e-6)
    np.testing.assert_allclose(upper, LEVELS[gap < LEVELS].min(), atol=1e-6)
    small = KNOWN.interval(ident, [-1e-10, 1e-10])
    np.testing.assert_allclose(np.multiply(small, 1e10), [lower, upper], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_agree_with_the_vertices_of_the_cone(seed):
    """A ratio is largest at a vertex of the cone cut by the gauge, from rows with explicit inverses."""
    bonuses = np.random.default_rng(seed).normal(size=(8, 3, 2))
    known = design.KnownRewards(ii.rewards.StateRewards(3), design.AddedRewards(WORLD, [bonuses]))
    theta = np.random.default_rng(seed + 10).uniform(-1, 1, 3)
    evidence, rows = seen(theta, range(8), known), [np.eye(4)[[3]]]
    for env, policy in evidence:
        equal, at_least = ng_russell_rows(env, dense_features(env, known), policy)
        assert not len(equal)
        rows.append(at_least)
    corners = vertices(np.zeros((0, 4)), np.vstack(rows))
    ident = ii.identify([known.calibration(), *evidence], known)
    for direction in ([1.0, -1.0, 0.0], [0.5, 0.5, -1.0]):
        values, units = corners[:, :3] @ direction, corners[:, 3]
        ratios = np.where(units > 1e-9, values / np.maximum(units, 1e-9), np.where(values > 1e-9, np.inf, -np.inf))
        floors = np.where(units > 1e-9, values / np.maximum(units, 1e-9), np.where(values < -1e-9, -np.inf, np.inf))
        lower, upper = known.interval(ident, direction)
        np.testing.assert_allclose([lower, upper], [floors.min(), ratios.max()], rtol=1e-6, atol=1e-7)
        assert lower <= theta @ direction <= upper


def test_constants_stay_open_and_ends_beyond_reach_are_infinite():
    ident = ii.identify([KNOWN.calibration(), *seen([0.0, 9.0])], KNOWN)
    assert {a.kind for a in ident.ambiguities} >= {"constant"}
    lower, upper = KNOWN.interval(ident, [-1.0, 1.0])
    np.testing.assert_allclose(lower, 4.0, atol=1e-6)
    assert upper == np.inf
    assert KNOWN.interval(ident, [1.0, 0.0]) == (-np.inf, np.inf)


def test_without_known_rewards_no_scale_is_identified():
    theta = [0.3, -0.4, 1.0]
    plain = [(env, Optimal(WORLD_KNOWN.family, theta).policy(env)) for env in (WORLD, random_environment(8, 3, 2))]
    ident = ii.identify([WORLD_KNOWN.calibration(), *plain], WORLD_KNOWN)
    lower, upper = WORLD_KNOWN.interval(ident, [0.0, -1.0, 1.0])
    assert lower <= 1e-6
    assert upper == np.inf


def test_the_calibration_says_that_the_known_reward_is_worth_having():
    """One task in which the agent works although it is paid to: an agent that hates pay may do so as well."""
    evidence = seen([0.0, -1.0], [16])
    with pytest.raises(ValueError, match="ident: does not know that the known reward is worth having"):
        KNOWN.interval(ii.identify(evidence, KNOWN), [-1.0, 1.0])
    hates = np.array([0.9, -0.9, -0.1])
    assert ii.identify(evidence, KNOWN).contains(hates)
    ident = ii.identify([KNOWN.calibration(), *evidence], KNOWN)
    assert not ident.contains(hates)
    assert ident.contains(KNOWN.parameter([0.0, -1.0]))
    assert ident.support([0.0, 0.0, -1.0])[0] <= 1e-9


def test_soft_agents_have_no_free_scale():
    theta, rewards = np.array([0.5, -1.2, 0.1]), WORLD_KNOWN
    agent = SoftOptimal(rewards, [*theta, 1.0], temperature=0.7)
    evidence = [(WORLD_TASKS.environment(i), agent.policy(WORLD_TASKS.environment(i))) for i in (0, 3)]
    calibration = rewards.calibration("soft", 0.7)
    np.testing.assert_allclose(agent.policy(calibration[0]), calibration[1].probabilities)
    ident = ii.identify([calibration, *evidence], rewards, "soft", temperature=0.7)
    found = ident.center()
    np.testing.assert_allclose(found[-1], 1.0, atol=1e-8)
    np.testing.assert_allclose(found[:-1] - found[:-1].mean(), theta - theta.mean(), atol=1e-7)


@pytest.mark.parametrize("gap", [-3.3, 2.1])
def test_greedy_tasks_are_a_bisection(gap):
    """16 intervals between 17 payments: chosen tasks need 4 answers, as O(log 1/epsilon) says."""
    gaps = (LEVELS[:-1] + LEVELS[1:]) / 2
    hypotheses = np.array([KNOWN.parameter([0.0, each]) for each in gaps])
    strategy = design.Greedy(hypotheses=hypotheses)
    loop = design.Campaign(TASKS, strategy, KNOWN, until=design.budget(5), reference=hypotheses)
    loop.tell(*KNOWN.calibration())
    agent = Optimal(KNOWN, KNOWN.parameter([0.0, gap]))
    loop.run(agent)
    assert (loop.table.consistent_share * 16).round(9).tolist() == [16, 8, 4, 2, 1]
    lower, upper = KNOWN.interval(loop.ident, [-1.0, 1.0])
    np.testing.assert_allclose([lower, upper], [LEVELS[gap > LEVELS].max(), LEVELS[gap < LEVELS].min()], atol=1e-6)


def test_families_of_dynamics_can_be_paid_too():
    tasks = design.AddedRewards(design.Products.of([WORLD, random_environment(4, 3, 2)]), [BONUSES])
    known = design.KnownRewards(ii.rewards.StateRewards(3), tasks)
    index = 5 * 3 + 2
    env = tasks.environment(index)
    assert tasks.task(env) == index
    np.testing.assert_array_equal(env.dense(), tasks.below.environment(5).dense())
    np.testing.assert_allclose(known.reward(env, [0, 0, 0, 0.5]), BONUSES[2] / 2)


def test_a_parameter_without_a_positive_unit_is_refused():
    with pytest.raises(ValueError, match="parameter: its last entry, the unit of the known reward, was"):
        KNOWN.in_units([1.0, 0.0, 0.0])
