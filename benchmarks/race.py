"""Ours and its peers in turns.

Every round times ours and then each peer, on one thread, by processor time, which other work on the machine disturbs
less than the clock on the wall.  Ratios are taken round by round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Peer = Callable[[Any], "Lap"]
"""Takes what ours returned in the same round."""


@dataclass(frozen=True)
class Lap:
    """One run of a peer.

    Parameters
    ----------
    seconds : float
        For one unit of work; see :class:`Race`.
    finished : bool
        False when the peer was stopped: then it would have taken ``seconds`` or more.
    found : dict
        What else a reader of the table should know, by the heading of its column.
    """

    seconds: float
    finished: bool = True
    found: dict[str, Any] = field(default_factory=dict)


def lap(run: Callable[[], Any], found: Callable[[Any], dict[str, Any]] | None = None) -> Peer:
    """A peer that is a plain function: timed, and what ``found`` says of its result."""

    def timed(_: Any) -> Lap:
        start = time.process_time()
        result = run()
        seconds = time.process_time() - start
        return Lap(seconds, found=found(result) if found else {})

    return timed


@dataclass(frozen=True)
class Race:
    """What a benchmark function is given: times ours and peers, and notes what they found.

    Parameters
    ----------
    benchmark : pytest_benchmark.fixture.BenchmarkFixture
    """

    benchmark: Any

    def case(self, **shown: Any) -> None:
        """Name the case by the columns of its row; rows of equal cases, as of several seeds, become one."""
        self.benchmark.extra_info["case"] = {name.replace("_", " "): value for name, value in shown.items()}

    def note(self, **found: Any) -> None:
        """Note what ours found, by the headings of columns."""
        notes = self.benchmark.extra_info.setdefault("found", {})
        notes.update({name.replace("_", " "): value for name, value in found.items()})

    def seconds(self) -> list[float]:
        """Of ours, a round each, after the race."""
        return [float(each) for each in self.benchmark.stats.stats.data]

    def __call__(
        self,
        ours: Callable[[], Any],
        peers: Mapping[str, Peer] | None = None,
        *,
        rounds: int = 1,
        warmup: bool = False,
        before: Callable[[], None] | None = None,
        work: Callable[[Any], float] = lambda _: 1.0,
        unit: str = "s",
    ) -> Any:
        """Run ``rounds`` rounds.

        Parameters
        ----------
        ours : callable
        peers : mapping of str to callable, optional
        rounds : int
        warmup : bool
            Whether ours runs once untimed first.
        before : callable, optional
            Called before each run of ours, untimed: empties caches, say.
        work : callable
            Units of work in a result of ours; its seconds are divided by it.
        unit : str
            Of the column of times.

        Returns
        -------
        object
            What ours returned in the last round.
        """
        if warmup:
            ours()
        results: list[Any] = []
        laps: dict[str, list[Lap]] = {name: [] for name in peers or {}}

        def ours_once() -> Any:
            results[:] = [ours()]
            return results[0]

        def peers_once() -> None:
            works.append(float(work(results[0])))
            for name, peer in (peers or {}).items():
                laps[name].append(peer(results[0]))

        works: list[float] = []
        self.benchmark.pedantic(ours_once, setup=before, teardown=peers_once, rounds=rounds)
        self.benchmark.extra_info["work"], self.benchmark.extra_info["unit"] = works, unit
        self.benchmark.extra_info["peers"] = {
            name: {
                "seconds": [each.seconds for each in run],
                "finished": [each.finished for each in run],
                "found": run[-1].found,
            }
            for name, run in laps.items()
        }
        return results[0]
