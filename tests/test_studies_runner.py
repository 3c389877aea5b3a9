"""The runner of studies: same bytes whoever does the work, nothing lost, nothing half-written, clear refusals."""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import example_study
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from irl_ident.sweeps import TaskFailed, digest, plain
from studies import __main__ as command
from studies.manifest import code_digest, parameters
from studies.runner import run_study
from studies.study import DataMissing, Settings, UnknownStudy, discover, load

ROOT = Path(__file__).resolve().parents[1]
REPRODUCIBLE = ("data.parquet", "summary.json", "figure.pdf", "figure.png")

COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # processes in the background are started without
sys.path[:0] = sys.argv[1:3]
import example_study
from studies import __main__ as command, runner
command.load = lambda name: example_study
runner.code_digest = lambda study: "c" * 64
command.app(sys.argv[3:])
"""


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Let nobody's edits to the source, while tests run, keep a run from going on."""
    monkeypatch.setattr("studies.runner.code_digest", lambda study: "c" * 64)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Bytes of the files of an undisturbed run by one process."""
    outcome = run_study(example_study, Settings(), tmp_path_factory.mktemp("alone"))
    return {name: (outcome.folder / name).read_bytes() for name in REPRODUCIBLE}


@pytest.fixture
def orders(tmp_path):
    """A folder of data in which the last task finds its order."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "order"


@pytest.fixture
def terminal(monkeypatch):
    """The command line, with the example as the only study."""
    monkeypatch.setattr(command, "load", lambda name: example_study)

    def call(*arguments):
        return CliRunner().invoke(command.app, [str(argument) for argument in arguments])

    return call


def bytes_of(folder):
    return {name: (folder / name).read_bytes() for name in REPRODUCIBLE}


def last_line(text):
    return text.strip().splitlines()[-1]


def test_more_processes_give_the_same_bytes(tmp_path, alone):
    outcome = run_study(example_study, Settings(), tmp_path, workers=4)
    assert bytes_of(outcome.folder) == alone
    assert (outcome.tasks, outcome.resumed, outcome.rows) == (12, 0, 12 * example_study.STEPS)


def test_a_cluster_gives_the_same_bytes(tmp_path, alone):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
    ) as cluster:
        outcome = run_study(example_study, Settings(), tmp_path, scheduler=cluster.scheduler_address)
    assert bytes_of(outcome.folder) == alone


def test_another_seed_gives_another_table(tmp_path, alone):
    outcome = run_study(example_study, Settings(seed=1), tmp_path)
    assert bytes_of(outcome.folder)["data.parquet"] != alone["data.parquet"]


def test_the_table_is_the_rows_in_the_order_of_the_tasks(tmp_path):
    outcome = run_study(example_study, Settings(quick=True), tmp_path, workers=2)
    table = pd.read_parquet(outcome.folder / "data.parquet")
    expected = pd.DataFrame(
        [row for task in example_study.tasks(Settings(quick=True)) for row in example_study.run(task)]
    )
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_after_a_failure_only_what_is_left_is_run(tmp_path, orders, alone):
    orders.write_text("fail")
    settings = Settings(data=orders.parent)
    with pytest.raises(TaskFailed, match=r"^task 11, \{replicate: 5.*failed: ArithmeticError: the walk fell off$"):
        run_study(example_study, settings, tmp_path)
    assert not (tmp_path / "example_study" / "manifest.json").exists()
    orders.write_text("go")
    outcome = run_study(example_study, settings, tmp_path)
    assert (outcome.tasks, outcome.resumed) == (12, 11)
    assert bytes_of(outcome.folder) == alone


def test_a_failure_in_another_process_ends_the_run(tmp_path, orders):
    orders.write_text("fail")
    with pytest.raises(TaskFailed, match="the walk fell off"):
        run_study(example_study, Settings(data=orders.parent), tmp_path, workers=2)


@pytest.mark.parametrize(
    ("how", "code", "workers"),
    [
        (signal.SIGKILL, -signal.SIGKILL, 2),
        (signal.SIGINT, command.INTERRUPTED, 1),
        (signal.SIGINT, command.INTERRUPTED, 2),
    ],
)
def test_a_stopped_run_goes_on(tmp_path, orders, alone, how, code, workers):
    orders.write_text("wait")
    options = ["run", "example_study", "--workers", workers, "--out", tmp_path, "--data", orders.parent]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(ROOT), str(ROOT / "tests"), *map(str, options)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not orders.read_text().startswith("waiting"):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(process.pid, how)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code
    if how == signal.SIGINT:
        assert "Traceback" not in said
        assert "the same command goes on from there" in said
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(orders.read_text().split()[1]), 0)
            pytest.fail("a worker outlived the run")
    orders.write_text("go")
    outcome = run_study(example_study, Settings(data=orders.parent), tmp_path)
    assert outcome.resumed > 0
    assert bytes_of(outcome.folder) == alone
    assert not list(tmp_path.rglob(".*partial*"))


def test_a_finished_study_is_drawn_again_without_running_again(tmp_path, alone, monkeypatch):
    run_study(example_study, Settings(), tmp_path)

    def refuse(task):
        raise AssertionError("was run again")

    monkeypatch.setattr(example_study, "run", refuse)
    outcome = run_study(example_study, Settings(), tmp_path)
    assert outcome.resumed == outcome.tasks
    assert bytes_of(outcome.folder) == alone


def test_rows_of_other_code_are_not_used_and_are_removed(tmp_path, monkeypatch):
    run_study(example_study, Settings(quick=True), tmp_path)
    monkeypatch.setattr("studies.runner.code_digest", lambda study: "0" * 64)
    outcome = run_study(example_study, Settings(quick=True), tmp_path)
    assert outcome.resumed == 0
    assert [folder.name for folder in (outcome.folder / "parts").iterdir()] == [f"{'0' * 16}-quick-0"]


def test_the_manifest_says_what_made_the_files_and_nothing_of_the_machine(tmp_path):
    outcome = run_study(example_study, Settings(quick=True, seed=3), tmp_path, workers=2)
    text = (outcome.folder / "manifest.json").read_text()
    manifest = json.loads(text)
    assert (manifest["study"], manifest["quick"], manifest["seed"]) == ("example_study", True, 3)
    assert manifest["counts"] == {"tasks": 6, "rows": 6 * example_study.STEPS}
    assert manifest["parameters"]["drift"] == [0.0, 0.5]
    assert manifest["versions"]["numpy"] == np.__version__
    assert set(manifest["files"]) == set(REPRODUCIBLE)
    assert manifest["time"]["seconds"] > 0
    assert str(tmp_path) not in text
    assert str(ROOT) not in text
    assert platform.node() not in text


def test_the_digest_of_code_overlooks_the_drawing_only(tmp_path, monkeypatch):
    source = Path(example_study.__file__).read_text()
    other = tmp_path / "other.py"
    monkeypatch.setattr("studies.manifest.inspect.getfile", lambda study: other)
    digests = []
    for old, new in [("", ""), ('xlabel="step"', 'xlabel="t"'), ("drift by", "go"), ("STEPS = 25", "STEPS = 26")]:
        other.write_text(source.replace(old, new) if old else source)
        digests.append(code_digest.__wrapped__(example_study))
    assert digests[0] == digests[1] == digests[2]
    assert digests[0] != digests[3]


def test_a_path_in_a_task_stands_for_what_is_in_it(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (one / "a", two / "a"):
        file.parent.mkdir()
        file.write_text("same")
    assert digest({"data": one}) == digest({"data": two}) != digest({"data": "one"})
    (two / "a").write_text("different")
    assert digest({"data": one}) != digest({"data": two})


def test_seeds_are_those_of_spawned_seed_sequences():
    word = np.random.SeedSequence(5, spawn_key=(2, 1)).generate_state(1, np.uint64)[0]
    assert Settings(seed=5).seed_for(2, 1) == int(word) // 2
    seeds = {Settings(seed=s).seed_for(i, j) for s in range(3) for i in range(20) for j in range(20)}
    assert len(seeds) == 1200


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match=r"^seed: was .* should be a whole number of at least 0$"):
        Settings(seed=seed)


def test_parameters_are_listed_unless_too_many():
    tasks = [{"states": 2 ** (i % 3), "seed": i, "names": ["a"]} for i in range(100)]
    assert parameters(tasks) == {"states": [1, 2, 4], "seed": {"distinct": 100}, "names": [["a"]]}


def test_plain_values_are_plain_and_finite():
    given = {"a": np.float32(0.5), 2: (np.arange(2), True, None), "deep": {"b": np.int64(3)}}
    assert plain(given) == {"a": 0.5, "2": [[0, 1], True, None], "deep": {"b": 3}}
    with pytest.raises(ValueError, match=r"^summary\['gap'\]\[1\]: is nan, should be a plain finite value$"):
        plain({"gap": [0.0, np.nan]})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tasks": lambda settings: []}, "tasks: are none"),
        ({"tasks": lambda settings: [{"a": 1}, {"a": 1}]}, r"tasks: \{a: 1\} is given more than once"),
        ({"tasks": lambda settings: [{"a": object()}]}, r"task\['a'\]|task: is"),
        ({"run": lambda task: []}, "no task gave a row"),
        ({"summarise": lambda table: {"gap": float("inf")}}, r"summary\['gap'\]: is inf"),
        ({"findings": lambda summary: []}, r"findings: were \[\], should be sentences"),
        ({"findings": lambda summary: [3.0]}, r"findings: were \[3.0\], should be sentences"),
    ],
)
def test_a_study_that_breaks_its_promises_is_refused(tmp_path, monkeypatch, changed, message):
    for name, function in changed.items():
        monkeypatch.setattr(example_study, name, function)
    with pytest.raises(ValueError, match=message):
        run_study(example_study, Settings(quick=True), tmp_path)


def test_studies_are_found_without_being_imported(tmp_path):
    functions = "\n".join(f"def {name}(): ..." for name in ("tasks", "run", "summarise", "findings", "draw"))
    (tmp_path / "good.py").write_text(f'"""What is\nthe answer?\n\nMore."""\nraise SystemExit\n{functions}\n')
    (tmp_path / "helper.py").write_text('"""Not a study."""\ndef run(): ...\n')
    (tmp_path / "_shared.py").write_text(functions)
    assert discover(tmp_path) == {"good": "What is the answer?"}


def test_every_study_asks_a_question():
    assert [name for name, question in discover().items() if not question.endswith("?")] == []


def test_an_unknown_study_is_refused():
    with pytest.raises(UnknownStudy, match=r"^there is no study 'no_such_study' \(there are: "):
        load("no_such_study")
    result = CliRunner().invoke(command.app, ["run", "no_such_study"])
    assert result.exit_code == command.WRONG_USE
    assert "there is no study 'no_such_study'" in result.output


def test_list_names_the_studies():
    result = CliRunner().invoke(command.app, ["list"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"{name}: {question}" for name, question in discover().items()]


def test_the_command_says_where_the_figures_are(terminal, tmp_path):
    result = terminal("run", "example_study", "--quick", "--workers", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for name in REPRODUCIBLE:
        assert str(tmp_path / "example_study" / name) in result.output


def test_missing_data_is_said_and_is_no_failure(terminal, tmp_path, monkeypatch):
    def tasks(settings):
        raise DataMissing("the originals are in an archive")

    monkeypatch.setattr(example_study, "tasks", tasks)
    result = terminal("run", "example_study", "--out", tmp_path)
    assert result.exit_code == 0
    assert "the originals are in an archive" in result.output
    assert list(tmp_path.iterdir()) == []


def test_wrong_use_is_one_line(terminal, tmp_path):
    both = terminal("run", "example_study", "--workers", 2, "--scheduler", "tcp://127.0.0.1:1", "--out", tmp_path)
    assert (both.exit_code, last_line(both.output)) == (2, "--workers and --scheduler: give one of them")
    no_data = terminal("run", "example_study", "--data", tmp_path / "none", "--out", tmp_path)
    assert (no_data.exit_code, last_line(no_data.output)) == (2, f"data: {tmp_path / 'none'} is not a folder")


def test_a_place_that_cannot_be_written_is_one_line(terminal, tmp_path):
    (tmp_path / "file").write_text("")
    result = terminal("run", "example_study", "--workers", 1, "--out", tmp_path / "file")
    assert result.exit_code == 1
    assert last_line(result.output).startswith("example_study: ")
    assert "Not a directory" in last_line(result.output)
    assert "Traceback" not in result.output


def test_a_failed_task_is_shown_with_its_traceback(terminal, tmp_path, orders):
    orders.write_text("fail")
    result = terminal("run", "example_study", "--workers", 1, "--out", tmp_path, "--data", orders.parent)
    assert result.exit_code == 1
    assert 'raise ArithmeticError("the walk fell off")' in result.output
    assert "what other tasks finished is kept" in result.output


def test_an_extra_that_is_missing_is_named(terminal, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = terminal("run", "example_study", "--workers", 1, "--out", tmp_path)
    assert result.exit_code == 1
    assert last_line(result.output).startswith(
        'pyarrow is not installed; the studies need it: pip install "irl-ident[st'
    )
