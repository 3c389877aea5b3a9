"""Environments made of others: finite horizons against backward induction, unions against their parts."""

import pickle

import numpy as np
import pytest
from scipy import special
from worlds import random_environment

import irl_ident as ii
from irl_ident import planning
from irl_ident.evidence import Counts, Policy, Trajectories
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards, TransitionRewards
from irl_ident.transformed import MappedRewards, finite_horizon, joined, union, unrolled


def backward(table, reward, horizon, discount, reduce):
    """Values of actions (H, S, A), with nothing to gain after the last decision."""
    later, found = np.zeros(len(reward)), []
    for _ in range(horizon):
        q = reward + discount * table @ later
        later = reduce(q)
        found.append(q)
    return np.array(found[::-1])


def soft_policies(table, reward, horizon, discount, temperature=1.0):
    q = backward(table, reward, horizon, discount, lambda q: temperature * special.logsumexp(q / temperature, axis=1))
    return special.softmax(q / temperature, axis=2)


def laid_out(reward, horizon):
    """A reward (S, A) at all times, and 0 at the end."""
    return np.vstack([np.tile(reward, (horizon, 1)), np.zeros((1, reward.shape[1]))])


def shehab_open_directions(table, horizon, discount):
    """Directions of r(s, a) open after all soft policies are seen: the kernel in (r; V_0 .. V_{H-1}), projected."""
    s_count, a_count = table.shape[:2]
    pairs = s_count * a_count
    own, ahead = np.repeat(np.eye(s_count), a_count, axis=0), discount * table.reshape(pairs, s_count)
    rows = np.zeros((horizon * pairs, pairs + horizon * s_count))
    for t in range(horizon):
        block = slice(t * pairs, (t + 1) * pairs)
        rows[block, :pairs] = np.eye(pairs)
        rows[block, pairs + t * s_count : pairs + (t + 1) * s_count] = -own
        if t + 1 < horizon:
            rows[block, pairs + (t + 1) * s_count : pairs + (t + 2) * s_count] = ahead
    _, sizes, right = np.linalg.svd(rows)
    rank = int((sizes > 1e-10 * sizes[0]).sum())
    projected = right[rank:, :pairs]
    return int((np.linalg.svd(projected, compute_uv=False) > 1e-10).sum())


def with_an_end(seed):
    """Random transitions, the last state absorbing."""
    table = random_environment(seed, 4, 2).dense()
    table[-1] = np.eye(4)[-1]
    return ii.Environment(table, 0.9)


@pytest.mark.parametrize("discount", [1.0, 0.7, 0.0])
@pytest.mark.parametrize("horizon", [1, 2, 7])
def test_unrolled_transitions(horizon, discount):
    env = with_an_end(1)
    world = unrolled(env, horizon, discount)
    expected = np.zeros((4 * horizon + 1, 2, 4 * horizon + 1))
    for t in range(horizon):
        for s in range(4):
            if t + 1 < horizon:
                expected[4 * t + s, :, 4 * t + 4 : 4 * t + 8] = env.dense()[s]
            else:
                expected[4 * t + s, :, -1] = 1
    expected[-1, :, -1] = 1
    np.testing.assert_array_equal(world.dense(), expected)
    np.testing.assert_array_equal(world.initial, np.append(env.initial, np.zeros(4 * horizon - 3)))
    np.testing.assert_array_equal(np.flatnonzero(world.absorbing), [4 * horizon])
    assert world.discount == discount
    assert unrolled(env, horizon).discount == env.discount


@pytest.mark.parametrize("discount", [1.0, 0.8])
@pytest.mark.parametrize(("n_states", "horizon"), [(5, 1), (5, 6), (30, 12)])
def test_optimal_values_are_those_of_backward_induction(n_states, horizon, discount):
    env = random_environment(3, n_states, 3)
    reward = np.random.default_rng(4).normal(size=(n_states, 3))
    expected = backward(env.dense(), reward, horizon, discount, lambda q: q.max(axis=1))
    world = unrolled(env, horizon, discount)
    plan = planning.optimal(world, laid_out(reward, horizon))
    np.testing.assert_allclose(plan.q[:-1].reshape(expected.shape), expected, rtol=0, atol=plan.error_bound)
    batch = planning.optimal_batch(world, [laid_out(reward, horizon), laid_out(-reward, horizon)])
    np.testing.assert_allclose(batch[0, :-1].reshape(expected.shape), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("discount", [1.0, 0.8])
@pytest.mark.parametrize(("n_states", "horizon"), [(5, 1), (5, 6), (30, 12)])
def test_soft_policies_are_those_of_the_backward_recursion(n_states, horizon, discount):
    env = random_environment(5, n_states, 3)
    reward = np.random.default_rng(6).normal(size=(n_states, 3))
    plan = planning.soft(unrolled(env, horizon, discount), laid_out(reward, horizon), 0.3)
    expected = soft_policies(env.dense(), reward, horizon, discount, 0.3)
    np.testing.assert_allclose(plan.policy[:-1].reshape(expected.shape), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("horizon", [1, 4, 50])
def test_occupancies_sum_to_the_horizon(horizon):
    env = with_an_end(7)
    policy = np.random.default_rng(8).dirichlet(np.ones(2), size=4 * horizon + 1)
    visits = planning.occupancy(unrolled(env, horizon, 1), policy)
    at, expected = env.initial, []
    for t in range(horizon):
        expected.append(at[:, None] * policy[4 * t : 4 * t + 4])
        at = np.einsum("sa,sat->t", expected[-1], env.dense())
    np.testing.assert_allclose(visits[:-1], np.concatenate(expected), rtol=0, atol=1e-13)
    np.testing.assert_allclose(visits[:-1].sum(), horizon)
    np.testing.assert_allclose(visits[-1].sum(), 1)


def test_an_absorbing_state_collects_at_each_time_that_is_left():
    env = with_an_end(9)
    reward = np.zeros((4, 2))
    reward[-1] = 1
    values = planning.optimal(unrolled(env, 5, 1), laid_out(reward, 5)).values
    np.testing.assert_allclose(values[3::4], [5, 4, 3, 2, 1])
    np.testing.assert_allclose(planning.optimal(ii.Environment(env.transitions, 1), reward).values[-1], 1)


@pytest.mark.parametrize(("horizon", "discount"), [(2, 1.0), (4, 1.0), (4, 0.8), (1, 1.0)])
def test_soft_identification_agrees_with_the_rank_test(horizon, discount):
    env, family = random_environment(11, 4, 2), StateActionRewards(4, 2)
    theta = np.random.default_rng(12).normal(size=8)
    policies = soft_policies(env.dense(), theta.reshape(4, 2), horizon, discount)
    found = ii.identify(*finite_horizon([(env, policies)], family, horizon, discount=discount), "soft")
    open_directions = found.affine.null_basis
    assert open_directions.shape[1] == shehab_open_directions(env.dense(), horizon, discount)
    if horizon > 1:
        np.testing.assert_allclose(np.ptp(open_directions, axis=0), 0, atol=1e-9)
        assert open_directions.shape[1] == 1
    else:
        assert open_directions.shape[1] == 4
    assert found.contains(theta)
    assert found.contains(theta + 3)
    assert not found.contains(theta + np.eye(8)[2])


def test_a_counterexample_to_identification_by_finite_horizons():
    """Where actions make no difference to the next state, rewards are open up to a number for each state and more."""
    table = np.repeat(random_environment(13, 4, 1).dense(), 2, axis=1)
    family, theta = StateActionRewards(4, 2), np.random.default_rng(14).normal(size=8)
    policies = soft_policies(table, theta.reshape(4, 2), 5, 1.0)
    found = ii.identify(*finite_horizon([(ii.Environment(table, 0.9), policies)], family, 5, discount=1), "soft")
    assert found.affine.null_basis.shape[1] == shehab_open_directions(table, 5, 1.0) == 4
    assert found.contains(theta + np.repeat([1.0, -2.0, 0.0, 5.0], 2))


def test_time_dependent_and_stationary_policies():
    env, family = random_environment(15, 3, 2), StateRewards(3)
    still = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]])
    for given in (still, Policy(still, shows="some"), np.tile(still, (4, 1, 1))):
        [(world, seen)], mapped = finite_horizon([(env, given)], family, 4)
        np.testing.assert_array_equal(seen.probabilities, laid_out(still, 4))
        assert seen.shows == ("some" if isinstance(given, Policy) else "all")
        assert world.digest == unrolled(env, 4).digest
        assert mapped.dim == 3
        assert mapped.parameters == family.parameters
    named = ii.Environment(env.transitions, 0.9, states=["field", "roof", "lake"])
    [(world, _)], mapped = finite_horizon([(named, still)], family, 4)
    assert mapped.named_in([world]) == ("R(field)", "R(roof)", "R(lake)")


def test_trajectories_move_through_time():
    env = random_environment(16, 3, 2)
    seen = Trajectories([[0, 1, 2, 1], [2, 0], [1]], [[1, 0, 1], [0], []])
    [(world, moved)], _ = finite_horizon([(env, seen)], StateRewards(3), 3)
    np.testing.assert_array_equal(moved.states, [[0, 4, 8, 9], [2, 3, -1, -1], [1, -1, -1, -1]])
    np.testing.assert_array_equal(moved.actions, seen.actions)
    moved.check(world)
    [(world, moved)], _ = finite_horizon([(env, seen)], StateRewards(3), 8)
    np.testing.assert_array_equal(moved.states[0], [0, 4, 8, 10])
    moved.check(world)


def test_rewards_on_transitions_find_their_environment():
    first, second = random_environment(17, 3, 2), random_environment(18, 3, 2)
    family, uniform = TransitionRewards(3, 2), np.full((3, 2), 0.5)
    pairs, mapped = finite_horizon([(first, uniform), (second, uniform), (first, uniform)], family, 3)
    assert pairs[0][0] is pairs[2][0]
    theta = np.random.default_rng(19).normal(size=family.dim)
    for env, (world, _) in zip((first, second), pairs, strict=False):
        np.testing.assert_allclose(mapped.reward(world, theta), laid_out(family.reward(env, theta), 3))
    with pytest.raises(ValueError, match="not made together"):
        mapped.matrix(unrolled(random_environment(20, 3, 2), 3))
    with pytest.raises(ValueError, match="the same when unrolled"):
        finite_horizon([(first, uniform), (second, uniform)], family, 1)
    [(whole, _)], mapped = finite_horizon(*joined([(first, uniform), (second, uniform)], family), 1)
    expected = np.vstack([family.reward(first, theta), family.reward(second, theta), np.zeros((1, 2))])
    np.testing.assert_allclose(mapped.reward(whole, theta), expected)


def test_one_family_for_all_environments_where_features_are_the_same():
    envs = [random_environment(seed, 3, 2) for seed in (21, 22)]
    features = np.random.default_rng(23).normal(size=(3, 2, 2))
    features = np.concatenate([features, features[..., :1] - features[..., 1:]], axis=2)
    family = LinearRewards(features)
    _, mapped = finite_horizon([(env, np.full((3, 2), 0.5)) for env in envs], family, 2)
    theta = np.array([1.0, -2.0, 0.5])
    for env in (*envs, random_environment(24, 3, 2)):
        np.testing.assert_allclose(mapped.reward(unrolled(env, 2), theta), laid_out(family.reward(env, theta), 2))
    assert list(mapped.representational([0.9])) == ["redistribution"]
    silent = mapped.representational([0.9])["redistribution"]
    np.testing.assert_allclose(mapped.matrix(unrolled(envs[0], 2)) @ silent, 0, atol=1e-12)
    assert mapped.representational([1.0]).keys() == {"redistribution"}
    again = pickle.loads(pickle.dumps(mapped))
    np.testing.assert_array_equal(again.reward(unrolled(envs[0], 2), theta), mapped.reward(unrolled(envs[0], 2), theta))


def test_union_transitions_and_plans_are_those_of_the_parts():
    parts = [random_environment(25, 3, 2), random_environment(26, 5, 2)]
    whole = union(parts)
    rewards = [np.random.default_rng(27 + e).normal(size=(env.n_states, 2)) for e, env in enumerate(parts)]
    np.testing.assert_array_equal(whole.dense()[:3, :, :3], parts[0].dense())
    np.testing.assert_array_equal(whole.dense()[3:, :, 3:], parts[1].dense())
    assert whole.transitions.nnz == sum(env.transitions.nnz for env in parts)
    np.testing.assert_allclose(whole.initial, np.concatenate([env.initial / 2 for env in parts]))
    stacked = np.vstack(rewards)
    soft = planning.soft(whole, stacked).policy
    optimal = planning.optimal(whole, stacked).q
    for env, reward, part in zip(parts, rewards, (slice(3), slice(3, 8)), strict=True):
        np.testing.assert_allclose(soft[part], planning.soft(env, reward).policy, rtol=0, atol=1e-12)
        np.testing.assert_allclose(optimal[part], planning.optimal(env, reward).q, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rationality", ["soft", "optimal"])
def test_identification_in_a_union_is_identification_in_all_parts(rationality):
    envs = [random_environment(seed, 4, 2, 0.8) for seed in (31, 32, 33)]
    family, theta = StateActionRewards(4, 2), np.random.default_rng(34).uniform(-0.9, 0.9, size=8)
    evidence = []
    for env in envs[: 2 if rationality == "soft" else 3]:
        reward = family.reward(env, theta)
        if rationality == "soft":
            evidence.append((env, planning.soft(env, reward).policy))
        else:
            evidence.append((env, planning.optimal(env, reward).policy))
    apart, together = ii.identify(evidence, family, rationality), ii.identify(*joined(evidence, family), rationality)
    assert len(together.evidence) == 1
    assert together.dimension == apart.dimension
    draws = np.random.default_rng(35)
    points = [theta, theta + 0.05, *(theta + draws.normal(size=(20, 8)) * draws.choice([0.01, 0.3], size=(20, 1)))]
    inside = [apart.contains(np.clip(point, -1, 1)) for point in points]
    assert [together.contains(np.clip(point, -1, 1)) for point in points] == inside
    assert inside[0]
    assert not all(inside)


def test_joined_rewards_on_transitions_keep_their_shaping():
    envs = [random_environment(seed, 3, 2) for seed in (36, 37)]
    family = TransitionRewards(3, 2)
    [(whole, _)], mapped = joined([(env, np.full((3, 2), 0.5)) for env in envs], family)
    named = mapped.representational([whole.discount])
    assert set(named) == {"constant", "shaping"}
    theta = np.random.default_rng(38).normal(size=family.dim)
    policy = planning.soft(whole, mapped.reward(whole, theta)).policy
    for direction in np.hstack(list(named.values())).T:
        shaped = planning.soft(whole, mapped.reward(whole, theta + 2 * direction)).policy
        np.testing.assert_allclose(shaped, policy, rtol=0, atol=1e-12)


def test_joined_observations_of_every_kind():
    first, second = (random_environment(seed, 3, 2) for seed in (39, 40))
    still = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]])
    walks = Trajectories([[0, 1], [2, 2, 0]], [[1], [0, 1]])
    tally = Counts([[1, 2], [0, 4], [5, 0]])
    family = StateRewards(3)
    moved, _ = joined([(first, walks), (second, walks), (second, walks)], family)
    assert len(moved) == 1
    np.testing.assert_array_equal(moved[0][1].states[:, 0], [0, 2, 3, 5, 3, 5])
    moved, _ = joined([(second, tally), (first, tally), (second, tally)], family)
    np.testing.assert_array_equal(moved[0][1].counts, np.vstack([2 * tally.counts, tally.counts]))
    moved, _ = joined([(first, still), (second, Policy(still, "some")), (first, still), (second, tally)], family)
    nothing = np.zeros((3, 2))
    shown = [(seen.shows, seen.probabilities) for _, seen in moved[:-1]]
    assert [shows for shows, _ in shown] == ["all", "some", "all"]
    for (_, table), expected in zip(shown, ([still, nothing], [nothing, still], [still, nothing]), strict=True):
        np.testing.assert_array_equal(table, np.vstack(expected))
    assert isinstance(moved[-1][1], Counts)


def test_a_union_of_unrolled_environments_is_unrolled_once_more_by_its_parts():
    envs = [random_environment(seed, 3, 2) for seed in (41, 42)]
    theta = np.random.default_rng(43).normal(size=18)
    family = TransitionRewards(3, 2)
    evidence = [(env, soft_policies(env.dense(), family.reward(env, theta), 3, 0.9)) for env in envs]
    timed = finite_horizon(evidence, family, 3)
    [(whole, seen)], mapped = joined(*timed)
    ends = [9, 19]
    np.testing.assert_array_equal(np.flatnonzero(~seen.observed), ends)
    plan = planning.soft(whole, mapped.reward(whole, theta))
    np.testing.assert_allclose(plan.policy[seen.observed], seen.probabilities[seen.observed], rtol=0, atol=1e-10)
    assert ii.identify([(whole, seen)], mapped, "soft").contains(theta)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda env: unrolled(env, 0), "horizon: was 0"),
        (lambda env: unrolled(env, 2.5), "horizon: was 2.5"),
        (lambda env: unrolled(env, True), "horizon: was True"),
        (lambda env: unrolled(env, 2, 1.5), "discount: was 1.5"),
        (lambda env: union([]), "environments: is empty"),
        (lambda env: union([env, "grid"]), "environments: should be a list"),
        (lambda env: union([env, random_environment(0, 3, 3)]), "number of actions, have \\[2, 3\\]"),
        (lambda env: union([env, random_environment(0, 3, 2, 0.5)]), "same discount, have \\[0.5, 0.9\\]"),
        (lambda env: finite_horizon([], StateRewards(3), 2), "evidence: is empty"),
        (lambda env: finite_horizon("seen", StateRewards(3), 2), "evidence: should be a list"),
        (lambda env: finite_horizon([(env, 3)], StateRewards(3), 2), "evidence\\[0\\]"),
        (lambda env: finite_horizon([(env, Counts(np.ones((3, 2))))], StateRewards(3), 2), "do not say at what times"),
        (
            lambda env: finite_horizon([(env, np.ones((3, 2)) / 2), (env, np.ones((4, 3, 2)) / 2)], StateRewards(3), 2),
            "evidence\\[1\\]: should have shape \\(H, S, A\\) = \\(2, 3, 2\\), was \\(4, 3, 2\\)",
        ),
        (lambda env: finite_horizon([(env, np.full((2, 3, 2), np.nan))], StateRewards(3), 2), "evidence\\[0\\].*nan"),
        (
            lambda env: finite_horizon([(env, Trajectories([[0, 1, 2]], [[0, 0]]))], StateRewards(3), 1),
            "episode 0 has 2 decisions, more than the horizon of 1",
        ),
        (lambda env: finite_horizon([(env, np.ones((3, 2)) / 2)], StateRewards(4), 2), "StateRewards: is for 4 states"),
        (lambda env: MappedRewards(StateRewards(3), (env,), [0, 3]), "origin\\[1\\] is 3"),
        (lambda env: MappedRewards(StateRewards(3), (env,), [-2, 0]), "origin\\[0\\] is -2"),
        (lambda env: MappedRewards(StateRewards(3), (env,), [0.5]), "origin: should be whole numbers"),
        (lambda env: MappedRewards(StateRewards(3), (env,), [0, 1, 2]).matrix(union([env, env])), "is for 3 states"),
        (
            lambda env: MappedRewards(StateRewards(3), (env,), [0, 1, 2]).matrix(random_environment(0, 3, 3)),
            "is for 2 actions",
        ),
        (lambda env: MappedRewards(StateRewards(3), (env,), [0], digests=("a", "b")), "digests: should name"),
        (lambda env: joined([(env, np.ones((2, 2)))], StateRewards(3)), "evidence\\[0\\]"),
    ],
)
def test_bad_input_is_one_clear_error(make, message):
    with pytest.raises(ValueError, match=message):
        make(random_environment(0, 3, 2))
