"""Sweeps in one process and in several: the same bytes, nothing finished lost, clear refusals."""

import contextlib
import errno
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import example_sweep as example
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from typer.testing import CliRunner

import irl_ident as ii
from irl_ident.sweeps import OtherCode, TaskFailed, code_digest, digests, parts, sweep
from irl_ident.sweeps.__main__ import app
from irl_ident.sweeps.supervising import Died, supervise
from irl_ident.sweeps.work import Code, Raised, Rows, Unit, Unwanted, do

TASKS = [{"seed": seed} for seed in range(20)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Bytes of the table of an undisturbed run by one process."""
    folder = tmp_path_factory.mktemp("alone")
    return saved(sweep(example.run, TASKS, folder, workers=1, code=example.settled), folder)


@pytest.fixture
def tasks(tmp_path):
    """Twenty tasks that note when they are begun, and take orders."""
    (tmp_path / "notes").mkdir()
    return [{**task, "log": str(tmp_path / "notes")} for task in TASKS]


def saved(swept, folder):
    return swept.save(folder / "table.parquet").read_bytes()


def order(tasks, place, what):
    (Path(tasks[place]["log"]) / f"order{place}").write_text(what)


def stored(folder):
    """Places of the tasks whose rows a folder holds."""
    names = [file.name.split("-") for file in folder.glob("*/*.parquet")]
    return sorted(place for first, count, _ in names for place in range(int(first), int(first) + int(count)))


def litter(folder):
    return list(folder.rglob(".*partial*"))


def test_rows_are_those_of_the_tasks_in_their_order(alone):
    expected = pd.concat([pd.DataFrame(example.run(task)) for task in TASKS], ignore_index=True)
    pd.testing.assert_frame_equal(parquet.read_table(pa.BufferReader(alone)).to_pandas(), expected, check_exact=True)


def test_processes_give_the_same_bytes(tmp_path, alone):
    swept = sweep(example.run, TASKS, tmp_path, workers=2, chunk=7, code=example.settled)
    assert saved(swept, tmp_path) == alone
    assert (swept.tasks, swept.resumed, len(swept.files)) == (20, 0, 3)


def rows_of(value):
    return [{"value": value, "type": value if value % 3 else value / 2}] * (value % 4)


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6), st.integers(0, 6)), max_size=4))
def test_bytes_do_not_depend_on_how_tasks_were_cut(tmp_path_factory, runs):
    folder, values = tmp_path_factory.mktemp("cut"), list(range(12))
    whole = sweep(rows_of, values, folder, workers=1, chunk=12, code=example.settled)
    expected = saved(whole, folder)
    for chunk, start, count in runs:
        for file in whole.files[start : start + count]:
            file.unlink()
        whole = sweep(rows_of, values, folder, workers=1, chunk=chunk, code=example.settled)
        assert stored(folder) == values
        assert saved(whole, folder) == expected


def test_more_tasks_are_added_to_those_that_are_there(tmp_path, tasks):
    sweep(example.run, tasks[:5], tmp_path, workers=1, chunk=2, code=example.settled)
    longer = sweep(example.run, tasks, tmp_path, workers=1, chunk=4, code=example.settled)
    assert longer.resumed == 5
    assert set(example.begun(tasks[0]["log"]).values()) == {1}
    changed = [*tasks[:3], {**tasks[3], "rows": 1}, *tasks[4:]]
    other = sweep(example.run, changed, tmp_path, workers=1, code=example.settled)
    assert [other.resumed, len(other.table())] == [18, 58]


def test_what_dying_processes_and_raising_tasks_cost(tmp_path, tasks, alone):
    for place, what in ((3, "raise"), (7, "die"), (11, "die once")):
        order(tasks, place, what)
    words = r"^task 3, \{seed: 3, .*failed: ArithmeticError: fell off \(1 more failed\)$"
    with pytest.raises(TaskFailed, match=words) as caught:
        sweep(example.run, tasks, tmp_path, workers=2, code=example.settled)
    assert caught.value.raised.kind == "builtins.ArithmeticError"
    assert 'raise ArithmeticError("fell off")' in caught.value.raised.text
    assert example.begun(tasks[0]["log"]) == {**dict.fromkeys(range(20), 1), 7: 3, 11: 2}
    assert stored(tmp_path) == [place for place in range(20) if place not in (3, 7)]
    for place in (3, 7):
        order(tasks, place, "")
    again = sweep(example.run, tasks, tmp_path, workers=1, code=example.settled)
    assert again.resumed == 18
    assert saved(again, tmp_path) == alone


class Mortal:
    """An engine whose worker dies of some tasks, and now and then of nothing that it was given."""

    strikes = 2

    def __init__(self, deadly, raising, accidents):
        self.deadly, self.raising, self.accidents = deadly, raising, accidents

    def room(self):
        return 3

    def submit(self, unit):
        future = Future()
        future.set_result(self.done(unit))
        return future

    def done(self, unit):
        if self.accidents:
            self.accidents.pop()
            return Died(False)
        for count, task in enumerate(unit.tasks):
            if task in self.deadly:
                return Died()
            if task in self.raising:
                return Rows(count, b"", Raised(task, "", "", ""))
        return Rows(len(unit.tasks), b"")

    def outcome(self, future):
        return future.result()


@given(st.integers(1, 9), st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)), st.lists(st.none(), max_size=4))
def test_every_task_is_finished_or_blamed_once(chunk, deadly, raising, accidents):
    units = parts.units([range(20)], range(20), chunk)
    finished, blamed = [], []
    for unit, rows in supervise(units, Mortal(deadly, raising, accidents)):
        finished += unit.tasks[: rows.count]
        blamed += [] if rows.raised is None else [rows.raised.place]
    assert sorted(blamed) == sorted(deadly | raising)
    assert sorted(finished) == sorted(set(range(20)) - deadly - raising)


def test_when_ten_have_failed_no_other_is_begun(tmp_path, tasks):
    for place in range(20):
        order(tasks, place, "raise")
    with pytest.raises(TaskFailed, match=r"^task 0, .*\(9 more failed\)$"):
        sweep(example.run, tasks, tmp_path, workers=1, code=example.settled)
    assert len(example.begun(tasks[0]["log"])) == 10


def test_rows_that_do_not_go_together_are_refused(tmp_path):
    def mixed(seed):
        return [{"x": "word" if seed == 2 else 1.0}]

    with pytest.raises(TaskFailed, match=r"^task 2, 2, failed: .*x"):
        sweep(mixed, [0, 1, 2, 3], tmp_path, workers=1, chunk=4, code=example.settled)
    assert stored(tmp_path) == [0, 1, 3]
    alone = sweep(mixed, [0, 1, 2, 3], tmp_path, workers=1, code=example.settled)
    with pytest.raises(ValueError, match=r"^rows: those in .*000000002-1-.*do not go with those before: .*x"):
        alone.table()


def test_an_interrupt_leaves_nothing_running_and_loses_nothing(tmp_path, tasks, alone):
    slow = [{**task, "seconds": 0.05} for task in tasks]

    def interrupt(done, total):
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(example.run, slow, tmp_path, workers=2, chunk=2, code=example.settled, progress=interrupt)
    running = {int(line.split()[1]) for line in (Path(tasks[0]["log"]) / "log").read_text().splitlines()}
    for process in running - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    kept = stored(tmp_path)
    assert len(kept) >= 4
    again = sweep(example.run, slow, tmp_path, workers=1, code=example.settled)
    assert again.resumed == len(kept)
    assert saved(again, tmp_path) == alone


CLIENT = """
import sys
sys.path[:0] = sys.argv[1:3]
import example_sweep
from irl_ident.sweeps import sweep
tasks = [{"seed": i, "seconds": 0.2, "log": sys.argv[3]} for i in range(100)]
sweep(example_sweep.run, tasks, sys.argv[3], workers=2, code=example_sweep.settled)
"""


def test_processes_end_when_the_process_that_started_them_was_killed(tmp_path):
    here = Path(__file__).resolve().parent
    client = subprocess.Popen([sys.executable, "-c", CLIENT, here.parent, here, tmp_path], stderr=subprocess.DEVNULL)
    log = tmp_path / "log"
    while not (log.exists() and len(log.read_text().splitlines()) > 3):
        assert client.poll() is None
        time.sleep(0.02)
    client.kill()
    client.wait()
    processes = {int(line.split()[1]) for line in log.read_text().splitlines()}
    deadline = time.monotonic() + 30
    while processes:
        assert time.monotonic() < deadline, "a worker outlived the process that started it"
        time.sleep(0.1)
        for process in list(processes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 0)
                continue
            processes.remove(process)


def test_progress_counts_every_task_once(tmp_path):
    told = []
    sweep(example.run, TASKS, tmp_path, workers=1, chunk=3, code=example.settled, progress=lambda *t: told.append(t))
    assert told == [(done, 20) for done in [*range(0, 20, 3), 20]]


def test_long_tables_are_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 16)
    swept = sweep(example.run, TASKS, tmp_path, workers=1, chunk=3, code=example.settled)
    assert [len(table) for table in swept.tables()] == [16, 16, 16, 12]
    file = parquet.ParquetFile(swept.save(tmp_path / "table.parquet"))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [16, 16, 16, 12]
    pd.testing.assert_frame_equal(pd.concat(swept.tables(), ignore_index=True), swept.table(), check_exact=True)
    pd.testing.assert_frame_equal(file.read().to_pandas(), swept.table(), check_exact=True)


def test_tasks_without_rows_give_an_empty_table(tmp_path):
    swept = sweep(rows_of, [0, 4], tmp_path, workers=1, code=example.settled)
    assert len(swept.table()) == 0
    assert swept.save(tmp_path / "table.parquet").exists()
    assert sweep(rows_of, [], tmp_path / "none", workers=1, code=example.settled).tasks == 0


def test_a_damaged_file_is_named(tmp_path):
    swept = sweep(example.run, TASKS[:3], tmp_path, workers=1, code=example.settled)
    swept.files[1].write_bytes(swept.files[1].read_bytes()[:100])
    with pytest.raises(ValueError, match=r"000000001-1-\w+\.parquet: is damaged .*; remove it, and the same call"):
        swept.table()


def test_two_runs_do_not_share_a_folder(tmp_path):
    def within(seed):
        return sweep(rows_of, [1], tmp_path, workers=1, code=example.settled).table()

    with pytest.raises(TaskFailed, match=r"BlockingIOError: .*is in use by another run: wait for it, or choose an"):
        sweep(within, [0], tmp_path, workers=1, code=example.settled)


def test_half_written_files_of_killed_runs_are_removed(tmp_path):
    swept = sweep(example.run, TASKS[:3], tmp_path, workers=1, code=example.settled)
    (swept.files[0].parent / ".000000001-1.7.abcd.partial.parquet").write_bytes(b"half")
    sweep(example.run, TASKS[:3], tmp_path, workers=1, code=example.settled)
    assert not litter(tmp_path)


def test_rows_that_cannot_be_kept_end_the_sweep_with_one_clear_error(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "whatever")

    monkeypatch.setattr("irl_ident.writing.os.fsync", full)
    with pytest.raises(OSError, match=r"^\[Errno 28\] No space left on device: '.*000000000-1-\w+\.parquet'$"):
        sweep(example.run, TASKS, tmp_path, workers=1, code=example.settled)
    assert not stored(tmp_path)
    assert not litter(tmp_path)


def test_other_code_has_other_rows(tmp_path):
    source = "def run(task):\n    return [{'x': task + LATER}]\nLATER = 1\n"
    digests = []
    for text, depends in [(source, []), (source, []), (source.replace("1", "2"), []), (source, [tmp_path / "data"])]:
        (tmp_path / "data").write_text("1")
        (tmp_path / "module.py").write_text(text)
        names = {}
        exec(compile(text, tmp_path / "module.py", "exec"), names)
        digests.append(code_digest(names["run"], depends))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_worker_with_other_code_is_refused():
    with pytest.raises(OtherCode, match="a worker has other code than the process that asks for rows"):
        do(example.run, Unit(0, (1,)), Code("d" * 64, example.settled))


def test_linear_algebra_has_one_thread(tmp_path):
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    def threads(task):
        return [{"threads": library["num_threads"]} for library in threadpool_info()]

    swept = sweep(threads, [0], tmp_path, workers=1, code=example.settled)
    assert set(swept.table()["threads"]) == {1}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workers": 0}, r"^workers: was 0, should be a whole number of at least 1$"),
        ({"chunk": 1.5}, r"^chunk: was 1.5, should be a whole number of at least 1$"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, r"^workers and scheduler: give one of them$"),
        ({"tasks": [object()]}, r"^task: is <object .*, should be a plain finite value$"),
        ({"tasks": [{"x": np.nan}]}, r"^task: is nan, should be a plain finite value$"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        sweep(**{"run": rows_of, "tasks": [1], "folder": tmp_path, "workers": 1, "code": example.settled, **wrong})


def test_a_unit_is_not_gone_on_with_when_nobody_wants_it():
    asked = iter([True, False])
    begun = []
    with pytest.raises(Unwanted):
        do(lambda task: begun.append(task) or [], Unit(0, (1, 2, 3)), Code("", str), lambda: next(asked))
    assert begun == [1]


def test_campaigns_are_swept(tmp_path):
    def run(seed):
        env = ii.builders.random_environment(3, 2, 0.9, seed=seed)
        family = ii.rewards.StateRewards(3)
        campaign = ii.design.Campaign([env], ii.design.RoundRobin(), family, until=ii.design.budget(1))
        campaign.run(ii.agents.Optimal(family, [0.0, 0.5, 1.0]))
        return campaign.table.assign(seed=seed)

    table = sweep(run, range(2), tmp_path, workers=1, code=example.settled).table()
    assert list(table["seed"]) == [0, 1]
    assert list(table["step"]) == [1, 1]


FILE = """
from pathlib import Path
tasks = range(3)
def run(seed):
    if seed == 1 and Path(__file__).with_name("order").exists():
        raise ArithmeticError("fell off")
    return [{"seed": seed}]
"""


@pytest.fixture
def command(tmp_path):
    """The command on a file of tasks, one process."""
    (tmp_path / "mine.py").write_text(FILE)

    def call(name="mine.py", *more):
        out = ["--workers", "1", "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(app, [str(tmp_path / name), *out, *more])
        return result.exit_code, result.output.strip().splitlines()

    return call


def test_a_file_of_tasks_is_swept_by_a_command(tmp_path, command):
    (tmp_path / "order").write_text("")
    code, said = command()
    assert code == 1
    assert said[-1].startswith("task 1, 1, failed: ArithmeticError: fell off; what other tasks finished is kept")
    (tmp_path / "order").unlink()
    code, said = command()
    assert code == 0
    assert said[0].startswith("3 tasks, 2 of them finished earlier, ")
    assert list(pd.read_parquet(tmp_path / "out" / "table.parquet")["seed"]) == [0, 1, 2]


def test_a_file_without_tasks_is_one_line(tmp_path, command):
    assert command("none.py") == (2, [f"{tmp_path / 'none.py'}: there is no such file"])
    (tmp_path / "half.py").write_text("tasks = [1]")
    assert command("half.py") == (2, [f"{tmp_path / 'half.py'}: does not define run"])


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ImportError, match=r'^sweeps need joblib: pip install "irl-ident\[parallel\]"$'):
        sweep(rows_of, [1], tmp_path, workers=1)


def test_functions_of_scripts_take_the_digest_of_their_source_with_them():
    def local(task):
        return []

    assert digests.computing(local, ()).func is not code_digest
    assert digests.computing(example.run, ()).func is code_digest
    assert digests.computing(local, ())() == code_digest(local)
    assert digests.computing(example.run, ())() == code_digest(example.run)
