"""The support function of an optimal agent's identified set, with certified bounds.

    h(c) = max c . theta   over   |theta|_inf <= 1   and   slack_e = B_e V_e - Phi_e theta  = 0 on shown actions,
                                                                                     >= 0 on all others.

**Upper bound.**  For any multipliers ``y_e``, at least 0 on rows that are not shown and of any sign on shown ones,

    c . theta <= c . theta + sum_e y_e . slack_e = (c - sum_e Phi_e^T y_e) . theta + sum_e (B_e^T y_e) . V_e
              <= |c - sum_e Phi_e^T y_e|_1 + sum_e |B_e^T y_e|_1 max|V_e|,

where values are bounded by ``max|V_e| = max_row |Phi_e|_1 / (1 - g)``.  Negative multipliers are put to 0, those of one
shown action a state are solved anew from the balance ``B_e^T y_e = 0``, and what is left of it (rounding) is paid for
in the last term, as is the rounding of these sums, which is large where multipliers are.  So ``upper`` is right
whatever the solver did.

**Lower bound.**  ``theta`` is cut to the box, ``V_e`` is evaluated again on the shown actions, and ``violation`` is the
largest wrong slack that is left.  ``lower = c . theta`` is the value of a reward that explains the behaviour up to
``violation``; it is below h(c) exactly where that is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from irl_ident.environment import Array
from irl_ident.identified.cone.elimination import eliminated
from irl_ident.identified.cone.generating import Generated
from irl_ident.identified.cone.interior import iterates
from irl_ident.identified.cone.lifted import Block, Cone
from irl_ident.identified.cone.newton import Band, Fronts, Newton
from irl_ident.identified.cone.program import Program, lifted, reduced

__all__ = ["Cone", "Support", "certify", "support", "supports"]

Status = Literal["optimal", "inexact"]

GAP = 1e-6
VIOLATION = 1e-7
"""Relative gap and violation up to which an answer is called optimal."""

GOAL = 1e-7
"""Relative gap at which the interior point stops."""

PROMISING = 1e-4
"""Relative gap of an interior point from which on it is worth a certificate."""

PATIENCE = 10
"""Certificates in a row that may fail to improve; a quarter of that once the answer is optimal."""

HOPELESS = 1e-4
"""Certified gap, per unit of ``|direction|_1``, above which the program is solved again by HiGHS."""

FEASIBLE = 1e-9
"""Violation up to which the highest value counts."""

SIMPLEX_ENTRIES = 50_000
FEW_UNKNOWNS = 64
REDUCED_ENTRIES = 20_000_000
BAND_OPERATIONS = 1e9
FRONT_OPERATIONS = 2e11
"""Limits, in entries of dense rows and in operations of one factorisation, that choose the method by size."""


@dataclass(frozen=True, eq=False)
class Support:
    """A support function's value between bounds.

    Attributes
    ----------
    value : float
        ``direction . theta``.
    theta : array (d,)
        In the gauge ``|theta|_inf <= 1``.
    lower, upper : float
        ``lower`` is ``value``; ``upper`` is certified, see the module.
    violation : float
        Largest wrong slack at ``theta`` and ``values``, in units of reward.
    status : {"optimal", "inexact"}
        ``"optimal"``: the gap is at most 1e-6 of the value (or, where that is larger, 1e-8 of ``|direction|_inf``), the
        violation at most 1e-7.
    multipliers : tuple of array (S, A)
        ``y_e``, the proof of ``upper``.
    values : tuple of array (S,)
        ``V_e``.
    solver : str
        What the solver said of its own answer.
    """

    value: float
    theta: Array
    lower: float
    upper: float
    violation: float
    status: Status
    multipliers: tuple[Array, ...]
    values: tuple[Array, ...]
    solver: str

    @property
    def gap(self) -> float:
        """``upper - lower``."""
        return self.upper - self.lower


def support(cone: Cone, direction: npt.ArrayLike) -> Support:
    """The largest ``direction . theta`` in ``cone`` with ``|theta|_inf <= 1``.

    The answer depends on the arguments alone; :func:`supports` is the faster one for many directions.

    Parameters
    ----------
    cone : Cone
    direction : array (d,)

    Returns
    -------
    Support

    Raises
    ------
    ValueError
        The direction has another shape or an entry that is not finite.
    """
    return next(supports(cone, [direction]))


def supports(cone: Cone, directions: Iterable[npt.ArrayLike]) -> Iterator[Support]:
    """Support functions of many directions, each solved from the solution of the one before.

    Parameters
    ----------
    cone : Cone
    directions : iterable of array (d,)
        Consumed as the answers are.

    Yields
    ------
    Support
    """
    for place, direction in enumerate(directions):
        given = np.asarray(direction, dtype=float)
        if given.shape != (cone.dim,):
            raise ValueError(f"direction: should have shape ({cone.dim},), was {given.shape}")
        if not np.isfinite(given).all():
            where = int(np.argmin(np.isfinite(given)))
            raise ValueError(f"direction[{where}] is {float(given[where])!r}: should be finite")
        engine = engine_of(cone)
        if isinstance(engine, Newton):
            found = _by_interior_point(cone, engine, given)
            if found.gap <= HOPELESS * np.abs(given).sum() and found.violation <= VIOLATION:
                yield found
                continue
            engine = lifted(cone)
        answer = engine.solve(given, warm=place > 0)
        yield certify(cone, given, answer.theta, answer.hidden, answer.multipliers, answer.status)


def certify(
    cone: Cone,
    direction: Array,
    theta: Array,
    hidden: Sequence[Array],
    multipliers: Array,
    solver: str = "",
) -> Support:
    """Bounds that hold whatever ``theta`` and ``multipliers`` are; see the module.

    Parameters
    ----------
    cone : Cone
    direction : array (d,)
    theta : array (d,)
    hidden : sequence of array
        For each environment the values of states without observation.
    multipliers : array (rows,)
        One for each lifted row, environment by environment, row ``s * A + a``.
    solver : str
        Kept in the answer.
    """
    inside = np.clip(theta, -1, 1)
    excess, unpaid, violation = direction.copy(), float(np.finfo(float).eps * np.abs(direction).sum()), 0.0
    proofs, values = [], []
    starts = np.cumsum([0, *(block.shown.size for block in cone.blocks)])
    for block, start, beyond in zip(cone.blocks, starts, hidden, strict=False):
        proof = repaired(block, multipliers[start : start + block.shown.size])
        excess -= block.features.T @ proof
        unpaid += float(np.abs(block.shaping.T @ proof).sum()) * block.value_bound + block.rounding(proof)
        value = block.evaluate(inside, beyond)
        slack = block.shaping @ value - block.features @ inside
        violation = max(violation, -slack[block.others].min(initial=0), np.abs(slack[block.tied]).max(initial=0))
        proofs.append(proof.reshape(block.shown.shape))
        values.append(value)
    lower, upper = float(direction @ inside), float(np.abs(excess).sum()) + unpaid
    status = _status(direction, lower, upper - lower, violation)
    return Support(lower, inside, lower, upper, violation, status, tuple(proofs), tuple(values), solver)


def repaired(block: Block, multipliers: Array) -> Array:
    """Multipliers (S * A,) with the right signs and, as far as these allow, ``B^T y = 0``.

    In states without observation the multipliers are a flow: each action keeps its share of what its state receives.
    """
    proof = multipliers.copy()
    proof[block.others] = np.maximum(proof[block.others], 0)
    if not block.hidden.size:
        return block.balance(proof)
    flow = proof.reshape(block.shown.shape)[block.hidden]
    total = flow.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, flow / np.where(total > 0, total, 1), 1 / block.n_actions)
    rows = (block.hidden[:, None] * block.n_actions + np.arange(block.n_actions)).ravel()
    proof[rows] = proof[block.chosen] = 0
    mixed = sparse.csr_array(
        (shares.ravel(), (np.repeat(block.hidden, block.n_actions), rows)), shape=(len(block.known), proof.size)
    )
    states = np.flatnonzero(block.known)
    mixed = mixed + sparse.csr_array((np.ones(states.size), (states, block.chosen)), shape=mixed.shape)
    received = splu(sparse.csc_array((mixed @ block.shaping).T)).solve(-(block.shaping.T @ proof))
    proof[rows] = (np.maximum(received[block.hidden], 0)[:, None] * shares).ravel()
    return block.balance(proof)


def _by_interior_point(cone: Cone, newton: Newton, direction: Array) -> Support:
    """The best certified answer along the iterates; stops when it is good, or no longer gets better."""
    nothing = [np.zeros(block.hidden.size) for block in cone.blocks]
    best = certify(
        cone, direction, np.zeros(cone.dim), nothing, np.zeros(cone.rows.shape[0]), "interior point, 0 steps"
    )
    if not direction.any():
        return best
    stalled = 0
    for step, iterate in enumerate(iterates(newton, direction), start=1):
        if iterate.gap > PROMISING * max(abs(iterate.value), np.abs(direction).max()):
            continue
        words = f"interior point, {step} steps"
        found = certify(cone, direction, iterate.theta, iterate.hidden, iterate.multipliers, words)
        stalled = 0 if found.gap < 0.9 * best.gap or found.violation < 0.5 * best.violation else stalled + 1
        best = _better(best, found, direction)
        enough = best.status == "optimal"
        if stalled >= (PATIENCE / 4 if enough else PATIENCE) or best.gap <= GOAL * _size(direction, best.value):
            break
    return best


def _better(one: Support, other: Support, direction: Array) -> Support:
    """The lower upper bound; of feasible points the one with the higher value, else the more feasible one."""
    proof = min(one, other, key=lambda found: found.upper)
    feasible = [found for found in (one, other) if found.violation <= FEASIBLE]
    point = max(feasible, key=lambda found: found.lower) if feasible else min(one, other, key=lambda f: f.violation)
    status = _status(direction, point.value, proof.upper - point.lower, point.violation)
    return replace(point, upper=proof.upper, multipliers=proof.multipliers, status=status, solver=other.solver)


def _status(direction: Array, value: float, gap: float, violation: float) -> Status:
    return "optimal" if gap <= GAP * _size(direction, value) and violation <= VIOLATION else "inexact"


def _size(direction: Array, value: float) -> float:
    return max(abs(value), 0.01 * float(np.abs(direction).max()))


_engines: WeakKeyDictionary[Cone, Program | Generated | Newton] = WeakKeyDictionary()


def engine_of(cone: Cone) -> Program | Generated | Newton:
    """What solves for this cone, chosen by its size and kept as long as the cone is."""
    if cone not in _engines:
        _engines[cone] = _chosen_engine(cone)
    return _engines[cone]


def _chosen_engine(cone: Cone) -> Program | Generated | Newton:
    """Simplex on dense rows or on those that matter, else an interior point, else HiGHS on what is smaller."""
    unknowns = cone.dim + sum(block.hidden.size for block in cone.blocks)
    entries = sum(block.shown.size for block in cone.blocks) * unknowns
    if entries <= SIMPLEX_ENTRIES:
        return reduced(cone)
    if unknowns <= FEW_UNKNOWNS and unknowns == cone.dim:
        return Generated(cone)
    if unknowns <= FEW_UNKNOWNS and entries <= REDUCED_ENTRIES:
        return reduced(cone)
    form = eliminated(cone)
    if form.unknowns * (form.bandwidth + 1) ** 2 <= BAND_OPERATIONS:
        return Band(form)
    fronts = Fronts(form)
    if fronts.dissection.operations <= FRONT_OPERATIONS:
        return fronts
    return reduced(cone) if entries <= REDUCED_ENTRIES else lifted(cone)
