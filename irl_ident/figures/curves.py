"""Curves with bands: means over seeds and bootstrap intervals of the mean, named at their ends."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy import optimize, stats

from irl_ident.environment import Array

RESAMPLES = 2000


class Band(NamedTuple):
    """A curve and an interval around it, each (m,)."""

    mean: Array
    lower: Array
    upper: Array


def mean_interval(samples: npt.ArrayLike, *, level: float = 0.95, seed: int = 0) -> Band:
    """The mean over samples, with a percentile bootstrap interval of the mean (Efron 1979) point by point.

    Parameters
    ----------
    samples : array (n, m)
        n >= 2 independent samples, such as seeds, of a curve with m points; finite.
    level : float
        In (0, 1).
    seed : int
        Of the resampling.

    Returns
    -------
    Band
    """
    given = np.asarray(samples, dtype=float)
    if given.ndim != 2 or len(given) < 2:
        raise ValueError(f"samples: should have shape (n, m) with n >= 2, was {given.shape}")
    if not np.isfinite(given).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(given))[0]]
        raise ValueError(f"samples{place} is {float(given[tuple(place)])!r}: should be finite")
    if not 0 < level < 1:
        raise ValueError(f"level: was {level!r}, should be between 0 and 1")
    found = stats.bootstrap(
        (given,),
        np.mean,
        axis=0,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=level,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Band(given.mean(axis=0), np.asarray(found.low), np.asarray(found.high))


def curve_with_band(
    ax: Axes,
    x: npt.ArrayLike,
    values: Array | Band | tuple[Array, Array, Array],
    *,
    label: str,
    colour: str,
    seed: int = 0,
    **line: Any,
) -> Line2D:
    """Draw a curve and a band around it.

    Parameters
    ----------
    ax : Axes
    x : array (m,)
    values : array (n, m), or Band
        Samples, whose mean is drawn with its bootstrap interval; or mean, lower and upper bound.
    label : str
        For :func:`label_ends`.
    colour : str
    seed : int
        Of the bootstrap.
    **line
        To ``Axes.plot``, such as ``linestyle``.

    Returns
    -------
    Line2D
    """
    band = Band(*values) if isinstance(values, tuple) else mean_interval(values, seed=seed)
    places = np.asarray(x, dtype=float)
    ax.fill_between(places, band.lower, band.upper, color=colour, alpha=0.18, linewidth=0)
    (drawn,) = ax.plot(places, band.mean, label=label, color=colour, **line)
    return drawn


def label_ends(ax: Axes, *, size: float = 7.0, gap: float = 5.0) -> None:
    """Write the label of every line of ``ax`` beside its right end, without overlaps.

    Call it last, when limits and panels are final.  Labels are moved up and down by the least sum of squares that keeps
    them apart (an isotonic regression); a thin leader joins a label to its line.

    Parameters
    ----------
    ax : Axes
        Lines whose label begins with ``_`` are not named.
    size : float
        Of the type, in points.
    gap : float
        Between the right end of the axes and the labels, in points.
    """
    ends = [(line, *_last(line)) for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    figure = ax.get_figure(root=True)
    if not ends or figure is None:
        return
    figure.draw_without_rendering()
    points = figure.dpi / 72
    box = ax.get_window_extent()
    wanted = np.array([ax.transData.transform((x, y))[1] for _, x, y in ends])
    heights = (separated(np.clip(wanted, box.y0, box.y1), 1.3 * size * points) - box.y0) / box.height
    right = 1 + gap * points / box.width
    for (line, x, y), height in zip(ends, heights, strict=True):
        ax.annotate(
            str(line.get_label()),
            xy=(x, y),
            xytext=(right, height),
            textcoords="axes fraction",
            color=line.get_color(),
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.4, "shrinkA": 1, "shrinkB": 0},
        )


def separated(wanted: npt.ArrayLike, distance: float) -> Array:
    """The places nearest to ``wanted`` (n,), in least squares and in its order, that are ``distance`` or more apart.

    With the places in order, ``places - distance * rank`` has to be non-decreasing: an isotonic regression.

    >>> separated([0.0, 10.0, 11.0], 3.0)
    array([ 0.,  9., 12.])
    """
    given = np.asarray(wanted, dtype=float)
    order = np.argsort(given, kind="stable")
    steps = distance * np.arange(given.size)
    places = np.empty(given.size)
    places[order] = optimize.isotonic_regression(given[order] - steps).x + steps
    return places


def _last(line: Line2D) -> tuple[float, float]:
    """The last finite point of a line, in data coordinates."""
    x, y = (np.asarray(values, dtype=float) for values in line.get_data())
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not finite.size:
        raise ValueError(f"line {line.get_label()!r} has no finite point to label")
    return float(x[finite[-1]]), float(y[finite[-1]])
