"""Units in this process, or in processes of this machine.

Each worker is an executor of its own with one process, so that the death of one is known to be that of the unit which
it had in hand, and touches no other.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, field
from typing import Any

from irl_ident.sweeps.supervising import Died
from irl_ident.sweeps.work import Code, Rows, Run, Unit, do

WAITING = 2
"""Units given to a process at a time: one is done, the next lies ready."""

ORPHAN = 0.5
"""Seconds between two looks of a worker whether the process that started it still lives."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Here:
    """The engine that does everything in this process."""

    strikes = 1

    def __init__(self, run: Run, code: Code) -> None:
        self._run, self._code = run, code

    def room(self) -> int:
        """One at a time."""
        return 1

    def submit(self, unit: Unit) -> Future[Rows]:
        """Do it now."""
        future: Future[Rows] = Future()
        future.set_result(do(self._run, unit, self._code))
        return future

    def outcome(self, future: Future[Rows]) -> Rows:
        """What came of it."""
        return future.result()

    def watch(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to end."""


@dataclass
class _Worker:
    """A process, what it was given, and the unit in whose hand it died."""

    executor: Any
    given: list[Future[Rows]] = field(default_factory=list)
    to_blame: Future[Rows] | None = None


class Processes:
    """The engine of one machine.

    Parameters
    ----------
    workers : int
    run : callable
    code : Code
    """

    strikes = 2

    def __init__(self, workers: int, run: Run, code: Code) -> None:
        self._run, self._code = run, code
        self._workers = [_started() for _ in range(workers)]
        self._of: dict[Future[Rows], _Worker] = {}

    def room(self) -> int:
        """What all processes may have in hand or ready."""
        return WAITING * len(self._workers)

    def submit(self, unit: Unit) -> Future[Rows]:
        """Give a unit to the process that has least to do."""
        while True:
            worker = min(self._workers, key=lambda one: len(one.given))
            try:
                future: Future[Rows] = worker.executor.submit(do, self._run, unit, self._code)
            except BrokenExecutor:
                self._replace(worker)
                continue
            worker.given.append(future)
            self._of[future] = worker
            return future

    def outcome(self, future: Future[Rows]) -> Rows | Died:
        """What came of a unit; its process is replaced if it died."""
        worker = self._of.pop(future)
        if isinstance(future.exception(), BrokenExecutor):
            self._replace(worker)
            if worker.to_blame is None:
                worker.to_blame = worker.given[0]
            return Died(future is worker.to_blame)
        worker.given.remove(future)
        return future.result()

    def watch(self) -> None:
        """The death of a process is told by its units."""

    def close(self) -> None:
        """Kill all processes."""
        for worker in self._workers:
            worker.executor.shutdown(wait=True, kill_workers=True)

    def _replace(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers[self._workers.index(worker)] = _started()
            worker.executor.shutdown(wait=True, kill_workers=True)


def _started() -> _Worker:
    from joblib.externals.loky.process_executor import ProcessPoolExecutor

    return _Worker(ProcessPoolExecutor(1, initializer=_settle, initargs=(os.getpid(),), env=ONE_THREAD))


def _settle(parent: int) -> None:
    """In a new process: leave interrupts to the process that started it, and end when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN)
    os._exit(1)
