"""Ng & Russell, apprenticeship and maximum-margin planning, held to their papers, to CVXPY and to brute force."""

import itertools

import cvxpy as cp
import numpy as np
import pytest
from worlds import brute_policy, dense_features, ng_russell_rows, random_environment

import irl_ident as ii
from irl_ident import conformance, planning
from irl_ident.evidence import Counts, Policy, Trajectories
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards
from irl_ident.solvers import Apprenticeship, MaximumMarginPlanning, NgRussell, NgRussellSampled, Unexplained
from irl_ident.solvers.reading import feature_expectations


def noisy_grid(side=5, noise=0.3, discount=0.9):
    """Ng & Russell's (2000, section 6) grid: a move goes in a random direction with probability ``noise``."""
    cells = np.arange(side * side).reshape(side, side)
    table = np.zeros((side * side, 4, side * side))
    for (row, column), cell in np.ndenumerate(cells):
        for action, direction in itertools.product(range(4), range(4)):
            down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[direction]
            r, c = np.clip([row + down, column + right], 0, side - 1)
            table[cell, action, cells[r, c]] += noise / 4 + (1 - noise) * (action == direction)
    return ii.Environment(table, discount)


def test_the_reward_peaks_at_the_goal_of_ng_and_russells_grid():
    env, family = noisy_grid(), StateRewards(25)
    goal = np.eye(25)[4]
    shown = ii.agents.Optimal(family, goal).policy(env)
    plain = NgRussell().fit([(env, shown)], family)
    assert plain.theta[4] == pytest.approx(plain.theta.max())
    np.testing.assert_allclose(NgRussell(penalty=3.0).fit([(env, shown)], family).theta, goal, atol=1e-7)
    assert NgRussell(penalty=10.0).fit([(env, shown)], family).convergence.status == "trivial"


def stated(env, family, policy, penalty):
    """Ng & Russell's program with explicit inverses."""
    equal, at_least = ng_russell_rows(env, dense_features(env, family), policy)
    theta = cp.Variable(family.dim)
    per_state, row = {}, 0
    for s in range(env.n_states):
        for a in range(env.n_actions):
            if policy[s, a] == 0:
                per_state.setdefault(s, []).append(row)
                row += 1
    margins = [cp.min(at_least[rows] @ theta) for rows in per_state.values()]
    limits = [at_least @ theta >= 0, cp.norm_inf(theta) <= 1]
    if len(equal):
        limits.append(equal @ theta == 0)
    problem = cp.Problem(cp.Maximize(cp.sum(cp.hstack(margins)) - penalty * cp.norm1(theta)), limits)
    problem.solve(solver=cp.CLARABEL)
    return -problem.value


@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_the_lifted_program_is_the_papers(seed, penalty):
    env = random_environment(seed, 5, 3)
    family = StateRewards(5) if seed % 2 else StateActionRewards(5, 3)
    shown = ii.agents.Optimal(family, np.random.default_rng(seed).uniform(-1, 1, family.dim)).policy(env)
    found = NgRussell(penalty).fit([(env, shown)], family)
    assert found.value == pytest.approx(stated(env, family, shown, penalty), rel=1e-5, abs=1e-6)
    ident = ii.identify([(env, shown)], family)
    assert (ident.constraints.at_least @ found.theta >= -1e-8).all()
    assert found.convergence.residual < 1e-7


def test_ties_that_were_shown_stay_ties():
    env, family = noisy_grid(3), StateRewards(9)
    shown = ii.agents.Optimal(family, np.eye(9)[4]).policy(env)
    assert ((shown > 0).sum(axis=1) > 1).any()
    theta = NgRussell().fit([(env, shown)], family).theta
    q = planning.optimal(env, family.reward(env, theta)).q
    np.testing.assert_allclose(
        np.where(shown > 0, q, 0), np.where(shown > 0, q.max(axis=1, keepdims=True), 0), atol=1e-7
    )


def test_evidence_that_nothing_explains_is_refused_and_trivial_evidence_is_told():
    env, family = random_environment(0, 4, 2), StateRewards(4)
    one, two = np.eye(2)[[0, 0, 0, 0]], np.eye(2)[[1, 1, 1, 1]]
    with pytest.raises(Unexplained, match="contradict"):
        NgRussell().fit([(env, one), (env, two)], family)
    both = NgRussell().fit([(env, Policy(one, shows="some")), (env, Policy(two, shows="some"))], family)
    assert both.convergence.status == "trivial"
    assert not both.theta.any()


def test_a_contradiction_in_one_state_is_refused_though_others_have_a_margin():
    env, family = random_environment(1, 5, 3), StateRewards(5)
    shown = ii.agents.Optimal(family, np.random.default_rng(0).uniform(-1, 1, 5)).policy(env)
    other = shown.copy()
    other[0] = np.roll(other[0], 1)
    with pytest.raises(Unexplained, match="state 's0'"):
        NgRussell().fit([(env, shown), (env, other)], family)


def test_margins_of_0_are_counted():
    """The sum is largest where two environments have a state each without a margin."""
    family, theta = StateRewards(5), np.random.default_rng(0).uniform(-1, 1, 5)
    worlds = [random_environment(k, 5, 3, g) for k, g in enumerate((0.0, 0.5, 0.9, 0.999))]
    evidence = [(env, brute_policy(env, family.reward(env, theta))) for env in worlds]
    found = NgRussell().fit(evidence, family)
    best = [brute_policy(env, found.reward(env), 1e-7) > 0 for env in worlds]
    ties = sum((b & (shown == 0)).any(axis=1).sum() for b, (_, shown) in zip(best, evidence, strict=True))
    assert ties == 2
    assert "in 2 states an action known to be worse is as good" in found.gauge


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1e6])
@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_units_of_reward_change_no_widest_margin(unit, penalty):
    env, features = random_environment(1, 5, 3), np.random.default_rng(0).uniform(-1, 1, (5, 3, 4))
    plain, scaled = LinearRewards(features), LinearRewards(unit * features)
    shown = ii.agents.Optimal(plain, [1.0, -0.5, 0.2, 0.7]).policy(env)
    one = NgRussell(penalty).fit([(env, shown)], plain)
    other = NgRussell(penalty * unit).fit([(env, shown)], scaled)
    np.testing.assert_allclose(other.theta, one.theta, atol=1e-7)
    assert other.value == pytest.approx(unit * one.value, rel=1e-7)


def test_rounding_of_feature_expectations_is_no_gap():
    """All actions of the only state are the same."""
    env = ii.Environment(np.ones((1, 3, 1)), 0.9)
    found = NgRussellSampled().fit([(env, np.array([[1.0, 0, 0]]))], StateRewards(1))
    assert found.convergence.status == "trivial"
    assert found.value == 0


@pytest.mark.parametrize(("solver", "passes"), [(NgRussell(), True), (NgRussell(penalty=0.1), True)])
def test_ng_russell_conforms(solver, passes):
    found = conformance.check(solver)
    assert found.passed == passes, str(found)


def test_sampled_expectations_point_to_the_goal():
    env, family = noisy_grid(), StateRewards(25)
    agent = ii.agents.Optimal(family, np.eye(25)[4])
    exact = NgRussellSampled().fit([(env, agent.policy(env))], family)
    assert exact.convergence.status == "converged"
    assert exact.theta[4] == pytest.approx(exact.theta.max())
    sampled = NgRussellSampled().fit([(env, agent.demonstrate(env, episodes=300, horizon=60, seed=0))], family)
    assert sampled.theta[4] >= sampled.theta.max() - 1e-9
    lost = ii.distances.regret(env, agent.mesa_objective(env), sampled.policy(env))
    assert lost < 0.05


def test_the_sampled_program_counts_what_falls_behind_twice():
    from irl_ident.solvers.ng_russell import widest_gap

    gaps = np.random.default_rng(0).standard_normal((6, 3))
    theta, value = widest_gap([np.zeros(3)], [list(-gaps)])
    x = cp.Variable(3)
    problem = cp.Problem(cp.Maximize(cp.sum(cp.minimum(gaps @ x, 2 * gaps @ x))), [cp.norm_inf(x) <= 1])
    problem.solve(solver=cp.CLARABEL)
    assert -value == pytest.approx(problem.value, rel=1e-6)
    assert -value == pytest.approx(np.minimum(gaps @ theta, 2 * gaps @ theta).sum(), rel=1e-9)


def test_the_mixture_of_an_apprentice_is_as_good_for_every_reward():
    worlds = [random_environment(seed, 6, 3) for seed in (1, 2)]
    family = LinearRewards(np.random.default_rng(0).uniform(-1, 1, (6, 3, 4)))
    agent = ii.agents.SoftOptimal(family, [1.0, -1.0, 0.5, 2.0], 0.5)
    found = Apprenticeship(epsilon=0.01).fit([(env, agent.policy(env)) for env in worlds], family)
    assert found.convergence.status == "converged"
    assert found.gap <= 0.01
    np.testing.assert_allclose(found.mixture.sum(), 1, atol=1e-12)
    assert (found.mixture >= 0).all()
    assert np.linalg.norm(found.theta) == pytest.approx(1)
    policies = [[np.full((6, 3), 1 / 3)] * 2] + [
        [ii.agents.Optimal(family, theta).policy(env) for env in worlds] for theta in found.rewards[1:]
    ]
    for seed in range(10):
        reward = np.random.default_rng(seed).standard_normal(4)
        reward /= np.linalg.norm(reward)

        def worth(chosen, reward=reward):
            return sum(
                env.initial @ planning.evaluate(env, family.reward(env, reward), policy)
                for env, policy in zip(worlds, chosen, strict=True)
            )

        mixed = sum(w * worth(chosen) for w, chosen in zip(found.mixture, policies, strict=True))
        assert abs(mixed - worth([agent.policy(env) for env in worlds])) <= 0.01 + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_no_mixture_of_all_policies_is_nearer_to_sampled_episodes_than_the_apprentice_says(seed):
    env, family = random_environment(seed, 3, 2), StateRewards(3)
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(seed).standard_normal(3), 0.3)
    episodes = agent.demonstrate(env, episodes=3, horizon=20, seed=seed)
    found = Apprenticeship(epsilon=1e-5).fit([(env, episodes)], family)
    assert found.convergence.status == "converged"
    target = feature_expectations(env, episodes, family)
    corners = np.array([mean for _, mean in every_policy(env, family, target.initial)])
    weights = cp.Variable(len(corners), nonneg=True)
    nearest = cp.Problem(cp.Minimize(cp.norm(weights @ corners - target.mean)), [cp.sum(weights) == 1])
    distance = nearest.solve(solver=cp.CLARABEL)
    assert distance - 1e-6 <= found.gap <= distance + 1e-5 + 1e-6


def test_an_apprentice_of_a_uniform_demonstrator_learns_nothing():
    env, family = random_environment(3, 4, 2), StateRewards(4)
    found = Apprenticeship().fit([(env, np.full((4, 2), 0.5))], family)
    assert found.convergence.status == "trivial"
    assert not found.theta.any()


def every_policy(env, family, initial):
    for choice in itertools.product(range(env.n_actions), repeat=env.n_states):
        visits = planning.occupancy(env, np.eye(env.n_actions)[list(choice)], initial)
        yield visits, family.matrix(env).T @ visits.ravel()


@pytest.mark.parametrize("seed", range(3))
def test_maximum_margin_planning_solves_the_program_over_all_policies(seed):
    worlds = [random_environment(seed + k, 3, 2) for k in (0, 10)]
    family = LinearRewards(np.random.default_rng(seed).uniform(-1, 1, (3, 2, 3)))
    shown = [ii.agents.Optimal(family, [1.0, -1.0, 0.5]).policy(env) for env in worlds]
    theta, cost = cp.Variable(3), 0.05
    violations = []
    for env, policy in zip(worlds, shown, strict=True):
        mean = family.matrix(env).T @ planning.occupancy(env, policy).ravel()
        rivals = [
            (mu - mean) @ theta + (1 - env.discount) * float((visits * (policy == 0)).sum())
            for visits, mu in every_policy(env, family, env.initial)
        ]
        violations.append(cp.max(cp.hstack(rivals)))
    problem = cp.Problem(cp.Minimize(cost / 2 * cp.sum_squares(theta) + sum(violations) / 2))
    problem.solve(solver=cp.CLARABEL)
    found = MaximumMarginPlanning(regularisation=cost, tolerance=1e-6, iterations=300).fit(
        list(zip(worlds, shown, strict=True)), family
    )
    assert found.convergence.status == "converged"
    assert found.convergence.residual <= 1e-6
    assert problem.value - 1e-6 <= found.value <= problem.value + found.convergence.residual + 1e-6
    assert cost / 2 * np.sum((found.theta - theta.value) ** 2) <= found.convergence.residual + 1e-6


def test_to_end_as_the_demonstrator_did_is_no_difference():
    """From each state to the absorbing goal: episodes say as much as the policy, whose margins are all kept."""
    room = ii.builders.grid("G..\n...\n...", 0.9, absorbing="G")
    env, family = room.environment, StateRewards(9)
    agent = ii.agents.Optimal(family, np.eye(9)[room.marks["G"]].reshape(-1))
    demos = agent.demonstrate(env, episodes=400, horizon=30, seed=0)
    policy, episodes = (MaximumMarginPlanning().fit([(env, s)], family) for s in (agent.policy(env), demos))
    assert policy.value < 0.01
    assert episodes.value < 0.01


def test_one_episode_does_not_count_as_exact():
    env = ii.Environment(np.full((2, 2, 2), 0.5), 0.9)
    found = Apprenticeship().fit([(env, Trajectories([[0, 1, 0]], [[0, 1]]))], StateRewards(2))
    assert found.deviation == np.inf


@pytest.mark.parametrize("solver", [Apprenticeship(), MaximumMarginPlanning(iterations=50), NgRussellSampled(rounds=5)])
def test_hard_input_is_answered_or_refused(solver):
    hard = [each for each in conformance.check(solver).checks if each.name not in ("member", "several", "discount")]
    assert len(hard) == 8
    assert "failed" not in {each.outcome for each in hard if each.name != "shaping"}, hard


def test_counts_have_no_feature_expectations():
    env = random_environment(0, 4, 2)
    with pytest.raises(ValueError, match=r"evidence\[0\]: observation: counts have no order"):
        Apprenticeship().fit([(env, Counts(np.ones((4, 2), dtype=int)))], StateRewards(4))
    swap = ii.Environment([np.array([[0, 1], [1, 0]])], 0.9)
    with pytest.raises(ValueError, match=r"evidence\[0\]: states: episode 0, step 0"):
        NgRussell().fit([(swap, Trajectories([[0, 0]], [[0]]))], StateRewards(2))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NgRussell(penalty=-1.0), "penalty"),
        (lambda: NgRussellSampled(rounds=0), "rounds"),
        (lambda: Apprenticeship(epsilon=0.0), "epsilon"),
        (lambda: Apprenticeship(iterations=0), "iterations"),
        (lambda: MaximumMarginPlanning(regularisation=0.0), "regularisation"),
        (lambda: MaximumMarginPlanning(tolerance=np.nan), "tolerance"),
        (lambda: MaximumMarginPlanning(iterations=0), "iterations"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_occupancies_without_a_common_length_are_refused():
    walk = ii.Environment([np.array([[0, 1], [0, 1]]), np.eye(2)[[1, 1]]], 1.0)
    with pytest.raises(ValueError, match="discounts below 1"):
        MaximumMarginPlanning().fit([(walk, np.full((2, 2), 0.5))], StateRewards(2))
