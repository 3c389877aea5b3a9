"""The study of solvers: its tasks, worlds and measurements."""

import json

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import planning
from irl_ident.solvers import MaxEnt, NgRussell, NoReward

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from studies import _solvers_worlds as worlds  # noqa: E402
from studies import solvers as study  # noqa: E402
from studies.study import Settings  # noqa: E402

OWN = {"part": "solvers", "world": "random", "agent": "optimal", "replicate": 0, "methods": "own", "seed": 3}


def assumed(parameter, values):
    task = {"part": "assumed", "world": "random", "parameter": parameter, "replicate": 0, "values": values, "seed": 7}
    return pd.DataFrame(study.run(task))


def chosen(*names):
    everything = worlds.library("own", 0)
    return lambda methods, seed, steps: {name: everything[name] for name in names}


@pytest.mark.parametrize("name", list(worlds.WORLDS))
def test_environments_of_a_world_share_an_objective_whose_rewards_have_a_range_of_one(name):
    world, rng = worlds.WORLDS[name], np.random.default_rng(0)
    envs = [world.draw(rng) for _ in range(4)]
    assert len({env.digest for env in envs}) == 4
    theta = world.objective(rng)
    for env in envs:
        np.testing.assert_allclose(np.ptp(world.family.reward(env, theta)), 1)


def test_every_solver_of_the_library_is_compared():
    shown = {
        type(method.solver).__name__
        for methods in ("own", "imitation")
        for method in worlds.library(methods, 0).values()
    }
    known = {
        name
        for name in ii.solvers.__all__
        if isinstance(getattr(ii.solvers, name), type) and issubclass(getattr(ii.solvers, name), ii.solvers.Solver)
    }
    assert known - shown - {"Solver"} == {"Centroid"}, "the centroid has no closed form in several environments"


def test_tasks_differ_and_do_not_need_torch(monkeypatch):
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    planned = study.tasks(Settings())
    assert len({json.dumps(task, sort_keys=True) for task in planned}) == len(planned)
    assert {task["methods"] for task in planned if task["part"] == "solvers"} == {"own"}
    assert {task["agent"] for task in planned if task["part"] == "solvers"} == set(worlds.AGENTS)


def test_exact_policies_are_explained_best_by_the_true_discount():
    found = assumed("discount", (0.3, 0.9)).set_index(["method", "value"])
    likely = found.loc[["maximum causal entropy", "Boltzmann likelihood"]]
    right, wrong = (likely.xs(value, level="value") for value in (0.9, 0.3))
    for measure in ("starc_training", "starc_new", "regret_new"):
        assert (right[measure] < wrong[measure]).all()


def test_a_temperature_is_only_told_to_those_who_ask_and_no_wrong_dynamics_is_no_wrong_assumption():
    table = assumed("temperature", (0.2,))
    assert set(table["method"]) == {"maximum causal entropy", "Boltzmann likelihood"}
    right = assumed("share of wrong dynamics", (0.0,)).set_index("method")
    measures = ["regret_training", "regret_new", "starc_training", "starc_new"]
    np.testing.assert_array_equal(table.set_index("method")[measures], right.loc[table["method"], measures])


def test_an_optimal_agent_loses_nothing_and_is_explained_by_a_solver_for_optimal_agents(monkeypatch):
    monkeypatch.setattr(study, "library", chosen("Ng & Russell", "analytic centre"))
    table = pd.DataFrame(study.run(OWN))
    itself = table[table["method"] == study.REFERENCE]
    np.testing.assert_allclose(itself[["regret_training", "regret_new"]], 0, atol=1e-9)
    solved = table[table["method"] != study.REFERENCE]
    assert set(solved["size"]) == set(study.SIZES)
    np.testing.assert_allclose(solved["regret_training"], 0, atol=0.05)
    assert solved["starc_new"].between(0, 2).all()


def test_measures_are_those_of_planning_by_hand():
    world = worlds.WORLDS["random"]
    rng = np.random.default_rng(1)
    training, new = [world.draw(rng)], [world.draw(rng) for _ in range(3)]
    agent = worlds.AGENTS["soft"](world.family, world.objective(rng))
    estimate = MaxEnt(temperature=0.2).fit([(env, agent.policy(env)) for env in training], world.family)
    lost = []
    for env in new:
        truth = agent.mesa_objective(env)
        planned = planning.optimal(env, estimate.reward(env)).policy
        best, worst = (planning.optimal(env, sign * truth).values for sign in (1, -1))
        got = planning.evaluate(env, truth, planned)
        lost.append(env.initial @ (best - got) / (env.initial @ (best + worst)))
    np.testing.assert_allclose(study.measure(estimate, agent, training, new)["regret_new"], np.mean(lost), atol=1e-9)
    assert all(np.isnan(value) for value in study.measure(None, agent, training, new).values())


def test_a_refusal_is_told_and_gives_no_estimate():
    world = worlds.WORLDS["random"]
    env = world.draw(np.random.default_rng(0))
    shown = [np.eye(3)[np.full(12, action)] for action in (0, 1)]
    estimate, happened = study.fitted(NgRussell(), [(env, policy) for policy in shown], world.family)
    assert estimate is None
    assert happened["status"] == "refused"
    assert happened["words"]


def test_summary_and_figure_tell_every_method(monkeypatch):
    monkeypatch.setattr(study, "library", chosen("Ng & Russell", "maximum causal entropy"))
    rows = [row for replicate in (0, 1) for row in study.run({**OWN, "replicate": replicate, "seed": replicate})]
    told = assumed("temperature", (0.1, 0.2))
    rows += [row for i in (0, 1) for row in told.assign(replicate=i).to_dict("records")]
    table = pd.DataFrame(rows)
    summary = study.summarise(table)
    json.dumps(summary, allow_nan=False)
    assert set(summary["methods"]) == {"Ng & Russell", "maximum causal entropy"}
    assert set(summary["nearest_by_agent"]) == {"optimal"}
    figure = study.draw(table, summary)
    labels = {label.get_text() for axes in figure.axes for label in axes.get_yticklabels()}
    assert labels >= {"Ng & Russell", "maximum causal entropy", study.REFERENCE}


def test_a_policy_without_a_reward_is_measured_by_what_it_loses():
    pytest.importorskip("imitation")
    world = worlds.WORLDS["random"]
    rng = np.random.default_rng(0)
    env, agent = world.draw(rng), worlds.AGENTS["optimal"](world.family, world.objective(rng))
    method = worlds.library("imitation", 0)["behavioural cloning"]
    estimate = method.solver.fit([(env, agent.demonstrate(env, episodes=20, horizon=20, seed=0))], world.family)
    with pytest.raises(NoReward):
        _ = estimate.theta
    measured = study.measure(estimate, agent, [env], [world.draw(rng)])
    assert np.isnan(measured["starc_new"])
    assert 0 <= measured["regret_training"] <= 1


def test_ng_and_russells_program_is_solved_where_the_simplex_method_gives_up():
    world, task = worlds.WORLDS["objects"], {"seed": Settings().seed_for(0)}
    truth, training, _ = study.drawn(world, task)
    agent = worlds.AGENTS["Boltzmann"](world.family, truth)
    seeds = np.random.SeedSequence(task["seed"], spawn_key=(1,)).spawn(4)
    shown = [
        (env, agent.demonstrate(env, episodes=study.EPISODES, horizon=study.HORIZON, seed=seed))
        for env, seed in zip(training, seeds, strict=True)
    ]
    assert NgRussell().fit(shown, world.family).convergence.status == "trivial"
