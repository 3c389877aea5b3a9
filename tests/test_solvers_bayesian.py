"""Posteriors against numerical integration, simulation-based calibration and the limit of much data."""

from __future__ import annotations

import builtins
from functools import cache
from typing import Any

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import irl_ident as ii
from irl_ident import agents, planning
from irl_ident.environment import Array
from irl_ident.evidence import Counts, Policy, Trajectories
from irl_ident.identified import soft_likelihood
from irl_ident.planning.soft_batch import STACKED_STATES, soft_batch, soft_batch_gradient
from irl_ident.rewards import LinearRewards, RewardFamily, StateActionRewards, StateRewards, TransitionRewards
from irl_ident.solvers import log_likelihood
from irl_ident.solvers.bayesian import BayesianIRL, Gaussian, Laplace, Posterior, Uniform, invariant_directions
from irl_ident.solvers.choices import BoltzmannChoices, NoisyChoices, SoftChoices, optimal_plans
from irl_ident.solvers.sampling import shrunk_covariance
from tests.worlds import brute_policy, brute_q, random_environment

RATIONALITIES = ("soft", "boltzmann", "noisy")
EPSILON, TEMPERATURE = 0.3, 0.8
TRUTH = np.array([0.6, -0.4])


def world(d: int, *, seed: int = 3, n_states: int = 4, n_actions: int = 2) -> tuple[ii.Environment, LinearRewards]:
    features = np.random.default_rng(seed + 100).standard_normal((n_states, n_actions, d))
    return random_environment(seed, n_states, n_actions, 0.5), LinearRewards(features)


def agent_of(rationality: str, family: RewardFamily, theta: Array) -> agents.Agent:
    if rationality == "soft":
        return agents.SoftOptimal(family, theta, TEMPERATURE)
    if rationality == "boltzmann":
        return agents.Boltzmann(family, theta, TEMPERATURE)
    return agents.Noisy(family, theta, EPSILON)


def counts_of(rationality: str, env: ii.Environment, family: RewardFamily, theta: Array, n: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    policy = agent_of(rationality, family, theta).policy(env)
    return np.array([rng.multinomial(n, row / row.sum()) for row in policy], dtype=float)


def solver(rationality: Any, **settings: Any) -> BayesianIRL:
    return BayesianIRL(rationality, temperature=TEMPERATURE, epsilon=EPSILON, **settings)


@cache
def integrated(rationality: str, d: int) -> tuple[Array, Array]:
    """Midpoints of cells of [-6, 6]^d (m, d), and their log-likelihoods (m,) by plain value iteration."""
    env, family = world(d)
    counts = counts_of(rationality, env, family, TRUTH[:d], 6, 5)
    edges = np.linspace(-6, 6, 1201 if d == 1 else 241)
    theta = np.stack(np.meshgrid(*[(edges[1:] + edges[:-1]) / 2] * d, indexing="ij"), axis=-1).reshape(-1, d)
    rewards = (family.matrix(env) @ theta.T).T.reshape(-1, 4, 2)
    values = np.zeros(rewards.shape[:2])
    for _ in range(45):
        q = rewards + env.discount * (values @ env.dense().reshape(8, 4).T).reshape(rewards.shape)
        top = q.max(axis=2)
        if rationality == "soft":
            top = top + TEMPERATURE * np.log(np.exp((q - top[..., None]) / TEMPERATURE).sum(axis=2))
        values = top
    if rationality == "noisy":
        best = q >= q.max(axis=2, keepdims=True) - 1e-9
        policy = (1 - EPSILON) * best / best.sum(axis=2, keepdims=True) + EPSILON / 2
    else:
        policy = np.exp((q - q.max(axis=2, keepdims=True)) / TEMPERATURE)
        policy /= policy.sum(axis=2, keepdims=True)
    return theta, np.asarray((np.log(policy) * counts).sum(axis=(1, 2)))


def within_noise(found: Array, exact: float) -> None:
    """The mean of ``found`` (chains, n), a function of the draws, is within 5 standard errors of ``exact``."""
    effective = float(array_stats.ess(found, chain_axis=0, draw_axis=1, method="mean"))
    assert effective > 100
    assert abs(found.mean() - exact) < 5 * found.std() / np.sqrt(effective)


@pytest.mark.parametrize("rationality", RATIONALITIES)
@pytest.mark.parametrize("prior", [Gaussian(1.5), Uniform(2.0), Laplace(0.7)], ids=repr)
@pytest.mark.parametrize("d", [1, 2])
def test_the_posterior_is_that_of_numerical_integration(rationality: str, prior: Any, d: int) -> None:
    env, family = world(d)
    counts = counts_of(rationality, env, family, TRUTH[:d], 6, 5)
    theta, likelihood = integrated(rationality, d)
    if isinstance(prior, Gaussian):
        weight = np.exp(likelihood - likelihood.max()) * stats.norm.pdf(theta, scale=1.5).prod(axis=1)
    elif isinstance(prior, Laplace):
        weight = np.exp(likelihood - likelihood.max()) * stats.laplace.pdf(theta, scale=0.7).prod(axis=1)
    else:
        weight = np.exp(likelihood - likelihood.max()) * (np.abs(theta) < 2).all(axis=1)
    weight /= weight.sum()
    fit = solver(rationality, prior=prior, samples=400, chains=16, warmup=100).fit([(env, Counts(counts))], family)
    for k in range(d):
        values, column = np.unique(theta[:, k], return_inverse=True)
        mass = np.bincount(column, weight)
        mean = float(mass @ values)
        within_noise(fit.draws[..., k], mean)
        within_noise((fit.draws[..., k] - mean) ** 2, float(mass @ (values - mean) ** 2))
        edges = (values[1:] + values[:-1]) / 2
        for level in (0.1, 0.5, 0.9):
            cut = int(np.searchsorted(np.cumsum(mass), level))
            within_noise((fit.draws[..., k] < edges[cut]).astype(float), float(mass[: cut + 1].sum()))


@pytest.mark.parametrize("rationality", RATIONALITIES)
def test_ranks_of_the_truth_are_uniform(rationality: str) -> None:
    """Simulation-based calibration (Talts et al. 2018): 40 truths from the prior, each with its own data."""
    env, family = world(2)
    rng = np.random.default_rng(0)
    ranks = []
    for trial in range(40):
        theta = 1.2 * rng.standard_normal(2)
        counts = counts_of(rationality, env, family, theta, 4, 1000 + trial)
        fit = solver(rationality, prior=Gaussian(1.2), samples=40, warmup=25, seed=trial).fit(
            [(env, Counts(counts))], family
        )
        ranks.append((fit.pooled < theta).mean(axis=0))
    placed = np.array(ranks).ravel()
    assert abs(placed.mean() - 0.5) < 4 / np.sqrt(12 * placed.size)
    assert stats.kstest(placed, "uniform").pvalue > 1e-3


def test_much_data_leaves_the_inverse_of_the_fisher_information() -> None:
    env, family = world(3)
    theta = np.array([0.5, -0.3, 0.2])
    counts = np.round(1e5 * agent_of("soft", family, theta).policy(env))
    fit = solver("soft", prior=Gaussian(10.0), samples=2000, chains=4).fit([(env, Counts(counts))], family)
    information = soft_likelihood.fisher_information([(env, counts)], family, theta, TEMPERATURE)
    whitened = np.linalg.cholesky(information).T @ fit.covariance @ np.linalg.cholesky(information)
    np.testing.assert_allclose(whitened, np.eye(3), atol=5 * np.sqrt(2 / fit.effective.min()))
    assert fit.convergence.status == "converged"
    assert fit.acceptance.min() > 0.9


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.95, 1.0])
def test_soft_plans_in_batch_are_those_of_one_reward(discount: float) -> None:
    env = random_environment(0, 6, 3, 0.5)
    if discount == 1:
        table = env.dense() * 0.9
        table[..., -1] += 0.1
        table[-1] = np.eye(6)[-1]
        env = ii.Environment(table, 1.0)
    else:
        env = ii.Environment(env.dense(), discount)
    rng = np.random.default_rng(1)
    rewards, cotangent = 3 * rng.standard_normal((7, 6, 3)), rng.random((6, 3))
    plans = soft_batch(env, rewards, 0.3)
    warm = soft_batch(env, rewards, 0.3, start=plans.values + 50 * rng.standard_normal((7, 6)))
    slopes = soft_batch_gradient(env, plans, cotangent)
    for k in range(7):
        one = planning.soft(env, rewards[k], 0.3)
        assert np.abs(plans.values[k] - one.values).max() <= plans.error_bound[k] + one.error_bound
        assert np.abs(warm.q[k] - one.q).max() <= warm.error_bound[k] + one.error_bound
        np.testing.assert_allclose(plans.policy[k].sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(slopes[k], planning.soft_gradient(env, one, cotangent), atol=1e-10)
    assert soft_batch(env, np.zeros((0, 6, 3))).q.shape == (0, 6, 3)


def test_many_states_are_planned_one_by_one() -> None:
    n = STACKED_STATES + 1
    table = np.zeros((n, 2, n))
    table[np.arange(n), 0, np.arange(1, n + 1) % n] = 1
    table[np.arange(n), 1, np.arange(n)] = 1
    env = ii.Environment(table, 0.9)
    rng = np.random.default_rng(0)
    rewards, counts = rng.standard_normal((2, n, 2)), rng.random((n, 2))
    plans = soft_batch(env, rewards)
    np.testing.assert_allclose(plans.values[1], planning.soft(env, rewards[1]).values, atol=1e-10)
    for kind in (SoftChoices, BoltzmannChoices):
        choices = kind(env, counts, 1.0)
        value, slope, _ = choices.gradients(rewards, choices.start(2))
        ahead = 1e-6 * rng.standard_normal(rewards.shape)
        up, down = (choices.values(rewards + sign * ahead, choices.start(2))[0] for sign in (1, -1))
        np.testing.assert_allclose((slope * ahead).sum(axis=(1, 2)), (up - down) / 2, rtol=1e-4)
        assert np.isfinite(value).all()


@pytest.mark.parametrize("kind", [SoftChoices, BoltzmannChoices])
def test_gradients_are_those_of_finite_differences(kind: Any) -> None:
    env = random_environment(2, 5, 3, 0.9)
    rng = np.random.default_rng(0)
    choices = kind(env, rng.integers(0, 5, (5, 3)).astype(float), 0.6)
    rewards = rng.standard_normal((4, 5, 3))
    _, slope, start = choices.gradients(rewards, choices.start(4))
    ahead = 1e-6 * rng.standard_normal(rewards.shape)
    up, down = (choices.values(rewards + sign * ahead, start)[0] for sign in (1, -1))
    np.testing.assert_allclose((slope * ahead).sum(axis=(1, 2)), (up - down) / 2, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("rationality", RATIONALITIES)
def test_likelihoods_are_those_of_the_agents(rationality: str) -> None:
    env = random_environment(4, 5, 3, 0.9)
    family = StateActionRewards(5, 3)
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (5, 3))
    thetas = rng.standard_normal((3, 15))
    thetas[2] = 0
    kinds = {"soft": SoftChoices, "boltzmann": BoltzmannChoices, "noisy": NoisyChoices}
    setting = EPSILON if rationality == "noisy" else TEMPERATURE
    choices: Any = kinds[rationality](env, counts.astype(float), setting)
    found, _ = choices.values(thetas.reshape(3, 5, 3), choices.start(3))
    exact = [log_likelihood(agent_of(rationality, family, theta), [(env, Counts(counts))]) for theta in thetas]
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_optimal_plans_from_any_policy_are_those_of_enumeration() -> None:
    env = random_environment(6, 4, 3, 0.9)
    rng = np.random.default_rng(0)
    rewards = rng.standard_normal((6, 4, 3))
    plans = optimal_plans(env, rewards, rng.integers(0, 3, (6, 4)).astype(float))
    for k in range(6):
        np.testing.assert_allclose(plans.q[k], brute_q(env, rewards[k]), atol=1e-10)
        assert brute_policy(env, rewards[k])[np.arange(4), plans.chosen[k]].all()


@pytest.mark.parametrize("kind", [SoftChoices, BoltzmannChoices])
def test_information_is_the_expected_outer_product_of_scores(kind: Any) -> None:
    env, family = world(3)
    theta, features = np.array([0.4, -0.2, 0.7]), family.matrix(env).toarray()
    reward = family.reward(env, theta)
    visits = np.array([3.0, 1.0, 0.0, 2.0])
    policy = agent_of("soft" if kind is SoftChoices else "boltzmann", family, theta).policy(env)
    total = np.zeros((3, 3))
    for s in range(4):
        for a in range(2):
            one = np.zeros((4, 2))
            one[s, a] = 1
            choices = kind(env, one, TEMPERATURE)
            score = features.T @ choices.gradients(reward[None], choices.start(1))[1].ravel()
            total += visits[s] * policy[s, a] * np.outer(score, score)
    found = kind(env, visits[:, None] * policy, TEMPERATURE).information(reward[None], features)[0]
    np.testing.assert_allclose(found, total, atol=1e-10)


def test_chains_do_not_stay_in_cells_without_mass() -> None:
    """Log-likelihoods of one chain's cells and another's are hundreds of nats apart where a chain is trapped."""
    env = random_environment(1, 16, 4, 0.95)
    family = LinearRewards(np.random.default_rng(1).standard_normal((16, 4, 3)))
    counts = counts_of("noisy", env, family, np.array([1.0, -0.5, 0.3]), 30, 2)
    fit = solver("noisy", samples=100, warmup=50, chains=6).fit([(env, Counts(counts))], family)
    truth = log_likelihood(agents.Noisy(family, np.array([1.0, -0.5, 0.3]), EPSILON), [(env, Counts(counts))])
    assert np.ptp(fit.log_posterior.mean(axis=1)) < 5
    assert fit.log_posterior.mean() > truth - 20
    assert fit.r_hat.max() < 1.1


def test_several_environments_add_their_log_likelihoods() -> None:
    env, family = world(2)
    other = random_environment(9, 4, 2, 0.5)
    theta = TRUTH
    data = [(e, Counts(counts_of("soft", e, family, theta, 5, k))) for k, e in enumerate((env, other))]
    fit = solver("soft", samples=20, warmup=20).fit(data, family)
    for c, t in ((0, 0), (3, 19)):
        at = fit.draws[c, t]
        exact = log_likelihood(agent_of("soft", family, at), data) + stats.norm.logpdf(at).sum()
        np.testing.assert_allclose(fit.log_posterior[c, t], exact, rtol=1e-8)


@pytest.mark.parametrize("rationality", RATIONALITIES)
@pytest.mark.parametrize("prior", [Gaussian(1.0), Uniform(1.5), Laplace(2.0)], ids=repr)
def test_the_trace_is_the_log_posterior_of_each_draw(rationality: str, prior: Any) -> None:
    env, family = world(2)
    data = [(env, Counts(counts_of(rationality, env, family, TRUTH, 5, 0)))]
    fit = solver(rationality, prior=prior, samples=10, warmup=10).fit(data, family)
    at = fit.draws[1, 7]
    densities = {Gaussian: stats.norm(), Uniform: stats.uniform(-1.5, 3.0), Laplace: stats.laplace(scale=2.0)}
    density = densities[type(prior)]
    exact = log_likelihood(agent_of(rationality, family, at), data) + density.logpdf(at).sum()
    np.testing.assert_allclose(fit.log_posterior[1, 7], exact, rtol=1e-8)


def test_chains_that_do_not_mix_are_reported() -> None:
    """Slices of a likelihood whose walls are a hundred thousand choices high, without warm-up: chains stay put."""
    env, family = world(2)
    data = [(env, Counts(counts_of("noisy", env, family, TRUTH, 100_000, 0)))]
    fit = solver("noisy", prior=Uniform(2.0), samples=4, warmup=0).fit(data, family)
    assert fit.convergence.status == "iterations"
    assert fit.r_hat.max() > 1.1
    assert fit.effective.max() < 100


def test_paths_through_cells_know_the_likelihood_and_keep_to_their_cell() -> None:
    """Two environments, ties that no reward breaks, states that choices pass through: against planning anew."""
    table = random_environment(1, 4, 3, 0.8).dense()
    table[1, 2] = table[1, 0]
    env, family = ii.Environment(table, 0.8), StateRewards(4)
    other = random_environment(5, 4, 3, 0.6)
    rng = np.random.default_rng(0)
    data = [(e, Counts(rng.integers(0, 3, (4, 3)))) for e in (env, other)]
    fit = solver("noisy", prior=Gaussian(2.0), samples=40, warmup=10).fit(data, family)
    prior = stats.norm(scale=2.0)
    exact = [log_likelihood(agents.Noisy(family, theta, EPSILON), data) for theta in fit.pooled]
    found = fit.log_posterior.ravel() - prior.logpdf(fit.pooled).sum(axis=1)
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_paths_through_cells_spend_the_right_time_in_each() -> None:
    """Two environments and four rewards, against importance sampling from the prior."""
    env, other, family = random_environment(1, 4, 3, 0.8), random_environment(5, 4, 3, 0.6), StateRewards(4)
    rng = np.random.default_rng(0)
    data = [(e, Counts(rng.integers(0, 3, (4, 3)))) for e in (env, other)]
    fit = solver("noisy", prior=Gaussian(2.0), samples=2000, warmup=60).fit(data, family)
    found = fit.log_posterior - stats.norm(scale=2.0).logpdf(fit.draws).sum(axis=2)
    theta = rng.standard_normal((100_000, 4))
    likelihood = np.zeros(len(theta))
    for e, observation in data:
        choices = NoisyChoices(e, observation.counts.astype(float), EPSILON)
        likelihood += choices.values((family.matrix(e) @ theta.T).T.reshape(-1, 4, 3), choices.start(len(theta)))[0]
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    levels = np.unique(np.round(likelihood, 6))
    shares = np.array([weight[np.abs(likelihood - level) < 1e-5].sum() for level in levels])
    assert (shares > 0.03).sum() >= 3
    for level, share in zip(levels[shares > 0.03], shares[shares > 0.03], strict=True):
        within_noise((np.abs(found - level) < 1e-5).astype(float), float(share))


def test_the_same_seed_draws_the_same() -> None:
    env, family = world(2)
    data = [(env, Counts(counts_of("soft", env, family, TRUTH, 5, 0)))]
    one, two, three = (solver("soft", samples=10, warmup=10, seed=s).fit(data, family) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    assert not np.array_equal(one.draws, three.draws)


def test_what_no_choice_tells_is_left_to_the_prior() -> None:
    env = random_environment(0, 4, 2, 0.8)
    family = StateActionRewards(4, 2)
    theta = np.random.default_rng(0).standard_normal(8)
    counts = np.round(50 * agent_of("soft", family, theta).policy(env))
    deviation = np.linspace(0.5, 2, 8)
    fit = solver("soft", prior=Gaussian(deviation), samples=2500).fit([(env, Counts(counts))], family)
    assert fit.invariant.shape == (8, 4)
    np.testing.assert_allclose((fit.invariant / deviation[:, None] ** 2).T @ fit.theta, 0, atol=1e-12)
    shares, directions = fit.prior_share()
    assert shares[3] > 0.8
    assert shares[4] < 0.8
    np.testing.assert_allclose(directions.T @ directions, np.eye(8), atol=1e-12)
    assert "4 of 8 directions change no choice here" in fit.gauge
    assert np.abs(fit.theta - fit.pooled.mean(axis=0)).max() < 5 * 2 / np.sqrt(fit.effective.min())


@pytest.mark.parametrize("rationality", RATIONALITIES)
def test_invariant_directions_change_no_choice(rationality: str) -> None:
    table = np.zeros((4, 2, 4))
    table[0, :, 1], table[1, 0, 0], table[1, 1, 1], table[2, :, 3], table[3, :, 0] = 1, 1, 1, 1, 1
    env, family = ii.Environment(table, 0.7), StateActionRewards(4, 2)
    counts = np.zeros((4, 2))
    counts[1] = 3, 5
    found = invariant_directions([(env, counts)], family)
    assert found.shape == (8, 6)
    rng = np.random.default_rng(0)
    for _ in range(5):
        theta = rng.standard_normal(8)
        moved = theta + found @ rng.standard_normal(6)
        here, there = (agent_of(rationality, family, t).policy(env)[1] for t in (theta, moved))
        np.testing.assert_allclose(here, there, atol=1e-10)


def test_unobserved_states_that_choices_lead_to_are_not_called_invariant() -> None:
    env, family = random_environment(0, 4, 2, 0.8), StateRewards(4)
    counts = np.zeros((4, 2))
    counts[0] = 3, 5
    assert invariant_directions([(env, counts)], family).shape == (4, 1)


@pytest.mark.parametrize("rationality", RATIONALITIES)
@pytest.mark.parametrize(
    "case", ["one action", "zero", "collinear", "unvisited", "contradiction", "policy", "one state"]
)
def test_degenerate_evidence_gives_numbers(rationality: str, case: str) -> None:
    rng = np.random.default_rng(0)
    n_actions = 1 if case == "one action" else 2
    n_states = 1 if case == "one state" else 4
    env = random_environment(0, n_states, n_actions, 0.8)
    features = rng.standard_normal((n_states, n_actions, 2))
    if case == "zero":
        features[:] = 0
    if case == "collinear":
        features[..., 1] = 2 * features[..., 0]
    family = LinearRewards(features)
    counts = np.ones((n_states, n_actions))
    if case == "unvisited":
        counts[1:] = 0
    observation: Any = Counts(counts)
    if case == "contradiction":
        features[:] = features[:, :1]
        observation = Counts(np.where(np.arange(n_actions) == 0, 1000.0, 0.0) * np.ones((n_states, 1)))
    if case == "policy":
        observation = Policy(np.eye(2)[[0, 1, 0, 1]])
    fit = solver(rationality, samples=20, warmup=60).fit([(env, observation)], family)
    for told in (
        fit.theta,
        fit.draws,
        fit.log_posterior,
        fit.effective,
        fit.acceptance,
        fit.policy(env),
        fit.deviation,
    ):
        assert np.isfinite(told).all()
    assert not np.isnan(fit.r_hat).any()
    if case in ("one action", "zero", "one state"):
        assert fit.invariant.shape[1] == (2 if case != "one state" else 1)


def test_trajectories_count_choices_and_transition_rewards_are_a_family() -> None:
    env = random_environment(0, 3, 2, 0.8)
    episodes = Trajectories([[0, 1, 2, 0], [2, 2, 1]], [[1, 0, 0], [0, 1]])
    fit = solver("soft", samples=20, warmup=60).fit([(env, episodes)], TransitionRewards(3, 2))
    assert np.isfinite(fit.theta).all()
    counted = ii.evidence.counts(env, episodes)
    again = solver("soft", samples=20, warmup=60).fit([(env, counted)], TransitionRewards(3, 2))
    np.testing.assert_array_equal(fit.draws, again.draws)


def test_shrunk_covariances_are_between_identity_and_sample() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.standard_normal((20, 30)), rng.standard_normal((50_000, 2)) * [1, 5]
    assert np.abs(shrunk_covariance(few) - np.eye(30)).max() < np.abs(np.cov(few.T) - np.eye(30)).max() / 3
    np.testing.assert_allclose(shrunk_covariance(many), np.cov(many.T), rtol=0.01, atol=0.01)
    assert np.isfinite(shrunk_covariance(np.zeros((5, 2)))).all()


def test_summaries_agree_with_the_draws() -> None:
    env, family = world(1)
    fit = solver("soft", samples=10, warmup=10).fit([(env, Counts(np.ones((4, 2))))], family)
    np.testing.assert_allclose(fit.covariance, [[fit.draws.var(ddof=1)]])
    np.testing.assert_allclose(fit.quantiles([0.5])[0], np.median(fit.draws))
    np.testing.assert_allclose(fit.value, fit.draws.var(ddof=1))
    assert "effective sample size" in str(fit)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("rationality", "optimal"),
        ("temperature", 0.0),
        ("temperature", np.nan),
        ("epsilon", 0.0),
        ("prior", 1.0),
        ("samples", 3),
        ("chains", 1),
        ("warmup", -1),
        ("seed", 0.5),
    ],
)
def test_bad_settings_are_named(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=argument):
        BayesianIRL(**{argument: value})


@pytest.mark.parametrize("prior", [Gaussian, Uniform, Laplace])
def test_bad_priors_are_named(prior: Any) -> None:
    for scale in (0.0, np.inf, [], [[1.0]], [1.0, np.nan]):
        with pytest.raises(ValueError, match="above 0"):
            prior(scale)
    env, family = world(2)
    with pytest.raises(ValueError, match="prior: is for 3 parameters, the family has 2"):
        solver("soft", prior=prior(np.ones(3))).fit([(env, Counts(np.ones((4, 2))))], family)


def test_without_arviz_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("arviz_stats"):
            raise ImportError(name)
        return imported(name, *rest, **named)

    env, family = world(1)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="bayesian"):
        solver("soft").fit([(env, Counts(np.ones((4, 2))))], family)


def test_interrupts_end_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    env, family = world(1)
    calls = 0
    original = SoftChoices.gradients

    def interrupted(self: SoftChoices, rewards: Array, start: Array) -> tuple[Array, Array, Array]:
        nonlocal calls
        calls += 1
        if calls > 60:
            raise KeyboardInterrupt
        return original(self, rewards, start)

    monkeypatch.setattr(SoftChoices, "gradients", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solver("soft").fit([(env, Counts(np.ones((4, 2))))], family)


def test_the_posterior_is_an_estimate() -> None:
    env, family = world(2)
    fit = solver("boltzmann", samples=10, warmup=10).fit([(env, Counts(np.ones((4, 2))))], family)
    assert isinstance(fit, Posterior)
    assert fit.draws.shape == (4, 10, 2)
    assert fit.policy(env).shape == (4, 2)
    np.testing.assert_allclose(fit.reward(env), family.reward(env, fit.theta))
