"""Batched planning beside the memory: bytes that must move, over time, as a share of what the machine copies.

The limit is measured in the same rounds, in McCalpin's (1995) manner, on arrays of 128 MB each: *copy* ``c = a`` moves
16 bytes an entry; *triad* ``a = b + 3 c`` takes numpy two passes and moves 40.  A sweep of value iteration for N
rewards has to read N S A rewards and N S values and to write N S values: ``8 N S (A + 2)`` bytes, the *compulsory*
traffic.  Values of actions, which numpy holds in between, and the transitions, which are small beside N columns, are
not counted, nor is what is fetched twice: a share of 1 is passed only by blocks that stay in the cache.

*Sweeps* are ``SWEEPS`` backups with no reward finishing early, by the loop that Numba compiles and by products;
*whole* is ``optimal_batch`` to 1e-9 of the range of each reward by either, the policy iteration at its end included,
whose traffic is not counted.  *Compiling* is what the first use of the loop costs a process.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from benchmarks.bench_decision import maze
from benchmarks.bench_planning import grid
from benchmarks.race import Race, lap
from irl_ident import Environment, planning
from irl_ident.planning import backups, batch
from irl_ident.planning.backups import Backup

ENTRIES = 2**24
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def arrays(request: pytest.FixtureRequest) -> tuple[Array, Array, Array]:
    """Three arrays, much larger than any cache but in the tiny run."""
    entries = 2**12 if request.config.getoption("--size") == "tiny" else ENTRIES
    return np.ones(entries), np.ones(entries), np.ones(entries)


def problem(kind: str, side: int, samples: int) -> tuple[Environment, Array]:
    env = maze(side, 0) if kind == "maze" else grid(side)
    thetas = np.random.default_rng(0).uniform(-1, 1, (samples, env.n_states))
    return env, np.repeat(thetas[:, :, None], env.n_actions, axis=2)


def sweeps(env: Environment, rewards: Array, backup: Backup) -> None:
    """The first phase of all blocks, where no goal is ever reached."""
    found = np.empty_like(rewards)
    room = max(batch.LEAST_COLUMNS, batch.BLOCK_ENTRIES // (env.n_states * env.n_actions))
    for first in range(0, len(rewards), room):
        part = rewards[first : first + room]
        batch._swept(env, backup, part, np.full(len(part), -1.0), found[first : first + room])


def whole(env: Environment, rewards: Array, due: float) -> None:
    """A plan for each reward; products until ``due`` values of actions, then the loop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backups, "DUE", due)
        planning.optimal_batch(env, rewards)


def bench_compiling(race: Race) -> None:
    assert "numba" not in sys.modules, "to be measured where nothing has loaded Numba"
    race.case(step="load Numba and compile")
    assert race(backups.compiled) is not None


@pytest.mark.sized(
    "kind, side, samples",
    tiny=[("maze", 3, 10)],
    quick=[("maze", 7, 500), ("maze", 14, 500)],
    full=[*(("maze", side, 500) for side in (7, 10, 14, 20)), ("grid", 32, 256), ("grid", 100, 64)],
)
def bench_batch(race: Race, arrays: tuple[Array, Array, Array], kind: str, side: int, samples: int) -> None:
    env, rewards = problem(kind, side, samples)
    a, b, c = arrays
    race.case(world=kind, states=env.n_states, rewards=samples)

    def triad() -> None:
        np.multiply(c, 3.0, out=a)
        np.add(a, b, out=a)

    loop = backups.by_loop(env)
    assert loop is not None
    runs = {
        "copy": lambda: np.copyto(c, a),
        "triad": triad,
        "products": lambda: sweeps(env, rewards, backups.by_products(env)),
        "whole": lambda: whole(env, rewards, 0),
        "whole by products": lambda: whole(env, rewards, np.inf),
    }
    spent: dict[str, list[float]] = {name: [] for name in runs}

    def beside() -> None:
        for name, run in runs.items():
            spent[name].append(lap(run)(None).seconds)

    race(lambda: sweeps(env, rewards, loop), rounds=7, warmup=True, before=beside)
    moved = 8 * rewards.shape[0] * env.n_states * (env.n_actions + 2) * batch.SWEEPS
    took = {name: np.array(seconds) for name, seconds in spent.items()}
    achieved, limit = moved / np.array(race.seconds()), 16 * a.size / took["copy"]
    by_products = moved / took["products"]
    race.note(
        **{
            "sweeps, GB/s": float(np.median(achieved)) / 1e9,
            "by products, GB/s": float(np.median(by_products)) / 1e9,
            "copy, GB/s": float(np.median(limit)) / 1e9,
            "triad, GB/s": float(np.median(40 * a.size / took["triad"])) / 1e9,
            "share of copy": float(np.median(achieved / limit)),
            "by products, share": float(np.median(by_products / limit)),
            "whole, µs a plan": 1e6 * float(np.median(took["whole"])) / samples,
            "by products, µs a plan": 1e6 * float(np.median(took["whole by products"])) / samples,
        }
    )
