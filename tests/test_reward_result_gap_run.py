"""A small run of the study of the reward-result gap: its claims, its findings, its figure."""

import json
import re

import pytest

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from studies import reward_result_gap as study  # noqa: E402


@pytest.fixture(scope="module")
def small_run():
    """A few tasks of each part."""
    tasks, strategies = [], {"counterexample": 1, "matching": 1}
    for number, kind in enumerate(("suboptimal: wrong model", "deceptive")):
        for replicate in range(2):
            shared = {"kind": kind, "replicate": replicate, "seed": 10 * number + replicate}
            tasks.append({"part": "bands", **shared, "strategies": strategies, "closely": [0, 1]})
    for replicate in range(2):
        shared = {"replicate": replicate, "seed": replicate}
        tasks += [{"part": "flags", **shared, "unflagged": 1}, {"part": "depths", **shared}]
        tasks.append({"part": "learned", "kind": "coin corridor", **shared, "probes": 1})
        tasks.append({"part": "decorrelated", "kind": "coin corridor", **shared, "shares": [0.0, 0.11]})
    tasks.append({"part": "pretending", "replicate": 0, "seed": 0})
    return pd.DataFrame([row for task in tasks for row in study.run(task)])


def test_claims_findings_and_figure_of_a_small_run(small_run):
    summary = json.loads(json.dumps(study.summarise(small_run)))
    told = {row["claim"]: row for row in summary["claims"]}
    for claim in (
        "agents are perfect in training",
        "the gap is in the band (agents that plan as assumed)",
        "proofs of bands are accepted by the independent checker",
        "the band from training contains 0 and the gap (pseudo-aligned)",
        "a deceiver and its double do the same while the flag is down, and the band stays [0, 1]",
        "a deceiver does what a corrigible agent does that is told to go to B when the flag is up",
        "a planner for B pretends where the closed form says so",
        "a shallow planner loses nothing below the depth at which it turns, and something from there on",
    ):
        assert told[claim]["held"] == told[claim]["of"] > 0
    sentences = study.findings(summary)
    assert 2 <= len(sentences) <= 5
    for sentence in sentences:
        assert sentence.endswith(".")
        assert not re.search(r"nan|inf\b|None|\{", sentence)
        assert re.search(r"\d", sentence)
    for failed in (row for row in summary["claims"] if row["held"] < row["of"]):
        assert failed["claim"] in sentences[-1]
    assert len(study.draw(small_run, summary).axes) == 4


def test_the_truth_is_stored_beside_the_behaviour(small_run):
    bands = small_run[small_run["part"] == "bands"]
    assert bands[["true_gap", "true_objective", "true_starc", "true_training_gap"]].notna().all().all()
