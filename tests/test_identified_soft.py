"""The identified set of soft-optimal agents through the public names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_environment

import irl_ident as ii
from irl_ident import planning
from irl_ident.identified import ContradictoryEvidence
from irl_ident.identified.potentials import is_shaping
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards


def soft_evidence(seed, family, k, temperature=1.0, n_states=4, n_actions=3):
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(family.dim)
    environments = [random_environment(100 * seed + i, n_states, n_actions) for i in range(k)]
    policies = [planning.soft(env, family.reward(env, theta), temperature).policy for env in environments]
    return theta, list(zip(environments, policies, strict=True))


@given(seed=st.integers(0, 1_000), temperature=st.sampled_from([0.3, 1.0, 4.0]))
@settings(max_examples=15, deadline=None)
def test_one_environment_leaves_one_dimension_a_state_and_two_leave_the_constant(seed, temperature):
    family = StateActionRewards(4, 3)
    theta, evidence = soft_evidence(seed, family, 2, temperature)
    one = ii.identify(evidence[:1], family, "soft", temperature=temperature)
    assert one.affine.null_basis.shape[1] == 4
    assert one.dimension == 3
    assert one.report().verdict == "identified up to shaping"
    both = ii.identify(evidence, family, "soft", temperature=temperature)
    assert both.dimension == 0
    assert both.report().verdict == "identified up to a constant"
    found = both.center()
    np.testing.assert_allclose(found - found.mean(), theta - theta.mean(), atol=1e-6)
    for ident in (one, both):
        assert ident.contains(theta, 1e-7)
        assert ident.contains(theta + 5, 1e-7)
        assert not ident.contains(2 * theta, 1e-7)


def test_every_member_shows_the_same_policy():
    family = StateActionRewards(4, 3)
    _, evidence = soft_evidence(0, family, 1)
    ident = ii.identify(evidence, family, "soft")
    for member in ident.sample(5, seed=1):
        assert ident.contains(member, 1e-7)


def test_support_is_infinite_along_open_directions_only():
    family = StateActionRewards(4, 3)
    theta, evidence = soft_evidence(1, family, 1)
    ident = ii.identify(evidence, family, "soft")
    env = evidence[0][0]
    assert ident.support(env.shaping @ np.array([0.0, 1.0, 0.0, 0.0]))[0] == np.inf
    closed = np.linalg.qr(env.shaping.toarray(), mode="complete")[0][:, -1]
    np.testing.assert_allclose(ident.support(closed)[0], closed @ theta, atol=1e-8)
    assert ident.width(closed) == 0
    assert ident.diameter() == (1.0, 1.0)
    assert ident.diameter("linf") == (np.inf, np.inf)


def test_shaping_is_localised():
    family = StateActionRewards(4, 3)
    _, evidence = soft_evidence(2, family, 1)
    kinds = {a.kind: a for a in ii.identify(evidence, family, "soft").ambiguities}
    assert set(kinds) == {"constant", "shaping"}
    assert kinds["shaping"].words == ("shaping at s0", "shaping at s1", "shaping at s2")
    env = evidence[0][0]
    for s, column in enumerate(kinds["shaping"].basis.T):
        np.testing.assert_allclose(column, env.shaping.toarray()[:, s], atol=1e-9)


def test_linear_features_are_identified_in_one_random_environment():
    features = np.random.default_rng(0).standard_normal((4, 3, 2))
    family = LinearRewards(features)
    theta, evidence = soft_evidence(3, family, 1)
    ident = ii.identify(evidence, family, "soft")
    assert ident.report().verdict == "identified"
    np.testing.assert_allclose(ident.center(), theta, atol=1e-8)


def test_policies_of_two_objectives_contradict():
    family = StateRewards(4)
    _, evidence = soft_evidence(4, family, 1)
    _, other = soft_evidence(5, family, 1)
    ident = ii.identify([evidence[0], (other[0][0], evidence[0][1])], family, "soft")
    assert ident.report().verdict == "contradiction"
    with pytest.raises(ContradictoryEvidence):
        ident.center()


def test_nearly_action_independent_dynamics_are_not_called():
    """A rank read off singular values of 1e-9 is no rank: the verdict is undecided."""
    rng = np.random.default_rng(0)
    same = rng.dirichlet(np.ones(4), size=4)[:, None, :].repeat(3, axis=1)
    other = rng.dirichlet(np.ones(4), size=(4, 3))
    family = StateRewards(4)
    verdicts = {}
    for weight in (0.0, 1e-9, 0.1):
        env = ii.Environment((1 - weight) * same + weight * other, 0.9)
        verdicts[weight] = ii.assess([env], family, "soft").verdict
    assert verdicts == {0.0: "nothing", 1e-9: "undecided", 0.1: "identified up to a constant"}


def test_assess_says_before_data_what_is_open_after():
    family = StateActionRewards(4, 3)
    _, evidence = soft_evidence(6, family, 2)
    for count in (1, 2):
        before = ii.assess([env for env, _ in evidence[:count]], family, "soft")
        after = ii.identify(evidence[:count], family, "soft").report()
        assert before.verdict == after.verdict
        assert before.dimension == after.dimension
        np.testing.assert_allclose(before.singular_values, after.singular_values, atol=1e-10)


def test_zero_probabilities_and_mixtures_are_refused():
    env = random_environment(0, 3, 2)
    with pytest.raises(ValueError, match="probability 0"):
        ii.identify([(env, np.array([[1.0, 0], [0.5, 0.5], [0.5, 0.5]]))], StateRewards(3), "soft").center()
    counts = ii.evidence.Counts(np.ones((3, 2), int))
    with pytest.raises(ValueError, match="policies only"):
        ii.identify([(env, np.full((3, 2), 0.5)), (env, counts)], StateRewards(3), "soft").center()


def test_counts_are_fitted():
    family = StateRewards(4)
    theta, evidence = soft_evidence(7, family, 2)
    counted = [(env, ii.evidence.Counts(np.round(1e7 * policy).astype(int))) for env, policy in evidence]
    ident = ii.identify(counted, family, "soft")
    found = ident.center()
    assert ident.dimension == 0
    np.testing.assert_allclose(found - found.mean(), theta - theta.mean(), atol=0.01)
    assert any("sampling error" in reason for reason in ident.report().reasons)


@given(seed=st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_more_evidence_never_opens_a_direction(seed):
    family = StateActionRewards(4, 3)
    _, evidence = soft_evidence(seed, family, 3)
    closed = np.zeros((12, 0))
    for count in (1, 2, 3):
        basis = ii.identify(evidence[:count], family, "soft").affine.null_basis
        np.testing.assert_allclose(basis.T @ closed, 0, atol=1e-7)
        closed = np.linalg.svd(np.eye(12) - basis @ basis.T)[0][:, : 12 - basis.shape[1]]


@given(seed=st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_relabelling_relabels_the_answer_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    family = StateActionRewards(4, 3)
    _, evidence = soft_evidence(seed, family, 2)
    states, actions = rng.permutation(4), rng.permutation(3)
    moved = [
        (ii.builders.relabel(env, states=states, actions=actions), policy[states][:, actions])
        for env, policy in evidence
    ]
    first, second = (ii.identify(given, family, "soft") for given in (evidence, moved))
    assert first.report().verdict == second.report().verdict
    order = (states[:, None] * 3 + actions).ravel()
    np.testing.assert_allclose(first.center()[order], second.center(), atol=1e-7)
    np.testing.assert_allclose(first.affine.singular_values, second.affine.singular_values, atol=1e-10)


def test_identifying_leaves_random_state_and_evidence_alone():
    family = StateActionRewards(4, 3)
    _, evidence = soft_evidence(0, family, 2)
    before, digests = np.random.get_state()[1].copy(), [env.digest for env, _ in evidence]  # noqa: NPY002
    policies = [policy.copy() for _, policy in evidence]
    ii.identify(evidence, family, "soft").sample(3, seed=0)
    ii.identify([(evidence[0][0], np.eye(3)[[0, 1, 2, 0]])], family).sample(3, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    for (env, policy), digest, copy in zip(evidence, digests, policies, strict=True):
        assert ii.Environment(env.dense(), env.discount).digest == digest
        np.testing.assert_array_equal(policy, copy)


@pytest.mark.parametrize("twice", [True, False])
def test_canonical_ranges_are_those_of_rewards(twice):
    """Features that cancel, or make a constant, move parameters and no reward's canonical form."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4, 3, 2))
    more = features[:, :, :1] if twice else np.ones((4, 3, 1))
    family = ii.rewards.LinearRewards(np.concatenate([features, more], axis=2))
    theta, evidence = soft_evidence(0, family, 2)
    ident = ii.identify(evidence, family, "soft")
    rewards = np.unique(family.features.reshape(-1, 3), axis=0) @ theta
    wanted = (rewards - rewards.min()) / np.ptp(rewards)
    np.testing.assert_allclose(ident.canonical_ranges(), np.column_stack([wanted, wanted]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [StateRewards(5), ii.rewards.LinearRewards(np.eye(15).reshape(5, 3, 15)[:, :, :6])])
def test_rounding_of_an_even_policy_has_no_canonical_form(kind):
    env = ii.builders.random_environment(5, 3, discount=0.9, seed=0)
    ident = ii.identify([(env, np.full((5, 3), 1 / 3))], kind, "soft")
    assert ident.contains(np.zeros(kind.dim))
    np.testing.assert_array_equal(ident.canonical_ranges(), [[0.0, 1.0]] * len(ident.canonical_ranges()))


def test_a_conflict_that_was_not_reduced_says_so():
    family = StateActionRewards(4, 3)
    (one, other), (third, _) = soft_evidence(0, family, 2)[1], soft_evidence(1, family, 2)[1]
    conflict = ii.identify([one, other, (third[0], one[1])], family, "soft").conflict
    assert not conflict.irreducible
    assert {place for place, _ in conflict.observations} == {0, 1, 2}


def test_what_only_these_transitions_hide_is_not_representational():
    """Rewards on transitions: potentials are open everywhere, how a mean divides among successors only here."""
    family = ii.rewards.TransitionRewards(3, 2)
    worlds = [ii.builders.random_environment(3, 2, 0.9, seed) for seed in range(4)]
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(0).normal(size=family.dim))
    seen = [(env, agent.policy(env)) for env in worlds]
    few, many = (ii.identify(evidence, family, "soft") for evidence in (seen[:1], seen))
    for ident in (few, many):
        fixed = np.hstack([found.basis for found in ident.ambiguities if found.representational])
        assert fixed.shape[1] == 3
        new = ii.builders.random_environment(3, 2, 0.9, 99)
        assert all(is_shaping(new, family.reward(new, direction)).is_shaping for direction in fixed.T)
    assert few.dimension == family.dim - 3 - 3
    assert not few.report().settled
    assert few.affine.null_basis.shape[1] == few.dimension + 3
    assert many.dimension < few.dimension
