"""Soft plans, likelihoods and occupancies at the edge of double precision, beside 60 digits and rational arithmetic.

Run ``python tests/edge_likelihoods.py --problems 300 [--seed 0]``.  Temperatures are 1e-6 to 1e6 ranges of the reward.
Plans are held to their own bounds, all else to multiples of ``u n`` (u the unit roundoff, n the number of steps).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from fractions import Fraction
from itertools import chain

import edge_worlds
import mpmath
import numpy as np
from exact_soft import DIGITS, Soft, real
from exact_worlds import dot, solved
from ill_conditioned import Exact

from irl_ident import planning
from irl_ident.identified.soft_likelihood import derivatives, log_likelihood
from irl_ident.planning.soft_batch import soft_batch
from irl_ident.rewards import StateActionRewards
from irl_ident.solvers import MaxEnt
from irl_ident.solvers.choices import BoltzmannChoices, NoisyChoices, SoftChoices

UNIT = 2.0**-53
EPSILON = 0.1


def drawn(seed):
    random = np.random.default_rng(seed)
    env = edge_worlds.environment(random)
    paid = edge_worlds.reward(random, env)
    size = float(np.ptp(paid)) or 1.0
    counts = random.integers(0, 20, size=paid.shape).astype(float)
    return env, paid, size * 10.0 ** float(random.choice([-6, -3, 0, 0, 3, 6])), counts


def away(found, exact):
    """The largest difference of arrays and nested lists."""
    return float(max(abs(real(x) - y) for x, y in zip(np.ravel(found).tolist(), flat(exact), strict=True)))


def flat(nested):
    return [x for row in nested for x in row]


def softly(seed):
    """Names, errors and what they are allowed to be, for agents that plan softly."""
    env, paid, b, counts = drawn(seed)
    choices, steps = counts.sum(), 1 / (1 - env.discount)
    family = StateActionRewards(env.n_states, env.n_actions)
    with mpmath.workdps(DIGITS):
        world = Soft(env)
        plan, plans = planning.soft(env, paid, b), soft_batch(env, np.array([paid, 2 * paid]), b)
        q, logs, policy = world.planned(paid, b, plan.values)
        yield "soft values", away(plan.q, q), plan.error_bound
        yield "soft log-policies", away(plan.log_policy, logs), plan.log_error
        yield "soft values, batch", away(plans.q[0], q), plans.error_bound[0]
        yield "soft log-policies, batch", away(plans.log_policy[0], logs), plans.log_error[0]
        likely = mpmath.fdot(counts.ravel().tolist(), flat(logs))
        rounded = 1e-14 * float(mpmath.fdot(counts.ravel().tolist(), [abs(x) for x in flat(logs)]))
        allowed = choices * plan.log_error + rounded
        yield "log-likelihood", abs(log_likelihood(env, counts, paid.ravel(), family, b) - likely), allowed
        gradient = world.gradient(policy, b, counts.astype(int).tolist())
        largest = float(max(map(abs, flat(gradient)))) + choices / b
        near = derivatives([(env, counts)], family, paid.ravel(), b).gradient
        yield "gradient", away(near, gradient) / largest, 10 * UNIT * steps + 10 * min(plan.log_error, 1)
        soft = SoftChoices(env, counts, b)
        value, slope, _ = soft.gradients(paid[None], soft.start(1))
        noisy = choices * plans.log_error[0] + rounded
        yield "log-likelihood, posterior", abs(value[0] - likely), choices * 2e-6 + noisy
        yield "gradient, posterior", away(slope[0], gradient) / largest, 2e-3 + 10 * min(plan.log_error, 1)


def fitted(seed):
    """The gradient where maximum likelihood says that it is 0, in one problem of ten."""
    env, _, b, counts = drawn(seed)
    if seed % 10:
        return
    counts[0] += 1
    family = StateActionRewards(env.n_states, env.n_actions)
    found = MaxEnt(b).fit_weights([(env, counts)], family)
    if found.convergence.status != "converged":
        return
    with mpmath.workdps(DIGITS):
        world = Soft(env)
        plan = planning.soft(env, found.theta.reshape(counts.shape), b)
        _, _, policy = world.planned(found.theta.reshape(counts.shape), b, plan.values)
        size = float(mpmath.norm(flat(world.gradient(policy, b, counts.astype(int).tolist())))) * b / counts.sum()
    yield "gradient at a maximum", size, 1e-9 + 100 * UNIT / (1 - env.discount) ** 2


def optimally(seed):
    """The same for agents that choose by optimal values, for values of policies and for visits."""
    env, paid, b, counts = drawn(seed)
    exact, choices, steps = Exact(env), counts.sum(), 1 / (1 - env.discount)
    q = exact.optimal(paid)
    size = float(max(map(abs, flat(q))))
    start = np.zeros((1, env.n_states))
    with mpmath.workdps(DIGITS):
        rows = [[real(x) / real(b) for x in row] for row in q]
        logs = [[x - log_sum(row) for x in row] for row in rows]
        found, _, _ = BoltzmannChoices(env, counts, b).gradients(paid[None], start)
        likely = mpmath.fdot(counts.ravel().tolist(), flat(logs))
        rounded = 1e-14 * float(mpmath.fdot(counts.ravel().tolist(), [abs(x) for x in flat(logs)]))
        error = planning.optimal(env, paid).error_bound
        yield (
            "log-likelihood, Boltzmann",
            abs(found[0] - likely),
            rounded + choices * 2 * max(error, 4 * UNIT * size) / b,
        )
    marked = [[x == max(row) for x in row] for row in q]
    counted = Fraction(1, 10**8) * (max(flat(q)) - min(flat(q))) + Fraction(1, 10**12) * max(map(abs, flat(q)))
    gaps = [max(row) - x for row in q for x in row]
    if not any(counted / 2 < gap < 2 * counted for gap in gaps):
        marked = [[max(row) - x <= counted for x in row] for row in q]
        policy = planning.uniform_over(np.array(marked))
        likely = float((np.log((1 - EPSILON) * policy + EPSILON / env.n_actions) * counts).sum())
        found, _ = NoisyChoices(env, counts, EPSILON).values(paid[None], start)
        yield "log-likelihood, noisy", abs(found[0] - likely), 1e-12 * choices
    random = np.random.default_rng(seed)
    policy = random.dirichlet(np.ones(env.n_actions), size=env.n_states)
    yield from followed(env, exact, paid, policy, steps)


def followed(env, exact, paid, policy, steps):
    """Values and visits of a policy."""
    states, actions = range(env.n_states), range(env.n_actions)
    chances = [[Fraction(x) / sum(map(Fraction, row)) for x in row] for row in policy.tolist()]
    moves = [[sum(chances[s][a] * exact.row(s, a)[j] for a in actions) for j in states] for s in states]
    unit = [[int(i == j) - moves[i][j] for j in states] for i in states]
    mean = [[dot(chances[s], map(Fraction, paid[s].tolist()))] for s in states]
    values = [x[0] for x in solved(unit, mean)]
    found = planning.evaluate(env, paid, policy)
    error = max(abs(Fraction(x) - y) for x, y in zip(found.tolist(), values, strict=True))
    yield "values of a policy", float(error), 10 * UNIT * steps * steps * float(np.abs(paid).max())
    start = [[Fraction(x) / sum(map(Fraction, env.initial.tolist()))] for x in env.initial.tolist()]
    visits = [x[0] for x in solved([list(column) for column in zip(*unit, strict=True)], start)]
    exactly = [visits[s] * chances[s][a] for s in states for a in actions]
    found = planning.occupancy(env, policy).ravel().tolist()
    error = max(abs(Fraction(x) - y) for x, y in zip(found, exactly, strict=True))
    yield "visits", float(error), 10 * UNIT * steps * steps


def log_sum(row):
    return max(row) + mpmath.log(mpmath.fsum(mpmath.exp(x - max(row)) for x in row))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, wrong, worst = Counter(), Counter(), {}
    for seed in range(given.seed, given.seed + given.problems):
        for name, error, allowed in chain(softly(seed), fitted(seed), optimally(seed)):
            table[name] += 1
            worst[name] = max(worst.get(name, 0.0), float(error / allowed) if allowed else float(error))
            if not error <= allowed:
                wrong[name] += 1
                print(seed, name, f"{float(error):.1e} above {float(allowed):.1e}", flush=True)
    for name, count in table.items():
        print(f"{name}: {count}, wrong {wrong[name]}, largest error {worst[name]:.1e} of what is allowed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
