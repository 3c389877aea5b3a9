"""The study of the reward-result gap: its cases, its learned agents, and what is concluded without the truth."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

import irl_ident as ii
from environments import colour_maze, dust_robot, keys_and_chests

pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

from studies import _gap_concluding as concluding
from studies import _gap_learned as learned
from studies import _gap_measures as measures
from studies import reward_result_gap as study
from studies._gap_worlds import ALIGNED, CASES, COSTLY, OTHERWISE, PERFECT, case
from studies.study import Settings


def band_of(one, count):
    """The band from training and so many matching probes."""
    probes = [one.candidates[place] for place in one.matching[:count]]
    evidence = [measures.watched(one.agent, env) for env in (*one.training, *probes)]
    return concluding.concluded(evidence, one.family, one.base, one.deployment)


@pytest.mark.parametrize("kind", CASES)
def test_agents_are_perfect_in_training_and_bands_hold_their_gaps(kind):
    one = case(kind, 11)
    gap = one.gap(one.deployment, one.deployed)
    assert max(one.gap(env, one.agent) for env in one.training) < PERFECT
    assert gap < PERFECT if kind in ALIGNED else gap >= COSTLY
    digests = [env.digest for env in (*one.training, *one.candidates, one.deployment)]
    assert len(set(digests)) == len(digests)
    assert len(one.matching) >= 1
    if kind not in OTHERWISE:
        before, after = band_of(one, 0), band_of(one, 1)
        assert before.holds(gap)
        assert after.holds(gap)
        assert before.least < PERFECT


def test_who_cannot_see_or_is_wrong_is_misjudged():
    """What it did in training says for certain that nothing is lost, and then everything is."""
    one = case("suboptimal: wrong model", 3)
    here = [measures.watched(one.agent, one.deployment)]
    band = concluding.concluded(here, one.family, one.base, one.deployment)
    assert (band.least, band.most) == pytest.approx((0, 0), abs=1e-9)
    assert one.gap(one.deployment, one.deployed) == pytest.approx(1)


class Shown:
    """An agent of which nothing but its policy can be had."""

    def __init__(self, agent):
        self._policies = agent.policy

    def policy(self, env):
        return self._policies(env)

    def __getattr__(self, name):
        raise AssertionError(f"the truth was asked for: {name}")


def test_nothing_that_concludes_is_told_the_truth():
    one = case("deceptive", 2)
    environments = [*one.training, one.candidates[0]]
    open_, closed = ([measures.watched(agent, env) for env in environments] for agent in (one.agent, Shown(one.agent)))
    bands = [concluding.concluded(seen, one.family, one.base, one.deployment) for seen in (open_, closed)]
    assert (bands[0].least, bands[0].most) == (bands[1].least, bands[1].most)
    chosen = [
        concluding.next_probe(
            "counterexample", ii.identify(seen, one.family), one.candidates[1:4], one.base, one.deployment, 0
        )
        for seen in (open_, closed)
    ]
    assert chosen[0] == chosen[1]
    tree = ast.parse(Path(concluding.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in modules if re.search(r"agents|environments|worlds|learned|measures", name)]
    assert "ii.agents" not in Path(concluding.__file__).read_text(encoding="utf-8")


def test_proofs_of_bands_are_accepted():
    one = case("deceptive", 4)
    evidence = [measures.watched(one.agent, env) for env in (*one.training, one.candidates[one.matching[0]])]
    question = one.family, one.base, one.deployment
    band = concluding.concluded(evidence, *question)
    assert concluding.certified(evidence, *question, band)


def test_gaps_of_many_objectives_are_those_of_each():
    env, family = dust_robot.build(lid=True, plant=True), dust_robot.family()
    thetas = np.random.default_rng(0).uniform(-1, 1, (40, 4))
    base = family.reward(env, dust_robot.BASE)
    each = [ii.distances.reward_result_gap(ii.agents.Optimal(family, theta), base, env).regret for theta in thetas]
    np.testing.assert_allclose(concluding.gaps_of(family, thetas, dust_robot.BASE, env), each, atol=1e-12)


def test_what_training_could_have_selected_grows_with_what_it_may_leave():
    one = case("side effect: sweeping", 0)
    found = concluding.selected(one.training, one.family, one.base, one.deployment, 0)
    assert (np.diff(found[:, 0]) <= 0).all()
    assert (np.diff(found[:, 1]) >= 0).all()
    assert found[0, 0] < 1e-9
    band = band_of(one, 0)
    assert found[0, 1] >= one.gap(one.deployment, one.deployed) - 1e-9
    assert band.holds(float(found[0, 0]))


@pytest.mark.parametrize("seed", range(4))
def test_ways_are_first_steps_of_shortest_walks(seed):
    maze = colour_maze.shape_or_colour(np.random.default_rng(seed))
    env, (thing, _) = colour_maze.build(maze), maze.things
    target = 25 + colour_maze.taken(thing)
    there = env.dense().argmax(axis=2)
    steps = np.where(np.arange(env.n_states) == target, 0.0, np.inf)
    for _ in range(30):
        steps = np.minimum(steps, 1 + steps[there].min(axis=1))
    event = (there == target) & ~env.absorbing[:, None]
    expected = np.isfinite(steps)[:, None] & (steps[there] == steps[:, None] - 1) & ~env.absorbing[:, None]
    np.testing.assert_array_equal(learned.ways(env, event) > 0, expected)


def test_what_is_seen_of_keys_leads_to_keys_and_chests():
    env = keys_and_chests.build(keys_and_chests.Layout(3, 0, (2,), (8,)))
    seen = learned.COURSES["keys and chests"](np.random.default_rng(0)).observe(env)
    start = int(env.initial.argmax())
    assert env.states[start].startswith("r0c0")
    np.testing.assert_allclose(seen[start], [0, learned.SALIENCE, 0, 0, 0, 1, 0, 0, 0])
    holding = list(env.states).index("r0c2, keys 01, chests 00")
    np.testing.assert_allclose(seen[holding], [0, 0, learned.SALIENCE, 0, 0, 0, 0, 0, learned.SALIENCE])


def test_networks_that_never_saw_a_pocket_run_to_the_end():
    course = learned.COURSES["coin corridor"](np.random.default_rng(0))
    (agent,) = learned.trained(course, [0.0], 0, 300)
    for env, gap in ((course.ordinary[0], 0.0), (course.shifted[0], 1.0)):
        found = ii.distances.reward_result_gap(agent.greedy(), course.family.reward(env, course.base), env)
        assert found.regret == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_shallow_planner_turns_where_the_closed_form_says(seed):
    rows = measures.depths(seed, 16)
    assert all((row["true_gap"] > 0.5) == (row["depth"] >= row["turns_at"]) for row in rows)
    assert rows[0]["true_gap"] < 1e-9


def test_tasks_differ_and_a_full_run_has_twenty_of_each():
    for quick in (True, False):
        planned = study.tasks(Settings(quick=quick))
        assert len({json.dumps(task, sort_keys=True) for task in planned}) == len(planned)
    for kind in (*CASES, *study.LEARNED):
        assert len({task["replicate"] for task in planned if task.get("kind") == kind}) == 20
