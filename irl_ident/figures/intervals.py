"""Intervals: what each parameter may be, and two objectives that nothing seen tells apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from irl_ident.figures.style import PALETTE, SINGLE, panels
from irl_ident.figures.world_maps import clipped

MOST_ROWS = 40
"""So many parameters are drawn, the widest."""

MARKERS = ("o", "D")


def intervals(
    names: Sequence[str],
    ranges: npt.ArrayLike,
    members: Sequence[npt.ArrayLike] = (),
    *,
    label: str = "canonical reward",
    title: str = "",
) -> Figure:
    """Draw an interval for every parameter, and members of the set on them.

    Parameters
    ----------
    names : sequence of str
        Of the parameters.
    ranges : array (d, 2)
        Lower and upper ends; infinite ends are drawn as arrows.
    members : sequence of array (d,)
        At most two members of the set.
    label : str
        What is drawn, and its unit.
    title : str

    Returns
    -------
    Figure
        One column wide; the 40 widest intervals when there are more.
    """
    given = np.asarray(ranges, dtype=float)
    if given.ndim != 2 or given.shape != (len(names), 2):
        raise ValueError(f"ranges: should have shape ({len(names)}, 2), was {given.shape}")
    if np.isnan(given).any() or (given[:, 0] > given[:, 1] + 1e-9).any():
        raise ValueError("ranges: should be pairs of numbers, the lower one first")
    shown = np.sort(np.argsort(given[:, 0] - given[:, 1], kind="stable")[:MOST_ROWS])
    points = [np.asarray(member, dtype=float) for member in members]
    finite = np.concatenate([given[np.isfinite(given)], *points, [0.0]])
    low, high = float(finite.min()), float(finite.max())
    margin = 0.08 * ((high - low) or 1.0)
    figure, axes = panels(width=SINGLE, height=1.0 + 0.16 * len(shown))
    ax = axes[0, 0]
    rows = np.arange(len(shown))
    for row, j in zip(rows, shown, strict=True):
        ends = [max(given[j, 0], low - margin), min(given[j, 1], high + margin)]
        ax.plot(ends, [row, row], color="0.75", linewidth=4, solid_capstyle="butt", zorder=1)
        for end, marker in zip(given[j], ("<", ">"), strict=True):
            if np.isinf(end):
                ax.plot(ends[marker == ">"], row, marker, color="0.55", markersize=4, zorder=1)
    names_of_members = ("one objective", "another")
    drawn = zip(points, PALETTE, MARKERS, names_of_members, (-0.15, 0.15), strict=False)
    for point, colour, marker, name, shift in drawn:
        ax.plot(point[shown], rows + shift, marker, color=colour, markersize=3, zorder=2, label=name)
    if points:
        ax.legend(loc="upper center", ncols=2, fontsize=6.5, labelcolor="linecolor", handletextpad=0.1, borderaxespad=0)
    ax.set(yticks=rows, ylim=(len(shown) - 0.5, -1.2), xlim=(low - 1.3 * margin, high + 1.3 * margin), xlabel=label)
    ax.set_yticklabels([clipped(names[j], 40) for j in shown], parse_math=False)
    if title:
        ax.set_title(title, fontsize=7)
    return figure
