"""Every writer of files against disks that are full or read-only.

``writers(folder)`` names them all; each is ready to write below ``folder``.  ``complaints(writers, folder)`` lets each
of them try, and tells in words what did not end as it should: with one clear error that names a path, leaving every
file as it was and no other behind.

``python tests/bad_disks.py FOLDER`` lets them try where no file may have more than some bytes, and prints complaints.
With ``--own``, for a folder that is a small file system of its own in a private namespace of mounts, they also try when
it is full and when it is read-only.
"""

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import example_study
import numpy as np
from typer.testing import CliRunner
from worlds import random_environment

import irl_ident as ii
from irl_ident.agents.checkpoints import save_learner
from irl_ident.agents.recurrent import Encoding, RecurrentLearner, Weights, shapes
from irl_ident.certificates.networks import InputRegion, ReluNetwork, certified_actions
from irl_ident.cli import app
from studies import __main__ as command
from studies import report, runner
from studies.study import Settings

FAMILY = ii.rewards.StateRewards(3)
AGENT = ii.agents.Optimal(FAMILY, [0.3, -0.2, 0.9])
FAILED = (errno.ENOSPC, errno.EROFS, errno.EFBIG)


def settled():
    """Stands for the digest of the code."""
    return "c" * 64


def row(seed):
    """One row of a sweep."""
    return [{"seed": seed}]


def writers(folder):
    """Name to function; what they need is prepared, and files that they would replace are there."""
    env = random_environment(0, 3, 2)
    evidence = [(env, AGENT.policy(env))]
    for name in ("seen.json", "seen.npz"):
        ii.evidence.save(folder / name, evidence)
    certificate = ii.certify(ii.identify(evidence, FAMILY), ii.certificates.OptimalAction(0, 0), env)
    network = ReluNetwork([[[1.0], [-1.0]], [[1.0, -1.0], [0.0, 0.0]]], [[0.0, 0.0], [0.0, 0.5]])
    actions = certified_actions(network, [InputRegion([-1.0], [0.4], 0, [1])])
    encoding = Encoding(2, 1, 0)
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes(encoding, 2).items()}
    learner = RecurrentLearner(encoding, Weights(**weights), {}, np.zeros(1))
    begun = campaign(folder / "begun.jsonl")
    asked = begun.ask()
    trajectories = AGENT.demonstrate(asked, episodes=200, horizon=20, seed=0)  # more than what is free in a block
    for name in ("proof.json", "proof.json.gz", "actions.json", "learner.npz", "figure.pdf", "figure.png", "page.html"):
        (folder / name).write_text("what was there before")
    for name in ("finished", "parted"):
        runner.run_study(example_study, Settings(quick=True), folder / name)
    (folder / "parted" / "example_study" / "manifest.json").unlink()
    with ii.figures.style():
        figure, _ = ii.figures.panels()
    swept = ii.sweep(row, [1], folder / "swept", workers=1, code=settled)
    return {
        "evidence, JSON": lambda: ii.evidence.save(folder / "seen.json", evidence),
        "evidence, npz": lambda: ii.evidence.save(folder / "seen.npz", evidence),
        "certificate": lambda: certificate.save(folder / "proof.json"),
        "certificate, compressed": lambda: certificate.save(folder / "proof.json.gz"),
        "certificate of a network": lambda: actions.save(folder / "actions.json"),
        "learner": lambda: save_learner(learner, folder / "learner.npz"),
        "figure": lambda: ii.figures.save(figure, folder),
        "journal, new": lambda: campaign(folder / "new.jsonl"),
        "journal, a step": lambda: begun.tell(asked, trajectories),
        "sweep, new": lambda: ii.sweep(row, [1], folder / "new", workers=1, code=settled),
        "sweep, more": lambda: ii.sweep(row, [1, 2], folder / "swept", workers=1, code=settled),
        "sweep, table": lambda: swept.save(folder / "table.parquet"),
        "study, new": lambda: runner.run_study(example_study, Settings(quick=True), folder / "study"),
        "study, files": lambda: runner.run_study(example_study, Settings(quick=True), folder / "parted"),
        "report": lambda: report.write_report(folder / "finished"),
        "gallery": lambda: report.write_gallery(folder / "finished", folder / "gallery"),
        "assess": lambda: told(app, "assess", folder / "seen.json", "--out", folder),
        "assess, a page": lambda: told(
            app, "assess", folder / "seen.json", "--out", folder, "--html", folder / "page.html"
        ),
        "certify": lambda: told(
            app, "certify", folder / "seen.json", "--deploy", folder / "seen.json", "--optimal", "s0:a0", "--out",
            folder / "proof.json",
        ),
        "studies": lambda: told(command.app, "run", "a", "--quick", "--workers", 1, "--out", folder / "cli"),
    }  # fmt: skip


def campaign(journal):
    """A campaign that keeps a journal."""
    candidates = [random_environment(seed, 3, 2) for seed in range(2)]
    return ii.design.Campaign(candidates, ii.design.RoundRobin(), FAMILY, journal=journal)


def told(program, *arguments):
    """Run a command; raise the error that its last line tells of."""
    result = CliRunner().invoke(program, [str(argument) for argument in arguments])
    if not isinstance(result.exception, SystemExit):
        raise result.exception
    lines = result.output.strip().splitlines()
    assert result.exit_code in (1, 2), f"exit code {result.exit_code}: {result.output}"
    assert not any("Traceback" in line for line in lines), result.output
    raise OSError(next((code for code in FAILED if os.strerror(code)[1:] in lines[-1]), 0), lines[-1])


def complaints(every, folder):
    """What writers do wrong, in words."""
    found = []
    for name, write in every.items():
        before = files(folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                write()
            found.append(f"{name}: did not fail")
        except OSError as error:
            if error.errno not in FAILED or str(folder) not in str(error) or "\n" in str(error):
                found.append(f"{name}: {error!r}: {error}")
        except Exception as error:
            found.append(f"{name}: {error!r}")
        after = files(folder)
        found += [f"{name}: changed or left {file}" for file in sorted(before.items() ^ after.items())]
    return found


def files(folder):
    """Digests of all files."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def main(folder, own):
    """Try all writers under all conditions."""
    every = writers(folder)
    sys.dont_write_bytecode = True  # of what is loaded from here on: it could be cut short, and be kept so
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    found = complaints(every, folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    found = {"writers": len(every), "limited": found}
    if own:
        with (folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 256)
        found["full"] = complaints(every, folder)
        (folder / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        found["read-only"] = complaints(every, folder)
    print(json.dumps(found))


if __name__ == "__main__":
    runner.code_digest = lambda study: "c" * 64
    command.load = lambda name: example_study
    main(Path(sys.argv[1]), "--own" in sys.argv)
