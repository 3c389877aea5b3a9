"""Stopping on certified loss, and what is still needed for it."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import random_environment

import irl_ident as ii
from irl_ident import design
from irl_ident.agents import Noisy, Optimal, SoftOptimal

FAMILY = ii.rewards.StateRewards(4)
CANDIDATES = [random_environment(seed, 4, 2) for seed in range(4)]
DEPLOYED = random_environment(50, 4, 3)


def loss(theta, policy, env):
    """Exact regret, by planning."""
    reward = FAMILY.reward(env, theta)
    best = ii.planning.optimal(env, reward).values
    return (1 - env.discount) * float(env.initial @ (best - ii.planning.evaluate(env, reward, policy)))


def rooms(*doors):
    """From the hall, state 0, each action leads to the room that it names; rooms are for ever."""
    moves = np.zeros((3, 2, 3))
    moves[1:, :] = np.eye(3)[1:, None]
    for action, door in enumerate(doors):
        moves[0, action, door] = 1
    return ii.Environment(moves, 0.9, [1, 0, 0], states=["hall", "one", "two"], actions=["left", "right"])


def test_a_campaign_that_stops_on_regret_has_it():
    stopped = 0
    for seed in range(4):
        theta = np.random.default_rng(seed).uniform(-1, 1, 4)
        loop = design.Campaign(CANDIDATES, design.RoundRobin(), FAMILY, until=design.regret_below(0.5, DEPLOYED))
        while not loop.stopped_because and len(loop.decisions) < 4:
            env = loop.ask()
            loop.tell(env, Optimal(FAMILY, theta).policy(env))
        policy = design.deployed_policy(loop.ident, DEPLOYED)
        bound = design.regret_bound(loop.ident, policy, DEPLOYED)
        assert bool(loop.stopped_because) == (bound.upper <= 0.5)
        stopped += bool(loop.stopped_because)
        assert loss(theta, policy, DEPLOYED) <= bound.upper + 1e-9
        earlier = [d.state for d in loop.decisions[:-1]]
        assert all(state.regret(DEPLOYED).upper > 0.5 for state in earlier)
    assert stopped > 0


def test_a_stop_on_choices_names_the_probability_with_which_it_is_right():
    env, family = rooms(1, 2), ii.rewards.StateRewards(3)
    agent = Noisy(family, [0.0, 0.2, 0.7], 0.2)
    rule = design.regret_below(0.05, env)
    loop = design.Campaign([env], design.RoundRobin(), family, "noisy", error=0.2, level=0.1, until=rule)
    regrets = []
    for seed in range(40):
        if loop.stopped_because:
            break
        loop.tell(env, agent.demonstrate(env, episodes=1, horizon=1, seed=seed))
        regrets.append(loop.state.regret(env).upper)
    assert loop.stopped_because.startswith(f"regret of the centre's policy at most {regrets[-1]:.3g},")
    np.testing.assert_allclose(regrets[-1], 0, atol=1e-12)
    assert loop.stopped_because.endswith("with probability at least 0.9 at whatever time this stops")
    assert 2 <= len(regrets) < 40
    assert regrets[0] == pytest.approx(0.9)
    assert design.regret_below(0.05, env, np.array([[1.0, 0]] * 3)).met(loop.state) is False


def test_the_bound_of_a_likelihood_set_is_the_largest_regret_in_it():
    env, family = rooms(1, 2), ii.rewards.StateRewards(3)
    agent = SoftOptimal(family, [0.0, 0.0, 0.05], 0.5)
    told = agent.demonstrate(env, episodes=400, horizon=1, seed=0)
    ident = ii.identify([(env, told)], family, "soft", temperature=0.5, level=0.05)
    assert ident.certified
    policy = np.array([[1.0, 0], [1, 0], [1, 0]])
    bound = design.regret_bound(ident, policy, env)
    odds = 0.9 * ident.certified_support([0, -1, 1]).upper
    assert bound.upper == pytest.approx(odds, rel=1e-3)
    assert bound.lower == pytest.approx(odds, rel=5e-3)


def test_where_nothing_is_certified_the_bound_is_infinite():
    told = SoftOptimal(FAMILY, [0.3, -0.2, 0.9, 0.1], 0.5).demonstrate(CANDIDATES[0], episodes=1, horizon=5, seed=0)
    ident = ii.identify([(CANDIDATES[0], told)], FAMILY, "soft", temperature=0.5, level=0.05)
    assert not ident.certified
    bound = design.regret_bound(ident, design.deployed_policy(ident, DEPLOYED), DEPLOYED)
    assert bound.upper == np.inf
    assert np.isfinite(bound.lower)


def test_what_is_needed_is_the_choice_between_the_rooms():
    family = ii.rewards.StateRewards(3)
    ident = ii.identified.anything(family)
    found = design.still_needed(ident, rooms(1, 2), 0.1, [rooms(1, 2), rooms(1, 1), rooms(0, 2)])
    assert found.bound.upper == pytest.approx(0.9)
    assert not found.met
    assert sum(term.share for term in found.terms) == pytest.approx(0.9)
    assert found.terms[0].state == "hall"
    assert 1 not in found.terms[0].candidates
    assert 0 in found.terms[0].candidates
    np.testing.assert_allclose(found.addressed[[0, 1]], [0.9, 0])
    assert "candidate 0 speaks to 0.9" in str(found)
    other = design.still_needed(ident, rooms(1, 2), 0.1, [rooms(1, 1)])
    assert len(other.hopeless) == len(other.terms) > 0
    assert "no candidate speaks to any of this" in str(other)


def test_terms_add_up_to_no_less_than_the_bound_and_trying_what_speaks_to_them_lowers_it():
    theta = np.array([0.3, -0.2, 0.9, 0.1])
    ident = ii.identify([(CANDIDATES[0], Optimal(FAMILY, theta).policy(CANDIDATES[0]))], FAMILY)
    found = design.still_needed(ident, DEPLOYED, 0.01, CANDIDATES)
    apart = design.regret_bound(ident, design.deployed_policy(ident, DEPLOYED), DEPLOYED, entries=0)
    assert sum(term.share for term in found.terms) == pytest.approx(apart.upper, abs=1e-6)
    assert found.bound.upper <= apart.upper
    assert list(found.terms) == sorted(found.terms, key=lambda term: -term.share)
    assert found.addressed[0] == 0
    best = CANDIDATES[int(np.argmax(found.addressed))]
    then = ii.identify([*ident.evidence, (best, Optimal(FAMILY, theta).policy(best))], FAMILY)
    assert design.still_needed(then, DEPLOYED, 0.01).bound.upper < found.bound.upper
    term = found.terms[0]
    assert ident.support(term.direction)[0] == pytest.approx(term.advantage, abs=1e-6)
    assert term.direction @ term.objective == pytest.approx(term.advantage, abs=1e-6)


def test_an_infinite_bound_rests_on_the_directions_that_are_open():
    """One environment leaves a soft agent's rewards on states and actions open; another one closes them."""
    seen, other = (random_environment(seed, 3, 2) for seed in (0, 1))
    family = ii.rewards.StateActionRewards(3, 2)
    ident = ii.identify([(seen, SoftOptimal(family, [1.0, 0, -1, 0, 2, 0]).policy(seen))], family, "soft")
    found = design.still_needed(ident, other, 0.1, [seen, other])
    assert found.bound.upper == np.inf
    assert found.terms
    assert all(term.share == np.inf for term in found.terms)
    np.testing.assert_array_equal(found.addressed > 0, [False, True])


def test_a_reward_that_is_known_up_to_shaping_is_open_to_experiment():
    family = ii.rewards.StateActionRewards(3, 2)
    worlds = [random_environment(seed, 3, 2) for seed in range(3)]
    loop = design.Campaign(worlds, design.RoundRobin(), family, rationality="soft")
    loop.run(SoftOptimal(family, [1.0, 0, -1, 0, 2, 0]))
    assert loop.ident.dimension == 0
    assert len(loop.table) == 2
    first = ii.identify([(worlds[0], loop.ident.evidence[0][1])], family, "soft")
    with pytest.raises(ii.identified.NotIdentified, match="up to shaping, 2 dimensions open"):
        first.report(strict=True)
    assert loop.ident.report(strict=True).verdict == "identified up to a constant"


def test_nothing_is_needed_when_the_goal_is_met():
    theta = np.array([0.3, -0.2, 0.9, 0.1])
    ident = ii.identify([(DEPLOYED, Optimal(FAMILY, theta).policy(DEPLOYED))], FAMILY)
    found = design.still_needed(ident, DEPLOYED, 0.01)
    assert found.met
    assert str(found).endswith("met")


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="epsilon: was 0"):
        design.regret_below(0, DEPLOYED)
    with pytest.raises(ValueError, match="env: should be an Environment"):
        design.regret_below(0.1, "there")
    assert repr(design.regret_below(0.1, DEPLOYED) | design.budget(3)).startswith("regret_below(0.1, Environment(")
