"""The verb: do independent tasks, keep their rows, go on where it stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irl_ident.sweeps import parts
from irl_ident.sweeps.digests import computing
from irl_ident.sweeps.processes import Here, Processes, processors
from irl_ident.sweeps.supervising import Engine, supervise
from irl_ident.sweeps.work import Code, Raised, Run
from irl_ident.writing import alone_in, naming, write_whole

if TYPE_CHECKING:
    import pandas as pd

MOST_PARTS = 10_000
"""Tasks are put together until no more files than this are needed."""

MOST_FAILURES = 10
"""When so many tasks have failed, no other is begun."""

Told = Callable[[int, int], None]
"""What is told of progress: how many tasks are done, of how many."""


class TaskFailed(RuntimeError):
    """Raised when a task raised, or killed its worker every time; the rows of all others are kept.

    Attributes
    ----------
    place : int
        Of the first task that failed.
    task : plain value
    raised : Raised
        What it raised, in words.
    others : int
        How many more failed.
    """

    def __init__(self, place: int, task: Any, raised: Raised, others: int) -> None:
        more = f" ({others} more failed)" if others else ""
        super().__init__(f"task {place}, {_short(task)}, failed: {raised.text.strip().splitlines()[-1]}{more}")
        self.place, self.task, self.raised, self.others = place, task, raised, others


@dataclass(frozen=True)
class Swept:
    """The rows of a finished sweep.

    Attributes
    ----------
    files : tuple of Path
        In the order of the tasks.
    tasks, resumed : int
        How many tasks there are, and how many of them an earlier run had finished.
    seconds : float
        Wall time of this run.
    """

    files: tuple[Path, ...]
    tasks: int
    resumed: int
    seconds: float

    def table(self) -> pd.DataFrame:
        """All rows in the order of the tasks; for what fits into memory."""
        import pyarrow as pa

        schema = parts.schema(self.files)
        table: pd.DataFrame = pa.Table.from_batches(
            [batch for table in parts.tables(self.files) for batch in table.to_batches()], schema
        ).to_pandas()
        return table

    def tables(self) -> Iterator[pd.DataFrame]:
        """All rows in the order of the tasks, in data frames of 65,536 rows; the last may have fewer."""
        for table in parts.tables(self.files):
            yield table.to_pandas()

    def save(self, path: str | Path) -> Path:
        """Write all rows in the order of the tasks into one Parquet file, without holding them all in memory.

        The bytes depend on the rows alone: not on workers, interruptions, or how tasks were put together.
        """
        return write_whole(path, lambda file: parts.save(self.files, file))

    @property
    def task_seconds(self) -> float:
        """Time that the tasks took, one after the other, in whatever run."""
        return parts.seconds(self.files)


def sweep(
    run: Run,
    tasks: Sequence[Any],
    folder: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    chunk: int | None = None,
    depends: Iterable[Any] = (),
    code: Callable[[], str] | None = None,
    name: str = "",
    progress: Told | None = None,
) -> Swept:
    """Do independent tasks on all cores or on a cluster, and keep the rows of each in a folder.

    The rows are the same, bit for bit, for any number of workers and after any interruption, if ``run`` depends on its
    task alone: whatever is random in it should come from a seed in the task.  Linear algebra has one thread.

    Parameters
    ----------
    run : callable
        From a task to its rows: a list of dictionaries, or a data frame.
    tasks : sequence of plain values
        None, numbers, words, lists and dictionaries of them, and paths, which stand for what is in the file.
    folder : str or Path
        Made when it is not there.  Rows lie in a folder in it that is named for what they hang on, see ``code``; so
        rows of other code are never mixed in.  When the same call is made again, what is there is not done again.
    workers : int, optional
        Processes; as many as there are processors when not given.  With 1 everything is done in this process.
    scheduler : str, optional
        Address of a ``dask.distributed`` scheduler, whose workers are used instead.
    chunk : int, optional
        So many tasks are done by a worker in one go, and their rows lie in one file.  As many as are needed to have no
        more than 10,000 files when not given.
    depends : iterable of plain values and paths, optional
        What else rows hang on, such as files that ``run`` reads or modules that it imports.
    code : callable, optional
        Gives the digest of all that rows hang on; :func:`~irl_ident.sweeps.code_digest` of ``run`` and ``depends``
        when not given.  Workers have to give the same.
    name : str, optional
        Sweeps with different names never share rows.
    progress : callable, optional
        Told how many tasks are done, of how many; a bar on the terminal when not given.

    Returns
    -------
    Swept

    Raises
    ------
    TaskFailed
        When all others are done, or ten have failed; names the first in order of place.
    OtherCode
        When a worker has other code or versions.
    ClusterLost
        When the scheduler cannot be reached or is lost, or has no workers.
    ValueError
        For tasks that are not plain.
    OSError
        When rows cannot be written, or another run is in the folder.
    ImportError
        When a package of the extra ``parallel`` is missing.

    In all cases, an interrupt among them, what was finished is kept, and the same call goes on from there.
    """
    started = time.perf_counter()
    if workers is not None and scheduler is not None:
        raise ValueError("workers and scheduler: give one of them")
    for argument, value in (("workers", workers), ("chunk", chunk)):
        if value is not None and (value != int(value) or value < 1):
            raise ValueError(f"{argument}: was {value!r}, should be a whole number of at least 1")
    _need_packages()
    compute = computing(run, tuple(depends)) if code is None else code
    agreed = Code(compute(), compute)
    place = Path(folder) / "-".join(filter(None, (agreed.digest[:16], name)))
    with naming(place):
        place.mkdir(parents=True, exist_ok=True)
    with alone_in(place):
        resumed = _fill(run, tasks, place, workers, scheduler, chunk, agreed, progress)
        found = parts.pieces(place, tasks)
    files = tuple(file for _, file in found if file is not None)
    return Swept(files, len(tasks), resumed, time.perf_counter() - started)


def _fill(
    run: Run,
    tasks: Sequence[Any],
    folder: Path,
    workers: int | None,
    scheduler: str | None,
    chunk: int | None,
    code: Code,
    progress: Told | None,
) -> int:
    """Do what is missing; how many tasks were not."""
    missing = [places for places, file in parts.pieces(folder, tasks) if file is None]
    todo = sum(map(len, missing))
    size = chunk or -(-len(tasks) // MOST_PARTS)
    failed: list[Raised] = []
    with _shown(progress) as told:
        done = len(tasks) - todo
        told(done, len(tasks))
        if not todo:
            return done
        count = sum(-(-len(places) // size) for places in missing)
        with (
            closing(_engine(run, code, min(workers or processors(), count), scheduler)) as engine,
            closing(supervise(parts.units(missing, tasks, size), engine)) as finished,
        ):
            for unit, rows in finished:
                if rows.count:
                    write_whole(folder / unit.until(rows.count).name, partial(Path.write_bytes, data=rows.part))
                if rows.raised is not None:
                    failed.append(rows.raised)
                done += rows.count
                told(done, len(tasks))
                if len(failed) == MOST_FAILURES:
                    break
    if failed:
        first = min(failed, key=lambda raised: raised.place)
        raise TaskFailed(first.place, tasks[first.place], first, len(failed) - 1)
    return len(tasks) - todo


def _need_packages() -> None:
    try:
        import joblib  # noqa: F401
        import pyarrow  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise ImportError(f'sweeps need {error.name}: pip install "irl-ident[parallel]"', name=error.name) from error


def _engine(run: Run, code: Code, workers: int, scheduler: str | None) -> Engine:
    if scheduler is not None:
        from irl_ident.sweeps.cluster import Cluster

        return Cluster(scheduler, run, code)
    return Here(run, code) if workers == 1 else Processes(workers, run, code)


@contextmanager
def _shown(progress: Told | None) -> Iterator[Told]:
    """The callable that is told of progress: a bar where there is a terminal and nothing else is wanted."""
    if progress is not None or not sys.stderr.isatty():
        yield progress or (lambda done, total: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("", total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)


def _short(task: Any) -> str:
    if isinstance(task, dict):
        return "{" + ", ".join(f"{key}: {value}" for key, value in task.items()) + "}"
    return str(task)
