"""The checker of certificates, on problems whose answers are worked out by hand.

The fork: from state 0, action 0 leads to state 1 and action 1 to state 2, where episodes stay; state rewards, discount
1/2.  Its agent is seen to take action 0 and never action 1, whose gap is theta_1 - theta_2.  It is deployed where the
actions have changed places.
"""

import ast
import copy
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from irl_ident import Environment, evidence, identify, rewards
from irl_ident.certificates.checking import check, evidence as marking, seal
from irl_ident.certificates.checking.evalues import reaches
from irl_ident.certificates.checking.reading import Place, digest, parse
from irl_ident.certificates.checking.statement import read_statement
from irl_ident.identified.observed import systems

ROOT = Path(__file__).resolve().parents[1]
STRICT = 0.125

PLAN = {
    "policy": [1, 0, 0],
    "map": {"0": [1, 1, 0], "1": [0, 2, 0], "2": [0, 0, 2]},
    "advantages": [[0, 0, {"multipliers": [[0, 0, -1], [0, 1, 1], [0, 2, -1], [0, 4, 1]]}]],
    "excess": {"0": 0, "1": 0, "2": 0},
}
"""theta_2 - theta_1, the advantage of action 0, is bounded by the slacks of rows 0, 1, 2 and 4 of the fork."""

EVENLY = [[1, 0], [0.5, 0.5], [0.5, 0.5]]
PENALTY = [[0, 0], [1, 1], [-1, -1]]


def fork(swapped=False, discount=0.5):
    first, second = (2, 1) if swapped else (1, 2)
    moves = [[0, first, 1], [1, second, 1], [2, 1, 1], [3, 1, 1], [4, 2, 1], [5, 2, 1]]
    world = {
        "states": 3,
        "actions": 2,
        "discount": discount,
        "initial": [1, 0, 0],
        "transitions": moves,
        "features": [[row, row // 2, 1] for row in range(6)],
    }
    return world | ({"steps": [2, 1, 1]} if discount == 1 else {})


def document(prop, tree=None, status="proved", witness=None, member=True, **statement):
    found = {
        "format": "irl_ident certificate",
        "version": 1,
        "statement": {
            "assumed": {"rationality": "optimal"},
            "tolerances": {"ties": 0, "strictness": STRICT},
            "parameters": 3,
            "environments": [fork(), fork(swapped=True)],
            "evidence": [{"environment": 0, "kind": "policy", "probabilities": EVENLY, "shows": "all"}],
            "deployment": 1,
            "property": prop,
        }
        | statement,
        "status": status,
        "member": {"theta": [0, 1, 0], "values": [[1, 2, 0], [1, 2, 0]], "nontrivial": [0, 0, 1]} if member else None,
        "tree": tree,
        "witness": witness,
    }
    return seal(found)


def leaf(*atoms, plan=PLAN):
    return {"plan": plan, "atoms": {str(number): atom for number, atom in enumerate(atoms)}}


def accepted(given):
    verdict = check(given)
    assert verdict.accepted, verdict.reason
    assert verdict.status == given["status"]
    return verdict


def rejected(given, *words):
    verdict = check(given)
    assert not verdict.accepted
    assert verdict.status == "rejected"
    for word in words:
        assert word in verdict.reason
    return verdict


LIKED = {"kind": "linear", "weights": [0, -1, 1], "at_most": -STRICT}
CLAIM = PLAN["advantages"][0][2]


def test_a_bound_by_hand():
    verdict = accepted(document(LIKED, leaf({"holds": CLAIM}, plan=None)))
    assert (verdict.leaves, verdict.claims, verdict.level) == (1, 1, None)
    # y . slack gains the strictness on the one action that is worse, and nothing else is left over
    rejected(document(LIKED | {"at_most": -0.1250001}, leaf({"holds": CLAIM}, plan=None)), "tree/atoms/0/holds")


def test_tolerance_of_ties_weakens_a_bound_by_the_multipliers_of_shown_actions():
    tolerances = {"ties": 0.03125, "strictness": STRICT}
    tree = leaf({"holds": CLAIM}, plan=None)
    accepted(document(LIKED | {"at_most": -0.0625}, tree, tolerances=tolerances))
    rejected(document(LIKED | {"at_most": -0.0626}, tree, tolerances=tolerances), "bound -1/16 is above")


def test_values_that_are_not_cancelled_cost_their_largest_size():
    # without the multipliers of states 1 and 2: |w - Phi^T y|_1 = 2, and H = 2 times |B^T y|_1 = 1/2 + 1/2
    claim = {"multipliers": [[0, 0, -1], [0, 1, 1]]}
    accepted(document(LIKED | {"at_most": 4 - STRICT}, leaf({"holds": claim}, plan=None)))
    rejected(document(LIKED | {"at_most": 3.87}, leaf({"holds": claim}, plan=None)), "bound 31/8")


def test_multipliers_have_to_be_at_least_0_where_the_gap_may_be_large():
    claim = {"multipliers": [[0, 1, -1]]}
    rejected(document(LIKED | {"at_most": 100}, leaf({"holds": claim}, plan=None)), "row 1 of environment 0")


@pytest.mark.parametrize(
    ("prop", "atom"),
    [
        ({"kind": "optimal_action", "state": 0, "action": 1}, {"holds": {}}),
        ({"kind": "optimal_action", "state": 0, "action": 0}, {"fails": {}}),
        ({"kind": "avoids", "states": [2], "probability": 0}, {"holds": {"chance": {}}}),
        (
            {"kind": "avoids", "states": [1], "probability": 0.99},
            {"fails": {"chance": {"0": 1, "1": 1}, "steps": {"0": 1}}},
        ),
        (
            {"kind": "reaches", "states": [1], "probability": 1},
            {"holds": {"chance": {"0": 1, "1": 1}, "steps": {"0": 1}}},
        ),
        ({"kind": "reaches", "states": [2], "probability": 0.01}, {"fails": {"chance": {}}}),
        (
            # 1/2 for ever from the second step on: (1 - 1/2) * 1/2 * 2
            {"kind": "return_at_least", "reward": PENALTY, "value": 0.5},
            {"holds": {"values": {"0": 1, "1": 2}}},
        ),
        (
            {"kind": "return_at_least", "reward": PENALTY, "value": 0.501},
            {"fails": {"values": {"0": 1, "1": 2}}},
        ),
        (
            {"kind": "base_regret_at_most", "reward": PENALTY, "value": 0},
            {"holds": {"values": {"0": 1, "1": 2}, "best": {"0": 1, "1": 2, "2": -2}}},
        ),
        (
            {"kind": "base_regret_at_most", "reward": [[0, 0], [-1, -1], [1, 1]], "value": 0.99},
            {
                "fails": {
                    "values": {"0": -1, "1": -2},
                    "best": {"0": 1, "2": 2},
                    "policy": [0, 0, 0],
                }
            },
        ),
    ],
)
def test_every_kind_of_property(prop, atom):
    holds = "holds" in atom
    accepted(document(prop if holds else {"kind": "not", "of": prop}, leaf(atom)))
    rejected(document({"kind": "not", "of": prop} if holds else prop, leaf(atom)), "do not decide")
    swapped = {"fails" if holds else "holds": next(iter(atom.values()))}
    rejected(document({"kind": "not", "of": prop} if holds else prop, leaf(swapped)), "tree/atoms/0/")


@pytest.mark.parametrize(("key", "value", "worse"), [("avoids", 0.25, 0.2499), ("reaches", 0.25, 0.2501)])
def test_chances_of_a_lottery(key, value, worse):
    """From state 0 all actions reach state 1 with probability 1/4."""
    lottery = fork() | {"transitions": [[row, s, p] for row in (0, 1) for s, p in ((1, 0.25), (2, 0.75))]}
    lottery["transitions"] += fork()["transitions"][2:]
    chance = {"chance": {"0": 0.25, "1": 1}} | ({"steps": {"0": 1}} if key == "reaches" else {})
    plan = PLAN | {"advantages": [], "map": PLAN["map"] | {"0": [1, 0.25, 0.75]}}
    member = {"theta": [0, 1, 0], "values": [[1, 2, 0], [0.25, 2, 0]], "nontrivial": [0, 0, 1]}
    for probability, fine in ((value, True), (worse, False)):
        prop = {"kind": key, "states": [1], "probability": probability}
        given = document(prop, leaf({"holds": chance}, plan=plan), environments=[fork(), lottery])
        given = seal(given | {"member": member})
        (accepted if fine else rejected)(given)


@pytest.mark.parametrize(("discount", "value"), [(0.5, 0.5), (1, 1)])
def test_regret_of_a_policy(discount, value):
    """Action 0 leads to state 2 when deployed, and loses theta_1 - theta_2, at most 2; times (1 - g) with discount 1/2."""
    worlds = [fork(discount=discount), fork(True, discount)]
    stays = 2 if discount == 0.5 else 1
    values = {"1": [0, stays, 0], "2": [0, 0, stays]}
    best = {"0": [1, 1, 0]} | values
    own = {"0": [1, 0, 1]} | values
    plan = PLAN | {"map": best, "advantages": []}
    plan["advantages"] = PLAN["advantages"] if discount == 0.5 else [[0, 0, CLAIM]]
    policy = [[1, 0], [1, 0], [0.5, 0.5]]
    prop = {"kind": "regret_at_most", "policy": policy, "value": 2 * value}
    member = {"theta": [0, 1, 0], "values": [[1, stays, 0]] * 2, "nontrivial": [0, 0, 1]}

    def given(prop, atom):
        found = document(prop, leaf(atom, plan=plan), environments=worlds)
        return seal(found | {"policy_maps": {"0": own}, "member": member})

    accepted(given(prop, {"holds": {}}))
    rejected(given(prop | {"value": 1.999 * value}, {"holds": {}}), "tree/atoms/0/holds")
    # and at least the strictness
    small = prop | {"value": STRICT * value - 0.001}
    accepted(given({"kind": "not", "of": small}, {"fails": CLAIM}))
    rejected(given({"kind": "not", "of": prop | {"value": STRICT * value}}, {"fails": CLAIM}), "is not below")


def test_splits_and_empty_regions():
    either = [{"kind": "linear", "weights": [s, 0, 0], "at_most": 0} for s in (1, -1)]
    below = leaf({"holds": {"splits": [[0, 1]]}}, plan=None)
    above = {"plan": None, "atoms": {"1": {"holds": {"splits": [[0, 1]]}}}}
    tree = {"split": {"weights": [1, 0, 0], "at": 0}, "below": below, "above": above}
    assert accepted(document({"kind": "or", "of": either}, tree)).leaves == 2
    rejected(document({"kind": "or", "of": either}, tree | {"above": below}), "tree/above/atoms/0/holds: bound 2")
    rejected(document({"kind": "and", "of": either}, tree), "tree/below: its atoms do not decide")
    empty = {"empty": {"multipliers": CLAIM["multipliers"], "splits": [[0, 1]]}}
    held = leaf({"holds": CLAIM}, plan=None)
    nothing = {"split": {"weights": [0, -1, 1], "at": -0.12}, "below": held, "above": empty}
    accepted(document(LIKED, nothing))
    nothing = {"split": {"weights": [0, -1, 1], "at": -0.125}, "below": held, "above": empty}
    rejected(document(LIKED, nothing), "tree/above/empty: bound 0 is not below 0")


def test_open_regions_prove_nothing():
    split = {
        "split": {"weights": [1, 0, 0], "at": 0},
        "below": leaf({"holds": CLAIM}, plan=None),
        "above": {"open": True},
    }
    rejected(document(LIKED, split), "tree/above: this region is open")
    accepted(document(LIKED, split, status="unknown"))
    accepted(document(LIKED, None, status="unknown"))
    rejected(document(LIKED, None, status="unknown", member=False), "needs a member")
    rejected(document(LIKED, leaf({"holds": CLAIM}, plan=None), member=False), "needs a member")


WITNESS = {"theta": [0, 1, 0], "values": [[1, 2, 0], [1, 2, 0]], "policy": [1, 0, 0]}


@pytest.mark.parametrize(
    ("prop", "atoms"),
    [
        ({"kind": "linear", "weights": [0, 1, 0], "at_most": 0.999}, {}),
        ({"kind": "linear", "weights": [0, 1, 0], "at_most": 0.999}, {"fails": {}}),
        ({"kind": "optimal_action", "state": 0, "action": 0}, {"fails": {}}),
        (
            {"kind": "avoids", "states": [1], "probability": 0.99},
            {"fails": {"chance": {"0": 1, "1": 1}, "steps": {"0": 1}}},
        ),
        ({"kind": "reaches", "states": [2], "probability": 0.01}, {"fails": {"chance": {}}}),
        ({"kind": "return_at_least", "reward": PENALTY, "value": 0.501}, {"fails": {"values": {"0": 1, "1": 2}}}),
        (
            {"kind": "base_regret_at_most", "reward": [[0, 0], [-1, -1], [1, 1]], "value": 0.99},
            {"fails": {"values": {"0": -1, "1": -2}, "best": {"0": 1, "2": 2}, "policy": [0, 0, 0]}},
        ),
        ({"kind": "regret_at_most", "policy": [[1, 0]] * 3, "value": 0.499}, {"fails": {}}),
        ({"kind": "not", "of": {"kind": "linear", "weights": [0, 1, 0], "at_most": 1}}, {"holds": {}}),
        ({"kind": "not", "of": {"kind": "regret_at_most", "policy": [[1, 0]] * 3, "value": 0.5}}, {"holds": {}}),
        ({"kind": "not", "of": {"kind": "optimal_action", "state": 0, "action": 1}}, {"holds": {}}),
        ({"kind": "not", "of": {"kind": "avoids", "states": [2], "probability": 0}}, {"holds": {"chance": {}}}),
    ],
)
def test_witnesses(prop, atoms):
    witness = WITNESS | {"atoms": {"0": atoms} if atoms else {}}
    regret = "policy" in prop.get("of", prop)
    own = {"0": {"0": [1, 0, 1], "1": [0, 2, 0], "2": [0, 0, 2]}} if regret else None
    given = seal(document(prop, status="refuted", witness=witness, member=False) | {"policy_maps": own})
    accepted(given)
    opposite = prop["of"] if prop["kind"] == "not" else {"kind": "not", "of": prop}
    rejected(seal(given | {"statement": given["statement"] | {"property": opposite}}), "witness")


def test_linear_atoms_of_a_witness_are_evaluated():
    given = document(LIKED, status="refuted", witness=WITNESS | {"atoms": {}}, member=False)
    rejected(given, "witness: its atoms do not decide")
    stays = {"kind": "linear", "weights": [0, 1, 0], "at_most": 0.5}
    accepted(document(stays, status="refuted", witness=WITNESS | {"atoms": {}}, member=False))
