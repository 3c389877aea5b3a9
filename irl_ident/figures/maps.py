"""Maps: a value for every cell of a world, drawn where the cell is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, to_rgb

from irl_ident.environment import Array

WALL = "#C8C8C8"
DASHES = "#4D4D4D"
UNKNOWN = "#FFFFFF"
EDGE = "#FFFFFF"


def grid_map(
    ax: Axes,
    positions: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    walls: npt.ArrayLike | None = None,
    marks: Mapping[int, str] | None = None,
    limits: tuple[float, float] | None = None,
    colours: str | Colormap = "viridis",
) -> PolyCollection:
    """Draw a value on every cell of a grid.

    Parameters
    ----------
    ax : Axes
        Its frame and ticks are removed.
    positions : array (S, 2)
        Row and column of each state; row 0 is at the top.
    values : array (S,)
        NaN is drawn as an empty cell with a dashed edge.
    walls : array (W, 2), optional
        Rows and columns of cells that are no states.
    marks : mapping of state to str, optional
        Short texts on cells, black or white, whichever can be read.
    limits : tuple of float, optional
        The values at the two ends of the colours; the least and the largest value when not given.
    colours : str or Colormap
        A matplotlib colour map: a sequential one, or a diverging one with symmetric ``limits``.

    Returns
    -------
    PolyCollection
        The cells, for :func:`colour_key`.
    """
    places = np.asarray(positions, dtype=float)
    shown = np.asarray(values, dtype=float)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise ValueError(f"positions: should have shape (S, 2), was {places.shape}")
    if shown.shape != (len(places),):
        raise ValueError(f"values: should have shape ({len(places)},), was {shown.shape}")
    known = np.isfinite(shown)
    cells = PolyCollection(list(_squares(places[known])), cmap=colours, edgecolors=EDGE, linewidths=0.8)
    cells.set_array(shown[known])
    if limits is not None:
        cells.set_clim(*limits)
    ax.add_collection(cells)
    if not known.all():
        dashed: dict[str, Any] = {"edgecolors": DASHES, "linewidths": 0.5, "linestyles": (0, (2, 2))}
        ax.add_collection(PolyCollection(list(_squares(places[~known], 0.92)), facecolors=UNKNOWN, **dashed))
    solid = np.asarray(walls, dtype=float).reshape(-1, 2) if walls is not None else np.empty((0, 2))
    ax.add_collection(PolyCollection(list(_squares(solid)), facecolors=WALL, edgecolors=EDGE, linewidths=0.8))
    for state, text in (marks or {}).items():
        background = cells.to_rgba(shown[state]) if known[state] else UNKNOWN
        row, column = places[state]
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 6.5, "in_layout": False}
        ax.text(column, row, text, color=legible(background), **style)
    everything = np.concatenate([places, solid])
    (top, left), (bottom, right) = everything.min(axis=0) - 0.55, everything.max(axis=0) + 0.55
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return cells


def colour_key(ax: Axes, cells: ScalarMappable, label: str) -> Colorbar:
    """Draw a thin key to the colours of ``cells`` below ``ax``, named ``label``."""
    figure = ax.get_figure()
    if figure is None:
        raise ValueError("ax: is not in a figure")
    key = figure.colorbar(cells, ax=ax, orientation="horizontal", shrink=0.6, aspect=20, pad=0.03, label=label)
    key.ax.locator_params(nbins=4)
    key.outline.set_visible(False)
    return key


def _squares(centres: Array, side: float = 1.0) -> Array:
    """Corners (n, 4, 2), as x and y, of squares around centres (n, 2), given as row and column."""
    corners = side * np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
    return (centres[:, None, :] + corners)[..., ::-1]


def legible(background: Any) -> str:
    """Black or white, whichever contrasts more with ``background`` (WCAG's relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(background)]
    return "black" if np.dot([0.2126, 0.7152, 0.0722], linear) > 0.18 else "white"
