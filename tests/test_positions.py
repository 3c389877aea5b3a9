"""Where pictures put states: part of an environment and of its file, of no number that is computed from it."""

import copy
import json
import pickle

import numpy as np
import pytest

import irl_ident as ii
from environments import courier_floor, labyrinth, lava_maze, windy_grid

GRID = ii.builders.grid("A..\n.#.", 0.9).environment
BARE = ii.Environment(GRID.transitions, 0.9, GRID.initial, states=GRID.states, actions=GRID.actions)


def test_a_grid_is_drawn_as_its_map():
    assert GRID.positions.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 2]]
    assert BARE.positions is None


def test_positions_take_no_part_in_the_digest():
    assert GRID.digest == BARE.digest


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_files_keep_positions_and_need_none(tmp_path, suffix):
    moved = ii.Environment(GRID.transitions, 0.9, positions=GRID.positions * [1, -0.1])
    ii.evidence.save_environments(tmp_path / f"some.{suffix}", [moved, BARE])
    with_, without = ii.evidence.load_environments(tmp_path / f"some.{suffix}")
    np.testing.assert_array_equal(with_.positions, moved.positions)
    assert without.positions is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_keep_positions(copied):
    np.testing.assert_array_equal(copied(GRID).positions, GRID.positions)


def test_environments_made_of_others_keep_positions():
    np.testing.assert_array_equal(ii.builders.discounted(GRID, 0.5).positions, GRID.positions)
    np.testing.assert_array_equal(ii.builders.blended(GRID, BARE, 0.5).positions, GRID.positions)
    np.testing.assert_array_equal(ii.builders.relabel(GRID, states=[4, 3, 2, 1, 0]).positions, GRID.positions[::-1])


def test_gymnasiums_maps_are_read():
    lake = ii.Environment.from_gymnasium("FrozenLake-v1", discount=0.9)
    np.testing.assert_array_equal(lake.positions, [divmod(s, 4) for s in range(16)])
    assert lake.states[6] == "r1c2"
    assert ii.Environment.from_gymnasium("Taxi-v3", discount=0.9).positions is None


@pytest.mark.parametrize(
    "env",
    [lava_maze.build(), windy_grid.build(), courier_floor.build(), labyrinth.build(labyrinth.plan(3), 0.9)],
    ids=["lava maze", "windy grid", "courier floor", "labyrinth"],
)
def test_moves_in_named_worlds_lead_to_the_next_place_on_the_map(env):
    moves = env.transitions.tocoo()
    steps = np.abs(env.positions[moves.row // env.n_actions] - env.positions[moves.col]).sum(axis=1)
    assert np.median(steps[steps > 0]) == 1


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([[0, 0]], r"positions: should have shape \(5, 2\), a row and a column for each state, was \(1, 2\)"),
        ([[0, s] if s < 4 else [0, np.nan] for s in range(5)], r"positions\[4\] is \[0.0, nan\]: should be finite"),
        ([[0, min(s, 3)] for s in range(5)], r"positions\[4\] is \[0.0, 3.0\], as that of state 3"),
        ([["a", "b"]] * 5, "positions: should hold real numbers"),
    ],
)
def test_bad_positions_are_refused(positions, words):
    with pytest.raises(ValueError, match=words):
        ii.Environment(GRID.transitions, 0.9, positions=positions)


def test_bad_positions_in_a_file_are_told_by_their_key(tmp_path):
    path = tmp_path / "some.json"
    ii.evidence.save_environments(path, [GRID])
    tree = json.loads(path.read_text())
    del tree["sha256"]
    tree["environments"][0]["positions"][0] = [0, 1]
    path.write_text(json.dumps(tree))
    with pytest.raises(ValueError, match=r"some.json: environments/0/positions"):
        ii.evidence.load_environments(path)
