"""``python -m studies list | run NAME... | all | report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from irl_ident.cli.pipes import quiet_when_cut, show_all_letters
from irl_ident.sweeps import OtherCode, TaskFailed
from studies.report import DamagedResults, NoResults, write_gallery, write_report
from studies.runner import run_study
from studies.study import DataMissing, Outcome, Settings, Study, UnknownStudy, discover, load

WRONG_USE = 2
INTERRUPTED = 130
EXTRA = ("matplotlib", "pyarrow", "joblib", "threadpoolctl", "jinja2", "typst")

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run studies: a question, a table, a figure.")

Quick = Annotated[bool, typer.Option("--quick", help="A minute or two on two cores instead of the full run.")]
Seed = Annotated[int, typer.Option(min=0, help="Root of all random numbers.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; as many as there are processors when not given.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a dask scheduler to send tasks to instead.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Gallery = Annotated[Path | None, typer.Option(help="Folder of documentation to put the figures and a page in, too.")]
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
    _, failed = _run(names, quick, seed, workers, scheduler, out, data)
    raise typer.Exit(int(bool(failed)))


@app.command("all")
def run_all(
    quick: Quick = False,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Out = Path("results"),
    data: Data = None,
) -> None:
    """Run every study and put what they found into one report."""
    absent, failed = _run(list(discover()), quick, seed, workers, scheduler, out, data)
    _report(out, absent | failed)
    raise typer.Exit(int(bool(failed)))


@app.command()
def report(out: Out = Path("results"), gallery: Gallery = None) -> None:
    """Put the finished studies in a folder into one report, without running any."""
    _report(out, {name: "not run" for name in discover() if not (out / name / "manifest.json").exists()}, gallery)


def _report(out: Path, absent: dict[str, str], gallery: Path | None = None) -> None:
    try:
        for file in write_report(out, absent):
            print(file)
        for file in write_gallery(out, gallery) if gallery is not None else ():
            print(file)
    except BrokenPipeError:
        raise
    except (NoResults, DamagedResults, OSError) as error:
        _fail(str(error), 1)
    except ImportError as error:
        _without_extra(error)


def _run(
    names: list[str],
    quick: bool,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    out: Path,
    data: Path | None,
) -> tuple[dict[str, str], dict[str, str]]:
    """Run studies, also after one that failed; which lack their data, which failed, and why."""
    if workers is not None and scheduler is not None:
        _fail("--workers and --scheduler: give one of them", WRONG_USE)
    try:
        settings = Settings(quick, seed, data)
        studies = {name: load(name) for name in names}
    except (UnknownStudy, ValueError) as error:
        _fail(str(error), WRONG_USE)
    except ImportError as error:
        _without_extra(error)
    absent: dict[str, str] = {}
    failed: dict[str, str] = {}
    for name, study in studies.items():
        try:
            print(_told(name, _shown(name, study, settings, out, workers, scheduler)), flush=True)
        except DataMissing as missing:
            absent[name] = f"it needs data that are not part of the repository. {missing}"
            print(f"{name}: not run, {absent[name]}", flush=True)
        except TaskFailed as error:
            print(error.raised.text, file=sys.stderr)
            failed[name] = f"{name}: {error}; what other tasks finished is kept, the same command goes on from there"
        except KeyboardInterrupt:
            _fail(f"{name}: interrupted; finished tasks are kept, the same command goes on from there", INTERRUPTED)
        except ImportError as error:
            failed[name] = _missing(error)
        except BrokenPipeError:
            raise
        except (OSError, OtherCode) as error:
            failed[name] = f"{name}: {error}"
        if name in failed:
            print(failed[name], file=sys.stderr)
    return absent, failed


def _shown(
    name: str, study: Study, settings: Settings, out: Path, workers: int | None, scheduler: str | None
) -> Outcome:
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


def _missing(error: ImportError) -> str:
    """How to get what is missing; errors about anything else go on."""
    if error.name in EXTRA:
        return f'{error.name} is not installed; the studies need it: pip install "irl-ident[studies]"'
    if error.name is None:
        return str(error)
    raise error


def _without_extra(error: ImportError) -> NoReturn:
    _fail(_missing(error), 1)


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    show_all_letters()
    with quiet_when_cut():
        app(prog_name="python -m studies")
