"""Token bandits: beliefs against all histories one by one, closed forms, and what a cue tells against simulation."""

from itertools import product
from math import comb

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import irl_ident as ii
from environments import bandit_tasks
from environments.token_bandits import Beliefs, Cue, better_arm, picture, ranked, thompson
from irl_ident import planning

SMALL = Beliefs(pulls=3)
UNEVEN = Beliefs(prior=((1.0, 2.0, 0.5), (0.3, 1.0, 4.0)), pulls=3)


def sequence_probability(prior, history):
    """Of the tokens given the arms: Dirichlet-multinomial, by gamma functions (the product of both arms')."""
    total = 0.0
    for arm, alpha in enumerate(np.array(prior)):
        counts = np.bincount([token for a, token in history if a == arm], minlength=len(alpha))
        total += special.gammaln(alpha.sum()) - special.gammaln(alpha.sum() + counts.sum())
        total += (special.gammaln(alpha + counts) - special.gammaln(alpha)).sum()
    return np.exp(total)


def best_return(prior, pulls, worth, history=()):
    """Optimal expected return from the probabilities of whole histories, without counts."""
    if len(history) == pulls:
        return 0.0
    here = sequence_probability(prior, history)
    arms = []
    for arm in range(len(prior)):
        chances = [sequence_probability(prior, (*history, (arm, o))) / here for o in range(len(worth))]
        later = [best_return(prior, pulls, worth, (*history, (arm, o))) for o in range(len(worth))]
        arms.append(sum(p * (w + v) for p, w, v in zip(chances, worth, later, strict=True)))
    return max(arms)


def optimal_value(beliefs, theta):
    env = beliefs.environment()
    return planning.optimal(env, beliefs.family().reward(env, theta)).values[beliefs.first()]


def test_there_are_as_many_beliefs_as_brute_force_counts():
    for pulls in (1, 2, 3):
        histories = {
            tuple(np.bincount(steps, minlength=6))
            for length in range(pulls)
            for steps in product(range(6), repeat=length)
        }
        assert {tuple(row) for row in Beliefs(pulls=pulls).counts.reshape(-1, 6).tolist()} == histories
    assert len(Beliefs().counts) == comb(15, 6) == 5005
    assert len(ranked(6, 10)) == comb(16, 6)


@pytest.mark.parametrize("beliefs", [SMALL, UNEVEN])
def test_a_history_is_as_likely_as_its_steps(beliefs):
    for history in product(product(range(2), range(3)), repeat=3):
        actions, shown = (np.array([column]) for column in zip(*history, strict=True))
        states = beliefs.states(actions, shown)[0]
        steps = beliefs.predicted[states, actions[0], shown[0]]
        np.testing.assert_allclose(steps.prod(), sequence_probability(beliefs.prior, history), rtol=1e-12)


@pytest.mark.parametrize("beliefs", [Beliefs(pulls=1), Beliefs(pulls=2), SMALL, UNEVEN])
@pytest.mark.parametrize("theta", [0.0, 0.37, 1.0, 1.4])
def test_plans_are_the_best_of_all_that_depend_on_history(beliefs, theta):
    brute = best_return(beliefs.prior, beliefs.pulls, (1.0, theta, 0.0))
    np.testing.assert_allclose(optimal_value(beliefs, [1, theta]), brute, rtol=1e-12)


def test_closed_forms():
    np.testing.assert_allclose(optimal_value(Beliefs(pulls=1), [1, 0.3]), 1.3 / 3)
    coin = ((1.0, 1.0), (1.0, 1.0))
    np.testing.assert_allclose(optimal_value(Beliefs(coin, 2), [1]), 13 / 12)
    for theta, prior in ((0.0, (1.0, 2.0)), (1.0, (2.0, 1.0))):
        merged = Beliefs((prior, prior), 6)
        np.testing.assert_allclose(optimal_value(Beliefs(pulls=6), [1, theta]), optimal_value(merged, [1]), rtol=1e-12)
    same = Beliefs(pulls=6).environment()
    alike = Beliefs(pulls=6).family().reward(same, [1, 1]) + Beliefs(pulls=6).predicted[:, :, 2]
    np.testing.assert_allclose(planning.optimal(same, alike).values[0], 6)


def beta_above(a, b, c, d):
    """``P(Beta(a, b) > Beta(c, d))`` for whole a (Cook 2003)."""
    i = np.arange(a)
    logs = special.betaln(c + i, b + d) - np.log(b + i) - special.betaln(1 + i, b) - special.betaln(c, d)
    return np.exp(logs).sum()


@given(st.lists(st.integers(1, 6), min_size=4, max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_better_of_two_coins(numbers):
    a, b, c, d = numbers
    np.testing.assert_allclose(better_arm([[a, b], [c, d]], [1, 0]), beta_above(a, b, c, d), rtol=1e-10)
    split = [[a, b, 2], [c, d, 1]]
    np.testing.assert_allclose(better_arm(split, [1, 0, 0]), beta_above(a, b + 2, c, d + 1), rtol=1e-10)
    np.testing.assert_allclose(better_arm(split, [1, 1, 0]), beta_above(a + b, 2, c + d, 1), rtol=1e-10)


@given(
    st.lists(st.integers(1, 5), min_size=6, max_size=6),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda w: np.ptp(w) > 0.05),
)
@settings(max_examples=40, deadline=None)
def test_the_better_arm_is_a_martingale_and_exchanging_arms_exchanges_it(numbers, worth):
    alpha = np.reshape(numbers, (2, 3))
    found = better_arm(alpha, worth)
    np.testing.assert_allclose(found + better_arm(alpha[::-1], worth), 1, atol=1e-9)
    for arm in range(2):
        steps = np.zeros((3, 2, 3), dtype=int)
        steps[np.arange(3), arm, np.arange(3)] = 1
        np.testing.assert_allclose(alpha[arm] / alpha[arm].sum() @ better_arm(alpha + steps, worth), found, atol=1e-9)


def test_the_better_arm_by_simulation():
    rng, draws = np.random.default_rng(0), 200_000
    for alpha in ([[2, 3, 1], [1, 1, 1]], [[1, 4, 2], [5, 2, 1]]):
        first, second = (rng.dirichlet(row, draws) @ [1, 0.4, 0] for row in alpha)
        exact = float(better_arm(alpha, [1, 0.4, 0]))
        assert abs((first > second).mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / draws)


def test_what_a_cue_tells_is_what_simulated_tasks_show():
    worth, draws = np.array([1.0, 0.4, 0.0]), 200_000
    cued = Beliefs(pulls=3, cue=Cue(0.8, tuple(worth)))
    tasks = bandit_tasks.cued(draws, worth, 0.8, np.random.default_rng(1))
    shown, _ = tasks.step(tasks.begin(np.random.default_rng(2)), np.zeros(draws, dtype=int), np.random.default_rng(2))
    again, _ = tasks.step(tasks.begin(np.random.default_rng(3)), np.ones(draws, dtype=int), np.random.default_rng(3))
    for cue in range(2):
        first = cued.predicted[cued.first(cue), 0]
        for token in range(3):
            here = tasks.cues == cue
            share = (shown[here] == token).mean()
            assert abs(share - first[token]) < 4 * np.sqrt(first[token] * (1 - first[token]) / here.sum())
            later = cued.predicted[cued.following[cued.first(cue), 0, token], 1]
            both = here & (shown == token)
            share = (again[both] == 0).mean()
            assert abs(share - later[0]) < 4 * np.sqrt(later[0] * (1 - later[0]) / both.sum())


def test_a_cue_that_says_nothing_changes_nothing_and_cues_mirror_each_other():
    plain, cued = Beliefs(pulls=4), Beliefs(pulls=4, cue=Cue(0.5, (1.0, 0.4, 0.0)))
    half = len(plain.counts)
    np.testing.assert_allclose(cued.predicted[:half], plain.predicted[:half], atol=1e-12)
    telling = Beliefs(pulls=4, cue=Cue(0.9, (1.0, 0.4, 0.0)))
    mirrored = telling.place(telling.counts[:, ::-1])
    np.testing.assert_allclose(
        telling.predicted[half : 2 * half], telling.predicted[:half][mirrored][:, ::-1], atol=1e-9
    )
    opposite = Beliefs(pulls=4, cue=Cue(0.1, (1.0, 0.4, 0.0)))
    np.testing.assert_allclose(opposite.predicted[:half], telling.predicted[half : 2 * half], atol=1e-9)
    np.testing.assert_allclose(telling.predicted[:-1].sum(axis=2), 1, atol=1e-9)


def test_a_surer_cue_is_worth_more_and_following_it_may_be_paid():
    theta = [1, 0.4]
    values = [optimal_value(Beliefs(pulls=4, cue=Cue(rho, (1.0, 0.4, 0.0))), [*theta, 0]) for rho in (0.5, 0.7, 0.9, 1)]
    np.testing.assert_allclose(values[0], optimal_value(Beliefs(pulls=4), theta))
    assert (np.diff(values) > 0.01).all()
    blind = Beliefs(pulls=4, cue=Cue(0.5, (1.0, 0.4, 0.0)))
    env = blind.environment()
    devoted = ii.agents.Optimal(blind.family(), [*theta, 10]).policy(env)
    np.testing.assert_array_equal(devoted[:-1], blind.marked[:-1].astype(float))
    np.testing.assert_allclose(optimal_value(blind, [*theta, 10]), 4 * (1.4 / 3 + 10))


def test_thompson_samples_the_better_arm():
    worth, rng = np.array([1.0, 0.3, 0.0]), np.random.default_rng(0)
    policy = thompson(SMALL, worth)
    assert policy.shape == (SMALL.over + 1, 2)
    for state in (0, 5, 17, 27):
        alpha = SMALL.counts[state] + 1
        sampled = np.stack([rng.dirichlet(row, 40_000) @ worth for row in alpha]).argmax(axis=0)
        assert abs((sampled == 0).mean() - policy[state, 0]) < 4 * np.sqrt(0.25 / 40_000)
    with pytest.raises(ValueError, match="beliefs: should be without a cue"):
        thompson(Beliefs(cue=Cue(0.9, (1, 0, 0))), worth)


def test_it_is_a_world_of_gymnasium():
    for beliefs in (SMALL, Beliefs(pulls=2, cue=Cue(0.9, (1.0, 0.4, 0.0)))):
        env = beliefs.environment()
        check_env(env.to_gymnasium(beliefs.family().reward(env, np.ones(beliefs.family().dim))).unwrapped)
        assert env.absorbing.nonzero()[0].tolist() == [beliefs.over]
        assert len(set(env.states)) == env.n_states


def test_names_and_pictures():
    cued = Beliefs(pulls=3, cue=Cue(0.9, (1.0, 0.4, 0.0)))
    state = cued.states([[1, 0, 0]], [[2, 0, 0]], [1])[0, 2]
    assert picture(cued, int(state)) == "arm 0  0\narm 1* 2\n1 pull left"
    assert cued.environment().states[state] == "cue 1: 100 001"
    assert picture(cued, cued.over) == "over"
    assert picture(SMALL, 0) == "arm 0\narm 1\n3 pulls left"
    assert cued.family().parameters == ("token 0", "token 1", "following the cue")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Beliefs(prior=((1.0, 1.0),)), "prior: should have at least two arms"),
        (lambda: Beliefs(prior=((1.0, 0.0), (1.0, 1.0))), "prior: should be finite and above 0"),
        (lambda: Beliefs(pulls=0), "pulls: was 0"),
        (lambda: Cue(1.2, (1.0, 0.0)), "reliability: was 1.2"),
        (lambda: Beliefs(cue=Cue(0.9, (1.0, 0.0))), "cue: names the worth of 2 tokens"),
        (lambda: SMALL.states([[0, 1]], [[0]]), "actions, tokens: should have the same shape"),
        (lambda: SMALL.place(np.full((2, 3), 2)), "counts: should be at least 0 and sum to at most 3"),
        (lambda: better_arm([[1.5, 1], [1, 1]], [1, 0]), "alpha: should be whole numbers"),
        (lambda: better_arm([[1, 1], [1, 1]], [1, 1]), "worth: should be 2 numbers that are not all the same"),
    ],
)
def test_errors_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()
