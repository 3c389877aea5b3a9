"""Small worlds and rewards at the edge of double precision, drawn from a seed, for ``tests/edge_*.py``.

Discounts up to 0.99999, chances of 1e-12, absorbing and unreachable states, actions that are the same or nearly so, and
rewards whose sizes differ by up to 1e6 within a world and 1e12 between worlds.
"""

from __future__ import annotations

import numpy as np

from irl_ident import Environment

DISCOUNTS = (0.0, 0.9, 0.999, 0.9999, 0.99999)
CHANCES = (1e-12, 1e-12, 1e-9, 1e-6, 0.1, 0.5)
GAPS = (0.0, 0.0, 1e-12, 1e-10, 1e-7)
"""By what share an action that copies another is better or worse."""
OFF = (0.0, 1e-12, -1e-12, 1e-9, -9e-9)
"""How far a row may sum from 1."""


def environment(random, discounts=DISCOUNTS):
    """Three to six states, two or three actions; the last action may have the rows of the first."""
    n_states, n_actions = int(random.integers(3, 7)), int(random.integers(2, 4))
    entered = n_states - int(random.random() < 0.3)
    rows = np.zeros((n_states, n_actions, n_states))
    for row in rows.reshape(-1, n_states):
        successors = random.choice(entered, random.integers(1, min(entered, 3) + 1), replace=False)
        kind = random.integers(3)
        if kind == 0:
            row[successors[0]] = 1
        elif kind == 1:
            row[successors[1:]] = random.choice(CHANCES, size=successors.size - 1)
            row[successors[0]] = max(0.0, 1 - row.sum())
            row /= row.sum()
        else:
            row[successors] = random.dirichlet(np.ones(successors.size))
    for state in np.flatnonzero(random.random(n_states) < 0.15):
        rows[state] = np.eye(n_states)[state]
    for state in np.flatnonzero(random.random(n_states) < 0.3):
        rows[state, -1] = rows[state, 0]
    if random.random() < 0.1:
        rows *= 1 + random.choice(OFF, size=rows.shape[:2])[..., None]
    initial = np.eye(n_states)[0] if random.random() < 0.5 else None
    return Environment(rows, float(random.choice(discounts)), initial)


def reward(random, env):
    """Ties exact and nearly so, sizes from 1e-6 to 1e6, offsets."""
    shape = env.n_states, env.n_actions
    if random.random() < 0.3:
        paid = np.repeat(random.choice([0, 0, 1, -1], size=(shape[0], 1)), shape[1], axis=1).astype(float)
    else:
        paid = random.choice([0, 0, 1, 1, 2, -1], size=shape) + random.choice([0, 0.0, 0.3]) * random.random(shape)
    paid = paid * 10.0 ** random.choice([0, 0, -6, -3, 3, 6], size=(shape[0], 1) if random.random() < 0.3 else 1)
    paid = paid + random.choice([0, 1e3, 1e6], p=[0.6, 0.2, 0.2])
    tied = random.random(shape[0]) < 0.5
    paid[tied, -1] = paid[tied, 0] * (1 + random.choice(GAPS) * random.choice([-1, 1]))
    return paid * 10.0 ** random.choice([0, 0, -6, 6])
