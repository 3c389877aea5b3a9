"""Certificates of files on the command line."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import irl_ident as ii
from irl_ident import certificates
from irl_ident.cli import app, showing, walks
from irl_ident.cli.property_files import composed

STATES = ["hall", "food", "water", "shock"]
FAMILY = ii.rewards.StateRewards(4)
WENT_LEFT = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])


def cage(left, right):
    """A hall with two doors; what is behind them is for ever."""
    doors = np.array([[STATES.index(left), STATES.index(right)], [1, 1], [2, 2], [3, 3]])
    return ii.Environment(np.eye(4)[doors], 0.5, [1, 0, 0, 0], states=STATES, actions=["left", "right"])


COMING = cage("shock", "food")
BETTER = [(cage("food", "water"), WENT_LEFT), (cage("water", "shock"), WENT_LEFT)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ii.evidence.save("both.json", BETTER)
    ii.evidence.save("one.json", BETTER[:1])
    choices = ii.evidence.Counts([[60, 2], [0, 0], [0, 0], [0, 0]])
    ii.evidence.save("choices.json", [(env, choices) for env, _ in BETTER])
    ii.evidence.save_environments("coming.json", [COMING])
    ii.evidence.save_environments("several.npz", [cage("water", "food"), COMING])
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments):
    result = run("certify", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_proof_says_what_is_assumed_and_asked_and_its_file_is_accepted_by_the_command_that_is_printed(files):
    asked = ("--avoids", "shock", "--reaches", "food", "--out", "proof.json.gz")
    result = run("certify", "both.json", "--deploy", "coming.json", *asked)
    assert result.exit_code == 0, result.output
    for words in (
        "optimal agent, planning without error",
        "in 2 environments",
        "is optimal up to 1e-09",
        "Asked, of deployment in coming.json#0",
        "never visits shock and visits food with probability at least 1",
        "Verdict: proved",
    ):
        assert words in result.output
    _, *command = shlex.split(result.output.rpartition("To check it again: ")[2])
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("proof.json.gz: proved: ")


def test_a_refutation_is_a_result_with_a_witness_that_behaves_as_seen_and_violates_the_property(files):
    found = told("one.json", "--deploy", "coming.json", "--avoids", "shock", "--prefers", "food:water")
    witness = found["certificate"]["witness"]
    agent = ii.agents.Optimal(FAMILY, witness["theta"])
    np.testing.assert_array_equal(agent.policy(BETTER[0][0])[0], WENT_LEFT[0])
    np.testing.assert_array_equal(agent.policy(COMING)[0], [1, 0])
    assert found["certificate"]["status"] == "refuted"
    assert found["parameters"] == ["R(hall)", "R(food)", "R(water)", "R(shock)"]
    assert witness["policy"]["hall"] == "left"
    assert witness["path"] == {"states": ["hall", "shock"], "actions": ["left"], "repeats": False, "sure": True}
    assert [one["status"] for one in witness["statements"]] == ["fails", "holds"]
    spoken = run("certify", "one.json", "--deploy", "coming.json", "--avoids", "shock")
    assert "would have behaved as was seen in 1 environment\n" in spoken.output
    assert "    hall -left-> shock\n" in spoken.output
    assert "fails: never visits shock (it does with probability 1)" in spoken.output


@pytest.mark.parametrize("evidence", ["one.json", "both.json"])
def test_every_option_asks_what_the_library_is_asked(files, evidence):
    ident = ii.identify(ii.evidence.load(evidence), FAMILY)
    c = certificates
    asked = {
        ("--avoids", "shock,water"): c.Avoids(["shock", "water"]),
        ("--avoids", "shock,3"): c.Avoids("shock"),
        ("--avoids", "3@0.25"): c.Avoids("shock", 0.25),
        ("--reaches", "food,shock"): c.Reaches(["food", "shock"]),
        ("--reaches", "food@0.5"): c.Reaches("food", 0.5),
        ("--optimal", "hall:right"): c.OptimalAction("hall", "right"),
        ("--never", "0:0"): ~c.OptimalAction("hall", "left"),
        ("--prefers", "food:shock"): c.prefers("food", "shock", FAMILY, COMING),
        ("--never", "hall:left", "--avoids", "hall"): c.Avoids("hall") & ~c.OptimalAction("hall", "left"),
    }
    for options, prop in asked.items():
        found = told(evidence, "--deploy", "several.npz", "--deploy-index", "1", *options)["certificate"]
        certificate = c.certify(ident, prop, COMING)
        assert found["property"] == str(prop)
        assert found["status"] == certificate.status != "unknown"
        assert found["regions"] == certificate.regions


def test_a_witness_that_wants_nothing_is_called_so(files, capsys):
    found = certificates.certify(ii.identify(BETTER[:1], FAMILY), certificates.Avoids("shock"), COMING)
    showing.print_certificate(found, None, 2000)
    showing.print_certificate(dataclasses.replace(found, trivial=True), None, 2000)
    plain, idle = capsys.readouterr().out.split("Spoken of")[1:]
    assert "everything is the same to it" not in plain
    assert "everything is the same to it" in idle
    assert not showing.certificate_fields(found, None, None)["witness"]["trivial"]


def test_what_is_asked_of_the_objective_alone_needs_no_deployment(files):
    assert told("both.json", "--prefers", "food:shock")["certificate"]["status"] == "proved"
    found = told("both.json", "--prefers", "shock:food")
    assert found["deployment"] is None
    assert found["certificate"]["witness"]["path"] is None
    assert found["certificate"]["witness"]["theta"][3] < found["certificate"]["witness"]["theta"][1]


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        # Behind the doors counts half: shock is worth 1 and food -1 to the witness, or nearly.
        ({"kind": "regret_at_most", "policy": [[0.25, 0.75]] + [[1, 0]] * 3, "value": 0.5}, 0.5 * 0.75 * 2),
        ({"kind": "return_at_least", "reward": [[0, 0], [1, 1], [0, 0], [-1, -1]], "value": 0.1}, -0.5),
        ({"kind": "base_regret_at_most", "reward": [[0, 0], [1, 1], [0, 0], [-2, -2]], "value": 0.1}, -1.0),
    ],
    ids=lambda one: one["kind"] if isinstance(one, dict) else "",
)
def test_what_fails_at_a_witness_has_its_number(files, asked, number):
    (files / "asked.json").write_text(json.dumps(asked))
    witness = told("one.json", "--deploy", "coming.json", "--property", "asked.json")["certificate"]["witness"]
    (statement,) = witness["statements"]
    assert statement["status"] == "fails"
    assert float(statement["detail"].split()[-1]) == pytest.approx(number, abs=2e-4)


def test_twins_explain_all_and_part_in_deployment(files):
    found = told("one.json", "--deploy", "coming.json", "--twins")
    assert found["certificate"] is None
    pair = found["twins"]
    for theta, acts, (first, _) in zip(
        (pair["first"], pair["second"]), ([0, 1], [1, 0]), (p["actions"] for p in pair["paths"]), strict=True
    ):
        agent = ii.agents.Optimal(FAMILY, theta)
        np.testing.assert_array_equal(agent.policy(BETTER[0][0])[0], WENT_LEFT[0])
        np.testing.assert_array_equal(agent.policy(COMING)[0], acts)
        assert first == COMING.actions[int(np.argmax(acts))]
    assert pair["complete"]
    assert pair["distance"] == pytest.approx(1)
    spoken = run("certify", "one.json", "--deploy", "coming.json", "--twins", "--avoids", "shock").output
    assert "Verdict: refuted" in spoken
    assert "one: hall -right-> food, and stays" in spoken
    assert "the other: hall -left-> shock, and stays" in spoken
    same = run("certify", "both.json", "--deploy", "coming.json", "--twins").output
    assert "and here too" in same
    assert "1 behaviour compared" in same


def test_noisy_agents_have_a_level(files):
    noisy = ("--rationality", "noisy", "--error", 0.1, "--level", 0.05, "--tie-breaking", "even")
    found = told("choices.json", *noisy, "--deploy", "coming.json", "--avoids", "shock", "--out", "noisy.json")
    assert found["certificate"]["status"] == "proved"
    assert found["certificate"]["level"] == 0.05
    assert found["certificate"]["accepted"] is True
    # Ties that may be broken in any way leave it possible that all doors are alike.
    any_way = told("choices.json", *noisy[:-1], "any", "--deploy", "coming.json", "--avoids", "shock")
    assert any_way["certificate"]["status"] != "proved"
    spoken = run("certify", "choices.json", *noisy, "--deploy", "coming.json", "--avoids", "shock").output
    assert "is one of these with probability at least 0.95" in spoken
    assessed = json.loads(run("assess", "choices.json", *noisy, "--json").stdout)
    ident = ii.identify(ii.evidence.load("choices.json"), FAMILY, "noisy", error=0.1, level=0.05, ties="even")
    np.testing.assert_allclose(assessed["ranges"], ident.canonical_ranges(), atol=1e-9)
    assert run("next", "choices.json", *noisy, "--candidates", "coming.json", "--samples", 20).exit_code == 0


def test_what_hangs_on_a_tie_is_unknown_and_still_a_result(files):
    (files / "tied.json").write_text(
        json.dumps(
            {
                "kind": "or",
                "of": [
                    {"kind": "not", "of": {"kind": "avoids", "states": ["shock"]}},
                    {"kind": "prefers", "better": "food", "worse": "shock"},
                ],
            }
        )
    )
    result = run("certify", "one.json", "--deploy", "coming.json", "--property", "tied.json", "--out", "open.json")
    assert result.exit_code == 0, result.output
    assert "Verdict: unknown" in result.output
    assert "near-ties" in result.output
    assert run("check", "open.json").output.startswith("open.json: unknown: ")


REWARD = [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [-1.0, -1.0]]
C = certificates
READ = [
    ({"kind": "linear", "weights": [0, 1, 0, -1], "at_most": 0.5}, C.Linear([0, 1, 0, -1], 0.5)),
    ({"kind": "optimal_action", "state": "hall", "action": 1}, C.OptimalAction(0, "right")),
    ({"kind": "avoids", "states": ["shock", 2], "probability": 0.1}, C.Avoids([3, 2], 0.1)),
    ({"kind": "reaches", "states": ["food"]}, C.Reaches("food")),
    ({"kind": "return_at_least", "reward": REWARD, "value": 0.5}, C.ReturnAtLeast(REWARD, 0.5)),
    ({"kind": "base_regret_at_most", "reward": REWARD}, C.BaseOptimal(REWARD)),
    ({"kind": "base_regret_at_most", "reward": REWARD, "value": 0.1}, C.BaseOptimal(REWARD, 0.1)),
    ({"kind": "regret_at_most", "policy": WENT_LEFT.tolist(), "value": 1}, C.RegretAtMost(WENT_LEFT, 1)),
    ({"kind": "prefers", "better": "food", "worse": 3}, C.prefers("food", "shock", FAMILY, COMING)),
]


@pytest.mark.parametrize(("written", "prop"), READ, ids=lambda one: one["kind"] if isinstance(one, dict) else "")
def test_every_kind_of_property_can_stand_in_a_file(written, prop):
    assert composed(written, "property", FAMILY, COMING).fields(COMING) == prop.fields(COMING)
    nested = {"kind": "not", "of": {"kind": "or", "of": [{"kind": "and", "of": [written, written]}, written]}}
    assert composed(nested, "property", FAMILY, COMING).fields(COMING) == (~((prop & prop) | prop)).fields(COMING)


def test_as_deep_as_files_may_be_nested_the_checker_reads(files):
    deep = {"kind": "avoids", "states": ["shock"]}
    for _ in range(48):
        deep = {"kind": "not", "of": deep}
    (files / "deep.json").write_text(json.dumps(deep))
    found = told("both.json", "--deploy", "coming.json", "--property", "deep.json", "--avoids", "shock")
    assert found["certificate"]["status"] == "proved"


def test_a_file_of_a_certificate_says_its_property_in_the_same_words(files):
    run("certify", "both.json", "--deploy", "coming.json", "--avoids", "shock", "--optimal", "0:1", "--out", "a.json")
    kept = json.loads((files / "a.json").read_text())["statement"]["property"]
    (files / "p.json").write_text(json.dumps(kept))
    again = told("both.json", "--deploy", "coming.json", "--property", "p.json")
    assert again["certificate"]["status"] == "proved"
    assert composed(kept, "property", FAMILY, COMING).fields(COMING) == kept


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{", "is damaged or is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"kind": "not", "of": ' * 49 + "1" + "}" * 49, "property: is nested more than 48 deep"),
        ('{"kind": "or", "of": [], "of": []}', "of: is given twice"),
        ("[]", "property: should be an object with a kind"),
        ('{"kind": "always"}', "property.kind: was 'always', should be one of and, or, not"),
        ('{"kind": "avoids"}', "property.states: is missing"),
        ('{"kind": "avoids", "states": "shock"}', "property: states: should be a list"),
        ('{"kind": "avoids", "states": []}', "property: states: should hold at least one"),
        ('{"kind": "avoids", "states": [true]}', "there is no state True"),
        ('{"kind": "reaches", "states": ["food"], "chance": 1}', "property.chance: is no key of a property reaches"),
        ('{"kind": "reaches", "states": ["food"], "probability": "high"}', "property: "),
        ('{"kind": "reaches", "states": ["food"], "probability": null}', "property: should hold numbers"),
        ('{"kind": "not", "of": {"kind": "or", "of": []}}', "property.of.of: should be a list of properties"),
        ('{"kind": "and", "of": [{"kind": "linear", "weights": [1], "at_most": 0}]}', "property.of[0]: weights"),
        ('{"kind": "return_at_least", "reward": [[0, 0]], "value": 0}', "property: reward"),
        ('{"kind": "return_at_least", "reward": [[0, 0], [0]], "value": 0}', "property: "),
        ('{"kind": "regret_at_most", "policy": [[1, 1], [1, 0], [1, 0], [1, 0]], "value": 0}', "property: policy"),
    ],
)
def test_files_without_a_property_are_told_where_they_are_wrong(files, written, words):
    (files / "bad.json").write_text(written)
    result = run("certify", "one.json", "--deploy", "coming.json", "--property", "bad.json")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("irl-ident: bad.json: ")
    assert words in result.stderr


AVOID = ("--deploy", "coming.json", "--avoids", "shock")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("one.json", "--deploy", "coming.json"), "no property was given"),
        (("one.json", "--avoids", "shock"), "--deploy: is missing"),
        (("one.json", "--twins"), "--deploy: is missing"),
        (("one.json", "--prefers", "food:shock", "--deploy-index", 0), "--deploy-index: needs --deploy"),
        (("one.json", "--deploy", "several.npz", "--avoids", "shock"), "holds 2 environments, choose one"),
        (("one.json", *AVOID, "--deploy-index", 1), "--deploy-index: was 1, should be at most 0"),
        (("one.json", "--deploy", "coming.json", "--avoids", "lava"), "--avoids lava: there is no state 'lava'"),
        (("one.json", "--deploy", "coming.json", "--avoids", "4"), "--avoids 4: there is no state '4'"),
        (("one.json", "--deploy", "coming.json", "--avoids", "shock@often"), "--avoids shock@often: should be"),
        (("one.json", "--deploy", "coming.json", "--avoids", "shock@1"), "--avoids shock@1: probability: was 1.0"),
        (("one.json", "--deploy", "coming.json", "--reaches", "food@nan"), "--reaches food@nan: probability"),
        (("one.json", "--deploy", "coming.json", "--optimal", "hall"), "--optimal hall: should be STATE:ACTION"),
        (("one.json", "--deploy", "coming.json", "--never", "hall:up"), "--never hall:up: there is no action 'up'"),
        (("one.json", "--deploy", "coming.json", "--prefers", ":food"), "--prefers :food: should be STATE:STATE"),
        (("one.json", *AVOID, "--ties", -1), "ties: was -1.0"),
        (("one.json", *AVOID, "--strictness", 3), "strictness: was 3"),
        (("one.json", *AVOID, "--out", "one.json"), "is a file with evidence"),
        (("one.json", *AVOID, "--out", "nowhere/c.json"), "there is no folder"),
        (("one.json", *AVOID, "--out", "c.txt"), "should end in .json"),
        (("one.json", "--deploy", "coming.json", "--twins", "--out", "c.json"), "--out: needs a property"),
        (("one.json", *AVOID, "--rationality", "soft"), "should be the identified set of an optimal agent"),
        (("one.json", *AVOID, "--rationality", "noisy"), "error: is needed"),
        (("one.json", *AVOID, "--error", 0.1), "error"),
        (("coming.json", *AVOID), "evidence: is missing"),
        (("contradiction.json", *AVOID), "no reward of the family explains this evidence"),
        (("one.json", "--deploy", "other.json", "--avoids", "s0"), "states"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(files, arguments, words):
    ii.evidence.save("contradiction.json", [*BETTER[:1], (cage("water", "food"), WENT_LEFT)])
    ii.evidence.save_environments("other.json", [ii.builders.random_environment(3, 2, 0.9, seed=0)])
    before = (files / "one.json").read_bytes()
    result = run("certify", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert words in result.stderr
    assert (files / "one.json").read_bytes() == before


def test_certificates_are_checked_and_what_is_false_or_unreadable_has_its_exit_code(files):
    for name, evidence in (("proof.json", "both.json"), ("witness.json.gz", "one.json")):
        assert run("certify", evidence, *AVOID, "--out", name).exit_code == 0
    good = run("check", "proof.json", "witness.json.gz")
    assert good.exit_code == 0
    assert [line.split()[1] for line in good.output.splitlines()] == ["proved:", "refuted:"]
    document = json.loads((files / "proof.json").read_text())
    document["statement"]["property"]["states"] = [1]
    (files / "false.json").write_text(json.dumps(certificates.checking.seal(document)))
    bad = run("check", "proof.json", "false.json", "--json")
    assert bad.exit_code == 1
    assert [one["accepted"] for one in json.loads(bad.stdout)["certificates"]] == [True, False]
    assert run("check", "false.json", "missing.json").exit_code == 2
    assert run("check").exit_code == 2


def test_progress_is_for_terminals_and_leaves_the_output_clean(files):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "irl_ident.cli", "certify", "both.json", *AVOID, "--twins", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as done:
        os.close(theirs)
        output, shown = done.stdout.read(), b""
        while b"twins" not in shown:
            shown += os.read(ours, 4096)
        assert done.wait() == 0
    os.close(ours)
    assert json.loads(output)["certificate"]["status"] == "proved"
    assert b"certifying" in shown


def random_chain(seed, n=5):
    """A random environment in which many moves have no chance at all, and a policy."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.full(n, 0.3), size=(n, 2)) * (rng.random((n, 2, n)) < 0.5)
    moves[moves.sum(axis=2) == 0, 0] = 1
    start = rng.dirichlet(np.ones(n)) * (rng.random(n) < 0.6)
    env = ii.Environment(moves / moves.sum(axis=2, keepdims=True), 0.9, start / start.sum() if start.any() else None)
    return env, rng.integers(0, 2, n), rng.random(n) < 0.3


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_walks_to_targets_are_the_most_likely_ones(seed):
    env, policy, targets = random_chain(seed)
    chain = env.transitions.toarray().reshape(5, 2, 5)[np.arange(5), policy]
    best = 0.0
    for length in range(1, 6):
        for states in itertools.permutations(range(5), length):
            if targets[states[-1]]:
                chance = env.initial[states[0]] * np.prod([chain[s, t] for s, t in itertools.pairwise(states)])
                best = max(best, chance)
    walk = walks.walk_to(env, policy, targets)
    if best == 0:
        assert walk is None
        return
    steps = list(itertools.pairwise(walk.states))
    assert env.initial[walk.states[0]] * np.prod([chain[step] for step in steps]) == pytest.approx(best, rel=1e-6)
    assert [int(policy[s]) for s in walk.states[:-1]] == list(walk.actions)
    assert walk.sure == all(chain[step] == 1 for step in steps)
    assert targets[walk.states[-1]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_chances_of_a_visit_are_those_of_ever_longer_episodes(seed):
    env, policy, targets = random_chain(seed)
    chain = env.transitions.toarray().reshape(5, 2, 5)[np.arange(5), policy]
    chain[targets] = np.eye(5)[targets]
    squared = np.linalg.matrix_power(chain, 2**40)
    np.testing.assert_allclose(walks.visiting(env, policy, targets), squared @ targets, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_walks_go_on_until_they_repeat_and_miss_what_can_be_missed(seed):
    env, policy, targets = random_chain(seed)
    walk = walks.walk_on(env, policy, away=targets)
    assert len(set(walk.states)) == len(walk.states) - 1
    assert walk.states[-1] in walk.states[:-1]
    if env.initial @ walks.visiting(env, policy, targets) < 1 - 1e-9:
        assert not targets[list(walk.states)].any()
    assert env.initial[walk.states[0]] > 0


def test_walks_that_stay_say_how():
    env = cage("hall", "food")
    assert walks.walk_on(env, np.array([0, 0, 0, 0])).words(env) == "hall, and stays by left"
    assert walks.walk_on(env, np.array([1, 0, 0, 0])).words(env) == "hall -right-> food, and stays"
    turning = ii.Environment(np.eye(2)[[[1], [0]]], 0.9, [1, 0], states=["tick", "tock"], actions=["wait"])
    assert walks.walk_on(turning, np.array([0, 0])).words(turning) == "tick -wait-> tock -wait-> tick, and round again"


def test_long_walks_are_printed_without_their_middle():
    n = 40
    row = ii.Environment(np.eye(n)[np.minimum(np.arange(n) + 1, n - 1)][:, None, :], 0.9, np.eye(n)[0], actions=["go"])
    walk = walks.walk_on(row, np.zeros(n, dtype=int))
    words = walk.words(row)
    assert words.startswith("s0 -go-> s1 ")
    assert words.endswith(" -go-> s39, and stays")
    assert " ... " in words
    assert len(words) < 400
    assert len(walk.fields(row)["states"]) == n + 1
