"""Maps of worlds: places, walls and arrows against the maps in text that the worlds were made from."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.quiver import Quiver

import irl_ident as ii
from irl_ident import figures
from irl_ident.builders import STEPS
from irl_ident.figures.worlds import joined_pairs, laid_out

MAZE = "S..#\n.#..\n...G"


def wall_sides(text):
    """Sides between a free cell and a wall or the outside, counted on the text."""
    lines = text.split("\n")
    free = {(r, c) for r, line in enumerate(lines) for c, mark in enumerate(line) if mark != "#"}
    return sum((r + dr, c + dc) not in free for r, c in free for dr, dc in STEPS.tolist())


def test_a_grid_has_walls_where_its_map_has():
    world = figures.world_map(ii.builders.grid(MAZE, 0.9, absorbing="G").environment)
    assert world.squares
    assert len(world.walls) == wall_sides(MAZE)
    np.testing.assert_allclose(np.abs(world.walls[:, 0] - world.walls[:, 1]).sum(axis=1), 1)
    assert len(world.ways) == 0


def test_a_closed_door_is_a_wall_and_a_one_way_door_is_none():
    here = np.arange(4)
    left, right = np.maximum(here - 1, 0), np.minimum(here + 1, 3)
    right[1], left[2], right[0] = 1, 2, 0
    env = ii.Environment(np.eye(4)[np.stack([left, right], axis=1)], 0.9, positions=[[0, c] for c in range(4)])
    inside = [wall for wall in figures.world_map(env).walls.tolist() if wall[0][1] == wall[1][1] not in (-0.5, 3.5)]
    assert [wall[0][1] for wall in inside] == [1.5]


@pytest.mark.parametrize(("text", "slip"), [(MAZE, 0.0), (MAZE, 0.2), ("....\n....\n....\n...G", 2 / 3)])
def test_actions_of_a_grid_point_their_way_from_every_cell(text, slip):
    env = ii.builders.grid(text, 0.9, slip=slip, absorbing="G").environment
    steps = figures.world_map(env).steps
    expected = np.tile(STEPS.astype(float), (env.n_states, 1, 1))
    expected[env.absorbing] = 0
    np.testing.assert_allclose(steps, expected, atol=1e-12)


def test_actions_without_one_direction_point_to_where_they_lead():
    next_state = np.array([[1, 2], [2, 0], [0, 1]])
    env = ii.Environment(np.eye(3)[next_state], 0.9, positions=[[0, 0], [0, 1], [1, 0]])
    world = figures.world_map(env)
    towards = world.places[next_state] - world.places[:, None]
    np.testing.assert_allclose(world.steps, towards / np.linalg.norm(towards, axis=2, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_chain_is_laid_out_as_a_row_of_steps(n):
    order = np.random.default_rng(n).permutation(n)
    joined = np.sort(np.column_stack([order[:-1], order[1:]]), axis=1)
    places = laid_out(n, joined)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    hops = np.abs(np.argsort(order)[:, None] - np.argsort(order)[None])
    unit = distances[order[0], order[1]] if n > 1 else 1
    np.testing.assert_allclose(distances / unit, hops, atol=1e-2)
    np.testing.assert_allclose(places[:, 0], 0, atol=3e-2 * unit)
    assert (laid_out(n, joined) == places).all()


def test_components_lie_apart():
    places = laid_out(4, np.array([[0, 1], [2, 3]]))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert distances[[0, 2], [1, 3]].max() < distances[:2, 2:].min()


def test_joined_pairs_are_those_of_the_table():
    env = ii.builders.random_environment(6, 2, 0.9, seed=0, successors=2)
    table = env.dense().any(axis=1)
    expected = {(s, t) for s in range(6) for t in range(s + 1, 6) if table[s, t] or table[t, s]}
    assert set(map(tuple, joined_pairs(env).tolist())) == expected


def test_positions_that_are_no_cells_are_discs_about_one_apart():
    env = ii.builders.grid("....\n....", 0.9).environment
    stretched = ii.Environment(env.transitions, 0.9, positions=env.positions * 12.5 + 0.25)
    world = figures.world_map(stretched)
    assert not world.squares
    np.testing.assert_allclose(world.places, stretched.positions / 12.5)


def test_worlds_too_large_for_a_drawing_have_none():
    large = ii.builders.random_environment(121, 1, 0.9, seed=0, successors=1)
    assert figures.world_map(large) is None
    placed = ii.Environment(large.transitions, 0.9, positions=[[0, s] for s in range(121)])
    assert figures.world_map(placed) is not None


def test_values_are_written_on_their_cells():
    env = ii.builders.grid(MAZE, 0.9).environment
    values = np.linspace(-1, 1, env.n_states)
    values[3] = np.nan
    with figures.style():
        figure = figures.value_maps(figures.world_map(env), [("$x$ <b>", values)], label="reward", limits=(-1, 1))
    ax = figure.axes[0]
    numbers = {
        tuple(np.round(text.get_position()[::-1]).astype(int)): text.get_text()
        for text in ax.texts
        if text.get_text() not in env.states
    }
    assert len(numbers) == env.n_states - 1
    for s in np.flatnonzero(np.isfinite(values)):
        said = numbers[tuple(env.positions[s].astype(int))]
        assert float(said.replace("−", "-")) == pytest.approx(values[s], abs=5e-3)
    assert ax.get_title(loc="left") == "$x$ <b>"


def test_arrows_are_as_long_as_shares():
    env = ii.builders.grid("...", 0.9).environment
    shares = np.zeros((3, 4))
    shares[0, 1], shares[1, [1, 3]] = 1, [0.75, 0.25]
    with figures.style():
        figure = figures.behaviour_map(figures.world_map(env), shares, visits=[4, 8, 0], marked=[1])
    (arrows,) = (drawn for drawn in figure.axes[0].collections if isinstance(drawn, Quiver))
    np.testing.assert_allclose(arrows.V, 0, atol=1e-12)
    assert arrows.X.tolist() == [0, 1, 1]
    assert arrows.U[0] == arrows.U[1] > -arrows.U[2] > 0
    frames = [d for d in figure.axes[0].collections if isinstance(d, LineCollection) and len(d.get_segments()[:1])]
    boxes = [segment for drawn in frames for segment in drawn.get_segments() if len(segment) == 5]
    assert [(box.min(axis=0) + box.max(axis=0)).tolist() for box in boxes] == [[2, 0]]


def test_bars_are_the_largest_by_size():
    values = np.arange(-15.0, 15)
    with figures.style():
        figure = figures.bars([f"p{j}" for j in range(30)], [("all", values)], label="weight", most=5)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["p0", "p1", "p2", "p28", "p29"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [-15, -14, -13, 13, 14]
