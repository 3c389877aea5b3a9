"""Files that were edited: one number at a time, with and without a new digest, and by whatever Hypothesis thinks of.

An edit that is sealed again may leave a true statement with a valid proof, which is rightly accepted.  An oracle in
floating point, which reads nothing but the statement, looks for an objective of the premise that has not the property.
"""

import copy
import gzip
import hashlib
import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_checking import (
    CLAIM,
    LIKED,
    PENALTY,
    PLAN,
    WITNESS,
    document,
    fork,
    leaf,
    random_environment,
    seal,
)

from irl_ident import Environment, agents, certificates, certify, identify, rewards
from irl_ident.certificates.checking import check

NEAR = 1e-9


def splits():
    either = [{"kind": "linear", "weights": [s, 0, 0], "at_most": 0} for s in (1, -1)]
    atoms = [{"plan": None, "atoms": {place: {"holds": {"splits": [[0, 1]]}}}} for place in "01"]
    tree = {"split": {"weights": [1, 0, 0], "at": 0}, "below": atoms[0], "above": atoms[1]}
    return document({"kind": "or", "of": either}, tree)


def emptied():
    empty = {"empty": {"multipliers": CLAIM["multipliers"], "splits": [[0, 1]]}}
    split = {"weights": [0, -1, 1], "at": -0.12}
    return document(LIKED, {"split": split, "below": leaf({"holds": CLAIM}, plan=None), "above": empty})


def lottery():
    """When deployed, action 1 reaches state 1 with probability 3/4 and action 0 with probability 1/4."""
    moves = [[row, s, p] for row, kind in ((0, 0.25), (1, 0.75)) for s, p in ((1, kind), (2, 1 - kind))]
    world = fork() | {"transitions": moves + fork()["transitions"][2:]}
    better = {"multipliers": [[e, r, y / 2] for e, r, y in CLAIM["multipliers"]]}
    plan = PLAN | {"map": PLAN["map"] | {"0": [1, 0.75, 0.25]}, "advantages": [[0, 0, better]]}
    chance = {"holds": {"chance": {"0": 0.75, "1": 1}, "steps": {"0": 1}}}
    found = document({"kind": "reaches", "states": [1], "probability": 0.75}, leaf(chance, plan=plan))
    found["statement"]["environments"][1] = world
    found["member"]["values"][1] = [0.75, 2, 0]
    return seal(found)


def noisy(discount=0.5):
    """An agent with errors, seen to take action 0 four times and then twenty times."""
    assumed = {"rationality": "noisy", "error": 0.25, "level": 0.25, "ties": "even"}
    seen = [{"environment": 0, "kind": "counts", "counts": [[n, 0], [0, 0], [0, 0]]} for n in (4, 20)]
    worlds = [fork(discount=discount), fork(True, discount)]
    found = document(LIKED, leaf({"holds": CLAIM}, plan=None), assumed=assumed, evidence=seen, environments=worlds)
    if discount == 1:
        found["member"]["values"] = [[1, 1, 0]] * 2
    return seal(found)


def regret():
    policy = [[1, 0], [1, 0], [0.5, 0.5]]
    prop = {"kind": "regret_at_most", "policy": policy, "value": 1}
    own = {"0": {"0": [1, 0, 1], "1": [0, 2, 0], "2": [0, 0, 2]}}
    return seal(document(prop, leaf({"holds": {}})) | {"policy_maps": own})


def refuted(prop, atom):
    return document(prop, status="refuted", witness=WITNESS | {"atoms": {"0": atom}}, member=False)


def documents():
    safe = {"kind": "avoids", "states": [2], "probability": 0}
    value = {"kind": "return_at_least", "reward": PENALTY, "value": 0.5}
    base = {"kind": "base_regret_at_most", "reward": [[0, 0], [-1, -1], [1, 1]], "value": 0.99}
    worst = {"values": {"0": -1, "1": -2}, "best": {"0": 1, "2": 2}, "policy": [0, 0, 0]}
    surely = {"chance": {"0": 1, "1": 1}, "steps": {"0": 1}}
    return {
        "linear": document(LIKED, leaf({"holds": CLAIM}, plan=None)),
        "splits": splits(),
        "emptied": emptied(),
        "optimal": document({"kind": "optimal_action", "state": 0, "action": 1}, leaf({"holds": {}})),
        "never": document(
            {"kind": "not", "of": {"kind": "optimal_action", "state": 0, "action": 0}}, leaf({"fails": {}})
        ),
        "safe": document(safe, leaf({"holds": {"chance": {}}})),
        "lottery": lottery(),
        "value": document(value, leaf({"holds": {"values": {"0": 1, "1": 2}}})),
        "base": document({"kind": "not", "of": base}, leaf({"fails": worst})),
        "regret": regret(),
        "noisy": noisy(),
        "ending": noisy(discount=1),
        "unknown": document(LIKED, status="unknown"),
        "witness": refuted({"kind": "linear", "weights": [0, 1, 0], "at_most": 0.5}, {"fails": {}}),
        "visits": refuted({"kind": "avoids", "states": [1], "probability": 0.5}, {"fails": surely}),
        "poor": refuted(value | {"value": 0.6}, {"fails": {"values": {"0": 1, "1": 2}}}),
    }


DOCUMENTS = documents()


def numbers(value, path=()):
    """The paths to all numbers."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, part in items for found in numbers(part, (*path, key))]
    return [path] if isinstance(value, int | float) and not isinstance(value, bool) else []


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(whole, path, value):
    found = copy.deepcopy(whole)
    at(found, path[:-1])[path[-1]] = value
    return found


def edits(whole, number, path):
    """The document with another number in this place; which is tried where is taken in turn."""
    here = at(whole, path)
    others = [-here, here * 1.1, here * 0.9, here * (1 + 1e-6), 0, here + 1, here - 1, here + 1e-9, here - 1e-6]
    siblings = at(whole, path[:-1])
    if (
        isinstance(siblings, list)
        and path[-1] + 1 < len(siblings)
        and not isinstance(siblings[path[-1] + 1], dict | list)
    ):
        others.append(siblings[path[-1] + 1])
    others = [other for other in dict.fromkeys(others) if other != here]
    turns = (0,) if "environments" in path else (0, 2, 5)
    others = dict.fromkeys(others[(number + turn) % len(others)] for turn in turns)
    return [changed(whole, path, int(other) if float(other).is_integer() else other) for other in others]


def edited(name):
    """All edits of one number of a document."""
    whole, turn = DOCUMENTS[name], list(DOCUMENTS).index(name)
    return [found for n, path in enumerate(numbers(whole)) for found in edits(whole, n + turn, path)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_originals_are_accepted(name):
    verdict = check(DOCUMENTS[name])
    assert verdict.accepted, verdict.reason
    assert not Oracle(DOCUMENTS[name]["statement"]).contradicts(DOCUMENTS[name])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_edit_of_a_number_passes(name):
    """As files are, with their digest."""
    found = [check(tampered) for tampered in edited(name)]
    assert len(found) > 100
    assert [verdict for verdict in found if verdict.accepted] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_edit_that_is_sealed_again_proves_what_is_false(name):
    passed = [tampered for tampered in edited(name) if check(seal(tampered)).accepted]
    assert passed, "no edit was harmless, so nothing was looked at"
    assert [tampered for tampered in passed if Oracle(tampered["statement"]).contradicts(tampered)] == []


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "unknown"])
def test_the_oracle_finds_edits_that_make_the_statement_false(name):
    """So that the test above tries something: these it would have to find, had they been accepted."""
    whole, turn, false = DOCUMENTS[name], list(DOCUMENTS).index(name), []
    for n, path in enumerate(numbers(whole["statement"])):
        tampered = edits(whole, n + turn, ("statement", *path))[0]
        if sound(tampered["statement"]) and Oracle(tampered["statement"]).contradicts(tampered):
            false.append(tampered)
    assert false
    assert [tampered for tampered in false if check(seal(tampered)).status != "rejected"] == []


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
                worse = np.repeat(policy.any(axis=1), 2) & ~(shown if errs else worlds[number].twins(shown))
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


def sound(statement):
    """Whether a statement is well formed, so that the oracle can read it."""
    whole = {"kind": "linear", "weights": [0, 0, 0], "at_most": 0}
    trial = document(whole, status="unknown")
    trial = seal(trial | {"statement": statement})
    reason = check(trial).reason
    return not reason.startswith("statement")


def found_certificates(seed):
    """What the library itself certifies of a random problem with three states and two actions."""
    random = np.random.default_rng(seed)
    worlds = [Environment(random_environment(random, 3, 2).dense(), 0.5) for _ in range(3)]
    family = rewards.StateRewards(3)
    agent = agents.Optimal(family, random.uniform(-1, 1, 3))
    ident = identify([(world, agent.policy(world)) for world in worlds[:2]], family)
    base = random.uniform(-1, 1, (3, 2))
    properties = [
        certificates.OptimalAction(int(random.integers(3)), 0),
        certificates.Reaches([int(random.integers(3))], 0.3) | certificates.ReturnAtLeast(base, 0.5),
        ~certificates.RegretAtMost(np.full((3, 2), 0.5), 0.01),
    ]
    for prop in properties:
        yield json.loads(json.dumps(certify(ident, prop, worlds[2], regions=20).document))


@pytest.mark.parametrize("seed", [1, 4])
def test_certificates_that_were_found_cannot_be_tampered_with_either(seed):
    for whole in found_certificates(seed):
        assert check(whole).accepted
        assert not Oracle(whole["statement"]).contradicts(whole)
        for n, path in list(enumerate(numbers(whole)))[seed::5]:
            for tampered in edits(whole, n, path):
                assert not check(tampered).accepted
                if check(seal(tampered)).accepted:
                    assert not Oracle(tampered["statement"]).contradicts(tampered), path


class Number(float):
    """A number with its own characters."""

    def __new__(cls, text):
        found = super().__new__(cls, text)
        found.text = text
        return found


def written(value):
    """JSON, with numbers as they stand."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return value.text if isinstance(value, Number) else json.dumps(value)


def sealed(whole):
    """The digest as docs/certificate_format.md has it, computed here; the document as text."""

    def literal(value):
        if isinstance(value, dict):
            return {key: literal(part) for key, part in value.items()}
        if isinstance(value, list):
            return [literal(part) for part in value]
        return written(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    rest = {key: literal(part) for key, part in whole.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return written(whole | {"digest": hashlib.sha256(text.encode()).hexdigest()})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_digest_is_that_of_the_format(name, tmp_path):
    assert json.loads(sealed(DOCUMENTS[name])) == DOCUMENTS[name]
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(DOCUMENTS[name], indent=1, sort_keys=True))
    assert check(file) == check(str(file)) == check(DOCUMENTS[name])
    file.write_text(file.read_text().replace('"version": 1', '"version": 1.0'))
    assert check(file).reason == "digest: does not match, the file was altered"


TIGHT = {
    "linear": ("atoms", "0", "holds"),
    "lottery": ("atoms", "0", "holds", "chance"),
    "value": ("atoms", "0", "holds", "values"),
}


@pytest.mark.parametrize("name", TIGHT)
@pytest.mark.parametrize("sign", [1, -1])
def test_proofs_without_slack_do_not_survive_the_smallest_edit(name, sign, tmp_path):
    """Every number of these proofs is needed as it is: one part in 10^20 is too much."""
    file = tmp_path / "certificate.json"
    for path in numbers(at(DOCUMENTS[name]["tree"], TIGHT[name])):
        whole_path = ("tree", *TIGHT[name], *path)
        if "multipliers" in path and path[-1] < 2:
            continue
        number = Decimal(str(at(DOCUMENTS[name], whole_path))) + sign * Decimal("1e-20")
        file.write_text(sealed(changed(DOCUMENTS[name], whole_path, Number(f"{number:.24f}"))))
        verdict = check(file)
        assert verdict.status == "rejected", path
        assert verdict.reason.startswith("tree/atoms/0/holds"), verdict.reason
    file.write_text(sealed(changed(DOCUMENTS[name], whole_path, Number(f"{at(DOCUMENTS[name], whole_path):.24f}"))))
    assert check(file).accepted


def edited_at(path, value):
    return seal(changed(DOCUMENTS["linear"], path, value))


ENV = ("statement", "environments", 0)
ROW = ("tree", "atoms", "0", "holds", "multipliers", 0)


@pytest.mark.parametrize(
    ("tampered", "reason"),
    [
        (edited_at(("format",), "certificate"), "format: should be 'irl_ident certificate'"),
        (edited_at(("version",), 2), "version: should be 1"),
        (edited_at(("status",), "refuted"), "status: needs a witness"),
        (edited_at(("status",), "true"), "status: should be 'proved' or 'refuted' or 'unknown'"),
        (edited_at(("status",), ["proved"]), "status: should be"),
        (edited_at(("note",), "hello"), "certificate: has the unknown key 'note'"),
        (edited_at((*ENV, "reward"), 1), "statement/environments/0: has the unknown key 'reward'"),
        (edited_at((*ENV, "states"), True), "statement/environments/0/states: should be a number"),
        (edited_at((*ENV, "states"), 10**12), "statement/environments/0/transitions: has 6 entries"),
        (edited_at((*ENV, "states"), -3), "statement/environments/0/states: should be a whole number"),
        (edited_at((*ENV, "actions"), 0), "statement/environments/0/transitions: has 6 entries"),
        (edited_at((*ENV, "discount"), 1.5), "statement/environments/0/discount: should be in [0, 1]"),
        (edited_at((*ENV, "discount"), "0.5"), "statement/environments/0/discount: should be a number"),
        (edited_at((*ENV, "initial"), [0.5, 0.25, 0.2]), "statement/environments/0/initial: should sum to 1"),
        (edited_at((*ENV, "initial"), [1.5, -0.5, 0]), "statement/environments/0/initial: has a negative"),
        (edited_at((*ENV, "initial"), [1, 0]), "statement/environments/0/initial: should have 3 elements, has 2"),
        (edited_at((*ENV, "transitions", 1), [0, 1, 1]), "statement/environments/0/transitions/1: is given twice"),
        (edited_at((*ENV, "transitions", 1), [1, 3, 1]), "statement/environments/0/transitions/1/1: should be"),
        (edited_at((*ENV, "transitions", 1), [1, 1.5, 1]), "statement/environments/0/transitions/1/1: should be"),
        (edited_at((*ENV, "features", 0), [0, 0, None]), "statement/environments/0/features: should hold numbers"),
        (edited_at(("statement", "parameters"), 10**18), "statement/property/weights: should have 10"),
        (edited_at(("statement", "parameters"), 0), "statement/parameters: should be at least 1"),
        (edited_at(("statement", "deployment"), 2), "statement/deployment: should be a whole number"),
        (edited_at(("statement", "tolerances", "ties"), -1e-9), "statement/tolerances/ties: should be at least 0"),
        (edited_at(("statement", "assumed"), {"rationality": "soft"}), "statement/assumed/rationality: should be"),
        (edited_at(("statement", "assumed", "level"), 0.5), "statement/assumed: has the unknown key 'level'"),
        (edited_at(("statement", "evidence", 0, "kind"), "seen"), "statement/evidence/0/kind: should be"),
        (edited_at(("statement", "evidence", 0, "probabilities", 0), [0.5, 0.4]), "statement/evidence/0/probabilities"),
        (edited_at(("statement", "property", "kind"), "all"), "statement/property/kind: should be"),
        (edited_at(("statement", "property"), {"kind": "and", "of": []}), "statement/property/of: should not be empty"),
        (edited_at(("member", "nontrivial"), [0, 0, 0]), "member/nontrivial: this action may be as good as the best"),
        (edited_at(("member", "theta"), [0, 1.0000001, 0]), "member/theta: should have entries in [-1, 1]"),
        (edited_at(("member", "values", 0), [1, 2.1, 0]), "member/values/0: the shown action"),
        (edited_at(ROW, [1, 0, 1]), "tree/atoms/0/holds/multipliers/0: should be of an environment that was observed"),
        (
            edited_at(ROW, [0, 1, 1]),
            "tree/atoms/0/holds/multipliers/1: should be of a row of environment 0 that has no",
        ),
        (edited_at(ROW, [0, 6, 1]), "tree/atoms/0/holds/multipliers/0: should be of a row"),
        (edited_at(ROW, [0, 1]), "tree/atoms/0/holds/multipliers/0: should be [environment, row, multiplier]"),
        (edited_at(("tree", "atoms"), {"00": {"holds": CLAIM}}), "tree/atoms: has the key '00'"),
        (edited_at(("tree", "atoms"), {"1": {"holds": CLAIM}}), "tree/atoms: has the key '1'"),
        (edited_at(("tree", "atoms", "0", "fails"), CLAIM), "tree/atoms/0: should have one of the keys"),
        (edited_at(("tree", "atoms", "0", "holds", "splits"), [[0, 1]]), "tree/atoms/0/holds/splits/0/0: should be"),
        (edited_at(("tree",), {"open": 1}), "tree: should be true"),
        (edited_at(("tree",), []), "tree: should be an object"),
        (edited_at(("witness",), WITNESS | {"atoms": {}}), "witness: should be left out of what is proved"),
    ],
)
def test_malformed_files_are_rejected_with_the_place_at_fault(tampered, reason):
    verdict = check(tampered)
    assert not verdict.accepted
    assert verdict.status == "rejected"
    assert verdict.reason.startswith(reason), verdict.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "file: is no JSON"),
        ("[]", "file: is no JSON object"),
        ('{"version": NaN}', "file: holds NaN"),
        ('{"version": -Infinity}', "file: holds -Infinity"),
        ('{"version": 1, "version": 1}', "file: has a key twice"),
        ("[" * 10**5, "file: is nested too deeply"),
        ('{"a":' * 10**5 + "1" + "}" * 10**5, "file: is nested too deeply"),
        ('{"version": 1', "file: is no JSON"),
        ("\ufeff{}", "file: is no JSON"),
    ],
)
def test_what_is_no_json_is_unreadable(text, reason, tmp_path):
    file = tmp_path / "certificate.json"
    file.write_text(text)
    assert check(file).status == "unreadable"
    assert check(file).reason.startswith(reason)


def test_files_may_be_compressed(tmp_path):
    file = tmp_path / "certificate.json.gz"
    whole = gzip.compress(json.dumps(DOCUMENTS["linear"]).encode())
    file.write_bytes(whole)
    assert check(file).accepted
    for damaged in (whole[:-20], whole[:30] + b"damage" + whole[36:]):
        file.write_bytes(damaged)
        assert check(file).status == "unreadable"


def test_files_that_are_no_text_or_not_there_are_unreadable(tmp_path):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert {check(tmp_path / name).status for name in ("binary", "nothing", ".")} == {"unreadable"}
    assert check({"a": {1, 2}}).status == check({"a": math.nan}).status == "unreadable"


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "1e401", "9" * 5000, "0." + "3" * 500, "1E+1000"])
@pytest.mark.parametrize(
    "path", [("version",), (*ENV, "states"), (*ENV, "discount"), ("member", "theta", 1), (*ROW, 2)]
)
def test_numbers_of_absurd_size_are_rejected_at_once(number, path, tmp_path):
    whole = changed(DOCUMENTS["linear"], path, Number("1"))
    at(whole, path[:-1])[path[-1]].text = number
    file = tmp_path / "certificate.json"
    file.write_text(sealed(whole))
    assert check(file).status == "rejected"
    assert len(check(file).reason) < 300


def test_properties_and_trees_that_are_nested_too_deeply_are_rejected():
    prop, tree = LIKED, leaf({"holds": CLAIM}, plan=None)
    for _ in range(100):
        prop = {"kind": "and", "of": [prop]}
    assert "is nested too deeply" in check(document(prop, tree)).reason
    whole, held = document(LIKED, tree), tree
    for _ in range(300):
        whole["tree"] = {
            "split": {"weights": [1, 0, 0], "at": 0},
            "below": held,
            "above": whole["tree"],
        }
    assert check(seal(whole)).leaves == 301


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=5), parts, max_size=4),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=100)
def test_garbage_is_rejected(value):
    whole = value if isinstance(value, dict) else {"statement": value}
    assert check(whole).status in ("rejected", "unreadable")


def places(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in items for found in places(part, (*path, key)))]


@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
@settings(max_examples=300)
def test_structural_edits_never_break_the_checker(name, data):
    """Parts are replaced by garbage or by other parts, left out or doubled; what passes must still be no falsehood."""
    whole = copy.deepcopy(DOCUMENTS[name])
    path = data.draw(st.sampled_from([path for path in places(whole) if path and path != ("digest",)]))
    parent, key = at(whole, path[:-1]), path[-1]
    how = data.draw(st.sampled_from(["garbage", "part", "left out", "doubled"]))
    if how == "garbage":
        parent[key] = data.draw(JSON)
    elif how == "part":
        parent[key] = copy.deepcopy(at(whole, data.draw(st.sampled_from(places(whole)))))
    elif how == "left out":
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        parent[data.draw(st.text(max_size=5))] = copy.deepcopy(parent[key])
    verdict = check(seal(whole))
    assert verdict.accepted or verdict.status in ("rejected", "unreadable")
    if verdict.accepted:
        assert not Oracle(whole["statement"]).contradicts(whole)
