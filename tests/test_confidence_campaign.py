"""Campaigns on sampled behaviour: confidence sets in the loop, the table and the journal."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Noisy
from irl_ident.evidence import Counts

FAMILY = ii.rewards.StateRewards(4)
CANDIDATES = [random_environment(seed, 4, 2) for seed in range(3)]
THETA = np.array([0.3, -0.2, 0.9, 0.1])
AGENT = Noisy(FAMILY, THETA, 0.1)
REFERENCE = np.vstack([THETA, np.random.default_rng(9).uniform(-1, 1, (60, 4))])


def campaign(**options):
    options = {"error": 0.1, "level": 0.05, "until": design.budget(6), "reference": REFERENCE, **options}
    return design.Campaign(CANDIDATES, options.pop("strategy", design.Greedy(80)), FAMILY, "noisy", **options)


def watch(loop, rounds):
    for step in range(rounds):
        env = loop.ask()
        loop.tell(env, AGENT.demonstrate(env, episodes=3, horizon=15, seed=step))
    return loop


def test_a_campaign_on_trajectories_of_an_agent_that_errs_keeps_the_truth():
    loop = watch(campaign(), 6)
    shares = loop.table["consistent_share"].to_numpy()
    assert loop.stopped_because == "budget of 6 spent"
    assert loop.ident.contains(THETA)
    assert (np.diff(shares) <= 0).all()
    assert 1 / 61 <= shares[-1] < 0.5
    one_by_one = [loop.ident.contains(theta) for theta in REFERENCE]
    np.testing.assert_array_equal(design.consistent(loop.ident, REFERENCE), one_by_one)
    assert "level 0.05" in str(loop.ident.report())


def test_whole_policies_of_an_agent_that_errs_tell_its_optimal_actions():
    loop = campaign(strategy=design.RoundRobin(), until=design.exhausted())
    loop.run(AGENT)
    plain = ii.identify([(env, ii.agents.Optimal(FAMILY, THETA).policy(env)) for env in CANDIDATES], FAMILY)
    assert loop.ident.diameter() == plain.diameter()


def test_a_journal_is_that_of_its_level(tmp_path):
    path = tmp_path / "campaign.jsonl"
    before = watch(campaign(journal=path), 2)
    after = campaign(journal=path)
    np.testing.assert_array_equal(after.ident.systems[0].shown, before.ident.systems[0].shown)
    assert after.table.equals(before.table)
    with pytest.raises(ValueError, match=r"another level: 0\.05 there and 0\.1 here"):
        campaign(journal=path, level=0.1)
    with pytest.raises(ValueError, match="another manner of breaking ties"):
        campaign(journal=path, ties="even")


def test_what_is_missing_is_named_at_once():
    with pytest.raises(ValueError, match="level: is needed"):
        campaign(level=None)


def test_a_campaign_stops_when_no_objective_explains_the_choices():
    stay, go = np.eye(2), np.eye(2)[::-1]
    env = ii.Environment([stay, go], 0.9)
    family = ii.rewards.StateRewards(2)
    loop = design.Campaign([env], design.RoundRobin(), family, "noisy", error=0.01, level=0.05, ties="even")
    loop.tell(env, Counts([[50, 50], [0, 100]]))
    assert loop.stopped_because.startswith("contradiction")
