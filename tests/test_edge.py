"""A few problems of each of the searches in ``tests/edge_*.py``; those before the last of each list were once wrong."""

import edge_batch
import edge_distances
import edge_likelihoods
import numpy as np
import pytest

from irl_ident import Environment, distances, planning
from irl_ident.rewards import StateActionRewards
from irl_ident.solvers import damped
from irl_ident.solvers.matrix_free import SoftLikelihood


@pytest.mark.parametrize("seed", [83, 437, 575, 615, 683, 908, 978, *range(900_000, 900_010)])
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


@pytest.mark.parametrize("seed", [34, 64, 99, 112, 144, 180, 228, *range(910_000, 910_010)])
def test_distances_are_right_or_not_decided(seed):
    found = [*edge_distances.compared(seed), *edge_distances.regrets(seed)]
    assert [(name, error) for name, fault, error in found if fault] == []
    assert sum(error is None for _, _, error in found) <= 4


def rare(chance):
    """From the first state a second one is come to with a probability, where one of two actions pays 1."""
    rows = np.repeat(np.array([[0, chance, 1 - chance], [0, 0, 1], [0, 0, 1]])[:, None], 2, axis=1)
    return Environment(rows, 0.9, [1.0, 0.0, 0.0]), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("chance", [0.1, 1e-8])
def test_regrets_of_what_happens_rarely(chance):
    env, reward = rare(chance)
    policy = np.array([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_allclose(distances.regret(env, reward, policy), 0.25, rtol=0, atol=1e-6)
    np.testing.assert_allclose(distances.loss(env, reward, policy), 0.25 * 0.9 * chance, rtol=0, atol=1e-15)


def test_regrets_that_rounding_hides_are_not_decided():
    """Returns differ by 1e-10 where values are 1 and errors add up for ten steps."""
    env, reward = rare(1e-10)
    with pytest.raises(ArithmeticError, match=r"regret: is not decided: returns of policies differ by 4\.5e-11"):
        distances.regret(env, reward, np.full((3, 2), 0.5))


def test_rows_of_transitions_stand_for_distributions_in_distances_too():
    """Where rows do not quite sum to 1, expected rewards far from 0 would otherwise differ by a share of 1e-8."""
    rows = np.array([[[0.5, 0.5], [0.25, 0.75]], [[1.0, 0.0], [0.5, 0.5]]])
    off = rows * np.array([[1 + 9e-9, 1], [1 - 9e-9, 1]])[..., None]
    envs = [Environment(table, 0.9) for table in (rows, off)]
    first, second = 1e6 + np.arange(8.0).reshape(2, 2, 2), 1e6 + np.arange(8.0).reshape(2, 2, 2)[::-1] ** 2
    for distance in (distances.dard, distances.starc, lambda *given: distances.starc(*given, "minimal")):
        np.testing.assert_allclose(*(distance(first, second, env) for env in envs), rtol=0, atol=1e-7)


@pytest.mark.parametrize("seed", [15, 45, 64, 91, 99, 112, *range(920_001, 920_009)])
def test_likelihoods_and_visits_are_as_right_as_they_say(seed):
    found = [*edge_likelihoods.softly(seed), *edge_likelihoods.optimally(seed)]
    assert [(name, error, allowed) for name, error, allowed in found if not error <= allowed] == []


def test_soft_policies_do_not_depend_on_how_far_rewards_are_from_0():
    rows = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]])
    env, reward = Environment(rows, 0.9999), np.array([[0.0, 1.0], [2.0, 0.0]])
    near, far = (planning.soft(env, reward + constant) for constant in (0.0, 2.0**40))
    np.testing.assert_allclose(far.log_policy, near.log_policy, rtol=0, atol=1e-8)
    assert far.log_error <= 1e-6
    np.testing.assert_allclose(far.values - 2.0**40 / (1 - 0.9999), near.values, rtol=0, atol=far.error_bound)


def test_steps_whose_systems_rounding_makes_singular_are_damped_more():
    env, _, _, counts = edge_likelihoods.drawn(16)
    family = StateActionRewards(env.n_states, env.n_actions)
    objective = SoftLikelihood([(env, counts + 1)], family, 1.0, np.ones(family.dim))
    least = 1e-2 * objective.choices

    def refused(objective, theta, damping):
        if damping < least:
            raise np.linalg.LinAlgError("not positive definite")
        return damped.dense_step(objective, theta, damping)

    found = [
        damped.newton(objective, np.zeros(family.dim), 1e-9, 200, step)[0] for step in (damped.dense_step, refused)
    ]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-8)
