"""``python -m irl_ident.sweeps FILE``: do the tasks that a Python file defines, on all cores or on a cluster."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from irl_ident.cli.pipes import quiet_when_cut, show_all_letters
from irl_ident.sweeps import OtherCode, TaskFailed, sweep

WRONG_USE = 2
INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    file: Annotated[Path, typer.Argument(help="Defines tasks, a sequence of plain values, and run(task), their rows.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a processor when not given.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask scheduler to send tasks to instead.")] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Tasks in one go and in one file of rows.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for table.parquet and the rows of finished tasks.")] = Path("sweep"),
) -> None:
    """Do all tasks of a file, or those that an earlier run left, and put their rows into one table."""
    if not file.is_file():
        _fail(f"{file}: there is no such file", WRONG_USE)
    defined: dict[str, Any] = runpy.run_path(str(file))
    for name in ("tasks", "run"):
        if name not in defined:
            _fail(f"{file}: does not define {name}", WRONG_USE)
    try:
        swept = sweep(
            defined["run"], defined["tasks"], out / "parts", workers=workers, scheduler=scheduler, chunk=chunk
        )
        table = swept.save(out / "table.parquet")
    except TaskFailed as error:
        print(error.raised.text, file=sys.stderr)
        _fail(f"{error}; what other tasks finished is kept, the same command goes on from there", 1)
    except KeyboardInterrupt:
        _fail("interrupted; finished tasks are kept, the same command goes on from there", INTERRUPTED)
    except BrokenPipeError:
        raise
    except (OSError, OtherCode, ImportError) as error:
        _fail(str(error), 1)
    except ValueError as error:
        _fail(str(error), WRONG_USE)
    earlier = f", {swept.resumed} of them finished earlier" if swept.resumed else ""
    print(f"{swept.tasks} tasks{earlier}, {swept.seconds:.1f} s\n  {table}")


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    show_all_letters()
    with quiet_when_cut():
        app(prog_name="python -m irl_ident.sweeps")
