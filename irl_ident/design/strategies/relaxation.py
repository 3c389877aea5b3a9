"""Value maps that make the bound on regret small, from a linear program.

For *any* map W (S, d) in the place of values, ``(B W)(s, a) = W(s) - g P W``, and every policy pi' with unnormalised
occupancies mu',

    J_theta(pi') = sum mu'(s, a) (phi(s, a) - (B W)(s, a)) . theta + (mu . W) . theta,

so that with h the support function of the identified set K and ``phi_pi`` the feature expectations of pi

    regret(pi) <= V*(u) + h(mu . W - phi_pi),      u(s, a) = h(phi(s, a) - (B W)(s, a)),

``V*(u)`` the optimal return of the reward u.  With W the value map of pi the last term is 0.  But u takes another theta
in each state, as if the objective could change on the way, and loops can collect that again and again.  The best W is
the dual of the linear program in which the objective is carried along, ``X(s, a) = mu'(s, a) theta``:

    max sum phi(s, a) . X(s, a) - phi_pi . theta
    sum_a X(s, a) - g sum P(s | s', a') X(s', a') = mu(s) theta,        X(s, a) in y(s, a) K,
    sum_a y(s, a) - g sum P(s | s', a') y(s', a') = mu(s),              theta in K,   y >= 0

(the reformulation of Sherali & Adams 1990 of the bilinear program in theta and mu').  W are the multipliers of the
first equations.  The bound is then evaluated with them, so that the solver's error cannot make it wrong,
only wider.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from irl_ident import planning
from irl_ident.environment import Array, Environment, Mask
from irl_ident.highs import minimise
from irl_ident.identified.optimal import OptimalSet

ENTRIES = 120_000
"""Programs with more entries are not solved unless asked for: two seconds or so; the time grows a little faster."""


def carried_values(
    ident: OptimalSet, policy: Array, env: Environment, reachable: Mask, entries: int = ENTRIES
) -> Array | None:
    """A value map W (S, d) for ``policy`` (S, A), or None where the program is too large or was not solved.

    Parameters
    ----------
    ident : OptimalSet
    policy : array (S, A)
    env : Environment
    reachable : bool (S,)
        States that count.
    entries : int
        Most non-zero coefficients.
    """
    dim, constraints = ident.family.dim, ident.constraints
    rows, equal = constraints.at_least, constraints.equal
    states, pairs = np.flatnonzero(reachable), np.flatnonzero(np.repeat(reachable, env.n_actions))
    shaping, features = env.shaping[pairs][:, states], ident.family.matrix(env)
    start, count = sparse.csr_array(env.initial[states][:, None]), pairs.size
    theta = sparse.eye_array(dim, constraints.unknowns, format="csr")
    each = sparse.eye_array(count)
    if count * (rows.nnz + equal.nnz + 4 * dim) + dim * shaping.nnz > entries:
        return None
    body = sparse.block_array(
        [
            [sparse.kron(shaping.T, theta), None, -sparse.kron(start, theta)],
            [None, shaping.T, None],
            [sparse.kron(each, equal), None, None],
            [None, None, equal],
            [sparse.kron(each, rows), None, None],
            [None, None, rows],
            [sparse.kron(each, theta), sparse.kron(each, np.ones((dim, 1))), None],
            [-sparse.kron(each, theta), sparse.kron(each, np.ones((dim, 1))), None],
        ],
        format="csr",
    )
    ties = states.size * (dim + 1) + (count + 1) * equal.shape[0]
    right = np.zeros(body.shape[0])
    right[states.size * dim : states.size * (dim + 1)] = env.initial[states]
    expected = features.T @ planning.occupancy(env, policy).ravel()
    hidden = np.zeros((count, constraints.unknowns - dim))
    gain = np.hstack([features[pairs].toarray(), hidden]).ravel()
    cost = np.concatenate([-gain, np.zeros(count), expected, hidden[0]])
    lower = np.full(cost.size, -np.inf)
    lower[gain.size : gain.size + count] = 0
    lower[gain.size + count : gain.size + count + dim] = -1
    upper = np.full(cost.size, np.inf)
    upper[gain.size + count : gain.size + count + dim] = 1
    multipliers = _multipliers(body, right, ties, cost, lower, upper)
    if multipliers is None:
        return None
    values = np.zeros((env.n_states, dim))
    values[states] = -multipliers[: states.size * dim].reshape(states.size, dim)
    return values


def _multipliers(
    body: sparse.csr_array, right: Array, ties: int, cost: Array, lower: Array, upper: Array
) -> Array | None:
    """Row multipliers of ``min cost . x``, the first ``ties`` rows equations and the others at least ``right``."""
    between = (right, np.where(np.arange(right.size) < ties, right, np.inf))
    solver = minimise(cost, body, between, (lower, upper), {"solver": "ipm", "run_crossover": "off"})
    solver.run()
    solution = solver.getSolution()
    multipliers = np.array(solution.row_dual)
    return multipliers if solution.dual_valid and np.isfinite(multipliers).all() else None
