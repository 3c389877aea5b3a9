"""Stacked rank, principal angles, shaping and deterministic domains: the published results on soft-optimal agents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, sparse

from irl_ident.environment import Environment
from irl_ident.identified.domain_graph import domain_graph
from irl_ident.identified.potentials import is_shaping
from irl_ident.identified.shaping_rank import (
    affine_set,
    generalises,
    principal_angles,
    rolland_matrix,
    stacked_rank,
)
from irl_ident.rewards import StateRewards


def random_environment(n_states: int, n_actions: int, discount: float, seed: int) -> Environment:
    rng = np.random.default_rng(seed)
    return Environment(rng.dirichlet(np.ones(n_states), (n_states, n_actions)), discount)


def deterministic(moves: list[list[int]], discount: float = 0.9, initial: int | None = None) -> Environment:
    n_states, n_actions = len(moves), len(moves[0])
    transitions = np.zeros((n_states, n_actions, n_states))
    for s, row in enumerate(moves):
        for a, target in enumerate(row):
            transitions[s, a, target] = 1
    return Environment(transitions, discount, None if initial is None else np.eye(n_states)[initial])


def cycle(n_states: int, stay: bool = False) -> Environment:
    """Both ways round, staying as an extra action when asked."""
    moves = [[(s - 1) % n_states, (s + 1) % n_states, *([s] if stay else [])] for s in range(n_states)]
    return deterministic(moves)


def open_state_rewards(env: Environment) -> int:
    fam = StateRewards(env.n_states)
    n_rows = env.n_states * env.n_actions
    system = (env.shaping, fam.matrix(env), np.zeros(n_rows), np.ones(n_rows, dtype=bool))
    return affine_set([system], fam.dim).null_basis.shape[1]


def finite_horizon_dimension(env: Environment, horizon: int) -> int:
    """Dimension of the r(s, a) that the soft policy over a horizon leaves open (Shehab et al. 2024), by a dense SVD.

    Unknowns r and V_0 .. V_horizon-1, equations r(s, a) = V_t(s) - sum_s' T V_t+1(s') where s is reached at time t.
    """
    n_states, n_actions, moves = env.n_states, env.n_actions, env.dense()
    reached = env.initial > 0
    equations = []
    for t in range(horizon):
        for s in np.flatnonzero(reached):
            for a in range(n_actions):
                row = np.zeros(n_states * n_actions + (horizon + 1) * n_states)
                values = row[n_states * n_actions :].reshape(horizon + 1, n_states)
                row[s * n_actions + a] = 1
                values[t, s] = -1
                values[t + 1] += moves[s, a]
                equations.append(row[:-n_states])
        reached = (moves[reached].sum(axis=(0, 1))) > 0
    rewards = linalg.null_space(np.array(equations), rcond=1e-9)[: n_states * n_actions]
    return int(np.count_nonzero(linalg.svdvals(rewards) > 1e-7))


class TestRolland2022:
    """Rolland, Viano, Schürhoff, Nikolov & Cevher (2022), section 5."""

    def test_random_dynamics_are_identified_by_two_experts(self) -> None:
        environments = [random_environment(18, 5, 1 / 1.05, seed) for seed in (0, 1)]
        rank = stacked_rank(environments)
        assert rank.decided
        assert rank.rank == 35 == np.linalg.matrix_rank(rolland_matrix(environments))
        assert rank.gap > 1e10

    def test_two_discounts_in_one_random_environment(self) -> None:
        one = random_environment(18, 5, 0.9, 0)
        rank = stacked_rank([one, Environment(one.transitions, 0.8)])
        assert rank.decided
        assert rank.rank == 35

    def test_action_independent_transitions_never(self) -> None:
        rng = np.random.default_rng(0)
        rows = rng.dirichlet(np.ones(18), 18)
        environments = [Environment(np.repeat(rows[:, None], 5, axis=1), g) for g in (0.9, 0.8)]
        other = rng.dirichlet(np.ones(18), 18)
        environments.append(Environment(np.repeat(other[:, None], 5, axis=1), 0.9))
        for pair in ([0, 1], [0, 2], [1, 2]):
            chosen = [environments[i] for i in pair]
            rank = stacked_rank(chosen)
            assert rank.decided
            assert rank.rank == 18 == np.linalg.matrix_rank(rolland_matrix(chosen))
        assert stacked_rank(environments).rank == 36

    def test_features_without_constants_are_identified_at_full_rank(self) -> None:
        environments = [random_environment(18, 5, 0.9, seed) for seed in (0, 1)]
        features = sparse.csr_array(np.random.default_rng(2).normal(size=(90, 6)))
        rank = stacked_rank(environments, features)
        assert rank.rank == 42 == np.linalg.matrix_rank(rolland_matrix(environments, features))
        with_constant = sparse.csr_array(np.hstack([features.toarray(), np.ones((90, 1))]))
        rank = stacked_rank(environments, with_constant)
        assert rank.rank == 42 == np.linalg.matrix_rank(rolland_matrix(environments, with_constant))

    def test_appending_raises_the_rank_by_s_exactly_where_rewards_generalise(self) -> None:
        same = random_environment(6, 3, 0.9, 0)
        other, third = random_environment(6, 3, 0.9, 1), random_environment(6, 3, 0.9, 2)
        assert generalises([same], same)
        assert not generalises([same], other)
        assert generalises([same, other], third)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_environments=st.integers(1, 3),
    discounts=st.lists(st.sampled_from([0.0, 0.5, 0.9]), min_size=3, max_size=3),
    sparse_moves=st.booleans(),
)
def test_rank_is_that_of_rollands_matrix(seed, n_environments, discounts, sparse_moves) -> None:
    rng = np.random.default_rng(seed)
    environments = []
    for discount in discounts[:n_environments]:
        if sparse_moves:
            environments.append(deterministic(rng.integers(0, 4, (4, 2)).tolist(), discount))
        else:
            environments.append(Environment(rng.dirichlet(np.ones(4), (4, 2)), discount))
    rank = stacked_rank(environments)
    assert rank.decided
    literal = rolland_matrix(environments)
    assert rank.rank == (np.linalg.matrix_rank(literal) if n_environments > 1 else 0)


class TestSchlaginhaufenKamgarpour2024:
    """The rank hides what the second principal angle shows: T_w = (1 - w) T_0 + w T_1, S = 18, A = 5, g = .9."""

    def mixed(self, weight: float) -> list[Environment]:
        first, second = random_environment(18, 5, 0.9, 0), random_environment(18, 5, 0.9, 1)
        return [first, Environment((1 - weight) * first.dense() + weight * second.dense(), 0.9)]

    @pytest.mark.parametrize("weight", [1.0, 0.3, 0.1, 0.03, 0.01, 0.001])
    def test_rank_stays(self, weight: float) -> None:
        rank = stacked_rank(self.mixed(weight))
        assert rank.decided
        assert rank.rank == 35

    def test_angle_falls_with_the_weight(self) -> None:
        angles = [principal_angles(self.mixed(w))[1] for w in (1.0, 0.1, 0.01, 0.001)]
        assert 0.08 < angles[0] < 0.16
        assert 0.8e-4 < angles[-1] < 1.6e-4
        np.testing.assert_array_less(angles[1:], angles[:-1])

    def test_a_rank_that_cannot_be_called_is_not_called(self) -> None:
        rank = stacked_rank(self.mixed(1e-8))
        assert not rank.decided
        with pytest.raises(ValueError, match="not decided"):
            generalises([self.mixed(1e-8)[0]], self.mixed(1e-8)[1])


def test_angles_agree_with_scipys() -> None:
    pair = [random_environment(9, 3, 0.9, seed) for seed in (3, 4)]
    expected = np.sort(linalg.subspace_angles(*(env.shaping.toarray() for env in pair)))
    np.testing.assert_allclose(principal_angles(pair), expected, atol=1e-13)


@pytest.mark.parametrize("size", [1e-1, 1e-4, 1e-6, 1e-8])
def test_small_angles_in_closed_form(size: float) -> None:
    """Two states; both actions stay, in the second environment action 1 leads from state 0 to 1 with probability p.

    range(B_1) = {(x, x, y, y)} and range(B_2) both hold the constants; the angle between what is orthogonal to
    constants in each, one vector each, follows by atan2 from their difference, which is known without cancellation.
    """
    g = 0.5
    stay = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
    drift = stay.copy()
    drift[0, 1] = [1 - size, size]
    first, second = Environment(stay, g), Environment(drift, g)
    # B_2 (1, -1) = (1 - g, 1 - g + 2 g p, -(1 - g), -(1 - g)); take constants out of it
    moved = np.array([0.0, 2 * g * drift[0, 1, 1], 0.0, 0.0])
    base = (1 - g) * np.array([1.0, 1.0, -1.0, -1.0])
    moved = moved - moved.mean()
    across = moved - base * (moved @ base) / (base @ base)
    along = linalg.norm(base) + (moved @ base) / linalg.norm(base)
    expected = np.arctan2(linalg.norm(across), along)
    found = principal_angles([first, second])
    np.testing.assert_allclose(found[1], expected, rtol=1e-6)
    np.testing.assert_allclose(found[0], 0, atol=1e-14)


def test_angles_of_three_environments_from_the_mean_projector() -> None:
    environments = [random_environment(5, 3, 0.9, seed) for seed in range(3)]
    bases = [linalg.orth(env.shaping.toarray()) for env in environments]
    largest = linalg.eigvalsh(sum(u @ u.T for u in bases) / 3)[::-1][:5]
    expected = 2 * np.arcsin(np.sqrt(np.maximum(1 - largest, 0)))
    np.testing.assert_allclose(principal_angles(environments)[1:], expected[1:], atol=1e-10)


class TestDeterministicDomains:
    """Kim, Garg, Shiragur & Ermon (2021); state rewards: Cao, Cohen & Szpruch (2021), section 3.3."""

    @pytest.mark.parametrize(
        ("env", "period", "open_dimensions"),
        [(cycle(4), 2, 2), (cycle(4, stay=True), 1, 1), (cycle(3), 1, 1), (cycle(6), 2, 2), (cycle(5), 1, 1)],
    )
    def test_cycles_walked_both_ways(self, env, period, open_dimensions) -> None:
        graph = domain_graph(env)
        assert graph.period == period
        assert graph.strongly_identifiable == (period == 1)
        assert finite_horizon_dimension(env, 3 * env.n_states) == open_dimensions
        assert open_state_rewards(env) == open_dimensions

    @pytest.mark.parametrize("seed", range(25))
    @pytest.mark.parametrize("one_start", [True, False])
    def test_open_dimensions_against_the_lifted_kernel(self, seed: int, one_start: bool) -> None:
        """A Hamiltonian cycle, for strong connection, with random second moves that keep a random period."""
        rng = np.random.default_rng(seed)
        n_states = int(rng.integers(2, 7))
        classes = int(rng.choice([p for p in range(1, n_states + 1) if n_states % p == 0]))
        moves = []
        for s in range(n_states):
            allowed = [t for t in range(n_states) if (t - s - 1) % classes == 0]
            moves.append([(s + 1) % n_states, int(rng.choice(allowed))])
        env = deterministic(moves, initial=int(rng.integers(n_states)) if one_start else None)
        graph = domain_graph(env)
        found = finite_horizon_dimension(env, n_states**2 + 2 * n_states)
        expected = 1 + n_states - n_states // graph.period if one_start else graph.period
        assert found == expected
        assert graph.strongly_identifiable == (found == 1)

    def test_unreachable_states_are_not_covered(self) -> None:
        graph = domain_graph(deterministic([[1, 0], [0, 1], [0, 1]], initial=0))
        np.testing.assert_array_equal(graph.reachable, [True, True, False])
        assert not graph.coverable
        assert not graph.strongly_identifiable

    def test_stochastic_transitions_are_refused(self) -> None:
        with pytest.raises(ValueError, match="deterministic transitions only"):
            domain_graph(random_environment(3, 2, 0.9, 0))

    def test_states_that_are_left_for_ever_are_refused(self) -> None:
        with pytest.raises(ValueError, match="returned to"):
            domain_graph(deterministic([[0, 1], [1, 1]], initial=0))

    @pytest.mark.parametrize("seed", range(10))
    def test_state_rewards_by_the_kernel_of_action_differences(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        env = deterministic(rng.integers(0, 5, (5, 2)).tolist())
        dense = env.dense()
        kernel = 5 - np.linalg.matrix_rank(dense[:, 1] - dense[:, 0])
        assert open_state_rewards(env) == kernel


class TestShaping:
    @pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 0.999])
    def test_potentials_that_are_not_zero_at_state_0(self, discount: float) -> None:
        env = random_environment(5, 3, discount, 0)
        potential = np.array([2.0, -1.0, 0.5, 3.0, 1.0])
        found = is_shaping(env, (env.shaping @ potential).reshape(5, 3))
        assert found.is_shaping
        np.testing.assert_allclose(found.potential, potential, atol=1e-10)

    def test_constants_shape(self) -> None:
        found = is_shaping(random_environment(4, 2, 0.9, 0), np.ones((4, 2)))
        assert found.is_shaping
        np.testing.assert_allclose(found.potential, 10.0)

    def test_with_termination(self) -> None:
        env = Environment(np.array([[[0.2, 0.8], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]), 1.0)
        found = is_shaping(env, (env.shaping @ np.array([3.0, -2.0])).reshape(2, 2))
        assert found.is_shaping
        np.testing.assert_allclose(found.potential, [3, -2])

    def test_what_is_not_shaping(self) -> None:
        env = random_environment(4, 2, 0.9, 0)
        difference = (env.shaping @ np.arange(4.0)).reshape(4, 2)
        difference[2, 1] += 1e-3
        found = is_shaping(env, difference)
        assert not found.is_shaping
        assert found.error > 1e-5
        best = linalg.lstsq(env.shaping.toarray(), difference.ravel())[0]
        np.testing.assert_allclose(found.potential, best, atol=1e-10)

    def test_no_difference_is_shaping_by_nothing(self) -> None:
        found = is_shaping(random_environment(3, 2, 0.9, 0), np.zeros((3, 2)))
        assert found.is_shaping
        np.testing.assert_array_equal(found.potential, 0)

    @pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.full((3, 2), np.nan)])
    def test_bad_differences_are_refused(self, bad) -> None:
        with pytest.raises(ValueError, match="difference"):
            is_shaping(random_environment(3, 2, 0.9, 0), bad)


def test_environments_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"environments\[1\]"):
        stacked_rank([random_environment(3, 2, 0.9, 0), random_environment(4, 2, 0.9, 0)])
