"""What sweeps cost: a task without work on each engine, a campaign by its size, and rows on the disk.

``python -m benchmarks.sweeps`` prints processor seconds (of this process and its children, start of workers included
and also shown alone), so that it says the same on a busy machine.  Seeds are in the tasks.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import irl_ident as ii
from irl_ident.sweeps import parts, sweep

EMPTY = 1_000
PARTS = 10_000


def settled() -> str:
    """Stands for the digest of the code, which others may be changing while this runs."""
    return "c" * 64


def nothing(seed: int) -> list[dict[str, int]]:
    """A task without work: two rows."""
    return [{"seed": seed, "row": 0}, {"seed": seed, "row": 1}]


def campaign(task: dict[str, int]):
    """One campaign of at most four environments, among ten candidates."""
    family = ii.rewards.StateRewards(task["states"])
    worlds = [
        ii.builders.random_environment(task["states"], 3, 0.9, successors=3, seed=1000 * task["seed"] + i)
        for i in range(10)
    ]
    truth = ii.identified.anything(family, rationality="optimal").sample(1, task["seed"])[0]
    loop = ii.design.Campaign(worlds, ii.design.Greedy(samples=110), family, until=ii.design.budget(4))
    loop.run(ii.agents.Optimal(family, truth))
    return loop.table.assign(**task)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def overhead(folder: Path) -> None:
    """Milliseconds that a task costs beside its work."""
    from distributed import LocalCluster

    print("engine          tasks a part   start, s   processor ms a task   wall ms a task")

    def tell(engine: str, chunk: int, **where: Any) -> None:
        costs = []
        for count in (2, EMPTY):
            before, clock = processor_seconds(), time.perf_counter()
            sweep(
                nothing,
                range(count),
                folder / f"{engine}{chunk}{count}",
                chunk=chunk if count > 2 else 1,
                code=settled,
                **where,
            )
            costs.append((processor_seconds() - before, time.perf_counter() - clock))
        cpu, wall = (1e3 * (full - start) / EMPTY for start, full in zip(*costs, strict=True))
        print(f"{engine:15} {chunk:12} {costs[0][0]:10.1f} {cpu:21.2f} {wall:16.2f}", flush=True)

    for chunk in (1, 100):
        tell("this process", chunk, workers=1)
        tell("two processes", chunk, workers=2)
        before = processor_seconds()
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
            clock = time.perf_counter()
            sweep(
                nothing,
                range(EMPTY),
                folder / f"cluster{chunk}",
                chunk=chunk,
                scheduler=cluster.scheduler_address,
                code=settled,
            )
            clock = time.perf_counter() - clock
        print(f"{'cluster of two':15} {chunk:12} {'':10} {1e3 * (processor_seconds() - before) / EMPTY:21.2f} "
              f"{1e3 * clock / EMPTY:16.2f}   (start of the cluster in the first)", flush=True)  # fmt: skip


def campaigns(folder: Path) -> None:
    """Seconds of a campaign, and bytes of its rows."""
    print("states   processor s a campaign   rows   bytes a row, 1 a part   4 a part   all in one table")
    for states, count in ((5, 8), (10, 4), (25, 2)):
        tasks = [{"states": states, "seed": seed} for seed in range(count)]
        before = processor_seconds()
        single = sweep(campaign, tasks, folder / f"single{states}", workers=1, chunk=1, code=settled)
        seconds = (processor_seconds() - before) / count
        fours = sweep(campaign, tasks, folder / f"fours{states}", workers=1, chunk=4, code=settled)
        rows = len(single.table())
        sizes = [sum(file.stat().st_size for file in swept.files) / rows for swept in (single, fours)]
        sizes.append(single.save(folder / "table.parquet").stat().st_size / rows)
        print(f"{states:6} {seconds:24.3f} {rows:6} {sizes[0]:23.0f} {sizes[1]:11.0f} {sizes[2]:18.0f}", flush=True)


def merging(folder: Path) -> None:
    """Putting ten thousand parts of a hundred campaigns into one table."""
    table = campaign({"states": 5, "seed": 0})
    made = sweep(lambda seed: table.assign(seed=seed), range(100), folder / "part", workers=1, chunk=100, code=settled)
    (folder / "many").mkdir()
    files = [folder / "many" / f"{place}.parquet" for place in range(PARTS)]
    for file in files:
        os.link(made.files[0], file)
    memory, before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, processor_seconds()
    parts.save(files, folder / "all.parquet")
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    size = (folder / "all.parquet").stat().st_size / 1e6
    rows = len(made.table()) * PARTS
    print(f"{PARTS} parts, {rows} rows: {processor_seconds() - before:.0f} s, {more:.0f} MB of memory, {size:.0f} MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for step in (overhead, campaigns, merging):
            (Path(name) / step.__name__).mkdir()
            step(Path(name) / step.__name__)
