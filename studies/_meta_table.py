"""Duan et al.'s tables, with this package's learners beside theirs (RL^2, arXiv 1611.02779, tables 1 and 2).

A *cell* is one learner on one setup; :func:`cells` lists them as plain dictionaries, :func:`run_cell` plays one of them
and gives a row.  All learners of a setup play the same tasks.  As in the paper, the constant of UCB1 (the grid 0, .1,
..., 1), epsilon, BEB's bonus and the draws of optimistic Thompson sampling are those that score best, here on other
tasks than those of the table, so that the choice does not flatter them.

Where theirs and ours are not the same: the Gittins index is the finite-horizon one, computed exactly (they took the
best of three approximations for discounted problems).  In MDPs, learners with a prior are given the true one here, in
which mean rewards are 1 on average, and once more one in which they are 0 on average: the published figures
are near the latter, which is what TabulaRL, whose learners the paper's public scripts use, assumes when not told
otherwise.  Greedy is optimal in the posterior mean (they say the MAP estimate).  UCRL2 is not here.  RL^2 has 48 units,
they had 256.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from environments import bandit_tasks, mdp_tasks
from irl_ident.agents.bandits import GittinsLearner, GreedyLearner, ThompsonSampling, UniformLearner, UpperConfidence
from irl_ident.agents.gittins import LARGEST, optimal_value
from irl_ident.agents.learners import Learner, Tasks, play
from irl_ident.agents.model_based import MeanModel, PosteriorSampling
from studies import checkpoints
from studies.checkpoints.train import SHORT, bernoulli_recipe

BANDIT_COLUMNS = ("random", "Gittins", "Thompson", "optimistic Thompson", "UCB1", "epsilon-greedy", "greedy", "RL^2")
MDP_COLUMNS = ("random", "PSRL", "OPSRL", "UCRL2", "BEB", "epsilon-greedy", "greedy", "RL^2")

PUBLISHED_BANDITS: dict[tuple[int, int], tuple[float, ...]] = {
    (5, 10): (5.0, 6.6, 5.7, 6.5, 6.7, 6.6, 6.6, 6.7),
    (10, 10): (5.0, 6.6, 5.5, 6.2, 6.7, 6.6, 6.6, 6.7),
    (50, 10): (5.1, 6.5, 5.2, 5.5, 6.6, 6.5, 6.5, 6.8),
    (5, 100): (49.9, 78.3, 74.7, 77.9, 78.0, 75.4, 74.8, 78.7),
    (10, 100): (49.9, 82.8, 76.7, 81.4, 82.4, 77.4, 77.1, 83.5),
    (50, 100): (49.8, 85.2, 64.5, 67.7, 84.3, 78.3, 78.0, 84.9),
    (5, 500): (249.8, 405.8, 402.0, 406.7, 405.8, 388.2, 380.6, 401.6),
    (10, 500): (249.0, 437.8, 429.5, 438.9, 437.1, 408.0, 395.0, 432.5),
    (50, 500): (249.6, 463.7, 427.2, 437.6, 457.6, 413.6, 402.8, 438.9),
}
"""Table 1: total reward for (arms, pulls), mean of 1,000 bandits; columns as in ``BANDIT_COLUMNS``."""

PUBLISHED_MDPS: dict[int, tuple[float, ...]] = {
    10: (100.1, 138.1, 144.1, 146.6, 150.2, 132.8, 134.8, 156.2),
    25: (250.2, 408.8, 425.2, 424.1, 427.8, 377.3, 368.8, 445.7),
    50: (499.7, 904.4, 930.7, 918.9, 917.8, 823.3, 769.3, 936.1),
    75: (749.9, 1417.1, 1449.2, 1427.6, 1422.6, 1293.9, 1172.9, 1428.8),
    100: (999.4, 1939.5, 1973.9, 1942.1, 1935.1, 1778.2, 1578.5, 1913.7),
}
"""Table 2: total reward for the number of inner episodes; columns as in ``MDP_COLUMNS``."""

TUNED: dict[str, tuple[float, ...]] = {
    "UCB1": tuple(np.arange(11) / 10),
    "optimistic Thompson": (5, 10),
    "epsilon-greedy": tuple(np.arange(1, 5) / 20),
    "BEB": (5.0, 10.0, 20.0, 40.0),
}
"""Grids of the learners that have a parameter."""

OPTIMUM_UP_TO = 10
"""Most pulls for which the Bayes-optimal value is computed."""

DRAWS = 10
"""Draws of optimistic PSRL."""

WITH_PRIOR = ("PSRL", "OPSRL", "BEB", "epsilon-greedy", "greedy")
"""Learners of MDPs that have a prior, and are played with a wrong one as well."""

PRIOR_MEANS = (1.0, 0.0)
"""What mean rewards are believed to be on average: the truth, and what the published figures seem to rest on."""

Cell = dict[str, Any]


def cells(*, quick: bool, tasks: int, seed: int) -> list[Cell]:
    """What there is to play: plain dictionaries.

    Parameters
    ----------
    quick : bool
        Bandits of 10 and 100 pulls with 5 and 10 arms, and MDPs of 10 episodes, alone.
    tasks : int
        How many tasks of each setup; the paper has 1,000.
    seed : int
        Of the tasks.
    """
    bandits = [(arms, pulls) for arms, pulls in PUBLISHED_BANDITS if not quick or (arms < 50 and pulls < 500)]
    episodes = [number for number in PUBLISHED_MDPS if not quick or number == 10]
    setups: list[tuple[Cell, tuple[str, ...]]] = [
        *(({"kind": "bandit", "arms": arms, "pulls": pulls}, BANDIT_COLUMNS) for arms, pulls in bandits),
        *(({"kind": "mdp", "episodes": number}, MDP_COLUMNS) for number in episodes),
    ]
    common = {"tasks": tasks, "seed": seed}
    listed = [{**setup, "learner": column, **common} for setup, columns in setups for column in columns]
    return [
        {**cell, "prior_mean": mean} if cell["kind"] == "mdp" and cell["learner"] in WITH_PRIOR else cell
        for cell in listed
        for mean in (PRIOR_MEANS if cell["kind"] == "mdp" and cell["learner"] in WITH_PRIOR else PRIOR_MEANS[:1])
    ]


def run_cell(cell: Cell) -> dict[str, Any]:
    """Play one cell.

    Returns
    -------
    dict
        ``setup``, ``kind``, ``learner`` ("greedy, prior mean 0" with the wrong prior), ``prior_mean`` (NaN if none),
        ``mean`` and ``standard_error`` of the total reward of ``tasks`` tasks (NaN where this package has no such
        learner), ``published``, ``optimum`` (Bayes-optimal, NaN where it is not computed) and ``parameter`` (tuned, NaN
        if there is none).
    """
    name = cell["learner"]
    wrong = cell.get("prior_mean", PRIOR_MEANS[0]) != PRIOR_MEANS[0]
    called = f"{name}, prior mean {cell['prior_mean']:g}" if wrong else name
    row = {**_described(cell), "learner": called, "mean": np.nan, "standard_error": np.nan, "parameter": np.nan}
    row["prior_mean"] = cell.get("prior_mean", np.nan)
    if name in TUNED:
        scores = [_totals(cell, _learner(cell, value), part=1).mean() for value in TUNED[name]]
        row["parameter"] = TUNED[name][int(np.argmax(scores))]
    learner = _learner(cell, row["parameter"])
    if learner is not None:
        totals = _totals(cell, learner, part=0)
        row |= {"mean": totals.mean(), "standard_error": totals.std(ddof=1) / np.sqrt(totals.size)}
    return row


def train_from_scratch(seed: int, *, iterations: int = 60, tasks: int = 4000) -> list[dict[str, Any]]:
    """Train a learner on five arms and ten pulls, some ten seconds, and play it on tasks that it has not seen.

    Returns
    -------
    list of dict
        A row for each iteration: ``seed``, ``iteration``, ``mean`` (of the trials of that iteration, before it was
        learned from), ``tested`` and ``standard_error`` (total reward of the finished learner), ``optimum``.
    """
    recipe = bernoulli_recipe(5, 10, replace(SHORT, iterations=iterations))
    learner = replace(recipe, seed=seed).train()
    drawing, playing = np.random.SeedSequence(seed, spawn_key=(0,)).spawn(2)
    totals = play(learner, recipe.draw(tasks, np.random.default_rng(drawing)), recipe.horizon, playing).totals
    known = {
        "seed": seed,
        "tested": totals.mean(),
        "standard_error": totals.std(ddof=1) / np.sqrt(tasks),
        "optimum": optimal_value(5, 10),
    }
    return [{**known, "iteration": place, "mean": mean} for place, mean in enumerate(learner.curve)]


def _described(cell: Cell) -> dict[str, Any]:
    """Setup, published figure, optimum and number of tasks of a cell."""
    if cell["kind"] == "bandit":
        arms, pulls = cell["arms"], cell["pulls"]
        published = PUBLISHED_BANDITS[arms, pulls][BANDIT_COLUMNS.index(cell["learner"])]
        optimum = optimal_value(arms, pulls) if pulls <= OPTIMUM_UP_TO else np.nan
        words = f"{arms} arms, {pulls} pulls"
    else:
        published = PUBLISHED_MDPS[cell["episodes"]][MDP_COLUMNS.index(cell["learner"])]
        optimum, words = np.nan, f"random MDPs, {cell['episodes']} episodes"
    known = {"kind": cell["kind"], "setup": words, "tasks": cell["tasks"]}
    return {**known, "published": published, "optimum": optimum}


def _totals(cell: Cell, learner: Learner | None, part: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Total reward on each task; part 0 is the table's, part 1 is for tuning."""
    if learner is None:
        raise ValueError(f"learner: there is no {cell['learner']!r} to tune")
    setup = [cell.get(key, 0) for key in ("arms", "pulls", "episodes")]
    drawing, playing = np.random.SeedSequence(cell["seed"], spawn_key=(*setup, part)).spawn(2)
    tasks, horizon = _tasks(cell, np.random.default_rng(drawing))
    return play(learner, tasks, horizon, playing).totals


def _tasks(cell: Cell, rng: np.random.Generator) -> tuple[Tasks, int]:
    if cell["kind"] == "bandit":
        return bandit_tasks.bernoulli(cell["tasks"], cell["arms"], rng), cell["pulls"]
    return mdp_tasks.random_mdps(cell["tasks"], rng), mdp_tasks.EPISODE * cell["episodes"]


def _learner(cell: Cell, parameter: float) -> Learner | None:
    """The learner of a cell; None if this package has none."""
    return _bandit_learner(cell, parameter) if cell["kind"] == "bandit" else _mdp_learner(cell, parameter)


def _bandit_learner(cell: Cell, parameter: float) -> Learner | None:
    arms, pulls = cell["arms"], cell["pulls"]
    match cell["learner"]:
        case "random":
            return UniformLearner(arms)
        case "Gittins":
            return GittinsLearner(arms, pulls) if pulls <= LARGEST else None
        case "Thompson":
            return ThompsonSampling(arms)
        case "optimistic Thompson":
            return ThompsonSampling(arms, int(parameter))
        case "UCB1":
            return UpperConfidence(arms, parameter)
        case "epsilon-greedy":
            return GreedyLearner(arms, parameter)
        case "greedy":
            return GreedyLearner(arms)
        case "RL^2":
            return checkpoints.find(f"bernoulli-{arms}-arms-{pulls}-pulls")
        case _:
            return None


def _mdp_learner(cell: Cell, parameter: float) -> Learner | None:
    match cell["learner"]:
        case "random":
            return UniformLearner(mdp_tasks.ACTIONS)
        case "PSRL":
            return PosteriorSampling(prior_mean=cell["prior_mean"])
        case "OPSRL":
            return PosteriorSampling(prior_mean=cell["prior_mean"], draws=DRAWS)
        case "BEB":
            return MeanModel(prior_mean=cell["prior_mean"], bonus=parameter)
        case "epsilon-greedy":
            return MeanModel(prior_mean=cell["prior_mean"], epsilon=parameter)
        case "greedy":
            return MeanModel(prior_mean=cell["prior_mean"])
        case "RL^2":
            return checkpoints.find(f"random-mdps-{cell['episodes']}-episodes")
        case _:
            return None
