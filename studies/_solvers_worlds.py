"""Worlds, agents and solvers of the study ``solvers``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import irl_ident as ii
from environments import object_grid
from environments.object_grid import Layout
from irl_ident.agents import Boltzmann, Hyperbolic, KnownAgent, Noisy, Optimal, ShortSighted, SoftOptimal
from irl_ident.environment import Array, Environment
from irl_ident.rewards import RewardFamily, StateRewards
from irl_ident.solvers import (
    AIRL,
    GAIL,
    MCEIRL,
    AnalyticCenter,
    Apprenticeship,
    BayesianIRL,
    BehavioralCloning,
    BoltzmannML,
    ChebyshevCenter,
    Compatible,
    DensityReward,
    Ellipsoid,
    Gaussian,
    MaxEnt,
    MaximumMarginPlanning,
    MeanMember,
    NgRussell,
    NgRussellSampled,
    Solver,
)

DISCOUNT = 0.9
TEMPERATURE = 0.2
"""Of soft and Boltzmann agents, whose rewards have a range of 1; their solvers know it."""

ERRORS = 0.1
"""Probability that a noisy agent picks any action; its solver knows it."""

PRIOR = Gaussian(1.0)

STEPS = 30_000
"""Steps for which the generators of adversarial methods train."""

SIDE = 5
OBJECTS = ("food", "water", "shock")


@dataclass(frozen=True)
class World:
    """A family of environments that share states, actions and a family of rewards.

    Attributes
    ----------
    family : RewardFamily
    draw : callable
        A random environment.
    objective : callable
        Parameters (d,) of a random objective whose rewards have a range of 1.
    """

    family: RewardFamily
    draw: Callable[[np.random.Generator], Environment]
    objective: Callable[[np.random.Generator], Array]


def _random(rng: np.random.Generator) -> Environment:
    return ii.builders.random_environment(12, 3, DISCOUNT, int(rng.integers(2**32)), successors=4)


def _spread(rng: np.random.Generator) -> Array:
    theta = rng.uniform(size=12)
    return np.asarray((theta - theta.min()) / np.ptp(theta))


def _objects(rng: np.random.Generator) -> Environment:
    return object_grid.build(object_grid.random_layout(rng), OBJECTS, slip=0.1, discount=DISCOUNT)


def _worths(rng: np.random.Generator) -> Array:
    return np.concatenate([[0.4], rng.permutation([1.0, rng.uniform(0.4, 1.0), 0.0])])


def _walls(rng: np.random.Generator) -> Environment:
    while True:
        walls = frozenset(rng.choice(SIDE**2 - 1, 5, replace=False).tolist())
        if object_grid.connected(Layout(SIDE, walls, ())):
            return object_grid.build(Layout(SIDE, walls, ()), (), slip=0.1, discount=DISCOUNT)


def _goal_and_lava(rng: np.random.Generator) -> Array:
    theta = np.full(SIDE**2, 0.5)
    places = rng.choice(SIDE**2, 4, replace=False)
    theta[places[0]], theta[places[1:]] = 1.0, 0.0
    return theta


WORLDS = {
    "random": World(StateRewards(12), _random, _spread),
    "objects": World(object_grid.family(4, OBJECTS), _objects, _worths),
    "walls": World(StateRewards(SIDE**2), _walls, _goal_and_lava),
}

AGENTS: dict[str, Callable[[RewardFamily, Array], KnownAgent]] = {
    "optimal": Optimal,
    "soft": lambda family, theta: SoftOptimal(family, theta, TEMPERATURE),
    "Boltzmann": lambda family, theta: Boltzmann(family, theta, TEMPERATURE),
    "noisy": lambda family, theta: Noisy(family, theta, ERRORS),
    "short-sighted": lambda family, theta: ShortSighted(family, theta, 2),
    "hyperbolic": lambda family, theta: Hyperbolic(family, theta, 1.0, 40),
}


@dataclass(frozen=True, eq=False)
class Method:
    """A solver, and what kind of agent it takes its evidence for."""

    solver: Solver
    group: str
    agent: str


def library(methods: str, seed: int, steps: int = STEPS) -> dict[str, Method]:
    """The solvers to compare: the library's ``"own"``, or ``"imitation"``'s, whose generators train for ``steps``."""
    if methods == "imitation":
        return {
            "MCE-IRL": Method(MCEIRL(), "imitation", "soft"),
            "AIRL": Method(AIRL(steps=steps, seed=seed), "imitation", "soft"),
            "GAIL": Method(GAIL(steps=steps, seed=seed), "imitation", "soft"),
            "density": Method(DensityReward(seed=seed), "imitation", "optimal"),
            "behavioural cloning": Method(BehavioralCloning(epochs=10, batch_size=256, seed=seed), "imitation", "any"),
        }
    posterior: dict[str, Any] = {"samples": 200, "warmup": 200, "seed": seed}
    optimal: dict[str, Solver] = {
        "Ng & Russell": NgRussell(),
        "Chebyshev centre": ChebyshevCenter(),
        "analytic centre": AnalyticCenter(),
        "mean member": MeanMember(n=500, seed=seed),
        "repeated IRL": Ellipsoid(),
    }
    suboptimal: dict[str, Solver] = {
        "Ng & Russell, sampled": NgRussellSampled(),
        "apprenticeship": Apprenticeship(),
        "max-margin planning": MaximumMarginPlanning(iterations=100),
        "compatibility": Compatible(),
        "posterior, noisy": BayesianIRL("noisy", epsilon=ERRORS, **posterior),
    }
    soft: dict[str, Solver] = {
        "maximum causal entropy": MaxEnt(temperature=TEMPERATURE, prior=PRIOR),
        "posterior, soft": BayesianIRL("soft", temperature=TEMPERATURE, **posterior),
        "Boltzmann likelihood": BoltzmannML(temperature=TEMPERATURE, prior=PRIOR),
        "posterior, Boltzmann": BayesianIRL("boltzmann", temperature=TEMPERATURE, **posterior),
    }
    groups = {"optimal": optimal, "suboptimal": suboptimal, "soft": soft}
    return {
        name: Method(solver, f"for {group} agents", group)
        for group, them in groups.items()
        for name, solver in them.items()
    }


def misspecified() -> dict[str, Method]:
    """Solvers that are told something wrong, each with agents of the kind that it is made for."""
    soft, boltzmann = MaxEnt(TEMPERATURE, PRIOR), BoltzmannML(TEMPERATURE, PRIOR)
    return {
        "maximum causal entropy": Method(soft, "for soft agents", "soft"),
        "Boltzmann likelihood": Method(boltzmann, "for soft agents", "Boltzmann"),
        "compatibility": Method(Compatible(), "for suboptimal agents", "optimal"),
    }
