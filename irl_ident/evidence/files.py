"""Evidence, environments and reward families in files.

A file is a tree of named values, in one of two containers:

* ``.json``: the tree as JSON; arrays are (nested) lists; no NaN or infinity; no key twice.
* ``.npz``: NumPy's zip of arrays; a value's name is its path in the tree, joined by ``/``
  (``environments/0/discount``); numbers and words are arrays without dimensions; nothing is pickled.

Numbers in JSON have to fit double precision, and a file may not be nested without end.  An archive may hold 256 MiB, or
64 times its own size where that is more.

The container is told by the content, not by the name.  Version 1 of the tree (S states, A actions, N stored entries):

================================  ======================================================================================
``format``                        ``"irl_ident"``
``version``                       1
``sha256``                        of all other values, optional.  JSON: of the tree as JSON with sorted keys and
                                  without spaces; npz: of each other key in order, a NUL and the sha256 (32 bytes) of
                                  its ``.npy`` member
``environments/i/shape``          S, A
``environments/i/discount``       number in [0, 1]
``environments/i/indptr``         S * A + 1 whole numbers: transitions in compressed sparse rows, row ``s * A + a``
``environments/i/indices``        N next states
``environments/i/data``           N probabilities
``environments/i/transitions``    (S, A, S) probabilities: may stand instead of the three before
``environments/i/initial``        S probabilities; optional (uniform)
``environments/i/states``         S names; optional (``s0``, ``s1``, ...)
``environments/i/actions``        A names; optional (``a0``, ``a1``, ...)
``environments/i/positions``      (S, 2): row and column at which pictures put each state, all different, whole numbers
                                  for cells of a grid; optional
``evidence/j/environment``        index ``i`` of the environment that it was seen in
``evidence/j/kind``               ``"policy"``, ``"trajectories"`` or ``"counts"``
``evidence/j/probabilities``      policy: (S, A); rows of 0 where nothing was observed
``evidence/j/shows``              policy: ``"all"`` or ``"some"`` of the optimal actions
``evidence/j/counts``             counts: (S, A) whole numbers
``evidence/j/lengths``            trajectories: number of actions of each episode
``evidence/j/states``             trajectories: the states of all episodes end to end, one more than actions in each
``evidence/j/actions``            trajectories: the actions of all episodes end to end.  In JSON both may be lists
                                  of one list for each episode; ``lengths`` is then left out
``family/kind``                   ``"state"``, ``"state-action"``, ``"transition"`` or ``"linear"``; optional
``family/n_states``               but for linear families
``family/n_actions``              for state-action and transition families
``family/features``               (S, A, d), for linear families
``family/names``                  d names, optional, for linear families
================================  ======================================================================================

Indices i and j count from 0 without gaps.  A file without evidence is a list of environments, such as an experimenter's
candidates.  Unknown keys are errors.  Whatever is written is read again bit by bit: floats are written to JSON in the
shortest form that reads back the same.

>>> import tempfile, pathlib
>>> import numpy as np
>>> from irl_ident import Environment
>>> from irl_ident.evidence import Counts, load, save
>>> env = Environment(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]), discount=0.9)
>>> with tempfile.TemporaryDirectory() as folder:
...     file = pathlib.Path(folder) / "seen.json"
...     save(file, [(env, Counts([[3, 1], [0, 0]]))])
...     ((again, observation),) = load(file)
>>> again.digest == env.digest, observation
(True, Counts(2 states, 2 actions, 4 choices))
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from irl_ident import untrusted
from irl_ident.environment import Environment
from irl_ident.evidence import containers, layout
from irl_ident.evidence.layout import Contents
from irl_ident.evidence.reading import Evidence, Pairs, checked
from irl_ident.rewards import RewardFamily
from irl_ident.writing import write_whole


def save(path: str | Path, evidence: Evidence, *, family: RewardFamily | None = None) -> None:
    """Write evidence to a file.

    Parameters
    ----------
    path : str or Path
        Ends in ``.npz`` or ``.json``.  The file appears whole or not at all; one that was there is replaced.
    evidence : sequence of (Environment, observation)
        Arrays are read back as :class:`Policy`; equal environments are written once.
    family : RewardFamily, optional
        The family in which objectives are to be looked for.

    Raises
    ------
    ValueError
        For another suffix, evidence that does not go together, or names that cannot be stored.
    """
    pairs = checked(evidence)
    environments = {env.digest: env for env, _ in pairs}
    write(path, Contents(tuple(environments.values()), tuple(pairs), family))


def save_environments(
    path: str | Path, environments: Iterable[Environment], *, family: RewardFamily | None = None
) -> None:
    """Write a list of environments, such as an experimenter's candidates; parameters as for :func:`save`."""
    write(path, Contents(tuple(environments), (), family))


def load(path: str | Path) -> Pairs:
    """Read the evidence in a file.

    Raises
    ------
    ValueError
        One line that names the file and the key at fault, when the file is damaged, foreign, or holds no evidence.
    OSError
        When the file cannot be opened.
    """
    evidence = read(path).evidence
    if not evidence:
        raise ValueError(f"{path}: evidence: is missing, this file holds environments only")
    return list(evidence)


def load_environments(path: str | Path) -> list[Environment]:
    """Read the environments in a file; errors as of :func:`load`."""
    return list(read(path).environments)


def write(path: str | Path, contents: Contents) -> None:
    """Write all that a file can hold; see :func:`save`.

    Every environment of ``contents.evidence`` should be in ``contents.environments``.
    """
    target = Path(path)
    packed = containers.pack(layout.tree_of(contents), target)
    write_whole(target, lambda file: file.write_bytes(packed))


def read(path: str | Path) -> Contents:
    """Read all that is in a file; errors as of :func:`load`."""
    packed = untrusted.content(path)
    try:
        return layout.contents_of(containers.unpack(packed))
    except ValueError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
