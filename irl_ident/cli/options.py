"""Options that commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@dataclass(frozen=True)
class Seen:
    """The options of every command on evidence: where it is, and what is assumed; see :func:`irl_ident.identify`."""

    files: Annotated[
        list[Path], typer.Argument(help="Evidence: .npz or .json, see the documentation of the file format.")
    ]
    rewards: Annotated[
        Rewards | None, typer.Option(help="Reward family; that of the files, or state, when not given.")
    ] = None
    rationality: Annotated[Rationality, typer.Option(help="How objectives become behaviour.")] = Rationality.optimal
    temperature: Annotated[float, typer.Option(help="Of soft-optimal agents.")] = 1.0
    error: Annotated[
        float | None, typer.Option(help="Noisy agents: share of actions at random instead, at most; in [0, 1).")
    ] = None
    level: Annotated[
        float | None,
        typer.Option(
            help="Noisy agents, and soft ones whose choices are a sample: the objective is left out with at most this "
            "probability; in (0, 1)."
        ),
    ] = None
    tie_breaking: Annotated[Ties, typer.Option(help="How noisy agents choose among optimal actions.")] = Ties.any


def on_evidence(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is a :class:`Seen`, the options that make one."""
    files, *shared = inspect.signature(Seen, eval_str=True).parameters.values()
    _, *own = inspect.signature(command, eval_str=True).parameters.values()

    @functools.wraps(command)
    def run(**given: Any) -> None:
        command(Seen(**{option.name: given.pop(option.name) for option in (files, *shared)}), **given)

    options = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in (files, *own, *shared)]
    run.__annotations__ = {option.name: option.annotation for option in options}
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return run
