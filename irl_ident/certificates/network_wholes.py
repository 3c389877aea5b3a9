"""What the checker of network certificates computes, in whole numbers.

A network ``z_l = W_l h_(l-1) + b_l``, ``h_l = max(z_l, 0)``, ``h_0 = x``, of binary floating-point numbers is a network
of whole numbers: when all that is given is a multiple of ``2^-p``, then ``2^((l+1)p) z_l`` is whole for layers l = 1,
2, ..., L, and ReLU does not mind the factor.  So nothing is ever rounded, except on purpose and to the safe side.

**Excluded.**  An action b is excluded from a box when nowhere in it ``z_L[b] >= z_L[a] - m`` for all other actions a.
The proof is a tree that halves inputs and splits neurons by their sign.  On a leaf, for weights ``c`` over the last
layer (positive for b, minus the multiplier of each rival) and *any* slopes ``s_l`` on the layers below,

    c . z_L  <=  c . b_L + sum over l < L of (s_l . b_l + sum over i of max over z of (g_li max(z, 0) - s_li z))
                 + max over the box of (s_1 W_1) . x,              g_l = s_(l+1) W_(l+1),  s_L = c,

where z runs through the interval in which ``z_li`` is known to be: this is the Lagrangian of the equations that tie
layers (Dvijotham et al. 2018), and backward linear bounds (Zhang et al. 2018, CROWN) are its value at
certain slopes.  Intervals of neurons come from interval arithmetic and from such backward bounds with slopes fixed by a
rule, computed here anew.  Where the bound is below ``-m`` times the sum of the multipliers, nobody is there.

**Reached.**  At a given input in the box ``z_L[b] > z_L[a] + m`` for all others: the network takes b there.

**Near.**  At a given input in the box ``z_L[b] >= z_L[a] - m`` for all others, and no more is claimed: a tie, as far as
``m`` can tell.

``m`` is the stated margin and what rounding can do to the difference of two outputs of a network that computes with
``t`` binary digits, in any order of summation, with or without fused multiplications, on inputs that were rounded too:
the inner products of k terms of a layer are off by at most ``k u / (1 - k u)`` times the sum of the terms' sizes,
``u = 2^-t`` (Higham 2002, section 3.1), and what comes in from below is off already.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from operator import mul
from typing import Any

Whole = list[int]
Interval = tuple[int, int]
Phases = Mapping[tuple[int, int], int]
"""Signs (1 or -1) of neurons (hidden layer, place), both counted from 0."""

FEWEST_DIGITS = 32
"""Units are at least as fine as this, so that what is rounded up is not rounded far."""

SMALLEST, LARGEST = {24: 126, 53: 1022}, {24: 127, 53: 1023}
"""Exponents of the smallest normal number (negated) and of the largest, for each number of binary digits."""


class Rejected(ValueError):
    """A certificate does not prove what it claims; the message says where."""


@dataclass(frozen=True)
class WholeNetwork:
    """A network and a box, all in whole numbers.

    Attributes
    ----------
    weights : list of list of list of int
        One matrix for each layer, a row for each output.
    biases : list of list of int
    lower, upper : list of int
        The box of inputs.
    digits : int
        p: inputs are in units of ``2^-p``, layer l (from 0) is in units of ``2^-(l + 2)p``.
    """

    weights: list[list[Whole]]
    biases: list[Whole]
    lower: Whole
    upper: Whole
    digits: int

    @property
    def hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.weights) - 1

    @property
    def scale(self) -> int:
        """What outputs are multiplied by, as a power of two."""
        return (len(self.weights) + 1) * self.digits

    @cached_property
    def known(self) -> list[list[Interval]]:
        """The intervals of hidden neurons over the whole box."""
        return _intervals(self, self.lower, self.upper, {}) or []


def whole_network(
    weights: Sequence[Sequence[Sequence[float]]],
    biases: Sequence[Sequence[float]],
    lower: Sequence[float],
    upper: Sequence[float],
    others: Iterable[float] = (),
) -> WholeNetwork:
    """The same network in whole numbers, fine enough for ``others`` too."""
    given = [x for matrix in weights for row in matrix for x in row] + [x for row in biases for x in row]
    needed = (x.as_integer_ratio()[1].bit_length() - 1 for x in [*given, *lower, *upper, *others])
    digits = max(FEWEST_DIGITS, *needed)
    return WholeNetwork(
        [[wholes(row, digits) for row in matrix] for matrix in weights],
        [wholes(row, (layer + 2) * digits) for layer, row in enumerate(biases)],
        wholes(lower, digits),
        wholes(upper, digits),
        digits,
    )


def wholes(numbers: Iterable[float], digits: int) -> Whole:
    """Numbers in units of ``2^-digits``, of which they are multiples."""
    return [top * ((1 << digits) // bottom) for top, bottom in (x.as_integer_ratio() for x in numbers)]


def outputs(net: WholeNetwork, inputs: Whole) -> Whole:
    """The last layer at ``inputs``."""
    values = inputs
    for layer, (matrix, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        values = [_dot(row, values) + b for row, b in zip(matrix, bias, strict=True)]
        if layer < net.hidden:
            values = [max(z, 0) for z in values]
    return values


def needed_margin(net: WholeNetwork, margin: float, significand: int | None) -> int:
    """m: the stated margin and what rounding can do to a difference of two outputs, rounded up, in units of outputs."""
    stated = math.ceil(Fraction(margin) * (1 << net.scale))
    if significand is None:
        return stated
    sizes = [max(abs(low), abs(high)) for low, high in zip(net.lower, net.upper, strict=True)]
    tiny = SMALLEST[significand]
    errors = [_up(size, 1 << significand) + _up(1 << net.digits, 1 << tiny) for size in sizes]
    for layer, (matrix, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        terms, unit = len(sizes) + 1, 1 << (layer + 2) * net.digits
        if terms >= 1 << significand - 1:
            raise Rejected(f"layer {layer}: has too many terms for arithmetic with {significand} binary digits")
        slips = _up(4 * terms * unit, 1 << tiny)
        computed, largest, off = [size + error for size, error in zip(sizes, errors, strict=True)], [], []
        for row, b in zip(matrix, bias, strict=True):
            size = [abs(w) for w in row]
            rounding = _up(terms * (_dot(size, computed) + abs(b)), (1 << significand) - terms)
            off.append(_dot(size, errors) + rounding + slips)
            largest.append(_dot(size, sizes) + abs(b))
            if largest[-1] + off[-1] >= unit << LARGEST[significand]:
                raise Rejected(f"layer {layer}: may overflow in arithmetic with {significand} binary digits")
        errors = off
        if layer < net.hidden:
            sizes = [max(high, 0) for _, high in net.known[layer]]
    return stated + 2 * max(errors)


def intervals(net: WholeNetwork, lower: Whole, upper: Whole, phases: Phases) -> list[list[Interval]] | None:
    """Where each hidden neuron is before its ReLU, for each hidden layer; None where the box holds no such input."""
    whole = not phases and (lower, upper) == (net.lower, net.upper)
    return net.known if whole else _intervals(net, lower, upper, phases)


def _intervals(net: WholeNetwork, lower: Whole, upper: Whole, phases: Phases) -> list[list[Interval]] | None:
    known: list[list[Interval]] = []
    below = list(zip(lower, upper, strict=True))
    for layer in range(net.hidden):
        found = []
        for i, (row, b) in enumerate(zip(net.weights[layer], net.biases[layer], strict=True)):
            negated = [-w for w in row]
            low, high = -_largest(negated, below), _largest(row, below)
            if layer:
                low = max(low, -at_most(net, lower, upper, known, negated))
                high = min(high, at_most(net, lower, upper, known, row))
            low, high = low + b, high + b
            sign = phases.get((layer, i), 0)
            low, high = max(low, 0) if sign > 0 else low, min(high, 0) if sign < 0 else high
            if low > high:
                return None
            found.append((low, high))
        known.append(found)
        below = [(max(low, 0), max(high, 0)) for low, high in found]
    return known


def at_most(
    net: WholeNetwork,
    lower: Whole,
    upper: Whole,
    known: list[list[Interval]],
    weights: Whole,
    slopes: Sequence[Whole] | None = None,
) -> int:
    """A bound on ``weights . h`` with h the last layer of ``known``, by ``slopes`` or, without, by the rule's."""
    total, g = 0, weights
    for layer in range(len(known) - 1, -1, -1):
        chosen = slopes[layer] if slopes is not None else [_slope(x, *z) for x, z in zip(g, known[layer], strict=True)]
        total += sum(map(_excess, g, chosen, known[layer]))
        total += _dot(chosen, net.biases[layer])
        g = [_dot(chosen, column) for column in zip(*net.weights[layer], strict=True)]
    return total + _largest(g, zip(lower, upper, strict=True))


def _slope(weight: int, low: int, high: int) -> int:
    """The rule: the upper line of ReLU on an interval, or the better of its two lower lines by area."""
    if low >= 0 or high <= 0:
        return weight if low >= 0 else 0
    if weight >= 0:
        return weight * high // (high - low)
    return weight if high > -low else 0


def leaf_proves(
    net: WholeNetwork,
    lower: Whole,
    upper: Whole,
    known: list[list[Interval]] | None,
    action: int,
    leaf: Mapping[str, Any],
    margin: int,
) -> bool:
    """Whether the multipliers of a leaf with the intervals ``known`` show that ``action`` is chosen nowhere in it."""
    if known is None:
        return True
    total: int = sum(leaf["rivals"])
    c = [-rival for rival in leaf["rivals"]]
    c[action] += total
    slopes = None
    if "slopes" in leaf:
        slopes = [[s << net.digits * (net.hidden - layer) for s in row] for layer, row in enumerate(leaf["slopes"])]
    g = [_dot(c, column) for column in zip(*net.weights[-1], strict=True)]
    bound = at_most(net, lower, upper, known, g, slopes) + _dot(c, net.biases[-1])
    return bound + margin * total < 0


def _excess(weight: int, slope: int, interval: Interval) -> int:
    """The largest ``weight max(z, 0) - slope z`` over an interval: at an end, or at 0."""
    low, high = interval
    left = (weight - slope) * low if low > 0 else -slope * low
    right = (weight - slope) * high if high > 0 else -slope * high
    largest = left if left > right else right
    return 0 if largest < 0 and low < 0 < high else largest


def _largest(weights: Sequence[int], box: Iterable[Interval]) -> int:
    """The largest ``weights . x`` over a box."""
    return sum(w * high if w > 0 else w * low for w, (low, high) in zip(weights, box, strict=True))


def halves(low: int, high: int) -> tuple[Interval, Interval]:
    """The two halves of an interval."""
    middle = (low + high) // 2
    return (low, middle), (middle, high)


def _dot(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(map(mul, a, b))


def _up(top: int, bottom: int) -> int:
    """``top / bottom`` rounded up."""
    return -(-top // bottom)
