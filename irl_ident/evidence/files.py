"""Evidence, environments and reward families in files.

A file is a tree of named values, in one of two containers:

* ``.json``: the tree as JSON; arrays are (nested) lists; no NaN or infinity; no key twice.
* ``.npz``: NumPy's zip of arrays; a value's name is its path in the tree, joined by ``/``
  (``environments/0/discount``); numbers and words are arrays without dimensions; nothing is pickled.

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

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.environment import Environment
from irl_ident.evidence import containers
from irl_ident.evidence.containers import Tree
from irl_ident.evidence.fields import Fields, groups
from irl_ident.evidence.observations import Counts, Policy, Trajectories
from irl_ident.evidence.reading import Evidence, Pairs, checked
from irl_ident.rewards import LinearRewards, RewardFamily, StateActionRewards, StateRewards, TransitionRewards

FORMAT = "irl_ident"
VERSION = 1


@dataclass(frozen=True)
class Contents:
    """What is in a file.

    Parameters
    ----------
    environments : tuple of Environment
        All of them; those of the evidence are among them.
    evidence : tuple of (Environment, observation)
        Empty in a file of environments only.
    family : RewardFamily, optional
    """

    environments: tuple[Environment, ...]
    evidence: tuple[tuple[Environment, Policy | Trajectories | Counts], ...] = ()
    family: RewardFamily | None = None


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
    packed = containers.pack(_tree(contents), target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")
    try:
        with partial.open("xb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | Path) -> Contents:
    """Read all that is in a file; errors as of :func:`load`."""
    packed = Path(path).read_bytes()
    try:
        return _contents(containers.unpack(packed))
    except ValueError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error


def _tree(contents: Contents) -> Tree:
    """Lay contents out by key."""
    if not contents.environments:
        raise ValueError("environments: should hold at least one")
    tree: Tree = {"format": FORMAT, "version": VERSION}
    place: dict[str, int] = {}
    for i, env in enumerate(contents.environments):
        place.setdefault(env.digest, i)
        for key, value in _environment_fields(env).items():
            tree[f"environments/{i}/{key}"] = value
    for j, (env, observation) in enumerate(contents.evidence):
        if env.digest not in place:
            raise ValueError(f"evidence[{j}]: its environment is not among the environments")
        fields = {"environment": place[env.digest], **_observation_fields(observation)}
        for key, value in fields.items():
            tree[f"evidence/{j}/{key}"] = value
    for key, value in _family_fields(contents.family).items():
        tree[f"family/{key}"] = value
    return tree


def _environment_fields(env: Environment) -> Tree:
    fields: Tree = {
        "shape": np.array([env.n_states, env.n_actions], dtype=np.int64),
        "discount": env.discount,
        "indptr": env.transitions.indptr.astype(np.int64),
        "indices": env.transitions.indices.astype(np.int64),
        "data": env.transitions.data,
        "initial": env.initial,
    }
    if env.states != tuple(f"s{i}" for i in range(env.n_states)):
        fields["states"] = env.states
    if env.actions != tuple(f"a{i}" for i in range(env.n_actions)):
        fields["actions"] = env.actions
    return fields


def _observation_fields(observation: Policy | Trajectories | Counts) -> Tree:
    if isinstance(observation, Policy):
        return {"kind": "policy", "probabilities": observation.probabilities, "shows": observation.shows}
    if isinstance(observation, Counts):
        return {"kind": "counts", "counts": observation.counts}
    return {
        "kind": "trajectories",
        "lengths": observation.lengths,
        "states": np.concatenate([states for states, _ in observation]),
        "actions": np.concatenate([actions for _, actions in observation]),
    }


def _family_fields(family: RewardFamily | None) -> Tree:
    match family:
        case None:
            return {}
        case StateRewards():
            return {"kind": "state", "n_states": family.n_states}
        case StateActionRewards():
            return {"kind": "state-action", "n_states": family.n_states, "n_actions": family.n_actions}
        case TransitionRewards():
            return {"kind": "transition", "n_states": family.n_states, "n_actions": family.n_actions}
        case LinearRewards():
            names = {} if family.names is None else {"names": tuple(family.names)}
            return {"kind": "linear", "features": family.features, **names}
    raise ValueError(f"family: {type(family).__name__} cannot be written to a file")


def _contents(tree: Tree) -> Contents:
    """Read contents by key; raise ``ValueError`` that begins with the key at fault."""
    top = Fields("", {key: value for key, value in tree.items() if "/" not in key})
    if top.word("format", default="") != FORMAT:
        raise ValueError(f'format: should be "{FORMAT}": this is a file of something else')
    if (version := top.whole("version")) != VERSION:
        raise ValueError(f"version: is {version}, this release reads version {VERSION}")
    top.done()
    environments = tuple(_environment(fields) for fields in groups(tree, "environments"))
    if not environments:
        raise ValueError("environments: is missing")
    evidence = tuple(_pair(fields, environments) for fields in groups(tree, "evidence"))
    if evidence:
        evidence = tuple(checked(evidence))
    family = {key.removeprefix("family/"): value for key, value in tree.items() if key.startswith("family/")}
    for key in tree:
        if "/" in key and key.split("/")[0] not in ("environments", "evidence", "family"):
            raise ValueError(f"{key}: is not a key of this format")
    return Contents(environments, evidence, _family(Fields("family/", family)) if family else None)


def _environment(fields: Fields) -> Environment:
    shape = fields.integers("shape", (2,))
    n_states, n_actions = (int(n) for n in shape)
    if n_states < 1 or n_actions < 1:
        raise ValueError(
            f"{fields.prefix}shape: is {n_states}, {n_actions}: should be positive numbers of states and actions"
        )
    discount = fields.number("discount")
    if "transitions" in fields:
        transitions: Any = fields.floats("transitions", (n_states, n_actions, n_states))
    else:
        transitions = _rows(fields, n_states, n_actions)
    given: dict[str, Any] = {}
    if "initial" in fields:
        given["initial"] = fields.floats("initial", (n_states,))
    given |= {key: fields.words(key) for key in ("states", "actions") if key in fields}
    fields.done()
    with fields.located():
        return Environment(transitions, discount, **given)


def _rows(fields: Fields, n_states: int, n_actions: int) -> sparse.csr_array:
    indptr = fields.integers("indptr", (n_states * n_actions + 1,))
    indices = fields.integers("indices", (None,))
    data = fields.floats("data", indices.shape)
    if indptr[0] != 0 or indptr[-1] != data.size or (np.diff(indptr) < 0).any():
        raise ValueError(
            f"{fields.prefix}indptr: should rise from 0 to {data.size}, the number of probabilities in data"
        )
    if data.size and not (indices.min() >= 0 and indices.max() < n_states):
        raise ValueError(f"{fields.prefix}indices: should be states, from 0 to {n_states - 1}")
    return sparse.csr_array((data, indices, indptr), shape=(n_states * n_actions, n_states))


def _pair(fields: Fields, environments: tuple[Environment, ...]) -> tuple[Environment, Policy | Trajectories | Counts]:
    place = fields.whole("environment")
    if not 0 <= place < len(environments):
        raise ValueError(
            f"{fields.prefix}environment: is {place}, the file has environments 0 to {len(environments) - 1}"
        )
    kind = fields.word("kind")
    observation: Policy | Trajectories | Counts
    with fields.located():
        match kind:
            case "policy":
                observation = Policy(fields.floats("probabilities", (None, None)), fields.word("shows"))  # type: ignore[arg-type]
            case "counts":
                observation = Counts(fields.integers("counts", (None, None)))
            case "trajectories":
                observation = _trajectories(fields)
            case _:
                raise ValueError(f'kind: is {kind!r}, should be "policy", "trajectories" or "counts"')
        fields.done()
        observation.check(environments[place])
    return environments[place], observation


def _trajectories(fields: Fields) -> Trajectories:
    if "lengths" not in fields:
        return Trajectories(fields.ragged("states"), fields.ragged("actions"))
    lengths = fields.integers("lengths", (None,))
    states = fields.integers("states", (None,))
    actions = fields.integers("actions", (None,))
    steps = sum(int(length) for length in lengths)
    if lengths.size == 0 or lengths.min() < 0 or steps != actions.size or steps + lengths.size != states.size:
        raise ValueError(
            f"lengths: should be numbers >= 0 that sum to the number of actions ({actions.size}), and each episode "
            f"should have one state more than actions ({states.size} states, {lengths.size} episodes)"
        )
    ends = np.cumsum(lengths)[:-1]
    return Trajectories(np.split(states, ends + np.arange(1, lengths.size)), np.split(actions, ends), lengths)


def _family(fields: Fields) -> RewardFamily:
    kind = fields.word("kind")
    family: RewardFamily
    with fields.located():
        match kind:
            case "state":
                family = StateRewards(fields.whole("n_states"))
            case "state-action":
                family = StateActionRewards(fields.whole("n_states"), fields.whole("n_actions"))
            case "transition":
                family = TransitionRewards(fields.whole("n_states"), fields.whole("n_actions"))
            case "linear":
                names = fields.words("names") if "names" in fields else None
                family = LinearRewards(fields.floats("features", (None, None, None)), names=names)
            case _:
                raise ValueError(f'kind: is {kind!r}, should be "state", "state-action", "transition" or "linear"')
        fields.done()
    return family
