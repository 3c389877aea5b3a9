"""Which actions the policies that attain given expected features can choose, and a direction that shuns the others.

Of all occupancies y >= 0 with ``B^T y = mu`` in each environment (``B`` its shaping map) and ``sum Phi^T y = sum Phi^T
x``, some one is positive wherever any is.  With the scale t of y free that is one linear program (Freund, Roundy &
Todd 1985):

    maximise  sum over s, a of u(s, a)
    subject to  B^T (u + w) = t mu,    sum Phi^T (u + w) = t sum Phi^T x,    0 <= u <= 1,    w, t >= 0,

whose solution has u = 1 where some occupancy is positive and 0 elsewhere.  Only actions that the policies themselves
never choose are asked about.  Its multipliers are a theta under which the
actions that are never chosen are at least 1 worse than the others, which are all optimal: by complementary slackness,
and by Goldman & Tucker (1956) such a theta exists whenever the actions are never chosen.
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

    Features that differ from those of a smaller support by less than the linear program's tolerance, 1e-7, can be taken
    for those; where the program cannot be solved, nothing is ruled out.
    """
    asked = [(term.occupancy == 0) & term.env.reachable[:, None] for term in terms]
    if not any(mask.any() for mask in asked):
        return unrestricted(terms)
    flat = np.concatenate([mask.ravel() for mask in asked])
    flows = sparse.block_diag([term.env.shaping.T for term in terms], format="csr")
    features = sparse.hstack([term.features.T for term in terms], format="csr")
    units = np.asarray(abs(features).max(axis=1).todense()).ravel()
    units[units == 0] = 1
    rows = sparse.vstack([flows, sparse.diags_array(1 / units) @ features], format="csr")
    starts = np.concatenate([term.env.initial for term in terms])
    mean = np.sum([term.mean for term in terms], axis=0) / units
    target = np.concatenate([starts, mean])
    unknown = sparse.csr_array(rows[:, np.flatnonzero(flat)])
    solver: Any = linprog
    found = solver(
        np.concatenate([-np.ones(unknown.shape[1]), np.zeros(rows.shape[1] + 1)]),
        A_eq=sparse.hstack([unknown, rows, sparse.csr_array(-target[:, None])], format="csr"),
        b_eq=np.zeros(rows.shape[0]),
        bounds=[(0, 1)] * unknown.shape[1] + [(0, None)] * (rows.shape[1] + 1),
        method="highs",
    )
    if found.status != 0:
        return unrestricted(terms)
    count = unknown.shape[1]
    chosen = ~flat
    chosen[flat] = found.x[:count] > 0.5
    masses, own = found.x[count:-1], np.concatenate([term.occupancy.ravel() for term in terms])
    masses[flat] += found.x[:count]
    inside = (own + np.where(chosen, masses, 0) / found.x[-1]) / 2 if found.x[-1] > 0 else own
    direction = found.eqlin.marginals[flows.shape[0] :] / units
    return _support(terms, chosen, inside, direction)


def _support(terms: Sequence[Term], chosen: Mask, inside: Array, direction: Array) -> Support:
    ends = np.cumsum([term.occupancy.size for term in terms])[:-1]
    allowed, occupancies, complete = [], [], True
    for term, mask, mass in zip(terms, np.split(chosen, ends), np.split(inside, ends), strict=True):
        here = mask.reshape(term.occupancy.shape) & term.env.reachable[:, None]
        visited = here.any(axis=1, keepdims=True)
        complete &= bool((here | ~term.env.reachable[:, None]).all())
        allowed.append(here | ~visited)
        occupancies.append(mass.reshape(term.occupancy.shape))
    return Support(tuple(allowed), complete, np.zeros_like(direction) if complete else direction, tuple(occupancies))
