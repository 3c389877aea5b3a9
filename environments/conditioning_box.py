"""A conditioning box: an animal, levers, food, water and shock.

In the spirit of the experiment "inspired by behavioral psychology" of Amin & Singh (2016), whose parameters are not
published; nothing here reproduces it.  The box has 3 x 3 cells.  Two of its corners hold a lever; pressing a lever
delivers food, water, shock or nothing with the probabilities of its wiring.  The animal consumes what was delivered
(one step in that state) and finds itself in the middle of the box again; pressing where no lever is does nothing.  The
experimenter chooses the two corners and the two wirings; what food, water, shock and the way there are worth is the
animal's own.
"""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np

import irl_ident as ii
from irl_ident.environment import Array

SIDE = 3
CORNERS = (0, 2, 6, 8)
MIDDLE = 4
OUTCOMES = ("food", "water", "shock")
ACTIONS = ("up", "right", "down", "left", "press")
WIRINGS = {
    "food": (1.0, 0.0, 0.0),
    "water": (0.0, 1.0, 0.0),
    "food or nothing": (0.5, 0.0, 0.0),
    "water or nothing": (0.0, 0.5, 0.0),
    "food or shock": (0.5, 0.0, 0.5),
    "water or shock": (0.0, 0.5, 0.5),
    "rather food than shock": (0.8, 0.0, 0.2),
    "rather water than shock": (0.0, 0.8, 0.2),
}
"""Probabilities of food, water and shock when the lever is pressed; nothing comes otherwise."""


def build(corners: tuple[int, int], wirings: tuple[str, str], *, discount: float = 0.8) -> ii.Environment:
    """The box with levers in two corners, wired as named in ``WIRINGS``."""
    cells = SIDE**2
    n_states = cells + len(OUTCOMES)
    table = np.zeros((n_states, len(ACTIONS), n_states))
    for cell in range(cells):
        row, column = divmod(cell, SIDE)
        for action, (down, right) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
            inside = 0 <= row + down < SIDE and 0 <= column + right < SIDE
            table[cell, action, (row + down) * SIDE + column + right if inside else cell] = 1
        table[cell, 4, cell] = 1
    for corner, wiring in zip(corners, wirings, strict=True):
        delivered = np.array(WIRINGS[wiring])
        table[corner, 4, :cells] = 0
        table[corner, 4, cells:] = delivered
        table[corner, 4, corner] = 1 - delivered.sum()
    table[cells:, :, MIDDLE] = 1
    initial = np.zeros(n_states)
    initial[MIDDLE] = 1
    names = [f"r{r}c{c}" for r in range(SIDE) for c in range(SIDE)]
    return ii.Environment(table, discount, initial, states=[*names, *OUTCOMES], actions=ACTIONS)


def all_boxes() -> list[ii.Environment]:
    """Every pair of corners with every ordered pair of different wirings: the experimenter's class."""
    return [build(corners, wirings) for corners in combinations(CORNERS, 2) for wirings in permutations(WIRINGS, 2)]


def family() -> ii.rewards.LinearRewards:
    """One parameter for being in the box without eating, and one for each outcome."""
    kinds = np.concatenate([np.zeros(SIDE**2, int), 1 + np.arange(len(OUTCOMES))])
    return ii.rewards.LinearRewards(
        np.repeat(np.eye(1 + len(OUTCOMES))[kinds][:, None, :], len(ACTIONS), axis=1), names=["box", *OUTCOMES]
    )


def objectives(levels: int = 5) -> Array:
    """Objectives of different animals, (n, 4): the box is worth 0, food and water up to 1, shock down to -1.

    The better of food and water is worth 1, so that no two objectives are multiples of each other.
    """
    steps = np.linspace(0, 1, levels)
    pairs = [(1.0, w) for w in steps] + [(f, 1.0) for f in steps[:-1]]
    return np.array([(0.0, f, w, -pain) for f, w in pairs for pain in 2 * steps])


def picture(corners: tuple[int, int], wirings: tuple[str, str]) -> str:
    """The box, with ``A`` where the animal starts, levers 1 and 2, and what each of them is wired to."""
    cells = ["."] * SIDE**2
    cells[MIDDLE] = "A"
    for number, corner in enumerate(corners, start=1):
        cells[corner] = str(number)
    rows = ["".join(cells[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE)]
    return "\n".join([*rows, *(f"{number}: {wiring}" for number, wiring in enumerate(wirings, start=1))])
