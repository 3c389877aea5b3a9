"""The summary of the study of the reward-result gap, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import figures
from irl_ident.environment import Array
from studies._gap_worlds import ALIGNED, OTHERWISE

if TYPE_CHECKING:
    import pandas as pd

NARROW = 0.05
"""A band that is no wider has collapsed."""

ZERO = 1e-6
WHOLE = ("replicate", "probes", "environments", "depth", "turns_at", "training", "deployment")
"""Columns of counts."""


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Everything, from the rows of all tasks."""
    parts = {str(name): part(table, str(name)) for name in table["part"].unique()}
    bands = parts["bands"]
    return {
        "claims": claims(parts),
        "replicates": int(bands["replicate"].nunique()),
        "bands": by_kind(bands),
        "strategies": strategies(bands),
        "learned": by_kind(parts["learned"].assign(strategy="probes")),
        "decorrelated": decorrelated(parts["decorrelated"]),
        "flags": flags(parts["flags"]),
        "selected": selected(parts["selected"]) if "selected" in parts else [],
        "unlike what is assumed": otherwise(bands),
    }


def part(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of one part, with the columns that it has, counts as whole numbers."""
    own = table[table["part"] == name].dropna(axis="columns", how="all")
    whole = [column for column in WHOLE if column in own]
    return own.astype(dict.fromkeys(whole, int))


def interval(values: Any) -> dict[str, Any]:
    """The mean, a bootstrap interval of it (95 %), and n."""
    given: Array = np.asarray(values, dtype=float)
    if len(given) < 2:
        mean = float(given.mean()) if len(given) else None
        return {"mean": mean, "lower": mean, "upper": mean, "n": len(given)}
    band = figures.mean_interval(given[:, None])
    return {
        "mean": round(float(band.mean[0]), 4),
        "lower": round(float(band.lower[0]), 4),
        "upper": round(float(band.upper[0]), 4),
        "n": len(given),
    }


def claims(parts: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    bands, flagged, depths = parts["bands"], parts["flags"], parts["depths"]
    explained = bands[bands["explained"].astype(bool)]
    assumed = explained[~explained["kind"].isin(OTHERWISE)]
    wrong = assumed[~assumed["kind"].isin(ALIGNED)]
    before = wrong[wrong["probes"] == 0]
    matched = wrong[(wrong["strategy"] == "matching") & (wrong["probes"] == 1)]
    guided = wrong[(wrong["strategy"] == "counterexample") & (wrong["probes"] == wrong["probes"].max())]
    down, up = flagged[~flagged["flagged"].astype(bool)], flagged[flagged["flagged"].astype(bool)]
    deceit, course = parts["pretending"], parts["decorrelated"]
    told: dict[str, Any] = {
        "agents are perfect in training": bands["true_training_gap"] < ZERO,
        "the gap is in the band (agents that plan as assumed)": assumed["holds"].astype(bool),
        "proofs of bands are accepted by the independent checker": bands["accepted"].dropna().astype(bool),
        "the band from training contains 0 and the gap (pseudo-aligned)": (before["least"] < ZERO)
        & before["holds"].astype(bool),
        "one matching probe collapses the band (pseudo-aligned)": matched["most"] - matched["least"] <= NARROW,
        "probes against the certificate show that something is lost (pseudo-aligned)": guided["least"] > ZERO,
        "a deceiver and its double do the same while the flag is down, and the band stays [0, 1]": down["tied"].astype(
            bool
        )
        & (down["least"] < ZERO)
        & (down["most"] > 1 - ZERO),
        "one environment with the flag up tells them apart": (up["most"] - up["least"] <= NARROW)
        & ~up["tied"].astype(bool),
        "a deceiver does what a corrigible agent does that is told to go to B when the flag is up": up[
            "as_corrigible"
        ].astype(bool),
        "a planner for B pretends where the closed form says so": deceit["pretends"].astype(bool)
        == (deceit["worth"].astype(float) > 1),
        "a shallow planner loses nothing below the depth at which it turns, and something from there on": (
            (depths["true_gap"] > ZERO) == (depths["depth"] >= depths["turns_at"])
        ),
    }
    rows = [{"claim": claim, "held": int(held.sum()), "of": len(held)} for claim, held in told.items()]
    for name, own in course[course["agent"] == "sampled"].groupby("kind"):
        wide = own.pivot_table(index="replicate", columns="share", values="true_gap")
        held = wide[0.11] < wide[0.0] - 0.01
        rows.append(
            {"claim": f"11 % of decorrelated levels lower the gap ({name})", "held": int(held.sum()), "of": len(held)}
        )
    return rows


def by_kind(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Gaps, and bands after training and after the last probe, by kind and strategy."""
    rows = []
    for (kind, strategy), own in table.groupby(["kind", "strategy"], sort=False):
        for number in sorted({0, int(own["probes"].max())} & set(own["probes"])):
            here = own[own["probes"] == number]
            kept = here[here["explained"].astype(bool)]
            row: dict[str, Any] = {"kind": kind, "strategy": strategy, "probes": number, "n": len(here)}
            row["explained"], row["gap"] = len(kept), interval(here["true_gap"])
            row |= {name: interval(kept[name]) for name in ("least", "most")}
            row["holds"] = int(kept["holds"].astype(bool).sum())
            if "starc_least" in kept and kept["starc_least"].notna().any():
                row |= {name: interval(kept[name].dropna()) for name in ("starc_least", "starc_most", "true_starc")}
            rows.append(row)
    return rows


def strategies(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean widths of bands by strategy and number of probes, of agents that plan as assumed."""
    return [
        {"strategy": strategy, "probes": number, "width": interval(values)}
        for strategy, number, values in widths(table)
    ]


def widths(table: pd.DataFrame) -> list[tuple[str, int, Array]]:
    """Widths of bands, a mean over kinds for each replicate, by strategy and number of probes."""
    kept = table[table["explained"].astype(bool) & ~table["kind"].isin(OTHERWISE)]
    kept = kept.assign(width=kept["most"] - kept["least"])
    start = kept[kept["probes"] == 0].groupby("replicate")["width"].mean()
    found = []
    for strategy, own in kept[kept["probes"] > 0].groupby("strategy", sort=False):
        found.append((str(strategy), 0, start.to_numpy()))
        for number in sorted(own["probes"].unique().tolist()):
            here = own[own["probes"] == number]
            found.append((str(strategy), number, here.groupby("replicate")["width"].mean().to_numpy()))
    return found


def decorrelated(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean gaps of learned agents by world and share."""
    rows = []
    for (name, agent), own in table.groupby(["kind", "agent"], sort=False):
        for share, here in own.groupby("share"):
            told = {"world": name, "agent": agent, "share": float(str(share)), "gap": interval(here["true_gap"])}
            rows.append(told | {"training_gap": round(float(here["true_training_gap"].mean()), 4)})
    return rows


def flags(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Bands of the deceiver and of its double by number of environments."""
    rows = []
    for agent, whole in table.groupby("agent", sort=False):
        for number in sorted(whole["environments"].unique().tolist()):
            own = whole[whole["environments"] == number]
            told = {"agent": agent, "environments": number, "flagged": bool(own["flagged"].iloc[0])}
            rows.append(told | {name: interval(own[name]) for name in ("least", "most", "true_gap")})
    return rows


def selected(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What training could have selected, by kind and loss."""
    return [
        {
            "kind": kind,
            "loss": loss,
            "least_reached": round(float(own["least_reached"].mean()), 4),
            "most_reached": round(float(own["most_reached"].mean()), 4),
            "n": len(own),
        }
        for (kind, loss), own in table.groupby(["kind", "loss"], sort=False)
    ]


def otherwise(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Agents that do not plan as assumed: after probes, bands that hold the gap, that do not, and contradictions."""
    rows = []
    for kind in OTHERWISE:
        own = table[(table["kind"] == kind) & (table["probes"] > 0)]
        kept = own[own["explained"].astype(bool)]
        held = int(kept["holds"].astype(bool).sum())
        rows.append(
            {
                "kind": kind,
                "bands": len(own),
                "hold": held,
                "miss": len(kept) - held,
                "contradict": len(own) - len(kept),
            }
        )
    return rows


def findings(found: Mapping[str, Any]) -> list[str]:
    """What was found, in sentences."""
    told = {row["claim"]: row for row in found["claims"]}

    def share(start: str) -> str:
        row = next(row for claim, row in told.items() if claim.startswith(start))
        return f"{row['held']} of {row['of']}"

    wrong = [
        row for row in found["bands"] if row["kind"] not in (*ALIGNED, *OTHERWISE) and row["strategy"] == "training"
    ]
    gaps = [row["gap"]["mean"] for row in wrong]
    n = f"{found['replicates']} draws of each of {len(wrong)} kinds"
    sentences = [
        f"Agents that lost nothing in training lost {min(gaps):.2f} to {max(gaps):.2f} of the base objective's range "
        f"where the world shifted (means over {n}); from training alone the band of gaps that are possible contained "
        f"both 0 and the gap in {share('the band from training')} cases.",
        f"The gap was in the band in {share('the gap is in the band')} cases where agents plan as assumed, and the "
        f"checker accepted {share('proofs of bands')} proofs; one probe shifted as deployment is collapsed the band "
        f"(to {NARROW} or less) in {share('one matching probe')} cases, and {_widths_told(found)}.",
        _otherwise_told(found),
        f"A deceiver and its aligned double did the same, and left the band [0, 1], in {share('a deceiver')} sets of "
        f"environments with the flag down; one with the flag up told them apart in {share('one environment')} cases. "
        f"In {share('a deceiver does what')} it did as an agent that obeys and is told B when the flag is up: what "
        "tells these two apart is what is wanted then, not what they do.",
        _decorrelated_told(found),
    ]
    failed = [row for row in found["claims"] if row["held"] < row["of"]]
    if failed:
        listed = "; ".join(f"{row['claim']} ({row['held']} of {row['of']})" for row in failed)
        sentences[-1] += f" Expected and not always so: {listed}."
    return sentences


def _widths_told(found: Mapping[str, Any]) -> str:
    own = [row for row in found["strategies"] if row["strategy"] == "counterexample"]
    first, last = own[0]["width"], own[-1]["width"]
    return (
        f"{own[-1]['probes']} probes against the certificate narrowed it from {first['mean']:.2f} to "
        f"{last['mean']:.2f} [{last['lower']:.2f}, {last['upper']:.2f}] on average"
    )


def _otherwise_told(found: Mapping[str, Any]) -> str:
    parts = [
        f"{row['kind'].partition(': ')[2]}: {row['miss']} of {row['bands']} bands missed the gap, and for "
        f"{row['contradict']} no objective was left"
        for row in found["unlike what is assumed"]
    ]
    return (
        "Where a limit of the planner made the agent look aligned, probes before the limit went away gave answers that "
        f"are sure and wrong ({'; '.join(parts)})."
    )


def _decorrelated_told(found: Mapping[str, Any]) -> str:
    rows = [row for row in found["decorrelated"] if row["agent"] == "sampled"]
    parts = []
    for world in dict.fromkeys(row["world"] for row in rows):
        own = {row["share"]: row["gap"] for row in rows if row["world"] == world}
        first, last = own[0.0], own[0.11]
        parts.append(
            f"{world} from {first['mean']:.2f} [{first['lower']:.2f}, {first['upper']:.2f}] to {last['mean']:.2f} "
            f"[{last['lower']:.2f}, {last['upper']:.2f}] (n = {last['n']})"
        )
    return (
        "With 11 % of decorrelated training levels instead of none the gap of learned agents went: "
        + ", ".join(parts)
        + "."
    )
