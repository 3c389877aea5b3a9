"""How long to watch before moving on."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Noisy, Optimal, SoftOptimal
from irl_ident.design.watching import expected_choices, session_gains, truth_weights
from irl_ident.evidence import Counts

FAMILY = ii.rewards.StateRewards(4)
CANDIDATES = [random_environment(seed, 4, 2) for seed in range(3)]
POOL = np.random.default_rng(5).uniform(-1, 1, (40, 4))
THETA = POOL[0]


def start(**options):
    return ii.identified.anything(FAMILY, "noisy", **{"error": 0.1, "level": 0.05, **options})


def campaign(until=None, strategy=None, rationality="noisy", **options):
    options = {"error": 0.1, "level": 0.05, **options}
    chooses = design.Greedy(hypotheses=POOL) if strategy is None else strategy
    rule = design.budget(60) if until is None else until
    return design.Campaign(
        CANDIDATES, chooses, FAMILY, rationality, options.pop("temperature", 1.0), until=rule, **options
    )


def test_expected_choices_are_those_of_many_episodes():
    moves = np.zeros((3, 2, 3))
    moves[0, 0] = [0.5, 0.3, 0.2]
    moves[0, 1] = [0, 0.5, 0.5]
    moves[1, :, 0] = moves[2, :, 2] = 1
    env = ii.Environment(moves, 0.9, [0.6, 0.4, 0])
    policy = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    seen = ii.agents.rollout(env, policy, episodes=20_000, horizon=7, seed=0)
    mean = ii.evidence.counts(env, seen).counts / 20_000
    found = expected_choices(env, policy[None], 7)[0]
    np.testing.assert_allclose(found, mean, atol=0.03)
    assert found[2].sum() == 0


def test_watching_for_ever_rules_out_what_the_policy_would():
    for env in CANDIDATES:
        labels = design.behaviour_labels([env], FAMILY, POOL)
        gains, steps = session_gains(start(), env, POOL, [0, 1, 10, 10**6], 12)
        assert steps == pytest.approx(12)
        assert gains[0] == 0
        assert (np.diff(gains) >= 0).all()
        assert gains[-1] == pytest.approx(design.elimination_scores(labels)[0])


def test_a_gain_is_what_such_sessions_rule_out():
    """Without chance, in the dynamics or the agent, counts come out as expected."""
    moves = np.random.default_rng(0).integers(0, 4, (4, 2))
    env = ii.Environment(np.eye(4)[moves], 0.9, np.eye(4)[0])
    out = []
    for theta in POOL:
        seen = Optimal(FAMILY, theta).demonstrate(env, episodes=3, horizon=4, seed=0)
        ident = ii.identify([(env, seen)], FAMILY, "noisy", error=0.0, level=0.05)
        out.append(1 - design.consistent(ident, POOL).mean())
    gains, _ = session_gains(start(error=0.0), env, POOL, [3], 4)
    assert gains[0] == pytest.approx(np.mean(out))
    assert gains[0] > 0.1


def test_what_was_seen_already_counts():
    env = CANDIDATES[0]
    best = Optimal(FAMILY, THETA).policy(env) > 0
    nearly = ii.identify([(env, Counts(2 * best))], FAMILY, "noisy", error=0.1, level=0.05)
    assert not nearly.systems[0].shown.any()
    weights = truth_weights(nearly, POOL)
    likelihoods = [np.prod(Noisy(FAMILY, theta, 0.1).policy(env) ** (2 * best)) for theta in POOL]
    np.testing.assert_allclose(weights, likelihoods / np.sum(likelihoods))
    agree = [(best == (Optimal(FAMILY, theta).policy(env) > 0)).all() for theta in POOL]
    left = session_gains(nearly, env, POOL, [1, 10**6], 12, weights)[0]
    assert left[0] > session_gains(start(), env, POOL, [1], 12)[0][0]
    assert left[1] == pytest.approx(1 - np.mean(agree), abs=0.05)


def test_soft_gains_grow_and_vanish_where_nothing_can_be_told():
    stay = ii.Environment(np.repeat(np.eye(4)[:, None], 2, axis=1), 0.9)
    ident = ii.identified.anything(FAMILY, "soft", temperature=0.3, level=0.05)
    gains, _ = session_gains(ident, CANDIDATES[0], POOL, [0, 5, 50, 5000], 12)
    assert gains[0] == 0
    assert (np.diff(gains) > 0).all()
    assert gains[-1] > 0.9
    np.testing.assert_array_equal(session_gains(ident, stay, POOL, [5000], 12)[0], [0.0])


def test_watching_keeps_the_truth_and_accounts_for_every_step():
    loop = campaign()
    plan = design.Watching(
        2, 10, step_cost=0.5, environment_cost=7, hypotheses=POOL, deployed=CANDIDATES[2], budget=400
    )
    found = design.watch(loop, Noisy(FAMILY, THETA, 0.1), plan, seed=3)
    table = found.table
    assert loop.ident.contains(THETA)
    assert (table["steps"] == 20).all()
    moves = table["moved"].to_numpy()
    np.testing.assert_allclose(table["cost"], np.cumsum(0.5 * table["steps"] + 7 * moves))
    np.testing.assert_array_equal(moves[1:], np.diff(table["environment"]) != 0)
    assert moves[0]
    weighed = table.iloc[1:].dropna(subset=["worth_moving"])
    np.testing.assert_array_equal(weighed["moved"], weighed["worth_moving"] > weighed["worth_staying"])
    assert (np.diff(table["consistent_share"]) <= 0).all()
    assert table["consistent_share"].iloc[-1] < 0.2
    assert (np.diff(table["regret_bound"]) <= 1e-9).all()
    assert (np.diff(table["stated"]) >= 0).all()
    assert table["stated"].iloc[-1] == sum(int(system.shown.sum()) for system in loop.ident.systems)
    assert found.stopped_because


def test_the_dearer_a_new_environment_the_fewer_there_are():
    moves = np.zeros(2)
    for seed in range(2):
        agent = Noisy(FAMILY, POOL[seed], 0.2)
        for place, price in enumerate((0, 3000)):
            plan = design.Watching(1, 5, environment_cost=price, hypotheses=POOL[:15], budget=1e9)
            loop = campaign(strategy=design.RoundRobin(), error=0.2)
            moves[place] += design.watch(loop, agent, plan, seed).table["moved"].sum()
    assert moves[0] > moves[1] >= 2


def test_an_environment_is_worth_its_best_gain_for_its_cost():
    ident, env = start(), CANDIDATES[1]
    plan = design.Watching(2, 12, step_cost=0.5, environment_cost=30, hypotheses=POOL, ahead=8)
    lengths = np.array([1, 2, 4, 8])
    gains, steps = session_gains(ident, env, POOL, 2 * lengths, 12)
    assert plan.worth(ident, env, moving=True) == pytest.approx((gains / (30 + steps * lengths)).max())
    assert plan.worth(ident, env, moving=False) == pytest.approx((gains / (steps * lengths)).max())


def test_it_stops_when_the_money_or_the_questions_run_out():
    agent = Noisy(FAMILY, THETA, 0.1)
    spent = design.watch(campaign(), agent, design.Watching(1, 10, hypotheses=POOL, budget=25))
    assert spent.stopped_because == "budget of 25 spent"
    assert len(spent.table) == 3
    done = design.watch(campaign(), agent, design.Watching(2, 20, hypotheses=POOL[:1], budget=1e9))
    assert done.stopped_because == "no session is expected to rule out anything"


def test_a_watch_that_was_interrupted_comes_to_the_same_end(tmp_path):
    agent, path = Noisy(FAMILY, THETA, 0.1), tmp_path / "watch.jsonl"
    plan = design.Watching(1, 10, environment_cost=5, hypotheses=POOL, budget=120)
    whole = design.watch(campaign(), agent, plan, seed=1).table
    design.watch(
        campaign(journal=path), agent, design.Watching(1, 10, environment_cost=5, hypotheses=POOL, budget=50), seed=1
    )
    resumed = design.watch(campaign(journal=path), agent, plan, seed=1).table
    same = [column for column in whole if not column.startswith("worth")]
    assert resumed[same].equals(whole[same])


def test_soft_agents_are_watched_too():
    loop = campaign(rationality="soft", error=None, temperature=0.3, strategy=design.RoundRobin())
    plan = design.Watching(5, 20, environment_cost=20, hypotheses=POOL, budget=500)
    found = design.watch(loop, SoftOptimal(FAMILY, THETA, 0.3), plan)
    assert loop.ident.contains(THETA)
    assert found.table["consistent_share"].iloc[-1] < 0.7


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="step_cost: was 0"):
        design.Watching(step_cost=0)
    with pytest.raises(ValueError, match="environment_cost: was -1"):
        design.Watching(environment_cost=-1)
    with pytest.raises(ValueError, match="horizon: was 0"):
        design.Watching(horizon=0)
    plain = design.Campaign(CANDIDATES, design.RoundRobin(), FAMILY)
    with pytest.raises(ValueError, match="campaign: should assume 'noisy'"):
        design.watch(plain, Noisy(FAMILY, THETA, 0.1), design.Watching())
    with pytest.raises(ValueError, match="should be a confidence set"):
        session_gains(plain.ident, CANDIDATES[0], POOL, [1], 5)
