"""Maps of worlds: values of states side by side, and what an agent was seen to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure

from irl_ident.environment import Array
from irl_ident.figures.maps import DASHES, UNKNOWN, grid_map, legible
from irl_ident.figures.style import COLOURS, DOUBLE, panels
from irl_ident.figures.worlds import WorldMap

LABELLED = 64
"""Up to so many states carry their value, and their name where there is room."""

NAMED = 2
"""Up to so many maps in a figure have names on them."""

RASTERED = 100
"""From so many states on, cells are stored as pixels."""

SIDE = 0.62
ROOM = 0.4
SMALL = 0.34
LEAST = 0.12
"""Sides of a square, in inches: the largest, what a number needs and what it needs at least, and the smallest."""

TALLEST = 5.2
"""Of one map, in inches."""

LETTERS = 13
"""Of a title, to an inch."""

DISC = 0.66
"""Diameter of a disc; neighbours are about 1 apart."""

PALE = ListedColormap(colormaps["Blues"](np.linspace(0.05, 0.5, 128)))
"""Light enough for black arrows."""


def value_maps(
    world: WorldMap,
    titled: Sequence[tuple[str, npt.ArrayLike]],
    *,
    label: str,
    limits: tuple[float, float],
    colours: str = "RdBu_r",
    abreast: int = 0,
) -> Figure:
    """Draw values on the map of a world, one map for each of ``titled``, with the same colours.

    Parameters
    ----------
    world : WorldMap
    titled : sequence of (str, array (S,))
        A title and values; NaN is drawn as an empty place with a dashed edge.
    label : str
        Of the key to the colours.
    limits : tuple of float
        Values at the two ends of the colours.
    colours : str
        A matplotlib colour map.
    abreast : int
        So many maps in a row, if they are not too small then; as many as stay large when 0.

    Returns
    -------
    Figure
    """
    figure, axes, beside = _maps(world, len(titled), abreast, key=True)
    most = int(figure.get_figwidth() / beside * LETTERS)
    for ax, (title, values) in zip(axes, titled, strict=False):
        given = np.asarray(values, dtype=float)
        marks = {s: short(value) for s, value in enumerate(given) if np.isfinite(value)} if _roomy(world) else {}
        cells = _draw(ax, world, given, marks, limits, colours, named=len(titled) <= NAMED)
        ax.set_title(clipped(title, most), parse_math=False)
    _key(figure, axes, cells, label)
    return figure


def behaviour_map(
    world: WorldMap,
    shares: npt.ArrayLike,
    *,
    visits: npt.ArrayLike | None = None,
    marked: Collection[int] = (),
) -> Figure:
    """Draw what an agent did: arrows as long as the share of an action, rings where an action leads nowhere else.

    Parameters
    ----------
    world : WorldMap
    shares : array (S, A)
        Of the actions in each state; rows of 0 where nothing was seen, which are drawn empty with a dashed edge.
    visits : array (S,), optional
        How often each state was seen to be acted in; drawn as colours.
    marked : collection of int
        States with a frame.

    Returns
    -------
    Figure
    """
    given = np.asarray(shares, dtype=float)
    seen = given.any(axis=1)
    counted = np.ones(len(given)) if visits is None else np.asarray(visits, dtype=float)
    limits = (0.0, float(counted.max()) or 1.0) if visits is not None else (0.0, 4.0)
    figure, (ax,), _ = _maps(world, 1, 0, key=visits is not None)
    cells = _draw(ax, world, np.where(seen, counted, np.nan), {}, limits, PALE, named=True)
    _arrows(ax, world, given)
    frames = world.places[sorted(marked)] if marked else np.zeros((0, 2))
    corners = np.array([[-0.45, -0.45], [-0.45, 0.45], [0.45, 0.45], [0.45, -0.45], [-0.45, -0.45]])
    ax.add_collection(
        LineCollection([(place + corners)[:, ::-1] for place in frames], colors=COLOURS["vermilion"], linewidths=1.6)
    )
    if visits is not None:
        _key(figure, [ax], cells, "choices seen")
    return figure


def bars(names: Sequence[str], titled: Sequence[tuple[str, npt.ArrayLike]], *, label: str, most: int = 20) -> Figure:
    """Draw values as bars, one panel for each of ``titled``; the ``most`` largest when there are more.

    Parameters
    ----------
    names : sequence of str
    titled : sequence of (str, array (n,))
    label : str
        What the values are.
    most : int
    """
    values = np.array([np.asarray(each, dtype=float) for _, each in titled])
    size = np.nan_to_num(np.abs(values)).max(axis=0)
    shown = np.sort(np.argsort(-size, kind="stable")[:most])
    figure, axes = panels(
        1, len(titled), width=min(DOUBLE, 1.4 + 1.9 * len(titled)), height=0.75 + 0.16 * len(shown), sharey=True
    )
    reach = 1.15 * (float(size.max()) or 1.0)
    for ax, (title, _), row in zip(axes[0], titled, values, strict=True):
        kept = row[shown]
        ax.barh(
            np.arange(len(shown)), kept, color=[COLOURS["vermilion" if v > 0 else "blue"] for v in kept], height=0.7
        )
        ax.axvline(0, color="0.3", linewidth=0.6)
        ax.set(xlim=(-reach if (kept < 0).any() else 0, reach), ylim=(len(shown) - 0.4, -0.6), xlabel=label)
        ax.set_title(clipped(title, 18 if len(titled) > 1 else 40), parse_math=False)
    axes[0, 0].set_yticks(np.arange(len(shown)))
    axes[0, 0].set_yticklabels([clipped(names[j], 26) for j in shown], parse_math=False)
    return figure


def short(value: float) -> str:
    """A number for a cell: two digits behind the point, no more than are needed.

    >>> short(0.5), short(-1), short(0.333), short(-0.001)
    ('0.5', '−1', '0.33', '0')
    """
    if abs(value) >= 1000:
        return f"{value:.0e}".replace("-", "−")
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def clipped(text: str, most: int) -> str:
    """At most so many characters, on one line.

    >>> clipped("a long corridor", 8)
    'a long …'
    """
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _roomy(world: WorldMap) -> bool:
    return len(world.places) <= LABELLED and SIDE * min(1, (DOUBLE - 0.1) / (SIDE * world.extent[1])) >= ROOM


def _maps(world: WorldMap, count: int, abreast: int, *, key: bool) -> tuple[Figure, list[Axes], int]:
    """Axes for ``count`` maps, as many beside each other as stay readable, and how many these are."""
    rows, columns = world.extent
    least = ROOM if _roomy(world) else LEAST
    beside = int(np.clip((DOUBLE - 0.1) // (columns * least + 0.2), 1, min(count, 4)))
    if abreast and (DOUBLE - 0.1) / abreast - 0.2 >= columns * min(least, SMALL):
        beside = min(abreast, count)
    side = min(SIDE, (DOUBLE - 0.1) / beside / columns - 0.2 / columns, TALLEST / rows)
    above = -(-count // beside)
    width, height = max(beside * (side * columns + 0.2) + 0.1, 1.7), above * (side * rows + 0.34) + 0.6 * key
    figure, axes = panels(above, beside, width=width, height=height)
    figure.set_layout_engine("compressed")
    for ax in axes.ravel()[count:]:
        ax.set_axis_off()
    return figure, list(axes.ravel()[:count]), beside


def _draw(
    ax: Axes,
    world: WorldMap,
    values: Array,
    marks: Mapping[int, str],
    limits: tuple[float, float],
    colours: str | Colormap,
    *,
    named: bool,
) -> ScalarMappable:
    """Squares or discs with their values, lines between them and walls."""
    ax.add_collection(LineCollection(list(world.ways[..., ::-1]), colors="0.75", linewidths=0.9, zorder=0))
    cells: PolyCollection | EllipseCollection
    if world.squares:
        cells = grid_map(ax, world.places, values, marks=marks, limits=limits, colours=colours)
        ax.add_collection(LineCollection(list(world.walls[..., ::-1]), colors="0.2", linewidths=1.1, zorder=3))
    else:
        cells = _discs(ax, world, values, marks, limits, colours)
    for drawn in ax.collections:
        drawn.set_rasterized(len(world.places) > RASTERED)
    if named and _roomy(world):
        known = np.isfinite(values) & world.squares
        _name(ax, world, [legible(cells.to_rgba(v)) if k else "0.35" for v, k in zip(values, known, strict=True)])
    return cells


def _name(ax: Axes, world: WorldMap, inks: Sequence[str]) -> None:
    """Names in the upper left corners of squares, or below discs."""
    right, down = (-0.44, -0.42) if world.squares else (0, DISC / 2 + 0.03)
    style: dict[str, Any] = {"va": "top", "ha": "left" if world.squares else "center", "fontsize": 4.8}
    style |= {"parse_math": False, "in_layout": False}
    for (row, column), name, ink in zip(world.places, world.env.states, inks, strict=True):
        ax.text(column + right, row + down, clipped(name, 9), color=ink, **style)


def _discs(
    ax: Axes,
    world: WorldMap,
    values: Array,
    marks: Mapping[int, str],
    limits: tuple[float, float],
    colours: str | Colormap,
) -> EllipseCollection:
    known = np.isfinite(values)
    size: dict[str, Any] = {"units": "xy", "transOffset": ax.transData}

    def discs(places: Array, **style: Any) -> EllipseCollection:
        widths = np.full(len(places), DISC)
        drawn = EllipseCollection(widths, widths, np.zeros(len(places)), offsets=places[:, ::-1], **size, **style)
        ax.add_collection(drawn)
        return drawn

    cells = discs(world.places[known], cmap=colours, norm=Normalize(*limits), edgecolors="0.3", linewidths=0.5)
    cells.set_array(values[known])
    discs(world.places[~known], facecolors=UNKNOWN, edgecolors=DASHES, linewidths=0.5, linestyles=(0, (2, 2)))
    for state, text in marks.items():
        row, column = world.places[state]
        colour = legible(cells.to_rgba(values[state]))
        ax.text(column, row, text, ha="center", va="center_baseline", color=colour, fontsize=6, in_layout=False)
    (top, left), (bottom, right) = world.places.min(axis=0) - 0.55, world.places.max(axis=0) + 0.55
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return cells


def _arrows(ax: Axes, world: WorldMap, shares: Array) -> None:
    """An arrow for each action that was seen, a ring where it stays."""
    states, actions = np.nonzero(shares)
    if not states.size:
        return
    relative = shares[states, actions] / shares.max(axis=1)[states]
    steps = world.steps[states, actions]
    moving = np.abs(steps).any(axis=1)
    reach = 0.42 if world.squares else 0.46
    tips = reach * (0.35 + 0.65 * relative)[:, None] * steps
    ax.quiver(
        *world.places[states[moving]].T[::-1],
        *tips[moving].T[::-1],
        angles="xy",
        scale_units="xy",
        scale=1,
        units="xy",
        width=0.045,
        headwidth=3.6,
        headlength=4,
        headaxislength=3.6,
        color="0.1",
        zorder=4,
    )
    stays = np.unique(states[~moving])
    ax.add_collection(
        EllipseCollection(
            np.full(len(stays), 0.22),
            np.full(len(stays), 0.22),
            np.zeros(len(stays)),
            units="xy",
            offsets=world.places[stays][:, ::-1],
            transOffset=ax.transData,
            facecolors="none",
            edgecolors="0.1",
            linewidths=1.0,
            zorder=4,
        )
    )


def _key(figure: Figure, axes: Sequence[Axes], cells: ScalarMappable, label: str) -> None:
    """A thin key to the colours below all maps."""
    key = figure.colorbar(cells, ax=list(axes), location="bottom", shrink=0.55, aspect=24, pad=0.03, label=label)
    key.ax.locator_params(nbins=4)
    key.outline.set_visible(False)
