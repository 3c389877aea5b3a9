"""Searching families: climbs, lazy choices and extended value iteration against enumeration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import brute_q, random_environment

import irl_ident as ii
from irl_ident import builders, design
from irl_ident.design.families.search import Searched, per_price

FAMILY = ii.rewards.StateRewards(3)
ENVS = [random_environment(seed, 3, 2) for seed in range(4)]
GREEDY = design.Greedy(hypotheses=np.random.default_rng(0).uniform(-1, 1, (40, 3)))
NOTHING = ii.identified.anything(FAMILY)


@dataclass(frozen=True, eq=False)
class Linear:
    """A score that adds up over states: weights times transitions."""

    weights: np.ndarray

    def score(self, ident, candidates):
        return np.array([float((self.weights * env.dense()).sum()) for env in candidates])


@dataclass(frozen=True, eq=False)
class Everywhere(design.EnvironmentFamily):
    """A list that claims to be larger than it is, with all as neighbours of all: a search has to climb."""

    environments: tuple

    @property
    def size(self):
        return 10**9

    def random(self, rng):
        return int(rng.integers(len(self.environments)))

    def neighbours(self, index):
        return [other for other in range(len(self.environments)) if other != index]

    def environment(self, index):
        return self.environments[index]


def products(seed, n_states=3, blocks=3, concentration=0.5):
    rng = np.random.default_rng(seed)
    menus = [rng.dirichlet(np.full(n_states, concentration), size=(blocks, 2)) for _ in range(n_states)]
    return design.Products(menus, 0.9)


def enumerated(strategy, ident, family):
    """Scores per price of a whole family, one environment at a time."""
    scores = [strategy.score(ident, [family.environment(index)])[0] for index in range(family.size)]
    return np.array([per_price(score, family.price(index)) for index, score in enumerate(scores)])


@pytest.mark.parametrize("seed", range(3))
def test_small_families_are_scored_whole(seed):
    family = products(seed)
    found = design.LocalSearch(scored=27).find(GREEDY, NOTHING, family)
    values = enumerated(GREEDY, NOTHING, family)
    assert found.index == np.flatnonzero(values >= values.max() - 1e-12)[0]
    assert found.environment.digest == family.environment(found.index).digest
    np.testing.assert_allclose([found.score, found.upper], values.max())
    assert (found.scored, found.size, found.climbs, found.exhaustive) == (27, 27, 0, True)


def test_a_search_is_never_above_the_best_and_usually_there():
    reached = 0
    for seed in range(8):
        family = products(seed)
        values = enumerated(GREEDY, NOTHING, family)
        found = design.LocalSearch(scored=18, climbs=6, seed=seed).find(GREEDY, NOTHING, family)
        assert found.scored <= 18 < family.size
        assert found.per_price <= values.max()
        np.testing.assert_allclose(found.score, values[found.index])
        reached += found.score >= values.max() - 1e-12
    assert reached >= 5


@pytest.mark.parametrize("seed", range(5))
def test_climbs_that_were_not_cut_short_end_at_a_local_optimum(seed):
    family = products(seed, n_states=4, blocks=3)
    strategy = Linear(np.cos(7 * np.arange(32) + seed).reshape(4, 2, 4))
    bent = type("Bent", (), {"score": lambda _, i, c: np.sin(3 * strategy.score(i, c))})()
    found = design.LocalSearch(scored=80, climbs=3, seed=seed).find(bent, NOTHING, family)
    assert 1 <= found.climbs <= 3
    if found.optima == found.climbs:
        near = [family.environment(index) for index in family.neighbours(found.index)]
        assert bent.score(NOTHING, near).max() <= found.score + 1e-12
    assert found.score <= enumerated(bent, NOTHING, family).max() + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_complete_neighbourhoods_leave_nothing_out(seed):
    environments = tuple(random_environment(100 * seed + k, 3, 2) for k in range(30))
    found = design.LocalSearch(scored=100, climbs=1, seed=seed).find(GREEDY, NOTHING, Everywhere(environments))
    values = enumerated(GREEDY, NOTHING, design.Listed(environments))
    assert found.score == pytest.approx(values.max())
    assert (found.climbs, found.optima, found.scored) == (1, 1, 30)
    assert not found.exhaustive


@pytest.mark.parametrize("seed", range(3))
def test_scores_that_add_up_over_states_are_climbed_to_the_top_of_huge_families(seed):
    """The best block of each state, found one by one, is the answer; 3^25 environments."""
    family = products(seed, n_states=25)
    weights = np.random.default_rng(seed).normal(size=(25, 2, 25))
    found = design.LocalSearch(scored=3000, climbs=1, seed=seed).find(Linear(weights), NOTHING, family)
    blocks = [menu.toarray().reshape(3, 2, 25) for menu in family.menus]
    best = [(weights[state] * block).sum(axis=(1, 2)).argmax() for state, block in enumerate(blocks)]
    assert family.chosen(found.index) == tuple(best)
    assert (found.climbs, found.optima, found.size) == (1, 1, 3**25)
    assert not found.exhaustive
    assert "of 8.47e+11 environments in 1 climbs, 1 to a local optimum" in str(found)


def test_the_same_question_gets_the_same_answer():
    family, search = products(0, n_states=6), design.LocalSearch(scored=60, climbs=3)
    strategy = Linear(np.random.default_rng(1).normal(size=(6, 2, 6)))
    first, second = (search.find(strategy, NOTHING, family) for _ in range(2))
    assert (first.index, first.record()) == (second.index, second.record())


def test_ties_go_to_the_one_seen_least_then_to_the_lowest():
    flat = type("Flat", (), {"score": lambda _, i, c: np.zeros(len(c))})()
    family = products(0)
    agent = ii.agents.Optimal(FAMILY, [1.0, 0.0, 0.3])
    seen = [(family.environment(index), agent.policy(family.environment(index))) for index in (0, 1)]
    assert design.LocalSearch().find(flat, NOTHING, family).index == 0
    assert design.LocalSearch().find(flat, ii.identify(seen, FAMILY), family).index == 2


def test_the_best_per_price_is_found():
    changes = [design.Intervention.towards(str(k), ENVS[0], ENVS[k], price=0.3 * k) for k in (1, 2, 3)]
    family = design.Interventions(ENVS[0], changes, most=3)
    for sign in (1, -1):
        strategy = type("Signed", (), {"score": lambda _, i, c, sign=sign: sign * GREEDY.score(i, c)})()
        found = design.LocalSearch().find(strategy, NOTHING, family)
        values = enumerated(strategy, NOTHING, family)
        assert found.per_price == values.max() == values[found.index]
        assert found.price == family.price(found.index)


@given(st.floats(-5, 5), st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_cheaper_of_equal_scores_is_preferred(score, price, other):
    low, high = sorted((price, other))
    assert per_price(score, low) >= per_price(score, high)
    assert per_price(score, 1.0) == score


def test_records_come_back():
    family = products(0, n_states=40)
    found = design.LocalSearch(scored=5, climbs=1).find(Linear(np.ones((40, 2, 40))), NOTHING, family)
    again = Searched.recorded(found.index, found.environment, found.record())
    assert vars(again) == vars(found)
    for change in ({"scored": "x"}, {"price": None}, {"upper": []}):
        with pytest.raises(ValueError, match="searched: is damaged"):
            Searched.recorded(0, found.environment, found.record() | change)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.LocalSearch(scored=0), "scored: was 0"),
        (lambda: design.LocalSearch(climbs=1.5), "climbs: was 1.5"),
        (
            lambda: design.LocalSearch().find(
                type("Short", (), {"score": lambda _, i, c: [1.0]})(), NOTHING, products(0)
            ),
            r"strategy: Short\.score should return 27 finite numbers",
        ),
        (
            lambda: design.LocalSearch().find(
                GREEDY, NOTHING, type("Free", (design.Listed,), {"price": lambda _, index: 0.0})(ENVS)
            ),
            r"price\(0\): was 0",
        ),
        (lambda: design.Extended(design.Listed(ENVS), FAMILY, np.eye(3)), "family: should be Products, was Listed"),
        (lambda: design.Extended(products(0), FAMILY, np.eye(4)), "thetas: should have shape"),
        (
            lambda: design.Extended(design.Products([[np.ones((2, 1))]], 1.0), ii.rewards.StateRewards(1), [[1.0]]),
            "family: has discount 1",
        ),
        (lambda: design.ExtendedSearch().find(GREEDY, NOTHING, products(0)), "is for MaximinRegret, was Greedy"),
        (
            lambda: design.ExtendedSearch().find(design.MaximinRegret(), NOTHING, design.Listed(ENVS)),
            "is for Products, were Listed",
        ),
        (
            lambda: design.ExtendedSearch().find(
                design.MaximinRegret(),
                NOTHING,
                type("Dear", (design.Products,), {"price": lambda _, index: 2.0})([[np.eye(1)]], 0.9),
            ),
            "have prices of their own",
        ),
    ],
)
def test_bad_searches_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


labelled = st.integers(0, 10**6).map(
    lambda seed: np.random.default_rng(seed).integers(1 + seed % 5, size=(1 + seed % 12, 2 + seed % 17), dtype=np.int64)
)


@given(labelled, st.integers(0, 100), st.booleans(), st.integers(1, 8))
def test_lazy_choices_are_those_of_plain_greedy(labels, truth, weighted, rounds):
    n = labels.shape[1]
    weights = np.random.default_rng(truth).integers(1, 4, size=n) if weighted else None
    lazy = design.lazy_sequence(labels, truth % n, rounds, weights)
    assert lazy.chosen == design.greedy_sequence(labels, truth % n, rounds, weights)
    assert all(1 <= count <= len(labels) for count in lazy.evaluations)


@given(labelled, st.integers(1, 6), st.booleans())
def test_lazy_sets_are_those_of_plain_greedy(labels, size, weighted):
    weights = np.arange(1.0, labels.shape[1] + 1) if weighted else None
    chosen, values = [], [0.0]
    while len(chosen) < size:
        options = [design.expected_elimination(labels, [*chosen, e], weights) for e in range(len(labels))]
        best = int(np.flatnonzero(np.array(options) >= max(options) - 1e-12)[0])
        if options[best] - values[-1] <= 1e-12:
            break
        chosen.append(best)
        values.append(options[best])
    lazy = design.lazy_set(labels, size, weights)
    assert lazy.chosen == tuple(chosen)
    np.testing.assert_allclose(lazy.gains, np.diff(values), atol=1e-12)


def test_laziness_spares_evaluations():
    """Of 200 environments that each tell few objectives apart, later choices need few looks."""
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 300)) < rng.uniform(0, 0.05, (200, 1))).astype(int)
    lazy = design.lazy_set(labels, 10)
    assert lazy.evaluations[0] == 200
    assert sum(lazy.evaluations[1:]) < 9 * 200 / 4


def test_gains_that_grow_are_noticed():
    with pytest.raises(ValueError, match=r"candidate 1 is .* above its bound"):
        design.lazy_best(np.array([1.0, 0.9]), lambda part: np.array([0.5, 2.0])[part])


def exact_scores(family, rewards, thetas):
    """J* of each theta in each environment and of the mean theta, by enumeration of policies, (C, N) and (C,)."""
    known, mean = [], []
    for index in range(family.size):
        env = family.environment(index)
        best = [brute_q(env, rewards.reward(env, theta)).max(axis=1) for theta in (*thetas, thetas.mean(axis=0))]
        returns = (1 - env.discount) * np.array(best) @ env.initial
        known.append(returns[:-1])
        mean.append(returns[-1])
    return np.array(known), np.array(mean)


def extended_case(seed):
    rng = np.random.default_rng(seed)
    n_states = 3 + seed % 2
    counts = [(2, 3, 1), (2, 2, 1, 3)][seed % 2]
    menus = [rng.dirichlet(np.full(n_states, 0.4), size=(count, 2)) for count in counts]
    family = design.Products(menus, 0.8, rng.dirichlet(np.ones(n_states)))
    rewards = (
        ii.rewards.StateRewards(n_states)
        if seed % 3
        else ii.rewards.TransitionRewards(
            n_states,
            2,
        )
    )
    return family, rewards, rng.uniform(-1, 1, (6, rewards.dim))


@pytest.mark.parametrize("seed", range(4))
def test_extended_value_iteration_is_exact_for_one_reward_and_a_bound_for_all(seed):
    family, rewards, thetas = extended_case(seed)
    known, mean = exact_scores(family, rewards, thetas)
    extended = design.Extended(family, rewards, thetas)
    np.testing.assert_allclose(extended.best(), known.max(axis=0), atol=1e-8)
    np.testing.assert_allclose(extended.worst(), mean.min(), atol=1e-8)
    assert extended.worst() <= mean.min() + 1e-12
    assert extended.upper() >= (known.mean(axis=1) - mean).max()
    halves = known.max(axis=0).mean() - mean.min()
    assert extended.upper() <= halves + 1e-7


@pytest.mark.parametrize("spread", [1.0, 0.1, 0.01])
def test_the_bound_shrinks_with_the_pool(spread):
    """Members within ``spread`` of a middle: nobody can regret more than the difference is worth, twice."""
    family, rewards, thetas = extended_case(1)
    near = np.array([1.0, -0.5, 0.3, 0.2]) + spread * thetas
    known, mean = exact_scores(family, rewards, near)
    upper = design.Extended(family, rewards, near).upper()
    assert (known.mean(axis=1) - mean).max() <= upper <= 2 * spread


def test_the_bound_of_a_single_reward_is_that_nothing_is_unknown():
    family, rewards, thetas = extended_case(1)
    np.testing.assert_allclose(design.Extended(family, rewards, thetas[:1]).upper(), 0, atol=1e-7)


@pytest.mark.parametrize(("seed", "unit"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (0, 1e-7), (1, 1e-7)])
def test_branches_end_at_the_best_environment_and_bounds_hold_on_the_way(seed, unit):
    family, rewards, thetas = extended_case(seed)
    thetas = unit * thetas
    known, mean = exact_scores(family, rewards, thetas)
    values = known.mean(axis=1) - mean
    strategy, ident = design.MaximinRegret(hypotheses=thetas), ii.identified.anything(rewards)
    uppers = []
    for nodes in (1, 4, 10**6):
        search = design.ExtendedSearch(nodes, design.LocalSearch(scored=2, climbs=1))
        found = search.find(strategy, ident, family)
        np.testing.assert_allclose(found.score, values[found.index], atol=1e-8 * unit)
        assert found.upper >= values.max() - 1e-9 * unit
        uppers.append(found.upper)
        if found.exhaustive:
            np.testing.assert_allclose(found.score, values.max(), atol=1e-6 * unit)
    assert uppers == sorted(uppers, reverse=True)
    assert found.exhaustive
    assert "none is better" in str(found)


def test_where_one_block_suits_all_the_first_bound_is_met():
    """A state that offers a safe block or a choice: every objective, and the mean, agree that the choice is better."""
    stay = np.tile(np.eye(3)[0], (2, 1))
    choice = np.eye(3)[[1, 2]]
    ends = [np.tile(np.eye(3)[s], (2, 1)) for s in (1, 2)]
    family = design.Products([[stay, choice], ends[:1], ends[1:]], 0.9, [1.0, 0.0, 0.0])
    thetas = np.array([[0.0, 1.0, -1.0], [0.0, -1.0, 1.0]])
    extended = design.Extended(family, FAMILY, thetas)
    upper, chosen, losses = extended.relaxed(extended.whole)
    assert chosen == (1, 0, 0)
    np.testing.assert_allclose(upper, 0.9, atol=1e-6)
    np.testing.assert_allclose(losses, 0, atol=1e-6)


def test_a_search_with_bounds_beats_scoring_at_random_on_families_too_large_to_list():
    env = builders.random_environment(5, 2, 0.7, seed=3, concentration=0.3)
    others = [builders.random_environment(5, 2, 0.7, seed=s, concentration=0.3) for s in range(4, 8)]
    family = design.Products.of([env, *others])
    rewards = ii.rewards.StateRewards(5)
    strategy = design.MaximinRegret(hypotheses=np.random.default_rng(0).uniform(-1, 1, (20, 5)))
    ident = ii.identified.anything(rewards)
    found = design.ExtendedSearch(20, design.LocalSearch(scored=60, climbs=2)).find(strategy, ident, family)
    rng = np.random.default_rng(1)
    drawn = strategy.score(ident, [family.environment(family.random(rng)) for _ in range(60)])
    assert found.score > drawn.max()
    assert found.score <= found.upper < np.inf
    assert found.size == 5**5
