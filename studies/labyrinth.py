"""What do 238 trajectories of mice say of their objective, what do they leave open, and which maze would tell?

Rosenberg et al. (2021) let mice walk in a labyrinth, a binary tree of 63 junctions and 64 ends with water at one end.
A soft-optimal agent with rewards on places should predict held-out choices better than a random walk; its water port
should stand out; memory should earn its place, for mice are known to prefer alternating turns and to avoid going back.

Refuted if: no rationality beats the walk that is uniform over moves that are no bumps; or the confidence interval of
the port's reward holds the mean of the other ends.

World: the labyrinth, and the same with one corridor blocked or with the port elsewhere.  Agents: real mice; models are
fitted to four of five trajectories and scored on every fifth.  Families: rewards on nodes ("places"); these with a
price of bumps and a worth of home; on states and actions; and, for animals that know where they came from, with worths
of four kinds of turn, the same everywhere or one for each level of junctions.  Measured: log-likelihood of held-out
choices; rewards with intervals by bootstrap over recordings and by Cramér-Rao, in the gauge of :func:`quantities`; open
directions; for each corridor that might be blocked, the dimensions that it closes and what 50 more trajectories there
would tell of the rewards of nodes (Bayesian D-optimality, Chaloner & Verdinelli 1995).

Where the port is does not change the dynamics: under rewards on nodes, its place is part of the objective.  So what
water is worth is told from what its node is worth by moving the port alone, in a family that has a parameter for each.

The data are no part of the repository: ``--data DIR`` with ``DIR/labyrinth/mice.npz``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg

import irl_ident as ii
from environments import labyrinth
from irl_ident.environment import Array
from irl_ident.identified.soft_likelihood import fisher_information, maximum_likelihood
from studies import _labyrinth as mouse
from studies._labyrinth_figure import draw
from studies._labyrinth_findings import findings
from studies.study import DataMissing, Settings, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["draw", "findings", "run", "summarise", "tasks"]

WHERE = (
    "labyrinth needs --data DIR with DIR/labyrinth/mice.npz: arrays states (N, H), actions (N, H) and next_state "
    "(127, 4). The recordings are published by Rosenberg, Zhang, Perona & Meister (2021, eLife 10:e66175, "
    "github.com/markusmeister/Rosenberg-2021-Repository), the encoding by Ke et al. (2025, github.com/BRAINML-GT/SWIRL)"
)
DISCOUNT = mouse.DISCOUNT
DISCOUNTS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
PENALTY = 0.1
QUICK_GROUPS = ("reference", "cloning", "soft-optimal", "noisy")
"""Models of the quick form, which leaves slower solvers out."""

MORE = 50
"""Further trajectories whose information is foreseen."""

PROFILED = ("places", "places, home, bumps", "turns", "turns by level")
OBJECTIVES = ("places, home, bumps", "turns by level")
RESAMPLES = 2000


def tasks(settings: Settings) -> list[Task]:
    """Models; objectives; profiles over the discount; open directions; corridors; ports."""
    file = settings.require_data(WHERE) / "labyrinth" / "mice.npz"
    if not file.is_file():
        raise DataMissing(f"{file} is not there; {WHERE}")
    return plan_for(file, mouse.read(file).maze, settings)


def plan_for(file: Path, maze: labyrinth.Plan, settings: Settings) -> list[Task]:
    """The tasks for the data in ``file``."""
    corridors = [child for _, child in maze.corridors][:: 16 if settings.quick else 1]
    ends = maze.ends.tolist()[:: 16 if settings.quick else 1]
    discounts = DISCOUNTS[1::2] if settings.quick else DISCOUNTS
    replicates = 24 if settings.quick else 400
    models = mouse.models(DISCOUNT)
    fast = [name for name, model in models.items() if model.group in QUICK_GROUPS and "few" not in name]
    planned: list[Task] = [{"part": "model", "model": name} for name in (fast if settings.quick else models)]
    planned += [
        {"part": "objective", "family": f, "replicates": replicates, "seed": settings.seed_for(i)}
        for i, f in enumerate(OBJECTIVES)
    ]
    planned += [{"part": "profile", "family": f, "discount": g} for f in PROFILED for g in discounts]
    planned += [{"part": "open", "family": f} for f in (*mouse.FAMILIES, "places, home, bumps, water")]
    planned += [{"part": "corridor", "children": corridors[i : i + 7]} for i in range(0, len(corridors), 7)]
    planned += [{"part": "port", "nodes": ends[i : i + 16]} for i in range(0, len(ends), 16)]
    return [{**task, "data": file} for task in planned]


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one task."""
    mice = mouse.read(task["data"])
    parts = {
        "model": run_model,
        "objective": run_objective,
        "profile": run_profile,
        "open": run_open,
        "corridor": run_corridor,
        "port": run_port,
    }
    return [{"part": task["part"], **row} for row in parts[task["part"]](mice, task)]


def run_model(mice: mouse.Mice, task: Task) -> list[dict[str, Any]]:
    """Held-out log-likelihood of one model, by trajectory."""
    model = mouse.models(DISCOUNT)[task["model"]]
    best = mouse.chosen(mice, model)
    scores = model.score(mice, ~mice.held_out, best)
    shared = {
        "model": task["model"],
        "group": model.group,
        "hyperparameter": best,
        "training": float(scores[~mice.held_out].mean()),
    }
    return [
        {
            **shared,
            "trajectory": int(i),
            "recording": int(mice.recording[i]),
            "steps": int(scores.shape[1]),
            "log_likelihood": float(scores[i].sum()),
        }
        for i in np.flatnonzero(mice.held_out)
    ]


def quantities(maze: labyrinth.Plan, parameters: tuple[str, ...], discount: float) -> dict[str, Array]:
    """What is asked of an objective, as linear functions (d,) of its parameters that the choices of mice can tell.

    Mice never bump, so beside constants a potential that alternates between levels is open: it adds
    ``(1 + g) x`` to nodes of even levels, ``-(1 + g) x`` to those of odd ones, ``-2 g x`` to going home, and only bumps
    would tell.  In this gauge rewards of nodes have mean 0 over even levels and over odd ones; *parity*, the half
    difference of these means, is what the gauge takes out.
    """
    port, count = maze.port, maze.n_nodes
    unit = np.eye(len(parameters))
    even = maze.levels % 2 == 0
    means = {parity: unit[:count][even == parity].mean(axis=0) for parity in (True, False)}
    parity = (means[True] - means[False]) / 2
    nodes = np.array([unit[n] - means[bool(even[n])] for n in range(count)])
    others = maze.ends[maze.ends != port]
    asked = {f"node {n}": nodes[n] for n in range(count)}
    asked |= {"water port": nodes[port], "other ends": nodes[others].mean(axis=0), "first junction": nodes[0]}
    asked["port less other ends"] = asked["water port"] - asked["other ends"]
    asked |= {name: unit[i] for i, name in enumerate(parameters) if i >= count}
    if "R(home)" in asked:
        asked["R(home)"] = asked["R(home)"] + 2 * discount / (1 + discount) * parity
    return asked | {"parity": parity}


def run_objective(mice: mouse.Mice, task: Task) -> list[dict[str, Any]]:
    """The objective fitted to all trajectories, with standard errors by Cramér-Rao and bootstrap over recordings."""
    place = mouse.world(mice, task["family"], DISCOUNT)
    everyone = np.arange(len(mice.states))
    fit = mouse.soft_fit(place, place.counts(everyone), PENALTY)
    covariance = mouse.spread(place, fit, PENALTY)
    rng = np.random.default_rng(task["seed"])
    labels = np.unique(mice.recording)
    each = {k: place.counts(mice.recording == k) for k in labels}
    drawn = [rng.choice(labels, labels.size) for _ in range(task["replicates"])]
    again = np.array(
        [mouse.soft_fit(place, np.sum([each[k] for k in draw], axis=0), PENALTY, fit.theta).theta for draw in drawn]
    )
    rows = []
    for name, function in quantities(mice.maze, place.family.parameters, DISCOUNT).items():
        low, high = np.quantile(again @ function, [0.025, 0.975])
        rows.append(
            {
                "family": task["family"],
                "quantity": name,
                "estimate": float(function @ fit.theta),
                "cramer_rao": float(np.sqrt(function @ covariance @ function)),
                "lower": float(low),
                "upper": float(high),
                "deviation": float((again @ function).std(ddof=1)),
                "status": fit.status,
            }
        )
    return rows


def run_profile(mice: mouse.Mice, task: Task) -> list[dict[str, Any]]:
    """Greatest likelihood, without penalty, at one discount, over all trajectories; and the penalised objective."""
    place = mouse.world(mice, task["family"], task["discount"])
    counts = place.counts(np.arange(len(mice.states)))
    fit = maximum_likelihood([(place.env, counts)], place.family, max_iterations=400)
    asked = quantities(mice.maze, place.family.parameters, task["discount"])
    penalised = mouse.soft_fit(place, counts, PENALTY)
    return [
        {
            "family": task["family"],
            "discount": task["discount"],
            "log_likelihood": fit.log_likelihood,
            "status": fit.status,
            "steps": float(counts.sum()),
            "quantity": name,
            "estimate": float(asked[name] @ penalised.theta),
        }
        for name in ("water port", "other ends", "port less other ends", "first junction", "parity")
    ]


def run_open(mice: mouse.Mice, task: Task) -> list[dict[str, Any]]:
    """What the maze, and then what the data, leave open in one family."""
    if task["family"].endswith("water"):
        env = labyrinth.build(mice.maze, DISCOUNT, water=mice.maze.port)
        place = mouse.World(env, labyrinth.MazeRewards(mice.maze.n_nodes, water=True), mice.states[:, 1:], mice.choices)
    else:
        place = mouse.world(mice, task["family"], DISCOUNT)
    reports = {"maze": ii.assess([place.env], place.family, "soft")}
    if place.family.dim <= 2 * place.env.n_states:
        counts = ii.evidence.Counts(place.counts(np.arange(len(mice.states))))
        reports["data"] = ii.identify([(place.env, counts)], place.family, "soft").report()
    return [
        {
            "family": task["family"],
            "from": source,
            "verdict": report.verdict,
            "open": report.dimension,
            "parameters": report.ambient_dimension,
            "least_singular_value": float(report.singular_values[report.singular_values > report.tolerance].min()),
            "directions": "; ".join(f"{a.kind} ({a.dimension}): {', '.join(a.words[:2])}" for a in report.ambiguities),
        }
        for source, report in reports.items()
    ]


def resolved(covariance: Array, maze: labyrinth.Plan) -> float:
    """Nats known of the rewards of nodes up to constants and parity: minus half the log-determinant of a covariance.

    This is Bayesian D-optimality for a subset of parameters; home, bumps and water are nuisances.
    """
    even = (maze.levels % 2 == 0).astype(float)
    told = linalg.null_space(np.array([even, 1 - even]))
    return float(-np.linalg.slogdet(told.T @ covariance[: maze.n_nodes, : maze.n_nodes] @ told)[1] / 2)


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is known of an objective now and how much more trajectories of a soft-optimal animal would add."""

    maze: labyrinth.Plan
    family: labyrinth.MazeRewards
    theta: Array
    known: Array
    steps: int

    def covariance(self, env: ii.Environment) -> Array:
        """Covariance (d, d) after :data:`MORE` trajectories in ``env``."""
        more = mouse.future_information(env, self.family, self.theta, self.steps)
        return np.asarray(np.linalg.inv(self.known + MORE * more))

    def contrast(self, covariance: Array) -> float:
        """Standard deviation of the port less other ends."""
        function = quantities(self.maze, self.family.parameters, DISCOUNT)["port less other ends"]
        return float(np.sqrt(function @ covariance @ function))


def forecast(mice: mouse.Mice, *, water: bool) -> Forecast:
    """From the estimate for places, home and bumps.

    With ``water`` its worth is taken to be what the port is worth more than the mean of the other ends.
    """
    maze, port = mice.maze, mice.maze.port
    place = mouse.world(mice, "places, home, bumps", DISCOUNT)
    counts = place.counts(np.arange(len(mice.states)))
    theta = mouse.soft_fit(place, counts, PENALTY).theta
    family = labyrinth.MazeRewards(maze.n_nodes, water=water)
    if water:
        worth = theta[port] - theta[maze.ends[maze.ends != port]].mean()
        theta = np.append(theta, worth)
        theta[port] -= worth
    intact = labyrinth.build(maze, DISCOUNT, water=port)
    known = fisher_information([(intact, counts)], family, theta) + PENALTY * np.eye(family.dim)
    return Forecast(maze, family, theta, known, mice.states.shape[1])


def run_corridor(mice: mouse.Mice, task: Task) -> list[dict[str, Any]]:
    """What blocking each of some corridors would tell, beside as many trajectories in the same maze."""
    ahead, maze = forecast(mice, water=False), mice.maze
    intact = labyrinth.build(maze, DISCOUNT)
    same = ahead.covariance(intact)
    everything = ii.rewards.StateActionRewards(maze.n_nodes, len(labyrinth.ACTIONS))
    before = ii.assess([intact], everything, "soft").dimension
    rows = []
    for child in task["children"]:
        blocked = labyrinth.build(maze, DISCOUNT, blocked=[((child - 1) // 2, child)])
        report = ii.assess([intact, blocked], everything, "soft")
        after = ahead.covariance(blocked)
        rows.append(
            {
                "child": child,
                "closed": before - report.dimension,
                "open": report.dimension,
                "angle": report.second_principal_angle,
                "least_singular_value": least(report),
                "gain": resolved(after, maze) - resolved(same, maze),
                "contrast": ahead.contrast(after),
                "contrast_same": ahead.contrast(same),
            }
        )
    return rows


def least(report: ii.identified.Report) -> float:
    """The smallest singular value that counts."""
    return float(report.singular_values[report.singular_values > report.tolerance].min())


def run_port(mice: mouse.Mice, task: Task) -> list[dict[str, Any]]:
    """What moving the port to each of some ends would tell of the worth of water."""
    ahead, port = forecast(mice, water=True), mice.maze.port
    intact = labyrinth.build(mice.maze, DISCOUNT, water=port)
    same = ahead.covariance(intact)
    alone = ii.assess([intact], ahead.family, "soft").dimension
    rows = []
    for node in task["nodes"]:
        moved = labyrinth.build(mice.maze, DISCOUNT, water=node)
        after = ahead.covariance(moved)
        rows.append(
            {
                "node": node,
                "closed": alone - ii.assess([intact, moved], ahead.family, "soft").dimension,
                "water": float(ahead.theta[-1]),
                "deviation": float(np.sqrt(after[-1, -1])),
                "deviation_same": float(np.sqrt(same[-1, -1])),
                "gain": resolved(after, mice.maze) - resolved(same, mice.maze),
            }
        )
    return rows


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Held-out likelihoods; the objective; what is open; which maze would tell; what to read with them."""
    found = {
        "models": summarise_models(table[table["part"] == "model"]),
        "objective": summarise_objective(table[table["part"] == "objective"]),
        "discount": summarise_profile(table[table["part"] == "profile"]),
        "open": table.loc[
            table["part"] == "open",
            ["family", "from", "verdict", "open", "parameters", "least_singular_value", "directions"],
        ].to_dict("records"),
        "corridors": summarise_corridors(table[table["part"] == "corridor"]),
        "ports": summarise_ports(table[table["part"] == "port"]),
    }
    return found | {"remarks": summarise_remarks(found)}


def summarise_remarks(found: Mapping[str, Any]) -> list[str]:
    """What the figures mean and what they do not."""
    models = {row["model"]: row for row in found["models"]["listed"]}
    score = {name: row["held_out"] for name, row in models.items()}
    saturated, free = (models[m]["training"] for m in ("soft-optimal, places, home, bumps", "cloning, 1 node"))
    flat = max(row["range_of_log_likelihood"] for row in found["discount"].values())
    remarks = [
        f"uniform counts bumps, which mice never do; chance without: {score['uniform, no bumps']:.3f} nats a step",
        f"rewards of nodes, home and bumps can make any odds among moves that are no bumps: {saturated:.4f} nats a "
        f"step in training, {free:.4f} for frequencies, so their fit says nothing for or against any rationality",
        f"the greatest likelihoods at all discounts differ by at most {flat:.1e} nats, in each family: the data choose "
        "none, but the rewards depend on it; temperature is the unit of rewards",
        "a constant is open in every family, and as mice never bump so is the parity of levels, which the prior alone "
        "decides; without a prior the verdict is undecided, there being no greatest likelihood",
        "a bias at one junction is explained by rewards that alternate from level to level in the whole branch behind "
        "it: the reward of a node is no measure of how it attracts",
        "each blocked corridor closes one dimension of rewards on states and actions, and the second principal angle "
        "stays 0 until all are: rank ranks no corridors, information does",
        "where the port is is no part of the dynamics: water is told from its node by moving the port alone",
    ]
    for family, own in found["objective"].items():
        contrast = own["quantities"]["port less other ends"]
        remarks.append(
            f"{family}: port less other ends {contrast['estimate']:.2f} [{contrast['lower']:.2f}, "
            f"{contrast['upper']:.2f}], rank {own['rank_of_port_among_ends']} of {own['ends']} ends, "
            f"{own['ends_with_intervals_above_the_port']} with intervals above the port's"
        )
    return remarks


def summarise_models(table: pd.DataFrame) -> dict[str, Any]:
    """Nats a step on held-out trajectories, with percentile bootstrap over recordings."""
    wide = table.pivot_table(index="recording", columns="model", values=["log_likelihood", "steps"], aggfunc="sum")
    names = list(dict.fromkeys(table["model"]))
    total, steps = (wide[kind][names].to_numpy() for kind in ("log_likelihood", "steps"))
    draws = np.random.default_rng(0).integers(len(wide), size=(RESAMPLES, len(wide)))
    means = total[draws].sum(axis=1) / steps[draws].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    first = table.groupby("model").first()
    listed = [
        {
            "model": name,
            "group": str(first.loc[name, "group"]),
            "held_out": float(total[:, i].sum() / steps[:, i].sum()),
            "lower": float(low[i]),
            "upper": float(high[i]),
            "training": float(first.loc[name, "training"]),
            "hyperparameter": float(first.loc[name, "hyperparameter"]),
        }
        for i, name in enumerate(names)
    ]
    return {
        "listed": listed,
        "trajectories": int(table["trajectory"].nunique()),
        "recordings": len(wide),
        "steps": int(steps[:, 0].sum()),
    }


def summarise_objective(table: pd.DataFrame) -> dict[str, Any]:
    """Rewards of the named quantities, and the rank of the port among the ends."""
    found: dict[str, Any] = {}
    for family, own in table.groupby("family", sort=False):
        by = own.set_index("quantity")
        nodes = by[by.index.str.fullmatch(r"node \d+")]["estimate"].to_numpy()
        ends = nodes[len(nodes) // 2 :]
        above = (
            by.loc[[f"node {n}" for n in range(len(nodes) // 2, len(nodes))], "lower"] > by.loc["water port", "upper"]
        )
        named = by[~by.index.str.fullmatch(r"node \d+")]
        found[str(family)] = {
            "quantities": named[["estimate", "lower", "upper", "deviation", "cramer_rao"]].to_dict("index"),
            "nodes": nodes.tolist(),
            "rank_of_port_among_ends": int(1 + (ends > by.loc["water port", "estimate"]).sum()),
            "ends_with_intervals_above_the_port": int(above.sum()),
            "ends": len(ends),
        }
    return found


def summarise_profile(table: pd.DataFrame) -> dict[str, Any]:
    """How far the greatest likelihoods at different discounts are apart, in nats over all steps, and the objective."""
    found = {}
    for family, own in table.groupby("family", sort=False):
        likelihood = own.groupby("discount")["log_likelihood"].first()
        asked = own.pivot_table(index="discount", columns="quantity", values="estimate")
        found[str(family)] = {
            "discounts": [float(g) for g in likelihood.index],
            "range_of_log_likelihood": float(np.ptp(likelihood)),
            "port_less_other_ends": asked["port less other ends"].tolist(),
        }
    return found


def summarise_corridors(table: pd.DataFrame) -> dict[str, Any]:
    """The best and worst corridors to block; dimensions closed under rewards on states and actions."""
    ordered = table.sort_values("gain", ascending=False)
    columns = ["child", "gain", "contrast", "contrast_same"]
    return {
        "candidates": len(table),
        "closed": sorted({int(k) for k in table["closed"]}),
        "open_after_one": sorted({int(k) for k in table["open"]}),
        "largest_angle": float(table["angle"].max()),
        "best": ordered[columns].head(5).to_dict("records"),
        "worst": ordered[columns].tail(3).to_dict("records"),
        "share_better_than_same_maze": float((table["gain"] > 0).mean()),
    }


def summarise_ports(table: pd.DataFrame) -> dict[str, Any]:
    """The best new places for the port."""
    moved = table[table["closed"] > 0].sort_values("deviation")
    columns = ["node", "deviation", "deviation_same", "gain"]
    return {
        "candidates": len(moved),
        "more": MORE,
        "closed": sorted({int(k) for k in table["closed"]}),
        "water": float(table["water"].iloc[0]),
        "best": moved[columns].head(5).to_dict("records"),
        "worst": moved[columns].tail(1).to_dict("records"),
    }
