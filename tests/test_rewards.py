"""Reward families: their matrices against the formulas, and what they call ambiguous against brute force."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg
from worlds import brute_policy

from irl_ident import Environment, rewards
from irl_ident.builders import random_environment
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards, TransitionRewards

S, A = 3, 2


def spanned(seed=0, *, constants=True, silent=True):
    """Features whose span holds the constants, or which cancel in one direction."""
    one, two = np.random.default_rng(seed).normal(size=(2, S, A))
    columns = [one, two] + ([1 - one] if constants else []) + ([one + two] if silent else [])
    return np.stack(columns, axis=2)


FAMILIES = {
    "state": StateRewards(S),
    "state-action": StateActionRewards(S, A),
    "transition": TransitionRewards(S, A),
    "features": LinearRewards(spanned(constants=False, silent=False)),
    "features with constants": LinearRewards(spanned(silent=False)),
    "features that cancel": LinearRewards(spanned(constants=False)),
    "features with both": LinearRewards(spanned()),
}
KINDS = {
    "state": {"constant": 1},
    "state-action": {"constant": 1},
    "transition": {"constant": 1, "shaping": S - 1},
    "features": {},
    "features with constants": {"constant": 1},
    "features that cancel": {"redistribution": 1},
    "features with both": {"constant": 1, "redistribution": 1},
}


def by_formula(family, env, theta):
    """The reward, one state-action pair after the other."""
    found = np.zeros((env.n_states, env.n_actions))
    table = env.dense()
    for s in range(env.n_states):
        for a in range(env.n_actions):
            match family:
                case StateRewards():
                    found[s, a] = theta[s]
                case StateActionRewards():
                    found[s, a] = theta[s * env.n_actions + a]
                case LinearRewards():
                    found[s, a] = sum(family.features[s, a, j] * theta[j] for j in range(family.dim))
                case TransitionRewards():
                    first = (s * env.n_actions + a) * env.n_states
                    found[s, a] = sum(table[s, a, n] * theta[first + n] for n in range(env.n_states))
    return found


@pytest.mark.parametrize("successors", [None, 2])
@pytest.mark.parametrize("name", FAMILIES)
def test_rewards_are_the_formula(name, successors):
    family, env = FAMILIES[name], random_environment(S, A, 0.9, seed=3, successors=successors)
    theta = np.random.default_rng(1).normal(size=family.dim)
    expected = by_formula(family, env, theta)
    np.testing.assert_allclose(family.reward(env, theta), expected, rtol=0, atol=1e-14)
    matrix = family.matrix(env)
    assert matrix.shape == (S * A, family.dim)
    np.testing.assert_allclose(matrix @ theta, expected.ravel(), rtol=0, atol=1e-14)
    assert len(set(family.parameters)) == len(family.parameters) == family.dim


def test_parameters_are_named_for_what_they_pay():
    named = TransitionRewards(S, A)
    theta = np.zeros(named.dim)
    theta[named.parameters.index("R(s1, a0, s2)")] = 1
    env = random_environment(S, A, 0.9, seed=0)
    expected = np.zeros((S, A))
    expected[1, 0] = env.dense()[1, 0, 2]
    np.testing.assert_array_equal(named.reward(env, theta), expected)
    assert LinearRewards(spanned(), names=["one", "two", "three", "four"]).parameters == ("one", "two", "three", "four")
    assert LinearRewards(spanned()).parameters == ("feature 0", "feature 1", "feature 2", "feature 3")


@pytest.mark.parametrize("name", FAMILIES)
def test_names_in_environments_are_the_numbers_with_their_names_put_in(name):
    family, env = FAMILIES[name], random_environment(S, A, 0.9, seed=0)
    states, actions = ["field", "roof", "lake"], ["go", "stay"]
    own = {f"s{i}": state for i, state in enumerate(states)} | {f"a{i}": action for i, action in enumerate(actions)}
    named = Environment(env.transitions, 0.9, states=states, actions=actions)
    expected = tuple(re.sub(r"\b[sa]\d\b", lambda found: own[found[0]], each) for each in family.parameters)
    assert family.named_in([named, named]) == expected
    assert family.named_in([env]) == family.named_in([named, env]) == family.named_in([]) == family.parameters


@pytest.mark.parametrize("name", FAMILIES)
def test_the_kinds_that_a_family_has(name):
    found = FAMILIES[name].representational([0.9, 0.9])
    assert {kind: basis.shape for kind, basis in found.items()} == {
        kind: (FAMILIES[name].dim, count) for kind, count in KINDS[name].items()
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_with_discount_one_constants_are_a_price_for_time(name):
    family = FAMILIES[name]
    for discounts in ([1.0], [0.9, 1.0]):
        found = family.representational(discounts)
        assert set(found) == set(KINDS[name]) - {"constant", "shaping"}


def test_with_discount_one_a_constant_changes_the_plan():
    """From s0 the end lies one step away or, for a reward of 1 more, two."""
    rows = np.eye(3)[[[2, 1], [2, 2], [2, 2]]]
    env = Environment(rows, 1)
    reward = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    for constant, best in ((0.0, 1), (-2.0, 0)):
        values = np.zeros(3)
        for _ in range(3):
            q = reward + constant + env.backup(values)
            values = q.max(axis=1)
        assert q[0].argmax() == best


def soft_policy(env, reward):
    """By plain iteration, 600 steps: at discount 0.9 an error of 1e-27 of the first step's."""
    values, table = np.zeros(env.n_states), env.dense()
    for _ in range(600):
        q = reward + env.discount * table @ values
        values = np.logaddexp.reduce(q, axis=1)
    return np.exp(q - values[:, None])


@pytest.mark.parametrize("name", FAMILIES)
@given(seed=st.integers(0, 10**6), discount=st.sampled_from([0.0, 0.5, 0.9]))
def test_representational_directions_change_no_behaviour(name, seed, discount):
    family, rng = FAMILIES[name], np.random.default_rng(seed)
    env = random_environment(S, A, discount, seed, successors=int(rng.integers(1, S + 1)))
    theta = rng.normal(size=family.dim)
    reward = family.reward(env, theta)
    for basis in family.representational([discount]).values():
        moved = family.reward(env, theta + basis @ rng.normal(size=basis.shape[1]))
        np.testing.assert_allclose(soft_policy(env, moved), soft_policy(env, reward), rtol=0, atol=1e-10)
        np.testing.assert_array_equal(brute_policy(env, moved), brute_policy(env, reward))


def left_open(family, environments):
    """Directions of theta that all soft policies leave open: one potential an environment explains them (n, d)."""
    stacked = np.zeros((len(environments) * S * A, family.dim + len(environments) * S))
    for i, env in enumerate(environments):
        rows = slice(i * S * A, (i + 1) * S * A)
        stacked[rows, : family.dim] = family.matrix(env).toarray()
        stacked[rows, family.dim + i * S : family.dim + (i + 1) * S] = env.shaping.toarray()
    return linalg.null_space(stacked, rcond=1e-9)[: family.dim]


@pytest.mark.parametrize("discounts", [[0.9], [0.5], [0.5, 0.9]])
@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_else_is_open_in_all_environments(name, discounts):
    """Sixteen random environments leave open exactly the span of what is listed, and the list has no repetition."""
    family = FAMILIES[name]
    environments = [random_environment(S, A, discounts[i % len(discounts)], seed=i) for i in range(16)]
    listed = np.column_stack([np.zeros((family.dim, 0)), *family.representational(discounts).values()])
    found = left_open(family, environments)
    dimension = np.linalg.matrix_rank(found, tol=1e-9) if found.size else 0
    assert dimension == listed.shape[1]
    if dimension:
        together = np.linalg.svd(np.column_stack([listed, found]), compute_uv=False)
        assert (together > 1e-9 * together[0]).sum() == np.linalg.matrix_rank(listed) == dimension


def test_potentials_of_different_discounts_are_no_ambiguity_of_the_family():
    assert set(TransitionRewards(S, A).representational([0.5, 0.9])) == {"constant"}
    assert set(TransitionRewards(1, A).representational([0.5])) == {"constant"}


def test_what_features_span_is_told_at_every_scale():
    for scale in (1e-6, 1.0, 1e6):
        family = LinearRewards(scale * spanned())
        found = family.representational([0.9])
        env = random_environment(S, A, 0.9, seed=0)
        np.testing.assert_allclose(family.matrix(env) @ found["constant"], 1, rtol=0, atol=1e-9)
        np.testing.assert_allclose(family.matrix(env) @ found["redistribution"], 0, rtol=0, atol=1e-9 * scale)


def test_constants_that_features_span_by_rounding_alone_are_not_listed():
    """Two features that differ by 1e-13: a direction that cancels, not one that pays 1e13 times a rounding error."""
    one = np.random.default_rng(0).normal(size=(S, A))
    assert set(LinearRewards(np.stack([one, one + 1e-13], axis=2)).representational([0.9])) == {"redistribution"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StateRewards(0), "n_states: was 0, should be a whole number of at least 1"),
        (lambda: StateRewards(2.5), "n_states: was 2.5"),
        (lambda: StateRewards(np.nan), "n_states: was nan"),
        (lambda: StateRewards(None), "n_states: was None"),
        (lambda: StateActionRewards(2, -1), "n_actions: was -1"),
        (lambda: TransitionRewards(2, "two"), "n_actions: was 'two'"),
        (lambda: LinearRewards(np.zeros((2, 2))), r"features: should have shape \(S, A, d\), was \(2, 2\)"),
        (lambda: LinearRewards(np.zeros((2, 2, 0))), r"features: should have shape \(S, A, d\), was \(2, 2, 0\)"),
        (lambda: LinearRewards(np.full((1, 2, 1), np.nan)), r"features\[0, 0, 0\] is nan: should be finite"),
        (lambda: LinearRewards(np.zeros((1, 1, 1), dtype=complex)), "features: should hold real numbers"),
        (lambda: LinearRewards(np.zeros((1, 1, 2)), names=["one"]), "names: 1 names were given for 2 features"),
    ],
)
def test_faulty_families_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (StateRewards(4), "StateRewards: is for 4 states, the environment has 3"),
        (StateActionRewards(3, 3), "StateActionRewards: is for 3 actions, the environment has 2"),
        (TransitionRewards(2, 2), "TransitionRewards: is for 2 states"),
        (LinearRewards(np.ones((3, 1, 1))), "LinearRewards: is for 1 actions"),
    ],
)
def test_families_are_for_environments_of_their_size(family, message):
    with pytest.raises(ValueError, match=message):
        family.reward(random_environment(S, A, 0.9, seed=0), np.zeros(family.dim))


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.zeros(4), r"theta: should have shape \(3,\), was \(4,\)"),
        (np.zeros((3, 1)), r"theta: should have shape \(3,\), was \(3, 1\)"),
        ([0.0, np.inf, 0.0], r"theta\[1\] is inf: should be finite"),
        ([0.0, 0.0, 1j], "theta: should hold real numbers"),
        ("abc", "theta: should hold real numbers"),
    ],
)
def test_faulty_parameters_are_refused(theta, message):
    with pytest.raises(ValueError, match=message):
        StateRewards(3).reward(random_environment(S, A, 0.9, seed=0), theta)


def test_features_are_kept_as_they_were():
    given_features = spanned()
    family = LinearRewards(given_features)
    given_features[:] = 0
    np.testing.assert_array_equal(family.features, spanned())
    with pytest.raises(ValueError, match="read-only"):
        family.features[0, 0, 0] = 1
    assert rewards.LinearRewards(spanned().astype(np.float32)).features.dtype == np.float64
