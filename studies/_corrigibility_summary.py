"""The summary of the study of corrigibility: what its rows say, and in how many cases what was expected held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from environments import shutdown_game
from irl_ident.environment import Mask
from studies import _corrigibility as measures
from studies import _corrigibility_types as types

if TYPE_CHECKING:
    import pandas as pd

ODDS = "environments that tell naive from indifferent agents vary the odds of the command"
"""What the plan of the study expected, in so many words."""

INDIFFERENT = ("indifferent", "counterfactual")
FAMILIAR = tuple(kind for kind in types.TYPES if kind not in INDIFFERENT)
"""Types whose objective is in the family that proofs speak of."""


def separations(table: pd.DataFrame, replicate: int = 0) -> tuple[list[str], list[frozenset[str]], Mask]:
    """Names of the environments, their knobs, and which tells which pair apart (E, P), for one draw of prices."""
    own = table[table["replicate"] == replicate]
    wide = own.pivot_table(index="trial", columns=["one", "other"], values="distance", sort=False)
    wide = wide[list(measures.PAIRS)]
    turned = own.drop_duplicates("trial").set_index("trial")["knobs"]
    names = [str(name) for name in wide.index]
    separates: Mask = wide.to_numpy(dtype=float) > measures.SAME
    return names, [frozenset(str(turned[name]).split()) for name in names], separates


def pairs(table: pd.DataFrame) -> list[dict[str, Any]]:
    """By pair of types: how many environments tell it apart, which, and the knobs without which none does."""
    names, turned, separates = separations(table)
    others = [separations(table, int(i))[2] for i in sorted(table["replicate"].unique())]
    rows = []
    for place, (one, other) in enumerate(measures.PAIRS):
        found = np.flatnonzero(separates[:, place])
        needed = frozenset.intersection(*(turned[e] for e in found)) if found.size else frozenset()
        rows.append(
            {
                "one": one,
                "other": other,
                "environments": int(found.size),
                "of": len(names),
                "names": [names[e] for e in found],
                "needs": sorted(needed),
                "draws_told": int(sum(own[:, place].any() for own in others)),
                "draws": len(others),
            }
        )
    return rows


def covers(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The smallest set of environments that tells all types apart, with all knobs and with each of them fixed."""
    names, turned, separates = separations(table)
    draws = [separations(table, int(i))[2] for i in sorted(table["replicate"].unique())]
    rows = []
    for knob in ("none", *types.KNOBS):
        kept = [e for e, own in enumerate(turned) if knob not in own]
        cover = measures.smallest_cover(separates[kept])
        chosen = [kept[e] for e in cover.chosen]
        possible = _others(cover.never)
        tells_all = [bool(own[np.ix_(chosen, possible)].any(axis=0).all()) for own in draws]
        rows.append(
            {
                "fixed": knob,
                "environments": len(kept),
                "size": cover.size,
                "chosen": [names[e] for e in chosen],
                "smallest_sets": cover.smallest_sets,
                "smaller_tried": cover.smaller_tried,
                "never_apart": [" and ".join(measures.PAIRS[p]) for p in cover.never],
                "draws_told": sum(tells_all),
                "draws": len(draws),
            }
        )
    return rows


def knobs(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Which naive agents are not told from the indifferent one when one thing alone may be varied."""
    rows = []
    for knob, own in table.groupby("knob", sort=False):
        alike = own.loc[~own["told"].astype(bool), "worth"]
        ends = {"from": float(alike.min()), "to": float(alike.max())} if len(alike) else {"from": None, "to": None}
        rows.append({"varied": knob, "alike": len(alike), "of": len(own), **ends})
    return rows


def chains(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The last generation that surely obeys, by type and price of a switch."""
    rows = []
    for kind, price in dict.fromkeys(zip(table["kind"], table["price"].astype(float), strict=True)):
        own = table[(table["kind"] == kind) & (table["price"] == price)]
        sure = own.loc[own["obeys"] == 1, "generation"]
        last = own.loc[own["generation"] == own["generation"].max(), "obeys"]
        rows.append(
            {
                "type": kind,
                "price": price,
                "obeys_until": int(sure.max()) if len(sure) else 0,
                "generations": int(own["generation"].max()),
                "last_obeys": float(last.iloc[0]),
            }
        )
    return rows


def proof_shares(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Statuses by pool, type, question and number of environments, with how many of the agents have the property."""
    rows = []
    keys = ["pool", "true_type", "question", "environments"]
    for (pool, kind, question, _), own in table.groupby(keys, sort=False):
        proved = own["status"] == "proved"
        has = own["true_holds"].astype(bool)
        rows.append(
            {
                "pool": pool,
                "type": kind,
                "question": question,
                "environments": int(own["environments"].iloc[0]),
                "n": len(own),
                "have_it": int(has.sum()),
                "proved_wrongly": int((proved & ~has).sum()),
                **{status: int((own["status"] == status).sum()) for status in own["status"].unique()},
            }
        )
    return rows


def witnesses(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What the witnesses against each question do in deployment, by pool."""
    refuted = table[table["status"] == "refuted"]
    rows = []
    for (pool, question), own in refuted.groupby(["pool", "question"], sort=False):
        deeds = {str(deed): int(count) for deed, count in own["witness_does"].value_counts().sort_index().items()}
        rows.append({"pool": pool, "question": question, "n": len(own), **deeds})
    return rows


def claims(parts: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    plane, off, chain, proved = parts["plane"], parts["off-switch"], parts["chain"], parts["proofs"]
    plane = plane[~plane["boundary"].astype(bool)]
    noisy = off[(off["beta"] > 0) & ~off["boundary"].astype(bool)]
    rational = off[off["beta"] == 0]
    names, turned, separates = separations(parts["types"])
    naive = [turned[e] for e in np.flatnonzero(separates[:, measures.PAIRS.index(("naive", "indifferent"))])]
    game = set(parts["types"].loc[parts["types"]["world"] == "shutdown game", "trial"])
    told_apart = np.flatnonzero(separates[:, measures.PAIRS.index(("counterfactual", "corrigible"))])
    built = [turned[e] for e in told_apart if names[e] in game]
    paid = chain[chain["kind"].isin(INDIFFERENT) & (chain["price"] > 0)]
    told = chain[chain["kind"] == "corrigible"]
    inside = proved[proved["true_type"].isin(FAMILIAR)]
    outside = proved[proved["true_type"] == "indifferent"]
    watched, fewer = (proved[proved["pool"] == pool] for pool in ("watched", "no successors"))
    watched, fewer = (own[own["true_type"] != "indifferent"] for own in (watched, fewer))
    witnesses = proved["witness_same"].dropna()
    own = parts["explained"]
    expected: dict[str, Any] = {
        "naive agents behave as indifferent ones just between the closed-form bounds": plane["alike"].astype(bool)
        == plane["closed_form"].astype(bool),
        ODDS: ["odds" in k for k in naive],
        "within the shutdown game, only what it builds tells a counterfactually indifferent agent from a corrigible "
        "one": ["successor" in k for k in built],
        "a robot defers to a noisy human just while |mu| < sigma^2 / (2 beta)": (noisy["waits"] == 1)
        == noisy["closed_form"].astype(bool),
        "deferring to a rational human is worth something": rational["worth"] > 0,
        "indifferent agents do not pay for a switch in what they build": paid["obeys"] == 0,
        "corrigible agents pay for it just up to the closed-form price": told["obeys"] == told["closed_form"],
        "witnesses behave as the agent did in all that was seen": witnesses.astype(bool),
        "nothing is proved that an agent of the family lacks": ~(
            (inside["status"] == "proved") & ~inside["true_holds"].astype(bool)
        ),
        "nothing is proved that the indifferent agent, which is not of the family, lacks": ~(
            (outside["status"] == "proved") & ~outside["true_holds"].astype(bool)
        ),
        "nothing is proved from environments in which it is watched": watched["status"] != "proved",
        "nothing is proved of successors from environments without any": fewer["status"] != "proved",
        "one objective explains agents of the family": own.loc[own["true_type"].isin(FAMILIAR), "explained"].astype(
            bool
        ),
        "no objective explains the indifferent agent": ~own.loc[own["true_type"] == "indifferent", "explained"].astype(
            bool
        ),
    }
    return [{"claim": claim, "held": int(np.sum(held)), "of": len(held)} for claim, held in expected.items()]


def closed_form(odds: float, effort: float, stake: int) -> tuple[float, float]:
    """Bounds between which naive agents work and obey, under the default rules."""
    return shutdown_game.works_between(odds, effort, stake=stake, provoked=shutdown_game.Rules().provoked)


def _others(never: tuple[int, ...]) -> list[int]:
    return [place for place in range(len(measures.PAIRS)) if place not in never]
