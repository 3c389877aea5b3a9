"""Many small ReLU networks at once, and their derivatives by hand.

A network of depth D is ``z = W_D' h_D + b_D`` over ``h_(l+1) = max(W_l' h_l + b_l, 0)``, ``h_0`` the inputs.  N of them
are stacked along the first axis of every array, so that one call of ``matmul`` serves all; no entry of one depends on
another.  On one core a step of training in 7 environments of 17 states, with 27 inputs and 32 hidden units, takes 20 ms
by PyTorch's automatic differentiation, 0.8 ms here, and 0.16 ms for each of 200 that are trained together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from irl_ident.environment import Array

FLAT = 0.01
"""Share of its usual size that the last layer starts with, so that first policies are nearly uniform."""

Layers = list[tuple[Array, Array]]
"""Weights (N, inputs, outputs) and biases (N, 1, outputs) of each layer, from the inputs on."""


def initial(seeds: Sequence[int], sizes: Sequence[int]) -> Layers:
    """Networks as they are before training.

    Parameters
    ----------
    seeds : sequence of N int
    sizes : sequence of int
        Inputs, then the units of each layer, outputs last.

    Returns
    -------
    list of (array (N, inputs, outputs), array (N, 1, outputs))
        Weights are normal with variance 2 / inputs (He et al. 2015), those of the last layer ``FLAT`` times as large,
        biases 0.
    """
    layers: Layers = []
    generators = [np.random.default_rng(seed) for seed in seeds]
    for place, (below, above) in enumerate(pairwise(sizes)):
        size = np.sqrt(2 / below) * (FLAT if place == len(sizes) - 2 else 1)
        weights = np.stack([size * each.standard_normal((below, above)) for each in generators])
        layers.append((weights, np.zeros((len(seeds), 1, above))))
    return layers


def forward(layers: Layers, inputs: Array) -> tuple[Array, list[Array]]:
    """Outputs, and what each layer was given.

    Parameters
    ----------
    layers : list
        Of N networks.
    inputs : array (N, B, F) or (1, B, F)
        B rows of F inputs; one stack serves all networks.

    Returns
    -------
    array (N, B, outputs)
    list of arrays (N, B, units)
        For :func:`backward`; the first is ``inputs``.
    """
    given = [inputs]
    for weights, biases in layers[:-1]:
        hidden = given[-1] @ weights
        hidden += biases
        given.append(np.maximum(hidden, 0, out=hidden))
    weights, biases = layers[-1]
    return given[-1] @ weights + biases, given


def backward(layers: Layers, given: list[Array], slopes: Array) -> Layers:
    """Derivatives of a function of the outputs by weights and biases.

    Parameters
    ----------
    layers : list
        Of N networks.
    given : list of arrays
        From :func:`forward`.
    slopes : array (N, B, outputs)
        Derivatives by the outputs.

    Returns
    -------
    list
        Like ``layers``.  Where a unit is exactly at 0 its derivative is taken as 0.
    """
    found: Layers = []
    for place in range(len(layers) - 1, -1, -1):
        below = given[place]
        found.append((below.swapaxes(1, 2) @ slopes, slopes.sum(axis=1, keepdims=True)))
        if place:
            slopes = slopes @ layers[place][0].swapaxes(1, 2)
            slopes *= below > 0
    return found[::-1]
