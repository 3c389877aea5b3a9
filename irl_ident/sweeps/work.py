"""What a worker does: the tasks of a unit one after the other, and their rows as the bytes of a Parquet file.

Each task's rows become an Arrow table of their own, and these are put together by Arrow's rules: whole numbers beside
floats become floats, what is missing becomes null.  So it does not show in the types how tasks were cut into units.
"""

from __future__ import annotations

import io
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from irl_ident.sweeps.digests import digest

Run = Callable[[Any], Any]
"""From a task to its rows: a list of dictionaries, or a data frame."""

_AGREED: set[str] = set()
_ONE_AT_A_TIME = threading.RLock()


class OtherCode(RuntimeError):
    """Raised where a worker would run other code than the process that asks for rows."""


class Unwanted(RuntimeError):
    """Raised in a worker between two tasks, when nobody waits for them any more."""


@dataclass(frozen=True)
class Code:
    """What rows hang on, and how a worker finds out whether it has the same.

    Attributes
    ----------
    digest : str
        As the process has it that asks for rows.
    compute : callable
        Gives the digest of the process that calls it.
    """

    digest: str
    compute: Callable[[], str]

    def check(self) -> None:
        """Raise :class:`OtherCode` where this process has other code; computed once in each process."""
        if self.digest in _AGREED:
            return
        if self.compute() != self.digest:
            raise OtherCode(
                "a worker has other code than the process that asks for rows: give both the same checkout and the "
                "same versions, and change neither while tasks are running"
            )
        _AGREED.add(self.digest)


@dataclass(frozen=True)
class Unit:
    """Tasks that are done by one worker and stored in one file.

    Attributes
    ----------
    first : int
        Place of the first of them.
    tasks : tuple
    """

    first: int
    tasks: tuple[Any, ...]

    @cached_property
    def name(self) -> str:
        """Of its file: place, count, and a digest of the tasks."""
        return part_name(self.first, self.tasks)

    def until(self, done: int) -> Unit:
        """Its first tasks, so many."""
        return self if done == len(self.tasks) else Unit(self.first, self.tasks[:done])

    def after(self, done: int) -> Unit:
        """What is left when so many tasks are done."""
        return Unit(self.first + done, self.tasks[done:])


def part_name(first: int, tasks: tuple[Any, ...]) -> str:
    """Name of the file with the rows of ``tasks``, of which the first has place ``first``."""
    return f"{first:09d}-{len(tasks)}-{digest(list(tasks))[:32]}.parquet"


@dataclass(frozen=True)
class Raised:
    """A task that raised: its place, the class of the error with its module, its words, and the whole traceback."""

    place: int
    kind: str
    words: str
    text: str


@dataclass(frozen=True)
class Rows:
    """The rows of the first ``count`` tasks of a unit, and the task after them if it raised."""

    count: int
    part: bytes
    raised: Raised | None = None


def do(run: Run, unit: Unit, code: Code, wanted: Callable[[], bool] = lambda: True) -> Rows:
    """Do a unit, in whatever process, with one thread of linear algebra.

    Parameters
    ----------
    run : callable
    unit : Unit
    code : Code
        Is compared first.
    wanted : callable
        Asked between tasks.

    Raises
    ------
    OtherCode, Unwanted
    """
    import pyarrow as pa

    with _ONE_AT_A_TIME:
        code.check()
        started = time.perf_counter()
        tables, schema, modules, raised = [], pa.schema([]), 0, None
        with ExitStack() as limits:
            for place, task in enumerate(unit.tasks, unit.first):
                if not wanted():
                    raise Unwanted
                if len(sys.modules) != modules:
                    limits.enter_context(_one_thread())
                    modules = len(sys.modules)
                try:
                    table = _table(run(task))
                    schema = pa.unify_schemas([schema, table.schema], promote_options="permissive")
                except (Exception, SystemExit) as error:
                    kind = f"{type(error).__module__}.{type(error).__qualname__}"
                    raised = Raised(place, kind, str(error), traceback.format_exc())
                    break
                tables.append(table)
        rows = pa.concat_tables([schema.empty_table(), *tables], promote_options="permissive")
        return Rows(len(tables), _packed(rows, time.perf_counter() - started), raised)


def _one_thread() -> Any:
    import scipy.linalg  # noqa: F401  (its libraries have to be there to be held)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _table(rows: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    table = pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False).replace_schema_metadata(None)
    return table if table.num_rows else pa.table({})


def _packed(rows: Any, seconds: float) -> bytes:
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(rows.replace_schema_metadata({"seconds": f"{seconds:.6f}"}), file, compression="zstd")
    return file.getvalue()
