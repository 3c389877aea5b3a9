"""Can behaviour show that an agent is corrigible, and does what it builds stay so?

Eight types of agent are tried in 27 environments: who pursues the normal goal alone; the naive, which is paid for the
goal and, after the command, for stopping; the internalised, the same with the worth that stopping had in training; the
deceptive, obedient while watched; the indifferent of Soares et al. (2015), by expectations given no command; a
counterfactual kind of it; the corrigible, whose goal points to the command; and the deferring of the off-switch game.

Expected: naive agents work and obey just between the bounds in closed form, max(0, 1 - c/p) and 1 + c/(1 - p), so that
only control of the odds p of the command tells them from indifferent ones; an indifferent agent pays nothing to keep
its switch in what it builds, and manages the news; a robot defers to a noisy human just while |mu| < sigma^2 / (2
beta); obedience in deployment is not proved by environments in which the agent is watched, nor that successors obey by
environments without successors.

Refuted if: an agent leaves the closed forms; naive and indifferent agents are told apart where the odds are fixed; an
indifferent agent pays for a switch; or anything is proved that an agent of the family lacks.

Worlds: the shutdown game with knobs for odds, effort, stake, luck, force, successors, the human's errors, and who
watches; safe interruptibility and absent supervisor, from their published maps; the off-switch game; a chain of
successors.  Measured: which environment tells which types apart (total variation between visits above 1e-6), the
smallest set that tells all, by integer programming and by trying all, with each knob fixed; certificates that an agent,
watched in environments of the shutdown game in random order, will in another one stop when told, leave the button
alone, and build a switch into its successor, for every objective of 14 parameters that explains what it did; and which
environments no objective explains together.  Prices are drawn anew for each replicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studies import _corrigibility as measures
from studies import _corrigibility_figure as drawing
from studies import _corrigibility_proofs as proofs
from studies import _corrigibility_types as types
from studies._corrigibility_findings import findings
from studies._corrigibility_summary import chains, claims, covers, knobs, pairs, proof_shares, witnesses
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["draw", "findings", "run", "summarise", "tasks"]

EFFORT, SWITCH = 0.1, 0.15
"""What a unit of effort costs in the plane of naive agents, and what a unit of a switch costs in the chain."""

STAKES = (1, 2)
FEW = 6
"""Of the environments without successors, a first look."""

KINDS = ("corrigible", "internalised", "indifferent", "deceptive")
"""Types of which proofs are drawn."""


def tasks(settings: Settings) -> list[Task]:
    """Pairs of types, a task for each draw of prices; the plane, the knobs, the game, the chain; proofs by agent."""
    quick = settings.quick
    planned: list[Task] = [
        {"part": "types", "replicate": i, "seed": settings.seed_for(0, i)} for i in range(6 if quick else 21)
    ]
    planned += [{"part": "plane", "stake": stake} for stake in STAKES]
    planned += [{"part": "knobs"}, {"part": "off-switch", "points": 21 if quick else 81}, {"part": "chain"}]
    kinds, replicates = (KINDS, 2) if quick else (types.TYPES, 20)
    whole = len(proofs.PROTOCOL)
    counts = [0, 4, whole] if quick else [0, 2, 4, 6, 8, 10, whole]
    for i in range(replicates):
        seed = settings.seed_for(1, i)
        for kind in kinds:
            one = {"replicate": i, "seed": seed, "kind": kind}
            planned.append({"part": "proofs", **one, "counts": counts, "pool": "alone"})
            planned.append({"part": "proofs", **one, "counts": [whole], "pool": "watched"})
            planned.append({"part": "proofs", **one, "counts": [FEW, whole], "pool": "no successors"})
        planned += [{"part": "explained", "replicate": i, "seed": seed, "kind": kind} for kind in types.TYPES]
    return planned


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    part = task["part"]
    if part == "types":
        prices = types.drawn_prices(task["seed"]) if task["replicate"] else types.Prices()
        rows = measures.type_rows(types.trials(), prices)
    elif part == "plane":
        rows = measures.plane_rows([task["stake"]], EFFORT)
    elif part == "knobs":
        rows = measures.knob_rows(EFFORT)
    elif part == "off-switch":
        rows = measures.off_switch_rows(np.linspace(-2.5, 2.5, task["points"]))
    elif part == "chain":
        rows = measures.chain_rows(SWITCH)
    elif part == "explained":
        rows = proofs.contradiction_rows(task["kind"], task["seed"])
    else:
        asked = ["builds in a switch"] if task["pool"] == "no successors" else list(proofs.questions())
        rows = proofs.proof_rows(task["kind"], task["seed"], task["counts"], task["pool"], asked)
    kept = {key: value for key, value in task.items() if key not in ("counts", "points", "kind")}
    return [kept | row for row in rows]


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Claims, pairs of types, smallest sets, knobs, chain, and proofs."""
    parts = {str(name): own.dropna(axis=1, how="all") for name, own in table.groupby("part")}
    return {
        "claims": claims(parts),
        "pairs": pairs(parts["types"]),
        "smallest_sets": covers(parts["types"]),
        "knobs": knobs(parts["knobs"]),
        "chain": chains(parts["chain"]),
        "proofs": proof_shares(parts["proofs"]),
        "witnesses": witnesses(parts["proofs"]),
        "explained": explained(parts["explained"]),
    }


def explained(table: pd.DataFrame) -> list[dict[str, Any]]:
    """By type: of how many agents one objective explains everything, and the commonest contradiction."""
    rows = []
    for kind, own in table.groupby("true_type", sort=False):
        failed = own[~own["explained"].astype(bool)]
        rows.append(
            {
                "type": kind,
                "explained": int(own["explained"].astype(bool).sum()),
                "of": len(own),
                "fewest": int(failed["needed"].min()) if len(failed) else 0,
                "contradiction": str(failed["needed_names"].mode()[0]) if len(failed) else "",
            }
        )
    return rows


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Who is told apart, and by what; bounds and agents; deference; generations; proofs."""
    return drawing.figure(table, summary)
