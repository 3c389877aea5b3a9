"""Unknown temperature and discount: what evidence tells of them, and what it cannot."""

import numpy as np
import pytest
from scipy import optimize, special
from worlds import random_environment

import irl_ident as ii
from irl_ident import builders, conformance
from irl_ident.evidence import Counts
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards
from irl_ident.solvers import (
    BoltzmannML,
    Gaussian,
    MaxEnt,
    consistent_discounts,
    profile_discount,
    profile_temperature,
)

DISCOUNTS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


def watched(agent, environments, n):
    rng = np.random.default_rng(3)
    return [(env, Counts(np.array([rng.multinomial(n, row) for row in agent.policy(env)]))) for env in environments]


@pytest.mark.parametrize("solver", [MaxEnt(), BoltzmannML()])
def test_the_temperature_is_a_unit_and_nothing_tells_it(solver):
    env = random_environment(0, 4, 3, 0.8)
    family = LinearRewards(np.random.default_rng(1).uniform(-1, 1, (4, 3, 2)))
    seen = watched(ii.agents.SoftOptimal(family, [1.0, -1.0]), [env], 200)
    found = profile_temperature(seen, family, [0.25, 1.0, 4.0], solver)
    assert found.flat
    assert found.plausible().all()
    for value, estimate in zip(found.values, found.estimates, strict=True):
        np.testing.assert_allclose(estimate.theta / value, found.estimates[1].theta, rtol=1e-3)
    np.testing.assert_allclose(found.left_open(), 0, atol=1e-2)
    assert "does not tell the temperature" in str(found)


def test_a_prior_on_the_scale_tells_the_temperature():
    env = random_environment(0, 4, 3, 0.8)
    family = LinearRewards(np.random.default_rng(1).uniform(-1, 1, (4, 3, 2)))
    seen = watched(ii.agents.SoftOptimal(family, [1.0, -1.0]), [env], 2000)
    assert not profile_temperature(seen, family, [0.1, 1.0, 10.0], MaxEnt(prior=Gaussian(0.1))).flat


def test_one_environment_with_rewards_on_states_and_actions_tells_no_discount():
    env = random_environment(1, 4, 3, 0.8)
    family = StateActionRewards(4, 3)
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(2).uniform(-1, 1, 12))
    found = profile_discount([(env, agent.policy(env))], family, DISCOUNTS)
    assert found.flat
    assert found.left_open().max() > 0.01
    assert "does not tell the discount" in str(found)
    assert "the objective moves" in str(found)


def test_few_parameters_tell_the_discount():
    env, family = conformance.delays(0.8)
    agent = ii.agents.SoftOptimal(family, [1.0, 2.0], 0.5)
    exact = profile_discount([(env, agent.policy(env))], family, DISCOUNTS, MaxEnt(temperature=0.5))
    assert exact.values[exact.plausible()].tolist() == [0.8]
    np.testing.assert_allclose(exact.best.theta, [1.0, 2.0], atol=1e-6)
    sampled = profile_discount(watched(agent, [env], 3000), family, DISCOUNTS, MaxEnt(temperature=0.5))
    assert sampled.plausible()[3]
    assert not sampled.plausible()[[0, 5]].any()
    assert "95 %" in str(sampled)


def test_policies_that_no_reward_explains_keep_their_weights_at_every_discount():
    """Against a search without derivatives that plans by value iteration."""
    env = random_environment(2, 4, 3, 0.8)
    family = LinearRewards(np.random.default_rng(2).normal(size=(4, 3, 2)))
    shown = 0.7 * ii.agents.Optimal(family, [1.0, 2.0]).policy(env) + 0.1
    chain = np.einsum("sa,sat->st", shown, env.dense())
    weights = np.linalg.solve(np.eye(4) - 0.8 * chain.T, np.full(4, 0.25))[:, None] * shown
    grid = [0.3, 0.6, 0.8]
    found = profile_discount([(env, shown)], family, grid)

    transitions = env.dense()

    def loss(theta, g):
        reward, q = family.features @ theta, np.zeros((4, 3))
        for _ in range(150):
            q = reward + g * transitions @ np.log(np.exp(q).sum(axis=1))
        return -(weights * special.log_softmax(q, axis=1)).sum()

    for g, likelihood in zip(grid, found.log_likelihood, strict=True):
        searched = optimize.minimize(loss, [0.0, 0.0], args=(g,), method="Nelder-Mead", options={"xatol": 1e-6})
        assert likelihood == pytest.approx(-searched.fun, abs=1e-8)


def test_parameters_that_are_no_rewards_of_states_are_seen_to_move():
    env = random_environment(1, 4, 3, 0.8)
    family = LinearRewards(np.random.default_rng(1).normal(size=(4, 3, 2)))
    seen = watched(ii.agents.SoftOptimal(family, [1.0, 2.0]), [env], 20)
    found = profile_discount(seen, family, [0.3, 0.9])
    ratios = [estimate.theta[0] / estimate.theta[1] for estimate in found.estimates]
    assert abs(ratios[1] - ratios[0]) > 0.1
    np.testing.assert_allclose(found.directions(), [[ratio, 1.0] for ratio in ratios])
    np.testing.assert_allclose(np.ptp(found.directions(), axis=0), [abs(ratios[1] - ratios[0]), 0])


def test_constants_are_left_out_where_they_change_no_behaviour():
    env, family = random_environment(1, 4, 3, 0.8), StateRewards(4)
    seen = watched(ii.agents.SoftOptimal(family, [1.0, 2.0, 0.0, -1.0]), [env], 50)
    np.testing.assert_allclose(profile_discount(seen, family, [0.3, 0.9]).directions().sum(axis=1), 0, atol=1e-12)
    table = np.concatenate([0.9 * env.dense(), np.full((4, 3, 1), 0.1)], axis=2)
    ending = ii.Environment(np.concatenate([table, np.broadcast_to(np.eye(5)[4], (1, 3, 5))]), 1.0)
    timed = watched(ii.agents.SoftOptimal(StateRewards(5), [-3.0, -1.0, -2.0, -2.5, 0.0]), [ending], 50)
    found = profile_temperature(timed, StateRewards(5), [0.5, 1.0])
    np.testing.assert_allclose(found.directions()[0], found.estimates[0].theta / np.abs(found.estimates[0].theta).max())


def test_intervals_cover_the_true_discount():
    env, family = conformance.delays(0.7)
    agent = ii.agents.SoftOptimal(family, [1.0, 2.0], 0.5)
    policy = agent.policy(env)
    rng = np.random.default_rng(5)
    grid = np.array([0.6, 0.7, 0.8])
    covered = []
    for _ in range(60):
        counts = Counts(np.array([rng.multinomial(60, row) for row in policy]))
        covered.append(profile_discount([(env, counts)], family, grid, MaxEnt(temperature=0.5)).plausible()[1])
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 60)


def test_optimal_behaviour_brackets_the_discount():
    env, family = conformance.delays(0.8)
    shown = ii.agents.Optimal(family, [1.0, 2.0]).policy(env)
    known = LinearRewards(family.features @ np.array([[1.0], [2.0]]))
    found = consistent_discounts([(env, shown)], known, [0.6, 0.75, 0.8, 0.84, 0.9])
    brackets = [2 * g**3 > 1 > 2 * g**4 for g in (0.6, 0.75, 0.8, 0.84, 0.9)]
    assert [each.consistent for each in found] == brackets
    assert all(each.dimension == 0 for each in found if each.consistent)
    free = consistent_discounts([(env, shown)], family, [0.6, 0.8, 0.9])
    assert all(each.consistent for each in free)


def test_another_environment_may_tell_the_discount():
    family = StateActionRewards(4, 3)
    worlds = [random_environment(seed, 4, 3, 0.8) for seed in range(3)]
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(2).uniform(-1, 1, 12))
    seen = [(env, agent.policy(env)) for env in worlds]
    one, all_of_them = (consistent_discounts(seen[:n], family, [0.6, 0.8, 0.9], "soft") for n in (1, 3))
    assert [each.consistent for each in one] == [True, True, True]
    assert [each.consistent for each in all_of_them] == [False, True, False]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda seen, family: profile_discount(seen, family, []), "discounts"),
        (lambda seen, family: profile_discount(seen, family, [np.nan]), "discounts"),
        (lambda seen, family: profile_temperature(seen, family, [[1.0]]), "temperatures"),
        (
            lambda seen, family: profile_temperature(seen, family, [1.0], ii.solvers.AnalyticCenter()),
            "maximises no likelihood",
        ),
        (
            lambda seen, family: profile_discount(seen, family, [0.5], ii.solvers.BayesianIRL()),
            "maximises no likelihood",
        ),
        (lambda seen, family: profile_temperature(seen, family, [0.0]), "temperature"),
        (lambda seen, family: consistent_discounts([], family, [0.5]), "evidence"),
    ],
)
def test_faults_are_named(ask, words):
    env = builders.random_environment(3, 2, 0.9, 0)
    with pytest.raises(ValueError, match=words):
        ask([(env, np.full((3, 2), 0.5))], StateRewards(3))
