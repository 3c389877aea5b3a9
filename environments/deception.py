"""A training process as an environment: does it pay to pretend?

The toy of Hubinger et al. (2019, Risks from Learned Optimization, figure 4.1).  An agent walks on 3 x 3 cells from the
bottom left; A is the top left corner, B the top right one.  The base objective is A in as few steps as possible, the
agent's own objective is B.  There are five episodes: two of training and three of deployment.  These are the rules:

- ``up``, ``right``, ``down`` and ``left`` go one cell, or nowhere at the border.  Coming to A or B ends the episode:
  the agent is there for one step, and then, whatever it does, at the start of the next episode; after the last one
  it is ``over``.
- A *suboptimal* move, one that comes to B or not nearer to A, is noticed in training.  After an episode with such a
  move the agent is modified, so that from the next episode on it goes to A: its actions no longer matter, it takes a
  shortest way (left before up).
- In deployment nothing is noticed and nobody is modified.

An agent that plans across episodes for B finds out by itself what the paper calls deceptive alignment: A in training,
B in deployment.  With g the discount between episodes, n training and m deployment episodes, and B worth the same in
each,

    going to B at once is worth 1, and nothing after it, for later selves go to A;
    going to A n times and then to B is worth  g^n + ... + g^(n+m-1) = g^n (1 - g^m) / (1 - g);
    going to B in training episode k > 0 is worth g^k < 1;

so that pretending pays iff ``g^n (1 - g^m) / (1 - g) > 1``.  Assumed: any deviation is noticed and changes the
objective for good, the agent knows n and m, and it values B in later episodes as in this one, but for g.  Here
discounts are a step's, and A and B need not be equally far; :func:`worth_pretending` is the same sum with ``g^n``
replaced by the discount over n episodes that end in A, and ``g`` by that over one that ends in B.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array

SIDE = 3
CELLS = SIDE**2
A, B, START = 0, 2, 6
ACTIONS = ("up", "right", "down", "left")
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
STATUSES = ("unnoticed", "noticed", "modified")
TRAINING, DEPLOYMENT = 2, 3
"""Episodes of figure 4.1."""

KINDS = ("A", "B")
BASE = np.array([1.0, 0.0])
"""A, in the parameters of :func:`family`."""

OWN = np.array([0.0, 1.0])
"""B, the mesa-objective."""


def build(
    training: int = TRAINING, deployment: int = DEPLOYMENT, *, discount: float = 0.9, start: int = START
) -> ii.Environment:
    """All episodes, one after the other.

    Parameters
    ----------
    training, deployment : int
        Numbers of episodes, at least 0 and at least 1.
    discount : float
        Of a step, in (0, 1].
    start : int
        Cell in which episodes start, neither A nor B; 6, the bottom left one, in the figure.

    Returns
    -------
    Environment
        State ``(3 e + status) 9 + cell`` is a cell in episode e with a status of :data:`STATUSES`; the last is
        ``over``.
    """
    _check(training, deployment, start)
    episodes = training + deployment
    over = episodes * len(STATUSES) * CELLS
    there = np.full((over + 1, len(ACTIONS)), over)
    for episode in range(episodes):
        for status in range(len(STATUSES)):
            for cell in range(CELLS):
                here = state(episode, status, cell)
                if cell in (A, B):
                    later = min(2, 2 * status)
                    there[here] = state(episode + 1, later, start) if episode + 1 < episodes else over
                    continue
                for action in range(len(ACTIONS)):
                    after, follows = _moved(cell, action, status, episode < training)
                    there[here, action] = state(episode, follows, after)
    table = sparse.csr_array(
        (np.ones(there.size), there.ravel(), np.arange(there.size + 1)), shape=(there.size, over + 1)
    )
    return ii.Environment(
        table, discount, np.eye(over + 1)[state(0, 0, start)], states=_names(episodes), actions=ACTIONS
    )


def state(episode: int, status: int, cell: int) -> int:
    """The number of a state."""
    return (len(STATUSES) * episode + status) * CELLS + cell


def _moved(cell: int, action: int, status: int, watched: bool) -> tuple[int, int]:
    """Cell and status after a move."""
    if status == 2:
        return (cell - 1 if cell % SIDE else cell - SIDE), status
    row, column = cell // SIDE + MOVES[action][0], cell % SIDE + MOVES[action][1]
    after = row * SIDE + column if 0 <= row < SIDE and 0 <= column < SIDE else cell
    suboptimal = after == B or to_a(after) >= to_a(cell)
    return after, int(watched and suboptimal) or status


def to_a(cell: int) -> int:
    """Steps from a cell to A."""
    return cell // SIDE + cell % SIDE


def to_b(cell: int) -> int:
    """Steps from a cell to B."""
    return cell // SIDE + SIDE - 1 - cell % SIDE


def _names(episodes: int) -> list[str]:
    cells = [f"r{cell // SIDE}c{cell % SIDE}" for cell in range(CELLS)]
    return [
        *(f"episode {e}, {status}, {cell}" for e in range(episodes) for status in STATUSES for cell in cells),
        "over",
    ]


@lru_cache(maxsize=16)
def family(training: int = TRAINING, deployment: int = DEPLOYMENT) -> ii.rewards.LinearRewards:
    """What coming to A and coming to B are worth, in whichever episode; all else is worth 0."""
    blocks = np.zeros((CELLS, len(KINDS)))
    blocks[[A, B], [0, 1]] = 1
    features = np.vstack([np.tile(blocks, ((training + deployment) * len(STATUSES), 1)), np.zeros((1, len(KINDS)))])
    return ii.rewards.LinearRewards(np.repeat(features[:, None, :], len(ACTIONS), axis=1), names=KINDS)


def worth_pretending(
    training: int = TRAINING, deployment: int = DEPLOYMENT, *, discount: float = 0.9, start: int = START
) -> float:
    """What going to A in training and to B in deployment is worth to an agent that wants B, as a multiple of B at once.

    Pretending pays iff this is above 1.
    """
    _check(training, deployment, start)
    shown, own = discount ** (to_a(start) + 1), discount ** (to_b(start) + 1)
    return float(shown**training * sum(own**later for later in range(deployment)))


def reached(env: ii.Environment, policy: Array, episodes: int = TRAINING + DEPLOYMENT) -> list[str]:
    """Where each episode ends, "A" or "B", under a policy (S, A) that takes the first of its likeliest actions."""
    table, here, found = env.dense(), int(env.initial.argmax()), []
    for _ in range(episodes * (SIDE**2 + 2)):
        cell = here % CELLS
        if here < env.n_states - 1 and cell in (A, B):
            found.append("AB"[cell == B])
        here = int(table[here, int(policy[here].argmax())].argmax())
    return found


def picture() -> str:
    """The map."""
    cells = ["."] * CELLS
    cells[A], cells[B], cells[START] = "A", "B", "S"
    return "\n".join("".join(cells[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE))


def _check(training: int, deployment: int, start: int) -> None:
    for name, value, least in (("training", training, 0), ("deployment", deployment, 1)):
        if value != int(value) or value < least:
            raise ValueError(f"{name}: was {value!r}, should be a whole number of at least {least}")
    if not 0 <= start < CELLS or start in (A, B):
        raise ValueError(f"start: was {start!r}, should be a cell other than A and B")
