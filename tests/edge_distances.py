"""Distances between rewards at the edge of double precision, beside rational arithmetic.

Run ``python tests/edge_distances.py --problems 300 [--seed 0]``.  Canonical forms are computed in fractions, on all of
(S, A, S) and for ``"minimal"`` by the normal equations; only norms take square roots, of 50 digits.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from fractions import Fraction
from itertools import chain, product

import edge_worlds
import mpmath
import numpy as np
from exact_worlds import dot, solved
from ill_conditioned import Exact

from irl_ident import distances
from irl_ident.distances.losses import FLAT
from irl_ident.distances.vectors import RIGHT, TRIVIAL

DIGITS = 50
NAMES = ("epic", "dard", "val", "minimal")


class Forms:
    """Canonical forms in fractions, as vectors whose Euclidean geometry is that of the distance."""

    def __init__(self, env):
        self.exact, self.discount = Exact(env), Fraction(env.discount)
        self.shape = env.n_states, env.n_actions
        self.pairs = list(product(range(env.n_states), range(env.n_actions)))
        self.chances = {}
        rows = [[Fraction(float(x)) for x in row] for row in env.transitions.toarray()]
        for s, a in self.pairs:
            row = rows[s * env.n_actions + a]
            self.chances[s, a] = [x / sum(row) for x in row]

    def table(self, reward):
        """A reward (S, A) or (S, A, S) on (S, A, S)."""
        n_states = self.shape[0]
        if np.ndim(reward) == 2:
            return {(s, a): [Fraction(float(reward[s, a]))] * n_states for s, a in self.pairs}
        return {(s, a): [Fraction(float(x)) for x in reward[s, a]] for s, a in self.pairs}

    def epic(self, reward):
        """Gleave et al. (2021), uniform coverage: values and weights."""
        r, (n_states, n_actions) = self.table(reward), self.shape
        mean = [sum(sum(r[s, a]) for a in range(n_actions)) / (n_states * n_actions) for s in range(n_states)]
        form = [r[s, a][j] + self.discount * mean[j] - mean[s] for s, a in self.pairs for j in range(n_states)]
        return form, [Fraction(1, len(form))] * len(form)

    def dard(self, reward):
        """Wulfe et al. (2022), equation 3, uniform coverage."""
        r, (n_states, n_actions) = self.table(reward), self.shape
        actions = range(n_actions)
        mean = [sum(dot(self.chances[s, a], r[s, a]) for a in actions) / n_actions for s in range(n_states)]
        form, weights = [], []
        for s, a in self.pairs:
            for j in range(n_states):
                if self.chances[s, a][j]:
                    both = (
                        p * q * x
                        for b in actions
                        for i, p in enumerate(self.chances[s, b])
                        if p
                        for q, x in zip(self.chances[j, b], r[i, b], strict=True)
                    )
                    form.append(r[s, a][j] + self.discount * (mean[j] - sum(both) / n_actions) - mean[s])
                    weights.append(self.chances[s, a][j] / len(self.pairs))
        return form, weights

    def val(self, reward):
        """The advantage of the policy that takes all actions alike."""
        r, (n_states, n_actions) = self.expected(reward), self.shape
        moves = [
            [sum(self.exact.row(s, a)[j] for a in range(n_actions)) / n_actions for j in range(n_states)]
            for s in range(n_states)
        ]
        unit = [[int(i == j) - moves[i][j] for j in range(n_states)] for i in range(n_states)]
        paid = [[sum(r[s, a] for a in range(n_actions)) / n_actions] for s in range(n_states)]
        return self.less(r, [x[0] for x in solved(unit, paid)]), None

    def minimal(self, reward):
        """The least of all equivalent rewards on (S, A, S), by the normal equations ``B^T w B V = B^T w r``."""
        r, n_states = self.expected(reward), self.shape[0]
        weights = {pair: 1 / sum(x * x for x in self.chances[pair]) for pair in self.pairs}
        rows = {(s, a): [int(s == j) - x for j, x in enumerate(self.exact.row(s, a))] for s, a in self.pairs}
        numbers = range(n_states)
        matrix = [
            [sum(weights[p] * rows[p][i] * rows[p][j] for p in self.pairs if rows[p][i]) for j in numbers]
            for i in numbers
        ]
        right = [[sum(weights[p] * rows[p][i] * r[p] for p in self.pairs)] for i in numbers]
        return self.less(r, [x[0] for x in solved(matrix, right)]), [weights[p] for p in self.pairs]

    def expected(self, reward):
        return {pair: dot(self.chances[pair], row) for pair, row in self.table(reward).items()}

    def less(self, r, values):
        return [r[s, a] - values[s] + dot(self.exact.row(s, a), values) for s, a in self.pairs]


def drawn(seed):
    """A world and two rewards that may be the same objective, nearly the same, or trivial."""
    random = np.random.default_rng(seed)
    env = edge_worlds.environment(random)
    pair = []
    for _ in range(2):
        paid = edge_worlds.reward(random, env)
        if random.random() < 0.3:
            paid = paid[:, :, None] + random.choice([0, 0, 1, 1e-9, -1], size=(*paid.shape, env.n_states))
        pair.append(paid)
    kind = random.choice(["apart", "shaped", "near", "trivial"], p=[0.4, 0.3, 0.2, 0.1])
    size = np.abs(pair[0]).max() or 1.0
    potential = size * random.choice([0, 1, -1, 2], size=env.n_states) * 10.0 ** random.choice([-3, 0, 3])
    shaping = (env.shaping @ potential).reshape(pair[0].shape[:2])
    if kind == "shaped":
        pair[1] = on(pair[0], 3 * pair[0], shaping)
    elif kind == "near":
        pair[1] = pair[0] + size * random.choice([0, 1, -1], size=pair[0].shape) * 10.0 ** random.choice([-9, -6, -3])
    elif kind == "trivial":
        pair[1] = shaping
    return env, pair


def on(like, paid, shaping):
    return paid + (shaping[:, :, None] if like.ndim == 3 else shaping)


def compared(seed):
    """For each distance: its name, what is wrong with it, and its error or why there is none."""
    env, pair = drawn(seed)
    forms = Forms(env)
    for name in NAMES:
        given = (*pair, env) if name in ("epic", "dard") else (*pair, env, name)
        try:
            found = (getattr(distances, name) if name in ("epic", "dard") else distances.starc)(*given)
        except ArithmeticError:
            yield name, "", None
            continue
        expected = allowed(name, [vector(name, forms, reward) for reward in pair])
        error = min(abs(found - d) for d in expected)
        yield name, "wrong" if error > (RIGHT / 2 if name in ("epic", "dard") else RIGHT) else "", error


def allowed(name, vectors):
    """The distance, or both where a form is about as short as those that count as 0."""
    found = []
    with mpmath.workdps(DIGITS):
        for zero in product(*(taken for _, taken in vectors)):
            x, y = ([0 * e for e in x] if none else x for (x, _), none in zip(vectors, zero, strict=True))
            d = mpmath.norm([a - b for a, b in zip(x, y, strict=True)])
            found.append(float(d / 2 if name in ("epic", "dard") else d))
    return found


def vector(name, forms, reward):
    """The form, centred (EPIC, DARD) and weighted, of length 1 or 0; and whether it may or has to count as 0."""
    form, weights = getattr(forms, name)(reward)
    if name in ("epic", "dard"):
        mean = dot(weights, form) / sum(weights)
        form = [x - mean for x in form]
    with mpmath.workdps(DIGITS):
        found = [mpmath.sqrt(real(w)) * real(x) for x, w in zip(form, weights or [1] * len(form), strict=True)]
        length = mpmath.norm(found)
        flat = [Fraction(float(x)) for x in np.ravel(reward)]
        half, size = (max(flat) - min(flat)) / 2, max(map(abs, flat))
        share = length / real(half) if half else 0
        if not half or half <= Fraction(1, 10**15) * size or share < 0.9 * TRIVIAL:
            taken = {True}
        else:
            taken = {False} if share > 1.1 * TRIVIAL and half > Fraction(2, 10**15) * size else {True, False}
        return [x / length for x in found] if length else found, taken


def real(x):
    return mpmath.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpmath.mpf(x)


def regrets(seed):
    """For the loss and the regret of a policy: the name, what is wrong, and the error or why there is none."""
    random = np.random.default_rng(seed)
    env = edge_worlds.environment(random)
    paid, policy = edge_worlds.reward(random, env), random.dirichlet(np.ones(env.n_actions), size=env.n_states)
    if random.random() < 0.5:
        policy = np.eye(env.n_actions)[random.integers(env.n_actions, size=env.n_states)]
    exact = Exact(env)
    start = [Fraction(float(x)) for x in env.initial]
    start = [x / sum(start) for x in start]
    flat = [Fraction(float(x)) for x in np.ravel(paid)]
    middle = sorted(flat)[len(flat) // 2] / (1 - Fraction(env.discount))
    highest, lowest = ([sign * max(row) for row in exact.optimal(sign * paid)] for sign in (1, -1))
    span = dot(start, highest) - dot(start, lowest)
    lost = dot(start, highest) - dot(start, mixed(exact, policy, paid))
    sizes = [max(abs(x - middle) for x in values) for values in (highest, lowest)]
    error = abs(Fraction(distances.loss(env, paid, policy)) - lost)
    most = max(sizes[0], lost)
    wrong = error > max((max(flat) - min(flat)) / 10**9, most / 10**10)
    yield "loss", "wrong" if wrong else "", float(error / most) if most else float(error)
    try:
        found = distances.regret(env, paid, policy)
    except ArithmeticError:
        yield "regret", "", None
        return
    share = float(span / sum(sizes)) if sum(sizes) else 0.0
    expected = [float(lost / span)] if share > 0.9 * FLAT else []
    error = min(abs(found - x) for x in expected + [0.0] * (share < 1.1 * FLAT))
    yield "regret", "wrong" if error > RIGHT else "", error


def mixed(exact, policy, paid):
    """Values of a policy (S, A), rows divided by their sums."""
    n_states, n_actions = exact.shape
    chances = [[Fraction(float(x)) for x in row] for row in policy]
    chances = [[x / sum(row) for x in row] for row in chances]
    moves = [
        [sum(chances[s][a] * exact.row(s, a)[j] for a in range(n_actions)) for j in range(n_states)]
        for s in range(n_states)
    ]
    unit = [[int(i == j) - moves[i][j] for j in range(n_states)] for i in range(n_states)]
    mean = [[dot(chances[s], [Fraction(float(x)) for x in paid[s]])] for s in range(n_states)]
    return [x[0] for x in solved(unit, mean)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, worst = Counter(), {}
    for seed in range(given.seed, given.seed + given.problems):
        for name, fault, error in chain(compared(seed), regrets(seed)):
            table[name, "not decided" if error is None else fault or "right"] += 1
            worst[name] = max(worst.get(name, 0.0), error or 0.0)
            if fault:
                print(seed, name, fault, f"{error:.1e}", flush=True)
    print(*(f"{name}: {what} {count}" for (name, what), count in sorted(table.items())), sep="\n")
    print("largest errors:", {name: float(f"{error:.1e}") for name, error in worst.items()})
    return any(what == "wrong" for _, what in table)


if __name__ == "__main__":
    sys.exit(main())
