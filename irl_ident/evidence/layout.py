"""What stands under which key of a file: contents to tree and back (:mod:`irl_ident.evidence.files` has the keys)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.environment import Environment
from irl_ident.evidence.containers import Tree
from irl_ident.evidence.fields import Fields, groups
from irl_ident.evidence.observations import Counts, Policy, Trajectories
from irl_ident.evidence.reading import checked
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


def tree_of(contents: Contents) -> Tree:
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
    if env.positions is not None:
        fields["positions"] = env.positions
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


def contents_of(tree: Tree) -> Contents:
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
    return Contents(environments, evidence, _family(Fields("family/", family), environments) if family else None)


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
    if "positions" in fields:
        given["positions"] = fields.floats("positions", (n_states, 2))
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


def _family(fields: Fields, environments: tuple[Environment, ...]) -> RewardFamily:
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
        for env in environments:
            family.matrix(env)
    return family
