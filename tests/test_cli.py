"""The command line on files, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import irl_ident as ii
from irl_ident.cli import app

HERE = ii.builders.grid("A..\n.#.\n..B", 0.9, absorbing="AB")
THERE = ii.builders.grid("A.B\n.#.\n...", 0.9, absorbing="AB")


def state_rewards(grid, a, b):
    theta = np.zeros(grid.environment.n_states)
    theta[grid.marks["A"][0]], theta[grid.marks["B"][0]] = a, b
    return theta


@pytest.fixture
def files(tmp_path):
    env = HERE.environment
    agent = ii.agents.Optimal(ii.rewards.StateRewards(env.n_states), state_rewards(HERE, 0.5, 1.0))
    ii.evidence.save(tmp_path / "seen.json", [(env, agent.policy(env))])
    ii.evidence.save_environments(tmp_path / "mazes.npz", [env, THERE.environment])
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_assess_prints_what_is_known_and_draws_it(files):
    result = run("assess", files / "seen.json", "--out", files)
    assert result.exit_code == 0, result.output
    for words in ("Verdict: a set", "Open directions", "What each parameter may be", "R(r0c0)", "another"):
        assert words in result.output
    assert (files / "assessment.png").stat().st_size > 5_000
    assert (files / "assessment.pdf").exists()


def test_assess_for_machines_says_what_the_library_says(files):
    result = run("assess", files / "seen.json", "--json", "--out", files)
    told = json.loads(result.stdout)
    ident = ii.identify(ii.evidence.load(files / "seen.json"), ii.rewards.StateRewards(8))
    assert told["report"]["verdict"] == ident.report().verdict
    assert told["report"]["dimension"] == ident.dimension
    np.testing.assert_allclose(told["ranges"], ident.canonical_ranges(), atol=1e-9)
    one, another = (np.array(theta) for theta in told["farthest_pair"])
    assert np.abs(one - another).max() >= ident.diameter()[0] - 1e-9


def test_soft_agents_and_features(files):
    env = HERE.environment
    features = np.repeat(np.random.default_rng(0).standard_normal((8, 1, 3)), 4, axis=1)
    family = ii.rewards.LinearRewards(features, names=["warm", "dark", "wet"])
    ii.evidence.save(
        files / "soft.npz", [(env, ii.agents.SoftOptimal(family, [1.0, 0, -1]).policy(env))], family=family
    )
    result = run("assess", files / "soft.npz", "--rationality", "soft", "--json", "--out", files)
    told = json.loads(result.stdout)
    assert told["parameters"] == ["warm", "dark", "wet"]
    np.testing.assert_allclose(np.array(told["ranges"]).mean(axis=1), [1, 0, -1], atol=1e-6)
    open_ended = run("assess", files / "soft.npz", "--rationality", "soft", "--rewards", "state-action", "--out", files)
    assert "open" in open_ended.output
    assert "identified up to shaping" in open_ended.output


def test_next_ranks_the_candidate_that_tells_most_first_and_says_why(files):
    result = run("next", files / "seen.json", "--candidates", files / "mazes.npz", "--json")
    ranked = json.loads(result.stdout)["candidates"]
    assert [row["environment"] for row in ranked] == [f"{files / 'mazes.npz'}#1", f"{files / 'mazes.npz'}#0"]
    assert ranked[0]["score"] > 0 == ranked[1]["score"]
    spoken = run("next", files / "seen.json", "--candidates", files / "mazes.npz", "--samples", 50)
    assert "Try " in spoken.output
    assert "farthest apart" in spoken.output


def test_contradictory_evidence_is_a_result(files):
    env = HERE.environment
    policy = np.zeros((8, 4))
    policy[:, 0] = 1
    ii.evidence.save(files / "odd.json", [(env, policy), (env, np.roll(policy, 1, axis=1))])
    result = run("assess", files / "odd.json", "--out", files)
    assert result.exit_code == 0
    assert "Verdict: contradiction" in result.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "damaged"),
        (b"PK\x03\x04 no archive", "bad"),
        (b"", "bad"),
        (b'{"format": "other"}', "format"),
    ],
)
def test_bad_files_get_one_clear_line_and_code_2(files, content, words):
    (files / "bad.json").write_bytes(content)
    result = run("assess", files / "bad.json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert words in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("assess", "missing.json"),
        ("assess", "mazes.npz"),
        ("assess", "."),
        ("next", "seen.json", "--candidates", "missing.npz"),
        ("assess", "seen.json", "--rationality", "soft"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(files, arguments, monkeypatch):
    monkeypatch.chdir(files)
    result = run(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("irl-ident: ")


@pytest.mark.parametrize("error", [ii.identified.SolverFailed, ArithmeticError])
def test_what_is_not_decided_is_said_in_one_line(files, error, monkeypatch):
    def fails(*_):
        raise error("status 4")

    monkeypatch.setattr(ii.identified.OptimalSet, "report", fails)
    result = run("assess", files / "seen.json")
    assert result.exit_code == 2
    assert result.stderr == "irl-ident: status 4\n"


def test_candidates_with_other_states_are_refused(files):
    ii.evidence.save_environments(files / "other.json", [ii.builders.random_environment(3, 4, 0.9, seed=0)])
    result = run("next", files / "seen.json", "--candidates", files / "other.json")
    assert result.exit_code == 2
    assert "states" in result.stderr


def test_the_installed_command_runs(files):
    done = subprocess.run(
        [sys.executable, "-c", "from irl_ident.cli import main; main()", "assess", str(files / "seen.json"), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=files,
    )
    assert json.loads(done.stdout)["report"]["verdict"] == "a set"


@pytest.mark.parametrize(
    ("even", "reason"), [(True, "no environment can resolve what is left"), (False, "other environments are needed")]
)
def test_next_asks_for_other_environments_where_one_can_tell_more(tmp_path, even, reason):
    env = ii.builders.random_environment(5, 3, discount=0.9, seed=0)
    shown = ii.agents.Optimal(ii.rewards.StateRewards(5), [1.0, 0.0, 0.3, -1.0, 0.5]).policy(env)
    ii.evidence.save(tmp_path / "seen.json", [(env, np.full((5, 3), 1 / 3) if even else shown)])
    ii.evidence.save_environments(tmp_path / "same.json", [env])
    told = run("next", tmp_path / "seen.json", "--candidates", tmp_path / "same.json", "--samples", 20)
    assert told.exit_code == 0
    assert f"apart: {reason}." in " ".join(told.output.split())


def test_the_version_is_that_of_the_library():
    assert run("--version").stdout == f"{ii.__version__}\n"


def test_a_file_that_is_not_there_is_named_first(tmp_path):
    result = run("assess", tmp_path / "none.json")
    assert result.exit_code == 2
    assert result.stderr == f"irl-ident: {tmp_path / 'none.json'}: no such file or directory\n"


def test_the_figure_names_the_agent_that_was_assumed(tmp_path, monkeypatch):
    titles = []
    intervals = ii.figures.intervals
    monkeypatch.setattr(ii.figures, "intervals", lambda *a, **k: titles.append(k["title"]) or intervals(*a, **k))
    env = HERE.environment
    counts = ii.evidence.Counts(np.full((env.n_states, env.n_actions), 5))
    ii.evidence.save(tmp_path / "seen.json", [(env, counts)])
    options = ("--rationality", "noisy", "--error", 0.1, "--level", 0.05, "--out", tmp_path)
    assert run("assess", tmp_path / "seen.json", *options).exit_code == 0
    assert titles == ["noisy agent, 1 environment"]
