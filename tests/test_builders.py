import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from irl_ident import builders, planning
from irl_ident.builders import grid, random_environment, relabel

MAP = "S.#G\n....\nP#.1"


def grid_by_hand(text, slip, absorbing):
    """Cell by cell: the slow obvious twin."""
    lines = text.split("\n")
    cells = [(r, c) for r, line in enumerate(lines) for c, symbol in enumerate(line) if symbol != "#"]
    number = {cell: s for s, cell in enumerate(cells)}
    rows = np.zeros((len(cells), 4, len(cells)))
    steps = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    for (r, c), s in number.items():
        for action in range(4):
            for turn, chance in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
                down, right = steps[(action + turn) % 4]
                arrival = number.get((r + down, c + right), s)
                rows[s, action, s if lines[r][c] in absorbing else arrival] += chance
    return rows, cells


@pytest.mark.parametrize("slip", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("absorbing", ["", "G", "G1"])
def test_grids_are_those_built_cell_by_cell(slip, absorbing):
    found = grid(MAP, 0.9, slip=slip, absorbing=absorbing)
    rows, cells = grid_by_hand(MAP, slip, absorbing)
    np.testing.assert_allclose(found.environment.dense(), rows, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(found.positions, cells)
    assert found.environment.states == tuple(f"r{r}c{c}" for r, c in cells)
    assert found.environment.actions == ("up", "right", "down", "left")


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.text("#. aB", min_size=width, max_size=width), min_size=1, max_size=4)
    ),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_any_map(lines, slip):
    text = "\n".join(lines)
    if set(text) <= {"#", "\n"}:
        with pytest.raises(ValueError, match="text: every cell of the map is a wall"):
            grid(text, 0.9, slip=slip)
        return
    ends = "a" if "a" in text else ""
    found = grid(text, 0.9, slip=slip, absorbing=ends)
    rows, cells = grid_by_hand(text, slip, ends)
    np.testing.assert_allclose(found.environment.dense(), rows, rtol=0, atol=1e-15)
    assert found.text == text
    for letter, states in found.marks.items():
        assert [cells[s] for s in states] == [cell for cell in cells if lines[cell[0]][cell[1]] == letter]
    assert set(found.marks) == set(text) & {"a", "B"}


def test_marks_starts_and_pictures():
    found = grid("\n" + MAP + "\n\n", 0.9, absorbing=["G"], start="SP")
    assert found.text == MAP
    assert found.shape == (3, 4)
    assert {letter: states.tolist() for letter, states in found.marks.items()} == {
        "1": [9],
        "G": [2],
        "P": [7],
        "S": [0],
    }
    np.testing.assert_array_equal(np.flatnonzero(found.environment.initial), [0, 7])
    np.testing.assert_array_equal(found.environment.absorbing, np.arange(10) == 2)
    expected = [[0, 1, np.nan, 2], [3, 4, 5, 6], [7, np.nan, 8, 9]]
    np.testing.assert_array_equal(found.picture(np.arange(10)), expected)
    with pytest.raises(ValueError, match=r"values: should have shape \(10,\), was \(12,\)"):
        found.picture(np.zeros(12))
    for array in (found.positions, found.marks["S"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_episodes_start_where_they_do_not_end():
    env = grid(MAP, 0.9, absorbing="G").environment
    np.testing.assert_allclose(env.initial, ~env.absorbing / 9)
    np.testing.assert_array_equal(grid("GG", 0.9, absorbing="G").environment.initial, [0.5, 0.5])


def test_slip_one_half_can_be_planned_in_closed_form():
    """A corridor of three cells ending in G: moving right succeeds with 1 - slip, else a wall is met."""
    slip, discount = 0.5, 0.9
    env = grid("..G", discount, slip=slip, absorbing="G").environment
    reward = np.zeros((3, 4))
    reward[2] = 1 - discount
    step = discount * (1 - slip) / (1 - discount * slip)
    np.testing.assert_allclose(planning.optimal(env, reward).values, [step**2, step, 1.0], rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ""}, "text: the map is empty"),
        ({"text": "\n\n"}, "text: the map is empty"),
        ({"text": "..\n..."}, "text: line 1 has 3 cells, should have 2 as line 0"),
        ({"text": "..\n\n.."}, "text: line 1 has 0 cells"),
        ({"text": "..\n.?"}, r"text: line 1, column 1 is '\?', should be '#', '.', a space, a letter or a digit"),
        ({"text": "##"}, "text: every cell of the map is a wall"),
        ({"slip": -0.1}, "slip: was -0.1, should be a probability"),
        ({"slip": np.nan}, "slip: was nan"),
        ({"absorbing": "X"}, "absorbing: 'X' marks no cell of the map, which has 1GPS"),
        ({"start": "X"}, "start: 'X' marks no cell"),
        ({"text": "..", "start": "S"}, "start: 'S' marks no cell of the map, which has no marks"),
        ({"discount": 1.5}, "discount: was 1.5"),
        ({"discount": 1, "absorbing": "G"}, "discount: 1 needs every policy to end"),
    ],
)
def test_faulty_grids_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        grid(**{"text": MAP, "discount": 0.9, **arguments})


def test_a_large_grid_has_at_most_three_arrivals_a_row():
    env = grid("\n".join(["." * 300] * 200), 0.95, slip=0.1).environment
    assert env.n_states == 60_000
    counts = np.diff(env.transitions.indptr)
    assert counts.max() == 3
    assert env.states[60_000 - 1] == "r199c299"


def test_random_environments_are_dirichlet():
    """Each probability is Beta(c, c (k - 1)) distributed (Kolmogorov-Smirnov at 1 in 1,000)."""
    for concentration, successors in ((1.0, None), (0.3, None), (2.0, 4)):
        env = random_environment(20, 30, 0.9, seed=1, concentration=concentration, successors=successors)
        width = successors or 20
        first = env.transitions.data[:: env.transitions.nnz // 600]
        found = stats.kstest(first, stats.beta(concentration, concentration * (width - 1)).cdf)
        assert found.pvalue > 1e-3


def test_successors_are_uniform_subsets():
    """Counts of the ten pairs among five states: chi-square at 1 in 1,000."""
    env = random_environment(5, 4000, 0.9, seed=0, successors=2)
    assert (np.diff(env.transitions.indptr) == 2).all()
    pairs = env.transitions.indices.reshape(-1, 2)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    counts = np.bincount(pairs[:, 0] * 5 + pairs[:, 1])
    assert (counts > 0).sum() == 10
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-3


@pytest.mark.parametrize("successors", [None, 1, 3])
def test_seeds_decide(successors):
    def drawn(seed):
        return random_environment(6, 2, 0.9, seed, successors=successors).digest

    assert drawn(4) == drawn(4) == drawn(np.random.SeedSequence(4))
    assert drawn(4) != drawn(5)


def test_small_concentrations_stay_distributions():
    env = random_environment(50, 4, 0.9, seed=0, concentration=1e-4)
    assert np.median(env.dense().max(axis=2)) > 0.999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_states": 0}, "n_states: was 0, should be at least 1"),
        ({"n_actions": -1}, "n_actions: was -1"),
        ({"concentration": 0.0}, "concentration: was 0.0, should be finite and above 0"),
        ({"concentration": np.nan}, "concentration: was nan"),
        ({"successors": 0}, "successors: was 0, should be from 1 to n_states = 3"),
        ({"successors": 4}, "successors: was 4"),
    ],
)
def test_faulty_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_environment(**{"n_states": 3, "n_actions": 2, "discount": 0.9, "seed": 0, **arguments})


@given(st.permutations(range(5)), st.permutations(range(3)), st.integers(0, 50))
def test_relabelling_is_indexing_and_can_be_undone(states, actions, seed):
    env = random_environment(5, 3, 0.9, seed, successors=3)
    turned = relabel(env, states=states, actions=actions)
    np.testing.assert_array_equal(turned.dense(), env.dense()[np.ix_(states, actions, states)])
    np.testing.assert_array_equal(turned.initial, env.initial[list(states)])
    assert turned.states == tuple(f"s{s}" for s in states)
    back = relabel(turned, states=np.argsort(states), actions=np.argsort(actions))
    assert back.digest == env.digest
    values = np.arange(5.0)
    np.testing.assert_allclose(turned.backup(values[list(states)]), env.backup(values)[np.ix_(states, actions)])


def test_relabelling_keeps_what_is_not_named():
    found = grid(MAP, 0.9, slip=0.1, absorbing="G", start="S").environment
    assert relabel(found).digest == found.digest
    turned = relabel(found, actions=[3, 2, 1, 0])
    assert turned.actions == ("left", "down", "right", "up")
    assert turned.states == found.states
    np.testing.assert_array_equal(turned.absorbing, found.absorbing)


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [1, 2, 3], [[0, 1, 2]], [0.5, 1, 2], 0, ["a", "b", "c"]])
def test_only_permutations_relabel(order):
    env = random_environment(3, 3, 0.9, 0)
    for argument in ("states", "actions"):
        with pytest.raises(ValueError, match=rf"{argument}: should be a permutation of range\(3\), was"):
            builders.relabel(env, **{argument: order})


def test_another_discount_changes_nothing_else():
    env = random_environment(4, 2, 0.9, seed=1)
    assert builders.discounted(env, 0.9).digest == env.digest
    np.testing.assert_array_equal(builders.discounted(env, 0.3).dense(), env.dense())


def test_blends_are_convex_combinations():
    one, other = (random_environment(4, 2, 0.9, seed=seed) for seed in (1, 2))
    blend = builders.blended(one, other, 0.25)
    np.testing.assert_allclose(blend.dense(), 0.75 * one.dense() + 0.25 * other.dense(), rtol=0, atol=1e-15)
    assert builders.blended(one, other, 0.0).digest == one.digest


@pytest.mark.parametrize(("states", "share", "named"), [(5, 0.5, "other"), (4, 1.5, "share"), (4, np.nan, "share")])
def test_blends_need_environments_of_one_size_and_a_share(states, share, named):
    with pytest.raises(ValueError, match=named):
        builders.blended(random_environment(4, 2, 0.9, seed=1), random_environment(states, 2, 0.9, seed=2), share)
