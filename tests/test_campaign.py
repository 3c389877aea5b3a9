"""The campaign: asking, being told, stopping, its table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal, SoftOptimal
from irl_ident.evidence import Policy

FAMILY = ii.rewards.StateRewards(4)
CANDIDATES = [random_environment(seed, 4, 2) for seed in range(5)]
ELSEWHERE = random_environment(99, 4, 2)
THETA = np.array([0.3, -0.2, 0.9, 0.1])
AGENT = Optimal(FAMILY, THETA)
REFERENCE = np.random.default_rng(9).uniform(-1, 1, (50, 4))
GREEDY = design.Greedy(120, 0)


def campaign(strategy=GREEDY, until=None, **options):
    options = {"candidates": CANDIDATES, "family": FAMILY, "reference": REFERENCE, **options}
    until = design.budget(3) if until is None else until
    return design.Campaign(options.pop("candidates"), strategy, options.pop("family"), until=until, **options)


class Fixed:
    """A strategy of a user's own."""

    def __init__(self, *scores):
        self.scores = scores

    def score(self, ident, candidates):
        return np.array(self.scores)


def test_ask_repeats_itself_until_told():
    loop = campaign(design.Random(5))
    first = loop.ask()
    assert loop.ask() is first
    assert first is CANDIDATES[loop.question.candidate]
    np.testing.assert_array_equal(loop.question.scores, design.Random(5).score(loop.ident, CANDIDATES))
    loop.tell(first, AGENT.policy(first))
    assert loop.question is None
    assert loop.ask() is not first


def test_the_set_is_that_of_the_evidence_and_holds_the_truth_at_every_step():
    loop = campaign(until=design.budget(5))
    for count in range(5):
        assert loop.ident.contains(THETA)
        assert len(loop.ident.evidence) == len(loop.decisions) == count
        env = loop.ask()
        loop.tell(env, AGENT.policy(env))
    expected = ii.identify([(d.env, AGENT.policy(d.env)) for d in loop.decisions], FAMILY)
    draws = np.random.default_rng(0).uniform(-1, 1, (100, 4))
    np.testing.assert_array_equal(design.consistent(loop.ident, draws), design.consistent(expected, draws))
    assert sorted(d.candidate for d in loop.decisions) == [0, 1, 2, 3, 4]


def test_table_is_tidy_and_monotone():
    loop = campaign(until=design.budget(4), reference=None)
    loop.run(AGENT)
    table = loop.table
    assert table.columns.tolist() == [
        "step",
        "environment",
        "digest",
        "asked",
        "score",
        "dimension",
        "diameter_lower",
        "diameter_upper",
        "consistent_share",
        "stopped_because",
    ]
    assert table.step.tolist() == [1, 2, 3, 4]
    assert table.environment.tolist() == table.asked.tolist()
    assert table.digest.tolist() == [CANDIDATES[i].digest[:12] for i in table.environment]
    assert (table.diameter_lower <= table.diameter_upper).all()
    assert (np.diff(table.diameter_upper) <= 1e-9).all()
    assert (np.diff(table.consistent_share) <= 0).all()
    assert table.stopped_because.tolist() == ["", "", "", "budget of 4 spent"]
    pd.testing.assert_frame_equal(loop.table, table)


def test_consistent_share_counts_the_reference():
    reference = np.concatenate([THETA[None], np.random.default_rng(1).uniform(-1, 1, (60, 4))])
    loop = campaign(reference=reference)
    loop.run(AGENT)
    for count, share in enumerate(loop.table.consistent_share, 1):
        ident = ii.identify([(d.env, AGENT.policy(d.env)) for d in loop.decisions[:count]], FAMILY)
        np.testing.assert_allclose(share, np.mean([ident.contains(theta) for theta in reference]))


def test_the_table_of_nothing_has_the_same_columns():
    empty, full = campaign(), campaign()
    full.run(AGENT)
    assert len(empty.table) == 0
    pd.testing.assert_series_equal(empty.table.dtypes, full.table.dtypes)


def test_told_of_other_environments_than_asked_for():
    loop = campaign(until=design.budget(9))
    loop.tell(CANDIDATES[2], AGENT.policy(CANDIDATES[2]))
    asked = loop.ask()
    loop.tell(ELSEWHERE, AGENT.policy(ELSEWHERE))
    assert loop.question is None
    table = loop.table
    assert table.environment.tolist() == [2, -1]
    assert table.asked.tolist() == [-1, CANDIDATES.index(asked)]
    assert table.score.isna().all()
    assert table.digest.tolist() == [CANDIDATES[2].digest[:12], ELSEWHERE.digest[:12]]


def test_observations_of_every_kind_are_taken():
    loop = campaign(until=design.budget(9))
    env = CANDIDATES[0]
    seen = AGENT.demonstrate(env, episodes=3, horizon=5, seed=0)
    for observation in (seen, ii.evidence.counts(env, seen), Policy(AGENT.policy(env), "some"), AGENT.policy(env)):
        loop.tell(env, observation)
        assert loop.ident.contains(THETA)
    assert len(loop.table) == 4


def test_ties_go_to_the_one_seen_least_then_to_the_lowest():
    loop = campaign(Fixed(0, 1, 1, 1, 0), until=design.budget(9))
    order = []
    for _ in range(5):
        env = loop.ask()
        order.append(loop.question.candidate)
        loop.tell(env, AGENT.policy(env))
    assert order == [1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    "strategy", [Fixed(1, 2), Fixed(0, 0, np.nan, 0, 0), Fixed(0, 0, np.inf, 0, 0)], ids=["few", "nan", "inf"]
)
def test_scores_that_are_none_are_refused(strategy):
    with pytest.raises(ValueError, match=r"strategy: Fixed\.score should return 5 finite numbers"):
        campaign(strategy).ask()


def test_a_bad_observation_leaves_the_campaign_as_it_was():
    loop = campaign()
    env = loop.ask()
    with pytest.raises(ValueError, match="shape"):
        loop.tell(env, np.full((3, 2), 0.5))
    assert loop.decisions == ()
    assert loop.ask() is env
    loop.tell(env, AGENT.policy(env))
    assert len(loop.table) == 1


def test_contradiction_stops_and_is_in_the_table():
    loop = campaign(until=design.budget(9))
    env = loop.ask()
    shown = AGENT.policy(env)
    loop.tell(env, shown)
    loop.tell(env, shown[:, ::-1])
    assert loop.stopped_because.startswith("contradiction")
    with pytest.raises(design.CampaignOver, match="contradiction"):
        loop.ask()
    last = loop.table.iloc[-1]
    assert pd.isna(last.dimension)
    assert np.isnan(last.diameter_upper)
    assert last.consistent_share == 0


def test_run_stops_by_itself_when_there_is_nothing_left_to_ask():
    loop = campaign(until=design.identified())
    reason = loop.run(AGENT)
    assert loop.stopped_because == ""
    assert "whole policy" in reason
    assert sorted(loop.table.environment) == [0, 1, 2, 3, 4]


def test_soft_campaign_identifies_up_to_a_constant():
    agent = SoftOptimal(FAMILY, THETA)
    loop = campaign(rationality="soft", until=design.identified() | design.budget(4), strategy=design.Greedy(30))
    loop.run(agent)
    assert "identified up to a constant" in loop.stopped_because
    fitted = loop.ident.center()
    np.testing.assert_allclose(fitted - fitted.mean(), THETA - THETA.mean(), atol=1e-6)
    assert loop.table.dimension.tolist()[-1] == 0
    assert loop.table.consistent_share.tolist() == [0.0] * len(loop.table)


def test_soft_campaign_counts_hypotheses():
    hypotheses = np.array([THETA, THETA + 1, 2 * THETA, -THETA])
    strategy = design.Greedy(hypotheses=hypotheses)
    loop = campaign(strategy, rationality="soft", until=design.budget(1), reference=hypotheses)
    loop.run(SoftOptimal(FAMILY, THETA))
    np.testing.assert_allclose(loop.table.consistent_share, [0.5])
    np.testing.assert_allclose(loop.table.score, [1 - (4 + 1 + 1) / 16])


def test_linear_rewards_have_diameters_too():
    family = ii.rewards.LinearRewards(np.random.default_rng(0).normal(size=(4, 2, 2)))
    agent = Optimal(family, [1.0, -0.5])
    loop = campaign(family=family, until=design.budget(2), reference=None)
    loop.run(agent)
    assert (loop.table.diameter_lower <= loop.table.diameter_upper).all()


def test_greedy_leaves_less_than_random_on_average():
    """THEORY result 2: greedy above random, over 25 objectives and 25 random orders."""
    candidates = [random_environment(seed, 4, 2, 0.8) for seed in range(12)]
    hypotheses = np.random.default_rng(3).uniform(-1, 1, (200, 4))
    left = {"greedy": [], "random": []}
    for seed in range(25):
        agent = Optimal(FAMILY, hypotheses[seed])
        for name, strategy in (
            ("greedy", design.Greedy(hypotheses=hypotheses)),
            ("random", design.Random(seed)),
        ):
            loop = campaign(strategy, design.budget(2), candidates=candidates)
            loop.run(agent)
            left[name].append(design.consistent(loop.ident, hypotheses).mean())
    difference = np.subtract(left["random"], left["greedy"])
    assert difference.mean() > 2 * difference.std(ddof=1) / 5


def rule_state(count, untried=1, **ident):
    """What a rule looks at, with a set that only says what it is asked to."""

    class Ident:
        evidence = tuple((CANDIDATES[i % (5 - untried)], None) for i in range(count))
        conflict = None

        def diameter(self, metric):
            return ident["diameter"]

        def report(self):
            return type("Report", (), {"verdict": ident["verdict"], "settled": ident["verdict"] != "undecided"})()

    return design.State(Ident(), tuple(CANDIDATES))


@pytest.mark.parametrize(
    ("rule", "met", "unmet"),
    [
        (design.budget(3), rule_state(3), rule_state(2)),
        (design.exhausted(), rule_state(5, untried=0), rule_state(9)),
        (design.diameter_below(0.1), rule_state(1, diameter=(0, 0.05)), rule_state(1, diameter=(0.05, 0.1))),
        (
            design.identified(),
            rule_state(1, verdict="identified up to a constant"),
            rule_state(1, verdict="undecided"),
        ),
    ],
    ids=["budget", "exhausted", "diameter", "identified"],
)
def test_rules_alone_and_composed(rule, met, unmet):
    never, always = design.budget(1000), design.budget(1)
    assert rule.met(met)
    assert not rule.met(unmet)
    for state, holds in ((met, True), (unmet, False)):
        assert (rule | never).met(state) is (rule & always).met(state) is holds
        assert (rule | always).met(state)
        assert not (rule & never).met(state)
    assert rule.reason(met) in (rule | never).reason(met)
    assert "1000" not in (rule | never).reason(met)
    assert (rule & always).reason(met) == f"{rule.reason(met)} and budget of 1 spent"


def test_rules_are_values_and_print_as_written():
    rule = (design.identified() | design.budget(10)) & design.exhausted() | design.diameter_below(0.5)
    assert eval(repr(rule), vars(design)) == rule
    assert design.identified() | design.budget(2) | design.exhausted() == design.identified() | (
        design.budget(2) | design.exhausted()
    )


def test_stalled_counts_observations_that_excluded_nothing():
    loop = campaign(design.RoundRobin(), design.stalled(2))
    env = CANDIDATES[0]
    loop.tell(env, AGENT.policy(env))
    assert loop.state.stalled_for == 0
    loop.tell(env, AGENT.policy(env))
    assert loop.state.stalled_for == 1
    assert not loop.stopped_because
    loop.tell(env, AGENT.policy(env))
    assert loop.stopped_because == "the last 2 observations excluded nothing"
    loop.tell(CANDIDATES[3], AGENT.policy(CANDIDATES[3]))
    assert loop.state.stalled_for == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.budget(0), "environments: was 0"),
        (lambda: design.stalled(0), "n: was 0"),
        (lambda: design.diameter_below(0), "epsilon: was 0"),
        (lambda: campaign(candidates=[]), "candidates: is empty"),
        (lambda: campaign(reference=np.ones(4)), "reference: "),
        (lambda: campaign(rationality="rational"), "rationality"),
        (lambda: campaign(family=ii.rewards.StateRewards(7), reference=None), "StateRewards: is for 7 states"),
    ],
)
def test_bad_settings_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_progress_is_shown_on_a_terminal_only(monkeypatch, capsys):
    campaign(until=design.budget(2)).run(AGENT)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    campaign(until=design.budget(2)).run(AGENT)
    out, err = capsys.readouterr()
    assert out == ""
    assert "until budget(2)" in err


def test_an_interrupt_leaves_whole_steps():
    class Interrupts:
        def __init__(self):
            self.left = 2

        def policy(self, env):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return AGENT.policy(env)

    loop, whole = campaign(), campaign()
    with pytest.raises(KeyboardInterrupt):
        loop.run(Interrupts())
    assert len(loop.table) == 2
    loop.run(AGENT)
    whole.run(AGENT)
    pd.testing.assert_frame_equal(loop.table, whole.table)
