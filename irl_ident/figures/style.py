"""The style of all figures, their panels, and their files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from irl_ident.writing import naming, write_whole

SINGLE = 3.4
"""Width of one column of a paper, in inches."""

DOUBLE = 7.0
"""Width of two columns, in inches."""

COLOURS = {
    "black": "#000000",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "yellow": "#F0E442",
}
"""Okabe & Ito's palette by name."""

PALETTE = tuple(COLOURS[name] for name in ("blue", "vermilion", "green", "purple", "sky", "orange", "black"))
"""Colours for lines, in order of use; yellow is too light for lines on white."""

DOTS_PER_INCH = 300

_PARAMETERS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.4,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "irl_ident",
    "savefig.dpi": DOTS_PER_INCH,
}


def style() -> AbstractContextManager[None]:
    """The style, while the ``with`` block lasts; make and save figures inside it."""
    return mpl.rc_context({**mpl.rcParamsDefault, "backend": mpl.rcParams["backend"], **_PARAMETERS})


def panels(
    rows: int = 1, columns: int = 1, *, width: float = SINGLE, height: float = 2.4, **subplots: Any
) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure and its axes.

    Parameters
    ----------
    rows, columns : int
    width, height : float
        In inches.
    **subplots
        To ``matplotlib.figure.Figure.subplots``, such as ``sharey`` or ``width_ratios``.

    Returns
    -------
    Figure
        Not one of pyplot's: nothing has to be closed.
    array of Axes (rows, columns)
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **subplots)
    return figure, np.asarray(axes)


def panel_letters(axes: Iterable[Axes]) -> None:
    """Letter panels a, b, c, ... above their upper left corners."""
    for place, ax in enumerate(axes):
        ax.annotate(
            chr(ord("a") + place),
            (0, 1),
            xycoords="axes fraction",
            xytext=(-14, 6),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            ha="right",
            va="bottom",
        )


def save(figure: Figure, directory: str | Path, name: str = "figure") -> tuple[Path, Path]:
    """Write a figure as PDF, with text as text, and as PNG with 300 dots an inch.

    Parameters
    ----------
    figure : Figure
    directory : str or Path
        Made when it is not there.
    name : str
        Of the files, without suffix.

    Returns
    -------
    tuple of Path
        The PDF and the PNG.  Each appears whole or not at all; equal figures give equal bytes.
    """
    folder = Path(directory)
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    targets = folder / f"{name}.pdf", folder / f"{name}.png"
    silent: tuple[dict[str, Any], ...] = ({"CreationDate": None}, {"Software": None})
    for target, metadata in zip(targets, silent, strict=True):
        drawn = io.BytesIO()
        figure.savefig(drawn, format=target.suffix[1:], metadata=metadata, dpi=DOTS_PER_INCH)
        write_whole(target, partial(Path.write_bytes, data=drawn.getvalue()))
    return targets
