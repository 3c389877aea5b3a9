"""Files of rows: which tasks a folder holds, and all their rows as one table.

A file holds the rows of consecutive tasks; its name says of which: ``<place of the first>-<count>-<digest>.parquet``.
Nothing else has to be known of a folder to go on in it, in whatever pieces its files were made.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from irl_ident.sweeps.work import Unit, part_name

NAME = re.compile(r"(\d+)-(\d+)-[0-9a-f]{32}\.parquet")

ROWS = 1 << 16
"""Rows in a row group of a table."""

Piece = tuple[range, Path | None]
"""Places of tasks, and the file with their rows; None where they are to be done."""


def pieces(folder: Path, tasks: Sequence[Any]) -> list[Piece]:
    """What of ``tasks`` a folder holds and what it lacks, in order."""
    known: dict[int, list[int]] = defaultdict(list)
    names = {file.name for file in folder.iterdir()}
    for match in filter(None, map(NAME.fullmatch, names)):
        known[int(match[1])].append(int(match[2]))
    found: list[Piece] = []
    place = start = 0
    while place < len(tasks):
        name = _fitting(names, known.get(place, []), place, tasks)
        if name is None:
            place += 1
            continue
        if start < place:
            found.append((range(start, place), None))
        start = place + int(name.split("-")[1])
        found.append((range(place, start), folder / name))
        place = start
    if start < place:
        found.append((range(start, place), None))
    return found


def _fitting(names: set[str], counts: list[int], place: int, tasks: Sequence[Any]) -> str | None:
    """The file with the most tasks among those that start at a place and are of these tasks."""
    for count in sorted(counts, reverse=True):
        if place + count <= len(tasks):
            name = part_name(place, taken(tasks, range(place, place + count)))
            if name in names:
                return name
    return None


def units(missing: Sequence[range], tasks: Sequence[Any], chunk: int) -> Iterator[Unit]:
    """What is missing, in units of at most ``chunk`` tasks."""
    for places in missing:
        for first in range(places.start, places.stop, chunk):
            unit = Unit(first, taken(tasks, range(first, min(first + chunk, places.stop))))
            _ = unit.name  # refuses tasks that are not plain before they are done
            yield unit


def taken(tasks: Sequence[Any], places: range) -> tuple[Any, ...]:
    """The tasks at some places."""
    return tuple(tasks[place] for place in places)


def seconds(files: Sequence[Path]) -> float:
    """How long the tasks of some files took, one after the other."""
    from pyarrow import parquet

    total: float = sum(
        _read(lambda file: float(parquet.read_schema(file).metadata[b"seconds"]), file) for file in files
    )
    return total


def schema(files: Sequence[Path]) -> Any:
    """The columns of all files together, in order of appearance, with types that hold the values of each.

    Raises
    ------
    ValueError
        When a column holds words in one file and numbers in another, or the like.
    """
    import pyarrow as pa
    from pyarrow import parquet

    found: dict[Any, Path] = {}
    for file in files:
        found.setdefault(_read(parquet.read_schema, file).remove_metadata(), file)
    together = pa.schema([])
    for one, file in found.items():
        try:
            together = pa.unify_schemas([together, one], promote_options="permissive")
        except pa.ArrowException as error:
            raise ValueError(f"rows: those in {file} do not go with those before: {error}") from error
    return together


def tables(files: Sequence[Path]) -> Iterator[Any]:
    """The rows of all files in order, as Arrow tables of :data:`ROWS` rows; the last may have fewer.

    Never more than one file and one table are in memory.
    """
    import pyarrow as pa
    from pyarrow import parquet

    empty = schema(files).empty_table()
    kept, count = [empty], 0
    for file in files:
        table = _read(parquet.read_table, file).replace_schema_metadata(None)
        kept.append(table)
        count += table.num_rows
        while count >= ROWS:
            together = pa.concat_tables(kept, promote_options="permissive")
            yield together.slice(0, ROWS).combine_chunks()
            kept, count = [empty, together.slice(ROWS)], count - ROWS
    if count:
        yield pa.concat_tables(kept, promote_options="permissive").combine_chunks()


def save(files: Sequence[Path], target: Path) -> None:
    """Write the rows of all files in order into one; equal rows give equal bytes, however they were cut into files."""
    from pyarrow import parquet

    with parquet.ParquetWriter(target, schema(files), compression="zstd") as writer:
        for table in tables(files):
            writer.write_table(table, row_group_size=ROWS)


def _read(read: Any, file: Path) -> Any:
    import pyarrow as pa

    if file.exists() and not file.is_file():
        raise ValueError(f"{file}: should be a regular file")
    try:
        return read(file)
    except (pa.ArrowException, OSError, TypeError, KeyError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        why = " ".join(str(error).split())
        raise ValueError(f"{file}: is damaged ({why}); remove it, and the same call does its tasks again") from error
