"""Files of evidence: what is written is what is read, and damage is always noticed."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from irl_ident import Environment, rewards
from irl_ident.evidence import (
    Contents,
    Counts,
    Pairs,
    Policy,
    Trajectories,
    layout,
    load,
    load_environments,
    read,
    save,
    save_environments,
    write,
)
from irl_ident.evidence.containers import pack

SUFFIXES = pytest.mark.parametrize("suffix", [".npz", ".json"])


def random_contents(seed: int) -> Contents:
    """Environments, one observation of each kind, and a family, all drawn from ``seed``."""
    random = np.random.default_rng(seed)
    n_states, n_actions = (int(n) for n in random.integers(1, 5, size=2))
    environments = []
    for _ in range(random.integers(1, 4)):
        rows = random.random((n_states * n_actions, n_states)) ** 3
        rows[random.random(rows.shape) < 0.4] = 0
        rows[np.arange(len(rows)), random.integers(n_states, size=len(rows))] += 1e-3
        initial = random.dirichlet(np.ones(n_states)) if random.random() < 0.5 else None
        letters = random.permutation(np.array(["ä", "\t", '"', "/", "", "\\", "名", " s "]))[:n_states]
        environments.append(
            Environment(
                sparse.csr_array(rows / rows.sum(axis=1, keepdims=True)),
                float(random.random()),
                initial,  # type: ignore[arg-type]
                states=tuple(letters) if random.random() < 0.5 else None,  # type: ignore[arg-type]
                actions=[f"do {a}" for a in range(n_actions)],  # type: ignore[arg-type]
            )
        )
    env = environments[-1]
    policy = random.dirichlet(np.ones(n_actions), size=n_states)
    policy[random.random(n_states) < 0.3] = 0
    episodes: list[list[int]] = []
    choices: list[list[int]] = []
    for length in random.integers(0, 5, size=random.integers(1, 5)):
        states, actions = [int(random.integers(n_states))], []
        for _ in range(length):
            actions.append(int(random.integers(n_actions)))
            states.append(int(random.choice(np.flatnonzero(env.dense()[states[-1], actions[-1]]))))
        episodes.append(states)
        choices.append(actions)
    families = [
        None,
        rewards.StateRewards(n_states),
        rewards.StateActionRewards(n_states, n_actions),
        rewards.TransitionRewards(n_states, n_actions),
        rewards.LinearRewards(random.standard_normal((n_states, n_actions, 2))),
        rewards.LinearRewards(random.standard_normal((n_states, n_actions, 2)), names=["heat", "light"]),
    ]
    return Contents(
        tuple(environments),
        (
            (env, Policy(policy, shows="some")),
            (environments[0], Counts(random.integers(0, 2**60, size=(n_states, n_actions)))),
            (env, Trajectories(episodes, choices)),
        ),
        families[random.integers(len(families))],
    )


def assert_same(one: Contents, other: Contents) -> None:
    """Bit by bit."""
    assert [env.digest for env in one.environments] == [env.digest for env in other.environments]
    assert_same_evidence(list(one.evidence), list(other.evidence))
    assert type(one.family) is type(other.family)
    if one.family is not None and other.family is not None:
        assert one.family.dim == other.family.dim
        assert one.family.parameters == other.family.parameters
        features = one.family.matrix(one.environments[0]).toarray(), other.family.matrix(one.environments[0]).toarray()
        np.testing.assert_array_equal(*features)


def assert_same_evidence(one: Pairs, other: Pairs) -> None:
    assert len(one) == len(other)
    for (env, seen), (other_env, other_seen) in zip(one, other, strict=True):
        assert env.digest == other_env.digest
        assert type(seen) is type(other_seen)
        for name, value in vars(seen).items():
            np.testing.assert_array_equal(value, getattr(other_seen, name), strict=isinstance(value, np.ndarray))


@SUFFIXES
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, suffix: str, seed: int) -> None:
    path = tmp_path_factory.mktemp("files") / f"seen{suffix}"
    contents = random_contents(seed)
    write(path, contents)
    again = read(path)
    assert_same(contents, again)
    before = path.read_bytes()
    write(path, again)
    assert path.read_bytes() == before


@SUFFIXES
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_noticed(tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("files") / f"seen{suffix}"
    contents = random_contents(data.draw(st.integers(0, 3)))
    write(path, contents)
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    gone = data.draw(st.sampled_from([0, 1, 4, len(whole)]))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=4)) + whole[start + gone :])
    fault = None
    try:
        assert_same(contents, read(path))
    except ValueError as error:
        fault = str(error)
    if fault is not None:
        assert fault.startswith(f"{path}: ")
        assert "\n" not in fault


@pytest.fixture
def pair() -> tuple[Environment, Policy]:
    env = Environment(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.25, 0.75], [0.0, 1.0]]]), 0.9)
    return env, Policy([[0.0, 1.0], [0.5, 0.5]])


@SUFFIXES
def test_an_environment_is_written_once(tmp_path: Path, suffix: str, pair: tuple[Environment, Policy]) -> None:
    env, policy = pair
    same = Environment(env.dense(), env.discount)
    save(tmp_path / f"seen{suffix}", [(env, policy), (same, policy.probabilities), (env, Counts(np.eye(2)))])
    seen = load(tmp_path / f"seen{suffix}")
    assert len(load_environments(tmp_path / f"seen{suffix}")) == 1
    assert seen[0][0] is seen[1][0] is seen[2][0]
    assert_same_evidence(seen, [(env, policy), (env, policy), (env, Counts(np.eye(2)))])


@SUFFIXES
def test_environments_only(tmp_path: Path, suffix: str, pair: tuple[Environment, Policy]) -> None:
    path = tmp_path / f"candidates{suffix}"
    save_environments(path, [pair[0], pair[0]], family=rewards.StateRewards(2))
    assert [env.digest for env in load_environments(path)] == [pair[0].digest] * 2
    assert read(path).family == rewards.StateRewards(2)
    with pytest.raises(ValueError, match="evidence: is missing, this file holds environments only"):
        load(path)


def test_the_container_is_told_by_the_content(tmp_path: Path, pair: tuple[Environment, Policy]) -> None:
    save(tmp_path / "seen.json", [pair])
    (tmp_path / "seen.json").rename(tmp_path / "seen")
    assert_same_evidence(load(tmp_path / "seen"), [pair])


def test_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    path.write_text("""{
      "format": "irl_ident", "version": 1,
      "environments": [{"shape": [2, 2], "discount": 0.5,
                        "transitions": [[[1, 0], [0, 1]], [[0, 1], [0, 1]]], "actions": ["stay", "go"]}],
      "evidence": [{"environment": 0, "kind": "trajectories", "states": [[0, 0, 1], [1]], "actions": [[0, 1], []]}]
    }""")
    ((env, seen),) = load(path)
    assert isinstance(seen, Trajectories)
    assert env.actions == ("stay", "go")
    np.testing.assert_array_equal(seen.states, [[0, 0, 1], [1, -1, -1]])
    np.testing.assert_array_equal(env.dense()[0], [[1, 0], [0, 1]])


FAULTS: list[tuple[str, Any, str]] = [
    ("format", "other", 'format: should be "irl_ident"'),
    ("version", 2, "version: is 2, this release reads version 1"),
    ("version", "1", "version: should be a whole number"),
    ("version", True, "version: should be a whole number"),
    ("colour", 1, "colour: is not a key of this format"),
    ("environments", None, "environments: is missing"),
    ("environments/0/shape", [0, 2], "environments/0/shape: is 0, 2"),
    ("environments/0/shape", [2.5, 2], "environments/0/shape: should hold whole numbers only"),
    ("environments/0/shape", [10**12, 2], "environments/0/indptr: should have shape"),
    ("environments/0/shape", [10**30, 2], "environments/0/shape: should"),
    ("environments/0/discount", 1.5, "environments/0/discount: was 1.5"),
    ("environments/0/discount", None, "environments/0/discount: is missing"),
    ("environments/0/discount", "high", "environments/0/discount: should be a number, is 'high'"),
    ("environments/0/indices", [0, 1, 0, 1, 2], "environments/0/indices: should be states, from 0 to 1"),
    ("environments/0/indices", [0, 1, 0, 1, -1], "environments/0/indices: should be states, from 0 to 1"),
    ("environments/0/indptr", [0, 1, 2, 4, 6], "environments/0/indptr: should rise from 0 to 5"),
    ("environments/0/indptr", [0, 3, 2, 4, 5], "environments/0/indptr: should rise from 0 to 5"),
    ("environments/0/data", [1, 1, 0.25, 0.5, 1], r"environments/0/transitions\[1, 0\] sums to 0.75"),
    ("environments/0/data", [1, 1, 0.25], r"environments/0/data: should have shape \(5\), has \(3,\)"),
    ("environments/0/data", [[1, 1], [1]], "environments/0/data: should hold numbers alone, in lists 1 deep"),
    ("environments/0/transitions", [[[1, 0], [0]], [[0, 1], [0, 1]]], "environments/0/transitions: should be an array"),
    (
        "environments/0/data",
        [True, 1, 0.25, 0.75, 1],
        "environments/0/data: should hold numbers alone, in lists 1 deep",
    ),
    ("environments/0/discount", 10**400, "environments/0/discount: is too large for double precision"),
    ("environments/0/extra", {}, "environments/0/extra: is an object without keys"),
    ("sha256", None, "sha256: does not match"),
    ("environments/0/transitions", [[[1, 0]]], r"environments/0/transitions: should have shape \(2, 2, 2\)"),
    ("environments/0/initial", [0.5, 0.6], "environments/0/initial: sums to 1.1"),
    ("environments/0/states", ["one", "one"], "environments/0/states: the name 'one' is given more than once"),
    ("environments/0/states", [1, 2], "environments/0/states: should be a list of words"),
    ("environments/0/sates", ["one", "two"], "environments/0/sates: is not a key of this format"),
    ("evidence/0/environment", 1, "evidence/0/environment: is 1, the file has environments 0 to 0"),
    ("evidence/0/environment", -1, "evidence/0/environment: is -1"),
    ("evidence/0/kind", "video", "evidence/0/kind: is 'video'"),
    ("evidence/0/shows", "most", "evidence/0/shows: was 'most'"),
    ("evidence/0/probabilities", [[1, 0], [1, 1]], r"evidence/0/probabilities\[1\] sums to 2.0"),
    ("evidence/0/probabilities", [[1, 0]], r"evidence/0/probabilities: should have shape \(2, 2\) in this environment"),
    (
        "evidence/0/counts",
        [[1, 0]],
        "evidence/0/counts: is not a key of this format, or has no place beside the others",
    ),
    ("evidence/1/counts", [[1, 0], [0.5, 0]], "evidence/1/counts: should hold whole numbers only"),
    ("evidence/2/lengths", [3, 1], "evidence/2/lengths: should be numbers >= 0 that sum to the number of actions"),
    ("evidence/2/lengths", [-1, 3], "evidence/2/lengths: should be numbers >= 0"),
    ("evidence/2/lengths", None, "evidence/2/states: should be a list with one list for each episode"),
    ("evidence/2/states", [0, 1, 1, 1, 2], "evidence/2/states: episode 1, step 1: is 2, should be below 2"),
    (
        "evidence/2/states",
        [0, 1, 1, 1, 0],
        "evidence/2/states: episode 1, step 0: .*'a1' never leads from state 's1' to 's0'",
    ),
    ("family/kind", "cubic", "family/kind: is 'cubic'"),
    ("family/n_states", 10**30, "family/StateRewards: is for 10+ states, the environment has 2"),
    ("family/n_states", 0, "family/n_states: was 0, should be a whole number of at least 1"),
]


@pytest.fixture
def tree(pair: tuple[Environment, Policy]) -> dict[str, Any]:
    """A sound file as nested JSON, without checksum."""
    env, policy = pair
    seen = [(env, policy), (env, Counts(np.eye(2))), (env, Trajectories([[0, 1, 1], [1, 1]], [[1, 1], [1]]))]
    flat = layout.tree_of(Contents((env,), tuple(seen), rewards.StateRewards(2)))  # type: ignore[arg-type]
    nested: dict[str, Any] = json.loads(pack(flat, Path("x.json")))
    del nested["sha256"]
    return nested


@pytest.mark.parametrize(("key", "value", "fault"), FAULTS)
def test_faults_are_named_by_file_and_key(
    tmp_path: Path, tree: dict[str, Any], key: str, value: object, fault: str
) -> None:
    path = tmp_path / "seen.json"
    path.write_text(json.dumps(tree))
    assert len(load(path)) == 3
    broken = copy.deepcopy(tree)
    branch: Any = broken
    *above, last = key.split("/")
    for part in above:
        branch = branch[int(part) if isinstance(branch, list) else part]
    if value is None and last in branch:
        del branch[last]
    else:
        branch[last] = value
    path.write_text(json.dumps(broken))
    with pytest.raises(ValueError, match=f"seen.json: {fault}") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"PK\x05\x06" + bytes(18),
        b"[]",
        b"7",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "irl_ident", "version": 1, "version": 1}',
        b'{"format": "irl_ident", "version": NaN}',
        b'{"format": "irl_ident", "version": 1, "environments": [{"shape": [1, 1], "discount": 1e999}]}',
        b'{"format": "irl_ident", "version": 1, "environments/0/shape": [1, 1]}',
        b'{"format": "irl_ident", "version": ' + b"9" * 5000 + b"}",
        b"state,action\n0,1\n",
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="foreign: "):
        read(path)


def test_nothing_pickled_is_read(tmp_path: Path) -> None:
    path = tmp_path / "seen.npz"
    np.savez(path, format=np.array("irl_ident"), version=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match=r"seen.npz: version: .*allow_pickle"):
        read(path)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, pair: tuple[Environment, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seen.json"
    save(path, [pair])
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save(path, [pair, pair])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_stored_is_refused(tmp_path: Path, pair: tuple[Environment, Policy]) -> None:
    env, policy = pair
    with pytest.raises(ValueError, match=r"path: .*seen.txt should end in .npz or .json"):
        save(tmp_path / "seen.txt", [pair])
    named = Environment(env.dense(), 0.9, states=["a", "b\0"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="environments/0/states: a name holds the character NUL"):
        save(tmp_path / "seen.npz", [(named, policy)])
    with pytest.raises(ValueError, match="environments: should hold at least one"):
        save_environments(tmp_path / "seen.npz", [])
    assert list(tmp_path.iterdir()) == []
