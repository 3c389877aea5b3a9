"""Sweeps on a real cluster of this machine, whose workers are killed, whose scheduler is lost, whose code is other."""

import threading
import time
from pathlib import Path

import example_sweep as example
import pytest

from irl_ident.sweeps import ClusterLost, OtherCode, TaskFailed, cluster, sweep

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")

TASKS = [{"seed": seed} for seed in range(20)]


def started(**options):
    """A cluster whose scheduler gives a task up when two workers have died of it.

    One would not do: a task that lies ready beside one that kills its worker counts as dead with it.
    """
    given = {"threads_per_worker": 1, "dashboard_address": ":0", "host": "127.0.0.1", "silence_logs": 50, **options}
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        return distributed.LocalCluster(**given)


@pytest.fixture(scope="module")
def address():
    """Of the scheduler of a cluster of two workers."""
    with started(n_workers=2) as running:
        yield running.scheduler_address


@pytest.fixture
def tasks(tmp_path):
    """Twenty tasks that note when they are begun, and take orders."""
    (tmp_path / "notes").mkdir()
    return [{**task, "log": str(tmp_path / "notes")} for task in TASKS]


def order(tasks, place, what):
    (Path(tasks[place]["log"]) / f"order{place}").write_text(what)


def test_what_dying_workers_and_raising_tasks_cost(tmp_path, tasks, address):
    alone = sweep(example.run, TASKS, tmp_path / "alone", workers=1, code=example.settled)
    for place, what in ((3, "raise"), (7, "die"), (11, "die once")):
        order(tasks, place, what)
    with pytest.raises(TaskFailed, match=r"^task 3, .*ArithmeticError: fell off \(1 more failed\)$"):
        sweep(example.run, tasks, tmp_path / "swept", scheduler=address, code=example.settled)
    for place in (3, 7):
        order(tasks, place, "")
    again = sweep(example.run, tasks, tmp_path / "swept", scheduler=address, code=example.settled)
    assert again.resumed == 18
    bytes_of = [swept.save(tmp_path / "table.parquet").read_bytes() for swept in (alone, again)]
    assert bytes_of[0] == bytes_of[1]


def test_an_interrupt_ends_units_after_the_task_in_hand(tmp_path, tasks, address):
    def interrupt(done, total):
        if log.exists():
            raise KeyboardInterrupt

    log = Path(tasks[0]["log"]) / "log"
    slow = [{**task, "seconds": 0.2} for task in tasks] + [{"seed": seed} for seed in range(20, 22)]
    with pytest.raises(KeyboardInterrupt):
        sweep(
            example.run,
            [*slow[20:], *slow[:20]],
            tmp_path,
            scheduler=address,
            chunk=11,
            code=example.settled,
            progress=interrupt,
        )
    time.sleep(1.5)
    before = len(example.begun(log.parent))
    time.sleep(1)
    assert len(example.begun(log.parent)) == before < 20


def test_workers_with_other_code_are_refused(tmp_path, address):
    with pytest.raises(OtherCode, match=r"^worker tcp://127.0.0.1:\d+: a worker has other code than the process"):
        sweep(example.run, TASKS, tmp_path, scheduler=address, code=example.of_this_process)


def test_workers_with_other_versions_are_refused(tmp_path, address, monkeypatch):
    versions = cluster._versions
    told = iter([{}, {"numpy": "1.0"}, {}])
    monkeypatch.setattr(cluster, "_versions", lambda found: {**versions(found), **next(told)})
    with pytest.raises(OtherCode, match=r"^worker tcp://127.0.0.1:\d+: has numpy 1.0, here it is 2\.\d+"):
        sweep(example.run, TASKS, tmp_path, scheduler=address, code=example.settled)


def test_a_scheduler_that_is_lost_ends_the_sweep_and_loses_nothing(tmp_path, tasks):
    slow = [{**task, "seconds": 0.1} for task in tasks]
    running = started(n_workers=1, processes=False, protocol="tcp")
    closing = threading.Thread(target=running.close)

    def lose(done, total):
        if done == 3:
            closing.start()

    with pytest.raises(ClusterLost, match=r"^scheduler tcp://.*: (was lost|does not answer|dropped)"):
        sweep(example.run, slow, tmp_path, scheduler=running.scheduler_address, code=example.settled, progress=lose)
    closing.join()
    assert sweep(example.run, slow, tmp_path, workers=1, code=example.settled).resumed >= 3


@pytest.mark.parametrize(
    ("address", "why"),
    [("tcp://127.0.0.1:1", "cannot be reached: Timed out"), ("nonsense", "cannot be reached: missing port number")],
)
def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, monkeypatch, address, why):
    monkeypatch.setattr(cluster, "CONNECT", 1)
    with pytest.raises(ClusterLost, match=rf"^scheduler {address}: {why}[^\n]*$"):
        sweep(example.run, TASKS, tmp_path, scheduler=address, code=example.settled)


def test_a_scheduler_without_workers_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 3)
    with (
        started(n_workers=0) as running,
        pytest.raises(ClusterLost, match=r"^scheduler tcp://.*: has no workers: start some with `dask worker tcp://"),
    ):
        sweep(example.run, TASKS, tmp_path, scheduler=running.scheduler_address, code=example.settled)
