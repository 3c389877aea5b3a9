"""The checker of certificates, on problems whose answers are worked out by hand.

The fork: from state 0, action 0 leads to state 1 and action 1 to state 2, where episodes stay; state rewards, discount
1/2.  Its agent is seen to take action 0 and never action 1, whose gap is theta_1 - theta_2.  It is deployed where the
actions have changed places.
"""

import pytest

from irl_ident.certificates.checking import check, seal

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


def test_an_action_is_optimal_by_a_claim_or_because_its_rivals_are_not():
    prop = {"kind": "optimal_action", "state": 0, "action": 1}
    seen = [{"environment": 0, "kind": "policy", "probabilities": EVENLY, "shows": "some"}]
    # the rival is only known to be no better, and the advantage of the action itself is 0 by the plan
    accepted(document(prop, leaf({"holds": {}}), evidence=seen))
    # a map that values state 0 too low by 1/8 times theta_0: all is known up to 1/4, and rivals are worse by a half
    near = PLAN | {"map": PLAN["map"] | {"0": [0.875, 1, 0]}}
    near = near | {"excess": {"0": 0.125, "1": 0, "2": 0}}
    far = {"ties": 0, "strictness": 0.5}
    accepted(document(prop, leaf({"holds": {}}, plan=near), tolerances=far))
    rejected(document(prop, leaf({"holds": {}}, plan=near), evidence=seen), "tree/atoms/0/holds: bound 3/8 is above 0")
    rejected(document(prop, leaf({"holds": {}}, plan=near), tolerances=far | {"strictness": 0.25}), "bound 3/8")
    rejected(document(prop, leaf({"holds": {}}, plan=near), tolerances=far | {"strictness": 0.375}), "bound 3/8")
    tied = {"holds": {"multipliers": []}}
    rejected(document(prop, leaf(tied, plan=near), tolerances=far), "bound 3/8")


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
    """Action 0 leads to state 2 when deployed, and loses theta_1 - theta_2, at most 2, times what makes it a return."""
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


def test_maps_that_are_not_exact_cost_their_error_in_regrets():
    """The map of the policy is short of theta_2 / 2, which costs 1; that of the best of theta_0 / 8, worth 1/8."""
    policy = [[1, 0], [1, 0], [0.5, 0.5]]
    prop = {"kind": "regret_at_most", "policy": policy, "value": 1.25}
    own = {"0": [1, 0, 0.5], "1": [0, 2, 0], "2": [0, 0, 2]}
    near = PLAN | {"map": PLAN["map"] | {"0": [0.875, 1, 0]}, "excess": {"0": 0.125, "1": 0, "2": 0}}

    def given(prop, atom, plan, own):
        return seal(document(prop, leaf(atom, plan=plan)) | {"policy_maps": {"0": own}})

    # (|W - W'| + error) / 2 = (3/2 + 1) / 2
    accepted(given(prop, {"holds": {}}, PLAN, own))
    rejected(given(prop | {"value": 1.2499}, {"holds": {}}, PLAN, own), "bound 5/4 is above")
    # (|W - W'| + x) / 2 = (17/8 + 1/8) / 2
    exact = own | {"0": [1, 0, 1]}
    accepted(given(prop | {"value": 1.125}, {"holds": {}}, near, exact))
    rejected(given(prop | {"value": 1.1249}, {"holds": {}}, near, exact), "bound 9/8 is above")
    # (1/8 - t + rho) / 2 with rho = 1/4
    less = {"kind": "not", "of": prop | {"value": -0.1251}}
    accepted(given(less, {"fails": CLAIM}, near, exact))
    rejected(given({"kind": "not", "of": prop | {"value": -0.125}}, {"fails": CLAIM}, near, exact), "bound 1/8 is not")


def test_chances_are_between_0_and_1():
    """A chance of -1/10 in state 2 would hide a tenth of the lottery."""
    prop = {"kind": "avoids", "states": [1], "probability": 0.1}
    stays = fork() | {
        "transitions": [[0, 1, 0.25], [0, 2, 0.75], [1, 1, 0.25], [1, 2, 0.75], *fork()["transitions"][2:]]
    }
    plan = PLAN | {"advantages": [], "map": PLAN["map"] | {"0": [1, 0.25, 0.75]}}
    member = {"theta": [0, 1, 0], "values": [[1, 2, 0], [0.25, 2, 0]], "nontrivial": [0, 0, 1]}
    proof = leaf({"holds": {"chance": {"0": 0.1, "1": 1, "2": -0.2}}}, plan=plan)
    given = seal(document(prop, proof, environments=[fork(), stays]) | {"member": member})
    rejected(given, "chance/2: should be at least 0")
    more = leaf({"holds": {"chance": {"0": 0.5, "1": 2}, "steps": {"0": 1}}}, plan=plan)
    often = {"kind": "reaches", "states": [1], "probability": 0.5}
    given = seal(document(often, more, environments=[fork(), stays]) | {"member": member})
    rejected(given, "chance/1: should be at most 1")


def test_members_need_a_tolerance_for_what_their_values_are_wrong():
    """V(2) = 0.004 in the place of 0: eta = 0.004, gaps are known up to 0.006, that of state 2 is taken for 0.002."""
    found = document(LIKED, status="unknown")
    member = found["member"] | {"values": [[1, 2, 0.004], [1, 2, 0]]}
    for ties, fine in ((0.008, True), (0.0079, False)):
        said = found["statement"] | {"tolerances": {"ties": ties, "strictness": STRICT}}
        (accepted if fine else rejected)(seal(found | {"member": member, "statement": said}))


def test_what_holds_of_a_witness_holds_whatever_it_may_take():
    """Both actions are as good; the policy avoids state 2, but the agent need not."""
    prop = {"kind": "not", "of": {"kind": "avoids", "states": [2], "probability": 0}}
    seen = [{"environment": 0, "kind": "policy", "probabilities": EVENLY, "shows": "some"}]
    witness = {"theta": [0, 1, 1], "values": [[1, 2, 2]] * 2, "policy": [1, 0, 0]}
    witness["atoms"] = {"0": {"holds": {"chance": {}}}}
    given = document(prop, status="refuted", witness=witness, member=False, evidence=seen)
    rejected(given, "witness/atoms/0/holds/chance/2: should be at least 1")


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


def test_splits_are_multiplied_by_what_is_at_least_0():
    prop = {"kind": "linear", "weights": [1, 0, 0], "at_most": 0}
    wrong = leaf({"holds": {"splits": [[0, -1]]}}, plan=None)
    right = leaf({"holds": {"splits": [[0, 1]]}}, plan=None)
    split = {"split": {"weights": [1, 0, 0], "at": 0}, "below": right, "above": wrong}
    rejected(document(prop, split), "tree/above/atoms/0/holds/splits/0/1: should be at least 0")


def test_gaps_are_known_up_to_the_limits_of_the_values_here_and_next():
    """The map values state 2 too low by theta_2 / 2, so D(2, a) = theta_2 / 4, rho = 1/2 and x(2) = 1/2.

    D(0, 0) = 3/4 theta_2 - theta_1 is at most 1/4 - t, and the gap of action 0 at least t - 1/4 - rho - x(2) / 2.
    """
    plan = PLAN | {"map": PLAN["map"] | {"2": [0, 0, 1.5]}, "excess": {"0": 0.25, "1": 0, "2": 0.5}}
    prop = {"kind": "not", "of": {"kind": "optimal_action", "state": 0, "action": 0}}
    member = {"theta": [0, 1, -1], "values": [[1, 2, -2]] * 2, "nontrivial": [0, 0, 1]}
    for strictness, fine in ((1.001, True), (1, False)):
        tolerances = {"ties": 0, "strictness": strictness}
        given = seal(document(prop, leaf({"fails": {}}, plan=plan), tolerances=tolerances) | {"member": member})
        (accepted if fine else rejected)(given)
    for short in ({"0": 0.25, "1": 0, "2": 0.49}, {"0": 0.24, "1": 0, "2": 0.5}):
        rejected(document(prop, leaf({"fails": {}}, plan=plan | {"excess": short})), "tree/plan/excess/")


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


def test_the_best_behaviour_may_go_where_the_agent_does_not():
    """The agent loses 1 in going to state 1, and a proof may not leave out that state 2 is good."""
    prop = {"kind": "base_regret_at_most", "reward": [[0, 0], [-1, -1], [1, 1]], "value": 0.5}
    place = "tree/atoms/0/holds/best"
    for best, reason in (
        ({"0": 0, "1": -2, "2": 0}, f"{place}/2: is below the return"),
        ({"0": 0, "1": -2, "2": 2}, f"{place}/0: is below the return"),
        ({"0": 0, "1": -2}, f"{place}: should have state 2"),
        ({"0": 1, "1": -2, "2": 2}, "tree/atoms/0/holds: bound 1 is above 1/2"),
    ):
        rejected(document(prop, leaf({"holds": {"values": {"0": -1, "1": -2}, "best": best}})), reason)
    honest = {"values": {"0": -1, "1": -2}, "best": {"0": 1, "1": -2, "2": 2}}
    accepted(document(prop | {"value": 1}, leaf({"holds": honest})))


def test_agents_that_may_stay_for_ever_reach_nothing():
    stays = fork() | {"transitions": [[0, 0, 1], [1, 0, 1], *fork()["transitions"][2:]]}
    plan = PLAN | {"map": {"0": [2, 0, 0], "1": [0, 2, 0], "2": [0, 0, 2]}, "advantages": []}
    prop = {"kind": "reaches", "states": [1], "probability": 0.5}
    member = {"theta": [0, 1, 0], "values": [[1, 2, 0], [0, 2, 0]], "nontrivial": [0, 0, 1]}
    for steps in ({"0": 1}, {"0": 1e300}, {}):
        proof = leaf({"holds": {"chance": {"0": 1, "1": 1}, "steps": steps}}, plan=plan)
        given = seal(document(prop, proof, environments=[fork(), stays]) | {"member": member})
        rejected(given, "holds/steps/0: do not prove that the agent leaves")
    proof = leaf({"fails": {"chance": {}}}, plan=plan)
    no = {"kind": "not", "of": prop}
    accepted(seal(document(no, proof, environments=[fork(), stays]) | {"member": member}))


def test_actions_within_the_tolerance_may_be_taken():
    safe = {"kind": "avoids", "states": [2], "probability": 0}
    proof = leaf({"holds": {"chance": {}}})
    accepted(document(safe, proof, tolerances={"ties": 0.04, "strictness": STRICT}))
    # the rival is worse by no more than 1/8 - 2/16 for certain
    rejected(document(safe, proof, tolerances={"ties": 0.0625, "strictness": STRICT}), "chance/2: should be at least 1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"policy": [0, 0, 0]}, "witness/policy/0: this action may have a gap above the tolerance"),
        ({"policy": None}, "witness/atoms/0/fails: needs the policy of the witness"),
        ({"theta": [0, 0, 1], "values": [[0, 0, 2], [1, 0, 2]]}, "witness/values/0: the shown action of row 0"),
        ({"theta": [0, 0.1, 0], "values": [[0.1, 0.2, 0]] * 2}, "witness/values/0: the worse action of row 1"),
        ({"theta": [0, 2, 0], "values": [[2, 4, 0]] * 2}, "witness/theta: should have entries in [-1, 1]"),
        ({"values": [[1, 2, 0], [1, 2, 0.001]]}, "witness/policy/0: this action may have a gap"),
        ({"values": [[1, 2, 0]]}, "witness/values: should have 2 elements"),
    ],
)
def test_witnesses_have_to_satisfy_the_premise_and_behave_optimally(change, reason):
    prop = {"kind": "reaches", "states": [2], "probability": 0.01}
    witness = WITNESS | {"atoms": {"0": {"fails": {"chance": {}}}}}
    accepted(document(prop, status="refuted", witness=witness, member=False))
    rejected(document(prop, status="refuted", witness=witness | change, member=False), reason)


def test_rows_are_divided_by_their_exact_sum():
    """Thirds with 16 digits sum to less than 1; the chance of state 1 before state 2 is a half all the same."""
    third = 0.3333333333333333
    moves = [[row, state, third] for row in (0, 1) for state in (0, 1, 2)] + fork()["transitions"][2:]
    prop = {"kind": "reaches", "states": [1], "probability": 0.5}
    plan = PLAN | {"map": PLAN["map"] | {"0": [1.2, 0.4, 0.4]}, "advantages": []}
    member = {"theta": [0, 1, 0], "values": [[1, 2, 0], [0.4, 2, 0]], "nontrivial": [0, 0, 1]}
    chance = {"holds": {"chance": {"0": 0.5, "1": 1}, "steps": {"0": 1.5}}}
    worlds = [fork(), fork() | {"transitions": moves}]
    accepted(seal(document(prop, leaf(chance, plan=plan), environments=worlds) | {"member": member}))
    more = {"holds": {"chance": {"0": 0.5000000000000001, "1": 1}, "steps": {"0": 1.5}}}
    rejected(
        seal(document(prop, leaf(more, plan=plan), environments=worlds) | {"member": member}), "chance/0: is above"
    )
    less = [[row, state, 0.333333] for row in (0, 1) for state in (0, 1, 2)] + fork()["transitions"][2:]
    worlds = [fork(), fork() | {"transitions": less}]
    accepted(seal(document(prop, leaf(chance, plan=plan), environments=worlds) | {"member": member}))
    less[0] = [0, 0, 0.333331]
    rejected(seal(document(prop, leaf(chance, plan=plan), environments=worlds) | {"member": member}), "should sum to 1")


def test_discount_1_needs_a_proof_that_episodes_end():
    last = fork(discount=1)
    values = [[1, 1, 0]]
    member = {"theta": [0, 1, 0], "values": values, "nontrivial": [0, 0, 1]}
    claim = {"multipliers": [[0, 0, -1], [0, 1, 1], [0, 2, -1], [0, 4, 1]]}

    def given(world):
        found = document(LIKED, leaf({"holds": claim}, plan=None), environments=[world], deployment=None)
        return seal(found | {"member": member})

    accepted(given(last))
    rejected(given(last | {"steps": [2, 1, 0.5]}), "do not prove that episodes end: row 4")
    rejected(given(last | {"steps": [1.5, 1, 1]}), "row 0")
    rejected(given({key: value for key, value in last.items() if key != "steps"}), "'steps'")
    rejected(given(fork() | {"steps": [2, 2, 2]}), "should be left out")
    loop = last | {"transitions": [[0, 0, 1], *last["transitions"][1:]], "steps": [10**9, 1, 1]}
    rejected(given(loop), "row 0 needs more")
    # values that are left over cost the longest episode, 2 steps, times the largest reward
    weak = leaf({"holds": {"multipliers": [[0, 0, -1], [0, 1, 1]]}}, plan=None)
    for at_most, fine in ((2 + 4 - STRICT, True), (5.87, False)):
        found = document(LIKED | {"at_most": at_most}, weak, environments=[last], deployment=None)
        (accepted if fine else rejected)(seal(found | {"member": member}))
