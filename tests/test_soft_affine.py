"""The affine identified set of soft-optimal agents, held to brute force on the full lifted matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, sparse, special

from irl_ident.environment import Environment
from irl_ident.identified.shaping_rank import affine_set
from irl_ident.rewards import LinearRewards, RewardFamily, StateActionRewards, StateRewards, TransitionRewards


def random_environment(n_states: int, n_actions: int, discount: float, seed: int) -> Environment:
    rng = np.random.default_rng(seed)
    return Environment(rng.dirichlet(np.ones(n_states), (n_states, n_actions)), discount)


def episodic(n_states: int, n_actions: int, seed: int) -> Environment:
    """Discount 1; every action moves to a later state with some probability, the last state absorbs."""
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(n_states), (n_states, n_actions))
    transitions[..., -1] += 0.5
    transitions[-1] = 0
    transitions[-1, :, -1] = 1
    return Environment(transitions / transitions.sum(axis=2, keepdims=True), 1.0)


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
    return special.log_softmax((reward + moves @ values) / temperature, axis=1).ravel()


def system(env, fam, theta, temperature=1.0, observed=None):
    rows = np.ones(env.n_states * env.n_actions, dtype=bool)
    if observed is not None:
        rows = np.repeat(observed, env.n_actions)
    target = temperature * log_policy(env, fam.reward(env, theta), temperature)
    return env.shaping, fam.matrix(env), np.where(rows, target, np.nan), rows


def brute_force(systems, dim: int) -> np.ndarray:
    """Null space in theta of [Phi_e, -B_e] stacked with a free V_e for each environment, by a dense SVD."""
    blocks, at = [], dim
    width = dim + sum(b.shape[1] for b, *_ in systems)
    for b, phi, _, rows in systems:
        block = np.zeros((rows.sum(), width))
        block[:, :dim] = phi.toarray()[rows]
        block[:, at : at + b.shape[1]] = -b.toarray()[rows]
        blocks.append(block)
        at += b.shape[1]
    lifted = linalg.null_space(np.vstack(blocks), rcond=1e-10)[:dim]
    left, values, _ = linalg.svd(lifted) if lifted.size else (np.zeros((dim, 0)), np.zeros(0), None)
    return left[:, : np.count_nonzero(values > 1e-9)]


def families(n_states: int, n_actions: int, seed: int) -> list[RewardFamily]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_states, n_actions, 3))
    redundant = np.concatenate([features, features[..., :1] - features[..., 1:2]], axis=2)
    return [
        StateRewards(n_states),
        StateActionRewards(n_states, n_actions),
        LinearRewards(features),
        LinearRewards(redundant),
        TransitionRewards(n_states, n_actions),
    ]


def same_span(first: np.ndarray, second: np.ndarray, atol: float) -> None:
    np.testing.assert_equal(first.shape, second.shape)
    np.testing.assert_allclose(first @ first.T, second @ second.T, atol=atol)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("n_environments", [1, 2, 3])
@pytest.mark.parametrize("which", range(5))
def test_agrees_with_the_null_space_of_the_lifted_matrix(discount, n_environments, which) -> None:
    def make(seed):
        return episodic(4, 3, seed) if discount == 1 else random_environment(4, 3, discount, seed)

    fam = families(4, 3, 7)[which]
    theta = np.random.default_rng(3).normal(size=fam.dim)
    systems = [system(make(seed), fam, theta, 0.7) for seed in range(n_environments)]
    found = affine_set(systems, fam.dim)
    assert found.decided
    assert found.residual <= 1e-11
    same_span(found.null_basis, brute_force(systems, fam.dim), 1e-8)
    np.testing.assert_allclose(found.null_basis.T @ found.null_basis, np.eye(fam.dim - found.rank), atol=1e-12)
    expected = theta - found.null_basis @ (found.null_basis.T @ theta)
    np.testing.assert_allclose(found.particular, expected, atol=1e-9)


@pytest.mark.parametrize("discount", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("which", range(5))
def test_only_observed_states_count(discount, which) -> None:
    fam = families(5, 2, 1)[which]
    theta = np.random.default_rng(4).normal(size=fam.dim)
    observed = np.array([True, False, True, True, False])
    envs = [episodic(5, 2, s) if discount == 1 else random_environment(5, 2, discount, s) for s in (8, 9)]
    systems = [system(env, fam, theta, 1.0, observed) for env in envs]
    found = affine_set(systems, fam.dim)
    same_span(found.null_basis, brute_force(systems, fam.dim), 1e-8)
    expected = theta - found.null_basis @ (found.null_basis.T @ theta)
    np.testing.assert_allclose(found.particular, expected, atol=1e-9)


def test_one_environment_leaves_exactly_the_shapings() -> None:
    """Cao, Cohen & Szpruch (2021): S dimensions of r(s, a), those of potential shaping."""
    env = random_environment(6, 3, 0.8, 0)
    fam = StateActionRewards(6, 3)
    found = affine_set([system(env, fam, np.arange(18.0))], 18)
    assert found.rank == 12
    same_span(found.null_basis, linalg.orth(env.shaping.toarray()), 1e-12)


def test_every_member_shows_the_observed_policy() -> None:
    env = random_environment(5, 3, 0.9, 2)
    fam = StateActionRewards(5, 3)
    target = system(env, fam, np.random.default_rng(0).normal(size=15), 0.5)
    found = affine_set([target], 15)
    member = found.particular + found.null_basis @ np.random.default_rng(1).normal(size=5)
    np.testing.assert_allclose(0.5 * log_policy(env, member.reshape(5, 3), 0.5), target[2], atol=1e-11)


def test_small_angles_are_exact_to_their_own_size() -> None:
    """One state, one feature at angle t from the shaping subspace: the sine must be sin t to 1e-7 of itself at 1e-8."""
    env = Environment(np.ones((1, 2, 1)), 0.5)
    for angle in (1e-1, 1e-4, 1e-6, 1e-8):
        along, across = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)
        fam = LinearRewards((np.cos(angle) * along + np.sin(angle) * across).reshape(1, 2, 1))
        found = affine_set([(env.shaping, fam.matrix(env), np.zeros(2), np.ones(2, dtype=bool))], 1)
        np.testing.assert_allclose(found.singular_values, [np.sin(angle)], rtol=1e-7)
        assert found.decided == (angle > 1e-7)
        assert found.rank == (angle > 1e-7)


def local_moves(side: int, discount: float) -> Environment:
    """A square grid; each action moves with probability .9 and stays otherwise."""
    cells = np.arange(side * side).reshape(side, side)
    forth, back = np.minimum(np.arange(side) + 1, side - 1), np.maximum(np.arange(side) - 1, 0)
    targets = [cells[forth], cells[back], cells[:, forth], cells[:, back]]
    n = side * side
    moves = [sparse.csr_array((np.full(n, 0.9), (np.arange(n), t.ravel())), shape=(n, n)) for t in targets]
    return Environment([move + 0.1 * sparse.eye_array(n) for move in moves], discount)


@pytest.mark.parametrize("discount", [0.9, 0.999])
@pytest.mark.parametrize("partly", [False, True])
def test_many_states_and_few_features_by_the_sparse_projection(discount, partly) -> None:
    """Sines against dense orthonormal bases; a constant and a shaping are among the features."""
    env = local_moves(24, discount)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(576, 4, 6))
    features[..., 0] = 1
    features[..., 1] = (env.shaping @ rng.normal(size=576)).reshape(576, 4)
    rows = np.repeat(rng.random(576) < 0.7 if partly else np.ones(576, dtype=bool), 4)
    theta = rng.normal(size=6)
    phi = features.reshape(-1, 6)
    target = phi @ theta - env.shaping @ rng.normal(size=576)
    found = affine_set([(env.shaping, sparse.csr_array(phi), target, rows)], 6)
    assert found.decided
    assert found.rank == 4
    basis = linalg.orth(env.shaping.toarray()[rows], rcond=1e-10)
    q = linalg.orth(phi[rows])
    np.testing.assert_allclose(found.singular_values, linalg.svdvals(q - basis @ (basis.T @ q)), atol=1e-11)
    np.testing.assert_allclose(found.null_basis[2:], 0, atol=1e-9)
    np.testing.assert_allclose(found.particular[2:], theta[2:], atol=1e-8)
    assert found.residual < 1e-10


def test_features_that_vanish_where_it_was_observed_tell_nothing() -> None:
    env = random_environment(3, 2, 0.9, 0)
    rows = np.repeat([True, False, False], 2)
    features = np.ones((3, 2, 2))
    features[0] = 0
    found = affine_set([(env.shaping, LinearRewards(features).matrix(env), np.array([1.0] * 6), rows)], 2)
    np.testing.assert_array_equal(found.particular, 0)
    np.testing.assert_allclose(np.abs(found.null_basis), np.eye(2))
    assert found.rank == 0


def test_badly_scaled_features_have_the_same_angles() -> None:
    env = random_environment(5, 3, 0.9, 0)
    features = np.random.default_rng(0).normal(size=(5, 3, 4))
    scales = np.array([1e-9, 1.0, 1e7, 1e-3])
    plain, scaled = LinearRewards(features), LinearRewards(features * scales)
    theta = np.ones(4)
    first = affine_set([system(env, plain, theta)], 4)
    second = affine_set([system(env, scaled, theta / scales)], 4)
    np.testing.assert_allclose(first.singular_values, second.singular_values, rtol=1e-9)
    np.testing.assert_allclose(second.particular * scales, theta, rtol=1e-9)


def test_contradictory_policies_leave_a_residual() -> None:
    fam = StateActionRewards(4, 3)
    first, second = random_environment(4, 3, 0.9, 0), random_environment(4, 3, 0.9, 1)
    rng = np.random.default_rng(0)
    found = affine_set([system(e, fam, rng.normal(size=12)) for e in (first, second)], 12)
    assert found.residual > 0.05


def test_residual_is_the_least_possible() -> None:
    """Against a generic least-squares solver on the lifted equations."""
    fam = StateRewards(4)
    env = random_environment(4, 3, 0.9, 0)
    target = np.random.default_rng(5).normal(size=12)
    found = affine_set([(env.shaping, fam.matrix(env), target, np.ones(12, dtype=bool))], 4)
    lifted = np.hstack([fam.matrix(env).toarray(), -env.shaping.toarray()])
    best = linalg.lstsq(lifted, target)[0]
    np.testing.assert_allclose(found.residual, linalg.norm(target - lifted @ best) / linalg.norm(target), rtol=1e-10)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), discount=st.sampled_from([0.0, 0.5, 0.9, 0.99]), extra=st.integers(1, 2))
def test_more_environments_never_enlarge_the_set_and_keep_the_truth(seed, discount, extra) -> None:
    fam = StateActionRewards(4, 2)
    theta = np.random.default_rng(seed).normal(size=8)
    systems = [system(random_environment(4, 2, discount, seed + i), fam, theta) for i in range(1 + extra)]
    small, large = affine_set(systems, 8), affine_set(systems[:1], 8)
    np.testing.assert_allclose(large.null_basis @ (large.null_basis.T @ small.null_basis), small.null_basis, atol=1e-7)
    off = theta - small.particular
    np.testing.assert_allclose(small.null_basis @ (small.null_basis.T @ off), off, atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_relabelling_states_relabels_the_answer(seed) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(5)
    env = random_environment(5, 2, 0.9, seed)
    moved = Environment(env.dense()[order][:, :, order], 0.9)
    fam = StateRewards(5)
    theta = rng.normal(size=5)
    first, second = affine_set([system(env, fam, theta)], 5), affine_set([system(moved, fam, theta[order])], 5)
    np.testing.assert_allclose(second.particular, first.particular[order], atol=1e-9)
    np.testing.assert_allclose(second.singular_values, first.singular_values, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, phi, t, rows: (b, phi, t[1:], rows), "target and rows should have shape"),
        (lambda b, phi, t, rows: (b, phi[:, 1:], t, rows), "features should have shape"),
        (lambda b, phi, t, rows: (b, phi, t, ~rows), "no row is observed"),
        (lambda b, phi, t, rows: (b, phi, np.where(np.arange(t.size) == 2, -np.inf, t), rows), r"target\[2\] is -inf"),
    ],
)
def test_bad_systems_are_refused(change, message) -> None:
    env = random_environment(3, 2, 0.9, 0)
    with pytest.raises(ValueError, match=message):
        affine_set([change(*system(env, StateRewards(3), np.ones(3)))], 3)


def test_no_systems_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one environment"):
        affine_set([], 3)
