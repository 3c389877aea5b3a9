"""The identified set of optimal agents, against brute force and against what theory promises."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from worlds import brute_policy, brute_q, dense_features, ng_russell_rows, random_environment, vertices

import irl_ident as ii
from irl_ident.identified import ContradictoryEvidence, NotIdentified, anything
from irl_ident.identified.cone.constraints import lifted, reduced
from irl_ident.identified.cone.hull import hull
from irl_ident.identified.observed import with_twins
from irl_ident.rewards import LinearRewards, StateActionRewards, StateRewards

SIZES = [(2, 2, 1), (3, 2, 2), (4, 3, 1), (5, 2, 2), (6, 2, 3), (6, 3, 1)]


def seen(seed: int, n_states: int, n_actions: int, k: int, family=None, *, ties: bool = False):
    """Environments, an objective, and the evidence that its optimal agent leaves (planned by brute force)."""
    rng = np.random.default_rng(seed)
    family = family or StateRewards(n_states)
    theta = rng.integers(0, 3, family.dim) / 2.0 if ties else rng.standard_normal(family.dim)
    theta /= max(1.0, np.abs(theta).max())
    environments = [random_environment(1_000 * seed + i, n_states, n_actions) for i in range(k)]
    evidence = [(env, brute_policy(env, family.reward(env, theta))) for env in environments]
    return family, theta, evidence


def brute_vertices(family, evidence):
    equal, at_least = zip(
        *[ng_russell_rows(env, dense_features(env, family), policy) for env, policy in evidence], strict=True
    )
    return vertices(np.vstack(equal), np.vstack(at_least))


@pytest.mark.parametrize(("n_states", "n_actions", "k"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_support_is_the_highest_vertex(seed, n_states, n_actions, k):
    family, _, evidence = seen(seed, n_states, n_actions, k)
    ident = ii.identify(evidence, family)
    corners = brute_vertices(family, evidence)
    directions = np.random.default_rng(seed).standard_normal((6, family.dim))
    directions[0] = np.eye(family.dim)[0] - np.eye(family.dim)[1]
    for direction in directions:
        value, theta = ident.support(direction)
        np.testing.assert_allclose(value, (corners @ direction).max(), atol=1e-8)
        np.testing.assert_allclose(direction @ theta, value, atol=1e-8)
        answer = ident.certified_support(direction)
        assert answer.lower <= (corners @ direction).max() + 1e-9
        assert answer.upper >= (corners @ direction).max() - 1e-9
        np.testing.assert_allclose(answer.upper, answer.lower, atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_support_with_state_action_rewards_and_features(seed):
    for family in (StateActionRewards(3, 2), LinearRewards(np.random.default_rng(seed).standard_normal((3, 2, 4)))):
        family, _, evidence = seen(seed, 3, 2, 2, family)
        ident, corners = ii.identify(evidence, family), brute_vertices(family, evidence)
        for direction in np.random.default_rng(seed).standard_normal((4, family.dim)):
            np.testing.assert_allclose(ident.support(direction)[0], (corners @ direction).max(), atol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_dimension_is_the_rank_of_the_vertices(seed):
    family, _, evidence = seen(seed, 5, 3, 2, ties=seed % 2 == 0)
    ident = ii.identify(evidence, family)
    rank = np.linalg.matrix_rank(brute_vertices(family, evidence), tol=1e-7)
    assert ident.hull.basis.shape[1] == rank
    if rank > 1:
        assert ident.dimension == rank - 2


@pytest.mark.parametrize("seed", range(4))
def test_lifted_and_reduced_forms_have_the_same_span(seed):
    family, _, evidence = seen(seed, 5, 2, 2, ties=True)
    systems = ii.identify(evidence, family).systems
    one, other = hull(lifted(systems, family.dim)), hull(reduced(systems, family.dim))
    np.testing.assert_allclose(one.basis @ one.basis.T, other.basis @ other.basis.T, atol=1e-8)


@given(seed=st.integers(0, 10_000), ties=st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_truth_is_inside_and_so_are_its_positive_affine_maps(seed, ties):
    family, theta, evidence = seen(seed, 4, 2, 2, ties=ties)
    ident = ii.identify(evidence, family)
    assert ident.contains(theta)
    assert ident.contains(3.7 * theta + 11)
    assert ident.conflict is None
    if np.ptp(theta) > 0 and any((policy == 0).any() for _, policy in evidence):
        assert not ident.contains(-theta)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_more_evidence_never_enlarges(seed):
    family, _, evidence = seen(seed, 4, 2, 3)
    directions = np.random.default_rng(seed).standard_normal((3, family.dim))
    before = np.full(3, np.inf)
    for count in (1, 2, 3):
        ident = ii.identify(evidence[:count], family)
        now = np.array([ident.support(direction)[0] for direction in directions])
        assert (now <= before + 1e-8).all()
        before = now


@given(seed=st.integers(0, 10_000), discount=st.sampled_from([0.0, 0.5, 0.9]))
@settings(max_examples=20, deadline=None)
def test_shaping_stays_inside_for_one_environment(seed, discount):
    rng = np.random.default_rng(seed)
    env, family = random_environment(seed, 4, 2, discount), StateActionRewards(4, 2)
    theta = rng.standard_normal(8)
    potential = rng.standard_normal(4) + 1
    shaped = theta + env.shaping @ potential
    ident = ii.identify([(env, brute_policy(env, family.reward(env, theta)))], family)
    assert ident.contains(theta)
    assert ident.contains(shaped)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_relabelling_states_and_actions_relabels_the_answer(seed):
    family, _, evidence = seen(seed, 4, 3, 2)
    rng = np.random.default_rng(seed)
    states, actions = rng.permutation(4), rng.permutation(3)
    moved = [
        (ii.Environment(env.dense()[states][:, actions][:, :, states], env.discount), policy[states][:, actions])
        for env, policy in evidence
    ]
    first, second = ii.identify(evidence, family), ii.identify(moved, family)
    assert first.dimension == second.dimension
    direction = rng.standard_normal(4)
    np.testing.assert_allclose(first.support(direction)[0], second.support(direction[states])[0], atol=1e-8)
    np.testing.assert_allclose(first.diameter(), second.diameter(), atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_canonical_diameter_bounds_every_pair_and_is_reached(seed):
    family, _, evidence = seen(seed, 4, 3, 2)
    ident = ii.identify(evidence, family)
    lower, upper = ident.diameter()
    corners = brute_vertices(family, evidence)
    corners = corners[np.ptp(corners, axis=1) > 1e-9]
    canonical = (corners - corners.min(axis=1, keepdims=True)) / np.ptp(corners, axis=1)[:, None]
    assert 0 <= lower <= upper <= 1
    np.testing.assert_allclose(upper, lower, atol=1e-7)
    members = ident.sample(400, seed=0)
    members = (members - members.min(axis=1, keepdims=True)) / np.ptp(members, axis=1)[:, None]
    assert np.ptp(members, axis=0).max() <= upper + 1e-9
    assert np.ptp(canonical, axis=0).max() <= upper + 1e-7
    np.testing.assert_allclose(np.ptp(canonical, axis=0).max(), upper, atol=1e-6)


@pytest.mark.parametrize("metric", ["linf", "l2"])
def test_parameter_diameters_bracket_the_farthest_vertices(metric):
    family, _, evidence = seen(3, 4, 3, 2)
    lower, upper = ii.identify(evidence, family).diameter(metric)
    corners = brute_vertices(family, evidence)
    corners = corners - corners.mean(axis=1, keepdims=True)
    gaps = corners[:, None] - corners[None]
    truth = np.abs(gaps).max() if metric == "linf" else np.linalg.norm(gaps, axis=2).max()
    assert lower <= truth + 1e-7 <= upper + 2e-7
    if metric == "linf":
        np.testing.assert_allclose([lower, upper], truth, atol=1e-7)


def test_samples_are_members_and_uniform():
    family, _, evidence = seen(1, 3, 3, 1)
    ident = ii.identify(evidence, family)
    draws = ident.sample(4_000, seed=0)
    _, at_least = ng_russell_rows(evidence[0][0], dense_features(evidence[0][0], family), evidence[0][1])
    assert (draws @ at_least.T >= -1e-9).all()
    assert np.abs(draws).max() <= 1 + 1e-9
    box = np.random.default_rng(1).uniform(-1, 1, (400_000, 3))
    accepted = box[(box @ at_least.T >= 0).all(axis=1)]
    error = np.sqrt(draws.var(axis=0) / len(draws) + accepted.var(axis=0) / len(accepted))
    assert (np.abs(draws.mean(axis=0) - accepted.mean(axis=0)) < 4.5 * error).all()
    np.testing.assert_allclose(np.cov(draws.T), np.cov(accepted.T), atol=0.04)
    np.testing.assert_array_equal(draws, ident.sample(4_000, seed=0))


def test_center_is_well_inside():
    family, _, evidence = seen(5, 4, 2, 2)
    ident = ii.identify(evidence, family)
    middle = ident.center()
    assert ident.contains(middle)
    assert np.abs(middle).max() <= 1 + 1e-9
    for env, policy in evidence:
        q = brute_q(env, family.reward(env, middle))
        assert (np.where(policy > 0, np.inf, q.max(axis=1, keepdims=True) - q) > 1e-6).all()


def test_one_shown_action_leaves_ties_open_and_all_shown_actions_do_not():
    twins = np.zeros((2, 2, 2))
    twins[0, 0, 0] = twins[0, 1, 1] = twins[1, :, 1] = 1
    env, family = ii.Environment(twins, 0.9), StateRewards(2)
    stay = np.array([[1.0, 0.0], [0.5, 0.5]])
    some = ii.identify([(env, ii.evidence.Policy(stay, shows="some"))], family)
    assert some.contains([0.0, 0.0])
    assert some.contains([1.0, 0.0])
    every = ii.identify([(env, stay)], family)
    assert not every.contains([0.0, 0.0])
    assert every.contains([1.0, 0.0])


def test_unvisited_states_are_named_and_bound_from_above_only():
    chain = np.zeros((3, 2, 3))
    chain[0, 0, 0] = chain[0, 1, 1] = chain[1, :, 1] = chain[2, :, 2] = 1
    env = ii.Environment(chain, 0.5, states=["home", "field", "lake"])
    seen_home = ii.evidence.Policy([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], shows="some")
    ident = ii.identify([(env, seen_home)], StateRewards(3))
    kinds = {a.kind: a for a in ident.ambiguities}
    assert kinds["unvisited"].words == ("R(field): field never reached", "R(lake): lake never reached")
    np.testing.assert_allclose(ident.support([-1, 1, 0])[0], 0, atol=1e-9)
    np.testing.assert_allclose(ident.support([1, -1, 0])[0], 2, atol=1e-9)
    np.testing.assert_allclose(ident.width([-1, 0, 1]), 4, atol=1e-9)


def test_interchangeable_states_are_named():
    branch = np.zeros((3, 2, 3))
    branch[0, 0, 1] = branch[0, 1, 0] = 1
    branch[0, 0] = [0, 0.5, 0.5]
    branch[1, :, 1] = branch[2, :, 2] = 1
    env, family = ii.Environment(branch, 0.9), StateRewards(3)
    ident = ii.identify([(env, brute_policy(env, family.reward(env, [0.0, 1.0, 0.5])))], family)
    symmetry = next(a for a in ident.ambiguities if a.kind == "symmetry")
    assert symmetry.words == ("s1 and s2 are interchangeable",)
    np.testing.assert_allclose(symmetry.basis[:, 0] / symmetry.basis[1, 0], [0, 1, -1], atol=1e-12)


def test_ambiguities_span_the_open_directions():
    family, _, evidence = seen(2, 4, 2, 1, StateActionRewards(4, 2))
    ident = ii.identify(evidence, family)
    basis = np.column_stack([a.basis for a in ident.ambiguities])
    assert np.linalg.matrix_rank(basis) == basis.shape[1] == ident.hull.basis.shape[1]
    kinds = {a.kind: a for a in ident.ambiguities}
    assert kinds["shaping"].dimension == 3
    assert all(word.startswith("shaping at s") for word in kinds["shaping"].words)
    for column in kinds["shaping"].basis.T:
        assert ident.contains(ident.center() + column)
        assert ident.contains(ident.center() - column)


def test_contradictory_evidence_is_reported_with_an_irreducible_set():
    rng = np.random.default_rng(0)
    env, family = random_environment(0, 4, 2), StateRewards(4)
    policy = brute_policy(env, family.reward(env, rng.standard_normal(4)))
    ident = ii.identify([(env, policy), (env, 1 - policy)], family)
    assert ident.report().verdict == "contradiction"
    assert not ident.contains(rng.standard_normal(4))
    with pytest.raises(ContradictoryEvidence, match="contradict"):
        ident.center()
    places = ident.conflict.observations
    assert {source for source, _ in places} == {0, 1}
    assert len({state for _, state in places}) == 1


def test_contradiction_across_environments_needs_every_observation_that_is_named():
    family = StateRewards(3)
    base = np.zeros((3, 2, 3))
    base[0, 0, 1] = base[0, 1, 2] = base[1, :, 1] = base[2, :, 2] = 1
    swapped = base.copy()
    swapped[0] = base[0, ::-1]
    first, second = ii.Environment(base, 0.9), ii.Environment(swapped, 0.9)
    left = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    ident = ii.identify([(first, left), (second, left)], family)
    assert ident.conflict.observations == ((0, 0), (1, 0))


def episodes(seed, n_states, n_actions):
    """Discount 1: each step ends the episode, in the last state, with a chance of at least 0.2."""
    rows = np.random.default_rng(seed).dirichlet(np.ones(n_states), size=(n_states, n_actions))
    rows = 0.8 * rows + 0.2 * np.eye(n_states)[-1]
    rows[-1] = np.eye(n_states)[-1]
    return ii.Environment(rows, 1.0)


def undiscounted_rows(env, features, policy):
    """What shown actions are better by, as rows on theta; an episode collects the reward of its last state once."""
    onward = env.dense() * ~env.absorbing[:, None, None]
    states = np.arange(env.n_states)
    chosen = policy.argmax(axis=1)
    values = np.linalg.solve(np.eye(env.n_states) - onward[states, chosen], features[states, chosen])
    slack = values[:, None] - features - np.einsum("sat,td->sad", onward, values)
    return slack[policy == 0], slack[(policy > 0) & (np.arange(env.n_actions) != chosen[:, None])]


def brute_ranges(rewards, at_least, equal):
    """Ends of canonical forms, one linear program for each place and each pair of a least and a greatest reward."""
    places, dim = rewards.shape
    ends = np.tile([np.inf, -np.inf], (places, 1))
    for low, high in permutations(range(places), 2):
        between = np.vstack([rewards[low] - rewards, rewards - rewards[high]])
        for place, sign in product(range(places), (1, -1)):
            found = optimize.linprog(
                sign * (rewards[place] - rewards[low]),
                A_ub=np.vstack([between, -at_least]),
                b_ub=np.zeros(2 * places + len(at_least)),
                A_eq=np.vstack([equal, rewards[high] - rewards[low]]),
                b_eq=np.append(np.zeros(len(equal)), 1.0),
                bounds=[(None, None)] * dim,
            )
            if found.status == 0:
                ends[place] = min(ends[place, 0], sign * found.fun), max(ends[place, 1], sign * found.fun)
    return ends


@pytest.mark.parametrize("unit", [1e-6, 1.0])
@pytest.mark.parametrize("kind", ["states", "pairs", "features", "features with a constant"])
@pytest.mark.parametrize("seed", range(2))
def test_canonical_ranges_where_a_constant_is_a_price_for_time(seed, kind, unit):
    rng = np.random.default_rng(seed)
    drawn = unit * rng.normal(size=(3, 2, 2))
    families = {
        "states": StateRewards(3),
        "pairs": StateActionRewards(2, 2),
        "features": LinearRewards(drawn),
        "features with a constant": LinearRewards(np.concatenate([drawn, np.full((3, 2, 1), unit)], axis=2)),
    }
    family = families[kind]
    n_states = 2 if kind == "pairs" else 3
    agent = ii.agents.Optimal(family, rng.uniform(-1, 1, family.dim))
    evidence = [(env, agent.policy(env)) for env in (episodes(10 * seed + i, n_states, 2) for i in range(2))]
    ident = ii.identify(evidence, family)
    tables = [undiscounted_rows(env, dense_features(env, family), policy) for env, policy in evidence]
    at_least, equal = (np.vstack(rows) / unit for rows in zip(*tables, strict=True))
    rewards = np.eye(family.dim)
    if isinstance(family, LinearRewards):
        rewards = np.unique(family.features.reshape(-1, family.dim), axis=0) / unit
    wanted = brute_ranges(rewards, at_least, equal[np.abs(equal).max(axis=1, initial=0) > 1e-12])
    np.testing.assert_allclose(ident.canonical_ranges(), wanted, rtol=0, atol=1e-6)
    lower, upper = ident.diameter()
    np.testing.assert_allclose([lower, upper], np.ptp(wanted, axis=1).max(), rtol=0, atol=1e-6)
    forms = [(y - y.min()) / np.ptp(y) for y in (rewards @ theta for theta in ident.farthest_pair())]
    np.testing.assert_allclose(np.abs(forms[0] - forms[1]).max(), lower, rtol=0, atol=1e-6)
    for theta in ident.farthest_pair():
        assert (at_least @ theta >= -1e-7 * np.abs(theta).max()).all()


@pytest.mark.parametrize("kind", [StateRewards(4), StateActionRewards(4, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_the_farthest_pair_of_episodes_with_states_not_seen_is_of_members(seed, kind):
    env = episodes(seed, 4, 2)
    policy = ii.agents.Optimal(kind, np.random.default_rng(seed).uniform(-1, 1, kind.dim)).policy(env)
    policy[1] = 0
    ident = ii.identify([(env, ii.evidence.Policy(policy))], kind)
    lower, upper = ident.diameter()
    assert 0.1 < lower <= upper
    pair = ident.farthest_pair()
    forms = [(theta - theta.min()) / np.ptp(theta) for theta in pair]
    assert np.abs(forms[0] - forms[1]).max() >= lower - 1e-9
    onward = (env.dense() * ~env.absorbing[:, None, None]).reshape(8, 4)
    for theta in pair:
        reward = kind.reward(env, theta).ravel() / np.abs(theta).max()
        told = (np.repeat(np.eye(4), 2, axis=0) - onward)[np.repeat(policy.any(axis=1), 2)]
        paid, shown = reward[np.repeat(policy.any(axis=1), 2)], policy[policy.any(axis=1)].ravel() > 0
        found = optimize.linprog(np.zeros(4), -told, -paid, told[shown], paid[shown], bounds=[(None, None)] * 4)
        assert found.status == 0


def test_strict_report_raises_with_the_report():
    family, _, evidence = seen(0, 4, 2, 1)
    with pytest.raises(NotIdentified) as caught:
        ii.identify(evidence, family).report(strict=True)
    assert caught.value.report.verdict == "a set"


def test_before_any_evidence_everything_is_possible():
    ident = anything(StateRewards(3))
    assert ident.report().verdict == "nothing"
    assert ident.dimension == 1
    assert ident.contains([5.0, -1.0, 0.0])
    np.testing.assert_allclose(ident.support([1, -2, 0])[0], 3, atol=1e-9)
    draws = ident.sample(3_000, seed=1)
    np.testing.assert_allclose(draws.var(axis=0), 1 / 3, atol=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda env: ii.identify([], StateRewards(3)), "evidence"),
        (
            lambda env: ii.identify([(env, np.full((3, 2), 0.5))], StateRewards(3), rationality="optimist"),
            "rationality",
        ),
        (lambda env: ii.identify([(env, np.full((3, 2), 0.5))], StateRewards(4)), "4 states"),
        (lambda env: ii.identify([(env, np.full((3, 2), np.nan))], StateRewards(3)), "nan"),
        (lambda env: ii.identify([(env, np.full((3, 2), 0.5))], StateRewards(3)).support([1.0]), "direction"),
        (
            lambda env: ii.identify([(env, np.full((3, 2), 0.5))], StateRewards(3)).contains([1, 2, np.inf]),
            r"theta\[2\]",
        ),
        (lambda env: ii.identify([(env, np.full((3, 2), 0.5))], StateRewards(3)).sample(0, 0), "n: was 0"),
    ],
)
def test_bad_input_gets_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(random_environment(0, 3, 2))


def test_the_centre_is_a_member_when_states_were_not_observed():
    env = random_environment(3, 6, 3)
    family = ii.rewards.StateRewards(6)
    policy = ii.agents.Optimal(family, np.random.default_rng(3).uniform(-1, 1, 6)).policy(env)
    policy[3:] = 0
    ident = ii.identify([(env, ii.evidence.Policy(policy))], family)
    middle = ident.center()
    assert np.abs(middle).max() <= 1 + 1e-9
    for seed in range(20):
        direction = np.random.default_rng(seed).standard_normal(6)
        value, _ = ident.support(direction)
        assert direction @ middle <= value + 1e-9


def test_hundreds_of_ties_that_nearly_repeat_each_other_leave_trivial_rewards():
    grid = ii.builders.grid("..#..\n.....\n#..#.\n.....\n..#..", 0.9, slip=0.1).environment
    family = StateRewards(grid.n_states)
    theta = np.random.default_rng(0).choice([0.0, 0.5, 1.0], grid.n_states)
    shown = ii.agents.SoftOptimal(family, theta, 0.2).demonstrate(grid, episodes=100, horizon=30, seed=1)
    ident = ii.identify([(grid, shown)], family)
    assert ident.conflict is None
    assert ident.dimension == 0
    assert np.ptp(ident.center()) <= 1e-9
    report = ident.report()
    assert report.verdict == "trivial rewards only"
    np.testing.assert_array_equal(ident.canonical_ranges(), 0)
    assert report.settled
    assert "trivially consistent" in " ".join(report.reasons)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    unit=st.sampled_from([1e-9, 1e-5, 1e5, 1e9]),
    discount=st.sampled_from([0.5, 0.9, 0.99999]),
)
def test_the_unit_of_features_and_the_patience_of_the_agent_contradict_nothing(seed, unit, discount):
    """Rewards in other units are the same objectives; only the ties and rounding of large values are new."""
    rng = np.random.default_rng(seed)
    features, theta = rng.standard_normal((5, 3, 4)), rng.standard_normal(4)
    environments = [ii.builders.random_environment(5, 3, discount, seed + i) for i in range(2)]
    found = []
    for family in (LinearRewards(features), LinearRewards(unit * features)):
        agent = ii.agents.Optimal(family, theta)
        ident = ii.identify([(env, agent.policy(env)) for env in environments], family)
        found.append((ident.report().verdict, ident.dimension, sorted(a.kind for a in ident.ambiguities)))
    assert found[0] == found[1] == ("a set", 3, ["experimental", "scale"])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_twins_are_actions_with_the_same_rows(seed):
    rng = np.random.default_rng(seed)
    n_states, n_actions = rng.integers(1, 5, size=2)
    moves = rng.dirichlet(np.ones(n_states), size=(n_states, n_actions))
    features = rng.integers(0, 2, size=(n_states, n_actions, 2)).astype(float)
    for state, action in np.argwhere(rng.random((n_states, n_actions)) < 0.5):
        moves[state, action], features[state, action] = moves[state, 0], features[state, 0]
    env = ii.Environment(moves, 0.9)
    rows = np.concatenate([env.dense(), features], axis=2)
    same = (rows[:, :, None] == rows[:, None, :]).all(axis=3)
    shown = rng.random((n_states, n_actions)) < 0.3
    expected = (same & shown[:, None, :]).any(axis=2) | same.all(axis=(1, 2))[:, None]
    np.testing.assert_array_equal(with_twins(env, LinearRewards(features).matrix(env), shown), expected)
