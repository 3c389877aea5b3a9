"""Units in, rows out: what is done again when a worker dies, and which task is to blame.

A unit whose worker died is given to another worker.  When that dies too, its tasks are done one by one.  A task whose
worker still dies is put aside until all others are done, and then done with nothing beside it: it is blamed when that
ends with a death too.  So a worker that is killed costs what it had in hand, and a task that kills its workers costs
its own rows only.
"""

from __future__ import annotations

import queue
from collections import Counter, deque
from collections.abc import Generator, Iterable
from typing import Any, Protocol

from irl_ident.sweeps.work import Raised, Rows, Unit

WATCH = 1.0
"""Seconds between two looks at an engine from which nothing comes."""


class Died:
    """The worker of a unit died; ``counts`` says whether the unit may be to blame."""

    def __init__(self, counts: bool = True) -> None:
        self.counts = counts


class Engine(Protocol):
    """Where units are done.

    Attributes
    ----------
    strikes : int
        So many deaths make a unit suspect.
    """

    strikes: int

    def room(self) -> int:
        """How many units may be under way at a time, at least 1."""
        ...

    def submit(self, unit: Unit) -> Any:
        """Start a unit; gives a future with ``add_done_callback``."""
        ...

    def outcome(self, future: Any) -> Rows | Died:
        """What came of a unit; what is neither rows nor death is raised."""
        ...

    def watch(self) -> None:
        """Raise when nothing more can come."""
        ...

    def close(self) -> None:
        """End all that is under way."""
        ...


def supervise(units: Iterable[Unit], engine: Engine) -> Generator[tuple[Unit, Rows]]:
    """The rows of units as they finish, with the unit that they are the rows of.

    A task that raised or that kills its workers comes as ``raised`` of rows that end before it.
    """
    source, again, suspects = iter(units), deque[Unit](), deque[Unit]()
    deaths: Counter[str] = Counter()
    under_way: dict[Any, Unit] = {}
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    blaming = False
    while True:
        while len(under_way) < (1 if blaming else engine.room()):
            unit = again.popleft() if again else next(source, None)
            if unit is None:
                break
            future = engine.submit(unit)
            under_way[future] = unit
            future.add_done_callback(ended.put)
        if not under_way:
            if not suspects:
                return
            blaming = True
            again.append(suspects.popleft())
            continue
        try:
            future = ended.get(timeout=WATCH)
        except queue.Empty:
            engine.watch()
            continue
        unit = under_way.pop(future)
        outcome = engine.outcome(future)
        if isinstance(outcome, Rows):
            yield unit, outcome
            if outcome.raised is not None and unit.after(outcome.count + 1).tasks:
                again.append(unit.after(outcome.count + 1))
            continue
        deaths[unit.name] += outcome.counts
        if deaths[unit.name] < engine.strikes and not blaming:
            again.append(unit)
        elif len(unit.tasks) > 1:
            again.extend(Unit(place, (task,)) for place, task in enumerate(unit.tasks, unit.first))
        elif not blaming:
            suspects.append(unit)
        else:
            words = "its worker process died every time, as it does when it is killed or out of memory"
            yield unit, Rows(0, b"", Raised(unit.first, "", words, words))
