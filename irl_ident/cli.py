"""The command line: what evidence in files says, and which environment to try next."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import irl_ident as ii
from irl_ident import evidence as evidence_room
from irl_ident.design.behaviour import behaviour_labels, temperature_of
from irl_ident.environment import Array, Environment
from irl_ident.identified import IdentifiedSet
from irl_ident.rewards import RewardFamily, StateActionRewards, StateRewards

MOST_RANGES = 40
"""Intervals of canonical rewards take a linear program for each pair: beyond so many parameters they are left out."""

app = typer.Typer(
    name="irl-ident",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From behaviour in files: what is known of the objective, and which environment to try next.",
)


class Rewards(str, Enum):
    """Families that need no file."""

    state = "state"
    state_action = "state-action"


class Assumed(str, Enum):
    """Rationalities."""

    optimal = "optimal"
    soft = "soft"


Files = Annotated[list[Path], typer.Argument(help="Evidence: .npz or .json, see the documentation of the file format.")]
RewardsOption = Annotated[
    Rewards | None, typer.Option("--rewards", help="Reward family; that of the files, or state, when not given.")
]
AssumedOption = Annotated[Assumed, typer.Option("--rationality", help="How objectives become behaviour.")]
TemperatureOption = Annotated[float, typer.Option(help="Of soft-optimal agents.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def assess(
    files: Files,
    rewards: RewardsOption = None,
    rationality: AssumedOption = Assumed.optimal,
    temperature: TemperatureOption = 1.0,
    as_json: JsonOption = False,
    out: Annotated[Path, typer.Option(help="Folder for assessment.pdf and assessment.png.")] = Path(),
) -> None:
    """Say what is known and what is open, and draw it."""
    with one_clear_line():
        ident = identified_from(files, rewards, rationality, temperature)
        report = ident.report()
        consistent = ident.conflict is None
        pair = ident.farthest_pair() if consistent else None
        ranges = ranges_of(ident) if consistent else None
        drawing = drawn(ident, ranges, pair, out) if ranges is not None and pair is not None else None
        if as_json:
            print_json(
                {
                    "report": report.as_dict(),
                    "parameters": list(ident.family.parameters),
                    "ranges": None if ranges is None else [[finite(low), finite(high)] for low, high in ranges],
                    "farthest_pair": None if pair is None else [theta.tolist() for theta in pair],
                    "figure": drawing,
                }
            )
            return
        print(report)
        if ranges is not None and pair is not None:
            console().print(ranges_table(ident, ranges, pair))
        if drawing is not None:
            print(f"Drawn in {drawing}")


@app.command("next")
def next_environment(
    files: Files,
    candidates: Annotated[list[Path], typer.Option(help="Environments to choose from: .npz or .json.")],
    rewards: RewardsOption = None,
    rationality: AssumedOption = Assumed.optimal,
    temperature: TemperatureOption = 1.0,
    samples: Annotated[int, typer.Option(help="Objectives to draw from the identified set.", min=2)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Say which environment to try next, and why."""
    with one_clear_line():
        ident = identified_from(files, rewards, rationality, temperature)
        named = [(f"{path}#{i}", env) for path in candidates for i, env in enumerate(read_environments(path))]
        environments = [env for _, env in named]
        strategy = ii.design.Greedy(samples=samples, seed=seed)
        scores = strategy.score(ident, environments)
        thetas = np.vstack([ident.sample(samples, seed), *ident.farthest_pair()])
        labels = behaviour_labels(environments, ident.family, thetas, ident.rationality, temperature_of(ident))
        tells = labels[:, -2] != labels[:, -1]
        kinds = [len(np.unique(row[:-2])) for row in labels]
        order = np.argsort(-scores, kind="stable")
        ranked = [
            {
                "environment": named[i][0],
                "score": float(scores[i]),
                "behaviours": kinds[i],
                "tells_farthest_pair_apart": bool(tells[i]),
            }
            for i in order
        ]
        if as_json:
            print_json({"samples": samples, "seed": seed, "candidates": ranked})
            return
        console().print(ranking_table(ranked, samples))
        print(why(ranked, samples))


def identified_from(
    files: Sequence[Path], rewards: Rewards | None, rationality: Assumed, temperature: float
) -> IdentifiedSet:
    """The identified set of all evidence in ``files``."""
    contents = [evidence_room.read(path) for path in files]
    for path, content in zip(files, contents, strict=True):
        if not content.evidence:
            raise ValueError(f"{path}: evidence: is missing, this file holds environments only")
    pairs = [pair for content in contents for pair in content.evidence]
    family = family_of(files, [content.family for content in contents], rewards, pairs[0][0])
    return ii.identify(pairs, family, rationality.value, temperature=temperature)


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


def ranges_of(ident: IdentifiedSet) -> Array | None:
    """Certified intervals of canonical rewards, or of the parameters of a soft-optimal agent; None when too many."""
    if isinstance(ident, ii.identified.OptimalSet):
        few = ident.family.dim <= MOST_RANGES and not isinstance(ident.family, ii.rewards.LinearRewards)
        return ident.canonical_ranges() if few else relative_ranges(ident)
    return relative_ranges(ident)


def relative_ranges(ident: IdentifiedSet) -> Array:
    """Intervals of each parameter less the mean of all, (d, 2)."""
    centred = np.eye(ident.family.dim) - 1 / ident.family.dim
    return np.array([[-ident.support(-row)[0], ident.support(row)[0]] for row in centred])


def drawn(ident: IdentifiedSet, ranges: Array, pair: tuple[Array, Array], out: Path) -> str | None:
    """Draw the intervals and the pair; the path of the picture, or None without matplotlib."""
    try:
        from irl_ident import figures
    except ImportError as error:
        print(f"irl-ident: no picture: {error}", file=sys.stderr)
        return None
    with figures.style():
        figure = figures.intervals(ident.family.parameters, ranges, [in_units(ident, theta) for theta in pair])
        _, picture = figures.save(figure, out, "assessment")
    return str(picture)


def in_units(ident: IdentifiedSet, theta: Array) -> Array:
    """A member in the units of :func:`ranges_of`."""
    canonical = (
        isinstance(ident, ii.identified.OptimalSet)
        and ident.family.dim <= MOST_RANGES
        and not isinstance(ident.family, ii.rewards.LinearRewards)
        and np.ptp(theta) > 0
    )
    return (theta - theta.min()) / np.ptp(theta) if canonical else theta - theta.mean()


def ranges_table(ident: IdentifiedSet, ranges: Array, pair: tuple[Array, Array]) -> Table:
    """Intervals, widest first, beside the two objectives that are farthest apart."""
    canonical = isinstance(ident, ii.identified.OptimalSet) and ident.family.dim <= MOST_RANGES
    table = Table(
        title="What each parameter may be" + (" (canonical: 0 least, 1 most)" if canonical else " (less the mean)")
    )
    for heading in ("parameter", "from", "to", "width", "one objective", "another"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    one, another = (in_units(ident, theta) for theta in pair)
    widths = ranges[:, 1] - ranges[:, 0]
    for j in np.argsort(-widths, kind="stable")[:20]:
        cells = (*ranges[j], widths[j], one[j], another[j])
        table.add_row(ident.family.parameters[j], *(f"{value:.3f}" for value in cells))
    if len(widths) > 20:
        table.caption = f"the 20 widest of {len(widths)}"
    return table


def ranking_table(ranked: Sequence[dict[str, Any]], samples: int) -> Table:
    """Candidates, best first."""
    table = Table(title=f"Candidates, by the chance that two of {samples} possible objectives differ there")
    for heading in ("environment", "score", "behaviours", "tells farthest pair apart"):
        table.add_column(heading, justify="left" if heading == "environment" else "right")
    for row in ranked:
        tells = "yes" if row["tells_farthest_pair_apart"] else "no"
        table.add_row(row["environment"], f"{row['score']:.3f}", str(row["behaviours"]), tells)
    return table


def why(ranked: Sequence[dict[str, Any]], samples: int) -> str:
    """The advice in a sentence."""
    best = ranked[0]
    if best["score"] <= 0:
        return f"No candidate tells any two of {samples} possible objectives apart: other environments are needed."
    return (
        f"Try {best['environment']}: {samples} objectives drawn from the identified set show {best['behaviours']} different "
        f"behaviours there, so two of them differ with probability {best['score']:.3f}."
    )


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turn what is wrong with the input into one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        print(f"irl-ident: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(2) from error


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return float(value) if np.isfinite(value) else None


def print_json(document: dict[str, Any]) -> None:
    """Print a document."""
    print(json.dumps(document, indent=2, allow_nan=False))


def console() -> Console:
    """Where tables go; plain text when it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 110)


def main() -> None:
    """Entry point."""
    cast(Any, app)()
