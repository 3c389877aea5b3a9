"""The report of an identified set as a page to send to a colleague: one file of HTML that needs no other.

The page says first what was asked and what came out, then under which assumptions, what was shown, which directions are
open, with a picture of each on the map of the world itself, what each reward may be, which two objectives nothing seen
tells apart, and how all of it was computed.  Pictures are vectors inside the page; it runs no script and loads nothing.

>>> import irl_ident as ii
>>> from irl_ident.report import page
>>> grid = ii.builders.grid("..G", 0.9, absorbing="G")
>>> agent = ii.agents.Optimal(ii.rewards.StateRewards(3), [0, 0, 1])
>>> ident = ii.identify([(grid.environment, agent.policy(grid.environment))], agent.family)
>>> text = page(ident, title="Three cells")
>>> text.startswith("<!doctype html>")
True
"""

from typing import TYPE_CHECKING, Any

from irl_ident.report.ranges import Ranges, canonical, ranges_of
from irl_ident.report.sources import Source, source

if TYPE_CHECKING:
    from irl_ident.report.html import page

__all__ = ["Ranges", "Source", "canonical", "page", "ranges_of", "source"]


def __getattr__(name: str) -> Any:
    """``page`` is loaded when asked for: it needs the extra ``irl-ident[report]``."""
    if name != "page":
        raise AttributeError(f"module 'irl_ident.report' has no attribute {name!r}")
    from irl_ident.report.html import page

    return page


def __dir__() -> list[str]:
    return list(__all__)
