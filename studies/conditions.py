"""Under which conditions do unintended optimisation and misalignment arise?

Two conditions of Hubinger et al. (2019): what training leaves undecided (inner alignment), and what makes a base
optimiser come to a learned algorithm that searches at run time (unintended optimisation).

Inner alignment.  Small networks are trained by exact policy gradients in the coin corridor, where the coin is at the
end of the row but for a share of levels (Langosco et al. 2022 took 0, 2, 3, 6 and 11 %), and are then watched, frozen,
with the coin in each of the pockets.  What they pursue is nowhere written down; the identified set says which
objectives explain what they do: the coin, the end of the row, both at some price, or none.  Expected, from a first try:
a sharp boundary in share, salience of what is seen of the coin, and steps; at salience .1 the end is pursued at 6 % for
1,000 steps; at .2 the coin is at 2 % after 300; weight decay enlarges the misaligned phase; sampling levels by regret
shrinks it (Abdel Sadek et al. 2025, arXiv 2507.03068).  Refuted if: no such boundary; agents of the misaligned phase
just fail; or the verdict on built agents, whose objective is known, is wrong.  Beside gradient descent stands exact
selection among planners, with prices for length and depth, whose boundary is a formula.

Unintended optimisation.  Expected, from the paper's model: with N task instances and P bits of optimisation power, of
which a searcher of x bits takes c x^2, ``x* = min(N / 2c, sqrt(P / c))``; so search at run time appears as N grows.
Programs that search and tables that do not are made for grids, their power in bits is measured, and the strongest is
selected.  Refuted if: what is selected is not what the model says, and not for the one reason that it leaves out (a
table can solve an instance in full).  The conclusion's three cases are marked on the map: mesa-optimisers do not arise;
they arise and are hard to prevent; they arise by default and can be prevented, which here means that programs without
search lose at most a quarter of the power.  Goal-directedness and adaptivity say whether behaviour gives it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studies import _conditions_figure as drawing
from studies import _conditions_search as search
from studies import _conditions_selection as selection
from studies import _conditions_summary as sums
from studies import _conditions_training as training
from studies.study import Settings, Task
from studies.wording import series, unmet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BASE = "as it is"
DISCOUNT = 0.95

COMMON: dict[str, Any] = {
    "width": 32,
    "depth": 1,
    "discount": DISCOUNT,
    "learning_rate": 3e-3,
    "weight_decay": 0.0,
    "prioritised": 0.0,
}
"""How agents are trained, but for what a slice changes."""

SLICES: dict[str, dict[str, Any]] = {
    BASE: {},
    "weight decay .3": {"weight_decay": 0.3},
    "weight decay 1": {"weight_decay": 1.0},
    "weight decay 3": {"weight_decay": 3.0},
    "8 units": {"width": 8, "learning_rate": 3e-3 * 32 / 8},
    "128 units": {"width": 128, "learning_rate": 3e-3 * 32 / 128},
    "discount .8": {"discount": 0.8},
    "discount .99": {"discount": 0.99},
    "regret, a tenth": {"prioritised": 0.1},
    "regret alone": {"prioritised": 1.0},
}
"""The learning rate falls with the width; a tenth of the weight of levels, or all of it, goes by their regret."""

SHIFTS = {
    **{f"weight decay {d}": (f"weight decay of {d} enlarges", "replicates_more") for d in (".3", "1", "3")},
    "regret, a tenth": ("a tenth of the weight of levels by regret shrinks", "replicates_less"),
    "regret alone": ("weighing levels by regret alone shrinks", "replicates_less"),
}
"""What slices are expected to do to the misaligned phase, and in which replicates they did."""

SHARES = (0.0, 0.005, 0.01, 0.02, 0.03, 0.06, 0.11, 0.3)
SALIENCES = (0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 1.0)
FEWER_SHARES = (0.005, 0.02, 0.06, 0.11, 0.3)
FEWER_SALIENCES = (0.05, 0.07, 0.1, 0.14, 0.2, 0.4)
QUICK_SHARES = (0.0, 0.005, 0.02, 0.06, 0.3)
LOOKS = (300, 1_000, 3_000)

COUNTS = tuple(sorted({round(2 ** (k / 2)) for k in range(21)}))
POWERS = tuple(2 ** (k / 2) for k in range(4, 29))
PRICES: tuple[tuple[float, float], ...] = ((1.0, 0.0), (4.0, 0.0), (1.0, 2.0))
"""Of search, c, and of time, in bits a step of looking ahead."""

ENTRIES = tuple(range(search.ENTRIES + 1))
SHOWN = {"table in full": (0, ENTRIES[-1]), "half a table": (0, 9), "table and search": (3, 4), "search": (8, 0)}
"""Programs, as depth and entries, of which it is measured what gives them away."""


def tasks(settings: Settings) -> list[Task]:
    """Batches of agents, the built agents, and draws of task instances."""
    quick = settings.quick
    replicates, batch = (3, 3) if quick else (20, 1)
    looks = LOOKS[:2] if quick else LOOKS
    planned: list[Task] = [
        {"part": part, "discount": discount} for part in ("built", "selection") for discount in (0.8, DISCOUNT, 0.99)
    ]
    for name, changed in SLICES.items():
        shares, saliences = _cells(quick=quick, whole=name == BASE)
        for first in range(0, replicates, batch):
            numbers = list(range(first, first + batch))
            planned.append(
                {
                    "part": "trained",
                    "slice": name,
                    **COMMON,
                    **changed,
                    "shares": list(shares),
                    "saliences": list(saliences),
                    "replicates": numbers,
                    "seeds": [settings.seed_for(0, number) for number in numbers],
                    "steps": looks[-1],
                    "looks": list(looks[:-1]),
                }
            )
    layouts = 2 if quick else 4
    planned += [
        {"part": "search", "replicate": number, "seed": settings.seed_for(1, number), "layouts": layouts}
        for number in range(replicates)
    ]
    return planned


def _cells(*, quick: bool, whole: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of decorrelated levels and saliences of the whole map, or of a slice, which has fewer."""
    if quick:
        return (QUICK_SHARES, SALIENCES[1:7]) if whole else (QUICK_SHARES[2:4], SALIENCES[2:5])
    return (SHARES, SALIENCES) if whole else (FEWER_SHARES, FEWER_SALIENCES)


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    if task["part"] == "built":
        rows = [row | {"discount": task["discount"]} for row in training.built_rows(task["discount"])]
    elif task["part"] == "selection":
        rows = selection.selection_rows(task["discount"], SALIENCES)
    elif task["part"] == "trained":
        kept = {
            key: task[key] for key in ("slice", "width", "discount", "learning_rate", "weight_decay", "prioritised")
        }
        rows = [kept | row for row in training.trained_rows(task)]
    else:
        rows = search_rows(task["replicate"], task["seed"], task["layouts"])
    return [{"part": task["part"]} | row for row in rows]


def search_rows(replicate: int, seed: int, layouts: int) -> list[dict[str, Any]]:
    """What is selected for each N and P, and what gives programs away."""
    import pandas as pd

    found = search.instances(seed, 2 * layouts, 2 * layouts)
    measured = pd.DataFrame(search.powers(found, layouts, ENTRIES, seed % 2**31))
    bits = measured.pivot_table(index="depth", columns="entries", values="bits").to_numpy()
    bits = bits - bits[0, 0]
    reach, most = bits[:, 0], float(bits.max())
    first = float(reach[1:].min())
    truth = dict(zip(("true_floor", "true_first", "true_second", "true_third"), found.theta.tolist(), strict=True))
    rows: list[dict[str, Any]] = []
    for c, time_price in PRICES:
        for count in COUNTS:
            for power in POWERS:
                deep, entries, score = search.selected(bits, ENTRIES, count, power, c, time_price)
                _, _, tables = search.selected(bits[:1], ENTRIES, count, power, c)
                price = 1 - tables / score if score > 0 else 0.0
                case = 0 if search.DEPTHS[deep] == 0 else 1 if price <= sums.CHEAP else 2
                where = (np.array(count), np.array(power), c, first)
                rows.append(
                    {
                        "kind": "selected",
                        "c": c,
                        "time_price": time_price,
                        "instances": count,
                        "power": power,
                        "depth": search.DEPTHS[deep],
                        "entries": ENTRIES[entries],
                        "bits": score,
                        "bits_table": tables,
                        "price": price,
                        "case": case,
                        "predicted": int(sums.case_of(*where, most)),
                        "predicted_uncut": int(sums.case_of(*where, np.inf)),
                        "model": float(search.search_power(count, power, c)),
                        "reach": float(reach[deep]),
                    }
                )
    rows += [{"kind": kind, **search.seen_of(found, *shape)} for kind, shape in SHOWN.items()]
    return [row | {"replicate": replicate, "first_bits": first, "most_bits": most} | truth for row in rows]


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Claims, phases, boundaries, sizes of the misaligned phase, fits, and the map of search."""
    parts = {str(name): own.dropna(axis=1, how="all") for name, own in table.groupby("part")}
    trained, made = parts["trained"], parts["search"]
    chosen = made[made["kind"] == "selected"].astype({"case": int, "predicted": int, "predicted_uncut": int})
    shown = made[made["kind"] != "selected"]
    boundary = sums.boundaries(trained)
    ends = trained[trained["steps"] == trained["steps"].max()]
    found = {
        "agents": len(ends),
        "replicates": int(trained["replicate"].nunique()),
        "verdicts": {name: int((trained["verdict"] == name).sum()) for name in training.VERDICTS},
        "looks": len(trained),
        "phases": sums.phases(trained),
        "boundaries": boundary,
        "sizes": sums.sizes(trained, BASE),
        "fits": sums.fits([row for row in boundary if not row["slice"].startswith("discount")], DISCOUNT),
        "selection": sums.selections(parts["selection"]),
        "tolerances": sums.tolerances(trained),
        "search": sums.search_map(chosen),
        "given_away": sums.given_away(shown),
        "first_bits": float(chosen.groupby("replicate")["first_bits"].first().mean()),
        "most_bits": float(chosen.groupby("replicate")["most_bits"].first().mean()),
    }
    return {"claims": claims(parts, found), **found}


def claims(parts: Mapping[str, pd.DataFrame], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was expected, in how many of how many cases it held."""
    trained, built, exact = parts["trained"], parts["built"], sums.comparable(parts["selection"])
    base = trained[trained["slice"] == BASE]
    some = base[base["decorrelated"] > 0]
    none = base[base["decorrelated"] == 0]
    cells = [row for row in found["phases"] if row["slice"] == BASE and row["decorrelated"] > 0]
    size = {(row["slice"], row["steps"]): row for row in found["sizes"]}
    last = int(base["steps"].max())
    wide = some.assign(bad=some["verdict"].isin(sums.MISALIGNED)).pivot_table(
        index="replicate", columns="steps", values="bad"
    )
    cell = base.set_index(["decorrelated", "salience", "steps"]).sort_index()
    selected = parts["search"][parts["search"]["kind"] == "selected"]
    away = parts["search"][parts["search"]["kind"] != "selected"].pivot_table(
        index="replicate", columns="kind", values="explained_held_out"
    )
    near = parts["search"][parts["search"]["kind"] == "table in full"]["explained"]
    told: dict[str, Any] = {
        "built agents have the coin where their objective says, and the verdict is of what they want": (
            (built["coins"] == built["expected_coins"]) & right(built)
        ),
        "exact selection turns to the coin where the formula says": ((exact["share"] - exact["formula"]).abs() < 1e-9),
        "without decorrelated levels nobody pursues the coin": none["verdict"] != "aligned",
        "all seeds of a cell agree, so the boundary is sharp": np.array([row["misaligned"] in (0, 1) for row in cells]),
        "at salience .1 and 6 % the end is pursued for 1,000 steps": (
            cell.loc[(0.06, 0.1, 1_000), "verdict"] == "proxy"
        ),
        "at salience .2 and 2 % the coin is pursued after 300 steps": (
            cell.loc[(0.02, 0.2, 300), "verdict"] == "aligned"
        ),
        "the misaligned phase shrinks with training": wide[last] < wide[wide.columns.min()],
        "misaligned agents are capable where they were trained": (
            trained[trained["verdict"].isin(sums.MISALIGNED)]["at_end"] > 0.9
        ),
    }
    rows = [{"claim": claim, "held": int(np.sum(held)), "of": len(held)} for claim, held in told.items()]
    for name, (words, key) in SHIFTS.items():
        if name in SLICES:
            row = size[name, last]
            rows.append({"claim": f"{words} the misaligned phase", "held": row[key], "of": row["replicates"]})
    told = {
        "which case holds, in each draw, is what the model says": selected["case"] == selected["predicted_uncut"],
        "which case holds is what the model says once it is cut off at a full table": selected["case"]
        == selected["predicted"],
        "one objective explains searchers better than tables where neither was made": away["search"]
        > away["table in full"],
        "a table in full cannot be told from a searcher where it was made": near > 1 - 1e-6,
    }
    return rows + [{"claim": claim, "held": int(np.sum(held)), "of": len(held)} for claim, held in told.items()]


def right(built: pd.DataFrame) -> pd.Series:
    """Whether the verdict on built agents is right: who has no coin in pockets wants the end, who has all the coin."""
    expected = np.select(
        [built["expected_coins"] == 0, built["expected_coins"] == built["expected_coins"].max()],
        ["proxy", "aligned"],
        "in between",
    )
    same: pd.Series = built["verdict"] == expected
    return same


def findings(summary: Mapping[str, Any]) -> list[str]:
    """Where misalignment and search arise, by how much conditions shift that, and what did not come out."""
    size = {(row["slice"], row["steps"]): row for row in summary["sizes"]}
    steps = sorted({row["steps"] for row in summary["sizes"]})
    base = [size[BASE, step] for step in steps]
    last = steps[-1]
    decay = [size[name, last] for name in SLICES if name.startswith("weight decay")]
    names = [SLICES[row["slice"]]["weight_decay"] for row in decay]
    regret = size["regret alone", last]
    verdicts, looks = summary["verdicts"], summary["looks"]
    default = [row for row in summary["search"] if (row["c"], row["time_price"]) == PRICES[0]]
    uncut, cut = (float(np.mean([row[key] for row in default])) for key in ("agree_uncut", "agree"))
    away = {row["kind"]: row for row in summary["given_away"]}
    table, searching = away["table in full"], away["search"]
    return [
        f"Of {base[0]['cells']} combinations of a share of levels with the coin elsewhere and a salience of the coin, "
        f"{series((row['size'] for row in base), '.0%')} of the networks do not pursue the coin after "
        f"{series(steps, ',')} steps ({base[-1]['lower']:.0%} to {base[-1]['upper']:.0%} at the last; "
        f"{base[-1]['replicates']} seeds).  Of {looks:,} looks at networks, in all conditions, {verdicts['proxy']:,} "
        "show one that goes to the end of the row wherever the coin is, and "
        f"{verdicts['incapable']} one that did not learn to get the coin where it mostly was in training.",
        *_selection_sentence(summary["fits"], last),
        f"Weight decay of {series(names, 'g')} changes the share that does not pursue the coin by "
        f"{series((100 * row['more'] for row in decay), '+.0f')} points (the last: "
        f"{100 * decay[-1]['more_lower']:+.0f} to {100 * decay[-1]['more_upper']:+.0f}); weighing levels by regret "
        f"alone leaves {regret['size']:.0%}, instead of {regret['size'] - regret['more']:.0%} in the same cells.",
        "Which of the paper's three cases holds (no search at run time; search that can be prevented for "
        f"{sums.CHEAP:.0%} of the power or less; search that costs more to prevent) is what its model says in "
        f"{uncut:.0%} of {len(default)} combinations of task instances and optimisation power, and in {cut:.0%} once "
        f"the model knows that a full table leaves nothing to search for ({default[0]['n']} draws).",
        f"In the layouts that it was made for, one objective explains {table['explained']:.0%} of a full table and "
        f"{searching['explained']:.0%} of a searcher; in others {table['explained_held_out']:.0%} and "
        f"{searching['explained_held_out']:.0%} ({searching['replicates']} draws): only there does behaviour tell that "
        "something searches.",
        *unmet(summary["claims"]),
    ]


def _selection_sentence(fits: list[dict[str, Any]], steps: int) -> list[str]:
    """How the boundary compares with that of exact selection, where there is one."""
    own = [row for row in fits if row["slice"] == BASE and row["steps"] == steps]
    return [
        f"The salience from which the coin is pursued falls with the share of decorrelated levels to the power of "
        f"{row['slope']:.2f} after {steps:,} steps; exact selection among planners with a price for the length of "
        f"their objective has -0.50 and, with the price that fits best, is off by a factor of {row['off']:.2f}."
        for row in own
    ]


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Phases by steps; what shifts them; who searches; what gives it away."""
    return drawing.figure(summary)
