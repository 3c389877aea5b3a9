"""The two containers of a tree of named values: JSON, and NumPy's zip of arrays.

A tree is held flat: its keys are paths joined by ``/``, its values words, numbers, tuples of words or arrays (lists,
when they were read from JSON).  The format that is built on this is described in :mod:`irl_ident.evidence.files`.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from irl_ident import untrusted

Tree = dict[str, Any]
"""Values by path."""

CHECKSUM = "sha256"
"""The key of the checksum of all other values: first in an archive, where damage to the directory cannot hide it."""

ALTERED = f"{CHECKSUM}: does not match, the file was altered; remove this key if that was meant"


def pack(tree: Tree, path: Path) -> bytes:
    """Bytes of ``tree`` in the container that the suffix of ``path`` asks for."""
    if path.suffix == ".json":
        return _pack_json(tree)
    if path.suffix == ".npz":
        return _pack_npz(tree)
    raise ValueError(f"path: {path} should end in .npz or .json")


def unpack(packed: bytes) -> Tree:
    """The tree in ``packed``; ``ValueError`` when there is none or it is damaged."""
    return _unpack_npz(packed) if packed[:2] == b"PK" else _unpack_json(packed)


def _pack_json(tree: Tree) -> bytes:
    nested: dict[str, Any] = {}
    for path, value in tree.items():
        *above, last = path.split("/")
        branch = nested
        for part in above:
            branch = branch.setdefault(part, {})
        branch[last] = value.tolist() if isinstance(value, np.ndarray) else value
    for name in ("environments", "evidence"):
        if name in nested:
            nested[name] = list(nested[name].values())
    return json.dumps({**nested, CHECKSUM: _sha256(nested)}, allow_nan=False).encode("ascii")


def _unpack_json(packed: bytes) -> Tree:
    try:
        nested = untrusted.parsed(packed)
        if not isinstance(nested, dict):
            raise ValueError("format: is missing, this JSON is not an object")
        if CHECKSUM in nested and nested.pop(CHECKSUM) != _sha256(nested):
            raise ValueError(ALTERED)
        tree: Tree = {}
        _flatten(nested, "", tree)
    except RecursionError as error:
        raise ValueError("is nested too deeply to be of this format") from error
    return tree


def _flatten(branch: Any, prefix: str, tree: Tree) -> None:
    if not branch:
        raise ValueError(f"{prefix.removesuffix('/') or 'format'}: is an object without keys")
    for key, value in branch.items():
        path = prefix + key
        if "/" in key:
            raise ValueError(f"{path}: is not a key of this format")
        if isinstance(value, dict):
            _flatten(value, path + "/", tree)
        elif isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
            for place, part in enumerate(value):
                _flatten(part, f"{path}/{place}/", tree)
        else:
            tree[path] = value


def _sha256(nested: dict[str, Any]) -> str:
    text = json.dumps(nested, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _pack_npz(tree: Tree) -> bytes:
    members: dict[str, bytes] = {}
    for path, value in tree.items():
        if isinstance(value, tuple) and any("\0" in word for word in value):
            raise ValueError(f"{path}: a name holds the character NUL, which cannot be stored")
        members[path] = _npy(np.asarray(value))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {CHECKSUM: _npy(np.array(_sha256_of_members(members))), **members}.items():
            info = zipfile.ZipInfo(f"{path}.npy")
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    npy.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _sha256_of_members(members: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for path in sorted(members):
        total.update(path.encode() + b"\0" + hashlib.sha256(members[path]).digest())
    return total.hexdigest()


def _unpack_npz(packed: bytes) -> Tree:
    """Read every member whole, and compare the checksums, before any of it is interpreted."""
    members = untrusted.members(packed)
    stated = members.pop(CHECKSUM, None)
    if stated is not None and untrusted.array(stated).tolist() != _sha256_of_members(members):
        raise ValueError(ALTERED)
    tree: Tree = {}
    for name, content in members.items():
        try:
            tree[name] = untrusted.array(content)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return tree
