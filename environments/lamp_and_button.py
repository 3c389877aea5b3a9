"""Lamp and button: does it want the button pressed, or the lamp lit?

Pressing a button lights a lamp ``delay`` steps later.  The state is what is in the wire: bit 0 is set when the button
was pressed at the last step, and when bit ``delay - 1`` is set the lamp is lit.  Under *every* policy the discounted
number of lit steps is ``g^delay`` times that of presses, plus what is in the wire at the start, so that in this world
no behaviour of an optimal agent tells its objective: the lamp less ``g^delay`` times the button is potential shaping
(Ng, Harada & Russell 1999).  The world is our own, and after no paper.

A finite horizon tells (the last presses come too late for the lamp), so does a price c of pressing (worth paying for
the button if c < 1, for the lamp if ``c < g^delay``), and so does a cut wire.
"""

from __future__ import annotations

import numpy as np

import irl_ident as ii
from irl_ident.environment import Array

WAIT, PRESS = 0, 1
NAMES = ("button", "lamp", "effort")


def build(delay: int, discount: float = 0.8, *, cut: bool = False) -> ii.Environment:
    """The world of 2^delay wires, empty at the start; where the wire is ``cut``, presses do not get into it."""
    wires = np.arange(2**delay)
    later = (2 * wires) % 2**delay
    pressed = later if cut else later + 1
    table = np.eye(2**delay)[np.column_stack([later, pressed])]
    return ii.Environment(table, discount, np.eye(2**delay)[0], actions=["wait", "press"])


def family(delay: int) -> ii.rewards.LinearRewards:
    """The step's press, the step's light, and the effort of pressing, which costs 1."""
    features = np.zeros((2**delay, 2, 3))
    features[:, PRESS, 0] = 1
    features[2 ** (delay - 1) :, :, 1] = 1
    features[:, PRESS, 2] = -1
    return ii.rewards.LinearRewards(features, names=NAMES)


def objectives(price: float = 0.0) -> dict[str, Array]:
    """Who wants the button pressed and who wants the lamp lit, when a press costs ``price``."""
    return {"button": np.array([1.0, 0.0, price]), "lamp": np.array([0.0, 1.0, price])}


def picture(delay: int, *, cut: bool = False) -> str:
    """The button, the places in the wire that a press passes, one a step, and the lamp; ``x`` where it is cut."""
    return f"button {'x' if cut else '-'}{'o-' * delay} lamp"
