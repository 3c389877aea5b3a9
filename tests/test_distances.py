"""Distances between rewards, and regrets: invariances, published figures, and brute force over all policies."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident import distances
from tests.worlds import random_environment

SEEDS = st.integers(0, 10**6)
DISCOUNTS = st.sampled_from([0.0, 0.5, 0.9, 0.99])
FORMS = ("val", "minimal")
EVERY = [
    ("epic", lambda a, b, env: distances.epic(a, b, env)),
    ("dard", lambda a, b, env: distances.dard(a, b, env)),
    ("val", lambda a, b, env: distances.starc(a, b, env, "val")),
    ("minimal", lambda a, b, env: distances.starc(a, b, env, "minimal")),
]


def world(seed, discount=0.9, n_states=4, n_actions=3):
    return random_environment(seed, n_states, n_actions, discount)


def sparse_world(seed, discount):
    """Random transitions, of which many do not exist."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(5), size=(5, 3)) * (rng.random((5, 3, 5)) < 0.5)
    table[np.arange(5), :, np.arange(5)] += 0.1
    return ii.Environment(table / table.sum(axis=2, keepdims=True), discount)


def rewards(seed, *shape):
    return np.random.default_rng([seed, 1]).normal(size=shape)


def on_transitions(reward, n_states):
    return np.repeat(reward[:, :, None], n_states, axis=2)


def deterministic_policies(env):
    for choice in itertools.product(range(env.n_actions), repeat=env.n_states):
        yield np.eye(env.n_actions)[list(choice)]


def returns(env, reward):
    """J of every deterministic policy, with dense inverses."""
    table, each = env.dense(), np.arange(env.n_states)
    found = []
    for policy in deterministic_policies(env):
        a = policy.argmax(axis=1)
        values = np.linalg.solve(np.eye(env.n_states) - env.discount * table[each, a], reward[each, a])
        found.append(env.initial @ values)
    return np.array(found)


def occupancies(env):
    return np.array([ii.planning.occupancy(env, policy).ravel() for policy in deterministic_policies(env)])


# --- invariances ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "distance"), EVERY)
@given(seed=SEEDS, discount=DISCOUNTS, scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
@settings(max_examples=25)
def test_scale_constant_and_shaping_change_nothing(name, distance, seed, discount, scale, shift):
    env = world(seed, discount)
    first, second = rewards(seed, 2, 4, 3, 4)
    potential = 10 * rewards(seed + 1, 4)
    shaped = scale * first + shift + discount * potential - potential[:, None, None]
    np.testing.assert_allclose(distance(shaped, second, env), distance(first, second, env), rtol=0, atol=1e-9)
    np.testing.assert_allclose(distance(first, shaped, env), 0, rtol=0, atol=1e-9)
    assert distance(first, second, env) > 1e-3


@pytest.mark.parametrize("form", FORMS)
@given(seed=SEEDS, discount=DISCOUNTS)
@settings(max_examples=25)
def test_starc_does_not_see_redistribution_or_expected_shaping(form, seed, discount):
    env = sparse_world(seed, discount)
    reward = rewards(seed, 5, 3)
    noise = 10 * rewards(seed + 1, 5, 3, 5)
    noise -= (env.dense() * noise).sum(axis=2, keepdims=True)
    shaping = env.shaping.dot(10 * rewards(seed + 2, 5)).reshape(5, 3)
    same = on_transitions(reward + shaping, 5) + noise
    np.testing.assert_allclose(distances.starc(reward, same, env, form), 0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(distances.starc(-reward, same, env, form), 2, rtol=0, atol=1e-12)
    assert distances.epic(reward, same, env) > 0.05


@pytest.mark.parametrize(("name", "distance"), EVERY)
@given(seed=SEEDS, trivial=st.booleans())
@settings(max_examples=25)
def test_pseudometric(name, distance, seed, trivial):
    env = world(seed)
    a, b, c = rewards(seed, 3, 4, 3)
    if trivial:
        b = np.full((4, 3), 7.0)
    top = 1 if name in ("epic", "dard") else 2
    ab, bc, ac = distance(a, b, env), distance(b, c, env), distance(a, c, env)
    assert ac <= ab + bc + 1e-12
    assert 0 <= ac <= top
    assert ab == distance(b, a, env)
    assert distance(a, a, env) == 0
    np.testing.assert_allclose(distance(a, -a, env), top, rtol=1e-12)


@pytest.mark.parametrize(("name", "distance"), EVERY)
def test_trivial_rewards(name, distance):
    env = world(3)
    reward = rewards(3, 4, 3)
    half = 0.5 if name in ("epic", "dard") else 1.0
    constant, zero = np.full((4, 3), 0.1 + 0.2), np.zeros((4, 3))
    shaped = on_transitions(constant, 4) + 0.9 * np.arange(4) - np.arange(4)[:, None, None]
    for trivial in (constant, zero, shaped):
        np.testing.assert_allclose(distance(reward, trivial, env), half, rtol=1e-12)
        assert distance(constant, trivial, env) == 0


@pytest.mark.parametrize(("name", "distance"), EVERY)
def test_both_forms_of_a_reward_are_the_same(name, distance):
    env = sparse_world(5, 0.9)
    first, second = rewards(5, 2, 5, 3)
    expected = distance(first, second, env)
    for a, b in [(on_transitions(first, 5), second), (first, on_transitions(second, 5))]:
        np.testing.assert_allclose(distance(a, b, env), expected, rtol=1e-12)


def test_both_forms_are_the_same_to_epic_under_any_coverage():
    env = sparse_world(5, 0.9)
    first, second = rewards(5, 2, 5, 3)
    coverage = ([0.5, 0.2, 0.1, 0.2, 0.0], [0.6, 0.3, 0.1])
    found = distances.epic(first, second, env, coverage=coverage)
    expected = distances.epic(on_transitions(first, 5), second, env, coverage=coverage)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("size", [2.0**-1060, 2.0**-600, 2.0**600, 2.0**1022])
def test_the_size_of_rewards_is_not_seen_however_large_or_small(size):
    env = world(6)
    first, second = np.ldexp(np.random.default_rng(6).integers(-8, 9, size=(2, 4, 3)), -3)
    policy = np.full((4, 3), 1 / 3)
    for _, distance in EVERY:
        for small, large in [(size * first, second), (size * first, size * second)]:
            assert distance(small, large, env) == distance(first, second, env)
    assert distances.optimised_regret(size * first, size * second, env) == (
        distances.optimised_regret(first, second, env)
    )
    assert distances.regret(env, size * first, policy) == distances.regret(env, first, policy)
    assert distances.loss(env, size / 128 * first, policy) == size * (distances.loss(env, first, policy) / 128)
    for form in FORMS:
        np.testing.assert_array_equal(
            distances.canonical(size / 128 * first, env, form), size * (distances.canonical(first, env, form) / 128)
        )


def test_constants_matter_without_discount():
    table = np.zeros((3, 2, 3))
    table[0, 0, 1] = table[0, 1, 2] = table[1, :, 2] = table[2, :, 2] = 1
    env = ii.Environment(table, 1.0)
    assert distances.starc(np.ones((3, 2)), np.zeros((3, 2)), env) > 0.99
    np.testing.assert_allclose(distances.starc(np.ones((3, 2)), -np.ones((3, 2)), env, "minimal"), 2)


# --- against definitions written out ----------------------------------------------------------------------------------


def pearson(x, y, weights):
    centred = [v - (weights * v).sum() for v in (x, y)]
    products = [(weights * a * b).sum() for a, b in [(centred[0], centred[1]), (centred[0],) * 2, (centred[1],) * 2]]
    return np.sqrt((1 - products[0] / np.sqrt(products[1] * products[2])) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_epic_is_its_definition(seed):
    env = sparse_world(seed, 0.8)
    rng = np.random.default_rng(seed)
    states, actions = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(3))
    canonical = []
    first, second = rewards(seed, 5, 3, 5), on_transitions(rewards(seed + 9, 5, 3), 5)
    for reward in (first, second):
        form = np.empty((5, 3, 5))
        for s, a, n in np.ndindex(5, 3, 5):
            terms = 0.0
            for x, u, y in np.ndindex(5, 3, 5):
                chance = states[x] * actions[u] * states[y]
                terms += chance * (0.8 * reward[n, u, y] - reward[s, u, y] - 0.8 * reward[x, u, y])
            form[s, a, n] = reward[s, a, n] + terms
        canonical.append(form)
    expected = pearson(*canonical, states[:, None, None] * actions[:, None] * states)
    np.testing.assert_allclose(distances.epic(first, second, env, coverage=(states, actions)), expected, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["pairs", "transitions"])
def test_dard_is_its_definition(seed, form):
    env = sparse_world(seed, 0.8)
    table = env.dense()
    pairs = np.random.default_rng(seed).dirichlet(np.ones(15)).reshape(5, 3)
    actions = pairs.sum(axis=0)
    given_rewards = rewards(seed, 2, 5, 3) if form == "pairs" else rewards(seed, 2, 5, 3, 5)
    canonical = []
    for reward in given_rewards:
        full = on_transitions(reward, 5) if form == "pairs" else reward
        values = np.empty((5, 3, 5))
        for s, a, n in np.ndindex(5, 3, 5):
            terms = 0.0
            for u, x, y in np.ndindex(3, 5, 5):
                chance = actions[u] * table[s, u, x] * table[n, u, y]
                terms += chance * (0.8 * full[n, u, y] - full[s, u, x] - 0.8 * full[x, u, y])
            values[s, a, n] = full[s, a, n] + terms
        canonical.append(values)
    expected = pearson(*canonical, pairs[:, :, None] * table)
    np.testing.assert_allclose(distances.dard(*given_rewards, env, coverage=pairs), expected, rtol=1e-9)


@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
def test_minimal_form_is_the_least_of_all_equivalent_rewards_on_transitions(discount):
    env = sparse_world(2, discount)
    first, second = rewards(2, 2, 5, 3, 5)
    table = env.dense()
    directions = [discount * f - f[:, None, None] + np.zeros((5, 3, 5)) for f in np.eye(5)]
    for s, a in np.ndindex(5, 3):
        kernel = np.linalg.svd(table[s, a][None, :])[2][1:]
        for row in kernel:
            directions.append(np.zeros((5, 3, 5)))
            directions[-1][s, a] = row
    basis = np.array(directions).reshape(len(directions), -1).T
    least = [r.ravel() - basis @ np.linalg.lstsq(basis, r.ravel(), rcond=None)[0] for r in (first, second)]
    expected = np.linalg.norm(least[0] / np.linalg.norm(least[0]) - least[1] / np.linalg.norm(least[1]))
    np.testing.assert_allclose(distances.starc(first, second, env, "minimal"), expected, rtol=1e-8)
    mean = (table * least[0].reshape(5, 3, 5)).sum(axis=2)
    np.testing.assert_allclose(distances.canonical(first, env, "minimal"), mean, atol=1e-8)


@pytest.mark.parametrize("left", [1e-8, 1e-9])
def test_minimal_form_of_long_episodes_is_a_projection(left):
    """Normal equations are singular there to double precision; an orthonormal basis of what shapes is not."""
    env = ii.builders.random_environment(5, 2, discount=1 - left, seed=0)
    first, second = rewards(0, 2, 5, 2)
    root = 1 / np.linalg.norm(env.dense(), axis=2).ravel()
    basis = np.linalg.qr(root[:, None] * env.shaping.toarray())[0]
    least = [root * r.ravel() - basis @ (basis.T @ (root * r.ravel())) for r in (first, second)]
    expected = np.linalg.norm(least[0] / np.linalg.norm(least[0]) - least[1] / np.linalg.norm(least[1]))
    np.testing.assert_allclose(distances.starc(first, second, env, "minimal"), expected, rtol=0, atol=1e-6)


def test_val_form_is_the_advantage_of_the_policy():
    env = world(4)
    reward = rewards(4, 4, 3)
    policy = np.random.default_rng(4).dirichlet(np.ones(3), size=4)
    values = ii.planning.evaluate(env, reward, policy)
    expected = reward + env.backup(values) - values[:, None]
    form = distances.canonical(reward, env, policy=policy)
    np.testing.assert_allclose(form, expected, atol=1e-12)
    np.testing.assert_allclose((policy * form).sum(axis=1), 0, atol=1e-12)


def test_minimal_form_on_a_large_grid():
    env = ii.builders.grid("\n".join(["." * 40] * 40), 0.99, slip=0.2).environment
    reward = rewards(0, env.n_states, env.n_actions)
    form = distances.canonical(reward, env, "minimal")
    rows = env.transitions
    weights = 1 / np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    np.testing.assert_allclose(env.shaping.T @ (weights * form.ravel()), 0, atol=1e-9)
    shaped = reward + env.shaping.dot(100 * rewards(1, env.n_states)).reshape(reward.shape)
    np.testing.assert_allclose(distances.starc(reward, shaped, env, "minimal"), 0, atol=1e-9)


# --- published figures ------------------------------------------------------------------------------------------------


def gridworld():
    """The 3x3 grid of Gleave et al. (2021): four moves and staying, discount .99."""
    table = np.zeros((9, 5, 9))
    for s in range(9):
        row, column = divmod(s, 3)
        for a, (down, right) in enumerate([(0, 1), (1, 0), (0, -1), (-1, 0), (0, 0)]):
            table[s, a, 3 * min(max(row + down, 0), 2) + min(max(column + right, 0), 2)] = 1
    return ii.Environment(table, 0.99)


def test_epic_gives_the_table_of_gleave_et_al_2021():
    env = gridworld()
    state_rewards = {
        "sparse": [0, 0, 0, 0, 0, 0, 0, 0, 1],
        "dirt": [0, -1, -1, 0, 0, 0, -1, -1, 4],
        "cliff": [0, -1, -1, 0, 0, 0, -4, -4, 4],
    }
    pays = {name: np.repeat(np.array(r, float)[:, None], 5, axis=1) for name, r in state_rewards.items()}
    left = np.add.outer([2, 1, 0], [2, 1, 0]).ravel()
    dense = on_transitions(4 * pays["sparse"] - 1, 9) + 3 * (left[:, None, None] - 0.99 * left)
    np.testing.assert_allclose(dense[0, 0, 1], 2, atol=0.1)
    np.testing.assert_allclose(dense[1, 0, 0], -4, atol=0.15)
    np.testing.assert_allclose(dense[8, 0, 8], 3)
    published = {("sparse", "dirt"): 0.16, ("sparse", "cliff"): 0.37, ("dirt", "cliff"): 0.27}
    for (first, second), expected in published.items():
        assert round(distances.epic(pays[first], pays[second], env), 2) == expected
    np.testing.assert_allclose(distances.epic(pays["sparse"], dense, env), 0, atol=1e-12)


def coin(chance=0.5):
    """Two states; ``bet`` pays by where a coin leads, ``pass`` stays."""
    return ii.Environment([np.array([[chance, 1 - chance]] * 2), np.eye(2)], 0.9, actions=["bet", "pass"])


def test_epic_is_not_sound_on_stochastic_dynamics_starc_is():
    env = coin()
    worth = np.zeros((2, 2, 2))
    worth[:, 0] = 1
    luck = np.zeros((2, 2, 2))
    luck[:, 0] = [20, -20]
    table = env.dense()
    np.testing.assert_array_equal((table * (worth + luck)).sum(axis=2), (table * (worth - luck)).sum(axis=2))
    bold, other, timid = worth + luck, worth - luck, -worth + luck
    assert distances.epic(bold, other, env) > 0.99
    assert distances.epic(bold, timid, env) < 0.06
    for form in FORMS:
        np.testing.assert_allclose(distances.starc(bold, other, env, form), 0, atol=1e-12)
        np.testing.assert_allclose(distances.starc(bold, timid, env, form), 2, rtol=1e-12)


def test_epic_does_not_see_dynamics_in_state_action_rewards():
    env = world(11)
    reward = rewards(11, 4, 3)
    shaping = 100 * env.shaping.dot(rewards(12, 4)).reshape(4, 3)
    assert distances.epic(reward + shaping, reward - shaping, env) > 0.99
    assert distances.epic(reward + shaping, -reward + shaping, env) < 0.05
    np.testing.assert_allclose(distances.starc(reward + shaping, reward - shaping, env), 0, atol=1e-9)
    np.testing.assert_allclose(distances.starc(reward + shaping, -reward + shaping, env), 2, rtol=1e-9)


# --- what the distance promises, over all deterministic policies ------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@given(seed=SEEDS, mix=st.floats(0, 1))
@settings(max_examples=25)
def test_starc_bounds_regret(form, seed, mix):
    """Soundness (Skalse et al. 2024): J1(x) - J1(y) <= |c1| max |x - y| d wherever the second reward prefers y."""
    env = world(seed, 0.8, 3, 2)
    first, other = rewards(seed, 2, 3, 2)
    second = (1 - mix) * first + mix * other
    distance = distances.starc(first, second, env, form)
    visits = occupancies(env)
    weights = 1 / (env.dense() ** 2).sum(axis=2) if form == "minimal" else np.ones((3, 2))
    scale = np.linalg.norm(np.sqrt(weights) * distances.canonical(first, env, form))
    true, guessed = visits @ first.ravel(), visits @ second.ravel()
    between = np.linalg.norm((visits[:, None] - visits[None]) / np.sqrt(weights.ravel()), axis=2)
    preferred = guessed[None] >= guessed[:, None]
    lost = (true[:, None] - true[None])[preferred]
    assert lost.max() <= scale * distance * between[preferred].max() + 1e-10
    ceiling = scale * between.max() * distance / np.ptp(true)
    assert distances.optimised_regret(second, first, env).most <= ceiling + 1e-7


@given(seed=SEEDS)
@settings(max_examples=25)
def test_starc_is_zero_exactly_when_all_policies_are_ordered_alike(seed):
    env = world(seed, 0.8, 3, 2)
    first, second = rewards(seed, 2, 3, 2)
    same = 2 * first + env.shaping.dot(rewards(seed + 1, 3)).reshape(3, 2)
    order = [np.argsort(returns(env, reward)) for reward in (first, same, -first, second)]
    np.testing.assert_array_equal(order[0], order[1])
    np.testing.assert_array_equal(order[0], order[2][::-1])
    for form in FORMS:
        np.testing.assert_allclose(distances.starc(first, same, env, form), 0, atol=1e-9)
        if not np.array_equal(order[0], order[3]):
            assert distances.starc(first, second, env, form) > 1e-6


# --- regret -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_loss_and_regret_by_enumeration(seed):
    env = world(seed, 0.9, 4, 2)
    reward = rewards(seed, 4, 2)
    worth = returns(env, reward)
    for policy, value in zip(deterministic_policies(env), worth, strict=True):
        np.testing.assert_allclose(distances.loss(env, reward, policy), worth.max() - value, atol=1e-8)
        expected = (worth.max() - value) / np.ptp(worth)
        np.testing.assert_allclose(distances.regret(env, reward, policy), expected, atol=1e-8)
    mixed = np.random.default_rng(seed).dirichlet(np.ones(2), size=4)
    value = env.initial @ ii.planning.evaluate(env, reward, mixed)
    np.testing.assert_allclose(distances.loss(env, reward, mixed), worth.max() - value, atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_interval_over_tied_optimal_policies_by_enumeration(seed):
    rng = np.random.default_rng(seed)
    table = np.zeros((4, 3, 4))
    table[np.arange(4)[:, None], np.arange(3), rng.integers(4, size=(4, 3))] = 1
    env = ii.Environment(table, 0.9, np.eye(4)[0])
    estimate, truth = np.repeat(rng.integers(2, size=(4, 1)), 3, axis=1), rng.normal(size=(4, 3))
    guessed, true = returns(env, estimate), returns(env, truth)
    tied = true[guessed >= guessed.max() - 1e-9]
    found = distances.optimised_regret(estimate, truth, env)
    np.testing.assert_allclose(found.least, (true.max() - tied.max()) / np.ptp(true), atol=1e-8)
    np.testing.assert_allclose(found.most, (true.max() - tied.min()) / np.ptp(true), atol=1e-8)
    assert found.least - 1e-9 <= found.even <= found.most + 1e-9


def test_flat_rewards_have_the_whole_interval_and_flat_truths_no_regret():
    env = world(0)
    reward, flat = rewards(0, 4, 3), np.full((4, 3), 0.1)
    nothing = distances.optimised_regret(flat, reward, env)
    np.testing.assert_allclose([nothing.least, nothing.most], [0, 1], atol=1e-9)
    uniform = np.full((4, 3), 1 / 3)
    np.testing.assert_allclose(nothing.even, distances.regret(env, reward, uniform), rtol=1e-12)
    assert distances.optimised_regret(reward, flat, env) == distances.OptimisedRegret(0.0, 0.0, 0.0)
    assert distances.regret(env, flat, uniform) == 0


def test_regret_of_episodes_without_discount():
    table = np.zeros((3, 2, 3))
    table[0, 0, 1] = table[0, 1, 2] = table[1, :, 2] = table[2, :, 2] = 1
    env = ii.Environment(table, 1.0, [1, 0, 0])
    cost = -np.ones((3, 2))
    cost[2] = 0
    long = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert distances.loss(env, cost, long) == 1
    assert distances.regret(env, cost, long) == 1
    assert distances.optimised_regret(-cost, cost, env) == distances.OptimisedRegret(1.0, 1.0, 1.0)


def test_transfer_regret_asks_each_environment():
    family = ii.rewards.StateActionRewards(4, 3)
    true, guess = rewards(1, 2, 12)
    environments = [world(seed) for seed in range(3)]
    agent, other = ii.agents.Optimal(family, true), ii.agents.Optimal(family, guess)
    found = distances.transfer_regret(other.mesa_objective, agent.mesa_objective, environments)
    for env, interval in zip(environments, found, strict=True):
        expected = distances.regret(env, true.reshape(4, 3), other.policy(env))
        np.testing.assert_allclose([interval.even, interval.least, interval.most], expected, atol=1e-9)
    own = distances.transfer_regret(agent.mesa_objective, agent.mesa_objective, environments)
    np.testing.assert_allclose([interval.most for interval in own], 0, atol=1e-9)


def test_reward_result_gap_is_the_return_lost():
    env = ii.builders.grid("A..B", 0.5).environment
    base, mesa = np.zeros((2, 4, env.n_actions))
    base[3], mesa[0] = 1, 1
    agent = ii.agents.Optimal(ii.rewards.StateActionRewards(4, env.n_actions), mesa.ravel())
    gap = distances.reward_result_gap(agent, base, env)
    best, worst = np.mean(2 * 0.5 ** np.array([3, 2, 1, 0])), np.mean([0, 0, 0, 1])
    np.testing.assert_allclose(gap.loss, best - worst, rtol=1e-9)
    np.testing.assert_allclose(gap.regret, 1, rtol=1e-9)


# --- bad input --------------------------------------------------------------------------------------------------------

ENV = random_environment(0, 3, 2)
GOOD = np.arange(6.0).reshape(3, 2)
NAN = np.where(GOOD == 4, np.nan, GOOD)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distances.epic(NAN, GOOD, ENV), r"r1\[2, 0\] is nan"),
        (lambda: distances.dard(GOOD, NAN, ENV), r"r2\[2, 0\] is nan"),
        (lambda: distances.starc(GOOD, GOOD.T, ENV), r"r2: should have shape \(S, A\) = \(3, 2\)"),
        (lambda: distances.starc([["a"]], GOOD, ENV), "r1: should hold real numbers"),
        (lambda: distances.starc(GOOD, GOOD, ENV, "best"), "canonicalisation: was 'best'"),
        (lambda: distances.starc(GOOD, GOOD, ENV, "minimal", policy=GOOD), "policy: belongs to"),
        (lambda: distances.starc(GOOD, GOOD, ENV, policy=GOOD), r"policy\[2\] sums to"),
        (lambda: distances.epic(GOOD, GOOD, ENV, coverage=np.ones(3) / 3), "coverage: should be a pair"),
        (lambda: distances.epic(GOOD, GOOD, ENV, coverage=([1, 0, 0], [0.7, 0.7])), r"coverage\[1\]: sums to"),
        (lambda: distances.epic(GOOD, GOOD, ENV, coverage=([2, -1, 0], [1, 0])), r"coverage\[0\]\[1\] is -1.0"),
        (lambda: distances.dard(GOOD, GOOD, ENV, coverage=np.ones((3, 2))), "coverage: sums to 6.0"),
        (lambda: distances.dard(GOOD, GOOD, ENV, coverage=np.ones(6) / 6), r"coverage: should have shape \(S, A\)"),
        (lambda: distances.regret(ENV, NAN, GOOD), r"reward\[2, 0\] is nan"),
        (lambda: distances.loss(ENV, GOOD, GOOD), r"policy\[2\] sums to"),
        (lambda: distances.optimised_regret(NAN, GOOD, ENV), r"optimised\[2, 0\] is nan"),
        (lambda: distances.optimised_regret(GOOD, GOOD.T, ENV), "truth: should have shape"),
        (lambda: distances.transfer_regret(GOOD, GOOD, [ENV]), "optimised: should map environments to rewards"),
        (lambda: distances.reward_result_gap(None, NAN, ENV), r"base_objective\[2, 0\] is nan"),
        (lambda: distances.reward_result_gap(GOOD, GOOD, ENV), r"agent: should have policy\(env\).* was ndarray"),
        (lambda: distances.reward_result_gap(None, "worth", ENV), "base_objective: should hold real numbers"),
        (lambda: distances.optimised_regret(GOOD, [[1], [1, 2]], ENV), "truth: should be an array of real numbers"),
        (lambda: distances.transfer_regret(max, max, ENV), "environments: should be a list of them"),
        (lambda: distances.regret(GOOD, GOOD, ENV), "env: should be an Environment, was ndarray"),
        (lambda: distances.epic(GOOD, GOOD, None), "env: should be an Environment, was NoneType"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
