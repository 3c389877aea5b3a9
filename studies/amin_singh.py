"""How many environments must an experimenter choose to know the objective?

Amin & Singh (2016) give two experimenters.  The *omnipotent* one may build any transitions: it should need as many
experiments as the information limit says, ``ceil(log_A(1 / eps))`` after the best and the worst state are known.  The
*restricted* one chooses from a class of environments: choosing greedily should beat choosing at random, and come near
one who knows the truth.

Refuted if: an omnipotent experimenter needs more than the limit in its second phase, or ends with an error above eps /
2; or greedy choice leaves as many objectives consistent as random choice.

Worlds: any transitions on 64 states; 4 x 4 grids with two walls and three objects that end the episode (60 random
layouts, slip 0.1, 120 objectives); a conditioning box with two levers.  The paper publishes no parameters of its own
experiment: these worlds are in its spirit and do not reproduce its figure.  Agents: optimal, showing all optimal
actions.  Measured: number of experiments; share of the objectives still consistent, certified diameter of the
identified set, regret in unseen environments of an agent that pursues the centre of the set, normalised to 0 for
optimal and 1 for the worst policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil, log2
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

import irl_ident as ii
from environments import conditioning_box, object_grid
from irl_ident import figures, planning
from irl_ident.design import omnipotent
from irl_ident.design.version_space import (
    VersionSpace,
    adaptive_scores,
    elimination_scores,
    greedy_sequence,
    oracle_sequence,
)
from irl_ident.environment import Array
from studies.study import Settings, Task
from studies.wording import series

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OBJECTS = ("food", "water", "shock")
ROUNDS = 6
LAYOUT_SEED = 0
LAYOUTS = 60
ANIMAL = 50
"""The objective whose identified set is drawn."""

STATES = 64
DISCOUNT = 0.9
COLOURS = dict(zip(("greedy", "oracle", "random", "round robin"), figures.PALETTE, strict=False))


def tasks(settings: Settings) -> list[Task]:
    """Omnipotent runs by size and precision; restricted ones by world and objective."""
    sizes = (2, 4, 16) if settings.quick else (2, 3, 4, 8, 16)
    precisions = (1e-1, 1e-2, 1e-4) if settings.quick else (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    repeats = 3 if settings.quick else 20
    planned: list[Task] = [
        {"part": "omnipotent", "actions": a, "epsilon": e, "replicate": i, "seed": settings.seed_for(0, i)}
        for a in sizes
        for e in precisions
        for i in range(repeats)
    ]
    for number, world in enumerate(("objects", "box")):
        count = len(version_space(world).hypotheses)
        chosen = np.random.default_rng(settings.seed_for(1, number)).permutation(count)
        kept = chosen[: 20 if settings.quick else count]
        planned += [
            {"part": world, "truth": int(truth), "seed": settings.seed_for(2, number, int(truth))} for truth in kept
        ]
    return [*planned, {"part": "animal", "truth": ANIMAL}]


def run(task: Task) -> list[dict[str, Any]]:
    """One omnipotent run, or one objective met by every strategy."""
    parts = {"omnipotent": run_omnipotent, "animal": run_animal}
    return parts.get(task["part"], run_restricted)(task)


def run_omnipotent(task: Task) -> list[dict[str, Any]]:
    """Locate a random objective on 64 states."""
    theta = np.random.default_rng(task["seed"]).random(STATES)
    agent = ii.agents.Optimal(ii.rewards.StateRewards(STATES), theta)
    search = omnipotent.ThresholdSearch(STATES, task["actions"], DISCOUNT, task["epsilon"])
    found = omnipotent.locate(agent, search)
    truth = (theta - theta.min()) / np.ptp(theta)
    return [
        {
            "part": "omnipotent",
            "states": STATES,
            "actions": task["actions"],
            "epsilon": task["epsilon"],
            "replicate": task["replicate"],
            "extremes": found.extremes,
            "experiments": found.search,
            "limit": found.limit,
            "error": float(np.abs(found.estimate - truth).max()),
        }
    ]


@lru_cache(maxsize=2)
def version_space(world: str) -> VersionSpace:
    """The candidates and the finite class of objectives of a world."""
    if world == "box":
        return VersionSpace(conditioning_box.objectives(), conditioning_box.all_boxes(), conditioning_box.family())
    return VersionSpace(object_grid.canonical_objectives(), grids(LAYOUT_SEED, LAYOUTS), object_grid.family(4, OBJECTS))


def layouts(seed: int, count: int) -> list[object_grid.Layout]:
    """Random 4 x 4 grids with three objects."""
    rng = np.random.default_rng(seed)
    return [object_grid.random_layout(rng) for _ in range(count)]


def grids(seed: int, count: int) -> list[ii.Environment]:
    """The environments of random layouts."""
    return [object_grid.build(layout, OBJECTS, slip=0.1, discount=DISCOUNT) for layout in layouts(seed, count)]


@lru_cache(maxsize=2)
def unseen(world: str) -> tuple[ii.Environment, ...]:
    """Environments that no experimenter is offered."""
    if world == "box":
        return tuple(conditioning_box.all_boxes()[::60])
    return tuple(grids(LAYOUT_SEED + 1, 10))


def run_restricted(task: Task) -> list[dict[str, Any]]:
    """Every strategy on one objective of a world."""
    space, truth = version_space(task["part"]), task["truth"]
    rng = np.random.default_rng(task["seed"])
    count = len(space.candidates)
    sequences = {
        "greedy": greedy_sequence(space.labels, truth, ROUNDS),
        "oracle": oracle_sequence(space.labels, truth, ROUNDS),
        "random": tuple(int(i) for i in rng.permutation(count)[:ROUNDS]),
        "round robin": tuple(range(ROUNDS)),
    }
    rows = []
    for strategy, chosen in sequences.items():
        left = [len(space.hypotheses), *(int(n) for n in space.sizes(truth, chosen))]
        measured: list[tuple[float, float, float]] = []
        for n in range(ROUNDS + 1):
            if n <= len(chosen):
                measured.append(known(task["part"], truth, chosen[:n]))
            lower, upper, regret = measured[-1]
            rows.append(
                {
                    "part": task["part"],
                    "strategy": strategy,
                    "truth": truth,
                    "environments": n,
                    "consistent": left[min(n, len(chosen))],
                    "consistent_share": left[min(n, len(chosen))] / len(space.hypotheses),
                    "diameter_lower": lower,
                    "diameter_upper": upper,
                    "regret": regret,
                }
            )
    return rows


def run_animal(task: Task) -> list[dict[str, Any]]:
    """A campaign with one animal: what its objective may be before the first environment and after each."""
    space = version_space("objects")
    theta = space.hypotheses[task["truth"]]
    agent = ii.agents.Optimal(space.family, theta)
    strategy = ii.design.Greedy(hypotheses=space.hypotheses)
    campaign = ii.design.Campaign(space.candidates, strategy, space.family, until=ii.design.budget(3))
    rows = []
    for step in range(4):
        ranges = campaign.ident.canonical_ranges()[::-1]
        layout = -1
        if step < 3:
            env = campaign.ask()
            layout = next(i for i, candidate in enumerate(space.candidates) if candidate is env)
            campaign.tell(env, agent.policy(env))
        for name, (low, high), value in zip(space.family.parameters, ranges, theta, strict=True):
            found = {"parameter": name, "lower": low, "upper": high, "value": value}
            rows.append({"part": "animal", "truth": task["truth"], "environments": step, "layout": layout, **found})
    return rows


def known(world: str, truth: int, chosen: tuple[int, ...]) -> tuple[float, float, float]:
    """Certified diameter of the identified set after these environments, and the regret of its centre elsewhere."""
    space = version_space(world)
    theta = space.hypotheses[truth]
    agent = ii.agents.Optimal(space.family, theta)
    seen = [(space.candidates[i], agent.policy(space.candidates[i])) for i in chosen]
    ident = ii.identify(seen, space.family) if seen else ii.identified.anything(space.family)
    return *ident.diameter(), regret_elsewhere(unseen(world), space.family, theta, ident.center())


def regret_elsewhere(
    environments: tuple[ii.Environment, ...], family: ii.rewards.RewardFamily, theta: Array, pursued: Array
) -> float:
    """Mean share of what there is to lose under ``theta`` that an optimal agent for ``pursued`` loses."""
    lost: list[float] = []
    for env in environments:
        reward = family.reward(env, theta)
        best = float(env.initial @ planning.optimal(env, reward).values)
        worst = -float(env.initial @ planning.optimal(env, -reward).values)
        policy = ii.agents.Optimal(family, pursued).policy(env)
        gained = float(env.initial @ planning.evaluate(env, reward, policy))
        lost.append((best - gained) / (best - worst) if best > worst else 0.0)
    return float(np.mean(lost))


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Experiments against the limit; curves of every strategy; the optimum of small depth."""
    runs = table[table["part"] == "omnipotent"]
    keys = ["states", "actions", "epsilon"]
    found = runs.groupby(keys)[["experiments", "limit", "error", "extremes"]].max().reset_index()
    omnipotent_rows = [
        {
            "states": int(row["states"]),
            "actions": int(row["actions"]),
            "epsilon": float(row["epsilon"]),
            "experiments": int(row["experiments"]),
            "limit": int(row["limit"]),
            "max_error": float(row["error"]),
            "extremes_experiments": int(row["extremes"]),
            "paper_count": 1 + ceil(log2(row["states"])) + ceil(log2(1 / row["epsilon"])),
        }
        for row in found.to_dict("records")
    ]
    worlds = {world: curves(table[table["part"] == world], world) for world in ("objects", "box")}
    return {"omnipotent": omnipotent_rows, "restricted": worlds["objects"], "restricted_box": worlds["box"]}


def curves(table: pd.DataFrame, world: str) -> dict[str, Any]:
    """Means over objectives, by strategy and number of environments."""
    means = table.groupby(["strategy", "environments"])[
        ["consistent_share", "diameter_upper", "regret", "consistent"]
    ].mean()
    space = version_space(world)
    return {
        "environments": list(range(ROUNDS + 1)),
        "objectives": len(space.hypotheses),
        "candidates": len(space.candidates),
        "classes": space.classes,
        "truths": int(table["truth"].nunique()),
        "expected_share_ruled_out": {
            "best first environment": float(elimination_scores(space.labels).max()),
            "best adaptive pair": float(adaptive_scores(space.labels, 2).max()),
        },
        "strategies": {
            strategy: {
                "consistent_share": group["consistent_share"].tolist(),
                "consistent": group["consistent"].tolist(),
                "diameter": group["diameter_upper"].tolist(),
                "regret": group["regret"].tolist(),
            }
            for strategy, group in means.groupby(level="strategy")
        },
    }


def findings(summary: Mapping[str, Any]) -> list[str]:
    """Experiments against the limits; environments against objectives that are left."""
    chosen = summary["omnipotent"]
    fine = [row for row in chosen if row["epsilon"] == min(row["epsilon"] for row in chosen)]
    few, many = (pick(fine, key=lambda row: row["actions"]) for pick in (min, max))
    reached = sum(row["experiments"] == row["limit"] for row in chosen)
    told = [
        f"An experimenter who may choose any transitions needs {few['experiments']} threshold experiments for "
        f"{few['states']} states to {few['epsilon']:g} with {few['actions']} actions and {many['experiments']} with "
        f"{many['actions']}, where the paper's binary search takes {few['paper_count']} in all; that is the "
        f"information limit in {reached} of {len(chosen)} settings. Finding best and worst state takes at most "
        f"{max(row['extremes_experiments'] for row in chosen)} more."
    ]
    for key, world in (("restricted", "grids with three objects"), ("restricted_box", "conditioning boxes")):
        own = summary[key]
        greedy, random, oracle = (own["strategies"][name]["consistent"] for name in ("greedy", "random", "oracle"))
        left, at_random, best = (series(counts[1:4], ".1f") for counts in (greedy, random, oracle))
        told.append(
            f"Among {own['candidates']} {world} and {own['objectives']} objectives ({own['classes']} that any of them "
            f"tells apart), the greedy experimenter has {left} objectives left after 1 / 2 / 3 environments, one who "
            f"picks at random {at_random}, one who knows the truth {best} (means of {own['truths']} truths)."
        )
    return told


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Omnipotent counts; share, diameter and regret of the restricted; one animal's identified set."""
    figure, axes = figures.panels(3, 3, width=figures.DOUBLE, height=6.6, height_ratios=[1, 1, 0.95])
    (counts, on_grids, in_box), (diameter, regret, box_regret) = axes[:2]
    draw_omnipotent(counts, summary["omnipotent"])
    objects, box = (table[table["part"] == world] for world in ("objects", "box"))
    draw_strategies(
        on_grids, objects, "consistent", "objectives still consistent", described("grids", summary["restricted"])
    )
    draw_strategies(
        in_box, box, "consistent", "objectives still consistent", described("box", summary["restricted_box"])
    )
    for ax, part in ((on_grids, summary["restricted"]), (in_box, summary["restricted_box"])):
        ax.set_yscale("log")
        ax.axhline(part["objectives"] / part["classes"], color="0.6", linewidth=0.6, linestyle=":")
    draw_strategies(diameter, objects, "diameter_upper", "canonical diameter, certified", "identified set, grids")
    draw_strategies(regret, objects, "regret", "regret / worst regret", "acting on its centre, new grids")
    draw_strategies(box_regret, box, "regret", "regret / worst regret", "acting on its centre, new boxes")
    for ax in (regret, box_regret):
        ax.set_yscale("symlog", linthresh=1e-3)
        ax.set_ylim(0)
    for ax in (on_grids, in_box, diameter, regret, box_regret):
        figures.label_ends(ax)
    draw_animal(axes[2], table[table["part"] == "animal"])
    figures.panel_letters([*axes[:2].ravel(), axes[2, 0]])
    return figure


def described(world: str, part: Mapping[str, Any]) -> str:
    """What a panel shows and how many."""
    return f"{world}: {part['candidates']} environments,\n{part['objectives']} objectives, n = {part['truths']} watched"


def draw_omnipotent(ax: Axes, rows: list[dict[str, Any]]) -> None:
    """Experiments with thresholds on their limit, and all experiments beside the paper's count, against precision."""
    for colour, actions in zip(figures.PALETTE, sorted({row["actions"] for row in rows}), strict=False):
        own = sorted((row for row in rows if row["actions"] == actions), key=lambda row: -row["epsilon"])
        precision = [1 / row["epsilon"] for row in own]
        ax.plot(precision, [row["limit"] for row in own], color=colour, linewidth=0.8, label=f"A = {actions}")
        ax.plot(precision, [row["experiments"] for row in own], "o", color=colour, label="_")
        everything = [row["experiments"] + row["extremes_experiments"] for row in own]
        ax.plot(precision, everything, "o", color=colour, markerfacecolor="white", markersize=3, label="_")
    ax.plot(precision, [row["paper_count"] for row in own], color="0.5", linewidth=0.8, linestyle="--", label="paper")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xscale="log", xlabel="precision 1/ε", ylabel="experiments", ylim=(0, None))
    worst = max(row["max_error"] / row["epsilon"] for row in rows)
    ax.set_title(
        f"{rows[0]['states']} states, any transitions, error ≤ {worst:.2f} ε\ndots: used, lines: limit, open: in all",
        fontsize=7,
    )
    figures.label_ends(ax)


def draw_strategies(ax: Axes, table: pd.DataFrame, column: str, label: str, title: str) -> None:
    """Mean over objectives with its bootstrap interval, by strategy."""
    for strategy, colour in COLOURS.items():
        own = table[table["strategy"] == strategy]
        samples = own.pivot_table(index="truth", columns="environments", values=column)
        figures.curve_with_band(ax, samples.columns, samples.to_numpy(), label=strategy, colour=colour)
    ax.set(xlabel="environments seen", ylabel=label)
    ax.set_title(title, fontsize=7)
    ax.set_xticks(range(ROUNDS + 1))


def draw_animal(axes: Sequence[Axes], table: pd.DataFrame) -> None:
    """The box of one animal before, during and after: a gauge on every object, filled where its worth may still be."""
    layout = layouts(LAYOUT_SEED, LAYOUTS)[int(table["layout"].iloc[0])]
    for ax, step in zip(axes, (0, 1, 3), strict=True):
        ranges = table[table["environments"] == step].set_index("parameter")
        gauges = {
            str(name): (low, high, value) for name, low, high, value in ranges[["lower", "upper", "value"]].itertuples()
        }
        ax.set(xlim=(-0.1, 4.1), ylim=(4.1, -0.1), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        draw_box(ax, layout, gauges)
        ax.set_title("what an animal may want: before" if step == 0 else f"after {step} environment{'s' * (step > 1)}")


def draw_box(ax: Axes, layout: object_grid.Layout, ranges: Mapping[str, tuple[float, float, float]]) -> None:
    """One maze with a gauge on the cell of every object and, on a free cell, one for the floor."""
    floor = next(c for c in range(16) if c not in layout.walls and c not in layout.objects)
    gauges = dict(zip((floor, *layout.objects), ("floor", *OBJECTS), strict=True))
    for cell in range(16):
        row, column = divmod(cell, 4)
        colour = "0.3" if cell in layout.walls else "white"
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="0.8", linewidth=0.5))
        if cell not in gauges:
            continue
        name = gauges[cell]
        low, high, value = ranges[name]
        x, bottom = column + 0.7, row + 0.9
        ax.add_patch(Rectangle((x, bottom - 0.6), 0.2, 0.6, facecolor="0.93", edgecolor="0.6", linewidth=0.4))
        filled = Rectangle((x, bottom - 0.6 * high), 0.2, 0.6 * max(high - low, 0.02), facecolor=figures.PALETTE[0])
        ax.add_patch(filled)
        ax.plot([x - 0.06, x + 0.28], 2 * [bottom - 0.6 * value], color=figures.PALETTE[1], linewidth=1.4)
        ax.text(column + 0.06, row + 0.16, name, fontsize=6, va="center")
        ax.text(column + 0.06, row + 0.62, f"{low:.2f}–\n{high:.2f}", fontsize=5, va="center", color="0.3")
