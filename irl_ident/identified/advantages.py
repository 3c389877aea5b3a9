"""Advantages of a policy as linear functions of theta, ``A_theta(s, a) = Q_pi(s, a) - V_pi(s)``.

With them the regret of a policy is linear in theta for every rival: ``J_theta(pi') - J_theta(pi) = sum over s, a of
mu_pi'(s, a) A_theta(s, a)`` (Kakade & Langford 2002, lemma 6.1).
"""

from __future__ import annotations

import numpy as np

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.rewards import RewardFamily


def advantage_rows(family: RewardFamily, policy: Array, env: Environment) -> Array:
    """The map from theta to the advantages of ``policy`` (S, A) in ``env``, (S * A, d)."""
    return rows_over(family, value_map(family, policy, env), env)


def value_map(family: RewardFamily, policy: Array, env: Environment) -> Array:
    """The map from theta to the values of ``policy`` (S, A), (S, d)."""
    paid = policy[:, :, None] * family.matrix(env).toarray().reshape(*policy.shape, -1)
    return planning.policy_system(env, policy).solve(paid.sum(axis=1))


def rows_over(family: RewardFamily, values: Array, env: Environment) -> Array:
    """``Phi - B W`` for a value map W (S, d), (S * A, d): advantages where W is that of a policy."""
    return np.asarray(family.matrix(env).toarray() - env.shaping @ values)


def normaliser(env: Environment) -> float:
    """``1 - g``, which makes occupancies sum to 1; 1 with discount 1."""
    return 1 - env.discount if env.discount < 1 else 1.0
