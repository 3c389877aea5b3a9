"""The study of strategies: its limits against enumeration, its measures against planning, its worlds and campaigns."""

from itertools import product

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import design

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from studies import _strategies_measures as measures  # noqa: E402
from studies import _strategies_worlds as worlds  # noqa: E402
from studies import strategies as study  # noqa: E402
from studies.study import Settings  # noqa: E402


def random_labels(seed, candidates=3, objectives=8, answers=3):
    return np.random.default_rng(seed).integers(answers, size=(candidates, objectives))


def reached_by_every_plan(labels, share, depth):
    """The largest number of truths that a plan brings there, every plan written out: a candidate for each history."""
    candidates, total = labels.shape
    histories = [h for length in range(depth) for h in product(range(labels.max() + 1), repeat=length)]
    finals = [int((labels == labels[:, [t]]).all(axis=0).sum()) for t in range(total)]
    best = 0
    for plan in product(range(candidates), repeat=len(histories)):
        choose = dict(zip(histories, plan, strict=True))
        there = 0
        for truth in range(total):
            seen, history = [], ()
            for _ in range(depth):
                seen.append(choose[history])
                history = (*history, int(labels[seen[-1], truth]))
            left = int((labels[seen] == labels[seen][:, [truth]]).all(axis=0).sum())
            there += total - left >= share * (total - finals[truth]) - 1e-9
        best = max(best, there)
    return best


@pytest.mark.parametrize("share", [0.6, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_best_shares_are_those_of_the_best_of_all_plans(seed, share):
    labels = random_labels(seed)
    found = measures.best_shares(labels, share, 2) * labels.shape[1]
    np.testing.assert_allclose(found[1:], [reached_by_every_plan(labels, share, depth) for depth in (1, 2)])


@pytest.mark.parametrize("share", [0.9, 1.0])
def test_no_experimenter_without_the_truth_needs_fewer_than_the_bounds(share):
    for seed in range(5):
        labels = random_labels(seed, candidates=8, objectives=40)
        finals = measures.indistinguishable(labels)
        means = {}
        for name in ("greedy", "oracle"):
            needed = []
            for truth in range(40):
                sequence = {"greedy": design.greedy_sequence, "oracle": design.oracle_sequence}[name]
                chosen = sequence(labels, truth, 8)
                left = [
                    40,
                    *(int(design.consistent_with(labels, truth, chosen[: k + 1]).sum()) for k in range(len(chosen))),
                ]
                needed.append(measures.needed(left, int(finals[truth]), 40, share))
            means[name] = np.mean(needed)
        plans = measures.bound_on_mean(measures.best_shares(labels, share, 3))
        assert plans <= means["greedy"] + 1e-9
        assert means["oracle"] <= means["greedy"] + 1e-9
        if share == 1:
            assert measures.bits(labels)["bound_any"] <= means["greedy"] + 1e-9


def test_the_largest_entropy_bounds_only_those_who_choose_beforehand():
    """Four groups of 16: one candidate tells the group, one for each group the member.  Two experiments tell all."""
    groups, members = np.divmod(np.arange(64), 16)
    labels = np.array([groups, *(np.where(groups == g, 1 + members, 0) for g in range(4))])
    found = measures.bits(labels)
    np.testing.assert_allclose(found["bits_needed"], 6)
    adaptive = [len(design.greedy_sequence(labels, truth, 5)) for truth in range(64)]
    chosen = [(0, 1 + g) for g in groups]
    assert all(design.consistent_with(labels, t, c).sum() == 1 for t, c in enumerate(chosen))
    assert found["bound_any"] < 2 < found["bound_beforehand"] <= 3 + 1e-9
    assert measures.bound_on_mean(measures.best_shares(labels, 1.0, 2)) <= 2 <= np.mean(adaptive)


def test_what_is_told_is_counted_from_what_can_be_told():
    np.testing.assert_allclose(measures.told(np.array([10, 6, 2]), 2, 10), [0, 0.5, 1])
    assert measures.told(5, 5, 5) == 1
    assert measures.needed([10, 6, 2], 2, 10, 0.5) == 1
    assert measures.needed([10, 6, 3], 2, 10, 1.0) == 3


def small_world(seed=0):
    family = ii.rewards.StateRewards(4)
    environments = [ii.builders.random_environment(4, 2, 0.9, s, successors=3) for s in range(3)]
    return environments, family, np.random.default_rng(seed).random((6, 4))


def test_regrets_are_those_of_agents_that_plan():
    environments, family, pool = small_world()
    held = measures.HeldOut.of(environments, family, pool)
    pursued = pool.mean(axis=0)
    found = held.regrets(pursued)
    for e, env in enumerate(environments):
        policy = ii.agents.Optimal(family, pursued).policy(env)
        for i, theta in enumerate(pool):
            reward = family.reward(env, theta)
            best, worst = (
                env.initial @ ii.planning.evaluate(env, reward, ii.agents.Optimal(family, sign * theta).policy(env))
                for sign in (1, -1)
            )
            got = env.initial @ ii.planning.evaluate(env, reward, policy)
            np.testing.assert_allclose(found[e, i], (best - got) / (best - worst), atol=1e-9)
    for i, theta in enumerate(pool):
        np.testing.assert_allclose(held.regrets(theta)[:, i], 0, atol=1e-9)


def test_a_belief_weighs_objectives_by_the_likelihood_of_all_choices():
    environments, family, pool = small_world()
    rng = np.random.default_rng(0)
    belief = measures.Belief(family, pool, 0.3, {})
    total = np.zeros(len(pool))
    for env in environments[:2]:
        counts = rng.integers(5, size=(4, 2)).astype(float)
        belief.update(env, counts)
        total += [(counts * ii.planning.soft(env, family.reward(env, t), 0.3).log_policy).sum() for t in pool]
    likelihood = np.exp(total - total.max())
    np.testing.assert_allclose(belief.weights, likelihood / likelihood.sum(), atol=1e-8)
    np.testing.assert_array_equal(belief.left(0.05), likelihood >= 0.05 * likelihood.mean())


def test_the_set_of_a_belief_holds_the_truth_at_every_time_as_often_as_it_says():
    environments, family, pool = small_world()
    level, kept, shrunk, planned = 0.2, [], [], {}
    policies = [[ii.agents.SoftOptimal(family, theta, 0.1).policy(env) for env in environments] for theta in pool]
    for seed in range(200):
        truth = seed % len(pool)
        belief = measures.Belief(family, pool, 0.1, planned)
        always = True
        for env, policy in zip(environments, policies[truth], strict=True):
            seen = ii.agents.rollout(env, policy, episodes=2, horizon=10, seed=seed)
            belief.update(env, ii.evidence.counts(env, seen).counts)
            always &= bool(belief.left(level)[truth])
        kept.append(always)
        shrunk.append(belief.left(level).sum())
    assert np.mean(kept) >= 1 - level
    assert np.mean(shrunk) < 0.7 * len(pool)


def test_a_fixed_order_is_greedy_for_those_who_do_not_look():
    labels = random_labels(1, candidates=6, objectives=30)
    order = worlds.beforehand(labels)
    assert sorted(order) == list(range(6))
    for k in range(1, 6):
        now = design.expected_elimination(labels, order[:k])
        others = [
            design.expected_elimination(labels, [*order[: k - 1], e]) for e in range(6) if e not in order[: k - 1]
        ]
        np.testing.assert_allclose(now, max(others))


def test_every_strategy_of_the_library_is_compared():
    here = worlds.world("conditioning box", 0)
    compared = {type(entry.make(here, 0, 0)) for entry in worlds.STRATEGIES.values()}
    public = [getattr(design, name) for name in design.__all__]
    theirs = {
        c for c in public if isinstance(c, type) and callable(getattr(c, "score", None)) and c is not design.Strategy
    }
    assert theirs - compared == {design.Counterexample}, "it is after a property, and compared in another study"
    assert compared <= theirs


@pytest.mark.parametrize("name", ["random MDPs", "product family", "conditioning box", "labyrinth"])
def test_worlds_are_drawn_once_and_keep_their_held_out_environments_apart(name):
    here, other = worlds.WORLDS[name](np.random.default_rng(0)), worlds.WORLDS[name](np.random.default_rng(1))
    digests = [env.digest for env in (*here.candidates, *here.held_out)]
    assert len(set(digests)) == worlds.CANDIDATES + worlds.HELD_OUT
    assert {env.digest for env in other.candidates} != {env.digest for env in here.candidates}
    assert here.pool.shape == (min(worlds.POOL, len(here.pool)), here.family.dim)
    for env in here.candidates[:3]:
        here.family.matrix(env)


def test_a_campaign_of_every_strategy_narrows_the_pool_to_what_cannot_be_told(monkeypatch):
    monkeypatch.setattr(study, "ROUNDS", 5)
    task = {"part": "policies", "world": "conditioning box", "draw": 0, "truth": 5, "seed": 1}
    table = pd.DataFrame(study.run(task))
    for name, own in table.groupby("strategy"):
        assert (np.diff(own["left"]) <= 0).all(), name
        seen = own["candidate"].tolist()[1:]
        assert len(set(seen)) == len(seen)
    assert (table["left"] >= table["final"]).all()
    told = table["diameter_upper"].notna()
    assert (table["diameter_lower"][told] <= table["diameter_upper"][told] + 1e-9).all()
    ends = study.counts(table).set_index("strategy")
    assert (ends["95 %"] <= ends["all"]).all()
    assert (ends.loc[["greedy elimination", "oracle"], "all"] <= study.ROUNDS).all()
    known = study.FirstKnown(design.Greedy(hypotheses=worlds.world("conditioning box", 0).pool), ("test", 0, "greedy"))
    here = worlds.world("conditioning box", 0)
    nothing = ii.identified.anything(here.family)
    np.testing.assert_array_equal(known.score(nothing, here.candidates), known.strategy.score(nothing, here.candidates))


def test_choices_of_agents_that_err_leave_the_truth_and_cost_steps(monkeypatch):
    monkeypatch.setattr(study, "LENGTHS", {5: 2})
    task = {"part": "noisy", "world": "conditioning box", "draw": 0, "truth": 5, "seed": 1}
    table = pd.DataFrame(study.run(task))
    assert table["covered"].all()
    for _, own in table.groupby(["strategy", "episodes"]):
        assert (np.diff(own["left"]) <= 0).all()
        assert (np.diff(own["steps"]) > 0).all()
    assert table["left"].min() < 153


def test_tasks_differ_and_are_enough():
    quick = study.tasks(Settings(quick=True))
    assert len({str(sorted(task.items())) for task in quick}) == len(quick)
    assert {task["part"] for task in quick} == {"limits", "policies", "noisy", "soft"}
    assert len(worlds.WORLDS) >= 6
