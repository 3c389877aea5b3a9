"""Which actions the policies that attain given expected features can choose, and a direction that shuns the others.

Let ``x`` be the occupancy of a policy in each environment and ``x + z`` another with the same expected features:

    B^T z = 0 in each environment,        sum over environments of Phi^T z = 0,        z >= 0 where x is 0,

B the shaping map.  Such z make a cone, so that one linear program finds which of its entries can be positive: with
``z = u + w`` where x is 0, maximise ``sum u`` subject to ``0 <= u <= 1, w >= 0``.  In a solution u is 1 wherever some z
is positive and 0 elsewhere (Freund, Roundy & Todd 1985).  The multipliers of the features are a theta under which the
actions that are never chosen are at least 1 worse than the others, which are all optimal; it exists just when they are
never chosen (Goldman & Tucker 1956).

The program is bounded here, for z whose entries differ by more than floating point resolves are of no use: an action
that takes so many other changes is chosen so rarely that MEG does not tell.  It can then count as never chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from irl_ident.environment import Array, Mask
from irl_ident.goal_directedness.terms import Term

RATIOS = (1e4, 1e3, 1e2)
"""Bounds of z that are tried until the linear program can be solved."""

SEEN = 1e-5
"""Actions with u above this can be chosen."""


@dataclass(frozen=True, eq=False)
class Support:
    """What can be chosen while expected features stay as they are.

    Attributes
    ----------
    allowed : tuple of array (S, A) of bool
        For each environment, the actions that some such policy chooses; all actions in states to which none comes.
    complete : bool
        Whether they are all there are.
    direction : array (d,)
        Under this theta actions that are not allowed are at least 1 worse than allowed ones, which are all optimal;
        0 where the support is complete.
    occupancies : tuple of array (S, A)
        Of one policy with these features, positive wherever an action is allowed in a state to which it comes.
    """

    allowed: tuple[Mask, ...]
    complete: bool
    direction: Array
    occupancies: tuple[Array, ...]


def unrestricted(terms: Sequence[Term]) -> Support:
    """All actions, with the policies themselves."""
    everything = tuple(np.ones(term.occupancy.shape, dtype=bool) for term in terms)
    size = terms[0].features.shape[1]
    return Support(everything, True, np.zeros(size), tuple(term.occupancy for term in terms))


def support(terms: Sequence[Term]) -> Support:
    """The largest support of policies with the expected features of ``terms``.

    Where the linear program cannot be solved, nothing is ruled out.
    """
    asked = np.concatenate([((t.occupancy == 0) & t.env.reachable[:, None]).ravel() for t in terms])
    if not asked.any():
        return unrestricted(terms)
    free = np.concatenate([term.occupancy.ravel() > 0 for term in terms])
    flows = sparse.block_diag([term.env.shaping.T for term in terms], format="csr")
    features = sparse.hstack([term.features.T for term in terms], format="csr")
    units = np.asarray(abs(features).max(axis=1).todense()).ravel()
    units[units == 0] = 1
    rows = sparse.vstack([flows, sparse.diags_array(1 / units) @ features], format="csr")
    unknown = sparse.csr_array(rows[:, np.flatnonzero(asked)])
    for ratio in RATIOS:
        found = _solved(sparse.hstack([unknown, rows], format="csr"), asked, free, ratio)
        if found.status == 0:
            chosen, moved = ~asked, found.x[unknown.shape[1] :]
            chosen[asked] = found.x[: unknown.shape[1]] > SEEN
            moved[asked] += found.x[: unknown.shape[1]]
            direction = found.eqlin.marginals[flows.shape[0] :] / units
            return _support(terms, chosen, np.where(chosen, moved, 0), direction)
    return unrestricted(terms)


def _solved(rows: sparse.csr_array, asked: Mask, free: Mask, ratio: float) -> Any:
    """The linear program in u for the pairs that are asked about and z for all, or w where asked about."""
    count = int(asked.sum())
    solver: Any = linprog
    return solver(
        np.concatenate([-np.ones(count), np.zeros(asked.size)]),
        A_eq=rows,
        b_eq=np.zeros(rows.shape[0]),
        bounds=np.column_stack(
            [
                np.concatenate([np.zeros(count), np.where(free, -ratio, 0)]),
                np.concatenate([np.ones(count), np.where(free | asked, ratio, 0)]),
            ]
        ),
        method="highs",
    )


def _support(terms: Sequence[Term], chosen: Mask, moved: Array, direction: Array) -> Support:
    ends = np.cumsum([term.occupancy.size for term in terms])[:-1]
    allowed, complete = [], True
    for term, mask in zip(terms, np.split(chosen, ends), strict=True):
        here = mask.reshape(term.occupancy.shape) & term.env.reachable[:, None]
        complete &= bool((here | ~term.env.reachable[:, None]).all())
        allowed.append(here | ~here.any(axis=1, keepdims=True))
    steps = [step.reshape(term.occupancy.shape) for term, step in zip(terms, np.split(moved, ends), strict=True)]
    inside = _inside([term.occupancy for term in terms], steps)
    return Support(tuple(allowed), complete, np.zeros_like(direction) if complete else direction, inside)


def _inside(occupancies: Sequence[Array], steps: Sequence[Array]) -> tuple[Array, ...]:
    """Occupancies moved by the same share of their steps, none of their entries by more than half to 0."""
    rate = 1.0
    for x, step in zip(occupancies, steps, strict=True):
        lost = (x > 0) & (step < 0)
        rate = min(rate, float((x[lost] / -step[lost]).min(initial=2.0)) / 2)
    return tuple(np.where((x > 0) | (step > 0), x + rate * step, 0) for x, step in zip(occupancies, steps, strict=True))
