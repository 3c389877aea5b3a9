"""Plans against closed forms, linear programs and a peer; occupancies, horizons, ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse

from irl_ident import Environment, planning
from irl_ident.planning import structure
from irl_ident.planning.bounds import lengths
from irl_ident.planning.rounding import rounding


def random_environment(n_states, n_actions, discount, seed):
    rng = np.random.default_rng(seed)
    return Environment(rng.dirichlet(np.full(n_states, 0.5), size=(n_states, n_actions)), discount)


def episodic_environment(n_states, n_actions, seed, discount=1.0):
    """Every move may end the episode in the last state, so every policy terminates."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(n_states), size=(n_states, n_actions))
    moves[:, :, -1] += 0.05
    moves /= moves.sum(axis=2, keepdims=True)
    moves[-1] = 0
    moves[-1, :, -1] = 1
    return Environment(moves, discount)


def grid_environment(side, discount, slip=0.1):
    """Four actions; a move slips to either side with probability ``slip / 2``; walls hold."""
    n_states = side * side
    cells = np.arange(n_states).reshape(side, side)
    y, x = np.mgrid[:side, :side]
    moved = [
        cells[np.clip(y + dy, 0, side - 1), np.clip(x + dx, 0, side - 1)].ravel()
        for dy, dx in ((-1, 0), (0, 1), (1, 0), (0, -1))
    ]
    parts = [
        (p, np.arange(n_states) * 4 + a, moved[(a + turn) % 4])
        for a in range(4)
        for turn, p in ((0, 1 - slip), (1, slip / 2), (3, slip / 2))
    ]
    data = np.concatenate([np.full(n_states, p) for p, _, _ in parts])
    rows, columns = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    return Environment(sparse.csr_array((data, (rows, columns)), shape=(4 * n_states, n_states)), discount)


def tangled_environment(n_states, discount, seed):
    """Three random successors for each of two actions: no band to speak of."""
    rng = np.random.default_rng(seed)
    columns = rng.integers(n_states, size=(2 * n_states, 3))
    rows = np.repeat(np.arange(2 * n_states), 3)
    weights = rng.dirichlet(np.ones(3), size=2 * n_states).ravel()
    return Environment(sparse.csr_array((weights, (rows, columns.ravel())), shape=(2 * n_states, n_states)), discount)


def linear_program(env, reward):
    """The least V with V >= r + C_a V for every action (Puterman 1994, section 6.9)."""
    solved = optimize.linprog(
        np.ones(env.n_states), A_ub=-env.shaping, b_ub=-reward.ravel(), bounds=(None, None), method="highs"
    )
    assert solved.status == 0
    return solved.x


@pytest.mark.parametrize("discount", [0.0, 0.3, 0.9, 0.999])
def test_two_states_have_their_closed_form(discount):
    """Puterman (1994), section 3.1: from s0 either stay for 5 half the time, or leave for 10; s1 pays -1 for ever."""
    moves = np.array([[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    env = Environment(moves, discount)
    plan = planning.optimal(env, [[5.0, 10.0], [-1.0, -1.0]])
    sink = -1 / (1 - discount)
    stay = (5 + 0.5 * discount * sink) / (1 - 0.5 * discount)
    leave = 10 + discount * sink
    exact = np.array([max(stay, leave), sink])
    assert np.abs(plan.values - exact).max() <= plan.error_bound + 4 * np.finfo(float).eps * np.abs(exact).max()
    np.testing.assert_allclose(plan.values, exact, rtol=1e-11)
    assert plan.error_bound <= 1e-9 * 11
    np.testing.assert_array_equal(planning.optimal_actions(plan.q), [[stay >= leave, leave >= stay], [True, True]])


def test_forest_management_has_its_closed_form():
    """A forest that never burns: growing old, worth 4 a year, beats cutting; V = g^(2 - age) 4 / (1 - g)."""
    wait = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    cut = np.tile([1.0, 0.0, 0.0], (3, 1))
    env = Environment([wait, cut], 0.9)
    plan = planning.optimal(env, [[0.0, 0.0], [0.0, 1.0], [4.0, 2.0]])
    np.testing.assert_allclose(plan.values, [0.81 * 40, 0.9 * 40, 40.0], rtol=1e-13)


@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99])
def test_a_long_row_pays_powers_of_the_discount(discount):
    n = 400
    step = sparse.csr_array((np.ones(n), (np.arange(n), np.minimum(np.arange(n) + 1, n - 1))), shape=(n, n))
    env = Environment([step, sparse.csr_array(sparse.eye_array(n))], discount)
    reward = np.zeros((n, 2))
    reward[-1] = 1
    plan = planning.optimal(env, reward)
    exact = discount ** np.arange(n)[::-1] / (1 - discount)
    assert np.abs(plan.values - exact).max() <= plan.error_bound <= 2e-9


@pytest.mark.parametrize(
    "env",
    [
        random_environment(30, 3, 0.9, 0),
        random_environment(200, 2, 0.99, 1),
        grid_environment(13, 0.97),
        tangled_environment(700, 0.95, 2),
        episodic_environment(12, 3, 3),
        episodic_environment(160, 2, 4),
    ],
    ids=["dense", "larger dense", "grid", "tangled", "episodic", "larger episodic"],
)
def test_optimal_values_solve_the_linear_program(env):
    reward = np.random.default_rng(7).normal(size=(env.n_states, env.n_actions))
    plan = planning.optimal(env, reward)
    np.testing.assert_allclose(plan.values, linear_program(env, reward), atol=1e-6)
    np.testing.assert_array_equal(plan.values, plan.q.max(axis=1))
    batch = planning.optimal_batch(env, np.stack([reward, -reward, reward + 1, 0 * reward]))
    for r, q in zip((reward, -reward, reward + 1, 0 * reward), batch, strict=True):
        single = planning.optimal(env, r)
        np.testing.assert_allclose(q, single.q, rtol=0, atol=2e-9 * max(np.ptp(r), 1e-3) + single.error_bound)


@pytest.mark.parametrize("env", [random_environment(25, 4, 0.95, 5), grid_environment(40, 0.95)], ids=["dense", "grid"])
def test_agrees_with_quantecon(env):
    markov = pytest.importorskip("quantecon.markov")
    reward = np.random.default_rng(3).normal(size=(env.n_states, env.n_actions))
    states, actions = np.divmod(np.arange(reward.size), env.n_actions)
    peer = markov.DiscreteDP(reward.ravel(), sparse.csr_matrix(env.transitions), env.discount, states, actions)
    solved = peer.solve(method="policy_iteration")
    plan = planning.optimal(env, reward)
    np.testing.assert_allclose(plan.values, solved.v, rtol=0, atol=1e-8)
    assert planning.optimal_actions(plan.q)[np.arange(env.n_states), solved.sigma].all()


@pytest.mark.parametrize(
    "env", [grid_environment(20, 0.95), tangled_environment(800, 0.99, 1)], ids=["grid", "tangled"]
)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9])
def test_error_bound_is_true(env, tolerance):
    reward = np.random.default_rng(11).normal(size=(env.n_states, env.n_actions))
    exact = planning.optimal(env, reward, tolerance=1e-14)
    plan = planning.optimal(env, reward, tolerance=tolerance)
    assert np.abs(plan.values - exact.values).max() <= plan.error_bound + exact.error_bound
    assert np.abs(plan.q - exact.q).max() <= plan.error_bound + exact.error_bound
    assert plan.error_bound <= tolerance * np.ptp(reward)


@pytest.mark.parametrize(
    "env",
    [grid_environment(20, 0.95), tangled_environment(1200, 0.99, 1), episodic_environment(12, 3, 3)],
    ids=["grid", "tangled", "episodic"],
)
def test_plans_from_a_start_are_certified(env):
    rng = np.random.default_rng(5)
    reward = rng.normal(size=(env.n_states, env.n_actions))
    exact = linear_program(env, reward)
    plan = planning.optimal(env, reward)
    policy = rng.dirichlet(np.ones(env.n_actions), size=env.n_states)
    for start in (planning.evaluate(env, reward, policy), -exact, 1e9 * rng.normal(size=env.n_states)):
        found = planning.optimal(env, reward, start=start)
        assert found.error_bound <= max(2 * plan.error_bound, 1e-9 * np.ptp(reward))
        np.testing.assert_allclose(found.q, plan.q, rtol=0, atol=found.error_bound + plan.error_bound)
        np.testing.assert_allclose(found.values, exact, rtol=0, atol=1e-6)
    assert planning.optimal(env, reward, start=planning.evaluate(env, reward, plan.policy)).iterations == 1


def test_structure_chooses_the_method():
    assert structure.method_for(random_environment(400, 2, 0.9, 0)) == "dense LU"
    assert structure.method_for(grid_environment(40, 0.9)) == "sparse LU"
    assert structure.method_for(tangled_environment(2000, 0.9, 0)) == "BiCGSTAB"
    assert structure.bandwidth(grid_environment(40, 0.9)) <= 80


@pytest.mark.parametrize("kind", ["noise", "goal"])
def test_a_grid_of_1e5_states(kind):
    env = grid_environment(316, 0.95)
    reward = np.zeros((env.n_states, 4))
    if kind == "noise":
        reward = np.random.default_rng(0).normal(size=reward.shape)
    else:
        reward[env.n_states // 2 + 100] = 1
    plan = planning.optimal(env, reward, tolerance=1e-6)
    assert plan.error_bound <= 1e-6 * np.ptp(reward)
    greedy = planning.greedy_policy(plan.q, 0.0)
    np.testing.assert_allclose(planning.evaluate(env, reward, greedy), plan.values, rtol=0, atol=40 * plan.error_bound)


def test_ties_do_not_make_policy_iteration_cycle():
    env = grid_environment(30, 0.9999, slip=0.0)
    reward = np.zeros((900, 4))
    reward[0] = 1
    plan = planning.optimal(env, reward)
    distance = np.add.outer(np.arange(30), np.arange(30)).ravel()
    np.testing.assert_allclose(plan.values, 0.9999**distance * 1e4, rtol=1e-10)
    at_corner = planning.optimal_actions(plan.q)[0]
    np.testing.assert_array_equal(at_corner, [True, False, False, True])
    constant = planning.optimal(env, np.full((900, 4), 0.1))
    np.testing.assert_allclose(constant.values, 1e3, rtol=1e-10)
    assert planning.optimal_actions(constant.q).all()


def test_termination_without_discount():
    """A walk towards the end pays -1 a step: values are minus the expected number of steps."""
    moves = np.zeros((4, 2, 4))
    for s in range(3):
        moves[s, 0, s + 1] = 1
        moves[s, 1, s], moves[s, 1, s + 1] = 0.5, 0.5
    moves[3, :, 3] = 1
    env = Environment(moves, 1.0)
    reward = np.full((4, 2), -1.0)
    reward[3] = 0
    plan = planning.optimal(env, reward)
    np.testing.assert_allclose(plan.values, [-3, -2, -1, 0], atol=1e-14)
    assert plan.error_bound < 1e-12
    slow = planning.evaluate(env, reward, np.tile([0.0, 1.0], (4, 1)))
    np.testing.assert_allclose(slow, [-6, -4, -2, 0], atol=1e-14)
    visits = planning.occupancy(env, np.tile([0.0, 1.0], (4, 1)), [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(visits, [[0, 2], [0, 2], [0, 2], [0, 1]], atol=1e-14)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9])
def test_occupancy_is_discounted(discount):
    env = random_environment(6, 3, discount, 2)
    rng = np.random.default_rng(0)
    policy = rng.dirichlet(np.ones(3), size=6)
    chain = np.einsum("sa,sat->st", policy, env.dense())
    visits = planning.occupancy(env, policy)
    np.testing.assert_allclose(
        visits.sum(axis=1), np.linalg.inv(np.eye(6) - discount * chain.T) @ env.initial, rtol=1e-12
    )
    np.testing.assert_allclose(visits.sum(), 1 / (1 - discount), rtol=1e-12)
    reward = rng.normal(size=(6, 3))
    np.testing.assert_allclose(
        (visits * reward).sum(), env.initial @ planning.evaluate(env, reward, policy), rtol=1e-10
    )


def test_bounded_horizon_enumerates_plans():
    env = random_environment(3, 2, 0.8, 1)
    reward = np.random.default_rng(5).normal(size=(3, 2))

    def best(state, steps):
        return max(first(state, a, steps) for a in range(2))

    def first(state, action, steps):
        later = 0 if steps == 1 else sum(p * best(t, steps - 1) for t, p in enumerate(env.dense()[state, action]))
        return reward[state, action] + 0.8 * later

    for horizon in (1, 2, 4):
        exact = [[first(s, a, horizon) for a in range(2)] for s in range(3)]
        np.testing.assert_allclose(planning.bounded_horizon(env, reward, horizon), exact, rtol=1e-12)
    np.testing.assert_allclose(planning.bounded_horizon(env, reward, 200), planning.optimal(env, reward).q, atol=1e-12)


@pytest.mark.parametrize(
    "env",
    [
        random_environment(40, 2, 0.95, 0),
        grid_environment(25, 0.99),
        tangled_environment(900, 0.95, 0),
        episodic_environment(20, 2, 1),
    ],
    ids=["dense", "grid", "tangled", "episodic"],
)
def test_policy_systems_solve_both_ways(env):
    rng = np.random.default_rng(1)
    policy = rng.dirichlet(np.ones(env.n_actions), size=env.n_states)
    system = planning.policy_system(env, policy)
    averaged = np.einsum("sa,sat->st", policy, env.continuation.toarray().reshape(env.n_states, env.n_actions, -1))
    matrix = np.eye(env.n_states) - averaged
    right = rng.normal(size=(env.n_states, 70))
    np.testing.assert_allclose(system.solve(right), np.linalg.solve(matrix, right), rtol=0, atol=1e-9)
    np.testing.assert_allclose(system.solve_transposed(right), np.linalg.solve(matrix.T, right), rtol=0, atol=1e-9)
    np.testing.assert_allclose(system.solve(right[:, 0]), np.linalg.solve(matrix, right[:, 0]), rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]), st.floats(0.01, 100), st.floats(-100, 100))
def test_positive_affine_maps_keep_optimal_actions(seed, discount, scale, shift):
    env = random_environment(5, 3, discount, seed)
    reward = np.random.default_rng(seed).integers(-2, 3, size=(5, 3)).astype(float)
    expected = planning.optimal_actions(planning.optimal(env, reward).q, 1e-7)
    actual = planning.optimal_actions(planning.optimal(env, scale * reward + shift).q, 1e-7)
    np.testing.assert_array_equal(actual, expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]))
def test_shaping_changes_no_optimal_action(seed, discount):
    env = random_environment(5, 3, discount, seed)
    rng = np.random.default_rng(seed)
    reward, potential = rng.normal(size=(5, 3)), rng.uniform(0.5, 2, size=5)
    shaped = reward - (env.shaping @ potential).reshape(5, 3)
    plan, moved = planning.optimal(env, reward), planning.optimal(env, shaped)
    slack = plan.error_bound + moved.error_bound + 1e-14
    np.testing.assert_allclose(moved.values, plan.values - potential, rtol=0, atol=slack)
    np.testing.assert_array_equal(planning.optimal_actions(moved.q, 1e-7), planning.optimal_actions(plan.q, 1e-7))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.9]))
def test_relabelling_relabels_the_plan(seed, discount):
    env = random_environment(6, 3, discount, seed)
    rng = np.random.default_rng(seed)
    reward, states, actions = rng.normal(size=(6, 3)), rng.permutation(6), rng.permutation(3)
    renamed = Environment(env.dense()[states][:, actions][:, :, states], discount)
    there = reward[states][:, actions]
    for planned in (lambda e, r: planning.optimal(e, r).q, lambda e, r: planning.soft(e, r, 0.5).q):
        np.testing.assert_allclose(
            planned(renamed, there), planned(env, reward)[states][:, actions], rtol=0, atol=1e-10
        )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 8), st.sampled_from(["discounted", "patient", "episodic"]))
def test_a_batch_is_its_rewards_one_by_one(seed, count, kind):
    discount = {"discounted": 0.9, "patient": 0.999, "episodic": 1.0}[kind]
    env = episodic_environment(7, 3, seed, discount)
    rewards = np.random.default_rng(seed).normal(size=(count, 7, 3))
    together = planning.optimal_batch(env, rewards)
    assert together.shape == (count, 7, 3)
    for q, r in zip(together, rewards, strict=True):
        alone = planning.optimal(env, r)
        unavoidable = 3 * lengths(env).longest * rounding(env, r, alone.values)
        allowed = alone.error_bound + max(1e-9 * np.ptp(r), unavoidable)
        np.testing.assert_allclose(q, alone.q, rtol=0, atol=allowed)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda env: planning.optimal(env, np.zeros((3, 2))),
            r"reward: should have shape \(S, A\) = \(4, 2\), was \(3, 2\)",
        ),
        (lambda env: planning.optimal(env, np.full((4, 2), np.nan)), r"reward\[0, 0\] is nan: should be finite"),
        (lambda env: planning.optimal(env, np.zeros((4, 2)), tolerance=0), "tolerance: was 0"),
        (
            lambda env: planning.optimal(env, np.zeros((4, 2)), start=np.zeros(2)),
            r"start: should have shape \(S,\) = \(4,\), was \(2,\)",
        ),
        (lambda env: planning.optimal(env, np.zeros((4, 2)), start=[0, 1e300, 0, 0]), "start: its largest entry is 1e"),
        (lambda env: planning.optimal_batch(env, np.zeros((4, 2))), "rewards: should have shape"),
        (lambda env: planning.soft(env, np.zeros((4, 2)), -1), "temperature: was -1"),
        (lambda env: planning.evaluate(env, np.zeros((4, 2)), np.ones((4, 2))), r"policy\[0\] sums to 2.0"),
        (lambda env: planning.occupancy(env, np.tile([2.0, -1.0], (4, 1))), r"policy\[0, 1\] is -1.0"),
        (lambda env: planning.bounded_horizon(env, np.zeros((4, 2)), 0), "horizon: was 0"),
        (lambda env: planning.uniform_over(np.zeros((4, 2), bool)), r"mask\[0\]: no action is marked"),
        (lambda env: planning.optimal_actions([[np.inf, 0.0]]), r"q\[0, 0\] is inf"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(random_environment(4, 2, 0.9, 0))


@pytest.mark.parametrize("plan", [planning.optimal, planning.soft])
def test_refuses_rewards_whose_sums_overflow(plan):
    stay = Environment(np.ones((1, 2, 1)), 0.9)
    with pytest.raises(ValueError, match=r"^reward: its largest entry is 1.7e\+308"):
        plan(stay, [[1.7e308, 0.0]])
    assert np.isfinite(plan(stay, [[1e298, 0.0]]).values).all()
