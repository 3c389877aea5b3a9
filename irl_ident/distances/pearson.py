"""EPIC and DARD: Pearson distances between rewards whose shaping has been removed.

EPIC (Gleave et al. 2021, section 4): with ``S, S' ~ D_S`` and ``A ~ D_A`` independent of each other and of the
dynamics, ``m(s) = E[R(s, A, S')]`` and

    C(R)(s, a, s') = R(s, a, s') + g m(s') - m(s) - g E[m(S)].

DARD (Wulfe et al. 2022, equation 3): with ``A ~ D_A``, ``S' ~ T(s, A)``, ``S'' ~ T(s', A)``,

    C(R)(s, a, s') = R(s, a, s') + E[g R(s', A, S'') - R(s, A, S') - g R(S', A, S'')],

where ``A`` is drawn once for all three terms.  Both forms stay the same when ``g f(s') - f(s)`` is added to R.  The
distance is ``sqrt((1 - rho) / 2)`` with rho the correlation of the two canonical rewards under the coverage: for EPIC
``s, s' ~ D_S, a ~ D_A``; for DARD ``(s, a) ~ D, s' ~ T(s, a)``, transitions that exist.

A reward r(s, a) is read as ``R(s, a, s') = r(s, a)``.  Its canonical forms need no array (S, A, S): EPIC's is the sum
of ``r(s, a) - m(s)`` and ``g (m(s') - E[m(S)])``, which are uncorrelated; in DARD's the last term depends on s alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from irl_ident.distances.vectors import (
    TRIVIAL,
    Form,
    apart,
    centred,
    chances,
    reward_of,
    scaled,
    settled,
    size,
    unit,
)
from irl_ident.environment import Array, Environment
from irl_ident.transitions import checked_distribution, checked_floats


def epic(
    r1: npt.ArrayLike,
    r2: npt.ArrayLike,
    env: Environment,
    *,
    coverage: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> float:
    """Equivalent-policy invariant comparison (Gleave et al. 2021).

    Parameters
    ----------
    r1, r2 : array (S, A) or (S, A, S)
        Finite; the two may differ in form.
    env : Environment
        Gives the discount and the numbers of states and actions.  Its transitions are *not* looked at.
    coverage : (array (S,), array (A,)), optional
        Distributions ``D_S`` of states and ``D_A`` of actions.  They serve twice: in the canonical form, and as the
        coverage ``s ~ D_S, a ~ D_A, s' ~ D_S`` of the correlation.  Uniform when not given.

    Returns
    -------
    float
        In [0, 1], right to 5e-7.  Between rewards of which one is constant up to shaping, which has no correlation:
        1/2, as between 0 and a unit vector; 0 if both are.  Canonical rewards whose standard deviation is below 1e-11
        of half the range of the reward count as constant.

    Raises
    ------
    ValueError
        Names the argument at fault.
    ArithmeticError
        Rounding hides the canonical form of a reward that is not constant either.

    Notes
    -----
    It bounds no regret in a given environment: see :mod:`irl_ident.distances`.

    Examples
    --------
    >>> import numpy as np
    >>> from irl_ident import Environment
    >>> env = Environment(np.full((2, 2, 2), 0.5), discount=0.9)
    >>> epic([[0, 1], [0, 0]], [[5, 7], [5, 5]], env)
    0.0
    """
    first, second = _same_form(reward_of("r1", r1, env), reward_of("r2", r2, env))
    states, actions = _independent(env, coverage)
    return _between(first, second, lambda reward: _epic_form(reward, env.discount, states, actions))


def dard(
    r1: npt.ArrayLike,
    r2: npt.ArrayLike,
    env: Environment,
    *,
    coverage: npt.ArrayLike | None = None,
) -> float:
    """Dynamics-aware reward distance (Wulfe et al. 2022), with the exact transitions of ``env``.

    Parameters
    ----------
    r1, r2 : array (S, A) or (S, A, S)
        Finite; the two may differ in form.  In the form (S, A, S) the last term of the canonical form also asks for
        rewards of transitions that do not exist.
    env : Environment
    coverage : array (S, A), optional
        Distribution ``D`` of state-action pairs; the next state is drawn from ``env``.  The actions of the canonical
        form follow its marginal ``D_A(a) = sum_s D(s, a)``.  Uniform when not given.

    Returns
    -------
    float
        In [0, 1], right to 5e-7; with constant canonical rewards as for :func:`epic`.

    Raises
    ------
    ValueError, ArithmeticError
        As for :func:`epic`.
    """
    first, second = _same_form(reward_of("r1", r1, env), reward_of("r2", r2, env))
    pairs = _joint(env, coverage)
    return _between(first, second, lambda reward: _dard_form(reward, env, pairs))


def _between(first: Array, second: Array, form: Callable[[npt.NDArray[Any]], Form]) -> float:
    def vector(argument: str, reward: Array) -> Array:
        known = scaled(reward)[0]
        return unit(settled(argument, lambda precision: form(centred(known.astype(precision)))))

    return apart(vector("r1", first), vector("r2", second)) / 2


def _epic_form(r: npt.NDArray[Any], discount: float, states: Array, actions: Array) -> Form:
    """The canonical reward, centred and weighted by the square root of the coverage, in the precision of ``r``."""
    if r.ndim == 2:
        mean = r @ actions
        here = (r - mean[:, None]) * np.sqrt(np.outer(states, actions))
        there = discount * (mean - states @ mean) * np.sqrt(states)
        return _rounded(np.concatenate([here.ravel(), there]), r, states.size + actions.size)
    mean = (r @ states) @ actions
    shaped = r + discount * mean - mean[:, None, None]
    weights = states[:, None, None] * actions[:, None] * states
    return _standardised(shaped.ravel(), weights.ravel(), r, states.size + actions.size)


def _dard_form(r: npt.NDArray[Any], env: Environment, pairs: Array) -> Form:
    """As :func:`_epic_form`, with one entry for each transition that exists."""
    actions = pairs.sum(axis=0).astype(r.dtype)
    table = chances(env, r.dtype.type)
    rows = table.tocoo()
    state, action, following = rows.row // env.n_actions, rows.row % env.n_actions, rows.col
    if r.ndim == 2:
        mean = r @ actions
        weighted = (table @ r).reshape(env.n_states, env.n_actions, env.n_actions)
        second = np.einsum("saa,a->s", weighted, actions)[state]
        own = r[state, action]
    else:
        dense = table.toarray().reshape(r.shape)
        mean = np.einsum("san,san,a->s", dense, r, actions)
        both = sum(weight * (dense[:, a] @ r[:, a] @ dense[:, a].T) for a, weight in enumerate(actions) if weight > 0)
        second = np.asarray(both)[state, following]
        own = r[state, action, following]
    shaped = own + env.discount * (mean[following] - second) - mean[state]
    return _standardised(shaped, pairs[state, action] * rows.data, r, (env.n_actions + 2) * env.n_states)


def _standardised(values: npt.NDArray[Any], weights: npt.NDArray[Any], r: npt.NDArray[Any], terms: int) -> Form:
    deviations = values - (weights @ values) / weights.sum()
    return _rounded(deviations * np.sqrt(weights / weights.sum()), r, terms + values.size)


def _rounded(vector: npt.NDArray[Any], r: npt.NDArray[Any], terms: int) -> Form:
    """A form whose entries add up ``terms`` rewards ``r`` with weights that sum to 1, a few times over."""
    return Form(vector, 4 * (terms + 8) * float(np.finfo(r.dtype).eps) * size(r), TRIVIAL * size(r))


def _same_form(first: Array, second: Array) -> tuple[Array, Array]:
    if first.ndim == second.ndim:
        return first, second
    shape = first.shape if first.ndim == 3 else second.shape
    return tuple(  # type: ignore[return-value]
        reward if reward.ndim == 3 else np.broadcast_to(reward[:, :, None], shape) for reward in (first, second)
    )


def _independent(env: Environment, coverage: tuple[npt.ArrayLike, npt.ArrayLike] | None) -> tuple[Array, Array]:
    if coverage is None:
        return np.full(env.n_states, 1 / env.n_states), np.full(env.n_actions, 1 / env.n_actions)
    if not isinstance(coverage, tuple | list) or len(coverage) != 2:
        raise ValueError(
            "coverage: should be a pair, distributions of states (S,) and of actions (A,), "
            f"was {type(coverage).__name__}"
        )
    states = checked_distribution("coverage[0]", coverage[0], env.n_states)
    actions = checked_distribution("coverage[1]", coverage[1], env.n_actions)
    return states / states.sum(), actions / actions.sum()


def _joint(env: Environment, coverage: npt.ArrayLike | None) -> Array:
    shape = (env.n_states, env.n_actions)
    if coverage is None:
        return np.full(shape, 1 / (shape[0] * shape[1]))
    given = checked_floats("coverage", coverage)
    if given.shape != shape:
        raise ValueError(f"coverage: should have shape (S, A) = {shape}, was {given.shape}")
    found = checked_distribution("coverage", given.ravel(), given.size).reshape(shape)
    shares: Array = found / found.sum()
    return shares
