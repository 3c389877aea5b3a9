"""Finite classes of objectives: scores and sequences against enumeration; Golovin & Krause's guarantees."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from irl_ident import design
from irl_ident.design.version_space import TIE

BOUND = 1 - 1 / np.e


@st.composite
def labelled(draw, most_environments=5, most_objectives=8):
    shape = draw(st.tuples(st.integers(2, most_environments), st.integers(2, most_objectives)))
    labels = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 3)))
    weights = draw(hnp.arrays(float, shape[1], elements=st.integers(1, 9).map(float)))
    return labels, weights


def subsets(count):
    return [chosen for size in range(count + 1) for chosen in combinations(range(count), size)]


def adaptive_value(labels, choose, depth, weights):
    """Mean mass that ``choose(left, depth to go)`` rules out, playing it against every truth."""
    shares = weights / weights.sum()
    value = 0.0
    for truth in range(labels.shape[1]):
        left = np.ones(labels.shape[1], dtype=bool)
        for to_go in range(depth, 0, -1):
            env = choose(left, to_go)
            left &= labels[env] == labels[env, truth]
        value += shares[truth] * shares[~left].sum()
    return value


@given(labelled())
def test_score_is_the_chance_that_two_objectives_behave_differently(case):
    labels, weights = case
    shares = weights / weights.sum()
    pairs = labels[:, :, None] != labels[:, None, :]
    np.testing.assert_allclose(
        design.elimination_scores(labels, weights), (pairs * np.outer(shares, shares)).sum(axis=(1, 2)), atol=1e-12
    )


@given(labelled())
def test_expected_elimination_is_the_mean_over_truths(case):
    labels, weights = case
    shares = weights / weights.sum()
    for chosen in subsets(len(labels)):
        mean = sum(
            shares[truth] * design.eliminated_mass(labels, truth, chosen, weights) for truth in range(labels.shape[1])
        )
        np.testing.assert_allclose(design.expected_elimination(labels, chosen, weights), mean, atol=1e-12)


@settings(max_examples=50)
@given(labelled(most_environments=4))
def test_eliminated_mass_is_monotone_and_submodular_for_every_truth(case):
    """Result 2 of Golovin & Krause (2011): f(X + e) - f(X) >= f(Y + e) - f(Y) >= 0 for X in Y."""
    labels, weights = case
    for truth in range(labels.shape[1]):
        mass = {
            frozenset(chosen): design.eliminated_mass(labels, truth, chosen, weights) for chosen in subsets(len(labels))
        }
        for larger in mass:
            for smaller in mass:
                if smaller <= larger:
                    for env in range(len(labels)):
                        gains = mass[smaller | {env}] - mass[smaller], mass[larger | {env}] - mass[larger]
                        assert gains[0] >= gains[1] - 1e-12
                        assert gains[1] >= -1e-12


@settings(max_examples=50)
@given(labelled(most_environments=3, most_objectives=6))
def test_adaptive_scores_equal_the_best_of_all_two_step_policies(case):
    labels, weights = case
    expected = []
    for first in range(len(labels)):
        answers = np.unique(labels[first])
        plans = product(range(len(labels)), repeat=len(answers))
        values = []
        for plan in plans:
            second = dict(zip(answers.tolist(), plan, strict=True))
            shares = weights / weights.sum()
            values.append(
                sum(
                    shares[truth]
                    * design.eliminated_mass(labels, truth, (first, second[int(labels[first, truth])]), weights)
                    for truth in range(labels.shape[1])
                )
            )
        expected.append(max(values))
    np.testing.assert_allclose(design.adaptive_scores(labels, 2, weights), expected, atol=1e-12)


@settings(max_examples=100)
@given(labelled(), st.integers(1, 3))
def test_greedy_is_within_the_bound_of_the_best_adaptive_policy(case, depth):
    """Theorem 5.2 of Golovin & Krause (2011) for k experiments against the best policy of k experiments."""
    labels, weights = case

    def greedy(left, _):
        return int(np.argmax(design.elimination_scores(labels, weights * left)))

    best = design.adaptive_scores(labels, depth, weights).max()
    value = adaptive_value(labels, greedy, depth, weights)
    assert BOUND * best - 1e-12 <= value <= best + 1e-12


@given(labelled(), st.integers(1, 2))
def test_the_best_set_is_the_best_of_all_and_no_better_than_the_best_policy(case, size):
    labels, weights = case
    chosen, value = design.exhaustive_best(labels, size, weights)
    values = [design.expected_elimination(labels, other, weights) for other in combinations(range(len(labels)), size)]
    np.testing.assert_allclose(value, max(values), atol=1e-12)
    np.testing.assert_allclose(design.expected_elimination(labels, chosen, weights), value, atol=1e-12)
    assert value <= design.adaptive_scores(labels, size, weights).max() + 1e-12


@given(labelled())
def test_sequences_rule_out_more_at_every_step_and_end_where_nothing_is_left_to_tell(case):
    labels, weights = case
    everything = range(len(labels))
    for truth in range(labels.shape[1]):
        for sequence in (design.greedy_sequence, design.oracle_sequence):
            chosen = sequence(labels, truth, 10, weights)
            assert len(set(chosen)) == len(chosen)
            np.testing.assert_array_equal(
                design.consistent_with(labels, truth, chosen), design.consistent_with(labels, truth, everything)
            )


@given(labelled())
def test_the_oracle_first_choice_rules_out_most_for_its_truth(case):
    labels, weights = case
    for truth in range(labels.shape[1]):
        masses = [design.eliminated_mass(labels, truth, (env,), weights) for env in range(len(labels))]
        chosen = design.oracle_sequence(labels, truth, 1, weights)
        assert max(masses) <= TIE if not chosen else masses[chosen[0]] >= max(masses) - TIE


@given(labelled(), st.randoms(use_true_random=False))
def test_names_of_classes_and_order_of_objectives_do_not_matter(case, random):
    labels, weights = case
    order = list(range(labels.shape[1]))
    random.shuffle(order)
    renamed = (7 * labels + 3)[:, order]
    np.testing.assert_allclose(
        design.elimination_scores(renamed, weights[order]), design.elimination_scores(labels, weights), atol=1e-12
    )


def test_objectives_without_weight_do_not_count():
    labels = np.array([[0, 0, 1], [0, 1, 1]])
    np.testing.assert_allclose(design.elimination_scores(labels, [1.0, 1.0, 0.0]), [0.0, 0.5])
    np.testing.assert_allclose(design.adaptive_scores(labels, 2, [1.0, 1.0, 0.0]), [0.5, 0.5])
    assert design.greedy_sequence(labels, 2, 5, [1.0, 1.0, 0.0]) == (1,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.elimination_scores([0, 1]), "labels: .*shape"),
        (lambda: design.elimination_scores([[0.5, 1.0]]), "labels: .*whole"),
        (lambda: design.elimination_scores([[-1, 1]]), "labels: .*>= 0"),
        (lambda: design.elimination_scores([[0, 1]], [1.0]), r"weights: .*\(2,\)"),
        (lambda: design.elimination_scores([[0, 1]], [0.0, 0.0]), "weights: .*not all 0"),
        (lambda: design.elimination_scores([[0, 1]], [np.nan, 1.0]), "weights: .*finite"),
        (lambda: design.exhaustive_best([[0, 1]], 2), "size: was 2, should be in 1..1"),
        (lambda: design.exhaustive_best(np.zeros((100, 2), int), 50), "size: .*more than"),
        (lambda: design.adaptive_scores([[0, 1]], 0), "depth: was 0"),
        (lambda: design.adaptive_scores(np.zeros((100, 2), int), 4), "depth: .*more than"),
        (lambda: design.behaviour_classes(np.zeros(3)), "signatures: "),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
