"""Keys and chests: keys are only a means, until there are more of them than chests.

Proposed by Hubinger (2019) and built by Langosco et al. (2022, ICML), whose published code has these rules: an agent
that comes to a key takes it; one that comes to a chest with a key in hand opens the chest and spends the key, one
without walks past; every key opens every chest; an episode ends when the last chest is opened, or as many chests as
there were keys; the reward is 1 for each chest.  Training mazes have twice as many chests as keys, shifted ones twice
as many keys as chests: agents that were trained on the first collect keys that they cannot use in the second.

Here the grid is open and small and the table exact.  A state is a cell, a bit for each of ``SLOTS`` keys (taken or
not) and a bit for each of ``SLOTS`` chests (opened or not); a key or chest that an environment lacks keeps its bit at
0.  Keys in hand are keys taken less chests opened.  What cannot be reached from the start is absorbing, so that only
behaviour that somebody could see tells anything.  Rewards are on states: n keys taken or chests opened pay n in every
step from then on, which is a prize of ``1 / (1 - discount)`` on taking or opening, discounted as prizes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array

SLOTS = 2
"""Most keys, and most chests."""

KINDS = ("floor", "key taken", "chest opened", "key in hand")
ACTIONS = ("up", "right", "down", "left")
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Where keys and chests lie.

    Attributes
    ----------
    side : int
        Cells a side.
    start : int
    keys, chests : tuple of int
        Cells, all different, the start none of them; at most ``SLOTS`` each.
    """

    side: int
    start: int
    keys: tuple[int, ...]
    chests: tuple[int, ...]

    def __post_init__(self) -> None:
        cells = (self.start, *self.keys, *self.chests)
        if len(set(cells)) < len(cells) or not all(0 <= cell < self.side**2 for cell in cells):
            raise ValueError(f"layout: cells should be different and in 0..{self.side**2 - 1}, were {cells}")
        if max(len(self.keys), len(self.chests)) > SLOTS:
            raise ValueError(f"layout: should have at most {SLOTS} keys and {SLOTS} chests")


@dataclass(frozen=True, eq=False)
class States:
    """The states that all layouts of a size share.

    Attributes
    ----------
    cell, taken, opened : int array (S,)
        Cell, and sets of keys taken and chests opened as bits; never more chests than keys.
    """

    cell: Integers
    taken: Integers
    opened: Integers

    @property
    def counts(self) -> tuple[Integers, Integers]:
        """How many keys were taken and how many chests opened, (S,) each."""
        return np.bitwise_count(self.taken).astype(np.int64), np.bitwise_count(self.opened).astype(np.int64)

    def index(self) -> dict[tuple[int, int, int], int]:
        """The position of each state."""
        triples = zip(self.cell.tolist(), self.taken.tolist(), self.opened.tolist(), strict=True)
        return {triple: place for place, triple in enumerate(triples)}


@lru_cache(maxsize=4)
def states(side: int) -> States:
    """All cells with all bits that can be, by bits and then by cell."""
    bits = range(1 << SLOTS)
    pairs = [(taken, opened) for taken in bits for opened in bits if opened.bit_count() <= taken.bit_count()]
    taken, opened = np.repeat(np.array(pairs), side**2, axis=0).T
    return States(np.tile(np.arange(side**2), len(pairs)), taken, opened)


def build(layout: Layout, *, slip: float = 0.0, discount: float = 0.9) -> ii.Environment:
    """The environment of a layout; with probability ``slip`` a move goes to one of the two sides instead, evenly."""
    place = states(layout.side).index()
    n_states = len(place)
    there = np.tile(np.arange(n_states)[:, None], 4)
    fewest, begin = min(len(layout.keys), len(layout.chests)), (layout.start, 0, 0)
    reached, ahead = {begin}, [begin]
    while ahead:
        here = ahead.pop()
        if here[2].bit_count() == fewest:
            continue
        arrivals = [_moved(layout, *here, move) for move in MOVES]
        there[place[here]] = [place[arrival] for arrival in arrivals]
        ahead += {*arrivals} - reached
        reached |= {*arrivals}
    turns, chances = np.array([0, 1, 3]), np.array([1 - slip, slip / 2, slip / 2])
    outcomes = there[:, (np.arange(4)[:, None] + turns[chances > 0]) % 4].reshape(4 * n_states, -1)
    data = np.tile(chances[chances > 0], 4 * n_states)
    pointers = np.arange(4 * n_states + 1) * outcomes.shape[1]
    table = sparse.csr_array((data, outcomes.ravel(), pointers), shape=(4 * n_states, n_states))
    start = np.eye(n_states)[place[begin]]
    return ii.Environment(table, discount, start, states=_names(layout.side), actions=ACTIONS)


def _moved(layout: Layout, cell: int, taken: int, opened: int, move: tuple[int, int]) -> tuple[int, int, int]:
    """Where a move leads, what it takes and what it opens."""
    row, column = cell // layout.side + move[0], cell % layout.side + move[1]
    if 0 <= row < layout.side and 0 <= column < layout.side:
        cell = row * layout.side + column
    if cell in layout.keys:
        taken |= 1 << layout.keys.index(cell)
    if cell in layout.chests:
        chest = 1 << layout.chests.index(cell)
        if not opened & chest and taken.bit_count() > opened.bit_count():
            opened |= chest
    return cell, taken, opened


def _names(side: int) -> list[str]:
    shared = states(side)
    return [
        f"r{cell // side}c{cell % side}, keys {taken:0{SLOTS}b}, chests {opened:0{SLOTS}b}"
        for cell, taken, opened in zip(shared.cell.tolist(), shared.taken.tolist(), shared.opened.tolist(), strict=True)
    ]


def random_layout(rng: np.random.Generator, *, side: int = 3, keys: int = 1, chests: int = 2) -> Layout:
    """Everything on random cells."""
    cells = rng.permutation(side**2)[: 1 + keys + chests].tolist()
    return Layout(side, cells[0], tuple(sorted(cells[1 : 1 + keys])), tuple(sorted(cells[1 + keys :])))


def training(rng: np.random.Generator, *, side: int = 3) -> Layout:
    """Twice as many chests as keys."""
    return random_layout(rng, side=side, keys=SLOTS // 2, chests=SLOTS)


def shifted(rng: np.random.Generator, *, side: int = 3) -> Layout:
    """Twice as many keys as chests."""
    return random_layout(rng, side=side, keys=SLOTS, chests=SLOTS // 2)


@lru_cache(maxsize=4)
def family(side: int = 3) -> ii.rewards.LinearRewards:
    """Each step, keys taken so far, chests opened so far, and whether a key is in hand."""
    taken, opened = states(side).counts
    features = np.column_stack([np.ones(len(taken)), taken, opened, taken > opened])
    return ii.rewards.LinearRewards(np.repeat(features[:, None, :], 4, axis=1), names=KINDS)


BASE = np.array([0.0, 0.0, 1.0, 0.0])
"""What training pays for, in the parameters of :func:`family`."""


def objectives(rng: np.random.Generator, count: int) -> Array:
    """Objectives (count, 4): keys taken, chests opened and keys in hand in [-1, 1], the largest of them 1 in size."""
    theta = np.column_stack([np.zeros(count), rng.uniform(-1, 1, (count, 3))])
    return np.asarray(theta / np.abs(theta).max(axis=1, keepdims=True))


def picture(layout: Layout) -> str:
    """The map: the start ``S``, keys ``k`` and chests ``C``."""
    cells = ["."] * layout.side**2
    cells[layout.start] = "S"
    for mark, places in (("k", layout.keys), ("C", layout.chests)):
        for cell in places:
            cells[cell] = mark
    return "\n".join("".join(cells[row * layout.side : (row + 1) * layout.side]) for row in range(layout.side))
