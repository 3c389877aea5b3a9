"""Known added rewards: instead of changing the dynamics, the experimenter pays (Amin, Jiang & Singh 2017).

In task t the agent pursues ``theta . phi + known_t``: the second part is the experimenter's, and known.  Behaviour
tells the whole only up to a positive factor, so that in the gauge ``|theta|_inf <= 1`` the known part comes in an
unknown *unit*, kappa > 0, which is one more parameter:

    r_t = phi . theta + kappa known_t,      features [phi, vec known_t],      parameters (theta, kappa).

Rewards stay linear and everything that works on reward families works unchanged.  What an experimenter wants is
``theta / kappa``, the objective in the units of what is paid: no environment without known rewards identifies it,
and with them the scale is no longer a matter of convention.  :meth:`~irl_ident.design.KnownRewards.interval` gives
certified bounds on it; canonical diameters, which normalise by the range of all parameters, say little here.

**kappa > 0** is known before any evidence, and has to be said: the policies of few tasks may be explained by an agent
that hates what it is paid.  :meth:`~irl_ident.design.KnownRewards.calibration` is a piece of evidence that says it, a
world in which the known reward alone is paid, for the first action, and nothing moves: an optimal agent takes that
action exactly when ``kappa > 0``; a soft one at the odds that say ``kappa = 1``, as soft behaviour has no free scale.
Put it before the evidence, or tell a campaign of it first.

A task is told from another with the same dynamics by the names of its actions, so that whatever keeps environments,
files and journals as well, keeps tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from irl_ident.design.families import numbering
from irl_ident.design.families.base import EnvironmentFamily
from irl_ident.design.families.variations import Variation
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy
from irl_ident.rewards import RewardFamily
from irl_ident.transitions import checked_floats

if TYPE_CHECKING:
    from irl_ident.identified.base import IdentifiedSet, Rationality

UNIT = "unit of the known reward"
"""What the last parameter is called."""

TASK = " @ task "
"""Stands between the name of an action and the number of the task."""

ALONE = " @ known reward alone"
"""Follows the names of actions where nothing but the known reward is paid."""

LARGEST = 1e6
"""Where :meth:`~irl_ident.design.KnownRewards.interval` ends, in units of the known reward."""

SUPPORTED = 1e-9
"""A support function of a cone up to this is 0."""


@dataclass(frozen=True, eq=False)
class AddedRewards(Variation):
    """An environment, or each of a family, with known rewards added: one from each menu, summed.

    Parameters
    ----------
    base : Environment or EnvironmentFamily
    menus : sequence of array (m_j, S, A)
        At least one.  A plain list of known rewards is one menu; a level for each state is S menus.

    Examples
    --------
    >>> from irl_ident.builders import random_environment
    >>> bonus = np.zeros((2, 3, 2))
    >>> bonus[1, :, 0] = 1
    >>> tasks = AddedRewards(random_environment(3, 2, 0.9, seed=0), [bonus])
    >>> tasks.size, tasks.environment(1).actions, tasks.task(tasks.environment(1))
    (2, ('a0 @ task 1', 'a1 @ task 1'), 1)
    """

    base: Environment | EnvironmentFamily
    menus: Sequence[npt.ArrayLike]

    def __post_init__(self) -> None:
        env = self.below.environment(0)
        given = tuple(checked_floats(f"menus[{j}]", menu).copy() for j, menu in enumerate(self.menus))
        if not given:
            raise ValueError("menus: is empty, should hold at least one menu of known rewards")
        for place, menu in enumerate(given):
            if menu.ndim != 3 or menu.shape[1:] != (env.n_states, env.n_actions) or not len(menu):
                raise ValueError(
                    f"menus[{place}]: should have shape (m, {env.n_states}, {env.n_actions}), m >= 1, was {menu.shape}"
                )
            if not np.isfinite(menu).all():
                raise ValueError(f"menus[{place}]: should be finite")
            menu.setflags(write=False)
        object.__setattr__(self, "menus", given)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rewards on each menu."""
        return tuple(len(np.asarray(menu)) for menu in self.menus)

    @property
    def variants(self) -> int:  # noqa: D102
        return prod(self.sizes)

    def known(self, index: int) -> Array:
        """The known reward of a task, (S, A)."""
        chosen = numbering.digits(self.split(index)[1], self.sizes)
        parts = [np.asarray(menu, dtype=float)[digit] for menu, digit in zip(self.menus, chosen, strict=True)]
        return np.asarray(np.sum(parts, axis=0))

    def near(self, variant: int) -> Sequence[int]:  # noqa: D102
        return numbering.one_changed(variant, self.sizes)

    def environment(self, index: int) -> Environment:
        """The environment of a task: that of the base family, with the task's number in the names of the actions."""
        env = self.below.environment(self.split(index)[0])
        return _renamed(env, [f"{action}{TASK}{index}" for action in env.actions])

    def task(self, env: Environment) -> int | None:
        """The index of the task that ``env`` is, or None for an environment that is no task at all.

        Raises
        ------
        ValueError
            For a task of another family.
        """
        _, mark, number = env.actions[0].rpartition(TASK)
        if not mark:
            return None
        ours = number.isdecimal() and int(number) < self.size
        if not ours or self.environment(int(number)).digest != env.digest:
            raise ValueError(f"env: is task {number} of another family of added rewards")
        return int(number)


@dataclass(frozen=True, eq=False)
class KnownRewards(RewardFamily):
    """Rewards of a family plus the known ones of each task, in an unknown unit: parameters ``(theta, kappa)``.

    In environments that are not among the tasks nothing known is paid.

    Parameters
    ----------
    family : RewardFamily
    tasks : AddedRewards
    """

    family: RewardFamily
    tasks: AddedRewards

    @property
    def dim(self) -> int:  # noqa: D102
        return self.family.dim + 1

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        return (*self.family.parameters, UNIT)

    def named_in(self, environments: Iterable[Environment]) -> tuple[str, ...]:
        """Those of ``family`` in the environment without tasks, and the unit of the known rewards."""
        return (*self.family.named_in([self.tasks.below.environment(0)]), UNIT)

    def matrix(self, env: Environment) -> sparse.csr_array:  # noqa: D102
        features = self.family.matrix(env)
        known = np.zeros((env.n_states, env.n_actions))
        if env.digest == self._alone.digest:
            features = sparse.csr_array(features.shape)
            known[:, 0] = 1
        else:
            index = self.tasks.task(env)
            known = known if index is None else self.tasks.known(index)
        return sparse.csr_array(sparse.hstack([features, sparse.csr_array(known.reshape(-1, 1))], format="csr"))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:
        """The directions of the family itself: the unit is never one of them, nor is the scale of theta alone."""
        found = self.family.representational(discounts)
        return {kind: np.vstack([basis, np.zeros((1, basis.shape[1]))]) for kind, basis in found.items()}

    def parameter(self, theta: npt.ArrayLike) -> Array:
        """``(theta, kappa)`` in the gauge ``|.|_inf <= 1`` for a ``theta`` (d,) in units of the known reward."""
        given = self.family.checked(theta)
        return np.append(given, 1.0) / max(1.0, float(np.abs(given).max(initial=0.0)))

    def in_units(self, parameter: npt.ArrayLike) -> Array:
        """``theta / kappa`` (d,): the objective in units of the known reward."""
        given = self.checked(parameter)
        if given[-1] <= 0:
            raise ValueError(f"parameter: its last entry, the unit of the known reward, was {given[-1]!r}: not above 0")
        return np.asarray(given[:-1] / given[-1])

    def calibration(self, rationality: Rationality = "optimal", temperature: float = 1.0) -> tuple[Environment, Policy]:
        """Evidence that the known reward is worth having (``kappa > 0``; for soft agents ``kappa = 1``).

        Not something that was seen, but what "known reward" means.
        """
        env = self._alone
        policy = np.zeros((env.n_states, env.n_actions))
        policy[:, 0] = 1
        if rationality != "optimal":
            policy = np.exp(policy / temperature)
            policy /= policy.sum(axis=1, keepdims=True)
        return env, Policy(policy)

    def interval(self, ident: IdentifiedSet, direction: npt.ArrayLike) -> tuple[float, float]:
        """Between which values ``direction . theta / kappa`` lies on an identified set of an optimal agent.

        With h the support function, ``direction . theta <= t kappa`` on all of a cone exactly when
        ``h((direction, -t)) = 0``.  From a t that some member has, the member that reaches h has a larger one, until h
        is 0 (Dinkelbach 1967): a few support functions an end.

        Parameters
        ----------
        ident : IdentifiedSet
            Of this family, with the calibration among its evidence.
        direction : array (d,)
            Sums to 0 where constants are open: only differences of rewards have a value then.

        Returns
        -------
        lower, upper : float
            The ends are those of the closed set; infinite where they are beyond ``LARGEST``, times the largest entry of
            ``direction``.

        Raises
        ------
        ValueError
            When the set has members with a negative unit: the calibration is missing.
        """
        given = self.family.checked(direction)
        negative = np.append(np.zeros(given.size), -1.0)
        if ident.support(negative)[0] > SUPPORTED:
            raise ValueError(
                "ident: does not know that the known reward is worth having; put calibration() before the evidence"
            )
        size = float(np.abs(given).max()) or 1.0
        return -size * self._ceiling(ident, -given / size), size * self._ceiling(ident, given / size)

    def _ceiling(self, ident: IdentifiedSet, direction: Array) -> float:
        """The least t with ``direction . theta <= t kappa`` on all of the set; the largest entry is 1 in size, or 0."""
        member = ident.center()
        while member[-1] > 0:
            t = float(direction @ member[:-1] / member[-1])
            if t > LARGEST:
                break
            value, member = ident.support(np.append(direction, -t))
            if value <= SUPPORTED * max(1.0, abs(t)):
                return t
        return np.inf

    @cached_property
    def _alone(self) -> Environment:
        env = self.tasks.below.environment(0)
        stay = sparse.kron(sparse.eye_array(env.n_states), np.ones((env.n_actions, 1)), format="csr")
        names = [f"{action}{ALONE}" for action in env.actions]
        return Environment(sparse.csr_array(stay), env.discount, env.initial, states=env.states, actions=names)


def _renamed(env: Environment, actions: Sequence[str]) -> Environment:
    return Environment(env.transitions, env.discount, env.initial, states=env.states, actions=actions)
