"""The same mutations, steered by coverage: ``python -m fuzz.guided LOADER [libFuzzer's options]``."""

from __future__ import annotations

import sys

import atheris

from fuzz.choices import Choices
from fuzz.loaders import LOADERS
from fuzz.rules import held

MODULES = ["irl_ident", "studies", "numpy.lib", "zipfile", "json"]


def main() -> None:
    """Fuzz one loader until a rule is broken, or for as long as libFuzzer is told."""
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=MODULES):
        loader = LOADERS[name]()
        try:
            held(loader, Choices(b""))
        except AssertionError as broken:
            print(broken)
    atheris.Setup([sys.argv[0], *options], lambda data: _one(loader, data))
    atheris.Fuzz()


def _one(loader: object, data: bytes) -> None:
    held(loader, Choices(data))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
