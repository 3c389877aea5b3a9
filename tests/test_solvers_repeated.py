"""The ellipsoid algorithm of repeated inverse RL: its bound, its cuts, and what it never loses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import brute_policy, brute_q, random_environment

import irl_ident as ii
from irl_ident.conformance import check
from irl_ident.evidence import Counts
from irl_ident.rewards import LinearRewards, StateRewards
from irl_ident.solvers.base import Unexplained
from irl_ident.solvers.repeated import Ellipsoid, Task, beginner, enclosing, mistake_bound


def play(dim: int, epsilon: float, rounds: int, seed: int):
    """Nature draws tasks, the human demonstrates where the prediction loses more than epsilon."""
    rng = np.random.default_rng(seed)
    family = LinearRewards(rng.uniform(-1, 1, (4, 3, dim)))
    truth = rng.uniform(-1, 1, dim)
    learner, played, mistakes = beginner(family), [], []
    for turn in range(rounds):
        env = random_environment(10_000 * seed + turn, 4, 3, 0.8)
        task = Task(env, rng.uniform(-1, 1, (4, 3)) * rng.choice([0.1, 1, 5]))
        played.append(task)
        reward = family.reward(env, truth) + task.added
        best = ii.planning.optimal(env, reward)
        loss = env.initial @ (best.values - ii.planning.evaluate(env, reward, learner.predict(task)))
        if loss > epsilon:
            shown = best.policy
            before = learner
            learner = learner.update(task, shown)
            assert learner.log_volume <= before.log_volume - 1 / (2 * (dim + 1)) + 1e-9
            assert learner.contains(truth, 1e-6)
        mistakes.append(learner.mistakes)
    return truth, learner, played, np.array(mistakes)


@pytest.mark.parametrize("dim", [1, 2, 4, 8])
@pytest.mark.parametrize("epsilon", [0.1, 0.001])
def test_mistakes_are_within_the_bound_and_the_truth_stays(dim, epsilon):
    """Amin, Jiang & Singh (2017): mistakes grow as d^2 log(1 / epsilon) at most."""
    truth, learner, played, _ = play(dim, epsilon, 150, seed=dim)
    assert 0 < learner.mistakes <= mistake_bound(played, learner.family, epsilon)
    assert learner.contains(truth, 1e-6)


def test_the_learner_learns():
    """Most mistakes come early: a constant rate would put half of them in each half."""
    mistakes = sum(play(4, 0.01, 300, seed)[3] for seed in range(3))
    early, late = mistakes[149], mistakes[299] - mistakes[149]
    assert early > 30
    assert late < early / 2


def test_the_bound_grows_as_the_square_of_the_dimension_and_the_logarithm():
    env = random_environment(0, 2, 2)

    def bound(dim, epsilon):
        features = np.full((2, 2, dim), 1 / dim)
        return mistake_bound([Task(env)], LinearRewards(features), epsilon)

    steps = np.diff([bound(6, 10.0**-power) for power in range(1, 7)])
    np.testing.assert_allclose(steps, 2 * 6 * 7 * np.log(10), atol=1)
    large = bound(64, 1e-12) / bound(32, 1e-12)
    assert 3.8 < large < 4.2


def test_a_single_task_never_identifies():
    """However often it is repeated: rewards remain that another environment tells apart."""
    rng = np.random.default_rng(0)
    family = StateRewards(4)
    truth = rng.uniform(-1, 1, 4)
    env = random_environment(0, 4, 2)
    policy = brute_policy(env, family.reward(env, truth))
    estimate = Ellipsoid(1e-9).fit([(env, policy)] * 5, family)
    np.testing.assert_array_equal(brute_policy(env, estimate.reward(env)), policy)
    ident = ii.identify([(env, policy)], family)
    assert ident.dimension > 0
    members = ident.sample(200, 0)
    assert all(estimate.learner.contains(member) for member in members)
    other = random_environment(77, 4, 2)
    behaviours = {tuple(brute_policy(other, family.reward(other, member)).ravel()) for member in members}
    assert len(behaviours) > 1


def test_more_tasks_leave_less():
    family, truth = StateRewards(4), np.array([0.9, -0.5, 0.2, -0.8])
    environments = [random_environment(seed, 4, 2) for seed in range(6)]
    evidence = [(env, brute_policy(env, family.reward(env, truth))) for env in environments]
    one, six = Ellipsoid().fit(evidence[:1], family), Ellipsoid().fit(evidence, family)
    assert six.log_volume < one.log_volume
    for estimate in (one, six):
        assert estimate.learner.contains(truth)
        assert estimate.convergence.status == "converged"
        assert estimate.surprises == 0
        assert estimate.convergence.iterations == estimate.learner.mistakes
    for env, policy in evidence:
        np.testing.assert_array_equal(brute_policy(env, six.reward(env)), policy)


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
@pytest.mark.parametrize("depth", [0.0, 0.3, 0.9])
def test_enclosing_ellipsoid_holds_the_cap_and_no_smaller_one_does(dim, depth):
    rng = np.random.default_rng(dim)
    root = rng.standard_normal((dim, dim)) + 2 * np.eye(dim)
    shape, center, normal = root @ root.T, rng.standard_normal(dim), rng.standard_normal(dim)
    moved, smaller = enclosing(center, shape, normal, depth)
    points = rng.standard_normal((20_000, dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = center + points * rng.uniform(size=(len(points), 1)) ** (1 / dim) @ root.T
    kept = points[(points - center) @ normal >= depth * np.sqrt(normal @ shape @ normal)]
    away = kept - moved
    assert (np.einsum("ni,ni->n", away, np.linalg.solve(smaller, away.T).T) <= 1 + 1e-9).all()
    # smallest: in the frame where E is the unit ball, among ellipsoids of revolution that hold the cap's tip and rim
    rim = np.sqrt(1 - depth**2)

    def log_volume(middle):
        along = 1 - middle
        room = 1 - ((depth - middle) / along) ** 2
        return np.log(along) + (dim - 1) * (np.log(rim) - 0.5 * np.log(room)) if room > 0 else np.inf

    best = min(log_volume(m) for m in np.linspace(depth, (1 + depth) / 2, 20_001)[:-1])
    ratio = (np.linalg.slogdet(smaller)[1] - np.linalg.slogdet(shape)[1]) / 2
    np.testing.assert_allclose(ratio, best, atol=2e-4)
    assert ratio <= -1 / (2 * (dim + 1))


def test_the_first_ellipsoid_is_the_ball_around_the_gauge():
    learner = beginner(StateRewards(3))
    assert learner.contains([1, -1, 1])
    assert not learner.contains([1.01, -1, 1])
    np.testing.assert_allclose(learner.log_volume, np.log(4 / 3 * np.pi * 3**1.5))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 300), data=st.data())
def test_relabelled_states_and_actions_move_the_center_along(seed, data):
    rng = np.random.default_rng(seed)
    family, truth = StateRewards(3), rng.uniform(-1, 1, 3)
    environments = [random_environment(1_000 * seed + i, 3, 2) for i in range(2)]
    evidence = [(env, brute_policy(env, family.reward(env, truth))) for env in environments]
    order, actions = (np.array(data.draw(st.permutations(range(n)))) for n in (3, 2))
    moved = [
        (
            ii.Environment(env.dense()[order][:, actions][:, :, order], env.discount, env.initial[order]),
            policy[order][:, actions],
        )
        for env, policy in evidence
    ]
    one, other = (Ellipsoid().fit(e, family) for e in (evidence, moved))
    np.testing.assert_allclose(other.theta, one.theta[order], atol=1e-6)
    np.testing.assert_allclose(other.log_volume, one.log_volume, atol=1e-6)


def test_known_rewards_are_taken_off():
    """One environment and a known reward for leaving: the scale of theta becomes visible."""
    table = np.zeros((2, 2, 2))
    table[0, 0, 0] = table[0, 1, 1] = table[1, :, 1] = 1
    env = ii.Environment(table, 0.5, initial=[1.0, 0])
    family, truth = LinearRewards(np.array([[[1.0], [0.0]], [[0.0], [0.0]]])), 0.3
    prices = [2 * price for price in (0.1, 0.2, 0.25, 0.28, 0.32, 0.35, 0.4, 0.6)]
    known = [np.array([[0.0, price], [0.0, 0.0]]) for price in prices]
    evidence = [(env, brute_policy(env, family.reward(env, [truth]) + each)) for each in known]
    estimate = Ellipsoid(1e-6, known=known).fit(evidence, family)
    assert 0.28 <= estimate.theta[0] <= 0.32
    assert estimate.learner.contains([truth])
    for (_, policy), each in zip(evidence, known, strict=True):
        q = brute_q(env, estimate.reward(env) + each)
        np.testing.assert_array_equal(q.argmax(axis=1)[0], policy[0].argmax())
    unknown = Ellipsoid(1e-6).fit(evidence[:3], family)
    assert unknown.theta[0] > 0


def test_trajectories_of_an_optimal_agent():
    env = random_environment(3, 4, 2, 0.6)
    family = StateRewards(4)
    agent = ii.agents.Optimal(family, [0.0, 1, -1, 0.5])
    demos = agent.demonstrate(env, episodes=3_000, horizon=40, seed=0)
    estimate = Ellipsoid().fit([(env, demos)], family)
    np.testing.assert_array_equal(brute_policy(env, estimate.reward(env)), agent.policy(env))


def test_what_no_reward_explains():
    one = ii.Environment(np.ones((1, 2, 1)), 0.0)
    family = LinearRewards(np.array([[[1.0], [0.0]]]))
    known = [np.array([[0.0, 2.0]])]
    with pytest.raises(Unexplained, match="under every theta"):
        Ellipsoid(known=known).fit([(one, np.array([[1.0, 0]]))], family)
    evidence = [(one, np.array([[1.0, 0]])), (one, np.array([[0.0, 1]]))]
    estimate = Ellipsoid(1e-6).fit(evidence, family)
    assert estimate.surprises >= 1
    assert abs(estimate.theta[0]) <= 1e-6
    assert estimate.value <= 1e-6


def test_degenerate_input():
    env, single = random_environment(0, 3, 2), random_environment(0, 3, 1)
    policy = np.eye(2)[[0, 1, 0]]
    for evidence, family in (
        ([(single, np.ones((3, 1)))], StateRewards(3)),
        ([(env, policy)], LinearRewards(np.zeros((3, 2, 2)))),
        ([(env, np.full((3, 2), 0.5))], StateRewards(3)),
    ):
        estimate = Ellipsoid().fit(evidence, family)
        assert estimate.convergence.status == "trivial"
        np.testing.assert_array_equal(estimate.theta, 0)
    silent = beginner(LinearRewards(np.zeros((3, 2, 2)))).update(Task(env), policy)
    assert silent.mistakes == 1
    np.testing.assert_array_equal(silent.shape, 2 * np.eye(2))
    stopped = Ellipsoid(cuts=1).fit(
        [(env, brute_policy(env, np.array([[1.0] * 2, [0] * 2, [-1] * 2])))], StateRewards(3)
    )
    assert stopped.convergence.iterations == 1
    with pytest.raises(ValueError, match="counts have no order"):
        Ellipsoid().fit([(env, Counts(policy))], StateRewards(3))
    for make, words in (
        (lambda: Ellipsoid(epsilon=0), "epsilon: was 0"),
        (lambda: Ellipsoid(cuts=0), "cuts: was 0"),
        (lambda: Task(env, np.zeros((2, 2))), "known: reward"),
        (lambda: Ellipsoid(known=[]).fit([(env, policy)], StateRewards(3)), "known: has 0 rewards for 1"),
        (lambda: Ellipsoid(known=[np.full((3, 2), np.nan)]).fit([(env, policy)], StateRewards(3)), r"known\[0\]"),
        (lambda: mistake_bound([], StateRewards(3), 0.1), "tasks: is empty"),
        (lambda: mistake_bound([Task(env)], StateRewards(3), 0.0), "epsilon: was 0.0"),
    ):
        with pytest.raises(ValueError, match=words):
            make()


def test_conformance():
    verdict = check(Ellipsoid(), "optimal")
    assert verdict.passed, str(verdict)
