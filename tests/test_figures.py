"""Figures: intervals against closed forms, labels against a second method, files against what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from scipy import optimize

from irl_ident import figures
from irl_ident.figures.curves import separated


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.floats(0.1, 20))
def test_labels_move_as_little_as_keeps_them_apart(wanted, distance):
    places = separated(wanted, distance)
    order = np.argsort(wanted, kind="stable")
    gaps = np.diff(places[order])
    assert (gaps >= distance - 1e-9).all()
    lowest = np.tril(np.ones((len(wanted), len(wanted))))
    bounds = [-np.inf, *[distance] * (len(wanted) - 1)], np.inf
    second = optimize.lsq_linear(lowest, np.array(wanted)[order], bounds, method="bvls", tol=1e-14)
    np.testing.assert_allclose(((places - wanted) ** 2).sum(), 2 * second.cost, rtol=1e-6, atol=1e-6)


def test_the_interval_of_a_mean_is_that_of_the_normal_law_for_many_samples():
    samples = np.random.default_rng(0).exponential(size=(4000, 3))
    mean, lower, upper = figures.mean_interval(samples, seed=1)
    np.testing.assert_array_equal(mean, samples.mean(axis=0))
    half = 1.959964 * samples.std(axis=0) / np.sqrt(len(samples))
    np.testing.assert_allclose(mean - lower, half, rtol=0.1)
    np.testing.assert_allclose(upper - mean, half, rtol=0.1)


def test_the_interval_of_a_constant_is_that_constant():
    band = figures.mean_interval(np.full((5, 2), 3.0))
    np.testing.assert_array_equal(np.array(band), 3.0)


def test_intervals_are_reproducible():
    samples = np.random.default_rng(0).normal(size=(10, 4))
    np.testing.assert_array_equal(figures.mean_interval(samples, seed=2), figures.mean_interval(samples, seed=2))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(3), r"samples: should have shape \(n, m\) with n >= 2, was \(3,\)"),
        (np.zeros((1, 3)), r"samples: should have shape"),
        ([[0.0, 1.0], [np.nan, 1.0]], r"samples\[1, 0\] is nan: should be finite"),
    ],
)
def test_bad_samples_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        figures.mean_interval(samples)


def drawn():
    figure, axes = figures.panels(1, 2, width=figures.DOUBLE)
    samples = np.random.default_rng(0).normal(size=(6, 10)).cumsum(axis=1)
    for name, colour, shift in zip("abc", figures.PALETTE, (0, 0.01, 3), strict=False):
        figures.curve_with_band(axes[0, 0], np.arange(10), samples + shift, label=name, colour=colour)
    cells = figures.grid_map(axes[0, 1], [[0, 0], [0, 1], [1, 1]], [0.2, 1.0, np.nan], walls=[[1, 0]], marks={1: "1"})
    figures.colour_key(axes[0, 1], cells, "reward")
    figures.panel_letters(axes[0])
    figures.label_ends(axes[0, 0])
    return figure, axes[0]


def test_files_have_the_same_bytes_each_time_and_carry_their_fonts(tmp_path):
    for folder in ("one", "two"):
        with figures.style():
            figures.save(drawn()[0], tmp_path / folder)
    for name in ("figure.pdf", "figure.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    pdf = (tmp_path / "one" / "figure.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/CreationDate" not in pdf
    png = (tmp_path / "one" / "figure.png").read_bytes()
    assert int.from_bytes(png[16:20], "big") == figures.DOUBLE * 300
    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == ["figure.pdf", "figure.png"]


def test_labels_of_lines_that_end_together_do_not_overlap():
    with figures.style():
        figure, (left, _) = drawn()
        figure.draw_without_rendering()
        boxes = [
            Text.get_window_extent(text) for text in left.texts if text.get_text() in "abc" and text.get_fontsize() == 7
        ]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_a_map_puts_row_0_at_the_top_and_colours_by_value():
    with figures.style():
        _, axes = figures.panels()
        cells = figures.grid_map(
            axes[0, 0], [[0, 0], [0, 1], [1, 0]], [0.0, 0.5, 1.0], limits=(0.0, 2.0), marks={0: "x"}
        )
    assert axes[0, 0].yaxis_inverted()
    assert cells.get_clim() == (0.0, 2.0)
    centres = [path.vertices[:4].mean(axis=0) for path in cells.get_paths()]
    np.testing.assert_allclose(centres, [[0, 0], [1, 0], [0, 1]])
    assert axes[0, 0].texts[0].get_color() == "white"


@pytest.mark.parametrize(
    ("positions", "values", "message"),
    [
        ([0, 1], [0.0, 1.0], r"positions: should have shape \(S, 2\), was \(2,\)"),
        ([[0, 1]], [0.0, 1.0], r"values: should have shape \(1,\), was \(2,\)"),
    ],
)
def test_maps_refuse_what_does_not_fit(positions, values, message):
    _, axes = figures.panels()
    with pytest.raises(ValueError, match=message):
        figures.grid_map(axes[0, 0], positions, values)
