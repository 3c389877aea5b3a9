"""Certificates as objects and as files: what they say, what they refuse, and that files outlive the process."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import certificates
from irl_ident.certificates import checking
from irl_ident.certificates.properties import atoms, prefers
from irl_ident.evidence import Counts, Policy, Trajectories

ROOT = Path(__file__).resolve().parents[1]
FAMILY = ii.rewards.StateRewards(3)
EVENLY = [[1, 0], [0.5, 0.5], [0.5, 0.5]]
"""From the fork, action 0 is taken and never action 1; the ends keep everybody."""


def fork(*, swapped=False, discount=0.5, **names):
    """From state 0, action 0 leads to state 1 and action 1 to state 2, where episodes stay."""
    moves = np.zeros((3, 2, 3))
    moves[0, [0, 1], [2, 1] if swapped else [1, 2]] = 1
    moves[1, :, 1] = moves[2, :, 2] = 1
    return ii.Environment(moves, discount, [1, 0, 0], **names)


@pytest.fixture(scope="module")
def ident():
    return ii.identify([(fork(), Policy(EVENLY))], FAMILY)


PENALTY = [[0, 0], [1, 1], [-1, -1]]
TRUE = {
    "action": certificates.OptimalAction(0, 1),
    "never": ~certificates.OptimalAction(0, 0),
    "avoids": certificates.Avoids((2,)),
    "reaches": certificates.Reaches(1),
    "return": certificates.ReturnAtLeast(PENALTY, 0.4999),
    "base": certificates.BaseOptimal(PENALTY),
    "regret": certificates.RegretAtMost(np.eye(2)[[1, 0, 0]], 1e-6),
    "prefers": prefers(1, 2, FAMILY, fork()),
    "and": certificates.Avoids((2,)) & certificates.Reaches(1),
    "or": certificates.Avoids((1,)) | certificates.OptimalAction(0, 1),
}
"""True where the ways have changed places; their negations are false."""


@pytest.mark.parametrize("discount", [0.5, 1])
@pytest.mark.parametrize("name", TRUE)
def test_what_holds_is_proved_and_its_negation_refuted(name, discount):
    known = ii.identify([(fork(discount=discount), Policy(EVENLY))], FAMILY)
    deployed = fork(swapped=True, discount=discount)
    proved = certificates.certify(known, TRUE[name], deployed)
    assert (proved.status, proved.check(), proved.witness, proved.policy) == ("proved", True, None, None)
    refuted = certificates.certify(known, ~TRUE[name], deployed)
    assert (refuted.status, refuted.check()) == ("refuted", True)
    assert refuted.witness[1] > refuted.witness[2]
    assert refuted.policy[0] == 1
    assert str(refuted).startswith(f"refuted: not ({TRUE[name]}) in Environment")


def test_least_gaps_are_stated_and_used(ident):
    """theta_1 - theta_2 is the gap in the fork, hence at least the strictness."""
    more = certificates.Linear([0, -1, 1], -0.01)
    assert certificates.certify(ident, more, strictness=0.0101).status == "proved"
    assert certificates.certify(ident, more, strictness=0.0099).status == "refuted"
    assert "at least 0.25" in str(certificates.certify(ident, more, strictness=0.25))


def test_too_few_regions_leave_it_unknown():
    """Two corridors ask in turn for what was never seen: no single plan decides."""
    free = ii.identify([(fork(), Policy([[0, 0], [0.5, 0.5], [0.5, 0.5]]))], FAMILY)
    either = certificates.OptimalAction(0, 0) | certificates.OptimalAction(0, 1)
    found = certificates.certify(free, either, fork(swapped=True), regions=1)
    assert (found.status, found.check(), found.document["tree"]) == ("unknown", True, None)
    assert certificates.certify(free, either, fork(swapped=True)).status == "proved"


def test_progress_is_reported():
    free = ii.identify([(fork(), Policy([[0, 0], [0.5, 0.5], [0.5, 0.5]]))], FAMILY)
    either = certificates.OptimalAction(0, 0) | certificates.OptimalAction(0, 1)
    calls = []
    found = certificates.certify(free, either, fork(), progress=lambda done, waiting: calls.append((done, waiting)))
    assert [done for done, _ in calls] == list(range(1, found.regions + 1))


def test_twice_the_same(ident):
    documents = [certificates.certify(ident, TRUE["and"], fork(swapped=True)).document for _ in range(2)]
    assert documents[0] == documents[1]


@pytest.mark.parametrize("name", ["found.json", "found.json.gz"])
def test_files_are_checked_by_a_process_of_their_own(ident, tmp_path, name):
    for prop, status in ((TRUE["reaches"], "proved"), (~TRUE["reaches"], "refuted")):
        cert = certificates.certify(ident, prop, fork(swapped=True))
        path = cert.save(tmp_path / name)
        assert path == tmp_path / name
        assert [file.name for file in tmp_path.iterdir()] == [name]
        assert checking.check(path).status == status
        run = subprocess.run(
            [sys.executable, "-m", "irl_ident.certificates.checking", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0
        assert f": {status}: " in run.stdout
    opened = gzip.open if name.endswith("gz") else open
    with opened(path, "rt") as file:
        document = json.load(file)
    assert document == cert.document
    document["statement"]["property"]["of"]["probability"] = 0.5
    path.write_text(json.dumps(document)) if name.endswith("json") else path.write_bytes(
        gzip.compress(json.dumps(document).encode())
    )
    assert not checking.check(path).accepted


def test_what_a_file_states_is_what_was_asked():
    seen, deployed = fork(), fork(swapped=True, states=["gate", "east", "west"], actions=["left", "right"])
    walked = Trajectories([[0, 1, 1]], [[0, 1]])
    known = ii.identify(
        [(seen, Policy(EVENLY, shows="some")), (seen, walked), (deployed, Counts(np.zeros((3, 2))))], FAMILY
    )
    prop = certificates.Avoids(("west", 0), 0.25) | ~certificates.OptimalAction("gate", "right")
    cert = certificates.certify(known, prop, deployed, ties=1e-8, strictness=1e-4)
    moves = [[0, 1, 1.0], [1, 2, 1.0], [2, 1, 1.0], [3, 1, 1.0], [4, 2, 1.0], [5, 2, 1.0]]
    world = {
        "states": 3,
        "actions": 2,
        "discount": 0.5,
        "initial": [1.0, 0.0, 0.0],
        "transitions": moves,
        "features": [[row, row // 2, 1.0] for row in range(6)],
    }
    assert cert.document["statement"] == {
        "assumed": {"rationality": "optimal"},
        "tolerances": {"ties": 1e-8, "strictness": 1e-4},
        "parameters": 3,
        "environments": [world, world | {"transitions": [[0, 2, 1.0], [1, 1, 1.0], *moves[2:]]}],
        "evidence": [
            {"environment": 0, "kind": "policy", "probabilities": EVENLY, "shows": "some"},
            {"environment": 0, "kind": "counts", "counts": [[1, 0], [0, 1], [0, 0]]},
            {"environment": 1, "kind": "counts", "counts": [[0, 0], [0, 0], [0, 0]]},
        ],
        "deployment": 1,
        "property": {
            "kind": "or",
            "of": [
                {"kind": "avoids", "states": [2, 0], "probability": 0.25},
                {"kind": "not", "of": {"kind": "optimal_action", "state": 0, "action": 1}},
            ],
        },
    }
    assert cert.check()


def test_agents_that_err_keep_their_level():
    deployed = fork(swapped=True)
    choices = Counts([[40, 1], [0, 0], [0, 0]])
    known = ii.identify([(fork(), choices)], FAMILY, "noisy", error=0.1, level=0.05, ties="even")
    cert = certificates.certify(known, TRUE["avoids"], deployed)
    assert (cert.status, cert.level, cert.check()) == ("proved", 0.05, True)
    assert cert.document["statement"]["assumed"] == {
        "rationality": "noisy",
        "error": 0.1,
        "level": 0.05,
        "ties": "even",
    }
    assert "with probability at least 0.95" in str(cert)
    few = ii.identify([(fork(), Counts([[4, 0], [0, 0], [0, 0]]))], FAMILY, "noisy", error=0.1, level=0.05)
    assert certificates.certify(few, TRUE["avoids"], deployed).status == "refuted"


def test_preferences_between_things_of_a_kind():
    env = fork()
    left, right = np.eye(2)[[0, 0, 0]], np.eye(2)[[1, 0, 0]]
    # half a step's reward in state 0, then half in the end
    np.testing.assert_allclose(prefers(left, right, FAMILY, env).weights, [0, -0.5, 0.5])
    one, other = Trajectories([[0, 1, 1]], [[0, 0]]), Trajectories([[0, 2], [0, 2]], [[1], [1]])
    # what is collected where actions are taken: theta_0 + theta_1 / 2, and theta_0
    np.testing.assert_allclose(prefers(one, other, FAMILY, env).weights, [0, -0.5, 0])
    named = fork(states=["gate", "east", "west"])
    np.testing.assert_allclose(prefers("west", "east", FAMILY, named).weights, [0, 1, -1])
    assert str(prefers("west", "east", FAMILY, named)) == "prefers west to east"
    assert prefers(1, 2, FAMILY, env).at_most == 0


def test_composition():
    one, two = certificates.Linear([1.0, 0, 0]), certificates.OptimalAction(0, 0)
    assert list(atoms((one & ~two) | one)) == [one, two, one]
    assert (one | two).of == (one, two)
    assert str(~(one & two)) == "not (+1 theta[0] <= 0 and action 0 is optimal in 0)"
    assert str((one | two) & one) == "(+1 theta[0] <= 0 or action 0 is optimal in 0) and +1 theta[0] <= 0"


def test_properties_in_words():
    assert str(certificates.Avoids(2)) == "never visits 2"
    assert str(certificates.Avoids([1, 2], 0.25)) == "visits 1, 2 with probability at most 0.25"
    assert str(certificates.Reaches("end")) == "visits end with probability at least 1"
    assert str(certificates.ReturnAtLeast(PENALTY, 2)) == "return under the base objective is at least 2"
    assert str(certificates.BaseOptimal(PENALTY, 0.5)) == "loses at most 0.5 under the base objective"
    assert str(certificates.RegretAtMost(EVENLY, 0.5)) == "the policy's regret is at most 0.5"
    assert str(certificates.Linear([0, 0, 0], 1)) == "0 <= 1"


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: certificates.Linear([[1.0]]), "weights: should be finite numbers"),
        (lambda: certificates.Linear([1, NAN]), "weights: should be finite numbers"),
        (lambda: certificates.Linear([1.0], NAN), "at_most: was nan"),
        (lambda: certificates.Avoids(()), "states: should hold at least one state"),
        (lambda: certificates.Avoids((0,), 1.0), "probability: was 1.0, should be at least 0 and below 1"),
        (lambda: certificates.Avoids((0,), -0.1), "probability: was -0.1"),
        (lambda: certificates.Reaches((0,), 0.0), "probability: was 0.0, should be above 0 and at most 1"),
        (lambda: certificates.Reaches((0,), 1.5), "probability: was 1.5"),
        (lambda: certificates.ReturnAtLeast([1.0, 2.0], 0), r"reward: should be finite numbers of shape \(S, A\)"),
        (lambda: certificates.ReturnAtLeast(PENALTY, np.inf), "value: was inf"),
        (lambda: certificates.BaseOptimal([[NAN]]), "reward: should be finite"),
        (lambda: certificates.BaseOptimal(PENALTY, -1), "regret: was -1"),
        (lambda: certificates.RegretAtMost([0.5], 1), r"policy: should be finite numbers of shape \(S, A\)"),
        (lambda: certificates.RegretAtMost(EVENLY, NAN), "value: was nan"),
    ],
)
def test_properties_that_say_nothing_are_refused(make, words):
    with pytest.raises(ValueError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("prop", "words"),
    [
        (certificates.Linear([1.0, 0]), r"weights: should have shape \(3,\), was \(2,\)"),
        (certificates.OptimalAction(3, 0), "state: was 3, should be a name or a number from 0 to 2"),
        (certificates.OptimalAction(-1, 0), "state: was -1"),
        (certificates.OptimalAction(True, 0), "state: was True"),
        (certificates.OptimalAction(0, 2), "action: was 2, should be a name or a number from 0 to 1"),
        (certificates.OptimalAction("gate", 0), "state: there is no 'gate' in the environment"),
        (certificates.OptimalAction(0, "jump"), "action: there is no 'jump' in the environment"),
        (certificates.Avoids((1, 3)), "states: was 3"),
        (certificates.Avoids(("lava",)), "states: there is no 'lava' in the environment"),
        (certificates.Reaches((-1,)), "states: was -1"),
        (certificates.ReturnAtLeast(np.zeros((2, 2)), 0), r"reward: should have shape \(S, A\) = \(3, 2\)"),
        (certificates.BaseOptimal(np.zeros((3, 3))), r"reward: should have shape \(S, A\) = \(3, 2\)"),
        (certificates.RegretAtMost(np.full((2, 2), 0.5), 0), "policy"),
        (certificates.RegretAtMost(np.full((3, 2), 0.4), 0), r"policy\[0\] sums to 0.8"),
        (~certificates.Avoids((7,)), "states: was 7"),
        (certificates.Linear([1.0, 0, 0]) & certificates.Avoids((7,)), "states: was 7"),
    ],
)
def test_properties_of_other_environments_are_refused(ident, prop, words):
    with pytest.raises(ValueError, match=words) as error:
        certificates.certify(ident, prop, fork())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "prop", [prop for name, prop in TRUE.items() if name != "prefers"] + [~TRUE["avoids"] | TRUE["prefers"]]
)
def test_behaviour_needs_a_place(ident, prop):
    with pytest.raises(ValueError, match=r"^env: .* should be given$"):
        certificates.certify(ident, prop)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ties": -1e-9}, "ties: was -1e-09, should be finite and at least 0"),
        ({"ties": NAN}, "ties: was nan"),
        ({"strictness": -1}, "strictness: was -1"),
        ({"strictness": np.inf}, "strictness: was inf"),
        ({"strictness": 3}, "strictness: was 3: under no objective"),
    ],
)
def test_tolerances_that_leave_nothing_are_refused(ident, given, words):
    with pytest.raises(ValueError, match=words) as error:
        certificates.certify(ident, TRUE["prefers"], **given)
    assert "\n" not in str(error.value)


def test_sets_of_which_nothing_can_be_certified(ident):
    twice = ii.identify([(fork(), Policy(EVENLY)), (fork(swapped=True), Policy(EVENLY))], FAMILY)
    with pytest.raises(ii.identified.ContradictoryEvidence):
        certificates.certify(twice, TRUE["prefers"])
    soft = ii.identify([(fork(), Policy(np.full((3, 2), 0.5)))], FAMILY, "soft")
    with pytest.raises(ValueError, match="ident: was a SoftSet, should be the identified set of an optimal agent"):
        certificates.certify(soft, TRUE["prefers"])
    with pytest.raises(ValueError, match="prop: was a function, should be a property"):
        certificates.certify(ident, lambda theta: True)
    with pytest.raises(ValueError, match="StateRewards"):
        certificates.certify(ident, certificates.Avoids((0,)), ii.Environment(np.ones((1, 2, 1)), 0.5))


def test_agents_to_whom_everything_is_the_same_are_no_members():
    tied = ii.identify([(fork(), Policy(np.full((3, 2), 0.5)))], FAMILY)
    with pytest.raises(ValueError, match=r"not indifferent to everything$"):
        certificates.certify(tied, TRUE["prefers"])


def test_states_that_are_named_twice_count_once(ident):
    found = ii.certify(ident, certificates.Avoids((2, 2)), fork())
    assert found.document["statement"]["property"]["states"] == [2]
    assert found.status == "proved"


def test_compositions_that_the_checker_would_not_read_are_refused(ident):
    deep = certificates.Avoids([0])
    for _ in range(50):
        deep = ~deep
    with pytest.raises(ValueError, match=r"^prop: is composed 50 deep, should be at most 49"):
        ii.certify(ident, deep, fork())
