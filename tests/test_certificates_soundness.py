"""Certificates against the truth of random tiny problems, enumerated exactly; none may be wrong.

The problems have 2 to 4 states, 2 or 3 actions, 1 to 3 environments, all kinds of properties, rewards and evidence,
discounts up to 1, ties, states without observation, and thresholds that are met exactly.  Many more of them are run by
``python tests/random_certificates.py``.
"""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from exact_polytopes import Polytope, premise
from exact_worlds import World, exact
from random_certificates import compared, marks, problem
from worlds import brute_q, dense_features, ng_russell_rows, random_environment, vertices

import irl_ident as ii

BATCHES, EACH = 8, 8


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_answer_is_wrong(batch):
    """Nothing is proved that is false, nothing refuted that is true, and witnesses are what they should be."""
    found = Counter()
    for seed in range(batch * EACH, (batch + 1) * EACH):
        answer = compared(problem(seed), regions=8)
        assert not answer.faults, (seed, answer)
        found[answer.status] += 1
    assert found["proved"] + found["refuted"] >= EACH // 2, found


@pytest.mark.parametrize("seed", range(20))
def test_the_truth_is_that_of_single_objectives(seed):
    """Objectives that are drawn one by one never violate what holds; what is violated is so by one of them."""
    given = problem(10_000 + seed)
    verdict, theta = given.truth.verdict()
    if theta is not None:
        assert given.truth.member(theta)
        assert not given.truth.at(theta)[0]
    if verdict != "holds":
        return
    random = np.random.default_rng(seed)
    points = [
        p
        for part in premise(given.truth.seen, given.family.dim, Fraction(0), exact(given.strictness), False)
        for p in part.points
    ]
    for _ in range(10):
        chosen = [points[i] for i in random.integers(len(points), size=3)]
        drawn = [sum(column) / 3 for column in zip(*chosen, strict=True)]
        if given.truth.member(drawn):
            assert given.truth.at(drawn)[0]


@pytest.mark.parametrize("seed", range(10))
def test_polytopes_have_the_vertices_that_cdd_finds(seed):
    env = random_environment(seed, 4, 2)
    family = ii.rewards.StateRewards(4)
    theta = np.random.default_rng(seed).uniform(-1, 1, 4)
    policy = ii.agents.Optimal(family, theta).policy(env)
    seen = marks([(env, ii.evidence.Policy(policy))], family, {})
    (found,) = premise(seen, 4, Fraction(0), Fraction(0), relaxed=False)
    expected = vertices(*ng_russell_rows(env, dense_features(env, family), policy))
    ours = np.array(found.points, dtype=float)
    assert len(ours) == len(expected)
    distances = np.abs(ours[:, None] - expected[None]).max(axis=2)
    assert distances.min(axis=0).max() < 1e-7
    assert distances.min(axis=1).max() < 1e-7


@pytest.mark.parametrize("seed", range(10))
def test_exact_gaps_are_those_of_all_policies(seed):
    env = random_environment(seed, 3, 3)
    family = ii.rewards.StateRewards(3)
    theta = np.random.default_rng(seed).uniform(-1, 1, 3)
    q = brute_q(env, family.reward(env, theta))
    _, gaps = World(env, family).gaps([exact(x) for x in theta])
    np.testing.assert_allclose(np.array(gaps, dtype=float), q.max(axis=1, keepdims=True) - q, atol=1e-12)


def test_a_square_that_is_cut():
    square = Polytope.box(2)
    corner = square.cut([Fraction(1), Fraction(1)], Fraction(1))
    assert sorted(corner.points) == [[0, 1], [1, 0], [1, 1]]
    line = corner.cut([Fraction(1), Fraction(-1)], Fraction(0)).cut([Fraction(-1), Fraction(1)], Fraction(0))
    assert sorted(line.points) == [[Fraction(1, 2), Fraction(1, 2)], [1, 1]]
    assert not corner.cut([Fraction(-1), Fraction(-1)], Fraction(0))
