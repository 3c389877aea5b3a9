"""Bounds on the neurons of a network over a box, in floating point: hints for proofs, which are checked elsewhere.

Interval arithmetic, and backward linear bounds with the slopes of CROWN (Zhang et al. 2018): a neuron whose sign is not
known is at most the line through the ends of its ReLU, and at least 0 or itself, whichever leaves the smaller area.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from irl_ident.certificates.network_model import ReluNetwork
from irl_ident.environment import Array

Bounds = tuple[Array, Array]
"""Least and largest value of each neuron of a layer before its ReLU."""


def neuron_bounds(
    network: ReluNetwork, lower: Array, upper: Array, phases: Mapping[tuple[int, int], int]
) -> list[Bounds] | None:
    """Bounds of each hidden layer where neurons have the signs ``phases``; None where nothing does."""
    known: list[Bounds] = []
    below = lower, upper
    for layer, (w, b) in enumerate(zip(network.weights[:-1], network.biases[:-1], strict=True)):
        up, down = np.maximum(w, 0), np.minimum(w, 0)
        low, high = up @ below[0] + down @ below[1] + b, up @ below[1] + down @ below[0] + b
        if layer:
            low = np.maximum(low, b - backward(network, lower, upper, known, -w))
            high = np.minimum(high, b + backward(network, lower, upper, known, w))
        for (split, i), sign in phases.items():
            if split == layer:
                low[i], high[i] = (max(low[i], 0), high[i]) if sign > 0 else (low[i], min(high[i], 0))
        if (low > high).any():
            return None
        known.append((low, high))
        below = np.maximum(low, 0), np.maximum(high, 0)
    return known


def backward(network: ReluNetwork, lower: Array, upper: Array, known: Sequence[Bounds], weights: Array) -> Array:
    """Upper bounds (m,) of ``weights @ h`` (m, n) with h the last layer of ``known``, by the rule's slopes."""
    total, g = np.zeros(len(weights)), weights
    for (low, high), w, b in list(zip(known, network.weights, network.biases, strict=False))[::-1]:
        unsure = (low < 0) & (high > 0)
        line = np.where(unsure, high / np.where(unsure, high - low, 1), low >= 0)
        offset = np.where(unsure, -low * line, 0)
        under = np.where(unsure, high > -low, low >= 0)
        rising = np.maximum(g, 0)
        slopes = rising * line + np.minimum(g, 0) * under
        total = total + rising @ offset + slopes @ b
        g = slopes @ w
    return np.asarray(total + np.maximum(g, 0) @ upper + np.minimum(g, 0) @ lower)
