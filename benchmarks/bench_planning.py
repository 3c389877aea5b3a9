"""Optimal planning against QuantEcon's modified policy iteration on slippery grids.

Both solve the same grid (four actions, a tenth of the moves slips sideways, discount .95, rewards from a standard
normal) from the same sparse state-action rows.  QuantEcon is asked for an optimal policy to within ``epsilon``; its
values are certified here like ours, through ``max |T V - V| / (1 - g)``, so that the errors in the table mean the
same.  QuantEcon's compiled code is warmed up before; neither side's time holds the building of its problem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from benchmarks.race import Race, lap
from irl_ident import Environment, planning

DISCOUNT = 0.95
EPSILON = 1e-6


def grid(side: int, discount: float = DISCOUNT) -> Environment:
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
    return Environment(matrices, discount)


def quantecons(env: Environment, reward: np.ndarray[Any, Any]) -> Callable[[], Any]:
    from quantecon.markov import DiscreteDP

    states, actions = np.divmod(np.arange(reward.size), env.n_actions)
    problem = DiscreteDP(reward.ravel(), sparse.csr_matrix(env.transitions), DISCOUNT, states, actions)
    return lambda: problem.solve(method="modified_policy_iteration", epsilon=EPSILON, max_iter=10_000).v


def certified(env: Environment, reward: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> float:
    return float(np.abs((reward + env.backup(values)).max(axis=1) - values).max() / (1 - DISCOUNT))


@pytest.fixture(scope="module")
def compiled() -> None:
    """QuantEcon's loops, before they are timed."""
    quantecons(grid(4), np.ones((16, 4)))()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("error", [1e-9, EPSILON])
@pytest.mark.sized(
    "side, rounds",
    tiny=[(4, 1)],
    quick=[(10, 11), (32, 11), (100, 5)],
    full=[(10, 21), (32, 21), (100, 11), (316, 5), (1000, 2)],
)
def bench_optimal(race: Race, side: int, rounds: int, error: float) -> None:
    env = grid(side)
    reward = np.random.default_rng(0).standard_normal((env.n_states, 4))
    share = error if error != EPSILON else EPSILON / float(np.ptp(reward))
    race.case(states=env.n_states, asked=error)
    peer = lap(quantecons(env, reward), lambda values: {"its error": certified(env, reward, values)})
    plan = race(lambda: planning.optimal(env, reward, tolerance=share), {"QuantEcon": peer}, rounds=rounds, warmup=True)
    race.note(error=plan.error_bound)
