"""Campaigns over families: what is asked, told, stopped at and written, and that interruptions change nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal
from irl_ident.design.journal import fingerprint

REWARDS = ii.rewards.StateRewards(3)
ENVS = [random_environment(seed, 3, 2) for seed in range(4)]
PRODUCTS = design.Products.of(ENVS[:3])
HUGE = design.Products.of([random_environment(seed, 42, 2) for seed in range(3)])
AGENT = Optimal(REWARDS, [0.3, -0.2, 0.9])
REFERENCE = np.random.default_rng(0).uniform(-1, 1, (50, 3))
STRATEGY = design.Greedy(hypotheses=REFERENCE)
CLIMB = design.LocalSearch(scored=12, climbs=3, seed=5)


def campaign(journal=None, **changed):
    options = {"candidates": PRODUCTS, "strategy": STRATEGY, "family": REWARDS, "until": design.budget(3)}
    options |= {"reference": REFERENCE, "search": CLIMB, **changed}
    return design.Campaign(journal=journal, **options)


class Uneven:
    """A strategy of a user's own that is cheap in large worlds."""

    def score(self, ident, candidates):
        return np.array([float(env.transitions.data[: 50 + len(ident.evidence)].sum()) for env in candidates])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The bytes of a whole journal, and the table that it leads to."""
    path = tmp_path_factory.mktemp("whole") / "campaign.jsonl"
    loop = campaign(path)
    loop.run(AGENT)
    return path.read_bytes(), loop.table


def test_a_family_of_a_list_is_asked_as_the_list_is():
    listed, family = (
        design.Campaign(given, STRATEGY, REWARDS, until=design.budget(4), reference=REFERENCE)
        for given in (ENVS, design.Listed(ENVS))
    )
    listed.run(AGENT)
    family.run(AGENT)
    searched = ["price", "scored", "exhaustive"]
    assert family.table.columns.tolist() == [*listed.table.columns, *searched]
    pd.testing.assert_frame_equal(family.table.drop(columns=searched), listed.table, check_exact=True)
    assert family.table[searched].to_numpy().tolist() == [[1.0, 4, True]] * 4


def test_what_is_asked_is_what_the_search_finds_and_is_in_the_table():
    loop = campaign()
    for _ in range(3):
        env = loop.ask()
        assert loop.ask() is env
        found = CLIMB.find(STRATEGY, loop.ident, PRODUCTS)
        assert (found.index, found.environment.digest) == (loop.question.candidate, env.digest)
        assert loop.question.searched.record() == found.record()
        loop.tell(env, AGENT.policy(env))
        row = loop.table.iloc[-1]
        assert (row.environment, row.asked, row.score, row.scored) == (found.index,) * 2 + (found.score, found.scored)
        assert (row.digest, row.exhaustive) == (env.digest[:12], False)
    assert loop.ident.contains([0.3, -0.2, 0.9])
    assert loop.stopped_because == "budget of 3 spent"


def test_prices_decide_between_equal_scores():
    family = design.Listed([ENVS[0], ENVS[1], ENVS[0]], [2.0, 3.0, 0.01])
    loop = campaign(candidates=family, search=None)
    loop.ask()
    assert loop.question.candidate == 2
    assert loop.question.searched.price == 0.01


def test_untried_counts_indices_and_exhausted_ends_small_families():
    loop = campaign(candidates=design.Listed(ENVS), until=design.exhausted(), search=None)
    assert (loop.state.size, loop.state.untried) == (4, 4)
    loop.tell(ENVS[2], AGENT.policy(ENVS[2]))
    loop.tell(random_environment(50, 3, 2), AGENT.policy(random_environment(50, 3, 2)))
    assert loop.state.untried == 3
    assert loop.table.environment.tolist() == [2, -1]
    loop.run(AGENT)
    assert loop.state.untried == 0
    assert loop.stopped_because == "all 4 candidates were tried"


def test_equal_environments_of_a_family_are_tried_together():
    twice = design.Products([[np.eye(3)[[0, 1]]] * 2, [np.eye(3)[[1, 2]]], [np.eye(3)[[2, 0]]]], 0.9)
    assert twice.size == 2
    loop = campaign(candidates=twice, until=design.exhausted(), search=None)
    loop.tell(twice.environment(0), AGENT.policy(twice.environment(0)))
    assert loop.state.untried == 0


def test_families_beyond_64_bits_are_asked_told_and_written(tmp_path):
    path = tmp_path / "huge.jsonl"
    rewards = ii.rewards.StateRewards(42)
    options = {"candidates": HUGE, "strategy": Uneven(), "family": rewards, "reference": np.ones((1, 42))}
    agent = Optimal(rewards, np.arange(42.0))
    loop = campaign(path, **options, until=design.budget(1), search=design.LocalSearch(scored=40, climbs=1))
    loop.run(agent)
    assert loop.state.untried == 3**42 - 1
    ask = json.loads(path.read_bytes().splitlines()[1])
    assert int(ask["candidate"], 16) == loop.decisions[0].candidate
    assert (int(ask["searched"]["size"], 16), ask["searched"]["scored"]) == (3**42, 40)
    again = campaign(path, **options, until=design.budget(1), search=design.LocalSearch(scored=40, climbs=1))
    assert [d.candidate for d in again.decisions] == [d.candidate for d in loop.decisions]
    asked = loop.decisions[0].candidate
    assert HUGE.environment(asked).digest == loop.decisions[0].env.digest
    assert loop.table.asked.tolist() == [d.candidate for d in loop.decisions]


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
        after = [json.loads(line) for line in path.read_bytes().splitlines()]
        changing = ("time", "seconds")
        assert [{k: v for k, v in line.items() if k not in changing} for line in after] == [
            {k: v for k, v in json.loads(line).items() if k not in changing} for line in lines
        ]
        pd.testing.assert_frame_equal(campaign(path).table, table, check_exact=True)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.99])
def test_a_campaign_cut_inside_a_line_ends_in_the_same_table(finished, tmp_path, share):
    content, table = finished
    path = tmp_path / "cut.jsonl"
    path.write_bytes(content[: int(share * len(content))])
    loop = campaign(path)
    loop.run(AGENT)
    pd.testing.assert_frame_equal(loop.table, table, check_exact=True)


def test_what_was_told_without_being_asked_survives_an_interruption(tmp_path):
    """In a family too large to be recognised, places come from questions, before and after."""
    rewards = ii.rewards.StateRewards(42)
    agent = Optimal(rewards, np.arange(42.0))
    options = {"candidates": HUGE, "strategy": Uneven(), "family": rewards, "reference": np.ones((1, 42))}
    options |= {"search": design.LocalSearch(scored=5, climbs=1), "until": design.budget(9)}
    path = tmp_path / "told.jsonl"
    loop = campaign(path, **options)
    first = loop.ask()
    other = HUGE.environment(7)
    loop.tell(other, agent.policy(other))
    loop.tell(first, agent.policy(first))
    assert [d.candidate for d in loop.decisions] == [-1, loop.decisions[0].question.candidate]
    assert loop.state.untried == 3**42 - 1
    again = campaign(path, **options)
    assert [d.candidate for d in again.decisions] == [d.candidate for d in loop.decisions]
    assert again.state.untried == loop.state.untried


def test_what_was_asked_is_asked_again_without_searching(finished, tmp_path):
    lines = finished[0].splitlines(keepends=True)
    path = tmp_path / "asked.jsonl"
    path.write_bytes(b"".join(lines[:2]))
    loop = campaign(path)
    record = json.loads(lines[1])
    assert loop.question.candidate == record["candidate"]
    assert loop.ask().digest == record["environment"]
    assert path.read_bytes() == b"".join(lines[:2])


def test_the_journal_says_what_was_searched_without_the_package(finished):
    records = [json.loads(line) for line in finished[0].splitlines()]
    assert records[0]["candidates"]["name"] == "Products"
    assert records[0]["candidates"]["size"] == 27
    assert records[0]["search"]["name"] == "LocalSearch"
    for record in records[1::2]:
        searched = record["searched"]
        assert PRODUCTS.environment(record["candidate"]).digest == record["environment"]
        assert record["scores"] == [searched["score"]]
        assert (searched["size"], searched["scored"], searched["exhaustive"]) == (27, 12, False)
        assert 1 <= searched["climbs"] <= 3


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"candidates": design.Products.of(ENVS[1:])}, r"candidate environments: Products \(\w+\) there and Products"),
        ({"candidates": design.Mixtures(ENVS, 2)}, "candidate environments: Products .* there and Mixtures"),
        ({"candidates": ENVS, "search": None}, "candidate environments: Products .* there and a list of 4 here"),
        ({"search": design.LocalSearch(scored=13, climbs=3, seed=5)}, "search: LocalSearch .* there and LocalSearch"),
        ({"search": design.ExtendedSearch()}, "search: LocalSearch .* there and ExtendedSearch"),
        ({"strategy": design.Greedy(110, 5)}, "strategy: Greedy"),
    ],
)
def test_the_journal_of_another_campaign_is_refused_with_what_differs(finished, tmp_path, changed, what):
    path = tmp_path / "other.jsonl"
    path.write_bytes(finished[0])
    with pytest.raises(ValueError, match=rf"other\.jsonl, line 1: .*another {what}"):
        campaign(path, **changed)
    assert path.read_bytes() == finished[0]


def test_the_journal_of_a_list_is_not_that_of_a_family(tmp_path):
    path = tmp_path / "list.jsonl"
    campaign(path, candidates=ENVS, search=None)
    with pytest.raises(ValueError, match=r"candidate environments: a list of 4 there and Products \(\w+\) here"):
        campaign(path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda r: r.update(candidate=27), "candidate 27 of the family is not"),
        (lambda r: r.update(candidate=-1), "candidate -1 of the family is not"),
        (lambda r: r.update(candidate="x"), "invalid literal"),
        (lambda r: r.update(environment="0" * 64), "is not the environment 000000000000"),
        (lambda r: r.pop("searched"), "searched: is damaged"),
        (lambda r: r["searched"].update(scored="many"), "searched: is damaged"),
    ],
)
def test_damage_is_one_line_that_names_file_and_line(finished, tmp_path, change, fault):
    lines = finished[0].splitlines(keepends=True)
    record = json.loads(lines[1])
    change(record)
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(b"".join([lines[0], json.dumps(record).encode() + b"\n", *lines[2:]]))
    with pytest.raises(ValueError, match=rf"damaged\.jsonl, line 2: .*{fault}"):
        campaign(path)


def test_families_have_fingerprints_that_tell_them_apart():
    changes = [design.Intervention.towards("c", ENVS[0], ENVS[1], 2.0)]
    families = [
        design.Listed(ENVS),
        design.Listed(ENVS, [1.0, 1.0, 1.0, 2.0]),
        PRODUCTS,
        design.Products.of(ENVS[:2]),
        design.Mixtures(ENVS, 2),
        design.Mixtures(ENVS, 3),
        design.Layouts("...", 0.9, walls=1),
        design.Layouts("...", 0.9, walls=1, slip=0.1),
        design.Starts(ENVS[0]),
        design.Starts(ENVS[1]),
        design.Starts(ENVS[0], [0]),
        design.Discounts(ENVS[0], [0.5, 0.9]),
        design.Discounts(design.Starts(ENVS[0]), [0.5, 0.9]),
        design.Interventions(ENVS[0], changes),
        design.Interventions(ENVS[0], [design.Intervention.towards("c", ENVS[0], ENVS[1], 1.0)]),
        design.AddedRewards(ENVS[0], [np.zeros((2, 3, 2))]),
        design.AddedRewards(ENVS[0], [np.ones((2, 3, 2))]),
    ]
    assert len({fingerprint(family) for family in families}) == len(families)
    _ = PRODUCTS.rows, families[6].places
    assert fingerprint(PRODUCTS) == fingerprint(design.Products.of(ENVS[:3]))
    assert fingerprint(families[6]) == fingerprint(design.Layouts("...", 0.9, walls=1))


def test_extended_search_serves_a_campaign():
    strategy = design.MaximinRegret(hypotheses=REFERENCE)
    search = design.ExtendedSearch(10**6, design.LocalSearch(scored=6, climbs=1))
    loop = campaign(strategy=strategy, search=search, until=design.budget(2))
    for _ in range(2):
        env = loop.ask()
        scores = strategy.score(loop.ident, [PRODUCTS.environment(index) for index in range(27)])
        np.testing.assert_allclose(loop.question.searched.score, scores.max(), atol=1e-7)
        assert loop.question.searched.exhaustive
        loop.tell(env, AGENT.policy(env))
    assert loop.table.exhaustive.tolist() == [True, True]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"candidates": ENVS}, "search: was given for a list of candidates"),
        ({"family": ii.rewards.StateRewards(7), "reference": None}, "StateRewards: is for 7 states"),
        ({"candidates": []}, "candidates: is empty|search: was given"),
    ],
)
def test_bad_settings_are_refused_by_name(changed, message):
    with pytest.raises(ValueError, match=message):
        campaign(**changed)
