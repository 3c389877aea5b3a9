"""A pseudo-aligned agent is perfect in training: what does it cost when the world shifts?

The reward-result gap of an agent is the return that it loses under the base objective in a shifted environment, as a
share of the range of returns there (Hubinger et al. 2019; Leike et al. 2018).  What an agent shows in training leaves
some objectives possible, and with them a band of gaps, from the least to the largest.

Expected: the band from training alone contains both 0 and the pseudo-aligned agent's gap; one probe that is shifted as
deployment is collapses it; the gap is in the band wherever agents plan as is assumed; a deceiver and its aligned double
stay tied until an environment with the flag up comes; and a few per cent of training levels that come apart from the
proxy make learned agents lose less (Langosco et al. 2022 had 0, 2, 3, 6 and 11 % in CoinRun; their result is a figure
without a table, so that only the shares are marked here).

Refuted if: a gap lies outside the band of an agent that plans as assumed, or the independent checker rejects a proof of
a band; the band from training excludes 0 or the gap; matching probes leave it as wide; flagged-down environments tell
the deceiver; or decorrelated levels do not help.

Worlds: a dust robot, keys and chests, a maze with colours, a coin corridor, a star of branches, a grid with a flag, and
a training process as an environment.  Agents, by kind (Hubinger et al. 2019, sections 3 and 4): aligned, internalised
and corrigible ones for control; side-effect, instrumental and common-cause proxies; approximations in fewer bits or
features; planners whose short sight or wrong model hides what they want, and that see farther, or better, in
deployment; deceivers; and learned agents.  Each is perfect in the training environments that were seen, and the shift
is the first draw that costs it at least 2 %.  Measured: the gap; bands after training and after each probe, probes
chosen at random, to rule out most, against the certificate that the agent is optimal for the base objective, or shifted
as deployment is; distances (STARC) of members from the base objective; what training could have selected, which loses
at most 0, 1 or 10 %; gaps of learned agents by share of decorrelated levels; depth at which a shallow planner turns;
and where pretending pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studies import _gap_figure as drawing
from studies import _gap_learned as learned
from studies import _gap_measures as measures
from studies import _gap_summary as summaries
from studies._gap_worlds import CASES
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LEARNED = (*learned.COURSES, "dust robot")
DEEPEST = 16
DISCOUNTS = (0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
EPISODES = (1, 2, 3, 4)
STARTS = (6, 7)
"""Training processes in which pretending may pay: discounts of a step, numbers of episodes, and first cells."""


def tasks(settings: Settings) -> list[Task]:
    """Bands by kind of agent, what training could have selected, deceivers, learned agents, depths, and deceit."""
    quick = settings.quick
    replicates, closely = (2, [0]) if quick else (20, [0, 4])
    strategies = {"counterexample": 2, "matching": 1} if quick else dict.fromkeys(measures.STRATEGIES, 4)
    planned: list[Task] = []
    for place, kind in enumerate(CASES):
        for number in range(replicates):
            shared = {"kind": kind, "replicate": number, "seed": settings.seed_for(0, place, number)}
            planned.append({"part": "bands", **shared, "strategies": strategies, "closely": closely})
            if not quick:
                planned.append({"part": "selected", **shared})
    for number in range(5 if quick else 20):
        shared = {"replicate": number, "seed": settings.seed_for(1, number)}
        planned.append({"part": "flags", **shared, "unflagged": 4 if quick else 32})
        planned.append({"part": "depths", **shared})
    for place, name in enumerate(LEARNED):
        long = name == "keys and chests"
        for number in range((0 if long else 6 if name == "coin corridor" else 2) if quick else 20):
            shared = {"kind": name, "replicate": number, "seed": settings.seed_for(2, place, number)}
            planned.append({"part": "learned", **shared, "probes": 1 if quick else 3})
            if name in learned.COURSES:
                shares = list(learned.FEWER_SHARES if quick or long else learned.SHARES)
                planned.append({"part": "decorrelated", **shared, "shares": shares})
    planned.append({"part": "pretending", "replicate": 0, "seed": settings.seed_for(3)})
    return planned


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    part, seed = task["part"], task["seed"]
    if part == "bands":
        rows = measures.probed(task["kind"], seed, task["strategies"], task["closely"])
    elif part == "selected":
        rows = measures.selection(task["kind"], seed)
    elif part == "flags":
        rows = measures.flags(seed, task["unflagged"])
    elif part == "depths":
        rows = measures.depths(seed, DEEPEST)
    elif part == "learned":
        rows = measures.learned_band(task["kind"], seed, task["probes"])
    elif part == "decorrelated":
        rows = measures.decorrelated(task["kind"], seed, task["shares"])
    else:
        rows = [
            measures.pretending(training, deployment, discount, start)
            for training in EPISODES
            for deployment in EPISODES
            for discount in DISCOUNTS
            for start in STARTS
        ]
    kept = {key: task[key] for key in ("part", "kind", "replicate", "seed") if key in task}
    return [kept | row for row in rows]


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Claims; bands and gaps by kind; probes; deceivers; decorrelated levels; what training could have selected."""
    return summaries.summary(table)


def findings(summary: Mapping[str, Any]) -> list[str]:
    """What was found, in sentences."""
    return summaries.findings(summary)


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Gaps and bands by kind; decorrelated levels; deceivers; probes by strategy."""
    return drawing.figure(table, summary)
