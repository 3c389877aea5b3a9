"""Digests of what a study, a campaign and a certificate come to, for comparison between surroundings.

``python tests/surroundings.py FOLDER`` prints them as JSON; FOLDER is empty.
"""

import hashlib
import json
import locale
import sys
from contextlib import suppress
from pathlib import Path

import example_study
from worlds import random_environment

import irl_ident as ii
from studies import runner
from studies.study import Settings


def main(folder):
    """Do all three; print the digests."""
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "")
    found = {}
    outcome = runner.run_study(example_study, Settings(quick=True), folder / "study", workers=1)
    for name in ("data.parquet", "summary.json", "figure.pdf", "figure.png"):
        found[name] = (outcome.folder / name).read_bytes()
    found["parts"] = "\n".join(sorted(file.name for file in outcome.folder.glob("parts/*/*"))).encode()

    states = ["Tür", "naïve", "→"]
    env = random_environment(0, 3, 2)
    env = ii.Environment(env.transitions, env.discount, states=states, actions=["links", "größer"])
    others = [random_environment(seed, 3, 2) for seed in (1, 2)]
    family = ii.rewards.StateRewards(3)
    agent = ii.agents.Optimal(family, [0.3, -0.2, 0.9])
    loop = ii.design.Campaign(
        [env, *others], ii.design.Greedy(110, 4), family, until=ii.design.budget(2), journal=folder / "journal.jsonl"
    )
    loop.run(agent)
    found["table"] = loop.table.to_csv(lineterminator="\n").encode()
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]
    bare = [{key: line[key] for key in line if key not in ("time", "seconds")} for line in lines]
    found["journal"] = json.dumps(bare).encode()

    ident = ii.identify([(env, agent.policy(env))], family)
    found["report"] = str(ident.report()).encode()
    found["ranges"] = ident.canonical_ranges().tobytes()
    value, theta = ident.support([1.0, -0.5, 0.25])
    found["support"] = json.dumps([float(value), theta.tolist()]).encode()
    certificate = ii.certify(ident, ii.certificates.OptimalAction("Tür", "größer"), env)
    found["certificate"] = certificate.save(folder / "proof.json").read_bytes()
    ii.evidence.save(folder / "seen.json", ident.evidence)
    ii.evidence.save(folder / "seen.npz", ident.evidence)
    for name in ("seen.json", "seen.npz"):
        found[name] = (folder / name).read_bytes()
    print(json.dumps({name: hashlib.sha256(content).hexdigest() for name, content in found.items()}))


if __name__ == "__main__":
    runner.code_digest = lambda study: "c" * 64
    main(Path(sys.argv[1]))
