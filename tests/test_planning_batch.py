"""Batches that are planned in blocks: every plan proves itself, and does not depend on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irl_ident import builders, planning
from irl_ident.planning import backups, batch
from irl_ident.planning.bounds import lengths


def world(kind, discount, seed):
    if kind == "crowded":
        return builders.random_environment(12, 3, discount, seed=seed)
    return builders.grid("\n".join(["." * 7] * 7), discount, slip=0.2).environment


@pytest.mark.parametrize("kind", ["grid", "crowded"])
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 70),
    columns=st.integers(1, 33),
    discount=st.sampled_from([0.0, 0.5, 0.95, 0.99]),
)
def test_every_plan_of_every_block_is_optimal(kind, seed, count, columns, discount):
    """``max |T V - V| / (1 - g)`` bounds the error, however many rewards share a block."""
    env = world(kind, discount, seed)
    rewards = np.random.default_rng(seed).standard_normal((count, env.n_states, env.n_actions))
    rewards[::3] *= 10.0 ** np.random.default_rng(seed).integers(-6, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "BLOCK_ENTRIES", 1)
        patch.setattr(batch, "LEAST_COLUMNS", columns)
        found = planning.optimal_batch(env, rewards)
    values = found.max(axis=2)
    change = np.abs((rewards + (env.continuation @ values.T).T.reshape(rewards.shape)) - found).max(axis=(1, 2))
    rounding = 100 * np.finfo(float).eps * np.abs(rewards).max(axis=(1, 2)) * lengths(env).longest
    allowed = 1e-9 * np.ptp(rewards, axis=(1, 2)) / lengths(env).longest + rounding
    assert (change <= allowed).all(), (change / allowed).max()


def test_a_reward_does_not_depend_on_the_others_of_its_batch():
    env = world("grid", 0.95, 0)
    rewards = np.random.default_rng(1).standard_normal((700, env.n_states, env.n_actions))
    error = 2e-9 * np.ptp(rewards, axis=(1, 2)).max()
    np.testing.assert_allclose(
        planning.optimal_batch(env, rewards)[::70], planning.optimal_batch(env, rewards[::70]), rtol=0, atol=error
    )


def test_the_order_of_actions_only_orders_the_values():
    env = world("crowded", 0.9, 5)
    rewards = np.random.default_rng(2).standard_normal((40, env.n_states, env.n_actions))
    turned = type(env)(env.dense()[:, ::-1], env.discount)
    np.testing.assert_allclose(
        planning.optimal_batch(turned, rewards[:, :, ::-1])[:, :, ::-1], planning.optimal_batch(env, rewards), atol=1e-8
    )


@pytest.mark.parametrize("size", [1e307, 1.7e308])
@pytest.mark.parametrize("due", [np.inf, 0])
def test_returns_beyond_floating_point_are_refused(size, due, monkeypatch):
    monkeypatch.setattr(backups, "DUE", due)
    env = world("grid", 0.95, 0)
    rewards = np.zeros((2, env.n_states, env.n_actions))
    rewards[1, 3, 0] = size
    with pytest.raises(ValueError, match="should be at most 1e\\+300"):
        planning.optimal_batch(env, rewards)
