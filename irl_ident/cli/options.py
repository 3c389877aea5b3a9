"""Options that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Rewards(StrEnum):
    """Families that need no file."""

    state = "state"
    state_action = "state-action"


class Rationality(StrEnum):
    """How objectives become behaviour."""

    optimal = "optimal"
    soft = "soft"
    noisy = "noisy"


class Ties(StrEnum):
    """How noisy agents choose among optimal actions."""

    any = "any"
    even = "even"


Files = Annotated[list[Path], typer.Argument(help="Evidence: .npz or .json, see the documentation of the file format.")]
RewardsOption = Annotated[
    Rewards | None, typer.Option("--rewards", help="Reward family; that of the files, or state, when not given.")
]
RationalityOption = Annotated[Rationality, typer.Option(help="How objectives become behaviour.")]
TemperatureOption = Annotated[float, typer.Option(help="Of soft-optimal agents.")]
ErrorOption = Annotated[
    float | None, typer.Option(help="Noisy agents: share of actions at random instead, at most; in [0, 1).")
]
LevelOption = Annotated[
    float | None,
    typer.Option(help="Noisy agents: the objective is left out with at most this probability; in (0, 1)."),
]
TiesOption = Annotated[Ties, typer.Option("--tie-breaking", help="How noisy agents choose among optimal actions.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
