"""Learners whose memory is a belief."""

import numpy as np
import pytest

import irl_ident as ii
from environments import bandit_tasks
from environments.token_bandits import Beliefs, Cue, thompson
from irl_ident import planning
from irl_ident.agents.believers import Believer
from irl_ident.agents.learners import play

BELIEFS = Beliefs(pulls=6)
WORTH = np.array([1.0, 0.4, 0.0])


def learner(policy, beliefs=BELIEFS):
    return Believer(policy, beliefs.following, np.array([beliefs.first(cue) for cue in range(beliefs.cues)]))


@pytest.mark.parametrize("kind", ["optimal", "short-sighted", "thompson"])
def test_what_they_gain_over_simulated_tasks_is_what_their_policies_are_worth(kind):
    env, family = BELIEFS.environment(), BELIEFS.family()
    policies = {
        "optimal": ii.agents.Optimal(family, WORTH[:2]).policy(env),
        "short-sighted": ii.agents.ShortSighted(family, WORTH[:2], 1).policy(env),
        "thompson": thompson(BELIEFS, WORTH),
    }
    tasks = bandit_tasks.tokens(40_000, np.random.default_rng(0))
    gained = WORTH[play(learner(policies[kind]), tasks, 6, 1).outcomes].sum(axis=1)
    expected = planning.evaluate(env, family.reward(env, WORTH[:2]), policies[kind])[0]
    assert abs(gained.mean() - expected) < 4 * gained.std() / np.sqrt(len(gained))
    best = planning.optimal(env, family.reward(env, WORTH[:2])).values[0]
    assert expected <= best + 1e-12
    assert (kind == "optimal") == (expected > best - 1e-9)


def test_with_a_cue_they_begin_where_it_says():
    cued = Beliefs(pulls=4, cue=Cue(0.9, tuple(WORTH)))
    env, family = cued.environment(), cued.family()
    theta = [*WORTH[:2], 0.0]
    policy = ii.agents.Optimal(family, theta).policy(env)
    tasks = bandit_tasks.cued(40_000, WORTH, 0.9, np.random.default_rng(0))
    histories = play(learner(policy, cued), tasks, 4, 1)
    np.testing.assert_array_equal(histories.actions[:, 0], tasks.cues)
    gained = WORTH[histories.outcomes].sum(axis=1)
    expected = env.initial @ planning.optimal(env, family.reward(env, theta)).values
    assert abs(gained.mean() - expected) < 4 * gained.std() / np.sqrt(len(gained))
    states = cued.states(histories.actions, histories.outcomes, histories.observations[:, 0])
    assert (policy[states, histories.actions] > 0).all()


def test_memories_are_left_as_they_are():
    one = learner(thompson(BELIEFS, WORTH))
    before = one.begin(3, np.random.default_rng(0))
    now = np.zeros(3, dtype=int)
    kept = before.copy()
    after = one.updated(before, now, np.array([0, 1, 1]), np.array([2, 0, 1]), now)
    np.testing.assert_array_equal(before, kept)
    np.testing.assert_array_equal(after, BELIEFS.following[0, [0, 1, 1], [2, 0, 1]])
    np.testing.assert_allclose(one.probabilities(after, now).sum(axis=1), 1)


def test_errors_name_what_is_wrong():
    policy = thompson(BELIEFS, WORTH)
    with pytest.raises(ValueError, match="policy, following: should have shapes"):
        Believer(policy[:-1], BELIEFS.following, np.zeros(1, dtype=int))
    with pytest.raises(ValueError, match="policy: rows should be probabilities"):
        Believer(2 * policy, BELIEFS.following, np.zeros(1, dtype=int))
    with pytest.raises(ValueError, match="following, first: should be beliefs"):
        Believer(policy, BELIEFS.following, np.array([len(policy)]))
