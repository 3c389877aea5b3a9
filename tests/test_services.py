"""Chains of services against nested searches that plan and evaluate one policy at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident import planning
from irl_ident.agents.services import Commissioned, ServiceChain, first_best, leaf_actions
from irl_ident.design.behaviour import behaviour_classes
from irl_ident.design.strategies.partitions import information_scores

FAMILY = ii.rewards.StateRewards(5)


def worlds(seed, count=2):
    return [ii.builders.random_environment(5, 3, 0.8, np.random.SeedSequence([seed, n])) for n in range(count)]


def chain(seed, sizes=(3, 4, 2), horizon=2, **more):
    rng = np.random.default_rng(seed)
    return ServiceChain(FAMILY, [rng.normal(size=(n, 5)) for n in sizes], worlds(seed), horizon, **more)


def leaf(theta, horizon):
    return ii.agents.Optimal(FAMILY, theta) if horizon is None else ii.agents.ShortSighted(FAMILY, theta, horizon)


def outcome(made, menus, theta):
    """By brute force: the objective of the leaf that a layer with objective ``theta`` and these menus below ends in."""
    if not menus:
        return theta

    def worth(item):
        acting = leaf(outcome(made, menus[1:], item), made.horizon)
        values = [
            env.initial @ planning.evaluate(env, FAMILY.reward(env, theta), acting.policy(env))
            for env in made.environments
        ]
        return float(np.dot(made.shares, values))

    return outcome(made, menus[1:], max(menus[0], key=worth))


@pytest.mark.parametrize("horizon", [1, 2, 3, None])
def test_chains_end_where_nested_search_ends(horizon):
    for seed in range(3):
        made = chain(seed, horizon=horizon, shares=[0.3, 0.7])
        for theta in np.random.default_rng([seed, 9]).normal(size=(3, 5)):
            last = Commissioned(made, theta)
            np.testing.assert_array_equal(last.objectives[-1], outcome(made, made.menus, theta))
            env = made.environments[0]
            np.testing.assert_array_equal(last.policy(env), leaf(last.objectives[-1], horizon).policy(env))


def test_leaves_of_many_objectives_act_as_each_does():
    env, many = worlds(1)[0], np.random.default_rng(0).normal(size=(20, 5))
    many[0] = 0
    many[1] = np.eye(5)[2]
    for horizon in (1, 2, 4, None):
        acts = leaf_actions(env, FAMILY, many, horizon)
        for theta, own in zip(many, acts, strict=True):
            np.testing.assert_array_equal(planning.uniform_over(own), leaf(theta, horizon).policy(env))


def test_counts_give_returns():
    made = chain(3)
    objectives = np.random.default_rng(1).normal(size=(4, 5))
    counts = made.leaf_counts(objectives)
    for theta, own in zip(objectives, counts, strict=True):
        expected = [
            env.initial @ planning.evaluate(env, FAMILY.reward(env, theta), leaf(theta, 2).policy(env))
            for env in made.environments
        ]
        assert theta @ own == pytest.approx(np.mean(expected), rel=1e-10)


def test_choices_from_any_layer_are_those_of_the_rest_of_the_chain():
    made = chain(4)
    many = np.random.default_rng(2).normal(size=(6, 5))
    for layer in range(made.depth + 1):
        rest = ServiceChain(FAMILY, made.menus[layer:], made.environments, 2)
        np.testing.assert_array_equal(made.chosen(many, layer), rest.chosen(many))
    assert made.chosen(many, made.depth).shape == (6, 0)
    for theta, places in zip(many, made.chosen(many), strict=True):
        np.testing.assert_array_equal(Commissioned(made, theta).places, places)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, None]))
def test_bits_never_rise_down_a_chain_and_are_bounded_by_every_menu(seed, horizon):
    made = chain(seed, sizes=(4, 3, 4), horizon=horizon)
    tops = np.random.default_rng([seed, 1]).normal(size=(16, 5))
    places = made.chosen(tops)
    last = made.menus[-1][places[:, -1]]
    acts = np.concatenate([leaf_actions(env, FAMILY, last, horizon).reshape(16, -1) for env in worlds(seed, 4)], axis=1)
    steps = [places[:, [layer]] for layer in range(3)] + [acts]
    bits = [4.0, *(float(information_scores(behaviour_classes(step)[None])[0]) for step in steps)]
    assert (np.diff(bits) <= 1e-12).all()
    assert bits[-1] <= np.log2(3) + 1e-12


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_within_reach_shrinks_and_holds_all_that_is_chosen(seed):
    made = chain(seed, sizes=(3, 5, 6))
    reach = [set(places.tolist()) for places in made.within_reach]
    assert reach[0] <= reach[1] <= reach[2] == set(range(6))
    chosen = made.chosen(np.random.default_rng(seed).normal(size=(30, 5)))[:, -1]
    assert set(chosen.tolist()) <= reach[0]


def test_bits_can_rise_with_another_layer_between_chains():
    """Of three services all tops choose the first; a layer more leaves the other two, between which tops part."""
    one = ii.Environment(np.ones((1, 3, 1)), 0.0)
    family = ii.rewards.StateActionRewards(1, 3)
    services = np.eye(3)
    tops = np.array([[1.0, 0.9, 0.0], [1.0, 0.0, 0.9]])
    short = ServiceChain(family, [services], [one])
    long = ServiceChain(family, [services[1:], services], [one])
    assert short.chosen(tops)[:, -1].tolist() == [0, 0]
    assert long.chosen(tops)[:, -1].tolist() == [1, 2]


def test_one_menu_for_all_layers_loses_nothing_after_the_first_where_the_leaf_plans_optimally():
    menu = np.random.default_rng(5).normal(size=(8, 5))
    tops = np.random.default_rng(6).normal(size=(20, 5))
    made = ServiceChain(FAMILY, [menu] * 4, worlds(5), None)
    places = made.chosen(tops)
    acts = [leaf_actions(env, FAMILY, menu, None).reshape(8, -1) for env in made.environments]
    classes = behaviour_classes(np.concatenate(acts, axis=1))
    assert (classes[places] == classes[places[:, :1]]).all()


def test_ties_go_to_the_first_on_the_menu():
    assert first_best(np.array([[1.0, 1.0 + 1e-14, 0.0], [0.0, 2.0, 2.0], [3.0, 3.0, 3.0]])).tolist() == [0, 1, 0]
    assert first_best(np.array([[0.0, 1e-3, 1.0], [1.0, 1.0 + 1e-6, 0.0]])).tolist() == [2, 1]
    menu = np.random.default_rng(7).normal(size=(3, 5))
    doubled = np.concatenate([menu, 2 * menu, menu + 1])
    made = ServiceChain(FAMILY, [doubled], worlds(7), 2)
    chosen = made.chosen(np.random.default_rng(8).normal(size=(40, 5)))[:, 0]
    assert set(chosen.tolist()) <= {0, 1, 2}
    assert len(set(chosen.tolist())) > 1


def test_a_layer_that_pursues_something_else_changes_what_comes_after_it_and_nothing_before():
    made, theta = chain(9, sizes=(6, 6, 6)), np.ones(5)
    other = np.random.default_rng(10).normal(size=5)
    plain = Commissioned(made, theta)
    for layer in (1, 2):
        turned = Commissioned(made, theta, {layer: other})
        np.testing.assert_array_equal(turned.places[:layer], plain.places[:layer])
        np.testing.assert_array_equal(turned.places[layer:], made.chosen(other[None], layer)[0])
        np.testing.assert_array_equal(turned.objectives[layer], other)
        np.testing.assert_array_equal(turned.handed[layer], plain.handed[layer])
    acting = Commissioned(made, theta, {3: other})
    np.testing.assert_array_equal(acting.places, plain.places)
    env = made.environments[1]
    np.testing.assert_array_equal(acting.policy(env), leaf(other, 2).policy(env))


def test_the_top_may_act_itself():
    theta = np.arange(5.0)
    alone = Commissioned(ServiceChain(FAMILY, [], worlds(0), 2), theta)
    assert alone.places.shape == (0,)
    np.testing.assert_array_equal(alone.objectives, theta[None])
    np.testing.assert_array_equal(alone.policy(worlds(0)[0]), leaf(theta, 2).policy(worlds(0)[0]))
    assert alone.chain.within_reach == ()


def test_a_leaf_that_sees_two_steps_is_better_off_with_a_trail_than_with_the_goal():
    """A corridor of six cells, the goal at its end and paid there: a trail leads there, for which nobody else asks.

    Who sees two steps and is paid at the goal alone wanders until it stands beside it; on a trail it needs five steps.
    """
    n, g = 6, 0.9
    here = np.arange(n)
    moves = np.stack([np.maximum(here - 1, 0), np.minimum(here + 1, n - 1)], axis=1)
    corridor = ii.Environment(np.eye(n)[moves], g, np.eye(n)[0])
    goal, trail = np.eye(n)[-1], here / n
    family = ii.rewards.StateRewards(n)
    wandering = np.full((n, 2), 0.5)
    wandering[-2:] = [0, 1]
    for horizon, place, worth in (
        (2, 1, g ** (n - 1) / (1 - g)),
        (n, 0, g ** (n - 1) / (1 - g)),
        (None, 0, g ** (n - 1) / (1 - g)),
    ):
        made = ServiceChain(family, [np.array([goal, trail])], [corridor], horizon)
        assert made.chosen(goal[None]).tolist() == [[place]]
        assert goal @ made.counts[0][place] == pytest.approx(worth, rel=1e-9)
    alone = ServiceChain(family, [], [corridor], 2).leaf_counts(goal[None])[0] @ goal
    assert alone == pytest.approx(planning.evaluate(corridor, np.repeat(goal[:, None], 2, axis=1), wandering)[0])
    assert alone < 0.5 * g ** (n - 1) / (1 - g)


def test_what_the_last_service_pursues_is_what_is_scored():
    made = chain(2)
    last = Commissioned(made, np.ones(5))
    env = made.environments[0]
    np.testing.assert_array_equal(last.mesa_objective(env), FAMILY.reward(env, last.objectives[-1]))
    told = ii.score(ii.solvers.AnalyticCenter().fit([(env, last.policy(env))], FAMILY), last, env)
    assert 0 <= told.starc <= 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ServiceChain(FAMILY, [np.ones((2, 4))], worlds(0)), r"menus\[0\]: should have shape \(N, 5\)"),
        (lambda: ServiceChain(FAMILY, [np.ones((0, 5))], worlds(0)), r"menus\[0\]: is empty"),
        (lambda: ServiceChain(FAMILY, [np.full((1, 5), np.nan)], worlds(0)), "should be finite"),
        (lambda: ServiceChain(FAMILY, [], []), "environments: is empty"),
        (lambda: ServiceChain(FAMILY, [], worlds(0), 0), "horizon: was 0"),
        (lambda: ServiceChain(FAMILY, [], worlds(0), shares=[0.5, 0.6]), "shares: should be 2 numbers"),
        (lambda: chain(0).chosen(np.ones((1, 5)), 4), "layer: was 4, should be from 0 to 3"),
        (lambda: Commissioned(chain(0), np.ones(5), {0: np.ones(5)}), "layer 0 should be from 1 to 3"),
    ],
)
def test_malformed_chains_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
