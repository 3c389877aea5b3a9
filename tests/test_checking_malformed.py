"""Files that are no certificates: malformed, damaged, of absurd size, or whatever Hypothesis thinks of."""

import copy
import gzip
import json
import math

import pytest
from checking_oracle import Oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from test_checking import CLAIM, LIKED, WITNESS, document, leaf, seal
from test_checking_tampered import DOCUMENTS, Number, at, changed, sealed

from irl_ident.certificates.checking import check


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
