"""A few problems of each of the searches in ``tests/edge_*.py``; those before the last of each list were once wrong."""

import edge_batch
import numpy as np
import pytest

from irl_ident import Environment, planning


@pytest.mark.parametrize("seed", [41, 72, 216, 240, 248, *range(900_000, 900_012)])
def test_batches_of_plans_have_the_accuracy_and_the_ties_of_single_ones(seed):
    _, plans = edge_batch.planned(seed)
    assert [faults for faults, _ in plans] == [[]] * edge_batch.REWARDS


def test_batches_are_refined_by_krylov_methods_too():
    """A ring of 60 states, more than are solved densely: within the bounds of the plan of each reward alone."""
    n = 60
    rows, here = np.zeros((n, 2, n)), np.arange(n)
    rows[here, 0, (here + 1) % n] = 1
    rows[here, 1, here], rows[here, 1, (here + 1) % n] = 0.5, 0.5
    env = Environment(rows, 0.99999)
    random = np.random.default_rng(0)
    rewards = random.choice([0.0, 1.0, 2.0], size=(2, n, 2)) + np.array([1e3, 1e6])[:, None, None]
    for reward, q in zip(rewards, planning.optimal_batch(env, rewards), strict=True):
        plan = planning.optimal(env, reward)
        np.testing.assert_allclose(q, plan.q, rtol=0, atol=2 * plan.error_bound)
