"""Mutations of JSON by structure: values, types, keys, nesting, keys given twice, and numbers that no double holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from fuzz.choices import Choices

Reseal: TypeAlias = Callable[[Any], Any]
"""Puts the right checksum into a document."""


class Literal(str):
    """Text that stands in the file as it is."""


class Twice(dict[str, Any]):
    """An object that is written with its first key given twice."""


LITERALS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "1E+308", "-0", "-0.0", "1e5", "1.0", "0.5"),
    *("5e-324", "9007199254740993", "18446744073709551616", "-9223372036854775809", "1" + "0" * 400, "9" * 5000),
    *("1e999999999", "1e-999999999", '"\\ud800"', '"\\u0000"', '"0"', '"1.0"', '""', '"é"', "true", "false", "null"),
    *("[]", "{}", "[[]]", "[{}]", "[null]", '{"": 0}', '{"kind": "not"}', '{"a/b": 1}'),
    *("-1", "0", "1", "2", "3", "255", "65536", "4294967296", "1000000000000"),
)
DEPTHS = (70, 500, 2000, 100_000)
LONG = (1000, 50_000)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values below the root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = []
    for key, value in items:
        found += [(*path, key), *places(value, (*path, key))]
    return found


def mutated(tree: Any, choices: Choices) -> Any:
    """A copy of ``tree`` with one place changed."""
    copy = json.loads(json.dumps(tree))
    everywhere = places(copy)
    if not everywhere:
        return Literal(choices.pick(LITERALS))
    *above, last = choices.pick(everywhere)
    branch = copy
    for key in above:
        branch = branch[key]
    old = branch[last]
    match choices.below(12):
        case 0 | 1 | 2 | 3:
            branch[last] = Literal(choices.pick(LITERALS))
        case 4:
            del branch[last]
        case 5:
            depth = choices.pick(DEPTHS)
            branch[last] = Literal(choices.pick(("[", '{"of":')) * depth)
        case 6:
            branch[last] = [old] * choices.pick((1, 2, *LONG)) if len(json.dumps(old)) < 40 else [old]
        case 7:
            *others, key = choices.pick(everywhere)
            other = copy
            for part in others:
                other = other[part]
            branch[last] = json.loads(json.dumps(other[key]))
        case 8:
            if isinstance(branch, dict):
                branch[choices.pick(("", "/", "0", "kind", "colour", "é", "x" * 300, *map(str, branch)))] = old
            else:
                branch.insert(choices.below(len(branch) + 1), old)
        case 9:
            if isinstance(old, int | float) and not isinstance(old, bool):
                branch[last] = choices.pick((old + 1, -old, old * (1 + 1e-9), old * (1 + 1e-6), old / 3, float(old)))
            elif isinstance(old, str):
                branch[last] = choices.pick((old + " ", old.upper(), old * 1000, old[:-1], old + "\n"))
            elif isinstance(old, list) and old:
                branch[last] = choices.pick((old[::-1], old[:-1], old + old, [old], old[0]))
        case 10:
            branch[last] = {str(i): x for i, x in enumerate(old)} if isinstance(old, list) else [old]
        case 11:
            if isinstance(old, dict) and old:
                branch[last] = Twice(old)
    return copy


def text(tree: Any) -> str:
    """JSON, with literals as they are."""
    match tree:
        case Literal():
            return str(tree)
        case Twice():
            items = list(tree.items())
            return "{" + ", ".join(f"{json.dumps(k)}: {text(v)}" for k, v in [*items, items[0]]) + "}"
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {text(value)}" for key, value in tree.items()) + "}"
        case list():
            return "[" + ", ".join(text(value) for value in tree) + "]"
    return json.dumps(tree)


def mutated_text(tree: Any, choices: Choices, reseal: Reseal) -> str:
    """The text of a mutated tree, in half of all cases with its checksum made right."""
    changed = tree
    right = choices.one_in(2)
    for _ in range(1 + choices.below(2)):
        written = text(mutated(changed, choices))
        try:
            changed = json.loads(written)
        except (ValueError, RecursionError):
            return written
    if not right:
        return written
    try:
        return text(reseal(changed))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return written
