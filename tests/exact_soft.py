"""Soft plans, likelihoods and their gradients with 60 digits, for tests.

Shares no code with the library: transitions are fractions (``ill_conditioned.Exact``), logarithms are mpmath's.
"""

from __future__ import annotations

import mpmath
from ill_conditioned import Exact

DIGITS = 60


def real(x):
    """A float or a fraction with all its digits."""
    return mpmath.mpf(x.numerator) / x.denominator if hasattr(x, "denominator") else mpmath.mpf(float(x))


class Soft:
    """An environment with many digits.

    Parameters
    ----------
    env : Environment
    """

    def __init__(self, env):
        self.shape = env.n_states, env.n_actions
        exact = Exact(env)
        with mpmath.workdps(DIGITS):
            self.rows = {(s, a): [real(x) for x in exact.row(s, a)] for s in self.states for a in self.actions}

    @property
    def states(self):
        return range(self.shape[0])

    @property
    def actions(self):
        return range(self.shape[1])

    def backed_up(self, reward, values):
        """``r + C V``, lists (S, A)."""
        return [[reward[s][a] + mpmath.fdot(self.rows[s, a], values) for a in self.actions] for s in self.states]

    def system(self, policy):
        """``I - C_pi``."""
        matrix = mpmath.eye(self.shape[0])
        for s in self.states:
            for a in self.actions:
                for j, x in enumerate(self.rows[s, a]):
                    if x:
                        matrix[s, j] -= policy[s][a] * x
        return matrix

    def planned(self, reward, b, start):
        """Values of actions, log-policy and policy (S, A), by Newton's method until 30 digits stand still."""
        values, paid, b = [real(x) for x in start], [[real(x) for x in row] for row in reward], real(b)
        for _ in range(200):
            q = self.backed_up(paid, values)
            backed = [log_sum(row, b) for row in q]
            log_policy = [[(x - v) / b for x in row] for row, v in zip(q, backed, strict=True)]
            policy = [[mpmath.exp(x) for x in row] for row in log_policy]
            gap = max(abs(x - y) for x, y in zip(backed, values, strict=True))
            if gap <= mpmath.mpf(10) ** -30 * (max(map(abs, backed)) + b):
                return q, log_policy, policy
            right = [
                mpmath.fsum(p * (r - b * x) for p, r, x in zip(*row, strict=True))
                for row in zip(policy, paid, log_policy, strict=True)
            ]
            values = list(mpmath.lu_solve(self.system(policy), mpmath.matrix(right)))
        raise ArithmeticError(f"values still change by {float(gap):.1e}")

    def gradient(self, policy, b, cotangent):
        """Of ``sum cotangent log pi`` in the reward, (S, A), by the adjoint."""
        b = real(b)
        right = mpmath.matrix(self.shape[0], 1)
        for s in self.states:
            for a in self.actions:
                right[s] += cotangent[s][a]
                for j, x in enumerate(self.rows[s, a]):
                    right[j] -= x * cotangent[s][a]
        y = mpmath.lu_solve(self.system(policy).T, right)
        return [[(cotangent[s][a] - policy[s][a] * y[s]) / b for a in self.actions] for s in self.states]


def log_sum(row, b):
    top = max(row)
    return top + b * mpmath.log(mpmath.fsum(mpmath.exp((x - top) / b) for x in row))
