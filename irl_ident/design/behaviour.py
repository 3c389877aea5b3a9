"""Behaviour classes: which objectives an environment cannot tell apart.

Two objectives are in the same class of an environment when the agent that pursues one behaves there as the agent that
pursues the other, in every state: they have the same optimal actions (``rationality="optimal"``), or the same soft
policy up to a stated ``resolution`` (``"soft"``).  Each objective is planned once an environment; everything that the
strategies do afterwards is to compare, count and cut (Amin & Singh 2016; Golovin & Krause 2011, who call the objectives
that are left the *version space*).

Soft policies are compared through the cells of a grid of width ``resolution``: objectives in one class never differ by
more than ``resolution`` in the probability of an action, while two that differ by less can still fall on both sides of
a cell's edge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident import planning
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.confidence.soft import SoftConfidenceSet
from irl_ident.identified.optimal import OptimalSet
from irl_ident.planning.soft_batch import soft_batch
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet, Rationality

Labels = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint8]

RESOLUTION = 0.01
"""How finely probabilities of actions are compared when behaviour is soft."""

BATCH = 2_000_000
"""Most rewards times state-action pairs that are planned at once."""

REMEMBERED = 1024
"""How many (environment, objectives) plans are kept."""


def behaviour_classes(signatures: npt.NDArray[Any]) -> Labels:
    """Number the different rows of ``signatures``.

    Parameters
    ----------
    signatures : array (N, m)

    Returns
    -------
    int array (N,)
        ``0 .. classes - 1``; equal for equal rows.

    Examples
    --------
    >>> behaviour_classes(np.array([[1, 0], [0, 1], [1, 0]]))
    array([1, 0, 1])
    """
    given = np.asarray(signatures)
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"signatures: should have shape (N, m), was {given.shape}")
    return np.unique(given, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def behaviour_labels(
    candidates: Sequence[Environment],
    family: RewardFamily,
    thetas: npt.ArrayLike,
    rationality: Rationality = "optimal",
    temperature: float = 1.0,
    *,
    resolution: float = RESOLUTION,
) -> Labels:
    """The behaviour class of every objective in every candidate.

    Parameters
    ----------
    candidates : sequence of C Environment
    family : RewardFamily
    thetas : array (N, d)
        Objectives.
    rationality : "optimal" or "soft"
    temperature : float
        Of soft behaviour.
    resolution : float
        In (0, 1]: width of the cells in which soft policies are compared.

    Returns
    -------
    int array (C, N)
        Two objectives behave alike in candidate ``c`` when their labels in row ``c`` are equal.
    """
    given = checked_thetas("thetas", thetas, family)
    return np.array(
        [behaviour_classes(signatures(env, family, given, rationality, temperature, resolution)) for env in candidates]
    ).reshape(len(candidates), len(given))


def signatures(
    env: Environment,
    family: RewardFamily,
    thetas: Array,
    rationality: Rationality,
    temperature: float,
    resolution: float = RESOLUTION,
) -> Signatures:
    """The behaviour of each of ``thetas`` (N, d) in ``env`` as bytes (N, m), planned once and remembered."""
    features = family.matrix(env)
    keys = (env.digest, digest(features.data, features.indices, features.indptr), digest(thetas))
    return _planned(_Question(*keys, rationality, float(temperature), float(resolution), env, features, thetas))


def signature(policy: Array | Mask, rationality: Rationality, resolution: float = RESOLUTION) -> Signatures:
    """The behaviour of policies, or of marks of optimal actions, (..., S, A), as bytes like :func:`signatures`."""
    flat = policy.reshape(*policy.shape[:-2], -1)
    if rationality == "optimal":
        return np.packbits(flat > 0, axis=-1)
    return np.ascontiguousarray(np.rint(flat / resolution).astype("<i4")).view(np.uint8)


def consistent(ident: IdentifiedSet, thetas: npt.ArrayLike) -> Mask:
    """Which of ``thetas`` (N, d) are in the identified set, one by one or together.

    The same as :meth:`~irl_ident.identified.IdentifiedSet.contains` of each.

    Parameters
    ----------
    ident : IdentifiedSet
        Its evidence is compared with the behaviour of each objective, which is planned once an environment.
    thetas : array (N, d)

    Returns
    -------
    bool array (N,)
    """
    given = checked_thetas("thetas", thetas, ident.family)
    if isinstance(ident, SoftConfidenceSet):
        return ident.members(given)
    if not isinstance(ident, OptimalSet):
        return np.array([ident.contains(theta) for theta in given], dtype=bool)
    kept = np.ones(len(given), dtype=bool)
    for system in ident.systems:
        packed = signatures(system.env, ident.family, given, "optimal", 1.0)
        optimal = np.unpackbits(packed, axis=1, count=system.shown.size).astype(bool)
        kept &= optimal[:, system.shown.ravel()].all(axis=1) & ~optimal[:, system.strict.ravel()].any(axis=1)
    return kept


def temperature_of(ident: IdentifiedSet) -> float:
    """The temperature that the identified set assumes; 1 where it assumes none."""
    return float(getattr(ident, "temperature", 1.0))


def checked_thetas(argument: str, thetas: npt.ArrayLike, family: RewardFamily) -> Array:
    """``thetas`` as a finite float array (N, d) with N >= 1, or ``ValueError``."""
    given = np.array(thetas, dtype=float)
    if given.ndim != 2 or given.shape[1] != family.dim or not len(given):
        raise ValueError(f"{argument}: should have shape (N, {family.dim}) with N >= 1, was {given.shape}")
    if not np.isfinite(given).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(given))[0]]
        raise ValueError(f"{argument}{place} is {float(given[tuple(place)])!r}: should be finite")
    return given


@dataclass(frozen=True)
class _Question:
    """What is to be planned; equal when the digests are."""

    env_digest: str
    features_digest: str
    thetas_digest: str
    rationality: str
    temperature: float
    resolution: float
    env: Environment = field(compare=False)
    features: sparse.csr_array = field(compare=False)
    thetas: Array = field(compare=False)


@lru_cache(maxsize=REMEMBERED)
def _planned(question: _Question) -> Signatures:
    shape = (-1, question.env.n_states, question.env.n_actions)
    size = max(1, BATCH // (shape[1] * shape[2]))
    parts = [question.thetas[start : start + size] for start in range(0, len(question.thetas), size)]
    rewards = ((question.features @ part.T).T.reshape(shape) for part in parts)
    behave = _soft if question.rationality == "soft" else _optimal
    planned = np.concatenate([behave(question, np.ascontiguousarray(part)) for part in rewards])
    planned.setflags(write=False)
    return planned


def _optimal(question: _Question, rewards: Array) -> Signatures:
    return signature(planning.optimal_actions(planning.optimal_batch(question.env, rewards)), "optimal")


def _soft(question: _Question, rewards: Array) -> Signatures:
    return signature(soft_batch(question.env, rewards, question.temperature).policy, "soft", question.resolution)


def digest(*arrays: npt.NDArray[Any]) -> str:
    """SHA-256 of arrays, shapes and types included."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
