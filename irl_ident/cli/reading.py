"""What is in the files that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import irl_ident as ii
from irl_ident import evidence as evidence_room
from irl_ident.cli.options import Rewards, Seen
from irl_ident.environment import Environment
from irl_ident.identified import IdentifiedSet
from irl_ident.rewards import RewardFamily, StateActionRewards, StateRewards


def identified_from(seen: Seen) -> IdentifiedSet:
    """The identified set of all evidence in files, under what is assumed."""
    contents = [evidence_room.read(path) for path in seen.files]
    for path, content in zip(seen.files, contents, strict=True):
        if not content.evidence:
            raise ValueError(f"{path}: evidence: is missing, this file holds environments only")
    pairs = [pair for content in contents for pair in content.evidence]
    family = family_of(seen.files, [content.family for content in contents], seen.rewards, pairs[0][0])
    return ii.identify(
        pairs,
        family,
        seen.rationality.value,
        temperature=seen.temperature,
        error=seen.error,
        level=seen.level,
        ties=seen.tie_breaking.value,
    )


def family_of(
    files: Sequence[Path], families: Sequence[RewardFamily | None], rewards: Rewards | None, env: Environment
) -> RewardFamily:
    """The family that was asked for, or that the files name, or rewards on states."""
    if rewards is Rewards.state_action:
        return StateActionRewards(env.n_states, env.n_actions)
    named = [(path, family) for path, family in zip(files, families, strict=True) if family is not None]
    if rewards is Rewards.state or not named:
        return StateRewards(env.n_states)
    for path, family in named[1:]:
        if type(family) is not type(named[0][1]) or family.parameters != named[0][1].parameters:
            raise ValueError(f"{path}: family: is another one than that of {named[0][0]}; choose with --rewards")
    return named[0][1]


def read_environments(path: Path) -> list[Environment]:
    """The environments in a file, at least one."""
    found = evidence_room.load_environments(path)
    if not found:
        raise ValueError(f"{path}: environments: are missing")
    return found
