"""The command line: what evidence in files says, what can be proved of it, and which environment to try next."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from irl_ident.cli.assessing import assess
from irl_ident.cli.certifying import certify
from irl_ident.cli.checking import check
from irl_ident.cli.choosing import next_environment
from irl_ident.cli.pipes import quiet_when_cut, show_all_letters

__all__ = ["app", "main"]

app = typer.Typer(
    name="irl-ident",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From behaviour in files: what is known of the objective, what can be proved, and what to try next.",
)
app.command()(assess)
app.command("next")(next_environment)
app.command()(certify)
app.command()(check)


def _version(asked: bool) -> None:
    if asked:
        import irl_ident

        print(irl_ident.__version__)
        raise typer.Exit


@app.callback()
def _shared(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point."""
    show_all_letters()
    with quiet_when_cut():
        cast(Any, app)()
