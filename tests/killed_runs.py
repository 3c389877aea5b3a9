"""Kill studies and campaigns at random moments, go on, and compare with runs that nobody disturbed.

``PYTHONPATH=. python tests/killed_runs.py KILLS SEED`` kills a study and a campaign that often each, with SIGKILL, at
moments drawn evenly over the time that an undisturbed run takes (sooner in a run that goes on), and tells counts.
Runs are forked from this process, which has imported everything, so that most kills hit work and not imports.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import example_study
import fontTools.subset  # noqa: F401  (here and below: imported once, before forking)
import highspy  # noqa: F401
import matplotlib.backends.backend_pdf
import matplotlib.pyplot  # noqa: F401
import numpy as np
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401
import scipy.linalg  # noqa: F401
import threadpoolctl  # noqa: F401
from worlds import random_environment

import irl_ident as ii
from irl_ident import agents, builders, design, figures  # noqa: F401
from studies import runner
from studies.study import Settings

AT_A_TIME = 3
"""So often at most is the same run killed."""


def study(folder):
    """A small study, from wherever it was left."""
    runner.run_study(example_study, Settings(), folder, workers=1)


def campaign(folder):
    """A small campaign with a journal, from wherever it was left; leaves its table."""
    family = ii.rewards.StateRewards(3)
    loop = ii.design.Campaign(
        [random_environment(seed, 3, 2) for seed in range(3)],
        ii.design.Greedy(110, 4),
        family,
        until=ii.design.budget(3),
        journal=folder / "journal.jsonl",
        reference=np.random.default_rng(0).uniform(-1, 1, (50, 3)),
    )
    loop.run(ii.agents.Optimal(family, [0.3, -0.2, 0.9]))
    (folder / "table.csv").write_text(loop.table.to_csv())


def finished_study(folder):
    """Rows that are finished: a digest of each file of them."""
    return {file.name: digest(file) for file in folder.glob("example_study/parts/*/0*.parquet")}


def finished_campaign(folder):
    """Steps that are finished: a digest of each whole line of the journal."""
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return {number: hashlib.sha256(line).hexdigest() for number, line in enumerate(lines)}


def results(folder):
    """Bytes of what a run leaves for people, without what measures time."""
    names = ["data.parquet", "summary.json", "figure.pdf", "figure.png", "table.csv"]
    found = {file.name: digest(file) for file in sorted(folder.rglob("*")) if file.name in names}
    for journal in folder.glob("journal.jsonl"):
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        bare = [{key: line[key] for key in line if key not in ("time", "seconds")} for line in lines]
        found[journal.name] = hashlib.sha256(json.dumps(bare).encode()).hexdigest()
    return found


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def begun(run, folder):
    """A process that does the run; its number."""
    child = os.fork()
    if child:
        return child
    try:
        run(folder)
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def ended(child):
    """Wait for a process; whether it was killed."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"a run ended with {status}"
    return status == -signal.SIGKILL


def undisturbed(run, folder):
    """Seconds that a run takes, and what it leaves."""
    folder.mkdir()
    started = time.monotonic()
    assert not ended(begun(run, folder))
    return time.monotonic() - started, results(folder)


def killed(run, finished, folder, kills, moments):
    """Kill runs until ``kills`` were killed in mid-run; how many runs were gone on with, and how often."""
    seconds, expected = undisturbed(run, folder / "undisturbed")
    count = rounds = kept = 0
    while count < kills:
        here = folder / f"round{rounds}"
        here.mkdir()
        rounds += 1
        before = {}
        for earlier in range(AT_A_TIME):
            if count == kills:
                break
            child = begun(run, here)
            time.sleep(moments.uniform(0, seconds) / 2**earlier)
            os.kill(child, signal.SIGKILL)
            count += ended(child)
            now = finished(here)
            assert before.items() <= now.items(), "what was finished was lost or done again"
            before = now
        kept += len(before)
        assert not ended(begun(run, here))
        assert before.items() <= finished(here).items(), "what was finished was lost or done again"
        assert results(here) == expected, "an interrupted run ended otherwise"
        litter = [file.name for file in here.rglob("*") if "partial" in file.name]
        assert not litter, litter
    return {"kills": count, "runs": rounds, "finished_before_the_last_kill": kept}


def main(kills, seed):
    """Kill both kinds of runs; print the counts."""
    moments = random.Random(seed)
    with TemporaryDirectory() as name:
        told = {}
        for run, finished in ((study, finished_study), (campaign, finished_campaign)):
            folder = Path(name) / run.__name__
            folder.mkdir()
            told[run.__name__] = killed(run, finished, folder, kills, moments)
            print(json.dumps(told), file=sys.stderr)
    print(json.dumps(told))


if __name__ == "__main__":
    runner.code_digest = lambda study: "c" * 64
    main(int(sys.argv[1]), int(sys.argv[2]))
