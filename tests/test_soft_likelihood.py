"""Maximum likelihood for soft-optimal agents: derivatives, estimates, separation, information."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, special

from irl_ident.environment import Environment
from irl_ident.evidence import Counts
from irl_ident.identified.shaping_rank import affine_set
from irl_ident.identified.soft_likelihood import (
    affine_around_fit,
    derivatives,
    fisher_information,
    log_likelihood,
    maximum_likelihood,
)
from irl_ident.rewards import LinearRewards, RewardFamily, StateActionRewards, StateRewards


def random_environment(n_states: int, n_actions: int, discount: float, seed: int) -> Environment:
    rng = np.random.default_rng(seed)
    return Environment(rng.dirichlet(np.ones(n_states), (n_states, n_actions)), discount)


def log_policy(env: Environment, reward: np.ndarray, temperature: float) -> np.ndarray:
    """By soft policy iteration with dense solves, written for these tests: shares no code with what it tests."""
    moves = env.continuation.toarray().reshape(env.n_states, env.n_actions, env.n_states)
    policy = np.full(reward.shape, 1 / env.n_actions)
    for _ in range(200):
        paid = (policy * (reward - temperature * np.log(policy))).sum(axis=1)
        values = np.linalg.solve(np.eye(env.n_states) - np.einsum("sa,sat->st", policy, moves), paid)
        old, policy = policy, special.softmax((reward + moves @ values) / temperature, axis=1)
        if np.abs(policy - old).max() < 1e-15:
            break
    return special.log_softmax((reward + moves @ values) / temperature, axis=1)


def likelihood(data, fam: RewardFamily, theta: np.ndarray, temperature: float) -> float:
    return sum((n * log_policy(env, fam.reward(env, theta), temperature)).sum() for env, n in data)


def differences(function, theta: np.ndarray, step: float) -> np.ndarray:
    return np.array([(function(theta + e) - function(theta - e)) / (2 * step) for e in step * np.eye(theta.size)])


FAMILIES = [
    StateRewards(4),
    StateActionRewards(4, 3),
    LinearRewards(np.random.default_rng(9).normal(size=(4, 3, 2))),
]


@pytest.mark.parametrize("fam", FAMILIES, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("discount", [0.0, 0.9])
def test_derivatives_against_finite_differences(fam, temperature, discount) -> None:
    rng = np.random.default_rng(1)
    data = [(random_environment(4, 3, discount, seed), rng.integers(0, 20, (4, 3)).astype(float)) for seed in (0, 1)]
    theta = rng.normal(size=fam.dim)
    found = derivatives(data, fam, theta, temperature)
    np.testing.assert_allclose(found.log_likelihood, likelihood(data, fam, theta, temperature), rtol=1e-12)
    slope = differences(lambda t: likelihood(data, fam, t, temperature), theta, 1e-5)
    np.testing.assert_allclose(found.gradient, slope, rtol=1e-6, atol=1e-6)
    bend = differences(lambda t: derivatives(data, fam, t, temperature).gradient, theta, 1e-5)
    np.testing.assert_allclose(found.hessian, bend, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.hessian, found.hessian.T, atol=1e-10)


def test_log_likelihood_of_one_environment() -> None:
    env, fam = random_environment(4, 3, 0.9, 0), StateRewards(4)
    counts = np.arange(12).reshape(4, 3)
    expected = likelihood([(env, counts)], fam, np.arange(4.0), 0.5)
    np.testing.assert_allclose(log_likelihood(env, counts, np.arange(4.0), fam, 0.5), expected, rtol=1e-12)
    np.testing.assert_allclose(log_likelihood(env, Counts(counts), np.arange(4.0), fam, 0.5), expected, rtol=1e-12)


@pytest.mark.parametrize("fam", FAMILIES, ids=lambda f: type(f).__name__)
def test_information_is_the_negative_hessian_where_counts_are_as_expected(fam) -> None:
    env = random_environment(4, 3, 0.9, 0)
    theta = np.random.default_rng(2).normal(size=fam.dim)
    visits = np.array([5.0, 0.0, 20.0, 1.0])
    counts = visits[:, None] * np.exp(log_policy(env, fam.reward(env, theta), 0.7))
    information = fisher_information([(env, counts)], fam, theta, 0.7)
    np.testing.assert_allclose(information, -derivatives([(env, counts)], fam, theta, 0.7).hessian, atol=1e-10)


@pytest.mark.parametrize("fam", FAMILIES, ids=lambda f: type(f).__name__)
def test_expected_counts_give_back_the_truth(fam) -> None:
    """With counts in proportion to the policy the maximum is at the truth, in the gauge of least norm."""
    envs = [random_environment(4, 3, g, seed) for g, seed in ((0.9, 0), (0.8, 1))]
    theta = np.random.default_rng(3).normal(size=fam.dim)
    data = [(env, 50 * np.exp(log_policy(env, fam.reward(env, theta), 0.7))) for env in envs]
    fit = maximum_likelihood(data, fam, temperature=0.7)
    assert fit.status == "converged"
    assert fit.converged
    constant = isinstance(fam, StateRewards | StateActionRewards)
    assert fit.null_basis.shape[1] == constant
    np.testing.assert_allclose(fit.theta, theta - (theta.mean() if constant else 0), atol=1e-6)


def test_one_environment_leaves_shaping_open_and_gives_the_empirical_policy() -> None:
    """Saturated: with r(s, a) the maximum reproduces the observed frequencies exactly (closed form)."""
    env, fam = random_environment(5, 3, 0.9, 0), StateActionRewards(5, 3)
    counts = np.random.default_rng(0).integers(1, 30, (5, 3)).astype(float)
    fit = maximum_likelihood([(env, counts)], fam)
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit.log_likelihood, (counts * np.log(frequencies)).sum(), rtol=1e-12)
    np.testing.assert_allclose(log_policy(env, fam.reward(env, fit.theta), 1.0), np.log(frequencies), atol=1e-6)
    shapings = linalg.orth(env.shaping.toarray())
    np.testing.assert_allclose(fit.null_basis @ fit.null_basis.T, shapings @ shapings.T, atol=1e-9)
    np.testing.assert_allclose(shapings.T @ fit.theta, 0, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_agrees_with_a_generic_optimiser(seed: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    fam = LinearRewards(rng.normal(size=(5, 3, 3)))
    data = [(random_environment(5, 3, 0.9, seed + i), rng.integers(0, 9, (5, 3)).astype(float)) for i in range(2)]
    fit = maximum_likelihood(data, fam, penalty=penalty)
    assert fit.converged
    np.testing.assert_allclose(fit.gradient_norm, 0, atol=1e-7)
    peer = optimize.minimize(
        lambda t: penalty / 2 * (t @ t) - likelihood(data, fam, t, 1.0), np.zeros(3), method="BFGS"
    )
    np.testing.assert_allclose(fit.theta, peer.x, atol=2e-4)
    assert fit.log_likelihood - penalty / 2 * fit.theta @ fit.theta >= -peer.fun - 1e-9


@pytest.mark.parametrize("fam", [StateRewards(4), StateActionRewards(4, 2)], ids=lambda f: type(f).__name__)
def test_deterministic_agents_have_no_maximum(fam) -> None:
    moves = np.zeros((4, 2, 4))
    for s in range(4):
        moves[s, 0, max(s - 1, 0)] = moves[s, 1, min(s + 1, 3)] = 1
    env = Environment(moves, 0.9)
    counts = np.array([[0, 9], [0, 9], [0, 9], [0, 9]])
    fit = maximum_likelihood([(env, counts)], fam)
    assert fit.status == "separated"
    assert not fit.converged
    assert fit.log_likelihood > -1e-4
    held = maximum_likelihood([(env, counts)], fam, penalty=0.1)
    assert held.status == "converged"
    assert maximum_likelihood([(env, counts)], fam, penalty=1e-8).status == "converged"
    assert np.linalg.norm(held.theta) < np.linalg.norm(fit.theta)


def test_one_action_never_seen_is_separation_too() -> None:
    env, fam = random_environment(4, 3, 0.9, 0), StateActionRewards(4, 3)
    counts = np.full((4, 3), 7.0)
    counts[2, 1] = 0
    assert maximum_likelihood([(env, counts)], fam).status == "separated"
    counts[2] = 0  # a state without visits tells nothing and separates nothing
    fit = maximum_likelihood([(env, counts)], fam)
    assert fit.status == "converged"
    assert fit.null_basis.shape[1] == 6


def test_one_environment_tells_no_discount_from_another_for_state_rewards() -> None:
    """pi(a | s) is a softmax of g P V with any V, so every g > 0 fits equally well; g = 0 explains nothing."""
    counts = np.random.default_rng(0).integers(1, 30, (5, 3))
    fits = [maximum_likelihood([(random_environment(5, 3, g, 0), counts)], StateRewards(5)) for g in (0.0, 0.3, 0.9)]
    assert all(fit.converged for fit in fits)
    np.testing.assert_allclose(fits[1].log_likelihood, fits[2].log_likelihood, rtol=1e-11)
    np.testing.assert_allclose(fits[0].log_likelihood, -counts.sum() * np.log(3), rtol=1e-12)
    np.testing.assert_array_equal(fits[0].theta, 0)
    assert fits[0].null_basis.shape == (5, 5)


def test_a_rare_action_is_not_separation() -> None:
    env, fam = random_environment(4, 3, 0.9, 0), StateActionRewards(4, 3)
    counts = np.full((4, 3), 1e6)
    counts[1, 2] = 1
    assert maximum_likelihood([(env, counts)], fam).status == "converged"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), discount=st.sampled_from([0.0, 0.5, 0.9]))
def test_shaping_changes_no_likelihood(seed, discount) -> None:
    rng = np.random.default_rng(seed)
    env, fam = random_environment(4, 3, discount, seed), StateActionRewards(4, 3)
    counts, theta = rng.integers(0, 9, (4, 3)), rng.normal(size=12)
    shaped = theta + env.shaping @ rng.normal(size=4)
    first, second = (log_likelihood(env, counts, t, fam) for t in (theta, shaped))
    np.testing.assert_allclose(first, second, rtol=1e-10)


def test_open_directions_are_those_of_the_affine_set() -> None:
    rng = np.random.default_rng(0)
    fam = LinearRewards(rng.normal(size=(5, 3, 12)))
    env = random_environment(5, 3, 0.9, 0)
    counts = rng.integers(1, 20, (5, 3))
    found = affine_around_fit([(env, Counts(counts))], fam)
    system = (env.shaping, fam.matrix(env), np.zeros(15), np.ones(15, dtype=bool))
    expected = affine_set([system], 12).null_basis
    assert found.decided
    assert found.rank == 10
    np.testing.assert_allclose(found.null_basis @ found.null_basis.T, expected @ expected.T, atol=1e-8)
    assert found.singular_values.shape == (12,)
    np.testing.assert_allclose(found.particular, maximum_likelihood([(env, counts)], fam).theta)


def test_separated_counts_are_not_decided() -> None:
    env = random_environment(4, 2, 0.9, 0)
    counts = np.array([[5, 0], [5, 0], [5, 5], [5, 5]])
    assert not affine_around_fit([(env, counts)], StateActionRewards(4, 2)).decided


def simulated(envs, policies, visits: int, rng):
    return [
        (env, np.array([rng.multinomial(visits, p) for p in policy]))
        for env, policy in zip(envs, policies, strict=True)
    ]


class TestCramerRao:
    """Result 7: the estimator's variance over the Cramér-Rao bound tends to 1 as data grows."""

    envs = (random_environment(4, 3, 0.9, 0), random_environment(4, 3, 0.8, 1))
    fam = LinearRewards(np.random.default_rng(3).normal(size=(4, 3, 3)))
    theta = np.array([1.0, -0.5, 0.7])

    def errors(self, visits: int, runs: int) -> np.ndarray:
        rng = np.random.default_rng(5)
        policies = [np.exp(log_policy(env, self.fam.reward(env, self.theta), 1.0)) for env in self.envs]
        fits = [
            maximum_likelihood(simulated(self.envs, policies, visits, rng), self.fam, start=self.theta)
            for _ in range(runs)
        ]
        return np.array([fit.theta - self.theta for fit in fits])

    def ratio(self, visits: int, runs: int) -> float:
        errors = self.errors(visits, runs)
        information = fisher_information(
            [(env, np.full((4, 3), visits / 3)) for env in self.envs], self.fam, self.theta
        )
        return float(np.trace(information @ (errors.T @ errors)) / (runs * 3))

    def test_ratio_tends_to_one(self) -> None:
        """A mean of 3 * 100 unit chi-squares: standard error sqrt(2 / 300) = .08."""
        np.testing.assert_allclose(self.ratio(2000, 100), 1.0, atol=0.2)

    def test_error_falls_with_the_square_root_of_the_visits(self) -> None:
        few, many = (np.sqrt((self.errors(n, 25) ** 2).mean()) for n in (200, 20_000))
        np.testing.assert_allclose(few / many, 10.0, rtol=0.25)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ([], {}, "at least one pair"),
        ([(random_environment(2, 2, 0.9, 0), np.zeros((2, 2)))], {}, "all counts are 0"),
        ([(random_environment(2, 2, 0.9, 0), np.ones((2, 3)))], {}, r"data\[0\]: counts should have shape \(2, 2\)"),
        ([(random_environment(2, 2, 0.9, 0), -np.ones((2, 2)))], {}, "not negative"),
        ([(random_environment(2, 2, 0.9, 0), np.full((2, 2), np.nan))], {}, "finite"),
        ([(random_environment(2, 2, 0.9, 0), np.ones((2, 2)))], {"temperature": 0.0}, "temperature"),
        ([(random_environment(2, 2, 0.9, 0), np.ones((2, 2)))], {"penalty": -1.0}, "penalty"),
        ([(random_environment(2, 2, 0.9, 0), np.ones((2, 2)))], {"max_iterations": 0}, "max_iterations"),
    ],
)
def test_bad_input_is_refused(data, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        maximum_likelihood(data, StateRewards(2), **options)
