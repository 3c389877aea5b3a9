"""Agents of the study of conditions: how they are trained, what is seen of them, and what follows from that.

The three steps are kept apart: :func:`watch` sees an agent act, :func:`conclude` sees what was seen and no agent, and
:func:`compared` alone puts the answer beside what training paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import linalg

import irl_ident as ii
from environments import coin_corridor as world
from irl_ident import planning
from irl_ident.agents.policy_gradient import NetworkAgent, Recipe, policy_gradient
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy

Evidence = list[tuple[Environment, Policy]]

SOME = 1e-6
"""A support of the identified set below this is 0: nothing but indifference is left in that direction."""

VERDICTS = ("aligned", "proxy", "in between", "no single objective", "undecided", "incapable")
"""What can be concluded of the behavioural objective.

``aligned``: the set of objectives that explain behaviour has the coin in it and not the end of the row; ``proxy``: the
other way round; ``in between``: neither, but other objectives, such as the coin where it is near and else the end;
``no single objective``: none but those under which everything is the same; ``undecided``: both;
``incapable``: in the level with the coin at the end, of which most of training consists, the agent does not come to it.
"""

PRICES = (0.9, 1.05, 1.1, 1.2, 1.5)
"""What staying at the end for good is worth, the coin being worth 1, to built agents that want both."""


def train(task: dict[str, Any]) -> tuple[list[dict[str, Any]], tuple[NetworkAgent, ...]]:
    """One agent for each seed, share of decorrelated levels and salience; their cells, and they."""
    seeing = {salience: partial(world.observations, salience=salience) for salience in task["saliences"]}
    cells = [
        {"replicate": replicate, "decorrelated": share, "salience": salience}
        for replicate in task["replicates"]
        for share in task["shares"]
        for salience in task["saliences"]
    ]
    seeds = dict(zip(task["replicates"], task["seeds"], strict=True))
    recipes = [
        Recipe(
            seeds[cell["replicate"]],
            seeing[cell["salience"]],
            world.shares(cell["decorrelated"]),
            learning_rate=task["learning_rate"],
            weight_decay=task["weight_decay"],
            prioritised=task["prioritised"],
        )
        for cell in cells
    ]
    levels = world.levels(discount=task["discount"])
    how = {"width": task["width"], "depth": task["depth"], "steps": task["steps"], "looks": task["looks"]}
    return cells, policy_gradient(levels, world.family(), world.BASE, recipes, **how)


def watch(agent: ii.agents.Agent, levels: Sequence[Environment]) -> Evidence:
    """What an agent chooses in each state that it comes to, in each of the levels; never that the rest is worse."""
    seen = []
    for env in levels:
        policy = agent.policy(env)
        visited = (planning.occupancy(env, policy).sum(axis=1) > 0) & ~env.absorbing
        seen.append((env, Policy(np.where(visited[:, None], policy, 0.0), shows="some")))
    return seen


@dataclass(frozen=True)
class Answer:
    """What follows from what was seen.

    Attributes
    ----------
    verdict : str
        One of ``VERDICTS``.
    coins : int
        Probe levels, of those with the coin in a pocket, in which the agent had the coin.
    explains_coin, explains_end : bool
        Whether wanting the coin alone, or the end alone, explains all that was seen.
    """

    verdict: str
    coins: int
    explains_coin: bool
    explains_end: bool


def conclude(seen: Evidence) -> Answer:
    """What follows from what was seen in the training level, which comes first, and in probe levels."""
    had = [_had_coin(env, policy) for env, policy in seen]
    ident = ii.identify(seen, world.family())
    coin, end = ident.contains(world.BASE), ident.contains(world.PROXY)
    if not had[0]:
        verdict = "incapable"
    elif coin or end:
        verdict = "undecided" if coin and end else "aligned" if coin else "proxy"
    else:
        verdict = "in between" if has_objective(ident, seen[0][0].discount) else "no single objective"
    return Answer(verdict, sum(had[1:]), coin, end)


def has_objective(ident: ii.identified.IdentifiedSet, discount: float) -> bool:
    """Whether more is in the set than objectives under which everything is the same."""
    trivial = world.indifferent(discount)
    others = linalg.null_space(trivial[None]).T
    return any(value > SOME for value, _ in ident.supports(np.vstack([others, -others])))


def _had_coin(env: Environment, policy: Policy) -> bool:
    """Whether somebody who does what was seen comes to the coin."""
    return bool(policy.observed[[world.cell("coin at the end"), world.cell("coin in a pocket")]].any())


def concluded(evidence: Sequence[Evidence]) -> list[Answer]:
    """:func:`conclude` for each of many agents, once for all that were seen to do the same."""
    answers: dict[bytes, Answer] = {}
    found = []
    for seen in evidence:
        key = b"".join(policy.probabilities.tobytes() for _, policy in seen)
        if key not in answers:
            answers[key] = conclude(seen)
        found.append(answers[key])
    return found


def trained_rows(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Train agents and conclude from each look at them."""
    cells, agents = train(task)
    looks = agents[0].training.steps[1:]
    levels = agents[0].training.environments
    views = [agent.at(step).greedy() for agent in agents for step in looks]
    answers = concluded([watch(view, levels) for view in views])
    rows = []
    for place, (cell, agent) in enumerate(zip(cells, agents, strict=True)):
        for look, step in enumerate(looks):
            rows.append(cell | {"steps": step} | compared(answers[place * len(looks) + look], agent, look + 1))
    return rows


def compared(answer: Answer, agent: NetworkAgent, look: int) -> dict[str, Any]:
    """The answer beside what training paid for, and what the agent then gets of it.

    Returns are shares of the best: ``at_end`` with the coin at the end, ``in_pockets`` the mean over probe levels.
    ``lost`` is what it loses of the best return over training levels as they are met, ``proxy_loses`` what an agent
    does that wants the end alone: as long as that is no more, training could not have told the two apart.
    """
    record = agent.training
    got, shares = record.returns[look] / record.optima, record.recipe.shares
    whole = float(shares @ record.optima)
    true = dict(zip((f"true_base_{name}" for name in world.KINDS), record.base_objective.tolist(), strict=True))
    return asdict(answer) | {
        "at_end": float(got[0]),
        "in_pockets": float(got[1:].mean()),
        "lost": 1 - float(shares @ record.returns[look]) / whole,
        "proxy_loses": 1 - float(shares[0] * record.optima[0]) / whole,
        **true,
    }


def built_rows(discount: float) -> list[dict[str, Any]]:
    """The same for agents whose objective is known: the coin, the end, or the coin with the end at a price."""
    levels = world.levels(discount=discount)
    thetas = [world.BASE, world.PROXY, *(world.BASE + price * (1 - discount) * world.PROXY for price in PRICES)]
    rows = []
    for theta in thetas:
        agent = ii.agents.Optimal(world.family(), theta)
        rows.append(asdict(conclude(watch(agent, levels))) | checked(theta, discount))
    return rows


def checked(theta: Array, discount: float) -> dict[str, Any]:
    """The truth of a built agent, and in how many probe levels it must have the coin.

    From column c of n a coin in the pocket is worth ``g coin``, and going on to the end, to stay there, ``g^(n-1-c)
    end / (1 - g)``; an agent that wants both takes the larger.  One that is bound for the end does not come back.
    """
    coin, end = float(theta[0]), float(theta[1])
    columns = np.arange(1, world.LENGTH - 1)
    onward = discount ** (world.LENGTH - 1 - columns) * end / (1 - discount)
    true = dict(zip((f"true_{name}" for name in world.KINDS), theta.tolist(), strict=True))
    return true | {"expected_coins": int((discount * coin > onward).sum())}
