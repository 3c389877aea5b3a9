"""Runs that are killed at random moments, disks that take no more, and surroundings that should not matter."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
KILLS = int(os.environ.get("IRL_IDENT_KILLS", "4"))
"""So often a study and a campaign are killed each."""


def told(*command, **environment):
    """What a command prints, from JSON."""
    surroundings = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings | environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_kills_lose_nothing_finished_and_change_nothing():
    counts = told(sys.executable, TESTS / "killed_runs.py", str(KILLS), "0")
    assert counts["study"]["kills"] == counts["campaign"]["kills"] == KILLS


def private_mounts():
    """Whether a file system of one's own can be mounted here."""
    if shutil.which("unshare") is None:
        return False
    attempt = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    return subprocess.run(attempt, capture_output=True).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_every_writer_fails_clearly_and_leaves_all_as_it_was(tmp_path):
    script = [sys.executable, TESTS / "bad_disks.py", tmp_path]
    if private_mounts():
        mounted = 'mount -t tmpfs -o size=4m tmpfs "$3" && exec "$@" --own'
        found = told("unshare", "-m", "sh", "-c", mounted, "sh", *script)
        assert set(found) == {"writers", "limited", "full", "read-only"}
    else:
        found = told(*script)
    assert found.pop("writers") >= 20
    assert {condition: faults for condition, faults in found.items() if faults} == {}


SURROUNDINGS = [
    {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "2", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONHASHSEED": "random", "LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0", "TZ": "Pacific/Kiritimati"},
]
"""The last has decimal commas, on machines that have it."""


def test_results_do_not_depend_on_hash_seeds_threads_locale_and_time_zone(tmp_path):
    folders = [tmp_path / str(i) for i in range(len(SURROUNDINGS))]
    found = []
    for folder, surroundings in zip(folders, SURROUNDINGS, strict=True):
        folder.mkdir()
        found.append(told(sys.executable, TESTS / "surroundings.py", folder, **surroundings))
    assert len(found[0]) == 13
    assert found[0] == found[1] == found[2]
    printed = shown(folders[0] / "seen.json", tmp_path, SURROUNDINGS[1])
    assert b"T\\xfcr" in printed


def shown(evidence, folder, surroundings):
    """What ``assess`` prints."""
    command = [sys.executable, "-m", "irl_ident.cli", "assess", evidence, "--out", folder]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **surroundings})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "command",
    [["-m", "studies", "list"], ["-m", "irl_ident.cli", "--help"]],
    ids=["studies", "irl-ident"],
)
def test_output_that_is_cut_ends_quietly(command):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, *command], stdout=write, stderr=subprocess.PIPE, cwd=TESTS.parent)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
