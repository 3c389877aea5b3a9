"""Units on a cluster of ``dask.distributed``, whose workers have to have the same code and versions."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

from irl_ident.sweeps.digests import ARITHMETIC
from irl_ident.sweeps.supervising import Died
from irl_ident.sweeps.work import Code, OtherCode, Rows, Run, Unit, do

CONNECT = 10
"""Seconds in which a scheduler has to answer, and to have a worker: those that died may be on their way back."""

WORKERLESS = 300
"""Seconds that a scheduler may be without any worker, while tasks are under way."""

SAME_MODULES = "start the scheduler and its workers where they find the modules of `run`, for instance by PYTHONPATH"


class ClusterLost(ConnectionError):
    """Raised when a scheduler cannot be reached, is lost, or has no workers; the message says which one and what."""


class Cluster:
    """The engine of a cluster.

    Parameters
    ----------
    address : str
        Of the scheduler.
    run : callable
    code : Code
        Compared with every worker's before anything else, and again by each process with its first unit.

    Raises
    ------
    ClusterLost
    OtherCode
        Names a worker and what differs.
    """

    strikes = 1

    def __init__(self, address: str, run: Run, code: Code) -> None:
        self._address, self._run, self._code = address, run, code
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            opened.enter_context(_quiet())
            self._client = _connected(address)
            self._threads: int = 0
            opened.callback(_closed, self._client)
            self._seen_workers = time.monotonic()
            with contextlib.suppress(OSError):
                self._client.wait_for_workers(1, timeout=CONNECT)
            self._count()
            if not self._threads:
                raise self._lost(f"has no workers: start some with `dask worker {address} --nthreads 1`")
            self._compare_versions()
            self._compare_code()
            self._open = opened.pop_all()

    def room(self) -> int:
        """A unit for each thread of the cluster, and one for each worker that lies ready."""
        if time.monotonic() - self._counted > 1:
            self._count()
        return max(1, self._threads)

    def submit(self, unit: Unit) -> Any:
        """Send a unit."""
        return self._client.submit(do, self._run, unit, self._code, wanted, pure=False)

    def outcome(self, future: Any) -> Rows | Died:
        """What came of a unit."""
        from distributed import KilledWorker

        self._seen_workers = time.monotonic()
        if future.status == "finished":
            rows: Rows = future.result()
            return rows
        self.watch()
        error = None if future.cancelled() else future.exception()
        if isinstance(error, KilledWorker):
            return Died()
        if error is None:
            raise self._lost("dropped what it was given")
        cause = error.__cause__ or error
        if isinstance(cause, ImportError):
            raise self._lost(f"cannot read a task: {cause}; {SAME_MODULES}") from error
        raise error

    def watch(self) -> None:
        """Raise when the scheduler is gone, or has been without workers for long."""
        if self._client.status != "running":
            raise self._lost("was lost; what was finished is kept, the same call goes on from there")
        self._count()
        if time.monotonic() - self._seen_workers > WORKERLESS:
            raise self._lost(f"has had no workers for {WORKERLESS} s; what was finished is kept")

    def close(self) -> None:
        """Take back all units; a worker ends the task that it has in hand, and begins no other."""
        self._open.close()

    def _count(self) -> None:
        try:
            threads = self._client.nthreads()
        except (OSError, TimeoutError) as error:
            raise self._lost(f"does not answer: {error}") from error
        self._threads = sum(threads.values()) + len(threads)
        self._counted = time.monotonic()
        if threads:
            self._seen_workers = self._counted

    def _compare_versions(self) -> None:
        found = self._client.get_versions(packages=list(ARITHMETIC))
        here = _versions(found["client"])
        for worker, told in found["workers"].items():
            for package, version in _versions(told).items():
                if version != here[package]:
                    raise OtherCode(f"worker {worker}: has {package} {version}, here it is {here[package]}")

    def _compare_code(self) -> None:
        for worker, error in self._client.run(self._code.check, on_error="return").items():
            if isinstance(error, ImportError):
                raise OtherCode(f"worker {worker}: {error}; {SAME_MODULES}")
            if error is not None:
                raise OtherCode(f"worker {worker}: {error}")

    def _lost(self, what: str) -> ClusterLost:
        return ClusterLost(f"scheduler {self._address}: {what}")


def wanted() -> bool:
    """In a worker: whether the scheduler still waits for what this thread is doing."""
    from distributed import get_worker, worker

    task = get_worker().state.tasks.get(worker.thread_state.key)  # type: ignore[attr-defined]
    return task is not None and task.state == "executing"


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError('a scheduler needs dask: pip install "irl-ident[parallel]"') from error
    client: Any = Client
    try:
        return client(address, timeout=CONNECT, set_as_default=False)
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ClusterLost(f"scheduler {address}: cannot be reached: {why}") from error


def _closed(client: Any) -> None:
    try:
        client.close(timeout=CONNECT)
    except Exception:  # its scheduler is gone, and it would try again when it is collected
        client.status = "closed"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep dask from telling of what is raised or mended here."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def _versions(told: Any) -> dict[str, str]:
    packages = {name: str(version) for name, version in told["packages"].items() if name != "lz4"}
    return {name: packages.get(name, "") for name in ("python", "distributed", *ARITHMETIC)}
