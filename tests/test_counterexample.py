"""Counterexample-guided choice, held to pairs that are counted one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import irl_ident as ii
from environments import branching_star as star
from irl_ident import design
from irl_ident.certificates import Avoids, Linear
from irl_ident.design.strategies.counterexample import parting_scores, towards, violating

PRIZES = [star.prize(branch) for branch in range(3)]
DEPLOYMENT = (2, 4, 6)
NEVER = Avoids([PRIZES[0]])
TRUTH = np.array([0.6, 0.8, 1.0])


def seen(*stars):
    agent = ii.agents.Optimal(star.family(), TRUTH)
    environments = [star.build(lengths) for lengths in stars]
    return ii.identify([(env, agent.policy(env)) for env in environments], star.family())


def goes_to_first(theta, lengths=DEPLOYMENT):
    """By the closed form, with ties."""
    worth = [0.9**length * prize for length, prize in zip(lengths, theta, strict=True)]
    return worth[0] >= max(*worth, 0) - 1e-12


@given(
    labels=hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.just(7)), elements=st.integers(0, 3)),
    members=hnp.arrays(bool, 7),
    weights=hnp.arrays(float, 7, elements=st.floats(0.1, 1)),
)
def test_scores_are_shares_of_pairs(labels, members, weights):
    if members.all() or not members.any():
        return
    expected = np.zeros(len(labels))
    for i in np.flatnonzero(members):
        for j in np.flatnonzero(~members):
            expected += weights[i] * weights[j] * (labels[:, i] != labels[:, j])
    expected /= weights[members].sum() * weights[~members].sum()
    found = parting_scores(labels, weights * members, weights * ~members)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_who_violates_is_known_by_the_closed_form():
    rng = np.random.default_rng(0)
    thetas = rng.uniform(-1, 1, (300, 3))
    found = violating(NEVER, star.build(DEPLOYMENT), star.family(), thetas)
    np.testing.assert_array_equal(found, [goes_to_first(theta) for theta in thetas])
    assert 30 < found.sum() < 270
    linear = Linear([1.0, 0.0, -1.0])
    np.testing.assert_array_equal(
        violating(linear, star.build(DEPLOYMENT), star.family(), thetas), thetas[:, 0] > thetas[:, 2]
    )


def test_the_score_counts_pairs_of_behaviour_and_the_witness_among_them():
    ident = seen((2, None, 3))
    thetas = ident.sample(150, seed=0)
    candidates = [star.build(lengths) for lengths in [(2, None, 3), (3, 1, None), (5, 4, 6), (None, 2, 4)]]
    strategy = design.Counterexample(hypotheses=thetas, prop=NEVER, deployment=star.build(DEPLOYMENT))
    certificate = strategy.certificate(ident)
    assert certificate.status == "refuted"
    assert goes_to_first(certificate.witness)
    between = towards(certificate.witness, ident, thetas, 0)
    assert len(between) == 100
    everything = [*thetas, *between]
    against = [theta for theta in everything if goes_to_first(theta)]
    good = [theta for theta in everything if not goes_to_first(theta)]
    assert min(len(against), len(good)) > 20
    expected = []
    for env in candidates:
        shown = [
            [brute_optimal(env, theta).tobytes() for theta in group]
            for group in (good, [*against, certificate.witness])
        ]
        expected.append(np.mean([one != other for one in shown[0] for other in shown[1]]))
    np.testing.assert_allclose(strategy.score(ident, candidates), expected, atol=1e-12)
    assert expected[0] == 0
    assert max(expected) > 0.3


def test_ways_to_the_witness_are_members_and_pass_where_the_property_begins_to_fail():
    ident = seen((2, None, 3))
    pool = np.array([theta for theta in ident.sample(60, seed=0) if not goes_to_first(theta)])
    witness = np.array([0.8, -1.0, 0.95])
    assert ident.contains(witness)
    between = towards(witness, ident, pool, 3)
    assert all(ident.contains(theta) for theta in between)
    fails = [goes_to_first(theta) for theta in between]
    assert 5 < np.sum(fails) < len(fails) - 5
    for theta in between:
        shares = [np.linalg.lstsq(np.column_stack([witness, end]), theta, rcond=None) for end in pool]
        assert min(float(np.sum(residual)) for _, residual, *_ in shares) < 1e-12
    np.testing.assert_array_equal(between, towards(witness, ident, pool, 3))
    assert len(towards(witness, ident, pool[:0], 3)) == 0


def brute_optimal(env, theta):
    """In the hub, where alone there is something to choose, all optimal actions."""
    values = np.zeros(env.n_states)
    reward = star.family().reward(env, theta)
    for _ in range(150):
        values = (reward + env.backup(values)).max(axis=1)
    q = (reward + env.backup(values))[star.HUB]
    return q >= q.max() - 1e-9


def test_the_witness_alone_guides_when_the_pool_holds_no_counterexample():
    ident = seen((2, None, 3))
    thetas = np.array([theta for theta in ident.sample(60, seed=0) if not goes_to_first(theta)])
    deployment = star.build(DEPLOYMENT)
    strategy = design.Counterexample(hypotheses=thetas, prop=NEVER, deployment=deployment)
    scores = strategy.score(ident, [star.build((2, None, 3)), deployment])
    assert scores.tolist() == [0, 1]
    greedy = design.Greedy(hypotheses=thetas).score(ident, [star.build((2, None, 3)), deployment])
    assert greedy[1] < 1


def test_what_is_proved_leaves_the_choice_to_elimination():
    ident = seen(DEPLOYMENT)
    deployment = star.build(DEPLOYMENT)
    strategy = design.Counterexample(100, prop=NEVER, deployment=deployment)
    assert strategy.certificate(ident).status == "proved"
    candidates = [star.build(lengths) for lengths in [(2, None, 3), (3, 1, None), (5, 4, 6)]]
    np.testing.assert_array_equal(strategy.score(ident, candidates), design.Greedy(100).score(ident, candidates))


def test_who_is_indifferent_is_no_guide():
    """Tea was taken where there is gin: only a tie, to which everything is the same, speaks against never gin."""

    def shop(first, second):
        there = np.eye(4)[[[first, second], [1, 1], [2, 2], [3, 3]]]
        return ii.Environment(there, 0.5, [1, 0, 0, 0], states=["shop", "tea", "milk", "gin"])

    family = ii.rewards.LinearRewards(np.repeat(np.eye(4)[:, None, 1:], 2, axis=1))
    taken = ii.evidence.Policy(np.eye(2)[[0, 0, 0, 0]] * [[1], [0], [0], [0]], shows="some")
    ident = ii.identify([(shop(1, 3), taken)], family)
    strategy = design.Counterexample(50, prop=Avoids(["gin"]), deployment=shop(1, 3))
    certificate = strategy.certificate(ident)
    assert (certificate.status, certificate.trivial) == ("refuted", True)
    candidates = [shop(1, 2), shop(2, 3)]
    np.testing.assert_array_equal(strategy.score(ident, candidates), design.Greedy(50).score(ident, candidates))


def test_a_certificate_is_made_once():
    ident = seen((2, None, 3))
    strategy = design.Counterexample(100, prop=NEVER, deployment=star.build(DEPLOYMENT))
    assert strategy.certificate(ident) is strategy.certificate(ident)


def test_it_proves_in_fewer_environments_than_chance():
    rng = np.random.default_rng(0)
    candidates = [star.build(star.random_lengths(rng)) for _ in range(20)]
    agent, deployment = ii.agents.Optimal(star.family(), TRUTH), star.build(DEPLOYMENT)
    guided = design.Counterexample(100, prop=NEVER, deployment=deployment)
    counts = [needed(guided, candidates, agent, guided)]
    by_chance = [needed(design.Random(seed), candidates, agent, guided) for seed in range(4)]
    assert counts[0] < np.mean(by_chance)


def needed(strategy, candidates, agent, prover, most=6):
    """Environments until the property is proved."""
    campaign = design.Campaign(candidates, strategy, star.family())
    for n in range(most):
        if n and prover.certificate(campaign.ident).status == "proved":
            return n
        env = campaign.ask()
        campaign.tell(env, agent.policy(env))
    return most


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="prop: was a str, should be a property"):
        design.Counterexample(prop="avoids", deployment=star.build(DEPLOYMENT))
    with pytest.raises(ValueError, match="deployment: should be an Environment, was tuple"):
        design.Counterexample(prop=NEVER, deployment=DEPLOYMENT)
