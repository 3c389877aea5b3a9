"""Plans of all objectives on a line against planning one by one, and what choices say of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from environments.token_bandits import Beliefs
from irl_ident import planning
from irl_ident.identified.line import explaining, meeting
from irl_ident.planning.line import optimal_line


def acyclic(seed, layers=4, width=5, n_actions=3, discount=1.0):
    """States in layers, each leading to random states of the next; the last layer is absorbing."""
    rng = np.random.default_rng(seed)
    n_states = layers * width
    transitions = np.zeros((n_states, n_actions, n_states))
    for state in range(n_states - width):
        first = (state // width + 1) * width
        transitions[state, :, first : first + width] = rng.dirichlet(np.full(width, 0.5), n_actions)
    transitions[np.arange(n_states - width, n_states), :, np.arange(n_states - width, n_states)] = 1
    return ii.Environment(transitions, discount), *rng.normal(size=(2, n_states, n_actions))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.7, 1.0]), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_values_and_optimal_actions_are_those_of_planning_each(seed, discount, n_actions):
    env, base, direction = acyclic(seed, n_actions=n_actions, discount=discount)
    plan = optimal_line(env, base, direction, (-2.0, 3.0))
    x = np.linspace(-2, 3, 41)
    each = [planning.optimal(env, base + point * direction) for point in x]
    np.testing.assert_allclose(plan.values(x), np.stack([one.values for one in each], axis=1), atol=1e-9)
    for state in range(env.n_states):
        ends, optimal = plan.switches[state].ends, plan.switches[state].optimal
        piece = np.clip(np.searchsorted(ends, x, side="right") - 1, 0, len(optimal) - 1)
        clear = np.abs(x[:, None] - ends).min(axis=1) > 1e-6
        found = np.stack([planning.optimal_actions(one.q)[state] for one in each])
        np.testing.assert_array_equal(found[clear], optimal[piece[clear]])


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_values_are_convex_and_pieces_meet(seed):
    env, base, direction = acyclic(seed)
    values = optimal_line(env, base, direction, (-1.0, 1.0)).values
    for state in range(env.n_states):
        real = values.start[state] < values.stop[state]
        start, a, b = values.start[state, real], values.a[state, real], values.b[state, real]
        assert (np.diff(b) > 0).all()
        np.testing.assert_allclose((a + b * start)[1:], (a[:-1] + b[:-1] * start[1:]), atol=1e-9)


def test_in_the_token_bandit_the_line_is_exact_at_five_thousand_states():
    beliefs = Beliefs()
    env, family = beliefs.environment(), beliefs.family()
    base, direction = family.reward(env, [1, 0]), family.reward(env, [0, 1])
    plan = optimal_line(env, base, direction, (-0.5, 1.5))
    x = np.array([-0.5, -0.123, 0.2, 0.5, 0.77, 1.0, 1.49])
    q = planning.optimal_batch(env, [base + point * direction for point in x])
    np.testing.assert_allclose(plan.values(x), q.max(axis=2).T, atol=1e-12)
    first = plan.values[:1]
    assert (first.start < first.stop).sum() > 400


def test_one_pull_switches_where_the_expected_tokens_do():
    """One pull left after tokens 1 and 0 from either arm: (2, 1, 1) against (1, 2, 1), the same at x = 1."""
    beliefs = Beliefs(pulls=3)
    env, family = beliefs.environment(), beliefs.family()
    plan = optimal_line(env, family.reward(env, [1, 0]), family.reward(env, [0, 1]), (-1.0, 2.0))
    state = int(beliefs.states([[0, 1, 0]], [[0, 1, 0]])[0, 2])
    np.testing.assert_allclose(plan.switches[state].ends, [-1, 1, 2])
    np.testing.assert_allclose(plan.switches[state].where(0), [[-1, 1]])
    np.testing.assert_allclose(plan.switches[state].where(1), [[1, 2]])
    np.testing.assert_allclose(plan.switches[0].where(0), [[-1, 2]])


def test_what_a_whole_policy_leaves_is_the_identified_set():
    """With everything seen the exact interval and the library's cone are the same set."""
    beliefs = Beliefs(pulls=3)
    env, family, theta = beliefs.environment(), beliefs.family(), 0.37
    plan = optimal_line(env, family.reward(env, [1, 0]), family.reward(env, [0, 1]), (-1.0, 2.0))
    policy = ii.agents.Optimal(family, [1, theta]).policy(env)
    policy[beliefs.over] = 0
    ((low, high),) = explaining(plan, *np.nonzero(policy))
    assert low < theta < high
    ident = ii.identify([(env, policy)], family)
    for inside, outside, direction in ((low + 1e-4, low - 1e-4, -1), (high - 1e-4, high + 1e-4, 1)):
        assert ident.contains([1, inside])
        assert not ident.contains([1, outside])
        assert ident.support(direction * np.array([-inside, 1]))[0] > 1e-6
        assert ident.support(direction * np.array([-outside, 1]))[0] < 1e-9


def test_choices_leave_what_planning_one_by_one_leaves():
    """In random environments, too, where what is left may come in several pieces."""
    beliefs = Beliefs(pulls=5)
    env, family = beliefs.environment(), beliefs.family()
    worlds = [(env, family.reward(env, [1, 0]), family.reward(env, [0, 1]))]
    worlds += [acyclic(seed, layers=5, n_actions=2) for seed in range(12)]
    grid = np.linspace(-2.9987, 2.9991, 600)
    rng = np.random.default_rng(0)
    pieces = []
    for env, base, direction in worlds:
        plan = optimal_line(env, base, direction, (-3.0, 3.0))
        best = planning.optimal_actions(planning.optimal_batch(env, [base + x * direction for x in grid]))
        for _ in range(10):
            states, actions = rng.integers(env.n_states - 5, size=2), rng.integers(2, size=2)
            kept = explaining(plan, states, actions)
            inside = ((grid[:, None] >= kept[:, 0]) & (grid[:, None] <= kept[:, 1])).any(axis=1)
            np.testing.assert_array_equal(inside, best[:, states, actions].all(axis=1))
            pieces.append(len(kept))
    assert {0, 1, 2} <= set(pieces)


def test_meeting_intervals():
    np.testing.assert_allclose(meeting([[0, 2], [3, 5]], [[1, 4]]), [[1, 2], [3, 4]])
    np.testing.assert_allclose(meeting([[0, 2]], [[2, 3]]), [[2, 2]])
    assert meeting([[0, 1]], [[2, 3]]).shape == (0, 2)


def test_errors_name_what_is_wrong():
    loop = ii.Environment(np.full((2, 1, 2), 0.5), 0.9)
    with pytest.raises(ValueError, match="env: transitions lead back"):
        optimal_line(loop, np.zeros((2, 1)), np.zeros((2, 1)), (0, 1))
    env, base, direction = acyclic(0)
    with pytest.raises(ValueError, match="interval: was"):
        optimal_line(env, base, direction, (1, 1))
    with pytest.raises(ValueError, match="states, actions: should be"):
        explaining(optimal_line(env, base, direction, (0, 1)), [0, 1], [0])
