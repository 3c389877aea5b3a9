"""The study of ambiguity and its worlds, against planning and against identified sets that have seen more."""

import numpy as np
import pytest

import irl_ident as ii
from environments import branching_tree, lamp_and_button
from irl_ident import planning

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from irl_ident import figures  # noqa: E402
from studies import _ambiguity as worlds  # noqa: E402
from studies import _ambiguity_figure as drawing  # noqa: E402
from studies import ambiguity as study  # noqa: E402
from studies.study import Settings  # noqa: E402


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("cut", [False, True])
def test_the_lamp_returns_what_the_button_does_later_under_every_policy(delay, cut):
    env = lamp_and_button.build(delay, 0.8, cut=cut)
    family = lamp_and_button.family(delay)
    rng = np.random.default_rng(0)
    for _ in range(5):
        policy = rng.dirichlet(np.ones(2), env.n_states)
        button, lamp, effort = (planning.evaluate(env, family.reward(env, theta), policy)[0] for theta in np.eye(3))
        np.testing.assert_allclose(effort, -button)
        np.testing.assert_allclose(lamp, 0 if cut else 0.8**delay * button, atol=1e-12)


def test_the_lamp_is_lit_after_its_delay_and_goes_out_again():
    env = lamp_and_button.build(3, 0.8)
    family = lamp_and_button.family(3)
    lit = []
    state = 0
    for action in (1, 0, 0, 0, 0, 1, 1, 0, 0, 0):
        lit.append(family.reward(env, [0, 1, 0])[state, action])
        state = int(env.dense()[state, action].argmax())
    assert lit == [0, 0, 0, 1, 0, 0, 0, 0, 1, 1]


def test_lamp_and_button_are_told_apart_where_they_must_be():
    table = pd.DataFrame([row for delay in study.DELAYS for row in worlds.lamp_rows(delay)])
    told = table.pivot_table(index="world", columns="delay", values="told_apart", aggfunc="first").astype(bool)
    assert not told.loc["discounted"].any()
    assert told.loc["finite horizon"].all()
    assert told.loc["cut wire"].all()
    expected = [worlds.LAMP_DISCOUNT**delay < worlds.PRICE for delay in study.DELAYS]
    np.testing.assert_array_equal(told.loc["press costs 0.5"], expected)
    assert set(expected) == {True, False}
    assert table["shaping_error"].max() < 1e-12


def test_identify_finds_the_shaping_between_lamp_and_button():
    env = lamp_and_button.build(2, 0.8)
    features = lamp_and_button.family(2).features[:, :, :2]
    family = ii.rewards.LinearRewards(features, names=["button", "lamp"])
    ident = ii.identify([(env, ii.agents.SoftOptimal(family, [1.0, 0.0]).policy(env))], family, "soft")
    (found,) = ident.ambiguities
    assert found.kind == "shaping"
    np.testing.assert_allclose(found.basis[0] / found.basis[1], -(0.8**2))
    cut = lamp_and_button.build(2, 0.8, cut=True)
    assert "closes shaping (1 of 1)" in ii.design.closes(ident, [env, cut], ["wired", "cut"]).next_step()
    assert ii.generalises(ident, env).answer == "yes"
    assert ii.generalises(ident, cut).answer == "no"


def test_the_tree_is_that_of_seals():
    seals = pytest.importorskip("seals.diagnostics.init_shift")
    for start, theirs in ((0, seals.InitShiftTrainEnv()), (1, seals.InitShiftTestEnv())):
        env = branching_tree.build(start)
        np.testing.assert_array_equal(env.dense(), theirs.transition_matrix)
        np.testing.assert_array_equal(branching_tree.BASE, theirs.reward_matrix)
        assert env.initial[start] == 1
        assert theirs.initial_state() == start


def test_the_tree_rewards_from_training_are_wrong_in_the_test():
    table = pd.DataFrame(worlds.tree_rows()).set_index(["stage", "node"])
    before, after = (table.loc[stage] for stage in ("training", "training and test"))
    np.testing.assert_array_equal(before[["lower", "upper"]], [[-2, 2], [0, 2]])
    np.testing.assert_array_equal(after[["lower", "upper"]], [[-2, 0], [0, 2]])
    assert set(before["answer"]) == {"no"}
    assert set(after["answer"]) == {"yes"}
    assert (before["loss"] > 0.5).all()
    family, test = branching_tree.family(), branching_tree.build(branching_tree.TEST)
    agent = ii.agents.Optimal(family, branching_tree.BASE)
    env = branching_tree.build(branching_tree.TRAINING)
    ident = ii.identify([(env, agent.demonstrate(env, episodes=10, horizon=4, seed=0))], family)
    one, other = ii.generalises(ident, test).witness
    reward = family.reward(test, other)
    acted = planning.evaluate(test, reward, ii.agents.Optimal(family, one).policy(test))
    lost = (1 - test.discount) * test.initial @ (planning.optimal(test, reward).values - acted)
    np.testing.assert_allclose(before["loss"], lost)


def test_every_move_on_the_floor_changes_colour_unless_one_can_stand():
    floor = worlds.floor()
    colour = floor.positions.sum(axis=1) % 2
    lands = floor.environment.dense().argmax(axis=2)
    np.testing.assert_array_equal(colour[lands], np.repeat(1 - colour[:, None], 4, axis=1))
    beyond = floor.positions[:, 1] >= worlds.WALL
    np.testing.assert_array_equal(floor.environment.reachable, ~beyond)
    assert worlds.floor(door=True).environment.reachable.all()
    standing = worlds.floor(stand=True).environment
    assert (standing.dense().argmax(axis=2) == np.arange(18)[:, None]).any()
    np.testing.assert_array_equal(standing.reachable, ~beyond)


def test_what_candidates_leave_of_the_floor_is_what_is_left_when_they_were_seen():
    table = pd.DataFrame(worlds.named_rows(3))
    closing = table[table["part"] == "closing"]
    family = ii.rewards.StateRewards(18)
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(7).normal(size=18))
    first = worlds.shown(worlds.floor().environment, agent)
    dimensions = {}
    for name, env in worlds.floors().items():
        dimensions[name] = ii.identify([first, worlds.shown(env, agent)], family, "soft").dimension
    assert closing.groupby("candidate")["left"].sum().to_dict() == dimensions
    assert dimensions == {"again": 5, "stand": 4, "door": 1, "both": 0}
    shaping = table[(table["part"] == "named") & (table["kind"] == "shaping")].sort_values("cell")["value"].to_numpy()
    floor = worlds.floor()
    inside = floor.positions[:, 1] < worlds.WALL
    colour = floor.positions.sum(axis=1)[inside] % 2
    assert np.ptp(shaping[inside][colour == 0]) < 1e-9
    assert np.ptp(shaping[inside][colour == 1]) < 1e-9
    assert abs(shaping[inside][colour == 0][0] - shaping[inside][colour == 1][0]) > 1e-3


@pytest.fixture(scope="module")
def table():
    """Two objectives and two pairs, and every instance."""
    planned = study.tasks(Settings(quick=True))
    few = [task | {"most": 3} for task in planned if task.get("replicate", 0) < 2 and task.get("delay", 1) < 3]
    return pd.DataFrame([row for task in few for row in study.run(task)])


def test_open_dimensions_fall_to_what_theory_leaves(table):
    opened = table[table["part"] == "open"]
    means = opened.pivot_table(index=["rewards", "source", "replicate"], columns="environments", values="open")
    assert (np.diff(means.to_numpy(), axis=1) <= 0).all()
    by_source = means.groupby(["rewards", "source"]).mean()
    pairs, transitions = 8, 32
    np.testing.assert_array_equal(by_source.loc[("R(s, a)", "soft policy")], [4, 1, 1])
    np.testing.assert_array_equal(by_source.loc[("R(s, a)", "optimal policy")], [pairs] * 3)
    np.testing.assert_array_equal(by_source.loc[("R(s, a, s')", "optimal policy")], [transitions] * 3)
    np.testing.assert_array_equal(by_source.loc[("R(s, a, s')", "soft policy")], [28, 24, 20])
    assert by_source.loc[("R(s, a, s')", "returns of fragments"), 1] == transitions - 16


def test_the_rank_stays_while_the_error_grows_within_its_bound(table):
    rows = table[table["part"] == "conditioning"].sort_values("share", ascending=False)
    assert set(rows["rank"]) == {35}
    assert set(rows["answer"]) == {"identified"}
    for _, pair in rows.groupby("replicate"):
        assert (np.diff(pair["angle"]) < 0).all()
        assert (np.diff(pair["error"]) > 0).all()
        assert (pair["error"] <= pair["error_bound"]).all()
        assert (pair["loss"] <= pair["loss_bound"]).all()
        assert pair["loss"].iloc[-1] > 1e4 * pair["loss"].iloc[0]


def test_summary_and_figure_say_what_the_table_says(table):
    summary = study.summarise(table)
    rows = [row for row in summary["order"] if row["source"] == "comparisons" and row["other"] == "lotteries"]
    assert [row["finer"] for row in rows] == [2, 2]
    assert not any("undecided" in row for row in summary["order"])
    assert [row["held"] for row in summary["claims"]] == [row["of"] for row in summary["claims"]]
    assert [row["of"] for row in summary["claims"]] == [13 * 4, 4, 18, 2, 18, 2, 2]
    assert all(row["undecided"] == 0 for row in summary["open"])
    assert [row["error_bound_held"] and row["loss_bound_held"] for row in summary["conditioning"]] == [True] * 9
    opened, closing = (table[table["part"] == part] for part in ("open", "closing"))
    with figures.style():
        _, ((first, second, third),) = figures.panels(1, 3)
        drawing.draw_open(first, opened[opened["rewards"] == "R(s, a)"], "pairs")
        drawing.draw_order(second, table, summary["order"])
        drawing.draw_closing(third, closing)
    assert first.get_title(loc="left").endswith("n = 2 objectives")
    assert second.get_title(loc="left").endswith("in all 2 environments")
    written = [text.get_text() for text in third.texts]
    assert sum(text.startswith("closed") for text in written) == 4
    assert sum(text.endswith("open") for text in written) == 4


def test_at_least_twenty_objectives_with_seeds_of_their_own():
    for quick, count in ((True, 20), (False, 60)):
        planned = study.tasks(Settings(quick=quick))
        seeds = [task["seed"] for task in planned if "seed" in task]
        assert len(set(seeds)) == len(seeds)
        assert [sum(task["part"] == part for task in planned) for part in ("open", "conditioning")] == [count, count]
