"""The study of trained agents and its worlds, with training for real."""

import numpy as np
import pytest

import irl_ident as ii
from environments import toy_text
from irl_ident import planning

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from studies import real_agents as study  # noqa: E402
from studies._real_agents_summary import OPTIMAL, told  # noqa: E402
from studies.study import Settings  # noqa: E402

LAKE = toy_text.Lake(("SFFF", "FHFH", "FFFH", "HFFG"))
SLIPPERY = toy_text.Lake(LAKE.rows, slippery=True)


@pytest.mark.parametrize("lake", [LAKE, SLIPPERY, toy_text.goal_moved(LAKE)[2]], ids=["firm", "slippery", "moved"])
def test_a_lake_pays_what_gymnasium_pays(lake):
    """Up to one discount, being where the goal is at (1 - g) a step is worth what Gymnasium pays on the way in."""
    env = toy_text.build(lake, 0.9)
    by_state = planning.optimal(env, (1 - 0.9) * toy_text.family().reward(env, toy_text.GOAL)).values
    cells = np.array([c for c in range(16) if not env.absorbing[c]])
    by_step = planning.optimal(env, toy_text.paid(lake)).values
    np.testing.assert_allclose(by_state[cells], 0.9 * by_step[cells], atol=1e-9)
    if not lake.moved:
        original = ii.Environment.from_gymnasium(lake.world(), 0.9)
        theirs = planning.optimal(original, ii.rewards.base_objective(lake.world())).values
        np.testing.assert_allclose(by_step[cells], theirs[cells], atol=1e-9)


def test_a_moved_goal_leaves_the_way_to_the_corner_free():
    moved = toy_text.goal_moved(LAKE)
    assert moved
    for lake in moved:
        env = toy_text.build(lake, 0.9)
        for theta, end in ((toy_text.GOAL, "goal"), (toy_text.CORNER, "corner")):
            policy = ii.agents.Optimal(toy_text.family(), theta).policy(env)
            last = ii.agents.rollout(env, policy, episodes=5, horizon=40, seed=0)
            arrived = [env.states[path[length]] for path, length in zip(last.states, last.lengths, strict=True)]
            np.testing.assert_array_equal(arrived, [end] * 5)


def test_maps_as_gymnasium_draws_them_never_tell_the_goal_from_the_corner():
    """Nor do they narrow the gap on a map that does; that map closes it."""
    family = toy_text.family()
    agent = ii.agents.Optimal(family, toy_text.GOAL)
    drawn = study.drawn_lakes(4, np.random.default_rng(0))
    moved = study.lake_env(toy_text.goal_moved(LAKE)[3])
    tests = [(moved, family.reward(moved, toy_text.GOAL))]
    seen = [study.watched(lake, agent.policy(study.lake_env(lake)), 0) for lake in drawn]
    ident = ii.identify(seen, family)
    np.testing.assert_array_equal([ident.contains(toy_text.GOAL), ident.contains(toy_text.CORNER)], [True, True])
    low, high, with_ties = study.gap_interval(ident, tests, seed=0)
    np.testing.assert_allclose([low, high, with_ties], [0, 1, 1], atol=1e-9)
    told = ii.identify([*seen, (moved, agent.demonstrate(moved, episodes=20, horizon=30, seed=0))], family)
    np.testing.assert_array_equal([told.contains(toy_text.GOAL), told.contains(toy_text.CORNER)], [True, False])
    assert study.gap_interval(told, tests, seed=0)[1] < 1e-9
    assert study.ends(told, seed=0)["goal"] > 0.999 > study.ends(ident, seed=0)["goal"]


def test_gaps_are_those_of_agents_that_plan_and_lie_in_the_interval():
    family = toy_text.family()
    env = study.lake_env(toy_text.goal_moved(SLIPPERY)[1])
    reward = family.reward(env, toy_text.GOAL)
    seen = [study.watched(LAKE, ii.agents.Optimal(family, toy_text.GOAL).policy(study.lake_env(LAKE)), 0)]
    ident = ii.identify(seen, family)
    members = ident.sample(study.MEMBERS, seed=3)
    expected = [
        study.regret(env, reward, ii.agents.Optimal(family, theta).policy(env))
        for theta in members[: study.MEMBERS : 20]
    ]
    np.testing.assert_allclose(study.gaps_of(members[::20], family, env, reward), expected, atol=1e-9)
    low, high, with_ties = study.gap_interval(ident, [(env, reward)], seed=3)
    assert low <= min(expected)
    assert max(expected) <= high <= with_ties <= 1


def test_a_trained_table_is_explained_where_it_was_trained_and_carries_the_corner_elsewhere():
    task = {"part": "proxy", "learner": "table", "moved": 0.0, "steps": 20_000, "replicate": 0, "seed": 5}
    case = study.carried_table(task, np.random.default_rng(5))
    values = study.returned(case)
    np.testing.assert_allclose([values["training: goal"], values["training: corner"]], 1, atol=1e-9)
    assert values["shifted: goal"] < 1
    own = case.training[0]
    ident = ii.identify([study.watched(own, case.policy(own), 0)], toy_text.family())
    left = study.explained(ident), ident.contains(toy_text.GOAL), ident.contains(toy_text.CORNER)
    np.testing.assert_array_equal(left, [True] * 3)


def test_the_base_objective_is_left_where_q_learning_is_optimal_on_its_way():
    task = {"part": "worlds", "world": "cliff", "learner": "Q-learning", "steps": 50_000, "replicate": 0, "seed": 0}
    table = pd.DataFrame(study.run(task))
    rollouts = table[table["evidence"] == "rollouts"]
    np.testing.assert_array_equal(rollouts["regret"] < OPTIMAL, True)
    assert ((rollouts["lower"] <= rollouts["base"] + 1e-9) & (rollouts["base"] <= rollouts["upper"] + 1e-9)).all()
    found = told(rollouts)
    np.testing.assert_array_equal([found["agents"], found["base_objective_left"], found["explained"]], [1, 1, 1])


@pytest.mark.parametrize("name", ["taxi", "cliff", "lake 4x4"])
def test_the_base_objective_of_a_world_has_the_optimal_policies_of_what_gymnasium_pays(name):
    import gymnasium

    world = gymnasium.make(study.WORLDS[name].id, **study.WORLDS[name].options)
    env = ii.Environment.from_gymnasium(world, study.DISCOUNT)
    q = [
        planning.optimal(env, reward).q
        for reward in (
            ii.rewards.base_objective(world),
            study.world_family(name).reward(env, np.array(study.WORLDS[name].base, dtype=float)),
        )
    ]
    ours, theirs = (planning.optimal_actions(each)[~env.absorbing] for each in q)
    np.testing.assert_array_equal(ours, theirs)


def test_tasks_differ_and_do_not_need_torch(monkeypatch):
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    planned = study.tasks(Settings(quick=True))
    assert {task["learner"] for task in planned} == {"Q-learning", "retrained", "table"}
    assert len({str(sorted(task.items())) for task in planned}) == len(planned)
    assert len([task for task in study.tasks(Settings()) if task.get("world") == "taxi"]) >= 20


def test_a_network_sees_the_map_and_learns_the_way():
    pytest.importorskip("stable_baselines3")
    task = {"part": "proxy", "learner": "compass", "moved": 0.0, "steps": 6_000, "replicate": 0, "seed": 1}
    case = study.map_reader(task, np.random.default_rng(0))
    untrained = study.returned(study.Case(lambda lake: np.full((20, 4), 0.25), case.training, case.pool, case.shifted))
    assert study.returned(case)["training: goal"] > untrained["training: goal"] + 0.1
    np.testing.assert_allclose(case.policy(case.shifted[0]).sum(axis=1), 1)


def test_neither_the_choice_of_maps_nor_what_is_left_looks_at_the_base_objective(monkeypatch):
    """With another base objective to measure by, the same maps are chosen and the same objectives are left."""
    family, random = toy_text.family(), np.random.default_rng(3)
    agent = ii.agents.Optimal(family, toy_text.GOAL)
    drawn, moved = study.drawn_lakes(4, random), study.moved_lakes(3, random)
    case = study.Case(lambda lake: agent.policy(study.lake_env(lake)), drawn[:2], [*drawn[2:], *moved[:2]], moved[2:])
    monkeypatch.setattr(study, "MORE_MAPS", 1)
    rows = []
    for base in (toy_text.GOAL, np.array([0.0, 1.0, 0.0, 0.0])):
        monkeypatch.setattr(toy_text, "GOAL", base)
        rows.append(pd.DataFrame(study.narrowed(case, "greedy", 0, np.random.default_rng(0))))
    columns = ["maps", "explained", "corner_left", "next_moved", "measure", "thing", "value"]
    pd.testing.assert_frame_equal(rows[0][columns], rows[1][columns])
    for table in rows:
        assert (np.diff(table["gap_high"]) <= 0).all()
        assert (np.diff(table["gap_low"]) >= 0).all()
    assert rows[0]["gap_low"].iloc[-1] < rows[1]["gap_low"].iloc[-1]
