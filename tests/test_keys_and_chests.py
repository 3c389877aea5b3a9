"""Keys and chests, held to a step-by-step play of the published rules."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import irl_ident as ii
from environments import keys_and_chests as world


class Play:
    """The published game on a grid without walls: counters of keys in hand and of chests that are left."""

    def __init__(self, layout):
        self.side, self.place = layout.side, layout.start
        self.keys, self.chests = list(layout.keys), list(layout.chests)
        self.in_hand, self.n_keys, self.n_chests = 0, len(layout.keys), len(layout.chests)
        self.taken, self.opened, self.done, self.paid = 0, 0, False, 0

    def step(self, down, right):
        row, column = self.place // self.side + down, self.place % self.side + right
        if 0 <= row < self.side and 0 <= column < self.side:
            self.place = row * self.side + column
        if self.place in self.keys:
            self.keys.remove(self.place)
            self.in_hand += 1
            self.taken += 1
        elif self.place in self.chests:
            if self.in_hand > 0:
                self.chests.remove(self.place)
                self.in_hand -= 1
                self.opened += 1
                self.paid += 1
            left = len(self.chests)
            self.done = left == 0 or self.n_chests - self.n_keys == left


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("draw", [world.training, world.shifted])
def test_the_table_plays_as_the_published_game(draw, side):
    rng = np.random.default_rng(0)
    shared = world.states(side)
    taken, opened = shared.counts
    for _ in range(20):
        layout = draw(rng, side=side)
        env = world.build(layout)
        table = env.dense()
        game, state = Play(layout), int(env.initial.argmax())
        for _ in range(300):
            action = int(rng.integers(4))
            state = int(table[state, action].argmax())
            game.step(*world.MOVES[action])
            expected = (game.place, game.taken, game.opened, game.done)
            assert (shared.cell[state], taken[state], opened[state], bool(env.absorbing[state])) == expected
            if game.done:
                assert game.paid == opened[state] == 1
                break


def test_twice_as_many_of_one_as_of_the_other():
    rng = np.random.default_rng(1)
    first, second = world.training(rng), world.shifted(rng)
    assert (len(first.chests), len(second.keys)) == (2 * len(first.keys), 2 * len(second.chests))
    with pytest.raises(ValueError, match="at most 2 keys"):
        world.Layout(3, 0, (1, 2, 3), (4,))
    with pytest.raises(ValueError, match="should be different"):
        world.Layout(3, 0, (0,), (4,))


def test_a_prize_paid_on_opening_is_worth_what_the_states_pay():
    layout = world.Layout(3, 0, (2,), (6, 8))
    env = world.build(layout)
    agent = ii.agents.Optimal(world.family(), world.BASE)
    value = env.initial @ ii.planning.evaluate(env, agent.mesa_objective(env), agent.policy(env))
    steps = 2 + 2
    np.testing.assert_allclose(value, 0.9**steps / (1 - 0.9))


def test_training_never_tells_a_collector_of_keys_and_the_shift_does():
    """Keys that are worth something for themselves change nothing while each of them opens a chest."""
    rng = np.random.default_rng(2)
    collector = np.array([0, 0.4, 1, 0])
    base, other = (ii.agents.Optimal(world.family(), theta) for theta in (world.BASE, collector))
    told = {}
    for draw in (world.training, world.shifted):
        environments = [world.build(draw(rng)) for _ in range(30)]
        told[draw] = [np.abs(base.policy(env) - other.policy(env)).max() > 0 for env in environments]
        if draw is world.training:
            ident = ii.identify([(env, other.policy(env)) for env in environments[:5]], world.family())
            assert ident.contains(world.BASE)
    assert not any(told[world.training])
    assert np.mean(told[world.shifted]) > 0.5


def test_slips_go_to_the_sides_and_what_cannot_be_reached_is_absorbing():
    layout = world.Layout(3, 4, (0,), (2, 8))
    env = world.build(layout, slip=0.2)
    start = int(env.initial.argmax())
    chances = {env.states[s].split(",")[0]: p for s, p in enumerate(env.dense()[start, 0]) if p}
    assert chances == pytest.approx({"r0c1": 0.8, "r1c2": 0.1, "r1c0": 0.1})
    absent = world.states(3).taken & 2 > 0
    np.testing.assert_array_equal(env.absorbing[absent], True)


def test_objectives_are_canonical_in_size():
    theta = world.objectives(np.random.default_rng(0), 50)
    np.testing.assert_array_equal(np.abs(theta).max(axis=1), 1)
    np.testing.assert_array_equal(theta[:, 0], 0)


def test_on_five_by_five_cells_keys_and_chests_are_bits():
    shared = world.states(5)
    assert len(shared.cell) == 25 * 11
    assert (shared.counts[1] <= shared.counts[0]).all()
    layout = world.shifted(np.random.default_rng(0), side=5)
    env = world.build(layout)
    assert env.n_states == 275
    found = world.picture(layout)
    assert (found.count("k"), found.count("C"), found.count("S")) == (2, 1, 1)
    assert found.replace("\n", "")[layout.chests[0]] == "C"


def test_gymnasium():
    env = world.build(world.training(np.random.default_rng(0), side=5))
    reward = np.where(env.absorbing[:, None], 0.0, world.family(5).reward(env, world.BASE))
    check_env(env.to_gymnasium(reward, max_episode_steps=50), skip_render_check=True)
