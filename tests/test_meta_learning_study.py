"""The study of meta-learned agents: tasks, conclusions without the truth, summary, findings and figure."""

import dataclasses

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import planning
from irl_ident.agents.learners import Learner

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from matplotlib.axis import Tick  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from irl_ident import figures  # noqa: E402
from studies import _meta_learning as worlds  # noqa: E402
from studies import _meta_learning_cue as cues  # noqa: E402
from studies import _meta_learning_recovered as recovered  # noqa: E402
from studies import _meta_learning_summary as summaries  # noqa: E402
from studies import checkpoints  # noqa: E402
from studies import meta_learning as study  # noqa: E402
from studies.study import Settings  # noqa: E402

RELEASED = [worlds.released(kind, theta, 0) for theta in worlds.TRAINED for kind in (worlds.NETWORK, worlds.BRIEF)]
RELEASED += [worlds.released(worlds.UNSEEN, 0.5, 0), cues.released(0), study.INFORMATIVE]


@pytest.fixture(scope="module", autouse=True)
def coarse():
    """A coarser grid, for all tests of this file."""
    patch = pytest.MonkeyPatch()
    patch.setattr(recovered, "GRID", np.linspace(recovered.LOW, recovered.HIGH, 41))
    forget()
    yield
    patch.undo()
    forget()


def forget():
    """Values that were planned on another grid."""
    recovered.values.cache_clear()
    recovered.short_values.cache_clear()


class Behaviour(Learner):
    """What a learner shows while it plays; asking anything else of it is an error."""

    def __init__(self, learner):
        self.__learner = learner
        self.n_actions = learner.n_actions

    def begin(self, episodes, rng):
        return self.__learner.begin(episodes, rng)

    def probabilities(self, memory, observations):
        return self.__learner.probabilities(memory, observations)

    def updated(self, memory, observations, actions, outcomes, following):
        return self.__learner.updated(memory, observations, actions, outcomes, following)

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for")


def test_what_is_concluded_needs_behaviour_alone():
    learner = worlds.built("soft Bayes", 0.37)
    seen = [worlds.watch_everywhere(who, 30, 5) for who in (learner, Behaviour(learner))]
    for one in seen[1].values():
        held = [getattr(one, field.name) for field in dataclasses.fields(one)]
        assert [array.dtype.kind for array in held] == ["i", "i"]
    assert recovered.exactly(seen[0]) == recovered.exactly(seen[1]) or "nan" in str(recovered.exactly(seen[0]))
    assert recovered.concluded(seen[0]) == recovered.concluded(seen[1])


def test_what_is_concluded_with_a_cue_needs_behaviour_alone():
    learner = cues.built("paid for the cue", 0.5)
    rows = [cues.concluded(cues.watch(who, 25, 3)) for who in (learner, Behaviour(learner))]
    assert [str(row) for row in rows[0]] == [str(row) for row in rows[1]]
    paid = [row for row in rows[0] if row["model"] == "paid" and row["cue"] != "all"]
    assert all(row["value_lower"] <= cues.PAID <= row["value_upper"] for row in paid)
    alone = [row for row in rows[0] if row["model"] == "tokens alone" and row["cue"] != "all"]
    assert all(one["explained"] > other["explained"] + 0.1 for one, other in zip(paid, alone, strict=True))


def test_rows_with_the_truth_are_made_last():
    learner = worlds.built("exact Bayes", 0.37)
    seen = worlds.watch_everywhere(learner, 30, 5)
    rows = recovered.exactly(seen)
    assert not any(name.startswith("true_") for row in rows for name in row)
    told = recovered.compared(rows, seen[worlds.AS_TRAINED], 0.37)
    assert {row["true_theta"] for row in told} == {0.37}
    assert all(row["set_lower"] <= 0.37 <= row["set_upper"] for row in told)
    widths = [row["set_upper"] - row["set_lower"] for row in told if row["tasks"]]
    assert widths == sorted(widths, reverse=True)


def test_depth_is_told():
    """An agent that looks one pull ahead is told from a Bayes agent, and then seems to pursue what it does."""
    for kind, depth in (("myopic", 1), ("soft Bayes", worlds.PULLS)):
        rows = recovered.concluded(worlds.watch_everywhere(worlds.built(kind, 0.37), 100, 2))
        told = rows[-1]
        assert told["depth"] == depth
        assert abs(told["depth_estimate"] - 0.37) < 0.05
        assert told["depth_gain"] >= 0
        assert told["depth_p_value"] > 0.01
    assert 0 < recovered.short_sighted(0.5) < 0.005


def test_loss_is_the_difference_of_returns():
    """The performance difference lemma against evaluating the policy, and against play."""
    theta = 0.6
    _, env, family = worlds.plan()
    policy = worlds.policy("Thompson", theta)
    reward = family.reward(env, [1, theta])
    exact = 1 - planning.evaluate(env, reward, policy)[0] / planning.optimal(env, reward).values[0]
    seen = worlds.watch(worlds.built("Thompson", theta), worlds.flat(3000, np.random.default_rng(0)), worlds.PULLS, 1)
    loss, error = recovered.shortfall(seen, theta)
    assert abs(loss - exact) < 4 * error
    assert error < 0.1 * exact
    best = worlds.watch(worlds.built("exact Bayes", theta), worlds.flat(50, np.random.default_rng(0)), worlds.PULLS, 1)
    assert recovered.shortfall(best, theta)[0] < 1e-9
    np.testing.assert_allclose(recovered.optimum(theta), planning.optimal(env, reward).values[0], rtol=1e-9)


def test_built_agents_are_what_they_are_called():
    _, env, family = worlds.plan()
    _, rare, its = worlds.plan(worlds.RARE)
    for kind in worlds.BUILT:
        np.testing.assert_allclose(worlds.policy(kind, 0.3).sum(axis=1), 1)
    soft = worlds.policy("soft Bayes", 0.3)
    boltzmann = ii.agents.Boltzmann(family, [1, 0.3], worlds.TEMPERATURE).policy(env)
    np.testing.assert_allclose(soft, (1 - worlds.LAPSE) * boltzmann + worlds.LAPSE / 2)
    np.testing.assert_allclose(
        worlds.policy("exact, believes it rare", 0.3), ii.agents.Optimal(its, [1, 0.3]).policy(rare)
    )
    greedy = ii.agents.ShortSighted(family, [1, 0.3], 1).policy(env)
    clear = greedy.max(axis=1) == 1
    np.testing.assert_array_equal(worlds.policy("myopic", 0.3)[clear].argmax(axis=1), greedy[clear].argmax(axis=1))
    assert not np.array_equal(greedy.argmax(axis=1), soft.argmax(axis=1))


def test_kinds_of_tasks_are_what_they_are_called():
    drawn = {name: draw(400, np.random.default_rng(0)).distributions for name, (draw, _) in worlds.PROBES.items()}
    assert (drawn["safe arm"][:, :, 1] == 1).any(axis=1).all()
    assert (drawn["bad arm"][:, :, 2] == 1).any(axis=1).all()
    assert 0.4 < (drawn["bad arm"][:, 0, 2] == 1).mean() < 0.6
    assert (drawn["no middle token"][:, :, 1] == 0).all()
    assert drawn["near-certain arms"].max(axis=2).mean() > 0.8 > drawn["as trained"].max(axis=2).mean()
    seen = worlds.watch_everywhere(worlds.built("exact Bayes", 0.5), 10, 0)
    assert {name: one.actions.shape[1] for name, one in seen.items()} == {
        name: pulls for name, (_, pulls) in worlds.PROBES.items()
    }
    counts = seen["first four pulls"].counts(5006, 2)
    assert counts.sum() == 40
    assert counts[0].sum() == 10


def test_cues_are_planned_in_beliefs():
    """Paying nothing and believing nothing is the same; believing surely and being paid much follow it always."""
    paid = cues.paid_values().reshape(len(cues.THETAS), len(cues.KAPPAS), -1, 2)
    believed = cues.believed_values().reshape(len(cues.THETAS), len(cues.RHOS), -1, 2)
    np.testing.assert_allclose(paid[:, 0], believed[:, 0], atol=1e-5)
    np.testing.assert_array_equal(paid[5, -1].argmax(axis=1), np.repeat([0, 1], paid.shape[2] // 2))
    np.testing.assert_array_equal(believed[5, -1, [0, -2]].argmax(axis=1), [0, 1])
    ignoring = cues.built("ignores the cue", 0.5)
    lost = cues.compared([{"cue": "always wrong"}], 300, 0, ignoring)[0]["true_lost"]
    following = cues.compared([{"cue": "always wrong"}], 300, 0, cues.built("paid for the cue", 0.5))[0]["true_lost"]
    assert abs(lost) < 0.06 < following


def test_tasks_are_seeded_and_quick_ones_fewer():
    for quick in (True, False):
        planned = study.tasks(Settings(quick=quick))
        seeds = [task["seed"] for task in planned if "seed" in task]
        assert len(set(seeds)) == len(seeds)
        assert planned == study.tasks(Settings(quick=quick))
    assert len(study.tasks(Settings(quick=True))) < len(planned) / 3


@pytest.fixture(scope="module")
def table():
    """A few tasks of each part, with fewer bandits each."""
    missing = [name for name in RELEASED if not (checkpoints.FOLDER / f"{name}.npz").exists()]
    assert missing == []
    patch = pytest.MonkeyPatch()
    patch.setattr(study, "TASKS", 25)
    patch.setattr(study, "MANY", 150)
    patch.setattr(study, "BANDITS", (20, 20))
    seen, rows = {}, []
    for task in study.tasks(Settings(quick=True)):
        group = (task["part"], task["kind"], task.get("trained_for"))
        seen[group] = seen.get(group, 0) + 1
        slow = task["part"] == "table" and task["kind"] not in ("random", "RL^2", "greedy")
        if seen[group] <= (2 if task["kind"] == "soft Bayes" else 1) and not slow:
            rows += study.run(task)
    patch.undo()
    return pd.DataFrame(rows)


def test_a_run_has_claims_findings_and_a_figure(table):
    summary = study.summarise(table)
    assert {row["kind"] for row in summary["learners"]} >= {summaries.SOFT, *worlds.NETWORKS}
    assert all(0 <= row["held"] <= row["of"] for row in summary["claims"])
    by_claim = {row["claim"]: row for row in summary["claims"]}
    for certain in (
        "exact sets hold the truth",
        "no theta in [0, 1] costs more than 2 % at theta = .5",
        "networks follow a cue that is always wrong in most first pulls",
    ):
        assert by_claim[certain]["held"] == by_claim[certain]["of"] > 0
    told = study.findings(summary)
    assert 2 <= len(told) <= 5
    for sentence in told:
        assert sentence[0].isupper()
        assert sentence.rstrip().endswith(".")
        assert "nan" not in sentence
        assert "None" not in sentence
    with figures.style():
        drawn = study.draw(table, summary)
        drawn.draw_without_rendering()
    ticks = [label for tick in drawn.findobj(Tick) for label in (tick.label1, tick.label2)]
    texts = [text for text in drawn.findobj(Text) if text.get_text().strip() and text not in ticks]
    boxes = [text.get_window_extent() for text in texts]
    across = [
        (one.get_text(), other.get_text())
        for i, one in enumerate(texts)
        for j, other in enumerate(texts[:i])
        if boxes[i].shrunk(0.95, 0.8).overlaps(boxes[j].shrunk(0.95, 0.8))
    ]
    assert across == []
