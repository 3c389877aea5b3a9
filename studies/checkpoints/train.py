"""Train the learners of this folder: ``python -m studies.checkpoints.train [NAME ...] [--out FOLDER]``.

Without names, all of them, one after the other.  A recipe fixes everything: the tasks, the objective, the settings and
the seed, so that a learner comes out the same on one machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from environments import bandit_tasks, mdp_tasks
from irl_ident.agents.checkpoints import save_learner
from irl_ident.agents.recurrent import RecurrentLearner
from irl_ident.agents.recurrent_training import Draw, PolicyGradient, train_recurrent
from studies.checkpoints import FOLDER

SHORT = PolicyGradient(iterations=120, trials=500, batches=10)
"""For trials of up to ten steps."""

SMALL = replace(SHORT, units=32)
"""The same for many arms and tokens."""

BRIEF = PolicyGradient(iterations=8, trials=500, batches=10)
"""The same, stopped early: learners that fall short of what they were trained for."""

CAREFUL = PolicyGradient(iterations=300, trials=500, batches=10)
"""The same for longer, where published figures are to be met."""

LONG = PolicyGradient(iterations=250, trials=300, batches=6, learning_rate=5e-3, discount=0.99, decay=0.8, memory=100.0)
"""For trials of a hundred steps."""

EASY = PolicyGradient(iterations=80, trials=200, batches=4, learning_rate=5e-3, discount=0.99, decay=0.8)
"""The same for less, from memories as they come."""

MDPS = PolicyGradient(iterations=250, trials=200, batches=4, learning_rate=5e-3, discount=0.99, decay=0.8)
"""For trials of a hundred steps in which the state changes."""

SEEDS = range(5)


@dataclass(frozen=True)
class Recipe:
    """What a learner is trained on.

    Attributes
    ----------
    tasks : str
        In words.
    draw : callable
        Draws tasks.
    horizon : int
        Steps of a trial.
    settings : PolicyGradient
    seed : int
    payoff : tuple of float, optional
        What each token is worth.
    """

    tasks: str
    draw: Draw
    horizon: int
    settings: PolicyGradient
    seed: int = 0
    payoff: tuple[float, ...] | None = None

    def train(self, **options: Any) -> RecurrentLearner:
        """Do it; ``options`` are for :func:`irl_ident.agents.recurrent_training.train_recurrent`."""
        payoff = None if self.payoff is None else np.array(self.payoff)
        n_tokens = 0 if payoff is None else payoff.size
        learner = train_recurrent(
            self.draw, self.horizon, self.settings, seed=self.seed, n_tokens=n_tokens, payoff=payoff, **options
        )
        return replace(learner, training={**learner.training, "tasks": self.tasks})


def token_recipe(middle: float, seed: int, kind: str = "plain") -> Recipe:
    """Two arms, three tokens worth 1, ``middle`` and 0, ten pulls.

    Parameters
    ----------
    middle : float
        What the second token is worth.
    seed : int
    kind : {"plain", "brief", "absent", "cued"}
        Flat Dirichlet; the same for less long; with the second token never shown; or with a cue that always names the
        better arm.
    """
    payoff = (1.0, middle, 0.0)
    draws: dict[str, tuple[str, Draw]] = {
        "plain": ("token bandits", bandit_tasks.tokens),
        "brief": ("token bandits", bandit_tasks.tokens),
        "absent": ("token bandits without the second token", partial(bandit_tasks.tokens, absent=1)),
        "cued": (
            "token bandits with a cue that names the better arm",
            lambda count, rng: bandit_tasks.cued(count, np.array(payoff), 1.0, rng),
        ),
    }
    words, draw = draws[kind]
    return Recipe(words, draw, 10, BRIEF if kind == "brief" else SHORT, seed, payoff)


def bernoulli_recipe(arms: int, pulls: int, settings: PolicyGradient) -> Recipe:
    """Independent Bernoulli arms, p uniform on [0, 1]."""
    return Recipe(
        f"Bernoulli bandits, {arms} arms, {pulls} pulls",
        lambda count, rng: bandit_tasks.bernoulli(count, arms, rng),
        pulls,
        settings,
    )


def recipes() -> Iterator[tuple[str, Recipe]]:
    """Name and recipe of each learner."""
    yield "bernoulli-5-arms-10-pulls", bernoulli_recipe(5, 10, CAREFUL)
    for seed in SEEDS:
        yield f"tokens-0.5-seed-{seed}", token_recipe(0.5, seed)
    for kind in ("cued", "absent"):
        for seed in SEEDS:
            yield f"tokens-0.5-{kind}-seed-{seed}", token_recipe(0.5, seed, kind)
    yield (
        "informative",
        Recipe(
            "informative bandits (Wang et al. 2016)",
            bandit_tasks.informative,
            bandit_tasks.INFORMATIVE_STEPS,
            SMALL,
            payoff=tuple(bandit_tasks.INFORMATIVE_PAYOUTS),
        ),
    )
    yield "bernoulli-10-arms-10-pulls", bernoulli_recipe(10, 10, CAREFUL)
    for middle in (0.2, 0.8):
        for seed in SEEDS:
            yield f"tokens-{middle}-seed-{seed}", token_recipe(middle, seed)
    for middle in (0.2, 0.5, 0.8):
        for seed in SEEDS:
            yield f"tokens-{middle}-brief-seed-{seed}", token_recipe(middle, seed, "brief")
    yield "bernoulli-5-arms-100-pulls", bernoulli_recipe(5, 100, LONG)
    yield (
        "random-mdps-10-episodes",
        Recipe("random MDPs, 10 states, 5 actions, 10 episodes of 10 steps", mdp_tasks.random_mdps, 100, MDPS),
    )
    yield "bernoulli-10-arms-100-pulls", bernoulli_recipe(10, 100, replace(LONG, iterations=200))
    yield (
        "dependent-uniform",
        Recipe(
            "dependent bandits (Wang et al. 2016), p_1 uniform, 100 pulls",
            lambda count, rng: bandit_tasks.dependent(count, "uniform", rng),
            100,
            EASY,
        ),
    )


def main() -> None:
    """Train and write, and say how it goes."""
    known = dict(recipes())
    parser = argparse.ArgumentParser(prog="python -m studies.checkpoints.train", description="Train learners.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; all when none is given")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder, this one by default")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - set(known))
    if unknown:
        parser.error(f"there is no recipe {unknown[0]!r}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or known:
        started = time.process_time()
        learner = known[name].train()
        save_learner(learner, chosen.out / f"{name}.npz")
        last = learner.curve[-10:].mean()
        print(f"{name}: mean return {last:.2f} at the end, {time.process_time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
