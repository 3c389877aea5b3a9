"""Plans of maximum causal entropy for many rewards at once.

Newton's method of :mod:`irl_ident.planning.soft` and the adjoint of :mod:`irl_ident.planning.derivatives`, with one
matrix ``I - C_pi`` for each reward and all of them solved in one stack.  ``start`` takes values of rewards nearby, as
a sampler has them: Newton's method then needs two or three steps.  A step leads from any values to those of a policy,
which lie below the solution, so that any start is safe.  Constants are taken away and plans refined as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.environment import Array, Environment
from irl_ident.planning.bounds import lengths
from irl_ident.planning.checks import finite, positive, typical
from irl_ident.planning.derivatives import soft_gradient, soft_jacobian
from irl_ident.planning.soft import LOGS, NEWTON_STEPS, SoftPlan, soft
from irl_ident.planning.soft_refining import refined_soft
from irl_ident.planning.structure import is_crowded

STACKED_STATES = 300
"""Up to so many states the systems of all rewards are solved in one dense stack; beyond, each reward on its own."""
STACK_ENTRIES = 160_000
"""Matrix entries that one stack holds at most."""

_patterns: WeakKeyDictionary[Environment, _Pattern] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class SoftPlans:
    """Soft plans of N rewards in one environment; fields as of :class:`irl_ident.planning.SoftPlan`.

    Parameters
    ----------
    values : array (N, S)
    q : array (N, S, A)
    log_policy : array (N, S, A)
    policy : array (N, S, A)
    temperature : float
    error_bound : array (N,)
        Neither ``values`` nor ``q`` of a reward is further from the exact solution.
    log_error : array (N,)
        Nor is ``log_policy``, in nats.
    change : array (N, S)
        By how much the last backup changed the values.  ``q`` and the policy are exactly those of the reward
        ``r(s, a) - change(s)``, up to rounding.
    """

    values: Array
    q: Array
    log_policy: Array
    policy: Array
    temperature: float
    error_bound: Array
    log_error: Array
    change: Array


def soft_batch(
    env: Environment,
    rewards: npt.ArrayLike,
    temperature: float = 1.0,
    *,
    start: npt.ArrayLike | None = None,
    tolerance: float = 0.0,
) -> SoftPlans:
    """Plan many rewards with maximum causal entropy.

    Parameters
    ----------
    env : Environment
    rewards : array (N, S, A)
        Finite; N may be 0.
    temperature : float
        Above 0.
    start : array (N, S), optional
        Values to start from; 0 when not given.
    tolerance : float
        Planning stops when no value changes by more than this, at least 0; rounding is the floor.

    Returns
    -------
    SoftPlans
        Each equals :func:`irl_ident.planning.soft` to within the sum of the two error bounds.

    Examples
    --------
    >>> from irl_ident import Environment
    >>> plans = soft_batch(Environment(np.ones((1, 2, 1)), discount=0.5), [[[0.0, 1.0]], [[1.0, 1.0]]])
    >>> np.allclose(plans.values, [[2 * np.log(1 + np.e)], [2 * (1 + np.log(2))]], rtol=0, atol=1e-12)
    True
    """
    shape = np.shape(rewards)
    many = finite("rewards", rewards, (shape[0] if shape else 0, env.n_states, env.n_actions), "(N, S, A)")
    b = positive("temperature", temperature)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance: was {tolerance!r}, should be finite and at least 0")
    given = None if start is None else finite("start", start, many.shape[:2], "(N, S)")
    if env.n_states > STACKED_STATES:
        return _each(env, many, b)
    middle = typical(many) if env.discount < 1 else np.zeros(len(many))
    shift = middle / (1 - env.discount) if env.discount < 1 else middle
    centred = many - middle[:, None, None]
    first = np.zeros(many.shape[:2]) if given is None else given - shift[:, None]
    found = _Found(*(np.empty(shape) for shape in (many.shape[:2], many.shape, many.shape, many.shape[:2], len(many))))
    room = max(1, STACK_ENTRIES // env.n_states**2)
    for low in range(0, len(many), room):
        _fill(found, slice(low, low + room), env, centred, first, b, tolerance)
    longest, eps = lengths(env).longest, float(np.finfo(float).eps)
    largest = np.abs(found.q).max(axis=(1, 2), initial=0)
    values, q = found.values + shift[:, None], found.q + shift[:, None, None]
    bounds = longest * found.sizes + 4 * eps * (np.abs(shift) + largest)
    logs = 2 * longest * found.sizes / b + eps * np.abs(found.log_policy).max(axis=(1, 2), initial=0)
    return SoftPlans(values, q, found.log_policy, np.exp(found.log_policy), b, bounds, logs, found.change)


def soft_batch_gradient(env: Environment, plans: SoftPlans, cotangent: npt.ArrayLike) -> Array:
    """Gradients of ``sum cotangent * log_policy`` with respect to each reward.

    Parameters
    ----------
    env : Environment
    plans : SoftPlans
        Of ``env``.
    cotangent : array (S, A)
        The same for all rewards, as demonstrations are.

    Returns
    -------
    array (N, S, A)
    """
    c = finite("cotangent", cotangent, plans.q.shape[1:], "(S, A)")
    if env.n_states > STACKED_STATES:
        return np.array([soft_gradient(env, _one(plans, k), c) for k in range(len(plans.q))]).reshape(plans.q.shape)
    right = env.shaping.T @ c.ravel()
    gradient = np.empty_like(plans.q)
    room = max(1, STACK_ENTRIES // env.n_states**2)
    for low in range(0, len(plans.q), room):
        part = slice(low, low + room)
        systems = _systems(env, plans.policy[part])
        y = np.linalg.solve(systems.transpose(0, 2, 1), np.broadcast_to(right, systems.shape[:2])[..., None])
        gradient[part] = (c - plans.policy[part] * y) / plans.temperature
    return gradient


def soft_batch_jacobian(env: Environment, plans: SoftPlans, directions: npt.ArrayLike) -> Array:
    """Changes of the soft log-policies along directions of the reward.

    Parameters
    ----------
    env : Environment
    plans : SoftPlans
        Of ``env``.
    directions : array (S * A, m)
        Row ``s * A + a``.

    Returns
    -------
    array (N, S * A, m)
        Each as of :func:`irl_ident.planning.soft_jacobian`.
    """
    shape = np.shape(directions)
    dr = finite("directions", directions, (env.n_states * env.n_actions, shape[-1] if shape else 0), "(S * A, m)")
    changes = np.empty((len(plans.q), *dr.shape))
    for k, policy in enumerate(plans.policy):
        if env.n_states > STACKED_STATES:
            changes[k] = soft_jacobian(env, _one(plans, k), dr)
            continue
        averaged = np.einsum("sa,sam->sm", policy, dr.reshape(*policy.shape, dr.shape[1]))
        dv = np.linalg.solve(_systems(env, policy[None])[0], averaged)
        changes[k] = (dr - env.shaping @ dv) / plans.temperature
    return changes


@dataclass(frozen=True, eq=False)
class _Found:
    """Plans of rewards without their constants, to be filled; ``sizes`` (N,) are changes with rounding."""

    values: Array
    q: Array
    log_policy: Array
    change: Array
    sizes: Array


def _fill(
    found: _Found, part: slice, env: Environment, rewards: Array, start: Array, b: float, tolerance: float
) -> None:
    """Plan the rewards of a stack, and refine what rounding leaves uncertain by more than was asked for."""
    r = rewards[part]
    values, found.sizes[part], noise = _solved(env, r, start[part], b, tolerance)
    found.q[part] = _backed_up(env, r, values)
    found.values[part], found.log_policy[part] = _softened(found.q[part], b)
    found.change[part] = found.values[part] - values
    poor = np.flatnonzero((2 * lengths(env).longest * noise > LOGS * b) & (noise > tolerance))
    if not poor.size:
        return

    def solve(policy: Array, gap: Array) -> Array:
        return np.asarray(np.linalg.solve(_systems(env, policy), gap[..., None])[..., 0])

    better = refined_soft(env, r[poor], values[poor], b, tolerance, solve)
    at = np.arange(len(rewards))[part][poor]
    for name in ("values", "q", "log_policy", "change", "sizes"):
        getattr(found, name)[at] = getattr(better, name)


def _solved(env: Environment, rewards: Array, start: Array, b: float, tolerance: float) -> tuple[Array, Array, Array]:
    """Values (N, S) by Newton's method, the residual with its allowance for rounding (N,), and that allowance (N,)."""
    values, sizes, noises = start.copy(), np.empty(len(rewards)), np.empty(len(rewards))
    live = np.arange(len(rewards))
    least, stalled = np.full(len(rewards), np.inf), np.zeros(len(rewards), dtype=int)
    entries = int(np.diff(env.continuation.indptr).max()) + 4
    eps = np.finfo(float).eps
    largest = np.abs(rewards).max(axis=(1, 2), initial=0)
    for _ in range(NEWTON_STEPS):
        r = rewards[live]
        q = _backed_up(env, r, values[live])
        top, log_policy = _softened(q, b)
        policy = np.exp(log_policy)
        residual = np.abs(top - values[live]).max(axis=1)
        noise = entries * eps * (largest[live] + 2 * np.abs(values[live]).max(axis=1))
        noise += 8 * eps * b * np.log(2 * env.n_actions)
        stalled[live] = np.where(residual >= least[live], stalled[live] + 1, 0)
        least[live] = np.minimum(least[live], residual)
        sizes[live], noises[live] = residual + noise, noise
        done = (residual <= np.maximum(noise, tolerance)) | ((stalled[live] >= 2) & (residual <= 1e3 * noise))
        go = ~done
        live = live[go]
        if not len(live):
            return values, sizes, noises
        paid = (policy[go] * (r[go] - b * log_policy[go])).sum(axis=2)
        values[live] = np.linalg.solve(_systems(env, policy[go]), paid[..., None])[..., 0]
    raise ArithmeticError(f"soft planning: residual {sizes[live].max():.1e} after {NEWTON_STEPS} Newton steps")


def _backed_up(env: Environment, rewards: Array, values: Array) -> Array:
    q: Array = rewards + (env.continuation @ values.T).T.reshape(rewards.shape)
    return q


def _softened(q: Array, b: float) -> tuple[Array, Array]:
    """Soft values (N, S) and log-policies (N, S, A)."""
    best = q.max(axis=2)
    scaled = (q - best[..., None]) / b
    size = np.log(np.exp(scaled).sum(axis=2))
    return best + b * size, scaled - size[..., None]


@dataclass(frozen=True, eq=False)
class _Pattern:
    """Where chains of the environment have entries, flat in (S, S), and how policies weigh them, (K, S * A)."""

    places: npt.NDArray[np.intp]
    weights: sparse.csr_array


def _pattern(env: Environment) -> _Pattern:
    if env not in _patterns:
        entries = env.continuation.tocoo()
        flat = entries.row // env.n_actions * env.n_states + entries.col
        places, order = np.unique(flat, return_inverse=True)
        shape = (places.size, env.n_states * env.n_actions)
        _patterns[env] = _Pattern(places, sparse.csr_array((entries.data, (order, entries.row)), shape=shape))
    return _patterns[env]


def _systems(env: Environment, policy: Array) -> Array:
    """``I - C_pi`` for each policy (N, S, A), (N, S, S)."""
    count, n_states = policy.shape[:2]
    if is_crowded(env):
        rows = env.continuation.toarray().reshape(n_states, env.n_actions, n_states)
        systems: Array = -np.matmul(policy[:, :, None, :], rows)[:, :, 0]
    else:
        pattern = _pattern(env)
        flat = np.zeros((count, n_states**2))
        flat[:, pattern.places] = -(pattern.weights @ policy.reshape(count, -1).T).T
        systems = flat.reshape(count, n_states, n_states)
    states = np.arange(n_states)
    systems[:, states, states] += 1
    return systems


def _each(env: Environment, rewards: Array, b: float) -> SoftPlans:
    plans = [soft(env, reward, b) for reward in rewards]
    q = np.array([plan.q for plan in plans]).reshape(rewards.shape)
    log_policy = np.array([plan.log_policy for plan in plans]).reshape(rewards.shape)
    values = np.array([plan.values for plan in plans]).reshape(rewards.shape[:2])
    bounds, logs = (np.array([getattr(plan, name) for plan in plans]) for name in ("error_bound", "log_error"))
    return SoftPlans(values, q, log_policy, np.exp(log_policy), b, bounds, logs, np.zeros_like(values))


def _one(plans: SoftPlans, k: int) -> SoftPlan:
    bound, logs = float(plans.error_bound[k]), float(plans.log_error[k])
    return SoftPlan(plans.values[k], plans.q[k], plans.log_policy[k], plans.policy[k], plans.temperature, bound, logs)
