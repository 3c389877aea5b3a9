"""Random mutations of every loader, or of those that are named: counts, and each kind of finding once."""

from __future__ import annotations

import argparse
import time

import numpy as np

from fuzz.choices import Choices
from fuzz.loaders import LOADERS
from fuzz.rules import Broken, bounded_memory, held

BYTES_OF_CHOICES = 96


def main() -> int:
    """Run for the given processor time, shared evenly; 1 where a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("loaders", nargs="*", metavar="LOADER", help=f"of {', '.join(LOADERS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time in all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bounded_memory()
    names = options.loaders or list(LOADERS)
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        loader, random = LOADERS[name](), np.random.default_rng([options.seed, number])
        counts = {"accepted": 0, "refused": 0, "broken": 0}
        end = time.process_time() + options.seconds / len(names)
        while time.process_time() < end:
            data = random.bytes(BYTES_OF_CHOICES)
            try:
                counts[held(loader, Choices(data))] += 1
            except Broken as broken:
                counts["broken"] += 1
                kind = f"{broken} ({type(broken.__cause__).__name__})"
                if kind not in found and len(found) < 200:
                    found[kind] = data.hex()
        print(f"{name:24}", *(f"{count:8} {outcome}" for outcome, count in counts.items()), flush=True)
    for kind, data in found.items():
        print(f"\n{kind}\n    {data}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
