"""How far goal-directedness that was computed from episodes or counts can be off, by the bootstrap.

MEG of an empirical policy is a plug-in estimate.  It is biased upwards: chance makes a sample look more regular than
its source, and the best reward of a family fits that too; the bias falls as one over the amount of data.  Resampling
shows both the bias and the spread.  The interval is the *basic* bootstrap interval (Davison & Hinkley 1997, section
5.2), ``[2 m - q(1 - a/2), 2 m - q(a/2)]`` for the estimate m and quantiles q of the resampled ones, which takes the
bias out once, cut to what MEG can be.

It holds for large samples, and not at the ends: an agent that was never seen to choose differently in a state is
resampled as one that never does, and where MEG is 0 the estimate is not near normal.  An interval without width says
that the sample holds no variation, and not that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from irl_ident.environment import Array
from irl_ident.evidence import Counts, Evidence, Policy, Trajectories, checked
from irl_ident.goal_directedness.maximum_entropy import GoalDirectedness, meg, meg_family
from irl_ident.rewards import RewardFamily


@dataclass(frozen=True, eq=False)
class MEGInterval:
    """A bootstrap interval for MEG, in nats.

    Attributes
    ----------
    estimate : GoalDirectedness
        Of the empirical policies.
    low, high : float
        The interval, within 0 and the estimate's ``maximum``.
    level : float
        Its nominal coverage.
    bias : float
        By how much resampled estimates exceed the estimate on average; the estimate is too large by about as much.
    resampled : array (B,)
        MEG of each resample.
    """

    estimate: GoalDirectedness
    low: float
    high: float
    level: float
    bias: float
    resampled: Array


def meg_interval(
    evidence: Evidence,
    goal: RewardFamily | npt.ArrayLike | Sequence[npt.ArrayLike],
    *,
    level: float = 0.95,
    resamples: int = 200,
    seed: int | np.random.SeedSequence,
) -> MEGInterval:
    """MEG with an interval for sampled behaviour.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        Of trajectories whole episodes are drawn anew, with replacement; of counts the choices in each state; policies
        are taken as known.
    goal : RewardFamily, or utility as for :func:`irl_ident.goal_directedness.meg`
    level : float
        Between 0 and 1.
    resamples : int
        B, at least 20.
    seed : int or SeedSequence

    Returns
    -------
    MEGInterval

    Examples
    --------
    >>> import irl_ident as ii
    >>> once = ii.Environment(np.ones((1, 2, 1)), discount=0.0)
    >>> found = meg_interval([(once, ii.evidence.Counts([[300, 100]]))], [[1.0, 0.0]], seed=0)
    >>> round(found.estimate.nats, 3), found.low < 0.131 < found.high
    (0.131, True)
    """
    if not 0 < level < 1:
        raise ValueError(f"level: was {level!r}, should be between 0 and 1")
    if resamples != int(resamples) or resamples < 20:
        raise ValueError(f"resamples: was {resamples!r}, should be a whole number of at least 20")
    pairs = checked(evidence)
    if all(isinstance(seen, Policy) for _, seen in pairs):
        raise ValueError("evidence: holds policies alone, which leave nothing to resample; use meg or meg_family")
    estimate = _scored(pairs, goal)
    rng = np.random.default_rng(seed)
    drawn = [_scored([(env, _resampled(seen, rng)) for env, seen in pairs], goal).nats for _ in range(int(resamples))]
    tail = (1 - level) / 2
    near, far = np.quantile(drawn, [tail, 1 - tail])
    low, high = np.clip([2 * estimate.nats - far, 2 * estimate.nats - near], 0, estimate.maximum)
    bias = float(np.mean(drawn) - estimate.nats)
    return MEGInterval(estimate, float(low), float(high), float(level), bias, np.array(drawn))


def _scored(evidence: Evidence, goal: RewardFamily | npt.ArrayLike | Sequence[npt.ArrayLike]) -> GoalDirectedness:
    return meg_family(evidence, goal) if isinstance(goal, RewardFamily) else meg(evidence, goal)


def _resampled(seen: Policy | Trajectories | Counts, rng: np.random.Generator) -> Policy | Trajectories | Counts:
    if isinstance(seen, Policy):
        return seen
    if isinstance(seen, Trajectories):
        chosen = rng.integers(len(seen), size=len(seen))
        return Trajectories(seen.states[chosen], seen.actions[chosen], seen.lengths[chosen])
    visits = seen.counts.sum(axis=1)
    shares = np.where(visits[:, None] > 0, seen.counts / np.maximum(visits, 1)[:, None], 1 / seen.counts.shape[1])
    return Counts(rng.multinomial(visits, shares))
