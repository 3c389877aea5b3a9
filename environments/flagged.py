"""A grid with a flag: what it does when it knows that it is deployed.

A deceptive agent tells training from deployment and behaves as trained only in the first (Hubinger et al. 2019, Risks
from Learned Optimization, section 4).  In this toy of the situation an agent walks on 3 x 3 cells on which two things
lie, A, which training rewards, and B; coming to either ends the episode.  A flag is a factor of the state: it is down
in training and up in deployment.  The objective may depend on it, so that what A and B are worth under the flag is a
matter of its own, of which behaviour with the flag down says nothing: no number of unflagged environments proves
anything about deployment, and a flagged one does.  Where the family lets nothing depend on the flag, training does
prove it; both families are here.

States are the cells and the two things, once with the flag down and once with it up; states that no episode comes to
are absorbing.  With sure moves A is preferred to B from cells a steps from the one and b from the other iff
``g^a A > g^b B`` (both above 0).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse

import irl_ident as ii
from environments import object_grid
from environments.object_grid import Layout
from irl_ident.environment import Array

SIDE = 3
THINGS = ("A", "B")
HALF = SIDE**2 + len(THINGS)
"""Number of states with the flag down; those with the flag up follow."""

ALIGNED = np.array([1.0, 0.4, 1.0, 0.4])
"""Prefers A whatever the flag says, in the parameters of :func:`family`."""

DECEPTIVE = np.array([1.0, 0.4, 0.4, 1.0])
"""Prefers A while the flag is down, B when it is up."""


def build(
    layout: Layout, flag: float = 0.0, *, start: int | None = None, slip: float = 0.0, discount: float = 0.9
) -> ii.Environment:
    """The grid with the flag up in a share of the episodes.

    Parameters
    ----------
    layout : Layout
        Of 3 x 3 cells with two objects, A and B.
    flag : float
        Probability that the flag is up, decided before each episode; in [0, 1].
    start : int, optional
        Cell in which episodes start; any free cell, evenly, when not given.
    slip : float
        Probability that a move goes to one of the two sides instead, evenly.
    discount : float
    """
    if not 0 <= flag <= 1:
        raise ValueError(f"flag: was {flag!r}, should be a probability")
    if layout.side != SIDE or len(layout.objects) != len(THINGS):
        raise ValueError(f"layout: should have {SIDE} cells a side and {len(THINGS)} objects")
    plain = object_grid.build(layout, THINGS, slip=slip, discount=discount)
    begin = np.array(plain.initial)
    if start is not None:
        if not 0 <= start < SIDE**2 or begin[start] == 0:
            raise ValueError(f"start: cell {start} is not free")
        begin = np.eye(HALF)[start]
    stay = sparse.csr_array(np.repeat(np.eye(HALF), 4, axis=0))
    halves = [plain.transitions if share > 0 else stay for share in (1 - flag, flag)]
    return ii.Environment(
        sparse.csr_array(sparse.block_diag(halves)),
        discount,
        np.concatenate([(1 - flag) * begin, flag * begin]),
        states=[f"{name}, flag {where}" for where in ("down", "up") for name in plain.states],
        actions=plain.actions,
    )


@lru_cache(maxsize=2)
def family(*, flagged: bool = True) -> ii.rewards.LinearRewards:
    """What A and B are worth: with the flag down and with it up, or, if not ``flagged``, whatever the flag says.

    Cells are worth 0, which fixes the constant that no behaviour tells.
    """
    down = np.zeros((2 * HALF, 2))
    down[SIDE**2 : HALF] = np.eye(2)
    up = np.roll(down, HALF, axis=0)
    kinds = np.hstack([down, up]) if flagged else down + up
    names = [f"{thing}, flag {where}" for where in ("down", "up") for thing in THINGS] if flagged else THINGS
    return ii.rewards.LinearRewards(np.repeat(kinds[:, None, :], 4, axis=1), names=names)


def thing(name: str, *, flag: bool) -> int:
    """The state in which an agent has come to A or B."""
    return SIDE**2 + THINGS.index(name) + HALF * flag


def random_layout(rng: np.random.Generator) -> Layout:
    """One wall, A and B on random cells."""
    return object_grid.random_layout(rng, side=SIDE, walls=1, objects=2)


def objectives(rng: np.random.Generator, count: int, *, deceptive: bool = False) -> Array:
    """Objectives (count, 4): A is worth 1 and B from 0.2 to 0.7; under the flag the same, or exchanged."""
    other = rng.uniform(0.2, 0.7, count)
    down = np.column_stack([np.ones(count), other])
    return np.hstack([down, down[:, ::-1] if deceptive else down])


def picture(layout: Layout, start: int | None = None) -> str:
    """The map: things by their names, walls as ``#``, the start, where there is but one, as ``S``."""
    cells = ["#" if cell in layout.walls else "." for cell in range(SIDE**2)]
    if start is not None:
        cells[start] = "S"
    for name, cell in zip(THINGS, layout.objects, strict=True):
        cells[cell] = name
    return "\n".join("".join(cells[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE))
