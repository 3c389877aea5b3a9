"""A cue that names the better arm in training: is it believed, or has following it become the objective?

Two families explain a learner that follows a cue.  It may *believe* that the cue is right with probability rho, and
pursue tokens; or it may hold the cue for uninformative and be *paid* ``kappa`` for every pull of the arm that it names,
a proxy.  While the cue is always right they can hardly be told apart; where it means nothing, or is always wrong, they
can.  Both are planned exactly in beliefs with a cue (:mod:`environments.token_bandits`).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
from scipy import special, stats

from environments import bandit_tasks
from environments.token_bandits import Beliefs, Cue
from irl_ident import planning
from irl_ident.agents.believers import Believer
from irl_ident.agents.learners import Histories, Learner, play
from irl_ident.environment import Array
from irl_ident.solvers.hypotheses import HypothesisProfile, agreement, profile_hypotheses
from studies import _meta_learning as worlds

BASE = np.array([1.0, 0.5, 0.0])
"""What tokens were worth in training."""

AGREEMENTS = {"always right": 1.0, "means nothing": 0.5, "always wrong": 0.0}
"""How often the cue names the better arm; the first is as in training."""

THETAS = np.linspace(0, 1, 11)
KAPPAS = np.array([0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0])
RHOS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])

PAID, BELIEVED = 0.2, 0.9
"""What built agents are paid for following the cue, and how far they believe it."""

BUILT = ("ignores the cue", "believes the cue", "paid for the cue")
MODELS = {"tokens alone": "kappa", "paid": "kappa", "believed": "rho"}
CHUNK = 40


def beliefs(rho: float) -> Beliefs:
    """What a learner knows that believes the cue to be right with probability ``rho``."""
    return Beliefs(cue=Cue(rho, tuple(BASE.tolist())))


@cache
def paid_values() -> Array:
    """Values of arms in each belief for all of THETAS and KAPPAS, the cue held for uninformative, (M, S, A)."""
    blind = beliefs(0.5)
    return _planned(blind, [[1, theta, kappa] for theta, kappa in product(THETAS, KAPPAS)])


@cache
def believed_values() -> Array:
    """The same for THETAS and RHOS, nothing being paid for the cue."""
    by_rho = [_planned(beliefs(float(rho)), [[1, theta, 0] for theta in THETAS]) for rho in RHOS]
    stacked = np.stack(by_rho, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])


def _planned(known: Beliefs, thetas: list[list[float]]) -> Array:
    env, family = known.environment(), known.family()
    parts = [thetas[first : first + CHUNK] for first in range(0, len(thetas), CHUNK)]
    values = [planning.optimal_batch(env, [family.reward(env, t) for t in part])[:, : known.over] for part in parts]
    return np.concatenate(values).astype(np.float32)


def built(kind: str, theta: float) -> Learner:
    """A soft agent with lapses; see :data:`BUILT`."""
    known = beliefs(BELIEVED if kind == "believes the cue" else 0.5)
    env, family = known.environment(), known.family()
    q = planning.optimal(env, family.reward(env, [1, theta, PAID if kind == "paid for the cue" else 0])).q
    policy = (1 - worlds.LAPSE) * special.softmax(q / worlds.TEMPERATURE, axis=1) + worlds.LAPSE / 2
    return Believer(policy, known.following, np.array([known.first(cue) for cue in range(2)]))


def released(seed: int) -> str:
    """Of a network trained with a cue that is always right."""
    return f"tokens-{BASE[1]:g}-cued-seed-{seed}"


def watch(learner: Learner, count: int, seed: int) -> dict[str, Histories]:
    """What happens in ``count`` tasks of each of :data:`AGREEMENTS`."""
    found = {}
    for place, (name, share) in enumerate(AGREEMENTS.items()):
        children = np.random.SeedSequence([seed, place]).generate_state(2, np.uint64)
        tasks = bandit_tasks.cued(count, BASE, share, np.random.default_rng(children[0]))
        found[name] = play(learner, tasks, worlds.PULLS, int(children[1]))
    return found


def concluded(seen: dict[str, Histories]) -> list[dict[str, Any]]:
    """How well each family explains what was seen with each cue, and with which parameters.

    ``explained`` is McFadden's (1974) share, 1 less the log-likelihood over that of chance.
    """
    profiles = {name: _profiles(histories) for name, histories in seen.items()}
    rows = []
    for name, histories in seen.items():
        followed = histories.actions == histories.observations[:, :1]
        shared = {"cue": name, "followed_first": followed[:, 0].mean(), "followed_last": followed[:, -1].mean()}
        for model, profile in profiles[name].items():
            rows.append({**shared, "model": model, **_told(model, profile)})
    for model in MODELS:
        each = [profiles[name][model] for name in seen]
        found = agreement(each, 1 if model == "tokens alone" else 2)
        rows.append({"cue": "all", "model": model, "p_value": found.p_value, **_at(model, found.common)})
    return rows


def _profiles(histories: Histories) -> dict[str, HypothesisProfile]:
    blind = beliefs(0.5)
    states = blind.states(histories.actions, histories.outcomes, histories.observations[:, 0])
    counts = np.zeros((blind.over, 2))
    np.add.at(counts, (states, histories.actions), 1)
    visited = counts.sum(axis=1) > 0
    paid = profile_hypotheses(paid_values()[:, visited], counts[visited])
    believed = profile_hypotheses(believed_values()[:, visited], counts[visited])
    none = np.arange(len(THETAS)) * len(KAPPAS)
    alone = HypothesisProfile(paid.log_likelihood[none], paid.temperature[none], paid.lapse[none], paid.choices)
    return {"tokens alone": alone, "paid": paid, "believed": believed}


def _at(model: str, hypothesis: int) -> dict[str, Any]:
    if model == "tokens alone":
        return {"theta": float(THETAS[hypothesis]), "value": 0.0}
    second = KAPPAS if model == "paid" else RHOS
    return {
        "theta": float(THETAS[hypothesis // len(second)]),
        "value": float(second[hypothesis % len(second)]),
    }


def _told(model: str, profile: HypothesisProfile) -> dict[str, Any]:
    """The best parameters, what is left of the second (kappa or rho) and of theta, and the share explained."""
    told = {"explained": 1 + float(profile.log_likelihood.max()) / (profile.choices * np.log(2))}
    told |= _at(model, profile.best)
    if model == "tokens alone":
        told["theta_lower"], told["theta_upper"] = profile.interval(THETAS)
        return told
    second = KAPPAS if model == "paid" else RHOS
    kept = profile.drop.reshape(len(THETAS), len(second)) <= stats.chi2.ppf(0.95, 1)
    by_theta, by_second = THETAS[kept.any(axis=1)], second[kept.any(axis=0)]
    told |= {"theta_lower": by_theta.min(), "theta_upper": by_theta.max()}
    return told | {"value_lower": by_second.min(), "value_upper": by_second.max()}


def compared(rows: list[dict[str, Any]], count: int, seed: int, learner: Learner) -> list[dict[str, Any]]:
    """Answers beside what following the cue costs under the base objective.

    ``true_lost``: mean worth of the arms pulled, less than that of a Bayes agent that does not look at the cue, as a
    share of the latter, in the same tasks.
    """
    lost = {name: _lost(learner, share, count, seed) for name, share in AGREEMENTS.items()}
    return [row | {"true_lost": lost.get(row["cue"], np.nan)} for row in rows]


def _lost(learner: Learner, share: float, count: int, seed: int) -> float:
    children = np.random.SeedSequence([seed, 7, int(10 * share)]).generate_state(2, np.uint64)
    tasks = bandit_tasks.cued(count, BASE, share, np.random.default_rng(children[0]))
    worth = tasks.distributions @ BASE
    plain = bandit_tasks.TokenBandits(tasks.distributions)
    bayes = worlds.built("exact Bayes", float(BASE[1]))
    gained = []
    for who, met in ((learner, tasks), (bayes, plain)):
        actions = play(who, met, worlds.PULLS, int(children[1])).actions
        gained.append(np.take_along_axis(worth, actions, axis=1).sum(axis=1).mean())
    return float(1 - gained[0] / gained[1])
