"""What is proved of every objective that is still possible?

An agent is watched in some environments, and something is to be proved of its behaviour in another, where it is to be
deployed: of every objective that explains what was seen, by a certificate that an independent checker accepts, or else
refuted by a witness that behaved identically.

Expected: properties that the agent has are proved after some environments, sooner if these are chosen against the
certificate's witness than if they are chosen at random or to tell objectives apart; what is seen of behaviour matters
more than how much; no property that the agent lacks is ever proved; and "never goes to B in deployment" cannot be
proved from any number of environments in which what tells deployment from training is off.

Refuted if: a property that the agent lacks is proved, or a certificate is not accepted; a proof is found where the
closed form has a counterexample, or the reverse (star of branches); anything is proved from environments without the
flag, or without the supervisor's absence; or counterexamples are no better guides than chance.

Worlds (40 candidates, one deployment environment, a new draw for each objective): a star of branches; 4 x 4 grids with
a hazard that is in the way in deployment; a 3 x 3 grid with a flag that is up in deployment; the absent supervisor.
Agents: optimal for objectives that have the property, and for objectives that lack it.  What is seen: the whole policy,
the policy on the way, or choices of an agent that picks a random action with probability .1 (level .05).  Measured:
status (proved, refuted, unknown, vacuous) against the number of environments, for each property and each way to choose;
what becomes of the answer when clear differences are asked to be clearer and clearer, until nobody is left of whom to
speak; sizes of certificates, and times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studies import _verification as measures
from studies import _verification_figure as drawing
from studies._verification_worlds import WORLDS, case
from studies.study import Settings, Task
from studies.wording import unmet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FACTORS = ("flag", "absent supervisor")
"""Worlds in which a factor of the state tells deployment from training."""

DRAWN = ("flag", "hazard in the way")
"""Worlds of which witnesses are drawn."""

ORDINARY = (0, 1, 2, 4, 8, 16, 28)
COUNTS = (1, 2, 4, 8, 16)
STRICT_AFTER = (4,)
STATUSES = ("proved", "refuted", "unknown", "vacuous")


def tasks(settings: Settings) -> list[Task]:
    """Campaigns, properties, environments without the factor, strictness; a task for each objective; and drawings."""
    quick = settings.quick
    objectives, rounds = (3, 4) if quick else (20, 15)
    sources = ("whole policy", "500 episodes") if quick else measures.SOURCES
    planned: list[Task] = []
    for number in range(objectives):
        for place, world in enumerate(WORLDS):
            shared = {"world": world, "replicate": number, "seed": settings.seed_for(place, number)}
            ways = [(strategy, "whole policy") for strategy in measures.STRATEGIES]
            ways += [("counterexample", source) for source in sources[1:]]
            planned += [
                {"part": "campaign", **shared, "strategy": strategy, "source": source, "rounds": rounds}
                for strategy, source in ways
            ]
            counts, fewer = ([1, 4], [0, 8]) if quick else (list(COUNTS), list(ORDINARY))
            planned += [{"part": "properties", **shared, "true": true, "counts": counts} for true in (True, False)]
            planned.append({"part": "strictness", **shared, "counts": list(STRICT_AFTER)})
            if world in FACTORS:
                planned.append({"part": "ordinary", **shared, "counts": fewer})
    planned += [
        {"part": "drawn", "world": world, "replicate": 0, "seed": settings.seed_for(len(WORLDS)), "shown": 6}
        for world in DRAWN
    ]
    return planned


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    world, seed = task["world"], task["seed"]
    if task["part"] == "campaign":
        rows = measures.campaign(case(world, seed), task["strategy"], task["source"], seed, task["rounds"])
    elif task["part"] == "properties":
        rows = measures.properties(case(world, seed, true=task["true"]), seed, task["counts"])
    elif task["part"] == "ordinary":
        rows = measures.ordinary(case(world, seed), task["counts"])
    elif task["part"] == "strictness":
        rows = measures.strictness(case(world, seed), seed, task["counts"])
    else:
        rows = measures.drawn_witness(world, seed, task["shown"])
    kept = {key: value for key, value in task.items() if key not in ("counts", "shown", "rounds")}
    return [kept | row for row in rows]


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Claims, campaigns, properties, strictness, sizes and times."""
    parts = {str(name): own for name, own in table.groupby("part")}
    return {
        "claims": claims(parts),
        "campaigns": campaigns(parts["campaign"]),
        "properties": property_shares(parts["properties"]),
        "strictness": shares(parts["strictness"], ["strictness"]),
        "without the factor": shares(parts["ordinary"], ["world", "environments"]),
        "certificates": sizes(parts),
    }


def claims(parts: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    campaign, asked, ordinary = parts["campaign"], parts["properties"], parts["ordinary"]
    whole = campaign[campaign["source"] == "whole policy"]
    star = whole[(whole["world"] == "star of branches") & (whole["environments"] > 0)]
    lacking = asked[~asked["truth"].astype(bool)]
    made = [own[own["accepted"].notna()] for own in parts.values() if "accepted" in own]
    needed = environments_needed(whole).unstack("strategy")
    told: dict[str, Any] = {
        "every certificate is accepted by the checker": np.concatenate([own["accepted"].astype(bool) for own in made]),
        "no property that the agent lacks is proved": lacking["status"] != "proved",
        "witnesses behave as the agent did in all that was seen (without the factor)": ordinary["same"],
        "proofs are where the closed form has them (star)": (star["status"] == "proved")
        == star["ruled_out"].astype(bool),
        "nothing is proved without the factor, but refuted by a witness": (ordinary["status"] == "refuted")
        & ordinary["violates"].astype(bool),
        "against counterexamples no later than at random": needed["counterexample"] <= needed["random"],
        "against counterexamples no later than by elimination": needed["counterexample"] <= needed["greedy"],
    }
    return [{"claim": claim, "held": int(np.sum(held)), "of": len(held)} for claim, held in told.items()]


def environments_needed(campaign: pd.DataFrame) -> pd.Series:
    """Environments until the property was proved; one more than were tried where it was not."""
    import pandas as pd

    def until(own: pd.DataFrame) -> int:
        proved = own.loc[own["status"] == "proved", "environments"]
        return int(proved.min()) if len(proved) else int(own["environments"].max()) + 1

    keys = ["world", "replicate", "strategy"]
    found = {key: until(own) for key, own in campaign.groupby(keys)}
    return pd.Series(found).rename_axis(keys)


def campaigns(table: pd.DataFrame) -> list[dict[str, Any]]:
    """By world, strategy and source: share proved against environments, and how many it took."""
    rows = []
    for (world, strategy, source), own in table.groupby(["world", "strategy", "source"], sort=False):
        curve = drawing.proved(own)
        needed = environments_needed(own)
        rows.append(
            {
                "world": world,
                "strategy": strategy,
                "seen": source,
                "environments": [int(n) for n in curve.columns],
                "proved": [round(float(share), 4) for share in curve.mean()],
                "environments_needed": round(float(needed.mean()), 3),
                "not_proved": int((~curve.to_numpy()[:, -1].astype(bool)).sum()),
                "objectives": len(curve),
            }
        )
    return rows


def shares(table: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    """The share of each status."""
    rows = []
    for key, own in table.groupby(keys):
        names = dict(zip(keys, (k.item() if isinstance(k, np.generic) else k for k in key), strict=True))
        rows.append({**names, "n": len(own), **{s: round(float((own["status"] == s).mean()), 4) for s in STATUSES}})
    return rows


def property_shares(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The share of each status by world, property, truth and number of environments."""
    return shares(table.assign(truth=table["truth"].astype(bool)), ["world", "property", "truth", "environments"])


def sizes(parts: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Median size and times of certificates by world and status."""
    made = parts["campaign"][parts["campaign"]["bytes"].notna()]
    rows = []
    for (world, status), own in made.groupby(["world", "status"]):
        medians = own[["bytes", "seconds", "seconds_check", "regions"]].astype(float).median()
        rows.append(
            {
                "world": world,
                "status": status,
                "n": len(own),
                "kilobytes": round(float(medians["bytes"]) / 1000, 1),
                "seconds": round(float(medians["seconds"]), 3),
                "seconds_check": round(float(medians["seconds_check"]), 3),
                "regions": int(medians["regions"]),
                "most_regions": int(own["regions"].max()),
            }
        )
    return rows


def findings(summary: Mapping[str, Any]) -> list[str]:
    """How soon properties are proved by strategy, what no number of environments proves, and what was not met."""
    needed: dict[str, dict[str, Any]] = {}
    for row in summary["campaigns"]:
        if row["seen"] == "whole policy":
            needed.setdefault(row["world"], {})[row["strategy"]] = row
    listed = "; ".join(
        f"{world} "
        + ", ".join(
            f"{own[s]['environments_needed']:.1f} {s} ({own[s]['objectives'] - own[s]['not_proved']} of "
            f"{own[s]['objectives']} proved)"
            for s in ("counterexample", "greedy", "random")
        )
        for world, own in needed.items()
    )
    never = [row for row in summary["without the factor"] if row["environments"] > 0]
    loose = summary["strictness"][-1]
    accepted = summary["claims"][0]
    return [
        "Environments until a true property of deployment is proved of every objective still possible, where one "
        f"that never is counts as one more than were tried: {listed}.",
        f"Seen whole policies of up to {max(row['environments'] for row in never):.0f} environments without the flag "
        f"or without its supervisor away, {sum(row['proved'] * row['n'] for row in never):.0f} of "
        f"{sum(row['n'] for row in never)} properties of deployment were proved: each time a witness behaved "
        "identically in all of them and does otherwise in deployment.",
        f"A strictness of {loose['strictness']:g} leaves no objective at all in {loose['vacuous']:.0%} of "
        f"{loose['n']} cases, which would 'prove' anything; these are told apart. The independent checker accepts "
        f"{accepted['held']} of {accepted['of']} certificates.",
        *unmet(summary["claims"]),
    ]


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Proofs by strategy and by what is seen; witnesses; what is vacuous; sizes and times."""
    return drawing.figure(table, summary)
