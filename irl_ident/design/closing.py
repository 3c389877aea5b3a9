"""Which candidate closes which open direction?

The report names the directions that the evidence leaves open: shaping at s3, s7 never reached, two states that can be
interchanged.  A candidate environment, in which the agent's policy would be seen, is looked at for each of them.  It
would be seen in the states that can be reached from where episodes start there.

**Soft-optimal agents.**  A direction x stays open iff ``Phi x`` shapes in these states, and the answer is exact,
whatever the objective is: the sine of the angle between ``Phi x`` and range(B) says whether, and how well, the
direction would be seen.  Together with others it may still be open, where their shapings cancel: what is left of each
kind is the rank that the kind adds to those before it, in the order in which the report names them.

**Optimal agents.**  What is learnt depends on the objective, so the answer is an expectation over members of the
identified set, drawn evenly in the gauge box, each taken to be the truth.  With x the canonical form of a member
along a direction, and c the class of members that would behave alike in the candidate, the share of the uncertainty
that the candidate would remove is, by the law of total variance,

    1 - E[Var(x | c)] / Var(x),

estimated with the degrees of freedom within classes and in all.  It is a share of the expected, not a certificate:
directions of an optimal agent close altogether only in the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import sparse

from irl_ident.design.behaviour import Labels, behaviour_classes, signatures, temperature_of
from irl_ident.design.strategies.base import checked_candidates
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.base import IdentifiedSet
from irl_ident.identified.confidence.soft import SoftConfidenceSet
from irl_ident.identified.report import Report
from irl_ident.identified.shaping_rank import SURE_ABOVE, ZERO_BELOW, affine_set, orthonormal
from irl_ident.identified.soft import SoftSet
from irl_ident.rewards import RewardFamily

ROUNDING = 1e-14
"""What a direction pays that is no more than this share of what directions of its size could pay is rounding of 0."""

WIDEST = 40
"""Characters of a direction's name that are printed in a table."""


@dataclass(frozen=True, eq=False)
class Closing:
    """What each candidate would do to each open direction.

    Attributes
    ----------
    directions : tuple of str
        The open directions that an experiment could resolve, n of them, as the report names them.
    candidates : tuple of str
        Names of the C candidates.
    share : array (n, C)
        In [0, 1].  Soft agents: the sine with which the direction would be seen.  Optimal agents: the share of the
        uncertainty along it that the candidate is expected to remove.
    closed : bool array (n, C)
        Soft agents: the sine is surely not 0.  Optimal agents: nothing is left within any class that was drawn.
    undecided : bool array (n, C)
        Soft agents: the sine is neither surely 0 nor surely not.  Optimal agents: all members drawn would behave
        differently there, so that what would be left cannot be told from them.
    kinds : tuple of str
        Kinds of the open directions, K of them, in the order of the report.
    left : array (K, C)
        Open directions of each kind after the candidate; for optimal agents the sum of what is left of each.
    exact : bool
        Whether the answers hold whatever the objective is (soft agents), or are expected over ``samples`` members.
    samples : int
        0 where exact.
    """

    directions: tuple[str, ...]
    candidates: tuple[str, ...]
    share: Array
    closed: Mask
    undecided: Mask
    kinds: tuple[str, ...]
    left: Array
    exact: bool
    samples: int

    @property
    def best(self) -> int | None:
        """The first candidate that leaves least, or None when none of them closes anything."""
        if not self.share.size or (self.share.max(initial=0.0) <= ZERO_BELOW):
            return None
        return int(np.argmin(np.round(self.left.sum(axis=0), 9)))

    def next_step(self) -> str:
        """What to do next, in words."""
        if not self.directions:
            return "nothing: no environment can resolve what is left"
        if self.best is None:
            return "another environment: none of these candidates closes an open direction"
        place = self.best
        name = self.candidates[place]
        if not self.exact:
            order = np.argsort(-self.share[:, place], kind="stable")[:3]
            most = "; ".join(f"{self.share[i, place]:.0%} of {self.directions[i]}" for i in order)
            return f"observe the agent in {name}: expected to remove {most} ({self.samples} members drawn)"
        before = [sum(word.startswith(f"{kind}: ") for word in self.directions) for kind in self.kinds]
        left = self.left[:, place].astype(int)
        closing = [f"{kind} ({n - m} of {n})" for kind, n, m in zip(self.kinds, before, left, strict=True) if m < n]
        return f"observe the agent in {name}: closes {', '.join(closing)}; leaves {left.sum()} open"

    def __str__(self) -> str:
        names = [
            direction if len(direction) <= WIDEST else direction[: WIDEST - 3] + "..." for direction in self.directions
        ]
        margin = max(map(len, [*names, "left open"]))
        widths = [max(len(name), 6) for name in self.candidates]
        head = "  ".join(name.rjust(width) for name, width in zip(self.candidates, widths, strict=True))
        lines = [f"{'':{margin}}  {head}"]
        for i, name in enumerate(names):
            cells = [self._cell(i, j).rjust(width) for j, width in enumerate(widths)]
            lines.append(f"{name:{margin}}  {'  '.join(cells)}")
        left = [f"{value:.0f}" if self.exact else f"{value:.1f}" for value in self.left.sum(axis=0)]
        lines.append(
            f"{'left open':{margin}}  " + "  ".join(n.rjust(width) for n, width in zip(left, widths, strict=True))
        )
        return "\n".join(lines)

    def _cell(self, i: int, j: int) -> str:
        if self.undecided[i, j]:
            return "?"
        if not self.exact:
            return f"{self.share[i, j]:.0%}"
        return f"{self.share[i, j]:.2g}" if self.closed[i, j] else "-"


def closes(
    ident: IdentifiedSet,
    candidates: Sequence[Environment],
    names: Sequence[str] | None = None,
    *,
    samples: int = 1000,
    seed: int = 0,
) -> Closing:
    """Which candidate closes which named open direction.

    Parameters
    ----------
    ident : IdentifiedSet
    candidates : sequence of Environment
        C of them.
    names : sequence of str, optional
        Of the candidates; ``candidate 0``, ... when not given.
    samples : int
        Members to draw, at least 2; for optimal agents only.
    seed : int

    Returns
    -------
    Closing

    Raises
    ------
    ValueError
        For no candidates, or names or samples that do not fit.
    ContradictoryEvidence
        When the identified set is empty.

    Examples
    --------
    Four states in a circle, walked both ways: what even states pay is confused with what odd ones do.  Where the agent
    can stay, it would be seen.

    >>> import irl_ident as ii
    >>> def circle(*steps):
    ...     return ii.Environment(np.array([[np.eye(4)[(s + step) % 4] for step in steps] for s in range(4)]), 0.9)
    >>> family = ii.rewards.StateRewards(4)
    >>> seen = ii.agents.SoftOptimal(family, [1, 0, 2, 0]).policy(circle(1, -1))
    >>> ident = ii.identify([(circle(1, -1), seen)], family, "soft")
    >>> print(closes(ident, [circle(-1, 1), circle(0, 1)], ["again", "stay"]))
                                               again    stay
    shaping: shaping by a potential on se...       -    0.63
    left open                                      1       0
    """
    given = checked_candidates(candidates)
    named = tuple(f"candidate {i}" for i in range(len(given))) if names is None else tuple(map(str, names))
    if len(named) != len(given):
        raise ValueError(f"names: {len(named)} were given for {len(given)} candidates")
    if samples != int(samples) or samples < 2:
        raise ValueError(f"samples: was {samples!r}, should be a whole number of at least 2")
    found = [a for a in ident.ambiguities if not a.representational]
    words = tuple(f"{a.kind}: {word}" for a in found for word in a.words)
    directions = np.hstack([np.zeros((ident.family.dim, 0)), *(a.basis for a in found)])
    kinds = tuple(a.kind for a in found)
    if isinstance(ident, (SoftSet, SoftConfidenceSet)):
        share = np.array([_sines(env, ident.family, directions) for env in given]).T.reshape(len(words), len(given))
        return Closing(
            words,
            named,
            share,
            share > SURE_ABOVE,
            (share > ZERO_BELOW) & (share <= SURE_ABOVE),
            kinds,
            np.array([_left_open(env, ident) for env in given]).T.reshape(len(kinds), len(given)),
            True,
            0,
        )
    thetas = ident.sample(samples, seed)
    forms = _canonical(ident.family, given[0], thetas) @ (directions / np.linalg.norm(directions, axis=0))
    labels = np.array([_labels(env, ident, thetas) for env in given])
    share = np.array([_removed(row, forms) for row in labels]).T.reshape(len(words), len(given))
    apart = np.array([len(np.unique(row)) == samples for row in labels])
    closed = (share >= 1 - 1e-9) & ~apart
    undecided = np.broadcast_to(apart, share.shape)
    ends = np.cumsum([0, *(a.dimension for a in found)])
    left = np.array([(1 - share[i:j]).sum(axis=0) for i, j in pairwise(ends)]).reshape(len(kinds), len(given))
    return Closing(words, named, share, closed, undecided, kinds, left, False, samples)


def report(
    ident: IdentifiedSet, candidates: Sequence[Environment], names: Sequence[str] | None = None, *, seed: int = 0
) -> Report:
    """The report of an identified set, with the candidate that closes most as its next step if something is open."""
    told = ident.report()
    if ident.conflict is not None or told.settled:
        return told
    return replace(told, next_step=closes(ident, candidates, names, seed=seed).next_step())


def _seen(env: Environment, family: RewardFamily) -> tuple[Array, Array]:
    """Features (n, d) in the states that can be reached, and an orthonormal basis of what shapes there (n, m)."""
    reached = env.reachable
    rows = np.repeat(reached, env.n_actions)
    return family.matrix(env)[rows].toarray(), orthonormal(env.shaping[rows][:, reached].toarray())


def _sines(env: Environment, family: RewardFamily, directions: Array) -> Array:
    """Sine of the angle between each of ``directions`` (d, n), as a reward, and what shapes, (n,)."""
    features, shaped = _seen(env, family)
    moved = _moved(features, directions)
    sizes = np.linalg.norm(moved, axis=0)
    seen = np.linalg.norm(moved - shaped @ (shaped.T @ moved), axis=0)
    return np.asarray(np.where(sizes > 0, seen / np.where(sizes > 0, sizes, 1), 0.0))


def _moved(features: Array, directions: Array) -> Array:
    """``features @ directions`` (n, m); sums of which only rounding is left are 0."""
    moved = features @ directions
    sizes = np.abs(features).sum(axis=1)[:, None] * np.abs(directions).max(axis=0, initial=0)
    moved[np.abs(moved) <= ROUNDING * sizes] = 0
    return np.asarray(moved)


def _left_open(env: Environment, ident: IdentifiedSet) -> list[float]:
    """Open directions of each kind that an experiment could resolve, after one in ``env``, (K,)."""
    so_far = np.hstack([np.zeros((ident.family.dim, 0)), *(a.basis for a in ident.ambiguities if a.representational)])
    counts = [_open(env, ident.family, so_far)]
    for found in ident.ambiguities:
        if not found.representational:
            so_far = np.hstack([so_far, found.basis])
            counts.append(_open(env, ident.family, so_far))
    return [after - before for before, after in pairwise(counts)]


def _open(env: Environment, family: RewardFamily, directions: Array) -> float:
    """How many of ``directions`` (d, n), linearly independent, the candidate leaves open."""
    if not directions.shape[1]:
        return 0.0
    rows = np.repeat(env.reachable, env.n_actions)
    features = sparse.csr_array(_moved(family.matrix(env).toarray(), directions))
    found = affine_set([(env.shaping, features, np.zeros(rows.size), rows)], directions.shape[1])
    return float(directions.shape[1] - found.rank)


def _labels(env: Environment, ident: IdentifiedSet, thetas: Array) -> Labels:
    """Classes of ``thetas`` (N, d) that behave alike in the states that can be reached, (N,)."""
    planned = signatures(env, ident.family, thetas, ident.rationality, temperature_of(ident))
    if ident.rationality != "optimal":
        return behaviour_classes(planned)
    size = env.n_states * env.n_actions
    rows = np.repeat(env.reachable, env.n_actions)
    return behaviour_classes(np.packbits(np.unpackbits(planned, axis=1, count=size)[:, rows], axis=1))


def _canonical(family: RewardFamily, env: Environment, thetas: Array) -> Array:
    """Parameters (N, d) of the canonical forms: rewards from 0 to 1 where constants can be taken away, else scaled."""
    rewards = np.asarray(family.matrix(env) @ thetas.T)
    spans = np.ptp(rewards, axis=0)
    spans = np.where(spans > 1e-12 * np.abs(rewards).max(axis=0), spans, np.inf)
    constant = family.representational([0.0]).get("constant")
    shifted = thetas if constant is None else thetas - rewards.min(axis=0)[:, None] * constant[:, 0]
    return np.asarray(shifted / spans[:, None])


def _removed(labels: Labels, forms: Array) -> Array:
    """Share of the variance of each column of ``forms`` (N, n) that lies between classes, (n,), in [0, 1]."""
    count, classes = len(labels), int(labels.max()) + 1
    total = forms.var(axis=0) * count / (count - 1)
    if classes == count:
        return np.ones(forms.shape[1])
    sizes = np.bincount(labels, minlength=classes)[:, None]
    means = np.zeros((classes, forms.shape[1]))
    np.add.at(means, labels, forms)
    within = ((forms - (means / np.maximum(sizes, 1))[labels]) ** 2).sum(axis=0) / (count - classes)
    return np.asarray(np.clip(1 - within / np.where(total > 0, total, np.inf), 0, 1), dtype=float)
