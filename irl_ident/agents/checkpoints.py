"""Files of recurrent learners: NumPy's npz, with plain arrays of single precision and one text of metadata.

An entry for each array of :class:`irl_ident.agents.recurrent.Weights`, ``curve`` (the mean return at each iteration of
training), and ``metadata``: JSON with ``format`` (1), ``encoding``, ``units`` and ``training``.  Nothing is unpickled.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from irl_ident import untrusted
from irl_ident.agents.recurrent import Encoding, RecurrentLearner, Weights, shapes
from irl_ident.writing import write_whole

FORMAT = 1


class CheckpointError(ValueError):
    """Raised for a file that does not hold a recurrent learner; the message says which file and what is wrong."""


def save_learner(learner: RecurrentLearner, path: str | Path) -> None:
    """Write a recurrent learner.

    Parameters
    ----------
    learner : RecurrentLearner
        Its ``training`` has to be writable as JSON.
    path : str or Path
        Ends in ``.npz``.

    Raises
    ------
    ValueError
        For another ending.
    OSError
        When it cannot be written; names the file, which is then as it was.
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"path: was {str(path)!r}, should end in .npz")
    metadata = {
        "format": FORMAT,
        "encoding": asdict(learner.encoding),
        "units": learner.weights.units,
        "training": dict(learner.training),
    }
    arrays = {name: getattr(learner.weights, name) for name in shapes(learner.encoding, learner.weights.units)}
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        metadata=np.array(json.dumps(metadata, sort_keys=True)),
        curve=learner.curve.astype(np.float32),
        **arrays,
    )
    write_whole(path, lambda file: file.write_bytes(packed.getvalue()))


def load_learner(path: str | Path) -> RecurrentLearner:
    """Read a recurrent learner.

    Parameters
    ----------
    path : str or Path
        Written by :func:`save_learner`.

    Returns
    -------
    RecurrentLearner

    Raises
    ------
    CheckpointError
        When an entry is missing or not foreseen, or an array has another shape or type than the metadata imply, or an
        entry that is not finite.
    ValueError
        For what is no regular file.
    OSError
        When the file cannot be opened.
    """
    entries = _entries(path)
    metadata = _metadata(path, entries)
    encoding, units = _architecture(path, metadata)
    expected = shapes(encoding, units)
    if set(entries) != {"metadata", "curve", *expected}:
        odd = sorted(set(entries) ^ {"metadata", "curve", *expected})
        raise CheckpointError(f"{path}: these entries are missing or not foreseen: {', '.join(odd)}")
    if entries["curve"].ndim != 1:
        raise CheckpointError(f"{path}: curve has shape {entries['curve'].shape}, should be (iterations,)")
    for name, shape in {**expected, "curve": entries["curve"].shape}.items():
        array = entries[name]
        if array.dtype != np.float32 or array.shape != shape or not np.isfinite(array).all():
            raise CheckpointError(
                f"{path}: {name} is {array.dtype} of shape {array.shape}, should be finite float32 of shape {shape}"
            )
    weights = Weights(**{name: entries[name] for name in expected})
    return RecurrentLearner(encoding, weights, metadata["training"], entries["curve"].astype(float))


def _entries(path: str | Path) -> dict[str, Any]:
    packed = untrusted.content(path)
    try:
        return untrusted.arrays(packed)
    except ValueError as error:
        raise CheckpointError(f"{path}: is not an npz file of plain arrays ({error})") from error


def _metadata(path: str | Path, entries: dict[str, Any]) -> dict[str, Any]:
    try:
        metadata = untrusted.parsed(str(entries["metadata"][()]).encode())
        known = metadata["format"] == FORMAT and isinstance(metadata["training"], dict)
        odd = set(metadata) - {"format", "encoding", "units", "training"}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: metadata should be JSON with format, encoding, units and training") from error
    if odd:
        raise CheckpointError(f"{path}: metadata has keys that are not foreseen: {', '.join(sorted(odd))}")
    if not known:
        raise CheckpointError(f"{path}: format is {metadata['format']!r}, should be {FORMAT}, with training an object")
    return dict(metadata)


def _architecture(path: str | Path, metadata: dict[str, Any]) -> tuple[Encoding, int]:
    try:
        encoding, units = Encoding(**metadata["encoding"]), metadata["units"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: encoding is {metadata.get('encoding')!r}, which is none ({error})") from error
    if type(units) is not int or units < 1:
        raise CheckpointError(f"{path}: units is {units!r}, should be a whole number of at least 1")
    return encoding, units
