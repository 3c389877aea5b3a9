"""Services build services: whose objective does the last one's behaviour reveal?

A top with one of 64 objectives commissions a service, which commissions another, and so on; each layer picks the
objective of the next from a menu such that its own is served best, and the last one, the leaf, acts, looking only so
many steps ahead (:mod:`irl_ident.agents.services`).

Expected: the bits of the top's objective in the leaf's behaviour fall with every layer, and are at most the log2 of the
shortest menu (data-processing inequality); a leaf that cannot look far serves its designer better with another
objective than the designer's own (Singh, Lewis & Barto 2009; Sorg, Singh & Lewis 2010); inverse RL on the leaf recovers
what the leaf was handed, not what any layer above it wanted, and does so only with the right model of how it plans; and
a layer that pursues something else, while the leaf does the same on all training floors, can't be located from the
leaf's behaviour there, but by watching objectives that are handed down: log2 of the number of layers of them.

Refuted if: bits exceed a menu's log2, or rise down the layers of one chain; bits rise with another layer; a designer is
served best by its own objective whatever the leaf sees; the recovered objective is nearer to that of a layer above; a
wrong model of the planner is not noticed; or training floors tell which layer it is.

World: floors of 5 x 5 cells with six walls, three sites and a lab (:mod:`environments.courier_floor`); eight training
floors, 24 more to watch.  Agents: leaves that look 2, 3 or 5 steps ahead or plan optimally, at the end of 0 to 4
layers with random menus of 4, 16 and 64, each layer's own or one for all; for localisation, 2 to 16 layers.  Measured:
bits, by enumeration of all objectives of the top, in the leaf's behaviour on 1 to 32 floors; share of what could be won
that the top wins; distance (STARC) of the recovered objective to that of every layer, for assumed planners right and
wrong; where a misaligned layer shows, and bits about which layer it is.  Draws of floors, objectives and menus are
random, all else is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from environments import courier_floor
from irl_ident.agents.services import Commissioned
from studies import _services as measures
from studies import _services_figure as drawing
from studies import _services_hidden as hidden
from studies import _services_recovered as recovered
from studies._services_findings import findings
from studies._services_summary import summarise
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["draw", "findings", "run", "summarise", "tasks"]

DECOYS = 80
"""Services in the catalogue that no layer has on its menu."""

MENU = 64
"""Length of menus where objectives are recovered."""

COMPARED = 4
"""Floors on which objectives are compared."""


def tasks(settings: Settings) -> list[Task]:
    """A task for each draw and leaf: bits, designed objectives, recovered objectives, hidden misalignment."""
    quick = settings.quick
    draws = 10 if quick else 40
    leaves: dict[str, list[int | None]] = {
        "bits": [3, None] if quick else [2, 3, 5, None],
        "internal": [2, 3, 5, None] if quick else [2, 3, 4, 5, 6, 8, None],
        "recovered": [3, None],
        "hidden": [3, None],
    }
    planned: list[Task] = [
        {"part": part, "draw": draw, "seed": settings.seed_for(draw), "horizon": horizon, "fresh": measures.FRESH}
        for part, horizons in leaves.items()
        if part != "hidden"
        for draw in range(draws)
        for horizon in horizons
    ]
    planned += [
        {"part": "hidden", "draw": draw, "seed": settings.seed_for(draw), "horizon": horizon, "depth": depth}
        | {"fresh": measures.FRESH}
        for draw in range(draws)
        for horizon in leaves["hidden"]
        for depth in ((8,) if quick else (2, 4, 8, 16))
    ]
    return planned


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    seed, horizon, fresh = task["seed"], task["horizon"], task["fresh"]
    if task["part"] == "bits":
        rows = measures.bits_rows(measures.market(seed, horizon, fresh=fresh))
    elif task["part"] == "internal":
        rows = measures.internal_rows(measures.market(seed, horizon, fresh=0))
    elif task["part"] == "recovered":
        rows = recovered_rows(measures.market(seed, horizon, fresh=fresh), seed)
    else:
        rows = [hidden.row(hidden.draw(seed, horizon, depth=task["depth"], fresh=fresh))]
    kept = {"part": task["part"], "draw": task["draw"], "leaf": measures.leaf_name(horizon)}
    return [kept | row for row in rows]


def recovered_rows(drawn: measures.Market, seed: int) -> list[dict[str, Any]]:
    """Recovered objectives after one floor and after all, beside what each layer pursues."""
    rng = np.random.default_rng([seed, 1])
    offered = [menu[:MENU] for menu in drawn.menus]
    catalogue = np.concatenate([drawn.candidates, *offered, courier_floor.services(rng, DECOYS)])
    top = drawn.candidates[int(rng.integers(measures.CANDIDATES))]
    agent = Commissioned(drawn.chain(MENU), top)
    rows = []
    for count in (1, len(drawn.floors)):
        seen = recovered.watch(agent, drawn.floors[:count])
        said = [recovered.conclude(seen, catalogue, measures.FAMILY, assumed) for assumed in recovered.ASSUMED]
        said.append(recovered.conclude_in_family(seen, measures.FAMILY))
        for one in said:
            compared = recovered.compare(one, agent.objectives, measures.FAMILY, drawn.floors[:COMPARED])
            rows += [{"floors": count, **row} for row in compared]
    return rows


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Bits by depth and by floors watched; what designed objectives win; what is recovered; which layer it is."""
    return drawing.figure(table, summary)
