"""What is concluded about a learner's objective from what was seen of it, and how that compares with the truth.

:func:`concluded` and :func:`exactly` see choices alone; :func:`compared` is told what the learner was built or trained
for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

import irl_ident as ii
from irl_ident import planning
from irl_ident.environment import Array
from irl_ident.identified.line import explaining, meeting
from irl_ident.identified.tolerated import ToleratedSet, tolerated_on_line
from irl_ident.planning.line import LinePlan, optimal_line
from irl_ident.solvers.hypotheses import HypothesisProfile, agreement, profile_hypotheses
from studies import _meta_learning as worlds
from studies._meta_learning import AS_TRAINED, Seen

LOW, HIGH = -0.5, 1.5
GRID = np.linspace(LOW, HIGH, 201)
"""What the middle token may be worth, in units of the best; the worst is worth 0."""

DEPTHS = (1, worlds.PULLS)
"""How many pulls an agent may look ahead; the last is a Bayes agent's way."""

EVERY = 2
"""Depths are compared on every second value of ``GRID``."""

LEVEL = 0.05
"""Level of the test of agreement; intervals are at 95 %."""

COUNTS = (1, 2, 5, 10, 20, 50, 100, 200)
"""Tasks after which the exact set is looked at."""

SHARES = (0.01, 0.02)
"""Tolerances of training, in shares of the optimum."""


@cache
def values() -> Array:
    """What each arm is worth in each belief to a Bayes agent with the flat prior, for all of ``GRID``, (M, S, A)."""
    _, env, family = worlds.plan()
    return planning.optimal_batch(env, [family.reward(env, [1, x]) for x in GRID])


@cache
def short_values(depth: int) -> Array:
    """The same for an agent that looks so many pulls ahead, afresh at each, for every second value of ``GRID``."""
    _, env, family = worlds.plan()
    return np.stack([planning.bounded_horizon(env, family.reward(env, [1, x]), depth) for x in GRID[::EVERY]])


@cache
def line() -> LinePlan:
    """Plans of Bayes agents with the flat prior for all values of the middle token."""
    _, env, family = worlds.plan()
    return optimal_line(env, family.reward(env, [1, 0]), family.reward(env, [0, 1]), (LOW, HIGH))


def profiled(seen: Seen, q: Array) -> HypothesisProfile:
    """What choices say of hypotheses with values ``q`` (M, S, A), for an agent that is soft and lapses."""
    counts = seen.counts(*q.shape[1:])
    visited = counts.sum(axis=1) > 0
    return profile_hypotheses(q[:, visited], counts[visited])


def concluded(seen: Mapping[str, Seen]) -> list[dict[str, Any]]:
    """Estimate and interval from each kind of task, and from all together with the test of their agreement."""
    profiles = {name: profiled(one, values()) for name, one in seen.items()}
    rows: list[dict[str, Any]] = []
    for name, profile in profiles.items():
        lower, upper = profile.interval(GRID)
        rows.append(
            {
                "probe": name,
                "estimate": float(GRID[profile.best]),
                "lower": lower,
                "upper": upper,
                "temperature": float(profile.temperature[profile.best]),
                "lapse": float(profile.lapse[profile.best]),
                "nats": float(profile.log_likelihood[profile.best]) / profile.choices,
            }
        )
    together = agreement(list(profiles.values()))
    total = np.sum([profile.log_likelihood for profile in profiles.values()], axis=0)
    pooled = HypothesisProfile(total, np.ones(len(GRID)), np.zeros(len(GRID)), 0.0)
    lower, upper = pooled.interval(GRID)
    rows.append(
        {
            "probe": "all",
            "estimate": float(GRID[together.common]),
            "lower": lower,
            "upper": upper,
            "p_value": together.p_value,
            "statistic": together.statistic,
            **looking_ahead(seen, list(profiles.values())),
        }
    )
    return rows


def looking_ahead(seen: Mapping[str, Seen], profiles: list[HypothesisProfile]) -> dict[str, Any]:
    """How many pulls ahead the learner seems to look, by all tasks together, and what it then seems to pursue.

    Parameters
    ----------
    seen : mapping
    profiles : list of HypothesisProfile
        For a Bayes agent and all of ``GRID``.
    """
    by_depth = {depth: [profiled(one, short_values(depth)) for one in seen.values()] for depth in DEPTHS[:-1]}
    by_depth[DEPTHS[-1]] = [
        HypothesisProfile(one.log_likelihood[::EVERY], one.temperature[::EVERY], one.lapse[::EVERY], one.choices)
        for one in profiles
    ]
    best = {depth: float(np.sum([one.log_likelihood for one in own], axis=0).max()) for depth, own in by_depth.items()}
    depth = max(best, key=lambda each: best[each])
    found = agreement(by_depth[depth])
    return {
        "depth": depth,
        "depth_gain": best[depth] - best[DEPTHS[-1]],
        "depth_estimate": float(GRID[::EVERY][found.common]),
        "depth_p_value": found.p_value,
    }


def exactly(seen: Mapping[str, Seen]) -> list[dict[str, Any]]:
    """Values under which every choice is optimal, after more and more tasks, and for all kinds of tasks together."""
    here = seen[AS_TRAINED]
    rows = []
    for count in COUNTS:
        if count <= len(here.states):
            left = explaining(line(), here.states[:count].ravel(), here.actions[:count].ravel())
            rows.append({"tasks": count, **_ends(left)})
    left = np.array([[LOW, HIGH]])
    for one in seen.values():
        left = meeting(left, explaining(line(), one.states.ravel(), one.actions.ravel()))
    return [*rows, {"tasks": 0, "probe": "all", **_ends(left)}]


def _ends(left: Array) -> dict[str, Any]:
    """The smallest interval that holds a union, and the number of its pieces; none where nothing is left."""
    if not len(left):
        return {"pieces": 0, "set_lower": np.nan, "set_upper": np.nan}
    return {"pieces": len(left), "set_lower": float(left[0, 0]), "set_upper": float(left[-1, 1])}


def optimum(theta: float) -> float:
    """Expected return of a Bayes agent with the flat prior in tasks as in training."""
    return float(line().values[np.array([0])]([theta])[0, 0])


def shortfall(seen: Seen, theta: float) -> tuple[float, float]:
    """What a learner loses against a Bayes agent, as a share of the optimum, with its standard error.

    By the performance difference lemma (Kakade & Langford 2002): the expected sum of what each choice is worth less
    than the best one, ``Q*(b, a) - V*(b)`` at the beliefs b that it comes to.
    """
    _, env, family = worlds.plan()
    q = planning.optimal(env, family.reward(env, [1, theta])).q
    lost = (q.max(axis=1)[seen.states] - q[seen.states, seen.actions]).sum(axis=1) / optimum(theta)
    return float(lost.mean()), float(lost.std(ddof=1) / np.sqrt(len(lost)))


def tolerated(theta: float, share: float) -> tuple[float, float]:
    """Values whose optimisation costs at most a share of the optimum."""
    return tolerated_on_line(line().values[np.array([0])], theta, share * optimum(theta))


def compared(rows: list[dict[str, Any]], seen: Seen, theta: float) -> list[dict[str, Any]]:
    """Answers beside the truth: what was pursued in truth, what the learner loses, and what that tolerates.

    Parameters
    ----------
    rows : list of dict
        Answers.
    seen : Seen
        Choices in tasks as in training, by which the loss is measured.
    theta : float
        What the middle token is worth to the learner, or was worth in its training.
    """
    loss, error = shortfall(seen, theta)
    told = {"true_theta": theta, "true_loss": loss, "true_loss_error": error, **tolerance(theta)}
    told["tolerated_own_lower"], told["tolerated_own_upper"] = tolerated(theta, loss)
    return [told | row for row in rows]


def tolerance(theta: float) -> dict[str, float]:
    """Values that training to within :data:`SHARES` of the optimum tolerates."""
    told: dict[str, float] = {}
    for share in SHARES:
        told[f"tolerated_{100 * share:g}_lower"], told[f"tolerated_{100 * share:g}_upper"] = tolerated(theta, share)
    return told


def short_sighted(theta: float) -> float:
    """What looking one pull ahead loses, as a share of the optimum."""
    _, env, family = worlds.plan()
    reward = family.reward(env, [1, theta])
    policy = ii.agents.ShortSighted(family, np.array([1, theta]), 1).policy(env)
    return 1 - float(planning.evaluate(env, reward, policy)[worlds.BELIEFS.first()]) / optimum(theta)


def costliest(theta: float) -> float:
    """The largest loss of optimising another value in [0, 1], as a share of the optimum: that at one of the ends."""
    _, env, family = worlds.plan()
    training = ToleratedSet(family, np.array([1, theta]), [env], 0.0)
    return max(training.regret([1.0, other]) for other in (0.0, 1.0)) / training.optimum
