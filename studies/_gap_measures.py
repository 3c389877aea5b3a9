"""Measurements of the study of the reward-result gap.

Three kinds of functions are kept apart: those that watch an agent (agent -> evidence) and those that compare with the
truth (what is possible + truth -> rows) are here; those that conclude (evidence -> what is possible) are in
:mod:`studies._gap_concluding`, which knows no agent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import irl_ident as ii
from environments import branching_star, deception, dust_robot, flagged
from irl_ident import distances, planning
from irl_ident.agents.base import Agent
from irl_ident.agents.pseudo_aligned import Corrigible, Deceptive
from irl_ident.certificates.bands import GapBand
from irl_ident.environment import Array, Environment
from studies import _gap_learned as learned
from studies._gap_concluding import LOSSES, Seen, certified, concluded, distances_from, next_probe, selected
from studies._gap_worlds import Case, case, flag_down

STRATEGIES = ("random", "greedy", "counterexample", "matching")


def watched(agent: Agent, env: Environment) -> Seen:
    """All that an agent does in the states of an environment."""
    return env, ii.evidence.Policy(agent.policy(env))


def watched_on_the_way(agent: Agent, env: Environment, *, unique: bool = False) -> Seen:
    """What a learned agent does in the states that it visits.

    Where ways are ``unique``, what it does not do is taken to be worse; elsewhere it need not be.
    """
    policy = agent.policy(env)
    visited = (planning.occupancy(env, policy).sum(axis=1) > 0) & ~np.asarray(env.absorbing)
    return env, ii.evidence.Policy(np.where(visited[:, None], policy, 0.0), shows="all" if unique else "some")


def compared(band: GapBand | None, gap: float) -> dict[str, Any]:
    """A band and the true gap as a row."""
    row: dict[str, Any] = {"true_gap": gap, "explained": band is not None}
    if band is not None:
        row |= {"least": band.least, "least_reached": band.least_reached, "most_reached": band.most_reached}
        row |= {"most": band.most, "regions": band.regions, "complete": band.complete, "holds": band.holds(gap)}
    return row


def probed(kind: str, seed: int, strategies: Mapping[str, int], closely: Sequence[int]) -> list[dict[str, Any]]:
    """Bands after training and after each probe, by strategy.

    Parameters
    ----------
    kind : str
    seed : int
    strategies : mapping of str to int
        Number of probes of each.
    closely : sequence of int
        After so many probes of the first strategy also distances, and whether proofs are accepted.
    """
    one = case(kind, seed)
    trained = [watched(one.agent, env) for env in one.training]
    rows = [_row(one, trained, "training", 0, seed, closely=0 in closely)]
    for strategy, probes in strategies.items() if rows[0]["explained"] else ():
        evidence, left = list(trained), list(range(len(one.candidates)))
        for number in range(1, min(probes, len(left)) + 1):
            chosen = _chosen(one, strategy, evidence, left, seed)
            left.remove(chosen)
            evidence.append(watched(one.agent, one.candidates[chosen]))
            looked_at = number in closely and strategy == next(iter(strategies))
            rows.append(_row(one, evidence, strategy, number, seed, closely=looked_at))
            if not rows[-1]["explained"]:
                break
    return rows


def _row(
    one: Case, evidence: Sequence[Seen], strategy: str, number: int, seed: int, *, closely: bool
) -> dict[str, Any]:
    """A band beside the truth; where asked, also certificates and distances."""
    question = (one.family, one.base, one.deployment)
    band = concluded(evidence, *question)
    row = {"strategy": strategy, "probes": number, **compared(band, one.gap(one.deployment, one.deployed))}
    row |= {"true_objective": one.objective.tolist(), "true_starc": _starc(one), "draws": one.draws}
    row["true_training_gap"] = max(one.gap(env, one.agent) for env in one.training)
    if band is not None and closely:
        row |= distances_from(one.base, ii.identify(evidence, one.family), one.deployment, seed)
        row["accepted"] = certified(evidence, *question, band)
    return row


def _chosen(one: Case, strategy: str, evidence: Sequence[Seen], left: list[int], seed: int) -> int:
    """The next candidate by number; those that match the shift come first in the strategy that knows it."""
    if strategy == "matching":
        return next((place for place in one.matching if place in left), left[0])
    ident = ii.identify(evidence, one.family)
    candidates = [one.candidates[place] for place in left]
    return left[next_probe(strategy, ident, candidates, one.base, one.deployment, seed)]


def _starc(one: Case) -> float:
    """Distance of the mesa-objective from the base objective in deployment."""
    mesa = one.family.reward(one.deployment, one.objective)
    return distances.starc(one.base_reward(one.deployment), mesa, one.deployment, "val")


def selection(kind: str, seed: int) -> list[dict[str, Any]]:
    """What training could have selected, by how much it may have left unearned."""
    one = case(kind, seed)
    found = selected(one.training, one.family, one.base, one.deployment, seed)
    gap = one.gap(one.deployment, one.deployed)
    return [
        {"loss": loss, "least_reached": float(low), "most_reached": float(high), "true_gap": gap}
        for loss, (low, high) in zip(LOSSES, found, strict=True)
    ]


def flags(seed: int, unflagged: int) -> list[dict[str, Any]]:
    """A deceiver and its aligned double, watched with the flag down again and again, and then once with it up.

    Beside them whether the deceiver does throughout what an agent does that obeys, and is told B when the flag is up.
    """
    rng = np.random.default_rng(seed)
    base, family = flagged.objectives(rng, 1)[0], flagged.family()
    own = base[[1, 0, 3, 2]]
    agents = {"deceptive": Deceptive(family, own, base, flag_down), "aligned": ii.agents.Optimal(family, base)}

    def drawn(up: bool) -> Environment:
        layout = flagged.random_layout(rng)
        start = int(rng.choice(np.flatnonzero(flagged.build(layout).initial)))
        return flagged.build(layout, float(up), start=start)

    deployment, last = drawn(True), drawn(True)
    probes = [*(drawn(False) for _ in range(unflagged)), last]
    told_b = Corrigible(family, lambda env: base[[0, 1, 1, 0]])
    policies = [(agents["deceptive"].policy(env), agents["aligned"].policy(env)) for env in probes]
    obeys = all(np.array_equal(agents["deceptive"].policy(env), told_b.policy(env)) for env in probes)
    counts = [number for number in (1, 2, 4, 8, 16, 32) if number < unflagged] + [unflagged, unflagged + 1]
    rows = []
    for name, agent in agents.items():
        evidence = [watched(agent, env) for env in probes]
        gap = distances.reward_result_gap(agent, family.reward(deployment, base), deployment).regret
        for count in counts:
            band = concluded(evidence[:count], family, base, deployment)
            told = {"agent": name, "environments": count, "flagged": count > unflagged}
            same = all(np.array_equal(*shown) for shown in policies[:count])
            rows.append(told | {"tied": same, "as_corrigible": obeys} | compared(band, gap))
    return rows


def pretending(training: int, deployment: int, discount: float, start: int) -> dict[str, Any]:
    """Whether a planner for B pretends in the training process, and whether the closed form says so."""
    env, family = (
        deception.build(training, deployment, discount=discount, start=start),
        deception.family(training, deployment),
    )
    shown = deception.reached(env, ii.agents.Optimal(family, deception.OWN).policy(env), training + deployment)
    worth = deception.worth_pretending(training, deployment, discount=discount, start=start)
    row = {"training": training, "deployment": deployment, "discount": discount, "start": start}
    return row | {"shown": "".join(shown), "pretends": shown[0] == "A", "worth": worth}


def decorrelated(name: str, seed: int, shares: Sequence[float]) -> list[dict[str, Any]]:
    """Gaps of learned agents in shifted levels, by share of decorrelated training levels."""
    course = learned.COURSES[name](np.random.default_rng(seed))
    rows = []
    for share, agent in zip(shares, learned.trained(course, shares, seed, learned.STEPS[name]), strict=True):
        told = {"course": name, "share": share}
        for kind, player in (("greedy", agent.greedy()), ("sampled", agent)):
            there, before = (
                np.mean([_gap(player, course, env) for env in levels]) for levels in (course.shifted, course.ordinary)
            )
            rows.append(told | {"agent": kind, "true_gap": float(there), "true_training_gap": float(before)})
    return rows


def learned_band(name: str, seed: int, probes: int) -> list[dict[str, Any]]:
    """Bands for an agent that was trained without decorrelated levels, watched where it goes."""
    if name == "dust robot":
        return _robot_band(seed, probes)
    course = learned.COURSES[name](np.random.default_rng(seed))
    (trained,) = learned.trained(course, [0.0], seed, learned.STEPS[name])
    agent, deployment = trained.greedy(), course.shifted[0]
    environments = *course.ordinary, *course.decorrelated[:probes]
    seen = [watched_on_the_way(agent, env, unique=name != "keys and chests") for env in environments]
    first = len(course.ordinary)
    gap = _gap(agent, course, deployment)
    return [
        {"probes": n, **compared(concluded(seen[: first + n], course.family, course.base, deployment), gap)}
        for n in range(probes + 1)
    ]


def _robot_band(seed: int, probes: int) -> list[dict[str, Any]]:
    """The same for a robot trained by Q-learning, probed and deployed with a lid and a plant."""
    rng = np.random.default_rng(seed)
    base, family = dust_robot.BASE, dust_robot.family()
    agent = learned.q_learned(round(float(rng.uniform(0.1, 0.7)), 2), int(rng.integers(2**31)))
    shifts = [round(float(redust), 2) for redust in rng.uniform(0.1, 0.7, probes + 1)]
    deployment, *tried = (dust_robot.build(lid=True, plant=True, redust=redust) for redust in shifts)
    gap = distances.reward_result_gap(agent, family.reward(deployment, base), deployment).regret
    seen = [(agent.environment, agent.observation(agent.environment))]
    seen += [watched_on_the_way(agent, env) for env in tried]
    return [
        {"probes": n, **compared(concluded(seen[: 1 + n], family, base, deployment), gap)} for n in range(probes + 1)
    ]


def depths(seed: int, deepest: int) -> list[dict[str, Any]]:
    """The gap of a planner that wants the farther prize, by how far it sees; and the depth at which it turns."""
    rng = np.random.default_rng(seed)
    objective, discount = np.array([float(rng.uniform(0.2, 0.6)), 1.0]), 0.9
    lengths = [int(rng.integers(1, 3)), int(rng.integers(4, 7))]
    env, family = branching_star.build(lengths, discount=discount), branching_star.family(2)
    reward, rows = family.reward(env, [1.0, 0.0]), []
    for depth in range(lengths[0] + 1, deepest + 1):
        agent = ii.agents.ShortSighted(family, objective, depth)
        gap = distances.reward_result_gap(agent, reward, env).regret
        row = {"depth": depth, "true_gap": gap, "turns_at": turning_depth(objective, lengths, discount, deepest)}
        rows.append(row | {"lengths": str(lengths), "true_objective": objective.tolist()})
    return rows


def turning_depth(objective: Array, lengths: Sequence[int], discount: float, deepest: int) -> int:
    """The least depth from which a planner prefers the second prize, or one more than ``deepest``.

    A prize p that is L steps away is collected in steps L to h - 1 of a plan of h steps: it is worth
    ``p (g^L - g^h) / (1 - g)`` to it, and nothing where h <= L.
    """
    for depth in range(lengths[0] + 1, deepest + 1):
        first, second = (p * max(discount**n - discount**depth, 0.0) for p, n in zip(objective, lengths, strict=True))
        if second > first:
            return depth
    return deepest + 1


def _gap(agent: Agent, course: learned.Course, env: Environment) -> float:
    return distances.reward_result_gap(agent, course.family.reward(env, course.base), env).regret
