"""``python -m studies list | run NAME... | all``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from studies.runner import Outcome, TaskFailed, run_study
from studies.study import DataMissing, Settings, Study, UnknownStudy, discover, load

WRONG_USE = 2
INTERRUPTED = 130
EXTRA = ("matplotlib", "pyarrow", "joblib", "threadpoolctl")

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run studies: a question, a table, a figure.")

Quick = Annotated[bool, typer.Option("--quick", help="A minute or two on two cores instead of the full run.")]
Seed = Annotated[int, typer.Option(min=0, help="Root of all random numbers.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; as many as there are processors when not given.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a dask scheduler to send tasks to instead.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Data = Annotated[Path | None, typer.Option(help="Folder of data that are not part of the repository.")]


@app.command("list")
def list_studies() -> None:
    """Name every study and its question."""
    for name, question in discover().items():
        print(f"{name}: {question}")


@app.command()
def run(
    names: list[str],
    quick: Quick = False,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Out = Path("results"),
    data: Data = None,
) -> None:
    """Run the studies named."""
    _run(names, quick, seed, workers, scheduler, out, data)


@app.command("all")
def run_all(
    quick: Quick = False,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Out = Path("results"),
    data: Data = None,
) -> None:
    """Run every study."""
    _run(list(discover()), quick, seed, workers, scheduler, out, data)


def _run(
    names: list[str],
    quick: bool,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    out: Path,
    data: Path | None,
) -> None:
    if workers is not None and scheduler is not None:
        _fail("--workers and --scheduler: give one of them", WRONG_USE)
    try:
        settings = Settings(quick, seed, data)
        studies = {name: load(name) for name in names}
    except (UnknownStudy, ValueError) as error:
        _fail(str(error), WRONG_USE)
    except ImportError as error:
        _without_extra(error)
    for name, study in studies.items():
        try:
            print(_told(name, _shown(name, study, settings, out, workers or _processors(), scheduler)), flush=True)
        except DataMissing as missing:
            print(f"{name}: not run, it needs data that are not part of the repository\n  {missing}", flush=True)
        except TaskFailed as failed:
            print(failed.text, file=sys.stderr)
            _fail(f"{failed}\nwhat other tasks finished is kept; the same command goes on from there", 1)
        except KeyboardInterrupt:
            _fail(f"{name}: interrupted; finished tasks are kept, the same command goes on from there", INTERRUPTED)
        except ImportError as error:
            _without_extra(error)
        except OSError as error:
            _fail(f"{name}: {error}", 1)


def _shown(name: str, study: Study, settings: Settings, out: Path, workers: int, scheduler: str | None) -> Outcome:
    """Run a study with a bar on the terminal, if there is one."""
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(name, total=None)
        return run_study(
            study,
            settings,
            out,
            workers=workers,
            scheduler=scheduler,
            progress=lambda done, total: bar.update(shown, completed=done, total=total),
        )


def _told(name: str, outcome: Outcome) -> str:
    earlier = f", {outcome.resumed} of them finished earlier" if outcome.resumed else ""
    lines = [f"{name}: {outcome.tasks} tasks{earlier}, {outcome.rows} rows, {outcome.seconds:.1f} s"]
    lines += [f"  {outcome.folder / file}" for file in ("figure.pdf", "figure.png", "data.parquet", "summary.json")]
    return "\n".join(lines)


def _without_extra(error: ImportError) -> NoReturn:
    """Say how to get what is missing; errors about anything else go on."""
    if error.name in EXTRA:
        _fail(f'{error.name} is not installed; the studies need it: pip install "irl-ident[studies]"', 1)
    if error.name is None:
        _fail(str(error), 1)
    raise error


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m studies")
