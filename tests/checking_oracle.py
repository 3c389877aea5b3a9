"""What is true of a small statement, in floating point and without the proof: a second opinion on certificates.

Nothing but the statement is read, and nothing of the library or of the checker is used.
"""

import math

import numpy as np

NEAR = 1e-9
"""Less is no certain difference."""


class Oracle:
    """What is true of a statement with three states and three parameters, up to ``NEAR``, over a net of objectives."""

    def __init__(self, statement):
        self.statement = statement
        self.worlds = [World(world) for world in statement["environments"]]
        self.ties, self.strictness = (statement["tolerances"][key] for key in ("ties", "strictness"))
        self.marks = float_marks(statement, self.worlds)
        random = np.random.default_rng(0)
        net = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
        self.known, self.planned = {}, {}
        self.net = np.vstack([net, random.uniform(-1, 1, (30, 3))])

    def contradicts(self, whole):
        """Whether the document says what is certainly false."""
        if whole["status"] == "unknown":
            return False
        if whole["status"] == "refuted":
            theta = np.array(whole["witness"]["theta"], dtype=float)
            return np.abs(theta).max() > 1 or not self.possible(theta[None])[0] or self.property(theta) is True
        return any(self.property(theta) is False for theta in self.net[self.certain(self.net)])

    def deployed(self, theta):
        """Gaps and values in the deployment environment; of the whole net at once."""
        if theta.tobytes() not in self.planned:
            world = self.worlds[self.statement["deployment"]]
            many = np.vstack([theta, self.net])
            found = zip(many, world.gaps(many), world.optimal(many), strict=True)
            self.planned = {one.tobytes(): (gaps, values) for one, gaps, values in found}
        return self.planned[theta.tobytes()]

    def certain(self, theta):
        """Whether the premise certainly holds, for each of (N, 3)."""
        most, least = max(self.ties - NEAR, 1e-13), self.strictness + NEAR if self.strictness else 0
        return self.within(theta, most, least)

    def possible(self, theta):
        """Whether the premise may hold, for each of (N, 3)."""
        return self.within(theta, self.ties + NEAR, self.strictness - NEAR)

    def within(self, theta, most, least):
        found = np.ones(len(theta), dtype=bool)
        for number, (shown, worse) in self.marks.items():
            gaps = self.worlds[number].gaps(theta)
            found &= (gaps[:, shown] <= most).all(axis=1) & (gaps[:, worse] >= least).all(axis=1)
        return found

    def property(self, theta, given=None):
        """True or False where that is certain, None otherwise."""
        prop = given or self.statement["property"]
        kind = prop["kind"]
        if kind in ("and", "or"):
            parts = [self.property(theta, part) for part in prop["of"]]
            decided = kind == "or"
            return decided if decided in parts else None if None in parts else not decided
        if kind == "not":
            part = self.property(theta, prop["of"])
            return None if part is None else not part
        if kind == "linear":
            return sure(prop["at_most"] - np.dot(prop["weights"], theta))
        world = self.worlds[self.statement["deployment"]]
        gaps, values = self.deployed(theta)
        if kind == "optimal_action":
            return sure(self.ties - gaps[prop["state"] * 2 + prop["action"]])
        if kind == "regret_at_most":
            policy = np.array(prop["policy"], dtype=float)
            policy /= policy.sum(axis=1, keepdims=True)
            lost = world.returns(values) - world.returns(world.evaluate(theta, policy))
            return sure(prop["value"] - lost)
        least, most = (self.extremes(world, prop, gaps <= self.ties + tolerance) for tolerance in (1e-13, NEAR))
        if least == most or max(abs(a - b) for a, b in zip(least, most, strict=True)) < NEAR:
            low, high = least
            if kind == "avoids":
                return sure(prop["probability"] - high)
            if kind == "reaches":
                return sure(low - prop["probability"])
            if kind == "return_at_least":
                return sure(low - prop["value"])
            best = self.extremes(world, prop, np.ones(6, dtype=bool))[1]
            return sure(prop["value"] - (best - low))
        return None

    def extremes(self, world, prop, allowed):
        """The least and the largest chance, or return, of choices among ``allowed``."""
        key = id(prop), allowed.tobytes()
        if key not in self.known:
            self.known[key] = self.iterated(world, prop, allowed)
        return self.known[key]

    def iterated(self, world, prop, allowed):
        ends, chance = [], "states" in prop
        for best in (np.min, np.max):
            values = np.zeros(3)
            for _ in range(50):
                backed = world.moves @ values if chance else np.ravel(prop["reward"]) + world.onward @ values
                choice = np.where(allowed, backed, np.inf if best is np.min else -np.inf).reshape(3, 2)
                values = best(choice, axis=1)
                if chance:
                    values[prop["states"]] = 1
            ends.append(world.start @ values if chance else world.returns(values))
        return ends


class World:
    """An environment in floating point."""

    def __init__(self, given):
        self.discount = given["discount"]
        self.moves, self.features = np.zeros((6, 3)), np.zeros((6, 3))
        for row, state, p in given["transitions"]:
            self.moves[row, state] = p
        for row, parameter, value in given["features"]:
            self.features[row, parameter] = value
        self.moves /= self.moves.sum(axis=1, keepdims=True)
        self.start = np.array(given["initial"]) / np.sum(given["initial"])
        self.onward = self.discount * self.moves
        if self.discount == 1:
            for state in range(3):
                if (self.moves[2 * state : 2 * state + 2, state] == 1).all():
                    self.onward[2 * state : 2 * state + 2] = 0

    def optimal(self, theta):
        """Optimal values, (N, 3)."""
        values = np.zeros((len(theta), 3))
        for _ in range(50):
            values = (theta @ self.features.T + values @ self.onward.T).reshape(-1, 3, 2).max(axis=2)
        return values

    def evaluate(self, theta, policy):
        """Values of a policy, (3,)."""
        weights = np.repeat(np.eye(3), 2, axis=1) * policy.ravel()
        return np.linalg.solve(np.eye(3) - weights @ self.onward, weights @ self.features @ theta)

    def gaps(self, theta):
        """Of all actions, (N, 6)."""
        values = self.optimal(theta)
        return np.repeat(values, 2, axis=1) - theta @ self.features.T - values @ self.onward.T

    def returns(self, values):
        return (1 if self.discount == 1 else 1 - self.discount) * float(self.start @ values)

    def twins(self, shown):
        found = shown.copy()
        for state in range(3):
            one, two = 2 * state, 2 * state + 1
            if (self.moves[one] == self.moves[two]).all() and (self.features[one] == self.features[two]).all():
                found[[one, two]] = True
        return found


def float_marks(statement, worlds):
    """Shown and worse actions of every observed environment, from logarithms."""
    assumed, found, order, counts = statement["assumed"], {}, [], {}
    errs = assumed["rationality"] == "noisy"
    for seen in statement["evidence"]:
        number = seen["environment"]
        if number not in order:
            order.append(number)
        shown, worse = np.zeros(6, dtype=bool), np.zeros(6, dtype=bool)
        if seen["kind"] == "policy":
            policy = np.array(seen["probabilities"], dtype=float)
            shown = policy.ravel() > (assumed["error"] / 2 * (1 + 1e-9) if errs else 0)
            if seen["shows"] == "all":
                worse = np.repeat(policy.any(axis=1), 2) & ~worlds[number].twins(shown)
        elif errs:
            counts[number] = counts.get(number, 0) + np.array(seen["counts"], dtype=float)
            place = order.index(number) + 1
            shown, worse = betted(counts[number], assumed, math.log(place * (place + 1) * 6 / assumed["level"]))
        else:
            shown = np.array(seen["counts"]).ravel() > 0
        old = found.get(number, (np.zeros(6, dtype=bool), np.zeros(6, dtype=bool)))
        found[number] = worlds[number].twins(old[0] | shown), old[1] | worse
    return found


def betted(counts, assumed, threshold):
    error, slip = assumed["error"], assumed["error"] / 2
    taken = counts.ravel()
    others = np.repeat(counts.sum(axis=1), 2) - taken
    if error == 0:
        return taken > 0, (taken == 0) & (others * math.log(2) >= threshold) & (assumed["ties"] == "even")
    logs = [taken * math.log(q / slip) + others * math.log((1 - q) / (1 - slip)) for q in (1 - slip, 0.5)]
    worse = taken * math.log(error) + others * math.log(2 - error)
    return np.logaddexp(*logs) - math.log(2) >= threshold, (worse >= threshold) & (assumed["ties"] == "even")


def sure(margin):
    return None if abs(margin) < NEAR else bool(margin > 0)
