"""``irl-ident next``: which environment to try next, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

import irl_ident as ii
from irl_ident.cli.options import JsonOption, Seen, on_evidence
from irl_ident.cli.printing import console, one_clear_line, print_json
from irl_ident.cli.reading import identified_from, read_environments
from irl_ident.design.behaviour import behaviour_labels, temperature_of
from irl_ident.environment import Environment
from irl_ident.identified import IdentifiedSet


@on_evidence
def next_environment(
    seen: Seen,
    candidates: Annotated[list[Path], typer.Option(help="Environments to choose from: .npz or .json.")],
    samples: Annotated[int, typer.Option(help="Objectives to draw from the identified set.", min=2)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Say which environment to try next, and why."""
    with one_clear_line():
        ident = identified_from(seen)
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
        print(why(ranked, samples, ident))
        print(difference(ident, environments[order[0]], labels[order[0]]))


def ranking_table(ranked: Sequence[dict[str, Any]], samples: int) -> Table:
    """Candidates, best first."""
    table = Table(title=f"Candidates, by the chance that two of {samples} possible objectives differ there")
    for heading in ("environment", "score", "behaviours", "tells farthest pair apart"):
        table.add_column(heading, justify="left" if heading == "environment" else "right")
    for row in ranked:
        tells = "yes" if row["tells_farthest_pair_apart"] else "no"
        table.add_row(row["environment"], f"{row['score']:.3f}", str(row["behaviours"]), tells)
    return table


def why(ranked: Sequence[dict[str, Any]], samples: int, ident: IdentifiedSet) -> str:
    """The advice in a sentence."""
    best = ranked[0]
    if best["score"] <= 0:
        reason = (
            "no environment can resolve what is left" if ident.report().settled else "other environments are needed"
        )
        return f"No candidate tells any two of {samples} possible objectives apart: {reason}."
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
