"""Small problems at the edge of double precision, drawn from a seed, for tests."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from exact_worlds import dot, solved

from irl_ident import Environment

DISCOUNTS = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.999999)
CHANCES = (0, 0, 1e-12, 1e-9, 1e-6, 0.1, 0.25, 0.5, 1)
OFF = (0, 0, 0, 0, 1e-12, -1e-12, 1e-9, -9e-9)
"""How far a row may sum from 1."""


def environment(random, n_states, n_actions=2):
    """Transitions with entries of 1e-12 and rows that sum to 1 up to 9e-9."""
    rows = np.zeros((n_states * n_actions, n_states))
    for row in rows:
        successors = random.choice(n_states, random.integers(1, min(n_states, 3) + 1), replace=False)
        kind = random.integers(3)
        if kind == 0:
            row[successors[0]] = 1
        elif kind == 1:
            row[successors[1:]] = random.choice(CHANCES, size=successors.size - 1)
            row[successors[0]] = max(0, 1 - row.sum())
            row /= row.sum()
        else:
            row[successors] = random.dirichlet(np.ones(successors.size))
        row *= 1 + random.choice(OFF)
    discount = float(random.choice(DISCOUNTS))
    return Environment(rows.reshape(n_states, n_actions, n_states), discount)


def reward(random, shape):
    """Near ties, offsets and units from 1e-100 to 1e100."""
    base = random.choice([0, 0, 1, 1, 2, -1], size=shape) + random.choice([0, 1e6], p=[0.8, 0.2])
    base = base + random.choice([0, 0, 0, 1, -1], size=shape) * 10.0 ** random.integers(-12, -5)
    return base * 10.0 ** random.choice([0, 0, -6, 6, -100, 100])


class Exact:
    """An environment in fractions: its doubles as they are, rows divided by their exact sums."""

    def __init__(self, env):
        self.shape = env.n_states, env.n_actions
        rows = [[Fraction(float(x)) for x in row] for row in env.transitions.toarray()]
        self.rows = [[Fraction(env.discount) * x / sum(row) for x in row] for row in rows]

    def row(self, s, a):
        return self.rows[s * self.shape[1] + a]

    def values(self, policy, paid):
        """Values (S, m) of one action a state, paid (S, A, m)."""
        size = self.shape[0]
        unit = [[int(i == j) - self.row(i, policy[i])[j] for j in range(size)] for i in range(size)]
        return solved(unit, [paid[s][a] for s, a in enumerate(policy)])

    def optimal(self, reward):
        """Optimal values of actions (S, A)."""
        n_states, n_actions = self.shape
        paid = [[[Fraction(float(x))] for x in row] for row in reward]
        policy = (0,) * n_states
        while True:
            values = [x[0] for x in self.values(policy, paid)]
            q = [
                [
                    paid[s][a][0] + sum(p * v for p, v in zip(self.row(s, a), values, strict=True))
                    for a in range(n_actions)
                ]
                for s in range(n_states)
            ]
            better = tuple(a if q[s][a] == max(q[s]) else q[s].index(max(q[s])) for s, a in enumerate(policy))
            if better == policy:
                return q
            policy = better

    def advantages(self, policy, features):
        """The map from theta to advantages (S, A, d) of one action a state."""
        n_states, n_actions = self.shape
        paid = [[[Fraction(float(x)) for x in features[s, a]] for a in range(n_actions)] for s in range(n_states)]
        columns = list(zip(*self.values(policy, paid), strict=True))
        return [
            [
                [paid[s][a][j] + dot(self.row(s, a), column) - column[s] for j, column in enumerate(columns)]
                for a in range(n_actions)
            ]
            for s in range(n_states)
        ]
