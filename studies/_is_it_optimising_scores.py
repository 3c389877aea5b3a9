"""What the study of optimisers measures of a system: is it one, of what, using what information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import irl_ident as ii
from irl_ident import planning
from irl_ident.environment import Array
from irl_ident.evidence import Policy
from irl_ident.goal_directedness import GoalDirectedness, meg, meg_family
from irl_ident.goal_directedness.adaptivity import adaptivity
from irl_ident.goal_directedness.coherence import coherence
from irl_ident.goal_directedness.devices import agent_or_device
from irl_ident.goal_directedness.information import WORLD, factor_use, feature_use
from irl_ident.goal_directedness.power import optimisation_powers
from studies._is_it_optimising import CELLS, THINGS, Policies, Worlds, factors, family

FAMILIES = ("things", "cells", "known")

TIES = 1e-4
"""Weight of the finite part of an objective that is best approached at infinity: it decides between ties alone."""

MODAL = 1e-9
"""Actions that are this much less probable than the likeliest are as likely."""

CHOICES = 50.0
"""So many choices are watched in each layout where agents are weighed against devices."""

POWER_LAYOUTS = 3
NOTHING = 1e-12


def directed(found: Worlds, policies: Policies, count: int, families: Sequence[str] = FAMILIES) -> dict[str, Any]:
    """Goal-directedness over the first ``count`` layouts, in nats, and the objective that it was highest for.

    ``things``: rewards on things, one objective for all layouts.  ``cells``: rewards on all states.  ``known``: for the
    true objective.  ``pairs``: rewards on state-action pairs, in each layout its own, which is how much better the
    choices are predicted than by chance by whoever knows them.  ``most``: log 4 for each choice.  ``explained``: what
    ``things`` is of ``pairs``, 0 where nothing is predictable.
    """
    seen = list(zip(found.layouts[:count], policies[:count], strict=True))
    things = meg_family(seen, family())
    visits = [planning.occupancy(env, policy) for env, policy in seen]
    pairs = sum(_information(occupied) for occupied in visits)
    choices = sum(float(occupied[~env.absorbing].sum()) for occupied, (env, _) in zip(visits, seen, strict=True))
    row = {
        "layouts": count,
        "things": things.nats,
        "pairs": pairs,
        "most": choices * float(np.log(seen[0][0].n_actions)),
        "explained": things.nats / pairs if pairs > NOTHING else 0.0,
        "recovered": pursued(things).tolist(),
    }
    if "known" in families:
        row["known"] = meg(seen, [found.reward(env) for env, _ in seen]).nats
    if "cells" in families:
        row["cells"] = meg_family(seen, ii.rewards.StateRewards(CELLS + len(THINGS))).nats
    return row


def _information(occupied: Array) -> float:
    """Nats by which choices are better predicted by the policy than by chance, discounted."""
    states = occupied.sum(axis=1, keepdims=True)
    ratio = np.where(occupied > 0, occupied * occupied.shape[1] / np.maximum(states, NOTHING), 1.0)
    return float((occupied * np.log(ratio)).sum())


def pursued(found: GoalDirectedness) -> Array:
    """The objective behind MEG, as large as 1: at infinity its direction, the rest deciding between ties."""
    own, far = _scaled(found.theta), _scaled(found.direction)
    return own if found.attained else far + TIES * own


def _scaled(theta: Array) -> Array:
    size = float(np.abs(theta).max())
    return theta / size if size > 0 else theta


def coherent(found: Worlds, policies: Policies, count: int) -> dict[str, Any]:
    """Coherence of the likeliest actions over the first ``count`` layouts, in bits."""
    seen = []
    for env, policy in zip(found.layouts[:count], policies[:count], strict=True):
        likeliest = policy >= policy.max(axis=1, keepdims=True) - MODAL
        seen.append((env, likeliest / likeliest.sum(axis=1, keepdims=True)))
    told = coherence(seen, family())
    return {"coherence": told.bits, "coherence_of": told.log2_policies, "cone": told.share.log2}


def adaptive(found: Worlds, policies: Policies, count: int, theta: Array) -> float:
    """Adaptivity from the first layout to the others of the first ``count``; NaN where there are none, or no goal."""
    if count < 2 or not theta.any():
        return float("nan")
    return adaptivity(policies[0], found.layouts[1:count], policies[1:count], family(), theta).score


def device(found: Worlds, policies: Policies, count: int) -> dict[str, Any]:
    """Evidence, in nats, of an agent with some objective on things rather than one table, from choices in each layout.

    ``agent_with_trivial``: the probability of an agent when agents without any goal to reach are kept.
    """
    seen = [(env, Policy(policy)) for env, policy in zip(found.layouts[:count], policies[:count], strict=True)]
    told = agent_or_device(seen, found.hypotheses, choices=CHOICES)
    return {
        "agent": told.log_bayes_factor,
        "agent_probability": told.probability,
        "agent_with_trivial": told.probability_with_trivial,
    }


def layout_bits(found: Worlds, policies: Policies, count: int) -> float:
    """Bits a step of the layout; NaN where there is one."""
    if count < 2:
        return float("nan")
    return factor_use(found.layouts[:count], policies[:count], factors())[-1].bits


def informed(found: Worlds, policies: Policies) -> dict[str, Any]:
    """Bits a step of the cell and of the layout, and the share of what can be won that is lost without."""
    rewards = [found.reward(env) for env in found.layouts]
    used = factor_use(found.layouts, policies, factors(), rewards)
    room = float(np.mean([_room(env, reward) for env, reward in zip(found.layouts, rewards, strict=True)]))
    names = {"cell": "cell", WORLD: "layout"}
    row = {f"{names[use.name]}_bits": use.bits for use in used}
    return row | {f"{names[use.name]}_lost": use.value_lost / room for use in used}


def featured(found: Worlds, pursuing: Array) -> dict[str, Any]:
    """Share of what the recovered objective can win in unseen layouts that is lost without each thing, best first."""
    used = feature_use(family(), pursuing, found.held_out, baseline=float(pursuing[0]))
    room = float(np.mean([_room(env, family().reward(env, pursuing)) for env in found.held_out]))
    order = 1 + np.argsort(-found.theta[1:], kind="stable")
    names = ("best", "middle", "worst")
    return {
        f"without_{name}": used[place].value_lost / room if room > NOTHING else 0.0
        for name, place in zip(names, order.tolist(), strict=True)
    }


def won(found: Worlds, theta: Array, pursuing: Array) -> float:
    """What optimising ``pursuing`` wins under ``theta`` in layouts that nobody saw: 0 as random play, 1 the best."""
    shares = []
    for env in found.held_out:
        reward = family().reward(env, theta)
        plan = planning.optimal(env, family().reward(env, pursuing))
        acted = plan.policy
        gap = planning.optimal(env, reward).values - planning.evaluate(env, reward, acted)
        shares.append(1 - float(env.initial @ gap) / _room(env, reward))
    return float(np.mean(shares))


def _room(env: ii.Environment, reward: Array) -> float:
    """What the best policy wins over random play."""
    even = np.full((env.n_states, env.n_actions), 1 / env.n_actions)
    return float(env.initial @ (planning.optimal(env, reward).values - planning.evaluate(env, reward, even)))


def powerful(found: Worlds, systems: Sequence[Policies], seed: int) -> list[dict[str, Any]]:
    """Optimisation power of each system in some layouts, in bits, and that of the best policy there."""
    rows: list[dict[str, Any]] = [{} for _ in systems]
    for place, env in enumerate(found.layouts[:POWER_LAYOUTS]):
        reward = found.reward(env)
        best = planning.optimal(env, reward).policy
        policies = [policies[place] for policies in systems] + [best]
        *told, most = optimisation_powers(env, reward, policies, draws=100, repeats=4, seed=seed + place)
        for row, one in zip(rows, told, strict=True):
            row[f"power_{place}"], row[f"power_most_{place}"] = one.bits, most.bits
    return rows
