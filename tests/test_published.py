"""Published tests of identifiability by their papers' names, on the papers' own examples and against one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

import irl_ident as ii
from irl_ident.identified.published import (
    cao_2021,
    cao_2021_horizon,
    cao_2021_state_only,
    kim_2021,
    rolland_2022,
    rolland_2022_transfers,
    schlaginhaufen_2024,
    shehab_2024,
)


def deterministic(moves, discount=0.9, start=None):
    table = np.eye(len(moves))[np.asarray(moves)]
    return ii.Environment(table, discount, None if start is None else np.eye(len(moves))[start])


def random(n_states, n_actions, discount, seed):
    return ii.builders.random_environment(n_states, n_actions, discount, seed)


def cycle(n_states, *, stay=False, start=None):
    moves = [[(s - 1) % n_states, (s + 1) % n_states, *([s] if stay else [])] for s in range(n_states)]
    return deterministic(moves, start=start)


def windy_grid(start):
    """The 5 x 5 grid of Shehab et al. (2024), figure 1 (a): with .1 the wind moves in any of the four directions."""
    side, steps = 5, np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
    cells = np.array([(i % side, i // side) for i in range(side**2)])
    there = cells[:, None] + steps
    inside = ((there >= 0) & (there < side)).all(axis=2)
    there = np.where(inside[..., None], there, cells[:, None])
    lands = np.eye(side**2)[there @ [1, side]]
    return ii.Environment(0.9 * lands + 0.1 * lands.mean(axis=1, keepdims=True), 0.9, np.eye(side**2)[start])


class TestKim2021:
    @pytest.mark.parametrize(
        ("env", "answer"),
        [
            (cycle(4, start=0), "not identified"),
            (cycle(4, stay=True, start=0), "identified"),
            (cycle(3, start=0), "identified"),
            (deterministic([[1, 0], [0, 1], [0, 1]], start=0), "not identified"),
        ],
        ids=["period 2", "self-loops", "triangle", "not coverable"],
    )
    def test_graphs(self, env, answer):
        found = kim_2021(env)
        assert found.answer == answer == shehab_2024(env, 12).answer
        assert found.gap == np.inf
        assert "period" in str(found)

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 10**6), n_states=st.integers(2, 4))
    def test_agrees_with_the_kernel_of_a_long_horizon(self, seed, n_states):
        """A circle through all states, for strong connection, and one random move from each."""
        rng = np.random.default_rng(seed)
        env = deterministic([[(s + 1) % n_states, rng.integers(n_states)] for s in range(n_states)], start=0)
        assert kim_2021(env).answer == shehab_2024(env, n_states**2 + 2 * n_states).answer


class TestCao2021:
    def test_two_discounts_in_one_random_environment(self):
        env = random(10, 4, 0.9, 0)
        found = cao_2021(env, ii.builders.discounted(env, 0.8))
        assert (found.answer, found.open_dimensions) == ("identified", 1)
        assert "identified up to a constant" in str(found)
        assert "the same transitions" in str(found)

    def test_two_transitions(self):
        assert cao_2021(random(10, 4, 0.9, 0), random(10, 4, 0.9, 1)).answer == "identified"

    def test_transitions_that_do_not_depend_on_the_action_never(self):
        rows = np.random.default_rng(0).dirichlet(np.ones(8), 8)
        env = ii.Environment(np.repeat(rows[:, None], 3, axis=1), 0.9)
        found = cao_2021(env, ii.builders.discounted(env, 0.5))
        assert (found.answer, found.open_dimensions) == ("not identified", 8)
        assert cao_2021_state_only(env).open_dimensions == 8

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6))
    def test_deterministic_moves_by_their_links(self, seed):
        """Corollary 4: rewards on states are identified iff all states are linked by having a common predecessor."""
        rng = np.random.default_rng(seed)
        moves = rng.integers(0, 5, (5, 2))
        links = sparse.csr_array((np.ones(5), (moves[:, 0], moves[:, 1])), shape=(5, 5))
        parts, _ = sparse.csgraph.connected_components(links, directed=False)
        found = cao_2021_state_only(deterministic(moves))
        assert found.open_dimensions == parts
        assert (found.answer == "identified") == (parts == 1)

    def test_rewards_on_states_as_identify_finds_them(self):
        family = ii.rewards.StateRewards(6)
        for seed in range(5):
            env = ii.builders.random_environment(6, 2, 0.9, seed, successors=1)
            seen = ii.agents.SoftOptimal(family, np.arange(6.0)).policy(env)
            ident = ii.identify([(env, seen)], family, "soft")
            assert ident.affine.null_basis.shape[1] == cao_2021_state_only(env).open_dimensions

    def test_their_three_states(self):
        """Example 1: A to B or C, B to A, C to B, started in A: a horizon of 2 x 3 + 1 decisions is enough."""
        env = deterministic([[1, 2], [0, 0], [1, 1]], start=0)
        found = cao_2021_horizon(env, 7)
        assert (found.answer, found.open_dimensions) == ("identified", 1)
        assert "action rank 3 of 3 by fixed sequences, 3 by decision rules" in str(found)
        assert "no full access: 1 states" in str(cao_2021_horizon(env, 2))
        told = [horizon for horizon in range(1, 12) if cao_2021_horizon(env, horizon).answer != "undecided"]
        assert told[-5:] == [7, 8, 9, 10, 11]
        for horizon in told:
            assert cao_2021_horizon(env, horizon).answer == shehab_2024(env, horizon).answer

    def test_full_action_rank_is_not_necessary(self):
        """Against the converse in their theorem 4: four fixed sequences of three actions cannot span five states."""
        table = ii.builders.random_environment(5, 2, 0.8, 0, successors=2).transitions
        env = ii.Environment(table, 0.8, np.eye(5)[0])
        found = cao_2021_horizon(env, 3)
        assert "action rank 4 of 5 by fixed sequences, 5 by decision rules" in str(found)
        assert found.answer == shehab_2024(env, 3).answer == "identified"

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 10**6), n_states=st.integers(2, 5), horizon=st.integers(2, 9), width=st.integers(1, 2))
    def test_action_rank_by_rules_is_the_kernel(self, seed, n_states, horizon, width):
        table = ii.builders.random_environment(n_states, 2, 0.8, seed, successors=min(width, n_states)).transitions
        env = ii.Environment(table, 0.8, np.eye(n_states)[0])
        found = cao_2021_horizon(env, horizon)
        assume(found.open_dimensions is not None)
        assert found.open_dimensions == shehab_2024(env, horizon).open_dimensions

    def test_one_start_is_asked_for(self):
        with pytest.raises(ValueError, match="initial states"):
            cao_2021_horizon(cycle(3), 4)
        with pytest.raises(ValueError, match="horizon"):
            cao_2021_horizon(cycle(3, start=0), 0)


class TestRolland2022:
    @pytest.mark.parametrize("count", [2, 3])
    def test_random_dynamics(self, count):
        """Their section 5: S = 18, A = 5, discount 1 / 1.05."""
        found = rolland_2022([random(18, 5, 1 / 1.05, seed) for seed in range(count)])
        assert found.answer == "identified"
        assert f"rank {18 * count - 1}" in str(found)

    def test_one_environment_leaves_every_shaping(self):
        found = rolland_2022([random(6, 3, 0.9, 0)])
        assert (found.answer, found.open_dimensions) == ("not identified", 6)

    def test_features(self):
        worlds = [random(18, 5, 0.9, seed) for seed in range(2)]
        features = sparse.csr_array(np.random.default_rng(2).normal(size=(90, 6)))
        found = rolland_2022(worlds, features)
        assert (found.answer, found.open_dimensions) == ("identified", 0)
        assert "rank 42" in str(found)
        constant = sparse.csr_array(np.hstack([features.toarray(), np.ones((90, 1))]))
        assert rolland_2022(worlds, constant).open_dimensions == 1
        shaping = sparse.csr_array(np.hstack([features.toarray(), worlds[0].shaping.toarray()[:, :1]]))
        assert rolland_2022(worlds[:1], shaping).answer == "not identified"

    def test_transfer_raises_the_rank_by_s(self):
        same, other, third = (random(6, 3, 0.9, seed) for seed in range(3))
        assert rolland_2022_transfers([same], same).answer == "identified"
        assert rolland_2022_transfers([same], other).answer == "not identified"
        assert rolland_2022_transfers([same, other], third).answer == "identified"
        near = ii.builders.blended(same, other, 1e-8)
        assert rolland_2022_transfers([same], near).answer == "undecided"


class TestShehab2024:
    @pytest.mark.parametrize(("start", "horizons"), [(0, (3, 6, 8, 9, 12)), (12, (3, 4, 5, 8))])
    def test_their_grid(self, start, horizons):
        """Figure 1 (a): the dimension falls to 1 with the horizon; from a corner it is what is never read, and 1."""
        env = windy_grid(start)
        left = [shehab_2024(env, horizon) for horizon in horizons]
        ways = np.abs(np.indices((5, 5)) - np.array([start % 5, start // 5])[:, None, None]).sum(axis=0)
        assert [found.open_dimensions for found in left][-2:] == [1, 1]
        for found, horizon in zip(left, horizons, strict=True):
            never = 4 * int((ways >= horizon).sum())
            if start == 0:
                assert found.open_dimensions == 1 + never
            assert found.open_dimensions >= 1 + never
            assert (f"{never} parameters never read" in str(found)) == (never > 0)
        assert left[-1].answer == "identified"
        assert left[-1].gap > 1e8

    def test_state_rewards_and_features(self):
        """Both ways round a circle of four: period 2, a potential for every state where the walk cannot end."""
        env = cycle(4, start=0)
        assert shehab_2024(env, 10).open_dimensions == 3
        assert shehab_2024(env, 10, ii.rewards.StateRewards(4)).open_dimensions == 2
        silent = np.zeros((4, 2, 1))
        silent[:, :, 0] = np.arange(4)[:, None] % 2
        assert shehab_2024(env, 10, ii.rewards.LinearRewards(silent)).open_dimensions == 1
        told = np.arange(4.0)[:, None, None] ** 2 * np.ones((4, 2, 1))
        found = shehab_2024(env, 10, ii.rewards.LinearRewards(told))
        assert (found.answer, found.open_dimensions) == ("identified", 0)


class TestSchlaginhaufen2024:
    def test_the_rank_stays_and_the_angle_falls(self):
        """T_w = (1 - w) T_0 + w T_1, S = 18, A = 5, discount .9."""
        first, second = (random(18, 5, 0.9, seed) for seed in range(2))
        found = [schlaginhaufen_2024(first, ii.builders.blended(first, second, w)) for w in (1.0, 0.1, 0.01, 0.001)]
        assert {one.answer for one in found} == {"identified"}
        assert {one.reasons[0] for one in found} == {"rank 35, identified iff 35"}
        least = [one.singular_values[-2] for one in found]
        assert 0.04 < least[0] < 0.08
        np.testing.assert_array_less(least[1:], least[:-1])
        assert "second principal angle 0.000" in str(found[-1])
        assert schlaginhaufen_2024(first, ii.builders.blended(first, second, 1e-8)).answer == "undecided"

    def test_one_state_has_no_second_angle(self):
        one = ii.Environment(np.ones((1, 2, 1)), 0.9)
        with pytest.raises(ValueError, match="one state"):
            schlaginhaufen_2024(one, one)
