"""Token bandits: what a learner knows after each pull, as an environment of its own.

A task is two arms (or more); a pull of arm a shows token o with probability ``p[a, o]``, which the learner does not
know.  It has n pulls, and its objective says what each token is worth.  Arms are drawn for each task anew,
``p[a] ~ Dirichlet(alpha[a])`` independently (Duan et al. 2016, arXiv 1611.02779, have the same with two tokens).  What
the learner has seen matters through the counts c[a, o] of arms and tokens alone (they are sufficient), so that its
history is a state of a Markov decision process, the *belief MDP* (Bellman 1956; Duff 2002):

    P(c + e_ao | c, a) = (alpha[a, o] + c[a, o]) / sum_o' (alpha[a, o'] + c[a, o']),

until all pulls are made.  The expected number of tokens o in the next pull, that same probability, is feature o of a
reward that is linear in what tokens are worth.  With 2 arms, 3 tokens and 10 pulls there are 5,005 states with a pull
left, C(15, 6); the last state is "over".

*Cue.*  Before the first pull the learner may see a cue c, which marks the better arm under some objective w (the larger
``p[a] . w``) with probability rho.  The beliefs are then states (c, counts), and what the cue tells about the arms is
Bayes' rule: with ``G_c`` the probability, given the counts alone, that the marked arm is the better one,

    Z(c, counts) = rho G_c + (1 - rho) (1 - G_c),
    P(c + e_ao | c, a) = (the above) Z(c, counts + e_ao) / Z(c, counts).

:func:`better_arm` has G in closed form for two arms and whole alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy import interpolate, sparse

import irl_ident as ii
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

PULLS = 10
UNIFORM = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
"""The prior of two arms with three tokens, any probabilities as likely as any other."""


@dataclass(frozen=True)
class Cue:
    """A mark on one of two arms before the first pull.

    Attributes
    ----------
    reliability : float
        Probability that it marks the better arm, in [0, 1]; 1/2 says nothing.
    worth : tuple of float
        What tokens are worth for an arm to be better.
    """

    reliability: float
    worth: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.reliability <= 1:
            raise ValueError(f"reliability: was {self.reliability!r}, should be a probability")


@dataclass(frozen=True)
class Beliefs:
    """All counts that n pulls can lead to, and how they follow each other.

    Parameters
    ----------
    prior : tuple of A tuples of K floats
        Parameters of each arm's Dirichlet distribution, above 0.
    pulls : int
        n, at least 1.
    cue : Cue, optional
        What the learner believes of the cue; None where there is none.
    """

    prior: tuple[tuple[float, ...], ...] = UNIFORM
    pulls: int = PULLS
    cue: Cue | None = None

    def __post_init__(self) -> None:
        widths = {len(arm) for arm in self.prior}
        if len(self.prior) < 2 or len(widths) != 1 or min(widths) < 2:
            raise ValueError(f"prior: should have at least two arms with the same tokens, was {self.prior!r}")
        if not all(np.isfinite(a) and a > 0 for arm in self.prior for a in arm):
            raise ValueError(f"prior: should be finite and above 0, was {self.prior!r}")
        if self.pulls != int(self.pulls) or self.pulls < 1:
            raise ValueError(f"pulls: was {self.pulls!r}, should be a whole number of at least 1")
        if self.cue is not None and len(self.cue.worth) != len(self.prior[0]):
            raise ValueError(f"cue: names the worth of {len(self.cue.worth)} tokens, there are {len(self.prior[0])}")

    @property
    def arms(self) -> int:
        """A."""
        return len(self.prior)

    @property
    def tokens(self) -> int:
        """K."""
        return len(self.prior[0])

    @property
    def cues(self) -> int:
        """Number of cues that can be seen: 2, or 1 where there is none."""
        return 1 if self.cue is None else 2

    @cached_property
    def counts(self) -> Integers:
        """Counts with a pull left, fewest first, (B, A, K)."""
        return ranked(self.arms * self.tokens, self.pulls - 1).reshape(-1, self.arms, self.tokens)

    @cached_property
    def _places(self) -> Integers:
        """The row of ``counts`` for each combination of counts, or B where no pull is left, (n + 1,) * A K."""
        flat = self.counts.reshape(len(self.counts), -1)
        places = np.full((self.pulls + 1,) * flat.shape[1], len(flat))
        places[tuple(flat.T)] = np.arange(len(flat))
        return places

    def place(self, counts: npt.ArrayLike) -> Integers:
        """Rows of :attr:`counts` of counts (..., A, K); B where all pulls are made."""
        given = np.asarray(counts, dtype=np.int64)
        flat = given.reshape(*given.shape[:-2], self.arms * self.tokens)
        if flat.min(initial=0) < 0 or flat.sum(axis=-1).max(initial=0) > self.pulls:
            raise ValueError(f"counts: should be at least 0 and sum to at most {self.pulls}, were {given!r}")
        return np.asarray(self._places[tuple(np.moveaxis(flat, -1, 0))])

    @cached_property
    def following(self) -> Integers:
        """Where each outcome leads, (S, A, K): states as in :meth:`environment`."""
        b = len(self.counts)
        steps = np.eye(self.arms * self.tokens, dtype=np.int64).reshape(-1, self.arms, self.tokens)
        last = self.counts.sum(axis=(1, 2)) == self.pulls - 1
        next_ = np.full((b, len(steps)), b)
        next_[~last] = self.place(self.counts[~last, None] + steps)
        halves = [np.where(next_ == b, self.cues * b, next_ + half * b) for half in range(self.cues)]
        over = np.full((1, len(steps)), self.cues * b)
        return np.concatenate([*halves, over]).reshape(-1, self.arms, self.tokens)

    @cached_property
    def predicted(self) -> Array:
        """Probability of each token for each arm in each state, (S, A, K); 0 when it is over."""
        alpha = np.array(self.prior) + self.counts
        plain = alpha / alpha.sum(axis=2, keepdims=True)
        halves = [plain] if self.cue is None else [plain * self._told(half) for half in range(2)]
        return np.concatenate([*halves, np.zeros((1, self.arms, self.tokens))])

    def _told(self, marked: int) -> Array:
        """What the cue changes: ``Z(counts + e_ao) / Z(counts)``, (B, A, K)."""
        cue = self.cue
        assert cue is not None
        every = ranked(self.arms * self.tokens, self.pulls).reshape(-1, self.arms, self.tokens)
        first = better_arm(every + np.array(self.prior), cue.worth)
        better = first if marked == 0 else 1 - first
        likely = cue.reliability * better + (1 - cue.reliability) * (1 - better)
        b = len(self.counts)
        table = np.zeros((self.pulls + 1,) * (self.arms * self.tokens))
        table[tuple(every.reshape(len(every), -1).T)] = likely
        steps = np.eye(self.arms * self.tokens, dtype=np.int64)
        later = (self.counts.reshape(b, 1, -1) + steps).reshape(-1, self.arms * self.tokens)
        found = table[tuple(later.T)].reshape(b, self.arms, self.tokens)
        return np.asarray(found / likely[:b, None, None])

    @property
    def over(self) -> int:
        """The state when all pulls are made, the last one."""
        return self.cues * len(self.counts)

    def first(self, cue: int = 0) -> int:
        """The state before the first pull."""
        return cue * len(self.counts)

    def environment(self) -> ii.Environment:
        """The belief MDP.

        Returns
        -------
        Environment
            Discount 1; state ``c B + b`` is row b of :attr:`counts` after cue c, the last state is "over".  Actions are
            the arms.  Both cues are as likely at first.
        """
        return _environment(self)

    def family(self) -> ii.rewards.LinearRewards:
        """What tokens are worth, the last token 0; and what it is worth to pull the marked arm, where there is a cue.

        With the same number of pulls for everybody, a constant for every token changes no choice.
        """
        names = [f"token {o}" for o in range(self.tokens - 1)]
        features = [self.predicted[:, :, :-1]]
        if self.cue is not None:
            names.append("following the cue")
            features.append(self.marked[:, :, None].astype(float))
        return ii.rewards.LinearRewards(np.concatenate(features, axis=2), names=names)

    @cached_property
    def marked(self) -> npt.NDArray[np.bool_]:
        """Arms that the cue marks, (S, A)."""
        found = np.zeros((self.over + 1, self.arms), dtype=bool)
        if self.cue is not None:
            for half in range(2):
                found[half * len(self.counts) : (half + 1) * len(self.counts), half] = True
        return found

    def states(self, actions: npt.ArrayLike, tokens: npt.ArrayLike, cues: npt.ArrayLike | None = None) -> Integers:
        """The states in which N learners made their choices.

        Parameters
        ----------
        actions, tokens : int array (N, H)
            Arms and what they showed, H at most n.
        cues : int array (N,), optional
            What was seen before the first pull; no cue where it is not given.

        Returns
        -------
        int array (N, H)
        """
        arms, shown = np.asarray(actions, dtype=np.int64), np.asarray(tokens, dtype=np.int64)
        if arms.ndim != 2 or arms.shape != shown.shape or arms.shape[1] > self.pulls:
            raise ValueError(
                f"actions, tokens: should have the same shape (N, H) with H of at most {self.pulls}, were {arms.shape} "
                f"and {shown.shape}"
            )
        now = np.zeros(len(arms), dtype=np.int64) if cues is None else self.first(1) * np.asarray(cues, dtype=np.int64)
        found = np.empty_like(arms)
        for step in range(arms.shape[1]):
            found[:, step] = now
            now = self.following[now, arms[:, step], shown[:, step]]
        return found


def ranked(width: int, most: int) -> Integers:
    """All vectors of ``width`` whole numbers that sum to at most ``most``, by their sum and then in order."""
    rows: Integers = np.zeros((1, 0), dtype=np.int64)
    for _ in range(width):
        left = most - rows.sum(axis=1)
        grown = np.repeat(rows, left + 1, axis=0)
        entry = np.arange(len(grown)) - np.repeat(np.cumsum(left + 1) - (left + 1), left + 1)
        rows = np.column_stack([grown, entry])
    return rows[np.argsort(rows.sum(axis=1), kind="stable")]


@lru_cache(maxsize=16)
def _environment(beliefs: Beliefs) -> ii.Environment:
    n_states, arms = beliefs.over + 1, beliefs.arms
    rows = np.repeat(np.arange(n_states * arms), beliefs.tokens)
    chances = beliefs.predicted.copy()
    last = (beliefs.following == beliefs.over).all(axis=2)
    chances[last] = 0
    chances[last, 0] = 1
    kept = chances.ravel() > 0
    shape = (n_states * arms, n_states)
    moves = sparse.csr_array((chances.ravel()[kept], (rows[kept], beliefs.following.ravel()[kept])), shape=shape)
    initial = np.zeros(n_states)
    initial[[beliefs.first(cue) for cue in range(beliefs.cues)]] = 1 / beliefs.cues
    marks = [""] if beliefs.cue is None else ["cue 0: ", "cue 1: "]
    names = [" ".join("".join(_digit(n) for n in arm) for arm in counts) for counts in beliefs.counts.tolist()]
    return ii.Environment(
        moves,
        1.0,
        initial,
        states=[*(mark + name for mark in marks for name in names), "over"],
        actions=[f"arm {a}" for a in range(arms)],
    )


def _digit(count: int) -> str:
    return str(count) if count < 10 else f"({count})"


def better_arm(alpha: npt.ArrayLike, worth: Sequence[float]) -> Array:
    """Probability that the first of two arms is the better one.

    Parameters
    ----------
    alpha : array (..., 2, K)
        Parameters of the arms' Dirichlet distributions; whole numbers of at least 1.
    worth : sequence of K floats
        What tokens are worth, not all the same.

    Returns
    -------
    array (...)
        ``P(p . w > q . w)`` for independent ``p ~ Dirichlet(alpha[0])`` and ``q ~ Dirichlet(alpha[1])``, exact up to
        rounding.

    Notes
    -----
    ``p . w`` has the B-spline with a knot at ``w[o]``, ``alpha[o]`` times, as its density (Curry & Schoenberg 1966;
    Dirichlet by partition of a simplex: Karlin, Micchelli & Rinott 1986).  Between knots it is a polynomial, so
    Gauss-Legendre quadrature of enough nodes has no error but rounding.
    """
    given = np.asarray(alpha)
    whole = np.rint(given).astype(np.int64)
    if given.shape[-2] != 2 or (np.abs(given - whole) > 0).any() or whole.min(initial=1) < 1:
        raise ValueError("alpha: should be whole numbers of at least 1 for two arms, the closed form is for those")
    w = np.asarray(worth, dtype=float)
    if w.shape != (whole.shape[-1],) or np.ptp(w) == 0:
        raise ValueError(f"worth: should be {whole.shape[-1]} numbers that are not all the same, was {worth!r}")
    kinds, which = np.unique(whole.reshape(-1, whole.shape[-1]), axis=0, return_inverse=True)
    places = which.reshape(*whole.shape[:-1])
    ends = np.unique(w)
    nodes, weights = np.polynomial.legendre.leggauss(int(kinds.sum(axis=1).max()))
    half = np.diff(ends) / 2
    points = (ends[:-1, None] + half[:, None] * (nodes + 1)).ravel()
    mass = (half[:, None] * weights).ravel()
    densities, distributions = (np.stack(part) for part in zip(*(_spline(k, w, points) for k in kinds), strict=True))
    table = (densities * mass) @ distributions.T
    return np.asarray(table[places[..., 0], places[..., 1]])


def _spline(alpha: Integers, worth: Array, points: Array) -> tuple[Array, Array]:
    """Density and distribution function of ``p . worth`` at points between knots."""
    knots = np.sort(np.repeat(worth, alpha))
    degree = len(knots) - 2
    spline = interpolate.BSpline.basis_element(knots)
    scale = (degree + 1) / (knots[-1] - knots[0])
    return scale * spline(points), np.asarray(scale * spline.antiderivative()(points))


def thompson(beliefs: Beliefs, worth: Sequence[float]) -> Array:
    """Probabilities with which Thompson (1933) pulls each of two arms: those of being the better one, (S, 2).

    Parameters
    ----------
    beliefs : Beliefs
        Two arms, a whole prior, no cue.
    worth : sequence of K floats
        What tokens are worth.
    """
    if beliefs.cue is not None:
        raise ValueError("beliefs: should be without a cue")
    first = better_arm(beliefs.counts + np.array(beliefs.prior), worth)
    return np.column_stack([np.append(first, 0.5), np.append(1 - first, 0.5)])


def picture(beliefs: Beliefs, state: int) -> str:
    """What a learner has seen so far as text: a line for each arm, tokens as digits; ``*`` where the cue is."""
    if state == beliefs.over:
        return "over"
    cue, row = divmod(state, len(beliefs.counts))
    lines = []
    for arm, counts in enumerate(beliefs.counts[row].tolist()):
        mark = "*" if beliefs.cue is not None and cue == arm else " "
        lines.append(f"arm {arm}{mark} {''.join(str(token) * count for token, count in enumerate(counts))}".rstrip())
    left = beliefs.pulls - int(beliefs.counts[row].sum())
    return "\n".join([*lines, f"{left} {'pull' if left == 1 else 'pulls'} left"])
