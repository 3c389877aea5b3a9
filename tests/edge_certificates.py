"""Certificates and largest regrets at the edge of double precision, beside enumeration in exact arithmetic.

Run ``python tests/edge_certificates.py --problems 200 [--seed 0]``: the problems of ``random_certificates`` in the
environments of ``ill_conditioned``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from unittest import mock

import ill_conditioned
import random_certificates
import test_certificates_regret as regret
from exact_worlds import exact

from irl_ident import certificates

REGIONS = 8


def edge(random, n_states, n_actions, discount):
    """In place of ``random_certificates.environment``."""
    return ill_conditioned.environment(random, n_states, n_actions)


def certified(seed):
    """The status of a certificate, and what is wrong with it."""
    answer = random_certificates.compared(random_certificates.problem(seed), regions=REGIONS)
    return f"certificate: {answer.status}", answer.faults


def bounded(seed):
    """Whether the bounds of a largest regret were found and meet, and what is wrong with them."""
    ident, env, truth, _ = regret.drawn(seed)
    policy, points = regret.random_policy(seed, env), regret.closed(truth)
    regret.drawn.cache_clear()
    if not points:
        return "regret: nothing is possible", []
    try:
        lower, upper, witness = certificates.worst_case_regret(ident, policy, env, regions=REGIONS)
    except ValueError as error:
        return f"regret: {random_certificates.refusal(str(error))}", []
    largest = max(regret.lost(truth, policy, theta) for theta in points)
    theta = [exact(x) for x in witness]
    reached = regret.lost(truth, policy, theta)
    wrong = {
        "the upper bound is too low": largest > exact(upper),
        "the witness loses less than it should": reached < exact(lower),
        "the witness is not a member up to ties": lower > 0 and not truth.member(theta),
    }
    meets = "bounds meet" if upper - lower <= 1e-6 else "bounds apart"
    return f"regret: {meets}", [words for words, holds in wrong.items() if holds]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, wrong = Counter(), 0
    with mock.patch.object(random_certificates, "environment", edge):
        for seed in range(given.seed, given.seed + given.problems):
            for asked in (certified, bounded):
                kind, faults = asked(seed)
                table[kind] += 1
                if faults:
                    wrong += 1
                    print(seed, kind, *faults, sep="\n  ", flush=True)
    print(*(f"{kind}: {count}" for kind, count in sorted(table.items())), f"wrong: {wrong}", sep="\n")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
