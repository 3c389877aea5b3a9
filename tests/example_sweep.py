"""Tasks for the tests of sweeps: they note each time that they are begun, and do as they are told."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def run(task):
    """Three rows; some are of another type in some tasks."""
    note(task)
    time.sleep(task.get("seconds", 0))
    rng = np.random.default_rng(task["seed"])
    return [
        {"seed": task["seed"], "step": i, "x": rng.normal() if i else None, "half": task["seed"] / 2 if i else 1}
        for i in range(task.get("rows", 3))
    ]


def note(task):
    """Add a line to the log, then raise or die as the orders say."""
    if "log" not in task:
        return
    folder = Path(task["log"])
    with (folder / "log").open("a") as log:
        log.write(f"{task['seed']} {os.getpid()}\n")
    order = folder / f"order{task['seed']}"
    told = order.read_text() if order.exists() else ""
    if told == "raise":
        raise ArithmeticError("fell off")
    if told == "die once":
        order.unlink()
    if told.startswith("die"):
        time.sleep(0.3)  # so that what was finished before has been sent off
        os.kill(os.getpid(), signal.SIGKILL)


def begun(folder):
    """How often each task was begun: its seed to the number of times."""
    lines = (Path(folder) / "log").read_text().splitlines()
    seeds = [int(line.split()[0]) for line in lines]
    return {seed: seeds.count(seed) for seed in sorted(set(seeds))}


def settled():
    """Stands for the digest of the code, which others may be changing while tests run."""
    return "c" * 64


def of_this_process():
    """A digest that no two processes share."""
    return f"{os.getpid():064d}"
