"""Certificates that were edited, one number at a time, with and without a new digest.

An edit that is sealed again may leave a true statement with a valid proof, which is rightly accepted.  An oracle in
floating point, which reads nothing but the statement, looks for an objective of the premise that has not the property.
"""

import copy
import hashlib
import json
from decimal import Decimal

import numpy as np
import pytest
from checking_oracle import Oracle
from test_checking import (
    CLAIM,
    LIKED,
    PENALTY,
    PLAN,
    WITNESS,
    document,
    fork,
    leaf,
    seal,
)
from test_checking_marks import random_environment

from irl_ident import Environment, agents, certificates, certify, identify, rewards
from irl_ident.certificates.checking import check


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


def sound(statement):
    """Whether a statement is well formed, so that the oracle can read it."""
    whole = {"kind": "linear", "weights": [0, 0, 0], "at_most": 0}
    trial = document(whole, status="unknown")
    trial = seal(trial | {"statement": statement})
    reason = check(trial).reason
    return not reason.startswith("statement")


def test_the_proof_of_one_statement_proves_no_other_that_is_false():
    accepted = 0
    for name, whole in DOCUMENTS.items():
        for other in DOCUMENTS.values():
            for negated in (False, True):
                prop = other["statement"]["property"]
                said = whole["statement"] | {"property": {"kind": "not", "of": prop} if negated else prop}
                mixed = whole | {"statement": said, "policy_maps": DOCUMENTS["regret"]["policy_maps"]}
                verdict = check(seal(mixed if "regret" in str(said) else whole | {"statement": said}))
                accepted += verdict.accepted
                assert not (verdict.accepted and Oracle(said).contradicts(whole | {"statement": said})), name
    assert accepted >= len(DOCUMENTS)


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
        for n, path in list(enumerate(numbers(whole)))[seed::9]:
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
