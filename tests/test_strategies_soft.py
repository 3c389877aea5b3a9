"""Rank growth, second angles and Fisher criteria, against Rolland's matrix, subspace angles, paths and closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orth, subspace_angles
from worlds import random_environment

import irl_ident as ii
from irl_ident import design, planning
from irl_ident.agents import Optimal, SoftOptimal
from irl_ident.design.strategies.fisher import expected_visits
from irl_ident.design.strategies.geometry import openness
from irl_ident.identified.shaping_rank import rolland_matrix

S, A = 5, 2
FAMILY = ii.rewards.StateActionRewards(S, A)
THETA = np.random.default_rng(0).uniform(-1, 1, S * A)
CRITERIA = [design.FisherD, design.FisherA, design.FisherE]


def changed(count, seed=1):
    """The environment of seed 0 with the rows of the first ``count`` states drawn anew."""
    table, other = random_environment(0, S, A).dense(), random_environment(seed, S, A).dense()
    table[:count] = other[:count]
    return ii.Environment(table, 0.9)


LADDER = [changed(count) for count in range(S + 1)]


def seen(environments, rationality="soft", family=FAMILY, theta=THETA):
    agent = (Optimal if rationality == "optimal" else SoftOptimal)(family, theta)
    if not environments:
        return ii.identified.anything(family, rationality)
    return ii.identify([(env, agent.policy(env)) for env in environments], family, rationality)


@pytest.mark.parametrize("start", [[0], [0, 1], [0, 3]])
def test_rank_growth_is_that_of_rollands_matrix_less_the_new_values(start):
    """A new environment adds S unknown values, and closes what its rank adds beyond (Rolland et al. 2022)."""
    before = [LADDER[i] for i in start]
    rank = np.linalg.matrix_rank(rolland_matrix(before)) if len(before) > 1 else 0
    after = [np.linalg.matrix_rank(rolland_matrix([*before, env])) for env in LADDER]
    scores = design.RankGrowth().score(seen(before), LADDER)
    np.testing.assert_array_equal(scores, np.array(after) - rank - S)


@pytest.mark.parametrize("rationality", ["soft", "optimal"])
def test_rank_growth_is_the_fall_of_the_dimension_that_is_open_at_best(rationality):
    before = ii.assess(LADDER[:1], FAMILY, "soft").dimension
    after = [ii.assess([LADDER[0], env], FAMILY, "soft").dimension for env in LADDER]
    scores = design.RankGrowth().score(seen(LADDER[:1], rationality), LADDER)
    np.testing.assert_array_equal(scores, before - np.array(after))
    np.testing.assert_array_equal(scores, [0, 2, 4, 4, 4, 4])


def test_rank_growth_before_any_evidence_counts_all_but_shaping():
    for rationality in ("soft", "optimal"):
        scores = design.RankGrowth().score(seen([], rationality), LADDER)
        np.testing.assert_array_equal(scores, S * A - S)


def test_rank_growth_is_what_the_set_then_loses():
    ident = seen(LADDER[:2])
    scores = design.RankGrowth().score(ident, LADDER)
    lost = [ident.dimension - seen([*LADDER[:2], env]).dimension for env in LADDER]
    np.testing.assert_array_equal(scores, lost)


def test_second_angle_is_the_chord_of_the_angle_between_two_shaping_subspaces():
    angles = [np.sort(subspace_angles(LADDER[0].shaping.toarray(), env.shaping.toarray()))[1] for env in LADDER]
    scores = design.SecondAngle().score(seen(LADDER[:1]), LADDER)
    np.testing.assert_allclose(scores, 2 * np.sin(np.array(angles) / 2), atol=1e-7)
    assert scores.max() > 0.1


def test_second_angle_falls_with_the_mixture_of_schlaginhaufen_and_kamgarpour():
    """Their example: the rank stays full for every weight of the mixture, the angle goes to 0 with it."""
    n_states, n_actions = 18, 5
    one, other = (random_environment(seed, n_states, n_actions) for seed in (0, 1))
    weights = [1.0, 0.1, 0.01, 0.001]
    mixed = [ii.Environment((1 - w) * one.dense() + w * other.dense(), 0.9) for w in weights]
    family = ii.rewards.StateActionRewards(n_states, n_actions)
    ident = seen([one], theta=np.random.default_rng(0).uniform(-1, 1, n_states * n_actions), family=family)
    np.testing.assert_array_equal(design.RankGrowth().score(ident, mixed), n_states - 1)
    scores = design.SecondAngle().score(ident, mixed)
    assert 0.05 < scores[0] < 0.2
    np.testing.assert_allclose(scores[2:] / scores[2], [1, 0.1], rtol=0.1)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=4, unique=True), st.sampled_from([0.3, 0.9]))
def test_openness_is_an_eigenvalue_and_never_falls(seeds, discount):
    envs = [random_environment(seed, 4, 2, discount) for seed in seeds]
    total, last = np.zeros((8, 8)), 0.0
    for count, env in enumerate(envs, 1):
        basis = orth(env.shaping.toarray())
        total += np.eye(8) - basis @ basis.T
        value = openness(envs[:count])
        if count > 1:
            np.testing.assert_allclose(value, np.sqrt(2 * np.linalg.eigvalsh(total)[1]), atol=1e-7)
        assert value >= last - 1e-9
        last = value
        np.testing.assert_allclose(openness([*envs[:count], env]), value, atol=1e-12)


def test_second_angle_of_a_third_environment_is_never_below_that_of_two():
    scores = design.SecondAngle().score(seen([LADDER[0], LADDER[2]]), LADDER)
    expected = [openness([LADDER[0], LADDER[2], env]) for env in LADDER]
    np.testing.assert_allclose(scores, expected, atol=1e-7)
    np.testing.assert_allclose(scores[[0, 2]], openness([LADDER[0], LADDER[2]]), atol=1e-7)
    assert scores.min() >= scores[0] - 1e-7
    assert scores[5] > 2 * scores[0]


def test_second_angle_before_any_evidence_is_that_of_the_best_partner():
    scores = design.SecondAngle().score(seen([]), LADDER)
    pairs = np.array([[openness([one, other]) for one in LADDER] for other in LADDER])
    np.testing.assert_allclose(scores, pairs.max(axis=1), rtol=1e-9)


def paths(env, policy, horizon):
    """All paths of choices with their probabilities, ended on entering an absorbing state."""
    table = env.dense()
    for actions in product(range(env.n_actions), repeat=horizon):
        for states in product(range(env.n_states), repeat=horizon):
            probability, path = env.initial[states[0]], []
            for t, (s, a) in enumerate(zip(states, actions, strict=True)):
                if env.absorbing[s]:
                    probability *= float(states[t:] == (s,) * (horizon - t)) * float(set(actions[t:]) == {0})
                    break
                path.append((s, a))
                probability *= policy[s, a] * (table[s, a, states[t + 1]] if t + 1 < horizon else 1.0)
            yield probability, path


def ending(discount=0.9):
    table = random_environment(4, 3, 2).dense()
    table[2] = 0
    table[2, :, 2] = 1
    return ii.Environment(table, discount, [0.5, 0.3, 0.2])


@pytest.mark.parametrize("env", [random_environment(3, 3, 2), ending()])
def test_visits_of_episodes_are_those_of_enumerated_paths(env):
    policy = np.random.default_rng(5).dirichlet(np.ones(2), size=3)
    visits, total = np.zeros(3), 0.0
    for probability, path in paths(env, policy, 3):
        total += probability
        for s, _ in path:
            visits[s] += probability
    np.testing.assert_allclose(total, 1, atol=1e-12)
    np.testing.assert_allclose(expected_visits(env, policy, 3), visits, atol=1e-12)


def test_visits_of_one_choice_are_a_geometric_mixture_of_times():
    env, policy = ending(0.5), np.full((3, 2), 0.5)
    steps = [expected_visits(env, policy, h) for h in range(1, 50)]
    at_time = np.diff(np.array([np.zeros(3), *steps]), axis=0)
    mixture = (0.5 ** np.arange(49)[:, None] * at_time).sum(axis=0)
    np.testing.assert_allclose(expected_visits(env, policy), mixture / mixture.sum(), atol=1e-12)


def test_information_is_the_curvature_of_the_divergence_between_episodes():
    """KL(theta, theta + h v) / (h^2 / 2) -> v F v, with the divergence summed over all paths."""
    env, family, theta, b = ending(), ii.rewards.StateRewards(3), np.array([0.4, -0.3, 0.8]), 0.6
    ident = ii.identify([(env, SoftOptimal(family, theta, temperature=b).policy(env))], family, "soft", temperature=b)
    strategy = design.FisherD(horizon=3, count=7)
    center = ident.center()
    base = planning.soft(env, family.reward(env, center), b).log_policy
    for direction in np.random.default_rng(6).normal(size=(3, 3)):
        h = 1e-3
        other = planning.soft(env, family.reward(env, center + h * direction), b).log_policy
        divergence = sum(p * sum(base[s, a] - other[s, a] for s, a in path) for p, path in paths(env, np.exp(base), 3))
        curvature = direction @ strategy.information(ident, env) @ direction
        np.testing.assert_allclose(7 * 2 * divergence / h**2, curvature, rtol=5e-3)


def switching(pay):
    """Two states, each action leads to the other one; the second action pays ``pay`` in the only feature."""
    swap = np.roll(np.eye(2), 1, axis=1)
    features = np.zeros((2, 2, 2))
    features[:, 1, 0], features[:, :, 1] = pay, 1.0
    return ii.Environment([swap, swap], 0.9), ii.rewards.LinearRewards(features)


@pytest.mark.parametrize("count", [1, 50])
def test_criteria_of_a_logistic_choice_are_closed_forms(count):
    """theta = (x, c): choices are logistic in x; n of them have information n p (1 - p) / b^2, c is never told."""
    env, family = switching(1.0)
    ident = ii.identified.anything(family, "soft", temperature=0.5)
    told, prior = count * 0.25 / 0.25, 2.0
    expected = [np.log2(1 + told / prior) / 2, 1 / prior - 1 / (prior + told), prior + told]
    scores = [kind(count=count, precision=prior).score(ident, [env])[0] for kind in CRITERIA]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    per_episode = design.FisherD(horizon=count, count=1, precision=prior).score(ident, [env])[0]
    np.testing.assert_allclose(per_episode, expected[0], rtol=1e-9)


def test_choices_counted_so_far_add_up():
    env, family = switching(1.0)
    counts = ii.evidence.Counts([[6, 2], [6, 2]])
    ident = ii.identify([(env, counts)], family, "soft")
    p = 1 / 4
    known, more = 1 + 16 * p * (1 - p), 10 * p * (1 - p)
    expected = [np.log2(1 + more / known) / 2, 1 / known - 1 / (known + more), known + more]
    scores = [kind(count=10).score(ident, [env])[0] for kind in CRITERIA]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_criteria_agree_with_their_definitions_on_open_directions():
    """After one whole policy: the covariance of a normal prior on what is open, updated by each candidate."""
    ident = seen(LADDER[:1])
    each = [design.FisherD(horizon=20).information(ident, env) for env in LADDER]
    silent = orth(LADDER[0].shaping.toarray())
    told = orth(silent.T @ sum(each) @ silent, rcond=1e-9)
    assert told.shape[1] == S - 1
    u = silent @ told
    spectra = [np.linalg.eigvalsh(u.T @ information @ u) for information in each]
    strategies = [kind(horizon=20).score(ident, LADDER) for kind in CRITERIA]
    np.testing.assert_allclose(strategies[0], [np.log2(1 + v).sum() / 2 for v in spectra], atol=1e-6)
    np.testing.assert_allclose(strategies[1], [(1 - 1 / (1 + v)).sum() for v in spectra], atol=1e-6)
    np.testing.assert_allclose(strategies[2], [1 + v[0] for v in spectra], atol=1e-6)
    np.testing.assert_allclose(strategies[0][0], 0, atol=1e-9)


def test_nothing_is_left_to_tell_once_the_objective_is_identified():
    ident = seen([LADDER[0], LADDER[5]])
    assert ident.dimension == 0
    for kind in CRITERIA:
        np.testing.assert_array_equal(kind().score(ident, LADDER), 0)
    np.testing.assert_array_equal(design.RankGrowth().score(ident, LADDER), 0)


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=3))
@settings(max_examples=4)
@pytest.mark.parametrize("strategy", [*(kind() for kind in CRITERIA), design.RankGrowth()], ids=repr)
def test_order_and_repetition_of_candidates_do_not_matter(strategy, order, repeated):
    ident = seen(LADDER[:1])
    places = [*order, *repeated]
    again = strategy.score(ident, [LADDER[p] for p in places])
    np.testing.assert_allclose(again, strategy.score(ident, LADDER)[places], atol=1e-8)


@pytest.mark.parametrize("kind", CRITERIA)
def test_fisher_information_of_optimal_agents_is_refused_by_name(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}: .*rationality 'optimal'.*should be 'soft'"):
        kind().score(seen(LADDER[:1], "optimal"), LADDER)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design.FisherD(horizon=0), "horizon: was 0"),
        (lambda: design.FisherA(count=0), "count: was 0"),
        (lambda: design.FisherE(precision=0.0), "precision: was 0.0"),
        (lambda: design.RankGrowth().score(seen([]), []), "candidates: is empty"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
