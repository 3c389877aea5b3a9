"""The command line: what evidence in files says, and which environment to try next."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import irl_ident as ii
from irl_ident import evidence as evidence_room
from irl_ident.design.behaviour import behaviour_labels, temperature_of
from irl_ident.environment import Array, Environment
from irl_ident.identified import IdentifiedSet
from irl_ident.rewards import RewardFamily, StateActionRewards, StateRewards

MOST_RANGES = 40
"""Intervals of canonical rewards take a linear program for each pair of parameters: up to so many."""

MOST_ROWS = 20
"""So many intervals are printed, the widest."""

app = typer.Typer(
    name="irl-ident",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From behaviour in files: what is known of the objective, and which environment to try next.",
)


class Rewards(StrEnum):
    """Families that need no file."""

    state = "state"
    state_action = "state-action"


class Assumed(StrEnum):
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
        ranges = None if ident.conflict is not None else ranges_of(ident)
        drawing = None if ranges is None else drawn(ident, ranges, out)
        if as_json:
            print_json(
                {
                    "report": report.as_dict(),
                    "parameters": list(parameter_names(ident)),
                    "unit": None if ranges is None else ranges.unit,
                    "ranges": None if ranges is None else [[finite(end) for end in row] for row in ranges.intervals],
                    "farthest_pair": None if ranges is None else [member.tolist() for member in ranges.pair],
                    "figure": drawing,
                }
            )
            return
        print(report)
        if ranges is not None:
            console().print(ranges_table(ranges))
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
                "score": max(0.0, float(scores[i])),
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
        print(difference(ident, environments[order[0]], labels[order[0]]))


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


@dataclass(frozen=True, eq=False)
class Ranges:
    """What each parameter may be, and two members that are far apart, in one unit.

    Attributes
    ----------
    unit : str
    names : tuple of str
    intervals : array (d, 2)
    pair : tuple of array (d,)
    """

    unit: str
    names: tuple[str, ...]
    intervals: Array
    pair: tuple[Array, Array]


def ranges_of(ident: IdentifiedSet) -> Ranges:
    """Intervals in the unit that says most.

    Canonical rewards for an optimal agent and a family whose parameters are rewards, up to ``MOST_RANGES`` of them;
    else, for an optimal agent, parameters in the gauge ``|theta|_inf <= 1``, less their mean where constants are free;
    for a soft-optimal agent, parameters less their mean where constants are free.
    """
    family, names = ident.family, parameter_names(ident)
    pair = ident.farthest_pair()
    rewards = not isinstance(family, ii.rewards.LinearRewards)
    if ident.rationality == "optimal" and rewards and family.dim <= MOST_RANGES:
        return Ranges("canonical reward", names, ident.canonical_ranges(), (canonical(pair[0]), canonical(pair[1])))
    free = any(a.kind == "constant" for a in ident.ambiguities)
    directions = np.eye(family.dim) - (1 / family.dim if free else 0)
    steps = track(directions, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    ends = np.array([[-ident.support(-direction)[0], ident.support(direction)[0]] for direction in steps])
    unit = ("parameter less the mean" if free else "parameter") + (
        ", largest at most 1" if ident.rationality == "optimal" else ""
    )
    return Ranges(unit, names, ends, (directions @ pair[0], directions @ pair[1]))


def parameter_names(ident: IdentifiedSet) -> tuple[str, ...]:
    """Names with the states' own names, where all environments agree on them."""
    family = ident.family
    states = {tuple(env.states) for env in ident.environments}
    if isinstance(family, StateRewards) and len(states) == 1:
        return tuple(f"R({state})" for state in states.pop())
    return family.parameters


def canonical(theta: Array) -> Array:
    """Least reward 0, greatest 1; constants become 0."""
    return np.asarray((theta - theta.min()) / (np.ptp(theta) or 1.0))


def drawn(ident: IdentifiedSet, ranges: Ranges, out: Path) -> str | None:
    """Draw the intervals and the pair; the path of the picture, or None without matplotlib."""
    try:
        from irl_ident import figures
    except ImportError as error:
        print(f"irl-ident: no picture: {error}", file=sys.stderr)
        return None
    count = len(ident.environments)
    title = f"{ident.rationality} agent, {count} environment{'s' * (count != 1)}"
    with figures.style():
        figure = figures.intervals(ranges.names, ranges.intervals, ranges.pair, label=ranges.unit, title=title)
        _, picture = figures.save(figure, out, "assessment")
    return str(picture)


def ranges_table(ranges: Ranges) -> Table:
    """Intervals, widest first, beside the two objectives that are farthest apart."""
    table = Table(title=f"What each parameter may be ({ranges.unit})")
    for heading in ("parameter", "from", "to", "width", "one objective", "another"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    widths = ranges.intervals[:, 1] - ranges.intervals[:, 0]
    for j in np.argsort(-widths, kind="stable")[:MOST_ROWS]:
        cells = (*ranges.intervals[j], widths[j], ranges.pair[0][j], ranges.pair[1][j])
        table.add_row(
            ranges.names[j], *(f"{round(value, 3) + 0.0:.3f}" if np.isfinite(value) else "open" for value in cells)
        )
    if len(widths) > MOST_ROWS:
        table.caption = f"the {MOST_ROWS} widest of {len(widths)}"
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
        f"Try {best['environment']}: {samples} objectives drawn from the identified set show {best['behaviours']} "
        f"different behaviours there, so two of them differ with probability {best['score']:.3f}."
    )


def difference(ident: IdentifiedSet, env: Environment, labels: Any) -> str:
    """What the two objectives that are farthest apart do differently in an environment."""
    if labels[-2] == labels[-1]:
        return "The two objectives that are farthest apart behave alike there."
    kind = ii.agents.Optimal if ident.rationality == "optimal" else ii.agents.SoftOptimal
    one, another = (kind(ident.family, theta).policy(env) for theta in ident.farthest_pair())
    state = int(np.abs(one - another).sum(axis=1).argmax())
    first, second = (
        "/".join(env.actions[a] for a in np.flatnonzero(policy[state] >= policy[state].max() - 1e-9))
        for policy in (one, another)
    )
    return (
        f"Of the two objectives that are farthest apart, in {env.states[state]} one goes {first}, the other {second}."
    )


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turn what is wrong with the input into one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        print(f"irl-ident: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as interrupt:
        print("irl-ident: interrupted", file=sys.stderr)
        raise typer.Exit(130) from interrupt


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
