"""Environments in fractions, for tests: policies, optimal values, chances and returns, by elimination.

Read from the decimals of the arrays as the format of certificates has it; shares no code with the library.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache, cached_property
from itertools import product


def exact(number):
    """The decimal that stands for a number."""
    return Fraction(repr(float(number)))


def exact_rows(table):
    """Rows divided by their exact sum."""
    rows = [[exact(x) for x in row] for row in table]
    return [[x / sum(row) for x in row] if any(row) else row for row in rows]


def solved(matrix, right):
    """The solution (n, m) of ``matrix x = right`` by elimination."""
    size = len(matrix)
    rows = [[*matrix[i], *right[i]] for i in range(size)]
    for i in range(size):
        pivot = next(j for j in range(i, size) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for j in range(size):
            if j != i and rows[j][i]:
                factor = rows[j][i]
                rows[j] = [x - factor * y for x, y in zip(rows[j], rows[i], strict=True)]
    return [row[size:] for row in rows]


def dot(left, right):
    return sum(x * y for x, y in zip(left, right, strict=True))


class World:
    """An environment with the features of its rewards, exactly."""

    def __init__(self, env, family):
        self.env = env
        s, a = self.shape = env.n_states, env.n_actions
        moves = exact_rows(env.transitions.toarray())
        self.moves = [moves[i * a : (i + 1) * a] for i in range(s)]
        features = family.matrix(env).toarray()
        self.features = [[[exact(x) for x in features[i * a + j]] for j in range(a)] for i in range(s)]
        self.initial = exact_rows([env.initial])[0]
        self.discount = exact(env.discount)
        stays = [all(row[i] == 1 for row in self.moves[i]) for i in range(s)]
        self.factors = [Fraction(0) if self.discount == 1 and stays[i] else self.discount for i in range(s)]
        self.policies = list(product(range(a), repeat=s))
        self.masks = [sum(1 << (i * a + j) for i, j in enumerate(policy)) for policy in self.policies]
        self.normaliser = 1 - self.discount if self.discount < 1 else Fraction(1)

    def onward(self, s, a):
        return [self.factors[s] * p for p in self.moves[s][a]]

    def values(self, policy, paid):
        """Values (S, m) of a policy, one action a state, that is paid ``paid`` (S, A, m)."""
        moves = [self.onward(s, a) for s, a in enumerate(policy)]
        unit = [[int(i == j) - moves[i][j] for j in range(len(moves))] for i in range(len(moves))]
        return solved(unit, [paid[s][a] for s, a in enumerate(policy)])

    def mixed_values(self, policy):
        """Values (S, d) of a policy with probabilities (S, A), rows divided by their sums, of the features."""
        chances = exact_rows(policy)
        s_count, a_count = self.shape
        moves = [
            [sum(chances[s][a] * self.onward(s, a)[j] for a in range(a_count)) for j in range(s_count)]
            for s in range(s_count)
        ]
        paid = [
            [dot(chances[s], [self.features[s][a][j] for a in range(a_count)]) for j in range(len(self.features[0][0]))]
            for s in range(s_count)
        ]
        unit = [[int(i == j) - moves[i][j] for j in range(s_count)] for i in range(s_count)]
        return solved(unit, paid)

    @cache  # noqa: B019
    def value_map(self, policy):
        """The map from theta to values of a policy, one action a state, (S, d)."""
        return self.values(policy, self.features)

    @cache  # noqa: B019
    def advantages(self, policy):
        """The map from theta to advantages of a policy, (S, A, d)."""
        values = self.value_map(policy)
        s_count, a_count = self.shape
        columns = list(zip(*values, strict=True))
        return [
            [
                [
                    self.features[s][a][j] + dot(self.onward(s, a), columns[j]) - values[s][j]
                    for j in range(len(columns))
                ]
                for a in range(a_count)
            ]
            for s in range(s_count)
        ]

    @cached_property
    def length(self):
        """The most steps that an episode can take, on average."""
        ones = [[[Fraction(1)] for _ in row] for row in self.moves]
        if self.discount < 1:
            return 1 / (1 - self.discount)
        return max(max(x[0] for x in self.values(policy, ones)) for policy in self.policies)

    def gaps(self, theta):
        """Optimal values (S,) and gaps (S, A) of ``theta``, by improving a policy."""
        policy = (0,) * self.shape[0]
        paid = [[[dot(phi, theta)] for phi in row] for row in self.features]
        while True:
            values = [x[0] for x in self.values(policy, paid)]
            q = [[paid[s][a][0] + dot(self.onward(s, a), values) for a in range(self.shape[1])] for s in self.numbers]
            better = tuple(a if q[s][a] == max(q[s]) else q[s].index(max(q[s])) for s, a in enumerate(policy))
            if better == policy:
                return values, [[values[s] - x for x in q[s]] for s in self.numbers]
            policy = better

    @property
    def numbers(self):
        return range(self.shape[0])

    def chances(self, policy, targets):
        """The probabilities that a policy, one action a state, ever visits ``targets``, from each state."""
        moves = [self.moves[s][a] for s, a in enumerate(policy)]
        leading = set(targets)
        while True:
            more = {s for s in self.numbers if any(moves[s][j] for j in leading)} - leading
            if not more:
                break
            leading |= more
        inner = [s for s in self.numbers if s in leading and s not in targets]
        unit = [[int(i == j) - moves[i][j] for j in inner] for i in inner]
        found = solved(unit, [[sum(moves[i][j] for j in targets)] for i in inner])
        known = dict(zip(inner, (x[0] for x in found), strict=True)) | dict.fromkeys(targets, Fraction(1))
        return [known.get(s, Fraction(0)) for s in self.numbers]

    def chance(self, policy, targets):
        """The probability that a policy, one action a state, ever visits ``targets``."""
        return dot(self.initial, self.chances(policy, targets))

    def returned(self, policy, reward):
        """The return of a policy, one action a state, for a reward (S, A)."""
        paid = [[[exact(x)] for x in row] for row in reward]
        values = self.values(policy, paid)
        return self.normaliser * sum(self.initial[s] * values[s][0] for s in self.numbers)
