"""Which candidate closes which open direction: against identified sets that have seen the candidate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident.design.closing import closes, report


def circle(*steps, n=4):
    return ii.Environment(np.array([[np.eye(n)[(s + step) % n] for step in steps] for s in range(n)]), 0.9)


def sparse_world(seed, n_states=5, n_actions=2):
    return ii.builders.random_environment(n_states, n_actions, 0.9, seed, successors=1)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), pairs=st.booleans())
def test_soft_agents_against_sets_that_have_seen_the_candidate(seed, pairs):
    family = ii.rewards.StateActionRewards(5, 2) if pairs else ii.rewards.StateRewards(5)
    agent = ii.agents.SoftOptimal(family, np.random.default_rng(seed).normal(size=family.dim))
    first, *candidates = (sparse_world(seed + i) for i in range(4))
    candidates.append(first)
    ident = ii.identify([(first, agent.policy(first))], family, "soft")
    table = closes(ident, candidates)
    assert table.exact
    assert table.share.shape == (len(table.directions), 4)
    directions = [d for a in ident.ambiguities if not a.representational for d in a.basis.T]
    for place, env in enumerate(candidates):
        after = ii.identify([(first, agent.policy(first)), (env, agent.policy(env))], family, "soft")
        assert table.left[:, place].sum() == after.affine.null_basis.shape[1] - 1
        for row, direction in enumerate(directions):
            rest = direction - after.affine.null_basis @ (after.affine.null_basis.T @ direction)
            still_open = np.linalg.norm(rest) < 1e-8 * np.linalg.norm(direction)
            assert table.closed[row, place] == (not still_open)
    assert not table.closed[:, 3].any()
    if directions:
        assert table.left[:, 3].sum() == len(directions)
        assert table.best is None or table.left[:, table.best].sum() == table.left.sum(axis=0).min()


def test_the_next_step_names_candidate_and_direction():
    family = ii.rewards.StateRewards(4)
    agent = ii.agents.SoftOptimal(family, [1, 0, 2, 0])
    ident = ii.identify([(circle(1, -1), agent.policy(circle(1, -1)))], family, "soft")
    told = report(ident, [circle(-1, 1), circle(0, 1)], ["again", "stay"])
    assert told.next_step.startswith("observe the agent in stay: closes shaping")
    assert told.next_step.endswith("leaves 0 open")
    assert told.verdict == ident.report().verdict
    assert report(ident, [circle(-1, 1)]).next_step == (
        "another environment: none of these candidates closes an open direction"
    )
    both = [(env, agent.policy(env)) for env in (circle(1, -1), circle(0, 1))]
    done = ii.identify(both, family, "soft")
    assert report(done, [circle(0, 1)]).next_step == "nothing: no environment can resolve what is left"


def test_no_candidate_is_the_next_step_where_only_trivial_rewards_are_left():
    env = ii.builders.random_environment(5, 3, discount=0.9, seed=0)
    ident = ii.identify([(env, np.full((5, 3), 1 / 3))], ii.rewards.StateRewards(5))
    told = report(ident, [env])
    assert told.verdict == "trivial rewards only"
    assert told.next_step == ident.report().next_step
    assert told.next_step.startswith("ask whether all that was shown was optimal")


def test_what_a_candidate_never_reaches_it_does_not_close():
    """Two rooms; from the left one a way to the right one that only the second candidate has."""
    family = ii.rewards.StateRewards(4)
    apart = np.eye(4)[[[0, 1], [1, 0], [2, 3], [3, 2]]]
    joined = np.eye(4)[[[0, 1], [1, 2], [2, 3], [3, 0]]]
    first = ii.Environment(apart, 0.9, [1, 0, 0, 0])
    agent = ii.agents.SoftOptimal(family, [0.0, 1.0, 2.0, 4.0])
    seen = agent.policy(first)
    seen[2:] = 0
    ident = ii.identify([(first, ii.evidence.Policy(seen))], family, "soft")
    table = closes(ident, [first, ii.Environment(apart, 0.9), ii.Environment(joined, 0.9, [1, 0, 0, 0])])
    assert table.directions == ("unvisited: R(s2): s2 never reached", "unvisited: R(s3): s3 never reached")
    np.testing.assert_array_equal(table.closed, [[False, True, True], [False, True, True]])
    np.testing.assert_array_equal(table.left, [[2, 1, 0]])
    optimal = ii.identify([(first, ii.evidence.Policy([[0, 1], [1, 0], [0, 0], [0, 0]]))], family)
    expected = closes(optimal, [first, ii.Environment(joined, 0.9, [1, 0, 0, 0])], samples=200)
    assert np.abs(expected.share[:, 0]).max() < 0.05
    assert expected.share[:, 1].min() > 0.1


def test_what_is_left_together_is_told_by_kind():
    """Two circles of two, the second unseen: a way between them at even steps closes each direction, not their sum."""
    family = ii.rewards.StateRewards(4)
    apart = np.eye(4)[[[1, 1], [0, 0], [3, 3], [2, 2]]]
    joined = np.eye(4)[[[1, 3], [0, 2], [3, 1], [2, 0]]]
    first = ii.Environment(apart, 0.9, [1, 0, 0, 0])
    seen = np.array([[0.5, 0.5], [0.5, 0.5], [0, 0], [0, 0]])
    ident = ii.identify([(first, ii.evidence.Policy(seen))], family, "soft")
    table = closes(ident, [ii.Environment(joined, 0.9, [1, 0, 0, 0])])
    assert table.kinds == ("unvisited", "symmetry")
    assert table.closed.all()
    np.testing.assert_array_equal(table.left, [[0], [1]])
    assert table.next_step().endswith("closes unvisited (2 of 2); leaves 1 open")


def test_the_sine_is_that_of_the_angle_between_the_direction_and_shaping():
    family = ii.rewards.StateRewards(4)
    agent = ii.agents.SoftOptimal(family, [1, 0, 2, 0])
    ident = ii.identify([(circle(1, -1), agent.policy(circle(1, -1)))], family, "soft")
    env = circle(0, 1)
    (direction,) = (a.basis[:, 0] for a in ident.ambiguities if not a.representational)
    reward = np.repeat(direction, 2)
    nearest = np.linalg.lstsq(env.shaping.toarray(), reward)[0]
    expected = np.linalg.norm(reward - env.shaping @ nearest) / np.linalg.norm(reward)
    np.testing.assert_allclose(closes(ident, [env]).share, [[expected]], rtol=1e-10)


def test_sines_that_are_too_small_to_call_are_marked():
    family = ii.rewards.StateActionRewards(4, 2)
    first, second = (ii.builders.random_environment(4, 2, 0.9, seed) for seed in range(2))
    agent = ii.agents.SoftOptimal(family, np.arange(8.0))
    ident = ii.identify([(first, agent.policy(first))], family, "soft")
    table = closes(ident, [ii.builders.blended(first, second, w) for w in (1e-9, 0.5)])
    assert table.undecided[:, 0].any()
    assert not table.closed[:, 0].any()
    assert table.closed[:, 1].all()
    assert "?" in str(table)


def test_optimal_agents_by_the_law_of_total_variance():
    family = ii.rewards.StateRewards(4)
    agent = ii.agents.Optimal(family, [1.0, 0.0, 2.0, 0.0])
    seen = [(circle(1, -1), agent.policy(circle(1, -1)))]
    ident = ii.identify(seen, family)
    candidates = [circle(-1, 1), circle(0, 1), circle(1, 2)]
    table = closes(ident, candidates, samples=120)
    assert not table.exact
    thetas = ident.sample(120, seed=0)
    lowest = thetas.min(axis=1, keepdims=True)
    (direction,) = (a.basis[:, 0] for a in ident.ambiguities if not a.representational)
    along = (thetas - lowest) / np.ptp(thetas, axis=1)[:, None] @ direction
    for place, env in enumerate(candidates):
        classes: dict[bytes, list[float]] = {}
        for theta, x in zip(thetas, along, strict=True):
            classes.setdefault((ii.agents.Optimal(family, theta).policy(env) > 0).tobytes(), []).append(x)
        within = sum(len(xs) * np.var(xs) for xs in classes.values()) / (120 - len(classes))
        np.testing.assert_allclose(table.share[0, place], max(0, 1 - within / np.var(along, ddof=1)), atol=1e-9)
    assert table.share[0, 0] < 0.01
    assert table.best == 2
    assert "members drawn" in table.next_step()


def test_optimal_agents_removed_uncertainty_is_narrower_sets():
    """The candidate that is expected to remove more leaves narrower certified ranges, averaged over answers."""
    family = ii.rewards.StateRewards(4)
    first, *candidates = (sparse_world(seed, 4) for seed in (3, 8, 9))
    agent = ii.agents.Optimal(family, [0.1, 0.9, 0.4, 0.0])
    seen = [(first, agent.policy(first))]
    ident = ii.identify(seen, family)
    table = closes(ident, candidates)
    widths = []
    for env in candidates:
        told = []
        for theta in ident.sample(6, seed=5):
            answer = ii.agents.Optimal(family, theta).policy(env)
            told.append(np.ptp(ii.identify([*seen, (env, answer)], family).canonical_ranges(), axis=1).mean())
        widths.append(np.mean(told))
    assert np.argmin(widths) == table.best
    assert abs(np.diff(table.left.sum(axis=0))[0]) > 0.05


def test_what_cannot_be_asked_is_refused():
    family = ii.rewards.StateRewards(4)
    ident = ii.identified.anything(family)
    with pytest.raises(ValueError, match="candidates"):
        closes(ident, [])
    with pytest.raises(ValueError, match="names"):
        closes(ident, [circle(0, 1)], ["one", "two"])
    with pytest.raises(ValueError, match="samples"):
        closes(ident, [circle(0, 1)], samples=1)


def test_a_direction_that_pays_nothing_where_the_candidate_leads_is_not_closed():
    """Named directions are orthogonal up to rounding alone, which says nothing of the state that can be reached."""
    features = np.array([[[0.0, 1.0], [0.0, 0.0]], [[-1.0, 1.0], [-1.0, -1.0]]])
    family = ii.rewards.LinearRewards(features)
    seen, stay = ii.Environment(np.full((2, 2, 2), 0.5), 0.0), ii.Environment(np.eye(2)[[[0, 0], [1, 1]]], 0.0, [1, 0])
    ident = ii.identify([(seen, ii.agents.SoftOptimal(family, [0.3, -0.7]).policy(seen))], family, "soft")
    (found,) = ident.ambiguities
    tilted = dataclasses.replace(found, basis=np.array([[-1.0], [1e-16]]))
    vars(ident)["ambiguities"] = (tilted,)
    told = closes(ident, [stay])
    np.testing.assert_array_equal(told.share, [[0.0]])
    np.testing.assert_array_equal(told.left, [[1.0]])
