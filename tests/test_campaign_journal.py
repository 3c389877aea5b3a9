"""The journal: an interrupted campaign goes on to the same table; foreign and damaged files are refused."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal
from irl_ident.design.journal import Journal, fingerprint
from irl_ident.evidence import Counts, Policy

FAMILY = ii.rewards.StateRewards(3)
CANDIDATES = [random_environment(seed, 3, 2) for seed in range(3)]
AGENT = Optimal(FAMILY, [0.3, -0.2, 0.9])
STRATEGY = design.Greedy(110, 4)
REFERENCE = np.random.default_rng(0).uniform(-1, 1, (50, 3))


def campaign(journal=None, **changed):
    options = {"candidates": CANDIDATES, "strategy": STRATEGY, "family": FAMILY, "until": design.budget(3)}
    return design.Campaign(**{**options, "journal": journal, "reference": REFERENCE, **changed})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The bytes of a whole journal, and the table that it leads to."""
    path = tmp_path_factory.mktemp("whole") / "campaign.jsonl"
    loop = campaign(path)
    loop.run(AGENT)
    return path.read_bytes(), loop.table


def test_a_journal_changes_nothing_else(finished):
    loop = campaign()
    loop.run(AGENT)
    pd.testing.assert_frame_equal(loop.table, finished[1], check_exact=True)


def test_a_campaign_cut_after_every_line_ends_in_the_same_table(finished, tmp_path):
    content, table = finished
    lines = content.splitlines(keepends=True)
    assert [json.loads(line)["kind"] for line in lines] == ["campaign", *["ask", "tell"] * 3]
    for kept in range(len(lines) + 1):
        path = tmp_path / f"{kept}.jsonl"
        path.write_bytes(b"".join(lines[:kept]))
        loop = campaign(path)
        assert len(loop.decisions) == max(kept - 1, 0) // 2
        loop.run(AGENT)
        pd.testing.assert_frame_equal(loop.table, table, check_exact=True)
        assert loop.table.to_csv() == table.to_csv()
        pd.testing.assert_frame_equal(campaign(path).table, table, check_exact=True)


def test_a_journal_cut_after_every_byte_loses_at_most_its_last_line(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("irl_ident.design.journal.os.fsync", lambda descriptor: None)
    content = b"".join(finished[0].splitlines(keepends=True)[:4])
    records = [json.loads(line) for line in content.splitlines()]
    setting = {key: records[0][key] for key in ("candidates", "family", "strategy", "rationality", "temperature")}
    path = tmp_path / "cut.jsonl"
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        found = Journal(path, setting).records
        whole = content[:cut].count(b"\n") + (content[cut : cut + 1] == b"\n")
        assert found == records[1 : max(whole, 1)]
        after = path.read_bytes()
        assert after.endswith(b"\n")
        assert [json.loads(line) for line in after.splitlines()][1:] == found


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_campaign_cut_inside_a_line_ends_in_the_same_table(finished, tmp_path, share):
    content, table = finished
    path = tmp_path / "cut.jsonl"
    path.write_bytes(content[: int(share * len(content))])
    loop = campaign(path)
    loop.run(AGENT)
    pd.testing.assert_frame_equal(loop.table, table, check_exact=True)


def test_what_was_asked_is_asked_again_without_scoring(finished, tmp_path):
    lines = finished[0].splitlines(keepends=True)
    path = tmp_path / "asked.jsonl"
    path.write_bytes(b"".join(lines[:2]))
    loop = campaign(path)
    record = json.loads(lines[1])
    assert loop.question.candidate == record["candidate"]
    assert loop.ask().digest == record["environment"]
    assert path.read_bytes() == b"".join(lines[:2])


def test_every_kind_of_observation_comes_back(tmp_path):
    path = tmp_path / "kinds.jsonl"
    loop = campaign(path, until=design.budget(99))
    env, elsewhere = CANDIDATES[0], random_environment(50, 3, 2)
    trajectories = AGENT.demonstrate(env, episodes=3, horizon=4, seed=0)
    loop.tell(env, trajectories)
    loop.tell(env, ii.evidence.counts(env, trajectories))
    loop.tell(elsewhere, Policy(AGENT.policy(elsewhere), "some"))
    loop.tell(elsewhere, AGENT.policy(elsewhere))
    again = campaign(path, until=design.budget(99))
    for (before, seen), (after, read) in zip(loop.ident.evidence, again.ident.evidence, strict=True):
        assert before.digest == after.digest
        assert type(seen) is type(read)
        for name in ("probabilities", "shows", "counts", "states", "actions"):
            np.testing.assert_array_equal(getattr(seen, name, 0), getattr(read, name, 0))
    pd.testing.assert_frame_equal(loop.table, again.table, check_exact=True)
    assert isinstance(again.ident.evidence[1][1], Counts)


def test_the_journal_can_be_read_without_the_package(finished):
    for line in finished[0].splitlines():
        record = json.loads(line)
        if record["kind"] == "tell":
            (env,), (seen,) = record["seen"]["environments"], record["seen"]["evidence"]
            place = [c.digest for c in CANDIDATES].index(record["environment"])
            np.testing.assert_array_equal(env["data"], CANDIDATES[place].transitions.data)
            np.testing.assert_array_equal(seen["probabilities"], AGENT.policy(CANDIDATES[place]))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"candidates": CANDIDATES[:2]}, "candidate environments: it has 3, this one 2"),
        ({"candidates": CANDIDATES[::-1]}, "candidate environments: number 0 is"),
        ({"strategy": design.Greedy(110, 5)}, r"strategy: Greedy \(\w+\) there and Greedy \(\w+\) here"),
        ({"strategy": design.RoundRobin()}, "strategy: Greedy .* there and RoundRobin"),
        (
            {"family": ii.rewards.StateActionRewards(3, 2), "reference": None},
            "reward family: StateRewards .* there and StateActionRew",
        ),
        ({"rationality": "soft"}, "rationality: 'optimal' there and 'soft' here"),
        ({"temperature": 2.0}, "temperature: 1.0 there and 2.0 here"),
    ],
)
def test_the_journal_of_another_campaign_is_refused_with_what_differs(finished, tmp_path, changed, what):
    path = tmp_path / "other.jsonl"
    path.write_bytes(finished[0])
    with pytest.raises(ValueError, match=rf"other\.jsonl, line 1: .*another {what}"):
        campaign(path, **changed)
    assert path.read_bytes() == finished[0]


def test_another_stopping_rule_may_go_on(finished, tmp_path):
    path = tmp_path / "longer.jsonl"
    path.write_bytes(finished[0])
    loop = campaign(path, until=design.budget(4))
    assert not loop.stopped_because
    loop.ask()


@pytest.mark.parametrize("content", [b"notes\n", b"{", b"{}\n", b'{"kind": "ask"}\n', b"\x89PNG", b"\n"])
def test_foreign_files_are_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "foreign.txt"
    path.write_bytes(content)
    if content == b"{":  # could be the first byte of a journal whose first line was cut
        campaign(path)
        return
    with pytest.raises(ValueError, match=r"foreign\.txt, line 1: this is not the journal"):
        campaign(path)
    assert path.read_bytes() == content


def damaged(lines, number, change):
    record = json.loads(lines[number])
    change(record)
    return [*lines[:number], json.dumps(record).encode() + b"\n", *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("number", "change", "fault"),
    [
        (1, lambda r: r.update(kind="guess"), "kind is 'guess'"),
        (1, lambda r: r.update(step=7), "step is 7, should be 0"),
        (1, lambda r: r.update(candidate=5), "candidate 5 is not the environment"),
        (1, lambda r: r.update(scores=[1.0]), "should return 3 finite numbers"),
        (1, lambda r: r.pop("scores"), "scores is missing"),
        (2, lambda r: r.update(environment="0" * 64), "its digest is not that"),
        (2, lambda r: r["seen"].update(evidence=[]), "sha256: does not match"),
        (2, lambda r: r["seen"]["evidence"][0].update(shows="some"), "sha256: does not match"),
        (0, lambda r: r.update(version=9), "version is 9"),
    ],
)
def test_damage_is_one_line_that_names_file_and_line(finished, tmp_path, number, change, fault):
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(b"".join(damaged(finished[0].splitlines(keepends=True), number, change)))
    with pytest.raises(ValueError, match=rf"damaged\.jsonl, line {number + 1}: .*{fault}") as caught:
        campaign(path)
    assert "\n" not in str(caught.value)


def test_a_broken_line_in_the_middle_is_damage(finished, tmp_path):
    lines = finished[0].splitlines(keepends=True)
    path = tmp_path / "broken.jsonl"
    path.write_bytes(b"".join([*lines[:2], lines[2][:50] + b"\n", *lines[3:]]))
    with pytest.raises(ValueError, match=r"broken\.jsonl, line 3: is damaged"):
        campaign(path)


def test_two_writers_are_noticed(tmp_path):
    path = tmp_path / "shared.jsonl"
    first, second = campaign(path), campaign(path)
    first.ask()
    with pytest.raises(ValueError, match="changed by somebody else"):
        second.ask()
    assert second.question is None


@pytest.mark.parametrize("written", [0, 10, None], ids=["nothing", "a part", "everything"])
def test_an_interrupt_while_writing_is_mended_by_the_next_step(tmp_path, finished, monkeypatch, written):
    path = tmp_path / "interrupted.jsonl"
    loop = campaign(path)
    env = loop.ask()
    before = path.read_bytes()

    def interrupt(descriptor):
        os.ftruncate(descriptor, len(path.read_bytes()) if written is None else len(before) + written)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("irl_ident.design.journal.os.fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            loop.tell(env, AGENT.policy(env))
    loop.run(AGENT)
    pd.testing.assert_frame_equal(loop.table, finished[1], check_exact=True)
    pd.testing.assert_frame_equal(campaign(path).table, finished[1], check_exact=True)


def test_a_full_disk_leaves_campaign_and_journal_as_they_were(tmp_path, monkeypatch, finished):
    path = tmp_path / "full.jsonl"
    loop = campaign(path)
    env = loop.ask()
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("irl_ident.design.journal.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            loop.tell(env, AGENT.policy(env))
    assert path.read_bytes() == before
    assert loop.decisions == ()
    loop.run(AGENT)
    pd.testing.assert_frame_equal(loop.table, finished[1], check_exact=True)


def test_fingerprints_tell_settings_apart_and_equal_ones_not():
    features = np.random.default_rng(0).normal(size=(3, 2, 2))
    same = [design.Greedy(hypotheses=np.eye(3)), design.Greedy(hypotheses=np.eye(3).copy())]
    assert fingerprint(same[0]) == fingerprint(same[1])
    settings = [
        *same[:1],
        design.Greedy(hypotheses=2 * np.eye(3)),
        design.Greedy(),
        design.Greedy(seed=1),
        design.Exhaustive(),
        design.Oracle(truth=AGENT),
        design.Oracle(truth=Optimal(FAMILY, [1.0, 0.0, 0.0])),
        design.Random(),
        design.Random(1),
        ii.rewards.StateRewards(3),
        ii.rewards.LinearRewards(features),
        ii.rewards.LinearRewards(2 * features),
    ]
    assert len({fingerprint(thing) for thing in settings}) == len(settings)
