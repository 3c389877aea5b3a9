"""The star of branches, held to planning: where preferences switch, and what choices imply."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import irl_ident as ii
from environments import branching_star as world

STARS = list(itertools.product((None, 1, 2, 4, 6), repeat=3))
OPEN = [lengths for lengths in STARS if any(length is not None for length in lengths)]


def taken(theta, lengths, discount=0.9):
    """By planning: the actions that are optimal in the hub."""
    agent = ii.agents.Optimal(world.family(), theta)
    return np.flatnonzero(agent.policy(world.build(lengths, discount=discount))[world.HUB])


@pytest.mark.parametrize("discount", [0.5, 0.9])
def test_the_preferred_branch_is_the_planned_one(discount):
    for theta in ([1, 0.62, 0.3], [0.5, -1, 0.45], [-0.2, -0.9, -1]):
        for lengths in OPEN:
            best = taken(theta, lengths, discount)
            if len(best) == 1:
                assert world.preferred(theta, lengths, discount) == best[0]
            else:
                assert world.preferred(theta, lengths, discount) in best


@given(worse=st.floats(0.3, 0.99), discount=st.floats(0.6, 0.97))
def test_preferences_switch_at_the_closed_form(worse, discount):
    switch = world.switch_distance(1.0, worse, discount)
    for far in range(1, 7):
        if abs(far - 1 - switch) > 1e-6:
            choice = taken([1.0, worse, -1.0], (far, 1, None), discount)
            assert choice.tolist() == [0 if far - 1 < switch else 1]


def test_the_way_is_as_long_as_said_and_ends_at_the_prize():
    lengths = (3, None, 6)
    env = world.build(lengths)
    for branch, length in enumerate(lengths):
        state, steps = world.HUB, 0
        while length is not None and state != world.prize(branch):
            state = int(env.dense()[state, branch].argmax())
            steps += 1
        assert steps == (length or 0)
    assert env.dense()[world.HUB, 1, world.HUB] == 1
    assert env.dense()[world.HUB, 3, world.HUB] == 1
    np.testing.assert_array_equal(np.flatnonzero(env.absorbing), [world.prize(b) for b in range(3)])
    assert env.states[world.prize(2)] == "prize 2"
    assert world.picture(lengths) == "o--0\no#\no-----2"


def farthest_reaching(logs, lengths):
    steps = np.array([np.inf if length is None else length for length in lengths])
    return (logs - steps).argmax(axis=1)


def brute_choices(seen, lengths):
    """By enumerating a fine grid of logarithms of prizes, the first prize kept at 1: what is taken in a star."""
    steps = np.arange(-13, 13.01, 0.25) + 0.125
    logs = np.stack(np.meshgrid(0.0, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    kept = np.ones(len(logs), bool)
    for star, branch in seen:
        kept &= farthest_reaching(logs, star) == branch
    return set(farthest_reaching(logs, lengths)[kept].tolist())


def test_what_is_ruled_out_agrees_with_enumeration():
    rng = np.random.default_rng(0)
    certain = 0
    for _ in range(60):
        theta = world.objectives(rng, 1)[0]
        stars = [world.random_lengths(rng) for _ in range(3)]
        seen = [(star, world.preferred(theta, star, 0.9)) for star in stars]
        asked = world.random_lengths(rng)
        possible = brute_choices(seen, asked)
        assert world.preferred(theta, asked, 0.9) in possible
        for branch in np.flatnonzero([length is not None for length in asked]).tolist():
            assert world.ruled_out(seen, asked, branch) == (branch not in possible)
        certain += len(possible) == 1
    assert 10 < certain < 60


def test_chains_imply_what_no_single_choice_shows():
    """0 rather than 1 two steps farther, 1 rather than 2 three steps farther: 0 rather than 2 five steps farther."""
    leads = world.implied_leads([((3, 1, None), 0), ((None, 4, 1), 1)])
    assert leads[0, 2] == 5
    assert leads[2, 0] == -np.inf
    seen = [((3, 1, None), 0), ((None, 4, 1), 1)]
    assert world.ruled_out(seen, (6, None, 1), 2)
    assert not world.ruled_out(seen, (6, 1, 1), 1)
    contradictory = world.implied_leads([((3, 1, None), 0), ((1, 3, None), 1)])
    assert contradictory[0, 0] == np.inf


def test_the_identified_set_bounds_ratios_as_the_leads_do():
    """The smallest ratio of two prizes in the set is the discount to minus the lead."""
    seen = [((3, 1, None), 0), ((None, 4, 1), 1)]
    theta = [1.0, 0.75, 0.5]
    agent = ii.agents.Optimal(world.family(), theta)
    evidence = [(world.build(lengths), agent.policy(world.build(lengths))) for lengths, _ in seen]
    assert [world.preferred(theta, lengths, 0.9) for lengths, _ in seen] == [taken for _, taken in seen]
    ident = ii.identify(evidence, world.family())
    value, _ = ident.support([-(0.9**5), 0, 1])
    np.testing.assert_allclose(value, 0, atol=1e-8)
    assert ident.support([-(0.9**5.5), 0, 1])[0] > 0.01


def test_lengths_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"lengths\[1\]: was 7, should be from 1 to 6"):
        world.build((1, 7, 2))
    with pytest.raises(ValueError, match="branch 1 was taken where it is closed"):
        world.implied_leads([((1, None, 2), 1)])


def test_drawn_stars_and_objectives():
    rng = np.random.default_rng(0)
    stars = [world.random_lengths(rng, closed=0.3) for _ in range(400)]
    assert min(sum(length is not None for length in star) for star in stars) == 2
    theta = world.objectives(rng, 200)
    np.testing.assert_array_equal(theta.max(axis=1), 1)
    assert 0.4 <= theta.min() < 0.45
