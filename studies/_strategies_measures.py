"""Limits and measures of the study ``strategies``: what any experimenter needs, and what is left to lose.

``labels`` (C, N) number the answers of N objectives in C candidates.  An experimenter is *there* at 95 % when 95 % of
what all candidates together rule out is ruled out: with ``a`` objectives left and ``f`` that no candidate tells from
the truth, ``(N - a) / (N - f) >= 0.95``.

**Bits.**  To tell which of the joint classes it is takes H bits on average, an experiment gives at most the log2 of its
number of answers, so that no experimenter tells all in fewer than ``H / max_e log2 K_e`` experiments on average.  The
largest entropy of an answer in place of ``log2 K_e`` bounds only those who choose all experiments beforehand: what is
seen first can make a rare answer an even one, so that one who adapts learns more in the second experiment than its
answer's entropy was at first.

**Plans.**  An experimenter who does not know the truth follows one plan, whatever the truth is.  ``E n = sum_k P(n >
k)``, and ``P(n > k)`` is at least 1 less the largest share of truths that any plan of k experiments brings there,
which is found by enumeration; from the k that is too dear to enumerate 0 is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident import planning
from irl_ident.design import behaviour_classes
from irl_ident.design.behaviour import Labels
from irl_ident.environment import Array, Environment, Mask
from irl_ident.planning.soft_batch import soft_batch
from irl_ident.rewards import RewardFamily

EQUAL = 1e-12


def entropy(labels: Labels) -> float:
    """Bits in the class of an objective drawn evenly, for labels (N,)."""
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def indistinguishable(labels: Labels) -> Labels:
    """How many objectives no candidate tells from each, itself among them, (N,)."""
    joint = behaviour_classes(labels.T)
    return np.asarray(np.bincount(joint)[joint], dtype=np.int64)


def bits(labels: Labels) -> dict[str, float]:
    """Bits needed, and the bounds on the mean number of environments that they give."""
    needed = entropy(behaviour_classes(labels.T))
    even = float(np.log2([len(np.unique(row)) for row in labels]).max())
    uneven = max(entropy(row) for row in labels)
    return {
        "bits_needed": needed,
        "bits_most": uneven,
        "bits_even": even,
        "bound_any": needed / even if even else 0.0,
        "bound_beforehand": needed / uneven if uneven else 0.0,
    }


def told(left: Array | float, final: Array | float, total: int) -> Array:
    """Share of what all candidates rule out that is ruled out when ``left`` objectives remain; 1 for nothing to do."""
    most = total - np.asarray(final, dtype=float)
    return np.asarray(np.where(most > 0, (total - np.asarray(left)) / np.where(most > 0, most, 1), 1.0))


def best_shares(labels: Labels, share: float, depth: int) -> Array:
    """Largest share of truths that a plan of 0, 1, ... ``depth`` experiments brings to ``share``, (depth + 1,)."""
    total = labels.shape[1]
    enough = total - share * (total - indistinguishable(labels)) + EQUAL
    everything = np.arange(total)
    reached = [_reached(labels, enough, everything, k) for k in range(depth + 1)]
    return np.asarray(np.array(reached, dtype=float) / total)


def _reached(labels: Labels, enough: Array, alive: Labels, depth: int) -> int:
    """How many of the truths in ``alive`` are there after the best ``depth`` experiments more."""
    there = int((len(alive) <= enough[alive]).sum())
    if depth == 0 or there == len(alive):
        return there
    if depth == 1:
        rows = labels[:, alive]
        width = int(labels.max()) + 1
        cells = rows + width * np.arange(len(rows))[:, None]
        sizes = np.bincount(cells.ravel(), minlength=len(rows) * width)[cells]
        return int((sizes <= enough[alive]).sum(axis=1).max())
    best = there
    for row in labels[:, alive]:
        order = np.argsort(row, kind="stable")
        parts = np.split(alive[order], np.flatnonzero(np.diff(row[order])) + 1)
        if len(parts) > 1:
            best = max(best, sum(_reached(labels, enough, part, depth - 1) for part in parts))
        if best == len(alive):
            break
    return best


def bound_on_mean(shares: Array) -> float:
    """Lower bound on the mean number of experiments of any experimenter, from :func:`best_shares`."""
    return float((1 - shares).sum())


def needed(left: Sequence[int], final: int, total: int, share: float) -> int:
    """After how many experiments ``share`` is told; ``len(left)`` when it never was, for counts before the first and
    after each."""
    there = told(np.array(left), final, total) >= share - EQUAL
    return int(np.argmax(there)) if there.any() else len(left)


class Belief:
    """What choices of a soft agent tell of a pool, one objective of which is the agent's.

    The mean likelihood of the pool over that of the truth is a nonnegative martingale from 1, whatever environments are
    chosen in the light of the past, so that by Ville's inequality the objectives whose likelihood is at least ``level``
    times the mean hold the truth at every time with probability at least ``1 - level``.

    Parameters
    ----------
    family, pool, temperature
        Of the agent and of what its objective may be.
    planned : dict
        Log-policies by the digest of an environment, which beliefs about the same pool may share.
    """

    def __init__(self, family: RewardFamily, pool: Array, temperature: float, planned: dict[str, Array]) -> None:
        self._family, self._pool, self._temperature = family, pool, temperature
        self._planned = planned
        self._log_likelihood = np.zeros(len(pool))

    def update(self, env: Environment, counts: npt.NDArray[Any]) -> None:
        """Take choices (S, A) in ``env``."""
        if env.digest not in self._planned:
            rewards = self._family.rewards(env, self._pool)
            log_policy = soft_batch(env, rewards, self._temperature).log_policy
            self._planned[env.digest] = log_policy.reshape(len(self._pool), -1)
        self._log_likelihood = self._log_likelihood + self._planned[env.digest] @ counts.ravel()

    @property
    def weights(self) -> Array:
        """Posterior weights from an even prior, (N,)."""
        return np.asarray(special.softmax(self._log_likelihood))

    def left(self, level: float) -> Mask:
        """Objectives in the confidence set, (N,)."""
        mean = special.logsumexp(self._log_likelihood) - np.log(len(self._pool))
        return np.asarray(self._log_likelihood >= mean + np.log(level))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Environments to be judged in, and what the objectives of a pool have to gain and to lose there.

    Regret is the share of what lies between the best and the worst policy from the start that is lost.
    """

    environments: Sequence[Environment]
    family: RewardFamily
    pool: Array
    best: Array
    worst: Array

    @classmethod
    def of(cls, environments: Sequence[Environment], family: RewardFamily, pool: Array) -> HeldOut:
        """Plan every objective, and its opposite, in every environment."""
        ends = []
        for env in environments:
            rewards = family.rewards(env, pool)
            ends.append(
                [sign * planning.optimal_batch(env, sign * rewards).max(axis=2) @ env.initial for sign in (1, -1)]
            )
        best, worst = np.array(ends).transpose(1, 0, 2)
        return cls(environments, family, pool, best, worst)

    def regrets(self, pursued: Array) -> Array:
        """Regret of the agent that is optimal for ``pursued``, under each objective in each environment, (E, N)."""
        found = np.zeros_like(self.best)
        for place, env in enumerate(self.environments):
            reward = self.family.reward(env, pursued)
            policy = planning.optimal(env, reward).policy
            visits = planning.occupancy(env, policy)
            gained = self.pool @ (self.family.matrix(env).T @ visits.ravel())
            span = self.best[place] - self.worst[place]
            found[place] = np.where(span > 1e-9, (self.best[place] - gained) / np.where(span > 1e-9, span, 1), 0)
        return np.clip(found, 0, 1)
