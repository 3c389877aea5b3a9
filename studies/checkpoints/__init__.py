"""Recurrent learners that were trained for the studies, as files; :mod:`studies.checkpoints.train` makes them."""

from __future__ import annotations

from pathlib import Path

from irl_ident.agents.checkpoints import load_learner
from irl_ident.agents.recurrent import RecurrentLearner

FOLDER = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """The file of the learner called ``name``, such as ``"bernoulli-5-arms-10-pulls"``."""
    file = FOLDER / f"{name}.npz"
    if not file.exists():
        known = ", ".join(sorted(other.stem for other in FOLDER.glob("*.npz")))
        raise ValueError(f"name: there is no learner {name!r} (there are: {known})")
    return file


def load(name: str) -> RecurrentLearner:
    """The learner called ``name``."""
    return load_learner(path(name))


def find(name: str) -> RecurrentLearner | None:
    """The learner called ``name``, or None if there is none."""
    return load(name) if (FOLDER / f"{name}.npz").exists() else None
