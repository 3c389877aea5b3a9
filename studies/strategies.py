"""Which criterion finds the objective in the fewest environments?

Expected (Amin & Singh 2016; Golovin & Krause 2011; Kleine Büning et al. 2024): strategies that look at what the answers
would be need fewer environments than random choice, half as many on mazes, and within 1.25 of an oracle that knows the
truth on product families; regret-based choice is best where regret is the measure; for soft agents watched for a
while, Fisher-optimal choice beats random.

Refuted if: random choice needs as few; or no strategy comes within those factors, unless no experimenter who does not
know the truth could (the study computes what the best plan of all could reach); or greedy's regret in held-out
environments is no higher than that of the strategies that minimise regret.

Worlds: random environments, a product family (each state's row from a menu), mazes with lava after Kleine Büning et
al., a conditioning box, keys and chests, windy grids, the labyrinth with blocked corridors; of each 40 environments to
choose from, 4 held out, and a pool of 300 objectives (153 animals in the box), one of which is the agent's.  Optimal
agents show their whole policy; agents that err are watched for some episodes of 20 steps.  Measured after every
environment: share of the pool that is left, certified diameter of the identified set (up to three environments), regret
in the held-out environments of an agent that pursues the mean of what is left, under the truth and under the worst
objective that is left; environments until 95 %, and all, of what the 40 environments can rule out is ruled out; seconds
a decision (the only figures here that depend on the machine).  A campaign ends when all of that is ruled out, and its
curves stay where they are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

import irl_ident as ii
from irl_ident.agents import KnownAgent
from irl_ident.design.choosing import ListChoices
from irl_ident.design.strategies.base import Strategy
from irl_ident.design.strategies.geometry import canonical_forms
from irl_ident.environment import Array, Environment, Mask
from studies import _strategies_measures as measures
from studies._strategies_figure import compose
from studies._strategies_worlds import EPISODES, HORIZON, STRATEGIES, WORLDS, World, world
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from irl_ident.identified.base import IdentifiedSet

ROUNDS = 6
"""Most environments of a campaign."""

DIAMETERS = 3
"""After more environments than this, diameters are not computed."""

SOFT_ROUNDS = 3
LENGTHS = {1: 6, 5: 3}
"""Episodes for which an agent that errs is watched in an environment, and how many environments there are then."""

ERROR, LEVEL = 0.1, 0.05
"""How often a noisy agent picks any action, and how often a confidence set may miss its objective."""

ERRS: dict[str, Any] = {"error": ERROR, "level": LEVEL, "ties": "even"}

WATCHED = {"noisy": ("lava mazes",), "soft": ("conditioning box",)}
"""Worlds in which agents that err are watched."""

SHARES = {"95 %": 0.95, "all": 1.0}
PLANNED = 3
"""Up to so many experiments the best plan is found by enumeration."""


def tasks(settings: Settings) -> list[Task]:
    """Limits of each world; then campaigns for agents of each kind, world after world for each truth in turn."""
    quick = settings.quick
    names = ("lava mazes", "conditioning box") if quick else tuple(WORLDS)
    truths = 3 if quick else 20
    planned: list[Task] = [{"part": "limits", "world": name, "draw": 0} for name in names]
    for number in range(truths):
        for name in names:
            place = list(WORLDS).index(name)
            order = np.random.default_rng(settings.seed_for(place)).permutation(len(world(name, 0).pool))
            seed = settings.seed_for(place, number)
            shared = {"world": name, "draw": 0, "truth": int(order[number]), "seed": seed}
            parts = [part for part in ("policies", "noisy", "soft") if name in WATCHED.get(part, names)]
            planned += [{"part": part, **shared} for part in parts]
    return planned


def run(task: Task) -> list[dict[str, Any]]:
    """The limits of a world, or one objective met by every strategy."""
    parts = {"limits": run_limits, "policies": run_policies, "noisy": run_noisy, "soft": run_soft}
    return parts[task["part"]](task)


def run_limits(task: Task) -> list[dict[str, Any]]:
    """Bits and plans: what no experimenter can do better than."""
    labels = world(task["world"], task["draw"]).space.labels
    found = {**task, "objectives": labels.shape[1], **measures.bits(labels)}
    for name, share in SHARES.items():
        found[f"bound_plans {name}"] = measures.bound_on_mean(measures.best_shares(labels, share, PLANNED))
    return [found]


def run_policies(task: Task) -> list[dict[str, Any]]:
    """Every strategy with an optimal agent that shows its whole policy."""
    here, truth = world(task["world"], task["draw"]), task["truth"]
    known = Known(here, truth, held_out(task["world"], task["draw"]))
    rows = []
    for name, choices in _choices(task, "optimal").items():
        chosen: tuple[int, ...] = ()
        seconds = np.nan
        while True:
            shown = {"environments": len(chosen), "candidate": chosen[-1] if chosen else -1, "seconds": seconds}
            rows.append({**task, "strategy": name, **shown, **known.measured(chosen)})
            if len(chosen) == ROUNDS or rows[-1]["left"] == rows[-1]["final"]:
                break
            ident = known.ident(chosen)
            started = time.perf_counter()
            question = choices.choose(ident)
            seconds = time.perf_counter() - started if chosen else np.nan
            chosen = (*chosen, question.candidate)
    return rows


def run_noisy(task: Task) -> list[dict[str, Any]]:
    """Strategies that look at answers, and random choice, with an agent that errs and is watched for some episodes."""
    here, truth = world(task["world"], task["draw"]), task["truth"]
    agent = ii.agents.Noisy(here.family, here.pool[truth], ERROR)
    judged = held_out(task["world"], task["draw"])
    rows = []
    for name, choices in _choices(task, "noisy").items():
        for episodes, rounds in LENGTHS.items():
            ident, steps = ii.identified.anything(here.family, "noisy", **ERRS), 0
            for n in range(rounds + 1):
                alive = ii.design.consistent(ident, here.pool)
                if not alive.any():
                    break
                regrets = judged.regrets(here.pool[alive].mean(axis=0))
                seen = {"episodes": episodes, "environments": n, "steps": steps}
                rows.append(
                    {**task, "strategy": name, **seen, **_left(alive, truth), **_regrets(regrets, truth, alive)}
                )
                if n == rounds:
                    break
                env = choices.choose(ident).environment
                counts = _watched(agent, env, episodes, task["seed"], n)
                ident = ii.identify([*ident.evidence, (env, counts)], here.family, "noisy", **ERRS)
                steps += int(counts.counts.sum())
    return rows


def run_soft(task: Task) -> list[dict[str, Any]]:
    """Strategies for soft agents, and random choice, with a soft agent watched for some episodes."""
    here, truth = world(task["world"], task["draw"]), task["truth"]
    agent = ii.agents.SoftOptimal(here.family, here.pool[truth], here.temperature)
    judged = held_out(task["world"], task["draw"])
    forms = canonical_forms(here.family, here.pool)
    planned: dict[str, Array] = {}
    rows = []
    for name, choices in _choices(task, "soft").items():
        ident = ii.identified.anything(here.family, "soft", temperature=here.temperature)
        belief = measures.Belief(here.family, here.pool, here.temperature, planned)
        steps, seconds = 0, np.nan
        for n in range(SOFT_ROUNDS + 1):
            alive = belief.left(LEVEL)
            regrets = judged.regrets(belief.weights @ here.pool)
            seen = {"episodes": EPISODES, "environments": n, "steps": steps, "seconds": seconds}
            width = {"width": float(np.ptp(forms[alive], axis=0).max())}
            rows.append(
                {**task, "strategy": name, **seen, **_left(alive, truth), **_regrets(regrets, truth, alive), **width}
            )
            if n == SOFT_ROUNDS:
                break
            started = time.perf_counter()
            env = choices.choose(ident).environment
            seconds = time.perf_counter() - started if n else np.nan
            counts = _watched(agent, env, EPISODES, task["seed"], n)
            ident = ii.identify([*ident.evidence, (env, counts)], here.family, "soft", temperature=here.temperature)
            belief.update(env, counts.counts)
            steps += int(counts.counts.sum())
    return rows


def _choices(task: Task, agents: str) -> dict[str, ListChoices]:
    """The strategies for a kind of agents, ready to choose as a campaign would."""
    here = world(task["world"], task["draw"])
    ready = {}
    for name, entry in STRATEGIES.items():
        if agents not in entry.agents:
            continue
        strategy = entry.make(here, task["truth"], task["seed"])
        if not entry.knowing:
            strategy = FirstKnown(strategy, (task["world"], task["draw"], name))
        ready[name] = ListChoices(here.candidates, strategy)
    return ready


def _left(alive: Mask, truth: int) -> dict[str, Any]:
    return {"left": int(alive.sum()), "covered": bool(alive[truth]), "objectives": len(alive)}


def _watched(agent: KnownAgent, env: Environment, episodes: int, seed: int, n: int) -> ii.evidence.Counts:
    drawn = np.random.SeedSequence(seed, spawn_key=(n,))
    return ii.evidence.counts(env, agent.demonstrate(env, episodes=episodes, horizon=HORIZON, seed=drawn))


def _regrets(regrets: Array, truth: int, alive: Mask) -> dict[str, float]:
    """Under the truth on average, and under the worst objective that is left in the worst environment."""
    worst = regrets[:, alive].max() if alive.any() else np.nan
    return {"regret_mean": float(regrets[:, truth].mean()), "regret_worst": float(worst)}


@dataclass(frozen=True)
class FirstKnown:
    """A strategy whose scores before any evidence are computed once for all truths of a world."""

    strategy: Strategy
    key: tuple[str, int, str]

    def score(self, ident: IdentifiedSet, candidates: Sequence[Environment]) -> Array:
        """Those of ``strategy``."""
        if ident.evidence:
            return self.strategy.score(ident, candidates)
        if self.key not in _FIRST:
            _FIRST[self.key] = self.strategy.score(ident, candidates)
        return _FIRST[self.key]


_FIRST: dict[tuple[str, int, str], Array] = {}


class Known:
    """What is known of one truth after sets of candidates were seen, each measured once."""

    def __init__(self, here: World, truth: int, judged: measures.HeldOut) -> None:
        self._world, self._truth, self._judged = here, truth, judged
        self._agent = ii.agents.Optimal(here.family, here.pool[truth])
        self._final = int(measures.indistinguishable(here.space.labels)[truth])
        self._idents: dict[frozenset[int], IdentifiedSet] = {}
        self._measured: dict[frozenset[int], dict[str, Any]] = {}

    def ident(self, chosen: Sequence[int]) -> IdentifiedSet:
        """The identified set."""
        key = frozenset(chosen)
        if key not in self._idents:
            seen = [self._world.candidates[place] for place in chosen]
            evidence = [(env, self._agent.policy(env)) for env in seen]
            family = self._world.family
            self._idents[key] = ii.identify(evidence, family) if evidence else ii.identified.anything(family)
        return self._idents[key]

    def measured(self, chosen: Sequence[int]) -> dict[str, Any]:
        """How much of the pool is left, certified diameter, and regrets of pursuing the mean of what is left."""
        key = frozenset(chosen)
        if key not in self._measured:
            labels = self._world.space.labels[sorted(key)]
            alive = (labels == labels[:, [self._truth]]).all(axis=0)
            regrets = self._judged.regrets(self._world.pool[alive].mean(axis=0))
            lower, upper = self.ident(chosen).diameter() if len(key) <= DIAMETERS else (np.nan, np.nan)
            self._measured[key] = {
                "left": int(alive.sum()),
                "final": self._final,
                "objectives": alive.size,
                "diameter_lower": lower,
                "diameter_upper": upper,
                **_regrets(regrets, self._truth, alive),
            }
        return self._measured[key]


@lru_cache(maxsize=16)
def held_out(name: str, draw: int) -> measures.HeldOut:
    """The environments that no experimenter is offered."""
    here = world(name, draw)
    return measures.HeldOut.of(here.held_out, here.family, here.pool)


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Environments needed, over the oracle's and the bounds; regret; what choices told; seconds."""
    limits = table[table["part"] == "limits"]
    names = list(dict.fromkeys(limits["world"]))
    counted = counts(table[table["part"] == "policies"])
    policies = table[table["part"] == "policies"]
    bounds = limits.groupby("world")[[c for c in map(str, limits.columns) if c.startswith(("bits", "bound"))]].mean()
    worlds = {}
    for name in names:
        own = counted[counted["world"] == name]
        mean = own.groupby("strategy", sort=False)[list(SHARES)].mean()
        never = own.groupby("strategy", sort=False)["all"].agg(lambda n: float((n > ROUNDS).mean()))
        limit = bounds.loc[name]
        worlds[name] = {
            "campaigns_a_strategy": int(own.groupby("strategy").size().min()),
            "limits": {key: round(float(value), 3) for key, value in limit.items()},
            "strategies": {
                strategy: {
                    **{f"environments, {share}": round(float(mean.loc[strategy, share]), 3) for share in SHARES},
                    **{
                        f"over the {other}, {share}": round(float(mean.loc[strategy, share] / reference), 3)
                        for share in SHARES
                        for other, reference in (
                            ("oracle's", mean.loc["oracle", share]),
                            ("best plan's bound", limit[f"bound_plans {share}"]),
                            ("random's", mean.loc["random", share]),
                        )
                    },
                    "over the bits, all": round(float(mean.loc[strategy, "all"] / limit["bound_any"]), 3),
                    f"not all in {ROUNDS}": round(float(never[strategy]), 3),
                    **{
                        f"{measure} after {n}": round(float(value), 4)
                        for n in (1, 2, 3)
                        for measure, value in after(policies, name, strategy, n).items()
                    },
                }
                for strategy in mean.index
            },
        }
    return {
        "aims": aims(worlds),
        "worlds": worlds,
        "agents that err": {part: sampled(table[table["part"] == part]) for part in ("noisy", "soft")},
        "seconds a decision": {
            strategy: round(float(value), 5)
            for strategy, value in table.groupby("strategy", sort=False)["seconds"].median().dropna().items()
        },
    }


def aims(worlds: Mapping[str, Any]) -> dict[str, Any]:
    """Environments until all is told: of the best strategy over the oracle's on products, over random's on mazes.

    Beside it stands what the best plan could reach at least: no strategy comes under it on average over the whole pool,
    of which the truths are a sample.
    """
    found = {}
    for name, other in (("product family", "oracle"), ("lava mazes", "random")):
        if name in worlds:
            mean = {key: own["environments, all"] for key, own in worlds[name]["strategies"].items()}
            best = min((key for key in mean if key != "oracle"), key=lambda key: mean[key])
            bound = worlds[name]["limits"]["bound_plans all"]
            found[f"{name}: over the {other}'s"] = {
                "best strategy": best,
                "ratio": round(mean[best] / mean[other], 3),
                "ratio of any plan, at least": round(bound / mean[other], 3),
            }
    return found


def counts(policies: pd.DataFrame) -> pd.DataFrame:
    """Environments until each of ``SHARES`` of what can be ruled out was, a row a campaign; ``ROUNDS + 1``: never."""
    import pandas as pd

    keys = ["world", "draw", "truth", "strategy"]
    rows = []
    for key, own in policies.groupby(keys, sort=False):
        left, final, total = own["left"].tolist(), own["final"].iloc[0], own["objectives"].iloc[0]
        until = {name: measures.needed(left, int(final), int(total), share) for name, share in SHARES.items()}
        rows.append({**dict(zip(keys, key, strict=True)), **until})
    return pd.DataFrame(rows)


def after(policies: pd.DataFrame, name: str, strategy: str, n: int) -> dict[str, float]:
    """Means after ``n`` environments, or where the campaign ended before."""
    own = policies[(policies["world"] == name) & (policies["strategy"] == strategy) & (policies["environments"] <= n)]
    last = own.groupby(["draw", "truth"]).last()
    found = {key: float(last[key].mean()) for key in ("diameter_upper", "regret_mean", "regret_worst")}
    return {"share left": float((last["left"] / last["objectives"]).mean()), **found}


def sampled(rows: pd.DataFrame) -> dict[str, Any]:
    """What is left at the end of watching, by world, length of watching and strategy; how often the truth was left."""
    found: dict[str, Any] = {"the truth was left": round(float(rows["covered"].astype(float).mean()), 4)}
    keys = ["world", "episodes", "strategy"]
    ends = rows.assign(share=rows["left"] / rows["objectives"]).groupby([*keys, "draw", "truth"], sort=False).last()
    means = ends.groupby(keys, sort=False)[["steps", "share", "regret_mean", "regret_worst"]].mean()
    for row in means.reset_index().to_dict("records"):
        name, episodes, strategy = (row.pop(key) for key in keys)
        own = found.setdefault(name, {}).setdefault(f"{int(episodes)} episodes", {})
        own[strategy] = {str(key): round(float(value), 4) for key, value in row.items()}
    return found


def findings(summary: Mapping[str, Any]) -> list[str]:
    """The best strategy of each world beside random choice and the oracle, and the aims that were missed."""
    told = []
    for name, own in summary["worlds"].items():
        mean = {strategy: row["environments, all"] for strategy, row in own["strategies"].items()}
        best = min((strategy for strategy in mean if strategy not in ("oracle", "random")), key=lambda s: mean[s])
        told.append(f"{name} {best} {mean[best]:.2f}, random {mean['random']:.2f}, oracle {mean['oracle']:.2f}")
    campaigns = min(own["campaigns_a_strategy"] for own in summary["worlds"].values())
    covered = {part: own["the truth was left"] for part, own in summary["agents that err"].items()}
    sentences = [
        f"Mean environments until all that can be told is told ({campaigns} campaigns for each strategy and world; the "
        f"oracle knows the truth): {'; '.join(told)}.",
    ]
    for aim, row in summary["aims"].items():
        name, _, reference = aim.partition(": over the ")
        other = "random choice" if reference == "random's" else "the oracle"
        sentences.append(
            f"In the {name} the best strategy ({row['best strategy']}) takes {row['ratio']:.2f} times as many "
            f"environments as {other}; averaged over the whole pool no plan can take less than "
            f"{row['ratio of any plan, at least']:.2f} times."
        )
    if covered:
        shares = " and ".join(f"{share:.0%} of updates about {part} agents" for part, share in covered.items())
        sentences.append(f"The truth is still among the objectives that are left in {shares}.")
    return sentences


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """The figure."""
    return compose(table, summary)
