"""The seven-state tree of ``seals``' InitShift: an expert that starts at the root never shows one of its branches.

State 0 is the root, 1 and 2 its children, 3 to 6 the leaves, which are kept for ever.  ``left`` leads from s to
2 s + 1, ``right`` to 2 s + 2.  In training episodes start at the root, in the test in state 1, where the expert never
was (``seals`` 0.2, diagnostics ``InitShiftTrain`` and ``InitShiftTest``; there 3 steps, here discounted).
"""

from __future__ import annotations

import numpy as np

import irl_ident as ii

N_STATES = 7
BASE = np.array([0.0, 0.0, 0.0, 1.0, -1.0, -1.0, 2.0])
"""What the states pay there."""

TRAINING, TEST = 0, 1
"""Where episodes start."""


def build(start: int, discount: float = 0.9) -> ii.Environment:
    """The tree, with episodes that start in ``start``."""
    moves = np.arange(N_STATES)[:, None].repeat(2, axis=1)
    moves[:3] = 2 * np.arange(3)[:, None] + [1, 2]
    return ii.Environment(
        np.eye(N_STATES)[moves],
        discount,
        np.eye(N_STATES)[start],
        states=["root", "left", "right", *(f"leaf {i}" for i in range(4))],
        actions=["left", "right"],
    )


def family() -> ii.rewards.StateRewards:
    """Rewards on states."""
    return ii.rewards.StateRewards(N_STATES)


def picture(start: int = TRAINING) -> str:
    """The tree, from the root to the left and right; the state in which episodes start is in brackets."""
    root, left, right = (f"[{name}]" if start == n else name for n, name in enumerate(("root", "left", "right")))
    return f"{root}\n  {left}\n    leaf 0\n    leaf 1\n  {right}\n    leaf 2\n    leaf 3"
