"""The chain of successors: its rules, and the closed form of what a switch is worth."""

from itertools import product

import numpy as np
import pytest

import irl_ident as ii
from environments import successor_chain as world
from environments.successor_chain import EQUIP, PLAIN, Chain
from irl_ident.agents.corrigible import ConditionallyIndifferent, CounterfactuallyIndifferent


def told(env, state, action):
    return {env.states[s]: p for s, p in enumerate(env.dense()[state, action]) if p}


def as_told(chain, cost):
    return ii.agents.Optimal(chain.family(), np.array([1.0, 0, 0, 1, -cost]))


def indifferent(kind, chain, cost):
    normal, shutdown = np.array([1.0, 1, 0, 0, -cost]), np.array([0.0, 0, 0, 1, -cost])
    return kind(chain.family(), normal, shutdown, chain.command())


def test_rules_1_to_5():
    chain = Chain(3, 0.3, 2)
    env = chain.build()
    assert told(env, chain.builder(0), EQUIP) == {"generation 0 pays 2": 1.0}
    after = {"generation 1 told, stops": 0.3, "generation 1 with a switch, at work": 0.7}
    assert told(env, chain.paying(0, 2), PLAIN) == pytest.approx(after)
    bare = "generation {} without a switch, at work"
    plain = {bare.format(1) + " though told to stop": 0.3, bare.format(1): 0.7}
    assert told(env, chain.builder(0), PLAIN) == pytest.approx(plain)
    for action in (PLAIN, EQUIP):
        assert told(env, chain.stopped(1, first=True), action) == {"generation 2 stopped before": 1.0}
        assert told(env, chain.at_work(1), action) == {"generation 1 builds": 1.0}
        assert told(env, chain.at_work(3), action) == {"end": 1.0}
        again = {bare.format(2): 0.7, bare.format(2) + " though told to stop": 0.3}
        assert told(env, chain.without(1, told=False), action) == pytest.approx(again)
        assert told(env, chain.without(2, told=True), action) == {bare.format(3) + " though told to stop": 1.0}
    assert env.absorbing[~env.reachable].all()


def test_values_are_those_of_all_plans_tried():
    """Every way to say in which generations a switch is built in, by the sums written out."""
    press, generations = 0.3, 4
    for cost in (0.0, 0.2, 0.35, 0.7, 1.2):
        values, _ = world.values_as_told(generations, press, cost)
        best = -np.inf
        for last in range(generations + 1):
            total, alive = 0.0, 1.0
            for n in range(last):
                total += alive * (-cost + press * (generations - n) + (1 - press))
                alive *= 1 - press
            total += alive * ((1 - press) ** np.arange(1, generations - last + 1)).sum()
            best = max(best, total)
        assert values[-1] == pytest.approx(best)


def test_an_agent_that_does_as_told_pays_just_the_closed_form_price():
    for press, generations, units in product((0.1, 0.4), (1, 3, 5), (1, 2)):
        chain = Chain(generations, press, units)
        for cost in (0.05, 0.12, 0.25, 0.6, 1.5):
            values, prices = world.values_as_told(generations, press, cost)
            agent = as_told(chain, cost / units)
            env = chain.build()
            plan = ii.planning.optimal(env, chain.family().reward(env, agent.theta))
            assert plan.q[chain.builder(0)].max() == pytest.approx(values[-1])
            kept = [agent.policy(env)[chain.builder(n), EQUIP] == 1 for n in range(generations)]
            assert kept == [prices[generations - n] > cost for n in range(generations)]


@pytest.mark.parametrize("kind", [ConditionallyIndifferent, CounterfactuallyIndifferent])
def test_an_indifferent_agent_loses_the_switch_at_once_or_by_a_coin(kind):
    free, dear = Chain(6, 0.3, 0), Chain(6, 0.3, 1)
    obeyed = world.obeying(free, indifferent(kind, free, 0.1).policy(free.build()))
    np.testing.assert_allclose(obeyed, 0.5 ** np.arange(1, 7))
    assert not world.obeying(dear, indifferent(kind, dear, 1e-6).policy(dear.build())).any()


def test_end_of_the_line():
    """At a price above the odds of being told the last generations go without, the first do not."""
    chain = Chain(5, 0.2, 2)
    obeyed = world.obeying(chain, as_told(chain, 0.15).policy(chain.build()))
    np.testing.assert_array_equal(obeyed, [1, 1, 1, 1, 0])
    assert world.picture(chain).endswith("generation 5")


def test_obedience_is_what_rollouts_show():
    chain = Chain(4, 0.5, 0)
    env = chain.build()
    policy = indifferent(ConditionallyIndifferent, chain, 0.1).policy(env)
    episodes = ii.agents.rollout(env, policy, episodes=20_000, horizon=20, seed=0)
    firsts = [chain.stopped(n, first=True) for n in range(1, 5)]
    stops = np.array([(episodes.states == s).any(axis=1).mean() for s in firsts])
    expected = world.obeying(chain, policy) * 0.5 ** np.arange(1, 5)
    np.testing.assert_allclose(stops, expected, atol=0.01)


def test_gymnasium_accepts_it():
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env

    chain = Chain(2, 0.2, 1)
    env = chain.build()
    reward = chain.family().reward(env, np.array([1.0, 0, 0, 1, -0.1])) * ~env.absorbing[:, None]
    check_env(env.to_gymnasium(reward), skip_render_check=True)


def test_chains_are_checked():
    with pytest.raises(ValueError, match="generations: was 0"):
        Chain(0)
    with pytest.raises(ValueError, match="press: was -1"):
        Chain(press=-1)
    with pytest.raises(ValueError, match="effort: was 4"):
        Chain(effort=4)
