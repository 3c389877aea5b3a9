"""The study of services: bits against their definition, who sees the truth, which layer it is, and a small run."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from irl_ident import agents, distances, figures  # noqa: E402
from irl_ident.agents.base import Agent  # noqa: E402
from irl_ident.agents.services import Commissioned  # noqa: E402
from studies import _services as measures  # noqa: E402
from studies import _services_hidden as hidden  # noqa: E402
from studies import _services_recovered as recovered  # noqa: E402
from studies import services as study  # noqa: E402
from studies.study import Settings  # noqa: E402


def information(joint):
    """Mutual information of a table of probabilities, in bits, term by term."""
    total = 0.0
    for i, row in enumerate(joint):
        for j, p in enumerate(row):
            if p > 0:
                total += p * np.log2(p / (joint[i].sum() * joint[:, j].sum()))
    return total


@pytest.fixture(scope="module")
def drawn():
    return measures.market(3, 3, fresh=0)


def test_bits_are_the_mutual_information_of_objective_and_behaviour(drawn):
    rows = [row for row in measures.bits_rows(drawn) if row["menus"] == "own" and row["menu"] == 16]
    for row in rows:
        chain = drawn.chain(16)
        if row["floors"] != 8 or row["depth"] in (1, 3):
            continue
        if row["depth"] == 0:
            acting = [agents.ShortSighted(measures.FAMILY, theta, 3) for theta in drawn.candidates]
        else:
            short = type(chain)(measures.FAMILY, chain.menus[4 - row["depth"] :], drawn.training, 3)
            acting = [Commissioned(short, theta) for theta in drawn.candidates]
        seen = [tuple(agent.policy(env).tobytes() for env in drawn.floors[: row["floors"]]) for agent in acting]
        kinds = sorted(set(seen))
        joint = np.array([[(each == kind) / 64 for kind in kinds] for each in seen])
        assert row["bits"] == pytest.approx(information(joint), abs=1e-12)


def test_bits_of_the_layer_are_their_mutual_information():
    rng = np.random.default_rng(0)
    layer, seen = rng.integers(1, 4, 40), rng.integers(0, 2, (40, 2)).astype(bool)
    joint = np.zeros((3, 4))
    for each, acts in zip(layer, seen @ [1, 2], strict=True):
        joint[each - 1, acts] += 1 / 3 / (layer == each).sum()
    assert hidden.layer_bits(layer, seen) == pytest.approx(information(joint), abs=1e-12)
    assert hidden.layer_bits(layer, layer[:, None]) == pytest.approx(np.log2(3))
    assert hidden.layer_bits(layer, np.ones((40, 3), dtype=bool)) == 0


@pytest.mark.parametrize("depth", range(1, 18))
def test_bisection_finds_every_layer_in_log2_of_them(depth):
    for layer in range(1, depth + 1):
        deviates = np.arange(1, depth + 1) > layer
        found, watched = hidden.bisect(deviates)
        assert found == layer
        assert watched <= np.ceil(np.log2(depth))


def test_a_layer_whose_wish_does_not_show_cannot_be_told_from_training_floors():
    """Two agents at a time, by the library alone, against what was enumerated."""
    case = hidden.draw(1, 3, fresh=2, depth=4)
    found = hidden.suspects(case.chain, case.theta)
    aligned = Commissioned(case.chain, case.theta)
    where = hidden.shown(found, case.closed[:8], case.opened)
    assert set(where) >= {"open floors", "nowhere"}
    for i in np.flatnonzero(where == "open floors")[::3]:
        layer = int(found.layer[i])
        pool = np.delete(hidden.POOL, np.flatnonzero(np.abs(hidden.POOL - aligned.handed[layer, -1]) <= 1e-9))
        other = aligned.handed[layer].copy()
        other[-1] = pool[int(i - np.flatnonzero(found.layer == layer)[0])]
        turned = Commissioned(case.chain, case.theta, {layer: other})
        np.testing.assert_array_equal(turned.objectives[-1], found.leaf[i])
        np.testing.assert_array_equal(turned.places, found.handed[i])
        twins = (turned.objectives[-1, :-1] == aligned.objectives[-1, :-1]).all()
        for env in case.closed if twins else case.closed[:8]:
            np.testing.assert_array_equal(turned.policy(env)[env.reachable], aligned.policy(env)[env.reachable])
        assert any((turned.policy(env) != aligned.policy(env)).any() for env in case.opened)


class Guarded(Agent):
    """Acts as another agent does; whatever else it is asked for raises."""

    def __init__(self, acting):
        object.__setattr__(self, "policy", acting.policy)

    def __getattribute__(self, name):
        if name == "policy":
            return object.__getattribute__(self, name)
        raise AssertionError(f"{name}: is none of the observer's business")

    def policy(self, env):  # pragma: no cover
        raise NotImplementedError


def test_conclusions_are_drawn_from_behaviour_alone(drawn):
    agent = Commissioned(drawn.chain(16), drawn.candidates[5])
    catalogue = np.concatenate([drawn.candidates, *(menu[:16] for menu in drawn.menus)])
    both = [recovered.watch(each, drawn.floors) for each in (agent, Guarded(agent))]
    for assumed in (2, 3):
        own, guarded = (recovered.conclude(seen, catalogue, measures.FAMILY, assumed) for seen in both)
        np.testing.assert_array_equal(own.theta, guarded.theta)
        assert (own.model, own.explained, own.agreement) == (guarded.model, guarded.explained, guarded.agreement)


def test_the_right_model_explains_the_leaf_and_a_wrong_one_is_noticed(drawn):
    agent = Commissioned(drawn.chain(64), drawn.candidates[0])
    seen = recovered.watch(agent, drawn.floors)
    catalogue = np.concatenate([drawn.candidates[:10], drawn.menus[-1]])
    right = recovered.conclude(seen, catalogue, measures.FAMILY, 3)
    acts = [
        all(
            (agents.ShortSighted(measures.FAMILY, theta, 3).policy(env) == policy)[env.reachable].all()
            for env, policy in seen
        )
        for theta in catalogue
    ]
    assert right.explained
    assert right.members == sum(acts)
    np.testing.assert_allclose(right.theta, catalogue[acts].mean(axis=0), atol=1e-15)
    assert not recovered.conclude_in_family(seen, measures.FAMILY).explained
    optimal = [(env, agents.Optimal(measures.FAMILY, drawn.menus[0][0]).policy(env)) for env in drawn.floors]
    centre = recovered.conclude_in_family(optimal, measures.FAMILY)
    assert centre.explained
    for env, policy in optimal:
        np.testing.assert_array_equal(agents.Optimal(measures.FAMILY, centre.theta).policy(env), policy)


def test_distances_are_compared_with_every_layer(drawn):
    said = recovered.Conclusion("optimal", True, 1.0, 1, drawn.menus[0][0])
    objectives = np.array([drawn.menus[0][0], -drawn.menus[0][0], drawn.menus[1][1]])
    rows = recovered.compare(said, objectives, measures.FAMILY, drawn.floors[:1])
    env = drawn.floors[0]
    third = distances.starc(measures.FAMILY.reward(env, objectives[0]), measures.FAMILY.reward(env, objectives[2]), env)
    np.testing.assert_allclose([row["distance"] for row in rows], [0, 2, third], atol=1e-7)


@pytest.fixture(scope="module")
def table():
    """Two draws of every part, with fewer leaves and floors."""
    planned = [task for task in study.tasks(Settings(quick=True)) if task["draw"] < 2 and task["horizon"] in (3, None)]
    kept = [task | {"fresh": 2} for task in planned]
    frames = []
    for place, task in enumerate(kept):
        frames.append(pd.DataFrame(study.run(task)).assign(place=place))
    return pd.concat(frames, ignore_index=True)


def test_a_small_run_says_what_it_found(table):
    summary = study.summarise(table)
    told = {row["claim"]: row for row in summary["claims"]}
    never_wrong = (
        "bits fall or stay, down the layers of a chain and in its leaf",
        "bits are at most the log2 of the menu",
        "what a chain can end in only shrinks with its layers",
        "the own objective is served best by a leaf that plans optimally and pursues it",
        "training floors hold no bits of which layer it is",
        "bisection watches at most log2 of the layers",
    )
    for claim in never_wrong:
        assert told[claim]["held"] == told[claim]["of"] > 0
    json.dumps(summary)
    found = study.findings(summary)
    assert 2 <= len(found) <= 6
    for sentence in found:
        assert sentence.endswith(".")
        assert re.search(r"nan|inf\b|None", sentence) is None
    with figures.style():
        assert len(study.draw(table, summary).axes) == 6


def test_a_claim_that_fails_is_counted(table):
    wrong = table.copy()
    wrong.loc[(wrong["part"] == "bits") & (wrong["depth"] > 0), "bits"] = 6.5
    told = {row["claim"]: row for row in study.summarise(wrong)["claims"]}
    assert told["bits are at most the log2 of the menu"]["held"] == 0
    assert told["bits fall or stay, down the layers of a chain and in its leaf"]["held"] == 0


def test_the_same_task_gives_the_same_rows():
    task = next(task for task in study.tasks(Settings(quick=True)) if task["part"] == "internal")
    assert study.run(task) == study.run(task)


def test_tasks_differ_and_full_runs_have_at_least_twenty_draws():
    planned = study.tasks(Settings())
    assert len({json.dumps(task, sort_keys=True) for task in planned}) == len(planned)
    assert len({task["draw"] for task in planned}) >= 20
