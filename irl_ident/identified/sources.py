"""Data sources of reward learning, and what each leaves open (Skalse, Farrugia-Roberts, Russell, Abate & Gleave 2023).

Two rewards R(s, a, s') are *equivalent* for a source when they give the same data, however much of it there is.  With
expected rewards ``E R (s, a) = T(s, a) . R(s, a, .)`` and shaping on transitions ``D f (s, a, s') = g f(s') - f(s)``,

======================  =============================================================  ===========
source                  R is known up to                                               theorem
======================  =============================================================  ===========
``FRAGMENTS``           what impossible transitions pay                                3.6, 3.8
``RETURNS``             what is never reached; ``D f`` with f = 0 on initial states    3.7
``COMPARISONS``         what is never reached; ``D f`` with f = k on initial states    3.9
``LOTTERIES``           the same, and a positive factor                                3.12, last
``Q_VALUES``            redistribution, the null space of E                            3.1
``SOFT_POLICY``         redistribution and every ``D f``                               3.2
``SOFT_TRAJECTORIES``   the same, and whatever states that are never reached pay       3.4
``OPTIMAL_POLICY``      a cone: the same, and less for actions that are not optimal    3.3
======================  =============================================================  ===========

(numbered as in the paper's first version, arXiv 2203.07475, lotteries as in the last; returns and comparisons are of
whole episodes from an initial state, comparisons are noisy with known noise, lotteries are ranked without noise.)

All but two are linear: the source shows ``(I - U U^T) P Phi theta``, with P the rows it reads, Phi the family's rewards
on state-action pairs or on transitions, and U an orthonormal basis of the potentials that it does not see; its
singular values are free of units.  The class of R is then ``R + lineality``.  The other two add *rays*: the class is
``lineality`` plus all strictly positive combinations of them, which is a relatively open convex cone that holds R.

Combining sources, or the same source in several environments, intersects classes.  Since every class is relatively
open and holds R, the affine hull of the intersection is the intersection of the affine hulls.  A source is *finer* than
another when its class is inside the other's, whatever R is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from irl_ident import planning
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.shaping_rank import Rank, decide_rank
from irl_ident.rewards import RewardFamily, StateActionRewards, TransitionRewards

Order = Literal["equal", "finer", "coarser", "incomparable", "undecided"]
Potentials = Literal["none", "any", "zero-initial", "k-initial"]
Rays = Literal["none", "scale", "worse actions"]

INSIDE = 1e-8
"""A unit vector within this distance of a subspace lies in it; a coefficient above it is positive."""

LARGEST = 4_000
"""Dense linear algebra on at most this number of parameters."""


@dataclass(frozen=True)
class Source:
    """A kind of data, by what it reads and what it does not see.

    Attributes
    ----------
    name : str
    reads : {"pairs", "transitions"}
        Whether it depends on the expected reward of a state and action, or on the reward of each transition.
    reached : bool
        Whether it reads only what can be reached from an initial state.
    unseen : {"none", "any", "zero-initial", "k-initial"}
        Potentials whose shaping it does not see.
    rays : {"none", "scale", "worse actions"}
        Further directions, each in one sense only.
    """

    name: str
    reads: Literal["pairs", "transitions"]
    reached: bool
    unseen: Potentials
    rays: Rays = "none"


FRAGMENTS = Source("returns of fragments", "transitions", False, "none")
RETURNS = Source("returns", "transitions", True, "zero-initial")
COMPARISONS = Source("comparisons", "transitions", True, "k-initial")
LOTTERIES = Source("lotteries", "transitions", True, "k-initial", "scale")
Q_VALUES = Source("Q-values", "pairs", False, "none")
SOFT_POLICY = Source("soft policy", "pairs", False, "any")
SOFT_TRAJECTORIES = Source("soft trajectories", "pairs", True, "any")
OPTIMAL_POLICY = Source("optimal policy", "pairs", False, "any", "worse actions")

SOURCES = (
    *(FRAGMENTS, RETURNS, COMPARISONS, LOTTERIES),
    *(Q_VALUES, SOFT_POLICY, SOFT_TRAJECTORIES, OPTIMAL_POLICY),
)
"""All of them."""


@dataclass(frozen=True, eq=False)
class LeftOpen:
    """All rewards that give the same data as one.

    Attributes
    ----------
    theta : array (d,)
        The reward that the data come from.
    lineality : array (d, m)
        Orthonormal: what can be added to any reward of the class in any amount.
    rays : array (d, k)
        Independent of each other modulo ``lineality``, unit length; empty for linear sources.
    kinds : dict of str to int
        Dimension of each part of ``lineality``: what is masked, redistribution, shaping.
    rank : Rank
        Of what the source shows, with singular values, tolerance, gap, and whether it is decided.
    """

    theta: Array
    lineality: Array
    rays: Array
    kinds: dict[str, int]
    rank: Rank

    @cached_property
    def directions(self) -> Array:
        """Orthonormal basis of the affine hull of the class, (d, m + k)."""
        return np.hstack([self.lineality, _orthonormal(_without(self.rays, self.lineality))])

    @property
    def dimension(self) -> int:
        """Dimension of the class, m + k."""
        return int(self.directions.shape[1])

    def contains(self, theta: npt.ArrayLike, tolerance: float = INSIDE) -> bool:
        """Whether ``theta`` (d,) gives the same data, to within ``tolerance`` of its length."""
        given = np.asarray(theta, dtype=float)
        if given.shape != self.theta.shape:
            raise ValueError(f"theta: should have shape {self.theta.shape}, was {given.shape}")
        allowed = tolerance * max(float(linalg.norm(given)), float(linalg.norm(self.theta)))
        base = self.theta if not self.rays.shape[1] else np.zeros_like(self.theta)
        weights, rest = self._along(given - base)
        return bool(linalg.norm(rest) <= allowed and (weights > allowed).all())

    def _along(self, vector: Array) -> tuple[Array, Array]:
        """Weights on the rays (k,) and what neither they nor the lineality reach (d,)."""
        outside = _without(vector[:, None], self.lineality)[:, 0]
        if not self.rays.shape[1]:
            return np.zeros(0), outside
        rays = _without(self.rays, self.lineality)
        weights = np.asarray(linalg.lstsq(rays, outside)[0], dtype=float)
        return weights, outside - rays @ weights

    def __str__(self) -> str:
        parts = [f"{kind} ({count})" for kind, count in self.kinds.items() if count]
        parts += [f"{self.rays.shape[1]} in one sense only"] if self.rays.shape[1] else []
        doubt = "" if self.rank.decided else "; undecided, a singular value is too small to call"
        return f"{self.dimension} of {self.theta.size} dimensions open: {', '.join(parts) or 'none'}{doubt}"


@dataclass(frozen=True, eq=False)
class Combined:
    """What several classes of the same reward have in common.

    Attributes
    ----------
    parts : tuple of LeftOpen
    directions : array (d, m)
        Orthonormal basis of the affine hull.
    rank : Rank
        Of all that the parts show of the affine hull together; its singular values are sines of principal angles.
    """

    parts: tuple[LeftOpen, ...]
    directions: Array
    rank: Rank

    @property
    def dimension(self) -> int:
        """Dimension of the intersection, m."""
        return int(self.directions.shape[1])

    def contains(self, theta: npt.ArrayLike, tolerance: float = INSIDE) -> bool:
        """Whether ``theta`` (d,) is in every one of the classes."""
        return all(part.contains(theta, tolerance) for part in self.parts)


def left_open(source: Source, env: Environment, family: RewardFamily, theta: npt.ArrayLike) -> LeftOpen:
    """What a source in one environment leaves open of a reward.

    Parameters
    ----------
    source : Source
    env : Environment
    family : RewardFamily
        :class:`~irl_ident.rewards.TransitionRewards` for the theorems as published.  Others are taken as rewards on
        transitions that are the same for all successors; sources with rays take ``TransitionRewards`` and
        ``StateActionRewards``.
    theta : array (d,)
        The reward.  Linear sources leave the same directions open whatever it is.

    Returns
    -------
    LeftOpen
        No gauge: constants and scale are in it where the source does not show them.

    Raises
    ------
    ValueError
        For a family that is too large, or a source with rays and a family for which it is no cone of this form (use
        :func:`irl_ident.identify` there).
    """
    given = family.checked(theta)
    if family.dim > LARGEST:
        raise ValueError(f"family: has {family.dim} parameters, at most {LARGEST} are taken")
    if source.rays == "worse actions" and not isinstance(family, StateActionRewards | TransitionRewards):
        raise ValueError(
            f"family: was {type(family).__name__}; what an optimal policy leaves open is computed here for "
            "StateActionRewards and TransitionRewards, use irl_ident.identify for others"
        )
    reached = env.reachable if source.reached else np.ones(env.n_states, dtype=bool)
    on_pairs = family.matrix(env)
    rows = on_pairs if source.reads == "pairs" else _on_transitions(env, family)
    kept = np.repeat(reached, rows.shape[0] // env.n_states)
    shaping = env.shaping
    if source.reads == "transitions":
        shaping = _transition_shaping(env)
        kept = kept & (env.transitions.toarray().ravel() > 0)
    read = rows[kept].toarray()
    hidden = _unit_range(sparse.csr_array(shaping[kept] @ _potentials(source.unseen, env, reached)).toarray())
    shown = read - hidden @ (hidden.T @ read)
    rank, lineality = _null_space(shown / _size(read))
    masked = family.dim - np.linalg.matrix_rank(_on_transitions(env, family)[_possible(env, reached)].toarray())
    silent = family.dim - np.linalg.matrix_rank(read)
    kinds = {"masked": masked, "redistribution": silent - masked, "shaping": lineality.shape[1] - silent}
    return LeftOpen(given, lineality, _rays(source, env, family, given, lineality), kinds, rank)


def combine(parts: Sequence[LeftOpen]) -> Combined:
    """Intersect classes of one reward: several sources, several environments, or both."""
    given = tuple(parts)
    if not given:
        raise ValueError("parts: should hold at least one class")
    for place, part in enumerate(given):
        if not np.array_equal(part.theta, given[0].theta):
            raise ValueError(f"parts[{place}]: is of another reward than parts[0]")
    dim = given[0].theta.size
    complements = [np.eye(dim) - part.directions @ part.directions.T for part in given]
    rank, directions = _null_space(np.vstack(complements) / np.sqrt(len(given)))
    return Combined(given, directions, rank)


def order(first: LeftOpen, second: LeftOpen) -> Order:
    """Whether the data behind ``first`` tell at least as much of this reward as those behind ``second``.

    Returns
    -------
    {"equal", "finer", "coarser", "incomparable", "undecided"}
        "finer": every reward that ``first`` confuses with this one, ``second`` does too.  By inclusion of subspaces and
        cones, within ``INSIDE``; undecided where one of the two ranks is.
    """
    if first.theta.shape != second.theta.shape or not np.array_equal(first.theta, second.theta):
        raise ValueError("second: should be a class of the same reward as first")
    if not (first.rank.decided and second.rank.decided):
        return "undecided"
    inside, around = _within(first, second), _within(second, first)
    if inside and around:
        return "equal"
    return "finer" if inside else "coarser" if around else "incomparable"


def _within(small: LeftOpen, large: LeftOpen) -> bool:
    if small.lineality.size and linalg.norm(_without(small.lineality, large.lineality), 2) > INSIDE:
        return False
    start = small.theta if not small.rays.shape[1] else np.zeros_like(small.theta)
    base = large.theta if not large.rays.shape[1] else np.zeros_like(large.theta)
    size = float(linalg.norm(small.theta)) or 1.0
    for recession in small.rays.T:
        weights, rest = large._along(recession)
        if linalg.norm(rest) > INSIDE or (weights < -INSIDE).any():
            return False
    weights, rest = large._along(start - base + size * small.rays.sum(axis=1))
    return bool(linalg.norm(rest) <= INSIDE * size and (weights > INSIDE * size).all())


def _rays(source: Source, env: Environment, family: RewardFamily, theta: Array, lineality: Array) -> Array:
    if source.rays == "none":
        return np.zeros((family.dim, 0))
    if source.rays == "scale":
        along = _without(theta[:, None], lineality)
        size = float(linalg.norm(along))
        return along / size if size > INSIDE * float(linalg.norm(theta)) else np.zeros((family.dim, 0))
    best = planning.optimal_actions(planning.optimal(env, family.reward(env, theta)).q)
    worse = np.flatnonzero(~best.ravel())
    if isinstance(family, StateActionRewards):
        return -np.eye(family.dim)[:, worse]
    less = np.zeros((env.n_states * env.n_actions, env.n_states, worse.size))
    less[worse, :, np.arange(worse.size)] = -1 / np.sqrt(env.n_states)
    return less.reshape(family.dim, worse.size)


def _on_transitions(env: Environment, family: RewardFamily) -> sparse.csr_array:
    """The family's rewards R(s, a, s'), sparse (S A S, d)."""
    if isinstance(family, TransitionRewards):
        return sparse.csr_array(sparse.eye_array(family.dim))
    each = sparse.csr_array(np.ones((env.n_states, 1)))
    return sparse.csr_array(sparse.kron(family.matrix(env), each, format="csr"))


def _transition_shaping(env: Environment) -> sparse.csr_array:
    """``-D``, sparse (S A S, S); an episode that is over looks at no successor."""
    here = sparse.kron(sparse.eye_array(env.n_states), np.ones((env.n_actions * env.n_states, 1)))
    goes_on = (env.continuation.sum(axis=1) > 0).astype(float)
    there = sparse.kron(sparse.csr_array(goes_on[:, None]), sparse.eye_array(env.n_states))
    return sparse.csr_array(here - env.discount * there)


def _potentials(unseen: Potentials, env: Environment, reached: Mask) -> sparse.csr_array:
    """A basis of the potentials, sparse (S, p); those of states that are never reached change nothing that is read."""
    starts = env.initial > 0
    free = reached if unseen == "any" else reached & ~starts
    columns = np.eye(env.n_states)[:, free]
    if unseen == "none":
        columns = columns[:, :0]
    if unseen == "k-initial":
        columns = np.column_stack([columns, starts.astype(float)])
    return sparse.csr_array(columns)


def _possible(env: Environment, reached: Mask) -> Mask:
    return (env.transitions.toarray().ravel() > 0) & np.repeat(reached, env.n_actions * env.n_states)


def _unit_range(columns: Array) -> Array:
    lengths = np.sqrt((columns**2).sum(axis=0))
    kept = lengths > 0
    return _orthonormal(columns[:, kept] / lengths[kept]) if kept.any() else np.zeros((columns.shape[0], 0))


def _orthonormal(columns: Array) -> Array:
    if not columns.size:
        return np.zeros((columns.shape[0], 0))
    return np.asarray(linalg.orth(columns, rcond=INSIDE), dtype=float)


def _without(columns: Array, basis: Array) -> Array:
    """``columns`` less what an orthonormal ``basis`` spans."""
    return np.asarray(columns - basis @ (basis.T @ columns), dtype=float)


def _size(matrix: Array) -> float:
    """The largest singular value, or 1 where there is none above 0."""
    return float(linalg.norm(matrix, 2)) or 1.0 if matrix.size else 1.0


def _null_space(matrix: Array) -> tuple[Rank, Array]:
    """Rank of a matrix without units, and orthonormal null space."""
    _, values, right = linalg.svd(matrix, full_matrices=True)
    rank = decide_rank(np.concatenate([values, np.zeros(matrix.shape[1] - values.size)]))
    return rank, np.ascontiguousarray(right[rank.rank :].T)
