"""Sizes of runs, and what is written of the machine."""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import platform
from importlib import metadata
from typing import Any

import pytest

from benchmarks.race import Race

SIZES = ("tiny", "quick", "full")
LIBRARIES = ("irl-ident", "numpy", "scipy", "highspy", "quantecon", "numba", "imitation", "torch", "irl-maxent")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--size", choices=SIZES, default="tiny", help="how much is run: tiny (seconds), quick, full")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``@pytest.mark.sized("side, rounds", tiny=[...], quick=[...], full=[...])`` parametrises by ``--size``."""
    for mark in metafunc.definition.iter_markers("sized"):
        metafunc.parametrize(mark.args[0], mark.kwargs[metafunc.config.getoption("--size")])


@pytest.fixture
def race(benchmark: Any) -> Race:
    """Times ours and its peers in turns."""
    return Race(benchmark)


def pytest_benchmark_generate_machine_info() -> dict[str, Any]:
    """Versions and counts, and no names."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "processors": os.cpu_count(), "threads": 1, "versions": versions}


def pytest_benchmark_generate_commit_info() -> dict[str, Any]:
    """Nothing: the results are committed beside the code."""
    return {}


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Keep what is read again: the case, every round, what was found."""
    output_json["size"] = config.getoption("--size")
    output_json["benchmarks"] = [kept(each) for each in output_json["benchmarks"]]


def kept(benchmark: dict[str, Any]) -> dict[str, Any]:
    info = dict(benchmark["extra_info"])
    works = info.pop("work")
    seconds = [spent / work for spent, work in zip(benchmark["stats"]["data"], works, strict=True)]
    name = benchmark["name"].removeprefix("bench_").partition("[")[0]
    return {"name": name, **info, "seconds": seconds}
