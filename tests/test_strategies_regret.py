"""Regret: strategies against enumeration of policies, bounds against vertices of the identified set."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import brute_policy, dense_features, ng_russell_rows, random_environment, vertices

import irl_ident as ii
from irl_ident import design, distances, planning
from irl_ident.agents import Optimal, SoftOptimal
from irl_ident.design.strategies.regret import at_most

S, A = 4, 2
FAMILY = ii.rewards.StateRewards(S)
CANDIDATES = [random_environment(seed, S, A) for seed in range(5)]
DEPLOYED = random_environment(7, S, A)
THETAS = np.random.default_rng(0).uniform(-1, 1, (30, S))
AGENT = Optimal(FAMILY, THETAS[0])
AFTER_ONE = ii.identify([(CANDIDATES[0], AGENT.policy(CANDIDATES[0]))], FAMILY)


def enumerated_returns(env, family, thetas):
    """Normalised returns of every deterministic policy under every theta, with dense inverses."""
    table, features, states = env.dense(), dense_features(env, family), np.arange(env.n_states)
    rows = []
    for choice in product(range(env.n_actions), repeat=env.n_states):
        chain = np.eye(env.n_states) - env.discount * table[states, choice]
        occupancy = np.linalg.solve(chain.T, env.initial) * (1 - env.discount)
        rows.append(occupancy @ features[states, choice] @ np.asarray(thetas).T)
    return np.array(rows)


@pytest.mark.parametrize(("n_states", "n_actions"), [(4, 2), (4, 3), (6, 2)])
def test_maximin_regret_is_the_minimal_bayesian_regret_by_enumeration(n_states, n_actions):
    family = ii.rewards.StateActionRewards(n_states, n_actions)
    pool = np.random.default_rng(1).uniform(-1, 1, (20, family.dim))
    envs = [random_environment(seed, n_states, n_actions) for seed in range(3)]
    scores = design.MaximinRegret(hypotheses=pool).score(ii.identified.anything(family), envs)
    for env, score in zip(envs, scores, strict=True):
        returns = enumerated_returns(env, family, pool)
        np.testing.assert_allclose(score, (returns.max(axis=0) - returns).mean(axis=1).min(), atol=1e-9)
    assert scores.min() > 0


@settings(max_examples=10)
@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_regrets_scale_with_all_rewards_and_do_not_know_constants(scale, shift):
    start = ii.identified.anything(FAMILY)
    for make in (
        design.MaximinRegret,
        lambda **pool: design.DeploymentRegret(DEPLOYED, **pool),
        lambda **pool: design.WorstDeploymentRegret(DEPLOYED, **pool),
    ):
        scores = make(hypotheses=THETAS).score(start, CANDIDATES)
        mapped = make(hypotheses=scale * THETAS + shift).score(start, CANDIDATES)
        np.testing.assert_allclose(mapped, scale * scores, atol=1e-7 * scale)


@pytest.mark.parametrize("rationality", ["optimal", "soft"])
def test_deployment_regret_is_the_value_of_the_answers_by_enumeration(rationality):
    """For every class of like behaviour the best policy for its members, less the best for all."""
    start = ii.identified.anything(FAMILY, rationality)
    resolution = 0.2
    returns = enumerated_returns(DEPLOYED, FAMILY, THETAS)
    expected = []
    for env in CANDIDATES:
        groups = {}
        for place, theta in enumerate(THETAS):
            if rationality == "optimal":
                shown = brute_policy(env, FAMILY.reward(env, theta)).tobytes()
            else:
                shown = np.rint(SoftOptimal(FAMILY, theta).policy(env) / resolution).tobytes()
            groups.setdefault(shown, []).append(place)
        informed = sum(returns[:, members].sum(axis=1).max() for members in groups.values()) / len(THETAS)
        expected.append(informed - returns.mean(axis=1).max())
    strategy = design.DeploymentRegret(DEPLOYED, hypotheses=THETAS, resolution=resolution)
    np.testing.assert_allclose(strategy.score(start, CANDIDATES), expected, atol=1e-9)
    assert max(expected) > 0


def test_trying_the_deployment_itself_saves_all_of_its_bayesian_regret():
    """Objectives that behave alike there share an optimal policy, so nothing is lost any more."""
    at_stake = design.MaximinRegret(hypotheses=THETAS).score(AFTER_ONE, [DEPLOYED])
    saved = design.DeploymentRegret(DEPLOYED, hypotheses=THETAS).score(AFTER_ONE, [*CANDIDATES, DEPLOYED])
    np.testing.assert_allclose(saved[-1], at_stake[0], atol=1e-9)
    assert (saved <= at_stake[0] + 1e-9).all()
    np.testing.assert_allclose(saved[0], 0, atol=1e-9)


def test_worst_deployment_regret_is_what_enumeration_saves():
    """The policy that is best on average for a class of like answers, at its worst for a member of the class."""
    start = ii.identified.anything(FAMILY)
    returns = enumerated_returns(DEPLOYED, FAMILY, THETAS)
    losses = returns.max(axis=0) - returns

    def worst(members):
        return losses[returns[:, members].mean(axis=1).argmax(), members].max()

    saved = []
    for env in CANDIDATES:
        groups = {}
        for place, theta in enumerate(THETAS):
            groups.setdefault(brute_policy(env, FAMILY.reward(env, theta)).tobytes(), []).append(place)
        left = sum(len(members) / len(THETAS) * worst(members) for members in groups.values())
        saved.append(worst(list(range(len(THETAS)))) - left)
    scores = design.WorstDeploymentRegret(DEPLOYED, hypotheses=THETAS).score(start, CANDIDATES)
    np.testing.assert_allclose(scores, saved, atol=1e-9)
    seen = design.WorstDeploymentRegret(DEPLOYED, hypotheses=THETAS).score(AFTER_ONE, CANDIDATES)
    np.testing.assert_allclose(seen[0], 0, atol=1e-9)


def test_regret_strategies_drive_campaigns():
    for kind in (design.DeploymentRegret, design.WorstDeploymentRegret):
        strategy = kind(DEPLOYED, 200)
        campaign = design.Campaign(CANDIDATES, strategy, FAMILY, until=design.budget(3))
        campaign.run(AGENT)
        assert len({decision.env.digest for decision in campaign.decisions}) == 3
        assert campaign.ident.contains(THETAS[0])


def exact_worst(ident_env, shown, policy, env, family=FAMILY):
    """The largest regret over the vertices of the identified set: regret is convex in theta."""
    corners = vertices(*ng_russell_rows(ident_env, dense_features(ident_env, family), shown))
    returns = enumerated_returns(env, family, corners)
    own = (1 - env.discount) * np.array(
        [env.initial @ planning.evaluate(env, family.reward(env, corner), policy) for corner in corners]
    )
    return float((returns.max(axis=0) - own).max())


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from(["even", "centre", "random"]))
def test_bounds_enclose_the_largest_regret_of_all_vertices(seed, kind):
    rng = np.random.default_rng(seed)
    env, deployed = random_environment(seed, S, A), random_environment(seed + 1, S, A, 0.8)
    shown = Optimal(FAMILY, rng.uniform(-1, 1, S)).policy(env)
    ident = ii.identify([(env, shown)], FAMILY)
    policy = {
        "even": np.full((S, A), 0.5),
        "centre": Optimal(FAMILY, ident.center()).policy(deployed),
        "random": rng.dirichlet(np.ones(A), size=S),
    }[kind]
    bound = design.regret_bound(ident, policy, deployed)
    exact = exact_worst(env, shown, policy, deployed)
    assert bound.lower <= exact + 1e-8
    assert exact <= bound.upper + 1e-8
    witnessed = (1 - 0.8) * distances.losses.loss(deployed, FAMILY.reward(deployed, bound.witness), policy)
    np.testing.assert_allclose(witnessed, bound.lower, atol=1e-8)
    assert np.abs(bound.witness).max() <= 1 + 1e-9


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.floats(0, 10))
def test_any_value_map_bounds_regret(seed, size):
    """The upper bound is one whatever values it takes, so that no solver can make it wrong."""
    rng = np.random.default_rng(seed)
    env, deployed = random_environment(seed, S, A), random_environment(seed + 1, S, A, 0.8)
    shown = Optimal(FAMILY, rng.uniform(-1, 1, S)).policy(env)
    policy = rng.dirichlet(np.ones(A), size=S)
    values = size * rng.normal(size=(S, S))
    upper, *_ = at_most(ii.identify([(env, shown)], FAMILY), values, policy, deployed, np.ones(S, dtype=bool))
    assert exact_worst(env, shown, policy, deployed) <= upper + 1e-8


def test_carrying_the_objective_along_closes_the_gap():
    """Of 8 random cases, without selection: the bound is exact in most, never a tenth too high, and far too high in
    most where each state may have an objective of its own.
    """
    ratios, apart = [], []
    for seed in range(8):
        env, deployed = random_environment(seed, S, A), random_environment(seed + 1, S, A, 0.8)
        shown = Optimal(FAMILY, np.random.default_rng(seed).uniform(-1, 1, S)).policy(env)
        ident, even = ii.identify([(env, shown)], FAMILY), np.full((S, A), 0.5)
        exact = exact_worst(env, shown, even, deployed)
        ratios.append(design.regret_bound(ident, even, deployed).upper / exact)
        apart.append(design.regret_bound(ident, even, deployed, entries=0).upper / exact)
    assert max(ratios) < 1.1
    assert np.median(ratios) < 1 + 1e-6
    assert np.median(apart) > 1.1
    assert (np.array(ratios) <= np.array(apart) + 1e-9).all()


@settings(max_examples=5)
@given(st.integers(0, 10_000))
def test_no_member_of_the_set_loses_more_than_the_upper_bound(seed):
    rng = np.random.default_rng(seed)
    envs = [random_environment(seed + k, 7, 3) for k in range(3)]
    family = ii.rewards.LinearRewards(rng.normal(size=(7, 3, 4)))
    agent = Optimal(family, rng.uniform(-1, 1, 4))
    ident = ii.identify([(env, agent.policy(env)) for env in envs[:2]], family)
    policy = rng.dirichlet(np.ones(3), size=7)
    bound = design.regret_bound(ident, policy, envs[2])
    for theta in ident.sample(25, seed=seed):
        reward = family.reward(envs[2], theta)
        assert (1 - 0.9) * distances.losses.loss(envs[2], reward, policy) <= bound.upper + 1e-8
    assert bound.lower <= bound.upper


@settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_without_a_future_the_bound_is_exact_and_closed(seed):
    """Discount 0: each state is a choice of its own, and what was chosen against costs up to 2."""
    rng = np.random.default_rng(seed)
    table = random_environment(seed, S, A).dense()
    start = rng.dirichlet(np.ones(S))
    env = ii.Environment(table, 0.0, start)
    chosen = np.eye(A)[rng.integers(0, A, S)]
    chosen[rng.random(S) < 0.3] = 0
    ident = ii.identify([(env, ii.evidence.Policy(chosen))], ii.rewards.StateActionRewards(S, A))
    policy = rng.dirichlet(np.ones(A), size=S)
    wrong = np.where(chosen.any(axis=1), 1 - (policy * chosen).sum(axis=1), policy.max(axis=1))
    bound = design.regret_bound(ident, policy, env)
    np.testing.assert_allclose([bound.lower, bound.upper], 2 * start @ wrong, atol=1e-7)


def test_the_policy_that_was_seen_has_no_regret_where_it_was_seen():
    bound = design.regret_bound(AFTER_ONE, AGENT.policy(CANDIDATES[0]), CANDIDATES[0])
    np.testing.assert_allclose([bound.lower, bound.upper], 0, atol=1e-9)


def test_the_regret_of_an_identified_soft_agent_is_that_of_its_objective():
    agent = SoftOptimal(FAMILY, THETAS[1])
    ident = ii.identify([(CANDIDATES[0], agent.policy(CANDIDATES[0]))], FAMILY, "soft")
    assert ident.dimension == 0
    policy = np.random.default_rng(2).dirichlet(np.ones(A), size=S)
    truth = 0.1 * distances.losses.loss(DEPLOYED, FAMILY.reward(DEPLOYED, THETAS[1]), policy)
    bound = design.regret_bound(ident, policy, DEPLOYED)
    np.testing.assert_allclose([bound.lower, bound.upper], truth, atol=1e-7)


def test_soft_agents_bound_regret_where_their_rewards_generalise_and_only_there():
    family = ii.rewards.StateActionRewards(S, A)
    theta = np.random.default_rng(3).uniform(-1, 1, S * A)
    ident = ii.identify([(CANDIDATES[0], SoftOptimal(family, theta).policy(CANDIDATES[0]))], family, "soft")
    assert ident.dimension > 0
    even = np.full((S, A), 0.5)
    here = design.regret_bound(ident, even, CANDIDATES[0])
    truth = 0.1 * distances.losses.loss(CANDIDATES[0], family.reward(CANDIDATES[0], theta), even)
    np.testing.assert_allclose([here.lower, here.upper], truth, atol=1e-7)
    elsewhere = design.regret_bound(ident, even, CANDIDATES[1])
    assert elsewhere.upper == np.inf
    assert 0 < elsewhere.lower < np.inf


def test_states_that_nobody_reaches_do_not_count():
    table = np.zeros((3, 2, 3))
    table[0, :, 1] = table[1, :, 0] = table[2, :, 2] = 1
    env = ii.Environment(table, 0.5, [1.0, 0.0, 0.0])
    family = ii.rewards.StateActionRewards(3, 2)
    shown = ii.evidence.Policy([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    ident = ii.identify([(env, shown)], family)
    policy = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    bound = design.regret_bound(ident, policy, env)
    np.testing.assert_allclose([bound.lower, bound.upper], 0, atol=1e-9)


def test_discount_one_counts_expected_steps():
    """Two steps, in each 1 for choosing half the time against what was seen, and 2 for the last, which nobody saw."""
    table = np.zeros((3, 2, 3))
    table[0, :, 1] = table[1, :, 2] = table[2, :, 2] = 1
    env = ii.Environment(table, 1.0, [1.0, 0.0, 0.0])
    shown = ii.evidence.Policy([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    ident = ii.identify([(env, shown)], ii.rewards.StateActionRewards(3, 2))
    policy = np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    bound = design.regret_bound(ident, policy, env)
    np.testing.assert_allclose([bound.lower, bound.upper], 2 * 1 + 2, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.DeploymentRegret("maze"), "env: should be an Environment, was str"),
        (lambda: design.DeploymentRegret(DEPLOYED, samples=0), "samples: was 0"),
        (lambda: design.MaximinRegret().score(AFTER_ONE, []), "candidates: is empty"),
        (lambda: design.regret_bound(AFTER_ONE, np.ones((S, A)), DEPLOYED), "policy"),
        (lambda: design.regret_bound(AFTER_ONE, np.full((3, A), 0.5), random_environment(0, 3, A)), "StateRewards"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_contradictory_evidence_bounds_nothing():
    swap = np.roll(np.eye(2), 1, axis=1)
    env = ii.Environment([np.eye(2), swap], 0.9)
    seen = [(env, ii.evidence.Policy(rows)) for rows in ([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]])]
    ident = ii.identify(seen, ii.rewards.StateRewards(2))
    with pytest.raises(ii.identified.ContradictoryEvidence):
        design.regret_bound(ident, np.full((2, 2), 0.5), env)
