"""Every loader of what a user gives, the valid files it is fuzzed from, and what has to be true of what it accepts."""

from __future__ import annotations

import gzip
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz import archives, mutations, trees
from fuzz.choices import Choices


class Loader(ABC):
    """One way into the package.

    Attributes
    ----------
    name : str
    documented : tuple of exception types
        What it may raise.
    named : bool
        Whether its messages name the file.
    """

    name: str
    documented: tuple[type[Exception], ...] = (ValueError, OSError)
    named = True

    @abstractmethod
    def made(self, folder: Path, choices: Choices) -> Any:
        """A mutated input: a path in ``folder``, or a structure."""

    @abstractmethod
    def load(self, given: Any) -> Any:
        """What is read; None where it was refused without an exception."""

    @abstractmethod
    def verify(self, value: Any) -> None:
        """Raise unless what was accepted is a valid object, the same when it is saved and loaded."""


class JsonLoader(Loader):
    """A loader of JSON."""

    file = "given.json"

    @property
    @abstractmethod
    def trees(self) -> Sequence[Any]:
        """Valid documents."""

    def resealed(self, tree: Any) -> Any:
        """The document with its checksum made right."""
        return tree

    def made(self, folder: Path, choices: Choices) -> Path:
        """A mutated file: by structure in three of four cases, else by bytes."""
        tree = choices.pick(self.trees)
        if choices.one_in(4):
            content = mutations.mutated(json.dumps(tree).encode(), choices)
        else:
            content = trees.mutated_text(tree, choices, self.resealed).encode("utf-8", "surrogatepass")
        path = folder / self.file
        path.write_bytes(self.packed(content, choices))
        return path

    def packed(self, content: bytes, choices: Choices) -> bytes:
        """The file of a text."""
        return content


class ArchiveLoader(Loader):
    """A loader of NumPy's npz."""

    @property
    @abstractmethod
    def files(self) -> Sequence[bytes]:
        """Valid files."""

    def resealed(self, members: archives.Members) -> archives.Members:
        """The members with their checksum made right."""
        return members

    def made(self, folder: Path, choices: Choices) -> Path:
        """A mutated file: by structure in three of four cases, else by bytes."""
        whole = choices.pick(self.files)
        if choices.one_in(4):
            content = mutations.mutated(whole, choices)
        else:
            content = archives.mutated_archive(archives.members(whole), choices, self.resealed)
        path = folder / "given.npz"
        path.write_bytes(content)
        return path


@cache
def small_evidence() -> Any:
    """Two environments, an observation of each kind, and a family."""
    from scipy import sparse

    from irl_ident import Environment, rewards
    from irl_ident.evidence import Contents, Counts, Policy, Trajectories

    rows = sparse.csr_array(np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75], [0.0, 1.0]]))
    env = Environment(rows, 0.9)
    named = Environment(rows, 0.5, [0.25, 0.75], states=["here", "dört"], actions=["stay", "go"])  # type: ignore[arg-type]
    policy = Policy([[0.0, 1.0], [0.5, 0.5]], shows="some")
    seen = ((env, policy), (env, Counts([[3, 1], [0, 2]])), (named, Trajectories([[0, 1, 1], [1, 0]], [[1, 1], [0]])))
    features = np.arange(8.0).reshape(2, 2, 2)
    return Contents((env, named), seen, rewards.LinearRewards(features, names=["heat", "light"]))


class _Evidence(Loader):
    def load(self, given: Path) -> Any:
        from irl_ident.evidence import read

        return read(given)

    def verify(self, value: Any) -> None:
        import tempfile

        from irl_ident.evidence import read, write

        with tempfile.TemporaryDirectory() as folder:
            for name in ("again.json", "again.npz"):
                path = Path(folder) / name
                try:
                    write(path, value)
                except ValueError as error:
                    if name.endswith(".npz") and "NUL" in str(error):
                        continue
                    raise
                first, again = path.read_bytes(), read(path)
                assert [env.digest for env in again.environments] == [env.digest for env in value.environments]
                write(path, again)
                assert path.read_bytes() == first
        for env in value.environments:
            assert abs(env.transitions.sum(axis=1) - 1).max() <= 1e-8
            assert env.transitions.data.min() > 0
            assert 0 <= env.discount <= 1
            "".join([*env.states[:100], *env.actions[:100]]).encode("utf-8")
        for env, seen in value.evidence:
            seen.check(env)


class EvidenceJson(_Evidence, JsonLoader):
    """``irl_ident.evidence.read`` of JSON."""

    name = "evidence-json"

    @property
    def trees(self) -> Sequence[Any]:
        """With lengths, with lists of lists, and with dense transitions."""
        return _evidence_trees()

    def resealed(self, tree: Any) -> Any:
        """With the SHA-256 of all else."""
        from irl_ident.evidence import containers

        rest = {key: value for key, value in tree.items() if key != "sha256"}
        return {**rest, "sha256": containers._sha256(rest)}


@cache
def _evidence_trees() -> Sequence[Any]:
    from irl_ident.evidence import containers, layout

    full = json.loads(containers.pack(layout.tree_of(small_evidence()), Path("x.json")))
    ragged = json.loads(json.dumps(full))
    del ragged["sha256"]
    ragged["evidence"][2] |= {"states": [[0, 1, 1], [1, 0]], "actions": [[1, 1], [0]]}
    ragged["evidence"][2].pop("lengths", None)
    dense = {"shape": [2, 2], "discount": 0.5, "transitions": [[[1, 0], [0, 1]], [[0.5, 0.5], [0, 1]]]}
    ragged["environments"][0] = dense
    del ragged["evidence"][0]
    ragged["family"] = {"kind": "state-action", "n_states": 2, "n_actions": 2}
    return full, ragged


class EvidenceNpz(_Evidence, ArchiveLoader):
    """``irl_ident.evidence.read`` of npz."""

    name = "evidence-npz"

    @property
    def files(self) -> Sequence[bytes]:
        """One of everything."""
        from irl_ident.evidence import containers, layout

        return (containers.pack(layout.tree_of(small_evidence()), Path("x.npz")),)

    def resealed(self, members: archives.Members) -> archives.Members:
        """With the SHA-256 of all else."""
        from irl_ident.evidence import containers

        rest = {name.removesuffix(".npy"): content for name, content in members.items() if name != "sha256.npy"}
        total = containers._sha256_of_members(rest)
        return {"sha256.npy": archives.array_bytes(np.array(total)), **members} | {
            "sha256.npy": archives.array_bytes(np.array(total))
        }


class Journals(Loader):
    """The journal of a campaign."""

    name = "journal"

    def made(self, folder: Path, choices: Choices) -> Path:
        """One line mutated, or bytes."""
        lines = _journal().splitlines(keepends=True)
        if choices.one_in(4):
            content = mutations.mutated(b"".join(lines), choices)
        else:
            number = choices.below(len(lines))
            written = trees.mutated_text(json.loads(lines[number]), choices, _resealed_line)
            lines[number] = written.encode("utf-8", "surrogatepass") + b"\n"
            content = b"".join(lines)
        path = folder / "given.journal"
        path.write_bytes(content)
        return path

    def load(self, given: Path) -> Any:
        """A campaign that goes on from it."""
        return _campaign(given)

    def verify(self, value: Any) -> None:
        """The steps that were taken are a beginning of those that were written."""
        taken, all_steps = value.ident.evidence, _campaign(None, done=True).ident.evidence
        assert len(taken) <= len(all_steps)
        assert [env.digest for env, _ in taken] == [env.digest for env, _ in all_steps][: len(taken)]
        assert value.until is not None


def _resealed_line(record: Any) -> Any:
    if "seen" in record:
        record["seen"] = EvidenceJson().resealed(record["seen"])
    return record


def _campaign(journal: Path | None, done: bool = False) -> Any:
    from irl_ident import Environment, agents, design, rewards

    moves = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    candidates = [Environment(moves, discount) for discount in (0.5, 0.9)]
    family = rewards.StateRewards(2)
    made = design.Campaign(candidates, design.Random(0), family, until=design.budget(2), journal=journal)
    if done:
        made.run(agents.Optimal(family, [0.0, 1.0]))
    return made


@cache
def _journal() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        _campaign(Path(folder) / "seed.journal", done=True)
        return (Path(folder) / "seed.journal").read_bytes()


@cache
def certificates() -> Sequence[Any]:
    """A proof, a refutation, and a composed property of a noisy agent."""
    from irl_ident import Environment, agents, certify, identify, rewards
    from irl_ident import certificates as room

    def fork(swapped: bool, discount: float = 0.5) -> Environment:
        moves = np.zeros((3, 2, 3))
        moves[0, 0, 2 - swapped] = moves[0, 1, 1 + swapped] = moves[1:, :, 0] = 1
        return Environment(moves, discount)

    family = rewards.StateRewards(3)
    agent = agents.Optimal(family, [0.0, 1.0, 0.0])
    ident = identify([(fork(False), agent.policy(fork(False)))], family)
    asked = (
        (room.OptimalAction("s0", "a1"), fork(False)),
        (room.OptimalAction("s0", "a1"), fork(True)),
        (room.Avoids(["s2"]) | ~room.OptimalAction("s0", "a0"), fork(True)),
        (room.Linear([1.0, -1.0, 0.0], 0.5), None),
    )
    return tuple(certify(ident, prop, env).document for prop, env in asked)


class Certificates(JsonLoader):
    """The checker of certificates, of files that may be compressed."""

    name = "certificate"

    @property
    def trees(self) -> Sequence[Any]:
        """One of each kind."""
        return certificates()

    def resealed(self, tree: Any) -> Any:
        """With its digest."""
        from irl_ident.certificates.checking import seal

        return seal({key: value for key, value in tree.items() if key != "digest"})

    def packed(self, content: bytes, choices: Choices) -> bytes:
        """Compressed in one of four cases, and damaged in one of four of these."""
        if not choices.one_in(4):
            return content
        whole = gzip.compress(content, mtime=0)
        return mutations.mutated(whole, choices) if choices.one_in(4) else whole

    def load(self, given: Path) -> Any:
        """The verdict, where it is accepted."""
        from irl_ident.certificates.checking import check

        verdict = check(given)
        assert verdict.reason
        return (verdict, given) if verdict.accepted else None

    def verify(self, value: Any) -> None:
        """What was accepted is accepted again, with the same verdict, when it is written as plain JSON."""
        from irl_ident.certificates.checking import check
        from irl_ident.certificates.checking.reading import load

        verdict, path = value
        content = json.loads(json.dumps(load(path)))
        assert content["digest"] == load(path)["digest"]
        assert check(path) == verdict


@cache
def network_certificates() -> Sequence[Any]:
    """Of a network with one hidden layer over two boxes."""
    from irl_ident.certificates import networks

    return networks_examples(networks)


def networks_examples(networks: Any) -> Sequence[Any]:
    """Documents by hand: a proof by a leaf and an input that refutes."""
    statement = {
        "network": {"weights": [[[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]]], "biases": [[0.0, 0.0], [0.0, 0.0]]},
        "margin": 0.0,
        "regions": [
            {"lower": [0.25], "upper": [1.0], "state": "s0", "actions": [0]},
            {"lower": [-1.0], "upper": [1.0], "state": "s1", "actions": [1]},
        ],
    }
    statement["network"]["significand"] = None  # type: ignore[index]
    leaf = {"rivals": [1, 0]}
    tree = {"input": 0, "below": leaf, "above": {"neuron": [0, 0], "inactive": leaf, "active": leaf}}
    results = [
        {"excluded": {"1": tree}, "reached": {"0": [0.5]}, "near": {}},
        {"excluded": {}, "reached": {"0": [0.5]}, "near": {"1": [0.0]}},
    ]
    return ({"format": "irl_ident network certificate", "version": 1, "statement": statement, "results": results},)


class NetworkCertificates(JsonLoader):
    """The checker of network certificates."""

    name = "network-certificate"
    named = False

    def __init__(self) -> None:
        from irl_ident.certificates.network_wholes import Rejected

        self.documented = (Rejected, OSError)

    @property
    def trees(self) -> Sequence[Any]:
        """One."""
        return networks_examples(None)

    def load(self, given: Path) -> Any:
        """The statuses, with the document."""
        from irl_ident.certificates import network_checking

        document = network_checking.read(given)
        return network_checking.check(document), document

    def verify(self, value: Any) -> None:
        """What is proved holds at the corners and the middle of each box, computed in fractions."""
        from fractions import Fraction

        statuses, document = value
        network = document["statement"]["network"]
        for status, region in zip(statuses, document["statement"]["regions"], strict=True):
            if status != "proved":
                continue
            low, high = ([Fraction(x) for x in region[side]] for side in ("lower", "upper"))
            for inputs in (low, high, [(a + b) / 2 for a, b in zip(low, high, strict=True)]):
                kept = inputs
                for layer, (matrix, bias) in enumerate(zip(network["weights"], network["biases"], strict=True)):
                    kept = [
                        sum((Fraction(w) * x for w, x in zip(row, kept, strict=True)), Fraction(b))
                        for row, b in zip(matrix, bias, strict=True)
                    ]
                    if layer + 1 < len(network["weights"]):
                        kept = [max(x, Fraction(0)) for x in kept]
                best = max(kept)
                assert all(kept[a] < best for a in range(len(kept)) if a not in region["actions"])


class Properties(JsonLoader):
    """Files of properties."""

    name = "property"
    named = False

    @property
    def trees(self) -> Sequence[Any]:
        """One of every kind."""
        atoms = [
            {"kind": "linear", "weights": [1, 0, 0.5], "at_most": 0.25},
            {"kind": "optimal_action", "state": "s0", "action": 1},
            {"kind": "avoids", "states": ["s1", 2], "probability": 0.5},
            {"kind": "reaches", "states": ["s1"]},
            {"kind": "return_at_least", "reward": [[1, 0], [0, 1], [0, 0]], "value": 0.5},
            {"kind": "base_regret_at_most", "reward": [[1, 0], [0, 1], [0, 0]]},
            {"kind": "regret_at_most", "policy": [[1, 0], [0, 1], [0.5, 0.5]], "value": 1},
            {"kind": "prefers", "better": "s0", "worse": 1},
        ]
        return *atoms, {"kind": "and", "of": [{"kind": "or", "of": atoms}, {"kind": "not", "of": atoms[0]}]}

    @staticmethod
    @cache
    def _env() -> Any:
        from irl_ident import Environment

        moves = np.zeros((3, 2, 3))
        moves[0, 0, 2] = moves[0, 1, 1] = moves[1:, :, 0] = 1
        return Environment(moves, 0.5)

    def load(self, given: Path) -> Any:
        """The property."""
        from irl_ident import rewards
        from irl_ident.cli.property_files import read_property

        return read_property(given, rewards.StateRewards(3), self._env())

    def verify(self, value: Any) -> None:
        """It is fit for the environment, and the checker reads it."""
        value.check(3, self._env())
        json.dumps(value.fields(self._env()), allow_nan=False)
        str(value)


class Checkpoints(ArchiveLoader):
    """Files of recurrent learners."""

    name = "checkpoint"

    @property
    def files(self) -> Sequence[bytes]:
        """A small learner."""
        return _checkpoints()

    def load(self, given: Path) -> Any:
        """The learner."""
        from irl_ident.agents.checkpoints import load_learner

        return load_learner(given)

    def verify(self, value: Any) -> None:
        """The same when it is saved and loaded, and it acts."""
        import tempfile

        from irl_ident.agents.checkpoints import load_learner, save_learner

        with tempfile.TemporaryDirectory() as folder:
            save_learner(value, Path(folder) / "again.npz")
            again = load_learner(Path(folder) / "again.npz")
        assert again.encoding == value.encoding
        assert dict(again.training) == dict(value.training)
        for name in vars(value.weights):
            np.testing.assert_array_equal(getattr(again.weights, name), getattr(value.weights, name), strict=True)
        np.testing.assert_array_equal(again.curve, value.curve)


@cache
def _checkpoints() -> Sequence[bytes]:
    import tempfile

    from irl_ident.agents.checkpoints import save_learner
    from irl_ident.agents.recurrent import Encoding, RecurrentLearner, Weights, shapes

    encoding = Encoding(n_actions=2, n_observations=2)
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes(encoding, 3).items()}
    learner = RecurrentLearner(encoding, Weights(**weights), {"seed": 1, "task": "bandits"}, np.arange(4.0))
    with tempfile.TemporaryDirectory() as folder:
        save_learner(learner, Path(folder) / "seed.npz")
        return ((Path(folder) / "seed.npz").read_bytes(),)


ODD: tuple[Any, ...] = (
    *(np.nan, np.inf, -np.inf, -1, -0.5, 2, 0.5, 1e-300, 1e308, 10**400, 10**18, True, False, None, "0", "0.5", "nope"),
    *(
        (),
        [],
        {},
        [1.0],
        {0: 1},
        1j,
        b"1",
        np.float32(0.5),
        np.int8(-1),
        np.array(1),
        np.array([1, 2]),
        1 + 1e-7,
        object,
    ),
)


def _odd(thing: Any, choices: Choices) -> Any:
    """A copy of nested tables, lists and tuples with one place changed."""
    if isinstance(thing, dict | list | tuple) and thing and not choices.one_in(4):
        keys = list(thing) if isinstance(thing, dict) else list(range(len(thing)))
        key = choices.pick(keys)
        if choices.one_in(8):
            if isinstance(thing, dict):
                return {k: v for k, v in thing.items() if k != key}
            return type(thing)(v for k, v in enumerate(thing) if k != key)
        changed = _odd(thing[key], choices)
        if isinstance(thing, dict):
            return thing | {key: changed}
        return type(thing)(changed if k == key else v for k, v in enumerate(thing))
    return choices.pick(ODD)


class GymnasiumTables(Loader):
    """Transition tables of Gymnasium environments."""

    name = "gymnasium-table"
    documented = (ValueError,)
    named = False

    def made(self, folder: Path, choices: Choices) -> Any:
        """An object with a changed table or start."""
        table = {
            s: {a: [(0.25, a, 0.0, False), (0.75, 2, 1.0, True)] if s < 2 else [(1.0, 2, 0, True)] for a in range(2)}
            for s in range(3)
        }
        world = {"P": table, "initial_state_distrib": [0.5, 0.5, 0.0]}
        for _ in range(1 + choices.below(2)):
            world = _odd(world, choices)
            if not isinstance(world, dict):
                world = {"P": world}
        return type("Given", (), {str(k): v for k, v in world.items()})()

    def load(self, given: Any) -> Any:
        """The environment, with what it was made from."""
        from irl_ident.gymnasium_tables import environment_from_table

        return environment_from_table(given, 0.9), given

    def verify(self, value: Any) -> None:
        """All that was accepted is a number, and the rows are distributions."""
        env, given = value
        table = given.P
        for s in range(len(table)):
            for a in range(len(table[s])):
                for p, there, paid, done in table[s][a]:
                    assert not isinstance(p, str | bool | bytes), p
                    assert not isinstance(there, str | bytes | bool)
                    assert there == int(there)
                    assert not isinstance(paid, str | bytes)
                    assert isinstance(done, bool | np.bool_) or (done in (0, 1) and not isinstance(done, str))
        assert abs(env.transitions.sum(axis=1) - 1).max() <= 1e-8
        assert env.digest


class ImitationTrajectories(Loader):
    """Trajectories in the form of ``imitation``; any objects with ``obs`` and ``acts`` are."""

    name = "imitation-trajectories"
    documented = (ValueError,)
    named = False

    def made(self, folder: Path, choices: Choices) -> Any:
        """Objects of which one was changed."""
        given: Any = [{"obs": [0, 1, 0], "acts": [1, 1]}, {"obs": [1, 0], "acts": [1]}]
        for _ in range(1 + choices.below(2)):
            given = _odd(given, choices)
        if not isinstance(given, list):
            return given
        return [
            type("Episode", (), {str(k): _as_array(v) for k, v in t.items()})() if isinstance(t, dict) else t
            for t in given
        ]

    def load(self, given: Any) -> Any:
        """The trajectories."""
        from irl_ident import Environment
        from irl_ident.evidence import from_imitation

        moves = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
        return from_imitation(Environment(moves, 0.5), given), given

    def verify(self, value: Any) -> None:
        """Step by step what was given."""
        read, given = value
        assert len(read) == len(given)
        for (states, actions), episode in zip(read, given, strict=True):
            np.testing.assert_array_equal(states, np.asarray(episode.obs))
            np.testing.assert_array_equal(actions, np.asarray(episode.acts))


def _as_array(value: Any) -> Any:
    try:
        return np.array(value)
    except (ValueError, TypeError, OverflowError):
        return value


class Chapters(Loader):
    """``manifest.json`` and ``summary.json`` of finished studies."""

    name = "study-results"
    named = False

    def made(self, folder: Path, choices: Choices) -> Path:
        """A folder of results of which one file was changed."""
        manifest = {
            "study": "lamps",
            "question": "Which?",
            "seed": 0,
            "quick": True,
            "counts": {"tasks": 2, "rows": 4},
            "time": {"seconds": 1.5, "task_seconds": 1.0, "tasks_from_earlier_runs": 0},
            "parameters": {"data": ["x"]},
            "versions": {"numpy": "2"},
            "code": {"commit": "abc"},
        }
        summary = {"findings": ["One."], "claims": [], "share": 0.5}
        results = folder / "results"
        (results / "lamps").mkdir(parents=True)
        which = choices.below(2)
        for number, (name, tree) in enumerate((("manifest.json", manifest), ("summary.json", summary))):
            written = json.dumps(tree).encode()
            if number == which:
                if choices.one_in(4):
                    written = mutations.mutated(written, choices)
                else:
                    written = trees.mutated_text(tree, choices, lambda x: x).encode("utf-8", "surrogatepass")
            (results / "lamps" / name).write_bytes(written)
        return results

    def load(self, given: Path) -> Any:
        """The chapters of the report."""
        from studies.report import read_chapters

        return read_chapters(given)

    def verify(self, value: Any) -> None:
        """They can be put into the report."""
        for chapter in value:
            assert all(isinstance(finding, str) for finding in chapter.findings)
            assert isinstance(chapter.question, str)
            assert isinstance(chapter.provenance, str)


class Parts(Loader):
    """Rows of sweeps in Parquet."""

    name = "sweep-rows"

    def made(self, folder: Path, choices: Choices) -> Path:
        """Changed bytes."""
        content = _rows()
        for _ in range(1 + choices.below(3)):
            content = mutations.mutated(content, choices)
        path = folder / "given.parquet"
        path.write_bytes(content)
        return path

    def load(self, given: Path) -> Any:
        """The rows, and how long they took."""
        from irl_ident.sweeps import parts

        return parts.seconds([given]), list(parts.tables([given]))

    def verify(self, value: Any) -> None:
        """They are rows."""
        seconds, tables = value
        assert seconds == float(seconds)
        assert all(table.num_rows > 0 for table in tables)


@cache
def _rows() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"a": [1, 2], "b": [0.5, None], "c": ["x", "y"]}).replace_schema_metadata({"seconds": "1.5"})
    buffer = pa.BufferOutputStream()
    parquet.write_table(table, buffer, compression="zstd")
    return bytes(buffer.getvalue())


class Mice(ArchiveLoader):
    """The labyrinth's trajectories, of ``--data``."""

    name = "labyrinth-data"

    @property
    def files(self) -> Sequence[bytes]:
        """A small labyrinth."""
        return (_mice(),)

    def load(self, given: Path) -> Any:
        """The mice."""
        from studies._labyrinth import read

        return read(given)

    def verify(self, value: Any) -> None:
        """Every step follows the plan."""
        table = value.maze.next_state
        assert (table[value.states[:, :-1], value.actions[:, :-1]] == value.states[:, 1:]).all()
        assert len(value.recording) == len(value.states) == len(value.actions)


@cache
def _mice() -> bytes:
    from environments import labyrinth

    maze = labyrinth.plan(2)
    random = np.random.default_rng(0)
    states, actions = np.zeros((4, 5), dtype=np.int64), np.zeros((4, 5), dtype=np.int64)
    for i in range(4):
        for t in range(5):
            actions[i, t] = random.choice(np.flatnonzero(maze.possible[states[i, t]]))
            if t < 4:
                states[i, t + 1] = maze.next_state[states[i, t], actions[i, t]]
    given = {"states": states, "actions": actions, "next_state": np.asarray(maze.next_state)}
    return archives.packed({f"{name}.npy": archives.array_bytes(array) for name, array in given.items()})


LOADERS: dict[str, Callable[[], Loader]] = {
    kind.name: kind
    for kind in (
        *(EvidenceJson, EvidenceNpz, Journals, Certificates, NetworkCertificates, Properties, Checkpoints),
        *(GymnasiumTables, ImitationTrajectories, Chapters, Parts, Mice),
    )
}
