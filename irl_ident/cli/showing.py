"""How certificates and twins are printed, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from irl_ident.certificates import Certificate, Twins, checking
from irl_ident.cli.printing import MOST_ROWS, console
from irl_ident.cli.telling import telling_walk, told
from irl_ident.cli.walks import Walk, walk_on
from irl_ident.environment import Array
from irl_ident.identified import IdentifiedSet


def print_certificate(certificate: Certificate, where: str | None, most: int) -> None:
    """The statement, the status, and the witness in words."""
    tolerances = certificate.document["statement"]["tolerances"]
    ident = certificate.ident
    seen = f"in {_counted(len(ident.environments), 'environment')}"
    print("Spoken of")
    print(f"  every objective, no parameter above 1 in size, that explains what was seen {seen}: what was shown")
    print(f"  is optimal up to {tolerances['ties']:g}, what is known to be worse is so by {tolerances['strictness']:g}")
    if certificate.level is not None:
        print(f"  the agent's own objective is one of these with probability at least {1 - certificate.level:g}")
    print("Asked" if where is None else f"Asked, of deployment in {where}")
    print(f"  {certificate.prop}")
    print(f"Verdict: {certificate.status}")
    if certificate.status == "proved":
        print(f"  it holds of every one; the proof has {_counted(certificate.regions, 'region')}")
    elif certificate.status == "unknown":
        print(f"  neither proof nor witness was found in {_counted(certificate.regions, 'region')}")
        print(f"  {advice(certificate, most)}")
    elif certificate.witness is not None:
        same = "would have behaved as was seen" if certificate.level is None else "is not ruled out by what was seen"
        print(f"  an agent with this objective {same} {seen}")
        if certificate.trivial:
            print("  since everything is the same to it; no other was found")
        if certificate.policy is not None and certificate.env is not None:
            walk = telling_walk(certificate)
            print(f"  and would do this in deployment{'' if walk.sure else ', if chance has it so'}:")
            print(f"    {walk.words(certificate.env)}")
        for line in told(certificate):
            print(f"  {line}")
        console().print(objectives_table(ident, [("the witness", certificate.witness)]))


def advice(certificate: Certificate, most: int) -> str:
    """What may help where nothing was decided."""
    if certificate.regions >= most:
        return "more --regions may decide it"
    return "what is left are near-ties, a property with some room may be decided"


def print_twins(pair: Twins, ident: IdentifiedSet) -> None:
    """Two objectives, and what they do."""
    print("Twins")
    print(f"  {pair}")
    if pair.distance > 0:
        for name, walk, regret in zip(("one", "the other"), walks(pair), pair.regrets, strict=True):
            print(f"  {name}: {walk.words(pair.env)}")
            print(f"    by doing as its twin it would lose {max(regret, 0):.3g} of the largest parameter")
    compared = _counted(pair.behaviours, "behaviour")
    if pair.complete:
        print(f"  {compared} compared, which are all that are left: no two differ more")
    else:
        print(f"  {compared} compared; there may be others, which more --regions may find")
    console().print(objectives_table(ident, [("one", pair.first), ("the other", pair.second)]))


def walks(pair: Twins) -> tuple[Walk, Walk]:
    """What each does, from the most likely start from which they part."""
    policies = pair.policies.argmax(axis=2)
    starts = [int(s) for s in np.argsort(-pair.env.initial, kind="stable") if pair.env.initial[s] > 0]
    both = [tuple(walk_on(pair.env, policy, start) for policy in policies) for start in starts]
    first, second = next((found for found in both if found[0] != found[1]), both[0])
    return first, second


def objectives_table(ident: IdentifiedSet, columns: Sequence[tuple[str, Array]]) -> Table:
    """Parameters of objectives side by side, those that differ or matter most."""
    table = Table(title="Objectives" if len(columns) > 1 else "Objective")
    table.add_column("parameter")
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    thetas, names = np.array([theta for _, theta in columns]), ident.family.named_in(ident.environments)
    weight = np.ptp(thetas, axis=0) if len(columns) > 1 else np.abs(thetas[0])
    shown = np.sort(np.argsort(-weight, kind="stable")[:MOST_ROWS])
    for j in shown:
        table.add_row(names[j], *(f"{round(value, 6) + 0.0:.6g}" for value in thetas[:, j]))
    if len(names) > MOST_ROWS:
        table.caption = f"{MOST_ROWS} of {len(names)}"
    return table


def certificate_fields(certificate: Certificate, out: Path | None, verdict: checking.Verdict | None) -> dict[str, Any]:
    """A certificate as JSON."""
    return {
        "status": certificate.status,
        "property": str(certificate.prop),
        "tolerances": certificate.document["statement"]["tolerances"],
        "level": certificate.level,
        "regions": certificate.regions,
        "member": certificate.member.tolist(),
        "witness": witness_fields(certificate),
        "file": None if out is None else str(out),
        "accepted": None if verdict is None else verdict.accepted,
    }


def witness_fields(certificate: Certificate) -> dict[str, Any] | None:
    """A witness as JSON; None where there is none."""
    env, policy = certificate.env, certificate.policy
    if certificate.witness is None:
        return None
    found: dict[str, Any] = {
        "theta": certificate.witness.tolist(),
        "trivial": certificate.trivial,
        "statements": [{"words": one.words, "status": one.status, "detail": one.detail} for one in told(certificate)],
        "policy": None,
        "path": None,
    }
    if env is not None and policy is not None:
        found["policy"] = {env.states[s]: env.actions[a] for s, a in enumerate(policy)}
        found["path"] = telling_walk(certificate).fields(env)
    return found


def twins_fields(pair: Twins) -> dict[str, Any]:
    """Twins as JSON."""
    return {
        "first": pair.first.tolist(),
        "second": pair.second.tolist(),
        "paths": [walk.fields(pair.env) for walk in walks(pair)],
        "distance": pair.distance,
        "regrets": list(pair.regrets),
        "behaviours": pair.behaviours,
        "complete": pair.complete,
    }


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
