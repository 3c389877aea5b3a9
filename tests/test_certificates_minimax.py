"""Policies of least largest regret, against a linear program over occupancies with a row for each vertex of the set."""

import numpy as np
import pytest
from exact_worlds import dot, exact
from scipy.optimize import linprog
from test_certificates_regret import ASKED, closed, drawn, lost, observed

import irl_ident as ii
from irl_ident import certificates


def least_largest(truth, env, points):
    """The least largest regret over occupancies, with a row for each of ``points``."""
    world, unique = truth.world, sorted({tuple(point) for point in points})
    n, size = float(world.normaliser), env.n_states * env.n_actions
    best = [float(world.normaliser * dot(world.initial, world.gaps(list(point))[0])) for point in unique]
    paid = np.array([[float(dot(phi, point)) for row in world.features for phi in row] for point in unique])
    losses = np.column_stack([-n * paid, -np.ones(len(unique))])
    flow = np.column_stack([env.shaping.toarray().T, np.zeros(env.n_states)])
    cost = np.append(np.zeros(size), 1.0)
    bounds = [(0, None)] * size + [(None, None)]
    program = linprog(cost, A_ub=losses, b_ub=-np.array(best), A_eq=flow, b_eq=env.initial, bounds=bounds)
    assert program.status == 0
    return program.fun


FEWER = {22: {"regions": 100}, 29: {"regions": 100}}
"""Where some policies on the way are looked at until the regions run out, and the answer is the same with fewer."""

OPEN = {29}
"""Where the bounds do not meet: the regions that are looked at do not suffice for the largest regret."""


@pytest.mark.parametrize("seed", [seed for seed in range(40) if observed(drawn(seed)[2])])
def test_policy_of_least_largest_regret(seed):
    ident, env, truth, _ = drawn(seed)
    points = closed(truth)
    least = least_largest(truth, env, points)
    found = certificates.minimax_policy(ident, env, **FEWER.get(seed, {}))
    assert found.lower - 1e-7 <= least <= found.upper + 1e-7
    assert found.upper - found.lower <= (1e-4 if seed not in OPEN else 0.1)
    own = max(lost(truth, found.policy, theta) for theta in points)
    assert own <= exact(found.upper)
    witnessed = float(lost(truth, found.policy, [exact(x) for x in found.witness]))
    assert abs(witnessed - found.upper) <= 1e-4 or seed in OPEN
    assert abs(found.prior.sum() - 1) < 1e-9
    assert (found.prior >= 0).all()


@pytest.mark.parametrize("name", ASKED)
def test_contradictions(name):
    env = ii.Environment(np.eye(2)[[[0, 1], [1, 0]]], 0.5)
    contradictory = ii.identify([(env, np.array([[0.0, 1.0], [0.0, 1.0]]))], ii.rewards.StateRewards(2))
    with pytest.raises(ii.identified.ContradictoryEvidence):
        ASKED[name](contradictory, env)
