"""Networks of ReLU layers as exact numbers, and the regions of inputs that stand for the states of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array, Mask

SIGNIFICANDS = (24, 53)
"""Binary digits of single and double precision."""


@dataclass(frozen=True, eq=False, init=False)
class ReluNetwork:
    """A feed-forward network with ReLU between its layers: ``z = W_L max(... max(W_1 x + b_1, 0) ..., 0) + b_L``.

    Its outputs are one number for each action (logits of a softmax policy, action values), and it *chooses* the action
    with the largest.

    Parameters
    ----------
    weights : sequence of arrays (outputs, inputs)
        One for each layer, at least one; each takes as many inputs as the layer below has outputs.
    biases : sequence of arrays (outputs,)
    significand : {24, 53, None}
        Binary digits of the arithmetic in which the network computes where it is used: 24 for ``float32``, 53 for
        ``float64``, all of it: TF32 and bfloat16 have fewer.  None for exact arithmetic: then nothing is said about
        rounding.

    Raises
    ------
    ValueError
        For shapes that do not go together, numbers that are not finite, fewer than two outputs, or another
        significand.

    Examples
    --------
    >>> net = ReluNetwork([[[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0], [0.0, 0.25]], significand=24)
    >>> net
    ReluNetwork(1-2-2, significand 24)
    >>> net.outputs([[0.5], [-0.5]])
    array([[0.5 , 0.25],
           [0.  , 0.75]])
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    significand: int | None

    def __init__(
        self, weights: Sequence[npt.ArrayLike], biases: Sequence[npt.ArrayLike], significand: int | None = None
    ) -> None:
        if len(weights) == 0 or len(weights) != len(biases):
            raise ValueError(
                f"weights: should be one matrix for each layer and biases as many vectors, at least one; were "
                f"{len(weights)} and {len(biases)}"
            )
        if significand is not None and significand not in SIGNIFICANDS:
            raise ValueError(f"significand: was {significand!r}, should be 24, 53 or None")
        kept_weights: list[Array] = []
        kept_biases: list[Array] = []
        for layer, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
            w, b = (
                _finite(f"weights[{layer}]", matrix, 2),
                _finite(f"biases[{layer}]", bias, 1),
            )
            if b.shape != w.shape[:1]:
                raise ValueError(
                    f"biases[{layer}]: should have {w.shape[0]} numbers, one for each output, has {b.size}"
                )
            if layer and w.shape[1] != kept_biases[-1].size:
                raise ValueError(
                    f"weights[{layer}]: takes {w.shape[1]} inputs, the layer below has {kept_biases[-1].size} outputs"
                )
            kept_weights.append(w)
            kept_biases.append(b)
        if kept_biases[-1].size < 2:
            raise ValueError("weights: the last layer should have an output for each action, at least 2, has 1")
        object.__setattr__(self, "weights", tuple(kept_weights))
        object.__setattr__(self, "biases", tuple(kept_biases))
        object.__setattr__(self, "significand", significand)

    @property
    def n_inputs(self) -> int:
        """Length of an observation."""
        return int(self.weights[0].shape[1])

    @property
    def n_actions(self) -> int:
        """Number of outputs."""
        return int(self.biases[-1].size)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of the neurons of each hidden layer, and of outputs."""
        return (self.n_inputs, *(int(b.size) for b in self.biases))

    def outputs(self, inputs: npt.ArrayLike) -> Array:
        """The last layer at ``inputs`` (..., n), in double precision, (..., A)."""
        values = np.asarray(inputs, dtype=float)
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ w.T + b, 0)
        return np.asarray(values @ self.weights[-1].T + self.biases[-1])

    def __repr__(self) -> str:
        return f"ReluNetwork({'-'.join(map(str, self.sizes))}, significand {self.significand})"


@dataclass(frozen=True, eq=False, init=False)
class InputRegion:
    """A box of inputs that stands for one state of a table, and what the table says the network does in it.

    Parameters
    ----------
    lower, upper : array (n,)
        Corners of the closed box, ``lower <= upper``.
    state : int
        The state, from 0.  Several regions can stand for one state.
    actions : sequence of int
        The actions that the table allows there, at least one.

    Raises
    ------
    ValueError
        When the box is upside down, not finite, or the actions or the state are no indices.
    """

    lower: Array
    upper: Array
    state: int
    actions: tuple[int, ...]

    def __init__(self, lower: npt.ArrayLike, upper: npt.ArrayLike, state: int, actions: Sequence[int]) -> None:
        low, high = _finite("lower", lower, 1), _finite("upper", upper, 1)
        if low.shape != high.shape:
            raise ValueError(f"upper: has {high.size} numbers, should have {low.size} as lower has")
        if (low > high).any():
            place = int(np.argmax(low > high))
            raise ValueError(
                f"lower[{place}]: is {float(low[place])!r}, should be at most upper[{place}], {float(high[place])!r}"
            )
        chosen = tuple(sorted({int(action) for action in actions}))
        if not chosen or chosen[0] < 0 or any(int(action) != action for action in actions):
            raise ValueError(f"actions: were {list(actions)!r}, should be one action or more, counted from 0")
        if int(state) != state or state < 0:
            raise ValueError(f"state: was {state!r}, should be an index >= 0")
        for name, value in {"lower": low, "upper": high, "state": int(state), "actions": chosen}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"InputRegion(state {self.state}, {self.lower.size} inputs, actions {list(self.actions)})"


def regions_around(
    observations: npt.ArrayLike, radius: npt.ArrayLike, policy: npt.ArrayLike
) -> tuple[InputRegion, ...]:
    """One region for each state that a table speaks of: its observation, give or take ``radius``.

    Parameters
    ----------
    observations : array (S, n)
        What the network sees in each state, without noise.
    radius : float or array (n,) or (S, n)
        Largest noise of each input, at least 0.
    policy : array (S, A)
        The table; its positive entries are the actions that it allows, and states whose row is 0 are left out.

    Raises
    ------
    ValueError
        When shapes do not go together or a radius is negative.

    Examples
    --------
    >>> regions_around([[0.0], [1.0]], 0.25, [[1.0, 0.0], [0.5, 0.5]])[1]
    InputRegion(state 1, 1 inputs, actions [0, 1])
    """
    seen, table = _finite("observations", observations, 2), _finite("policy", policy, 2)
    if len(seen) != len(table):
        raise ValueError(f"policy: has {len(table)} states, should have {len(seen)} as observations have")
    noise = np.asarray(radius, dtype=float)
    if noise.ndim > 2 or not _broadcasts(noise.shape, seen.shape):
        raise ValueError(
            f"radius: should be a number or have shape ({seen.shape[1]},) or {seen.shape}, was {noise.shape}"
        )
    if not (noise >= 0).all():
        raise ValueError("radius: should be 0 or more")
    low, high = seen - noise, seen + noise
    allowed: Mask = table > 0
    known = np.flatnonzero(allowed.any(axis=1)).tolist()
    return tuple(InputRegion(low[s], high[s], s, np.flatnonzero(allowed[s]).tolist()) for s in known)


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    return all(n in (1, m) for n, m in zip(shape[::-1], target[::-1], strict=False))


def _finite(name: str, given: npt.ArrayLike, dimensions: int) -> Array:
    array = np.array(given, dtype=float)
    if array.ndim != dimensions or 0 in array.shape:
        raise ValueError(f"{name}: should be an array with {dimensions} dimensions, not empty, has shape {array.shape}")
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name}{place}: is {float(array[tuple(place)])!r}, should be a finite number")
    array.setflags(write=False)
    return array
