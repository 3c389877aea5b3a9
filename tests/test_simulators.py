"""Simulators: against exact occupancies and cvxpy, and with trained agents where there is no table."""

import itertools
import sys
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from scipy import stats

import irl_ident as ii
from irl_ident import evidence, planning, rewards, simulators
from irl_ident.simulators import program
from irl_ident.simulators.program import Rows
from irl_ident.simulators.wrapper import RewardWrapper

NAMES = ("first", "second", "third")
THETA = np.array([1.0, -0.6, 0.3])
BLOCKS, EPISODES, HORIZON, LEVEL = 200, 20, 25, 0.1
ALLOWED = int(stats.binom.ppf(0.999, BLOCKS, LEVEL))
"""Misses in ``BLOCKS`` seeds that a method with probability ``LEVEL`` of missing exceeds once in a thousand."""


@pytest.fixture(scope="module")
def world():
    env = ii.builders.random_environment(5, 3, 0.8, seed=2)
    phi = np.random.default_rng(5).uniform(-1, 1, (5, 3, 3))
    return env, phi


@pytest.fixture(scope="module")
def simulator(world):
    env, phi = world
    return simulators.Simulator(
        lambda: env.to_gymnasium(np.zeros((5, 3))), lambda s, a, _: phi[s, a], env.discount, NAMES, [[-1, 1]] * 3
    )


@pytest.fixture(scope="module")
def policies(world):
    env, phi = world
    best = planning.optimal(env, phi @ THETA).policy
    rng = np.random.default_rng(0)
    return [best, np.full((5, 3), 1 / 3), *rng.dirichlet(np.ones(3), size=(1, 5))]


@pytest.fixture(scope="module")
def exact(world, policies):
    env, phi = world
    return np.array([np.einsum("sa,sad->d", planning.occupancy(env, pi), phi) for pi in policies])


@pytest.fixture(scope="module")
def pools(simulator, policies):
    """Many episodes of each policy, all from the same resets."""
    size = {"episodes": BLOCKS * EPISODES, "horizon": HORIZON, "seed": 3}
    return [simulators.rollouts(simulator, simulators.tabular(pi), **size) for pi in policies]


def part(pool, start, stop, bounded=True):
    rows = slice(start, stop)
    span = pool.span if bounded else None
    return replace(pool, sums=pool.sums[rows], resets=pool.resets[rows], lengths=pool.lengths[rows], span=span)


def blocks(pools, bounded):
    for place in range(BLOCKS):
        yield [part(pool, place * EPISODES, (place + 1) * EPISODES, bounded) for pool in pools]


def compared(simulator, demonstrator, alternatives, **settings):
    return simulators.identify_simulator([(simulator, demonstrator)], [alternatives], **settings)


class TestRollouts:
    def test_same_seed_same_sums(self, simulator, policies):
        one, two, other = (
            simulators.rollouts(simulator, simulators.tabular(policies[1]), episodes=4, horizon=10, seed=seed)
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one.sums, two.sums)
        assert one.paired_with(two)
        assert not one.paired_with(other)
        assert (one.sums != other.sums).any()

    def test_sums_are_discounted(self):
        env = ii.Environment(np.array([[[0, 1.0]] * 2, [[1.0, 0]] * 2]), 0.5)
        ring = simulators.Simulator(
            lambda: env.to_gymnasium(np.zeros((2, 2))), lambda s, a, n: [1, a], 0.5, ("time", "action"), [[0, 1]] * 2
        )
        found = simulators.rollouts(ring, lambda s: 1, episodes=2, horizon=4, seed=0)
        np.testing.assert_allclose(found.sums, 1.875)
        np.testing.assert_allclose(found.truncation, 0.125)
        np.testing.assert_allclose(found.span, 1.875)
        np.testing.assert_allclose(found.mean + found.truncation, 2)

    def test_a_time_limit_is_a_cut_and_an_absorbing_state_is_not(self):
        env = ii.Environment(np.array([[[0, 1.0]], [[1.0, 0]]]), 0.5)
        limited = simulators.Simulator(
            lambda: env.to_gymnasium(np.zeros((2, 1)), max_episode_steps=3), lambda s, a, n: [1.0], 0.5, ("time",)
        )
        found = simulators.rollouts(limited, lambda s: 0, episodes=2, horizon=50, seed=0)
        np.testing.assert_allclose(found.truncation, 0.5**3 / 0.5)
        ending = ii.Environment(np.array([[[0, 1.0]], [[0, 1.0]]]), 0.5, [1.0, 0])
        short = replace(limited, make=lambda: ending.to_gymnasium(np.zeros((2, 1))))
        found = simulators.rollouts(short, lambda s: 0, episodes=2, horizon=50, seed=0)
        np.testing.assert_array_equal(found.lengths, 1)
        np.testing.assert_allclose(found.truncation, 0.5**50 / 0.5)

    def test_truncation_covers_what_a_short_horizon_cuts_off(self, simulator, policies):
        size = {"episodes": 200, "seed": 3}
        short, long = (
            simulators.rollouts(simulator, simulators.tabular(policies[1]), horizon=horizon, **size)
            for horizon in (4, 60)
        )
        error = np.abs(short.mean - long.mean)
        assert (error > 0.01).any()
        assert (error <= short.truncation + long.truncation).all()

    def test_mixtures_go_from_the_policy_to_the_random_one(self, simulator, world, policies):
        env, phi = world
        size = {"episodes": 1500, "horizon": HORIZON, "seed": 0}
        blend = 0.4 / 3 + 0.6 * policies[0]
        truth = np.einsum("sa,sad->d", planning.occupancy(env, blend), phi)
        found = simulators.rollouts(simulator, simulators.mixed(simulators.tabular(policies[0]), 0.4, 0), **size)
        error = stats.sem(found.sums)
        np.testing.assert_array_less(np.abs(found.mean - truth), 4 * error + found.truncation)
        with pytest.raises(ValueError, match=r"epsilon: was 1\.5"):
            simulators.mixed(None, 1.5, 0)


class TestConfidence:
    @pytest.mark.parametrize("bounded", [True, False])
    def test_intervals_hold_together(self, pools, exact, bounded):
        missed = 0
        for measured in blocks(pools, bounded):
            means, widths = simulators.confidence(measured, LEVEL)
            missed += bool((np.abs(means - exact) > widths).any())
        assert missed <= ALLOWED

    def test_students_intervals_miss_as_often_as_they_say(self, pools, exact):
        missed = sum(
            int(np.abs(one.sums.mean(axis=0) - exact[1])[0] > simulators.half_widths(one.sums, None, 0.3)[0])
            for _, one, *_ in blocks(pools, False)
        )
        low, high = stats.binom.ppf([0.001, 0.999], BLOCKS, 0.3)
        assert low <= missed <= high

    def test_the_bernstein_bound_is_as_published(self):
        sums = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
        logarithm = np.log(2 / 0.05)
        wanted = np.sqrt(2 * 0.3 * logarithm / 5) + 7 * logarithm / (3 * 4)
        np.testing.assert_allclose(simulators.half_widths(sums, np.ones(1), 0.1), wanted)

    def test_only_bounds_leave_room_for_what_was_never_seen(self, simulator, pools):
        still = np.ones((50, 1))
        assert simulators.half_widths(still, None, 0.1) == 0
        assert simulators.half_widths(still, np.ones(1), 0.1) > 0.1
        told = [str(compared(simulator, *_first(pools, 20, bounded)).report()) for bounded in (True, False)]
        assert ["did not vary" in " ".join(text.split()) for text in told] == [False, True]

    @pytest.mark.parametrize("paired", [True, False])
    def test_differences_hold_together(self, pools, exact, paired):
        missed = 0
        for shown, *others in blocks(pools, False):
            tried = others if paired else [replace(one, resets=one.resets + 1) for one in others]
            found = simulators.differences(shown, tried, LEVEL)
            missed += bool((np.abs(found.means - (exact[0] - exact[1:])) > found.widths).any())
        assert missed <= ALLOWED

    def test_common_random_numbers_make_intervals_shorter(self, pools):
        shown, other = part(pools[0], 0, 500, False), part(pools[1], 0, 500, False)
        paired = simulators.differences(shown, [other], LEVEL).widths
        apart = simulators.differences(shown, [replace(other, resets=other.resets + 1)], LEVEL).widths
        assert (paired < apart).all()


class TestSet:
    @pytest.mark.parametrize("bounded", [True, False])
    def test_the_true_reward_is_inside(self, simulator, pools, bounded):
        found = [compared(simulator, one[0], one[1:], level=LEVEL) for one in blocks(pools, bounded)]
        assert sum(not one.contains(THETA) for one in found) <= ALLOWED
        if not bounded:
            assert sum(one.contains(-THETA) for one in found) < BLOCKS / 2

    def test_more_episodes_shrink_the_set(self, simulator, pools):
        sets = [compared(simulator, *_first(pools, n, bounded=False)) for n in (25, 250, 4000)]
        widths = np.array([[one.width(axis) for axis in np.eye(3)] for one in sets])
        assert (np.diff(widths.sum(axis=1)) < 0).all()
        volumes = [np.mean([one.contains(theta) for theta in _cube(2000)]) for one in sets]
        assert volumes[0] > volumes[1] > volumes[2] > 0

    def test_every_reward_that_the_table_allows_is_inside(self, simulator, world, policies, pools):
        env, phi = world
        family = rewards.LinearRewards(phi, names=NAMES)
        table = ii.identify([(env, evidence.Policy(policies[0]))], family)
        found = compared(simulator, *_first(pools, BLOCKS * EPISODES))
        assert all(found.contains(theta) for theta in table.sample(50, seed=0))

    def test_simulators_share_the_reward(self, simulator, pools):
        shown, others = _first(pools, 1000)
        both = simulators.identify_simulator([(simulator, shown), (simulator, shown)], [others[:1], others[1:]])
        for axis in np.vstack([np.eye(3), -np.eye(3)]):
            once = compared(simulator, shown, others)
            assert both.support(axis)[0] == pytest.approx(once.support(axis)[0], abs=0.05)

    def test_members(self, simulator, pools):
        found = compared(simulator, *_first(pools, 1000))
        half_spaces, bounds = found.relaxed
        drawn = found.sample(300, seed=0)
        assert drawn.shape == (300, 3)
        assert all(found.contains(theta) for theta in drawn)
        assert (half_spaces @ drawn.T <= bounds[:, None] + 1e-9).all()
        np.testing.assert_array_equal(drawn, found.sample(300, seed=0))
        assert found.contains(found.center())
        assert np.abs(found.center()).max() == 1
        assert found.margin > 0
        assert found.dimension == 3
        assert not found.contains(np.zeros(3))
        assert found.contains(7 * found.center())

    def test_report(self, simulator, pools):
        report = compared(simulator, *_first(pools, BLOCKS * EPISODES)).report()
        text = str(report)
        assert text.startswith("Assumed")
        assert "probability 0.95 (empirical Bernstein" in text
        assert all(name in text for name in NAMES)
        assert report.as_dict()["signs"] == list(report.signs)
        assert report.verdict == "a set"

    def test_nothing_is_known_from_two_episodes(self, simulator, pools):
        report = compared(simulator, *_first(pools, 2)).report()
        assert report.verdict == "nothing"
        assert report.open == NAMES
        np.testing.assert_allclose(report.intervals, [[-1, 1]] * 3, atol=1e-9)

    def test_contradictions_are_named(self):
        found = _known([[1.0], [-1.0], [2.0]])
        assert found.empty
        assert found.report().verdict == "contradiction"
        assert not found.contains([1.0])
        assert not found.contains([-1.0])
        for ask in (found.center, lambda: found.support([1.0]), lambda: found.sample(3, 0), lambda: found.dimension):
            with pytest.raises(simulators.NoMember, match=r"all of: 'policy 2' in .*; 'policy 3' in"):
                ask()
        assert _known([[1.0], [-1.0], [2.0]], slack=1.5).intervals.tolist() == [[1, 1]]

    def test_equations_take_dimensions(self):
        assert _known([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]).dimension == 2
        assert _known([[1.0, 1, 0], [-1.0, -1, 0], [0, 0, 1], [0, 0, -1]]).dimension == 1
        assert _known([[1.0, 0.0, 0.0], [-1.0, 0.5, 0.0]]).dimension == 3
        assert _known([[1.0, 0.0], [-1.0, 0.0]]).report().signs == ("zero", "open")


def _first(pools, n, bounded=True):
    shown, *others = (part(pool, 0, n, bounded) for pool in pools)
    return shown, others


def _cube(n):
    return np.random.default_rng(0).uniform(-1, 1, (n, 3))


def _known(means, **settings):
    """Differences of expectations that are known without error."""
    dim = len(means[0])
    world = simulators.Simulator("CartPole-v1", lambda *_: 0, 1.0, tuple("abc"[:dim]))
    still = simulators.FeatureSums(np.zeros((2, dim)), np.zeros(dim), None, np.arange(2), np.ones(2, dtype=int))
    others = [
        replace(still, sums=np.tile(-np.array(row), (2, 1)), name=f"policy {i}") for i, row in enumerate(means, 1)
    ]
    return compared(world, still, others, **settings)


class TestPrograms:
    @pytest.mark.parametrize("seed", range(6))
    def test_support_is_the_best_of_all_signs_and_faces(self, seed):
        cp = pytest.importorskip("cvxpy")
        rng = np.random.default_rng(seed)
        rows = Rows(rng.normal(size=(5, 3)), 0.4 * rng.random((5, 3)), 0.1 * rng.random(5) * (seed % 2))
        direction, best = rng.normal(size=3), -np.inf
        for signs in itertools.product([-1, 1], repeat=3):
            for face in range(3):
                size = cp.Variable(3)
                held = [size >= 0, size <= 1, size[face] == 1]
                held.append((rows.means * signs + rows.widths) @ size >= -rows.slack)
                program_ = cp.Problem(cp.Maximize((direction * signs) @ size), held)
                best = max(best, program_.solve(solver=cp.HIGHS))
        theta = program.farthest(rows, direction)
        if theta is None:
            assert best == -np.inf
            return
        assert direction @ theta == pytest.approx(best, abs=1e-7)
        assert np.abs(theta).max() == pytest.approx(1, abs=1e-9)
        assert rows.margins(theta).min() >= -1e-8
        relaxed, bounds = rows.relaxed
        free = cp.Variable(3)
        looser = cp.Problem(cp.Maximize(direction @ free), [relaxed @ free <= bounds]).solve(solver=cp.HIGHS)
        assert best <= looser + 1e-8

    def test_some_program_has_no_solution_and_some_has(self):
        rng = np.random.default_rng(1)
        means = rng.normal(size=(40, 3))
        assert program.farthest(Rows(means, np.zeros((40, 3)), np.zeros(40)), np.ones(3)) is None
        assert program.farthest(Rows(means, np.abs(means), np.zeros(40)), np.ones(3)) == pytest.approx(np.ones(3))

    def test_the_safest_theta_wins_against_every_difference_in_the_box(self):
        rng = np.random.default_rng(3)
        rows = Rows(np.abs(rng.normal(size=(4, 3))) + 0.5, np.full((4, 3), 0.2), np.zeros(4))
        theta, margin = program.safest(rows)
        boxes = rows.means + rows.widths * np.array(list(itertools.product([-1, 1], repeat=3)))[:, None]
        worst = ((boxes @ theta) / rows.scale).min()
        assert worst == pytest.approx(margin)
        flat = Rows(np.array([[5.0, 0, 0], [5.0, 0.1, 0]]), np.full((2, 3), 0.01), np.zeros(2))
        np.testing.assert_allclose(program.safest(flat)[0][2], 0, atol=1e-9)
        tried = rng.uniform(-1, 1, (2000, 3))
        assert margin > 0
        assert ((boxes @ tried.T) / rows.scale[:, None]).min(axis=(0, 1)).max() <= margin + 1e-9


class TestErrors:
    def test_settings(self, simulator, pools):
        shown, others = _first(pools, 5)
        for wrong, match in [
            (lambda: compared(simulator, shown, others, level=0), "level: was 0"),
            (lambda: compared(simulator, shown, others, slack=-1), "slack: was -1"),
            (lambda: compared(simulator, shown, []), "at least one"),
            (lambda: simulators.identify_simulator([], []), "alternatives: for 0 simulators"),
            (lambda: compared(simulator, shown, others).contains([1, np.nan, 0]), "direction.1. is nan"),
            (lambda: replace(simulator, discount=1.1), "discount: was 1.1"),
            (lambda: replace(simulator, names=("a", "a")), "names: were"),
            (lambda: replace(simulator, bounds=[[1, 0]] * 3), "bounds: were"),
            (lambda: simulators.rollouts(simulator, shown, episodes=2, horizon=2, seed=0), "policy: was"),
            (lambda: simulators.rollouts(simulator, lambda s: 0, episodes=1, horizon=2, seed=0), "episodes: was 1"),
            (lambda: simulators.rollouts(simulator, lambda s: 0, episodes=2, horizon=0, seed=0), "horizon: was 0"),
            (lambda: simulators.rollouts(simulator, lambda s: 0, episodes=2, horizon=2, seed=-1), "seed: was -1"),
            (lambda: simulators.rollouts(simulator, lambda s: 0, episodes=2, horizon=2, seed=None), "seed: was None"),
            (lambda: compared(simulator, lambda s: 0, others), r"evidence\[0\]: was \(Simulator, function\)"),
            (lambda: simulators.identify_simulator((simulator, shown), [others]), r"evidence\[0\]: was \(Simulator\)"),
            (lambda: compared(simulator, shown, [lambda s: 0]), r"alternatives\[0\]: should be a list of FeatureSums"),
            (
                lambda: simulators.identify_simulator([(simulator, shown)], others),
                r"alternatives\[0\]: should be a list",
            ),
            (lambda: compared(replace(simulator, discount=0.7), shown, others), "measured with discount 0.8, not 0.7"),
            (lambda: simulators.tabular([[0.4, 0.4]]), "probabilities: shape"),
            (lambda: replace(shown, sums=np.zeros((1, 3))), "sums: shape"),
        ]:
            with pytest.raises(ValueError, match=match):
                wrong()

    def test_without_discount_horizons_are_the_same(self):
        """Twice as many steps pay twice as much, whatever the policy."""
        still = simulators.Simulator("CartPole-v1", lambda *_: [1.0], 1.0, "time")
        long, short = (
            simulators.rollouts(still, lambda seen: int(seen[2] > 0), episodes=2, horizon=n, seed=0) for n in (8, 4)
        )
        assert compared(still, short, [short]).report().verdict == "nothing"
        with pytest.raises(ValueError, match="measured over 4 steps and 'policy' over 8; without discount"):
            compared(still, long, [short])
        fading = replace(still, discount=0.9)
        assert compared(fading, replace(long, discount=0.9), [replace(short, discount=0.9)]).names == ("time",)

    def test_features(self, simulator):
        for found, match in [
            ([0, 1], "gave shape"),
            ([0, np.nan, 0], "'second' was nan"),
            ([0, 0, 2], r"'third' was 2\.0, should be in"),
        ]:
            with pytest.raises(ValueError, match=match):
                simulators.rollouts(
                    replace(simulator, features=lambda *_, f=found: f), lambda s: 0, episodes=2, horizon=2, seed=0
                )

    @pytest.mark.parametrize("kind", ["simulator", "environment", "id"])
    def test_identify_says_where_to_go_with_a_simulator(self, simulator, kind):
        given = {"simulator": simulator, "environment": gymnasium.make("CartPole-v1"), "id": "CartPole-v1"}[kind]
        family = rewards.StateRewards(5)
        for evidence_ in ([(given, lambda seen: 0)], given):
            with pytest.raises(ValueError, match=r"evidence\[0\]: .* no table .*simulators\.identify_simulator"):
                ii.identify(evidence_, family)

    def test_training_needs_an_extra(self, simulator, monkeypatch):
        monkeypatch.setitem(sys.modules, "stable_baselines3", None)
        with pytest.raises(ImportError, match="irl-ident\\[imitation\\]"):
            simulators.best_response(simulator, THETA, steps=1, seed=0)


def test_the_wrapper_pays_features(simulator, world):
    _, phi = world
    env = RewardWrapper(simulator.environment(), simulator.phi, THETA)
    state, _ = env.reset(seed=0)
    for action in (0, 2, 1):
        following, paid, *_ = env.step(action)
        assert paid == pytest.approx(phi[state, action] @ THETA)
        state = following


@pytest.fixture(scope="module")
def cartpole():
    return simulators.Simulator(
        "CartPole-v1", lambda before, push, after: [1.0, 2.0 * push - 1], 0.97, ("upright", "push right")
    )


@pytest.fixture(scope="module")
def agent(cartpole):
    pytest.importorskip("stable_baselines3")
    return simulators.best_response(cartpole, [1.0, 0.0], steps=4096, seed=0)


class TestCartPole:
    """Rewards 1 a step and +-1 for pushes; balancing is worth more than falling, whatever pushes are worth."""

    SIZE = {"episodes": 48, "horizon": 200, "seed": 7}  # noqa: RUF012

    def test_balancing_is_certainly_worth_something(self, cartpole, agent):
        shown = simulators.rollouts(cartpole, agent, name="agent", **self.SIZE)
        falling = [
            simulators.rollouts(cartpole, lambda _, push=push: push, name=name, **self.SIZE)
            for push, name in enumerate(["left", "right"])
        ]
        found = compared(cartpole, shown, falling, level=0.01)
        assert found.report().decided == ("upright",)
        assert found.intervals[0, 0] > 0.05
        assert compared(cartpole, falling[0], [shown, falling[1]], level=0.01).intervals[0, 0] == -1

    def test_a_model_that_is_asked_for_all_episodes_at_once_acts_as_in_each(self, cartpole, agent):
        size = self.SIZE | {"episodes": 8}
        batched = simulators.rollouts(cartpole, agent, **size)
        single = simulators.rollouts(cartpole, lambda seen: agent.predict(seen, deterministic=True)[0], **size)
        np.testing.assert_allclose(batched.mean, single.mean, atol=0.5)


class TestLoop:
    def test_responses_cut_off_what_the_random_policy_left(self, world, simulator, policies):
        pytest.importorskip("stable_baselines3")
        size = {"episodes": 150, "horizon": 30}
        free = replace(simulator, bounds=None)
        shown = simulators.rollouts(free, simulators.tabular(policies[0]), seed=0, **size)
        first = [simulators.rollouts(free, simulators.uniform(0), seed=1, **size)]
        learned = simulators.learn_by_rollouts(free, shown, rounds=2, steps=1024, seed=5, first=first, **size)
        before = compared(free, shown, first)
        assert learned.margins.shape == learned.bounds.shape == (2,)
        assert len(learned.found.rows.means) == 3
        assert learned.found.contains(THETA)
        share = [np.mean([one.contains(theta) for theta in _cube(3000)]) for one in (before, learned.found)]
        assert share[1] < share[0]
        response = simulators.rollouts(free, learned.policies[0], seed=9, **size)
        assert learned.thetas[0] @ (response.mean - first[0].mean) > 0


@pytest.fixture(scope="module")
def room():
    minigrid = pytest.importorskip("minigrid")

    class Symbols(gymnasium.ObservationWrapper):
        """Where the walker is and how it looks; MiniGrid's own views of the room are not drawn."""

        def observation(self, _):
            walker = self.unwrapped
            return (*map(int, walker.agent_pos), int(walker.agent_dir))

    def make():
        env = gymnasium.make("MiniGrid-Empty-Random-5x5-v0", disable_env_checker=True)
        env.unwrapped.gen_obs = dict
        return Symbols(env)

    assert minigrid.__version__
    return simulators.Simulator(
        make, lambda before, action, after: [after[:2] == (3, 3), action == 2], 0.95, ("goal", "forward")
    )


@pytest.fixture(scope="module")
def walker(room):
    env, q, rng = room.environment(), {}, np.random.default_rng(0)
    for episode in range(400):
        state, over = env.reset(seed=episode)[0], False
        while not over:
            values = q.setdefault(state, np.zeros(3))
            action = int(rng.integers(3)) if rng.random() < 0.3 else int(values.argmax())
            following, paid, terminated, truncated, _ = env.step(action)
            ahead = 0.0 if terminated else q.setdefault(following, np.zeros(3)).max()
            values[action] += 0.5 * ((paid > 0) + 0.95 * ahead - values[action])
            state, over = following, terminated or truncated
    return lambda state: int(q[state].argmax())


class TestMiniGrid:
    """A walker trained by tabular Q-learning on (column, row, direction) in a room with a goal."""

    SIZE = {"episodes": 150, "horizon": 80, "seed": 1}  # noqa: RUF012

    def test_the_goal_is_certainly_worth_something(self, room, walker):
        shown = simulators.rollouts(room, walker, **self.SIZE)
        assert shown.lengths.max() <= 9
        ways = {"turns": lambda _: 0, "walks": lambda _: 2, "random": simulators.mixed(lambda _: 2, 0.5, 0)}
        tried = [simulators.rollouts(room, way, name=name, **self.SIZE) for name, way in ways.items()]
        report = compared(room, shown, tried).report()
        assert "goal" in report.decided
        assert report.signs[0] == "positive"
        assert "MiniGrid" not in report.verdict
