"""The checker of network certificates: whole numbers alone, and no code in common with what found the proofs.

    python -m irl_ident.certificates.network_checking certificate.json

It needs the standard library only.  What it computes is in :mod:`irl_ident.certificates.network_wholes`.  A
certificate is a JSON object; its numbers mean the double-precision numbers that are nearest to their decimals.

====================================  ==================================================================================
``format``, ``version``               ``"irl_ident network certificate"``, 1
``statement/network/weights``         one matrix for each layer, a row for each output
``statement/network/biases``          one list for each layer
``statement/network/significand``     binary digits of the arithmetic that the network computes in: 24, 53, or null
``statement/margin``                  outputs nearer than this are not told apart; 0 or more
``statement/regions``                 list of ``{"lower", "upper", "state", "actions"}``
``results``                           one for each region: ``{"excluded": {"b": tree}, "reached": {"b": input},
                                      "near": {"b": input}}``, each for some actions ``b``
====================================  ==================================================================================

A tree is one of

* ``{"input": j, "below": tree, "above": tree}``: the box, halved along input j;
* ``{"neuron": [l, i], "inactive": tree, "active": tree}``: neuron i of hidden layer l (from 0) before its ReLU is
  <= 0, or >= 0;
* ``{"rivals": [A whole numbers], "slopes": [whole numbers of each hidden layer]}``: a leaf.  Multipliers of rivals are
  0 or more; they and the slopes have a common unit, which plays no part.  Without slopes, the rule's are meant.

A region is *proved* when all actions that its table does not allow are excluded, *refuted* when one of them is reached,
and *unknown* otherwise.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from irl_ident.certificates.network_wholes import (
    SMALLEST,
    Phases,
    Rejected,
    Whole,
    WholeNetwork,
    halves,
    intervals,
    leaf_proves,
    needed_margin,
    outputs,
    whole_network,
    wholes,
)

Status = Literal["proved", "refuted", "unknown"]

FORMAT, VERSION = "irl_ident network certificate", 1


def check(document: Any) -> list[Status]:
    """The status of each region, all of it verified.

    Raises
    ------
    Rejected
        Where a proof or an input does not show what it is said to show, or the document is not of this format.
    """
    if not isinstance(document, dict) or (document.get("format"), document.get("version")) != (FORMAT, VERSION):
        raise Rejected(f'format: should be "{FORMAT}", version {VERSION}')
    try:
        statement, results = document["statement"], document["results"]
        network = statement["network"]
        weights, biases, significand = network["weights"], network["biases"], network["significand"]
        regions, margin = statement["regions"], statement["margin"]
        _check_network(weights, biases, significand)
        if not (_numbers([margin]) and margin >= 0):
            raise Rejected(f"statement/margin: is {margin!r}, should be 0 or more")
        if len(results) != len(regions):
            raise Rejected(f"results: are {len(results)}, should be {len(regions)}, one for each region")
        return [
            _check_region(f"results/{place}", (weights, biases, significand), margin, region, result)
            for place, (region, result) in enumerate(zip(regions, results, strict=True))
        ]
    except (KeyError, TypeError, AttributeError, IndexError) as fault:
        raise Rejected(f"document: is not of this format ({type(fault).__name__}: {fault})") from fault


def _check_network(weights: Any, biases: Any, significand: Any) -> None:
    if not weights or len(weights) != len(biases):
        raise Rejected("statement/network: should have as many weights as biases, at least one layer")
    inputs = len(weights[0][0])
    for layer, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
        if len(matrix) != len(bias) or not all(len(row) == inputs and _numbers(row) for row in (*matrix,)):
            raise Rejected(f"statement/network: layer {layer} should be numbers, {len(bias)} rows of {inputs}")
        if not _numbers(bias):
            raise Rejected(f"statement/network: biases of layer {layer} should be numbers")
        inputs = len(bias)
    if inputs < 2 or not (significand is None or significand in SMALLEST):
        raise Rejected("statement/network: should have two outputs or more, and significand 24, 53 or null")


def _check_region(place: str, network: tuple[Any, Any, Any], margin: float, region: Any, result: Any) -> Status:
    weights, biases, significand = network
    lower, upper, allowed = region["lower"], region["upper"], set(region["actions"])
    n_actions = len(biases[-1])
    if not (len(lower) == len(upper) == len(weights[0][0]) and _numbers([*lower, *upper])):
        raise Rejected(f"{place}: the region should be a box with {len(weights[0][0])} inputs")
    if any(low > high for low, high in zip(lower, upper, strict=True)):
        raise Rejected(f"{place}: the region's box is upside down")
    if not allowed or not allowed <= set(range(n_actions)) or set(result) != {"excluded", "reached", "near"}:
        raise Rejected(f"{place}: should have actions below {n_actions}, and excluded, reached and near ones")
    net = whole_network(weights, biases, lower, upper, [margin])
    needed = needed_margin(net, margin, significand)
    actions = {kind: {_action(place, name, n_actions): name for name in result[kind]} for kind in result}
    for action, name in actions["excluded"].items():
        check_tree(f"{place}/excluded/{name}", net, action, result["excluded"][name], needed)
    for kind in ("reached", "near"):
        for action, name in actions[kind].items():
            inputs = result[kind][name]
            inside = len(inputs) == len(lower) and _numbers(inputs)
            inside = inside and all(low <= x <= high for low, x, high in zip(lower, inputs, upper, strict=True))
            if not inside or standing(weights, biases, lower, upper, inputs, action, margin, significand) not in (
                ("reached",) if kind == "reached" else ("reached", "near")
            ):
                raise Rejected(f"{place}/{kind}/{name}: the network does not show that at an input of the region")
    others = set(range(n_actions)) - allowed
    if others <= set(actions["excluded"]):
        return "proved"
    return "refuted" if others & set(actions["reached"]) else "unknown"


def standing(
    weights: Any,
    biases: Any,
    lower: Sequence[float],
    upper: Sequence[float],
    inputs: Sequence[float],
    action: int,
    margin: float,
    significand: int | None,
) -> Literal["reached", "near", "lost"]:
    """Whether ``action`` is ahead of all others at ``inputs`` by more than the margin, behind by more, or neither."""
    net = whole_network(weights, biases, lower, upper, [margin, *inputs])
    needed = needed_margin(net, margin, significand)
    found = outputs(net, wholes(inputs, net.digits))
    ahead = found[action] - max(value for other, value in enumerate(found) if other != action)
    return "reached" if ahead > needed else "near" if ahead >= -needed else "lost"


def check_tree(place: str, net: WholeNetwork, action: int, tree: Any, needed: int) -> None:
    """Raise ``Rejected`` unless ``tree`` shows that ``action`` is chosen nowhere in the box of ``net``."""
    shape = [len(bias) for bias in net.biases]
    todo: list[tuple[Any, Whole, Whole, Phases]] = [(tree, net.lower, net.upper, {})]
    while todo:
        node, lower, upper, phases = todo.pop()
        if "input" in node:
            j = _index(place, node["input"], len(lower))
            for side, (low, high) in zip(("below", "above"), halves(lower[j], upper[j]), strict=True):
                todo.append(
                    (node[side], [*lower[:j], low, *lower[j + 1 :]], [*upper[:j], high, *upper[j + 1 :]], phases)
                )
        elif "neuron" in node:
            layer = _index(place, node["neuron"][0], net.hidden)
            neuron = layer, _index(place, node["neuron"][1], shape[layer])
            for side, sign in (("inactive", -1), ("active", 1)):
                if phases.get(neuron, sign) == sign:
                    todo.append((node[side], lower, upper, {**phases, neuron: sign}))
                else:
                    raise Rejected(f"{place}: neuron {list(neuron)} is split twice")
        else:
            _check_leaf(place, node, shape)
            if not leaf_proves(net, lower, upper, intervals(net, lower, upper, phases), action, node, needed):
                raise Rejected(f"{place}: a leaf does not show that action {action} is never chosen")


def _check_leaf(place: str, leaf: Mapping[str, Any], shape: Sequence[int]) -> None:
    *hidden, n_actions = shape
    rivals, slopes = leaf["rivals"], leaf.get("slopes", [[0] * size for size in hidden])
    whole = all(type(x) is int for row in (rivals, *slopes) for x in row)
    if not whole or len(rivals) != n_actions or [len(row) for row in slopes] != hidden or min(rivals) < 0:
        raise Rejected(f"{place}: a leaf should have {n_actions} multipliers >= 0 and {hidden} slopes, whole numbers")


def _action(place: str, name: str, n_actions: int) -> int:
    if not (isinstance(name, str) and name.isdecimal()):
        raise Rejected(f"{place}: {name!r} should be the number of an action")
    return _index(place, int(name), n_actions)


def _index(place: str, given: Any, below: int) -> int:
    if type(given) is not int or not 0 <= given < below:
        raise Rejected(f"{place}: {given!r} should be an index below {below}")
    return given


def _numbers(given: Sequence[Any]) -> bool:
    return all((type(x) is float and math.isfinite(x)) or (type(x) is int and abs(x) <= 2**53) for x in given)


def read(path: str | Path) -> Any:
    """The document in a file, numbers as double-precision numbers; ``Rejected`` where it is no file of JSON."""
    if Path(path).exists() and not Path(path).is_file():
        raise Rejected(f"{path}: should be a regular file")
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError) as fault:
        raise Rejected(f"{path}: is not JSON text ({fault})") from fault


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return found


def main(arguments: Sequence[str]) -> int:
    """Check the file that is named; 0 where all that it claims holds."""
    if len(arguments) != 1:
        print("usage: python -m irl_ident.certificates.network_checking certificate.json", file=sys.stderr)
        return 2
    try:
        found = check(read(arguments[0]))
    except Rejected as fault:
        print(f"rejected: {fault}")
        return 1
    print("verified:", ", ".join(f"{found.count(status)} {status}" for status in ("proved", "refuted", "unknown")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
