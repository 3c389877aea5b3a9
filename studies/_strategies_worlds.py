"""Worlds and strategies of the study ``strategies``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

import irl_ident as ii
from environments import conditioning_box, keys_and_chests, labyrinth, lava_maze, windy_grid
from irl_ident.design import (
    BinarySearch,
    DeploymentRegret,
    Exhaustive,
    FisherA,
    FisherD,
    FisherE,
    Fixed,
    Greedy,
    InformationGain,
    MaximinRegret,
    MinimaxWidth,
    Oracle,
    Random,
    RankGrowth,
    RoundRobin,
    SecondAngle,
    Strategy,
    VersionSpace,
    WorstDeploymentRegret,
    behaviour_classes,
)
from irl_ident.design.behaviour import Labels
from irl_ident.design.families.base import Products
from irl_ident.environment import Array, Environment
from irl_ident.rewards import LinearRewards, RewardFamily, StateRewards

DISCOUNT = 0.9
CANDIDATES = 40
HELD_OUT = 4
POOL = 300
"""Objectives that could be the agent's: one of them is."""

STATES, ACTIONS, MENU = 5, 2, 3
"""Of random environments and of the product family, in which each state has a menu."""

DEPTH = 3
"""Levels of the labyrinth."""


@dataclass(frozen=True, eq=False)
class World:
    """What an experimenter may choose from, and what is kept back to judge by.

    Attributes
    ----------
    candidates, held_out : sequence of Environment
        All different.
    family : RewardFamily
    pool : array (N, d)
        Objectives, each as likely as the others.
    temperature : float
        Of soft agents: about what the second best action costs.
    """

    candidates: Sequence[Environment]
    held_out: Sequence[Environment]
    family: RewardFamily
    pool: Array
    temperature: float = 0.2

    @cached_property
    def space(self) -> VersionSpace:
        """The pool and its behaviour in every candidate."""
        return VersionSpace(self.pool, self.candidates, self.family)


@lru_cache(maxsize=32)
def world(name: str, draw: int) -> World:
    """The ``draw``-th world of a name: other environments and another pool for another draw."""
    number = list(WORLDS).index(name)
    return WORLDS[name](np.random.default_rng([number, draw]))


def _parted(drawn: Sequence[Environment], family: RewardFamily, pool: Array, temperature: float = 0.2) -> World:
    return World(tuple(drawn[HELD_OUT:]), tuple(drawn[:HELD_OUT]), family, pool, temperature)


def _different(draw: Callable[[], Environment], count: int = CANDIDATES + HELD_OUT) -> list[Environment]:
    found: dict[str, Environment] = {}
    while len(found) < count:
        env = draw()
        found.setdefault(env.digest, env)
    return list(found.values())


def _canonical(rng: np.random.Generator, dim: int) -> Array:
    theta = rng.random((POOL, dim))
    lowest = theta.min(axis=1, keepdims=True)
    return np.asarray((theta - lowest) / np.ptp(theta, axis=1, keepdims=True))


def _random(rng: np.random.Generator) -> World:
    def draw() -> Environment:
        return ii.builders.random_environment(STATES, ACTIONS, DISCOUNT, int(rng.integers(2**32)), successors=3)

    return _parted(_different(draw), StateRewards(STATES), _canonical(rng, STATES))


def _products(rng: np.random.Generator) -> World:
    menus = rng.dirichlet(np.ones(STATES), (STATES, MENU, ACTIONS))
    products = Products(list(menus), DISCOUNT)
    family = StateRewards(STATES)
    return _parted(_different(lambda: products.environment(products.random(rng))), family, _canonical(rng, STATES))


def _lava(rng: np.random.Generator) -> World:
    mazes = lava_maze.candidates(rng, CANDIDATES + HELD_OUT)
    shuffled = [mazes[i] for i in rng.permutation(len(mazes))]
    return _parted(shuffled, lava_maze.family(), lava_maze.objectives(rng, POOL), 1.0)


def _box(rng: np.random.Generator) -> World:
    boxes = conditioning_box.all_boxes()
    chosen = [boxes[i] for i in rng.permutation(len(boxes))[: CANDIDATES + HELD_OUT]]
    animals = conditioning_box.objectives(levels=9)
    kept = rng.permutation(len(animals))[:POOL]
    return _parted(chosen, conditioning_box.family(), animals[kept])


def _keys(rng: np.random.Generator) -> World:
    def draw() -> Environment:
        kinds = (keys_and_chests.training, keys_and_chests.shifted)
        return keys_and_chests.build(kinds[int(rng.integers(2))](rng), slip=0.1, discount=DISCOUNT)

    return _parted(_different(draw), keys_and_chests.family(), keys_and_chests.objectives(rng, POOL))


def _windy(rng: np.random.Generator) -> World:
    drawn = _different(lambda: windy_grid.build(windy_grid.random_wind(rng)))
    return _parted([*drawn[:-1], windy_grid.build()], windy_grid.family(), windy_grid.objectives(rng, POOL), 1.0)


def _labyrinth(rng: np.random.Generator) -> World:
    """Up to three corridors blocked; an objective says what each end is worth."""
    maze = labyrinth.plan(DEPTH)
    ends = len(maze.ends)

    def draw() -> Environment:
        blocked = rng.permutation(len(maze.corridors))[: int(rng.integers(1, 4))]
        return labyrinth.build(maze, DISCOUNT, blocked=[maze.corridors[i] for i in blocked])

    kinds = np.concatenate([np.zeros(maze.n_nodes - ends, int), 1 + np.arange(ends)])
    features = np.repeat(np.eye(1 + ends)[kinds][:, None, :], len(labyrinth.ACTIONS), axis=1)
    family = LinearRewards(features, names=["junctions", *(f"end {node}" for node in maze.ends)])
    worths = np.column_stack([np.zeros(POOL), _canonical(rng, ends)])
    return _parted(_different(draw), family, worths, 1.0)


WORLDS: dict[str, Callable[[np.random.Generator], World]] = {
    "random MDPs": _random,
    "product family": _products,
    "lava mazes": _lava,
    "conditioning box": _box,
    "keys and chests": _keys,
    "windy grid": _windy,
    "labyrinth": _labyrinth,
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A strategy as the study compares it.

    Attributes
    ----------
    make : callable
        From a world, the position of the truth in its pool and a seed.
    kind : str
        What it looks at; strategies of a kind share a colour.
    agents : tuple of str
        Agents for which it is compared: ``"optimal"``, ``"noisy"``, ``"soft"``.
    knowing : bool
        Whether it depends on the truth or on the seed already before any evidence.
    """

    make: Callable[[World, int, int], Strategy]
    kind: str
    agents: tuple[str, ...] = ("optimal",)
    knowing: bool = False


EPISODES, HORIZON = 5, 20
"""How long an agent that errs is watched in an environment."""


WHOLE = ("optimal", "noisy")


def _fisher(criterion: type[FisherD] | type[FisherA] | type[FisherE]) -> Entry:
    return Entry(
        lambda w, truth, seed: criterion(horizon=HORIZON, count=EPISODES), "information on parameters", ("soft",)
    )


STRATEGIES: dict[str, Entry] = {
    "greedy elimination": Entry(lambda w, truth, seed: Greedy(hypotheses=w.pool), "answers", WHOLE),
    "information gain": Entry(lambda w, truth, seed: InformationGain(hypotheses=w.pool), "answers"),
    "binary search": Entry(lambda w, truth, seed: BinarySearch(hypotheses=w.pool), "answers"),
    "two steps ahead": Entry(lambda w, truth, seed: Exhaustive(hypotheses=w.pool, depth=2), "answers"),
    "minimax width": Entry(lambda w, truth, seed: MinimaxWidth(hypotheses=w.pool), "widths"),
    "maximin regret": Entry(lambda w, truth, seed: MaximinRegret(hypotheses=w.pool), "regret", WHOLE),
    "deployment regret": Entry(
        lambda w, truth, seed: DeploymentRegret(w.held_out[0], hypotheses=w.pool), "regret", WHOLE
    ),
    "worst deployment regret": Entry(
        lambda w, truth, seed: WorstDeploymentRegret(w.held_out[0], hypotheses=w.pool), "regret"
    ),
    "Fisher D": _fisher(FisherD),
    "Fisher A": _fisher(FisherA),
    "Fisher E": _fisher(FisherE),
    "second angle": Entry(lambda w, truth, seed: SecondAngle(), "dynamics alone", ("soft",)),
    "rank growth": Entry(lambda w, truth, seed: RankGrowth(), "dynamics alone", ("soft",)),
    "fixed beforehand": Entry(lambda w, truth, seed: Fixed(beforehand(w.space.labels)), "nothing"),
    "round robin": Entry(lambda w, truth, seed: RoundRobin(), "nothing"),
    "random": Entry(lambda w, truth, seed: Random(seed), "nothing", ("optimal", "noisy", "soft"), knowing=True),
    "oracle": Entry(
        lambda w, truth, seed: Oracle(hypotheses=w.pool, truth=w.pool[truth]), "the truth", WHOLE, knowing=True
    ),
}
"""All strategies of the library, in the order in which they are drawn."""


def beforehand(labels: Labels) -> tuple[int, ...]:
    """The order of all candidates in which each leaves fewest, as good as can be, to those who do not look: greedy."""
    joint = np.zeros(labels.shape[1], dtype=np.int64)
    order: list[int] = []
    while len(order) < len(labels):
        finer = [behaviour_classes(np.stack([joint, row], axis=1)) for row in labels]
        left = np.array([np.square(np.bincount(classes)).sum() for classes in finer])
        left[order] = np.iinfo(np.int64).max
        order.append(int(np.argmin(left)))
        joint = finer[order[-1]]
    return tuple(order)
