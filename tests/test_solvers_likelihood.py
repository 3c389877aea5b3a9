"""Maximum causal entropy and Boltzmann likelihood, held to closed forms, to SciPy and to each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special
from worlds import brute_q, random_environment

import irl_ident as ii
from irl_ident import conformance, planning
from irl_ident.evidence import Counts
from irl_ident.identified.soft_likelihood import derivatives, least_norm, maximum_likelihood
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards
from irl_ident.solvers import damped, likelihood, matrix_free, reading, saddle
from irl_ident.solvers.boltzmann import BoltzmannML, anticipated, negative
from irl_ident.solvers.likelihood import MaxEnt
from irl_ident.solvers.matrix_free import SoftLikelihood
from irl_ident.solvers.priors import Gaussian, Laplace, Uniform


def features(seed, n_states=5, n_actions=3, d=4):
    return LinearRewards(np.random.default_rng(seed).uniform(-1, 1, (n_states, n_actions, d)))


def watched(agent, environments, n=400):
    """Counts of choices, from the same number of visits to every state."""
    rng = np.random.default_rng(7)
    return [(env, Counts(np.array([rng.multinomial(n, row) for row in agent.policy(env)]))) for env in environments]


@pytest.mark.parametrize("dense", [True, False])
def test_the_truth_is_recovered_from_exact_policies(dense, monkeypatch):
    monkeypatch.setattr(likelihood, "DENSE_ENTRIES", 10**9 if dense else 0)
    family, theta = features(0), np.array([1.0, -0.5, 0.3, 0.8])
    agent = ii.agents.SoftOptimal(family, theta, 0.7)
    worlds = [random_environment(seed, 5, 3) for seed in (1, 2)]
    found = MaxEnt(temperature=0.7).fit([(env, agent.policy(env)) for env in worlds], family)
    assert found.convergence.status == "converged"
    np.testing.assert_allclose(found.theta, theta, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", [ii.agents.Optimal, ii.agents.SoftOptimal])
def test_feature_expectations_are_matched(kind):
    env, family = random_environment(3, 5, 3), features(1, d=3)
    shown = 0.9 * kind(family, [1.0, 2.0, -1.0]).policy(env) + 0.1 / 3
    found = MaxEnt().fit([(env, shown)], family)
    start = np.full(5, 0.2)
    wanted, got = (
        family.matrix(env).T @ planning.occupancy(env, policy, start).ravel() for policy in (shown, found.policy(env))
    )
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-8)


def test_it_is_the_minimum_that_a_derivative_free_search_finds():
    env, family = random_environment(4, 4, 2), features(2, 4, 2, 2)
    seen = watched(ii.agents.SoftOptimal(family, [1.0, -1.0]), [env])

    def loss(theta):
        return -ii.solvers.log_likelihood(ii.agents.SoftOptimal(family, theta), seen)

    searched = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    found = MaxEnt().fit(seen, family)
    np.testing.assert_allclose(found.theta, searched.x, atol=1e-5)
    assert found.value == pytest.approx(searched.fun, rel=1e-10)
    assert found.log_likelihood == pytest.approx(-found.value)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_dense_and_matrix_free_searches_agree(seed):
    env, other = (random_environment(seed + k, 5, 3) for k in range(2))
    family = StateActionRewards(5, 3)
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(seed).uniform(-1, 1, 15))
    seen = watched(agent, [env, other])
    data = [(world, reading.weights(world, counts)) for world, counts in seen]
    objective = SoftLikelihood(data, family, 1.0, np.zeros(15))
    one = damped.newton(objective, np.zeros(15), 1e-10, 100, damped.dense_step)[0]
    two = matrix_free.newton(objective, np.zeros(15), 1e-6, 500)[0]
    three = least_norm(data, family, maximum_likelihood(data, family).theta)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)
    np.testing.assert_allclose(one, three, rtol=0, atol=1e-6)


def slippery(slips, side=13, discount=0.9):
    text = "\n".join(["." * side] * side)
    return [ii.builders.grid(text, discount, slip=slip).environment for slip in slips]


@pytest.mark.parametrize("family", [StateRewards(169), StateActionRewards(169, 4)])
@pytest.mark.parametrize("damping", [1e-4, 1e4])
def test_steps_through_the_saddle_point_are_newtons(family, damping):
    rng, worlds = np.random.default_rng(3), slippery([0.1, 0.3])
    theta = 0.3 * rng.standard_normal(family.dim)
    agent = ii.agents.SoftOptimal(family, theta, 0.8)
    data = [(env, 50 * planning.occupancy(env, agent.policy(env), np.full(169, 1 / 169))) for env in worlds]
    assert saddle.is_sparse(data, family)
    precision = rng.uniform(0, 2, family.dim)
    objective = SoftLikelihood(data, family, 0.8, precision)
    near = theta + 0.05 * rng.standard_normal(family.dim)
    exact = derivatives(data, family, near, 0.8)
    curvature = np.diag(precision + damping) - exact.hessian
    step = saddle.step(objective, near, damping)
    np.testing.assert_allclose(step, np.linalg.solve(curvature, -objective(near)[1]), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("family", "slips"), [(StateRewards(169), [0.1, 0.3]), (StateActionRewards(169, 4), [0.1])])
def test_sparse_searches_recover_the_truth_in_the_gauge_of_least_norm(family, slips):
    worlds = slippery(slips)
    theta = np.random.default_rng(1).standard_normal(family.dim)
    agent = ii.agents.SoftOptimal(family, theta, 0.8)
    seen = [(env, agent.policy(env)) for env in worlds]
    found = MaxEnt(temperature=0.8).fit(seen, family)
    assert found.convergence.status == "converged"
    expected = least_norm(found.data, family, theta)
    np.testing.assert_allclose(found.theta, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("prior", [None, Gaussian(2.0)])
def test_sparse_and_matrix_free_searches_agree(prior, monkeypatch):
    family, worlds = StateRewards(169), slippery([0.1, 0.3])
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(2).standard_normal(169), 1.0)
    seen = watched(agent, worlds, n=50)
    sparse = MaxEnt(prior=prior).fit(seen, family)
    monkeypatch.setattr(saddle, "is_sparse", lambda data, family: False)
    monkeypatch.setattr(likelihood, "DENSE_WORK", 0)
    free = MaxEnt(prior=prior).fit(seen, family)
    assert {sparse.convergence.status, free.convergence.status} == {"converged"}
    np.testing.assert_allclose(sparse.theta, free.theta, rtol=0, atol=1e-5)


def test_sparse_searches_notice_that_there_is_no_maximum():
    (env,), family = slippery([0.1]), StateRewards(169)
    shown = ii.agents.Optimal(family, np.arange(169.0)).policy(env)
    found = MaxEnt().fit([(env, Counts(10 * (shown == shown.max(axis=1, keepdims=True))))], family)
    assert found.convergence.status == "separated"
    assert np.isfinite(found.theta).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_hessian_products_are_differences_of_gradients(seed):
    rng = np.random.default_rng(seed)
    data = [(random_environment(seed + k, 4, 3), rng.integers(0, 50, (4, 3)).astype(float)) for k in range(2)]
    objective = SoftLikelihood(data, features(seed, 4, 3, 3), 0.8, np.full(3, 0.3))
    theta, v, step = rng.standard_normal(3), rng.standard_normal(3), 1e-5
    differences = (objective(theta + step * v)[1] - objective(theta - step * v)[1]) / (2 * step)
    exact = objective.hessian_product(theta, v)
    np.testing.assert_allclose(exact, differences, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


def test_without_a_prior_the_estimate_has_least_norm():
    env, family = random_environment(5, 4, 3), StateActionRewards(4, 3)
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(0).uniform(-1, 1, 12))
    found = MaxEnt().fit([(env, agent.policy(env))], family)
    assert "least norm" in found.gauge
    np.testing.assert_allclose(env.shaping.T @ found.theta, 0, atol=1e-9)
    np.testing.assert_allclose(found.policy(env), agent.policy(env), atol=1e-9)


def test_only_theta_over_temperature_is_told():
    env, family = random_environment(6, 5, 3), features(3)
    seen = watched(ii.agents.SoftOptimal(family, [1.0, 0.5, 0.0, -1.0]), [env])
    one, two = (MaxEnt(temperature=b).fit(seen, family) for b in (1.0, 0.25))
    np.testing.assert_allclose(two.theta, 0.25 * one.theta, rtol=0, atol=1e-7)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("prior", [lambda unit: None, Gaussian, lambda unit: Laplace(0.05 * unit)])
@pytest.mark.parametrize(("temperature", "size"), [(1e3, 1e-3), (1e-3, 1e3), (1e-3, 1.0), (1.0, 1e-6)])
def test_units_of_reward_and_features_change_nothing(dense, prior, temperature, size, monkeypatch):
    monkeypatch.setattr(likelihood, "is_small", lambda data, family: dense)
    env, family, unit = random_environment(6, 5, 3, 0.99), features(3), temperature / size
    seen = watched(ii.agents.SoftOptimal(family, [1.0, 0.5, 0.0, -1.0]), [env])
    plain = MaxEnt(prior=prior(1.0)).fit(seen, family)
    scaled = MaxEnt(temperature, prior(unit)).fit(seen, LinearRewards(size * family.features))
    assert scaled.convergence.status == "converged"
    np.testing.assert_allclose(scaled.theta / unit, plain.theta, rtol=0, atol=1e-6)


def test_several_environments_share_one_reward():
    family = features(4)
    worlds = [random_environment(seed, 5, 3) for seed in range(3)]
    seen = watched(ii.agents.SoftOptimal(family, [1.0, 0.5, 0.0, -1.0]), worlds, n=50)
    found = MaxEnt().fit(seen, family)
    gradients = [
        planning.soft_gradient(env, planning.soft(env, found.reward(env)), counts.counts).ravel() @ family.matrix(env)
        for env, counts in seen
    ]
    assert max(np.abs(g).max() for g in gradients) > 1e-2
    np.testing.assert_allclose(np.sum(gradients, axis=0), 0, atol=1e-6)


@pytest.mark.parametrize("dense", [True, False])
def test_agents_that_always_do_the_same_have_no_greatest_likelihood(dense, monkeypatch):
    monkeypatch.setattr(likelihood, "DENSE_ENTRIES", 10**9 if dense else 0)
    env, family = random_environment(7, 5, 3), StateRewards(5)
    shown = ii.agents.Optimal(family, np.arange(5.0)).policy(env)
    seen = [(env, Counts(100 * (shown == 1)))]
    found = MaxEnt().fit(seen, family)
    assert found.convergence.status == "separated"
    assert "arbitrary" in found.gauge
    assert np.isfinite(found.theta).all()
    tamed = MaxEnt(prior=Gaussian(1.0)).fit(seen, family)
    assert tamed.convergence.status == "converged"
    assert np.abs(tamed.theta).max() < np.abs(found.theta).max()


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("choices", [1, 100, 10**4])
def test_many_choices_do_not_hide_that_there_is_no_greatest_likelihood(dense, choices, monkeypatch):
    monkeypatch.setattr(likelihood, "is_small", lambda data, family: dense)
    env, family = ii.builders.grid("....\n.#..\n....\n...G", 0.95, slip=0.1).environment, StateRewards(15)
    shown = ii.agents.Optimal(family, np.random.default_rng(0).normal(size=15)).policy(env)
    found = MaxEnt().fit([(env, Counts(choices * (shown > 0)))], family)
    assert found.convergence.status == "separated"


@pytest.mark.parametrize("dense", [True, False])
def test_rare_choices_that_were_made_have_a_greatest_likelihood(dense, monkeypatch):
    monkeypatch.setattr(likelihood, "is_small", lambda data, family: dense)
    env, family = random_environment(7, 5, 3), features(0)
    agent = ii.agents.SoftOptimal(family, [1.0, -0.5, 0.3, 0.8], 0.05)
    policy = agent.policy(env)
    assert 0 < policy.min() < 1e-12
    found = MaxEnt(temperature=0.05).fit([(env, policy)], family)
    assert found.convergence.status == "converged"
    np.testing.assert_allclose(found.policy(env), policy, rtol=0, atol=1e-7)


def test_a_gaussian_prior_balances_the_gradient():
    env, family = random_environment(8, 5, 3), features(5)
    seen = watched(ii.agents.SoftOptimal(family, [1.0, 0.5, 0.0, -1.0]), [env], n=20)
    deviations = np.array([0.5, 1.0, 2.0, 0.1])
    found = MaxEnt(prior=Gaussian(deviations)).fit(seen, family)
    plan = planning.soft(env, found.reward(env))
    gradient = family.matrix(env).T @ planning.soft_gradient(env, plan, seen[0][1].counts).ravel()
    np.testing.assert_allclose(gradient, found.theta / deviations**2, atol=1e-7)


def test_what_choices_do_not_tell_is_left_to_the_prior():
    env, family = random_environment(8, 4, 3), StateActionRewards(4, 3)
    seen = watched(ii.agents.SoftOptimal(family, np.linspace(-1, 1, 12)), [env], n=20)
    deviations = np.linspace(0.2, 3.0, 12)
    found = MaxEnt(prior=Gaussian(deviations)).fit(seen, family)
    np.testing.assert_allclose(env.shaping.T @ (found.theta / deviations**2), 0, atol=1e-7)


@pytest.mark.parametrize("dense", [True, False])
def test_a_laplace_prior_drops_features_that_do_not_matter(dense, monkeypatch):
    monkeypatch.setattr(likelihood, "DENSE_ENTRIES", 10**9 if dense else 0)
    env, family = random_environment(9, 6, 3), features(6, 6, 3, 8)
    truth = np.array([2.0, -2.0, 0, 0, 0, 0, 0, 0])
    seen = watched(ii.agents.SoftOptimal(family, truth), [env], n=200)
    found = MaxEnt(prior=Laplace(0.05)).fit(seen, family)
    plan = planning.soft(env, found.reward(env))
    gradient = family.matrix(env).T @ planning.soft_gradient(env, plan, seen[0][1].counts).ravel()
    kept = found.theta != 0
    assert kept[:2].all()
    assert (~kept).sum() >= 3
    np.testing.assert_allclose(gradient[kept], np.sign(found.theta[kept]) / 0.05, atol=1e-6 if dense else 1e-2)
    assert (np.abs(gradient[~kept]) <= 1 / 0.05 + 1e-6).all()


def test_information_is_the_expected_curvature():
    env, family = random_environment(10, 4, 2), features(7, 4, 2, 3)
    agent = ii.agents.SoftOptimal(family, [1.0, 0.5, -1.0])
    found = MaxEnt().fit([(env, agent.policy(env))], family)
    objective = SoftLikelihood(found.data, family, 1.0, np.zeros(3))
    curvature = np.array([objective.hessian_product(found.theta, unit) for unit in np.eye(3)])
    np.testing.assert_allclose(found.information, curvature, rtol=1e-6, atol=1e-8)


def test_boltzmann_likelihood_is_that_of_a_softmax_of_brute_force_values():
    env, family = random_environment(11, 4, 2), features(8, 4, 2, 2)
    counts = np.random.default_rng(0).integers(1, 20, (4, 2)).astype(float)
    theta = np.array([0.7, -1.2])
    q = brute_q(env, family.reward(env, theta)) / 0.3
    expected = -(counts * (q - np.log(np.exp(q).sum(axis=1, keepdims=True)))).sum()
    value, gradient = negative(theta, [(env, counts)], family, 0.3, 0.0, np.zeros(2))
    assert value == pytest.approx(expected, rel=1e-9)
    for unit, slope in zip(np.eye(2), gradient, strict=True):
        ahead, behind = (
            negative(theta + sign * 1e-6 * unit, [(env, counts)], family, 0.3, 0.0, np.zeros(2))[0] for sign in (1, -1)
        )
        assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-4)


@pytest.mark.parametrize("expected", [1.0, 0.3, 0.0])
def test_gradients_along_the_annealing_path(expected):
    env, family = random_environment(13, 5, 3), features(9)
    counts = np.random.default_rng(1).integers(1, 20, (5, 3)).astype(float)
    theta = np.random.default_rng(5).standard_normal(4)
    arguments = ([(env, counts)], family, 0.4, expected, np.full(4, 0.5))
    _, gradient = negative(theta, *arguments)
    numeric = optimize.approx_fprime(theta, lambda x: negative(x, *arguments)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, atol=1e-3 * np.abs(gradient).max())


def test_the_path_leads_from_soft_to_optimal_plans():
    env, family, theta = random_environment(14, 5, 3), features(10), np.array([1.0, -1.0, 0.5, 2.0])
    for expected, agent in ((1.0, ii.agents.SoftOptimal), (0.0, ii.agents.Boltzmann)):
        q, _ = anticipated(env, family.reward(env, theta), expected)
        np.testing.assert_allclose(special.softmax(q, axis=1), agent(family, theta).policy(env), atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_boltzmann_likelihood_is_as_great_as_on_a_grid(seed):
    env, family = random_environment(seed, 4, 3), features(seed, 4, 3, 2)
    seen = watched(ii.agents.Boltzmann(family, [1.0, -1.5], 0.5), [env], n=60)
    found = BoltzmannML(temperature=0.5).fit(seen, family)
    axis = np.linspace(-3, 3, 41)
    grid = max(ii.solvers.log_likelihood(ii.agents.Boltzmann(family, [x, y], 0.5), seen) for x in axis for y in axis)
    assert found.log_likelihood >= grid
    assert found.log_likelihood == pytest.approx(ii.solvers.log_likelihood(found, seen), rel=1e-9)


def test_boltzmann_agents_leave_shapings_open():
    env, family = random_environment(12, 4, 3), StateActionRewards(4, 3)
    agent = ii.agents.Boltzmann(family, np.random.default_rng(1).uniform(-1, 1, 12), 0.5)
    shaped = agent.theta + env.shaping @ np.random.default_rng(2).standard_normal(4)
    np.testing.assert_allclose(ii.agents.Boltzmann(family, shaped, 0.5).policy(env), agent.policy(env), atol=1e-9)
    found = BoltzmannML(temperature=0.5).fit([(env, agent.policy(env))], family)
    np.testing.assert_allclose(env.shaping.T @ found.theta, 0, atol=1e-8)


def degenerate(kind):
    rng = np.random.default_rng(0)
    n_actions = 1 if kind == "one action" else 3
    env, phi = random_environment(15, 5, n_actions), rng.uniform(-1, 1, (5, n_actions, 3))
    counts = rng.integers(1, 20, (5, n_actions))
    if kind == "zero feature":
        phi[..., 1] = 0
    if kind == "collinear features":
        phi[..., 1] = -2 * phi[..., 0]
    if kind == "unvisited states":
        counts[1:] = 0
    return env, LinearRewards(phi), Counts(counts)


@pytest.mark.parametrize("kind", ["one action", "zero feature", "collinear features", "unvisited states"])
@pytest.mark.parametrize("way", ["dense", "matrix-free"])
@pytest.mark.parametrize("prior", [None, Gaussian(1.0), Laplace(1.0)])
def test_degenerate_evidence_gives_an_estimate_of_least_norm(kind, way, prior, monkeypatch):
    if way == "matrix-free":
        monkeypatch.setattr(likelihood, "is_small", lambda data, family: False)
    env, family, seen = degenerate(kind)
    found = MaxEnt(prior=prior).fit([(env, seen)], family)
    assert found.convergence.status == "converged"
    assert np.isfinite(found.theta).all()
    if kind == "one action":
        np.testing.assert_array_equal(found.theta, 0)
    if kind == "zero feature":
        assert abs(found.theta[1]) <= 1e-12
    if kind == "collinear features" and not isinstance(prior, Laplace):
        np.testing.assert_allclose(found.theta[1], -2 * found.theta[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("solver", "rationality", "asked"),
    [
        (MaxEnt(), "soft", {}),
        (MaxEnt(prior=Gaussian(10.0)), "soft", {"choices": 10**6, "allowed": 1e-4}),
        (MaxEnt(prior=Laplace(1.0)), "soft", {"choices": 10**6, "allowed": 1e-4}),
        (BoltzmannML(), "boltzmann", {"allowed": 1e-5}),
    ],
)
def test_they_conform(solver, rationality, asked):
    found = conformance.check(solver, rationality, **asked)
    assert found.passed, str(found)
    assert {each.outcome for each in found.checks} == {"passed"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MaxEnt(temperature=0.0), "temperature"),
        (lambda: MaxEnt(prior=Uniform(1.0)), "prior"),
        (lambda: MaxEnt(iterations=0), "iterations"),
        (lambda: MaxEnt(tolerance=0.0), "tolerance"),
        (lambda: BoltzmannML(temperature=np.nan), "temperature"),
        (lambda: BoltzmannML(prior=Laplace(1.0)), "prior"),
        (lambda: BoltzmannML(iterations=0), "iterations"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_priors_for_another_number_of_parameters_are_refused():
    env = random_environment(0, 4, 2)
    with pytest.raises(ValueError, match="prior"):
        MaxEnt(prior=Gaussian([1.0, 2.0])).fit([(env, np.full((4, 2), 0.5))], StateRewards(4))
