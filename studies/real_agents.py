"""What can be said of agents that were trained, not built, in worlds that nobody here made?

Expected: what an agent does tells the order of what it met on its way, little else; every map that Gymnasium's
generator draws has the goal in the lower right corner, so that no number of them tells an agent that wants the goal
from one that wants the corner, while one map with the goal elsewhere does; and a trained agent's mistakes, in states
where it seldom was, rule out the objective it was trained on.

Refuted if: what an agent does leaves small identified sets; if a map as Gymnasium draws it narrows the reward-result
gap on maps with the goal moved; if a map chosen greedily tells no more than a random one; or if whole policies are
explained as often as what agents do on their way.

Worlds: Gymnasium's FrozenLake (4 x 4 and 8 x 8, slippery or not), CliffWalking and Taxi from their own tables; maps
from Gymnasium's generator, and such maps with the goal moved.  Agents: tabular Q-learning, PPO and DQN of
Stable-Baselines3, trained on what Gymnasium pays (the base objective).  The proxy is the corner: Q-learning anew in
every map; its table from one map carried into others; PPO trained in many maps, which it sees, the goal's cell told
as an address or by a compass.  Evidence: the greedy action in every state that training visited, or greedy rollouts.
Measured: verdict, open dimensions, intervals of the canonical reward of each kind of thing, whether the base
objective is left, and the reward-result gap on held-out maps (share of what there is to lose of the base return) of
agents that would plan for an objective that is left: least and largest over a sample.  A set that leaves only rewards
under which all actions are equal counts as no explanation.  Without the extra "imitation" PPO and DQN are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import irl_ident as ii
from environments import toy_text
from environments.toy_text import Lake
from irl_ident import planning
from irl_ident.environment import Array
from studies._real_agents_figure import STRATEGIES, compose
from studies._real_agents_findings import findings
from studies._real_agents_summary import summarise
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from irl_ident.identified import IdentifiedSet

__all__ = ["draw", "findings", "run", "summarise", "tasks"]

DISCOUNT = 0.95
MEMBERS = 100
"""How many of the objectives that remain are planned for."""

SAMPLES = 400
"""How many objectives the greedy strategy starts from."""

FIRST_MAPS = 2
MORE_MAPS = 3
LAKE_STEPS = 20_000
TRAINING_MAPS = 60
DRAWN = toy_text.goal_moved(Lake(("SFFF", "FHFH", "FFFH", "HFFG")))[3]
"""Gymnasium's own map with the goal moved."""

ENDS = ("goal", "corner", "hole", "ice")
LONG = 256
"""Steps after which an agent that has not ended its episode stays on the ice."""


@dataclass(frozen=True)
class World:
    """One of Gymnasium's worlds.

    Attributes
    ----------
    id : str
    options : dict
        To ``gymnasium.make``.
    things : tuple of str
        What its rewards may depend on.
    base : tuple of float
        What Gymnasium pays, or an objective with the same optimal policies, in the order of ``things``.
    steps : int
        Of Q-learning.
    """

    id: str
    options: Mapping[str, Any]
    things: tuple[str, ...]
    base: tuple[float, ...]
    steps: int


LAKE_THINGS = ("floor", "hole", "goal")
WORLDS = {
    f"lake {side}x{side}{', slippery' * slippery}": World(
        "FrozenLake-v1", {"map_name": f"{side}x{side}", "is_slippery": slippery}, LAKE_THINGS, (0, 0, 1), steps
    )
    for side, slippery, steps in ((4, False, 30_000), (4, True, 200_000), (8, False, 200_000), (8, True, 400_000))
} | {
    "cliff": World("CliffWalking-v0", {}, ("step", "fall", "arrived"), (-1, -100, 0), 50_000),
    "taxi": World("Taxi-v3", {}, ("empty", "aboard", "refused", "delivered", "arrived"), (-1, -1, -10, 20, 0), 200_000),
}
DEEP_WORLDS = {"lake 4x4": 20_000, "lake 4x4, slippery": 60_000}
"""Where PPO and DQN are trained too, and for how many steps."""


def tasks(settings: Settings) -> list[Task]:
    """Agents by world, learner and replicate; agents with a planted proxy."""
    quick = settings.quick
    deep = find_spec("stable_baselines3") is not None and find_spec("torch") is not None
    planned: list[Task] = [
        {"part": "worlds", "world": name, "learner": "Q-learning", "steps": world.steps, "replicate": i}
        for name, world in WORLDS.items()
        for i in range(2 if quick else 20)
        if not (quick and name == "lake 8x8, slippery")
    ]
    if deep:
        planned += [
            {"part": "worlds", "world": name, "learner": learner, "steps": steps, "replicate": i}
            for name, steps in DEEP_WORLDS.items()
            for learner in ("PPO", "DQN")
            for i in range(1 if quick else 5)
            if not (quick and name == "lake 4x4, slippery")
        ]
    planned += [
        {"part": "proxy", "learner": learner, "moved": 0.0, "steps": LAKE_STEPS, "replicate": i}
        for learner in ("retrained", "table")
        for i in range(2 if quick else 20)
    ]
    if deep:
        planned += [
            {"part": "proxy", "learner": learner, "moved": moved, "steps": 10_000 if quick else 40_000, "replicate": i}
            for learner, moved in (("address", 0.0), ("compass", 0.0), ("address", 0.5), ("compass", 0.5))
            for i in range(1 if quick else 5)
            if not (quick and moved)
        ]
    parts = {"worlds": 0, "proxy": 1}
    return [{**task, "seed": settings.seed_for(parts[task["part"]], task["replicate"])} for task in planned]


def run(task: Task) -> list[dict[str, Any]]:
    """One agent in one world, or one agent with a planted proxy."""
    return {"worlds": run_world, "proxy": run_proxy}[task["part"]](task)


def run_world(task: Task) -> list[dict[str, Any]]:
    """Train an agent in one of Gymnasium's worlds and say what its behaviour tells."""
    import gymnasium

    name = task["world"]
    kind = WORLDS[name]
    world = gymnasium.make(kind.id, **kind.options)
    env = ii.Environment.from_gymnasium(world, DISCOUNT)
    agent = trained(env, world, task["learner"], task["steps"], task["seed"]).greedy()
    lost = regret(env, ii.rewards.base_objective(world), agent.policy(env))
    seen = {
        "policy": agent.observation(env),
        "rollouts": agent.demonstrate(env, episodes=50, horizon=200, seed=task["seed"]),
    }
    rows = []
    for source, observation in seen.items():
        things = world_family(name)
        ident = ii.identify([(env, observation)], things)
        by_state = ii.identify([(env, observation)], ii.rewards.StateRewards(env.n_states))
        found = {
            "part": "worlds",
            "world": name,
            "learner": task["learner"],
            "replicate": task["replicate"],
            "evidence": source,
            "regret": lost,
            "explained": explained(ident),
            "verdict": ident.report().verdict,
            "base_left": ident.contains(kind.base),
            "open": ident.dimension,
            "explained_by_states": explained(by_state),
            "open_states": by_state.dimension,
            "states": env.n_states,
        }
        ranges = intervals(ident)
        truth = canonical(np.array(kind.base, dtype=float))
        for thing, (low, high), value in zip(kind.things, ranges, truth, strict=True):
            rows.append({**found, "thing": thing, "lower": low, "upper": high, "base": value})
    return rows


def trained(env: ii.Environment, world: Any, learner: str, steps: int, seed: int) -> ii.agents.TrainedAgent:
    """An agent from one of the learners."""
    if learner == "Q-learning":
        return ii.agents.q_learning(env, world, steps=steps, seed=seed)
    if learner == "PPO":
        return ii.agents.stable_baselines(
            env, world, "PPO", steps=steps, seed=seed % 2**32, settings={"ent_coef": 0.01}
        )
    settings = {"train_freq": 4, "batch_size": 64}
    return ii.agents.stable_baselines(env, world, "DQN", steps=steps, seed=seed % 2**32, settings=settings)


@lru_cache(maxsize=8)
def world_family(name: str) -> ii.rewards.LinearRewards:
    """Rewards by what is there: one of the world's ``things`` in every state and action."""
    import gymnasium

    kind = WORLDS[name]
    world = gymnasium.make(kind.id, **kind.options)
    env = ii.Environment.from_gymnasium(world, DISCOUNT)
    paid = ii.rewards.base_objective(world)
    things = np.zeros(paid.shape, dtype=int)
    if name == "taxi":
        aboard = [list(world.unwrapped.decode(s))[2] == 4 for s in range(500)]  # type: ignore[attr-defined]
        things[: len(aboard)][aboard] = 1
        things[paid == -10] = 2
        things[paid == 20] = 3
    elif name == "cliff":
        things[paid == -100] = 1
    else:
        tiles = world.unwrapped.desc.astype(str).ravel()  # type: ignore[attr-defined]
        things[tiles == "H"] = 1
    things[env.absorbing & (things == 0).all(axis=1)] = len(kind.things) - 1
    return ii.rewards.LinearRewards(np.eye(len(kind.things))[things], names=kind.things)


def regret(env: ii.Environment, reward: Array, policy: Array) -> float:
    """Share of what there is to lose under ``reward`` that ``policy`` loses."""
    best = env.initial @ planning.optimal(env, reward).values
    worst = -env.initial @ planning.optimal(env, -reward).values
    got = env.initial @ planning.evaluate(env, reward, policy)
    return max(float((best - got) / (best - worst)), 0.0)


def explained(ident: IdentifiedSet) -> bool:
    """Whether an objective other than the trivial ones, under which all actions are equal, explains the evidence."""
    return ident.conflict is None and any(a.kind == "scale" for a in ident.ambiguities)


def canonical(theta: Array) -> Array:
    """``theta`` with its least value at 0 and its largest at 1."""
    low, high = float(theta.min()), float(theta.max())
    return np.asarray((theta - low) / (high - low))


def intervals(ident: IdentifiedSet) -> Array:
    """Where the canonical value of each different reward may lie, (P, 2); NaN where only trivial objectives are left.

    In the order of the first parameter in which rewards differ.
    """
    if not explained(ident):
        family = ident.family
        assert isinstance(family, ii.rewards.LinearRewards)
        return np.full((len(np.unique(family.features.reshape(-1, family.dim), axis=0)), 2), np.nan)
    return np.asarray(ident.canonical_ranges()[::-1])


def gap_interval(
    ident: IdentifiedSet, tests: Sequence[tuple[ii.Environment, Array]], seed: int
) -> tuple[float, float, float]:
    """Least and largest mean reward-result gap of agents that plan for an objective that is left.

    Parameters
    ----------
    ident : IdentifiedSet
    tests : sequence of (Environment, array (S, A))
        Held-out environments, each with the reward that counts there; the identified set has not seen it.
    seed : int

    Returns
    -------
    low, high, high_with_ties : float
        In [0, 1]; over ``MEMBERS`` sampled members, so an interval inside the true one.  The last counts the farthest
        pair too, which may hold objectives with more ties than were seen, such as ice exactly as good as the goal.
    """
    if not explained(ident):
        return np.nan, np.nan, np.nan
    members = np.vstack([ident.sample(MEMBERS, seed % 2**32), *ident.farthest_pair()])
    gaps = np.mean([gaps_of(members, ident.family, env, reward) for env, reward in tests], axis=0)
    return float(gaps[:MEMBERS].min()), float(gaps[:MEMBERS].max()), float(gaps.max())


def gaps_of(members: Array, family: ii.rewards.RewardFamily, env: ii.Environment, reward: Array) -> Array:
    """Regret under ``reward`` of optimal agents for each of ``members`` (N, d) in ``env``, (N,)."""
    policies, which = planned(members, family, env)
    return np.array([regret(env, reward, policy) for policy in policies])[which]


def planned(
    members: Array, family: ii.rewards.RewardFamily, env: ii.Environment
) -> tuple[list[Array], npt.NDArray[np.int64]]:
    """The different policies of optimal agents for ``members`` (N, d), and which is whose (N,)."""
    rewards = np.stack([family.reward(env, theta) for theta in members])
    shown = planning.optimal_actions(planning.optimal_batch(env, rewards))
    distinct, which = np.unique(shown.reshape(len(members), -1), axis=0, return_inverse=True)
    shape = env.n_states, env.n_actions
    return [planning.uniform_over(mask.reshape(shape)) for mask in distinct], which.ravel()


def ends(ident: IdentifiedSet, seed: int) -> dict[str, float]:
    """Where agents that plan for an objective that is left end in the lake ``DRAWN``: shares of a sample of them."""
    if not explained(ident):
        return dict.fromkeys(ENDS, np.nan)
    env = lake_env(DRAWN)
    policies, which = planned(ident.sample(MEMBERS, seed % 2**32), ident.family, env)
    moves = [(env.dense() * policy[:, :, None]).sum(axis=1) for policy in policies]
    arrived = np.array([env.initial @ np.linalg.matrix_power(each, LONG) for each in moves])
    at = arrived[which].mean(axis=0)
    found = {name: float(at[list(env.states).index(name)]) for name in ENDS[:3]}
    return {**found, "ice": 1 - sum(found.values())}


@dataclass(frozen=True)
class Case:
    """An agent whose training may have planted a proxy, and where it is looked at.

    Attributes
    ----------
    policy : callable
        What it does in a lake, (S, A).
    training : list of Lake
        Where it was trained; the first ``FIRST_MAPS`` are the first evidence.
    pool : list of Lake
        Candidates for the next map, as Gymnasium draws them or with the goal moved.
    shifted : list of Lake
        Held out, with the goal moved.
    """

    policy: Callable[[Lake], Array]
    training: list[Lake]
    pool: list[Lake]
    shifted: list[Lake]


def run_proxy(task: Task) -> list[dict[str, Any]]:
    """Train where goal and corner are one, look where they are two."""
    random = np.random.default_rng(task["seed"])
    case = {"table": carried_table, "retrained": retrained}.get(task["learner"], map_reader)(task, random)
    shared = {"part": "proxy", **{k: task[k] for k in ("learner", "moved", "replicate")}}
    returns = returned(case)
    rows = [{**shared, "measure": measure, "value": value} for measure, value in returns.items()]
    for strategy in STRATEGIES:
        rows += [{**shared, "strategy": strategy, **row} for row in narrowed(case, strategy, task["seed"], random)]
    return rows


def returned(case: Case) -> dict[str, float]:
    """Shares of what there is to gain, for goal and corner, where it was trained and where the goal moved."""
    family = toy_text.family()
    shares = {}
    for where, lakes in (("training", case.training[:20]), ("shifted", case.shifted)):
        for name, theta in (("goal", toy_text.GOAL), ("corner", toy_text.CORNER)):
            lost = [regret(lake_env(m), family.reward(lake_env(m), theta), case.policy(m)) for m in lakes]
            shares[f"{where}: {name}"] = 1 - float(np.mean(lost))
    return shares


def narrowed(case: Case, strategy: str, seed: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """What remains, and the gap that it allows, after the first evidence and after each further map."""
    family = toy_text.family()
    tests = [(lake_env(lake), family.reward(lake_env(lake), toy_text.GOAL)) for lake in case.shifted]
    left = [lake for lake in case.pool if not (strategy == "as Gymnasium draws" and lake.moved)]
    evidence = [watched(lake, case.policy(lake), seed) for lake in case.training[:FIRST_MAPS]]
    rows: list[dict[str, Any]] = []
    for number in range(MORE_MAPS + 1):
        ident = ii.identify(evidence, family)
        low, high, with_ties = gap_interval(ident, tests, seed)
        found = {
            "maps": number,
            "gap_low": low,
            "gap_high": high,
            "gap_high_with_ties": with_ties,
            "explained": explained(ident),
            "goal_left": ident.contains(toy_text.GOAL),
            "corner_left": ident.contains(toy_text.CORNER),
            "next_moved": None,
        }
        if number < MORE_MAPS:
            chosen = int(random.integers(len(left)))
            if strategy == "greedy" and explained(ident):
                scores = ii.design.Greedy(SAMPLES, seed % 2**32).score(ident, [lake_env(m) for m in left])
                chosen = int(np.argmax(scores))
            lake = left.pop(chosen)
            found["next_moved"] = lake.moved
            evidence.append(watched(lake, case.policy(lake), seed))
        rows.append({**found, "measure": "gap"})
        for place, share in ends(ident, seed).items():
            rows.append({**found, "measure": "end", "thing": place, "value": share})
    return nested(rows)


def nested(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Widen each gap interval by those of later rows: whatever is left later was left before."""
    for earlier, later in zip(rows[-2::-1], rows[:0:-1], strict=True):
        earlier["gap_low"] = float(np.fmin(earlier["gap_low"], later["gap_low"]))
        for column in ("gap_high", "gap_high_with_ties"):
            earlier[column] = float(np.fmax(earlier[column], later[column]))
    return rows


def lake_env(lake: Lake) -> ii.Environment:
    """The environment of a lake."""
    return toy_text.build(lake, DISCOUNT)


def watched(lake: Lake, policy: Array, seed: int) -> tuple[ii.Environment, ii.evidence.Trajectories]:
    """A rollout from the start."""
    env = lake_env(lake)
    return env, ii.agents.rollout(env, policy, episodes=20, horizon=30, seed=seed)


def learned_in(lake: Lake, steps: int, seed: int) -> Array:
    """What Q-learning does in a lake after training there on what Gymnasium pays, (S, A)."""
    env = lake_env(lake)
    world = env.to_gymnasium(toy_text.paid(lake), max_episode_steps=100)
    return ii.agents.q_learning(env, world, steps=steps, seed=seed).greedy().probabilities


def retrained(task: Task, random: np.random.Generator) -> Case:
    """Q-learning anew in every map: what its training makes of the base objective is looked at, not one table."""
    drawn = drawn_lakes(FIRST_MAPS + 12, random)
    elsewhere = moved_lakes(18, random)

    @lru_cache
    def policy(lake: Lake) -> Array:
        return learned_in(lake, task["steps"], task["seed"])

    return Case(policy, drawn[:FIRST_MAPS], [*drawn[FIRST_MAPS:], *elsewhere[:12]], elsewhere[12:])


def carried_table(task: Task, random: np.random.Generator) -> Case:
    """Q-learning in one lake, whose table is carried into others; held out is its own lake with the goal moved."""
    own = next(lake for lake in drawn_lakes(30, random) if len(toy_text.goal_moved(lake)) >= 4)
    moved = [toy_text.goal_moved(own)[i] for i in random.permutation(len(toy_text.goal_moved(own)))]
    table = learned_in(own, task["steps"], task["seed"])
    half = len(moved) // 2
    pool = [*(lake for lake in drawn_lakes(12, random) if lake != own), *moved[:half]]
    return Case(lambda lake: table, [own], pool, moved[half:])


def map_reader(task: Task, random: np.random.Generator) -> Case:
    """PPO that sees the map, trained in many; the share ``moved`` of them has the goal moved."""
    drawn = drawn_lakes(TRAINING_MAPS + 12, random)
    elsewhere = moved_lakes(TRAINING_MAPS + 32, random)
    pool, shifted = [*drawn[-12:], *elsewhere[-32:-20]], elsewhere[-20:]
    other = random.random(TRAINING_MAPS) < task["moved"]
    training = [elsewhere[i] if other[i] else drawn[i] for i in range(TRAINING_MAPS)]
    lakes = [*training, *pool, *shifted]
    many = toy_text.archipelago(lakes, len(training), DISCOUNT, task["learner"])
    world = many.environment.to_gymnasium(many.reward, max_episode_steps=30)
    settings = {"n_steps": 1024, "batch_size": 128, "n_epochs": 5, "ent_coef": 0.01, "policy_kwargs": seeing(many.view)}
    agent = ii.agents.stable_baselines(
        many.environment, world, "PPO", steps=task["steps"], seed=task["seed"] % 2**32, settings=settings
    )
    greedy = agent.greedy().probabilities
    return Case(lambda lake: many.table(greedy, lake), training, pool, shifted)


def seeing(view: Array) -> dict[str, Any]:
    """Settings by which a network sees row s of ``view`` (S, n) in state s."""
    import torch
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class View(BaseFeaturesExtractor):
        def __init__(self, space: Any, view: Array) -> None:
            super().__init__(space, view.shape[1])
            self.register_buffer("view", torch.as_tensor(view, dtype=torch.float32))

        def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.view)[one_hot.flatten(1).argmax(dim=1)]

    return {"features_extractor_class": View, "features_extractor_kwargs": {"view": view}}


def drawn_lakes(count: int, random: np.random.Generator) -> list[Lake]:
    """Different maps from Gymnasium's generator."""
    found: dict[Lake, None] = {}
    while len(found) < count:
        found[toy_text.random_lake(int(random.integers(2**31)))] = None
    return list(found)


def moved_lakes(count: int, random: np.random.Generator) -> list[Lake]:
    """Different maps from Gymnasium's generator, the goal of each moved to a random cell that allows it."""
    found: dict[Lake, None] = {}
    while len(found) < count:
        options = toy_text.goal_moved(toy_text.random_lake(int(random.integers(2**31))))
        if options:
            found[options[random.integers(len(options))]] = None
    return list(found)


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """What is known of rewards in every world; returns; where agents would end; gaps on held-out maps."""
    return compose(table, summary, DRAWN)
