"""The study of verification: its cases, what is seen, its certificates, and its summary of a table made by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

import irl_ident as ii
from irl_ident.certificates import certify

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from studies import _verification as measures  # noqa: E402
from studies import _verification_figure as drawing  # noqa: E402
from studies import verification as study  # noqa: E402
from studies._verification_worlds import CANDIDATES, WORLDS, case, holds  # noqa: E402
from studies.study import Settings  # noqa: E402


def may_visit(one):
    """States that an optimal agent can come to in deployment, whichever optimal actions it takes."""
    env = one.deployment
    moves = (one.agent.policy(env)[:, :, None] * env.dense()).sum(axis=1) > 0
    reached = env.initial > 0
    while (following := reached | moves[reached].any(axis=0)).sum() > reached.sum():
        reached = following
    return reached


@pytest.mark.parametrize("world", WORLDS)
def test_agents_have_the_property_or_lack_it_as_asked(world):
    for true in (True, False):
        one = case(world, 1, true=true)
        assert may_visit(one)[list(one.prop.states)].any() != true
        assert holds(one, one.prop) == true
        assert len({env.digest for env in (*one.candidates, one.deployment)}) == CANDIDATES + 1
        assert len(one.pictures) == CANDIDATES + 1


@pytest.mark.parametrize("world", study.FACTORS)
def test_ordinary_candidates_say_nothing_of_deployment(world):
    one = case(world, 1)
    deployed = one.deployment.reachable & ~one.deployment.absorbing
    assert 0 < len(one.ordinary) < CANDIDATES
    for place, env in enumerate(one.candidates):
        assert (env.reachable & deployed).any() != (place in one.ordinary)


def test_on_the_way_shows_what_an_episode_visits():
    one = case("hazard in the way", 1)
    env = one.candidates[0]
    whole, way = (measures.observed(one, env, source, 0) for source in ("whole policy", "on the way"))
    episodes = one.agent.demonstrate(env, episodes=300, horizon=40, seed=0)
    visited = np.unique(episodes.states[:, :-1][episodes.taken])
    assert way.observed[visited].all()
    assert way.observed.sum() < whole.observed.sum()
    np.testing.assert_array_equal(way.probabilities[way.observed], whole.probabilities[way.observed])


def test_too_much_asked_is_vacuous_and_so_are_refutations_by_indifference():
    one = case("flag", 1)
    env = one.candidates[one.ordinary[0]]
    ident = ii.identify([(env, one.agent.policy(env))], one.family)
    found = measures.judged(lambda: certify(ident, one.prop, one.deployment, strictness=2.0))
    assert (found["status"], found["words"]) == ("vacuous", "strictness")
    certificate = certify(ident, one.prop, one.deployment)
    assert measures.judged(lambda: certificate)["status"] == "refuted"
    assert measures.judged(lambda: replace(certificate, trivial=True))["status"] == "vacuous"


def test_certificates_of_stars_say_what_the_closed_form_says():
    rows = measures.campaign(case("star of branches", 12), "random", "whole policy", 1, 5)
    assert all((row["status"] == "proved") == row["ruled_out"] for row in rows[1:])
    assert all(row["accepted"] for row in rows)
    assert [row["environments"] for row in rows] == list(range(len(rows)))
    assert [row["status"] for row in rows] == [*["refuted"] * (len(rows) - 1), "proved"]


def test_no_number_of_unflagged_environments_proves_anything():
    for row in measures.ordinary(case("flag", 2), [0, 6]):
        assert (row["status"], row["same"], row["violates"], row["accepted"]) == ("refuted", True, True, True)


def test_a_witness_that_is_drawn_takes_the_same_way_and_then_another():
    rows = measures.drawn_witness("flag", 0, 3)
    assert [row["deployment"] for row in rows] == [False, False, False, True]
    ways = [(json.loads(row["path"]), json.loads(row["witness_path"])) for row in rows]
    assert all(one == other for one, other in ways[:-1])
    ends = [drawing.places(path, rows[-1]["picture"].split("\n"), *drawing.SIDES["flag"])[-1] for path in ways[-1]]
    marks = [rows[-1]["picture"].split("\n")[int(y)][int(x)] for x, y in ends]
    assert marks == ["A", "B"]


def rows_by_hand():
    """Two objectives a world: chance proves after 2 and never, elimination after 2, counterexamples after 1."""
    rows = []
    for world in WORLDS:
        for replicate in range(2):
            shared = {"world": world, "replicate": replicate, "seed": 0}
            proofs = {"random": (2, 9)[replicate], "greedy": 2, "counterexample": 1}
            for strategy, proof in proofs.items():
                for n in range(min(proof, 3) + 1):
                    certificate = {
                        "accepted": True,
                        "bytes": 5000.0,
                        "seconds": 0.5,
                        "seconds_check": 0.1,
                        "regions": 1,
                    }
                    status = "proved" if n == proof else "refuted"
                    way = {"part": "campaign", "strategy": strategy, "source": "whole policy", "ruled_out": n == proof}
                    rows.append({**shared, **way, "environments": n, "status": status, **certificate})
            for truth in (True, False):
                asked = {"part": "properties", "property": "p", "truth": truth, "environments": 1, "accepted": True}
                rows.append({**shared, **asked, "status": "proved" if truth else "refuted"})
            rows.append({**shared, "part": "strictness", "strictness": 0.1, "environments": 4, "status": "vacuous"})
            without = {"part": "ordinary", "environments": 0, "status": "refuted", "accepted": True}
            rows.append({**shared, **without, "same": True, "violates": True})
    path = {"path": "[0, 1]", "witness_path": "[0, 3]", "picture": "S..\n...\n.AB"}
    rows += [
        {"part": "drawn", "world": "flag", "replicate": 0, "deployment": last, **path} for last in (False, False, True)
    ]
    return pd.DataFrame(rows)


def test_the_summary_counts_what_the_table_holds():
    table = rows_by_hand()
    summary = study.summarise(table)
    assert all(claim["held"] == claim["of"] > 0 for claim in summary["claims"])
    needed = {(row["world"], row["strategy"]): row for row in summary["campaigns"]}
    assert needed["flag", "counterexample"]["environments_needed"] == 1
    assert needed["flag", "random"]["environments_needed"] == (2 + 4) / 2
    assert needed["flag", "random"]["not_proved"] == 1
    assert needed["flag", "greedy"]["proved"] == [0, 0, 1]
    assert summary["strictness"] == [{"strictness": 0.1, "n": 8, "proved": 0, "refuted": 0, "unknown": 0, "vacuous": 1}]
    wrong = table.copy()
    wrong.loc[(wrong["part"] == "properties") & ~wrong["truth"].astype("boolean").fillna(True), "status"] = "proved"
    told = {claim["claim"]: claim for claim in study.summarise(wrong)["claims"]}
    assert told["no property that the agent lacks is proved"]["held"] == 0
    json.dumps(summary)
    figure = study.draw(table, summary)
    assert len(figure.axes) == 2 * len(WORLDS) + 3 + 4


def test_tasks_are_for_twenty_objectives_and_differ():
    planned = study.tasks(Settings())
    assert len({json.dumps(task, sort_keys=True) for task in planned}) == len(planned)
    whole = {task["replicate"] for task in planned if task.get("source") == "whole policy"}
    assert len(whole) == 20
