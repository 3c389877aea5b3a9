"""The linear program of one action over one box: how far can it be ahead of its nearest rival?

    max t   over   z_l = W_l h_(l-1) + b_l,   h_0 in the box,   z_L[b] - z_L[a] >= t for all a other than b,

with each neuron's ``h = max(z, 0)`` where its sign is known and the triangle over its interval elsewhere (Ehlers 2017).
Its multipliers are the slopes and rivals of a proof, and where it is at its best is a good place to look for a
counterexample, or for the neuron to split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from irl_ident.certificates.network_bounds import Bounds
from irl_ident.certificates.network_model import ReluNetwork
from irl_ident.environment import Array
from irl_ident.highs import minimise

OPTIONS: dict[str, object] = {
    "solver": "simplex",
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}


@dataclass(frozen=True, eq=False)
class Lead:
    """What the program says.

    Attributes
    ----------
    lead : float
        The largest t; minus infinity where nothing satisfies the constraints; NaN when the solver failed.
    rivals : array (A,)
        Multipliers of the rivals, 0 for the action itself.
    slopes : list of arrays or None
        Multipliers of each hidden layer's equations; None for those of the rule.
    inputs : array (n,) or None
        Where t is largest.
    gaps : list of arrays
        How far each neuron is from its ReLU there; empty where no such place is known.
    weights : list of arrays
        How much the lead changes with the neuron, to first order.
    """

    lead: float
    rivals: Array
    slopes: list[Array] | None
    inputs: Array | None
    gaps: list[Array] = field(default_factory=list)
    weights: list[Array] = field(default_factory=list)


def largest_lead(network: ReluNetwork, lower: Array, upper: Array, known: Sequence[Bounds], action: int) -> Lead:
    """Solve the program of ``action``."""
    n, hidden = network.n_inputs, [b.size for b in network.biases[:-1]]
    starts = n + 2 * np.cumsum([0, *hidden])
    unknowns = int(starts[-1]) + 1
    box_low, box_high = np.full(unknowns, -np.inf), np.full(unknowns, np.inf)
    box_low[:n], box_high[:n] = lower, upper
    rows: list[Array] = []
    least: list[Array] = []
    most: list[Array] = []

    def add(row: Array, low: Array, high: Array) -> None:
        rows.append(row)
        least.append(low)
        most.append(high)

    below = np.arange(n)
    for (low, high), w, b, start in zip(known, network.weights, network.biases, starts, strict=False):
        before, after = start + np.arange(b.size), start + b.size + np.arange(b.size)
        equation = np.zeros((b.size, unknowns))
        equation[:, before] = np.eye(b.size)
        equation[:, below] = -w
        add(equation, b, b)
        box_low[before], box_high[before] = low, high
        box_low[after], box_high[after] = np.maximum(low, 0), np.maximum(high, 0)
        unsure = (low < 0) & (high > 0)
        active = np.flatnonzero(unsure | (low >= 0))
        above = np.zeros((active.size, unknowns))
        above[np.arange(active.size), after[active]] = 1
        above[np.arange(active.size), before[active]] = -1
        add(above, np.zeros(active.size), np.where(unsure[active], np.inf, 0))
        bent = np.flatnonzero(unsure)
        slope = high[bent] / (high[bent] - low[bent])
        under = np.zeros((bent.size, unknowns))
        under[np.arange(bent.size), after[bent]] = 1
        under[np.arange(bent.size), before[bent]] = -slope
        add(under, np.full(bent.size, -np.inf), -slope * low[bent])
        below = after
    others = np.delete(np.arange(network.n_actions), action)
    w, b = network.weights[-1], network.biases[-1]
    race = np.zeros((others.size, unknowns))
    race[:, below] = w[others] - w[action]
    race[:, -1] = 1
    add(race, np.full(others.size, -np.inf), b[action] - b[others])
    cost = np.zeros(unknowns)
    cost[-1] = -1
    matrix = sparse.csr_array(np.vstack(rows))
    solver = minimise(cost, matrix, (np.concatenate(least), np.concatenate(most)), (box_low, box_high), OPTIONS)
    solver.run()
    status = solver.modelStatusToString(solver.getModelStatus())
    solution = solver.getSolution()
    if status == "Optimal":
        lead, multipliers, point = (
            solver.getInfo().objective_function_value,
            np.array(solution.row_dual),
            solution.col_value,
        )
    elif status == "Infeasible":
        lead, multipliers, point = np.inf, np.array(solver.getDualRay()[2]), None
    else:
        lead, multipliers, point = np.nan, np.zeros(len(matrix.indptr) - 1), None
    parts = np.split(-multipliers, np.cumsum([row.shape[0] for row in rows])[:-1])
    slopes = parts[:-1:3]
    rivals = np.zeros(network.n_actions)
    rivals[others] = np.maximum(parts[-1], 0)
    if point is None:
        return Lead(-lead, rivals, slopes, None)
    weights = [s @ v for s, v in zip(slopes[1:], network.weights[1:-1], strict=True)]
    weights.append(rivals.sum() * w[action] - rivals @ w)
    gaps, values = [], np.array(point)
    for size, start in zip(hidden, starts, strict=False):
        before, after = values[start : start + size], values[start + size : start + 2 * size]
        gaps.append(np.abs(after - np.maximum(before, 0)))
    return Lead(-lead, rivals, slopes, np.clip(values[:n], lower, upper), gaps, [np.abs(x) for x in weights])
