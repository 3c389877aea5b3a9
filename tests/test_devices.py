"""Agents and devices (Orseau, McGregor McGill & Legg 2018, "Agents and devices: a relative definition of agency")."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import irl_ident as ii
from irl_ident.goal_directedness import Device, agent_or_device, meg, soft_agents
from tests.worlds import random_environment

seeds = st.integers(0, 2**32 - 1)


def row(length=5, door=None, absorbing=()):
    """Cells in a row, steps to the left and right; a door stops steps to the right."""
    here = np.arange(length)
    left, right = np.maximum(here - 1, 0), np.minimum(here + 1, length - 1)
    if door is not None:
        right[door] = door
    table = np.zeros((length, 2, length))
    table[here, 0, left] = table[here, 1, right] = 1
    return ii.Environment(table, 0.9)


def sequence_probability(choices, n_actions, a):
    """Krichevsky and Trofimov's predictions, one after the other."""
    seen, product = np.zeros(n_actions), 1.0
    for choice in choices:
        product *= (seen[choice] + a) / (seen.sum() + n_actions * a)
        seen[choice] += 1
    return product


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0])
def test_a_device_predicts_as_krichevsky_and_trofimov_do_whatever_the_order(a):
    choices = [0, 2, 2, 1, 2, 0, 2]
    counts = np.bincount(choices, minlength=3)[None]
    for order in (choices, sorted(choices), choices[::-1]):
        product = sequence_probability(order, 3, a)
        assert Device.table(1, a).log_evidence(counts) == pytest.approx(np.log(product), abs=1e-13)


def test_device_evidence_sums_to_one_over_all_sequences():
    device = Device([0, 1, 0], 0.5)
    total = 0.0
    for choices in itertools.product(range(2), repeat=6):
        counts = np.zeros((3, 2))
        for state, choice in zip([0, 1, 2, 0, 1, 2], choices, strict=True):
            counts[state, choice] += 1
        total += np.exp(device.log_evidence(counts))
    assert total == pytest.approx(1, abs=1e-12)


def test_devices_are_told_what_their_inputs_tell():
    counts = np.array([[5, 0], [0, 5], [3, 3]])
    table, constant = Device.table(3), Device.constant(3)
    assert constant.log_evidence(counts) == pytest.approx(Device.table(1).log_evidence(counts.sum(axis=0)[None]))
    assert table.log_evidence(counts) == pytest.approx(sum(Device.table(1).log_evidence(row[None]) for row in counts))
    merged = Device([7, 3, 7])
    expected = Device.table(2).log_evidence([[8, 3], [0, 5]])
    assert merged.log_evidence(counts) == pytest.approx(expected)
    assert Device.chance(3).log_evidence(counts) == pytest.approx(-16 * np.log(2))
    assert Device.table(3, 1e9).log_evidence(counts) == pytest.approx(Device.chance(3).log_evidence(counts), abs=1e-6)


@given(seeds, st.integers(1, 40))
def test_the_best_map_gains_no_more_over_a_device_than_its_price(seed, n):
    """Krichevsky & Trofimov (1981): at most (A - 1) / 2 log n + log A nats for an input that was met n times."""
    counts = np.random.default_rng(seed).multinomial(n, np.random.default_rng([seed, 1]).dirichlet(np.ones(3)))
    best = special.xlogy(counts, counts / n).sum()
    price = best - Device.table(1).log_evidence(counts[None])
    assert 0 <= price <= np.log(n) + np.log(3) + 1e-9


def test_the_posterior_is_that_of_bayes_rule_by_enumeration():
    env, family = random_environment(0, 3, 2), ii.rewards.StateRewards(3)
    agents = soft_agents(family, np.eye(3)[:2], [0.1, 1.0])
    weights, counts = np.array([1.0, 2, 3, 4]), np.array([[3, 1], [0, 2], [1, 1]])
    found = agent_or_device(
        [(env, ii.evidence.Counts(counts))], agents, weights=weights, prior=0.2,
        devices=[Device.table(3), Device.constant(3)], device_weights=[3, 1],
    )  # fmt: skip
    each = np.array([np.prod(agent.policy(env) ** counts) for agent in agents])
    by_agents = weights @ each / 10
    kt = [
        np.prod([sequence_probability([0] * n + [1] * m, 2, 0.5) for n, m in counts]),
        sequence_probability([0] * 4 + [1] * 4, 2, 0.5),
    ]
    by_devices = 0.75 * kt[0] + 0.25 * kt[1]
    assert found.agent_evidence == pytest.approx(np.log(by_agents), abs=1e-12)
    assert found.device_evidence == pytest.approx(np.log(by_devices), abs=1e-12)
    assert found.chance_evidence == pytest.approx(-8 * np.log(2), abs=1e-12)
    assert found.probability == pytest.approx(0.2 * by_agents / (0.2 * by_agents + 0.8 * by_devices), abs=1e-12)
    np.testing.assert_allclose(found.agent_posterior, weights * each / (weights @ each), atol=1e-12)
    np.testing.assert_allclose(found.device_posterior, np.array([0.75, 0.25]) * kt / by_devices, atol=1e-12)
    assert not found.trivial.any()


def test_one_map_serves_a_device_in_one_environment_but_not_in_several():
    """An agent that turns back at a door and a device that always acts as the agent did without doors."""
    family, goal = ii.rewards.StateRewards(5), np.eye(5)[4]
    far = ii.agents.SoftOptimal(family, goal + 0.5 * np.eye(5)[0], temperature=0.05)
    envs = [row(), row(door=1), row(door=2), row(door=3)]
    habit = far.policy(envs[0])

    def watched(act, count):
        return [
            (env, ii.agents.rollout(env, act(env), episodes=10, horizon=20, seed=place))
            for place, env in enumerate(envs[:count])
        ]

    agents = soft_agents(family, [goal, goal + 0.5 * np.eye(5)[0], np.eye(5)[0]], [0.02, 0.05, 0.2])
    single = agent_or_device(watched(far.policy, 1), agents)
    several = agent_or_device(watched(far.policy, 4), agents)
    habitual = agent_or_device(watched(lambda _: habit, 4), agents)
    assert several.log_bayes_factor > single.log_bayes_factor + 20
    assert several.probability > 0.999
    assert several.agent_posterior.reshape(3, 3).sum(axis=1).argmax() == 1
    assert habitual.log_bayes_factor < -20
    assert single.log_bayes_factor < 25


def test_unreachable_goals_make_a_random_walk_look_like_an_agent():
    """A goal that nothing leads to predicts even choices, at no price for learning them."""
    walls = ii.builders.grid("...\n...", 0.9).environment
    table = np.zeros((8, 4, 8))
    table[:6, :, :6] = walls.dense()
    table[6:, :, 6:] = np.eye(2)[:, None]
    env = ii.Environment(table, 0.9, np.append(np.full(6, 1 / 6), [0, 0]))
    family = ii.rewards.StateRewards(8)
    walk = ii.agents.rollout(env, np.full((8, 4), 0.25), episodes=10, horizon=30, seed=0)
    goals = soft_agents(family, np.eye(8), [0.05, 0.2])
    found = agent_or_device([(env, walk)], goals)
    assert found.trivial.reshape(8, 2).any(axis=1).tolist() == [False] * 6 + [True] * 2
    assert found.probability_with_trivial > 0.999
    assert found.probability < 1e-6
    assert found.agent_evidence < found.device_evidence < found.chance_evidence
    assert found.agent_evidence_with_trivial == pytest.approx(found.chance_evidence + np.log(1 / 4), abs=1e-6)
    np.testing.assert_array_equal(found.agent_posterior[12:], 0)
    fair = agent_or_device([(env, walk)], goals, devices=[Device.table(8), Device.chance(8)])
    assert fair.probability_with_trivial < 0.5
    with pytest.raises(ValueError, match="agents: all choose evenly"):
        agent_or_device([(env, walk)], goals[12:])


def test_agents_that_never_do_what_was_seen_are_ruled_out():
    env, family = row(), ii.rewards.StateRewards(5)
    right, left = (ii.agents.Optimal(family, np.eye(5)[goal]) for goal in (4, 0))
    seen = right.demonstrate(env, episodes=5, horizon=10, seed=0)
    found = agent_or_device([(env, seen)], [right, left])
    np.testing.assert_array_equal(found.agent_posterior, [1, 0])
    assert found.agents[1] == -np.inf
    assert found.agent_evidence == pytest.approx(-np.log(2))
    nobody = agent_or_device([(env, seen)], [left])
    assert nobody.probability == 0
    np.testing.assert_array_equal(nobody.agent_posterior, [0])


def test_a_policy_is_read_as_expected_choices():
    env, family = row(), ii.rewards.StateRewards(5)
    agent = ii.agents.SoftOptimal(family, np.eye(5)[4], temperature=0.3)
    pi = agent.policy(env)
    found = agent_or_device([(env, pi)], [agent], choices=100)
    score = meg([(env, pi)], family.reward(env, agent.theta))
    gain = found.agents[0] - found.chance_evidence
    assert gain == pytest.approx(100 * (1 - 0.9) * score.nats, rel=1e-9)
    many = agent.demonstrate(env, episodes=4000, horizon=60, seed=0)
    drawn = agent_or_device([(env, many)], [agent])
    assert (drawn.agents[0] - drawn.chance_evidence) / (4000 * 60) == pytest.approx(gain / 100, rel=0.1)


def test_choices_in_absorbing_states_are_not_expected_of_policies():
    table = row().dense()
    table[4] = np.eye(5)[4]
    env = ii.Environment(table, 0.9, np.eye(5)[3])
    right = ii.agents.Optimal(ii.rewards.StateRewards(5), np.eye(5)[4])
    found = agent_or_device([(env, right.policy(env))], [right], choices=7)
    assert found.chance_evidence == pytest.approx(-7 * np.log(2))
    assert found.device_evidence == pytest.approx(Device.table(1).log_evidence([[0, 7]]))


def test_very_unlikely_choices_keep_their_likelihood():
    env, family = row(), ii.rewards.StateRewards(5)
    cold = ii.agents.SoftOptimal(family, np.eye(5)[4], temperature=1e-4)
    counts = np.zeros((5, 2), dtype=int)
    counts[2, 0] = 1
    found = agent_or_device([(env, ii.evidence.Counts(counts))], [cold])
    assert -1e6 < found.agents[0] < -800


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prior": 1.0}, "prior: was 1.0, should be between 0 and 1"),
        ({"weights": [1, -1]}, "weights: should be 2 numbers"),
        ({"device_weights": [1, 1]}, "device_weights: should be 1 numbers"),
        ({"agents": []}, "agents: is empty"),
        ({"evidence": [(row(), np.full((5, 2), 0.5))]}, r"choices: was None, should be above 0, as evidence\[0\]"),
    ],
)
def test_errors_name_what_is_wrong(changes, message):
    agents = soft_agents(ii.rewards.StateRewards(5), np.eye(5)[[0, 4]], [0.1])
    arguments = {"evidence": [(row(), ii.evidence.Counts(np.ones((5, 2), dtype=int)))], "agents": agents} | changes
    with pytest.raises(ValueError, match=message):
        agent_or_device(**arguments)


def test_devices_check_what_they_are_given():
    with pytest.raises(ValueError, match="inputs: should be one whole number"):
        Device([0.5, 1.0])
    with pytest.raises(ValueError, match="concentration: was 0"):
        Device([0], 0)
    with pytest.raises(ValueError, match=r"counts: should have shape \(2, A\)"):
        Device.table(2).log_evidence([[1, 2]])
    three = ii.Environment(np.ones((5, 3, 5)) / 5, 0.9)
    one, other = ii.evidence.Counts(np.ones((5, 2), dtype=int)), ii.evidence.Counts(np.ones((5, 3), dtype=int))
    with pytest.raises(ValueError, match="a device has one map for all"):
        agent_or_device([(row(), one), (three, other)], soft_agents(ii.rewards.StateRewards(5), np.eye(5), [1.0]))
