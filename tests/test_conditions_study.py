"""The study of conditions: its worlds' formulas against brute force, its verdicts on agents whose goal is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from environments import coin_corridor as world
from irl_ident import figures
from irl_ident.agents.policy_gradient import NetworkAgent

pytest.importorskip("matplotlib")

from studies import _conditions_figure as drawing
from studies import _conditions_search as search
from studies import _conditions_selection as selection
from studies import _conditions_summary as sums
from studies import _conditions_training as training
from studies import conditions as study
from studies.study import Settings

positive = st.floats(0.1, 1e4)


@settings(max_examples=60, deadline=None)
@given(count=positive, power=positive, c=st.floats(0.05, 20))
def test_search_power_is_the_best_there_is(count, power, c):
    x = float(search.search_power(count, power, c))
    tried = np.linspace(0, np.sqrt(power / c), 20_001)
    totals = search.total_power(tried, count, power, c)
    best = float(search.total_power(x, count, power, c))
    assert best >= totals.max() - 1e-9 * abs(totals).max()
    assert abs(tried[totals.argmax()] - x) <= 2 * tried[1]


@settings(max_examples=60, deadline=None)
@given(price=st.floats(0.01, 0.5), power=positive, c=st.floats(0.05, 20))
def test_price_of_prevention_is_reached_where_the_formula_says(price, power, c):
    count = search.instances_at_price(price, power, c)
    np.testing.assert_allclose(search.price_of_prevention(count, power, c), price, rtol=1e-9)
    if price == 0.5:
        np.testing.assert_allclose(search.search_power(count, power, c), np.sqrt(power / c))


@pytest.mark.parametrize("discount", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("depth_price", [0.0, 0.05, 0.1])
def test_corners_of_selection_are_those_of_brute_force(discount, depth_price):
    planners = selection.planners(discount)
    shares = np.linspace(0, 1, 201)
    for salience, length_price in ((0.1, 1e-3), (0.2, 1e-2), (0.5, 1e-2), (0.3, 0.0), (0.1, 0.05)):
        places, chosen = planners.corners(salience, length_price, depth_price)
        far = np.min(np.abs(shares[:, None] - np.array([*places, 9.0])), axis=1) > 1e-3
        expected = np.array(chosen)[np.searchsorted(places, shares)]
        lengths = {"nothing": 0.0, "end": 1.0, "coin": 1 / salience**2}
        for share, place in zip(shares[far], expected[far], strict=True):
            scores = [
                (1 - share) * got[0] + share * got[1] - length_price * lengths[name] - depth_price * depth
                for name, depth, got in zip(planners.names, planners.depths, planners.returns, strict=True)
            ]
            np.testing.assert_allclose(scores[place], max(scores), atol=1e-12)


@pytest.mark.parametrize("discount", [0.9, 0.95])
def test_boundary_of_selection_is_the_formula(discount):
    for salience in (0.1, 0.2, 0.5):
        places, chosen = selection.planners(discount).corners(salience, 1e-3)
        names = [selection.planners(discount).names[i] for i in chosen]
        assert names == ["end", "coin"]
        np.testing.assert_allclose(places, selection.boundary_share(salience, 1e-3, discount), rtol=1e-9)
        back = selection.boundary_salience(np.array(places), 1e-3, discount)
        np.testing.assert_allclose(back, salience, rtol=1e-9)


def test_rows_of_selection_name_the_planners_on_both_sides():
    rows = pd.DataFrame(selection.selection_rows(0.95, (0.1, 0.5)))
    free = sums.comparable(rows)
    np.testing.assert_allclose(free["share"], free["formula"], rtol=1e-9)
    assert set(free["below"]) == {"end, 8"}
    assert set(free["above"]) == {"coin, 8"}
    assert set(rows[rows["above"] == "coin, 8"]["true_coin"]) == {1.0}
    hopeless = rows[(rows["salience"] == 0.1) & (rows["length_price"] == 1e-2)]
    assert (hopeless["above"] == "nothing, 0").all()
    assert np.isinf(hopeless["share"]).all()
    told = sums.selections(rows)
    assert told["cases"] == told["as the formula says"] == len(free)


def test_returns_of_planners_that_see_far_enough():
    planners = selection.planners(0.9)
    full = {name: planners.returns[i] for i, name in enumerate(planners.names) if planners.depths[i] == 8}
    np.testing.assert_allclose(full["coin"], [1, selection.gain(0.9)])
    np.testing.assert_allclose(full["end"], [1, 0], atol=1e-12)
    np.testing.assert_allclose(selection.gain(0.9), np.mean([0.9 ** (k - 6) for k in range(1, 7)]))


@pytest.mark.parametrize("discount", [0.8, 0.95])
def test_verdicts_on_built_agents(discount):
    rows = training.built_rows(discount)
    verdicts = [row["verdict"] for row in rows]
    assert verdicts[:2] == ["aligned", "proxy"]
    assert "in between" in verdicts
    for row in rows:
        assert row["coins"] == row["expected_coins"]


class Stubborn(ii.agents.Agent):
    """Goes right in some levels and up at once in the others; or does nothing at all."""

    def __init__(self, moves):
        self.moves = moves

    def policy(self, env):
        table = np.eye(4)[np.full(env.n_states, world.RIGHT)]
        coin = world.coin_column(env)
        if coin in self.moves:
            table[coin] = np.eye(4)[self.moves[coin]]
        return table


def test_who_has_no_single_objective_and_who_cannot_get_there():
    levels = world.levels()
    odd = training.conclude(training.watch(Stubborn({6: world.UP}), levels))
    assert (odd.verdict, odd.coins) == ("no single objective", 1)
    near = training.conclude(training.watch(Stubborn({1: world.UP, 2: world.UP}), levels))
    assert (near.verdict, near.coins) == ("in between", 2)

    class Idle(ii.agents.Agent):
        def policy(self, env):
            return np.eye(4)[np.full(env.n_states, world.LEFT)]

    assert training.conclude(training.watch(Idle(), levels)).verdict == "incapable"


def trained_task(**changed):
    task = {"slice": study.BASE, **study.COMMON, "shares": [0.0, 0.3], "saliences": [0.1, 1.0], "steps": 150}
    return task | {"replicates": [0, 1], "seeds": [5, 6], "looks": [50], **changed}


class Sealed(NetworkAgent):
    """An agent whose record nobody may read."""

    @property
    def training(self):
        raise AssertionError("the record of training was read")


def test_conclusions_are_drawn_without_the_truth():
    cells, agents = training.train(trained_task(shares=[0.3]))
    levels = world.levels()
    for agent in agents:
        sealed = object.__new__(Sealed)
        for name in ("weights", "biases", "observe", "temperature"):
            object.__setattr__(sealed, name, getattr(agent, name))
        object.__setattr__(sealed, "temperature", 0.0)
        with pytest.raises(AssertionError, match="record"):
            _ = sealed.training
        seen = training.watch(sealed, levels)
        assert training.conclude(seen) == training.conclude(training.watch(agent.greedy(), levels))
    assert {cell["salience"] for cell in cells} == {0.1, 1.0}


def test_rows_hold_what_training_paid_for_beside_the_answer():
    rows = training.trained_rows(trained_task())
    assert len(rows) == 2 * 2 * 2 * 2
    assert {(row["true_base_coin"], row["true_base_end"], row["true_base_step"]) for row in rows} == {(1, 0, 0)}
    whole = 0.7 + 0.3 * selection.gain(0.95)
    for row in rows:
        share = row["decorrelated"]
        np.testing.assert_allclose(row["proxy_loses"], 1 - 0.7 / whole if share else 0, atol=1e-12)
        np.testing.assert_allclose(0 <= row["lost"] <= 1, True)
    best = [row for row in rows if row["decorrelated"] == 0.3 and row["salience"] == 1.0 and row["steps"] == 150]
    assert [row["verdict"] for row in best] == ["aligned"] * 2
    np.testing.assert_array_less(0.9, [row["in_pockets"] for row in best])


def test_the_crossing_is_where_half_are_misaligned():
    saliences = np.array([0.1, 0.2, 0.4, 0.8])
    np.testing.assert_allclose(sums.crossing(saliences, np.array([1, 1, 0, 0.0])), np.sqrt(0.08))
    np.testing.assert_allclose(sums.crossing(saliences, np.array([1, 0.4, 0.8, 0.0])), 0.4 * 2 ** (0.1 / 0.6))
    assert sums.crossing(saliences, np.zeros(4)) == 0
    assert sums.crossing(saliences, np.ones(4)) == np.inf


def test_programs_are_tables_planners_and_both():
    found = search.instances(3, 2, 1)
    env, best = found.layouts[0], ii.agents.Optimal(search.family(), found.theta)
    free = ~env.absorbing
    full = search.program(env, found.theta, 0, search.ENTRIES)
    np.testing.assert_allclose(full[free], best.policy(env)[free])
    np.testing.assert_array_equal(search.program(env, found.theta, 0, 0), np.full((env.n_states, 4), 0.25))
    sighted = ii.agents.ShortSighted(search.family(), found.theta, 4).policy(env)
    np.testing.assert_array_equal(search.program(env, found.theta, 4, 0), sighted)
    reward = found.reward(env)
    values = []
    for entries in (0, 2, 5, 9, search.ENTRIES):
        policy = search.program(env, found.theta, 2, entries)
        assert (policy != search.planner(env, found.theta, 2)).any(axis=1).sum() <= entries
        values.append(float(env.initial @ ii.planning.evaluate(env, reward, policy)))
    assert values == sorted(values)
    np.testing.assert_allclose(values[-1], env.initial @ ii.planning.optimal(env, reward).values)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), count=st.sampled_from([1, 3, 20, 300]), power=st.floats(4, 4_000), time=st.floats(0, 3))
def test_selection_of_programs_is_that_of_a_search_through_all(seed, count, power, time):
    entries = tuple(range(12))
    rng = np.random.default_rng(seed)
    bits = (
        np.cumsum(rng.random((len(search.DEPTHS), 12)), axis=1) + np.cumsum(3 * rng.random(len(search.DEPTHS)))[:, None]
    )
    i, j, score = search.selected(bits, entries, count, power, 1.0, time)
    scores = {
        (a, b): bits[a, b] - time * search.DEPTHS[a]
        for a in range(len(search.DEPTHS))
        for b in range(12)
        if (bits[a, 0] - bits[0, 0]) ** 2 + 2 * entries[b] * count <= power
    }
    np.testing.assert_allclose(score, max(scores.values()), atol=1e-8)
    np.testing.assert_allclose(scores[i, j], score)


def test_programs_with_exactly_the_power_of_the_model_are_selected_as_it_says():
    """Where an entry adds its two bits and a planner its own, never too many, selection is the model's."""
    entries = tuple(range(400))
    bits = np.array([[depth + 2 * held for held in entries] for depth in search.DEPTHS], dtype=float)
    for count in (1, 5, 9, 15, 40):
        for power in (10.0, 100.0, 700.0):
            i, _, score = search.selected(bits, entries, count, power, 1.0)
            allowed = [d for d in search.DEPTHS if d**2 <= power]
            totals = [float(search.total_power(d, count, power, 1.0)) for d in allowed]
            assert max(totals) - 2 <= score <= max(totals) + 1e-9
            assert search.total_power(search.DEPTHS[i], count, power, 1.0) >= max(totals) - 2


def test_the_three_cases_of_the_model():
    where = {"c": 1.0, "first": 2.0, "most": np.inf}
    counts, power = np.array([1.0, 3.0, 12.0, 100.0]), np.full(4, 100.0)
    np.testing.assert_array_equal(sums.case_of(counts, power, **where), [0, 1, 2, 2])
    np.testing.assert_array_equal(sums.case_of(counts, np.full(4, 3.0), **where), [0] * 4)
    assert sums.case_of(np.array(3.0), np.array(100.0), 1.0, 2.0, 30.0) == 0


def test_a_full_table_looks_like_a_searcher_only_where_it_was_made():
    found = search.instances(1, 3, 3)
    table = search.seen_of(found, 0, search.ENTRIES)
    planner = search.seen_of(found, 8, 0)
    np.testing.assert_allclose(table["explained"], 1, atol=1e-6)
    assert table["explained_held_out"] < 0.3
    assert planner["explained_held_out"] > 0.9


SLICES = (study.BASE, "weight decay 3", "regret alone")


@pytest.fixture(scope="module")
def table():
    """Three slices of few agents and short training; one draw of task instances, of few N and P."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study, "SLICES", {name: study.SLICES[name] for name in SLICES})
        patched.setattr(study, "COUNTS", (1, 8, 64, 1024))
        patched.setattr(study, "POWERS", (16.0, 256.0, 4096.0))
        patched.setattr(study, "ENTRIES", (0, 5, 10, 19))
        rows = []
        for task in study.tasks(Settings(quick=True)):
            small = {}
            if task["part"] == "trained":
                shares = [0.0, 0.02, 0.06] if task["slice"] == study.BASE else [0.06]
                small = {"shares": shares, "saliences": [0.1, 0.2], "replicates": [0, 1], "seeds": task["seeds"][:2]}
            elif task["part"] == "search":
                if task["replicate"] > 0:
                    continue
                small = {"layouts": 1}
            rows += study.run(task | small)
        yield pd.DataFrame(rows)


def test_claims_hold_on_a_tiny_run(table):
    summary = study.summarise(table)
    claims = {row["claim"]: row for row in summary["claims"]}
    assert all(row["of"] > 0 for row in claims.values())
    for words in ("built agents", "without decorrelated", "at salience .1", "misaligned agents are capable"):
        (row,) = [row for claim, row in claims.items() if claim.startswith(words)]
        assert row["held"] == row["of"], words
    size = {(row["slice"], row["steps"]): row for row in summary["sizes"]}
    assert size["regret alone", 1_000]["size"] == 0
    assert size[study.BASE, 1_000]["more"] == 0
    assert size[study.BASE, 300]["size"] == 1
    assert summary["verdicts"]["incapable"] == 0
    assert {row["case"] for row in summary["search"]} <= set(sums.CASES)


def test_sizes_and_boundaries_do_not_depend_on_the_order_of_rows(table):
    trained = table[table["part"] == "trained"]
    shuffled = trained.sample(frac=1, random_state=0)
    by_name = [
        {(row["slice"], row["steps"]): row for row in sums.sizes(rows, study.BASE)} for rows in (trained, shuffled)
    ]
    assert by_name[0] == by_name[1]


def test_findings_are_plain_sentences_with_finite_numbers(table):
    told = study.findings(study.summarise(table))
    assert 2 <= len(told) <= 6
    for sentence in told:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "nan" not in sentence
        assert "inf " not in sentence


def test_figure_draws_what_the_summary_says(table):
    summary = study.summarise(table)
    with figures.style():
        whole = study.draw(table, summary)
        _, ((ax,),) = figures.panels(1, 1)
        cells = [row for row in summary["phases"] if row["slice"] == study.BASE and row["steps"] == 300]
        drawing.draw_phases(ax, cells, summary["boundaries"][:3])
    assert len(whole.axes) == 5
    (image,) = ax.get_images()
    np.testing.assert_array_equal(image.get_array()[:, 0], [1, 1])
    assert "300 steps, 2 seeds a cell" in ax.get_title(loc="left")


def test_twenty_seeds_that_are_independent_of_the_slice():
    planned = [task for task in study.tasks(Settings()) if task["part"] == "trained"]
    by_slice = {name: [seed for t in planned if t["slice"] == name for seed in t["seeds"]] for name in study.SLICES}
    assert all(len(set(seeds)) == 20 for seeds in by_slice.values())
    assert len({tuple(seeds) for seeds in by_slice.values()}) == 1
