"""Batches of optimal plans at the edge of double precision, beside rational arithmetic.

Run ``python tests/edge_batch.py --problems 300 [--seed 0]``: four rewards in each of the worlds of ``edge_worlds``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from fractions import Fraction

import edge_worlds
import numpy as np
from ill_conditioned import Exact

from irl_ident import planning
from irl_ident.planning.ties import ROUNDING

REWARDS = 4


def planned(seed):
    """The discount, and for each reward what is wrong with its plan and its error as a share of the largest value."""
    random = np.random.default_rng(seed)
    env = edge_worlds.environment(random)
    rewards = np.array([edge_worlds.reward(random, env) for _ in range(REWARDS)])
    exact, found = Exact(env), planning.optimal_batch(env, rewards)
    return env.discount, [judged(exact.optimal(paid), q, paid) for paid, q in zip(rewards, found, strict=True)]


def judged(exact, q, paid):
    """Faults of values ``q`` (S, A) of a reward, and their error."""
    flat = [x for row in exact for x in row]
    size = max(map(abs, flat))
    error = max(abs(Fraction(x) - y) for x, y in zip(q.ravel().tolist(), flat, strict=True))
    faults = []
    if error > max(Fraction(1, 10**9) * Fraction(float(np.ptp(paid))), Fraction(1, 10**10) * size):
        faults.append("values")
    counted = Fraction(1, 10**8) * (max(flat) - min(flat)) + Fraction(ROUNDING) * size
    for row, marked in zip(exact, planning.optimal_actions(q), strict=True):
        for value, tie in zip(row, marked, strict=True):
            if (max(row) - value <= counted / 2 and not tie) or (max(row) - value > 2 * counted and tie):
                faults.append("ties")
    return sorted(set(faults)), float(error / size) if size else float(error)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, worst = Counter(), {}
    for seed in range(given.seed, given.seed + given.problems):
        discount, plans = planned(seed)
        for faults, error in plans:
            table[discount, "plans"] += 1
            table.update((discount, f"wrong {fault}") for fault in faults)
            worst[discount] = max(worst.get(discount, 0.0), error)
            if faults:
                print(seed, discount, *faults, f"{error:.1e}", flush=True)
    for (discount, what), count in sorted(table.items()):
        print(f"discount {discount}: {what} {count}")
    print("largest error as a share of the largest value:", {d: float(f"{e:.1e}") for d, e in sorted(worst.items())})
    return any(what != "plans" for _, what in table)


if __name__ == "__main__":
    sys.exit(main())
