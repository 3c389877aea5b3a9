"""``irl-ident certify``: what holds of every objective that explains the evidence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from irl_ident import certificates
from irl_ident.certificates import checking
from irl_ident.certificates.certifying import REGIONS
from irl_ident.certificates.enumerating import REGIONS as TWIN_REGIONS
from irl_ident.certificates.premise import Tolerances
from irl_ident.certificates.properties import Linear, Property, atoms
from irl_ident.cli.asking import Asked
from irl_ident.cli.options import JsonOption, Seen, on_evidence
from irl_ident.cli.printing import one_clear_line, print_json, progress
from irl_ident.cli.reading import identified_from, read_environments
from irl_ident.cli.showing import certificate_fields, print_certificate, print_twins, twins_fields
from irl_ident.environment import Environment

CHECKER = "python -m irl_ident.certificates.checking"

Texts = list[str] | None
Deploy = Annotated[Path | None, typer.Option(help="File with the environment that the property is about.")]
DeployIndex = Annotated[int | None, typer.Option(help="Its number in the file, from 0.", min=0)]
AvoidsOption = Annotated[
    Texts, typer.Option("--avoids", metavar="STATES[@P]", help="Never visits them, but for a chance of P.")
]
ReachesOption = Annotated[
    Texts, typer.Option("--reaches", metavar="STATES[@P]", help="Visits them, with probability P at least.")
]
OptimalOption = Annotated[
    Texts, typer.Option("--optimal", metavar="STATE:ACTION", help="The action is optimal in the state.")
]
NeverOption = Annotated[
    Texts, typer.Option("--never", metavar="STATE:ACTION", help="The action is not optimal in the state.")
]
PrefersOption = Annotated[
    Texts, typer.Option("--prefers", metavar="STATE:STATE", help="The first pays as much as the second, or more.")
]
PropertyOption = Annotated[
    list[Path] | None, typer.Option("--property", help="JSON file with a property; for what is composed.")
]
TwinsOption = Annotated[
    bool, typer.Option("--twins", help="Two objectives that explain all and behave most differently in deployment.")
]
OutOption = Annotated[Path | None, typer.Option(help="File for the certificate, .json or .json.gz.")]
TolerantOption = Annotated[float, typer.Option("--ties", help="Largest gap of an action that counts as optimal.")]
StrictOption = Annotated[float, typer.Option(help="Least gap of an action that is known to be worse.")]
RegionsOption = Annotated[int | None, typer.Option(help="Most parts of the set to look at.", min=1)]


@on_evidence
def certify(
    seen: Seen,
    deploy: Deploy = None,
    deploy_index: DeployIndex = None,
    avoids: AvoidsOption = None,
    reaches: ReachesOption = None,
    optimal: OptimalOption = None,
    never: NeverOption = None,
    prefers: PrefersOption = None,
    property_files: PropertyOption = None,
    twins: TwinsOption = False,
    ties: TolerantOption = Tolerances.ties,
    strictness: StrictOption = Tolerances.strictness,
    regions: RegionsOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove a property of every objective that explains the evidence, or find one that violates it.

    All properties that are given have to hold together.  Proved, refuted and unknown are results: exit code 0.
    """
    with one_clear_line():
        check_out(out, seen.files)
        ident = identified_from(seen)
        where, env = deployment(deploy, deploy_index)
        asked = Asked(avoids or (), reaches or (), optimal or (), never or (), prefers or (), property_files or ())
        prop = asked.property(ident.family, ident.environments[0] if env is None else env)
        check_question(prop, env, twins, out)
        options = {"ties": ties, "strictness": strictness}
        certificate = pair = None
        if prop is not None:
            with progress("certifying") as told:
                certificate = certificates.certify(
                    ident, prop, env, regions=regions or REGIONS, progress=told, **options
                )
        if twins and env is not None:
            with progress("looking for twins") as told:
                pair = certificates.twins(ident, env, regions=regions or TWIN_REGIONS, progress=told, **options)
        verdict = None
        if out is not None and certificate is not None:
            verdict = checking.check(certificate.save(out))
    if as_json:
        print_json(
            {
                "assumptions": list(ident.report().assumptions),
                "parameters": list(ident.family.named_in(ident.environments)),
                "deployment": where,
                "certificate": None if certificate is None else certificate_fields(certificate, out, verdict),
                "twins": None if pair is None else twins_fields(pair),
            }
        )
    else:
        print("\n".join(["Assumed", *(f"  - {line}" for line in ident.report().assumptions)]))
        if certificate is not None:
            print_certificate(certificate, where, regions or REGIONS)
        if verdict is not None:
            print(f"Written to {out}; the independent checker says: {verdict.reason}")
            print(f"To check it again: {CHECKER} {out}")
        if pair is not None:
            print_twins(pair, ident)
    if verdict is not None and not verdict.accepted:
        print(f"irl-ident: {out}: was not accepted: {verdict.reason}", file=sys.stderr)
        raise typer.Exit(1)


def check_out(out: Path | None, files: Sequence[Path]) -> None:
    """Refuse what cannot be written before anything is looked for."""
    if out is None:
        return
    if not out.name.endswith((".json", ".json.gz")):
        raise ValueError(f"--out {out}: should end in .json or .json.gz")
    if not out.parent.is_dir():
        raise ValueError(f"--out {out}: there is no folder {out.parent}")
    if any(out.resolve() == file.resolve() for file in files):
        raise ValueError(f"--out {out}: is a file with evidence, should be another one")


def deployment(path: Path | None, index: int | None) -> tuple[str | None, Environment | None]:
    """The deployment environment, and where it stands."""
    if path is None:
        if index is not None:
            raise ValueError("--deploy-index: needs --deploy")
        return None, None
    found = read_environments(path)
    if index is None and len(found) > 1:
        raise ValueError(f"{path}: holds {len(found)} environments, choose one with --deploy-index")
    number = index or 0
    if number >= len(found):
        raise ValueError(f"--deploy-index: was {number}, should be at most {len(found) - 1}: so many are in {path}")
    return f"{path}#{number}", found[number]


def check_question(prop: Property | None, env: Environment | None, twins: bool, out: Path | None) -> None:
    """Refuse what cannot be asked."""
    if prop is None and not twins:
        raise ValueError("no property was given: --avoids, --reaches, --optimal, --never, --prefers or --property")
    if prop is None and out is not None:
        raise ValueError("--out: needs a property, twins have no certificate")
    if env is None and (twins or (prop is not None and not all(isinstance(atom, Linear) for atom in atoms(prop)))):
        raise ValueError("--deploy: is missing: what the agent does is asked of a deployment environment")
