"""What is concluded in the study of the reward-result gap: evidence becomes what is possible.

Nothing here is told of an agent: evidence, the reward family, the base objective and where the agent will be is all
that these functions are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

import irl_ident as ii
from irl_ident import design, distances, planning
from irl_ident.certificates import BaseOptimal, certify
from irl_ident.certificates.bands import GapBand, gap_band
from irl_ident.environment import Array, Environment
from irl_ident.identified.advantages import normaliser
from irl_ident.identified.base import ContradictoryEvidence, IdentifiedSet
from irl_ident.rewards import RewardFamily

Seen = tuple[Environment, Any]
"""An environment and what was seen there."""

SAMPLES = 60
"""Objectives that strategies look at; of half as many members distances are taken."""

REGIONS, TOLERANCE = 100, 1e-3
"""Most parts that a set is cut into for a band, and how close its bounds should come to gaps that are reached."""

CERTIFIED = 300
"""Regions that the library's own certificate may look at."""

SELECTED = 2000
LOSSES = (0.0, 0.01, 0.1)
"""Objectives that are sampled, and shares of the base objective's range that training may have left unearned."""


def concluded(evidence: Sequence[Seen], family: RewardFamily, base: Array, env: Environment) -> GapBand | None:
    """The gap in ``env`` that is still possible; None where no objective explains the evidence."""
    try:
        ident = ii.identify(evidence, family)
        return gap_band(ident, family.reward(env, base), env, tolerance=TOLERANCE, regions=REGIONS)
    except ContradictoryEvidence:
        return None


def next_probe(
    strategy: str, ident: IdentifiedSet, candidates: Sequence[Environment], base: Array, env: Environment, seed: int
) -> int:
    """The candidate that a strategy tries next."""
    prop = BaseOptimal(ident.family.reward(env, base))
    choosers: dict[str, Any] = {
        "random": partial(design.Random, seed),
        "greedy": partial(design.Greedy, SAMPLES, seed),
        "counterexample": partial(design.Counterexample, SAMPLES, seed, prop=prop, deployment=env, regions=REGIONS),
    }
    return int(np.argmax(choosers[strategy]().score(ident, candidates)))


def certified(evidence: Sequence[Seen], family: RewardFamily, base: Array, env: Environment, band: GapBand) -> bool:
    """Whether the library's certificate proves the band's upper end, and the independent checker accepts the proof."""
    reward = family.reward(env, base)
    span = planning.optimal(env, reward).values + planning.optimal(env, -reward).values
    allowed = (band.most + TOLERANCE) * normaliser(env) * float(env.initial @ span) + 1e-9
    made = certify(ii.identify(evidence, family), BaseOptimal(reward, allowed), env, regions=CERTIFIED)
    return made.status == "proved" and made.check()


def distances_from(base: Array, ident: IdentifiedSet, env: Environment, seed: int) -> dict[str, float]:
    """STARC distances of sampled members from the base objective, the least and the largest."""
    reward = ident.family.reward(env, base)
    drawn = [ident.family.reward(env, theta) for theta in ident.sample(SAMPLES // 2, seed)]
    found = [distances.starc(reward, other, env, "val") for other in drawn]
    return {"starc_least": min(found), "starc_most": max(found)}


def selected(training: Sequence[Environment], family: RewardFamily, base: Array, env: Environment, seed: int) -> Array:
    """Gaps in ``env``, (L, 2), of sampled objectives that training for ``base`` could have selected.

    The least and the largest among those that lose on average at most each of :data:`LOSSES` in training.
    """
    thetas = np.random.default_rng(seed).uniform(-1, 1, (SELECTED, family.dim))
    thetas = np.vstack([thetas, np.eye(family.dim), -np.eye(family.dim), base])
    lost = np.mean([gaps_of(family, thetas, base, other) for other in training], axis=0)
    there = gaps_of(family, thetas, base, env)
    kept = [there[lost <= most + 1e-9] for most in LOSSES]
    return np.array([[gaps.min(), gaps.max()] for gaps in kept])


def gaps_of(family: RewardFamily, thetas: Array, base: Array, env: Environment) -> Array:
    """The gap in ``env`` of optimal agents with objectives (N, d), each taking ties evenly, (N,)."""
    marked = planning.optimal_actions(planning.optimal_batch(env, family.rewards(env, thetas)))
    kinds, place = np.unique(marked.reshape(len(thetas), -1), axis=0, return_inverse=True)
    reward = family.reward(env, base)
    policies = planning.uniform_over(kinds.reshape(-1, *reward.shape))
    return np.array([distances.regret(env, reward, policy) for policy in policies])[place.reshape(-1)]
