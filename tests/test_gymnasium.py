"""Tables read from Gymnasium, held to Gymnasium's own table and to episodes that Gymnasium runs."""

import warnings
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from irl_ident import Environment, builders, rewards


def newest(name):
    """Releases of Gymnasium differ in the versions that they make."""
    return max(
        (spec for spec in gymnasium.registry.values() if spec.name == name and spec.version is not None),
        key=lambda spec: spec.version,
    ).id


WORLDS = {
    "lake": ("FrozenLake-v1", {}),
    "lake without slipping": ("FrozenLake-v1", {"is_slippery": False}),
    "large lake": ("FrozenLake-v1", {"map_name": "8x8"}),
    "large lake without slipping": ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}),
    "own lake": ("FrozenLake-v1", {"desc": ["SFFFH", "FHFFF", "FFFFG"]}),
    "cliff": (newest("CliffWalking"), {}),
    "taxi": (newest("Taxi"), {}),
}


def make(name):
    ident, options = WORLDS[name]
    return gymnasium.make(ident, **options)


def custom(table, start=None):
    """An environment of one's own: whatever has P."""
    world = SimpleNamespace(P=table)
    if start is not None:
        world.initial_state_distrib = np.array(start, dtype=float)
    return world


def random_policy(rng, n_states, n_actions):
    return rng.dirichlet(np.ones(n_actions), size=n_states)


def return_by_the_table(world, policy, discount):
    """Expected discounted return with the episodes ending where the table says, and the states that episodes act in.

    The obvious twin: one equation a state, ``V(s) = sum pi p (reward + discount V(s'))``, without the last term where
    the episode is done.
    """
    n_states = len(world.P)
    system, paid = np.eye(n_states), np.zeros(n_states)
    follows = [set() for _ in range(n_states)]
    for s in range(n_states):
        for a, chance in enumerate(policy[s]):
            for p, arrival, reward, done in world.P[s][a]:
                paid[s] += chance * p * reward
                if not done:
                    system[s, arrival] -= discount * chance * p
                    if p > 0:
                        follows[s].add(int(arrival))
    start = getattr(world, "initial_state_distrib", np.eye(n_states)[0])
    acts = set(np.flatnonzero(start).tolist())
    frontier = list(acts)
    while frontier:
        new = follows[frontier.pop()] - acts
        acts |= new
        frontier += new
    return np.linalg.solve(system, paid), sorted(acts)


def values_of(env, reward, policy):
    """Values of a policy by one dense solve on the environment."""
    padded = np.vstack([policy, np.full((env.n_states - len(policy), policy.shape[1]), 1 / policy.shape[1])])
    chain = np.einsum("sa,san->sn", padded, env.dense())
    ending = env.discount * np.eye(env.n_states)
    return np.linalg.solve(np.eye(env.n_states) - ending @ chain, (padded * reward).sum(axis=1))


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("name", WORLDS)
def test_returns_are_those_of_gymnasiums_table(name, discount):
    world = make(name).unwrapped
    env, reward = Environment.from_gymnasium(world, discount), rewards.base_objective(world)
    rng = np.random.default_rng(7)
    assert reward.shape == (env.n_states, env.n_actions)
    for _ in range(3):
        policy = random_policy(rng, len(world.P), env.n_actions)
        expected, acts = return_by_the_table(world, policy, discount)
        found = values_of(env, reward, policy)
        np.testing.assert_allclose(found[acts], expected[acts], rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(env.initial @ found, world.initial_state_distrib @ expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "absorbing"),
    [
        ("lake", ["r1c1", "r1c3", "r2c3", "r3c0", "r3c3"]),
        ("lake without slipping", ["r1c1", "r1c3", "r2c3", "r3c0", "r3c3"]),
        ("own lake", ["r0c4", "r1c1", "r2c4"]),
        ("cliff", ["r3c11"]),
        # Row, column, passenger and destination: 100 row + 20 column + 4 passenger + destination.
        ("taxi", ["s0", "s85", "s410", "s475"]),
    ],
)
def test_states_where_episodes_end_are_absorbing(name, absorbing):
    env = Environment.from_gymnasium(make(name), 0.9)
    assert [env.states[s] for s in np.flatnonzero(env.absorbing)] == absorbing
    assert env.n_states == len(make(name).unwrapped.P)
    np.testing.assert_array_equal(rewards.base_objective(make(name))[env.absorbing], 0)


@pytest.mark.parametrize("name", WORLDS)
def test_ordinary_rows_are_copied(name):
    world = make(name).unwrapped
    env = Environment.from_gymnasium(world, 0.9)
    dense = env.dense()
    for s in np.flatnonzero(~env.absorbing):
        for a, outcomes in world.P[s].items():
            expected = np.zeros(env.n_states)
            for p, arrival, *_ in outcomes:
                expected[arrival] += p
            np.testing.assert_allclose(dense[s, a], expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(env.initial, world.initial_state_distrib, rtol=0, atol=1e-15)


def test_ids_instances_and_wrapped_instances_are_the_same():
    world = gymnasium.make("FrozenLake-v1")
    digests = {Environment.from_gymnasium(env, 0.9).digest for env in ("FrozenLake-v1", world, world.unwrapped)}
    assert len(digests) == 1
    np.testing.assert_array_equal(rewards.base_objective("FrozenLake-v1"), rewards.base_objective(world))


@pytest.mark.parametrize(
    ("name", "discount", "horizon"),
    [("lake", 0.9, 120), ("lake without slipping", 0.9, 120), ("cliff", 0.8, 48), ("taxi", 0.8, 48)],
)
def test_episodes_that_gymnasium_runs_pay_what_is_computed(name, discount, horizon):
    """Monte Carlo: the mean of 1,500 episodes lies within four standard errors of the value."""
    episodes = 1500
    world = make(name).unwrapped
    env, reward = Environment.from_gymnasium(world, discount), rewards.base_objective(world)
    policy = random_policy(np.random.default_rng(3), len(world.P), env.n_actions)
    expected = env.initial @ values_of(env, reward, policy)
    draws = np.random.default_rng(4)
    cumulative = policy.cumsum(axis=1)
    returns = np.zeros(episodes)
    state, _ = world.reset(seed=5)
    for episode in range(episodes):
        for step in range(horizon):
            action = min(int(np.searchsorted(cumulative[state], draws.random())), env.n_actions - 1)
            state, paid, done, *_ = world.step(action)
            returns[episode] += discount**step * paid
            if done:
                break
        state, _ = world.reset()
    cut = discount**horizon / (1 - discount) * np.abs(reward).max()
    assert cut < 0.02
    assert abs(returns.mean() - expected) < 4 * returns.std(ddof=1) / np.sqrt(episodes) + cut


@pytest.mark.parametrize("slippery", [True, False])
def test_a_lake_can_be_walked_for_ever(slippery):
    """By the upper edge, even when slipping: up leads left, right or nowhere."""
    with pytest.raises(ValueError, match=r"discount: 1 needs every policy to end .* from state 'r0c0'"):
        Environment.from_gymnasium(gymnasium.make("FrozenLake-v1", is_slippery=slippery), 1.0)


def test_with_discount_one_a_table_that_ends_is_read():
    table = [[[(0.5, 1, -1.0, False), (0.5, 2, -3.0, True)]], [[(1.0, 2, -1.0, True)]], [[(1.0, 0, 9.0, False)]]]
    world = custom(table, [1, 0, 0])
    env, reward = Environment.from_gymnasium(world, 1.0), rewards.base_objective(world)
    values = np.linalg.solve(np.eye(3) - env.continuation.toarray(), reward[:, 0])
    np.testing.assert_allclose(values, [-2.5, -1.0, 0.0], rtol=1e-14)


# State 1 is entered with and without termination, state 2 only with.
MIXED = {
    0: {0: [(0.5, 1, 1.0, False), (0.5, 2, 4.0, True)], 1: [(1.0, 1, 2.0, True)]},
    1: {0: [(1.0, 0, 0.0, False)], 1: [(0.25, 2, 8.0, True), (0.75, 1, 0.0, False)]},
    2: {0: [(1.0, 0, 5.0, False)], 1: [(1.0, 2, 7.0, False)]},
}


def test_a_state_that_is_entered_both_ways_keeps_its_moves():
    world = custom(MIXED, [1, 0, 0])
    env, reward = Environment.from_gymnasium(world, 0.9), rewards.base_objective(world)
    assert list(env.states) == ["s0", "s1", "s2", "terminated"]
    expected = np.zeros((4, 2, 4))
    expected[0, 0, [1, 2]] = 0.5
    expected[0, 1, 3] = 1
    expected[1, 0, 0] = 1
    expected[1, 1, [2, 1]] = 0.25, 0.75
    expected[2, :, 2] = expected[3, :, 3] = 1
    np.testing.assert_array_equal(env.dense(), expected)
    np.testing.assert_array_equal(env.initial, [1, 0, 0, 0])
    np.testing.assert_array_equal(reward, [[2.5, 2.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])


def test_a_state_that_episodes_start_in_keeps_its_moves():
    world = custom(MIXED, [0.5, 0, 0.5])
    env, reward = Environment.from_gymnasium(world, 0.9), rewards.base_objective(world)
    np.testing.assert_array_equal(env.dense()[2, 0], [1, 0, 0, 0])
    np.testing.assert_array_equal(env.dense()[0, 0], [0, 0.5, 0, 0.5])
    np.testing.assert_array_equal(reward[2:], [[5.0, 7.0], [0.0, 0.0]])


def test_without_a_start_episodes_start_where_none_ends():
    env = Environment.from_gymnasium(custom(MIXED), 0.9)
    np.testing.assert_array_equal(env.initial, [1, 0, 0, 0])
    ring = [[[(1.0, 1, 0.0, True)]], [[(1.0, 0, 0.0, True)]]]
    np.testing.assert_array_equal(Environment.from_gymnasium(custom(ring), 0.9).initial, [0.5, 0.5, 0])


def test_impossible_outcomes_do_not_count():
    table = [[[(1.0, 0, 1.0, False), (0.0, 1, 50.0, True)]], [[(1.0, 0, 2.0, False)]]]
    env = Environment.from_gymnasium(custom(table, [0.5, 0.5]), 0.9)
    assert env.n_states == 2
    np.testing.assert_array_equal(env.absorbing, [True, False])
    np.testing.assert_array_equal(rewards.base_objective(custom(table, [0.5, 0.5])), [[1.0], [2.0]])


@st.composite
def tables(draw):
    n_states, n_actions = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    outcome = st.tuples(st.integers(0, 4), st.integers(0, n_states - 1), st.integers(-3, 3).map(float), st.booleans())
    listed = st.lists(outcome, min_size=1, max_size=3).filter(lambda found: sum(weight for weight, *_ in found) > 0)
    table = []
    for _ in range(n_states):
        row = [draw(listed) for _ in range(n_actions)]
        totals = [sum(weight for weight, *_ in found) for found in row]
        table.append([[(w / t, *rest) for w, *rest in found] for found, t in zip(row, totals, strict=True)])
    starts = draw(st.lists(st.booleans(), min_size=n_states, max_size=n_states).filter(any))
    return table, np.array(starts) / sum(starts)


@given(tables(), st.sampled_from([0.0, 0.5, 0.9]), st.integers(0, 99))
def test_returns_of_any_table(drawn, discount, seed):
    world = custom(*drawn)
    env, reward = Environment.from_gymnasium(world, discount), rewards.base_objective(world)
    policy = random_policy(np.random.default_rng(seed), len(world.P), env.n_actions)
    expected, acts = return_by_the_table(world, policy, discount)
    np.testing.assert_allclose(values_of(env, reward, policy)[acts], expected[acts], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ("CartPole-v1", "env: CartPoleEnv has no transition table P"),
        ("NoSuchWorld-v0", "env: Gymnasium does not make 'NoSuchWorld-v0'"),
        (object(), "env: object has no transition table P"),
        (custom({}), "no transition table P; P: should be a mapping or list that is not empty"),
        (custom({1: {}}), "has 1 keys and should have 0 to 0, lacks 0"),
        (custom([[]]), r"env.P\[0\]: should be a mapping or list that is not empty"),
        (custom([[[]]]), r"env.P\[0\]\[0\]: should be a mapping or list that is not empty"),
        (custom([{0: [(1.0, 0, 0.0, False)]}, {}]), r"env.P\[1\]: should be"),
        (custom([[[(1.0, 0, 0.0, False)]], 2 * [[(1.0, 0, 0.0, False)]]]), r"env.P\[1\]: has 2 actions, should have 1"),
        (custom([[[(1.0, 0, 0.0)]]]), r"env.P\[0\]\[0\]: .* should be \(probability, next state, reward, terminated\)"),
        (custom([[[(1.0, "x", 0.0, False)]]]), r"env.P\[0\]\[0\]: .* should be \(probability"),
        (custom([[[(0.5, 0, 0.0, False)]]]), r"env.P\[0\]\[0\]: probabilities sum to 0.5, should sum to 1"),
        (custom([[[(np.nan, 0, 0.0, False)]]]), r"env.P\[0\]\[0\]: the probability in .* should be finite and >= 0"),
        (custom([[[(-1.0, 0, 0.0, False)]]]), r"env.P\[0\]\[0\]: the probability in"),
        (custom([[[(1.0, 1, 0.0, False)]]]), r"env.P\[0\]\[0\]: the next state in .* whole number from 0 to 0"),
        (custom([[[(1.0, 0.5, 0.0, False)]]]), r"env.P\[0\]\[0\]: the next state in"),
        (custom([[[(1.0, 0, np.inf, False)]]]), r"env.P\[0\]\[0\]: the reward in .* should be finite"),
        (custom([[[(1.0, 0, 0.0, False)]]], [0.5]), "env.initial_state_distrib: sums to 0.5"),
        (custom([[[(1.0, 0, 0.0, False)]]], [0.5, 0.5]), r"env.initial_state_distrib: should have shape \(1,\)"),
    ],
)
def test_faulty_tables_are_refused(world, message):
    with pytest.raises(ValueError, match=message):
        Environment.from_gymnasium(world, 0.9)
    with pytest.raises(ValueError, match=message):
        rewards.base_objective(world)


def paying(env, seed=0):
    reward = np.random.default_rng(seed).normal(size=(env.n_states, env.n_actions))
    reward[env.absorbing] = 0
    return reward


MADE = {
    "random": lambda: builders.random_environment(6, 3, 0.9, seed=1),
    "grid": lambda: builders.grid("S.#G\n....\nP#..", 0.9, slip=0.2, absorbing="GP").environment,
    "one state": lambda: Environment(np.ones((1, 1, 1)), 0.5),
    "starts where it ends": lambda: Environment(np.eye(2)[[[1, 0], [1, 1]]], 0.5, [0.5, 0.5]),
}


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize("name", MADE)
def test_gymnasiums_checker_passes(name, limit):
    env = MADE[name]()
    world = env.to_gymnasium(paying(env), max_episode_steps=limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*spec.*")
        check_env(world, skip_render_check=True)


def test_episodes_follow_the_transitions_and_pay_the_reward():
    """Counts of 20,000 steps: each row within four standard errors, every payment the reward of its pair."""
    env = MADE["grid"]()
    reward = paying(env)
    world = env.to_gymnasium(reward)
    draws = np.random.default_rng(0)
    counts, starts = np.zeros((env.n_states, env.n_actions, env.n_states)), np.zeros(env.n_states)
    state, _ = world.reset(seed=0)
    starts[state] += 1
    for _ in range(20_000):
        action = np.int64(draws.integers(env.n_actions))
        arrival, paid, terminated, truncated, _ = world.step(action)
        assert paid == reward[state, action]
        assert terminated == env.absorbing[arrival]
        assert not truncated
        counts[state, action, arrival] += 1
        state = arrival
        if terminated:
            state, _ = world.reset()
            starts[state] += 1
    visits = counts.sum(axis=2, keepdims=True)
    seen = visits[:, :, 0] > 0
    np.testing.assert_array_equal(seen, np.repeat(~env.absorbing[:, None], env.n_actions, axis=1))
    chance = env.dense()[seen]
    spread = np.sqrt(chance * (1 - chance) / visits[seen])
    assert (np.abs(counts[seen] / visits[seen] - chance) <= 4.5 * spread).all()
    first = np.sqrt(env.initial * (1 - env.initial) / starts.sum())
    assert (np.abs(starts / starts.sum() - env.initial) <= 4 * first).all()


def test_episodes_are_cut_at_the_limit_and_start_anew():
    env = MADE["random"]()
    world = env.to_gymnasium(paying(env), max_episode_steps=3)
    for _ in range(2):
        world.reset(seed=1)
        assert [world.step(np.int64(0))[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_the_same_seed_gives_the_same_episode():
    env = MADE["random"]()
    world = env.to_gymnasium(paying(env))
    runs = []
    for seed in (3, 3, 4):
        first, _ = world.reset(seed=seed)
        runs.append([int(first), *(int(world.step(np.int64(t % 3))[0]) for t in range(30))])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("name", ["random", "grid"])
def test_there_and_back(name):
    env = MADE[name]()
    reward = paying(env)
    world = env.to_gymnasium(reward)
    back = Environment.from_gymnasium(world, env.discount)
    np.testing.assert_array_equal(back.dense(), env.dense())
    np.testing.assert_array_equal(back.initial, env.initial)
    np.testing.assert_allclose(rewards.base_objective(world), reward, rtol=1e-15)


def test_back_from_an_episode_that_starts_where_it_ends():
    """Its first step is an ordinary one that terminates, so ending is a state of its own."""
    back = Environment.from_gymnasium(MADE["starts where it ends"]().to_gymnasium(np.zeros((2, 2))), 0.5)
    np.testing.assert_array_equal(back.dense(), np.eye(3)[[[2, 0], [2, 2], [2, 2]]])
    np.testing.assert_array_equal(back.initial, [0.5, 0.5, 0])


@pytest.mark.parametrize(
    ("change", "limit", "message"),
    [
        (lambda reward: reward[:, :2], None, r"reward: should have shape \(10, 4\), was \(10, 2\)"),
        (
            lambda reward: np.where(reward == reward[3, 1], np.nan, reward),
            None,
            r"reward\[3, 1\] is nan: should be finite",
        ),
        (lambda reward: reward + 1, None, r"reward\[2, 0\] is 1.0: should be 0, for state 'r0c3' is absorbing"),
        (lambda reward: reward.astype(complex), None, "reward: should hold real numbers"),
        (lambda reward: reward, 0, "max_episode_steps: was 0, should be a whole number of at least 1"),
        (lambda reward: reward, 2.5, "max_episode_steps: was 2.5"),
    ],
)
def test_faulty_rewards_and_limits_are_refused(change, limit, message):
    env = MADE["grid"]()
    with pytest.raises(ValueError, match=message):
        env.to_gymnasium(change(paying(env)), max_episode_steps=limit)


def test_steps_need_a_reset_and_an_action_that_exists():
    env = MADE["random"]()
    world = env.to_gymnasium(paying(env))
    with pytest.raises(gymnasium.error.ResetNeeded):
        world.step(np.int64(0))
    world.reset(seed=0)
    with pytest.raises(ValueError, match="action: was 3, should be from 0 to 2"):
        world.step(3)
