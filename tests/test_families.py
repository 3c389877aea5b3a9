"""Families of environments: every one enumerated on tiny cases and held to what brute force builds."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import random_environment

import irl_ident as ii
from environments import object_grid
from irl_ident import builders, design
from irl_ident.design.families import numbering

ENVS = [random_environment(seed, 3, 2) for seed in range(3)]


def change(name, env, other, price=1.0):
    return design.Intervention.towards(name, env, other, price)


def partly(env, other, rows):
    """``env`` with some rows of ``other``."""
    table = env.dense().reshape(-1, env.n_states)
    table[rows] = other.dense().reshape(-1, env.n_states)[rows]
    return ii.Environment(table.reshape(env.dense().shape), env.discount)


CHANGES = (
    change("door", ENVS[0], partly(ENVS[0], ENVS[1], [0, 1]), 2.0),
    change("key", ENVS[0], partly(ENVS[0], ENVS[1], [4]), 0.5),
    change("trap", ENVS[0], partly(ENVS[0], ENVS[2], [1, 5]), 1.0),
)
BONUS = np.random.default_rng(5).normal(size=(2, 3, 2))
FAMILIES = {
    "listed": design.Listed(ENVS, [1.0, 2.0, 0.5]),
    "products": design.Products.of(ENVS),
    "uneven products": design.Products([ENVS[0].dense()[[0, 1]], ENVS[1].dense()[[0]], ENVS[2].dense()], 0.8),
    "mixtures": design.Mixtures(ENVS, 3),
    "layouts": design.Layouts("..\n..", 0.9, walls=1, objects=["food", "water"], slip=0.2),
    "full layouts": design.Layouts("a.a\n..a", 0.9, walls=2, objects=["food"], slots="a"),
    "starts": design.Starts(ENVS[0]),
    "stacked": design.Discounts(design.Starts(design.Listed(ENVS[:2]), [0, 2]), [0.3, 0.6, 0.9]),
    "interventions": design.Interventions(ENVS[0], CHANGES, most=2, base_price=0.25),
    "added rewards": design.AddedRewards(design.Listed(ENVS[:2]), [BONUS, BONUS[:1] * 2, BONUS[::-1]]),
}


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def family(request):
    return request.param


def same(env, other):
    return (
        np.allclose(env.dense(), other.dense(), atol=1e-12)
        and np.allclose(env.initial, other.initial, atol=1e-12)
        and (env.discount, env.states, env.actions) == (other.discount, other.states, other.actions)
    )


def test_every_family_is_one(family):
    assert isinstance(family, design.EnvironmentFamily)
    assert not isinstance(ENVS, design.EnvironmentFamily)
    environments = [family.environment(index) for index in range(family.size)]
    assert {(env.states, env.n_actions) for env in environments} == {
        (environments[0].states, environments[0].n_actions)
    }
    assert [family.environment(index).digest for index in range(family.size)] == [env.digest for env in environments]
    assert len({env.digest for env in environments}) == family.size
    assert all(family.price(index) > 0 for index in range(family.size))


def test_neighbours_are_mutual_and_lead_everywhere(family):
    near = [list(family.neighbours(index)) for index in range(family.size)]
    for index, found in enumerate(near):
        assert len(set(found)) == len(found)
        assert index not in found
        assert all(index in near[other] for other in found)
        assert near[index] == list(family.neighbours(index))
    reached, frontier = {0}, [0]
    while frontier:
        new = set(near[frontier.pop()]) - reached
        reached |= new
        frontier += sorted(new)
    assert reached == set(range(family.size))


def test_random_indices_reach_all_and_nothing_else(family):
    rng = np.random.default_rng(0)
    assert {family.random(rng) for _ in range(20 * family.size)} == set(range(family.size))


@pytest.mark.parametrize("index", [-1, "size", 0.5])
def test_indices_that_are_none_are_refused(family, index):
    wrong = family.size if index == "size" else index
    for ask in (family.environment, family.neighbours):
        with pytest.raises(ValueError, match=r"index: was .* should be a whole number from 0"):
            ask(wrong)


def test_products_are_all_choices_of_blocks():
    menus = [ENVS[0].dense()[[0, 1]], ENVS[1].dense()[[0]], ENVS[2].dense()]
    family = design.Products(menus, 0.8, [0.2, 0.3, 0.5], states=["x", "y", "z"], actions=["l", "r"])
    for index, blocks in enumerate(product(*menus)):
        env = family.environment(index)
        names = {"states": ["x", "y", "z"], "actions": ["l", "r"]}
        assert same(env, ii.Environment(np.array(blocks), 0.8, [0.2, 0.3, 0.5], **names))
        assert family.index(family.chosen(index)) == index
        differ = [
            sum(a != b for a, b in zip(family.chosen(index), family.chosen(other), strict=True))
            for other in family.neighbours(index)
        ]
        assert differ == [1] * (1 + 0 + 2)


def test_products_of_environments_hold_each_of_them_and_equal_blocks_once():
    table = ENVS[1].dense()
    table[2] = ENVS[0].dense()[2]
    family = design.Products.of([ENVS[0], ii.Environment(table, 0.9)])
    assert family.choices == (2, 2, 1)
    assert same(family.environment(family.layer(0)), ENVS[0])
    assert same(family.environment(family.layer(1)), ii.Environment(table, 0.9))


def test_mixtures_are_all_weights_in_parts():
    family = design.Mixtures(ENVS, 4)
    weights = [family.weights(index) for index in range(family.size)]
    expected = {w for w in product(range(5), repeat=3) if sum(w) == 4}
    assert {tuple(np.rint(4 * w).astype(int).tolist()) for w in weights} == expected
    for index, w in enumerate(weights):
        mixed = sum(share * env.dense() for share, env in zip(w, ENVS, strict=True))
        np.testing.assert_allclose(family.environment(index).dense(), mixed, atol=1e-12)
        for other in family.neighbours(index):
            np.testing.assert_allclose(np.sort(weights[other] - w), [-0.25, 0, 0.25], atol=1e-12)


def test_mixtures_mix_the_start():
    first, second = design.Starts(ENVS[0], [0]).environment(0), design.Starts(ENVS[1], [2]).environment(0)
    family = design.Mixtures([first, second], 2)
    starts = {tuple(family.environment(index).initial.tolist()) for index in range(3)}
    assert starts == {(1.0, 0.0, 0.0), (0.5, 0.0, 0.5), (0.0, 0.0, 1.0)}


def test_layouts_are_the_object_grids_of_the_studies():
    """A wall and two objects on 3x3: all placements once, every seventh held to a builder that shares no code."""
    names = ["food", "water"]
    family = design.Layouts("...\n...\n...", 0.9, walls=1, objects=names, slip=0.1)
    found = []
    for index in range(family.size):
        held = family.contents(index)
        wall, *objects = (int(np.flatnonzero(held == thing)[0]) for thing in (-1, 0, 1))
        assert family.index(held) == index
        found.append((wall, *objects))
        if index % 7 == 0:
            layout = object_grid.Layout(3, frozenset([wall]), tuple(objects))
            assert same(family.environment(index), object_grid.build(layout, names, slip=0.1, discount=0.9))
            assert len(family.neighbours(index)) == 9 * 8 / 2 - 6 * 5 / 2
    assert sorted(found) == sorted(permutations(range(9), 3))


def test_layouts_of_walls_are_grids_with_their_walls_put_back_as_states():
    family = design.Layouts("S.#\n.G.", 0.9, walls=2, slip=0.3, absorbing="G", start="S")
    plain = family.plain
    assert family.places.tolist() == [1, 2, 4]
    for index in range(family.size):
        env, table = family.environment(index), family.environment(index).dense()
        grid = builders.grid(family.picture(index), 0.9, slip=0.3, absorbing="G", start="S")
        free = [plain.positions.tolist().index(place) for place in grid.positions.tolist()]
        walls = np.setdiff1d(np.arange(5), free)
        np.testing.assert_allclose(table[np.ix_(free, range(4), free)], grid.environment.dense(), atol=1e-12)
        np.testing.assert_array_equal(env.initial[free], grid.environment.initial)
        np.testing.assert_array_equal(table[walls][:, 0], np.eye(5)[walls])
        assert env.absorbing[walls].all()
        assert not table[np.ix_(free, range(4), walls)].any()


def test_a_reward_means_the_same_in_every_layout():
    """What an object is worth carries over: an agent walks to the better one wherever it lies."""
    family = design.Layouts("....", 0.9, objects=["food", "water"])
    rewards = ii.rewards.StateRewards(6)
    agent = ii.agents.Optimal(rewards, [0, 0, 0, 0, 1.0, 0.1])
    for index in range(family.size):
        food, water = (int(np.flatnonzero(family.contents(index) == each)[0]) for each in (0, 1))
        right = agent.policy(family.environment(index))[:, 1]
        for cell in set(range(4)) - {food, water}:
            blocked = min(cell, food) < water < max(cell, food)
            goal = water if blocked else food
            assert right[cell] == float(goal > cell)


def test_starts_that_a_layout_covers_are_left_out():
    family = design.Layouts("SS.", 0.9, walls=1, slots="S", start="S")
    assert [family.environment(index).initial.tolist() for index in range(2)] == [[0, 1, 0], [1, 0, 0]]
    all_covered = design.Layouts("S.G", 0.9, walls=1, slots="S", start="S", absorbing="G")
    assert all_covered.environment(0).initial.tolist() == [0, 1, 0]
    only_goal = design.Layouts("SG", 0.9, walls=1, slots="S", start="S", absorbing="G")
    assert only_goal.environment(0).initial.tolist() == [0, 1]


def test_variations_stack():
    family = FAMILIES["stacked"]
    expected = [
        ii.Environment(env.transitions, discount, np.eye(3)[start])
        for env in ENVS[:2]
        for start in (0, 2)
        for discount in (0.3, 0.6, 0.9)
    ]
    assert all(same(family.environment(index), env) for index, env in enumerate(expected))
    assert sorted(family.neighbours(1)) == [0, 2, 4, 7]


def test_starts_may_be_distributions():
    starts = [[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]
    family = design.Starts(ENVS[0], starts)
    assert [family.environment(index).initial.tolist() for index in range(2)] == starts


def test_interventions_are_all_small_sets_of_changes_with_their_prices():
    family = FAMILIES["interventions"]
    sets = [made for count in range(3) for made in combinations(range(3), count)]
    assert Counter(family.made(index) for index in range(family.size)) == Counter(sets)
    for index in range(family.size):
        table, made = ENVS[0].dense().reshape(6, 3), family.made(index)
        for place in made:
            table[CHANGES[place].rows] = CHANGES[place].transitions.toarray()
        np.testing.assert_allclose(family.environment(index).dense().reshape(6, 3), table, atol=1e-12)
        assert family.price(index) == 0.25 + sum(CHANGES[place].price for place in made)
        for other in family.neighbours(index):
            gone, new = set(made) - set(family.made(other)), set(family.made(other)) - set(made)
            assert max(len(gone), len(new)) == 1


def test_a_listed_family_has_its_prices():
    assert [FAMILIES["listed"].price(index) for index in range(3)] == [1.0, 2.0, 0.5]
    assert design.Listed(ENVS).price(1) == design.Products.of(ENVS).price(1) == 1.0


def test_families_too_large_to_list_work_by_number():
    family = design.Products.of([random_environment(seed, 300, 2) for seed in range(3)])
    assert family.size == 3**300
    index = family.random(np.random.default_rng(0))
    assert index > 10**100
    assert family.index(family.chosen(index)) == index
    assert len(family.neighbours(index)) == 600
    assert same(family.environment(family.layer(2)), random_environment(2, 300, 2))
    with pytest.raises(ValueError, match=r"from 0 to 1\.37e\+143"):
        family.environment(family.size)


@given(st.integers(0, 7), st.integers(0, 7))
def test_numbers_of_subsets_and_arrangements(n, size):
    size = min(n, size)
    subsets = [numbering.subset(rank, size) for rank in range(numbering.comb(n, size))]
    assert sorted(subsets) == sorted(combinations(range(n), size))
    assert [numbering.subset_rank(each) for each in subsets] == list(range(len(subsets)))
    if n <= 5:
        orders = list(permutations(range(n), size))
        assert [numbering.arrangement(rank, n, size) for rank in range(len(orders))] == orders
        assert [numbering.arrangement_rank(each, n) for each in orders] == list(range(len(orders)))


@given(st.integers(0, 10**40), st.integers(1, 30))
def test_large_ranks_come_back(rank, size):
    members = numbering.subset(rank, size)
    assert len(set(members)) == size
    assert list(members) == sorted(members)
    assert numbering.subset_rank(members) == rank


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.data())
def test_numbers_of_choices_come_back(bases, data):
    index = data.draw(st.integers(0, int(np.prod(bases, dtype=object)) - 1))
    chosen = numbering.digits(index, bases)
    assert all(0 <= digit < base for digit, base in zip(chosen, bases, strict=True))
    assert numbering.composed(chosen, bases) == index


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_numbers_of_parts_come_back(shares):
    rank = numbering.parts_rank(shares)
    assert numbering.parts(rank, sum(shares), len(shares)) == tuple(shares)
    assert 0 <= rank < numbering.comb(sum(shares) + len(shares) - 1, len(shares) - 1)


@given(st.integers(0, 2**200))
def test_written_numbers_come_back(number):
    assert numbering.number_of(numbering.written(number)) == number


def test_huge_indices_are_drawn_evenly():
    """Thirds of a range beyond 64 bits, 3,000 draws: each share within four standard errors of a third."""
    size, rng = 3 * 2**80 + 3, np.random.default_rng(1)
    drawn = [numbering.drawn(rng, size) for _ in range(3000)]
    assert max(drawn) < size
    counts = np.bincount([index * 3 // size for index in drawn], minlength=3)
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(3000 * 2 / 9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.Listed([]), "environments: is empty"),
        (lambda: design.Listed([ENVS[0], random_environment(0, 4, 2)]), r"environments\[1\]: has 4 states"),
        (lambda: design.Listed(ENVS, [1, 2]), r"prices: should have shape \(3,\)"),
        (lambda: design.Listed(ENVS, [1, 0, 2]), r"prices\[1\]: was .*0.*above 0"),
        (lambda: design.Products([[np.eye(2)], []], 0.9), r"at least one block .* states \[1\]"),
        (lambda: design.Products([[np.eye(2)], [np.eye(3)]], 0.9), r"menus\[1\]\[0\]: should have shape \(A, 2\)"),
        (lambda: design.Products([[np.eye(2)], [np.eye(2), 2 * np.eye(2)]], 0.9), "sums to 2.0"),
        (lambda: design.Products.of([ENVS[0], builders.discounted(ENVS[1], 0.5)]), "another discount or start"),
        (lambda: design.Mixtures(ENVS, 0), "parts: was 0"),
        (lambda: design.Mixtures([ENVS[0], builders.discounted(ENVS[1], 0.5)], 2), "has discount 0.5"),
        (lambda: design.Starts(ENVS[0], [3]), r"starts: should be states in 0\.\.2"),
        (lambda: design.Starts(ENVS[0], [[1, 1, 0]]), r"starts\[0\]: sums to 2"),
        (lambda: design.Starts(ENVS).size, "base: should be an Environment or an EnvironmentFamily, was list"),
        (lambda: design.Discounts(ENVS[0], [0.9, 0.5]), "discounts: should be at least one, ascending"),
        (lambda: design.Discounts(ENVS[0], [0.5, 1.0]), "discount: 1 needs"),
        (lambda: design.Layouts("...", 0.9, walls=-1), "walls: was -1"),
        (lambda: design.Layouts("...", 0.9, walls=2, objects="ab"), "4 walls and objects do not fit on 3 slots"),
        (lambda: design.Layouts("...", 0.9, walls=3), "cover the whole map"),
        (lambda: design.Layouts("...", 0.9, walls=1, slots="w"), "slots: 'w' marks no cell"),
        (lambda: design.Interventions(ENVS[0], CHANGES, most=4), "most: was 4, should be at most 3"),
        (lambda: design.Interventions(ENVS[0], CHANGES, base_price=0), "base_price: was 0"),
        (lambda: design.Intervention("x", [0, 0], np.eye(3)[:2]), "rows: should be different"),
        (lambda: design.Intervention("x", [0], np.eye(3)), "transitions: should have 1 rows"),
        (lambda: design.Intervention("x", [0], np.eye(3)[:1], 0), "price: was 0"),
        (
            lambda: design.Interventions(ENVS[0], [design.Intervention("x", [0], [[1.0, 1.0, 0.0]])]),
            r"changes\[0\]: 'x': transitions\[0, 0\] sums to 2",
        ),
        (
            lambda: design.Interventions(ENVS[0], [design.Intervention("x", [6], np.eye(3)[:1])]),
            r"changes\[0\]: 'x' should change rows below 6",
        ),
        (lambda: design.AddedRewards(ENVS[0], []), "menus: is empty"),
        (lambda: design.AddedRewards(ENVS[0], [np.ones((3, 2))]), r"menus\[0\]: should have shape \(m, 3, 2\)"),
        (lambda: design.AddedRewards(ENVS[0], [np.full((1, 3, 2), np.inf)]), r"menus\[0\]: should be finite"),
    ],
)
def test_bad_families_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
