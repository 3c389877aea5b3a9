"""The statement of a certificate as plain data: the exact model, the evidence, the property."""

from __future__ import annotations

from typing import Any

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.certificates.plans import Question
from irl_ident.environment import Environment
from irl_ident.evidence import Policy
from irl_ident.identified.confidence.noisy import NoisySet
from irl_ident.rewards import RewardFamily

FORMAT, VERSION = "irl_ident certificate", 1


def environments_of(question: Question) -> list[Environment]:
    """Every different environment: those of the evidence in order of appearance, then that of deployment."""
    found = {env.digest: env for env in question.premise.ident.environments}
    if question.env is not None:
        found.setdefault(question.env.digest, question.env)
    return list(found.values())


def statement(question: Question) -> dict[str, Any]:
    """What is claimed, as the file holds it."""
    ident, environments = question.premise.ident, environments_of(question)
    places = {env.digest: place for place, env in enumerate(environments)}
    assumed: dict[str, Any] = {"rationality": "optimal"}
    if isinstance(ident, NoisySet):
        assumed = {"rationality": "noisy", "error": ident.error, "level": ident.level, "ties": ident.ties}
    tolerances = question.premise.tolerances
    return {
        "assumed": assumed,
        "tolerances": {"ties": tolerances.ties, "strictness": tolerances.strictness},
        "parameters": ident.family.dim,
        "environments": [environment(env, ident.family) for env in environments],
        "evidence": [{"environment": places[env.digest], **observation(env, seen)} for env, seen in ident.evidence],
        "deployment": None if question.env is None else places[question.env.digest],
        "property": question.prop.fields(question.env),
    }


def environment(env: Environment, family: RewardFamily) -> dict[str, Any]:
    """An environment and the features of its rewards."""
    moves, features = env.transitions.tocoo(), family.matrix(env).tocoo()
    fields: dict[str, Any] = {
        "states": env.n_states,
        "actions": env.n_actions,
        "discount": env.discount,
        "initial": env.initial.tolist(),
        "transitions": [[int(i), int(j), float(p)] for i, j, p in zip(moves.row, moves.col, moves.data, strict=True)],
        "features": [
            [int(i), int(j), float(x)] for i, j, x in zip(features.row, features.col, features.data, strict=True)
        ],
    }
    if env.discount == 1:
        longest = planning.optimal(env, np.ones((env.n_states, env.n_actions))).values
        fields["steps"] = (longest * (1 + 1e-6)).tolist()
    return fields


def observation(env: Environment, seen: Any) -> dict[str, Any]:
    """What was seen; trajectories by how often each action was taken, which is all that matters here."""
    if isinstance(seen, Policy):
        return {"kind": "policy", "probabilities": seen.probabilities.tolist(), "shows": seen.shows}
    return {"kind": "counts", "counts": evidence_room.counts(env, seen).counts.tolist()}
