"""Worlds and measurements of the study of ambiguity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg

import irl_ident as ii
from environments import branching_tree, lamp_and_button
from irl_ident import planning
from irl_ident.design.closing import closes
from irl_ident.environment import Array
from irl_ident.identified import sources
from irl_ident.identified.generalising import soft_loss, transfer_bound
from irl_ident.identified.potentials import is_shaping
from irl_ident.identified.published import schlaginhaufen_2024
from irl_ident.identified.shaping_rank import affine_set
from irl_ident.transformed import MappedRewards, unrolled

Places = npt.NDArray[np.int64]

DISCOUNT = 0.9
STATES, ACTIONS = 4, 2
SHARES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)
"""How much of another environment is blended into the second one."""

LOG_ERROR = 1e-3
"""Standard deviation of the error of each log-probability of a policy: one in a thousand."""

FLOOR = (".....", ".#...", "..#..", ".....")
WALL = 4
"""A thin wall on the left of this column."""

HORIZON = 12
PRICE = 0.5
LAMP_DISCOUNT = 0.8


def sparse_worlds(count: int, seed: int) -> list[ii.Environment]:
    """Random environments with two successors for each state and action; episodes start in state 0."""
    keys = np.random.SeedSequence(seed).spawn(count)
    drawn = [ii.builders.random_environment(STATES, ACTIONS, DISCOUNT, key, successors=2) for key in keys]
    return [ii.Environment(env.transitions, DISCOUNT, np.eye(STATES)[0]) for env in drawn]


def open_rows(seed: int, most: int) -> list[dict[str, Any]]:
    """Open dimensions and the least that is seen of any other direction, by source, rewards, number of environments."""
    worlds = sparse_worlds(most, seed)
    rng = np.random.default_rng(seed)
    rows = []
    families = {
        "R(s, a, s')": ii.rewards.TransitionRewards(STATES, ACTIONS),
        "R(s, a)": ii.rewards.StateActionRewards(STATES, ACTIONS),
    }
    for rewards, family in families.items():
        theta = rng.normal(size=family.dim)
        left = {
            source.name: [sources.left_open(source, env, family, theta) for env in worlds] for source in sources.SOURCES
        }
        for source, parts in left.items():
            for count in range(1, most + 1):
                both = sources.combine(parts[:count])
                values = both.rank.singular_values
                rows.append(
                    {
                        "part": "open",
                        "rewards": rewards,
                        "source": source,
                        "environments": count,
                        "open": both.dimension,
                        "parameters": family.dim,
                        "least": float(values[both.rank.rank - 1]) if both.rank.rank else 0.0,
                        "decided": both.rank.decided,
                    }
                )
        rows += [
            {"part": "order", "rewards": rewards, "source": one, "other": other, "order": sources.order(a[0], b[0])}
            for one, a in left.items()
            for other, b in left.items()
        ]
    return rows + diameter_rows(worlds, seed)


def diameter_rows(worlds: Sequence[ii.Environment], seed: int) -> list[dict[str, Any]]:
    """Certified canonical diameter of the cone that optimal policies leave of rewards on states."""
    family = ii.rewards.StateRewards(STATES)
    agent = ii.agents.Optimal(family, np.random.default_rng([seed, 1]).normal(size=STATES))
    seen = [(env, agent.policy(env)) for env in worlds]
    rows = []
    for count in range(1, len(worlds) + 1):
        low, high = ii.identify(seen[:count], family).diameter()
        rows.append({"part": "diameter", "environments": count, "lower": low, "upper": high})
    return rows


def conditioning_rows(seed: int) -> list[dict[str, Any]]:
    """Rank, angle, error of the recovered reward and its loss elsewhere, as the second environment nears the first."""
    keys = np.random.SeedSequence(seed).spawn(3)
    first, second, new = (ii.builders.random_environment(18, 5, DISCOUNT, key) for key in keys)
    rng = np.random.default_rng(seed)
    reward = rng.normal(size=(18, 5))
    noise = LOG_ERROR * rng.standard_normal((2, 18, 5))
    rows = []
    for share in SHARES:
        pair = [first, ii.builders.blended(first, second, share)]
        told = schlaginhaufen_2024(*pair)
        angle = float(2 * np.arcsin(min(told.singular_values[-2], 1.0)))
        systems, errors = [], []
        for env, error in zip(pair, noise, strict=True):
            exact = planning.soft(env, reward).log_policy
            logs = exact + error
            logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
            errors.append(float(linalg.norm(logs - exact)))
            features = ii.rewards.StateActionRewards(18, 5).matrix(env)
            systems.append((env.shaping, features, logs.ravel(), np.ones(90, dtype=bool)))
        found = affine_set(systems, 90).particular
        wrong = found - reward.ravel()
        bound = transfer_bound(pair, errors, new)
        rows.append(
            {
                "part": "conditioning",
                "share": share,
                "rank": int(told.reasons[0].split()[1].rstrip(",")),
                "answer": told.answer,
                "angle": angle,
                "error": float(linalg.norm(wrong - wrong.mean())),
                "error_bound": bound.distance,
                "loss": soft_loss(new, reward, found.reshape(18, 5)),
                "loss_bound": bound.loss,
                "most_to_lose": float((1 - DISCOUNT) * new.initial @ (spread(new, reward))),
            }
        )
    return rows


def spread(env: ii.Environment, reward: Array) -> Array:
    """Best less worst values, (S,)."""
    return planning.optimal(env, reward).values + planning.optimal(env, -reward).values


@dataclass(frozen=True, eq=False)
class Floor:
    """A floor with pillars and a thin wall.

    Attributes
    ----------
    environment : Environment
    positions : int array (S, 2)
    pillars : int array (W, 2)
    """

    environment: ii.Environment
    positions: Places
    pillars: Places


def floor(*, stand: bool = False, door: bool = False) -> Floor:
    """Up, right, down, left; a way that is blocked turns back, unless one can ``stand``; a ``door`` opens the wall.

    Without standing, every move goes from a black to a white field or back, as on a chessboard.
    """
    cells = np.array([list(row) for row in FLOOR])
    positions = np.argwhere(cells == ".")
    number = {place: i for i, place in enumerate(map(tuple, positions.tolist()))}
    moves = np.zeros((len(positions), 4), dtype=int)
    for (row, column), state in number.items():
        ways = [(row + down, column + right) for down, right in ii.builders.STEPS.tolist()]
        through = [{column, way[1]} == {WALL - 1, WALL} and not (door and row == 0) for way in ways]
        free = [way in number and not wall for way, wall in zip(ways, through, strict=True)]
        for action in range(4):
            turns = [action] if stand else [action, (action + 2) % 4, (action + 1) % 4, (action + 3) % 4]
            moves[state, action] = next((number[ways[turn]] for turn in turns if free[turn]), state)
    env = ii.Environment(
        np.eye(len(positions))[moves],
        DISCOUNT,
        np.eye(len(positions))[0],
        states=[f"r{row}c{column}" for row, column in positions.tolist()],
        actions=ii.builders.MOVES,
    )
    return Floor(env, positions, np.argwhere(cells == "#"))


def shown(env: ii.Environment, agent: Any) -> tuple[ii.Environment, ii.evidence.Policy]:
    """The agent's policy in the states that can be reached."""
    return env, ii.evidence.Policy(agent.policy(env) * env.reachable[:, None])


def floors() -> dict[str, ii.Environment]:
    """The candidates: the same again, one where one can stand still, one with a door."""
    return {
        "again": floor().environment,
        "stand": floor(stand=True).environment,
        "door": floor(door=True).environment,
        "both": floor(stand=True, door=True).environment,
    }


def named_rows(seed: int) -> list[dict[str, Any]]:
    """Open directions of a soft agent on the floor, cell by cell, and which candidate closes them."""
    env = floor().environment
    family = ii.rewards.StateRewards(env.n_states)
    theta = np.random.default_rng(seed).normal(size=env.n_states)
    soft = ii.identify([shown(env, ii.agents.SoftOptimal(family, theta))], family, "soft")
    rows = []
    for found in soft.ambiguities:
        for number, (word, direction) in enumerate(zip(found.words, found.basis.T, strict=True)):
            values = (direction / np.abs(direction).max()).tolist()
            common = {"part": "named", "kind": found.kind, "direction": word, "number": number}
            rows += [common | {"cell": cell, "value": value} for cell, value in enumerate(values)]
    candidates = floors()
    table = closes(soft, list(candidates.values()), list(candidates))
    before: dict[str, int] = {found.kind: found.dimension for found in soft.ambiguities}
    for j, name in enumerate(table.candidates):
        for k, kind in enumerate(table.kinds):
            least = min(share for share, word in zip(table.share[:, j], table.directions, strict=True) if kind in word)
            counts = {"kind": kind, "open": before[kind], "left": int(table.left[k, j]), "share": float(least)}
            rows.append({"part": "closing", "candidate": name, **counts})
    return rows


def tree_rows() -> list[dict[str, Any]]:
    """By how much the right leaf may be better than the left one, below either child of the root; does the reward carry
    over to the test?
    """
    training, test = (branching_tree.build(start) for start in (branching_tree.TRAINING, branching_tree.TEST))
    family = branching_tree.family()
    agent = ii.agents.Optimal(family, branching_tree.BASE)
    seen = [(env, agent.demonstrate(env, episodes=10, horizon=4, seed=0)) for env in (training, test)]
    rows = []
    for stage, evidence in (("training", seen[:1]), ("training and test", seen)):
        ident = ii.identify(evidence, family)
        carried = ii.generalises(ident, test)
        for node in (1, 2):
            better = np.eye(7)[2 * node + 2] - np.eye(7)[2 * node + 1]
            low, high = -ident.support(-better)[0], ident.support(better)[0]
            rows.append(
                {
                    "part": "tree",
                    "stage": stage,
                    "node": training.states[node],
                    "lower": round(low, 9) + 0.0,
                    "upper": round(high, 9) + 0.0,
                    "answer": carried.answer,
                    "loss": carried.loss,
                }
            )
    return rows


def lamp_rows(delay: int) -> list[dict[str, Any]]:
    """In which worlds do optimal agents for the lamp and for the button behave differently?"""
    wired = lamp_and_button.build(delay, LAMP_DISCOUNT)
    cut = lamp_and_button.build(delay, LAMP_DISCOUNT, cut=True)
    family = lamp_and_button.family(delay)
    finite = unrolled(wired, HORIZON)
    mapped = MappedRewards(family, (wired,), np.append(np.tile(np.arange(wired.n_states), HORIZON), -1))
    worlds = {
        "discounted": (wired, family, 0.0),
        "finite horizon": (finite, mapped, 0.0),
        f"press costs {PRICE:g}": (wired, family, PRICE),
        "cut wire": (cut, family, 0.0),
    }
    button, lamp = lamp_and_button.objectives().values()
    shaping = is_shaping(wired, family.reward(wired, lamp - LAMP_DISCOUNT**delay * button))
    rows = []
    for world, (env, rewards, price) in worlds.items():
        plans = [
            planning.optimal(env, rewards.reward(env, theta)).q for theta in lamp_and_button.objectives(price).values()
        ]
        best = [planning.optimal_actions(q) for q in plans]
        differ = (best[0] != best[1]).any(axis=1) & env.reachable
        share = float(differ.sum() / env.reachable.sum())
        common = {"part": "lamp", "delay": delay, "world": world, "shaping_error": shaping.error}
        rows.append(common | {"told_apart": bool(differ.any()), "share": share})
    return rows
