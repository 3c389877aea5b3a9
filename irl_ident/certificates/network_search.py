"""The search for a proof that a network never chooses an action in a box, or for an input at which it does.

Branch and bound: backward bounds first, then a linear program; where that leaves the question open, the box is halved
or a neuron is split by its sign (Bunel et al. 2020).  With all signs known the program is exact; halving boxes is
faster while many neurons are undecided and there are few inputs.  Whatever is found is verified in whole numbers
before it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from irl_ident.certificates import network_checking
from irl_ident.certificates.network_bounds import Bounds, backward, neuron_bounds
from irl_ident.certificates.network_model import InputRegion, ReluNetwork
from irl_ident.certificates.network_program import Lead, largest_lead
from irl_ident.certificates.network_wholes import (
    Phases,
    Whole,
    WholeNetwork,
    halves,
    intervals,
    leaf_proves,
    needed_margin,
    whole_network,
)
from irl_ident.environment import Array

BITS = (12, 24, 48)
"""Multipliers are written as whole numbers of so many binary digits, few first."""

CORNERS = 6
"""Up to so many inputs all corners of a box are tried."""

UNDECIDED_PER_INPUT = 4
"""With more undecided neurons than this for each input the box is halved, with fewer a neuron is split."""

ROUNDING = 1e-9
"""What is decided by less than this share of the outputs is compared exactly."""

NEGLIGIBLE = 1e-12
"""A neuron this near to its ReLU is on it."""

Outcome = Literal["excluded", "reached", "near", "open"]


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of one action in one region.

    Attributes
    ----------
    outcome : {"excluded", "reached", "near", "open"}
        Chosen nowhere; chosen at ``inputs``; as good as the best at ``inputs``, as far as the margin can tell; nothing
        within the limit.
    parts : int
        How many parts of the region the search looked at.
    tree : dict, optional
        The proof of "excluded"; see :mod:`irl_ident.certificates.network_checking`.
    inputs : array (n,), optional
    """

    outcome: Outcome
    parts: int
    tree: Mapping[str, Any] | None = None
    inputs: Array | None = None


class Question:
    """One region of one network, in floating point and in whole numbers."""

    def __init__(self, network: ReluNetwork, region: InputRegion, margin: float) -> None:
        self.network, self.region, self.margin = network, region, margin
        self.given = (
            [w.tolist() for w in network.weights],
            [b.tolist() for b in network.biases],
            region.lower.tolist(),
            region.upper.tolist(),
        )
        self.whole: WholeNetwork = whole_network(*self.given, [margin])
        self.needed = needed_margin(self.whole, margin, network.significand)
        self.gap = float(np.nextafter(self.needed / 2**self.whole.scale, np.inf))
        self.slack = ROUNDING * float(np.abs(network.outputs(self.tried())).max())

    def lead(self, action: int, inputs: Array) -> Array:
        """How far ``action`` is ahead of all others at ``inputs`` (N, n), up to rounding, (N,)."""
        found = self.network.outputs(inputs)
        return np.asarray(found[:, action] - np.delete(found, action, axis=1).max(axis=1))

    def reached(self, action: int, inputs: Array) -> Array | None:
        """Of ``inputs`` (N, n) the one where ``action`` is furthest ahead, if that is by more than the margin."""
        lead = self.lead(action, inputs)
        best = int(np.argmax(lead))
        ahead = lead[best] > self.gap - self.slack and self._standing(action, inputs[best]) == "reached"
        return inputs[best] if ahead else None

    def near(self, action: int, inputs: Array) -> bool:
        """Whether ``action`` is as good as the best at ``inputs`` (n,), as far as the margin can tell."""
        lead = abs(float(self.lead(action, inputs[None])[0]))
        return lead <= self.gap + self.slack and self._standing(action, inputs) == "near"

    def _standing(self, action: int, inputs: Array) -> str:
        return network_checking.standing(*self.given, inputs.tolist(), action, self.margin, self.network.significand)

    def tried(self) -> Array:
        """Inputs worth a look before any search: the centre and, where they are few, the corners."""
        low, high = self.region.lower, self.region.upper
        corners: Iterable[tuple[float, ...]] = product(*zip(low, high, strict=True)) if low.size <= CORNERS else ()
        return np.array([np.clip(low / 2 + high / 2, low, high), *corners])


@dataclass(frozen=True)
class _Part:
    """A part of the region, and the place in the tree where its proof belongs."""

    node: dict[str, Any]
    low: Whole
    high: Whole
    phases: Phases

    def proved(self, question: Question, action: int, hint: Lead) -> bool:
        """Whether the multipliers of ``hint`` are a proof, which is then written down."""
        if not hint.lead < question.slack - question.gap:
            return False
        known = intervals(question.whole, self.low, self.high, self.phases)
        for leaf in _leaves(hint):
            if leaf_proves(question.whole, self.low, self.high, known, action, leaf, question.needed):
                self.node.update(leaf)
                return True
        return False

    def halved(self, j: int) -> list[_Part]:
        """Both halves along input j."""
        self.node.update({"input": j, "below": {}, "above": {}})
        parts = []
        for side, (low, high) in zip(("below", "above"), halves(self.low[j], self.high[j]), strict=True):
            corners = [*self.low[:j], low, *self.low[j + 1 :]], [*self.high[:j], high, *self.high[j + 1 :]]
            parts.append(_Part(self.node[side], *corners, self.phases))
        return parts

    def split(self, neuron: tuple[int, int]) -> list[_Part]:
        """The inputs at which a neuron is inactive and those at which it is active."""
        self.node.update({"neuron": list(neuron), "inactive": {}, "active": {}})
        return [
            _Part(self.node[side], self.low, self.high, {**self.phases, neuron: sign})
            for side, sign in (("inactive", -1), ("active", 1))
        ]


def decide(question: Question, action: int, most: int) -> Found:
    """Search for a proof that ``action`` is chosen nowhere, or for where it is, over at most ``most`` parts."""
    reached = question.reached(action, question.tried())
    if reached is not None:
        return Found("reached", 0, inputs=reached)
    network, unit = question.network, 2**question.whole.digits
    tree: dict[str, Any] = {}
    near: Array | None = None
    closed, count = True, 0
    todo = [_Part(tree, question.whole.lower, question.whole.upper, {})]
    while todo and count < most:
        part = todo.pop()
        count += 1
        lower, upper = (np.array([x / unit for x in corner]) for corner in (part.low, part.high))
        known = neuron_bounds(network, lower, upper, part.phases)
        hint = _backward_hint(network, lower, upper, known, action)
        if part.proved(question, action, hint):
            continue
        if known is not None:
            hint = largest_lead(network, lower, upper, known, action)
            if part.proved(question, action, hint):
                continue
        if hint.inputs is not None:
            reached = question.reached(action, hint.inputs[None])
            if reached is not None:
                return Found("reached", count, inputs=reached)
            if near is None and question.near(action, hint.inputs):
                near = hint.inputs
        parts = [] if known is None or (near is not None and hint.lead <= question.gap) else _parts(part, known, hint)
        closed &= bool(parts)
        todo += parts
    if closed and not todo:
        return Found("excluded", count, tree=tree)
    return Found("open" if near is None else "near", count, inputs=near)


def _leaves(hint: Lead) -> Iterator[dict[str, Any]]:
    """The multipliers as whole numbers, of few digits first."""
    rows = [hint.rivals, *(hint.slopes or [])]
    largest = max(float(np.abs(row).max()) for row in rows)
    for bits in BITS:
        factor = 2.0**bits / largest if largest > 0 else 0.0
        rivals, *slopes = [[round(x) for x in (row * factor).tolist()] for row in rows]
        yield {"rivals": rivals} if hint.slopes is None else {"rivals": rivals, "slopes": slopes}
        if hint.slopes is None:
            return


def _backward_hint(network: ReluNetwork, lower: Array, upper: Array, known: list[Bounds] | None, action: int) -> Lead:
    """The rule's slopes against the rival that is ahead in the middle; no rival where there is nothing to bound."""
    rivals = np.zeros(network.n_actions)
    if known is None:
        return Lead(-np.inf, rivals, None, None)
    middle = network.outputs(lower / 2 + upper / 2)
    middle[action] = -np.inf
    rivals[np.argmax(middle)] = 1
    w, b = network.weights[-1], network.biases[-1]
    bound = backward(network, lower, upper, known, (w[action] - rivals @ w)[None])
    return Lead(float(bound[0] + b[action] - rivals @ b), rivals, None, None)


def _parts(part: _Part, known: list[Bounds], hint: Lead) -> list[_Part]:
    """The two parts to look at next; none where a part cannot be told better than it is."""
    undecided = [np.where((low < 0) & (high > 0), np.minimum(-low, high), 0) for low, high in known]
    widths = [high - low for low, high in zip(part.low, part.high, strict=True)]
    if sum(np.count_nonzero(row) for row in undecided) > UNDECIDED_PER_INPUT * len(widths) and max(widths) > 0:
        return part.halved(widths.index(max(widths)))
    gaps = [gap * (row > 0) for gap, row in zip(hint.gaps or undecided, undecided, strict=True)]
    weighted = [gap * weight for gap, weight in zip(gaps, hint.weights, strict=True)] if hint.weights else gaps
    for scores in (weighted, gaps):
        largest = [row.max() for row in scores]
        if largest and max(largest) > NEGLIGIBLE:
            layer = int(np.argmax(largest))
            return part.split((layer, int(np.argmax(scores[layer]))))
    return []
