"""Networks that were trained briefly; ``python -m studies._meta_learning_training [FOLDER]`` trains those released.

With 8 iterations of the 150 that the other networks had, they come to some 97 % of the optimum.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from irl_ident.agents.checkpoints import save_learner
from studies import _meta_learning as worlds
from studies.checkpoints import FOLDER
from studies.checkpoints.train import Recipe, token_recipe

BRIEF = 8
"""Iterations."""

SEEDS = range(5)


def brief_recipe(middle: float, seed: int) -> Recipe:
    """What :func:`studies.checkpoints.train.token_recipe` has, for :data:`BRIEF` iterations."""
    recipe = token_recipe(middle, seed)
    return replace(recipe, settings=replace(recipe.settings, iterations=BRIEF))


def main(folder: Path) -> None:
    """Train and write those that are released."""
    folder.mkdir(parents=True, exist_ok=True)
    for theta in worlds.TRAINED:
        for seed in SEEDS:
            save_learner(brief_recipe(theta, seed).train(), folder / f"tokens-{theta:g}-brief-seed-{seed}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
