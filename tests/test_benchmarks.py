"""The suite of benchmarks: its arithmetic on known cases, its stored tables, and that every benchmark still runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import records, tables
from benchmarks.__main__ import PAGE, STORED, TOPICS
from benchmarks.race import Lap, Race, lap

ROOT = Path(__file__).parents[1]


@given(power=st.floats(-3, 3), factor=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_an_exact_power_law_has_its_exponent_and_no_spread(power, factor, seed):
    sizes = np.unique(np.random.default_rng(seed).integers(1, 10**6, size=6)).astype(float)
    found = records.exponent(sizes, factor * sizes**power)
    np.testing.assert_allclose(found[:3], power, atol=1e-9)
    assert (found.sizes, found.first, found.last) == (sizes.size, sizes.min(), sizes.max())


def test_the_interval_of_an_exponent_is_students():
    """Five points off a line of slope 1 by (1, -2, 0, 2, -1) / 10 in the logarithm, uncorrelated with the size."""
    x, off = np.arange(5.0), np.array([1, -2, 0, 2, -1]) / 10
    off -= (off @ (x - 2)) / 10 * (x - 2)
    found = records.exponent(np.exp(x), np.exp(x + off))
    half = 3.182446305284263 * np.sqrt(off @ off / 3 / 10)  # Student's t, three degrees of freedom
    np.testing.assert_allclose([found.slope, found.lower, found.upper], [1, 1 - half, 1 + half], rtol=1e-9)
    with pytest.raises(ValueError, match="three different"):
        records.exponent([2, 2, 4], [1, 1, 2])


def test_ratios_are_of_rounds_and_a_stopped_peer_bounds_them_from_below():
    ours = (1.0, 2.0, 4.0)
    found = records.ratio(ours, [(3.0, True), (2.0, True), (40.0, True)])
    assert found == (3.0, 1.0, 10.0, False, 3)
    assert tables.ratio(found) == "3 (1 to 10)"
    stopped = records.ratio(ours, [(3.0, True), (30.0, False), (40.0, False)])
    assert tables.ratio(stopped) == "above 3"
    with pytest.raises(ValueError, match="zip"):
        records.ratio(ours, [(1.0, True)])


class Recorder:
    """Stands for pytest-benchmark: calls in its order, keeps what it is told."""

    def __init__(self):
        self.extra_info, self.calls = {}, []

    def pedantic(self, target, *, setup, teardown, rounds):
        for _ in range(rounds):
            if setup:
                setup()
            target()
            teardown()


def test_ours_and_peers_take_turns():
    calls = []
    recorder = Recorder()
    race = Race(recorder)
    race.case(number_of_states=3)

    def ours():
        calls.append("ours")
        return len(calls)

    peers = {
        "slow": lambda found: calls.append(found) or Lap(9.0, False, {"its gap": 1.0}),
        "plain": lap(lambda: calls.append("plain")),
    }
    assert race(ours, peers, rounds=2, before=lambda: calls.append("before"), work=lambda found: 10.0 * found) == 6
    assert calls == ["before", "ours", 2, "plain", "before", "ours", 6, "plain"]
    assert recorder.extra_info["work"] == [20.0, 60.0]
    assert recorder.extra_info["peers"]["slow"] == {
        "seconds": [9.0, 9.0],
        "finished": [False, False],
        "found": {"its gap": 1.0},
    }
    assert recorder.extra_info["case"] == {"number of states": 3}


def test_equal_cases_are_one_row_with_the_worst_of_what_they_found(tmp_path):
    def one(ours, theirs, error):
        peers = {"peer": {"seconds": [theirs], "finished": [True], "found": {}}}
        return {
            "name": "x",
            "case": {"S": 4},
            "unit": "s",
            "seconds": [ours],
            "found": {"error": error},
            "peers": peers,
        }

    path = tmp_path / "topic.json"
    records.save({"size": "full", "benchmarks": [one(1.0, 2.0, 0.5), one(1.0, 4.0, 0.1), one(2.0, 12.0, 0.3)]}, path)
    (row,) = records.rows(json.loads(path.read_text()), "x")
    assert row.seconds == (1.0, 1.0, 2.0)
    assert row.ratio("peer") == (4.0, 2.0, 6.0, False, 3)
    made = tables.made("<!-- made: topic x -->\nold\n<!-- end -->", tmp_path, {})
    assert "| 4 | 1 | 0.5 | 4 | 4 (2 to 6) |\n\n<!-- end -->" in made
    assert tables.made(made, tmp_path, {}) == made


def test_the_page_shows_what_is_stored():
    text = PAGE.read_text()
    assert tables.made(text, STORED, tables.OWN) == text, "run python -m benchmarks --made"


@pytest.mark.parametrize("path", sorted(STORED.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_stored_is_of_a_topic_and_without_the_name_of_a_machine(path):
    assert path.stem in TOPICS
    stored = records.read(path)
    assert set(stored["machine_info"]) == {"python", "processors", "threads", "versions"}
    assert stored["commit_info"] == {}
    assert all(len(row.seconds) > 0 for name in records.names(stored) for row in records.rows(stored, name))


def test_the_smallest_case_of_every_benchmark_runs(tmp_path):
    pytest.importorskip("pytest_benchmark")
    command = ["-m", "pytest", "-q", "-c", "benchmarks/pytest.ini", "--rootdir", "benchmarks", "--size", "tiny"]
    target = tmp_path / "tiny.json"
    done = subprocess.run(
        [sys.executable, *command, f"--benchmark-json={target}", "benchmarks"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    measured = {each["name"] for each in json.loads(target.read_text())["benchmarks"]}
    assert {"optimal", "maximin_regret", "direction", "posterior", "growth", "batch", "alone"} <= measured
