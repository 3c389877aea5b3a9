"""The linear program of one action over one box: how far can it be ahead of its nearest rival?

    max t   over   z_l = W_l h_(l-1) + b_l,   h_0 in the box,   z_L[b] - z_L[a] >= t for all a other than b,

with each neuron's ``h = max(z, 0)`` where its sign is known and the triangle over its interval elsewhere (Ehlers 2017).
Its multipliers are the slopes and rivals of a proof, and where it is at its best is a good place to look for a
counterexample, or for the neuron to split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.certificates.network_bounds import Bounds
from irl_ident.certificates.network_model import ReluNetwork
from irl_ident.environment import Array
from irl_ident.highs import minimise

Rows = tuple[Array, Array, Array]
"""Coefficients, and what they are between."""

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
    """Solve the program of ``action``; its unknowns are h_0, then z_l and h_l of each hidden layer, then t."""
    hidden = [b.size for b in network.biases[:-1]]
    starts = network.n_inputs + 2 * np.cumsum([0, *hidden])
    box = [(lower, upper)]
    rows: list[Rows] = []
    below = np.arange(network.n_inputs)
    for layer, (low, high) in enumerate(known):
        before = starts[layer] + np.arange(hidden[layer])
        after = before + hidden[layer]
        rows += _layer(network.weights[layer], network.biases[layer], (low, high), (below, before, after), starts[-1])
        box += [(low, high), (np.maximum(low, 0), np.maximum(high, 0))]
        below = after
    others = np.delete(np.arange(network.n_actions), action)
    w, b = network.weights[-1], network.biases[-1]
    race = np.zeros((others.size, starts[-1] + 1))
    race[:, below] = w[others] - w[action]
    race[:, -1] = 1
    rows.append((race, np.full(others.size, -np.inf), b[action] - b[others]))
    box.append((np.array([-np.inf]), np.array([np.inf])))
    coefficients, least, most = (np.concatenate(part) for part in zip(*rows, strict=True))
    low, high = (np.concatenate(part) for part in zip(*box, strict=True))
    solver = minimise(-np.eye(low.size)[-1], sparse.csr_array(coefficients), (least, most), (low, high), OPTIONS)
    solver.run()
    status = solver.modelStatusToString(solver.getModelStatus())
    if status not in ("Optimal", "Infeasible"):
        return Lead(np.nan, np.zeros(network.n_actions), None, None)
    point = solver.getSolution() if status == "Optimal" else None
    multipliers = -np.array(solver.getDualRay()[2] if point is None else point.row_dual)
    *layers, last = np.split(multipliers, np.cumsum([len(part[0]) for part in rows])[:-1])
    slopes, rivals = layers[::3], np.zeros(network.n_actions)
    rivals[others] = np.maximum(last, 0)
    if point is None:
        return Lead(-np.inf, rivals, slopes, None)
    values = np.array(point.col_value)
    gaps = [
        np.abs(values[start + size : start + 2 * size] - np.maximum(values[start : start + size], 0))
        for size, start in zip(hidden, starts, strict=False)
    ]
    above = [
        *(s @ v for s, v in zip(slopes[1:], network.weights[1:-1], strict=True)),
        rivals.sum() * w[action] - rivals @ w,
    ]
    inputs = np.clip(values[: lower.size], lower, upper)
    return Lead(float(values[-1]), rivals, slopes, inputs, gaps, [np.abs(g) for g in above[: len(hidden)]])


def _layer(w: Array, b: Array, bounds: Bounds, places: tuple[Any, Any, Any], last: int) -> list[Rows]:
    """What ties a hidden layer to the one below: its equations, ``h >= z``, and the line above undecided neurons."""
    (low, high), (below, before, after) = bounds, places
    unsure = (low < 0) & (high > 0)
    active, bent = np.flatnonzero(unsure | (low >= 0)), np.flatnonzero(unsure)
    slope = high[bent] / (high[bent] - low[bent])
    equations, floor, roof = (np.zeros((count, last + 1)) for count in (b.size, active.size, bent.size))
    equations[np.arange(b.size), before] = 1
    equations[:, below] = -w
    floor[np.arange(active.size), after[active]] = 1
    floor[np.arange(active.size), before[active]] = -1
    roof[np.arange(bent.size), after[bent]] = 1
    roof[np.arange(bent.size), before[bent]] = -slope
    return [
        (equations, b, b),
        (floor, np.zeros(active.size), np.where(unsure[active], np.inf, 0)),
        (roof, np.full(bent.size, -np.inf), -slope * low[bent]),
    ]
