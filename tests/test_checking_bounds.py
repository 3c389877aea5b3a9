"""What claims, plans and witnesses bound, against linear programs, planning and simulation by linear algebra."""

import json
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize
from test_checking_marks import plain, random_environment, triples

from irl_ident import agents, planning, rewards
from irl_ident.certificates.checking import behaviour
from irl_ident.certificates.checking.bounds import Claims, Split
from irl_ident.certificates.checking.decimals import scaled
from irl_ident.certificates.checking.evidence import marks
from irl_ident.certificates.checking.plans import check_plan
from irl_ident.certificates.checking.reading import Place, Rejected, parse
from irl_ident.certificates.checking.replanning import planned
from irl_ident.certificates.checking.statement import read_statement

TIES, STRICTNESS = 0.01, 0.02


class Problem:
    """Two random environments in which an agent was seen, a third for deployment, and their linear program."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.worlds = [random_environment(self.random) for _ in range(3)]
        self.family = rewards.LinearRewards(self.random.integers(-2, 3, (4, 3, 5)) / 2)
        self.theta = self.random.uniform(-1, 1, 5)
        policies = [agents.Optimal(self.family, self.theta).policy(world) for world in self.worlds]
        shows = ["all", "some"]
        self.policies = policies[:2]
        self.raw = {
            "assumed": {"rationality": "optimal"},
            "tolerances": {"ties": TIES, "strictness": STRICTNESS},
            "parameters": 5,
            "environments": [plain(world, self.family) for world in self.worlds],
            "evidence": [
                {"environment": e, "kind": "policy", "probabilities": policies[e].tolist(), "shows": shows[e]}
                for e in range(2)
            ],
            "deployment": 2,
            "property": {"kind": "optimal_action", "state": 0, "action": 0},
        }
        self.statement = read_statement(Place(parse(json.dumps(self.raw)), "statement"))
        self.marks = marks(self.statement)
        self.claims = Claims(self.statement, self.marks)
        self.matrix, self.limits, self.bounds = self.program()

    def program(self):
        """Slacks of both environments in terms of (theta, V_0, V_1), with their least and largest values."""
        rows, limits = [], []
        for e, world in enumerate(self.worlds[:2]):
            shaping = [np.zeros((12, 4)), np.zeros((12, 4))]
            shaping[e] = world.shaping.toarray()
            rows.append(np.hstack([-self.family.matrix(world).toarray(), *shaping]))
            shown, worse = (np.isin(np.arange(12), list(kept)) for kept in (self.marks[e].shown, self.marks[e].worse))
            limits.append(np.column_stack([np.where(worse, STRICTNESS, 0), np.where(shown, TIES, np.inf)]))
        high = [float(self.claims.highest[e]) for e in range(2)]
        return np.vstack(rows), np.vstack(limits), [(-1, 1)] * 5 + [(-h, h) for h in high for _ in range(4)]

    def largest(self, weights, splits=()):
        """The optimum of the program, and the multipliers that prove it, as a claim."""
        shown = np.isfinite(self.limits[:, 1])
        cuts = np.array([np.append(g, np.zeros(8)) for g, _ in splits]).reshape(-1, 13)
        inequalities = np.vstack([-self.matrix, self.matrix[shown], -cuts])
        sides = np.concatenate([-self.limits[:, 0], self.limits[shown, 1], [-k for _, k in splits]])
        found = optimize.linprog(np.append(-weights, np.zeros(8)), inequalities, sides, bounds=self.bounds)
        if found.status != 0:
            return None, None
        dual = -found.ineqlin.marginals
        y = dual[:24].copy()
        y[shown] -= dual[24 : 24 + shown.sum()]
        multipliers = [[row // 12, row % 12, float(value)] for row, value in enumerate(y) if value]
        cuts = [[place, float(value)] for place, value in enumerate(dual[24 + shown.sum() :])]
        return -found.fun, {"multipliers": multipliers, "splits": cuts}

    def bound(self, weights, claim, splits=()):
        region = tuple(Split(vector(g), Fraction(float(k))) for g, k in splits)
        return float(self.claims.bound(vector(weights), Place(parse(json.dumps(claim)), "claim"), region))

    def members(self, count=60):
        """Objectives that satisfy the premise, by planning."""
        near = self.theta + self.random.normal(size=(count, 5)) * self.random.choice([0.01, 0.1, 0.5], (count, 1))
        return [theta for theta in np.clip(near, -1, 1) if self.satisfied(theta)]

    def satisfied(self, theta):
        for e, world in enumerate(self.worlds[:2]):
            gaps = self.gaps(world, theta)
            if (gaps[list(self.marks[e].shown)] > TIES).any() or (gaps[list(self.marks[e].worse)] < STRICTNESS).any():
                return False
        return True

    def gaps(self, world, theta):
        plan = planning.optimal(world, self.family.reward(world, theta))
        return (plan.values[:, None] - plan.q).ravel()


def vector(numbers):
    return scaled([repr(float(number)) for number in numbers])


@pytest.mark.parametrize("seed", range(12))
def test_claims_are_the_duals_of_the_linear_program(seed):
    """The best claim proves the optimum, and no claim whatever proves less."""
    problem = Problem(seed)
    for _ in range(4):
        weights = problem.random.normal(size=5)
        cut = (problem.random.normal(size=5), float(problem.random.normal() / 4))
        for splits in ((), (cut,)):
            best, claim = problem.largest(weights, splits)
            if best is None:
                nothing, claim = problem.largest(np.zeros(5), ())
                assert nothing is None or splits
                continue
            assert best - 1e-7 <= problem.bound(weights, claim, splits) <= best + 1e-6
            for _ in range(5):
                y = problem.random.normal(size=24) * problem.random.choice([0.01, 1])
                y = np.where(np.isfinite(problem.limits[:, 1]), y, abs(y))
                listed = [[row // 12, row % 12, float(value)] for row, value in enumerate(y)]
                z = [[0, float(abs(problem.random.normal()))]] if splits else []
                assert problem.bound(weights, {"multipliers": listed, "splits": z}, splits) >= best - 1e-7


def by_the_formula(raw, kept, weights, claim, splits):
    """The bound of a claim as docs/certificate_format.md has it, in dense fractions."""
    residual, bound = [Fraction(float(w)) for w in weights], Fraction(0)
    for e in range(2):
        world, size = raw["environments"][e], (12, 4)
        moves, features = np.full(size, Fraction(0)), np.full((12, 5), Fraction(0))
        for row, state, p in world["transitions"]:
            moves[row, state] = Fraction(repr(p))
        for row, parameter, value in world["features"]:
            features[row, parameter] = Fraction(repr(value))
        sums = moves.sum(axis=1)
        discount = Fraction(repr(world["discount"]))
        shaping = np.repeat(np.eye(4, dtype=int), 3, axis=0) - discount * moves / sums[:, None]
        y = np.full(12, Fraction(0))
        for number, row, value in claim["multipliers"]:
            if number == e:
                y[row] = Fraction(repr(value)) * sums[row]
        residual = residual - features.T @ y
        highest = abs(features).sum(axis=1).max() / (1 - discount)
        bound += highest * abs(shaping.T @ y).sum()
        bound += Fraction(repr(TIES)) * sum(max(-y[row], 0) for row in kept[e].shown)
        bound -= Fraction(repr(STRICTNESS)) * sum(max(y[row], 0) for row in kept[e].worse)
    for place, z in claim["splits"]:
        normal, at = splits[place]
        residual = residual + Fraction(repr(z)) * np.array([Fraction(repr(float(g))) for g in normal])
        bound -= Fraction(repr(z)) * Fraction(repr(float(at)))
    return bound + sum(map(abs, residual))


@pytest.mark.parametrize("seed", range(10))
def test_bounds_are_exactly_those_of_the_formula(seed):
    """Also where rows sum to 1 only nearly."""
    problem = Problem(seed)
    random, raw = problem.random, json.loads(json.dumps(problem.raw))
    for world in raw["environments"]:
        errors = 1 + random.uniform(-5e-7, 5e-7, 12)
        world["transitions"] = [[row, state, p * float(errors[row])] for row, state, p in world["transitions"]]
    statement = read_statement(Place(parse(json.dumps(raw)), "statement"))
    kept = marks(statement)
    y = np.where(np.isfinite(problem.limits[:, 1]), random.normal(size=24), abs(random.normal(size=24)))
    shown = [row for e in range(2) for row in sorted(12 * e + row for row in kept[e].shown)]
    y[[row for row in range(24) if row not in shown]] = abs(y[[row for row in range(24) if row not in shown]])
    claim = {
        "multipliers": [[row // 12, row % 12, float(value)] for row, value in enumerate(y) if row % 3],
        "splits": [[1, float(abs(random.normal()))]],
    }
    splits = [(random.normal(size=5), 0.25), (random.normal(size=5), -0.5)]
    weights = random.integers(-8, 8, 5) / 8
    region = tuple(Split(vector(g), Fraction(repr(k))) for g, k in splits)
    found = Claims(statement, kept).bound(vector(weights), Place(parse(json.dumps(claim)), "claim"), region)
    assert found == by_the_formula(raw, kept, weights, claim, splits)


@pytest.mark.parametrize("seed", range(6))
def test_plans_hold_the_optimal_values_of_all_members(seed):
    problem = Problem(seed)
    env, world = problem.statement.deployment, problem.worlds[2]
    states = env.choice(lambda row: True, range(4))
    best = problem.random.integers(3, size=4)
    if seed % 2:
        best = planning.optimal(world, problem.family.reward(world, problem.theta)).q.argmax(axis=1)
    moves = world.continuation.toarray()[np.arange(4) * 3 + best]
    own = problem.family.matrix(world).toarray()[np.arange(4) * 3 + best]
    linear = np.linalg.solve(np.eye(4) - moves, own) + problem.random.normal(size=(4, 5)) * 0.01
    directions = problem.family.matrix(world).toarray() - np.repeat(linear, 3, axis=0) + world.continuation @ linear
    listed = [[row // 3, row % 3, problem.largest(directions[row])[1]] for row in range(12) if row % 5]
    plan = {
        "policy": best.tolist(),
        "map": {str(state): linear[state].tolist() for state in range(4)},
        "advantages": listed,
        "excess": dict.fromkeys("0123", 0.0),
    }

    def checked():
        return check_plan(Place(parse(json.dumps(plan)), "plan"), env, states, 5, problem.claims, ())

    with pytest.raises(Rejected, match=r"plan/excess/\d: is too small"):
        checked()
    upper = [float(problem.bound(directions[row], {})) for row in range(12)]
    for state, action, claim in listed:
        upper[state * 3 + action] = problem.bound(directions[state * 3 + action], claim)
    excess = np.zeros(4)
    for _ in range(500):
        excess = np.maximum(np.array(upper), 0).reshape(4, 3).max(axis=1) + world.backup(excess).max(axis=1)
    plan["excess"] = {str(state): float(value) + 1e-6 for state, value in enumerate(excess)}
    found = checked()
    members = problem.members()
    assert len(members) > 3
    for theta in members:
        values = planning.optimal(world, problem.family.reward(world, theta)).values
        assert (values >= linear @ theta - float(found.error) - 1e-9).all()
        assert (values <= linear @ theta + excess + 1e-5).all()
        least = np.array([float(found.least[row]) for row in range(12)])
        assert (problem.gaps(world, theta) >= least - 1e-9).all()


@pytest.mark.parametrize("seed", range(12))
def test_values_of_any_quality_hold_the_optimal_ones_and_the_gaps(seed):
    problem = Problem(seed)
    env, world = problem.statement.environments[0], problem.worlds[0]
    exact = planning.optimal(world, problem.family.reward(world, problem.theta)).values
    for noise in (0, 1e-6, 0.1):
        values = exact + noise * problem.random.normal(size=4)
        found = planned(env, vector(problem.theta), vector(values))
        assert (abs(values - exact) <= float(found.error) + 1e-9).all()
        gaps = problem.gaps(world, problem.theta)
        least, most = (np.array([float(of(row)) for row in range(12)]) for of in (found.least, found.most))
        assert (least <= gaps + 1e-9).all()
        assert (gaps <= most + 1e-9).all()
        assert float(found.width) < 1e-6 or noise


def chances(world, states, allowed, best):
    """The least or largest probability of ever visiting states."""
    values = np.zeros(4)
    for _ in range(600):
        backed = np.where(allowed, world.transitions @ values, np.inf if best is np.min else -np.inf)
        values = best(backed.reshape(4, 3), axis=1)
        values[list(states)] = 1
    return values


def passed(verify, *given):
    """The bound that is verified for numbers of states, or None."""
    arrays = [value for value in given if isinstance(value, np.ndarray)]
    listed = [{str(state): float(value) for state, value in enumerate(array)} for array in arrays]
    try:
        return float(verify(*(Place(parse(json.dumps(one)), "values") for one in listed), *given[len(arrays) :]))
    except Rejected:
        return None


def test_no_upper_chance_is_below_that_of_the_worst_behaviour():
    tight = 0
    for seed in range(20):
        problem = Problem(seed)
        random, env, world = problem.random, problem.statement.environments[0], problem.worlds[0]
        allowed = random.random(12) < 0.6
        allowed[np.arange(4) * 3 + random.integers(3, size=4)] = True
        choice = env.choice(lambda row, allowed=allowed: bool(allowed[row]))
        states = frozenset(random.choice(4, size=random.integers(1, 3), replace=False).tolist())
        most = chances(world, states, allowed, np.max)
        truth = float(world.initial @ most)
        assert passed(behaviour.upper_chance, np.ones(4), env, choice, states) == 1
        lowered = np.where(np.isin(range(4), list(states)), 1, most - 1e-3)
        for candidate in (np.round(most, 12), lowered, random.random(4), np.maximum(random.random(4), most)):
            found = passed(behaviour.upper_chance, candidate, env, choice, states)
            assert found is None or found >= truth - 1e-9
            tight += found is not None and found < truth + 1e-9
    assert tight > 5


def test_no_lower_chance_is_above_that_of_the_worst_behaviour():
    tight = 0
    for seed in range(20):
        problem = Problem(seed)
        random, env, world = problem.random, problem.statement.environments[0], problem.worlds[0]
        choice = env.choice(lambda row: True)
        states = frozenset({int(random.integers(4))})
        least = chances(world, states, np.ones(12, dtype=bool), np.min)
        truth = float(world.initial @ least)
        guess = np.where(np.isin(range(4), list(states)), 1, np.floor(least * 1e12) / 1e12)
        for chance in (guess, np.ones(4), random.random(4), np.zeros(4)):
            within = (chance > 0) & ~np.isin(range(4), list(states))
            steps = np.zeros(4)
            for _ in range(600):
                steps = np.where(within, 1 + 1e-9 + (world.transitions @ steps).reshape(4, 3).max(axis=1), 0)
            found = passed(behaviour.lower_chance, chance, steps, env, choice, states)
            assert found is None or found <= truth + 1e-9
            tight += found is not None and found > max(truth - 1e-9, 0.01)
    assert tight > 5


@pytest.mark.parametrize(("verify", "sign"), [(behaviour.lower_return, -1), (behaviour.upper_return, 1)])
def test_returns_are_those_of_the_extreme_behaviours(verify, sign):
    """Their values pass once they are rounded to the safe side, and fail on the other."""
    for seed in range(12):
        problem = Problem(seed)
        random, env, world = problem.random, problem.statement.environments[0], problem.worlds[0]
        allowed = random.random(12) < 0.6
        allowed[np.arange(4) * 3 + random.integers(3, size=4)] = True
        choice = env.choice(lambda row, allowed=allowed: bool(allowed[row]))
        reward, values = random.normal(size=12), np.zeros(4)
        for _ in range(400):
            backed = np.where(allowed, reward + world.continuation @ values, -sign * np.inf)
            values = (np.min if sign < 0 else np.max)(backed.reshape(4, 3), axis=1)
        truth = (1 - world.discount) * float(world.initial @ values)
        found = passed(verify, values + sign * 1e-6, env, choice, vector(reward))
        assert found == pytest.approx(truth, abs=1e-5)
        assert passed(verify, values - sign * 1e-6, env, choice, vector(reward)) is None


def test_the_matrices_of_the_checker_are_those_of_the_library():
    problem = Problem(3)
    for env, world in zip(problem.statement.environments, problem.worlds, strict=True):
        shaping = [
            [row, state, entry / (env.discount.denominator * env.sum_scale)]
            for row in range(12)
            for state, entry in env.scaled_shaping(row)
        ]
        assert {(r, s): pytest.approx(v) for r, s, v in shaping} == {(r, s): v for r, s, v in triples(world.shaping)}
