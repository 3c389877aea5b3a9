"""When does a base optimiser come to search at run time? A model of Hubinger et al. (2019, section 2.1), and programs.

A base optimiser has P bits of optimisation power for N task instances.  If it makes a learned algorithm that searches
at run time with a power of x bits in each instance, that costs it f(x); the rest fixes behaviour directly, and is
divided among the instances:

    x* = argmax over x of (P - f(x)) / N + x,      f(x) = c x^2:      x* = min(N / 2c, sqrt(P / c)).

So it searches the more, the more diverse its task is.  With N below ``2 sqrt(c P)`` the total is ``P/N + N/4c``, of
which ``P/N`` could be had without any search; above, all of P goes into the searcher, and the total is ``sqrt(P/c)``.

Programs that do this: in each of N layouts of :mod:`environments.object_grid` (distinct, with one objective) a planner
that looks d steps ahead acts, d = 0 being random play, except in the states that a table for this layout fixes.  An
entry of the table picks one of 4 actions, which takes 2 bits of optimisation power; which states are worth an entry is
told for free: those first that lose most without.  A planner's power x(d), in bits of
:mod:`irl_ident.goal_directedness.power` beyond random play's, is measured, and costs ``c x(d)^2``.  Time costs
``time_price`` bits a step of looking ahead, in every instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import irl_ident as ii
from environments import object_grid
from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.goal_directedness import meg_family
from irl_ident.goal_directedness.adaptivity import adaptivity
from irl_ident.goal_directedness.power import optimisation_powers
from studies._is_it_optimising_scores import pursued

THINGS = ("first", "second", "third")
SIDE, WALLS = 5, 3
SLIP, DISCOUNT = 0.1, 0.9
DEPTHS = (0, 2, 3, 4, 5, 6, 8)
"""Steps that planners look ahead; one step shows nothing, since things pay who has come to them."""

ENTRIES = SIDE**2 - WALLS - len(THINGS)
"""Most entries of a table: one for each free cell."""

ENTRY_BITS = 2.0
"""Optimisation power of picking one of 4 actions."""


def search_power(instances: npt.ArrayLike, power: npt.ArrayLike, c: float) -> Array:
    """``x*`` for N instances and P bits, (…) by broadcasting."""
    found: Array = np.minimum(np.asarray(instances) / (2 * c), np.sqrt(np.asarray(power) / c))
    return found


def total_power(x: npt.ArrayLike, instances: npt.ArrayLike, power: npt.ArrayLike, c: float) -> Array:
    """``(P - c x^2) / N + x``."""
    searched = np.asarray(x, dtype=float)
    found: Array = (np.asarray(power) - c * searched**2) / np.asarray(instances) + searched
    return found


def price_of_prevention(instances: npt.ArrayLike, power: npt.ArrayLike, c: float) -> Array:
    """Which share of the largest total is lost where nothing may search at run time, in [0, 1)."""
    best = total_power(search_power(instances, power, c), instances, power, c)
    found: Array = 1 - np.asarray(power) / np.asarray(instances) / best
    return found


def instances_at_price(price: float, power: npt.ArrayLike, c: float) -> Array:
    """From how many instances on preventing search costs at least ``price``, in (0, 1/2]: ``2 sqrt(c P p / (1-p))``.

    At a price of 1/2 that is where all of P goes into the searcher.
    """
    found: Array = 2 * np.sqrt(c * np.asarray(power) * price / (1 - price))
    return found


@dataclass(frozen=True, eq=False)
class Instances:
    """Layouts with one objective.

    Attributes
    ----------
    layouts : tuple of Environment
        Task instances that programs are made for.
    held_out : tuple of Environment
        Others.
    theta : array (4,)
        What is wanted: a floor worth 0, things worth between 0 and 1, the best 1.
    """

    layouts: tuple[Environment, ...]
    held_out: tuple[Environment, ...]
    theta: Array

    def reward(self, env: Environment) -> Array:
        """What is wanted, in a layout (S, A)."""
        return family().reward(env, self.theta)


def family() -> ii.rewards.LinearRewards:
    """What the floor and each of three things are worth."""
    return object_grid.family(SIDE, THINGS)


def instances(seed: int, count: int, held_out: int) -> Instances:
    """Random layouts and a random objective."""
    rng = np.random.default_rng(seed)
    drawn = [
        object_grid.build(object_grid.random_layout(rng, side=SIDE, walls=WALLS), THINGS, slip=SLIP, discount=DISCOUNT)
        for _ in range(count + held_out)
    ]
    things = rng.random(len(THINGS))
    things[rng.integers(len(THINGS))] = 1
    return Instances(tuple(drawn[:count]), tuple(drawn[count:]), np.append(0, things))


def planner(env: Environment, theta: Array, depth: int) -> Array:
    """What who looks ``depth`` steps ahead does, (S, A); at random for 0."""
    if depth == 0:
        return np.full((env.n_states, env.n_actions), 1 / env.n_actions)
    return ii.agents.ShortSighted(family(), theta, depth).policy(env)


def program(env: Environment, theta: Array, depth: int, entries: int) -> Array:
    """A planner with a table of at most ``entries`` states, those first that lose most without, (S, A).

    What is lost in a state is what its choice costs, ``V*(s) - sum_a pi(a|s) Q*(s,a)``, as often as an optimal agent
    comes there.  A table never makes a choice that is worse than the planner's.
    """
    base = planner(env, theta, depth)
    best = planning.optimal(env, family().reward(env, theta))
    right = best.policy
    visits = planning.occupancy(env, right).sum(axis=1)
    lost = np.where(env.absorbing, 0.0, visits * (best.values - (base * best.q).sum(axis=1)))
    fixed = [s for s in np.argsort(-lost, kind="stable")[:entries] if lost[s] > 1e-9]
    made = base.copy()
    made[fixed] = right[fixed]
    return made


def powers(found: Instances, count: int, entries: Sequence[int], seed: int) -> list[dict[str, float]]:
    """Power, and share of the return between random play and the best, of all programs in the first layouts."""
    shapes = [(depth, count) for depth in DEPTHS for count in entries]
    rows = []
    for place, env in enumerate(found.layouts[:count]):
        reward = found.reward(env)
        policies = [program(env, found.theta, *shape) for shape in shapes]
        told = optimisation_powers(env, reward, policies, draws=100, repeats=4, seed=seed + place)
        chance = float(env.initial @ planning.evaluate(env, reward, policies[0]))
        for shape, each in zip(shapes, told, strict=True):
            won = (each.returned - chance) / (each.optimum - chance)
            rows.append({"layout": place, "depth": shape[0], "entries": shape[1], "bits": each.bits, "won": won})
    return rows


def selected(
    bits: Array, entries: Sequence[int], count: float, power: float, c: float, time_price: float = 0.0
) -> tuple[int, int, float]:
    """The program that a base optimiser makes.

    Parameters
    ----------
    bits : array (D, E)
        Mean power of the program with depth ``DEPTHS[i]`` and ``entries[j]`` entries.
    entries : sequence of E int
        From 0.
    count, power, c, time_price : float
        N, P, c, and bits a step of looking ahead.

    Returns
    -------
    int, int
        Places of the depth and of the number of entries; the shallower, the smaller, among equals.
    float
        Its power, less what time costs.
    """
    best = (0, 0, -np.inf)
    for i, depth in enumerate(DEPTHS[: len(bits)]):
        left = power - c * (bits[i, 0] - bits[0, 0]) ** 2
        if left < 0:
            continue
        room = [j for j, held in enumerate(entries) if held * ENTRY_BITS * count <= left + 1e-9]
        for j in room:
            score = bits[i, j] - time_price * depth
            if score > best[2] + 1e-9:
                best = (i, j, float(score))
    return best


def seen_of(found: Instances, depth: int, entries: int) -> dict[str, float]:
    """What gives a program away: goal-directedness where it was made, and elsewhere; adaptivity from one to the others.

    ``explained``: multi-environment MEG, one objective on things for all layouts, as a share of what is predictable of
    the choices; where nothing is, 0.  Elsewhere a planner plans, and a table without one does what it does on average.
    """
    own = [program(env, found.theta, depth, entries) for env in found.layouts]
    mean = np.mean(own, axis=0)
    away = [planner(env, found.theta, depth) if depth else mean for env in found.held_out]
    here = meg_family(list(zip(found.layouts, own, strict=True)), family())
    there = meg_family(list(zip(found.held_out, away, strict=True)), family())
    goal = pursued(here)
    adapting = adaptivity(own[0], found.held_out, away, family(), goal).score if goal.any() else float("nan")
    return {
        "explained": here.nats / _predictable(found.layouts, own),
        "explained_held_out": there.nats / _predictable(found.held_out, away),
        "meg": here.normalised,
        "meg_held_out": there.normalised,
        "adaptivity": adapting,
    }


def _predictable(layouts: Sequence[Environment], policies: Sequence[Array]) -> float:
    """Nats by which who knows the policies predicts choices better than chance, at least a trifle."""
    total = 1e-9
    for env, policy in zip(layouts, policies, strict=True):
        visits = planning.occupancy(env, policy)
        ratio = np.where(policy > 0, policy * env.n_actions, 1.0)
        total += float((visits * np.log(ratio)).sum())
    return total
