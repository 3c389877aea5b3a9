"""Which IRL method's behavioural objective is nearest the mesa-objective, and does it transfer?

Expected: methods whose model of the agent is right come nearest; in the worlds of training every method that explains
the behaviour looks good, whatever it recovered; what tells them apart is new worlds, and more of the worlds of training
help all of them there; behavioural cloning, which recovers no reward, cannot follow.  A wrong discount or wrong
dynamics cost more in new worlds than in those of training.

Refuted if: regret in new worlds is no larger than in those of training; or if a second to fourth environment does not
lower it; or if methods for optimal agents do as well on soft agents as methods for soft agents do, and the other way
round.

Worlds: random ones (12 states, rewards on states), small grids with three objects whose places change (four
parameters), grids whose walls change (25 parameters, some cells walled in).  Agents: optimal, soft, Boltzmann, noisy,
short-sighted, hyperbolic, each with one objective in 1 or 4 environments of training and 10 new ones.  Evidence: 100
episodes of 30 steps in each environment.  Solvers: all of the library, those for soft, Boltzmann and noisy agents with
the right temperature or error rate.  Measured: STARC distance (VAL; 0 the same, 2 opposite, 1.41 unrelated) between
estimate and mesa-objective, and the share of what there is to lose under the mesa-objective that an agent loses which
is optimal for the estimate, both in the environments of training and in new ones (of a method that recovers only a
policy: that this policy loses; the agent's own loss stands beside it); seconds of fitting, which are the only figures
here that depend on the machine.  A method that says that no reward explains the evidence gives no
estimate; shares of such refusals are told.  Misspecification: exact policies of soft and optimal agents, fitted at
another discount, in other dynamics, at another temperature.  Without the extra "imitation" that library's methods are
left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

import irl_ident as ii
from irl_ident import builders
from irl_ident.agents import KnownAgent
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Evidence
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import BoltzmannML, Estimate, MaxEnt, Solver
from studies._solvers_figure import REFERENCE, compose
from studies._solvers_worlds import AGENTS, STEPS, WORLDS, World, library, misspecified
from studies.study import Settings, Task
from studies.wording import series

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

EPISODES, HORIZON = 100, 30
NEW = 10
SIZES = (1, 4)
"""Numbers of environments of training."""

ASSUMED = {
    "discount": (0.5, 0.7, 0.9, 0.95, 0.98),
    "share of wrong dynamics": (0.0, 0.1, 0.2, 0.4, 0.8),
    "temperature": (0.05, 0.1, 0.2, 0.4, 0.8),
}
"""What a solver may wrongly take for true."""


def tasks(settings: Settings) -> list[Task]:
    """Agents by world and replicate, by the library's own solvers, by ``imitation``'s, and with wrong assumptions."""
    quick, steps = settings.quick, STEPS // 4 if settings.quick else STEPS
    agents = ("optimal", "soft", "noisy") if quick else tuple(AGENTS)
    planned: list[Task] = [
        {"part": "solvers", "world": world, "agent": agent, "replicate": i, "methods": "own"}
        for world in (("objects",) if quick else tuple(WORLDS))
        for agent in agents
        for i in range(2 if quick else 20)
    ]
    if find_spec("imitation") is not None:
        planned += [
            {"part": "solvers", "world": world, "agent": agent, "replicate": i, "methods": "imitation", "steps": steps}
            for world in (("objects",) if quick else tuple(WORLDS))
            for agent in (("soft",) if quick else agents)
            for i in range(1 if quick else 3)
        ]
    planned += [
        {"part": "assumed", "world": "random", "parameter": parameter, "replicate": i, "values": values[:: 1 + quick]}
        for parameter, values in ASSUMED.items()
        for i in range(3 if quick else 20)
    ]
    return [{**task, "seed": settings.seed_for(task["replicate"])} for task in planned]


def run(task: Task) -> list[dict[str, Any]]:
    """All methods on one agent, or one wrong assumption in all its degrees."""
    return {"solvers": run_solvers, "assumed": run_assumed}[task["part"]](task)


def run_solvers(task: Task) -> list[dict[str, Any]]:
    """Fit every method to what one agent did in 1 and in 4 environments."""
    world = WORLDS[task["world"]]
    truth, training, new = drawn(world, task)
    agent = AGENTS[task["agent"]](world.family, truth)
    seeds = np.random.SeedSequence(task["seed"], spawn_key=(1,)).spawn(max(SIZES))
    shown = [
        (env, agent.demonstrate(env, episodes=EPISODES, horizon=HORIZON, seed=seed))
        for env, seed in zip(training, seeds, strict=True)
    ]
    shared = {key: task[key] for key in ("part", "world", "agent", "replicate", "methods")}
    rows = [{**shared, "method": REFERENCE, "group": "", "size": max(SIZES), **behaved(agent, training, new)}]
    for size in SIZES:
        for name, method in library(task["methods"], task["seed"] % 2**32, task.get("steps", STEPS)).items():
            estimate, happened = fitted(method.solver, shown[:size], world.family)
            measured = measure(estimate, agent, training[:size], new)
            rows.append({**shared, "method": name, "group": method.group, "size": size, **happened, **measured})
    return rows


def behaved(agent: KnownAgent, training: Sequence[Environment], new: Sequence[Environment]) -> dict[str, Any]:
    """What the agent's own errors cost it: the regret that a perfect copy of its behaviour has."""
    lost = {
        f"regret_{where}": float(
            np.mean([ii.distances.regret(env, agent.mesa_objective(env), agent.policy(env)) for env in envs])
        )
        for where, envs in (("training", training), ("new", new))
    }
    return {"status": "", "words": "", "seconds": np.nan, "starc_training": np.nan, "starc_new": np.nan, **lost}


def drawn(world: World, task: Task) -> tuple[Array, list[Environment], list[Environment]]:
    """An objective, the environments of training, and new ones."""
    rng = np.random.default_rng(np.random.SeedSequence(task["seed"], spawn_key=(0,)))
    truth = world.objective(rng)
    return truth, [world.draw(rng) for _ in range(max(SIZES))], [world.draw(rng) for _ in range(NEW)]


def fitted(solver: Solver, evidence: Evidence, family: RewardFamily) -> tuple[Estimate | None, dict[str, Any]]:
    """The estimate, or None where the method refuses; what happened, and the seconds that it took."""
    start = time.perf_counter()
    try:
        estimate = solver.fit(evidence, family)
    except ValueError as refusal:
        took = time.perf_counter() - start
        return None, {"status": "refused", "words": str(refusal).partition("\n")[0][:200], "seconds": took}
    took = time.perf_counter() - start
    return estimate, {"status": estimate.convergence.status, "words": "", "seconds": took}


def measure(
    estimate: Estimate | None, agent: KnownAgent, training: Sequence[Environment], new: Sequence[Environment]
) -> dict[str, float]:
    """Distance and regret, means over the environments of training and over new ones; NaN without an estimate."""
    measured = {}
    for where, environments in (("training", training), ("new", new)):
        far, lost = [], []
        for env in environments:
            if estimate is None:
                break
            score = ii.score(estimate, agent, env)
            lost.append(score.policy_regret if score.regret is None else score.regret.even)
            far += [] if score.starc is None else [score.starc]
        measured[f"starc_{where}"] = float(np.mean(far)) if far else np.nan
        measured[f"regret_{where}"] = float(np.mean(lost)) if lost else np.nan
    return measured


def run_assumed(task: Task) -> list[dict[str, Any]]:
    """Fit exact policies as if something else were true of the environments or of the agent."""
    world, parameter = WORLDS[task["world"]], task["parameter"]
    truth, training, new = drawn(world, task)
    other = world.draw(np.random.default_rng(np.random.SeedSequence(task["seed"], spawn_key=(2,))))
    rows = []
    for name, method in misspecified().items():
        agent = AGENTS[method.agent](world.family, truth)
        for value in task["values"]:
            solver, believed = method.solver, training
            if parameter == "temperature":
                if not isinstance(solver, MaxEnt | BoltzmannML):
                    continue
                solver = replace(solver, temperature=value)
            elif parameter == "discount":
                believed = [builders.discounted(env, value) for env in training]
            else:
                believed = [builders.blended(env, other, value) for env in training]
            shown = [(env, agent.policy(true)) for env, true in zip(believed, training, strict=True)]
            estimate, happened = fitted(solver, shown, world.family)
            measured = measure(estimate, agent, training, new)
            shared = {key: task[key] for key in ("part", "world", "parameter", "replicate")}
            rows.append({**shared, "method": name, "agent": method.agent, "value": value, **happened, **measured})
    return rows


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Headlines: the nearest method for each agent, what more environments and new worlds change, wrong assumptions."""
    shown = table[table["part"] == "solvers"]
    solved = shown[shown["method"] != REFERENCE]
    small, large = SIZES[0], SIZES[-1]
    last = solved[solved["size"] == large]
    answered = last.groupby(["agent", "method"])["regret_new"].agg(lambda x: x.notna().mean())
    mean = last.groupby(["agent", "method"])[["starc_new", "regret_new", "regret_training"]].mean()
    usual = mean[answered > 0.5]
    nearest = {
        agent: usual.loc[agent].sort_values("starc_new").head(3).round(4).to_dict("index")
        for agent in dict.fromkeys(last["agent"])
    }
    sizes = solved.groupby(["size"])[["starc_new", "regret_new", "regret_training"]].mean()
    by_method = solved.groupby(["method", "size"]).agg(
        starc_new=("starc_new", "mean"),
        regret_new=("regret_new", "mean"),
        regret_training=("regret_training", "mean"),
        refused=("status", lambda x: (x == "refused").mean()),
        seconds=("seconds", "median"),
        n=("seconds", "size"),
    )
    assumed = table[table["part"] == "assumed"]
    wrong = assumed.groupby(["parameter", "method", "value"])[["regret_training", "regret_new", "starc_new"]].mean()
    return {
        "replicates": int(solved["replicate"].nunique()),
        "environments_of_training": list(SIZES),
        "new_environments": NEW,
        "agents_themselves": {
            agent: {key: round(float(value), 4) for key, value in row.items()}
            for agent, row in shown[shown["method"] == REFERENCE]
            .groupby("agent", sort=False)[["regret_training", "regret_new"]]
            .mean()
            .to_dict("index")
            .items()
        },
        "nearest_by_agent": nearest,
        "all_methods": {
            f"{size} environments": {key: float(value) for key, value in row.items()}
            for size, row in sizes.round(4).to_dict("index").items()
        },
        "methods": {
            method: {
                f"{size} environments": {k: _plain(v) for k, v in by_method.loc[(method, size)].items()}
                for size in (small, large)
            }
            for method in dict.fromkeys(solved["method"])
        },
        "wrong_assumptions": {
            parameter: {
                method: {
                    f"{value:g}": {k: _plain(v) for k, v in row.items()}
                    for value, row in wrong.loc[(parameter, method)].iterrows()
                }
                for method in dict.fromkeys(assumed.loc[assumed["parameter"] == parameter, "method"])
            }
            for parameter in dict.fromkeys(assumed["parameter"])
        },
    }


def _plain(value: Any) -> float | None:
    """A number that JSON has: None for NaN."""
    return None if np.isnan(value) else round(float(value), 4)


def findings(summary: Mapping[str, Any]) -> list[str]:
    """The nearest method for each kind of agent, what more environments change, and the price of transfer."""
    named = []
    for agent, methods in summary["nearest_by_agent"].items():
        method, row = next(iter(methods.items()))
        named.append(f"{agent} agents {method} (STARC {row['starc_new']:.2f}, regret {row['regret_new']:.3f})")
    sizes = summary["environments_of_training"]
    first, last = (summary["all_methods"][f"{float(size)} environments"] for size in (sizes[0], sizes[-1]))
    return [
        f"Nearest to the mesa-objective in {summary['new_environments']} new environments after {sizes[-1]} of "
        f"training: for {'; for '.join(named)}; STARC distances lie in [0, 2], means of {summary['replicates']} "
        "replicates.",
        f"Over all methods, with {sizes[0]} and with {sizes[-1]} environments of training, the distance is "
        f"{series([first['starc_new'], last['starc_new']])}, regret in new environments "
        f"{series([first['regret_new'], last['regret_new']], '.3f')}, and regret in those of training "
        f"{series([first['regret_training'], last['regret_training']], '.3f')}.",
    ]


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """The figure."""
    return compose(table, summary)
