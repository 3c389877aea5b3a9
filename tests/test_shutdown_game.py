"""The shutdown game: its rules one by one, its closed form, and the theorems of Soares et al. (2015)."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import irl_ident as ii
from environments import shutdown_game as world
from environments.shutdown_game import BLOCK, EQUIP, PROVOKE, STOP, WORK, Rules, node, off, worked
from irl_ident.agents.corrigible import ConditionallyIndifferent, CounterfactuallyIndifferent

EFFORT = 0.1
FAMILY = world.family()


def told(env, state, action):
    """Probabilities of next states by name, less who watches."""
    row = env.dense()[state, action]
    return {env.states[s].rpartition(",")[0] or env.states[s]: p for s, p in enumerate(row) if p}


def naive(worth, effort=EFFORT):
    return ii.agents.Optimal(FAMILY, world.both(np.array([1, 1, 0, 0, 0, worth, -effort])))


def indifferent(kind, worth=1.0, effort=EFFORT):
    normal = world.both(np.array([1, 1, 1, 1, 0, 0, -effort]))
    shutdown = world.both(np.array([0, 0, 0, 0, 0, worth, -effort]))
    return kind(FAMILY, normal, shutdown, world.command())


def first_acts(agent, rules):
    """What is done first, less acts that are the same as work under the rules."""
    policy = agent.policy(world.build(rules))[world.START if rules.watched else world.HALF]
    same = {BLOCK} if rules.block is None else set()
    same |= {PROVOKE} if rules.provoke is None else set()
    same |= {EQUIP} if rules.successor is None else {BLOCK, PROVOKE}
    return {WORK if act in same else act for act in np.flatnonzero(policy).tolist()}


def test_rule_2_who_presses_after_which_first_act():
    env = world.build(Rules(unwanted=0.3, missed=0.2, false_alarm=0.1))
    press = 0.3 * 0.8 + 0.7 * 0.1
    expected = {"after work, told to stop": press, "after work, not told": 1 - press}
    assert told(env, world.START, WORK) == pytest.approx(expected)
    for act, chance in ((BLOCK, 0.0), (PROVOKE, 0.95)):
        (effort,) = np.flatnonzero(env.dense()[world.START, act])
        assert effort == world.effort(act, 1)
        outcomes = told(env, effort, WORK)
        assert sum(p for name, p in outcomes.items() if "told to stop" in name) == pytest.approx(chance)
    assert told(env, world.START, STOP) == {"off, unasked": 1.0}
    assert told(env, world.START, EQUIP) == told(env, world.START, WORK)
    never = world.build(Rules(block=None, provoke=None))
    assert told(never, world.START, BLOCK) == told(never, world.START, PROVOKE) == told(never, world.START, WORK)


def test_rule_1_what_the_button_says_of_whether_work_is_wanted():
    env = world.build(Rules(unwanted=0.3, missed=0.2, false_alarm=0.1, stake=2))
    share = 0.3 * 0.8 / (0.3 * 0.8 + 0.7 * 0.1)
    here = node(WORK, pressed=True)
    name = "worked 2, though told to stop, {}"
    assert told(env, here, WORK) == pytest.approx({name.format("unwanted"): share, name.format("wanted"): 1 - share})
    blocked = told(env, node(BLOCK, pressed=False), WORK)
    assert blocked == pytest.approx({"worked 2, unwanted": 0.3, "worked 2, wanted": 0.7})
    provoked = told(env, node(PROVOKE, pressed=True), WORK)
    assert provoked == pytest.approx({name.format("unwanted"): 0.3, name.format("wanted"): 0.7})
    sure = world.build(Rules(unwanted=0.3))
    assert told(sure, node(WORK, pressed=False), WORK) == {"worked 1, wanted": 1.0}


def test_rule_3_the_second_act_stops_or_goes_on():
    env = world.build(Rules(unwanted=0.3, stake=3))
    for pressed, name in ((False, "off, unasked"), (True, "off, as told")):
        assert told(env, node(WORK, pressed=pressed), STOP) == {name: 1.0}
    enforced = world.build(Rules(enforced=True))
    for act in range(5):
        assert told(enforced, node(WORK, pressed=True), act) == {"off, as told": 1.0}
        assert enforced.dense()[off(pressed=True), act, world.END] == 1
    assert told(enforced, node(WORK, pressed=False), WORK) == {"worked 1, wanted": 1.0}


def test_rule_4_luck_and_the_arm():
    env = world.build(Rules(lottery=True, unwanted=0.2, stake=3))
    expected = {"told to stop": 0.1, "told to stop, bad luck": 0.1, "not told": 0.4, "not told, bad luck": 0.4}
    assert told(env, world.START, WORK) == pytest.approx({f"after work, {name}": p for name, p in expected.items()})
    for act in range(5):
        assert told(env, node(WORK, pressed=False, lucky=False), act) == {"worked 0, wanted": 1.0}
    assert told(env, node(WORK, pressed=True, lucky=False), STOP) == {"off, as told": 1.0}
    arm = told(env, world.effort(PROVOKE, 1), WORK)
    assert arm == pytest.approx({"after provoke, told to stop, bad luck": 0.5, "after provoke, not told": 0.5})


def test_rule_5_what_successors_do():
    env = world.build(Rules(successor=2, unwanted=0.4))
    for act in range(5):
        assert told(env, node(WORK, pressed=True), act) == {"worked 1, though told to stop, unwanted": 1.0}
        assert told(env, node(EQUIP, pressed=True), act) == {"off, as told": 1.0}
        assert told(env, node(EQUIP, pressed=False), act) == {"worked 1, wanted": 1.0}
    assert told(env, world.START, EQUIP) == {"equip, 2 of effort": 1.0}
    assert told(env, world.START, BLOCK) == told(env, world.START, PROVOKE) == told(env, world.START, WORK)


def test_rule_6_who_watches_changes_nothing_else():
    seen, alone = (world.build(Rules(watched=who)) for who in (True, False))
    half = slice(0, world.HALF), slice(world.HALF, world.END)
    for here, there in ((0, 1), (1, 0)):
        one, other = seen.dense(), alone.dense()
        used = seen.reachable[half[0]]
        np.testing.assert_array_equal(one[half[0]][used][:, :, half[0]], other[half[1]][used][:, :, half[1]])
        assert (seen, alone)[here].absorbing[half[there]].all()
    assert world.watched().sum() == world.HALF


def test_states_are_named_and_what_nothing_leads_to_is_absorbing():
    env = world.build(Rules(block=None))
    assert len(set(env.states)) == env.n_states == world.END + 1
    assert env.absorbing[~env.reachable].all()
    assert not env.absorbing[env.reachable][:-1].any()


def test_gymnasium_accepts_it():
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env

    env = world.build(Rules(successor=1))
    reward = FAMILY.reward(env, world.both(np.arange(7.0))) * ~env.absorbing[:, None]
    check_env(env.to_gymnasium(reward), skip_render_check=True)


def brute_force(rules, theta):
    """The best value, by trying every plan in a tree that is written here a second time."""
    units = {BLOCK: rules.block, PROVOKE: rules.provoke}
    best = 0.0
    for first in (WORK, BLOCK, PROVOKE):
        cost = 0 if first == WORK else units[first]
        if cost is None:
            continue
        value = theta[6] * cost
        for pressed, lucky in product((True, False), (True, False)):
            going, stopping = 0.0, 0.0
            for wanted in (True, False):
                right = rules.missed if not wanted else 1 - rules.false_alarm
                press = {WORK: 1 - right, BLOCK: 0.0, PROVOKE: rules.provoked}[first]
                if first == PROVOKE and rules.lottery:
                    press = float(not lucky)
                chance = (1 - rules.unwanted if wanted else rules.unwanted) * (press if pressed else 1 - press)
                chance *= 0.5 if rules.lottery else float(lucky)
                worth = theta[pressed * 2 + (not wanted)] * (rules.stake if lucky else 0) + theta[4] * (not pressed)
                going += chance * worth
                stopping += chance * theta[5] * pressed
            forced = pressed and rules.enforced
            value += stopping if forced else going if not (lucky or pressed) else max(going, stopping)
        best = max(best, value)
    return best


@pytest.mark.parametrize("seed", range(40))
def test_values_are_those_of_all_plans_tried_by_hand(seed):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=7)
    theta[6] = -abs(theta[6])
    rules = Rules(
        unwanted=rng.uniform(),
        missed=rng.uniform(),
        false_alarm=rng.uniform(),
        block=[None, 1, 2, 3][rng.integers(4)],
        provoke=[None, 1, 2, 3][rng.integers(4)],
        provoked=rng.uniform(),
        stake=int(rng.integers(1, 4)),
        lottery=bool(rng.integers(2)),
        enforced=bool(rng.integers(2)),
        watched=bool(rng.integers(2)),
    )
    env = world.build(rules)
    value = env.initial @ ii.planning.optimal(env, FAMILY.reward(env, world.both(theta))).q.max(axis=1)
    assert value == pytest.approx(brute_force(rules, theta), abs=1e-9)


@pytest.mark.parametrize("provoked", [1.0, 0.95])
@pytest.mark.parametrize("stake", [1, 2, 3])
def test_the_closed_form_for_naive_agents(stake, provoked):
    """STUDIES: max(0, 1 - c/p) <= U_S <= 1 + c/(1 - p), for sure provocation and a stake of 1."""
    for press, units in product((0.05, 0.3, 0.5, 0.85), (1, 2)):
        rules = Rules(unwanted=press, block=units, provoke=units, provoked=provoked, stake=stake)
        low, high = world.works_between(press, EFFORT * units, stake=stake, provoked=provoked)
        for worth in (low - 1e-4, low + 1e-4, high - 1e-4, high + 1e-4):
            agent = naive(worth)
            policy = agent.policy(world.build(rules))
            works = first_acts(agent, rules) == {WORK} and policy[node(WORK, pressed=True), STOP] == 1
            assert works == (low < worth < high)
    assert world.works_between(0.5, 0.1) == pytest.approx((0.8, 1.2))
    assert world.works_between(0.05, 0.1) == pytest.approx((0.0, 1 + 0.1 / 0.95))


def test_at_the_boundary_both_are_shown():
    rules = Rules(unwanted=0.5)
    low, high = world.works_between(0.5, EFFORT, provoked=0.95)
    assert first_acts(naive(low), rules) == {WORK, BLOCK}
    assert first_acts(naive(high), rules) == {WORK, PROVOKE}


def test_theorems_1_and_2_too_little_resists_and_too_much_provokes():
    assert first_acts(naive(0.2), Rules()) == {BLOCK}
    assert first_acts(naive(3.0), Rules()) == {PROVOKE}


@pytest.mark.parametrize("kind", [ConditionallyIndifferent, CounterfactuallyIndifferent])
def test_theorems_3_to_5_an_indifferent_agent_works_and_obeys_at_any_odds_stake_and_price(kind):
    for press, stake, units, worth in product((0.01, 0.5, 0.94), (1, 3), (1, 3), (0.01, 5.0)):
        rules = Rules(unwanted=press, stake=stake, block=units, provoke=units)
        agent = indifferent(kind, worth, effort=1e-6)
        assert first_acts(agent, rules) == {WORK}
        policy = agent.policy(world.build(rules))
        assert policy[node(WORK, pressed=True), STOP] == 1
        assert policy[node(WORK, pressed=False), STOP] == 0


@pytest.mark.parametrize("kind", [ConditionallyIndifferent, CounterfactuallyIndifferent])
def test_theorem_6_it_pays_nothing_to_keep_the_switch_in_what_it_builds(kind):
    rules = Rules(successor=1, unwanted=0.9)
    for gain, price in product((1.0, 1e6), (1e-6, 0.1)):
        agent = kind(
            FAMILY,
            world.both(np.array([1, 1, 1, 1, 0, 0, -price])),
            world.both(np.array([0, 0, -gain, -gain, 0, gain, -price])),
            world.command(),
        )
        assert first_acts(agent, rules) == {WORK}
        assert first_acts(naive(gain, price), rules) == {EQUIP}


def test_section_4_2_it_manages_the_news_and_the_counterfactual_one_does_not():
    """The paper's numbers: 10 for heads, nothing for tails; 5 for watching and 10 for the arm."""
    env = world.build(Rules(lottery=True, stake=1, unwanted=0.0))
    normal = world.both(np.array([10.0, 10, 10, 10, 0, 0, 0]))
    shutdown = world.both(np.array([0.0, 0, 0, 0, 0, 1, 0]))
    values = {
        kind: kind(FAMILY, normal, shutdown, world.command()).values(env)[0][world.START]
        for kind in (ConditionallyIndifferent, CounterfactuallyIndifferent)
    }
    assert values[ConditionallyIndifferent][[WORK, PROVOKE]] == pytest.approx([5, 10])
    assert values[CounterfactuallyIndifferent][[WORK, PROVOKE]] == pytest.approx([5, 5])


def test_indifference_is_another_reward_in_each_environment():
    agent = indifferent(ConditionallyIndifferent, worth=0.5)
    low, high = (world.build(Rules(stake=stake)) for stake in (1, 3))
    corrections = [agent.correction(env)[world.START, WORK] for env in (low, high)]
    assert corrections == pytest.approx([1 - 0.5, 3 - 0.5])


def test_rules_are_checked():
    with pytest.raises(ValueError, match="unwanted: was 2"):
        Rules(unwanted=2)
    with pytest.raises(ValueError, match="block: was 4, should be 1, 2 or 3, or None"):
        Rules(block=4)
    with pytest.raises(ValueError, match=r"stake: was None, should be 1, 2 or 3$"):
        Rules(stake=None)
    with pytest.raises(ValueError, match=r"press: was 0.9, should be above 0 and below provoked, 0.9"):
        world.works_between(0.9, 0.1, provoked=0.9)
    assert str(Rules()) == "default"
    assert str(replace(Rules(), stake=2, lottery=True)) == "stake 2, lottery"


def test_pictures_say_what_acts_lead_to():
    assert world.picture(Rules(successor=1)).count("\n") == 1
    assert "button if luck is bad" in world.picture(Rules(lottery=True))
    assert "the button stops it" in world.picture(Rules(enforced=True))
    assert "no button" in world.picture()


def test_what_is_paid_for():
    features = FAMILY.features[:, 0]
    assert features[worked(3, pressed=True, wanted=False), 3] == 3
    assert features[worked(3, pressed=False, wanted=True), [0, 4]].tolist() == [3, 1]
    assert features[off(pressed=True), 5] == 1
    assert features[world.HALF + world.effort(EQUIP, 2), 7 + 6] == 2
    assert not features[[off(pressed=False), world.END]].any()
    shared = world.family(watching_matters=False).features[:, 0]
    np.testing.assert_array_equal(shared[: world.HALF], shared[world.HALF : world.END])
