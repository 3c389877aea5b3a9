"""Identified sets, directions and the generic solver that benchmarks of support functions share.

Three slippery grids, each with its own slip and with a tenth of the passages between cells closed; one reward on states
from a standard normal, discount .95; its optimal actions are shown everywhere.  Directions: a difference of two states,
and dense ones with mean 0.  The peer is HiGHS' interior point without crossover at its own tolerances (1e-7) on
``(theta, V_1, V_2, V_3)``, given the same rows, on one thread; its time holds the run alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from irl_ident import Environment, planning
from irl_ident.identified.cone.lifted import Cone
from irl_ident.rewards import StateRewards

DISCOUNT = 0.95
TIME_LIMIT = 900.0
Vector = np.ndarray[Any, np.dtype[np.float64]]


def layout(side: int, seed: int) -> Environment:
    rng = np.random.default_rng(seed)
    slip = rng.uniform(0.05, 0.3)
    cells = np.arange(side * side).reshape(side, side)
    right, down = rng.random((side, side - 1)) > 0.1, rng.random((side - 1, side)) > 0.1
    ends = np.repeat(cells[..., None], 4, axis=2)
    ends[1:, :, 0][down] = cells[:-1][down]
    ends[:, :-1, 1][right] = cells[:, 1:][right]
    ends[:-1, :, 2][down] = cells[1:][down]
    ends[:, 1:, 3][right] = cells[:, :-1][right]
    pointer = np.arange(side * side + 1)
    ones = np.ones(side * side)
    base: list[Any] = [
        sparse.csr_array((ones, ends[..., a].ravel(), pointer), shape=(ones.size, ones.size)) for a in range(4)
    ]
    return Environment(
        [base[a] * (1 - slip) + (base[a - 1] + base[(a + 1) % 4]) * (slip / 2) for a in range(4)], DISCOUNT
    )


def instance(side: int, seed: int) -> Cone:
    environments = [layout(side, 100 * seed + e) for e in range(3)]
    family = StateRewards(side * side)
    theta = np.random.default_rng(seed).standard_normal(side * side)
    shown = []
    for env in environments:
        q = planning.optimal(env, family.reward(env, theta)).q
        shown.append(q >= q.max(axis=1, keepdims=True) - 1e-7)
    return Cone(
        [env.shaping for env in environments],
        [family.matrix(env) for env in environments],
        shown,
        [np.ones(side * side, dtype=bool)] * 3,
        [DISCOUNT] * 3,
        side * side,
    )


@dataclass(frozen=True)
class Peer:
    """What the peer took and found."""

    seconds: float
    value: float
    finished: bool


def peer(cone: Cone, direction: Vector) -> Peer:
    shown = np.concatenate([block.shown.ravel() for block in cone.blocks])
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = cone.rows.shape
    box = np.full(model.num_col_, highspy.kHighsInf)
    box[: cone.dim] = 1
    model.col_cost_ = np.concatenate([-direction, np.zeros(box.size - cone.dim)])
    model.col_lower_, model.col_upper_ = -box, box
    model.row_lower_, model.row_upper_ = np.zeros(shown.size), np.where(shown, 0, highspy.kHighsInf)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = cone.rows.indptr, cone.rows.indices
    model.a_matrix_.value_ = cone.rows.data
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        "output_flag": False,
        "threads": 1,
        "solver": "ipm",
        "run_crossover": "off",
        "time_limit": TIME_LIMIT,
    }
    for option, value in options.items():
        solver.setOptionValue(option, value)
    solver.passModel(model)
    seconds, _ = timed(solver.run)
    finished = solver.getModelStatus() != highspy.HighsModelStatus.kTimeLimit
    return Peer(seconds, float(direction @ np.array(solver.getSolution().col_value)[: cone.dim]), finished)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def directions(kind: str, dim: int, count: int) -> list[Vector]:
    rng = np.random.default_rng(1)
    if kind == "dense":
        drawn = rng.standard_normal((count, dim))
        return list(drawn - drawn.mean(axis=1, keepdims=True))
    pairs = [rng.choice(dim, size=2, replace=False) for _ in range(count)]
    return [np.bincount([s], minlength=dim) - 1.0 * np.bincount([t], minlength=dim) for s, t in pairs]
