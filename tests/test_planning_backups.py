"""Backups by products and by the compiled loop: the same bits, whichever is used, and right ones."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from irl_ident import Environment, builders, planning
from irl_ident.planning import backups

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="the loop is compiled by Numba")


@st.composite
def sparse_environments(draw):
    """Rows of one to all successors; the last state is absorbing, and all lead there where nothing is discounted."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_states, n_actions = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    discount = draw(st.sampled_from([0.0, 0.5, 0.95, 1.0]))
    share = draw(st.sampled_from([0.1, 0.3, 0.9]))
    return ending(rng, n_states, n_actions, discount, share)


def ending(rng, n_states, n_actions, discount, share):
    weights = rng.exponential(size=(n_states, n_actions, n_states)) ** 2
    weights *= rng.random(weights.shape) < share
    weights[..., -1] += 0.05 * (discount == 1) + ~weights.any(axis=-1)
    weights[-1] = np.eye(n_states)[-1]
    return Environment(weights / weights.sum(axis=-1, keepdims=True), discount)


def drawn(env, count, seed):
    """Rewards (N, S, A) of all sizes with zeros of both signs, and values (S, N)."""
    rng = np.random.default_rng(seed)
    rewards, values = (
        rng.standard_normal(shape) * 10.0 ** rng.integers(-9, 10, shape[-1])
        for shape in ((env.n_states, env.n_actions, count), (env.n_states, count))
    )
    for each in (rewards, values):
        each[rng.random(each.shape) < 0.2] = 0.0
        each[rng.random(each.shape) < 0.2] = -0.0
    return np.ascontiguousarray(rewards.transpose(2, 0, 1)), values


@needs_numba
@settings(deadline=None)
@given(env=sparse_environments(), count=st.integers(1, 70), seed=st.integers(0, 10**6))
def test_the_compiled_loop_gives_the_bits_of_products(env, count, seed):
    rewards, values = drawn(env, count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backups, "is_crowded", lambda env: False)  # as in larger environments with such rows
        products = backups.by_products(env)
    tops, changes = [], []
    for backup in (products, backups.by_loop(env)):
        top = np.empty_like(values)
        backup.into(backup.rows(rewards), values, top)
        tops.append(top)
        changes.append(np.array(backup.change(values, top)))
    assert_same_bits(*tops)
    np.testing.assert_array_equal(*changes)
    brute = (rewards + (env.continuation.toarray() @ values).T.reshape(rewards.shape)).max(axis=2).T
    size = np.abs(rewards).max(axis=(1, 2)) + np.abs(values).max(axis=0)
    assert (np.abs(tops[0] - brute) <= 50 * np.finfo(float).eps * size).all()


@needs_numba
def test_rows_of_no_and_of_many_entries_give_the_bits_of_a_product():
    rng = np.random.default_rng(0)
    pointer = np.cumsum([0, *range(11)], dtype=np.int32)
    data = rng.standard_normal(pointer[-1])
    indices = np.concatenate([rng.permutation(11)[:n] for n in range(11)]).astype(np.int32)
    reward, values = rng.standard_normal((2, 11, 33))
    found = np.empty_like(values)
    backups.compiled().back_up(pointer, indices, data, reward, values, found, np.empty(33))
    assert_same_bits(found, sparse.csr_array((data, indices, pointer), shape=(11, 11)) @ values + reward)


WORLDS = {
    "grid": builders.grid("\n".join(["." * 12] * 12), 0.95, slip=0.2).environment,
    "undiscounted": ending(np.random.default_rng(1), 60, 3, 1.0, 0.05),
    "random": builders.random_environment(300, 2, 0.99, seed=0, successors=5),
}


@needs_numba
@pytest.mark.parametrize("name", WORLDS)
def test_plans_have_the_same_bits(name, monkeypatch):
    env = WORLDS[name]
    rewards = np.random.default_rng(0).standard_normal((150, env.n_states, env.n_actions))
    rewards[::7] = np.round(rewards[::7])
    plans = []
    for due in (np.inf, 0):
        monkeypatch.setattr(backups, "DUE", due)
        assert (backups.backup_for(env).axes == (1, 2, 0)) == (due == 0)
        plans.append(planning.optimal_batch(env, rewards))
    assert_same_bits(*plans)


@needs_numba
def test_products_are_used_until_compiling_has_paid(monkeypatch):
    env, loops = WORLDS["grid"], backups.compiled()
    made = []
    monkeypatch.setattr(backups, "compiled", lambda: made.append(None) or loops)
    monkeypatch.setattr(backups, "_computed", 0)
    monkeypatch.setattr(backups, "DUE", 3 * env.n_states * env.n_actions * 10)
    rewards, values = drawn(env, 10, 0)
    for _ in range(3):
        backup = backups.backup_for(env)
        assert backup.axes == (2, 1, 0)
        assert made == []
        backup.into(backup.rows(rewards), values, np.empty_like(values))
    assert backups.backup_for(env).axes == (1, 2, 0)
    crowded = builders.random_environment(9, 2, 0.9, seed=0)
    assert backups.backup_for(crowded).axes == (2, 1, 0)


def test_without_numba_products_are_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(backups, "compiled", backups.compiled.__wrapped__)
    monkeypatch.setattr(backups, "DUE", 0)
    assert backups.compiled() is None
    assert backups.backup_for(WORLDS["grid"]).axes == (2, 1, 0)


def test_a_loop_that_adds_in_another_order_is_not_used():
    """One that starts with the reward, as fused or reordered arithmetic would differ: in a last bit."""

    def reward_first(pointer, indices, data, reward, values, top, partial):
        top[:] = reward
        for row in range(len(reward)):
            for entry in range(pointer[row], pointer[row + 1]):
                top[row] += data[entry] * values[indices[entry]]

    assert backups._agree(backups.Loops(backups.back_up, backups.measure))
    assert not backups._agree(backups.Loops(reward_first, backups.measure))


@needs_numba
def test_compiling_writes_no_file(tmp_path):
    """No home, and no file may have a single byte."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from irl_ident.planning import backups; assert backups.compiled() is not None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={"HOME": str(tmp_path / "absent")})
    assert list(tmp_path.iterdir()) == []


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one.view(np.int64), other.view(np.int64))
