"""Run a study: its tasks as a sweep, its table, its files whole.

A run is ``tasks -> rows of each -> table -> summary -> findings and figure``.  The first two steps are a sweep (see
:mod:`irl_ident.sweeps`): tasks know nothing of each other and bring their own seeds, their rows are put in the order of
the tasks, and linear algebra is held to one thread, so the table has the same bytes for any number of workers.  Rows
are kept in ``parts/``, in a folder named for everything else that they depend on (settings, source code, versions): a
run that was stopped goes on where it stopped, and rows of other code or other data are never mixed in.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from irl_ident.sweeps import Swept, TaskFailed, digest, plain, sweep
from irl_ident.writing import alone_in, naming
from studies.files import write_json
from studies.manifest import code_digest, manifest
from studies.study import DataMissing, Outcome, Settings, Study, Task

if TYPE_CHECKING:
    import pandas as pd

MISSING = f"{DataMissing.__module__}.{DataMissing.__qualname__}"


def run_study(
    study: Study,
    settings: Settings,
    out: Path,
    *,
    workers: int | None = 1,
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
    workers, scheduler, progress
        See :func:`irl_ident.sweep`.

    Returns
    -------
    Outcome

    Raises
    ------
    DataMissing
        From the study.
    TaskFailed
        When tasks raise or kill their workers; the rows of all others are kept.
    OSError
        When files cannot be written, the scheduler is lost, or another run is in the folder.
    """
    started = time.perf_counter()
    name = study.__name__.rpartition(".")[2]
    tasks = study.tasks(settings)
    _check(name, tasks)
    folder = out / name
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        length = "quick" if settings.quick else "full"
        compute = partial(code_digest, study)
        try:
            swept = sweep(
                study.run,
                tasks,
                folder / "parts",
                workers=None if scheduler else workers,
                scheduler=scheduler,
                code=compute,
                name=f"{length}-{settings.seed}",
                progress=progress,
            )
        except TaskFailed as failed:
            if failed.raised.kind == MISSING:
                raise DataMissing(failed.raised.words) from failed
            raise
        table = swept.table()
        if not len(table):
            raise ValueError(f"{name}: run: no task gave a row")
        _write(study, swept, table, folder)
        code = compute()
        outcome = Outcome(folder, len(tasks), swept.resumed, len(table), time.perf_counter() - started)
        write_json(folder / "manifest.json", manifest(study, settings, tasks, code, outcome, swept.task_seconds))
        for other in (folder / "parts").iterdir():
            if not other.name.startswith(code[:16]):
                shutil.rmtree(other, ignore_errors=True)
    return outcome


def _check(name: str, tasks: list[Task]) -> None:
    if not tasks:
        raise ValueError(f"{name}: tasks: are none")
    known: set[str] = set()
    for task in tasks:
        key = digest(task)
        if key in known:
            words = ", ".join(f"{key}: {value}" for key, value in task.items())
            raise ValueError(f"{name}: tasks: {{{words}}} is given more than once")
        known.add(key)


def _write(study: Study, swept: Swept, table: pd.DataFrame, folder: Path) -> None:
    """Write all but the manifest, which goes first and comes last: a folder that has one is whole."""
    from irl_ident import figures

    (folder / "manifest.json").unlink(missing_ok=True)
    summary = plain(study.summarise(table))
    told = study.findings(summary)
    if not told or not all(isinstance(sentence, str) and sentence.strip() for sentence in told):
        raise ValueError(f"findings: were {told!r}, should be sentences")
    swept.save(folder / "data.parquet")
    write_json(folder / "summary.json", summary | {"findings": told})
    with figures.style():
        figures.save(study.draw(table, summary), folder)
