"""Twins: two objectives that are the same in all that was seen, and ask for different behaviour elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from irl_ident import planning
from irl_ident.certificates.enumerating import REGIONS, behaviours
from irl_ident.certificates.premise import Tolerances
from irl_ident.environment import Array, Environment
from irl_ident.identified.advantages import normaliser
from irl_ident.identified.base import IdentifiedSet

ALIKE = 1e-9
"""Of pairs whose distances differ by no more, the one to which the difference matters most is chosen."""


@dataclass(frozen=True, eq=False)
class Twins:
    """Two members of an identified set whose behaviour differs most in an environment.

    Attributes
    ----------
    first, second : array (d,)
        Both behave as was seen, in every environment of the evidence.
    policies : array (2, S, A)
        What optimal agents with these objectives do in the environment.
    distance : float
        Total variation between their state-action occupancies, in [0, 1]: 0 when nobody can tell them apart there.
    regrets : tuple of float
        What each loses by doing as the other, in units of the largest parameter.
    complete : bool
        Whether every behaviour that is left was compared: no two members then differ by more, ties apart.
    behaviours : int
        How many were compared.
    environments : int
        In how many both were the same.
    env : Environment
    """

    first: Array
    second: Array
    policies: Array
    distance: float
    regrets: tuple[float, float]
    complete: bool
    behaviours: int
    environments: int
    env: Environment

    def __str__(self) -> str:
        same = f"these two objectives are the same in all environments that were seen ({self.environments})"
        if self.distance == 0:
            return f"{same}, and here too"
        visits = [planning.occupancy(self.env, policy).sum(axis=1) for policy in self.policies]
        differ = np.abs(self.policies[0] - self.policies[1]).sum(axis=1) * np.minimum(*visits)
        state = int(differ.argmax())
        acts = ["/".join(self.env.actions[a] for a in np.flatnonzero(policy[state] > 0)) for policy in self.policies]
        return (
            f"{same}; here, in {self.env.states[state]}, one does {acts[0]} and the other {acts[1]} "
            f"(their occupancies differ by {self.distance:.3f})"
        )


def twins(
    ident: IdentifiedSet,
    env: Environment,
    *,
    ties: float = Tolerances.ties,
    strictness: float = Tolerances.strictness,
    regions: int = REGIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Twins:
    """Find two objectives that explain all that was seen and behave most differently in ``env``.

    Parameters
    ----------
    ident : OptimalSet or NoisySet
    env : Environment
        Where they are compared, from ``env.initial``.
    ties, strictness, regions, progress
        As for :func:`irl_ident.certify`.

    Returns
    -------
    Twins

    Raises
    ------
    ValueError, ContradictoryEvidence
        As for :func:`irl_ident.certify`.

    Examples
    --------
    The animal has chosen the left door over the right one.  Nobody has seen it at the new one.

    >>> import irl_ident as ii
    >>> hall = np.array([[1, 1, 2], [1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> new = np.array([[1, 2, 3], [1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> doors = {"states": ["hall", "food", "bed", "attic"], "actions": ["left", "right", "new"]}
    >>> seen, coming = (ii.Environment(np.eye(4)[door], 0.5, [1, 0, 0, 0], **doors) for door in (hall, new))
    >>> chosen = ii.evidence.Policy([[0.5, 0.5, 0.0]] + 3 * [[1 / 3] * 3])
    >>> pair = twins(ii.identify([(seen, chosen)], ii.rewards.StateRewards(4)), coming)
    >>> print(pair)
    these two objectives are the same in all environments that were seen (1); here, in hall, one does new and the \
other left (their occupancies differ by 1.000)
    """
    left = behaviours(ident, env, ties=ties, strictness=strictness, regions=regions, progress=progress)
    occupancies = np.array([normaliser(env) * planning.occupancy(env, policy).ravel() for policy in left.policies])
    gaps = np.array([0.5 * np.abs(occupancies - own).sum(axis=1) for own in occupancies])
    total = max(1.0, float(occupancies.sum(axis=1).max()))
    returns = (ident.family.matrix(env) @ left.objectives.T).T @ occupancies.T
    lost = np.diag(returns)[:, None] - returns
    matters = np.where(gaps >= gaps.max() - ALIKE, np.minimum(lost, lost.T), -np.inf)
    i, j = sorted(np.unravel_index(int(matters.argmax()), gaps.shape))
    regrets = float(lost[i, j]), float(lost[j, i])
    return Twins(
        left.objectives[i],
        left.objectives[j],
        left.policies[[i, j]],
        float(gaps[i, j]) / total,
        regrets,
        left.complete,
        len(left.policies),
        len(ident.environments),
        env,
    )
