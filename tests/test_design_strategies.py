"""Strategies on real environments: behaviour classes, scores, and who beats whom."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from worlds import brute_policy, random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal, SoftOptimal
from irl_ident.design.behaviour import signature, signatures

FAMILY = ii.rewards.StateRewards(4)
CANDIDATES = [random_environment(seed, 4, 2) for seed in range(6)]


def objectives(seed, count, dim=4):
    return np.random.default_rng(seed).uniform(-1, 1, (count, dim))


def walled_grids(count, size=3, seed=0):
    """Deterministic grids of four moves with one wall and three absorbing corners, the same states in all."""
    rng = np.random.default_rng(seed)
    cells = [(y, x) for y in range(size) for x in range(size)]
    corners = [(0, 0), (0, size - 1), (size - 1, size - 1)]
    inner = [cell for cell in cells if cell not in corners]
    grids = []
    for wall in rng.permutation(len(inner))[:count]:
        table = np.zeros((len(cells), 4, len(cells)))
        for here, cell in enumerate(cells):
            for action, (dy, dx) in enumerate([(-1, 0), (1, 0), (0, -1), (0, 1)]):
                there = (cell[0] + dy, cell[1] + dx)
                moves = there in cells and there != inner[wall] and cell not in corners
                table[here, action, cells.index(there) if moves else here] = 1
        grids.append(ii.Environment(table, 0.9))
    return grids, [cells.index(corner) for corner in corners]


def corner_objectives(corners, n_states):
    """Values 0, middle and 1 of the three corners in every order."""
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    thetas = [
        [dict(zip(np.take(corners, order), (1.0, middle, 0.0), strict=True)).get(s, 0.0) for s in range(n_states)]
        for order in orders
        for middle in (0.15, 0.35, 0.55, 0.75, 0.95)
    ]
    return np.array(thetas)


def test_behaviour_labels_agree_with_brute_force_policies():
    thetas = np.concatenate([objectives(0, 10), np.eye(4), np.zeros((1, 4))])
    labels = design.behaviour_labels(CANDIDATES, FAMILY, thetas)
    for env, row in zip(CANDIDATES, labels, strict=True):
        policies = np.array([brute_policy(env, FAMILY.reward(env, theta)) for theta in thetas])
        same = (np.abs(policies[:, None] - policies[None]) < 1e-9).all(axis=(2, 3))
        np.testing.assert_array_equal(row[:, None] == row[None, :], same)


def test_positive_affine_maps_of_an_objective_are_in_its_class():
    thetas = objectives(1, 20)
    labels = design.behaviour_labels(CANDIDATES, FAMILY, np.concatenate([thetas, 3.7 * thetas - 2]))
    np.testing.assert_array_equal(labels[:, :20], labels[:, 20:])


def test_soft_classes_never_join_policies_that_differ_by_more_than_the_resolution():
    thetas = objectives(2, 40)
    resolution = 0.2
    labels = design.behaviour_labels(CANDIDATES, FAMILY, thetas, "soft", 0.7, resolution=resolution)
    assert all(len(np.unique(row)) < len(thetas) for row in labels)
    for env, row in zip(CANDIDATES, labels, strict=True):
        policies = np.array([SoftOptimal(FAMILY, theta, temperature=0.7).policy(env) for theta in thetas])
        apart = np.abs(policies[:, None] - policies[None]).max(axis=(2, 3))
        assert apart[row[:, None] == row[None, :]].max() <= resolution


def test_soft_classes_see_what_optimal_classes_do_not():
    thetas = np.outer([1.0, 2.0], objectives(3, 1)[0])
    np.testing.assert_array_equal(np.ptp(design.behaviour_labels(CANDIDATES, FAMILY, thetas), axis=1), 0)
    np.testing.assert_array_equal(np.ptp(design.behaviour_labels(CANDIDATES, FAMILY, thetas, "soft"), axis=1), 1)


@pytest.mark.parametrize("rationality", ["optimal", "soft"])
def test_consistent_agrees_with_contains(rationality):
    thetas = objectives(4, 60)
    agent = (Optimal if rationality == "optimal" else SoftOptimal)(FAMILY, thetas[7])
    shown = [(env, agent.policy(env)) for env in CANDIDATES[:2]]
    ident = ii.identify(shown, FAMILY, rationality)
    expected = [ident.contains(theta) for theta in thetas]
    assert expected[7]
    assert not all(expected)
    np.testing.assert_array_equal(design.consistent(ident, thetas), expected)


def test_consistent_agrees_with_contains_on_trajectories():
    thetas = objectives(5, 60)
    agent = Optimal(FAMILY, thetas[3])
    seen = [(env, agent.demonstrate(env, episodes=1, horizon=2, seed=1)) for env in CANDIDATES[:2]]
    ident = ii.identify(seen, FAMILY)
    expected = [ident.contains(theta) for theta in thetas]
    assert 1 < sum(expected) < 60
    np.testing.assert_array_equal(design.consistent(ident, thetas), expected)


def test_greedy_scores_are_the_chance_that_two_consistent_hypotheses_differ():
    thetas = objectives(6, 50)
    agent = Optimal(FAMILY, thetas[0])
    ident = ii.identify([(CANDIDATES[0], agent.policy(CANDIDATES[0]))], FAMILY)
    left = [theta for theta in thetas if ident.contains(theta)]
    policies = [[Optimal(FAMILY, theta).policy(env) for theta in left] for env in CANDIDATES]
    expected = [np.mean([[np.abs(a - b).max() > 1e-9 for a in row] for b in row]) for row in policies]
    np.testing.assert_allclose(design.Greedy(hypotheses=thetas).score(ident, CANDIDATES), expected, atol=1e-12)
    assert expected[0] == 0 < max(expected)


@pytest.mark.parametrize(
    "strategy",
    [
        design.Greedy(150, 3),
        design.Random(3),
        design.RoundRobin(),
        design.Exhaustive(150, 3, depth=2),
        design.Oracle(150, 3, truth=np.array([0.3, -0.2, 0.9, 0.1])),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_every_strategy_scores_every_candidate_the_same_each_time(strategy):
    agent = Optimal(FAMILY, [0.3, -0.2, 0.9, 0.1])
    shown = [(env, agent.policy(env)) for env in CANDIDATES[:3]]
    for count in range(4):
        ident = ii.identify(shown[:count], FAMILY) if count else ii.identified.anything(FAMILY)
        scores = strategy.score(ident, CANDIDATES)
        assert scores.shape == (6,)
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(strategy.score(ident, CANDIDATES), scores)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_greedy_sees_nothing_more_to_learn_where_the_whole_policy_was_shown(count):
    agent = Optimal(FAMILY, [0.3, -0.2, 0.9, 0.1])
    shown = [(env, agent.policy(env)) for env in CANDIDATES[:count]]
    ident = ii.identify(shown, FAMILY) if count else ii.identified.anything(FAMILY)
    scores = design.Greedy(300).score(ident, CANDIDATES)
    np.testing.assert_allclose(scores[:count], 0, atol=1e-12)
    assert scores.max() > 0


def test_random_and_round_robin_try_everything_before_anything_twice():
    agent = Optimal(FAMILY, [0.3, -0.2, 0.9, 0.1])
    orders = {}
    for strategy in (design.RoundRobin(), design.Random(0), design.Random(1)):
        shown, order = [], []
        for _ in range(12):
            ident = ii.identify(shown, FAMILY) if shown else ii.identified.anything(FAMILY)
            order.append(int(np.argmax(strategy.score(ident, CANDIDATES))))
            shown.append((CANDIDATES[order[-1]], agent.policy(CANDIDATES[order[-1]])))
        assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
        orders[repr(strategy)] = order
    assert orders["RoundRobin()"] == [*range(6), *range(6)]
    assert len({tuple(order) for order in orders.values()}) == 3


def test_oracle_knows_the_truth_as_agent_or_as_objective():
    thetas = objectives(7, 40)
    ident = ii.identified.anything(FAMILY)
    expected = []
    for env in CANDIDATES:
        truth = Optimal(FAMILY, thetas[11]).policy(env)
        expected.append(np.mean([np.abs(Optimal(FAMILY, theta).policy(env) - truth).max() > 1e-9 for theta in thetas]))
    for truth in (thetas[11], Optimal(FAMILY, thetas[11])):
        scores = design.Oracle(hypotheses=thetas, truth=truth).score(ident, CANDIDATES)
        np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_exhaustive_counts_down_to_greedy():
    thetas = objectives(8, 40)
    agent = Optimal(FAMILY, thetas[0])
    ident = ii.identify([(CANDIDATES[0], agent.policy(CANDIDATES[0]))], FAMILY)
    greedy = design.Greedy(hypotheses=thetas).score(ident, CANDIDATES)
    two_left = design.Exhaustive(hypotheses=thetas, depth=3).score(ident, CANDIDATES)
    for depth in (1, 2):
        scores = design.Exhaustive(hypotheses=thetas, depth=depth).score(ident, CANDIDATES)
        np.testing.assert_array_equal(scores, greedy)
    assert (two_left >= greedy.max() - 1e-12).all()


def test_eliminated_mass_is_submodular_on_grids():
    """THEORY result 2 on grids with walls: f(X + e) - f(X) >= f(Y + e) - f(Y) for X in Y."""
    grids, corners = walled_grids(5)
    space = design.VersionSpace(corner_objectives(corners, 9), grids, ii.rewards.StateRewards(9))
    assert space.classes > 6
    sets = [set(chosen) for size in range(5) for chosen in combinations(range(5), size)]
    for truth in range(0, 30, 7):
        mass = {frozenset(x): design.eliminated_mass(space.labels, truth, sorted(x)) for x in map(frozenset, sets)}
        mass[frozenset(range(5))] = design.eliminated_mass(space.labels, truth, range(5))
        gains = [
            (mass[frozenset(x | {e})] - mass[frozenset(x)]) - (mass[frozenset(y | {e})] - mass[frozenset(y)])
            for y in sets
            for x in sets
            if x <= y
            for e in range(5)
        ]
        assert min(gains) >= -1e-12


def test_greedy_on_grids_is_near_the_exhaustive_best_and_above_random():
    """THEORY result 2: within 1 - 1/e of the best policy, and above random over 30 seeds and every truth."""
    grids, corners = walled_grids(6)
    space = design.VersionSpace(corner_objectives(corners, 9), grids, ii.rewards.StateRewards(9))
    labels, count = space.labels, len(space.hypotheses)
    for rounds in (1, 2):
        greedy = np.mean(
            [
                design.eliminated_mass(labels, truth, design.greedy_sequence(labels, truth, rounds))
                for truth in range(count)
            ]
        )
        best = design.adaptive_scores(labels, rounds).max()
        assert (1 - 1 / np.e) * best <= greedy <= best + 1e-12
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(6)[:rounds] for _ in range(30)]
        chance = [np.mean([design.eliminated_mass(labels, truth, x) for truth in range(count)]) for x in drawn]
        assert greedy > np.mean(chance) + 2 * np.std(chance) / np.sqrt(30)


def test_sizes_of_a_version_space_shrink_to_the_class_of_the_truth():
    grids, corners = walled_grids(6)
    space = design.VersionSpace(corner_objectives(corners, 9), grids, ii.rewards.StateRewards(9))
    sizes = space.sizes(4, range(6))
    assert (np.diff(sizes) <= 0).all()
    assert sizes[-1] == design.consistent_with(space.labels, 4, range(6)).sum()
    classes = {tuple(column) for column in space.labels.T}
    assert space.classes == len(classes)


def test_signature_of_a_policy_matches_that_of_its_objective():
    theta = objectives(9, 1)
    for env in CANDIDATES:
        for rationality, agent in (("optimal", Optimal), ("soft", SoftOptimal)):
            shown = signature(agent(FAMILY, theta[0]).policy(env), rationality)
            np.testing.assert_array_equal(shown, signatures(env, FAMILY, theta, rationality, 1.0)[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.Greedy(samples=0), "samples: was 0"),
        (lambda: design.Greedy(resolution=0), "resolution: was 0"),
        (lambda: design.Exhaustive(depth=0), "depth: was 0"),
        (lambda: design.VersionSpace(np.eye(4), [], FAMILY), "candidates: is empty"),
        (lambda: design.VersionSpace(np.eye(3), CANDIDATES, FAMILY), r"hypotheses: .*\(N, 4\)"),
        (lambda: design.VersionSpace(np.full((2, 4), np.nan), CANDIDATES, FAMILY), r"hypotheses\[0, 0\] is nan"),
        (lambda: design.RoundRobin().score(ii.identified.anything(FAMILY), []), "candidates: is empty"),
        (
            lambda: design.RoundRobin().score(ii.identified.anything(FAMILY), [CANDIDATES[0], "maze"]),
            r"candidates\[1\]: .*str",
        ),
        (
            lambda: design.Greedy().score(ii.identified.anything(FAMILY), [CANDIDATES[0], random_environment(0, 4, 3)]),
            r"candidates\[1\]: has 4 states and 3 actions",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_hypotheses_that_are_all_excluded_are_reported():
    agent = Optimal(FAMILY, [1.0, 0.0, 0.0, 0.0])
    ident = ii.identify([(CANDIDATES[0], agent.policy(CANDIDATES[0]))], FAMILY)
    with pytest.raises(ValueError, match="none of 1 is consistent"):
        design.Greedy(hypotheses=[[-1.0, 0.0, 0.0, 0.0]]).score(ident, CANDIDATES)
