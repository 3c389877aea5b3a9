"""Coherence and shares: against enumeration of all policies, closed forms, sampling, and interval coverage."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_environment

import irl_ident as ii
from irl_ident import planning
from irl_ident.evidence import Policy
from irl_ident.goal_directedness import coherence as room
from irl_ident.goal_directedness.shares import Share, binomial_share, exact_share, split_share


def tables(env):
    """All deterministic policies, as arrays (S, A)."""
    return [np.eye(env.n_actions)[list(each)] for each in itertools.product(range(env.n_actions), repeat=env.n_states)]


def with_twins(env):
    """The same with its first action a second time."""
    return ii.Environment(np.concatenate([env.dense(), env.dense()[:, :1]], axis=1), env.discount)


@pytest.mark.parametrize(
    ("env", "family"),
    [
        (random_environment(0, 3, 2), ii.rewards.StateRewards(3)),
        (random_environment(1, 2, 2), ii.rewards.StateActionRewards(2, 2)),
        (with_twins(random_environment(2, 3, 2)), ii.rewards.StateRewards(3)),
        (random_environment(3, 4, 2), ii.rewards.LinearRewards(np.random.default_rng(0).normal(size=(4, 2, 2)))),
        (random_environment(4, 4, 2), ii.rewards.LinearRewards(np.random.default_rng(0).normal(size=(4, 2, 1)))),
    ],
)
def test_the_mean_over_all_policies_is_one(env, family):
    found = [room.coherence([(env, table)], family) for table in tables(env)]
    assert all(each.decided and each.share.method == "exact" for each in found)
    np.testing.assert_allclose(np.mean([2.0**each.bits for each in found]), 1, rtol=1e-9)


def test_a_grid_of_ties_averages_to_one():
    """Where food, the only reward, can be reached both ways round, policies tie for almost all rewards."""
    there = np.array([[1, 2], [3, 1], [2, 3], [3, 3]])
    env = ii.Environment(np.eye(4)[there], 0.9)
    family = ii.rewards.LinearRewards(np.repeat(np.eye(2)[[0, 0, 0, 1]][:, None], 2, axis=1), names=["floor", "food"])
    found = [room.coherence([(env, table)], family) for table in tables(env)]
    np.testing.assert_allclose(np.mean([2.0**each.bits for each in found]), 1, rtol=1e-12)
    assert len({each.log2_policies for each in found}) > 1


def test_quotient_is_that_of_drawing_rewards_and_breaking_ties_evenly():
    env = with_twins(random_environment(5, 3, 2))
    family = ii.rewards.StateRewards(3)
    rng = np.random.default_rng(0)
    thetas = rng.uniform(-1, 1, (20_000, 3))
    q = planning.optimal_batch(env, np.repeat(thetas[:, :, None], 3, axis=2))
    best = planning.optimal_actions(q)
    for chosen in ([0, 0, 0], [0, 1, 2], [1, 1, 0]):
        optimal = best[:, np.arange(3), chosen].all(axis=1)
        weights = optimal / best.sum(axis=2).prod(axis=1)
        error = weights.std() / np.sqrt(len(weights))
        found = 2.0 ** room.coherence([(env, np.eye(3)[chosen])], family).bits
        assert abs(found - 27 * weights.mean()) < 4 * 27 * error


def test_with_nothing_to_plan_every_choice_is_as_likely_as_chance():
    env = ii.Environment(np.tile(np.eye(3)[:, None, :], (1, 2, 1)), 0.0)
    family = ii.rewards.StateActionRewards(3, 2)
    for table in tables(env):
        found = room.coherence([(env, table)], family)
        np.testing.assert_allclose([found.share.log2, found.bits], [-3, 0], atol=1e-12)


def test_many_parameters_are_estimated():
    env = ii.Environment(np.tile(np.eye(4)[:, None, :], (1, 3, 1)), 0.0)
    table = np.eye(3)[[0, 2, 1, 1]]
    found = room.coherence([(env, table)], ii.rewards.StateActionRewards(4, 3), draws=300, repeats=4, level=0.99)
    assert found.share.method == "splitting"
    assert found.interval[0] < 0 < found.interval[1]
    assert found.interval[1] - found.interval[0] < 1.5


def test_a_share_of_one_in_ten_to_the_24_is_found_by_splitting():
    """``0 <= z_i <= z_1 / 1000``: 1000^(1 - d) / d of volume 2^d."""
    dim = 8
    rest = np.hstack([np.zeros((dim - 1, 1)), np.eye(dim - 1)])
    rows = np.vstack([rest, 1e-3 * np.eye(dim)[0] - rest])
    inside = np.concatenate([[0.5], np.full(dim - 1, 0.25e-3)])
    truth = -(dim - 1) * np.log2(1000) - np.log2(dim) - dim
    assert truth < -80
    found = room.box_share(rows, inside, draws=200, seed=0, level=0.99)
    assert found.method == "splitting"
    assert found.lower < truth < found.upper
    assert found.upper - found.lower < 4


def test_two_environments_are_one_with_a_choice_for_each_state_of_each():
    family = ii.rewards.StateRewards(3)
    envs = [random_environment(6, 3, 2), random_environment(7, 3, 2)]
    pairs = itertools.product(*(tables(env) for env in envs))
    found = [room.coherence(list(zip(envs, pair, strict=True)), family) for pair in pairs]
    np.testing.assert_allclose(np.mean([2.0**each.bits for each in found]), 1, rtol=1e-9)
    agent = ii.agents.Optimal(family, [1.0, 0.2, -0.4])
    seen = [(env, agent.policy(env)) for env in envs]
    together, apart = room.coherence(seen, family), [room.coherence([each], family) for each in seen]
    assert together.bits > max(each.bits for each in apart) > 0


def test_random_actions_have_no_reward_behind_them():
    env = random_environment(8, 4, 2)
    found = room.coherence([(env, np.full((4, 2), 0.5))], ii.rewards.StateRewards(4))
    assert found.bits == found.interval[1] == -np.inf
    assert found.share.value == 0


def test_rewards_that_the_family_cannot_tell_apart_explain_anything():
    env = random_environment(9, 4, 2)
    constant = ii.rewards.LinearRewards(np.ones((4, 2, 1)))
    found = room.coherence([(env, np.eye(2)[[0, 1, 1, 0]])], constant)
    assert found.share == exact_share(1.0)
    assert found.bits == 0


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_names_of_states_and_actions_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    env, order, turn = random_environment(seed, 3, 2), rng.permutation(3), rng.permutation(2)
    renamed = ii.Environment(env.dense()[np.ix_(order, turn, order)], env.discount)
    family = ii.rewards.StateRewards(3)
    table = ii.agents.Optimal(family, rng.uniform(-1, 1, 3)).policy(env)
    one = room.coherence([(env, table)], family)
    other = room.coherence([(renamed, table[np.ix_(order, turn)])], family)
    np.testing.assert_allclose(one.bits, other.bits, atol=1e-6)


@given(st.floats(0.02, 3.1))
def test_share_of_a_cone_in_the_plane(angle):
    """Between directions 0 and angle: the part of the square's area, in triangles to its edge."""
    rows = np.array([[0.0, 1.0], [np.sin(angle), -np.cos(angle)]])
    inside = 0.5 * np.array([np.cos(angle / 2), np.sin(angle / 2)])
    x = np.tan(min(angle, np.pi / 4))
    area = x / 2
    if angle > np.pi / 4:
        upto = min(angle, 3 * np.pi / 4)
        area += (1 - 1 / np.tan(upto)) / 2 if abs(upto - np.pi / 2) > 1e-12 else 0.5
    if angle > 3 * np.pi / 4:
        area += (1 + np.tan(angle)) / 2
    found = room.box_share(rows, inside)
    np.testing.assert_allclose(found.value, area / 4, rtol=1e-9)


@pytest.mark.parametrize("dim", [2, 4, 6])
def test_the_orthant(dim):
    found = room.box_share(np.eye(dim), np.full(dim, 0.5))
    np.testing.assert_allclose(found.log2, -dim, atol=1e-9)
    assert found.lower == found.log2 == found.upper


def test_the_volume_of_a_thin_simplex():
    """``z >= 0``, ``sum z / lengths <= 1``: the product of the lengths over d!."""
    lengths = np.array([1, 1e-3, 1e-6, 1e-2])
    rows, bounds = np.vstack([-np.eye(4), 1 / lengths]), np.array([0, 0, 0, 0, 1.0])
    found = room.polytope_volume(rows, bounds, lengths / 6)
    np.testing.assert_allclose(found, lengths.prod() / 24, rtol=1e-9)


def test_volume_and_splitting_agree_where_both_can_be_had():
    rng = np.random.default_rng(0)
    inside = rng.uniform(-0.5, 0.5, 5)
    rows = rng.normal(size=(12, 5))
    rows *= np.sign(rows @ inside)[:, None]
    exact = room.box_share(rows, inside)
    found = room.box_share(rows, inside, exact_dim=0, draws=400, seed=2, level=0.999)
    assert found.lower < exact.log2 < found.upper
    assert found.upper - found.lower < 2


def test_intervals_of_splitting_hold_the_truth_as_often_as_they_say():
    shares = [room.box_share(np.eye(6), np.full(6, 0.5), draws=60, seed=i, level=0.8, exact_dim=0) for i in range(50)]
    assert 32 <= sum(share.lower <= -6 <= share.upper for share in shares) <= 48


def test_moves_leave_the_uniform_distribution_as_it_is():
    rng = np.random.default_rng(0)
    rows, above = np.array([[1.0, 1.0, 0.0]]) / np.sqrt(2), 0.0
    points = rng.uniform(-1, 1, (40_000, 3))
    points = points[points @ rows[0] >= above]
    after = room.moved(points, rows, above, np.eye(3), rng)
    assert (after @ rows[0] >= -1e-12).all()
    assert np.abs(after).max() <= 1 + 1e-12
    error = 5 * after.std(axis=0) / np.sqrt(len(after))
    np.testing.assert_array_less(np.abs(after.mean(axis=0) - [1 / 3, 1 / 3, 0]), error)
    assert np.abs(after - points).max() > 0.5


def test_shares_say_how_they_were_found():
    share = binomial_share(30, 100)
    assert share == Share(np.log2(0.3), share.lower, share.upper, "binomial", 100)
    np.testing.assert_allclose([2**share.lower, 2**share.upper], [0.2124064, 0.3998147], atol=1e-6)
    assert binomial_share(5, 5).upper == 0
    with pytest.raises(ValueError, match="hits: was 3 of 2 draws"):
        binomial_share(3, 2)
    with pytest.raises(ValueError, match="level: was 1"):
        binomial_share(1, 2, level=1)


def test_splitting_of_something_that_is_no_volume():
    """Heads in a row: the share of k heads or more in 25 tosses, scores with ties."""

    def tosses(above, start, rng):
        if start is None:
            drawn = rng.integers(2, size=(100, 25))
            return drawn, drawn.sum(axis=1).astype(float)
        drawn = start.copy()
        for _ in range(50):
            place = rng.integers(25, size=len(drawn))
            flipped = drawn.copy()
            flipped[np.arange(len(drawn)), place] = rng.integers(2, size=len(drawn))
            fine = flipped.sum(axis=1) >= above
            drawn[fine] = flipped[fine]
        return drawn, drawn.sum(axis=1).astype(float)

    found = split_share(tosses, 25.0, seed=3, level=0.999)
    assert found.lower < -25 < found.upper
    assert found.upper - found.lower < 8
    with pytest.raises(ArithmeticError, match=r"no draw has a score above 25.0"):
        split_share(tosses, 26.0)
    with pytest.raises(ValueError, match="repeats: was 1"):
        split_share(tosses, 20.0, repeats=1)


def test_what_is_wrong_is_said():
    env = random_environment(0, 3, 2)
    family = ii.rewards.StateRewards(3)
    with pytest.raises(ValueError, match="evidence: is empty"):
        room.coherence([], family)
    with pytest.raises(ValueError, match="2 states that can be reached from observed ones were not observed"):
        room.coherence([(env, Policy([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))], family)
    with pytest.raises(ValueError, match="inside: should be strictly inside"):
        room.box_share(np.eye(2), [0.5, -0.5])
    with pytest.raises(ValueError, match=r"inside: should have shape \(d,\)"):
        room.box_share(np.eye(2), [0.5])
