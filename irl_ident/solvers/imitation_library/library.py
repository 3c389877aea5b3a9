"""What all adapters of the ``imitation`` library share: its presence, its random state, its log, and their estimate."""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from irl_ident.solvers.base import Estimate


@dataclass(frozen=True, eq=False)
class ImitationEstimate(Estimate):
    """An estimate that the ``imitation`` library made.

    Attributes
    ----------
    learner : object
        The policy that the library learned on the way, as it is there: a policy of Stable-Baselines3, or MCE-IRL's
        ``TabularPolicy``; None where it learns none.  In tables its observations are ``place * S + s``, where
        ``place`` counts the environments of the evidence in the order in which they first come.
    """

    learner: Any


def require(solver: str) -> None:
    """Raise ``ImportError`` that names the extra unless all of its libraries are there."""
    for name in ("torch", "gymnasium", "stable_baselines3", "seals", "imitation"):
        try:
            import_module(name)
        except ImportError as error:
            raise ImportError(f'{solver} needs the extra "imitation": pip install "irl-ident[imitation]"') from error


@contextmanager
def reproducible(seed: int) -> Iterator[np.random.Generator]:
    """Seed the global generators that the library draws from, compute on one thread; put all back afterwards.

    Standard error is kept from its progress bars, which it cannot turn off; warnings that it gives are lost with them.
    """
    import torch

    python, numpy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), contextlib.redirect_stderr(io.StringIO()):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            yield np.random.default_rng(seed)
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def recorded() -> Iterator[tuple[Any, list[dict[str, float]]]]:
    """Give a logger for the library that writes no file, and the list of all that it is told, dump by dump."""
    from imitation.util.logger import HierarchicalLogger
    from stable_baselines3.common.logger import KVWriter, Logger

    told: list[dict[str, float]] = []

    class Recorder(KVWriter):
        def write(self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0) -> None:
            told.append(dict(key_values))

        def close(self) -> None:
            pass

    with tempfile.TemporaryDirectory() as folder:
        yield HierarchicalLogger(Logger(folder, [Recorder()]), format_strs=()), told


def checked_count(argument: str, value: int) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least 1")


def checked_seed(seed: int) -> None:
    """Raise ``ValueError`` unless ``seed`` is one that NumPy's and PyTorch's global generators take."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"seed: was {seed!r}, should be a whole number from 0 to 2**32 - 1")


def checked_positive(argument: str, value: float) -> None:
    """Raise ``ValueError`` unless ``value`` is finite and above 0."""
    if not 0 < value < np.inf:
        raise ValueError(f"{argument}: was {value!r}, should be finite and above 0")
