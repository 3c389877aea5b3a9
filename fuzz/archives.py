"""Mutations of NumPy's npz by structure: members, their headers, types, shapes and values, and pickles in disguise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fuzz.choices import Choices

Members = dict[str, bytes]
Reseal = Callable[[Members], Members]

TYPES = ("f2", "f4", ">f8", "f8", "g", "i1", "i4", "i8", "u8", "b1", "c16", "M8[s]", "m8[s]", "S4", "U3", "V4", "O")
SHAPES = ("(10000000000000,)", "(-1,)", "(0,)", "()", "(3, 0)", "(2,)*40", "True", "(1e3,)", "(True,)", "((1,),)", "(")
DESCRIPTIONS = ("'<U0'", "'|V0'", "'<f8,'", "'|O'", "[('a','<f8')]", "('<f8',(2,))", "1", "'<x9'", "'f8" + "[" * 80)
NUMBERS = (0, 1, -1, 2, 0.5, 1 + 1e-9, 1e-300, 5e-324, np.nan, np.inf, -np.inf, 1e308, 2.0**53, 2.0**63, 1e-12)
WORDS = ("", "x", "policy", "all", "\0", "\ud800", "{", "[" * 2000, '{"format": 1}')


def members(packed: bytes) -> Members:
    """Names and contents of an archive."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def array_bytes(array: Any) -> bytes:
    """An ``.npy`` file; arrays of objects are pickled."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def packed(given: Mapping[str, bytes], choices: Choices | None = None) -> bytes:
    """An archive; with ``choices`` perhaps with another compression, or a member twice."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED
    twice = False
    if choices is not None:
        method = choices.pick((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        twice = choices.one_in(8)
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in given.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
        if twice and given:
            name = next(iter(given))
            archive.writestr(zipfile.ZipInfo(name), given[name], method)
    return buffer.getvalue()


def mutated(given: Members, choices: Choices) -> Members:
    """A copy with one member changed."""
    changed = dict(given)
    name = choices.pick(list(changed) or [""])
    content = changed.pop(name, b"")
    match choices.below(9):
        case 0:
            return changed
        case 1:
            changed[choices.pick(("x.npy", "", "../x.npy", "a/b.npy", "x.txt", name[:-4], name + "\n"))] = content
        case 2:
            changed[name] = _reheaded(content, choices)
        case 3:
            changed[name] = content[: choices.below(len(content) + 1)]
        case 4:
            changed[name] = b"\0" * (1 << choices.pick((4, 16, 22)))
        case 5:
            changed[name] = array_bytes(np.array([{"a": 1}, object], dtype=object))
        case 6:
            changed[name] = array_bytes(choices.pick((*NUMBERS, *WORDS)))
        case _:
            changed[name] = _altered(content, choices)
    return changed


def _altered(content: bytes, choices: Choices) -> bytes:
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        match choices.below(5):
            case 0:
                array = array.astype(choices.pick(TYPES))
            case 1:
                array = array.copy()
                array.flat[choices.below(max(1, array.size))] = choices.pick(NUMBERS)
            case 2:
                array = choices.pick((array[None], array.ravel(), array[:0], array[::-1], array.repeat(2)))
            case 3:
                array = array.ravel()[:20].repeat(choices.pick((1000, 30_000)))
            case _:
                array = np.asfortranarray(array)
        return array_bytes(array)
    except (ValueError, TypeError, IndexError, OverflowError, RecursionError):
        return content


def _reheaded(content: bytes, choices: Choices) -> bytes:
    """The same content behind another header."""
    shape, description = "(2,)", "'<f8'"
    if choices.one_in(2):
        shape = choices.pick(SHAPES)
    else:
        description = choices.pick(DESCRIPTIONS)
    order = choices.pick(("False", "True", "0", "None"))
    header = f"{{'descr': {description}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    version = choices.pick((b"\1\0", b"\2\0", b"\3\0", b"\4\0"))
    size = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + size + header + content[128:]


def mutated_archive(given: Members, choices: Choices, reseal: Reseal) -> bytes:
    """An archive of mutated members, in half of all cases with its checksum made right."""
    right = choices.one_in(2)
    for _ in range(1 + choices.below(2)):
        given = mutated(given, choices)
    return packed(reseal(given) if right else given, choices)
