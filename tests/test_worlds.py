"""All named worlds: each names its source, can be drawn as text, and can be played as a Gymnasium environment."""

import importlib
import pkgutil
import re
import warnings

import numpy as np
import pytest

import environments
import irl_ident as ii

MODULES = sorted(module.name for module in pkgutil.iter_modules(environments.__path__))


def rng():
    return np.random.default_rng(0)


def of_layout(world, layout):
    return world.build(layout), world.picture(layout)


def branching_tree(world):
    return world.build(world.TRAINING), world.picture(world.TRAINING)


def conditioning_box(world):
    levers = (0, 8), ("food", "water or shock")
    return world.build(*levers), world.picture(*levers)


def labyrinth(world):
    maze, choice = world.plan(), {"water": world.PORT, "blocked": [(0, 1)]}
    return world.build(maze, 0.9, **choice), world.picture(maze, **choice)


def object_grid(world):
    layout = world.random_layout(rng())
    return world.build(layout, "abc", slip=0.1, discount=0.9), world.picture(layout)


def off_switch(world):
    belief = world.normal(0.2, 1.0, 11)
    return world.build(belief, 0.5), world.picture(belief, 0.5)


def token_bandits(world):
    beliefs = world.Beliefs(pulls=3)
    return beliefs.environment(), world.picture(beliefs, beliefs.first())


def coin_corridor(world):
    env = world.build(2)
    return env, world.picture(env)


def safe_interruptibility(world):
    return world.Level().build(), world.Level().picture()


def successor_chain(world):
    return world.Chain().build(), world.picture(world.Chain())


WORLDS = {
    "absent_supervisor": lambda world: (world.build(), world.picture()),
    "branching_star": lambda world: of_layout(world, (1, 3, None)),
    "branching_tree": branching_tree,
    "coin_corridor": coin_corridor,
    "colour_maze": lambda world: of_layout(world, world.anywhere(rng())),
    "conditioning_box": conditioning_box,
    "courier_floor": lambda world: of_layout(world, world.random_walls(rng())),
    "deception": lambda world: (world.build(), world.picture()),
    "dust_robot": lambda world: (world.build(), world.picture()),
    "flagged": lambda world: of_layout(world, world.random_layout(rng())),
    "hazard_grid": lambda world: of_layout(world, world.DEPLOYMENT),
    "keys_and_chests": lambda world: of_layout(world, world.training(rng())),
    "labyrinth": labyrinth,
    "lamp_and_button": lambda world: of_layout(world, 3),
    "lava_maze": lambda world: of_layout(world, world.random_walls(rng(), 0.2)),
    "object_grid": object_grid,
    "off_switch": off_switch,
    "safe_interruptibility": safe_interruptibility,
    "shutdown_game": lambda world: (world.build(), world.picture()),
    "successor_chain": successor_chain,
    "token_bandits": token_bandits,
    "toy_text": lambda world: (world.build(world.random_lake(1), 0.9), world.picture(world.random_lake(1))),
    "windy_grid": lambda world: (world.build(), world.picture()),
}
"""For each module a call that builds an instance of its world and draws it."""

LISTED = [name for name in MODULES if name in WORLDS]


def load(name):
    return importlib.import_module(f"environments.{name}")


@pytest.fixture(scope="module", params=LISTED)
def instance(request):
    return request.param, *WORLDS[request.param](load(request.param))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_that_builds_environments_is_in_the_table(name):
    assert name in WORLDS or not hasattr(load(name), "build"), (
        f"environments/{name}.py defines build: add a call that builds and draws an instance to WORLDS in this file"
    )


@pytest.mark.parametrize("name", MODULES)
def test_every_module_names_its_source_or_says_that_there_is_none(name):
    assert re.search(r"\((19|20)\d\d|(19|20)\d\d[,);]|our own|``seals``|Gymnasium's", load(name).__doc__)


def test_environments_have_names_for_states_and_actions(instance):
    name, env, _ = instance
    assert isinstance(env, ii.Environment)
    assert len(set(env.states)) == env.n_states
    assert tuple(env.actions) != tuple(f"a{n}" for n in range(env.n_actions)), name


def test_pictures_fit_on_a_page(instance):
    _, _, picture = instance
    lines = picture.split("\n")
    assert picture.strip("\n") == picture
    assert 0 < max(map(len, lines)) <= 100
    assert len(lines) <= 40
    assert all(line.isprintable() for line in lines)


def test_gymnasiums_checker_passes(instance):
    checker = pytest.importorskip("gymnasium.utils.env_checker")
    _, env, _ = instance
    reward = np.where(env.absorbing[:, None], 0.0, np.random.default_rng(1).normal(size=(env.n_states, env.n_actions)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*spec.*")
        checker.check_env(env.to_gymnasium(reward, max_episode_steps=50), skip_render_check=True)


def test_the_tree_is_drawn_from_its_root():
    assert load("branching_tree").picture(1).split("\n")[:3] == ["root", "  [left]", "    leaf 0"]


def test_the_box_is_drawn_with_its_levers():
    drawn = load("conditioning_box").picture((2, 6), ("food", "shock"))
    assert drawn == "..1\n.A.\n2..\n1: food\n2: shock"


def test_the_labyrinth_is_drawn_as_an_h_tree():
    world = load("labyrinth")
    assert world.picture(world.plan(1)) == ".-O-.\n  |"
    drawn = world.picture(world.plan(2), water=6, blocked=[(0, 1), (2, 5)])
    assert drawn == ".   W\n|   |\noxO-o\n| | x\n.   ."
    whole = world.picture(world.plan(), water=world.PORT)
    assert [whole.count(mark) for mark in "OoW."] == [1, 62, 1, 63]


def test_corridors_of_the_labyrinth_lead_from_node_to_node_in_its_picture():
    world = load("labyrinth")
    maze = world.plan(5)
    drawn = [list(line) for line in world.picture(maze).split("\n")]
    width = max(map(len, drawn))
    grid = np.array([line + [" "] * (width - len(line)) for line in drawn])
    place = np.round(2 * maze.positions).astype(int)
    rows, columns = place[:, 1].max() - place[:, 1], place[:, 0] - place[:, 0].min()
    for parent, child in maze.corridors:
        step = np.sign([rows[child] - rows[parent], columns[child] - columns[parent]])
        here = np.array([rows[parent], columns[parent]]) + step
        while (here != [rows[child], columns[child]]).any():
            assert grid[tuple(here)] == ("|" if step[0] else "-")
            here = here + step


def test_wires_are_drawn_with_a_place_for_every_step():
    picture = load("lamp_and_button").picture
    assert picture(3) == "button -o-o-o- lamp"
    assert picture(2, cut=True) == "button xo-o- lamp"


def test_maps_show_what_is_where():
    lava, grid, wind = (load(name) for name in ("lava_maze", "object_grid", "windy_grid"))
    assert lava.picture(frozenset({1, 48}), map_name="bars").split("\n")[0] == "S#..B.."
    assert lava.picture(frozenset({1, 48}), map_name="bars").endswith(".C..L.#")
    assert grid.picture(grid.Layout(2, frozenset({1}), (3, 2))) == ".#\n10"
    drawn = wind.picture((0, 0, -1, 2, 0, 0, 0, 0, 0, 0), places={"goal": wind.GOAL}).split("\n")
    assert drawn[3] == "S......G.."
    assert drawn[-2:] == ["  12", "  v^"]
    lake = load("toy_text").Lake(("SF", "HG"))
    assert load("toy_text").picture(lake) == "SF\nHG"
