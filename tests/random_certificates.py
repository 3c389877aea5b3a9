"""Random tiny problems for certificates, and how the answers compare with the truth.

Run ``python tests/random_certificates.py --problems 5000 [--seed 0]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from brute_certificates import Truth
from exact_polytopes import Seen, premise
from exact_worlds import World, exact

import irl_ident as ii
from irl_ident import certificates

KINDS = ("linear", "optimal_action", "avoids", "reaches", "return", "base", "regret", "composed")


@dataclass
class Problem:
    """A problem as the library and as the truth have it."""

    kind: str
    pairs: list
    family: Any
    assumed: dict
    env: Any
    prop: tuple
    ties: float
    strictness: float
    truth: Truth

    def asked(self):
        return as_property(self.prop)

    def identified(self):
        return ii.identify(self.pairs, self.family, **self.assumed)


def problem(seed):
    random = np.random.default_rng(seed)
    s, a = int(random.integers(2, 5)), int(random.integers(2, 4))
    if s * a == 12:
        a = 2 if random.random() < 0.8 else 3
    kind = KINDS[int(random.integers(len(KINDS)))]
    discount = float(random.choice([0.5, 0.75, 0.9, 0.95, 1.0], p=[0.2, 0.2, 0.25, 0.2, 0.15]))
    family = random_family(random, s, a)
    envs = [environment(random, s, a, discount) for _ in range(int(random.choice([1, 2, 3], p=[0.5, 0.3, 0.2])))]
    theta = random.integers(-4, 5, family.dim) if random.random() < 0.7 else random.uniform(-4, 4, family.dim).round(3)
    theta = theta / max(1, np.abs(theta).max())
    noisy = random.random() < 0.15
    assumed = {}
    if noisy:
        error, ties = float(random.choice([0.1, 0.25, 0.4])), str(random.choice(["any", "even"]))
        assumed = {"rationality": "noisy", "error": error, "level": float(random.choice([0.05, 0.5])), "ties": ties}
    pairs = [(env, seen) for env in envs for seen in observations(random, World(env, family), theta, assumed)]
    env = envs[0] if random.random() < 0.2 else environment(random, s, a, discount)
    if random.random() < 0.1 and type(family).__name__ == "StateRewards":
        env = environment(random, s, 5 - a if s < 4 else 2, discount)
    ties = float(random.choice([1e-9, 0.0, 1e-6, 1e-4], p=[0.7, 0.1, 0.1, 0.1]))
    strictness = float(random.choice([1e-5, 1e-3, 0.0, 0.01], p=[0.7, 0.1, 0.1, 0.1]))
    seen = marks(pairs, family, assumed)
    world = World(env, family)
    prop = composed(random, world, seen, theta) if kind == "composed" else atom(random, kind, world, seen, theta)
    if prop[0] == "linear" and random.random() < 0.3:
        world = env = None
    truth = Truth(seen, family.dim, world, prop, ties, strictness)
    return Problem(kind, pairs, family, assumed, env, prop, ties, strictness, truth)


def random_family(random, s, a):
    draw = random.random()
    if draw < 0.5:
        return ii.rewards.StateRewards(s)
    if draw < 0.65 and s * a <= 4:
        return ii.rewards.StateActionRewards(s, a)
    features = random.integers(-2, 3, (s, a, int(random.integers(1, 5)))) / 2
    if random.random() < 0.3:
        features[:] = features[:, :1]
    return ii.rewards.LinearRewards(features)


def environment(random, s, a, discount):
    """Moves in eighths, or sure ones; now and then thirds, actions that are the same, or states that keep."""
    initial = random.multinomial(4, np.full(s, 1 / s)) / 4
    if discount == 1:
        return ii.Environment(ending(random, s, a), 1.0, initial)
    sharp = random.random() < 0.4
    moves = random.multinomial(1 if sharp else 8, random.dirichlet(np.full(s, 0.7)), (s, a)).astype(float)
    if not sharp and random.random() < 0.15:
        moves = random.multinomial(3, np.full(s, 1 / s), (s, a)).astype(float)
    moves /= moves.sum(axis=2, keepdims=True)
    if random.random() < 0.3:
        copied = int(random.integers(s))
        moves[copied, 1] = moves[copied, 0]
    if random.random() < 0.3:
        moves[int(random.integers(s))] = np.eye(s)[int(random.integers(s))]
    return ii.Environment(moves, discount, initial)


def ending(random, s, a):
    """Every action leads to later states, or stays with probability 1/2; episodes end in the last."""
    moves = np.zeros((s, a, s))
    moves[-1, :, -1] = 1
    for state in range(s - 1):
        for action in range(a):
            later = random.multinomial(random.choice([1, 4]), np.full(s - 1 - state, 1 / (s - 1 - state)))
            moves[state, action, state + 1 :] = later / later.sum()
            if random.random() < 0.3:
                moves[state, action] /= 2
                moves[state, action, state] = 0.5
    return moves


def observations(random, world, theta, assumed):
    """What an agent with this objective shows."""
    _, gaps = world.gaps([exact(x) for x in theta])
    best = np.array([[gap == 0 for gap in row] for row in gaps])
    visible = np.ones((world.shape[0], 1), dtype=bool)
    if random.random() < 0.5:
        hidden = random.choice(world.shape[0], size=int(random.integers(1, 3)), replace=False)
        visible[hidden if world.shape != (4, 3) else hidden[:1]] = False
    if assumed and random.random() < 0.8:
        chances = (1 - assumed["error"]) * best / best.sum(axis=1, keepdims=True) + assumed["error"] / best.shape[1]
        for _ in range(int(random.integers(1, 3))):
            yield ii.evidence.Counts(
                [random.multinomial(int(random.choice([0, 3, 30, 60, 60])), row) for row in chances]
            )
        return
    draw = random.random()
    if draw < 0.6:
        yield ii.evidence.Policy(best / best.sum(axis=1, keepdims=True) * visible)
    elif draw < 0.75:
        some = best & (random.random(best.shape) < 0.6)
        some[np.arange(len(best)), best.argmax(axis=1)] = True
        yield ii.evidence.Policy(some / np.maximum(some.sum(axis=1, keepdims=True), 1) * visible, shows="some")
    elif draw < 0.9 or assumed:
        yield ii.evidence.Counts(best * random.integers(1, 4, best.shape) * visible)
    else:
        yield walked(random, world, best)


def walked(random, world, best):
    state, states, actions = int(random.choice(world.shape[0], p=world.env.initial)), [], []
    moves = world.env.dense()
    for _ in range(6):
        action = int(random.choice(np.flatnonzero(best[state])))
        states.append(state)
        actions.append(action)
        state = int(random.choice(world.shape[0], p=moves[state, action]))
    return ii.evidence.Trajectories([[*states, state]], [actions])


def marks(pairs, family, assumed):
    """What is known of each environment, from the page on the format of certificates."""
    found, counted, order = {}, {}, []
    for env, observation in pairs:
        key = id(env)
        if key not in found:
            found[key] = Seen(World(env, family))
            order.append(key)
        seen, kind = found[key], type(observation).__name__
        if kind == "Policy":
            read_policy(seen, observation, assumed)
        elif not assumed:
            seen.shown |= {(int(s), int(a)) for s, a in zip(*np.nonzero(taken(observation, seen.world)), strict=True)}
        else:
            counted[key] = counted.get(key, 0) + taken(observation, seen.world)
            bets(seen, counted[key], order.index(key) + 1, assumed)
    for seen in found.values():
        seen.shown = with_twins(seen.world, seen.shown)
    return list(found.values())


def taken(observation, world):
    if type(observation).__name__ == "Counts":
        return observation.counts
    counts = np.zeros(world.shape, dtype=int)
    for states, actions in zip(observation.states, observation.actions, strict=True):
        np.add.at(counts, (states[:-1], actions), 1)
    return counts


def read_policy(seen, observation, assumed):
    rows = observation.probabilities
    limit = exact(assumed.get("error", 0)) / rows.shape[1] * Fraction(10**9 + 1, 10**9)
    shown = {(s, a) for s, a in np.ndindex(*rows.shape) if exact(rows[s, a]) > limit}
    seen.shown |= shown
    if observation.shows == "all":
        not_worse = shown if assumed else with_twins(seen.world, shown)
        seen.worse |= {(s, a) for s, a in np.ndindex(*rows.shape) if rows[s].any() and (s, a) not in not_worse}


def with_twins(world, shown):
    def same(s, a, b):
        return world.moves[s][a] == world.moves[s][b] and world.features[s][a] == world.features[s][b]

    return {
        (s, a)
        for s, a in np.ndindex(*world.shape)
        if any((s, b) in shown and same(s, a, b) for b in range(world.shape[1]))
        or all(same(s, 0, b) for b in range(world.shape[1]))
    }


def bets(seen, counts, place, assumed):
    """Actions that are stated to be optimal or worse, by betting against the contrary."""
    error, (s_count, a_count) = exact(assumed["error"]), seen.world.shape
    needed = place * (place + 1) * s_count * a_count / exact(assumed["level"])
    slip = error / a_count
    for s, a in np.ndindex(s_count, a_count):
        m, n = int(counts[s, a]), int(counts[s].sum())
        chances = [(1 - error) / k + slip for k in range(1, a_count + 1)]
        bet = sum((q / slip) ** m * ((1 - q) / (1 - slip)) ** (n - m) for q in chances) / a_count
        if bet >= needed:
            seen.shown.add((s, a))
        against = error**m * ((a_count - error) / (a_count - 1)) ** (n - m)
        if assumed["ties"] == "even" and against >= needed:
            seen.worse.add((s, a))


def atom(random, kind, world, seen, theta):
    s, a = world.shape
    policy = world.policies[int(random.integers(len(world.policies)))]
    match kind:
        case "linear":
            weights = (random.integers(-2, 3, len(theta)) * 1.0).tolist()
            parts = premise(seen, len(theta), Fraction(0), Fraction(1, 10**5), relaxed=False)
            tops = [float(sum(w * x for w, x in zip(weights, p, strict=True))) for part in parts for p in part.points]
            low, high = min(tops, default=0), max(tops, default=0)
            share = float(random.choice([0.5, 0.95, 1, 1.05, random.uniform(-0.1, 1.2)]))
            prop = "linear", weights, round(low + share * (high - low), 6)
        case "optimal_action":
            prop = "optimal_action", int(random.integers(s)), int(random.integers(a))
        case "avoids" | "reaches":
            targets = sorted({int(x) for x in random.integers(0, s, int(random.integers(1, 3)))})
            chance = float(world.chance(policy, targets)) + float(random.choice([-0.01, 0, 0.01]))
            if kind == "avoids":
                prop = "avoids", targets, float(np.clip(chance, 0, 0.999))
            else:
                prop = "reaches", targets, float(np.clip(chance, 0.001, 1))
        case "return":
            reward = (random.integers(-2, 3, (s, a)) * 1.0).tolist()
            value = round(float(world.returned(policy, reward)) + float(random.choice([-2, -0.5, -0.001, 0, 0.001])), 6)
            prop = "return", reward, value
        case "base":
            reward = (random.integers(-2, 3, (s, a)) * 1.0).tolist()
            prop = "base", reward, float(random.choice([1e-6, 0, 0.1, 0.5, 1, 2]))
        case "regret":
            rows = random.multinomial(4, np.full(a, 1 / a), s) / 4
            if random.random() < 0.6:
                rows = np.eye(a)[list(policy)]
            values, _ = world.gaps([exact(x) for x in theta])
            other = [sum(v * exact(x) for v, x in zip(row, theta, strict=True)) for row in world.mixed_values(rows)]
            lost = world.normaliser * sum(m * (v - w) for m, v, w in zip(world.initial, values, other, strict=True))
            factor = float(random.choice([0.5, 1, 1.5, 3]))
            prop = "regret", rows.tolist(), round(float(lost) * factor + float(random.choice([0, 0.001, 0.2, 0.8])), 6)
    return ("not", prop) if random.random() < 0.25 else prop


def composed(random, world, seen, theta):
    kinds = random.choice(KINDS[:-1], int(random.choice([2, 3])))
    parts = [atom(random, str(kind), world, seen, theta) for kind in kinds]
    if len(parts) == 3:
        parts = [parts[0], (str(random.choice(["and", "or"])), *parts[1:])]
    prop = str(random.choice(["and", "or"])), *parts
    return ("not", prop) if random.random() < 0.2 else prop


def as_property(prop):
    match prop:
        case ("not", part):
            return ~as_property(part)
        case ("and", *parts):
            return certificates.AllOf(tuple(map(as_property, parts)))
        case ("or", *parts):
            return certificates.AnyOf(tuple(map(as_property, parts)))
        case ("linear", weights, most):
            return certificates.Linear(np.array(weights), most)
        case ("optimal_action", state, action):
            return certificates.OptimalAction(state, action)
        case ("avoids", states, chance):
            return certificates.Avoids(tuple(states), chance)
        case ("reaches", states, chance):
            return certificates.Reaches(tuple(states), chance)
        case ("return", reward, value):
            return certificates.ReturnAtLeast(np.array(reward), value)
        case ("base", reward, value):
            return certificates.BaseOptimal(np.array(reward), value)
        case ("regret", policy, value):
            return certificates.RegretAtMost(np.array(policy), value)


@dataclass
class Answer:
    """What was certified, what is true, and what is wrong with it."""

    status: str
    truth: str
    faults: list
    seconds: float = 0.0


def compared(given, regions=40):
    """Certify a problem, and hold the answer to the truth."""
    start = time.perf_counter()
    try:
        ident = given.identified()
        cert = certificates.certify(
            ident, given.asked(), given.env, ties=given.ties, strictness=given.strictness, regions=regions
        )
    except ii.identified.ContradictoryEvidence:
        return Answer("contradiction", given.truth.verdict()[0], [])
    except ValueError as error:
        true = f"{given.truth.verdict()[0]}, {'with' if given.truth.member_exists() else 'without'} a member"
        return Answer(refusal(str(error)), true, [])
    seconds = time.perf_counter() - start
    faults = [] if cert.check() else [f"refused by the checker: {cert.verdict().reason}"]
    if not given.truth.nontrivial([exact(x) for x in cert.member]):
        faults.append("the member is none, or trivial")
    if cert.witness is not None:
        faults += wrong_witness(given.truth, [exact(x) for x in cert.witness], cert.policy)
    true, theta = given.truth.verdict()
    if theta is not None and not (given.truth.member(theta) and not given.truth.at(theta)[0]):
        faults.append("the truth contradicts itself")
    if (cert.status, true) in {("proved", "violated"), ("refuted", "holds"), ("proved", "empty"), ("refuted", "empty")}:
        faults.append(f"{cert.status}, but the truth is {true}: {theta}")
    return Answer(cert.status, true, faults, seconds)


def refusal(words):
    return "no member" if words.startswith("ties, strictness") else "too strict" if "strictness" in words else words


def wrong_witness(truth, theta, policy):
    faults = [] if truth.member(theta) else ["the witness is not a member"]
    holds, mask = truth.at(theta)
    if holds:
        faults.append("the witness does not violate the property")
    if policy is not None:
        visited = reached(truth.world, policy)
        if any(not mask >> (s * truth.world.shape[1] + int(policy[s])) & 1 for s in visited):
            faults.append("the policy of the witness is not optimal")
    return faults


def reached(world, policy):
    found = {s for s in world.numbers if world.initial[s]}
    while True:
        more = {j for s in found for j in world.numbers if world.moves[s][int(policy[s])][j]} - found
        if not more:
            return found
        found |= more


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, slowest, wrong = Counter(), (0.0, -1), 0
    for seed in range(given.seed, given.seed + given.problems):
        asked = problem(seed)
        try:
            answer = compared(asked)
        except Exception as error:
            answer = Answer(f"raised {type(error).__name__}", "", [repr(error)])
        table[asked.kind, answer.status, answer.truth] += 1
        slowest = max(slowest, (answer.seconds, seed))
        if answer.faults:
            wrong += 1
            print(seed, asked.kind, asked.prop, *answer.faults, sep="\n  ", flush=True)
        if (seed - given.seed + 1) % 250 == 0 or seed == given.seed + given.problems - 1:
            report(table)
            print(f"{sum(table.values())} problems, {wrong} wrong; slowest {slowest[0]:.2f} s (seed {slowest[1]})")
    return wrong > 0


def report(table):
    for kind in KINDS:
        rows = sorted((key[1:], n) for key, n in table.items() if key[0] == kind)
        print(kind, *(f"{status}/{true}: {n}" for (status, true), n in rows), sep="  ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
