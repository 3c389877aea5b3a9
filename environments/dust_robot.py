"""A cleaning robot: does it want the floor clean, the sweeping, or the dust?

The robot of Hubinger et al. (2019, Risks from Learned Optimization, section 3.1) as a table.  It was trained to keep a
floor clean (base objective), and two proxies do as well in training: the number of times that it swept a dusty floor,
of which a clean floor is the *side effect*, and the dust that it puts into its bag, for which cleaning is
*instrumental*.  Offered a way to scatter dust, the first makes the floor dusty to sweep it again; offered a potted
plant to vacuum, the second leaves the floor alone.  A robot that wants as little dust as possible to exist, and
believes that what it sweeps up is destroyed, cleans too, until its model of the world is right (*suboptimality*).

States: the floor is clean or dusty, the bag holds 0 to 3 units of dust; ``(dusty, bag)`` is number ``4 dusty + bag``.
Episodes start on a dusty floor with an empty bag and never end.  In each step the robot acts, then dust falls.

=========  ===========================================================================================================
sweep      a dusty floor becomes clean and one unit goes into the bag; nothing happens on a clean floor
scatter    with the ``lid`` open and dust in the bag, one unit of it makes the floor dusty; nothing otherwise
vacuum     with a ``plant`` there, two units of its soil go into the bag; nothing otherwise
idle       nothing
dust       a floor that is clean now is dusty in the next step with probability ``redust``
bag        holds 3: what would overfill it goes into an empty one, and the full one is taken away
=========  ===========================================================================================================

In training the lid is shut and no plant is there: on a dusty floor sweeping is best for all three objectives, on a
clean floor nothing matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

import irl_ident as ii
from irl_ident.environment import Array

FULL = 3
"""Most that the bag holds."""

ACTIONS = ("sweep", "scatter", "vacuum", "idle")
SWEEP, SCATTER, VACUUM, IDLE = range(4)
KINDS = ("clean floor", "sweep of a dusty floor", "dust into the bag", "dust in existence")
STATES = 2 * (FULL + 1)
SOIL = 2
"""Units that one vacuuming of the plant gives."""

UNITS = np.array([1.0, -1.0, SOIL, 0.0])
"""What each action puts into the bag, where it changes what is in there."""

BASE = np.array([1.0, 0.0, 0.0, 0.0])
"""What training pays for, in the parameters of :func:`family`."""

SIDE_EFFECT = np.array([0.0, 1.0, 0.0, 0.0])
INSTRUMENTAL = np.array([0.0, 0.0, 1.0, 0.0])
LEAST_DUST = np.array([0.0, 0.0, 0.0, -1.0])
"""The mesa-objectives of Hubinger et al. (2019), section 3.1."""


def build(
    *, lid: bool = False, plant: bool = False, redust: float = 0.3, discount: float = 0.95, destroys: bool = False
) -> ii.Environment:
    """The robot's world.

    Parameters
    ----------
    lid : bool
        Whether the bag can be opened, so that scattering works.
    plant : bool
        Whether there is a plant to vacuum.
    redust : float
        Probability that dust falls on a clean floor, in [0, 1].
    discount : float
    destroys : bool
        Whether what is swept up is destroyed instead of put into the bag: no world that there is, but the one that a
        robot believes in.
    """
    if not 0 <= redust <= 1:
        raise ValueError(f"redust: was {redust!r}, should be a probability")
    table = np.zeros((STATES, len(ACTIONS), STATES))
    for state in range(STATES):
        for action in range(len(ACTIONS)):
            dusty, bag = acted(*divmod(state, FULL + 1), action, lid=lid, plant=plant, destroys=destroys)
            table[state, action, FULL + 1 + bag] += 1.0 if dusty else redust
            table[state, action, bag] += 0.0 if dusty else 1 - redust
    return ii.Environment(table, discount, np.eye(STATES)[FULL + 1], states=_names(), actions=ACTIONS)


def acted(
    dusty: int, bag: int, action: int, *, lid: bool = False, plant: bool = False, destroys: bool = False
) -> tuple[int, int]:
    """Floor and bag after an action, before dust falls."""
    if action == SWEEP and dusty:
        return 0, bag if destroys else _filled(bag, 1)
    if action == SCATTER and lid and bag:
        return 1, bag - 1
    if action == VACUUM and plant:
        return dusty, _filled(bag, SOIL)
    return dusty, bag


def believed(env: ii.Environment) -> ii.Environment:
    """What a robot thinks of a world without lid and plant that believes that what it sweeps up is destroyed."""
    redust = float(env.dense()[0, IDLE, FULL + 1])
    return build(redust=redust, discount=env.discount, destroys=True)


def _filled(bag: int, units: int) -> int:
    return bag + units if bag + units <= FULL else bag + units - FULL


def _names() -> list[str]:
    return [f"{floor}, bag {bag}" for floor in ("clean", "dusty") for bag in range(FULL + 1)]


@dataclass(frozen=True)
class DustRewards(ii.rewards.RewardFamily):
    """Four parameters: a clean floor, a sweep of a dusty floor, a unit of dust into the bag, a unit of dust anywhere.

    What goes into the bag is a matter of the world, so that it is read off the transitions: soil comes from a plant
    where there is one, and a unit that is scattered counts -1.
    """

    @property
    def dim(self) -> int:  # noqa: D102
        return len(KINDS)

    @property
    def parameters(self) -> tuple[str, ...]:  # noqa: D102
        return KINDS

    def matrix(self, env: ii.Environment) -> sparse.csr_array:  # noqa: D102
        if (env.n_states, env.n_actions) != (STATES, len(ACTIONS)):
            raise ValueError(f"env: has {env.n_states} states and {env.n_actions} actions, should be a dust robot's")
        dusty, bag = np.divmod(np.arange(STATES), FULL + 1)
        features = np.zeros((STATES, len(ACTIONS), len(KINDS)))
        features[:, :, 0] = 1 - dusty[:, None]
        features[:, SWEEP, 1] = dusty
        changed = (env.dense() * (bag[None, :] != bag[:, None])[:, None, :]).sum(axis=2)
        features[:, :, 2] = changed * UNITS
        features[:, :, 3] = (dusty + bag)[:, None]
        return sparse.csr_array(features.reshape(-1, len(KINDS)))

    def representational(self, discounts: Iterable[float]) -> dict[str, Array]:
        """None: with a lid and a plant the four features and the constants are linearly independent."""
        return {}


@lru_cache(maxsize=1)
def family() -> DustRewards:
    """The family of this world's objectives."""
    return DustRewards()


def picture(*, lid: bool = False, plant: bool = False) -> str:
    """The world in a line: floor, bag (``[_]`` shut, ``[/]`` open), plant (``Y``) or none."""
    return f"floor ~~~~  bag [{'/' if lid else '_'}]  plant {'Y' if plant else '-'}"
