"""Strategies that look at the answers of a pool: information gain, binary search, minimax width; fixed orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import entropy
from worlds import brute_policy, random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Optimal, SoftOptimal
from irl_ident.design.strategies.base import AnswerStrategy
from irl_ident.design.strategies.geometry import canonical_forms, class_widths
from irl_ident.design.strategies.partitions import halving_scores, information_scores

FAMILY = ii.rewards.StateRewards(4)
CANDIDATES = [random_environment(seed, 4, 2) for seed in range(6)]
THETAS = np.random.default_rng(0).uniform(-1, 1, (40, 4))
AFTER_ONE = ii.identify([(CANDIDATES[0], Optimal(FAMILY, THETAS[0]).policy(CANDIDATES[0]))], FAMILY)
BY_ANSWERS = [design.Greedy, design.InformationGain, design.BinarySearch, design.MinimaxWidth]


def by_name(value):
    return value.__name__ if isinstance(value, type) else None


@st.composite
def labelled(draw, classes=4):
    shape = draw(st.tuples(st.integers(2, 5), st.integers(2, 8)))
    labels = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, classes - 1)))
    weights = draw(hnp.arrays(float, shape[1], elements=st.integers(1, 9).map(float)))
    return labels, weights


def brute_answers(ident, env):
    """Members of ``THETAS`` by what they show in ``env``, planned by enumeration."""
    groups = {}
    for theta in THETAS:
        if ident.contains(theta):
            shown = brute_policy(env, FAMILY.reward(env, theta)).tobytes()
            groups.setdefault(shown, []).append(theta)
    return list(groups.values())


def test_information_gain_and_binary_search_agree_with_enumerated_answers():
    answers = [brute_answers(AFTER_ONE, env) for env in CANDIDATES]
    counts = [[len(members) for members in groups] for groups in answers]
    assert 5 < sum(counts[0]) < 40
    gain = design.InformationGain(hypotheses=THETAS).score(AFTER_ONE, CANDIDATES)
    np.testing.assert_allclose(gain, [entropy(sizes, base=2) for sizes in counts], atol=1e-12)
    halving = design.BinarySearch(hypotheses=THETAS).score(AFTER_ONE, CANDIDATES)
    np.testing.assert_allclose(halving, [1 - max(sizes) / sum(sizes) for sizes in counts], atol=1e-12)


def test_minimax_width_agrees_with_all_pairs_of_enumerated_answers():
    expected = []
    for env in CANDIDATES:
        widths = [0.0]
        for members in brute_answers(AFTER_ONE, env):
            forms = [(theta - min(theta)) / (max(theta) - min(theta)) for theta in members]
            widths += [max(abs(a - b)) for a in forms for b in forms]
        expected.append(-max(widths))
    scores = design.MinimaxWidth(hypotheses=THETAS).score(AFTER_ONE, CANDIDATES)
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    assert scores[0] == scores.min() < scores.max()


@given(labelled())
def test_bits_lie_between_the_orders_of_entropy(case):
    """Rényi's entropies fall with their order: 1 is the bits, 2 the score of Greedy, infinity that of BinarySearch."""
    labels, weights = case
    bits = information_scores(labels, weights)
    collision = -np.log2(1 - design.elimination_scores(labels, weights))
    least = -np.log2(1 - halving_scores(labels, weights))
    most = np.log2([len(set(row)) for row in labels])
    assert (most >= bits - 1e-9).all()
    assert (bits >= collision - 1e-9).all()
    assert (collision >= least - 1e-9).all()


@given(labelled(classes=2))
def test_with_two_answers_all_criteria_want_the_most_even_split(case):
    labels, weights = case
    uneven = np.abs((np.where(labels == 1, 1, -1) * weights).sum(axis=1))
    for score in (information_scores, halving_scores, design.elimination_scores):
        values = score(labels, weights)
        np.testing.assert_allclose(values[uneven.argmin()], values.max(), atol=1e-12)
        assert (np.diff(values[np.argsort(-uneven)]) >= -1e-12).all()


@given(st.integers(2, 64), st.integers(0, 63))
def test_binary_search_finds_a_threshold_in_the_logarithm_of_their_number(count, truth):
    truth %= count
    labels = (np.arange(count) > np.arange(count - 1)[:, None]).astype(np.int64)
    left, asked = np.ones(count, dtype=bool), 0
    while left.sum() > 1:
        best = int(halving_scores(labels, left.astype(float)).argmax())
        left &= labels[best] == labels[best, truth]
        asked += 1
    assert left[truth]
    assert asked <= ceil(log2(count))


@settings(max_examples=20)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
@pytest.mark.parametrize("kind", [*BY_ANSWERS, design.MaximinRegret], ids=by_name)
def test_order_and_repetition_of_candidates_do_not_matter(kind, order, repeated):
    strategy = kind(hypotheses=THETAS)
    scores = strategy.score(AFTER_ONE, CANDIDATES)
    places = [*order, *repeated]
    np.testing.assert_array_equal(strategy.score(AFTER_ONE, [CANDIDATES[p] for p in places]), scores[places])


@settings(max_examples=20)
@given(
    hnp.arrays(float, 40, elements=st.floats(0.1, 10)),
    hnp.arrays(float, 40, elements=st.floats(-3, 3)),
    st.permutations(range(40)),
)
@pytest.mark.parametrize("kind", BY_ANSWERS, ids=by_name)
def test_positive_affine_maps_and_order_of_the_pool_do_not_matter(kind, scales, shifts, order):
    mapped = (scales[:, None] * THETAS + shifts[:, None])[list(order)]
    np.testing.assert_allclose(
        kind(hypotheses=mapped).score(AFTER_ONE, CANDIDATES),
        kind(hypotheses=THETAS).score(AFTER_ONE, CANDIDATES),
        atol=1e-9,
    )


@pytest.mark.parametrize("rationality", ["optimal", "soft"])
@pytest.mark.parametrize(
    "strategy",
    [
        design.Greedy(100),
        design.InformationGain(100),
        design.BinarySearch(100),
        design.DeploymentRegret(CANDIDATES[5], 100),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_nothing_is_expected_where_the_whole_policy_was_shown(strategy, rationality):
    """State-action rewards keep a soft agent's set open, so that its pool is not one objective."""
    family = ii.rewards.StateActionRewards(4, 2)
    theta = np.random.default_rng(1).uniform(-1, 1, 8)
    agent = (Optimal if rationality == "optimal" else SoftOptimal)(family, theta)
    ident = ii.identify([(env, agent.policy(env)) for env in CANDIDATES[:1]], family, rationality)
    scores = strategy.score(ident, CANDIDATES)
    np.testing.assert_allclose(scores[0], 0, atol=1e-8)
    assert scores[1:].min() > 1e-6


def test_a_candidate_seen_in_full_leaves_the_width_that_there_is():
    scores = design.MinimaxWidth(hypotheses=THETAS).score(AFTER_ONE, CANDIDATES)
    forms = canonical_forms(FAMILY, THETAS[[AFTER_ONE.contains(theta) for theta in THETAS]])
    np.testing.assert_allclose(scores[0], -np.ptp(forms, axis=0).max(), atol=1e-12)


@given(hnp.arrays(float, (7, 3), elements=st.floats(0, 1)), hnp.arrays(np.int64, 7, elements=st.integers(0, 9)))
def test_class_widths_are_the_largest_distances_within_classes(forms, labels):
    expected = [
        max(np.abs(a - b).max() for a in forms[labels == label] for b in forms[labels == label])
        for label in sorted(set(labels.tolist()))
    ]
    np.testing.assert_allclose(class_widths(labels, forms), expected, atol=1e-15)


def test_canonical_forms_of_linear_rewards_are_those_of_the_rewards():
    features = np.random.default_rng(2).normal(size=(4, 2, 3))
    family = ii.rewards.LinearRewards(features)
    thetas = np.random.default_rng(3).normal(size=(5, 3))
    rewards = np.sort(thetas @ features.reshape(8, 3).T, axis=1)
    expected = (rewards - rewards[:, :1]) / (rewards[:, -1:] - rewards[:, :1])
    np.testing.assert_allclose(np.sort(canonical_forms(family, thetas), axis=1), expected, atol=1e-12)


def test_fixed_goes_through_its_order_again_and_again():
    agent = Optimal(FAMILY, THETAS[0])
    campaign = design.Campaign(CANDIDATES, design.Fixed([3, 1, 3, 0]), FAMILY, until=design.budget(9))
    asked = []
    while not campaign.stopped_because:
        env = campaign.ask()
        asked.append(CANDIDATES.index(env))
        campaign.tell(env, agent.policy(env))
    assert asked == [3, 1, 3, 0, 3, 1, 3, 0, 3]


def test_a_fixed_order_skips_what_was_told_unasked_and_puts_others_last():
    seen = [(CANDIDATES[p], Optimal(FAMILY, THETAS[0]).policy(CANDIDATES[p])) for p in (3, 5)]
    scores = design.Fixed([3, 1, 0]).score(ii.identify(seen, FAMILY), CANDIDATES)
    assert list(np.argsort(-scores)[:3]) == [1, 0, 3]
    assert scores[5] < scores[[2, 4]].max() < scores[3]


def test_a_strategy_of_ones_own_takes_ten_lines():
    @dataclass(frozen=True, eq=False)
    class MostAnswers(AnswerStrategy):
        def _score(self, ident, candidates, answers):
            left = answers.labels[:, answers.weights > 0]
            return np.array([len(set(row)) for row in left.tolist()], dtype=float)

    expected = [len(brute_answers(AFTER_ONE, env)) for env in CANDIDATES]
    scores = MostAnswers(hypotheses=THETAS).score(AFTER_ONE, CANDIDATES)
    np.testing.assert_array_equal(scores, expected)
    campaign = design.Campaign(CANDIDATES, MostAnswers(hypotheses=THETAS), FAMILY, until=design.budget(2))
    assert campaign.run(Optimal(FAMILY, THETAS[0])) == "budget of 2 spent"


def seen_by(rationality):
    """An identified set of agents with objective ``THETAS[0]`` after 400 choices in each state of one environment."""
    agent = (SoftOptimal if rationality == "soft" else Optimal)(FAMILY, THETAS[0])
    policy = agent.policy(CANDIDATES[0])
    if rationality == "optimal":
        return ii.identify([(CANDIDATES[0], policy)], FAMILY)
    if rationality == "noisy":
        policy = 0.8 * policy + 0.2 / 2
    rng = np.random.default_rng(5)
    counts = ii.evidence.Counts([rng.multinomial(400, row) for row in policy])
    options = {"error": 0.2, "level": 0.05} if rationality == "noisy" else {}
    return ii.identify([(CANDIDATES[0], counts)], FAMILY, rationality, **options)


EVERY = [
    *(kind(120) for kind in [*BY_ANSWERS, design.MaximinRegret, design.Exhaustive]),
    *(kind(CANDIDATES[5], 120) for kind in (design.DeploymentRegret, design.WorstDeploymentRegret)),
    design.Oracle(120, truth=THETAS[0]),
    *(design.RankGrowth(), design.SecondAngle(), design.Random(), design.RoundRobin(), design.Fixed([1])),
    *(design.FisherD(), design.FisherA(), design.FisherE()),
]


@pytest.mark.parametrize("rationality", ["optimal", "soft", "noisy"])
def test_every_strategy_works_with_every_rationality_or_says_why_not(rationality):
    ident = seen_by(rationality)
    assert ident.contains(THETAS[0]) or rationality == "soft"
    for strategy in EVERY:
        name = type(strategy).__name__
        if rationality != "soft" and name.startswith("Fisher"):
            with pytest.raises(ValueError, match=f"{name}: .* should be 'soft'"):
                strategy.score(ident, CANDIDATES)
            continue
        scores = strategy.score(ident, CANDIDATES)
        assert scores.shape == (6,), name
        assert np.isfinite(scores).all(), name
        np.testing.assert_array_equal(strategy.score(ident, CANDIDATES), scores, err_msg=name)


def test_a_fresh_sample_is_drawn_once_a_decision():
    shown = [(env, Optimal(FAMILY, THETAS[0]).policy(env)) for env in CANDIDATES[:3]]
    ident, again = ii.identify(shown, FAMILY), ii.identify(shown, FAMILY)
    first, kept = design.Greedy(120).pool(ident)
    assert kept.all()
    assert all(ident.contains(theta) for theta in first[:10])
    assert design.InformationGain(120).pool(ident)[0] is first
    np.testing.assert_array_equal(design.Greedy(120).pool(again)[0], first)
    assert np.abs(design.Greedy(120, seed=1).pool(ident)[0] - first).max() > 0


def test_strategies_of_answers_part_soft_agents_up_to_the_resolution():
    thetas = np.random.default_rng(4).uniform(-1, 1, (30, 4))
    ident = ii.identified.anything(FAMILY, "soft", temperature=0.7)
    policies = [[SoftOptimal(FAMILY, t, temperature=0.7).policy(env) for t in thetas] for env in CANDIDATES]
    cells = [Counter(np.rint(policy / 0.3).tobytes() for policy in row) for row in policies]
    gain = design.InformationGain(hypotheses=thetas, resolution=0.3).score(ident, CANDIDATES)
    np.testing.assert_allclose(gain, [entropy(list(count.values()), base=2) for count in cells], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.Fixed([]), "order: is empty"),
        (lambda: design.Fixed([0, -1]), r"order\[1\]: was -1"),
        (lambda: design.Fixed([0.5]), r"order\[0\]: was 0.5"),
        (lambda: design.Fixed([6]).score(AFTER_ONE, CANDIDATES), "order: names candidate 6, there are 6"),
        (lambda: information_scores([0, 1]), "labels: .*shape"),
        (lambda: halving_scores([[0, 1]], [0.0, 0.0]), "weights: .*not all 0"),
        (lambda: design.InformationGain(samples=0), "samples: was 0"),
        (lambda: design.MinimaxWidth().score(AFTER_ONE, []), "candidates: is empty"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
