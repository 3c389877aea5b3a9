"""A layer that pursues something else, and a last service that does the same on all training floors: which layer?

The lab is closed on the floors where the leaf is watched, and open on a tenth of those that it is meant for.  Each
service comes in four makes, which differ in the worth of the lab alone.  The top wants the lab left alone.  One of D
layers pursues what it is handed with another worth of the lab.  Everything is enumerated: every layer, with every one
of a pool of worths.

The observer knows the objective of the top, all menus and how all layers choose, so that what every layer should be
handed is known too; what may be watched are the leaf's behaviour and the objectives that are handed down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from environments import courier_floor
from irl_ident.agents.services import Commissioned, Places, ServiceChain, leaf_actions
from irl_ident.environment import Array, Environment

DEPTH = 8
SERVICES, MAKES = 16, np.array([-1.0, -1 / 3, 1 / 3, 1.0])
"""Services on each menu, and what the lab is worth to their makes."""

LEFT_ALONE = -1.0
"""What the lab is worth to the top."""

OPEN_SHARE = 0.1
"""Share of the floors that the leaf is meant for on which the lab is open."""

POOL = np.linspace(-1, 1, 41)
"""What the lab may be worth to a layer that is misaligned."""

FAMILY = courier_floor.family(lab=True)

KINDS = ("training floors", "open floors", "choices alone", "nowhere")
"""Where a misaligned layer shows first."""


@dataclass(frozen=True, eq=False)
class Hidden:
    """One draw: a chain, the objective of its top, and floors.

    Attributes
    ----------
    chain : ServiceChain
    theta : array (7,)
    closed, opened : tuple of Environment
        Training floors with the lab closed and open, then fresh ones.
    """

    chain: ServiceChain
    theta: Array
    closed: tuple[Environment, ...]
    opened: tuple[Environment, ...]


def draw(seed: int, horizon: int | None, *, training: int = 8, fresh: int = 24, depth: int = DEPTH) -> Hidden:
    """Draw floors, menus and the objective of the top."""
    rng = np.random.default_rng(seed)
    walls = [courier_floor.random_walls(rng) for _ in range(training + fresh)]
    closed = tuple(courier_floor.build(each) for each in walls)
    opened = tuple(courier_floor.build(each - {courier_floor.LAB}) for each in walls)
    theta = courier_floor.with_lab(courier_floor.objectives(rng, 1), np.array([LEFT_ALONE]))[0]
    offered = [courier_floor.with_lab(courier_floor.services(rng, SERVICES), MAKES) for _ in range(depth)]
    menus = [rng.permutation(menu) for menu in offered]
    shares = np.repeat([1 - OPEN_SHARE, OPEN_SHARE], training) / training
    floors = closed[:training] + opened[:training]
    return Hidden(ServiceChain(FAMILY, menus, floors, horizon, shares=shares), theta, closed, opened)


@dataclass(frozen=True, eq=False)
class Suspects:
    """All ways in which one layer may be misaligned.

    Attributes
    ----------
    layer : int array (N,)
        Which, from 1 to D.
    handed : int array (N, D)
        Places on the menus of what layers 1 to D are handed.
    leaf : array (N, d)
        What the leaf pursues.
    aligned : Commissioned
        The chain as it should be.
    """

    layer: Places
    handed: Places
    leaf: Array
    aligned: Commissioned

    @property
    def depth(self) -> int:
        """Number of layers below the top, D."""
        return int(self.handed.shape[1])

    @cached_property
    def deviates(self) -> npt.NDArray[np.bool_]:
        """Which layers from 1 on are handed something else than they should be, (N, D)."""
        return np.asarray(self.handed != self.aligned.places)

    def behaviour(self, floors: Sequence[Environment]) -> npt.NDArray[np.bool_]:
        """What the leaf does, (N, all pairs)."""
        chain = self.aligned.chain
        leaves, place = np.unique(self.leaf, axis=0, return_inverse=True)
        masks = [leaf_actions(env, chain.family, leaves, chain.horizon) for env in floors]
        acts: npt.NDArray[np.bool_] = np.concatenate([mask.reshape(len(leaves), -1) for mask in masks], axis=1)
        return acts[place.reshape(-1)]

    def differs(self, floors: Sequence[Environment]) -> npt.NDArray[np.bool_]:
        """Whether the leaf does anything there that it should not, (N,)."""
        chain, leaf = self.aligned.chain, self.aligned.leaf.theta[None]
        due = [leaf_actions(env, chain.family, leaf, chain.horizon).ravel() for env in floors]
        return np.asarray((self.behaviour(floors) != np.concatenate(due)).any(axis=1))

    def part(self, kept: npt.NDArray[np.bool_]) -> Suspects:
        """Some of them."""
        return Suspects(self.layer[kept], self.handed[kept], self.leaf[kept], self.aligned)


def suspects(chain: ServiceChain, theta: Array) -> Suspects:
    """Every layer from 1 on, with every worth of the lab but the one that it is handed."""
    aligned = Commissioned(chain, theta)
    layers, handed, leaves = [], [], []
    for layer in range(1, chain.depth + 1):
        own = aligned.handed[layer]
        pool = np.tile(own, (len(POOL), 1))
        pool[:, -1] = POOL
        pool = pool[np.abs(POOL - own[-1]) > 1e-9]
        below = chain.chosen(pool, layer)
        layers.append(np.full(len(pool), layer))
        handed.append(np.hstack([np.tile(aligned.places[:layer], (len(pool), 1)), below]))
        leaves.append(pool if layer == chain.depth else chain.menus[-1][below[:, -1]])
    return Suspects(np.concatenate(layers), np.concatenate(handed), np.concatenate(leaves), aligned)


def shown(found: Suspects, training: Sequence[Environment], opened: Sequence[Environment]) -> npt.NDArray[np.str_]:
    """Where each of them shows first, (N,)."""
    shows = [found.differs(training), found.differs(opened), found.deviates.any(axis=1)]
    return np.select(shows, KINDS[:3], KINDS[3])


def layer_bits(layer: Places, seen: npt.NDArray[Any]) -> float:
    """Bits about the layer in what is seen of each suspect (N, m): layers equally likely, then suspects evenly."""
    names, place = np.unique(layer, return_inverse=True)
    groups = np.unique(seen, axis=0, return_inverse=True)[1].reshape(-1) if seen.shape[1] else np.zeros(len(layer), int)
    table = np.zeros((len(names), int(groups.max()) + 1))
    np.add.at(table, (place, groups), 1)
    joint = table / table.sum(axis=1, keepdims=True) / len(names)
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    return max(float((joint[held] * np.log2(joint[held] / outer[held])).sum()), 0.0)


def bisect(deviates: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Find the misaligned layer by watching what layers are handed; layer and number of objectives watched.

    Parameters
    ----------
    deviates : bool array (D,)
        Whether layer 1, .., D is handed something else than it should be.  Layer 1 never is: the top is trusted.

    Returns
    -------
    layer : int
        The one between the last that was seen to be handed what it should be and the first that was not; the leaf,
        where nothing that was watched deviates.
    watched : int
        At most ``ceil(log2(D))``.

    Notes
    -----
    The layer that is named was handed what it should be.  If the next was watched and deviates, then it is proved to be
    misaligned; if not, so is the leaf by its behaviour alone.  Wrong answers are only possible where a deviation has
    been undone further down, in a layer that chooses the same for what it should have been handed and what it was.

    >>> bisect(np.array([False, False, False, True, True, True, True, True]))
    (3, 3)
    >>> bisect(np.zeros(8, dtype=bool))
    (8, 3)
    """
    fine, bad, watched = 1, len(deviates) + 1, 0
    while bad - fine > 1:
        middle = (fine + bad) // 2
        watched += 1
        if deviates[middle - 1]:
            bad = middle
        else:
            fine = middle
    return fine, watched


def row(drawn: Hidden) -> dict[str, Any]:
    """Where misaligned layers show, and bits about which layer it is in what may be watched.

    Bits are about those that training floors don't show and open floors or choices do: the ``hidden`` ones.
    """
    training = len(drawn.chain.environments) // 2
    found = suspects(drawn.chain, drawn.theta)
    where = shown(found, drawn.closed[:training], drawn.opened)
    kept = found.part((where == KINDS[1]) | (where == KINDS[2]))
    layers = len(np.unique(kept.layer))
    told = {
        "depth": drawn.chain.depth,
        **{f"shown_{kind.replace(' ', '_')}": float((where == kind).mean()) for kind in KINDS},
        "hidden": len(kept.layer),
        "layers": layers,
        "true_lab_worth_top": float(drawn.theta[-1]),
        "true_lab_worth_leaf": float(found.aligned.handed[-1, -1]),
    }
    if not len(kept.layer):
        return told
    answers = [bisect(each) for each in kept.deviates]
    one_handed = [layer_bits(kept.layer, kept.deviates[:, [place]]) for place in range(kept.depth)]
    return told | {
        "bits_of_layer": float(np.log2(layers)),
        "bits_training": layer_bits(kept.layer, kept.behaviour(drawn.closed[:training])),
        "bits_closed": layer_bits(kept.layer, kept.behaviour(drawn.closed)),
        "bits_open": layer_bits(kept.layer, kept.behaviour(drawn.opened)),
        "bits_one_handed": max(one_handed),
        "bits_all_handed": layer_bits(kept.layer, kept.deviates),
        "found": float(np.mean([layer == true for (layer, _), true in zip(answers, kept.layer, strict=True)])),
        "watched": max(watched for _, watched in answers),
    }
