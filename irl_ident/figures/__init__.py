"""Figures for print: one style, and the drawing that studies share.

Two column widths (:data:`SINGLE`, :data:`DOUBLE`), 7 to 8 point type, colours that colour-blind readers can tell apart
(Okabe & Ito 2008), lines named at their ends instead of in a legend, and files whose bytes depend on the content alone.
Drawing takes arrays and returns what it drew; the numbers are computed elsewhere.
"""

try:
    import matplotlib as _  # noqa: F401
except ImportError as error:
    raise ImportError('figures need matplotlib: pip install "irl-ident[report]"') from error

from irl_ident.figures.curves import Band, curve_with_band, label_ends, mean_interval
from irl_ident.figures.intervals import intervals
from irl_ident.figures.maps import colour_key, grid_map
from irl_ident.figures.style import COLOURS, DOUBLE, PALETTE, SINGLE, panel_letters, panels, save, style
from irl_ident.figures.world_maps import RASTERED, bars, behaviour_map, value_maps
from irl_ident.figures.worlds import WorldMap, world_map

__all__ = [
    "COLOURS",
    "DOUBLE",
    "PALETTE",
    "RASTERED",
    "SINGLE",
    "Band",
    "WorldMap",
    "bars",
    "behaviour_map",
    "colour_key",
    "curve_with_band",
    "grid_map",
    "intervals",
    "label_ends",
    "mean_interval",
    "panel_letters",
    "panels",
    "save",
    "style",
    "value_maps",
    "world_map",
]
