"""Run a study: its tasks in parallel, its rows in order, its files whole.

A run is ``tasks -> rows of each -> table -> summary -> findings and figure``.  Tasks know nothing of each other and
bring their own seeds, their rows are put in the order of the tasks, and linear algebra is held to one thread, so the
table has the same bytes for any number of workers.  The rows of a finished task are kept in ``parts/`` under the digest
of the task, in a folder named for everything else that they depend on (settings, source code, versions of NumPy and
SciPy): a run that was stopped goes on where it stopped, and rows of other code or other data are never mixed in.
"""

from __future__ import annotations

import shutil
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studies.files import digest, plain, read_table, write_json, write_table
from studies.manifest import code_digest, manifest
from studies.study import DataMissing, Settings, Study, Task

if TYPE_CHECKING:
    import pandas as pd

Rows = Callable[[Task], "list[dict[str, Any]] | pd.DataFrame"]


class TaskFailed(RuntimeError):
    """Raised when a task raised; carries the text of its traceback."""

    def __init__(self, study: str, place: int, task: Task, text: str) -> None:
        super().__init__(f"{study}: task {place} of {{{_short(task)}}} failed: {text.strip().splitlines()[-1]}")
        self.text = text


@dataclass(frozen=True)
class Outcome:
    """What a finished run left.

    Attributes
    ----------
    folder : Path
        Holds ``figure.pdf``, ``figure.png``, ``data.parquet``, ``summary.json`` and ``manifest.json``.
    tasks, resumed, rows : int
        How many tasks there are, how many of them an earlier run had finished, and how many rows they gave.
    seconds : float
        Wall time of this run.
    """

    folder: Path
    tasks: int
    resumed: int
    rows: int
    seconds: float


def run_study(
    study: Study,
    settings: Settings,
    out: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Run a study and write its files.

    Parameters
    ----------
    study : module
        See :mod:`studies`.
    settings : Settings
    out : Path
        The files go to a folder in it that has the name of the study.
    workers : int
        Number of processes.
    scheduler : str, optional
        Address of a ``dask.distributed`` scheduler, whose workers are used instead.
    progress : callable
        Told how many tasks are done, of how many.

    Returns
    -------
    Outcome

    Raises
    ------
    DataMissing
        From the study.
    TaskFailed
        When a task raises; what other tasks finished before is kept.
    OSError
        When files cannot be written.
    """
    import pandas as pd

    started = time.perf_counter()
    name = study.__name__.rpartition(".")[2]
    tasks = study.tasks(settings)
    if not tasks:
        raise ValueError(f"{name}: tasks: are none")
    code = code_digest(study)
    keys = [digest(task) for task in tasks]
    if len(set(keys)) < len(keys):
        twice = next(task for i, task in enumerate(tasks) if keys[i] in keys[:i])
        raise ValueError(f"{name}: tasks: {{{_short(twice)}}} is given more than once")
    folder = out / name
    length = "quick" if settings.quick else "full"
    parts = folder / "parts" / f"{code[:16]}-{length}-{settings.seed}"
    parts.mkdir(parents=True, exist_ok=True)
    files = [parts / f"{key[:32]}.parquet" for key in keys]
    todo = [i for i, file in enumerate(files) if not file.exists()]
    progress(len(tasks) - len(todo), len(tasks))
    with closing(_work(study.run, tasks, todo, workers, scheduler)) as work:
        for done, (i, rows, seconds, text) in enumerate(work, start=len(tasks) - len(todo) + 1):
            if text:
                raise TaskFailed(name, i, tasks[i], text)
            write_table(files[i], pd.DataFrame(rows), seconds=f"{seconds:.6f}")
            progress(done, len(tasks))
    each = [read_table(file) for file in files]
    filled = [table for table, _ in each if len(table)]
    if not filled:
        raise ValueError(f"{name}: run: no task gave a row")
    table = pd.concat(filled, ignore_index=True)
    _write(study, table, folder)
    outcome = Outcome(folder, len(tasks), len(tasks) - len(todo), len(table), time.perf_counter() - started)
    write_json(folder / "manifest.json", manifest(study, settings, tasks, code, outcome, [m for _, m in each]))
    for other in (folder / "parts").iterdir():
        if not other.name.startswith(code[:16]):
            shutil.rmtree(other, ignore_errors=True)
    return outcome


def _write(study: Study, table: pd.DataFrame, folder: Path) -> None:
    """Write all but the manifest, which goes first and comes last: a folder that has one is whole."""
    from irl_ident import figures

    (folder / "manifest.json").unlink(missing_ok=True)
    summary = plain(study.summarise(table))
    told = study.findings(summary)
    if not told or not all(isinstance(sentence, str) and sentence.strip() for sentence in told):
        raise ValueError(f"findings: were {told!r}, should be sentences")
    write_table(folder / "data.parquet", table)
    write_json(folder / "summary.json", summary | {"findings": told})
    with figures.style():
        figures.save(study.draw(table, summary), folder)


def _work(
    run: Rows, tasks: Sequence[Task], todo: Sequence[int], workers: int, scheduler: str | None
) -> Generator[tuple[int, Any, float, str], None, None]:
    """Place, rows, seconds and traceback ("" if none) of each task to do, as they finish; processes end with it."""
    import joblib

    if not todo:
        return
    with _backend(min(workers, len(todo)), scheduler):
        jobs = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        yield from jobs(joblib.delayed(_timed)(run, i, tasks[i]) for i in todo)


@contextmanager
def _backend(workers: int, scheduler: str | None) -> Iterator[None]:
    """Where joblib sends tasks: this process, processes of this machine, or a cluster."""
    import joblib

    if scheduler is not None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ImportError('--scheduler needs dask: pip install "irl-ident[parallel]"') from error
        client: Any = Client
        with client(scheduler), joblib.parallel_config(backend="dask"):
            yield
        return
    with joblib.parallel_config(backend="loky", n_jobs=workers), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*have been cancelled")
        try:
            yield
        finally:
            if workers > 1:
                _end_processes()


def _end_processes() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def _timed(run: Rows, place: int, task: Task) -> tuple[int, Any, float, str]:
    """In a worker: the rows of a task, with one thread for linear algebra."""
    import scipy.linalg  # noqa: F401  (its libraries have to be there to be held)
    from threadpoolctl import threadpool_limits

    started = time.perf_counter()
    try:
        with threadpool_limits(1):
            rows = run(task)
    except DataMissing:
        raise
    except Exception:
        return place, None, 0.0, traceback.format_exc()
    return place, rows, time.perf_counter() - started, ""


def _short(task: Task) -> str:
    return ", ".join(f"{key}: {value}" for key, value in task.items())
