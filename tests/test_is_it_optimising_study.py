"""The study of optimisers: its layouts, systems and scores, against planning and each other; summary and figure."""

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import planning

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from irl_ident import figures  # noqa: E402
from irl_ident.goal_directedness import meg_family  # noqa: E402
from studies import _is_it_optimising as worlds  # noqa: E402
from studies import _is_it_optimising_curves as curves  # noqa: E402
from studies import _is_it_optimising_figure as drawing  # noqa: E402
from studies import _is_it_optimising_scores as scores  # noqa: E402
from studies import is_it_optimising as study  # noqa: E402
from studies.study import Settings  # noqa: E402


@pytest.fixture(scope="module")
def found():
    return worlds.worlds(7)


def test_layouts_differ_and_the_deceiver_wants_something_else(found):
    assert len({env.digest for env in (*found.layouts, *found.held_out)}) == worlds.LAYOUTS + worlds.HELD_OUT
    assert sorted(found.theta) == sorted(found.own)
    assert found.theta.max() == found.own.max() == 1
    assert found.theta.argmax() != found.own.argmax()


def test_planners_are_as_good_as_they_should_be(found):
    planned = worlds.planners(found)
    env = found.layouts[2]
    best = worlds.optimal_actions(env, found.reward(env))
    right = [worlds.accuracy(env, policies[2], best) for policies in planned.values()]
    assert right[0] == pytest.approx(1)
    assert right == sorted(right, reverse=True)
    for policies in planned.values():
        np.testing.assert_allclose(policies[2][env.absorbing], 0.25)


def test_tables_are_as_accurate_as_their_planner_on_average(found):
    env = found.layouts[0]
    best = worlds.optimal_actions(env, found.reward(env))
    policy = worlds.planners(found)["soft, 0.3"][0]
    wanted = worlds.accuracy(env, policy, best)
    drawn = [worlds.table_as_accurate(found, policy, np.random.default_rng(seed)) for seed in range(300)]
    right = [worlds.accuracy(env, table, best) for table in drawn]
    assert abs(np.mean(right) - wanted) < 4 * np.std(right) / np.sqrt(len(right))
    cells = int((env.initial > 0).sum())
    assert np.ptp(right) < 1 / cells + 1e-9
    assert ((drawn[0] == 0) | (drawn[0] == 1)).all()


def test_q_learning_is_paid_what_the_objective_pays(found):
    """Paying on arrival what a thing would pay for ever changes no return, but in the first step of an episode."""
    env = found.layouts[0]
    rng = np.random.default_rng(0)
    worth = np.where(env.absorbing, found.reward(env).max(axis=1), 0.0)
    paid = (env.transitions @ worth).reshape(env.n_states, 4) * worlds.DISCOUNT / (1 - worlds.DISCOUNT)
    paid[env.absorbing] = 0
    for _ in range(5):
        policy = rng.dirichlet(np.ones(4), env.n_states)
        returns = [env.initial @ planning.evaluate(env, reward, policy) for reward in (found.reward(env), paid)]
        np.testing.assert_allclose(*returns)
    right = worlds.accuracy(
        env, worlds.q_learning(found, env, 3_000, 0), worlds.optimal_actions(env, found.reward(env))
    )
    assert right > 0.5


def test_a_path_is_known_by_heart_and_nothing_else(found):
    env = found.layouts[0]
    table = worlds.path(found, np.random.default_rng(0))
    known = (table == 1).any(axis=1)
    assert 0 < known.sum() < (env.initial > 0).sum()
    np.testing.assert_array_equal(table[~known], 0.25)
    best = worlds.optimal_actions(env, found.reward(env))
    assert (table * best)[known].sum(axis=1).min() == 1


def test_systems_do_what_their_names_say(found, monkeypatch):
    monkeypatch.setattr(worlds, "TRAINING", 50)
    systems = worlds.systems(found, 0)
    assert len(systems) == sum(drawing.GROUPS.values())
    own = ii.agents.Optimal(worlds.family(), found.own)
    for place, env in enumerate(found.layouts):
        flagged = worlds.idle([env], [own.policy(env)])[0]
        played = flagged if worlds.is_flagged(place) else systems["optimal"][place]
        np.testing.assert_array_equal(systems["deceiver"][place], played)
    free = np.all([~env.absorbing for env in found.layouts], axis=0)
    for name in list(systems)[-7:]:
        assert all((policy[free] == systems[name][0][free]).all() for policy in systems[name])


def test_nats_of_pairs_are_those_of_the_family_of_all_rewards(found):
    policies = worlds.planners(found)["soft, 0.3"]
    told = scores.directed(found, policies, 1, ("things",))
    env = found.layouts[0]
    all_rewards = meg_family([(env, policies[0])], ii.rewards.StateActionRewards(env.n_states, 4))
    assert all_rewards.lower - 1e-9 <= told["pairs"] <= all_rewards.upper + 1e-9
    assert told["explained"] == pytest.approx(1)


def test_what_is_recovered_from_an_optimal_agent_wins_elsewhere(found):
    told = scores.directed(found, worlds.planners(found)["optimal"], worlds.LAYOUTS, ("things",))
    pursuing = np.array(told["recovered"])
    assert scores.won(found, found.theta, found.theta) == pytest.approx(1)
    assert scores.won(found, found.theta, np.zeros(4)) == pytest.approx(0)
    assert scores.won(found, found.theta, pursuing) > 0.95
    used = scores.featured(found, found.theta)
    assert used["without_best"] > max(used["without_middle"], used["without_worst"], 0.01)


def test_random_play_is_an_agent_only_for_who_has_nothing_to_reach(found):
    even = worlds.same_table(found, np.full((worlds.CELLS + 3, 4), 0.25))
    told = scores.device(found, even, worlds.LAYOUTS)
    assert told["agent_probability"] < 0.01
    assert told["agent_with_trivial"] > 0.99
    planner = scores.device(found, worlds.planners(found)["soft, 0.1"], worlds.LAYOUTS)
    assert planner["agent_probability"] > 0.99


def test_area_under_the_curve():
    rng = np.random.default_rng(0)
    high, low = rng.integers(5, size=30), rng.integers(4, size=20)
    wins = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    assert curves.area(high, low) == pytest.approx(wins.mean())
    assert curves.area([1, np.inf], [-np.inf, 0]) == 1
    assert curves.area([0, 0], [0, 0]) == 0.5


def test_intervals_of_areas_resample_objectives_with_all_their_systems():
    rng = np.random.default_rng(0)
    rows = [
        {"replicate": i, "kind": kind, "system": name, "layouts": 1, "explained": rng.normal(shift)}
        for i in range(12)
        for kind, shift in (("planner", 1.0), ("random", 0.0), ("as accurate", 0.0), ("frozen", 0.0))
        for name in ("one", "two")
    ]
    table = pd.DataFrame(rows)
    found = {row["kind"]: row for row in curves.areas(table)}
    wide = table.pivot(index="replicate", columns=["kind", "system"], values="explained")
    high, low = wide["planner"].to_numpy(), wide["frozen"].to_numpy()
    assert found["frozen"]["area"] == pytest.approx(curves.area(high.ravel(), low.ravel()))
    slow = []
    for _ in range(2000):
        drawn = rng.integers(12, size=12)
        slow.append(curves.area(high[drawn].ravel(), low[drawn].ravel()))
    ends = [found["frozen"]["lower"], found["frozen"]["upper"]]
    np.testing.assert_allclose(ends, np.quantile(slow, [0.025, 0.975]), atol=0.03)


@pytest.fixture(scope="module")
def table():
    """Two objectives, one planner, one layout and all; a profile of few systems; short training."""
    with pytest.MonkeyPatch.context() as patched:
        every = worlds.systems

        def few(found, seed):
            kept = ("optimal", "deceiver", "frozen map", "random")
            return {name: policies for name, policies in every(found, seed).items() if name in kept}

        patched.setattr(worlds, "systems", few)
        patched.setattr(worlds, "TRAINING", 50)
        patched.setattr(worlds, "CHECKPOINTS", (50, 2_000))
        planned = study.tasks(Settings(quick=True))
        kept = [task for task in planned if task["part"] == "curve"][:2]
        kept += [task for task in planned if task["part"] == "profile"][:1]
        small = {"planners": ["soft, 0.3"], "counts": [1, worlds.LAYOUTS]}
        rows = [row for task in kept for row in study.run(task | small)]
        rows += [row | {"replicate": 1} for row in study.learning_rows(worlds.worlds(1), 1)]
        return pd.DataFrame(rows)


def test_what_was_expected_held(table):
    summary = study.summarise(table)
    claims = {row["claim"]: row for row in summary["claims"]}
    assert all(row["of"] > 0 for row in claims.values())
    failed = [claim for claim, row in claims.items() if row["held"] < row["of"] and "first try" not in claim]
    assert failed == []
    frozen = [row for row in summary["areas"] if row["kind"] == "frozen" and row["score"] == "explained"]
    assert [row["area"] for row in frozen] == [0.5, 1]
    assert {row["system"] for row in summary["profile"]} == {"optimal", "deceiver", "frozen map", "random"}
    assert [(row["steps"], row["layouts"]) for row in summary["learning"]] == [(50, 1), (50, 8), (2000, 1), (2000, 8)]


def test_profile_answers_the_question(table):
    summary = study.summarise(table)
    all_ = {row["system"]: row for row in summary["profile"] if row["layouts"] == worlds.LAYOUTS}
    assert all_["optimal"]["explained"] == pytest.approx(1)
    assert all_["optimal"]["adaptivity_known"] == pytest.approx(1)
    assert all_["optimal"]["layout_bits"] > 0.3
    assert all_["frozen map"]["layout_bits"] == pytest.approx(0, abs=1e-9)
    assert all_["frozen map"]["explained"] < 0.2
    assert all_["optimal"]["power_1"] == pytest.approx(all_["optimal"]["power_most_1"])
    assert all_["frozen map"]["power_0"] == pytest.approx(all_["frozen map"]["power_most_0"])
    assert all_["optimal"]["coherence"] > 50
    assert all_["frozen map"]["without_reward"] == 1


def test_figure_draws_what_the_table_says(table):
    summary = study.summarise(table)
    own = table[table["part"] == "profile"]
    names = list(dict.fromkeys(own["system"]))
    with figures.style():
        _, ((first, second, third),) = figures.panels(1, 3, width=figures.DOUBLE, height=4)
        drawing.draw_scores(first, own, names)
        drawing.draw_areas(second, summary["areas"], "frozen")
        drawing.draw_learning(third, table[table["part"] == "learning"])
        whole = study.draw(table, summary)
    written = [text.get_text() for text in first.texts]
    assert len(written) == len(names) * len(drawing.COLUMNS)
    assert written[: len(drawing.COLUMNS)][3] == "1.00"
    assert {line.get_label() for line in second.get_lines()} >= {"share explained", "MEG, things"}
    assert len(whole.axes) >= 7


def test_at_least_twenty_objectives_with_seeds_of_their_own():
    for quick in (True, False):
        planned = study.tasks(Settings(quick=quick))
        assert len({task["seed"] for task in planned}) == len(planned)
        assert sum(task["part"] == "curve" for task in planned) >= 20
