"""Run benchmarks, a process for each topic, and make tables and figures of what they stored."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks import records, tables

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
STORED = HERE.parent / "docs" / "benchmarks"
TOPICS = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def run(topic: str, size: str, folder: Path) -> int:
    """Run one topic; its file in ``folder`` is replaced when all of it succeeded."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{topic}.json"
    raw = target.with_suffix(".raw")
    options = ["-q", "--benchmark-quiet", "--size", size, "--benchmark-json", str(raw)]
    module = str(HERE / f"bench_{topic}.py")
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), "--rootdir", str(HERE), *options, module]
    status = subprocess.run(command, check=False, cwd=HERE.parent).returncode
    if status == 0:
        records.save(records.read(raw), target)
    raw.unlink(missing_ok=True)
    return status


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"all when none is given: {', '.join(TOPICS)}")
    parser.add_argument("--size", choices=("tiny", "quick", "full"), default="quick")
    parser.add_argument("--out", type=Path, help="where to store; docs/benchmarks for full, else build/benchmarks")
    parser.add_argument("--made", action="store_true", help="run nothing: make tables and figures of what is stored")
    given = parser.parse_args()
    if unknown := set(given.topics) - set(TOPICS):
        parser.error(f"no such topic: {', '.join(sorted(unknown))}; there are {', '.join(TOPICS)}")
    full = given.size == "full" or given.made
    folder = given.out or (STORED if full else HERE.parent / "build" / "benchmarks")
    failed = [] if given.made else [topic for topic in given.topics or TOPICS if run(topic, given.size, folder)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    if folder == STORED:
        from benchmarks import plots

        PAGE.write_text(tables.made(PAGE.read_text(), folder, tables.OWN))
        plots.draw(folder, HERE.parent / "docs" / "figures")
    else:
        for topic in given.topics or TOPICS:
            stored = records.read(folder / f"{topic}.json")
            for name in records.names(stored):
                print(f"\n{topic} {name}\n{tables.table(records.rows(stored, name))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
