"""Transfer without identification: rank tests, planning over members, and bounds held to computed losses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

import irl_ident as ii
from irl_ident import planning
from irl_ident.identified.generalising import soft_loss, transfer_bound
from irl_ident.identified.published import rolland_2022_transfers


def random(seed, n_states=5, n_actions=3, **options):
    return ii.builders.random_environment(n_states, n_actions, 0.9, seed, **options)


def seen_by(agent, *environments):
    return [(env, agent.policy(env)) for env in environments]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_seen=st.integers(1, 3), same=st.booleans(), width=st.sampled_from([1, 2, 4]))
def test_soft_agents_by_the_rank_of_rolland(seed, n_seen, same, width):
    seeds = [seed + i for i in range(n_seen)]
    environments = [random(s, 4, 2, successors=width) for s in seeds]
    new = environments[0] if same else random(seed + 7, 4, 2, successors=width)
    found = ii.generalises(environments, new, ii.rewards.StateActionRewards(4, 2), "soft")
    wanted = {"identified": "yes", "not identified": "no"}[rolland_2022_transfers(environments, new).answer]
    assert found.answer == wanted


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), discount=st.sampled_from([0.3, 0.9]))
def test_soft_members_behave_alike_where_the_answer_is_yes_and_only_there(seed, discount):
    rng = np.random.default_rng(seed)
    family = ii.rewards.StateRewards(5)
    first = random(seed, 5, 2, successors=1)
    new = ii.builders.discounted(random(seed + 1, 5, 2, successors=1), discount)
    agent = ii.agents.SoftOptimal(family, rng.normal(size=5))
    ident = ii.identify(seen_by(agent, first), family, "soft")
    found = ii.generalises(ident, new)
    policies = [planning.soft(new, family.reward(new, theta)).policy for theta in ident.sample(6, seed=0)]
    spread = np.ptp(policies, axis=0).max()
    assert found.answer == ("yes" if spread < 1e-8 else "no")
    if found.answer == "no":
        one, other = found.witness
        assert ident.contains(one)
        assert ident.contains(other)
        acted = planning.soft(new, family.reward(new, one))
        reward = family.reward(new, other)
        entropy = acted.policy * (reward - acted.log_policy)
        worth = planning.evaluate(new, np.repeat(entropy.sum(axis=1)[:, None], 2, axis=1), acted.policy)
        best = planning.soft(new, reward).values
        np.testing.assert_allclose(found.loss, (1 - discount) * new.initial @ (best - worth), rtol=1e-6)
        assert found.loss > 0


def test_evidence_with_gaps_for_soft_agents():
    """Nothing is known of a state without observation; a new environment that never goes there does not ask."""
    family = ii.rewards.StateActionRewards(3, 2)
    moves = np.zeros((3, 2, 3))
    moves[[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1]] = 1
    env = ii.Environment(moves, 0.9)
    seen = ii.evidence.Policy(
        np.vstack([ii.agents.SoftOptimal(family, np.arange(6.0)).policy(env)[:2], np.zeros((1, 2))])
    )
    ident = ii.identify([(env, seen)], family, "soft")
    assert ii.generalises(ident, env).answer == "no"
    assert "of which 3 shape" in str(ii.generalises(ident, env))


def test_sampling_error_is_not_forgotten():
    """Two hundred episodes identify every direction, none of them exactly: members of the confidence set differ."""
    family = ii.rewards.StateRewards(4)
    env, new = random(0, 4, 2), random(1, 4, 2)
    agent = ii.agents.SoftOptimal(family, np.arange(4.0))
    losses = []
    for episodes in (50, 2000):
        seen = [(env, agent.demonstrate(env, episodes=episodes, horizon=30, seed=0))]
        found = ii.generalises(ii.identify(seen, family, "soft", level=0.05), new)
        assert found.answer == "no"
        one, other = (family.reward(new, theta) for theta in found.witness)
        np.testing.assert_allclose(found.loss, soft_loss(new, other, one))
        losses.append(found.loss)
    assert 0 < losses[1] < losses[0] / 4


def test_environments_that_hardly_differ_are_undecided():
    first, second = random(0, 4), random(1, 4)
    near = ii.builders.blended(first, second, 1e-8)
    family = ii.rewards.StateActionRewards(4, 3)
    assert ii.generalises([first], near, family, "soft").answer == "undecided"
    assert ii.generalises([first, near], second, family, "soft").answer == "undecided"


def grids(*doors):
    """Rooms in a row with a wall that has a door in one row or another."""
    return [
        ii.builders.grid("\n".join(f"..{'.' if row == door else '#'}.." for row in range(3)), 0.9) for door in doors
    ]


def test_optimal_agents_against_members_one_by_one():
    """Answers against sampled members, and the loss of the witness against planning; both answers come up."""
    family = ii.rewards.StateRewards(3)
    answers = []
    for seed in range(6):
        agent = ii.agents.Optimal(family, np.random.default_rng(seed).normal(size=3))
        worlds = [random(100 * seed + i, 3, 2) for i in range(6)]
        ident = ii.identify(seen_by(agent, *worlds[:4]), family)
        members = ident.sample(15, seed=1)
        assert ii.generalises(ident, worlds[0]).answer == "yes"
        for new in worlds[4:]:
            found = ii.generalises(ident, new)
            answers.append(found.answer)
            q = planning.optimal(new, family.reward(new, ident.center())).q
            policy = planning.greedy_policy(q)

            def lost(theta, new=new, policy=policy):
                reward = family.reward(new, theta)
                return (
                    0.1 * new.initial @ (planning.optimal(new, reward).values - planning.evaluate(new, reward, policy))
                )

            if found.answer == "yes":
                assert max(lost(theta) for theta in members) < 1e-7
            else:
                assert all(ident.contains(theta) for theta in found.witness)
                np.testing.assert_allclose(found.loss, lost(found.witness[1]), rtol=1e-6)
                assert found.loss > 1e-7
    assert set(answers) == {"yes", "no"}


def test_a_goal_seen_through_one_door_is_right_behind_another():
    """The objective stays unknown, the way to the goal does not."""
    first, second = grids(0, 2)
    where = np.zeros((first.environment.n_states, 4, 2))
    where[-1, :, 0] = 1
    where[:, :, 1] = 1
    where[-1, :, 1] = 0
    family = ii.rewards.LinearRewards(where, names=["goal", "floor"])
    agent = ii.agents.Optimal(family, [1.0, 0.0])
    ident = ii.identify(seen_by(agent, first.environment), family)
    found = ii.generalises(ident, second.environment)
    assert found.answer == "yes"
    assert found.witness is None
    assert "yes: all members" in str(found)


def test_only_where_the_new_environment_can_lead_is_asked_for():
    """Left or right was seen at one fork of two; the new environment starts at that fork, or at the other."""
    moves = np.array([[2, 3], [4, 5], [2, 2], [3, 3], [4, 4], [5, 5]])
    family = ii.rewards.StateRewards(6)
    fork, other = (ii.Environment(np.eye(6)[moves], 0.9, np.eye(6)[start]) for start in (0, 1))
    seen = ii.evidence.Policy([[0, 1], *[[0, 0]] * 5])
    ident = ii.identify([(ii.Environment(np.eye(6)[moves], 0.9), seen)], family)
    assert ii.generalises(ident, fork).answer == "yes"
    assert ii.generalises(ident, other).answer == "no"


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_answers_do_not_depend_on_the_unit_of_rewards(unit):
    """Behind the left door it was seen to be better than behind the right one; the new door was never seen."""
    hall, new = np.array([[1, 1, 2], [1] * 3, [2] * 3, [3] * 3]), np.array([[1, 2, 3], [1] * 3, [2] * 3, [3] * 3])
    seen, later, other = (
        ii.Environment(np.eye(4)[door], discount, [1, 0, 0, 0])
        for door, discount in ((hall, 0.5), (hall, 0.9), (new, 0.5))
    )
    family = ii.rewards.LinearRewards(unit * np.repeat(np.eye(4)[:, None], 3, axis=1))
    ident = ii.identify([(seen, ii.evidence.Policy([[0.5, 0.5, 0.0]] + 3 * [[1 / 3] * 3]))], family)
    assert ii.generalises(ident, later).answer == "yes"
    found = ii.generalises(ident, other)
    assert found.answer == "no"
    np.testing.assert_allclose(found.loss, 0.98 * unit, rtol=1e-6)


def test_nothing_seen_generalises_nowhere():
    env = random(0)
    found = ii.generalises([], env, ii.rewards.StateRewards(5))
    assert found.answer == "no"
    assert found.loss > 0


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 4),
    size=st.sampled_from([1e-3, 0.1, 2.0]),
    temperature=st.sampled_from([0.3, 1.0, 5.0]),
)
def test_losses_in_new_environments_stay_under_the_bound(seed, count, size, temperature):
    rng = np.random.default_rng(seed)
    environments = [random(seed + i, 4) for i in range(count)]
    new = ii.builders.discounted(random(seed + 9, 4), float(rng.choice([0.0, 0.5, 0.9])))
    reward = rng.normal(size=(4, 3))
    other = reward + size * rng.normal(size=(4, 3))
    errors = []
    for env in environments:
        logs = [planning.soft(env, r, temperature).log_policy for r in (reward, other)]
        errors.append(temperature * linalg.norm(logs[1] - logs[0]))
    bound = transfer_bound(environments, errors, new, temperature)
    difference = (other - reward).ravel()
    assert linalg.norm(difference - difference.mean()) <= bound.distance * (1 + 1e-9)
    assert soft_loss(new, reward, other, temperature) <= bound.loss * (1 + 1e-9)


def test_the_distance_is_reached_along_the_second_principal_vectors():
    """The errors are at least the distances to the shaping subspaces; with those the bound is an equality."""
    pair = [random(seed, 4) for seed in range(2)]
    bases = [linalg.orth(env.shaping.toarray()) for env in pair]
    away = sum(np.eye(12) - basis @ basis.T for basis in bases)
    values, vectors = linalg.eigh(away)
    assert values[0] < 1e-12 < values[1]
    worst = vectors[:, 1]
    errors = [linalg.norm(worst - basis @ (basis.T @ worst)) for basis in bases]
    np.testing.assert_allclose(transfer_bound(pair, errors, pair[0]).distance, 1, rtol=1e-9)


def test_losses_grow_with_the_inverse_square_of_the_sine():
    """Blends of two environments: same policy errors, smaller angle."""
    first, second = random(0, 6), random(1, 6)
    bounds = [
        transfer_bound([first, ii.builders.blended(first, second, w)], [1e-3, 1e-3], second) for w in (1, 0.1, 0.01)
    ]
    sines = np.array([np.sin(bound.angle / 2) for bound in bounds])
    losses = np.array([bound.loss for bound in bounds])
    np.testing.assert_allclose(losses * sines**2, losses[0] * sines[0] ** 2, rtol=1e-9)
    assert transfer_bound([first, first], [0.1, 0.1], second).loss == np.inf


def test_what_cannot_be_asked_is_refused():
    env = random(0)
    with pytest.raises(ValueError, match="family"):
        ii.generalises([env], env)
    with pytest.raises(ValueError, match="seen: environments without observations"):
        ii.generalises([env], env, ii.rewards.StateRewards(5))
    with pytest.raises(ValueError, match="environments"):
        transfer_bound([env], [0.1], env)
    with pytest.raises(ValueError, match="errors"):
        transfer_bound([env, env], [0.1, -1], env)
    with pytest.raises(ValueError, match="temperature"):
        transfer_bound([env, env], [0.1, 0.1], env, 0)
    ended = ii.Environment(np.eye(5)[np.full((5, 3), 4)], 1.0)
    with pytest.raises(ValueError, match="new: has discount 1"):
        transfer_bound([env, env], [0.1, 0.1], ended)
