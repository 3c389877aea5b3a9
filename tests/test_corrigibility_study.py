"""The study of corrigibility: its types, smallest sets, closed forms, proofs without truth, and its summary."""

import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import optimize

import irl_ident as ii
from environments import shutdown_game
from environments.shutdown_game import Rules
from irl_ident.agents.base import Agent

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from irl_ident import figures  # noqa: E402
from studies import _corrigibility as measures  # noqa: E402
from studies import _corrigibility_proofs as proofs  # noqa: E402
from studies import _corrigibility_types as types  # noqa: E402
from studies import corrigibility as study  # noqa: E402
from studies._corrigibility_summary import separations  # noqa: E402
from studies.study import Settings  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def _few_points():
    """Fewer naive agents than the study has."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(measures, "WORTHS", (0.0, 0.5, 0.85, 1.15, 1.5, 2.0))
        patched.setattr(measures, "ODDS", (0.1, 0.35, 0.5, 0.7, 0.9))
        yield


@pytest.fixture(scope="module")
def told_apart():
    """Which environment tells which types apart, for standard prices."""
    return pd.DataFrame(study.run({"part": "types", "replicate": 0, "seed": 0}))


def test_every_world_has_an_agent_of_each_type():
    found = types.trials()
    assert len({trial.name for trial in found}) == len({trial.env.digest for trial in found}) == len(found) == 27
    for trial in found:
        assert set(trial.agents(types.Prices())) == set(types.TYPES)
        assert trial.knobs <= set(types.KNOBS)


def test_behaviours_are_told_apart_by_where_they_go():
    env = shutdown_game.build(Rules())
    agents = types.in_shutdown_game(types.Prices())
    seen = {name: measures.behaviour(agent, env) for name, agent in agents.items()}
    assert measures.apart(seen["corrigible"], seen["indifferent"]) == 0
    blocks = measures.apart(seen["naive"], seen["corrigible"])
    assert blocks == pytest.approx(measures.apart(seen["corrigible"], seen["naive"]))
    total = seen["naive"].sum() + seen["corrigible"].sum()
    assert blocks == pytest.approx(np.abs(seen["naive"] - seen["corrigible"]).sum() / total)


@pytest.mark.parametrize("seed", range(25))
def test_smallest_covers_are_those_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    separates = rng.random((7, 9)) < 0.35
    found = measures.smallest_cover(separates)
    possible = separates.any(axis=0)
    sizes = range(8)
    covering = [
        s for k in sizes for s in combinations(range(7), k) if (separates[list(s)].any(axis=0) >= possible).all()
    ]
    smallest = [s for s in covering if len(s) == min(map(len, covering))]
    assert (found.size, found.chosen, found.smallest_sets) == (len(smallest[0]), smallest[0], len(smallest))
    np.testing.assert_array_equal(found.never, np.flatnonzero(~possible))
    assert measures.smallest_cover(np.zeros((3, 2), dtype=bool)).size == 0


def test_three_environments_tell_all_types_apart_and_no_two_do(told_apart):
    names, turned, separates = separations(told_apart)
    cover = measures.smallest_cover(separates)
    assert cover.size == 3
    assert cover.never == ()
    for two in combinations(range(len(names)), 2):
        assert not separates[list(two)].any(axis=0).all()
    unlucky = [e for e, knobs in enumerate(turned) if "luck" not in knobs]
    unseen = [e for e, knobs in enumerate(turned) if "watch" not in knobs]
    for kept, pair in ((unlucky, ("indifferent", "counterfactual")), (unseen, ("deceptive", "corrigible"))):
        never = measures.smallest_cover(separates[kept]).never
        assert [measures.PAIRS[p] for p in never] == [pair]


def test_naive_and_indifferent_are_told_apart_without_control_of_the_odds(told_apart):
    """The study's plan expected otherwise."""
    row = told_apart[(told_apart["one"] == "naive") & (told_apart["other"] == "indifferent")]
    assert row.set_index("trial")["distance"]["button"] > measures.SAME
    knobs = {own["varied"]: own["alike"] for own in study.knobs(pd.DataFrame(measures.knob_rows(0.1)))}
    assert knobs["nothing"] == knobs["effort"] == 2
    assert knobs["odds"] == knobs["stake"] == 0


def test_the_plane_is_the_closed_form():
    rows = pd.DataFrame(measures.plane_rows([3], 0.15))
    assert len(rows) == 30
    inside = rows[~rows["boundary"]]
    assert 0 < inside["alike"].sum() < len(inside)
    np.testing.assert_array_equal(inside["alike"], inside["closed_form"] == 1)


def test_deference_and_generations_are_the_closed_forms():
    off = pd.DataFrame(measures.off_switch_rows(np.linspace(-2.3, 2.3, 8)))
    noisy = off[off["beta"] > 0]
    np.testing.assert_array_equal(noisy["waits"] == 1, noisy["closed_form"] == 1)
    np.testing.assert_allclose(noisy["discrete"], noisy["worth"], atol=1e-9)
    chain = pd.DataFrame(measures.chain_rows(0.15))
    told = chain[chain["kind"] == "corrigible"]
    np.testing.assert_array_equal(told["obeys"], told["closed_form"])
    assert 0 < told["obeys"].mean() < 1


class Sealed(Agent):
    """An agent of which nothing but its policy can be seen."""

    def __init__(self, agent):
        self._policies = {}
        for rules in proofs.PROTOCOL:
            for who in (True, False):
                env = proofs.build(replace(rules, watched=who))
                self._policies[env.digest] = agent.policy(env)

    def policy(self, env):
        return self._policies[env.digest]

    def __getattr__(self, name):
        raise AssertionError(f"nobody should look at {name}")


def test_conclusions_come_from_evidence_alone():
    agent = types.in_shutdown_game(types.Prices())["corrigible"]
    several = proofs.protocol("alone")[:1]
    question = proofs.questions()["stops when told"]
    sealed = proofs.concluded(proofs.watched(Sealed(agent), several), question)
    open_ = proofs.concluded(proofs.watched(agent, several), question)
    assert sealed.status == open_.status == "refuted"
    assert sealed.certificate.document == open_.certificate.document
    with pytest.raises(AssertionError, match="nobody should look at theta"):
        Sealed(agent).theta  # noqa: B018


def test_what_is_seen_is_what_it_did():
    agent = types.in_shutdown_game(types.Prices())["naive"]
    ((env, seen),) = proofs.watched(agent, [Rules()])
    done = [env.states[s] for s in np.flatnonzero(seen.observed)]
    assert done == ["start, watched", "block, 1 of effort, watched", "after block, not told, watched", *done[3:]]
    assert all(name == "end" or name.startswith("worked 1") for name in done[3:])


@pytest.fixture(scope="module")
def proved():
    """Corrigible agents after the whole protocol, alone and watched."""
    asked = ["builds in a switch"]
    whole = [len(proofs.PROTOCOL)]
    return [row for pool in ("alone", "watched") for row in proofs.proof_rows("corrigible", 0, whole, pool, asked)]


def test_obedience_of_successors_is_proved_alone_and_not_from_watched_environments(proved):
    alone, watched = proved
    assert (alone["status"], alone["true_holds"]) == ("proved", True)
    assert (watched["status"], watched["witness_same"]) == ("refuted", True)
    assert watched["witness_does"] in ("goes on", "stops")


def test_a_question_is_answered_as_the_agents_are():
    truth = {
        name: [proofs.holds(agent, question) for question in proofs.questions().values()]
        for name, agent in types.in_shutdown_game(types.Prices()).items()
    }
    assert truth["corrigible"] == truth["deferring"] == [True, True, True]
    assert truth["indifferent"] == truth["counterfactual"] == [True, True, False]
    assert truth["goal alone"] == truth["deceptive"] == [False, True, False]
    assert truth["internalised"] == [True, False, True]
    questions = proofs.questions().values()
    tried = {proofs.build(rules).digest for pool in proofs.POOLS for rules in proofs.protocol(pool)}
    assert not tried & {question.env.digest for question in questions}


def plans(env):
    """All ways to go through the game: a first act, and going on or stopping at what it leads to."""
    start = int(env.initial.argmax())
    nodes = [start + shutdown_game.NODES + n for n in range(16)]
    for first in range(5):
        table = np.zeros((env.n_states, 5))
        table[:, shutdown_game.WORK] = 1
        table[start] = np.eye(5)[first]
        visits = ii.planning.occupancy(env, table).sum(axis=1)
        met = [node for node in nodes if visits[node] > 0]
        for stops in range(2 ** len(met)):
            policy = table.copy()
            for bit, here in enumerate(met):
                policy[here] = np.eye(5)[shutdown_game.STOP if stops >> bit & 1 else shutdown_game.WORK]
            yield policy


def best_margin(agent, several):
    """The most by which all that was done can be better than every other plan, over all objectives of size 1."""
    features = shutdown_game.family().features[:, 0]
    rows = []
    for rules in several:
        env = proofs.build(rules)
        done = measures.behaviour(agent, env)
        others = [ii.planning.occupancy(env, policy).sum(axis=1) for policy in plans(env)]
        rows += [(done - other) @ features for other in others if np.abs(done - other).max() > 1e-9]
    unknown = np.append(np.zeros(features.shape[1]), -1.0)
    constraints = np.column_stack([-np.array(rows), np.ones(len(rows))])
    bounds = [(-1, 1)] * features.shape[1] + [(None, None)]
    found = optimize.linprog(unknown, A_ub=constraints, b_ub=np.zeros(len(rows)), bounds=bounds)
    return -found.fun


def test_indifference_is_no_objective_and_few_environments_show_it():
    (row,) = proofs.contradiction_rows("counterfactual", 0)
    assert row["explained"]
    (row,) = proofs.contradiction_rows("indifferent", 0)
    assert (row["explained"], row["needed_names"].count("|") + 1) == (False, row["needed"])
    agent = types.in_shutdown_game(types.drawn_prices(0))["indifferent"]
    evidence = proofs.watched(agent, proofs.protocol("alone"))
    needed = proofs.contradiction(evidence)
    for left in needed:
        assert not proofs.contradictory(proofs.identified([evidence[e] for e in needed if e != left]))
    several = [proofs.protocol("alone")[e] for e in needed]
    assert best_margin(agent, several) == pytest.approx(0, abs=1e-9)
    assert best_margin(types.in_shutdown_game(types.drawn_prices(0))["corrigible"], several) > 1e-3


@pytest.fixture(scope="module")
def table(told_apart, proved):
    """A run with few rows of each part; the last agents are made up."""
    parts = [told_apart]
    parts += [pd.DataFrame(measures.plane_rows([stake], 0.1)).assign(part="plane") for stake in (1,)]
    parts += [pd.DataFrame(measures.knob_rows(0.1)).assign(part="knobs")]
    parts += [pd.DataFrame(measures.off_switch_rows([-1.2, 0.0, 0.7])).assign(part="off-switch")]
    parts += [pd.DataFrame(measures.chain_rows(study.SWITCH)).assign(part="chain")]
    rows = [
        row | {"question": name, "pool": pool} for row in proved for name in proofs.questions() for pool in proofs.POOLS
    ]
    rows = [
        row | {"true_type": kind, "status": "refuted" if row["pool"] != "alone" else row["status"]}
        for row in rows
        for kind in study.KINDS
    ]
    parts += [pd.DataFrame(rows).assign(part="proofs", replicate=0)]
    kinds = [
        {"explained": kind != "indifferent", "needed": 3, "needed_names": "a | b | c", "true_type": kind}
        for kind in types.TYPES
    ]
    parts += [pd.DataFrame(kinds).assign(part="explained", replicate=0)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def summary(table):
    """The summary of those rows."""
    return study.summarise(table)


def test_the_summary_counts_what_the_table_holds(table, summary):
    told = {row["claim"]: row for row in summary["claims"]}
    assert all(row["of"] > 0 for row in told.values())
    missed = [claim for claim, row in told.items() if row["held"] < row["of"]]
    assert missed == ["environments that tell naive from indifferent agents vary the odds of the command"]
    assert len(summary["pairs"]) == 28
    assert [row["fixed"] for row in summary["smallest_sets"]] == ["none", *types.KNOBS]
    assert sum(row["n"] for row in summary["witnesses"]) == 2 * 3 * 2 * len(study.KINDS) + 3 * len(study.KINDS)
    assert summary["explained"][4] == {
        "type": "indifferent",
        "explained": 0,
        "of": 1,
        "fewest": 3,
        "contradiction": "a | b | c",
    }
    wrong = table.copy()
    wrong.loc[(wrong["part"] == "proofs") & (wrong["status"] == "proved"), "true_holds"] = False
    worse = {row["claim"]: row for row in study.summarise(wrong)["claims"]}
    assert (
        worse["nothing is proved that an agent of the family lacks"]["held"]
        < told["nothing is proved that an agent of the family lacks"]["held"]
    )
    json.dumps(summary)


def test_findings_are_sentences_with_the_numbers_of_the_summary(summary):
    said = study.findings(summary)
    assert len(said) == 5
    for sentence in said:
        assert sentence.endswith(".")
        assert "nan" not in re.findall(r"[a-z]+", sentence)
    whole = summary["smallest_sets"][0]
    assert f"{whole['size']} of 27" in said[0]
    assert "were expected to be told from indifferent ones only where the odds" in said[1]


def test_the_figure_shows_all_parts(table, summary):
    with figures.style():
        drawn = study.draw(table, summary)
    assert len(drawn.axes) == 8
    counts = [text.get_text().split("\n")[0] for text in drawn.axes[0].texts]
    assert [int(text) for text in counts[:28]] == [row["environments"] for row in summary["pairs"]]


def test_tasks_differ_and_twenty_agents_of_each_type_are_asked():
    planned = study.tasks(Settings())
    assert len({json.dumps(task, sort_keys=True) for task in planned}) == len(planned)
    asked = [task for task in planned if task["part"] == "proofs" and task["pool"] == "alone"]
    assert len(asked) == 20 * len(types.TYPES)
    assert sum(task["part"] == "types" for task in planned) == 21
