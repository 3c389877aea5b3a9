"""Optimal planning against QuantEcon's modified policy iteration on slippery grids.

Run ``python -m benchmarks.planning [--quick]``.

Both solve the same grid (four actions, a tenth of the moves slips sideways, discount .95, rewards from a standard
normal) from the same sparse state-action rows.  QuantEcon is asked for an optimal policy to within ``epsilon``; its
values are certified here like ours, through ``max |T V - V| / (1 - g)``, so that the errors in the table mean the
same.  Runs alternate, medians are printed, and QuantEcon's compiled code is warmed up before; neither side's time
holds the building of its problem.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident import Environment, planning

DISCOUNT = 0.95
EPSILON = 1e-6


def grid(side: int) -> Environment:
    n_states = side * side
    cells = np.arange(n_states).reshape(side, side)
    y, x = np.mgrid[:side, :side]
    moved = [
        cells[np.clip(y + dy, 0, side - 1), np.clip(x + dx, 0, side - 1)].ravel()
        for dy, dx in ((-1, 0), (0, 1), (1, 0), (0, -1))
    ]
    matrices = []
    for action in range(4):
        columns = np.stack([moved[action], moved[(action + 1) % 4], moved[(action + 3) % 4]], axis=1)
        data = np.tile([0.9, 0.05, 0.05], n_states)
        pointer = np.arange(0, 3 * n_states + 1, 3)
        matrices.append(sparse.csr_array((data, columns.ravel(), pointer), shape=(n_states, n_states)))
    return Environment(matrices, DISCOUNT)


def peer(env: Environment, reward: np.ndarray[Any, Any]) -> Callable[[], Any]:
    from quantecon.markov import DiscreteDP

    states, actions = np.divmod(np.arange(reward.size), env.n_actions)
    problem = DiscreteDP(reward.ravel(), sparse.csr_matrix(env.transitions), DISCOUNT, states, actions)
    return lambda: problem.solve(method="modified_policy_iteration", epsilon=EPSILON, max_iter=10_000).v


def certified(env: Environment, reward: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> float:
    return float(np.abs((reward + env.backup(values)).max(axis=1) - values).max() / (1 - DISCOUNT))


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="stop at 10^4 states")
    quick = parser.parse_args().quick
    small = grid(4)
    peer(small, np.ones((16, 4)))()
    columns = ("ours", "error", "ours loose", "error", "QuantEcon", "error")
    print(f"{'states':>9}", *(f"{name:>10}" for name in columns), f"{'ratio':>6} {'loose':>6}")
    for side, runs in ((10, 21), (32, 21), (100, 11), (316, 5), (1000, 3))[: 3 if quick else 5]:
        env = grid(side)
        reward = np.random.default_rng(0).standard_normal((env.n_states, 4))
        theirs = peer(env, reward)
        exact = lambda: planning.optimal(env, reward)  # noqa: B023, E731
        loose = lambda: planning.optimal(env, reward, tolerance=EPSILON / np.ptp(reward))  # noqa: B023, E731
        exact()
        rounds = [(timed(exact), timed(loose), timed(theirs)) for _ in range(runs)]
        ours, relaxed, quantecon = (median(r[k][0] for r in rounds) for k in range(3))
        print(
            f"{env.n_states:>9,} {ours:>10.4f}s {rounds[0][0][1].error_bound:>9.1e} "
            f"{relaxed:>10.4f}s {rounds[0][1][1].error_bound:>9.1e} "
            f"{quantecon:>10.4f}s {certified(env, reward, rounds[0][2][1]):>9.1e} "
            f"{quantecon / ours:>6.2f} {quantecon / relaxed:>6.2f}",
            flush=True,
        )
    print("ratio: QuantEcon's time over ours; above 1 ours is faster.  errors: certified bounds on the values.")


if __name__ == "__main__":
    main()
